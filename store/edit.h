/*
 * edit.h - properties of one object being changed, inside a batch.
 *
 * Changes are collected in memory: the bag, the row's flags, the names of its keywords. Whoever
 * began the edit then writes down what differs.
 */
#ifndef GATEPOST_STORE_EDIT_H
#define GATEPOST_STORE_EDIT_H

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

/* Note the time of a change of content, where the object has a bag and nobody set one. */
struct err edit_stamp(struct edit *edit) MUST_USE;

#endif
