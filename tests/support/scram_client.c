#include "tests/support/scram_client.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/base64.h"

static const EVP_MD *md(const struct scram_client *c)
{
    return strstr(c->mechanism, "SHA-256") ? EVP_sha256() : EVP_sha1();
}

static void mac(const struct scram_client *c, const uint8_t *key, struct slice data, uint8_t *out)
{
    HMAC(md(c), key, EVP_MD_get_size(md(c)), data.ptr, data.len, out, NULL);
}

/* The server's challenge, decoded. */
static struct slice heard(struct auth_attempt *a, struct buf *into)
{
    buf_clear(into);
    assert_true(base64_decode(auth_attempt_challenge(a), into));
    return buf_slice(into);
}

static enum auth_state say(struct fixture *f, struct auth_attempt *a, struct slice message)
{
    return fixture_send(f, a, slice_str(b64(message)));
}

static enum auth_state say_first(struct fixture *f, struct auth_attempt *a,
                                 const struct scram_client *c, struct slice message)
{
    struct slice coded = slice_str(b64(message));

    if (c->initial)
        return fixture_send_initial(f, a, c->mechanism, &coded);
    if (fixture_send_initial(f, a, c->mechanism, NULL) != AUTH_CHALLENGE)
        return auth_attempt_state(a);
    assert_int_equal(auth_attempt_challenge(a).len, 0);
    return fixture_send(f, a, coded);
}

/* The client-final-message, and what v= must then be. */
static void make_final(struct scram_client *c, const char *bare, struct slice server_first,
                       struct buf *out, char verifier[100])
{
    struct slice rest = server_first;
    struct slice nonce = slice_from(slice_cut(&rest, ','), 2);
    struct slice salt = slice_from(slice_cut(&rest, ','), 2);
    struct slice rounds = slice_from(rest, 2);
    uint8_t salted[64], key[64], stored[64], signature[64], proof[64];
    struct buf raw_salt = buf_make(200), said = buf_make(4096), all = buf_make(16384);
    size_t len = (size_t)EVP_MD_get_size(md(c));

    assert_true(slice_to_u32(rounds, &c->iterations));
    snprintf(c->salt, sizeof c->salt, "%.*s", SLICE_ARG(salt));
    assert_true(base64_decode(salt, &raw_salt));
    PKCS5_PBKDF2_HMAC(c->secret, (int)strlen(c->secret), buf_slice(&raw_salt).ptr,
                      (int)raw_salt.len, (int)c->iterations, md(c), (int)len, salted);
    buf_puts(&said, c->header_said ? c->header_said : c->header);
    buf_puts(&said, c->binding ? c->binding : "");
    buf_printf(out, "c=%s,r=%.*s", b64(buf_slice(&said)), SLICE_ARG(nonce));
    buf_printf(&all, "%s,%.*s,%.*s", bare, SLICE_ARG(server_first), SLICE_ARG(buf_slice(out)));
    mac(c, salted, S("Client Key"), key);
    EVP_Digest(key, len, stored, NULL, md(c), NULL);
    mac(c, stored, buf_slice(&all), signature);
    for (size_t i = 0; i < len; i++)
        proof[i] = (uint8_t)(key[i] ^ signature[i]);
    buf_printf(out, ",p=%s", b64(slice_of(proof, len)));
    mac(c, salted, S("Server Key"), key);
    mac(c, key, buf_slice(&all), signature);
    snprintf(verifier, 100, "v=%s", b64(slice_of(signature, len)));
    buf_done(&raw_salt);
    buf_done(&said);
    buf_done(&all);
}

/* Send up to `most` messages; returns the attempt, wherever it stands. */
static struct auth_attempt *talk(struct fixture *f, struct scram_client *c, unsigned most)
{
    static const char nonce[] = "fyko+d2lbbFgONRv9qkxdawL";
    struct auth_attempt *a = fixture_begin(f);
    struct buf first = buf_make(8192), in = buf_make(8192), final = buf_make(8192);
    char bare[4096], verifier[100];
    enum auth_state state = AUTH_IDLE;

    snprintf(bare, sizeof bare, "n=%s,r=%s", c->name, nonce);
    buf_printf(&first, "%s%s", c->header, bare);
    if (most > 0)
        state = say_first(f, a, c, buf_slice(&first));
    if (most > 1 && state == AUTH_CHALLENGE) {
        make_final(c, bare, heard(a, &in), &final, verifier);
        state = say(f, a, buf_slice(&final));
    }
    if (most > 2 && state == AUTH_CHALLENGE) {
        c->server_proved = slice_eq(heard(a, &in), slice_str(verifier));
        fixture_send(f, a, S(""));
    }
    buf_done(&first);
    buf_done(&in);
    buf_done(&final);
    return a;
}

enum auth_reason scram_log_on(struct fixture *f, struct scram_client *c)
{
    struct auth_attempt *a = talk(f, c, 3);

    if (auth_attempt_state(a) == AUTH_DONE)
        return fixture_end(a);
    auth_attempt_free(a);
    return AUTH_LOST;
}

void scram_abandon(struct fixture *f, struct scram_client *c, unsigned after)
{
    auth_attempt_free(talk(f, c, after));
}
