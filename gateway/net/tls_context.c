#include "gateway/net/tls_int.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/mem.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

/* Forward secrecy only; TLS 1.3 has no other. */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:ECDHE+AES:!aNULL:!eNULL"
#define CIPHERSUITES "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

enum {
    TICKET_KEYS = 3,           /* the current one and two old ones that still open tickets */
    TICKET_SECONDS = 8 * 3600, /* of the current one */
    CONTEXT_ID = 16,
    WARN_SECONDS = 14 * 86400,
};

struct ticket_key {
    uint8_t name[16], aes[32], hmac[32];
    time_t made; /* 0: never */
};

struct net_ticket_keys {
    atomic_uint holders;
    pthread_mutex_t mutex;
    struct ticket_key keys[TICKET_KEYS]; /* newest first */
    uint8_t context_id[CONTEXT_ID];      /* a session of one listener is no good on another */
};

struct host {
    char *name; /* lower case; "*.example.org" */
    SSL_CTX *ctx;
};

struct net_tls {
    struct net_ticket_keys *keys;
    uint8_t alpn[32]; /* one name with its length before it */
    size_t alpn_len;
    SSL_CTX **ctxs;
    size_t n_ctxs;
    struct host *hosts; /* by name */
    size_t n_hosts;
};

/* ---- tickets ---- */

static struct net_ticket_keys *keys_new(void)
{
    struct net_ticket_keys *keys = mem_new(sizeof *keys);

    atomic_init(&keys->holders, 1);
    pthread_mutex_init(&keys->mutex, NULL);
    if (RAND_bytes(keys->context_id, CONTEXT_ID) != 1)
        abort();
    return keys;
}

static void keys_release(struct net_ticket_keys *keys)
{
    if (!keys || atomic_fetch_sub(&keys->holders, 1) != 1)
        return;
    pthread_mutex_destroy(&keys->mutex);
    mem_wipe(keys->keys, sizeof keys->keys);
    free(keys);
}

/* The key to seal with; makes a new one where it is time. Under the mutex. */
static const struct ticket_key *current_key(struct net_ticket_keys *keys)
{
    struct ticket_key *first = &keys->keys[0];
    time_t now = time(NULL);

    if (first->made && now - first->made < TICKET_SECONDS)
        return first;
    memmove(first + 1, first, (TICKET_KEYS - 1) * sizeof *first);
    if (RAND_bytes(first->name, sizeof first->name) != 1 ||
        RAND_bytes(first->aes, sizeof first->aes) != 1 ||
        RAND_bytes(first->hmac, sizeof first->hmac) != 1)
        abort();
    first->made = now;
    return first;
}

/* A key that is not older than the time after which it would have been dropped. */
static const struct ticket_key *key_named(struct net_ticket_keys *keys, const uint8_t name[16])
{
    time_t now = time(NULL);

    for (size_t i = 0; i < TICKET_KEYS; i++) {
        const struct ticket_key *key = &keys->keys[i];

        if (key->made && now - key->made < (time_t)TICKET_KEYS * TICKET_SECONDS &&
            memcmp(key->name, name, 16) == 0)
            return key;
    }
    return NULL;
}

static bool key_apply(const struct ticket_key *key, uint8_t *iv, EVP_CIPHER_CTX *cipher,
                      EVP_MAC_CTX *mac, int seal)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)key->hmac,
                                          sizeof key->hmac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
        OSSL_PARAM_construct_end(),
    };

    return EVP_MAC_CTX_set_params(mac, params) == 1 &&
           EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->aes, iv, seal) == 1;
}

/* SSL_CTX_set_tlsext_ticket_key_evp_cb(3): 1 use, 2 use and send a new one, 0 unknown, -1 fail. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int seal)
{
    struct net_tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    struct net_ticket_keys *keys = tls->keys;
    int result = -1;

    pthread_mutex_lock(&keys->mutex);
    const struct ticket_key *key = seal ? current_key(keys) : key_named(keys, name);
    if (seal) {
        memcpy(name, key->name, 16);
        if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1 &&
            key_apply(key, iv, cipher, mac, 1))
            result = 1;
    } else if (!key) {
        result = 0;
    } else if (key_apply(key, iv, cipher, mac, 0)) {
        result = key == &keys->keys[0] ? 1 : 2;
    }
    pthread_mutex_unlock(&keys->mutex);
    return result;
}

/* ---- names ---- */

