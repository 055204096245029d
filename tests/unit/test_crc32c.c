#include "tests/support/test.h"

#include "base/crc32c.h"

/* RFC 3720 B.4, and the check value of the catalogues. */
static void sums_are_those_of_the_rfc(void **state)
{
    uint8_t bytes[32];
    (void)state;

    assert_int_equal(crc32c(0, S("123456789")), 0xE3069283u);
    assert_int_equal(crc32c(0, SLICE_EMPTY), 0);
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(crc32c(0, slice_of(bytes, 32)), 0x8A9136AAu);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(crc32c(0, slice_of(bytes, 32)), 0x62A8AB43u);
    for (int i = 0; i < 32; i++)
        bytes[i] = (uint8_t)i;
    assert_int_equal(crc32c(0, slice_of(bytes, 32)), 0x46DD794Eu);
}

static void every_way_and_every_split_give_the_same_sum(void **state)
{
    struct rng rng = rng_seeded();
    uint8_t bytes[300];
    (void)state;

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)rng_u64(&rng);
    for (size_t from = 0; from < 9; from++) {
        struct slice all = slice_from(slice_of(bytes, sizeof bytes), from);
        uint32_t want = crc32c_portable(0, all);

        for (size_t cut = 0; cut <= all.len; cut++)
            assert_int_equal(crc32c(crc32c(0, slice_head(all, cut)), slice_from(all, cut)), want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_those_of_the_rfc),
        cmocka_unit_test(every_way_and_every_split_give_the_same_sum),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
