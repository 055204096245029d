/*
 * logon.c - from USER, PASS or AUTH to the open mailbox.
 *
 * The verdict is auth's alone and sealed before the mailbox is looked for. What goes wrong behind
 * a good verdict (a limit on sessions, a mailbox that cannot be opened) has an event and an
 * answer of its own, and is never told as a wrong password.
 */
#include "base/mem.h"
#include "protocols/answers.h"
#include "protocols/pop3/pop3_int.h"

enum { DEFAULT_MAX_ATTEMPTS = 3 };

/* ---- after a good verdict ---- */

/* An opening under way. It outlives a session that goes before the mailbox is there. */
struct pop3_opening {
    struct store_open_mailbox rq;
    struct pop3_session *session; /* NULL: gone */
    bool done;
};

static void opening_free(struct pop3_opening *o)
{
    if (!failed(o->rq.err) && o->rq.mailbox)
        mailbox_close(o->rq.mailbox);
    free(o);
}

static void on_opened(struct store_open_mailbox *rq)
{
    struct pop3_opening *o = rq->owner;

    o->done = true;
    if (o->session)
        pop3_wake(o->session);
    else
        opening_free(o);
}

static void leave(struct pop3_session *s)
{
    if (s->identity.len > 0)
        auth_session_leave(s->env->auth, s->env->peer, s->identity);
    free((uint8_t *)s->identity.ptr);
    s->identity = SLICE_EMPTY;
}

static enum session_next logon_failed(struct pop3_session *s, enum auth_reason reason)
{
    pop3_err(s, answer_verdict(reason)->pop3);
    if (s->attempts >= pop3_limit(s->env->limits->max_attempts, DEFAULT_MAX_ATTEMPTS))
        return pop3_close(s, "too many attempts");
    return NEXT_READ;
}

/* The verdict was good; the mailbox is not. */
static enum session_next no_mailbox(struct pop3_session *s, struct err e)
{
    log_event(s->env->log, LOG_LEVEL_ERROR, "pop3.mailbox",
              log_str("session", s->env->peer->session_id), log_text("user", s->identity),
              log_str("error", err_name(e.code)), log_str("why", e.why));
    auth_record_event(s->env->auth, s->env->peer, s->identity, AUTH_NO_MAILBOX);
    leave(s);
    s->attempts++;
    return logon_failed(s, AUTH_NO_MAILBOX);
}

static enum session_next mailbox_opened(struct pop3_session *s)
{
    struct pop3_opening *o = s->opening;
    struct mailbox *mailbox = o->rq.mailbox;
    struct err e = o->rq.err;

    free(o);
    s->opening = NULL;
    if (!failed(e))
        e = pop3_maildrop_open(s, mailbox);
    if (failed(e))
        return no_mailbox(s, e);
    pop3_enter(s, IN_TRANS);
    s->env->summary->user = mem_slice_str(s->identity);
    buf_printf(s->out, "+OK %lu messages (%llu octets)\r\n",
               (unsigned long)store_view_count(s->drop.view), (unsigned long long)s->drop.bytes);
    return NEXT_READ;
}

static enum session_next open_mailbox(struct pop3_session *s, uint64_t mailbox_id)
{
    struct pop3_opening *o = mem_new(sizeof *o);

    s->opening = o;
    o->session = s;
    o->rq.mailbox_id = mailbox_id;
    o->rq.home = s->env->home;
    o->rq.done = on_opened;
    o->rq.owner = o;
    store_mailbox_open(s->env->store, &o->rq);
    return pop3_wait(s, mailbox_opened);
}

static enum session_next logged_on(struct pop3_session *s, struct slice identity,
                                   uint64_t mailbox_id)
{
    struct err e = auth_session_enter(s->env->auth, s->env->peer, identity);

    if (failed(e)) {
        auth_record_event(s->env->auth, s->env->peer, identity, AUTH_TOO_MANY);
        s->attempts++;
        return logon_failed(s, AUTH_TOO_MANY);
    }
    s->identity = slice_of(mem_slice_str(identity), identity.len);
    return open_mailbox(s, mailbox_id);
}

/* ---- attempts ---- */

static enum session_next attempt_answered(struct pop3_session *s);

static void on_answer(struct auth_attempt *attempt, void *owner)
{
    (void)attempt;
    pop3_wake(owner);
}

static struct auth_attempt *attempt_new(struct pop3_session *s)
{
    auth_attempt_free(s->attempt);
    s->attempt = auth_attempt_new(s->env->auth, s->env->peer, s->env->home, on_answer, s);
    s->attempted = true;
    return s->attempt;
}

