/*
 * table_build.c - making the leaves of a table: find the rows, sort them, put categories in order.
 * In turns, for a folder may have a million messages.
 */
#include <stdlib.h>

#include "protocols/mapi/table_int.h"

enum { RUN = 2048 /* entries sorted at once */ };

struct entry {
    uint32_t uid, instance, category;
    uint32_t key_len, extreme_len; /* one behind the other */
    size_t key;                    /* where in the keys */
};

struct table_build {
    enum { COLLECT, SORT_RUNS, MERGE, ORDER_CATEGORIES, DONE } phase;
    uint64_t state; /* of the folder when it began */
    uint64_t next;  /* UID to be looked at */
    struct arena in;
    struct match_run run;
    struct entry *entries, *spare;
    size_t n, cap;
    struct buf keys;
    size_t width, at, left, right; /* of merging: see merge() */
};

static struct table_build *build_new(uint64_t state)
{
    struct table_build *b = mem_new(sizeof *b);

    b->state = state;
    b->run.in = &b->in;
    b->keys = buf_make(SIZE_MAX);
    return b;
}

void table_build_free(struct mapi_table *t)
{
    struct table_build *b = t->build;

    if (!b)
        return;
    free(b->entries);
    free(b->spare);
    buf_done(&b->keys);
    arena_done(&b->in);
    free(b);
    t->build = NULL;
}

/* ---- finding the rows ---- */

static void add_entry(struct mapi_table *t, struct table_build *b, struct table_row *row)
{
    size_t ends[UINT8_MAX + 1], key = b->keys.len;

    table_key_put(row, &b->keys, ends);
    size_t key_len = b->keys.len - key;

    table_key_put_extreme(row, &b->keys);
    if (b->n == b->cap) {
        b->cap = b->cap ? b->cap + b->cap / 4 : 256;
        b->entries = mem_grow(b->entries, b->cap, sizeof *b->entries);
    }
    b->entries[b->n++] = (struct entry){
        .uid = row->leaf_uid,
        .instance = row->instance,
        .category = t->n_categories
                        ? table_key_category(t, slice_sub(buf_slice(&b->keys), key, key_len), ends)
                        : NO_CATEGORY,
        .key_len = (uint32_t)key_len,
        .extreme_len = (uint32_t)(b->keys.len - key - key_len),
        .key = key,
    };
}

/* *spent is raised by what it took. */
static struct err collect_row(struct mapi_table *t, struct table_build *b, struct store_read *rd,
                              const struct message_row *message, uint32_t *spent)
{
    struct arena in = ARENA_INIT;
    struct table_row row;

    table_row_of_message(t, rd, message, 0, &in, &row);
    if ((!t->search || table_search_wants(t, &row)) &&
        match(t->restriction, &b->run, &row.source) && !failed(row.source.err)) {
        uint32_t n = table_row_instances(&row);

        for (; row.instance < n; row.instance++)
            add_entry(t, b, &row);
    }
    struct err e = row.source.err;

    *spent += table_row_cost(&row);
    arena_done(&in);
    return e;
}

static void collected(const struct mapi_table *t, struct table_build *b)
{
    b->phase = t->n_orders ? SORT_RUNS : DONE;
}

/* Of a search that is not looked for any more: one that is gone has a row, too. */
static uint32_t collect_frozen(struct mapi_table *t, struct table_build *b, struct store_read *rd)
{
    struct message_row message;
    struct err e = OK;

    for (uint32_t spent = 0; spent < TURN && !failed(e); spent += OPENED_ROW) {
        e = table_search_next_frozen(t, rd, &message);
        if (e.code == ERR_NOT_FOUND) {
            collected(t, b);
            return EC_SUCCESS;
        }
        if (!failed(e))
            e = collect_row(t, b, rd, &message, &spent);
    }
    return mapi_ec_of(e);
}

