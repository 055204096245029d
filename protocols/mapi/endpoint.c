/* endpoint.c - a request of MAPI/HTTP and the frame of its answer. */
#include "protocols/mapi/endpoint.h"

#include <stdlib.h>

#include "base/mem.h"

enum {
    BODY_MAX = 0x40000 + 0x1008 + 64 * 1024, /* a ROP buffer, an auxiliary one, and the rest */
    REPLY_MAX = 0x40000 + 64 * 1024,
    PENDING_PERIOD_MS = 30000, /* what clients are told ([MS-OXCMAPIHTTP] 2.2.3.3.5) */
    PENDING_TICK_MS = 15000,   /* and what they get (3.2.2) */
    ECHO_MAX = 256,
};

/* What clients take for the version of the server; features depend on it (2.2.3.3.7). */
#define SERVER_APPLICATION "Exchange/15.00.0847.4040"

/* ---- the exchange ---- */

struct slot { /* the state of the HTTP exchange */
    struct mapi_exchange *x;
};

static struct mapi_exchange *exchange_of(struct http_exchange *http)
{
    return ((struct slot *)http_state(http))->x;
}

static struct mapi_exchange *begin(struct http_exchange *http)
{
    const struct session_env *env = http_env(http);
    struct mapi_exchange *x = mem_new(sizeof *x);

    *x = (struct mapi_exchange){
        .http = http,
        .mapi = env->mapi,
        .home = env->home,
        .in = buf_make(BODY_MAX),
        .reply = buf_make(REPLY_MAX),
        .wake_ms = UINT64_MAX,
        .began_ms = env->clock->mono_ms,
        .began = env->clock->wall,
    };
    ((struct slot *)http_state(http))->x = x;
    return x;
}

static void end(struct mapi_exchange *x)
{
    if (x->context) {
        if (x->ends_context)
            context_drop(x->context);
        context_let_go(x->context,
                       x->http ? http_env(x->http)->clock->mono_ms : clock_now().mono_ms);
    }
    arena_done(&x->arena);
    buf_wipe(&x->in);
    buf_done(&x->reply);
    free(x);
}

/* ---- cookies ([MS-OXCMAPIHTTP] 3.2.5.1) ---- */

#define CONTEXT_COOKIE "MapiContext"
#define SEQUENCE_COOKIE "MapiSequence"

/* The value of a cookie among those of a Cookie field (RFC 6265 4.2.1); empty: it is not there. */
static struct slice cookie(const struct http_exchange *http, struct slice name)
{
    struct slice rest = http_field(http, "Cookie");

    while (rest.len > 0) {
        struct slice pair = slice_trim(slice_cut(&rest, ';'));
        struct slice key = slice_cut(&pair, '=');

        if (slice_eq(slice_trim(key), name))
            return slice_trim(pair);
    }
    return SLICE_EMPTY;
}

