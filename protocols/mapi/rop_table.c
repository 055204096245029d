/* rop_table.c - operations on tables: [MS-OXCTABL] 3.2.5. */
#include <stdlib.h>

#include "protocols/mapi/rights.h"
#include "protocols/mapi/table_int.h"

enum { STATUS_COMPLETE = 0 }; /* TableStatus: nothing is done behind the client's back */

enum { FROM_BEGINNING = 0, FROM_CURRENT = 1, FROM_END = 2, FROM_BOOKMARK = 3 };

enum {
    ORDERS_MAX = 64,
    COLUMNS_MAX = 4096,
    BOOKMARKS_MAX = 1000,
    ROWS_HEAD = 3,   /* before the rows of QueryRows: Origin, RowCount */
    EXPAND_HEAD = 6, /* ExpandedRowCount, RowCount */
    FIND_HEAD = 2,   /* RowNoLongerVisible, HasRowData */
};

static struct mapi_table *table_of(const struct rop_call *call)
{
    return (struct mapi_table *)call->object;
}

/* ---- opening ---- */

static uint32_t open_table(struct rop_call *call, struct mapi_table *t, uint8_t flags,
                           uint32_t *count)
{
    const struct mapi_folder *folder = (const struct mapi_folder *)call->object;
    struct store_read *rd = NULL;
    bool more = false;
    uint32_t ec = rop_read(call, &rd);

    t->fid = folder->fid;
    t->of_deleted = folder->deleted;
    t->flags = flags;
    if (!ec)
        ec = table_refresh(t, rd, &more);
    if (!ec)
        *count = table_count(t);
    store_read_end(rd);
    if (ec) {
        t->object.free(&t->object);
        return ec;
    }
    return rop_open(call, &t->object, call->object);
}

/* [MS-OXCFOLD] 3.2.5.13: an invalid bit of TableFlags is ecInvalidParameter. */
static uint32_t get_hierarchy_table(struct rop_call *call)
{
    const struct rop_get_hierarchy_table *rq = call->fields;
    struct rop_get_hierarchy_table_reply *reply = call->reply;

    if (rq->flags & ~(TABLE_DEPTH | TABLE_DEFERRED_ERRORS | TABLE_NO_NOTIFICATIONS |
                      TABLE_SOFT_DELETES | TABLE_UNICODE | TABLE_SUPPRESS_NOTIFICATIONS))
        return EC_INVALID_PARAMETER;
    return open_table(call, table_new(call, TABLE_HIERARCHY), rq->flags, &reply->rows);
}

static uint32_t get_contents_table(struct rop_call *call)
{
    const struct rop_get_contents_table *rq = call->fields;
    struct rop_get_contents_table_reply *reply = call->reply;

    if (rq->flags & TABLE_CONVERSATION_MEMBERS)
        return EC_NOT_SUPPORTED;
    if (rq->flags & ~(TABLE_ASSOCIATED | TABLE_DEFERRED_ERRORS | TABLE_NO_NOTIFICATIONS |
                      TABLE_SOFT_DELETES | TABLE_UNICODE))
        return EC_INVALID_PARAMETER;
    const struct mapi_folder *folder = (const struct mapi_folder *)call->object;
    uint32_t ec = mapi_require(call, folder->fid, RIGHT_READ_ANY | RIGHT_OWNER, EC_ACCESS_DENIED);

    return ec ? ec : open_table(call, table_new(call, TABLE_CONTENTS), rq->flags, &reply->rows);
}

uint32_t mapi_table_open_rows(struct rop_call *call, struct mapi_rows *rows,
                              struct mapi_object *parent)
{
    struct mapi_table *t = table_new(call, rows->searchable ? TABLE_RULES : TABLE_ROWS);

    t->rows = mem_new(sizeof *t->rows);
    *t->rows = *rows;
    return rop_open(call, &t->object, parent);
}

/* ---- using one that is up to date ---- */

/* Of a table operation: it has more to do, in another turn. */
enum { TABLE_AGAIN = ROP_PENDING - 1 };

typedef uint32_t table_fn(struct rop_call *call, struct mapi_table *t, struct store_read *rd);

struct table_use {
    table_fn *fn;
    uint32_t at, left; /* of a search that goes on */
    bool begun, gone;
};

static uint32_t use_again(struct rop_call *call)
{
    struct mapi_table *t = table_of(call);
    struct table_use *use = call->state;
    struct store_read *rd = NULL;
    bool more = false;
    uint32_t ec = rop_read(call, &rd);

    if (!ec)
        ec = table_refresh(t, rd, &more);
    if (!ec && !more)
        ec = use->fn(call, t, rd);
    store_read_end(rd);
    return more || ec == TABLE_AGAIN ? rop_later(call, use_again) : ec;
}

static uint32_t use_table(struct rop_call *call, table_fn *fn)
{
    struct table_use *use = arena_alloc(call->arena, sizeof *use);

    use->fn = fn;
    call->state = use;
    table_of(call)->followed = true;
    return use_again(call);
}

/*
 * The kinds of tables that an operation is for, and whether it needs columns: without them it is
 * ecNullObject (3.2.5.2).
 */
static uint32_t check(const struct rop_call *call, unsigned kinds, bool needs_columns)
{
    const struct mapi_table *t = table_of(call);

    if (call->object->kind != MAPI_TABLE || !(t->kind & kinds))
        return EC_NOT_SUPPORTED;
    return needs_columns && !t->columns ? EC_NULL_OBJECT : EC_SUCCESS;
}

