/*
 * The writer thread: all that waits becomes one group, one durable commit, then the answers.
 *
 * It does not wait for a group to fill: while one commit is being synced the next group gathers.
 * A batch that brings more blob bytes than a group may hold is staged: its blobs are stored in
 * commits of their own, under ids that nothing refers to, and groups of other partitions run in
 * between. Batches of the same partition wait behind it, so that their order stays.
 *
 * When LMDB or the disk has no room for a group, its batches are tried again one by one, so that
 * only those are refused that do not fit. On a full disk write() is cut short and LMDB reports EIO,
 * so that means "no space" here.
 */
#include <assert.h>
#include <errno.h>

#include "base/mem.h"
#include "store/engine/engine_lmdb_int.h"

enum { SWEEP_RETRY_MS = 1000, STAGE_BYTES = 2 << 20 };

struct group {
    struct engine_batch *batches[GROUP_BATCHES];
    size_t n;
};

/* ---- transactions ---- */

int lmdb_begin(struct lmdb_engine *eng, MDB_txn **txn)
{
    for (int attempt = 0;; attempt++) {
        pthread_mutex_lock(&eng->txn_lock);
        int rc = atomic_load(&eng->broken) ? MDB_PANIC : mdb_txn_begin(eng->env, NULL, 0, txn);
        if (rc == 0)
            return 0;
        pthread_mutex_unlock(&eng->txn_lock);
        if (rc != MDB_MAP_RESIZED || attempt == 2 || failed(lmdb_remap(eng)))
            return rc;
    }
}

int lmdb_commit(struct lmdb_engine *eng, MDB_txn *txn)
{
    int rc = mdb_txn_commit(txn);

    pthread_mutex_unlock(&eng->txn_lock);
    if (rc == 0)
        atomic_fetch_add(&eng->commits, 1);
    else
        lmdb_log(eng, LOG_LEVEL_ERROR, "store.commit_failed", rc);
    return rc;
}

void lmdb_abort(struct lmdb_engine *eng, MDB_txn *txn)
{
    mdb_txn_abort(txn);
    pthread_mutex_unlock(&eng->txn_lock);
}

/* After a failed commit: did it fail while the meta page was written, so that nobody knows? */
static bool end_is_unknown(struct lmdb_engine *eng)
{
    MDB_txn *txn;
    int rc = lmdb_begin(eng, &txn);

    if (rc == 0)
        lmdb_abort(eng, txn);
    return rc == MDB_PANIC;
}

static struct err commit_err(int rc)
{
    if (rc == EIO || rc == EFBIG)
        return ERR(ERR_NO_SPACE, "the commit could not be written: the disk is full or failing");
    return lmdb_err(rc);
}

/* ---- staging ---- */

static uint64_t blob_bytes(const struct engine_batch *batch)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < batch->n_blobs; i++)
        sum += batch->blobs[i].bytes.len + batch->blobs[i].meta.len;
    return sum;
}

static bool is_staged(const struct engine_batch *batch)
{
    const struct lmdb_stage *stage = batch->engine_data;

    return stage && stage->at == batch->n_blobs;
}

static void stage_free(struct lmdb_engine *eng, struct engine_batch *batch)
{
    struct lmdb_stage *stage = batch->engine_data;

    if (!stage)
        return;
    for (size_t i = 0; i < batch->n_blobs; i++)
        if (stage->ids[i])
            lmdb_blob_unpin(&eng->base, stage->ids[i]);
    free(stage);
    batch->engine_data = NULL;
    /* What was stored and not published is on the dead list. */
    eng->writer.dead_known = true;
}

/* Begin the blob at stage->at: an id of its own, unless it is there already. */
static int stage_blob_begin(struct lmdb_engine *eng, MDB_txn *txn, const struct engine_batch *batch,
                            struct lmdb_stage *stage)
{
    struct lmdb_state state;
    uint64_t id;

    int rc = lmdb_hash_get(eng, txn, batch->blobs[stage->at].hash, &id);
    if (rc == 0) {
        stage->at++;
        return 0;
    }
    if (rc == MDB_NOTFOUND)
        rc = lmdb_state_get(eng, txn, &state);
    if (rc)
        return rc;
    id = state.next_blob++;
    /* Other processes must not sweep what is being staged, hence the pin. */
    lmdb_blob_pin(&eng->base, id);
    stage->ids[stage->at] = id;
    rc = lmdb_state_put(eng, txn, &state);
    return rc ? rc : lmdb_dead_put(eng, txn, id);
}

