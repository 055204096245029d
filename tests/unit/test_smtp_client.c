/* test_smtp_client.c - what a client of SMTP and LMTP says, byte for byte, and what it makes of the
 * answers. */
#include "protocols/smtp/smtp.h"

#include "tests/support/test.h"

enum { RECIPIENTS = 3 };

struct talk {
    struct smtp_settings settings;
    struct smtp_recipient recipients[RECIPIENTS];
    struct smtp_mail mail;
};

static void talk_init(struct talk *t, size_t n)
{
    static const char *const names[RECIPIENTS] = {"a@x.test", "b@x.test", "c@x.test"};

    *t = (struct talk){.settings = {.host_name = "here.test"}};
    t->mail = (struct smtp_mail){.sender = S("me@here.test"),
                                 .bytes = S("Subject: x\r\n\r\n.\r\nend\r\n"),
                                 .recipients = t->recipients,
                                 .n_recipients = n};
    for (size_t i = 0; i < n; i++)
        t->recipients[i].address = slice_str(names[i]);
}

/*
 * Play a transcript: "S: " lines are fed, "C: " lines are what must come then, byte for byte; "T"
 * starts TLS, "E" is its end. An answer is fed byte by byte too.
 */
static void play(struct talk *t, const char *const *lines, size_t step)
{
    struct smtp_client *client = smtp_client_new(&t->settings, &t->mail);
    struct buf out = buf_make(SIZE_MAX);
    enum smtp_next next = SMTP_NEXT_READ;

    for (; *lines; lines++) {
        if (**lines == 'S') {
            assert_int_equal(out.len, 0);
            for (struct slice in = slice_str(*lines + 3); in.len; in = slice_from(in, step))
                smtp_client_feed(client, slice_head(in, step));
        } else if (**lines == 'T') {
            assert_int_equal(next, SMTP_NEXT_TLS);
            smtp_client_tls_started(client);
        } else if (**lines == 'E') {
            assert_int_equal(next, SMTP_NEXT_END);
        } else {
            struct slice want = slice_str(*lines + 3);

            assert_true(slice_starts(buf_slice(&out), want));
            buf_consume(&out, want.len);
        }
        do {
            next = smtp_client_pull(client, &out, 7);
        } while (next == SMTP_NEXT_PULL);
    }
    assert_int_equal(out.len, 0);
    smtp_client_break(client, "the end");
    smtp_client_free(client);
    buf_done(&out);
}

/* Whole answers, and a byte at a time. */
static void play_both(struct talk *t, const char *const *lines)
{
    play(t, lines, SIZE_MAX);
    play(t, lines, 1);
}

static void assert_result(const struct smtp_recipient *r, enum smtp_result result,
                          const char *reply)
{
    assert_int_equal(r->result, result);
    assert_string_equal(r->reply, reply);
}

static void one_command_at_a_time(void **state)
{
    static const char *const lines[] = {"S: 220-hello\r\n220 there\r\n",
                                        "C: EHLO here.test\r\n",
                                        "S: 250 next.test\r\n",
                                        "C: MAIL FROM:<me@here.test>\r\n",
                                        "S: 250 ok\r\n",
                                        "C: RCPT TO:<a@x.test>\r\n",
                                        "S: 550 5.1.1 no a\r\n",
                                        "C: RCPT TO:<b@x.test>\r\n",
                                        "S: 450-4.2.0 later\r\n450 b\n",
                                        "C: RCPT TO:<c@x.test>\r\n",
                                        "S: 251 will forward\r\n",
                                        "C: DATA\r\n",
                                        "S: 354 go\r\n",
                                        "C: Subject: x\r\n\r\n..\r\nend\r\n.\r\n",
                                        "S: 250 2.0.0 queued\r\n",
                                        "C: QUIT\r\n",
                                        "E",
                                        NULL};
    struct talk t;

    (void)state;
    talk_init(&t, 3);
    play_both(&t, lines);
    assert_result(&t.recipients[0], SMTP_REFUSED, "550 5.1.1 no a");
    assert_result(&t.recipients[1], SMTP_LATER, "450 4.2.0 later b");
    assert_result(&t.recipients[2], SMTP_TAKEN, "250 2.0.0 queued");
}

