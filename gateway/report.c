/* report.c - a report in its three parts: for people, for programs, and what it is about. */
#include "gateway/report.h"

#include "base/clock.h"
#include "store/mime/mime.h"

/* ---- what it tells of ---- */

bool report_tells(const struct report *report, const struct queue_recipient *r)
{
    if (r->told)
        return false;
    if (report->kind == REPORT_FAILED)
        return r->state == QUEUE_FAILED;
    return r->state == QUEUE_SENT && report->entry->wants_report && !r->answered;
}

static const struct {
    const char *subject, *action, *status, *words;
} kinds[] = {
    [REPORT_FAILED] = {"Undeliverable: ", "failed", "5.0.0",
                       "Your message could not be delivered to these recipients:"},
    [REPORT_DELIVERED] = {"Delivered: ", "delivered", "2.0.0",
                          "Your message was delivered to these recipients:"},
    [REPORT_RELAYED] = {"Relayed: ", "relayed", "2.0.0",
                        "Your message was handed on for these recipients. The server that has it "
                        "sends\r\nno reports of delivery:"},
};

/* ---- the header of the original ---- */

static struct slice header_of(struct slice message)
{
    size_t end = slice_find(message, S("\r\n\r\n"));

    return end < message.len ? slice_head(message, end + 2) : message;
}

/* Its value, as it is folded; empty: there is none. */
static struct slice field_of(struct slice header, struct slice name)
{
    struct mime_field field;

    return mime_get_field(header, name, &field) ? slice_trim(field.value) : SLICE_EMPTY;
}

/* ---- parts ---- */

/* Ours alone: no line of the original is it, for it names the entry and the time. */
static void put_boundary(const struct report *r, struct buf *out)
{
    buf_printf(out, "=_report_%llx_%llx", (unsigned long long)r->entry->id,
               (unsigned long long)r->now);
}

static void put_part(const struct report *r, const char *type, struct buf *out)
{
    buf_puts(out, "\r\n--");
    put_boundary(r, out);
    buf_printf(out, "\r\nContent-Type: %s\r\n", type);
}

static void put_head(const struct report *r, struct buf *out)
{
    struct slice header = header_of(r->original);
    struct slice subject = field_of(header, S("Subject")), id = field_of(header, S("Message-ID"));

    buf_printf(out, "From: Mail Delivery System <MAILER-DAEMON@%s>\r\nTo: <%.*s>\r\nDate: ",
               r->host_name, SLICE_ARG(r->entry->sender));
    clock_put_rfc5322(out, r->now);
    buf_printf(out, "\r\nSubject: %s%.*s\r\nMessage-ID: <", kinds[r->kind].subject,
               SLICE_ARG(subject));
    put_boundary(r, out);
    buf_printf(out, "@%s>\r\n", r->host_name);
    if (id.len) /* this is how clients find what it is about */
        buf_printf(out, "In-Reply-To: %.*s\r\nReferences: %.*s\r\n", SLICE_ARG(id), SLICE_ARG(id));
    buf_puts(out, "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
                  "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"");
    put_boundary(r, out);
    buf_puts(out, "\"\r\n");
}

static void put_for_people(const struct report *r, struct buf *out)
{
    put_part(r, "text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit", out);
    buf_printf(out, "\r\n%s\r\n", kinds[r->kind].words);
    for (size_t i = 0; i < r->entry->n_recipients; i++) {
        const struct queue_recipient *to = &r->entry->recipients[i];

        if (!report_tells(r, to))
            continue;
        buf_printf(out, "\r\n    %.*s\r\n", SLICE_ARG(to->address));
        if (r->kind == REPORT_FAILED)
            buf_printf(out, "        %.*s\r\n", SLICE_ARG(to->reply));
    }
}

/* Enhanced codes (RFC 3463) stand alone or behind the code of the reply. */
static struct slice enhanced_code(struct slice reply)
{
    for (int i = 0; i < 2; i++) {
        struct slice word = slice_cut(&reply, ' ');
        size_t dots = 0, others = 0;

        for (size_t k = 0; k < word.len; k++) {
            dots += word.ptr[k] == '.';
            others += word.ptr[k] != '.' && !ascii_is_digit(word.ptr[k]);
        }
        if (dots == 2 && others == 0 && word.len <= 9 && strchr("245", word.ptr[0]))
            return word;
    }
    return SLICE_EMPTY;
}

static void put_recipient(const struct report *r, const struct queue_recipient *to, struct buf *out)
{
    struct slice code = enhanced_code(to->reply);

    buf_printf(out, "\r\nFinal-Recipient: %s;%.*s\r\nAction: %s\r\nStatus: %.*s\r\n",
               slice_is_ascii(to->address) ? "rfc822" : "utf-8", SLICE_ARG(to->address),
               kinds[r->kind].action,
               SLICE_ARG(code.len ? code : slice_str(kinds[r->kind].status)));
    if (to->reply.len)
        buf_printf(out, "Diagnostic-Code: smtp;%.*s\r\n", SLICE_ARG(to->reply));
}

static void put_for_programs(const struct report *r, struct buf *out)
{
    put_part(r, "message/delivery-status", out);
    buf_printf(out, "\r\nReporting-MTA: dns;%s\r\nArrival-Date: ", r->host_name);
    clock_put_rfc5322(out, r->entry->created);
    buf_puts(out, "\r\n");
    for (size_t i = 0; i < r->entry->n_recipients; i++)
        if (report_tells(r, &r->entry->recipients[i]))
            put_recipient(r, &r->entry->recipients[i], out);
}

void report_put(const struct report *r, struct buf *out)
{
    buf_puts(out, "Return-Path: <>\r\n");
    put_head(r, out);
    put_for_people(r, out);
    put_for_programs(r, out);
    put_part(r, "text/rfc822-headers", out);
    buf_puts(out, "\r\n");
    buf_put(out, header_of(r->original));
    buf_puts(out, "\r\n--");
    put_boundary(r, out);
    buf_puts(out, "--\r\n");
}
