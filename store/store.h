/*
 * store.h - users' mailboxes: folders, messages, their flags and bytes.
 *
 * One MAPI-style store that POP3, IMAP, MAPI and LMTP see at the same time. A mailbox holds
 * folders (FID), folders hold messages (MID; UID within the folder). Each mailbox has one
 * ever-growing 48-bit counter; every created or changed object takes a value of it, and that is
 * IMAP's MODSEQ and MAPI's change number alike.
 *
 * Threads    Reads run on any thread, each inside its own store_read, which belongs to that
 *            thread. A read must end before the event loop turns: an old snapshot makes the file
 *            grow. Changes are requests (struct store_op): store_submit() queues one from any
 *            thread, it runs on the store's writer thread, and `done` is called on its executor
 *            after it is durable.
 * Ownership  Slices that a read returns point into the memory map and die with store_read_end().
 * Errors     A function that fails leaves its out parameters untouched. ERR_CORRUPT: a checksum
 *            does not match; the caller must not go on as if there were nothing there.
 * Units      Sizes are bytes. Times are FILETIME: 100 ns since 1601-01-01 UTC ([MS-DTYP] 2.3.3).
 */
#ifndef GATEPOST_STORE_STORE_H
#define GATEPOST_STORE_STORE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/executor.h"
#include "base/log.h"
#include "store/engine/engine.h"
#include "store/mime/mime.h"
#include "store/uidset.h"

struct store;
struct mailbox;    /* an open mailbox; counted, shared by all sessions of its user */
struct store_read; /* a snapshot of one mailbox */
struct store_tx;   /* a batch that is being run; the store's own */

struct store_config {
    const char *dir;
    uint64_t map_bytes;     /* address space to reserve; 0: 1 TiB */
    uint64_t reserve_bytes; /* refuse new mail when the disk has less than this left */
    uint32_t max_log;       /* change log entries kept per mailbox, or some more; 0: 100,000 */
    uint64_t max_message;   /* bytes; 0: 64 MiB */
    uint32_t max_folders;   /* of a mailbox; 0: 100,000 */
    uint64_t recover; /* how long soft-deleted items are kept, as a FILETIME; 0: they are not */
    bool create;      /* make the directory and an empty store where there is none */
};

/*
 * ERR_NOT_FOUND: no store there and not `create`. ERR_UNSUPPORTED: a format version that this
 * program does not know.
 */
struct err store_open(const struct store_config *config, struct log *log,
                      struct store **out) MUST_USE;
/*
 * Wait until whatever was asked of the store before has been answered: messages being prepared, and
 * changes of any mailbox. Answered means posted: the caller then lets the executors run, and a
 * request in steps may ask for the next one there. For closing down, when those who asked are gone
 * but their answers still hold mailboxes; not on a worker.
 *
 *     while (store_is_asked(st)) {
 *         store_quiesce(st);
 *         let every executor run what was posted to it
 *     }
 */
void store_quiesce(struct store *st);

/* Is there a request whose `done` has not run yet? */
bool store_is_asked(struct store *st);

/* Every mailbox has been closed, those that late answers hold too: see store_quiesce(). */
void store_close(struct store *st);

/* A store over an engine that the caller opened (tests: the faulty one). Takes the engine over. */
struct err store_open_engine(const struct store_config *config, struct engine *engine,
                             struct log *log, struct store **out) MUST_USE;
struct engine *store_engine(struct store *st);

/*
 * Can new mail be stored now? Commits an empty change, so a disk that does not answer, a full store
 * and a writer that is stuck are all found out. ERR_NO_SPACE; ERR_UNAVAILABLE: not begun within
 * `deadline_ms`. Waits for its commit: never on a worker, and not many times a second.
 */
struct err store_probe(struct store *st, uint64_t deadline_ms) MUST_USE;

/* store_config.max_message: what may be stored as one message. */
uint64_t store_max_message(const struct store *st);

/*
 * Is less left than the reserve, on the disk and of free pages in the store? Then new mail is
 * refused. Asks the system at most once a second.
 */
bool store_low_space(struct store *st);

/* ---- requests ---- */

struct store_job { /* the store's: work for the thread that prepares */
    void (*run)(struct store_job *job, bool stopping);
    struct store_job *next;
};

/*
 * What every change has in common. Embed it (the typed requests below do), clear the request with
 * its store_*_init() FIRST, fill in home, done and the inputs, and store_submit() it. It stays in
 * place until `done`. `err`: ERR_UNAVAILABLE, ERR_UNKNOWN_END (repeatable: set `id` to make that
 * safe), ERR_NO_SPACE, ERR_QUOTA, or what the request says.
 */
