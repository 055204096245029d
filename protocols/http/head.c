/*
 * head.c - a request's head.
 *
 * Its lines are checked as they come, strictly: CRLF ends a line and nothing else does, no folded
 * lines, no blanks before a colon, no control characters. Whatever a lenient program before or
 * behind us could read in another way is a 400 (RFC 9112 2.2, 5, 11.2). What passes is parsed by
 * the library, and then held against the rules on framing (RFC 9112 6.3).
 */
#include "protocols/http/http_int.h"

#include <http_parser.h>

/* ---- bytes ---- */

bool http_is_token(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];

        if (!ascii_is_alpha(c) && !ascii_is_digit(c) && !(c && strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return s.len > 0;
}

/* Of a field's value: visible, blank, tab, or beyond ASCII (RFC 9110 5.5). */
bool http_is_field_byte(uint8_t c)
{
    return c == '\t' || (c >= ' ' && c != 0x7f);
}

/* ---- lines ---- */

static unsigned check_version(struct slice version)
{
    if (version.len != 8 || !slice_starts(version, S("HTTP/")) || !ascii_is_digit(version.ptr[5]) ||
        version.ptr[6] != '.' || !ascii_is_digit(version.ptr[7]))
        return 400;
    return version.ptr[5] == '1' ? 0 : 505;
}

static bool method_is_known(struct slice method)
{
    return slice_eq(method, S("GET")) || slice_eq(method, S("HEAD")) ||
           slice_eq(method, S("POST")) || slice_eq(method, S("OPTIONS"));
}

/* method SP request-target SP HTTP-version, with single blanks (RFC 9112 3). */
static unsigned check_request_line(struct slice line)
{
    struct slice rest = line;
    struct slice method = slice_cut(&rest, ' '), target = slice_cut(&rest, ' ');

    for (size_t i = 0; i < target.len; i++)
        if (target.ptr[i] <= ' ' || target.ptr[i] >= 0x7f)
            return 400;
    if (!http_is_token(method) || target.len == 0)
        return 400;
    unsigned wrong = check_version(rest);
    if (wrong)
        return wrong;
    return method_is_known(method) ? 0 : 501;
}

static unsigned check_field_line(struct slice line)
{
    size_t colon = slice_index(line, ':');

    /* A blank at the start would be a folded line (RFC 9112 5.2), and is no token either. */
    if (colon == line.len || !http_is_token(slice_head(line, colon)))
        return 400;
    for (size_t i = colon + 1; i < line.len; i++)
        if (!http_is_field_byte(line.ptr[i]))
            return 400;
    return 0;
}

/* A line is complete, with its LF. */
static unsigned check_line(struct http_session *s)
{
    struct http_collector *c = &s->collector;
    struct slice line = slice_from(buf_slice(&s->head), c->line);

    if (line.len < 2 || line.ptr[line.len - 2] != '\r')
        return 400; /* a bare LF */
    line = slice_head(line, line.len - 2);
    if (c->lines == 0 && line.len == 0) {
        /* Some clients put an empty line behind a body (RFC 9112 2.2). */
        buf_clear(&s->head);
        return 0;
    }
    c->line = s->head.len;
    c->complete = line.len == 0;
    if (c->lines++ == 0)
        return check_request_line(line);
    if (c->complete)
        return 0;
    if (c->lines - 1 > http_limit(s->env->limits->max_request_fields, HTTP_DEFAULT_FIELDS))
        return 431;
    return check_field_line(line);
}

static size_t most(const struct http_session *s)
{
    const struct session_limits *limits = s->env->limits;

    return http_limit(limits->max_request_line, HTTP_DEFAULT_REQUEST_LINE) +
           http_limit(limits->max_request_head, HTTP_DEFAULT_HEAD);
}

static unsigned check_size(const struct http_session *s)
{
    size_t line = http_limit(s->env->limits->max_request_line, HTTP_DEFAULT_REQUEST_LINE);

    if (s->collector.lines == 0 && s->head.len > line + 2)
        return 414;
    return s->head.len > most(s) ? 431 : 0;
}

size_t http_head_feed(struct http_session *s, struct slice in)
{
    struct slice rest = in;

    if (s->head.len == 0)
        s->active = s->env->clock->mono_ms;
    while (rest.len && !s->collector.complete && !s->fault) {
        size_t end = slice_index(rest, '\n');
        struct slice some = slice_head(rest, end < rest.len ? end + 1 : end);

        buf_put(&s->head, slice_head(some, most(s) + 1 - s->head.len));
        rest = slice_from(rest, some.len);
        s->fault = check_size(s);
        if (!s->fault && end < some.len)
            s->fault = check_line(s);
    }
    return in.len - rest.len;
}

/* ---- the library ---- */

struct parsing {
    struct http_exchange *x;
    struct http_field *fields;
    size_t n;
    struct slice target;
};

static int on_url(http_parser *parser, const char *at, size_t len)
{
    ((struct parsing *)parser->data)->target = slice_of(at, len);
    return 0;
}

static int on_field(http_parser *parser, const char *at, size_t len)
{
    struct parsing *p = parser->data;

    p->fields[p->n++].name = slice_of(at, len);
    return 0;
}

static int on_value(http_parser *parser, const char *at, size_t len)
{
    struct parsing *p = parser->data;

    p->fields[p->n - 1].value = slice_trim(slice_of(at, len));
    return 0;
}

/* The body, if there is one, is ours to frame. */
static int on_head(http_parser *parser)
{
    (void)parser;
    return 1;
}

static unsigned library_parse(struct http_session *s, struct parsing *p, http_parser *parser)
{
    static const http_parser_settings callbacks = {
        .on_url = on_url,
        .on_header_field = on_field,
        .on_header_value = on_value,
        .on_headers_complete = on_head,
    };
    struct slice head = buf_slice(&s->head);

    p->fields = arena_array(&s->x.arena, s->collector.lines, sizeof *p->fields);
    http_parser_init(parser, HTTP_REQUEST);
    parser->data = p;
    size_t used = http_parser_execute(parser, &callbacks, (const char *)head.ptr, head.len);
    return used == head.len && HTTP_PARSER_ERRNO(parser) == HPE_OK ? 0 : 400;
}

/* ---- framing ---- */

/* How often the field is there; *value is the last one. */
static unsigned count_field(const struct http_request *rq, const char *name, struct slice *value)
{
    unsigned n = 0;

    for (size_t i = 0; i < rq->n_fields; i++) {
        if (!slice_ieq(rq->fields[i].name, slice_str(name)))
            continue;
        *value = rq->fields[i].value;
        n++;
    }
    return n;
}

/*
 * RFC 9112 6.1: a request with both, or whose last coding is not chunked, or of HTTP/1.0 with any
 * coding, is one that two programs read in two ways.
 */
static unsigned check_coding(struct http_exchange *x, unsigned n, struct slice coding)
{
    if (n > 1 || x->rq.has_length || x->minor == 0)
        return 400;
    if (slice_ieq(coding, S("chunked"))) {
        x->rq.chunked = true;
        return 0;
    }
    return slice_ends(coding, S("chunked")) ? 501 : 400;
}

static unsigned check_body(struct http_session *s)
{
    struct http_exchange *x = &s->x;
    struct slice length, coding;
    unsigned lengths = count_field(&x->rq, "Content-Length", &length);
    unsigned codings = count_field(&x->rq, "Transfer-Encoding", &coding);

    if (lengths > 1 || (lengths && !slice_to_u64(length, &x->rq.length)))
        return 400;
    x->rq.has_length = lengths == 1;
    unsigned wrong = codings ? check_coding(x, codings, coding) : 0;
    if (wrong)
        return wrong;
    if (x->rq.method == HTTP_VERB_POST && !lengths && !codings)
        return 411;
    if (x->rq.length > http_limit(s->env->limits->max_request_body, HTTP_DEFAULT_BODY))
        return 413;
    x->left = x->rq.length;
    x->ended = !x->rq.chunked && x->left == 0;
    return 0;
}

/* RFC 9110 10.1.1: nothing but 100-continue is known, and HTTP/1.0 does not know that. */
static unsigned check_expect(struct http_exchange *x)
{
    struct slice expect;
    unsigned n = count_field(&x->rq, "Expect", &expect);

    if (n == 0 || x->minor == 0)
        return 0;
    if (n > 1 || !slice_ieq(expect, S("100-continue")))
        return 417;
    x->expects = !x->ended;
    return 0;
}

/* RFC 9112 3.2: one Host, and HTTP/1.1 must have it. An absolute target's own comes first. */
static unsigned check_host(struct http_exchange *x)
{
    struct slice host = SLICE_EMPTY;
    unsigned n = count_field(&x->rq, "Host", &host);

    if (n > 1 || (n == 0 && x->minor > 0))
        return 400;
    if (host.len && !http_host_is_valid(host))
        return 400;
    if (!x->rq.host.len)
        x->rq.host = host;
    return 0;
}

static void take_method(struct http_exchange *x, unsigned method)
{
    x->rq.head_only = method == HTTP_HEAD;
    x->rq.method = method == HTTP_POST ? HTTP_VERB_POST : HTTP_VERB_GET;
    x->options = method == HTTP_OPTIONS;
}

unsigned http_head_parse(struct http_session *s)
{
    struct http_exchange *x = &s->x;
    struct parsing p = {.x = x};
    http_parser parser;
    unsigned wrong = library_parse(s, &p, &parser);

    if (wrong)
        return wrong;
    take_method(x, parser.method);
    x->minor = parser.http_minor;
    x->rq.fields = p.fields;
    x->rq.n_fields = p.n;
    s->close = s->draining || !http_should_keep_alive(&parser);
    if (count_field(&x->rq, "Authorization", &(struct slice){0}) > 1)
        return 400; /* two answers to one question */
    if ((wrong = http_target_parse(x, p.target, x->options)) || (wrong = check_host(x)) ||
        (wrong = check_body(s)))
        return wrong;
    return check_expect(x);
}
