#include "gateway/net/tls_int.h"

#include <pthread.h>

#include "base/mem.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

struct tls_stream {
    SSL *ssl;
    struct slice in; /* what came from the socket and was not used yet */
    struct buf *out; /* during a call */
    const char *problem;
};

/* ---- a BIO that reads a slice and writes a buf: OpenSSL's records, our buffers ---- */

static BIO_METHOD *method;
static pthread_once_t method_once = PTHREAD_ONCE_INIT;

static int bio_write(BIO *bio, const char *data, size_t len, size_t *written)
{
    struct tls_stream *stream = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (!stream->out)
        return 0;
    buf_put(stream->out, slice_of(data, len));
    if (stream->out->failed)
        return 0;
    *written = len;
    return 1;
}

static int bio_read(BIO *bio, char *data, size_t size, size_t *len)
{
    struct tls_stream *stream = BIO_get_data(bio);
    struct slice piece = slice_head(stream->in, size);

    BIO_clear_retry_flags(bio);
    if (!piece.len) {
        BIO_set_retry_read(bio);
        return 0;
    }
    memcpy(data, piece.ptr, piece.len);
    stream->in = slice_from(stream->in, piece.len);
    *len = piece.len;
    return 1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *ptr)
{
    (void)bio, (void)number, (void)ptr;
    return command == BIO_CTRL_FLUSH;
}

static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "gatepost");
    if (!method)
        abort();
    BIO_meth_set_write_ex(method, bio_write);
    BIO_meth_set_read_ex(method, bio_read);
    BIO_meth_set_ctrl(method, bio_ctrl);
}

/* ---- streams ---- */

struct tls_stream *tls_stream_new(struct net_tls *tls)
{
    struct tls_stream *stream = mem_new(sizeof *stream);

    pthread_once(&method_once, make_method);
    stream->ssl = SSL_new(net_tls_default(tls));
    BIO *bio = BIO_new(method);
    if (!stream->ssl || !bio)
        abort(); /* out of memory: as mem_new() */
    BIO_set_data(bio, stream);
    BIO_set_init(bio, 1);
    SSL_set_bio(stream->ssl, bio, bio);
    SSL_set_accept_state(stream->ssl);
    return stream;
}

void tls_stream_free(struct tls_stream *stream)
{
    if (!stream)
        return;
    SSL_free(stream->ssl);
    free(stream);
}

void tls_stream_feed(struct tls_stream *stream, struct slice in)
{
    stream->in = in;
}

static enum tls_result problem(struct tls_stream *stream, const char *otherwise)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());

    stream->problem = reason ? reason : otherwise;
    ERR_clear_error();
    return TLS_FAILED;
}

/* What a call of OpenSSL that did not succeed means. */
static enum tls_result result_of(struct tls_stream *stream, int rc)
{
    switch (SSL_get_error(stream->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
        return TLS_MORE;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_CLOSED;
    default:
        return problem(stream, "broken connection");
    }
}

enum tls_result tls_stream_handshake(struct tls_stream *stream, struct buf *out)
{
    ERR_clear_error();
    stream->out = out;
    int rc = SSL_do_handshake(stream->ssl);
    stream->out = NULL;
    return rc == 1 ? TLS_READY : result_of(stream, rc);
}

enum tls_result tls_stream_read(struct tls_stream *stream, uint8_t *dst, size_t size, size_t *len,
                                struct buf *out)
{
    ERR_clear_error();
    stream->out = out;
    *len = 0;
    int rc = SSL_read_ex(stream->ssl, dst, size, len);
    stream->out = NULL;
    return rc == 1 ? TLS_READY : result_of(stream, rc);
}

bool tls_stream_write(struct tls_stream *stream, struct slice plain, struct buf *out)
{
    size_t written;

    if (!plain.len)
        return true;
    ERR_clear_error();
    stream->out = out;
    int rc = SSL_write_ex(stream->ssl, plain.ptr, plain.len, &written);
    stream->out = NULL;
    if (rc == 1 && written == plain.len)
        return true;
    problem(stream, "a record could not be written");
    return false;
}

void tls_stream_shutdown(struct tls_stream *stream, struct buf *out)
{
    if (!SSL_is_init_finished(stream->ssl) || stream->problem)
        return;
    ERR_clear_error();
    stream->out = out;
    SSL_shutdown(stream->ssl);
    stream->out = NULL;
    ERR_clear_error();
}

const char *tls_stream_problem(const struct tls_stream *stream)
{
    return stream->problem ? stream->problem : "";
}

const char *tls_stream_version(const struct tls_stream *stream)
{
    return SSL_get_version(stream->ssl);
}

const char *tls_stream_cipher(const struct tls_stream *stream)
{
    return SSL_get_cipher_name(stream->ssl);
}

unsigned tls_stream_bits(const struct tls_stream *stream)
{
    int bits = SSL_get_cipher_bits(stream->ssl, NULL);

    return bits > 0 ? (unsigned)bits : 0;
}

/* ---- the client's certificate ---- */

/* The one rfc822Name there is; two would be two people. */
static const ASN1_IA5STRING *only_address(const GENERAL_NAMES *names)
{
    const ASN1_IA5STRING *address = NULL;

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        int type;
        const ASN1_IA5STRING *value =
            GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type);

