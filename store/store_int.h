/*
 * store_int.h - what the files of the mailbox model share.
 *
 * A change is written as a function of a struct store_tx: the mailbox's record, decoded, and the
 * engine's batch. It runs on the engine's writer thread, perhaps more than once, and has no effect
 * but on the batch and on the outputs of the request that embeds the struct store_op.
 */
#ifndef GATEPOST_STORE_STORE_INT_H
#define GATEPOST_STORE_STORE_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/schema.h"
#include "store/store.h"

struct prepare_pool;
struct store_pool;
struct view_cache;
struct keyword_cache;

struct store {
    struct engine *engine;
    struct engine_partition *system;
    char *dir;
    struct store_config config; /* with the defaults filled in; dir is the one above */
    struct log *log;
    struct store_pool *pool;      /* for sweeping */
    struct prepare_pool *prepare; /* for large messages */
    pthread_mutex_t mutex;        /* of the table of mailboxes and their holds */
    struct mailbox **buckets;
    size_t n_buckets, n_mailboxes;
    _Atomic uint64_t space_checked_ms;
    _Atomic bool low_space;
    pthread_cond_t idle; /* background becomes 0; under mutex */
    size_t background;   /* sweeps under way */
    _Atomic bool closing;
    _Atomic size_t asked; /* see store_is_asked() */
};

/* A request comes, and its `done` has returned: for store_is_asked(). */
static inline void store_asked(struct store *st)
{
    atomic_fetch_add(&st->asked, 1);
}

static inline void store_answered(struct store *st)
{
    atomic_fetch_sub(&st->asked, 1);
}

/*
 * Shared by all who have it open. Its caches hold only what cannot change (keyword sets) or what
 * is keyed by the version that it shows (views): other processes write to the same mailbox.
 */
struct mailbox {
    struct store *store;
    struct engine_partition *partition;
    uint64_t id;
    size_t holds;          /* under store->mutex */
    struct mailbox *next;  /* in its bucket */
    pthread_mutex_t mutex; /* of what follows */
    struct view_cache *views;
    struct keyword_cache *keywords;
    struct recent_claim *claims; /* recent.c */
    bool sweeping;               /* a sweep of this process is under way */
};

/* What a message's properties tell of the folder or shadow that it is in. */
struct message_place {
    uint64_t fid, parent;
    enum store_shadow shadow;
    bool deleted; /* what is in it is soft-deleted, since its own time or since ... */
    uint64_t deleted_on;
};

struct store_read {
    struct mailbox *mailbox;
    struct engine_read *engine;
    bool have_rec;
    struct mailbox_rec rec;
    struct message_place place; /* the last one that was asked for */
};

/* The record of the mailbox, read once per snapshot. */
struct err read_mailbox_rec(struct store_read *rd, const struct mailbox_rec **out) MUST_USE;

void recent_claims_free(struct recent_claim *claim);

/* ---- transactions ---- */

struct store_tx {
    struct engine_write *w;
    struct engine_read *read;
    struct engine_cursor *cursor; /* for absolute seeks only: a put may move it */
    struct mailbox *mailbox;
    struct mailbox_rec rec;
    bool changed; /* the record has to be written */
    uint64_t now;
};

/* Take the next `n` values of the counter; returns the first. */
uint64_t tx_take(struct store_tx *tx, uint64_t n);

struct err tx_put(struct store_tx *tx, const struct key *key, struct slice value) MUST_USE;
struct err tx_delete(struct store_tx *tx, const struct key *key) MUST_USE;
struct err tx_get(struct store_tx *tx, const struct key *key, struct slice *value) MUST_USE;
/* As tx_delete(), but it may be missing. */
struct err tx_delete_any(struct store_tx *tx, const struct key *key) MUST_USE;

/* ERR_QUOTA where the mailbox has no room for `bytes` more. */
struct err tx_check_quota(const struct store_tx *tx, uint64_t bytes) MUST_USE;

/* ---- mailboxes ---- */

/* Begin a mailbox: record and special folders. Does nothing where there is one already. */
struct err mailbox_create_step(struct store_tx *tx, struct store_op *op) MUST_USE;

/* Work that store_close() has to wait for. */
void store_background_begin(struct store *st);
void store_background_end(struct store *st);

/* Go on deleting what a crash has interrupted. */
void mailbox_delete_resume(struct store *st);

