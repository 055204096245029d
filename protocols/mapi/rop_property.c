/* rop_property.c - operations on the properties of objects: [MS-OXCPRPT] 3.2.5.1 - 3.2.5.7. */
#include "protocols/mapi/props.h"

enum {
    ERROR_BYTES = 4,
    PROBLEM_BYTES = 10,
    GIVE_BACK_MOST = 16 * 1024, /* a value that is longer is for a stream anyway */
};

/* ---- values on their way out ---- */

/* The type that a value goes out with: as it was asked, or as it is. */
static uint32_t outgoing(uint32_t asked, uint32_t has, bool unicode)
{
    uint16_t type = prop_type(has), base = type & (uint16_t)~PROP_MULTIPLE;

    if (prop_type(asked) != PROP_UNSPECIFIED)
        return PROP_TAG(prop_id(asked), prop_type(asked));
    if (base == PROP_STRING && !unicode)
        type = PROP_STRING8 | (type & PROP_MULTIPLE);
    return PROP_TAG(prop_id(asked), type);
}

static struct prop error_of(uint32_t tag, uint32_t ec)
{
    return (struct prop){PROP_TAG(prop_id(tag), PROP_ERROR), {.number = ec}};
}

/* The bytes of a value; SIZE_MAX: more than `most`, or it has no wire form. */
static size_t size_of(const struct rop_call *call, const struct prop *value, size_t most)
{
    struct value_form form = props_form(call, call->object);
    struct buf out = buf_make(most);

    value_put(&out, &form, prop_type(value->tag), &value->value);
    size_t size = out.failed ? SIZE_MAX : out.len;
    buf_done(&out);
    return size;
}

/* What was asked for, and how much of the response is left for it. */
struct values {
    struct props props;
    bool unicode;
    size_t spare;   /* bytes beyond what the errors would take that stand for the rest */
    bool give_back; /* something would have had room in a response of its own */
};

/* 3.2.5.1: a value that is too long is read through a stream. PropertySizeLimit is not looked at.
 */
static struct prop too_long(struct values *v, uint32_t tag, uint64_t size)
{
    v->give_back |= size <= GIVE_BACK_MOST;
    return error_of(tag, EC_NOT_ENOUGH_MEMORY);
}

static struct prop fit(struct values *v, uint32_t asked, struct store_prop *has)
{
    size_t most = v->spare + ERROR_BYTES;

    if (has->large && has->len > most)
        return too_long(v, asked, has->len);
    uint32_t ec = props_load(&v->props, has, most);
    if (ec)
        return error_of(asked, ec);
    struct prop out = {outgoing(asked, has->tag, v->unicode), has->value};
    size_t size = size_of(v->props.call, &out, most);
    if (size == SIZE_MAX)
        return too_long(v, asked, size_of(v->props.call, &out, GIVE_BACK_MOST));
    if (size > ERROR_BYTES)
        v->spare -= size - ERROR_BYTES;
    return out;
}

static struct prop get_one(struct values *v, uint32_t asked)
{
    uint16_t type = prop_type(asked);
    struct store_prop has;

    /* An object is opened, not read (2.2.2). */
    if (type == PROP_OBJECT)
        return error_of(asked, EC_NOT_SUPPORTED);
    if (type != PROP_UNSPECIFIED && type != PROP_ERROR && !prop_type_is_stored(type))
        return error_of(asked, EC_INVALID_TYPE); /* [MS-OXCDATA] 2.4.2 */
    uint32_t ec = props_get(&v->props, asked, &has);
    return ec ? error_of(asked, ec) : fit(v, asked, &has);
}

/* ---- RopGetPropertiesSpecific (3.2.5.1) ---- */

/* Of a row in which every column is an error. */
static size_t least_row(const struct rop_numbers *tags)
{
    size_t size = 1;

    for (size_t i = 0; i < tags->n; i++)
        size += (prop_type(tags->items[i]) == PROP_UNSPECIFIED ? 2u : 0u) + 1 + ERROR_BYTES;
    return size;
}

static struct slice row_of(struct rop_call *call, const struct rop_numbers *tags,
                           const struct prop *values)
{
    struct value_form form = props_form(call, call->object);
    struct buf out = buf_make(call->room);

    row_put(&out, &form, tags->items, tags->n, values);
    struct slice row = arena_slice(call->arena, buf_slice(&out));
    buf_done(&out);
    return row;
}

