#include "store/mapi/prop.h"

#include "base/clock.h"

static const struct {
    uint32_t tag;
    const char *name;
} names[] = {
#define PROP_AS_ROW(symbol, tag, name) {tag, "PidTag" name},
    PROP_TAGS(PROP_AS_ROW)
#undef PROP_AS_ROW
};

static const struct {
    uint16_t type;
    const char *name;
} types[] = {
    {PROP_UNSPECIFIED, "PtypUnspecified"},
    {PROP_NULL, "PtypNull"},
    {PROP_INT16, "PtypInteger16"},
    {PROP_INT32, "PtypInteger32"},
    {PROP_FLOAT32, "PtypFloating32"},
    {PROP_FLOAT64, "PtypFloating64"},
    {PROP_CURRENCY, "PtypCurrency"},
    {PROP_APPTIME, "PtypFloatingTime"},
    {PROP_ERROR, "PtypErrorCode"},
    {PROP_BOOLEAN, "PtypBoolean"},
    {PROP_OBJECT, "PtypObject"},
    {PROP_INT64, "PtypInteger64"},
    {PROP_STRING8, "PtypString8"},
    {PROP_STRING, "PtypString"},
    {PROP_TIME, "PtypTime"},
    {PROP_GUID, "PtypGuid"},
    {PROP_SERVER_ID, "PtypServerId"},
    {PROP_BINARY, "PtypBinary"},
};

const char *prop_name(uint32_t tag)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].tag == tag)
            return names[i].name;
    return NULL;
}

const char *prop_type_name(uint16_t type)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].type == (type & ~PROP_MULTIPLE))
            return types[i].name;
    return "PtypUnknown";
}

/* ---- lists ---- */

void prop_add(struct prop_list *list, uint32_t tag, struct prop_value value)
{
    if (list->n == list->cap) {
        size_t more = list->cap ? list->cap : 32;

        list->items = arena_grow(list->in, list->items, list->n, more, sizeof *list->items);
        list->cap += more;
    }
    list->items[list->n++] = (struct prop){tag, value};
}

void prop_add_number(struct prop_list *list, uint32_t tag, int64_t number)
{
    prop_add(list, tag, (struct prop_value){.number = number});
}

void prop_add_time(struct prop_list *list, uint32_t tag, uint64_t time)
{
    prop_add(list, tag, (struct prop_value){.time = time});
}

void prop_add_bytes(struct prop_list *list, uint32_t tag, struct slice bytes)
{
    prop_add(list, tag, (struct prop_value){.bytes = bytes});
}

const struct prop *prop_find(const struct prop_list *list, uint16_t id)
{
    for (size_t i = 0; i < list->n; i++)
        if (prop_id(list->items[i].tag) == id)
            return &list->items[i];
    return NULL;
}

/* ---- bytes ---- */

/* How a single value is stored. */
enum form { FORM_NONE, FORM_FIXED, FORM_REAL, FORM_BYTES };

static enum form form_of(uint16_t type, size_t *width)
{
    *width = 0;
    switch (type) {
    case PROP_INT16:
        *width = 2;
        return FORM_FIXED;
    case PROP_INT32:
    case PROP_ERROR:
        *width = 4;
        return FORM_FIXED;
    case PROP_BOOLEAN:
        *width = 1;
        return FORM_FIXED;
    case PROP_INT64:
    case PROP_CURRENCY:
    case PROP_TIME:
        *width = 8;
        return FORM_FIXED;
    case PROP_FLOAT32:
    case PROP_FLOAT64:
    case PROP_APPTIME:
        *width = 8;
        return FORM_REAL;
    case PROP_STRING8:
    case PROP_STRING:
    case PROP_GUID:
    case PROP_SERVER_ID:
    case PROP_BINARY:
        return FORM_BYTES;
    default:
        return FORM_NONE;
    }
}

static void put_le(struct buf *out, uint64_t n, size_t width)
{
    for (size_t i = 0; i < width; i++)
        buf_putc(out, (uint8_t)(n >> (8 * i)));
}

static uint64_t get_le(const uint8_t *at, size_t width)
{
    uint64_t n = 0;

    for (size_t i = 0; i < width; i++)
        n |= (uint64_t)at[i] << (8 * i);
    return n;
}

static void put_one(enum form form, size_t width, const struct prop_value *v, struct buf *out)
{
    uint64_t bits = (uint64_t)v->number;

    if (form == FORM_BYTES) {
        put_le(out, v->bytes.len, 4);
        buf_put(out, v->bytes);
        return;
    }
    if (form == FORM_REAL)
        memcpy(&bits, &v->real, sizeof bits);
    put_le(out, bits, width);
}

struct err prop_encode(uint16_t type, const struct prop_value *value, struct buf *out)
{
    size_t width;
    enum form form = form_of(type & (uint16_t)~PROP_MULTIPLE, &width);

    if (form == FORM_NONE)
        return ERR(ERR_UNSUPPORTED, "values of this property type are not stored");
    if (!(type & PROP_MULTIPLE)) {
        put_one(form, width, value, out);
    } else {
        put_le(out, value->many.n, 4);
        for (size_t i = 0; i < value->many.n; i++)
            put_one(form, width, &value->many.items[i], out);
    }
    return out->failed ? ERR(ERR_TOO_BIG, "a property value is too big") : OK;
}

