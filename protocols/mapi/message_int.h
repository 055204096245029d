/*
 * message_int.h - Message and Attachment objects inside: what the operations on them share.
 *
 * A message that is stored is read by snapshots whenever it is asked for; what was changed lies
 * over that, in memory (mapi_body.props). Its recipients and attachments are taken into memory as a
 * whole when the first of them is changed. A message that is embedded, and every attachment that is
 * open, is in memory: values are shared, so a copy costs little (held.h).
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_MESSAGE_INT_H
#define GATEPOST_PROTOCOLS_MAPI_MESSAGE_INT_H

#include "protocols/mapi/held.h"
#include "protocols/mapi/message.h"

/* Not among the names of prop.h ([MS-OXPROPS]). */
enum {
    TAG_TRUST_SENDER = 0x0E790003,
    TAG_ACCESS_LEVEL = 0x0FF70003,
    TAG_MESSAGE_LOCALE = 0x3FF10003,
    TAG_CREATOR_NAME = 0x3FF8001F,
    TAG_CREATOR_ENTRY_ID = 0x3FF90102,
    TAG_LAST_MODIFIER_NAME = 0x3FFA001F,
    TAG_LAST_MODIFIER_ENTRY_ID = 0x3FFB0102,
    TAG_MESSAGE_CODEPAGE = 0x3FFD0003,
    TAG_LOCALE = 0x66A10003,
    TAG_HAS_NAMED = 0x664A000B,
    TAG_STORE_ENTRY_ID = 0x0FFB0102,
    TAG_SIMPLE_NAME = 0x39FF001F,    /* PidTag7BitDisplayName */
    TAG_TRANSMITTABLE = 0x3A20001F,  /* PidTagTransmittableDisplayName */
    TAG_SEND_RICH_INFO = 0x3A40000B, /* PidTagSendRichInfo */
};

/* PidTagMessageFlags ([MS-OXCMSG] 2.2.1.6) */
enum message_flag {
    MESSAGE_READ = 0x1,
    MESSAGE_UNSENT = 0x8,
    MESSAGE_HAS_ATTACHMENTS = 0x10,
    MESSAGE_ASSOCIATED = 0x40,
    MESSAGE_RESEND = 0x80,
    MESSAGE_NOTIFY_READ = 0x100,
    MESSAGE_NOTIFY_UNREAD = 0x200,
    MESSAGE_EVER_READ = 0x400,
    /* What a client may set, until the message is saved first. */
    MESSAGE_CLIENTS = MESSAGE_READ | MESSAGE_UNSENT | MESSAGE_RESEND | MESSAGE_NOTIFY_READ |
                      MESSAGE_NOTIFY_UNREAD,
};

/* Room for what a message tells when it is opened, without recipients: message_tell(). */
enum { MESSAGE_ROOM = 2048 };

enum { MESSAGE_MAX_ATTACHMENTS = 1000, ATTACH_EMBEDDED = 5, IN_MEMORY = -1 };

struct mapi_body;

struct mapi_recipient {
    uint32_t row_id;
    struct held_props props;
};

/* An attachment of a message, as it was saved into it. */
struct mapi_part {
    uint32_t number; /* PidTagAttachNumber */
    long source;     /* its place in what is stored, or IN_MEMORY: */
    struct held_props props;
    struct mapi_body *embedded; /* NULL: none */
};

/* What is in memory of a message. */
struct mapi_body {
    struct mapi_context *context;
    struct held_props props;
    bool own_recipients; /* they are here, in the order of their row ids; else as they are stored */
    struct mapi_recipient *recipients;
    size_t n_recipients;
    bool own_parts; /* they are here; else as they are stored, numbered from 0 on */
    bool parts_changed;
    struct mapi_part *parts;
    size_t n_parts;
    uint32_t next_number; /* no number is given twice */
    uint64_t cost;        /* of a copy: what it was charged for its lists */
    uint32_t uid;         /* of the mail whose parts `source` counts: another has others */
};

struct mapi_message {
    struct mapi_object object;
    uint64_t fid, mid; /* counters. mid 0: it is not stored yet */
    uint64_t cn;       /* of what is stored, when it was opened or saved */
    bool writable, associated;
    int codepage;                   /* of PtypString8 */
    struct mapi_attachment *inside; /* of an embedded message; else NULL */
    struct mapi_body body;
    uint32_t *columns; /* of the rows of recipients */
    size_t n_columns;
    struct { /* the stored object, of one snapshot in one operation */
        uint64_t execute, version;
        const void *reply, *rd;
        struct store_object *object;
    } cache;
};

struct mapi_attachment {
    struct mapi_object object;
    struct mapi_message *message;
    uint32_t number;
    bool writable, fresh; /* fresh: never saved into the message */
    struct held_props props;
    struct mapi_body *embedded;
};

/* ---- bodies ---- */

void body_init(struct mapi_body *body, struct mapi_context *context);
void body_done(struct mapi_body *body);
struct mapi_body *body_new(struct mapi_context *context);
void body_free(struct mapi_body *body); /* NULL is fine */
/* NULL for NULL. EC_NOT_ENOUGH_MEMORY: the context may hold no more. */
uint32_t body_copy(const struct mapi_body *from, struct mapi_body **out);
/* How many messages are in one another, this one counted; 0 for NULL. */
unsigned body_depth(const struct mapi_body *body);
/* The same of an open one and those that it is in. */
unsigned message_depth(const struct mapi_message *message);
/* All of a content. */
uint32_t body_take(struct mapi_body *body, const struct store_content *from);
/* An attachment that is stored, and the message in it: *embedded was NULL. */
uint32_t attachment_take(struct held_props *props, struct mapi_body **embedded,
                         const struct store_attachment *from);
