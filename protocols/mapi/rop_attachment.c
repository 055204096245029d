/* rop_attachment.c - attachments and embedded messages: [MS-OXCMSG] 2.2.3.12 to 2.2.3.18. */
#include <stdlib.h>

#include "base/mem.h"
#include "protocols/mapi/message_int.h"
#include "protocols/mapi/props.h"

enum {
    OPEN_READ_ONLY = 0,
    OPEN_READ_WRITE = 1,
    OPEN_CREATE = 2, /* of embedded messages */
    OPEN_BEST = 3,
    KEEP_READ_ONLY = 0x01, /* SaveFlags ([MS-OXCMSG] 2.2.3.3.1) */
    KEEP_READ_WRITE = 0x02,
    FORCE_SAVE = 0x04,
    NO_RENDERING_POSITION = -1,
};

/* ---- what is on a message ---- */

/* The list of its attachments is in memory then. */
static uint32_t own_parts(struct rop_call *call)
{
    struct mapi_message *m = message_of(call->object);
    struct store_read *rd;

    if (m->body.own_parts)
        return EC_SUCCESS;
    uint32_t ec = rop_read(call, &rd);
    if (ec)
        return ec;
    ec = message_own_parts(call, rd, m);
    store_read_end(rd);
    return ec;
}

/* ---- the table ---- */

static void add_row(struct prop_list *row, const struct store_props *props, uint32_t number,
                    int64_t size)
{
    for (size_t i = 0; i < props->n; i++) {
        const struct store_prop *p = &props->items[i];

        if (!p->large && p->tag != PR_ATTACH_DATA && p->tag != PR_ATTACH_NUMBER &&
            p->tag != PR_ATTACH_SIZE)
            prop_add(row, p->tag, prop_copy(prop_type(p->tag), &p->value, row->in));
    }
    prop_add_number(row, PR_ATTACH_NUMBER, number);
    prop_add_number(row, PR_ATTACH_SIZE, size);
}

static int64_t stored_size(const struct store_attachment *attachment)
{
    int64_t size = attachment_size(&attachment->props, NULL);

    if (attachment->embedded)
        size += attachment_size(&attachment->embedded->props, NULL);
    return size;
}

static uint32_t fill_rows(struct rop_call *call, struct store_read *rd, struct mapi_message *m,
                          struct mapi_rows *rows)
{
    struct store_content content;
    uint32_t ec = message_own_parts(call, rd, m);

    if (!ec)
        ec = message_check_parts(call, rd, m);
    if (!ec)
        ec = message_content(call, rd, m, &content);
    rows->items = arena_array(&rows->arena, m->body.n_parts, sizeof *rows->items);
    for (size_t i = 0; i < m->body.n_parts && !ec; i++) {
        const struct mapi_part *part = &m->body.parts[i];
        struct prop_list *row = &rows->items[rows->n++];

        row->in = &rows->arena;
        if (part->source == IN_MEMORY) {
            struct store_props props = held_props_of(&part->props, call->arena);

            add_row(row, &props, part->number, attachment_size(&props, part->embedded));
            continue;
        }
        const struct store_attachment *stored = &content.attachments[part->source];

        add_row(row, &stored->props, part->number, stored_size(stored));
    }
    return ec;
}

static uint32_t get_attachment_table(struct rop_call *call)
{
    struct mapi_rows rows = {.arena = ARENA_INIT};
    struct store_read *rd;
    uint32_t ec = rop_read(call, &rd);

    if (ec)
        return ec;
    ec = fill_rows(call, rd, message_of(call->object), &rows);
    store_read_end(rd);
    if (!ec)
        return mapi_table_open_rows(call, &rows, call->object);
    arena_done(&rows.arena);
    return ec;
}

static uint32_t get_valid_attachments(struct rop_call *call)
{
    struct rop_get_valid_attachments_reply *reply = call->reply;
    struct mapi_body *body = &message_of(call->object)->body;
    uint32_t ec = own_parts(call);

    if (ec)
        return ec;
    uint32_t *numbers = arena_array(call->arena, body->n_parts, sizeof *numbers);

    for (size_t i = 0; i < body->n_parts; i++)
        numbers[i] = body->parts[i].number;
    reply->numbers.n = body->n_parts;
    reply->numbers.items = numbers;
    return EC_SUCCESS;
}

/* ---- opening ---- */

static uint32_t load_stored(struct rop_call *call, const struct mapi_part *part,
                            struct mapi_attachment *a)
{
    struct store_content content;
    struct store_read *rd;
    uint32_t ec = rop_read(call, &rd);

    if (ec)
        return ec;
    ec = message_check_parts(call, rd, a->message);
    if (!ec)
        ec = message_content(call, rd, a->message, &content);
    if (!ec)
        ec = attachment_take(&a->props, &a->embedded, &content.attachments[part->source]);
    store_read_end(rd);
    return ec;
}