struct store_op {
    struct executor *home;
    void (*done)(struct store_op *op);
    void *owner;               /* the caller's */
    uint8_t id[ENGINE_ID_LEN]; /* optional idempotence key; all zero: none */
    struct err err;
    uint64_t modseq; /* highest counter value of the mailbox after it */
    /*
     * The engine knew the id: the request was done when it was submitted before, and this time it
     * did nothing. Outputs are as they were, for nobody remembers them.
     */
    bool repeated;
    /* the store's */
    struct err (*step)(struct store_tx *tx, struct store_op *op); /* the work of one batch */
    void (*prepare)(struct store_op *op);                         /* before the first batch */
    /* Of how many bytes; beyond STORE_PREPARE_INLINE it is done off the caller's thread. */
    uint64_t (*weigh)(const struct store_op *op);
    struct store_job job;
    void (*settle)(struct store_op *op);  /* a batch is durable: take its outputs over */
    void (*cleanup)(struct store_op *op); /* before `done` */
    bool more;                            /* there is work left for another batch */
    bool sliced;      /* takes as many batches as it needs; doing it again does no harm: no id */
    bool ran;         /* the batch was run, not recognised */
    bool needs_space; /* refused when the disk is nearly full */
    uint32_t batches; /* how many are done */
    struct mailbox *mailbox;
    struct engine_batch batch;
    struct engine_new_blob *blobs;
    size_t n_blobs;
};

/* Queue a request that one of the store_*_init() functions made ready. */
void store_submit(struct mailbox *mb, struct store_op *op);

/* Submit and wait: for the command line and tests, never on a worker. op->home is not used. */
struct err store_run(struct mailbox *mb, struct store_op *op);

/* ---- mailboxes ---- */

struct store_open_mailbox {
    uint64_t mailbox_id;
    struct executor *home;
    void (*done)(struct store_open_mailbox *rq);
    void *owner;
    struct err err;
    struct mailbox *mailbox; /* mailbox_close() it */
    /* the store's */
    struct engine_open open;
    struct store *store;
    struct store_op create;
};

/*
 * Open a mailbox; one that does not exist yet is made, with its tree of special folders
 * ([MS-OXCSTOR] 3.1.4.1, [MS-OXOSFLD]). Asynchronous; store_mailbox_open_now() waits.
 */
void store_mailbox_open(struct store *st, struct store_open_mailbox *rq);
struct err store_mailbox_open_now(struct store *st, uint64_t mailbox_id,
                                  struct mailbox **out) MUST_USE;
struct mailbox *mailbox_hold(struct mailbox *mb);
void mailbox_close(struct mailbox *mb);

/* An id that no mailbox has or had. Taken durably. */
struct err store_mailbox_new_id(struct store *st, uint64_t *id) MUST_USE;

/* Delete a mailbox and all in it, in slices. Waits. */
struct err store_mailbox_delete(struct store *st, uint64_t mailbox_id) MUST_USE;

struct mailbox_info {
    uint8_t replica_guid[16];                /* new after a restore of a copy */
    uint8_t mailbox_guid[16];                /* the same for ever */
    uint64_t counter;                        /* the last value that was taken */
    uint64_t size, messages;                 /* of all folders */
    uint64_t deleted_size, deleted_messages; /* soft-deleted, and in no sum above */
    uint64_t quota;                          /* bytes; 0: none */
    uint64_t created;
};

/* ---- reading ---- */

struct err store_read_begin(struct mailbox *mb, struct store_read **out) MUST_USE;
void store_read_end(struct store_read *rd);
uint64_t store_read_version(struct store_read *rd);
struct err store_mailbox_info(struct store_read *rd, struct mailbox_info *out) MUST_USE;

/* ---- folders ---- */

/* The special folders of a MAPI store and their IMAP attributes (RFC 6154). */
enum store_special {
    SPECIAL_NONE,
    SPECIAL_ROOT,
    SPECIAL_DEFERRED_ACTION,
    SPECIAL_SPOOLER_QUEUE,
    SPECIAL_IPM_SUBTREE,
    SPECIAL_INBOX,
    SPECIAL_OUTBOX,
    SPECIAL_SENT,  /* \Sent */
    SPECIAL_TRASH, /* Deleted Items, \Trash */
    SPECIAL_COMMON_VIEWS,
    SPECIAL_SCHEDULE,
    SPECIAL_SEARCH,
    SPECIAL_VIEWS,
    SPECIAL_SHORTCUTS,
    SPECIAL_DRAFTS,  /* \Drafts */
    SPECIAL_JUNK,    /* Junk Email, \Junk */
    SPECIAL_ARCHIVE, /* \Archive */
    SPECIAL_CALENDAR,
    SPECIAL_CONTACTS,
    SPECIAL_TASKS,
    SPECIAL_NOTES,
    SPECIAL_JOURNAL,
    SPECIAL_ALL,       /* \All, only where a client made one (RFC 6154 3) */
    SPECIAL_FLAGGED,   /* \Flagged, likewise */
    SPECIAL_IMPORTANT, /* \Important (RFC 8457), likewise */
    SPECIAL_COUNT
};

