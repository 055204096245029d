/* reply.c - responses: what a status is called, the head, and how the body is framed. */
#include "protocols/http/http_int.h"

#include <assert.h>

/* ---- statuses ---- */

static const struct {
    unsigned status;
    const char *reason, *text; /* text: for people, in the engine's own answers */
} statuses[] = {
    {200, "OK", "Done."},
    {204, "No Content", ""},
    {400, "Bad Request", "The request does not follow the rules of HTTP."},
    {401, "Unauthorized", "Log on first, with a name and a password."},
    {403, "Forbidden", "This is not permitted."},
    {404, "Not Found", "There is nothing here."},
    {405, "Method Not Allowed", "That cannot be done here."},
    {408, "Request Timeout", "The request took too long to come."},
    {411, "Length Required", "A request with a body must say how long it is."},
    {413, "Content Too Large", "The body of the request is too large."},
    {414, "URI Too Long", "The request line is too long."},
    {417, "Expectation Failed", "Nothing but 100-continue can be expected."},
    {431, "Request Header Fields Too Large", "The head of the request is too large."},
    {500, "Internal Server Error", "The request could not be answered."},
    {501, "Not Implemented", "That method or coding is not known here."},
    {503, "Service Unavailable", "Try again later."},
    {505, "HTTP Version Not Supported", "This server speaks HTTP/1.1."},
};

static size_t find_status(unsigned status)
{
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (statuses[i].status == status)
            return i;
    return sizeof statuses / sizeof *statuses;
}

const char *http_reason(unsigned status)
{
    size_t i = find_status(status);

    return i < sizeof statuses / sizeof *statuses ? statuses[i].reason : "";
}

/* ---- what a handler says ---- */

void http_status(struct http_exchange *x, unsigned status)
{
    assert(!x->status && !x->head_sent);
    x->status = status;
}

void http_header(struct http_exchange *x, const char *name, struct slice value)
{
    assert(!x->head_sent);
    buf_printf(&x->headers, "%s: ", name);
    for (size_t i = 0; i < value.len; i++)
        if (http_is_field_byte(value.ptr[i]))
            buf_putc(&x->headers, value.ptr[i]);
    buf_puts(&x->headers, "\r\n");
}

void http_length(struct http_exchange *x, uint64_t length)
{
    assert(!x->head_sent);
    x->has_length = true;
    x->length = length;
}

struct buf *http_out(struct http_exchange *x)
{
    return &x->out;
}

size_t http_room(const struct http_exchange *x)
{
    return x->out.len < HTTP_BODY_HELD ? HTTP_BODY_HELD - x->out.len : 0;
}

enum http_next http_answer(struct http_exchange *x, unsigned status, const char *type,
                           struct slice body)
{
    http_status(x, status);
    http_header(x, "Content-Type", slice_str(type));
    buf_put(&x->out, body);
    return HTTP_DONE;
}

enum http_next http_refuse(struct http_exchange *x, unsigned status)
{
    size_t i = find_status(status);

    http_status(x, status);
    if (status == 503)
        http_header(x, "Retry-After", S("30"));
    if (status != 204) {
        http_header(x, "Content-Type", S("text/plain; charset=utf-8"));
        buf_printf(&x->out, "%u %s\n%s\n", status, statuses[i].reason, statuses[i].text);
    }
    return HTTP_DONE;
}

/* ---- the head ---- */

static bool has_body(const struct http_exchange *x)
{
    return x->status != 204 && !x->rq.head_only;
}

static void put_date(const struct http_exchange *x, struct buf *out)
{
    buf_puts(out, "Date: ");
    clock_put_http(out, x->session->env->clock->wall);
    buf_puts(out, "\r\n");
}

/* How the client will know where the body ends (RFC 9112 6.3). */
static void put_framing(struct http_exchange *x, struct buf *out)
{
    if (!x->has_length && x->next == HTTP_DONE)
        http_length(x, x->out.len);
    if (x->status == 204)
        return;
    if (x->has_length) {
        buf_printf(out, "Content-Length: %llu\r\n", (unsigned long long)x->length);
    } else if (x->minor > 0) {
        x->chunked = true;
        buf_puts(out, "Transfer-Encoding: chunked\r\n");
    } else {
        x->session->close = true; /* HTTP/1.0 knows no chunks: the end of the connection it is */
    }
}

static void put_head(struct http_exchange *x, struct buf *out)
{
    struct http_session *s = x->session;

    buf_printf(out, "HTTP/1.1 %u %s\r\n", x->status, http_reason(x->status));
    put_date(x, out);
    put_framing(x, out);
    if (s->env->instance) /* what POP3 and IMAP say in their greetings */
        buf_printf(out, "Server: Gatepost (%s)\r\n", s->env->instance);
    buf_puts(out, s->site->headers);
    buf_put(out, buf_slice(&x->headers));
    if (s->close)
        buf_puts(out, "Connection: close\r\n");
    else if (x->minor == 0)
        buf_puts(out, "Connection: keep-alive\r\n");
    buf_puts(out, "\r\n");
    x->head_sent = true;
}

/* ---- the body ---- */

static void put_some(struct http_exchange *x, struct slice some, struct buf *out)
{
    if (x->chunked)
        buf_printf(out, "%zX\r\n", some.len);
    buf_put(out, some);
    if (x->chunked)
        buf_puts(out, "\r\n");
    x->put += some.len;
}

static void put_out(struct http_exchange *x, struct buf *out, size_t high)
{
    while (x->out.len && out->len < high) {
        struct slice some = slice_head(buf_slice(&x->out), high - out->len);

        put_some(x, some, out);
        buf_consume(&x->out, some.len);
    }
}

bool http_reply_pump(struct http_exchange *x, struct buf *out, size_t high)
{
    if (!x->head_sent)
        put_head(x, out);
    if (!has_body(x)) {
        x->put += x->out.len;
        buf_clear(&x->out);
        return true;
    }
    put_out(x, out, high);
    if (x->out.len)
        return false;
    buf_done(&x->out);
    if (x->chunked && x->next == HTTP_DONE && !x->last_sent) {
        buf_puts(out, "0\r\n\r\n");
        x->last_sent = true;
    }
    return true;
}
