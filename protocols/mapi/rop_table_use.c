/* rop_table_use.c - what operations on tables share: one that is up to date, and its rows. */
#include "protocols/mapi/rop_table_int.h"

/* ---- using one that is up to date ---- */

static uint32_t use_again(struct rop_call *call)
{
    struct mapi_table *t = table_of(call);
    struct table_use *use = call->state;
    struct store_read *rd = NULL;
    bool more = false;
    uint32_t ec = rop_read(call, &rd);

    if (!ec)
        ec = table_refresh(t, rd, &more);
    if (!ec && !more) {
        t->followed = true; /* what it shows is known to a client from now on */
        ec = use->fn(call, t, rd);
    }
    store_read_end(rd);
    return more || ec == TABLE_AGAIN ? rop_later(call, use_again) : ec;
}

uint32_t table_use(struct rop_call *call, table_fn *fn)
{
    struct table_use *use = arena_alloc(call->arena, sizeof *use);

    use->fn = fn;
    call->state = use;
    return use_again(call);
}

uint32_t table_check(const struct rop_call *call, unsigned kinds, bool needs_columns)
{
    const struct mapi_table *t = table_of(call);

    if (call->object->kind != MAPI_TABLE || !(t->kind & kinds))
        return EC_NOT_SUPPORTED;
    return needs_columns && !t->columns ? EC_NULL_OBJECT : EC_SUCCESS;
}

uint32_t table_stop_on(struct rop_call *call, uint32_t ec)
{
    call->stop = ec == EC_NOT_SUPPORTED || ec == EC_INVALID_BOOKMARK;
    return ec;
}

/* ---- rows in their wire form ---- */

uint32_t table_rows_put(struct table_rows *out, struct mapi_table *t, struct store_read *rd,
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

struct rop_rows table_rows_take(struct table_rows *out)
{
    struct rop_rows rows = {out->n, arena_slice(out->call->arena, buf_slice(&out->bytes))};

    buf_done(&out->bytes);
    return rows;
}

size_t table_room(const struct rop_call *call, size_t head)
{
    return call->room > head ? call->room - head : 0;
}

uint32_t table_rows_put_range(struct table_rows *out, struct mapi_table *t, struct store_read *rd,
                              uint32_t from, uint32_t n)
{
    uint32_t ec = EC_SUCCESS;
    bool fits = true;

    for (uint32_t i = 0; i < n && !ec && fits; i++)
        ec = table_rows_put(out, t, rd, from + i, &fits);
    return !ec && !fits && out->n == 0 ? EC_BUFFER_TOO_SMALL : ec;
}
