/* message_none.c - until message.c is there, which replaces it: no message can be opened. */
#include "protocols/mapi/message.h"

uint32_t mapi_message_get(struct rop_call *call, struct store_read *rd, struct mapi_object *object,
                          uint32_t tag, struct store_prop *out)
{
    (void)call, (void)rd, (void)object, (void)tag, (void)out;
    return EC_NOT_FOUND;
}

uint32_t mapi_message_list(struct rop_call *call, struct store_read *rd, struct mapi_object *object,
                           struct store_prop **out, size_t *n)
{
    (void)call, (void)rd, (void)object, (void)out, (void)n;
    return EC_NOT_FOUND;
}

uint32_t mapi_message_change(struct rop_call *call, struct store_read *rd,
                             struct mapi_object *object, struct store_prop_change *changes,
                             size_t n)
{
    (void)call, (void)rd, (void)object, (void)changes, (void)n;
    return EC_ACCESS_DENIED;
}

bool mapi_message_is_writable(const struct mapi_object *object)
{
    (void)object;
    return false;
}
