/* rop_stream.c - operations on streams: [MS-OXCPRPT] 3.2.5. */
#include "protocols/mapi/mapi_int.h"

const struct rop_handler mapi_stream_handlers[] = {
    {.run = NULL},
};
