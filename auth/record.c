/*
 * record.c - a verdict as one line of JSON.
 *
 * The order of members is fixed and members are only ever added, at the end; "v" changes if one
 * ever changes its meaning. A line is plain ASCII, whatever a client sent: other characters are
 * \u escapes. Bytes that are no UTF-8 are written as \xNN inside the string, and then the exact
 * bytes stand in a member of their own, in base64.
 */
#include <jansson.h>

#include "auth/auth_int.h"
#include "base/base64.h"

/* How long the UTF-8 character at the front is; 0 where there is none. */
static size_t character(struct slice s)
{
    for (size_t len = 1; len <= 4 && len <= s.len; len++)
        if (slice_is_utf8(slice_head(s, len)))
            return len;
    return 0;
}

static json_t *text(struct slice s)
{
    struct buf clean = buf_make(SIZE_MAX / 2);

    if (slice_is_utf8(s))
        return json_stringn(s.len ? (const char *)s.ptr : "", s.len);
    while (s.len) {
        size_t len = character(s);

        if (len)
            buf_put(&clean, slice_head(s, len));
        else
            buf_printf(&clean, "\\x%02X", s.ptr[0]);
        s = slice_from(s, len ? len : 1);
    }
    json_t *out = json_stringn((const char *)buf_slice(&clean).ptr, clean.len);
    buf_done(&clean);
    return out;
}

static void put_text(json_t *line, const char *member, struct slice s)
{
    json_object_set_new(line, member, text(s));
}

static void put_number(json_t *line, const char *member, uint64_t n)
{
    json_object_set_new(line, member, json_integer((json_int_t)n));
}

static void put_exact(json_t *line, const char *member, struct slice s)
{
    struct buf coded = buf_make(SIZE_MAX / 2);

    if (slice_is_utf8(s))
        return;
    base64_encode(s, &coded);
    put_text(line, member, buf_slice(&coded));
    buf_done(&coded);
}

static void put_time(json_t *line, uint64_t time)
{
    struct buf out = buf_make(64);

    clock_put_rfc3339(&out, time);
    put_text(line, "time", buf_slice(&out));
    buf_done(&out);
}

static void put_address(json_t *line, const char *member, const char *port_member,
                        const struct sockaddr_storage *address)
{
    char name[64];
    unsigned port = place_text(address, name);

    put_text(line, member, slice_str(name));
    put_number(line, port_member, port);
}

static void put_peer(json_t *line, const struct auth_peer *peer)
{
    put_text(line, "protocol", slice_str(auth_protocol_name(peer->protocol)));
    put_text(line, "listener", slice_str(peer->listener));
    put_text(line, "session", slice_str(peer->session_id));
    put_address(line, "client", "client_port", &peer->remote);
    put_address(line, "server", "server_port", &peer->local);
    put_text(line, "client_name", peer->client_name);
    put_text(line, "tls", slice_str(peer->tls ? peer->tls_version : NULL));
    put_text(line, "cipher", slice_str(peer->tls ? peer->tls_cipher : NULL));
}

/* Only where there is one. */
static void put_proxy(json_t *line, const struct auth_peer *peer)
{
    if (peer->proxy.ss_family != AF_UNSPEC)
        put_address(line, "proxy", "proxy_port", &peer->proxy);
    if (peer->proxy_session.len)
        put_text(line, "proxy_session", peer->proxy_session);
}

/* JSON lets DEL stand as it is; terminals do not show it. */
static int append(const char *bytes, size_t len, void *out)
{
    struct slice rest = slice_of(bytes, len);

    while (rest.len) {
        size_t plain = slice_index(rest, 0x7F);

        buf_put(out, slice_head(rest, plain));
        if (plain < rest.len)
            buf_puts(out, "\\u007f");
        rest = slice_from(rest, plain + 1);
    }
    return 0;
}

void auth_record_put(const struct auth_record *record, struct buf *out)
{
    json_t *line = json_object();

    put_number(line, "v", 1);
    put_time(line, record->time);
    put_number(line, "event", auth_reason_event(record->reason));
    put_text(line, "result", record->reason == AUTH_OK ? S("ok") : S("fail"));
    put_text(line, "stage", slice_str(auth_stage_name(auth_reason_stage(record->reason))));
    put_text(line, "reason", slice_str(auth_reason_name(record->reason)));
    put_peer(line, record->peer);
    put_text(line, "mechanism", record->mechanism);
    put_text(line, "name", record->name_given);
    put_text(line, "identity", record->identity);
    put_text(line, "actor", record->actor);
    json_object_set_new(line, "legacy_charset", json_boolean(record->legacy_charset));
    put_number(line, "latency_ms", record->latency_ms);
    put_number(line, "latency_us", record->latency_us);
    put_exact(line, "name_bytes", record->name_given);
    put_exact(line, "client_name_bytes", record->peer->client_name);
    put_proxy(line, record->peer);
    if (record->app_password.len)
        put_text(line, "app_password", record->app_password);
    json_dump_callback(line, append, out, JSON_COMPACT | JSON_ENSURE_ASCII);
    buf_putc(out, '\n');
    json_decref(line);
}
