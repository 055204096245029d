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

/* ---- windows-1252 ---- */

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
                to += utf8_bytes(c < 0xA0 ? high[c - 0x80] : c, to);
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
        /* ICU wrote them through the end of its own that it was given.
         * NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign) */
        uint32_t c = *from;

        if (*lead && U16_IS_TRAIL(c)) {
            to += utf8_bytes((uint32_t)U16_GET_SUPPLEMENTARY(*lead, c), to);
            *lead = 0;
            continue;
        }
        if (*lead)
            to += utf8_bytes(0xFFFD, to);
        *lead = U16_IS_LEAD(c) ? (uint16_t)c : 0;
        if (!*lead)
            to += utf8_bytes(U16_IS_TRAIL(c) ? 0xFFFD : c, to);
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
        utf8_put(out, 0xFFFD);
}

struct err mime_to_utf8(struct slice charset, struct slice bytes, struct buf *out)
{
    if (is_utf8(charset)) {
        utf8_put_lossy(out, bytes);
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

/* At most PIECE units of UTF-16 off the front of *text; returns how many. */
static int32_t take_utf16(struct slice *text, UChar wide[PIECE])
{
    int32_t n = 0;

    while (text->len && n + 2 <= PIECE) {
        UChar32 c = (UChar32)utf8_take(text);
        U16_APPEND_UNSAFE(wide, n, c);
    }
    return n;
}

static void convert_back(UConverter *converter, struct slice text, struct buf *out)
{
    static const UChar substitute[] = {'?'};
    UChar wide[PIECE];
    char narrow[2 * PIECE];
    UErrorCode status = U_ZERO_ERROR;

    ucnv_setSubstString(converter, substitute, 1, &status);
    while (text.len && !out->failed) {
        const UChar *from = wide;
        int32_t n = take_utf16(&text, wide);

        do {
            char *to = narrow;

            status = U_ZERO_ERROR;
            ucnv_fromUnicode(converter, &to, narrow + sizeof narrow, &from, wide + n, NULL,
                             text.len == 0, &status);
            buf_put(out, slice_of(narrow, (size_t)(to - narrow)));
        } while (status == U_BUFFER_OVERFLOW_ERROR && !out->failed);
    }
}

struct err mime_from_utf8(struct slice charset, struct slice text, struct buf *out)
{
    if (is_utf8(charset)) {
        utf8_put_lossy(out, text);
    } else {
        UConverter *converter = open_converter(charset);

        if (!converter)
            return ERR(ERR_UNSUPPORTED, "unknown charset");
        convert_back(converter, text, out);
        ucnv_close(converter);
    }
    return out->failed ? ERR(ERR_TOO_BIG, "text is too big in this charset") : OK;
}