/* An error after which nothing else in the buffer is done (3.2.5.9, 3.2.5.10, 3.2.5.12). */
static uint32_t stop_on(struct rop_call *call, uint32_t ec)
{
    call->stop = ec == EC_NOT_SUPPORTED || ec == EC_INVALID_BOOKMARK;
    return ec;
}

/* ---- columns (3.2.5.2, 3.2.5.13) ---- */

static bool is_type(uint16_t type)
{
    if (type & MULTI_INSTANCE) /* only of what has several values ([MS-OXCDATA] 2.11.1.3) */
        return (type & PROP_MULTIPLE) && is_type(type & (uint16_t)~MULTI_INSTANCE);
    if (type & PROP_MULTIPLE) {
        uint16_t base = type & (uint16_t)~PROP_MULTIPLE;

        return base != PROP_BOOLEAN && base != PROP_SERVER_ID && base != PROP_OBJECT &&
               base != PROP_RESTRICTION && base != PROP_RULE_ACTION && prop_type_is_stored(base) &&
               base != PROP_NULL && base != PROP_ERROR;
    }
    return type != PROP_ERROR && type != PROP_NULL &&
           (prop_type_is_stored(type) || type == PROP_OBJECT || type == PROP_RESTRICTION ||
            type == PROP_RULE_ACTION);
}

static bool is_instance(uint32_t tag)
{
    return tag & MULTI_INSTANCE;
}

/* The property of which each value has a row; of another one too is more than can be. */
static bool instances_of(const struct mapi_table *t, uint32_t *of)
{
    *of = 0;
    for (size_t i = 0; i < t->n_columns + t->n_orders; i++) {
        uint32_t tag = i < t->n_columns ? t->columns[i] : t->orders[i - t->n_columns].tag;

        if (!is_instance(tag))
            continue;
        if (*of && prop_id(*of) != prop_id(tag))
            return false;
        *of = tag & ~(uint32_t)MULTI_INSTANCE;
    }
    return true;
}

static void drop_columns(struct mapi_table *t)
{
    free(t->columns);
    t->columns = NULL;
    t->n_columns = 0;
}

/* Where the rows are others now, the table is made anew. */
static uint32_t settle_instances(struct mapi_table *t)
{
    uint32_t of;

    if (t->kind != TABLE_CONTENTS)
        return EC_SUCCESS;
    if (!instances_of(t, &of))
        return EC_TOO_COMPLEX;
    if (of != t->instances_of)
        table_restart(t);
    t->instances_of = of;
    return EC_SUCCESS;
}

static uint32_t set_columns(struct rop_call *call)
{
    const struct rop_set_columns *rq = call->fields;
    struct rop_set_columns_reply *reply = call->reply;
    struct mapi_table *t = table_of(call);
    bool valid = rq->columns.n > 0 && rq->columns.n <= COLUMNS_MAX;

    for (size_t i = 0; i < rq->columns.n && valid; i++)
        valid = is_type(prop_type(rq->columns.items[i]));
    drop_columns(t); /* a failure leaves none (3.2.5.2) */
    if (!valid)
        return EC_INVALID_PARAMETER;
    t->columns = mem_array(rq->columns.n, sizeof *t->columns);
    memcpy(t->columns, rq->columns.items, rq->columns.n * sizeof *t->columns);
    t->n_columns = rq->columns.n;
    uint32_t ec = settle_instances(t);
    if (ec)
        drop_columns(t);
    reply->status = STATUS_COMPLETE;
    return ec;
}

/* clang-format off */
static const uint32_t contents_columns[] = {
    PR_MID, PR_FOLDER_ID, PR_PARENT_FOLDER_ID, PR_INST_ID, PR_INSTANCE_NUM, PR_ROW_TYPE, PR_DEPTH,
    PR_CONTENT_COUNT, PR_CONTENT_UNREAD_COUNT, PR_INSTANCE_KEY, PR_ENTRY_ID, PR_RECORD_KEY,
    PR_PARENT_ENTRY_ID, PR_SEARCH_KEY, PR_SOURCE_KEY, PR_PARENT_SOURCE_KEY, PR_CHANGE_KEY,
    PR_PREDECESSOR_CHANGE_LIST, PR_CHANGE_NUMBER, PR_STORE_RECORD_KEY, PR_MAPPING_SIGNATURE,
    PR_OBJECT_TYPE, PR_ACCESS, PR_ASSOCIATED, PR_MESSAGE_CLASS, PR_MESSAGE_FLAGS, PR_MESSAGE_STATUS,
    PR_MESSAGE_SIZE, PR_MESSAGE_SIZE_EXTENDED, PR_HAS_ATTACHMENTS, PR_READ, PR_FLAG_STATUS,
    PR_FLAG_COMPLETE_TIME, PR_FOLLOWUP_ICON, PR_TODO_ITEM_FLAGS, PR_ICON_INDEX,
    PR_LAST_VERB_EXECUTED, PR_LAST_VERB_TIME, PR_INTERNET_ARTICLE_NUMBER, PR_CREATION_TIME,
    PR_LAST_MODIFICATION_TIME, PR_LOCAL_COMMIT_TIME, PR_DELIVERY_TIME, PR_CLIENT_SUBMIT_TIME,
    PR_EXPIRY_TIME, PR_REPLY_TIME, PR_SUBJECT, PR_SUBJECT_PREFIX, PR_NORMALIZED_SUBJECT,
    PR_CONVERSATION_TOPIC, PR_CONVERSATION_INDEX, PR_IMPORTANCE, PR_PRIORITY, PR_SENSITIVITY,
    PR_SENDER_NAME, PR_SENDER_EMAIL, PR_SENDER_ADDRESS_TYPE, PR_SENDER_ENTRY_ID,
    PR_SENDER_SEARCH_KEY, PR_SENDER_SMTP_ADDRESS, PR_SENT_REPRESENTING_NAME,
    PR_SENT_REPRESENTING_EMAIL, PR_SENT_REPRESENTING_ADDRESS_TYPE, PR_SENT_REPRESENTING_ENTRY_ID,
    PR_SENT_REPRESENTING_SEARCH_KEY, PR_SENT_REPRESENTING_SMTP, PR_DISPLAY_TO, PR_DISPLAY_CC,
    PR_DISPLAY_BCC, PR_REPLY_RECIPIENT_ENTRIES, PR_REPLY_RECIPIENT_NAMES, PR_READ_RECEIPT_REQUESTED,
    PR_DELIVERY_REPORT_REQUESTED, PR_NON_RECEIPT_REQUESTED, PR_AUTO_RESPONSE_SUPPRESS,
    PR_INTERNET_MESSAGE_ID, PR_INTERNET_REFERENCES, PR_IN_REPLY_TO_ID, PR_TRANSPORT_HEADERS,
    PR_INTERNET_CODEPAGE, PR_NATIVE_BODY, PR_BODY, PR_HTML, PR_RTF_COMPRESSED,
};

