/*
 * attempt.c - one try to log on, from its first line to its one verdict.
 *
 * Home decodes what came and hands it to the pool; the pool reads it, asks the library, seals the
 * verdict and records it; home is told. At any time an attempt is in one place:
 *
 *   HOME -> POOL -> POSTED -> HOME      and freed meanwhile: POOL -> ABANDONED, the pool frees it
 */
#include <assert.h>

#include "auth/auth_int.h"
#include "base/base64.h"
#include "base/mem.h"

enum place_of_attempt { AT_HOME, IN_POOL, POSTED, ABANDONED };

/* No mechanism of ours takes more messages than this. */
enum { MAX_STEPS = 8, MAX_CLIENT_NAME = 1024, MAX_MECHANISM = 40 };

struct auth_attempt {
    struct job job;
    struct task task;
    struct auth *auth;
    const struct auth_peer *live; /* the session's; at home only */
    struct auth_peer peer;        /* a copy, which outlives the session */
    struct executor *home;
    void (*answer)(struct auth_attempt *attempt, void *owner);
    void *owner;
    atomic_int where;
    enum auth_state state; /* as home sees it */
    bool gone;             /* freed while its answer was on the way */

    struct arena arena;     /* wiped */
    struct slice mechanism; /* for the record */
    struct buf message;     /* decoded, with a NUL behind it */
    bool first, absent, malformed, cancelled, password;
    struct slice secret; /* within the message of this step, for back-off */
    unsigned steps;
    bool binding_offered;
    struct exchange x;
    struct scram_first scram;
    struct buf reply;

    bool sealed;
    struct auth_verdict verdict;
    uint64_t submitted_us, worked_us;
};

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* ---- the verdict ---- */

static bool backs_off(const struct auth_attempt *a)
{
    return !a->peer.exempt && !a->x.settings->no_back_off;
}

/* What the verdict means for those who come after. */
static void note_for_backoff(struct auth_attempt *a, enum auth_reason reason)
{
    struct auth_place place = place_of(&a->peer.remote);
    uint64_t now = a->auth->now().mono_ms;

    if (!backs_off(a))
        return;
    if (reason == AUTH_OK)
        backoff_succeeded(a->auth->backoff, place, a->x.name.stable, now);
    else if (reason == AUTH_WRONG_SECRET || auth_reason_stage(reason) == AUTH_STAGE_IDENTITY)
        backoff_failed(a->auth->backoff, place, a->x.name.stable, a->secret, now);
}

static void record(struct auth_attempt *a)
{
    const struct exchange *x = &a->x;
    bool known = x->name.given.len && x->name.reason == AUTH_OK;
    const struct claim *target = x->authzid.given.len ? &x->authzid : &x->name;
    bool target_known = known && target->reason == AUTH_OK && !failed(target->resolved.no_target);
    struct auth_record r = {
        .time = a->auth->now().wall,
        .reason = a->verdict.reason,
        .peer = &a->peer,
        .mechanism = a->mechanism,
        .name_given = x->name.given,
        .legacy_charset = x->verified.legacy,
        .latency_ms = a->worked_us / 1000,
        .latency_us = a->worked_us,
    };

    if (known)
        r.identity = target_known ? exchange_target(x)->identity : exchange_actor(x)->identity;
    if (target_known && !slice_eq(r.identity, exchange_actor(x)->identity))
        r.actor = exchange_actor(x)->identity;
    if (known && exchange_app_password(x))
        r.app_password = exchange_app_password(x)->name;
    auth_write(a->auth, &r);
}

/* The one verdict. Nothing changes it any more, and it is on record when this returns. */
static void seal(struct auth_attempt *a, enum auth_reason reason)
{
    assert(!a->sealed);
    a->sealed = true;
    a->verdict.reason = reason;
    if (reason == AUTH_OK) {
        const struct auth_account *target = exchange_target(&a->x);

        a->verdict.identity = target->identity;
        a->verdict.mailbox_id = target->mailbox_id;
        /* Only administrators act for administrators without giving their rights away. */
        a->verdict.admin =
            target->admin && exchange_actor(&a->x)->admin && !exchange_app_password(&a->x);
    }
    if (a->submitted_us)
        a->worked_us += now_us() - a->submitted_us;
    a->submitted_us = 0;
    exchange_done(&a->x);
    note_for_backoff(a, reason);
    record(a);
}

/* ---- who it is ---- */

