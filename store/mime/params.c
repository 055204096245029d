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
        if (s.ptr[i] <= ' ' || s.ptr[i] >= 0x7F || memchr("()<>@,;:\\\"/[]?=", s.ptr[i], 15))
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

/* ---- RFC 2231 ---- */

/* One parameter, or all the pieces of one that was cut up. */
struct piece {
    struct slice base, value;
    uint32_t index;
    bool numbered, extended;
    bool done; /* already part of a joined one */
};

/* "name*0*" has base "name", index 0, and is extended. */
static void split_name(struct piece *p, struct slice name)
{
    struct slice base = name;
    uint32_t index = 0;
    bool extended = false, numbered = false;

    if (base.len > 1 && base.ptr[base.len - 1] == '*') {
        extended = true;
        base.len--;
    }
    size_t star = slice_index(base, '*');
    if (star > 0 && star < base.len && slice_to_u32(slice_from(base, star + 1), &index)) {
        numbered = true;
        base.len = star;
    } else if (star < base.len) {
        base = name;
        extended = false;
    }
    p->base = base;
    p->index = index;
    p->numbered = numbered;
    p->extended = extended;
}

static size_t read_pieces(struct slice *rest, struct arena *in, struct piece *pieces)
{
    struct raw_param raw;
    size_t n = 0;

    while (n < MIME_MAX_PARAMS && mime_next_param(rest, in, &raw)) {
        pieces[n] = (struct piece){.value = raw.value};
        split_name(&pieces[n], raw.name);
        n++;
    }
    return n;
}

static struct piece *find_piece(struct piece *pieces, size_t n, struct slice base, uint32_t index)
{
    for (size_t i = 0; i < n; i++)
        if (pieces[i].numbered && !pieces[i].done && pieces[i].index == index &&
            slice_ieq(pieces[i].base, base))
            return &pieces[i];
    return NULL;
}

static int hex_digit(uint8_t c)
{
    if (ascii_is_digit(c))
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void add_percent_decoded(struct words *w, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        int hi = -1, lo = -1;

        if (s.ptr[i] == '%' && i + 2 < s.len) {
            hi = hex_digit(s.ptr[i + 1]);
            lo = hex_digit(s.ptr[i + 2]);
        }
        if (hi >= 0 && lo >= 0)
            i += 2;
        words_add_byte(w, hi >= 0 && lo >= 0 ? (uint8_t)(hi * 16 + lo) : s.ptr[i]);
    }
}

/* A piece without charset in a value that has one must not be taken for percent-coded. */
static void add_percent_encoded(struct words *w, struct slice s)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];

        if (c > ' ' && c < 0x7F && c != '%' && c != '\'' && c != '*') {
            words_add_byte(w, c);
            continue;
        }
        words_add_byte(w, '%');
        words_add_byte(w, (uint8_t)hex[c >> 4]);
        words_add_byte(w, (uint8_t)hex[c & 15]);
    }
}

/* All pieces of one value, in order; `decode` undoes the percent code, else it is completed. */
struct joined {
    struct slice value;
    struct slice charset;
    bool extended;
};

static void cut_charset(struct slice *value, struct slice *charset)
{
    size_t first = slice_index(*value, '\'');

    if (first == value->len)
        return;
    size_t second = slice_index(slice_from(*value, first + 1), '\'') + first + 1;
    if (second >= value->len)
        return;
    *charset = slice_head(*value, first);
    *value = slice_from(*value, second + 1);
}

static bool any_extended(struct piece *pieces, size_t n, struct slice base)
{
    struct piece *p;

    for (uint32_t i = 0; (p = find_piece(pieces, n, base, i)); i++)
        if (p->extended)
            return true;
    return false;
}

static struct joined join(struct piece *pieces, size_t n, struct piece *first, bool decode,
                          struct arena *in)
{
    struct words w = words_make(in);
    struct joined j = {.extended = first->extended};
    struct piece *p = first;

