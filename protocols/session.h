/*
 * session.h - what drives a protocol, and what a protocol sees of the world.
 *
 * A session is a state machine over bytes. It holds no socket, starts no thread and reads no
 * clock: it is fed what the peer sent, asked for what to send while there is room, told the time,
 * and woken when an answer it waits for is there. The gateway, a unit test, a transcript and a
 * fuzzer drive the very same code.
 *
 * Threads    A session lives on one thread, that of its executor. Everything here is called on it.
 * Ownership  The driver makes a session with the protocol's *_session_new(), and frees it by
 *            ops->free(). A session that waits for the store or auth when it is freed sees to it
 *            itself that the late answer finds nobody.
 */
#ifndef GATEPOST_PROTOCOLS_SESSION_H
#define GATEPOST_PROTOCOLS_SESSION_H

#include "auth/auth.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/log.h"
#include "base/slice.h"
#include "store/store.h"

/* What a session wants after it was pulled. */
enum session_next {
    NEXT_READ,     /* more input, or nothing but time and wake-ups */
    NEXT_PULL,     /* it has more output than there was room for */
    NEXT_WAIT,     /* an answer of store or auth: feed nothing more, the driver will be woken */
    NEXT_TLS,      /* send what was put out, drop all input that came in clear, start TLS */
    NEXT_COMPRESS, /* send what was put out; from here on DEFLATE both ways (RFC 4978) */
    NEXT_CLOSE,    /* send what was put out, then close */
};

struct session;

struct session_ops {
    const char *name; /* "imap" */
    /*
     * Take input: returns how many bytes it used, and may use none until it was pulled. It is
     * then fed the rest again, with what came meanwhile behind it. It uses all that it can.
     */
    size_t (*feed)(struct session *s, struct slice in);
    /* Append up to about `room` bytes of output (never more than room + 4,096). */
    enum session_next (*pull)(struct session *s, struct buf *out, size_t room);
    /* Time has passed. Returns when to be told next (mono_ms), or UINT64_MAX. */
    uint64_t (*tick)(struct session *s);
    /* TLS has started (implicit TLS: before the first pull), or its parameters are known. */
    void (*tls_started)(struct session *s);
    /* The peer closed its side, or the connection broke: nothing more will come. */
    void (*closed)(struct session *s);
    /* The server stops: finish what is running, say so in the protocol's words, then close. */
    void (*drain)(struct session *s);
    void (*free)(struct session *s);
};

/* The head of every protocol's session. */
struct session {
    const struct session_ops *ops;
};

/* For whom a proxy speaks, as it says in the protocol: texts, empty where it does not say. */
struct session_origin {
    struct slice client, client_port; /* the address of the client, seen by the proxy */
    struct slice server, server_port; /* the proxy's own, which the client connected to */
    struct slice session;             /* what the proxy calls the session */
};

enum { SESSION_ORIGIN_NAME = 128 }; /* no more of session_origin.session is kept */

/* The driver's side. */
struct session_host {
    /* Pull me: I have output or want input again. May be called at any time on home, also from
     * inside feed or pull; the driver then pulls after it returns. */
    void (*wake)(struct session_host *host);
    /*
     * Before log-on: the peer says for whom it speaks. A peer that is trusted is believed (the
     * facts in session_env.peer change), another is not, and both end as OK. ERR_LIMIT: it is
     * believed, and the client's address has as many connections as it may. NULL: nobody is
     * believed.
     */
    struct err (*originate)(struct session_host *host, const struct session_origin *origin);
};

/* Limits, from the configuration; see docs/manual. */
struct session_limits {
    size_t max_line;               /* IMAP: a command without literals; 0: 65,536 */
    size_t max_literal;            /* one literal outside APPEND; 0: 131,072 */
    size_t max_command;            /* all of a command with its literals; 0: 1 MiB */
    size_t max_before_logon;       /* memory of a session before log-on; 0: 16,384 */
    uint64_t max_message;          /* APPEND, DATA; 0: 64 MiB */
    unsigned max_bad_before_logon; /* bad commands, then close; 0: 3 */
    unsigned max_attempts;         /* failed log-ons, then close; 0: 3 */
    uint64_t logon_timeout_ms;     /* 0: 60,000 */
    uint64_t idle_timeout_ms;    /* POP3 10 min, IMAP 30 min (RFC 1939 3, RFC 9051 5.4), HTTP 2 min
                                    between requests; 0: those */
    size_t max_request_line;     /* HTTP; 0: 8,192 */
    size_t max_request_head;     /* HTTP: all fields together; 0: 32,768 */
    unsigned max_request_fields; /* HTTP; 0: 100 */
    uint64_t max_request_body;   /* HTTP; 0: 64 MiB */
    uint64_t request_timeout_ms; /* HTTP: a head, or a pause in a body; 0: 30,000 */
};

/* All that a session sees of the world. The driver keeps it in place while the session lives. */
struct session_env {
    struct session_host *host;
    struct executor *home;
    const struct clock *clock;
    struct store *store;
    struct auth *auth;
    struct log *log;
    struct auth_peer *peer; /* kept up to date by the driver (TLS) and the session (client_name) */
    const struct session_limits *limits;
    const char *host_name; /* for greetings */
    const char *instance;  /* which daemon this is, for greetings too; or NULL */
    bool tls_available;   /* STARTTLS/STLS can be offered here: not on TLS yet, certificate there */
    bool compress_ok;     /* COMPRESS may be offered */
    bool pop3_marks_read; /* RETR: the message is read, as all protocols see it */
    bool no_logon;        /* the peer may use without a log-on what operators see (HTTP_LOGON) */
    /* filled by the session, logged by the driver in its one line when the session ends */
    struct session_summary *summary;
    struct ops_source *ops; /* what operators may see; NULL where nobody may */
    struct mapi *mapi;      /* the MAPI front end; NULL where there is none */
};

/* The end of a greeting: " (5f3a2b1c)", by which it is known whose daemon answered. */
static inline void session_put_instance(const struct session_env *env, struct buf *out)
{
    if (env->instance)
        buf_printf(out, " (%s)", env->instance);
}

struct ops_source; /* protocols/ops/ops.h */
struct mapi;       /* protocols/mapi/mapi.h */

struct session_summary {
    char *user;      /* canonical; freed by the driver */
    const char *end; /* why it ended: "logout", "timeout", "lost", "shutdown", ... */
    uint64_t commands, fetched, fetched_bytes, stored, expunged, appended;
};

#endif
