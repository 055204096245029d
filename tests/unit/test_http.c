/* The HTTP engine, over a front end that does whatever a handler can do (support/http_site.h). */
#include "tests/support/http_site.h"
#include "tests/support/session_fixture.h"

#define DATE "Date: Wed, 18 Nov 2026 11:06:40 GMT\r\n"
#define HELLO                                                                                      \
    "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 6\r\nX-Site: test\r\n"                             \
    "Content-Type: text/plain\r\n\r\nhello\n"
#define GET_HELLO "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
/* "alice:gatepost" and "alice:wrong" */
#define ALICE "Authorization: Basic YWxpY2U6Z2F0ZXBvc3Q=\r\n"
#define WRONG "Authorization: Basic YWxpY2U6d3Jvbmc=\r\n"

static struct fixture *fx;

static int set_up(void **state)
{
    (void)state;
    fx = fixture_new();
    test_site_open = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fixture_free(fx);
    assert_int_equal(test_site_open, 0);
    return 0;
}

static struct fixture_session *open_session(void)
{
    return fixture_connect(fx, test_site_session_new, AUTH_OPS);
}

/* The status of a response; 0 where there is none. */
static unsigned status_of(struct slice response)
{
    uint32_t status = 0;

    if (!slice_starts(response, S("HTTP/1.1 ")) ||
        !slice_to_u32(slice_sub(response, 9, 3), &status))
        return 0;
    return status;
}

static bool has(struct slice response, const char *text)
{
    return slice_find(response, slice_str(text)) < response.len;
}

static struct slice body_of(struct slice response)
{
    return slice_from(response, slice_find(response, S("\r\n\r\n")) + 4);
}

/* ---- requests and responses, however they are cut ---- */

static const struct {
    const char *request, *response;
} exchanges[] = {
    {GET_HELLO, HELLO},
    {GET_HELLO GET_HELLO GET_HELLO, HELLO HELLO HELLO},
    {"\r\n" GET_HELLO, HELLO}, /* RFC 9112 2.2 */
    {"HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n" GET_HELLO,
     "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 6\r\nX-Site: test\r\n"
     "Content-Type: text/plain\r\n\r\n" HELLO},
    {"GET /a%20b/%c3%BC?q=%00 HTTP/1.1\r\nhost:x\r\n\r\n", HELLO},
    {"GET /tree/of/life HTTP/1.1\r\nHost:  x:80 \t\r\n\r\n", HELLO},
    {"GET http://example.org:8080/hello?a HTTP/1.1\r\nHost: other\r\n\r\n", HELLO},
    {"POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde" GET_HELLO,
     "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 2\r\nX-Site: test\r\n\r\n5\n" HELLO},
    {"POST /take HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n"
     "3;name=\"v;\"\r\nabc\r\n0B \t;x\r\ndefghijklmn\r\n000\r\nA: b\r\nC:\r\n\r\n" GET_HELLO,
     "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 3\r\nX-Site: test\r\n\r\n14\n" HELLO},
    {"POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" GET_HELLO,
     "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 2\r\nX-Site: test\r\n\r\n0\n" HELLO},
    {"POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nnot a GET" GET_HELLO,
     HELLO HELLO},
    {"POST /ignore HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
     "9\r\nnot a GET\r\n0\r\n\r\n" GET_HELLO,
     HELLO HELLO},
    {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n" GET_HELLO,
     "HTTP/1.1 204 No Content\r\n" DATE "X-Site: test\r\n"
     "Allow: GET, HEAD, POST, OPTIONS\r\n\r\n" HELLO},
    {"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx" GET_HELLO,
     "HTTP/1.1 405 Method Not Allowed\r\n" DATE "Content-Length: 49\r\nX-Site: test\r\n"
     "Allow: GET, HEAD, OPTIONS\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
     "405 Method Not Allowed\nThat cannot be done here.\n" HELLO},
    {"GET /%2e%2e/hello HTTP/1.1\r\nHost: x\r\n\r\n" GET_HELLO,
     "HTTP/1.1 404 Not Found\r\n" DATE "Content-Length: 37\r\nX-Site: test\r\n"
     "Content-Type: text/plain; charset=utf-8\r\n\r\n404 Not Found\nThere is nothing "
     "here.\n" HELLO},
    {"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" GET_HELLO,
     "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 6\r\nX-Site: test\r\n"
     "Content-Type: text/plain\r\nConnection: close\r\n\r\nhello\n"},
    {"GET /hello HTTP/1.0\r\n\r\n" GET_HELLO,
     "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 6\r\nX-Site: test\r\n"
     "Content-Type: text/plain\r\nConnection: close\r\n\r\nhello\n"},
    {"GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" GET_HELLO,
     "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 6\r\nX-Site: test\r\n"
     "Content-Type: text/plain\r\nConnection: keep-alive\r\n\r\nhello\n" HELLO},
    /* A begun response is never made to look whole. */
    {"GET /break HTTP/1.1\r\nHost: x\r\n\r\n" GET_HELLO,
     "HTTP/1.1 200 OK\r\n" DATE "Transfer-Encoding: chunked\r\nX-Site: test\r\n\r\n"
     "6\r\nso far\r\n"},
    {"GET /short HTTP/1.1\r\nHost: x\r\n\r\n" GET_HELLO,
     "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 100\r\nX-Site: test\r\n\r\nnot a hundred"},
};

