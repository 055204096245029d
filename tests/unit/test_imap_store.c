#include "tests/support/imap_client.h"

static const char mail[] = "Subject: x\r\n\r\nbody\r\n";

struct world {
    struct fixture *fx;
    struct imap_client *ic, *other; /* two sessions of one user */
};

static int setup(void **state)
{
    struct world *w = mem_new(sizeof *w);

    w->fx = fixture_new();
    fixture_deliver_many(w->fx, FIXTURE_ALICE, slice_str(mail), 6);
    w->ic = imap_client_new(w->fx, "alice");
    imap_client_ok(w->ic, "SELECT INBOX");
    w->other = imap_client_new(w->fx, "alice");
    imap_client_ok(w->other, "SELECT INBOX");
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    imap_client_free(w->ic);
    imap_client_free(w->other);
    fixture_free(w->fx);
    free(w);
    return 0;
}

/* The flags of a message, as the other session sees them: it has no \Recent. */
static struct slice flags_of(struct world *w, uint32_t seq)
{
    return imap_client_item(imap_client_ok(w->other, "FETCH %u FLAGS", seq), seq, "FLAGS");
}

/* ---- STORE ---- */

static void flags_are_set_added_and_removed(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *change, *after;
    } steps[] = {
        {"FLAGS (\\Seen \\Flagged)", "(\\Flagged \\Seen)"},
        {"+FLAGS (\\Deleted)", "(\\Flagged \\Deleted \\Seen)"},
        {"-FLAGS (\\Flagged \\Draft)", "(\\Deleted \\Seen)"},
        {"+FLAGS $Work", "(\\Deleted \\Seen $Work)"},
        {"+flags ($work)", "(\\Deleted \\Seen $Work)"},
        {"-FLAGS $WORK", "(\\Deleted \\Seen)"},
        {"FLAGS ()", "()"},
        {"FLAGS \\Answered \\Draft", "(\\Answered \\Draft)"},
    };

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        imap_client_ok(w->ic, "STORE 2 %s", steps[i].change);
        assert_slice(flags_of(w, 2), steps[i].after);
    }
}

static void every_message_of_a_store_is_answered(void **state)
{
    struct world *w = *state;

    imap_client_ok(w->ic, "STORE 2 +FLAGS (\\Seen)");
    struct slice r = imap_client_ok(w->ic, "STORE 1:3 +FLAGS (\\Seen)");
    for (uint32_t seq = 1; seq <= 3; seq++)
        assert_slice(imap_client_item(r, seq, "FLAGS"), "(\\Seen \\Recent)");
    assert_int_equal(imap_client_count(r, ")"), 3);
    r = imap_client_ok(w->ic, "UID STORE 1:3 +FLAGS (\\Seen)");
    assert_slice(imap_client_item(r, 2, "UID"), "2");
    assert_slice(imap_client_item(r, 2, "FLAGS"), "(\\Seen \\Recent)");
}

static void silence_is_kept(void **state)
{
    struct world *w = *state;

    assert_int_equal(imap_client_ok(w->ic, "STORE 1:3 +FLAGS.SILENT (\\Seen)").len, 0);
    assert_int_equal(imap_client_ok(w->ic, "NOOP").len, 0);
    assert_int_equal(imap_client_count(imap_client_ok(w->other, "NOOP"), ")"), 3);
    /* What another did to the same message is told none the less. */
    imap_client_ok(w->other, "STORE 2 +FLAGS (\\Flagged)");
    struct slice r = imap_client_ok(w->ic, "STORE 2 +FLAGS.SILENT (\\Draft)");
    assert_slice(imap_client_item(r, 2, "FLAGS"), "(\\Flagged \\Seen \\Draft \\Recent)");
    assert_int_equal(imap_client_ok(w->ic, "NOOP").len, 0);
}

