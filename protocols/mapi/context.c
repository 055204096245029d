/* context.c - session contexts: found by their cookie, dropped when nobody asks for them. */
#include "protocols/mapi/context.h"

#include <openssl/rand.h>
#include <stdlib.h>

#include "base/mem.h"

/* ---- the table, under the front end's mutex ---- */

static struct mapi_context **bucket_of(struct mapi *mapi, const uint8_t *cookie)
{
    return &mapi->buckets[(cookie[0] | cookie[1] << 8) % MAPI_BUCKETS];
}

/* FNV-1a. */
static struct mapi_context **user_of(struct mapi *mapi, struct slice identity)
{
    uint32_t h = 0x811C9DC5;

    for (size_t i = 0; i < identity.len; i++)
        h = (h ^ identity.ptr[i]) * 0x01000193u;
    return &mapi->users[h % MAPI_BUCKETS];
}

static void enter(struct mapi_context *c)
{
    struct mapi_context **bucket = bucket_of(c->mapi, c->cookie);
    struct mapi_context **user = user_of(c->mapi, slice_str(c->identity));

    c->by_cookie = *bucket;
    *bucket = c;
    c->by_user = *user;
    c->by_link = user;
    if (c->by_user)
        c->by_user->by_link = &c->by_user;
    *user = c;
}

static void leave(struct mapi_context *c)
{
    struct mapi_context **link = bucket_of(c->mapi, c->cookie);

    while (*link != c)
        link = &(*link)->by_cookie;
    *link = c->by_cookie;
    *c->by_link = c->by_user;
    if (c->by_user)
        c->by_user->by_link = c->by_link;
}

/* The list goes from the one that was used last (`less` used: the next older one). */
static void list_put(struct mapi_context *c)
{
    struct mapi *mapi = c->mapi;

    c->more = NULL;
    c->less = mapi->newest;
    if (mapi->newest)
        mapi->newest->more = c;
    mapi->newest = c;
    if (!mapi->oldest)
        mapi->oldest = c;
}

static void list_take(struct mapi_context *c)
{
    struct mapi *mapi = c->mapi;

    *(c->more ? &c->more->less : &mapi->newest) = c->less;
    *(c->less ? &c->less->more : &mapi->oldest) = c->more;
}

static void use(struct mapi_context *c, uint64_t now_ms)
{
    c->used_at = now_ms;
    list_take(c);
    list_put(c);
}

static void hold(struct mapi_context *c, uint64_t now_ms)
{
    c->refs++;
    c->pending++;
    use(c, now_ms);
}

/* True: nobody has it any more, and it is to be freed (without the mutex). */
static bool drop_locked(struct mapi_context *c)
{
    if (c->dropped)
        return false;
    c->dropped = true;
    leave(c);
    list_take(c);
    return --c->refs == 0;
}

static void free_context(struct mapi_context *c)
{
    objects_release_all(c);
    pthread_mutex_destroy(&c->mutex);
    free(c->identity);
    free(c);
}

/* ---- life ---- */

static unsigned count_of(struct mapi *mapi, struct slice identity)
{
    unsigned n = 0;

    for (const struct mapi_context *c = *user_of(mapi, identity); c; c = c->by_user)
        n += slice_eq(slice_str(c->identity), identity);
    return n;
}

static struct mapi_context *make(struct mapi *mapi, const struct mapi_context_want *want)
{
    struct mapi_context *c = mem_new(sizeof *c);

    *c = (struct mapi_context){
        .mapi = mapi,
        .door = want->door,
        .identity = mem_slice_str(want->identity),
        .mailbox_id = want->mailbox_id,
        .refs = 1,
    };
    pthread_mutex_init(&c->mutex, NULL);
    return c;
}

struct err context_new(struct mapi *mapi, const struct mapi_context_want *want,
                       struct mapi_context **out)
{
    struct mapi_context *c = make(mapi, want);

    if (RAND_bytes(c->cookie, sizeof c->cookie) != 1) {
        free_context(c);
        return ERR(ERR_UNAVAILABLE, "no random bytes are to be had");
    }
    context_sweep(mapi, want->now_ms);
    pthread_mutex_lock(&mapi->mutex);
    bool full = count_of(mapi, want->identity) >= mapi->config.max_contexts;
    if (!full) {
        enter(c);
        list_put(c);
        hold(c, want->now_ms);
    }
    pthread_mutex_unlock(&mapi->mutex);
    if (full) {
        free_context(c);
        return ERR(ERR_LIMIT, "the user has as many sessions as one may have");
    }
    *out = c;
    return OK;
}

