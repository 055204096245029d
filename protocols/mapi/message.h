/*
 * message.h - Message and Attachment objects: what is stored, and what was changed and not saved.
 *
 * Nothing that is done to a message is seen by anybody else before SaveChangesMessage; what is done
 * to an attachment (or a message embedded in one) becomes part of the message at
 * SaveChangesAttachment, and is stored with it ([MS-OXCMSG] 3.1.4.3, 3.2.5.3).
 *
 * Ownership  What is read lives in the call's arena, or in the object until it is changed next.
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_MESSAGE_H
#define GATEPOST_PROTOCOLS_MAPI_MESSAGE_H

#include "protocols/mapi/mapi_int.h"

struct mapi_message;
struct mapi_attachment;

/*
 * Properties of either kind, as they would be saved now. `rd` is a snapshot of the logon's mailbox.
 * EC_NOT_FOUND: it has none of this id, or it is of another type. A large value that is stored is a
 * blob (store_prop.large); one that is not saved yet is in memory.
 */
uint32_t mapi_message_get(struct rop_call *call, struct store_read *rd, struct mapi_object *object,
                          uint32_t tag, struct store_prop *out);
uint32_t mapi_message_list(struct rop_call *call, struct store_read *rd, struct mapi_object *object,
                           struct store_prop **out, size_t *n);

/*
 * Change them, in memory: copies what it keeps, charges the context. `problem` of each change is
 * set as store_set_props does (computed ones ERR_DENIED). EC_ACCESS_DENIED: it was opened
 * read-only.
 */
uint32_t mapi_message_change(struct rop_call *call, struct store_read *rd,
                             struct mapi_object *object, struct store_prop_change *changes,
                             size_t n);

/* The code page of its PtypString8: that with which it was opened. */
int mapi_message_codepage(const struct mapi_object *object);

/*
 * What hangs on an object replaces what hangs on another of its kind: recipients and attachments of
 * a message, or the message in an attachment. EC_MESSAGE_CYCLE: the one is inside of the other.
 */
enum { COPY_RECIPIENTS = 1, COPY_PARTS = 2 };
uint32_t mapi_message_copy(struct rop_call *call, struct mapi_object *from, struct mapi_object *to,
                           unsigned what);

/* The FID of the folder in which a message is stored; 0: it is not, or is part of another one. */
uint64_t mapi_message_folder(const struct mapi_object *object);

/* May it be changed? */
bool mapi_message_is_writable(const struct mapi_object *object);

#endif
