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

/* A name as MAPI shows it (in the arena, or the name itself), and back: ERR_INVALID. */
struct slice folder_name_shown(struct slice name, struct arena *in);
struct err folder_name_take(struct slice shown, struct arena *in, struct slice *out) MUST_USE;

/* The child of that name, exactly or else but for case. ERR_NOT_FOUND. */
struct err folder_sibling(struct engine_read *rd, uint64_t parent, struct slice name,
                          uint64_t *fid) MUST_USE;

/* A record that is neither a shadow's nor of a soft-deleted folder. */
struct err folder_load_plain(struct store_tx *tx, uint64_t fid, struct folder_rec *out) MUST_USE;

/*
 * Give the folder another name in the place where it is, and load it anew. ERR_INVALID: no name of
 * a folder; ERR_DENIED: a special one; ERR_EXISTS.
 */
struct err folder_set_name(struct store_tx *tx, struct folder_rec *rec, struct slice name) MUST_USE;

/* A record as callers see it, but for `subscribed`. Its texts are those of `value`. */
struct err folder_decode(struct slice value, uint64_t fid, struct store_folder *out) MUST_USE;

#endif
