/* mapi_wire.c - requests over libcurl, and what is in them. */
#include "gateway/cli/mapi_wire.h"

#include <openssl/pem.h>
#include <openssl/sha.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/mem.h"
#include "protocols/mapi/frame.h"

enum {
    ANSWER_MOST = 1 << 20,
    CONNECT_SECONDS = 10,
    ROP_OUT_MOST = FRAME_HEADER + FRAME_PAYLOAD_MAX,
    NO_COMPRESSION_NO_MASK = 3, /* [MS-OXCRPC] 3.1.4.2 */
    CODEPAGE_WESTERN = 1252,
    LCID_ENGLISH = 0x409,
};

const struct value_form mapi_wire_form = {.codepage = CODEPAGE_WESTERN};

static bool fail(struct mapi_wire *w, const char *format, ...) PRINTF_LIKE(2, 3);

static bool fail(struct mapi_wire *w, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(w->why, sizeof w->why, format, args);
    va_end(args);
    return false;
}

/* ---- where to ----
 *
 * The listener is at an address that its certificate may not name. It is known by its key instead:
 * that of a certificate in the configuration, and no other. */

static bool put_pin(struct buf *pins, const char *file)
{
    FILE *f = fopen(file, "re");
    X509 *certificate = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
    uint8_t *key = NULL, hash[SHA256_DIGEST_LENGTH];
    int len = certificate ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &key) : -1;

    if (f)
        fclose(f);
    X509_free(certificate);
    if (len <= 0)
        return false;
    SHA256(key, (size_t)len, hash);
    OPENSSL_free(key);
    buf_puts(pins, pins->len ? ";sha256//" : "sha256//");
    base64_encode(slice_of(hash, sizeof hash), pins);
    return true;
}