/* ---- the pool: threads for what is long, and an executor of them ---- */

struct store_pool *store_pool_new(unsigned threads) MUST_USE;
struct executor *store_pool_executor(struct store_pool *pool);
/* Waits for what was posted. */
void store_pool_free(struct store_pool *pool);

/* ---- folders ---- */

struct err folder_load(struct engine_read *rd, uint64_t fid, struct folder_rec *out) MUST_USE;
struct err folder_save(struct store_tx *tx, const struct folder_rec *rec) MUST_USE;
/* One that holds messages. ERR_NOT_FOUND for a mere level too, and for one that is soft-deleted. */
struct err folder_load_open(struct store_tx *tx, uint64_t fid, struct folder_rec *out) MUST_USE;
/* As folder_load_open(), for what comes into it: no shadow of soft-deleted messages. */
struct err folder_load_target(struct store_tx *tx, uint64_t fid, struct folder_rec *out) MUST_USE;
/* As folder_load_target(); `associated`: its shadow of associated messages. */
struct err folder_load_place(struct store_tx *tx, uint64_t fid, bool associated,
                             struct folder_rec *out) MUST_USE;
/* As folder_load_open(), for what is taken out of it: soft-deleted ones too. */
struct err folder_load_source(struct store_tx *tx, uint64_t fid, struct folder_rec *out) MUST_USE;
/* The child of that (normalised) name. */
struct err folder_child(struct engine_read *rd, uint64_t parent, struct slice name,
                        uint64_t *fid) MUST_USE;

/* Make one folder below `parent`, whose count of children is raised and saved. */
struct folder_new {
    uint64_t fid; /* 0: take a counter value */
    struct slice name, class;
    enum store_special special;
    bool noselect, search;
    const struct folder_rec *copy_of; /* or NULL */
};
struct err folder_make(struct store_tx *tx, struct folder_rec *parent, const struct folder_new *new,
                       struct folder_rec *out) MUST_USE;

/* An empty folder of new UIDs. */
void folder_start_uids(struct store_tx *tx, struct folder_rec *rec);

/* ---- shadows (shadow.c) ---- */

/*
 * The shadow of a folder, which is made where there is none; then the owner's record is changed and
 * saved. ERR_NOT_FOUND: the owner is a shadow itself, or soft-deleted.
 */
struct err shadow_load(struct store_tx *tx, struct folder_rec *owner, enum store_shadow shadow,
                       struct folder_rec *out) MUST_USE;
/* The folder loses a shadow, or all; their contents are swept. The owner's record is not saved. */
struct err shadow_drop(struct store_tx *tx, struct folder_rec *owner,
                       enum store_shadow shadow) MUST_USE;
struct err shadows_drop(struct store_tx *tx, struct folder_rec *owner) MUST_USE;

/* So many messages and bytes more, or fewer, in the sums that the folder's messages count for. */
struct err tx_count(struct store_tx *tx, const struct folder_rec *folder, int64_t n,
                    int64_t size) MUST_USE;
/* Something is soft-deleted now. */
void tx_note_deleted(struct store_tx *tx);

/* A UIDVALIDITY that no folder of the mailbox had: from the clock, rising. */
uint32_t tx_uidvalidity(struct store_tx *tx);

/* A path of store.h as levels in NFC. Empty levels are ERR_INVALID. */
struct folder_path {
    struct slice *levels;
    size_t n;
};
struct err folder_path_parse(struct slice path, struct arena *in, struct folder_path *out) MUST_USE;
struct slice folder_path_join(const struct folder_path *path, struct arena *in) MUST_USE;

/* Text in NFC, in the arena. ERR_INVALID: not UTF-8. */
struct err text_nfc(struct slice text, struct arena *in, struct slice *out) MUST_USE;

/* ---- run sets on disk (runs.c): kind is KEY_RUN_ALL or KEY_RUN_UNSEEN ---- */

struct err runs_add(struct store_tx *tx, enum key_kind kind, uint64_t fid, uint32_t first,
                    uint32_t last) MUST_USE;
struct err runs_remove(struct store_tx *tx, enum key_kind kind, uint64_t fid, uint32_t first,
                       uint32_t last) MUST_USE;
struct err runs_add_set(struct store_tx *tx, enum key_kind kind, uint64_t fid,
                        const struct uidset *set) MUST_USE;
