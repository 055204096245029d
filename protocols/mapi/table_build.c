/*
 * table_build.c - making the leaves of a table: find the rows, sort them, put categories in order.
 * In turns, for a folder may have a million messages.
 */
#include <stddef.h>
#include <stdlib.h>

#include "protocols/mapi/table_int.h"

enum {
    RUN = 2048, /* entries sorted at once */
    FIRST_BLOCK = 4096,
    KEY_BLOCK =
        256 * 1024, /* nothing that was put is moved again: a million rows make no turn long */
};

/*
 * What stands before the key of an entry, which is followed by its extreme. Tables that have
 * neither instances nor categories have the first two numbers alone.
 */
struct key_head {
    uint32_t uid, len;
    uint32_t instance, category, extreme_len;
};

struct key_block {
    struct key_block *next;
    size_t used, size;
    uint8_t bytes[];
};

struct table_build {
    enum { COLLECT, SORT_RUNS, MERGE, ORDER_CATEGORIES, TAKE_LEAVES, DONE } phase;
    uint64_t state; /* of the folder when it began */
    uint64_t next;  /* UID to be looked at */
    struct arena in;
    struct match_run run;
    const uint8_t **entries, **spare; /* each is where its head is, in a block */
    size_t n, cap;
    size_t head_len;
    struct key_block *blocks; /* newest first */
    uint64_t key_bytes;
    struct buf key;                /* of the row at hand */
    struct table_leaves leaves;    /* as they will be; without sort keys they are made at once */
    size_t width, at, left, right; /* of merging: see merge() */
};

static struct table_build *build_new(const struct mapi_table *t, const struct store_folder *now)
{
    struct table_build *b = mem_new(sizeof *b);

    b->state = now->modseq;
    b->run.in = &b->in;
    b->key = buf_make(SIZE_MAX);
    b->head_len = t->instances_of || t->n_categories ? sizeof(struct key_head)
                                                     : offsetof(struct key_head, instance);
    return b;
}

