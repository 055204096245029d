/* oxcmail_int.h - shared inside store/mapi/. */
#ifndef GATEPOST_STORE_MAPI_OXCMAIL_INT_H
#define GATEPOST_STORE_MAPI_OXCMAIL_INT_H

#include "store/mapi/oxcmail.h"

/* The header of a part, or of the message for 0. */
struct slice oxcmail_header(const struct oxcmail *m, uint32_t part);

/* The body of a part with its transfer encoding undone; at most 64 MiB. */
struct slice oxcmail_content(const struct oxcmail *m, uint32_t part);

/* The text of the first field of that name, decoded; empty where there is none. */
struct slice oxcmail_text(const struct oxcmail *m, struct slice field);

/* The value of the first field of that name, unfolded and trimmed, not decoded. */
struct slice oxcmail_raw(const struct oxcmail *m, struct slice field);

static inline const struct mime_type *oxcmail_type(const struct oxcmail *m, uint32_t part)
{
    return &m->types[part];
}

/* Add name, type, address, search key of one address ([MS-OXCMAIL] 2.2.3.1). */
struct oxcmail_address {
    struct slice name, email, search_key, entry_id;
};
struct oxcmail_address oxcmail_address(const struct oxcmail *m, const struct mime_address *address);

/* What an address has beside its name: see the functions. */
struct slice oxcmail_one_off(struct arena *in, struct slice name, struct slice email);
struct slice oxcmail_search_key(struct arena *in, struct slice email);

/* A walk over the addresses, groups apart, in all fields of one name. */
struct oxcmail_walk {
    struct slice field, header; /* the name; what is left of the header */
    struct mime_address *list;  /* of the field that is walked */
    size_t n, at;
};

struct oxcmail_walk oxcmail_walk(const struct oxcmail *m, struct slice field);
/* The next one, or NULL at the end. */
const struct mime_address *oxcmail_next(const struct oxcmail *m, struct oxcmail_walk *walk);

#endif