static int stage_some(struct lmdb_engine *eng, MDB_txn *txn, const struct engine_batch *batch,
                      struct lmdb_stage *stage)
{
    uint64_t stored = 0;

    while (stage->at < batch->n_blobs && stored < STAGE_BYTES) {
        struct slice bytes = batch->blobs[stage->at].bytes;
        int rc = 0;

        if (!stage->ids[stage->at]) {
            rc = stage_blob_begin(eng, txn, batch, stage);
        } else if (stage->offset < bytes.len) {
            rc = lmdb_chunk_put(eng, txn, stage->ids[stage->at], bytes, stage->offset);
            stage->offset += CHUNK_BYTES;
            stored += CHUNK_BYTES;
        } else {
            stage->at++;
            stage->offset = 0;
        }
        if (rc)
            return rc;
    }
    return 0;
}

/* Store the next few megabytes of a big batch's blobs. */
static int stage_slice(struct lmdb_engine *eng, struct engine_batch *batch)
{
    struct lmdb_stage *stage = batch->engine_data;
    MDB_txn *txn;

    if (!stage)
        batch->engine_data = stage = mem_new(sizeof *stage + batch->n_blobs * sizeof stage->ids[0]);
    int rc = lmdb_begin(eng, &txn);
    if (rc)
        return rc;
    rc = stage_some(eng, txn, batch, stage);
    if (rc) {
        lmdb_abort(eng, txn);
        return rc;
    }
    return lmdb_commit(eng, txn);
}

/* ---- answering ---- */

static void answer(struct lmdb_engine *eng, struct engine_batch *batch, enum engine_end end,
                   struct err e)
{
    struct lmdb_partition *p = (struct lmdb_partition *)batch->partition;
    uint64_t version = batch->version;

    stage_free(eng, batch);
    engine_batch_answer(batch, end, e);
    if (end == ENGINE_DONE)
        lmdb_notify(p, version);
    lmdb_partition_close(&p->base);
}

static void answer_all(struct lmdb_engine *eng, struct engine_batch **batches, size_t n)
{
    struct lmdb_change changes[GROUP_BATCHES];
    size_t n_changes = 0;

    for (size_t i = 0; i < n; i++) {
        if (batches[i]->end == ENGINE_DONE && !batches[i]->repeated)
            changes[n_changes++] =
                (struct lmdb_change){batches[i]->partition->id, batches[i]->version};
        atomic_fetch_add(&eng->batches, 1);
        answer(eng, batches[i], batches[i]->end, batches[i]->err);
    }
    if (n_changes)
        lmdb_peers_tell(eng, changes, n_changes);
}

static void answer_failed(struct lmdb_engine *eng, struct engine_batch *batch, int rc)
{
    if (end_is_unknown(eng))
        answer(eng, batch, ENGINE_UNKNOWN, ERR(ERR_UNKNOWN_END, "the commit broke off"));
    else
        answer(eng, batch, ENGINE_REFUSED, commit_err(rc));
}

/* ---- groups ---- */

/*
 * Run batches under one transaction until all are run, or one finds no room behind others; *ran
 * says how many, at least one. Returns what the commit said.
 */
static int run_group(struct lmdb_engine *eng, MDB_txn *txn, struct engine_batch **batches, size_t n,
                     size_t *ran)
{
    bool changes = false, made_dead = false;

    for (*ran = 0; *ran < n; ++*ran) {
        enum lmdb_ran how = lmdb_batch_run(eng, txn, batches[*ran], &made_dead);

        if (how == RAN_FULL && changes)
            break; /* alone it may fit */
        changes |= how == RAN_KEPT;
        if (how == RAN_FULL) {
            ++*ran;
            break; /* and the transaction may be unusable */
        }
    }
    if (!changes) {
        lmdb_abort(eng, txn);
        return 0;
    }
    uint64_t id = mdb_txn_id(txn);
    int rc = lmdb_commit(eng, txn);
    if (rc == 0) {
        eng->writer.settled = false;
        eng->writer.last_txn = id;
        eng->writer.dead_known |= made_dead;
    }
    return rc;
}

/*
 * LMDB uses pages again two transactions after the one that freed them. Before anything is refused
 * for want of space, make the one in between, where there was none since the last change. True:
 * there may be room now.
 */
