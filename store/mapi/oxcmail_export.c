/* oxcmail_export.c - bodies and attachments: which part goes where ([MS-OXCMAIL] 2.1.3.3, 2.1.3.4).
 */
#include "store/mapi/codepage.h"
#include "store/mapi/oxcmail_export_int.h"
#include "store/mapi/rtf.h"

enum { RTF_MAX = 64 * 1024 * 1024 }; /* of a body, while it is taken apart */

/* ---- multiparts ---- */

/*
 * "=_" stands in no body: base64 has neither "_" nor a line that begins with "-", in
 * quoted-printable "=" is followed by hex or a line end, and of 7-bit lines none begins with "-".
 */
static unsigned multipart_begin(struct exporter *x, const char *subtype)
{
    unsigned boundary = ++x->boundaries;

    buf_printf(x->out, "Content-Type: multipart/%s;\r\n boundary=\"=_%u\"\r\n\r\n", subtype,
               boundary);
    return boundary;
}

static void multipart_next(struct exporter *x, unsigned boundary)
{
    buf_printf(x->out, "\r\n--=_%u\r\n", boundary);
}

static void multipart_end(struct exporter *x, unsigned boundary)
{
    buf_printf(x->out, "\r\n--=_%u--\r\n", boundary);
}

/* ---- bodies ---- */

struct bodies {
    const struct store_prop *plain, *html;
    struct store_prop made; /* of RTF */
    struct buf bytes;       /* and its bytes */
};

static void put_plain(struct exporter *x, const struct bodies *b)
{
    struct slice text = b->plain ? export_value(x, b->plain) : SLICE_EMPTY;

    buf_printf(x->out, "Content-Type: text/plain; charset=%s\r\n",
               slice_is_ascii(text) ? "us-ascii" : "utf-8");
    export_body(x->out, text, true);
}

/* PidTagHtml is in the code page of PidTagInternetCodepage; as a string it is UTF-8 like any. */
static struct slice html_charset(struct exporter *x, const struct store_content *c,
                                 const struct store_prop *html, struct slice bytes)
{
    const struct store_prop *codepage = export_find(&c->props, PR_INTERNET_CODEPAGE);
    struct slice charset;

    (void)x;
    if (prop_type(html->tag) == PROP_STRING)
        return S("utf-8");
    if (codepage && !failed(codepage_charset((int)codepage->value.number, &charset)))
        return charset;
    return slice_is_utf8(bytes) ? S("utf-8") : S("windows-1252");
}

static void put_html(struct exporter *x, const struct store_content *c, const struct bodies *b)
{
    struct slice bytes = export_value(x, b->html);

    buf_printf(x->out, "Content-Type: text/html; charset=%.*s\r\n",
               SLICE_ARG(html_charset(x, c, b->html, bytes)));
    export_body(x->out, bytes, true);
}

static void put_alternatives(struct exporter *x, const struct store_content *c,
                             const struct bodies *b)
{
    if (!b->html || !b->plain) {
        if (b->html)
            put_html(x, c, b);
        else
            put_plain(x, b);
        return;
    }
    unsigned boundary = multipart_begin(x, "alternative");

    multipart_next(x, boundary);
    put_plain(x, b);
    multipart_next(x, boundary);
    put_html(x, c, b);
    multipart_end(x, boundary);
}

/* ---- attachments ---- */

static bool is_shown(const struct store_attachment *a, const struct bodies *b)
{
    const struct store_prop *flags = export_find(&a->props, PR_ATTACH_FLAGS);

    return b->html && !a->embedded && flags && (flags->value.number & 4) &&
           export_find(&a->props, PR_ATTACH_CONTENT_ID);
}

static bool is_token(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is_alpha(s.ptr[i]) && !ascii_is_digit(s.ptr[i]) &&
            (s.ptr[i] == 0 || !strchr("!#$&+-.^_", s.ptr[i])))
            return false;
    return s.len > 0;
}

/* What may be encoded in base64: neither messages nor multiparts (RFC 2046 5). */
static struct slice media_type(struct slice tag)
{
    struct slice rest = tag, type = slice_cut(&rest, '/');

    if (tag.len > 127 || !is_token(type) || !is_token(rest) || slice_ieq(type, S("multipart")) ||
        slice_ieq(type, S("message")))
        return S("application/octet-stream");
    return tag;
}

static void put_data(struct exporter *x, const struct store_attachment *a, bool shown)
{
    struct slice name = export_string(x, &a->props, PR_ATTACH_LONG_FILENAME);
    const struct store_prop *data = export_find(&a->props, PR_ATTACH_DATA);
    struct slice id = export_string(x, &a->props, PR_ATTACH_CONTENT_ID);

    if (name.len == 0)
        name = export_string(x, &a->props, PR_ATTACH_FILENAME);
    buf_printf(x->out, "Content-Type: %.*s",
               SLICE_ARG(media_type(export_string(x, &a->props, PR_ATTACH_MIME_TAG))));
    export_param(x->out, "name", name);
    buf_printf(x->out, "\r\nContent-Disposition: %s", shown ? "inline" : "attachment");
    export_param(x->out, "filename", name);
    buf_puts(x->out, "\r\n");
    if (id.len) {
        struct buf in_angles = buf_make(id.len + 3);

        buf_printf(&in_angles, "<%.*s>", SLICE_ARG(id));
        export_token(x->out, "Content-ID", buf_slice(&in_angles));
        buf_done(&in_angles);
    }
    export_token(x->out, "Content-Location",
                 export_string(x, &a->props, PR_ATTACH_CONTENT_LOCATION));
    export_body(x->out, data ? export_value(x, data) : SLICE_EMPTY, false);
}

