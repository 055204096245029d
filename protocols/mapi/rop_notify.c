/* rop_notify.c - operations on notifications: [MS-OXCNOTIF]. */
#include <stdlib.h>

#include "base/mem.h"
#include "protocols/mapi/notify.h"

struct subscription {
    struct mapi_object object;
    struct notify_scope *scope; /* NULL: not registered */
};

static void free_subscription(struct mapi_object *object)
{
    struct subscription *s = (struct subscription *)object;

    if (s->scope)
        notify_remove(object->logon, s->scope);
    free(s);
}

static uint32_t check_scope(const struct rop_register_notification *rq)
{
    uint64_t counter;
    uint32_t ec = rq->whole ? EC_SUCCESS : rop_counter(rq->folder, &counter);

    if (!ec && !rq->whole && rq->message)
        ec = rop_counter(rq->message, &counter);
    return ec;
}

static uint32_t read_info(struct rop_call *call, struct mailbox_info *info)
{
    struct store_read *rd;
    uint32_t ec = rop_read(call, &rd);

    if (ec)
        return ec;
    ec = mapi_ec_of(store_mailbox_info(rd, info));
    store_read_end(rd);
    return ec;
}

/* [MS-OXCNOTIF] 3.1.5.1 */
static uint32_t register_notification(struct rop_call *call)
{
    const struct rop_register_notification *rq = call->fields;
    struct mailbox_info info;
    struct subscription *s;
    uint32_t ec = check_scope(rq);

    if (!ec)
        ec = read_info(call, &info);
    if (ec)
        return ec;
    s = mem_new(sizeof *s);
    s->object = (struct mapi_object){.kind = MAPI_SUBSCRIPTION, .free = free_subscription};
    ec = rop_open(call, &s->object, NULL);
    if (ec)
        return ec;
    s->scope = mem_new(sizeof *s->scope);
    *s->scope = (struct notify_scope){.handle = s->object.handle,
                                      .types = rq->events,
                                      .whole = rq->whole,
                                      .fid = rq->whole ? 0 : rq->folder,
                                      .mid = rq->whole ? 0 : rq->message,
                                      .since = info.counter};
    notify_add(call->logon, s->scope);
    return EC_SUCCESS;
}

const struct rop_handler mapi_notify_handlers[] = {
    {ROP_RegisterNotification, MAPI_ANY, 0, EC_NULL_OBJECT, 0, register_notification},
    {.run = NULL},
};
