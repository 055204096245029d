#include "protocols/imap/section.h"

/* clang-format off */
static const struct {
    const char *name;
    enum section_text text;
} section_texts[] = {
    { "HEADER",            SECTION_HEADER     },
    { "HEADER.FIELDS",     SECTION_FIELDS     },
    { "HEADER.FIELDS.NOT", SECTION_FIELDS_NOT },
    { "TEXT",              SECTION_TEXT       },
    { "MIME",              SECTION_MIME       },
};
/* clang-format on */

static bool complain(struct imap_cmd *c, const char *what)
{
    c->complaint = what;
    return false;
}

/* "HEADER.FIELDS": letters and dots. */
static bool parse_text(struct imap_cmd *c, struct section *out)
{
    size_t len = 0;

    while (len < c->rest.len && (ascii_is_alpha(c->rest.ptr[len]) || c->rest.ptr[len] == '.'))
        len++;
    struct slice word = slice_head(c->rest, len);
    c->rest = slice_from(c->rest, len);
    for (size_t i = 0; i < sizeof section_texts / sizeof section_texts[0]; i++) {
        if (slice_ieq(word, slice_str(section_texts[i].name))) {
            out->text = section_texts[i].text;
            return out->text != SECTION_MIME || out->n_path > 0 ||
                   complain(c, "MIME needs the number of a part");
        }
    }
    return complain(c, "unknown section");
}

bool section_parse_fields(struct imap_cmd *c, struct section *out)
{
    struct slice *fields = NULL;
    size_t n = 0, room = 0;

    if (!imap_arg_space(c) || !imap_arg_byte(c, '('))
        return complain(c, "a list of header fields is missing");
    do {
        if (n == room) {
            fields = arena_grow(&c->arena, fields, n, n + 4, sizeof *fields);
            room = n + n + 4;
        }
        if (!imap_arg_astring(c, &fields[n++]))
            return complain(c, "this is not the name of a header field");
    } while (imap_arg_byte(c, ' '));
    out->fields = fields;
    out->n_fields = n;
    return imap_arg_byte(c, ')') || complain(c, "the list of header fields has no end");
}

/* "1.2" and the dot before a text that follows. *more: there was such a dot. */
static bool parse_path(struct imap_cmd *c, struct section *out, bool *more)
{
    uint32_t *path = NULL;
    size_t n = 0, room = 0;

    *more = true;
    while (*more && c->rest.len && ascii_is_digit(c->rest.ptr[0])) {
        if (n == room) {
            path = arena_grow(&c->arena, path, n, n + 4, sizeof *path);
            room = n + n + 4;
        }
        if (!imap_arg_number(c, &path[n]) || path[n] == 0)
            return complain(c, "this is not the number of a part");
        n++;
        *more = imap_arg_byte(c, '.');
    }
    out->path = path;
    out->n_path = n;
    return true;
}

bool section_parse(struct imap_cmd *c, bool numbers_only, struct section *out)
{
    bool more;

    *out = (struct section){.text = SECTION_ALL};
    if (imap_arg_byte(c, ']'))
        return true;
    if (!parse_path(c, out, &more))
        return false;
    if (more && numbers_only)
        return complain(c, "BINARY takes the number of a part");
    if (more && !parse_text(c, out))
        return false;
    if ((out->text == SECTION_FIELDS || out->text == SECTION_FIELDS_NOT) &&
        !section_parse_fields(c, out))
        return false;
    return imap_arg_byte(c, ']') || complain(c, "the section has no end");
}

static const char *text_name(enum section_text text)
{
    for (size_t i = 0; i < sizeof section_texts / sizeof section_texts[0]; i++)
        if (section_texts[i].text == text)
            return section_texts[i].name;
    return "";
}

void section_put(const struct section *section, struct buf *out)
{
    for (size_t i = 0; i < section->n_path; i++) {
        if (i)
            buf_putc(out, '.');
        buf_put_u64(out, section->path[i]);
    }
    if (section->text == SECTION_ALL)
        return;
    if (section->n_path)
        buf_putc(out, '.');
    buf_puts(out, text_name(section->text));
    for (size_t i = 0; i < section->n_fields; i++) {
        buf_puts(out, i ? " " : " (");
        imap_put_astring(out, section->fields[i]);
    }
    if (section->n_fields)
        buf_putc(out, ')');
}

/* Of the whole message. */
static struct mime_range message_range(enum section_text text, uint64_t size, uint64_t header_len)
{
    if (header_len > size)
        header_len = size;
    switch (text) {
    case SECTION_ALL:
        return (struct mime_range){0, size};
    case SECTION_TEXT:
        return (struct mime_range){header_len, size - header_len};
    default:
        return (struct mime_range){0, header_len};
    }
}

bool section_find(const struct section *section, const struct mime *parts, uint64_t size,
                  uint32_t header_len, uint32_t *part, struct mime_range *range)
{
    uint32_t at = 0;

    if (section->n_path == 0) {
        *part = 0;
        *range = message_range(section->text, size, header_len);
        return true;
    }
    if (failed(mime_find(parts, section->path, section->n_path, &at)))
        return false;

    const struct mime_part *found = &parts->parts[at];
    if (section->text == SECTION_ALL) {
        *range = found->body;
    } else if (section->text == SECTION_MIME) {
        *range = found->header;
    } else if (found->kind != MIME_MESSAGE || found->first_child == 0) {
        return false; /* HEADER and TEXT are those of an embedded message */
    } else {
        const struct mime_part *embedded = &parts->parts[found->first_child];

        *range = section->text == SECTION_TEXT ? embedded->body : embedded->header;
    }
    *part = at;
    return true;
}

static bool names_field(const struct section *section, struct slice name)
{
    for (size_t i = 0; i < section->n_fields; i++)
        if (slice_ieq(section->fields[i], name))
            return true;
    return false;
}

void section_put_fields(const struct section *section, struct slice header, struct buf *out)
{
    bool want = section->text == SECTION_FIELDS;
    struct mime_field field;

    while (mime_next_field(&header, &field))
        if (names_field(section, field.name) == want)
            buf_put(out, field.all);
    /* RFC 9051 6.4.5.1: the empty line is there, unless the message has none. */
    if (header.len)
        buf_put(out, S("\r\n"));
}
