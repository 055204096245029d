/* session.c - what the driver sees of a POP3 session. */
#include "base/mem.h"
#include "protocols/answers.h"
#include "protocols/pop3/pop3_int.h"

#include <assert.h>

enum {
    DEFAULT_MAX_BAD = 3,
    DEFAULT_LOGON_TIMEOUT_MS = 60 * 1000,
    DEFAULT_IDLE_TIMEOUT_MS = 10 * 60 * 1000, /* RFC 1939 3: no less */
    WAITING_CHECK_MS = 1000,
    /*
     * AUTH with the longest initial response; SASL lines and PASS are shorter. With a name this
     * is all that a client can make us keep before log-on: less than 12 KiB.
     */
    MAX_LINE = AUTH_MAX_LINE + 64,
};

/* ---- states ---- */

static const char *state_name(enum pop3_state state)
{
    switch (state) {
    case IN_AUTH:
        return "authorization";
    case IN_TRANS:
        return "transaction";
    case IN_UPDATE:
        return "update";
    case IN_END:
        return "end";
    }
    return "?";
}

/* RFC 1939 3: forwards only, and to UPDATE from TRANSACTION alone. */
static bool may_enter(enum pop3_state from, enum pop3_state to)
{
    static const struct {
        enum pop3_state from;
        unsigned to;
    } transitions[] = {
        {IN_AUTH, IN_TRANS | IN_END},
        {IN_TRANS, IN_UPDATE | IN_END},
        {IN_UPDATE, IN_END},
        {IN_END, IN_END},
    };

    for (size_t i = 0; i < sizeof transitions / sizeof *transitions; i++)
        if (transitions[i].from == from)
            return transitions[i].to & to;
    return false;
}

void pop3_enter(struct pop3_session *s, enum pop3_state state)
{
    assert(may_enter(s->state, state));
    if (s->env->log && s->env->log->least <= LOG_LEVEL_DEBUG)
        log_event(s->env->log, LOG_LEVEL_DEBUG, "pop3.state",
                  log_str("session", s->env->peer->session_id),
                  log_str("from", state_name(s->state)), log_str("to", state_name(state)));
    s->state = state;
    if (state == IN_END)
        line_wipe_all(&s->lines);
}

enum session_next pop3_close(struct pop3_session *s, const char *why)
{
    if (!s->env->summary->end)
        s->env->summary->end = why;
    pop3_enter(s, IN_END);
    return NEXT_CLOSE;
}

/* ---- answers ---- */

static enum session_next answer(struct pop3_session *s, const char *status, const char *text)
{
    buf_puts(s->out, status);
    buf_puts(s->out, text);
    buf_puts(s->out, "\r\n");
    return NEXT_READ;
}

enum session_next pop3_ok(struct pop3_session *s, const char *text)
{
    return answer(s, "+OK ", text);
}

enum session_next pop3_err(struct pop3_session *s, const char *text)
{
    return answer(s, "-ERR ", text);
}

enum session_next pop3_store_err(struct pop3_session *s, struct err e)
{
    if (e.code != ERR_NOT_FOUND)
        log_event(s->env->log, LOG_LEVEL_ERROR, "pop3.store",
                  log_str("session", s->env->peer->session_id), log_str("error", err_name(e.code)),
                  log_str("why", e.why));
    return pop3_err(s, answer_err(e.code)->pop3);
}

enum session_next pop3_bad(struct pop3_session *s, const char *text)
{
    pop3_err(s, text);
    if (s->state == IN_AUTH &&
        ++s->bad >= pop3_limit(s->env->limits->max_bad_before_logon, DEFAULT_MAX_BAD))
        return pop3_close(s, "too many bad commands");
    return NEXT_READ;
}

/* ---- waiting ---- */

enum session_next pop3_wait(struct pop3_session *s, pop3_step *then)
{
    s->waiting = true;
    s->resume = then;
    return NEXT_WAIT;
}

void pop3_wake(struct pop3_session *s)
{
    s->waiting = false;
    s->env->host->wake(s->env->host);
}

/* ---- the driver's calls ---- */

static size_t pop3_feed(struct session *base, struct slice in)
{
    struct pop3_session *s = (struct pop3_session *)base;

    if (s->tls_pending || s->state == IN_END)
        return in.len; /* in clear behind STLS, or behind the end: nobody reads it */
    s->active = s->env->clock->mono_ms;
    return line_feed(&s->lines, in);
}

static enum session_next long_line(struct pop3_session *s)
{
    if (!s->on_line)
        return pop3_bad(s, "The line is too long");
    /* No base64 at all, so that auth finds the exchange malformed and records it. */
    enum session_next (*on_line)(struct pop3_session *, struct slice) = s->on_line;

    s->on_line = NULL;
    return on_line(s, S("!"));
}

static enum session_next one_line(struct pop3_session *s, struct slice line)
{
    bool may_be_secret = s->state == IN_AUTH;
    enum session_next next;

