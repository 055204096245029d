/* cmd_drop.c - what is in the maildrop, and what is to be removed from it (RFC 1939 5 to 7). */
#include "protocols/pop3/pop3_int.h"

/* "2 320": messages and octets, of what is left. */
static void put_totals(struct pop3_session *s)
{
    buf_put_u64(s->out, pop3_messages_left(s));
    buf_putc(s->out, ' ');
    buf_put_u64(s->out, s->drop.bytes);
}

enum session_next pop3_cmd_stat(struct pop3_session *s, struct slice args)
{
    if (args.len > 0)
        return pop3_bad(s, "STAT takes no argument");
    struct err e = pop3_refresh(s);
    if (failed(e))
        return pop3_store_err(s, e);
    buf_puts(s->out, "+OK ");
    put_totals(s);
    buf_puts(s->out, "\r\n");
    return NEXT_READ;
}

/* ---- LIST and UIDL ---- */

/* "1 120" or "1 whqtswO00WBw418f9t5JxYwZ". */
static struct err put_line(struct pop3_session *s, struct store_read *rd, uint64_t number,
                           const struct message_row *row, bool uidl)
{
    size_t before = s->out->len;

    buf_put_u64(s->out, number);
    buf_putc(s->out, ' ');
    if (!uidl) {
        buf_put_u64(s->out, row->size);
    } else {
        struct err e = store_uidl(rd, s->drop.inbox, row, s->out);

        if (failed(e)) {
            buf_truncate(s->out, before);
            return e;
        }
    }
    buf_puts(s->out, "\r\n");
    return OK;
}

static struct err list_rows(struct pop3_session *s, struct store_read *rd, struct store_rows *rows)
{
    struct pop3_listing *l = &s->listing;
    uint32_t last = store_view_last_uid(s->drop.view);
    const struct message_row *row;

    while (pop3_room(s) > 0) {
        struct err e = store_rows_next(rows, &row);

        if (!failed(e) && row->uid > last)
            return ERR(ERR_NOT_FOUND, "what follows came after log-on");
        if (failed(e))
            return e;
        uint32_t number = store_view_seq(s->drop.view, row->uid);

        l->next_uid = row->uid + 1;
        if (number == 0 || uidset_has(&s->drop.deleted, row->uid))
            continue;
        e = put_line(s, rd, number, row, l->uidl);
        if (failed(e))
            return e;
    }
    return OK;
}

/* ERR_NOT_FOUND: the listing is complete. */
static struct err list_some(struct pop3_session *s)
{
    struct store_read *rd;

    struct err e = pop3_read(s, &rd);
    if (failed(e))
        return e;
    if (s->listing.next_uid == 0)
        return ERR(ERR_NOT_FOUND, "behind the last possible UID");
    struct store_rows *rows = store_rows_open(rd, s->drop.inbox, s->listing.next_uid);
    e = list_rows(s, rd, rows);
    store_rows_close(rows);
    return e;
}

static enum session_next list_on(struct pop3_session *s)
{
    struct err e = list_some(s);

    if (e.code == ERR_NOT_FOUND) {
        buf_puts(s->out, ".\r\n");
        return NEXT_READ;
    }
    if (failed(e)) {
        /* A listing that ends too early would make a client forget or fetch again what it has. */
        log_event(s->env->log, LOG_LEVEL_ERROR, "pop3.list.broken",
                  log_str("session", s->env->peer->session_id), log_str("error", err_name(e.code)),
                  log_str("why", e.why));
        return pop3_close(s, "store");
    }
    s->resume = list_on;
    return NEXT_PULL;
}

static enum session_next list_all(struct pop3_session *s, bool uidl)
{
    struct err e = pop3_refresh(s);
    if (failed(e))
        return pop3_store_err(s, e);
    s->listing = (struct pop3_listing){.next_uid = 1, .uidl = uidl};
    buf_puts(s->out, "+OK ");
    put_totals(s);
    buf_puts(s->out, "\r\n");
    return list_on(s);
}

static enum session_next list_one(struct pop3_session *s, uint64_t number, bool uidl)
{
    struct message_row row;
    struct store_read *rd;

    struct err e = pop3_message(s, number, &row);
    if (!failed(e))
        e = pop3_read(s, &rd);
    if (failed(e))
        return pop3_store_err(s, e);
    size_t before = s->out->len;
    buf_puts(s->out, "+OK ");
    e = put_line(s, rd, number, &row, uidl);
    if (failed(e)) {
        buf_truncate(s->out, before);
        return pop3_store_err(s, e);
    }
    return NEXT_READ;
}

static enum session_next list(struct pop3_session *s, struct slice args, bool uidl)
{
    uint64_t number;

    if (args.len == 0)
        return list_all(s, uidl);
    if (!pop3_arg_number(&args, &number) || args.len > 0)
        return pop3_bad(s, "The argument is a message number or nothing");
    return list_one(s, number, uidl);
}

enum session_next pop3_cmd_list(struct pop3_session *s, struct slice args)
{
    return list(s, args, false);
}

enum session_next pop3_cmd_uidl(struct pop3_session *s, struct slice args)
{
    return list(s, args, true);
}

/* ---- DELE, RSET ---- */

enum session_next pop3_cmd_dele(struct pop3_session *s, struct slice args)
{
    struct message_row row;
    uint64_t number;

    if (!pop3_arg_number(&args, &number) || args.len > 0)
        return pop3_bad(s, "DELE takes a message number");
    struct err e = pop3_message(s, number, &row);
    if (failed(e))
        return pop3_store_err(s, e);
    uidset_add(&s->drop.deleted, row.uid, row.uid);
    s->drop.bytes -= row.size;
    s->drop.deleted_bytes += row.size;
    return pop3_ok(s, "Marked for deletion");
}

enum session_next pop3_cmd_rset(struct pop3_session *s, struct slice args)
{
    if (args.len > 0)
        return pop3_bad(s, "RSET takes no argument");
    uidset_clear(&s->drop.deleted);
    s->drop.bytes += s->drop.deleted_bytes;
    s->drop.deleted_bytes = 0;
    return pop3_ok(s, "Nothing is marked for deletion");
}
