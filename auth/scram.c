/*
 * scram.c - SCRAM (RFC 5802, RFC 7677) as a mechanism of libsasl2's, in the place of the library's.
 *
 * The library's asks for one key when the exchange begins. An account has several secrets here, its
 * own and app passwords, and which of them the client has is known from its proof only; so the
 * proof is held against all of them. What the GS2 header and the binding say was looked at before
 * (attempt.c), for -PLUS and without it are one mechanism here.
 */
#include <openssl/rand.h>
#include <sasl/sasl.h>
#include <sasl/saslplug.h>

#include "auth/auth_int.h"
#include "base/base64.h"
#include "base/mem.h"

enum { MESSAGE_MOST = 2048, NONCE = 18 };

struct scram {
    enum scram_hash hash;
    struct scram_keys keys; /* salt and count; the account's own, or fake */
    struct buf said;        /* client-first-message-bare, a comma, server-first-message */
    size_t first;           /* where the latter begins */
    size_t nonce;           /* how long its nonce is, which stands there behind "r=" */
    struct buf out;
    bool asked;
};

static int scram_new(void *hash, sasl_server_params_t *params, const char *challenge,
                     unsigned challenge_len, void **out)
{
    struct scram *s = mem_new(sizeof *s);

    (void)params, (void)challenge, (void)challenge_len;
    s->hash = *(const enum scram_hash *)hash;
    s->said = buf_make(2 * MESSAGE_MOST + 1024);
    s->out = buf_make(MESSAGE_MOST + 1024);
    *out = s;
    return SASL_OK;
}

static void scram_dispose(void *context, const sasl_utils_t *utils)
{
    struct scram *s = context;

    (void)utils;
    if (!s)
        return;
    buf_wipe(&s->said);
    buf_wipe(&s->out);
    mem_wipe(s, sizeof *s);
    free(s);
}

static int answer(struct scram *s, struct slice with, const char **out, unsigned *len)
{
    buf_clear(&s->out);
    buf_put(&s->out, with);
    *out = (const char *)buf_slice(&s->out).ptr;
    *len = (unsigned)s->out.len;
    return s->out.failed || s->said.failed ? SASL_FAIL : SASL_OK;
}

/* server-first-message: whose salt it is does not show. */
static int challenge(struct scram *s, struct exchange *x, struct slice message, const char **out,
                     unsigned *len)
{
    bool known = x->name.reason == AUTH_OK;
    struct scram_first first;
    uint8_t nonce[NONCE];

    if (!message_scram_first(message, x->arena, &first))
        return SASL_BADPROT;
    if (RAND_bytes(nonce, sizeof nonce) != 1)
        return SASL_FAIL;
    (void)scram_keys_of(&x->fake, known ? exchange_actor(x) : NULL, s->hash, &s->keys);
    buf_put(&s->said, first.bare);
    buf_putc(&s->said, ',');
    s->first = s->said.len;
    buf_puts(&s->said, "r=");
    buf_put(&s->said, first.nonce);
    base64_encode(slice_of(nonce, sizeof nonce), &s->said);
    s->nonce = s->said.len - s->first - 2;
    buf_puts(&s->said, ",s=");
    base64_encode(slice_of(s->keys.salt, s->keys.salt_len), &s->said);
    buf_printf(&s->said, ",i=%u", s->keys.iterations);
    s->asked = true;
    int code = answer(s, slice_from(buf_slice(&s->said), s->first), out, len);
    return code == SASL_OK ? SASL_CONTINUE : code;
}

/*
 * Which of his secrets was the proof made with? All are tried: how many there are shows less. Where
 * there are none it is tried with what nobody has, so that an unknown name takes the same work.
 */
static int find_secret(const struct scram *s, const struct exchange *x, struct slice auth_message,
                       struct slice proof, uint8_t signature[32])
{
    const struct auth_account *account = exchange_actor(x);
    int which = SECRET_NONE, found = SECRET_NONE;
    uint8_t one[32];
    struct scram_keys keys;
    bool any = false;

    while (x->name.reason == AUTH_OK &&
           scram_keys_next(account, s->hash, &s->keys, &which, &keys)) {
        any = true;
        if (scram_keys_prove(&keys, s->hash, auth_message, proof, one) && found == SECRET_NONE) {
            found = which;
            memcpy(signature, one, sizeof one);
        }
    }
    if (!any)
        (void)scram_keys_prove(&s->keys, s->hash, auth_message, proof, one);
    mem_wipe(&keys, sizeof keys);
    return found;
}

