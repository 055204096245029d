/* html.c - HTML bodies as text, and the other way round. */
#include "store/mapi/html.h"

#include "base/utf.h"

/* ---- tokens ---- */

static const struct {
    const char *name;
    uint32_t c;
} entities[] = {
    {"amp", '&'},      {"lt", '<'},        {"gt", '>'},       {"quot", '"'},     {"apos", '\''},
    {"nbsp", 0xA0},    {"iexcl", 0xA1},    {"cent", 0xA2},    {"pound", 0xA3},   {"yen", 0xA5},
    {"sect", 0xA7},    {"uml", 0xA8},      {"copy", 0xA9},    {"laquo", 0xAB},   {"shy", 0xAD},
    {"reg", 0xAE},     {"deg", 0xB0},      {"plusmn", 0xB1},  {"acute", 0xB4},   {"micro", 0xB5},
    {"para", 0xB6},    {"middot", 0xB7},   {"raquo", 0xBB},   {"frac12", 0xBD},  {"iquest", 0xBF},
    {"Agrave", 0xC0},  {"Aacute", 0xC1},   {"Acirc", 0xC2},   {"Atilde", 0xC3},  {"Auml", 0xC4},
    {"Aring", 0xC5},   {"AElig", 0xC6},    {"Ccedil", 0xC7},  {"Egrave", 0xC8},  {"Eacute", 0xC9},
    {"Ecirc", 0xCA},   {"Euml", 0xCB},     {"Ntilde", 0xD1},  {"Ouml", 0xD6},    {"times", 0xD7},
    {"Oslash", 0xD8},  {"Uuml", 0xDC},     {"szlig", 0xDF},   {"agrave", 0xE0},  {"aacute", 0xE1},
    {"acirc", 0xE2},   {"atilde", 0xE3},   {"auml", 0xE4},    {"aring", 0xE5},   {"aelig", 0xE6},
    {"ccedil", 0xE7},  {"egrave", 0xE8},   {"eacute", 0xE9},  {"ecirc", 0xEA},   {"euml", 0xEB},
    {"igrave", 0xEC},  {"iacute", 0xED},   {"icirc", 0xEE},   {"iuml", 0xEF},    {"ntilde", 0xF1},
    {"ograve", 0xF2},  {"oacute", 0xF3},   {"ocirc", 0xF4},   {"otilde", 0xF5},  {"ouml", 0xF6},
    {"divide", 0xF7},  {"oslash", 0xF8},   {"ugrave", 0xF9},  {"uacute", 0xFA},  {"ucirc", 0xFB},
    {"uuml", 0xFC},    {"yuml", 0xFF},     {"ndash", 0x2013}, {"mdash", 0x2014}, {"lsquo", 0x2018},
    {"rsquo", 0x2019}, {"sbquo", 0x201A},  {"ldquo", 0x201C}, {"rdquo", 0x201D}, {"bdquo", 0x201E},
    {"bull", 0x2022},  {"hellip", 0x2026}, {"euro", 0x20AC},  {"trade", 0x2122}, {"larr", 0x2190},
    {"rarr", 0x2192},  {"zwnj", 0x200C},   {"zwj", 0x200D},
};

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f';
}

static bool is_character(uint32_t c)
{
    return c > 0 && c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF);
}

/* "#123" and "#x7B" */
static bool number_of(struct slice s, uint32_t *out)
{
    bool hex = s.len > 1 && ascii_lower(s.ptr[1]) == 'x';
    uint32_t n = 0;

    s = slice_from(s, hex ? 2 : 1);
    if (s.len == 0 || s.len > 8)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        int digit = ascii_hex(s.ptr[i]);

        if (digit < 0 || (digit > 9 && !hex))
            return false;
        n = n * (hex ? 16 : 10) + (uint32_t)digit;
        if (n > 0x10FFFF)
            return false;
    }
    *out = n;
    return is_character(n);
}

static bool entity_of(struct slice name, uint32_t *out)
{
    if (name.len && name.ptr[0] == '#')
        return number_of(name, out);
    for (size_t i = 0; i < sizeof entities / sizeof *entities; i++)
        if (slice_eq(name, slice_str(entities[i].name))) {
            *out = entities[i].c;
            return true;
        }
    return false;
}

