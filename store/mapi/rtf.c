/* rtf.c - the container of rich text ([MS-OXRTFCP] 2.1.3, 3.1), and RTF that is made. */
#include "store/mapi/rtf.h"

#include "base/utf.h"
#include "store/mapi/html.h"

enum {
    HEADER = 16,
    WINDOW = 4096, /* bytes that are looked back at */
    MAGIC_COMPRESSED = 0x75465A4C,
    MAGIC_PLAIN = 0x414C454D,
};

/* What a window holds at first (2.1.2.1). */
static const char beginning[] =
    "{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern "
    "\\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0"
    "\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";

enum { BEGINNING = sizeof beginning - 1 };
_Static_assert(BEGINNING == 207, "as long as the specification's");

/* ---- out of the container ---- */

static uint32_t get_le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* CRC-32 without the inversions (2.1.2.3): a bit at a time, for bodies are small. */
static uint32_t crc_of(struct slice bytes)
{
    uint32_t crc = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        crc ^= bytes.ptr[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return crc;
}

struct window {
    uint8_t bytes[WINDOW];
    size_t at;
    struct buf *out;
    uint64_t left; /* of RAWSIZE */
};

static void emit(struct window *w, uint8_t c)
{
    w->bytes[w->at] = c;
    w->at = (w->at + 1) % WINDOW;
    if (w->left == 0)
        return;
    w->left--;
    buf_putc(w->out, c);
}

/* A reference: 12 bits of where, 4 of how many. False: the one that ends it all. */
static bool copy_back(struct window *w, uint8_t high, uint8_t low)
{
    size_t from = (size_t)(high << 4 | low >> 4), n = (low & 0x0F) + 2u;

    if (from == w->at)
        return false;
    for (size_t i = 0; i < n; i++)
        emit(w, w->bytes[(from + i) % WINDOW]);
    return true;
}

static struct err expand(struct window *w, struct slice in)
{
    while (in.len > 0 && !w->out->failed) {
        uint8_t control = in.ptr[0];

        in = slice_from(in, 1);
        for (int bit = 0; bit < 8 && in.len > 0; bit++, control >>= 1) {
            if (!(control & 1)) {
                emit(w, in.ptr[0]);
                in = slice_from(in, 1);
                continue;
            }
            if (in.len < 2)
                return ERR(ERR_CORRUPT, "compressed RTF is cut short");
            if (!copy_back(w, in.ptr[0], in.ptr[1]))
                return OK;
            in = slice_from(in, 2);
        }
    }
    return OK;
}

static struct err decompress(struct slice contents, uint32_t raw, struct buf *out)
{
    struct window w = {.at = BEGINNING, .out = out, .left = raw};

    memcpy(w.bytes, beginning, BEGINNING);
    struct err e = expand(&w, contents);

    return !failed(e) && out->failed ? ERR(ERR_TOO_BIG, "the RTF is too big") : e;
}

struct err rtf_decompress(struct slice compressed, struct buf *out)
{
    if (compressed.len < HEADER)
        return ERR(ERR_CORRUPT, "compressed RTF without a header");
    uint32_t size = get_le32(compressed.ptr), raw = get_le32(compressed.ptr + 4);
    uint32_t magic = get_le32(compressed.ptr + 8), crc = get_le32(compressed.ptr + 12);
    struct slice contents = slice_from(compressed, HEADER);

    if (size < HEADER - 4 || size - (HEADER - 4) > contents.len)
        return ERR(ERR_CORRUPT, "compressed RTF is cut short");
    contents = slice_head(contents, size - (HEADER - 4));
    if (magic == MAGIC_PLAIN) {
        buf_put(out, slice_head(contents, raw));
        return out->failed ? ERR(ERR_TOO_BIG, "the RTF is too big") : OK;
    }
    if (magic != MAGIC_COMPRESSED || crc_of(contents) != crc)
        return ERR(ERR_CORRUPT, "not compressed RTF, or damaged");
    return decompress(contents, raw, out);
}

/* ---- into one ---- */

static void put_le32(struct buf *out, uint32_t n)
{
    for (int i = 0; i < 4; i++)
        buf_putc(out, (uint8_t)(n >> (8 * i)));
}

void rtf_wrap(struct slice rtf, struct buf *out)
{
    put_le32(out, (uint32_t)(rtf.len + HEADER - 4));
    put_le32(out, (uint32_t)rtf.len);
    put_le32(out, MAGIC_PLAIN);
    put_le32(out, 0);
    buf_put(out, rtf);
}

/* ---- RTF that is made ---- */

static void put_unit(struct buf *out, uint32_t unit)
{
    buf_printf(out, "\\u%d?", (int)(int16_t)(uint16_t)unit);
}

/* A character that is to be seen: with \uc1, one byte stands for what a reader does not know. */
static void put_char(struct buf *out, uint32_t c)
{
    if (c == '\\' || c == '{' || c == '}') {
        buf_putc(out, '\\');
        buf_putc(out, (uint8_t)c);
    } else if (c == '\t') {
        buf_puts(out, "\\tab ");
    } else if (c >= 0x10000) {
        put_unit(out, 0xD800 + ((c - 0x10000) >> 10));
        put_unit(out, 0xDC00 + ((c - 0x10000) & 0x3FF));
    } else if (c >= 0x80) {
        put_unit(out, c);
    } else if (c >= ' ') {
        buf_putc(out, (uint8_t)c);
    }
}

static void put_chars(struct buf *out, struct slice text, const char *line_end)
{
    while (text.len > 0 && !out->failed) {
        uint32_t c = utf8_take(&text);

        if (c == '\n')
            buf_puts(out, line_end);
        else
            put_char(out, c);
    }
}

void rtf_of_text(struct slice text, struct buf *out)
{
    buf_puts(out, "{\\rtf1\\ansi\\ansicpg1252\\fromtext \\deff0{\\fonttbl{\\f0\\fswiss Arial;}}\r\n"
                  "\\uc1\\pard\\plain\\f0\\fs20 ");
    put_chars(out, text, "\\par\r\n");
    buf_puts(out, "}");
}

/* [MS-OXRTFEX] 2.1.3.1.4: what stands in such a group is HTML, and not seen as RTF. */
static void put_htmltag(struct buf *out, struct slice bytes)
{
    buf_puts(out, "{\\*\\htmltag0 ");
    put_chars(out, bytes, "\\par ");
    buf_puts(out, "}");
}

/* What is seen as RTF, and is not HTML. */
static void put_seen(struct buf *out, const struct html_token *token)
{
    buf_puts(out, "\\htmlrtf ");
    if (token->kind == HTML_ENTITY)
        put_char(out, token->c);
    else if (slice_ieq(token->name, S("br")))
        buf_puts(out, "\\line ");
    else if (token->closing && html_is_block(token->name))
        buf_puts(out, "\\par ");
    buf_puts(out, "\\htmlrtf0 ");
}

static void put_text(struct buf *out, struct slice text)
{
    while (text.len > 0) {
        size_t end = slice_index(text, '\n');

        put_chars(out, slice_head(text, end), "");
        if (end < text.len) {
            put_htmltag(out, S("\n"));
            buf_puts(out, "\\htmlrtf  \\htmlrtf0 ");
        }
        text = slice_from(text, end + 1);
    }
}

void rtf_of_html(struct slice html, struct buf *out)
{
    buf_puts(out,
             "{\\rtf1\\ansi\\ansicpg1252\\fromhtml1 \\deff0{\\fonttbl{\\f0\\fswiss Arial;}}\r\n"
             "\\uc1\\pard\\plain\\f0\\fs20 ");
    while (html.len > 0 && !out->failed) {
        struct html_token token = html_take(&html);

        if (token.kind == HTML_TEXT) {
            put_text(out, token.bytes);
            continue;
        }
        put_htmltag(out, token.bytes);
        if (token.kind != HTML_HIDDEN)
            put_seen(out, &token);
    }
    buf_puts(out, "}");
}