        if (type != GEN_EMAIL)
            continue;
        if (address)
            return NULL;
        address = value;
    }
    return address;
}

bool tls_stream_peer_name(const struct tls_stream *stream, struct buf *out)
{
    X509 *x509 = SSL_get0_peer_certificate(stream->ssl);

    if (!x509 || SSL_get_verify_result(stream->ssl) != X509_V_OK)
        return false;
    GENERAL_NAMES *names = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);
    const ASN1_IA5STRING *address = names ? only_address(names) : NULL;
    struct slice name = SLICE_EMPTY;
    if (address)
        name = slice_of(ASN1_STRING_get0_data(address), (size_t)ASN1_STRING_length(address));
    bool good = name.len > 0 && slice_is_ascii(name) && slice_index(name, 0) == name.len;
    if (good)
        buf_put(out, name);
    GENERAL_NAMES_free(names);
    return good && !out->failed;
}

/* ---- channel binding ---- */

/*
 * RFC 9266 2: 32 bytes of the exporter, without a context. Below TLS 1.3 only with the extended
 * master secret, without which it binds nothing (RFC 9266 4.1).
 */
static bool put_exporter(SSL *ssl, struct buf *out)
{
    static const char label[] = "EXPORTER-Channel-Binding";
    uint8_t key[32];

    if (SSL_version(ssl) < TLS1_3_VERSION && SSL_get_extms_support(ssl) != 1)
        return false;
    if (SSL_export_keying_material(ssl, key, sizeof key, label, sizeof label - 1, NULL, 0, 0) != 1)
        return false;
    buf_put(out, slice_of(key, sizeof key));
    mem_wipe(key, sizeof key);
    return !out->failed;
}

/* RFC 5929 4.1: the hash of our certificate by its signature's hash, SHA-256 for weak ones. */
static bool put_end_point(SSL *ssl, struct buf *out)
{
    X509 *x509 = SSL_get_certificate(ssl);
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len;
    int hash = NID_undef;

    if (!x509 || X509_get_signature_info(x509, &hash, NULL, NULL, NULL) != 1)
        return false;
    if (hash == NID_md5 || hash == NID_sha1)
        hash = NID_sha256;
    const EVP_MD *md = hash == NID_undef ? NULL : EVP_get_digestbynid(hash);
    if (!md || X509_digest(x509, md, digest, &len) != 1)
        return false;
    buf_put(out, slice_of(digest, len));
    return !out->failed;
}

/*
 * RFC 5929 3.1: the first Finished message, which the client sends unless the session was resumed.
 * TLS 1.3 has none (RFC 8446 C.5).
 */
static bool put_unique(SSL *ssl, struct buf *out)
{
    uint8_t finished[EVP_MAX_MD_SIZE];

    if (SSL_version(ssl) >= TLS1_3_VERSION || SSL_get_extms_support(ssl) != 1)
        return false;
    size_t len = SSL_session_reused(ssl) ? SSL_get_finished(ssl, finished, sizeof finished)
                                         : SSL_get_peer_finished(ssl, finished, sizeof finished);
    if (!len || len > sizeof finished)
        return false;
    buf_put(out, slice_of(finished, len));
    return !out->failed;
}

bool tls_stream_binding(const struct tls_stream *stream, struct slice type, struct buf *out)
{
    SSL *ssl = stream->ssl;

    if (!SSL_is_init_finished(ssl))
        return false;
    if (slice_eq(type, S("tls-exporter")))
        return put_exporter(ssl, out);
    if (slice_eq(type, S("tls-server-end-point")))
        return put_end_point(ssl, out);
    if (slice_eq(type, S("tls-unique")))
        return put_unique(ssl, out);
    return false;
}
