/*
 * net.h - listeners, workers and connections: bytes between sockets and sessions.
 *
 * N workers, each one thread with one libuv loop and its own listening sockets (SO_REUSEPORT).
 * A connection lives on one worker from accept to close. What a session puts out is pulled only
 * as fast as the peer reads; what a peer sends is read only as fast as the session uses it. TLS
 * and DEFLATE lie between, and a session knows of them what struct session_env tells.
 *
 * Threads    The net_server functions are called by one thread, that of main. The server makes
 *            its workers itself.
 * Ownership  What a configuration points to is copied, except store, auth and log, which outlive
 *            the server.
 * Errors     Where an err is not enough for an administrator, `why` gets a sentence.
 */
#ifndef GATEPOST_GATEWAY_NET_NET_H
#define GATEPOST_GATEWAY_NET_NET_H

#include "gateway/net/address.h"
#include "gateway/net/tls.h"
#include "protocols/session.h"

/* What a listener speaks. */
struct net_protocol {
    const char *name; /* "imap" */
    enum auth_protocol id;
    const char *alpn;  /* enforced where the client offers ALPN (RFC 7301); NULL: none is known */
    struct slice busy; /* what a client is told that cannot be served now, with its CRLF */
    bool no_starttls;  /* there is no such command in it */
    bool observes;     /* for those who watch the server: served while it drains, not waited for */
    struct session *(*session_new)(const struct session_env *env);
};

enum net_tls_mode { NET_TLS_NONE, NET_TLS_STARTTLS, NET_TLS_IMPLICIT };

struct net_listener_config {
    const char *name;
    const struct net_protocol *protocol;
    const char *address; /* IPv4, IPv6, or "*": all of both */
    uint16_t port;       /* 0: any (tests) */
    const char *path;    /* of a Unix socket, instead of address and port; or NULL */
    unsigned path_mode;  /* permissions of the Unix socket */
    enum net_tls_mode tls_mode;
    const struct net_tls_config *tls; /* NULL with NET_TLS_NONE */
    bool plaintext_ok;                /* log-on without TLS */
    unsigned mechanisms;              /* offered, as in struct auth_peer; 0: all */
    bool compress_ok;                 /* COMPRESS may be offered */
    bool proxy;                       /* the PROXY protocol comes first ... */
    const struct network *proxy_from; /* ... from these; others are refused */
    size_t n_proxy_from;
};

struct net_config {
    unsigned workers; /* 0: one per core */
    const char *host_name;
    const struct net_listener_config *listeners;
    size_t n_listeners;
    struct session_limits limits;
    unsigned max_connections;             /* 0: as many as there are files */
    unsigned max_connections_per_address; /* 0: no bound */
    const struct network *trusted;        /* exempt from the bound per address and from back-off */
    size_t n_trusted;
    const struct network *no_logon; /* session_env.no_logon: of these, and of Unix sockets */
    size_t n_no_logon;
    bool pop3_marks_read;          /* session_env.pop3_marks_read */
    uint64_t handshake_timeout_ms; /* TLS and PROXY header; 0: 30,000 */
    uint64_t write_timeout_ms;     /* a peer that takes nothing; 0: 300,000 */
};

struct net_server;

/* Room for net_server_instance()'s digits. */
enum { NET_INSTANCE = 9 };

/*
 * Bind all listeners; nothing is accepted yet, and privileges may be dropped after it.
 * ERR_EXISTS: an address is in use. ERR_DENIED. ERR_INVALID: certificates, addresses.
 */
struct err net_server_new(const struct net_config *config, struct log *log, struct buf *why,
                          struct net_server **out) MUST_USE;

/* What sessions work with; see protocols/session.h. */
struct net_services {
    struct store *store;
    struct auth *auth;
    struct ops_source *ops;
    struct mapi *mapi;
};

/* Start the workers. */
void net_server_start(struct net_server *server, const struct net_services *services);

/*
 * Take a new configuration over: certificates, limits and policies for connections that come,
 * listeners that are new, gone or changed. All or nothing; connections go on. The number of
 * workers stays.
 */
struct err net_server_reload(struct net_server *server, const struct net_config *config,
                             struct buf *why) MUST_USE;

/*
 * Stop accepting, tell every session to finish, and wait until they did or `timeout_ms` has
 * passed; then what is left is cut off. Until then protocols that observe are served on. Workers
 * go on as executors, for answers of store and auth that come late.
 */
void net_server_drain(struct net_server *server, uint64_t timeout_ms);

/* Any thread: a net_server_drain() that waits, or comes, waits no longer. */
void net_server_hurry(struct net_server *server);

/* Run what has been posted to the workers until now. */
void net_server_settle(struct net_server *server);

/* Stop the workers. After net_server_drain(), or without net_server_start(). */
void net_server_free(struct net_server *server);

/* Which daemon this is: eight hexadecimal digits, others at each start. */
const char *net_server_instance(const struct net_server *server);

/* The port that a listener got, by its name; 0: there is none. */
uint16_t net_server_port(const struct net_server *server, const char *listener);

struct net_stats {
    uint64_t connections;  /* now */
    uint64_t accepted;     /* ever */
    uint64_t refused;      /* limits */
    uint64_t tls_failures; /* handshakes */
    uint64_t bytes_in, bytes_out;
};

/* Any thread; figures of running connections are included when they end. */
void net_server_stats(struct net_server *server, struct net_stats *out);

/* Connections that are alike. */
struct net_crowd {
    char *listener;
    const char *protocol, *tls; /* "none" or TLS's version; static */
    uint64_t connections, logged_on;
};

/* What the connections of one protocol have done, those that go on too. */
struct net_traffic {
    const char *protocol; /* static; NULL: it has none */
    uint64_t closed;
    uint64_t bytes_in, bytes_out;
    struct session_summary did; /* `user` and `end` are NULL */
};

/* When the first of the certificates of a listener with TLS ends. */
struct net_cert_end {
    char *listener;
    int64_t ends_unix;
};

struct net_census {
    unsigned workers, answering; /* a worker that does not answer is stuck */
    bool draining;
    struct net_crowd *crowds;
    size_t n_crowds;
    struct net_cert_end *certs;
    size_t n_certs;
    struct net_traffic traffic[AUTH_PROTOCOLS]; /* by auth_protocol_index() */
};

/*
 * Ask every worker to count its connections, and wait for those that answer within `timeout_ms`.
 * Nothing is counted at any other time. Any thread but a worker's; the server has been started.
 */
void net_server_census(struct net_server *server, uint64_t timeout_ms, struct net_census *out);
void net_census_done(struct net_census *census);

/*
 * Would binding these fail? Binds all, then closes them; `finding` is told what would. For
 * `gatepost check`, also while the daemon runs: then its own ports are busy, and are told so.
 */
void net_probe(const struct net_config *config, void (*finding)(void *ctx, const char *text),
               void *ctx);

/* Let the process have as many files as its hard limit allows; returns how many that are. */
uint64_t net_raise_file_limit(void);

#endif
