#include "tests/support/test.h"

#include "store/mime/mime.h"

/* "kind header body lines" of every part, one a line: M multipart, R message, L leaf. */
static void describe(const struct mime *mime, struct buf *out)
{
    for (uint32_t i = 0; i < mime->n_parts; i++) {
        const struct mime_part *p = &mime->parts[i];

        buf_printf(out, "%c%u %u+%u %u+%u %u\n", "LMR"[p->kind], p -> parent,
                   (unsigned)p -> header.start, (unsigned)p->header.len, (unsigned)p->body.start,
                   (unsigned)p->body.len, p->lines);
    }
}

static const struct {
    const char *why, *message, *want;
} structures[] = {
    {"an empty message has one empty part", "", "L0 0+0 0+0 0\n"},
    {"no empty line: all is header", "A: b\r\n", "L0 0+6 6+0 0\n"},
    {"a header and a body", "A: b\r\n\r\nx\r\ny\r\n", "L0 0+8 8+6 2\n"},
    {"bare LF, last line without one", "A: b\n\nx\ny", "L0 0+6 6+3 2\n"},
    {"a lone CR ends no line", "A: b\r\r\n\r\nx\ry\r\n", "L0 0+9 9+5 1\n"},
    {"the line end before a boundary is the boundary's",
     "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\nA: b\r\n\r\ntwo\r\n"
     "--b--\r\nepilogue\r\n",
     "M0 0+45 45+47 9\nL0 50+2 52+3 1\nL0 62+8 70+3 1\n"},
    {"bare LF there as well", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n",
     "M0 0+43 43+15 4\nL0 47+1 48+3 1\n"},
    {"an empty body leaves the header its empty line",
     "Content-Type: multipart/mixed; boundary=b\n\n--b\nA: b\n\n--b--\n",
     "M0 0+43 43+16 4\nL0 47+6 53+0 0\n"},
    {"a boundary ends a header", "Content-Type: multipart/mixed; boundary=b\n\n--b\nA: b\n--b--\n",
     "M0 0+43 43+15 3\nL0 47+4 51+0 0\n"},
    {"a part of nothing", "Content-Type: multipart/mixed; boundary=b\n\n--b\n--b--\n",
     "M0 0+43 43+10 2\nL0 46+0 46+0 0\n"},
    {"no boundary: one empty part", "Content-Type: multipart/mixed\n\nbody\n",
     "M0 0+31 31+5 1\nL0 36+0 36+0 0\n"},
    {"the longer of two boundaries that begin alike",
     "Content-Type: multipart/mixed; boundary=b\n\n--b\n"
     "Content-Type: multipart/mixed; boundary=bb\n\n--bb\n\ni\n--bb--\n--b\n\no\n--b--\n",
     "M0 0+43 43+76 11\nM0 47+44 91+14 4\nL1 96+1 97+1 1\nL0 110+1 111+1 1\n"},
    {"an outer boundary closes what was left open",
     "Content-Type: multipart/mixed; boundary=b\n\n--b\n"
     "Content-Type: multipart/mixed; boundary=c\n\n--c\n\ni\n--b--\n",
     "M0 0+43 43+60 7\nM0 47+43 90+6 3\nL1 94+1 95+1 1\n"},
    {"a message in a message", "Content-Type: message/rfc822\n\nA: b\n\nx\ny\n",
     "R0 0+30 30+10 4\nL0 30+6 36+4 2\n"},
    {"parts of a digest are messages",
     "Content-Type: multipart/digest; boundary=b\n\n--b\n\nA: b\n\nx\n--b--\n",
     "M0 0+44 44+19 6\nR0 48+1 49+7 3\nL1 49+6 55+1 1\n"},
};

static void a_message_has_the_parts_that_its_bytes_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof structures / sizeof *structures; i++) {
        struct arena arena = ARENA_INIT;
        struct buf got = buf_make(100000);
        struct mime mime;

        mime_parse(slice_str(structures[i].message), &arena, &mime);
        describe(&mime, &got);
        if (!slice_eq(buf_slice(&got), slice_str(structures[i].want)))
            print_error("%s\n", structures[i].why);
        assert_slice(buf_slice(&got), structures[i].want);
        buf_done(&got);
        arena_done(&arena);
    }
}

static void a_structure_survives_being_stored(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof structures / sizeof *structures; i++) {
        struct arena arena = ARENA_INIT;
        struct buf bytes = buf_make(100000), a = buf_make(100000), b = buf_make(100000);
        struct slice message = slice_str(structures[i].message);
        struct mime mime, back;

        mime_parse(message, &arena, &mime);
        mime_encode(&mime, &bytes);
        assert_ok(mime_decode(buf_slice(&bytes), message.len, &arena, &back));
        describe(&mime, &a);
        describe(&back, &b);
        assert_true(slice_eq(buf_slice(&a), buf_slice(&b)));
        for (uint32_t k = 0; k < mime.n_parts; k++) {
            assert_int_equal(mime.parts[k].first_child, back.parts[k].first_child);
            assert_int_equal(mime.parts[k].next, back.parts[k].next);
        }
        for (size_t cut = 0; cut < bytes.len; cut++)
            assert_code(mime_decode(slice_head(buf_slice(&bytes), cut), message.len, &arena, &back),
                        ERR_CORRUPT);
        if (message.len)
            assert_code(mime_decode(buf_slice(&bytes), message.len - 1, &arena, &back),
                        ERR_CORRUPT);
        buf_done(&bytes);
        buf_done(&a);
        buf_done(&b);
        arena_done(&arena);
    }
}

