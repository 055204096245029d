#include "store/mime/mime_int.h"

/* A longer string goes as a literal: some clients read quoted strings into a line buffer. */
enum { LONGEST_QUOTED = 1000 };

/* Line ends before blanks are folds; other CR and LF cannot be part of a header's text. */
static bool is_line_end(uint8_t c)
{
    return c == '\r' || c == '\n';
}

static void put_quoted(struct slice s, struct buf *out)
{
    size_t from = 0;

    buf_putc(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];

        if (c != '"' && c != '\\' && !is_line_end(c))
            continue;
        buf_put(out, slice_sub(s, from, i - from));
        from = i;
        if (is_line_end(c))
            from++;
        else
            buf_putc(out, '\\');
    }
    buf_put(out, slice_from(s, from));
    buf_putc(out, '"');
}

/* A literal may hold anything but NUL (RFC 3501 9: CHAR8); 0x80 stands in for it. */
static void put_literal(struct slice s, size_t len, struct buf *out)
{
    buf_printf(out, "{%zu}\r\n", len);
    uint8_t *to = buf_reserve(out, len);
    if (!to)
        return;
    for (size_t i = 0; i < s.len; i++)
        if (!is_line_end(s.ptr[i]))
            *to++ = s.ptr[i] ? s.ptr[i] : 0x80;
    buf_commit(out, len);
}

void mime_put_string(struct slice s, struct buf *out)
{
    size_t len = s.len;
    bool quotable = true;

    for (size_t i = 0; i < s.len; i++) {
        if (is_line_end(s.ptr[i]))
            len--;
        else if (s.ptr[i] == 0 || s.ptr[i] > 0x7F)
            quotable = false;
    }
    if (quotable && len <= LONGEST_QUOTED)
        put_quoted(s, out);
    else
        put_literal(s, len, out);
}

void mime_put_nstring(struct slice s, struct buf *out)
{
    if (s.len)
        mime_put_string(s, out);
    else
        buf_puts(out, "NIL");
}
