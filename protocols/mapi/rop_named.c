/* rop_named.c - names of properties and their ids: [MS-OXCPRPT] 3.2.5.9 - 3.2.5.11. */
#include "protocols/mapi/props.h"

enum {
    NAMED_FIRST_ID = 0x8000,
    FLAG_CREATE = 0x02,     /* RopGetPropertyIdsFromNames (2.2.12.1) */
    QUERY_NO_STRINGS = 0x1, /* RopQueryNamedProperties (2.2.9.1) */
    QUERY_NO_IDS = 0x2,
};

/*
 * It takes the id 0x8000: ids that clients get are above ([MS-OXCPRPT] 3.2.5.10). No client is told
 * of it. A mailbox that gave 0x8000 to another name has it still.
 */
static const struct store_prop_name placeholder = {
    .guid = {0x1D, 0x6B, 0x0E, 0x5A, 0x93, 0x27, 0x4C, 0x42, 0xA8, 0x14, 0x6F, 0xC0, 0x3B, 0x79,
             0xD2, 0x55},
};

static bool is_placeholder(const struct store_prop_name *name)
{
    return memcmp(name->guid, placeholder.guid, sizeof name->guid) == 0;
}

static struct store_prop_name stored_name(const struct property_name *name)
{
    struct store_prop_name out = {
        .by_string = name->kind == NAME_BY_STRING, .lid = name->id, .name = name->name};

    memcpy(out.guid, name->guid, sizeof out.guid);
    return out;
}

static struct property_name wire_name(const struct store_prop_name *name)
{
    struct property_name out = {
        .kind = name->by_string ? NAME_BY_STRING : NAME_BY_ID, .id = name->lid, .name = name->name};

    memcpy(out.guid, name->guid, sizeof out.guid);
    return out;
}

static bool all_fit(const struct rop_call *call, size_t n)
{
    return n <= UINT16_MAX && 2 + 2 * n <= call->room;
}

/* ---- RopGetPropertyIdsFromNames (3.2.5.10) ---- */

/* Some names have no id: that is told by a warning (2.2.12.2). */
static uint32_t code_of(const uint16_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] == 0)
            return EC_WARN_ERRORS;
    return EC_SUCCESS;
}

/* Of a log-on, without names: all that there are. */
static uint32_t all_ids(struct rop_call *call, struct store_read *rd)
{
    struct rop_get_ids_reply *reply = call->reply;
    struct store_prop_name *names;
    size_t n;
    uint32_t ec = mapi_ec_of(store_named_all(rd, call->arena, &names, &n));

    if (ec)
        return ec;
    if (!all_fit(call, n))
        return rop_no_room(call);
    uint16_t *ids = arena_array(call->arena, n, sizeof *ids);
    size_t told = 0;
    for (size_t i = 0; i < n; i++)
        if (!is_placeholder(&names[i]))
            ids[told++] = (uint16_t)(NAMED_FIRST_ID + i);
    reply->ids = (struct rop_property_ids){told, ids};
    return EC_SUCCESS;
}

static bool is_ps_mapi(const struct property_name *name)
{
    return memcmp(name->guid, store_ps_mapi, sizeof name->guid) == 0;
}

/* 0: it has none. Those of PS_MAPI are ids themselves (3.2.5.10). */
static uint16_t find_id(struct store_read *rd, const struct property_name *name)
{
    struct store_prop_name stored = stored_name(name);
    uint16_t id;

    if (name->kind == NAME_NONE)
        return 0;
    if (is_ps_mapi(name))
        return name->kind == NAME_BY_ID && name->id < NAMED_FIRST_ID ? (uint16_t)name->id : 0;
    return failed(store_named_id(rd, &stored, &id)) ? 0 : id;
}

/* The ids to be made: what find_id() gave 0, and can have one. */
struct making {
    struct store_name_props rq;
    struct store_prop_name *names; /* the placeholder first */
    uint16_t *made;
    size_t *places;
};

static uint32_t on_named(struct rop_call *call, struct store_op *op)
{
    struct rop_get_ids_reply *reply = call->reply;
    struct making *m = call->state;
    uint16_t *ids = (uint16_t *)reply->ids.items;

    if (failed(op->err) || m->rq.full)
        return m->rq.full ? EC_NOT_ENOUGH_MEMORY : mapi_ec_of(op->err); /* 3.2.5.10 */
    for (size_t i = 1; i < m->rq.n; i++)
        ids[m->places[i]] = m->made[i];
    return code_of(ids, reply->ids.n);
}

static uint32_t make_ids(struct rop_call *call, const struct rop_names *names, const uint16_t *ids)
{
    struct making *m = arena_alloc(call->arena, sizeof *m);
    size_t n = 1;

    m->names = arena_array(call->arena, names->n + 1, sizeof *m->names);
    m->made = arena_array(call->arena, names->n + 1, sizeof *m->made);
    m->places = arena_array(call->arena, names->n + 1, sizeof *m->places);
    m->names[0] = placeholder;
    for (size_t i = 0; i < names->n; i++) {
        const struct property_name *name = &names->items[i];

        if (ids[i] || name->kind == NAME_NONE || is_ps_mapi(name))
            continue;
        m->names[n] = stored_name(name);
        m->places[n++] = i;
    }
    if (n == 1)
        return code_of(ids, names->n);
    store_name_props_init(&m->rq);
    m->rq.names = m->names;
    m->rq.n = n;
    m->rq.ids = m->made;
    call->state = m;
    return rop_submit(call, call->logon->mailbox, &m->rq.op, on_named);
}

