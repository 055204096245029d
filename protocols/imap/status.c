#include "protocols/imap/folders.h"
#include "protocols/imap/handlers.h"

enum item {
    ITEM_MESSAGES = 1 << 0,
    ITEM_RECENT = 1 << 1,
    ITEM_UIDNEXT = 1 << 2,
    ITEM_UIDVALIDITY = 1 << 3,
    ITEM_UNSEEN = 1 << 4,
    ITEM_DELETED = 1 << 5,
    ITEM_SIZE = 1 << 6,
    ITEM_HIGHESTMODSEQ = 1 << 7,
    ITEM_APPENDLIMIT = 1 << 8,
    ITEM_MAILBOXID = 1 << 9,
};

static const struct {
    const char *name;
    unsigned item;
} items_by_name[] = {
    {"MESSAGES", ITEM_MESSAGES},
    {"RECENT", ITEM_RECENT},
    {"UIDNEXT", ITEM_UIDNEXT},
    {"UIDVALIDITY", ITEM_UIDVALIDITY},
    {"UNSEEN", ITEM_UNSEEN},
    {"DELETED", ITEM_DELETED},
    {"SIZE", ITEM_SIZE},
    {"HIGHESTMODSEQ", ITEM_HIGHESTMODSEQ},
    {"APPENDLIMIT", ITEM_APPENDLIMIT},
    {"MAILBOXID", ITEM_MAILBOXID},
};

enum { ITEMS = sizeof items_by_name / sizeof *items_by_name };

static unsigned item_named(struct slice name)
{
    for (size_t i = 0; i < ITEMS; i++)
        if (slice_ieq(name, slice_str(items_by_name[i].name)))
            return items_by_name[i].item;
    return 0;
}

bool imap_arg_status_items(struct imap_cmd *c, unsigned *items)
{
    unsigned mask = 0, item;
    struct slice name;

    if (!imap_arg_byte(c, '('))
        return false;
    do {
        if (!imap_arg_atom(c, &name))
            return false;
        item = item_named(name);
        if (!item) {
            c->complaint = "There is no such item of STATUS";
            return false;
        }
        mask |= item;
    } while (imap_arg_byte(c, ' '));
    *items = mask;
    return imap_arg_byte(c, ')');
}

struct values {
    const struct store_folder *folder;
    struct mailbox_info info;
    uint32_t recent;
    uint64_t append_limit;
};

static void put_item(struct buf *out, unsigned item, const struct values *v)
{
    const struct store_folder *f = v->folder;

    if (item == ITEM_MAILBOXID) {
        buf_putc(out, '(');
        store_mailbox_object_id(&v->info, f, out);
        buf_putc(out, ')');
        return;
    }
    buf_put_u64(out, item == ITEM_MESSAGES        ? f->exists
                     : item == ITEM_RECENT        ? v->recent
                     : item == ITEM_UIDNEXT       ? f->uidnext
                     : item == ITEM_UIDVALIDITY   ? f->uidvalidity
                     : item == ITEM_UNSEEN        ? f->unseen
                     : item == ITEM_DELETED       ? f->deleted
                     : item == ITEM_SIZE          ? f->size
                     : item == ITEM_HIGHESTMODSEQ ? f->modseq
                                                  : v->append_limit);
}

struct err imap_put_status(struct imap_session *s, struct store_read *rd, struct slice path,
                           const struct store_folder *folder, unsigned items)
{
    struct values v = {.folder = folder, .append_limit = imap_max_message(s)};
    const char *separator = "";
    struct err e = OK;

    if (items & ITEM_MAILBOXID)
        e = store_mailbox_info(rd, &v.info);
    if (!failed(e) && items & ITEM_RECENT)
        e = imap_count_recent(s, rd, folder, &v.recent);
    if (failed(e))
        return e;
    if (items & ITEM_HIGHESTMODSEQ)
        imap_condstore_on(s);
    buf_puts(s->out, "* STATUS ");
    imap_put_mailbox(s, s->out, path);
    buf_puts(s->out, " (");
    for (size_t i = 0; i < ITEMS; i++) {
        if (!(items & items_by_name[i].item))
            continue;
        buf_printf(s->out, "%s%s ", separator, items_by_name[i].name);
        put_item(s->out, items_by_name[i].item, &v);
        separator = " ";
    }
    buf_puts(s->out, ")\r\n");
    return OK;
}

enum imap_step imap_cmd_status(struct imap_session *s, struct imap_cmd *c)
{
    struct store_folder folder;
    struct store_read *rd;
    struct slice path;
    unsigned items;

    if (!imap_arg_mailbox(s, c, &path) || !imap_arg_space(c) || !imap_arg_status_items(c, &items) ||
        !imap_arg_end(c))
        return imap_bad_args(c);
    struct err e = store_read_begin(s->mailbox, &rd);
    if (failed(e))
        return imap_no_err(s, c, e);
    e = store_folder_find(rd, path, &folder);
    if (!failed(e) && (folder.noselect || !folder.visible))
        e = ERR(ERR_NOT_FOUND, "only a level of the hierarchy");
    if (!failed(e))
        e = imap_put_status(s, rd, path, &folder, items);
    store_read_end(rd);
    return failed(e) ? imap_no_err(s, c, e) : imap_ok(c, "Done");
}