/* A name for libsasl2 that no account has, for '?' and 255 bytes are more than names may have. */
static struct slice no_name(struct auth_attempt *a, struct slice given)
{
    static const char hex[] = "0123456789abcdef";
    uint8_t hash[32], *to = arena_alloc(&a->arena, NAME_MAX_CANONICAL + 1);

    auth_hmac(a->x.settings->server_secret, (const struct slice[]){S("name"), given}, 2, hash);
    memset(to, '?', NAME_MAX_CANONICAL + 1);
    for (size_t i = 0; i < 32; i++) {
        to[1 + 2 * i] = (uint8_t)hex[hash[i] >> 4];
        to[2 + 2 * i] = (uint8_t)hex[hash[i] & 15];
    }
    return slice_of(to, NAME_MAX_CANONICAL + 1);
}

enum auth_reason reason_of_name(struct err e)
{
    switch (e.code) {
    case ERR_NONE:
        return AUTH_OK;
    case ERR_NOT_FOUND:
        return AUTH_UNKNOWN_USER;
    case ERR_CONFLICT:
        return AUTH_AMBIGUOUS_NAME;
    case ERR_INVALID:
        return AUTH_BAD_NAME;
    default:
        return AUTH_UNAVAILABLE;
    }
}

/* Keep the name for the record, as far as it may be kept. */
static void keep_name(struct auth_attempt *a, struct slice name)
{
    a->x.name.given = arena_slice(&a->arena, slice_head(name, AUTH_MAX_NAME));
    a->x.name.stable = a->x.name.given;
    a->x.name.reason = AUTH_BAD_NAME; /* until it is resolved */
}

static void claim(struct auth_attempt *a, struct claim *c, struct slice given)
{
    c->given = arena_slice(&a->arena, given);
    struct err e =
        resolve_name(a->x.settings, a->auth->source, c->given, &a->arena, &c->resolved, &c->stable);
    c->reason = reason_of_name(e);
    c->canonical = no_name(a, c->given); /* in any case: it takes time */
    if (!failed(e))
        c->canonical = c->resolved.account.identity;
}

/*
 * The client has said who he is. An unknown name goes on, to fail where a wrong secret does; only
 * what is known from the bytes alone, or holds for known and unknown names, ends it here.
 */
static bool identify(struct auth_attempt *a, struct slice name, struct slice authzid)
{
    struct exchange *x = &a->x;

    if (name.len == 0 || name.len > AUTH_MAX_NAME || authzid.len > AUTH_MAX_NAME) {
        keep_name(a, name);
        seal(a, AUTH_BAD_NAME);
        return false;
    }
    claim(a, &x->name, name);
    scram_fake_init(&x->fake, x->settings, a->auth->source, x->name.stable);
    if (authzid.len)
        claim(a, &x->authzid, authzid);
    x->now = a->auth->now().wall;
    enum auth_reason reason = AUTH_OK;
    if (backs_off(a) && backoff_refuses(a->auth->backoff, place_of(&a->peer.remote), x->name.stable,
                                        a->auth->now().mono_ms))
        reason = AUTH_BACK_OFF;
    else if (x->name.reason == AUTH_UNAVAILABLE)
        reason = AUTH_UNAVAILABLE;
    if (reason != AUTH_OK)
        seal(a, reason);
    return reason == AUTH_OK;
}

/* ---- what it says; false: sealed, or nothing for the library ---- */

static bool bad_exchange(struct auth_attempt *a)
{
    seal(a, AUTH_BAD_EXCHANGE);
    return false;
}

static bool read_plain(struct auth_attempt *a, struct slice message)
{
    struct slice authzid, name;

    if (a->first && a->absent)
        return false;
    if (!message_plain(message, &authzid, &name, &a->secret))
        return bad_exchange(a);
    return identify(a, name, authzid);
}

static bool read_login(struct auth_attempt *a, struct slice *message)
{
    if (a->first && message->len == 0)
        return true;
    if (slice_index(*message, 0) < message->len)
        return bad_exchange(a);
    if (!a->x.name.given.len)
        return identify(a, *message, SLICE_EMPTY);
    a->secret = *message;
    /* LOGIN's own limit is another than PLAIN's: this can be no secret, under either. */
    if (message->len > AUTH_MAX_SECRET)
        *message = S("\x01");
    return true;
}

static bool bad_binding(struct auth_attempt *a)
{
    seal(a, AUTH_BAD_BINDING);
    return false;
}