static uint32_t load_part(struct rop_call *call, const struct mapi_part *part,
                          struct mapi_attachment *a)
{
    a->number = part->number;
    if (part->source != IN_MEMORY)
        return load_stored(call, part, a);
    held_copy(&a->props, &part->props);
    return body_copy(part->embedded, &a->embedded);
}

/* EC_INVALID_PARAMETER: a mode that there is not; EC_ACCESS_DENIED: more than the message was
 * opened with allows. */
static uint32_t check_mode(uint8_t mode, bool writable, bool *out)
{
    if (mode != OPEN_READ_ONLY && mode != OPEN_READ_WRITE && mode != OPEN_BEST)
        return EC_INVALID_PARAMETER;
    if (mode == OPEN_READ_WRITE && !writable)
        return EC_ACCESS_DENIED;
    *out = mode != OPEN_READ_ONLY && writable;
    return EC_SUCCESS;
}

static uint32_t open_attachment(struct rop_call *call)
{
    const struct rop_open_attachment *rq = call->fields;
    struct mapi_message *m = message_of(call->object);
    bool writable = false;
    uint32_t ec = check_mode(rq->mode, m->writable, &writable);

    if (!ec)
        ec = own_parts(call);
    if (ec)
        return ec;
    const struct mapi_part *part = message_part(m, rq->number);
    if (!part)
        return EC_NOT_FOUND;
    struct mapi_attachment *a = attachment_new(call, m);

    a->writable = writable;
    ec = load_part(call, part, a);
    if (!ec)
        return rop_open(call, &a->object, &m->object);
    a->object.free(&a->object);
    return ec;
}

/* ---- making and deleting ---- */

/* [MS-OXCMSG] 3.2.5.13; number, size and access level are told of what it is. */
static uint32_t initialise(struct rop_call *call, struct mapi_attachment *a)
{
    const struct store_prop initial[] = {
        {.tag = PR_RENDERING_POSITION, .value.number = NO_RENDERING_POSITION},
        {.tag = PR_CREATION_TIME, .value.time = call->now},
        {.tag = PR_LAST_MODIFICATION_TIME, .value.time = call->now},
    };

    return held_take(&a->props, &(struct store_props){initial, sizeof initial / sizeof *initial});
}

static uint32_t create_attachment(struct rop_call *call)
{
    struct rop_create_attachment_reply *reply = call->reply;
    struct mapi_message *m = message_of(call->object);
    uint32_t ec = m->writable ? own_parts(call) : EC_ACCESS_DENIED;

    if (ec)
        return ec;
    if (m->body.n_parts >= MESSAGE_MAX_ATTACHMENTS)
        return EC_MAX_ATTACHMENTS;
    struct mapi_attachment *a = attachment_new(call, m);

    a->writable = a->fresh = true;
    a->number = m->body.next_number++;
    reply->number = a->number;
    ec = initialise(call, a);
    if (!ec)
        return rop_open(call, &a->object, &m->object);
    a->object.free(&a->object);
    return ec;
}

static uint32_t delete_attachment(struct rop_call *call)
{
    const struct rop_delete_attachment *rq = call->fields;
    struct mapi_message *m = message_of(call->object);
    struct mapi_body *body = &m->body;
    uint32_t ec = m->writable ? own_parts(call) : EC_ACCESS_DENIED;

    if (ec)
        return ec;
    struct mapi_part *part = message_part(m, rq->number);
    if (!part)
        return EC_NOT_FOUND;
    part_done(part);
    memmove(part, part + 1, (size_t)(body->parts + --body->n_parts - part) * sizeof *part);
    body->parts_changed = true;
    return EC_SUCCESS;
}

/* ---- saving: it becomes a part of the message, which is not stored by that ---- */

static struct mapi_part *part_for(struct mapi_attachment *a)
{
    struct mapi_body *body = &a->message->body;
    struct mapi_part *part = message_part(a->message, a->number);

    if (part) {
        part_done(part);
        return part;
    }
    body->parts = mem_grow(body->parts, body->n_parts + 1, sizeof *body->parts);
    return &body->parts[body->n_parts++];
}

/* None or one of them; others are ignored ([MS-OXCMSG] 2.2.3.3.1, 3.2.5.14). */
static bool are_save_flags(uint8_t flags)
{
    flags &= KEEP_READ_ONLY | KEEP_READ_WRITE | FORCE_SAVE;
    return (flags & (flags - 1)) == 0;
}

