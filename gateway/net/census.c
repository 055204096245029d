/*
 * census.c - what the workers' connections are and did, counted when somebody asks.
 *
 * Each worker counts its own, on its own thread, so that no counter is shared and a connection that
 * comes and goes costs nothing more.
 */
#include "gateway/net/net_int.h"

#include <errno.h>

#include "base/mem.h"

/* One worker's part. */
struct part {
    struct task task;
    struct net_worker *worker;
    struct census *census;
    bool answered;
    struct net_crowd *crowds;
    size_t n_crowds;
    struct net_cert_end *certs;
    size_t n_certs;
    const struct net_listener *last_listener;
    size_t last; /* its crowd */
    struct net_traffic traffic[AUTH_PROTOCOLS];
};

/* It outlives the one who asked, where a worker answers too late. */
struct census {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned holders, left;
    unsigned n;
    struct part parts[];
};

static void add_summary(struct session_summary *to, const struct session_summary *from)
{
    to->commands += from->commands;
    to->fetched += from->fetched;
    to->fetched_bytes += from->fetched_bytes;
    to->stored += from->stored;
    to->expunged += from->expunged;
    to->appended += from->appended;
}

static void add_traffic(struct net_traffic *to, const struct net_traffic *from)
{
    to->protocol = from->protocol ? from->protocol : to->protocol;
    to->closed += from->closed;
    to->bytes_in += from->bytes_in;
    to->bytes_out += from->bytes_out;
    add_summary(&to->did, &from->did);
}

void net_conn_tally(const struct net_conn *conn, struct net_traffic *traffic)
{
    traffic->protocol = conn->listener->protocol->name;
    traffic->bytes_in += conn->bytes_in;
    traffic->bytes_out += conn->bytes_out;
    add_summary(&traffic->did, &conn->summary);
}

/* ---- crowds ---- */

static bool same_crowd(const struct net_crowd *a, const struct net_crowd *b)
{
    return a->tls == b->tls && strcmp(a->protocol, b->protocol) == 0 &&
           strcmp(a->listener, b->listener) == 0;
}

/* Returns where it is. */
static size_t add_crowd(struct net_crowd **crowds, size_t *n, const struct net_crowd *add)
{
    for (size_t i = 0; i < *n; i++) {
        if (!same_crowd(&(*crowds)[i], add))
            continue;
        (*crowds)[i].connections += add->connections;
        (*crowds)[i].logged_on += add->logged_on;
        return i;
    }
    *crowds = mem_grow(*crowds, *n + 1, sizeof **crowds);
    (*crowds)[*n] = *add;
    (*crowds)[*n].listener = mem_str(add->listener);
    return (*n)++;
}

static void free_crowds(struct net_crowd *crowds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(crowds[i].listener);
    free(crowds);
}

static void free_certs(struct net_cert_end *certs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(certs[i].listener);
    free(certs);
}

/* One of few, so that equal ones are the same pointer. */
static const char *tls_word(const struct net_conn *conn)
{
    const char *version = conn->peer.tls ? conn->peer.tls_version : NULL;

    if (!version)
        return "none";
    return strcmp(version, "TLSv1.3") == 0 ? "TLSv1.3" : "TLSv1.2";
}

/* ---- on the workers ---- */

/* Neighbours are mostly alike, so the last crowd is looked at before all others. */
static struct net_crowd *crowd_of(struct part *part, const struct net_conn *conn)
{
    struct net_crowd one = {
        .listener = conn->listener->name,
        .protocol = conn->listener->protocol->name,
        .tls = tls_word(conn),
    };

    if (part->last_listener != conn->listener || part->crowds[part->last].tls != one.tls)
        part->last = add_crowd(&part->crowds, &part->n_crowds, &one);
    part->last_listener = conn->listener;
    return &part->crowds[part->last];
}