static const uint32_t hierarchy_columns[] = {
    PR_FOLDER_ID, PR_PARENT_FOLDER_ID, PR_DISPLAY_NAME, PR_COMMENT, PR_CONTAINER_CLASS,
    PR_FOLDER_TYPE, PR_CONTENT_COUNT, PR_CONTENT_UNREAD_COUNT, PR_ASSOCIATED_COUNT, PR_SUBFOLDERS,
    PR_DEPTH, PR_ENTRY_ID, PR_PARENT_ENTRY_ID, PR_RECORD_KEY, PR_INSTANCE_KEY, PR_SOURCE_KEY,
    PR_PARENT_SOURCE_KEY, PR_CHANGE_KEY, PR_PREDECESSOR_CHANGE_LIST, PR_CHANGE_NUMBER, PR_ACCESS,
    PR_RIGHTS, PR_OBJECT_TYPE, PR_MESSAGE_SIZE, PR_MESSAGE_SIZE_EXTENDED, PR_CREATION_TIME,
    PR_LAST_MODIFICATION_TIME, PR_LOCAL_COMMIT_TIME, PR_LOCAL_COMMIT_TIME_MAX,
    PR_DELETED_COUNT_TOTAL, PR_ARTICLE_NUMBER_NEXT, PR_ATTRIBUTE_HIDDEN, PR_STORE_RECORD_KEY,
    PR_MAPPING_SIGNATURE,
};
/* clang-format on */

static void add_tag(struct rop_numbers *list, uint32_t *items, uint32_t tag)
{
    for (size_t i = 0; i < list->n; i++)
        if (items[i] == tag)
            return;
    items[list->n++] = tag;
}

static struct rop_numbers columns_of_rows(const struct mapi_rows *rows, struct arena *in)
{
    struct rop_numbers list = {0};
    size_t room = 0;

    for (size_t i = 0; i < rows->n; i++)
        room += rows->items[i].n;
    uint32_t *items = arena_array(in, room, sizeof *items);
    for (size_t i = 0; i < rows->n; i++)
        for (size_t j = 0; j < rows->items[i].n; j++)
            add_tag(&list, items, rows->items[i].items[j].tag);
    list.items = items;
    return list;
}

static uint32_t query_columns(struct rop_call *call)
{
    struct rop_query_columns_reply *reply = call->reply;
    const struct mapi_table *t = table_of(call);

    if (t->kind == TABLE_CONTENTS)
        reply->columns = (struct rop_numbers){sizeof contents_columns / sizeof *contents_columns,
                                              contents_columns};
    else if (t->kind == TABLE_HIERARCHY)
        reply->columns = (struct rop_numbers){sizeof hierarchy_columns / sizeof *hierarchy_columns,
                                              hierarchy_columns};
    else
        reply->columns = columns_of_rows(t->rows, call->arena);
    return EC_SUCCESS;
}

/* ---- order (3.2.5.3) ---- */

static bool is_order(const struct rop_orders *orders, size_t i)
{
    const struct sort_order *o = &orders->items[i];

    if (!is_type(prop_type(o->tag)) || prop_type(o->tag) == PROP_OBJECT)
        return false;
    if (o->order == SORT_MAXIMUM_CATEGORY) /* right behind the last category */
        return orders->categories > 0 && i == orders->categories;
    return o->order == SORT_ASCENDING || o->order == SORT_DESCENDING;
}

static uint32_t check_orders(const struct rop_orders *orders)
{
    if (orders->n > ORDERS_MAX)
        return EC_TOO_COMPLEX;
    if (orders->categories > orders->n || orders->expanded > orders->categories)
        return EC_INVALID_PARAMETER;
    for (size_t i = 0; i < orders->n; i++)
        if (!is_order(orders, i))
            return EC_INVALID_PARAMETER;
    return EC_SUCCESS;
}

