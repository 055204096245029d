/*
 * engine_lmdb_int.h - what the files of the LMDB engine share.
 *
 *   engine_lmdb_env.c        opening, closing, format, map, errors
 *   engine_lmdb_read.c       snapshots and cursors
 *   engine_lmdb_partition.c  open partitions and watches
 *   engine_lmdb_blob.c       blobs: how they are stored, linked and read
 *   engine_lmdb_batch.c      one batch in its child transaction
 *   engine_lmdb_writer.c     the writer thread: groups, staging, refusals
 *   engine_lmdb_sweep.c      pins, and the deletion of blobs that nobody refers to
 *   engine_lmdb_fetch.c      bringing cold blobs into memory
 *   engine_lmdb_peers.c      other processes with the same store open
 *   engine_lmdb_tools.c      figures, backup, compaction
 *   engine_lmdb_verify.c     checking it all
 *   engine_lmdb_pages.c      the structure of the file, looked at without LMDB
 *
 * The databases, keys => values; numbers are big-endian. None uses MDB_DUPSORT.
 *
 *   meta    "format" => "gatepost-engine", version u32
 *           "state"  => next blob id u64, blobs u64, their bytes u64
 *   data    partition u64, key => value
 *   parts   partition u64 => version u64, remembered ids so far u64
 *   ids     partition u64, batch id 16 => its number u64, version u64, answer
 *   idlog   partition u64, number u64 => batch id 16
 *   chunk   blob u64, chunk u32 => crc32c u32, coding u8, 3 zeroes, bytes
 *   info    blob u64 => length u64, references u64, hash 32, crc32c u32
 *   hash    hash 32 => blob u64
 *   bmeta   blob u64 => crc32c u32, coding u8, 3 zeroes, meta
 *   dead    blob u64 => the transaction since which nothing refers to it u64
 *
 * Invariants, which engine_lmdb_verify.c checks: info and hash name each other; a blob is in dead
 * exactly if its references are 0; chunks without info are in dead (staged, or half deleted); state
 * counts info. Sums cover the key as well, so that a record in the wrong place is found.
 *
 * Locks, in the order of taking: writer.mutex alone; txn_lock, then stripes in their order;
 * parts_lock and pins_lock are innermost.
 */
#ifndef GATEPOST_STORE_ENGINE_ENGINE_LMDB_INT_H
#define GATEPOST_STORE_ENGINE_ENGINE_LMDB_INT_H

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "store/engine/engine_int.h"
#include "store/engine/engine_lmdb.h"
#include "store/engine/idmap.h"

enum { LMDB_FORMAT_VERSION = 2 };

enum lmdb_db {
    DB_META,
    DB_DATA,
    DB_PARTS,
    DB_IDS,
    DB_IDLOG,
    DB_CHUNK,
    DB_INFO,
    DB_HASH,
    DB_BMETA,
    DB_DEAD,
    DB_COUNT
};

enum {
    PREFIX_LEN = 8, /* of a key in data: the partition */
    CHUNK_KEY_LEN = 12,
    PIECE_HEADER = 8,   /* of chunks and metas */
    BLOCK_BYTES = 1024, /* of a piece, under one sum */
    CHUNK_BLOCKS = 60,
    /* 15 pages less LMDB's header, ours, and the sums of blocks */
    CHUNK_BYTES = 15 * 4096 - 16 - PIECE_HEADER - CHUNK_BLOCKS * 4,
    GROUP_BATCHES = 256,
    GROUP_BYTES = 4 << 20, /* blob bytes in one commit; more of one batch are staged */
    REMEMBERED_IDS = 1024,
    STRIPES = 8,
    STRIPE_IDLE = 24, /* snapshots kept for reuse; each takes a slot of LMDB's reader table */
    MAX_READERS = 1024,
    SWEEP_ROWS = 1000, /* deleted in one commit */
    DEFAULT_DEADLINE_MS = 60000,
};

