/*
 * Snapshots and cursors.
 *
 * Beginning an LMDB read transaction costs more than renewing one, and its slot in the reader
 * table is scarce; so ended snapshots are kept, reset, with their cursors. A pool is striped by
 * thread, and its lock is held for a few loads and stores only.
 */
#include <assert.h>

#include "base/mem.h"
#include "store/engine/engine_lmdb_int.h"

struct lmdb_cursor {
    struct engine_cursor base;
    struct lmdb_read *rd;
    MDB_cursor *mc;
    bool placed;
    struct lmdb_cursor *next, **at;
    /* in a batch only: where it is, to find the place again when the batch has changed something */
    uint64_t changes;
    uint8_t key[PREFIX_LEN + ENGINE_KEY_MAX];
    size_t key_len;
};

/* ---- the pool ---- */

void lmdb_pool_init(struct lmdb_engine *eng)
{
    for (int i = 0; i < STRIPES; i++)
        pthread_mutex_init(&eng->stripes[i].mutex, NULL);
}

static void free_cursors(struct lmdb_cursor *cursor, bool close)
{
    while (cursor) {
        struct lmdb_cursor *next = cursor->next;

        if (close)
            mdb_cursor_close(cursor->mc);
        free(cursor);
        cursor = next;
    }
}

static void read_free(struct lmdb_read *rd)
{
    free_cursors(rd->idle_cursors, true);
    mdb_txn_abort(rd->txn);
    free(rd);
}

void lmdb_pool_done(struct lmdb_engine *eng)
{
    for (int i = 0; i < STRIPES; i++) {
        struct lmdb_stripe *stripe = &eng->stripes[i];

        assert(atomic_load(&stripe->active) == 0);
        for (struct lmdb_read *rd = stripe->all, *next; rd; rd = next) {
            next = rd->next_all;
            read_free(rd);
        }
        pthread_mutex_destroy(&stripe->mutex);
    }
}

static struct lmdb_stripe *my_stripe(struct lmdb_engine *eng)
{
    static atomic_uint threads;
    static _Thread_local unsigned mine; /* 0: not yet chosen */

    if (!mine)
        mine = atomic_fetch_add(&threads, 1) % STRIPES + 1;
    return &eng->stripes[mine - 1];
}

static struct lmdb_read *pool_take(struct lmdb_engine *eng)
{
    struct lmdb_stripe *stripe = my_stripe(eng);

    pthread_mutex_lock(&stripe->mutex);
    struct lmdb_read *rd = stripe->idle;
    if (rd) {
        stripe->idle = rd->next_idle;
        stripe->n_idle--;
    } else {
        rd = mem_new(sizeof *rd);
        rd->base.ops = &lmdb_ops;
        rd->eng = eng;
        rd->stripe = stripe;
        rd->next_all = stripe->all;
        stripe->all = rd;
    }
    atomic_fetch_add(&stripe->active, 1);
    pthread_mutex_unlock(&stripe->mutex);
    return rd;
}

static void unlist(struct lmdb_stripe *stripe, struct lmdb_read *rd)
{
    struct lmdb_read **at = &stripe->all;

    while (*at != rd)
        at = &(*at)->next_all;
    *at = rd->next_all;
}

/* `rd` holds no transaction, or a reset one. */
static void pool_give(struct lmdb_read *rd)
{
    struct lmdb_stripe *stripe = rd->stripe;

    /* lmdb_remap() waits for this with the stripes locked. */
    atomic_fetch_sub(&stripe->active, 1);
    pthread_mutex_lock(&stripe->mutex);
    if (rd->txn && stripe->n_idle < STRIPE_IDLE) {
        rd->next_idle = stripe->idle;
        stripe->idle = rd;
        stripe->n_idle++;
        rd = NULL;
    } else {
        unlist(stripe, rd);
    }
    pthread_mutex_unlock(&stripe->mutex);
    if (rd)
        read_free(rd);
}

static int renew(struct lmdb_read *rd)
{
    return rd->txn ? mdb_txn_renew(rd->txn)
                   : mdb_txn_begin(rd->eng->env, NULL, MDB_RDONLY, &rd->txn);
}

/* ---- snapshots ---- */

