#include "store/engine/idmap.h"
#include "tests/support/test.h"

/* Random adds and removes beside a plain array. */
static void an_idmap_holds_what_was_added_and_not_removed(void **state)
{
    enum { IDS = 500, STEPS = 20000 };
    struct rng rng = rng_seeded();
    struct idmap map = {0};
    struct idnode nodes[IDS];
    bool in[IDS] = {false};
    size_t count = 0;
    (void)state;

    assert_null(idmap_find(&map, 0));
    assert_null(idmap_any(&map));
    for (size_t i = 0; i < IDS; i++)
        nodes[i] = (struct idnode){.id = i % 2 ? i : i << 40};
    for (int step = 0; step < STEPS; step++) {
        size_t i = rng_below(&rng, IDS);

        assert_ptr_equal(idmap_find(&map, nodes[i].id), in[i] ? &nodes[i] : NULL);
        if (in[i])
            idmap_remove(&map, &nodes[i]);
        else
            idmap_add(&map, &nodes[i]);
        in[i] = !in[i];
        count = in[i] ? count + 1 : count - 1;
        assert_int_equal(map.count, count);
        assert_int_equal(idmap_any(&map) != NULL, count > 0);
    }
    for (size_t i = 0; i < IDS; i++)
        assert_ptr_equal(idmap_find(&map, nodes[i].id), in[i] ? &nodes[i] : NULL);
    idmap_done(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idmap_holds_what_was_added_and_not_removed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
