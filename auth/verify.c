/*
 * verify.c - is this secret right?
 *
 * A secret is tried as UTF-8, then in the configured legacy character set. How much work that is
 * depends on the secret alone, never on whether the account exists: an unknown one is checked
 * against fake keys.
 */
#include <unicode/ucnv.h>

#include "auth/auth_int.h"
#include "auth/precis.h"
#include "base/mem.h"

/* Bytes in a character set to UTF-8; false where they are not of it. */
static bool to_utf8(const char *charset, struct slice bytes, struct arena *in, struct slice *out)
{
    UErrorCode status = U_ZERO_ERROR;
    UConverter *from = ucnv_open(charset, &status);
    UConverterToUCallback old;
    const void *old_context;

    if (U_FAILURE(status))
        return false;
    ucnv_setToUCallBack(from, UCNV_TO_U_CALLBACK_STOP, NULL, &old, &old_context, &status);
    int32_t cap = (int32_t)bytes.len * 4 + 1;
    char *to = arena_alloc(in, (size_t)cap);
    int32_t len = ucnv_toAlgorithmic(UCNV_UTF8, from, to, cap, (const char *)bytes.ptr,
                                     (int32_t)bytes.len, &status);
    ucnv_close(from);
    *out = slice_of(to, (size_t)len);
    return U_SUCCESS(status);
}

/* One try; a secret that cannot be any account's costs the same as one that can. */
static bool try_secret(const struct scram_keys *keys, enum scram_hash hash, struct slice secret,
                       struct arena *in)
{
    struct slice prepared = S("");
    bool possible = secret.len <= AUTH_MAX_SECRET && !failed(precis_opaque(secret, in, &prepared));
    bool match = scram_keys_match(keys, hash, prepared);

    return possible && match;
}

static bool try_both(const struct auth_settings *settings, const struct scram_keys *keys,
                     enum scram_hash hash, struct slice secret, bool *legacy)
{
    struct arena arena = ARENA_INIT;
    struct slice converted = S("");
    bool right = try_secret(keys, hash, secret, &arena);

    *legacy = false;
    if (!right && settings->legacy_charset && !slice_is_ascii(secret)) {
        bool can = secret.len <= AUTH_MAX_SECRET &&
                   to_utf8(settings->legacy_charset, secret, &arena, &converted);
        bool match = try_secret(keys, hash, can ? converted : S(""), &arena);

        *legacy = right = can && match;
    }
    arena_wipe(&arena);
    return right;
}

bool verify_secret(const struct auth_settings *settings, struct verify_cache *cache,
                   const struct auth_account *account, const struct scram_fake *fake,
                   struct slice secret, bool *legacy)
{
    const struct auth_account nobody = {.identity = fake->name};
    struct scram_keys keys[SCRAM_HASHES];
    bool real[SCRAM_HASHES];

    /* Nobody is never in the cache, but asking takes the same time. */
    if (verify_cache_has(cache, account ? account : &nobody, secret, legacy))
        return true;
    for (int h = 0; h < SCRAM_HASHES; h++)
        real[h] = scram_keys_of(fake, account, (enum scram_hash)h, &keys[h]);
    /* An account that came from elsewhere may have SHA-1 keys only. */
    enum scram_hash hash = !real[SCRAM_SHA_256] && real[SCRAM_SHA_1] ? SCRAM_SHA_1 : SCRAM_SHA_256;
    bool right = try_both(settings, &keys[hash], hash, secret, legacy) && real[hash];
    mem_wipe(keys, sizeof keys);
    if (right)
        verify_cache_add(cache, account, secret, *legacy);
    return right;
}

struct err verify_renew(const struct auth_settings *settings, struct auth_source *source,
                        const struct auth_account *account, struct slice secret, bool legacy)
{
    struct arena arena = ARENA_INIT;
    struct buf keys = buf_make(4096);
    struct err e = OK;

    if (!source->set_credentials || scram_keys_current(settings, account->credentials))
        return OK;
    if (legacy && !to_utf8(settings->legacy_charset, secret, &arena, &secret))
        e = ERR(ERR_INVALID, "the secret is not of the legacy character set any more");
    if (!failed(e))
        e = auth_credentials_make(secret, settings->iterations, &keys);
    if (!failed(e))
        e = source->set_credentials(source, account, buf_slice(&keys));
    buf_wipe(&keys);
    arena_wipe(&arena);
    return e;
}