static bool take_entity(struct slice *html, struct html_token *token)
{
    struct slice head = slice_head(*html, 16);
    size_t end = slice_index(head, ';');
    struct slice name = slice_sub(head, 1, end - 1);

    if (end == head.len || end < 2 || !entity_of(name, &token->c))
        return false;
    token->kind = HTML_ENTITY;
    token->bytes = slice_head(*html, end + 1);
    *html = slice_from(*html, end + 1);
    return true;
}

/* The end of a tag, behind its '>'; a '>' between quotes is not it. */
static size_t tag_end(struct slice s)
{
    uint8_t quote = 0;

    for (size_t i = 1; i < s.len; i++) {
        uint8_t c = s.ptr[i];

        if (quote ? c == quote : (c == '"' || c == '\'') && s.ptr[i - 1] == '=')
            quote = quote ? 0 : c;
        else if (!quote && c == '>')
            return i + 1;
    }
    size_t end = slice_index(s, '>'); /* a quote without its other half */
    return end < s.len ? end + 1 : s.len;
}

/* From a comment's beginning or an element's to its end, or all there is. */
static size_t behind(struct slice s, struct slice mark)
{
    for (size_t i = 0; i + mark.len <= s.len; i++)
        if (slice_ieq(slice_sub(s, i, mark.len), mark))
            return i + mark.len;
    return s.len;
}

/* Elements whose content nobody sees: how many bytes they take. 0: it is none of them. */
static size_t hidden_size(struct slice s, struct slice name)
{
    static const char *const hidden[] = {"script", "style", "title", "template"};
    static const char *const ends[] = {"</script", "</style", "</title", "</template"};

    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
        if (!slice_ieq(name, slice_str(hidden[i])))
            continue;
        size_t at = behind(s, slice_str(ends[i]));
        size_t end = slice_index(slice_from(s, at), '>');

        return at + end < s.len ? at + end + 1 : s.len;
    }
    return 0;
}

static struct slice tag_name(struct slice tag)
{
    size_t n = 0;

    while (n < tag.len && (ascii_is_alpha(tag.ptr[n]) || ascii_is_digit(tag.ptr[n])))
        n++;
    return slice_head(tag, n);
}

static bool take_tag(struct slice *html, struct html_token *token)
{
    struct slice s = *html;
    size_t size = 0;

    if (s.len < 2)
        return false;
    token->kind = HTML_TAG;
    token->closing = s.ptr[1] == '/';
    token->name = tag_name(slice_from(s, token->closing ? 2 : 1));
    if (slice_starts(s, S("<!--"))) {
        size = 4 + behind(slice_from(s, 4), S("-->"));
        token->kind = HTML_HIDDEN;
    } else if (s.ptr[1] == '!' || s.ptr[1] == '?') {
        size = tag_end(s);
        token->kind = HTML_HIDDEN;
    } else if (token->name.len == 0) {
        return false;
    } else if (!token->closing && (size = hidden_size(s, token->name)) > 0) {
        token->kind = HTML_HIDDEN;
    } else {
        size = tag_end(s);
    }
    token->bytes = slice_head(s, size);
    *html = slice_from(s, size);
    return true;
}

struct html_token html_take(struct slice *html)
{
    struct html_token token = {.kind = HTML_TEXT};
    size_t n = 1;

    if (html->ptr[0] == '<' && take_tag(html, &token))
        return token;
    if (html->ptr[0] == '&' && take_entity(html, &token))
        return token;
    token = (struct html_token){.kind = HTML_TEXT};
    while (n < html->len && html->ptr[n] != '<' && html->ptr[n] != '&')
        n++;
    token.bytes = slice_head(*html, n);
    *html = slice_from(*html, n);
    return token;
}

static bool is_one_of(struct slice name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (slice_ieq(name, slice_str(names[i])))
            return true;
    return false;
}

