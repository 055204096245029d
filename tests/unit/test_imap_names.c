#include "tests/support/test.h"

#include "protocols/imap/imap_int.h"

static const struct {
    const char *utf8, *utf7;
} pairs[] = {
    {"INBOX", "INBOX"},
    {"Tom & Jerry", "Tom &- Jerry"},
    {"&", "&-"},
    {"&&", "&-&-"},
    {"Entw\xC3\xBCrfe", "Entw&APw-rfe"},
    /* RFC 3501 5.1.3 */
    {"~peter/mail/\xE5\x8F\xB0\xE5\x8C\x97/\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E",
     "~peter/mail/&U,BTFw-/&ZeVnLIqe-"},
    {"\xE2\x82\xAC", "&IKw-"},
    {"\xF0\x9F\x93\xA7", "&2D3c5w-"},
    {"a\xC3\xA4&\xC3\xB6z", "a&AOQ-&-&APY-z"},
};

static void names_have_one_form_in_modified_utf7(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct buf out = buf_make(1000);

        imap_utf8_to_utf7(slice_str(pairs[i].utf8), &out);
        assert_slice(buf_slice(&out), pairs[i].utf7);
        buf_clear(&out);
        assert_true(imap_utf7_to_utf8(slice_str(pairs[i].utf7), &out));
        assert_slice(buf_slice(&out), pairs[i].utf8);
        buf_done(&out);
    }
}

static void malformed_names_are_refused(void **state)
{
    static const char *const bad[] = {
        "&",                  /* never closed */
        "&U,BTFw",            /* likewise */
        "R&D",                /* likewise */
        "&Jjo!",              /* not of the alphabet */
        "&U,BTFw-&ZeVnLIqe-", /* two shifts in a row (RFC 3501 5.1.3) */
        "&AGE-",              /* "a" has to stand for itself */
        "&AOR-",              /* bits left over */
        "&AOQA-",             /* half a unit left over */
        "&2D0-",              /* a high surrogate alone */
        "&3Oc-",              /* a low one alone */
        "&2D1hYQ-",           /* a high one and no low one */
        "&AAA-",              /* NUL */
        "a\tb",               /* controls */
        "a\x80",              /* 8 bit */
        "&A-",                /* no unit at all */
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf out = buf_make(1000);

        if (imap_utf7_to_utf8(slice_str(bad[i]), &out))
            fail_msg("taken: %s", bad[i]);
        buf_done(&out);
    }
}

static void put_char(struct buf *out, uint32_t ch)
{
    if (ch < 0x80) {
        buf_putc(out, (uint8_t)ch);
    } else if (ch < 0x800) {
        buf_putc(out, (uint8_t)(0xC0 | ch >> 6));
        buf_putc(out, (uint8_t)(0x80 | (ch & 0x3F)));
    } else if (ch < 0x10000) {
        buf_putc(out, (uint8_t)(0xE0 | ch >> 12));
        buf_putc(out, (uint8_t)(0x80 | (ch >> 6 & 0x3F)));
        buf_putc(out, (uint8_t)(0x80 | (ch & 0x3F)));
    } else {
        buf_putc(out, (uint8_t)(0xF0 | ch >> 18));
        buf_putc(out, (uint8_t)(0x80 | (ch >> 12 & 0x3F)));
        buf_putc(out, (uint8_t)(0x80 | (ch >> 6 & 0x3F)));
        buf_putc(out, (uint8_t)(0x80 | (ch & 0x3F)));
    }
}

static uint32_t random_char(struct rng *rng)
{
    static const uint32_t below[] = {0x7F, 0x7FF, 0xFFFF, 0x10FFFF};

    for (;;) {
        uint32_t ch = rng_below(rng, below[rng_below(rng, 4)]) + 1;

        if (ch < 0xD800 || ch > 0xDFFF)
            return ch;
    }
}

static void every_name_survives_the_way_there_and_back(void **state)
{
    struct rng rng = rng_seeded();

    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct buf name = buf_make(1000), utf7 = buf_make(4000), back = buf_make(1000);
        uint32_t n = rng_below(&rng, 12);

        while (n--)
            put_char(&name, random_char(&rng));
        imap_utf8_to_utf7(buf_slice(&name), &utf7);
        assert_true(slice_is_ascii(buf_slice(&utf7)));
        assert_true(imap_utf7_to_utf8(buf_slice(&utf7), &back));
        assert_true(slice_eq(buf_slice(&name), buf_slice(&back)));
        buf_done(&name);
        buf_done(&utf7);
        buf_done(&back);
    }
}

/* What is taken at all is taken in its one form. */
static void what_is_decoded_encodes_to_what_came_in(void **state)
{
    static const char letters[] = "&-AOQ,+3d2Dcw0 a/";
    struct rng rng = rng_seeded();
    unsigned taken = 0;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        struct buf utf8 = buf_make(1000), back = buf_make(1000);
        uint8_t name[12];
        size_t n = rng_below(&rng, sizeof name);

        for (size_t j = 0; j < n; j++)
            name[j] = (uint8_t)letters[rng_below(&rng, sizeof letters - 1)];
        if (imap_utf7_to_utf8(slice_of(name, n), &utf8)) {
            taken++;
            assert_true(slice_is_utf8(buf_slice(&utf8)));
            imap_utf8_to_utf7(buf_slice(&utf8), &back);
            assert_true(slice_eq(buf_slice(&back), slice_of(name, n)));
        }
        buf_done(&utf8);
        buf_done(&back);
    }
    assert_true(taken > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_have_one_form_in_modified_utf7),
        cmocka_unit_test(malformed_names_are_refused),
        cmocka_unit_test(every_name_survives_the_way_there_and_back),
        cmocka_unit_test(what_is_decoded_encodes_to_what_came_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