static void free_blocks(struct table_build *b)
{
    for (struct key_block *block = b->blocks, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    b->blocks = NULL;
}

void table_build_free(struct mapi_table *t)
{
    struct table_build *b = t->build;

    if (!b)
        return;
    free(b->entries);
    free(b->spare);
    free_blocks(b);
    leaves_done(&b->leaves);
    buf_done(&b->key);
    arena_done(&b->in);
    free(b);
    t->build = NULL;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- entries ---- */

static struct key_head head_of(const struct table_build *b, const uint8_t *entry)
{
    struct key_head head = {.category = NO_CATEGORY};

    memcpy(&head, entry, b->head_len);
    return head;
}

static struct slice key_of(const struct table_build *b, const uint8_t *entry)
{
    uint32_t len;

    memcpy(&len, entry + offsetof(struct key_head, len), sizeof len);
    return slice_of(entry + b->head_len, len);
}

/* Room for `len` bytes, which stay where they are. */
static uint8_t *take_bytes(struct table_build *b, size_t len)
{
    if (!b->blocks || len > b->blocks->size - b->blocks->used) {
        size_t size = b->blocks ? least(2 * b->blocks->size, KEY_BLOCK) : FIRST_BLOCK;

        size = len > size ? len : size;
        struct key_block *block = mem_grow(NULL, size + sizeof *block, 1);

        *block = (struct key_block){.next = b->blocks, .size = size};
        b->blocks = block;
        b->key_bytes += size;
    }
    b->blocks->used += len;
    return b->blocks->bytes + (b->blocks->used - len);
}

/* ---- finding the rows ---- */

static void add_leaf(const struct mapi_table *t, struct table_leaves *l,
                     const struct key_head *head)
{
    leaves_make_room(t, l);
    l->uids[l->n] = head->uid;
    if (l->instances)
        l->instances[l->n] = head->instance;
    if (l->categories)
        l->categories[l->n] = head->category;
    l->n++;
}

static void add_entry(struct mapi_table *t, struct table_build *b, struct table_row *row)
{
    struct key_head head = {
        .uid = row->leaf_uid, .instance = row->instance, .category = NO_CATEGORY};
    size_t ends[UINT8_MAX + 1];

    if (!t->n_orders) {
        add_leaf(t, &b->leaves, &head);
        b->n++;
        return;
    }
    buf_clear(&b->key);
    table_key_put(row, &b->key, ends);
    head.len = (uint32_t)b->key.len;
    if (t->n_categories)
        head.category = table_key_category(t, buf_slice(&b->key), ends);
    table_key_put_extreme(row, &b->key);
    head.extreme_len = (uint32_t)b->key.len - head.len;
    if (b->n == b->cap) {
        b->cap = b->cap ? b->cap + b->cap / 4 : 256;
        b->entries = mem_grow(b->entries, b->cap, sizeof *b->entries);
    }
    struct slice key = buf_slice(&b->key);
    uint8_t *at = take_bytes(b, b->head_len + key.len);

    memcpy(at, &head, b->head_len);
    memcpy(at + b->head_len, key.ptr, key.len);
    b->entries[b->n++] = at;
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

static int order_entries(const void *one, const void *other, void *build)
{
    const uint8_t *a = *(const uint8_t *const *)one, *b = *(const uint8_t *const *)other;
    int order = slice_order(key_of(build, a), key_of(build, b));

    if (order)
        return order;
    struct key_head x = head_of(build, a), y = head_of(build, b);

    if (x.uid != y.uid)
        return x.uid < y.uid ? -1 : 1;
    return (x.instance > y.instance) - (x.instance < y.instance);
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
    const uint8_t **merged = b->spare;

    b->spare = b->entries;
    b->entries = merged;
    b->width *= 2;
    b->at = 0;
    next_pair(b);
}

/* ---- categories in the order of their greatest values ([MS-OXCDATA] 2.13.1) ---- */

struct group {
    size_t first, n;
    struct slice greatest;
};

struct grouping {
    const struct table_build *build;
    bool descending;
};

static int order_groups(const void *one, const void *other, void *grouping)
{
    const struct group *a = one, *b = other;
    int order = slice_order(a->greatest, b->greatest);

    if (order == 0)
        return (a->first > b->first) - (a->first < b->first);
    return ((struct grouping *)grouping)->descending ? -order : order;
}

static uint32_t category_of(const struct table_build *b, size_t entry)
{
    return head_of(b, b->entries[entry]).category;
}

static struct group take_group(const struct table_build *b, size_t first)
{
    struct group g = {.first = first};

    while (first + g.n < b->n && category_of(b, first + g.n) == category_of(b, first)) {
        const uint8_t *entry = b->entries[first + g.n++];
        struct slice key = key_of(b, entry);
        struct slice value = slice_of(key.ptr + key.len, head_of(b, entry).extreme_len);

        if (!g.greatest.ptr || slice_order(value, g.greatest) > 0)
            g.greatest = value;
    }
    return g;
}

static uint32_t parent_of(const struct mapi_table *t, const struct table_build *b, size_t entry)
{
    return t->categories[category_of(b, entry)].parent;
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
    const uint8_t **ordered = b->spare;

    b->spare = b->entries;
    b->entries = ordered;
    free(groups);
}

/* ---- done ---- */

/* In their order now: some of them. */
static void take_leaves(const struct mapi_table *t, struct table_build *b)
{
    size_t stop = least(b->n, b->leaves.n + TURN);

    for (size_t i = b->leaves.n; i < stop; i++) {
        struct key_head head = head_of(b, b->entries[i]);

        add_leaf(t, &b->leaves, &head);
    }
    if (b->leaves.n == b->n)
        b->phase = DONE;
}

static uint32_t finish(struct mapi_table *t, struct table_build *b)
{
    uint32_t ec = table_charge(t, leaves_bytes(t, b->leaves.cap));

    if (ec)
        return ec;
    leaves_done(&t->leaves);
    t->leaves = b->leaves;
    b->leaves = (struct table_leaves){0};
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
    return table_charge(t, leaves_bytes(t, t->leaves.cap + b->leaves.cap) + b->key_bytes +
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
        b->phase = TAKE_LEAVES;
        return EC_SUCCESS;
    case TAKE_LEAVES:
        take_leaves(t, b);
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
        t->build = build_new(t, now);
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