    if (first->numbered)
        j.extended = any_extended(pieces, n, first->base);
    for (uint32_t index = 0; p; p = find_piece(pieces, n, first->base, ++index)) {
        struct slice value = p->value;

        if (decode && p->extended && index == 0)
            cut_charset(&value, &j.charset);
        if (decode && p->extended)
            add_percent_decoded(&w, value);
        else if (!decode && j.extended && !p->extended)
            add_percent_encoded(&w, value);
        else
            words_add(&w, value);
        p->done = true;
        if (!first->numbered)
            break;
    }
    j.value = words_slice(&w);
    return j;
}

static struct slice with_star(struct slice base, struct arena *in)
{
    struct words w = words_make(in);

    words_add(&w, base);
    words_add_byte(&w, '*');
    return words_slice(&w);
}

/* The name of a piece that could not be joined, as it was written: "name*3*". */
static struct slice piece_name(const struct piece *p, struct arena *in)
{
    struct buf b = buf_make(p->base.len + 16);
    buf_put(&b, p->base);
    buf_printf(&b, "*%u%s", p->index, p->extended ? "*" : "");
    struct slice name = arena_slice(in, buf_slice(&b));
    buf_done(&b);
    return name;
}

void mime_imap_params(struct slice rest, struct arena *in, struct mime_param **out, size_t *n)
{
    struct piece pieces[MIME_MAX_PARAMS];
    size_t n_pieces = read_pieces(&rest, in, pieces);

    *n = 0;
    *out = n_pieces ? arena_array(in, n_pieces, sizeof **out) : NULL;
    for (size_t i = 0; i < n_pieces; i++) {
        struct piece *p = &pieces[i];

        if (p->done)
            continue;
        struct piece *first = p->numbered ? find_piece(pieces, n_pieces, p->base, 0) : p;
        if (first) {
            struct joined j = join(pieces, n_pieces, first, false, in);

            (*out)[(*n)++] =
                (struct mime_param){j.extended ? with_star(p->base, in) : p->base, j.value};
        }
        if (p->done)
            continue;
        /* A piece with a gap before it. */
        (*out)[(*n)++] = (struct mime_param){piece_name(p, in), p->value};
        p->done = true;
    }
}

static struct slice decode_joined(struct joined j, struct arena *in)
{
    if (!j.extended || (mime_is_ascii(j.value) && mime_charset_keeps_ascii(j.charset)))
        return j.value;
    struct buf text = buf_make(j.value.len * 6 + 64);
    if (failed(mime_to_utf8(j.charset, j.value, &text))) {
        buf_clear(&text);
        mime_put_utf8_lossy(&text, j.value);
    }
    struct slice value = arena_slice(in, buf_slice(&text));
    buf_done(&text);
    return value;
}

static bool already(const struct mime_param *params, size_t n, struct slice name)
{
    for (size_t i = 0; i < n; i++)
        if (slice_ieq(params[i].name, name))
            return true;
    return false;
}

/* RFC 2231 forms first: where mail says both filename= and filename*=, the second knows more. */
static void decode_params(struct slice rest, struct arena *in, struct mime_param **out, size_t *n)
{
    struct piece pieces[MIME_MAX_PARAMS];
    size_t n_pieces = read_pieces(&rest, in, pieces);

    *n = 0;
    *out = n_pieces ? arena_array(in, n_pieces, sizeof **out) : NULL;
    for (size_t i = 0; i < n_pieces; i++) {
        struct piece *p = &pieces[i];

        if (p->done || (!p->extended && !p->numbered) || already(*out, *n, p->base))
            continue;
        struct piece *first = p->numbered ? find_piece(pieces, n_pieces, p->base, 0) : p;
        if (first)
            (*out)[(*n)++] = (struct mime_param){
                p->base, decode_joined(join(pieces, n_pieces, first, true, in), in)};
    }
    for (size_t i = 0; i < n_pieces; i++) {
        struct piece *p = &pieces[i];

        if (!p->extended && !p->numbered && !already(*out, *n, p->base))
            (*out)[(*n)++] = (struct mime_param){p->base, p->value};
    }
}

void mime_parse_params(struct slice value, struct arena *in, struct mime_token_params *out)
{
    out->token = mime_take_value_token(&value, in);
    decode_params(value, in, &out->params, &out->n_params);
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
    decode_params(rest, in, &out->params, &out->n_params);
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
