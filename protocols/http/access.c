/*
 * access.c - which route a request takes, and whether who sends it may.
 *
 * Basic (RFC 7617) is the PLAIN verification under another name. Each time that a secret is
 * checked there is one verdict and one record. A client sends its secret with every request; what
 * was let in once on this connection is let in again without another attempt, for as long as
 * nothing has changed that the verdict rests on (auth_pass_holds()).
 */
#include "base/base64.h"
#include "base/mem.h"
#include "protocols/answers.h"
#include "protocols/http/http_int.h"

/* ---- routes ---- */

static bool route_has(const struct http_route *route, struct slice path)
{
    struct slice pattern = slice_str(route->path);

    if (slice_ends(pattern, S("*")))
        return slice_starts(path, slice_head(pattern, pattern.len - 1));
    return slice_eq(path, pattern);
}

/* *methods: all that the path knows. */
static const struct http_route *find_route(const struct http_session *s, unsigned *methods)
{
    const struct http_route *found = NULL;

    *methods = 0;
    for (size_t i = 0; i < s->site->n_routes; i++) {
        const struct http_route *route = &s->site->routes[i];

        if (!s->x.asterisk && !route_has(route, s->x.rq.path))
            continue;
        *methods |= route->methods;
        if (!found && route->methods & s->x.rq.method)
            found = route;
    }
    return found;
}

static void put_allow(struct http_exchange *x, unsigned methods)
{
    struct buf allow = buf_make(64);

    if (methods & HTTP_VERB_GET)
        buf_puts(&allow, "GET, HEAD, ");
    if (methods & HTTP_VERB_POST)
        buf_puts(&allow, "POST, ");
    buf_puts(&allow, "OPTIONS");
    http_header(x, "Allow", buf_slice(&allow));
    buf_done(&allow);
}

static enum http_gate refuse(struct http_session *s, unsigned status)
{
    s->x.next = http_refuse(&s->x, status);
    s->x.refused = true;
    return GATE_REFUSED;
}

/* ---- credentials ---- */

struct basic {
    struct buf decoded; /* to be wiped */
    struct slice name, secret;
    struct slice scheme; /* as sent, where it is another */
    bool sent, is_basic, well_formed;
};

static void read_basic(const struct http_session *s, struct basic *b)
{
    struct slice rest = http_field(&s->x, "Authorization");

    *b = (struct basic){.decoded = buf_make(AUTH_MAX_LINE), .sent = rest.len > 0};
    b->scheme = slice_cut(&rest, ' ');
    b->is_basic = slice_ieq(b->scheme, S("Basic"));
    rest = slice_trim(rest);
    if (!b->is_basic || rest.len > AUTH_MAX_LINE || !base64_decode(rest, &b->decoded))
        return;
    /* A name has no colon in it (RFC 7617 2). */
    b->secret = buf_slice(&b->decoded);
    b->well_formed = slice_index(b->secret, ':') < b->secret.len;
    b->name = slice_cut(&b->secret, ':');
}

static void on_answer(struct auth_attempt *attempt, void *owner)
{
    struct http_session *s = owner;

    (void)attempt;
    s->attempt_done = true;
    s->env->host->wake(s->env->host);
}

/* Refused and recorded; the prefix keeps it from meaning a mechanism of SASL's. */
static void start_other(struct auth_attempt *a, struct slice scheme)
{
    struct buf name = buf_make(64);

    buf_puts(&name, "HTTP-");
    buf_put(&name, slice_head(scheme, 32));
    auth_attempt_start(a, buf_slice(&name), NULL);
    buf_done(&name);
}

static enum http_gate attempt(struct http_session *s, const struct basic *b)
{
    s->attempt_done = false;
    s->decided = true; /* freed before its verdict it records the loss itself */
    s->attempt = auth_attempt_new(s->env->auth, s->env->peer, s->env->home, on_answer, s);
    if (!b->is_basic)
        start_other(s->attempt, b->scheme);
    else if (b->well_formed)
        auth_attempt_password(s->attempt, "BASIC", b->name, b->secret);
    else /* a NUL is in no name: auth finds the exchange malformed, and records it */
        auth_attempt_password(s->attempt, "BASIC", SLICE_EMPTY, slice_of("", 1));
    return GATE_WAIT;
}

static enum http_gate challenge(struct http_session *s, unsigned status)
{
    struct buf value = buf_make(256);

    if (status == 401) {
        /* RFC 7617 2.1 */
        buf_printf(&value, "Basic realm=\"%s\", charset=\"UTF-8\"", s->site->realm);
        http_header(&s->x, "WWW-Authenticate", buf_slice(&value));
    }
    buf_done(&value);
    return refuse(s, status);
}

