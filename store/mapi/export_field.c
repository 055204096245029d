#include "store/mapi/export_field.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/utf.h"

enum {
    LINE_WANTED = 76,   /* RFC 2047 2: of lines with encoded words; for the others a courtesy */
    WORD_MAX = 900,     /* a longer word cannot be left as it is: lines end at 998 */
    ENCODED_FRAME = 12, /* =?utf-8?B??= */
    ADDRESS_MAX = 320,  /* 64 + 1 + 255 (RFC 5321 4.5.3.1) */
};

static bool is_printable(uint8_t c)
{
    return c >= 0x20 && c < 0x7F;
}

/* ---- text ---- */

/* Can it stand as it is: read back as the same text, in lines that can be folded? */
static bool is_plain(struct slice text)
{
    size_t word = 0;

    if (text.len == 0 || text.ptr[0] == ' ' || text.ptr[text.len - 1] == ' ' ||
        slice_find(text, S("=?")) < text.len || slice_find(text, S("  ")) < text.len)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        word = text.ptr[i] == ' ' ? 0 : word + 1;
        if (!is_printable(text.ptr[i]) || word > WORD_MAX)
            return false;
    }
    return true;
}

static size_t word_at(struct slice text, size_t i)
{
    size_t n = 0;

    while (i + n < text.len && text.ptr[i + n] != ' ')
        n++;
    return n;
}

/* Folded at spaces, behind each of which a word stands; `column` is where the line stands. */
static void put_folded(struct buf *out, struct slice text, size_t column)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == ' ' && column + 1 + word_at(text, i + 1) > LINE_WANTED) {
            buf_puts(out, "\r\n");
            column = 0;
        }
        buf_putc(out, text.ptr[i]);
        column++;
    }
}

/* Code points off the front of *text that fit into `most` bytes; control characters become spaces.
 */
static void take_some(struct slice *text, size_t most, struct buf *out)
{
    while (text->len > 0) {
        struct slice rest = *text;
        uint32_t c = utf8_take(&rest);
        uint8_t bytes[4];

        if (c < 0x20 || c == 0x7F)
            c = ' ';
        size_t n = utf8_bytes(c, bytes);
        if (out->len + n > most)
            return;
        buf_put(out, slice_of(bytes, n));
        *text = rest;
    }
}

static void put_encoded(struct buf *out, struct slice text, size_t column)
{
    /* Room for one code point at least, and no more than a line has (RFC 2047 2). */
    while (text.len > 0) {
        struct buf piece = buf_make(64);
        size_t left =
            column + ENCODED_FRAME + 8 < LINE_WANTED ? LINE_WANTED - column - ENCODED_FRAME : 8;

        take_some(&text, left / 4 * 3, &piece);
        buf_puts(out, "=?utf-8?B?");
        base64_encode(buf_slice(&piece), out);
        buf_puts(out, "?=");
        buf_done(&piece);
        if (text.len > 0)
            buf_puts(out, "\r\n ");
        column = 1;
    }
}

void export_text(struct buf *out, const char *name, struct slice text)
{
    size_t column = strlen(name) + 2;

    if (text.len == 0)
        return;
    buf_printf(out, "%s: ", name);
    if (is_plain(text))
        put_folded(out, text, column);
    else
        put_encoded(out, text, column);
    buf_puts(out, "\r\n");
}

void export_token(struct buf *out, const char *name, struct slice text)
{
    struct buf clean = buf_make(text.len + 1);

    /* One space between words: longer runs mean nothing here, and could not be folded. */
    for (size_t i = 0; i < text.len; i++)
        if (is_printable(text.ptr[i]) &&
            (text.ptr[i] != ' ' || (clean.len > 0 && clean.data[clean.len - 1] != ' ')))
            buf_putc(&clean, text.ptr[i]);
    struct slice kept = slice_trim(buf_slice(&clean));
    size_t longest = 0;

    for (size_t i = 0; i < kept.len; i++)
        if (kept.ptr[i] != ' ' && word_at(kept, i) > longest)
            longest = word_at(kept, i);
    if (kept.len > 0 && longest <= WORD_MAX) {
        buf_printf(out, "%s: ", name);
        put_folded(out, kept, strlen(name) + 2);
        buf_puts(out, "\r\n");
    }
    buf_done(&clean);
}

