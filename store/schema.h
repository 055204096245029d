/*
 * schema.h - what a mailbox looks like on disk: every kind of key with its value.
 *
 * A mailbox is one partition of the engine, which puts the partition's id before each key. Keys
 * are a kind byte and then big-endian numbers, so that byte order is logical order and a range is
 * a walk of a cursor. Numbers in values are little-endian. "counter" is the one ever-growing
 * number of the mailbox; FID, MID and CN are values of it.
 *
 *  kind                      key                      value
 *  KEY_MAILBOX          'm'                           struct mailbox_rec
 *  KEY_FOLDER           'f'  fid                      struct folder_rec
 *  KEY_FOLDER_NAME      'n'  parent fid, name         fid
 *  KEY_SPECIAL          's'  enum store_special u8    fid
 *  KEY_DOOMED           'd'  fid                      (empty)
 *  KEY_ROWS             'r'  fid, uid                 row group (rowgroup.h)
 *  KEY_RUN_ALL          'a'  fid, first uid           last uid
 *  KEY_RUN_UNSEEN       'u'  fid, first uid           last uid
 *  KEY_MID              'i'  mid                      fid, uid u32
 *  KEY_UIDL             'p'  mid                      imported UIDL
 *  KEY_KEYWORD_NAME     'k'  name in lower case       name as first seen
 *  KEY_KEYWORD_SET      'w'  id u32                   references u32, names (u8 length, bytes)
 *  KEY_KEYWORD_SET_HASH 'h'  SHA-256 of the names     id u32
 *  KEY_LOG              'l'  counter                  struct log_rec
 *  KEY_TOMBSTONE        't'  fid, counter             checksum u32, UIDs (changelog.c)
 *  KEY_SUBSCRIPTION     'b'  path (schema.c)          path
 *  KEY_BAG              'v'  MID, FID, or 0: mailbox  explicit properties (bag.h)
 *  KEY_DELETED          'y'  fid, fid                 (empty) what the first one has soft-deleted
 *  KEY_RECEIVE          'e'  class in lower case      who receives it (receive.c)
 *  KEY_PERMISSIONS      'c'  fid                      members and rights (permission.c)
 *  KEY_CRITERIA         'o'  fid                      what a search folder looks for (criteria.c)
 *  KEY_REPLICAS         'g'                           GUIDs of other replicas (replica.c)
 *  KEY_NAMED            'q'  property id u16          name of the property (named.c)
 *  KEY_NAMED_ID         'x'  GUID, LID or name        property id u16
 *
 * What always holds, and store_verify() checks:
 *  - the mailbox's messages and size are the sums over its folders, its folder count their number;
 *    what was soft-deleted is counted apart;
 *  - each folder but the root has one name entry under its parent, and the parent counts it among
 *    its children; no name is twice under one parent; shadows and soft-deleted folders have none,
 *    and are counted nowhere;
 *  - a shadow's parent says that it is its shadow; each folder of soft-deleted messages, and each
 *    soft-deleted folder, has one entry 'y' under its parent, and there are no others;
 *  - a folder's exists, size, deleted, unseen are those of its rows, uidnext is beyond all of
 *    them, modseq is not below any of theirs;
 *  - the runs 'a' are exactly the UIDs of the rows, the runs 'u' those without \Seen; runs ascend
 *    and do not touch;
 *  - a row group's key is <= its first UID and beyond the last UID of the group before it;
 *  - each row has one 'i' entry, and each 'i' entry a row; each row refers to a blob once;
 *  - a row has FLAG_BAG exactly when its MID has a bag; a bag belongs to a row, a folder or the
 *    mailbox, is not empty, and refers to each of its large values' blobs once;
 *  - names of properties have the ids from 0x8000 on without a gap, as many as the mailbox counts,
 *    and each leads to the other;
 *  - a folder says whether it has permissions or search criteria, the mailbox how many receive
 *    folders there are;
 *  - a keyword set is referred to by as many rows as it says, and by one at least;
 *  - the rows of a doomed FID belong to no folder that can be selected and are being removed;
 *  - no counter value in any record is beyond the mailbox's counter.
 */