/* The library wants to hear who it is before it asks our policy. */
static int name_client(const struct exchange *x, sasl_server_params_t *params,
                       sasl_out_params_t *result)
{
    const struct slice name = x->name.given, authzid = x->authzid.given;
    unsigned both = authzid.len ? 0 : SASL_CU_AUTHZID;
    int code = params->canon_user(params->utils->conn, (const char *)name.ptr, (unsigned)name.len,
                                  SASL_CU_AUTHID | both, result);

    if (code == SASL_OK && !both)
        code = params->canon_user(params->utils->conn, (const char *)authzid.ptr,
                                  (unsigned)authzid.len, SASL_CU_AUTHZID, result);
    return code;
}

/* client-final-message, and server-final-message where it was right. */
static int check(struct scram *s, struct exchange *x, struct slice message, struct buf *proof,
                 uint8_t signature[32])
{
    struct scram_final final;
    struct slice nonce = slice_head(slice_from(buf_slice(&s->said), s->first + 2), s->nonce);

    if (!message_scram_final(message, &final) || !slice_eq(final.nonce, nonce) ||
        !base64_decode(final.proof, proof) || proof->len != s->keys.key_len)
        return SASL_BADPROT;
    buf_putc(&s->said, ',');
    buf_put(&s->said, final.bare);
    if (s->said.failed)
        return SASL_BADPROT;
    x->verified.secret = find_secret(s, x, buf_slice(&s->said), buf_slice(proof), signature);
    return x->verified.secret == SECRET_NONE ? SASL_BADAUTH : SASL_OK;
}

static int prove(struct scram *s, struct exchange *x, struct slice message, const char **out,
                 unsigned *len)
{
    struct buf proof = buf_make(64), coded = buf_make(64);
    uint8_t signature[32];
    int code = check(s, x, message, &proof, signature);

    if (code == SASL_OK) {
        buf_puts(&coded, "v=");
        base64_encode(slice_of(signature, s->keys.key_len), &coded);
        code = answer(s, buf_slice(&coded), out, len);
    }
    buf_wipe(&proof);
    buf_wipe(&coded);
    return code;
}

static int scram_step(void *context, sasl_server_params_t *params, const char *in, unsigned in_len,
                      const char **out, unsigned *out_len, sasl_out_params_t *result)
{
    struct scram *s = context;
    struct exchange *x = exchange_of(params);
    struct slice message = slice_of(in, in_len);

    *out = NULL;
    *out_len = 0;
    if (!x || message.len > MESSAGE_MOST)
        return SASL_BADPROT;
    if (!s->asked)
        return challenge(s, x, message, out, out_len);
    int code = prove(s, x, message, out, out_len);
    if (code == SASL_OK)
        code = name_client(x, params, result);
    result->doneflag = code == SASL_OK;
    return code;
}

/* It keeps the list by pointer. */
static int scram_init(const sasl_utils_t *utils, int max_version, int *out_version,
                      sasl_server_plug_t **list, int *n)
{
    static enum scram_hash hashes[SCRAM_HASHES] = {SCRAM_SHA_256, SCRAM_SHA_1};
    static sasl_server_plug_t plugins[SCRAM_HASHES];

    (void)utils;
    if (max_version < SASL_SERVER_PLUG_VERSION)
        return SASL_BADVERS;
    for (int i = 0; i < SCRAM_HASHES; i++)
        plugins[i] = (sasl_server_plug_t){
            .mech_name = scram_hash_name(hashes[i]),
            .security_flags = SASL_SEC_NOPLAINTEXT | SASL_SEC_NOACTIVE | SASL_SEC_NOANONYMOUS |
                              SASL_SEC_MUTUAL_AUTH,
            .features = SASL_FEAT_ALLOWS_PROXY,
            .glob_context = &hashes[i],
            .mech_new = scram_new,
            .mech_step = scram_step,
            .mech_dispose = scram_dispose,
        };
    *out_version = SASL_SERVER_PLUG_VERSION;
    *list = plugins;
    *n = SCRAM_HASHES;
    return SASL_OK;
}

struct err scram_add(void)
{
    return sasl_server_add_plugin("gate-scram", scram_init) == SASL_OK
               ? OK
               : ERR(ERR_UNAVAILABLE, "libsasl2 does not take our SCRAM");
}
