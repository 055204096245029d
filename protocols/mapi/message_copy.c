/* message_copy.c - what hangs on a message or attachment, to another one: [MS-OXCPRPT] 3.2.5.8. */
#include <stdlib.h>

#include "base/mem.h"
#include "protocols/mapi/message_int.h"

static uint32_t copy_recipients(struct rop_call *call, struct store_read *rd,
                                struct mapi_message *from, struct mapi_message *to)
{
    struct mapi_body *body = &to->body;
    struct recipient_view *views;
    size_t n;
    uint32_t ec = message_recipients(call, rd, from, &views, &n);

    if (!ec)
        ec = message_own_recipients(call, rd, to);
    if (ec)
        return ec;
    for (size_t i = 0; i < body->n_recipients; i++)
        held_done(&body->recipients[i].props);
    free(body->recipients);
    body->recipients = mem_array(n + 1, sizeof *body->recipients);
    body->n_recipients = 0;
    for (size_t i = 0; i < n && !ec; i++) {
        struct mapi_recipient *r = &body->recipients[body->n_recipients++];

        r->row_id = views[i].row_id;
        held_init(&r->props, body->context);
        ec = held_take(&r->props, &views[i].props);
    }
    return ec;
}

static uint32_t copy_part(struct mapi_part *to, const struct mapi_part *from,
                          const struct store_content *stored)
{
    if (from->source == IN_MEMORY) {
        held_copy(&to->props, &from->props);
        return body_copy(from->embedded, &to->embedded);
    }
    return attachment_take(&to->props, &to->embedded, &stored->attachments[from->source]);
}

static uint32_t copy_parts(struct rop_call *call, struct store_read *rd, struct mapi_message *from,
                           struct mapi_message *to)
{
    struct mapi_body *body = &to->body;
    unsigned depth = message_depth(to);
    struct store_content stored;
    uint32_t ec = message_content(call, rd, from, &stored);

    if (!ec)
        ec = message_own_parts(call, rd, from);
    if (!ec)
        ec = message_own_parts(call, rd, to);
    if (ec)
        return ec;
    for (size_t i = 0; i < body->n_parts; i++)
        part_done(&body->parts[i]);
    body->n_parts = 0;
    body->parts = mem_grow(body->parts, from->body.n_parts + 1, sizeof *body->parts);
    body->parts_changed = true;
    for (size_t i = 0; i < from->body.n_parts && !ec; i++) {
        struct mapi_part *part = &body->parts[body->n_parts++];

        *part = (struct mapi_part){.number = body->next_number++, .source = IN_MEMORY};
        held_init(&part->props, body->context);
        ec = copy_part(part, &from->body.parts[i], &stored);
        if (!ec && depth + body_depth(part->embedded) > STORE_CONTENT_DEPTH)
            ec = EC_TOO_COMPLEX;
    }
    return ec;
}

/* Is `to` a message inside of `from`? */
static bool contains(const struct mapi_message *from, const struct mapi_message *to)
{
    for (; to->inside; to = to->inside->message)
        if (to->inside->message == from)
            return true;
    return false;
}

static uint32_t copy_attachment(struct mapi_attachment *from, struct mapi_attachment *to)
{
    struct mapi_body *embedded;

    if (message_depth(to->message) + body_depth(from->embedded) > STORE_CONTENT_DEPTH)
        return EC_TOO_COMPLEX;
    uint32_t ec = body_copy(from->embedded, &embedded);
    if (ec)
        return ec;
    body_free(to->embedded);
    to->embedded = embedded;
    return EC_SUCCESS;
}

uint32_t mapi_message_copy(struct rop_call *call, struct mapi_object *from, struct mapi_object *to,
                           unsigned what)
{
    struct store_read *rd;

    if (from == to)
        return EC_SUCCESS;
    if (from->kind == MAPI_ATTACHMENT)
        return copy_attachment(attachment_of(from), attachment_of(to));
    if (contains(message_of(from), message_of(to)))
        return EC_MESSAGE_CYCLE;
    uint32_t ec = rop_read(call, &rd);
    if (ec)
        return ec;
    if (what & COPY_RECIPIENTS)
        ec = copy_recipients(call, rd, message_of(from), message_of(to));
    if (!ec && (what & COPY_PARTS))
        ec = copy_parts(call, rd, message_of(from), message_of(to));
    store_read_end(rd);
    return ec;
}
