#include "gateway/net/net_int.h"

#include <errno.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/mem.h"

/* ---- settings and listeners ---- */

static struct network *copy_networks(const struct network *from, size_t n)
{
    struct network *copy = mem_array(n + 1, sizeof *copy);

    if (n)
        memcpy(copy, from, n * sizeof *copy);
    return copy;
}

static struct net_settings *settings_new(const struct net_config *config)
{
    struct net_settings *settings = mem_new(sizeof *settings);

    atomic_init(&settings->holders, 1);
    settings->host_name = mem_str(config->host_name ? config->host_name : "localhost");
    settings->limits = config->limits;
    settings->max_connections = config->max_connections;
    settings->max_connections_per_address = config->max_connections_per_address;
    settings->handshake_timeout_ms =
        config->handshake_timeout_ms ? config->handshake_timeout_ms : 30000;
    settings->write_timeout_ms = config->write_timeout_ms ? config->write_timeout_ms : 300000;
    settings->trusted = copy_networks(config->trusted, config->n_trusted);
    settings->n_trusted = config->n_trusted;
    settings->pop3_marks_read = config->pop3_marks_read;
    settings->no_logon = copy_networks(config->no_logon, config->n_no_logon);
    settings->n_no_logon = config->n_no_logon;
    return settings;
}

void net_settings_release(struct net_settings *settings)
{
    if (!settings || atomic_fetch_sub(&settings->holders, 1) != 1)
        return;
    free(settings->host_name);
    free(settings->trusted);
    free(settings->no_logon);
    free(settings);
}

struct net_listener *net_listener_hold(struct net_listener *listener)
{
    atomic_fetch_add_explicit(&listener->holders, 1, memory_order_relaxed);
    return listener;
}

void net_listener_release(struct net_listener *listener)
{
    if (!listener || atomic_fetch_sub(&listener->holders, 1) != 1)
        return;
    net_settings_release(listener->settings);
    net_tls_free(listener->tls);
    free(listener->name);
    free(listener->proxy_from);
    free(listener);
}

/* `before` is what served the same address until now, or NULL: its tickets stay good. */
static struct err listener_new(const struct net_listener_config *config,
                               struct net_settings *settings, const struct net_listener *before,
                               struct buf *why, struct net_listener **out)
{
    struct net_listener *listener = mem_new(sizeof *listener);
    struct err e = OK;

    atomic_init(&listener->holders, 1);
    atomic_fetch_add(&settings->holders, 1);
    listener->settings = settings;
    listener->name = mem_str(config->name);
    listener->protocol = config->protocol;
    listener->tls_mode = config->tls_mode;
    listener->plaintext_ok = config->plaintext_ok;
    listener->mechanisms = config->mechanisms;
    listener->compress_ok = config->compress_ok;
    listener->proxy = config->proxy;
    listener->is_unix = config->path != NULL;
    listener->proxy_from = copy_networks(config->proxy_from, config->n_proxy_from);
    listener->n_proxy_from = config->n_proxy_from;
    if (config->tls_mode != NET_TLS_NONE) {
        buf_printf(why, "listener \"%s\": ", config->name);
        e = net_tls_new(config->tls, config->protocol->alpn,
                        before && before->tls ? net_tls_keys(before->tls) : NULL, why,
                        &listener->tls);
    }
    if (failed(e)) {
        net_listener_release(listener);
        return e;
    }
    buf_clear(why);
    *out = listener;
    return OK;
}

/* ---- doing something on every worker, and waiting for it ---- */

struct errand {
    struct task task;
    struct net_worker *worker;
    void (*run)(struct net_worker *worker, void *arg);
    void *arg;
    unsigned *left;
};

static void run_errand(struct task *task)
{
    struct errand *errand = (struct errand *)task;
    struct net_server *server = errand->worker->server;

    errand->run(errand->worker, errand->arg);
    pthread_mutex_lock(&server->mutex);
    --*errand->left;
    pthread_cond_signal(&server->emptied);
    pthread_mutex_unlock(&server->mutex);
}

static void on_all_workers(struct net_server *server,
                           void (*run)(struct net_worker *worker, void *arg), void *arg)
{
    struct errand *errands = mem_array(server->n_workers, sizeof *errands);
    unsigned left = server->n_workers;

    for (unsigned i = 0; i < server->n_workers; i++) {
        errands[i] = (struct errand){
            .task.run = run_errand,
            .worker = &server->workers[i],
            .run = run,
            .arg = arg,
            .left = &left,
        };
        executor_post(&server->workers[i].executor, &errands[i].task);
    }
    pthread_mutex_lock(&server->mutex);
    while (left)
        pthread_cond_wait(&server->emptied, &server->mutex);
    pthread_mutex_unlock(&server->mutex);
    free(errands);
}

/* ---- taking a configuration over ---- */

static struct net_endpoint *endpoint_find(struct net_server *server, const char *name)
{
    struct net_endpoint *endpoint = server->endpoints;

    while (endpoint && strcmp(endpoint->name, name) != 0)
        endpoint = endpoint->next;
    return endpoint;
}