static uint32_t collect(struct mapi_table *t, struct table_build *b, struct store_read *rd)
{
    uint32_t spent = 0;
    const struct message_row *row;
    struct err e = OK;

    if (table_search_is_frozen(t))
        return collect_frozen(t, b, rd);
    if (b->next > UINT32_MAX || (t->search && !table_search_place(t, rd))) {
        collected(t, b);
        return EC_SUCCESS;
    }
    struct store_rows *rows = store_rows_open(rd, t->place, (uint32_t)b->next);

    while (spent < TURN && !failed(e = store_rows_next(rows, &row))) {
        e = collect_row(t, b, rd, row, &spent);
        if (failed(e))
            break;
        b->next = (uint64_t)row->uid + 1;
    }
    store_rows_close(rows);
    if (e.code == ERR_NOT_FOUND && t->search) {
        table_search_next(t);
        b->next = 0;
        return EC_SUCCESS;
    }
    if (e.code == ERR_NOT_FOUND) {
        collected(t, b);
        return EC_SUCCESS;
    }
    return mapi_ec_of(e);
}

/* ---- sorting ---- */

static int order_keys(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    return slice_order(slice_of(a, a_len), slice_of(b, b_len));
}

static const uint8_t *key_of(const struct table_build *b, const struct entry *e)
{
    return b->keys.data + b->keys.head + e->key;
}

static int order_entries(const void *one, const void *other, void *build)
{
    const struct entry *a = one, *b = other;
    int order = order_keys(key_of(build, a), a->key_len, key_of(build, b), b->key_len);

    if (order)
        return order;
    if (a->uid != b->uid)
        return a->uid < b->uid ? -1 : 1;
    return (a->instance > b->instance) - (a->instance < b->instance);
}

static void sort_run(struct table_build *b)
{
    size_t n = b->n - b->at < RUN ? b->n - b->at : RUN;

    if (n > 0)
        qsort_r(b->entries + b->at, n, sizeof *b->entries, order_entries, b);
    b->at += n;
    if (b->at < b->n)
        return;
    b->phase = MERGE;
    b->width = RUN;
    b->at = b->left = 0;
    b->right = RUN;
    b->spare = mem_array(b->n + 1, sizeof *b->spare);
}

/* The next two runs of `width`, from where the last two ended: `at`. */
static void next_pair(struct table_build *b)
{
    b->left = b->at;
    b->right = b->at + b->width;
}