#ifndef GATEPOST_STORE_SCHEMA_H
#define GATEPOST_STORE_SCHEMA_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "store/engine/engine.h"
#include "store/events.h"
#include "store/store.h"

/*
 * Raised when a program that knows only the older one would do harm. Of version 1 is a mailbox
 * without bags and names of properties, of version 2 one without shadows and soft-deleted items,
 * of version 3 one whose messages have no columns beside their bytes (mapi/columns.h);
 * the first change makes it one of the newest version.
 */
enum { SCHEMA_VERSION = 4, SCHEMA_WITHOUT_SHADOWS = 2, SCHEMA_WITHOUT_BAGS = 1 };

enum key_kind {
    KEY_MAILBOX = 'm',
    KEY_FOLDER = 'f',
    KEY_FOLDER_NAME = 'n',
    KEY_SPECIAL = 's',
    KEY_DOOMED = 'd',
    KEY_ROWS = 'r',
    KEY_RUN_ALL = 'a',
    KEY_RUN_UNSEEN = 'u',
    KEY_MID = 'i',
    KEY_UIDL = 'p',
    KEY_KEYWORD_NAME = 'k',
    KEY_KEYWORD_SET = 'w',
    KEY_KEYWORD_SET_HASH = 'h',
    KEY_LOG = 'l',
    KEY_TOMBSTONE = 't',
    KEY_SUBSCRIPTION = 'b',
    KEY_BAG = 'v',
    KEY_NAMED = 'q',
    KEY_NAMED_ID = 'x',
    KEY_DELETED = 'y',
    KEY_RECEIVE = 'e',
    KEY_PERMISSIONS = 'c',
    KEY_CRITERIA = 'o',
    KEY_REPLICAS = 'g',
};

/* In the system partition; see system.h for the others. */
enum { SYSTEM_KEY_NEXT_MAILBOX = 'N', SYSTEM_KEY_DOOMED_MAILBOX = 'X' };

enum {
    NAME_MAX_BYTES = 255, /* of one level of a folder's path */
    PATH_MAX_BYTES = 4096,
    PATH_MAX_LEVELS = 1000,
    CLASS_MAX_BYTES = 255,
    KEYWORD_MAX_BYTES = 255,
    KEYWORDS_PER_MESSAGE = 100,
    KEYWORDS_PER_MAILBOX = 10000,
    UIDL_MAX_BYTES = 70,
    PROP_NAME_MAX_UNITS = 126, /* of UTF-16: a byte counts them with a NUL ([MS-OXCDATA] 2.6.1) */
    NAMED_FIRST = 0x8000,
    NAMED_MAX = 0xFFFF - NAMED_FIRST, /* how many there can be: 0xFFFF is no id */
};

#define COUNTER_MAX ((1ull << 48) - 1)

/* ---- keys ---- */

struct key {
    uint16_t len;
    uint8_t bytes[ENGINE_KEY_MAX];
};

static inline struct slice key_slice(const struct key *key)
{
    return (struct slice){key->bytes, key->len};
}

/* Only the kind: the mailbox's record, and the beginning of every range of that kind. */
struct key key_kind(enum key_kind kind);
/* kind, number: folders, doomed, MIDs, UIDLs, the log; also the beginning of a folder's range. */
struct key key_id(enum key_kind kind, uint64_t id);
/* kind, fid, uid: rows and runs. `uid` may be UINT32_MAX + 1: behind the last of the folder. */
struct key key_uid(enum key_kind kind, uint64_t fid, uint64_t uid);
struct key key_tombstone(uint64_t fid, uint64_t counter);
/* `fid` is of what was soft-deleted in `parent`. */
struct key key_deleted(uint64_t parent, uint64_t fid);
struct key key_special(enum store_special special);
struct key key_name(uint64_t parent, struct slice name);
struct key key_keyword_name(struct slice name);
struct key key_keyword_set(uint32_t id);
struct key key_keyword_hash(const uint8_t hash[32]);
struct key key_subscription(struct slice path);
struct key key_named(uint16_t id);
/* `kind` 0 or 1, `rest` the LID or the name. */
struct key key_named_id(const uint8_t guid[16], uint8_t kind, struct slice rest);

