#include "protocols/imap/imap.h"
#include "tests/support/imap_client.h"

static const char mail[] = "Subject: x\r\n\r\nbody\r\n"; /* 20 bytes */

struct world {
    struct fixture *fx;
    struct imap_client *ic;
};

static int setup(void **state)
{
    struct world *w = mem_new(sizeof *w);

    w->fx = fixture_new();
    w->ic = imap_client_new(w->fx, "alice");
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    imap_client_free(w->ic);
    fixture_free(w->fx);
    free(w);
    return 0;
}

static void select_inbox(struct world *w)
{
    imap_client_ok(w->ic, "SELECT INBOX");
}

static void a_message_comes_back_as_it_was_appended(void **state)
{
    struct world *w = *state;

    imap_client_ok(w->ic, "APPEND INBOX (\\Seen $Work) \" 7-Feb-2024 23:59:59 -0730\" {20+}\r\n%s",
                   mail);
    assert_true(slice_starts(imap_client_code(w->ic), S("APPENDUID ")));
    assert_true(slice_ends(imap_client_code(w->ic), S(" 1")));
    select_inbox(w);
    struct slice r = imap_client_ok(w->ic, "FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])");
    assert_slice(imap_client_item(r, 1, "FLAGS"), "(\\Seen $Work \\Recent)");
    assert_true(
        slice_ends(imap_client_item(r, 1, "INTERNALDATE"), S("7-Feb-2024 23:59:59 -0730\"")));
    assert_slice(imap_client_item(r, 1, "RFC822.SIZE"), "20");
    assert_slice(imap_client_string(w->ic, imap_client_item(r, 1, "BODY[]")), mail);
}

static void internal_dates_are_echoed(void **state)
{
    struct world *w = *state;
    static const char *const dates[] = {
        "\"29-Feb-2024 00:00:00 +1400\"", "\"01-Jan-1900 12:00:00 -1200\"",
        "\"19-Jan-2038 03:14:08 +0000\"", "\"31-Dec-9999 23:59:59 -0001\"",
        "\"31-Mar-2024 02:30:00 +0100\"",
    };

    for (size_t i = 0; i < sizeof dates / sizeof *dates; i++)
        imap_client_ok(w->ic, "APPEND INBOX %s {20+}\r\n%s", dates[i], mail);
    select_inbox(w);
    for (uint32_t i = 0; i < sizeof dates / sizeof *dates; i++) {
        struct slice r = imap_client_ok(w->ic, "FETCH %u INTERNALDATE", i + 1);
        assert_slice(imap_client_item(r, i + 1, "INTERNALDATE"), dates[i]);
    }
}

static void the_selected_mailbox_tells_of_it(void **state)
{
    struct world *w = *state;

    select_inbox(w);
    struct slice r = imap_client_ok(w->ic, "APPEND INBOX {20+}\r\n%s", mail);
    assert_slice(imap_client_find(r, "1 EXISTS"), "1 EXISTS");
}

static void a_synchronizing_literal_is_asked_for(void **state)
{
    struct world *w = *state;

    struct slice plus = fixture_say(w->ic->fs, "x APPEND INBOX {20}\r\n");
    assert_true(slice_starts(plus, S("+ ")));
    fixture_say(w->ic->fs, mail);
    struct slice r = fixture_say(w->ic->fs, "\r\n");
    assert_true(slice_starts(r, S("x OK [APPENDUID ")));
}

/* What can be known before the literal is said before it is sent. */
static void what_will_fail_is_not_asked_for(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *command, *answer;
    } cases[] = {
        {"x APPEND nowhere {20}\r\n", "x NO [TRYCREATE] "},
        {"x APPEND INBOX {4000000000}\r\n", "x NO [TOOBIG] "},
        {"x APPEND INBOX {99999999999999999999999}\r\n", "x NO [TOOBIG] "},
        {"x APPEND INBOX (\\Recent) {20}\r\n", "x BAD "},
        {"x APPEND INBOX (\\Seen {20}\r\n", "x BAD "},
        {"x APPEND INBOX \"yesterday\" {20}\r\n", "x BAD "},
        {"x APPEND INBOX UTF8 (~{20}\r\n", "x BAD "},
        {"x APPEND INBOX junk {20}\r\n", "x BAD "},
        {"x APPEND INBOX {0}\r\n", "x NO "},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice r = fixture_say(w->ic->fs, cases[i].command);

        if (!slice_starts(r, slice_str(cases[i].answer)))
            fail_msg("%s: %.*s", cases[i].command, SLICE_ARG(r));
    }
    assert_int_equal(fixture_count(w->fx, FIXTURE_ALICE), 0);
    imap_client_ok(w->ic, "NOOP");
}

