/* test_rtf.c - rich text and HTML as bodies ([MS-OXRTFCP], [MS-OXRTFEX]). */
#include "store/mapi/html.h"
#include "store/mapi/rtf.h"
#include "tests/support/test.h"

/* ---- the container ---- */

/* [MS-OXRTFCP] 4.1.1, 4.1.2 */
static void examples_of_the_specification(void **state)
{
    static const uint8_t hello[] = {0x2d, 0x00, 0x00, 0x00, 0x2b, 0x00, 0x00, 0x00, 0x4c, 0x5a,
                                    0x46, 0x75, 0xf1, 0xc5, 0xc7, 0xa7, 0x03, 0x00, 0x0a, 0x00,
                                    0x72, 0x63, 0x70, 0x67, 0x31, 0x32, 0x35, 0x42, 0x32, 0x0a,
                                    0xf3, 0x20, 0x68, 0x65, 0x6c, 0x09, 0x00, 0x20, 0x62, 0x77,
                                    0x05, 0xb0, 0x6c, 0x64, 0x7d, 0x0a, 0x80, 0x0f, 0xa0};
    static const uint8_t across[] = {0x1a, 0x00, 0x00, 0x00, 0x1c, 0x00, 0x00, 0x00, 0x4c, 0x5a,
                                     0x46, 0x75, 0xe2, 0xd4, 0x4b, 0x51, 0x41, 0x00, 0x04, 0x20,
                                     0x57, 0x58, 0x59, 0x5a, 0x0d, 0x6e, 0x7d, 0x01, 0x0e, 0xb0};
    struct buf out = buf_make(1000);

    (void)state;
    assert_ok(rtf_decompress(slice_of(hello, sizeof hello), &out));
    assert_slice(buf_slice(&out), "{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n");
    buf_clear(&out);
    assert_ok(rtf_decompress(slice_of(across, sizeof across), &out));
    assert_slice(buf_slice(&out), "{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}");
    buf_done(&out);
}

static void what_is_damaged_is_refused(void **state)
{
    uint8_t bytes[] = {0x1a, 0x00, 0x00, 0x00, 0x1c, 0x00, 0x00, 0x00, 0x4c, 0x5a,
                       0x46, 0x75, 0xe2, 0xd4, 0x4b, 0x51, 0x41, 0x00, 0x04, 0x20,
                       0x57, 0x58, 0x59, 0x5a, 0x0d, 0x6e, 0x7d, 0x01, 0x0e, 0xb0};
    struct buf out = buf_make(1000), small = buf_make(5);

    (void)state;
    assert_code(rtf_decompress(slice_of(bytes, sizeof bytes), &small), ERR_TOO_BIG);
    for (size_t n = 0; n < sizeof bytes; n++)
        assert_code(rtf_decompress(slice_of(bytes, n), &out), ERR_CORRUPT);
    bytes[20] ^= 1; /* the CRC tells */
    assert_code(rtf_decompress(slice_of(bytes, sizeof bytes), &out), ERR_CORRUPT);
    bytes[20] ^= 1;
    bytes[8] ^= 1; /* no container that there is */
    assert_code(rtf_decompress(slice_of(bytes, sizeof bytes), &out), ERR_CORRUPT);
    buf_done(&out);
    buf_done(&small);
}

static void what_was_wrapped_is_unwrapped(void **state)
{
    struct buf wrapped = buf_make(1000), out = buf_make(1000);
    static const uint8_t head[] = {0x13, 0, 0, 0, 7, 0, 0, 0, 'M', 'E', 'L', 'A', 0, 0, 0, 0};

    (void)state;
    rtf_wrap(S("{\\rtf1}"), &wrapped);
    assert_memory_equal(buf_slice(&wrapped).ptr, head, sizeof head);
    assert_ok(rtf_decompress(buf_slice(&wrapped), &out));
    assert_slice(buf_slice(&out), "{\\rtf1}");
    buf_done(&wrapped);
    buf_done(&out);
}

/* ---- what is in it ---- */

