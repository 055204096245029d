/*
 * damage.h - a small store whose file is damaged, again and again, and then read.
 *
 * What is asked of it: a store that is suspect is refused with the fault named, or every message
 * and folder in it reads as it was, or the reading says that it is corrupt. It never crashes, and
 * never gives something else.
 */
#ifndef GATEPOST_TESTS_SUPPORT_DAMAGE_H
#define GATEPOST_TESTS_SUPPORT_DAMAGE_H

#include "store/store.h"
#include "tests/support/test.h"

struct damage {
    char *dir;
    uint8_t *file; /* data.mdb as it was */
    size_t len;
    uint64_t mailbox_id;
    struct buf whole; /* all that could be read then */
};

enum damage_end {
    DAMAGE_HARMLESS, /* nothing was found, and nothing is missing */
    DAMAGE_REFUSED,  /* the store does not open */
    DAMAGE_FOUND,    /* it opens, and its verification names the fault */
    DAMAGE_READ,     /* only reading found it */
    DAMAGE_UNSEEN,   /* nothing found it, and something else was read */
};

void damage_init(struct damage *d);
void damage_done(struct damage *d);

/* Put these `len` bytes where data.mdb is; open, verify and read it all. Suspect or not. */
enum damage_end damage_try(struct damage *d, const uint8_t *file, size_t len, bool suspect);

/* The same of what is there, and opening alone. */
enum damage_end damage_look(struct damage *d);
struct err damage_open(const struct damage *d, struct store **out) MUST_USE;

/* Take what is there for what it was. */
void damage_reread(struct damage *d);

/* Overwrite bytes of data.mdb in place, while it may be open elsewhere. */
void damage_overwrite(struct damage *d, size_t at, const uint8_t *bytes, size_t len);

#endif
