/* Restrictions, evaluated ([MS-OXCDATA] 2.12). */
#include "protocols/mapi/match.h"
#include "protocols/mapi/text.h"
#include "tests/support/test.h"

/* ---- something to look at: a list of properties, and recipients ---- */

struct thing {
    struct match_source source;
    const struct prop *props;
    size_t n;
    struct match_source **recipients;
    size_t n_recipients;
};

static bool thing_get(struct match_source *self, uint32_t tag, struct prop *out)
{
    struct thing *t = (struct thing *)self;

    for (size_t i = 0; i < t->n; i++) {
        if (prop_id(t->props[i].tag) == prop_id(tag)) {
            *out = t->props[i];
            return true;
        }
    }
    return false;
}

static bool thing_parts(struct match_source *self, uint32_t tag, struct match_source ***out,
                        size_t *n)
{
    struct thing *t = (struct thing *)self;

    if (tag != PR_MESSAGE_RECIPIENTS)
        return false;
    *out = t->recipients;
    *n = t->n_recipients;
    return true;
}

enum { PR_DOUBLE = 0x80010005, PR_CATEGORIES = 0x8002101F, PR_ABSENT = 0x00150040 };

static const struct prop_value categories[] = {{.bytes = {(const uint8_t *)"Red", 3}},
                                               {.bytes = {(const uint8_t *)"Blue", 4}}};
static const struct prop of_message[] = {
    {PR_SUBJECT, {.bytes = {(const uint8_t *)"Re: Caf\xC3\xA9 au lait", 17}}},
    {PR_DISPLAY_TO, {.bytes = {(const uint8_t *)"alice", 5}}},
    {PR_DISPLAY_CC, {.bytes = {(const uint8_t *)"ALICE", 5}}},
    {PR_MESSAGE_SIZE, {.number = 1000}},
    {PR_MESSAGE_FLAGS, {.number = 0x11}},
    {PR_DELIVERY_TIME, {.time = 5000}},
    {PR_DOUBLE, {.real = 1.5}},
    {PR_SEARCH_KEY, {.bytes = {(const uint8_t *)"\x00\x01\x02", 3}}},
    {PR_CATEGORIES, {.many = {categories, 2}}},
};
static const struct prop of_alice[] = {{PR_DISPLAY_NAME, {.bytes = {(const uint8_t *)"Alice", 5}}}};
static const struct prop of_bob[] = {{PR_DISPLAY_NAME, {.bytes = {(const uint8_t *)"Bob", 3}}}};

static bool fits(const struct restriction *r)
{
    struct thing alice = {.source = {.get = thing_get}, .props = of_alice, .n = 1};
    struct thing bob = {.source = {.get = thing_get}, .props = of_bob, .n = 1};
    struct match_source *both[] = {&alice.source, &bob.source};
    struct thing message = {.source = {.get = thing_get, .parts = thing_parts},
                            .props = of_message,
                            .n = sizeof of_message / sizeof *of_message,
                            .recipients = both,
                            .n_recipients = 2};
    struct arena in = ARENA_INIT;
    struct match_run run = {.in = &in};
    bool does = match(r, &run, &message.source);

    arena_done(&in);
    assert_false(failed(message.source.err));
    return does;
}

static struct prop_value text(const char *s)
{
    return (struct prop_value){.bytes = slice_str(s)};
}

/* ---- */

