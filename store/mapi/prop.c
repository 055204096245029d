#include "store/mapi/prop.h"

#include "base/clock.h"
#include "base/varint.h"

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
    {PROP_RESTRICTION, "PtypRestriction"},
    {PROP_RULE_ACTION, "PtypRuleAction"},
    {PROP_BINARY, "PtypBinary"},
};

const char *prop_name(uint32_t tag)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].tag == tag)
            return names[i].name;
    return NULL;
}

bool prop_tag_of_name(struct slice name, uint32_t *tag)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_ieq(name, slice_str(names[i].name))) {
            *tag = names[i].tag;
            return true;
        }
    return false;
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
enum form { FORM_NONE, FORM_NOTHING, FORM_SIGNED, FORM_UNSIGNED, FORM_REAL, FORM_TEXT, FORM_BYTES };

static const struct storage {
    uint16_t type;
    uint8_t form; /* enum form */
    uint8_t width;
    bool multiple; /* there may be many of it ([MS-OXCDATA] 2.11.1) */
} storages[] = {
    {PROP_NULL, FORM_NOTHING, 0, false},      {PROP_INT16, FORM_SIGNED, 2, true},
    {PROP_INT32, FORM_SIGNED, 4, true},       {PROP_FLOAT32, FORM_REAL, 8, true},
    {PROP_FLOAT64, FORM_REAL, 8, true},       {PROP_CURRENCY, FORM_SIGNED, 8, true},
    {PROP_APPTIME, FORM_REAL, 8, true},       {PROP_ERROR, FORM_UNSIGNED, 4, false},
    {PROP_BOOLEAN, FORM_UNSIGNED, 1, false},  {PROP_INT64, FORM_SIGNED, 8, true},
    {PROP_STRING8, FORM_TEXT, 0, true},       {PROP_STRING, FORM_TEXT, 0, true},
    {PROP_TIME, FORM_UNSIGNED, 8, true},      {PROP_GUID, FORM_BYTES, 16, true},
    {PROP_SERVER_ID, FORM_BYTES, 0, false},   {PROP_RESTRICTION, FORM_BYTES, 0, false},
    {PROP_RULE_ACTION, FORM_BYTES, 0, false}, {PROP_BINARY, FORM_BYTES, 0, true},
};

/* Of a single value of the type, whether there is one of it or many; FORM_NONE: not stored. */
static const struct storage *storage_of(uint16_t type)
{
    static const struct storage none = {.form = FORM_NONE};

    for (size_t i = 0; i < sizeof storages / sizeof *storages; i++)
        if (storages[i].type == (type & ~PROP_MULTIPLE))
            return !(type & PROP_MULTIPLE) || storages[i].multiple ? &storages[i] : &none;
    return &none;
}

bool prop_type_is_stored(uint16_t type)
{
    return storage_of(type)->form != FORM_NONE;
}

static bool fits(const struct storage *how, const struct prop_value *v)
{
    if (how->form == FORM_TEXT)
        return slice_is_utf8(v->bytes) && slice_index(v->bytes, 0) == v->bytes.len;
    return how->form != FORM_BYTES || how->width == 0 || v->bytes.len == how->width;
}

struct err prop_check(uint16_t type, const struct prop_value *value)
{
    const struct storage *how = storage_of(type);
    bool good = true;

    if (how->form == FORM_NONE)
        return ERR(ERR_UNSUPPORTED, "values of this property type are not stored");
    if (!(type & PROP_MULTIPLE))
        good = fits(how, value);
    for (size_t i = 0; (type & PROP_MULTIPLE) && i < value->many.n; i++)
        good &= fits(how, &value->many.items[i]);
    return good ? OK : ERR(ERR_INVALID, "not a value of its property type");
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

static void put_one(const struct storage *how, const struct prop_value *v, struct buf *out)
{
    uint64_t bits = (uint64_t)v->number;

    if (how->form == FORM_BYTES || how->form == FORM_TEXT) {
        if (how->width == 0)
            varint_put(out, v->bytes.len);
        buf_put(out, v->bytes);
        return;
    }
    if (how->form == FORM_REAL)
        memcpy(&bits, &v->real, sizeof bits);
    if (how->type == PROP_BOOLEAN)
        bits = v->number != 0;
    put_le(out, bits, how->width);
}

bool prop_type_has_bytes(uint16_t type)
{
    const struct storage *how = storage_of(type & (uint16_t)~PROP_MULTIPLE);

    return how->form == FORM_BYTES || how->form == FORM_TEXT;
}

struct prop_value prop_copy(uint16_t type, const struct prop_value *value, struct arena *in)
{
    uint16_t one = type & (uint16_t)~PROP_MULTIPLE;
    struct prop_value out = *value;

