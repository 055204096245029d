/* path.c - addresses and parameters of MAIL and RCPT (RFC 5321 4.1.2). */
#include "protocols/lmtp/lmtp_int.h"

static bool is_control(uint8_t c)
{
    return c < 0x20 || c == 0x7F;
}

/*
 * The length of what comes before the first `stop` that is not in quotes, or s.len where there is
 * none. False: control characters, or a quote that is not closed.
 */
static bool span(struct slice s, uint8_t stop, size_t *len)
{
    bool quoted = false;
    size_t i = 0;

    for (; i < s.len && (quoted || s.ptr[i] != stop); i++) {
        if (s.ptr[i] == '"')
            quoted = !quoted;
        else if (s.ptr[i] == '\\' && quoted && ++i == s.len)
            return false;
        if (is_control(s.ptr[i]))
            return false;
    }
    *len = i;
    return !quoted;
}

/* "@a,@b:" in front of an address means nothing any more (RFC 5321 appendix C). */
static bool skip_route(struct slice *path)
{
    size_t len;

    if (path->len == 0 || path->ptr[0] != '@')
        return true;
    if (!span(*path, ':', &len) || len == path->len)
        return false;
    *path = slice_from(*path, len + 1);
    return path->len > 0;
}

/* The inside of a quoted string, unescaped onto `to`. */
static void put_unquoted(struct slice inside, struct buf *to)
{
    for (size_t i = 0; i < inside.len; i++) {
        if (inside.ptr[i] == '\\')
            i++;
        if (i < inside.len)
            buf_putc(to, inside.ptr[i]);
    }
}

/* "local part"@domain to local part@domain; what is not quoted stays as it is. */
static bool unquote(struct slice raw, struct arena *in, struct slice *out)
{
    struct buf address = buf_make(LMTP_MAX_LINE);
    size_t local;

    if (!span(raw, '@', &local) || local == 0)
        return false;
    bool quoted = raw.ptr[0] == '"';
    if (quoted && (local < 2 || raw.ptr[local - 1] != '"'))
        return false;
    if (quoted)
        put_unquoted(slice_sub(raw, 1, local - 2), &address);
    else
        buf_put(&address, slice_head(raw, local));
    bool something = address.len > 0;
    buf_put(&address, slice_from(raw, local));
    *out = arena_slice(in, buf_slice(&address));
    buf_done(&address);
    return something && out->len <= AUTH_MAX_NAME;
}

static bool has_stray_bytes(struct slice path)
{
    bool quoted = false;

    for (size_t i = 0; i < path.len; i++) {
        uint8_t c = path.ptr[i];

        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == ' ' || c == '<'))
            return true;
    }
    return false;
}

bool lmtp_path(struct slice *args, struct arena *in, struct lmtp_path *out)
{
    struct slice rest = slice_trim(*args);
    struct slice path;
    size_t len;

    if (rest.len == 0 || rest.ptr[0] != '<')
        return false;
    rest = slice_from(rest, 1);
    if (!span(rest, '>', &len) || len == rest.len)
        return false;
    path = slice_head(rest, len);
    rest = slice_from(rest, len + 1);
    if (rest.len > 0 && rest.ptr[0] != ' ')
        return false;
    if (has_stray_bytes(path) || !skip_route(&path))
        return false;
    out->raw = path;
    out->address = SLICE_EMPTY;
    if (path.len > 0 && !unquote(path, in, &out->address))
        return false;
    *args = slice_trim(rest);
    return true;
}

bool lmtp_parameter(struct slice *args, struct slice *key, struct slice *value)
{
    struct slice rest = slice_trim(*args);

    if (rest.len == 0)
        return false;
    *value = slice_cut(&rest, ' ');
    *key = slice_cut(value, '=');
    *args = rest;
    return true;
}
