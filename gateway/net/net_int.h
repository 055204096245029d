/* net_int.h - what the files of gateway/net share. */
#ifndef GATEPOST_GATEWAY_NET_NET_INT_H
#define GATEPOST_GATEWAY_NET_NET_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "gateway/net/deflate.h"
#include "gateway/net/heap.h"
#include "gateway/net/net.h"

#include <uv.h>

enum {
    NET_READ_SIZE = 64 * 1024,       /* one read of a socket */
    NET_HIGH_WATER = 64 * 1024,      /* output that waits for one peer */
    NET_PLAIN_SIZE = 16 * 1024,      /* a TLS record's worth */
    NET_MAX_INPUT = 4 * 1024 * 1024, /* what a session may leave unused while it asks for more */
    NET_TURN_BYTES = 256 * 1024, /* output of one connection before the others have their turn */
    NET_TURN_ROUNDS = 64,        /* feeds and pulls, likewise */
    NET_TURN_NS = 250000,        /* and time; one feed or pull may last longer */
    NET_LOOP_NS = 250000,        /* of all such turns before libuv looks for input again */
    NET_LONG_TURN_NS = 10000000, /* such a turn of the loop is told in the log, at debug */
    NET_LINGER_MS = 2000,        /* how long a closed connection may still send */
    NET_DEFLATE_IDLE_MS = 10000, /* then DEFLATE's memory is given back */
    NET_ACCEPT_PAUSE_MS = 250,   /* after running out of files */
};

/* ---- settings: immutable, counted ---- */

/* All that a configuration says; a connection holds the one it came under. */
struct net_settings {
    atomic_uint holders;
    char *host_name;
    struct session_limits limits;
    unsigned max_connections, max_connections_per_address;
    bool pop3_marks_read;
    uint64_t handshake_timeout_ms, write_timeout_ms;
    struct network *trusted, *no_logon;
    size_t n_trusted, n_no_logon;
};

void net_settings_release(struct net_settings *settings);

struct net_listener {
    atomic_uint holders;
    char *name;
    const struct net_protocol *protocol;
    enum net_tls_mode tls_mode;
    struct net_tls *tls; /* or NULL */
    bool plaintext_ok, compress_ok, proxy, is_unix;
    unsigned mechanisms;
    struct network *proxy_from;
    size_t n_proxy_from;
    struct net_settings *settings;
};

struct net_listener *net_listener_hold(struct net_listener *listener);
void net_listener_release(struct net_listener *listener);

/* ---- endpoints: bound sockets, one for each worker (of a Unix socket one for all) ---- */

struct net_endpoint {
    struct net_endpoint *next;
    char *name;
    char *path;                    /* of a Unix socket, removed at the end */
    struct net_listener *listener; /* what it serves now; main's */
    struct net_listener *coming;   /* what it is going to serve */
    uint16_t port;
    unsigned n_fds;
    int *fds;
    bool started; /* its acceptors own the fds */
    bool wanted;  /* by the configuration that is being taken over */
    bool fresh;   /* made for it */
};

/* Bind. `why` gets a sentence. */
struct err net_endpoint_new(const struct net_listener_config *config, unsigned workers,
                            struct buf *why, struct net_endpoint **out) MUST_USE;
void net_endpoint_free(struct net_endpoint *endpoint);
char *net_endpoint_name(const struct net_listener_config *config);

/* ---- workers ---- */

struct net_conn;

/* One listening socket on one worker. */
struct net_acceptor {
    uv_poll_t poll;
    struct net_worker *worker;
    struct net_acceptor *next;
    char *endpoint;
    int fd;
    struct net_listener *listener;
};

struct net_counters {
    atomic_ullong accepted, refused, tls_failures, bytes_in, bytes_out;
};

struct net_worker {
    struct executor executor; /* first */
    struct net_server *server;
    unsigned index;
    uv_thread_t thread;
    uv_loop_t loop;
    uv_poll_t wake; /* for wake_fd, which whoever posts writes to */
    int wake_fd;
    uv_idle_t idle;   /* runs while connections are ready */
    uv_timer_t timer; /* of the heap */
    uint64_t timer_at;
    uv_timer_t pause;   /* of accepting */
    uv_prepare_t turns; /* runs before the loop looks for input, where the log is at debug */
    uint64_t turn_cpu_ns;
    _Atomic(struct task *) inbox; /* newest first */
    struct clock clock;
    struct heap deadlines;
    struct net_acceptor *acceptors;
    struct net_conn *conns;
    struct net_conn *ready, **ready_end;
    size_t n_conns, n_ready;
    size_t n_observers; /* among the connections */
    bool draining;      /* only who observes is accepted and stays */
    bool closed;        /* nobody is, nobody does */
    bool awaited;       /* main waits until those have gone who must */
    /* Scratch, shared by the worker's connections: used within one turn only. */
    uint8_t *read_buf, *plain_buf;
    struct buf out;    /* what sessions put out */
    struct buf packed; /* after DEFLATE */
    struct buf sealed; /* after TLS */
    struct net_counters counters;
    struct net_traffic traffic[AUTH_PROTOCOLS]; /* of connections that have ended */
};

struct net_server {
    struct log *log;
    struct net_services services;
    struct net_worker *workers;
    unsigned n_workers;
    struct net_endpoint *endpoints;
    struct address_table *addresses;
    atomic_uint n_conns;
    atomic_uint next_worker;  /* for connections of a Unix socket */
    atomic_bool file_trouble; /* told once until it is over */
    uint64_t seed;
    char instance[NET_INSTANCE];
    atomic_ullong next_session;
    bool started;
    atomic_bool draining;
    pthread_mutex_t mutex; /* with `emptied`: main waits for the workers */
    pthread_cond_t emptied;
    unsigned waiting_for;
    bool hurry; /* under mutex */
};

