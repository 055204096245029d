/*
 * prepare_int.h - messages on their way in: what spool.c and prepare.c give the rest of store/.
 */
#ifndef GATEPOST_STORE_PREPARE_INT_H
#define GATEPOST_STORE_PREPARE_INT_H

#include "store/store.h"

struct prepare_pool;

/* What they need of a store (store.c). */
const char *store_dir(const struct store *st);
struct prepare_pool *store_prepare_pool(struct store *st);

/* The thread that prepares large messages; it starts with the first one. */
struct prepare_pool *prepare_pool_new(void) MUST_USE;
/* Until everything that was handed in has been answered: posted to its home. Not once it is freed.
 */
void prepare_pool_wait(struct prepare_pool *pool);
/* Run a job on its thread. False: there is none. A job may post its last answer and be gone. */
bool prepare_pool_post(struct prepare_pool *pool, struct store_job *job);

/* What still waits is answered with ERR_CANCELED. */
void prepare_pool_free(struct prepare_pool *pool);

/* A message whose bytes have been looked at. Counted; immutable but for the count. */
struct store_prepared {
    int references; /* atomic */
    struct store_spool *spool;
    struct slice bytes; /* the spool's */
    uint8_t hash[ENGINE_HASH_LEN];
    struct buf meta; /* message_meta_encode() */
    int64_t sent;    /* of the Date field, without its zone; see struct message_row */
    bool attachments;
};

/*
 * The derived data of a message as the blob's meta, and back. `hash` is not in it: the blob has
 * it. ERR_CORRUPT: not bytes that were encoded here.
 */
void message_meta_encode(const struct message_meta *meta, struct buf *out);
struct err message_meta_decode(struct slice bytes, struct message_meta *out) MUST_USE;

/* What a batch has to bring along so that `prepared` can be linked in it. */
static inline struct engine_new_blob prepared_blob(const struct store_prepared *prepared)
{
    struct engine_new_blob blob = {.bytes = prepared->bytes, .meta = buf_slice(&prepared->meta)};

    memcpy(blob.hash, prepared->hash, ENGINE_HASH_LEN);
    return blob;
}

#endif
