/* test_mapi_http.c - MAPI/HTTP as a client sees it: headers, cookies, contexts ([MS-OXCMAPIHTTP]).
 */
#include "tests/support/session_fixture.h"

#include <stdio.h>

#include "base/base64.h"
#include "base/mem.h"
#include "protocols/mapi/context.h"

/* A client with its cookies. */
struct client {
    struct fixture *fx;
    struct fixture_session *fs;
    const char *user;
    char cookies[256];
    struct buf reply; /* the last response */
};

static struct client *client_new(struct fixture *fx, const char *user)
{
    struct client *c = mem_new(sizeof *c);

    c->fx = fx;
    c->user = user;
    c->fs = fixture_connect_tls(fx, mapi_session_new, AUTH_MAPI);
    c->reply = buf_make(1 << 20);
    return c;
}

static void client_free(struct client *c)
{
    fixture_session_free(c->fs);
    buf_done(&c->reply);
    free(c);
}

static void put_basic(struct buf *out, const char *user)
{
    struct buf plain = buf_make(256);

    buf_printf(&plain, "%s:%s", user, FIXTURE_SECRET);
    buf_puts(out, "Authorization: Basic ");
    base64_encode(buf_slice(&plain), out);
    buf_puts(out, "\r\n");
    buf_done(&plain);
}

/* The cookies of the response, as a browser keeps them. */
static void take_cookies(struct client *c)
{
    struct slice rest = buf_slice(&c->reply);
    struct slice mark = S("Set-Cookie: ");
    size_t n = 0;

    for (;;) {
        size_t at = slice_find(rest, mark);
        if (at >= rest.len)
            break;
        rest = slice_from(rest, at + mark.len);
        struct slice value = rest;
        value = slice_cut(&value, ';');
        n += (size_t)snprintf(c->cookies + n, sizeof c->cookies - n, "%s%.*s", n ? "; " : "",
                              SLICE_ARG(value));
    }
}

static void ask_with(struct client *c, const char *headers, struct slice body)
{
    struct buf rq = buf_make(1 << 20);

    buf_puts(&rq, "POST /mapi/emsmdb/?MailboxId=x HTTP/1.1\r\nHost: mail.example.org\r\n");
    put_basic(&rq, c->user);
    buf_puts(&rq, headers);
    if (c->cookies[0])
        buf_printf(&rq, "Cookie: %s\r\n", c->cookies);
    buf_printf(&rq, "Content-Length: %zu\r\n\r\n", body.len);
    buf_put(&rq, body);
    buf_clear(&c->reply);
    buf_put(&c->reply, fixture_say_bytes(c->fs, buf_slice(&rq)));
    buf_done(&rq);
}

static void ask(struct client *c, const char *type, struct slice body)
{
    char headers[512];

    snprintf(headers, sizeof headers,
             "Content-Type: application/mapi-http\r\nX-RequestType: %s\r\n"
             "X-RequestId: {8D1F8F5C-9F60-4E2F-9AD2-6A6B1E2C3D4E}:7\r\n"
             "X-ClientInfo: {A}:1\r\n",
             type);
    ask_with(c, headers, body);
    take_cookies(c);
}

static bool has(const struct client *c, const char *text)
{
    struct slice reply = buf_slice(&c->reply);

    return slice_find(reply, slice_str(text)) < reply.len;
}

static void assert_response(const struct client *c, unsigned code)
{
    char text[64];

    snprintf(text, sizeof text, "\r\nX-ResponseCode: %u\r\n", code);
    if (!has(c, text))
        fail_msg("wanted %s, got %.*s", text, SLICE_ARG(buf_slice(&c->reply)));
}

/* UserDN, Flags, code page 1252, two LCIDs, no auxiliary buffer. */
static const char connect_body[] = "\0"
                                   "\0\0\0\0"
                                   "\xE4\x04\0\0"
                                   "\x09\x04\0\0"
                                   "\x09\x04\0\0"
                                   "\0\0\0\0";
#define CONNECT slice_of(connect_body, sizeof connect_body - 1)

/* An Execute with no ROP: Flags, size, RPC_HEADER_EXT, RopSize 2, MaxRopOut, no auxiliary buffer.
 */
