/* rop_logon.c - operations on log-on, ids, receive folders: [MS-OXCSTOR]. */
#include "protocols/mapi/mapi_int.h"

const struct rop_handler mapi_logon_handlers[] = {
    {0},
};
