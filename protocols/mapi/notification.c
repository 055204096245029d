/* notification.c - RopNotify, field by field ([MS-OXCNOTIF] 2.2.1.4.1.2). */
#include "protocols/mapi/notification.h"

/* Of a folder, and of a message that is found in a search folder. */
static bool has_parent(uint16_t flags)
{
    uint16_t where = flags & (NOTIFY_MESSAGE | NOTIFY_IN_SEARCH);

    return (flags & (NOTIFY_CREATED | NOTIFY_DELETED | NOTIFY_MOVED | NOTIFY_COPIED)) &&
           (where == 0 || where == (NOTIFY_MESSAGE | NOTIFY_IN_SEARCH));
}

static bool has_row(uint16_t event)
{
    return event == TABLE_ROW_ADDED || event == TABLE_ROW_DELETED || event == TABLE_ROW_MODIFIED;
}

static bool has_row_data(uint16_t event)
{
    return event == TABLE_ROW_ADDED || event == TABLE_ROW_MODIFIED;
}

/* ---- writing ---- */

static void put_row_id(struct buf *out, uint16_t flags, const struct rop_row_id *id)
{
    wire_put_u64(out, id->fid);
    if (flags & NOTIFY_MESSAGE) {
        wire_put_u64(out, id->mid);
        wire_put_u32(out, id->instance);
    }
}

static void put_table(struct buf *out, const struct rop_notification *n)
{
    wire_put_u16(out, n->table_event);
    if (has_row(n->table_event))
        put_row_id(out, n->flags, &n->row);
    if (has_row_data(n->table_event)) {
        put_row_id(out, n->flags, &n->after);
        wire_put_u16(out, (uint16_t)n->row_data.len);
        buf_put(out, n->row_data);
    }
}

static void put_ids(struct buf *out, const struct rop_notification *n)
{
    bool message = n->flags & NOTIFY_MESSAGE;

    wire_put_u64(out, n->fid);
    if (message)
        wire_put_u64(out, n->mid);
    if (has_parent(n->flags))
        wire_put_u64(out, n->parent);
    if (n->flags & (NOTIFY_MOVED | NOTIFY_COPIED)) {
        wire_put_u64(out, n->old_fid);
        wire_put_u64(out, message ? n->old_mid : n->old_parent);
    }
}

static void put_new_mail(struct buf *out, const struct rop_notification *n)
{
    bool wide = !slice_is_ascii(n->class);

    wire_put_u32(out, n->message_flags);
    wire_put_u8(out, wide);
    if (wide)
        wire_put_usz(out, n->class);
    else
        wire_put_asz(out, n->class);
}

void rop_notification_put(struct buf *out, const struct rop_notification *n)
{
    wire_put_u8(out, ROP_NOTIFY);
    wire_put_u32(out, n->handle);
    wire_put_u8(out, n->logon);
    wire_put_u16(out, n->flags);
    if (n->flags & NOTIFY_TABLE) {
        put_table(out, n);
        return;
    }
    put_ids(out, n);
    if (n->flags & (NOTIFY_CREATED | NOTIFY_MODIFIED))
        wire_put_u16(out, 0); /* TagCount: which properties is not told */
    if (n->flags & NOTIFY_HAS_TOTAL)
        wire_put_u32(out, n->total);
    if (n->flags & NOTIFY_HAS_UNREAD)
        wire_put_u32(out, n->unread);
    if (n->flags & NOTIFY_NEW_MAIL)
        put_new_mail(out, n);
}

/* ---- reading ---- */

static struct rop_row_id read_row_id(struct wire *w, uint16_t flags)
{
    struct rop_row_id id = {.fid = wire_u64(w)};

    if (flags & NOTIFY_MESSAGE) {
        id.mid = wire_u64(w);
        id.instance = wire_u32(w);
    }
    return id;
}

/* False: there may be more behind it than is known. */
static bool read_table(struct wire *w, struct rop_notification *n)
{
    n->table_event = wire_u16(w);
    if (has_row(n->table_event))
        n->row = read_row_id(w, n->flags);
    if (has_row_data(n->table_event)) {
        n->after = read_row_id(w, n->flags);
        n->row_data = wire_bytes(w, wire_u16(w));
    }
    return has_row(n->table_event) || n->table_event == TABLE_CHANGED ||
           n->table_event == TABLE_RESTRICTION_CHANGED;
}

static void read_ids(struct wire *w, struct rop_notification *n)
{
    bool message = n->flags & NOTIFY_MESSAGE;

    n->fid = wire_u64(w);
    if (message)
        n->mid = wire_u64(w);
    if (has_parent(n->flags))
        n->parent = wire_u64(w);
    if (n->flags & (NOTIFY_MOVED | NOTIFY_COPIED)) {
        n->old_fid = wire_u64(w);
        *(message ? &n->old_mid : &n->old_parent) = wire_u64(w);
    }
}

static void read_tags(struct wire *w)
{
    uint16_t n = wire_u16(w);

    if (n != 0xFFFF)
        wire_bytes(w, 4u * n);
}

static void read_body(struct wire *w, struct rop_notification *n)
{
    read_ids(w, n);
    if (n->flags & (NOTIFY_CREATED | NOTIFY_MODIFIED))
        read_tags(w);
    if (n->flags & NOTIFY_HAS_TOTAL)
        n->total = wire_u32(w);
    if (n->flags & NOTIFY_HAS_UNREAD)
        n->unread = wire_u32(w);
    if (n->flags & NOTIFY_NEW_MAIL) {
        n->message_flags = wire_u32(w);
        n->class = wire_u8(w) ? wire_usz(w) : wire_asz(w);
    }
}

bool rop_notification_read(struct wire *w, struct rop_notification *out)
{
    *out = (struct rop_notification){0};
    bool known = wire_u8(w) == ROP_NOTIFY;

    out->handle = wire_u32(w);
    out->logon = wire_u8(w);
    out->flags = wire_u16(w);
    if (out->flags & NOTIFY_TABLE)
        known = read_table(w, out) && known;
    else if (!(out->flags & NOTIFY_EXTENDED))
        read_body(w, out);
    return known && !w->failed;
}
