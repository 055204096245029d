/*
 * pass.c - what a good verdict rests on, kept by who is asked for the same secret again and again.
 *
 * Of the secret it has a keyed hash only, under a key of its own, as decision 0012 has it.
 */
#include "auth/auth_int.h"
#include "base/mem.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

/* An account as it was. */
struct known {
    struct slice identity; /* own memory */
    uint64_t generation, expires;
};

struct auth_pass {
    struct auth_settings *settings;
    struct known actor, target;
    bool seen;        /* both were as they are here */
    uint64_t version; /* when accounts were as this says */
    uint8_t key[32], tag[32];
};

static struct known known_of(const struct auth_account *account, uint64_t expires)
{
    return (struct known){
        .identity = slice_of(mem_slice_str(account->identity), account->identity.len),
        .generation = account->generation,
        .expires = expires,
    };
}

/*
 * A plain hash behind a key of fixed length is enough: nobody sees the tag, who could go on from
 * it. HMAC takes libcrypto 6 us, and this is done with every request.
 */
static bool make_tag(const struct auth_pass *pass, struct slice name, struct slice secret,
                     uint8_t tag[32])
{
    struct buf all = buf_make(SIZE_MAX / 2);
    uint64_t len = name.len;

    buf_put(&all, slice_of(pass->key, sizeof pass->key));
    buf_put(&all, slice_of(&len, sizeof len));
    buf_put(&all, name);
    buf_put(&all, secret);
    struct slice bytes = buf_slice(&all);
    bool made = EVP_Digest(bytes.ptr, bytes.len, tag, NULL, EVP_sha256(), NULL) == 1;
    buf_wipe(&all);
    return made;
}

struct auth_pass *pass_new(const struct exchange *x, struct slice name, struct slice secret)
{
    struct auth_pass *pass = mem_new(sizeof *pass);

    if (RAND_bytes(pass->key, sizeof pass->key) != 1 || !make_tag(pass, name, secret, pass->tag)) {
        free(pass);
        return NULL; /* then every request is an attempt */
    }
    pass->settings = settings_ref((struct auth_settings *)x->settings);
    pass->actor = known_of(exchange_actor(x), exchange_expires(x));
    /* The expiry of a secret that was not used does not matter. */
    pass->target = known_of(exchange_target(x), 0);
    return pass;
}

static bool settings_are(struct auth *auth, const struct auth_settings *settings)
{
    struct auth_settings *now = auth_settings(auth);
    bool same = now == settings;

    settings_unref(now);
    return same;
}

static bool is_expired(struct auth *auth, const struct known *k)
{
    return k->expires && auth->now().wall >= k->expires;
}

static bool is_as_it_was(struct auth *auth, const struct known *k)
{
    struct arena arena = ARENA_INIT;
    struct auth_account now;
    struct err e = auth->source->lookup(auth->source, k->identity, &arena, &now);
    bool same = !failed(e) && slice_eq(now.identity, k->identity) &&
                now.generation == k->generation && !is_expired(auth, k);

    arena_wipe(&arena); /* it held credentials */
    return same;
}

/* Where no account has changed since they were looked up, they are what they were. */
static bool accounts_are_as_they_were(struct auth *auth, struct auth_pass *pass)
{
    struct auth_source *source = auth->source;
    uint64_t version = 0;
    bool told = source->version && !failed(source->version(source, &version));

    if (told && pass->seen && version == pass->version)
        return !is_expired(auth, &pass->actor) && !is_expired(auth, &pass->target);
    pass->seen = false;
    if (!is_as_it_was(auth, &pass->actor) || !is_as_it_was(auth, &pass->target))
        return false;
    pass->seen = told; /* what was looked up is no older than the version */
    pass->version = version;
    return true;
}

bool auth_pass_holds(struct auth *auth, struct auth_pass *pass, struct slice name,
                     struct slice secret)
{
    uint8_t tag[32];

    return make_tag(pass, name, secret, tag) && mem_equal_secret(tag, pass->tag, sizeof tag) &&
           settings_are(auth, pass->settings) && accounts_are_as_they_were(auth, pass);
}

void auth_pass_free(struct auth_pass *pass)
{
    if (!pass)
        return;
    settings_unref(pass->settings);
    free((uint8_t *)pass->actor.identity.ptr);
    free((uint8_t *)pass->target.identity.ptr);
    mem_wipe(pass, sizeof *pass);
    free(pass);
}
