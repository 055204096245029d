#include "tests/support/test.h"

#include "base/utf.h"

/* Unicode 3.9, tables 3-8 to 3-11: what one replacement character stands for. */
static const struct {
    const char *bytes, *lossy;
} broken[] = {
    {"plain", "plain"},
    {"\xC3\xA9", "\xC3\xA9"},
    {"\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD"},
    {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41",
     "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\x41"},
    {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
    {"\xF4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
    {"\xF0\x9F\x98", "\xEF\xBF\xBD"},
};

static void malformed_utf8_becomes_one_replacement_for_each_maximal_subpart(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct buf out = buf_make(64);

        utf8_put_lossy(&out, slice_str(broken[i].bytes));
        assert_slice(buf_slice(&out), broken[i].lossy);
        assert_true(slice_is_utf8(buf_slice(&out)));
        buf_done(&out);
    }
}

static void every_code_point_survives_the_way_through_both_forms(void **state)
{
    (void)state;
    for (uint32_t c = 1; c <= 0x10FFFF; c = c == 0xD7FF ? 0xE000 : c + 1) {
        struct buf narrow = buf_make(8), wide = buf_make(8);

        utf8_put(&narrow, c);
        utf16le_from_utf8(buf_slice(&narrow), &wide);
        struct slice text = buf_slice(&wide);
        assert_int_equal(text.len, c < 0x10000 ? 2 : 4);
        assert_int_equal(utf16le_take(&text), c);
        assert_int_equal(text.len, 0);
        text = buf_slice(&narrow);
        assert_int_equal(utf8_take(&text), c);
        buf_done(&narrow);
        buf_done(&wide);
    }
}

static void a_lone_surrogate_and_an_odd_byte_are_replaced(void **state)
{
    static const struct {
        struct slice wide;
        const char *text;
    } cases[] = {
        {{(const uint8_t *)"A\0\x00\xD8", 4}, "A\xEF\xBF\xBD"},
        {{(const uint8_t *)"\x00\xDC"
                           "A\0",
          4},
         "\xEF\xBF\xBD"
         "A"},
        {{(const uint8_t *)"\x00\xD8"
                           "A\0",
          4},
         "\xEF\xBF\xBD"
         "A"},
        {{(const uint8_t *)"A\0B", 3}, "A\xEF\xBF\xBD"},
        {{(const uint8_t *)"\x3D\xD8\x00\xDE", 4}, "\xF0\x9F\x98\x80"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out = buf_make(64);

        utf8_from_utf16le(cases[i].wide, &out);
        assert_slice(buf_slice(&out), cases[i].text);
        buf_done(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_utf8_becomes_one_replacement_for_each_maximal_subpart),
        cmocka_unit_test(every_code_point_survives_the_way_through_both_forms),
        cmocka_unit_test(a_lone_surrogate_and_an_odd_byte_are_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
