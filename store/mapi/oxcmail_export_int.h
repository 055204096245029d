/* oxcmail_export_int.h - what the two files of the export share. */
#ifndef GATEPOST_STORE_MAPI_OXCMAIL_EXPORT_INT_H
#define GATEPOST_STORE_MAPI_OXCMAIL_EXPORT_INT_H

#include "store/mapi/export_field.h"
#include "store/mapi/oxcmail_export.h"

struct exporter {
    const struct oxcmail_export *how;
    struct buf *out;
    unsigned boundaries; /* given so far */
    struct err err;      /* the first that happened */
};

void export_fail(struct exporter *x, struct err e);

/* The property of that tag's id, with a type that fits; NULL. */
const struct store_prop *export_find(const struct store_props *props, uint32_t tag);
/* Its bytes, of a large one too; empty after an error. */
struct slice export_value(struct exporter *x, const struct store_prop *prop);
/* The same of a string that may be missing. */
struct slice export_string(struct exporter *x, const struct store_props *props, uint32_t tag);

/* The header of a message but for the fields of its first part. */
void export_header(struct exporter *x, const struct store_content *c);

#endif