static void a_new_keyword_is_listed_before_it_is_used(void **state)
{
    struct world *w = *state;
    struct slice r = imap_client_ok(w->ic, "STORE 1 +FLAGS (brand-new)");
    size_t listed = slice_find(r, S("* FLAGS (")), told = slice_find(r, S("FETCH"));

    assert_true(listed < told && told < r.len);
}

static void recent_cannot_be_set(void **state)
{
    struct world *w = *state;

    imap_client_bad(w->ic, "STORE 1 +FLAGS (\\Recent)");
    imap_client_bad(w->ic, "STORE 1 FLAGS (\\Nonsense)");
}

static uint64_t modseq_of(struct imap_client *ic, uint32_t seq)
{
    struct slice m = imap_client_item(imap_client_ok(ic, "FETCH %u MODSEQ", seq), seq, "MODSEQ");
    uint64_t n = 0;

    assert_true(slice_to_u64(slice_sub(m, 1, m.len - 2), &n));
    return n;
}

static void who_changed_first_wins(void **state)
{
    struct world *w = *state;
    unsigned long long seen = modseq_of(w->ic, 6);

    imap_client_ok(w->other, "STORE 2,4 +FLAGS (\\Flagged)");
    struct slice r =
        imap_client_ok(w->ic, "STORE 1:5 (UNCHANGEDSINCE %llu) +FLAGS.SILENT (\\Deleted)", seen);
    assert_slice(imap_client_code(w->ic), "MODIFIED 2,4");
    /* RFC 7162 3.1.3: the mod-sequences of the others are told, silent or not */
    assert_true(imap_client_item(r, 1, "MODSEQ").len);
    assert_true(imap_client_item(r, 5, "MODSEQ").len);
    assert_slice(flags_of(w, 2), "(\\Flagged)");
    assert_slice(flags_of(w, 3), "(\\Deleted)");
    imap_client_ok(w->ic, "UID STORE 2 (UNCHANGEDSINCE 0) +FLAGS (\\Deleted)");
    assert_slice(imap_client_code(w->ic), "MODIFIED 2");
    imap_client_ok(w->ic, "STORE 2 (UNCHANGEDSINCE %llu) +FLAGS (\\Deleted)",
                   (unsigned long long)modseq_of(w->ic, 2));
    assert_int_equal(imap_client_code(w->ic).len, 0);
}

static void what_is_no_store_is_bad(void **state)
{
    struct world *w = *state;
    static const char *const bad[] = {
        "STORE",
        "STORE 1",
        "STORE 1 FLAGS",
        "STORE 1 FLAG (\\Seen)",
        "STORE 1 FLAGS.LOUD (\\Seen)",
        "STORE 1 *FLAGS (\\Seen)",
        "STORE 1 FLAGS (\\Seen",
        "STORE 1 (UNCHANGEDSINCE) FLAGS ()",
        "STORE 1 (UNCHANGEDSINCE x) FLAGS ()",
        "STORE 1 (SINCE 1) FLAGS ()",
        "STORE 9 FLAGS ()",
        "STORE 1 FLAGS () x",
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        imap_client_bad(w->ic, "%s", bad[i]);
}

static void an_examined_mailbox_is_left_alone(void **state)
{
    struct world *w = *state;
    static const char *const writes[] = {
        "STORE 1 +FLAGS (\\Seen)", "UID STORE 1 FLAGS ()", "EXPUNGE",
        "UID EXPUNGE 1",           "MOVE 1 INBOX",         "UID MOVE 1 INBOX"};

    imap_client_ok(w->ic, "EXAMINE INBOX");
    for (size_t i = 0; i < sizeof writes / sizeof *writes; i++) {
        imap_client_no(w->ic, "%s", writes[i]);
        assert_slice(imap_client_code(w->ic), "READ-ONLY");
    }
    imap_client_ok(w->ic, "COPY 1 Drafts");
}

/* More than is looked at in one pull: nothing is told of them, and nothing is forgotten. */
static void a_silent_store_of_very_many_is_silent(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < 14; i++)
        imap_client_ok(w->ic, "COPY 1:* INBOX");
    imap_client_ok(w->other, "NOOP");
    struct slice r = imap_client_ok(w->ic, "STORE 1:* +FLAGS.SILENT (\\Flagged)");
    assert_int_equal(imap_client_count(r, "FETCH"), 0);
    assert_int_equal(imap_client_count(imap_client_ok(w->ic, "NOOP"), "FETCH"), 0);
    imap_client_ok(w->ic, "STORE 98304 -FLAGS.SILENT (\\Flagged)");
    r = imap_client_ok(w->other, "NOOP");
    assert_slice(imap_client_item(r, 98303, "FLAGS"), "(\\Flagged)");
    assert_slice(imap_client_item(r, 98304, "FLAGS"), "()");
}