/*
 * What else a folder may hold, beside what IMAP and POP3 see of it: associated messages
 * ([MS-OXCFOLD] 1.1, FAI: views, forms, settings) and messages that were soft-deleted
 * ([MS-OXCFOLD] 2.2.1.3). Each kind has a hidden folder, its shadow, which is made when it is first
 * needed: `parent` is the folder it belongs to, it has rows, counters and changes of its own, and
 * no name. All that takes the FID of a folder with messages takes that of a shadow.
 */
enum store_shadow { SHADOW_NONE, SHADOW_ASSOCIATED, SHADOW_DELETED, SHADOW_COUNT };

struct store_folder {
    uint64_t fid, parent;
    enum store_shadow shadow; /* what it is itself */
    bool soft_deleted;        /* since deleted_on */
    bool search;              /* a search folder: what it finds is not the store's affair */
    uint64_t deleted_on;
    struct slice name;  /* UTF-8, NFC, of this level; dies with the read */
    struct slice class; /* PidTagContainerClass: "IPF.Note", ...; dies with the read */
    enum store_special special;
    bool noselect; /* only a level of the hierarchy: holds no messages (RFC 9051 6.3.5) */
    bool visible;  /* to IMAP: in the IPM subtree, of a mail class */
    bool subscribed;
    bool has_children;
    uint32_t uidvalidity, uidnext;
    uint32_t exists, unseen, deleted;
    uint32_t recent_from;   /* UIDs from here on are \Recent to the next that selects */
    uint64_t size;          /* of all its messages */
    uint64_t modseq;        /* HIGHESTMODSEQ: last change of anything in it, expunges too; >= 1 */
    uint64_t flags_modseq;  /* last change to a message that existed already */
    uint64_t expunge_floor; /* tombstones before this modseq are gone */
    uint64_t cn, created;
};

/* Shadows too, but not soft-deleted folders. */
struct err store_folder_get(struct store_read *rd, uint64_t fid, struct store_folder *out) MUST_USE;

/* A soft-deleted folder. ERR_NOT_FOUND: there is none, or it is not soft-deleted. */
struct err store_folder_get_deleted(struct store_read *rd, uint64_t fid,
                                    struct store_folder *out) MUST_USE;

/* The shadow of a folder. ERR_NOT_FOUND: it has none yet, and so no such messages. */
struct err store_folder_shadow(struct store_read *rd, uint64_t fid, enum store_shadow shadow,
                               struct store_folder *out) MUST_USE;

/*
 * The folders right below one, in order of name; `deleted`: those that were soft-deleted there, in
 * order of FID. All slices live in the arena. `subscribed` is not told.
 */
struct err store_folder_children(struct store_read *rd, uint64_t fid, bool deleted,
                                 struct arena *in, struct store_folder **out, size_t *n) MUST_USE;

/*
 * The name of a folder as MAPI shows it. IMAP's separator `/` is kept as U+2215 in names, so what a
 * MAPI client calls `a/b` an IMAP client sees as one folder of that name with a division slash, and
 * the other way round. The Inbox is "Inbox". Lives in the arena, or with `folder`.
 */
struct slice store_folder_display_name(const struct store_folder *folder, struct arena *in);

/*
 * The folder at `path`: UTF-8, '/' between levels, below the IPM subtree; a first level INBOX in
 * any case is the Inbox. ERR_NOT_FOUND.
 */
struct err store_folder_find(struct store_read *rd, struct slice path,
                             struct store_folder *out) MUST_USE;

/* A special folder; never fails for those that every mailbox has. */
struct err store_folder_special(struct store_read *rd, enum store_special special,
                                struct store_folder *out) MUST_USE;
/* The same in a snapshot of its own, for who needs no more than the FID. */
struct err store_special_fid(struct mailbox *mailbox, enum store_special special,
                             uint64_t *fid) MUST_USE;

/* The path of a folder, as store_folder_find() takes it ("INBOX" for the Inbox). */
struct err store_folder_path(struct store_read *rd, uint64_t fid, struct buf *out) MUST_USE;

struct store_folder_entry {
    struct store_folder folder; /* its slices live in the arena */
    struct slice path;
    uint32_t depth;
};

/*
 * Every folder below the IPM subtree (`all`: below the root), each before its children, siblings
 * in order of name, INBOX first.
 */
