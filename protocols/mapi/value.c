/* value.c - typed values and rows of them. */
#include "protocols/mapi/value.h"

#include <limits.h>

#include "base/utf.h"
#include "store/mapi/codepage.h"
#include "store/mime/mime.h"

enum { ROW_STANDARD = 0, ROW_FLAGGED = 1, FLAG_VALUE = 0, FLAG_ABSENT = 1, FLAG_ERROR = 0x0A };
enum { MARK_THERE = 0xFF }; /* TRUE of [MS-OXCMAPIHTTP] 2.2.1.1 */

/* ---- the widths of what has one ([MS-OXCDATA] 2.11.1) ---- */

static size_t width_of(uint16_t type)
{
    switch (type) {
    case PROP_INT16:
        return 2;
    case PROP_INT32:
    case PROP_FLOAT32:
    case PROP_ERROR:
        return 4;
    case PROP_BOOLEAN:
        return 1;
    case PROP_INT64:
    case PROP_FLOAT64:
    case PROP_APPTIME:
    case PROP_CURRENCY:
    case PROP_TIME:
        return 8;
    case PROP_GUID:
        return 16;
    default:
        return 0;
    }
}

/* ---- reading ---- */

static struct slice read_string8(struct wire *w, int codepage)
{
    struct slice bytes = wire_asz(w), charset;
    struct buf text = buf_make(4 * bytes.len);

    if (failed(codepage_charset(codepage, &charset)) || failed(mime_to_utf8(charset, bytes, &text)))
        w->failed = true;
    struct slice out = arena_slice(w->in, buf_slice(&text));
    buf_done(&text);
    return out;
}

static struct slice read_counted(struct wire *w, const struct value_form *form)
{
    size_t n = form->wide_counts ? wire_u32(w) : wire_u16(w);

    return wire_bytes(w, n);
}

static double read_real(struct wire *w, uint16_t type)
{
    uint64_t bits64;
    uint32_t bits32;
    double wide;
    float narrow;

    if (type == PROP_FLOAT32) {
        bits32 = wire_u32(w);
        memcpy(&narrow, &bits32, sizeof narrow);
        return (double)narrow;
    }
    bits64 = wire_u64(w);
    memcpy(&wide, &bits64, sizeof wide);
    return wide;
}

/* Is a value of this type behind a byte that says that it is there? */
static bool is_marked(const struct value_form *form, uint16_t type)
{
    return form->marked && !width_of(type) && type != PROP_NULL;
}

static struct prop_value read_one(struct wire *w, const struct value_form *form, uint16_t type)
{
    struct prop_value v = {0};

    if (is_marked(form, type) && !wire_u8(w))
        return v;
    switch (type) {
    case PROP_NULL:
        break;
    case PROP_INT16:
        v.number = (int16_t)wire_u16(w);
        break;
    case PROP_INT32:
        v.number = (int32_t)wire_u32(w);
        break;
    case PROP_ERROR:
        v.number = wire_u32(w);
        break;
    case PROP_BOOLEAN:
        v.number = wire_u8(w) != 0;
        break;
    case PROP_INT64:
    case PROP_CURRENCY:
        v.number = (int64_t)wire_u64(w);
        break;
    case PROP_TIME:
        v.time = wire_u64(w);
        break;
    case PROP_FLOAT32:
    case PROP_FLOAT64:
    case PROP_APPTIME:
        v.real = read_real(w, type);
        break;
    case PROP_STRING:
        v.bytes = wire_usz(w);
        break;
    case PROP_STRING8:
        v.bytes = read_string8(w, form->codepage);
        break;
    case PROP_GUID:
        v.bytes = wire_bytes(w, 16);
        break;
    case PROP_BINARY:
    case PROP_SERVER_ID:
    case PROP_OBJECT:
        v.bytes = read_counted(w, form);
        break;
    default:
        w->failed = true;
    }
    return v;
}

/* The least that a value takes: of text its NUL, of a binary value its count. */
static size_t least_of(const struct value_form *form, uint16_t type)
{
    size_t width = width_of(type);

    if (width)
        return width;
    if (is_marked(form, type))
        return 1;
    return type == PROP_STRING8 ? 1 : type == PROP_STRING || !form->wide_counts ? 2 : 4;
}

static bool may_be_multiple(uint16_t type)
{
    return type != PROP_NULL && type != PROP_OBJECT && type != PROP_SERVER_ID &&
           type != PROP_UNSPECIFIED && type != PROP_ERROR && type != PROP_BOOLEAN;
}

struct prop_value value_read(struct wire *w, const struct value_form *form, uint16_t type)
{
    uint16_t base = type & (uint16_t)~PROP_MULTIPLE;
    struct prop_value v = {0};

    if (!(type & PROP_MULTIPLE))
        return read_one(w, form, type);
    if (form->marked && !wire_u8(w))
        return v;
    size_t n = may_be_multiple(base) ? wire_u32(w) : SIZE_MAX;
    n = wire_count(w, n, least_of(form, base));
    struct prop_value *items = arena_array(w->in, n, sizeof *items);
    for (size_t i = 0; i < n && !w->failed; i++)
        items[i] = read_one(w, form, base);
    v.many.items = items;
    v.many.n = w->failed ? 0 : n;
    return v;
}

struct prop value_read_tagged(struct wire *w, const struct value_form *form)
{
    struct prop p = {.tag = wire_u32(w)};

    p.value = value_read(w, form, prop_type(p.tag));
    return p;
}

/* ---- writing ---- */

static void put_string8(struct buf *out, int codepage, struct slice text)
{
    struct slice charset;

    text = slice_head(text, slice_index(text, 0));
    if (failed(codepage_charset(codepage, &charset)) || failed(mime_from_utf8(charset, text, out)))
        out->failed = true;
    wire_put_u8(out, 0);
}

