/*
 * oxcmail_export.h - a message made of properties as RFC 822 bytes ([MS-OXCMAIL] 2.1.3).
 *
 * The way back from oxcmail.h: what is written here is read there as the same properties, as far as
 * both forms have them. Nothing that a property holds can add a field, a part or a line of its own
 * (export_field.h).
 *
 * Written are the envelope (From, Sender, recipients, Reply-To, dates, ids), the subject and
 * thread, importance, sensitivity, wishes for receipts, list fields, header fields that are named
 * properties of PS_INTERNET_HEADERS; plain and HTML bodies as alternatives; attachments, those that
 * the HTML shows as related parts, and embedded messages.
 *
 * Threads    Pure functions but for the callbacks: any thread.
 */
#ifndef GATEPOST_STORE_MAPI_OXCMAIL_EXPORT_H
#define GATEPOST_STORE_MAPI_OXCMAIL_EXPORT_H

#include "store/property.h"

struct oxcmail_export {
    /* The bytes of a large value. */
    struct err (*load)(void *ctx, const struct store_prop *prop, struct slice *out);
    /* The name of a property from 0x8000 on; false: it has none. NULL: none has. */
    bool (*name)(void *ctx, uint16_t id, struct store_prop_name *out);
    void *ctx;
    uint64_t now; /* for the Date field where no property says it */
};

/*
 * `message` has the properties of the message itself too. ERR_TOO_BIG: `out` is full, or messages
 * are embedded too deep. What load() says.
 */
struct err oxcmail_export(const struct oxcmail_export *how, const struct store_content *message,
                          struct buf *out) MUST_USE;

#endif
