/* PLAIN, LOGIN and USER/PASS: one secret, one verdict. */
#include "tests/support/auth_fixture.h"

#include "base/base64.h"

static const char *plain(const char *authzid, const char *name, struct slice secret)
{
    struct buf message = buf_make(8192);

    buf_puts(&message, authzid);
    buf_putc(&message, 0);
    buf_puts(&message, name);
    buf_putc(&message, 0);
    buf_put(&message, secret);
    const char *text = b64(buf_slice(&message));
    buf_done(&message);
    return text;
}

/* The same name and secret through every door; they must agree. */
static enum auth_reason every_door(struct fixture *f, struct slice name, struct slice secret)
{
    struct buf message = buf_make(8192);
    enum auth_reason reason = fixture_password(f, name, secret);
    size_t before = f->n_records;

    buf_putc(&message, 0);
    buf_put(&message, name);
    buf_putc(&message, 0);
    buf_put(&message, secret);
    const char *coded = b64(buf_slice(&message));
    buf_done(&message);
    assert_int_equal(fixture_exchange(f, "PLAIN", coded, NULL), reason);
    assert_int_equal(fixture_exchange(f, "PLAIN", NULL, (const char *[]){coded, NULL}), reason);
    const char *user = b64(name), *word = b64(secret);
    assert_int_equal(fixture_exchange(f, "LOGIN", NULL, (const char *[]){user, word, NULL}),
                     reason);
    assert_int_equal(fixture_exchange(f, "LOGIN", "=", (const char *[]){user, word, NULL}), reason);
    if (name.len)
        assert_int_equal(fixture_exchange(f, "LOGIN", user, (const char *[]){word, NULL}), reason);
    assert_int_equal(f->n_records - before, name.len ? 5 : 4);
    return reason;
}

static void the_right_secret_logs_on_through_every_door(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(every_door(f, S("alice"), S("gatepost")), AUTH_OK);
    assert_int_equal(every_door(f, S("ALICE"), S("gatepost")), AUTH_OK);
    assert_int_equal(every_door(f, S("alice"), S("Gatepost")), AUTH_WRONG_SECRET);
    assert_int_equal(every_door(f, S("bob"), S(" two  blanks ")), AUTH_OK);
    assert_int_equal(every_door(f, S("bob"), S("two  blanks ")), AUTH_WRONG_SECRET);
    assert_int_equal(every_door(f, S("bob"), S(" two  blanks")), AUTH_WRONG_SECRET);
    assert_int_equal(every_door(f, S("bob"), S(" two blanks ")), AUTH_WRONG_SECRET);
}

static void a_verdict_names_the_mailbox(void **state)
{
    struct fixture *f = *state;
    struct auth_attempt *a = fixture_begin(f);

    auth_attempt_password(a, "USER", S("example\\SALES"), S("gatepost"));
    while (auth_attempt_state(a) == AUTH_WORKING)
        test_loop_wait(f->loop);
    assert_int_equal(auth_attempt_verdict(a)->reason, AUTH_OK);
    assert_slice(auth_attempt_verdict(a)->identity, "carol@example.net");
    assert_int_equal(auth_attempt_verdict(a)->mailbox_id,
                     fixture_account(f, "carol@example.net")->mailbox_id);
    assert_false(auth_attempt_verdict(a)->admin);
    auth_attempt_free(a);
    assert_string_equal(fixture_last(f)->mechanism, "USER");
    assert_string_equal(fixture_last(f)->name, "example\\SALES");
    assert_string_equal(fixture_last(f)->identity, "carol@example.net");
    assert_string_equal(fixture_last(f)->actor, "");
}

