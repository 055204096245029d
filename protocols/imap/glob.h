/*
 * glob.h - patterns of LIST: "*" is anything, "%" anything but the delimiter (RFC 9051 6.3.9).
 */
#ifndef GATEPOST_PROTOCOLS_IMAP_GLOB_H
#define GATEPOST_PROTOCOLS_IMAP_GLOB_H

#include "base/arena.h"
#include "base/slice.h"

/* A pattern made ready; its memory is the arena's. */
struct imap_glob {
    const uint8_t *items; /* runs of wildcards are one */
    size_t n;
    uint8_t *row; /* scratch: n + 1 */
    bool wild;    /* has a wildcard at all */
};

struct imap_glob imap_glob_make(struct slice pattern, struct arena *in);

/*
 * Time is at most n * path.len, whatever the pattern; *steps counts it. A path whose first level
 * is INBOX is matched without regard to the case of that level.
 */
bool imap_glob_match(const struct imap_glob *glob, struct slice path, size_t *steps);

#endif