static const char execute_body[] = "\3\0\0\0"
                                   "\x0A\0\0\0"
                                   "\0\0\4\0\2\0\2\0"
                                   "\2\0"
                                   "\x08\x80\0\0"
                                   "\0\0\0\0";
#define EXECUTE slice_of(execute_body, sizeof execute_body - 1)

static const char wait_body[] = "\0\0\0\0\0\0\0\0";
#define WAIT slice_of(wait_body, sizeof wait_body - 1)

/* ---- tests ---- */

static int setup(void **state)
{
    *state = fixture_new();
    return 0;
}

static int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

static void test_connect(void **state)
{
    struct client *c = client_new(*state, "alice");

    ask(c, "Connect", CONNECT);
    assert_response(c, 0);
    assert_true(has(c, "Content-Type: application/mapi-http\r\n"));
    assert_true(has(c, "X-RequestId: {8D1F8F5C-9F60-4E2F-9AD2-6A6B1E2C3D4E}:7\r\n"));
    assert_true(has(c, "X-ClientInfo: {A}:1\r\n"));
    assert_true(has(c, "X-RequestType: Connect\r\n"));
    assert_true(has(c, "Transfer-Encoding: chunked\r\n"));
    assert_true(has(c, "C\r\nPROCESSING\r\n\r\n")); /* a chunk of its own */
    assert_true(has(c, "DONE\r\nX-ElapsedTime: 0\r\nX-StartTime: "));
    assert_true(has(c, "; Path=/mapi/; HttpOnly; Secure\r\n"));
    client_free(c);
}

/* 3.2.5.2: all cookies on every response, and each Execute takes a turn. */
static void test_turns(void **state)
{
    struct client *c = client_new(*state, "alice");
    char old[sizeof c->cookies];

    ask(c, "Execute", EXECUTE);
    assert_response(c, 13); /* no cookie */
    ask(c, "Connect", CONNECT);
    memcpy(old, c->cookies, sizeof old);
    ask(c, "Execute", EXECUTE);
    assert_response(c, 0);
    assert_string_not_equal(c->cookies, old);
    ask(c, "Execute", EXECUTE);
    assert_response(c, 0);
    memcpy(c->cookies, old, sizeof old); /* sent again */
    ask(c, "Execute", EXECUTE);
    assert_response(c, 15);
    ask(c, "Execute", EXECUTE); /* the refusal gave a new one */
    assert_response(c, 0);
    ask(c, "PING", SLICE_EMPTY);
    assert_response(c, 0);
    ask(c, "Disconnect", SLICE_EMPTY);
    assert_response(c, 0);
    ask(c, "Execute", EXECUTE);
    assert_response(c, 10);
    client_free(c);
}

/* 3.2.5.1: the session is its maker's. */
static void test_another_identity_has_no_session(void **state)
{
    struct client *alice = client_new(*state, "alice"), *bob = client_new(*state, "bob");

    ask(alice, "Connect", CONNECT);
    memcpy(bob->cookies, alice->cookies, sizeof bob->cookies);
    ask(bob, "Execute", EXECUTE);
    assert_response(bob, 10);
    ask(alice, "Execute", EXECUTE);
    assert_response(alice, 0);
    client_free(alice);
    client_free(bob);
}

/* Whoever is not let in touches nothing: the same cookies are good afterwards. */
static void test_a_refused_logon_touches_nothing(void **state)
{
    struct client *c = client_new(*state, "alice");
    struct fixture_session *other = fixture_connect_tls(*state, mapi_session_new, AUTH_MAPI);
    struct buf rq = buf_make(4096);

    ask(c, "Connect", CONNECT);
    buf_printf(&rq,
               "POST /mapi/emsmdb/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/mapi-http\r\n"
               "X-RequestType: Execute\r\nX-RequestId: {1}:1\r\nCookie: %s\r\n"
               "Content-Length: %zu\r\n\r\n",
               c->cookies, EXECUTE.len);
    buf_put(&rq, EXECUTE);
    struct slice reply = fixture_say_bytes(other, buf_slice(&rq));
    assert_true(slice_starts(reply, S("HTTP/1.1 401 ")));
    ask(c, "Execute", EXECUTE);
    assert_response(c, 0);
    buf_done(&rq);
    fixture_session_free(other);
    client_free(c);
}