struct err lmdb_snapshot(struct lmdb_engine *eng, uint64_t partition_id, struct lmdb_read **out)
{
    if (atomic_load_explicit(&eng->closed, memory_order_relaxed))
        return ERR(ERR_UNAVAILABLE, "the store is closed");
    for (int attempt = 0;; attempt++) {
        if (atomic_load_explicit(&eng->broken, memory_order_relaxed))
            return ERR(ERR_UNAVAILABLE, "the store's map was lost");
        struct lmdb_read *rd = pool_take(eng);
        int rc = renew(rd);

        if (rc == 0) {
            rd->partition_id = partition_id;
            atomic_store_explicit(&rd->since_ms, lmdb_now_coarse_ms(), memory_order_relaxed);
            *out = rd;
            return OK;
        }
        pool_give(rd);
        if (attempt == 2)
            return lmdb_err(rc);
        if (rc == MDB_READERS_FULL) {
            mdb_reader_check(eng->env, NULL);
        } else if (rc == MDB_MAP_RESIZED) {
            struct err e = lmdb_remap(eng);
            if (failed(e))
                return e;
        } else {
            return lmdb_err(rc);
        }
    }
}

struct err lmdb_read_begin(struct engine_partition *partition, struct engine_read **out)
{
    struct lmdb_engine *eng = (struct lmdb_engine *)partition->engine;
    struct lmdb_read *rd = NULL;

    struct err e = lmdb_snapshot(eng, partition->id, &rd);
    if (!failed(e))
        *out = &rd->base;
    return e;
}

void lmdb_read_end(struct engine_read *base)
{
    struct lmdb_read *rd = (struct lmdb_read *)base;

    assert(!rd->write && !rd->open_cursors);
    atomic_store_explicit(&rd->since_ms, 0, memory_order_relaxed);
    mdb_txn_reset(rd->txn);
    pool_give(rd);
}

uint64_t lmdb_read_version(struct engine_read *base)
{
    struct lmdb_read *rd = (struct lmdb_read *)base;
    struct lmdb_part_row row;

    return lmdb_part_get(rd->eng, rd->txn, rd->partition_id, &row) ? 0 : row.version;
}

/* ---- keys ---- */

struct full_key {
    uint8_t bytes[PREFIX_LEN + ENGINE_KEY_MAX];
    size_t len;
};

static void full_key_make(struct full_key *full, uint64_t partition_id, struct slice key)
{
    put_u64(full->bytes, partition_id);
    if (key.len)
        memcpy(full->bytes + PREFIX_LEN, key.ptr, key.len);
    full->len = PREFIX_LEN + key.len;
}

static bool is_in_partition(MDB_val key, uint64_t partition_id)
{
    return key.mv_size >= PREFIX_LEN && get_u64(key.mv_data) == partition_id;
}

struct err lmdb_read_get(struct engine_read *base, struct slice key, struct slice *value)
{
    struct lmdb_read *rd = (struct lmdb_read *)base;
    struct full_key full;
    MDB_val v;

    full_key_make(&full, rd->partition_id, key);
    int rc = lmdb_get(rd->eng, rd->txn, DB_DATA, slice_of(full.bytes, full.len), &v);
    if (rc)
        return lmdb_err(rc);
    *value = slice_of_val(v);
    return OK;
}

/* ---- cursors ---- */

/*
 * Memory for a cursor is all or nothing: mdb_cursor_open() fails only without memory or on a
 * transaction that is broken; both show at its first use as mc == NULL.
 */
struct engine_cursor *lmdb_cursor_open(struct engine_read *base)
{
    struct lmdb_read *rd = (struct lmdb_read *)base;
    struct lmdb_cursor *cursor = rd->idle_cursors;

    if (cursor) {
        rd->idle_cursors = cursor->next;
        if (mdb_cursor_renew(rd->txn, cursor->mc)) {
            mdb_cursor_close(cursor->mc);
            cursor->mc = NULL;
        }
    } else {
        cursor = mem_new(sizeof *cursor);
        cursor->base.ops = &lmdb_ops;
        cursor->rd = rd;
        if (mdb_cursor_open(rd->txn, rd->eng->dbi[DB_DATA], &cursor->mc))
            cursor->mc = NULL;
    }
    cursor->placed = false;
    cursor->next = rd->open_cursors;
    cursor->at = &rd->open_cursors;
    if (cursor->next)
        cursor->next->at = &cursor->next;
    rd->open_cursors = cursor;
    return &cursor->base;
}

void lmdb_cursor_close(struct engine_cursor *base)
{
    struct lmdb_cursor *cursor = (struct lmdb_cursor *)base;
    struct lmdb_read *rd = cursor->rd;

    *cursor->at = cursor->next;
    if (cursor->next)
        cursor->next->at = cursor->at;
    if (rd->write || !cursor->mc) {
        if (cursor->mc)
            mdb_cursor_close(cursor->mc);
        free(cursor);
        return;
    }
    cursor->next = rd->idle_cursors;
    rd->idle_cursors = cursor;
}

void lmdb_cursors_forget(struct lmdb_read *rd)
{
    free_cursors(rd->open_cursors, false);
    rd->open_cursors = NULL;
}

