#include "tests/support/test.h"

#include "protocols/lmtp/lmtp_int.h"
#include "tests/support/session_fixture.h"

#define HELLO "LHLO mta.example.net\r\n"
#define ENVELOPE "MAIL FROM:<s@example.net>\r\nRCPT TO:<alice@example.org>\r\n"
#define MESSAGE "Subject: one\r\n\r\nfirst\r\n"
#define GO_ON "354 End the data with CRLF.CRLF\r\n"
#define DELIVERED "250 2.0.0 Delivered\r\n"

static struct fixture_session *connect_to(struct fixture *fx)
{
    return fixture_connect(fx, lmtp_session_new, AUTH_LMTP);
}

static struct fixture_session *greet(struct fixture *fx)
{
    struct fixture_session *fs = connect_to(fx);

    assert_true(slice_starts(fixture_say(fs, HELLO), S("250-mail.example.org\r\n")));
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

static void take_line(struct buf *content)
{
    buf_consume(content, slice_find(buf_slice(content), S("\r\n")) + 2);
}

/* What is stored: checks that the trace stands in front, and leaves the rest. */
static void stored(struct fixture *fx, uint64_t id, uint32_t seq, const char *sender,
                   struct buf *content)
{
    char path[200];

    fixture_message(fx, id, seq, content);
    snprintf(path, sizeof path, "Return-Path: <%s>\r\n", sender);
    assert_true(slice_starts(buf_slice(content), slice_str(path)));
    take_line(content);
    if (slice_starts(buf_slice(content), S("Delivered-To: ")))
        take_line(content);
    assert_true(
        slice_starts(buf_slice(content), S("Received: from mta.example.net ([192.0.2.7])\r\n"
                                           "\tby mail.example.org with LMTP id s1.")));
    take_line(content);
    while (slice_starts(buf_slice(content), S("\t")))
        take_line(content);
}

static void assert_stored(struct fixture *fx, uint64_t id, uint32_t seq, struct slice want)
{
    struct buf got = buf_make(64 << 20);

    stored(fx, id, seq, "s@example.net", &got);
    if (!slice_eq(buf_slice(&got), want))
        print_error("got  \"%.*s\"\nwant \"%.*s\"\n", SLICE_ARG(buf_slice(&got)), SLICE_ARG(want));
    assert_true(slice_eq(buf_slice(&got), want));
    buf_done(&got);
}

/* ---- transcripts ---- */

static void a_message_is_delivered_to_each_recipient(void **state)
{
    struct fixture *fx = fixture_new();

    (void)state;
    struct fixture_session *fs = connect_to(fx);
    assert_slice(buf_slice(&fs->out), "220 mail.example.org LMTP Gatepost ready\r\n");
    assert_slice(fixture_say(fs, HELLO),
                 "250-mail.example.org\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n"
                 "250-8BITMIME\r\n250-BINARYMIME\r\n250-CHUNKING\r\n250-SMTPUTF8\r\n"
                 "250-SIZE 67108864\r\n250 STARTTLS\r\n");
    assert_slice(fixture_say(fs, "MAIL FROM:<s@example.net> SIZE=23 BODY=8BITMIME\r\n"),
                 "250 2.1.0 Sender accepted\r\n");
    assert_slice(fixture_say(fs, "RCPT TO:<alice@example.org>\r\n"),
                 "250 2.1.5 Recipient accepted\r\n");
    assert_slice(fixture_say(fs, "RCPT TO:<nobody@example.org>\r\n"),
                 "550 5.1.1 No such user here\r\n");
    assert_slice(fixture_say(fs, "RCPT TO:<bob@example.org>\r\n"),
                 "250 2.1.5 Recipient accepted\r\n");
    assert_slice(fixture_say(fs, "DATA\r\n"), GO_ON);
    assert_slice(fixture_say(fs, MESSAGE ".\r\n"), DELIVERED DELIVERED);
    assert_stored(fx, FIXTURE_ALICE, 1, S(MESSAGE));
    assert_stored(fx, FIXTURE_BOB, 1, S(MESSAGE));
    assert_int_equal(fs->summary.appended, 2);
    /* The next one on the same connection. */
    assert_slice(fixture_say(fs, ENVELOPE "DATA\r\n"),
                 "250 2.1.0 Sender accepted\r\n250 2.1.5 Recipient accepted\r\n" GO_ON);
    assert_slice(fixture_say(fs, ".\r\n"), DELIVERED);
    assert_stored(fx, FIXTURE_ALICE, 2, S(""));
    assert_slice(fixture_say(fs, "QUIT\r\n"), "221 2.0.0 Goodbye\r\n");
    assert_true(fs->over);
    fixture_session_free(fs);
    fixture_free(fx);
}

static void the_trace_tells_where_a_message_came_from(void **state)
{
    struct fixture *fx = fixture_new();
    struct buf got = buf_make(10000);

    (void)state;
    struct fixture_session *fs = greet(fx);
    assert_true(says(fs, "MAIL FROM:<>\r\n", "250 "));
    assert_true(says(fs, "RCPT TO:<@a,@b:Alice+lists@Example.org>\r\nDATA\r\n", "250 "));
    assert_true(says(fs, "x\r\n.\r\n", "250 "));
    fixture_message(fx, FIXTURE_ALICE, 1, &got);
    assert_slice(buf_slice(&got), "Return-Path: <>\r\nDelivered-To: Alice+lists@Example.org\r\n"
                                  "Received: from mta.example.net ([192.0.2.7])\r\n"
                                  "\tby mail.example.org with LMTP id s1.1\r\n"
                                  "\tfor <Alice+lists@Example.org>;\r\n"
                                  "\tWed, 18 Nov 2026 11:06:40 +0000\r\nx\r\n");
    buf_clear(&got);
    fixture_say(fs,
                ENVELOPE "RCPT TO:<nobody@example.org>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n");
    assert_true(says(fs, "x\r\n.\r\n", "250 "));
    fixture_message(fx, FIXTURE_ALICE, 2, &got);
    assert_slice(buf_slice(&got), "Return-Path: <s@example.net>\r\n"
                                  "Received: from mta.example.net ([192.0.2.7])\r\n"
                                  "\tby mail.example.org with LMTP id s1.2;\r\n"
                                  "\tWed, 18 Nov 2026 11:06:40 +0000\r\nx\r\n");
    fixture_session_free(fs);
    buf_done(&got);
    fixture_free(fx);
}

static void two_addresses_of_one_mailbox_get_one_copy_and_two_replies(void **state)
{
    struct fixture *fx = fixture_new();

    (void)state;
    struct fixture_session *fs = greet(fx);
    fixture_say(fs, ENVELOPE "RCPT TO:<ALICE@example.org>\r\nRCPT TO:<alice+detail@example.org>\r\n"
                             "DATA\r\n");
    assert_slice(fixture_say(fs, MESSAGE ".\r\n"), DELIVERED DELIVERED DELIVERED);
    assert_int_equal(fixture_count(fx, FIXTURE_ALICE), 1);
    fixture_session_free(fs);
    fixture_free(fx);
}

static void fifty_recipients_share_one_stored_copy(void **state)
{
    enum { N = 50 };
    struct fixture *fx = fixture_new();
    struct store_verify_report report;

    (void)state;
    struct fixture_session *fs = greet(fx);
    assert_true(says(fs, "MAIL FROM:<s@example.net>\r\n", "250 "));
    for (int i = 0; i < N; i++) {
        char line[80];

        snprintf(line, sizeof line, "RCPT TO:<user%d@example.org>\r\n", i);
        assert_true(says(fs, line, "250 "));
    }
    fixture_say(fs, "DATA\r\n");
    fs->room = 30; /* the replies take several pulls */
    struct slice got = fixture_say(fs, MESSAGE ".\r\n");
    assert_int_equal(got.len, N * strlen(DELIVERED));
    for (uint32_t i = 0; i < N; i++)
        assert_stored(fx, FIXTURE_NUMBERED + i, 1, S(MESSAGE));
    assert_ok(store_verify(fx->store, NULL, NULL, &report));
    assert_int_equal(report.faults, 0);
    assert_int_equal(report.messages, N);
    assert_int_equal(report.blobs, 1);
    fixture_session_free(fs);
    fixture_free(fx);
}

/* ---- the tables ---- */

/* Bring a session to a state. */
static const char *const ways_to_state[][2] = {
    {"", "start"},
    {HELLO, "ready"},
    {HELLO "MAIL FROM:<s@example.net>\r\n", "mail"},
    {HELLO ENVELOPE, "rcpt"},
    {HELLO ENVELOPE "BDAT 3\r\nabc", "chunks"},
};

static void every_command_keeps_to_its_states(void **state)
{
    struct fixture *fx = fixture_new();

    (void)state;
    for (size_t w = 0; w < sizeof ways_to_state / sizeof *ways_to_state; w++)
        for (size_t i = 0; i < lmtp_n_commands; i++) {
            const struct lmtp_command *c = &lmtp_commands[i];
            struct fixture_session *fs = connect_to(fx);
            char line[100];

            fixture_say(fs, ways_to_state[w][0]);
            /* With an argument that none understands, so that nothing is begun. */
            snprintf(line, sizeof line, "%s%s\r\n", c->name,
                     c->handler == lmtp_cmd_bdat ? " 0" : " ?");
            struct slice got = fixture_say(fs, line);
            bool refused = slice_starts(got, S("503 "));
            bool allowed = (c->states & (1u << w)) != 0;

            if (c->handler == lmtp_cmd_bdat)
                allowed = w >= 3;
            if (refused == allowed)
                fail_msg("%s at %s: %.*s", c->name, ways_to_state[w][1], SLICE_ARG(got));
            fixture_session_free(fs);
        }
    fixture_free(fx);
}

static void the_page_has_every_command(void **state)
{
    static char page[65536];
    FILE *file = fopen("docs/protocols/lmtp.md", "rb");

    (void)state;
    assert_non_null(file);
    page[fread(page, 1, sizeof page - 1, file)] = 0;
    fclose(file);
    for (size_t i = 0; i < lmtp_n_commands; i++) {
        const struct lmtp_command *c = &lmtp_commands[i];
        char start[40], end[60];

        snprintf(start, sizeof start, "\n| `%s%s", c->name, *c->usage ? " " : "`");
        snprintf(end, sizeof end, "| %s |", c->section);
        char *row = strstr(page, start);
        if (!row)
            fail_msg("docs/protocols/lmtp.md lacks %s", c->name);
        struct slice rest = slice_str(row + 1), line = slice_cut(&rest, '\n');
        assert_true(slice_ends(line, slice_str(end)));
    }
}

static void smtp_and_http_clients_are_turned_away(void **state)
{
    struct fixture *fx = fixture_new();

    (void)state;
    struct fixture_session *fs = connect_to(fx);
    assert_true(says(fs, "EHLO x\r\n", "500 5.5.1 This is LMTP"));
    assert_true(says(fs, "HELO x\r\n", "500 5.5.1 This is LMTP"));
    assert_true(says(fs, HELLO, "250-"));
    fixture_session_free(fs);
    fs = connect_to(fx);
    struct slice got = fixture_say(fs, "POST / HTTP/1.1\r\nHost: x\r\nCanary: 1\r\n\r\n" HELLO);
    assert_true(fs->over);
    assert_true(slice_find(got, S("anary")) == got.len);
    assert_true(slice_find(got, S("250")) == got.len);
    fixture_session_free(fs);
    fixture_free(fx);
}

/* ---- addresses ---- */

static void paths_are_read_as_rfc_5321_writes_them(void **state)
{
    static const struct {
        const char *args, *address, *raw, *rest; /* address NULL: refused */
    } cases[] = {
        {"<a@b>", "a@b", "a@b", ""},
        {" <a@b> SIZE=1", "a@b", "a@b", "SIZE=1"},
        {"<>", "", "", ""},
        {"<postmaster>", "postmaster", "postmaster", ""},
        {"<@x,@y:a@b>", "a@b", "a@b", ""},
        {"<\"a b\"@c>", "a b@c", "\"a b\"@c", ""},
        {"<\"a\\\"b\\\\\"@c>", "a\"b\\@c", "\"a\\\"b\\\\\"@c", ""},
        {"<\"a@b\"@c>", "a@b@c", "\"a@b\"@c", ""},
        {"<\"a>b\"@c>", "a>b@c", "\"a>b\"@c", ""},
        {"<\xC3\xA4@b>", "\xC3\xA4@b", "\xC3\xA4@b", ""},
        {"a@b", NULL, NULL, NULL},
        {"<a@b", NULL, NULL, NULL},
        {"<a b@c>", NULL, NULL, NULL},
        {"<a@b>x", NULL, NULL, NULL},
        {"<<a@b>>", NULL, NULL, NULL},
        {"<\"\"@d>", NULL, NULL, NULL},
        {"<\"\">", NULL, NULL, NULL},
        {"<@d>", NULL, NULL, NULL},
        {"<@x:>", NULL, NULL, NULL},
        {"<\"a@b>", NULL, NULL, NULL},
        {"<\"a\\", NULL, NULL, NULL},
        {"<\"a\\\"@b>", NULL, NULL, NULL},
        {"<a\rb@c>", NULL, NULL, NULL},
        {"<\"a\\\rb\"@c>", NULL, NULL, NULL},
        {"", NULL, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice args = slice_str(cases[i].args);
        struct arena arena = ARENA_INIT;
        struct lmtp_path path;
        bool ok = lmtp_path(&args, &arena, &path);

        if (ok != (cases[i].address != NULL))
            fail_msg("%s", cases[i].args);
        if (ok) {
            assert_slice(path.address, cases[i].address);
            assert_slice(path.raw, cases[i].raw);
            assert_slice(args, cases[i].rest);
        }
        arena_done(&arena);
    }
}

static void what_is_wrong_with_an_envelope_is_told(void **state)
{
    struct fixture *fx = fixture_new();
    static const struct {
        const char *line, *reply;
    } mails[] = {
        {"MAIL\r\n", "501 "},
        {"MAIL FROM\r\n", "501 "},
        {"MAIL FROM:a@b\r\n", "501 5.1.7"},
        {"MAIL FROM:<a@b> SIZE=x\r\n", "501 5.5.4"},
        {"MAIL FROM:<a@b> SIZE=67108865\r\n", "552 5.3.4"},
        {"MAIL FROM:<a@b> BODY=9BIT\r\n", "501 5.5.4"},
        {"MAIL FROM:<a@b> RET=FULL\r\n", "555 5.5.4"},
        {"MAIL FROM:<\xC3\xA4@b>\r\n", "553 5.6.7"},
        {"MAIL FROM:<\xE4@b> SMTPUTF8\r\n", "553 5.6.7"},
        {"mail from: <\xC3\xA4@b> smtputf8 body=7bit size=67108864\r\n", "250 2.1.0"},
    };
    static const struct {
        const char *line, *reply;
    } rcpts[] = {
        {"RCPT\r\n", "501 "},
        {"RCPT TO:<>\r\n", "501 5.1.3"},
        {"RCPT TO:<alice@example.org> NOTIFY=NEVER\r\n", "555 5.5.4"},
        {"RCPT TO:<\"\"@example.org>\r\n", "501 5.1.3"},
        {"RCPT TO:<nobody@example.org>\r\n", "550 5.1.1"},
        {"RCPT TO:<\"alice\"@example.org>\r\n", "250 2.1.5"},
    };

    (void)state;
    struct fixture_session *fs = greet(fx);
    for (size_t i = 0; i < sizeof mails / sizeof *mails; i++)
        assert_true(says(fs, mails[i].line, mails[i].reply));
    assert_true(says(fs, "MAIL FROM:<a@b>\r\n", "503 5.5.1"));
    assert_true(says(fs, "DATA\r\n", "503 5.5.1 No recipient"));
    for (size_t i = 0; i < sizeof rcpts / sizeof *rcpts; i++)
        assert_true(says(fs, rcpts[i].line, rcpts[i].reply));
    fx->source_down = ERR_UNAVAILABLE;
    assert_true(says(fs, "RCPT TO:<bob@example.org>\r\n", "451 4.3.0"));
    fx->source_down = ERR_CONFLICT;
    assert_true(says(fs, "RCPT TO:<bob@example.org>\r\n", "550 5.1.4"));
    fx->source_down = ERR_NONE;
    assert_true(says(fs, "RSET\r\n", "250 2.0.0"));
    assert_true(says(fs, "RCPT TO:<bob@example.org>\r\n", "503 5.5.1"));
    fixture_session_free(fs);
    fixture_free(fx);
}

static void a_full_mailbox_is_told_at_rcpt(void **state)
{
    struct fixture *fx = fixture_new();
    struct mailbox *mb = fixture_mailbox(fx, FIXTURE_ALICE);
    struct store_set_quota rq;

    (void)state;
    store_set_quota_init(&rq);
    rq.quota = 1000;
    assert_ok(store_run(mb, &rq.op));
    mailbox_close(mb);
    struct fixture_session *fs = greet(fx);
    assert_true(says(fs, "MAIL FROM:<s@example.net> SIZE=1001\r\n", "250 "));
    assert_true(says(fs, "RCPT TO:<alice@example.org>\r\n", "552 5.2.2"));
    assert_true(says(fs, "RCPT TO:<bob@example.org>\r\n", "250 "));
    assert_true(says(fs, "DATA\r\n", "354 "));
    assert_slice(fixture_say(fs, MESSAGE ".\r\n"), DELIVERED);
    assert_int_equal(fixture_count(fx, FIXTURE_ALICE), 0);
    /* Told too little by the sender: found out at the end, for this recipient alone. */
    assert_true(says(fs, ENVELOPE "RCPT TO:<bob@example.org>\r\nDATA\r\n", "250 "));
    for (int i = 0; i < 100; i++)
        fixture_say(fs, "0123456789\r\n");
    assert_slice(fixture_say(fs, ".\r\n"), "552 5.2.2 The mailbox is full\r\n" DELIVERED);
    assert_int_equal(fixture_count(fx, FIXTURE_ALICE), 0);
    fixture_session_free(fs);
    fixture_free(fx);
}

/* ---- content ---- */

static void data_end_where_they_should_and_keep_every_byte(void **state)
{
    struct fixture *fx = fixture_new();
    static const struct {
        const char *wire;
        size_t wire_len;
        const char *content;
        size_t content_len;
    } cases[] = {
#define CASE(wire, content) {wire, sizeof(wire) - 1, content, sizeof(content) - 1}
        CASE("a\n.\nMAIL FROM:<evil@x>\r\n.\r\n", "a\n.\nMAIL FROM:<evil@x>\r\n"),
        CASE("a\r.\rMAIL FROM:<evil@x>\r\n.\r\n", "a\r.\rMAIL FROM:<evil@x>\r\n"),
        CASE("a\r\n.\nMAIL FROM:<evil@x>\r\n.\r\n", "a\r\n\nMAIL FROM:<evil@x>\r\n"),
        CASE("a\n.\r\nMAIL FROM:<evil@x>\r\n.\r\n", "a\n.\r\nMAIL FROM:<evil@x>\r\n"),
        CASE("a\0b\0\r\n..\r\n..b\r\n.\r\n", "a\0b\0\r\n.\r\n.b\r\n"),
        CASE("\x80\xFF\r\n\r\n\r\n.\r\n", "\x80\xFF\r\n\r\n\r\n"),
#undef CASE
    };

    (void)state;
    struct fixture_session *fs = greet(fx);
    for (uint32_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(says(fs, ENVELOPE "DATA\r\n", "250 "));
        assert_slice(fixture_say_bytes(fs, slice_of(cases[i].wire, cases[i].wire_len)), DELIVERED);
        assert_stored(fx, FIXTURE_ALICE, i + 1, slice_of(cases[i].content, cases[i].content_len));
    }
    fixture_session_free(fs);
    fixture_free(fx);
}

static void large_messages_and_long_lines_come_in_whole(void **state)
{
    struct fixture *fx = fixture_new();
    struct buf message = buf_make(8 << 20);

    (void)state;
    buf_puts(&message, "Subject: large\r\n\r\n");
    while (message.len < (3 << 20))
        buf_put_u64(&message, message.len);
    buf_puts(&message, "\r\n");
    struct fixture_session *fs = greet(fx);
    fs->max_feed = 16384;
    assert_true(says(fs, ENVELOPE "DATA\r\n", "250 "));
    fixture_say_bytes(fs, buf_slice(&message));
    assert_slice(fixture_say(fs, ".\r\n"), DELIVERED);
    assert_stored(fx, FIXTURE_ALICE, 1, buf_slice(&message));
    /* Abandoned while it is being prepared elsewhere. */
    assert_true(says(fs, ENVELOPE "DATA\r\n", "250 "));
    fixture_say_bytes(fs, buf_slice(&message));
    fixture_poke(fs, S(".\r\n"));
    assert_int_equal(fs->next, NEXT_WAIT);
    fs->session->ops->closed(fs->session);
    fixture_session_free(fs);
    buf_done(&message);
    fixture_free(fx);
}

static void chunks_are_put_together(void **state)
{
    struct fixture *fx = fixture_new();

    (void)state;
    struct fixture_session *fs = greet(fx);
    assert_true(says(fs, "MAIL FROM:<s@example.net> BODY=BINARYMIME\r\n", "250 "));
    assert_true(says(fs, "RCPT TO:<alice@example.org>\r\n", "250 "));
    assert_true(says(fs, "DATA\r\n", "503 5.5.1 BINARYMIME"));
    assert_slice(fixture_say(fs, "BDAT 7\r\nA: b\n.\nBDAT 0\r\nBDAT 4 LAST\r\n\r\n.\r"),
                 "250 2.0.0 7 octets received\r\n250 2.0.0 0 octets received\r\n" DELIVERED);
    assert_stored(fx, FIXTURE_ALICE, 1, S("A: b\n.\n\r\n.\r"));
    assert_true(says(fs, ENVELOPE "BDAT 3 last\r\nabcNOOP\r\n", "250 "));
    assert_true(slice_ends(buf_slice(&fs->out), S(DELIVERED "250 2.0.0 Nothing done\r\n")));
    /* Without a recipient the bytes are taken off all the same. */
    assert_slice(fixture_say(fs, "BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n"),
                 "503 5.5.1 No recipient was accepted\r\n250 2.0.0 Nothing done\r\n");
    /* No mixing. */
    assert_true(says(fs, ENVELOPE "BDAT 1\r\nx", "250 "));
    assert_true(says(fs, "DATA\r\n", "503 5.5.1"));
    assert_true(says(fs, "RCPT TO:<bob@example.org>\r\n", "503 5.5.1"));
    assert_true(says(fs, "RSET\r\n", "250 "));
    assert_true(says(fs, "BDAT x\r\n", "501 5.5.4"));
    assert_true(fs->over);
    assert_int_equal(fixture_count(fx, FIXTURE_ALICE), 2);
    fixture_session_free(fs);
    fixture_free(fx);
}

static void a_message_that_is_too_big_is_refused_for_each_recipient(void **state)
{
    struct fixture *fx = fixture_new();

    (void)state;
    fx->limits.max_message = 100;
    struct fixture_session *fs = greet(fx);
    assert_true(slice_find(buf_slice(&fs->out), S("250-SIZE 100\r\n")) < fs->out.len);
    assert_true(says(fs, ENVELOPE "RCPT TO:<bob@example.org>\r\nDATA\r\n", "250 "));
    for (int i = 0; i < 20; i++)
        fixture_say(fs, "0123456789\r\n");
    assert_slice(fixture_say(fs, ".\r\n"), "552 5.3.4 The message is too big for this server\r\n"
                                           "552 5.3.4 The message is too big for this server\r\n");
    assert_true(says(fs, ENVELOPE "BDAT 101\r\n", "250 "));
    for (int i = 0; i < 101; i++)
        fixture_say(fs, "x");
    assert_slice(buf_slice(&fs->out), "552 5.3.4 The message is too big for this server\r\n");
    assert_slice(fixture_say(fs, "BDAT 1 LAST\r\nx"),
                 "552 5.3.4 The message is too big for this server\r\n");
    assert_true(says(fs, ENVELOPE "DATA\r\n", "250 "));
    assert_slice(fixture_say(fs, MESSAGE ".\r\n"), DELIVERED);
    assert_int_equal(fixture_count(fx, FIXTURE_ALICE), 1);
    fixture_session_free(fs);
    fixture_free(fx);
}

/* ---- the same whatever the pieces ---- */

static const char script[] =
    "NOOP\r\n" HELLO "VRFY x\r\nHELP\r\n" ENVELOPE "RCPT TO:<bob@example.org>\r\nDATA\r\n"
    "Subject: x\r\n\r\n..dot\r\n.\r\n" ENVELOPE "BDAT 5\r\nA: b\rBDAT 3 LAST\r\nxyzBOGUS\r\n"
    "RSET\r\nQUIT\r\nNOOP\r\n";

static void assert_both_stored(struct fixture *fx, uint32_t i)
{
    assert_stored(fx, FIXTURE_ALICE, 2 * i + 1, S("Subject: x\r\n\r\n.dot\r\n"));
    assert_stored(fx, FIXTURE_ALICE, 2 * i + 2, S("A: b\rxyz"));
}

static void output_does_not_depend_on_the_pieces_of_the_input(void **state)
{
    struct fixture *fx = fixture_new();

    (void)state;
    fixture_say_in_pieces(fx, connect_to, script, "221 2.0.0 Goodbye\r\n", assert_both_stored);
    fixture_free(fx);
}

static void a_session_can_be_abandoned_at_any_point(void **state)
{
    struct fixture *fx = fixture_new();

    (void)state;
    for (size_t cut = 1; cut <= strlen(script); cut++)
        fixture_say_and_go(fx, connect_to, slice_of(script, cut), cut % 2);
    fixture_free(fx);
}

static void what_comes_in_clear_behind_starttls_is_dropped(void **state)
{
    struct fixture *fx = fixture_new();

    (void)state;
    struct fixture_session *fs = greet(fx);
    assert_slice(fixture_say(fs, "STARTTLS\r\nMAIL FROM:<evil@x>\r\n"), "220 2.0.0 Begin TLS\r\n");
    assert_int_equal(fs->tls_starts, 1);
    assert_true(says(fs, "MAIL FROM:<s@example.net>\r\n", "503 5.5.1 LHLO first"));
    struct slice got = fixture_say(fs, HELLO);
    assert_true(slice_find(got, S("STARTTLS")) == got.len);
    assert_true(slice_ends(got, S("\r\n250 SIZE 67108864\r\n")));
    assert_true(says(fs, "STARTTLS\r\n", "502 5.5.1"));
    fixture_session_free(fs);
    fixture_free(fx);
}

/* ---- limits and time ---- */

static void an_envelope_is_bounded(void **state)
{
    struct fixture *fx = fixture_new();
    char line[80];
    int i;

    (void)state;
    struct fixture_session *fs = greet(fx);
    assert_true(says(fs, "MAIL FROM:<s@example.net>\r\n", "250 "));
    for (i = 0; i < LMTP_MAX_RECIPIENTS; i++) {
        snprintf(line, sizeof line, "RCPT TO:<user%d@example.org>\r\n", i % 10);
        assert_true(says(fs, line, "250 "));
    }
    assert_true(says(fs, "RCPT TO:<user1@example.org>\r\n", "452 4.5.3"));
    struct buf line_of_blanks = buf_make(100000);
    for (i = 0; i < 90000; i++)
        buf_putc(&line_of_blanks, ' ');
    buf_puts(&line_of_blanks, "\r\n");
    assert_slice(fixture_say_bytes(fs, buf_slice(&line_of_blanks)),
                 "500 5.5.2 The line is too long\r\n");
    buf_done(&line_of_blanks);
    fixture_session_free(fs);
    fixture_free(fx);
}

/* What nobody will get mail at takes memory too, until the transaction ends. */
static void refused_recipients_are_bounded_too(void **state)
{
    struct fixture *fx = fixture_new();
    struct buf line = buf_make(4096);

    (void)state;
    struct fixture_session *fs = greet(fx);
    assert_true(says(fs, "MAIL FROM:<s@example.net>\r\n", "250 "));
    buf_puts(&line, "RCPT TO:<nobody@");
    for (int i = 0; i < 900; i++)
        buf_putc(&line, 'x');
    buf_puts(&line, ">\r\n");
    const struct lmtp_transaction *t = ((struct lmtp_session *)fs->session)->transaction;
    for (int i = 0; i < 2 * LMTP_MAX_ENVELOPE / 900; i++)
        fixture_say_bytes(fs, buf_slice(&line));
    assert_true(slice_starts(fixture_say_bytes(fs, buf_slice(&line)), S("452 4.5.3")));
    assert_true(t->arena.total < LMTP_MAX_ENVELOPE + 8192);
    buf_done(&line);
    fixture_session_free(fs);
    fixture_free(fx);
}

static void a_silent_client_is_told_goodbye(void **state)
{
    struct fixture *fx = fixture_new();

    (void)state;
    struct fixture_session *fs = connect_to(fx);
    assert_slice(fixture_pass(fs, 61 * 1000), "421 4.4.2 Timeout\r\n");
    assert_true(fs->over);
    fixture_session_free(fs);
    fs = greet(fx);
    fixture_say(fs, ENVELOPE "DATA\r\nhalf a mess");
    fixture_pass(fs, 4 * 60 * 1000);
    assert_false(fs->over);
    assert_slice(fixture_pass(fs, 2 * 60 * 1000), "421 4.4.2 Timeout\r\n");
    assert_true(fs->over);
    assert_int_equal(fixture_count(fx, FIXTURE_ALICE), 0);
    fixture_session_free(fs);
    fixture_free(fx);
}

static void a_server_that_stops_finishes_the_message(void **state)
{
    struct fixture *fx = fixture_new();

    (void)state;
    struct fixture_session *fs = greet(fx);
    fixture_say(fs, ENVELOPE "DATA\r\nSubject: x\r\n");
    fs->session->ops->drain(fs->session);
    fixture_run(fs);
    assert_false(fs->over);
    assert_slice(fixture_say(fs, "\r\nbody\r\n.\r\n"),
                 DELIVERED "421 4.3.2 The server is shutting down\r\n");
    assert_true(fs->over);
    assert_stored(fx, FIXTURE_ALICE, 1, S("Subject: x\r\n\r\nbody\r\n"));
    fixture_session_free(fs);
    fixture_free(fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_delivered_to_each_recipient),
        cmocka_unit_test(the_trace_tells_where_a_message_came_from),
        cmocka_unit_test(two_addresses_of_one_mailbox_get_one_copy_and_two_replies),
        cmocka_unit_test(fifty_recipients_share_one_stored_copy),
        cmocka_unit_test(every_command_keeps_to_its_states),
        cmocka_unit_test(the_page_has_every_command),
        cmocka_unit_test(smtp_and_http_clients_are_turned_away),
        cmocka_unit_test(paths_are_read_as_rfc_5321_writes_them),
        cmocka_unit_test(what_is_wrong_with_an_envelope_is_told),
        cmocka_unit_test(a_full_mailbox_is_told_at_rcpt),
        cmocka_unit_test(data_end_where_they_should_and_keep_every_byte),
        cmocka_unit_test(large_messages_and_long_lines_come_in_whole),
        cmocka_unit_test(chunks_are_put_together),
        cmocka_unit_test(a_message_that_is_too_big_is_refused_for_each_recipient),
        cmocka_unit_test(output_does_not_depend_on_the_pieces_of_the_input),
        cmocka_unit_test(a_session_can_be_abandoned_at_any_point),
        cmocka_unit_test(what_comes_in_clear_behind_starttls_is_dropped),
        cmocka_unit_test(an_envelope_is_bounded),
        cmocka_unit_test(refused_recipients_are_bounded_too),
        cmocka_unit_test(a_silent_client_is_told_goodbye),
        cmocka_unit_test(a_server_that_stops_finishes_the_message),
    };

    return cmocka_run_group_tests_name("lmtp", tests, NULL, NULL);
}
