/* rop_folder.c - operations on folders: [MS-OXCFOLD]. */
#include "protocols/mapi/mapi_int.h"

const struct rop_handler mapi_folder_handlers[] = {
    {.run = NULL},
};
