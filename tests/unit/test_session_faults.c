/*
 * A store in trouble, as POP3 and LMTP tell it: never as a wrong password, an empty maildrop, a
 * whole message that is a part, or a delivery that was not made.
 */
#include "tests/support/test.h"

#include "protocols/lmtp/lmtp.h"
#include "protocols/pop3/pop3.h"
#include "store/engine/engine_faulty.h"
#include "store/engine/engine_lmdb.h"
#include "tests/support/session_fixture.h"

#define LOGON "USER alice\r\nPASS gatepost\r\n"
#define TO_TWO                                                                                     \
    "LHLO mta.example.net\r\nMAIL FROM:<s@example.net>\r\n"                                        \
    "RCPT TO:<alice@example.org>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n"

struct world {
    char *dir;
    struct engine *engine;
    struct fixture *fx;
};

static void world_init(struct world *w)
{
    struct store_config config = {.map_bytes = 1ull << 30, .create = true};
    struct engine *inner;

    w->dir = test_dir_new();
    struct engine_lmdb_config lmdb = {.dir = w->dir, .map_bytes = 1ull << 30, .create = true};
    assert_ok(engine_lmdb_open(&lmdb, NULL, &inner));
    assert_ok(engine_faulty_new(inner, 1, &w->engine));
    w->fx = fixture_new_with(&config, w->engine);
    fixture_deliver(w->fx, FIXTURE_ALICE, S("Subject: one\r\n\r\nfirst\r\n"));
    fixture_deliver(w->fx, FIXTURE_ALICE, S("Subject: two\r\n\r\nsecond\r\n"));
    fixture_deliver(w->fx, FIXTURE_BOB, S("Subject: bob\r\n\r\n"));
}

static void world_done(struct world *w)
{
    engine_faulty_own(w->engine, FIXTURE_ALICE);
    fixture_free(w->fx);
    test_dir_free(w->dir);
}

static void next_fails(struct world *w, enum fault_kind kind, enum err_code code)
{
    engine_faulty_script(w->engine, &(struct fault){.kind = kind, .code = code}, 1);
}

static struct fixture_session *pop3(struct world *w)
{
    return fixture_connect(w->fx, pop3_session_new, AUTH_POP3);
}

static void a_mailbox_that_cannot_be_opened_is_not_told_as_a_wrong_password(void **state)
{
    struct world w;

    (void)state;
    world_init(&w);
    struct fixture_session *fs = pop3(&w);
    next_fails(&w, FAULT_UNAVAILABLE, ERR_NONE);
    w.fx->n_records = 0;
    assert_slice(fixture_say(fs, LOGON),
                 "+OK Now the password\r\n-ERR [SYS/TEMP] The mailbox cannot "
                 "be opened now, try again later\r\n");
    assert_int_equal(w.fx->n_records, 2);
    assert_int_equal(w.fx->records[0], AUTH_OK);
    assert_int_equal(w.fx->records[1], AUTH_NO_MAILBOX);
    assert_true(slice_starts(fixture_say(fs, "STAT\r\n"), S("-ERR Log on first")));
    assert_true(slice_ends(fixture_say(fs, LOGON), S("+OK 2 messages (47 octets)\r\n")));
    fixture_session_free(fs);
    world_done(&w);
}

static void a_store_that_cannot_be_read_is_not_told_as_an_empty_maildrop(void **state)
{
    static const char *const commands[] = {"STAT\r\n",   "LIST\r\n",   "UIDL\r\n",   "LIST 1\r\n",
                                           "UIDL 2\r\n", "RETR 1\r\n", "DELE 1\r\n", "TOP 1 1\r\n"};
    struct world w;

    (void)state;
    world_init(&w);
    struct fixture_session *fs = pop3(&w);
    fixture_say(fs, LOGON);
    engine_faulty_disown(w.engine, FIXTURE_ALICE);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        assert_true(slice_starts(fixture_say(fs, commands[i]), S("-ERR [SYS/TEMP] ")));
    engine_faulty_own(w.engine, FIXTURE_ALICE);
    assert_slice(fixture_say(fs, "STAT\r\n"), "+OK 2 47\r\n");
    fixture_session_free(fs);
    world_done(&w);
}

