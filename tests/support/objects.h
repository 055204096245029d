/*
 * objects.h - a bed with one snapshot at a time, and objects of the store read by their properties.
 *
 * A fixture of cmocka: setup() and teardown() are for cmocka_unit_test_setup_teardown().
 */
#ifndef GATEPOST_TESTS_SUPPORT_OBJECTS_H
#define GATEPOST_TESTS_SUPPORT_OBJECTS_H

#include "store/property.h"
#include "tests/support/store.h"

struct fixture {
    struct bed bed;
    struct arena arena;
    struct store_read *rd;
};

/* NULL: as bed_init(). */
static inline int setup_with(void **state, const struct store_config *config)
{
    struct fixture *f = mem_new(sizeof *f);

    if (config)
        bed_init_with(&f->bed, config);
    else
        bed_init(&f->bed);
    *state = f;
    return 0;
}

static inline int setup(void **state)
{
    return setup_with(state, NULL);
}

static inline void unread(struct fixture *f)
{
    store_read_end(f->rd);
    f->rd = NULL;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;

    unread(f);
    bed_done(&f->bed);
    arena_done(&f->arena);
    free(f);
    return 0;
}

static inline struct store_read *read_anew(struct fixture *f)
{
    unread(f);
    assert_ok(store_read_begin(f->bed.mb, &f->rd));
    return f->rd;
}

static inline struct store_object *open_object(struct fixture *f, uint64_t id)
{
    struct store_object *object = NULL;

    assert_ok(store_object_open(read_anew(f), id, &f->arena, &object));
    return object;
}

static inline struct store_prop get(struct fixture *f, uint64_t id, uint32_t tag)
{
    struct store_prop prop = {.tag = 0};

    assert_ok(store_object_get(open_object(f, id), tag, &prop));
    return prop;
}

static inline void assert_text(struct fixture *f, uint64_t id, uint32_t tag, const char *want)
{
    assert_slice(get(f, id, tag).value.bytes, want);
}

static inline uint64_t count_blobs(struct fixture *f)
{
    struct engine_stats stats;

    assert_ok(engine_stats(store_engine(f->bed.store), &stats));
    return stats.blobs - stats.dead_blobs;
}

#endif
