#include "tests/support/imap.h"

#include "protocols/imap/command.h"

#include <malloc.h>

static int begin(void **state)
{
    *state = fixture_new();
    return 0;
}

static int end(void **state)
{
    fixture_free(*state);
    return 0;
}

static unsigned records(const struct fixture *fx, enum auth_reason reason)
{
    unsigned n = 0;

    for (size_t i = 0; i < fx->n_records; i++)
        n += fx->records[i] == reason;
    return n;
}

/* ---- the table ---- */

static struct fixture_session *session_in(struct fixture *fx, enum imap_state state)
{
    struct fixture_session *fs =
        state == STATE_NOT_AUTHENTICATED ? imap_connect(fx) : imap_log_on(fx, "alice");

    if (state == STATE_SELECTED)
        fixture_say(fs, "s SELECT INBOX\r\n");
    return fs;
}

static void every_command_answers_in_the_states_it_is_allowed_in_and_only_there(void **state)
{
    static const enum imap_state states[] = {STATE_NOT_AUTHENTICATED, STATE_AUTHENTICATED,
                                             STATE_SELECTED};

    for (size_t i = 0; i < imap_commands_n; i++)
        for (size_t j = 0; j < 3; j++) {
            const struct imap_command *def = &imap_commands[i];
            struct fixture_session *fs = session_in(*state, states[j]);
            char line[100];

            snprintf(line, sizeof line, "t %s\r\nDONE\r\n*\r\n", def->name);
            struct slice got = fixture_say(fs, line);
            bool refused = slice_find(got, S("t BAD Log on first")) < got.len ||
                           slice_find(got, S("t BAD Select a mailbox first")) < got.len ||
                           slice_find(got, S("t BAD You are logged on")) < got.len ||
                           slice_find(got, S("t BAD Unknown command")) < got.len;
            if (slice_find(got, S("t ")) == got.len)
                fail_msg("%s: no answer: %.*s", def->name, SLICE_ARG(got));
            if (!(def->states & states[j]) != refused && strcmp(def->name, "COMPRESS") != 0)
                fail_msg("%s in state %d: %.*s", def->name, states[j], SLICE_ARG(got));
            fixture_session_free(fs);
        }
}

