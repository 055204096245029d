/*
 * table_follow.c - leaves follow the folder: what was expunged goes; what is new or was changed
 * goes to where it belongs now.
 */
#include <stdlib.h>

#include "protocols/mapi/table_int.h"

struct table_follow {
    uint64_t state;
    struct uidset touched;
    uint32_t next;  /* of those that are still to be put in */
    uint32_t spent; /* in this turn */
};

void table_follow_free(struct mapi_table *t)
{
    if (!t->follow)
        return;
    uidset_done(&t->follow->touched);
    free(t->follow);
    t->follow = NULL;
}

/* ---- places, of a table without categories ---- */

static void each_place(struct mapi_table *t,
                       void (*visit)(struct table_place *, uint32_t, uint64_t), uint32_t at,
                       uint64_t id)
{
    visit(&t->cursor, at, id);
    for (size_t i = 0; i < t->n_bookmarks; i++)
        visit(&t->bookmarks[i].place, at, id);
}

static void on_insert(struct table_place *place, uint32_t at, uint64_t id)
{
    if (place->id == id) {
        place->at = at;
        place->lost = false;
    } else if (place->at > at || (place->at == at && place->id && !place->lost)) {
        place->at++;
    }
}

/* ---- what is gone ---- */

static void move_leaf(struct table_leaves *l, uint32_t from, uint32_t to)
{
    l->uids[to] = l->uids[from];
    if (l->instances)
        l->instances[to] = l->instances[from];
    if (l->categories)
        l->categories[to] = l->categories[from];
}

/* Where each place will be: it goes up by the rows before it that go. */
struct shrinking {
    struct table_place *place;
    uint32_t at;
};

static size_t list_places(struct mapi_table *t, struct shrinking *list)
{
    size_t n = 0;

    list[n++] = (struct shrinking){&t->cursor, t->cursor.at};
    for (size_t i = 0; i < t->n_bookmarks; i++)
        list[n++] = (struct shrinking){&t->bookmarks[i].place, t->bookmarks[i].place.at};
    return n;
}

static void shrink(struct shrinking *places, size_t n, uint32_t removed)
{
    for (size_t i = 0; i < n; i++) {
        if (removed < places[i].at)
            places[i].place->at--;
        else if (removed == places[i].at && places[i].place->id)
            places[i].place->lost = true;
    }
}

static void remove_leaves(struct mapi_table *t, const struct uidset *touched,
                          const struct uidset *gone)
{
    struct shrinking *places = mem_array(t->n_bookmarks + 1, sizeof *places);
    struct table_leaves *l = &t->leaves;
    size_t n_places = list_places(t, places);
    uint32_t kept = 0;

    for (uint32_t i = 0; i < l->n; i++) {
        if (uidset_has(touched, l->uids[i]) || uidset_has(gone, l->uids[i])) {
            news_note(t, leaf_id(l, i), false);
            shrink(places, n_places, i);
        } else {
            move_leaf(l, i, kept++);
        }
    }
    l->n = kept;
    free(places);
}

/* ---- what is new, or somewhere else ---- */

/* <0: the leaf at `i` is before that of this key. */
static struct err order_with(struct mapi_table *t, struct store_read *rd, uint32_t i,
                             const struct table_row *row, struct slice key, int *order)
{
    struct buf other = buf_make(SIZE_MAX);
    struct arena in = ARENA_INIT;
    struct message_row message;
    struct table_row leaf;
    struct err e = OK;

    *order = 0;
    if (t->n_orders)
        e = store_message(rd, t->place, t->leaves.uids[i], &message);
    if (t->n_orders && !failed(e)) {
        table_row_of_message(t, rd, &message, t->leaves.instances ? t->leaves.instances[i] : 0, &in,
                             &leaf);
        table_key_put(&leaf, &other, NULL);
        *order = slice_order(buf_slice(&other), key);
        t->follow->spent += table_row_cost(&leaf);
        e = leaf.source.err;
    }
    if (*order == 0) {
        uint64_t a = (uint64_t)t->leaves.uids[i] << 32 | leaf_id(&t->leaves, i) >> 32;
        uint64_t b = (uint64_t)row->leaf_uid << 32 | row->instance;

        *order = (a > b) - (a < b);
    }
    buf_done(&other);
    arena_done(&in);
    return e;
}

static struct err find_position(struct mapi_table *t, struct store_read *rd,
                                const struct table_row *row, struct slice key, uint32_t *at)
{
    uint32_t low = 0, high = t->leaves.n;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order;
        struct err e = order_with(t, rd, middle, row, key, &order);

        if (failed(e))
            return e;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *at = low;
    return OK;
}