/* Only who owns the mailbox adds to its names (2.2.12.2). */
static bool may_make(const struct rop_call *call, uint8_t flags)
{
    return (flags & FLAG_CREATE) && call->logon->owner;
}

uint32_t mapi_ids_of_names(struct rop_call *call)
{
    const struct rop_get_ids *rq = call->fields;
    struct rop_get_ids_reply *reply = call->reply;
    struct store_read *rd;
    uint32_t ec = EC_SUCCESS;

    if (!all_fit(call, rq->names.n))
        return rop_no_room(call);
    uint16_t *ids = arena_array(call->arena, rq->names.n, sizeof *ids);
    ec = rop_read(call, &rd);
    if (ec)
        return ec;
    for (size_t i = 0; i < rq->names.n; i++)
        ids[i] = find_id(rd, &rq->names.items[i]);
    bool all = rq->names.n == 0 && call->object->kind == MAPI_LOGON;
    if (all)
        ec = all_ids(call, rd);
    store_read_end(rd);
    if (all)
        return ec;
    reply->ids = (struct rop_property_ids){rq->names.n, ids};
    return may_make(call, rq->flags) ? make_ids(call, &rq->names, ids) : code_of(ids, rq->names.n);
}

/* ---- RopGetNamesFromPropertyIds (3.2.5.9) ---- */

static struct property_name name_of(struct rop_call *call, struct store_read *rd, uint16_t id)
{
    struct property_name none = {.kind = NAME_NONE}, own = {.kind = NAME_BY_ID, .id = id};
    struct store_prop_name name;

    if (id < NAMED_FIRST_ID) {
        memcpy(own.guid, store_ps_mapi, sizeof own.guid);
        return own;
    }
    return failed(store_named_name(rd, id, call->arena, &name)) ? none : wire_name(&name);
}

static size_t names_size(const struct property_name *names, size_t n)
{
    struct buf out = buf_make(UINT16_MAX);

    for (size_t i = 0; i < n; i++)
        property_name_put(&out, &names[i]);
    size_t size = out.failed ? SIZE_MAX : out.len;
    buf_done(&out);
    return size;
}

uint32_t mapi_names_of_ids(struct rop_call *call)
{
    const struct rop_get_names *rq = call->fields;
    struct rop_get_names_reply *reply = call->reply;
    struct property_name *names = arena_array(call->arena, rq->ids.n, sizeof *names);
    struct store_read *rd;
    uint32_t ec = rop_read(call, &rd);

    if (ec)
        return ec;
    for (size_t i = 0; i < rq->ids.n; i++)
        names[i] = name_of(call, rd, rq->ids.items[i]);
    store_read_end(rd);
    if (names_size(names, rq->ids.n) > call->room - 2)
        return rop_no_room(call);
    reply->names = (struct rop_names){rq->ids.n, names};
    return EC_SUCCESS;
}

/* ---- RopQueryNamedProperties (3.2.5.11) ---- */

static bool is_wanted(const struct rop_query_names *rq, const struct property_name *name)
{
    if (rq->has_guid && memcmp(name->guid, rq->guid.bytes, sizeof name->guid) != 0)
        return false;
    if (name->kind == NAME_BY_STRING)
        return !(rq->flags & QUERY_NO_STRINGS);
    return name->kind == NAME_BY_ID && !(rq->flags & QUERY_NO_IDS);
}

/* Of a log-on all that are registered, of another object those that it has (2.2.9). */
static uint32_t candidates(struct props *p, uint16_t **out, size_t *n)
{
    struct arena *in = p->call->arena;
    bool of_logon = p->object->kind == MAPI_LOGON;
    struct store_prop_name *names = NULL;
    struct store_prop *list = NULL;
    size_t all;
    uint32_t ec = of_logon ? mapi_ec_of(store_named_all(p->rd, in, &names, &all))
                           : props_list(p, &list, &all);

    if (ec)
        return ec;
    uint16_t *ids = arena_array(in, all, sizeof *ids);
    *n = 0;
    for (size_t i = 0; i < all; i++) {
        uint16_t id = of_logon ? (uint16_t)(NAMED_FIRST_ID + i) : prop_id(list[i].tag);
        bool told = !of_logon || !is_placeholder(&names[i]);

        if (told && id >= NAMED_FIRST_ID)
            ids[(*n)++] = id;
    }
    *out = ids;
    return EC_SUCCESS;
}

static uint32_t query(struct props *p, const struct rop_query_names *rq, struct rop_named *out)
{
    uint16_t *ids;
    size_t n, wanted = 0;
    uint32_t ec = candidates(p, &ids, &n);

    if (ec)
        return ec;
    struct property_name *names = arena_array(p->call->arena, n, sizeof *names);
    for (size_t i = 0; i < n; i++) {
        names[wanted] = name_of(p->call, p->rd, ids[i]);
        ids[wanted] = ids[i];
        wanted += is_wanted(rq, &names[wanted]);
    }
    if (2 + 2 * wanted > p->call->room ||
        names_size(names, wanted) > p->call->room - 2 - 2 * wanted)
        return rop_no_room(p->call);
    *out = (struct rop_named){wanted, ids, names};
    return EC_SUCCESS;
}

uint32_t mapi_query_named(struct rop_call *call)
{
    struct rop_query_names_reply *reply = call->reply;
    struct props p;
    uint32_t ec = props_begin(call, call->object, &p);

    if (ec)
        return ec;
    ec = query(&p, call->fields, &reply->named);
    props_end(&p);
    return ec;
}
