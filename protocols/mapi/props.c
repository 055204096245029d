/* props.c - the properties of objects, whatever they are kept in. */
#include "protocols/mapi/props.h"

#include "base/mem.h"
#include "protocols/mapi/bodies.h"
#include "protocols/mapi/logon_props.h"
#include "protocols/mapi/message.h"
#include "protocols/mapi/rights.h"

/* ---- snapshots ---- */

static bool is_message(const struct mapi_object *object)
{
    return object->kind == MAPI_MESSAGE || object->kind == MAPI_ATTACHMENT;
}

static uint64_t stored_id(const struct mapi_object *object)
{
    return object->kind == MAPI_FOLDER ? ((const struct mapi_folder *)object)->fid
                                       : STORE_OBJECT_MAILBOX;
}

/* Of the mailbox that the object is in: in a copy it may be another one than the call's. */
static uint32_t read_of(const struct mapi_object *object, struct store_read **rd)
{
    return mapi_ec_of(store_read_begin(object->logon->mailbox, rd));
}

uint32_t props_begin(struct rop_call *call, struct mapi_object *object, struct props *out)
{
    struct props p = {.call = call, .object = object};

    if (is_message(object))
        (void)streams_flush(call, object); /* what fails is told when it is saved */
    uint32_t ec = read_of(object, &p.rd);
    if (ec)
        return ec;
    if (!is_message(object))
        ec = mapi_ec_of(store_object_open(p.rd, stored_id(object), call->arena, &p.stored));
    if (ec) {
        store_read_end(p.rd);
        return ec;
    }
    *out = p;
    return EC_SUCCESS;
}

void props_end(struct props *props)
{
    store_read_end(props->rd);
}

/* ---- reading ---- */

/* Somebody else than the owner is told what he may do himself. */
static void tell_own_rights(struct props *p, struct store_prop *out)
{
    bool of_folder = p->object->kind == MAPI_FOLDER;

    if (!mapi_tells_rights(out->tag) || p->object->logon->owner)
        return;
    uint64_t fid = of_folder ? stored_id(p->object) : mapi_message_folder(p->object);

    if (fid)
        out->value.number = mapi_rights_told(
            out->tag, mapi_rights(p->object->logon, p->rd, fid, p->call->arena), of_folder);
}

static uint32_t get_any(struct props *p, uint32_t tag, struct store_prop *out)
{
    uint32_t text = prop_as_unicode(tag);

    if (p->object->kind == MAPI_ATTACHMENT)
        return mapi_message_get(p->call, p->rd, p->object, text, out);
    if (p->object->kind == MAPI_MESSAGE) {
        uint32_t ec = mapi_message_get(p->call, p->rd, p->object, text, out);

        return ec == EC_NOT_FOUND ? bodies_make(p, text, out) : ec;
    }
    if (streams_get(p->object, tag, out))
        return EC_SUCCESS;
    uint32_t ec = mapi_ec_of(store_object_get(p->stored, text, out));

    if (ec == EC_NOT_FOUND && p->object->kind == MAPI_LOGON)
        ec = logon_prop_get(p, text, out);
    return ec;
}

uint32_t props_get(struct props *p, uint32_t tag, struct store_prop *out)
{
    uint32_t ec = get_any(p, tag, out);

    if (!ec)
        tell_own_rights(p, out);
    return ec;
}

static uint32_t list_logon(struct props *p, struct store_prop **out, size_t *n)
{
    size_t n_stored = *n, n_all;
    struct store_prop *all =
        arena_grow(p->call->arena, *out, n_stored, LOGON_PROPS_MAX, sizeof *all);

    n_all = n_stored;
    for (size_t i = 0; i < LOGON_PROPS_MAX; i++) {
        uint32_t tag = logon_prop_tag(i);
        bool there = tag == 0;

        for (size_t j = 0; j < n_stored && !there; j++)
            there = prop_id(all[j].tag) == prop_id(tag);
        if (!there && logon_prop_get(p, tag, &all[n_all]) == EC_SUCCESS)
            n_all++;
    }
    *out = all;
    *n = n_all;
    return EC_SUCCESS;
}

static uint32_t list_any(struct props *p, struct store_prop **out, size_t *n)
{
    if (is_message(p->object))
        return mapi_message_list(p->call, p->rd, p->object, out, n);
    uint32_t ec = mapi_ec_of(store_object_list(p->stored, out, n));

    return ec || p->object->kind != MAPI_LOGON ? ec : list_logon(p, out, n);
}