    if (!(type & PROP_MULTIPLE)) {
        if (prop_type_has_bytes(type))
            out.bytes = arena_slice(in, value->bytes);
        return out;
    }
    struct prop_value *items = arena_array(in, value->many.n, sizeof *items);

    for (size_t i = 0; i < value->many.n; i++)
        items[i] = prop_copy(one, &value->many.items[i], in);
    out.many.items = items;
    return out;
}

struct err prop_encode(uint16_t type, const struct prop_value *value, struct buf *out)
{
    const struct storage *how = storage_of(type);

    if (how->form == FORM_NONE)
        return ERR(ERR_UNSUPPORTED, "values of this property type are not stored");
    if (!(type & PROP_MULTIPLE)) {
        put_one(how, value, out);
    } else {
        varint_put(out, value->many.n);
        for (size_t i = 0; i < value->many.n; i++)
            put_one(how, &value->many.items[i], out);
    }
    return out->failed ? ERR(ERR_TOO_BIG, "a property value is too big") : OK;
}

/* Sign-extended where it is signed, so that an Integer32 of -1 comes back as -1. */
static int64_t number_of(const struct storage *how, uint64_t bits)
{
    unsigned unused = 64 - 8u * how->width;

    if (how->form == FORM_UNSIGNED)
        return (int64_t)bits;
    return (int64_t)(bits << unused) >> unused;
}

static bool take_one(const struct storage *how, struct slice *in, struct arena *arena,
                     struct prop_value *out)
{
    uint64_t len = how->width, bits;
    bool bytes = how->form == FORM_BYTES || how->form == FORM_TEXT;

    if (bytes && how->width == 0 && !varint_take(in, &len))
        return false;
    if (len > in->len)
        return false;
    if (bytes) {
        out->bytes = arena_slice(arena, slice_head(*in, (size_t)len));
    } else if (len > 0) {
        bits = get_le(in->ptr, (size_t)len);
        if (how->form == FORM_REAL)
            memcpy(&out->real, &bits, sizeof bits);
        else
            out->number = number_of(how, bits);
    }
    *in = slice_from(*in, (size_t)len);
    return true;
}

static bool take_many(const struct storage *how, struct slice *in, struct arena *arena,
                      struct prop_value *out)
{
    uint64_t n;

    /* Each takes a byte at least, so a count cannot ask for more memory than it brought. */
    if (!varint_take(in, &n) || n > in->len)
        return false;
    struct prop_value *items = arena_array(arena, (size_t)n, sizeof *items);

    for (size_t i = 0; i < n; i++)
        if (!take_one(how, in, arena, &items[i]))
            return false;
    out->many.items = items;
    out->many.n = (size_t)n;
    return true;
}

struct err prop_take(uint16_t type, struct slice *bytes, struct arena *in, struct prop_value *out)
{
    const struct storage *how = storage_of(type);
    struct prop_value value = {0};

    if (how->form == FORM_NONE)
        return ERR(ERR_UNSUPPORTED, "values of this property type are not stored");
    bool good =
        type & PROP_MULTIPLE ? take_many(how, bytes, in, &value) : take_one(how, bytes, in, &value);
    if (!good)
        return ERR(ERR_CORRUPT, "a stored property value is damaged");
    *out = value;
    return OK;
}

struct err prop_decode(uint16_t type, struct slice bytes, struct arena *in, struct prop_value *out)
{
    struct prop_value value;
    struct err e = prop_take(type, &bytes, in, &value);

    if (!failed(e) && bytes.len != 0)
        e = ERR(ERR_CORRUPT, "a stored property value is damaged");
    if (!failed(e))
        *out = value;
    return e;
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
    case PROP_RESTRICTION:
    case PROP_RULE_ACTION:
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