static void a_long_store_fits_through_a_narrow_pipe(void **state)
{
    struct world *w = *state;

    w->ic->fs->room = 20;
    imap_client_ok(w->ic, "STORE 1:6 +FLAGS ($A)");
    struct slice r = imap_client_ok(w->ic, "STORE 1:6 +FLAGS ($A)");
    assert_int_equal(imap_client_count(r, ")"), 6);
}

/* ---- COPY and MOVE ---- */

static void copies_are_named(void **state)
{
    struct world *w = *state;

    imap_client_ok(w->ic, "CREATE there");
    imap_client_ok(w->ic, "STORE 3 FLAGS (\\Flagged $kept)");
    imap_client_ok(w->ic, "COPY 2:3,5 there");
    struct slice code = imap_client_code(w->ic);
    assert_true(slice_starts(code, S("COPYUID ")));
    assert_true(slice_ends(code, S(" 2:3,5 1:3")));
    imap_client_ok(w->ic, "UID COPY 6 there");
    assert_true(slice_ends(imap_client_code(w->ic), S(" 6 4")));
    imap_client_ok(w->ic, "UID COPY 77:99 there");
    assert_int_equal(imap_client_code(w->ic).len, 0);
    imap_client_ok(w->ic, "SELECT there");
    struct slice r = imap_client_ok(w->ic, "FETCH 1:* (FLAGS BODY.PEEK[])");
    assert_slice(imap_client_item(r, 2, "FLAGS"), "(\\Flagged $kept \\Recent)");
    assert_slice(imap_client_string(w->ic, imap_client_item(r, 4, "BODY[]")), mail);
}

static void a_missing_target_can_be_made(void **state)
{
    struct world *w = *state;
    static const char *const all[] = {"COPY 1 none", "UID COPY 1 none", "MOVE 1 none",
                                      "UID MOVE 1 none"};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        imap_client_no(w->ic, "%s", all[i]);
        assert_slice(imap_client_code(w->ic), "TRYCREATE");
    }
    imap_client_bad(w->ic, "COPY 1");
    imap_client_bad(w->ic, "COPY 1 a b");
    imap_client_bad(w->ic, "COPY 99 INBOX");
}

static void a_move_is_told_before_what_goes(void **state)
{
    struct world *w = *state;

    imap_client_ok(w->ic, "CREATE there");
    struct slice r = imap_client_ok(w->ic, "MOVE 2,4:5 there");
    size_t copyuid = slice_find(r, S("* OK [COPYUID ")), expunge = slice_find(r, S("EXPUNGE"));
    assert_true(copyuid < expunge && expunge < r.len);
    assert_int_equal(imap_client_count(r, "EXPUNGE"), 3);
    assert_int_equal(fixture_count(w->fx, FIXTURE_ALICE), 3);
    assert_int_equal(imap_client_count(imap_client_ok(w->other, "NOOP"), "EXPUNGE"), 3);
    imap_client_ok(w->ic, "SELECT there");
    assert_int_equal(imap_client_count(imap_client_ok(w->ic, "FETCH 1:* UID"), ")"), 3);
}

