/* target.c - the request target in its forms (RFC 9112 3.2), and the path in it. */
#include "protocols/http/http_int.h"

#include <http_parser.h>

/*
 * Decoded once, and what comes out must be text without control characters: a path with a NUL or a
 * line end in it means nothing good to whoever reads it next.
 */
static bool decode_path(struct arena *in, struct slice raw, struct slice *out)
{
    uint8_t *to = arena_alloc(in, raw.len + 1);
    size_t n = 0;

    for (size_t i = 0; i < raw.len; i++) {
        uint8_t c = raw.ptr[i];

        if (c == '%') {
            int high = i + 2 < raw.len ? ascii_hex(raw.ptr[i + 1]) : -1;
            int low = i + 2 < raw.len ? ascii_hex(raw.ptr[i + 2]) : -1;

            if (high < 0 || low < 0)
                return false;
            c = (uint8_t)(high << 4 | low);
            i += 2;
        }
        if (c < 0x20 || c == 0x7f)
            return false;
        to[n++] = c;
    }
    *out = slice_of(to, n);
    return slice_is_utf8(*out);
}

static unsigned origin_form(struct http_exchange *x, struct slice target)
{
    struct slice path = slice_head(target, slice_index(target, '?'));

    x->rq.query = slice_from(target, path.len + 1);
    /* A fragment never leaves a client (RFC 9110 7.1). */
    if (path.len == 0 || path.ptr[0] != '/' || slice_index(target, '#') < target.len)
        return 400;
    return decode_path(&x->arena, path, &x->rq.path) ? 0 : 400;
}

/* "http://host/path": its host counts, whatever Host says (RFC 9112 3.2.2). */
static unsigned absolute_form(struct http_exchange *x, struct slice target)
{
    struct http_parser_url url;

    http_parser_url_init(&url);
    if (http_parser_parse_url((const char *)target.ptr, target.len, 0, &url) != 0 ||
        !(url.field_set & 1 << UF_HOST) || (url.field_set & 1 << UF_USERINFO))
        return 400;
    struct slice rest = slice_from(target, slice_find(target, S("://")) + 3);
    size_t end = 0;
    while (end < rest.len && rest.ptr[end] != '/' && rest.ptr[end] != '?' && rest.ptr[end] != '#')
        end++;
    x->rq.host = slice_head(rest, end);
    rest = slice_from(rest, end);
    if (!http_host_is_valid(x->rq.host))
        return 400;
    if (rest.len && rest.ptr[0] == '/')
        return origin_form(x, rest);
    x->rq.path = S("/");
    x->rq.query = slice_from(rest, 1);
    return rest.len && rest.ptr[0] == '#' ? 400 : 0;
}

unsigned http_target_parse(struct http_exchange *x, struct slice target, bool options)
{
    if (slice_eq(target, S("*"))) {
        x->asterisk = true;
        x->rq.path = target;
        return options ? 0 : 400; /* RFC 9112 3.2.4 */
    }
    if (slice_istarts(target, S("http://")) || slice_istarts(target, S("https://")))
        return absolute_form(x, target);
    return origin_form(x, target);
}

/* ---- hosts ---- */

static bool is_port(struct slice port)
{
    for (size_t i = 0; i < port.len; i++)
        if (!ascii_is_digit(port.ptr[i]))
            return false;
    return port.len <= 5;
}

/* Without its port; false where the port or the brackets are malformed. */
static bool split_port(struct slice host, struct slice *name)
{
    size_t end =
        host.len && host.ptr[0] == '[' ? slice_index(host, ']') + 1 : slice_index(host, ':');

    if (end > host.len)
        return false;
    *name = slice_head(host, end);
    return end == host.len || (host.ptr[end] == ':' && is_port(slice_from(host, end + 1)));
}

/* Of a reg-name: unreserved, percent and sub-delims (RFC 3986 3.2.2). */
static bool is_name_byte(uint8_t c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || (c && strchr("-._~%!$&'()*+,;=", c));
}

static bool is_ip_literal(struct slice name)
{
    if (name.len < 4 || name.ptr[0] != '[')
        return false;
    for (size_t i = 1; i + 1 < name.len; i++)
        if (!is_name_byte(name.ptr[i]) && name.ptr[i] != ':')
            return false;
    return true;
}

bool http_host_is_valid(struct slice host)
{
    struct slice name;

    if (!split_port(host, &name) || name.len == 0)
        return false;
    if (name.ptr[0] == '[')
        return is_ip_literal(name);
    for (size_t i = 0; i < name.len; i++)
        if (!is_name_byte(name.ptr[i]))
            return false;
    return true;
}

static bool is_ipv4(struct slice name)
{
    unsigned dots = 0;

    for (size_t i = 0; i < name.len; i++) {
        if (!ascii_is_digit(name.ptr[i]) && name.ptr[i] != '.')
            return false;
        dots += name.ptr[i] == '.';
    }
    return dots == 3;
}

bool http_host_is_ours(struct slice host, const char *own_name)
{
    struct slice name;

    if (!split_port(host, &name))
        return false;
    return name.len == 0 || is_ip_literal(name) || is_ipv4(name) ||
           slice_ieq(name, S("localhost")) || slice_ieq(name, slice_str(own_name));
}
