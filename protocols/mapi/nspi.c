/* nspi.c - the requests of the address book ([MS-OXCMAPIHTTP] 2.2.5). */
#include "protocols/mapi/endpoint.h"

const struct mapi_operation mapi_nspi_operations[] = {
    {.name = NULL},
};
