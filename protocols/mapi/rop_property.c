/* rop_property.c - operations on properties and their names: [MS-OXCPRPT]. */
#include "protocols/mapi/mapi_int.h"

const struct rop_handler mapi_property_handlers[] = {
    {.run = NULL},
};