/* A client must not take what it got so far for the whole. */
static void what_breaks_off_has_no_closing_dot(void **state)
{
    static const char *const commands[] = {"RETR 3\r\n", "TOP 3 9999\r\n", "LIST\r\n", "UIDL\r\n"};
    struct buf large = buf_make(65536);
    struct world w;

    (void)state;
    while (large.len < 20000)
        buf_puts(&large, "A: line\r\n");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        world_init(&w);
        fixture_deliver(w.fx, FIXTURE_ALICE, buf_slice(&large));
        struct fixture_session *fs = pop3(&w);
        fixture_say(fs, LOGON);
        buf_clear(&fs->out);
        fs->room = i < 2 ? 32 : 14;
        fixture_poke(fs, slice_str(commands[i]));
        assert_int_equal(fs->next, NEXT_PULL);
        engine_faulty_disown(w.engine, FIXTURE_ALICE);
        fixture_run(fs);
        assert_true(fs->over);
        assert_true(slice_starts(buf_slice(&fs->out), S("+OK ")));
        assert_false(slice_ends(buf_slice(&fs->out), S("\r\n.\r\n")));
        assert_string_equal(fs->summary.end, "store");
        fixture_session_free(fs);
        world_done(&w);
    }
    buf_done(&large);
}

static void quit_says_when_nothing_was_removed(void **state)
{
    static const struct {
        enum fault_kind kind;
        enum err_code code;
        uint32_t left;
    } cases[] = {
        {FAULT_UNAVAILABLE, ERR_NONE, 2},
        {FAULT_REFUSED, ERR_NO_SPACE, 2},
        {FAULT_UNKNOWN_LOST, ERR_NONE, 2},
        {FAULT_UNKNOWN_DONE, ERR_NONE, 1},
    };
    struct world w;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        world_init(&w);
        struct fixture_session *fs = pop3(&w);
        fixture_say(fs, LOGON "DELE 1\r\n");
        next_fails(&w, cases[i].kind, cases[i].code);
        assert_true(slice_starts(fixture_say(fs, "QUIT\r\n"), S("-ERR [SYS/TEMP] ")));
        assert_true(fs->over);
        fixture_session_free(fs);
        assert_int_equal(fixture_count(w.fx, FIXTURE_ALICE), cases[i].left);
        world_done(&w);
    }
}

static void each_recipient_is_told_how_its_own_delivery_ended(void **state)
{
    static const struct {
        enum fault_kind kind;
        enum err_code code;
        const char *reply;
        uint32_t stored;
    } cases[] = {
        {FAULT_NONE, ERR_NONE, "250 2.0.0 ", 1},
        {FAULT_UNAVAILABLE, ERR_NONE, "451 4.3.0 ", 0},
        {FAULT_REFUSED, ERR_NO_SPACE, "452 4.3.1 ", 0},
        {FAULT_REFUSED, ERR_QUOTA, "552 5.2.2 ", 0},
        /* Asked again under the delivery's id: made once, and known. */
        {FAULT_UNKNOWN_DONE, ERR_NONE, "250 2.0.0 ", 1},
        {FAULT_UNKNOWN_LOST, ERR_NONE, "250 2.0.0 ", 1},
    };
    struct world w;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t which = 0; which < 2; which++) {
            struct fault script[2] = {{.kind = FAULT_NONE}};

            world_init(&w);
            struct fixture_session *fs = fixture_connect(w.fx, lmtp_session_new, AUTH_LMTP);
            fixture_say(fs, TO_TWO);
            script[which] = (struct fault){.kind = cases[i].kind, .code = cases[i].code};
            engine_faulty_script(w.engine, script, 2);
            struct slice got = fixture_say(fs, "x\r\n.\r\n");
            struct slice first = slice_cut(&got, '\n'), second = slice_cut(&got, '\n');
            uint32_t alice = fixture_count(w.fx, FIXTURE_ALICE) - 2;
            uint32_t bob = fixture_count(w.fx, FIXTURE_BOB) - 1;

            /* Which of the two is asked first is nobody's business; one of them is hit. */
            bool first_hit = slice_starts(first, slice_str(cases[i].reply)) &&
                             slice_starts(second, S("250 2.0.0 ")) && alice == cases[i].stored &&
                             bob == 1;
            bool second_hit = slice_starts(second, slice_str(cases[i].reply)) &&
                              slice_starts(first, S("250 2.0.0 ")) && bob == cases[i].stored &&
                              alice == 1;
            assert_true(first_hit || second_hit);
            assert_int_equal(got.len, 0);
            fixture_session_free(fs);
            world_done(&w);
        }
}

