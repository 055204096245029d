/*
 * receipt.h - read receipts of messages that a MAPI client marks as read, or deletes unread
 * ([MS-OXCMSG] 2.2.3.10.1, [MS-OXCFOLD] 2.2.1.11.1).
 *
 * They are the owner's to send, and his clients', which say with each read flag whether there is to
 * be one. What IMAP and POP3 read sends none.
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_RECEIPT_H
#define GATEPOST_PROTOCOLS_MAPI_RECEIPT_H

#include "protocols/mapi/mapi_int.h"

/*
 * Send the receipts that are pending for these messages of folder `fid`, or forget them, as `task`
 * says, one of the three of receipts; then go on with `then`, whose code is that of the operation.
 * `uids` is copied. Returns as an operation does.
 */
uint32_t mapi_receipts(struct rop_call *call, enum mapi_mail_task task, uint64_t fid,
                       const struct uidset *uids, uint32_t (*then)(struct rop_call *call));

#endif
