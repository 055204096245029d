/*
 * pool.c - threads for what is long and nobody waits for.
 *
 * An executor whose tasks may run side by side: who posts two that must not overlap posts the
 * second from the first.
 */
#include <stdlib.h>

#include "store/store_int.h"

struct store_pool {
    struct executor executor;
    pthread_mutex_t mutex;
    pthread_cond_t posted;
    struct task *first, **end;
    bool stopping;
    unsigned n_threads, most_threads, idle;
    pthread_t *threads;
};

static void *work(void *arg)
{
    struct store_pool *pool = arg;

    pthread_mutex_lock(&pool->mutex);
    for (;;) {
        struct task *task = pool->first;

        if (task) {
            pool->first = task->next;
            if (!pool->first)
                pool->end = &pool->first;
            pthread_mutex_unlock(&pool->mutex);
            task->run(task);
            pthread_mutex_lock(&pool->mutex);
        } else if (pool->stopping) {
            break;
        } else {
            pool->idle++;
            pthread_cond_wait(&pool->posted, &pool->mutex);
            pool->idle--;
        }
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

/* Threads are begun when they are first needed: most tools never need one. */
static void post(struct executor *executor, struct task *task)
{
    struct store_pool *pool = container_of(executor, struct store_pool, executor);

    pthread_mutex_lock(&pool->mutex);
    task->next = NULL;
    *pool->end = task;
    pool->end = &task->next;
    if (pool->idle == 0 && pool->n_threads < pool->most_threads) {
        if (pthread_create(&pool->threads[pool->n_threads], NULL, work, pool) == 0)
            pool->n_threads++;
        else if (pool->n_threads == 0)
            abort(); /* no thread at all can be had: nothing that was asked for would be done */
    }
    pthread_cond_signal(&pool->posted);
    pthread_mutex_unlock(&pool->mutex);
}

struct store_pool *store_pool_new(unsigned threads)
{
    struct store_pool *pool = mem_new(sizeof *pool);

    pool->executor.post = post;
    pool->end = &pool->first;
    pool->most_threads = threads;
    pool->threads = mem_array(threads, sizeof *pool->threads);
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->posted, NULL);
    return pool;
}

struct executor *store_pool_executor(struct store_pool *pool)
{
    return &pool->executor;
}

void store_pool_free(struct store_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->mutex);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->posted);
    pthread_mutex_unlock(&pool->mutex);
    for (unsigned i = 0; i < pool->n_threads; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->posted);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->threads);
    free(pool);
}
