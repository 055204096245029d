/* report.c - a report in its three parts: for people, for programs, and what it is about. */
#include "gateway/report.h"

#include "base/clock.h"
#include "gateway/notice.h"
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

static struct notice notice_of(const struct report *r, struct slice header)
{
    return (struct notice){
        .kind = "report",
        .number = r->entry->id,
        .now = r->now,
        .host_name = r->host_name,
        .report_type = "delivery-status",
        .to = r->entry->sender,
        .prefix = kinds[r->kind].subject,
        .subject = field_of(header, S("Subject")),
        .about_id = field_of(header, S("Message-ID")),
    };
}

static void put_for_people(const struct report *r, const struct notice *n, struct buf *out)
{
    notice_put_part(n, "text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit", out);
    buf_printf(out, "%s\r\n", kinds[r->kind].words);
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

static void put_for_programs(const struct report *r, const struct notice *n, struct buf *out)
{
    notice_put_part(n, "message/delivery-status", out);
    buf_printf(out, "Reporting-MTA: dns;%s\r\nArrival-Date: ", r->host_name);
    clock_put_rfc5322(out, r->entry->created);
    buf_puts(out, "\r\n");
    for (size_t i = 0; i < r->entry->n_recipients; i++)
        if (report_tells(r, &r->entry->recipients[i]))
            put_recipient(r, &r->entry->recipients[i], out);
}

void report_put(const struct report *r, struct buf *out)
{
    struct slice header = header_of(r->original);
    struct notice n = notice_of(r, header);

    buf_printf(out, "Return-Path: <>\r\nFrom: Mail Delivery System <MAILER-DAEMON@%s>\r\n",
               r->host_name);
    notice_put_head(&n, out);
    put_for_people(r, &n, out);
    put_for_programs(r, &n, out);
    notice_put_original(&n, header, out);
}
