#include "gateway/cli/probe_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { WAIT_SECONDS = 10, LINE_MOST = 65536, READ_PIECE = 4096, EXPORTER_BYTES = 32 };

static bool fail(struct probe_wire *w, const char *why)
{
    if (!w->why)
        w->why = why;
    return false;
}

/* ---- connecting ---- */

static bool inet_address(const char *text, uint16_t port, struct sockaddr_storage *out,
                         socklen_t *len)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

    if (strcmp(text, "*") == 0 || strcmp(text, "0.0.0.0") == 0)
        text = "127.0.0.1";
    else if (strcmp(text, "::") == 0)
        text = "::1";
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        *len = sizeof *v4;
        return true;
    }
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1)
        return false;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    *len = sizeof *v6;
    return true;
}

static bool place_of(const struct net_listener_config *l, struct sockaddr_storage *out,
                     socklen_t *len)
{
    struct sockaddr_un *local = (struct sockaddr_un *)out;

    *out = (struct sockaddr_storage){0};
    if (!l->path)
        return inet_address(l->address, l->port, out, len);
    if (strlen(l->path) >= sizeof local->sun_path)
        return false;
    local->sun_family = AF_UNIX;
    memcpy(local->sun_path, l->path, strlen(l->path));
    *len = sizeof *local;
    return true;
}

static void note_port(struct probe_wire *w)
{
    struct sockaddr_storage name = {0};
    socklen_t len = sizeof name;

    if (getsockname(w->fd, (struct sockaddr *)&name, &len) != 0)
        return;
    if (name.ss_family == AF_INET)
        w->local_port = ntohs(((struct sockaddr_in *)&name)->sin_port);
    else if (name.ss_family == AF_INET6)
        w->local_port = ntohs(((struct sockaddr_in6 *)&name)->sin6_port);
}

bool probe_connect(struct probe_wire *w, const struct net_listener_config *listener)
{
    const struct timeval wait = {.tv_sec = WAIT_SECONDS};
    struct sockaddr_storage address;
    socklen_t len;

    *w = (struct probe_wire){.listener = listener, .fd = -1, .in = buf_make(LINE_MOST)};
    if (!place_of(listener, &address, &len))
        return fail(w, "no address to connect to");
    w->fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (w->fd < 0)
        return fail(w, strerror(errno));
    setsockopt(w->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    setsockopt(w->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    if (connect(w->fd, (struct sockaddr *)&address, len) != 0)
        return fail(w, strerror(errno));
    note_port(w);
    /* From here there is no proxy, but the header comes first where one is expected. */
    if (listener->proxy && !probe_send(w, S("PROXY UNKNOWN\r\n")))
        return false;
    return listener->tls_mode != NET_TLS_IMPLICIT || probe_start_tls(w);
}

void probe_close(struct probe_wire *w)
{
    SSL_free(w->ssl);
    SSL_CTX_free(w->ctx);
    if (w->fd >= 0)
        close(w->fd);
    buf_wipe(&w->in);
}

/* ---- TLS ---- */

static bool file_has(const char *path, X509 *certificate)
{
    FILE *file = fopen(path, "r");
    X509 *first = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;
    bool same = first && X509_cmp(first, certificate) == 0;

    X509_free(first);
    if (file)
        fclose(file);
    return same;
}

static bool is_ours(const struct net_tls_config *tls, X509 *certificate)
{
    bool ours = false;

    for (size_t i = 0; certificate && tls && i < tls->n_certs && !ours; i++)
        ours = file_has(tls->certs[i].certificate, certificate);
    return ours;
}

bool probe_start_tls(struct probe_wire *w)
{
    if (w->in.len > w->used)
        return fail(w, "the server sent something in clear behind its consent to TLS");
    w->ctx = SSL_CTX_new(TLS_client_method());
    w->ssl = w->ctx ? SSL_new(w->ctx) : NULL;
    if (!w->ssl || SSL_set_fd(w->ssl, w->fd) != 1 || SSL_connect(w->ssl) != 1)
        return fail(w, "the TLS handshake failed");
    X509 *certificate = SSL_get1_peer_certificate(w->ssl);
    bool ours = is_ours(w->listener->tls, certificate);
    X509_free(certificate);
    return ours || fail(w, "the server shows a certificate that is not the configuration's");
}

/* tls-server-end-point: the certificate's hash, by the hash of its signature (RFC 5929 4.1). */
static bool end_point(struct probe_wire *w, struct buf *out)
{
    X509 *certificate = SSL_get1_peer_certificate(w->ssl);
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    int nid = NID_undef;

    if (certificate)
        X509_get_signature_info(certificate, &nid, NULL, NULL, NULL);
    const EVP_MD *md = EVP_get_digestbynid(nid);
    if (!md || nid == NID_md5 || nid == NID_sha1)
        md = EVP_sha256();
    bool good = certificate && X509_digest(certificate, md, hash, &len) == 1;
    X509_free(certificate);
    buf_put(out, slice_of(hash, good ? len : 0));
    return good;
}

bool probe_binding(struct probe_wire *w, const char **type, struct buf *out)
{
    uint8_t bytes[EXPORTER_BYTES];
    static const char label[] = "EXPORTER-Channel-Binding";

    if (!w->ssl)
        return false;
    if (SSL_version(w->ssl) < TLS1_3_VERSION) {
        *type = "tls-server-end-point";
        return end_point(w, out);
    }
    *type = "tls-exporter";
    if (SSL_export_keying_material(w->ssl, bytes, sizeof bytes, label, sizeof label - 1,
                                   (const uint8_t *)"", 0, 1) != 1)
        return false;
    buf_put(out, slice_of(bytes, sizeof bytes));
    return true;
}

/* ---- bytes ---- */

static ssize_t read_some(struct probe_wire *w, uint8_t *to, size_t n)
{
    ssize_t got;

    if (w->ssl)
        return SSL_read(w->ssl, to, (int)n);
    do
        got = read(w->fd, to, n);
    while (got < 0 && errno == EINTR);
    return got;
}

bool probe_line(struct probe_wire *w, struct slice *line)
{
    buf_consume(&w->in, w->used);
    w->used = 0;
    for (;;) {
        struct slice have = buf_slice(&w->in);
        size_t end = slice_index(have, '\n');

        if (end < have.len) {
            w->used = end + 1;
            *line = slice_head(have, end && have.ptr[end - 1] == '\r' ? end - 1 : end);
            return true;
        }
        uint8_t *to = buf_reserve(&w->in, READ_PIECE);
        ssize_t n = to ? read_some(w, to, READ_PIECE) : 0;
        if (n <= 0)
            return fail(w, to ? "the server closed the connection or says nothing"
                              : "the server's line is too long");
        buf_commit(&w->in, (size_t)n);
    }
}

bool probe_send(struct probe_wire *w, struct slice bytes)
{
    while (bytes.len) {
        ssize_t n = w->ssl ? SSL_write(w->ssl, bytes.ptr, (int)bytes.len)
                           : send(w->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);

        if (n < 0 && !w->ssl && errno == EINTR)
            continue;
        if (n <= 0)
            return fail(w, "the connection broke");
        bytes = slice_from(bytes, (size_t)n);
    }
    return true;
}
