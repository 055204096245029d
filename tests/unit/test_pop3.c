#include "tests/support/test.h"

#include "protocols/pop3/pop3_int.h"
#include "tests/support/session_fixture.h"

#define LOGON "USER alice\r\nPASS gatepost\r\n"
#define PLAIN_ALICE "AGFsaWNlAGdhdGVwb3N0" /* NUL alice NUL gatepost */
#define MESSAGE_1 "Subject: one\r\n\r\nfirst\r\n"
#define MESSAGE_2 "Subject: two\r\n\r\n.dot\r\n..\r\n.\r\nend\r\n"

static struct fixture_session *connect_to(struct fixture *fx)
{
    return fixture_connect(fx, pop3_session_new, AUTH_POP3);
}

static struct fixture_session *log_on(struct fixture *fx)
{
    struct fixture_session *fs = connect_to(fx);

    assert_true(slice_find(fixture_say(fs, LOGON), S("+OK Now")) == 0);
    assert_true(slice_ends(slice_head(buf_slice(&fs->out), fs->out.len), S(" octets)\r\n")));
    return fs;
}

static bool says(struct fixture_session *fs, const char *command, const char *begins)
{
    struct slice got = fixture_say(fs, command);

    if (slice_starts(got, slice_str(begins)))
        return true;
    print_error("%s got \"%.*s\", want \"%s...\"\n", command, SLICE_ARG(got), begins);
    return false;
}

/* ---- transcripts ---- */

static void a_session_reads_lists_and_deletes(void **state)
{
    struct fixture *fx = fixture_new();

    (void)state;
    fixture_deliver(fx, FIXTURE_ALICE, S(MESSAGE_1));
    fixture_deliver(fx, FIXTURE_ALICE, S(MESSAGE_2));
    struct fixture_session *fs = connect_to(fx);
    assert_slice(buf_slice(&fs->out), "+OK Gatepost POP3 ready\r\n");
    assert_slice(fixture_say(fs, LOGON), "+OK Now the password\r\n+OK 2 messages (57 octets)\r\n");
    assert_int_equal(fixture_last_record(fx), AUTH_OK);
    assert_slice(fixture_say(fs, "STAT\r\n"), "+OK 2 57\r\n");
    assert_slice(fixture_say(fs, "LIST\r\n"), "+OK 2 57\r\n1 23\r\n2 34\r\n.\r\n");
    assert_slice(fixture_say(fs, "LIST 2\r\n"), "+OK 2 34\r\n");
    assert_slice(fixture_say(fs, "RETR 1\r\n"), "+OK 23 octets\r\n" MESSAGE_1 ".\r\n");
    assert_slice(fixture_say(fs, "RETR 2\r\n"),
                 "+OK 34 octets\r\nSubject: two\r\n\r\n..dot\r\n...\r\n..\r\nend\r\n.\r\n");
    assert_slice(fixture_say(fs, "DELE 1\r\n"), "+OK Marked for deletion\r\n");
    assert_slice(fixture_say(fs, "DELE 1\r\n"), "-ERR No such message\r\n");
    assert_slice(fixture_say(fs, "RETR 1\r\n"), "-ERR No such message\r\n");
    assert_slice(fixture_say(fs, "STAT\r\n"), "+OK 1 34\r\n");
    assert_slice(fixture_say(fs, "LIST\r\n"), "+OK 1 34\r\n2 34\r\n.\r\n");
    assert_slice(fixture_say(fs, "RSET\r\n"), "+OK Nothing is marked for deletion\r\n");
    assert_slice(fixture_say(fs, "STAT\r\n"), "+OK 2 57\r\n");
    assert_slice(fixture_say(fs, "DELE 2\r\n"), "+OK Marked for deletion\r\n");
    assert_int_equal(fixture_count(fx, FIXTURE_ALICE), 2);
    assert_slice(fixture_say(fs, "QUIT\r\n"), "+OK Goodbye, what was marked is deleted\r\n");
    assert_true(fs->over);
    assert_string_equal(fs->summary.end, "logout");
    assert_string_equal(fs->summary.user, "alice@example.org");
    assert_int_equal(fs->summary.expunged, 1);
    assert_int_equal(fixture_count(fx, FIXTURE_ALICE), 1);
    fixture_session_free(fs);
    fixture_free(fx);
}

