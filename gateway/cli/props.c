#include "gateway/cli/props.h"

#include <errno.h>

#include "base/clock.h"

/* ---- names ---- */

static const struct {
    const char *name;
    const uint8_t *guid;
} sets[] = {
    {"PS_PUBLIC_STRINGS", store_ps_public_strings},
    {"PS_INTERNET_HEADERS", store_ps_internet_headers},
    {"PS_MAPI", store_ps_mapi},
    {"PSETID_Common", store_ps_common},
};

/* The order of a GUID's bytes in its text ([MS-DTYP] 2.3.4): three numbers are little-endian. */
static const uint8_t guid_order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};

static void put_set(const uint8_t guid[16], struct buf *out)
{
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if (memcmp(sets[i].guid, guid, 16) == 0) {
            buf_puts(out, sets[i].name);
            return;
        }
    buf_putc(out, '{');
    for (size_t i = 0; i < 16; i++)
        buf_printf(out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
                   guid[guid_order[i]]);
    buf_putc(out, '}');
}

const char *props_label(struct store_read *rd, uint32_t tag, struct arena *in)
{
    struct buf out = buf_make(4096);
    struct store_prop_name name;

    if (prop_name(tag)) {
        buf_puts(&out, prop_name(tag));
    } else if (prop_id(tag) >= 0x8000 && !failed(store_named_name(rd, prop_id(tag), in, &name))) {
        put_set(name.guid, &out);
        if (name.by_string)
            buf_printf(&out, "/%.*s", SLICE_ARG(name.name));
        else
            buf_printf(&out, "/0x%04X", name.lid);
    } else {
        buf_printf(&out, "0x%08X", tag);
    }
    char *label = arena_str(in, buf_slice(&out));
    buf_done(&out);
    return label;
}

/* ---- reading numbers ---- */

static bool parse_hex(struct slice text, uint64_t *out)
{
    uint64_t n = 0;

    if (!slice_istarts(text, S("0x")) || text.len < 3 || text.len > 18)
        return false;
    for (size_t i = 2; i < text.len; i++) {
        int digit = ascii_hex(text.ptr[i]);

        if (digit < 0)
            return false;
        n = n << 4 | (unsigned)digit;
    }
    *out = n;
    return true;
}

static bool parse_number(struct slice text, int64_t *out)
{
    bool minus = slice_starts(text, S("-"));
    uint64_t n;

    if (!slice_to_u64(slice_from(text, minus), &n) && !parse_hex(slice_from(text, minus), &n))
        return false;
    *out = minus ? (int64_t)-n : (int64_t)n;
    return true;
}

/* ---- tags ---- */

static bool parse_guid(struct slice text, uint8_t guid[16])
{
    size_t n = 0;

    if (text.len != 38 || text.ptr[0] != '{' || text.ptr[37] != '}')
        return false;
    for (size_t i = 1; i < 37;) {
        if (i == 9 || i == 14 || i == 19 || i == 24) {
            if (text.ptr[i++] != '-')
                return false;
            continue;
        }
        int high = ascii_hex(text.ptr[i]), low = ascii_hex(text.ptr[i + 1]);

        if (high < 0 || low < 0)
            return false;
        guid[guid_order[n++]] = (uint8_t)(high << 4 | low);
        i += 2;
    }
    return true;
}

static bool parse_set(struct slice text, uint8_t guid[16])
{
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if (slice_ieq(text, slice_str(sets[i].name))) {
            memcpy(guid, sets[i].guid, 16);
            return true;
        }
    return parse_guid(text, guid);
}

/* "MultipleString", "PtypInteger32", ... */
static bool parse_type(struct slice text, uint16_t *out)
{
    bool many;

    if (slice_istarts(text, S("Ptyp")))
        text = slice_from(text, 4);
    many = slice_istarts(text, S("Multiple"));
    if (many)
        text = slice_from(text, 8);
    for (unsigned type = 1; type < PROP_MULTIPLE; type++) {
        uint16_t whole = (uint16_t)(type | (many ? PROP_MULTIPLE : 0));

        if (prop_type_is_stored(whole) &&
            slice_ieq(text, slice_from(slice_str(prop_type_name((uint16_t)type)), 4))) {
            *out = whole;
            return true;
        }
    }
    return false;
}

