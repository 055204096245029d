/*
 * recipient.h - a recipient on the wire: RecipientRow ([MS-OXCDATA] 2.8.3.2), and what ROPs put
 * around it.
 *
 * Threads    Plain memory: any thread.
 * Ownership  What is read lives in the arena of the wire, or points into its bytes.
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_RECIPIENT_H
#define GATEPOST_PROTOCOLS_MAPI_RECIPIENT_H

#include "protocols/mapi/value.h"

/* RecipientFlags ([MS-OXCDATA] 2.8.3.1), beside the type in its low three bits. */
enum recipient_flag {
    RECIPIENT_EMAIL = 0x0008,
    RECIPIENT_DISPLAY_NAME = 0x0010,
    RECIPIENT_TRANSMITTABLE = 0x0020,
    RECIPIENT_SAME = 0x0040, /* the transmittable name is the display name */
    RECIPIENT_RESPONSIBLE = 0x0080,
    RECIPIENT_NON_RICH = 0x0100,
    RECIPIENT_UNICODE = 0x0200,
    RECIPIENT_SIMPLE_NAME = 0x0400,
    RECIPIENT_OTHER_TYPE = 0x8000, /* AddressType is there: the type is 0 */
};

enum recipient_type {
    RECIPIENT_NO_TYPE = 0,
    RECIPIENT_X500 = 1,
    RECIPIENT_SMTP = 3,
    RECIPIENT_PERSONAL_LIST_1 = 6,
    RECIPIENT_PERSONAL_LIST_2 = 7,
};

/* A row of ModifyRecipients, OpenMessage or ReadRecipients. Text is UTF-8. */
struct recipient {
    uint32_t row_id;   /* not of OpenMessage */
    uint8_t kind;      /* 1 To, 2 Cc, 3 Bcc, with 0x10 and 0x80 of a message sent again */
    uint16_t codepage; /* not of ModifyRecipients */
    bool removed;      /* ModifyRecipients: there is no row any more */
    uint16_t flags;    /* enum recipient_flag and enum recipient_type */
    uint8_t prefix_used, display_type; /* X500 */
    struct slice x500;                 /* behind the prefix */
    struct slice entry_id, search_key; /* personal distribution lists */
    struct slice address_type, email, display_name, simple_name, transmittable;
    size_t n_values; /* of the columns, the first so many */
    const struct prop *values;
};

static inline enum recipient_type recipient_type(const struct recipient *r)
{
    return r->flags & 7;
}

/* The row alone. False: the wire failed. */
bool recipient_row_read(struct wire *w, const struct value_form *form, const uint32_t *columns,
                        size_t n_columns, struct recipient *out) MUST_USE;
void recipient_row_put(struct buf *out, const struct value_form *form, const uint32_t *columns,
                       const struct recipient *r);

/* ModifyRecipientRow ([MS-OXCROPS] 2.2.6.5.1.1). */
bool recipient_modify_read(struct wire *w, const struct value_form *form, const uint32_t *columns,
                           size_t n_columns, struct recipient *out) MUST_USE;
void recipient_modify_put(struct buf *out, const struct value_form *form, const uint32_t *columns,
                          const struct recipient *r);

/* OpenRecipientRow (2.2.6.1.2.1), and ReadRecipientRow (2.2.6.6.2.1), which has the RowId too. */
bool recipient_open_read(struct wire *w, const struct value_form *form, const uint32_t *columns,
                         size_t n_columns, bool with_row_id, struct recipient *out) MUST_USE;
void recipient_open_put(struct buf *out, const struct value_form *form, const uint32_t *columns,
                        bool with_row_id, const struct recipient *r);

#endif