    if (s->on_line) {
        enum session_next (*on_line)(struct pop3_session *, struct slice) = s->on_line;

        s->on_line = NULL;
        next = on_line(s, line);
    } else {
        next = pop3_run(s, line);
    }
    /* STLS and the end have wiped everything already. */
    if (may_be_secret && s->lines.in.data)
        line_wipe(&s->lines, line);
    return next;
}

static enum session_next shut_down(struct pop3_session *s)
{
    return pop3_close(s, "shutdown");
}

/* One step: go on with what was begun, or take the next line. */
static enum session_next step(struct pop3_session *s, bool *idle)
{
    struct slice line;

    if (s->resume) {
        pop3_step *resume = s->resume;

        s->resume = NULL;
        return resume(s);
    }
    switch (line_next(&s->lines, &line)) {
    case LINE_NONE:
        *idle = true;
        return s->draining ? shut_down(s) : NEXT_READ;
    case LINE_TOO_LONG:
        return long_line(s);
    case LINE_READY:
        break;
    }
    if (s->draining) {
        pop3_err(s, "[SYS/TEMP] The server is shutting down, try again later");
        return shut_down(s);
    }
    return one_line(s, line);
}

static enum session_next run(struct pop3_session *s)
{
    enum session_next next = NEXT_READ;
    bool idle = false;

    if (s->state == IN_END)
        return NEXT_CLOSE;
    if (s->waiting || s->tls_pending)
        return NEXT_WAIT;
    if (!s->greeted) {
        /* No "<...>": it would promise APOP (RFC 1939 7). */
        s->greeted = true;
        buf_puts(s->out, "+OK Gatepost POP3 ready");
        session_put_instance(s->env, s->out);
        buf_puts(s->out, "\r\n");
    }
    while (next == NEXT_READ && !idle) {
        if (pop3_room(s) == 0)
            return NEXT_PULL;
        next = step(s, &idle);
    }
    return next;
}

static enum session_next pop3_pull(struct session *base, struct buf *out, size_t room)
{
    struct pop3_session *s = (struct pop3_session *)base;
    size_t before = out->len;

    s->out = out;
    s->high = out->len + (room ? room : 1);
    enum session_next next = run(s);
    pop3_read_end(s);
    s->out = NULL;
    if (out->len != before)
        s->active = s->env->clock->mono_ms;
    line_relax(&s->lines);
    return next;
}

static uint64_t deadline(const struct pop3_session *s)
{
    const struct session_limits *limits = s->env->limits;
    uint64_t idle = s->active + pop3_limit(limits->idle_timeout_ms, DEFAULT_IDLE_TIMEOUT_MS);
    uint64_t logon = s->started + pop3_limit(limits->logon_timeout_ms, DEFAULT_LOGON_TIMEOUT_MS);

    return s->state == IN_AUTH && logon < idle ? logon : idle;
}

/* Autologout (RFC 1939 3): nothing is removed and nothing is said. */
static uint64_t pop3_tick(struct session *base)
{
    struct pop3_session *s = (struct pop3_session *)base;
    uint64_t now = s->env->clock->mono_ms;

    if (s->state == IN_END)
        return UINT64_MAX;
    if (s->waiting)
        return now + WAITING_CHECK_MS; /* for us, not for the client */
    if (now < deadline(s))
        return deadline(s);
    pop3_close(s, "timeout");
    s->env->host->wake(s->env->host);
    return UINT64_MAX;
}

static void pop3_tls_started(struct session *base)
{
    struct pop3_session *s = (struct pop3_session *)base;

    s->tls_pending = false;
}

static void pop3_closed(struct session *base)
{
    pop3_close((struct pop3_session *)base, "lost");
}

static void pop3_drain(struct session *base)
{
    struct pop3_session *s = (struct pop3_session *)base;

    s->draining = true;
    s->env->host->wake(s->env->host);
}

static void pop3_free(struct session *base)
{
    struct pop3_session *s = (struct pop3_session *)base;

    pop3_logon_done(s);
    pop3_sending_done(s);
    pop3_update_done(s);
    pop3_maildrop_close(s);
    line_done(&s->lines);
    free(s);
}

static const struct session_ops pop3_ops = {
    .name = "pop3",
    .feed = pop3_feed,
    .pull = pop3_pull,
    .tick = pop3_tick,
    .tls_started = pop3_tls_started,
    .closed = pop3_closed,
    .drain = pop3_drain,
    .free = pop3_free,
};

struct session *pop3_session_new(const struct session_env *env)
{
    struct pop3_session *s = mem_new(sizeof *s);

    s->base.ops = &pop3_ops;
    s->env = env;
    s->state = IN_AUTH;
    s->started = s->active = env->clock->mono_ms;
    s->name = buf_make(POP3_MAX_NAME);
    line_init(&s->lines, MAX_LINE);
    return &s->base;
}
