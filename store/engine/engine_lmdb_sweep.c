/*
 * Pins, and the deletion of blobs that nobody refers to.
 *
 * A blob with no references is on the dead list together with the transaction since which that is
 * so. It may go when
 *   - no snapshot is older than that transaction, in any process: whoever saw a reference has had
 *     the time to pin the blob, and nobody new can see one;
 *   - this process has not pinned it;
 *   - no other process has pinned anything. A process with pins holds a read lock on byte 0 of
 *     pins.lock, and the sweeper takes the write lock before it looks for old snapshots. So a pin
 *     may wait for one slice of another process's sweeper; then its snapshot, being older, keeps
 *     the blob.
 * Index, figures and meta go first, the chunks after them in slices, the entry on the dead list
 * last: a crash in between leaves work, not damage.
 */
#include <errno.h>
#include <fcntl.h>

#include "base/mem.h"
#include "store/engine/engine_lmdb_int.h"

enum { LOOKED_AT = 10000 }; /* entries of the dead list in one slice */

struct pin {
    struct idnode node;
    uint64_t count;
};

/* ---- pins ---- */

/* With pins_lock. `type` is F_RDLCK, F_WRLCK or F_UNLCK. */
static bool lock_pins_file(struct lmdb_engine *eng, short type, bool wait)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    int rc;

    do
        rc = fcntl(eng->pins_fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock);
    while (rc && errno == EINTR);
    if (rc)
        return false;
    eng->pins_state = type;
    return true;
}

void lmdb_blob_pin(struct engine *engine, uint64_t id)
{
    struct lmdb_engine *eng = (struct lmdb_engine *)engine;

    pthread_mutex_lock(&eng->pins_lock);
    if (eng->pins_state == F_UNLCK && !lock_pins_file(eng, F_RDLCK, true))
        lmdb_log(eng, LOG_LEVEL_ERROR, "store.pin_lock_failed", errno);
    struct idnode *node = idmap_find(&eng->pins, id);
    struct pin *pin = node ? CONTAINER_OF(node, struct pin, node) : NULL;
    if (!pin) {
        pin = mem_new(sizeof *pin);
        pin->node.id = id;
        idmap_add(&eng->pins, &pin->node);
    }
    pin->count++;
    pthread_mutex_unlock(&eng->pins_lock);
}

/* The lock stays: the next pin is near, and the sweeper gives it up. */
void lmdb_blob_unpin(struct engine *engine, uint64_t id)
{
    struct lmdb_engine *eng = (struct lmdb_engine *)engine;

    pthread_mutex_lock(&eng->pins_lock);
    struct idnode *node = idmap_find(&eng->pins, id);
    struct pin *pin = node ? CONTAINER_OF(node, struct pin, node) : NULL;
    if (pin && --pin->count == 0) {
        idmap_remove(&eng->pins, &pin->node);
        free(pin);
    }
    pthread_mutex_unlock(&eng->pins_lock);
}

static bool is_pinned(struct lmdb_engine *eng, uint64_t id)
{
    pthread_mutex_lock(&eng->pins_lock);
    bool pinned = idmap_find(&eng->pins, id) != NULL;
    pthread_mutex_unlock(&eng->pins_lock);
    return pinned;
}

void lmdb_pins_done(struct lmdb_engine *eng)
{
    struct idnode *node;

    while ((node = idmap_any(&eng->pins)) != NULL) {
        idmap_remove(&eng->pins, node);
        free(CONTAINER_OF(node, struct pin, node));
    }
    idmap_done(&eng->pins);
}

static bool sweeping_begin(struct lmdb_engine *eng)
{
    pthread_mutex_lock(&eng->pins_lock);
    bool alone = lock_pins_file(eng, F_WRLCK, false);
    /* Two processes without pins must not keep each other from sweeping. */
    if (!alone && eng->pins.count == 0)
        lock_pins_file(eng, F_UNLCK, false);
    pthread_mutex_unlock(&eng->pins_lock);
    return alone;
}