static void no_command_or_capability_is_there_twice(void **state)
{
    (void)state;
    for (size_t i = 0; i < imap_commands_n; i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(imap_commands[i].name, imap_commands[j].name);
    for (size_t i = 0; i < imap_capabilities_n; i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(imap_capabilities[i].name, imap_capabilities[j].name);
}

static void every_capability_that_a_command_needs_is_in_the_list(void **state)
{
    (void)state;
    for (size_t i = 0; i < imap_commands_n; i++) {
        const char *needs = imap_commands[i].capability;
        bool found = needs == NULL;

        for (size_t j = 0; j < imap_capabilities_n && !found; j++)
            found = strcmp(imap_capabilities[j].name, needs) == 0;
        if (!found)
            fail_msg("%s needs %s", imap_commands[i].name, needs);
    }
}

static struct slice manual(struct buf *text)
{
    FILE *file = fopen("docs/protocols/imap.md", "r");
    uint8_t some[4096];
    size_t n;

    assert_non_null(file);
    while ((n = fread(some, 1, sizeof some, file)) > 0)
        buf_put(text, slice_of(some, n));
    fclose(file);
    return buf_slice(text);
}

static void the_manual_has_every_command_and_capability_with_its_section(void **state)
{
    struct buf text = buf_make(1 << 20);
    struct slice page = manual(&text);
    char row[500];

    (void)state;
    for (size_t i = 0; i < imap_commands_n; i++) {
        const struct imap_command *def = &imap_commands[i];

        snprintf(row, sizeof row, "| %s | %s%s%s | %s%s%s | %s |", def->name,
                 def->usage[0] ? "`" : "", def->usage, def->usage[0] ? "`" : "",
                 def->states & STATE_NOT_AUTHENTICATED ? "N" : "",
                 def->states & STATE_AUTHENTICATED ? "A" : "",
                 def->states & STATE_SELECTED ? "S" : "", def->section);
        if (slice_find(page, slice_str(row)) == page.len)
            fail_msg("docs/protocols/imap.md lacks: %s", row);
    }
    for (size_t i = 0; i < imap_capabilities_n; i++) {
        snprintf(row, sizeof row, "| %s | %s |", imap_capabilities[i].name,
                 imap_capabilities[i].section);
        if (!(imap_capabilities[i].when & WHEN_SILENT) &&
            slice_find(page, slice_str(row)) == page.len)
            fail_msg("docs/protocols/imap.md lacks: %s", row);
    }
    buf_done(&text);
}

/* ---- log-on ---- */

static void login_takes_its_arguments_in_every_form(void **state)
{
    static const char *const forms[] = {
        "a LOGIN alice gatepost\r\n",
        "a login \"alice\" \"gatepost\"\r\n",
        "a LOGIN {5+}\r\nalice {8+}\r\ngatepost\r\n",
        "a LOGIN ALICE@Example.ORG gatepost\r\n",
    };
    struct fixture *fx = *state;

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct fixture_session *fs = imap_connect(fx);

        imap_expect(fs, forms[i], "a OK [CAPABILITY ~ UNSELECT ~] Logged on\r\n");
        assert_string_equal(fs->summary.user, "alice@example.org");
        fixture_session_free(fs);
    }
    assert_int_equal(records(fx, AUTH_OK), 4);
    assert_int_equal(fx->n_records, 4);
}

static void authenticate_works_with_and_without_an_initial_response(void **state)
{
    struct fixture *fx = *state;
    struct fixture_session *fs = imap_connect(fx);

    imap_expect(fs, "a AUTHENTICATE PLAIN AGFsaWNlAGdhdGVwb3N0\r\n", "a OK [CAPABILITY ~] ~\r\n");
    fixture_session_free(fs);
    fs = imap_connect(fx);
    imap_expect(fs, "a AUTHENTICATE plain\r\n", "+ \r\n");
    imap_expect(fs, "AGFsaWNlAGdhdGVwb3N0\r\n", "a OK [CAPABILITY ~] ~\r\n");
    fixture_session_free(fs);
    assert_int_equal(fx->n_records, 2);
}

static void a_cancelled_exchange_is_bad_and_another_can_follow(void **state)
{
    struct fixture *fx = *state;
    struct fixture_session *fs = imap_connect(fx);

    imap_expect(fs, "a AUTHENTICATE PLAIN\r\n*\r\n", "+ \r\na BAD Authentication cancelled\r\n");
    imap_expect(fs, "b AUTHENTICATE NONESUCH\r\n", "b NO [CANNOT] ~\r\n");
    imap_expect(fs, "c LOGIN alice gatepost\r\n", "c OK ~\r\n");
    fixture_session_free(fs);
    assert_int_equal(records(fx, AUTH_CANCELLED), 1);
}

static void a_wrong_secret_and_an_unknown_user_look_the_same(void **state)
{
    struct fixture *fx = *state;
    struct fixture_session *fs = imap_connect(fx);

    imap_expect(fs, "a LOGIN alice wrong\r\n", "a NO [AUTHENTICATIONFAILED] LOGIN FAILURE\r\n");
    imap_expect(fs, "b LOGIN nobody wrong\r\n", "b NO [AUTHENTICATIONFAILED] LOGIN FAILURE\r\n");
    imap_expect(fs, "c LOGIN \"\" \"\"\r\nd NOOP\r\n",
                "c NO [AUTHENTICATIONFAILED] LOGIN FAILURE\r\n* BYE ~\r\n");
    assert_true(fs->over);
    fixture_session_free(fs);
    assert_int_equal(fx->n_records, 3);
}

static void what_comes_after_a_good_verdict_is_told_apart(void **state)
{
    struct fixture *fx = *state;
    struct fixture_session *fs = imap_connect(fx);

    imap_expect(fs, "a LOGIN carol gatepost\r\n", "a NO [UNAVAILABLE] ~\r\n");
    assert_int_equal(fixture_last_record(fx), AUTH_NO_MAILBOX);
    assert_int_equal(records(fx, AUTH_OK), 1);
    fx->source_down = ERR_UNAVAILABLE;
    imap_expect(fs, "b LOGIN bob gatepost\r\n", "b NO [UNAVAILABLE] ~\r\n");
    fx->source_down = ERR_NONE;
    imap_expect(fs, "c LOGIN bob gatepost\r\n", "c OK ~\r\n");
    fixture_session_free(fs);
}

static void no_password_is_taken_in_clear_where_the_listener_forbids_it(void **state)
{
    struct fixture *fx = *state;

    fx->plaintext_ok = false;
    struct fixture_session *fs = imap_connect(fx);
    imap_expect(fs, "a CAPABILITY\r\n", "* CAPABILITY ~ STARTTLS LOGINDISABLED ~\r\na OK Done\r\n");
    imap_expect(fs, "b LOGIN alice gatepost\r\n", "b NO [PRIVACYREQUIRED] ~\r\n");
    assert_int_equal(fixture_last_record(fx), AUTH_NEEDS_TLS);
    imap_expect(fs, "c STARTTLS\r\n", "c OK Begin TLS now\r\n");
    struct slice caps = fixture_say(fs, "d CAPABILITY\r\n");
    assert_true(slice_find(caps, S("LOGINDISABLED")) == caps.len);
    assert_true(slice_find(caps, S("STARTTLS")) == caps.len);
    imap_expect(fs, "e STARTTLS\r\n", "e BAD Unknown command\r\n");
    imap_expect(fs, "f LOGIN alice gatepost\r\n", "f OK ~\r\n");
    fixture_session_free(fs);
}

static void what_is_pipelined_behind_starttls_is_dropped(void **state)
{
    static const char text[] = "a ID (\"name\" \"x\")\r\nb STARTTLS\r\nc LOGIN alice gatepost\r\n";
    struct fixture *fx = *state;

    for (size_t feed = 1; feed < sizeof text; feed++) {
        struct fixture_session *fs = imap_connect(fx);

        fs->max_feed = feed;
        imap_expect(fs, text, "* ID ~\r\na OK ~\r\nb OK Begin TLS now\r\n");
        assert_int_equal(fs->tls_starts, 1);
        assert_int_equal(fs->peer.client_name.len, 0);
        imap_expect(fs, "d NOOP\r\n", "d OK Done\r\n");
        fixture_session_free(fs);
    }
    assert_int_equal(records(fx, AUTH_OK), 0);
}

static void a_session_that_is_freed_anywhere_leaves_nothing_behind(void **state)
{
    static const char text[] = "a LOGIN alice gatepost\r\nb SELECT INBOX\r\nc CREATE x/y\r\n"
                               "d DELETE x/y\r\ne IDLE\r\n";
    struct fixture *fx = *state;

    for (size_t n = 0; n < sizeof text; n++) {
        struct fixture_session *fs = imap_connect(fx);

        fixture_say_bytes(fs, slice_head(slice_str(text), n));
        fixture_session_free(fs);
        /* ... and before the answer to what was said last is there */
        fs = imap_connect(fx);
        for (size_t i = 0; i < n && !fs->over; i += 20) {
            fixture_poke(fs, slice_sub(slice_str(text), i, n - i < 20 ? n - i : 20));
            test_loop_pump(fx->loop);
        }
        fixture_session_free(fs);
    }
}

/* ---- endings ---- */

/* Who leaves before a verdict is recorded, as with POP3's QUIT. */
static void logout_says_bye(void **state)
{
    struct fixture_session *fs = imap_connect(*state);

    imap_expect(fs, "a LOGOUT\r\nb NOOP\r\n", "* BYE Logging out\r\na OK Bye\r\n");
    assert_true(fs->over);
    assert_string_equal(fs->summary.end, "logout");
    fixture_session_free(fs);
    assert_int_equal(records(*state, AUTH_LOST), 1);
}

static void a_connection_that_is_lost_before_a_verdict_is_recorded(void **state)
{
    struct fixture_session *fs = imap_connect(*state);

    fs->session->ops->closed(fs->session);
    fixture_run(fs);
    assert_true(fs->over);
    fixture_session_free(fs);
    assert_int_equal(fixture_last_record(*state), AUTH_LOST);
    assert_int_equal(((struct fixture *)*state)->n_records, 1);
}

static void a_browser_is_shown_the_door_and_not_its_own_words(void **state)
{
    struct fixture_session *fs = imap_connect(*state);
    struct slice got = fixture_say(fs, "POST /<script>alert(1)</script> HTTP/1.1\r\n"
                                       "Host: <b>x</b>\r\n\r\na LOGIN alice gatepost\r\n");

    assert_true(fs->over);
    assert_true(slice_find(got, S("POST")) == got.len);
    assert_true(slice_find(got, S("script")) == got.len);
    assert_true(slice_find(got, S("OK")) == got.len);
    fixture_session_free(fs);
    fs = imap_connect(*state);
    imap_expect(fs, "<b>: x\r\nHost: y\r\nc\r\nd NOOP\r\n",
                "* BAD ~\r\n* BAD ~\r\nc BAD ~\r\n* BYE ~\r\n");
    fixture_session_free(fs);
}

static void idle_time_ends_a_session(void **state)
{
    struct fixture_session *fs = imap_connect(*state);

    imap_expect(fs, "a NOOP\r\n", "a OK Done\r\n");
    assert_int_equal(fixture_pass(fs, 59999).len, 0);
    assert_slice(fixture_pass(fs, 1), "* BYE [UNAVAILABLE] Log on sooner next time\r\n");
    assert_true(fs->over);
    assert_string_equal(fs->summary.end, "timeout");
    fixture_session_free(fs);
    fs = imap_log_on(*state, "alice");
    assert_int_equal(fixture_pass(fs, 29 * 60 * 1000).len, 0);
    imap_expect(fs, "a IDLE\r\n", "+ idling\r\n");
    assert_int_equal(fixture_pass(fs, 29 * 60 * 1000).len, 0);
    assert_slice(fixture_pass(fs, 60 * 1000), "* BYE [UNAVAILABLE] Idle for too long\r\n");
    assert_true(fs->over);
    fixture_session_free(fs);
}

static void a_stopping_server_says_so_between_commands(void **state)
{
    struct fixture_session *fs = imap_log_on(*state, "alice");

    imap_expect(fs, "a IDLE\r\n", "+ idling\r\n");
    fs->session->ops->drain(fs->session);
    buf_clear(&fs->out);
    fixture_run(fs);
    assert_slice(buf_slice(&fs->out), "* BYE [UNAVAILABLE] The server is going down\r\n");
    assert_true(fs->over);
    fixture_session_free(fs);
}

/* ---- ID, ENABLE, COMPRESS ---- */

static void id_is_kept_for_the_records(void **state)
{
    struct fixture_session *fs = imap_connect(*state);

    imap_expect(fs, "a ID (\"name\" \"Mutt\" \"os\" NIL \"version\" \"2.2\")\r\n",
                "* ID (\"name\" \"Gatepost\")\r\na OK ~\r\n");
    assert_slice(fs->peer.client_name, "Mutt 2.2");
    imap_expect(fs, "b ID NIL\r\n", "* ID (\"name\" \"Gatepost\")\r\nb OK ~\r\n");
    assert_int_equal(fs->peer.client_name.len, 0);
    imap_expect(fs, "c ID (\"name\")\r\n", "c BAD ~\r\n");
    fixture_session_free(fs);
}

static void enable_names_what_it_enabled(void **state)
{
    struct fixture_session *fs = imap_log_on(*state, "alice");

    imap_expect(fs, "a ENABLE X-UNKNOWN condstore\r\n", "* ENABLED CONDSTORE\r\na OK Done\r\n");
    imap_expect(fs, "b ENABLE QRESYNC IMAP4rev2 UTF8=ACCEPT QRESYNC\r\n",
                "* ENABLED QRESYNC UTF8=ACCEPT IMAP4rev2\r\nb OK Done\r\n");
    imap_expect(fs, "c ENABLE\r\n", "c BAD ~\r\n");
    fixture_session_free(fs);
}

static void compression_is_offered_after_log_on_and_once(void **state)
{
    struct fixture_session *fs = imap_log_on(*state, "alice");

    imap_expect(fs, "a COMPRESS DEFLATE\r\n", "a BAD Unknown command\r\n");
    fs->env.compress_ok = true;
    imap_expect(fs, "b COMPRESS LZW\r\n", "b NO [CANNOT] ~\r\n");
    fixture_poke(fs, S("c COMPRESS DEFLATE\r\n"));
    fixture_poke(fs, S(""));
    assert_true(slice_ends(buf_slice(&fs->out), S("c OK DEFLATE from here on\r\n")));
    imap_expect(fs, "d COMPRESS DEFLATE\r\n", "d NO [COMPRESSIONACTIVE] ~\r\n");
    fixture_session_free(fs);
}

static void secrets_are_in_no_answer(void **state)
{
    static const char *const lines[] = {
        "a LOGIN alice s3cret! extra\r\n", "a LOGIN alice \"s3cret!\r\n",
        "s3cret! LOGIN alice x\r\n",       "a s3cret!\r\n",
        "a LOGIN {7+}\r\ns3cret!\r\n",     "a AUTHENTICATE PLAIN s3cret!\r\n",
    };

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct fixture_session *fs = imap_connect(*state);
        struct slice got = fixture_say(fs, lines[i]);

        assert_true(got.len > 0);
        assert_true(slice_find(got, S("s3cret")) == got.len);
        fixture_session_free(fs);
    }
}

