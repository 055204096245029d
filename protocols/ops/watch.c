/*
 * watch.c - records of log-ons as they come, as server-sent events (HTML Living Standard 9.2).
 *
 * Whoever watches gets what has come at most four times a second, and as fast as he reads; what he
 * is too slow for he misses, and is told how many that were.
 */
#include "protocols/ops/ops_int.h"

enum {
    PAUSE_MS = 250,
    SIGN_OF_LIFE_MS = 15 * 1000, /* so that who has gone without a word is noticed */
};

struct watch {
    struct http_exchange *x;
    struct ops_follower *follower;
    uint64_t not_before, next_sign;
    bool more; /* has come */
};

static void on_more(void *owner)
{
    struct watch *w = owner;

    if (!w->more) /* else he knows, and waits for his time */
        http_wake(w->x);
    w->more = true;
}

/* The number of the last record that was seen, where the client was here before. */
static uint64_t seen(struct http_exchange *x)
{
    uint64_t n = 0;

    return slice_to_u64(http_field(x, "Last-Event-ID"), &n) ? n : 0;
}

static enum http_next begin(struct http_exchange *x, struct watch *w)
{
    const struct session_env *env = http_env(x);
    const struct ops_follow how = {
        .home = env->home,
        .more = on_more,
        .owner = w,
        .seen = seen(x),
    };

    w->x = x;
    w->more = true;
    w->follower = env->ops->follow(env->ops, &how);
    if (!w->follower)
        return http_refuse(x, 503);
    http_status(x, 200);
    http_header(x, "Content-Type", S("text/event-stream"));
    buf_puts(http_out(x), "retry: 3000\n\n");
    return http_request(x)->head_only ? HTTP_DONE : HTTP_WAIT;
}

static void put(struct http_exchange *x, struct watch *w, uint64_t now)
{
    const struct session_env *env = http_env(x);
    size_t before = http_out(x)->len;

    w->more = env->ops->read(env->ops, w->follower, http_out(x), http_room(x));
    if (now >= w->next_sign && http_out(x)->len == before)
        buf_puts(http_out(x), ":\n\n");
    w->not_before = now + PAUSE_MS;
    w->next_sign = now + SIGN_OF_LIFE_MS;
}

static enum http_next step(struct http_exchange *x)
{
    struct watch *w = http_state(x);
    uint64_t now = http_env(x)->clock->mono_ms;
    enum http_next next = w->follower ? HTTP_WAIT : begin(x, w);

    if (next != HTTP_WAIT)
        return next;
    if (http_client_gone(x))
        return HTTP_ABORT;
    if (http_draining(x))
        return HTTP_DONE;
    if ((w->more && now >= w->not_before) || now >= w->next_sign)
        put(x, w, now);
    http_wake_at(x, w->more ? w->not_before : w->next_sign);
    return HTTP_WAIT;
}

static void done(struct http_exchange *x)
{
    struct watch *w = http_state(x);

    if (w->follower)
        http_env(x)->ops->leave(http_env(x)->ops, w->follower);
}

const struct http_handler ops_watch_handler = {"watch", sizeof(struct watch), step, done};
