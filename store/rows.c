/*
 * rows.c - reading message rows: one, or a walk over a folder.
 */
#include <stdlib.h>

#include "store/rowgroup.h"

static struct err find_row(struct store_read *rd, uint64_t fid, uint32_t uid, const uint8_t **out)
{
    struct engine_cursor *cursor = engine_cursor_open(rd->engine);
    struct group_view group;
    struct slice key, value;
    uint32_t at;
    struct key end = key_uid(KEY_ROWS, fid, (uint64_t)uid + 1);
    struct err e = engine_seek_before(cursor, key_slice(&end), &key, &value);

    engine_cursor_close(cursor);
    if (!failed(e) && !key_is_uid(key, KEY_ROWS, fid, &at))
        e = ERR(ERR_NOT_FOUND, "no message with this UID");
    if (!failed(e))
        e = group_open(value, true, &group);
    if (failed(e))
        return e;
    uint32_t i = group_find(&group, uid);

    if (i == group.n || row_uid(group.rows + (size_t)i * ROW_BYTES) != uid)
        return ERR(ERR_NOT_FOUND, "no message with this UID");
    *out = group.rows + (size_t)i * ROW_BYTES;
    return OK;
}

struct err store_message(struct store_read *rd, uint64_t fid, uint32_t uid, struct message_row *out)
{
    const uint8_t *bytes;
    struct err e = find_row(rd, fid, uid, &bytes);

    if (!failed(e))
        row_decode(bytes, out);
    return e;
}

/* ---- walks ---- */

struct store_rows {
    struct engine_cursor *cursor;
    uint64_t fid;
    struct group_view group;
    uint32_t at;   /* the next row of the group */
    bool in_group; /* the cursor stands on `group` */
    uint64_t seek; /* else: where to go next */
    struct message_row row;
};

struct store_rows *store_rows_open(struct store_read *rd, uint64_t fid, uint32_t from)
{
    struct store_rows *rows = mem_new(sizeof *rows);

    rows->cursor = engine_cursor_open(rd->engine);
    rows->fid = fid;
    rows->seek = from;
    return rows;
}

void store_rows_close(struct store_rows *rows)
{
    if (!rows)
        return;
    engine_cursor_close(rows->cursor);
    free(rows);
}

static struct err enter_group(struct store_rows *rows)
{
    struct slice key, value;
    uint32_t uid;
    struct err e;

    if (rows->in_group) {
        rows->in_group = false;
        rows->seek = (uint64_t)UINT32_MAX + 1; /* unless there is a next one, the end */
        e = engine_next(rows->cursor, &key, &value);
        if (!failed(e) && !key_is_uid(key, KEY_ROWS, rows->fid, &uid))
            e = ERR(ERR_NOT_FOUND, "that was the last message");
    } else if (rows->seek > UINT32_MAX) {
        e = ERR(ERR_NOT_FOUND, "that was the last message");
    } else {
        e = group_seek(rows->cursor, rows->fid, (uint32_t)rows->seek, &key, &value);
    }
    if (!failed(e))
        e = group_open(value, true, &rows->group);
    if (failed(e))
        return e;
    rows->in_group = true;
    rows->at = rows->seek > UINT32_MAX ? 0 : group_find(&rows->group, (uint32_t)rows->seek);
    return OK;
}

struct err store_rows_next(struct store_rows *rows, const struct message_row **row)
{
    if (!rows->in_group || rows->at == rows->group.n) {
        struct err e = enter_group(rows);

        if (failed(e))
            return e;
    }
    row_decode(rows->group.rows + (size_t)rows->at++ * ROW_BYTES, &rows->row);
    *row = &rows->row;
    return OK;
}

void store_rows_seek(struct store_rows *rows, uint32_t uid)
{
    if (rows->in_group && uid >= row_uid(rows->group.rows) &&
        uid <= row_uid(rows->group.rows + (size_t)(rows->group.n - 1) * ROW_BYTES)) {
        rows->at = group_find(&rows->group, uid);
        return;
    }
    rows->in_group = false;
    rows->seek = uid;
}
