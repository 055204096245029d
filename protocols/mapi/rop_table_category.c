/* rop_table_category.c - expanding and collapsing: [MS-OXCTABL] 3.2.5.17 - 3.2.5.20. */
#include "protocols/mapi/rop_table_int.h"

enum { EXPAND_HEAD = 6 }; /* ExpandedRowCount, RowCount */

static void arrange(struct mapi_table *t)
{
    categories_arrange(t);
    table_find_places(t);
}

static uint32_t expand_row_now(struct rop_call *call, struct mapi_table *t, struct store_read *rd)
{
    const struct rop_expand_row *rq = call->fields;
    struct rop_expand_row_reply *reply = call->reply;
    struct table_rows out = {call, buf_make(table_room(call, EXPAND_HEAD)), 0};
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
        ec = table_rows_put_range(&out, t, rd, at + 1, n);
    reply->rows = table_rows_take(&out);
    return ec == EC_BUFFER_TOO_SMALL ? EC_SUCCESS : ec;
}

uint32_t rop_expand_row(struct rop_call *call)
{
    uint32_t ec = table_check(call, TABLE_CONTENTS, true);

    return ec ? ec : table_use(call, expand_row_now);
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

uint32_t rop_collapse_row(struct rop_call *call)
{
    uint32_t ec = table_check(call, TABLE_CONTENTS, true);

    return ec ? ec : table_use(call, collapse_row_now);
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

uint32_t rop_get_collapse_state(struct rop_call *call)
{
    uint32_t ec = table_check(call, TABLE_CONTENTS, true);

    return ec ? ec : table_use(call, get_collapse_state_now);
}

/* The name of the row that has this PidTagInstID. */
static uint64_t row_of(struct mapi_table *t, struct store_read *rd, uint64_t inst, uint32_t number)
{
    uint64_t mid, fid;
    uint32_t uid;

    if (!mapi_id_counter(inst, &mid))
        return inst;
    if (t->search) /* its leaves are of many folders: table_leaf_of() */
        return (uint32_t)mid | (uint64_t)number << 32;
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
    return table_add_bookmark(call, t, place, &reply->bookmark);
}

uint32_t rop_set_collapse_state(struct rop_call *call)
{
    uint32_t ec = table_check(call, TABLE_CONTENTS, true);

    return ec ? ec : table_use(call, set_collapse_state_now);
}