/* RFC 3501 6.4.5: the example there, a mixed with texts, a message and a mixed in that. */
static const char section_example[] =
    "Content-Type: multipart/mixed; boundary=a\n\n"
    "--a\nContent-Type: text/plain\n\n1\n"
    "--a\nContent-Type: message/rfc822\n\nSubject: two\n\nsimple\n"
    "--a\nContent-Type: message/rfc822\n\nContent-Type: multipart/mixed; boundary=b\n\n"
    "--b\n\n3.1\n--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\n3.2.1\n--c--\n"
    "--b--\n--a--\n";

static void section_numbers_follow_rfc_3501(void **state)
{
    static const struct {
        uint32_t path[4];
        size_t n;
        int part; /* -1: none */
    } cases[] = {
        {{0}, 0, 0},        {{1}, 1, 1},     {{2}, 1, 2},        {{2, 1}, 2, 3},
        {{3}, 1, 4},        {{3, 1}, 2, 6},  {{3, 2}, 2, 7},     {{3, 2, 1}, 3, 8},
        {{1, 1}, 2, -1},    {{4}, 1, -1},    {{0}, 1, -1},       {{2, 2}, 2, -1},
        {{2, 1, 1}, 3, -1}, {{3, 3}, 2, -1}, {{3, 2, 2}, 3, -1}, {{UINT32_MAX}, 1, -1},
    };
    struct arena arena = ARENA_INIT;
    struct mime mime;
    uint32_t at;

    (void)state;
    mime_parse(slice_str(section_example), &arena, &mime);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err e = mime_find(&mime, cases[i].path, cases[i].n, &at);

        assert_code(e, cases[i].part < 0 ? ERR_NOT_FOUND : ERR_NONE);
        if (!failed(e))
            assert_int_equal(at, cases[i].part);
    }
    arena_done(&arena);
}

static void part_1_of_a_simple_message_is_its_body(void **state)
{
    struct arena arena = ARENA_INIT;
    struct mime mime;
    uint32_t at = 7;

    (void)state;
    mime_parse(S("A: b\n\nx"), &arena, &mime);
    assert_ok(mime_find(&mime, (uint32_t[]){1}, 1, &at));
    assert_int_equal(at, 0);
    assert_code(mime_find(&mime, (uint32_t[]){2}, 1, &at), ERR_NOT_FOUND);
    assert_code(mime_find(&mime, (uint32_t[]){1, 1}, 2, &at), ERR_NOT_FOUND);
    mime_parse(S("Content-Type: message/rfc822\n\nA: b\n\nx"), &arena, &mime);
    assert_ok(mime_find(&mime, (uint32_t[]){1}, 1, &at));
    assert_int_equal(at, 0);
    assert_ok(mime_find(&mime, (uint32_t[]){1, 1}, 2, &at));
    assert_int_equal(at, 1);
    arena_done(&arena);
}

/* Deeper than the bound: what is there is a leaf, and the bytes are all accounted for. */
static void depth_is_bounded(void **state)
{
    struct arena arena = ARENA_INIT;
    struct buf b = buf_make(10000000), shown = buf_make(10000000);
    struct mime mime;

    (void)state;
    for (int i = 0; i < 10000; i++)
        buf_printf(&b, "Content-Type: multipart/mixed; boundary=b%05d\n\n--b%05d\n", i, i);
    mime_parse(buf_slice(&b), &arena, &mime);
    assert_true(mime.n_parts <= MIME_MAX_DEPTH + 1);
    assert_int_equal(mime.parts[mime.n_parts - 1].kind, MIME_LEAF);
    mime_put_bodystructure(buf_slice(&b), &mime, 0, true, &shown);
    assert_int_not_equal(slice_find(buf_slice(&shown), S("\"octet-stream\"")), shown.len);
    buf_clear(&b);
    for (int i = 0; i < 10000; i++)
        buf_puts(&b, "Content-Type: message/rfc822\n\n");
    mime_parse(buf_slice(&b), &arena, &mime);
    assert_int_equal(mime.n_parts, MIME_MAX_DEPTH + 1);
    buf_done(&b);
    buf_done(&shown);
    arena_done(&arena);
}

static void the_number_of_parts_is_bounded(void **state)
{
    struct arena arena = ARENA_INIT;
    struct buf b = buf_make(10000000), stored = buf_make(10000000);
    struct mime mime, back;

    (void)state;
    buf_puts(&b, "Content-Type: multipart/mixed; boundary=b\n\n");
    for (int i = 0; i < 2 * MIME_MAX_PARTS; i++)
        buf_puts(&b, "--b\n\nx\n");
    buf_puts(&b, "--b--\n");
    mime_parse(buf_slice(&b), &arena, &mime);
    assert_int_equal(mime.n_parts, MIME_MAX_PARTS);
    mime_encode(&mime, &stored);
    assert_ok(mime_decode(buf_slice(&stored), b.len, &arena, &back));
    buf_done(&b);
    buf_done(&stored);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_has_the_parts_that_its_bytes_say),
        cmocka_unit_test(a_structure_survives_being_stored),
        cmocka_unit_test(section_numbers_follow_rfc_3501),
        cmocka_unit_test(part_1_of_a_simple_message_is_its_body),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(the_number_of_parts_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