static void no_name_tells_whether_it_exists_before_the_secret_is_right(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *name;
        enum auth_reason wrong, right;
    } rows[] = {
        {"nobody", AUTH_UNKNOWN_USER, AUTH_UNKNOWN_USER},
        {"nobody@example.org", AUTH_UNKNOWN_USER, AUTH_UNKNOWN_USER},
        {"both", AUTH_AMBIGUOUS_NAME, AUTH_AMBIGUOUS_NAME},
        {"\xff", AUTH_BAD_NAME, AUTH_BAD_NAME},
        {"", AUTH_BAD_NAME, AUTH_BAD_NAME},
        {"nora", AUTH_WRONG_SECRET, AUTH_WRONG_SECRET},
        {"dora", AUTH_WRONG_SECRET, AUTH_LOCKED},
        {"ed", AUTH_WRONG_SECRET, AUTH_EXPIRED},
        {"fay", AUTH_WRONG_SECRET, AUTH_PROTOCOL_OFF},
        {"down", AUTH_UNAVAILABLE, AUTH_UNAVAILABLE},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(every_door(f, slice_str(rows[i].name), S("wrong")), rows[i].wrong);
        assert_int_equal(every_door(f, slice_str(rows[i].name), S("gatepost")), rows[i].right);
    }
    f->peer.protocol = AUTH_POP3;
    assert_int_equal(every_door(f, S("fay"), S("gatepost")), AUTH_OK);
}

static void secrets_of_all_lengths_go_through_every_door_alike(void **state)
{
    struct fixture *f = *state;
    char secret[1100];
    struct buf keys = buf_make(4096);

    memset(secret, 'x', sizeof secret);
    assert_ok(auth_credentials_make(slice_of(secret, 1000), 0, &keys));
    fixture_account(f, "alice")->credentials = buf_slice(&keys);
    assert_int_equal(every_door(f, S("alice"), S("")), AUTH_WRONG_SECRET);
    assert_int_equal(every_door(f, S("alice"), slice_of(secret, 999)), AUTH_WRONG_SECRET);
    assert_int_equal(every_door(f, S("alice"), slice_of(secret, 1000)), AUTH_OK);
    assert_int_equal(every_door(f, S("alice"), slice_of(secret, 1001)), AUTH_WRONG_SECRET);
    assert_int_equal(every_door(f, S("alice"), slice_of(secret, 1024)), AUTH_WRONG_SECRET);
    assert_int_equal(every_door(f, S("alice"), slice_of(secret, 1025)), AUTH_WRONG_SECRET);
    assert_int_equal(every_door(f, S("alice"), slice_of(secret, 1100)), AUTH_WRONG_SECRET);
    memset(secret, 'n', sizeof secret);
    assert_int_equal(every_door(f, slice_of(secret, 1024), S("x")), AUTH_BAD_NAME);
    assert_int_equal(every_door(f, slice_of(secret, 1025), S("x")), AUTH_BAD_NAME);
    assert_int_equal(every_door(f, slice_of(secret, 255), S("x")), AUTH_UNKNOWN_USER);
    buf_done(&keys);
}

/* CVE-2019-11500 and its kin: what stands behind a NUL is never dropped. */
static void a_nul_anywhere_is_a_bad_exchange_at_every_door(void **state)
{
    struct fixture *f = *state;
    static const char name[] = "alice", secret[] = "gatepost";

    for (size_t at = 0; at <= 5; at++) {
        struct buf with = buf_make(64);

        buf_put(&with, slice_of(name, at));
        buf_putc(&with, 0);
        buf_puts(&with, name + at);
        assert_int_equal(every_door(f, buf_slice(&with), S("gatepost")), AUTH_BAD_EXCHANGE);
        buf_done(&with);
    }
    for (size_t at = 0; at <= 8; at++) {
        struct buf with = buf_make(64);

        buf_put(&with, slice_of(secret, at));
        buf_putc(&with, 0);
        buf_puts(&with, secret + at);
        assert_int_equal(every_door(f, S("alice"), buf_slice(&with)), AUTH_BAD_EXCHANGE);
        buf_done(&with);
    }
}