static void take_orders(struct mapi_table *t, const struct rop_orders *orders)
{
    free(t->orders);
    t->orders = NULL;
    t->n_orders = orders ? orders->n : 0;
    t->n_categories = orders ? orders->categories : 0;
    t->n_expanded = orders ? orders->expanded : 0;
    t->by_extremes = false;
    if (!t->n_orders)
        return;
    t->orders = mem_array(t->n_orders, sizeof *t->orders);
    memcpy(t->orders, orders->items, t->n_orders * sizeof *t->orders);
    t->by_extremes =
        t->n_categories < t->n_orders && t->orders[t->n_categories].order == SORT_MAXIMUM_CATEGORY;
}

/* A failure leaves the order that there was (3.2.5.3). */
static uint32_t sort_table(struct rop_call *call)
{
    const struct rop_sort_table *rq = call->fields;
    struct rop_sort_table_reply *reply = call->reply;
    struct mapi_table *t = table_of(call);
    struct mapi_table after = *t;
    uint32_t ec = check(call, TABLE_CONTENTS, false), of;

    if (!ec)
        ec = check_orders(&rq->orders);
    if (ec)
        return ec;
    after.orders = (struct sort_order *)rq->orders.items;
    after.n_orders = rq->orders.n;
    if (!instances_of(&after, &of))
        return EC_TOO_COMPLEX;
    table_restart(t);
    take_orders(t, &rq->orders);
    t->instances_of = of;
    reply->status = STATUS_COMPLETE;
    return EC_SUCCESS;
}

/* ---- restriction (3.2.5.4) ---- */

static uint32_t restriction_ec(const struct rop_restriction *restriction)
{
    switch (restriction->error.code) {
    case ERR_NONE:
        break;
    case ERR_LIMIT:
    case ERR_UNSUPPORTED:
        return EC_TOO_COMPLEX;
    default:
        return EC_INVALID_PARAMETER;
    }
    return failed(match_check(restriction->root)) ? EC_TOO_COMPLEX : EC_SUCCESS;
}

static void drop_restriction(struct mapi_table *t)
{
    arena_done(&t->restriction_arena);
    t->restriction = NULL;
    t->restriction_bytes = SLICE_EMPTY;
}

/* It outlives the request, so it is read once more, into the table's own memory. */
static uint32_t take_restriction(struct rop_call *call, struct mapi_table *t,
                                 const struct rop_restriction *from)
{
    struct restriction *own;

    drop_restriction(t);
    if (!from->root)
        return EC_SUCCESS;
    t->restriction_bytes = arena_slice(&t->restriction_arena, from->bytes);
    own = arena_alloc(&t->restriction_arena, sizeof *own);
    struct wire w = wire_of(t->restriction_bytes, &t->restriction_arena);

    if (failed(restriction_read(&w, &call->form, own)))
        return EC_INVALID_PARAMETER;
    t->restriction = own;
    return EC_SUCCESS;
}

static uint32_t restrict_table(struct rop_call *call)
{
    const struct rop_restrict_table *rq = call->fields;
    struct rop_restrict_table_reply *reply = call->reply;
    struct mapi_table *t = table_of(call);
    uint32_t ec = check(call, TABLE_CONTENTS | TABLE_HIERARCHY | TABLE_RULES, false);

    if (!ec)
        ec = restriction_ec(&rq->restriction);
    if (ec)
        return ec;
    table_restart(t);
    reply->status = STATUS_COMPLETE;
    return take_restriction(call, t, &rq->restriction);
}

/* ---- rows (3.2.5.5) ---- */

/* Rows in their wire form, while there is room. */
struct rows_out {
    struct rop_call *call;
    struct buf bytes;
    size_t n;
};

static uint32_t put_row(struct rows_out *out, struct mapi_table *t, struct store_read *rd,
                        uint32_t at, bool *fits)
{
    struct arena in = ARENA_INIT;
    struct table_row row;
    struct err e = table_row_open(t, rd, at, &in, &row);

    *fits = !failed(e) && table_row_put(&row, &out->call->form, &out->bytes);
    out->n += *fits;
    if (!failed(e))
        e = row.source.err;
    arena_done(&in);
    return mapi_ec_of(e);
}

static struct rop_rows take_rows(struct rows_out *out)
{
    struct rop_rows rows = {out->n, arena_slice(out->call->arena, buf_slice(&out->bytes))};

    buf_done(&out->bytes);
    return rows;
}

static size_t room_for_rows(const struct rop_call *call, size_t head)
{
    return call->room > head ? call->room - head : 0;
}

static uint32_t put_rows(struct rows_out *out, struct mapi_table *t, struct store_read *rd,
                         uint32_t from, uint32_t n)
{
    uint32_t ec = EC_SUCCESS;
    bool fits = true;

    for (uint32_t i = 0; i < n && !ec && fits; i++)
        ec = put_row(out, t, rd, from + i, &fits);
    return !ec && !fits && out->n == 0 ? EC_BUFFER_TOO_SMALL : ec;
}

/*
 * Backwards: the rows before the cursor, in the table's order; where they do not all fit, those
 * that are next to it.
 */
