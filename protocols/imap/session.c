#include "protocols/imap/imap.h"

#include "base/mem.h"
#include "protocols/imap/command.h"
#include "protocols/imap/life.h"
#include "protocols/imap/logon.h"
#include "protocols/imap/reader.h"

enum {
    LOGON_TIMEOUT_MS = 60 * 1000,
    IDLE_TIMEOUT_MS = 30 * 60 * 1000, /* RFC 9051 5.4: at least that */
    MAX_BAD_BEFORE_LOGON = 3,
};

static struct imap_session *of(struct session *base)
{
    return (struct imap_session *)base;
}

static uint64_t now(const struct imap_session *s)
{
    return s->env->clock->mono_ms;
}

uint64_t imap_max_message(const struct imap_session *s)
{
    uint64_t max = s->env->limits->max_message;

    return max ? max : 64ull << 20;
}

/* ---- states ---- */

static const char *state_name(enum imap_state state)
{
    return state == STATE_NOT_AUTHENTICATED ? "not-authenticated"
           : state == STATE_AUTHENTICATED   ? "authenticated"
           : state == STATE_SELECTED        ? "selected"
                                            : "logout";
}

/* RFC 9051 3: which states may follow. */
static bool may_follow(enum imap_state from, enum imap_state to)
{
    switch (from) {
    case STATE_NOT_AUTHENTICATED:
        return to == STATE_AUTHENTICATED || to == STATE_LOGOUT;
    case STATE_AUTHENTICATED:
    case STATE_SELECTED:
        return to != STATE_NOT_AUTHENTICATED;
    default:
        return false;
    }
}

void imap_enter(struct imap_session *s, enum imap_state state)
{
    if (s->state == STATE_SELECTED)
        imap_unselect(s);
    if (s->state == state)
        return;
    if (!may_follow(s->state, state))
        abort();
    log_event(s->env->log, LOG_LEVEL_DEBUG, "imap.state",
              log_str("session", s->env->peer->session_id), log_str("from", state_name(s->state)),
              log_str("to", state_name(state)));
    s->state = state;
}

static void set_deadline(struct imap_session *s)
{
    uint64_t given = s->env->limits->idle_timeout_ms;

    if (s->state != STATE_NOT_AUTHENTICATED)
        s->deadline = now(s) + (given ? given : IDLE_TIMEOUT_MS);
}

static void note_end(struct imap_session *s, const char *end)
{
    if (!s->env->summary->end)
        s->env->summary->end = end;
}

void imap_bye(struct imap_session *s, const char *why)
{
    if (!s->bye)
        s->bye = why;
    s->env->host->wake(s->env->host);
}

void imap_wake(struct imap_session *s)
{
    if (s->cmd && s->cmd->phase == PHASE_WAIT)
        s->cmd->phase = PHASE_MORE;
    s->env->host->wake(s->env->host);
}

/* ---- pull: what comes next ---- */

static void greet(struct imap_session *s)
{
    s->greeted = true;
    buf_puts(s->out, "* OK [CAPABILITY ");
    imap_put_capabilities(s, s->out);
    buf_printf(s->out, "] %s Gatepost ready", s->env->host_name);
    session_put_instance(s->env, s->out);
    buf_puts(s->out, "\r\n");
}

static enum session_next close_with(struct imap_session *s, const char *why, const char *end)
{
    note_end(s, end);
    buf_printf(s->out, "* BYE %s\r\n", why);
    imap_cmd_end(s);
    imap_enter(s, STATE_LOGOUT);
    return NEXT_CLOSE;
}

/* A command that waits for the client can be left; one that is at work cannot. */
static bool may_leave(const struct imap_session *s)
{
    return !s->cmd ||
           ((s->cmd->phase == PHASE_READ || s->cmd->phase == PHASE_LINE) && !s->cmd->mid_line);
}

/* Has somebody decided that this ends here? */
static bool is_over(struct imap_session *s, enum session_next *next)
{
    if (s->state == STATE_LOGOUT) {
        *next = NEXT_CLOSE;
        return true;
    }
    if (!may_leave(s))
        return false;
    if (s->bye)
        *next = close_with(s, s->bye, "refused");
    else if (s->draining)
        *next = close_with(s, "[UNAVAILABLE] The server is going down", "shutdown");
    else
        return false;
    return true;
}

static unsigned max_bad(const struct imap_session *s)
{
    unsigned max = s->env->limits->max_bad_before_logon;

    return max ? max : MAX_BAD_BEFORE_LOGON;
}

