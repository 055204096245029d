/* watch.c - a context is told when a mailbox changes that it has logged on to. */
#include <stdlib.h>

#include "base/mem.h"
#include "protocols/mapi/context.h"

/* It outlives its logon, until its store_watch has stopped. */
struct mapi_watch {
    struct store_watch store;
    struct executor *home;
    struct task stop;
    struct mailbox *mailbox; /* held: what is watched stays open */
    pthread_mutex_t mutex;
    struct mapi_context *context; /* under the mutex; NULL: it has gone */
};

static void on_changed(struct store_watch *store)
{
    struct mapi_watch *watch = store->owner;

    pthread_mutex_lock(&watch->mutex);
    struct mapi_context *context = watch->context;
    if (context) {
        pthread_mutex_lock(&context->mutex);
        if (context->wait)
            context->wait->wake(context->wait);
        pthread_mutex_unlock(&context->mutex);
    }
    pthread_mutex_unlock(&watch->mutex);
}

static void on_stopped(struct store_watch *store)
{
    struct mapi_watch *watch = store->owner;

    mailbox_close(watch->mailbox);
    pthread_mutex_destroy(&watch->mutex);
    free(watch);
}

/* A watch is stopped where it lives. */
static void stop(struct task *task)
{
    struct mapi_watch *watch = container_of(task, struct mapi_watch, stop);

    store_watch_stop(&watch->store, on_stopped);
}

void context_watch(struct mapi_logon *logon, struct executor *home)
{
    struct mapi_watch *watch = mem_new(sizeof *watch);

    *watch = (struct mapi_watch){
        .store = {.changed = on_changed, .owner = watch},
        .home = home,
        .stop.run = stop,
        .mailbox = mailbox_hold(logon->mailbox),
        .context = logon->context,
    };
    pthread_mutex_init(&watch->mutex, NULL);
    logon->watch = watch;
    store_watch_start(logon->mailbox, &watch->store, home);
}

void context_unwatch(struct mapi_logon *logon)
{
    struct mapi_watch *watch = logon->watch;

    if (!watch)
        return;
    logon->watch = NULL;
    pthread_mutex_lock(&watch->mutex);
    watch->context = NULL;
    pthread_mutex_unlock(&watch->mutex);
    executor_post(watch->home, &watch->stop);
}