static bool make_space_usable(struct lmdb_engine *eng)
{
    struct lmdb_state state;
    MDB_txn *txn;

    if (eng->writer.settled || lmdb_begin(eng, &txn))
        return false;
    eng->writer.settled = true;
    if (lmdb_state_get(eng, txn, &state) || lmdb_state_put(eng, txn, &state)) {
        lmdb_abort(eng, txn);
        return false;
    }
    return lmdb_commit(eng, txn) == 0;
}

/* Was the one batch that ran refused for want of space, by LMDB or by the commit? */
static bool had_no_room(const struct engine_batch *batch, size_t ran, int rc)
{
    if (ran != 1)
        return false;
    return rc ? commit_err(rc).code == ERR_NO_SPACE
              : batch->end == ENGINE_REFUSED && batch->err.code == ERR_NO_SPACE;
}

static void run_batches(struct lmdb_engine *eng, struct engine_batch **batches, size_t n);

static void commit_one_by_one(struct lmdb_engine *eng, struct engine_batch **batches, size_t n,
                              int rc)
{
    if (n == 1 || end_is_unknown(eng)) {
        for (size_t i = 0; i < n; i++)
            answer_failed(eng, batches[i], rc);
        return;
    }
    for (size_t i = 0; i < n; i++)
        run_batches(eng, &batches[i], 1);
}

static void run_batches(struct lmdb_engine *eng, struct engine_batch **batches, size_t n)
{
    MDB_txn *txn;

    while (n > 0) {
        size_t ran;
        int rc = lmdb_begin(eng, &txn);

        if (rc) {
            for (size_t i = 0; i < n; i++)
                answer(eng, batches[i], ENGINE_UNAVAILABLE, lmdb_err(rc));
            return;
        }
        rc = run_group(eng, txn, batches, n, &ran);
        if (had_no_room(batches[0], ran, rc) && make_space_usable(eng))
            continue;
        if (rc)
            commit_one_by_one(eng, batches, ran, rc);
        else
            answer_all(eng, batches, ran);
        batches += ran;
        n -= ran;
    }
}

/* ---- what waits ---- */

/* Take *at out of the list of waiting batches. */
static struct engine_batch *unlink_at(struct lmdb_writer *wr, struct engine_batch **at)
{
    struct engine_batch *batch = *at;

    *at = batch->next;
    if (!*at)
        wr->waiting_end = at;
    return batch;
}

/* Choose the next group; *to_stage is the first batch that has blobs to be stored beforehand. */
static void choose(struct lmdb_engine *eng, struct group *group, struct engine_batch **to_stage)
{
    struct lmdb_writer *wr = &eng->writer;
    uint64_t now = lmdb_now_ms(), bytes = 0;

    group->n = 0;
    *to_stage = NULL;
    wr->round++;
    for (struct engine_batch **at = &wr->waiting; *at && group->n < GROUP_BATCHES;) {
        struct lmdb_partition *p = (struct lmdb_partition *)(*at)->partition;
        uint64_t size = is_staged(*at) ? 0 : blob_bytes(*at);

        if (p->blocked_round == wr->round) {
            at = &(*at)->next;
        } else if (now >= (*at)->due_ms) {
            answer(eng, unlink_at(wr, at), ENGINE_UNAVAILABLE,
                   ERR(ERR_TIMEOUT, "it waited beyond its deadline"));
        } else if (size > GROUP_BYTES) {
            p->blocked_round = wr->round;
            *to_stage = *to_stage ? *to_stage : *at;
            at = &(*at)->next;
        } else if (bytes + size > GROUP_BYTES) {
            break;
        } else {
            bytes += size;
            group->batches[group->n++] = unlink_at(wr, at);
        }
    }
}

/* The list of waiting batches has `batch` in it: find where. */
static struct engine_batch **place_of(struct lmdb_writer *wr, struct engine_batch *batch)
{
    struct engine_batch **at = &wr->waiting;

    while (*at != batch)
        at = &(*at)->next;
    return at;
}

static void stage(struct lmdb_engine *eng, struct engine_batch *batch)
{
    int rc = stage_slice(eng, batch);

    if (rc && commit_err(rc).code == ERR_NO_SPACE)
        (void)make_space_usable(eng); /* for who comes next */
    if (rc)
        answer_failed(eng, unlink_at(&eng->writer, place_of(&eng->writer, batch)), rc);
}

/* Do the work of one turn. */
static void write_some(struct lmdb_engine *eng)
{
    struct engine_batch *to_stage;
    struct group group;

    mdb_reader_check(eng->env, NULL);
    choose(eng, &group, &to_stage);
    run_batches(eng, group.batches, group.n);
    if (to_stage)
        stage(eng, to_stage);
}

