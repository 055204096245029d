#include "base/waiter.h"

static void post(struct executor *executor, struct task *task)
{
    struct waiter *w = (struct waiter *)executor;

    pthread_mutex_lock(&w->mutex);
    task->next = NULL;
    *w->end = task;
    w->end = &task->next;
    pthread_cond_signal(&w->posted);
    pthread_mutex_unlock(&w->mutex);
}

void waiter_init(struct waiter *w)
{
    w->executor.post = post;
    pthread_mutex_init(&w->mutex, NULL);
    pthread_cond_init(&w->posted, NULL);
    w->first = NULL;
    w->end = &w->first;
}

static struct task *next_task(struct waiter *w)
{
    pthread_mutex_lock(&w->mutex);
    while (!w->first)
        pthread_cond_wait(&w->posted, &w->mutex);
    struct task *task = w->first;
    w->first = task->next;
    if (!w->first)
        w->end = &w->first;
    pthread_mutex_unlock(&w->mutex);
    return task;
}

void waiter_run(struct waiter *w, unsigned n)
{
    while (n-- > 0) {
        struct task *task = next_task(w);

        task->run(task);
    }
}

void waiter_done(struct waiter *w)
{
    pthread_cond_destroy(&w->posted);
    pthread_mutex_destroy(&w->mutex);
}
