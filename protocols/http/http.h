/*
 * http.h - HTTP/1.1 (RFC 9110, RFC 9112) for front ends that are carried by it: ops, and MAPI/HTTP.
 *
 * A front end is a site: a table of routes, each with a handler. The engine does all that is
 * HTTP: heads and their limits, framing both ways, Expect, HEAD, keep-alive and pipelining,
 * time-outs, draining, Basic authentication (RFC 7617). A handler sees one request at a time as
 * an exchange: it takes the request's body as fast as it likes, and puts a response as fast as
 * the client reads it, at once or minutes later.
 *
 * A handler is one function, called whenever something can go on: at the start, when bytes of
 * the body have come or it has ended, when what was put has gone out, after http_wake(), at the
 * time of http_wake_at(), and when the client has gone or the server drains. It says what it
 * waits for:
 *
 *   HTTP_MORE   more of the request's body, or room for more output
 *   HTTP_WAIT   http_wake(), the time it asked for, or an end: nothing else
 *   HTTP_DONE   the response is whole
 *   HTTP_ABORT  it cannot be completed: the client sees the connection break, never a response
 *               that looks whole (but to HTTP/1.0, which knows no other end of an unknown length)
 *
 * Nothing that a client sent is ever part of a response, unless a handler puts it there.
 *
 * Threads    As protocols/session.h says. http_wake() is called on the session's thread.
 * Ownership  An exchange lives until its handler's `done` returns. Slices of the request live as
 *            long as it.
 */
#ifndef GATEPOST_PROTOCOLS_HTTP_HTTP_H
#define GATEPOST_PROTOCOLS_HTTP_HTTP_H

#include "protocols/session.h"

/* ---- what a front end is ---- */

enum http_verb {
    HTTP_VERB_GET = 1 << 0, /* HEAD is answered as GET without its body (RFC 9110 9.3.2) */
    HTTP_VERB_POST = 1 << 1,
};

enum http_access {
    HTTP_OPEN,  /* anybody */
    HTTP_LOGON, /* who logs on, and where session_env.no_logon says so, anybody from here */
    HTTP_USER,  /* who logs on */
};

struct http_exchange;

enum http_next { HTTP_MORE, HTTP_WAIT, HTTP_DONE, HTTP_ABORT };

struct http_handler {
    const char *name;
    size_t state_size; /* zeroed memory of http_state() */
    enum http_next (*step)(struct http_exchange *x);
    /* The exchange ends, whole or not: let go of everything. Nothing is called after it. NULL. */
    void (*done)(struct http_exchange *x);
};

struct http_route {
    unsigned methods;
    const char *path; /* as decoded; with "*" at its end: whatever begins like it */
    enum http_access access;
    const struct http_handler *handler;
    const char *what; /* for docs/protocols */
};

struct http_site {
    const char *name;  /* of the session: "ops" */
    const char *realm; /* of WWW-Authenticate */
    const struct http_route *routes;
    size_t n_routes;
    const char *headers; /* complete lines for every response, each with its CRLF */
};

/* `site` outlives the session. */
struct session *http_session_new(const struct session_env *env,
                                 const struct http_site *site) MUST_USE;

/* ---- the request ---- */

struct http_field {
    struct slice name, value; /* the value without blanks around it */
};

struct http_request {
    enum http_verb method;
    bool head_only;     /* it was HEAD */
    struct slice path;  /* percent-decoded, UTF-8, without control characters */
    struct slice query; /* behind '?', as it came */
    struct slice host;  /* of the target or of Host, with its port; empty in HTTP/1.0 */
    bool has_length, chunked;
    uint64_t length; /* with has_length */
    const struct http_field *fields;
    size_t n_fields;
    /* who logged on; empty where nobody had to */
    struct slice identity;
    uint64_t mailbox_id;
};

const struct http_request *http_request(const struct http_exchange *x);

/* The value of the first field of that name; empty where there is none. */
struct slice http_field(const struct http_exchange *x, const char *name);

/* Bytes of the body that have come and were not used yet. */
struct slice http_body(const struct http_exchange *x);
void http_body_used(struct http_exchange *x, size_t n);
/* All of it has come (what http_body() gives is the last). */
bool http_body_ended(const struct http_exchange *x);

/* ---- the response ---- */

/* First of all, once. */
void http_status(struct http_exchange *x, unsigned status);

/* A field of the head. `value` may hold no control characters (RFC 9110 5.5): they are left out. */
void http_header(struct http_exchange *x, const char *name, struct slice value);

/*
 * How long the body will be, where that is known before it is put. Without it the engine counts
 * what a handler put that is done at once, and sends all else in chunks (RFC 9112 7.1).
 */
void http_length(struct http_exchange *x, uint64_t length);

/* Where the body is put. What is there when step returns goes out. */
struct buf *http_out(struct http_exchange *x);

/* How much may be put now; a step that puts more than this is only less fair. */
size_t http_room(const struct http_exchange *x);

/* A whole response of a fixed text. */
enum http_next http_answer(struct http_exchange *x, unsigned status, const char *type,
                           struct slice body);

/* The engine's own short answer, in plain text, with Retry-After where the status has one. */
enum http_next http_refuse(struct http_exchange *x, unsigned status);

/* ---- the exchange ---- */

void *http_state(struct http_exchange *x);
const struct session_env *http_env(const struct http_exchange *x);
/* Memory that goes with the exchange. */
struct arena *http_arena(struct http_exchange *x);

/* Call step again. At any time until `done`, also from inside step. */
void http_wake(struct http_exchange *x);

/* Call step at this time (mono_ms) at the latest; UINT64_MAX: no more. */
void http_wake_at(struct http_exchange *x, uint64_t mono_ms);

/* The client closed its side: it may be there still and read, but nothing more will come. */
bool http_client_gone(const struct http_exchange *x);

/* The server stops: answer as soon as can be. */
bool http_draining(const struct http_exchange *x);

#endif
