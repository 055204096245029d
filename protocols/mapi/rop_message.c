/* rop_message.c - operations on messages: [MS-OXCMSG]. */
#include "protocols/mapi/mapi_int.h"

const struct rop_handler mapi_message_handlers[] = {
    {.run = NULL},
};