/* What 50,000 of them on one machine have to share (measured where malloc tells). */
static void an_idle_session_costs_two_kilobytes(void **state)
{
    enum { N = 50 };
    struct fixture *fx = *state;
    struct fixture_session *sessions[N];
    size_t before = 0;

    for (size_t i = 0; i < N; i++) {
        sessions[i] = imap_log_on(fx, "alice");
        fixture_say(sessions[i], "a SELECT INBOX\r\nb IDLE\r\n");
        buf_done(&sessions[i]->in);
        buf_done(&sessions[i]->out);
        if (i == 9)
            before = mallinfo2().uordblks; /* what is shared is there by now */
    }
    size_t each = (mallinfo2().uordblks - before) / (N - 10);
    print_message("%zu bytes each\n", each - sizeof(struct fixture_session));
    assert_true(each <= sizeof(struct fixture_session) + 2048);
    for (size_t i = 0; i < N; i++)
        fixture_session_free(sessions[i]);
}

int main(void)
{
#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(every_command_answers_in_the_states_it_is_allowed_in_and_only_there),
        cmocka_unit_test(no_command_or_capability_is_there_twice),
        cmocka_unit_test(every_capability_that_a_command_needs_is_in_the_list),
        cmocka_unit_test(the_manual_has_every_command_and_capability_with_its_section),
        WITH_FIXTURE(login_takes_its_arguments_in_every_form),
        WITH_FIXTURE(authenticate_works_with_and_without_an_initial_response),
        WITH_FIXTURE(a_cancelled_exchange_is_bad_and_another_can_follow),
        WITH_FIXTURE(a_wrong_secret_and_an_unknown_user_look_the_same),
        WITH_FIXTURE(what_comes_after_a_good_verdict_is_told_apart),
        WITH_FIXTURE(no_password_is_taken_in_clear_where_the_listener_forbids_it),
        WITH_FIXTURE(what_is_pipelined_behind_starttls_is_dropped),
        WITH_FIXTURE(a_session_that_is_freed_anywhere_leaves_nothing_behind),
        WITH_FIXTURE(logout_says_bye),
        WITH_FIXTURE(a_connection_that_is_lost_before_a_verdict_is_recorded),
        WITH_FIXTURE(a_browser_is_shown_the_door_and_not_its_own_words),
        WITH_FIXTURE(idle_time_ends_a_session),
        WITH_FIXTURE(a_stopping_server_says_so_between_commands),
        WITH_FIXTURE(id_is_kept_for_the_records),
        WITH_FIXTURE(enable_names_what_it_enabled),
        WITH_FIXTURE(compression_is_offered_after_log_on_and_once),
        WITH_FIXTURE(secrets_are_in_no_answer),
        WITH_FIXTURE(an_idle_session_costs_two_kilobytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
