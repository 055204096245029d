/* rop_notify.c - operations on notifications: [MS-OXCNOTIF]. */
#include "protocols/mapi/mapi_int.h"

const struct rop_handler mapi_notify_handlers[] = {
    {0},
};
