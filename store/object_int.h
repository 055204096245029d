/* object_int.h - what reading and changing MAPI objects share: the computed properties. */
#ifndef GATEPOST_STORE_OBJECT_INT_H
#define GATEPOST_STORE_OBJECT_INT_H

#include "store/bag.h"
#include "store/mapi/columns.h"
#include "store/mapi/oxcmail.h"

struct store_object {
    struct store_read *rd;
    struct arena *in;
    enum store_object_kind kind;
    uint64_t id, fid;
    const struct mailbox_rec *rec;
    struct folder_rec folder; /* of a folder */
    struct message_row row;   /* of a message */
    struct bag bag;
    bool have_mail, have_derived, have_bodies, have_columns;
    struct mail_columns columns;
    struct oxcmail mail;
    struct prop_list derived;
};

/* Where a message is. */
const struct message_place *object_place(const struct store_object *object);

/* What happens when a computed property is set. */
enum computed_how {
    COMPUTED_FIXED,   /* it is refused */
    COMPUTED_SPLIT,   /* what belongs to the row goes there, the rest into the bag (property.c) */
    COMPUTED_DEFAULT, /* what was set is kept, and wins */
};

struct computed {
    uint32_t tag;
    unsigned kinds; /* of objects: enum store_object_kind, or'ed */
    enum computed_how how;
    /* ERR_NOT_FOUND: it has none now. */
    struct err (*get)(struct store_object *object, uint32_t tag, struct prop_value *out);
};

/* The computed property of that id and, where it is not PROP_UNSPECIFIED, type; or NULL. */
const struct computed *computed_find(enum store_object_kind kind, uint32_t tag);
/* The next one that objects of this kind have; `before` NULL: the first. NULL: no more. */
const struct computed *computed_next(enum store_object_kind kind, const struct computed *before);

/* PidTagConversationId: conversation.c. */
struct err conversation_id(struct store_object *object, uint32_t tag,
                           struct prop_value *out) MUST_USE;

/* PidTagMessageFlags ([MS-OXCMSG] 2.2.1.6). */
enum {
    MF_READ = 0x1,
    MF_UNMODIFIED = 0x2,
    MF_SUBMITTED = 0x4,
    MF_UNSENT = 0x8,
    MF_HAS_ATTACHMENTS = 0x10,
    MF_FROM_ME = 0x20,
    MF_ASSOCIATED = 0x40,
    MF_RESEND = 0x80,
    MF_NOTIFY_READ = 0x100,
    MF_NOTIFY_UNREAD = 0x200,
    MF_EVER_READ = 0x400,
    MF_INTERNET = 0x2000,
    /* What the bag keeps of it. */
    MF_KEPT =
        MF_SUBMITTED | MF_FROM_ME | MF_RESEND | MF_NOTIFY_READ | MF_NOTIFY_UNREAD | MF_EVER_READ,
};

enum { STATUS_DELMARKED = 0x8 };                                     /* PidTagMessageStatus */
enum { FLAG_STATUS_COMPLETE = 1, FLAG_STATUS_FOLLOWUP = 2 };         /* [MS-OXOFLAG] 2.2.1.1 */
enum { VERB_REPLY = 102, VERB_REPLY_ALL = 103, VERB_FORWARD = 104 }; /* [MS-OXOMSG] 2.2.1.4 */
enum { ICON_REPLIED = 0x105, ICON_FORWARDED = 0x106 };               /* [MS-OXCMSG] 2.2.1.10 */

/* The keyword of IMAP that says what VERB_FORWARD does. */
#define KEYWORD_FORWARDED "$Forwarded"

/* The id of PidNameKeywords in this mailbox. ERR_NOT_FOUND: nobody has named it yet. */
struct err keywords_prop_id(struct engine_read *rd, uint16_t *id) MUST_USE;

#endif