struct err store_folder_list(struct store_read *rd, bool all, struct arena *in,
                             struct store_folder_entry **out, size_t *n) MUST_USE;

/*
 * Names that were subscribed to (RFC 3501 6.3.6: they may outlive their folder), as paths, in
 * order.
 */
struct err store_subscriptions(struct store_read *rd, struct arena *in, struct slice **out,
                               size_t *n) MUST_USE;

/*
 * Why a name cannot be that of a new folder: empty levels, control characters, levels longer than
 * 255 bytes, more than 1,000 levels or 4,096 bytes. ERR_INVALID or ERR_TOO_BIG.
 */
struct err store_folder_name_check(struct slice path) MUST_USE;

/*
 * Make a folder, and the levels above it that are missing. ERR_EXISTS.
 *
 * With a `parent`, `path` is the name of one level, as MAPI gives it: see
 * store_folder_display_name(). It is compared without regard to case then ([MS-OXCFOLD] 3.2.5.2),
 * also if other folders differ in nothing else; ERR_NOT_FOUND: there is no such parent;
 * ERR_INVALID: no name.
 */
struct store_folder_create {
    struct store_op op;
    uint64_t parent;            /* or 0: by path */
    bool search;                /* a search folder */
    bool open_existing;         /* ERR_EXISTS is no error: `fid` and `existed` tell */
    struct slice comment;       /* PidTagComment of the new one; must live until done */
    bool existed;               /* out */
    struct slice path;          /* must live until done */
    enum store_special special; /* SPECIAL_NONE, or a use that no folder has yet (ERR_CONFLICT) */
    struct slice class;         /* empty: that of the parent */
    uint64_t fid;               /* out */
    uint32_t uidvalidity;       /* out */
};
void store_folder_create_init(struct store_folder_create *rq);

/*
 * Delete a folder and its messages; with children left it stays as a \Noselect level.
 * ERR_NOT_FOUND; ERR_DENIED: a special folder of MAPI, or a level that only exists for its
 * children.
 */
struct store_folder_delete {
    struct store_op op;
    uint64_t fid;
};
void store_folder_delete_init(struct store_folder_delete *rq);

/*
 * Rename (and move) a folder with all below it; missing levels above the new name are made.
 * Renaming the Inbox moves its messages to a new folder of that name and leaves the Inbox empty,
 * children stay (RFC 3501 6.3.5). ERR_NOT_FOUND, ERR_EXISTS, ERR_DENIED (special; into itself).
 */
struct store_folder_rename {
    struct store_op op;
    uint64_t fid;
    struct slice path; /* the new one; must live until done */
};
void store_folder_rename_init(struct store_folder_rename *rq);

/*
 * Delete a folder as MAPI does ([MS-OXCFOLD] 3.2.5.3): the whole of it, in slices. Soft-deleted
 * ones keep their FIDs and messages until they are too old (store_config.recover); `hard` ones, and
 * those that were soft-deleted already, go at once. ERR_NOT_FOUND; ERR_DENIED: a special folder.
 */
struct store_folder_remove {
    struct store_op op;
    uint64_t fid;
    bool messages; /* though it has messages, */
    bool folders;  /* or folders below it: else nothing is done, and `partial` tells */
    bool hard;
    bool partial; /* out */
};
void store_folder_remove_init(struct store_folder_remove *rq);

/*
 * Delete all messages of a folder and all folders below it, in slices: [MS-OXCFOLD] 3.2.5.9 and
 * 3.2.5.10. ERR_NOT_FOUND.
 */
struct store_folder_empty {
    struct store_op op;
    uint64_t fid;
    bool associated; /* associated messages of the folder too; they are gone for good */
    bool hard;       /* and what was soft-deleted there goes too */
    bool partial;    /* out: a special folder below it was left, with all that is below that */
    uint32_t before; /* the store's */
};
void store_folder_empty_init(struct store_folder_empty *rq);

/*
 * Put a folder with all below it under another parent, or another name. One that is soft-deleted is
 * recovered so, without the folders that were deleted below it. ERR_NOT_FOUND: it or the parent;
 * ERR_EXISTS: the name is taken, by store_folder_create's rule; ERR_DENIED: a special folder;
 * ERR_CONFLICT: the parent is the folder itself or below it; ERR_INVALID: no name.
 */
struct store_folder_move {
    struct store_op op;
    uint64_t fid, parent;
    struct slice name;     /* as MAPI gives it; empty: that which it has. Must live until done */
    uint64_t at, batch_at; /* the store's */
};
void store_folder_move_init(struct store_folder_move *rq);

