/*
 * rtf_read.c - the text of RTF, and the HTML in it: [MS-OXRTFEX] 3.1.1.1.
 *
 * One pass. Groups are a stack of states; what is to be written are bytes in the code page of the
 * font (\'xx), collected until something else comes, and characters.
 */
#include "base/mem.h"
#include "base/utf.h"
#include "store/mapi/codepage.h"
#include "store/mapi/html.h"
#include "store/mapi/rtf.h"
#include "store/mime/mime.h"

#include <stdlib.h>

enum { DEPTH_MAX = 1000, FONTS_MAX = 4096, NUMBER_MAX = 1000000 };

enum place {
    IN_BODY,
    IN_HTMLTAG, /* {\*\htmltag ...}: HTML as it is */
    IN_FONTS,   /* {\fonttbl ...} */
    IN_OTHER,   /* a destination that is not for reading */
};

struct state {
    enum place place;
    bool star;    /* \* came: of a destination that is not known nothing is for reading */
    bool htmlrtf; /* not a part of the HTML (2.1.3.1.2) */
    unsigned uc;  /* characters that stand behind a \u for readers who do not know it */
    int codepage;
};

struct reader {
    struct slice in;
    struct buf *out;
    bool html; /* the HTML is wanted, not what RTF shows */
    int ansi;  /* the code page of \ansicpg */
    struct state now, stack[DEPTH_MAX];
    size_t depth;
    unsigned skip;     /* characters that still belong to a \u */
    uint32_t high;     /* the first half of a surrogate pair */
    struct buf narrow; /* bytes in the code page `narrow_in` */
    int narrow_in;
    int *fonts;    /* code pages, by number; 0: none of its own */
    unsigned font; /* the one that is being defined */
};

/* ---- what is read goes out ---- */

static void flush(struct reader *r)
{
    struct slice charset;

    if (r->narrow.len == 0)
        return;
    if (failed(codepage_charset(r->narrow_in, &charset)))
        charset = S("windows-1252");
    struct err e = mime_to_utf8(charset, buf_slice(&r->narrow), r->out);
    (void)e; /* a full `out` has failed by itself */
    buf_clear(&r->narrow);
}

/* Is what comes now to be written? */
static bool is_wanted(const struct reader *r)
{
    if (r->now.place == IN_HTMLTAG)
        return r->html;
    return r->now.place == IN_BODY && !(r->html && r->now.htmlrtf);
}

/* One of the characters that a \u has behind it? */
static bool is_skipped(struct reader *r)
{
    if (r->skip == 0)
        return false;
    r->skip--;
    return true;
}

static void put_byte(struct reader *r, uint8_t c)
{
    if (is_skipped(r) || !is_wanted(r) || c == 0)
        return;
    if (r->narrow.len && r->narrow_in != r->now.codepage)
        flush(r);
    r->narrow_in = r->now.codepage;
    buf_putc(&r->narrow, c);
}

static void put_char(struct reader *r, uint32_t c)
{
    if (!is_wanted(r) || c == 0)
        return;
    flush(r);
    utf8_put(r->out, c);
}

static void put_words(struct reader *r, const char *text)
{
    if (!is_wanted(r))
        return;
    flush(r);
    buf_puts(r->out, text);
}

/* \uN: units of UTF-16, as signed numbers. */
static void put_unit(struct reader *r, long n)
{
    uint32_t unit = (uint16_t)n;

    r->skip = r->now.uc;
    if (unit >= 0xD800 && unit <= 0xDBFF) {
        r->high = unit;
        return;
    }
    if (unit >= 0xDC00 && unit <= 0xDFFF)
        unit = r->high ? 0x10000 + ((r->high - 0xD800) << 10) + (unit - 0xDC00) : UTF_REPLACEMENT;
    r->high = 0;
    put_char(r, unit);
}

/* ---- words ---- */

/* What a word of RTF is when it is read as HTML, and as text. */
static const struct word {
    const char *name;
    const char *html, *text;
} words[] = {
    {"par", "\r\n", "\r\n"},
    {"line", "\r\n", "\r\n"},
    {"tab", "\t", "\t"},
    {"lquote", "&lsquo;", "\u2018"},
    {"rquote", "&rsquo;", "\u2019"},
    {"ldblquote", "&ldquo;", "\u201C"},
    {"rdblquote", "&rdquo;", "\u201D"},
    {"bullet", "&bull;", "\u2022"},
    {"endash", "&ndash;", "\u2013"},
    {"emdash", "&mdash;", "\u2014"},
    {"cell", "", "\t"},
    {"row", "", "\r\n"},
    {"sect", "", "\r\n"},
    {"page", "", "\r\n"},
    {"emspace", "&emsp;", "\u2003"},
    {"enspace", "&ensp;", "\u2002"},
};

