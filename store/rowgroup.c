#include "store/rowgroup.h"

#include "store/checksum.h"

/* A group with fewer rows than this looks for a neighbour to join. */
enum { GROUP_SMALL = GROUP_ROWS / 3 };

/* ---- rows ---- */

static void put_48(uint8_t *p, uint64_t n)
{
    memcpy(p, &n, 6);
}

void row_encode(const struct message_row *row, uint8_t *p)
{
    put_le32(p, row->uid);
    put_le16(p + 4, row->flags);
    put_le16(p + 6, (uint16_t)row->zone);
    put_le64(p + 8, row->internaldate);
    put_le32(p + 16, row->size);
    put_le32(p + 20, row->keyword_set);
    put_le32(p + 24, (uint32_t)filetime_to_unix(row->savedate));
    put_48(p + 28, row->mid);
    put_48(p + 34, row->modseq);
    put_48(p + 40, row->cn);
    put_48(p + 46, row->read_cn);
    put_48(p + 52, row->blob);
    put_48(p + 58, (uint64_t)row->sent);
}

/* ---- groups as they are stored ---- */

struct err group_open(struct slice value, bool checked, struct group_view *out)
{
    if (value.len < GROUP_HEAD + ROW_BYTES)
        return ERR(ERR_CORRUPT, "row group: too short");
    uint32_t n = get_le16(value.ptr + 4);

    if (n > GROUP_ROWS || value.len != GROUP_HEAD + (size_t)n * ROW_BYTES)
        return ERR(ERR_CORRUPT, "row group: wrong length");
    if (checked &&
        get_le32(value.ptr) != (checksum_lanes(slice_from(value, 8)) ^ get_le32(value.ptr + 4)))
        return ERR(ERR_CORRUPT, "row group: checksum");
    *out = (struct group_view){value.ptr + GROUP_HEAD, n, get_le16(value.ptr + 6),
                               get_le64(value.ptr + 8)};
    return OK;
}

uint32_t group_find(const struct group_view *group, uint32_t uid)
{
    uint32_t first = row_uid(group->rows), low = 0, high = group->n;

    /* Most folders have few gaps: try where it would be without any. */
    if (uid >= first && uid - first < group->n &&
        row_uid(group->rows + (size_t)(uid - first) * ROW_BYTES) == uid)
        return uid - first;
    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (row_uid(group->rows + (size_t)middle * ROW_BYTES) < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The UID of the last row, without a look at the checksum. 0 where the form is broken. */
static uint32_t last_uid(struct slice value)
{
    return value.len < GROUP_HEAD + ROW_BYTES ? 0 : get_le32(value.ptr + value.len - ROW_BYTES);
}

struct err group_seek(struct engine_cursor *cursor, uint64_t fid, uint32_t uid, struct slice *key,
                      struct slice *value)
{
    struct key from = key_uid(KEY_ROWS, fid, (uint64_t)uid + 1);
    uint32_t at;
    struct slice k, v;
    struct err e = engine_seek_before(cursor, key_slice(&from), &k, &v);

    if (failed(e) && e.code != ERR_NOT_FOUND)
        return e;
    if (failed(e) || !key_is_uid(k, KEY_ROWS, fid, &at) || last_uid(v) < uid)
        e = engine_seek(cursor, key_slice(&from), &k, &v);
    if (failed(e))
        return e;
    if (!key_is_uid(k, KEY_ROWS, fid, &at))
        return ERR(ERR_NOT_FOUND, "no message at or behind this UID");
    *key = k;
    *value = v;
    return OK;
}

/* ---- groups that are being changed ---- */

static struct err copy_group(struct slice key, struct slice value, uint64_t fid, struct group *out)
{
    struct group_view view;
    struct err e = group_open(value, true, &view);

    if (failed(e))
        return e;
    out->fid = fid;
    out->key_uid = get_be32(key.ptr + 9);
    out->n = view.n;
    out->stored = true;
    memcpy(out->bytes, value.ptr, value.len);
    return OK;
}

struct err group_load(struct store_tx *tx, uint64_t fid, uint32_t uid, struct group *out)
{
    struct slice key, value;
    struct err e = group_seek(tx->cursor, fid, uid, &key, &value);

    return failed(e) ? e : copy_group(key, value, fid, out);
}

struct err group_load_last(struct store_tx *tx, uint64_t fid, struct group *out)
{
    struct key end = key_uid(KEY_ROWS, fid, (uint64_t)UINT32_MAX + 1);
    struct slice key, value;
    uint32_t uid;
    struct err e = engine_seek_before(tx->cursor, key_slice(&end), &key, &value);

    if (failed(e) && e.code != ERR_NOT_FOUND)
        return e;
    if (!failed(e) && key_is_uid(key, KEY_ROWS, fid, &uid))
        return copy_group(key, value, fid, out);
    out->fid = fid;
    out->n = 0;
    out->stored = false;
    return OK;
}

struct err group_save(struct store_tx *tx, struct group *group)
{
    struct key key = key_uid(KEY_ROWS, group->fid, group->key_uid);
    uint64_t modseq = 0;
    uint16_t any = 0;
    size_t len = GROUP_HEAD + (size_t)group->n * ROW_BYTES;

    if (group->n == 0)
        return group->stored ? tx_delete(tx, &key) : OK;
    for (uint32_t i = 0; i < group->n; i++) {
        const uint8_t *row = group_row(group, i);
        uint64_t its = row_get_48(row + 34);

        any |= get_le16(row + 4);
        if (its > modseq)
            modseq = its;
    }
    put_le16(group->bytes + 4, (uint16_t)group->n);
    put_le16(group->bytes + 6, any);
    put_le64(group->bytes + 8, modseq);
    put_le32(group->bytes,
             checksum_lanes(slice_of(group->bytes + 8, len - 8)) ^ get_le32(group->bytes + 4));
    group->stored = true;
    return tx_put(tx, &key, slice_of(group->bytes, len));
}

struct err group_append(struct store_tx *tx, struct group *group, const struct message_row *row)
{
    if (group->n == GROUP_ROWS) {
        struct err e = group_save(tx, group);

        if (failed(e))
            return e;
        group->n = 0;
        group->stored = false;
    }
    if (group->n == 0 && !group->stored)
        group->key_uid = row->uid;
    row_encode(row, group_row(group, group->n++));
    return OK;
}

struct err group_save_shrunk(struct store_tx *tx, struct group *group)
{
    struct key key = key_uid(KEY_ROWS, group->fid, group->key_uid);
    struct slice k, v;
    struct group_view left;
    uint32_t uid;

    if (group->n == 0 || group->n > GROUP_SMALL)
        return group_save(tx, group);
    struct err e = engine_seek_before(tx->cursor, key_slice(&key), &k, &v);
    if (failed(e) && e.code != ERR_NOT_FOUND)
        return e;
    if (failed(e) || !key_is_uid(k, KEY_ROWS, group->fid, &uid))
        return group_save(tx, group);
    e = group_open(v, true, &left);
    /* Some room is left for rows that are not to make the next split. */
    if (failed(e) || left.n + group->n > GROUP_ROWS - GROUP_SMALL / 2)
        return failed(e) ? e : group_save(tx, group);

    memmove(group_row(group, left.n), group_row(group, 0), (size_t)group->n * ROW_BYTES);
    memcpy(group_row(group, 0), left.rows, (size_t)left.n * ROW_BYTES);
    group->n += left.n;
    if (group->stored)
        e = tx_delete(tx, &key);
    if (failed(e))
        return e;
    group->key_uid = uid;
    return group_save(tx, group);
}
