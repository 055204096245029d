/* rop_transport.c - operations on sending: [MS-OXOMSG]. */
#include "protocols/mapi/mapi_int.h"

const struct rop_handler mapi_transport_handlers[] = {
    {.run = NULL},
};