static void put_counted(struct buf *out, const struct value_form *form, struct slice bytes)
{
    if (bytes.len > (form->wide_counts ? UINT32_MAX : UINT16_MAX)) {
        out->failed = true;
        return;
    }
    if (form->wide_counts)
        wire_put_u32(out, (uint32_t)bytes.len);
    else
        wire_put_u16(out, (uint16_t)bytes.len);
    buf_put(out, bytes);
}

static void put_real(struct buf *out, uint16_t type, double real)
{
    float narrow = (float)real;
    uint32_t bits32;
    uint64_t bits64;

    memcpy(&bits32, &narrow, sizeof bits32);
    memcpy(&bits64, &real, sizeof bits64);
    if (type == PROP_FLOAT32)
        wire_put_u32(out, bits32);
    else
        wire_put_u64(out, bits64);
}

static void put_one(struct buf *out, const struct value_form *form, uint16_t type,
                    const struct prop_value *v)
{
    if (is_marked(form, type))
        wire_put_u8(out, MARK_THERE);
    switch (type) {
    case PROP_NULL:
        break;
    case PROP_INT16:
        wire_put_u16(out, (uint16_t)v->number);
        break;
    case PROP_INT32:
    case PROP_ERROR:
        wire_put_u32(out, (uint32_t)v->number);
        break;
    case PROP_BOOLEAN:
        wire_put_u8(out, v->number != 0);
        break;
    case PROP_INT64:
    case PROP_CURRENCY:
        wire_put_u64(out, (uint64_t)v->number);
        break;
    case PROP_TIME:
        wire_put_u64(out, v->time);
        break;
    case PROP_FLOAT32:
    case PROP_FLOAT64:
    case PROP_APPTIME:
        put_real(out, type, v->real);
        break;
    case PROP_STRING:
        wire_put_usz(out, v->bytes);
        break;
    case PROP_STRING8:
        put_string8(out, form->codepage, v->bytes);
        break;
    case PROP_GUID:
        out->failed |= v->bytes.len != 16;
        buf_put(out, v->bytes);
        break;
    case PROP_BINARY:
    case PROP_SERVER_ID:
    case PROP_OBJECT:
        put_counted(out, form, v->bytes);
        break;
    default:
        out->failed = true;
    }
}

void value_put(struct buf *out, const struct value_form *form, uint16_t type,
               const struct prop_value *value)
{
    uint16_t base = type & (uint16_t)~PROP_MULTIPLE;

    if (!(type & PROP_MULTIPLE)) {
        put_one(out, form, type, value);
        return;
    }
    if (!may_be_multiple(base))
        out->failed = true;
    if (form->marked)
        wire_put_u8(out, MARK_THERE);
    wire_put_u32(out, (uint32_t)value->many.n);
    for (size_t i = 0; i < value->many.n; i++)
        put_one(out, form, base, &value->many.items[i]);
}

void value_put_tagged(struct buf *out, const struct value_form *form, const struct prop *prop)
{
    wire_put_u32(out, prop->tag);
    value_put(out, form, prop_type(prop->tag), &prop->value);
}

/* ---- rows ---- */

static bool has_value(const struct prop *p)
{
    return prop_type(p->tag) != PROP_ERROR;
}

static bool all_have_values(const uint32_t *columns, size_t n, const struct prop *values)
{
    for (size_t i = 0; i < n; i++)
        if (!has_value(&values[i]) && prop_type(columns[i]) != PROP_ERROR)
            return false;
    return true;
}

void row_put(struct buf *out, const struct value_form *form, const uint32_t *columns, size_t n,
             const struct prop *values)
{
    bool flagged = !all_have_values(columns, n, values);

    wire_put_u8(out, flagged ? ROW_FLAGGED : ROW_STANDARD);
    for (size_t i = 0; i < n; i++) {
        uint16_t type = prop_type(values[i].tag);

        if (prop_type(columns[i]) == PROP_UNSPECIFIED)
            wire_put_u16(out, type);
        if (flagged)
            wire_put_u8(out, has_value(&values[i]) ? FLAG_VALUE : FLAG_ERROR);
        value_put(out, form, type, &values[i].value);
    }
}

static struct prop read_column(struct wire *w, const struct value_form *form, uint32_t column,
                               bool flagged)
{
    uint16_t type = prop_type(column) == PROP_UNSPECIFIED ? wire_u16(w) : prop_type(column);
    uint8_t flag = flagged ? wire_u8(w) : FLAG_VALUE;

    /* One that takes no bytes would let a row be as long as its columns say, for nothing. */
    w->failed |= type == PROP_NULL;
    struct prop p = {.tag = PROP_TAG(prop_id(column), type)};

    if (flag == FLAG_VALUE)
        p.value = value_read(w, form, type);
    else if (flag == FLAG_ERROR)
        p = (struct prop){PROP_TAG(prop_id(column), PROP_ERROR), {.number = wire_u32(w)}};
    else if (flag == FLAG_ABSENT)
        p.tag = PROP_TAG(prop_id(column), PROP_ERROR);
    else
        w->failed = true;
    return p;
}

bool row_read(struct wire *w, const struct value_form *form, const uint32_t *columns, size_t n,
              struct prop **values)
{
    uint8_t flag = wire_u8(w);

    n = wire_count(w, n, 1);
    struct prop *row = arena_array(w->in, n, sizeof *row);
    if (flag != ROW_STANDARD && flag != ROW_FLAGGED)
        w->failed = true;
    for (size_t i = 0; i < n && !w->failed; i++)
        row[i] = read_column(w, form, columns[i], flag == ROW_FLAGGED);
    if (!w->failed)
        *values = row;
    return !w->failed;
}