static void merge_one(struct table_build *b, size_t middle, size_t end)
{
    bool from_left =
        b->left < middle &&
        (b->right >= end || order_entries(&b->entries[b->left], &b->entries[b->right], b) <= 0);

    b->spare[b->at++] = b->entries[from_left ? b->left++ : b->right++];
    if (b->at == end)
        next_pair(b);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Runs of `width` become runs of twice as many, until one is left. `at` is how many are merged. */
static void merge(struct table_build *b)
{
    size_t stop = least(b->n, b->at + TURN);

    if (b->width >= b->n) {
        b->phase = ORDER_CATEGORIES;
        return;
    }
    while (b->at < stop) {
        size_t start = b->at / (2 * b->width) * (2 * b->width);

        merge_one(b, least(b->n, start + b->width), least(b->n, start + 2 * b->width));
    }
    if (b->at < b->n)
        return;
    struct entry *merged = b->spare;

    b->spare = b->entries;
    b->entries = merged;
    b->width *= 2;
    b->at = 0;
    next_pair(b);
}

/* ---- categories in the order of their greatest values ([MS-OXCDATA] 2.13.1) ---- */

struct group {
    size_t first, n;
    const uint8_t *greatest;
    size_t len;
};

struct grouping {
    const struct table_build *build;
    bool descending;
};

static int order_groups(const void *one, const void *other, void *grouping)
{
    const struct group *a = one, *b = other;
    int order = order_keys(a->greatest, a->len, b->greatest, b->len);

    if (order == 0)
        return (a->first > b->first) - (a->first < b->first);
    return ((struct grouping *)grouping)->descending ? -order : order;
}

static struct group take_group(const struct table_build *b, size_t first)
{
    struct group g = {.first = first};

    while (first + g.n < b->n && b->entries[first + g.n].category == b->entries[first].category) {
        const struct entry *e = &b->entries[first + g.n++];
        const uint8_t *value = key_of(b, e) + e->key_len;

        if (!g.greatest || order_keys(value, e->extreme_len, g.greatest, g.len) > 0) {
            g.greatest = value;
            g.len = e->extreme_len;
        }
    }
    return g;
}

static uint32_t parent_of(const struct mapi_table *t, const struct table_build *b, size_t entry)
{
    return t->categories[b->entries[entry].category].parent;
}

static void order_categories(struct mapi_table *t, struct table_build *b)
{
    struct grouping how = {b, t->orders[t->n_categories - 1].order == SORT_DESCENDING};
    struct group *groups = mem_array(b->n + 1, sizeof *groups);
    size_t n = 0, to = 0;

    for (size_t i = 0; i < b->n; i += groups[n++].n)
        groups[n] = take_group(b, i);
    for (size_t i = 0, same; i < n; i += same) {
        uint32_t parent = parent_of(t, b, groups[i].first);

        for (same = 1; i + same < n && parent_of(t, b, groups[i + same].first) == parent;)
            same++;
        qsort_r(groups + i, same, sizeof *groups, order_groups, &how);
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(b->spare + to, b->entries + groups[i].first, groups[i].n * sizeof *b->spare);
        to += groups[i].n;
    }
    struct entry *ordered = b->spare;

    b->spare = b->entries;
    b->entries = ordered;
    free(groups);
}

/* ---- done ---- */

static uint32_t finish(struct mapi_table *t, struct table_build *b)
{
    struct table_leaves *l = &t->leaves;
    uint32_t ec = table_charge(t, leaves_bytes(t, b->n));

    if (ec)
        return ec;
    leaves_done(l);
    l->n = l->cap = (uint32_t)b->n;
    l->uids = mem_array(b->n + 1, sizeof *l->uids);
    if (t->instances_of)
        l->instances = mem_array(b->n + 1, sizeof *l->instances);
    if (t->n_categories)
        l->categories = mem_array(b->n + 1, sizeof *l->categories);
    for (size_t i = 0; i < b->n; i++) {
        l->uids[i] = b->entries[i].uid;
        if (l->instances)
            l->instances[i] = b->entries[i].instance;
        if (l->categories)
            l->categories[i] = b->entries[i].category;
    }
    t->built = true;
    t->unseen_loaded = false;
    news_rebuilt(t, b->state);
    t->state = b->state;
    table_build_free(t);
    if (t->n_categories)
        categories_arrange(t);
    table_find_places(t);
    return EC_SUCCESS;
}

static uint32_t charge(struct mapi_table *t, const struct table_build *b)
{
    return table_charge(t, leaves_bytes(t, t->leaves.cap) + b->keys.cap +
                               b->cap * sizeof *b->entries * (b->spare ? 2 : 1));
}

static uint32_t step(struct mapi_table *t, struct table_build *b, struct store_read *rd)
{
    switch (b->phase) {
    case COLLECT:
        return collect(t, b, rd);
    case SORT_RUNS:
        sort_run(b);
        return EC_SUCCESS;
    case MERGE:
        merge(b);
        return EC_SUCCESS;
    case ORDER_CATEGORIES:
        if (t->by_extremes)
            order_categories(t, b);
        b->phase = DONE;
        return EC_SUCCESS;
    case DONE:
        break;
    }
    return EC_SUCCESS;
}

/* Small tables are made in one turn: each phase takes what it needs of it. */
uint32_t table_build(struct mapi_table *t, struct store_read *rd, const struct store_folder *now,
                     bool *more)
{
    if (!t->build)
        t->build = build_new(now->modseq);
    struct table_build *b = t->build;
    uint32_t ec = EC_SUCCESS;

    do {
        ec = step(t, b, rd);
        if (!ec)
            ec = charge(t, b);
    } while (!ec && b->phase != DONE && b->phase != COLLECT && b->n <= RUN);
    *more = !ec && b->phase != DONE;
    if (!ec && !*more)
        ec = finish(t, b);
    if (ec) {
        table_build_free(t);
        (void)table_charge(t, leaves_bytes(t, t->leaves.cap));
    }
    return ec;
}