static enum session_next sasl_line(struct pop3_session *s, struct slice line)
{
    auth_attempt_step(s->attempt, line);
    return pop3_wait(s, attempt_answered);
}

static enum session_next attempt_decided(struct pop3_session *s)
{
    struct auth_verdict v = *auth_attempt_verdict(s->attempt);
    struct auth_attempt *attempt = s->attempt;
    enum session_next next;

    s->attempt = NULL; /* v.identity lives on in it */
    if (v.reason == AUTH_OK) {
        next = logged_on(s, v.identity, v.mailbox_id);
    } else {
        /* A client that tries its mechanisms in turn, or thinks better of it, loses no try. */
        if (v.reason == AUTH_BAD_MECHANISM || v.reason == AUTH_CANCELLED)
            next = pop3_bad(s, answer_verdict(v.reason)->pop3);
        else
            s->attempts++, next = logon_failed(s, v.reason);
    }
    auth_attempt_free(attempt);
    return next;
}

static enum session_next attempt_answered(struct pop3_session *s)
{
    if (auth_attempt_state(s->attempt) != AUTH_CHALLENGE)
        return attempt_decided(s);
    /* "+ " also where the challenge is empty (RFC 5034 4): clients wait for the blank. */
    buf_puts(s->out, "+ ");
    buf_put(s->out, auth_attempt_challenge(s->attempt));
    buf_puts(s->out, "\r\n");
    s->on_line = sasl_line;
    return NEXT_READ;
}

/*
 * USER name: every byte behind the blank belongs to it. Of a name that is too long to be one, as
 * much is kept as makes auth refuse it.
 */
enum session_next pop3_cmd_user(struct pop3_session *s, struct slice args)
{
    buf_clear(&s->name);
    buf_put(&s->name, slice_head(args, POP3_MAX_NAME));
    s->named = true;
    return pop3_ok(s, "Now the password");
}

enum session_next pop3_refuse_user(struct pop3_session *s, struct slice args)
{
    /* Auth looks at the transport before all else, so this asks for no secret to get there. */
    auth_attempt_password(attempt_new(s), "USER", args, SLICE_EMPTY);
    return pop3_wait(s, attempt_answered);
}

/* PASS secret: every byte behind the blank belongs to it. */
enum session_next pop3_cmd_pass(struct pop3_session *s, struct slice args)
{
    if (!s->named)
        return pop3_bad(s, "USER first");
    s->named = false;
    auth_attempt_password(attempt_new(s), "USER", buf_slice(&s->name), args);
    buf_done(&s->name);
    return pop3_wait(s, attempt_answered);
}

static enum session_next list_mechanisms(struct pop3_session *s)
{
    const char *names[32];
    size_t n = auth_mechanisms(s->env->auth, s->env->peer, names, sizeof names / sizeof *names);

    pop3_ok(s, "Mechanisms follow");
    for (size_t i = 0; i < n; i++) {
        buf_puts(s->out, names[i]);
        buf_puts(s->out, "\r\n");
    }
    buf_puts(s->out, ".\r\n");
    return NEXT_READ;
}

/* AUTH mechanism [initial-response] (RFC 5034 4). */
enum session_next pop3_cmd_auth(struct pop3_session *s, struct slice args)
{
    if (args.len == 0)
        return list_mechanisms(s); /* before RFC 2449 clients asked like this */
    bool has_initial = slice_index(args, ' ') < args.len;
    struct slice initial = args;
    struct slice mechanism = slice_cut(&initial, ' ');

    initial = slice_trim(initial);
    pop3_logon_forget(s); /* of USER: this attempt is another */
    auth_attempt_start(attempt_new(s), mechanism, has_initial ? &initial : NULL);
    return pop3_wait(s, attempt_answered);
}

/* ---- ends ---- */

void pop3_logon_forget(struct pop3_session *s)
{
    buf_wipe(&s->name);
    s->named = false;
}

void pop3_logon_done(struct pop3_session *s)
{
    struct pop3_opening *o = s->opening;
    bool verdict_due = s->attempt != NULL; /* freeing it records the loss */

    auth_attempt_free(s->attempt);
    s->attempt = NULL;
    s->opening = NULL;
    if (o) {
        o->session = NULL;
        if (o->done)
            opening_free(o);
    }
    if (s->identity.len == 0 && !verdict_due && (!s->attempted || s->named))
        auth_record_lost(s->env->auth, s->env->peer, buf_slice(&s->name));
    leave(s);
    buf_wipe(&s->name);
}
