/*
 * executor.h - "run this there": how work and answers change threads.
 *
 * Every worker of the gateway is an executor; so is a test's queue that it pumps by hand. A task
 * is embedded in what it belongs to, so posting allocates nothing and cannot fail.
 *
 * Threads    executor_post() may be called on any thread; `run` runs on the executor's own.
 * Ownership  A posted task is the executor's until its `run` is called; `run` may free it.
 * Order      Tasks posted by one thread to one executor run in the order of posting.
 */
#ifndef GATEPOST_BASE_EXECUTOR_H
#define GATEPOST_BASE_EXECUTOR_H

struct task {
    void (*run)(struct task *task);
    struct task *next; /* the executor's */
};

struct executor {
    void (*post)(struct executor *executor, struct task *task);
};

static inline void executor_post(struct executor *executor, struct task *task)
{
    executor->post(executor, task);
}

#endif
