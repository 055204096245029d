#include "store/mime/mime_int.h"

/* The fields of an ENVELOPE, in its order (RFC 3501 7.4.2). */
enum { DATE, SUBJECT, FROM, SENDER, REPLY_TO, TO, CC, BCC, IN_REPLY_TO, MESSAGE_ID, FIELDS };

static const char *const names[FIELDS] = {"Date", "Subject", "From", "Sender",      "Reply-To",
                                          "To",   "Cc",      "Bcc",  "In-Reply-To", "Message-ID"};

struct found {
    struct slice value; /* of the first such field */
    struct slice rest;  /* the header behind it, if there are more */
    bool present, more;
};

static int field_index(struct slice name)
{
    if (name.len < 2 || name.len > 11)
        return -1;
    for (int i = 0; i < FIELDS; i++)
        if (slice_ieq(name, slice_str(names[i])))
            return i;
    return -1;
}

static void find_fields(struct slice header, struct found *found)
{
    struct mime_field field;

    while (mime_next_field(&header, &field)) {
        int i = field_index(field.name);

        if (i < 0)
            continue;
        if (found[i].present)
            found[i].more = true;
        else
            found[i] = (struct found){field.value, header, true, false};
    }
}

/* Present but empty is the empty string, not NIL (RFC 3501 7.4.2). */
static void put_text(const struct found *f, struct buf *out)
{
    if (f->present)
        mime_put_string(mime_trim(f->value), out);
    else
        buf_puts(out, "NIL");
}

/*
 * A NIL host says group, and a NIL mailbox its end, so an address that lacks one of them has it
 * empty.
 */
static void put_address(const struct mime_address *a, struct buf *out)
{
    if (a->kind == MIME_GROUP_START) {
        buf_puts(out, "(NIL NIL ");
        mime_put_string(a->mailbox, out);
        buf_puts(out, " NIL)");
        return;
    }
    if (a->kind == MIME_GROUP_END) {
        buf_puts(out, "(NIL NIL NIL NIL)");
        return;
    }
    buf_putc(out, '(');
    mime_put_nstring(a->raw_name, out);
    buf_putc(out, ' ');
    mime_put_nstring(a->route, out);
    buf_putc(out, ' ');
    mime_put_string(a->mailbox, out);
    buf_putc(out, ' ');
    mime_put_string(a->host, out);
    buf_putc(out, ')');
}

/* Put the addresses of one value behind `used` others. Returns how many there are then. */
static size_t put_value(struct slice value, size_t used, struct buf *out)
{
    struct arena scratch = ARENA_INIT;
    struct address_reader r = {.rest = value, .in = &scratch};
    struct mime_address address;

    while (used < MIME_MAX_ADDRESSES && mime_next_address(&r, &address)) {
        if (used++ == 0)
            buf_putc(out, '(');
        put_address(&address, out);
    }
    /* A group that the bound cuts has an end all the same. */
    if (r.in_group && used) {
        address = (struct mime_address){.kind = MIME_GROUP_END};
        put_address(&address, out);
    }
    arena_done(&scratch);
    return used;
}

/* Several To fields are one list: none may hide another. */
static bool put_addresses(const struct found *f, int which, struct buf *out)
{
    struct slice rest = f->rest;
    struct mime_field field;
    size_t used = 0;

    if (f->present)
        used = put_value(f->value, used, out);
    while (f->more && mime_next_field(&rest, &field))
        if (slice_ieq(field.name, slice_str(names[which])))
            used = put_value(field.value, used, out);
    buf_puts(out, used ? ")" : "");
    return used > 0;
}

void mime_put_envelope(struct slice header, struct buf *out)
{
    struct found found[FIELDS] = {0};

    find_fields(slice_head(header, MIME_MAX_HEADER), found);
    buf_putc(out, '(');
    for (int i = 0; i < FIELDS; i++) {
        if (i > 0)
            buf_putc(out, ' ');
        if (i < FROM || i > BCC) {
            put_text(&found[i], out);
            continue;
        }
        bool any = put_addresses(&found[i], i, out);
        /* Sender and Reply-To default to From (RFC 3501 7.4.2). */
        if (!any && (i == SENDER || i == REPLY_TO))
            any = put_addresses(&found[FROM], FROM, out);
        if (!any)
            buf_puts(out, "NIL");
    }
    buf_putc(out, ')');
}