static uint32_t put_rows_before(struct rows_out *out, struct mapi_table *t, struct store_read *rd,
                                uint32_t end, uint32_t n)
{
    uint32_t ec = EC_SUCCESS, first = end;
    size_t room = out->bytes.max;

    while (first > end - n && !ec) {
        bool fits;

        ec = put_row(out, t, rd, first - 1, &fits);
        if (ec || !fits || out->bytes.len > room)
            break;
        room -= out->bytes.len;
        buf_clear(&out->bytes);
        first--;
    }
    buf_clear(&out->bytes);
    out->n = 0;
    if (!ec && first == end && n > 0)
        return EC_BUFFER_TOO_SMALL;
    return ec ? ec : put_rows(out, t, rd, first, end - first);
}

static uint8_t origin_of(const struct mapi_table *t, bool forward, uint32_t at)
{
    if (forward)
        return at == table_count(t) ? FROM_END : FROM_CURRENT;
    return at == 0 ? FROM_BEGINNING : FROM_CURRENT;
}

static uint32_t query_rows_now(struct rop_call *call, struct mapi_table *t, struct store_read *rd)
{
    enum { NO_ADVANCE = 1 };
    const struct rop_query_rows *rq = call->fields;
    struct rop_query_rows_reply *reply = call->reply;
    struct rows_out out = {call, buf_make(room_for_rows(call, ROWS_HEAD)), 0};
    uint32_t at = t->cursor.at, count = table_count(t);
    uint32_t most = rq->forward ? count - at : at;
    uint32_t n = rq->n < most ? rq->n : most;
    uint32_t ec = rq->forward ? put_rows(&out, t, rd, at, n) : put_rows_before(&out, t, rd, at, n);

    reply->rows = take_rows(&out);
    if (ec)
        return ec;
    at = rq->forward ? at + (uint32_t)reply->rows.n : at - (uint32_t)reply->rows.n;
    reply->origin = origin_of(t, rq->forward, at);
    if (!(rq->flags & NO_ADVANCE))
        table_move_to(t, at);
    return EC_SUCCESS;
}

static uint32_t query_rows(struct rop_call *call)
{
    uint32_t ec = check(call, TABLE_ANY, true);

    return ec ? ec : use_table(call, query_rows_now);
}

/* ---- asynchronous operations: there are none (3.2.5.6, 3.2.5.7) ---- */

static uint32_t abort_table(struct rop_call *call)
{
    uint32_t ec = check(call, TABLE_CONTENTS | TABLE_HIERARCHY, false);

    return ec ? ec : EC_UNABLE_TO_ABORT;
}

static uint32_t get_status(struct rop_call *call)
{
    struct rop_get_status_reply *reply = call->reply;

    reply->status = STATUS_COMPLETE;
    return EC_SUCCESS;
}

/* ---- the cursor (3.2.5.8 - 3.2.5.11) ---- */

static uint32_t query_position_now(struct rop_call *call, struct mapi_table *t,
                                   struct store_read *rd)
{
    struct rop_query_position_reply *reply = call->reply;

    (void)rd;
    reply->numerator = t->cursor.at;
    reply->denominator = table_count(t);
    return EC_SUCCESS;
}

static uint32_t query_position(struct rop_call *call)
{
    return use_table(call, query_position_now);
}

/* Move the cursor by `n` rows from `from`, as far as there are any. How far it went. */
static int32_t seek(struct mapi_table *t, uint32_t from, int32_t n)
{
    int64_t to = (int64_t)from + n, count = table_count(t);

    to = to < 0 ? 0 : to > count ? count : to;
    table_move_to(t, (uint32_t)to);
    return (int32_t)(to - from);
}

static uint32_t seek_row_now(struct rop_call *call, struct mapi_table *t, struct store_read *rd)
{
    const struct rop_seek_row *rq = call->fields;
    struct rop_seek_row_reply *reply = call->reply;
    uint32_t from = rq->origin == FROM_BEGINNING ? 0
                    : rq->origin == FROM_CURRENT ? t->cursor.at
                                                 : table_count(t);

    (void)rd;
    reply->sought = seek(t, from, rq->n);
    reply->sought_less = reply->sought != rq->n;
    return EC_SUCCESS;
}

static uint32_t seek_row(struct rop_call *call)
{
    const struct rop_seek_row *rq = call->fields;
    uint32_t ec = check(call, TABLE_ANY, false);

    if (!ec && rq->origin > FROM_END)
        ec = EC_INVALID_PARAMETER;
    return ec ? stop_on(call, ec) : use_table(call, seek_row_now);
}

static uint32_t seek_fraction_now(struct rop_call *call, struct mapi_table *t,
                                  struct store_read *rd)
{
    const struct rop_seek_fraction *rq = call->fields;
    uint64_t count = table_count(t);

    (void)rd;
    table_move_to(t, rq->numerator >= rq->denominator
                         ? (uint32_t)count
                         : (uint32_t)(count * rq->numerator / rq->denominator));
    return EC_SUCCESS;
}

static uint32_t seek_fraction(struct rop_call *call)
{
    const struct rop_seek_fraction *rq = call->fields;

    if (rq->denominator == 0)
        return EC_INVALID_BOOKMARK;
    return use_table(call, seek_fraction_now);
}

/* ---- bookmarks (3.2.5.10, 3.2.5.12, 3.2.5.15) ---- */

static struct table_bookmark *find_bookmark(struct mapi_table *t, struct slice bytes)
{
    struct wire w = wire_of(bytes, NULL);
    uint32_t number = wire_u32(&w);

