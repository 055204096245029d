/*
 * columns.h - what lists of mail show of a delivered message, in a few hundred bytes that are kept
 * beside its own: a table of 100,000 rows reads these and not 100,000 messages.
 *
 * They are a copy of what oxcmail_properties() derives, made when the message comes in; what is
 * made of another column (a prefix, an EntryID) is made again when it is asked for.
 *
 * As bytes: a version u8, then for each column that the message has its number u8 and its value
 * behind its length (varint), ascending. A number is a varint. A value that is too long is not
 * there, and its number has 0x80.
 *
 * Threads    Pure functions over memory: any thread.
 * Ownership  Columns point into the bytes that they were read from.
 */
#ifndef GATEPOST_STORE_MAPI_COLUMNS_H
#define GATEPOST_STORE_MAPI_COLUMNS_H

#include "store/mapi/prop.h"

enum column {
    COLUMN_CLASS,
    COLUMN_SUBJECT,
    COLUMN_TOPIC, /* where it is not the rest of the subject */
    COLUMN_THREAD,
    COLUMN_FROM_NAME,
    COLUMN_FROM_EMAIL,
    COLUMN_SENDER_NAME, /* likewise these, where they are not those of From */
    COLUMN_SENDER_EMAIL,
    COLUMN_TO,
    COLUMN_CC,
    COLUMN_BCC,
    COLUMN_SUBMITTED,
    COLUMN_IMPORTANCE,
    COLUMN_SENSITIVITY,
    COLUMN_READ_RECEIPT,
    COLUMN_DELIVERY_REPORT,
    COLUMN_AUTOMATIC,
    COLUMN_MESSAGE_ID,
    COLUMN_IN_REPLY_TO,
    COLUMN_NATIVE_BODY,
    COLUMN_CODEPAGE,
    COLUMN_COUNT,
    COLUMN_NONE = COLUMN_COUNT
};

struct mail_columns {
    struct slice at[COLUMN_COUNT]; /* ptr NULL: it is not there */
    uint64_t there, too_long;      /* bits by their numbers */
};

/* `derived` is what oxcmail_properties() gave. */
void columns_encode(const struct prop_list *derived, struct buf *out);

/* False: these are not bytes that columns_encode() made, or of a version that is not known. */
bool columns_decode(struct slice bytes, struct mail_columns *out) MUST_USE;

enum column_answer {
    COLUMN_IS,        /* *out is it */
    COLUMN_IS_NOT,    /* the message has no such property */
    COLUMN_ELSEWHERE, /* only its bytes tell */
};

/* The property of that id that is derived of the message. */
enum column_answer columns_get(const struct mail_columns *columns, uint16_t id, struct arena *in,
                               struct prop *out) MUST_USE;

/* Is a property of that id derived of some messages at all? */
bool columns_are_derived(uint16_t id);

#endif