/* Destinations that are not for reading, with or without a \* before them. */
static const char *const others[] = {
    "colortbl",  "stylesheet",
    "info",      "pict",
    "object",    "header",
    "footer",    "headerl",
    "headerr",   "footerl",
    "footerr",   "footnote",
    "fldinst",   "listtable",
    "pntext",    "mhtmltag",
    "revtbl",    "xmlnstbl",
    "datastore", "themedata",
    "generator", "listoverridetable",
    "rsidtbl",   "nonshppict",
    "bkmkstart", "bkmkend",
};

static const struct {
    int charset, codepage;
} charsets[] = {
    {0, 1252},   {77, 10000}, {128, 932},  {129, 949},  {130, 1361}, {134, 936},
    {136, 950},  {161, 1253}, {162, 1254}, {163, 1258}, {177, 1255}, {178, 1256},
    {186, 1257}, {204, 1251}, {222, 874},  {238, 1250},
};

static bool is_other(struct slice name)
{
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (slice_eq(name, slice_str(others[i])))
            return true;
    return false;
}

static void set_charset(struct reader *r, long charset)
{
    if (r->now.place != IN_FONTS)
        return;
    for (size_t i = 0; i < sizeof charsets / sizeof *charsets; i++)
        if (charsets[i].charset == charset)
            r->fonts[r->font] = charsets[i].codepage;
}

static void set_font(struct reader *r, long n)
{
    if (n < 0 || n >= FONTS_MAX)
        return;
    if (r->now.place == IN_FONTS)
        r->font = (unsigned)n;
    else
        r->now.codepage = r->fonts[n] ? r->fonts[n] : r->ansi;
}

/* A word that changes the state. False: it is none. */
static bool change_state(struct reader *r, struct slice name, bool has_n, long n)
{
    if (slice_eq(name, S("htmltag")) && r->now.star)
        r->now.place = r->now.place == IN_OTHER ? IN_OTHER : IN_HTMLTAG;
    else if (slice_eq(name, S("htmlrtf")))
        r->now.htmlrtf = !has_n || n != 0;
    else if (slice_eq(name, S("fonttbl")))
        r->now.place = IN_FONTS;
    else if (slice_eq(name, S("ansicpg")))
        r->ansi = r->now.codepage = (int)n;
    else if (slice_eq(name, S("fcharset")))
        set_charset(r, n);
    else if (slice_eq(name, S("f")))
        set_font(r, n);
    else if (slice_eq(name, S("plain")))
        r->now.codepage = r->ansi;
    else if (slice_eq(name, S("uc")))
        r->now.uc = n < 0 || n > 100 ? 1 : (unsigned)n;
    else if (slice_eq(name, S("u")))
        put_unit(r, n);
    else if (slice_eq(name, S("bin")))
        r->in = slice_from(r->in, n < 0 ? 0 : (size_t)n);
    else
        return false;
    return true;
}

