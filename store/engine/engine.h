/*
 * engine.h - the seam between the mailbox store and what keeps its bytes.
 *
 * The unit is the partition: one mailbox, one owner, one dense version number that every commit
 * raises by one. Nothing is atomic across partitions. An engine keeps, per partition, an ordered
 * map from keys to values, and, for all partitions together, immutable blobs named by their
 * SHA-256 with a reference count each.
 *
 * LMDB is the embedded engine (engine_lmdb.h): it always owns every partition. A second one for
 * tests (engine_faulty.h) lays delays, refusals and unknown ends over it, and one conformance
 * suite is passed by both. An engine that replicates can come under the same seam.
 *
 * What may take long is asynchronous: opening a partition, committing a batch, fetching a blob.
 * Each takes a request that the caller owns and keeps in place until `done` has been called, and
 * ends in one of four ways (enum engine_end). Reading an open partition is local and synchronous.
 *
 * Threads    Everything may be called on any thread, except that one engine_read (and its
 *            cursors) belongs to one thread at a time. `run` is called on the engine's writer
 *            thread, `done` on the request's executor.
 * Ownership  Slices that a read returns point into the engine's memory and die with
 *            engine_read_end(); those that a write returns die with the next put or delete.
 * Errors     ERR_NOT_FOUND, ERR_NO_SPACE, ERR_CORRUPT (a checksum does not match), ERR_IO,
 *            ERR_UNAVAILABLE (the partition is no longer owned), ERR_INVALID (a key longer than
 *            ENGINE_KEY_MAX), ERR_TOO_BIG (a value longer than ENGINE_VALUE_MAX, or a batch that
 *            changes more than ENGINE_BATCH_CHANGES or _BYTES), ERR_LIMIT (too many snapshots).
 * Order      Batches of one caller on one partition commit in the order of submission.
 */
#ifndef GATEPOST_STORE_ENGINE_ENGINE_H
#define GATEPOST_STORE_ENGINE_ENGINE_H

#include "base/err.h"
#include "base/executor.h"
#include "base/slice.h"

enum {
    ENGINE_KEY_MAX = 480,
    ENGINE_VALUE_MAX = 1 << 20, /* of a value, and of a blob's meta */
    ENGINE_HASH_LEN = 32,
    ENGINE_ID_LEN = 16,
    ENGINE_ANSWER_MAX = 128,
    /*
     * What one batch may change: puts, deletes and links, of which those whose keys (or ids) follow
     * closely on the one before may count less, up to five times as many; and the bytes it puts.
     */
    ENGINE_BATCH_CHANGES = 110000,
    ENGINE_BATCH_BYTES = 64 << 20,
};

/* Partition 1 belongs to the system (accounts, audit records); mailboxes come after it. */
#define ENGINE_SYSTEM_PARTITION 1ull

/* How a request ended. */
enum engine_end {
    ENGINE_DONE,        /* it is durable; `version` tells the partition's version */
    ENGINE_REFUSED,     /* `run` or a guard refused it, or there is no space: nothing changed */
    ENGINE_UNAVAILABLE, /* it could not be tried: nothing changed */
    ENGINE_UNKNOWN,     /* it may or may not have been done; repeating it by its id is safe */
};

struct engine;
struct engine_partition; /* an open partition */
struct engine_read;      /* a snapshot of one partition */
struct engine_write;     /* a batch that is being run */
struct engine_cursor;

/* ---- partitions ---- */

struct engine_open {
    uint64_t partition_id;
    uint64_t deadline_ms; /* from now; 0: the engine's default */
    struct executor *home;
    void (*done)(struct engine_open *rq);
    /* the answer */
    enum engine_end end;
    struct err err;
    struct engine_partition *partition; /* with ENGINE_DONE; engine_partition_close() it */
    /* the engine's */
    struct task task;
    struct engine *engine;
};

/* Opening a partition that does not exist makes an empty one at its first commit (version 0). */
void engine_open_partition(struct engine *engine, struct engine_open *rq);

/*
 * Handles are counted: every open takes one close. Reads on it must have ended; a batch that is
 * on its way, and a watch, hold it by themselves.
 */
void engine_partition_close(struct engine_partition *partition);

/* ---- reading ---- */

struct err engine_read_begin(struct engine_partition *partition, struct engine_read **out) MUST_USE;
void engine_read_end(struct engine_read *rd);

/* The partition's version in this snapshot. */
uint64_t engine_read_version(struct engine_read *rd);

