/* rop_search.c - operations on search folders: [MS-OXCFOLD] 2.2.1.4. */
#include "protocols/mapi/mapi_int.h"

const struct rop_handler mapi_search_handlers[] = {
    {.run = NULL},
};