/* The GS2 flag against the mechanism that was chosen (RFC 5802 6). */
static bool flag_allowed(const struct auth_attempt *a)
{
    const struct scram_first *first = &a->scram;

    if (a->x.mechanism->binds)
        return first->flag == 'p' && slice_eq(first->binding, a->x.binding_type) &&
               a->x.binding.len > 0;
    /* 'y': "you offered none", which is wrong where we did. Somebody in between took it out. */
    return first->flag == 'n' || (first->flag == 'y' && !a->binding_offered);
}

static bool read_scram_first(struct auth_attempt *a, struct slice message)
{
    if (!message_scram_first(message, &a->arena, &a->scram))
        return bad_exchange(a);
    a->scram.header = arena_slice(&a->arena, a->scram.header);
    a->scram.binding = SLICE_EMPTY;
    struct slice rest = a->scram.header;
    if (a->scram.flag == 'p')
        a->scram.binding = slice_from(slice_cut(&rest, ','), 2);
    if (!flag_allowed(a)) {
        keep_name(a, a->scram.name);
        return bad_binding(a);
    }
    return identify(a, a->scram.name, a->scram.authzid);
}

static bool read_scram(struct auth_attempt *a, struct slice message)
{
    if (a->first && message.len == 0)
        return false;
    if (!a->x.name.given.len)
        return read_scram_first(a, message);
    if (a->x.proven) /* we sent "v="; there is nothing left to say (RFC 5034 4, RFC 9051 6.2.2) */
        return message.len == 0 || bad_exchange(a);
    if (slice_index(message, 0) < message.len)
        return bad_exchange(a);
    /* The library lets more stand in c= than the header, where there is no binding. */
    if (!message_scram_binds(message, a->scram.header, a->x.binding))
        return a->x.mechanism->binds ? bad_binding(a) : bad_exchange(a);
    return true;
}

/* RFC 4422 A: the message is an authorization identity, or empty. Who it is the certificate says.
 */
static bool read_external(struct auth_attempt *a, struct slice message)
{
    if (a->first && a->absent)
        return false;
    if (slice_index(message, 0) < message.len || !slice_is_utf8(message))
        return bad_exchange(a);
    return identify(a, a->peer.certificate_name, message);
}

/* USER/PASS and LOGIN: the message was made by us, of what may hold any bytes. */
static bool read_password(struct auth_attempt *a, struct slice message)
{
    struct slice authzid, name;

    if (a->malformed || !message_plain(message, &authzid, &name, &a->secret))
        return bad_exchange(a);
    return identify(a, name, authzid);
}

/*
 * A client-first mechanism without its first message is answered by an empty challenge, which needs
 * no library: it starts when the type of binding is known.
 */
static bool read_message(struct auth_attempt *a, struct slice *message)
{
    if (a->password)
        return read_password(a, *message);
    switch (a->x.mechanism->kind) {
    case MECHANISM_PLAIN:
        return read_plain(a, *message);
    case MECHANISM_LOGIN:
        return read_login(a, message);
    case MECHANISM_SCRAM:
        return read_scram(a, *message);
    case MECHANISM_EXTERNAL:
        return read_external(a, *message);
    }
    return bad_exchange(a);
}

/* ---- one step, on the pool ---- */

/* Behind the verdict, for this may wait for the disk; whether it works is of no matter to it. */
static void renew_keys(struct auth_attempt *a)
{
    if (!a->x.mechanism->plaintext || exchange_app_password(&a->x))
        return; /* the secret was not told, or it is another one */
    struct err e = verify_renew(a->x.settings, a->auth->source, exchange_actor(&a->x), a->secret,
                                a->x.verified.legacy);
    if (failed(e))
        log_event(a->auth->log, LOG_LEVEL_WARN, "auth.renew",
                  log_str("session", a->peer.session_id),
                  log_text("user", exchange_actor(&a->x)->identity),
                  log_str("error", err_name(e.code)), log_str("why", e.why));
}

/* An administrator wants to know whose secret went over the wire in clear. */
static void name_in_clear(struct auth_attempt *a, struct slice message)
{
    struct slice authzid, name, secret;

    if (a->x.name.given.len)
        return;
    if (a->x.mechanism->kind == MECHANISM_LOGIN)
        keep_name(a, message);
    else if (message_plain(message, &authzid, &name, &secret))
        keep_name(a, name);
}

/* May this peer use this mechanism at all? */
static bool admit(struct auth_attempt *a, struct slice message)
{
    enum auth_reason reason = mechanism_admits(a->x.mechanism, a->binding_offered, &a->peer);

    if (reason == AUTH_NEEDS_TLS)
        name_in_clear(a, message);
    if (reason != AUTH_OK)
        seal(a, reason);
    return reason == AUTH_OK;
}