static void the_envelope_in_one_go(void **state)
{
    static const char *const lines[] = {
        "S: 220 x\r\n",
        "C: EHLO here.test\r\n",
        "S: 250-next.test\r\n250-pipelining\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250 DSN\r\n",
        ("C: MAIL FROM:<me@here.test> SIZE=22 RET=HDRS ENVID=77\r\n"
         "RCPT TO:<a@x.test> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;a@x.test\r\n"
         "RCPT TO:<b@x.test> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;b@x.test\r\n"),
        "S: 250 ok\r\n250 ok\r\n550 no\r\n",
        "C: DATA\r\n",
        "S: 354 go\r\n",
        "C: Subject: x\r\n\r\n..\r\nend\r\n.\r\n",
        "S: 452 4.3.1 full\r\n",
        "C: QUIT\r\n",
        "E",
        NULL};
    struct talk t;

    (void)state;
    talk_init(&t, 2);
    t.mail.wants_report = true;
    t.mail.envelope_id = S("77");
    play_both(&t, lines);
    assert_true(t.mail.reports);
    assert_result(&t.recipients[0], SMTP_LATER, "452 4.3.1 full");
    assert_result(&t.recipients[1], SMTP_REFUSED, "550 no");
}

/* RFC 2920 3.1: the answers to what was sent behind a MAIL that was refused say nothing new. */
static void a_sender_that_is_refused(void **state)
{
    static const char *const piped[] = {
        "S: 220 x\r\n",
        "C: EHLO here.test\r\n",
        "S: 250-next.test\r\n250 PIPELINING\r\n",
        "C: MAIL FROM:<me@here.test>\r\nRCPT TO:<a@x.test>\r\nRCPT TO:<b@x.test>\r\n",
        "S: 553 5.1.8 who\r\n503 first\r\n",
        "S: 503 first\r\n",
        "C: QUIT\r\n",
        "E",
        NULL};
    static const char *const plain[] = {"S: 220 x\r\n",
                                        "C: EHLO here.test\r\n",
                                        "S: 250 next.test\r\n",
                                        "C: MAIL FROM:<me@here.test>\r\n",
                                        "S: 553 5.1.8 who\r\n",
                                        "C: QUIT\r\n",
                                        "E",
                                        NULL};
    struct talk t;

    (void)state;
    for (int i = 0; i < 2; i++) {
        talk_init(&t, 2);
        play_both(&t, i ? plain : piped);
        assert_result(&t.recipients[0], SMTP_REFUSED, "553 5.1.8 who");
        assert_result(&t.recipients[1], SMTP_REFUSED, "553 5.1.8 who");
    }
}

/* RFC 2033 4.2. */
static void lmtp_answers_for_each_that_was_accepted(void **state)
{
    static const char *const lines[] = {
        "S: 220 x\r\n",
        "C: LHLO here.test\r\n",
        "S: 250-next.test\r\n250 PIPELINING\r\n",
        ("C: MAIL FROM:<me@here.test>\r\nRCPT TO:<a@x.test>\r\nRCPT TO:<b@x.test>\r\n"
         "RCPT TO:<c@x.test>\r\n"),
        "S: 250 ok\r\n250 ok\r\n550 no b\r\n250 ok\r\n",
        "C: DATA\r\n",
        "S: 354 go\r\n",
        "C: Subject: x\r\n\r\n..\r\nend\r\n.\r\n",
        "S: 552 5.2.2 full\r\n",
        "S: 250 2.0.0 c has it\r\n",
        "C: QUIT\r\n",
        "E",
        NULL};
    struct talk t;

    (void)state;
    talk_init(&t, 3);
    t.settings.lmtp = true;
    play_both(&t, lines);
    assert_result(&t.recipients[0], SMTP_REFUSED, "552 5.2.2 full");
    assert_result(&t.recipients[1], SMTP_REFUSED, "550 no b");
    assert_result(&t.recipients[2], SMTP_TAKEN, "250 2.0.0 c has it");
}