/* 3.2.5.6: a Connect with the cookies of a session ends it. */
static void test_connecting_again(void **state)
{
    struct client *c = client_new(*state, "alice");
    char old[sizeof c->cookies];

    ask(c, "Connect", CONNECT);
    memcpy(old, c->cookies, sizeof old);
    ask(c, "Connect", CONNECT);
    assert_response(c, 0);
    ask(c, "Execute", EXECUTE);
    assert_response(c, 0);
    memcpy(c->cookies, old, sizeof old);
    ask(c, "Execute", EXECUTE);
    assert_response(c, 10);
    client_free(c);
}

static void test_headers(void **state)
{
    static const struct {
        const char *headers;
        unsigned code;
    } rows[] = {
        {"Content-Type: application/mapi-http\r\nX-RequestId: {1}:1\r\n", 5},
        {"Content-Type: application/mapi-http\r\nX-RequestType: Dance\r\nX-RequestId: {1}:1\r\n",
         5},
        {"Content-Type: application/mapi-http\r\nX-RequestType: Connect\r\n", 7},
        {"X-RequestType: Connect\r\nX-RequestId: {1}:1\r\n", 7},
        {"Content-Type: text/plain\r\nX-RequestType: Connect\r\nX-RequestId: {1}:1\r\n", 4},
        {"Content-Type: application/mapi-http\r\nX-RequestType: Execute\r\nX-RequestId: {1}:1\r\n"
         "Cookie: MapiContext=xyz; MapiSequence=1\r\n",
         6},
        {"Content-Type: application/mapi-http\r\nX-RequestType: pInG\r\nX-RequestId: {1}:1\r\n", 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct client *c = client_new(*state, "alice");

        ask_with(c, rows[i].headers, CONNECT);
        assert_response(c, rows[i].code);
        assert_true(has(c, rows[i].code ? "Content-Type: text/html\r\n"
                                        : "Content-Type: application/mapi-http\r\n"));
        client_free(c);
    }
}

/* 2.2.3.3.3: 12, behind DONE, for PROCESSING has been said. */
static void test_bodies_cut_short(void **state)
{
    struct client *c = client_new(*state, "alice");

    for (size_t n = 0; n < CONNECT.len; n++) {
        ask(c, "Connect", slice_head(CONNECT, n));
        assert_true(has(c, "DONE\r\nX-ResponseCode: 12\r\n"));
    }
    ask(c, "Connect", CONNECT);
    for (size_t n = 0; n < EXECUTE.len; n++) {
        ask(c, "Execute", slice_head(EXECUTE, n));
        assert_true(has(c, "DONE\r\nX-ResponseCode: 12\r\n"));
    }
    ask(c, "Execute", EXECUTE);
    assert_response(c, 0);
    client_free(c);
}

/* What stands behind the lines that follow DONE, out of its chunks. */
static struct slice body_of(struct client *c, struct buf *whole)
{
    struct slice rest = buf_slice(&c->reply);
    struct slice blank = S("\r\n\r\n");

    buf_clear(whole);
    rest = slice_from(rest, slice_find(rest, blank) + blank.len);
    for (;;) {
        struct slice size = slice_trim(slice_cut(&rest, '\n'));
        size_t n = strtoul((char[]){(char)size.ptr[0], size.len > 1 ? (char)size.ptr[1] : 0,
                                    size.len > 2 ? (char)size.ptr[2] : 0, 0},
                           NULL, 16);

        assert_true(size.len > 0 && size.len <= 3);
        if (n == 0)
            break;
        buf_put(whole, slice_head(rest, n));
        rest = slice_from(rest, n + 2);
    }
    struct slice all = buf_slice(whole);
    return slice_from(all, slice_find(all, blank) + blank.len);
}

#define ASSERT_BODY(c, whole, text)                                                                \
    assert_int_equal(body_of(c, whole).len, sizeof(text) - 1);                                     \
    assert_memory_equal(body_of(c, whole).ptr, text, sizeof(text) - 1)

/* 2.2.4, byte by byte. */
static void test_bodies(void **state)
{
    struct client *c = client_new(*state, "alice");
    struct buf whole = buf_make(1 << 20);

    ask(c, "Connect", CONNECT);
    assert_response(c, 0);
    assert_true(has(c, "X-PendingPeriod: ") && has(c, "X-ExpirationInfo: "));
    /* StatusCode, ErrorCode, PollsMax, RetryCount, RetryDelay, DnPrefix, DisplayName, aux size */
    ASSERT_BODY(c, &whole,
                "\0\0\0\0\0\0\0\0\x60\xEA\0\0\6\0\0\0\x10\x27\0\0/o=Gatepost\0"
                "a\0l\0i\0c\0e\0@\0e\0x\0a\0m\0p\0l\0e\0.\0o\0r\0g\0\0\0"
                "\0\0\0\0");
    ask(c, "Execute", EXECUTE);
    /* StatusCode, ErrorCode, Flags, RopBufferSize, RopBuffer, aux size */
    ASSERT_BODY(c, &whole, "\0\0\0\0\0\0\0\0\0\0\0\0\x0A\0\0\0\0\0\4\0\2\0\2\0\2\0\0\0\0\0");
    ask(c, "PING", SLICE_EMPTY);
    ASSERT_BODY(c, &whole, "");
    ask(c, "Disconnect", S("\0\0\0\0"));
    ASSERT_BODY(c, &whole, "\0\0\0\0\0\0\0\0\0\0\0\0");
    ask(c, "PING", SLICE_EMPTY);
    assert_response(c, 10); /* 3.2.5.4: its cookie is good for nothing any more */
    buf_done(&whole);
    client_free(c);
}

/* [MS-OXCRPC] 3.1.4.1, 3.1.4.2: what is refused of a body that is whole. */
static void test_bodies_that_are_refused(void **state)
{
    static const struct {
        const char *type, *head; /* before the auxiliary buffer's size */
        size_t len;
        uint32_t aux;
        const char *body;
        size_t body_len;
    } rows[] = {
#define ROW(type, head, aux, body) {type, head, sizeof(head) - 1, aux, body, sizeof(body) - 1}
        /* a code page that is not known: ErrorCode; the rest is told all the same */
        ROW("Connect", "\0\0\0\0\0\1\0\0\0\x09\4\0\0\x09\4\0\0", 0,
            "\0\0\0\0\xEF\3\0\0\x60\xEA\0\0\6\0\0\0\x10\x27\0\0/o=Gatepost\0"
            "a\0l\0i\0c\0e\0@\0e\0x\0a\0m\0p\0l\0e\0.\0o\0r\0g\0\0\0"
            "\0\0\0\0"),
        ROW("Connect", "\0\0\0\0\0\xE4\4\0\0\x09\4\0\0\x09\4\0\0", 0x1009, "\xF7\6\0\0\0\0\0\0"),
        ROW("Execute", "\3\0\0\0\x0A\0\0\0\0\0\4\0\2\0\2\0\2\0\x08\x80\0\0", 0x1008,
            "\0\0\0\0\0\0\0\0\0\0\0\0\x0A\0\0\0\0\0\4\0\2\0\2\0\2\0\0\0\0\0"),
        ROW("Execute", "\3\0\0\0\x0A\0\0\0\0\0\4\0\2\0\2\0\2\0\x08\x80\0\0", 0x1009,
            "\xF7\6\0\0\0\0\0\0"),
        /* MaxRopOut beyond 0x40000, and below 8 */
        ROW("Execute", "\3\0\0\0\x0A\0\0\0\0\0\4\0\2\0\2\0\2\0\1\0\4\0", 0, "\xF7\6\0\0\0\0\0\0"),
        ROW("Execute", "\3\0\0\0\x0A\0\0\0\0\0\4\0\2\0\2\0\2\0\7\0\0\0", 0,
            "\0\0\0\0\x15\1\4\x80\0\0\0\0\0\0\0\0\0\0\0\0"),
        /* a ROP buffer of less than a header; one that cannot be read */
        ROW("Execute", "\3\0\0\0\7\0\0\0\0\0\4\0\0\0\0\x08\x80\0\0", 0,
            "\0\0\0\0\x15\1\4\x80\0\0\0\0\0\0\0\0\0\0\0\0"),
        ROW("Execute", "\3\0\0\0\x0A\0\0\0\0\0\4\0\2\0\2\0\3\0\x08\x80\0\0", 0,
            "\0\0\0\0\xB6\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        ROW("Execute", "\3\0\0\0\x0A\0\0\0\1\0\4\0\2\0\2\0\2\0\x08\x80\0\0", 0, /* Version */
            "\0\0\0\0\xB6\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        ROW("Execute", "\3\0\0\0\x0A\0\0\0\0\0\0\0\2\0\2\0\2\0\x08\x80\0\0", 0, /* not Last */
            "\0\0\0\0\xB6\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        ROW("NotificationWait", "\0\0\0\0", 0x1009, "\xF7\6\0\0\0\0\0\0"),
        ROW("Disconnect", "", 0x1009, "\xF7\6\0\0\0\0\0\0"),
#undef ROW
    };
    struct client *c = client_new(*state, "alice");
    struct buf whole = buf_make(1 << 20), rq = buf_make(1 << 20);

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static const uint8_t filler[0x1009];

        ask(c, "Connect", CONNECT);
        buf_clear(&rq);
        buf_put(&rq, slice_of(rows[i].head, rows[i].len));
        wire_put_u32(&rq, rows[i].aux);
        buf_put(&rq, slice_of(filler, rows[i].aux));
        ask(c, rows[i].type, buf_slice(&rq));
        assert_response(c, 0);
        struct slice body = body_of(c, &whole);
        if (body.len != rows[i].body_len || memcmp(body.ptr, rows[i].body, body.len) != 0)
            fail_msg("row %zu: %zu bytes", i, body.len);
    }
    buf_done(&whole);
    buf_done(&rq);
    client_free(c);
}

static void test_idle_sessions_end(void **state)
{
    struct fixture *fx = *state;
    struct client *c = client_new(fx, "alice");

    ask(c, "Connect", CONNECT);
    fx->clock.mono_ms += 14 * 60 * 1000;
    ask(c, "PING", SLICE_EMPTY);
    assert_response(c, 0);
    client_free(c);
    fx->clock.mono_ms += 16 * 60 * 1000;
    c = client_new(fx, "alice");
    ask(c, "Connect", CONNECT);
    assert_ptr_equal(fx->mapi->newest, fx->mapi->oldest);
    client_free(c);
}

/* ---- NotificationWait (2.2.4.4) ---- */

static void test_a_wait_ends_in_time(void **state)
{
    struct client *c = client_new(*state, "alice");

    ask(c, "Connect", CONNECT);
    ask(c, "NotificationWait", WAIT);
    assert_response(c, 0);
    assert_true(has(c, "PROCESSING\r\n"));
    assert_false(has(c, "DONE"));
    struct slice more = fixture_pass(c->fs, 16000);
    assert_true(slice_find(more, S("PENDING\r\n")) < more.len);
    more = fixture_pass(c->fs, 300000);
    size_t at = slice_find(more, S("DONE\r\n"));
    assert_true(at < more.len);
    /* StatusCode, ErrorCode, EventPending, AuxiliaryBufferSize: nothing happened */
    size_t body = slice_find(more, S("\r\n\r\n"));
    assert_true(body + 20 <= more.len);
    assert_memory_equal(more.ptr + body + 4, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    client_free(c);
}

/* [MS-OXCRPC] 3.3.4.1: ecRejected */
static void test_one_wait_at_a_time(void **state)
{
    struct client *c = client_new(*state, "alice"), *second = client_new(*state, "alice");

    ask(c, "Connect", CONNECT);
    ask(c, "NotificationWait", WAIT);
    memcpy(second->cookies, c->cookies, sizeof c->cookies);
    ask(second, "NotificationWait", WAIT);
    assert_true(has(second, "DONE\r\n"));
    struct slice reply = buf_slice(&second->reply);
    size_t done = slice_find(reply, S("DONE\r\n"));
    struct slice rest = slice_from(reply, done);
    size_t body = slice_find(rest, S("\r\n\r\n"));
    assert_memory_equal(rest.ptr + body + 4, "\0\0\0\0\xEE\x07\0\0", 8);
    /* An Execute is beside it. */
    ask(second, "Execute", EXECUTE);
    assert_response(second, 0);
    client_free(c); /* goes away: the place is free again */
    ask(second, "NotificationWait", WAIT);
    assert_false(has(second, "DONE"));
    client_free(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_connect, setup, teardown),
        cmocka_unit_test_setup_teardown(test_turns, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_identity_has_no_session, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_refused_logon_touches_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_connecting_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_headers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bodies_cut_short, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bodies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bodies_that_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_idle_sessions_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_wait_ends_in_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_wait_at_a_time, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
