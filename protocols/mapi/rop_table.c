/* rop_table.c - operations on tables: [MS-OXCTABL] 3.2.5. */
#include <stdlib.h>

#include "protocols/mapi/rights.h"
#include "protocols/mapi/rop_table_int.h"

enum { STATUS_COMPLETE = 0 }; /* TableStatus: nothing is done behind the client's back */

enum {
    ORDERS_MAX = 64,
    COLUMNS_MAX = 4096,
    ROWS_HEAD = 3, /* before the rows of QueryRows: Origin, RowCount */
};

/* ---- opening ---- */

struct table_opening {
    struct mapi_table *table;
    uint32_t *count;
    struct store_set_search_found found;
};

/* Whoever counts what is in a search folder counts what was found last; a failure changes nothing.
 */
static uint32_t on_kept(struct rop_call *call, struct store_op *op)
{
    struct table_opening *st = call->state;

    (void)op;
    return rop_open(call, &st->table->object, call->object);
}

static bool has_found_others(struct mapi_table *t, struct store_read *rd, struct arena *in,
                             struct store_set_search_found *rq)
{
    struct store_search_criteria kept;
    struct store_folder folder;
    const uint64_t *mids;

    if (!t->search || !t->object.logon->owner || table_search_is_frozen(t) ||
        failed(store_folder_get(rd, t->fid, &folder)) ||
        failed(store_search_criteria(rd, t->fid, in, &kept)))
        return false;
    store_set_search_found_init(rq);
    rq->fid = t->fid;
    rq->cn = folder.cn;
    rq->found = (uint32_t)table_search_found(t, in, &mids, &rq->unread);
    return !kept.searched || kept.found != rq->found || kept.unread != rq->unread;
}

/* Until its rows are known: what a search folder has is looked for in turns. */
static uint32_t count_rows(struct rop_call *call)
{
    struct table_opening *st = call->state;
    struct mapi_table *t = st->table;
    struct store_read *rd = NULL;
    bool more = false, keeps = false;
    uint32_t ec = rop_read(call, &rd);

    if (!ec)
        ec = table_refresh(t, rd, &more);
    if (!ec && !more)
        keeps = has_found_others(t, rd, call->arena, &st->found);
    store_read_end(rd);
    if (!ec && more)
        return rop_later(call, count_rows);
    *st->count = table_count(t);
    if (ec) {
        t->object.free(&t->object);
        return ec;
    }
    if (keeps)
        return rop_submit(call, call->logon->mailbox, &st->found.op, on_kept);
    return rop_open(call, &t->object, call->object);
}

static uint32_t open_table(struct rop_call *call, struct mapi_table *t, uint8_t flags,
                           uint32_t *count)
{
    const struct mapi_folder *folder = (const struct mapi_folder *)call->object;
    struct table_opening *st = arena_alloc(call->arena, sizeof *st);

    t->fid = folder->fid;
    t->of_deleted = folder->deleted;
    t->flags = flags;
    *st = (struct table_opening){.table = t, .count = count};
    call->state = st;
    return count_rows(call);
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

    const struct mapi_folder *folder = (const struct mapi_folder *)call->object;

    if (rq->flags & ~(TABLE_ASSOCIATED | TABLE_DEFERRED_ERRORS | TABLE_NO_NOTIFICATIONS |
                      TABLE_SOFT_DELETES | TABLE_UNICODE | TABLE_CONVERSATION_MEMBERS))
        return EC_INVALID_PARAMETER;
    /* Conversations are those of the mailbox: on its root, and of messages that are there. */
    if (rq->flags & TABLE_CONVERSATION_MEMBERS &&
        (folder->fid != SPECIAL_ROOT || rq->flags & (TABLE_ASSOCIATED | TABLE_SOFT_DELETES)))
        return EC_NOT_SUPPORTED;
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
    PR_CONVERSATION_TOPIC, PR_CONVERSATION_INDEX, PR_CONVERSATION_ID, PR_IMPORTANCE, PR_PRIORITY, PR_SENSITIVITY,
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
    size_t room = rows->n_usual;

    for (size_t i = 0; i < rows->n; i++)
        room += rows->items[i].n;
    uint32_t *items = arena_array(in, room, sizeof *items);
    for (size_t i = 0; i < rows->n_usual; i++)
        add_tag(&list, items, rows->usual[i]);
    for (size_t i = 0; i < rows->n; i++)
        for (size_t j = 0; j < rows->items[i].n; j++)
            add_tag(&list, items, rows->items[i].items[j].tag);
    list.items = items;
    return list;
}

static uint32_t query_columns_now(struct rop_call *call, struct mapi_table *t,
                                  struct store_read *rd)
{
    struct rop_query_columns_reply *reply = call->reply;

