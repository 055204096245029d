/*
 * search_int.h - a needle, and looking for it in bytes: between search_key.c and search.c.
 */
#ifndef GATEPOST_STORE_MIME_SEARCH_INT_H
#define GATEPOST_STORE_MIME_SEARCH_INT_H

#include "store/mime/mime_int.h"

struct mime_search_key {
    struct buf bytes;
    struct slice folded; /* under i;unicode-casemap */
    size_t probe[2];     /* where in `folded` its two rarest bytes are */
    bool ascii;          /* the needle was ASCII */
    bool folded_ascii;
};

/* Append `utf8` as i;unicode-casemap compares it (RFC 5051 2). */
void mime_fold(struct slice utf8, struct buf *out);

/* Is the (ASCII) key in bytes whose values below 128 are ASCII? Ignores case, and nothing else. */
bool mime_search_ascii(const struct mime_search_key *key, struct slice hay);

/* Text that comes in pieces and is folded window by window. */
struct folded_search {
    const struct mime_search_key *key;
    struct buf window;
};

struct folded_search folded_search_make(const struct mime_search_key *key);
void folded_search_done(struct folded_search *f);

/* Look for the key in the next piece and what came before. The pieces cut no character. */
bool folded_search_utf8(struct folded_search *f, struct slice utf8);

/* The same, where only the case of ASCII letters is folded. */
bool folded_search_ascii(struct folded_search *f, struct slice bytes);

#endif