static void a_move_under_qresync_vanishes(void **state)
{
    struct world *w = *state;

    imap_client_ok(w->ic, "ENABLE QRESYNC");
    imap_client_ok(w->ic, "CREATE there");
    struct slice r = imap_client_ok(w->ic, "UID MOVE 2:3 there");
    assert_slice(imap_client_find(r, "VANISHED"), "VANISHED 2:3");
    assert_true(slice_starts(imap_client_code(w->ic), S("HIGHESTMODSEQ ")));
}

/* ---- EXPUNGE ---- */

static void only_what_is_marked_goes(void **state)
{
    struct world *w = *state;

    imap_client_ok(w->ic, "STORE 1,3,5 +FLAGS.SILENT (\\Deleted)");
    struct slice r = imap_client_ok(w->ic, "UID EXPUNGE 2:3");
    assert_slice(imap_client_find(r, "3 EXPUNGE"), "3 EXPUNGE");
    assert_int_equal(imap_client_count(r, "EXPUNGE"), 1);
    r = imap_client_ok(w->ic, "EXPUNGE");
    assert_int_equal(imap_client_count(r, "EXPUNGE"), 2);
    assert_int_equal(fixture_count(w->fx, FIXTURE_ALICE), 3);
    assert_int_equal(imap_client_ok(w->ic, "EXPUNGE").len, 0);
    imap_client_bad(w->ic, "EXPUNGE 1");
    imap_client_bad(w->ic, "UID EXPUNGE");
}

static void an_expunge_under_qresync_says_where_it_stands(void **state)
{
    struct world *w = *state;

    imap_client_ok(w->ic, "ENABLE QRESYNC");
    imap_client_ok(w->ic, "STORE 1:2 +FLAGS.SILENT (\\Deleted)");
    struct slice r = imap_client_ok(w->ic, "EXPUNGE");
    assert_slice(imap_client_find(r, "VANISHED"), "VANISHED 1:2");
    assert_true(slice_starts(imap_client_code(w->ic), S("HIGHESTMODSEQ ")));
}

static void others_learn_of_expunges_when_they_may(void **state)
{
    struct world *w = *state;

    imap_client_ok(w->ic, "STORE 1:2 +FLAGS.SILENT (\\Deleted)");
    imap_client_ok(w->ic, "EXPUNGE");
    imap_client_no(w->other, "FETCH 1:6 FLAGS");
    assert_int_equal(imap_client_count(imap_client_ok(w->other, "SEARCH ALL"), "EXPUNGE"), 0);
    assert_int_equal(
        imap_client_count(imap_client_ok(w->other, "STORE 3 +FLAGS (\\Seen)"), "EXPUNGE"), 0);
    assert_slice(imap_client_item(imap_client_ok(w->other, "FETCH 3 UID"), 3, "UID"), "3");
    assert_int_equal(imap_client_count(imap_client_ok(w->other, "NOOP"), "EXPUNGE"), 2);
    assert_slice(imap_client_item(imap_client_ok(w->other, "FETCH 1 UID"), 1, "UID"), "3");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(flags_are_set_added_and_removed),
        TEST(who_changed_first_wins),
        TEST(every_message_of_a_store_is_answered),
        TEST(silence_is_kept),
        TEST(a_new_keyword_is_listed_before_it_is_used),
        TEST(recent_cannot_be_set),
        TEST(what_is_no_store_is_bad),
        TEST(an_examined_mailbox_is_left_alone),
        TEST(a_silent_store_of_very_many_is_silent),
        TEST(a_long_store_fits_through_a_narrow_pipe),
        TEST(copies_are_named),
        TEST(a_missing_target_can_be_made),
        TEST(a_move_is_told_before_what_goes),
        TEST(a_move_under_qresync_vanishes),
        TEST(only_what_is_marked_goes),
        TEST(an_expunge_under_qresync_says_where_it_stands),
        TEST(others_learn_of_expunges_when_they_may),
    };

    return cmocka_run_group_tests_name("imap_store", tests, NULL, NULL);
}
