/* object.c - objects by handle, and what hangs on what. */
#include <stdlib.h>

#include "base/mem.h"
#include "protocols/mapi/context.h"

enum { FIRST_CAP = 16 };

/* Handles are given in order: their low bits spread by themselves. */
static size_t slot_of(const struct mapi_objects *o, uint32_t handle)
{
    return handle & (o->cap - 1);
}

/* Where it is, or where it would be put. */
static size_t find_slot(const struct mapi_objects *o, uint32_t handle)
{
    size_t i = slot_of(o, handle);

    while (o->slots[i] && o->slots[i]->handle != handle)
        i = (i + 1) & (o->cap - 1);
    return i;
}

static void grow(struct mapi_objects *o)
{
    struct mapi_objects new = *o;

    new.cap = o->cap ? o->cap * 2 : FIRST_CAP;
    new.slots = mem_array(new.cap, sizeof(struct mapi_object *));
    for (size_t i = 0; i < o->cap; i++)
        if (o->slots[i])
            new.slots[find_slot(&new, o->slots[i]->handle)] = o->slots[i];
    free(o->slots);
    *o = new;
}

/* Those behind it that it kept from their place move up. */
static void remove_slot(struct mapi_objects *o, size_t i)
{
    o->slots[i] = NULL;
    o->n--;
    for (size_t j = (i + 1) & (o->cap - 1); o->slots[j]; j = (j + 1) & (o->cap - 1)) {
        struct mapi_object *object = o->slots[j];

        o->slots[j] = NULL;
        o->slots[find_slot(o, object->handle)] = object;
    }
}

enum handle_state object_find(struct mapi_context *context, uint32_t handle,
                              struct mapi_object **out)
{
    const struct mapi_objects *o = &context->objects;

    if (handle == 0 || handle > o->next)
        return HANDLE_NEVER;
    struct mapi_object *object = o->cap ? o->slots[find_slot(o, handle)] : NULL;
    if (!object)
        return HANDLE_RELEASED;
    *out = object;
    return HANDLE_OPEN;
}

static void hang_on(struct mapi_object *object, struct mapi_object *parent)
{
    object->parent = parent;
    object->next = parent->children;
    object->link = &parent->children;
    if (object->next)
        object->next->link = &object->next;
    parent->children = object;
}

static void unhang(struct mapi_object *object)
{
    if (!object->parent)
        return;
    *object->link = object->next;
    if (object->next)
        object->next->link = object->link;
}

uint32_t object_add(struct mapi_context *context, struct mapi_object *object,
                    struct mapi_logon *logon, struct mapi_object *parent)
{
    struct mapi_objects *o = &context->objects;

    if (o->n >= context->mapi->config.max_objects || o->next == UINT32_MAX - 1)
        return EC_NOT_ENOUGH_MEMORY;
    if (o->n + 1 > o->cap / 2)
        grow(o);
    object->handle = ++o->next;
    object->logon = logon;
    if (parent)
        hang_on(object, parent);
    o->slots[find_slot(o, object->handle)] = object;
    o->n++;
    return EC_SUCCESS;
}

/* ---- log-ons ---- */

/* Where that of an id is, or would be. */
static struct mapi_logon **place_of(struct mapi_logon **link, uint8_t id)
{
    while (*link && (*link)->id < id)
        link = &(*link)->next;
    return link;
}

struct mapi_logon *logon_find(const struct mapi_context *context, uint8_t id)
{
    struct mapi_logon *logon = context->logons;

    while (logon && logon->id != id)
        logon = logon->next;
    return logon;
}

void logon_add(struct mapi_context *context, struct mapi_logon *logon)
{
    struct mapi_logon **link = place_of(&context->logons, logon->id);

    logon->next = *link;
    *link = logon;
}

static void take_out(struct mapi_context *context, struct mapi_logon *logon)
{
    struct mapi_logon **link = place_of(&context->logons, logon->id);

    if (*link == logon)
        *link = logon->next;
}

/* ---- release ---- */

void object_release(struct mapi_object *object)
{
    struct mapi_context *context = object->logon->context;

    while (object->children)
        object_release(object->children);
    unhang(object);
    remove_slot(&context->objects, find_slot(&context->objects, object->handle));
    if (object->kind == MAPI_LOGON)
        take_out(context, object->logon);
    object->free(object);
}

void objects_release_all(struct mapi_context *context)
{
    while (context->logons)
        object_release(&context->logons->object);
    free(context->objects.slots);
    context->objects = (struct mapi_objects){.next = context->objects.next};
}
