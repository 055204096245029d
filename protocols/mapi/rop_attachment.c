/* rop_attachment.c - operations on attachments and embedded messages: [MS-OXCMSG]. */
#include "protocols/mapi/mapi_int.h"

const struct rop_handler mapi_attachment_handlers[] = {
    {.run = NULL},
};