/*
 * Copy a folder: class, properties, messages, associated messages; with `recursive` all below it
 * too. In slices. Errors are store_folder_move's, and those of copying messages: what was copied
 * till then stays. A source that vanishes meanwhile ends the copy, and so does a request that is
 * repeated under its id: `partial` tells.
 */
struct store_folder_copy {
    struct store_op op;
    uint64_t fid, parent;
    struct slice name; /* as MAPI gives it; empty: that which it has. Must live until done */
    bool recursive;
    uint64_t copy; /* out: the FID of the new folder */
    bool partial;  /* out */
    /* the store's: where the copying is, and where after the batch that is under way */
    struct folder_copying {
        uint64_t from, to, top;
        uint64_t next;   /* the first UID of `from` that is not copied yet */
        bool associated; /* the associated messages are being copied */
        bool partial;
    } at, batch;
};
void store_folder_copy_init(struct store_folder_copy *rq);

struct store_subscribe {
    struct store_op op;
    struct slice path; /* must live until done */
    bool on;           /* ERR_NOT_FOUND: off, and was not subscribed */
};
void store_subscribe_init(struct store_subscribe *rq);

/* ---- views: from sequence numbers to UIDs ---- */

/*
 * The UIDs of a folder at one moment as a list of runs: immutable, counted, shared between
 * sessions that see the same. An idle session on 1,000,000 messages costs a pointer.
 */
struct store_view;

struct err store_view_open(struct store_read *rd, uint64_t fid, struct store_view **out) MUST_USE;
struct store_view *store_view_hold(struct store_view *view);
void store_view_close(struct store_view *view);

uint32_t store_view_count(const struct store_view *view);
uint32_t store_view_last_uid(const struct store_view *view); /* 0 when empty */

/* seq is 1..count. The seq of a UID, or 0 where it is not in the view. */
uint32_t store_view_uid(const struct store_view *view, uint32_t seq);
uint32_t store_view_seq(const struct store_view *view, uint32_t uid);

/* The number of members < uid: 1 + this is where `uid` would stand. */
uint32_t store_view_rank(const struct store_view *view, uint32_t uid);

/* The members as runs, for set arithmetic; owned by the view. */
const struct uidset *store_view_uids(const struct store_view *view);

/* Every member of `old` that `new` lacks. */
void store_view_gone(const struct store_view *old, const struct store_view *new,
                     struct uidset *gone);

/* `old`, and what arrived in `new` behind its end: for when EXPUNGE may not be told yet. */
struct store_view *store_view_extend(struct store_view *old, const struct store_view *new) MUST_USE;

/* The unseen messages of a folder, as runs. */
struct err store_unseen(struct store_read *rd, uint64_t fid, struct uidset *out) MUST_USE;

/* ---- messages ---- */

enum store_flag {
    FLAG_SEEN = 1 << 0,     /* mfRead */
    FLAG_ANSWERED = 1 << 1, /* PidTagLastVerbExecuted */
    FLAG_FLAGGED = 1 << 2,  /* PidTagFlagStatus */
    FLAG_DELETED = 1 << 3,  /* MSGSTATUS_DELMARKED */
    FLAG_DRAFT = 1 << 4,    /* mfUnsent */
    FLAG_ALL_IMAP = (1 << 5) - 1,
    FLAG_ATTACHMENTS = 1 << 8,   /* computed at delivery: PidTagHasAttachments */
    FLAG_IMPORTED_UIDL = 1 << 9, /* it has a UIDL of its own: see store_uidl() */
    FLAG_BAG = 1 << 10,          /* it has explicit properties: see property.h */
};

/* A message in its folder: 64 bytes on disk, packed 63 to a page. */
struct message_row {
    uint32_t uid;
    uint16_t flags;
    int16_t zone;         /* of internaldate: minutes east of UTC, echoed as APPEND gave it */
    uint32_t size;        /* bytes: RFC822.SIZE, LIST, len(BODY[]) */
    uint32_t keyword_set; /* 0: none; see store_keywords() */
    uint64_t mid;
    uint64_t modseq;  /* the greatest of cn, read_cn and any other change's */
    uint64_t cn;      /* last change of content or properties */
    uint64_t read_cn; /* last change of the read state */
    uint64_t internaldate;
    uint64_t savedate; /* when it came into this folder (RFC 8514); whole seconds */
    int64_t sent;      /* of the Date field: Unix seconds, taken without its zone for SENTON */
    uint64_t blob;     /* its bytes */
};

struct err store_message(struct store_read *rd, uint64_t fid, uint32_t uid,
                         struct message_row *out) MUST_USE;

/* Where a MID is. */
struct err store_message_by_mid(struct store_read *rd, uint64_t mid, uint64_t *fid,
                                uint32_t *uid) MUST_USE;