static void put_message(struct exporter *x, const struct store_content *c, unsigned depth);

static void put_attachment(struct exporter *x, const struct store_attachment *a, bool shown,
                           unsigned depth)
{
    if (!a->embedded) {
        put_data(x, a, shown);
        return;
    }
    buf_puts(x->out, "Content-Type: message/rfc822\r\nContent-Disposition: attachment\r\n\r\n");
    put_message(x, a->embedded, depth + 1);
}

/* Of `shown` or of the others. */
static size_t count_attachments(const struct store_content *c, const struct bodies *b, bool shown)
{
    size_t n = 0;

    for (size_t i = 0; i < c->n_attachments; i++)
        n += is_shown(&c->attachments[i], b) == shown;
    return n;
}

static void put_attachments(struct exporter *x, const struct store_content *c,
                            const struct bodies *b, bool shown, unsigned boundary, unsigned depth)
{
    for (size_t i = 0; i < c->n_attachments; i++) {
        if (is_shown(&c->attachments[i], b) != shown)
            continue;
        multipart_next(x, boundary);
        put_attachment(x, &c->attachments[i], shown, depth);
    }
    multipart_end(x, boundary);
}

/* The text, with the pictures that it shows. */
static void put_text(struct exporter *x, const struct store_content *c, const struct bodies *b,
                     unsigned depth)
{
    if (count_attachments(c, b, true) == 0) {
        put_alternatives(x, c, b);
        return;
    }
    unsigned boundary = multipart_begin(x, "related");

    multipart_next(x, boundary);
    put_alternatives(x, c, b);
    put_attachments(x, c, b, true, boundary, depth);
}

/* ---- a message ---- */

/*
 * A body that is RTF alone goes as the HTML that it was made of, or as its text (2.1.3.3). One that
 * cannot be read is as good as none: what else the message has is not lost for it.
 */
static void make_of_rtf(struct exporter *x, const struct store_prop *compressed, struct bodies *b)
{
    struct buf rtf = buf_make(RTF_MAX);
    struct err e = rtf_decompress(export_value(x, compressed), &rtf);
    bool html = !failed(e) && rtf_is_html(buf_slice(&rtf));

    if (!failed(e))
        e = html ? rtf_to_html(buf_slice(&rtf), &b->bytes)
                 : rtf_to_text(buf_slice(&rtf), &b->bytes);
    buf_done(&rtf);
    if (failed(e))
        return;
    b->made.tag = html ? PROP_TAG(prop_id(PR_HTML), PROP_STRING) : PR_BODY;
    b->made.value.bytes = buf_slice(&b->bytes);
    if (html)
        b->html = &b->made;
    else
        b->plain = &b->made;
}

static void find_bodies(struct exporter *x, const struct store_content *c, struct bodies *b)
{
    const struct store_prop *rtf = export_find(&c->props, PR_RTF_COMPRESSED);

    b->bytes = buf_make(RTF_MAX);
    b->plain = export_find(&c->props, PR_BODY);
    b->html = export_find(&c->props, PR_HTML);
    if (!b->plain && !b->html && rtf)
        make_of_rtf(x, rtf, b);
}

static void put_parts(struct exporter *x, const struct store_content *c, const struct bodies *b,
                      unsigned depth)
{
    export_header(x, c);
    if (count_attachments(c, b, false) == 0) {
        put_text(x, c, b, depth);
        return;
    }
    unsigned boundary = multipart_begin(x, "mixed");

    multipart_next(x, boundary);
    put_text(x, c, b, depth);
    put_attachments(x, c, b, false, boundary, depth);
}

static void put_message(struct exporter *x, const struct store_content *c, unsigned depth)
{
    struct bodies b = {.plain = NULL};

    if (depth > STORE_CONTENT_DEPTH)
        export_fail(x, ERR(ERR_TOO_BIG, "messages embedded too deep"));
    find_bodies(x, c, &b);
    if (!failed(x->err))
        put_parts(x, c, &b, depth);
    buf_done(&b.bytes);
}

struct err oxcmail_export(const struct oxcmail_export *how, const struct store_content *message,
                          struct buf *out)
{
    struct exporter x = {.how = how, .out = out, .err = OK};

    put_message(&x, message, 1);
    if (!failed(x.err) && out->failed)
        export_fail(&x, ERR(ERR_TOO_BIG, "the message is too big"));
    return x.err;
}
