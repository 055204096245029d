#include "store/mime/mime_int.h"

#include <unicode/ucnv.h>

enum {
    LONGEST_NAME = 60, /* of a charset */
    PIECE = 1024,      /* characters converted at a time, on the stack */
};

/* ---- names ---- */

/* What mail means by a name, where that is more than the name says or ICU does not know it. */
static const struct {
    const char *name, *icu;
} meant[] = {
    {"iso-8859-9", "windows-1254"},
    {"iso-8859-11", "windows-874"},
    {"tis-620", "windows-874"},
    {"gb2312", "gb18030"},
    {"gb_2312-80", "gb18030"},
    {"gbk", "gb18030"},
    {"x-gbk", "gb18030"},
    {"euc-kr", "windows-949"},
    {"ks_c_5601-1987", "windows-949"},
    {"ks_c_5601", "windows-949"},
    {"iso-8859-8-i", "iso-8859-8"},
    {"iso-8859-8-e", "iso-8859-8"},
    {"iso-8859-6-i", "iso-8859-6"},
    {"iso-8859-6-e", "iso-8859-6"},
    {"shift_jis", "windows-31j"},
    {"x-sjis", "windows-31j"},
    {"unicode-1-1-utf-7", "utf-7"},
    {"big5", "windows-950"},
    {"x-mac-roman", "macintosh"},
    {"cp-850", "ibm-850"},
};

static bool named(struct slice charset, const char *const *list)
{
    for (; *list; list++)
        if (slice_ieq(charset, slice_str(*list)))
            return true;
    return false;
}

/* US-ASCII and names that tell nothing: what is there is what it looks like. */
static bool is_undeclared(struct slice charset)
{
    static const char *const names[] = {
        "",        "us-ascii",     "ascii",     "ansi_x3.4-1968", "iso646-us",
        "default", "unknown-8bit", "x-unknown", "unknown",        NULL,
    };

    return named(charset, names);
}

/* Mail that says ISO 8859-1 may mean windows-1252, which has more characters. */
static bool is_western(struct slice charset)
{
    static const char *const names[] = {"iso-8859-1",   "iso8859-1", "latin1",
                                        "windows-1252", "cp1252",    NULL};

    return named(charset, names);
}

static bool is_utf8(struct slice charset)
{
    static const char *const names[] = {"utf-8", "utf8", "unicode-1-1-utf-8", NULL};

    return named(charset, names);
}

bool mime_charset_keeps_ascii(struct slice charset)
{
    static const char *const prefixes[] = {"iso-8859-", "iso8859-", "windows-125", "cp125",
                                           "koi8-",     "latin",    NULL};
    static const char *const names[] = {"euc-jp",      "euc-kr",  "gb2312", "macintosh",
                                        "windows-874", "tis-620", NULL};

    if (is_undeclared(charset) || is_utf8(charset) || is_western(charset))
        return true;
    for (size_t i = 0; prefixes[i]; i++)
        if (slice_istarts(charset, slice_str(prefixes[i])))
            return true;
    return named(charset, names);
}

/* ICU's converter for a name, NULL where there is none. Close with ucnv_close(). */
static UConverter *open_converter(struct slice charset)
{
    char name[LONGEST_NAME + 1];
    UErrorCode status = U_ZERO_ERROR;

    if (charset.len == 0 || charset.len > LONGEST_NAME)
        return NULL;
    for (size_t i = 0; i < sizeof meant / sizeof *meant; i++)
        if (slice_ieq(charset, slice_str(meant[i].name)))
            charset = slice_str(meant[i].icu);
    for (size_t i = 0; i < charset.len; i++) {
        /* A comma would begin ICU's options; ASCII letters, digits and -_.:+ make up names. */
        if (charset.ptr[i] <= ' ' || charset.ptr[i] >= 0x7F || charset.ptr[i] == ',')
            return NULL;
        name[i] = (char)charset.ptr[i];
    }
    name[charset.len] = '\0';
    UConverter *converter = ucnv_open(name, &status);
    return U_SUCCESS(status) ? converter : NULL;
}

bool mime_charset_known(struct slice charset)
{
    if (charset.len == 0)
        return false;
    if (is_undeclared(charset))
        return slice_ieq(charset, S("us-ascii")) || slice_ieq(charset, S("ascii")) ||
               slice_ieq(charset, S("ansi_x3.4-1968")) || slice_ieq(charset, S("iso646-us"));
    if (is_utf8(charset) || is_western(charset))
        return true;
    UConverter *converter = open_converter(charset);
    ucnv_close(converter);
    return converter != NULL;
}

/* ---- UTF-8 ---- */

static size_t sequence_length(uint8_t c)
{
    return c < 0x80 ? 1 : c < 0xC2 ? 0 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : c < 0xF5 ? 4 : 0;
}

/*
 * The bytes of the longest start of a sequence that could have been one (Unicode 3.9, "maximal
 * subpart"): what one U+FFFD stands for.
 */
