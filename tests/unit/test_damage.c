/*
 * A damaged file of the store: cut short, or with bits flipped anywhere, LMDB's own pages too. It
 * is refused or its verification says what is wrong; nothing crashes, and what can be read is what
 * was written.
 */
#include "tests/support/damage.h"

enum { FLIPS = 400, PAGE = 4096 };

static int setup(void **state)
{
    struct damage *d = mem_new(sizeof *d);

    damage_init(d);
    *state = d;
    return 0;
}

static int teardown(void **state)
{
    damage_done(*state);
    free(*state);
    return 0;
}

static void an_undamaged_store_is_checked_and_opened(void **state)
{
    struct damage *d = *state;

    assert_int_equal(damage_try(d, d->file, d->len, false), DAMAGE_HARMLESS);
    assert_int_equal(damage_try(d, d->file, d->len, true), DAMAGE_HARMLESS);
}

static void a_file_cut_short_anywhere_is_refused(void **state)
{
    struct damage *d = *state;
    unsigned refused = 0;

    for (size_t len = 0; len < d->len; len += 5 * PAGE + 1000) {
        enum damage_end end = damage_try(d, d->file, len, false);

        /* What is behind the last page in use may go. */
        assert_true(end == DAMAGE_REFUSED || (end == DAMAGE_HARMLESS && len > d->len / 2));
        refused += end == DAMAGE_REFUSED;
    }
    assert_true(refused > 10);
}

static void a_bit_flipped_anywhere_is_refused_or_named(void **state)
{
    struct damage *d = *state;
    struct rng rng = rng_seeded();
    unsigned ends[5] = {0};

    for (int i = 0; i < FLIPS; i++) {
        /* Heads of pages and their directories are a small part of the bytes. */
        size_t page = rng_below(&rng, (uint32_t)(d->len / PAGE)) * PAGE;
        size_t at = page + rng_below(&rng, i % 2 ? 64 : PAGE);
        uint8_t bit = (uint8_t)(1u << rng_below(&rng, 8));

        d->file[at] ^= bit;
        enum damage_end end = damage_try(d, d->file, d->len, true);
        d->file[at] ^= bit;
        if (end == DAMAGE_READ || end == DAMAGE_UNSEEN)
            fail_msg("bit %02x of byte %zu of page %zu: end %d", bit, at % PAGE, at / PAGE, end);
        ends[end]++;
    }
    assert_true(ends[DAMAGE_REFUSED] > FLIPS / 20 && ends[DAMAGE_FOUND] > FLIPS / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_undamaged_store_is_checked_and_opened),
        cmocka_unit_test(a_file_cut_short_anywhere_is_refused),
        cmocka_unit_test(a_bit_flipped_anywhere_is_refused_or_named),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
