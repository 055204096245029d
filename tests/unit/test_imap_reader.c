#include "tests/support/imap.h"

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

/* Literals of both kinds, empty ones, errors, a command behind each. */
static const char script[] = "a CAPABILITY\r\n"
                             "b ID (\"name\" {3}\r\nfoo \"x\" {0+}\r\n)\r\n"
                             "c NOOP x\r\n"
                             "d LOGIN {5}\r\nalice {8+}\r\ngatepost\r\n"
                             "e LIST \"\" {1+}\r\n%\r\n"
                             "f WHAT {3+}\r\nabc {4+}\r\nd\r\ne\r\n"
                             "g WHAT {3}\r\n"
                             "h SUBSCRIBE {5+}\r\nINBOX\r\n"
                             "i STATUS INBOX (MESSAGES UNSEEN)\r\n"
                             "j SELECT INBOX\r\n"
                             "k IDLE\r\nDONE\r\n"
                             "l LOGOUT\r\n"
                             "m NOOP\r\n";

static struct buf answers(struct fixture *fx, const char *text, size_t split, size_t max_feed,
                          size_t room)
{
    struct fixture_session *fs = imap_connect(fx);
    struct buf all = buf_make(1 << 20);
    struct slice in = slice_str(text);

    fs->max_feed = max_feed;
    fs->room = room;
    buf_put(&all, fixture_say_bytes(fs, slice_head(in, split)));
    if (!fs->over)
        buf_put(&all, fixture_say_bytes(fs, slice_from(in, split)));
    fixture_session_free(fs);
    return all;
}

static void every_split_of_the_input_gives_the_same_answers(void **state)
{
    struct buf whole = answers(*state, script, 0, SIZE_MAX, 65536);

    assert_true(slice_ends(buf_slice(&whole), S("l OK Bye\r\n")));
    assert_true(slice_find(buf_slice(&whole), S("\r\nf BAD ")) < whole.len);
    for (size_t split = 1; split < sizeof script; split++) {
        struct buf some = answers(*state, script, split, SIZE_MAX, 65536);

        if (!slice_eq(buf_slice(&some), buf_slice(&whole)))
            fail_msg("split at %zu:\n%.*s\nwhole:\n%.*s", split, SLICE_ARG(buf_slice(&some)),
                     SLICE_ARG(buf_slice(&whole)));
        buf_done(&some);
    }
    buf_done(&whole);
}

static void neither_single_bytes_nor_little_room_change_the_answers(void **state)
{
    struct buf whole = answers(*state, script, 0, SIZE_MAX, 65536);
    static const size_t feeds[] = {1, 2, 7}, rooms[] = {1, 10, 4096};

    for (size_t i = 0; i < 3; i++) {
        struct buf some = answers(*state, script, 0, feeds[i], rooms[i]);

        assert_true(slice_eq(buf_slice(&some), buf_slice(&whole)));
        buf_done(&some);
    }
    buf_done(&whole);
}

struct limit_case {
    bool logged_on;
    const char *head; /* said first ... */
    size_t fill;      /* ... then so many x ... */
    const char *tail; /* ... then this */
    const char *want; /* "~" is any part of a line */
    bool over;
};