bool html_is_block(struct slice name)
{
    static const char *const blocks[] = {
        "p",       "div",     "table",   "tr",         "ul",     "ol",   "li",
        "dl",      "dt",      "dd",      "blockquote", "pre",    "h1",   "h2",
        "h3",      "h4",      "h5",      "h6",         "hr",     "form", "center",
        "address", "section", "article", "header",     "footer", "body", "html"};

    return is_one_of(name, blocks, sizeof blocks / sizeof *blocks);
}

/* ---- as text ---- */

struct rendering {
    struct buf *out;
    unsigned lines; /* line ends that are due before the next character */
    bool space;     /* and a space */
    bool begun;     /* something was written */
    unsigned pre;   /* elements in which spaces and line ends count */
};

static void settle(struct rendering *r)
{
    for (; r->begun && r->lines; r->lines--)
        buf_puts(r->out, "\r\n");
    if (r->space && r->begun && r->out->len && r->out->data[r->out->head + r->out->len - 1] != '\n')
        buf_putc(r->out, ' ');
    r->lines = 0;
    r->space = false;
    r->begun = true;
}

static void want_lines(struct rendering *r, unsigned n)
{
    r->lines = r->lines > n ? r->lines : n;
    r->space = false;
}

static void put_pre(struct rendering *r, uint8_t c)
{
    if (c == '\r')
        return;
    settle(r);
    if (c == '\n')
        buf_puts(r->out, "\r\n");
    else
        buf_putc(r->out, c);
}

static void put_run(struct rendering *r, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];

        if (c == 0)
            continue;
        if (r->pre) {
            put_pre(r, c);
        } else if (is_space(c)) {
            r->space = true;
        } else {
            settle(r);
            buf_putc(r->out, c);
        }
    }
}

static void put_entity(struct rendering *r, uint32_t c)
{
    if (c == 0xAD)
        return;
    settle(r);
    utf8_put(r->out, c == 0xA0 ? ' ' : c);
}

static void put_tag(struct rendering *r, const struct html_token *tag)
{
    static const char *const apart[] = {"p", "blockquote", "ul", "ol", "h1", "h2", "h3", "h4"};

    if (slice_ieq(tag->name, S("br"))) {
        r->lines++;
        r->space = false;
    } else if (slice_ieq(tag->name, S("td")) || slice_ieq(tag->name, S("th"))) {
        r->space = true;
    } else if (html_is_block(tag->name)) {
        want_lines(r, is_one_of(tag->name, apart, sizeof apart / sizeof *apart) ? 2 : 1);
    }
    if (slice_ieq(tag->name, S("pre")))
        r->pre = tag->closing ? 0 : 1;
    if (slice_ieq(tag->name, S("li")) && !tag->closing) {
        settle(r);
        buf_puts(r->out, "* ");
    }
}

void html_to_text(struct slice html, struct buf *out)
{
    struct rendering r = {.out = out};

    while (html.len > 0 && !out->failed) {
        struct html_token token = html_take(&html);

        if (token.kind == HTML_TEXT)
            put_run(&r, token.bytes);
        else if (token.kind == HTML_ENTITY)
            put_entity(&r, token.c);
        else if (token.kind == HTML_TAG)
            put_tag(&r, &token);
    }
    if (r.begun)
        buf_puts(out, "\r\n");
}

/* ---- of text ---- */

static void put_escaped(struct buf *out, uint32_t c)
{
    if (c == '&')
        buf_puts(out, "&amp;");
    else if (c == '<')
        buf_puts(out, "&lt;");
    else if (c == '>')
        buf_puts(out, "&gt;");
    else if (c >= 0x80)
        buf_printf(out, "&#%u;", (unsigned)c);
    else if (c >= ' ' || c == '\t')
        buf_putc(out, (uint8_t)c);
}

void html_of_text(struct slice text, struct buf *out)
{
    uint32_t before = '\n';

    buf_puts(out, "<html><head></head><body>\r\n");
    while (text.len > 0 && !out->failed) {
        uint32_t c = utf8_take(&text);

        if (c == '\n')
            buf_puts(out, "<br>\r\n");
        else if (c == ' ' && (before == ' ' || before == '\n'))
            buf_puts(out, "&nbsp;");
        else
            put_escaped(out, c);
        before = c;
    }
    buf_puts(out, "\r\n</body></html>\r\n");
}