static void step(struct auth_attempt *a)
{
    struct slice whole = buf_slice(&a->message);
    struct slice message = slice_head(whole, whole.len ? whole.len - 1 : 0); /* without the NUL */

    if (a->cancelled) {
        seal(a, AUTH_CANCELLED);
        return;
    }
    if (a->first && !admit(a, message))
        return;
    if ((a->malformed && !a->password) || ++a->steps > MAX_STEPS) {
        seal(a, AUTH_BAD_EXCHANGE);
        return;
    }
    if (!read_message(a, &message))
        return;
    switch (exchange_run(&a->x, a->absent ? NULL : &message, &a->reply)) {
    case EXCHANGE_CHALLENGE:
        break;
    case EXCHANGE_OK:
        seal(a, AUTH_OK);
        renew_keys(a);
        break;
    case EXCHANGE_FAILED:
        seal(a, a->x.reason);
        break;
    }
}

static void destroy(struct auth_attempt *a)
{
    if (!a->sealed)
        seal(a, AUTH_LOST);
    exchange_done(&a->x);
    buf_wipe(&a->message);
    buf_wipe(&a->reply);
    arena_wipe(&a->arena);
    settings_unref((struct auth_settings *)a->x.settings);
    mem_wipe(a, sizeof *a);
    free(a);
}

static void run_on_pool(struct job *job)
{
    struct auth_attempt *a = container_of(job, struct auth_attempt, job);
    int expected = IN_POOL;

    if (atomic_load(&a->where) == IN_POOL)
        step(a);
    a->secret = SLICE_EMPTY;
    buf_wipe(&a->message);
    if (a->submitted_us)
        a->worked_us += now_us() - a->submitted_us;
    a->submitted_us = 0;
    if (atomic_compare_exchange_strong(&a->where, &expected, POSTED))
        executor_post(a->home, &a->task);
    else
        destroy(a);
}

/* ---- at home ---- */

static void run_at_home(struct task *task)
{
    struct auth_attempt *a = container_of(task, struct auth_attempt, task);

    atomic_store(&a->where, AT_HOME);
    if (a->gone) {
        destroy(a);
        return;
    }
    a->state = a->sealed ? AUTH_DONE : AUTH_CHALLENGE;
    a->answer(a, a->owner);
}

static void submit(struct auth_attempt *a)
{
    a->state = AUTH_WORKING;
    a->submitted_us = now_us();
    buf_clear(&a->reply);
    atomic_store(&a->where, IN_POOL);
    if (!failed(pool_submit(a->auth->pool, &a->job)))
        return;
    atomic_store(&a->where, POSTED);
    seal(a, AUTH_BUSY);
    buf_wipe(&a->message);
    executor_post(a->home, &a->task);
}

static const char *copy_str(struct arena *in, const char *text)
{
    return text ? arena_str(in, slice_str(text)) : NULL;
}

/* A copy, for records that are written when the session has gone. */
static void copy_peer(struct auth_attempt *a)
{
    a->peer = *a->live;
    a->peer.listener = copy_str(&a->arena, a->live->listener);
    a->peer.session_id = copy_str(&a->arena, a->live->session_id);
    a->peer.tls_version = copy_str(&a->arena, a->live->tls_version);
    a->peer.tls_cipher = copy_str(&a->arena, a->live->tls_cipher);
    a->peer.client_name = arena_slice(&a->arena, slice_head(a->live->client_name, MAX_CLIENT_NAME));
    a->peer.certificate_name = arena_slice(&a->arena, a->live->certificate_name);
    a->peer.proxy_session = arena_slice(&a->arena, a->live->proxy_session);
    a->peer.binding = NULL;
}

struct auth_attempt *auth_attempt_new(struct auth *auth, const struct auth_peer *peer,
                                      struct executor *home,
                                      void (*answer)(struct auth_attempt *attempt, void *owner),
                                      void *owner)
{
    struct auth_attempt *a = mem_new(sizeof *a);

    a->job.run = run_on_pool;
    a->job.place = place_of(&peer->remote);
    a->task.run = run_at_home;
    a->auth = auth;
    a->live = peer;
    a->home = home;
    a->answer = answer;
    a->owner = owner;
    /* A NUL is put behind every message: some of the library's code wants one. */
    a->message = buf_make(AUTH_MAX_LINE + 1);
    a->reply = buf_make(AUTH_MAX_LINE);
    copy_peer(a);
    a->x.auth = auth;
    a->x.settings = auth_settings(auth);
    a->x.peer = &a->peer;
    a->x.arena = &a->arena;
    a->x.verified.secret = SECRET_NONE;
    return a;
}

