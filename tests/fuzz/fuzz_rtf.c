/*
 * fuzz_rtf.c - bodies in rich text and HTML.
 *
 * Whatever the bytes are, nothing is read beyond them, text that comes out is UTF-8 (of RTF), and
 * HTML that is put into RTF comes out as it was.
 */
#include "store/mapi/html.h"
#include "store/mapi/rtf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool good)
{
    if (!good)
        abort();
}

static bool has_control(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < ' ' && s.ptr[i] != '\t' && s.ptr[i] != '\n' && s.ptr[i] != '\r')
            return true;
    return false;
}

/* Line ends come back as CRLF: a page that has others, or other controls, is not the same. */
static bool comes_back(struct slice html)
{
    for (size_t i = 0; i < html.len; i++)
        if ((html.ptr[i] == '\n') != (i > 0 && html.ptr[i - 1] == '\r') ||
            (html.ptr[i] == '\r' && i + 1 == html.len))
            return false;
    return slice_is_utf8(html) && !has_control(html);
}

static void try_html(struct slice html)
{
    struct buf rtf = buf_make(1 << 24), back = buf_make(1 << 24), text = buf_make(1 << 24);

    html_to_text(html, &text);
    rtf_of_html(html, &rtf);
    struct err e = rtf_to_html(buf_slice(&rtf), &back);
    require(!failed(e) || rtf.failed);
    if (comes_back(html))
        require(slice_eq(buf_slice(&back), html));
    buf_done(&rtf);
    buf_done(&back);
    buf_done(&text);
}

static void try_rtf(struct slice in)
{
    struct buf rtf = buf_make(1 << 20), text = buf_make(1 << 20), html = buf_make(1 << 20);
    struct err e = rtf_decompress(in, &rtf);

    if (failed(e)) {
        buf_clear(&rtf);
        buf_put(&rtf, in);
    }
    e = rtf_to_html(buf_slice(&rtf), &html);
    if (!failed(e))
        require(slice_is_utf8(buf_slice(&html)));
    e = rtf_to_text(buf_slice(&rtf), &text);
    if (!failed(e))
        require(slice_is_utf8(buf_slice(&text)));
    buf_done(&rtf);
    buf_done(&text);
    buf_done(&html);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_of(data, size);

    try_rtf(in);
    try_html(in);
    return 0;
}
