/*
 * held.h - properties in memory that are not saved yet, or were read whole: with their values.
 *
 * A value is shared by all lists that hold it, and costs the context once (context_charge()). It
 * never changes: a property that is set again gets another value.
 *
 * Threads    As the objects of a context: its Execute's alone.
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_HELD_H
#define GATEPOST_PROTOCOLS_MAPI_HELD_H

#include "protocols/mapi/mapi_int.h"

struct held_value; /* counted */

struct held_prop {
    uint32_t tag;
    struct held_value *value; /* NULL: it was removed, and hides what is stored */
};

/* At most one of each id; in the order in which they came. */
struct held_props {
    struct mapi_context *context;
    struct held_prop *items;
    size_t n, cap;
};

void held_init(struct held_props *props, struct mapi_context *context);
void held_done(struct held_props *props);
/* `to` is empty and initialised. */
void held_copy(struct held_props *to, const struct held_props *from);

/* The place of that id; NULL: it is not in the list. */
struct held_prop *held_find(const struct held_props *props, uint16_t id);

/* What a held property is; its value lives as long as it is held. */
struct store_prop held_get(const struct held_prop *item);

/* Copies the value. EC_NOT_ENOUGH_MEMORY: the context may hold no more. */
uint32_t held_set(struct held_props *props, const struct store_prop *prop);
uint32_t held_set_number(struct held_props *props, uint32_t tag, int64_t number);
uint32_t held_set_bytes(struct held_props *props, uint32_t tag, struct slice bytes);

/* Note that there is none any more. */
void held_remove(struct held_props *props, uint32_t tag);
/* Know nothing of it any more. */
void held_forget(struct held_props *props, uint16_t id);

/* Every value of a list: see held_set(). */
uint32_t held_take(struct held_props *props, const struct store_props *from);

#endif
