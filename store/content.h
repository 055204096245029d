/*
 * content.h - recipients and attachments of a message that is made of properties, as bytes.
 *
 * They are one immutable blob, replaced as a whole when the message is saved, so that copies share
 * it. Form u8 (1), then a content: properties, a varint count of recipients with the properties of
 * each, a varint count of attachments, each with its properties and a byte that says whether a
 * content (of the embedded message) follows. Properties are a varint count and then as in a bag;
 * but a large value has no blob's id there, which is not known yet when the hash is made: it has
 * its place (from 1) in the list of blobs that the message's bag keeps.
 */
#ifndef GATEPOST_STORE_CONTENT_H
#define GATEPOST_STORE_CONTENT_H

#include "store/property.h"
#include "store/store_int.h"

/* A content ready to be saved. */
struct save_content {
    struct store_prepared *bytes;
    struct store_prepared **prepared; /* large values: new, or NULL for one that is ... */
    uint64_t *blobs;                  /* ... a blob already */
    size_t n, cap;
};

/* ERR_INVALID, ERR_UNSUPPORTED: a value; ERR_TOO_BIG, ERR_LIMIT. */
struct err content_encode(struct store *st, const struct store_content *content,
                          struct save_content **out) MUST_USE;
void save_content_free(struct save_content *saved);

/* `blobs` are those of the bag. ERR_CORRUPT. All is copied to the arena. */
struct err content_decode(struct slice bytes, const uint64_t *blobs, size_t n_blobs,
                          struct arena *in, struct store_content *out) MUST_USE;

#endif