/*
 * Walk the messages of a folder by UID, from `from` on: 3 ns each. Close it before the read ends.
 * *row lives until the next call. ERR_NOT_FOUND: at the end.
 */
struct store_rows;
struct store_rows *store_rows_open(struct store_read *rd, uint64_t fid, uint32_t from) MUST_USE;
struct err store_rows_next(struct store_rows *rows, const struct message_row **row) MUST_USE;
/* Go on at the first UID >= uid (forwards or backwards); cheap within a group. */
void store_rows_seek(struct store_rows *rows, uint32_t uid);
void store_rows_close(struct store_rows *rows);

/*
 * Messages that exist and whose modseq is beyond `since` (new ones too), as UIDs. From the change
 * log where it reaches back that far, else by a walk.
 */
struct err store_changed_since(struct store_read *rd, uint64_t fid, uint64_t since,
                               struct uidset *out) MUST_USE;

/* All of these and maybe others: for who looks at the rows anyway, which it spares. */
struct err store_touched_since(struct store_read *rd, uint64_t fid, uint64_t since,
                               struct uidset *out) MUST_USE;

/*
 * UIDs expunged from the folder after `since`. *complete is false where tombstones that old are
 * gone: the caller then has to treat every UID it does not see as expunged (RFC 7162 3.2.5.1).
 */
struct err store_expunged_since(struct store_read *rd, uint64_t fid, uint64_t since,
                                struct uidset *out, bool *complete) MUST_USE;

/* The keywords of a row's keyword_set. They live as long as the mailbox is open. */
struct keyword_set {
    uint32_t n;
    const struct slice *names;
};
struct err store_keywords(struct store_read *rd, uint32_t keyword_set,
                          const struct keyword_set **out) MUST_USE;

/* Every keyword in use or ever used in the mailbox: for FLAGS. Names live in the arena. */
struct err store_all_keywords(struct store_read *rd, struct arena *in, struct slice **out,
                              size_t *n) MUST_USE;

/* What was computed of the bytes at delivery. Slices die with the read. */
struct message_meta {
    struct slice envelope; /* wire forms (mime.h) */
    struct slice bodystructure;
    struct slice body;
    struct slice parts;   /* for mime_decode() */
    struct slice columns; /* what lists show of it (mapi/columns.h); older messages have none */
    uint32_t header_len;  /* with the empty line */
};
struct err store_message_meta(struct store_read *rd, const struct message_row *row,
                              struct message_meta *out) MUST_USE;

/* The SHA-256 of its bytes. */
struct err store_message_hash(struct store_read *rd, const struct message_row *row,
                              uint8_t hash[ENGINE_HASH_LEN]) MUST_USE;

/*
 * As engine_blob_piece(): bytes from `offset` on, at most `most` and no more than lie in one piece.
 */
struct err store_message_piece(struct store_read *rd, const struct message_row *row,
                               uint64_t offset, uint64_t most, struct slice *piece) MUST_USE;

/*
 * A range of the message as one slice: of the map where it lies in one piece, a copy in `in`
 * otherwise. For headers and for what must be looked at whole.
 */
struct err store_message_bytes(struct store_read *rd, const struct message_row *row,
                               uint64_t offset, uint64_t len, struct arena *in,
                               struct slice *out) MUST_USE;

/* Keep the bytes of a message while they are streamed, though it be expunged meanwhile. */
void store_pin(struct store *st, const struct message_row *row);
void store_unpin(struct store *st, const struct message_row *row);

/* The UIDL of POP3: at most 70 printable characters, stable for ever, or the imported one. */
struct err store_uidl(struct store_read *rd, uint64_t fid, const struct message_row *row,
                      struct buf *out) MUST_USE;

/* EMAILID (RFC 8474): of the content, survives moves and copies. 1 to 255 of [A-Za-z0-9_-]. */
struct err store_email_id(struct store_read *rd, const struct message_row *row,
                          struct buf *out) MUST_USE;

/* MAILBOXID: survives a rename. */
void store_mailbox_object_id(const struct mailbox_info *info, const struct store_folder *folder,
                             struct buf *out);

/* ---- changing messages ---- */

/*
 * Bytes of a message, with what is derived of them (hash, structure, envelope): made once, on the
 * calling thread, and given to any number of appends and deliveries. Counted; read by any thread.
 */
struct store_prepared;

/* Takes a copy of nothing: `spool` is taken over. ERR_TOO_BIG. */
struct store_spool;
struct err store_prepare(struct store *st, struct store_spool *spool,
                         struct store_prepared **out) MUST_USE;