/* Numbers are sign-extended, so that an Integer32 of -1 comes back as -1. */
static int64_t signed_of(uint64_t bits, size_t width)
{
    unsigned unused = (unsigned)(64 - 8 * width);

    return width == 1 ? (int64_t)(bits != 0) : (int64_t)(bits << unused) >> unused;
}

static bool take_one(enum form form, size_t width, struct slice *in, struct arena *arena,
                     struct prop_value *out)
{
    if (form == FORM_BYTES) {
        uint64_t len = in->len >= 4 ? get_le(in->ptr, 4) : 0;

        if (in->len < 4 || len > in->len - 4)
            return false;
        out->bytes = arena_slice(arena, slice_sub(*in, 4, (size_t)len));
        *in = slice_from(*in, 4 + (size_t)len);
        return true;
    }
    if (in->len < width)
        return false;
    uint64_t bits = get_le(in->ptr, width);
    if (form == FORM_REAL)
        memcpy(&out->real, &bits, sizeof bits);
    else
        out->number = signed_of(bits, width);
    *in = slice_from(*in, width);
    return true;
}

struct err prop_decode(uint16_t type, struct slice bytes, struct arena *in, struct prop_value *out)
{
    static const char why[] = "a stored property value is damaged";
    size_t width;
    enum form form = form_of(type & (uint16_t)~PROP_MULTIPLE, &width);
    struct prop_value value = {0};

    if (form == FORM_NONE)
        return ERR(ERR_UNSUPPORTED, "values of this property type are not stored");
    if (!(type & PROP_MULTIPLE)) {
        if (!take_one(form, width, &bytes, in, &value))
            return (struct err){ERR_CORRUPT, why};
    } else {
        uint64_t n = bytes.len >= 4 ? get_le(bytes.ptr, 4) : 0;

        /* Each takes a byte at least, so a count cannot ask for more memory than it brought. */
        if (bytes.len < 4 || n > bytes.len - 4)
            return (struct err){ERR_CORRUPT, why};
        bytes = slice_from(bytes, 4);
        struct prop_value *items = arena_array(in, (size_t)n, sizeof *items);
        for (size_t i = 0; i < n; i++)
            if (!take_one(form, width, &bytes, in, &items[i]))
                return (struct err){ERR_CORRUPT, why};
        value.many.items = items;
        value.many.n = (size_t)n;
    }
    if (bytes.len != 0)
        return (struct err){ERR_CORRUPT, why};
    *out = value;
    return OK;
}

/* ---- for people ---- */

/* One line: control characters as \n, \t, \xNN; what passes `width` characters is counted. */
static void print_text(struct slice text, size_t width, struct buf *out)
{
    size_t shown = 0;

    buf_putc(out, '"');
    for (; shown < text.len && shown < width; shown++) {
        uint8_t c = text.ptr[shown];

        if (c == '\n')
            buf_puts(out, "\\n");
        else if (c == '\r')
            buf_puts(out, "\\r");
        else if (c < 0x20 || c == 0x7F)
            buf_printf(out, "\\x%02x", c);
        else
            buf_putc(out, c);
    }
    /* Do not stop inside a UTF-8 sequence. */
    for (; shown < text.len && (text.ptr[shown] & 0xC0) == 0x80; shown++)
        buf_putc(out, text.ptr[shown]);
    buf_putc(out, '"');
    if (shown < text.len)
        buf_printf(out, " … %zu bytes in all", text.len);
}

static void print_binary(struct slice bytes, size_t width, struct buf *out)
{
    size_t shown = 0;

    for (; shown < bytes.len && shown * 2 < width; shown++)
        buf_printf(out, "%02x", bytes.ptr[shown]);
    if (shown < bytes.len)
        buf_printf(out, " … %zu bytes in all", bytes.len);
}

static void print_one(uint16_t type, const struct prop_value *v, size_t width, struct buf *out)
{
    switch (type) {
    case PROP_STRING8:
    case PROP_STRING:
        print_text(v->bytes, width, out);
        break;
    case PROP_GUID:
    case PROP_SERVER_ID:
    case PROP_BINARY:
        print_binary(v->bytes, width, out);
        break;
    case PROP_TIME:
        clock_put_rfc3339(out, v->time);
        break;
    case PROP_BOOLEAN:
        buf_puts(out, v->number ? "true" : "false");
        break;
    case PROP_FLOAT32:
    case PROP_FLOAT64:
    case PROP_APPTIME:
        buf_printf(out, "%g", v->real);
        break;
    case PROP_INT64:
    case PROP_ERROR:
        buf_printf(out, "0x%llx", (unsigned long long)v->number);
        break;
    default:
        buf_printf(out, "%lld", (long long)v->number);
    }
}

void prop_print(uint16_t type, const struct prop_value *value, size_t width, struct buf *out)
{
    if (!(type & PROP_MULTIPLE)) {
        print_one(type, value, width, out);
        return;
    }
    for (size_t i = 0; i < value->many.n; i++) {
        buf_puts(out, i ? ", " : "");
        print_one(type & (uint16_t)~PROP_MULTIPLE, &value->many.items[i], width, out);
    }
}
