/* message_int.h - what the files about changing messages share. */
#ifndef GATEPOST_STORE_MESSAGE_INT_H
#define GATEPOST_STORE_MESSAGE_INT_H

#include "store/rowgroup.h"
#include "store/store_int.h"

/* About what one batch takes of a long request. */
enum {
    SLICE_MESSAGES = 16384, /* looked at: 2 ms or so */
    SLICE_RUNS = 512,       /* runs of UIDs that a change tears the run sets into */
    SLICE_EXPUNGE = 1000,   /* messages whose keys and blobs are let go */
    SLICE_GROUPS = 4096,    /* groups of which only the header is looked at */
    SLICE_BLOBS = 20000,    /* of bags that are let go; more by a group's at most */
};

/* Is a UID in a set? For UIDs that ascend: amortised O(1). */
struct uid_walk {
    const struct uidset *set;
    size_t i;
};

static inline bool uid_walk_has(struct uid_walk *walk, uint32_t uid)
{
    while (walk->i < walk->set->n && walk->set->runs[walk->i].last < uid)
        walk->i++;
    return walk->i < walk->set->n && walk->set->runs[walk->i].first <= uid;
}

/* ---- putting messages behind the last one of a folder (append.c) ---- */

struct appender {
    struct folder_rec *folder;
    struct group last;
    uint64_t first_counter;
    uint32_t first_uid;
    uint32_t n, n_deleted;
    uint64_t size;
    struct uidset unseen;
    struct keyword_counts keywords;
    struct mid_runs mids;
    /* the caller's, after appender_begin(): for the log */
    enum store_cause cause;
    uint64_t old_fid;         /* where they are copied or moved from, */
    struct mid_runs old_mids; /* and what was the MID of each there */
};

/* Check that `n` messages fit into the folder's UIDs, and begin. appender_done() always. */
struct err appender_begin(struct store_tx *tx, struct appender *a, struct folder_rec *folder,
                          uint64_t n) MUST_USE;
/*
 * Give the row a UID, its change numbers and, where it has none, a MID, and put it behind the
 * others. All else is the caller's. No other counter value may be taken between the first one and
 * appender_end().
 */
struct err appender_add(struct store_tx *tx, struct appender *a, struct message_row *row) MUST_USE;
/* Write runs, counters, the folder and the log down. */
struct err appender_end(struct store_tx *tx, struct appender *a) MUST_USE;
void appender_done(struct appender *a);

/* ---- taking messages out of a folder (expunge.c) ---- */

enum removal_kind {
    REMOVE_EXPUNGED, /* bytes and keywords are let go */
    REMOVE_MOVED,    /* another row has taken them over */
    REMOVE_REPLACED, /* another row has taken over its MID and what is kept under that */
    REMOVE_KEPT,     /* another row has taken over both */
};

struct removal {
    enum removal_kind kind;
    struct uidset gone, unseen;
    uint32_t n_deleted;
    uint64_t size;
    size_t blobs; /* of bags, that were let go */
    struct mid_runs mids;
    struct keyword_counts keywords;
};

/* Note one row and let go what hangs on it; the caller takes it out of its group. */
struct err removal_add(struct store_tx *tx, struct removal *r,
                       const struct message_row *row) MUST_USE;
/* Write runs, counters, the folder, the tombstone and the log down. */
struct err removal_end(struct store_tx *tx, struct removal *r, struct folder_rec *folder) MUST_USE;
void removal_done(struct removal *r);

/* Remove these of the folder, all in this batch. */
struct err remove_all(struct store_tx *tx, struct folder_rec *folder, const struct uidset *uids,
                      enum removal_kind kind) MUST_USE;

/* ---- from one folder to another (copy.c) ---- */

/* The records are the same one where the folders are. */
struct transfer {
    struct folder_rec *from, *to;
    const struct uidset *uids;
    uint32_t before; /* UIDs of the source from here on are new: copies of this very batch */
    uint32_t most;
    bool move;
    bool keep_mids;        /* of a move */
    struct uidset *source; /* out: what was copied */
};

/* All in this batch; the folders are saved. */
struct err transfer_run(struct store_tx *tx, struct transfer *t, uint32_t *first_uid) MUST_USE;

/* ---- deleting as MAPI does (delete.c) ---- */

/* The first `most` UIDs, or a few more, that are >= from and < before. */
struct err first_uids(struct store_tx *tx, uint64_t fid, uint64_t from, uint32_t before,
                      unsigned most, struct uidset *out) MUST_USE;

/* Are soft-deleted items kept, and is there room for so many bytes of them? */
bool fits_deleted(const struct store_tx *tx, uint64_t size);

/* Delete these messages softly where that can be and is not too `hard`. *n rises by those that did.
 */
struct err messages_delete(struct store_tx *tx, struct folder_rec *folder,
                           const struct uidset *uids, bool hard, size_t *n) MUST_USE;
/* A bounded number of those with UIDs < before. */
struct err messages_delete_some(struct store_tx *tx, struct folder_rec *folder, uint32_t before,
                                bool hard, size_t *n, bool *more) MUST_USE;

/* Move on a bounded number of the messages of one folder to another; *more: some are left. */
struct err message_move_some(struct store_tx *tx, uint64_t from, uint64_t to, bool *more) MUST_USE;

/* What is kept under a row's MID goes: where it is, its UIDL, its bag. */
struct err drop_message_keys(struct store_tx *tx, const struct message_row *row,
                             size_t *blobs) MUST_USE;

#endif