/* max_line 1000, max_literal 2000, max_command 4000, max_before_logon 1024 (768 for a command) */
static const struct limit_case limit_cases[] = {
    /* a line */
    {false, "a ID (\"", 800, "", "* BYE [TOOBIG] ~\r\n", true},
    {true, "a ID (\"", 2000, "\" NIL)\r\nb NOOP\r\n", "a BAD [TOOBIG] ~\r\nb OK Done\r\n", false},
    {true, "", 2000, "\r\nb NOOP\r\n", "* BAD [TOOBIG] ~\r\nb OK Done\r\n", false},
    /* the end of a line that is passed over announces a literal */
    {true, "a ID (", 2000, " {5+}\r\nb NOO)\r\nb NOOP\r\n", "a BAD [TOOBIG] ~\r\nb OK Done\r\n",
     false},
    {true, "a ID (", 2000, " {5}\r\nb NOOP\r\n", "a BAD [TOOBIG] ~\r\nb OK Done\r\n", false},
    /* a literal */
    {false, "a LOGIN {769}\r\nb NOOP\r\n", 0, "", "a BAD [TOOBIG] ~\r\nb OK Done\r\n", false},
    {false, "a LOGIN {769+}\r\n", 0, "", "* BYE [TOOBIG] ~\r\n", true},
    {false, "a LOGIN {99999999999999999999}\r\nb NOOP\r\n", 0, "",
     "a BAD [TOOBIG] ~\r\nb OK Done\r\n", false},
    {false, "a LOGIN {99999999999999999999+}\r\n", 0, "", "* BYE [TOOBIG] ~\r\n", true},
    {false, "a LOGIN {18446744073709551615+}\r\n", 0, "", "* BYE [TOOBIG] ~\r\n", true},
    {true, "a CREATE {2001}\r\nb NOOP\r\n", 0, "", "a BAD [TOOBIG] ~\r\nb OK Done\r\n", false},
    {true, "a CREATE {2001+}\r\n", 2001, "\r\nb NOOP\r\n", "a BAD [TOOBIG] ~\r\nb OK Done\r\n",
     false},
    {true, "a CREATE {4294967296+}\r\n", 0, "", "* BYE [TOOBIG] ~\r\n", true},
    /* all of a command */
    {true, "a LIST {2000+}\r\n", 2000, " {1999+}\r\n", "", false},
    {true, "a LIST {2000}\r\n", 2000, " {1999}\r\nb NOOP\r\n",
     "+ OK\r\na BAD [TOOBIG] ~\r\nb OK Done\r\n", false},
    /* what is no literal */
    {true, "a LIST \"\" {-1}\r\nb NOOP\r\n", 0, "", "a BAD ~\r\nb OK Done\r\n", false},
    {true, "a LIST \"\" {}\r\nb NOOP\r\n", 0, "", "a BAD ~\r\nb OK Done\r\n", false},
    {true, "a LIST \"\" {1 }\r\nb NOOP\r\n", 0, "", "a BAD ~\r\nb OK Done\r\n", false},
    {true, "a LIST \"\" {0000001}\r\n", 1, "\r\nb NOOP\r\n", "+ OK\r\na OK Done\r\nb OK Done\r\n",
     false},
    /* a literal of a command that there is not, or not now, is not asked for */
    {false, "a WHAT {5}\r\nb NOOP\r\n", 0, "", "a BAD ~\r\nb OK Done\r\n", false},
    {false, "a SELECT {5}\r\nb NOOP\r\n", 0, "", "a BAD ~\r\nb OK Done\r\n", false},
    {true, "a LOGIN {5}\r\nb NOOP\r\n", 0, "", "a BAD ~\r\nb OK Done\r\n", false},
    {false, "a SELECT {5+}\r\nINBOX\r\nb NOOP\r\n", 0, "", "a BAD ~\r\nb OK Done\r\n", false},
    /* line ends */
    {true, "a NOOP\nb NOOP\r\n", 0, "", "a OK Done\r\nb OK Done\r\n", false},
    {true, "\r\n \r\na\r\nb \r\n", 0, "", "* BAD ~\r\n* BAD ~\r\na BAD ~\r\nb BAD ~\r\n", false},
};

static void say_filled(struct fixture_session *fs, const struct limit_case *lc, struct buf *out)
{
    struct buf text = buf_make(1 << 20);

    buf_puts(&text, lc->head);
    for (size_t i = 0; i < lc->fill; i++)
        buf_putc(&text, 'x');
    buf_puts(&text, lc->tail);
    buf_put(out, fixture_say_bytes(fs, buf_slice(&text)));
    buf_done(&text);
}

static void limits_are_answered_and_the_session_stays_in_step(void **state)
{
    struct fixture *fx = *state;

    fx->limits = (struct session_limits){
        .max_line = 1000, .max_literal = 2000, .max_command = 4000, .max_before_logon = 1024};
    for (size_t i = 0; i < sizeof limit_cases / sizeof *limit_cases; i++)
        for (size_t feed = 1; feed < 20000; feed *= 7) {
            const struct limit_case *lc = &limit_cases[i];
            struct fixture_session *fs =
                lc->logged_on ? imap_log_on(fx, "alice") : imap_connect(fx);
            struct buf out = buf_make(1 << 20);

            fs->max_feed = feed;
            say_filled(fs, lc, &out);
            imap_expect_text(buf_slice(&out), lc->want, lc->head);
            assert_int_equal(fs->over, lc->over);
            fixture_session_free(fs);
            buf_done(&out);
        }
}

static void an_unauthenticated_session_keeps_within_its_memory(void **state)
{
    struct fixture *fx = *state;
    struct fixture_session *fs = imap_connect(fx);
    size_t used = 0;

    /* Parentheses for ever. */
    for (int i = 0; i < 100 && !fs->over; i++) {
        buf_clear(&fs->out);
        fixture_say(fs, i ? "((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((("
                            "(((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((("
                            "(((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((("
                            "(((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((("
                          : "a ID ");
        used += 256;
    }
    assert_true(fs->over);
    assert_true(used <= 16384);
    fixture_session_free(fs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_split_of_the_input_gives_the_same_answers, begin,
                                        end),
        cmocka_unit_test_setup_teardown(neither_single_bytes_nor_little_room_change_the_answers,
                                        begin, end),
        cmocka_unit_test_setup_teardown(limits_are_answered_and_the_session_stays_in_step, begin,
                                        end),
        cmocka_unit_test_setup_teardown(an_unauthenticated_session_keeps_within_its_memory, begin,
                                        end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
