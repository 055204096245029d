/*
 * credentials.c - salted keys of a secret (RFC 5802 3; text as in RFC 5803).
 *
 * An account's credentials are one line per hash. The store never holds a secret, and PLAIN is
 * checked against the same keys as SCRAM, so the two cannot differ.
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "auth/auth_int.h"
#include "auth/precis.h"
#include "base/base64.h"
#include "base/mem.h"

static const struct scram_name {
    const char *name;
    size_t len;
} hashes[SCRAM_HASHES] = {
    [SCRAM_SHA_256] = {"SCRAM-SHA-256", 32},
    [SCRAM_SHA_1] = {"SCRAM-SHA-1", 20},
};

static const EVP_MD *digest(enum scram_hash hash)
{
    return hash == SCRAM_SHA_256 ? EVP_sha256() : EVP_sha1();
}

/* What cannot fail but by lack of memory or a broken OpenSSL; to go on would be worse. */
static void must(bool worked)
{
    if (!worked)
        abort();
}

static void hmac(enum scram_hash hash, const uint8_t *key, size_t len, struct slice data,
                 uint8_t *out)
{
    must(HMAC(digest(hash), key, (int)len, data.ptr, data.len, out, NULL));
}

void auth_hmac(const uint8_t key[32], const struct slice *parts, size_t n, uint8_t out[32])
{
    struct buf all = buf_make(SIZE_MAX / 2);

    for (size_t i = 0; i < n; i++) {
        uint64_t len = parts[i].len;

        buf_put(&all, slice_of(&len, sizeof len));
        buf_put(&all, parts[i]);
    }
    struct slice bytes = buf_slice(&all);
    must(HMAC(EVP_sha256(), key, 32, bytes.ptr, bytes.len, out, NULL));
    buf_wipe(&all);
}

/* StoredKey and ServerKey of a prepared secret; salt and iterations are set. */
static void derive(struct scram_keys *keys, enum scram_hash hash, struct slice secret)
{
    uint8_t salted[32], client[32];

    keys->key_len = hashes[hash].len;
    must(PKCS5_PBKDF2_HMAC((const char *)secret.ptr, (int)secret.len, keys->salt,
                           (int)keys->salt_len, (int)keys->iterations, digest(hash),
                           (int)keys->key_len, salted));
    hmac(hash, salted, keys->key_len, S("Client Key"), client);
    must(EVP_Digest(client, keys->key_len, keys->stored, NULL, digest(hash), NULL));
    hmac(hash, salted, keys->key_len, S("Server Key"), keys->server);
    mem_wipe(salted, sizeof salted);
    mem_wipe(client, sizeof client);
}

bool scram_keys_match(const struct scram_keys *keys, enum scram_hash hash, struct slice secret)
{
    struct scram_keys mine = *keys;

    derive(&mine, hash, secret);
    bool same = mem_equal_secret(mine.stored, keys->stored, keys->key_len);
    mem_wipe(&mine, sizeof mine);
    return same;
}

static unsigned iterations_of(struct slice credentials, unsigned otherwise)
{
    struct scram_keys keys;
    unsigned iterations = otherwise;

    if (scram_keys_find(credentials, SCRAM_SHA_256, &keys) ||
        scram_keys_find(credentials, SCRAM_SHA_1, &keys))
        iterations = keys.iterations;
    mem_wipe(&keys, sizeof keys);
    return iterations;
}

void scram_fake_init(struct scram_fake *fake, const struct auth_settings *settings,
                     struct auth_source *source, struct slice name)
{
    const struct slice parts[] = {S("near"), name};
    struct arena arena = ARENA_INIT;
    struct auth_account some;
    uint8_t point[32];

    *fake = (struct scram_fake){settings, name, settings->iterations};
    auth_hmac(settings->server_secret, parts, 2, point);
    if (!failed(source->near(source, point, &arena, &some)))
        fake->iterations = iterations_of(some.credentials, settings->iterations);
    arena_wipe(&arena);
}

static void make_fake(const struct scram_fake *fake, enum scram_hash hash, struct scram_keys *out)
{
    uint8_t bytes[3][32];

    for (size_t i = 0; i < 3; i++) {
        static const char *const uses[3] = {"salt", "stored", "server"};
        const struct slice parts[] = {slice_str(uses[i]), slice_str(hashes[hash].name), fake->name};

        auth_hmac(fake->settings->server_secret, parts, 3, bytes[i]);
    }
    *out = (struct scram_keys){
        .iterations = fake->iterations, .salt_len = SCRAM_SALT, .key_len = hashes[hash].len};
    memcpy(out->salt, bytes[0], SCRAM_SALT);
    memcpy(out->stored, bytes[1], 32);
    memcpy(out->server, bytes[2], 32);
}

