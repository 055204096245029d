/* url.c - where clients are sent. */
#include "protocols/mapi/url.h"

/*
 * What a client says that it asked is told back to it in a URL: no more than a name or an address
 * with a port may be in it (RFC 3986 3.2.2).
 */
static bool is_host(struct slice host)
{
    for (size_t i = 0; i < host.len; i++) {
        uint8_t c = host.ptr[i];

        if (!ascii_is_alpha(c) && !ascii_is_digit(c) &&
            slice_index(S(".-:[]_"), c) == S(".-:[]_").len)
            return false;
    }
    return host.len > 0;
}

static struct slice asked_host(const struct http_exchange *http)
{
    struct slice host = http_request(http)->host;

    return is_host(host) ? host : slice_str(http_env(http)->host_name);
}

void mapi_put_base_url(struct buf *out, const struct http_exchange *http, const struct mapi *mapi)
{
    if (mapi->config.base_url) {
        buf_puts(out, mapi->config.base_url);
        return;
    }
    buf_puts(out, http_env(http)->peer->tls ? "https://" : "http://");
    buf_put(out, asked_host(http));
}

struct slice mapi_host(const struct http_exchange *http, const struct mapi *mapi)
{
    struct slice host = slice_str(mapi->config.base_url);

    if (host.len == 0)
        host = asked_host(http);
    else
        host = slice_from(host, slice_find(host, S("://")) + 3);
    host = slice_head(host, slice_index(host, '/'));
    if (slice_starts(host, S("[")))
        return slice_head(host, slice_index(host, ']') + 1);
    return slice_head(host, slice_index(host, ':'));
}

/* Percent-encoded but for what a query may hold as it is (RFC 3986 3.4). */
static void put_query(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];

        if (ascii_is_alpha(c) || ascii_is_digit(c) || slice_index(S("-._~@"), c) < 5)
            buf_putc(out, c);
        else
            buf_printf(out, "%%%02X", c);
    }
}

/* A GUID that is the mailbox's number: it only has to tell one mailbox from another. */
static void put_mailbox(struct buf *out, uint64_t id)
{
    buf_printf(out, "%08x-%04x-%04x-8000-000000000000", (unsigned)(id >> 32),
               (unsigned)(id >> 16 & 0xFFFF), (unsigned)(id & 0xFFFF));
}

void mapi_put_url(struct buf *out, const struct http_exchange *http, const struct mapi *mapi,
                  const char *path, const struct mapi_person *person)
{
    size_t at = slice_index(person->address, '@');

    mapi_put_base_url(out, http, mapi);
    buf_puts(out, path);
    buf_puts(out, "?MailboxId=");
    put_mailbox(out, person->mailbox_id);
    buf_putc(out, '@');
    if (at < person->address.len)
        put_query(out, slice_from(person->address, at + 1));
    else
        put_query(out, mapi_host(http, mapi));
}
