/*
 * pass.c - what a good verdict rests on, kept by who is asked for the same secret again and again.
 *
 * Of the secret it has a keyed hash only, under a key of its own, as decision 0012 has it.
 */
#include "auth/auth_int.h"
#include "base/mem.h"

#include <openssl/rand.h>

/* An account as it was. */
struct known {
    struct slice identity; /* own memory */
    uint64_t generation, expires;
};

struct auth_pass {
    struct auth_settings *settings;
    struct known actor, target;
    uint8_t key[32], tag[32];
};

static struct known known_of(const struct auth_account *account)
{
    return (struct known){
        .identity = slice_of(mem_slice_str(account->identity), account->identity.len),
        .generation = account->generation,
        .expires = account->expires,
    };
}

static void make_tag(const struct auth_pass *pass, struct slice name, struct slice secret,
                     uint8_t tag[32])
{
    auth_hmac(pass->key, (const struct slice[]){name, secret}, 2, tag);
}

struct auth_pass *pass_new(const struct exchange *x, struct slice name, struct slice secret)
{
    struct auth_pass *pass = mem_new(sizeof *pass);

    if (RAND_bytes(pass->key, sizeof pass->key) != 1) {
        free(pass);
        return NULL; /* then every request is an attempt */
    }
    pass->settings = settings_ref((struct auth_settings *)x->settings);
    pass->actor = known_of(exchange_actor(x));
    pass->target = known_of(exchange_target(x));
    make_tag(pass, name, secret, pass->tag);
    return pass;
}

static bool settings_are(struct auth *auth, const struct auth_settings *settings)
{
    struct auth_settings *now = auth_settings(auth);
    bool same = now == settings;

    settings_unref(now);
    return same;
}

static bool is_as_it_was(struct auth *auth, const struct known *k)
{
    struct arena arena = ARENA_INIT;
    struct auth_account now;
    struct err e = auth->source->lookup(auth->source, k->identity, &arena, &now);
    bool same = !failed(e) && slice_eq(now.identity, k->identity) &&
                now.generation == k->generation && (!k->expires || auth->now().wall < k->expires);

    arena_wipe(&arena); /* it held credentials */
    return same;
}

bool auth_pass_holds(struct auth *auth, const struct auth_pass *pass, struct slice name,
                     struct slice secret)
{
    uint8_t tag[32];

    make_tag(pass, name, secret, tag);
    return mem_equal_secret(tag, pass->tag, sizeof tag) && settings_are(auth, pass->settings) &&
           is_as_it_was(auth, &pass->actor) && is_as_it_was(auth, &pass->target);
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
