/*
 * value.h - typed property values, rows and restrictions on the wire ([MS-OXCDATA] 2.8 - 2.12).
 *
 * Inside Gatepost a string is UTF-8; PtypString is UTF-16LE on the wire, PtypString8 is in the code
 * page of whoever speaks. Counts differ by what carries them: a ROP buffer has 16 bits for the
 * bytes of a binary value, the address book ([MS-OXNSPI]) 32 ([MS-OXCDATA] 2.11.1.1).
 *
 * Threads    Plain memory: any thread.
 * Ownership  What is read lives in the arena of the wire, or points into its bytes.
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_VALUE_H
#define GATEPOST_PROTOCOLS_MAPI_VALUE_H

#include "protocols/mapi/wire.h"
#include "store/mapi/prop.h"

struct value_form {
    int codepage;     /* of PtypString8 */
    bool wide_counts; /* 32 bits for the bytes of binary values */
    bool marked;      /* a byte says that a value of no fixed size is there: the address book's
                         AddressBookPropertyValue ([MS-OXCMAPIHTTP] 2.2.1.1) */
};

/* A value of that type. On failure the wire has failed, and the value is empty. */
struct prop_value value_read(struct wire *w, const struct value_form *form, uint16_t type);

/*
 * Write a value. A type that has no wire form fails `out`; so does a value whose count is beyond
 * the form's.
 */
void value_put(struct buf *out, const struct value_form *form, uint16_t type,
               const struct prop_value *value);

/* TaggedPropertyValue ([MS-OXCDATA] 2.11.4). */
struct prop value_read_tagged(struct wire *w, const struct value_form *form);
void value_put_tagged(struct buf *out, const struct value_form *form, const struct prop *prop);

/*
 * PropertyRow ([MS-OXCDATA] 2.8.1): a value for each of the columns. A column that has none is a
 * prop of type PROP_ERROR whose number is the code; one whose type is PROP_UNSPECIFIED takes the
 * type of its value.
 */
void row_put(struct buf *out, const struct value_form *form, const uint32_t *columns, size_t n,
             const struct prop *values);
/* *values has n. False: the wire failed. */
bool row_read(struct wire *w, const struct value_form *form, const uint32_t *columns, size_t n,
              struct prop **values) MUST_USE;

/* ---- restrictions ([MS-OXCDATA] 2.12) ---- */

enum restriction_kind {
    RESTRICTION_AND = 0x00,
    RESTRICTION_OR = 0x01,
    RESTRICTION_NOT = 0x02,
    RESTRICTION_CONTENT = 0x03,
    RESTRICTION_PROPERTY = 0x04,
    RESTRICTION_COMPARE = 0x05,
    RESTRICTION_BITMASK = 0x06,
    RESTRICTION_SIZE = 0x07,
    RESTRICTION_EXIST = 0x08,
    RESTRICTION_SUBOBJECT = 0x09,
    RESTRICTION_COMMENT = 0x0A,
    RESTRICTION_COUNT = 0x0B,
};

enum restriction_relop {
    RELOP_LT = 0,
    RELOP_LE = 1,
    RELOP_GT = 2,
    RELOP_GE = 3,
    RELOP_EQ = 4,
    RELOP_NE = 5,
    RELOP_RE = 6,
    RELOP_MEMBER_OF_DL = 0x64,
};

/* How deep they may be nested: a tree is walked by recursion. */
enum { RESTRICTION_MAX_DEPTH = 64 };

struct restriction {
    enum restriction_kind kind;
    uint8_t relop;            /* PROPERTY, COMPARE, SIZE; of BITMASK: 0 equal to zero, 1 not */
    uint16_t fuzzy_low;       /* CONTENT: 0 the whole, 1 a part, 2 the beginning */
    uint16_t fuzzy_high;      /* CONTENT: 1 ignore case, 2 ignore non-spacing marks, 4 loosely */
    uint32_t tag, tag2;       /* of what is looked at; of what it is compared with */
    uint32_t number;          /* BITMASK: the mask; SIZE: bytes; COUNT: how many */
    struct prop value;        /* CONTENT, PROPERTY */
    const struct prop *notes; /* COMMENT: values that mean nothing to us, but are kept */
    size_t n_notes;
    const struct restriction *children; /* AND, OR; one of NOT, SUBOBJECT, COMMENT, COUNT */
    size_t n;
};

/*
 * ERR_SYNTAX: malformed. ERR_LIMIT: well begun, but nested too deep (ecTooComplex).
 * ERR_UNSUPPORTED: a kind or an operator that the specification does not have.
 */
struct err restriction_read(struct wire *w, const struct value_form *form,
                            struct restriction *out) MUST_USE;
void restriction_put(struct buf *out, const struct value_form *form, const struct restriction *r);

/* Is what is asked true of two values in this order (< 0, 0, > 0)? Of RELOP_LT to RELOP_NE. */
bool restriction_holds(uint8_t relop, int order);

/* ---- sort orders ([MS-OXCDATA] 2.13) ---- */

enum { SORT_ASCENDING = 0, SORT_DESCENDING = 1, SORT_MAXIMUM_CATEGORY = 4 };

struct sort_order {
    uint32_t tag;
    uint8_t order;
};

struct sort_order sort_order_read(struct wire *w);
void sort_order_put(struct buf *out, const struct sort_order *order);

/* ---- names of properties ([MS-OXCDATA] 2.6.1) ---- */

enum property_name_kind { NAME_BY_ID = 0x00, NAME_BY_STRING = 0x01, NAME_NONE = 0xFF };

struct property_name {
    uint8_t kind; /* enum property_name_kind */
    uint8_t guid[16];
    uint32_t id;
    struct slice name; /* UTF-8 */
};

/* A kind that the specification does not have fails the wire. */
struct property_name property_name_read(struct wire *w);
void property_name_put(struct buf *out, const struct property_name *name);

#endif