/* Decode; false where the key is of another kind (or malformed). */
bool key_is_id(struct slice key, enum key_kind kind, uint64_t *id);
bool key_is_uid(struct slice key, enum key_kind kind, uint64_t fid, uint32_t *uid);
bool key_is_tombstone(struct slice key, uint64_t fid, uint64_t *counter);
bool key_is_name(struct slice key, uint64_t parent);
bool key_is_deleted(struct slice key, uint64_t *parent, uint64_t *fid);
bool key_is_keyword_set(struct slice key, uint32_t *id);
bool key_is_kind(struct slice key, enum key_kind kind);
/* Of any folder: for tools that walk everything. */
bool key_any_uid(struct slice key, enum key_kind kind, uint64_t *fid, uint32_t *uid);

/* ---- records ---- */

enum mailbox_state { MAILBOX_LIVE, MAILBOX_DOOMED };

struct mailbox_rec {
    uint32_t version;         /* SCHEMA_VERSION */
    uint32_t state;           /* enum mailbox_state */
    uint8_t replica_guid[16]; /* new after a restore */
    uint8_t mailbox_guid[16]; /* the same for ever: UIDLs are made of it */
    uint64_t counter;         /* the last value taken */
    uint64_t created;
    uint64_t quota;
    uint64_t messages, size;
    uint64_t log_entries; /* entries of KEY_LOG */
    uint64_t log_floor;   /* entries up to this counter value are gone */
    uint32_t last_uidvalidity;
    uint32_t folders;
    uint32_t doomed; /* entries of KEY_DOOMED */
    uint32_t next_keyword_set;
    uint32_t keywords; /* entries of KEY_KEYWORD_NAME */
    uint32_t subscriptions;
    uint32_t named;  /* entries of KEY_NAMED */
    uint32_t hidden; /* records of shadows and of soft-deleted folders, not among `folders` */
    uint64_t deleted_messages, deleted_size; /* soft-deleted ones, not among `messages`, `size` */
    uint64_t deleted_since;                  /* no soft-deleted item is older; 0: there is none */
    uint32_t receive;                        /* entries of KEY_RECEIVE */
};

enum folder_flag {
    FOLDER_NOSELECT = 1 << 0,
    FOLDER_IPM = 1 << 1,         /* below the IPM subtree */
    FOLDER_SWEEPING = 1 << 2,    /* \Noselect, and its old contents are still being removed */
    FOLDER_DELETED = 1 << 3,     /* soft-deleted */
    FOLDER_SEARCH = 1 << 4,      /* a search folder */
    FOLDER_PERMISSIONS = 1 << 5, /* it has a KEY_PERMISSIONS */
    FOLDER_CRITERIA = 1 << 6,    /* it has a KEY_CRITERIA */
};

struct folder_rec {
    uint64_t fid, parent;
    uint64_t size, modseq, flags_modseq, expunge_floor;
    uint64_t gone_modseq; /* of the last time that UIDs left it */
    uint64_t cn, created;
    uint64_t changed;          /* when: its own properties */
    uint64_t contents_changed; /* and its messages */
    uint32_t uidvalidity, uidnext;
    uint32_t exists, unseen, deleted;
    uint32_t recent_from, children;
    uint32_t removed;               /* messages that ever left it */
    uint64_t shadows[SHADOW_COUNT]; /* its shadows' FIDs; 0: it has none */
    uint64_t deleted_on;            /* when it was soft-deleted */
    uint8_t shadow;                 /* enum store_shadow: what it is itself */
    uint32_t hierarchy;             /* how often a folder right below it came or went */
    uint16_t flags;                 /* enum folder_flag */
    uint16_t special;               /* enum store_special */
    uint8_t name_len, class_len;
    uint8_t name[NAME_MAX_BYTES];
    uint8_t class[CLASS_MAX_BYTES];
};

enum log_kind_of_change {
    LOG_ARRIVED = 1,  /* messages are new in the folder */
    LOG_CHANGED = 2,  /* flags or keywords of messages */
    LOG_EXPUNGED = 3, /* their UIDs are in the tombstone of the same counter value */
    LOG_FOLDER_NEW = 4,
    LOG_FOLDER_CHANGED = 5, /* name, parent, class */
    LOG_FOLDER_GONE = 6,
};

