#include "tests/support/test.h"

#include "base/base64.h"

/* RFC 4648 10, and letters 62 and 63. */
static const struct {
    const char *plain, *coded;
} vectors[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xfb\xef\xbe\xff", "++++/w=="},
};

static void known_answers_hold_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        struct buf out = buf_make(64);

        base64_encode(slice_str(vectors[i].plain), &out);
        assert_slice(buf_slice(&out), vectors[i].coded);
        buf_clear(&out);
        assert_true(base64_decode(slice_str(vectors[i].coded), &out));
        assert_slice(buf_slice(&out), vectors[i].plain);
        buf_done(&out);
    }
}

static void every_other_spelling_is_refused_and_leaves_no_bytes(void **state)
{
    static const char *const bad[] = {
        "Z",     "Zg",    "Zg=",        "Zg=A",       "=Zg=",     "====",     "===",      "=",
        "Zh==",  "Zm9=",  "Zm9v\r\n",   "Zm 9",       "Zm9v====", "Zg==Zg==", "Zm9v=Zm9", "Zm-_",
        " Zm9v", "Zm9v ", "Zm9vZg==\n", "Zm\xc3\xa9", "Z===",     "*",        "Zm9v*m9v", "A=AA",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf out = buf_make(64);

        buf_puts(&out, "kept");
        if (base64_decode(slice_str(bad[i]), &out))
            fail_msg("decoded \"%s\"", bad[i]);
        assert_slice(buf_slice(&out), "kept");
        assert_false(out.failed);
        buf_done(&out);
    }
    struct buf out = buf_make(64);
    assert_false(base64_decode(slice_of("Zg=\0", 4), &out));
    buf_done(&out);
}

static void any_bytes_survive_a_round_trip(void **state)
{
    struct rng rng = rng_seeded();
    uint8_t bytes[300];

    (void)state;
    for (int round = 0; round < 2000; round++) {
        size_t len = rng_below(&rng, sizeof bytes + 1);
        struct buf coded = buf_make(1000), plain = buf_make(1000);

        for (size_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)rng_u64(&rng);
        base64_encode(slice_of(bytes, len), &coded);
        assert_true(base64_decode(buf_slice(&coded), &plain));
        assert_true(slice_eq(buf_slice(&plain), slice_of(bytes, len)));
        buf_done(&coded);
        buf_done(&plain);
    }
}

static void a_full_buf_takes_nothing(void **state)
{
    struct buf out = buf_make(5);

    (void)state;
    assert_false(base64_decode(S("Zm9vYmFy"), &out));
    assert_false(out.failed);
    assert_int_equal(out.len, 0);
    base64_encode(S("foob"), &out);
    assert_true(out.failed);
    assert_int_equal(out.len, 0);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers_hold_both_ways),
        cmocka_unit_test(every_other_spelling_is_refused_and_leaves_no_bytes),
        cmocka_unit_test(any_bytes_survive_a_round_trip),
        cmocka_unit_test(a_full_buf_takes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
