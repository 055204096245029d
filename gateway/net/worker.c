#include "gateway/net/net_int.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/signals.h"

void net_worker_touch(struct net_worker *worker)
{
    worker->clock = clock_now();
}

/* ---- the executor: posted from anywhere, run here ---- */

/*
 * An eventfd of our own, for uv_async_t makes the loop spin until the poster has left write(): when
 * the loop sleeps on another processor, that is some 10 us of its time for each answer of the
 * store.
 */
static void wake(struct net_worker *worker)
{
    uint64_t one = 1;

    while (write(worker->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static void post(struct executor *executor, struct task *task)
{
    struct net_worker *worker = (struct net_worker *)executor;
    struct task *first = atomic_load_explicit(&worker->inbox, memory_order_relaxed);

    do {
        task->next = first;
    } while (!atomic_compare_exchange_weak_explicit(&worker->inbox, &first, task,
                                                    memory_order_release, memory_order_relaxed));
    if (!first)
        wake(worker);
}

static void run_inbox(struct net_worker *worker)
{
    struct task *newest = atomic_exchange_explicit(&worker->inbox, NULL, memory_order_acquire);
    struct task *oldest = NULL;

    while (newest) {
        struct task *next = newest->next;

        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        struct task *next = oldest->next;

        oldest->run(oldest);
        oldest = next;
    }
}

static void on_wake(uv_poll_t *poll, int status, int events)
{
    struct net_worker *worker = poll->data;
    uint64_t posted;

    (void)status;
    (void)events;
    while (read(worker->wake_fd, &posted, sizeof posted) < 0 && errno == EINTR)
        ;
    net_worker_touch(worker);
    run_inbox(worker);
}

/* ---- connections that have something to do ---- */

/*
 * As many as are ready now, or as there is time for; what becomes ready meanwhile has its turn
 * after libuv looked.
 */
static void on_idle(uv_idle_t *idle)
{
    struct net_worker *worker = idle->data;
    uint64_t until = uv_hrtime() + NET_LOOP_NS;

    net_worker_touch(worker);
    for (size_t n = worker->n_ready; n > 0 && worker->ready && uv_hrtime() < until; n--) {
        struct net_conn *conn = worker->ready;

        net_worker_forget(worker, conn);
        net_conn_turn(conn);
    }
    if (!worker->ready)
        uv_idle_stop(&worker->idle);
}

void net_worker_ready(struct net_worker *worker, struct net_conn *conn)
{
    if (conn->ready)
        return;
    conn->ready = true;
    conn->ready_next = NULL;
    if (!worker->ready)
        uv_idle_start(&worker->idle, on_idle);
    *worker->ready_end = conn;
    worker->ready_end = &conn->ready_next;
    worker->n_ready++;
}

void net_worker_forget(struct net_worker *worker, struct net_conn *conn)
{
    struct net_conn **at = &worker->ready;

    if (!conn->ready)
        return;
    while (*at != conn)
        at = &(*at)->ready_next;
    *at = conn->ready_next;
    if (!*at)
        worker->ready_end = at;
    conn->ready = false;
    worker->n_ready--;
}

/* ---- deadlines ---- */

static void on_timer(uv_timer_t *timer)
{
    struct net_worker *worker = timer->data;
    struct heap_item *item;

    net_worker_touch(worker);
    worker->timer_at = UINT64_MAX;
    while ((item = heap_first(&worker->deadlines)) && item->at <= worker->clock.mono_ms) {
        heap_unset(&worker->deadlines, item);
        net_conn_deadline(net_conn_of_deadline(item));
    }
    net_worker_arm(worker);
}

void net_worker_arm(struct net_worker *worker)
{
    struct heap_item *first = heap_first(&worker->deadlines);
    uint64_t now = worker->clock.mono_ms;

    if (!first || first->at >= worker->timer_at)
        return;
    worker->timer_at = first->at;
    /* libuv's clock may be some milliseconds behind ours; on_timer() looks again. */
    uv_timer_start(&worker->timer, on_timer, first->at > now ? first->at - now : 0, 0);
}

/* ---- turns that are too long ---- */

/* The processor's time, so that a busy machine raises no alarm. It costs a system call a turn. */
static uint64_t cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void on_turn(uv_prepare_t *prepare)
{
    struct net_worker *worker = prepare->data;
    uint64_t now = cpu_ns(), spent = now - worker->turn_cpu_ns;

    if (worker->turn_cpu_ns && spent >= NET_LONG_TURN_NS)
        log_event(worker->server->log, LOG_LEVEL_DEBUG, "worker.long_turn",
                  log_number("worker", worker->index), log_number("us", (int64_t)(spent / 1000)));
    worker->turn_cpu_ns = now;
}

/* ---- life ---- */

void net_worker_init(struct net_worker *worker, struct net_server *server, unsigned index)
{
    worker->executor.post = post;
    worker->server = server;
    worker->index = index;
    worker->ready_end = &worker->ready;
    worker->timer_at = UINT64_MAX;
    worker->read_buf = mem_array(NET_READ_SIZE, 1);
    worker->plain_buf = mem_array(NET_PLAIN_SIZE, 1);
    /* A session may pass its room by 4,096; what it then holds grows by little on its way. */
    worker->out = buf_make(2 * NET_HIGH_WATER + 8192);
    worker->packed = buf_make(4 * NET_HIGH_WATER);
    worker->sealed = buf_make(8 * NET_HIGH_WATER);
    net_worker_touch(worker);
    uv_loop_init(&worker->loop);
    worker->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (worker->wake_fd < 0 || uv_poll_init(&worker->loop, &worker->wake, worker->wake_fd) != 0)
        abort();
    uv_poll_start(&worker->wake, UV_READABLE, on_wake);
    uv_idle_init(&worker->loop, &worker->idle);
    uv_timer_init(&worker->loop, &worker->timer);
    uv_timer_init(&worker->loop, &worker->pause);
    uv_prepare_init(&worker->loop, &worker->turns);
    worker->turns.data = worker;
    if (server->log && server->log->least == LOG_LEVEL_DEBUG)
        uv_prepare_start(&worker->turns, on_turn);
    worker->wake.data = worker->idle.data = worker->timer.data = worker->pause.data = worker;
}

static void run(void *arg)
{
    struct net_worker *worker = arg;

    uv_run(&worker->loop, UV_RUN_DEFAULT);
}

void net_worker_start(struct net_worker *worker)
{
    sigset_t others, before;

    /* Signals are main's. */
    signals_but_faults(&others);
    pthread_sigmask(SIG_SETMASK, &others, &before);
    if (uv_thread_create(&worker->thread, run, worker) != 0)
        abort();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct stop_task {
    struct task task;
    struct net_worker *worker;
};

static void run_stop(struct task *task)
{
    struct net_worker *worker = ((struct stop_task *)task)->worker;

    while (worker->acceptors)
        net_acceptor_stop(worker->acceptors);
    uv_close((uv_handle_t *)&worker->wake, NULL);
    uv_close((uv_handle_t *)&worker->idle, NULL);
    uv_close((uv_handle_t *)&worker->turns, NULL);
    uv_close((uv_handle_t *)&worker->timer, NULL);
    uv_close((uv_handle_t *)&worker->pause, NULL);
}

void net_worker_stop(struct net_worker *worker)
{
    struct stop_task stop = {.task.run = run_stop, .worker = worker};

    if (worker->thread) {
        executor_post(&worker->executor, &stop.task);
        uv_thread_join(&worker->thread);
    } else {
        run_stop(&stop.task);
        uv_run(&worker->loop, UV_RUN_DEFAULT);
    }
    uv_loop_close(&worker->loop);
    close(worker->wake_fd);
    heap_done(&worker->deadlines);
    buf_done(&worker->out);
    buf_done(&worker->packed);
    buf_done(&worker->sealed);
    free(worker->read_buf);
    free(worker->plain_buf);
}