static bool is_wanted(const struct mapi_context *c, const struct mapi_context_want *want,
                      const uint8_t *cookie)
{
    return mem_equal_secret(c->cookie, cookie, MAPI_COOKIE_BYTES) && c->door == want->door &&
           c->mailbox_id == want->mailbox_id && slice_eq(slice_str(c->identity), want->identity);
}

struct err context_find(struct mapi *mapi, const struct mapi_context_want *want,
                        const uint8_t cookie[MAPI_COOKIE_BYTES], struct mapi_context **out)
{
    context_sweep(mapi, want->now_ms);
    pthread_mutex_lock(&mapi->mutex);
    struct mapi_context *c = *bucket_of(mapi, cookie);
    while (c && !is_wanted(c, want, cookie))
        c = c->by_cookie;
    if (c)
        hold(c, want->now_ms);
    pthread_mutex_unlock(&mapi->mutex);
    if (!c)
        return ERR(ERR_NOT_FOUND, "there is no such session");
    *out = c;
    return OK;
}

void context_let_go(struct mapi_context *c, uint64_t now_ms)
{
    struct mapi *mapi = c->mapi;

    pthread_mutex_lock(&mapi->mutex);
    c->pending--;
    if (!c->dropped)
        use(c, now_ms);
    bool last = --c->refs == 0;
    pthread_mutex_unlock(&mapi->mutex);
    if (last)
        free_context(c);
}

void context_drop(struct mapi_context *c)
{
    struct mapi *mapi = c->mapi;

    pthread_mutex_lock(&mapi->mutex);
    bool last = drop_locked(c);
    pthread_mutex_unlock(&mapi->mutex);
    if (last)
        free_context(c);
}

/* Those that are pending are younger than they look: they are used when they end. */
static struct mapi_context *take_expired(struct mapi *mapi, uint64_t now_ms)
{
    struct mapi_context *c = mapi->oldest;

    while (c && c->used_at + mapi->config.idle_ms <= now_ms && c->pending)
        c = c->more;
    if (!c || c->used_at + mapi->config.idle_ms > now_ms)
        return NULL;
    bool last = drop_locked(c);
    return last ? c : NULL;
}

void context_sweep(struct mapi *mapi, uint64_t now_ms)
{
    struct mapi_context *c;

    do {
        pthread_mutex_lock(&mapi->mutex);
        c = take_expired(mapi, now_ms);
        pthread_mutex_unlock(&mapi->mutex);
        if (c)
            free_context(c);
    } while (c);
}

/* ---- sequence ---- */

uint64_t context_issue(struct mapi_context *c)
{
    struct mapi *mapi = c->mapi;

    pthread_mutex_lock(&mapi->mutex);
    uint64_t ticket = ++c->last_ticket;
    c->tickets[ticket % MAPI_TICKETS] = ticket;
    pthread_mutex_unlock(&mapi->mutex);
    return ticket;
}

struct err context_begin(struct mapi_context *c, uint64_t ticket)
{
    struct mapi *mapi = c->mapi;
    struct err e = OK;

    pthread_mutex_lock(&mapi->mutex);
    if (c->busy)
        e = ERR(ERR_CONFLICT, "another request is being executed in this session");
    else if (ticket == 0 || c->tickets[ticket % MAPI_TICKETS] != ticket)
        e = ERR(ERR_CONFLICT, "the request is out of its turn");
    if (!failed(e)) {
        c->tickets[ticket % MAPI_TICKETS] = 0;
        c->busy = true;
        c->executes++;
    }
    pthread_mutex_unlock(&mapi->mutex);
    return e;
}

void context_end(struct mapi_context *c)
{
    struct mapi *mapi = c->mapi;

    pthread_mutex_lock(&mapi->mutex);
    c->busy = false;
    pthread_mutex_unlock(&mapi->mutex);
}

/* ---- memory ---- */

uint32_t context_charge(struct mapi_context *c, uint64_t bytes)
{
    if (bytes > c->mapi->config.max_memory || c->held > c->mapi->config.max_memory - bytes)
        return EC_NOT_ENOUGH_MEMORY;
    c->held += bytes;
    return EC_SUCCESS;
}

void context_discharge(struct mapi_context *c, uint64_t bytes)
{
    c->held -= bytes < c->held ? bytes : c->held;
}
