/*
 * changelog.c - what happened in a mailbox, in the order of its counter.
 *
 * One entry per operation and folder, under the last counter value that it took. What was expunged
 * is kept as a tombstone of its folder under the same value. Entries beyond the configured number
 * go, oldest first, a few with each later change; a tombstone goes with its entry and leaves its
 * value in the folder's expunge_floor.
 *
 * UIDs are encoded as pairs of varints (7 bits a byte, low ones first): the distance from the end
 * of the run before, and the length of the run less one.
 */
#include "base/crc32c.h"
#include "base/varint.h"
#include "store/rowgroup.h"
#include "store/store_int.h"

/*
 * Entries are trimmed many at a time: the oldest lie in pages of their own, and each commit that
 * touched them would write these as well.
 */
enum { TRIM_AT_ONCE = 64, LOG_WALK_MAX = 2048 };

/* ---- sets of UIDs as bytes ---- */

void uids_encode(const struct uidset *set, struct buf *out)
{
    uint32_t end = 0;

    for (size_t i = 0; i < set->n; i++) {
        varint_put(out, set->runs[i].first - end);
        varint_put(out, set->runs[i].last - set->runs[i].first);
        end = set->runs[i].last;
    }
}

struct err uids_decode(struct slice bytes, struct uidset *out)
{
    uint64_t end = 0;

    while (bytes.len > 0) {
        uint64_t gap, more;

        if (!varint_take(&bytes, &gap) || !varint_take(&bytes, &more) || gap > UINT32_MAX ||
            more > UINT32_MAX || end + gap + more > UINT32_MAX)
            return ERR(ERR_CORRUPT, "UIDs of a change: malformed");
        uidset_append_unordered(out, (uint32_t)(end + gap), (uint32_t)(end + gap + more));
        end += gap + more;
    }
    return OK;
}

struct err tombstone_decode(struct slice value, struct uidset *out)
{
    if (value.len < 4 || get_le32(value.ptr) != crc32c(0, slice_from(value, 4)))
        return ERR(ERR_CORRUPT, "tombstone: checksum");
    return uids_decode(slice_from(value, 4), out);
}

/* ---- writing ---- */

static struct err put_tombstone(struct store_tx *tx, uint64_t fid, struct slice uids)
{
    struct key key = key_tombstone(fid, tx->rec.counter);
    struct buf value = buf_make(SIZE_MAX);
    uint8_t sum[4];

    put_le32(sum, crc32c(0, uids));
    buf_put(&value, slice_of(sum, sizeof sum));
    buf_put(&value, uids);
    struct err e = tx_put(tx, &key, buf_slice(&value));

    buf_done(&value);
    return e;
}

struct err log_put(struct store_tx *tx, struct log_rec *rec, const struct uidset *uids)
{
    struct buf encoded = buf_make(SIZE_MAX), value = buf_make(SIZE_MAX);
    struct key key = key_id(KEY_LOG, tx->rec.counter);
    struct err e = OK;

    if (uids)
        uids_encode(uids, &encoded);
    if (rec->kind == LOG_EXPUNGED)
        e = put_tombstone(tx, rec->fid, buf_slice(&encoded));
    else
        rec->uids = buf_slice(&encoded);
    log_rec_encode(rec, &value);
    if (!failed(e))
        e = tx_put(tx, &key, buf_slice(&value));
    tx->rec.log_entries++;
    tx->changed = true;
    rec->uids = SLICE_EMPTY;
    buf_done(&encoded);
    buf_done(&value);
    return e;
}

struct err log_folder_changed(struct store_tx *tx, const struct folder_rec *folder)
{
    struct log_rec rec = {.kind = LOG_FOLDER_CHANGED, .fid = folder->fid, .first = folder->cn};

    return log_put(tx, &rec, NULL);
}

