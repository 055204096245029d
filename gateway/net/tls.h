/*
 * tls.h - TLS 1.2 and 1.3 with OpenSSL: certificates by listener and by name, and one stream.
 *
 * A stream does no I/O: it is given what came from the socket, gives plain bytes, and puts what
 * is to be sent into a buf. Renegotiation is off, compression is off, the session cache is off;
 * resumption is by tickets, whose keys belong to one listener and are rotated.
 *
 * Threads    A struct net_tls is immutable and shared; its ticket keys have a lock. A stream
 *            belongs to its connection's thread.
 */
#ifndef GATEPOST_GATEWAY_NET_TLS_H
#define GATEPOST_GATEWAY_NET_TLS_H

#include "base/buf.h"
#include "base/err.h"

/* ---- the context of a listener ---- */

/* A certificate chain with its key, both PEM files. */
struct net_cert {
    const char *certificate, *key;
    const char *const *names; /* SNI; NULL-terminated; NULL: those in the certificate */
};

struct net_tls_config {
    const struct net_cert *certs; /* the first is for clients that name nobody we know */
    size_t n_certs;
    const char *min_version;  /* "1.2" (default) or "1.3" */
    const char *ciphers;      /* OpenSSL's names for 1.2; NULL: OpenSSL's default */
    const char *ciphersuites; /* for 1.3; NULL: OpenSSL's default */
    const char *client_ca;    /* clients may show certificates of these (PEM); NULL: they are not
                                 asked for one */
};

struct net_tls;

/* The keys that seal session tickets; they go on living when certificates are reloaded. */
struct net_ticket_keys;

/*
 * Read the certificates. `alpn` may be NULL. `keys`: those of the context that this one replaces,
 * or NULL. ERR_INVALID: `why` says which file and what is wrong with it.
 */
struct err net_tls_new(const struct net_tls_config *config, const char *alpn,
                       struct net_ticket_keys *keys, struct buf *why,
                       struct net_tls **out) MUST_USE;
void net_tls_free(struct net_tls *tls);
struct net_ticket_keys *net_tls_keys(const struct net_tls *tls);

/* When the first of its certificates ends, Unix time. */
int64_t net_tls_ends(const struct net_tls *tls);

/*
 * What is wrong with a certificate that loads: expired, not valid yet, ends within 14 days. One
 * call of `finding` for each.
 */
void net_tls_examine(const struct net_tls_config *config, int64_t now_unix,
                     void (*finding)(void *ctx, const char *text), void *ctx);

/* ---- a stream ---- */

struct tls_stream;

enum tls_result {
    TLS_MORE,   /* wants more from the socket */
    TLS_READY,  /* the handshake is complete */
    TLS_CLOSED, /* the peer closed its side in order (close_notify) */
    TLS_FAILED, /* see tls_stream_problem() */
};

struct tls_stream *tls_stream_new(struct net_tls *tls) MUST_USE;
void tls_stream_free(struct tls_stream *stream);

/* What came from the socket; everything is used until tls_stream_read() says TLS_MORE. */
void tls_stream_feed(struct tls_stream *stream, struct slice in);

/* Go on with the handshake; what must be sent is put into `out`, also with TLS_FAILED. */
enum tls_result tls_stream_handshake(struct tls_stream *stream, struct buf *out);

/*
 * Plain bytes into dst[size]; *len is how many. TLS_READY: there were some, ask again. What must
 * be sent is put into `out`.
 */
enum tls_result tls_stream_read(struct tls_stream *stream, uint8_t *dst, size_t size, size_t *len,
                                struct buf *out);

/* Seal `plain` in as few records as possible. False: the stream is broken. */
bool tls_stream_write(struct tls_stream *stream, struct slice plain, struct buf *out) MUST_USE;

/* Say that nothing more will come. */
void tls_stream_shutdown(struct tls_stream *stream, struct buf *out);

/* What went wrong, for the log. Static or as long as the stream. */
const char *tls_stream_problem(const struct tls_stream *stream);

const char *tls_stream_version(const struct tls_stream *stream); /* "TLSv1.3" */
const char *tls_stream_cipher(const struct tls_stream *stream);
unsigned tls_stream_bits(const struct tls_stream *stream);

/*
 * Whom the client's certificate names, which was verified: the address (rfc822Name) in its
 * subjectAltName. False: there is no certificate, or it has none, or more than one.
 */
bool tls_stream_peer_name(const struct tls_stream *stream, struct buf *out);

/*
 * Channel binding data by its registered name: tls-exporter (RFC 9266), tls-server-end-point and
 * tls-unique (RFC 5929). False: this connection has none of that type.
 */
bool tls_stream_binding(const struct tls_stream *stream, struct slice type, struct buf *out);

#endif