void net_worker_init(struct net_worker *worker, struct net_server *server, unsigned index);
void net_worker_start(struct net_worker *worker);
/* Stop the loop after what was posted, and join. */
void net_worker_stop(struct net_worker *worker);

/* Renew the worker's clock; called where libuv calls us. */
void net_worker_touch(struct net_worker *worker);

/* Have a connection run in this or the next turn. */
void net_worker_ready(struct net_worker *worker, struct net_conn *conn);
void net_worker_forget(struct net_worker *worker, struct net_conn *conn);

/* Count on to the worker's traffic what the connection has done. */
void net_conn_tally(const struct net_conn *conn, struct net_traffic *traffic);

/* Of the monotonic clock. */
struct timespec net_time_after(uint64_t ms);

/* Have main wait for the worker's connections; they have gone as far as they must. */
void net_worker_await(struct net_worker *worker);
void net_worker_emptied(struct net_worker *worker);

/* See to it that the heap's first deadline is noticed. */
void net_worker_arm(struct net_worker *worker);

void net_acceptor_start(struct net_worker *worker, const char *endpoint, int fd,
                        struct net_listener *listener);
void net_acceptor_stop(struct net_acceptor *acceptor);

/* ---- connections ---- */

enum conn_phase {
    CONN_PROXY,     /* the PROXY header has to come */
    CONN_HANDSHAKE, /* TLS */
    CONN_OPEN,      /* the session has the word */
    CONN_FLUSHING,  /* the last bytes go out */
    CONN_LINGERING, /* the peer may still be sending; see linger() */
    CONN_CLOSED,    /* waits for libuv */
};

struct net_origin {
    struct sockaddr_storage remote, local, proxy;
};

struct net_conn {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    struct net_worker *worker;
    struct net_listener *listener;
    struct net_conn *next, *prev; /* of the worker */
    struct net_conn *ready_next;
    struct heap_item deadline;
    uint64_t session_at; /* when the session wants to be told the time */
    uint64_t phase_at;   /* when PROXY, handshake or lingering has taken too long */
    uint64_t write_at;   /* when the peer has taken nothing for too long */
    uint64_t rest_at;    /* when DEFLATE's memory goes back */
    enum conn_phase phase;
    bool ready;       /* in the worker's list */
    bool running;     /* inside conn_run() */
    bool woken;       /* by the session's wake */
    bool waiting;     /* the session waits for an answer */
    bool reading;     /* libuv reads */
    bool eof;         /* the peer sends nothing more */
    bool told_closed; /* ... and the session knows */
    bool broken;      /* nothing can be sent any more */
    bool counted;     /* in the address table */
    bool trusted;     /* may say for whom it speaks */
    bool tls_done;    /* the handshake */
    bool said_bye;    /* TLS has been shut down, as far as we are concerned */
    struct session *session;
    struct session_host host;
    struct session_env env;
    struct auth_peer peer;
    struct session_summary summary;
    char session_id[20];
    char *proxy_session;    /* peer.proxy_session */
    char *certificate_name; /* peer.certificate_name */
    struct net_origin *own; /* the peer's addresses, where it speaks for another; or NULL */
    struct tls_stream *tls;
    struct deflate *deflate;
    struct buf in;  /* plain bytes that the session did not use yet */
    size_t writing; /* bytes that libuv still has */
    uint64_t started_ms;
    uint64_t bytes_in, bytes_out; /* on the wire */
    const char *end;              /* why it ends, where it is not the session that says so */
};

/* Take an accepted socket over. */
void net_conn_open(struct net_worker *worker, struct net_listener *listener, int fd);

/* origin.c: for whom a proxy speaks. */
bool net_conn_count(struct net_conn *conn); /* the peer's address is known, or is another now */
struct err net_conn_originate(struct session_host *host, const struct session_origin *origin);
void net_conn_unoriginate(struct net_conn *conn); /* it was said in clear, and TLS has started */

/* The rest of conn.c, for pump.c and send.c. */
void net_conn_begin(struct net_conn *conn); /* addresses are known */
void net_conn_set_deadline(struct net_conn *conn);
void net_conn_set_reading(struct net_conn *conn);
/* Closing, when everything is written: TLS's farewell, then the socket. */
void net_conn_finish(struct net_conn *conn);

/* pump.c: bytes from the socket; and the session's turn, with plain bytes that came. */
void net_conn_input(struct net_conn *conn, struct slice raw);
void net_conn_run(struct net_conn *conn, struct slice fresh);
void net_conn_start_tls(struct net_conn *conn);

/* send.c: what the session put out; and what goes to the socket as it is. */
void net_conn_send(struct net_conn *conn, struct slice plain);
void net_conn_send_raw(struct net_conn *conn, struct slice bytes);

/* Its turn, given by net_worker_ready(). */
void net_conn_turn(struct net_conn *conn);

/* One of its deadlines may have come. */
void net_conn_deadline(struct net_conn *conn);

/* The server stops. */
void net_conn_drain(struct net_conn *conn);

/* Cut off. Idempotent. */
void net_conn_close(struct net_conn *conn, const char *why);

static inline struct net_conn *net_conn_of_deadline(struct heap_item *item)
{
    return container_of(item, struct net_conn, deadline);
}

#endif
