/* session.c - what the driver sees of an LMTP session. */
#include "base/mem.h"
#include "protocols/lmtp/lmtp_int.h"

#include <assert.h>

enum {
    DEFAULT_MAX_BAD = 3,
    DEFAULT_HELLO_TIMEOUT_MS = 60 * 1000,
    DEFAULT_IDLE_TIMEOUT_MS = 5 * 60 * 1000, /* RFC 5321 4.5.3.2.7: no less */
    WAITING_CHECK_MS = 1000,
};

static const uint64_t default_max_message = 64ull << 20;

static uint64_t limit(uint64_t configured, uint64_t otherwise)
{
    return configured ? configured : otherwise;
}

uint64_t lmtp_max_message(const struct lmtp_session *s)
{
    return limit(s->env->limits->max_message, default_max_message);
}

/* ---- states ---- */

#define IN_TRANSACTION (AT_MAIL | AT_RCPT | AT_CHUNKS)

static bool may_enter(enum lmtp_state from, enum lmtp_state to)
{
    static const struct {
        enum lmtp_state from;
        unsigned to;
    } transitions[] = {
        {AT_START, AT_START | AT_READY | AT_END},
        {AT_READY, AT_START | AT_READY | AT_MAIL | AT_END},
        {AT_MAIL, AT_READY | AT_RCPT | AT_END},
        {AT_RCPT, AT_READY | AT_CHUNKS | AT_END},
        {AT_CHUNKS, AT_READY | AT_END},
        {AT_END, AT_END},
    };

    for (size_t i = 0; i < sizeof transitions / sizeof *transitions; i++)
        if (transitions[i].from == from)
            return transitions[i].to & to;
    return false;
}

void lmtp_enter(struct lmtp_session *s, enum lmtp_state state)
{
    assert(may_enter(s->state, state));
    if (s->env->log && s->env->log->least <= LOG_LEVEL_DEBUG)
        log_event(s->env->log, LOG_LEVEL_DEBUG, "lmtp.state",
                  log_str("session", s->env->peer->session_id), log_number("from", s->state),
                  log_number("to", state));
    s->state = state;
    if (state & IN_TRANSACTION)
        return;
    lmtp_transaction_release(s->transaction);
    s->transaction = NULL;
    s->opening = NULL;
    if (state == AT_END)
        line_wipe_all(&s->lines);
}

enum session_next lmtp_close(struct lmtp_session *s, const char *why)
{
    if (!s->env->summary->end)
        s->env->summary->end = why;
    lmtp_enter(s, AT_END);
    return NEXT_CLOSE;
}

/* ---- replies ---- */

enum session_next lmtp_reply(struct lmtp_session *s, const char *line)
{
    buf_puts(s->out, line);
    buf_puts(s->out, "\r\n");
    return NEXT_READ;
}

enum session_next lmtp_bad(struct lmtp_session *s, const char *line)
{
    uint64_t most = s->state == AT_START
                        ? limit(s->env->limits->max_bad_before_logon, DEFAULT_MAX_BAD)
                        : LMTP_MAX_BAD;

    lmtp_reply(s, line);
    if (++s->bad < most)
        return NEXT_READ;
    lmtp_reply(s, "421 4.7.0 Too many commands that make no sense");
    return lmtp_close(s, "too many bad commands");
}

/* ---- waiting ---- */

enum session_next lmtp_wait(struct lmtp_session *s, lmtp_step *then)
{
    s->waiting = true;
    s->resume = then;
    return NEXT_WAIT;
}

void lmtp_wake(struct lmtp_session *s)
{
    s->waiting = false;
    s->env->host->wake(s->env->host);
}

/* ---- the driver's calls ---- */

static size_t lmtp_feed(struct session *base, struct slice in)
{
    struct lmtp_session *s = (struct lmtp_session *)base;

    if (s->tls_pending || s->state == AT_END)
        return in.len; /* in clear behind STARTTLS, or behind the end: nobody reads it */
    s->active = s->env->clock->mono_ms;
    /* Content goes straight to the spool, unless some of it still waits behind its command. */
    if (s->taking != TAKING_COMMANDS && line_rest(&s->lines).len == 0)
        return lmtp_take(s, in);
    return line_feed(&s->lines, in);
}

static enum session_next farewell(struct lmtp_session *s)
{
    if (s->timed_out) {
        lmtp_reply(s, "421 4.4.2 Timeout");
        return lmtp_close(s, "timeout");
    }
    lmtp_reply(s, "421 4.3.2 The server is shutting down");
    return lmtp_close(s, "shutdown");
}

