/*
 * runs.c - the UIDs of a folder, and its unseen ones, as runs on disk.
 *
 * One key per run: (FID, first UID) -> last UID. They are kept so that opening a view of a folder
 * costs what its gaps cost and not what its messages do.
 */
#include "store/store_int.h"

struct run_at {
    uint32_t first, last;
    bool found;
};

static struct err decode(struct slice key, struct slice value, enum key_kind kind, uint64_t fid,
                         struct run_at *out)
{
    out->found = key_is_uid(key, kind, fid, &out->first);
    return out->found ? u32_value_decode(value, &out->last) : OK;
}

/* The last run that begins at or before `uid`. */
static struct err run_before(struct engine_cursor *cursor, enum key_kind kind, uint64_t fid,
                             uint32_t uid, struct run_at *out)
{
    struct key end = key_uid(kind, fid, (uint64_t)uid + 1);
    struct slice key, value;
    struct err e = engine_seek_before(cursor, key_slice(&end), &key, &value);

    out->found = false;
    if (failed(e))
        return e.code == ERR_NOT_FOUND ? OK : e;
    return decode(key, value, kind, fid, out);
}

/* The first run that begins behind `uid`. */
static struct err run_after(struct engine_cursor *cursor, enum key_kind kind, uint64_t fid,
                            uint32_t uid, struct run_at *out)
{
    struct key from = key_uid(kind, fid, (uint64_t)uid + 1);
    struct slice key, value;
    struct err e = engine_seek(cursor, key_slice(&from), &key, &value);

    out->found = false;
    if (failed(e))
        return e.code == ERR_NOT_FOUND ? OK : e;
    return decode(key, value, kind, fid, out);
}

static struct err put(struct store_tx *tx, enum key_kind kind, uint64_t fid, uint32_t first,
                      uint32_t last)
{
    struct key key = key_uid(kind, fid, first);
    struct record value;

    u32_value_encode(last, &value);
    return tx_put(tx, &key, record_slice(&value));
}

static struct err drop(struct store_tx *tx, enum key_kind kind, uint64_t fid, uint32_t first)
{
    struct key key = key_uid(kind, fid, first);

    return tx_delete(tx, &key);
}

struct err runs_add(struct store_tx *tx, enum key_kind kind, uint64_t fid, uint32_t first,
                    uint32_t last)
{
    struct run_at run;
    struct err e = run_before(tx->cursor, kind, fid, first, &run);

    if (failed(e))
        return e;
    if (run.found && (run.last >= first || first - run.last == 1)) {
        first = run.first;
        if (run.last >= last)
            return OK;
    }
    /* Those that begin inside it or right behind it become part of it. */
    for (uint32_t behind = first;;) {
        e = run_after(tx->cursor, kind, fid, behind, &run);
        if (failed(e))
            return e;
        if (!run.found || (run.first > last && run.first - last > 1))
            return put(tx, kind, fid, first, last);
        if (run.last > last)
            last = run.last;
        e = drop(tx, kind, fid, run.first);
        if (failed(e))
            return e;
        behind = run.first;
    }
}

/* Take first:last out of one run. */
static struct err cut(struct store_tx *tx, enum key_kind kind, uint64_t fid, struct run_at run,
                      uint32_t first, uint32_t last)
{
    struct err e = run.first < first ? put(tx, kind, fid, run.first, first - 1)
                                     : drop(tx, kind, fid, run.first);

    if (!failed(e) && run.last > last)
        e = put(tx, kind, fid, last + 1, run.last);
    return e;
}

struct err runs_remove(struct store_tx *tx, enum key_kind kind, uint64_t fid, uint32_t first,
                       uint32_t last)
{
    struct run_at run;
    struct err e = run_before(tx->cursor, kind, fid, first, &run);

    if (!failed(e) && run.found && run.last >= first)
        e = cut(tx, kind, fid, run, first, last);
    while (!failed(e)) {
        e = run_after(tx->cursor, kind, fid, first, &run);
        if (failed(e) || !run.found || run.first > last)
            break;
        e = cut(tx, kind, fid, run, first, last);
        if (run.last >= last)
            break;
    }
    return e;
}

struct err runs_add_set(struct store_tx *tx, enum key_kind kind, uint64_t fid,
                        const struct uidset *set)
{
    struct err e = OK;

    for (size_t i = 0; i < set->n && !failed(e); i++)
        e = runs_add(tx, kind, fid, set->runs[i].first, set->runs[i].last);
    return e;
}

struct err runs_remove_set(struct store_tx *tx, enum key_kind kind, uint64_t fid,
                           const struct uidset *set)
{
    struct err e = OK;

    for (size_t i = 0; i < set->n && !failed(e); i++)
        e = runs_remove(tx, kind, fid, set->runs[i].first, set->runs[i].last);
    return e;
}

struct err runs_load(struct engine_read *rd, enum key_kind kind, uint64_t fid, uint32_t from,
                     struct uidset *out)
{
    struct engine_cursor *cursor = engine_cursor_open(rd);
    struct slice key, value;
    struct run_at run;
    struct err e = run_before(cursor, kind, fid, from, &run);

    if (!failed(e) && (!run.found || run.last < from)) {
        e = run_after(cursor, kind, fid, from, &run);
    }
    while (!failed(e) && run.found) {
        if (run.last < run.first || (out->n && (run.first <= out->runs[out->n - 1].last ||
                                                run.first - out->runs[out->n - 1].last == 1))) {
            e = ERR(ERR_CORRUPT, "runs overlap");
            break;
        }
        uidset_append_unordered(out, run.first, run.last);
        e = engine_next(cursor, &key, &value);
        if (!failed(e))
            e = decode(key, value, kind, fid, &run);
        else if (e.code == ERR_NOT_FOUND) {
            e = OK;
            break;
        }
    }
    engine_cursor_close(cursor);
    return e;
}
