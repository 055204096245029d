/*
 * receipt.h - read receipts: those who asked for one are told that a message was displayed, or was
 * deleted unread (RFC 8098).
 *
 * A receipt is pending while a delivered message has PidTagReadReceiptRequested, which comes of its
 * Disposition-Notification-To. It is set to false on the message before a receipt goes into the
 * queue, or when it is not wanted: so there is at most one, whoever reads the message how often.
 *
 * Threads    Any but a worker.
 */
#ifndef GATEPOST_GATEWAY_RECEIPT_H
#define GATEPOST_GATEWAY_RECEIPT_H

#include "protocols/mapi/mapi.h"

enum { RECEIPTS_AT_ONCE = 200 };

/*
 * Of the messages that `rq` names, from the UID `from` on, send the receipts that are pending, or
 * forget them, for at most RECEIPTS_AT_ONCE messages. *next is where to go on; 0: that was all.
 */
struct err receipts_run(struct store *store, struct mapi_directory *directory,
                        const char *host_name, const struct mapi_mail *rq, uint32_t from,
                        uint32_t *next) MUST_USE;

#endif