/* One listener of the new configuration: its endpoint, bound where it is new, and itself. */
static struct err prepare_one(struct net_server *server, const struct net_listener_config *config,
                              struct net_settings *settings, struct buf *why)
{
    char *name = net_endpoint_name(config);
    /* Port 0 is another one each time. */
    struct net_endpoint *endpoint =
        config->path || config->port ? endpoint_find(server, name) : NULL;
    struct net_listener *listener;

    free(name);
    if (endpoint && endpoint->wanted) {
        buf_printf(why, "listener \"%s\": %s is another listener's address already", config->name,
                   endpoint->name);
        return ERR(ERR_INVALID, "two listeners on one address");
    }
    struct err e =
        listener_new(config, settings, endpoint ? endpoint->listener : NULL, why, &listener);
    if (failed(e))
        return e;
    if (!endpoint) {
        e = net_endpoint_new(config, server->n_workers, why, &endpoint);
        if (failed(e)) {
            net_listener_release(listener);
            return e;
        }
        endpoint->fresh = true;
        endpoint->next = server->endpoints;
        server->endpoints = endpoint;
    }
    endpoint->wanted = true;
    endpoint->coming = listener;
    return OK;
}

static struct err prepare(struct net_server *server, const struct net_config *config,
                          struct buf *why)
{
    struct net_settings *settings = settings_new(config);
    struct err e = OK;

    for (struct net_endpoint *endpoint = server->endpoints; endpoint; endpoint = endpoint->next)
        endpoint->wanted = endpoint->fresh = false;
    for (size_t i = 0; i < config->n_listeners && !failed(e); i++)
        e = prepare_one(server, &config->listeners[i], settings, why);
    net_settings_release(settings);
    return e;
}

/* Remove endpoints that are fresh (give_up) or not wanted. */
static void prune(struct net_server *server, bool give_up)
{
    struct net_endpoint **at = &server->endpoints;

    while (*at) {
        struct net_endpoint *endpoint = *at;

        if (give_up) {
            net_listener_release(endpoint->coming);
            endpoint->coming = NULL;
        }
        if (give_up ? !endpoint->fresh : endpoint->wanted) {
            at = &endpoint->next;
            continue;
        }
        *at = endpoint->next;
        net_endpoint_free(endpoint);
    }
}

/* On a worker: bring its acceptors in line with the endpoints, which main holds still. */
static void apply(struct net_worker *worker, void *arg)
{
    struct net_server *server = arg;
    struct net_acceptor *next;

    for (struct net_acceptor *a = worker->acceptors; a; a = next) {
        struct net_endpoint *endpoint = endpoint_find(server, a->endpoint);

        next = a->next;
        if (!endpoint || !endpoint->wanted || endpoint->fresh) {
            net_acceptor_stop(a);
            continue;
        }
        net_listener_release(a->listener);
        a->listener = net_listener_hold(endpoint->listener);
    }
    for (struct net_endpoint *e = server->endpoints; e; e = e->next)
        if (e->fresh && worker->index < e->n_fds)
            net_acceptor_start(worker, e->name, e->fds[worker->index], e->listener);
}

static void take_over(struct net_server *server)
{
    for (struct net_endpoint *e = server->endpoints; e; e = e->next) {
        if (!e->wanted)
            continue;
        net_listener_release(e->listener);
        e->listener = e->coming;
        e->coming = NULL;
    }
}

static void start_endpoints(struct net_server *server)
{
    on_all_workers(server, apply, server);
    for (struct net_endpoint *e = server->endpoints; e; e = e->next) {
        e->started = true;
        e->fresh = false;
    }
}

struct err net_server_reload(struct net_server *server, const struct net_config *config,
                             struct buf *why)
{
    struct err e = prepare(server, config, why);

    if (failed(e)) {
        prune(server, true);
        return e;
    }
    take_over(server);
    start_endpoints(server);
    prune(server, false);
    return OK;
}

/* ---- life ---- */

static unsigned cores(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    return n > 0 ? (unsigned)n : 1;
}

static void name_instance(struct net_server *server)
{
    uint32_t random;

    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        abort();
    snprintf(server->instance, sizeof server->instance, "%08x", (unsigned)random);
}

const char *net_server_instance(const struct net_server *server)
{
    return server->instance;
}

struct err net_server_new(const struct net_config *config, struct log *log, struct buf *why,
                          struct net_server **out)
{
    struct net_server *server = mem_new(sizeof *server);
    pthread_condattr_t monotonic;

    server->log = log;
    server->addresses = address_table_new();
    name_instance(server);
    server->seed = (uint64_t)filetime_to_unix(clock_now().wall);
    server->n_workers = config->workers ? config->workers : cores();
    server->workers = mem_array(server->n_workers, sizeof *server->workers);
    pthread_mutex_init(&server->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&server->emptied, &monotonic);
    pthread_condattr_destroy(&monotonic);
    for (unsigned i = 0; i < server->n_workers; i++)
        net_worker_init(&server->workers[i], server, i);
    struct err e = prepare(server, config, why);
    if (failed(e)) {
        prune(server, true);
        net_server_free(server);
        return e;
    }
    take_over(server);
    *out = server;
    return OK;
}

