/* rop_field.h - one field of a remote operation, by its kind: between rop.c and rop_field.c. */
#ifndef GATEPOST_PROTOCOLS_MAPI_ROP_FIELD_H
#define GATEPOST_PROTOCOLS_MAPI_ROP_FIELD_H

#include "protocols/mapi/rop.h"

struct rop_reading {
    struct wire *w;
    const struct value_form *form;
    const struct rop_numbers *columns; /* of rows, or NULL where there can be none */
    bool wide;                         /* as the last field of kind `wide` said */
};

struct rop_writing {
    struct buf *out;
    const struct value_form *form;
    bool wide;
};

/* `member` is that of the structure, of the kind's type. */
void rop_field_read(struct rop_reading *r, enum rop_kind kind, void *member);
void rop_field_put(struct rop_writing *wr, enum rop_kind kind, const void *member);

#endif
