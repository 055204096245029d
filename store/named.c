/*
 * named.c - the names of properties with ids from 0x8000 on ([MS-OXCPRPT] 2.2.12).
 *
 * Value of KEY_NAMED: checksum u32, kind u8 (0: LID, 1: string), GUID, and the LID (u32) or the
 * name. The key of KEY_NAMED_ID has the same in the same order, the LID big-endian.
 */
#include "base/crc32c.h"
#include "base/utf.h"
#include "store/bag.h"

#define PS_GUID(first)                                                                             \
    {                                                                                              \
        (first), 0x03, 0x02, 0x00, 0, 0, 0, 0, 0xC0, 0, 0, 0, 0, 0, 0, 0x46                        \
    }

/* [MS-OXPROPS] 1.3.2 */
const uint8_t store_ps_mapi[16] = PS_GUID(0x28);
const uint8_t store_ps_public_strings[16] = PS_GUID(0x29);
const uint8_t store_ps_internet_headers[16] = PS_GUID(0x86);
const uint8_t store_ps_common[16] = {0x08, 0x20, 0x06, 0x00, 0, 0, 0, 0,
                                     0xC0, 0,    0,    0,    0, 0, 0, 0x46};

enum { HEAD = 4 + 1 + 16 };

/* ---- one form for all that is one name ---- */

static bool is_set(const struct store_prop_name *name, const uint8_t set[16])
{
    return memcmp(name->guid, set, 16) == 0;
}

static size_t utf16_units(struct slice text)
{
    size_t n = 0;

    while (text.len > 0)
        n += utf8_take(&text) > 0xFFFF ? 2 : 1;
    return n;
}

static struct err check(const struct store_prop_name *name)
{
    if (is_set(name, store_ps_mapi))
        return ERR(ERR_INVALID, "only numbers are names in PS_MAPI");
    if (name->by_string && (name->name.len == 0 || !slice_is_utf8(name->name) ||
                            slice_index(name->name, 0) < name->name.len ||
                            utf16_units(name->name) > PROP_NAME_MAX_UNITS))
        return ERR(ERR_INVALID, "not a name of a property");
    return OK;
}

static struct store_prop_name canonical(const struct store_prop_name *name, struct arena *in)
{
    struct store_prop_name out = *name;

    if (name->by_string && is_set(name, store_ps_internet_headers)) {
        char *lower = arena_str(in, name->name);

        for (size_t i = 0; i < name->name.len; i++)
            lower[i] = (char)ascii_lower((uint8_t)lower[i]);
        out.name = slice_of(lower, name->name.len);
    }
    return out;
}

static struct key id_key(const struct store_prop_name *name)
{
    uint8_t lid[4];

    put_be32(lid, name->lid);
    return key_named_id(name->guid, name->by_string,
                        name->by_string ? name->name : slice_of(lid, 4));
}

static void name_encode(const struct store_prop_name *name, struct buf *out)
{
    struct buf rest = buf_make(SIZE_MAX);
    uint8_t number[4];

    buf_putc(&rest, name->by_string);
    buf_put(&rest, slice_of(name->guid, 16));
    put_le32(number, name->lid);
    buf_put(&rest, name->by_string ? name->name : slice_of(number, 4));
    put_le32(number, crc32c(0, buf_slice(&rest)));
    buf_put(out, slice_of(number, 4));
    buf_put(out, buf_slice(&rest));
    buf_done(&rest);
}

struct err named_decode(struct slice value, struct store_prop_name *out)
{
    struct store_prop_name name = {.lid = 0};

    if (value.len < HEAD || get_le32(value.ptr) != crc32c(0, slice_from(value, 4)) ||
        value.ptr[4] > 1)
        return ERR(ERR_CORRUPT, "name of a property: checksum");
    name.by_string = value.ptr[4] == 1;
    memcpy(name.guid, value.ptr + 5, 16);
    struct slice rest = slice_from(value, HEAD);

    if (name.by_string ? rest.len == 0 : rest.len != 4)
        return ERR(ERR_CORRUPT, "name of a property: malformed");
    if (name.by_string)
        name.name = rest;
    else
        name.lid = get_le32(rest.ptr);
    *out = name;
    return OK;
}

/* ---- looking up ---- */

bool named_is_known(const struct mailbox_rec *rec, uint16_t id)
{
    return id < NAMED_FIRST || id - NAMED_FIRST < (int)rec->named;
}