/* A share of the pool of snapshots; threads are spread over them. */
struct lmdb_stripe {
    _Alignas(64) pthread_mutex_t mutex;
    struct lmdb_read *idle, *all;
    unsigned n_idle;
    atomic_uint active; /* raised under the mutex, so that whoever holds it sees no new ones */
};

struct lmdb_writer {
    pthread_t thread;
    bool started;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    struct engine_batch *inbox, **inbox_end;
    bool closing, poked;
    /* the thread's own */
    struct engine_batch *waiting, **waiting_end;
    uint64_t round;
    uint8_t *scratch; /* ENGINE_VALUE_MAX bytes */
    bool dead_known;  /* there may be something to sweep */
    bool tight;       /* something was refused for want of space */
    uint64_t sweep_at_ms, sweep_after_id;
    uint64_t last_txn; /* of our last commit */
};

struct lmdb_fetcher {
    pthread_t thread;
    bool started;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    struct engine_fetch *first, **end;
    bool closing;
};

struct lmdb_peers; /* engine_lmdb_peers.c */

struct lmdb_engine {
    struct engine base;
    struct log *log;
    MDB_env *env;
    MDB_dbi dbi[DB_COUNT];
    char *dir;
    int dir_fd, open_fd, pins_fd;
    struct lmdb_engine *next_open; /* in the list of this process's engines */
    dev_t dev;
    ino_t ino;

    pthread_mutex_t txn_lock; /* held by whoever has a write transaction or changes the map */
    atomic_bool broken;       /* the map is lost: nothing can be read */
    struct lmdb_stripe stripes[STRIPES];

    pthread_mutex_t parts_lock; /* partitions and their watches */
    struct idmap parts;
    bool ended;         /* engine_close() is through: the last partition frees the engine */
    atomic_bool closed; /* engine_close() has begun */

    pthread_mutex_t pins_lock;
    struct idmap pins;
    short pins_state; /* of byte 0 of pins.lock: F_UNLCK, F_RDLCK or F_WRLCK */

    struct lmdb_writer writer;
    struct lmdb_fetcher fetcher;
    struct lmdb_peers *peers;
    atomic_ullong commits, batches;
};

struct lmdb_partition {
    struct engine_partition base;
    struct idnode node;
    unsigned refs;
    uint64_t committed; /* the highest version this process knows of */
    struct engine_watch *watches;
    uint64_t blocked_round; /* the writer's: an earlier batch of it is being staged */
};

struct lmdb_write;

struct lmdb_read {
    struct engine_read base;
    struct lmdb_engine *eng;
    MDB_txn *txn;
    uint64_t partition_id;
    struct lmdb_write *write; /* NULL in a snapshot */
    struct lmdb_stripe *stripe;
    struct lmdb_cursor *idle_cursors, *open_cursors;
    atomic_ullong since_ms; /* 0: not in use */
    struct lmdb_read *next_idle, *next_all;
};

struct lmdb_write {
    struct engine_write base;
    struct lmdb_engine *eng;
    MDB_txn *txn;
    struct engine_batch *batch;
    struct lmdb_read read;
    uint64_t bytes;   /* put so far */
    uint64_t changes; /* puts and deletes so far: cursors look whether they must seek again */
    uint64_t places;  /* of these, those that were not beside the one before */
    uint8_t last_key[PREFIX_LEN + ENGINE_KEY_MAX];
    size_t last_key_len;
    uint64_t last_blob;
    int failure;     /* the first code by which LMDB refused to change something, or 0 */
    uint64_t *fresh; /* blobs stored by this batch */
    size_t n_fresh;
    bool made_dead;
};

/* What a big batch has stored already, in commits of its own. */
struct lmdb_stage {
    size_t at;       /* the blob that is being stored; n_blobs when complete */
    uint64_t offset; /* in it */
    uint64_t ids[];  /* 0: not stored by this stage */
};

extern const struct engine_ops lmdb_ops;

/* ---- bytes ---- */

static inline void put_u32(uint8_t *p, uint32_t v)
{
    for (int i = 3; i >= 0; i--, v >>= 8)
        p[i] = (uint8_t)v;
}

