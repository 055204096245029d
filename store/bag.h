/*
 * bag.h - the explicit properties of one object as bytes.
 *
 * Value of KEY_BAG: checksum u32 (CRC-32C of what follows), form u8 (1), flags u8; with BAG_OWN
 * what hangs on the message: varints of the blob that says so (content.h; 0: nothing), its length,
 * the number of blobs that it refers to, and these; then the properties: a varint count, then each
 * as id u16, type u16 and its value (prop_encode()), ascending by id. Where the type has BAG_LARGE
 * the value is a blob: varints of its id and length. Each occurrence of a blob is one reference to
 * it.
 */
#ifndef GATEPOST_STORE_BAG_H
#define GATEPOST_STORE_BAG_H

#include "store/property.h"
#include "store/store_int.h"

enum { BAG_LARGE = 0x4000, BAG_OWN = 1 };

struct bag {
    struct store_prop *props; /* ascending by id */
    size_t n;
    bool own; /* the message is made of this, and nothing is derived of its bytes */
    uint64_t content, content_len; /* a blob, 0: nothing hangs on it */
    const uint64_t *content_blobs; /* that the content refers to, by their place here */
    size_t n_content_blobs;
};

static inline bool bag_is_empty(const struct bag *bag)
{
    return bag->n == 0 && !bag->own;
}

/* Properties one after the other, as the bag and the content have them. */
void bag_put_prop(const struct store_prop *prop, struct buf *out);
bool bag_take_prop(struct slice *in, struct arena *arena, struct store_prop *out) MUST_USE;

void bag_encode(const struct bag *bag, struct buf *out);
/* ERR_CORRUPT. Everything is copied to the arena. */
struct err bag_decode(struct slice bytes, struct arena *in, struct bag *out) MUST_USE;

/* The place of the property of that id; where there is none, where it would stand. */
size_t bag_find(const struct bag *bag, uint16_t id, bool *there);

/* The bag of an object; an empty one where it has none. */
struct err bag_load(struct engine_read *rd, uint64_t id, struct arena *in,
                    struct bag *out) MUST_USE;
/* Write it; an empty one is deleted. */
struct err bag_save(struct store_tx *tx, uint64_t id, const struct bag *bag) MUST_USE;

/* The blobs that an encoded bag refers to, each as often as it does. For tools and batches. */
struct err bag_blobs(struct slice bytes, struct arena *in, uint64_t **out, size_t *n) MUST_USE;

/* Let go all that a bag refers to: *n blobs. */
struct err bag_unlink(struct store_tx *tx, const struct bag *bag, size_t *n) MUST_USE;

/* Another object (a copy) gets the same bag, and refers to the same blobs. */
struct err bag_copy(struct store_tx *tx, uint64_t from, uint64_t to) MUST_USE;
/* The object has another id now. */
struct err bag_move(struct store_tx *tx, uint64_t from, uint64_t to) MUST_USE;
/* Let go what the bag refers to, and delete it. *blobs is raised by the number of references. */
struct err bag_drop(struct store_tx *tx, uint64_t id, size_t *blobs) MUST_USE;

/*
 * PidNameKeywords (PS_PUBLIC_STRINGS "Keywords") and the keywords of IMAP are the same. A category
 * may hold what an IMAP keyword may not: such bytes are written =XX there. Keywords that begin with
 * `$` are marks of programs (RFC 5788), and no categories.
 */
struct slice keyword_of_category(struct slice category, struct arena *in) MUST_USE;
struct slice category_of_keyword(struct slice keyword, struct arena *in) MUST_USE;
static inline bool keyword_is_mark(struct slice keyword)
{
    return keyword.len > 0 && keyword.ptr[0] == '$';
}

/* ---- named properties, inside a batch ---- */

/* ERR_NOT_FOUND: it has no id. */
struct err named_find(struct engine_read *rd, const struct store_prop_name *name,
                      uint16_t *id) MUST_USE;
/* May a property of this id be set: is it below 0x8000, or has it a name? */
bool named_is_known(const struct mailbox_rec *rec, uint16_t id);
/* ERR_CORRUPT. The name lives in the value. */
struct err named_decode(struct slice value, struct store_prop_name *out) MUST_USE;

#endif
