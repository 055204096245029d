#include "store/mime/mime_int.h"

/* What BODYSTRUCTURE takes from one part's header (RFC 3501 7.4.2). */
enum { TYPE, ENCODING, ID, DESCRIPTION, MD5, DISPOSITION, LANGUAGE, LOCATION, FIELDS };

static const char *const names[FIELDS] = {
    "Content-Type", "Content-Transfer-Encoding", "Content-ID",       "Content-Description",
    "Content-MD5",  "Content-Disposition",       "Content-Language", "Content-Location",
};

struct fields {
    struct slice value[FIELDS];
    bool present[FIELDS];
};

struct writer {
    struct slice message;
    const struct mime *mime;
    bool extended;
    struct buf *out;
};

static struct slice header_of(const struct writer *w, uint32_t index)
{
    struct mime_range r = w->mime->parts[index].header;

    return slice_head(slice_sub(w->message, r.start, r.len), w->mime->max_header);
}

static void read_fields(struct slice header, struct fields *f)
{
    struct mime_field field;

    memset(f, 0, sizeof *f);
    while (mime_next_field(&header, &field)) {
        if (!slice_istarts(field.name, S("Content-")))
            continue;
        for (int i = 0; i < FIELDS; i++) {
            if (f->present[i] || !slice_ieq(field.name, slice_str(names[i])))
                continue;
            f->present[i] = true;
            f->value[i] = mime_trim(field.value);
        }
    }
}

/* "(name value name value", without its end. */
static void put_param_list(const struct mime_param *params, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        buf_puts(out, i ? " " : "(");
        mime_put_string(params[i].name, out);
        buf_putc(out, ' ');
        mime_put_string(params[i].value, out);
    }
}

static void put_params(const struct mime_param *params, size_t n, struct buf *out)
{
    put_param_list(params, n, out);
    buf_puts(out, n ? ")" : "NIL");
}

/* ---- media types ---- */

struct media {
    struct slice type, subtype;
    struct mime_param *params;
    size_t n_params;
};

/*
 * The type a part is shown with. It must fit what the parser made of the part, for the grammar
 * gives multipart and message/rfc822 forms of their own: one that was not looked into, being
 * beyond a bound, is application/octet-stream.
 */
static struct media media_of(const struct fields *f, enum mime_kind kind, struct arena *in)
{
    struct media m = {.type = S("text"), .subtype = S("plain")};
    struct slice rest = f->value[TYPE];

    if (kind == MIME_MESSAGE)
        m = (struct media){.type = S("message"), .subtype = S("rfc822")};
    if (!mime_split_type(mime_take_value_token(&rest, in), &m.type, &m.subtype))
        rest = SLICE_EMPTY;
    mime_imap_params(rest, in, &m.params, &m.n_params);
    bool container = slice_ieq(m.type, S("multipart")) ||
                     (slice_ieq(m.type, S("message")) &&
                      (slice_ieq(m.subtype, S("rfc822")) || slice_ieq(m.subtype, S("global"))));
    if (kind == MIME_LEAF && container) {
        m.type = S("application");
        m.subtype = S("octet-stream");
    }
    return m;
}

/* Text without a charset is US-ASCII (RFC 2046 4.1.2). */
static void put_media_params(const struct media *m, struct buf *out)
{
    bool named = !slice_ieq(m->type, S("text"));

    for (size_t i = 0; i < m->n_params; i++)
        named |= slice_ieq(m->params[i].name, S("charset")) ||
                 slice_ieq(m->params[i].name, S("charset*"));
    put_param_list(m->params, m->n_params, out);
    if (named)
        buf_puts(out, m->n_params ? ")" : "NIL");
    else
        buf_puts(out, m->n_params ? " \"charset\" \"us-ascii\")" : "(\"charset\" \"us-ascii\")");
}

/* ---- extension data ---- */

static void put_disposition(const struct fields *f, struct arena *in, struct buf *out)
{
    struct slice rest = f->value[DISPOSITION];
    struct slice token = mime_take_value_token(&rest, in);
    struct mime_param *params;
    size_t n;

    if (token.len == 0) {
        buf_puts(out, "NIL");
        return;
    }
    mime_imap_params(rest, in, &params, &n);
    buf_putc(out, '(');
    mime_put_string(token, out);
    buf_putc(out, ' ');
    put_params(params, n, out);
    buf_putc(out, ')');
}

