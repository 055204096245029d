/* restriction.c - what a row must be like, where rows come in order, and what properties are
 * called. */
#include "base/utf.h"
#include "protocols/mapi/value.h"

struct reading {
    struct wire *w;
    const struct value_form *form;
    struct err err;
};

static void fail(struct reading *r, struct err e)
{
    if (!failed(r->err))
        r->err = e;
    r->w->failed = true;
}

static void read_into(struct reading *r, unsigned depth, struct restriction *out);

/*
 * The list grows as its members come, whatever the count promised: a count of 30,000 on each of 64
 * levels would otherwise ask for a hundred times the memory that it came in.
 */
static void read_children(struct reading *r, unsigned depth, size_t n, struct restriction *out)
{
    struct restriction *children = NULL;
    size_t cap = 0;

    n = wire_count(r->w, n, 1);
    for (size_t i = 0; i < n && !r->w->failed; i++) {
        if (i == cap) {
            size_t more = cap ? cap : 1;

            children = arena_grow(r->w->in, children, cap, more, sizeof *children);
            cap += more;
        }
        read_into(r, depth + 1, &children[i]);
    }
    out->children = children;
    out->n = n;
}

static uint8_t read_relop(struct reading *r)
{
    uint8_t relop = wire_u8(r->w);

    if (relop > RELOP_RE && relop != RELOP_MEMBER_OF_DL)
        fail(r, ERR(ERR_UNSUPPORTED, "a restriction has an unknown operator"));
    return relop;
}

static void read_bitmask(struct reading *r, struct restriction *out)
{
    out->relop = wire_u8(r->w);
    if (out->relop > 1)
        fail(r, ERR(ERR_UNSUPPORTED, "a restriction has an unknown operator"));
    out->tag = wire_u32(r->w);
    out->number = wire_u32(r->w);
}

/* The values go with the restriction but say nothing; it may be missing ([MS-OXCDATA] 2.12.11). */
static void read_comment(struct reading *r, unsigned depth, struct restriction *out)
{
    size_t n = wire_count(r->w, wire_u8(r->w), 4);
    struct prop *notes = arena_array(r->w->in, n, sizeof *notes);

    for (size_t i = 0; i < n && !r->w->failed; i++)
        notes[i] = value_read_tagged(r->w, r->form);
    out->notes = notes;
    out->n_notes = n;
    if (wire_u8(r->w))
        read_children(r, depth, 1, out);
}

static void read_into(struct reading *r, unsigned depth, struct restriction *out)
{
    struct wire *w = r->w;

    if (depth == RESTRICTION_MAX_DEPTH) {
        fail(r, ERR(ERR_LIMIT, "a restriction is nested too deep"));
        return;
    }
    out->kind = wire_u8(w);
    switch (out->kind) {
    case RESTRICTION_AND:
    case RESTRICTION_OR:
        read_children(r, depth, r->form->wide_counts ? wire_u32(w) : wire_u16(w), out);
        break;
    case RESTRICTION_NOT:
        read_children(r, depth, 1, out);
        break;
    case RESTRICTION_CONTENT:
        out->fuzzy_low = wire_u16(w);
        out->fuzzy_high = wire_u16(w);
        out->tag = wire_u32(w);
        out->value = value_read_tagged(w, r->form);
        break;
    case RESTRICTION_PROPERTY:
        out->relop = read_relop(r);
        out->tag = wire_u32(w);
        out->value = value_read_tagged(w, r->form);
        break;
    case RESTRICTION_COMPARE:
        out->relop = read_relop(r);
        out->tag = wire_u32(w);
        out->tag2 = wire_u32(w);
        break;
    case RESTRICTION_BITMASK:
        read_bitmask(r, out);
        break;
    case RESTRICTION_SIZE:
        out->relop = read_relop(r);
        out->tag = wire_u32(w);
        out->number = wire_u32(w);
        break;
    case RESTRICTION_EXIST:
        out->tag = wire_u32(w);
        break;
    case RESTRICTION_SUBOBJECT:
        out->tag = wire_u32(w);
        read_children(r, depth, 1, out);
        break;
    case RESTRICTION_COMMENT:
        read_comment(r, depth, out);
        break;
    case RESTRICTION_COUNT:
        out->number = wire_u32(w);
        read_children(r, depth, 1, out);
        break;
    default:
        fail(r, ERR(ERR_UNSUPPORTED, "a restriction is of an unknown kind"));
    }
}

struct err restriction_read(struct wire *w, const struct value_form *form, struct restriction *out)
{
    struct reading r = {w, form, OK};
    struct restriction read = {0};

    read_into(&r, 0, &read);
    if (!w->failed)
        *out = read;
    else if (!failed(r.err))
        r.err = ERR(ERR_SYNTAX, "a restriction is malformed");
    return r.err;
}