    (void)rd;
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

/* It makes a view, of which a client is told ([MS-OXCNOTIF] 3.1.4.3). */
static uint32_t query_columns(struct rop_call *call)
{
    return table_use(call, query_columns_now);
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
    uint32_t ec = table_check(call, TABLE_CONTENTS, false), of;

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

uint32_t table_restriction_ec(const struct rop_restriction *restriction)
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
    uint32_t ec = table_check(call, TABLE_CONTENTS | TABLE_HIERARCHY | TABLE_RULES, false);

    if (!ec)
        ec = table_restriction_ec(&rq->restriction);
    if (ec)
        return ec;
    table_restart(t);
    reply->status = STATUS_COMPLETE;
    return take_restriction(call, t, &rq->restriction);
}

/* ---- rows (3.2.5.5) ---- */

/*
 * Backwards: the rows before the cursor, in the table's order; where they do not all fit, those
 * that are next to it.
 */
static uint32_t put_rows_before(struct table_rows *out, struct mapi_table *t, struct store_read *rd,
                                uint32_t end, uint32_t n)
{
    uint32_t ec = EC_SUCCESS, first = end;
    size_t room = out->bytes.max;

    while (first > end - n && !ec) {
        bool fits;

        ec = table_rows_put(out, t, rd, first - 1, &fits);
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
    return ec ? ec : table_rows_put_range(out, t, rd, first, end - first);
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
    struct table_rows out = {call, buf_make(table_room(call, ROWS_HEAD)), 0};
    uint32_t at = t->cursor.at, count = table_count(t);
    uint32_t most = rq->forward ? count - at : at;
    uint32_t n = rq->n < most ? rq->n : most;
    uint32_t ec = rq->forward ? table_rows_put_range(&out, t, rd, at, n)
                              : put_rows_before(&out, t, rd, at, n);

    reply->rows = table_rows_take(&out);
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
    const struct mapi_table *t = table_of(call);
    uint32_t ec = table_check(call, TABLE_ANY, true);

    if (!ec && t->rows)
        ec = t->rows->denied;
    return ec ? ec : table_use(call, query_rows_now);
}

/* ---- asynchronous operations: there are none (3.2.5.6, 3.2.5.7) ---- */

static uint32_t abort_table(struct rop_call *call)
{
    uint32_t ec = table_check(call, TABLE_CONTENTS | TABLE_HIERARCHY, false);

    return ec ? ec : EC_UNABLE_TO_ABORT;
}

static uint32_t get_status(struct rop_call *call)
{
    struct rop_get_status_reply *reply = call->reply;

    reply->status = STATUS_COMPLETE;
    return EC_SUCCESS;
}

/* ---- reset (3.2.5.16) ---- */

static uint32_t reset_table(struct rop_call *call)
{
    struct mapi_table *t = table_of(call);
    uint32_t ec = table_check(call, TABLE_CONTENTS, false);

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
    {ROP_QueryPosition,     MAPI_TABLE,  0, EC_NOT_SUPPORTED, 0, rop_query_position},
    {ROP_SeekRow,           MAPI_ANY,    0, EC_NOT_SUPPORTED, 0, rop_seek_row},
    {ROP_SeekRowBookmark,   MAPI_ANY,    0, EC_NOT_SUPPORTED, 0, rop_seek_bookmark},
    {ROP_SeekRowFractional, MAPI_TABLE,  0, EC_NOT_SUPPORTED, 0, rop_seek_fraction},
    {ROP_CreateBookmark,    MAPI_ANY,    0, EC_NOT_SUPPORTED, 0, rop_create_bookmark},
    {ROP_FreeBookmark,      MAPI_TABLE,  0, EC_NOT_SUPPORTED, 0, rop_free_bookmark},
    {ROP_QueryColumnsAll,   MAPI_TABLE,  0, EC_NOT_SUPPORTED, 0, query_columns},
    {ROP_FindRow,           MAPI_TABLE,  0, EC_NOT_SUPPORTED, 0, rop_find_row},
    {ROP_ResetTable,        MAPI_TABLE,  0, EC_NOT_SUPPORTED, 0, reset_table},
    {ROP_ExpandRow,         MAPI_TABLE,  0, EC_NOT_SUPPORTED, 0, rop_expand_row},
    {ROP_CollapseRow,       MAPI_TABLE,  0, EC_NOT_SUPPORTED, 0, rop_collapse_row},
    {ROP_GetCollapseState,  MAPI_TABLE,  0, EC_NOT_SUPPORTED, 0, rop_get_collapse_state},
    {ROP_SetCollapseState,  MAPI_TABLE,  0, EC_NOT_SUPPORTED, 0, rop_set_collapse_state},
    {.run = NULL},
};
/* clang-format on */