static inline void put_u64(uint8_t *p, uint64_t v)
{
    for (int i = 7; i >= 0; i--, v >>= 8)
        p[i] = (uint8_t)v;
}

static inline uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t get_u64(const uint8_t *p)
{
    return (uint64_t)get_u32(p) << 32 | get_u32(p + 4);
}

static inline MDB_val val_of(const void *ptr, size_t len)
{
    return (MDB_val){len, (void *)(uintptr_t)ptr};
}

static inline struct slice slice_of_val(MDB_val v)
{
    return slice_of(v.mv_data, v.mv_size);
}

/* ---- engine_lmdb_env.c ---- */

/* What a code of LMDB's means. */
struct err lmdb_err(int rc);

/* Monotonic. The coarse clock is a few milliseconds late and costs next to nothing. */
uint64_t lmdb_now_ms(void);
uint64_t lmdb_now_coarse_ms(void);

/* When a request with this deadline (0: the default) has waited too long. */
uint64_t lmdb_due(uint64_t deadline_ms);

/* A thread that takes no signals. */
struct err lmdb_thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg) MUST_USE;

/* A condition that waits by the monotonic clock. */
void lmdb_cond_init(pthread_cond_t *cond);

/*
 * The administrator's tools run as root, the daemon does not: what root makes in the directory
 * belongs to the directory's owner.
 */
void lmdb_adopt(int dir_fd, const char *name);

/* Those of this process, by next_open. */
extern struct lmdb_engine *lmdb_open_engines;

/* Another process grew the file beyond our map: map more of it. */
struct err lmdb_remap(struct lmdb_engine *eng);

void lmdb_log(struct lmdb_engine *eng, enum log_level level, const char *event, int rc);

void lmdb_close(struct engine *engine);

/* Free what is left when the engine is closed and its last partition as well. */
void lmdb_engine_free(struct lmdb_engine *eng);

static inline int lmdb_get(struct lmdb_engine *eng, MDB_txn *txn, enum lmdb_db db, struct slice key,
                           MDB_val *value)
{
    MDB_val k = val_of(key.ptr, key.len);

    return mdb_get(txn, eng->dbi[db], &k, value);
}

static inline int lmdb_put(struct lmdb_engine *eng, MDB_txn *txn, enum lmdb_db db, struct slice key,
                           struct slice value)
{
    MDB_val k = val_of(key.ptr, key.len), v = val_of(value.ptr, value.len);

    return mdb_put(txn, eng->dbi[db], &k, &v, 0);
}

static inline int lmdb_del(struct lmdb_engine *eng, MDB_txn *txn, enum lmdb_db db, struct slice key)
{
    MDB_val k = val_of(key.ptr, key.len);

    return mdb_del(txn, eng->dbi[db], &k, NULL);
}

/* ---- engine_lmdb_read.c ---- */

/* A snapshot from the pool; engine_read_end() gives it back. */
struct err lmdb_snapshot(struct lmdb_engine *eng, uint64_t partition_id,
                         struct lmdb_read **out) MUST_USE;
void lmdb_pool_init(struct lmdb_engine *eng);
void lmdb_pool_done(struct lmdb_engine *eng);

struct err lmdb_read_begin(struct engine_partition *partition, struct engine_read **out);
void lmdb_read_end(struct engine_read *base);
uint64_t lmdb_read_version(struct engine_read *base);
struct err lmdb_read_get(struct engine_read *base, struct slice key, struct slice *value);
struct engine_cursor *lmdb_cursor_open(struct engine_read *base);
void lmdb_cursor_close(struct engine_cursor *base);
struct err lmdb_cursor_seek(struct engine_cursor *base, struct slice from, struct slice *key,
                            struct slice *value);
struct err lmdb_cursor_seek_before(struct engine_cursor *base, struct slice before,
                                   struct slice *key, struct slice *value);
struct err lmdb_cursor_next(struct engine_cursor *base, struct slice *key, struct slice *value);
struct err lmdb_cursor_prev(struct engine_cursor *base, struct slice *key, struct slice *value);

/* Free the cursors of a read whose transaction has ended already (a batch's). */
void lmdb_cursors_forget(struct lmdb_read *rd);

