#include "store/mime/mime_int.h"

/* ---- encoded words (RFC 2047 2) ---- */

struct encoded_word {
    struct slice charset, text;
    bool base64;
    size_t len; /* with its "=?" and "?=" */
};

static bool in_charset_name(uint8_t c)
{
    return c > ' ' && c < 0x7F && c != '?' && c != '=' && c != '"';
}

/*
 * The encoded word at the front of `s`, which begins with "=?". Blanks in it are let pass, for
 * mail has them; '?' in the text is not, which keeps the search for the end linear.
 */
static bool read_encoded_word(struct slice s, struct encoded_word *w)
{
    size_t at = 2, n = 0;

    while (at + n < s.len && in_charset_name(s.ptr[at + n]))
        n++;
    w->charset = slice_sub(s, at, n);
    /* "charset*language" (RFC 2231 5) */
    w->charset = slice_head(w->charset, slice_index(w->charset, '*'));
    at += n;
    if (n == 0 || at + 3 > s.len || s.ptr[at] != '?' || s.ptr[at + 2] != '?')
        return false;
    uint8_t encoding = ascii_lower(s.ptr[at + 1]);
    if (encoding != 'b' && encoding != 'q')
        return false;
    w->base64 = encoding == 'b';
    at += 3;
    w->text = slice_from(s, at);
    w->text = slice_head(w->text, slice_index(w->text, '?'));
    at += w->text.len;
    if (at + 2 > s.len || s.ptr[at + 1] != '=')
        return false;
    w->len = at + 2;
    return slice_index(w->text, '\n') == w->text.len;
}

/* RFC 2047 4.2 */
static void decode_q(struct slice s, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];

        if (c == '=' && i + 2 < s.len && ascii_hex(s.ptr[i + 1]) >= 0 &&
            ascii_hex(s.ptr[i + 2]) >= 0) {
            c = (uint8_t)(ascii_hex(s.ptr[i + 1]) * 16 + ascii_hex(s.ptr[i + 2]));
            i += 2;
        } else if (c == '_') {
            c = ' ';
        }
        buf_putc(out, c);
    }
}

static void decode_word(const struct encoded_word *w, struct buf *out)
{
    struct mime_decoder d;

    if (!w->base64) {
        decode_q(w->text, out);
        return;
    }
    mime_decoder_init(&d, MIME_BASE64);
    mime_decode_piece(&d, w->text, out);
    mime_decode_end(&d, out);
}

static size_t spaces_at(struct slice s, size_t at)
{
    size_t n = 0;

    while (at + n < s.len && is_space(s.ptr[at + n]))
        n++;
    return n;
}

/* Decoded text holds no NUL and no line ends, which would look like another field. */
static void clean(struct buf *out, size_t from)
{
    for (size_t i = from; i < out->len; i++) {
        uint8_t *c = &out->data[out->head + i];

        if (*c == '\r' || *c == '\n' || *c == 0)
            *c = ' ';
    }
}

/* What is not encoded: UTF-8, or windows-1252 as the likeliest of what else it may be. */
static void put_raw(struct slice s, bool utf8, struct buf *out)
{
    size_t before = out->len;

    if (utf8)
        buf_put(out, s);
    else
        mime_put_windows1252(out, s);
    clean(out, before);
}

/*
 * The encoded words at the front, as long as only space is between them (RFC 2047 6.2). The bytes
 * of words in one charset are joined first: mailers cut characters in two.
 */
static bool put_encoded_words(struct slice *s, bool utf8, struct buf *out)
{
    struct encoded_word w, next;
    struct buf bytes = buf_make(s->len + 16);
    size_t before = out->len, used = 0;
    bool ok = true, more;

    if (!read_encoded_word(*s, &w))
        return false;
    do {
        struct slice charset = w.charset;

        decode_word(&w, &bytes);
        used += w.len;
        size_t gap = spaces_at(*s, used);
        struct slice rest = slice_from(*s, used + gap);
        more = slice_starts(rest, S("=?")) && read_encoded_word(rest, &next);
        if (more && slice_ieq(charset, next.charset)) {
            used += gap;
            w = next;
            continue;
        }
        size_t mark = out->len;
        ok = !failed(mime_to_utf8(charset, buf_slice(&bytes), out));
        if (!ok)
            buf_truncate(out, mark);
        buf_clear(&bytes);
        if (ok && more && mime_charset_known(next.charset)) {
            used += gap;
            w = next;
        } else {
            more = false;
        }
    } while (more);
    buf_done(&bytes);
    clean(out, before);
    if (!ok && out->len == before)
        put_raw(slice_head(*s, used), utf8, out); /* a charset nobody knows: as it is */
    *s = slice_from(*s, used);
    return true;
}

/* ---- whole values ---- */

static bool is_plain(struct slice s)
{
    return mime_is_ascii(s) && slice_index(s, 0) == s.len && slice_index(s, '\n') == s.len &&
           slice_index(s, '\r') == s.len && slice_find(s, S("=?")) == s.len;
}

struct slice mime_text(struct slice value, struct arena *in)
{
    value = mime_trim(value);
    if (is_plain(value))
        return value;

    struct arena scratch = ARENA_INIT;
    struct slice s = mime_unfold(value, &scratch);
    bool utf8 = slice_is_utf8(s);
    struct buf out = buf_make(s.len * 6 + 64);
    while (s.len) {
        size_t raw = slice_find(s, S("=?"));

        put_raw(slice_head(s, raw), utf8, &out);
        s = slice_from(s, raw);
        if (s.len == 0 || put_encoded_words(&s, utf8, &out))
            continue;
        put_raw(slice_head(s, 2), utf8, &out);
        s = slice_from(s, 2);
    }
    struct slice text = arena_slice(in, buf_slice(&out));
    buf_done(&out);
    arena_done(&scratch);
    return text;
}