static void a_literal_nobody_wants_is_passed_over(void **state)
{
    struct world *w = *state;

    imap_client_no(w->ic, "APPEND nowhere {20+}\r\n%s", mail);
    assert_slice(imap_client_code(w->ic), "TRYCREATE");
    imap_client_no(w->ic, "APPEND nowhere {20+}\r\n%s {20+}\r\n%s", mail, mail);
    imap_client_ok(w->ic, "APPEND INBOX {20+}\r\n%s", mail);
}

static void the_name_may_be_a_literal(void **state)
{
    struct world *w = *state;

    imap_client_ok(w->ic, "APPEND {5+}\r\nINBOX {20+}\r\n%s", mail);
    imap_client_ok(w->ic, "APPEND \"INBOX\" (a) {20+}\r\n%s", mail);
    assert_int_equal(fixture_count(w->fx, FIXTURE_ALICE), 2);
}

static void quota_is_asked_before_the_literal(void **state)
{
    struct world *w = *state;
    struct mailbox *mb = fixture_mailbox(w->fx, FIXTURE_ALICE);
    struct store_set_quota rq = {0};

    store_set_quota_init(&rq);
    rq.quota = 50;
    assert_ok(store_run(mb, &rq.op));
    mailbox_close(mb);
    imap_client_ok(w->ic, "APPEND INBOX {20+}\r\n%s", mail);
    struct slice r = fixture_say(w->ic->fs, "x APPEND INBOX {31}\r\n");
    assert_true(slice_starts(r, S("x NO [OVERQUOTA]")));
    imap_client_no(w->ic, "APPEND INBOX {20+}\r\n%s {20+}\r\n%s", mail, mail);
    assert_slice(imap_client_code(w->ic), "OVERQUOTA");
    assert_int_equal(fixture_count(w->fx, FIXTURE_ALICE), 1);
}

static void many_are_appended_at_once_or_none(void **state)
{
    struct world *w = *state;

    imap_client_ok(w->ic,
                   "APPEND INBOX {20+}\r\n%s (\\Seen) {20+}\r\n%s \"17-Jul-1996 02:44:25 -0700\" "
                   "{20+}\r\n%s",
                   mail, mail, mail);
    assert_true(slice_ends(imap_client_code(w->ic), S(" 1:3")));
    select_inbox(w);
    struct slice r = imap_client_ok(w->ic, "FETCH 1:3 (FLAGS INTERNALDATE)");
    assert_slice(imap_client_item(r, 1, "FLAGS"), "(\\Recent)");
    assert_slice(imap_client_item(r, 2, "FLAGS"), "(\\Seen \\Recent)");
    assert_slice(imap_client_item(r, 3, "INTERNALDATE"), "\"17-Jul-1996 02:44:25 -0700\"");
    /* RFC 3502 6.3.11: an empty one takes it all back */
    imap_client_no(w->ic, "APPEND INBOX {20+}\r\n%s {0+}\r\n", mail);
    imap_client_bad(w->ic, "APPEND INBOX {20+}\r\n%s x", mail);
    imap_client_bad(w->ic, "APPEND INBOX {20+}\r\n%s{20+}\r\n%s", mail, mail);
    assert_int_equal(fixture_count(w->fx, FIXTURE_ALICE), 3);
}

static void all_of_one_append_has_a_limit(void **state)
{
    struct world *w = *state;
    struct fixture_session *fs;

    w->fx->limits.max_message = 50;
    fs = fixture_connect(w->fx, imap_session_new, AUTH_IMAP);
    fixture_say(fs, "a LOGIN alice " FIXTURE_SECRET "\r\n");
    struct slice r = fixture_say(fs, "b APPEND INBOX {51}\r\n");
    assert_true(slice_starts(r, S("b NO [TOOBIG]")));
    fixture_say(fs, "c APPEND INBOX {20+}\r\n");
    fixture_say(fs, mail);
    fixture_say(fs, " {20+}\r\n");
    fixture_say(fs, mail);
    r = fixture_say(fs, " {20}\r\n");
    assert_true(slice_starts(r, S("c NO [TOOBIG]")));
    fixture_session_free(fs);
    assert_int_equal(fixture_count(w->fx, FIXTURE_ALICE), 0);
}