void export_date(struct buf *out, const char *name, uint64_t filetime)
{
    buf_printf(out, "%s: ", name);
    clock_put_rfc5322(out, filetime);
    buf_puts(out, "\r\n");
}

bool export_is_field_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] <= 0x20 || name.ptr[i] >= 0x7F || name.ptr[i] == ':')
            return false;
    return name.len > 0 && name.len <= LINE_WANTED;
}

/* ---- addresses ---- */

static bool is_atom_char(uint8_t c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL;
}

static bool is_dot_atom(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        bool dot = s.ptr[i] == '.' && i > 0 && i + 1 < s.len && s.ptr[i - 1] != '.';

        if (s.ptr[i] == 0 || (!dot && !is_atom_char(s.ptr[i])))
            return false;
    }
    return s.len > 0;
}

static void put_quoted(struct buf *out, struct slice text)
{
    buf_putc(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"' || text.ptr[i] == '\\')
            buf_putc(out, '\\');
        buf_putc(out, text.ptr[i]);
    }
    buf_putc(out, '"');
}

/* A display name (RFC 5322 3.2.5). */
static void put_phrase(struct buf *out, struct slice name)
{
    if (is_plain(name) && name.len < LINE_WANTED)
        put_quoted(out, name);
    else
        put_encoded(out, name, 1);
}

/* Letters, digits, and what a literal has: [IPv6:::1]. */
static bool is_domain(struct slice domain)
{
    for (size_t i = 0; i < domain.len; i++) {
        uint8_t c = domain.ptr[i];

        if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '-' && c != '.' && c != '_' &&
            !((c == '[' && i == 0) || (c == ']' && i + 1 == domain.len) ||
              (c == ':' && domain.ptr[0] == '[')))
            return false;
    }
    return domain.len > 0;
}

static bool split_address(struct slice address, struct slice *local, struct slice *domain)
{
    size_t at = address.len;

    while (at > 0 && address.ptr[at - 1] != '@')
        at--;
    if (at < 2 || address.len > ADDRESS_MAX)
        return false;
    *local = slice_head(address, at - 1);
    *domain = slice_from(address, at);
    for (size_t i = 0; i < local->len; i++)
        if (!is_printable(local->ptr[i]))
            return false;
    return is_domain(*domain);
}

void export_address(struct export_addresses *list, struct slice name, struct slice address)
{
    struct buf *out = list->out;
    struct slice local, domain;
    bool usable = split_address(address, &local, &domain);

    if (!usable && name.len == 0)
        name = address;
    if (!usable && name.len == 0)
        return;
    if (list->n++ == 0)
        buf_printf(out, "%s: ", list->name);
    else
        buf_puts(out, ",\r\n ");
    if (name.len && !(usable && slice_eq(name, address))) {
        put_phrase(out, name);
        buf_puts(out, usable ? "\r\n " : ":;");
    }
    if (!usable)
        return;
    buf_putc(out, '<');
    if (is_dot_atom(local))
        buf_put(out, local);
    else
        put_quoted(out, local);
    buf_printf(out, "@%.*s>", SLICE_ARG(domain));
}

void export_addresses_end(struct export_addresses *list)
{
    if (list->n > 0)
        buf_puts(list->out, "\r\n");
}

/* ---- parameters ---- */

/* attribute-char (RFC 2231 7) */
static bool is_attribute_char(uint8_t c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || (c != 0 && strchr("!#$&+-.^_`{|}~", c));
}

static void put_extended(struct buf *out, const char *name, struct slice value)
{
    enum { PIECE = 54 };
    struct buf piece = buf_make(value.len * 3 + 32);

    buf_puts(&piece, "utf-8''");
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.ptr[i] < 0x20 || value.ptr[i] == 0x7F ? '_' : value.ptr[i];

        if (is_attribute_char(c))
            buf_putc(&piece, c);
        else
            buf_printf(&piece, "%%%02X", c);
    }
    struct slice left = buf_slice(&piece);
    bool whole = left.len <= PIECE;

    for (unsigned i = 0; left.len > 0; i++) {
        size_t n = left.len < PIECE ? left.len : PIECE;

        /* Not inside %XX. */
        while (n < left.len &&
               ((n >= 1 && left.ptr[n - 1] == '%') || (n >= 2 && left.ptr[n - 2] == '%')))
            n--;
        if (whole)
            buf_printf(out, ";\r\n %s*=", name);
        else
            buf_printf(out, ";\r\n %s*%u*=", name, i);
        buf_put(out, slice_head(left, n));
        left = slice_from(left, n);
    }
    buf_done(&piece);
}

