/*
 * notification.h - RopNotify ([MS-OXCNOTIF] 2.2.1.4.1): a response that nobody asked for.
 *
 * Threads    Pure functions: any thread.
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_NOTIFICATION_H
#define GATEPOST_PROTOCOLS_MAPI_NOTIFICATION_H

#include "protocols/mapi/wire.h"

enum { ROP_NOTIFY = 0x2A, ROP_PENDING_NOTIFICATIONS = 0x6E };

/* NotificationFlags: what happened, and what is told about it. */
enum notify_flag {
    NOTIFY_NEW_MAIL = 0x0002,
    NOTIFY_CREATED = 0x0004,
    NOTIFY_DELETED = 0x0008,
    NOTIFY_MODIFIED = 0x0010,
    NOTIFY_MOVED = 0x0020,
    NOTIFY_COPIED = 0x0040,
    NOTIFY_SEARCH_COMPLETE = 0x0080,
    NOTIFY_TABLE = 0x0100,
    NOTIFY_EXTENDED = 0x0400,
    NOTIFY_KINDS = 0x0FFF,
    NOTIFY_HAS_TOTAL = 0x1000,
    NOTIFY_HAS_UNREAD = 0x2000,
    NOTIFY_IN_SEARCH = 0x4000,
    NOTIFY_MESSAGE = 0x8000,
};

/* TableEventType. TABLE_CHANGED says no more than that. */
enum table_event {
    TABLE_CHANGED = 1,
    TABLE_ROW_ADDED = 3,
    TABLE_ROW_DELETED = 4,
    TABLE_ROW_MODIFIED = 5,
    TABLE_RESTRICTION_CHANGED = 7, /* only read: nothing is restricted behind a client's back */
};

/* Of a folder's row the message and the instance are not sent. */
struct rop_row_id {
    uint64_t fid, mid;
    uint32_t instance;
};

/* IDs as on the wire. What the flags do not call for is not sent. */
struct rop_notification {
    uint32_t handle; /* of the subscription, or the table */
    uint8_t logon;
    uint16_t flags;       /* enum notify_flag */
    uint16_t table_event; /* enum table_event */
    struct rop_row_id row;
    struct rop_row_id after; /* the row before it; zeros: it is the first */
    struct slice row_data;   /* a PropertyRow of the table's columns */
    uint64_t fid, mid, parent;
    uint64_t old_fid, old_mid, old_parent;
    uint32_t total, unread;
    uint32_t message_flags;
    struct slice class; /* UTF-8 */
};

void rop_notification_put(struct buf *out, const struct rop_notification *n);
/* One whole RopNotify. False: it is cut short, or of a kind of which the length is not known. */
bool rop_notification_read(struct wire *w, struct rop_notification *out);

#endif
