#include "gateway/net/net_int.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

enum { PER_TURN = 64 };

/* ---- a connection of a Unix socket goes to a worker in turn ---- */

struct handover {
    struct task task;
    struct net_worker *to;
    struct net_listener *listener;
    int fd;
};

static void run_handover(struct task *task)
{
    struct handover *handover = (struct handover *)task;

    if (handover->to->closed || (handover->to->draining && !handover->listener->protocol->observes))
        close(handover->fd);
    else
        net_conn_open(handover->to, handover->listener, handover->fd);
    net_listener_release(handover->listener);
    free(handover);
}

static void hand_over(struct net_acceptor *acceptor, int fd)
{
    struct net_server *server = acceptor->worker->server;
    unsigned next = atomic_fetch_add(&server->next_worker, 1) % server->n_workers;
    struct net_worker *to = &server->workers[next];

    if (to == acceptor->worker) {
        net_conn_open(to, acceptor->listener, fd);
        return;
    }
    struct handover *handover = mem_new(sizeof *handover);
    *handover = (struct handover){
        .task.run = run_handover,
        .to = to,
        .listener = net_listener_hold(acceptor->listener),
        .fd = fd,
    };
    executor_post(&to->executor, &handover->task);
}

/* ---- accepting ---- */

static void on_readable(uv_poll_t *poll, int status, int events);

static void on_pause_over(uv_timer_t *timer)
{
    struct net_worker *worker = timer->data;

    for (struct net_acceptor *a = worker->acceptors; a; a = a->next)
        uv_poll_start(&a->poll, UV_READABLE, on_readable);
}

/* Out of files or memory: those that wait are served when others have left. */
static void pause_accepting(struct net_worker *worker, int error)
{
    if (!atomic_exchange(&worker->server->file_trouble, true))
        log_event(worker->server->log, LOG_LEVEL_ERROR, "accept.failed",
                  log_str("error", strerror(error)));
    for (struct net_acceptor *a = worker->acceptors; a; a = a->next)
        uv_poll_stop(&a->poll);
    uv_timer_start(&worker->pause, on_pause_over, NET_ACCEPT_PAUSE_MS, 0);
}

static bool is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct net_acceptor *acceptor = poll->data;
    struct net_worker *worker = acceptor->worker;

    (void)status, (void)events;
    net_worker_touch(worker);
    for (int i = 0; i < PER_TURN; i++) {
        int fd = accept4(acceptor->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0) {
            if (is_shortage(errno))
                pause_accepting(worker, errno);
            else if (errno != EAGAIN)
                continue; /* that one left again (ECONNABORTED and the like) */
            return;
        }
        atomic_store_explicit(&worker->server->file_trouble, false, memory_order_relaxed);
        if (acceptor->listener->is_unix)
            hand_over(acceptor, fd);
        else
            net_conn_open(worker, acceptor->listener, fd);
    }
}

void net_acceptor_start(struct net_worker *worker, const char *endpoint, int fd,
                        struct net_listener *listener)
{
    struct net_acceptor *acceptor = mem_new(sizeof *acceptor);

    acceptor->worker = worker;
    acceptor->endpoint = mem_str(endpoint);
    acceptor->fd = fd;
    acceptor->listener = net_listener_hold(listener);
    acceptor->next = worker->acceptors;
    worker->acceptors = acceptor;
    uv_poll_init(&worker->loop, &acceptor->poll, fd);
    acceptor->poll.data = acceptor;
    uv_poll_start(&acceptor->poll, UV_READABLE, on_readable);
}

static void on_closed(uv_handle_t *handle)
{
    struct net_acceptor *acceptor = handle->data;

    close(acceptor->fd);
    net_listener_release(acceptor->listener);
    free(acceptor->endpoint);
    free(acceptor);
}

void net_acceptor_stop(struct net_acceptor *acceptor)
{
    struct net_acceptor **at = &acceptor->worker->acceptors;

    while (*at != acceptor)
        at = &(*at)->next;
    *at = acceptor->next;
    uv_poll_stop(&acceptor->poll);
    uv_close((uv_handle_t *)&acceptor->poll, on_closed);
}