static uint32_t save_attachment(struct rop_call *call)
{
    const struct rop_save_attachment *rq = call->fields;
    struct mapi_attachment *a = attachment_of(call->object);

    if (!are_save_flags(rq->flags))
        return EC_NOT_SUPPORTED;
    if (!a->writable)
        return EC_ACCESS_DENIED;
    if (!a->fresh && !message_part(a->message, a->number))
        return EC_OBJECT_DELETED;
    if (a->fresh && a->message->body.n_parts >= MESSAGE_MAX_ATTACHMENTS)
        return EC_MAX_ATTACHMENTS;
    struct store_prop changed = {.tag = PR_LAST_MODIFICATION_TIME, .value.time = call->now};
    struct mapi_body *embedded;
    uint32_t ec = streams_flush(call, call->object);
    if (!ec)
        ec = held_set(&a->props, &changed);
    if (!ec)
        ec = body_copy(a->embedded, &embedded);
    if (ec)
        return ec;
    struct mapi_part *part = part_for(a);

    *part = (struct mapi_part){.number = a->number, .source = IN_MEMORY};
    held_init(&part->props, call->context);
    held_copy(&part->props, &a->props);
    part->embedded = embedded;
    a->message->body.parts_changed = true;
    a->fresh = false;
    a->writable = !(rq->flags & KEEP_READ_ONLY);
    return EC_SUCCESS;
}

/* ---- embedded messages ---- */

/* [MS-OXCMSG] 3.2.5.2 holds for them too. */
static uint32_t make_embedded(struct rop_call *call, struct mapi_attachment *a,
                              struct mapi_message *m)
{
    uint32_t ec = a->writable ? EC_SUCCESS : EC_ACCESS_DENIED;

    if (!ec && message_depth(a->message) >= STORE_CONTENT_DEPTH)
        ec = EC_TOO_COMPLEX;
    if (!ec)
        ec = message_initialise(call, m);
    if (!ec)
        ec = held_set_number(&m->body.props, PR_MESSAGE_FLAGS,
                             MESSAGE_READ | MESSAGE_EVER_READ | MESSAGE_UNSENT);
    if (!ec)
        ec = held_set_number(&a->props, PR_ATTACH_METHOD, ATTACH_EMBEDDED);
    if (!ec)
        held_forget(&a->props, prop_id(PR_ATTACH_DATA));
    m->body.own_recipients = m->body.own_parts = true;
    return ec;
}

static uint32_t load_embedded(struct rop_call *call, struct mapi_attachment *a, uint8_t mode,
                              struct mapi_message *m)
{
    if (!a->embedded)
        return mode & OPEN_CREATE ? make_embedded(call, a, m) : EC_NOT_FOUND;
    struct mapi_body *copy;
    uint32_t ec = body_copy(a->embedded, &copy);

    if (ec)
        return ec;
    body_done(&m->body);
    m->body = *copy;
    free(copy);
    return EC_SUCCESS;
}

static uint32_t tell_embedded(struct rop_call *call, struct mapi_message *m)
{
    struct rop_open_embedded_reply *reply = call->reply;
    struct rop_open_message_reply told = {.has_named = 0};
    enum { BEFORE = 9 }; /* Reserved, MessageId: it is not one that could be opened by */
    uint32_t ec = message_tell(call, m, &told, call->room > BEFORE ? call->room - BEFORE : 0);

    reply->has_named = told.has_named;
    reply->prefix = told.prefix;
    reply->subject = told.subject;
    reply->recipients = told.recipients;
    reply->columns = told.columns;
    reply->rows = told.rows;
    return ec;
}

static uint32_t open_embedded(struct rop_call *call)
{
    const struct rop_open_embedded *rq = call->fields;
    struct mapi_attachment *a = attachment_of(call->object);
    struct mapi_message *m;
    int codepage;
    uint32_t ec = message_codepage(call, rq->codepage, &codepage);

    if (!ec && rq->mode > OPEN_CREATE)
        ec = EC_INVALID_PARAMETER;
    if (!ec && rq->mode != OPEN_READ_ONLY && !a->writable)
        ec = EC_ACCESS_DENIED;
    if (ec)
        return ec;
    m = message_new(call);
    m->codepage = codepage;
    m->inside = a;
    m->writable = rq->mode != OPEN_READ_ONLY;
    ec = load_embedded(call, a, rq->mode, m);
    if (!ec)
        ec = tell_embedded(call, m);
    if (!ec)
        return rop_open(call, &m->object, &a->object);
    m->object.free(&m->object);
    return ec;
}

const struct rop_handler mapi_attachment_handlers[] = {
    {ROP_GetAttachmentTable, MAPI_MESSAGE, 0, EC_NULL_OBJECT, 0, get_attachment_table},
    {ROP_OpenAttachment, MAPI_MESSAGE, 0, EC_NULL_OBJECT, 0, open_attachment},
    {ROP_CreateAttachment, MAPI_MESSAGE, 0, EC_NULL_OBJECT, 0, create_attachment},
    {ROP_DeleteAttachment, MAPI_MESSAGE, 0, EC_NULL_OBJECT, 0, delete_attachment},
    {ROP_SaveChangesAttachment, MAPI_ATTACHMENT, 0, EC_NOT_SUPPORTED, 0, save_attachment},
    {ROP_OpenEmbeddedMessage, MAPI_ATTACHMENT, 0, EC_NULL_OBJECT, MESSAGE_ROOM, open_embedded},
    {ROP_GetValidAttachments, MAPI_MESSAGE, 0, EC_NULL_OBJECT, 0, get_valid_attachments},
    {.run = NULL},
};
