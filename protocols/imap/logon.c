#include "protocols/imap/logon.h"

#include "base/mem.h"
#include "protocols/answers.h"
#include "protocols/imap/command.h"
#include "protocols/imap/handlers.h"
#include "protocols/imap/life.h"

enum { MAX_ATTEMPTS = 3 };

/* The opening of a mailbox: outlives a session that is freed meanwhile. */
struct opening {
    struct store_open_mailbox rq;
    struct imap_session *session; /* NULL: nobody waits any more */
    bool done;
};

struct imap_logon {
    struct auth_attempt *attempt;
    struct opening *opening;
    uint64_t mailbox_id;
    bool tried; /* an attempt was made, and recorded */
};

struct imap_logon *imap_logon_begin(struct imap_session *s)
{
    (void)s;
    return mem_new(sizeof(struct imap_logon));
}

static void drop_opening(struct imap_logon *logon)
{
    struct opening *o = logon->opening;

    logon->opening = NULL;
    if (!o)
        return;
    o->session = NULL;
    if (!o->done)
        return; /* on_opened() frees it */
    mailbox_close(o->rq.mailbox);
    free(o);
}

void imap_logon_end(struct imap_session *s)
{
    struct imap_logon *logon = s->logon;

    if (!logon)
        return;
    if (!logon->tried)
        auth_record_lost(s->env->auth, s->env->peer, SLICE_EMPTY);
    auth_attempt_free(logon->attempt);
    drop_opening(logon);
    free(logon);
    s->logon = NULL;
}

void imap_set_client_name(struct imap_session *s, struct slice name)
{
    s->env->peer->client_name = SLICE_EMPTY;
    free(s->client_name);
    s->client_name = NULL;
    if (name.len == 0)
        return;
    s->client_name = mem_slice_str(name);
    s->env->peer->client_name = slice_of(s->client_name, name.len);
}

/* ---- after a good verdict ---- */

static void on_opened(struct store_open_mailbox *rq)
{
    struct opening *o = rq->owner;

    o->done = true;
    if (o->session) {
        imap_wake(o->session);
        return;
    }
    if (!failed(rq->err))
        mailbox_close(rq->mailbox);
    free(o);
}

static unsigned max_attempts(const struct imap_session *s)
{
    unsigned max = s->env->limits->max_attempts;

    return max ? max : MAX_ATTEMPTS;
}

/* The answer to a verdict, or to an event after a good one, that keeps him out. */
static enum imap_step refuse(struct imap_session *s, struct imap_cmd *c, enum auth_reason reason)
{
    const struct answer_verdict *a = answer_verdict(reason);

    auth_attempt_free(s->logon->attempt);
    s->logon->attempt = NULL;
    if (++s->attempts >= max_attempts(s))
        imap_bye(s, "Too many attempts to log on");
    if (a->imap_status == ANSWER_BAD)
        return imap_bad(c, a->imap);
    return imap_no(c, a->imap_code, a->imap);
}

static enum imap_step refuse_after(struct imap_session *s, struct imap_cmd *c,
                                   enum auth_reason reason)
{
    auth_record_event(s->env->auth, s->env->peer, slice_str(s->identity), reason);
    if (s->session_counted)
        auth_session_leave(s->env->auth, s->env->peer, slice_str(s->identity));
    s->session_counted = false;
    free(s->identity);
    s->identity = NULL;
    return refuse(s, c, reason);
}

static enum imap_step log_on(struct imap_session *s, struct imap_cmd *c)
{
    struct opening *o = s->logon->opening;
    struct buf line = buf_make(65536);

