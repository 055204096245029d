/* table_category.c - categories: header rows, what is collapsed, and which rows are seen. */
#include <stdlib.h>

#include "protocols/mapi/table_int.h"

/* ---- those that are known, by id ---- */

static uint32_t *slot_of(const struct mapi_table *t, uint64_t id)
{
    uint32_t mask = t->n_slots - 1;
    uint32_t i = (uint32_t)(id >> 32) & mask;

    while (t->category_slots[i] && t->categories[t->category_slots[i] - 1].id != id)
        i = (i + 1) & mask;
    return &t->category_slots[i];
}

static void grow_slots(struct mapi_table *t)
{
    free(t->category_slots);
    t->n_slots = t->n_slots ? 2 * t->n_slots : 64;
    t->category_slots = mem_array(t->n_slots, sizeof *t->category_slots);
    for (uint32_t i = 0; i < t->n_known; i++)
        *slot_of(t, t->categories[i].id) = i + 1;
}

uint32_t category_get(struct mapi_table *t, uint64_t id, uint32_t parent)
{
    if (2 * (t->n_known + 1) > t->n_slots)
        grow_slots(t);
    uint32_t *slot = slot_of(t, id);

    if (*slot)
        return *slot - 1;
    if (t->n_known == t->cap_known) {
        t->cap_known = t->cap_known ? 2 * t->cap_known : 16;
        t->categories = mem_grow(t->categories, t->cap_known, sizeof *t->categories);
    }
    uint8_t depth = parent == NO_CATEGORY ? 0 : (uint8_t)(t->categories[parent].depth + 1);

    t->categories[t->n_known] = (struct table_category){
        .id = id, .parent = parent, .depth = depth, .collapsed = depth >= t->n_expanded};
    *slot = ++t->n_known;
    return t->n_known - 1;
}

uint32_t category_find(const struct mapi_table *t, uint64_t id)
{
    uint32_t slot = t->n_slots ? *slot_of(t, id) : 0;

    return slot && t->categories[slot - 1].n ? slot - 1 : NO_CATEGORY;
}

void categories_done(struct mapi_table *t)
{
    free(t->categories);
    free(t->category_slots);
    free(t->segments);
    t->categories = NULL;
    t->category_slots = NULL;
    t->segments = NULL;
    t->n_known = t->cap_known = t->n_slots = t->n_segments = t->n_visible = 0;
}

/* ---- which rows are seen ---- */

static struct table_segment *add_segment(struct mapi_table *t, uint32_t *cap, uint32_t rows)
{
    if (t->n_segments == *cap) {
        *cap = *cap ? 2 * *cap : 16;
        t->segments = mem_grow(t->segments, *cap, sizeof *t->segments);
    }
    struct table_segment *s = &t->segments[t->n_segments++];

    *s = (struct table_segment){.at = t->n_visible, .category = NO_CATEGORY};
    t->n_visible += rows;
    return s;
}

static bool is_open(const struct mapi_table *t, uint32_t category)
{
    while (category != NO_CATEGORY && !t->categories[category].collapsed)
        category = t->categories[category].parent;
    return category == NO_CATEGORY;
}

/* The header rows that a leaf is the first under, outermost first. */
static void add_headers(struct mapi_table *t, uint32_t *cap, uint32_t category, uint32_t leaf)
{
    struct table_category *c = &t->categories[category];

    if (c->n)
        return;
    if (c->parent != NO_CATEGORY)
        add_headers(t, cap, c->parent, leaf);
    c->first = leaf;
    if (is_open(t, c->parent))
        add_segment(t, cap, 1)->category = category;
}

static void count_leaves(struct mapi_table *t, uint32_t category, uint32_t n)
{
    for (; category != NO_CATEGORY; category = t->categories[category].parent)
        t->categories[category].n += n;
}

void categories_arrange(struct mapi_table *t)
{
    const struct table_leaves *l = &t->leaves;
    uint32_t cap = 0;

    free(t->segments);
    t->segments = NULL;
    t->n_segments = t->n_visible = 0;
    for (uint32_t i = 0; i < t->n_known; i++)
        t->categories[i].n = 0;
    for (uint32_t i = 0, n; i < l->n; i += n) {
        uint32_t category = l->categories[i];

        for (n = 1; i + n < l->n && l->categories[i + n] == category;)
            n++;
        add_headers(t, &cap, category, i);
        count_leaves(t, category, n);
        if (is_open(t, category)) {
            struct table_segment *s = add_segment(t, &cap, n);

            s->first = i;
            s->n = n;
        }
    }
}

/* Is `category` below `top`, and all between them expanded? */
static bool is_seen_below(const struct mapi_table *t, uint32_t category, uint32_t top)
{
    for (;; category = t->categories[category].parent) {
        if (category == NO_CATEGORY)
            return false;
        if (category == top)
            return true;
        if (t->categories[category].collapsed)
            return false;
    }
}

uint32_t category_rows(const struct mapi_table *t, uint32_t category)
{
    const struct table_category *c = &t->categories[category];
    uint32_t n = 0;

    for (uint32_t i = 0; i < t->n_known; i++)
        n += t->categories[i].n && i != category && t->categories[i].parent != NO_CATEGORY &&
             is_seen_below(t, t->categories[i].parent, category);
    for (uint32_t i = c->first; i < c->first + c->n; i++)
        n += is_seen_below(t, t->leaves.categories[i], category);
    return n;
}