static void do_word(struct reader *r, struct slice name, bool has_n, long n)
{
    bool star = r->now.star;

    if (change_state(r, name, has_n, n)) {
        r->now.star = false;
        return;
    }
    r->now.star = false;
    if (star || is_other(name)) {
        flush(r);
        r->now.place = IN_OTHER;
        return;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (slice_eq(name, slice_str(words[i].name)) && !is_skipped(r))
            put_words(r, r->html ? words[i].html : words[i].text);
}

/* A number behind a word: as far as one is believed. */
static bool take_number(struct reader *r, long *out)
{
    bool minus = r->in.len > 1 && r->in.ptr[0] == '-' && ascii_is_digit(r->in.ptr[1]);
    long n = 0;

    if (minus)
        r->in = slice_from(r->in, 1);
    if (r->in.len == 0 || !ascii_is_digit(r->in.ptr[0]))
        return false;
    for (; r->in.len && ascii_is_digit(r->in.ptr[0]); r->in = slice_from(r->in, 1))
        n = n < NUMBER_MAX * 100L ? n * 10 + (r->in.ptr[0] - '0') : n;
    *out = minus ? -n : n;
    return true;
}

static void take_word(struct reader *r)
{
    size_t len = 0;
    long n = 0;

    while (len < r->in.len && ascii_is_alpha(r->in.ptr[len]))
        len++;
    struct slice name = slice_head(r->in, len);
    r->in = slice_from(r->in, len);
    bool has_n = take_number(r, &n);
    if (r->in.len && r->in.ptr[0] == ' ')
        r->in = slice_from(r->in, 1);
    do_word(r, name, has_n, n);
}

static void take_hex(struct reader *r)
{
    if (r->in.len < 2 || ascii_hex(r->in.ptr[0]) < 0 || ascii_hex(r->in.ptr[1]) < 0)
        return;
    uint8_t c = (uint8_t)(ascii_hex(r->in.ptr[0]) << 4 | ascii_hex(r->in.ptr[1]));

    r->in = slice_from(r->in, 2);
    put_byte(r, c);
}

static void take_symbol(struct reader *r, uint8_t c)
{
    switch (c) {
    case '\'':
        take_hex(r);
        break;
    case '*':
        r->now.star = true;
        break;
    case '~':
        put_words(r, r->html ? "&nbsp;" : "\u00A0");
        break;
    case '_':
        put_words(r, r->html ? "&shy;" : "-");
        break;
    case '\r':
    case '\n':
        put_words(r, "\r\n");
        break;
    case '\\':
    case '{':
    case '}':
        put_byte(r, c);
        break;
    default:
        break;
    }
}

/* ---- groups ---- */

static bool open_group(struct reader *r)
{
    if (r->depth == DEPTH_MAX)
        return false;
    r->stack[r->depth++] = r->now;
    r->now.star = false;
    r->skip = 0;
    return true;
}

static void close_group(struct reader *r)
{
    flush(r);
    r->skip = 0;
    if (r->depth > 0)
        r->now = r->stack[--r->depth];
}

static bool take_one(struct reader *r)
{
    uint8_t c = r->in.ptr[0];

    r->in = slice_from(r->in, 1);
    if (c == '{')
        return open_group(r);
    if (c == '}')
        close_group(r);
    else if (c == '\\' && r->in.len && ascii_is_alpha(r->in.ptr[0]))
        take_word(r);
    else if (c == '\\' && r->in.len) {
        c = r->in.ptr[0];
        r->in = slice_from(r->in, 1);
        take_symbol(r, c);
    } else if (c != '\r' && c != '\n') {
        put_byte(r, c);
    }
    return true;
}

static struct err read_all(struct slice rtf, bool html, struct buf *out)
{
    struct reader *r = mem_new(sizeof *r);
    bool good = slice_starts(rtf, S("{\\rtf"));

    r->in = rtf;
    r->out = out;
    r->html = html;
    r->ansi = 1252;
    r->now = (struct state){.uc = 1, .codepage = 1252};
    r->narrow = buf_make(SIZE_MAX / 2);
    r->fonts = mem_array(FONTS_MAX, sizeof *r->fonts);
    while (good && r->in.len > 0 && !out->failed)
        good = take_one(r);
    flush(r);
    buf_done(&r->narrow);
    free(r->fonts);
    free(r);
    if (!good)
        return ERR(ERR_CORRUPT, "not RTF, or nested too deep");
    return out->failed ? ERR(ERR_TOO_BIG, "the text is too big") : OK;
}

/* ---- the two ---- */

/* 3.1.1.1: the word is among the first ones. */
bool rtf_is_html(struct slice rtf)
{
    struct slice head = slice_head(rtf, 1024);

    return slice_starts(rtf, S("{\\rtf")) && slice_find(head, S("\\fromhtml1")) < head.len;
}

struct err rtf_to_html(struct slice rtf, struct buf *out)
{
    if (!rtf_is_html(rtf))
        return ERR(ERR_NOT_FOUND, "the RTF was not HTML");
    return read_all(rtf, true, out);
}

struct err rtf_to_text(struct slice rtf, struct buf *out)
{
    struct buf html = buf_make(out->max);

    if (!rtf_is_html(rtf))
        return read_all(rtf, false, out);
    struct err e = rtf_to_html(rtf, &html);
    if (!failed(e))
        html_to_text(buf_slice(&html), out);
    buf_done(&html);
    return !failed(e) && out->failed ? ERR(ERR_TOO_BIG, "the text is too big") : e;
}
