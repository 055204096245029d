#include "store/mime/mime_int.h"

/*
 * RFC 2045 5.1 forbids only tspecials in a token. Here only what ends one in practice does, for
 * mail has names like a[1].pdf unquoted.
 */
static bool ends_name(uint8_t c)
{
    return is_space(c) || c == ';' || c == '=' || c == '"' || c == '(' || c == '\0';
}

static bool ends_value(uint8_t c)
{
    return is_space(c) || c == ';' || c == '"';
}

static struct slice take_while_not(struct slice *s, bool (*ends)(uint8_t c))
{
    size_t n = 0;

    while (n < s->len && !ends(s->ptr[n]))
        n++;
    struct slice taken = slice_head(*s, n);
    *s = slice_from(*s, n);
    return taken;
}

/* True if what is at the front looks like "name=", as behind a ';' that was forgotten. */
static bool at_param(struct slice s)
{
    struct slice name = take_while_not(&s, ends_name);

    return name.len && s.len && s.ptr[0] == '=';
}

/* Move on to the next parameter: behind the ';' or to where one was forgotten. */
static void skip_junk(struct slice *s)
{
    mime_skip_cfws(s);
    while (s->len && s->ptr[0] != ';' && !at_param(*s)) {
        if (s->ptr[0] == '"') {
            size_t n = 1;

            while (n < s->len && s->ptr[n] != '"')
                n += s->ptr[n] == '\\' ? 2 : 1;
            *s = slice_from(*s, n + 1);
        } else if (take_while_not(s, ends_name).len == 0) {
            *s = slice_from(*s, 1);
        }
        mime_skip_cfws(s);
    }
    if (s->len && s->ptr[0] == ';')
        *s = slice_from(*s, 1);
}

static struct slice take_param_value(struct slice *s, struct arena *in)
{
    struct words value = words_make(in);

    mime_skip_cfws(s);
    if (s->len && s->ptr[0] == '"')
        mime_take_quoted(s, &value);
    else
        words_add(&value, take_while_not(s, ends_value));
    return words_slice(&value);
}

bool mime_next_param(struct slice *rest, struct arena *in, struct raw_param *out)
{
    while (rest->len) {
        skip_junk(rest);
        mime_skip_cfws(rest);
        struct slice name = take_while_not(rest, ends_name);
        if (name.len == 0)
            continue;
        mime_skip_cfws(rest);
        if (rest->len == 0 || rest->ptr[0] != '=')
            continue;
        *rest = slice_from(*rest, 1);
        out->name = name;
        out->value = take_param_value(rest, in);
        return true;
    }
    return false;
}

static bool ends_token(uint8_t c)
{
    return is_space(c) || c == ';' || c == '(' || c == '"';
}

struct slice mime_take_value_token(struct slice *value, struct arena *in)
{
    struct words token = words_make(in);
    bool slash = true;

    mime_skip_cfws(value);
    /* "text / plain" is one token, "text junk" is not. */
    while (value->len && (slash || value->ptr[0] == '/')) {
        struct slice piece = take_while_not(value, ends_token);

        if (piece.len == 0)
            break;
        words_add(&token, piece);
        slash = piece.ptr[piece.len - 1] == '/';
        mime_skip_cfws(value);
    }
    return words_slice(&token);
}

/* RFC 2045 5.1. 8-bit is none, so that a broken type does not reach a client as one. */
static bool is_type_token(struct slice s)
{
    if (s.len == 0 || s.len > 127)
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] <= ' ' || s.ptr[i] >= 0x7F || strchr("()<>@,;:\\\"/[]?=", s.ptr[i]))
            return false;
    return true;
}

bool mime_split_type(struct slice token, struct slice *type, struct slice *subtype)
{
    size_t slash = slice_index(token, '/');
    struct slice a = slice_head(token, slash), b = slice_from(token, slash + 1);

    /* "text/plain/x", "text/html," and the like: what is a token at the front. */
    size_t n = 0;
    while (n < b.len && is_type_token(slice_sub(b, n, 1)))
        n++;
    b = slice_head(b, n);
    if (!is_type_token(a) || !is_type_token(b))
        return false;
    *type = a;
    *subtype = b;
    return true;
}

/* ---- values with parameters ---- */

void mime_parse_params(struct slice value, struct arena *in, struct mime_token_params *out)
{
    out->token = mime_take_value_token(&value, in);
    mime_decode_params(value, in, &out->params, &out->n_params);
}

struct slice mime_param(const struct mime_param *params, size_t n, struct slice name)
{
    for (size_t i = 0; i < n; i++)
        if (slice_ieq(params[i].name, name))
            return params[i].value;
    return SLICE_EMPTY;
}

/* ---- Content-Type and Content-Transfer-Encoding ---- */

static struct slice lower(struct slice s, struct arena *in)
{
    size_t i = 0;

    while (i < s.len && s.ptr[i] == ascii_lower(s.ptr[i]))
        i++;
    if (i == s.len)
        return s;
    uint8_t *to = arena_alloc(in, s.len);
    for (i = 0; i < s.len; i++)
        to[i] = ascii_lower(s.ptr[i]);
    return slice_of(to, s.len);
}

void mime_content_type(struct slice header, bool in_digest, struct arena *in, struct mime_type *out)
{
    struct mime_field field;
    struct slice type, subtype;

    *out = (struct mime_type){.type = S("text"), .subtype = S("plain")};
    if (!mime_get_field(slice_head(header, MIME_MAX_HEADER), S("Content-Type"), &field)) {
        if (in_digest)
            *out = (struct mime_type){.type = S("message"), .subtype = S("rfc822")};
        return;
    }
    struct slice rest = field.value;
    if (!mime_split_type(mime_take_value_token(&rest, in), &type, &subtype))
        return;
    out->type = lower(type, in);
    out->subtype = lower(subtype, in);
    mime_decode_params(rest, in, &out->params, &out->n_params);
}

enum mime_encoding mime_transfer_encoding(struct slice header)
{
    static const struct {
        const char *name;
        enum mime_encoding encoding;
    } known[] = {
        {"7bit", MIME_7BIT},           {"8bit", MIME_8BIT},     {"binary", MIME_BINARY},
        {"quoted-printable", MIME_QP}, {"base64", MIME_BASE64},
    };
    struct mime_field field;
    struct arena scratch = ARENA_INIT;
    enum mime_encoding encoding = MIME_UNKNOWN;

    if (!mime_get_field(slice_head(header, MIME_MAX_HEADER), S("Content-Transfer-Encoding"),
                        &field))
        return MIME_7BIT;
    struct slice token = mime_take_value_token(&field.value, &scratch);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (slice_ieq(token, slice_str(known[i].name)))
            encoding = known[i].encoding;
    if (token.len == 0)
        encoding = MIME_7BIT;
    arena_done(&scratch);
    return encoding;
}