/* Of bytes in memory, copied: `head` (may be empty), and `bytes` behind it. ERR_TOO_BIG. */
struct err store_prepare_bytes(struct store *st, struct slice head, struct slice bytes,
                               struct store_prepared **out) MUST_USE;
struct store_prepared *store_prepared_hold(struct store_prepared *prepared);
void store_prepared_free(struct store_prepared *prepared);
uint64_t store_prepared_size(const struct store_prepared *prepared);
const uint8_t *store_prepared_hash(const struct store_prepared *prepared);

/*
 * The same off the caller's thread, for large ones: `done` on home. A worker uses it when the
 * message has more than STORE_PREPARE_INLINE bytes.
 */
enum { STORE_PREPARE_INLINE = 256 * 1024 };
struct store_prepare_op {
    struct store_spool *spool; /* taken over */
    struct executor *home;
    void (*done)(struct store_prepare_op *op);
    void *owner;
    struct err err;
    struct store_prepared *prepared; /* out; free it */
    struct store *store;
    struct task task;
    struct store_job job;
};
void store_prepare_async(struct store *st, struct store_prepare_op *op);

/*
 * A message on its way in: small ones in memory, large ones in an unlinked file of the store's
 * directory. ERR_TOO_BIG: beyond max_message; ERR_NO_SPACE.
 */
struct store_spool *store_spool_new(struct store *st) MUST_USE;
struct err store_spool_put(struct store_spool *spool, struct slice bytes) MUST_USE;
uint64_t store_spool_size(const struct store_spool *spool);
/* All bytes as one slice, until the next put. */
struct err store_spool_bytes(struct store_spool *spool, struct slice *out) MUST_USE;
void store_spool_free(struct store_spool *spool);

struct store_new_message {
    struct store_prepared *prepared; /* held by the caller until done */
    uint16_t flags;
    const struct slice *keywords; /* must live until done */
    size_t n_keywords;
    uint64_t internaldate;
    int16_t zone;
    struct slice uidl; /* an imported UIDL (see store_uidl_valid()), or empty */
};

/* Can this be a UIDL (RFC 1939 7)? 1 to 70 printable characters. */
bool store_uidl_valid(struct slice uidl);

/*
 * Add messages to a folder, all or none. UIDs are consecutive.
 * ERR_NOT_FOUND: the folder is gone. ERR_QUOTA, ERR_NO_SPACE, ERR_LIMIT (out of UIDs).
 */
struct store_append {
    struct store_op op;
    uint64_t fid;
    const struct store_new_message *messages; /* must live until done */
    size_t n;
    bool delivered;       /* it is new mail: somebody else has sent it */
    uint32_t first_uid;   /* out */
    uint32_t uidvalidity; /* out */
};
void store_append_init(struct store_append *rq);

enum store_flags_how { FLAGS_REPLACE, FLAGS_ADD, FLAGS_REMOVE };

/*
 * Change flags. Messages that are gone are passed over. A message whose flags are already as
 * wanted is not changed and keeps its modseq. Many messages are changed in slices: others may see
 * some changed and some not yet, and an error in mid-way leaves those changed that are in
 * `changed`. Doing it again does no harm, so op.id is not needed, and not used.
 */
struct store_set_flags {
    struct store_op op;
    uint64_t fid;
    struct uidset uids; /* the caller's */
    enum store_flags_how how;
    uint16_t flags;
    const struct slice *keywords; /* must live until done */
    size_t n_keywords;
    bool conditional; /* leave those alone whose modseq is > unchanged_since ... */
    uint64_t unchanged_since;
    uint64_t known;         /* the caller knows all changes up to this modseq */
    struct uidset modified; /* out: ... and name them; uidset_done() it */
    struct uidset changed;  /* out: those that did change; uidset_done() it */
    bool others;            /* out: flags in the folder changed beyond `known` by somebody else */
    /* the store's: of the batch that is under way */
    uint64_t next, batch_next, batch_known;
    struct uidset batch_modified, batch_changed;
    bool batch_others;
};
void store_set_flags_init(struct store_set_flags *rq);

/* Remove messages, many of them in slices, as above. */
struct store_expunge {
    struct store_op op;
    uint64_t fid;
    bool everything;        /* all of the folder; else: */
    struct uidset uids;     /* the caller's */
    bool only_deleted;      /* only those that have \Deleted */
    struct uidset expunged; /* out; uidset_done() it */
    /* the store's: of the batch that is under way */
    uint64_t next, batch_next;
    struct uidset batch_expunged;
};
void store_expunge_init(struct store_expunge *rq);

