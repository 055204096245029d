/*
 * fuzz_export.c - any mail as properties, these as a mail again, and that as properties once more.
 *
 * What is written is clean: ASCII but for nothing, lines that end in CRLF and are not too long. The
 * subject, the number of recipients and attachments, and their data are the same both times.
 */
#include "store/mapi/oxcmail.h"
#include "store/mapi/oxcmail_export.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool good)
{
    if (!good)
        abort();
}

static void check_clean(struct slice bytes)
{
    size_t line = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t c = bytes.ptr[i];
        bool ends = c == '\r' && i + 1 < bytes.len && bytes.ptr[i + 1] == '\n';

        require(ends || (c >= 0x20 && c < 0x7F) || c == '\t');
        line = ends ? 0 : line + 1;
        require(line <= 998);
        i += ends;
    }
}

struct view {
    struct mime mime;
    struct oxcmail mail;
    struct prop_list props;
};

static void look(struct slice bytes, struct arena *in, struct view *v)
{
    mime_parse(bytes, in, &v->mime);
    oxcmail_open(bytes, &v->mime, in, &v->mail);
    v->props = (struct prop_list){.in = in};
    oxcmail_properties(&v->mail, &v->props);
    prop_add_bytes(&v->props, PR_BODY, oxcmail_body(&v->mail));
    if (v->mail.html != OXCMAIL_NO_PART)
        prop_add_bytes(&v->props, PR_HTML, oxcmail_html(&v->mail));
}

static struct store_props props_of(const struct prop_list *list, struct arena *in)
{
    struct store_prop *items = arena_array(in, list->n, sizeof *items);

    for (size_t i = 0; i < list->n; i++)
        items[i] = (struct store_prop){.tag = list->items[i].tag, .value = list->items[i].value};
    return (struct store_props){items, list->n};
}

static struct store_content content_of(struct view *v, struct arena *in)
{
    struct store_attachment *attachments =
        arena_array(in, v->mail.n_attachments, sizeof *attachments);
    struct prop_list *rows;
    size_t n = oxcmail_recipients(&v->mail, &rows);
    struct store_props *recipients = arena_array(in, n, sizeof *recipients);

    for (size_t i = 0; i < n; i++)
        recipients[i] = props_of(&rows[i], in);
    for (size_t i = 0; i < v->mail.n_attachments; i++) {
        struct prop_list list = {.in = in};

        oxcmail_attachment(&v->mail, i, &list);
        prop_add_bytes(&list, PR_ATTACH_DATA, oxcmail_attachment_data(&v->mail, i));
        attachments[i].props = props_of(&list, in);
    }
    return (struct store_content){.props = props_of(&v->props, in),
                                  .recipients = recipients,
                                  .n_recipients = n,
                                  .attachments = attachments,
                                  .n_attachments = v->mail.n_attachments};
}

static bool same_data(const struct view *a, size_t i, const struct view *b)
{
    for (size_t k = 0; k < b->mail.n_attachments; k++)
        if (slice_eq(oxcmail_attachment_data(&a->mail, i), oxcmail_attachment_data(&b->mail, k)))
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct oxcmail_export how = {.now = 0};
    struct arena arena = ARENA_INIT;
    struct buf out = buf_make(64 << 20);
    struct view first, second;

    look(slice_of(data, size), &arena, &first);
    struct store_content content = content_of(&first, &arena);

    require(!failed(oxcmail_export(&how, &content, &out)));
    check_clean(buf_slice(&out));
    look(buf_slice(&out), &arena, &second);
    require(slice_eq(oxcmail_body(&first.mail), oxcmail_body(&second.mail)));
    require(first.mail.n_attachments == second.mail.n_attachments);
    for (size_t i = 0; i < first.mail.n_attachments; i++)
        require(same_data(&first, i, &second));
    buf_done(&out);
    arena_done(&arena);
    return 0;
}
