/* rop_copy.c - properties from one object to another: [MS-OXCPRPT] 3.2.5.7, 3.2.5.8. */
#include "protocols/mapi/context.h"
#include "protocols/mapi/folder_fill.h"
#include "protocols/mapi/message.h"
#include "protocols/mapi/props.h"

enum {
    COPY_MOVE = 0x01, /* CopyFlags (2.2.10.1, 2.2.11.1): none or one of them */
    COPY_NO_OVERWRITE = 0x02,
    PROBLEM_BYTES = 10,
};

/* Subobjects, by the tags that stand for them (2.2.10.1). */
static const struct subobject {
    uint32_t tag;
    enum mapi_kind of;
    unsigned what; /* COPY_* of messages and attachments, FILL_* of folders */
} subobjects[] = {
    {0x0E12000D, MAPI_MESSAGE, COPY_RECIPIENTS}, /* PidTagMessageRecipients */
    {0x0E13000D, MAPI_MESSAGE, COPY_PARTS},      /* PidTagMessageAttachments */
    {0x3701000D, MAPI_ATTACHMENT, COPY_PARTS},   /* PidTagAttachDataObject */
    {0x360E000D, MAPI_FOLDER, FILL_FOLDERS},     /* PidTagContainerHierarchy */
    {0x360F000D, MAPI_FOLDER, FILL_MESSAGES},    /* PidTagContainerContents */
    {0x3610000D, MAPI_FOLDER, FILL_ASSOCIATED},  /* PidTagFolderAssociatedContents */
};

/* Those of an object of this kind; `tags` NULL: all. */
static unsigned subobjects_of(enum mapi_kind kind, const struct rop_numbers *tags)
{
    unsigned what = 0;

    for (size_t j = 0; j < sizeof subobjects / sizeof *subobjects; j++) {
        bool named = tags == NULL;

        for (size_t i = 0; !named && i < tags->n; i++)
            named = subobjects[j].tag == tags->items[i];
        if (named && subobjects[j].of == kind)
            what |= subobjects[j].what;
    }
    return what;
}

static bool is_subobject(enum mapi_kind kind, uint32_t tag)
{
    return subobjects_of(kind, &(struct rop_numbers){1, &tag}) != 0;
}

/* A copy under way. */
struct copy {
    const struct rop_numbers *tags; /* those to be copied; NULL: all but `excluded` */
    const struct rop_numbers *excluded;
    uint8_t flags;
    unsigned subobjects; /* what is copied beside properties */
    struct store_prop_change *changes;
    uint16_t *places; /* of each change, in the tags */
    size_t n;
    struct rop_problem *problems;
    size_t n_problems;
    struct props_change set, removal;
};

static void add_problem(struct copy *c, size_t place, uint32_t tag, uint32_t ec)
{
    c->problems[c->n_problems++] = (struct rop_problem){(uint16_t)place, tag, ec};
}

/* ---- what is copied ---- */

static bool is_there(struct props *to, uint32_t tag)
{
    struct store_prop prop;

    return props_get(to, PROP_TAG(prop_id(tag), PROP_UNSPECIFIED), &prop) == EC_SUCCESS;
}

static uint32_t take(struct copy *c, struct props *from, size_t place, struct store_prop *prop)
{
    struct store_prop_change *change = &c->changes[c->n];
    uint64_t most = store_max_message(from->call->mapi->config.store);
    uint32_t ec = props_load(from, prop, most);

    if (ec)
        return ec;
    change->prop = *prop;
    change->prop.value = prop_copy(prop_type(prop->tag), &prop->value, from->call->arena);
    c->places[c->n++] = (uint16_t)place;
    return EC_SUCCESS;
}

/* RopCopyProperties: what was named. A property that is not there is a problem (3.2.5.7). */
static void take_named(struct copy *c, struct props *from, struct props *to)
{
    for (size_t i = 0; i < c->tags->n; i++) {
        uint32_t tag = c->tags->items[i];
        struct store_prop prop;

        if (is_subobject(from->object->kind, tag))
            continue;
        uint32_t ec = props_get(from, tag, &prop);

        if (!ec && (c->flags & COPY_NO_OVERWRITE) && is_there(to, tag))
            continue;
        if (!ec)
            ec = take(c, from, i, &prop);
        if (ec)
            add_problem(c, i, tag, ec);
    }
}

static bool has_id(const struct rop_numbers *tags, uint32_t tag)
{
    for (size_t i = 0; i < tags->n; i++)
        if (prop_id(tags->items[i]) == prop_id(tag))
            return true;
    return false;
}

/* RopCopyTo: everything, but for what was excluded. */
static uint32_t take_all(struct copy *c, struct props *from, struct props *to,
                         struct store_prop *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (has_id(c->excluded, list[i].tag) ||
            ((c->flags & COPY_NO_OVERWRITE) && is_there(to, list[i].tag)))
            continue;
        uint32_t ec = take(c, from, c->n, &list[i]);

        if (ec)
            return ec;
    }
    return EC_SUCCESS;
}

