/*
 * envelope.c - MAIL and RCPT: whose message it is and who gets it.
 *
 * A recipient is looked up by the very function that logs people on, his mailbox is opened, and
 * its quota is looked at, before RCPT is answered: what can be refused early is, recipient by
 * recipient, and the sender's server tells the sender.
 */
#include "base/mem.h"
#include "protocols/answers.h"
#include "protocols/lmtp/lmtp_int.h"

/* ---- the life of a transaction ---- */

static void transaction_free(struct lmtp_transaction *t)
{
    for (struct lmtp_box *box = t->boxes; box; box = box->next)
        if (box->mailbox)
            mailbox_close(box->mailbox);
    if (t->spool)
        store_spool_free(t->spool);
    if (t->prepared)
        store_prepared_free(t->prepared);
    free(t->recipients);
    arena_done(&t->arena);
    free(t);
}

void lmtp_transaction_release(struct lmtp_transaction *t)
{
    if (!t)
        return;
    t->session = NULL;
    if (t->pending == 0)
        transaction_free(t);
}

void lmtp_transaction_arrived(struct lmtp_transaction *t)
{
    if (--t->pending > 0)
        return;
    if (t->session)
        lmtp_wake(t->session);
    else
        transaction_free(t);
}

/* ---- MAIL ---- */

/* False: `reply` says why not. */
static bool mail_parameter(struct lmtp_session *s, struct lmtp_transaction *t, struct slice key,
                           struct slice value, const char **reply)
{
    if (slice_ieq(key, S("SIZE"))) {
        if (!slice_to_u64(value, &t->declared))
            *reply = "501 5.5.4 SIZE takes a number";
        else if (t->declared > lmtp_max_message(s))
            *reply = answer_err(ERR_TOO_BIG)->lmtp;
    } else if (slice_ieq(key, S("BODY"))) {
        if (slice_ieq(value, S("7BIT")))
            t->body = BODY_7BIT;
        else if (slice_ieq(value, S("8BITMIME")))
            t->body = BODY_8BITMIME;
        else if (slice_ieq(value, S("BINARYMIME")))
            t->body = BODY_BINARYMIME;
        else
            *reply = "501 5.5.4 No such BODY";
    } else if (slice_ieq(key, S("SMTPUTF8")) && value.len == 0) {
        t->utf8 = true;
    } else {
        *reply = "555 5.5.4 No such parameter";
    }
    return !*reply;
}

/* RFC 6531 3.4: an address beyond ASCII needs SMTPUTF8, and is UTF-8. */
static bool address_allowed(const struct lmtp_transaction *t, struct slice raw)
{
    return slice_is_ascii(raw) || (t->utf8 && slice_is_utf8(raw));
}

static const char *mail_parse(struct lmtp_session *s, struct lmtp_transaction *t, struct slice args)
{
    struct lmtp_path path;
    struct slice key, value;
    const char *reply = NULL;

    if (!slice_istarts(args, S("FROM:")))
        return "501 5.5.4 MAIL FROM:<address>";
    args = slice_from(args, strlen("FROM:"));
    if (!lmtp_path(&args, &t->arena, &path))
        return "501 5.1.7 That is no sender's address";
    while (lmtp_parameter(&args, &key, &value))
        if (!mail_parameter(s, t, key, value, &reply))
            return reply;
    if (!address_allowed(t, path.raw))
        return "553 5.6.7 An address beyond ASCII needs SMTPUTF8";
    t->sender = arena_slice(&t->arena, path.raw);
    return NULL;
}

enum session_next lmtp_cmd_mail(struct lmtp_session *s, struct slice args)
{
    struct lmtp_transaction *t = mem_new(sizeof *t);

    t->session = s;
    t->store = s->env->store;
    t->body = BODY_7BIT;
    const char *refused = mail_parse(s, t, args);
    if (refused) {
        lmtp_transaction_release(t);
        return lmtp_bad(s, refused);
    }
    s->transaction = t;
    s->bad = 0;
    lmtp_enter(s, AT_MAIL);
    return lmtp_reply(s, "250 2.1.0 Sender accepted");
}

/* ---- RCPT ---- */

static void add_recipient(struct lmtp_transaction *t, struct lmtp_box *box)
{
    if (t->n_recipients == t->recipients_room) {
        t->recipients_room = t->recipients_room ? 2 * t->recipients_room : 4;
        t->recipients = mem_grow(t->recipients, t->recipients_room, sizeof *t->recipients);
    }
    t->recipients[t->n_recipients++] = box;
}

static enum session_next accept_recipient(struct lmtp_session *s, struct lmtp_box *box)
{
    struct lmtp_transaction *t = s->transaction;

    if (t->n_recipients == 0)
        t->first_recipient = t->recipient;
    add_recipient(t, box);
    if (s->state == AT_MAIL)
        lmtp_enter(s, AT_RCPT);
    return lmtp_reply(s, "250 2.1.5 Recipient accepted");
}

