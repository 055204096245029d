/*
 * fuzz_name.c - names, addresses, secrets and SCRAM messages of any bytes.
 *
 * A canonical form is its own canonical form, is UTF-8, and finds the account that was found.
 */
#include "tests/support/auth_fixture.h"

#include "auth/auth_int.h"
#include "auth/precis.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fixture *fixture;

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void try_name(struct slice in, struct arena *arena)
{
    struct slice name, again;

    if (failed(auth_name(in, arena, &name)))
        return;
    must(name.len > 0 && name.len <= NAME_MAX_CANONICAL && slice_is_utf8(name));
    must(slice_index(name, 0) == name.len);
    must(!failed(auth_name(name, arena, &again)));
    must(slice_eq(name, again));
}

static void try_secret(struct slice in, struct arena *arena)
{
    struct slice secret, again;

    if (failed(precis_opaque(in, arena, &secret)))
        return;
    must(slice_is_utf8(secret));
    must(!failed(precis_opaque(secret, arena, &again)));
    must(slice_eq(secret, again));
}

static void try_accounts(struct slice in, struct arena *arena)
{
    struct auth_account found, same;

    if (!failed(auth_resolve(fixture->auth, in, arena, &found))) {
        must(!failed(auth_resolve(fixture->auth, found.identity, arena, &same)));
        must(slice_eq(found.identity, same.identity));
    }
    if (!failed(auth_resolve_recipient(fixture->auth, in, arena, &found)))
        must(found.identity.len > 0);
}

static void try_messages(struct slice in, struct arena *arena)
{
    struct slice authzid, name, secret;
    struct scram_first first;
    struct scram_keys keys;

    if (message_plain(in, &authzid, &name, &secret))
        must(authzid.len + name.len + secret.len + 2 == in.len);
    if (message_scram_first(in, arena, &first))
        must(slice_starts(in, first.header));
    (void)message_scram_binds(in, S("n,,"), in);
    (void)scram_keys_find(in, SCRAM_SHA_256, &keys);
    (void)scram_keys_find(in, SCRAM_SHA_1, &keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = ARENA_INIT;
    struct slice in = slice_of(data, size);

    if (!fixture) {
        fixture = auth_fixture_new();
        fixture->config.inline_steps = true;
        fixture_start(fixture);
    }
    try_name(in, &arena);
    try_secret(in, &arena);
    try_accounts(in, &arena);
    try_messages(in, &arena);
    arena_done(&arena);
    return 0;
}