static struct err id_decode(struct slice value, uint16_t *id)
{
    if (value.len != 2 || get_le16(value.ptr) < NAMED_FIRST)
        return ERR(ERR_CORRUPT, "id of a named property");
    *id = get_le16(value.ptr);
    return OK;
}

struct err named_find(struct engine_read *rd, const struct store_prop_name *name, uint16_t *id)
{
    struct arena arena = ARENA_INIT;
    struct slice value;

    if (is_set(name, store_ps_mapi) && !name->by_string && name->lid > 0 &&
        name->lid < NAMED_FIRST) {
        *id = (uint16_t)name->lid;
        return OK;
    }
    struct err e = check(name);

    if (failed(e))
        return e;
    struct store_prop_name its = canonical(name, &arena);
    struct key key = id_key(&its);

    e = engine_get(rd, key_slice(&key), &value);
    if (!failed(e))
        e = id_decode(value, id);
    arena_done(&arena);
    return e.code == ERR_NOT_FOUND ? ERR(ERR_NOT_FOUND, "no property has this name") : e;
}

struct err store_named_id(struct store_read *rd, const struct store_prop_name *name, uint16_t *id)
{
    return named_find(rd->engine, name, id);
}

struct err store_named_name(struct store_read *rd, uint16_t id, struct arena *in,
                            struct store_prop_name *out)
{
    struct key key = key_named(id);
    struct store_prop_name name = {.lid = id};
    struct slice value;

    if (id < NAMED_FIRST) {
        memcpy(name.guid, store_ps_mapi, 16);
        *out = name;
        return OK;
    }
    struct err e = engine_get(rd->engine, key_slice(&key), &value);

    if (!failed(e))
        e = named_decode(value, &name);
    if (failed(e))
        return e.code == ERR_NOT_FOUND ? ERR(ERR_NOT_FOUND, "no name has this id") : e;
    if (name.by_string)
        name.name = arena_slice(in, name.name);
    *out = name;
    return OK;
}

struct err store_named_all(struct store_read *rd, struct arena *in, struct store_prop_name **out,
                           size_t *n)
{
    const struct mailbox_rec *rec;
    struct err e = read_mailbox_rec(rd, &rec);

    if (failed(e))
        return e;
    struct store_prop_name *names = arena_array(in, rec->named, sizeof *names);

    for (uint32_t i = 0; i < rec->named && !failed(e); i++) {
        e = store_named_name(rd, (uint16_t)(NAMED_FIRST + i), in, &names[i]);
        if (e.code == ERR_NOT_FOUND)
            e = ERR(ERR_CORRUPT, "a name of a property is missing");
    }
    if (failed(e))
        return e;
    *out = names;
    *n = rec->named;
    return OK;
}

/* ---- making ids ---- */

static struct err make(struct store_tx *tx, const struct store_prop_name *name, uint16_t *id)
{
    struct arena arena = ARENA_INIT;
    struct buf value = buf_make(SIZE_MAX);
    uint8_t bytes[2];
    struct store_prop_name its = canonical(name, &arena);
    uint16_t new = (uint16_t)(NAMED_FIRST + tx->rec.named);
    struct key by_id = key_named(new), by_name = id_key(&its);

    name_encode(&its, &value);
    put_le16(bytes, new);
    struct err e = tx_put(tx, &by_id, buf_slice(&value));

    if (!failed(e))
        e = tx_put(tx, &by_name, slice_of(bytes, 2));
    if (!failed(e)) {
        tx->rec.named++;
        tx->changed = true;
        *id = new;
    }
    buf_done(&value);
    arena_done(&arena);
    return e;
}

static struct err name_step(struct store_tx *tx, struct store_op *op)
{
    struct store_name_props *rq = container_of(op, struct store_name_props, op);
    struct err e = OK;

    for (size_t i = 0; i < rq->n && !failed(e); i++) {
        rq->ids[i] = 0; /* a name that gets none leaves the others theirs */
        e = named_find(tx->read, &rq->names[i], &rq->ids[i]);
        if (e.code == ERR_INVALID) {
            e = OK;
        } else if (e.code == ERR_NOT_FOUND) {
            rq->full |= tx->rec.named >= NAMED_MAX;
            e = tx->rec.named < NAMED_MAX ? make(tx, &rq->names[i], &rq->ids[i]) : OK;
        }
    }
    return e;
}

void store_name_props_init(struct store_name_props *rq)
{
    *rq = (struct store_name_props){.op = {.step = name_step}};
}