static void list_certs(struct part *part)
{
    for (const struct net_acceptor *a = part->worker->acceptors; a; a = a->next) {
        if (!a->listener->tls)
            continue;
        part->certs = mem_grow(part->certs, part->n_certs + 1, sizeof *part->certs);
        part->certs[part->n_certs++] =
            (struct net_cert_end){mem_str(a->listener->name), net_tls_ends(a->listener->tls)};
    }
}

static void count(struct part *part)
{
    const struct net_worker *worker = part->worker;

    list_certs(part);
    memcpy(part->traffic, worker->traffic, sizeof part->traffic);
    for (const struct net_conn *conn = worker->conns; conn; conn = conn->next) {
        if (conn->phase == CONN_CLOSED)
            continue;
        struct net_crowd *crowd = crowd_of(part, conn);
        crowd->connections++;
        crowd->logged_on += conn->summary.user != NULL;
        net_conn_tally(conn, &part->traffic[auth_protocol_index(conn->listener->protocol->id)]);
    }
}

static void let_go(struct census *census)
{
    pthread_mutex_lock(&census->mutex);
    bool last = --census->holders == 0;
    pthread_mutex_unlock(&census->mutex);
    if (!last)
        return;
    for (unsigned i = 0; i < census->n; i++) {
        free_crowds(census->parts[i].crowds, census->parts[i].n_crowds);
        free_certs(census->parts[i].certs, census->parts[i].n_certs);
    }
    pthread_cond_destroy(&census->changed);
    pthread_mutex_destroy(&census->mutex);
    free(census);
}

static void run_count(struct task *task)
{
    struct part *part = (struct part *)task;
    struct census *census = part->census;

    count(part);
    pthread_mutex_lock(&census->mutex);
    part->answered = true;
    census->left--;
    pthread_cond_signal(&census->changed);
    pthread_mutex_unlock(&census->mutex);
    let_go(census);
}

/* ---- asking ---- */

static struct census *census_new(struct net_server *server)
{
    unsigned n = server->n_workers;
    struct census *census = mem_new(sizeof *census + n * sizeof census->parts[0]);
    pthread_condattr_t monotonic;

    pthread_mutex_init(&census->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&census->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    census->n = census->left = n;
    census->holders = n + 1;
    for (unsigned i = 0; i < n; i++)
        census->parts[i] =
            (struct part){.task.run = run_count, .worker = &server->workers[i], .census = census};
    return census;
}

static void take(struct part *part, struct net_census *out)
{
    if (!part->answered)
        return;
    /* Every worker has every listener: one list tells all. */
    if (out->answering++ == 0) {
        out->certs = part->certs;
        out->n_certs = part->n_certs;
        part->certs = NULL;
        part->n_certs = 0;
    }
    for (size_t i = 0; i < part->n_crowds; i++)
        add_crowd(&out->crowds, &out->n_crowds, &part->crowds[i]);
    for (unsigned i = 0; i < AUTH_PROTOCOLS; i++)
        add_traffic(&out->traffic[i], &part->traffic[i]);
}

void net_server_census(struct net_server *server, uint64_t timeout_ms, struct net_census *out)
{
    struct census *census = census_new(server);
    struct timespec until = net_time_after(timeout_ms);
    int rc = 0;

    *out = (struct net_census){
        .workers = census->n,
        .draining = atomic_load(&server->draining),
    };
    for (unsigned i = 0; i < census->n; i++)
        executor_post(&server->workers[i].executor, &census->parts[i].task);
    pthread_mutex_lock(&census->mutex);
    while (census->left && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&census->changed, &census->mutex, &until);
    for (unsigned i = 0; i < census->n; i++)
        take(&census->parts[i], out);
    pthread_mutex_unlock(&census->mutex);
    let_go(census);
}

void net_census_done(struct net_census *census)
{
    free_crowds(census->crowds, census->n_crowds);
    free_certs(census->certs, census->n_certs);
    *census = (struct net_census){0};
}
