#include "tests/support/test.h"

#include "store/mime/mime.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

static const struct {
    enum mime_encoding encoding;
    const char *in, *want;
    bool broken;
} decodings[] = {
    {MIME_7BIT, "as it is =20\r\n", "as it is =20\r\n", false},
    {MIME_BINARY, "as it is", "as it is", false},
    {MIME_UNKNOWN, "as it is", "as it is", true},
    {MIME_BASE64, "", "", false},
    {MIME_BASE64, "SGVsbG8=", "Hello", false},
    {MIME_BASE64, "SGVs\r\nbG8s\r\n", "Hello,", false},
    {MIME_BASE64, "S G\tV s b G 8 =", "Hello", false},
    {MIME_BASE64, "SGVsbG8", "Hello", false},
    {MIME_BASE64, "SGVs*bG8=", "Hello", true},
    {MIME_BASE64, "SGVsbG8=SGVsbG8=", "HelloHello", false},
    {MIME_BASE64, "SGVsb", "Hel", true},
    {MIME_BASE64, "====", "", false},
    {MIME_BASE64, "\xC3\xA4", "", true},
    {MIME_QP, "", "", false},
    {MIME_QP, "a=20b=3D\r\nc", "a b=\r\nc", false},
    {MIME_QP, "a=c3=A4", "a\xC3\xA4", false},
    {MIME_QP, "soft=\r\n line", "soft line", false},
    {MIME_QP, "soft=\n line", "soft line", false},
    {MIME_QP, "soft= \t\r\n line", "soft line", false},
    {MIME_QP, "trailing \t\r\nblanks  \n", "trailing\r\nblanks\n", false},
    {MIME_QP, "inner  blanks =20\r\n", "inner  blanks  \r\n", false},
    {MIME_QP, "at the end   ", "at the end", false},
    {MIME_QP, "lone \rCR\r", "lone \rCR\r", false},
    {MIME_QP, "bad =ZZ =4 =\rx", "bad =ZZ =4 =\rx", true},
    {MIME_QP, "==41", "=A", true},
    {MIME_QP, "end=", "end", false},
    {MIME_QP, "end=4", "end=4", true},
};

/* Decode in pieces of `piece` bytes. */
static bool decode(enum mime_encoding encoding, struct slice in, size_t piece, struct buf *out)
{
    struct mime_decoder d;

    mime_decoder_init(&d, encoding);
    while (in.len) {
        mime_decode_piece(&d, slice_head(in, piece), out);
        in = slice_from(in, piece);
    }
    mime_decode_end(&d, out);
    return d.broken;
}

static void encodings_are_undone_however_the_input_is_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(decodings); i++) {
        struct slice in = slice_str(decodings[i].in);

        for (size_t piece = 1; piece <= in.len + 1; piece++) {
            struct buf got = buf_make(1000);

            assert_int_equal(decode(decodings[i].encoding, in, piece, &got), decodings[i].broken);
            assert_slice(buf_slice(&got), decodings[i].want);
            buf_done(&got);
        }
    }
}

static void blanks_without_end_are_text_but_for_the_last(void **state)
{
    struct buf in = buf_make(100000), whole = buf_make(100000), cut = buf_make(100000);

    (void)state;
    for (int i = 0; i < 1000; i++)
        buf_putc(&in, i % 3 ? ' ' : '\t');
    buf_puts(&in, "\r\n=");
    for (int i = 0; i < 1000; i++)
        buf_putc(&in, ' ');
    buf_puts(&in, "\r\nx");
    decode(MIME_QP, buf_slice(&in), SIZE_MAX, &whole);
    for (size_t piece = 1; piece < 200; piece++) {
        buf_clear(&cut);
        decode(MIME_QP, buf_slice(&in), piece, &cut);
        assert_true(slice_eq(buf_slice(&cut), buf_slice(&whole)));
    }
    buf_done(&in);
    buf_done(&whole);
    buf_done(&cut);
}

static const struct {
    const char *charset, *bytes, *want;
} charsets[] = {
    {"us-ascii", "abc", "abc"},
    {"us-ascii", "\xC3\xA4", "\xC3\xA4"},
    {"us-ascii", "\xE4", "\xC3\xA4"},
    {"UTF-8", "\xC3\xA4\xFF", "\xC3\xA4\xEF\xBF\xBD"},
    {"utf8", "\xE2\x82", "\xEF\xBF\xBD"},
    {"iso-8859-1", "\xE4\x80", "\xC3\xA4\xE2\x82\xAC"},
    {"ISO-8859-15", "\xA4", "\xE2\x82\xAC"},
    {"windows-1251", "\xCF", "\xD0\x9F"},
    {"koi8-r", "\xF0", "\xD0\x9F"},
    {"iso-2022-jp", "\x1B$BF|K\\\x1B(B", "\xE6\x97\xA5\xE6\x9C\xAC"},
    {"shift_jis", "\x93\xFA", "\xE6\x97\xA5"},
    {"euc-jp", "\xC6\xFC", "\xE6\x97\xA5"},
    {"gb2312", "\xC4\xE3", "\xE4\xBD\xA0"},
    {"big5", "\xA7\x41", "\xE4\xBD\xA0"},
    {"ks_c_5601-1987", "\xC7\xD1", "\xED\x95\x9C"},
    {"utf-7", "+AOQ-", "\xC3\xA4"},
    {"utf-16be", "\xD8\x3D\xDC\xE7", "\xF0\x9F\x93\xA7"},
    {"iso-8859-8-i", "\xE0", "\xD7\x90"},
    {"tis-620", "\xA1", "\xE0\xB8\x81"},
};

static void charsets_become_utf8(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(charsets); i++) {
        struct buf out = buf_make(1000);

        assert_true(mime_charset_known(slice_str(charsets[i].charset)));
        assert_ok(mime_to_utf8(slice_str(charsets[i].charset), slice_str(charsets[i].bytes), &out));
        assert_slice(buf_slice(&out), charsets[i].want);
        buf_done(&out);
    }
}

static void charsets_nobody_knows_are_refused(void **state)
{
    static const char *const names[] = {
        "",    "no-such",  "utf-8,version=1",
        "a b", "\xC3\xA4", "a-name-that-is-longer-than-any-charset-can-be-and-then-some"};
    struct buf out = buf_make(1000);

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        assert_false(mime_charset_known(slice_str(names[i])));
        assert_code(mime_to_utf8(slice_str(names[i]), S("x"), &out), ERR_UNSUPPORTED);
    }
    buf_done(&out);
}

static void text_that_does_not_fit_is_refused(void **state)
{
    static const char *const names[] = {"utf-8", "iso-8859-1", "us-ascii", "euc-jp"};

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        struct buf out = buf_make(4);

        assert_code(mime_to_utf8(slice_str(names[i]), S("12345"), &out), ERR_TOO_BIG);
        buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodings_are_undone_however_the_input_is_cut),
        cmocka_unit_test(blanks_without_end_are_text_but_for_the_last),
        cmocka_unit_test(charsets_become_utf8),
        cmocka_unit_test(charsets_nobody_knows_are_refused),
        cmocka_unit_test(text_that_does_not_fit_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
