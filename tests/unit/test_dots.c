#include "tests/support/test.h"

#include "protocols/dots.h"

/* ---- going out ---- */

static void send_all(struct slice message, size_t piece, size_t room, struct buf *out)
{
    struct dot_writer w = {0};
    size_t at = 0;

    while (at < message.len) {
        size_t n = dot_put(&w, slice_sub(message, at, piece), out, room);

        assert_true(n > 0);
        at += n;
    }
    dot_end(&w, out);
}

/* As a client does that takes every LF for a line end; false where it meets no end. */
static bool read_by_lf(struct slice wire, struct buf *message, struct slice *rest)
{
    while (wire.len > 0) {
        size_t n = slice_index(wire, '\n') + 1;
        struct slice line = slice_head(wire, n);

        wire = slice_from(wire, n);
        if (slice_eq(line, S(".\r\n")) || slice_eq(line, S(".\n"))) {
            *rest = wire;
            return true;
        }
        buf_put(message, line.ptr[0] == '.' ? slice_from(line, 1) : line);
    }
    return false;
}

/* As a client does that ends lines at CRLF alone. */
static bool read_by_crlf(struct slice wire, struct buf *message, struct slice *rest)
{
    while (wire.len > 0) {
        size_t n = slice_find(wire, S("\r\n")) + 2;
        struct slice line = slice_head(wire, n);

        wire = slice_from(wire, n);
        if (slice_eq(line, S(".\r\n"))) {
            *rest = wire;
            return true;
        }
        buf_put(message, line.ptr[0] == '.' ? slice_from(line, 1) : line);
    }
    return false;
}

static const struct {
    const char *bytes;
    size_t len;
} messages[] = {
#define MESSAGE(text)                                                                              \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
    MESSAGE(""),
    MESSAGE("\r\n"),
    MESSAGE("."),
    MESSAGE(".\r\n"),
    MESSAGE("..\r\n"),
    MESSAGE("Subject: x\r\n\r\nbody\r\n"),
    MESSAGE("no end"),
    MESSAGE("ends in LF\n"),
    MESSAGE("ends in CR\r"),
    MESSAGE("ends in CR LF CR\r\n\r"),
    MESSAGE("a\r\n.\r\nb\r\n"),
    MESSAGE("a\r\n..\r\n...\r\n.b\r\n"),
    MESSAGE("a\0b\r\n\0\r\n.\0\r\n"),
    MESSAGE("lone\rCR\r.\r\n"),
    MESSAGE(".\r\n.\r\n.\r\n.\r\n"),
#undef MESSAGE
};

static void both_kinds_of_reader_get_the_stored_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        struct slice message = slice_of(messages[i].bytes, messages[i].len);
        bool ends = message.len == 0 || slice_ends(message, S("\r\n"));

        for (size_t piece = 1; piece <= message.len + 1; piece++) {
            struct buf wire = buf_make(4096), lf = buf_make(4096), crlf = buf_make(4096);
            struct slice rest;

            send_all(message, piece, 1 + piece % 7, &wire);
            assert_true(read_by_lf(buf_slice(&wire), &lf, &rest));
            assert_int_equal(rest.len, 0);
            assert_true(read_by_crlf(buf_slice(&wire), &crlf, &rest));
            assert_int_equal(rest.len, 0);
            if (!ends) { /* the CRLF that had to be added */
                buf_truncate(&lf, lf.len - 2);
                buf_truncate(&crlf, crlf.len - 2);
            }
            assert_true(slice_eq(buf_slice(&lf), message));
            assert_true(slice_eq(buf_slice(&crlf), message));
            buf_done(&wire);
            buf_done(&lf);
            buf_done(&crlf);
        }
    }
}

/* A reader that met the end too early would take mail for our next answers. */
static void no_reader_meets_the_end_early_whatever_the_message_holds(void **state)
{
    struct rng rng = rng_seeded();
    static const char alphabet[] = "\r\n..\nx";

    (void)state;
    for (int i = 0; i < 20000; i++) {
        uint8_t bytes[40];
        size_t len = rng_below(&rng, sizeof bytes + 1);
        struct buf wire = buf_make(4096), got = buf_make(4096);
        struct slice rest;

        for (size_t k = 0; k < len; k++)
            bytes[k] = (uint8_t)alphabet[rng_below(&rng, sizeof alphabet - 1)];
        struct slice message = slice_of(bytes, len);
        send_all(message, 1 + rng_below(&rng, 40), 1 + rng_below(&rng, 40), &wire);
        assert_true(read_by_crlf(buf_slice(&wire), &got, &rest));
        assert_int_equal(rest.len, 0);
        buf_clear(&got);
        assert_true(read_by_lf(buf_slice(&wire), &got, &rest));
        assert_int_equal(rest.len, 0);
        assert_true(slice_eq(slice_head(buf_slice(&got), len), message));
        assert_true(got.len == len || slice_eq(slice_from(buf_slice(&got), len), S("\r\n")));
        buf_done(&wire);
        buf_done(&got);
    }
}

