/* Open partitions, counted, one object for each id; and who watches them. */
#include <assert.h>

#include "base/mem.h"
#include "store/engine/engine_lmdb_int.h"

enum { PART_ROW_LEN = 16 };

/* ---- the row of a partition ---- */

int lmdb_part_get(struct lmdb_engine *eng, MDB_txn *txn, uint64_t id, struct lmdb_part_row *out)
{
    uint8_t key[8];
    MDB_val v;

    put_u64(key, id);
    int rc = lmdb_get(eng, txn, DB_PARTS, slice_of(key, sizeof key), &v);
    if (rc == MDB_NOTFOUND) {
        *out = (struct lmdb_part_row){0};
        return 0;
    }
    if (rc)
        return rc;
    if (v.mv_size != PART_ROW_LEN)
        return MDB_CORRUPTED;
    out->version = get_u64(v.mv_data);
    out->n_ids = get_u64((const uint8_t *)v.mv_data + 8);
    return 0;
}

int lmdb_part_put(struct lmdb_engine *eng, MDB_txn *txn, uint64_t id,
                  const struct lmdb_part_row *row)
{
    uint8_t key[8], value[PART_ROW_LEN];

    put_u64(key, id);
    put_u64(value, row->version);
    put_u64(value + 8, row->n_ids);
    return lmdb_put(eng, txn, DB_PARTS, slice_of(key, sizeof key), slice_of(value, sizeof value));
}

/* ---- opening and closing ---- */

static struct lmdb_partition *find(struct lmdb_engine *eng, uint64_t id)
{
    struct idnode *node = idmap_find(&eng->parts, id);

    return node ? CONTAINER_OF(node, struct lmdb_partition, node) : NULL;
}

static struct lmdb_partition *hold_or_make(struct lmdb_engine *eng, uint64_t id, uint64_t version)
{
    pthread_mutex_lock(&eng->parts_lock);
    struct lmdb_partition *p = find(eng, id);
    if (!p) {
        p = mem_new(sizeof *p);
        p->base.engine = &eng->base;
        p->base.id = p->node.id = id;
        p->committed = version;
        idmap_add(&eng->parts, &p->node);
    }
    p->refs++;
    pthread_mutex_unlock(&eng->parts_lock);
    return p;
}

void lmdb_open_partition(struct engine *engine, struct engine_open *rq)
{
    struct lmdb_engine *eng = (struct lmdb_engine *)engine;
    struct lmdb_read *rd;

    struct err e = lmdb_snapshot(eng, rq->partition_id, &rd);
    if (failed(e)) {
        engine_open_answer(rq, ENGINE_UNAVAILABLE, e);
        return;
    }
    uint64_t version = lmdb_read_version(&rd->base);
    lmdb_read_end(&rd->base);
    rq->partition = &hold_or_make(eng, rq->partition_id, version)->base;
    engine_open_answer(rq, ENGINE_DONE, OK);
}

void lmdb_partition_hold(struct lmdb_partition *p)
{
    struct lmdb_engine *eng = (struct lmdb_engine *)p->base.engine;

    pthread_mutex_lock(&eng->parts_lock);
    p->refs++;
    pthread_mutex_unlock(&eng->parts_lock);
}

void lmdb_partition_close(struct engine_partition *base)
{
    struct lmdb_partition *p = (struct lmdb_partition *)base;
    struct lmdb_engine *eng = (struct lmdb_engine *)base->engine;
    bool last = false;

    pthread_mutex_lock(&eng->parts_lock);
    assert(p->refs > 0);
    if (--p->refs > 0) {
        p = NULL;
    } else {
        idmap_remove(&eng->parts, &p->node);
        last = eng->parts.count == 0 && eng->ended;
    }
    pthread_mutex_unlock(&eng->parts_lock);
    free(p);
    if (last)
        lmdb_engine_free(eng);
}

/* ---- watches ---- */

enum watch_state { WATCH_QUIET, WATCH_POSTED, WATCH_STOPPING };