    for (size_t i = 0; i < t->n_bookmarks && bytes.len == 4; i++)
        if (t->bookmarks[i].number == number)
            return &t->bookmarks[i];
    return NULL;
}

static uint32_t add_bookmark(struct rop_call *call, struct mapi_table *t, struct table_place place,
                             struct slice *out)
{
    struct buf made = buf_make(4);

    if (t->n_bookmarks == BOOKMARKS_MAX)
        return EC_NOT_ENOUGH_MEMORY;
    t->bookmarks = mem_grow(t->bookmarks, t->n_bookmarks + 1, sizeof *t->bookmarks);
    t->bookmarks[t->n_bookmarks++] = (struct table_bookmark){++t->last_bookmark, place};
    wire_put_u32(&made, t->last_bookmark);
    *out = arena_slice(call->arena, buf_slice(&made));
    buf_done(&made);
    return EC_SUCCESS;
}

static uint32_t create_bookmark_now(struct rop_call *call, struct mapi_table *t,
                                    struct store_read *rd)
{
    struct rop_create_bookmark_reply *reply = call->reply;

    (void)rd;
    table_move_to(t, t->cursor.at);
    return add_bookmark(call, t, t->cursor, &reply->bookmark);
}

static uint32_t create_bookmark(struct rop_call *call)
{
    uint32_t ec = check(call, TABLE_CONTENTS | TABLE_HIERARCHY, false);

    return ec ? stop_on(call, ec) : use_table(call, create_bookmark_now);
}

static uint32_t free_bookmark(struct rop_call *call)
{
    const struct rop_free_bookmark *rq = call->fields;
    struct mapi_table *t = table_of(call);
    uint32_t ec = check(call, TABLE_CONTENTS | TABLE_HIERARCHY, true);

    if (ec)
        return ec;
    struct table_bookmark *b = find_bookmark(t, rq->bookmark);

    if (!b)
        return EC_INVALID_BOOKMARK;
    *b = t->bookmarks[--t->n_bookmarks];
    return EC_SUCCESS;
}

static uint32_t seek_bookmark_now(struct rop_call *call, struct mapi_table *t,
                                  struct store_read *rd)
{
    const struct rop_seek_bookmark *rq = call->fields;
    struct rop_seek_bookmark_reply *reply = call->reply;
    const struct table_bookmark *b = find_bookmark(t, rq->bookmark);

    (void)rd;
    if (!b)
        return stop_on(call, EC_INVALID_BOOKMARK);
    reply->gone = b->place.lost;
    reply->sought = seek(t, b->place.at, rq->n);
    reply->sought_less = reply->sought != rq->n;
    return EC_SUCCESS;
}

static uint32_t seek_bookmark(struct rop_call *call)
{
    uint32_t ec = check(call, TABLE_CONTENTS | TABLE_HIERARCHY, true);

    return ec ? stop_on(call, ec) : use_table(call, seek_bookmark_now);
}

/* ---- finding (3.2.5.14) ---- */

/* Where the search begins; false: it is from a bookmark that is none. */
static bool begin_find(struct rop_call *call, struct mapi_table *t, struct table_use *use)
{
    const struct rop_find_row *rq = call->fields;
    bool backward = rq->flags & 1;
    uint32_t count = table_count(t);
    const struct table_bookmark *b = find_bookmark(t, rq->bookmark);

    if (rq->origin == FROM_BOOKMARK && !b)
        return false;
    uint32_t at = rq->origin == FROM_BEGINNING ? 0
                  : rq->origin == FROM_CURRENT ? t->cursor.at
                  : rq->origin == FROM_END     ? count
                                               : b->place.at;

    use->gone = rq->origin == FROM_BOOKMARK && b->place.lost;
    if (backward)
        use->at = at < count ? at : count - 1;
    else
        use->at = at;
    use->left = count == 0 ? 0 : backward ? use->at + 1 : count - at;
    use->begun = true;
    return true;
}

static uint32_t row_fits(struct mapi_table *t, struct store_read *rd, uint32_t at,
                         const struct restriction *wanted, bool *fits)
{
    struct arena in = ARENA_INIT;
    struct match_run run = {.in = &in};
    struct table_row row;
    struct err e = table_row_open(t, rd, at, &in, &row);

    *fits = !failed(e) && match(wanted, &run, &row.source);
    if (!failed(e))
        e = row.source.err;
    arena_done(&in);
    return mapi_ec_of(e);
}

static uint32_t found(struct rop_call *call, struct mapi_table *t, struct store_read *rd,
                      uint32_t at)
{
    struct rop_find_row_reply *reply = call->reply;
    struct rows_out out = {call, buf_make(room_for_rows(call, FIND_HEAD)), 0};
    bool fits;
    uint32_t ec = put_row(&out, t, rd, at, &fits);

    reply->row = take_rows(&out).bytes;
    reply->has_row = fits;
    table_move_to(t, at);
    return ec;
}

