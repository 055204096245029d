/*
 * rop_table_int.h - between rop_table*.c: what operations on tables share.
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_ROP_TABLE_INT_H
#define GATEPOST_PROTOCOLS_MAPI_ROP_TABLE_INT_H

#include "protocols/mapi/table_int.h"

/* Predefined bookmarks and the custom one ([MS-OXCTABL] 2.2.2.1.1, 2.2.2.1.2). */
enum { FROM_BEGINNING = 0, FROM_CURRENT = 1, FROM_END = 2, FROM_BOOKMARK = 3 };

static inline struct mapi_table *table_of(const struct rop_call *call)
{
    return (struct mapi_table *)call->object;
}

/*
 * The kinds of tables that an operation is for, and whether it needs columns: without them it is
 * ecNullObject ([MS-OXCTABL] 3.2.5.2).
 */
uint32_t table_check(const struct rop_call *call, unsigned kinds, bool needs_columns);
/* An error after which nothing else in the buffer is done (3.2.5.9, 3.2.5.10, 3.2.5.12). */
uint32_t table_stop_on(struct rop_call *call, uint32_t ec);
uint32_t table_restriction_ec(const struct rop_restriction *restriction);

/* ---- using one that is up to date ---- */

/* Of a table_fn: it has more to do, in another turn. */
enum { TABLE_AGAIN = ROP_PENDING - 1 };

typedef uint32_t table_fn(struct rop_call *call, struct mapi_table *t, struct store_read *rd);

/* The call's state meanwhile. */
struct table_use {
    table_fn *fn;
    uint32_t at, left; /* of a search that goes on */
    bool begun, gone;
};

/* Run `fn` on the call's table when it is up to date. */
uint32_t table_use(struct rop_call *call, table_fn *fn);

/* ---- rows in their wire form, while there is room ---- */

struct table_rows {
    struct rop_call *call;
    struct buf bytes;
    size_t n;
};

/* Behind `head` bytes of the response. */
size_t table_room(const struct rop_call *call, size_t head);
uint32_t table_rows_put(struct table_rows *out, struct mapi_table *t, struct store_read *rd,
                        uint32_t at, bool *fits);
/* EC_BUFFER_TOO_SMALL: there is no room for the first. */
uint32_t table_rows_put_range(struct table_rows *out, struct mapi_table *t, struct store_read *rd,
                              uint32_t from, uint32_t n);
struct rop_rows table_rows_take(struct table_rows *out);

uint32_t table_add_bookmark(struct rop_call *call, struct mapi_table *t, struct table_place place,
                            struct slice *out);

/* ---- operations ---- */

uint32_t rop_query_position(struct rop_call *call);
uint32_t rop_seek_row(struct rop_call *call);
uint32_t rop_seek_fraction(struct rop_call *call);
uint32_t rop_create_bookmark(struct rop_call *call);
uint32_t rop_free_bookmark(struct rop_call *call);
uint32_t rop_seek_bookmark(struct rop_call *call);
uint32_t rop_find_row(struct rop_call *call);
uint32_t rop_expand_row(struct rop_call *call);
uint32_t rop_collapse_row(struct rop_call *call);
uint32_t rop_get_collapse_state(struct rop_call *call);
uint32_t rop_set_collapse_state(struct rop_call *call);

#endif