struct err runs_remove_set(struct store_tx *tx, enum key_kind kind, uint64_t fid,
                           const struct uidset *set) MUST_USE;
/* Append the runs from the one that holds or follows `from` on to *out. */
struct err runs_load(struct engine_read *rd, enum key_kind kind, uint64_t fid, uint32_t from,
                     struct uidset *out) MUST_USE;

/* ---- change log ---- */

void uids_encode(const struct uidset *set, struct buf *out);
struct err uids_decode(struct slice bytes, struct uidset *out) MUST_USE; /* appends to *out */

struct err tombstone_decode(struct slice value, struct uidset *out) MUST_USE; /* appends */

/* MIDs as bytes (mids.c), in the order in which they are added. */
struct mid_runs {
    struct buf bytes;
    uint64_t first, n; /* of the run that grows */
    uint64_t end;      /* of the run before it */
};
struct mid_runs mid_runs_make(void);
void mid_runs_add(struct mid_runs *runs, uint64_t mid);
struct slice mid_runs_end(struct mid_runs *runs);
void mid_runs_done(struct mid_runs *runs);
/* Are these bytes of MIDs that are no greater than the counter? *n: how many. */
bool mids_are_sound(struct slice mids, uint64_t counter, uint64_t *n);

/* Note a change that took the counter values rec->first..tx->rec.counter. `uids` may be NULL. */
struct err log_put(struct store_tx *tx, struct log_rec *rec, const struct uidset *uids) MUST_USE;
/* The same of a folder that changed, without more to tell. */
struct err log_folder_changed(struct store_tx *tx, const struct folder_rec *folder) MUST_USE;
/* Remove a few of the oldest entries where there are too many. */
struct err log_trim(struct store_tx *tx) MUST_USE;

/* ---- keyword sets ---- */

/* A change of keywords, worked out once for each set that it is applied to. */
struct keyword_change {
    enum store_flags_how how;
    const struct slice *names;
    size_t n;
    struct {
        uint32_t from, to;
    } * known;
    size_t n_known, cap_known;
};

struct err keyword_names_check(const struct slice *names, size_t n) MUST_USE;
/*
 * The set that a row with `from` gets, which is made where there is none. A new set has no
 * references: it has to be counted in the same batch.
 */
struct err keyword_change_find(struct store_tx *tx, struct keyword_change *change, uint32_t from,
                               uint32_t *to) MUST_USE;
void keyword_change_done(struct keyword_change *change);

/* How many rows more or fewer have each set after a batch. */
struct keyword_counts {
    struct {
        uint32_t id;
        int64_t by;
    } * all;
    size_t n, cap;
};

void keyword_counts_add(struct keyword_counts *counts, uint32_t id, int64_t by);
/* Write them down; sets that no row has any more go. */
struct err keyword_counts_write(struct store_tx *tx, const struct keyword_counts *counts) MUST_USE;
void keyword_counts_done(struct keyword_counts *counts);

void keyword_cache_free(struct keyword_cache *cache);
struct err keyword_set_decode(struct slice value, uint32_t *references, struct slice *names,
                              size_t *n) MUST_USE; /* room for KEYWORDS_PER_MESSAGE */

/* ---- views ---- */

void view_cache_free(struct view_cache *cache);

/* ---- sweeping: the contents of folders that are gone ---- */

/* Remove a bounded part of what is doomed. tx->rec.doomed tells what is left. */
struct err sweep_step(struct store_tx *tx) MUST_USE;
/* Put the contents of a folder on the list; they stop counting at once. */
struct err sweep_doom(struct store_tx *tx, const struct folder_rec *rec) MUST_USE;
/* A pass over what was soft-deleted (recover.c): where it is. */
struct recover_pass {
    bool on;
    uint64_t parent, fid; /* the next key of KEY_DELETED */
    uint64_t until;       /* what was deleted later stays */
    uint64_t oldest;      /* of what stays */
};
/* Is there a soft-deleted item that may be too old? */
bool recover_is_due(const struct mailbox_rec *rec, uint64_t keep, uint64_t now);
/* A bounded part of the pass, which the `first` one begins where it is due; `on`: there is more. */
struct err recover_step(struct store_tx *tx, bool first, struct recover_pass *pass) MUST_USE;

/* Start sweeping in the background, where there is something to sweep. */
void sweep_start(struct mailbox *mb);

#endif