static void run_watch(struct task *task)
{
    struct engine_watch *watch = CONTAINER_OF(task, struct engine_watch, task);
    struct lmdb_partition *p = (struct lmdb_partition *)watch->partition;
    struct lmdb_engine *eng = (struct lmdb_engine *)p->base.engine;

    pthread_mutex_lock(&eng->parts_lock);
    bool stopping = watch->state == WATCH_STOPPING;
    uint64_t reached = watch->reached;
    if (!stopping)
        watch->state = WATCH_QUIET;
    pthread_mutex_unlock(&eng->parts_lock);
    if (!stopping) {
        watch->version = reached;
        watch->changed(watch);
        return;
    }
    if (watch->stopped)
        watch->stopped(watch);
    lmdb_partition_close(&p->base);
}

void lmdb_watch_start(struct engine_partition *partition, struct engine_watch *watch)
{
    struct lmdb_partition *p = (struct lmdb_partition *)partition;
    struct lmdb_engine *eng = (struct lmdb_engine *)partition->engine;

    pthread_mutex_lock(&eng->parts_lock);
    p->refs++;
    watch->task.run = run_watch;
    watch->state = WATCH_QUIET;
    watch->version = watch->reached = p->committed;
    watch->prev = NULL;
    watch->next = p->watches;
    if (p->watches)
        p->watches->prev = watch;
    p->watches = watch;
    pthread_mutex_unlock(&eng->parts_lock);
}

void lmdb_watch_stop(struct engine_watch *watch)
{
    struct lmdb_partition *p = (struct lmdb_partition *)watch->partition;
    struct lmdb_engine *eng = (struct lmdb_engine *)p->base.engine;

    pthread_mutex_lock(&eng->parts_lock);
    if (watch->prev)
        watch->prev->next = watch->next;
    else
        p->watches = watch->next;
    if (watch->next)
        watch->next->prev = watch->prev;
    bool posted = watch->state == WATCH_POSTED;
    watch->state = WATCH_STOPPING;
    pthread_mutex_unlock(&eng->parts_lock);
    if (!posted)
        executor_post(watch->home, &watch->task);
}

/* Posting under the lock: until a watch is unlinked under it, its memory is there. */
static void notify_locked(struct lmdb_partition *p, uint64_t version)
{
    if (version <= p->committed)
        return;
    p->committed = version;
    for (struct engine_watch *watch = p->watches; watch; watch = watch->next) {
        watch->reached = version;
        if (watch->state != WATCH_QUIET)
            continue;
        watch->state = WATCH_POSTED;
        executor_post(watch->home, &watch->task);
    }
}

void lmdb_notify(struct lmdb_partition *p, uint64_t version)
{
    struct lmdb_engine *eng = (struct lmdb_engine *)p->base.engine;

    pthread_mutex_lock(&eng->parts_lock);
    notify_locked(p, version);
    pthread_mutex_unlock(&eng->parts_lock);
}

void lmdb_notify_id(struct lmdb_engine *eng, uint64_t partition_id, uint64_t version)
{
    pthread_mutex_lock(&eng->parts_lock);
    struct lmdb_partition *p = find(eng, partition_id);
    if (p)
        notify_locked(p, version);
    pthread_mutex_unlock(&eng->parts_lock);
}

/* The ids of the partitions that are watched; free() it. */
static uint64_t *watched_ids(struct lmdb_engine *eng, size_t *n)
{
    size_t count = 0;

    pthread_mutex_lock(&eng->parts_lock);
    uint64_t *ids = mem_array(eng->parts.count + 1, sizeof *ids);
    for (size_t i = 0; i < eng->parts.n_buckets; i++)
        for (struct idnode *node = eng->parts.buckets[i]; node; node = node->next)
            if (CONTAINER_OF(node, struct lmdb_partition, node)->watches)
                ids[count++] = node->id;
    pthread_mutex_unlock(&eng->parts_lock);
    *n = count;
    return ids;
}

void lmdb_notify_all(struct lmdb_engine *eng)
{
    enum { AT_ONCE = 1024 }; /* look-ups in one snapshot */
    struct lmdb_part_row row;
    struct lmdb_read *rd;
    size_t n;
    uint64_t *ids = watched_ids(eng, &n);

    for (size_t from = 0; from < n; from += AT_ONCE) {
        if (failed(lmdb_snapshot(eng, 0, &rd)))
            break;
        for (size_t i = from; i < n && i < from + AT_ONCE; i++)
            if (lmdb_part_get(eng, rd->txn, ids[i], &row) == 0)
                lmdb_notify_id(eng, ids[i], row.version);
        lmdb_read_end(&rd->base);
    }
    free(ids);
}