static void a_mailbox_that_cannot_be_reached_is_told_at_rcpt(void **state)
{
    struct world w;

    (void)state;
    world_init(&w);
    struct fixture_session *fs = fixture_connect(w.fx, lmtp_session_new, AUTH_LMTP);
    fixture_say(fs, "LHLO x\r\nMAIL FROM:<>\r\n");
    next_fails(&w, FAULT_UNAVAILABLE, ERR_NONE);
    assert_true(slice_starts(fixture_say(fs, "RCPT TO:<alice@example.org>\r\n"), S("451 4.3.0 ")));
    assert_true(slice_starts(fixture_say(fs, "RCPT TO:<alice@example.org>\r\n"), S("250 ")));
    fixture_session_free(fs);
    world_done(&w);
}

/* Whatever ends how, what was acknowledged is there, and as often as it was acknowledged. */
static void acknowledged_deliveries_are_stored_under_random_faults(void **state)
{
    static const struct fault_rates rates = {.unavailable = 80,
                                             .refused = 80,
                                             .unknown_done = 120,
                                             .unknown_lost = 120,
                                             .late = 100,
                                             .most_ms = 2};
    static const struct fault_rates none = {0};
    struct world w;
    uint32_t acknowledged = 0, unknown = 0, stored;

    (void)state;
    world_init(&w);
    struct fixture_session *fs = fixture_connect(w.fx, lmtp_session_new, AUTH_LMTP);
    fixture_say(fs, "LHLO x\r\n");
    engine_faulty_rates(w.engine, &rates);
    for (int i = 0; i < 300; i++) {
        struct slice got =
            fixture_say(fs, "RSET\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.org>\r\n");

        if (!slice_ends(got, S("250 2.1.5 Recipient accepted\r\n")))
            continue;
        got = fixture_say(fs, "BDAT 4 LAST\r\nx: y");
        acknowledged += slice_starts(got, S("250 "));
        unknown += slice_find(got, S("not known")) < got.len;
    }
    engine_faulty_rates(w.engine, &none);
    fixture_session_free(fs);
    stored = fixture_count(w.fx, FIXTURE_ALICE) - 2;
    assert_true(acknowledged > 100);
    assert_in_range(stored, acknowledged, acknowledged + unknown);
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mailbox_that_cannot_be_opened_is_not_told_as_a_wrong_password),
        cmocka_unit_test(a_store_that_cannot_be_read_is_not_told_as_an_empty_maildrop),
        cmocka_unit_test(what_breaks_off_has_no_closing_dot),
        cmocka_unit_test(quit_says_when_nothing_was_removed),
        cmocka_unit_test(each_recipient_is_told_how_its_own_delivery_ended),
        cmocka_unit_test(a_mailbox_that_cannot_be_reached_is_told_at_rcpt),
        cmocka_unit_test(acknowledged_deliveries_are_stored_under_random_faults),
    };

    return cmocka_run_group_tests_name("session_faults", tests, NULL, NULL);
}
