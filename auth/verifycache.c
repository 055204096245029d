/*
 * verifycache.c - secrets that were right, so that they need not be hashed slowly again.
 *
 * A phone that polls every minute costs one PBKDF2, not one a minute. An entry is a keyed hash
 * over the account's name, generation and credentials and the secret: a changed account has other
 * entries at once, and the key is random, in memory only, and wiped. Only what was right is kept;
 * a wrong secret is never remembered as wrong.
 */
#include <openssl/rand.h>

#include "auth/auth_int.h"
#include "base/mem.h"

enum { WAYS = 4, TAG = 16 };

struct entry {
    uint8_t tag[TAG];
    bool used;
    struct verified what;
};

struct set {
    struct entry ways[WAYS];
    unsigned next; /* to be replaced */
};

struct verify_cache {
    pthread_mutex_t mutex;
    uint8_t key[32];
    size_t n_sets;
    struct set sets[];
};

struct verify_cache *verify_cache_new(size_t slots)
{
    size_t n = slots / WAYS ? slots / WAYS : 1;
    struct verify_cache *c = mem_new(sizeof *c + n * sizeof c->sets[0]);

    pthread_mutex_init(&c->mutex, NULL);
    c->n_sets = n;
    if (RAND_bytes(c->key, sizeof c->key) != 1)
        abort();
    return c;
}

void verify_cache_free(struct verify_cache *cache)
{
    if (!cache)
        return;
    pthread_mutex_destroy(&cache->mutex);
    mem_wipe(cache, sizeof *cache + cache->n_sets * sizeof cache->sets[0]);
    free(cache);
}

static struct set *set_of(struct verify_cache *c, const struct auth_account *account,
                          struct slice secret, uint8_t tag[32])
{
    const struct slice parts[] = {
        account->identity,
        slice_of(&account->generation, sizeof account->generation),
        account->credentials,
        secret,
    };
    uint64_t index;

    auth_hmac(c->key, parts, 4, tag);
    memcpy(&index, tag + TAG, sizeof index);
    return &c->sets[index % c->n_sets];
}

static struct entry *find(struct set *set, const uint8_t *tag)
{
    for (size_t i = 0; i < WAYS; i++)
        if (set->ways[i].used && mem_equal_secret(set->ways[i].tag, tag, TAG))
            return &set->ways[i];
    return NULL;
}

bool verify_cache_has(struct verify_cache *cache, const struct auth_account *account,
                      struct slice secret, struct verified *out)
{
    uint8_t tag[32];
    struct set *set = set_of(cache, account, secret, tag);

    pthread_mutex_lock(&cache->mutex);
    const struct entry *entry = find(set, tag);
    if (entry)
        *out = entry->what;
    pthread_mutex_unlock(&cache->mutex);
    mem_wipe(tag, sizeof tag);
    return entry != NULL;
}

void verify_cache_add(struct verify_cache *cache, const struct auth_account *account,
                      struct slice secret, const struct verified *what)
{
    uint8_t tag[32];
    struct set *set = set_of(cache, account, secret, tag);

    pthread_mutex_lock(&cache->mutex);
    if (!find(set, tag)) {
        struct entry *entry = &set->ways[set->next++ % WAYS];

        memcpy(entry->tag, tag, TAG);
        entry->used = true;
        entry->what = *what;
    }
    pthread_mutex_unlock(&cache->mutex);
    mem_wipe(tag, sizeof tag);
}
