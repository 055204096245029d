/* session.c - what the driver sees of an HTTP session. */
#include "base/mem.h"
#include "protocols/http/http_int.h"

/* ---- input ---- */

/* A body that nobody wants, or no more: read, so that the next request can be found. */
static size_t feed_skip(struct http_session *s, struct slice in)
{
    size_t used = http_exchange_feed(s, slice_head(in, HTTP_BODY_HELD));

    buf_clear(&s->x.in);
    s->skipped += used;
    return used;
}

static size_t feed(struct http_session *s, struct slice in)
{
    if (s->state == AT_HEAD && !s->collector.complete)
        return http_head_feed(s, in);
    if (s->state == AT_WORK)
        return http_exchange_feed(s, in);
    return s->state == AT_SKIP ? feed_skip(s, in) : 0;
}

static size_t http_feed(struct session *base, struct slice in)
{
    struct http_session *s = (struct http_session *)base;
    size_t used = s->state != AT_END && !s->fault ? feed(s, in) : in.len;

    /* Behind the end, or behind what makes no sense, nobody reads. */
    if (s->fault)
        used = in.len;
    s->held = used < in.len;
    return used;
}

/* ---- from request to request ---- */

static enum session_next end(struct http_session *s, const char *why)
{
    if (!s->env->summary->end)
        s->env->summary->end = why;
    s->state = AT_END;
    return NEXT_CLOSE;
}

/* Refused before there was a handler: the answer is in the exchange. */
static void refuse(struct http_session *s, unsigned status)
{
    s->x.next = http_refuse(&s->x, status);
    s->x.refused = true;
    s->close = true;
    s->state = AT_WORK;
}

static void pass_gate(struct http_session *s, enum http_gate gate)
{
    if (gate == GATE_WAIT) {
        s->state = AT_ACCESS;
        return;
    }
    s->state = AT_WORK;
    if (gate == GATE_OPEN)
        http_exchange_admit(s);
}

static void begin(struct http_session *s)
{
    http_exchange_begin(s);
    unsigned wrong = s->fault ? s->fault : http_head_parse(s);
    s->env->summary->commands++;
    if (wrong)
        refuse(s, wrong);
    else
        pass_gate(s, http_access_begin(s));
}

static enum session_next at_head(struct http_session *s, bool *more)
{
    if (!s->collector.complete && !s->fault) {
        if (s->gone)
            return end(s, "lost");
        return s->draining && s->head.len == 0 ? end(s, "shutdown") : NEXT_READ;
    }
    begin(s);
    *more = true;
    return NEXT_READ;
}

static enum session_next at_access(struct http_session *s, bool *more)
{
    if (!s->attempt_done)
        return NEXT_WAIT;
    pass_gate(s, http_access_decide(s));
    *more = true;
    return NEXT_READ;
}

static void log_exchange(const struct http_session *s)
{
    const struct http_exchange *x = &s->x;

    if (!s->env->log || s->env->log->least > LOG_LEVEL_DEBUG)
        return;
    log_event(s->env->log, LOG_LEVEL_DEBUG, "http.request",
              log_str("session", s->env->peer->session_id), log_text("path", x->rq.path),
              log_number("status", x->status), log_number("bytes", (int64_t)x->put));
}

/* The response is whole. What is left of the body goes by, if it is worth it. */
static void answered(struct http_session *s)
{
    struct http_exchange *x = &s->x;

    log_exchange(s);
    http_exchange_release(x);
    /* A client that was not told to go on may send the body or not (RFC 9110 10.1.1). */
    s->close = s->close || s->draining || s->gone || (!x->ended && (x->expects || s->fault)) ||
               x->left > HTTP_SKIP_MOST;
    s->active = s->env->clock->mono_ms;
    s->skipped = 0;
    s->state = s->close ? AT_END : AT_SKIP;
}

static enum session_next at_work(struct http_session *s, struct buf *out, size_t high, bool *more)
{
    enum session_next next;

    *more = http_exchange_run(s, out, high, &next);
    if (*more)
        answered(s);
    else if (next == NEXT_CLOSE)
        s->state = AT_END;
    return next;
}

static enum session_next at_skip(struct http_session *s, bool *more)
{
    if (s->fault || s->skipped > HTTP_SKIP_MOST || (s->gone && !s->x.ended))
        return end(s, s->gone ? "lost" : "bad request");
    if (!s->x.ended)
        return NEXT_READ;
    http_exchange_end(s);
    s->state = AT_HEAD;
    *more = true;
    return NEXT_READ;
}