static uint32_t find_row_now(struct rop_call *call, struct mapi_table *t, struct store_read *rd)
{
    const struct rop_find_row *rq = call->fields;
    struct rop_find_row_reply *reply = call->reply;
    struct table_use *use = call->state;
    int step = rq->flags & 1 ? -1 : 1;

    if (!use->begun && !begin_find(call, t, use))
        return EC_INVALID_BOOKMARK;
    reply->gone = use->gone;
    for (int turn = 0; use->left > 0 && use->at < table_count(t); turn += EXPENSIVE_ROW) {
        bool fits;

        if (turn >= TURN)
            return TABLE_AGAIN;
        uint32_t ec = row_fits(t, rd, use->at, rq->restriction.root, &fits);
        if (ec || fits)
            return ec ? ec : found(call, t, rd, use->at);
        use->at += (uint32_t)step;
        use->left--;
    }
    return EC_NOT_FOUND;
}

static uint32_t find_row(struct rop_call *call)
{
    const struct rop_find_row *rq = call->fields;
    uint32_t ec = check(call, TABLE_CONTENTS | TABLE_HIERARCHY | TABLE_RULES, true);

    if (!ec)
        ec = restriction_ec(&rq->restriction);
    if (!ec && rq->origin > FROM_BOOKMARK)
        ec = EC_INVALID_PARAMETER;
    return ec ? ec : use_table(call, find_row_now);
}

/* ---- reset (3.2.5.16) ---- */

static uint32_t reset_table(struct rop_call *call)
{
    struct mapi_table *t = table_of(call);
    uint32_t ec = check(call, TABLE_CONTENTS, false);

    if (ec)
        return ec;
    table_restart(t);
    drop_columns(t);
    take_orders(t, NULL);
    drop_restriction(t);
    t->instances_of = 0;
    t->followed = false; /* until it is read again ([MS-OXCNOTIF] 3.1.4.3) */
    return EC_SUCCESS;
}

/* ---- categories (3.2.5.17 - 3.2.5.20) ---- */

static void arrange(struct mapi_table *t)
{
    categories_arrange(t);
    table_find_places(t);
}

static uint32_t expand_row_now(struct rop_call *call, struct mapi_table *t, struct store_read *rd)
{
    const struct rop_expand_row *rq = call->fields;
    struct rop_expand_row_reply *reply = call->reply;
    struct rows_out out = {call, buf_make(room_for_rows(call, EXPAND_HEAD)), 0};
    uint32_t category = t->n_categories ? category_find(t, rq->category) : NO_CATEGORY, at;

    if (category == NO_CATEGORY)
        return EC_NOT_FOUND;
    if (!t->categories[category].collapsed)
        return EC_NOT_COLLAPSED;
    t->categories[category].collapsed = false;
    arrange(t);
    reply->expanded = category_rows(t, category);
    uint32_t n = rq->most < reply->expanded ? rq->most : reply->expanded;
    uint32_t ec = EC_SUCCESS;
    /* Below a collapsed one nothing is seen yet. */
    if (table_find(t, rq->category, &at))
        ec = put_rows(&out, t, rd, at + 1, n);
    reply->rows = take_rows(&out);
    return ec == EC_BUFFER_TOO_SMALL ? EC_SUCCESS : ec;
}

static uint32_t expand_row(struct rop_call *call)
{
    uint32_t ec = check(call, TABLE_CONTENTS, true);

    return ec ? ec : use_table(call, expand_row_now);
}

static uint32_t collapse_row_now(struct rop_call *call, struct mapi_table *t, struct store_read *rd)
{
    const struct rop_collapse_row *rq = call->fields;
    struct rop_collapse_row_reply *reply = call->reply;
    uint32_t category = t->n_categories ? category_find(t, rq->category) : NO_CATEGORY;

    (void)rd;
    if (category == NO_CATEGORY)
        return EC_NOT_FOUND;
    if (t->categories[category].collapsed)
        return EC_NOT_EXPANDED;
    reply->collapsed = category_rows(t, category);
    t->categories[category].collapsed = true;
    arrange(t);
    return EC_SUCCESS;
}

static uint32_t collapse_row(struct rop_call *call)
{
    uint32_t ec = check(call, TABLE_CONTENTS, true);

    return ec ? ec : use_table(call, collapse_row_now);
}

/*
 * What is collapsed, as bytes: a number that stands for order and restriction, the row to be gone
 * to, and the categories that are not as they are at first.
 */
static uint64_t shape_of(const struct mapi_table *t)
{
    struct buf made = buf_make(SIZE_MAX);
    uint64_t h = 0xCBF29CE484222325ull;

    for (size_t i = 0; i < t->n_orders; i++)
        sort_order_put(&made, &t->orders[i]);
    wire_put_u16(&made, t->n_categories);
    wire_put_u16(&made, t->n_expanded);
    buf_put(&made, t->restriction_bytes);
    struct slice bytes = buf_slice(&made);

    for (size_t i = 0; i < bytes.len; i++)
        h = (h ^ bytes.ptr[i]) * 0x100000001B3ull;
    buf_done(&made);
    return h;
}

static bool is_other(const struct mapi_table *t, const struct table_category *c)
{
    return c->collapsed != (c->depth >= t->n_expanded);
}

static uint32_t get_collapse_state_now(struct rop_call *call, struct mapi_table *t,
                                       struct store_read *rd)
{
    const struct rop_get_collapse_state *rq = call->fields;
    struct rop_get_collapse_state_reply *reply = call->reply;
    struct buf made = buf_make(UINT16_MAX);

    (void)rd;
    wire_put_u64(&made, shape_of(t));
    wire_put_u64(&made, rq->row);
    wire_put_u32(&made, rq->instance);
    for (uint32_t i = 0; i < t->n_known; i++)
        if (is_other(t, &t->categories[i]))
            wire_put_u64(&made, t->categories[i].id);
    uint32_t ec = made.failed ? EC_TABLE_TOO_BIG : EC_SUCCESS;

