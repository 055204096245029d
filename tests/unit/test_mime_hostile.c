/*
 * What is built to take long. No time is measured: something quadratic would run into the time
 * limit of the test itself by orders of magnitude.
 */
#include "tests/support/test.h"

#include "store/mime/mime.h"
#include "tests/support/imap_grammar.h"

enum { MANY = 200000 };

/* All that a delivery does, with the results judged. */
static void deliver(struct slice message)
{
    struct arena arena = ARENA_INIT;
    struct buf out = buf_make(SIZE_MAX / 2);
    struct mime mime, back;
    const char *why;
    size_t at;

    mime_parse(message, &arena, &mime);
    mime_encode(&mime, &out);
    assert_ok(mime_decode(buf_slice(&out), message.len, &arena, &back));
    buf_clear(&out);
    mime_put_envelope(slice_sub(message, 0, mime.parts[0].header.len), &out);
    assert_true(imap_is_envelope(buf_slice(&out), &why, &at));
    buf_clear(&out);
    mime_put_bodystructure(message, &mime, 0, true, &out);
    assert_true(imap_is_body(buf_slice(&out), true, &why, &at));
    buf_done(&out);
    arena_done(&arena);
}

static struct buf repeat(const char *first, const char *again, size_t times)
{
    struct buf b = buf_make(SIZE_MAX / 2);

    buf_puts(&b, first);
    for (size_t i = 0; i < times; i++)
        buf_puts(&b, again);
    return b;
}

static void headers_without_end_cost_their_length(void **state)
{
    static const char *const cases[][2] = {
        {"To: ", "a@b, "},
        {"To: ", "\"x\" "},
        {"To: ", "a "},
        {"To: ", "<"},
        {"To: ", "("},
        {"To: ", "g:"},
        {"To: ", "<@a,"},
        {"To: ", "a@b <"},
        {"To: ", "\\\""},
        {"To: ", "a\r\n "},
        {"To: a@b\n", "To: a@b\n"},
        {"", "Subject: x\n"},
        {"", "x\n"},
        {"Subject: x", "\n "},
        {"Subject: ", "=?"},
        {"Subject: ", "=?a?q?"},
        {"Subject: ", "=?utf-8?q?a?= "},
        {"Subject: ", "[a]"},
        {"Subject: ", "[fwd:"},
        {"Subject: ", "re:"},
        {"Content-Type: text/plain", "; a=b"},
        {"Content-Type: text/plain", "; a*1=b"},
        {"Content-Type: text/plain; a=", "\"b\" "},
        {"Content-Type: text/plain; ", "a "},
        {"Content-Type: text/plain; ", "\""},
        {"Content-Type: text", " / / "},
        {"Content-Language: ", "(,"},
        {"Date: ", "1 "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = repeat(cases[i][0], cases[i][1], MANY);
        struct arena arena = ARENA_INIT;
        struct slice header = buf_slice(&b), value = slice_from(header, slice_index(header, ' '));
        struct mime_address *list;
        struct mime_token_params params;
        struct mime_field field;
        int64_t seconds;
        size_t n;
        int zone;
        bool is_reply;

        deliver(header);
        while (mime_next_field(&header, &field))
            ;
        mime_addresses(value, &arena, &list, &n);
        assert_true(n <= MIME_MAX_ADDRESSES);
        mime_parse_params(value, &arena, &params);
        assert_true(params.n_params <= MIME_MAX_PARAMS);
        mime_base_subject(mime_text(value, &arena), &arena, &is_reply);
        mime_date(value, &seconds, &zone);
        arena_done(&arena);
        buf_done(&b);
    }
}

/* Names that differ in their last byte only, as long as a header may be. */
static void names_of_parameters_are_not_compared_without_bound(void **state)
{
    struct buf b = buf_make(SIZE_MAX / 2), name = repeat("; ", "x", 70000);

    (void)state;
    buf_puts(&b, "Content-Type: text/plain");
    for (int i = 0; i < MIME_MAX_PARAMS; i++) {
        buf_put(&b, buf_slice(&name));
        buf_printf(&b, "%03d*0=a", i);
    }
    deliver(buf_slice(&b));
    buf_done(&b);
    buf_done(&name);
}

static void a_header_of_100_megabytes_is_one_leaf(void **state)
{
    struct buf b = repeat("From: a@b\nContent-Type: text/plain\n", "X: 1234567890123456789\n",
                          100 * 1024 * 1024 / 23);

    (void)state;
    deliver(buf_slice(&b));
    buf_done(&b);
}

/* Each open boundary begins like the line, and none but the last is it. */
static void lines_are_not_held_against_each_open_boundary_in_turn(void **state)
{
    struct buf b = buf_make(SIZE_MAX / 2), line = repeat("--", "x", 5000);

    (void)state;
    for (int depth = 0; depth < MIME_MAX_DEPTH; depth++) {
        buf_puts(&b, "Content-Type: multipart/mixed; boundary=");
        buf_put(&b, slice_sub(buf_slice(&line), 2, 4000));
        buf_printf(&b, "%03d\n\n", depth);
        buf_put(&b, slice_head(buf_slice(&line), 4002));
        buf_printf(&b, "%03d\n", depth);
    }
    for (int i = 0; i < 20000; i++) {
        buf_put(&b, buf_slice(&line));
        buf_putc(&b, '\n');
    }
    deliver(buf_slice(&b));
    buf_done(&b);
    buf_done(&line);
}

static void parts_without_end_cost_their_length(void **state)
{
    static const char *const cases[][2] = {
        {"Content-Type: multipart/mixed; boundary=b\n\n", "--b\n"},
        {"Content-Type: multipart/mixed; boundary=b\n\n", "--b\n\n"},
        {"Content-Type: multipart/digest; boundary=b\n\n", "--b\n\n"},
        {"Content-Type: multipart/mixed; boundary=b\n\n",
         "--b\nContent-Type: multipart/mixed; boundary=b\n\n"},
        {"Content-Type: multipart/mixed; boundary=b\n\n", "--b\nContent-Type: message/rfc822\n\n"},
        {"Content-Type: multipart/mixed; boundary=b\n\n", "--b--\n"},
        {"", "Content-Type: message/rfc822\n\n"},
        {"", "\n"},
        {"", "--"},
        {"", "\r"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = repeat(cases[i][0], cases[i][1], 200000);

        deliver(buf_slice(&b));
        buf_done(&b);
    }
}

/* Text and needle made for each other: every place matches nearly to the end. */
static void a_needle_that_nearly_matches_everywhere_costs_no_more(void **state)
{
    struct buf text = repeat("\n", "a", 20 * MANY), needle = repeat("", "a", 50000);
    struct arena arena = ARENA_INIT;
    struct mime mime;

    (void)state;
    buf_puts(&needle, "b");
    mime_parse(buf_slice(&text), &arena, &mime);
    for (int i = 0; i < 2; i++) {
        struct mime_search_key *key = mime_search_key_new(buf_slice(&needle));

        assert_false(mime_search_message(key, buf_slice(&text), &mime, true));
        mime_search_key_free(key);
        buf_puts(&needle, "\xC3\xA4"); /* once more, the folded way */
    }
    buf_done(&text);
    buf_done(&needle);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_without_end_cost_their_length),
        cmocka_unit_test(names_of_parameters_are_not_compared_without_bound),
        cmocka_unit_test(a_header_of_100_megabytes_is_one_leaf),
        cmocka_unit_test(lines_are_not_held_against_each_open_boundary_in_turn),
        cmocka_unit_test(parts_without_end_cost_their_length),
        cmocka_unit_test(a_needle_that_nearly_matches_everywhere_costs_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
