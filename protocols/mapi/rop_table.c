/* rop_table.c - operations on tables: [MS-OXCTABL]. */
#include "protocols/mapi/mapi_int.h"

uint32_t mapi_table_open_rows(struct rop_call *call, struct mapi_rows *rows,
                              struct mapi_object *parent)
{
    (void)call;
    (void)rows;
    (void)parent;
    return EC_NOT_IMPLEMENTED;
}

const struct rop_handler mapi_table_handlers[] = {
    {.run = NULL},
};