static struct err forget_expunge(struct store_tx *tx, uint64_t fid, uint64_t counter)
{
    struct key key = key_tombstone(fid, counter);
    struct folder_rec folder;
    struct err e = tx_delete_any(tx, &key);

    if (failed(e))
        return e;
    e = folder_load(tx->read, fid, &folder);
    if (failed(e)) /* the folder may be gone */
        return e.code == ERR_NOT_FOUND ? OK : e;
    folder.expunge_floor = counter;
    return folder_save(tx, &folder);
}

static struct err trim_one(struct store_tx *tx)
{
    struct key from = key_kind(KEY_LOG);
    struct slice key, value;
    struct log_rec rec;
    uint64_t counter;
    struct err e = engine_seek(tx->cursor, key_slice(&from), &key, &value);

    if (failed(e) || !key_is_id(key, KEY_LOG, &counter))
        return ERR(ERR_CORRUPT, "change log has fewer entries than are counted");
    e = log_rec_decode(value, &rec);
    if (failed(e))
        return e;
    if (rec.kind == LOG_EXPUNGED)
        e = forget_expunge(tx, rec.fid, counter);
    if (failed(e))
        return e;
    from = key_id(KEY_LOG, counter);
    tx->rec.log_entries--;
    tx->rec.log_floor = counter;
    return tx_delete(tx, &from);
}

struct err log_trim(struct store_tx *tx)
{
    uint64_t most = tx->mailbox->store->config.max_log;
    struct err e = OK;

    if (tx->rec.log_entries < most + TRIM_AT_ONCE)
        return OK;
    /* Twice as many as came meanwhile: a bound that was lowered is reached as well. */
    for (int i = 0; i < 2 * TRIM_AT_ONCE && tx->rec.log_entries > most && !failed(e); i++)
        e = trim_one(tx);
    return e;
}

/* ---- reading ---- */

/*
 * UIDs of the folder that entries beyond `since` name, newest first. *reached is false where the
 * log does not go back that far, or it would take too long.
 */
static struct err collect(struct store_read *rd, uint64_t fid, uint64_t since, struct uidset *out,
                          bool *reached)
{
    struct engine_cursor *cursor = engine_cursor_open(rd->engine);
    struct key end = key_id(KEY_LOG, UINT64_MAX);
    struct slice key, value;
    struct log_rec rec;
    uint64_t counter;
    struct err e = engine_seek_before(cursor, key_slice(&end), &key, &value);

    *reached = false;
    for (int i = 0; i < LOG_WALK_MAX; i++) {
        if (failed(e) || !key_is_id(key, KEY_LOG, &counter) || counter <= since) {
            *reached = true;
            break;
        }
        e = log_rec_decode(value, &rec);
        if (!failed(e) && rec.fid == fid && rec.kind <= LOG_CHANGED)
            e = uids_decode(rec.uids, out);
        if (failed(e))
            break;
        e = engine_prev(cursor, &key, &value);
    }
    engine_cursor_close(cursor);
    return failed(e) && e.code != ERR_NOT_FOUND ? e : OK;
}

/* Of the named UIDs, those that exist and are newer than `since`. */
static struct err keep_changed(struct store_read *rd, uint64_t fid, uint64_t since,
                               const struct uidset *named, struct uidset *out)
{
    struct store_rows *rows = store_rows_open(rd, fid, 0);
    const struct message_row *row;
    struct err e = OK;

    for (size_t i = 0; i < named->n; i++) {
        store_rows_seek(rows, named->runs[i].first);
        while (!failed(e = store_rows_next(rows, &row)) && row->uid <= named->runs[i].last)
            if (row->modseq > since)
                uidset_add(out, row->uid, row->uid);
        if (failed(e))
            break;
    }
    store_rows_close(rows);
    return failed(e) && e.code != ERR_NOT_FOUND ? e : OK;
}

