/* rop_field.c - how each kind of field is read and written: a function for each way, and a table.
 */
#include "protocols/mapi/rop_field.h"

#include "base/utf.h"

/* ---- numbers ---- */

static void read_u8(struct rop_reading *r, uint8_t *to)
{
    *to = wire_u8(r->w);
}

static void put_u8(struct rop_writing *wr, const uint8_t *from)
{
    wire_put_u8(wr->out, *from);
}

static void read_u16(struct rop_reading *r, uint16_t *to)
{
    *to = wire_u16(r->w);
}

static void put_u16(struct rop_writing *wr, const uint16_t *from)
{
    wire_put_u16(wr->out, *from);
}

static void read_u32(struct rop_reading *r, uint32_t *to)
{
    *to = wire_u32(r->w);
}

static void put_u32(struct rop_writing *wr, const uint32_t *from)
{
    wire_put_u32(wr->out, *from);
}

static void read_i32(struct rop_reading *r, int32_t *to)
{
    *to = (int32_t)wire_u32(r->w);
}

static void put_i32(struct rop_writing *wr, const int32_t *from)
{
    wire_put_u32(wr->out, (uint32_t)*from);
}

static void read_u64(struct rop_reading *r, uint64_t *to)
{
    *to = wire_u64(r->w);
}

static void put_u64(struct rop_writing *wr, const uint64_t *from)
{
    wire_put_u64(wr->out, *from);
}

/* A global counter, whose bytes sort as the number does ([MS-OXCFXICS] 3.1.5.3). */
static void read_counter(struct rop_reading *r, uint64_t *to)
{
    struct slice bytes = wire_bytes(r->w, 6);

    for (size_t i = 0; i < bytes.len; i++)
        *to = *to << 8 | bytes.ptr[i];
}

static void put_counter(struct rop_writing *wr, const uint64_t *from)
{
    for (int shift = 40; shift >= 0; shift -= 8)
        wire_put_u8(wr->out, (uint8_t)(*from >> shift));
}

static void read_wide(struct rop_reading *r, uint8_t *to)
{
    *to = wire_u8(r->w);
    r->wide = *to != 0;
}

static void put_wide(struct rop_writing *wr, const uint8_t *from)
{
    wire_put_u8(wr->out, *from);
    wr->wide = *from != 0;
}

static void read_read_size(struct rop_reading *r, uint32_t *to)
{
    *to = wire_u16(r->w);
    if (*to == ROP_READ_MORE)
        *to = wire_u32(r->w);
    r->w->failed |= *to > ROP_READ_MOST; /* [MS-OXCPRPT] 2.2.15.1: ecRpcFormat for all of it */
}

/* 0xBABE itself can only be told in the long form. */
static void put_read_size(struct rop_writing *wr, const uint32_t *from)
{
    bool more = *from >= UINT16_MAX || *from == ROP_READ_MORE;

    wire_put_u16(wr->out, more ? ROP_READ_MORE : (uint16_t)*from);
    if (more)
        wire_put_u32(wr->out, *from);
}

static void read_buffer_size(struct rop_reading *r, uint16_t *to)
{
    *to = wire_u16(r->w);
    if (*to == ROP_READ_MORE)
        *to = wire_u16(r->w);
}

static void put_buffer_size(struct rop_writing *wr, const uint16_t *from)
{
    if (*from == ROP_READ_MORE)
        wire_put_u16(wr->out, ROP_READ_MORE);
    wire_put_u16(wr->out, *from);
}

enum { EVENTS_EXTENDED = 0x0400 };

static void read_events(struct rop_reading *r, uint16_t *to)
{
    *to = wire_u16(r->w);
    if (*to & EVENTS_EXTENDED)
        (void)wire_u8(r->w);
}

static void put_events(struct rop_writing *wr, const uint16_t *from)
{
    wire_put_u16(wr->out, *from);
    if (*from & EVENTS_EXTENDED)
        wire_put_u8(wr->out, 0);
}

/* ---- identifiers ---- */