static uint32_t get_specific(struct rop_call *call)
{
    const struct rop_get_properties *rq = call->fields;
    struct rop_get_properties_reply *reply = call->reply;
    struct values v = {.unicode = rq->unicode != 0};
    size_t least = least_row(&rq->tags);

    if (least > call->room)
        return rop_no_room(call);
    v.spare = call->room - least;
    uint32_t ec = props_begin(call, call->object, &v.props);
    if (ec)
        return ec;
    struct prop *values = arena_array(call->arena, rq->tags.n, sizeof *values);
    for (size_t i = 0; i < rq->tags.n; i++)
        values[i] = get_one(&v, rq->tags.items[i]);
    reply->row = row_of(call, &rq->tags, values);
    props_end(&v.props);
    return v.give_back && call->may_give_back ? ROP_GIVE_BACK : EC_SUCCESS;
}

/* ---- RopGetPropertiesAll (3.2.5.2) ---- */

/* 3.2.5.2: of the first operation the whole Execute fails. */
static uint32_t no_room_for_all(struct rop_call *call)
{
    if (call->first)
        call->status = EC_SERVER_OOM;
    return rop_no_room(call);
}

static uint32_t list_of(struct values *v, struct store_prop **list, size_t *n)
{
    struct rop_call *call = v->props.call;
    uint32_t ec = props_list(&v->props, list, n);

    if (ec)
        return ec;
    size_t least = 2 + *n * (4 + ERROR_BYTES);
    if (least > call->room || *n > UINT16_MAX)
        return no_room_for_all(call);
    v->spare = call->room - least;
    return EC_SUCCESS;
}

static uint32_t fill_all(struct values *v, struct rop_props *out)
{
    struct store_prop *list;
    size_t n;
    uint32_t ec = list_of(v, &list, &n);

    if (ec)
        return ec;
    struct prop *values = arena_array(v->props.call->arena, n, sizeof *values);
    for (size_t i = 0; i < n; i++) {
        values[i] = fit(v, PROP_TAG(prop_id(list[i].tag), PROP_UNSPECIFIED), &list[i]);
        values[i].value =
            prop_copy(prop_type(values[i].tag), &values[i].value, v->props.call->arena);
    }
    *out = (struct rop_props){n, values};
    return v->give_back && v->props.call->may_give_back ? ROP_GIVE_BACK : EC_SUCCESS;
}

static uint32_t get_all(struct rop_call *call)
{
    const struct rop_get_properties_all *rq = call->fields;
    struct rop_get_properties_all_reply *reply = call->reply;
    struct values v = {.unicode = rq->unicode != 0};
    uint32_t ec = props_begin(call, call->object, &v.props);

    if (ec)
        return ec;
    ec = fill_all(&v, &reply->values);
    props_end(&v.props);
    return ec;
}

/* ---- RopGetPropertiesList (3.2.5.3) ---- */

static uint32_t get_list(struct rop_call *call)
{
    struct rop_get_properties_list_reply *reply = call->reply;
    struct store_prop *list;
    struct props props;
    size_t n;
    uint32_t ec = props_begin(call, call->object, &props);

    if (ec)
        return ec;
    ec = props_list(&props, &list, &n);
    props_end(&props);
    if (ec)
        return ec;
    if (2 + 4 * n > call->room || n > UINT16_MAX)
        return rop_no_room(call);
    uint32_t *tags = arena_array(call->arena, n, sizeof *tags);
    for (size_t i = 0; i < n; i++)
        tags[i] = list[i].tag;
    reply->tags = (struct rop_numbers){n, tags};
    return EC_SUCCESS;
}

/* ---- setting and removing (3.2.5.4 - 3.2.5.6) ---- */

/* Their replies are of one form. */
_Static_assert(sizeof(struct rop_set_properties_reply) == sizeof(struct rop_problems),
               "a reply of problems alone");
_Static_assert(sizeof(struct rop_delete_properties_reply) == sizeof(struct rop_problems),
               "a reply of problems alone");