/* ---- engine_lmdb_partition.c ---- */

struct lmdb_part_row {
    uint64_t version, n_ids;
};

/* A partition that was never written to has version 0. */
int lmdb_part_get(struct lmdb_engine *eng, MDB_txn *txn, uint64_t id, struct lmdb_part_row *out);
int lmdb_part_put(struct lmdb_engine *eng, MDB_txn *txn, uint64_t id,
                  const struct lmdb_part_row *row);

void lmdb_open_partition(struct engine *engine, struct engine_open *rq);
void lmdb_partition_close(struct engine_partition *base);
void lmdb_partition_hold(struct lmdb_partition *p);

void lmdb_watch_start(struct engine_partition *partition, struct engine_watch *watch);
void lmdb_watch_stop(struct engine_watch *watch);

/* The partition has reached this version: tell whoever watches it. */
void lmdb_notify(struct lmdb_partition *p, uint64_t version);
void lmdb_notify_id(struct lmdb_engine *eng, uint64_t partition_id, uint64_t version);

/* Look up the version of every watched partition, and tell where it has grown. */
void lmdb_notify_all(struct lmdb_engine *eng);

/* ---- engine_lmdb_blob.c ---- */

struct lmdb_state {
    uint64_t next_blob, blobs, blob_bytes;
};

int lmdb_state_get(struct lmdb_engine *eng, MDB_txn *txn, struct lmdb_state *out);
int lmdb_state_put(struct lmdb_engine *eng, MDB_txn *txn, const struct lmdb_state *state);

void lmdb_chunk_key(uint8_t key[CHUNK_KEY_LEN], uint64_t id, uint32_t chunk);
/* The meta of a blob as it is stored: its bytes, checked. */
struct err lmdb_meta_open(struct slice key, struct slice value, struct slice *bytes) MUST_USE;

/*
 * A chunk as it is stored: the first `most` of its bytes from `from` on, checked.
 * ERR_NOT_FOUND: it has none there.
 */
struct err lmdb_chunk_open(struct slice key, struct slice value, size_t from, uint64_t most,
                           struct slice *bytes) MUST_USE;

/*
 * Store the chunk of `bytes`, which are the whole blob, that begins at `offset`, a multiple of
 * CHUNK_BYTES.
 */
int lmdb_chunk_put(struct lmdb_engine *eng, MDB_txn *txn, uint64_t id, struct slice bytes,
                   uint64_t offset);

/* MDB_NOTFOUND; MDB_CORRUPTED where the sum is wrong. */
int lmdb_info_get(struct lmdb_engine *eng, MDB_txn *txn, uint64_t id, struct engine_blob_info *out);
int lmdb_info_put(struct lmdb_engine *eng, MDB_txn *txn, const struct engine_blob_info *info);
struct err lmdb_info_decode(struct slice key, struct slice value, struct engine_blob_info *out);
int lmdb_hash_get(struct lmdb_engine *eng, MDB_txn *txn, const uint8_t *hash, uint64_t *id);

int lmdb_dead_put(struct lmdb_engine *eng, MDB_txn *txn, uint64_t id);
int lmdb_dead_del(struct lmdb_engine *eng, MDB_txn *txn, uint64_t id);

/* Store a blob that the batch brings along, unless there is one of that hash. */
struct err lmdb_blob_add(struct lmdb_write *w, const struct engine_new_blob *blob,
                         uint64_t staged_id);

struct err lmdb_blob_link(struct engine_write *base, const uint8_t hash[ENGINE_HASH_LEN],
                          struct engine_blob_info *out);
struct err lmdb_blob_link_id(struct engine_write *base, uint64_t id);
struct err lmdb_blob_unlink(struct engine_write *base, uint64_t id);
struct err lmdb_blob_stat(struct engine_read *base, uint64_t id, struct engine_blob_info *out);
struct err lmdb_blob_meta(struct engine_read *base, uint64_t id, struct slice *meta);
struct err lmdb_blob_piece(struct engine_read *base, uint64_t id, uint64_t offset, uint64_t most,
                           struct slice *piece);