/* In the middle of an answer that cannot be ended: see imap_break(). */
static enum session_next break_off(struct imap_session *s)
{
    note_end(s, "damaged");
    imap_cmd_end(s);
    imap_enter(s, STATE_LOGOUT);
    return NEXT_CLOSE;
}

/* After the tagged line. */
static enum session_next finish(struct imap_session *s)
{
    struct imap_cmd *c = s->cmd;
    enum session_next after = c->after;

    imap_put_tagged(s, c);
    s->env->summary->commands++;
    if (c->status == IMAP_BAD && s->state == STATE_NOT_AUTHENTICATED && ++s->bad >= max_bad(s))
        imap_bye(s, "Too many bad commands");
    imap_cmd_end(s);
    imap_reader_reset(s);
    set_deadline(s);
    switch (after) {
    case NEXT_TLS:
        s->tls_pending = true;
        break;
    case NEXT_COMPRESS:
        s->compressed = true;
        break;
    case NEXT_CLOSE:
        imap_enter(s, STATE_LOGOUT);
        break;
    default:
        break;
    }
    return after;
}

static bool tells_changes(const struct imap_session *s, const struct imap_cmd *c)
{
    return s->selected && c->def && !(c->def->flags & CMD_NO_SYNC) && c->status != IMAP_BAD;
}

/* Tell what changed; true when there is nothing more to tell. */
static bool sync_told(struct imap_session *s)
{
    struct imap_cmd *c = s->cmd;
    bool complete = true;

    if (!tells_changes(s, c))
        return true;
    struct err e = imap_sync(s, !(c->def->flags & CMD_NO_EXPUNGE), &complete);
    /* The command itself was done; it will be tried again after the next. */
    if (failed(e))
        log_event(s->env->log, LOG_LEVEL_ERROR, "imap.sync",
                  log_str("session", s->env->peer->session_id), log_str("error", err_name(e.code)),
                  log_str("why", e.why));
    return failed(e) || complete;
}

static enum imap_step call_line(struct imap_session *s, struct imap_cmd *c)
{
    struct buf line = s->reader->line;

    s->reader->line = buf_make(0);
    struct slice text = slice_head(buf_slice(&line), line.len - 1);
    if (text.len && text.ptr[text.len - 1] == '\r')
        text.len--;
    enum imap_step step = c->line(s, c, text);
    buf_wipe(&line);
    return step;
}

static void stepped(struct imap_cmd *c, enum imap_step step)
{
    static const enum imap_phase phases[] = {
        [STEP_DONE] = PHASE_SYNC,
        [STEP_MORE] = PHASE_MORE,
        [STEP_WAIT] = PHASE_WAIT,
        [STEP_READ] = PHASE_LINE,
    };

    c->phase = phases[step];
}

/* One step of the command; true when the pull ends here, with *next. */
static bool run_step(struct imap_session *s, struct imap_cmd *c, enum session_next *next)
{
    *next = NEXT_READ;
    switch (c->phase) {
    case PHASE_START:
        stepped(c, c->def->handler(s, c));
        break;
    case PHASE_MORE:
        stepped(c, c->resume(s, c));
        break;
    case PHASE_LINED:
        stepped(c, call_line(s, c));
        break;
    case PHASE_WAIT:
        *next = NEXT_WAIT;
        return true;
    case PHASE_LINE:
        if (!s->changed || !c->resume)
            return true;
        stepped(c, c->resume(s, c));
        break;
    case PHASE_SYNC:
        if (c->broken)
            *next = break_off(s);
        else if (sync_told(s))
            *next = finish(s);
        else
            *next = NEXT_PULL;
        return true;
    case PHASE_READ: /* go_on() saw to it */
        return true;
    }
    *next = NEXT_PULL;
    return c->phase == PHASE_MORE; /* more output, or more work: in the next turn */
}

static enum session_next go_on(struct imap_session *s)
{
    enum session_next next;
    bool quiet = !s->fed;

    s->fed = false;
    if (!s->greeted)
        greet(s);
    do {
        if (is_over(s, &next))
            return next;
        if (s->reader->plus) {
            s->reader->plus = false;
            buf_puts(s->out, "+ OK\r\n");
        }
        if (!s->cmd || s->cmd->phase == PHASE_READ)
            /* What was sent before the peer closed its side is answered first. */
            return s->closed && quiet ? NEXT_CLOSE : NEXT_READ;
        if (imap_room(s) == 0)
            return NEXT_PULL;
        quiet &= s->cmd->phase == PHASE_LINE;
    } while (!run_step(s, s->cmd, &next));
    if (next == NEXT_READ && is_over(s, &next))
        return next;
    return next == NEXT_READ && s->closed && quiet ? NEXT_CLOSE : next;
}