/* ---- the driver's calls ---- */

static enum session_next run(struct http_session *s, struct buf *out, size_t high)
{
    enum session_next next;
    bool more;

    do {
        more = false;
        switch (s->state) {
        case AT_HEAD:
            next = at_head(s, &more);
            break;
        case AT_ACCESS:
            next = at_access(s, &more);
            break;
        case AT_WORK:
            next = at_work(s, out, high, &more);
            break;
        case AT_SKIP:
            next = at_skip(s, &more);
            break;
        default:
            next = end(s, s->gone ? "lost" : "closed");
            break;
        }
    } while (more);
    return next;
}

static bool takes_input(const struct http_session *s)
{
    if (s->state == AT_HEAD)
        return !s->collector.complete;
    return !s->x.ended && (s->state == AT_SKIP || buf_room(&s->x.in) > 0);
}

/*
 * While an answer is waited for, input means at most that the client has gone, so the driver goes
 * on reading; but not further than what it holds already and cannot be used before the answer.
 */
static enum session_next http_pull(struct session *base, struct buf *out, size_t room)
{
    struct http_session *s = (struct http_session *)base;
    enum session_next next = run(s, out, out->len + (room ? room : 1));

    if (next != NEXT_READ || !s->held)
        return next;
    if (!takes_input(s))
        return NEXT_WAIT;
    s->held = false;
    return NEXT_PULL; /* to be fed again */
}

static uint64_t deadline(const struct http_session *s)
{
    const struct session_limits *limits = s->env->limits;
    uint64_t request = http_limit(limits->request_timeout_ms, HTTP_DEFAULT_TIMEOUT_MS);

    switch (s->state) {
    case AT_HEAD:
        return s->active +
               (s->head.len ? request : http_limit(limits->idle_timeout_ms, HTTP_DEFAULT_IDLE_MS));
    case AT_SKIP:
        return s->active + request;
    case AT_WORK:
        return http_exchange_deadline(s);
    default:
        return UINT64_MAX;
    }
}

/* A request that does not come to its end is told so; a connection that is idle is not. */
static void time_is_up(struct http_session *s)
{
    struct http_exchange *x = &s->x;
    bool in_work = s->state == AT_WORK;

    if (in_work && x->wake_at <= s->env->clock->mono_ms) {
        x->due = true;
    } else if (s->state == AT_SKIP || (!in_work && s->head.len == 0)) {
        end(s, "timeout");
    } else {
        s->fault = 408;
        s->env->summary->end = "timeout";
    }
    s->env->host->wake(s->env->host);
}

static uint64_t http_tick(struct session *base)
{
    struct http_session *s = (struct http_session *)base;

    if (s->env->clock->mono_ms < deadline(s))
        return deadline(s);
    time_is_up(s);
    return s->env->clock->mono_ms + 1; /* by then it was pulled */
}

static void http_tls_started(struct session *base)
{
    (void)base;
}

static void http_closed(struct session *base)
{
    struct http_session *s = (struct http_session *)base;

    s->gone = true;
    s->x.due = s->state == AT_WORK && !s->x.refused;
}

static void http_drain(struct session *base)
{
    struct http_session *s = (struct http_session *)base;

    s->draining = true;
    if (s->state == AT_WORK && !s->x.refused)
        s->x.due = true;
    if (s->state == AT_WORK && !s->x.head_sent)
        s->close = true;
    s->env->host->wake(s->env->host);
}

static void http_free(struct session *base)
{
    struct http_session *s = (struct http_session *)base;

    http_exchange_end(s);
    http_access_done(s);
    free(s);
}

struct session *http_session_new(const struct session_env *env, const struct http_site *site)
{
    static const struct session_ops ops = {
        .name = "http",
        .feed = http_feed,
        .pull = http_pull,
        .tick = http_tick,
        .tls_started = http_tls_started,
        .closed = http_closed,
        .drain = http_drain,
        .free = http_free,
    };
    struct http_session *s = mem_new(sizeof *s);

    s->base.ops = &ops;
    s->env = env;
    s->site = site;
    s->head = buf_make(SIZE_MAX / 2); /* http_head_feed() keeps to the limits */
    s->active = env->clock->mono_ms;
    http_exchange_begin(s);
    return &s->base;
}