void net_server_start(struct net_server *server, const struct net_services *services)
{
    server->services = *services;
    for (unsigned i = 0; i < server->n_workers; i++)
        net_worker_start(&server->workers[i]);
    server->started = true;
    start_endpoints(server);
}

/* Those who must go before main may go on have gone. */
static bool is_empty(const struct net_worker *worker)
{
    return worker->n_conns == (worker->closed ? 0 : worker->n_observers);
}

void net_worker_await(struct net_worker *worker)
{
    if (worker->awaited || is_empty(worker))
        return;
    worker->awaited = true;
    pthread_mutex_lock(&worker->server->mutex);
    worker->server->waiting_for++;
    pthread_mutex_unlock(&worker->server->mutex);
}

void net_worker_emptied(struct net_worker *worker)
{
    if (!worker->awaited || !is_empty(worker))
        return;
    worker->awaited = false;
    pthread_mutex_lock(&worker->server->mutex);
    worker->server->waiting_for--;
    pthread_cond_signal(&worker->server->emptied);
    pthread_mutex_unlock(&worker->server->mutex);
}

static void run_drain(struct net_worker *worker, void *arg)
{
    struct net_acceptor *next_acceptor;
    struct net_conn *next;

    (void)arg;
    for (struct net_acceptor *a = worker->acceptors; a; a = next_acceptor) {
        next_acceptor = a->next;
        if (!a->listener->protocol->observes)
            net_acceptor_stop(a);
    }
    worker->draining = true;
    net_worker_await(worker);
    for (struct net_conn *conn = worker->conns; conn; conn = next) {
        next = conn->next;
        net_conn_drain(conn);
    }
}

static void run_cut_off(struct net_worker *worker, void *arg)
{
    (void)arg;
    while (worker->acceptors)
        net_acceptor_stop(worker->acceptors);
    worker->closed = true;
    net_worker_await(worker);
    for (struct net_conn *conn = worker->conns; conn; conn = conn->next)
        net_conn_close(conn, "shutdown");
}

struct timespec net_time_after(uint64_t ms)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += (time_t)(ms / 1000);
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_nsec -= 1000000000;
        at.tv_sec++;
    }
    return at;
}

void net_server_drain(struct net_server *server, uint64_t timeout_ms)
{
    struct timespec until = net_time_after(timeout_ms);
    int rc = 0;

    if (!server->started)
        return;
    atomic_store(&server->draining, true);
    on_all_workers(server, run_drain, NULL);
    pthread_mutex_lock(&server->mutex);
    while (server->waiting_for && !server->hurry && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&server->emptied, &server->mutex, &until);
    pthread_mutex_unlock(&server->mutex);
    on_all_workers(server, run_cut_off, NULL);
    pthread_mutex_lock(&server->mutex);
    while (server->waiting_for)
        pthread_cond_wait(&server->emptied, &server->mutex);
    pthread_mutex_unlock(&server->mutex);
}

void net_server_hurry(struct net_server *server)
{
    pthread_mutex_lock(&server->mutex);
    server->hurry = true;
    pthread_cond_signal(&server->emptied);
    pthread_mutex_unlock(&server->mutex);
}

static void run_nothing(struct net_worker *worker, void *arg)
{
    (void)worker, (void)arg;
}

void net_server_settle(struct net_server *server)
{
    if (server->started)
        on_all_workers(server, run_nothing, NULL);
}

void net_server_free(struct net_server *server)
{
    if (!server)
        return;
    net_server_drain(server, 0);
    for (unsigned i = 0; i < server->n_workers; i++)
        net_worker_stop(&server->workers[i]);
    while (server->endpoints) {
        struct net_endpoint *endpoint = server->endpoints;

        server->endpoints = endpoint->next;
        net_endpoint_free(endpoint);
    }
    address_table_free(server->addresses);
    pthread_cond_destroy(&server->emptied);
    pthread_mutex_destroy(&server->mutex);
    free(server->workers);
    free(server);
}

uint16_t net_server_port(const struct net_server *server, const char *listener)
{
    for (const struct net_endpoint *e = server->endpoints; e; e = e->next)
        if (e->listener && strcmp(e->listener->name, listener) == 0)
            return e->port;
    return 0;
}

void net_server_stats(struct net_server *server, struct net_stats *out)
{
    *out = (struct net_stats){.connections = atomic_load(&server->n_conns)};
    for (unsigned i = 0; i < server->n_workers; i++) {
        struct net_counters *c = &server->workers[i].counters;

        out->accepted += atomic_load_explicit(&c->accepted, memory_order_relaxed);
        out->refused += atomic_load_explicit(&c->refused, memory_order_relaxed);
        out->tls_failures += atomic_load_explicit(&c->tls_failures, memory_order_relaxed);
        out->bytes_in += atomic_load_explicit(&c->bytes_in, memory_order_relaxed);
        out->bytes_out += atomic_load_explicit(&c->bytes_out, memory_order_relaxed);
    }
}
