/*
 * retrieve.c - RETR and TOP: a message from the store's map to the driver's buffer.
 *
 * The bytes are copied once, in the runs between dots that must be doubled. No read lives from
 * one pull to the next; the message is pinned while it takes more than one.
 */
#include "protocols/pop3/pop3_int.h"

enum { TOP_STEP = 4096 }; /* all of it is sent, though every dot of it be doubled */

void pop3_sending_done(struct pop3_session *s)
{
    if (s->sending.pinned)
        store_unpin(s->env->store, &s->sending.row);
    s->sending.pinned = false;
}

/*
 * The part of `piece` that TOP may send: the rest of the header, and then lines until there have
 * been enough. A line ends at LF, as dots.h says.
 */
static struct slice cut_for_top(struct pop3_sending *m, struct slice piece)
{
    size_t at = 0;

    if (m->at < m->header) {
        uint64_t left = m->header - m->at;

        at = left < piece.len ? (size_t)left : piece.len;
    }
    while (at < piece.len && m->lines > 0) {
        struct slice rest = slice_from(piece, at);
        size_t line = slice_index(rest, '\n');

        if (line < rest.len) {
            m->lines--;
            line++;
        }
        at += line;
    }
    return slice_head(piece, at);
}

static bool all_sent(const struct pop3_sending *m)
{
    return m->at >= m->row.size || (m->top && m->at >= m->header && m->lines == 0);
}

/* Send of `piece`, which begins at m->at, what there is room for. */
static void send_piece(struct pop3_session *s, struct slice piece)
{
    struct pop3_sending *m = &s->sending;

    if (!m->top) {
        m->at += dot_put(&m->dots, piece, s->out, pop3_room(s));
        return;
    }
    piece = cut_for_top(m, piece);
    m->at += dot_put(&m->dots, piece, s->out, SIZE_MAX);
}

static enum session_next send_end(struct pop3_session *s)
{
    struct pop3_sending *m = &s->sending;

    pop3_sending_done(s);
    if (!m->top && s->env->pop3_marks_read && !(m->row.flags & FLAG_SEEN))
        uidset_add(&s->drop.read_here, m->row.uid, m->row.uid);
    dot_end(&m->dots, s->out);
    s->env->summary->fetched++;
    s->env->summary->fetched_bytes += m->at;
    return NEXT_READ;
}

/*
 * The bytes cannot be read in the middle of a message. No answer could say so: a client that got
 * the closing dot would take a part for the whole. It sees the connection break instead.
 */
static enum session_next send_break(struct pop3_session *s, struct err e)
{
    pop3_sending_done(s);
    log_event(s->env->log, LOG_LEVEL_ERROR, "pop3.retr.broken",
              log_str("session", s->env->peer->session_id), log_str("error", err_name(e.code)),
              log_str("why", e.why), log_number("uid", s->sending.row.uid));
    return pop3_close(s, "store");
}

static enum session_next send_on(struct pop3_session *s)
{
    struct pop3_sending *m = &s->sending;
    struct store_read *rd;
    struct slice piece;

    struct err e = pop3_read(s, &rd);
    while (!failed(e) && !all_sent(m)) {
        if (pop3_room(s) == 0) {
            if (!m->pinned)
                store_pin(s->env->store, &m->row);
            m->pinned = true;
            s->resume = send_on;
            return NEXT_PULL;
        }
        e = store_message_piece(rd, &m->row, m->at, m->top ? TOP_STEP : pop3_room(s), &piece);
        if (!failed(e))
            send_piece(s, piece);
    }
    return failed(e) ? send_break(s, e) : send_end(s);
}

/* Find the message and see that its bytes can be read, before "+OK" is said. */
static struct err send_begin(struct pop3_session *s, uint64_t number, bool top, uint64_t lines)
{
    struct pop3_sending m = {.top = top, .lines = lines};
    struct store_read *rd;
    struct slice piece;

    struct err e = pop3_message(s, number, &m.row);
    if (failed(e))
        return e;
    e = pop3_read(s, &rd);
    if (!failed(e) && m.row.size > 0)
        e = store_message_piece(rd, &m.row, 0, UINT64_MAX, &piece);
    if (!failed(e) && top) {
        struct message_meta meta;

        e = store_message_meta(rd, &m.row, &meta);
        if (!failed(e))
            m.header = meta.header_len;
    }
    if (failed(e))
        return e;
    s->sending = m;
    return OK;
}

/* RETR msg (RFC 1939 5). */
enum session_next pop3_cmd_retr(struct pop3_session *s, struct slice args)
{
    uint64_t number;

    if (!pop3_arg_number(&args, &number) || args.len > 0)
        return pop3_bad(s, "RETR takes a message number");
    struct err e = send_begin(s, number, false, 0);
    if (failed(e))
        return pop3_store_err(s, e);
    buf_puts(s->out, "+OK ");
    buf_put_u64(s->out, s->sending.row.size);
    buf_puts(s->out, " octets\r\n");
    return send_on(s);
}

/* TOP msg n (RFC 1939 7). */
enum session_next pop3_cmd_top(struct pop3_session *s, struct slice args)
{
    uint64_t number, lines;

    if (!pop3_arg_number(&args, &number) || !pop3_arg_number(&args, &lines) || args.len > 0)
        return pop3_bad(s, "TOP takes a message number and a number of lines");
    struct err e = send_begin(s, number, true, lines);
    if (failed(e))
        return pop3_store_err(s, e);
    pop3_ok(s, "Top of message follows");
    return send_on(s);
}
