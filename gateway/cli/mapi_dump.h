/*
 * mapi_dump.h - operations and notifications of MAPI for people to read, by the codec's tables.
 */
#ifndef GATEPOST_GATEWAY_CLI_MAPI_DUMP_H
#define GATEPOST_GATEWAY_CLI_MAPI_DUMP_H

#include <stdio.h>

#include "base/utf.h"
#include "protocols/mapi/rop.h"

/* Text that somebody sent: without what a terminal would act on, and at most `width` characters. */
void mapi_dump_text(FILE *out, struct slice text, size_t width);

/* A ROP list as requests; false: it could not be read to its end. */
bool mapi_dump_requests(FILE *out, struct slice rops, const struct value_form *form,
                        struct arena *in);

/* Responses to those requests, and what notifies behind them. */
bool mapi_dump_responses(FILE *out, struct slice requests, struct slice responses,
                         const struct value_form *form, struct arena *in);

/*
 * A line for each RopNotify ([MS-OXCNOTIF] 2.2.1.4.1.2). Returns how many there were; the rest of
 * what is not understood is left out.
 */
size_t mapi_dump_events(FILE *out, struct slice events);

#endif
