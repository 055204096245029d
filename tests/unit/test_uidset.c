#include "tests/support/test.h"

#include "store/uidset.h"

/* The model: one bit per UID of a small world, shifted so that both ends of the range are met. */
enum { WORLD = 300 };

struct model {
    bool has[WORLD];
};

static uint32_t base_uid;

static void check_form(const struct uidset *set)
{
    for (size_t i = 0; i < set->n; i++) {
        assert_true(set->runs[i].first <= set->runs[i].last);
        if (i)
            assert_true((uint64_t)set->runs[i - 1].last + 1 < set->runs[i].first);
    }
}

static void check_same(const struct uidset *set, const struct model *model)
{
    uint64_t count = 0;

    check_form(set);
    for (uint32_t i = 0; i < WORLD; i++) {
        assert_int_equal(uidset_has(set, base_uid + i), model->has[i]);
        count += model->has[i];
    }
    assert_int_equal(uidset_count(set), count);
    for (uint32_t i = 0; i < WORLD; i++) {
        uint32_t next = 0, want = i;

        while (want < WORLD && !model->has[want])
            want++;
        assert_int_equal(uidset_next(set, base_uid + i, &next), want < WORLD);
        if (want < WORLD)
            assert_int_equal(next, base_uid + want);
    }
}

static void random_range(struct rng *rng, uint32_t *first, uint32_t *last)
{
    *first = rng_below(rng, WORLD);
    *last = *first + rng_below(rng, rng_below(rng, 10) ? 8 : 100);
    if (*last >= WORLD)
        *last = WORLD - 1;
}

static void change(struct rng *rng, struct uidset *set, struct model *model)
{
    uint32_t first, last;
    bool add = rng_below(rng, 2);

    random_range(rng, &first, &last);
    if (add)
        uidset_add(set, base_uid + first, base_uid + last);
    else
        uidset_remove(set, base_uid + first, base_uid + last);
    for (uint32_t i = first; i <= last; i++)
        model->has[i] = add;
}

static void adding_and_removing_agrees_with_a_bitmap(void **state)
{
    struct rng rng = rng_seeded();
    const uint32_t bases[] = {0, 1, 5000, UINT32_MAX - WORLD + 1};

    (void)state;
    for (size_t b = 0; b < 4; b++) {
        struct uidset set = UIDSET_EMPTY;
        struct model model = {0};

        base_uid = bases[b];
        for (int i = 0; i < 600; i++) {
            change(&rng, &set, &model);
            check_same(&set, &model);
        }
        uidset_done(&set);
    }
}

static void arithmetic_agrees_with_a_bitmap(void **state)
{
    struct rng rng = rng_seeded();
    struct uidset out = UIDSET_EMPTY;

    (void)state;
    for (int round = 0; round < 600; round++) {
        struct uidset a = UIDSET_EMPTY, b = UIDSET_EMPTY;
        struct model ma = {0}, mb = {0}, both = {0}, less = {0};

        base_uid = round % 2 ? UINT32_MAX - WORLD + 1 : 0;
        for (uint32_t i = rng_below(&rng, 20); i > 0; i--) {
            change(&rng, &a, &ma);
            change(&rng, &b, &mb);
        }
        for (int i = 0; i < WORLD; i++) {
            both.has[i] = ma.has[i] && mb.has[i];
            less.has[i] = ma.has[i] && !mb.has[i];
        }
        uidset_intersect(&a, &b, &out);
        check_same(&out, &both);
        uidset_subtract(&a, &b, &out);
        check_same(&out, &less);
        uidset_copy(&out, &a);
        check_same(&out, &ma);
        uidset_done(&a);
        uidset_done(&b);
    }
    uidset_done(&out);
}

static void many_ranges_in_any_order_are_put_in_order_once(void **state)
{
    struct rng rng = rng_seeded();

    (void)state;
    for (int round = 0; round < 300; round++) {
        struct uidset set = UIDSET_EMPTY;
        struct model model = {0};

        base_uid = round % 2 ? UINT32_MAX - WORLD + 1 : 0;
        for (uint32_t i = rng_below(&rng, 40); i > 0; i--) {
            uint32_t first, last;

            random_range(&rng, &first, &last);
            uidset_append_unordered(&set, base_uid + first, base_uid + last);
            for (uint32_t k = first; k <= last; k++)
                model.has[k] = true;
        }
        uidset_normalize(&set);
        check_same(&set, &model);
        uidset_done(&set);
    }
}

static void a_set_prints_as_imap_writes_it(void **state)
{
    struct uidset set = UIDSET_EMPTY;
    struct buf out = buf_make(100);

    (void)state;
    uidset_put(&set, &out);
    assert_slice(buf_slice(&out), "");
    uidset_add(&set, 12, UINT32_MAX);
    uidset_add(&set, 9, 9);
    uidset_add(&set, 1, 5);
    uidset_put(&set, &out);
    assert_slice(buf_slice(&out), "1:5,9,12:4294967295");
    assert_int_equal(uidset_count(&set), 5 + 1 + 4294967284u);
    uidset_done(&set);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adding_and_removing_agrees_with_a_bitmap),
        cmocka_unit_test(arithmetic_agrees_with_a_bitmap),
        cmocka_unit_test(many_ranges_in_any_order_are_put_in_order_once),
        cmocka_unit_test(a_set_prints_as_imap_writes_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
