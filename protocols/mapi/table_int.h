/*
 * table_int.h - tables of folders, messages and small things: what table_*.c and rop_table.c share.
 *
 * A table is a window on what is stored, so it is brought up to date before each use
 * (table_refresh). What has a place in it (the cursor, bookmarks) is kept by the row, not by its
 * number.
 *
 *  - A contents table in the order of the store, which is the default, is the folder's view:
 * nothing is made, however many messages there are.
 *  - One that is sorted, restricted, or has a row for each of several values keeps its leaves: UIDs
 *    in their order. It is made once, in turns (table_build.c), and then follows the changes of the
 *    folder one by one (table_follow.c).
 *  - A categorized one has, besides, the category of each leaf; header rows and what is collapsed
 *    are arranged from those (table_category.c).
 *  - Hierarchies and tables of what is at hand are lists of items (table_items.c).
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_TABLE_INT_H
#define GATEPOST_PROTOCOLS_MAPI_TABLE_INT_H

#include "base/mem.h"
#include "protocols/mapi/context.h"
#include "protocols/mapi/mapi_int.h"
#include "protocols/mapi/match.h"
#include "protocols/mapi/notification.h"
#include "protocols/mapi/table.h"
#include "store/access.h"

enum table_kind {
    TABLE_CONTENTS = 1,
    TABLE_HIERARCHY = 2,
    TABLE_RULES = 4, /* of what is at hand, and can be searched and restricted */
    TABLE_ROWS = 8,  /* of what is at hand, and cannot ([MS-OXCTABL] 3.2.5.4) */
    TABLE_ANY = 15,
};

/* TableFlags ([MS-OXCFOLD] 2.2.1.13.1, 2.2.1.14.1) */
enum {
    TABLE_ASSOCIATED = 0x02,
    TABLE_DEPTH = 0x04,
    TABLE_DEFERRED_ERRORS = 0x08,
    TABLE_NO_NOTIFICATIONS = 0x10,
    TABLE_SOFT_DELETES = 0x20,
    TABLE_UNICODE = 0x40,
    TABLE_SUPPRESS_NOTIFICATIONS = 0x80, /* of a hierarchy */
    TABLE_CONVERSATION_MEMBERS = 0x80,   /* of contents */
};

/* Columns that only tables have ([MS-OXCTABL] 2.2.1). */
enum {
    PR_ROW_TYPE = 0x0FF50003,
    PR_DEPTH = 0x30050003,
};
enum { ROW_LEAF = 1, ROW_EXPANDED = 3, ROW_COLLAPSED = 4 };

enum {
    MULTI_INSTANCE = 0x2000, /* with PROP_MULTIPLE in the type of a tag */
    NO_CATEGORY = 0xFFFFFFFF
};

/*
 * A place: its row (0: the end), which is at `at`. Where the row is gone, `at` is the next one's.
 */
struct table_place {
    uint64_t id;
    uint32_t at;
    bool lost;
};

struct table_bookmark {
    uint32_t number;
    struct table_place place;
};

/* Leaves of a contents table; what it does not need is NULL. */
struct table_leaves {
    uint32_t *uids, *instances, *categories;
    uint32_t n, cap;
};

struct table_category {
    uint64_t id;
    uint32_t parent;   /* or NO_CATEGORY */
    uint32_t first, n; /* its leaves */
    uint8_t depth;
    bool collapsed;
};

/* A header row, or leaves in a row, that can be seen. */
struct table_segment {
    uint32_t at;       /* the number of its first row */
    uint32_t category; /* of a header row, or NO_CATEGORY */
    uint32_t first, n; /* leaves */
};

struct table_item {
    uint64_t id; /* FID, or 1 + its number */
    uint32_t depth;
    bool has_children; /* of a folder, */
    uint64_t version;  /* and when it or what is in it changed last */
};

/* A row went, or came. */
struct table_noted {
    uint64_t id;
    bool came;
};

