/*
 * http_int.h - shared inside protocols/http/.
 *
 *   session.c   what the driver sees: input by state, time, draining
 *   head.c      a request's head: collected line by line, checked, parsed by the library
 *   target.c    the request target: its forms, percent-decoding
 *   chunk.c     the chunked coding of a request (RFC 9112 7.1)
 *   access.c    routes, and who may use them: Basic through auth
 *   exchange.c  handlers and their steps; the request's body
 *   reply.c     responses: statuses, heads, framing
 *
 * A request goes through these states, in this order:
 *
 *   AT_HEAD -> AT_ACCESS -> AT_WORK -> AT_SKIP -> AT_HEAD ...    (AT_END from any)
 */
#ifndef GATEPOST_PROTOCOLS_HTTP_HTTP_INT_H
#define GATEPOST_PROTOCOLS_HTTP_HTTP_INT_H

#include "base/arena.h"
#include "protocols/http/http.h"

enum {
    HTTP_BODY_HELD = 64 * 1024, /* of a request's body, until the handler uses it */
    HTTP_SKIP_MOST =
        1024 * 1024,             /* of a body that nobody wants, so that the connection can go on */
    HTTP_HEADERS_MAX = 3 * 1024, /* of a handler's own response fields */
    HTTP_OUT_MAX = 16 * 1024 * 1024,
    HTTP_CHUNK_LINE_MAX = 256,        /* a chunk's size with its extensions */
    HTTP_DEFAULT_REQUEST_LINE = 8192, /* RFC 9112 3: at least 8,000 */
    HTTP_DEFAULT_HEAD = 32 * 1024,
    HTTP_DEFAULT_FIELDS = 100,
    HTTP_DEFAULT_BODY = 64 * 1024 * 1024,
    HTTP_DEFAULT_TIMEOUT_MS = 30 * 1000,
    HTTP_DEFAULT_IDLE_MS = 120 * 1000,
    HTTP_DEFAULT_ATTEMPTS = 3,
};

static inline uint64_t http_limit(uint64_t configured, uint64_t otherwise)
{
    return configured ? configured : otherwise;
}

/* ---- chunk.c ---- */

enum http_chunk_state {
    CHUNK_SIZE_FIRST, /* the first digit */
    CHUNK_SIZE,
    CHUNK_BLANK, /* "bad whitespace" before an extension */
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILER, /* at the start of a line */
    CHUNK_TRAILER_LINE,
    CHUNK_TRAILER_LF,
    CHUNK_LAST_LF,
    CHUNK_END,
};

struct http_chunks {
    enum http_chunk_state state;
    uint64_t left;  /* of this chunk */
    uint64_t total; /* of all of them */
    size_t line;    /* bytes of the line of a size, or of all trailers */
    bool in_name;   /* of a trailer field, before its colon */
};

/*
 * Decode up to `room` bytes of content out of *in into `out`, and move *in on. Returns 0, or the
 * status of what is wrong: 400, 413 (beyond max_body), 431 (trailers beyond max_trailers).
 */
unsigned http_chunks_take(struct http_chunks *c, struct slice *in, size_t room, uint64_t max_body,
                          size_t max_trailers, struct buf *out);

/* ---- head.c ---- */

/* What of a head has come. Its bytes are in http_session.head. */
struct http_collector {
    size_t line;  /* where the line that is being collected begins */
    size_t lines; /* complete */
    bool complete;
};

struct http_session;

/* Take lines of a head; returns how much was used. What is wrong is put into s->fault. */
size_t http_head_feed(struct http_session *s, struct slice in);

/* Parse the complete head into the exchange's request. Returns 0 or a status. */
unsigned http_head_parse(struct http_session *s);

/* Is it a token (RFC 9110 5.6.2)? */
bool http_is_token(struct slice s);
bool http_is_field_byte(uint8_t c);

/* ---- target.c ---- */

/* Take a request target apart. Returns 0 or a status. */
unsigned http_target_parse(struct http_exchange *x, struct slice target, bool options);

/* Is it a reg-name or IP literal with an optional port (RFC 9110 7.2)? */
bool http_host_is_valid(struct slice host);

/* Does it name this machine itself, or no name at all: nothing that DNS could have led here? */
bool http_host_is_ours(struct slice host, const char *own_name);

/* ---- the exchange ---- */

struct http_exchange {
    struct http_session *session;
    struct http_request rq;
    struct arena arena; /* of the request's head and the handler */
    const struct http_route *route;
    const struct http_handler *handler; /* NULL: the answer is the engine's own */
    void *state;
    unsigned minor; /* HTTP/1.minor */
    bool options;   /* OPTIONS, which the engine answers */
    bool asterisk;

    /* the request's body */
    struct buf in;
    struct http_chunks chunks;
    uint64_t left; /* with Content-Length */
    bool ended;    /* all of the body has come */
    bool expects;  /* 100 Continue, not sent yet */
    uint64_t came; /* when the last bytes came */

    /* the handler */
    bool due;     /* step is to be called */
    bool started; /* it was, at least once */
    enum http_next next;
    uint64_t wake_at;

    /* the response */
    unsigned status;
    struct buf headers, out;
    bool has_length, chunked, head_sent, last_sent, refused;
    uint64_t length, put; /* put: sent of the body */
};

/* ---- session.c ---- */

enum http_session_state { AT_HEAD, AT_ACCESS, AT_WORK, AT_SKIP, AT_END };

struct http_session {
    struct session base;
    const struct session_env *env;
    const struct http_site *site;
    enum http_session_state state;
    struct buf head; /* of a request, while its exchange lasts */
    struct http_collector collector;
    struct http_exchange x;
    unsigned fault; /* status of what is wrong with what came; the connection ends with it */
    bool close;     /* after this response */
    bool draining, gone;
    bool held;       /* input was offered that could not be used yet */
    size_t skipped;  /* of a body that nobody wants */
    uint64_t active; /* mono_ms: of the end of the last exchange, or the start of a head */

    /* log-on (access.c) */
    struct auth_attempt *attempt;
    bool attempt_done;
    unsigned failures;
    bool decided;           /* somebody was let in or turned away, or nobody had to log on */
    struct auth_pass *pass; /* of the last good verdict */
    struct slice identity;  /* own memory; counted in while not empty */
    uint64_t mailbox_id;
};

/* ---- access.c ---- */

enum http_gate { GATE_OPEN, GATE_WAIT, GATE_REFUSED };

/* Find the route, and begin to find out who asks. GATE_REFUSED: the answer is put. */
enum http_gate http_access_begin(struct http_session *s);
/* The attempt has its verdict. */
enum http_gate http_access_decide(struct http_session *s);
void http_access_done(struct http_session *s);

/* ---- exchange.c ---- */

void http_exchange_begin(struct http_session *s);
/* The gate is open: make the handler's state. */
void http_exchange_admit(struct http_session *s);
void http_exchange_end(struct http_session *s);

/* Bytes of the body; returns how many were used. */
size_t http_exchange_feed(struct http_session *s, struct slice in);

/* The handler is done with, whatever is left of the exchange. */
void http_exchange_release(struct http_exchange *x);

/* Steps and output, as far as they go now. True: the response is whole; else *next is wanted. */
bool http_exchange_run(struct http_session *s, struct buf *out, size_t high,
                       enum session_next *next);

/* When to look at the exchange again. */
uint64_t http_exchange_deadline(const struct http_session *s);

/* ---- reply.c ---- */

const char *http_reason(unsigned status);

/* Put what is ready of head and body. True: all of it went out. */
bool http_reply_pump(struct http_exchange *x, struct buf *out, size_t high);

#endif