/* Asked to send a secret in clear he would; so he is not asked. */
static enum http_gate nobody(struct http_session *s)
{
    return challenge(s, auth_plaintext_allowed(s->env->peer) ? 401 : 403);
}

static enum http_gate let_in(struct http_session *s)
{
    s->x.rq.identity = s->identity;
    s->x.rq.mailbox_id = s->mailbox_id;
    return GATE_OPEN;
}

static enum http_gate ask(struct http_session *s)
{
    struct basic b;
    enum http_gate gate;

    read_basic(s, &b);
    if (!b.sent)
        gate = nobody(s);
    else if (b.well_formed && s->pass && auth_pass_holds(s->env->auth, s->pass, b.name, b.secret))
        gate = let_in(s);
    else
        gate = attempt(s, &b);
    buf_wipe(&b.decoded);
    return gate;
}

/*
 * From here without a log-on: but not for a page of somebody else's, open in a browser here, that
 * had its own name resolved to this address.
 */
static bool needs_no_logon(const struct http_session *s)
{
    return s->env->no_logon && http_host_is_ours(s->x.rq.host, s->env->host_name);
}

enum http_gate http_access_begin(struct http_session *s)
{
    struct http_exchange *x = &s->x;
    unsigned methods;
    const struct http_route *route = find_route(s, &methods);

    if (!methods)
        return refuse(s, 404);
    if (!route || x->options)
        put_allow(x, methods);
    if (x->options)
        return refuse(s, 204);
    if (!route)
        return refuse(s, 405);
    x->route = route;
    if (route->access == HTTP_OPEN || (route->access == HTTP_LOGON && needs_no_logon(s))) {
        s->decided = true;
        return GATE_OPEN;
    }
    return ask(s);
}

/* ---- verdicts ---- */

static void leave(struct http_session *s)
{
    if (s->identity.len > 0)
        auth_session_leave(s->env->auth, s->env->peer, s->identity);
    free((uint8_t *)s->identity.ptr);
    s->identity = SLICE_EMPTY;
    auth_pass_free(s->pass);
    s->pass = NULL;
}

/* The connection counts as one session of whoever logged on last. */
static enum http_gate enter(struct http_session *s, const struct auth_verdict *v)
{
    if (!slice_eq(s->identity, v->identity)) {
        leave(s);
        if (failed(auth_session_enter(s->env->auth, s->env->peer, v->identity))) {
            auth_record_event(s->env->auth, s->env->peer, v->identity, AUTH_TOO_MANY);
            return challenge(s, answer_verdict(AUTH_TOO_MANY)->http);
        }
        s->identity = slice_of(mem_slice_str(v->identity), v->identity.len);
    }
    free(s->env->summary->user);
    s->env->summary->user = mem_slice_str(v->identity);
    s->mailbox_id = v->mailbox_id;
    return let_in(s);
}

static enum http_gate turned_away(struct http_session *s, enum auth_reason reason)
{
    leave(s); /* whoever this is now, he is not who was let in before */
    if (++s->failures >= http_limit(s->env->limits->max_attempts, HTTP_DEFAULT_ATTEMPTS))
        s->close = true;
    return challenge(s, answer_verdict(reason)->http);
}

static struct auth_pass *keep_pass(const struct http_session *s)
{
    struct auth_pass *pass;
    struct basic b;

    read_basic(s, &b);
    pass = auth_pass_new(s->attempt, b.name, b.secret);
    buf_wipe(&b.decoded);
    return pass;
}

enum http_gate http_access_decide(struct http_session *s)
{
    enum http_gate gate;

    if (auth_attempt_verdict(s->attempt)->reason == AUTH_OK)
        gate = enter(s, auth_attempt_verdict(s->attempt));
    else
        gate = turned_away(s, auth_attempt_verdict(s->attempt)->reason);
    if (gate == GATE_OPEN) {
        auth_pass_free(s->pass);
        s->pass = keep_pass(s);
    }
    auth_attempt_free(s->attempt);
    s->attempt = NULL;
    return gate;
}

void http_access_done(struct http_session *s)
{
    bool none_is_due = s->env->no_logon && s->env->peer->protocol == AUTH_OPS;

    if (!s->decided && !none_is_due)
        auth_record_lost(s->env->auth, s->env->peer, SLICE_EMPTY);
    auth_attempt_free(s->attempt);
    s->attempt = NULL;
    leave(s);
}