static size_t good_bytes(struct slice s, size_t len)
{
    uint8_t c = s.ptr[0], low = 0x80, high = 0xBF;
    size_t n = 1;

    if (c == 0xE0)
        low = 0xA0;
    else if (c == 0xED)
        high = 0x9F;
    else if (c == 0xF0)
        low = 0x90;
    else if (c == 0xF4)
        high = 0x8F;
    while (n < len && n < s.len && s.ptr[n] >= low && s.ptr[n] <= high) {
        low = 0x80;
        high = 0xBF;
        n++;
    }
    return n;
}

uint32_t mime_take_utf8(struct slice *s)
{
    static const uint8_t first_bits[5] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    size_t len = sequence_length(s->ptr[0]);
    size_t good = len > 1 ? good_bytes(*s, len) : 1;
    uint32_t c = 0xFFFD;

    if (good == len) {
        c = s->ptr[0] & first_bits[len];
        for (size_t i = 1; i < len; i++)
            c = c << 6 | (s->ptr[i] & 0x3F);
    }
    *s = slice_from(*s, good);
    return c;
}

size_t mime_utf8_bytes(uint32_t c, uint8_t *to)
{
    static const uint8_t lead[5] = {0, 0, 0xC0, 0xE0, 0xF0};
    size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    for (size_t i = len - 1; i > 0; i--, c >>= 6)
        to[i] = (uint8_t)(0x80 | (c & 0x3F));
    to[0] = (uint8_t)(lead[len] | c);
    return len;
}

void mime_put_utf8(struct buf *out, uint32_t c)
{
    uint8_t b[4];

    buf_put(out, slice_of(b, mime_utf8_bytes(c, b)));
}

static size_t ascii_run(struct slice s)
{
    size_t n = 0;

    while (n < s.len && s.ptr[n] < 0x80)
        n++;
    return n;
}

void mime_put_utf8_lossy(struct buf *out, struct slice s)
{
    while (s.len) {
        size_t run = ascii_run(s);

        buf_put(out, slice_head(s, run));
        s = slice_from(s, run);
        if (s.len)
            mime_put_utf8(out, mime_take_utf8(&s));
    }
}

void mime_put_windows1252(struct buf *out, struct slice s)
{
    static const uint16_t high[32] = {
        0x20AC, 0x81,   0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
        0x2039, 0x0152, 0x8D,   0x017D, 0x8F,   0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
        0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,   0x017E, 0x0178,
    };

    while (s.len) {
        struct slice piece = slice_head(s, PIECE);
        uint8_t text[3 * PIECE], *to = text;

        for (size_t i = 0; i < piece.len; i++) {
            uint8_t c = piece.ptr[i];

            if (c < 0x80)
                *to++ = c;
            else
                to += mime_utf8_bytes(c < 0xA0 ? high[c - 0x80] : c, to);
        }
        buf_put(out, slice_of(text, (size_t)(to - text)));
        s = slice_from(s, piece.len);
    }
}

/* ---- conversion ---- */

/* At most PIECE units. `lead` is a surrogate that waits for its second half in the next piece. */
static void put_utf16(struct buf *out, const UChar *from, const UChar *end, uint16_t *lead)
{
    uint8_t text[3 * PIECE + 4], *to = text;

    for (; from < end; from++) {
        uint32_t c = *from;

        if (*lead && U16_IS_TRAIL(c)) {
            to += mime_utf8_bytes((uint32_t)U16_GET_SUPPLEMENTARY(*lead, c), to);
            *lead = 0;
            continue;
        }
        if (*lead)
            to += mime_utf8_bytes(0xFFFD, to);
        *lead = U16_IS_LEAD(c) ? (uint16_t)c : 0;
        if (!*lead)
            to += mime_utf8_bytes(U16_IS_TRAIL(c) ? 0xFFFD : c, to);
    }
    buf_put(out, slice_of(text, (size_t)(to - text)));
}

static void convert(UConverter *converter, struct slice bytes, struct buf *out)
{
    UChar wide[PIECE];
    const char *from = (const char *)bytes.ptr;
    UErrorCode status;
    uint16_t lead = 0;

    if (bytes.len == 0)
        return;
    const char *end = from + bytes.len;
    do {
        UChar *to = wide;

        status = U_ZERO_ERROR;
        ucnv_toUnicode(converter, &to, wide + PIECE, &from, end, NULL, true, &status);
        put_utf16(out, wide, to, &lead);
    } while (status == U_BUFFER_OVERFLOW_ERROR && !out->failed);
    if (lead)
        mime_put_utf8(out, 0xFFFD);
}

struct err mime_to_utf8(struct slice charset, struct slice bytes, struct buf *out)
{
    if (is_utf8(charset)) {
        mime_put_utf8_lossy(out, bytes);
    } else if (is_western(charset)) {
        mime_put_windows1252(out, bytes);
    } else if (is_undeclared(charset) && charset.len) {
        if (slice_is_utf8(bytes))
            buf_put(out, bytes);
        else
            mime_put_windows1252(out, bytes);
    } else {
        UConverter *converter = open_converter(charset);

        if (!converter)
            return ERR(ERR_UNSUPPORTED, "unknown charset");
        convert(converter, bytes, out);
        ucnv_close(converter);
    }
    return out->failed ? ERR(ERR_TOO_BIG, "text is too big in UTF-8") : OK;
}