/* What an entry of an older version does not have is empty, or 0. */
struct log_rec {
    enum log_kind_of_change kind;
    enum store_cause cause;
    uint64_t fid;
    uint64_t first;              /* the first counter value it took; its key has the last */
    struct slice uids;           /* encoded, see changelog.c; empty where it has none */
    struct slice mids;           /* of the messages that arrived, changed or are gone: see mids.c */
    struct slice old_mids;       /* of those that arrived: what they were copied or moved from */
    uint64_t old_fid;            /* and where that was */
    uint64_t parent, old_parent; /* of a folder that is new, gone, or has moved */
};

/* Big enough for every record but the log's. */
enum { RECORD_MAX = 1024 };

/* Where in a folder's record its name and then its class stand. */
enum { FOLDER_REC_TEXTS = 4 + 9 * 8 + 7 * 4 + 6 };

struct record {
    uint16_t len;
    uint8_t bytes[RECORD_MAX];
};

static inline struct slice record_slice(const struct record *record)
{
    return (struct slice){record->bytes, record->len};
}

/* ERR_CORRUPT: these are not bytes that the encoder made. Checksummed. */
void mailbox_rec_encode(const struct mailbox_rec *rec, struct record *out);
struct err mailbox_rec_decode(struct slice bytes, struct mailbox_rec *out) MUST_USE;
void folder_rec_encode(const struct folder_rec *rec, struct record *out);
struct err folder_rec_decode(struct slice bytes, uint64_t fid, struct folder_rec *out) MUST_USE;
void log_rec_encode(const struct log_rec *rec, struct buf *out);
struct err log_rec_decode(struct slice bytes, struct log_rec *out) MUST_USE;

struct slice folder_rec_name(const struct folder_rec *rec);

/* Do its messages count as soft-deleted? */
static inline bool folder_is_deleted(const struct folder_rec *rec)
{
    return rec->shadow == SHADOW_DELETED || (rec->flags & FOLDER_DELETED);
}

/* Is it a folder like others: neither a shadow nor soft-deleted? */
static inline bool folder_is_plain(const struct folder_rec *rec)
{
    return rec->shadow == SHADOW_NONE && !(rec->flags & FOLDER_DELETED);
}

/* Small fixed values. */
void mid_value_encode(uint64_t fid, uint32_t uid, struct record *out);
struct err mid_value_decode(struct slice bytes, uint64_t *fid, uint32_t *uid) MUST_USE;
void u64_value_encode(uint64_t n, struct record *out);
struct err u64_value_decode(struct slice bytes, uint64_t *n) MUST_USE;
void u32_value_encode(uint32_t n, struct record *out);
struct err u32_value_decode(struct slice bytes, uint32_t *n) MUST_USE;

/* ---- numbers in memory ---- */

static inline void put_be32(uint8_t *p, uint32_t n)
{
    n = __builtin_bswap32(n);
    memcpy(p, &n, 4);
}

static inline void put_be64(uint8_t *p, uint64_t n)
{
    n = __builtin_bswap64(n);
    memcpy(p, &n, 8);
}

static inline uint32_t get_be32(const uint8_t *p)
{
    uint32_t n;

    memcpy(&n, p, 4);
    return __builtin_bswap32(n);
}

static inline uint64_t get_be64(const uint8_t *p)
{
    uint64_t n;

    memcpy(&n, p, 8);
    return __builtin_bswap64(n);
}

/* Values are little-endian, and so is every machine this is built for. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "values are little-endian");

static inline void put_le16(uint8_t *p, uint16_t n)
{
    memcpy(p, &n, 2);
}

static inline void put_le32(uint8_t *p, uint32_t n)
{
    memcpy(p, &n, 4);
}

static inline void put_le64(uint8_t *p, uint64_t n)
{
    memcpy(p, &n, 8);
}

static inline uint16_t get_le16(const uint8_t *p)
{
    uint16_t n;

    memcpy(&n, p, 2);
    return n;
}

static inline uint32_t get_le32(const uint8_t *p)
{
    uint32_t n;

    memcpy(&n, p, 4);
    return n;
}

static inline uint64_t get_le64(const uint8_t *p)
{
    uint64_t n;

    memcpy(&n, p, 8);
    return n;
}

#endif