static void top_sends_the_header_and_so_many_lines(void **state)
{
    struct fixture *fx = fixture_new();

    (void)state;
    fixture_deliver(fx, FIXTURE_ALICE, S("A: 1\r\nB: 2\r\n\r\none\r\n.two\r\n\r\nfour"));
    fixture_deliver(fx, FIXTURE_ALICE, S("A: 1\r\n"));
    struct fixture_session *fs = log_on(fx);
    static const struct {
        const char *command, *body;
    } cases[] = {
        {"TOP 1 0\r\n", "A: 1\r\nB: 2\r\n\r\n"},
        {"TOP 1 1\r\n", "A: 1\r\nB: 2\r\n\r\none\r\n"},
        {"TOP 1 2\r\n", "A: 1\r\nB: 2\r\n\r\none\r\n..two\r\n"},
        {"TOP 1 3\r\n", "A: 1\r\nB: 2\r\n\r\none\r\n..two\r\n\r\n"},
        {"TOP 1 4\r\n", "A: 1\r\nB: 2\r\n\r\none\r\n..two\r\n\r\nfour\r\n"},
        {"TOP 1 18446744073709551615\r\n", "A: 1\r\nB: 2\r\n\r\none\r\n..two\r\n\r\nfour\r\n"},
        {"top 2 7 \r\n", "A: 1\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t room = 1; room < 40; room += 3) {
            char want[200];

            fs->room = room;
            snprintf(want, sizeof want, "+OK Top of message follows\r\n%s.\r\n", cases[i].body);
            assert_slice(fixture_say(fs, cases[i].command), want);
        }
    static const char *const bad[] = {"TOP\r\n",     "TOP 1\r\n",     "TOP 1 -1\r\n", "TOP 1 x\r\n",
                                      "TOP 3 1\r\n", "TOP 1 1 1\r\n", "TOP 0 1\r\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_true(says(fs, bad[i], "-ERR "));
    fixture_session_free(fs);
    fixture_free(fx);
}

static void unique_ids_are_short_and_stay(void **state)
{
    struct fixture *fx = fixture_new();
    char first[200];

    (void)state;
    fixture_deliver(fx, FIXTURE_ALICE, S(MESSAGE_1));
    fixture_deliver(fx, FIXTURE_ALICE, S(MESSAGE_1));
    struct fixture_session *fs = log_on(fx);
    struct slice got = fixture_say(fs, "UIDL 2\r\n");
    assert_true(slice_starts(got, S("+OK 2 ")));
    assert_true(got.len - strlen("+OK 2 \r\n") <= 70);
    snprintf(first, sizeof first, "%.*s", SLICE_ARG(got));
    got = fixture_say(fs, "UIDL\r\n");
    assert_true(slice_starts(got, S("+OK ")) && slice_ends(got, S("\r\n.\r\n")));
    assert_true(slice_find(got, slice_str(first + 4)) < got.len);
    fixture_session_free(fs);
    fixture_expunge(fx, FIXTURE_ALICE, 1, 1);
    fixture_reopen(fx);
    fs = log_on(fx);
    got = fixture_say(fs, "UIDL 1\r\n");
    assert_true(slice_eq(slice_from(got, 6), slice_from(slice_str(first), 6)));
    fixture_session_free(fs);
    fixture_free(fx);
}

static void capabilities_are_those_that_work_here(void **state)
{
    struct fixture *fx = fixture_new();

    (void)state;
    struct fixture_session *fs = connect_to(fx);
    struct slice got = fixture_say(fs, "CAPA\r\n");
    static const char *const always[] = {
        "\r\nTOP\r\n",        "\r\nUIDL\r\n",           "\r\nPIPELINING\r\n",
        "\r\nRESP-CODES\r\n", "\r\nAUTH-RESP-CODE\r\n", "\r\nEXPIRE NEVER\r\n",
        "\r\nUTF8 USER\r\n",  "\r\nLANG\r\n",           "\r\nIMPLEMENTATION Gatepost\r\n.\r\n"};
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        assert_true(slice_find(got, slice_str(always[i])) < got.len);
    assert_true(slice_find(got, S("\r\nSTLS\r\n")) < got.len);
    assert_true(slice_find(got, S("\r\nUSER\r\n")) < got.len);
    assert_true(slice_find(got, S("\r\nSASL ")) < got.len);
    assert_true(slice_find(got, S(" PLAIN")) < got.len);
    fixture_say(fs, LOGON);
    got = fixture_say(fs, "CAPA\r\n");
    assert_true(slice_find(got, S("\r\nSTLS\r\n")) == got.len);
    fixture_session_free(fs);

    fx->plaintext_ok = false;
    fs = connect_to(fx);
    got = fixture_say(fs, "CAPA\r\n");
    assert_true(slice_find(got, S("\r\nUSER\r\n")) == got.len);
    assert_true(slice_find(got, S(" PLAIN")) == got.len);
    fixture_session_free(fs);
    fs = fixture_connect_tls(fx, pop3_session_new, AUTH_POP3);
    got = fixture_say(fs, "CAPA\r\n");
    assert_true(slice_find(got, S("\r\nUSER\r\n")) < got.len);
    assert_true(slice_find(got, S("\r\nSTLS\r\n")) == got.len);
    assert_true(says(fs, "STLS\r\n", "-ERR "));
    fixture_session_free(fs);
    fixture_free(fx);
}

/* ---- the table ---- */

static void every_command_keeps_to_its_states(void **state)
{
    struct fixture *fx = fixture_new();

    (void)state;
    fx->limits.max_bad_before_logon = 1000;
    for (int logged_on = 0; logged_on < 2; logged_on++)
        for (size_t i = 0; i < pop3_n_commands; i++) {
            struct fixture_session *fs = logged_on ? log_on(fx) : connect_to(fx);
            char line[100];

            snprintf(line, sizeof line, "%s\r\n", pop3_commands[i].name);
            struct slice got = fixture_say(fs, line);
            bool allowed = pop3_commands[i].states & (logged_on ? IN_TRANS : IN_AUTH);
            bool refused = slice_starts(got, S("-ERR Log on first")) ||
                           slice_starts(got, S("-ERR Not after log-on"));

            if (allowed == refused)
                fail_msg("%s: %.*s", pop3_commands[i].name, SLICE_ARG(got));
            assert_true(slice_ends(got, S("\r\n")));
            for (size_t k = 0; k < i; k++)
                assert_string_not_equal(pop3_commands[i].name, pop3_commands[k].name);
            fixture_session_free(fs);
        }
    fixture_free(fx);
}

/* Every command of the table stands in the manual page, with its usage and its section. */
static void the_page_has_every_command(void **state)
{
    static char page[65536];
    FILE *file = fopen("docs/protocols/pop3.md", "rb");

    (void)state;
    assert_non_null(file);
    page[fread(page, 1, sizeof page - 1, file)] = 0;
    fclose(file);
    for (size_t i = 0; i < pop3_n_commands; i++) {
        const struct pop3_command *c = &pop3_commands[i];
        char row[300];

        snprintf(row, sizeof row, "| `%s%s%s` | %s | %s |", c->name, *c->usage ? " " : "", c->usage,
                 c->states == IN_AUTH    ? "authorization"
                 : c->states == IN_TRANS ? "transaction"
                                         : "both",
                 c->section);
        if (!strstr(page, row))
            fail_msg("docs/protocols/pop3.md lacks %s", row);
    }
}

/* ---- the same whatever the pieces ---- */

static const char script[] =
    "CAPA\r\nNOOP\r\nUSER alice\r\nPASS wrong\r\nUSER alice\r\nPASS gatepost\r\nSTAT\r\n"
    "LIST\r\nLIST 1\r\nLIST 99\r\nUIDL\r\nRETR 1\r\nTOP 2 1\r\nRETR 2\r\nDELE 2\r\nSTAT\r\nLIST\r\n"
    "RSET\r\nXYZZY\r\n\r\nRETR\r\nRETR 1 2\r\nLANG\r\nLANG de\r\nNOOP\r\nQUIT\r\nNOOP\r\n";

static void output_does_not_depend_on_the_pieces_of_the_input(void **state)
{
    struct fixture *fx = fixture_new();

    (void)state;
    fixture_deliver(fx, FIXTURE_ALICE, S(MESSAGE_1));
    fixture_deliver(fx, FIXTURE_ALICE, S(MESSAGE_2));
    fixture_say_in_pieces(fx, connect_to, script, "+OK Goodbye\r\n", NULL);
    fixture_free(fx);
}

static void a_session_can_be_abandoned_at_any_point(void **state)
{
    struct fixture *fx = fixture_new();
    static const char deleting[] = LOGON "RETR 2\r\nDELE 1\r\nDELE 2\r\nQUIT\r\n";
    static const char sasl[] = "AUTH PLAIN\r\n" PLAIN_ALICE "\r\nSTAT\r\n";
    const char *const scripts[] = {sasl, deleting};

    (void)state;
    for (size_t k = 0; k < sizeof scripts / sizeof *scripts; k++)
        for (size_t cut = 0; cut <= strlen(scripts[k]); cut++)
            for (int waiting = 0; waiting < 2; waiting++) {
                if (fixture_count(fx, FIXTURE_ALICE) == 0) {
                    fixture_deliver(fx, FIXTURE_ALICE, S(MESSAGE_1));
                    fixture_deliver(fx, FIXTURE_ALICE, S(MESSAGE_2));
                }
                fixture_say_and_go(fx, connect_to, slice_of(scripts[k], cut), waiting);
            }
    fixture_free(fx);
}

/* ---- log-on ---- */

static void secrets_and_names_keep_their_blanks(void **state)
{
    struct fixture *fx = fixture_new();

    (void)state;
    fx->limits.max_attempts = 100;
    struct fixture_session *fs = connect_to(fx);
    static const char *const wrong[] = {
        "USER alice\r\nPASS  gatepost\r\n",  "USER alice\r\nPASS gatepost \r\n",
        "USER alice\r\nPASS gate post\r\n",  "USER alice\r\nPASS \r\n",
        "USER alice\r\nPASS \tgatepost\r\n", "USER alice\r\nPASS gatepost\r\r\n",
        "USER ali ce\r\nPASS gatepost\r\n",  "USER \r\nPASS gatepost\r\n",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        size_t records = fx->n_records;
        struct slice got = fixture_say(fs, wrong[i]);

        assert_true(slice_ends(got, S("-ERR [AUTH] LOGIN FAILURE\r\n")));
        assert_int_equal(fx->n_records, records + 1);
    }
    assert_true(says(fs, "USER alice\r\nPASS\r\n", "+OK Now the password\r\n-ERR "));
    assert_true(says(fs, "PASS gatepost\r\n", "+OK "));
    fixture_session_free(fs);
    fixture_free(fx);
}

static void the_third_failure_ends_the_connection(void **state)
{
    struct fixture *fx = fixture_new();

    (void)state;
    struct fixture_session *fs = connect_to(fx);
    for (int i = 0; i < 3; i++) {
        assert_false(fs->over);
        assert_true(says(fs, "USER alice\r\n", "+OK "));
        assert_slice(fixture_say(fs, "PASS no\r\n"), "-ERR [AUTH] LOGIN FAILURE\r\n");
    }
    assert_true(fs->over);
    assert_int_equal(fx->n_records, 3);
    fixture_session_free(fs);
    assert_int_equal(fx->n_records, 3);
    fixture_free(fx);
}

static void sasl_takes_an_initial_response_or_asks_for_it(void **state)
{
    struct fixture *fx = fixture_new();

    (void)state;
    fx->limits.max_bad_before_logon = 100;
    fx->limits.max_attempts = 100;
    struct fixture_session *fs = connect_to(fx);
    struct slice got = fixture_say(fs, "AUTH\r\n");
    assert_true(slice_starts(got, S("+OK ")));
    assert_true(slice_find(got, S("\r\nPLAIN\r\n")) < got.len);
    assert_true(slice_ends(got, S("\r\n.\r\n")));
    assert_slice(fixture_say(fs, "AUTH PLAIN\r\n"), "+ \r\n");
    assert_slice(fixture_say(fs, "*\r\n"), "-ERR Authentication cancelled\r\n");
    assert_int_equal(fixture_last_record(fx), AUTH_CANCELLED);
    assert_slice(fixture_say(fs, "AUTH PLAIN\r\n"), "+ \r\n");
    assert_slice(fixture_say(fs, "?bad?\r\n"),
                 "-ERR The authentication exchange was malformed\r\n");
    assert_int_equal(fixture_last_record(fx), AUTH_BAD_EXCHANGE);
    assert_slice(fixture_say(fs, "AUTH FOO\r\n"), "-ERR No such authentication mechanism here\r\n");
    assert_int_equal(fixture_last_record(fx), AUTH_BAD_MECHANISM);
    assert_slice(fixture_say(fs, "AUTH PLAIN AGFsaWNlAHdyb25n\r\n"), /* wrong */
                 "-ERR [AUTH] LOGIN FAILURE\r\n");
    assert_int_equal(fixture_last_record(fx), AUTH_WRONG_SECRET);
    assert_true(says(fs, "auth plain " PLAIN_ALICE "\r\n", "+OK 0 messages"));
    fixture_session_free(fs);

    fs = connect_to(fx);
    assert_true(says(fs, "AUTH PLAIN\r\n" PLAIN_ALICE "\r\nSTAT\r\n", "+ \r\n+OK 0 messages"));
    assert_true(slice_ends(buf_slice(&fs->out), S("+OK 0 0\r\n")));
    fixture_session_free(fs);
    fixture_free(fx);
}

static void a_line_of_an_exchange_that_is_too_long_is_malformed(void **state)
{
    struct fixture *fx = fixture_new();
    struct buf line = buf_make(100000);

    (void)state;
    for (int i = 0; i < 50000; i++)
        buf_putc(&line, 'A');
    buf_puts(&line, "\r\n");
    struct fixture_session *fs = connect_to(fx);
    assert_slice(fixture_say(fs, "AUTH PLAIN\r\n"), "+ \r\n");
    assert_slice(fixture_say_bytes(fs, buf_slice(&line)),
                 "-ERR The authentication exchange was malformed\r\n");
    assert_slice(fixture_say_bytes(fs, buf_slice(&line)), "-ERR The line is too long\r\n");
    assert_true(says(fs, LOGON, "+OK Now"));
    fixture_session_free(fs);
    buf_done(&line);
    fixture_free(fx);
}

static void a_secret_is_not_asked_for_in_clear_where_that_is_off(void **state)
{
    struct fixture *fx = fixture_new();

    (void)state;
    fx->plaintext_ok = false;
    struct fixture_session *fs = connect_to(fx);
    assert_true(says(fs, "USER alice\r\n", "-ERR [SYS/PERM] STLS first"));
    assert_int_equal(fixture_last_record(fx), AUTH_NEEDS_TLS);
    assert_true(says(fs, "STLS\r\n", "+OK "));
    assert_true(says(fs, LOGON, "+OK Now"));
    assert_int_equal(fixture_last_record(fx), AUTH_OK);
    fixture_session_free(fs);
    fixture_free(fx);
}

static void what_comes_in_clear_behind_stls_is_dropped(void **state)
{
    struct fixture *fx = fixture_new();
    static const char line[] = "STLS\r\nUSER mallory\r\nNOOP\r\n";

    (void)state;
    for (size_t cut = 0; cut <= strlen(line); cut++)
        for (int pulled = 0; pulled < 2; pulled++) {
            struct fixture_session *fs = connect_to(fx);
            struct session *session = fs->session;

            /* In two reads, without a turn between them and with one, before TLS has started. */
            buf_clear(&fs->out);
            assert_int_equal(session->ops->feed(session, slice_of(line, cut)), cut);
            if (pulled && cut >= strlen("STLS\r\n"))
                assert_int_equal(session->ops->pull(session, &fs->out, 1000), NEXT_TLS);
            struct slice rest = slice_from(slice_str(line), cut);
            assert_int_equal(session->ops->feed(session, rest), rest.len);
            if (pulled && cut >= strlen("STLS\r\n"))
                session->ops->tls_started(session);
            fixture_run(fs);
            assert_slice(buf_slice(&fs->out), "+OK Begin TLS\r\n");
            assert_true(says(fs, "PASS gatepost\r\n", "-ERR USER first"));
            fixture_session_free(fs);
        }
    /* A name given in clear does not outlive the change either. */
    struct fixture_session *fs = connect_to(fx);
    assert_true(says(fs, "USER alice\r\n", "+OK "));
    assert_true(says(fs, "STLS\r\n", "+OK "));
    assert_true(says(fs, "PASS gatepost\r\n", "-ERR USER first"));
    fixture_session_free(fs);
    fixture_free(fx);
}

static void trouble_is_not_told_as_a_wrong_password(void **state)
{
    struct fixture *fx = fixture_new();

    (void)state;
    fx->source_down = ERR_UNAVAILABLE;
    struct fixture_session *fs = connect_to(fx);
    assert_true(says(fs, "USER alice\r\n", "+OK "));
    assert_true(says(fs, "PASS gatepost\r\n", "-ERR [SYS/TEMP] "));
    assert_int_equal(fixture_last_record(fx), AUTH_UNAVAILABLE);
    fx->source_down = ERR_NONE;
    assert_true(says(fs, LOGON, "+OK Now the password\r\n+OK 0 messages (0 octets)"));
    fixture_session_free(fs);
    fixture_free(fx);
}

static void one_session_too_many_is_told_as_that(void **state)
{
    enum { LIMIT = 50 };
    struct fixture *fx = fixture_new();
    struct fixture_session *many[LIMIT];

    (void)state;
    for (int i = 0; i < LIMIT; i++)
        many[i] = log_on(fx);
    struct fixture_session *fs = connect_to(fx);
    assert_true(says(fs, "USER alice\r\n", "+OK "));
    assert_true(says(fs, "PASS gatepost\r\n", "-ERR [IN-USE] "));
    assert_int_equal(fixture_last_record(fx), AUTH_TOO_MANY);
    fixture_session_free(many[0]);
    assert_true(says(fs, LOGON, "+OK "));
    fixture_session_free(fs);
    for (int i = 1; i < LIMIT; i++)
        fixture_session_free(many[i]);
    fixture_free(fx);
}

static void a_connection_without_an_attempt_is_recorded_as_lost(void **state)
{
    struct fixture *fx = fixture_new();
    static const struct {
        const char *said;
        size_t records;
    } cases[] = {
        {"", 1},
        {"CAPA\r\n", 1},
        {"USER alice\r\n", 1},
        {"QUIT\r\n", 1},
        {"AUTH PLAIN\r\n", 1},
        {"USER alice\r\nPASS no\r\n", 1},
        {"USER alice\r\nPASS no\r\nUSER alice\r\n", 2},
        {LOGON, 1},
        {LOGON "QUIT\r\n", 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture_session *fs = connect_to(fx);

        fx->n_records = 0;
        fixture_say(fs, cases[i].said);
        if (!fs->over)
            fs->session->ops->closed(fs->session);
        fixture_session_free(fs);
        if (fx->n_records != cases[i].records)
            fail_msg("%s: %zu records", cases[i].said, fx->n_records);
    }
    fixture_free(fx);
}

static void what_is_no_pop3_is_cut_off(void **state)
{
    struct fixture *fx = fixture_new();

    (void)state;
    struct fixture_session *fs = connect_to(fx);
    struct slice got = fixture_say(fs, "POST / HTTP/1.1\r\nHost: mail.example.org\r\nCanary: 1\r\n"
                                       "\r\nUSER alice\r\nPASS gatepost\r\n");
    assert_true(fs->over);
    assert_true(slice_find(got, S("anary")) == got.len);
    assert_true(slice_find(got, S("+OK")) == got.len);
    fixture_session_free(fs);
    fixture_free(fx);
}

/* ---- messages ---- */

/* Behind "+OK ...": the message as a client gets it that ends lines at LF (dots.h). */
static void unstuff(struct slice got, struct buf *message)
{
    size_t first = slice_index(got, '\n') + 1;
    struct slice wire = slice_from(got, first);

    while (wire.len > 0) {
        size_t n = slice_index(wire, '\n') + 1;
        struct slice line = slice_head(wire, n);

        wire = slice_from(wire, n);
        if (slice_eq(line, S(".\r\n"))) {
            assert_int_equal(wire.len, 0);
            return;
        }
        buf_put(message, line.ptr[0] == '.' ? slice_from(line, 1) : line);
    }
    fail_msg("no end of the message");
}

static void messages_come_back_to_the_octet(void **state)
{
    struct fixture *fx = fixture_new();
    struct rng rng = rng_seeded();
    enum { N = 60 };
    struct buf sent[N];
    static const char alphabet[] = "\r\n..\n\0ab \x80\xFF:";

    (void)state;
    for (int i = 0; i < N; i++) {
        sent[i] = buf_make(1 << 20);
        for (uint32_t n = rng_below(&rng, i % 10 ? 300 : 200000); n > 0; n--)
            buf_putc(&sent[i], (uint8_t)alphabet[rng_below(&rng, sizeof alphabet - 1)]);
        fixture_deliver(fx, FIXTURE_ALICE, buf_slice(&sent[i]));
    }
    struct fixture_session *fs = log_on(fx);
    for (uint32_t i = 0; i < N; i++) {
        char command[40], ok[40];
        struct buf got = buf_make(1 << 20);

        fs->room = 1 + rng_below(&rng, 5000);
        snprintf(command, sizeof command, "LIST %u\r\n", (unsigned)i + 1);
        snprintf(ok, sizeof ok, "+OK %u %zu\r\n", (unsigned)i + 1, sent[i].len);
        assert_slice(fixture_say(fs, command), ok);
        snprintf(command, sizeof command, "RETR %u\r\n", (unsigned)i + 1);
        snprintf(ok, sizeof ok, "+OK %zu octets\r\n", sent[i].len);
        assert_true(slice_starts(fixture_say(fs, command), slice_str(ok)));
        unstuff(buf_slice(&fs->out), &got);
        if (!slice_eq(buf_slice(&got), buf_slice(&sent[i]))) {
            assert_false(slice_ends(buf_slice(&sent[i]), S("\r\n")));
            buf_truncate(&got, got.len - 2);
            assert_true(slice_eq(buf_slice(&got), buf_slice(&sent[i])));
        }
        buf_done(&got);
        buf_done(&sent[i]);
    }
    fixture_session_free(fs);
    fixture_free(fx);
}

/* Where Exchange 5.5 said "Unspecified error" to a right password (Q298836). */
static void no_number_of_messages_keeps_anybody_out(void **state)
{
    static const uint32_t counts[] = {65535, 65536, 250000};
    struct fixture *fx = fixture_new();
    uint32_t there = 0;

    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        char want[100];

        fixture_deliver_many(fx, FIXTURE_ALICE, S("A: b\r\n\r\nc\r\n"), counts[i] - there);
        there = counts[i];
        struct fixture_session *fs = connect_to(fx);
        snprintf(want, sizeof want, "+OK Now the password\r\n+OK %u messages (%u octets)\r\n",
                 there, there * 11);
        assert_slice(fixture_say(fs, LOGON), want);
        snprintf(want, sizeof want, "LIST %u\r\n", there);
        assert_true(slice_starts(fixture_say(fs, want), S("+OK ")));
        fixture_session_free(fs);
    }
    fixture_free(fx);
}

static void a_mailbox_may_hold_more_than_65536_messages(void **state)
{
    enum { N = 70000 };
    struct fixture *fx = fixture_new();

    (void)state;
    fixture_deliver_many(fx, FIXTURE_ALICE, S("A: b\r\n\r\nc\r\n"), N);
    struct fixture_session *fs = connect_to(fx);
    assert_slice(fixture_say(fs, LOGON),
                 "+OK Now the password\r\n+OK 70000 messages (770000 octets)\r\n");
    assert_slice(fixture_say(fs, "STAT\r\n"), "+OK 70000 770000\r\n");
    struct slice got = fixture_say(fs, "LIST\r\n");
    uint32_t lines = 0;
    for (; got.len > 0; lines++)
        (void)slice_cut(&got, '\n');
    assert_int_equal(lines, N + 2);
    got = fixture_say(fs, "UIDL\r\n");
    assert_true(slice_find(got, S("\r\n65537 ")) < got.len);
    assert_true(slice_find(got, S("\r\n70000 ")) < got.len);
    assert_slice(fixture_say(fs, "RETR 65537\r\n"), "+OK 11 octets\r\nA: b\r\n\r\nc\r\n.\r\n");
    assert_slice(fixture_say(fs, "LIST 70001\r\n"), "-ERR No such message\r\n");
    struct buf all = buf_make(4 << 20);
    for (uint32_t i = 1; i <= N; i++)
        buf_printf(&all, "DELE %u\r\n", (unsigned)i);
    buf_puts(&all, "STAT\r\nQUIT\r\n");
    got = fixture_say_bytes(fs, buf_slice(&all));
    assert_true(slice_ends(got, S("+OK 0 0\r\n+OK Goodbye, what was marked is deleted\r\n")));
    assert_int_equal(fixture_count(fx, FIXTURE_ALICE), 0);
    buf_done(&all);
    fixture_session_free(fs);
    fixture_free(fx);
}

/* ---- beside others ---- */

static void what_others_remove_is_gone_and_numbers_stay(void **state)
{
    struct fixture *fx = fixture_new();

    (void)state;
    for (int i = 0; i < 5; i++)
        fixture_deliver(fx, FIXTURE_ALICE,
                        slice_sub(S("A: 1\r\n\r\n1234567890"), 0, 10 + (size_t)i));
    struct fixture_session *fs = log_on(fx);
    assert_slice(fixture_say(fs, "STAT\r\n"), "+OK 5 60\r\n");
    assert_true(says(fs, "DELE 4\r\n", "+OK "));
    fixture_expunge(fx, FIXTURE_ALICE, 2, 2);
    assert_slice(fixture_say(fs, "RETR 2\r\n"), "-ERR No such message\r\n");
    assert_slice(fixture_say(fs, "STAT\r\n"), "+OK 3 36\r\n");
    fixture_deliver(fx, FIXTURE_ALICE, S("new\r\n"));
    assert_slice(fixture_say(fs, "STAT\r\n"), "+OK 3 36\r\n");
    assert_slice(fixture_say(fs, "LIST\r\n"), "+OK 3 36\r\n1 10\r\n3 12\r\n5 14\r\n.\r\n");
    assert_slice(fixture_say(fs, "LIST 6\r\n"), "-ERR No such message\r\n");
    fixture_expunge(fx, FIXTURE_ALICE, 4, 4); /* what is marked here goes there */
    assert_slice(fixture_say(fs, "STAT\r\n"), "+OK 3 36\r\n");
    assert_true(says(fs, "RSET\r\n", "+OK "));
    assert_slice(fixture_say(fs, "STAT\r\n"), "+OK 3 36\r\n");
    assert_true(says(fs, "DELE 5\r\n", "+OK "));
    assert_true(says(fs, "QUIT\r\n", "+OK "));
    assert_int_equal(fixture_count(fx, FIXTURE_ALICE), 3);
    fixture_session_free(fs);
    fixture_free(fx);
}

static void two_sessions_share_a_mailbox_without_a_lock(void **state)
{
    struct fixture *fx = fixture_new();

    (void)state;
    fixture_deliver(fx, FIXTURE_ALICE, S(MESSAGE_1));
    fixture_deliver(fx, FIXTURE_ALICE, S(MESSAGE_2));
    struct fixture_session *a = log_on(fx), *b = log_on(fx);
    assert_true(says(a, "DELE 1\r\n", "+OK "));
    assert_slice(fixture_say(b, "STAT\r\n"), "+OK 2 57\r\n");
    assert_true(says(b, "DELE 1\r\n", "+OK "));
    assert_true(says(a, "QUIT\r\n", "+OK "));
    assert_slice(fixture_say(b, "LIST\r\n"), "+OK 1 34\r\n2 34\r\n.\r\n");
    assert_true(says(b, "DELE 2\r\n", "+OK "));
    b->session->ops->closed(b->session); /* no QUIT: nothing is removed */
    assert_int_equal(fixture_count(fx, FIXTURE_ALICE), 1);
    fixture_session_free(a);
    fixture_session_free(b);
    fixture_free(fx);
}

static void a_message_being_sent_survives_its_removal(void **state)
{
    struct fixture *fx = fixture_new();
    struct buf message = buf_make(1 << 20), got = buf_make(1 << 20);

    (void)state;
    buf_puts(&message, "Subject: long\r\n\r\n");
    for (int i = 0; i < 20000; i++)
        buf_printf(&message, "line %d\r\n", i);
    fixture_deliver(fx, FIXTURE_ALICE, buf_slice(&message));
    struct fixture_session *fs = log_on(fx);
    buf_clear(&fs->out);
    fs->room = 1000;
    fixture_poke(fs, S("RETR 1\r\n"));
    assert_int_equal(fs->next, NEXT_PULL);
    fixture_expunge(fx, FIXTURE_ALICE, 1, 1);
    fixture_deliver(fx, FIXTURE_ALICE, S("other\r\n")); /* takes free pages, if there are any */
    fixture_run(fs);
    unstuff(buf_slice(&fs->out), &got);
    assert_true(slice_eq(buf_slice(&got), buf_slice(&message)));
    assert_slice(fixture_say(fs, "RETR 1\r\n"), "-ERR No such message\r\n");
    fixture_session_free(fs);
    buf_done(&message);
    buf_done(&got);
    fixture_free(fx);
}

/* ---- what is read ---- */

/* The UIDs of the Inbox that are \\Seen. */
static void assert_seen(struct fixture *fx, const char *want)
{
    struct mailbox *mb = fixture_mailbox(fx, FIXTURE_ALICE);
    uint64_t inbox = fixture_inbox(mb);
    struct uidset seen = UIDSET_EMPTY;
    struct buf text = buf_make(1000);
    const struct message_row *row;
    struct store_read *rd;

    assert_ok(store_read_begin(mb, &rd));
    struct store_rows *rows = store_rows_open(rd, inbox, 1);
    while (!failed(store_rows_next(rows, &row)))
        if (row->flags & FLAG_SEEN)
            uidset_add(&seen, row->uid, row->uid);
    store_rows_close(rows);
    store_read_end(rd);
    mailbox_close(mb);
    uidset_put(&seen, &text);
    assert_slice(buf_slice(&text), want);
    buf_done(&text);
    uidset_done(&seen);
}

static void what_was_retrieved_is_read_when_the_session_ends(void **state)
{
    struct fixture *fx = fixture_new();

    (void)state;
    for (int i = 0; i < 6; i++)
        fixture_deliver(fx, FIXTURE_ALICE, S(MESSAGE_1));
    struct fixture_session *fs = log_on(fx);
    assert_true(says(fs, "RETR 1\r\nRETR 3\r\n", "+OK "));
    assert_true(says(fs, "TOP 2 99\r\n", "+OK "));
    assert_true(says(fs, "DELE 3\r\n", "+OK "));
    assert_seen(fx, "");
    assert_slice(fixture_say(fs, "QUIT\r\n"), "+OK Goodbye, what was marked is deleted\r\n");
    assert_seen(fx, "1");
    fixture_session_free(fs);

    fs = log_on(fx);
    assert_true(says(fs, "RETR 1\r\nRETR 4\r\nRSET\r\n", "+OK ")); /* UID 5 */
    assert_slice(fixture_say(fs, "QUIT\r\n"), "+OK Goodbye\r\n");
    assert_seen(fx, "1,5");
    fixture_session_free(fs);
    fixture_free(fx);
}

static void a_session_that_breaks_off_has_read_what_it_was_sent_whole(void **state)
{
    struct fixture *fx = fixture_new();

    (void)state;
    for (int i = 0; i < 4; i++)
        fixture_deliver(fx, FIXTURE_ALICE, S(MESSAGE_1));
    struct fixture_session *fs = log_on(fx);
    assert_true(says(fs, "RETR 2\r\n", "+OK "));
    assert_true(says(fs, "DELE 1\r\n", "+OK "));
    fs->room = 5;
    fixture_poke(fs, S("RETR 4\r\n"));
    fs->session->ops->closed(fs->session);
    fixture_session_free(fs);
    store_quiesce(fx->store);
    assert_seen(fx, "2");
    assert_int_equal(fixture_count(fx, FIXTURE_ALICE), 4);
    fixture_free(fx);
}

static void reading_leaves_no_trace_where_that_is_configured(void **state)
{
    struct fixture *fx = fixture_new();

    (void)state;
    fx->pop3_marks_read = false;
    fixture_deliver(fx, FIXTURE_ALICE, S(MESSAGE_1));
    struct fixture_session *fs = log_on(fx);
    assert_true(says(fs, "RETR 1\r\n", "+OK "));
    assert_slice(fixture_say(fs, "QUIT\r\n"), "+OK Goodbye\r\n");
    fixture_session_free(fs);
    store_quiesce(fx->store);
    assert_seen(fx, "");
    fixture_free(fx);
}

/* ---- time ---- */

static void a_silent_session_ends_and_deletes_nothing(void **state)
{
    struct fixture *fx = fixture_new();

    (void)state;
    fixture_deliver(fx, FIXTURE_ALICE, S(MESSAGE_1));
    struct fixture_session *fs = log_on(fx);
    assert_true(says(fs, "DELE 1\r\n", "+OK "));
    fixture_pass(fs, 9 * 60 * 1000);
    assert_true(says(fs, "NOOP\r\n", "+OK "));
    fixture_pass(fs, 9 * 60 * 1000);
    assert_false(fs->over);
    assert_slice(fixture_pass(fs, 61 * 1000), "");
    assert_true(fs->over);
    assert_string_equal(fs->summary.end, "timeout");
    assert_int_equal(fixture_count(fx, FIXTURE_ALICE), 1);
    fixture_session_free(fs);

    fs = connect_to(fx);
    fixture_pass(fs, 59 * 1000);
    assert_true(says(fs, "CAPA\r\n", "+OK "));
    fixture_pass(fs, 2 * 1000);
    assert_true(fs->over);
    fixture_session_free(fs);
    fixture_free(fx);
}

static void a_server_that_stops_lets_the_running_command_finish(void **state)
{
    struct fixture *fx = fixture_new();

    (void)state;
    fixture_deliver(fx, FIXTURE_ALICE, S(MESSAGE_1));
    struct fixture_session *fs = log_on(fx);
    buf_clear(&fs->out);
    fs->room = 5;
    fixture_poke(fs, S("RETR 1\r\nDELE 1\r\n"));
    fs->session->ops->drain(fs->session);
    fixture_run(fs);
    assert_slice(buf_slice(&fs->out),
                 "+OK 23 octets\r\n" MESSAGE_1 ".\r\n"
                 "-ERR [SYS/TEMP] The server is shutting down, try again later\r\n");
    assert_true(fs->over);
    assert_string_equal(fs->summary.end, "shutdown");
    fixture_session_free(fs);
    fixture_free(fx);
}

static void languages_and_utf8_are_as_announced(void **state)
{
    struct fixture *fx = fixture_new();

    (void)state;
    struct fixture_session *fs = connect_to(fx);
    assert_true(says(fs, "LANG\r\n", "+OK "));
    assert_true(slice_find(buf_slice(&fs->out), S("\r\nen ")) < fs->out.len);
    assert_true(says(fs, "LANG EN\r\n", "+OK en "));
    assert_true(says(fs, "LANG *\r\n", "+OK i-default "));
    assert_true(says(fs, "LANG tlh\r\n", "-ERR "));
    assert_true(says(fs, "UTF8\r\n", "+OK "));
    fixture_say(fs, LOGON);
    assert_true(says(fs, "UTF8\r\n", "-ERR "));
    assert_true(says(fs, "LANG en-GB\r\n", "+OK en "));
    fixture_session_free(fs);
    fixture_free(fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_reads_lists_and_deletes),
        cmocka_unit_test(top_sends_the_header_and_so_many_lines),
        cmocka_unit_test(unique_ids_are_short_and_stay),
        cmocka_unit_test(capabilities_are_those_that_work_here),
        cmocka_unit_test(every_command_keeps_to_its_states),
        cmocka_unit_test(the_page_has_every_command),
        cmocka_unit_test(output_does_not_depend_on_the_pieces_of_the_input),
        cmocka_unit_test(a_session_can_be_abandoned_at_any_point),
        cmocka_unit_test(secrets_and_names_keep_their_blanks),
        cmocka_unit_test(the_third_failure_ends_the_connection),
        cmocka_unit_test(sasl_takes_an_initial_response_or_asks_for_it),
        cmocka_unit_test(a_line_of_an_exchange_that_is_too_long_is_malformed),
        cmocka_unit_test(a_secret_is_not_asked_for_in_clear_where_that_is_off),
        cmocka_unit_test(what_comes_in_clear_behind_stls_is_dropped),
        cmocka_unit_test(trouble_is_not_told_as_a_wrong_password),
        cmocka_unit_test(one_session_too_many_is_told_as_that),
        cmocka_unit_test(a_connection_without_an_attempt_is_recorded_as_lost),
        cmocka_unit_test(what_is_no_pop3_is_cut_off),
        cmocka_unit_test(messages_come_back_to_the_octet),
        cmocka_unit_test(no_number_of_messages_keeps_anybody_out),
        cmocka_unit_test(a_mailbox_may_hold_more_than_65536_messages),
        cmocka_unit_test(what_others_remove_is_gone_and_numbers_stay),
        cmocka_unit_test(two_sessions_share_a_mailbox_without_a_lock),
        cmocka_unit_test(a_message_being_sent_survives_its_removal),
        cmocka_unit_test(what_was_retrieved_is_read_when_the_session_ends),
        cmocka_unit_test(a_session_that_breaks_off_has_read_what_it_was_sent_whole),
        cmocka_unit_test(reading_leaves_no_trace_where_that_is_configured),
        cmocka_unit_test(a_silent_session_ends_and_deletes_nothing),
        cmocka_unit_test(a_server_that_stops_lets_the_running_command_finish),
        cmocka_unit_test(languages_and_utf8_are_as_announced),
    };

    return cmocka_run_group_tests_name("pop3", tests, NULL, NULL);
}
