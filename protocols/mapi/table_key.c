/* table_key.c - sort keys: bytes whose order is that of the leaves. */
#include "protocols/mapi/table_int.h"
#include "protocols/mapi/text.h"

enum { ABSENT = 0, PRESENT = 1, TEXT_KEY_MAX = 255 };

static void put_number(struct buf *out, uint64_t n)
{
    uint8_t bytes[8];

    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(n >> (56 - 8 * i));
    buf_put(out, slice_of(bytes, sizeof bytes));
}

/* Doubles in the order of their numbers: negative ones the other way round. */
static uint64_t real_bits(double real)
{
    uint64_t bits;

    memcpy(&bits, &real, sizeof bits);
    return bits >> 63 ? ~bits : bits | 1ull << 63;
}

/* A 0 is 0 1, and 0 0 the end: a value that begins another is before it. */
static void put_bytes(struct buf *out, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        buf_putc(out, bytes.ptr[i]);
        if (bytes.ptr[i] == 0)
            buf_putc(out, 1);
    }
    buf_put(out, S("\0\0"));
}

static void put_one(struct buf *out, uint16_t type, const struct prop_value *value)
{
    switch (type) {
    case PROP_TIME:
        put_number(out, value->time);
        break;
    case PROP_FLOAT32:
    case PROP_FLOAT64:
    case PROP_APPTIME:
        put_number(out, real_bits(value->real));
        break;
    case PROP_STRING:
    case PROP_STRING8:
        text_put_key(out, slice_head(value->bytes, TEXT_KEY_MAX));
        break;
    case PROP_BINARY:
    case PROP_GUID:
    case PROP_SERVER_ID:
        put_bytes(out, slice_head(value->bytes, TEXT_KEY_MAX));
        break;
    default:
        put_number(out, (uint64_t)value->number ^ 1ull << 63);
    }
}

static void put_value(struct buf *out, const struct prop *p)
{
    uint16_t type = prop_type(p->tag), base = type & (uint16_t)~PROP_MULTIPLE;

    buf_putc(out, PRESENT);
    if (!(type & PROP_MULTIPLE)) {
        put_one(out, type, &p->value);
        return;
    }
    for (size_t i = 0; i < p->value.many.n && i < TEXT_KEY_MAX; i++) {
        buf_putc(out, PRESENT);
        put_one(out, base, &p->value.many.items[i]);
    }
    buf_putc(out, ABSENT);
}

/* What is not there comes first ([MS-OXCTABL] leaves it open), as it does in restrictions. */
static void put_order(struct table_row *row, const struct sort_order *order, struct buf *out)
{
    size_t from = out->len;
    struct prop p;

    if (table_row_get(row, order->tag, &p))
        put_value(out, &p);
    else
        buf_putc(out, ABSENT);
    if (order->order != SORT_DESCENDING)
        return;
    for (size_t i = from; i < out->len; i++)
        out->data[out->head + i] ^= 0xFF;
}

void table_key_put(struct table_row *row, struct buf *out, size_t *ends)
{
    const struct mapi_table *t = row->table;
    size_t from = out->len;

    for (size_t i = 0; i < t->n_orders; i++) {
        if (t->orders[i].order != SORT_MAXIMUM_CATEGORY)
            put_order(row, &t->orders[i], out);
        if (ends && i < t->n_categories)
            ends[i] = out->len - from;
    }
}

void table_key_put_extreme(struct table_row *row, struct buf *out)
{
    const struct mapi_table *t = row->table;

    if (t->by_extremes)
        put_order(row, &t->orders[t->n_categories], out);
}

/*
 * FNV-1a. The id of a category is the same in every table of these categories, so that what is
 * collapsed can be told from one to another. No MID is like it: the low 16 bits are no replica's,
 * and the highest is set, which no leaf's name has.
 */
static uint64_t hash(uint64_t h, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        h = (h ^ bytes.ptr[i]) * 0x100000001B3ull;
    return h;
}

uint32_t table_key_category(struct mapi_table *t, struct slice key, const size_t *ends)
{
    uint32_t category = NO_CATEGORY;
    uint64_t h = 0xCBF29CE484222325ull;
    size_t from = 0;

    for (size_t i = 0; i < t->n_categories; i++) {
        h = hash(hash(h, slice_sub(key, from, ends[i] - from)), S("/"));
        uint64_t id = ((h ^ h << 16) & ~0xFFFFull) | 1ull << 63;

        category = category_get(t, id, category);
        from = ends[i];
    }
    return category;
}