static void quotes_backslashes_and_percents_are_bytes_like_others(void **state)
{
    struct fixture *f = *state;
    static const char *const secrets[] = {
        "\"",      "\\",     "\\\"",    "%s%n",      "(){}*%[]",
        "\"a\" b", "a\\\\b", "=2C,=3D", "gatepost ", "\xc2\xa7\xc2\xa3"};

    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++) {
        struct buf keys = buf_make(4096);

        assert_ok(auth_credentials_make(slice_str(secrets[i]), 0, &keys));
        fixture_account(f, "alice")->credentials = buf_slice(&keys);
        assert_int_equal(every_door(f, S("alice"), slice_str(secrets[i])), AUTH_OK);
        buf_done(&keys);
    }
}

static void a_secret_is_tried_composed_then_in_the_legacy_character_set(void **state)
{
    struct fixture *f = auth_fixture_new();

    (void)state;
    f->config.legacy_charset = "windows-1252";
    fixture_start(f);
    /* zoe's secret was set composed; she types it decomposed, and on an old client */
    assert_int_equal(every_door(f, S("zo\xc3\xab"),
                                S("Gr\xc3\xbc\xc3\x9f"
                                  "e")),
                     AUTH_OK);
    assert_false(fixture_last(f)->legacy);
    assert_int_equal(every_door(f, S("zoe\xcc\x88"),
                                S("Gru\xcc\x88\xc3\x9f"
                                  "e")),
                     AUTH_OK);
    assert_false(fixture_last(f)->legacy);
    assert_int_equal(every_door(f, S("ZO\xc3\x8b"),
                                S("Gr\xfc\xdf"
                                  "e")),
                     AUTH_OK);
    assert_true(fixture_last(f)->legacy);
    /* once more, from the cache: the record says so still */
    assert_int_equal(every_door(f, S("zo\xc3\xab"),
                                S("Gr\xfc\xdf"
                                  "e")),
                     AUTH_OK);
    assert_true(fixture_last(f)->legacy);
    assert_int_equal(every_door(f, S("zo\xc3\xab"), S("Gr\xfc\xdf")), AUTH_WRONG_SECRET);
    assert_int_equal(every_door(f, S("nobody"), S("Gr\xfc\xdf")), AUTH_UNKNOWN_USER);
    auth_fixture_free(f);
}

static void without_a_legacy_character_set_only_utf8_will_do(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(every_door(f, S("zo\xc3\xab"),
                                S("Gr\xfc\xdf"
                                  "e")),
                     AUTH_WRONG_SECRET);
}

static void a_changed_account_changes_the_verdict_at_once(void **state)
{
    struct fixture *f = *state;
    struct auth_account *alice = fixture_account(f, "alice");
    struct buf keys = buf_make(4096);

    assert_int_equal(every_door(f, S("alice"), S("gatepost")), AUTH_OK);
    assert_ok(auth_credentials_make(S("new"), 0, &keys));
    alice->credentials = buf_slice(&keys);
    alice->generation++;
    assert_int_equal(every_door(f, S("alice"), S("gatepost")), AUTH_WRONG_SECRET);
    assert_int_equal(every_door(f, S("alice"), S("new")), AUTH_OK);
    alice->locked = true;
    alice->generation++;
    assert_int_equal(every_door(f, S("alice"), S("new")), AUTH_LOCKED);
    buf_done(&keys);
}