static void sweeping_end(struct lmdb_engine *eng)
{
    pthread_mutex_lock(&eng->pins_lock);
    lock_pins_file(eng, eng->pins.count ? F_RDLCK : F_UNLCK, false);
    pthread_mutex_unlock(&eng->pins_lock);
}

/* ---- the oldest snapshot of all processes ---- */

struct oldest {
    uint64_t txn;
    bool understood;
};

/* LMDB tells its reader table only as text, "pid thread txnid" with "-" for none, after a title. */
static int see_reader(const char *line, void *ctx)
{
    struct oldest *oldest = ctx;
    unsigned long long pid, thread, txn;
    char dash;

    if (sscanf(line, "%llu %llx %llu", &pid, &thread, &txn) == 3)
        oldest->txn = txn < oldest->txn ? txn : oldest->txn;
    else if (!strstr(line, "txnid") && !strstr(line, "no active readers") &&
             sscanf(line, "%llu %llx %c", &pid, &thread, &dash) != 3)
        oldest->understood = false;
    return 0;
}

/* 0 where it cannot be told, so that nothing is young enough to go. */
static uint64_t oldest_snapshot(struct lmdb_engine *eng)
{
    struct oldest oldest = {UINT64_MAX, true};

    if (mdb_reader_list(eng->env, see_reader, &oldest) < 0 || !oldest.understood)
        return 0;
    return oldest.txn;
}

/* ---- deleting ---- */

struct sweep {
    struct lmdb_engine *eng;
    MDB_txn *txn;
    uint64_t oldest; /* snapshot */
    size_t rows;     /* deleted */
};

