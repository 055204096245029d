#include "tests/support/test.h"

#include "protocols/mapi/frame.h"
#include "protocols/mapi/lz77.h"
#include "protocols/mapi/wire.h"

#define BYTES(literal) slice_of(literal, sizeof(literal) - 1)

/* ---- fields ---- */

static void what_is_not_there_reads_as_zero_and_sticks(void **state)
{
    struct arena arena = ARENA_INIT;
    struct wire w = wire_of(BYTES("\x01\x02\x03\x04\x05"), &arena);

    (void)state;
    assert_int_equal(wire_u16(&w), 0x0201);
    assert_int_equal(wire_u32(&w), 0);
    assert_true(w.failed);
    assert_int_equal(wire_u8(&w), 0);
    assert_int_equal(wire_bytes(&w, 0).len, 0);
    assert_true(w.failed);
    arena_done(&arena);
}

static void a_count_asks_for_no_more_than_came_with_it(void **state)
{
    struct arena arena = ARENA_INIT;
    struct wire w = wire_of(BYTES("12345678"), &arena);

    (void)state;
    assert_int_equal(wire_count(&w, 2, 4), 2);
    assert_false(w.failed);
    assert_int_equal(wire_count(&w, 3, 4), 0);
    assert_true(w.failed);
    arena_done(&arena);
}

static void texts_end_at_their_nul_and_need_one(void **state)
{
    struct arena arena = ARENA_INIT;
    struct wire w = wire_of(BYTES("ab\0h\0\xE9\0\0\0x"), &arena);

    (void)state;
    assert_slice(wire_asz(&w), "ab");
    assert_slice(wire_usz(&w), "h\xC3\xA9");
    assert_false(w.failed);
    assert_slice(wire_asz(&w), "x");
    assert_true(w.failed);
    w = wire_of(BYTES("h\0i\0"), &arena);
    (void)wire_usz(&w);
    assert_true(w.failed);
    w = wire_of(BYTES("h\0\0"), &arena);
    (void)wire_usz(&w);
    assert_true(w.failed);
    arena_done(&arena);
}

static void what_is_written_reads_back(void **state)
{
    struct arena arena = ARENA_INIT;
    struct buf out = buf_make(256);

    (void)state;
    wire_put_u8(&out, 0xFE);
    wire_put_u16(&out, 0xBABE);
    wire_put_u32(&out, 0xDEADBEEF);
    wire_put_u64(&out, 0x0123456789ABCDEF);
    wire_put_asz(&out, BYTES("cut\0here"));
    wire_put_usz(&out, S("\xF0\x9F\x98\x80"));
    wire_patch_u16(&out, 1, 0x1234);
    struct wire w = wire_of(buf_slice(&out), &arena);
    assert_int_equal(wire_u8(&w), 0xFE);
    assert_int_equal(wire_u16(&w), 0x1234);
    assert_int_equal(wire_u32(&w), 0xDEADBEEF);
    assert_true(wire_u64(&w) == 0x0123456789ABCDEF);
    assert_slice(wire_asz(&w), "cut");
    assert_slice(wire_usz(&w), "\xF0\x9F\x98\x80");
    assert_false(w.failed);
    assert_int_equal(w.rest.len, 0);
    buf_done(&out);
    arena_done(&arena);
}

/* ---- LZ77 ---- */

/* [MS-XCA] 3.1 gives the first two; the others are made by hand from [MS-OXCRPC] 3.1.4.1.1.2. */
static void known_buffers_decompress(void **state)
{
    uint8_t out[400];
    char abc[301];

    (void)state;
    for (int i = 0; i < 300; i++)
        abc[i] = "abc"[i % 3];
    assert_true(lz77_decompress(BYTES("\x3f\x00\x00\x00"
                                      "abcdefghijklmnopqrstuvwxyz"),
                                out, 26));
    assert_memory_equal(out, "abcdefghijklmnopqrstuvwxyz", 26);
    assert_true(lz77_decompress(BYTES("\xff\xff\xff\x1f"
                                      "abc\x17\x00\x0f\xff\x26\x01"),
                                out, 300));
    assert_memory_equal(out, abc, 300);
    assert_true(lz77_decompress(BYTES("\xff\xff\xff\xff"), out, 0));
}