static void texts_are_read(void **state)
{
    static const struct {
        const char *rtf, *text;
    } rows[] = {
        {"{\\rtf1\\ansi hello\\par world}", "hello\r\nworld"},
        {"{\\rtf1\\ansi\\ansicpg1251 \\'cf\\'f0\\'e8}", "\u041F\u0440\u0438"},
        {"{\\rtf1\\uc1\\u8364?\\u-10179?\\u-8704?.}", "\u20AC\U0001F600."},
        {"{\\rtf1\\uc2\\u8364 ab.}", "\u20AC."},
        {"{\\rtf1{\\fonttbl{\\f0\\fcharset0 Arial;}{\\f1\\fcharset128 Gothic;}}\\f1 \\'82\\'a0"
         "\\f0 \\'e9}",
         "\u3042\u00E9"},
        {"{\\rtf1{\\*\\generator Some program;}{\\info{\\title not this}}seen}", "seen"},
        {"{\\rtf1{\\pict\\wmetafile8 0102}a\\{b\\}\\\\c}", "a{b}\\c"},
        {"{\\rtf1 a\\bin3 }{}b\\tab c\\lquote d\\rquote\\~e}", "ab\tc\u2018d\u2019\u00A0e"},
        {"{\\rtf1 never closed", "never closed"},
        {"{\\rtf1 }}}} closed too often}", " closed too often"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out = buf_make(1000);

        assert_ok(rtf_to_text(slice_str(rows[i].rtf), &out));
        assert_slice(buf_slice(&out), rows[i].text);
        buf_done(&out);
    }
}

/* [MS-OXRTFEX] 2.1.3, and the example of 4 in short. */
static void html_is_taken_out_of_rtf(void **state)
{
    struct slice rtf = S("{\\rtf1\\ANSI\\ansicpg1251\\fromhtml1 \\deff0\r\n"
                         "{\\fonttbl {\\f0\\fmodern Courier New;}{\\f1\\fswiss Arial;}}\r\n"
                         "{\\colortbl\\red0\\green0\\blue0;\\red0\\green0\\blue255;}\r\n"
                         "{\\*\\htmltag64}\r\n"
                         "\\uc1\\pard\\plain\\deftab360 \\f0\\fs24\r\n"
                         "{\\*\\htmltag <HTML><body>}\\htmlrtf \\lang1049 \\htmlrtf0\r\n"
                         "{\\*\\htmltag84 &lt;}\\htmlrtf <\\htmlrtf0 \\'cf\\'f0\r\n"
                         "{\\*\\htmltag <br>\\par }\\htmlrtf \\line \\htmlrtf0 "
                         "{\\*\\mhtmltag <img src=\"a\">}{\\*\\htmltag <img src=\"b\\{\\}\">}"
                         "{\\htmlrtf unseen}seen\\tab\\u8364?"
                         "{\\*\\htmltag </body></HTML>}}");
    struct buf out = buf_make(1000);

    (void)state;
    assert_true(rtf_is_html(rtf));
    assert_ok(rtf_to_html(rtf, &out));
    assert_slice(buf_slice(&out), "<HTML><body>&lt;\u041F\u0440<br>\r\n<img src=\"b{}\">"
                                  "seen\t\u20AC</body></HTML>");
    buf_clear(&out);
    assert_ok(rtf_to_text(rtf, &out));
    assert_slice(buf_slice(&out), "<\u041F\u0440\r\nseen \u20AC\r\n");
    assert_code(rtf_to_html(S("{\\rtf1 text}"), &out), ERR_NOT_FOUND);
    assert_code(rtf_to_text(S("no RTF"), &out), ERR_CORRUPT);
    buf_done(&out);
}

static void groups_without_end_are_refused(void **state)
{
    struct buf rtf = buf_make(100000), out = buf_make(1000);

    (void)state;
    buf_puts(&rtf, "{\\rtf1");
    for (int i = 0; i < 50000; i++)
        buf_putc(&rtf, '{');
    assert_code(rtf_to_text(buf_slice(&rtf), &out), ERR_CORRUPT);
    buf_done(&rtf);
    buf_done(&out);
}

static void what_is_made_comes_back(void **state)
{
    static const char *const pages[] = {
        "<html><body><p class=\"a{b}\\c\">Gr\u00FC\u00DFe &amp; K\u00FCsse</p>\r\n"
        "<br>&euro; \U0001F600 a\\b{c}</body></html>\r\n",
        "<style>p { color: red }</style><!-- {not} seen --><p>x",
        "a < b & c > d &unknown; <",
    };
    struct buf rtf = buf_make(10000), out = buf_make(10000);
    struct slice text = S("Gr\u00FC\u00DFe,\r\n\ta {b} \\c \U0001F600\r\n");

    (void)state;
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        buf_clear(&rtf);
        buf_clear(&out);
        rtf_of_html(slice_str(pages[i]), &rtf);
        assert_true(slice_is_ascii(buf_slice(&rtf)));
        assert_ok(rtf_to_html(buf_slice(&rtf), &out));
        assert_slice(buf_slice(&out), pages[i]);
    }
    buf_clear(&rtf);
    buf_clear(&out);
    rtf_of_text(text, &rtf);
    assert_ok(rtf_to_text(buf_slice(&rtf), &out));
    assert_true(slice_eq(buf_slice(&out), text));
    buf_done(&rtf);
    buf_done(&out);
}