/* ---- as text ---- */

void scram_keys_put(const struct scram_keys *keys, enum scram_hash hash, struct buf *out)
{
    buf_printf(out, "%s$%u:", hashes[hash].name, keys->iterations);
    base64_encode(slice_of(keys->salt, keys->salt_len), out);
    buf_putc(out, '$');
    base64_encode(slice_of(keys->stored, keys->key_len), out);
    buf_putc(out, ':');
    base64_encode(slice_of(keys->server, keys->key_len), out);
}

/* Decode into an array of `max` bytes; returns how many, 0 where it is malformed. */
static size_t take_base64(struct slice text, uint8_t *to, size_t max)
{
    struct buf bytes = buf_make(max);
    size_t len = base64_decode(text, &bytes) ? bytes.len : 0;

    if (len)
        memcpy(to, bytes.data, len);
    buf_wipe(&bytes);
    return len;
}

static bool parse_line(struct slice line, enum scram_hash hash, struct scram_keys *out)
{
    struct scram_keys keys = {.key_len = hashes[hash].len};
    struct slice name = slice_cut(&line, '$');
    struct slice salting = slice_cut(&line, '$');
    struct slice stored = slice_cut(&line, ':');
    struct slice rounds = slice_cut(&salting, ':');

    if (!slice_eq(name, slice_str(hashes[hash].name)) || !slice_to_u32(rounds, &keys.iterations) ||
        keys.iterations < SCRAM_MIN_ITERATIONS || keys.iterations > SCRAM_MAX_ITERATIONS)
        return false;
    keys.salt_len = take_base64(salting, keys.salt, sizeof keys.salt);
    bool whole = keys.salt_len > 0 &&
                 take_base64(stored, keys.stored, keys.key_len) == keys.key_len &&
                 take_base64(line, keys.server, keys.key_len) == keys.key_len;
    if (whole)
        *out = keys;
    mem_wipe(&keys, sizeof keys);
    return whole;
}

bool scram_keys_find(struct slice credentials, enum scram_hash hash, struct scram_keys *out)
{
    while (credentials.len)
        if (parse_line(slice_cut(&credentials, '\n'), hash, out))
            return true;
    return false;
}

bool scram_keys_of(const struct scram_fake *fake, const struct auth_account *account,
                   enum scram_hash hash, struct scram_keys *out)
{
    struct buf text = buf_make(1024);
    struct scram_keys made, found;

    make_fake(fake, hash, &made);
    scram_keys_put(&made, hash, &text);
    bool parsed = scram_keys_find(account ? account->credentials : buf_slice(&text), hash, &found);
    bool real = account && parsed;
    *out = real ? found : made;
    mem_wipe(&found, sizeof found);
    buf_done(&text);
    return real;
}

bool scram_keys_current(const struct auth_settings *settings, struct slice credentials)
{
    struct scram_keys keys;
    bool current = true;

    for (int hash = 0; hash < SCRAM_HASHES; hash++)
        current = scram_keys_find(credentials, (enum scram_hash)hash, &keys) &&
                  keys.iterations == settings->iterations && current;
    mem_wipe(&keys, sizeof keys);
    return current;
}

struct err auth_credentials_make(struct slice secret, unsigned iterations, struct buf *out)
{
    struct arena arena = ARENA_INIT;
    struct scram_keys keys = {.iterations = iterations ? iterations : SCRAM_MIN_ITERATIONS,
                              .salt_len = SCRAM_SALT};
    struct slice prepared;

    if (secret.len > AUTH_MAX_SECRET)
        return ERR(ERR_TOO_BIG, "a secret has at most 1,000 bytes");
    if (keys.iterations < SCRAM_MIN_ITERATIONS || keys.iterations > SCRAM_MAX_ITERATIONS)
        return ERR(ERR_INVALID, "clients accept 4,096 to 65,536 iterations");
    struct err e = precis_opaque(secret, &arena, &prepared);
    for (int hash = 0; !failed(e) && hash < SCRAM_HASHES; hash++) {
        must(RAND_bytes(keys.salt, SCRAM_SALT) == 1);
        derive(&keys, (enum scram_hash)hash, prepared);
        scram_keys_put(&keys, (enum scram_hash)hash, out);
        buf_putc(out, '\n');
    }
    mem_wipe(&keys, sizeof keys);
    arena_wipe(&arena);
    return !failed(e) && out->failed ? ERR(ERR_TOO_BIG, "no room for the credentials") : e;
}