static void make_room(struct copy *c, struct rop_call *call, size_t n)
{
    c->changes = arena_array(call->arena, n, sizeof *c->changes);
    c->places = arena_array(call->arena, n, sizeof *c->places);
    c->problems = arena_array(call->arena, n, sizeof *c->problems);
}

static uint32_t collect_from(struct copy *c, struct props *from, struct props *to)
{
    struct store_prop *list;
    size_t n;

    if (c->tags) {
        make_room(c, from->call, c->tags->n);
        take_named(c, from, to);
        return EC_SUCCESS;
    }
    uint32_t ec = props_list(from, &list, &n);

    if (ec)
        return ec;
    make_room(c, from->call, n);
    return take_all(c, from, to, list, n);
}

static uint32_t collect(struct rop_call *call, struct copy *c)
{
    struct props from, to;
    uint32_t ec = props_begin(call, call->object, &from);

    if (ec)
        return ec;
    ec = props_begin(call, call->dest, &to);
    if (!ec) {
        ec = collect_from(c, &from, &to);
        props_end(&to);
    }
    props_end(&from);
    return ec;
}

/* ---- and set ---- */

static uint32_t answer(struct rop_call *call, const struct copy *c)
{
    struct rop_problems *reply = call->reply;

    reply->items = c->problems;
    reply->n = c->n_problems;
    return EC_SUCCESS;
}

static uint32_t on_removed(struct rop_call *call, struct props_change *change, uint32_t ec)
{
    (void)change;
    return ec ? ec : answer(call, call->state);
}

static uint32_t remove_moved(struct rop_call *call, struct copy *c)
{
    struct store_prop_change *removals = arena_array(call->arena, c->n, sizeof *removals);
    size_t n = 0;

    for (size_t i = 0; i < c->n; i++) {
        if (c->changes[i].problem)
            continue;
        removals[n].prop.tag = c->changes[i].prop.tag;
        removals[n++].remove = true;
    }
    c->removal = (struct props_change){
        .object = call->object, .changes = removals, .n = n, .then = on_removed};
    return props_change(call, &c->removal);
}

static uint32_t on_copied(struct rop_call *call, struct props_change *change, uint32_t ec)
{
    struct copy *c = call->state;

    if (ec)
        return ec;
    for (size_t i = 0; i < change->n; i++) {
        uint32_t problem = props_problem(&change->changes[i]);

        /* RopCopyTo names no properties: those that every object computes stay its own. */
        if (problem && (c->tags || problem != EC_COMPUTED))
            add_problem(c, c->places[i], change->changes[i].prop.tag, problem);
    }
    return c->flags & COPY_MOVE ? remove_moved(call, c) : answer(call, c);
}

static uint32_t set_copied(struct rop_call *call, uint32_t ec)
{
    struct copy *c = call->state;

    if (ec)
        return ec;
    c->set = (struct props_change){
        .object = call->dest, .changes = c->changes, .n = c->n, .then = on_copied};
    return props_change(call, &c->set);
}

static uint32_t copy(struct rop_call *call, struct copy *c)
{
    if (c->flags > COPY_NO_OVERWRITE)
        return EC_INVALID_PARAMETER;
    if (call->object->kind != call->dest->kind)
        return EC_NOT_SUPPORTED;
    uint32_t ec = props_may_change(call, call->dest);

    if (!ec && (c->flags & COPY_MOVE))
        ec = props_may_change(call, call->object);
    if (!ec)
        ec = collect(call, c);
    if (ec)
        return ec;
    if (call->may_give_back && call->room < 2 + PROBLEM_BYTES * (c->n + c->n_problems))
        return ROP_GIVE_BACK;
    call->state = c;
    if (call->object->kind == MAPI_FOLDER && c->subobjects)
        return mapi_folder_fill(call, c->subobjects, c->flags & COPY_MOVE, set_copied);
    return set_copied(call, c->subobjects
                                ? mapi_message_copy(call, call->object, call->dest, c->subobjects)
                                : EC_SUCCESS);
}

/* WantAsynchronous: it is done when it is answered, which a client has to expect (3.2.5.7). */
uint32_t mapi_copy_properties(struct rop_call *call)
{
    const struct rop_copy_properties *rq = call->fields;
    struct copy *c = arena_alloc(call->arena, sizeof *c);

    /* 3.2.5.7 */
    if (call->object->kind == MAPI_FOLDER && rq->flags == COPY_MOVE)
        return EC_NOT_SUPPORTED;
    c->tags = &rq->tags;
    c->flags = rq->flags;
    c->subobjects = subobjects_of(call->object->kind, &rq->tags);
    return copy(call, c);
}

uint32_t mapi_copy_to(struct rop_call *call)
{
    const struct rop_copy_to *rq = call->fields;
    struct copy *c = arena_alloc(call->arena, sizeof *c);

    c->excluded = &rq->excluded;
    c->flags = rq->flags;
    if (rq->subobjects)
        c->subobjects = subobjects_of(call->object->kind, NULL) &
                        ~subobjects_of(call->object->kind, &rq->excluded);
    return copy(call, c);
}