static void put_children(struct buf *out, const struct value_form *form,
                         const struct restriction *r)
{
    for (size_t i = 0; i < r->n; i++)
        restriction_put(out, form, &r->children[i]);
}

static void put_comment(struct buf *out, const struct value_form *form, const struct restriction *r)
{
    wire_put_u8(out, (uint8_t)r->n_notes);
    for (size_t i = 0; i < r->n_notes; i++)
        value_put_tagged(out, form, &r->notes[i]);
    wire_put_u8(out, r->n != 0);
    put_children(out, form, r);
}

void restriction_put(struct buf *out, const struct value_form *form, const struct restriction *r)
{
    wire_put_u8(out, (uint8_t)r->kind);
    switch (r->kind) {
    case RESTRICTION_AND:
    case RESTRICTION_OR:
        if (form->wide_counts)
            wire_put_u32(out, (uint32_t)r->n);
        else
            wire_put_u16(out, (uint16_t)r->n);
        break;
    case RESTRICTION_NOT:
        break;
    case RESTRICTION_CONTENT:
        wire_put_u16(out, r->fuzzy_low);
        wire_put_u16(out, r->fuzzy_high);
        wire_put_u32(out, r->tag);
        value_put_tagged(out, form, &r->value);
        break;
    case RESTRICTION_PROPERTY:
        wire_put_u8(out, r->relop);
        wire_put_u32(out, r->tag);
        value_put_tagged(out, form, &r->value);
        break;
    case RESTRICTION_COMPARE:
        wire_put_u8(out, r->relop);
        wire_put_u32(out, r->tag);
        wire_put_u32(out, r->tag2);
        break;
    case RESTRICTION_BITMASK:
    case RESTRICTION_SIZE:
        wire_put_u8(out, r->relop);
        wire_put_u32(out, r->tag);
        wire_put_u32(out, r->number);
        break;
    case RESTRICTION_EXIST:
    case RESTRICTION_SUBOBJECT:
        wire_put_u32(out, r->tag);
        break;
    case RESTRICTION_COMMENT:
        put_comment(out, form, r);
        return;
    case RESTRICTION_COUNT:
        wire_put_u32(out, r->number);
        break;
    }
    put_children(out, form, r);
}

bool restriction_holds(uint8_t relop, int order)
{
    switch (relop) {
    case RELOP_LT:
        return order < 0;
    case RELOP_LE:
        return order <= 0;
    case RELOP_GT:
        return order > 0;
    case RELOP_GE:
        return order >= 0;
    case RELOP_EQ:
        return order == 0;
    default:
        return order != 0;
    }
}

/* ---- sort orders ---- */

struct sort_order sort_order_read(struct wire *w)
{
    uint16_t type = wire_u16(w), id = wire_u16(w);

    return (struct sort_order){PROP_TAG(id, type), wire_u8(w)};
}

void sort_order_put(struct buf *out, const struct sort_order *order)
{
    wire_put_u32(out, order->tag); /* type, then id: the low half comes first */
    wire_put_u8(out, order->order);
}

/* ---- names of properties ---- */

/* The size counts bytes, the NUL too; some clients leave the NUL away. */
static struct slice read_name(struct wire *w)
{
    struct slice wide = wire_bytes(w, wire_u8(w));
    struct buf text = buf_make(3 * wide.len);

    w->failed |= wide.len % 2 != 0;
    while (wide.len >= 2 && (wide.ptr[0] || wide.ptr[1]))
        utf8_put(&text, utf16le_take(&wide));
    struct slice name = arena_slice(w->in, buf_slice(&text));
    buf_done(&text);
    return name;
}

struct property_name property_name_read(struct wire *w)
{
    struct property_name name = {.kind = wire_u8(w)};
    struct slice guid = wire_bytes(w, sizeof name.guid);

    if (guid.len)
        memcpy(name.guid, guid.ptr, guid.len);
    if (name.kind == NAME_BY_ID)
        name.id = wire_u32(w);
    else if (name.kind == NAME_BY_STRING)
        name.name = read_name(w);
    else if (name.kind != NAME_NONE)
        w->failed = true;
    return name;
}

void property_name_put(struct buf *out, const struct property_name *name)
{
    struct buf wide = buf_make(UINT8_MAX);

    wire_put_u8(out, name->kind);
    buf_put(out, slice_of(name->guid, sizeof name->guid));
    if (name->kind == NAME_BY_ID) {
        wire_put_u32(out, name->id);
    } else if (name->kind == NAME_BY_STRING) {
        wire_put_usz(&wide, name->name);
        out->failed |= wide.failed;
        wire_put_u8(out, (uint8_t)wide.len);
        buf_put(out, buf_slice(&wide));
    }
    buf_done(&wide);
}