static void read_guid(struct rop_reading *r, struct rop_guid *to)
{
    struct slice bytes = wire_bytes(r->w, sizeof to->bytes);

    if (bytes.len)
        memcpy(to->bytes, bytes.ptr, bytes.len);
}

static void put_guid(struct rop_writing *wr, const struct rop_guid *from)
{
    buf_put(wr->out, slice_of(from->bytes, sizeof from->bytes));
}

static void read_long_id(struct rop_reading *r, struct rop_long_id *to)
{
    read_guid(r, &to->replica);
    read_counter(r, &to->counter);
    (void)wire_u16(r->w);
}

static void put_long_id(struct rop_writing *wr, const struct rop_long_id *from)
{
    put_guid(wr, &from->replica);
    put_counter(wr, &from->counter);
    wire_put_u16(wr->out, 0);
}

static void read_folder_ids(struct rop_reading *r, struct rop_folder_ids *to)
{
    for (size_t i = 0; i < ROP_FOLDER_IDS; i++)
        to->ids[i] = wire_u64(r->w);
}

static void put_folder_ids(struct rop_writing *wr, const struct rop_folder_ids *from)
{
    for (size_t i = 0; i < ROP_FOLDER_IDS; i++)
        wire_put_u64(wr->out, from->ids[i]);
}

/* ---- text and bytes ---- */

static struct slice read_string(struct rop_reading *r, bool wide)
{
    return value_read(r->w, r->form, wide ? PROP_STRING : PROP_STRING8).bytes;
}

static void put_string(struct rop_writing *wr, bool wide, struct slice text)
{
    value_put(wr->out, wr->form, wide ? PROP_STRING : PROP_STRING8,
              &(struct prop_value){.bytes = text});
}

static void read_text(struct rop_reading *r, struct slice *to)
{
    *to = read_string(r, r->wide);
}

static void put_text(struct rop_writing *wr, const struct slice *from)
{
    put_string(wr, wr->wide, *from);
}

static void read_asz(struct rop_reading *r, struct slice *to)
{
    *to = wire_asz(r->w);
}

static void put_asz(struct rop_writing *wr, const struct slice *from)
{
    wire_put_asz(wr->out, *from);
}

static void read_bin16(struct rop_reading *r, struct slice *to)
{
    *to = wire_bytes(r->w, wire_u16(r->w));
}

static void put_bin16(struct rop_writing *wr, const struct slice *from)
{
    if (from->len > UINT16_MAX)
        wr->out->failed = true;
    wire_put_u16(wr->out, (uint16_t)from->len);
    buf_put(wr->out, *from);
}

static void read_bin32(struct rop_reading *r, struct slice *to)
{
    *to = wire_bytes(r->w, wire_u32(r->w));
}

static void put_bin32(struct rop_writing *wr, const struct slice *from)
{
    wire_put_u32(wr->out, (uint32_t)from->len);
    buf_put(wr->out, *from);
}

static void read_user_data(struct rop_reading *r, struct rop_user_data *to)
{
    to->offset = wire_u32(r->w);
    read_bin16(r, &to->bytes);
    if (to->offset == 0)
        read_guid(r, &to->replica);
}

static void put_user_data(struct rop_writing *wr, const struct rop_user_data *from)
{
    wire_put_u32(wr->out, from->offset);
    put_bin16(wr, &from->bytes);
    if (from->offset == 0)
        put_guid(wr, &from->replica);
}

/* With the NUL counted; some clients leave it away, and some send nothing at all. */
static void read_text16(struct rop_reading *r, struct slice *to)
{
    read_bin16(r, to);
    *to = slice_head(*to, slice_index(*to, 0));
}

static void put_text16(struct rop_writing *wr, const struct slice *from)
{
    struct slice text = slice_head(*from, slice_index(*from, 0));

    if (text.len >= UINT16_MAX)
        wr->out->failed = true;
    wire_put_u16(wr->out, (uint16_t)(text.len + 1));
    wire_put_asz(wr->out, text);
}

/* TypedString ([MS-OXCDATA] 2.11.7). */
enum { TYPED_ABSENT = 0, TYPED_EMPTY = 1, TYPED_8BIT = 2, TYPED_REDUCED = 3, TYPED_UNICODE = 4 };

