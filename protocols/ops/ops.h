/*
 * ops.h - what operators see over HTTP: health, metrics, a page for people.
 *
 * The session knows HTTP and how to write figures down. Where figures come from is the gateway's
 * matter (struct ops_source): they are gathered when somebody asks, on another thread, and a
 * request that waits for them holds nobody up.
 *
 * Threads    A session as protocols/session.h says; a source is asked on any worker.
 * Ownership  Figures are shared, immutable and counted: every done() gives one to let go of.
 */
#ifndef GATEPOST_PROTOCOLS_OPS_OPS_H
#define GATEPOST_PROTOCOLS_OPS_OPS_H

#include "protocols/session.h"

/* ---- figures ---- */

struct ops_crowd { /* connections that are alike */
    const char *protocol, *listener, *tls;
    uint64_t connections, logged_on;
};

struct ops_traffic { /* of one protocol, since the start */
    const char *protocol;
    uint64_t closed, bytes_in, bytes_out, commands;
    uint64_t fetched, fetched_bytes, delivered, expunged, flagged;
};

struct ops_logons { /* log-ons that are alike, since the start */
    const char *protocol, *mechanism;
    enum auth_reason reason;
    uint64_t n;
};

/* Bounds of the histogram of latencies, in microseconds; one more bucket is for what is beyond. */
#define OPS_LATENCY_BOUNDS                                                                         \
    {                                                                                              \
        100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000,     \
            2500000, 5000000, 10000000                                                             \
    }
enum { OPS_LATENCY_BUCKETS = 17 };

struct ops_latency {
    const char *protocol;
    uint64_t buckets[OPS_LATENCY_BUCKETS]; /* not cumulative */
    uint64_t sum_us;
};

/* How log-ons ended in one stretch of time, by auth_protocol_index() and reason. */
struct ops_cell {
    uint64_t n[AUTH_PROTOCOLS][AUTH_REASON_COUNT];
};

struct ops_history {
    int64_t start_unix; /* of the first */
    unsigned step_s;
    size_t n;
    const struct ops_cell *cells; /* the last is the one that goes on */
};

/* How one user's last attempt by one protocol ended. */
struct ops_outcome {
    struct slice protocol;
    uint64_t ok, failed, last; /* `last`: FILETIME */
    enum auth_reason reason;
};

/* Somebody who is refused by one protocol and let in by another. */
struct ops_differing {
    struct slice user;
    const struct ops_outcome *outcomes;
    size_t n;
};

struct ops_certificate {
    const char *listener;
    int64_t ends_unix;
};

enum { OPS_DIFFERING_SHOWN = 200, OPS_THROTTLED_SHOWN = 200 };

struct ops_figures {
    bool draining;
    unsigned workers, answering;
    struct err store; /* can new mail be stored? */
    struct err stats; /* were store_stats to be had? */
    struct engine_stats store_stats;
    uint64_t accepted, refused, tls_failures;
    uint64_t audit_records, audit_file_lost, audit_store_lost, audit_waiting;
    uint64_t queue_waiting;                            /* outgoing mail: messages */
    uint64_t queue_sent, queue_deferred, queue_failed; /* recipients, since the start */
    uint64_t queue_oldest_s;                           /* how long it waits */
    uint64_t cpu_us, resident_bytes, open_files, max_files;
    int64_t started_unix, now_unix;
    const struct ops_crowd *crowds;
    const struct ops_traffic *traffic;
    const struct ops_logons *logons;
    const struct ops_latency *latencies;
    size_t n_crowds, n_traffic, n_logons, n_latencies;
    uint64_t disk_free_bytes, disk_bytes; /* of the file system that holds the store */
    const struct ops_certificate *certificates;
    size_t n_certificates;
    /* Of the last day; of many the first OPS_DIFFERING_SHOWN are listed. */
    struct err differing_known;
    const struct ops_differing *differing;
    size_t n_differing;
    uint64_t differing_all;
    uint64_t differing_by[AUTH_REASON_COUNT]; /* why they were last refused */
    /* Who must wait now. */
    const struct auth_throttled *throttled;
    size_t n_throttled;
    uint64_t throttled_addresses, throttled_pairs, attacked_names;
    /* Only for who wants history; else `n` is 0. */
    struct err history_known;
    struct ops_history minutes, hours;
    /* One who has them does not want them any more; the source may be gone by then. */
    void (*let_go)(const struct ops_figures *figures);
};

/* ---- where they come from ---- */

/* One request for figures, made by whoever waits for them and in place until `done`. */
struct ops_gather {
    bool history; /* is wanted, which costs more */
    struct executor *home;
    void (*done)(struct ops_gather *rq);
    void *owner;
    const struct ops_figures *figures; /* the answer; let it go */
    /* the source's */
    struct task task;
    struct ops_gather *next;
};

/* Somebody who watches records come. `more` is called at home when there are some. */
struct ops_follow {
    struct executor *home;
    void (*more)(void *owner);
    void *owner;
    uint64_t seen; /* the number of the last record that he has seen; 0: none */
};

struct ops_follower;

struct ops_source {
    void (*gather)(struct ops_source *source, struct ops_gather *rq);
    /* NULL: too many follow already. All on the follower's home. */
    struct ops_follower *(*follow)(struct ops_source *source, const struct ops_follow *how);
    void (*leave)(struct ops_source *source, struct ops_follower *follower);
    /*
     * Puts what has come as server-sent events (HTML Living Standard 9.2), at most one record more
     * than there is room for: the number of a record, and its line. Those that were missed are
     * counted in an event `missed`. True: there is more.
     */
    bool (*read)(struct ops_source *source, struct ops_follower *follower, struct buf *out,
                 size_t room);
};

/* env->ops is not NULL. */
struct session *ops_session_new(const struct session_env *env) MUST_USE;

/* ---- writing them down; pure ---- */

/* Is the server ready for work? */
bool ops_is_healthy(const struct ops_figures *f);

void ops_put_health(const struct ops_figures *f, struct buf *out);  /* JSON */
void ops_put_metrics(const struct ops_figures *f, struct buf *out); /* Prometheus, text 0.0.4 */
/* What the page shows, as JSON; see docs/protocols/ops.md. */
void ops_put_overview(const struct ops_figures *f, const char *host_name, struct buf *out);

/* ---- the page itself: share/ops, compiled in ---- */

struct ops_file {
    const char *path, *type;
    struct slice bytes;
};

/* The files that are routes of their own; `path` NULL ends them. */
extern const struct ops_file ops_files[];

#endif