static bool read_cookie(struct slice text, uint8_t bytes[MAPI_COOKIE_BYTES])
{
    if (text.len != (size_t)2 * MAPI_COOKIE_BYTES)
        return false;
    for (size_t i = 0; i < MAPI_COOKIE_BYTES; i++) {
        int high = ascii_hex(text.ptr[2 * i]), low = ascii_hex(text.ptr[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* Both, with every response: clients forget what the last one did not have. */
static void put_cookies(struct mapi_exchange *x)
{
    static const uint8_t digits[] = "0123456789abcdef";
    const char *secure = http_env(x->http)->peer->tls ? "; Secure" : "";
    struct buf text = buf_make(256);

    if (!x->context)
        return;
    buf_puts(&text, CONTEXT_COOKIE "=");
    for (size_t i = 0; i < MAPI_COOKIE_BYTES; i++) {
        buf_putc(&text, digits[x->context->cookie[i] >> 4]);
        buf_putc(&text, digits[x->context->cookie[i] & 15]);
    }
    buf_puts(&text, "; Path=/mapi/; HttpOnly");
    buf_puts(&text, secure);
    http_header(x->http, "Set-Cookie", buf_slice(&text));
    buf_clear(&text);
    buf_puts(&text, SEQUENCE_COOKIE "=");
    buf_put_u64(&text, context_issue(x->context));
    buf_puts(&text, "; Path=/mapi/; HttpOnly");
    buf_puts(&text, secure);
    http_header(x->http, "Set-Cookie", buf_slice(&text));
    buf_done(&text);
}

/* ---- heads ---- */

static void echo(struct mapi_exchange *x, const char *name)
{
    struct slice value = http_field(x->http, name);

    if (value.len > 0 && value.len <= ECHO_MAX)
        http_header(x->http, name, value);
}

static void put_number(struct mapi_exchange *x, const char *name, uint64_t n)
{
    struct buf text = buf_make(32);

    buf_put_u64(&text, n);
    http_header(x->http, name, buf_slice(&text));
    buf_done(&text);
}

/* What was asked for, and what came of it; before DONE and behind it. */
static void log_request(const struct mapi_exchange *x, enum mapi_response_code code)
{
    const struct session_env *env = http_env(x->http);

    if (!env->log || env->log->least > LOG_LEVEL_DEBUG)
        return;
    log_event(env->log, LOG_LEVEL_DEBUG, "mapi.request", log_str("session", env->peer->session_id),
              log_str("type", x->operation ? x->operation->name : ""),
              log_text("id", http_field(x->http, "X-RequestId")), log_number("code", code),
              log_number("ms", (int64_t)(env->clock->mono_ms - x->began_ms)));
}

static void put_head(struct mapi_exchange *x, enum mapi_response_code code)
{
    http_status(x->http, 200);
    http_header(x->http, "Content-Type",
                code == RESPONSE_OK ? S("application/mapi-http") : S("text/html"));
    echo(x, "X-RequestType");
    echo(x, "X-RequestId");
    echo(x, "X-ClientInfo");
    put_number(x, "X-ResponseCode", code);
    http_header(x->http, "X-ServerApplication", S(SERVER_APPLICATION));
    if (code == RESPONSE_OK) {
        put_number(x, "X-PendingPeriod", PENDING_PERIOD_MS);
        put_number(x, "X-ExpirationInfo", x->mapi->config.idle_ms);
    }
    put_cookies(x);
}

static const char *words_of(enum mapi_response_code code)
{
    switch (code) {
    case RESPONSE_INVALID_HEADER:
        return "A header of the request is not valid.";
    case RESPONSE_INVALID_REQUEST_TYPE:
        return "There is no such X-RequestType here.";
    case RESPONSE_INVALID_COOKIE:
        return "The session cookie is not valid.";
    case RESPONSE_MISSING_HEADER:
        return "A header of the request is missing.";
    case RESPONSE_TOO_LARGE:
        return "The request is too large.";
    case RESPONSE_NO_CONTEXT:
        return "There is no such session.";
    case RESPONSE_INVALID_BODY:
        return "The body of the request is not valid.";
    case RESPONSE_MISSING_COOKIE:
        return "A session cookie is missing.";
    case RESPONSE_INVALID_SEQUENCE:
        return "The request is out of its turn.";
    default:
        return "The request failed.";
    }
}

/* A failure before PROCESSING: the whole response. */
static enum http_next refuse(struct mapi_exchange *x, enum mapi_response_code code)
{
    struct buf *out = http_out(x->http);

    log_request(x, code);
    put_head(x, code);
    buf_printf(out, "<html><body>%s</body></html>\r\n", words_of(code));
    x->stage = EXCHANGE_ENDED;
    return HTTP_DONE;
}

/* ---- bodies ([MS-OXCMAPIHTTP] 2.2.7) ---- */

static void put_done(struct mapi_exchange *x)
{
    struct buf *out = http_out(x->http);
    uint64_t elapsed = http_env(x->http)->clock->mono_ms - x->began_ms;

    log_request(x, x->code);
    buf_puts(out, "DONE\r\n");
    if (x->code != RESPONSE_OK)
        buf_printf(out, "X-ResponseCode: %d\r\n", (int)x->code);
    buf_printf(out, "X-ElapsedTime: %llu\r\nX-StartTime: ", (unsigned long long)elapsed);
    clock_put_http(out, x->began);
    buf_puts(out, "\r\n\r\n");
    if (x->code == RESPONSE_OK)
        buf_put(out, buf_slice(&x->reply));
    x->stage = EXCHANGE_ENDED;
}

void endpoint_answer(struct mapi_exchange *x, enum mapi_response_code code)
{
    x->code = code;
    x->wake_ms = UINT64_MAX;
    x->stage = EXCHANGE_ANSWERED;
    if (x->http)
        http_wake(x->http);
    else
        end(x);
}

/* ---- what is asked ---- */

static const struct mapi_operation *find_operation(const struct mapi_operation *list,
                                                   struct slice name)
{
    for (; list->name; list++)
        if (slice_ieq(name, slice_str(list->name)))
            return list;
    return NULL;
}

static enum mapi_response_code check_headers(struct mapi_exchange *x,
                                             const struct mapi_operation *operations)
{
    struct slice type = http_field(x->http, "Content-Type");

    x->operation = find_operation(operations, http_field(x->http, "X-RequestType"));
    if (!x->operation)
        return RESPONSE_INVALID_REQUEST_TYPE;
    if (!http_field(x->http, "X-RequestId").len || !type.len)
        return RESPONSE_MISSING_HEADER;
    if (http_field(x->http, "X-RequestId").len > ECHO_MAX)
        return RESPONSE_INVALID_HEADER;
    type = slice_trim(slice_cut(&type, ';'));
    return slice_ieq(type, S("application/mapi-http")) ? RESPONSE_OK : RESPONSE_INVALID_HEADER;
}

static struct mapi_context_want want_of(const struct mapi_exchange *x, enum mapi_door door)
{
    const struct http_request *rq = http_request(x->http);

    return (struct mapi_context_want){
        .door = door,
        .identity = rq->identity,
        .mailbox_id = rq->mailbox_id,
        .now_ms = x->began_ms,
    };
}

static enum mapi_response_code find_context(struct mapi_exchange *x, enum mapi_door door)
{
    struct slice text = cookie(x->http, S(CONTEXT_COOKIE));
    struct mapi_context_want want = want_of(x, door);
    uint8_t bytes[MAPI_COOKIE_BYTES];

    if (!text.len)
        return RESPONSE_MISSING_COOKIE;
    if (!read_cookie(text, bytes))
        return RESPONSE_INVALID_COOKIE;
    return failed(context_find(x->mapi, &want, bytes, &x->context)) ? RESPONSE_NO_CONTEXT
                                                                    : RESPONSE_OK;
}

/* One that the client had before is over ([MS-OXCMAPIHTTP] 3.2.5.6). */
static enum mapi_response_code make_context(struct mapi_exchange *x, enum mapi_door door)
{
    struct mapi_context_want want = want_of(x, door);

    if (find_context(x, door) == RESPONSE_OK) {
        struct mapi_context *old = x->context;

        x->context = NULL;
        context_drop(old);
        context_let_go(old, x->began_ms);
    }
    return failed(context_new(x->mapi, &want, &x->context)) ? RESPONSE_UNKNOWN_FAILURE
                                                            : RESPONSE_OK;
}

static enum mapi_response_code take_turn(struct mapi_exchange *x)
{
    struct slice text = cookie(x->http, S(SEQUENCE_COOKIE));
    uint64_t ticket;

    if (!text.len)
        return RESPONSE_MISSING_COOKIE;
    if (!slice_to_u64(text, &ticket))
        return RESPONSE_INVALID_COOKIE;
    return failed(context_begin(x->context, ticket)) ? RESPONSE_INVALID_SEQUENCE : RESPONSE_OK;
}

static enum mapi_response_code enter_context(struct mapi_exchange *x, enum mapi_door door)
{
    enum mapi_response_code code = RESPONSE_OK;

    switch (x->operation->needs) {
    case NEEDS_NEW:
        return make_context(x, door);
    case NEEDS_NOTHING:
        code = find_context(x, door);
        return code == RESPONSE_MISSING_COOKIE ? RESPONSE_OK : code;
    case NEEDS_CONTEXT:
        return find_context(x, door);
    case NEEDS_SEQUENCE:
        code = find_context(x, door);
        return code ? code : take_turn(x);
    }
    return code;
}

/* ---- steps ---- */

static enum http_next dispatch(struct mapi_exchange *x, enum mapi_door door)
{
    enum mapi_response_code code = enter_context(x, door);

    if (code)
        return refuse(x, code);
    put_head(x, RESPONSE_OK);
    buf_puts(http_out(x->http), "PROCESSING\r\n");
    x->stage = EXCHANGE_RUNS;
    x->pending_ms = x->began_ms + PENDING_TICK_MS;
    x->operation->run(x, buf_slice(&x->in));
    return HTTP_WAIT;
}

static enum http_next read_body(struct mapi_exchange *x, enum mapi_door door)
{
    struct slice some = http_body(x->http);

    buf_put(&x->in, some);
    http_body_used(x->http, some.len);
    if (x->in.failed)
        return refuse(x, RESPONSE_TOO_LARGE);
    return http_body_ended(x->http) ? dispatch(x, door) : HTTP_MORE;
}

static void be_patient(struct mapi_exchange *x)
{
    uint64_t now = http_env(x->http)->clock->mono_ms;

    if (now >= x->pending_ms) {
        buf_puts(http_out(x->http), "PENDING\r\n");
        x->pending_ms = now + PENDING_TICK_MS;
    }
    if (x->operation->give_up &&
        (now >= x->wake_ms || http_draining(x->http) || http_client_gone(x->http)))
        x->operation->give_up(x);
}

static void wait_on(struct mapi_exchange *x)
{
    http_wake_at(x->http, x->pending_ms < x->wake_ms ? x->pending_ms : x->wake_ms);
}

/* The first chunk goes out before the rest is put: a client that waits sees life. */
static enum http_next go_on(struct mapi_exchange *x)
{
    if (x->stage == EXCHANGE_RUNS)
        be_patient(x);
    if (x->stage == EXCHANGE_ANSWERED) {
        put_done(x);
        return HTTP_DONE;
    }
    wait_on(x);
    return HTTP_WAIT;
}

static enum http_next step(struct http_exchange *http, enum mapi_door door,
                           const struct mapi_operation *operations)
{
    struct mapi_exchange *x = exchange_of(http);

    if (!x) {
        x = begin(http);
        enum mapi_response_code code = check_headers(x, operations);
        if (code)
            return refuse(x, code);
    }
    if (x->stage != EXCHANGE_READS)
        return go_on(x);
    enum http_next next = read_body(x, door);
    if (x->stage == EXCHANGE_RUNS)
        wait_on(x);
    return next;
}

static enum http_next emsmdb_step(struct http_exchange *http)
{
    return step(http, MAPI_EMSMDB, mapi_emsmdb_operations);
}

static enum http_next nspi_step(struct http_exchange *http)
{
    return step(http, MAPI_NSPI, mapi_nspi_operations);
}

/* What is being done is done without a client that went away. */
static void done(struct http_exchange *http)
{
    struct mapi_exchange *x = exchange_of(http);

    if (!x)
        return;
    if (x->stage != EXCHANGE_RUNS) {
        end(x);
        return;
    }
    x->http = NULL;
    if (x->operation->give_up)
        x->operation->give_up(x);
}

const struct http_handler mapi_emsmdb_handler = {"emsmdb", sizeof(struct slot), emsmdb_step, done};
const struct http_handler mapi_nspi_handler = {"nspi", sizeof(struct slot), nspi_step, done};