/* Reduced Unicode: the units whose high byte is zero, by their low one. */
static struct slice read_reduced(struct wire *w)
{
    struct slice bytes = wire_asz(w);
    struct buf text = buf_make(2 * bytes.len);

    for (size_t i = 0; i < bytes.len; i++)
        utf8_put(&text, bytes.ptr[i]);
    struct slice out = arena_slice(w->in, buf_slice(&text));
    buf_done(&text);
    return out;
}

static void read_typed(struct rop_reading *r, struct slice *to)
{
    uint8_t type = wire_u8(r->w);

    *to = SLICE_EMPTY;
    if (type == TYPED_8BIT || type == TYPED_UNICODE)
        *to = read_string(r, type == TYPED_UNICODE);
    else if (type == TYPED_REDUCED)
        *to = read_reduced(r->w);
    else if (type != TYPED_ABSENT && type != TYPED_EMPTY)
        r->w->failed = true;
}

static void put_typed(struct rop_writing *wr, const struct slice *from)
{
    wire_put_u8(wr->out, from->len ? TYPED_UNICODE : TYPED_EMPTY);
    if (from->len)
        put_string(wr, true, *from);
}

/* A list of texts that only a public store answers with, and Gatepost is none: all that is left. */
static void read_asz_all(struct rop_reading *r, struct slice *to)
{
    *to = wire_bytes(r->w, r->w->rest.len);
}

static void put_asz_all(struct rop_writing *wr, const struct slice *from)
{
    buf_put(wr->out, *from);
}

static void read_help(struct rop_reading *r, struct rop_help *to)
{
    read_bin16(r, &to->file);
    if (to->file.len)
        read_asz(r, &to->name);
}

static void put_help(struct rop_writing *wr, const struct rop_help *from)
{
    put_bin16(wr, &from->file);
    if (from->file.len)
        put_asz(wr, &from->name);
}

/* ---- lists ---- */

static void put_count(struct rop_writing *wr, size_t n)
{
    if (n > UINT16_MAX)
        wr->out->failed = true;
    wire_put_u16(wr->out, (uint16_t)n);
}

/* Room for a list that begins with its count and whose members take `least` bytes or more each. */
static void *list_new(struct rop_reading *r, size_t size, size_t least, size_t *n)
{
    *n = wire_count(r->w, wire_u16(r->w), least);
    return arena_array(r->w->in, *n, size);
}

static void read_numbers(struct rop_reading *r, struct rop_numbers *to)
{
    uint32_t *items = list_new(r, sizeof *items, 4, &to->n);

    for (size_t i = 0; i < to->n; i++)
        items[i] = wire_u32(r->w);
    to->items = items;
}

static void put_numbers(struct rop_writing *wr, const struct rop_numbers *from)
{
    put_count(wr, from->n);
    for (size_t i = 0; i < from->n; i++)
        wire_put_u32(wr->out, from->items[i]);
}

static void read_tags(struct rop_reading *r, struct rop_numbers *to)
{
    read_numbers(r, to);
}

static void put_tags(struct rop_writing *wr, const struct rop_numbers *from)
{
    put_numbers(wr, from);
}

static void read_ids(struct rop_reading *r, struct rop_ids *to)
{
    uint64_t *items = list_new(r, sizeof *items, 8, &to->n);

    for (size_t i = 0; i < to->n; i++)
        items[i] = wire_u64(r->w);
    to->items = items;
}

static void put_ids(struct rop_writing *wr, const struct rop_ids *from)
{
    put_count(wr, from->n);
    for (size_t i = 0; i < from->n; i++)
        wire_put_u64(wr->out, from->items[i]);
}

static void read_long_ids(struct rop_reading *r, struct rop_long_ids *to)
{
    struct rop_long_id *items = list_new(r, sizeof *items, 24, &to->n);

    for (size_t i = 0; i < to->n; i++)
        read_long_id(r, &items[i]);
    to->items = items;
}