/* "x", then matches at distance 1 of the lengths at each edge of the encoding. */
static const struct {
    struct slice packed;
    size_t len;
} runs[] = {
    {{(const uint8_t *)"\xff\xff\xff\x7fx\x00\x00", 7}, 1 + 3},
    {{(const uint8_t *)"\xff\xff\xff\x7fx\x06\x00", 7}, 1 + 9},
    {{(const uint8_t *)"\xff\xff\xff\x7fx\x07\x00\x0e", 8}, 1 + 24},
    {{(const uint8_t *)"\xff\xff\xff\x7fx\x07\x00\x0f\x00", 9}, 1 + 25},
    {{(const uint8_t *)"\xff\xff\xff\x7fx\x07\x00\x0f\xfe", 9}, 1 + 279},
    {{(const uint8_t *)"\xff\xff\xff\x7fx\x07\x00\x0f\xff\x15\x01", 11}, 1 + 280},
    /* two long matches share the byte of nibbles: 10 + 24, the second's nibble is the high half */
    {{(const uint8_t *)"\xff\xff\xff\x7fx\x07\x00\xe0\x07\x00", 10}, 1 + 10 + 24},
};

static void lengths_at_every_edge_decompress(void **state)
{
    uint8_t out[400];

    (void)state;
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        memset(out, 0, sizeof out);
        assert_true(lz77_decompress(runs[i].packed, out, runs[i].len));
        for (size_t at = 0; at < runs[i].len; at++)
            assert_int_equal(out[at], 'x');
    }
}

static void what_is_cut_short_or_gives_another_length_is_refused(void **state)
{
    uint8_t out[400];

    (void)state;
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        assert_false(lz77_decompress(runs[i].packed, out, runs[i].len - 1));
        assert_false(lz77_decompress(runs[i].packed, out, runs[i].len + 1));
        for (size_t n = 0; n < runs[i].packed.len; n++)
            assert_false(lz77_decompress(slice_head(runs[i].packed, n), out, runs[i].len));
    }
    /* a match before the beginning; a length that is less than its steps */
    assert_false(lz77_decompress(BYTES("\xff\xff\xff\x7fx\x08\x00"), out, 4));
    assert_false(lz77_decompress(BYTES("\xff\xff\xff\x7fx\x07\x00\x0f\xff\x15\x00"), out, 25));
}

/* ---- frames ---- */

static void a_frame_is_unmasked_and_then_decompressed(void **state)
{
    struct arena arena = ARENA_INIT;
    uint8_t masked[] = "\x00\x00\x07\x00\x07\x00\x04\x00\xff\xff\xff\x7fx\x00\x00";
    struct slice payload;

    (void)state;
    for (size_t i = 8; i < 15; i++)
        masked[i] ^= 0xA5;
    assert_ok(frame_read(slice_of(masked, 15), &arena, &payload));
    assert_slice(payload, "xxxx");
    arena_done(&arena);
}

static void a_frame_that_does_not_fit_is_refused(void **state)
{
    static const struct slice bad[] = {
        {(const uint8_t *)"", 0},
        {(const uint8_t *)"\0\0\4\0\2\0\2\0a", 9},    /* truncated */
        {(const uint8_t *)"\0\0\4\0\2\0\2\0abc", 11}, /* more behind it */
        {(const uint8_t *)"\0\0\0\0\2\0\2\0ab", 10},  /* not the last */
        {(const uint8_t *)"\1\0\4\0\2\0\2\0ab", 10},  /* another version */
        {(const uint8_t *)"\0\0\4\0\2\0\3\0ab", 10},  /* two sizes */
        {(const uint8_t *)"\0\0\5\0\2\0\xff\xff"
                          "ab",
         10}, /* a bomb */
    };
    struct arena arena = ARENA_INIT;
    struct slice payload;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_code(frame_read(bad[i], &arena, &payload), ERR_SYNTAX);
    arena_done(&arena);
}

static void a_frame_that_we_write_reads_back(void **state)
{
    struct arena arena = ARENA_INIT;
    struct buf out = buf_make(64);
    struct slice payload;

    (void)state;
    frame_put(&out, S("payload"));
    assert_memory_equal(buf_slice(&out).ptr, "\0\0\4\0\7\0\7\0payload", 15);
    assert_ok(frame_read(buf_slice(&out), &arena, &payload));
    assert_slice(payload, "payload");
    buf_done(&out);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_there_reads_as_zero_and_sticks),
        cmocka_unit_test(a_count_asks_for_no_more_than_came_with_it),
        cmocka_unit_test(texts_end_at_their_nul_and_need_one),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(known_buffers_decompress),
        cmocka_unit_test(lengths_at_every_edge_decompress),
        cmocka_unit_test(what_is_cut_short_or_gives_another_length_is_refused),
        cmocka_unit_test(a_frame_is_unmasked_and_then_decompressed),
        cmocka_unit_test(a_frame_that_does_not_fit_is_refused),
        cmocka_unit_test(a_frame_that_we_write_reads_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
