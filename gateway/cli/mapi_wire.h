/*
 * mapi_wire.h - a MAPI/HTTP session as a client has it ([MS-OXCMAPIHTTP] 3.1): requests over
 * libcurl, and remote operations one at a time.
 *
 * Of the server it shares the tables of the codec alone (protocols/mapi/rop.h).
 *
 * Threads    One; every call waits.
 * Errors     A function that returns false has told why in `why`.
 */
#ifndef GATEPOST_GATEWAY_CLI_MAPI_WIRE_H
#define GATEPOST_GATEWAY_CLI_MAPI_WIRE_H

#include <curl/curl.h>

#include "gateway/config.h"
#include "protocols/mapi/ec.h"
#include "protocols/mapi/rop.h"

enum { MAPI_WIRE_HANDLES = 16 };

struct mapi_wire {
    CURL *curl;
    struct curl_slist *headers; /* of the request under way */
    struct buf url, in;
    int code;                            /* X-ResponseCode; -1: there was none */
    unsigned number;                     /* of requests */
    uint32_t handles[MAPI_WIRE_HANDLES]; /* the table, sent and taken over with every Execute */
    struct arena arena;                  /* of all that was read */
    struct slice dn_prefix;              /* of the server's distinguished names; lives in `own` */
    struct arena own;
    char why[400];
};

/*
 * Connect to `url` ("https://host:port"), or where it is NULL to the first listener that speaks
 * MAPI, whose certificate must be one of the configuration's. NULL `config`: there is a url.
 */
bool mapi_wire_open(struct mapi_wire *w, const struct config *config, const char *url,
                    const char *user, struct slice secret);
void mapi_wire_close(struct mapi_wire *w);

/* A request of this X-RequestType; the body of its answer lives until the next. */
bool mapi_wire_request(struct mapi_wire *w, const char *type, struct slice body,
                       struct slice *answer);

/* NotificationWait: *pending: there is something, and the next Execute brings it. */
bool mapi_wire_wait(struct mapi_wire *w, bool *pending);

/* An Execute with these operations as bytes (may be none); *rops: its responses as bytes. */
bool mapi_wire_execute(struct mapi_wire *w, struct slice ask, struct slice *rops);

/*
 * One operation. `in` and `out` are indexes of the table; `reply` gets its struct rop_NAME_reply
 * (NULL: not wanted). `columns` are those of rows in it. False also where the operation failed.
 */
bool mapi_wire_rop(struct mapi_wire *w, uint8_t rop, uint8_t in, uint8_t out, const void *fields,
                   const struct rop_numbers *columns, const void **reply);

extern const struct value_form mapi_wire_form;

#endif