static void put_long_ids(struct rop_writing *wr, const struct rop_long_ids *from)
{
    put_count(wr, from->n);
    for (size_t i = 0; i < from->n; i++)
        put_long_id(wr, &from->items[i]);
}

static void read_property_ids(struct rop_reading *r, struct rop_property_ids *to)
{
    uint16_t *items = list_new(r, sizeof *items, 2, &to->n);

    for (size_t i = 0; i < to->n; i++)
        items[i] = wire_u16(r->w);
    to->items = items;
}

static void put_property_ids(struct rop_writing *wr, const struct rop_property_ids *from)
{
    put_count(wr, from->n);
    for (size_t i = 0; i < from->n; i++)
        wire_put_u16(wr->out, from->items[i]);
}

static void read_props(struct rop_reading *r, struct rop_props *to)
{
    struct prop *items = list_new(r, sizeof *items, 4, &to->n);

    for (size_t i = 0; i < to->n && !r->w->failed; i++)
        items[i] = value_read_tagged(r->w, r->form);
    to->items = items;
}

static void put_props(struct rop_writing *wr, const struct rop_props *from)
{
    put_count(wr, from->n);
    for (size_t i = 0; i < from->n; i++)
        value_put_tagged(wr->out, wr->form, &from->items[i]);
}

/* Read what a size announces; what it does not account for is a fault. */
static void read_sized_props(struct rop_reading *r, struct rop_props *to)
{
    struct wire inside = wire_of(wire_bytes(r->w, wire_u16(r->w)), r->w->in);
    struct rop_reading inner = {.w = &inside, .form = r->form};

    read_props(&inner, to);
    r->w->failed |= inside.failed || inside.rest.len != 0;
}

/* The size of what stands behind `at`, into the two bytes that were left open there. */
static void close_size(struct rop_writing *wr, size_t at)
{
    size_t size = wr->out->len - at - 2;

    if (wr->out->failed || size > UINT16_MAX)
        wr->out->failed = true;
    else
        wire_patch_u16(wr->out, at, (uint16_t)size);
}

static void put_sized_props(struct rop_writing *wr, const struct rop_props *from)
{
    size_t at = wr->out->len;

    wire_put_u16(wr->out, 0);
    put_props(wr, from);
    close_size(wr, at);
}

static void read_problems(struct rop_reading *r, struct rop_problems *to)
{
    struct rop_problem *items = list_new(r, sizeof *items, 10, &to->n);

    for (size_t i = 0; i < to->n; i++) {
        items[i].index = wire_u16(r->w);
        items[i].tag = wire_u32(r->w);
        items[i].error = wire_u32(r->w);
    }
    to->items = items;
}

static void put_problems(struct rop_writing *wr, const struct rop_problems *from)
{
    put_count(wr, from->n);
    for (size_t i = 0; i < from->n; i++) {
        wire_put_u16(wr->out, from->items[i].index);
        wire_put_u32(wr->out, from->items[i].tag);
        wire_put_u32(wr->out, from->items[i].error);
    }
}

static void read_names(struct rop_reading *r, struct rop_names *to)
{
    struct property_name *items = list_new(r, sizeof *items, 17, &to->n);

    for (size_t i = 0; i < to->n && !r->w->failed; i++)
        items[i] = property_name_read(r->w);
    to->items = items;
}

static void put_names(struct rop_writing *wr, const struct rop_names *from)
{
    put_count(wr, from->n);
    for (size_t i = 0; i < from->n; i++)
        property_name_put(wr->out, &from->items[i]);
}

static void read_named(struct rop_reading *r, struct rop_named *to)
{
    size_t n = wire_count(r->w, wire_u16(r->w), 2 + 17);
    uint16_t *ids = arena_array(r->w->in, n, sizeof *ids);
    struct property_name *names = arena_array(r->w->in, n, sizeof *names);

    for (size_t i = 0; i < n; i++)
        ids[i] = wire_u16(r->w);
    for (size_t i = 0; i < n && !r->w->failed; i++)
        names[i] = property_name_read(r->w);
    *to = (struct rop_named){n, ids, names};
}