static bool parse_named(struct slice text, struct props_tag *out)
{
    struct slice set = slice_cut(&text, '/');
    size_t colon = text.len;
    uint16_t type = PROP_UNSPECIFIED;
    uint64_t lid;

    while (colon > 0 && text.ptr[colon - 1] != ':')
        colon--;
    if (colon > 0 && !parse_type(slice_from(text, colon), &type))
        return false;
    if (colon > 0)
        text = slice_head(text, colon - 1);
    *out = (struct props_tag){.tag = type, .named = true};
    if (text.len == 0 || !parse_set(set, out->name.guid))
        return false;
    if (parse_hex(text, &lid) && lid <= UINT32_MAX) {
        out->name.lid = (uint32_t)lid;
    } else {
        out->name.by_string = true;
        out->name.name = text;
    }
    return true;
}

bool props_parse_tag(struct slice text, struct props_tag *out)
{
    uint64_t tag;

    if (slice_index(text, '/') < text.len)
        return parse_named(text, out);
    *out = (struct props_tag){.named = false};
    if (parse_hex(text, &tag) && text.len == 10) {
        out->tag = (uint32_t)tag;
        return true;
    }
    if (!slice_istarts(text, S("PidTag"))) {
        char name[80];

        snprintf(name, sizeof name, "PidTag%.*s", SLICE_ARG(text));
        return prop_tag_of_name(slice_str(name), &out->tag);
    }
    return prop_tag_of_name(text, &out->tag);
}

/* ---- values ---- */

static bool parse_real(struct slice text, double *out)
{
    char copy[64], *end;

    if (text.len == 0 || text.len >= sizeof copy)
        return false;
    snprintf(copy, sizeof copy, "%.*s", SLICE_ARG(text));
    errno = 0;
    *out = strtod(copy, &end);
    return *end == '\0' && errno == 0;
}

static bool parse_bytes(struct slice text, struct arena *in, struct slice *out)
{
    uint8_t *bytes = arena_alloc(in, text.len / 2 + 1);

    for (size_t i = 0; i + 1 < text.len; i += 2) {
        int high = ascii_hex(text.ptr[i]), low = ascii_hex(text.ptr[i + 1]);

        if (high < 0 || low < 0)
            return false;
        bytes[i / 2] = (uint8_t)(high << 4 | low);
    }
    *out = slice_of(bytes, text.len / 2);
    return text.len % 2 == 0;
}

static bool parse_one(uint16_t type, struct slice text, struct arena *in, struct prop_value *out)
{
    switch (type) {
    case PROP_NULL:
        return text.len == 0;
    case PROP_BOOLEAN:
        out->number = slice_ieq(text, S("true"));
        return out->number || slice_ieq(text, S("false"));
    case PROP_FLOAT32:
    case PROP_FLOAT64:
    case PROP_APPTIME:
        return parse_real(text, &out->real);
    case PROP_TIME:
        return clock_parse_rfc3339(text, &out->time);
    case PROP_STRING8:
    case PROP_STRING:
        out->bytes = text;
        return true;
    case PROP_GUID:
    case PROP_SERVER_ID:
    case PROP_RESTRICTION:
    case PROP_RULE_ACTION:
    case PROP_BINARY:
        return parse_bytes(text, in, &out->bytes);
    default:
        return parse_number(text, &out->number);
    }
}

bool props_parse_value(uint16_t type, struct slice text, struct arena *in, struct prop_value *out)
{
    size_t n = 0, most = 1;

    *out = (struct prop_value){.number = 0};
    if (!(type & PROP_MULTIPLE))
        return parse_one(type, text, in, out);
    for (size_t i = 0; i < text.len; i++)
        most += text.ptr[i] == ';';
    struct prop_value *items = arena_array(in, most, sizeof *items);

    while (text.len > 0) {
        struct slice item = slice_cut(&text, ';');

        if (!parse_one(type & (uint16_t)~PROP_MULTIPLE, item, in, &items[n++]))
            return false;
    }
    out->many.items = items;
    out->many.n = n;
    return true;
}