static int host_order(const void *a, const void *b)
{
    return strcmp(((const struct host *)a)->name, ((const struct host *)b)->name);
}

static SSL_CTX *host_find(const struct net_tls *tls, char *name)
{
    struct host key = {.name = name};
    struct host *found =
        tls->n_hosts ? bsearch(&key, tls->hosts, tls->n_hosts, sizeof key, host_order) : NULL;

    return found ? found->ctx : NULL;
}

/* The context for a name: its own, or that of "*." instead of its first label (RFC 6125 6.4.3). */
static SSL_CTX *host_match(const struct net_tls *tls, const char *given)
{
    char name[256];
    size_t len = strlen(given);

    if (len == 0 || len >= sizeof name)
        return NULL;
    for (size_t i = 0; i <= len; i++)
        name[i] = (char)ascii_lower((uint8_t)given[i]);
    SSL_CTX *ctx = host_find(tls, name);
    char *dot = strchr(name, '.');
    if (ctx || !dot || dot == name)
        return ctx;
    dot[-1] = '*';
    return host_find(tls, dot - 1);
}

static int on_servername(SSL *ssl, int *alert, void *arg)
{
    const struct net_tls *tls = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    SSL_CTX *ctx = name ? host_match(tls, name) : NULL;

    (void)alert;
    if (!ctx)
        return SSL_TLSEXT_ERR_NOACK; /* the first certificate; the client decides */
    if (ctx != SSL_get_SSL_CTX(ssl))
        SSL_set_SSL_CTX(ssl, ctx);
    return SSL_TLSEXT_ERR_OK;
}

static void host_add(struct net_tls *tls, const char *name, size_t len, SSL_CTX *ctx)
{
    char *copy = mem_slice_str(slice_of(name, len));

    for (char *c = copy; *c; c++)
        *c = (char)ascii_lower((uint8_t)*c);
    if (strlen(copy) != len || !len ||
        host_find(tls, copy)) { /* a NUL inside; or known: first wins */
        free(copy);
        return;
    }
    tls->hosts = mem_grow(tls->hosts, tls->n_hosts + 1, sizeof *tls->hosts);
    tls->hosts[tls->n_hosts++] = (struct host){copy, ctx};
    qsort(tls->hosts, tls->n_hosts, sizeof *tls->hosts, host_order);
}

static void add_names(struct net_tls *tls, const struct net_cert *cert, SSL_CTX *ctx)
{
    if (cert->names) {
        for (size_t i = 0; cert->names[i]; i++)
            host_add(tls, cert->names[i], strlen(cert->names[i]), ctx);
        return;
    }
    X509 *x509 = SSL_CTX_get0_certificate(ctx);
    GENERAL_NAMES *names = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type == GEN_DNS)
            host_add(tls, (const char *)ASN1_STRING_get0_data(name->d.dNSName),
                     (size_t)ASN1_STRING_length(name->d.dNSName), ctx);
    }
    GENERAL_NAMES_free(names);
}

/* ---- ALPN ---- */