/* What a client is to be told of a row. */
struct table_change {
    uint16_t event;        /* enum table_event */
    struct rop_row_id row; /* counters, not as on the wire */
    uint64_t id;           /* its name in the table */
    uint32_t at;           /* where it is, when it is told */
};

struct table_news {
    bool known; /* rows were made that a client may have seen */
    bool all;   /* it is to be told that the table has changed */
    struct table_change *changes;
    size_t n, cap;
    struct table_noted *noted; /* since it began to follow */
    size_t n_noted;
};

struct mapi_table {
    struct mapi_object object;
    enum table_kind kind;
    uint8_t flags;
    uint64_t fid;
    bool of_deleted; /* the folder is a soft-deleted one */
    bool followed;   /* a client looks at it */
    uint64_t told;   /* the state that it knows, or was told of; but for */
    struct table_news news;
    /* what it shall be */
    uint32_t *columns; /* NULL: they were not set */
    size_t n_columns;
    struct sort_order *orders;
    size_t n_orders;
    uint16_t n_categories, n_expanded;
    bool by_extremes;      /* categories come in the order of a greatest value in them */
    uint32_t instances_of; /* the property of which each value has a row; 0: none */
    struct arena restriction_arena;
    const struct restriction *restriction; /* or NULL */
    struct slice restriction_bytes;
    /* what it is */
    bool built;
    uint64_t state; /* of the folder, or the mailbox */
    uint64_t place; /* the folder of its rows: the shadow, where there is one; 0: none yet. Of a
                       search folder that of the row at hand */
    struct store_view *view;
    struct table_leaves leaves;
    struct table_category *categories;
    uint32_t n_known, cap_known;
    uint32_t *category_slots; /* by id; 1 + number, a power of two */
    uint32_t n_slots;
    struct table_segment *segments;
    uint32_t n_segments, n_visible;
    struct uidset unseen;
    bool unseen_loaded;
    struct table_item *items;
    uint32_t n_items;
    struct mapi_rows *rows; /* what is at hand */
    uint64_t charged;
    struct table_search *search; /* of a search folder; or NULL */
    struct table_build *build;   /* under way */
    struct table_follow *follow; /* likewise */
    /* where it is looked at */
    struct table_place cursor;
    struct table_bookmark *bookmarks;
    size_t n_bookmarks;
    uint32_t last_bookmark;
};

/* Of the messages of a mailbox, for who restricts it to a conversation ([MS-OXCFOLD] 2.2.1.14.1).
 */
static inline bool table_is_of_conversations(const struct mapi_table *t)
{
    return t->kind == TABLE_CONTENTS && t->flags & TABLE_CONVERSATION_MEMBERS;
}

static inline bool table_is_plain(const struct mapi_table *t)
{
    return t->kind == TABLE_CONTENTS && !t->n_orders && !t->restriction && !t->instances_of &&
           !t->search;
}

/* ---- table.c ---- */

struct mapi_table *table_new(struct rop_call *call, enum table_kind kind);
/* Its memory for `bytes`, instead of what it had. EC_NOT_ENOUGH_MEMORY. */
uint32_t table_charge(struct mapi_table *t, uint64_t bytes);
/* Forget what it is: it is made again at its next use. Bookmarks go, the cursor goes to the top. */
void table_restart(struct mapi_table *t);

uint32_t table_count(const struct mapi_table *t);
/* The name of a row; 0 beyond the end. */
uint64_t table_id(const struct mapi_table *t, uint32_t at);
void table_move_to(struct mapi_table *t, uint32_t at);
/* False: it is not there; *at is as it was. */
bool table_find(const struct mapi_table *t, uint64_t id, uint32_t *at);
/* Look all places up again. */
void table_find_places(struct mapi_table *t);

/* *more: it takes another turn (and another snapshot). */
uint32_t table_refresh(struct mapi_table *t, struct store_read *rd, bool *more);
/* The folder that a contents table is of; ERR_NOT_FOUND: it has no shadow yet. */
struct err table_folder(const struct mapi_table *t, struct store_read *rd,
                        struct store_folder *out) MUST_USE;