static void put_named(struct rop_writing *wr, const struct rop_named *from)
{
    put_count(wr, from->n);
    for (size_t i = 0; i < from->n; i++)
        wire_put_u16(wr->out, from->ids[i]);
    for (size_t i = 0; i < from->n; i++)
        property_name_put(wr->out, &from->names[i]);
}

static void read_orders(struct rop_reading *r, struct rop_orders *to)
{
    size_t n = wire_u16(r->w);

    to->categories = wire_u16(r->w);
    to->expanded = wire_u16(r->w);
    to->n = n = wire_count(r->w, n, 5);
    struct sort_order *items = arena_array(r->w->in, n, sizeof *items);
    for (size_t i = 0; i < n; i++)
        items[i] = sort_order_read(r->w);
    to->items = items;
}

static void put_orders(struct rop_writing *wr, const struct rop_orders *from)
{
    put_count(wr, from->n);
    wire_put_u16(wr->out, from->categories);
    wire_put_u16(wr->out, from->expanded);
    for (size_t i = 0; i < from->n; i++)
        sort_order_put(wr->out, &from->items[i]);
}

/* Its size tells its end, so one that cannot be read fails its own operation alone. */
static void read_restriction(struct rop_reading *r, struct rop_restriction *to)
{
    struct wire inside = wire_of(wire_bytes(r->w, wire_u16(r->w)), r->w->in);
    struct restriction *root = arena_alloc(r->w->in, sizeof *root);

    *to = (struct rop_restriction){.bytes = inside.rest};
    if (r->w->failed || inside.rest.len == 0)
        return;
    to->error = restriction_read(&inside, r->form, root);
    if (!failed(to->error) && inside.rest.len != 0)
        to->error = ERR(ERR_SYNTAX, "there is more behind a restriction");
    if (!failed(to->error))
        to->root = root;
}

static void put_restriction(struct rop_writing *wr, const struct rop_restriction *from)
{
    size_t at = wr->out->len;

    wire_put_u16(wr->out, 0);
    if (from->bytes.len)
        buf_put(wr->out, from->bytes);
    else if (from->root)
        restriction_put(wr->out, wr->form, from->root);
    close_size(wr, at);
}

static void read_permissions(struct rop_reading *r, struct rop_permissions *to)
{
    struct rop_permission *items = list_new(r, sizeof *items, 3, &to->n);

    for (size_t i = 0; i < to->n && !r->w->failed; i++) {
        items[i].flags = wire_u8(r->w);
        read_props(r, &items[i].values);
    }
    to->items = items;
}

static void put_permissions(struct rop_writing *wr, const struct rop_permissions *from)
{
    put_count(wr, from->n);
    for (size_t i = 0; i < from->n; i++) {
        wire_put_u8(wr->out, from->items[i].flags);
        put_props(wr, &from->items[i].values);
    }
}

static void read_address_types(struct rop_reading *r, struct rop_texts *to)
{
    size_t n = wire_u16(r->w);
    struct wire inside = wire_of(wire_bytes(r->w, wire_u16(r->w)), r->w->in);

    to->n = n = wire_count(&inside, n, 1);
    struct slice *items = arena_array(r->w->in, n, sizeof *items);
    for (size_t i = 0; i < n; i++)
        items[i] = wire_asz(&inside);
    to->items = items;
    r->w->failed |= inside.failed || inside.rest.len != 0;
}

static void put_address_types(struct rop_writing *wr, const struct rop_texts *from)
{
    put_count(wr, from->n);
    size_t at = wr->out->len;
    wire_put_u16(wr->out, 0);
    for (size_t i = 0; i < from->n; i++)
        wire_put_asz(wr->out, from->items[i]);
    close_size(wr, at);
}

/* ---- rows ---- */

/* Rows stay in their wire form: walk over n of them to find where they end. */
static struct slice walk_rows(struct rop_reading *r, size_t n)
{
    struct slice all = r->w->rest;
    struct prop *values;

