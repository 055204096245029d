/* rop_permission.c - operations on permissions: [MS-OXCPERM]. */
#include "protocols/mapi/mapi_int.h"

const struct rop_handler mapi_permission_handlers[] = {
    {.run = NULL},
};
