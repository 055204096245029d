#include "protocols/mapi/recipient.h"

/* ---- text, in whichever form the row has ---- */

static struct slice read_text(struct wire *w, const struct value_form *form, uint16_t flags)
{
    return value_read(w, form, flags & RECIPIENT_UNICODE ? PROP_STRING : PROP_STRING8).bytes;
}

static void put_text(struct buf *out, const struct value_form *form, uint16_t flags,
                     struct slice text)
{
    value_put(out, form, flags & RECIPIENT_UNICODE ? PROP_STRING : PROP_STRING8,
              &(struct prop_value){.bytes = text});
}

/* The texts that a flag says are there, in their order. */
static const struct {
    uint16_t flag;
    size_t offset;
} texts[] = {
    {RECIPIENT_EMAIL, offsetof(struct recipient, email)},
    {RECIPIENT_DISPLAY_NAME, offsetof(struct recipient, display_name)},
    {RECIPIENT_SIMPLE_NAME, offsetof(struct recipient, simple_name)},
    {RECIPIENT_TRANSMITTABLE, offsetof(struct recipient, transmittable)},
};

enum { N_TEXTS = sizeof texts / sizeof *texts };

static struct slice *text_of(const struct recipient *r, size_t i)
{
    return (struct slice *)((char *)r + texts[i].offset);
}

/* ---- the row ---- */

static void read_address(struct wire *w, struct recipient *r)
{
    switch (recipient_type(r)) {
    case RECIPIENT_X500:
        r->prefix_used = wire_u8(w);
        r->display_type = wire_u8(w);
        r->x500 = wire_asz(w);
        break;
    case RECIPIENT_PERSONAL_LIST_1:
    case RECIPIENT_PERSONAL_LIST_2:
        r->entry_id = wire_bytes(w, wire_u16(w));
        r->search_key = wire_bytes(w, wire_u16(w));
        break;
    case RECIPIENT_NO_TYPE:
        if (r->flags & RECIPIENT_OTHER_TYPE)
            r->address_type = wire_asz(w);
        break;
    default:
        break;
    }
}

bool recipient_row_read(struct wire *w, const struct value_form *form, const uint32_t *columns,
                        size_t n_columns, struct recipient *out)
{
    struct prop *values = NULL;

    out->flags = wire_u16(w);
    read_address(w, out);
    for (size_t i = 0; i < N_TEXTS; i++)
        if (out->flags & texts[i].flag)
            *text_of(out, i) = read_text(w, form, out->flags);
    size_t n = wire_u16(w);
    if (n > n_columns)
        w->failed = true;
    if (w->failed || !row_read(w, form, columns, n, &values))
        return false;
    out->n_values = n;
    out->values = values;
    return true;
}

static void put_address(struct buf *out, const struct recipient *r)
{
    switch (recipient_type(r)) {
    case RECIPIENT_X500:
        wire_put_u8(out, r->prefix_used);
        wire_put_u8(out, r->display_type);
        wire_put_asz(out, r->x500);
        break;
    case RECIPIENT_PERSONAL_LIST_1:
    case RECIPIENT_PERSONAL_LIST_2:
        wire_put_u16(out, (uint16_t)r->entry_id.len);
        buf_put(out, r->entry_id);
        wire_put_u16(out, (uint16_t)r->search_key.len);
        buf_put(out, r->search_key);
        break;
    case RECIPIENT_NO_TYPE:
        if (r->flags & RECIPIENT_OTHER_TYPE)
            wire_put_asz(out, r->address_type);
        break;
    default:
        break;
    }
}

void recipient_row_put(struct buf *out, const struct value_form *form, const uint32_t *columns,
                       const struct recipient *r)
{
    wire_put_u16(out, r->flags);
    put_address(out, r);
    for (size_t i = 0; i < N_TEXTS; i++)
        if (r->flags & texts[i].flag)
            put_text(out, form, r->flags, *text_of(r, i));
    wire_put_u16(out, (uint16_t)r->n_values);
    row_put(out, form, columns, r->n_values, r->values);
}

/* ---- what ROPs put around it: a size before, which is checked ---- */

static bool read_sized(struct wire *w, const struct value_form *form, const uint32_t *columns,
                       size_t n_columns, struct recipient *out)
{
    struct wire row = wire_of(wire_bytes(w, wire_u16(w)), w->in);

    if (!w->failed && row.rest.len == 0) {
        out->removed = true;
        return true;
    }
    w->failed |= !recipient_row_read(&row, form, columns, n_columns, out) || row.rest.len != 0;
    return !w->failed;
}

static void put_sized(struct buf *out, const struct value_form *form, const uint32_t *columns,
                      const struct recipient *r)
{
    size_t at = out->len;

    wire_put_u16(out, 0);
    if (!r->removed)
        recipient_row_put(out, form, columns, r);
    if (out->failed || out->len - at - 2 > UINT16_MAX)
        out->failed = true;
    else
        wire_patch_u16(out, at, (uint16_t)(out->len - at - 2));
}

bool recipient_modify_read(struct wire *w, const struct value_form *form, const uint32_t *columns,
                           size_t n_columns, struct recipient *out)
{
    *out = (struct recipient){.row_id = wire_u32(w)};
    out->kind = wire_u8(w);
    return read_sized(w, form, columns, n_columns, out);
}

void recipient_modify_put(struct buf *out, const struct value_form *form, const uint32_t *columns,
                          const struct recipient *r)
{
    wire_put_u32(out, r->row_id);
    wire_put_u8(out, r->kind);
    put_sized(out, form, columns, r);
}

bool recipient_open_read(struct wire *w, const struct value_form *form, const uint32_t *columns,
                         size_t n_columns, bool with_row_id, struct recipient *out)
{
    *out = (struct recipient){.row_id = with_row_id ? wire_u32(w) : 0};
    out->kind = wire_u8(w);
    out->codepage = wire_u16(w);
    (void)wire_u16(w); /* Reserved */
    return read_sized(w, form, columns, n_columns, out);
}

void recipient_open_put(struct buf *out, const struct value_form *form, const uint32_t *columns,
                        bool with_row_id, const struct recipient *r)
{
    if (with_row_id)
        wire_put_u32(out, r->row_id);
    wire_put_u8(out, r->kind);
    wire_put_u16(out, r->codepage);
    wire_put_u16(out, 0);
    put_sized(out, form, columns, r);
}