static void sweep_some(struct lmdb_engine *eng)
{
    struct lmdb_writer *wr = &eng->writer;

    switch (lmdb_sweep(eng)) {
    case SWEPT_ALL:
        wr->dead_known = false;
        break;
    case SWEPT_SOME:
        break;
    case SWEPT_NONE:
        wr->sweep_at_ms = lmdb_now_ms() + SWEEP_RETRY_MS;
        break;
    }
}

/* ---- the thread ---- */

/* Wait for something to come in, or for the time to sweep. With the mutex locked. */
static void sleep_a_while(struct lmdb_writer *wr)
{
    struct timespec until = {.tv_sec = (time_t)(wr->sweep_at_ms / 1000),
                             .tv_nsec = (long)(wr->sweep_at_ms % 1000) * 1000000};

    if (!wr->dead_known)
        pthread_cond_wait(&wr->wake, &wr->mutex);
    else if (lmdb_now_ms() < wr->sweep_at_ms)
        pthread_cond_timedwait(&wr->wake, &wr->mutex, &until);
}

/* Move what came in to what waits. False: the engine is being closed. */
static bool take_inbox(struct lmdb_writer *wr)
{
    pthread_mutex_lock(&wr->mutex);
    if (!wr->waiting && !wr->inbox && !wr->closing && !wr->poked)
        sleep_a_while(wr);
    if (wr->inbox) {
        *wr->waiting_end = wr->inbox;
        wr->waiting_end = wr->inbox_end;
        wr->inbox = NULL;
        wr->inbox_end = &wr->inbox;
    }
    if (wr->poked)
        wr->dead_known = true;
    wr->poked = false;
    bool closing = wr->closing;
    pthread_mutex_unlock(&wr->mutex);
    return !closing;
}

static void *writer_main(void *arg)
{
    struct lmdb_engine *eng = arg;
    struct lmdb_writer *wr = &eng->writer;

    while (take_inbox(wr)) {
        if (wr->waiting)
            write_some(eng);
        else if (wr->dead_known && lmdb_now_ms() >= wr->sweep_at_ms)
            sweep_some(eng);
    }
    while (wr->waiting)
        answer(eng, unlink_at(wr, &wr->waiting), ENGINE_UNAVAILABLE,
               ERR(ERR_UNAVAILABLE, "the store is being closed"));
    return NULL;
}

struct err lmdb_writer_start(struct lmdb_engine *eng)
{
    struct lmdb_writer *wr = &eng->writer;

    wr->inbox_end = &wr->inbox;
    wr->waiting_end = &wr->waiting;
    wr->scratch = mem_array(ENGINE_VALUE_MAX, 1);
    wr->dead_known = true;
    struct err e = lmdb_thread_start(&wr->thread, writer_main, eng);
    wr->started = !failed(e);
    return e;
}

void lmdb_writer_stop(struct lmdb_engine *eng)
{
    struct lmdb_writer *wr = &eng->writer;

    pthread_mutex_lock(&wr->mutex);
    wr->closing = true;
    pthread_cond_signal(&wr->wake);
    pthread_mutex_unlock(&wr->mutex);
    if (wr->started)
        pthread_join(wr->thread, NULL);
    free(wr->scratch);
}

void lmdb_submit(struct engine *engine, struct engine_batch *batch)
{
    struct lmdb_engine *eng = (struct lmdb_engine *)engine;
    struct lmdb_writer *wr = &eng->writer;

    batch->due_ms = lmdb_due(batch->deadline_ms);
    lmdb_partition_hold((struct lmdb_partition *)batch->partition);
    pthread_mutex_lock(&wr->mutex);
    bool closing = wr->closing;
    if (!closing) {
        *wr->inbox_end = batch;
        wr->inbox_end = &batch->next;
    }
    pthread_mutex_unlock(&wr->mutex);
    /*
     * Not under the mutex, on which the writer would only go to sleep again. The caller's handle of
     * the partition keeps the engine meanwhile.
     */
    pthread_cond_signal(&wr->wake);
    if (closing)
        answer(eng, batch, ENGINE_UNAVAILABLE, ERR(ERR_UNAVAILABLE, "the store is closed"));
}

void lmdb_writer_poke(struct lmdb_engine *eng)
{
    struct lmdb_writer *wr = &eng->writer;

    pthread_mutex_lock(&wr->mutex);
    wr->poked = true;
    pthread_cond_signal(&wr->wake);
    pthread_mutex_unlock(&wr->mutex);
}