static uint32_t on_changed(struct rop_call *call, struct props_change *change, uint32_t ec)
{
    struct rop_problems *reply = call->reply;

    if (ec)
        return ec;
    struct rop_problem *problems = arena_array(call->arena, change->n, sizeof *problems);
    for (size_t i = 0; i < change->n; i++) {
        uint32_t problem = props_problem(&change->changes[i]);

        if (problem)
            problems[reply->n++] =
                (struct rop_problem){(uint16_t)i, change->changes[i].prop.tag, problem};
    }
    reply->items = problems;
    return EC_SUCCESS;
}

static uint32_t change(struct rop_call *call, struct store_prop_change *changes, size_t n)
{
    struct props_change *c = arena_alloc(call->arena, sizeof *c);

    /* All of them may be refused: let there be room to say so. */
    if (call->may_give_back && call->room < 2 + n * PROBLEM_BYTES)
        return ROP_GIVE_BACK;
    c->object = call->object;
    c->changes = changes;
    c->n = n;
    c->then = on_changed;
    return props_change(call, c);
}

static uint32_t set(struct rop_call *call, const struct rop_props *values)
{
    struct store_prop_change *changes = arena_array(call->arena, values->n, sizeof *changes);

    for (size_t i = 0; i < values->n; i++) {
        changes[i].prop.tag = values->items[i].tag;
        changes[i].prop.value = values->items[i].value;
    }
    return change(call, changes, values->n);
}

static uint32_t set_properties(struct rop_call *call)
{
    return set(call, &((const struct rop_set_properties *)call->fields)->values);
}

/* 3.2.5.5: what is not replicated of a public folder; here there is none. */
static uint32_t set_no_replicate(struct rop_call *call)
{
    return set(call, &((const struct rop_set_local *)call->fields)->values);
}

static uint32_t remove_all(struct rop_call *call, const struct rop_numbers *tags)
{
    struct store_prop_change *changes = arena_array(call->arena, tags->n, sizeof *changes);

    for (size_t i = 0; i < tags->n; i++) {
        changes[i].prop.tag = tags->items[i];
        changes[i].remove = true;
    }
    return change(call, changes, tags->n);
}

static uint32_t delete_properties(struct rop_call *call)
{
    return remove_all(call, &((const struct rop_delete_properties *)call->fields)->tags);
}

static uint32_t delete_no_replicate(struct rop_call *call)
{
    return remove_all(call, &((const struct rop_delete_local *)call->fields)->tags);
}

/* clang-format off */
const struct rop_handler mapi_property_handlers[] = {
    {ROP_GetPropertiesSpecific,       MAPI_WITH_PROPERTIES, 0, EC_NOT_SUPPORTED, 0, get_specific},
    {ROP_GetPropertiesAll,            MAPI_WITH_PROPERTIES, 0, EC_NOT_SUPPORTED, 0, get_all},
    {ROP_GetPropertiesList,           MAPI_WITH_PROPERTIES, 0, EC_NOT_SUPPORTED, 0, get_list},
    {ROP_SetProperties,               MAPI_WITH_PROPERTIES, 0, EC_NOT_SUPPORTED, 0, set_properties},
    {ROP_SetPropertiesNoReplicate,    MAPI_WITH_PROPERTIES, 0, EC_NOT_SUPPORTED, 0, set_no_replicate},
    {ROP_DeleteProperties,            MAPI_WITH_PROPERTIES, 0, EC_NOT_SUPPORTED, 0, delete_properties},
    {ROP_DeletePropertiesNoReplicate, MAPI_WITH_PROPERTIES, 0, EC_NOT_SUPPORTED, 0, delete_no_replicate},
    {ROP_GetPropertyIdsFromNames,     MAPI_WITH_PROPERTIES, 0, EC_NOT_SUPPORTED, 0, mapi_ids_of_names},
    {ROP_GetNamesFromPropertyIds,     MAPI_WITH_PROPERTIES, 0, EC_NOT_SUPPORTED, 0, mapi_names_of_ids},
    {ROP_QueryNamedProperties,        MAPI_WITH_PROPERTIES, 0, EC_NOT_SUPPORTED, 0, mapi_query_named},
    {ROP_CopyProperties,              MAPI_COPIED, MAPI_COPIED, EC_NOT_SUPPORTED, 0, mapi_copy_properties},
    {ROP_CopyTo,                      MAPI_COPIED, MAPI_COPIED, EC_NOT_SUPPORTED, 0, mapi_copy_to},
    {.run = NULL},
};
/* clang-format on */