struct err engine_get(struct engine_read *rd, struct slice key, struct slice *value) MUST_USE;

/*
 * A cursor over the keys of the partition; close it before the read ends. In a batch it sees what
 * the batch has done: next and prev go on from the key it was on, which may be gone by then.
 */
struct engine_cursor *engine_cursor_open(struct engine_read *rd) MUST_USE;
void engine_cursor_close(struct engine_cursor *cursor);

/*
 * Move to the first key >= `from` (seek), the last key < `before` (seek_before), the next or the
 * previous one. ERR_NOT_FOUND: there is none in this partition; the cursor is then nowhere.
 */
struct err engine_seek(struct engine_cursor *cursor, struct slice from, struct slice *key,
                       struct slice *value) MUST_USE;
struct err engine_seek_before(struct engine_cursor *cursor, struct slice before, struct slice *key,
                              struct slice *value) MUST_USE;
struct err engine_next(struct engine_cursor *cursor, struct slice *key,
                       struct slice *value) MUST_USE;
struct err engine_prev(struct engine_cursor *cursor, struct slice *key,
                       struct slice *value) MUST_USE;

/* ---- writing ---- */

/*
 * A blob that a batch brings along; durable no later than the batch itself. One that the store
 * has already is not stored again. One that `run` does not link is swept later.
 */
struct engine_new_blob {
    uint8_t hash[ENGINE_HASH_LEN]; /* SHA-256 of bytes */
    struct slice bytes;
    struct slice meta; /* derived from the bytes, kept beside them, immutable too; may be empty */
};

struct engine_batch {
    struct engine_partition *partition;
    /*
     * Names the batch, so that repeating it is safe: an engine remembers the ids of a partition's
     * last 1,024 batches that had one and were done, and gives a repeated one the version and the
     * `answer` of the first, without calling `run`. What was refused has changed nothing and is
     * not remembered: repeating it tries again. All zero: not remembered.
     */
    uint8_t id[ENGINE_ID_LEN];
    uint64_t guard_version; /* refuse with ERR_CONFLICT unless the version is this; 0: any */
    uint64_t deadline_ms;   /* from now; 0: the engine's default */
    const struct engine_new_blob *blobs;
    size_t n_blobs;
    /*
     * Makes the changes. Failing undoes them all, and nothing else. It may be called more than
     * once for one batch (after an attempt whose commit failed), so it has no effect outside `w`
     * and the outputs in the structure that embeds the batch.
     */
    struct err (*run)(struct engine_write *w, struct engine_batch *batch);
    struct executor *home;
    void (*done)(struct engine_batch *batch);
    /* the answer */
    enum engine_end end;
    struct err err; /* OK with ENGINE_DONE */
    /* With ENGINE_DONE: the partition's version after it. One without an id that made no change
     * makes no commit either, and leaves the version as it was. */
    uint64_t version;
    bool repeated; /* it had been done before: `run` was not called (or not for this) */
    /* What `run` leaves here is remembered with the id: all that a repetition gets to know. */
    uint8_t answer[ENGINE_ANSWER_MAX];
    size_t answer_len;
    /* the engine's */
    struct task task;
    struct engine_batch *next;
    uint64_t due_ms;
    void *engine_data;
};

void engine_submit(struct engine *engine, struct engine_batch *batch);

/* The batch as a read that sees what it has already written. Valid inside `run` only. */
struct engine_read *engine_write_read(struct engine_write *w);

struct err engine_put(struct engine_write *w, struct slice key, struct slice value) MUST_USE;

/* ERR_NOT_FOUND: there was no such key. */
struct err engine_delete(struct engine_write *w, struct slice key) MUST_USE;

/* ---- blobs ---- */

struct engine_blob_info {
    uint64_t id; /* this engine's short name of it; never given to another blob */
    uint8_t hash[ENGINE_HASH_LEN];
    uint64_t len;
    uint64_t references;
};

/*
 * One reference more to the blob of that hash, which the batch brought or the store already has.
 * ERR_NOT_FOUND: it has none. One less: at zero the blob may be swept later, unless it is pinned
 * or referred to again first.
 */
struct err engine_blob_link(struct engine_write *w, const uint8_t hash[ENGINE_HASH_LEN],
                            struct engine_blob_info *out) MUST_USE;
struct err engine_blob_link_id(struct engine_write *w, uint64_t id) MUST_USE;
struct err engine_blob_unlink(struct engine_write *w, uint64_t id) MUST_USE;

struct err engine_blob_stat(struct engine_read *rd, uint64_t id,
                            struct engine_blob_info *out) MUST_USE;