static bool in_language_tag(uint8_t c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || c == '-';
}

/* Tags with commas between (RFC 3282). */
static void put_languages(struct slice value, struct buf *out)
{
    bool any = false;

    while (value.len) {
        mime_skip_cfws(&value);
        size_t n = 0;
        while (n < value.len && in_language_tag(value.ptr[n]))
            n++;
        if (n == 0) {
            value = slice_from(value, 1);
            continue;
        }
        buf_puts(out, any ? " " : "(");
        mime_put_string(slice_head(value, n), out);
        value = slice_from(value, n);
        any = true;
    }
    buf_puts(out, any ? ")" : "NIL");
}

static void put_extension_tail(const struct fields *f, struct arena *in, struct buf *out)
{
    buf_putc(out, ' ');
    put_disposition(f, in, out);
    buf_putc(out, ' ');
    put_languages(f->value[LANGUAGE], out);
    buf_putc(out, ' ');
    mime_put_nstring(f->value[LOCATION], out);
}

/* ---- parts ---- */

static void put_encoding(const struct fields *f, struct arena *in, struct buf *out)
{
    struct slice value = f->value[ENCODING];
    struct slice token = mime_take_value_token(&value, in);

    mime_put_string(token.len ? token : S("7bit"), out);
}

/* Type to size: what all but multiparts begin with (body-fields). */
static void put_basic(const struct media *m, const struct fields *f, uint64_t size,
                      struct arena *in, struct buf *out)
{
    mime_put_string(m->type, out);
    buf_putc(out, ' ');
    mime_put_string(m->subtype, out);
    buf_putc(out, ' ');
    put_media_params(m, out);
    buf_putc(out, ' ');
    mime_put_nstring(f->value[ID], out);
    buf_putc(out, ' ');
    mime_put_nstring(f->value[DESCRIPTION], out);
    buf_putc(out, ' ');
    put_encoding(f, in, out);
    buf_putc(out, ' ');
    buf_put_u64(out, size);
}

static void begin_part(const struct writer *w, uint32_t index)
{
    const struct mime_part *part = &w->mime->parts[index];
    struct arena scratch = ARENA_INIT;
    struct fields f;

    buf_putc(w->out, '(');
    if (part->kind == MIME_MULTIPART)
        return;
    read_fields(header_of(w, index), &f);
    struct media m = media_of(&f, part->kind, &scratch);
    put_basic(&m, &f, part->body.len, &scratch, w->out);
    if (part->kind == MIME_MESSAGE) {
        buf_putc(w->out, ' ');
        mime_put_envelope(header_of(w, part->first_child), w->out);
        buf_putc(w->out, ' ');
    } else if (slice_ieq(m.type, S("text"))) {
        buf_printf(w->out, " %u", part->lines);
    }
    arena_done(&scratch);
}

static void end_part(const struct writer *w, uint32_t index)
{
    const struct mime_part *part = &w->mime->parts[index];
    struct arena scratch = ARENA_INIT;
    struct fields f;

    read_fields(header_of(w, index), &f);
    if (part->kind == MIME_MULTIPART) {
        struct media m = media_of(&f, part->kind, &scratch);

        buf_putc(w->out, ' ');
        mime_put_string(m.subtype, w->out);
        if (w->extended) {
            buf_putc(w->out, ' ');
            put_params(m.params, m.n_params, w->out);
        }
    } else {
        if (part->kind == MIME_MESSAGE)
            buf_printf(w->out, " %u", part->lines);
        if (w->extended) {
            buf_putc(w->out, ' ');
            mime_put_nstring(f.value[MD5], w->out);
        }
    }
    if (w->extended)
        put_extension_tail(&f, &scratch, w->out);
    buf_putc(w->out, ')');
    arena_done(&scratch);
}

/* Down to the first leaf, on to the next sibling, up where there is none: no recursion. */
void mime_put_bodystructure(struct slice message, const struct mime *mime, uint32_t index,
                            bool extended, struct buf *out)
{
    struct writer w = {message, mime, extended, out};
    uint32_t at = index;

    for (;;) {
        begin_part(&w, at);
        if (mime->parts[at].first_child) {
            at = mime->parts[at].first_child;
            continue;
        }
        end_part(&w, at);
        while (at != index && !mime->parts[at].next) {
            at = mime->parts[at].parent;
            end_part(&w, at);
        }
        if (at == index)
            return;
        at = mime->parts[at].next;
    }
}