static void exchanges_do_not_depend_on_how_the_bytes_come(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof exchanges / sizeof *exchanges; i++) {
        struct slice request = slice_str(exchanges[i].request);

        for (size_t at = 0; at <= request.len; at++) {
            struct fixture_session *fs = open_session();
            struct buf out = buf_make(100000);

            buf_put(&out, fixture_say_bytes(fs, slice_head(request, at)));
            if (!fs->over)
                buf_put(&out, fixture_say_bytes(fs, slice_from(request, at)));
            assert_slice(buf_slice(&out), exchanges[i].response);
            buf_done(&out);
            fixture_session_free(fs);
        }
    }
}

static void exchanges_go_byte_by_byte_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof exchanges / sizeof *exchanges; i++) {
        struct fixture_session *fs = open_session();

        fs->max_feed = 1;
        assert_slice(fixture_say(fs, exchanges[i].request), exchanges[i].response);
        fixture_session_free(fs);
    }
}

/* ---- what is refused ---- */

#define H " HTTP/1.1\r\nHost: x\r\n"
#define POST "POST /take" H
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

static const struct {
    unsigned status;
    const char *request;
} refused[] = {
    /* request lines (RFC 9112 3) */
    {400, "GET /hello\r\n\r\n"},
    {400, "GET  /hello HTTP/1.1\r\n"},
    {400, "GET /hello  HTTP/1.1\r\n"},
    {400, "GET /hello HTTP/1.1 \r\n"},
    {400, " GET /hello HTTP/1.1\r\n"},
    {400, "GET /he\tllo HTTP/1.1\r\n"},
    {400, "GET /h\xc3\xa9 HTTP/1.1\r\n"},
    {400, "G@T /hello HTTP/1.1\r\n"},
    {400, "GET /hello http/1.1\r\n"},
    {400, "GET /hello HTTP/1.10\r\n"},
    {400, "GET hello" H "\r\n"},
    {400, "GET *" H "\r\n"},
    {400, "GET /hello#here" H "\r\n"},
    {400, "GET ftp://x/hello" H "\r\n"},
    {400, "GET http://" H "\r\n"},
    {400, "GET http://u@x/hello" H "\r\n"},
    {400, "GET /%" H "\r\n"},
    {400, "GET /%4" H "\r\n"},
    {400, "GET /%4g" H "\r\n"},
    {400, "GET /%00" H "\r\n"},
    {400, "GET /%0d%0aX:" H "\r\n"},
    {400, "GET /%7f" H "\r\n"},
    {400, "GET /%c0%af" H "\r\n"},
    {505, "GET /hello HTTP/2.0\r\n"},
    {505, "PRI * HTTP/2.0\r\n"},
    {505, "GET /hello HTTP/0.9\r\n"},
    {501, "PUT /hello" H "\r\n"},
    {501, "CONNECT x:80" H "\r\n"},
    {501, "TRACE /hello" H "\r\n"},
    {501, "get /hello" H "\r\n"},
    {501, "BREW /pot" H "\r\n"},
    /* line ends (2.2): a bare LF or CR is none */
    {400, "GET /hello HTTP/1.1\nHost: x\n\n"},
    {400, "GET /hello HTTP/1.1\r\nHost: x\n"},
    {400, "GET /hello" H "\n"},
    {400, "GET /hello" H "X: a\rb\r\n"},
    {400, "\nGET /hello" H "\r\n"},
    /* fields (5) */
    {400, "GET /hello" H "X : y\r\n"},
    {400, "GET /hello" H " X: y\r\n"},
    {400, "GET /hello" H "X: y\r\n folded\r\n"},
    {400, "GET /hello" H "X: y\r\n\tfolded\r\n"},
    {400, "GET /hello HTTP/1.1\r\n Host: x\r\n"},
    {400, "GET /hello" H ": y\r\n"},
    {400, "GET /hello" H "no colon\r\n"},
    {400, "GET /hello" H "X(: y\r\n"},
    {400, "GET /hello" H "X: \x01\r\n"},
    {400, "GET /hello" H "X: \x7f\r\n"},
    /* Host (3.2) */
    {400, "GET /hello HTTP/1.1\r\n\r\n"},
    {400, "GET /hello" H "Host: x\r\n\r\n"},
    {400, "GET /hello HTTP/1.1\r\nHost: a/b\r\n\r\n"},
    {400, "GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n"},
    {400, "GET /hello HTTP/1.1\r\nHost: x:port\r\n\r\n"},
    {400, "GET /hello HTTP/1.1\r\nHost: [::1\r\n\r\n"},
    {400, "GET /hello HTTP/1.0\r\nHost: x\r\nHost: x\r\n\r\n"},
    /* framing (6.1, 6.3, 11.2) */
    {400, POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {400, POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"},
    {400, POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\n"},
    {400, POST "Content-Length: 3\r\ncontent-length: 4\r\n\r\n"},
    {400, POST "Content-Length: 3, 3\r\n\r\n"},
    {400, POST "Content-Length: +3\r\n\r\n"},
    {400, POST "Content-Length: -3\r\n\r\n"},
    {400, POST "Content-Length: 0x3\r\n\r\n"},
    {400, POST "Content-Length: 3 \t3\r\n\r\n"},
    {400, POST "Content-Length:\r\n\r\n"},
    {400, POST "Content-Length: 99999999999999999999\r\n\r\n"},
    {400, POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {400, POST "Transfer-Encoding: chunked, identity\r\n\r\n"},
    {400, POST "Transfer-Encoding: identity\r\n\r\n"},
    {400, POST "Transfer-Encoding: gzip\r\n\r\n"},
    {400, POST "Transfer-Encoding:\r\n\r\n"},
    {501, POST "Transfer-Encoding: gzip, chunked\r\n\r\n"},
    {400, "POST /take HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {411, POST "\r\n"},
    {413, POST "Content-Length: 1000001\r\n\r\n"},
    {417, POST "Content-Length: 1\r\nExpect: the best\r\n\r\n"},
    {400, "GET /private" H ALICE WRONG "\r\n"},
    /* chunks (7.1) */
    {400, CHUNKED "\r\n"},
    {400, CHUNKED "g\r\n"},
    {400, CHUNKED "-1\r\n"},
    {400, CHUNKED "0x1\r\n"},
    {400, CHUNKED " 1\r\n"},
    {400, CHUNKED "1 \r\n"},
    {400, CHUNKED "1\n"},
    {400, CHUNKED "1\r\r"},
    {400, CHUNKED "1;a\n"},
    {400, CHUNKED "1;\x01\r\n"},
    {400, CHUNKED "1\r\nab"},
    {400, CHUNKED "1\r\na\n"},
    {400, CHUNKED "1\r\na\rb"},
    {400, CHUNKED "0\r\n\n"},
    {400, CHUNKED "0\r\nA\r\n"},
    {400, CHUNKED "0\r\nA : b\r\n"},
    {400, CHUNKED "0\r\nA: b\r\n c\r\n"},
    {400, CHUNKED "0\r\nA: b\n"},
    {400, CHUNKED "0\r\n\r\r"},
    {413, CHUNKED "FFFFF\r\n"},
    {413, CHUNKED "11111111111111111\r\n"},
};

/* ... with the status that the RFC names, and then the connection ends: what follows is not read.
 */
static void malformed_requests_are_refused_and_end_the_connection(void **state)
{
    (void)state;
    fx->limits.max_request_body = 1000000;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        for (size_t max_feed = 1; max_feed < 100000; max_feed *= 1000) {
            struct fixture_session *fs = open_session();
            struct buf request = buf_make(10000);

            fs->max_feed = max_feed;
            buf_puts(&request, refused[i].request);
            buf_puts(&request, "\r\n" GET_HELLO GET_HELLO);
            struct slice got = fixture_say_bytes(fs, buf_slice(&request));
            if (status_of(got) != refused[i].status || !fs->over)
                fail_msg("%s\nwanted %u, got %.*s", refused[i].request, refused[i].status,
                         SLICE_ARG(got));
            assert_true(has(got, "\r\nConnection: close\r\n"));
            assert_false(has(got, "hello"));
            buf_done(&request);
            fixture_session_free(fs);
        }
    /* nobody tried anything; connections ended before they came to something that is open to all */
    assert_true(fx->n_records > 0);
    for (size_t i = 0; i < fx->n_records; i++)
        assert_int_equal(fx->records[i], AUTH_LOST);
}

static void a_nul_byte_is_refused_anywhere(void **state)
{
    (void)state;
    struct slice good = S(GET_HELLO);

    for (size_t at = 0; at < good.len; at++) {
        struct fixture_session *fs = open_session();
        struct buf bad = buf_make(1000);

        buf_put(&bad, slice_head(good, at));
        buf_putc(&bad, 0);
        buf_put(&bad, slice_from(good, at));
        assert_int_equal(status_of(fixture_say_bytes(fs, buf_slice(&bad))), 400);
        buf_done(&bad);
        fixture_session_free(fs);
    }
}

/* ---- limits ---- */

static unsigned status_with(const char *before, size_t n, uint8_t filler, const char *after)
{
    struct fixture_session *fs = open_session();
    struct buf request = buf_make(1 << 24);

    buf_puts(&request, before);
    for (size_t i = 0; i < n; i++)
        buf_putc(&request, filler);
    buf_puts(&request, after);
    unsigned status = status_of(fixture_say_bytes(fs, buf_slice(&request)));
    buf_done(&request);
    fixture_session_free(fs);
    return status;
}

static void a_request_line_may_be_as_long_as_configured(void **state)
{
    (void)state;
    const char *end = " HTTP/1.1\r\nHost: x\r\n\r\n";
    size_t rest = strlen("GET /tree/ HTTP/1.1");

    assert_int_equal(status_with("GET /tree/", 8192 - rest, 'a', end), 200);
    assert_int_equal(status_with("GET /tree/", 8193 - rest, 'a', end), 414);
    assert_int_equal(status_with("GET /tree/", 5000000, 'a', ""), 414);
    fx->limits.max_request_line = 100;
    assert_int_equal(status_with("GET /tree/", 101 - rest, 'a', end), 414);
}

static void a_head_may_be_as_large_as_configured(void **state)
{
    (void)state;
    assert_int_equal(status_with("GET /hello" H "X: ", 30000, 'a', "\r\n\r\n"), 200);
    assert_int_equal(status_with("GET /hello" H "X: ", 50000, 'a', "\r\n\r\n"), 431);
    assert_int_equal(status_with("GET /hello" H "X: ", 5000000, 'a', ""), 431);
}

static void a_head_may_have_as_many_fields_as_configured(void **state)
{
    (void)state;
    fx->limits.max_request_fields = 3;
    assert_int_equal(status_with("GET /hello" H "A: 1\r\nB: 2\r\n", 0, 0, "\r\n"), 200);
    assert_int_equal(status_with("GET /hello" H "A: 1\r\nB: 2\r\nC: 3\r\n", 0, 0, "\r\n"), 431);
}

static void chunks_together_may_be_as_large_as_configured(void **state)
{
    (void)state;
    fx->limits.max_request_body = 10;
    assert_int_equal(status_with(CHUNKED "5\r\nabcde\r\n5\r\nabcde\r\n0\r\n\r\n", 0, 0, ""), 200);
    assert_int_equal(status_with(CHUNKED "5\r\nabcde\r\n6\r\nabcdef\r\n0\r\n\r\n", 0, 0, ""), 413);
    /* with the ones before it this is the number 0 again */
    assert_int_equal(status_with(CHUNKED "1\r\na\r\nFFFFFFFFFFFFFFFF\r\n", 0, 0, ""), 413);
}

static void a_chunk_line_and_trailers_are_bounded(void **state)
{
    (void)state;
    assert_int_equal(status_with(CHUNKED "1;", 200, 'a', "\r\na\r\n0\r\n\r\n"), 200);
    assert_int_equal(status_with(CHUNKED "1;", 300, 'a', "\r\na\r\n0\r\n\r\n"), 400);
    assert_int_equal(status_with(CHUNKED "", 300, '0', "1\r\na\r\n0\r\n\r\n"), 400);
    assert_int_equal(status_with(CHUNKED "0\r\nX: ", 40000, 'a', "\r\n\r\n"), 431);
}

/* ---- bodies ---- */

static void a_body_is_streamed_through_with_little_memory(void **state)
{
    (void)state;
    struct fixture_session *fs = open_session();
    struct buf request = buf_make(1 << 24);
    struct slice got;
    size_t bytes = 0;

    buf_puts(&request, "POST /echo" H "Content-Length: 3000000\r\n\r\n");
    for (size_t i = 0; i < 3000000; i++)
        buf_putc(&request, (uint8_t)('a' + i % 26));
    fs->room = 1000;
    got = fixture_say_bytes(fs, buf_slice(&request));
    assert_true(has(slice_head(got, 200), "Transfer-Encoding: chunked\r\n"));
    for (got = body_of(got); got.len;) {
        unsigned long n = strtoul((const char *)got.ptr, NULL, 16);

        got = slice_from(got, slice_index(got, '\n') + 1);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(got.ptr[i], 'a' + (bytes + i) % 26);
        bytes += n;
        got = slice_from(got, n + 2);
    }
    assert_int_equal(bytes, 3000000);
    assert_false(fs->over);
    buf_done(&request);
    fixture_session_free(fs);
}

static void a_long_response_is_pulled_to_the_high_water_mark(void **state)
{
    (void)state;
    struct fixture_session *fs = open_session();

    fs->room = 5000; /* the fixture fails the test when a pull gives much more */
    struct slice got = fixture_say(fs, "GET /big" H "\r\n");
    assert_true(has(got, "Content-Length: 1000000\r\n"));
    assert_int_equal(body_of(got).len, 1000000);
    assert_true(fs->pulls > 150);
    assert_slice(fixture_say(fs, GET_HELLO), HELLO);
    fixture_session_free(fs);
}

static void an_http10_client_gets_an_unknown_length_by_the_end_of_the_connection(void **state)
{
    (void)state;
    struct fixture_session *fs = open_session();
    struct slice got = fixture_say(fs, "GET /wait HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");

    assert_false(has(got, "Transfer-Encoding"));
    assert_true(has(got, "Connection: close\r\n"));
    assert_slice(body_of(got), "PROCESSING\n");
    for (int i = 0; i < 3; i++)
        assert_slice(fixture_pass(fs, 15000), "PENDING\n");
    assert_slice(fixture_pass(fs, 15000), "DONE\n");
    assert_true(fs->over);
    fixture_session_free(fs);
}

static void a_body_that_nobody_wants_ends_the_connection_when_it_is_long(void **state)
{
    (void)state;
    struct fixture_session *fs = open_session();

    fixture_say(fs, "POST /ignore" H "Content-Length: 2000000\r\n\r\n");
    assert_true(fs->over);
    fixture_session_free(fs);
}

/* ---- Expect (RFC 9110 10.1.1) ---- */

static void a_client_that_asks_is_told_to_go_on(void **state)
{
    (void)state;
    struct fixture_session *fs = open_session();

    assert_slice(fixture_say(fs, POST "Content-Length: 3\r\nExpect: 100-Continue\r\n\r\n"),
                 "HTTP/1.1 100 Continue\r\n\r\n");
    assert_slice(body_of(fixture_say(fs, "abc")), "3\n");
    assert_false(fs->over);
    fixture_session_free(fs);
}

static void a_client_that_does_not_wait_is_not_told(void **state)
{
    (void)state;
    struct fixture_session *fs = open_session();
    struct slice got =
        fixture_say(fs, "POST /take HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");

    assert_int_equal(got.len, 0); /* HTTP/1.0 does not know it */
    assert_slice(body_of(fixture_say(fs, "abc")), "3\n");
    fixture_session_free(fs);
}

static void a_client_that_asks_and_is_refused_keeps_its_body(void **state)
{
    (void)state;
    struct fixture_session *fs = open_session();
    struct slice got = fixture_say(fs, "POST /private" H "Content-Length: 3\r\n"
                                       "Expect: 100-continue\r\n\r\n");

    assert_int_equal(status_of(got), 401);
    assert_true(fs->over); /* whether it sends the body now nobody knows */
    fixture_session_free(fs);
}

/* ---- waiting ---- */

static void a_response_may_take_minutes_and_show_signs_of_life(void **state)
{
    (void)state;
    struct fixture_session *fs = open_session();
    struct slice got = fixture_say(fs, "GET /wait" H "\r\n");

    assert_true(has(got, "Transfer-Encoding: chunked\r\n"));
    /* What a handler puts into a field cannot become another one. */
    assert_true(has(got, "X-Kind: waitX-Injected: no\r\n"));
    assert_slice(body_of(got), "B\r\nPROCESSING\n\r\n");
    assert_int_equal(fixture_pass(fs, 14999).len, 0);
    assert_slice(fixture_pass(fs, 1), "8\r\nPENDING\n\r\n");
    assert_slice(fixture_pass(fs, 15000), "8\r\nPENDING\n\r\n");
    assert_slice(fixture_pass(fs, 15000), "8\r\nPENDING\n\r\n");
    assert_slice(fixture_pass(fs, 15000), "5\r\nDONE\n\r\n0\r\n\r\n");
    assert_slice(body_of(fixture_say(fs, GET_HELLO)), "hello\n");
    fixture_session_free(fs);
}

static void a_handler_that_waits_learns_that_the_client_has_gone(void **state)
{
    (void)state;
    struct fixture_session *fs = open_session();

    fixture_say(fs, "GET /wait" H "\r\n");
    buf_clear(&fs->out);
    fs->session->ops->closed(fs->session);
    fixture_run(fs);
    assert_slice(buf_slice(&fs->out), "5\r\nGONE\n\r\n0\r\n\r\n");
    assert_true(fs->over);
    fixture_session_free(fs);
}

static void a_handler_that_waits_is_done_with_when_the_connection_breaks(void **state)
{
    (void)state;
    struct fixture_session *fs = open_session();

    fixture_say(fs, "GET /wait" H "\r\n");
    assert_int_equal(test_site_open, 1);
    fixture_session_free(fs);
    assert_int_equal(test_site_open, 0);
}

/* The driver goes on until the session wants something else than to be fed. */
static void poke(struct fixture_session *fs, const char *text)
{
    fixture_poke(fs, slice_str(text));
    while (fs->next == NEXT_PULL)
        fixture_poke(fs, SLICE_EMPTY);
}

static void a_client_that_closed_its_side_gets_its_answer(void **state)
{
    (void)state;
    struct fixture_session *fs = open_session();

    poke(fs, "POST /late" H "Content-Length: 3\r\n\r\nabc");
    fs->session->ops->closed(fs->session);
    fixture_poke(fs, SLICE_EMPTY);
    assert_int_equal(fs->next, NEXT_WAIT);
    test_site_go();
    fixture_run(fs);
    assert_slice(body_of(buf_slice(&fs->out)), "3\n");
    assert_true(has(buf_slice(&fs->out), "200 OK"));
    assert_true(fs->over);
    fixture_session_free(fs);
}

/* Requests that come meanwhile wait, and hold the driver back. */
static void requests_behind_one_that_waits_are_answered_after_it(void **state)
{
    (void)state;
    struct fixture_session *fs = open_session();

    poke(fs, "POST /late" H "Content-Length: 3\r\n\r\nabc");
    assert_int_equal(fs->next, NEXT_READ);
    poke(fs, GET_HELLO);
    poke(fs, GET_HELLO);
    assert_int_equal(fs->next, NEXT_WAIT);
    assert_int_equal(fs->out.len, 0);
    test_site_go();
    fixture_run(fs);
    assert_slice(buf_slice(&fs->out), "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 2\r\n"
                                      "X-Site: test\r\n\r\n3\n" HELLO HELLO);
    fixture_session_free(fs);
}

/* A handler that does not read holds the sender back after 64 KB. */
static void a_body_waits_for_its_handler(void **state)
{
    (void)state;
    struct fixture_session *fs = open_session();
    struct buf body = buf_make(200000);

    for (int i = 0; i < 200000; i++)
        buf_putc(&body, 'x');
    fixture_poke(fs, S("POST /late" H "Content-Length: 200000\r\n\r\n"));
    fixture_poke(fs, buf_slice(&body));
    poke(fs, "");
    assert_int_equal(fs->next, NEXT_WAIT);
    assert_int_equal(fs->in.len, 200000 - 65536);
    test_site_go();
    fixture_run(fs);
    assert_slice(body_of(buf_slice(&fs->out)), "200000\n");
    buf_done(&body);
    fixture_session_free(fs);
}

/* ---- time ---- */

static void a_head_that_does_not_come_to_its_end_is_a_time_out(void **state)
{
    (void)state;
    struct fixture_session *fs = open_session();

    fixture_say(fs, "GET /hello HTTP/1.1\r\n");
    fixture_pass(fs, 20000);
    fixture_say(fs, "Host: x\r\n"); /* drop by drop does not help */
    assert_int_equal(fixture_pass(fs, 9999).len, 0);
    assert_int_equal(status_of(fixture_pass(fs, 1)), 408);
    assert_true(fs->over);
    fixture_session_free(fs);
}

static void a_body_that_pauses_is_a_time_out(void **state)
{
    (void)state;
    struct fixture_session *fs = open_session();

    fixture_say(fs, POST "Content-Length: 10\r\n\r\nabc");
    fixture_pass(fs, 20000);
    fixture_say(fs, "d");
    assert_int_equal(fixture_pass(fs, 29999).len, 0);
    assert_int_equal(status_of(fixture_pass(fs, 1)), 408);
    assert_true(fs->over);
    fixture_session_free(fs);
}

static void an_idle_connection_is_closed_without_a_word(void **state)
{
    (void)state;
    struct fixture_session *fs = open_session();

    fixture_say(fs, GET_HELLO);
    assert_int_equal(fixture_pass(fs, 119999).len, 0);
    assert_false(fs->over);
    assert_int_equal(fixture_pass(fs, 1).len, 0);
    assert_true(fs->over);
    assert_string_equal(fs->summary.end, "timeout");
    fixture_session_free(fs);
}

/* ---- draining ---- */

static void drain(struct fixture_session *fs)
{
    buf_clear(&fs->out);
    fs->session->ops->drain(fs->session);
    fixture_run(fs);
}

static void an_idle_connection_ends_when_the_server_drains(void **state)
{
    (void)state;
    struct fixture_session *fs = open_session();

    fixture_say(fs, GET_HELLO);
    drain(fs);
    assert_true(fs->over);
    assert_int_equal(fs->out.len, 0);
    fixture_session_free(fs);
}

static void a_request_under_way_is_answered_when_the_server_drains(void **state)
{
    (void)state;
    struct fixture_session *fs = open_session();

    fixture_say(fs, "GET /hello HTTP/1.1\r\nHo");
    drain(fs);
    assert_false(fs->over);
    struct slice got = fixture_say(fs, "st: x\r\n\r\n" GET_HELLO);
    assert_true(has(got, "Connection: close\r\n"));
    assert_slice(body_of(got), "hello\n");
    assert_true(fs->over);
    fixture_session_free(fs);
}

static void a_handler_that_waits_is_told_that_the_server_drains(void **state)
{
    (void)state;
    struct fixture_session *fs = open_session();

    fixture_say(fs, "GET /wait" H "\r\n");
    drain(fs);
    assert_slice(buf_slice(&fs->out), "8\r\nDRAINED\n\r\n0\r\n\r\n");
    assert_true(fs->over);
    fixture_session_free(fs);
}

/* ---- log-on (RFC 7617) ---- */

static void who_gives_no_secret_is_asked_for_one(void **state)
{
    (void)state;
    struct fixture_session *fs = open_session();
    struct slice got = fixture_say(fs, "GET /private" H "\r\n");

    assert_int_equal(status_of(got), 401);
    assert_true(has(got, "WWW-Authenticate: Basic realm=\"Test\", charset=\"UTF-8\"\r\n"));
    assert_int_equal(fx->n_records, 0); /* nobody tried anything */
    got = fixture_say(fs, "GET /private" H ALICE "\r\n");
    assert_int_equal(status_of(got), 200);
    assert_slice(body_of(got), "alice@example.org");
    assert_string_equal(fs->summary.user, "alice@example.org");
    fixture_session_free(fs);
}

static void a_secret_is_not_asked_for_where_it_would_go_in_clear(void **state)
{
    (void)state;
    fx->plaintext_ok = false;
    struct fixture_session *fs = open_session();
    struct slice got = fixture_say(fs, "GET /private" H "\r\n");

    assert_int_equal(status_of(got), 403);
    assert_false(has(got, "WWW-Authenticate"));
    assert_int_equal(status_of(fixture_say(fs, "GET /private" H ALICE "\r\n")), 403);
    assert_int_equal(fixture_last_record(fx), AUTH_NEEDS_TLS);
    fixture_session_free(fs);
    fs = fixture_connect_tls(fx, test_site_session_new, AUTH_OPS);
    assert_int_equal(status_of(fixture_say(fs, "GET /private" H ALICE "\r\n")), 200);
    fixture_session_free(fs);
}

static const struct {
    const char *credentials;
    enum auth_reason reason;
    unsigned status;
} attempts[] = {
    {ALICE, AUTH_OK, 200},
    {"authorization:  bAsIc   YWxpY2U6Z2F0ZXBvc3Q=  \r\n", AUTH_OK, 200},
    {WRONG, AUTH_WRONG_SECRET, 401},
    /* nobody:x */
    {"Authorization: Basic bm9ib2R5Ong=\r\n", AUTH_UNKNOWN_USER, 401},
    /* alice */
    {"Authorization: Basic YWxpY2U=\r\n", AUTH_BAD_EXCHANGE, 401},
    /* al NUL ice:x */
    {"Authorization: Basic YWwAaWNlOng=\r\n", AUTH_BAD_EXCHANGE, 401},
    {"Authorization: Basic !!!\r\n", AUTH_BAD_EXCHANGE, 401},
    {"Authorization: Basic\r\n", AUTH_BAD_EXCHANGE, 401},
    {"Authorization: Bearer abc\r\n", AUTH_BAD_MECHANISM, 401},
    {"Authorization: PLAIN AGFsaWNlAGdhdGVwb3N0\r\n", AUTH_BAD_MECHANISM, 401},
    {"Authorization: SCRAM-SHA-256 abc\r\n", AUTH_BAD_MECHANISM, 401},
};

static void every_attempt_has_one_verdict_and_one_record(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
        struct fixture_session *fs = open_session();
        struct buf request = buf_make(1000);

        buf_printf(&request, "GET /private" H "%s\r\n", attempts[i].credentials);
        struct slice got = fixture_say_bytes(fs, buf_slice(&request));
        assert_int_equal(fx->n_records, i + 1);
        if (fixture_last_record(fx) != attempts[i].reason || status_of(got) != attempts[i].status)
            fail_msg("%s: %s, %u", attempts[i].credentials,
                     auth_reason_name(fixture_last_record(fx)), status_of(got));
        buf_done(&request);
        fixture_session_free(fs);
    }
}

static void a_source_that_is_down_is_not_told_as_a_wrong_secret(void **state)
{
    (void)state;
    fx->source_down = ERR_UNAVAILABLE;
    struct fixture_session *fs = open_session();
    struct slice got = fixture_say(fs, "GET /private" H ALICE "\r\n");

    assert_int_equal(status_of(got), 503);
    assert_true(has(got, "Retry-After: "));
    fixture_session_free(fs);
}

static void guessing_ends_the_connection(void **state)
{
    (void)state;
    struct fixture_session *fs = open_session();

    for (int i = 0; i < 3; i++) {
        assert_false(fs->over);
        assert_int_equal(status_of(fixture_say(fs, "GET /private" H WRONG "\r\n")), 401);
    }
    assert_true(fs->over);
    fixture_session_free(fs);
}

static void the_next_request_with_the_same_secret_is_no_attempt(void **state)
{
    (void)state;
    struct fixture_session *fs = open_session();

    for (int i = 0; i < 3; i++)
        assert_int_equal(status_of(fixture_say(fs, "GET /private" H ALICE "\r\n")), 200);
    assert_int_equal(fx->n_records, 1);
    /* ... with another it is, and what was let in before is forgotten. */
    assert_int_equal(status_of(fixture_say(fs, "GET /private" H WRONG "\r\n")), 401);
    assert_int_equal(fx->n_records, 2);
    assert_int_equal(status_of(fixture_say(fs, "GET /private" H ALICE "\r\n")), 200);
    assert_int_equal(fx->n_records, 3);
    fixture_session_free(fs);
}

/* What an administrator changes counts from the next request on. */
static void what_was_let_in_is_looked_at_anew_when_its_account_changes(void **state)
{
    (void)state;
    struct fixture_session *fs = open_session();

    assert_int_equal(status_of(fixture_say(fs, "GET /private" H ALICE "\r\n")), 200);
    fx->generation++;
    assert_int_equal(status_of(fixture_say(fs, "GET /private" H ALICE "\r\n")), 200);
    assert_int_equal(fx->n_records, 2);
    fx->generation++;
    fx->protocols = AUTH_IMAP;
    assert_int_equal(status_of(fixture_say(fs, "GET /private" H ALICE "\r\n")), 403);
    assert_int_equal(fixture_last_record(fx), AUTH_PROTOCOL_OFF);
    fixture_session_free(fs);
}

/* A client of MAPI sends its secret with every one of a thousand requests. */
static void accounts_are_not_looked_up_again_where_none_has_changed(void **state)
{
    (void)state;
    struct fixture_session *fs = open_session();
    unsigned lookups;

    assert_int_equal(status_of(fixture_say(fs, "GET /private" H ALICE "\r\n")), 200);
    assert_int_equal(status_of(fixture_say(fs, "GET /private" H ALICE "\r\n")), 200);
    lookups = fx->lookups;
    for (int i = 0; i < 3; i++)
        assert_int_equal(status_of(fixture_say(fs, "GET /private" H ALICE "\r\n")), 200);
    assert_int_equal(fx->lookups, lookups);
    fx->source_down = ERR_UNAVAILABLE;
    assert_int_equal(status_of(fixture_say(fs, "GET /private" H ALICE "\r\n")), 503);
    fixture_session_free(fs);
}

static void what_was_let_in_ends_with_a_new_configuration(void **state)
{
    (void)state;
    static const char *const domains[] = {"example.org", NULL};
    struct auth_config config = {.host_name = "x", .domains = domains, .no_back_off = true};
    struct fixture_session *fs = open_session();

    assert_int_equal(status_of(fixture_say(fs, "GET /private" H ALICE "\r\n")), 200);
    assert_ok(auth_reconfigure(fx->auth, &config));
    assert_int_equal(status_of(fixture_say(fs, "GET /private" H ALICE "\r\n")), 200);
    assert_int_equal(fx->n_records, 2);
    fixture_session_free(fs);
}

static void what_was_let_in_ends_with_its_expiry(void **state)
{
    (void)state;
    struct fixture_session *fs = open_session();

    fx->expires = clock_now().wall + 3600 * FILETIME_SECOND;
    assert_int_equal(status_of(fixture_say(fs, "GET /private" H ALICE "\r\n")), 200);
    fixture_session_free(fs);
    fx->expires = 1;
    fs = open_session();
    assert_int_equal(status_of(fixture_say(fs, "GET /private" H ALICE "\r\n")), 401);
    assert_int_equal(fixture_last_record(fx), AUTH_EXPIRED);
    fixture_session_free(fs);
}

static void where_no_logon_is_needed_none_is_asked_for(void **state)
{
    (void)state;
    fx->no_logon = true;
    struct fixture_session *fs = open_session();

    static const char *const ours[] = {"127.0.0.1:1180", "[::1]:1180",       "localhost",
                                       "LOCALHOST:1",    "mail.example.org", ""};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        struct buf request = buf_make(1000);

        buf_printf(&request, "GET /private HTTP/1.1\r\nHost: %s\r\n\r\n", ours[i]);
        assert_int_equal(status_of(fixture_say_bytes(fs, buf_slice(&request))), 200);
        buf_done(&request);
    }
    /* ... but not of a page whose name was made to lead here. */
    assert_int_equal(
        status_of(fixture_say(fs, "GET /private HTTP/1.1\r\nHost: evil.example\r\n\r\n")), 401);
    fixture_session_free(fs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(exchanges_do_not_depend_on_how_the_bytes_come),
        TEST(exchanges_go_byte_by_byte_both_ways),
        TEST(malformed_requests_are_refused_and_end_the_connection),
        TEST(a_nul_byte_is_refused_anywhere),
        TEST(a_request_line_may_be_as_long_as_configured),
        TEST(a_head_may_be_as_large_as_configured),
        TEST(a_head_may_have_as_many_fields_as_configured),
        TEST(chunks_together_may_be_as_large_as_configured),
        TEST(a_chunk_line_and_trailers_are_bounded),
        TEST(a_body_is_streamed_through_with_little_memory),
        TEST(a_long_response_is_pulled_to_the_high_water_mark),
        TEST(an_http10_client_gets_an_unknown_length_by_the_end_of_the_connection),
        TEST(a_body_that_nobody_wants_ends_the_connection_when_it_is_long),
        TEST(a_client_that_asks_is_told_to_go_on),
        TEST(a_client_that_does_not_wait_is_not_told),
        TEST(a_client_that_asks_and_is_refused_keeps_its_body),
        TEST(a_response_may_take_minutes_and_show_signs_of_life),
        TEST(a_handler_that_waits_learns_that_the_client_has_gone),
        TEST(a_handler_that_waits_is_done_with_when_the_connection_breaks),
        TEST(a_client_that_closed_its_side_gets_its_answer),
        TEST(requests_behind_one_that_waits_are_answered_after_it),
        TEST(a_body_waits_for_its_handler),
        TEST(a_head_that_does_not_come_to_its_end_is_a_time_out),
        TEST(a_body_that_pauses_is_a_time_out),
        TEST(an_idle_connection_is_closed_without_a_word),
        TEST(an_idle_connection_ends_when_the_server_drains),
        TEST(a_request_under_way_is_answered_when_the_server_drains),
        TEST(a_handler_that_waits_is_told_that_the_server_drains),
        TEST(who_gives_no_secret_is_asked_for_one),
        TEST(a_secret_is_not_asked_for_where_it_would_go_in_clear),
        TEST(every_attempt_has_one_verdict_and_one_record),
        TEST(a_source_that_is_down_is_not_told_as_a_wrong_secret),
        TEST(guessing_ends_the_connection),
        TEST(the_next_request_with_the_same_secret_is_no_attempt),
        TEST(what_was_let_in_is_looked_at_anew_when_its_account_changes),
        TEST(accounts_are_not_looked_up_again_where_none_has_changed),
        TEST(what_was_let_in_ends_with_a_new_configuration),
        TEST(what_was_let_in_ends_with_its_expiry),
        TEST(where_no_logon_is_needed_none_is_asked_for),
    };

    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
