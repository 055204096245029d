/*
 * content.c - DATA and BDAT: the message goes to the store's spool as it comes.
 *
 * In front of it stand fields that are the same for every recipient, so that all can share one
 * stored copy: Return-Path with MAIL's address (RFC 5321 4.4) and one Received. Where there is one
 * recipient only, his address stands there too, in Delivered-To and in Received. Of several none is
 * named: it would show those in Bcc to the others. Nothing else is changed.
 */
#include "base/mem.h"
#include "protocols/answers.h"
#include "protocols/lmtp/lmtp_int.h"

#include <arpa/inet.h>
#include <sys/random.h>

/* ---- the trace ---- */

/* "[192.0.2.7]", "[IPv6:2001:db8::7]" (RFC 5321 4.1.3), or what a Unix socket has. */
static void put_address(struct buf *out, const struct sockaddr_storage *address)
{
    char text[INET6_ADDRSTRLEN] = "";

    if (address->ss_family == AF_INET) {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, text, sizeof text);
        buf_printf(out, "[%s]", text);
    } else if (address->ss_family == AF_INET6) {
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, text, sizeof text);
        buf_printf(out, "[IPv6:%s]", text);
    } else {
        buf_puts(out, "local socket");
    }
}

/* The "with" of RFC 3848 and RFC 6531. */
static const char *with(const struct lmtp_session *s)
{
    static const char *const names[2][2] = {{"LMTP", "LMTPS"}, {"UTF8LMTP", "UTF8LMTPS"}};

    return names[s->transaction->utf8][s->env->peer->tls];
}

/* `before`, the one recipient's path, `behind`; nothing where there are several. */
static void put_only_recipient(const struct lmtp_transaction *t, const char *before,
                               const char *behind, struct buf *out)
{
    if (t->n_recipients != 1)
        return;
    buf_puts(out, before);
    buf_put(out, t->first_recipient);
    buf_puts(out, behind);
}

static void put_trace(struct lmtp_session *s, struct buf *out)
{
    const struct lmtp_transaction *t = s->transaction;

    buf_puts(out, "Return-Path: <");
    buf_put(out, t->sender);
    buf_puts(out, ">\r\n");
    put_only_recipient(t, "Delivered-To: ", "\r\n", out);
    buf_puts(out, "Received: from ");
    buf_put(out, buf_slice(&s->lhlo));
    buf_puts(out, " (");
    put_address(out, &s->env->peer->remote);
    buf_printf(out, ")\r\n\tby %s with %s id %s.%llu", s->env->host_name, with(s),
               s->env->peer->session_id, (unsigned long long)++s->messages);
    put_only_recipient(t, "\r\n\tfor <", ">", out);
    buf_puts(out, ";\r\n\t");
    clock_put_rfc5322(out, s->env->clock->wall);
    buf_puts(out, "\r\n");
}

/* ---- into the spool ---- */

static void give_up(struct lmtp_transaction *t, struct err e)
{
    t->content_err = e;
    if (t->spool)
        store_spool_free(t->spool);
    t->spool = NULL;
}

static void content_put(struct lmtp_session *s, struct slice bytes)
{
    struct lmtp_transaction *t = s->transaction;

    t->received += bytes.len;
    if (failed(t->content_err) || bytes.len == 0)
        return;
    struct err e = t->received > lmtp_max_message(s)
                       ? ERR(ERR_TOO_BIG, "the message is beyond max_message")
                       : store_spool_put(t->spool, bytes);
    if (failed(e))
        give_up(t, e);
}

static void content_begin(struct lmtp_session *s)
{
    struct lmtp_transaction *t = s->transaction;
    struct buf trace = buf_make(4 * LMTP_MAX_LINE);

    t->spool = store_spool_new(t->store);
    if (getrandom(t->id, sizeof t->id, 0) != sizeof t->id)
        mem_wipe(t->id, sizeof t->id); /* no id: an unknown end is then not asked again */
    put_trace(s, &trace);
    struct err e = store_spool_put(t->spool, buf_slice(&trace));
    if (failed(e))
        give_up(t, e);
    buf_done(&trace);
}

/* ---- DATA ---- */

enum session_next lmtp_cmd_data(struct lmtp_session *s, struct slice args)
{
    if (args.len > 0)
        return lmtp_bad(s, "501 5.5.4 DATA takes no argument");
    if (s->transaction->body == BODY_BINARYMIME)
        return lmtp_bad(s, "503 5.5.1 BINARYMIME needs BDAT"); /* RFC 3030 3 */
    content_begin(s);
    s->dots = (struct dot_reader){0};
    s->taking = TAKING_DATA;
    return lmtp_reply(s, "354 End the data with CRLF.CRLF");
}

static size_t take_data(struct lmtp_session *s, struct slice in)
{
    size_t all = in.len;
    bool end = false;

    while (in.len > 0 && !end)
        content_put(s, dot_read(&s->dots, &in, &end));
    if (end) {
        s->taking = TAKING_COMMANDS;
        s->resume = lmtp_deliver;
    }
    return all - in.len;
}

/* ---- BDAT ---- */

static enum session_next chunk_complete(struct lmtp_session *s)
{
    if (s->chunk_refused)
        return lmtp_bad(s, "503 5.5.1 No recipient was accepted");
    if (s->chunk_last)
        return lmtp_deliver(s);
    if (failed(s->transaction->content_err))
        return lmtp_reply(s, answer_err(s->transaction->content_err.code)->lmtp);
    buf_printf(s->out, "250 2.0.0 %llu octets received\r\n", (unsigned long long)s->chunk_size);
    return NEXT_READ;
}

static size_t take_chunk(struct lmtp_session *s, struct slice in)
{
    struct slice bytes = slice_head(in, s->chunk_left < in.len ? (size_t)s->chunk_left : in.len);

    if (!s->chunk_refused)
        content_put(s, bytes);
    s->chunk_left -= bytes.len;
    if (s->chunk_left == 0) {
        s->taking = TAKING_COMMANDS;
        s->resume = chunk_complete;
    }
    return bytes.len;
}

/*
 * BDAT size [LAST] (RFC 3030 2). The bytes follow whatever we answer, so a size that cannot be
 * read ends the connection: nothing could tell content from commands behind it.
 */
enum session_next lmtp_cmd_bdat(struct lmtp_session *s, struct slice args)
{
    struct slice size = slice_cut(&args, ' ');

    args = slice_trim(args);
    s->chunk_last = slice_ieq(args, S("LAST"));
    if (!slice_to_u64(size, &s->chunk_size) || (args.len > 0 && !s->chunk_last)) {
        lmtp_reply(s, "501 5.5.4 BDAT takes a size, and LAST behind the last");
        return lmtp_close(s, "bad chunk");
    }
    s->chunk_left = s->chunk_size;
    s->chunk_refused = !(s->state & (AT_RCPT | AT_CHUNKS));
    if (s->state == AT_RCPT) {
        content_begin(s);
        lmtp_enter(s, AT_CHUNKS);
    }
    if (s->chunk_left == 0)
        return chunk_complete(s);
    s->taking = TAKING_CHUNK;
    return NEXT_READ;
}

size_t lmtp_take(struct lmtp_session *s, struct slice in)
{
    return s->taking == TAKING_DATA ? take_data(s, in) : take_chunk(s, in);
}