/* Whoever was answered is answered, though the connection breaks before the others are. */
static void lmtp_breaks_between_its_answers(void **state)
{
    static const char *const lines[] = {
        "S: 220 x\r\n",
        "C: LHLO here.test\r\n",
        "S: 250-next.test\r\n250 PIPELINING\r\n",
        "C: MAIL FROM:<me@here.test>\r\nRCPT TO:<a@x.test>\r\nRCPT TO:<b@x.test>\r\n",
        "S: 250 ok\r\n250 ok\r\n250 ok\r\n",
        "C: DATA\r\n",
        "S: 354 go\r\n",
        "C: Subject: x\r\n\r\n..\r\nend\r\n.\r\n",
        "S: 250 a has it\r\n",
        NULL};
    struct talk t;

    (void)state;
    talk_init(&t, 2);
    t.settings.lmtp = true;
    play_both(&t, lines);
    assert_result(&t.recipients[0], SMTP_TAKEN, "250 a has it");
    assert_result(&t.recipients[1], SMTP_LATER, "4.4.2 the end");
}

static void nothing_is_said_in_clear_where_tls_is_wanted(void **state)
{
    static const char *const none[] = {"S: 220 x\r\n",
                                       "C: EHLO here.test\r\n",
                                       "S: 250-next.test\r\n250 AUTH PLAIN\r\n",
                                       "C: QUIT\r\n",
                                       "E",
                                       NULL};
    /* What comes in clear behind the answer to STARTTLS is dropped (RFC 3207 4.2). */
    static const char *const lines[] = {"S: 220 x\r\n",
                                        "C: EHLO here.test\r\n",
                                        "S: 250-next.test\r\n250 STARTTLS\r\n",
                                        "C: STARTTLS\r\n",
                                        "S: 220 go\r\n250-evil\r\n250 AUTH LOGIN\r\n",
                                        "T",
                                        "C: EHLO here.test\r\n",
                                        "S: 250-next.test\r\n250 AUTH LOGIN PLAIN\r\n",
                                        "C: AUTH PLAIN AG1lAHNlY3JldA==\r\n",
                                        "S: 535 5.7.8 no\r\n",
                                        "C: QUIT\r\n",
                                        "E",
                                        NULL};
    struct talk t;

    (void)state;
    talk_init(&t, 1);
    t.settings.starttls = true;
    t.settings.user = "me";
    t.settings.password = "secret";
    play_both(&t, none);
    assert_result(&t.recipients[0], SMTP_LATER, "4.7.0 the next hop does not offer STARTTLS");
    play_both(&t, lines);
    assert_result(&t.recipients[0], SMTP_LATER, "535 5.7.8 no");
}

static void it_logs_on_as_the_next_hop_likes_it(void **state)
{
    static const char *const lines[] = {"S: 220 x\r\n",
                                        "C: EHLO here.test\r\n",
                                        "S: 250-next.test\r\n250 AUTH GSSAPI LOGIN\r\n",
                                        "C: AUTH LOGIN\r\n",
                                        "S: 334 VXNlcm5hbWU6\r\n",
                                        "C: bWU=\r\n",
                                        "S: 334 UGFzc3dvcmQ6\r\n",
                                        "C: c2VjcmV0\r\n",
                                        "S: 235 welcome\r\n",
                                        "C: MAIL FROM:<me@here.test>\r\n",
                                        NULL};
    struct talk t;

    (void)state;
    talk_init(&t, 1);
    t.settings.user = "me";
    t.settings.password = "secret";
    play_both(&t, lines);
}

