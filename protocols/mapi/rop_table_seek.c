/* rop_table_seek.c - the cursor, bookmarks, and finding rows: [MS-OXCTABL] 3.2.5.8 - 3.2.5.15. */
#include "protocols/mapi/rop_table_int.h"

enum {
    BOOKMARKS_MAX = 1000,
    FIND_HEAD = 2, /* RowNoLongerVisible, HasRowData */
    FOUND_ROW = 5, /* rows that one is worth which is sought by its name: see TURN */
};

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

uint32_t rop_query_position(struct rop_call *call)
{
    return table_use(call, query_position_now);
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

uint32_t rop_seek_row(struct rop_call *call)
{
    const struct rop_seek_row *rq = call->fields;
    uint32_t ec = table_check(call, TABLE_ANY, false);

    if (!ec && rq->origin > FROM_END)
        ec = EC_INVALID_PARAMETER;
    return ec ? table_stop_on(call, ec) : table_use(call, seek_row_now);
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

uint32_t rop_seek_fraction(struct rop_call *call)
{
    const struct rop_seek_fraction *rq = call->fields;

    if (rq->denominator == 0)
        return EC_INVALID_BOOKMARK;
    return table_use(call, seek_fraction_now);
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

uint32_t table_add_bookmark(struct rop_call *call, struct mapi_table *t, struct table_place place,
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
    return table_add_bookmark(call, t, t->cursor, &reply->bookmark);
}

uint32_t rop_create_bookmark(struct rop_call *call)
{
    uint32_t ec = table_check(call, TABLE_CONTENTS | TABLE_HIERARCHY, false);

    return ec ? table_stop_on(call, ec) : table_use(call, create_bookmark_now);
}

uint32_t rop_free_bookmark(struct rop_call *call)
{
    const struct rop_free_bookmark *rq = call->fields;
    struct mapi_table *t = table_of(call);
    uint32_t ec = table_check(call, TABLE_CONTENTS | TABLE_HIERARCHY, true);

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
        return table_stop_on(call, EC_INVALID_BOOKMARK);
    reply->gone = b->place.lost;
    reply->sought = seek(t, b->place.at, rq->n);
    reply->sought_less = reply->sought != rq->n;
    return EC_SUCCESS;
}

/* One that RopResetTable made invalid is that, though there are no columns any more (3.2.5.10). */
static bool was_made(const struct mapi_table *t, struct slice bytes)
{
    struct wire w = wire_of(bytes, NULL);
    uint32_t number = wire_u32(&w);

    return bytes.len == 4 && number > 0 && number <= t->last_bookmark;
}

uint32_t rop_seek_bookmark(struct rop_call *call)
{
    const struct rop_seek_bookmark *rq = call->fields;
    uint32_t ec = table_check(call, TABLE_CONTENTS | TABLE_HIERARCHY, true);

    if (ec == EC_NULL_OBJECT && !find_bookmark(table_of(call), rq->bookmark) &&
        was_made(table_of(call), rq->bookmark))
        ec = EC_INVALID_BOOKMARK;

    return ec ? table_stop_on(call, ec) : table_use(call, seek_bookmark_now);
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

/* *spent is raised by what it took. */
static uint32_t row_fits(struct mapi_table *t, struct store_read *rd, uint32_t at,
                         const struct restriction *wanted, uint32_t *spent, bool *fits)
{
    struct arena in = ARENA_INIT;
    struct match_run run = {.in = &in};
    struct table_row row;
    struct err e = table_row_open(t, rd, at, &in, &row);

    *fits = !failed(e) && match(wanted, &run, &row.source);
    if (!failed(e))
        e = row.source.err;
    *spent += FOUND_ROW + (failed(e) ? 0 : table_row_cost(&row));
    arena_done(&in);
    return mapi_ec_of(e);
}

static uint32_t found(struct rop_call *call, struct mapi_table *t, struct store_read *rd,
                      uint32_t at)
{
    struct rop_find_row_reply *reply = call->reply;
    struct table_rows out = {call, buf_make(table_room(call, FIND_HEAD)), 0};
    bool fits;
    uint32_t ec = table_rows_put(&out, t, rd, at, &fits);

    reply->row = table_rows_take(&out).bytes;
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
    for (uint32_t spent = 0; use->left > 0 && use->at < table_count(t);) {
        bool fits;

        if (spent >= TURN)
            return TABLE_AGAIN;
        uint32_t ec = row_fits(t, rd, use->at, rq->restriction.root, &spent, &fits);
        if (ec || fits)
            return ec ? ec : found(call, t, rd, use->at);
        use->at += (uint32_t)step;
        use->left--;
    }
    return EC_NOT_FOUND;
}

uint32_t rop_find_row(struct rop_call *call)
{
    const struct rop_find_row *rq = call->fields;
    uint32_t ec = table_check(call, TABLE_CONTENTS | TABLE_HIERARCHY | TABLE_RULES, true);

    if (!ec)
        ec = table_restriction_ec(&rq->restriction);
    if (!ec && rq->origin > FROM_BOOKMARK)
        ec = EC_INVALID_PARAMETER;
    return ec ? ec : table_use(call, find_row_now);
}
