/* bodies.c - a body as another one. */
#include "protocols/mapi/bodies.h"

#include "protocols/mapi/message.h"
#include "store/mapi/codepage.h"
#include "store/mapi/html.h"
#include "store/mapi/rtf.h"
#include "store/mime/mime.h"

enum {
    BODY_MAX = 32 * 1024 * 1024, /* of what is made */
    PR_BODY_HTML = 0x1013001F,   /* PidTagHtml as a string */
    PR_RTF_IN_SYNC = 0x0E1F000B,
};

/* PidTagNativeBody ([MS-OXCMSG] 2.2.1.58.2) */
enum native { NATIVE_NONE = 0, NATIVE_TEXT = 1, NATIVE_RTF = 2, NATIVE_HTML = 3 };

/* ---- what there is ---- */

static uint32_t has(struct props *p, uint32_t tag, struct store_prop *out)
{
    return mapi_message_get(p->call, p->rd, p->object, PROP_TAG(prop_id(tag), PROP_UNSPECIFIED),
                            out);
}

static uint32_t load(struct props *p, uint32_t tag, struct store_prop *out)
{
    uint32_t ec = has(p, tag, out);

    return ec ? ec : props_load(p, out, BODY_MAX);
}

static struct slice html_charset(struct props *p)
{
    struct store_prop codepage;
    struct slice charset;

    if (has(p, PR_INTERNET_CODEPAGE, &codepage) == EC_SUCCESS &&
        !failed(codepage_charset((int)codepage.value.number, &charset)))
        return charset;
    return S("utf-8");
}

/* HTML as UTF-8, whatever its code page is; appended. */
static uint32_t put_html(struct props *p, struct buf *out)
{
    struct store_prop html;
    uint32_t ec = load(p, PR_HTML, &html);

    if (ec)
        return ec;
    if (prop_type(html.tag) == PROP_STRING)
        buf_put(out, html.value.bytes);
    else
        return mapi_ec_of(mime_to_utf8(html_charset(p), html.value.bytes, out));
    return EC_SUCCESS;
}

static uint32_t put_rtf(struct props *p, struct buf *out)
{
    struct store_prop rtf;
    uint32_t ec = load(p, PR_RTF_COMPRESSED, &rtf);

    return ec ? ec : mapi_ec_of(rtf_decompress(rtf.value.bytes, out));
}

static enum native native_of(struct props *p)
{
    struct store_prop prop;

    if (has(p, PR_HTML, &prop) == EC_SUCCESS)
        return NATIVE_HTML;
    if (has(p, PR_RTF_COMPRESSED, &prop) == EC_SUCCESS)
        return NATIVE_RTF;
    return has(p, PR_BODY, &prop) == EC_SUCCESS ? NATIVE_TEXT : NATIVE_NONE;
}

/* ---- each of the others ---- */

static uint32_t make_text(struct props *p, struct buf *from, struct buf *out)
{
    uint32_t ec = put_html(p, from);

    if (!ec) {
        html_to_text(buf_slice(from), out);
        return ec;
    }
    ec = put_rtf(p, from);
    return ec ? ec : mapi_ec_of(rtf_to_text(buf_slice(from), out));
}

static uint32_t html_of_rtf(struct slice rtf, struct buf *out)
{
    struct buf text = buf_make(BODY_MAX);

    if (rtf_is_html(rtf))
        return mapi_ec_of(rtf_to_html(rtf, out));
    uint32_t ec = mapi_ec_of(rtf_to_text(rtf, &text));
    if (!ec)
        html_of_text(buf_slice(&text), out);
    buf_done(&text);
    return ec;
}

/* UTF-8, of what is not HTML itself. */
static uint32_t make_page(struct props *p, struct buf *from, struct buf *out)
{
    struct store_prop text;
    uint32_t ec = put_rtf(p, from);

    if (!ec)
        return html_of_rtf(buf_slice(from), out);
    ec = load(p, PR_BODY, &text);
    if (!ec)
        html_of_text(text.value.bytes, out);
    return ec;
}

static uint32_t make_html(struct props *p, bool as_text, struct buf *from, struct buf *out)
{
    struct buf page = buf_make(BODY_MAX);
    uint32_t ec = put_html(p, &page);

    if (ec == EC_NOT_FOUND)
        ec = make_page(p, from, &page);
    if (!ec && as_text)
        buf_put(out, buf_slice(&page));
    else if (!ec)
        ec = mapi_ec_of(mime_from_utf8(html_charset(p), buf_slice(&page), out));
    buf_done(&page);
    return ec;
}

static uint32_t make_rtf(struct props *p, struct buf *from, struct buf *out)
{
    struct buf rtf = buf_make(BODY_MAX);
    struct store_prop text;
    uint32_t ec = put_html(p, from);

    if (!ec)
        rtf_of_html(buf_slice(from), &rtf);
    else if (!(ec = load(p, PR_BODY, &text)))
        rtf_of_text(text.value.bytes, &rtf);
    if (!ec && rtf.failed)
        ec = EC_NOT_ENOUGH_MEMORY;
    if (!ec)
        rtf_wrap(buf_slice(&rtf), out);
    buf_done(&rtf);
    return ec;
}

static uint32_t make(struct props *p, uint32_t tag, struct buf *from, struct buf *out)
{
    switch (tag) {
    case PR_BODY:
        return make_text(p, from, out);
    case PR_HTML:
    case PR_BODY_HTML:
        return make_html(p, tag == PR_BODY_HTML, from, out);
    case PR_RTF_COMPRESSED:
        return make_rtf(p, from, out);
    default:
        return EC_NOT_FOUND;
    }
}

static uint32_t make_bytes(struct props *p, uint32_t tag, struct store_prop *out)
{
    struct buf from = buf_make(BODY_MAX), made = buf_make(BODY_MAX);
    uint32_t ec = make(p, tag, &from, &made);

    if (!ec && (made.failed || from.failed))
        ec = EC_NOT_ENOUGH_MEMORY;
    if (!ec) {
        struct slice bytes = arena_slice(p->call->arena, buf_slice(&made));

        *out = (struct store_prop){.tag = tag, .value.bytes = bytes};
    }
    buf_done(&from);
    buf_done(&made);
    return ec;
}

static uint32_t tell(struct store_prop *out, uint32_t tag, int64_t number)
{
    *out = (struct store_prop){.tag = tag, .value.number = number};
    return EC_SUCCESS;
}

/* A tag without a type is asked for as what it is by nature. */
static uint32_t typed(uint32_t tag)
{
    static const uint32_t tags[] = {PR_BODY, PR_HTML, PR_RTF_COMPRESSED, PR_RTF_IN_SYNC,
                                    PR_NATIVE_BODY};

    for (size_t i = 0; prop_type(tag) == PROP_UNSPECIFIED && i < sizeof tags / sizeof *tags; i++)
        if (prop_id(tags[i]) == prop_id(tag))
            return tags[i];
    return tag;
}

uint32_t bodies_make(struct props *p, uint32_t tag, struct store_prop *out)
{
    tag = typed(tag);
    if (tag == PR_NATIVE_BODY)
        return tell(out, tag, native_of(p));
    /* RTF that is made is always of the text that there is. */
    if (tag == PR_RTF_IN_SYNC)
        return native_of(p) == NATIVE_NONE ? EC_NOT_FOUND : tell(out, tag, 1);
    return make_bytes(p, tag, out);
}
