/*
 * message.c - what hangs on a row: where it is, its bytes, what was derived of them, its names.
 */
#include "store/prepare_int.h"
#include "store/rowgroup.h"

struct err store_message_by_mid(struct store_read *rd, uint64_t mid, uint64_t *fid, uint32_t *uid)
{
    struct key key = key_id(KEY_MID, mid);
    struct folder_rec folder;
    struct slice value;
    uint64_t its_fid;
    uint32_t its_uid;
    struct err e = engine_get(rd->engine, key_slice(&key), &value);

    if (!failed(e))
        e = mid_value_decode(value, &its_fid, &its_uid);
    if (!failed(e)) /* what is being swept is gone already */
        e = folder_load(rd->engine, its_fid, &folder);
    if (!failed(e) && (folder.flags & FOLDER_NOSELECT))
        e = ERR(ERR_NOT_FOUND, "only a level of the hierarchy");
    if (failed(e))
        return e.code == ERR_NOT_FOUND ? ERR(ERR_NOT_FOUND, "no message with this MID") : e;
    *fid = its_fid;
    *uid = its_uid;
    return OK;
}

struct err store_message_meta(struct store_read *rd, const struct message_row *row,
                              struct message_meta *out)
{
    struct slice bytes;
    struct err e = engine_blob_meta(rd->engine, row->blob, &bytes);

    return failed(e) ? e : message_meta_decode(bytes, out);
}

struct err store_message_hash(struct store_read *rd, const struct message_row *row,
                              uint8_t hash[ENGINE_HASH_LEN])
{
    struct engine_blob_info info;
    struct err e = engine_blob_stat(rd->engine, row->blob, &info);

    if (!failed(e))
        memcpy(hash, info.hash, ENGINE_HASH_LEN);
    return e;
}

struct err store_message_piece(struct store_read *rd, const struct message_row *row,
                               uint64_t offset, uint64_t most, struct slice *piece)
{
    return engine_blob_piece(rd->engine, row->blob, offset, most, piece);
}

struct err store_message_bytes(struct store_read *rd, const struct message_row *row,
                               uint64_t offset, uint64_t len, struct arena *in, struct slice *out)
{
    struct slice piece;
    uint8_t *copy;

    if (offset > row->size || len > row->size - offset)
        return ERR(ERR_INVALID, "a range beyond the message");
    if (len == 0) {
        *out = SLICE_EMPTY;
        return OK;
    }
    struct err e = engine_blob_piece(rd->engine, row->blob, offset, len, &piece);
    if (failed(e) || piece.len >= len) {
        if (!failed(e))
            *out = slice_head(piece, len);
        return e;
    }
    copy = arena_alloc(in, len);
    for (uint64_t have = 0;;) {
        memcpy(copy + have, piece.ptr, piece.len);
        have += piece.len;
        if (have == len)
            break;
        e = engine_blob_piece(rd->engine, row->blob, offset + have, len - have, &piece);
        if (!failed(e) && piece.len == 0)
            e = ERR(ERR_CORRUPT, "an empty piece of a message");
        if (failed(e))
            return e;
    }
    *out = slice_of(copy, len);
    return OK;
}

void store_pin(struct store *st, const struct message_row *row)
{
    engine_blob_pin(st->engine, row->blob);
}

void store_unpin(struct store *st, const struct message_row *row)
{
    engine_blob_unpin(st->engine, row->blob);
}

/* ---- names ---- */

struct err store_uidl(struct store_read *rd, uint64_t fid, const struct message_row *row,
                      struct buf *out)
{
    struct key key = key_id(KEY_UIDL, row->mid);
    const struct mailbox_rec *rec;
    struct slice value;
    struct err e = read_mailbox_rec(rd, &rec);

    (void)fid;
    if (failed(e))
        return e;
    if (row->flags & FLAG_IMPORTED_UIDL) {
        e = engine_get(rd->engine, key_slice(&key), &value);
        if (!failed(e))
            buf_put(out, value);
        return e.code == ERR_NOT_FOUND ? ERR(ERR_CORRUPT, "a row's UIDL is missing") : e;
    }
    /* A MID is never used again in its mailbox, nor after a restore; see restore.c. */
    buf_printf(out, "%012llx.%016llx", (unsigned long long)row->mid,
               (unsigned long long)get_be64(rec->mailbox_guid));
    return OK;
}

struct err store_email_id(struct store_read *rd, const struct message_row *row, struct buf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t hash[ENGINE_HASH_LEN];
    struct err e = store_message_hash(rd, row, hash);

    if (failed(e))
        return e;
    buf_putc(out, 'M');
    for (size_t i = 0; i < 24; i += 3) { /* 192 bits of the hash: no two messages share them */
        uint32_t bits = (uint32_t)hash[i] << 16 | (uint32_t)hash[i + 1] << 8 | hash[i + 2];

        for (int shift = 18; shift >= 0; shift -= 6)
            buf_putc(out, (uint8_t)digits[(bits >> shift) & 63]);
    }
    return OK;
}