/* ---- HTML ---- */

static void html_is_read_as_people_do(void **state)
{
    static const struct {
        const char *html, *text;
    } rows[] = {
        {"<html><head><title>no</title><style>p{}</style></head><body><p>Hi  there,\r\n you</p>"
         "<p>bye</p></body></html>",
         "Hi there, you\r\n\r\nbye\r\n"},
        {"a<br>b<br><br>c", "a\r\nb\r\n\r\nc\r\n"},
        {"<div>a</div><div>b</div>", "a\r\nb\r\n"},
        {"<ul><li>one<li>two</ul>", "* one\r\n* two\r\n"},
        {"<pre>a\n  b</pre>", "a\r\n  b\r\n"},
        {"x &lt;y&gt; &#8364;&#x20ac; &nbsp;&bogus; & z", "x <y> \u20AC\u20AC  &bogus; & z\r\n"},
        {"<script>if (a < b) x()</script>seen<!-- not -- this -->", "seen\r\n"},
        {"<img alt=\"a > b\">after", "after\r\n"},
        {"<p", ""},
        {"<!-- never closed", ""},
        {"<script>never closed", ""},
        {"1 < 2", "1 < 2\r\n"},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out = buf_make(1000);

        html_to_text(slice_str(rows[i].html), &out);
        assert_slice(buf_slice(&out), rows[i].text);
        buf_done(&out);
    }
}

static void text_is_made_a_page_in_ascii(void **state)
{
    struct buf out = buf_make(1000), back = buf_make(1000);

    (void)state;
    html_of_text(S("a <b> & \u20AC\r\n  two\r\n"), &out);
    assert_slice(buf_slice(&out), "<html><head></head><body>\r\n"
                                  "a &lt;b&gt; &amp; &#8364;<br>\r\n&nbsp;&nbsp;two<br>\r\n"
                                  "\r\n</body></html>\r\n");
    html_to_text(buf_slice(&out), &back);
    assert_slice(buf_slice(&back), "a <b> & \u20AC\r\n  two\r\n");
    buf_done(&out);
    buf_done(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_of_the_specification),
        cmocka_unit_test(what_is_damaged_is_refused),
        cmocka_unit_test(what_was_wrapped_is_unwrapped),
        cmocka_unit_test(texts_are_read),
        cmocka_unit_test(html_is_taken_out_of_rtf),
        cmocka_unit_test(groups_without_end_are_refused),
        cmocka_unit_test(what_is_made_comes_back),
        cmocka_unit_test(html_is_read_as_people_do),
        cmocka_unit_test(text_is_made_a_page_in_ascii),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
