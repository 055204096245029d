#include "tests/support/test.h"

#include "protocols/imap/glob.h"

static bool match(const char *pattern, struct slice path, size_t *steps)
{
    struct arena arena = ARENA_INIT;
    struct imap_glob glob = imap_glob_make(slice_str(pattern), &arena);
    bool matched = imap_glob_match(&glob, path, steps);

    arena_done(&arena);
    return matched;
}

static void patterns_match_as_rfc_9051_says(void **state)
{
    static const struct {
        const char *pattern, *path;
        bool matches;
    } cases[] = {
        {"*", "a/b/c", true},
        {"%", "a", true},
        {"%", "a/b", false},
        {"%/%", "a/b", true},
        {"a/%", "a/b", true},
        {"a/%", "a/b/c", false},
        {"a/*", "a/b/c", true},
        {"a*", "a", true},
        {"a/*", "a", false},
        {"*%", "a/b", true},
        {"%*", "a/b", true},
        {"%%", "a/b", false},
        {"inbox", "INBOX", true},
        {"iNb%", "INBOX", true},
        {"inbox/x", "INBOX/x", true},
        {"inbox/X", "INBOX/x", false},
        {"inboxes", "INBOXES", false},
        {"*x", "a/INBOX", false},
        {"", "", true},
        {"", "a", false},
        {"*b/%x", "ab/b/x", true},
        {"%b/%x", "ab/b/x", false},
        {"*/b*", "a/c/b/d", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t steps = 0;

        if (match(cases[i].pattern, slice_str(cases[i].path), &steps) != cases[i].matches)
            fail_msg("%s against %s", cases[i].pattern, cases[i].path);
    }
}

static bool naive(const char *pattern, const char *path)
{
    if (!*pattern)
        return !*path;
    if (*pattern == '*' || *pattern == '%')
        return naive(pattern + 1, path) ||
               (*path && (*pattern == '*' || *path != '/') && naive(pattern, path + 1));
    return *pattern == *path && naive(pattern + 1, path + 1);
}

static void random_text(struct rng *rng, const char *letters, char *out, size_t max)
{
    size_t n = rng_below(rng, (uint32_t)max);

    for (size_t i = 0; i < n; i++)
        out[i] = letters[rng_below(rng, (uint32_t)strlen(letters))];
    out[n] = 0;
}

static void patterns_match_what_a_naive_matcher_matches(void **state)
{
    struct rng rng = rng_seeded();

    (void)state;
    for (int i = 0; i < 50000; i++) {
        char pattern[9], path[11];
        size_t steps = 0;

        random_text(&rng, "ab/%*", pattern, sizeof pattern);
        random_text(&rng, "ab/", path, sizeof path);
        assert_int_equal(match(pattern, slice_str(path), &steps), naive(pattern, path));
    }
}

static void no_pattern_takes_more_than_its_length_times_the_names(void **state)
{
    char pattern[2001];
    uint8_t path[4000];
    size_t steps = 0;

    (void)state;
    for (size_t i = 0; i < 2000; i++)
        pattern[i] = "%a*"[i % 3];
    pattern[2000] = 0;
    memset(path, 'a', sizeof path);
    path[3999] = 'b';
    match(pattern, slice_of(path, sizeof path), &steps);
    assert_true(steps <= 2000 * 4001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_as_rfc_9051_says),
        cmocka_unit_test(patterns_match_what_a_naive_matcher_matches),
        cmocka_unit_test(no_pattern_takes_more_than_its_length_times_the_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
