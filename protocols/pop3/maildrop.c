/*
 * maildrop.c - the Inbox as one session sees it.
 *
 * Numbers are those of the view taken at log-on and never change. Other sessions may remove
 * messages meanwhile; these count as deleted from the moment this session looks (STAT, LIST,
 * UIDL), so that totals, listings and what can be retrieved agree to the octet.
 */
#include "base/mem.h"
#include "protocols/pop3/pop3_int.h"

struct err pop3_read(struct pop3_session *s, struct store_read **out)
{
    if (!s->drop.read) {
        struct err e = store_read_begin(s->drop.mailbox, &s->drop.read);

        if (failed(e))
            return e;
    }
    *out = s->drop.read;
    return OK;
}

void pop3_read_end(struct pop3_session *s)
{
    if (s->drop.read)
        store_read_end(s->drop.read);
    s->drop.read = NULL;
}

static struct err take_snapshot(struct pop3_session *s)
{
    struct pop3_maildrop *drop = &s->drop;
    struct store_read *rd;
    struct store_folder inbox;
    struct store_view *view;

    struct err e = pop3_read(s, &rd);
    if (failed(e))
        return e;
    e = store_folder_special(rd, SPECIAL_INBOX, &inbox);
    if (failed(e))
        return e;
    e = store_view_open(rd, inbox.fid, &view);
    if (failed(e))
        return e;
    drop->view = view;
    drop->inbox = inbox.fid;
    drop->bytes = inbox.size;
    drop->version = store_read_version(rd);
    return OK;
}

struct err pop3_maildrop_open(struct pop3_session *s, struct mailbox *mailbox)
{
    s->drop.mailbox = mailbox;
    struct err e = take_snapshot(s);
    if (failed(e))
        pop3_maildrop_close(s);
    return e;
}

void pop3_maildrop_close(struct pop3_session *s)
{
    struct pop3_maildrop *drop = &s->drop;

    pop3_read_end(s);
    if (drop->view)
        store_view_close(drop->view);
    if (drop->mailbox)
        mailbox_close(drop->mailbox);
    uidset_done(&drop->deleted);
    uidset_done(&drop->gone);
    uidset_done(&drop->read_here);
    *drop = (struct pop3_maildrop){0};
}

/* The sizes of a set's messages, in one walk. */
static struct err sum_sizes(struct store_read *rd, uint64_t fid, const struct uidset *set,
                            uint64_t *sum)
{
    struct store_rows *rows = set->n ? store_rows_open(rd, fid, set->runs[0].first) : NULL;
    const struct message_row *row;
    struct err e = OK;

    *sum = 0;
    for (size_t i = 0; i < set->n; i++) {
        store_rows_seek(rows, set->runs[i].first);
        while (!failed(e = store_rows_next(rows, &row)) && row->uid <= set->runs[i].last)
            *sum += row->size;
        if (failed(e))
            break;
    }
    if (rows)
        store_rows_close(rows);
    return e.code == ERR_NOT_FOUND ? OK : e;
}

/* What came after log-on: it is in the folder's total and not in ours. */
static struct err sum_newer(const struct pop3_maildrop *drop, struct store_read *rd, uint64_t *sum)
{
    uint32_t last = store_view_last_uid(drop->view);
    struct uidset newer = UIDSET_EMPTY;

    *sum = 0;
    if (last == UINT32_MAX)
        return OK;
    uidset_add(&newer, last + 1, UINT32_MAX);
    struct err e = sum_sizes(rd, drop->inbox, &newer, sum);
    uidset_done(&newer);
    return e;
}

/* Messages that the Inbox no longer has are gone, not deleted by us. */
static void note_gone(struct pop3_maildrop *drop, const struct store_view *now)
{
    struct uidset still = UIDSET_EMPTY;

    uidset_clear(&drop->gone);
    store_view_gone(drop->view, now, &drop->gone);
    uidset_subtract(&drop->deleted, &drop->gone, &still);
    uidset_done(&drop->deleted);
    drop->deleted = still;
}

struct err pop3_refresh(struct pop3_session *s)
{
    struct pop3_maildrop *drop = &s->drop;
    struct store_read *rd;
    struct store_folder inbox;
    struct store_view *now;
    uint64_t newer, deleted;

    struct err e = pop3_read(s, &rd);
    if (failed(e) || store_read_version(rd) == drop->version)
        return e;
    e = store_folder_get(rd, drop->inbox, &inbox);
    if (failed(e))
        return e;
    e = store_view_open(rd, drop->inbox, &now);
    if (failed(e))
        return e;
    note_gone(drop, now);
    store_view_close(now);
    e = sum_newer(drop, rd, &newer);
    if (failed(e))
        return e;
    e = sum_sizes(rd, drop->inbox, &drop->deleted, &deleted);
    if (failed(e))
        return e;
    drop->bytes = inbox.size - newer - deleted;
    drop->deleted_bytes = deleted;
    drop->version = store_read_version(rd);
    return OK;
}

uint32_t pop3_messages_left(const struct pop3_session *s)
{
    const struct pop3_maildrop *drop = &s->drop;

    return store_view_count(drop->view) -
           (uint32_t)(uidset_count(&drop->deleted) + uidset_count(&drop->gone));
}

struct err pop3_message(struct pop3_session *s, uint64_t number, struct message_row *row)
{
    struct pop3_maildrop *drop = &s->drop;
    struct store_read *rd;

    if (number == 0 || number > store_view_count(drop->view))
        return ERR(ERR_NOT_FOUND, "no such number");
    uint32_t uid = store_view_uid(drop->view, (uint32_t)number);
    if (uidset_has(&drop->deleted, uid) || uidset_has(&drop->gone, uid))
        return ERR(ERR_NOT_FOUND, "the message was deleted");
    struct err e = pop3_read(s, &rd);
    return failed(e) ? e : store_message(rd, drop->inbox, uid, row);
}