static int sweep_del(struct sweep *sw, enum lmdb_db db, struct slice key)
{
    int rc = lmdb_del(sw->eng, sw->txn, db, key);

    sw->rows += rc == 0;
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Nobody can find the blob after this. */
static int unpublish(struct sweep *sw, const struct engine_blob_info *info)
{
    struct lmdb_state state;
    uint8_t key[8];

    put_u64(key, info->id);
    int rc = lmdb_state_get(sw->eng, sw->txn, &state);
    if (rc)
        return rc;
    state.blobs--;
    state.blob_bytes -= info->len;
    rc = lmdb_state_put(sw->eng, sw->txn, &state);
    if (rc == 0)
        rc = sweep_del(sw, DB_HASH, slice_of(info->hash, ENGINE_HASH_LEN));
    if (rc == 0)
        rc = sweep_del(sw, DB_BMETA, slice_of(key, sizeof key));
    if (rc == 0)
        rc = sweep_del(sw, DB_INFO, slice_of(key, sizeof key));
    return rc;
}

/* The first key of `db` from `key` on, copied there. */
static int first_from(struct sweep *sw, enum lmdb_db db, uint8_t *key, size_t len, MDB_val *v)
{
    MDB_val k = val_of(key, len);
    MDB_cursor *mc;

    int rc = mdb_cursor_open(sw->txn, sw->eng->dbi[db], &mc);
    if (rc)
        return rc;
    rc = mdb_cursor_get(mc, &k, v, MDB_SET_RANGE);
    mdb_cursor_close(mc);
    if (rc == 0 && k.mv_size != len)
        return MDB_CORRUPTED;
    if (rc == 0)
        memcpy(key, k.mv_data, len);
    return rc;
}

/* MDB_NOTFOUND: none are left. 0: the slice is full. */
static int delete_chunks(struct sweep *sw, uint64_t id)
{
    uint8_t key[CHUNK_KEY_LEN];
    MDB_val v;

    lmdb_chunk_key(key, id, 0);
    while (sw->rows < SWEEP_ROWS) {
        int rc = first_from(sw, DB_CHUNK, key, sizeof key, &v);
        if (rc)
            return rc;
        if (get_u64(key) != id)
            return MDB_NOTFOUND;
        rc = sweep_del(sw, DB_CHUNK, slice_of(key, sizeof key));
        if (rc)
            return rc;
    }
    return 0;
}

static int take_off_list(struct sweep *sw, uint64_t id)
{
    sw->rows++;
    return lmdb_dead_del(sw->eng, sw->txn, id);
}

static int delete_blob(struct sweep *sw, uint64_t id)
{
    struct engine_blob_info info;

    int rc = lmdb_info_get(sw->eng, sw->txn, id, &info);
    if (rc == 0 && info.references > 0) {
        /* The list is wrong, and believing it would cost somebody's mail. */
        lmdb_log(sw->eng, LOG_LEVEL_ERROR, "store.dead_blob_in_use", 0);
        return take_off_list(sw, id);
    }
    if (rc == 0)
        rc = unpublish(sw, &info);
    else if (rc == MDB_NOTFOUND)
        rc = 0; /* was staged, or half deleted before */
    if (rc)
        return rc;
    rc = delete_chunks(sw, id);
    return rc == MDB_NOTFOUND ? take_off_list(sw, id) : rc;
}

/*
 * A compacted file counts its transactions anew, so that an entry may seem to come from the
 * future: then no snapshot can be older.
 */
static bool may_go(struct sweep *sw, uint64_t id, uint64_t dead_since)
{
    return (dead_since <= sw->oldest || dead_since > mdb_txn_id(sw->txn)) &&
           !is_pinned(sw->eng, id);
}

/* Walk the dead list from where the last slice ended. */
static int sweep_slice(struct sweep *sw, enum lmdb_swept *how)
{
    struct lmdb_writer *wr = &sw->eng->writer;
    uint64_t from = wr->sweep_after_id;
    uint8_t key[8];
    size_t seen;
    MDB_val v;

    for (seen = 0; seen < LOOKED_AT && sw->rows < SWEEP_ROWS; seen++) {
        put_u64(key, wr->sweep_after_id + 1);
        int rc = first_from(sw, DB_DEAD, key, sizeof key, &v);
        if (rc == MDB_NOTFOUND) {
            wr->sweep_after_id = 0;
            if (sw->rows == 0)
                *how = seen == 0 && from == 0 ? SWEPT_ALL : SWEPT_NONE;
            return 0;
        }
        if (rc == 0 && v.mv_size != 8)
            rc = MDB_CORRUPTED;
        if (rc)
            return rc;
        uint64_t id = get_u64(key);
        rc = may_go(sw, id, get_u64(v.mv_data)) ? delete_blob(sw, id) : 0;
        if (rc)
            return rc;
        if (sw->rows < SWEEP_ROWS)
            wr->sweep_after_id = id;
    }
    return 0;
}

/* With the write transaction and the lock on the pins of all. */
static enum lmdb_swept sweep_alone(struct lmdb_engine *eng, MDB_txn *txn)
{
    struct sweep sw = {.eng = eng, .txn = txn, .oldest = oldest_snapshot(eng)};
    enum lmdb_swept how = SWEPT_SOME;

    int rc = sweep_slice(&sw, &how);
    if (rc) {
        lmdb_abort(eng, txn);
        lmdb_log(eng, LOG_LEVEL_ERROR, "store.sweep_failed", rc);
        eng->writer.sweep_after_id = 0;
        return SWEPT_NONE;
    }
    if (sw.rows == 0) {
        lmdb_abort(eng, txn);
        return how;
    }
    eng->writer.settled = false;
    return lmdb_commit(eng, txn) ? SWEPT_NONE : SWEPT_SOME;
}

/*
 * The transaction comes before the lock: a batch may pin while it has LMDB's write lock, and must
 * not wait for a sweeper that waits for that one.
 */
enum lmdb_swept lmdb_sweep(struct lmdb_engine *eng)
{
    MDB_txn *txn;

    mdb_reader_check(eng->env, NULL);
    if (lmdb_begin(eng, &txn))
        return SWEPT_NONE;
    if (!sweeping_begin(eng)) {
        lmdb_abort(eng, txn);
        return SWEPT_NONE;
    }
    enum lmdb_swept how = sweep_alone(eng, txn);
    sweeping_end(eng);
    return how;
}
