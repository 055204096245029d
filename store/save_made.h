/* save_made.h - properties that the store makes when a message is saved: save.c has them made on
 * the caller's thread, and set in the batch. */
#ifndef GATEPOST_STORE_SAVE_MADE_H
#define GATEPOST_STORE_SAVE_MADE_H

#include "store/property.h"

struct edit;

enum { SAVE_MADE_MAX = 6 };

struct save_made {
    struct arena in;
    struct store_prop_change changes[SAVE_MADE_MAX];
    size_t n;
    struct store_prepared **prepared;
};

/* save_made_free() it, also after an error. */
struct save_made *save_made_new(struct store *st, const struct store_save_message *rq,
                                struct err *e) MUST_USE;
void save_made_free(struct save_made *made);

/* In the batch; the edit must have room for SAVE_MADE_MAX changes more. */
struct err save_made_apply(struct edit *edit, struct save_made *made) MUST_USE;

#endif
