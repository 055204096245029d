#include "tests/support/test.h"

#include "store/mime/mime.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

static bool in_utf8(struct slice needle, struct slice text)
{
    struct mime_search_key *key = mime_search_key_new(needle);
    bool found = mime_search_in_utf8(key, text);

    mime_search_key_free(key);
    return found;
}

static const struct {
    const char *needle, *text;
    bool found;
} pairs[] = {
    {"", "", true},
    {"", "x", true},
    {"x", "", false},
    {"x", "x", true},
    {"X", "x", true},
    {"abc", "xxABCxx", true},
    {"abc", "xxABxC", false},
    {"[x", "{X", false},
    {"@", "`", false},
    {"a b", "A\tB", false},
    {"\xC3\xA4", "\xC3\x84", true},
    {"\xC3\xA4", "a", false},
    /* RFC 5051: titlecase, then decompose; a substring of what that gives */
    {"a", "\xC3\xA4", true},
    {"cafe", "CAF\xC3\x89", true},
    {"a\xCC\x88", "\xC3\x84", true},
    {"\xC3\xA9t\xC3\xA9", "\xC3\x89T\xC3\x89", true},
    {"\xEF\xBC\xA1", "A", true},
    {"a", "\xEF\xBC\xA1", true},
    {"\xD0\x96", "\xD0\xB6", true},
    {"\xC3\x9F", "\xC3\x9F", true},
    {"\xC3\x9F", "ss", false},
    {"\xE6\x97\xA5", "\xE6\x97\xA5\xE6\x9C\xAC", true},
    {"\xED\x95\x9C", "\xED\x95\x9C", true},
    {"\xF0\x9F\x93\xA7", "mail \xF0\x9F\x93\xA7", true},
    {"\xFF", "\xFE", true}, /* both are no UTF-8: U+FFFD */
};

static void text_matches_as_rfc_5051_compares_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(pairs); i++)
        if (in_utf8(slice_str(pairs[i].needle), slice_str(pairs[i].text)) != pairs[i].found)
            fail_msg("%s in %s", pairs[i].needle, pairs[i].text);
}

/* What the scan in blocks finds is what looking at every place finds. */
static void a_needle_is_found_wherever_it_is(void **state)
{
    struct rng rng = rng_seeded();
    uint8_t text[400], needle[40];

    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t n = 1 + rng_below(&rng, 300), m = 1 + rng_below(&rng, 12);
        uint32_t letters = 1 + rng_below(&rng, 4);
        bool want = false;

        for (size_t i = 0; i < n; i++)
            text[i] = (uint8_t)((rng_below(&rng, 2) ? 'a' : 'A') + rng_below(&rng, letters));
        for (size_t i = 0; i < m; i++)
            needle[i] = (uint8_t)('a' + rng_below(&rng, letters));
        for (size_t i = 0; i + m <= n && !want; i++)
            want = slice_ieq(slice_of(text + i, m), slice_of(needle, m));
        assert_int_equal(in_utf8(slice_of(needle, m), slice_of(text, n)), want);
        needle[0] = 0xC3; /* a needle that is folded, in text that is not ASCII */
        needle[1] = 0xA9;
        text[n] = 0xC3;
        text[n + 1] = 0x89;
        memcpy(text + n + 2, needle + 2, m > 2 ? m - 2 : 0);
        assert_true(in_utf8(slice_of(needle, m > 2 ? m : 2), slice_of(text, n + (m > 2 ? m : 2))));
    }
}

static void a_needle_is_found_across_windows(void **state)
{
    struct buf text = buf_make(1000000);

    (void)state;
    for (size_t at = 65500; at < 65560; at++) {
        buf_clear(&text);
        while (text.len < at)
            buf_puts(&text, "\xC3\xB6");
        buf_puts(&text, "\xC3\x84"
                        "bc");
        assert_true(in_utf8(S("\xC3\xA4"
                              "BC"),
                            buf_slice(&text)));
        assert_false(in_utf8(S("\xC3\xA4"
                               "BCd"),
                             buf_slice(&text)));
    }
    buf_done(&text);
}

static const char message_text[] =
    "From: =?utf-8?Q?J=C3=B6rg?= <joerg@example.org>\r\n"
    "Subject: quarterly\r\n report\r\n"
    "X-Empty:\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    "preamble\r\n--b\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n\r\nGr\xC3\xBC\xC3\x9F"
    "e\r\n--b\r\n"
    "Content-Type: text/plain; charset=iso-8859-1\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n\r\nd=E9j=E0 vu of=\r\nfice\r\n--b\r\n"
    "Content-Type: text/html; charset=iso-2022-jp\r\n"
    "Content-Transfer-Encoding: base64\r\n\r\nGyRCRnxLXBsoQiBoZWxsbw==\r\n--b\r\n"
    "Content-Type: image/png\r\nX-Part: part header\r\n\r\nimage bytes\r\n--b\r\n"
    "Content-Type: message/rfc822\r\n\r\nSubject: =?utf-8?B?w6Q=?= inner\r\n\r\ninner text\r\n"
    "--b--\r\nepilogue\r\n";

static void messages_are_searched_decoded(void **state)
{
    static const struct {
        const char *needle;
        bool body, text;
    } cases[] = {
        {"", true, true},
        {"quarterly report", false, true},
        {"j\xC3\xB6rg", false, true},
        {"=?utf", false, false},
        {"gr\xC3\xBC\xC3\x9F", true, true},
        {"D\xC3\x89J\xC3\x80 vu", true, true},
        {"deja", false, false},
        {"office", true, true},
        {"=E9", false, false},
        {"\xE6\x97\xA5\xE6\x9C\xAC HELLO", true, true},
        {"GyRC", false, false},
        {"part header", true, true},
        {"image bytes", false, false},
        {"\xC3\xA4 inner", true, true},
        {"inner text", true, true},
        {"preamble", false, false},
        {"nowhere", false, false},
    };
    struct slice message = slice_str(message_text);
    struct arena arena = ARENA_INIT;
    struct mime mime;

    (void)state;
    mime_parse(message, &arena, &mime);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct mime_search_key *key = mime_search_key_new(slice_str(cases[i].needle));

        if (mime_search_message(key, message, &mime, false) != cases[i].body ||
            mime_search_message(key, message, &mime, true) != cases[i].text)
            fail_msg("%s", cases[i].needle);
        mime_search_key_free(key);
    }
    arena_done(&arena);
}

static void header_fields_are_searched_decoded(void **state)
{
    static const struct {
        const char *field, *needle;
        bool found;
    } cases[] = {
        {"subject", "QUARTERLY REPORT", true},
        {"Subject", "joerg", false},
        {"From", "J\xC3\x96RG", true},
        {"From", "joerg@EXAMPLE", true},
        {"From", "utf-8", false},
        {"X-Empty", "", true},
        {"X-Empty", "x", false},
        {"X-None", "", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct mime_search_key *key = mime_search_key_new(slice_str(cases[i].needle));

        assert_int_equal(
            mime_search_header(key, slice_str(message_text), slice_str(cases[i].field)),
            cases[i].found);
        mime_search_key_free(key);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_matches_as_rfc_5051_compares_it),
        cmocka_unit_test(a_needle_is_found_wherever_it_is),
        cmocka_unit_test(a_needle_is_found_across_windows),
        cmocka_unit_test(messages_are_searched_decoded),
        cmocka_unit_test(header_fields_are_searched_decoded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
