/*
 * Blobs: bytes in chunks that fill whole pages, one record of figures, an index by hash.
 *
 * Chunks of 60 KB rather than whole values: inserting one large value makes LMDB search its whole
 * free list for a run of pages (76 ms for 1 MB on a used store, against 0.25 ms in chunks).
 *
 * A piece (a chunk, a meta) begins with a header: the sum of key and header u32, coding u8, flags
 * u8, two bytes of zero. Then the sums of its blocks of 1 KB, which the header's sum covers too,
 * then the bytes: whoever needs a mail's header pays for the sums of the header, not of the mail.
 */
#include "base/crc32c.h"
#include "base/mem.h"
#include "store/checksum.h"
#include "store/engine/engine_lmdb_int.h"

enum { STATE_LEN = 24, INFO_LEN = 52, INFO_SUMMED = 48, CODING_PLAIN = 0, SUM_LEN = 4 };
enum piece_flag { PIECE_LAST = 1 }; /* the blob ends with it */

/* ---- the state of the whole ---- */

int lmdb_state_get(struct lmdb_engine *eng, MDB_txn *txn, struct lmdb_state *out)
{
    MDB_val v;

    int rc = lmdb_get(eng, txn, DB_META, S("state"), &v);
    if (rc)
        return rc;
    if (v.mv_size != STATE_LEN)
        return MDB_CORRUPTED;
    const uint8_t *p = v.mv_data;
    *out = (struct lmdb_state){get_u64(p), get_u64(p + 8), get_u64(p + 16)};
    return 0;
}

int lmdb_state_put(struct lmdb_engine *eng, MDB_txn *txn, const struct lmdb_state *state)
{
    uint8_t value[STATE_LEN];

    put_u64(value, state->next_blob);
    put_u64(value + 8, state->blobs);
    put_u64(value + 16, state->blob_bytes);
    return lmdb_put(eng, txn, DB_META, S("state"), slice_of(value, sizeof value));
}

/* ---- info ---- */

struct err lmdb_info_decode(struct slice key, struct slice value, struct engine_blob_info *out)
{
    const uint8_t *p = value.ptr;

    if (key.len != 8 || value.len != INFO_LEN)
        return ERR(ERR_CORRUPT, "a blob's record has the wrong length");
    if (crc32c(crc32c(0, key), slice_head(value, INFO_SUMMED)) != get_u32(p + INFO_SUMMED))
        return ERR(ERR_CORRUPT, "a blob's record does not match its checksum");
    out->id = get_u64(key.ptr);
    out->len = get_u64(p);
    out->references = get_u64(p + 8);
    memcpy(out->hash, p + 16, ENGINE_HASH_LEN);
    return OK;
}

int lmdb_info_get(struct lmdb_engine *eng, MDB_txn *txn, uint64_t id, struct engine_blob_info *out)
{
    uint8_t key[8];
    MDB_val v;

    put_u64(key, id);
    int rc = lmdb_get(eng, txn, DB_INFO, slice_of(key, sizeof key), &v);
    if (rc)
        return rc;
    struct err e = lmdb_info_decode(slice_of(key, sizeof key), slice_of_val(v), out);
    return failed(e) ? MDB_CORRUPTED : 0;
}

int lmdb_info_put(struct lmdb_engine *eng, MDB_txn *txn, const struct engine_blob_info *info)
{
    uint8_t key[8], value[INFO_LEN];

    put_u64(key, info->id);
    struct slice k = slice_of(key, sizeof key);
    put_u64(value, info->len);
    put_u64(value + 8, info->references);
    memcpy(value + 16, info->hash, ENGINE_HASH_LEN);
    put_u32(value + INFO_SUMMED, crc32c(crc32c(0, k), slice_of(value, INFO_SUMMED)));
    return lmdb_put(eng, txn, DB_INFO, k, slice_of(value, sizeof value));
}

