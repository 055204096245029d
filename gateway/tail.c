#include "gateway/tail.h"

#include <pthread.h>

#include "base/mem.h"

enum {
    KEPT = 256,
    SHOWN_FIRST = 50, /* to who begins to watch */
    FOLLOWERS_MOST = 16,
    RECORD_MOST = 32 * 1024, /* far beyond what a record can be */
};

struct ops_follower {
    struct task task; /* first */
    struct tail *tail;
    struct ops_follow how;
    uint64_t next_record; /* its number */
    bool posted, left;
    struct ops_follower *next;
};

struct tail {
    struct auth_sink face; /* first */
    struct auth_sink *next;
    pthread_mutex_t mutex;
    struct buf lines[KEPT]; /* of record n at n % KEPT */
    uint64_t n;             /* records ever */
    struct ops_follower *followers;
    unsigned n_followers;
};

/* ---- records come ---- */

static void run_more(struct task *task)
{
    struct ops_follower *f = (struct ops_follower *)task;

    pthread_mutex_lock(&f->tail->mutex);
    bool left = f->left;
    f->posted = false;
    pthread_mutex_unlock(&f->tail->mutex);
    if (left)
        free(f);
    else
        f->how.more(f->how.owner);
}

/* Under the mutex. */
static void wake(struct ops_follower *f)
{
    if (f->posted)
        return;
    f->posted = true;
    f->task.run = run_more;
    executor_post(f->how.home, &f->task);
}

static void record(struct auth_sink *face, const struct auth_record *rec, struct slice line)
{
    struct tail *t = (struct tail *)face;

    t->next->record(t->next, rec, line);
    pthread_mutex_lock(&t->mutex);
    struct buf *kept = &t->lines[t->n++ % KEPT];
    buf_clear(kept);
    buf_put(kept, slice_ends(line, S("\n")) ? slice_head(line, line.len - 1) : line);
    for (struct ops_follower *f = t->followers; f; f = f->next)
        wake(f);
    pthread_mutex_unlock(&t->mutex);
}

/* ---- they are read ---- */

static uint64_t oldest_kept(const struct tail *t)
{
    return t->n > KEPT ? t->n - KEPT : 0;
}

/* Where to begin: behind what he has seen already, where that can be. */
static uint64_t first_for(const struct tail *t, uint64_t seen)
{
    if (seen && seen <= t->n)
        return seen;
    return t->n > SHOWN_FIRST ? t->n - SHOWN_FIRST : 0;
}

struct ops_follower *tail_follow(struct tail *tail, const struct ops_follow *how)
{
    struct ops_follower *f = NULL;

    pthread_mutex_lock(&tail->mutex);
    if (tail->n_followers < FOLLOWERS_MOST) {
        f = mem_new(sizeof *f);
        f->tail = tail;
        f->how = *how;
        f->next_record = first_for(tail, how->seen);
        f->next = tail->followers;
        tail->followers = f;
        tail->n_followers++;
    }
    pthread_mutex_unlock(&tail->mutex);
    return f;
}

void tail_leave(struct tail *tail, struct ops_follower *follower)
{
    struct ops_follower **at = &tail->followers;

    pthread_mutex_lock(&tail->mutex);
    while (*at != follower)
        at = &(*at)->next;
    *at = follower->next;
    tail->n_followers--;
    follower->left = true;
    bool posted = follower->posted;
    pthread_mutex_unlock(&tail->mutex);
    if (!posted)
        free(follower);
}

bool tail_read(struct tail *tail, struct ops_follower *follower, struct buf *out, size_t room)
{
    size_t end = out->len + room;

    pthread_mutex_lock(&tail->mutex);
    uint64_t oldest = oldest_kept(tail);
    if (follower->next_record < oldest) {
        buf_printf(out, "event: missed\ndata: %llu\n\n",
                   (unsigned long long)(oldest - follower->next_record));
        follower->next_record = oldest;
    }
    while (follower->next_record < tail->n && out->len < end) {
        struct slice line = buf_slice(&tail->lines[follower->next_record++ % KEPT]);

        buf_printf(out, "id: %llu\ndata: ", (unsigned long long)follower->next_record);
        buf_put(out, line);
        buf_puts(out, "\n\n");
    }
    bool more = follower->next_record < tail->n;
    pthread_mutex_unlock(&tail->mutex);
    return more;
}

/* ---- life ---- */

struct tail *tail_new(struct auth_sink *next)
{
    struct tail *t = mem_new(sizeof *t);

    t->face.record = record;
    t->next = next;
    pthread_mutex_init(&t->mutex, NULL);
    for (unsigned i = 0; i < KEPT; i++)
        t->lines[i] = buf_make(RECORD_MOST);
    return t;
}

void tail_free(struct tail *tail)
{
    if (!tail)
        return;
    for (unsigned i = 0; i < KEPT; i++)
        buf_done(&tail->lines[i]);
    pthread_mutex_destroy(&tail->mutex);
    free(tail);
}

struct auth_sink *tail_face(struct tail *tail)
{
    return &tail->face;
}
