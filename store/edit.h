/*
 * edit.h - properties of one object being changed, inside a batch.
 *
 * Changes are collected in memory: the bag, the row's flags, the names of its keywords. Whoever
 * began the edit then writes down what differs.
 */
#ifndef GATEPOST_STORE_EDIT_H
#define GATEPOST_STORE_EDIT_H

#include "store/message_int.h"
#include "store/object_int.h"

enum edit_touched {
    EDIT_BAG = 1 << 0,      /* the bag is to be written */
    EDIT_CONTENT = 1 << 1,  /* something that moves the change number */
    EDIT_FOLDER = 1 << 2,   /* the folder's record */
    EDIT_KEYWORDS = 1 << 3, /* the names of the keywords */
};

struct edit {
    struct store_tx *tx;
    struct arena *in;
    enum store_object_kind kind;
    struct bag bag; /* with room for what is to come */
    size_t room;
    size_t n_large;
    unsigned touched;
    struct folder_rec *folder; /* of a folder */
    uint16_t flags;            /* of a message's row */
    struct slice *keywords;    /* its keywords, with room for one more */
    size_t n_keywords;
    uint16_t keywords_id; /* of PidNameKeywords; 0: it has none */
};

/* An edit of an object with this bag, by at most `changes` changes. */
struct err edit_begin(struct edit *edit, struct store_tx *tx, struct arena *in,
                      enum store_object_kind kind, const struct bag *bag, size_t changes) MUST_USE;
/* And of a message: its flags and keywords. */
struct err edit_begin_message(struct edit *edit, uint16_t flags, uint32_t keyword_set) MUST_USE;

/*
 * One change; `prepared` is its large value, or NULL. What is wrong with it alone is told in
 * change->problem; an error is one of the whole batch.
 */
struct err edit_apply(struct edit *edit, struct store_prop_change *change,
                      const struct store_prepared *prepared) MUST_USE;

/* The keyword set of the edited names; `from` where they were not touched. */
struct err edit_keyword_set(struct store_tx *tx, const struct edit *edit, uint32_t from,
                            uint32_t *to) MUST_USE;

/* Note the time of a change of content, where the object has a bag and nobody set one. */
struct err edit_stamp(struct edit *edit) MUST_USE;

/* ---- requests with changes (property.c) ---- */

/* Is this a text or binary value that has to become a blob? */
bool prop_is_long(const struct store_prop *prop);

/* About how many bytes have to be looked at to make it ready. */
uint64_t prop_weight(const struct store_prop *prop);
uint64_t changes_weight(const struct store_prop_change *changes, size_t n);

/*
 * Prepare the large values of changes: *out has n, NULL for those that have
 * none. changes_release() it, also after an error.
 */
struct err changes_prepare(struct store *st, const struct store_prop_change *changes, size_t n,
                           struct store_prepared ***out) MUST_USE;
void changes_release(struct store_prepared **prepared, size_t n);
/* The request's batch brings these along; some may be NULL. */
void op_bring(struct store_op *op, struct store_prepared *const *prepared, size_t n);

/* All of them, and the time of change. */
struct err changes_apply(struct edit *edit, struct store_prop_change *changes, size_t n,
                         struct store_prepared *const *prepared) MUST_USE;
/* Is there one of that id that was done? */
bool changes_name(const struct store_prop_change *changes, size_t n, uint32_t tag);

/* Where a message is. Large: in an arena. */
struct place {
    struct folder_rec folder;
    struct group group;
    uint32_t at; /* of its row in the group */
    struct message_row row;
};
struct err find_message(struct store_tx *tx, uint64_t mid, struct place *out) MUST_USE;

#endif