static void binary_and_utf8_messages_are_kept_to_the_byte(void **state)
{
    struct world *w = *state;
    static const char binary[] =
        "Subject: b\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\1\2\xFF";
    struct buf command = buf_make(SIZE_MAX);

    buf_printf(&command, "APPEND INBOX ~{%zu+}\r\n", sizeof binary - 1);
    buf_put(&command, slice_of(binary, sizeof binary - 1));
    imap_client_bytes(w->ic, buf_slice(&command));
    assert_true(slice_starts(w->ic->tagged, S("OK ")));
    imap_client_ok(w->ic, "ENABLE UTF8=ACCEPT");
    imap_client_ok(w->ic, "APPEND INBOX UTF8 (~{16+}\r\nSubject: \xC3\xA4\r\n\r\nx)");
    imap_client_ok(w->ic, "APPEND INBOX UTF8 (~{16+}\r\nSubject: \xC3\xA4\r\n\r\nx) (\\Seen) UTF8 "
                          "(~{16+}\r\nSubject: \xC3\xA4\r\n\r\nx)");
    imap_client_bad(w->ic, "APPEND INBOX UTF8 (~{16+}\r\nSubject: \xC3\xA4\r\n\r\nx");
    imap_client_bad(w->ic, "APPEND INBOX UTF8 ({16+}\r\nSubject: \xC3\xA4\r\n\r\nx)");
    assert_int_equal(fixture_count(w->fx, FIXTURE_ALICE), 4);
    select_inbox(w);
    struct slice r = imap_client_ok(w->ic, "FETCH 1 BODY[]");
    assert_true(slice_eq(imap_client_string(w->ic, imap_client_item(r, 1, "BODY[]")),
                         slice_of(binary, sizeof binary - 1)));
    buf_done(&command);
}

static void a_large_message_is_prepared_off_the_loop(void **state)
{
    struct world *w = *state;
    struct buf big = buf_make(SIZE_MAX), command = buf_make(SIZE_MAX);

    buf_puts(&big, "Subject: big\r\n\r\n");
    while (big.len < 3 * STORE_PREPARE_INLINE)
        buf_puts(&big, "and so on and so on and so on and so on and so on\r\n");
    buf_printf(&command, "APPEND INBOX {%zu+}\r\n", big.len);
    buf_put(&command, buf_slice(&big));
    buf_printf(&command, " {20+}\r\n%s {%zu+}\r\n", mail, big.len);
    buf_put(&command, buf_slice(&big));
    imap_client_bytes(w->ic, buf_slice(&command));
    assert_true(slice_starts(w->ic->tagged, S("OK ")));
    assert_int_equal(fixture_count(w->fx, FIXTURE_ALICE), 3);
    struct buf got = buf_make(SIZE_MAX);
    fixture_message(w->fx, FIXTURE_ALICE, 3, &got);
    assert_true(slice_eq(buf_slice(&got), buf_slice(&big)));
    buf_done(&got);
    buf_done(&big);
    buf_done(&command);
}

/* A client that goes away in the middle leaves nothing behind. */
static void half_an_append_is_none(void **state)
{
    struct world *w = *state;
    static const char *const starts[] = {
        "x APPEND INBOX {20+}\r\n",
        "x APPEND INBOX {20+}\r\nSubject",
        "x APPEND INBOX {20+}\r\nSubject: x\r\n\r\nbody\r\n",
        "x APPEND INBOX {20+}\r\nSubject: x\r\n\r\nbody\r\n {20+}\r\nSub",
    };

    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        struct imap_client *ic = imap_client_new(w->fx, "alice");

        fixture_say(ic->fs, starts[i]);
        imap_client_free(ic);
    }
    assert_int_equal(fixture_count(w->fx, FIXTURE_ALICE), 0);
}

static void every_split_of_the_input_is_the_same(void **state)
{
    struct world *w = *state;

    for (w->ic->fs->max_feed = 1; w->ic->fs->max_feed < 40; w->ic->fs->max_feed++)
        imap_client_ok(w->ic, "APPEND {5+}\r\nINBOX (\\Seen) {20+}\r\n%s {20+}\r\n%s", mail, mail);
    assert_int_equal(fixture_count(w->fx, FIXTURE_ALICE), 78);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_message_comes_back_as_it_was_appended),
        TEST(internal_dates_are_echoed),
        TEST(the_selected_mailbox_tells_of_it),
        TEST(a_synchronizing_literal_is_asked_for),
        TEST(what_will_fail_is_not_asked_for),
        TEST(a_literal_nobody_wants_is_passed_over),
        TEST(the_name_may_be_a_literal),
        TEST(quota_is_asked_before_the_literal),
        TEST(many_are_appended_at_once_or_none),
        TEST(all_of_one_append_has_a_limit),
        TEST(binary_and_utf8_messages_are_kept_to_the_byte),
        TEST(a_large_message_is_prepared_off_the_loop),
        TEST(half_an_append_is_none),
        TEST(every_split_of_the_input_is_the_same),
    };

    return cmocka_run_group_tests_name("imap_append", tests, NULL, NULL);
}
