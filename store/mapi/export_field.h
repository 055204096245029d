/*
 * export_field.h - writing header fields and bodies that nothing put into them can break out of.
 *
 * What is written is ASCII in lines of at most 998 bytes, whatever the text is: CR, LF and NUL
 * never reach the output but as line ends of ours (RFC 5322 2.2). Other text goes as encoded words
 * (RFC 2047) or extended parameters (RFC 2231), in UTF-8.
 *
 * Threads    Pure functions: any thread.
 */
#ifndef GATEPOST_STORE_MAPI_EXPORT_FIELD_H
#define GATEPOST_STORE_MAPI_EXPORT_FIELD_H

#include "base/buf.h"

/* "Name: " and unstructured text; nothing where the text is empty. */
void export_text(struct buf *out, const char *name, struct slice text);
/* A value that may not be encoded: ids, base64. What is not printable ASCII is left out. */
void export_token(struct buf *out, const char *name, struct slice text);
void export_date(struct buf *out, const char *name, uint64_t filetime);

/* Addresses of one field: begin, each, end. Without any nothing is written. */
struct export_addresses {
    struct buf *out;
    const char *name;
    size_t n;
};
/* One without a usable address is written as an empty group of its name (RFC 5322 3.4). */
void export_address(struct export_addresses *list, struct slice name, struct slice address);
void export_addresses_end(struct export_addresses *list);

/* "; name=value" behind a Content-Type or Content-Disposition; nothing where the value is empty. */
void export_param(struct buf *out, const char *name, struct slice value);

/* Is this what RFC 5322 allows as the name of a field? */
bool export_is_field_name(struct slice name);

/* Content-Transfer-Encoding, the end of the header, and the bytes. `text`: it has lines. */
void export_body(struct buf *out, struct slice bytes, bool text);

#endif