/* 2.12.5 */
static void properties_are_compared_by_type(void **state)
{
    static const struct {
        uint32_t tag, value_tag;
        uint8_t relop;
        struct prop_value value;
        bool fits;
    } cases[] = {
        {PR_MESSAGE_SIZE, PR_MESSAGE_SIZE, RELOP_EQ, {.number = 1000}, true},
        {PR_MESSAGE_SIZE, PR_MESSAGE_SIZE, RELOP_LT, {.number = 1000}, false},
        {PR_MESSAGE_SIZE, PR_MESSAGE_SIZE, RELOP_LE, {.number = 1000}, true},
        {PR_MESSAGE_SIZE, PR_MESSAGE_SIZE, RELOP_GT, {.number = 999}, true},
        {PR_MESSAGE_SIZE, PR_MESSAGE_SIZE, RELOP_GE, {.number = 1001}, false},
        {PR_MESSAGE_SIZE, PR_MESSAGE_SIZE, RELOP_NE, {.number = -1}, true},
        {PR_DELIVERY_TIME, PR_DELIVERY_TIME, RELOP_GT, {.time = 4999}, true},
        {PR_DELIVERY_TIME, PR_DELIVERY_TIME, RELOP_LT, {.time = UINT64_MAX}, true},
        {PR_DOUBLE, PR_DOUBLE, RELOP_LT, {.real = 1.6}, true},
        /* text: without regard to case, String8 as String */
        {PR_DISPLAY_TO, PR_DISPLAY_TO, RELOP_EQ, {.bytes = {(const uint8_t *)"Alice", 5}}, true},
        {PR_DISPLAY_TO, 0x0E04001E, RELOP_EQ, {.bytes = {(const uint8_t *)"aLICE", 5}}, true},
        {PR_DISPLAY_TO, PR_DISPLAY_TO, RELOP_LT, {.bytes = {(const uint8_t *)"BOB", 3}}, true},
        {PR_SEARCH_KEY, PR_SEARCH_KEY, RELOP_EQ, {.bytes = {(const uint8_t *)"\0\1\2", 3}}, true},
        {PR_SEARCH_KEY, PR_SEARCH_KEY, RELOP_GT, {.bytes = {(const uint8_t *)"\0\1", 2}}, true},
        /* one value of many */
        {PR_CATEGORIES, 0x8002001F, RELOP_EQ, {.bytes = {(const uint8_t *)"blue", 4}}, true},
        {PR_CATEGORIES, 0x8002001F, RELOP_EQ, {.bytes = {(const uint8_t *)"Green", 5}}, false},
        {0x8002301F, 0x8002001F, RELOP_EQ, {.bytes = {(const uint8_t *)"Red", 3}}, true},
        {PR_CATEGORIES, PR_CATEGORIES, RELOP_EQ, {.many = {categories, 2}}, true},
        {PR_CATEGORIES, PR_CATEGORIES, RELOP_EQ, {.many = {categories, 1}}, false},
        /* what is not there comes before everything */
        {PR_ABSENT, PR_ABSENT, RELOP_EQ, {.time = 0}, false},
        {PR_ABSENT, PR_ABSENT, RELOP_LT, {.time = 0}, true},
        {PR_ABSENT, PR_ABSENT, RELOP_NE, {.time = 0}, true},
        {PR_ABSENT, PR_ABSENT, RELOP_GE, {.time = 0}, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct restriction r = {.kind = RESTRICTION_PROPERTY,
                                .relop = cases[i].relop,
                                .tag = cases[i].tag,
                                .value = {cases[i].value_tag, cases[i].value}};

        assert_false(failed(match_check(&r)));
        if (fits(&r) != cases[i].fits)
            fail_msg("case %zu", i);
    }
}

/* 2.12.3 */
static void content_is_looked_for_as_the_levels_say(void **state)
{
    static const struct {
        uint16_t low, high;
        const char *wanted;
        bool fits;
    } cases[] = {
        {0, 0, "Re: Caf\xC3\xA9 au lait", true},
        {0, 0, "re: caf\xC3\xA9 au lait", false},
        {0, 1, "RE: CAF\xC3\x89 AU LAIT", true},
        {0, 1, "re: cafe au lait", false},
        {0, 2, "Re: Cafe au lait", true},
        {0, 2, "re: cafe au lait", false},
        {0, 3, "re: cafe au lait", true},
        {0, 4, "re: CAFE au lait", true},
        {1, 0, "au", true},
        {1, 0, "AU", false},
        {1, 1, "AU", true},
        {1, 0, "Caf\x65\xCC\x81", true}, /* composed or not, it is the same text */
        {1, 0, "", true},
        {1, 0, "tea", false},
        {2, 0, "Re: C", true},
        {2, 0, "Caf", false},
        {2, 1, "re:", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct restriction r = {.kind = RESTRICTION_CONTENT,
                                .fuzzy_low = cases[i].low,
                                .fuzzy_high = cases[i].high,
                                .tag = PR_SUBJECT,
                                .value = {PR_SUBJECT, text(cases[i].wanted)}};

        assert_false(failed(match_check(&r)));
        if (fits(&r) != cases[i].fits)
            fail_msg("case %zu", i);
    }
}

static void content_of_many_values_bytes_and_nothing(void **state)
{
    struct restriction r = {.kind = RESTRICTION_CONTENT,
                            .fuzzy_low = 2,
                            .fuzzy_high = 1,
                            .tag = PR_CATEGORIES,
                            .value = {0x8002001F, text("BL")}};

    (void)state;
    assert_true(fits(&r));
    r.tag = PR_SEARCH_KEY;
    r.value = (struct prop){PR_SEARCH_KEY, {.bytes = {(const uint8_t *)"\x00\x01", 2}}};
    assert_true(fits(&r));
    r.tag = PR_DISPLAY_BCC;
    r.value = (struct prop){PR_DISPLAY_BCC, text("")};
    assert_false(fits(&r));
}

/* 2.12.6 - 2.12.9 */
static void the_other_leaves(void **state)
{
    struct restriction same = {.kind = RESTRICTION_COMPARE,
                               .relop = RELOP_EQ,
                               .tag = PR_DISPLAY_TO,
                               .tag2 = PR_DISPLAY_CC};
    struct restriction bits = {
        .kind = RESTRICTION_BITMASK, .relop = 1, .tag = PR_MESSAGE_FLAGS, .number = 0x10};
    struct restriction size = {
        .kind = RESTRICTION_SIZE, .relop = RELOP_EQ, .tag = PR_DISPLAY_TO, .number = 12};
    struct restriction exist = {.kind = RESTRICTION_EXIST, .tag = PR_SUBJECT};

    (void)state;
    assert_true(fits(&same));
    same.tag2 = PR_DISPLAY_BCC;
    assert_false(fits(&same));
    assert_true(fits(&bits));
    bits.number = 0x20;
    assert_false(fits(&bits));
    bits.relop = 0;
    assert_true(fits(&bits));
    assert_true(fits(&size));
    assert_true(fits(&exist));
    exist.tag = PR_DISPLAY_BCC;
    assert_false(fits(&exist));
}

/* 2.12.1, 2.12.2, 2.12.4, 2.12.10, 2.12.11, 2.12.12 */
static void restrictions_of_restrictions(void **state)
{
    const struct restriction yes = {.kind = RESTRICTION_EXIST, .tag = PR_SUBJECT};
    const struct restriction no = {.kind = RESTRICTION_EXIST, .tag = PR_DISPLAY_BCC};
    const struct restriction both[] = {yes, no};
    const struct restriction named = {.kind = RESTRICTION_PROPERTY,
                                      .relop = RELOP_EQ,
                                      .tag = PR_DISPLAY_NAME,
                                      .value = {PR_DISPLAY_NAME, text("bob")}};
    struct restriction r = {.kind = RESTRICTION_AND, .children = both, .n = 2};

    (void)state;
    assert_false(fits(&r));
    r.kind = RESTRICTION_OR;
    assert_true(fits(&r));
    r.n = 0;
    assert_false(fits(&r));
    r.kind = RESTRICTION_AND;
    assert_true(fits(&r));
    r = (struct restriction){.kind = RESTRICTION_NOT, .children = &no, .n = 1};
    assert_true(fits(&r));
    r = (struct restriction){.kind = RESTRICTION_COMMENT};
    assert_true(fits(&r));
    r = (struct restriction){.kind = RESTRICTION_COMMENT, .children = &no, .n = 1};
    assert_false(fits(&r));
    r = (struct restriction){
        .kind = RESTRICTION_SUBOBJECT, .tag = PR_MESSAGE_RECIPIENTS, .children = &named, .n = 1};
    assert_true(fits(&r));
    r.children = &no;
    assert_false(fits(&r));
    r.tag = PR_MESSAGE_ATTACHMENTS;
    r.children = &yes;
    assert_false(fits(&r));
    assert_true(fits(NULL));
}

static void a_count_lets_so_many_through(void **state)
{
    const struct restriction yes = {.kind = RESTRICTION_EXIST, .tag = PR_SUBJECT};
    const struct restriction r = {.kind = RESTRICTION_COUNT, .number = 2, .children = &yes, .n = 1};
    struct thing message = {.source = {.get = thing_get}, .props = of_message, .n = 1};
    struct arena in = ARENA_INIT;
    struct match_run run = {.in = &in};

    (void)state;
    assert_true(match_has_count(&r));
    assert_true(match(&r, &run, &message.source));
    assert_true(match(&r, &run, &message.source));
    assert_false(match(&r, &run, &message.source));
    arena_done(&in);
}

static void what_cannot_be_evaluated_is_refused(void **state)
{
    const struct restriction bad[] = {
        {.kind = RESTRICTION_PROPERTY,
         .relop = RELOP_RE,
         .tag = PR_SUBJECT,
         .value = {PR_SUBJECT, {.bytes = {(const uint8_t *)"a", 1}}}},
        {.kind = RESTRICTION_PROPERTY,
         .relop = RELOP_MEMBER_OF_DL,
         .tag = PR_SUBJECT,
         .value = {PR_SUBJECT, {.bytes = {(const uint8_t *)"a", 1}}}},
        {.kind = RESTRICTION_PROPERTY,
         .tag = PR_SUBJECT,
         .value = {PR_MESSAGE_SIZE, {.number = 1}}},
        {.kind = RESTRICTION_CONTENT, .tag = PR_MESSAGE_SIZE, .value = {PR_SUBJECT, {.number = 0}}},
        {.kind = RESTRICTION_CONTENT, .fuzzy_low = 3, .tag = PR_SUBJECT, .value = {PR_SUBJECT}},
        {.kind = RESTRICTION_BITMASK, .tag = PR_SUBJECT},
        {.kind = RESTRICTION_SUBOBJECT, .tag = PR_SUBJECT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct restriction deep = {.kind = RESTRICTION_NOT, .children = &bad[i], .n = 1};

        assert_int_equal(match_check(&bad[i]).code, ERR_UNSUPPORTED);
        assert_int_equal(match_check(&deep).code, ERR_UNSUPPORTED);
    }
}

/* What a table is sorted by and what FindRow looks for must agree. */
static void keys_of_text_are_in_its_order(void **state)
{
    static const char *const words[] = {"",         "a",
                                        "A",        "b",
                                        "\xC3\xA9", "e",
                                        "f",        "Z",
                                        "zebra",    "\xC3\x84pfel",
                                        "Apfel 2",  "\xF0\x9F\x98\x80",
                                        "10",       "9"};
    enum { N = sizeof words / sizeof *words };

    (void)state;
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < N; j++) {
            struct buf a = buf_make(1000), b = buf_make(1000);
            int order = text_order(slice_str(words[i]), slice_str(words[j]));

            text_put_key(&a, slice_str(words[i]));
            text_put_key(&b, slice_str(words[j]));
            int by_key = slice_order(buf_slice(&a), buf_slice(&b));
            assert_int_equal((order > 0) - (order < 0), (by_key > 0) - (by_key < 0));
            buf_done(&a);
            buf_done(&b);
        }
    }
    assert_true(text_order(S("\xC3\xA9"), S("f")) < 0);
    assert_int_equal(text_order(S("ABC"), S("abc")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(properties_are_compared_by_type),
        cmocka_unit_test(content_is_looked_for_as_the_levels_say),
        cmocka_unit_test(content_of_many_values_bytes_and_nothing),
        cmocka_unit_test(the_other_leaves),
        cmocka_unit_test(restrictions_of_restrictions),
        cmocka_unit_test(a_count_lets_so_many_through),
        cmocka_unit_test(what_cannot_be_evaluated_is_refused),
        cmocka_unit_test(keys_of_text_are_in_its_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
