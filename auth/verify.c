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

/*
 * One try; a secret that cannot be any account's costs the same as one that can. *keys is
 * overwritten by what the secret gives.
 */
static int try_secret(const struct auth_account *account, struct scram_keys *keys,
                      enum scram_hash hash, struct slice secret, struct arena *in)
{
    struct slice prepared = S("");
    bool possible = secret.len <= AUTH_MAX_SECRET && !failed(precis_opaque(secret, in, &prepared));
    struct scram_keys one;
    int which = SECRET_NONE, found = SECRET_NONE;

    scram_keys_derive(keys, hash, prepared);
    while (account && scram_keys_next(account, hash, keys, &which, &one))
        if (mem_equal_secret(one.stored, keys->stored, keys->key_len) && found == SECRET_NONE)
            found = which;
    mem_wipe(&one, sizeof one);
    return possible ? found : SECRET_NONE;
}

static struct verified try_both(const struct auth_settings *settings,
                                const struct auth_account *account, struct scram_keys *keys,
                                enum scram_hash hash, struct slice secret)
{
    struct arena arena = ARENA_INIT;
    struct slice converted = S("");
    struct verified v = {try_secret(account, keys, hash, secret, &arena), false};

    if (v.secret == SECRET_NONE && settings->legacy_charset && !slice_is_ascii(secret)) {
        bool can = secret.len <= AUTH_MAX_SECRET &&
                   to_utf8(settings->legacy_charset, secret, &arena, &converted);
        int which = try_secret(account, keys, hash, can ? converted : S(""), &arena);

        if (can && which != SECRET_NONE)
            v = (struct verified){which, true};
    }
    arena_wipe(&arena);
    return v;
}

/* An account that came from elsewhere may have a secret with SHA-1 keys only. */
static bool has_sha1_only(const struct auth_account *account)
{
    struct scram_keys keys;
    bool has = false;

    for (int i = 0; account && i <= (int)account->n_app_passwords && !has; i++)
        has = !scram_keys_find(secret_credentials(account, i), SCRAM_SHA_256, &keys) &&
              scram_keys_find(secret_credentials(account, i), SCRAM_SHA_1, &keys);
    mem_wipe(&keys, sizeof keys);
    return has;
}

struct verified verify_secret(const struct auth_settings *settings, struct verify_cache *cache,
                              const struct auth_account *account, const struct scram_fake *fake,
                              struct slice secret)
{
    const struct auth_account nobody = {.identity = fake->name};
    struct verified v = {SECRET_NONE, false};
    struct scram_keys keys;

    /* Nobody is never in the cache, but asking takes the same time. */
    if (verify_cache_has(cache, account ? account : &nobody, secret, &v))
        return v;
    bool sha1 = has_sha1_only(account);
    bool real = scram_keys_of(fake, account, SCRAM_SHA_256, &keys);
    if (real || !sha1)
        v = try_both(settings, account, &keys, SCRAM_SHA_256, secret);
    if (sha1 && v.secret == SECRET_NONE) {
        scram_keys_of(fake, account, SCRAM_SHA_1, &keys);
        v = try_both(settings, account, &keys, SCRAM_SHA_1, secret);
    }
    mem_wipe(&keys, sizeof keys);
    if (v.secret != SECRET_NONE)
        verify_cache_add(cache, account, secret, &v);
    return v;
}

struct err verify_renew(const struct auth_settings *settings, struct auth_source *source,
                        const struct auth_account *account, struct slice secret, bool legacy)
{
    struct arena arena = ARENA_INIT;
    struct buf keys = buf_make(4096);
    struct err e = OK;

    if (!source->set_credentials || scram_keys_current(settings, account))
        return OK;
    if (legacy && !to_utf8(settings->legacy_charset, secret, &arena, &secret))
        e = ERR(ERR_INVALID, "the secret is not of the legacy character set any more");
    if (!failed(e))
        e = auth_credentials_add(account, false, secret, settings->iterations, &keys);
    if (!failed(e))
        e = source->set_credentials(source, account, buf_slice(&keys));
    buf_wipe(&keys);
    arena_wipe(&arena);
    return e;
}