struct err lmdb_blob_next(struct engine_read *base, uint64_t after, struct engine_blob_info *out);

/* ---- engine_lmdb_batch.c ---- */

enum lmdb_ran {
    RAN_KEPT,   /* its changes are in the parent transaction */
    RAN_UNDONE, /* there are none: refused, or repeated */
    RAN_FULL,   /* LMDB had no room; alone it might have */
};

/* Run one batch under `parent`, and write its end, err and version into it. */
enum lmdb_ran lmdb_batch_run(struct lmdb_engine *eng, MDB_txn *parent, struct engine_batch *batch,
                             bool *made_dead);

/* A batch must not grow beyond what it may change. */
struct err lmdb_write_count_link(struct lmdb_write *w, uint64_t blob_id);

struct engine_read *lmdb_write_read(struct engine_write *base);
struct err lmdb_write_put(struct engine_write *base, struct slice key, struct slice value);
struct err lmdb_write_del(struct engine_write *base, struct slice key);

/* ---- engine_lmdb_writer.c ---- */

struct err lmdb_writer_start(struct lmdb_engine *eng) MUST_USE;
void lmdb_writer_stop(struct lmdb_engine *eng);
void lmdb_submit(struct engine *engine, struct engine_batch *batch);

/* Another process has committed: there may be something to sweep. */
void lmdb_writer_poke(struct lmdb_engine *eng);

/* Begin a write transaction; takes txn_lock, which lmdb_commit() and lmdb_abort() give back. */
int lmdb_begin(struct lmdb_engine *eng, MDB_txn **txn);
int lmdb_commit(struct lmdb_engine *eng, MDB_txn *txn);
void lmdb_abort(struct lmdb_engine *eng, MDB_txn *txn);

/* ---- engine_lmdb_sweep.c ---- */

void lmdb_blob_pin(struct engine *engine, uint64_t id);
void lmdb_blob_unpin(struct engine *engine, uint64_t id);
void lmdb_pins_done(struct lmdb_engine *eng);

enum lmdb_swept { SWEPT_ALL, SWEPT_SOME, SWEPT_NONE };

/* Delete up to SWEEP_ROWS rows of dead blobs, in a commit of its own. On the writer thread. */
enum lmdb_swept lmdb_sweep(struct lmdb_engine *eng);

/* ---- engine_lmdb_fetch.c ---- */

struct err lmdb_fetcher_start(struct lmdb_engine *eng) MUST_USE;
void lmdb_fetcher_stop(struct lmdb_engine *eng);
bool lmdb_blob_is_cold(struct engine_read *base, uint64_t id, uint64_t offset, uint64_t len);
void lmdb_blob_fetch(struct engine *engine, struct engine_fetch *rq);

/* ---- engine_lmdb_peers.c ---- */

struct lmdb_change {
    uint64_t partition_id, version;
};

struct err lmdb_peers_start(struct lmdb_engine *eng) MUST_USE;
void lmdb_peers_stop(struct lmdb_engine *eng);
void lmdb_peers_free(struct lmdb_engine *eng);

/* Tell other processes of our commit. On the writer thread. */
void lmdb_peers_tell(struct lmdb_engine *eng, const struct lmdb_change *changes, size_t n);

/* ---- engine_lmdb_pages.c ---- */

/* Can LMDB walk the file? At opening; findings go to the log. */
struct err lmdb_pages_open(struct lmdb_engine *eng) MUST_USE;
struct err lmdb_sound(struct engine *engine, void (*finding)(void *ctx, const char *text),
                      void *ctx);

/* ---- engine_lmdb_tools.c, engine_lmdb_verify.c ---- */

struct err lmdb_stats(struct engine *engine, struct engine_stats *out);
struct err lmdb_partition_next(struct engine *engine, uint64_t after, uint64_t *id);
struct err lmdb_backup(struct engine *engine, const char *dir, bool compact);
struct err lmdb_verify(struct engine *engine, void (*finding)(void *ctx, const char *text),
                       void *ctx);

#endif