struct err engine_blob_meta(struct engine_read *rd, uint64_t id, struct slice *meta) MUST_USE;

/*
 * The bytes from `offset` on, at most `most` and no more than the stored piece has that they lie
 * in: call again with offset + piece.len until the blob's length is reached. Their checksums are
 * verified, which takes time by their number: ask for no more than is used.
 * ERR_NOT_FOUND: no such blob, or offset is not inside it.
 */
struct err engine_blob_piece(struct engine_read *rd, uint64_t id, uint64_t offset, uint64_t most,
                             struct slice *piece) MUST_USE;

/* The next blob with an id > `after`, for tools. ERR_NOT_FOUND: that was the last. */
struct err engine_blob_next(struct engine_read *rd, uint64_t after,
                            struct engine_blob_info *out) MUST_USE;

/* Would reading these bytes wait for the disk? (False only says: probably not.) */
bool engine_blob_is_cold(struct engine_read *rd, uint64_t id, uint64_t offset, uint64_t len);

/* Bring bytes of a blob into memory. */
struct engine_fetch {
    struct engine_partition *partition;
    uint64_t blob_id, offset, len;
    uint64_t deadline_ms;
    struct executor *home;
    void (*done)(struct engine_fetch *rq);
    enum engine_end end;
    struct err err;
    struct task task;
    struct engine_fetch *next;
    uint64_t due_ms;
};

void engine_blob_fetch(struct engine *engine, struct engine_fetch *rq);

/*
 * While a blob is pinned it is not swept. Pins are counted, and live in memory only. To be sure
 * that there is something to pin, do it inside a read that sees a reference to the blob.
 */
void engine_blob_pin(struct engine *engine, uint64_t id);
void engine_blob_unpin(struct engine *engine, uint64_t id);

/* ---- watching ---- */

/*
 * `changed` is posted to `home` when the partition may have reached a version beyond the last
 * one it was told; many commits may give one call. Also for commits of other processes. Start the
 * watch first, read afterwards: then no change falls between them.
 */
struct engine_watch {
    struct executor *home;
    void (*changed)(struct engine_watch *watch);
    uint64_t version; /* at least this was reached */
    /* the engine's */
    struct engine_partition *partition;
    struct engine_watch *next, *prev;
    struct task task;
    void (*stopped)(struct engine_watch *watch);
    uint64_t reached;
    int state;
};

void engine_watch_start(struct engine_partition *partition, struct engine_watch *watch);

/*
 * After it returns `changed` is not called again: call it on the thread of `home` (a call that
 * was already posted is swallowed there), and keep *watch in place until `stopped` is called, on
 * home as well.
 */
void engine_watch_stop(struct engine_watch *watch, void (*stopped)(struct engine_watch *watch));

/* ---- the whole ---- */

struct engine_stats {
    uint64_t file_bytes, used_bytes, free_bytes;
    uint64_t partitions, blobs, blob_bytes, dead_blobs;
    uint64_t commits, batches;        /* since it was opened */
    uint64_t oldest_read_ms, readers; /* age of the oldest snapshot that is open now */
};

struct err engine_stats(struct engine *engine, struct engine_stats *out) MUST_USE;

/* The next partition with an id > `after`. ERR_NOT_FOUND: that was the last. */
struct err engine_partition_next(struct engine *engine, uint64_t after, uint64_t *id) MUST_USE;

/*
 * May what is stored be walked at all? Ask before engine_verify(), and before much is read where
 * damage is suspected: a walk over what is damaged below all checksums can end the process.
 * ERR_CORRUPT: no; `finding` was told why. Reads the indexes, not the blobs.
 */
struct err engine_sound(struct engine *engine, void (*finding)(void *ctx, const char *text),
                        void *ctx) MUST_USE;

/*
 * Check the engine's own invariants on a live store: every chunk against its checksum, every blob
 * against its hash, indexes against each other. `finding` is told each fault, in words.
 */
struct err engine_verify(struct engine *engine, void (*finding)(void *ctx, const char *text),
                         void *ctx) MUST_USE;

/* A consistent copy in a new directory, while everything goes on. ERR_EXISTS: it is not empty. */
struct err engine_backup(struct engine *engine, const char *dir, bool compact) MUST_USE;

/*
 * Flushes nothing (what was answered is durable); requests still queued end as unavailable. Reads,
 * watches and pins must have ended; a partition may still be closed after it, but not read.
 */
void engine_close(struct engine *engine);

#endif
