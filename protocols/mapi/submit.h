/*
 * submit.h - a message that is stored is sent: [MS-OXOMSG] 3.2.5.1.
 *
 * It goes into the queue of the transport with the addresses of its recipients as the envelope, and
 * without its Bcc fields; those who are named there get it like all others. It stays where it is,
 * submitted, until somebody has it; then it is read and no draft any more, and is moved to where
 * the client wants it: PidTagSentMailSvrEID, PidTagSentMailEntryId, or Sent Items;
 * PidTagDeleteAfterSubmit: nowhere.
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_SUBMIT_H
#define GATEPOST_PROTOCOLS_MAPI_SUBMIT_H

#include "protocols/mapi/mapi_int.h"

enum { SUBMIT_MAX_RECIPIENTS = 1000 };

/*
 * Put message `mid` (a counter) of the call's logon into the queue. Returns as an operation does:
 * EC_NO_RECIPIENTS, EC_UNKNOWN_USER (one has no address), EC_TOO_MANY_RECIPIENTS,
 * EC_SEND_AS_DENIED, EC_SUBMITTED (it is there already); EC_ACCESS_DENIED: in another's mailbox.
 */
uint32_t mapi_submit(struct rop_call *call, uint64_t mid);

/* It was sent by the client itself: out of the queue, if it is there, and file it. */
uint32_t mapi_submit_file(struct rop_call *call, uint64_t mid);

/*
 * Abort, lock or unlock what is in the queue. EC_NOT_IN_QUEUE; EC_UNABLE_TO_ABORT: it is being
 * handed over, or (abort) locked.
 */
uint32_t mapi_submit_task(struct rop_call *call, uint64_t mid, enum mapi_mail_task task);

#endif