int lmdb_hash_get(struct lmdb_engine *eng, MDB_txn *txn, const uint8_t *hash, uint64_t *id)
{
    MDB_val v;

    int rc = lmdb_get(eng, txn, DB_HASH, slice_of(hash, ENGINE_HASH_LEN), &v);
    if (rc)
        return rc;
    if (v.mv_size != 8)
        return MDB_CORRUPTED;
    *id = get_u64(v.mv_data);
    return 0;
}

/* ---- the dead list ---- */

int lmdb_dead_put(struct lmdb_engine *eng, MDB_txn *txn, uint64_t id)
{
    uint8_t key[8], value[8];

    put_u64(key, id);
    put_u64(value, mdb_txn_id(txn));
    return lmdb_put(eng, txn, DB_DEAD, slice_of(key, sizeof key), slice_of(value, sizeof value));
}

int lmdb_dead_del(struct lmdb_engine *eng, MDB_txn *txn, uint64_t id)
{
    uint8_t key[8];

    put_u64(key, id);
    int rc = lmdb_del(eng, txn, DB_DEAD, slice_of(key, sizeof key));
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* ---- storing ---- */

void lmdb_chunk_key(uint8_t key[CHUNK_KEY_LEN], uint64_t id, uint32_t chunk)
{
    put_u64(key, id);
    put_u32(key + 8, chunk);
}

_Static_assert(CHUNK_BYTES <= CHUNK_BLOCKS * BLOCK_BYTES, "a chunk has a sum for each block");

static size_t blocks_of(size_t bytes)
{
    return (bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
}

/* Of the key, the header behind the sum, and the sums of `blocks` blocks. */
static uint32_t header_sum(struct slice key, const uint8_t *piece, size_t blocks)
{
    return crc32c(crc32c(0, key), slice_of(piece + 4, PIECE_HEADER - 4 + blocks * SUM_LEN));
}

static void piece_fill(uint8_t *piece, struct slice key, struct slice bytes, uint8_t flags)
{
    size_t blocks = blocks_of(bytes.len);
    uint8_t *sums = piece + PIECE_HEADER;

    memset(piece, 0, PIECE_HEADER);
    piece[4] = CODING_PLAIN;
    piece[5] = flags;
    for (size_t i = 0; i < blocks; i++)
        put_u32(sums + i * SUM_LEN, checksum_lanes(slice_sub(bytes, i * BLOCK_BYTES, BLOCK_BYTES)));
    put_u32(piece, header_sum(key, piece, blocks));
    if (bytes.len)
        memcpy(sums + blocks * SUM_LEN, bytes.ptr, bytes.len);
}

/* Put a piece straight into LMDB's page. */
static int piece_put(struct lmdb_engine *eng, MDB_txn *txn, enum lmdb_db db, struct slice key,
                     struct slice bytes, uint8_t flags)
{
    size_t len = PIECE_HEADER + blocks_of(bytes.len) * SUM_LEN + bytes.len;
    MDB_val k = val_of(key.ptr, key.len), v = val_of(NULL, len);

    /* Ids ascend, so most keys are the last: appending keeps leaves full. */
    int rc = mdb_put(txn, eng->dbi[db], &k, &v, MDB_RESERVE | MDB_APPEND);
    if (rc == MDB_KEYEXIST) {
        v = val_of(NULL, len);
        rc = mdb_put(txn, eng->dbi[db], &k, &v, MDB_RESERVE);
    }
    if (rc == 0)
        piece_fill(v.mv_data, key, bytes, flags);
    return rc;
}

int lmdb_chunk_put(struct lmdb_engine *eng, MDB_txn *txn, uint64_t id, struct slice bytes,
                   uint64_t offset)
{
    uint8_t key[CHUNK_KEY_LEN];

    lmdb_chunk_key(key, id, (uint32_t)(offset / CHUNK_BYTES));
    return piece_put(eng, txn, DB_CHUNK, slice_of(key, sizeof key),
                     slice_sub(bytes, offset, CHUNK_BYTES),
                     offset + CHUNK_BYTES >= bytes.len ? PIECE_LAST : 0);
}

static int store_bytes(struct lmdb_write *w, uint64_t id, struct slice bytes)
{
    int rc = 0;

    for (uint64_t offset = 0; rc == 0 && offset < bytes.len; offset += CHUNK_BYTES)
        rc = lmdb_chunk_put(w->eng, w->txn, id, bytes, offset);
    return rc;
}

/* What makes the blob known: figures, index, meta. Nothing refers to it yet. */
static int publish(struct lmdb_write *w, const struct engine_new_blob *blob, uint64_t id)
{
    struct engine_blob_info info = {.id = id, .len = blob->bytes.len};
    uint8_t key[8];

    memcpy(info.hash, blob->hash, ENGINE_HASH_LEN);
    put_u64(key, id);
    int rc = lmdb_info_put(w->eng, w->txn, &info);
    if (rc == 0)
        rc = lmdb_put(w->eng, w->txn, DB_HASH, slice_of(blob->hash, ENGINE_HASH_LEN),
                      slice_of(key, sizeof key));
    if (rc == 0 && blob->meta.len)
        rc = piece_put(w->eng, w->txn, DB_BMETA, slice_of(key, sizeof key), blob->meta, PIECE_LAST);
    return rc;
}

static int add_new(struct lmdb_write *w, const struct engine_new_blob *blob, uint64_t staged_id)
{
    struct lmdb_state state;
    uint64_t id = staged_id;

    int rc = lmdb_state_get(w->eng, w->txn, &state);
    if (rc)
        return rc;
    if (!staged_id) {
        id = state.next_blob++;
        rc = store_bytes(w, id, blob->bytes);
        if (rc)
            return rc;
    }
    state.blobs++;
    state.blob_bytes += blob->bytes.len;
    rc = publish(w, blob, id);
    if (rc == 0)
        rc = lmdb_state_put(w->eng, w->txn, &state);
    if (rc)
        return rc;
    w->fresh = mem_grow(w->fresh, w->n_fresh + 1, sizeof *w->fresh);
    w->fresh[w->n_fresh++] = id;
    return 0;
}

static struct err change_failed(struct lmdb_write *w, int rc)
{
    if (!w->failure)
        w->failure = rc;
    return lmdb_err(rc);
}

/* The index by hash had the blob, and what it names could not be read. */
static struct err index_failed(int rc)
{
    if (rc == MDB_NOTFOUND)
        return ERR(ERR_CORRUPT, "the index by hash names a blob that is gone");
    return lmdb_err(rc);
}

struct err lmdb_blob_add(struct lmdb_write *w, const struct engine_new_blob *blob,
                         uint64_t staged_id)
{
    struct engine_blob_info info;
    uint64_t id;

    int rc = lmdb_hash_get(w->eng, w->txn, blob->hash, &id);
    if (rc == MDB_NOTFOUND) {
        rc = add_new(w, blob, staged_id);
        return rc ? change_failed(w, rc) : OK;
    }
    if (rc == 0)
        rc = lmdb_info_get(w->eng, w->txn, id, &info);
    if (rc)
        return index_failed(rc);
    if (info.len != blob->bytes.len)
        return ERR(ERR_INVALID, "a blob of that hash has another length");
    return OK;
}

/* ---- references ---- */

static struct err link_info(struct lmdb_write *w, struct engine_blob_info *info)
{
    struct err e = lmdb_write_count_link(w, info->id);

    if (failed(e))
        return e;
    info->references++;
    int rc = lmdb_info_put(w->eng, w->txn, info);
    if (rc == 0 && info->references == 1)
        rc = lmdb_dead_del(w->eng, w->txn, info->id);
    return rc ? change_failed(w, rc) : OK;
}

struct err lmdb_blob_link(struct engine_write *base, const uint8_t hash[ENGINE_HASH_LEN],
                          struct engine_blob_info *out)
{
    struct lmdb_write *w = (struct lmdb_write *)base;
    struct engine_blob_info info;
    uint64_t id;

    int rc = lmdb_hash_get(w->eng, w->txn, hash, &id);
    if (rc)
        return lmdb_err(rc);
    rc = lmdb_info_get(w->eng, w->txn, id, &info);
    if (rc)
        return index_failed(rc);
    struct err e = link_info(w, &info);
    if (!failed(e))
        *out = info;
    return e;
}

struct err lmdb_blob_link_id(struct engine_write *base, uint64_t id)
{
    struct lmdb_write *w = (struct lmdb_write *)base;
    struct engine_blob_info info;

    int rc = lmdb_info_get(w->eng, w->txn, id, &info);
    return rc ? lmdb_err(rc) : link_info(w, &info);
}

struct err lmdb_blob_unlink(struct engine_write *base, uint64_t id)
{
    struct lmdb_write *w = (struct lmdb_write *)base;
    struct engine_blob_info info;

    int rc = lmdb_info_get(w->eng, w->txn, id, &info);
    if (rc)
        return lmdb_err(rc);
    if (info.references == 0)
        return ERR(ERR_CORRUPT, "more references to a blob were removed than made");
    struct err e = lmdb_write_count_link(w, id);
    if (failed(e))
        return e;
    info.references--;
    rc = lmdb_info_put(w->eng, w->txn, &info);
    if (rc == 0 && info.references == 0) {
        rc = lmdb_dead_put(w->eng, w->txn, id);
        w->made_dead = true;
    }
    return rc ? change_failed(w, rc) : OK;
}

/* ---- reading ---- */

struct err lmdb_blob_stat(struct engine_read *base, uint64_t id, struct engine_blob_info *out)
{
    struct lmdb_read *rd = (struct lmdb_read *)base;
    struct engine_blob_info info;

    int rc = lmdb_info_get(rd->eng, rd->txn, id, &info);
    if (rc)
        return lmdb_err(rc);
    *out = info;
    return OK;
}

struct piece {
    struct slice bytes;
    const uint8_t *sums;
    uint8_t flags;
};

/* Take a stored piece apart. Its header is checked, its bytes are not. */
static struct err piece_open(struct slice key, struct slice value, struct piece *out)
{
    if (value.len < PIECE_HEADER)
        return ERR(ERR_CORRUPT, "a piece of a blob is too short");
    size_t rest = value.len - PIECE_HEADER;
    size_t blocks = (rest + BLOCK_BYTES + SUM_LEN - 1) / (BLOCK_BYTES + SUM_LEN);
    if (rest < blocks * SUM_LEN)
        return ERR(ERR_CORRUPT, "a piece of a blob is too short");
    if (get_u32(value.ptr) != header_sum(key, value.ptr, blocks))
        return ERR(ERR_CORRUPT, "the header of a piece of a blob does not match its checksum");
    if (value.ptr[4] != CODING_PLAIN)
        return ERR(ERR_UNSUPPORTED, "a piece of a blob has a coding that is not known");
    out->sums = value.ptr + PIECE_HEADER;
    out->bytes = slice_from(value, PIECE_HEADER + blocks * SUM_LEN);
    out->flags = value.ptr[5];
    return OK;
}

/* Check the blocks that hold [from, to). */
static struct err piece_check(const struct piece *piece, size_t from, size_t to)
{
    for (size_t i = from / BLOCK_BYTES; i * BLOCK_BYTES < to; i++)
        if (get_u32(piece->sums + i * SUM_LEN) !=
            checksum_lanes(slice_sub(piece->bytes, i * BLOCK_BYTES, BLOCK_BYTES)))
            return ERR(ERR_CORRUPT, "a piece of a blob does not match its checksum");
    return OK;
}

struct err lmdb_meta_open(struct slice key, struct slice value, struct slice *bytes)
{
    struct piece piece;
    struct err e = piece_open(key, value, &piece);

    if (!failed(e))
        e = piece_check(&piece, 0, piece.bytes.len);
    if (!failed(e))
        *bytes = piece.bytes;
    return e;
}

struct err lmdb_chunk_open(struct slice key, struct slice value, size_t from, uint64_t most,
                           struct slice *bytes)
{
    struct piece piece;
    struct err e = piece_open(key, value, &piece);

    if (failed(e))
        return e;
    if (!(piece.flags & PIECE_LAST) && piece.bytes.len != CHUNK_BYTES)
        return ERR(ERR_CORRUPT, "a piece of a blob has the wrong length");
    if (from >= piece.bytes.len)
        return ERR(ERR_NOT_FOUND, "the offset is not inside the blob");
    struct slice wanted = slice_from(piece.bytes, from);
    if (most < wanted.len)
        wanted.len = (size_t)most;
    e = piece_check(&piece, from, from + wanted.len);
    if (!failed(e))
        *bytes = wanted;
    return e;
}

struct err lmdb_blob_meta(struct engine_read *base, uint64_t id, struct slice *meta)
{
    struct lmdb_read *rd = (struct lmdb_read *)base;
    struct engine_blob_info info;
    uint8_t key[8];
    MDB_val v;

    put_u64(key, id);
    int rc = lmdb_get(rd->eng, rd->txn, DB_BMETA, slice_of(key, sizeof key), &v);
    if (rc == 0)
        return lmdb_meta_open(slice_of(key, sizeof key), slice_of_val(v), meta);
    if (rc == MDB_NOTFOUND)
        rc = lmdb_info_get(rd->eng, rd->txn, id, &info);
    if (rc)
        return lmdb_err(rc);
    *meta = SLICE_EMPTY;
    return OK;
}

/* There is no such chunk: the blob has none there, or ought to have. */
static struct err chunk_missing(struct lmdb_read *rd, uint64_t id, uint64_t offset)
{
    struct engine_blob_info info;
    int rc = lmdb_info_get(rd->eng, rd->txn, id, &info);

    if (rc)
        return lmdb_err(rc);
    return offset < info.len ? ERR(ERR_CORRUPT, "a piece of a blob is missing")
                             : ERR(ERR_NOT_FOUND, "the offset is not inside the blob");
}

struct err lmdb_blob_piece(struct engine_read *base, uint64_t id, uint64_t offset, uint64_t most,
                           struct slice *piece)
{
    struct lmdb_read *rd = (struct lmdb_read *)base;
    uint8_t key[CHUNK_KEY_LEN];
    MDB_val v;

    if (offset / CHUNK_BYTES > UINT32_MAX)
        return chunk_missing(rd, id, offset);
    lmdb_chunk_key(key, id, (uint32_t)(offset / CHUNK_BYTES));
    int rc = lmdb_get(rd->eng, rd->txn, DB_CHUNK, slice_of(key, sizeof key), &v);
    if (rc == MDB_NOTFOUND)
        return chunk_missing(rd, id, offset);
    if (rc)
        return lmdb_err(rc);
    return lmdb_chunk_open(slice_of(key, sizeof key), slice_of_val(v), offset % CHUNK_BYTES, most,
                           piece);
}

struct err lmdb_blob_next(struct engine_read *base, uint64_t after, struct engine_blob_info *out)
{
    struct lmdb_read *rd = (struct lmdb_read *)base;
    struct engine_blob_info info;
    uint8_t key[8];
    MDB_cursor *mc;

    if (after == UINT64_MAX)
        return ERR(ERR_NOT_FOUND, "no further blob");
    put_u64(key, after + 1);
    MDB_val k = val_of(key, sizeof key), v;
    int rc = mdb_cursor_open(rd->txn, rd->eng->dbi[DB_INFO], &mc);
    if (rc)
        return lmdb_err(rc);
    rc = mdb_cursor_get(mc, &k, &v, MDB_SET_RANGE);
    mdb_cursor_close(mc);
    if (rc)
        return lmdb_err(rc);
    struct err e = lmdb_info_decode(slice_of_val(k), slice_of_val(v), &info);
    if (!failed(e))
        *out = info;
    return e;
}
