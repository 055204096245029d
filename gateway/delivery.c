/* delivery.c - addresses to mailboxes, bytes into Inboxes. */
#include "gateway/delivery.h"

#include <openssl/sha.h>

#include "base/clock.h"
#include "protocols/answers.h"

/* Of this mail, in this mailbox, for this use: asking the store again is safe. */
static void make_id(uint64_t id, const char *what, uint64_t mailbox_id, uint8_t out[ENGINE_ID_LEN])
{
    uint8_t hash[SHA256_DIGEST_LENGTH];
    struct buf all = buf_make(4096);

    buf_printf(&all, "queue %llu %llu %s", (unsigned long long)id, (unsigned long long)mailbox_id,
               what);
    SHA256(all.data, all.len, hash);
    buf_done(&all);
    memcpy(out, hash, ENGINE_ID_LEN);
}

static struct err put(struct store *store, uint64_t id, const char *what, uint64_t mailbox_id,
                      struct store_prepared *prepared)
{
    const struct store_new_message message = {.prepared = prepared,
                                              .internaldate = clock_now().wall};
    struct store_append append;
    struct mailbox *mailbox;
    struct err e = store_mailbox_open_now(store, mailbox_id, &mailbox);

    if (failed(e))
        return e;
    store_append_init(&append);
    append.messages = &message;
    append.n = 1;
    append.delivered = true;
    make_id(id, what, mailbox_id, append.op.id);
    e = store_special_fid(mailbox, SPECIAL_INBOX, &append.fid);
    if (!failed(e))
        e = store_run(mailbox, &append.op);
    mailbox_close(mailbox);
    return e;
}

struct err delivery_put(const struct delivery *d, uint64_t id, const char *what,
                        uint64_t mailbox_id, struct slice bytes)
{
    struct store_prepared *prepared;
    struct err e = store_prepare_bytes(d->store, SLICE_EMPTY, bytes, &prepared);

    if (failed(e))
        return e;
    e = put(d->store, id, what, mailbox_id, prepared);
    store_prepared_free(prepared);
    return e;
}

/* ---- mail ---- */

/* Its trace (RFC 5321 4.4). */
static void put_trace(const struct delivery *d, uint64_t id, struct slice sender, struct buf *out)
{
    buf_printf(out, "Return-Path: <%.*s>\r\nReceived: by %s with MAPI id %llx;\r\n\t",
               SLICE_ARG(sender), d->host_name, (unsigned long long)id);
    clock_put_rfc5322(out, clock_now().wall);
    buf_puts(out, "\r\n");
}

static void answer(struct smtp_recipient *r, struct err e)
{
    const char *words = failed(e) ? answer_err(e.code)->lmtp : "250 2.1.5 Delivered";

    r->result = !failed(e) ? SMTP_TAKEN : words[0] == '5' ? SMTP_REFUSED : SMTP_LATER;
    snprintf(r->reply, sizeof r->reply, "%s", words);
}

struct target {
    uint64_t mailbox_id; /* 0: it has its answer already */
    struct err err;
};

static void find_targets(const struct delivery *d, struct smtp_mail *mail, struct target *targets)
{
    for (size_t i = 0; i < mail->n_recipients; i++) {
        struct arena arena = ARENA_INIT;
        struct mapi_person person = {.mailbox_id = 0};
        struct slice address = mail->recipients[i].address;

        targets[i].err = d->directory->find_address(d->directory, address, &arena, &person);
        targets[i].mailbox_id = failed(targets[i].err) ? 0 : person.mailbox_id;
        arena_done(&arena);
    }
}

/* Each mailbox once, whoever is named how often. */
static void put_into_all(const struct delivery *d, uint64_t id, struct target *targets, size_t n,
                         struct store_prepared *prepared)
{
    for (size_t i = 0; i < n; i++) {
        size_t first = 0;

        if (!targets[i].mailbox_id)
            continue;
        while (targets[first].mailbox_id != targets[i].mailbox_id)
            first++;
        if (first < i)
            targets[i].err = targets[first].err;
        else
            targets[i].err = put(d->store, id, "mail", targets[i].mailbox_id, prepared);
    }
}

void delivery_send(const struct delivery *d, uint64_t id, struct smtp_mail *mail)
{
    struct arena arena = ARENA_INIT;
    struct target *targets = arena_array(&arena, mail->n_recipients + 1, sizeof *targets);
    struct buf trace = buf_make(4096);
    struct store_prepared *prepared;

    find_targets(d, mail, targets);
    put_trace(d, id, mail->sender, &trace);
    struct err e = store_prepare_bytes(d->store, buf_slice(&trace), mail->bytes, &prepared);
    if (!failed(e)) {
        put_into_all(d, id, targets, mail->n_recipients, prepared);
        store_prepared_free(prepared);
    }
    for (size_t i = 0; i < mail->n_recipients; i++)
        answer(&mail->recipients[i], failed(e) && !failed(targets[i].err) ? e : targets[i].err);
    buf_done(&trace);
    arena_done(&arena);
}
