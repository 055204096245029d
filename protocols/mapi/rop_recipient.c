/* rop_recipient.c - operations on recipients: [MS-OXCMSG] 3.2.5.4. */
#include "protocols/mapi/mapi_int.h"

const struct rop_handler mapi_recipient_handlers[] = {
    {.run = NULL},
};
