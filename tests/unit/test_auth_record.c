/* Exactly one record for each attempt, and a line that nothing a client sends can forge. */
#include "tests/support/auth_fixture.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <netinet/in.h>

#include "auth/auth_int.h"
#include "base/base64.h"

static json_t *parse(const char *line)
{
    json_error_t error;
    json_t *record = json_loads(line, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);

    if (!record)
        fail_msg("%s: %s", error.text, line);
    return record;
}

static const char *text(const json_t *record, const char *member)
{
    const char *value = json_string_value(json_object_get(record, member));

    assert_non_null(value);
    return value;
}

static void a_record_says_who_when_where_how_and_why(void **state)
{
    struct fixture *f = *state;

    fixture_use_tls(f);
    f->peer.client_name = S("Thunderbird 128");
    fixture_password(f, S("EXAMPLE\\alice"), S("wrong"));
    json_t *r = parse(fixture_last(f)->line);
    assert_int_equal(json_integer_value(json_object_get(r, "v")), 1);
    assert_int_equal(json_integer_value(json_object_get(r, "event")), 11310);
    assert_string_equal(text(r, "result"), "fail");
    assert_string_equal(text(r, "stage"), "credential");
    assert_string_equal(text(r, "reason"), "wrong-secret");
    assert_string_equal(text(r, "protocol"), "imap");
    assert_string_equal(text(r, "listener"), "imap");
    assert_string_equal(text(r, "session"), "s1");
    assert_string_equal(text(r, "client"), "192.0.2.7");
    assert_int_equal(json_integer_value(json_object_get(r, "client_port")), 4711);
    assert_string_equal(text(r, "server"), "");
    assert_string_equal(text(r, "client_name"), "Thunderbird 128");
    assert_string_equal(text(r, "tls"), "TLSv1.3");
    assert_string_equal(text(r, "cipher"), "TLS_AES_128_GCM_SHA256");
    assert_string_equal(text(r, "mechanism"), "USER");
    assert_string_equal(text(r, "name"), "EXAMPLE\\alice");
    assert_string_equal(text(r, "identity"), "alice");
    assert_string_equal(text(r, "actor"), "");
    assert_true(json_is_false(json_object_get(r, "legacy_charset")));
    /* PBKDF2 takes its time */
    assert_true(json_integer_value(json_object_get(r, "latency_us")) > 0);
    json_decref(r);
}

static void whatever_a_client_sends_stays_within_one_line_of_ascii(void **state)
{
    struct fixture *f = *state;
    static const struct slice names[] = {
        S("a\r\nb"),
        S("\"},{\"reason\":\"ok"),
        S("\xff\xfe"),
        S("a\xc3"),
        S("\x1b[2J\x1b]0;x\x07"),
        S("\xc2\x9b"
          "31m"),
        S("%s%n%p"),
        S("user=<root>, rip=127.0.0.1"),
        S("\xe2\x80\xae"),
        S("\xe2\x80\xa8"),
        S("\\u0000"),
        S("\x7f\x7f"
          "a\x7f"),
        S("zo\xc3\xab"),
        S("\xf0\x9f\x93\xac"),
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        f->peer.client_name = names[i];
        fixture_password(f, names[i], S("wrong"));
        const char *line = fixture_last(f)->line;
        size_t len = strlen(line);

        assert_ptr_equal(strchr(line, '\n'), line + len - 1);
        for (size_t k = 0; k + 1 < len; k++)
            assert_true(line[k] >= 0x20 && line[k] < 0x7F);
        json_t *r = parse(line);
        const json_t *exact = json_object_get(r, "name_bytes");
        if (slice_is_utf8(names[i])) {
            assert_null(exact);
            assert_slice(names[i], text(r, "name"));
        } else {
            struct buf bytes = buf_make(100);

            assert_true(base64_decode(slice_str(json_string_value(exact)), &bytes));
            assert_true(slice_eq(buf_slice(&bytes), names[i]));
            buf_done(&bytes);
            assert_non_null(strstr(text(r, "name"), "\\x"));
        }
        json_decref(r);
    }
}

static void random_bytes_make_valid_records(void **state)
{
    struct fixture *f = *state;
    struct rng rng = rng_seeded();

    (void)f;
    for (int round = 0; round < 3000; round++) {
        uint8_t bytes[40];
        size_t len = rng_below(&rng, sizeof bytes);
        struct buf line = buf_make(1 << 16);
        struct auth_record record = {.peer = &f->peer, .reason = AUTH_LOST};

        for (size_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)rng_below(&rng, 256);
        record.name_given = slice_of(bytes, len);
        auth_record_put(&record, &line);
        buf_putc(&line, 0);
        json_decref(parse((const char *)buf_slice(&line).ptr));
        buf_done(&line);
    }
}

