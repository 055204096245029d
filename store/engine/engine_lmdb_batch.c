/*
 * One batch in its child transaction: remembered ids, guard, blobs, changes, version.
 *
 * A child transaction costs 0.7 us and makes a refused batch leave no trace in the group.
 */
#include <assert.h>
#include <errno.h>

#include "base/mem.h"
#include "store/engine/engine_lmdb_int.h"

enum { ID_KEY_LEN = 8 + ENGINE_ID_LEN, ID_ROW_LEN = 16 };

/* ---- what `run` calls ---- */

struct engine_read *lmdb_write_read(struct engine_write *base)
{
    return &((struct lmdb_write *)base)->read.base;
}

static struct slice data_key(struct lmdb_write *w, uint8_t *full, struct slice key)
{
    put_u64(full, w->read.partition_id);
    if (key.len)
        memcpy(full + PREFIX_LEN, key.ptr, key.len);
    return slice_of(full, PREFIX_LEN + key.len);
}

/*
 * LMDB could do more in one transaction, but then it writes pages out early (and 0.9.24 leaks their
 * list, ITS#9155), and everybody else waits. What counts is how many of its 131,071 pages become
 * dirty, one a place at the most and a few for branches: keys that differ in the last four bits
 * only are mostly in one page. Overlooking the refusal does not help `run`.
 */
static struct err count(struct lmdb_write *w, bool beside, size_t bytes)
{
    w->changes++;
    w->places += !beside;
    w->bytes += bytes;
    if (w->places <= ENGINE_BATCH_CHANGES && w->changes <= 5ull * ENGINE_BATCH_CHANGES &&
        w->bytes <= ENGINE_BATCH_BYTES)
        return OK;
    if (!w->failure)
        w->failure = E2BIG;
    return lmdb_err(E2BIG);
}

static struct err count_key(struct lmdb_write *w, struct slice key, size_t bytes)
{
    size_t last = key.len - 1;
    bool beside = w->last_key_len == key.len && memcmp(w->last_key, key.ptr, last) == 0 &&
                  w->last_key[last] >> 4 == key.ptr[last] >> 4;

    memcpy(w->last_key, key.ptr, key.len);
    w->last_key_len = key.len;
    return count(w, beside, bytes);
}

struct err lmdb_write_count_link(struct lmdb_write *w, uint64_t blob_id)
{
    bool beside = w->last_blob && w->last_blob >> 4 == blob_id >> 4;

    w->last_blob = blob_id;
    return count(w, beside, 0);
}

static struct err changed(struct lmdb_write *w, int rc)
{
    if (rc && rc != MDB_NOTFOUND && !w->failure)
        w->failure = rc;
    return rc ? lmdb_err(rc) : OK;
}

/* The value may lie in a page that the put moves, where it was read in this batch: copy it. */
struct err lmdb_write_put(struct engine_write *base, struct slice key, struct slice value)
{
    struct lmdb_write *w = (struct lmdb_write *)base;
    uint8_t full[PREFIX_LEN + ENGINE_KEY_MAX];
    uint8_t *copy = w->eng->writer.scratch;

    key = data_key(w, full, key);
    struct err e = count_key(w, key, value.len);
    if (failed(e))
        return e;
    if (value.len)
        memcpy(copy, value.ptr, value.len);
    return changed(w, lmdb_put(w->eng, w->txn, DB_DATA, key, slice_of(copy, value.len)));
}

struct err lmdb_write_del(struct engine_write *base, struct slice key)
{
    struct lmdb_write *w = (struct lmdb_write *)base;
    uint8_t full[PREFIX_LEN + ENGINE_KEY_MAX];

    key = data_key(w, full, key);
    struct err e = count_key(w, key, 0);
    if (failed(e))
        return e;
    return changed(w, lmdb_del(w->eng, w->txn, DB_DATA, key));
}

/* ---- remembered ids ---- */

static bool has_id(const struct engine_batch *batch)
{
    static const uint8_t none[ENGINE_ID_LEN];

    return memcmp(batch->id, none, ENGINE_ID_LEN) != 0;
}

static struct slice id_key(uint8_t key[ID_KEY_LEN], uint64_t partition_id, const uint8_t *id)
{
    put_u64(key, partition_id);
    memcpy(key + 8, id, ENGINE_ID_LEN);
    return slice_of(key, ID_KEY_LEN);
}