    if (!r->columns)
        r->w->failed = true;
    for (size_t i = 0; i < n && !r->w->failed; i++)
        if (!row_read(r->w, r->form, r->columns->items, r->columns->n, &values))
            break;
    return slice_head(all, all.len - r->w->rest.len);
}

static void read_row(struct rop_reading *r, struct slice *to)
{
    *to = walk_rows(r, 1);
}

static void put_row(struct rop_writing *wr, const struct slice *from)
{
    buf_put(wr->out, *from);
}

static void read_rows16(struct rop_reading *r, struct rop_rows *to)
{
    to->n = wire_u16(r->w);
    to->bytes = walk_rows(r, to->n);
}

static void put_rows16(struct rop_writing *wr, const struct rop_rows *from)
{
    put_count(wr, from->n);
    buf_put(wr->out, from->bytes);
}

static void read_rows32(struct rop_reading *r, struct rop_rows *to)
{
    to->n = wire_u32(r->w);
    to->bytes = walk_rows(r, to->n);
}

static void put_rows32(struct rop_writing *wr, const struct rop_rows *from)
{
    wire_put_u32(wr->out, (uint32_t)from->n);
    buf_put(wr->out, from->bytes);
}

/* ---- recipients ---- */

static void read_recipients(struct rop_reading *r, struct rop_recipients *to)
{
    read_numbers(r, &to->columns);
    struct recipient *items = list_new(r, sizeof *items, 7, &to->n);

    for (size_t i = 0; i < to->n && !r->w->failed; i++)
        if (!recipient_modify_read(r->w, r->form, to->columns.items, to->columns.n, &items[i]))
            break;
    to->items = items;
}

static void put_recipients(struct rop_writing *wr, const struct rop_recipients *from)
{
    put_numbers(wr, &from->columns);
    put_count(wr, from->n);
    for (size_t i = 0; i < from->n; i++)
        recipient_modify_put(wr->out, wr->form, from->columns.items, &from->items[i]);
}

/* Each says how long it is, behind what comes before its size. */
static void walk_sized_rows(struct rop_reading *r, size_t before, struct rop_rows *to)
{
    struct slice all;

    to->n = wire_u8(r->w);
    all = r->w->rest;
    for (size_t i = 0; i < to->n && !r->w->failed; i++) {
        (void)wire_bytes(r->w, before);
        (void)wire_bytes(r->w, wire_u16(r->w));
    }
    to->bytes = slice_head(all, all.len - r->w->rest.len);
}

static void put_sized_rows(struct rop_writing *wr, const struct rop_rows *from)
{
    if (from->n > UINT8_MAX)
        wr->out->failed = true;
    wire_put_u8(wr->out, (uint8_t)from->n);
    buf_put(wr->out, from->bytes);
}

static void read_open_rows(struct rop_reading *r, struct rop_rows *to)
{
    walk_sized_rows(r, 1 + 2 + 2, to);
}

static void put_open_rows(struct rop_writing *wr, const struct rop_rows *from)
{
    put_sized_rows(wr, from);
}

static void read_read_rows(struct rop_reading *r, struct rop_rows *to)
{
    walk_sized_rows(r, 4 + 1 + 2 + 2, to);
}

static void put_read_rows(struct rop_writing *wr, const struct rop_rows *from)
{
    put_sized_rows(wr, from);
}

/* ---- by kind ---- */

void rop_field_read(struct rop_reading *r, enum rop_kind kind, void *member)
{
    switch (kind) {
#define READ_KIND(kind, type, wire)                                                                \
    case ROP_KIND_##kind:                                                                          \
        read_##kind(r, member);                                                                    \
        break;
        ROP_KINDS(READ_KIND)
#undef READ_KIND
    case ROP_KIND_COUNT:
        break;
    }
}

void rop_field_put(struct rop_writing *wr, enum rop_kind kind, const void *member)
{
    switch (kind) {
#define PUT_KIND(kind, type, wire)                                                                 \
    case ROP_KIND_##kind:                                                                          \
        put_##kind(wr, member);                                                                    \
        break;
        ROP_KINDS(PUT_KIND)
#undef PUT_KIND
    case ROP_KIND_COUNT:
        break;
    }
}