/* Without the log: every group that has something newer. */
static struct err walk_changed(struct store_read *rd, uint64_t fid, uint64_t since,
                               struct uidset *out)
{
    struct engine_cursor *cursor = engine_cursor_open(rd->engine);
    struct key from = key_uid(KEY_ROWS, fid, 0);
    struct slice key, value;
    struct group_view group;
    struct message_row row;
    uint32_t uid;
    struct err e = engine_seek(cursor, key_slice(&from), &key, &value);

    while (!failed(e) && key_is_uid(key, KEY_ROWS, fid, &uid)) {
        e = group_open(value, false, &group);
        if (!failed(e) && group.modseq > since)
            e = group_open(value, true, &group);
        if (failed(e))
            break;
        for (uint32_t i = 0; group.modseq > since && i < group.n; i++) {
            row_decode(group.rows + (size_t)i * ROW_BYTES, &row);
            if (row.modseq > since)
                uidset_add(out, row.uid, row.uid);
        }
        e = engine_next(cursor, &key, &value);
    }
    engine_cursor_close(cursor);
    return failed(e) && e.code != ERR_NOT_FOUND ? e : OK;
}

static struct err touched(struct store_read *rd, uint64_t fid, uint64_t since, struct uidset *out,
                          bool *exact)
{
    const struct mailbox_rec *rec;
    struct uidset found = UIDSET_EMPTY;
    bool reached = false;
    struct err e = read_mailbox_rec(rd, &rec);

    if (!failed(e) && since >= rec->log_floor)
        e = collect(rd, fid, since, &found, &reached);
    if (!failed(e) && reached) {
        uidset_normalize(&found);
    } else if (!failed(e)) {
        uidset_clear(&found);
        e = walk_changed(rd, fid, since, &found);
    }
    if (failed(e)) {
        uidset_done(&found);
        return e;
    }
    uidset_done(out);
    *out = found;
    *exact = !reached;
    return OK;
}

struct err store_touched_since(struct store_read *rd, uint64_t fid, uint64_t since,
                               struct uidset *out)
{
    bool exact;

    return touched(rd, fid, since, out, &exact);
}

struct err store_changed_since(struct store_read *rd, uint64_t fid, uint64_t since,
                               struct uidset *out)
{
    struct uidset named = UIDSET_EMPTY, found = UIDSET_EMPTY;
    bool exact = false;
    struct err e = touched(rd, fid, since, &named, &exact);

    if (!failed(e) && !exact) {
        e = keep_changed(rd, fid, since, &named, &found);
        uidset_done(&named);
        named = found;
    }
    if (failed(e)) {
        uidset_done(&named);
        return e;
    }
    uidset_done(out);
    *out = named;
    return OK;
}

static struct err collect_tombstones(struct store_read *rd, uint64_t fid, uint64_t since,
                                     struct uidset *out)
{
    struct engine_cursor *cursor = engine_cursor_open(rd->engine);
    struct key from = key_tombstone(fid, since + 1);
    struct slice key, value;
    uint64_t counter;
    struct err e = engine_seek(cursor, key_slice(&from), &key, &value);

    while (!failed(e) && key_is_tombstone(key, fid, &counter)) {
        e = tombstone_decode(value, out);
        if (!failed(e))
            e = engine_next(cursor, &key, &value);
    }
    engine_cursor_close(cursor);
    return failed(e) && e.code != ERR_NOT_FOUND ? e : OK;
}

struct err store_expunged_since(struct store_read *rd, uint64_t fid, uint64_t since,
                                struct uidset *out, bool *complete)
{
    struct folder_rec folder;
    struct uidset found = UIDSET_EMPTY;
    struct err e = folder_load(rd->engine, fid, &folder);

    if (!failed(e) && since < UINT64_MAX)
        e = collect_tombstones(rd, fid, since, &found);
    if (failed(e)) {
        uidset_done(&found);
        return e;
    }
    uidset_normalize(&found);
    uidset_done(out);
    *out = found;
    *complete = since >= folder.expunge_floor;
    return OK;
}