static void only_an_administrator_acts_for_another(void **state)
{
    struct fixture *f = *state;
    struct slice s = S("gatepost");
    static const struct {
        const char *authzid, *name;
        enum auth_reason reason;
        const char *identity, *actor;
    } rows[] = {
        {"alice", "alice", AUTH_OK, "alice", ""},
        {"Alice@Example.org", "example\\alice", AUTH_OK, "alice", ""},
        {"bob", "alice", AUTH_NOT_AUTHORIZED, "bob", "alice"},
        {"nobody", "alice", AUTH_NOT_AUTHORIZED, "alice", ""},
        {"nobody", "root", AUTH_NOT_AUTHORIZED, "root", ""},
        {"\xff", "root", AUTH_NOT_AUTHORIZED, "root", ""},
        {"alice", "root", AUTH_OK, "alice", "root"},
        {"dora", "root", AUTH_LOCKED, "dora", "root"},
        {"fay", "root", AUTH_PROTOCOL_OFF, "fay", "root"},
        {"ed", "root", AUTH_OK, "ed", "root"}, /* his secret is not used */
        {"alice", "nobody", AUTH_UNKNOWN_USER, "", ""},
        {"down", "alice", AUTH_UNAVAILABLE, "alice", ""},
        {"", "example\\root\\sales", AUTH_OK, "carol@example.net", "root"},
        {"", "EXAMPLE/root/bob", AUTH_OK, "bob", "root"},
        {"", "example\\alice\\sales", AUTH_NOT_AUTHORIZED, "carol@example.net", "alice"},
        {"", "example\\carol\\sales", AUTH_OK, "carol@example.net", ""},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *message = plain(rows[i].authzid, rows[i].name, s);

        if (fixture_exchange(f, "PLAIN", message, NULL) != rows[i].reason)
            fail_msg("%s for %s: %s", rows[i].name, rows[i].authzid,
                     auth_reason_name(fixture_last(f)->reason));
        assert_string_equal(fixture_last(f)->identity, rows[i].identity);
        assert_string_equal(fixture_last(f)->actor, rows[i].actor);
    }
    /* with a wrong secret nothing is said of the other */
    assert_int_equal(fixture_exchange(f, "PLAIN", plain("bob", "alice", S("x")), NULL),
                     AUTH_WRONG_SECRET);
    assert_int_equal(fixture_exchange(f, "PLAIN", plain("nobody", "alice", S("x")), NULL),
                     AUTH_WRONG_SECRET);
}

static void what_is_not_plain_is_a_bad_exchange(void **state)
{
    struct fixture *f = *state;
    static const struct slice messages[] = {
        S("alice"),  S("\0alice"), S("\0alice\0gatepost\0"), S("alice\0alice\0gatepost\0x"),
        S("\0\0\0"), S("\0"),
    };

    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
        assert_int_equal(fixture_exchange(f, "PLAIN", b64(messages[i]), NULL), AUTH_BAD_EXCHANGE);
    assert_int_equal(fixture_exchange(f, "PLAIN", "=", NULL), AUTH_BAD_EXCHANGE);
    assert_int_equal(fixture_exchange(f, "PLAIN", NULL, (const char *[]){"", NULL}),
                     AUTH_BAD_EXCHANGE);
    assert_int_equal(fixture_exchange(f, "PLAIN", "AGE", NULL), AUTH_BAD_EXCHANGE);
    assert_int_equal(fixture_exchange(f, "PLAIN", "*", NULL), AUTH_BAD_EXCHANGE);
    assert_int_equal(fixture_exchange(f, "PLAIN", NULL, (const char *[]){"=", NULL}),
                     AUTH_BAD_EXCHANGE);
    assert_int_equal(f->n_records, sizeof messages / sizeof *messages + 5);
}

static void a_line_beyond_the_limit_is_a_bad_exchange(void **state)
{
    struct fixture *f = *state;
    char line[AUTH_MAX_LINE + 5];

    memset(line, 'A', sizeof line);
    line[AUTH_MAX_LINE + 4] = 0;
    assert_int_equal(fixture_exchange(f, "PLAIN", line, NULL), AUTH_BAD_EXCHANGE);
    assert_int_equal(fixture_exchange(f, "LOGIN", NULL, (const char *[]){line, NULL}),
                     AUTH_BAD_EXCHANGE);
}

static void an_asterisk_cancels_wherever_the_client_may_speak(void **state)
{
    struct fixture *f = *state;
    const char *user = b64(S("alice"));

    assert_int_equal(fixture_exchange(f, "PLAIN", NULL, (const char *[]){"*", NULL}),
                     AUTH_CANCELLED);
    assert_int_equal(fixture_exchange(f, "LOGIN", NULL, (const char *[]){"*", NULL}),
                     AUTH_CANCELLED);
    assert_string_equal(fixture_last(f)->name, "");
    assert_int_equal(fixture_exchange(f, "LOGIN", user, (const char *[]){"*", NULL}),
                     AUTH_CANCELLED);
    assert_string_equal(fixture_last(f)->name, "alice");
    assert_int_equal(f->n_records, 3);
}

