/*
 * execute.h - a ROP buffer is run: [MS-OXCROPS] 3.2.5, [MS-OXCRPC] 3.1.4.2.
 *
 * The buffer is read whole before anything in it is run. What is run is run to its end, whether or
 * not somebody still waits for the answer.
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_EXECUTE_H
#define GATEPOST_PROTOCOLS_MAPI_EXECUTE_H

#include "protocols/mapi/context.h"

struct mapi_execute {
    struct mapi_context *context; /* begun: context_begin() */
    struct executor *home;
    uint64_t now;     /* FILETIME */
    struct slice in;  /* RopBuffer, with its RPC_HEADER_EXT; lives until done */
    uint32_t max_out; /* MaxRopOut */
    void (*done)(struct mapi_execute *ex); /* may come before mapi_execute_start() returns */
    void *owner;
    struct log *log; /* each operation is told there at LOG_LEVEL_DEBUG; NULL: nowhere */
    const char *session;
    uint32_t status, ec; /* out: StatusCode, ErrorCode */
    struct buf out;      /* out: RopBuffer of the response; the caller's to free */
    /* execute.c's */
    struct arena arena;
    struct rop_call call;
    struct rop_request *requests;
    size_t *ends;     /* of each request, in `rops` */
    size_t *reserves; /* room to be kept for each and those behind it */
    size_t n, at;
    uint32_t worked_on; /* the handle of the one at `at` */
    struct slice rops;
    uint32_t *handles;
    size_t n_handles;
    struct buf list; /* responses */
    size_t most;     /* bytes that they may take */
    struct mapi_object *releasing;
    bool stopped;
};

void mapi_execute_start(struct mapi_execute *ex);

#endif