/*
 * Delete messages as MAPI does, in slices: by their MIDs, of the folder or of its associated ones;
 * or everything. Soft-deleted messages keep their MIDs, and go to the folder's SHADOW_DELETED until
 * they are too old (store_config.recover). Gone for good are those of `hard` requests, associated
 * ones, what was soft-deleted before, and what does not fit: soft-deleted items do not count for
 * the mailbox's quota, but may be as many bytes again. ERR_NOT_FOUND: the folder is gone.
 */
struct store_delete_messages {
    struct store_op op;
    uint64_t fid;
    const uint64_t *mids; /* must live until done */
    size_t n;
    bool everything; /* instead of `mids`: all that are in the folder when it begins */
    bool hard;
    size_t deleted; /* out */
    size_t gone;    /* out: MIDs of no message in the folder (PartialCompletion) */
    /* the store's: of the batch that is under way */
    size_t next, batch_next, batch_deleted, batch_gone;
    uint32_t before;
};
void store_delete_messages_init(struct store_delete_messages *rq);

/*
 * Numbers that the caller may use as MIDs or FIDs: nobody else is given them. ERR_LIMIT: more than
 * STORE_RESERVE_MAX.
 */
enum { STORE_RESERVE_MAX = 1 << 24 };
struct store_reserve_ids {
    struct store_op op;
    uint32_t n;
    uint64_t first; /* out: and n - 1 behind it */
};
void store_reserve_ids_init(struct store_reserve_ids *rq);

/*
 * Copy or move messages to another folder (or the same), all or none; the copies share the bytes.
 * Those that are gone are passed over. Out of a shadow or a soft-deleted folder too, which recovers
 * what was soft-deleted. ERR_NOT_FOUND: the target is gone.
 */
struct store_copy {
    struct store_op op;
    uint64_t from, to;
    bool associated;    /* they become associated messages of the target */
    struct uidset uids; /* the caller's */
    bool move;
    struct uidset source;       /* out: what was copied, in order; the copies' UIDs are */
    uint32_t first_uid;         /* out: ... consecutive from here; uidset_done(&source) */
    uint32_t uidvalidity;       /* out: of the target */
    struct uidset batch_source; /* the store's */
};
void store_copy_init(struct store_copy *rq);

/*
 * \Recent (RFC 3501 2.3.2). UIDs from here on are to the next session that selects the folder:
 * folder->recent_from, or beyond it where a claim is not in that snapshot yet.
 */
uint32_t store_recent_from(struct mailbox *mb, const struct store_folder *folder);

/*
 * Claim them: UIDs *from <= uid < folder->uidnext are the caller's and at once nobody else's.
 * False: there are none. The caller has it written, by a store_claim_recent.
 */
bool store_recent_take(struct mailbox *mb, const struct store_folder *folder, uint32_t *from);

/* Write a claim. */
struct store_claim_recent {
    struct store_op op;
    uint64_t fid;
    uint32_t to;   /* of all UIDs below; out: no more than there are. At first all. */
    uint32_t from; /* out: those below were claimed before */
};
void store_claim_recent_init(struct store_claim_recent *rq);

struct store_set_quota {
    struct store_op op;
    uint64_t quota; /* bytes; 0: none */
};
void store_set_quota_init(struct store_set_quota *rq);

/* ---- watching ---- */

/*
 * `changed` is called on `home` when the mailbox may have changed since it was last called; what
 * changed is found by reading. Also for changes by other processes.
 */
struct store_watch {
    struct engine_watch engine;
    void (*changed)(struct store_watch *watch);
    void (*stopped)(struct store_watch *watch);
    void *owner;
};
void store_watch_start(struct mailbox *mb, struct store_watch *watch, struct executor *home);
/* See engine_watch_stop(): `stopped` is called on home, then *watch may go. */
void store_watch_stop(struct store_watch *watch, void (*stopped)(struct store_watch *watch));

/* ---- the whole store ---- */

struct store_verify_report {
    uint64_t mailboxes, folders, messages, blobs, faults;
};

/*
 * Check every invariant on a live store: counters, runs, references, the change log, checksums,
 * blobs against their hashes. `finding` is told each fault in words.
 */
struct err store_verify(struct store *st, void (*finding)(void *ctx, const char *text), void *ctx,
                        struct store_verify_report *report) MUST_USE;

/* Make a store of a backup: new replica GUIDs, new UIDVALIDITYs. Both are directories. */
struct err store_restore(const char *backup_dir, const char *store_dir, struct log *log) MUST_USE;

/*
 * For a handler of fatal signals: let the next opening of every store that this process has open
 * look at all its pages first. Async-signal-safe.
 */
void store_suspect(void);

/* Rewrite the file without its free pages. ERR_DENIED: another process has it open. */
struct err store_compact(const char *dir, struct log *log) MUST_USE;

#endif
