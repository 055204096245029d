/*
 * pool.c - threads for what may take long, shared fairly.
 *
 * Each client address has a queue of its own and the queues are served in turn, so that a storm of
 * log-ons from one address makes that address wait, and the others for no more than the jobs that
 * are running. One address may hold a quarter of all places, so that it cannot fill them up.
 */
#include <assert.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "auth/auth_int.h"
#include "base/mem.h"

enum { BUCKETS = 1024 };

struct queue {
    struct auth_place place;
    struct queue *chain; /* in its bucket */
    struct queue *turn;  /* the next to be served; the ring's last points to its first */
    struct job *first, **end;
    unsigned n;
};

struct pool {
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    struct queue *last; /* of the ring; NULL: nothing waits */
    unsigned waiting, max_waiting, max_each;
    bool stopping;
    uint32_t seed;
    struct queue *buckets[BUCKETS];
    unsigned n_threads;
    pthread_t threads[];
};

/* ---- the ring of queues; with the mutex held ---- */

/* FNV-1a with a seed: a chain is never longer than max_waiting, whatever addresses come. */
static struct queue **find(struct pool *p, struct auth_place place)
{
    uint32_t hash = 2166136261u ^ p->seed;

    for (size_t i = 0; i < sizeof place.bytes; i++)
        hash = (hash ^ place.bytes[i]) * 16777619u;
    struct queue **at = &p->buckets[hash % BUCKETS];
    while (*at && memcmp(&(*at)->place, &place, sizeof place) != 0)
        at = &(*at)->chain;
    return at;
}

static struct queue *add_queue(struct pool *p, struct auth_place place, struct queue **at)
{
    struct queue *q = mem_new(sizeof *q);

    q->place = place;
    q->end = &q->first;
    *at = q;
    if (p->last) {
        q->turn = p->last->turn;
        p->last->turn = q;
    } else {
        q->turn = q;
    }
    p->last = q;
    return q;
}

/* The next job of the queue whose turn it is; that queue then goes to the end, or goes. */
static struct job *take(struct pool *p)
{
    struct queue *q = p->last->turn;
    struct job *job = q->first;

    q->first = job->next;
    q->n--;
    p->waiting--;
    if (q->first) {
        p->last = q;
        return job;
    }
    p->last->turn = q->turn;
    if (p->last == q)
        p->last = NULL;
    *find(p, q->place) = q->chain;
    free(q);
    return job;
}

static bool put(struct pool *p, struct job *job)
{
    struct queue **at = find(p, job->place);

    if (p->waiting >= p->max_waiting || (*at && (*at)->n >= p->max_each))
        return false;
    struct queue *q = *at ? *at : add_queue(p, job->place, at);
    job->next = NULL;
    *q->end = job;
    q->end = &job->next;
    q->n++;
    p->waiting++;
    return true;
}

/* ---- threads ---- */

static void *work(void *arg)
{
    struct pool *p = arg;

    pthread_mutex_lock(&p->mutex);
    for (;;) {
        while (!p->last && !p->stopping)
            pthread_cond_wait(&p->filled, &p->mutex);
        if (!p->last)
            break;
        struct job *job = take(p);
        pthread_mutex_unlock(&p->mutex);
        job->run(job);
        pthread_mutex_lock(&p->mutex);
    }
    pthread_mutex_unlock(&p->mutex);
    return NULL;
}

struct pool *pool_new(unsigned threads, unsigned max_waiting)
{
    struct pool *p = mem_new(sizeof *p + threads * sizeof p->threads[0]);

    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->filled, NULL);
    p->max_waiting = max_waiting;
    p->max_each = max_waiting / 4 ? max_waiting / 4 : 1;
    if (RAND_bytes((uint8_t *)&p->seed, sizeof p->seed) != 1)
        abort();
    for (; p->n_threads < threads; p->n_threads++)
        if (pthread_create(&p->threads[p->n_threads], NULL, work, p) != 0)
            break;
    /* Fewer threads are slower; none would never answer. */
    if (threads && p->n_threads == 0) {
        pool_free(p);
        return NULL;
    }
    return p;
}

void pool_free(struct pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->mutex);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->filled);
    pthread_mutex_unlock(&pool->mutex);
    for (unsigned i = 0; i < pool->n_threads; i++)
        pthread_join(pool->threads[i], NULL);
    assert(!pool->last);
    pthread_cond_destroy(&pool->filled);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}

struct err pool_submit(struct pool *pool, struct job *job)
{
    if (pool->n_threads == 0) {
        job->run(job);
        return OK;
    }
    pthread_mutex_lock(&pool->mutex);
    bool room = put(pool, job);
    if (room)
        pthread_cond_signal(&pool->filled);
    pthread_mutex_unlock(&pool->mutex);
    return room ? OK : ERR(ERR_LIMIT, "too many log-ons wait to be checked");
}
