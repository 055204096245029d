#include "tests/support/test.h"

#include "protocols/line.h"

/* Feed `text` in pieces and write down what comes: "[line]", "!" for one that was too long. */
static void read_lines(struct slice text, size_t max, size_t piece, struct buf *log)
{
    struct line_reader r;
    struct slice line;
    size_t at = 0;

    line_init(&r, max);
    while (at < text.len) {
        at += line_feed(&r, slice_sub(text, at, piece));
        for (;;) {
            enum line_found found = line_next(&r, &line);

            if (found == LINE_NONE)
                break;
            if (found == LINE_TOO_LONG) {
                buf_putc(log, '!');
                continue;
            }
            buf_putc(log, '[');
            buf_put(log, line);
            buf_putc(log, ']');
            line_wipe(&r, line);
        }
        assert_true(r.in.len <= max + 2);
        line_relax(&r);
    }
    line_done(&r);
}

static void lines_come_out_the_same_however_they_go_in(void **state)
{
    (void)state;
    static const struct {
        const char *text, *lines;
    } cases[] = {
        {"a\r\nbc\r\n", "[a][bc]"},
        {"a\nb\r\n\r\n\n", "[a][b][][]"},
        {"a\r\r\nb\rc\n", "[a\r][b\rc]"},
        {"12345678\r\nx\r\n", "[12345678][x]"},
        {"123456789\r\nx\r\n", "![x]"},
        {"123456789\nx\n", "![x]"},
        {"1234567890123456789012345678901234567890\r\nx\r\n", "![x]"},
        {"12345678901\r\n12345678901\r\n\r\n", "!![]"},
        {" \t\r\n", "[ \t]"},
        {"cut", ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t piece = 1; piece <= strlen(cases[i].text); piece++) {
            struct buf log = buf_make(1000);

            read_lines(slice_str(cases[i].text), 8, piece, &log);
            assert_slice(buf_slice(&log), cases[i].lines);
            buf_done(&log);
        }
}

static void dropping_everything_forgets_a_line_that_was_being_skipped(void **state)
{
    struct line_reader r;
    struct slice line;

    (void)state;
    line_init(&r, 4);
    assert_int_equal(line_feed(&r, S("123456")), 6);
    assert_int_equal(line_next(&r, &line), LINE_NONE);
    line_wipe_all(&r);
    assert_int_equal(line_feed(&r, S("ok\r\n")), 4);
    assert_int_equal(line_next(&r, &line), LINE_READY);
    assert_slice(line, "ok");
    line_done(&r);
}

static void a_wiped_line_is_gone_from_memory(void **state)
{
    struct line_reader r;
    struct slice line;

    (void)state;
    line_init(&r, 100);
    line_feed(&r, S("PASS canary\r\nNOOP\r\n"));
    assert_int_equal(line_next(&r, &line), LINE_READY);
    line_wipe(&r, line);
    assert_int_equal(slice_find(slice_of(r.in.data, r.in.cap), S("canary")), r.in.cap);
    assert_int_equal(line_next(&r, &line), LINE_READY);
    assert_slice(line, "NOOP");
    line_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_out_the_same_however_they_go_in),
        cmocka_unit_test(dropping_everything_forgets_a_line_that_was_being_skipped),
        cmocka_unit_test(a_wiped_line_is_gone_from_memory),
    };

    return cmocka_run_group_tests_name("line", tests, NULL, NULL);
}
