#include "store/mime/mime_int.h"

/*
 * Parameters that were cut into pieces, and parameters with a charset (RFC 2231): "name*0=...",
 * "name*=utf-8'en'...", and both at once.
 */

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

/* Names are compared with each other, so a name that is absurdly long is passed over. */
static size_t read_pieces(struct slice *rest, struct arena *in, struct piece *pieces)
{
    struct raw_param raw;
    size_t n = 0;

    while (n < MIME_MAX_PARAMS && mime_next_param(rest, in, &raw)) {
        if (raw.name.len > MIME_MAX_PARAM_NAME)
            continue;
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

static void add_percent_decoded(struct words *w, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        int hi = -1, lo = -1;

        if (s.ptr[i] == '%' && i + 2 < s.len) {
            hi = ascii_hex(s.ptr[i + 1]);
            lo = ascii_hex(s.ptr[i + 2]);
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
        utf8_put_lossy(&text, j.value);
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
void mime_decode_params(struct slice rest, struct arena *in, struct mime_param **out, size_t *n)
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