    if (failed(o->rq.err)) {
        log_event(s->env->log, LOG_LEVEL_ERROR, "imap.open",
                  log_str("session", s->env->peer->session_id), log_str("user", s->identity),
                  log_str("error", err_name(o->rq.err.code)), log_str("why", o->rq.err.why));
        drop_opening(s->logon);
        return refuse_after(s, c, AUTH_NO_MAILBOX);
    }
    s->mailbox = o->rq.mailbox;
    o->rq.mailbox = NULL;
    imap_logon_end(s);
    imap_enter(s, STATE_AUTHENTICATED);
    s->bad = 0;
    if (!s->env->summary->user)
        s->env->summary->user = mem_str(s->identity);
    imap_put_capabilities(s, &line);
    imap_code(c, "[CAPABILITY %.*s]", SLICE_ARG(buf_slice(&line)));
    buf_done(&line);
    return imap_ok(c, answer_verdict(AUTH_OK)->imap);
}

static enum imap_step open_mailbox(struct imap_session *s, struct imap_cmd *c,
                                   const struct auth_verdict *verdict)
{
    s->identity = mem_slice_str(verdict->identity);
    if (failed(auth_session_enter(s->env->auth, s->env->peer, verdict->identity)))
        return refuse_after(s, c, AUTH_TOO_MANY);
    s->session_counted = true;
    struct opening *o = mem_new(sizeof *o);
    o->session = s;
    o->rq = (struct store_open_mailbox){
        .mailbox_id = verdict->mailbox_id,
        .home = s->env->home,
        .done = on_opened,
        .owner = o,
    };
    s->logon->opening = o;
    c->resume = log_on;
    store_mailbox_open(s->env->store, &o->rq);
    return STEP_WAIT;
}

/* ---- the attempt ---- */

static enum imap_step next_line(struct imap_session *s, struct imap_cmd *c, struct slice line)
{
    (void)c;
    auth_attempt_step(s->logon->attempt, line);
    return STEP_WAIT;
}

static enum imap_step on_step(struct imap_session *s, struct imap_cmd *c)
{
    struct auth_attempt *attempt = s->logon->attempt;

    if (auth_attempt_state(attempt) == AUTH_CHALLENGE) {
        struct slice challenge = auth_attempt_challenge(attempt);

        buf_puts(s->out, "+ ");
        buf_put(s->out, challenge);
        buf_puts(s->out, "\r\n");
        return STEP_READ;
    }
    const struct auth_verdict *verdict = auth_attempt_verdict(attempt);
    if (verdict->reason != AUTH_OK)
        return refuse(s, c, verdict->reason);
    return open_mailbox(s, c, verdict);
}

static void on_answer(struct auth_attempt *attempt, void *owner)
{
    (void)attempt;
    imap_wake(owner);
}

static struct auth_attempt *begin_attempt(struct imap_session *s, struct imap_cmd *c)
{
    struct imap_logon *logon = s->logon;

    auth_attempt_free(logon->attempt);
    logon->attempt = auth_attempt_new(s->env->auth, s->env->peer, s->env->home, on_answer, s);
    logon->tried = true;
    c->resume = on_step;
    c->line = next_line;
    return logon->attempt;
}

enum imap_step imap_cmd_login(struct imap_session *s, struct imap_cmd *c)
{
    struct slice name, secret;

    if (!imap_arg_astring(c, &name) || !imap_arg_space(c) || !imap_arg_astring(c, &secret) ||
        !imap_arg_end(c))
        return imap_bad_args(c);
    auth_attempt_password(begin_attempt(s, c), "LOGIN-COMMAND", name, secret);
    return STEP_WAIT;
}

enum imap_step imap_cmd_authenticate(struct imap_session *s, struct imap_cmd *c)
{
    struct slice mechanism, initial;
    bool has_initial = false;

    if (!imap_arg_atom(c, &mechanism))
        return imap_bad_args(c);
    if (imap_arg_byte(c, ' ') && c->rest.len) {
        has_initial = true; /* base64, or "=" for the empty one (RFC 4959 3) */
        initial = c->rest;
        c->rest = SLICE_EMPTY;
    }
    if (!imap_arg_end(c))
        return imap_bad_args(c);
    auth_attempt_start(begin_attempt(s, c), mechanism, has_initial ? &initial : NULL);
    return STEP_WAIT;
}