/* Is there room for it, as far as can be said now? Also finds the Inbox. */
static struct err look_into(struct lmtp_transaction *t, struct lmtp_box *box)
{
    struct store_read *rd;
    struct mailbox_info info;
    struct store_folder inbox;

    struct err e = store_read_begin(box->mailbox, &rd);
    if (failed(e))
        return e;
    e = store_mailbox_info(rd, &info);
    if (!failed(e))
        e = store_folder_special(rd, SPECIAL_INBOX, &inbox);
    store_read_end(rd);
    if (failed(e))
        return e;
    box->fid = inbox.fid;
    if (info.quota && (info.size >= info.quota || t->declared > info.quota - info.size))
        return ERR(ERR_QUOTA, "the mailbox is full");
    return OK;
}

static enum session_next refuse_recipient(struct lmtp_session *s, struct err e)
{
    log_event(s->env->log, LOG_LEVEL_INFO, "lmtp.rcpt.refused",
              log_str("session", s->env->peer->session_id), log_str("error", err_name(e.code)),
              log_str("why", e.why));
    return lmtp_reply(s, answer_err(e.code)->lmtp);
}

static enum session_next box_opened(struct lmtp_session *s)
{
    struct lmtp_box *box = s->opening;
    struct lmtp_transaction *t = s->transaction;
    struct err e = box->opening.err;

    s->opening = NULL;
    if (!failed(e))
        e = look_into(t, box);
    if (failed(e)) {
        /* It stays in the list of boxes, to be closed; nobody refers to it. */
        box->mailbox_id = 0;
        return refuse_recipient(s, e);
    }
    return accept_recipient(s, box);
}

static void on_opened(struct store_open_mailbox *rq)
{
    struct lmtp_box *box = rq->owner;

    if (!failed(rq->err))
        box->mailbox = rq->mailbox;
    lmtp_transaction_arrived(box->transaction);
}

static enum session_next open_box(struct lmtp_session *s, uint64_t mailbox_id)
{
    struct lmtp_transaction *t = s->transaction;
    struct lmtp_box *box = arena_alloc(&t->arena, sizeof *box);

    box->transaction = t;
    box->mailbox_id = mailbox_id;
    box->next = t->boxes;
    t->boxes = box;
    box->opening.mailbox_id = mailbox_id;
    box->opening.home = s->env->home;
    box->opening.done = on_opened;
    box->opening.owner = box;
    s->opening = box;
    t->pending++;
    store_mailbox_open(s->env->store, &box->opening);
    return lmtp_wait(s, box_opened);
}

static struct lmtp_box *find_box(const struct lmtp_transaction *t, uint64_t mailbox_id)
{
    struct lmtp_box *box = t->boxes;

    while (box && box->mailbox_id != mailbox_id)
        box = box->next;
    return box;
}

static struct err resolve(struct lmtp_session *s, struct slice address, uint64_t *mailbox_id)
{
    struct arena arena = ARENA_INIT;
    struct auth_account account;
    struct err e = auth_resolve_recipient(s->env->auth, address, &arena, &account);

    if (!failed(e))
        *mailbox_id = account.mailbox_id;
    arena_done(&arena);
    return e;
}

/* NULL: *path is the recipient. */
static const char *rcpt_parse(struct lmtp_session *s, struct slice args, struct lmtp_path *path)
{
    if (!slice_istarts(args, S("TO:")))
        return "501 5.5.4 RCPT TO:<address>";
    args = slice_from(args, strlen("TO:"));
    if (!lmtp_path(&args, &s->transaction->arena, path) || path->address.len == 0)
        return "501 5.1.3 That is no recipient's address";
    if (args.len > 0)
        return "555 5.5.4 No such parameter";
    if (!address_allowed(s->transaction, path->raw))
        return "553 5.6.7 An address beyond ASCII needs SMTPUTF8";
    return NULL;
}

enum session_next lmtp_cmd_rcpt(struct lmtp_session *s, struct slice args)
{
    struct lmtp_transaction *t = s->transaction;
    struct lmtp_path path;
    uint64_t mailbox_id;

    /* First, for what is parsed stays until the transaction ends. */
    if (t->n_recipients >= LMTP_MAX_RECIPIENTS || t->arena.total > LMTP_MAX_ENVELOPE)
        return lmtp_reply(s, "452 4.5.3 Too many recipients");
    const char *refused = rcpt_parse(s, args, &path);
    if (refused)
        return lmtp_bad(s, refused);
    struct err e = resolve(s, path.address, &mailbox_id);
    if (failed(e))
        return refuse_recipient(s, e);
    t->recipient = arena_slice(&t->arena, path.raw);
    struct lmtp_box *box = find_box(t, mailbox_id);
    return box ? accept_recipient(s, box) : open_box(s, mailbox_id);
}