static bool pin(struct mapi_wire *w, const struct net_tls_config *tls)
{
    struct buf pins = buf_make(1 << 16);
    bool good = true;

    for (size_t i = 0; i < tls->n_certs && good; i++)
        good = put_pin(&pins, tls->certs[i].certificate) ||
               fail(w, "%s: no certificate can be read", tls->certs[i].certificate);
    buf_putc(&pins, 0);
    if (good) {
        curl_easy_setopt(w->curl, CURLOPT_PINNEDPUBLICKEY, (const char *)buf_slice(&pins).ptr);
        curl_easy_setopt(w->curl, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(w->curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    buf_done(&pins);
    return good;
}

static const char *reachable(const char *address)
{
    if (strcmp(address, "*") == 0 || strcmp(address, "0.0.0.0") == 0)
        return "127.0.0.1";
    return strcmp(address, "::") == 0 ? "::1" : address;
}

static bool use_listener(struct mapi_wire *w, const struct config *config)
{
    const struct net_listener_config *l = NULL;

    for (size_t i = 0; i < config->net.n_listeners && !l; i++)
        if (config->net.listeners[i].protocol->id == AUTH_MAPI)
            l = &config->net.listeners[i];
    if (!l)
        return fail(w, "no listener speaks MAPI; say where with --url");
    const char *host = l->path ? config->net.host_name : reachable(l->address);
    buf_puts(&w->url, l->tls_mode == NET_TLS_NONE ? "http://" : "https://");
    if (strchr(host, ':'))
        buf_printf(&w->url, "[%s]:%u", host, l->path ? 80 : l->port);
    else
        buf_printf(&w->url, "%s:%u", host, l->path ? 80 : l->port);
    if (l->path)
        curl_easy_setopt(w->curl, CURLOPT_UNIX_SOCKET_PATH, l->path);
    if (l->proxy)
        curl_easy_setopt(w->curl, CURLOPT_HAPROXYPROTOCOL, 1L);
    return l->tls_mode == NET_TLS_NONE || pin(w, l->tls);
}

/* ---- HTTP ---- */

static size_t take_body(char *data, size_t size, size_t n, void *to)
{
    struct mapi_wire *w = to;

    buf_put(&w->in, slice_of(data, size * n));
    return w->in.failed ? 0 : size * n;
}

static size_t take_head(char *data, size_t size, size_t n, void *to)
{
    struct slice line = slice_of(data, size * n), mark = S("X-ResponseCode:");
    struct mapi_wire *w = to;
    uint32_t code;

    if (slice_istarts(line, mark)) {
        line = slice_from(line, mark.len);
        line = slice_trim(slice_cut(&line, '\r'));
        w->code = slice_to_u32(line, &code) ? (int)code : -1;
    }
    return size * n;
}

static void add_header(struct mapi_wire *w, const char *name, const char *value)
{
    char line[200];

    snprintf(line, sizeof line, "%s: %s", name, value);
    w->headers = curl_slist_append(w->headers, line);
}

static void put_headers(struct mapi_wire *w, const char *type)
{
    char id[80];

    curl_slist_free_all(w->headers);
    w->headers = NULL;
    snprintf(id, sizeof id, "{B7F1A0C2-5D35-4F0B-9D6E-2C6C8E0F4A11}:%u", ++w->number);
    add_header(w, "Content-Type", "application/mapi-http");
    add_header(w, "X-RequestType", type);
    add_header(w, "X-RequestId", id);
    add_header(w, "X-ClientApplication", "gatepost/" GATEPOST_VERSION);
    add_header(w, "Expect", ""); /* bodies are small: they need no leave */
    curl_easy_setopt(w->curl, CURLOPT_HTTPHEADER, w->headers);
}

static bool tell_status(struct mapi_wire *w, long status)
{
    if (status == 401)
        return fail(w, "the server refuses this name and secret (401)");
    if (status == 403)
        return fail(w, "the server does not let this user in by this way (403)");
    if (status == 503)
        return fail(w, "the server cannot serve this now (503)");
    return fail(w, "the server answers HTTP %ld: it does not speak MAPI there", status);
}

/* Behind the meta-tags, and a code among them ([MS-OXCMAPIHTTP] 3.2.5.2). */
static bool find_answer(struct mapi_wire *w, const char *type, struct slice *answer)
{
    struct slice all = buf_slice(&w->in);
    size_t end = slice_find(all, S("\r\n\r\n"));
    struct slice late = slice_head(all, end), mark = S("\r\nX-ResponseCode:");
    size_t at = slice_find(late, mark);

    if (at < late.len)
        take_head((char *)late.ptr + at + 2, 1, late.len - at - 2, w);
    if (w->code != 0)
        return fail(w, "%s: X-ResponseCode %d", type, w->code);
    if (end == all.len || slice_find(late, S("DONE")) == late.len)
        return fail(w, "%s: the answer has no end", type);
    *answer = slice_from(all, end + 4);
    return true;
}

bool mapi_wire_request(struct mapi_wire *w, const char *type, struct slice body,
                       struct slice *answer)
{
    char why[CURL_ERROR_SIZE] = "";
    long status = 0;

    put_headers(w, type);
    buf_clear(&w->in);
    w->code = -1;
    curl_easy_setopt(w->curl, CURLOPT_POSTFIELDS, body.len ? (const char *)body.ptr : "");
    curl_easy_setopt(w->curl, CURLOPT_POSTFIELDSIZE, (long)body.len);
    curl_easy_setopt(w->curl, CURLOPT_ERRORBUFFER, why);
    CURLcode rc = curl_easy_perform(w->curl);
    curl_easy_setopt(w->curl, CURLOPT_ERRORBUFFER, NULL);
    if (rc != CURLE_OK)
        return fail(w, "%s", *why ? why : curl_easy_strerror(rc));
    curl_easy_getinfo(w->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200)
        return tell_status(w, status);
    return find_answer(w, type, answer);
}

/* StatusCode and ErrorCode at the front of every answer. */
static bool take_codes(struct mapi_wire *w, const char *type, struct wire *in)
{
    uint32_t status = wire_u32(in), error = status ? 0 : wire_u32(in);
    uint32_t code = status ? status : error;
    const char *name = mapi_ec_name(code);

    if (in->failed)
        return fail(w, "%s: the answer is cut short", type);
    if (code)
        return fail(w, "%s: %s 0x%08X%s%s", type, status ? "StatusCode" : "ErrorCode", code,
                    name ? " " : "", name ? name : "");
    return true;
}

/* ---- a session ---- */

static bool connect_session(struct mapi_wire *w)
{
    struct buf body = buf_make(256);
    struct slice answer;

    wire_put_asz(&body, SLICE_EMPTY); /* UserDN: who logs on */
    wire_put_u32(&body, 0);
    wire_put_u32(&body, CODEPAGE_WESTERN);
    wire_put_u32(&body, LCID_ENGLISH);
    wire_put_u32(&body, LCID_ENGLISH);
    wire_put_u32(&body, 0);
    bool good = mapi_wire_request(w, "Connect", buf_slice(&body), &answer);
    buf_done(&body);
    struct wire in = wire_of(good ? answer : SLICE_EMPTY, &w->arena);
    if (!good || !take_codes(w, "Connect", &in))
        return false;
    wire_bytes(&in, 3 * 4); /* how often to poll and to try again */
    w->dn_prefix = arena_slice(&w->own, wire_asz(&in));
    return !in.failed || fail(w, "Connect: the answer is cut short");
}

static void set_secret(struct mapi_wire *w, const char *user, struct slice secret)
{
    char *copy = mem_slice_str(secret);

    curl_easy_setopt(w->curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    curl_easy_setopt(w->curl, CURLOPT_USERNAME, user);
    curl_easy_setopt(w->curl, CURLOPT_PASSWORD, copy);
    mem_wipe(copy, secret.len);
    free(copy);
}

static bool set_up(struct mapi_wire *w)
{
    curl_easy_setopt(w->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(w->curl, CURLOPT_POST, 1L);
    curl_easy_setopt(w->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(w->curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    curl_easy_setopt(w->curl, CURLOPT_COOKIEFILE, ""); /* keeps them, reads no file */
    curl_easy_setopt(w->curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(w->curl, CURLOPT_WRITEDATA, w);
    curl_easy_setopt(w->curl, CURLOPT_HEADERFUNCTION, take_head);
    curl_easy_setopt(w->curl, CURLOPT_HEADERDATA, w);
    buf_puts(&w->url, "/mapi/emsmdb/");
    buf_putc(&w->url, 0);
    if (curl_easy_setopt(w->curl, CURLOPT_URL, (const char *)buf_slice(&w->url).ptr) != CURLE_OK)
        return fail(w, "the URL is not one");
    return true;
}

bool mapi_wire_open(struct mapi_wire *w, const struct config *config, const char *url,
                    const char *user, struct slice secret)
{
    *w = (struct mapi_wire){
        .curl = curl_easy_init(), .url = buf_make(4096), .in = buf_make(ANSWER_MOST)};
    memset(w->handles, 0xFF, sizeof w->handles);
    if (!w->curl)
        return fail(w, "libcurl does not start");
    if (url)
        buf_puts(&w->url, url);
    if (!url && !use_listener(w, config))
        return false;
    if (!set_up(w))
        return false;
    set_secret(w, user, secret);
    return connect_session(w);
}

void mapi_wire_close(struct mapi_wire *w)
{
    static const uint8_t no_aux[4];
    struct slice answer;

    if (w->curl && w->code == 0)
        (void)mapi_wire_request(w, "Disconnect", slice_of(no_aux, sizeof no_aux), &answer);
    curl_slist_free_all(w->headers);
    curl_easy_cleanup(w->curl);
    buf_done(&w->url);
    buf_done(&w->in);
    arena_done(&w->arena);
    arena_done(&w->own);
}

bool mapi_wire_wait(struct mapi_wire *w, bool *pending)
{
    static const uint8_t body[8]; /* Flags, AuxiliaryBufferSize */
    struct slice answer;

    if (!mapi_wire_request(w, "NotificationWait", slice_of(body, sizeof body), &answer))
        return false;
    struct wire in = wire_of(answer, &w->arena);
    if (!take_codes(w, "NotificationWait", &in))
        return false;
    *pending = wire_u32(&in) != 0;
    return true;
}

/* ---- operations ---- */

static void put_execute(struct mapi_wire *w, struct slice ask, struct buf *body)
{
    struct buf payload = buf_make(FRAME_PAYLOAD_MAX), frame = buf_make(ROP_OUT_MOST);

    wire_put_u16(&payload, (uint16_t)(ask.len + 2));
    buf_put(&payload, ask);
    for (size_t i = 0; i < MAPI_WIRE_HANDLES; i++)
        wire_put_u32(&payload, w->handles[i]);
    frame_put(&frame, buf_slice(&payload));
    wire_put_u32(body, NO_COMPRESSION_NO_MASK);
    wire_put_u32(body, (uint32_t)frame.len);
    buf_put(body, buf_slice(&frame));
    wire_put_u32(body, ROP_OUT_MOST);
    wire_put_u32(body, 0);
    body->failed |= payload.failed || frame.failed;
    buf_done(&payload);
    buf_done(&frame);
}

static bool take_payload(struct mapi_wire *w, struct slice answer, struct slice *rops)
{
    struct wire in = wire_of(answer, &w->arena);
    struct slice payload;

    if (!take_codes(w, "Execute", &in))
        return false;
    wire_u32(&in); /* Flags */
    struct slice frame = wire_bytes(&in, wire_u32(&in));
    if (in.failed || failed(frame_read(frame, &w->arena, &payload)))
        return fail(w, "Execute: the answer is malformed");
    in = wire_of(arena_slice(&w->arena, payload), &w->arena);
    size_t size = wire_u16(&in);
    *rops = wire_bytes(&in, size < 2 ? 0 : size - 2);
    for (size_t i = 0; i < MAPI_WIRE_HANDLES && in.rest.len >= 4; i++)
        w->handles[i] = wire_u32(&in);
    return !in.failed || fail(w, "Execute: the answer is malformed");
}

bool mapi_wire_execute(struct mapi_wire *w, struct slice ask, struct slice *rops)
{
    struct buf body = buf_make(2 * ROP_OUT_MOST);
    struct slice answer;

    put_execute(w, ask, &body);
    bool good = body.failed ? fail(w, "too much for one request")
                            : mapi_wire_request(w, "Execute", buf_slice(&body), &answer);
    buf_done(&body);
    return good && take_payload(w, answer, rops);
}

static bool take_reply(struct mapi_wire *w, const struct rop_def *def, struct slice rops,
                       const struct rop_numbers *columns, const void **reply)
{
    struct wire in = wire_of(rops, &w->arena);
    struct rop_response r;

    if (def->form == FORM_NONE)
        return true;
    if (failed(rop_response_read(&in, &mapi_wire_form, columns, &r)) || r.def != def)
        return fail(w, "%s: the answer is malformed", def->name);
    if (r.error) {
        const char *name = mapi_ec_name(r.error);

        return fail(w, "%s: 0x%08X%s%s", def->name, r.error, name ? " " : "", name ? name : "");
    }
    if (reply)
        *reply = r.fields;
    return true;
}

bool mapi_wire_rop(struct mapi_wire *w, uint8_t rop, uint8_t in, uint8_t out, const void *fields,
                   const struct rop_numbers *columns, const void **reply)
{
    static const struct rop_numbers no_columns;
    const struct rop_def *def = rop_find(rop);
    const struct rop_request rq = {
        .def = def,
        .in = in,
        .out = def->head == HEAD_OUT ? in : out,
        .answer = out,
        .fields = fields,
    };
    struct buf ask = buf_make(FRAME_PAYLOAD_MAX);
    struct slice rops;

    rop_request_put(&ask, &mapi_wire_form, &rq);
    bool good = ask.failed ? fail(w, "%s: too much for one request", def->name)
                           : mapi_wire_execute(w, buf_slice(&ask), &rops);
    buf_done(&ask);
    return good && take_reply(w, def, rops, columns ? columns : &no_columns, reply);
}
