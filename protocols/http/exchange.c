/* exchange.c - one request and its response: the body as it comes, the handler's steps. */
#include "protocols/http/http_int.h"

#include <assert.h>

/* ---- what a handler asks ---- */

const struct http_request *http_request(const struct http_exchange *x)
{
    return &x->rq;
}

struct slice http_field(const struct http_exchange *x, const char *name)
{
    for (size_t i = 0; i < x->rq.n_fields; i++)
        if (slice_ieq(x->rq.fields[i].name, slice_str(name)))
            return x->rq.fields[i].value;
    return SLICE_EMPTY;
}

struct slice http_body(const struct http_exchange *x)
{
    return buf_slice(&x->in);
}

void http_body_used(struct http_exchange *x, size_t n)
{
    buf_consume(&x->in, n);
    if (!x->in.len)
        buf_done(&x->in);
}

bool http_body_ended(const struct http_exchange *x)
{
    return x->ended;
}

void *http_state(struct http_exchange *x)
{
    return x->state;
}

const struct session_env *http_env(const struct http_exchange *x)
{
    return x->session->env;
}

struct arena *http_arena(struct http_exchange *x)
{
    return &x->arena;
}

void http_wake(struct http_exchange *x)
{
    x->due = true;
    x->session->env->host->wake(x->session->env->host);
}

void http_wake_at(struct http_exchange *x, uint64_t mono_ms)
{
    x->wake_at = mono_ms;
}

bool http_client_gone(const struct http_exchange *x)
{
    return x->session->gone;
}

bool http_draining(const struct http_exchange *x)
{
    return x->session->draining;
}

/* ---- life ---- */

void http_exchange_begin(struct http_session *s)
{
    struct http_exchange *x = &s->x;

    *x = (struct http_exchange){
        .session = s,
        .minor = 1, /* until the head says otherwise: what is malformed is answered in 1.1 */
        .wake_at = UINT64_MAX,
        .came = s->env->clock->mono_ms,
        .in = buf_make(HTTP_BODY_HELD),
        .headers = buf_make(HTTP_HEADERS_MAX),
        .out = buf_make(HTTP_OUT_MAX),
    };
}

void http_exchange_admit(struct http_session *s)
{
    struct http_exchange *x = &s->x;

    x->handler = x->route->handler;
    x->state = arena_alloc(&x->arena, x->handler->state_size);
    x->due = true;
    x->next = HTTP_MORE;
}

void http_exchange_release(struct http_exchange *x)
{
    if (x->handler && x->started && x->handler->done)
        x->handler->done(x);
    x->handler = NULL;
    x->due = false;
    x->wake_at = UINT64_MAX;
}

void http_exchange_end(struct http_session *s)
{
    struct http_exchange *x = &s->x;

    http_exchange_release(x);
    arena_wipe(&x->arena);
    buf_wipe(&x->in);
    buf_done(&x->headers);
    buf_done(&x->out);
    buf_wipe(&s->head); /* it may have held a secret */
    s->collector = (struct http_collector){0};
}

/* ---- the request's body ---- */

static size_t feed_length(struct http_exchange *x, struct slice in)
{
    struct slice some = slice_head(in, buf_room(&x->in));

    some = slice_head(some, x->left < some.len ? (size_t)x->left : some.len);
    buf_put(&x->in, some);
    x->left -= some.len;
    x->ended = x->left == 0;
    return some.len;
}

static size_t feed_chunks(struct http_session *s, struct slice in)
{
    const struct session_limits *limits = s->env->limits;
    struct http_exchange *x = &s->x;
    struct slice rest = in;

    s->fault = http_chunks_take(&x->chunks, &rest, buf_room(&x->in),
                                http_limit(limits->max_request_body, HTTP_DEFAULT_BODY),
                                http_limit(limits->max_request_head, HTTP_DEFAULT_HEAD), &x->in);
    x->ended = x->chunks.state == CHUNK_END;
    return in.len - rest.len;
}