/* A client that offers ALPN and means another protocol is turned away (RFC 7301 3.2, ALPACA). */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *in, unsigned in_len, void *arg)
{
    const struct net_tls *tls = arg;

    (void)ssl;
    for (unsigned at = 0; at < in_len; at += 1u + in[at]) {
        if (at + 1u + in[at] > in_len)
            break;
        if (in[at] == tls->alpn[0] && memcmp(in + at + 1, tls->alpn + 1, in[at]) == 0) {
            *out = tls->alpn + 1;
            *out_len = tls->alpn[0];
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* ---- contexts ---- */

/* Never ask on a terminal for the passphrase of a key. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
    (void)buf, (void)size, (void)writing, (void)arg;
    return 0;
}

static struct err wrong(struct buf *why, const char *file, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());

    buf_printf(why, "%s: %s%s%s", file, what, reason ? ": " : "", reason ? reason : "");
    ERR_clear_error();
    return ERR(ERR_INVALID, "TLS cannot be set up");
}

static struct err load_cert(SSL_CTX *ctx, const struct net_cert *cert, struct buf *why)
{
    if (!cert->certificate || !cert->key) {
        buf_printf(why, "a certificate and a key are needed");
        return ERR(ERR_INVALID, "no certificate");
    }
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ctx, cert->certificate) != 1)
        return wrong(why, cert->certificate, "cannot read a certificate (PEM)");
    if (SSL_CTX_use_PrivateKey_file(ctx, cert->key, SSL_FILETYPE_PEM) != 1) {
        if (ERR_GET_REASON(ERR_peek_error()) == X509_R_KEY_VALUES_MISMATCH)
            return wrong(why, cert->key, "this is not the key of the certificate");
        return wrong(why, cert->key, "cannot read a private key (PEM, no passphrase)");
    }
    if (SSL_CTX_check_private_key(ctx) != 1)
        return wrong(why, cert->key, "this is not the key of the certificate");
    return OK;
}

static struct err set_protocols(SSL_CTX *ctx, const struct net_tls_config *config, struct buf *why)
{
    const char *version = config->min_version ? config->min_version : "1.2";
    int least = strcmp(version, "1.2") == 0   ? TLS1_2_VERSION
                : strcmp(version, "1.3") == 0 ? TLS1_3_VERSION
                                              : 0;

    if (!least) {
        buf_printf(why, "min_version \"%s\": expected \"1.2\" or \"1.3\"", version);
        return ERR(ERR_INVALID, "unknown TLS version");
    }
    SSL_CTX_set_min_proto_version(ctx, least);
    const char *ciphers = config->ciphers ? config->ciphers : CIPHERS;
    if (SSL_CTX_set_cipher_list(ctx, ciphers) != 1)
        return wrong(why, ciphers, "no such ciphers");
    const char *suites = config->ciphersuites ? config->ciphersuites : CIPHERSUITES;
    if (SSL_CTX_set_ciphersuites(ctx, suites) != 1)
        return wrong(why, suites, "no such cipher suites");
    return OK;
}

/*
 * A client may come without a certificate, but not with one that is not good. There are no tickets
 * then, so that what a session was let in by is looked at each time.
 */
static struct err ask_clients(SSL_CTX *ctx, const struct net_tls_config *config, struct buf *why)
{
    if (!config->client_ca)
        return OK;
    ERR_clear_error();
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(config->client_ca);
    if (!names || SSL_CTX_load_verify_file(ctx, config->client_ca) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return wrong(why, config->client_ca, "cannot read certificates (PEM)");
    }
    SSL_CTX_set_client_CA_list(ctx, names);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(ctx, 0);
    return OK;
}

static struct err context_new(struct net_tls *tls, const struct net_tls_config *config,
                              const struct net_cert *cert, struct buf *why, SSL_CTX **out)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    if (!ctx)
        return wrong(why, "OpenSSL", "no context");
    SSL_CTX_set_app_data(ctx, tls);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                 SSL_OP_CLEANSE_PLAINTEXT); /* there are passwords in it */
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(ctx, tls->keys->context_id, CONTEXT_ID);
    SSL_CTX_set_num_tickets(ctx, 1);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    SSL_CTX_set_tlsext_servername_callback(ctx, on_servername);
    SSL_CTX_set_tlsext_servername_arg(ctx, tls);
    SSL_CTX_set_dh_auto(ctx, 1);
    if (tls->alpn_len)
        SSL_CTX_set_alpn_select_cb(ctx, on_alpn, tls);
    struct err e = set_protocols(ctx, config, why);
    if (!failed(e))
        e = load_cert(ctx, cert, why);
    if (!failed(e))
        e = ask_clients(ctx, config, why);
    if (failed(e)) {
        SSL_CTX_free(ctx);
        return e;
    }
    *out = ctx;
    return OK;
}

struct err net_tls_new(const struct net_tls_config *config, const char *alpn,
                       struct net_ticket_keys *keys, struct buf *why, struct net_tls **out)
{
    struct net_tls *tls = mem_new(sizeof *tls);
    struct err e = OK;

    if (keys)
        atomic_fetch_add(&keys->holders, 1);
    tls->keys = keys ? keys : keys_new();
    if (alpn && strlen(alpn) < sizeof tls->alpn) {
        tls->alpn[0] = (uint8_t)strlen(alpn);
        memcpy(tls->alpn + 1, alpn, tls->alpn[0]);
        tls->alpn_len = tls->alpn[0] + 1u;
    }
    tls->ctxs = mem_array(config->n_certs + 1, sizeof(SSL_CTX *));
    if (!config->n_certs) {
        buf_printf(why, "TLS is wanted, but there is no certificate");
        e = ERR(ERR_INVALID, "no certificate");
    }
    for (size_t i = 0; i < config->n_certs && !failed(e); i++) {
        e = context_new(tls, config, &config->certs[i], why, &tls->ctxs[i]);
        if (failed(e))
            break;
        tls->n_ctxs++;
        add_names(tls, &config->certs[i], tls->ctxs[i]);
    }
    if (failed(e)) {
        net_tls_free(tls);
        return e;
    }
    *out = tls;
    return OK;
}

void net_tls_free(struct net_tls *tls)
{
    if (!tls)
        return;
    for (size_t i = 0; i < tls->n_ctxs; i++)
        SSL_CTX_free(tls->ctxs[i]);
    for (size_t i = 0; i < tls->n_hosts; i++)
        free(tls->hosts[i].name);
    free(tls->hosts);
    free(tls->ctxs);
    keys_release(tls->keys);
    free(tls);
}

struct net_ticket_keys *net_tls_keys(const struct net_tls *tls)
{
    return tls->keys;
}

SSL_CTX *net_tls_default(const struct net_tls *tls)
{
    return tls->ctxs[0];
}

static int64_t end_of(const SSL_CTX *ctx)
{
    struct tm end;

    if (ASN1_TIME_to_tm(X509_get0_notAfter(SSL_CTX_get0_certificate(ctx)), &end) != 1)
        return 0;
    return (int64_t)timegm(&end);
}

int64_t net_tls_ends(const struct net_tls *tls)
{
    int64_t first = end_of(tls->ctxs[0]);

    for (size_t i = 1; i < tls->n_ctxs; i++) {
        int64_t end = end_of(tls->ctxs[i]);

        first = end < first ? end : first;
    }
    return first;
}

static void examine(const struct net_cert *cert, const X509 *x509, int64_t now,
                    void (*finding)(void *ctx, const char *text), void *ctx)
{
    time_t at = (time_t)now, soon = (time_t)(now + WARN_SECONDS);
    const char *what = NULL;
    char text[4200];

    if (X509_cmp_time(X509_get0_notBefore(x509), &at) > 0)
        what = "is not valid yet";
    else if (X509_cmp_time(X509_get0_notAfter(x509), &at) < 0)
        what = "has expired";
    else if (X509_cmp_time(X509_get0_notAfter(x509), &soon) < 0)
        what = "expires within 14 days";
    if (!what)
        return;
    snprintf(text, sizeof text, "%s: the certificate %s", cert->certificate, what);
    finding(ctx, text);
}

void net_tls_examine(const struct net_tls_config *config, int64_t now,
                     void (*finding)(void *ctx, const char *text), void *ctx)
{
    for (size_t i = 0; i < config->n_certs; i++) {
        struct net_tls_config one = {.certs = &config->certs[i], .n_certs = 1};
        struct buf why = buf_make(8192);
        struct net_tls *tls;

        if (failed(net_tls_new(&one, NULL, NULL, &why, &tls))) {
            buf_putc(&why, 0);
            finding(ctx, (const char *)buf_slice(&why).ptr);
        } else {
            examine(&config->certs[i], SSL_CTX_get0_certificate(tls->ctxs[0]), now, finding, ctx);
            net_tls_free(tls);
        }
        buf_done(&why);
    }
}
