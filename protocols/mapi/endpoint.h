/*
 * endpoint.h - a request of MAPI/HTTP: its headers, cookies and context, and the frame of its
 * answer
 * ([MS-OXCMAPIHTTP] 2.2.2, 2.2.3, 3.2.5).
 *
 * Both doors are lists of operations, by X-RequestType. An operation is begun when its body is
 * whole; it answers at once or later. What it puts into x->reply is the body behind DONE.
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_ENDPOINT_H
#define GATEPOST_PROTOCOLS_MAPI_ENDPOINT_H

#include "protocols/http/http.h"
#include "protocols/mapi/context.h"

/* X-ResponseCode ([MS-OXCMAPIHTTP] 2.2.3.3.3) */
enum mapi_response_code {
    RESPONSE_OK = 0,
    RESPONSE_UNKNOWN_FAILURE = 1,
    RESPONSE_INVALID_VERB = 2,
    RESPONSE_INVALID_PATH = 3,
    RESPONSE_INVALID_HEADER = 4,
    RESPONSE_INVALID_REQUEST_TYPE = 5,
    RESPONSE_INVALID_COOKIE = 6,
    RESPONSE_MISSING_HEADER = 7,
    RESPONSE_ANONYMOUS = 8,
    RESPONSE_TOO_LARGE = 9,
    RESPONSE_NO_CONTEXT = 10,
    RESPONSE_NO_PRIVILEGE = 11,
    RESPONSE_INVALID_BODY = 12,
    RESPONSE_MISSING_COOKIE = 13,
    RESPONSE_INVALID_SEQUENCE = 15,
    RESPONSE_ENDPOINT_DISABLED = 16,
    RESPONSE_SHUTTING_DOWN = 18,
};

enum mapi_needs {
    NEEDS_NOTHING, /* PING: of a context where there is one */
    NEEDS_NEW,     /* makes a context, and ends one that its cookie names */
    NEEDS_CONTEXT,
    NEEDS_SEQUENCE, /* and its turn: one at a time */
};

struct mapi_exchange;

struct mapi_operation {
    const char *name; /* of X-RequestType */
    enum mapi_needs needs;
    /*
     * Begin. `body` lives until the exchange ends. It ends in endpoint_answer(), before this
     * returns or later on the same thread.
     */
    void (*run)(struct mapi_exchange *x, struct slice body);
    /*
     * Of one that may be kept waiting: answer now. The time of x->wake_ms has come, the server
     * drains, or nobody waits for it any more. NULL: it runs to its end.
     */
    void (*give_up)(struct mapi_exchange *x);
};

/* Outlives the HTTP exchange that brought it where the operation goes on without. */
struct mapi_exchange {
    struct http_exchange *http; /* NULL: the client has gone */
    struct mapi *mapi;
    struct executor *home;
    const struct mapi_operation *operation;
    struct mapi_context *context; /* held; NULL: none */
    struct arena arena;
    struct buf in, reply;
    void *state;       /* the operation's */
    uint64_t wake_ms;  /* mono_ms; UINT64_MAX: never */
    bool ends_context; /* Disconnect, Unbind */
    /* endpoint.c's */
    enum { EXCHANGE_READS, EXCHANGE_RUNS, EXCHANGE_ANSWERED, EXCHANGE_ENDED } stage;
    uint64_t began_ms, pending_ms;
    uint64_t began; /* FILETIME */
    uint64_t sequence;
    enum mapi_response_code code;
};

/* The reply is whole. With another code than RESPONSE_OK there is no body. */
void endpoint_answer(struct mapi_exchange *x, enum mapi_response_code code);

extern const struct http_handler mapi_emsmdb_handler, mapi_nspi_handler;

/* The operations of each door; the last has no name. */
extern const struct mapi_operation mapi_emsmdb_operations[], mapi_nspi_operations[];

/* Autodiscover ([MS-OXDSCLI]): autodiscover.c */
extern const struct http_handler mapi_autodiscover_handler, mapi_autodiscover_json_handler;

#endif
