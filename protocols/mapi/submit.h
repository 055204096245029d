/*
 * submit.h - a message that is stored is sent: [MS-OXOMSG] 3.2.5.1.
 *
 * It goes to the transport with the addresses of its recipients as the envelope, and without its
 * Bcc fields; those who are named there get it like all others. Sent, it is read and no draft any
 * more, and is moved to where the client wants it: PidTagSentMailSvrEID, PidTagSentMailEntryId, or
 * Sent Items; PidTagDeleteAfterSubmit: nowhere. What cannot be sent stays where it is, unsent.
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_SUBMIT_H
#define GATEPOST_PROTOCOLS_MAPI_SUBMIT_H

#include "protocols/mapi/mapi_int.h"

enum { SUBMIT_MAX_RECIPIENTS = 1000 };

/*
 * Send message `mid` (a counter) of the call's logon, and file it. Uses call->state. Returns as an
 * operation does: EC_NO_RECIPIENTS, EC_UNKNOWN_USER (one has no address), EC_TOO_MANY_RECIPIENTS,
 * EC_SEND_AS_DENIED; EC_ACCESS_DENIED: the next hop will not have it; EC_SERVER_TOO_BUSY: it cannot
 * be reached.
 */
uint32_t mapi_submit(struct rop_call *call, uint64_t mid);

/* It was sent by the client itself: file it. */
uint32_t mapi_submit_file(struct rop_call *call, uint64_t mid);

#endif