size_t http_exchange_feed(struct http_session *s, struct slice in)
{
    struct http_exchange *x = &s->x;
    size_t before = x->in.len;

    if (x->ended || s->fault)
        return 0;
    size_t used = x->rq.chunked ? feed_chunks(s, in) : feed_length(x, in);
    if (used)
        x->came = s->env->clock->mono_ms;
    if (x->next == HTTP_MORE && (x->in.len != before || x->ended))
        x->due = true;
    return used;
}

/* ---- steps ---- */

/* RFC 9110 10.1.1: the handler wants the body, and the client waits to be asked for it. */
static void say_continue(struct http_exchange *x, struct buf *out)
{
    if (!x->expects || x->status || x->next != HTTP_MORE)
        return;
    x->expects = false;
    x->came = x->session->env->clock->mono_ms;
    if (!x->in.len)
        buf_puts(out, "HTTP/1.1 100 Continue\r\n\r\n");
}

static void step(struct http_exchange *x)
{
    size_t had = x->in.len;

    x->due = false;
    x->started = true;
    if (x->wake_at <= x->session->env->clock->mono_ms)
        x->wake_at = UINT64_MAX;
    x->next = x->handler->step(x);
    assert(x->status || x->next != HTTP_DONE);
    /* It went on: it may go on again, with what is left or what there is room for now. */
    if (x->next == HTTP_MORE && (x->out.len || x->in.len != had))
        x->due = true;
    if (x->out.failed || x->headers.failed)
        x->next = HTTP_ABORT;
}

/* Bytes came that are no body: an answer to that, where none has been begun. */
static void answer_fault(struct http_session *s)
{
    struct http_exchange *x = &s->x;

    s->close = true;
    x->next = HTTP_ABORT;
    if (x->head_sent || x->refused)
        return;
    http_exchange_release(x);
    x->status = 0;
    x->has_length = false;
    buf_clear(&x->headers);
    buf_clear(&x->out);
    x->next = http_refuse(x, s->fault);
    x->refused = true;
}

static enum session_next cut_off(struct http_session *s)
{
    if (!s->env->summary->end)
        s->env->summary->end = "aborted";
    return NEXT_CLOSE;
}

/* Whole, and as long as it said: anything else would look like the next response's beginning. */
static bool is_whole(const struct http_exchange *x)
{
    return x->rq.head_only || x->status == 204 || !x->has_length || x->put == x->length;
}

/* Nothing can go on now. Whoever has gone sends no more, but may read an answer still. */
static enum session_next wait(struct http_session *s, struct buf *out)
{
    say_continue(&s->x, out);
    if (!s->gone)
        return NEXT_READ;
    return s->x.next == HTTP_MORE ? cut_off(s) : NEXT_WAIT;
}

bool http_exchange_run(struct http_session *s, struct buf *out, size_t high,
                       enum session_next *next)
{
    struct http_exchange *x = &s->x;

    for (;;) {
        if (s->fault && !x->refused)
            answer_fault(s);
        *next = NEXT_PULL;
        if (x->next != HTTP_ABORT && x->status && !http_reply_pump(x, out, high))
            return false;
        if (x->next == HTTP_DONE && is_whole(x))
            return true;
        if (x->next == HTTP_DONE || x->next == HTTP_ABORT)
            *next = cut_off(s);
        else if (!x->due)
            *next = wait(s, out);
        else if (out->len < high) {
            step(x);
            continue;
        }
        return false;
    }
}

uint64_t http_exchange_deadline(const struct http_session *s)
{
    const struct http_exchange *x = &s->x;
    uint64_t body =
        x->came + http_limit(s->env->limits->request_timeout_ms, HTTP_DEFAULT_TIMEOUT_MS);

    if (x->next == HTTP_MORE && !x->ended && body < x->wake_at)
        return body;
    return x->wake_at;
}