void export_param(struct buf *out, const char *name, struct slice value)
{
    if (value.len == 0)
        return;
    if (is_plain(value) && value.len < LINE_WANTED - 16) {
        buf_printf(out, ";\r\n %s=", name);
        put_quoted(out, value);
        return;
    }
    put_extended(out, name, value);
}

/* ---- bodies ---- */

/*
 * Lines that need no encoding: ASCII, ended by CRLF, none too long, and none that could be taken
 * for a boundary.
 */
static bool is_7bit(struct slice bytes)
{
    size_t line = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t c = bytes.ptr[i];
        bool ends = c == '\r' && i + 1 < bytes.len && bytes.ptr[i + 1] == '\n';

        if (!is_printable(c) && c != '\t' && !ends)
            return false;
        if (c == '-' && line == 0)
            return false;
        line = ends ? 0 : line + 1;
        i += ends;
        if (line > 990)
            return false;
    }
    return true;
}

static bool is_mostly_ascii(struct slice bytes)
{
    size_t odd = 0;

    for (size_t i = 0; i < bytes.len; i++)
        odd += bytes.ptr[i] >= 0x80 || bytes.ptr[i] == 0;
    return odd < bytes.len / 6 + 1;
}

static bool qp_is_itself(struct slice bytes, size_t i)
{
    uint8_t c = bytes.ptr[i];
    bool last = i + 1 == bytes.len || bytes.ptr[i + 1] == '\r' || bytes.ptr[i + 1] == '\n';

    return (c > 0x20 && c < 0x7F && c != '=') || (c == ' ' && !last);
}

/* How many bytes from `i` on are themselves, at most `most`. */
static size_t qp_run(struct slice bytes, size_t i, size_t most)
{
    size_t n = 0;

    while (n < most && i + n < bytes.len && qp_is_itself(bytes, i + n))
        n++;
    return n;
}

/* Quoted-printable (RFC 2045 6.7): what is decoded is the same, bare CR and LF too. */
static void put_qp(struct buf *out, struct slice bytes)
{
    enum { MOST = LINE_WANTED - 1 };
    size_t column = 0;

    for (size_t i = 0; i < bytes.len;) {
        size_t run = qp_run(bytes, i, MOST - column);

        buf_put(out, slice_sub(bytes, i, run));
        column += run;
        i += run;
        if (i == bytes.len)
            break;
        if (bytes.ptr[i] == '\r' && i + 1 < bytes.len && bytes.ptr[i + 1] == '\n') {
            buf_puts(out, "\r\n");
            column = 0;
            i += 2;
        } else if (column + (qp_is_itself(bytes, i) ? 1 : 3) > MOST) {
            buf_puts(out, "=\r\n");
            column = 0;
        } else {
            buf_printf(out, "=%02X", bytes.ptr[i++]);
            column += 3;
        }
    }
}

static void put_base64(struct buf *out, struct slice bytes)
{
    enum { PER_LINE = 57 };

    for (; bytes.len > 0; bytes = slice_from(bytes, PER_LINE)) {
        base64_encode(slice_head(bytes, PER_LINE), out);
        buf_puts(out, "\r\n");
    }
}

void export_body(struct buf *out, struct slice bytes, bool text)
{
    if (text && is_7bit(bytes)) {
        buf_puts(out, "Content-Transfer-Encoding: 7bit\r\n\r\n");
        buf_put(out, bytes);
    } else if (text && is_mostly_ascii(bytes)) {
        buf_puts(out, "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
        put_qp(out, bytes);
    } else {
        buf_puts(out, "Content-Transfer-Encoding: base64\r\n\r\n");
        put_base64(out, bytes);
    }
}