static void addresses_are_printed_as_people_write_them(void **state)
{
    static const struct {
        int family;
        const char *address, *want;
    } rows[] = {
        {AF_INET, "203.0.113.9", "203.0.113.9"},
        {AF_INET6, "2001:db8::1", "2001:db8::1"},
        {AF_INET6, "::ffff:203.0.113.9", "203.0.113.9"},
        {AF_UNIX, "", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sockaddr_storage a = {.ss_family = (sa_family_t)rows[i].family};
        char got[64];

        if (rows[i].family == AF_INET)
            inet_pton(AF_INET, rows[i].address, &((struct sockaddr_in *)&a)->sin_addr);
        if (rows[i].family == AF_INET6)
            inet_pton(AF_INET6, rows[i].address, &((struct sockaddr_in6 *)&a)->sin6_addr);
        place_text(&a, got);
        assert_string_equal(got, rows[i].want);
    }
}

static void one_client_is_an_ipv4_address_or_a_64_of_ipv6(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } rows[] = {
        {"2001:db8::1", "2001:db8::ffff:1", true},
        {"2001:db8::1", "2001:db8:0:1::1", false},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.1", true},
        {"::1", "::2", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sockaddr_storage a = {.ss_family = AF_INET6}, b = a;

        inet_pton(AF_INET6, rows[i].a, &((struct sockaddr_in6 *)&a)->sin6_addr);
        inet_pton(AF_INET6, rows[i].b, &((struct sockaddr_in6 *)&b)->sin6_addr);
        struct auth_place pa = place_of(&a), pb = place_of(&b);
        assert_int_equal(memcmp(&pa, &pb, sizeof pa) == 0, rows[i].same);
    }
}

static void every_reason_has_its_name_stage_and_event(void **state)
{
    (void)state;
    for (int a = 0; a < AUTH_REASON_COUNT; a++) {
        assert_non_null(auth_reason_name((enum auth_reason)a));
        assert_true(auth_reason_event((enum auth_reason)a) > 11000);
        assert_string_not_equal(auth_stage_name(auth_reason_stage((enum auth_reason)a)), "unknown");
        for (int b = 0; b < a; b++)
            assert_string_not_equal(auth_reason_name((enum auth_reason)a),
                                    auth_reason_name((enum auth_reason)b));
    }
    assert_int_equal(auth_reason_event(AUTH_LOST), 11103);
    assert_int_equal(auth_reason_event(AUTH_UNKNOWN_USER), 11310);
    assert_string_equal(auth_protocol_name(AUTH_LMTP), "lmtp");
}

static void what_comes_before_or_after_an_attempt_is_on_record_too(void **state)
{
    struct fixture *f = *state;

    auth_record_lost(f->auth, &f->peer, S("alice"));
    assert_int_equal(fixture_last(f)->reason, AUTH_LOST);
    assert_string_equal(fixture_last(f)->name, "alice");
    auth_record_event(f->auth, &f->peer, S("alice"), AUTH_NO_MAILBOX);
    assert_non_null(strstr(fixture_last(f)->line, "mailbox-unavailable"));
    assert_string_equal(fixture_last(f)->identity, "alice");
    assert_int_equal(f->n_records, 2);
}

static void sessions_are_limited_by_user_and_address(void **state)
{
    struct fixture *f = *state;
    struct auth_peer elsewhere = f->peer;

    ((struct sockaddr_in *)&elsewhere.remote)->sin_addr.s_addr = htonl(0xC0000208);
    for (int i = 0; i < 50; i++)
        assert_ok(auth_session_enter(f->auth, &f->peer, S("alice")));
    assert_code(auth_session_enter(f->auth, &f->peer, S("alice")), ERR_LIMIT);
    assert_ok(auth_session_enter(f->auth, &f->peer, S("bob")));
    assert_ok(auth_session_enter(f->auth, &elsewhere, S("alice")));
    auth_session_leave(f->auth, &f->peer, S("alice"));
    assert_ok(auth_session_enter(f->auth, &f->peer, S("alice")));
    assert_code(auth_session_enter(f->auth, &f->peer, S("alice")), ERR_LIMIT);
    for (int i = 0; i < 50; i++)
        auth_session_leave(f->auth, &f->peer, S("alice"));
    auth_session_leave(f->auth, &f->peer, S("bob"));
    assert_ok(auth_session_enter(f->auth, &f->peer, S("alice")));
}

#define T(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_record_says_who_when_where_how_and_why),
        T(whatever_a_client_sends_stays_within_one_line_of_ascii),
        T(random_bytes_make_valid_records),
        cmocka_unit_test(addresses_are_printed_as_people_write_them),
        cmocka_unit_test(one_client_is_an_ipv4_address_or_a_64_of_ipv6),
        cmocka_unit_test(every_reason_has_its_name_stage_and_event),
        T(what_comes_before_or_after_an_attempt_is_on_record_too),
        T(sessions_are_limited_by_user_and_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
