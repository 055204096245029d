/* folder_int.h - what the files about folders share. */
#ifndef GATEPOST_STORE_FOLDER_INT_H
#define GATEPOST_STORE_FOLDER_INT_H

#include "store/store_int.h"

struct err folder_special_load(struct engine_read *rd, enum store_special special,
                               struct folder_rec *out) MUST_USE;

/*
 * Go down the path from the IPM subtree as far as it exists: *found levels of it do, and *out is
 * the last of them (the IPM subtree itself where none does).
 */
struct err folder_walk(struct engine_read *rd, const struct folder_path *path,
                       struct folder_rec *out, size_t *found) MUST_USE;

/* A name as it is kept, of one that MAPI gives (in the arena, or the name itself). ERR_INVALID. */
struct err folder_name_take(struct slice shown, struct arena *in, struct slice *out) MUST_USE;

/* The child of that name, exactly or else but for case. ERR_NOT_FOUND. */
struct err folder_sibling(struct engine_read *rd, uint64_t parent, struct slice name,
                          uint64_t *fid) MUST_USE;

/* A record that is neither a shadow's nor of a soft-deleted folder. */
struct err folder_load_plain(struct store_tx *tx, uint64_t fid, struct folder_rec *out) MUST_USE;

/* ERR_DENIED: it is one of those that every mailbox has, and stays where it is. */
static inline struct err folder_deny_special(const struct folder_rec *rec)
{
    return rec->special != SPECIAL_NONE && rec->special < SPECIAL_ALL
               ? ERR(ERR_DENIED, "a special folder of every mailbox")
               : OK;
}

/* ---- parts of changes (folder_ops.c) ---- */

struct err folder_drop_special(struct store_tx *tx, struct folder_rec *rec) MUST_USE;
/* What is kept under a FID beside the record: properties, permissions, search criteria. */
struct err folder_drop_extras(struct store_tx *tx, uint64_t fid) MUST_USE;
/*
 * A new folder gets what another has under this kind of key, if the flag says that it has; the new
 * one's record is not saved.
 */
struct err folder_copy_extra(struct store_tx *tx, enum key_kind kind, uint16_t flag,
                             const struct folder_rec *from, struct folder_rec *to) MUST_USE;
/* Its special use, its messages and its shadows go. */
struct err folder_clear(struct store_tx *tx, struct folder_rec *rec) MUST_USE;
/* Record, name and properties of a folder without children go, and its parent counts one less. */
struct err folder_vanish(struct store_tx *tx, const struct folder_rec *rec) MUST_USE;
/* Is the folder `rec` that one, or below it? */
struct err folder_is_below(struct store_tx *tx, const struct folder_rec *rec, uint64_t fid,
                           bool *below) MUST_USE;
/* Note that it is gone, by the counter value that this took. */
struct err log_folder_gone(struct store_tx *tx, const struct folder_rec *folder,
                           uint64_t counter) MUST_USE;
/*
 * Out of its place among its siblings, and to another place, where the record is saved; a folder
 * whose parent is 0 is new there.
 */
struct err folder_take_out(struct store_tx *tx, const struct folder_rec *rec) MUST_USE;
struct err folder_put_under(struct store_tx *tx, struct folder_rec *rec, uint64_t parent,
                            struct slice name) MUST_USE;

/* ---- trees (folder_tree.c) ---- */

/*
 * The folder behind *fid, parents before children, in the tree of `root`; *up levels were left
 * before one was entered. ERR_NOT_FOUND: that was the last.
 */
struct err folder_next(struct store_tx *tx, uint64_t root, uint64_t *fid, unsigned *up) MUST_USE;

/* Delete a bounded number of folders of the tree. *more: the root is still there. */
struct err folder_remove_some(struct store_tx *tx, const struct folder_rec *root, bool hard,
                              bool *more) MUST_USE;
/* Some of what was soft-deleted right below a folder goes for good. *any: there was something. */
struct err folder_remove_deleted_below(struct store_tx *tx, uint64_t fid, bool *any) MUST_USE;

/*
 * Can the folder, or (not `itself`) a copy of it, stand there under that name? ERR_NOT_FOUND: no
 * such parent; ERR_CONFLICT: it is below the folder; ERR_EXISTS.
 */
struct err folder_place_for(struct store_tx *tx, uint64_t fid, bool itself, uint64_t parent,
                            struct slice name, struct folder_rec *above) MUST_USE;

/*
 * Give the folder another name in the place where it is, and load it anew. ERR_INVALID: no name of
 * a folder; ERR_DENIED: a special one; ERR_EXISTS.
 */
struct err folder_set_name(struct store_tx *tx, struct folder_rec *rec, struct slice name) MUST_USE;

/* A record as callers see it, but for `subscribed`. Its texts are those of `value`. */
struct err folder_decode(struct slice value, uint64_t fid, struct store_folder *out) MUST_USE;

#endif