/* 0: the batch was done before, and has its answer now. MDB_NOTFOUND: it was not. */
static int recall(struct lmdb_write *w)
{
    struct engine_batch *batch = w->batch;
    uint8_t key[ID_KEY_LEN];
    MDB_val v;

    if (!has_id(batch))
        return MDB_NOTFOUND;
    int rc = lmdb_get(w->eng, w->txn, DB_IDS, id_key(key, w->read.partition_id, batch->id), &v);
    if (rc)
        return rc;
    if (v.mv_size < ID_ROW_LEN || v.mv_size > ID_ROW_LEN + ENGINE_ANSWER_MAX)
        return MDB_CORRUPTED;
    const uint8_t *p = v.mv_data;
    batch->version = get_u64(p + 8);
    batch->answer_len = v.mv_size - ID_ROW_LEN;
    memcpy(batch->answer, p + ID_ROW_LEN, batch->answer_len);
    batch->repeated = true;
    return 0;
}

/* Forget the id that is REMEMBERED_IDS older than number `n`. */
static int forget_old(struct lmdb_write *w, uint64_t n)
{
    uint8_t number[16], key[ID_KEY_LEN];
    MDB_val v;

    if (n < REMEMBERED_IDS)
        return 0;
    put_u64(number, w->read.partition_id);
    put_u64(number + 8, n - REMEMBERED_IDS);
    int rc = lmdb_get(w->eng, w->txn, DB_IDLOG, slice_of(number, sizeof number), &v);
    if (rc)
        return rc == MDB_NOTFOUND ? 0 : rc;
    if (v.mv_size != ENGINE_ID_LEN)
        return MDB_CORRUPTED;
    id_key(key, w->read.partition_id, v.mv_data);
    rc = lmdb_del(w->eng, w->txn, DB_IDS, slice_of(key, sizeof key));
    if (rc && rc != MDB_NOTFOUND)
        return rc;
    return lmdb_del(w->eng, w->txn, DB_IDLOG, slice_of(number, sizeof number));
}

static int remember(struct lmdb_write *w, struct lmdb_part_row *row)
{
    struct engine_batch *batch = w->batch;
    uint8_t key[ID_KEY_LEN], number[16], value[ID_ROW_LEN + ENGINE_ANSWER_MAX];

    if (!has_id(batch))
        return 0;
    assert(batch->answer_len <= ENGINE_ANSWER_MAX);
    int rc = forget_old(w, row->n_ids);
    if (rc)
        return rc;
    put_u64(number, w->read.partition_id);
    put_u64(number + 8, row->n_ids);
    rc = lmdb_put(w->eng, w->txn, DB_IDLOG, slice_of(number, sizeof number),
                  slice_of(batch->id, ENGINE_ID_LEN));
    if (rc)
        return rc;
    put_u64(value, row->n_ids++);
    put_u64(value + 8, row->version);
    memcpy(value + ID_ROW_LEN, batch->answer, batch->answer_len);
    return lmdb_put(w->eng, w->txn, DB_IDS, id_key(key, w->read.partition_id, batch->id),
                    slice_of(value, ID_ROW_LEN + batch->answer_len));
}

/* ---- the steps ---- */

static struct err step_failed(struct lmdb_write *w, int rc)
{
    if (!w->failure)
        w->failure = rc;
    return lmdb_err(rc);
}

static struct err add_blobs(struct lmdb_write *w)
{
    const struct engine_batch *batch = w->batch;
    const struct lmdb_stage *stage = batch->engine_data;

    for (size_t i = 0; i < batch->n_blobs; i++) {
        struct err e = lmdb_blob_add(w, &batch->blobs[i], stage ? stage->ids[i] : 0);
        if (failed(e))
            return e;
    }
    return OK;
}

/* Blobs that came along but were not linked go on the dead list. */
static int bury_unlinked(struct lmdb_write *w)
{
    struct engine_blob_info info;

    for (size_t i = 0; i < w->n_fresh; i++) {
        int rc = lmdb_info_get(w->eng, w->txn, w->fresh[i], &info);
        if (rc == 0 && info.references == 0) {
            rc = lmdb_dead_put(w->eng, w->txn, info.id);
            w->made_dead = true;
        }
        if (rc)
            return rc;
    }
    return 0;
}

