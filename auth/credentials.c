/*
 * credentials.c - salted keys of a secret (RFC 5802 3; text as in RFC 5803).
 *
 * A secret's credentials are one line per hash. The store never holds a secret, and PLAIN is
 * checked against the same keys as SCRAM, so the two cannot differ. All secrets of an account have
 * the same salt and count by hash: so one derivation is compared with all of them, and SCRAM, whose
 * challenge names the salt before the client has shown anything, serves all of them too.
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

void scram_keys_derive(struct scram_keys *keys, enum scram_hash hash, struct slice secret)
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

/* ClientProof is ClientKey XOR HMAC(StoredKey, AuthMessage), and StoredKey is H(ClientKey). */
bool scram_keys_prove(const struct scram_keys *keys, enum scram_hash hash, struct slice message,
                      struct slice proof, uint8_t signature[32])
{
    uint8_t client[32], stored[32];

    if (proof.len != keys->key_len)
        return false;
    hmac(hash, keys->stored, keys->key_len, message, client);
    for (size_t i = 0; i < proof.len; i++)
        client[i] ^= proof.ptr[i];
    must(EVP_Digest(client, keys->key_len, stored, NULL, digest(hash), NULL));
    bool same = mem_equal_secret(stored, keys->stored, keys->key_len);
    hmac(hash, keys->server, keys->key_len, message, signature);
    mem_wipe(client, sizeof client);
    return same;
}

const char *scram_hash_name(enum scram_hash hash)
{
    return hashes[hash].name;
}

bool scram_keys_next(const struct auth_account *account, enum scram_hash hash,
                     const struct scram_keys *salting, int *secret, struct scram_keys *out)
{
    while (++*secret <= (int)account->n_app_passwords)
        if (scram_keys_find(secret_credentials(account, *secret), hash, out) &&
            out->iterations == salting->iterations &&
            slice_eq(slice_of(out->salt, out->salt_len),
                     slice_of(salting->salt, salting->salt_len)))
            return true;
    *secret = SECRET_NONE;
    return false;
}

/* Those of the first secret that has any. */
static bool find_salting(const struct auth_account *account, enum scram_hash hash,
                         struct scram_keys *out)
{
    for (int secret = 0; secret <= (int)account->n_app_passwords; secret++)
        if (scram_keys_find(secret_credentials(account, secret), hash, out))
            return true;
    return false;
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
    bool parsed = account ? find_salting(account, hash, &found)
                          : scram_keys_find(buf_slice(&text), hash, &found);
    bool real = account && parsed;
    *out = real ? found : made;
    mem_wipe(&found, sizeof found);
    buf_done(&text);
    return real;
}

/*
 * The salt and count that a new secret of the account must have. Without app passwords its own
 * secret may take new ones, and does.
 */
static bool must_salt_like(const struct auth_account *account, bool app_password,
                           enum scram_hash hash, struct scram_keys *out)
{
    return account && (app_password || account->n_app_passwords) &&
           find_salting(account, hash, out);
}

bool scram_keys_current(const struct auth_settings *settings, const struct auth_account *account)
{
    struct scram_keys keys, like;
    bool current = true;

    for (int i = 0; i < SCRAM_HASHES; i++) {
        enum scram_hash hash = (enum scram_hash)i;
        unsigned iterations =
            must_salt_like(account, false, hash, &like) ? like.iterations : settings->iterations;

        current = scram_keys_find(account->credentials, hash, &keys) &&
                  keys.iterations == iterations && current;
    }
    mem_wipe(&keys, sizeof keys);
    mem_wipe(&like, sizeof like);
    return current;
}

static struct err make(const struct auth_account *account, bool app_password, struct slice secret,
                       unsigned iterations, struct buf *out)
{
    struct arena arena = ARENA_INIT;
    struct scram_keys keys;
    struct slice prepared;

    iterations = iterations ? iterations : SCRAM_MIN_ITERATIONS;
    if (secret.len > AUTH_MAX_SECRET)
        return ERR(ERR_TOO_BIG, "a secret has at most 1,000 bytes");
    if (iterations < SCRAM_MIN_ITERATIONS || iterations > SCRAM_MAX_ITERATIONS)
        return ERR(ERR_INVALID, "clients accept 4,096 to 65,536 iterations");
    struct err e = precis_opaque(secret, &arena, &prepared);
    for (int i = 0; !failed(e) && i < SCRAM_HASHES; i++) {
        enum scram_hash hash = (enum scram_hash)i;

        if (!must_salt_like(account, app_password, hash, &keys)) {
            keys = (struct scram_keys){.iterations = iterations, .salt_len = SCRAM_SALT};
            must(RAND_bytes(keys.salt, SCRAM_SALT) == 1);
        }
        scram_keys_derive(&keys, hash, prepared);
        scram_keys_put(&keys, hash, out);
        buf_putc(out, '\n');
    }
    mem_wipe(&keys, sizeof keys);
    arena_wipe(&arena);
    return !failed(e) && out->failed ? ERR(ERR_TOO_BIG, "no room for the credentials") : e;
}

struct err auth_credentials_make(struct slice secret, unsigned iterations, struct buf *out)
{
    return make(NULL, false, secret, iterations, out);
}

struct err auth_credentials_add(const struct auth_account *account, bool app_password,
                                struct slice secret, unsigned iterations, struct buf *out)
{
    return make(account, app_password, secret, iterations, out);
}

/* 32 characters, 5 bits each; none that could be taken for another. */
void auth_secret_make(struct buf *out)
{
    static const char characters[] = "abcdefghijkmnpqrstuvwxyz23456789";
    uint8_t bytes[24];

    must(RAND_bytes(bytes, sizeof bytes) == 1);
    for (size_t i = 0; i < sizeof bytes; i++)
        buf_putc(out, (uint8_t)characters[bytes[i] & 31]);
    mem_wipe(bytes, sizeof bytes);
}