void part_done(struct mapi_part *part);

/* ---- objects ---- */

/* Heap; not opened yet. */
struct mapi_message *message_new(struct rop_call *call);
static inline struct mapi_message *message_of(struct mapi_object *object)
{
    return (struct mapi_message *)object;
}
struct mapi_attachment *attachment_new(struct rop_call *call, struct mapi_message *message);
static inline struct mapi_attachment *attachment_of(struct mapi_object *object)
{
    return (struct mapi_attachment *)object;
}
static inline bool message_is_stored(const struct mapi_message *message)
{
    return !message->inside && message->mid != 0;
}

/* What is stored of it. EC_OBJECT_DELETED: it is not there any more. */
uint32_t message_object(struct rop_call *call, struct store_read *rd, struct mapi_message *message,
                        struct store_object **out);
/* Its recipients and attachments; nothing of one that is not stored. */
uint32_t message_content(struct rop_call *call, struct store_read *rd, struct mapi_message *message,
                         struct store_content *out);

/* Its recipients, as they would be saved; in the order of their row ids. */
struct recipient_view {
    uint32_t row_id;
    struct store_props props;
};
uint32_t message_recipients(struct rop_call *call, struct store_read *rd,
                            struct mapi_message *message, struct recipient_view **out, size_t *n);
/* Take them, or the list of its attachments, into memory, to be changed. */
uint32_t message_own_recipients(struct rop_call *call, struct store_read *rd,
                                struct mapi_message *message);
uint32_t message_own_parts(struct rop_call *call, struct store_read *rd,
                           struct mapi_message *message);
/* EC_OBJECT_MODIFIED: what is stored now has other attachments than those that `source` counts. */
uint32_t message_check_parts(struct rop_call *call, struct store_read *rd,
                             struct mapi_message *message);
struct mapi_part *message_part(struct mapi_message *message, uint32_t number);

/* The properties that are held, those that were removed not. */
struct store_props held_props_of(const struct held_props *held, struct arena *in);
const struct store_prop *props_find(const struct store_props *props, uint16_t id);

/* Properties of what is attached that are computed, of a part or an open attachment. */
int64_t attachment_size(const struct store_props *props, const struct mapi_body *embedded);

/* ---- what goes into the mail that IMAP and POP3 see ---- */

/* Is a change of this property one of the message's bytes? */
bool tag_is_in_mail(struct store_read *rd, uint32_t tag, struct arena *in);
/* Does the store or the server tell it, so that it is not saved? */
bool tag_is_computed(uint32_t tag);
/* Is what is stored of that id void, for something that says the same was set? */
bool body_hides(const struct mapi_body *body, uint32_t tag);

/* ---- saving (message_save.c) ---- */

/* RopSaveChangesMessage of one that is not embedded. `then` is called with the outcome. */
uint32_t message_save(struct rop_call *call, struct mapi_message *message, bool force,
                      uint32_t (*then)(struct rop_call *call, uint32_t ec));

/* ---- operations in other files than their group's ---- */

uint32_t rop_do_set_message_status(struct rop_call *call);
uint32_t rop_do_get_message_status(struct rop_call *call);
uint32_t rop_do_set_read_flags(struct rop_call *call);
uint32_t rop_do_set_message_read(struct rop_call *call);
uint32_t rop_do_delete_messages(struct rop_call *call);
uint32_t rop_do_hard_delete_messages(struct rop_call *call);
uint32_t rop_do_move_messages(struct rop_call *call);

/* Where a message is, as seen from a folder. */
struct message_place {
    uint64_t fid; /* the folder or its shadow that has it */
    uint32_t uid;
    enum store_shadow shadow;
};
/* EC_NOT_FOUND: it is not of this folder. */
uint32_t message_locate(struct store_read *rd, uint64_t folder, uint64_t mid,
                        struct message_place *out);

/* EC_UNKNOWN_CODEPAGE. */
uint32_t message_codepage(struct rop_call *call, uint16_t id, int *out);
/* What a new message has ([MS-OXCMSG] 3.2.5.2). */
uint32_t message_initialise(struct rop_call *call, struct mapi_message *message);
/* Who changes it, at the time when it is saved ([MS-OXCMSG] 2.2.1.5, by way of 3.2.5.3). */
uint32_t message_set_modifier(struct rop_call *call, struct held_props *to);

/* What OpenMessage, ReloadCachedInformation and OpenEmbeddedMessage tell of a message. */
uint32_t message_tell(struct rop_call *call, struct mapi_message *message,
                      struct rop_open_message_reply *out, size_t room);
/* Rows of recipients from `row_id` on, as many as fit. */
uint32_t recipients_put(struct rop_call *call, const struct mapi_message *message,
                        const struct recipient_view *views, size_t n, bool with_row_id, size_t room,
                        struct rop_rows *out);
/* The columns of its rows: all that some recipient has beside what every row has. */
void recipients_columns(struct mapi_message *message, const struct recipient_view *views, size_t n);

#endif