/* One step: go on with what was begun, take content, or take the next line. */
static enum session_next step(struct lmtp_session *s, bool *idle)
{
    struct slice line;

    if (s->resume) {
        lmtp_step *resume = s->resume;

        s->resume = NULL;
        return resume(s);
    }
    if (s->taking != TAKING_COMMANDS && !s->timed_out) {
        struct slice rest = line_rest(&s->lines);

        *idle = rest.len == 0;
        if (!*idle)
            line_skip(&s->lines, lmtp_take(s, rest));
        return NEXT_READ;
    }
    /* Who has begun a transaction may finish it: else all of it would come again. */
    if (s->timed_out || (s->draining && !s->transaction))
        return farewell(s);
    switch (line_next(&s->lines, &line)) {
    case LINE_NONE:
        *idle = true;
        return NEXT_READ;
    case LINE_TOO_LONG:
        return lmtp_bad(s, "500 5.5.2 The line is too long");
    case LINE_READY:
        break;
    }
    return lmtp_run(s, line);
}

static enum session_next run(struct lmtp_session *s)
{
    enum session_next next = NEXT_READ;
    bool idle = false;

    if (s->state == AT_END)
        return NEXT_CLOSE;
    if (s->waiting || s->tls_pending)
        return NEXT_WAIT;
    if (!s->greeted) {
        s->greeted = true;
        buf_printf(s->out, "220 %s LMTP Gatepost ready", s->env->host_name);
        session_put_instance(s->env, s->out);
        buf_puts(s->out, "\r\n");
    }
    while (next == NEXT_READ && !idle) {
        if (!lmtp_has_room(s))
            return NEXT_PULL;
        next = step(s, &idle);
    }
    return next;
}

static enum session_next lmtp_pull(struct session *base, struct buf *out, size_t room)
{
    struct lmtp_session *s = (struct lmtp_session *)base;
    size_t before = out->len;

    s->out = out;
    s->high = out->len + (room ? room : 1);
    enum session_next next = run(s);
    s->out = NULL;
    if (out->len != before)
        s->active = s->env->clock->mono_ms;
    line_relax(&s->lines);
    return next;
}

static uint64_t deadline(const struct lmtp_session *s)
{
    const struct session_limits *limits = s->env->limits;
    uint64_t idle = s->active + limit(limits->idle_timeout_ms, DEFAULT_IDLE_TIMEOUT_MS);
    uint64_t hello = s->started + limit(limits->logon_timeout_ms, DEFAULT_HELLO_TIMEOUT_MS);

    return s->state == AT_START && hello < idle ? hello : idle;
}

static uint64_t lmtp_tick(struct session *base)
{
    struct lmtp_session *s = (struct lmtp_session *)base;
    uint64_t now = s->env->clock->mono_ms;

    if (s->state == AT_END || s->timed_out)
        return UINT64_MAX;
    if (s->waiting)
        return now + WAITING_CHECK_MS; /* for us, not for the client */
    if (now < deadline(s))
        return deadline(s);
    s->timed_out = true;
    s->env->host->wake(s->env->host);
    return UINT64_MAX;
}

static void lmtp_tls_started(struct session *base)
{
    struct lmtp_session *s = (struct lmtp_session *)base;

    s->tls_pending = false;
}

static void lmtp_closed(struct session *base)
{
    lmtp_close((struct lmtp_session *)base, "lost");
}

static void lmtp_drain(struct session *base)
{
    struct lmtp_session *s = (struct lmtp_session *)base;

    s->draining = true;
    s->env->host->wake(s->env->host);
}

static void lmtp_free(struct session *base)
{
    struct lmtp_session *s = (struct lmtp_session *)base;

    lmtp_transaction_release(s->transaction);
    buf_done(&s->lhlo);
    line_done(&s->lines);
    free(s);
}

static const struct session_ops lmtp_ops = {
    .name = "lmtp",
    .feed = lmtp_feed,
    .pull = lmtp_pull,
    .tick = lmtp_tick,
    .tls_started = lmtp_tls_started,
    .closed = lmtp_closed,
    .drain = lmtp_drain,
    .free = lmtp_free,
};

struct session *lmtp_session_new(const struct session_env *env)
{
    struct lmtp_session *s = mem_new(sizeof *s);

    s->base.ops = &lmtp_ops;
    s->env = env;
    s->state = AT_START;
    s->started = s->active = env->clock->mono_ms;
    s->lhlo = buf_make(LMTP_MAX_LINE);
    line_init(&s->lines, LMTP_MAX_LINE);
    return &s->base;
}
