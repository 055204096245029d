/* rop_notify.c - operations on notifications: [MS-OXCNOTIF]. */
#include "protocols/mapi/mapi_int.h"

bool mapi_notify_put(struct mapi_context *context, const struct value_form *form, struct buf *out,
                     size_t room, struct arena *arena)
{
    (void)context;
    (void)form;
    (void)out;
    (void)room;
    (void)arena;
    return false;
}

bool mapi_notify_is_pending(struct mapi_context *context)
{
    (void)context;
    return false;
}

const struct rop_handler mapi_notify_handlers[] = {
    {.run = NULL},
};