static void plaintext_needs_tls_unless_the_listener_allows_it(void **state)
{
    struct fixture *f = *state;

    f->peer.plaintext_ok = false;
    assert_int_equal(every_door(f, S("alice"), S("gatepost")), AUTH_NEEDS_TLS);
    assert_int_equal(fixture_exchange(f, "PLAIN", plain("", "alice", S("canary")), NULL),
                     AUTH_NEEDS_TLS);
    assert_string_equal(fixture_last(f)->name, "alice"); /* whose secret was exposed */
    assert_null(strstr(fixture_last(f)->line, "canary"));
    fixture_use_tls(f);
    assert_int_equal(every_door(f, S("alice"), S("gatepost")), AUTH_OK);
}

static void mechanisms_that_are_not_offered_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {
        "ANONYMOUS",
        "EXTERNAL",
        "CRAM-MD5",
        "PLAIN-PLUS",
        "LOGIN-PLUS",
        "SCRAM-SHA-512",
        "",
        "SCRAM-SHA-1-PLUS",
        "PLAIN ",
        "PLAI",
        "DIGEST-MD5",
        "X\xff\n",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(fixture_exchange(f, names[i], plain("", "alice", S("gatepost")), NULL),
                         AUTH_BAD_MECHANISM);
    assert_int_equal(f->n_records, sizeof names / sizeof *names);
    assert_int_equal(fixture_exchange(f, "plain", plain("", "alice", S("gatepost")), NULL),
                     AUTH_OK);
    assert_string_equal(fixture_last(f)->mechanism, "PLAIN");
}

static void what_is_advertised_follows_the_transport(void **state)
{
    struct fixture *f = *state;
    const char *names[10];

    f->peer.plaintext_ok = false;
    assert_int_equal(auth_mechanisms(f->auth, &f->peer, names, 10), 2);
    assert_string_equal(names[0], "SCRAM-SHA-256");
    assert_string_equal(names[1], "SCRAM-SHA-1");
    f->peer.plaintext_ok = true;
    assert_int_equal(auth_mechanisms(f->auth, &f->peer, names, 10), 4);
    assert_string_equal(names[2], "PLAIN");
    assert_string_equal(names[3], "LOGIN");
    f->peer.plaintext_ok = false;
    fixture_use_tls(f);
    assert_int_equal(auth_mechanisms(f->auth, &f->peer, names, 10), 6);
    assert_string_equal(names[0], "SCRAM-SHA-256-PLUS");
    assert_int_equal(auth_mechanisms(f->auth, &f->peer, names, 3), 3);
    f->peer.binding = NULL;
    assert_int_equal(auth_mechanisms(f->auth, &f->peer, names, 10), 4);
}

static void a_listener_offers_the_mechanisms_that_it_names_and_takes_no_other(void **state)
{
    struct fixture *f = *state;
    const char *names[16];

    fixture_use_tls(f);
    f->peer.mechanisms = auth_mechanism_bit(S("scram-sha-256")) | auth_mechanism_bit(S("LOGIN"));
    assert_int_equal(auth_mechanisms(f->auth, &f->peer, names, 16), 2);
    assert_string_equal(names[0], "SCRAM-SHA-256");
    assert_string_equal(names[1], "LOGIN");
    assert_false(auth_plaintext_allowed(&f->peer));
    assert_int_equal(fixture_password(f, S("alice"), S("gatepost")), AUTH_BAD_MECHANISM);
    assert_int_equal(
        fixture_exchange(f, "PLAIN", b64(S("\0alice\0gatepost")), (const char *[]){NULL}),
        AUTH_BAD_MECHANISM);
    assert_int_equal(fixture_exchange(f, "SCRAM-SHA-256-PLUS",
                                      b64(S("p=tls-exporter,,n=alice,r=1234")),
                                      (const char *[]){NULL}),
                     AUTH_BAD_MECHANISM);
    assert_int_equal(
        fixture_exchange(f, "LOGIN", b64(S("alice")), (const char *[]){b64(S("gatepost")), NULL}),
        AUTH_OK);
    /* Nobody took -PLUS out on the way: it was not offered, so "y" is true. */
    struct auth_attempt *a = fixture_begin(f);
    struct slice first = slice_str(b64(S("y,,n=alice,r=0123456789")));
    assert_int_equal(fixture_send_initial(f, a, "SCRAM-SHA-256", &first), AUTH_CHALLENGE);
    auth_attempt_free(a);
    assert_int_equal(auth_mechanism_bit(S("GSSAPI")), 0);
}