static void what_cannot_go_is_not_tried(void **state)
{
    static const char *const small[] = {"S: 220 x\r\n",
                                        "C: EHLO here.test\r\n",
                                        "S: 250-x\r\n250 SIZE 10\r\n",
                                        "C: QUIT\r\n",
                                        "E",
                                        NULL};
    static const char *const ascii[] = {"S: 220 x\r\n",
                                        "C: EHLO here.test\r\n",
                                        "S: 250 x\r\n",
                                        "C: MAIL FROM:<me@here.test>\r\n",
                                        "S: 250 ok\r\n",
                                        "C: RCPT TO:<a@x.test>\r\n",
                                        "S: 250 ok\r\n",
                                        "C: RCPT TO:<c@x.test>\r\n",
                                        "S: 250 ok\r\n",
                                        "C: DATA\r\n",
                                        NULL};
    static const char *const utf8[] = {
        "S: 220 x\r\n", "C: EHLO here.test\r\n", "S: 250-x\r\n250-SMTPUTF8\r\n250 PIPELINING\r\n",
        ("C: MAIL FROM:<me@here.test> SMTPUTF8\r\nRCPT TO:<a@x.test>\r\n"
         "RCPT TO:<j\xc3\xbcrgen@x.test>\r\nRCPT TO:<c@x.test>\r\n"),
        NULL};
    struct talk t;

    (void)state;
    talk_init(&t, 3);
    play_both(&t, small);
    assert_result(&t.recipients[2], SMTP_REFUSED, "552 5.3.4 larger than the next hop takes");
    t.recipients[1].address = S("j\xc3\xbcrgen@x.test");
    play_both(&t, ascii);
    assert_result(&t.recipients[1], SMTP_REFUSED,
                  "553 5.6.7 the next hop takes no address beyond ASCII");
    assert_result(&t.recipients[0], SMTP_LATER, "4.4.2 the end");
    play_both(&t, utf8);
}

/* Faults of the connection, or of a peer that speaks something else, refuse nothing. */
static void what_is_no_answer_is_for_later(void **state)
{
    static const struct {
        const char *greeting, *reply;
    } rows[] = {
        {"S: 554 5.3.2 no service\r\n", "554 5.3.2 no service"},
        {"S: SSH-2.0-OpenSSH\r\n", "4.4.2 what the next hop says is not SMTP"},
        {"S: 22\r\n", "4.4.2 what the next hop says is not SMTP"},
        {"S: 920 x\r\n", "4.4.2 what the next hop says is not SMTP"},
        {"S: 220-a\r\n250 b\r\n", "4.4.2 what the next hop says is not SMTP"},
        {"S: 220x\r\n", "4.4.2 what the next hop says is not SMTP"},
        {"S: 421 a\tb\x1b[31m\r\n", "421 a?b?[31m"},
    };
    struct talk t;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool quits = rows[i].reply[0] != '4' || rows[i].reply[1] != '.';
        const char *const lines[] = {rows[i].greeting, quits ? "C: QUIT\r\n" : "E", "E", NULL};

        talk_init(&t, 1);
        play_both(&t, lines);
        assert_result(&t.recipients[0], SMTP_LATER, rows[i].reply);
    }
}

static void older_servers_are_greeted_by_helo(void **state)
{
    static const char *const lines[] = {"S: 220 x\r\n",
                                        "C: EHLO here.test\r\n",
                                        "S: 502 what\r\n",
                                        "C: HELO here.test\r\n",
                                        "S: 250 next.test\r\n",
                                        "C: MAIL FROM:<me@here.test>\r\n",
                                        NULL};
    struct talk t;

    (void)state;
    talk_init(&t, 1);
    play_both(&t, lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_command_at_a_time),
        cmocka_unit_test(the_envelope_in_one_go),
        cmocka_unit_test(a_sender_that_is_refused),
        cmocka_unit_test(lmtp_answers_for_each_that_was_accepted),
        cmocka_unit_test(lmtp_breaks_between_its_answers),
        cmocka_unit_test(nothing_is_said_in_clear_where_tls_is_wanted),
        cmocka_unit_test(it_logs_on_as_the_next_hop_likes_it),
        cmocka_unit_test(what_cannot_go_is_not_tried),
        cmocka_unit_test(what_is_no_answer_is_for_later),
        cmocka_unit_test(older_servers_are_greeted_by_helo),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
