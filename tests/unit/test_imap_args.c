#include "tests/support/test.h"

#include "protocols/imap/imap_int.h"

/* A session and a command around some arguments. */
struct args {
    struct imap_session session;
    struct imap_cmd cmd;
};

static struct args *args_of(const char *text)
{
    static struct args a;

    arena_done(&a.cmd.arena);
    memset(&a, 0, sizeof a);
    a.cmd.session = &a.session;
    a.cmd.text = a.cmd.rest = slice_str(text);
    return &a;
}

static int drop_args(void **state)
{
    (void)state;
    args_of("");
    return 0;
}

static void a_string_comes_in_three_forms(void **state)
{
    static const struct {
        const char *text, *value; /* NULL: refused */
    } cases[] = {
        {"abc", "abc"},
        {"a]b", "a]b"},
        {"\"a b\"", "a b"},
        {"\"\"", ""},
        {"\"a\\\"b\\\\c\"", "a\"b\\c"},
        {"{3}\r\na\"b", "a\"b"},
        {"{3+}\r\nabc", "abc"},
        {"{0}\r\n", ""},
        {"{3}\nabc", "abc"},
        {"p\xC3\xA4ss", "p\xC3\xA4ss"},
        {"", NULL},
        {" a", NULL},
        {"(a)", NULL},
        {"\"a", NULL},
        {"\"a\\b\"", NULL},
        {"\"a\\", NULL},
        {"\"a\r\nb\"", NULL},
        {"{4}\r\nabc", NULL},
        {"{}\r\nabc", NULL},
        {"{-1}\r\nabc", NULL},
        {"{3", NULL},
        {"{99999999999999999999}\r\nabc", NULL},
        {"%", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct args *a = args_of(cases[i].text);
        struct slice got;
        bool ok = imap_arg_astring(&a->cmd, &got) && imap_arg_end(&a->cmd);

        if (ok != (cases[i].value != NULL))
            fail_msg("%s was %s", cases[i].text, ok ? "taken" : "refused");
        if (ok)
            assert_slice(got, cases[i].value);
        else
            assert_non_null(a->cmd.complaint);
    }
}

static void nil_is_no_string(void **state)
{
    struct args *a = args_of("NIL \"NIL\" nil");
    struct slice s;
    bool nil;

    (void)state;
    assert_true(imap_arg_nstring(&a->cmd, &s, &nil) && nil && imap_arg_space(&a->cmd));
    assert_true(imap_arg_nstring(&a->cmd, &s, &nil) && !nil && imap_arg_space(&a->cmd));
    assert_slice(s, "NIL");
    assert_true(imap_arg_nstring(&a->cmd, &s, &nil) && nil && imap_arg_end(&a->cmd));
}

static void numbers_end_where_their_type_ends(void **state)
{
    uint32_t n;
    uint64_t big;

    (void)state;
    assert_true(imap_arg_number(&args_of("4294967295")->cmd, &n));
    assert_int_equal(n, UINT32_MAX);
    assert_false(imap_arg_number(&args_of("4294967296")->cmd, &n));
    assert_false(imap_arg_number(&args_of("-1")->cmd, &n));
    assert_false(imap_arg_number(&args_of("")->cmd, &n));
    assert_true(imap_arg_number64(&args_of("9223372036854775807")->cmd, &big));
    assert_true(big == INT64_MAX);
    assert_false(imap_arg_number64(&args_of("9223372036854775808")->cmd, &big));
}

static void a_word_is_a_whole_word(void **state)
{
    struct args *a = args_of("unchangedSince 5");

    (void)state;
    assert_true(imap_arg_word(&a->cmd, "UNCHANGEDSINCE"));
    assert_true(imap_arg_byte(&a->cmd, ' '));
    assert_false(imap_arg_word(&args_of("RETURNS")->cmd, "RETURN"));
    assert_true(imap_arg_word(&args_of("RETURN(")->cmd, "RETURN"));
    assert_false(imap_arg_word(&args_of("RET")->cmd, "RETURN"));
}

static void mailbox_names_are_decoded_by_what_was_enabled(void **state)
{
    static const struct {
        const char *text;
        bool utf8;
        const char *path; /* NULL: refused with NO */
    } cases[] = {
        {"INBOX", false, "INBOX"},
        {"\"Entw&APw-rfe\"", false, "Entw\xC3\xBCrfe"},
        {"\"Entw&APw-rfe\"", true, "Entw&APw-rfe"},
        {"\"Entw\xC3\xBCrfe\"", true, "Entw\xC3\xBCrfe"},
        {"\"Entw\xC3\xBCrfe\"", false, "Entw\xC3\xBCrfe"},
        {"{3}\r\na/b", false, "a/b"},
        {"R&D", false, NULL},
        {"R&D", true, "R&D"},
        {"\"a\xFF\"", true, NULL},
        {"\"a\xFF\"", false, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct args *a = args_of(cases[i].text);
        struct slice path;

        a->session.utf8 = cases[i].utf8;
        bool ok = imap_arg_mailbox(&a->session, &a->cmd, &path);
        if (ok != (cases[i].path != NULL))
            fail_msg("%s was %s", cases[i].text, ok ? "taken" : "refused");
        if (ok)
            assert_slice(path, cases[i].path);
        else
            assert_string_equal(a->cmd.refusal, "[CANNOT]");
    }
}

static void flags_are_a_mask_and_keywords(void **state)
{
    static const struct {
        const char *text;
        unsigned flags;
        const char *keywords; /* joined by spaces; NULL: refused */
    } cases[] = {
        {"()", 0, ""},
        {"(\\Seen \\dElEted)", FLAG_SEEN | FLAG_DELETED, ""},
        {"\\Seen $Forwarded \\Draft", FLAG_SEEN | FLAG_DRAFT, "$Forwarded"},
        {"(a b c d e f)", 0, "a b c d e f"},
        {"(\\Recent)", 0, NULL},
        {"(\\*)", 0, NULL},
        {"(\\Seen", 0, NULL},
        {"(\\Seen  a)", 0, NULL},
        {"", 0, NULL},
        {"\\", 0, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct args *a = args_of(cases[i].text);
        struct buf joined = buf_make(1000);
        struct slice *keywords;
        uint16_t flags;
        size_t n;
        bool ok = imap_arg_flags(&a->cmd, &flags, &keywords, &n) && imap_arg_end(&a->cmd);

        if (ok != (cases[i].keywords != NULL))
            fail_msg("%s was %s", cases[i].text, ok ? "taken" : "refused");
        for (size_t k = 0; ok && k < n; k++) {
            buf_puts(&joined, k ? " " : "");
            buf_put(&joined, keywords[k]);
        }
        if (ok) {
            assert_int_equal(flags, cases[i].flags);
            assert_slice(buf_slice(&joined), cases[i].keywords);
        }
        buf_done(&joined);
    }
}

static void dates_keep_their_zone(void **state)
{
    static const struct {
        const char *text;
        int64_t unix_seconds; /* -1: refused */
        int zone;
    } cases[] = {
        {"\" 1-Jan-1970 00:00:00 +0000\"", 0, 0},
        {"\"01-Jan-1970 02:00:00 +0200\"", 0, 120},
        {"\"31-Dec-1969 12:00:00 -1200\"", 0, -720},
        {"\" 1-jan-1970 14:00:00 +1400\"", 0, 840},
        {"\"29-Feb-2024 23:59:59 +0530\"", 1709231399, 330},
        {"\"29-Feb-2023 00:00:00 +0000\"", -1, 0},
        {"\"32-Jan-2024 00:00:00 +0000\"", -1, 0},
        {"\"01-Foo-2024 00:00:00 +0000\"", -1, 0},
        {"\"01-Jan-2024 24:00:00 +0000\"", -1, 0},
        {"\"01-Jan-2024 00:00:00 +2400\"", -1, 0},
        {"\"01-Jan-2024 00:00:00 0000\"", -1, 0},
        {"\"01-Jan-2024 00:00:00 +0000 \"", -1, 0},
        {"\"01-Jan-24 00:00:00 +0000\"", -1, 0},
        {"01-Jan-2024", -1, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct args *a = args_of(cases[i].text);
        uint64_t filetime;
        int16_t zone;
        bool ok = imap_arg_date_time(&a->cmd, &filetime, &zone);

        if (ok != (cases[i].unix_seconds >= 0))
            fail_msg("%s was %s", cases[i].text, ok ? "taken" : "refused");
        if (!ok)
            continue;
        assert_int_equal(filetime_to_unix(filetime), cases[i].unix_seconds);
        assert_int_equal(zone, cases[i].zone);
    }
}

static void a_date_time_is_put_as_it_was_given(void **state)
{
    static const char *const dates[] = {
        "\"01-Jan-1970 02:00:00 +0200\"", "\"31-Dec-1969 12:00:00 -1200\"",
        "\"29-Feb-2024 23:59:59 +0530\"", "\"31-Mar-2038 01:30:00 -0330\"",
        "\"01-Jan-1900 00:00:00 +0000\"", "\"31-Dec-9999 23:59:59 +0000\"",
    };

    (void)state;
    for (size_t i = 0; i < sizeof dates / sizeof *dates; i++) {
        struct buf out = buf_make(100);
        uint64_t filetime;
        int16_t zone;

        assert_true(imap_arg_date_time(&args_of(dates[i])->cmd, &filetime, &zone));
        imap_put_date_time(&out, filetime, zone);
        assert_slice(buf_slice(&out), dates[i]);
        buf_done(&out);
    }
}

static void a_raw_set_is_put_in_order(void **state)
{
    static const struct {
        const char *text;
        uint32_t star;
        const char *set; /* NULL: refused */
    } cases[] = {
        {"1", 9, "1"},
        {"5:3,1", 9, "1,3:5"},
        {"*", 9, "9"},
        {"*:3", 9, "3:9"},
        {"12:*", 9, "9:12"},
        {"1:*", 0, ""},
        {"4294967295", 9, "4294967295"},
        {"4294967295:1", 9, "1:4294967295"},
        {"0", 9, NULL},
        {"4294967296", 9, NULL},
        {"1:", 9, NULL},
        {",1", 9, NULL},
        {"1,,2", 9, NULL},
        {"1:2:3", 9, NULL},
        {"", 9, NULL},
        {"$", 9, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct args *a = args_of(cases[i].text);
        struct uidset set = UIDSET_EMPTY;
        struct buf out = buf_make(100);
        bool ok = imap_arg_raw_set(&a->cmd, cases[i].star, &set) && imap_arg_end(&a->cmd);

        if (ok != (cases[i].set != NULL))
            fail_msg("%s was %s", cases[i].text, ok ? "taken" : "refused");
        uidset_put(&set, &out);
        if (ok)
            assert_slice(buf_slice(&out), cases[i].set);
        uidset_done(&set);
        buf_done(&out);
    }
}

static void strings_are_quoted_where_they_can_be(void **state)
{
    static const struct {
        const char *value, *string, *astring;
    } cases[] = {
        {"abc", "\"abc\"", "abc"},
        {"", "\"\"", "\"\""},
        {"NIL", "\"NIL\"", "\"NIL\""},
        {"a b", "\"a b\"", "\"a b\""},
        {"a\"b\\", "\"a\\\"b\\\\\"", "\"a\\\"b\\\\\""},
        {"a\r\nb", "{4}\r\na\r\nb", "{4}\r\na\r\nb"},
        {"\xC3\xA4", "{2}\r\n\xC3\xA4", "{2}\r\n\xC3\xA4"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out = buf_make(100);

        imap_put_string(&out, slice_str(cases[i].value));
        assert_slice(buf_slice(&out), cases[i].string);
        buf_clear(&out);
        imap_put_astring(&out, slice_str(cases[i].value));
        assert_slice(buf_slice(&out), cases[i].astring);
        buf_done(&out);
    }
}

/* What we put, we take: any bytes but NUL, at the place of an astring. */
static void every_string_survives_the_way_there_and_back(void **state)
{
    struct rng rng = rng_seeded();

    (void)state;
    for (int i = 0; i < 20000; i++) {
        uint8_t bytes[20];
        size_t n = rng_below(&rng, sizeof bytes);
        struct buf out = buf_make(100);
        struct args *a;
        struct slice got;

        for (size_t j = 0; j < n; j++)
            bytes[j] = (uint8_t)(1 + rng_below(&rng, 255));
        imap_put_astring(&out, slice_of(bytes, n));
        a = args_of("");
        a->cmd.rest = buf_slice(&out);
        assert_true(imap_arg_astring(&a->cmd, &got) && imap_arg_end(&a->cmd));
        assert_true(slice_eq(got, slice_of(bytes, n)));
        args_of("");
        buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_string_comes_in_three_forms),
        cmocka_unit_test(nil_is_no_string),
        cmocka_unit_test(numbers_end_where_their_type_ends),
        cmocka_unit_test(a_word_is_a_whole_word),
        cmocka_unit_test(mailbox_names_are_decoded_by_what_was_enabled),
        cmocka_unit_test(flags_are_a_mask_and_keywords),
        cmocka_unit_test(dates_keep_their_zone),
        cmocka_unit_test(a_date_time_is_put_as_it_was_given),
        cmocka_unit_test(a_raw_set_is_put_in_order),
        cmocka_unit_test(strings_are_quoted_where_they_can_be),
        cmocka_unit_test(every_string_survives_the_way_there_and_back),
    };

    return cmocka_run_group_tests(tests, NULL, drop_args);
}
