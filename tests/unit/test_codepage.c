#include "tests/support/test.h"

#include "store/mapi/codepage.h"
#include "store/mime/mime.h"

static void a_code_page_and_its_charset_name_each_other(void **state)
{
    static const int known[] = {874,  932,   936,   949,   950,   1250,  1251,
                                1252, 20127, 20866, 28591, 50220, 54936, 65001};
    struct slice charset;

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        assert_ok(codepage_charset(known[i], &charset));
        assert_int_equal(codepage_of_charset(charset), known[i]);
        assert_true(mime_charset_known(charset));
    }
    assert_code(codepage_charset(1, &charset), ERR_UNSUPPORTED);
    assert_int_equal(codepage_of_charset(S("x-klingon")), CODEPAGE_UTF8);
    assert_int_equal(codepage_of_charset(SLICE_EMPTY), CODEPAGE_ASCII);
}

static void text_goes_to_a_charset_and_comes_back(void **state)
{
    static const struct {
        const char *charset, *text, *bytes;
    } cases[] = {
        {"windows-1252", "caf\xC3\xA9 \xE2\x82\xAC", "caf\xE9 \x80"},
        {"koi8-r", "\xD0\x9F\xD1\x80", "\xF0\xD2"},
        {"utf-8", "\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80"},
        {"shift_jis", "\xE6\x97\xA5", "\x93\xFA"},
        {"windows-1252", "", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf bytes = buf_make(64), text = buf_make(64);

        assert_ok(mime_from_utf8(slice_str(cases[i].charset), slice_str(cases[i].text), &bytes));
        assert_slice(buf_slice(&bytes), cases[i].bytes);
        assert_ok(mime_to_utf8(slice_str(cases[i].charset), buf_slice(&bytes), &text));
        assert_slice(buf_slice(&text), cases[i].text);
        buf_done(&bytes);
        buf_done(&text);
    }
}

static void what_a_charset_lacks_is_substituted_and_a_long_text_goes_in_pieces(void **state)
{
    struct buf text = buf_make(100000), bytes = buf_make(100000);

    (void)state;
    for (int i = 0; i < 5000; i++)
        buf_puts(&text, i % 1000 ? "\xC3\xA9" : "\xF0\x9F\x98\x80");
    assert_ok(mime_from_utf8(S("iso-8859-1"), buf_slice(&text), &bytes));
    assert_int_equal(bytes.len, 5000);
    for (size_t i = 0; i < 5000; i++)
        assert_int_equal(buf_slice(&bytes).ptr[i], i % 1000 ? 0xE9 : '?');
    bytes.max = 100;
    buf_clear(&bytes);
    assert_code(mime_from_utf8(S("iso-8859-1"), buf_slice(&text), &bytes), ERR_TOO_BIG);
    buf_done(&bytes);
    buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_code_page_and_its_charset_name_each_other),
        cmocka_unit_test(text_goes_to_a_charset_and_comes_back),
        cmocka_unit_test(what_a_charset_lacks_is_substituted_and_a_long_text_goes_in_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