/* A leaf's name. */
static inline uint64_t leaf_id(const struct table_leaves *leaves, uint32_t i)
{
    return leaves->uids[i] | (uint64_t)(leaves->instances ? leaves->instances[i] : 0) << 32;
}

/* ---- table_news.c: what is told of it ---- */

/* A leaf went or came, while the table follows. */
void news_note(struct mapi_table *t, uint64_t id, bool came);
/* What was noted is all that has changed since t->state; it is `state` now. */
void news_settle(struct mapi_table *t, struct store_read *rd, uint64_t state);
/* It was made anew. */
void news_rebuilt(struct mapi_table *t, uint64_t state);
/* It is about to show another view. */
void news_of_view(struct mapi_table *t, struct store_read *rd, const struct store_view *now,
                  uint64_t state);
/* It is about to show other folders. */
void news_of_items(struct mapi_table *t, const struct table_item *now, uint32_t n);
/* More has changed than can be told row by row. */
void news_all(struct mapi_table *t);
void news_free(struct mapi_table *t);

/* ---- table_leaf.c: the list of leaves ---- */

uint64_t leaves_bytes(const struct mapi_table *t, uint64_t n);
void leaves_done(struct table_leaves *leaves);
/* For one more; the lists that leaves of this table have. */
void leaves_make_room(const struct mapi_table *t, struct table_leaves *leaves);
void leaves_insert(struct mapi_table *t, uint32_t at, uint32_t uid, uint32_t instance,
                   uint32_t category);

/* ---- table_row.c: what is in a row ---- */

struct table_row {
    struct match_source source;
    struct mapi_table *table;
    struct store_read *rd;
    struct arena *in;
    uint64_t id;
    uint32_t leaf_uid, instance, category; /* a header's */
    uint32_t depth;
    const struct prop_list *props; /* of what is at hand */
    struct message_row message;
    bool is_header;
    bool heads;                  /* of large values the beginning is enough */
    struct store_object *object; /* once it was needed */
    struct store_content *content;
};

/* The row at `at` of a table that is up to date. Everything it gives lives in the arena. */
struct err table_row_open(struct mapi_table *t, struct store_read *rd, uint32_t at,
                          struct arena *in, struct table_row *out) MUST_USE;
/* A message of the folder, for a table that is made. */
void table_row_of_message(struct mapi_table *t, struct store_read *rd,
                          const struct message_row *message, uint32_t instance, struct arena *in,
                          struct table_row *out);
/* An item of a list. */
void table_row_of_item(struct mapi_table *t, struct store_read *rd, const struct table_item *item,
                       struct arena *in, struct table_row *out);
/* A column or a sort key, instances too. */
bool table_row_get(struct table_row *row, uint32_t tag, struct prop *out);
/* How many rows a message has: one for each value. */
uint32_t table_row_instances(struct table_row *row);
/* What it took to look at it, till now. */
uint32_t table_row_cost(const struct table_row *row);
/* One PropertyRow of the table's columns. False: it does not fit, and nothing was put. */
bool table_row_put(struct table_row *row, const struct value_form *form, struct buf *out);

/* ---- table_key.c: the order of leaves ---- */

/* Bytes in whose order leaves are. *ends: where the key of each category ends, or NULL. */
void table_key_put(struct table_row *row, struct buf *out, size_t *ends);
/* The value whose greatest puts a category in its place; nothing where there is no such order. */
void table_key_put_extreme(struct table_row *row, struct buf *out);
/* What a leaf is in: its innermost category, which is made where it is new. */
uint32_t table_key_category(struct mapi_table *t, struct slice key, const size_t *ends);

/* ---- table_build.c, table_follow.c ---- */

/*
 * Rows that may be looked at in one turn. One that was opened counts as more, and as much more
 * where the message had to be read and taken apart.
 */
