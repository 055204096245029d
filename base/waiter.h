/*
 * waiter.h - an executor for a thread that has nothing better to do than wait for an answer.
 *
 * For tools and tests that want an asynchronous request to look like a call; never on a worker.
 *
 *     struct waiter w;
 *     waiter_init(&w);
 *     request.home = &w.executor;
 *     submit(&request);
 *     waiter_run(&w, 1);     runs the `done` that was posted, on this thread
 *     waiter_done(&w);
 */
#ifndef GATEPOST_BASE_WAITER_H
#define GATEPOST_BASE_WAITER_H

#include <pthread.h>

#include "base/executor.h"

struct waiter {
    struct executor executor;
    pthread_mutex_t mutex;
    pthread_cond_t posted;
    struct task *first, **end;
};

void waiter_init(struct waiter *w);

/* Run tasks as they are posted, until `n` of them have run. */
void waiter_run(struct waiter *w, unsigned n);

/* Nothing may be posted any more. */
void waiter_done(struct waiter *w);

#endif