/* ---- what the driver calls ---- */

static size_t feed(struct session *base, struct slice in)
{
    struct imap_session *s = of(base);

    /* What came in clear behind STARTTLS is nobody's (RFC 9051 11.1); nor what came behind BYE. */
    if (s->tls_pending || s->state == STATE_LOGOUT)
        return in.len;
    size_t used = imap_reader_feed(s, in);
    if (used) {
        s->fed = true;
        set_deadline(s);
    }
    return used;
}

/* What a line had too much in the last pull. */
static void drain_spill(struct imap_session *s)
{
    size_t n = s->spill.len < imap_room(s) ? s->spill.len : imap_room(s);

    buf_put(s->out, slice_head(buf_slice(&s->spill), n));
    buf_consume(&s->spill, n);
    if (s->spill.len == 0)
        buf_done(&s->spill);
}

static enum session_next pull(struct session *base, struct buf *out, size_t room)
{
    struct imap_session *s = of(base);
    enum session_next next = NEXT_PULL;

    s->out = out;
    s->high = out->len + room;
    if (s->spill.len)
        drain_spill(s);
    if (s->spill.len == 0) {
        next = s->held ? s->held : go_on(s);
        s->held = NEXT_READ;
    }
    if (s->spill.len && next != NEXT_PULL) {
        if (next != NEXT_READ && next != NEXT_WAIT)
            s->held = next;
        next = NEXT_PULL;
    }
    s->out = NULL;
    return out->failed ? NEXT_CLOSE : next;
}

static uint64_t tick(struct session *base)
{
    struct imap_session *s = of(base);

    if (s->state == STATE_LOGOUT || s->bye)
        return UINT64_MAX;
    if (now(s) < s->deadline)
        return s->deadline;
    if (s->state != STATE_NOT_AUTHENTICATED && !may_leave(s)) {
        set_deadline(s);
        return s->deadline;
    }
    note_end(s, "timeout");
    imap_bye(s, s->state == STATE_NOT_AUTHENTICATED ? "[UNAVAILABLE] Log on sooner next time"
                                                    : "[UNAVAILABLE] Idle for too long");
    return UINT64_MAX;
}

/* The client's name was told in clear, and so was all else: nothing of it counts any more. */
static void tls_started(struct session *base)
{
    struct imap_session *s = of(base);

    s->tls_pending = false;
    imap_cmd_end(s);
    imap_reader_reset(s);
    imap_set_client_name(s, SLICE_EMPTY);
}

static void closed(struct session *base)
{
    struct imap_session *s = of(base);

    s->closed = true;
    note_end(s, "lost");
    s->env->host->wake(s->env->host);
}

static void drain(struct session *base)
{
    struct imap_session *s = of(base);

    s->draining = true;
    s->env->host->wake(s->env->host);
}

static void session_free(struct session *base)
{
    struct imap_session *s = of(base);

    imap_cmd_end(s);
    imap_unselect(s);
    imap_logon_end(s);
    if (s->session_counted)
        auth_session_leave(s->env->auth, s->env->peer, slice_str(s->identity));
    mailbox_close(s->mailbox);
    imap_set_client_name(s, SLICE_EMPTY);
    imap_reader_reset(s);
    buf_done(&s->spill);
    free(s->reader);
    free(s->identity);
    free(s);
}

static const struct session_ops imap_ops = {
    .name = "imap",
    .feed = feed,
    .pull = pull,
    .tick = tick,
    .tls_started = tls_started,
    .closed = closed,
    .drain = drain,
    .free = session_free,
};

struct session *imap_session_new(const struct session_env *env)
{
    struct imap_session *s = mem_new(sizeof *s);
    uint64_t timeout = env->limits->logon_timeout_ms;

    s->base.ops = &imap_ops;
    s->env = env;
    s->state = STATE_NOT_AUTHENTICATED;
    s->spill = buf_make(SIZE_MAX / 2);
    s->reader = mem_new(sizeof *s->reader);
    s->logon = imap_logon_begin(s);
    s->deadline = env->clock->mono_ms + (timeout ? timeout : LOGON_TIMEOUT_MS);
    return &s->base;
}