/* A batch that has changed nothing, and need not be remembered, is worth no commit. */
static bool made_no_change(const struct lmdb_write *w)
{
    return w->changes == 0 && w->n_fresh == 0 && !has_id(w->batch);
}

/* `row` is the partition's before the batch, and becomes the one after it. */
static struct err change_all(struct lmdb_write *w, struct lmdb_part_row *row)
{
    struct engine_batch *batch = w->batch;

    if (batch->guard_version && batch->guard_version != row->version)
        return ERR(ERR_CONFLICT, "the partition has another version");
    struct err e = add_blobs(w);
    if (failed(e))
        return e;
    batch->answer_len = 0;
    e = batch->run(&w->base, batch);
    if (failed(e))
        return e;
    if (w->failure)
        return lmdb_err(w->failure); /* `run` overlooked that a change was not made */
    if (made_no_change(w))
        return OK;
    row->version++;
    int rc = bury_unlinked(w);
    if (rc == 0)
        rc = remember(w, row);
    if (rc == 0)
        rc = lmdb_part_put(w->eng, w->txn, w->read.partition_id, row);
    return rc ? step_failed(w, rc) : OK;
}

static enum lmdb_ran ended(struct engine_batch *batch, enum engine_end end, struct err e,
                           enum lmdb_ran ran)
{
    batch->end = end;
    batch->err = e;
    return ran;
}

/* Whether LMDB had no room, so that a smaller transaction may succeed. */
static bool is_full(int rc)
{
    return rc == MDB_MAP_FULL || rc == MDB_TXN_FULL || rc == MDB_BAD_TXN;
}

static enum lmdb_ran run_in_child(struct lmdb_write *w)
{
    struct engine_batch *batch = w->batch;
    struct lmdb_part_row row;

    int rc = recall(w);
    if (rc == 0)
        return ended(batch, ENGINE_DONE, OK, RAN_UNDONE);
    if (rc != MDB_NOTFOUND)
        return ended(batch, ENGINE_REFUSED, lmdb_err(rc), RAN_UNDONE);
    rc = lmdb_part_get(w->eng, w->txn, w->read.partition_id, &row);
    if (rc)
        return ended(batch, ENGINE_REFUSED, lmdb_err(rc), RAN_UNDONE);
    struct err e = change_all(w, &row);
    if (is_full(w->failure))
        return ended(batch, ENGINE_REFUSED, lmdb_err(w->failure), RAN_FULL);
    if (failed(e))
        return ended(batch, ENGINE_REFUSED, e, RAN_UNDONE);
    batch->version = row.version;
    return ended(batch, ENGINE_DONE, OK, made_no_change(w) ? RAN_UNDONE : RAN_KEPT);
}

/* Cursors that `run` left open die with the transaction. */
static void child_over(struct lmdb_write *w)
{
    lmdb_cursors_forget(&w->read);
    free(w->fresh);
}

enum lmdb_ran lmdb_batch_run(struct lmdb_engine *eng, MDB_txn *parent, struct engine_batch *batch,
                             bool *made_dead)
{
    struct lmdb_write w = {
        .base.ops = &lmdb_ops,
        .eng = eng,
        .batch = batch,
        .read = {.base.ops = &lmdb_ops, .eng = eng, .partition_id = batch->partition->id},
    };

    batch->version = 0;
    batch->repeated = false;
    batch->answer_len = 0;
    int rc = mdb_txn_begin(eng->env, parent, 0, &w.txn);
    if (rc)
        return ended(batch, ENGINE_REFUSED, lmdb_err(rc), is_full(rc) ? RAN_FULL : RAN_UNDONE);
    w.read.txn = w.txn;
    w.read.write = &w;
    enum lmdb_ran ran = run_in_child(&w);
    if (ran != RAN_KEPT) {
        mdb_txn_abort(w.txn);
        child_over(&w);
        return ran;
    }
    rc = mdb_txn_commit(w.txn);
    child_over(&w);
    if (rc)
        return ended(batch, ENGINE_REFUSED, lmdb_err(rc), RAN_FULL);
    *made_dead |= w.made_dead;
    return RAN_KEPT;
}
