#include "protocols/mapi/held.h"

#include <stdlib.h>

#include "base/mem.h"
#include "protocols/mapi/context.h"

struct held_value {
    unsigned refs;
    uint64_t cost;
    struct store_prop prop;
    struct arena memory;
};

enum { VALUE_COST = 640 }; /* of what is beside its bytes, and the arena's first block */

/* ---- values ---- */

static uint64_t cost_of(const struct store_prop *prop)
{
    uint16_t type = prop_type(prop->tag);
    uint64_t cost = VALUE_COST;

    if (prop->large || (!prop_type_has_bytes(type) && !(type & PROP_MULTIPLE)))
        return cost;
    if (!(type & PROP_MULTIPLE))
        return cost + prop->value.bytes.len;
    for (size_t i = 0; i < prop->value.many.n; i++)
        cost += sizeof(struct prop_value) +
                (prop_type_has_bytes(type) ? prop->value.many.items[i].bytes.len : 0);
    return cost;
}

static uint32_t value_new(struct mapi_context *context, const struct store_prop *prop,
                          struct held_value **out)
{
    uint64_t cost = cost_of(prop);
    uint32_t ec = context_charge(context, cost);

    if (ec)
        return ec;
    struct held_value *value = mem_new(sizeof *value);

    value->refs = 1;
    value->cost = cost;
    value->memory = ARENA_INIT;
    value->prop = *prop;
    value->prop.prepared = NULL;
    if (!prop->large)
        value->prop.value = prop_copy(prop_type(prop->tag), &prop->value, &value->memory);
    *out = value;
    return EC_SUCCESS;
}

static void value_let_go(struct mapi_context *context, struct held_value *value)
{
    if (!value || --value->refs > 0)
        return;
    context_discharge(context, value->cost);
    arena_done(&value->memory);
    free(value);
}

/* ---- lists ---- */

void held_init(struct held_props *props, struct mapi_context *context)
{
    *props = (struct held_props){.context = context};
}

void held_done(struct held_props *props)
{
    for (size_t i = 0; i < props->n; i++)
        value_let_go(props->context, props->items[i].value);
    free(props->items);
    held_init(props, props->context);
}

void held_copy(struct held_props *to, const struct held_props *from)
{
    to->items = mem_array(from->n + 1, sizeof *to->items);
    to->n = from->n;
    to->cap = from->n + 1;
    for (size_t i = 0; i < from->n; i++) {
        to->items[i] = from->items[i];
        if (to->items[i].value)
            to->items[i].value->refs++;
    }
}

struct held_prop *held_find(const struct held_props *props, uint16_t id)
{
    for (size_t i = 0; i < props->n; i++)
        if (prop_id(props->items[i].tag) == id)
            return &props->items[i];
    return NULL;
}

struct store_prop held_get(const struct held_prop *item)
{
    return item->value->prop;
}

static void put(struct held_props *props, uint32_t tag, struct held_value *value)
{
    struct held_prop *item = held_find(props, prop_id(tag));

    if (!item) {
        if (props->n == props->cap) {
            props->cap += props->cap / 2 + 8;
            props->items = mem_grow(props->items, props->cap, sizeof *props->items);
        }
        item = &props->items[props->n++];
        item->value = NULL;
    }
    struct held_value *old = item->value;
    *item = (struct held_prop){tag, value};
    /* The analyzer takes the value of one item for that of another: each has a count of its own. */
    value_let_go(props->context, old); /* NOLINT(clang-analyzer-unix.Malloc) */
}

uint32_t held_set(struct held_props *props, const struct store_prop *prop)
{
    struct held_value *value;
    uint32_t ec = value_new(props->context, prop, &value);

    if (!ec)
        put(props, prop->tag, value);
    return ec;
}

uint32_t held_set_number(struct held_props *props, uint32_t tag, int64_t number)
{
    struct store_prop prop = {.tag = tag, .value.number = number};

    return held_set(props, &prop);
}

uint32_t held_set_bytes(struct held_props *props, uint32_t tag, struct slice bytes)
{
    struct store_prop prop = {.tag = tag, .value.bytes = bytes};

    return held_set(props, &prop);
}

void held_remove(struct held_props *props, uint32_t tag)
{
    put(props, tag, NULL);
}

void held_forget(struct held_props *props, uint16_t id)
{
    struct held_prop *item = held_find(props, id);

    if (!item)
        return;
    value_let_go(props->context, item->value);
    *item = props->items[--props->n];
}

uint32_t held_take(struct held_props *props, const struct store_props *from)
{
    uint32_t ec = EC_SUCCESS;

    for (size_t i = 0; i < from->n && !ec; i++)
        ec = held_set(props, &from->items[i]);
    return ec;
}
