/* notice.c - a multipart/report. */
#include "gateway/notice.h"

#include "base/clock.h"

/* Ours alone: no line of what it is about is it, for it names that and the time. */
static void put_name(const struct notice *n, struct buf *out)
{
    buf_printf(out, "=_%s_%llx_%llx", n->kind, (unsigned long long)n->number,
               (unsigned long long)n->now);
}

void notice_put_head(const struct notice *n, struct buf *out)
{
    buf_printf(out, "To: <%.*s>\r\nDate: ", SLICE_ARG(n->to));
    clock_put_rfc5322(out, n->now);
    buf_printf(out, "\r\nSubject: %s%.*s\r\nMessage-ID: <", n->prefix, SLICE_ARG(n->subject));
    put_name(n, out);
    buf_printf(out, "@%s>\r\n", n->host_name);
    if (n->about_id.len) /* this is how clients find what it is about */
        buf_printf(out, "In-Reply-To: %.*s\r\nReferences: %.*s\r\n", SLICE_ARG(n->about_id),
                   SLICE_ARG(n->about_id));
    buf_printf(out,
               "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
               "Content-Type: multipart/report; report-type=%s;\r\n\tboundary=\"",
               n->report_type);
    put_name(n, out);
    buf_puts(out, "\"\r\n");
}

void notice_put_part(const struct notice *n, const char *type, struct buf *out)
{
    buf_puts(out, "\r\n--");
    put_name(n, out);
    buf_printf(out, "\r\nContent-Type: %s\r\n\r\n", type);
}

void notice_put_original(const struct notice *n, struct slice header, struct buf *out)
{
    notice_put_part(n, "text/rfc822-headers", out);
    buf_put(out, header);
    buf_puts(out, "\r\n--");
    put_name(n, out);
    buf_puts(out, "--\r\n");
}
