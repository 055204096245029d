/* oxcmail_parts.c - recipients and attachments ([MS-OXCMAIL] 2.2.3.1.1, 2.2.3.4). */
#include "store/mapi/oxcmail_int.h"

/* ---- recipients ---- */

static struct prop_list recipient(const struct oxcmail *m, size_t row, int type,
                                  const struct mime_address *address)
{
    struct oxcmail_address a = oxcmail_address(m, address);
    struct prop_list list = {.in = m->in};

    prop_add_number(&list, PR_ROWID, (int64_t)row);
    prop_add_number(&list, PR_RECIPIENT_TYPE, type);
    prop_add_number(&list, PR_RESPONSIBILITY, 1);
    prop_add_number(&list, PR_OBJECT_TYPE, 6); /* a mail user */
    prop_add_number(&list, PR_DISPLAY_TYPE, 0);
    prop_add_bytes(&list, PR_DISPLAY_NAME, a.name);
    prop_add_bytes(&list, PR_ADDRESS_TYPE, S("SMTP"));
    prop_add_bytes(&list, PR_EMAIL_ADDRESS, a.email);
    prop_add_bytes(&list, PR_SMTP_ADDRESS, a.email);
    prop_add_bytes(&list, PR_SEARCH_KEY, a.search_key);
    return list;
}

struct recipients {
    struct prop_list *rows;
    size_t n, cap;
};

static void add_recipients(const struct oxcmail *m, struct slice field, int type,
                           struct recipients *to)
{
    struct oxcmail_walk walk = oxcmail_walk(m, field);
    const struct mime_address *address;

    while ((address = oxcmail_next(m, &walk))) {
        if (to->n == to->cap) {
            size_t more = to->cap ? to->cap : 16;

            to->rows = arena_grow(m->in, to->rows, to->n, more, sizeof *to->rows);
            to->cap += more;
        }
        to->rows[to->n] = recipient(m, to->n, type, address);
        to->n++;
    }
}

size_t oxcmail_recipients(const struct oxcmail *m, struct prop_list **out)
{
    struct recipients to = {NULL, 0, 0};

    add_recipients(m, S("To"), 1, &to);
    add_recipients(m, S("Cc"), 2, &to);
    add_recipients(m, S("Bcc"), 3, &to);
    *out = to.rows;
    return to.n;
}

/* ---- attachments ---- */

/* From Content-Disposition's filename, else Content-Type's name. */
static struct slice file_name(const struct oxcmail *m, uint32_t part, const struct mime_type *type)
{
    struct mime_field field;
    struct mime_token_params disposition = {0};

    if (mime_get_field(oxcmail_header(m, part), S("Content-Disposition"), &field))
        mime_parse_params(field.value, m->in, &disposition);
    struct slice name = mime_param(disposition.params, disposition.n_params, S("filename"));
    return name.len ? name : mime_param(type->params, type->n_params, S("name"));
}

static struct slice extension_of(struct slice name)
{
    size_t dot = name.len;

    while (dot > 0 && name.ptr[dot - 1] != '.')
        dot--;
    return dot > 1 ? slice_from(name, dot - 1) : SLICE_EMPTY;
}

/* The value of a field without the angle brackets around it (2.2.3.4.1.4). */
static struct slice bare_id(const struct oxcmail *m, uint32_t part, struct slice name)
{
    struct mime_field field;

    if (!mime_get_field(oxcmail_header(m, part), name, &field))
        return SLICE_EMPTY;
    struct slice id = slice_trim(mime_unfold(field.value, m->in));
    if (id.len >= 2 && id.ptr[0] == '<' && id.ptr[id.len - 1] == '>')
        id = slice_sub(id, 1, id.len - 2);
    return id;
}

static bool in_related(const struct oxcmail *m, uint32_t part)
{
    const struct mime_type *type = oxcmail_type(m, m->mime.parts[part].parent);

    return part != 0 && slice_eq(type->type, S("multipart")) &&
           slice_eq(type->subtype, S("related"));
}

static void add_name(struct slice name, struct prop_list *out)
{
    if (name.len == 0)
        return;
    prop_add_bytes(out, PR_DISPLAY_NAME, name);
    prop_add_bytes(out, PR_ATTACH_LONG_FILENAME, name);
    prop_add_bytes(out, PR_ATTACH_FILENAME, name);
    struct slice extension = extension_of(name);
    if (extension.len)
        prop_add_bytes(out, PR_ATTACH_EXTENSION, extension);
}

static struct slice mime_tag(const struct oxcmail *m, const struct mime_type *type)
{
    struct buf out = buf_make(64 * 1024);

    buf_put(&out, type->type);
    buf_putc(&out, '/');
    buf_put(&out, type->subtype);
    struct slice kept = arena_slice(m->in, buf_slice(&out));
    buf_done(&out);
    return kept;
}

/* What an embedded message is called is its subject. */
static struct slice embedded_subject(const struct oxcmail *m, uint32_t part)
{
    uint32_t child = m->mime.parts[part].first_child;
    struct mime_field subject;

    if (child == 0 || !mime_get_field(oxcmail_header(m, child), S("Subject"), &subject))
        return SLICE_EMPTY;
    return slice_trim(mime_text(subject.value, m->in));
}

void oxcmail_attachment(const struct oxcmail *m, size_t number, struct prop_list *out)
{
    uint32_t part = m->attachments[number];
    const struct mime_type *type = oxcmail_type(m, part);
    bool embedded = m->mime.parts[part].kind == MIME_MESSAGE, whole = part == 0;
    bool smime = whole && !slice_eq(type->type, S("text"));
    struct slice name = smime ? S("smime.p7m") : file_name(m, part, type);
    struct slice id = bare_id(m, part, S("Content-ID"));
    struct slice location = bare_id(m, part, S("Content-Location"));

    prop_add_number(out, PR_ATTACH_NUMBER, (int64_t)number);
    prop_add_number(out, PR_ATTACH_METHOD, embedded ? 5 : 1);
    prop_add_number(out, PR_ATTACH_SIZE, (int64_t)oxcmail_attachment_data(m, number).len);
    prop_add_number(out, PR_RENDERING_POSITION, -1);
    prop_add_bytes(out, PR_ATTACH_MIME_TAG, mime_tag(m, type));
    add_name(name.len || !embedded ? name : embedded_subject(m, part), out);
    if (id.len)
        prop_add_bytes(out, PR_ATTACH_CONTENT_ID, id);
    if (location.len)
        prop_add_bytes(out, PR_ATTACH_CONTENT_LOCATION, location);
    /* A picture that the HTML shows is not in the list of attachments that people see. */
    bool inline_part = id.len > 0 && in_related(m, part);
    prop_add_number(out, PR_ATTACH_FLAGS, inline_part ? 4 : 0);
    prop_add_number(out, PR_ATTACHMENT_HIDDEN, inline_part);
}

struct slice oxcmail_attachment_data(const struct oxcmail *m, size_t number)
{
    uint32_t part = m->attachments[number];

    if (part == 0 && m->mime.parts[0].kind == MIME_MULTIPART)
        return m->message; /* clear-signed: the signature covers the bytes as they are */
    return oxcmail_content(m, part);
}