uint32_t props_list(struct props *p, struct store_prop **out, size_t *n)
{
    uint32_t ec = list_any(p, out, n);

    for (size_t i = 0; i < *n && !ec; i++)
        tell_own_rights(p, &(*out)[i]);
    return ec;
}

uint32_t props_load(struct props *p, struct store_prop *prop, uint64_t max)
{
    if (!prop->large)
        return EC_SUCCESS;
    return mapi_ec_of(store_prop_load(p->rd, prop, max, p->call->arena));
}

struct value_form props_form(const struct rop_call *call, const struct mapi_object *object)
{
    struct value_form form = call->form;

    if (is_message(object))
        form.codepage = mapi_message_codepage(object);
    return form;
}

/* ---- changing ---- */

uint32_t props_may_change(struct rop_call *call, struct mapi_object *object)
{
    if (is_message(object))
        return mapi_message_is_writable(object) ? EC_SUCCESS : EC_ACCESS_DENIED;
    if (object->kind == MAPI_LOGON)
        return object->logon->owner ? EC_SUCCESS : EC_ACCESS_DENIED;
    if (((struct mapi_folder *)object)->deleted)
        return EC_ACCESS_DENIED;
    return mapi_require(call, stored_id(object), RIGHT_OWNER, EC_ACCESS_DENIED);
}

uint32_t props_problem(const struct store_prop_change *change)
{
    switch (change->problem) {
    case ERR_NONE:
        return EC_SUCCESS;
    case ERR_NOT_FOUND: /* a removal of what is not there is no failure (3.2.5.6) */
        return change->remove ? EC_SUCCESS : EC_NOT_FOUND;
    case ERR_DENIED:
        return EC_COMPUTED;
    case ERR_INVALID:
        return prop_id(change->prop.tag) < 0x8000 ? EC_BAD_VALUE : EC_UNEXPECTED_ID;
    case ERR_UNSUPPORTED:
        return EC_TYPE_NO_SUPPORT;
    case ERR_LIMIT:
    case ERR_TOO_BIG:
        return EC_TOO_BIG;
    default:
        return EC_ERROR;
    }
}

static uint32_t change_message(struct rop_call *call, struct props_change *change)
{
    struct store_read *rd;
    uint32_t ec = read_of(change->object, &rd);

    if (!ec) {
        ec = mapi_message_change(call, rd, change->object, change->changes, change->n);
        store_read_end(rd);
    }
    return change->then(call, change, ec);
}

static uint32_t on_set(struct rop_call *call, struct store_op *op)
{
    struct props_change *change = container_of(op, struct props_change, set.op);

    for (size_t i = 0; i < change->set.n; i++)
        change->changes[change->places[i]].problem = change->stored[i].problem;
    return change->then(call, change, mapi_ec_of(op->err));
}

/* What is told of a log-on alone is read-only. */
static bool is_for_store(const struct props_change *change, const struct store_prop_change *c)
{
    return change->object->kind != MAPI_LOGON || !logon_prop_is_fixed(c->prop.tag);
}

static uint32_t change_stored(struct rop_call *call, struct props_change *change)
{
    size_t n = 0;

    change->stored = arena_array(call->arena, change->n, sizeof *change->stored);
    change->places = arena_array(call->arena, change->n, sizeof *change->places);
    for (size_t i = 0; i < change->n; i++) {
        struct store_prop_change *c = &change->changes[i];

        c->problem = is_for_store(change, c) ? ERR_NONE : ERR_DENIED;
        if (c->problem)
            continue;
        change->stored[n] = *c;
        change->places[n++] = i;
    }
    if (n == 0)
        return change->then(call, change, EC_SUCCESS);
    store_set_props_init(&change->set);
    change->set.id = stored_id(change->object);
    change->set.changes = change->stored;
    change->set.n = n;
    return rop_submit(call, change->object->logon->mailbox, &change->set.op, on_set);
}

uint32_t props_change(struct rop_call *call, struct props_change *change)
{
    uint32_t ec = props_may_change(call, change->object);

    if (ec)
        return change->then(call, change, ec);
    return is_message(change->object) ? change_message(call, change) : change_stored(call, change);
}
