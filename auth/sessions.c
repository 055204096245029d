/*
 * sessions.c - how many sessions each user has from each address.
 *
 * The table is as big as there are sessions, and these the gateway bounds.
 */
#include <assert.h>

#include <openssl/rand.h>

#include "auth/auth_int.h"
#include "base/mem.h"

enum { BUCKETS = 4096 };

struct holder {
    struct holder *chain;
    struct auth_place place;
    unsigned count;
    size_t len;
    uint8_t identity[];
};

struct sessions {
    pthread_mutex_t mutex;
    uint8_t key[32];
    struct holder *buckets[BUCKETS];
};

struct sessions *sessions_new(void)
{
    struct sessions *s = mem_new(sizeof *s);

    pthread_mutex_init(&s->mutex, NULL);
    if (RAND_bytes(s->key, sizeof s->key) != 1)
        abort();
    return s;
}

void sessions_free(struct sessions *sessions)
{
    if (!sessions)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        while (sessions->buckets[i]) {
            struct holder *h = sessions->buckets[i];

            sessions->buckets[i] = h->chain;
            free(h);
        }
    pthread_mutex_destroy(&sessions->mutex);
    free(sessions);
}

/* Where the holder hangs, or would. */
static struct holder **find(struct sessions *s, struct auth_place place, struct slice identity)
{
    const struct slice parts[] = {slice_of(place.bytes, sizeof place.bytes), identity};
    uint8_t hash[32];
    uint32_t index;

    auth_hmac(s->key, parts, 2, hash);
    memcpy(&index, hash, sizeof index);
    struct holder **at = &s->buckets[index % BUCKETS];
    while (*at && (memcmp(&(*at)->place, &place, sizeof place) != 0 ||
                   !slice_eq(slice_of((*at)->identity, (*at)->len), identity)))
        at = &(*at)->chain;
    return at;
}

bool sessions_enter(struct sessions *sessions, struct auth_place place, struct slice identity,
                    unsigned max)
{
    pthread_mutex_lock(&sessions->mutex);
    struct holder **at = find(sessions, place, identity);
    if (!*at) {
        *at = mem_new(sizeof **at + identity.len);
        (*at)->place = place;
        (*at)->len = identity.len;
        if (identity.len)
            memcpy((*at)->identity, identity.ptr, identity.len);
    }
    bool room = (*at)->count < max;
    if (room)
        (*at)->count++;
    pthread_mutex_unlock(&sessions->mutex);
    return room;
}

void sessions_leave(struct sessions *sessions, struct auth_place place, struct slice identity)
{
    pthread_mutex_lock(&sessions->mutex);
    struct holder **at = find(sessions, place, identity), *h = *at;
    assert(h && h->count > 0);
    if (h && --h->count == 0) {
        *at = h->chain;
        free(h);
    }
    pthread_mutex_unlock(&sessions->mutex);
}