static struct err insert_leaf(struct mapi_table *t, struct store_read *rd, struct table_row *row)
{
    struct buf key = buf_make(SIZE_MAX);
    size_t ends[UINT8_MAX + 1];
    uint32_t at;

    table_key_put(row, &key, ends);
    struct err e = find_position(t, rd, row, buf_slice(&key), &at);

    if (!failed(e)) {
        uint32_t category =
            t->n_categories ? table_key_category(t, buf_slice(&key), ends) : NO_CATEGORY;

        leaves_insert(t, at, row->leaf_uid, row->instance, category);
        news_note(t, leaf_id(&t->leaves, at), true);
        if (!t->n_categories)
            each_place(t, on_insert, at, leaf_id(&t->leaves, at));
    }
    buf_done(&key);
    return e;
}

static struct err insert_message(struct mapi_table *t, struct store_read *rd, uint32_t uid)
{
    struct match_run run = {0};
    struct arena in = ARENA_INIT;
    struct message_row message;
    struct table_row row;
    struct err e = store_message(rd, t->place, uid, &message);

    if (failed(e))
        return e.code == ERR_NOT_FOUND ? OK : e;
    run.in = &in;
    table_row_of_message(t, rd, &message, 0, &in, &row);
    bool fits = match(t->restriction, &run, &row.source);
    uint32_t n = fits ? table_row_instances(&row) : 0;

    e = row.source.err;
    for (; row.instance < n && !failed(e); row.instance++)
        e = insert_leaf(t, rd, &row);
    t->follow->spent += table_row_cost(&row);
    arena_done(&in);
    return failed(row.source.err) ? row.source.err : e;
}

static uint32_t log2_of(uint32_t n)
{
    uint32_t log = 1;

    for (; n > 1; n /= 2)
        log++;
    return log;
}

static struct err insert_some(struct mapi_table *t, struct store_read *rd, bool *more)
{
    struct table_follow *f = t->follow;
    uint32_t uid;

    f->spent = 0;
    while (uidset_next(&f->touched, f->next, &uid)) {
        if (f->spent >= TURN) {
            *more = true;
            return OK;
        }
        struct err e = insert_message(t, rd, uid);

        if (failed(e))
            return e;
        if (uid == UINT32_MAX)
            break;
        f->next = uid + 1;
    }
    return OK;
}

/* ---- all of it ---- */

/* With many changes it is cheaper to begin anew. */
static bool is_worth_it(const struct mapi_table *t, const struct uidset *touched)
{
    uint64_t n = uidset_count(touched);

    return n <= 16 || n * log2_of(t->leaves.n) <= t->leaves.n / 2;
}

static struct err begin(struct mapi_table *t, struct store_read *rd, uint64_t state, bool *can)
{
    struct uidset touched = UIDSET_EMPTY, gone = UIDSET_EMPTY;
    bool complete = false;
    struct err e = store_touched_since(rd, t->place, t->state, &touched);

    if (!failed(e))
        e = store_expunged_since(rd, t->place, t->state, &gone, &complete);
    *can = !failed(e) && complete && !t->by_extremes && !match_has_count(t->restriction) &&
           is_worth_it(t, &touched);
    if (*can) {
        remove_leaves(t, &touched, &gone);
        t->follow = mem_new(sizeof *t->follow);
        t->follow->state = state;
        t->follow->touched = touched;
        touched = UIDSET_EMPTY;
    }
    uidset_done(&touched);
    uidset_done(&gone);
    return e;
}

static uint32_t end(struct mapi_table *t, struct store_read *rd)
{
    news_settle(t, rd, t->follow->state);
    t->state = t->follow->state;
    t->unseen_loaded = false;
    table_follow_free(t);
    if (t->n_categories) {
        categories_arrange(t);
        table_find_places(t);
    }
    return table_charge(t, leaves_bytes(t, t->leaves.cap));
}

uint32_t table_follow(struct mapi_table *t, struct store_read *rd, const struct store_folder *now,
                      bool *can, bool *more)
{
    struct err e = OK;

    /* Others changed between its turns: leaves are not where their keys are now. */
    if (t->follow && t->follow->state != now->modseq) {
        table_follow_free(t);
        *can = false;
        return EC_SUCCESS;
    }
    *can = true;
    if (!t->follow)
        e = begin(t, rd, now->modseq, can);
    if (!failed(e) && *can)
        e = insert_some(t, rd, more);
    /* A leaf that others are compared with went meanwhile. */
    if (e.code == ERR_NOT_FOUND) {
        table_follow_free(t);
        *can = false;
        return EC_SUCCESS;
    }
    if (failed(e) || !*can || *more)
        return mapi_ec_of(e);
    return end(t, rd);
}