static void output_keeps_to_its_room_but_for_a_doubled_dot(void **state)
{
    (void)state;
    struct slice dots = S(".\n.\n.\n.\n.\n.\n.\n.\n.\n.\n");

    for (size_t room = 1; room < 30; room++) {
        struct dot_writer w = {0};
        struct buf out = buf_make(100);

        assert_true(dot_put(&w, dots, &out, room) > 0);
        assert_true(out.len <= room + 1);
        buf_done(&out);
    }
}

/* ---- coming in ---- */

/* Feed `wire` in pieces; the content goes to `out`. Returns bytes used, *end if it ended. */
static size_t receive(struct slice wire, size_t piece, struct buf *out, bool *end)
{
    struct dot_reader r = {0};
    size_t used = 0;

    *end = false;
    while (used < wire.len && !*end) {
        struct slice in = slice_sub(wire, used, piece);
        size_t before = in.len;

        while (in.len > 0 && !*end)
            buf_put(out, dot_read(&r, &in, end));
        used += before - in.len;
    }
    return used;
}

static void data_end_at_crlf_dot_crlf_and_nowhere_else(void **state)
{
    (void)state;
    static const struct {
        const char *wire, *content, *rest; /* content NULL: it does not end */
    } cases[] = {
        {".\r\n", "", ""},
        {".\r\nQUIT\r\n", "", "QUIT\r\n"},
        {"a\r\n.\r\nMAIL", "a\r\n", "MAIL"},
        {"..\r\n.\r\n", ".\r\n", ""},
        {".a\r\n..b\r\n.\r\n", "a\r\n.b\r\n", ""},
        {"\r\n\r\n.\r\n", "\r\n\r\n", ""},
        {"a\n.\n\r\n.\r\n", "a\n.\n\r\n", ""},
        {"a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n", ""},
        {"a\r.\rb\r\n.\r\n", "a\r.\rb\r\n", ""},
        {"a\r.\r\nb\r\n.\r\n", "a\r.\r\nb\r\n", ""},
        {"a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n", ""},
        {"a\r\n.\rb\r\n.\r\n", "a\r\n\rb\r\n", ""},
        {"a\r\n.\r\r\n.\r\n", "a\r\n\r\r\n", ""},
        {"a\r\r\n.\r\n", "a\r\r\n", ""},
        {"a\n.\n", NULL, NULL},
        {"a\r.\r", NULL, NULL},
        {"a\r\n.\n", NULL, NULL},
        {"a\r\n.\r", NULL, NULL},
        {"a\n.\r\n", NULL, NULL},
        {"a\r\n..\r\n", NULL, NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice wire = slice_str(cases[i].wire);

        for (size_t piece = 1; piece <= wire.len; piece++) {
            struct buf out = buf_make(1000);
            bool end;
            size_t used = receive(wire, piece, &out, &end);

            assert_int_equal(end, cases[i].content != NULL);
            if (end) {
                assert_slice(buf_slice(&out), cases[i].content);
                assert_slice(slice_from(wire, used), cases[i].rest);
            }
            buf_done(&out);
        }
    }
}

/* What a sender stuffs as RFC 5321 says comes in as it was, in whatever pieces. */
static void stuffed_content_comes_in_as_it_was(void **state)
{
    struct rng rng = rng_seeded();
    static const char alphabet[] = "\r\n..\nx";

    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct buf wire = buf_make(1000), content = buf_make(1000), got = buf_make(1000);
        bool end;

        for (uint32_t n = rng_below(&rng, 40); n > 0; n--)
            buf_putc(&content, (uint8_t)alphabet[rng_below(&rng, sizeof alphabet - 1)]);
        buf_puts(&content, "\r\n");
        for (struct slice left = buf_slice(&content); left.len > 0;) {
            size_t line = slice_find(left, S("\r\n")) + 2;

            if (left.ptr[0] == '.')
                buf_putc(&wire, '.');
            buf_put(&wire, slice_head(left, line));
            left = slice_from(left, line);
        }
        buf_puts(&wire, ".\r\n");
        assert_int_equal(receive(buf_slice(&wire), 1 + rng_below(&rng, 50), &got, &end), wire.len);
        assert_true(end);
        assert_true(slice_eq(buf_slice(&got), buf_slice(&content)));
        buf_done(&wire);
        buf_done(&content);
        buf_done(&got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_kinds_of_reader_get_the_stored_bytes),
        cmocka_unit_test(no_reader_meets_the_end_early_whatever_the_message_holds),
        cmocka_unit_test(output_keeps_to_its_room_but_for_a_doubled_dot),
        cmocka_unit_test(data_end_at_crlf_dot_crlf_and_nowhere_else),
        cmocka_unit_test(stuffed_content_comes_in_as_it_was),
    };

    return cmocka_run_group_tests_name("dots", tests, NULL, NULL);
}
