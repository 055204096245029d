/* rop_table.c - operations on tables: [MS-OXCTABL]. */
#include "protocols/mapi/mapi_int.h"

const struct rop_handler mapi_table_handlers[] = {
    {0},
};