    reply->state = arena_slice(call->arena, buf_slice(&made));
    buf_done(&made);
    return ec;
}

static uint32_t get_collapse_state(struct rop_call *call)
{
    uint32_t ec = check(call, TABLE_CONTENTS, true);

    return ec ? ec : use_table(call, get_collapse_state_now);
}

/* The name of the row that has this PidTagInstID. */
static uint64_t row_of(struct mapi_table *t, struct store_read *rd, uint64_t inst, uint32_t number)
{
    uint64_t mid, fid;
    uint32_t uid;

    if (!mapi_id_counter(inst, &mid))
        return inst;
    if (failed(store_message_by_mid(rd, mid, &fid, &uid)) || fid != t->place)
        return 0;
    return uid | (uint64_t)number << 32;
}

static uint32_t set_collapse_state_now(struct rop_call *call, struct mapi_table *t,
                                       struct store_read *rd)
{
    const struct rop_set_collapse_state *rq = call->fields;
    struct rop_set_collapse_state_reply *reply = call->reply;
    struct wire w = wire_of(rq->state, call->arena);

    if (wire_u64(&w) != shape_of(t))
        return EC_INVALID_PARAMETER;
    uint64_t inst = wire_u64(&w);
    uint64_t id = row_of(t, rd, inst, wire_u32(&w));

    if (w.failed || w.rest.len % 8 != 0)
        return EC_INVALID_PARAMETER;
    for (uint32_t i = 0; i < t->n_known; i++)
        t->categories[i].collapsed = t->categories[i].depth >= t->n_expanded;
    while (w.rest.len > 0) {
        uint32_t category = category_find(t, wire_u64(&w));

        if (category != NO_CATEGORY)
            t->categories[category].collapsed = !t->categories[category].collapsed;
    }
    if (t->n_categories)
        arrange(t);
    struct table_place place = {id, t->cursor.at, false};

    place.lost = !id || !table_find(t, id, &place.at);
    table_move_to(t, place.at);
    return add_bookmark(call, t, place, &reply->bookmark);
}

static uint32_t set_collapse_state(struct rop_call *call)
{
    uint32_t ec = check(call, TABLE_CONTENTS, true);

    return ec ? ec : use_table(call, set_collapse_state_now);
}

/* clang-format off */
const struct rop_handler mapi_table_handlers[] = {
    /* Those that are of any object tell themselves what they are for: they may have to stop. */
    {ROP_GetHierarchyTable, MAPI_FOLDER, 0, EC_NOT_SUPPORTED, 0, get_hierarchy_table},
    {ROP_GetContentsTable,  MAPI_FOLDER, 0, EC_NOT_SUPPORTED, 0, get_contents_table},
    {ROP_SetColumns,        MAPI_TABLE,  0, EC_NOT_SUPPORTED, 0, set_columns},
    {ROP_SortTable,         MAPI_TABLE,  0, EC_NOT_SUPPORTED, 0, sort_table},
    {ROP_Restrict,          MAPI_TABLE,  0, EC_NOT_SUPPORTED, 0, restrict_table},
    {ROP_QueryRows,         MAPI_TABLE,  0, EC_NOT_SUPPORTED, 0, query_rows},
    {ROP_GetStatus,         MAPI_TABLE,  0, EC_NOT_SUPPORTED, 0, get_status},
    {ROP_Abort,             MAPI_TABLE,  0, EC_NOT_SUPPORTED, 0, abort_table},
    {ROP_QueryPosition,     MAPI_TABLE,  0, EC_NOT_SUPPORTED, 0, query_position},
    {ROP_SeekRow,           MAPI_ANY,    0, EC_NOT_SUPPORTED, 0, seek_row},
    {ROP_SeekRowBookmark,   MAPI_ANY,    0, EC_NOT_SUPPORTED, 0, seek_bookmark},
    {ROP_SeekRowFractional, MAPI_TABLE,  0, EC_NOT_SUPPORTED, 0, seek_fraction},
    {ROP_CreateBookmark,    MAPI_ANY,    0, EC_NOT_SUPPORTED, 0, create_bookmark},
    {ROP_FreeBookmark,      MAPI_TABLE,  0, EC_NOT_SUPPORTED, 0, free_bookmark},
    {ROP_QueryColumnsAll,   MAPI_TABLE,  0, EC_NOT_SUPPORTED, 0, query_columns},
    {ROP_FindRow,           MAPI_TABLE,  0, EC_NOT_SUPPORTED, 0, find_row},
    {ROP_ResetTable,        MAPI_TABLE,  0, EC_NOT_SUPPORTED, 0, reset_table},
    {ROP_ExpandRow,         MAPI_TABLE,  0, EC_NOT_SUPPORTED, 0, expand_row},
    {ROP_CollapseRow,       MAPI_TABLE,  0, EC_NOT_SUPPORTED, 0, collapse_row},
    {ROP_GetCollapseState,  MAPI_TABLE,  0, EC_NOT_SUPPORTED, 0, get_collapse_state},
    {ROP_SetCollapseState,  MAPI_TABLE,  0, EC_NOT_SUPPORTED, 0, set_collapse_state},
    {.run = NULL},
};
/* clang-format on */