static void no_record_and_no_log_line_has_a_secret(void **state)
{
    struct fixture *f = *state;
    struct slice canary = S("canary-4711");

    every_door(f, S("alice"), canary);
    every_door(f, S("nobody"), canary);
    every_door(f, S("down"), canary);
    fixture_exchange(f, "PLAIN", b64(canary), NULL);
    fixture_exchange(f, "PLAIN", plain("a\n", "alice", canary), NULL);
    for (size_t i = 0; i < f->n_records; i++)
        assert_null(strstr(f->records[i].line, "canary"));
    f->log_text[f->log_len] = 0;
    assert_null(strstr(f->log_text, "canary"));
    assert_null(strstr(f->log_text, "Y2FuYXJ5"));
}

static void a_layer_can_be_made_again_but_not_twice(void **state)
{
    struct fixture *f = *state;
    struct auth *second = NULL;

    assert_code(auth_new(&f->config, &f->source, &f->sink, &f->log, &second), ERR_EXISTS);
    assert_int_equal(fixture_password(f, S("alice"), S("gatepost")), AUTH_OK);
    auth_free(f->auth);
    f->auth = NULL;
    fixture_start(f);
    assert_int_equal(fixture_password(f, S("alice"), S("gatepost")), AUTH_OK);
    f->config.legacy_charset = "no such set";
    assert_code(auth_reconfigure(f->auth, &f->config), ERR_INVALID);
    f->config.legacy_charset = "latin1";
    f->config.nt_domain = "OTHER";
    assert_ok(auth_reconfigure(f->auth, &f->config));
    assert_int_equal(fixture_password(f, S("EXAMPLE\\bob"), S(" two  blanks ")), AUTH_UNKNOWN_USER);
    assert_int_equal(fixture_password(f, S("OTHER\\bob"), S(" two  blanks ")), AUTH_OK);
}

#define T(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_right_secret_logs_on_through_every_door),
        T(a_verdict_names_the_mailbox),
        T(no_name_tells_whether_it_exists_before_the_secret_is_right),
        T(secrets_of_all_lengths_go_through_every_door_alike),
        T(a_nul_anywhere_is_a_bad_exchange_at_every_door),
        T(quotes_backslashes_and_percents_are_bytes_like_others),
        cmocka_unit_test(a_secret_is_tried_composed_then_in_the_legacy_character_set),
        T(without_a_legacy_character_set_only_utf8_will_do),
        T(a_changed_account_changes_the_verdict_at_once),
        T(only_an_administrator_acts_for_another),
        T(what_is_not_plain_is_a_bad_exchange),
        T(a_line_beyond_the_limit_is_a_bad_exchange),
        T(an_asterisk_cancels_wherever_the_client_may_speak),
        T(plaintext_needs_tls_unless_the_listener_allows_it),
        T(mechanisms_that_are_not_offered_are_refused),
        T(what_is_advertised_follows_the_transport),
        T(a_listener_offers_the_mechanisms_that_it_names_and_takes_no_other),
        T(no_record_and_no_log_line_has_a_secret),
        T(a_layer_can_be_made_again_but_not_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
