#include "store/mapi/html.h"
#include "store/mapi/oxcmail_int.h"

enum { CONTENT_MAX = 64 * 1024 * 1024 };

/* ---- helpers that the other files share ---- */

struct slice oxcmail_header(const struct oxcmail *m, uint32_t part)
{
    const struct mime_range *range = &m->mime.parts[part].header;

    return slice_sub(m->message, (size_t)range->start, (size_t)range->len);
}

struct slice oxcmail_content(const struct oxcmail *m, uint32_t part)
{
    const struct mime_range *range = &m->mime.parts[part].body;
    struct slice body = slice_sub(m->message, (size_t)range->start, (size_t)range->len);
    enum mime_encoding encoding = mime_transfer_encoding(oxcmail_header(m, part));
    struct buf out = buf_make(CONTENT_MAX);
    struct mime_decoder decoder;

    if (encoding != MIME_QP && encoding != MIME_BASE64)
        return body;
    mime_decoder_init(&decoder, encoding);
    mime_decode_piece(&decoder, body, &out);
    mime_decode_end(&decoder, &out);
    struct slice kept = arena_slice(m->in, buf_slice(&out));
    buf_done(&out);
    return kept;
}

struct slice oxcmail_text(const struct oxcmail *m, struct slice field)
{
    struct mime_field found;

    if (!mime_get_field(oxcmail_header(m, 0), field, &found))
        return SLICE_EMPTY;
    return slice_trim(mime_text(found.value, m->in));
}

struct slice oxcmail_raw(const struct oxcmail *m, struct slice field)
{
    struct mime_field found;

    if (!mime_get_field(oxcmail_header(m, 0), field, &found))
        return SLICE_EMPTY;
    return slice_trim(mime_unfold(found.value, m->in));
}

/* ---- which part plays which role ---- */

static bool is_type(const struct mime_type *type, struct slice want, struct slice subtype)
{
    return slice_eq(type->type, want) && (subtype.len == 0 || slice_eq(type->subtype, subtype));
}

/* Does this multipart show its child `index` as (part of) the message's text? */
static bool shows_as_body(const struct oxcmail *m, uint32_t multipart, uint32_t index)
{
    const struct mime_type *type = oxcmail_type(m, multipart);

    /* Of an alternative each child is the body in its own form; of the others the first is. */
    return is_type(type, S("multipart"), S("alternative")) ||
           m->mime.parts[multipart].first_child == index;
}

static bool is_attached(const struct oxcmail *m, uint32_t part)
{
    struct mime_field field;
    struct mime_token_params disposition;

    if (!mime_get_field(oxcmail_header(m, part), S("Content-Disposition"), &field))
        return false;
    mime_parse_params(field.value, m->in, &disposition);
    return slice_ieq(disposition.token, S("attachment"));
}

/* What is known of each part while they are walked in order: parents stand before children. */
struct role {
    bool embedded; /* inside a message/rfc822, so not this message's own */
    bool body;     /* where a body may stand */
};

static void add_attachment(struct oxcmail *m, uint32_t part)
{
    m->attachments[m->n_attachments++] = part;
}

static void place_leaf(struct oxcmail *m, uint32_t part, const struct role *role)
{
    const struct mime_type *type = oxcmail_type(m, part);
    bool text = role->body && m->mime.parts[part].kind == MIME_LEAF && !is_attached(m, part);

    if (text && m->plain == OXCMAIL_NO_PART && is_type(type, S("text"), S("plain")))
        m->plain = part;
    else if (text && m->html == OXCMAIL_NO_PART && is_type(type, S("text"), S("html")))
        m->html = part;
    else
        add_attachment(m, part);
}

static struct role role_of(const struct oxcmail *m, const struct role *roles, uint32_t part)
{
    uint32_t parent = m->mime.parts[part].parent;

    if (part == 0)
        return (struct role){.embedded = false, .body = true};
    return (struct role){
        .embedded = roles[parent].embedded || m->mime.parts[parent].kind == MIME_MESSAGE,
        .body = roles[parent].body && shows_as_body(m, parent, part),
    };
}

/* S/MIME: clear-signed or enveloped; the whole of it is the one attachment (2.2.3.4.3). */
static bool is_smime(const struct mime_type *type)
{
    return is_type(type, S("multipart"), S("signed")) ||
           is_type(type, S("application"), S("pkcs7-mime")) ||
           is_type(type, S("application"), S("x-pkcs7-mime"));
}

static struct mime_type *read_types(const struct oxcmail *m)
{
    struct mime_type *types = arena_array(m->in, m->mime.n_parts, sizeof *types);

    for (uint32_t i = 0; i < m->mime.n_parts; i++)
        mime_content_type(oxcmail_header(m, i), false, m->in, &types[i]);
    return types;
}

void oxcmail_open(struct slice message, const struct mime *mime, struct arena *in,
                  struct oxcmail *out)
{
    struct oxcmail m = {
        .message = message,
        .mime = *mime,
        .in = in,
        .plain = OXCMAIL_NO_PART,
        .html = OXCMAIL_NO_PART,
    };
    struct role *roles = arena_array(in, mime->n_parts, sizeof *roles);

    m.types = read_types(&m);
    m.attachments = arena_array(in, mime->n_parts, sizeof *m.attachments);
    for (uint32_t i = 0; i < mime->n_parts; i++) {
        roles[i] = role_of(&m, roles, i);
        if (!roles[i].embedded && mime->parts[i].kind != MIME_MULTIPART)
            place_leaf(&m, i, &roles[i]);
    }
    if (is_smime(oxcmail_type(&m, 0))) {
        m.n_attachments = 0;
        add_attachment(&m, 0);
    }
    *out = m;
}

/* ---- bodies ---- */

/* A part's text in UTF-8, appended. */
static void put_text(const struct oxcmail *m, uint32_t part, struct buf *out)
{
    const struct mime_type *type = oxcmail_type(m, part);
    struct slice charset = mime_param(type->params, type->n_params, S("charset"));
    struct slice bytes = oxcmail_content(m, part);
    struct err e = mime_to_utf8(charset.len ? charset : S("us-ascii"), bytes, out);

    if (failed(e)) { /* no such charset: the one that mislabelled mail mostly has */
        buf_clear(out);
        e = mime_to_utf8(slice_is_utf8(bytes) ? S("utf-8") : S("windows-1252"), bytes, out);
    }
    if (failed(e))
        buf_clear(out);
}

/* Of mail that is HTML alone: what people read of that ([MS-OXCMAIL] 2.2.3.3). */
struct slice oxcmail_body(const struct oxcmail *m)
{
    struct buf out = buf_make(4 * (size_t)CONTENT_MAX), html = buf_make(4 * (size_t)CONTENT_MAX);

    if (m->plain != OXCMAIL_NO_PART) {
        put_text(m, m->plain, &out);
    } else if (m->html != OXCMAIL_NO_PART) {
        put_text(m, m->html, &html);
        html_to_text(buf_slice(&html), &out);
    }
    struct slice kept = out.len ? arena_slice(m->in, buf_slice(&out)) : SLICE_EMPTY;
    buf_done(&html);
    buf_done(&out);
    return kept;
}

struct slice oxcmail_html(const struct oxcmail *m)
{
    return m->html == OXCMAIL_NO_PART ? SLICE_EMPTY : oxcmail_content(m, m->html);
}