enum { TURN = 20000, OPENED_ROW = 25, EXPENSIVE_ROW = 400 };

/* Make the leaves of a table that has none, or go on making them. */
uint32_t table_build(struct mapi_table *t, struct store_read *rd, const struct store_folder *now,
                     bool *more);
void table_build_free(struct mapi_table *t);
/* Bring them up to date, or go on doing so. *can false: they must be built again. */
uint32_t table_follow(struct mapi_table *t, struct store_read *rd, const struct store_folder *now,
                      bool *can, bool *more);
void table_follow_free(struct mapi_table *t);

/* ---- table_search.c: the rows of a search folder ---- */

/* SearchFlags ([MS-OXCFOLD] 2.2.1.4.1) */
enum search_flag {
    SEARCH_STOP = 0x00000001,
    SEARCH_RESTART = 0x00000002,
    SEARCH_RECURSIVE = 0x00000004,
    SEARCH_SHALLOW = 0x00000008,
    SEARCH_INDEXED = 0x00010000,
    SEARCH_NOT_INDEXED = 0x00020000,
    SEARCH_STATIC = 0x00040000,
    SEARCH_ALL = SEARCH_STOP | SEARCH_RESTART | SEARCH_RECURSIVE | SEARCH_SHALLOW | SEARCH_INDEXED |
                 SEARCH_NOT_INDEXED | SEARCH_STATIC,
};

/* Does a search folder keep what was found, whatever happens in its scope? */
static inline bool search_is_frozen(const struct store_search_criteria *criteria)
{
    return criteria->searched && (criteria->flags & (SEARCH_STATIC | SEARCH_STOP));
}

struct table_search *table_search_new(void);
void table_search_free(struct table_search *search);
/* Begin to look, for what is set now. */
struct err table_search_begin(struct mapi_table *t, struct store_read *rd) MUST_USE;
/* t->place is the folder to be looked at. False: there is none any more. */
bool table_search_place(struct mapi_table *t, struct store_read *rd);
/* That one is done. */
void table_search_next(struct mapi_table *t);
bool table_search_is_frozen(const struct mapi_table *t);
/* The next message of a frozen one; of one that is gone out->mid alone. ERR_NOT_FOUND: at the end.
 */
struct err table_search_next_frozen(struct mapi_table *t, struct store_read *rd,
                                    struct message_row *out) MUST_USE;
/* Has anything happened that may make others the rows? */
bool table_search_is_stale(struct mapi_table *t, struct store_read *rd);
/* What it has found, in the arena, and how many of them are unread. */
size_t table_search_found(const struct mapi_table *t, struct arena *in, const uint64_t **mids,
                          uint32_t *unread);
/* Is it one? Then it can be found again by its id, */
bool table_search_wants(struct mapi_table *t, struct table_row *row);
/* and t->place is its folder then. ERR_NOT_FOUND: it is gone, and out->mid is all that is known. */
struct err table_search_message(struct mapi_table *t, struct store_read *rd, uint32_t id,
                                struct message_row *out) MUST_USE;

/* What names the row of a message: its UID; of a search folder the low half of its MID. */
static inline uint32_t table_leaf_of(const struct mapi_table *t, const struct message_row *message)
{
    return t->search ? (uint32_t)message->mid : message->uid;
}

/* ---- table_category.c ---- */

uint32_t category_get(struct mapi_table *t, uint64_t id, uint32_t parent);
/* NO_CATEGORY: there is none, or it has no rows. */
uint32_t category_find(const struct mapi_table *t, uint64_t id);
void categories_done(struct mapi_table *t);
void categories_arrange(struct mapi_table *t);
/* How many rows are seen below a header, if it is expanded. */
uint32_t category_rows(const struct mapi_table *t, uint32_t category);

/* ---- table_items.c ---- */

uint32_t table_list_items(struct mapi_table *t, struct store_read *rd);

#endif