/* The cursor is where `rc` says: tell what is there. */
static struct err arrived(struct lmdb_cursor *cursor, int rc, MDB_val k, MDB_val v,
                          struct slice *key, struct slice *value)
{
    struct lmdb_read *rd = cursor->rd;

    cursor->placed = false;
    if (rc == MDB_NOTFOUND || (rc == 0 && !is_in_partition(k, rd->partition_id)))
        return ERR(ERR_NOT_FOUND, "no further key in the partition");
    if (rc)
        return lmdb_err(rc);
    if (k.mv_size > sizeof cursor->key) /* LMDB has longer ones; who copies it has no room for it */
        return ERR(ERR_CORRUPT, "a key is longer than any that was put");
    cursor->placed = true;
    if (rd->write) {
        cursor->changes = rd->write->changes;
        cursor->key_len = k.mv_size;
        memcpy(cursor->key, k.mv_data, k.mv_size);
    }
    *key = slice_from(slice_of_val(k), PREFIX_LEN);
    *value = slice_of_val(v);
    return OK;
}

static int move_at_or_after(struct lmdb_cursor *cursor, struct slice full, MDB_val *k, MDB_val *v)
{
    *k = val_of(full.ptr, full.len);
    return mdb_cursor_get(cursor->mc, k, v, MDB_SET_RANGE);
}

static int move_before(struct lmdb_cursor *cursor, struct slice full, MDB_val *k, MDB_val *v)
{
    int rc = move_at_or_after(cursor, full, k, v);

    if (rc == MDB_NOTFOUND)
        return mdb_cursor_get(cursor->mc, k, v, MDB_LAST);
    return rc ? rc : mdb_cursor_get(cursor->mc, k, v, MDB_PREV);
}

static int move_after(struct lmdb_cursor *cursor, struct slice full, MDB_val *k, MDB_val *v)
{
    int rc = move_at_or_after(cursor, full, k, v);

    if (rc == 0 && slice_eq(slice_of_val(*k), full))
        rc = mdb_cursor_get(cursor->mc, k, v, MDB_NEXT);
    return rc;
}

#define NO_CURSOR ERR(ERR_UNAVAILABLE, "no cursor could be made")

struct err lmdb_cursor_seek(struct engine_cursor *base, struct slice from, struct slice *key,
                            struct slice *value)
{
    struct lmdb_cursor *cursor = (struct lmdb_cursor *)base;
    struct full_key full;
    MDB_val k, v;

    if (!cursor->mc)
        return NO_CURSOR;
    full_key_make(&full, cursor->rd->partition_id, from);
    int rc = move_at_or_after(cursor, slice_of(full.bytes, full.len), &k, &v);
    return arrived(cursor, rc, k, v, key, value);
}

struct err lmdb_cursor_seek_before(struct engine_cursor *base, struct slice before,
                                   struct slice *key, struct slice *value)
{
    struct lmdb_cursor *cursor = (struct lmdb_cursor *)base;
    struct full_key full;
    MDB_val k, v;

    if (!cursor->mc)
        return NO_CURSOR;
    full_key_make(&full, cursor->rd->partition_id, before);
    int rc = move_before(cursor, slice_of(full.bytes, full.len), &k, &v);
    return arrived(cursor, rc, k, v, key, value);
}

static bool must_seek_again(const struct lmdb_cursor *cursor)
{
    return cursor->rd->write && cursor->changes != cursor->rd->write->changes;
}

static struct err nowhere(struct lmdb_cursor *cursor)
{
    return cursor->mc ? ERR(ERR_NOT_FOUND, "the cursor is nowhere") : NO_CURSOR;
}

struct err lmdb_cursor_next(struct engine_cursor *base, struct slice *key, struct slice *value)
{
    struct lmdb_cursor *cursor = (struct lmdb_cursor *)base;
    MDB_val k, v;
    int rc;

    if (!cursor->placed)
        return nowhere(cursor);
    if (must_seek_again(cursor))
        rc = move_after(cursor, slice_of(cursor->key, cursor->key_len), &k, &v);
    else
        rc = mdb_cursor_get(cursor->mc, &k, &v, MDB_NEXT);
    return arrived(cursor, rc, k, v, key, value);
}

struct err lmdb_cursor_prev(struct engine_cursor *base, struct slice *key, struct slice *value)
{
    struct lmdb_cursor *cursor = (struct lmdb_cursor *)base;
    MDB_val k, v;
    int rc;

    if (!cursor->placed)
        return nowhere(cursor);
    if (must_seek_again(cursor))
        rc = move_before(cursor, slice_of(cursor->key, cursor->key_len), &k, &v);
    else
        rc = mdb_cursor_get(cursor->mc, &k, &v, MDB_PREV);
    return arrived(cursor, rc, k, v, key, value);
}