/* The data must come from the connection's own thread, so its type is read here. */
static void fetch_binding(struct auth_attempt *a)
{
    struct slice rest = buf_slice(&a->message);
    struct slice flag = slice_cut(&rest, ',');
    struct buf data = buf_make(1024);

    if (!a->x.mechanism || !a->x.mechanism->binds || a->x.binding_type.len ||
        !slice_starts(flag, S("p=")) || !a->live->tls || !a->live->binding)
        return;
    struct slice type = slice_from(flag, 2);
    if (a->live->binding(a->live->binding_ctx, type, &data) && !data.failed) {
        a->x.binding_type = arena_slice(&a->arena, type);
        a->x.binding = arena_slice(&a->arena, buf_slice(&data));
    }
    buf_wipe(&data);
}

static void take_line(struct auth_attempt *a, struct slice line)
{
    buf_clear(&a->message);
    a->malformed = line.len > AUTH_MAX_LINE || !base64_decode(line, &a->message);
    buf_putc(&a->message, 0);
    if (!a->malformed)
        fetch_binding(a);
}

void auth_attempt_start(struct auth_attempt *attempt, struct slice mechanism,
                        const struct slice *initial)
{
    struct auth_attempt *a = attempt;

    assert(a->state == AUTH_IDLE);
    a->x.mechanism = mechanism_find(mechanism);
    a->mechanism = a->x.mechanism ? slice_str(a->x.mechanism->name)
                                  : arena_slice(&a->arena, slice_head(mechanism, MAX_MECHANISM));
    a->binding_offered = mechanism_binding_offered(a->live);
    a->first = true;
    a->absent = !initial;
    if (initial)
        take_line(a, slice_eq(*initial, S("=")) ? SLICE_EMPTY : *initial);
    submit(a);
}

void auth_attempt_step(struct auth_attempt *attempt, struct slice line)
{
    assert(attempt->state == AUTH_CHALLENGE);
    attempt->first = attempt->absent = false;
    attempt->cancelled = slice_eq(line, S("*"));
    take_line(attempt, line);
    submit(attempt);
}

void auth_attempt_password(struct auth_attempt *attempt, const char *command, struct slice name,
                           struct slice secret)
{
    struct auth_attempt *a = attempt;

    assert(a->state == AUTH_IDLE);
    a->x.mechanism = mechanism_find(S("PLAIN"));
    a->mechanism = arena_slice(&a->arena, slice_str(command));
    a->first = a->password = true;
    a->malformed = slice_index(name, 0) < name.len || slice_index(secret, 0) < secret.len;
    if (a->malformed)
        keep_name(a, name);
    /* Beyond the limits one byte more is as wrong as a thousand. */
    buf_putc(&a->message, 0);
    buf_put(&a->message, slice_head(name, AUTH_MAX_NAME + 1));
    buf_putc(&a->message, 0);
    buf_put(&a->message, slice_head(secret, AUTH_MAX_SECRET + 1));
    buf_putc(&a->message, 0);
    submit(a);
}

enum auth_state auth_attempt_state(const struct auth_attempt *attempt)
{
    return attempt->state;
}

struct slice auth_attempt_challenge(const struct auth_attempt *attempt)
{
    assert(attempt->state == AUTH_CHALLENGE);
    return buf_slice(&attempt->reply);
}

const struct auth_verdict *auth_attempt_verdict(const struct auth_attempt *attempt)
{
    assert(attempt->state == AUTH_DONE);
    return &attempt->verdict;
}

struct auth_pass *auth_pass_new(const struct auth_attempt *attempt, struct slice name,
                                struct slice secret)
{
    assert(attempt->state == AUTH_DONE && attempt->verdict.reason == AUTH_OK);
    return pass_new(&attempt->x, name, secret);
}

void auth_attempt_free(struct auth_attempt *attempt)
{
    int expected = IN_POOL;

    if (!attempt)
        return;
    if (attempt->state != AUTH_WORKING)
        destroy(attempt);
    else if (!atomic_compare_exchange_strong(&attempt->where, &expected, ABANDONED))
        attempt->gone = true; /* its answer is on the way */
}
