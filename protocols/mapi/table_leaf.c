/* table_leaf.c - the leaves of a contents table that is sorted, restricted or categorized. */
#include <stdlib.h>

#include "protocols/mapi/table_int.h"

static uint64_t leaf_bytes(const struct mapi_table *t)
{
    return sizeof *t->leaves.uids + (t->instances_of ? sizeof *t->leaves.instances : 0) +
           (t->n_categories ? sizeof *t->leaves.categories : 0);
}

uint64_t leaves_bytes(const struct mapi_table *t, uint64_t n)
{
    return n * leaf_bytes(t) + t->cap_known * sizeof *t->categories;
}

void leaves_done(struct table_leaves *leaves)
{
    free(leaves->uids);
    free(leaves->instances);
    free(leaves->categories);
    *leaves = (struct table_leaves){0};
}

void leaves_make_room(const struct mapi_table *t, struct table_leaves *l)
{
    if (l->n < l->cap)
        return;
    l->cap = l->cap ? l->cap + l->cap / 8 + 16 : 16;
    l->uids = mem_grow(l->uids, l->cap, sizeof *l->uids);
    if (t->instances_of)
        l->instances = mem_grow(l->instances, l->cap, sizeof *l->instances);
    if (t->n_categories)
        l->categories = mem_grow(l->categories, l->cap, sizeof *l->categories);
}

static void put_in(uint32_t *list, uint32_t at, uint32_t n, uint32_t value)
{
    if (!list)
        return;
    memmove(list + at + 1, list + at, (n - at) * sizeof *list);
    list[at] = value;
}

void leaves_insert(struct mapi_table *t, uint32_t at, uint32_t uid, uint32_t instance,
                   uint32_t category)
{
    struct table_leaves *l = &t->leaves;

    leaves_make_room(t, l);
    put_in(l->uids, at, l->n, uid);
    put_in(l->instances, at, l->n, instance);
    put_in(l->categories, at, l->n, category);
    l->n++;
}
