/*
 * criteria.c - what a search folder looks for ([MS-OXCFOLD] 2.2.1.4), kept as it was given.
 *
 * Value of KEY_CRITERIA: checksum u32 (CRC-32C of what follows), flags u32, number of FIDs u32,
 * FIDs u64; where the flags have SEARCHED: number of messages found u32, of unread ones u32, bytes
 * of MIDs u32, MIDs (mids.c); restriction.
 */
#include <stdlib.h>

#include "base/crc32c.h"
#include "store/access_int.h"

enum { HEAD = 12, FOUND_HEAD = 12 };

static const uint32_t SEARCHED = 0x80000000;

static struct err found_decode(struct slice *value, struct store_search_criteria *out)
{
    out->searched = out->flags & SEARCHED;
    out->flags &= ~SEARCHED;
    if (!out->searched)
        return OK;
    if (value->len < FOUND_HEAD || get_le32(value->ptr + 8) > value->len - FOUND_HEAD)
        return ERR(ERR_CORRUPT, "search criteria: what was found");
    uint32_t len = get_le32(value->ptr + 8);

    out->found = get_le32(value->ptr);
    out->unread = get_le32(value->ptr + 4);
    out->mids = slice_of(value->ptr + FOUND_HEAD, len);
    *value = slice_from(*value, FOUND_HEAD + (size_t)len);
    return OK;
}

struct err criteria_decode(struct slice value, struct arena *in, struct store_search_criteria *out)
{
    if (value.len < HEAD || get_le32(value.ptr) != crc32c(0, slice_from(value, 4)))
        return ERR(ERR_CORRUPT, "search criteria: checksum");
    uint32_t n = get_le32(value.ptr + 8);

    if (n > STORE_SCOPE_MAX || n * 8 > value.len - HEAD)
        return ERR(ERR_CORRUPT, "search criteria: number of folders");
    uint64_t *scope = arena_array(in, n, sizeof *scope);

    for (size_t i = 0; i < n; i++)
        scope[i] = get_le64(value.ptr + HEAD + 8 * i);
    struct store_search_criteria made = {
        .scope = scope, .n_scope = n, .flags = get_le32(value.ptr + 4)};
    struct slice rest = slice_from(value, HEAD + 8 * (size_t)n);
    struct err e = found_decode(&rest, &made);

    made.restriction = rest;
    if (!failed(e))
        *out = made;
    return e;
}

struct err store_search_criteria(struct store_read *rd, uint64_t fid, struct arena *in,
                                 struct store_search_criteria *out)
{
    struct key key = key_id(KEY_CRITERIA, fid);
    struct slice value;
    struct err e = engine_get(rd->engine, key_slice(&key), &value);

    if (failed(e))
        return e.code == ERR_NOT_FOUND ? ERR(ERR_NOT_FOUND, "no criteria were set") : e;
    return criteria_decode(arena_slice(in, value), in, out);
}

static struct err save(struct store_tx *tx, uint64_t fid, const struct store_search_criteria *c)
{
    size_t found = c->searched ? FOUND_HEAD + c->mids.len : 0, at = HEAD + 8 * c->n_scope;
    struct key key = key_id(KEY_CRITERIA, fid);
    size_t len = at + found + c->restriction.len;
    uint8_t *bytes = mem_array(len, 1);

    put_le32(bytes + 4, c->flags | (c->searched ? SEARCHED : 0));
    put_le32(bytes + 8, (uint32_t)c->n_scope);
    for (size_t i = 0; i < c->n_scope; i++)
        put_le64(bytes + HEAD + 8 * i, c->scope[i]);
    if (c->searched) {
        put_le32(bytes + at, c->found);
        put_le32(bytes + at + 4, c->unread);
        put_le32(bytes + at + 8, (uint32_t)c->mids.len);
    }
    if (c->searched && c->mids.len)
        memcpy(bytes + at + FOUND_HEAD, c->mids.ptr, c->mids.len);
    if (c->restriction.len)
        memcpy(bytes + at + found, c->restriction.ptr, c->restriction.len);
    put_le32(bytes, crc32c(0, slice_of(bytes + 4, len - 4)));
    struct err e = tx_put(tx, &key, slice_of(bytes, len));

    free(bytes);
    return e;
}

static struct err load_search_folder(struct store_tx *tx, uint64_t fid, struct folder_rec *rec)
{
    struct err e = folder_load_plain(tx, fid, rec);

    if (!failed(e) && !(rec->flags & FOLDER_SEARCH))
        e = ERR(ERR_INVALID, "not a search folder");
    return e;
}

static struct err set_step(struct store_tx *tx, struct store_op *op)
{
    struct store_set_search_criteria *rq = container_of(op, struct store_set_search_criteria, op);
    struct folder_rec rec;
    struct err e = load_search_folder(tx, rq->fid, &rec);

    if (failed(e))
        return e;
    if (rq->criteria.restriction.len > STORE_RESTRICTION_MAX ||
        rq->criteria.n_scope > STORE_SCOPE_MAX)
        return ERR(ERR_TOO_BIG, "search criteria");
    rq->criteria.searched = false;
    e = save(tx, rq->fid, &rq->criteria);
    rec.flags |= FOLDER_CRITERIA;
    rec.cn = tx_take(tx, 1);
    rec.changed = tx->now;
    if (!failed(e))
        e = folder_save(tx, &rec);
    return failed(e) ? e : log_folder_changed(tx, &rec);
}

void store_set_search_criteria_init(struct store_set_search_criteria *rq)
{
    *rq = (struct store_set_search_criteria){.op = {.step = set_step}};
}

/* ---- what was found ---- */

static struct err save_found(struct store_tx *tx, const struct store_set_search_found *rq,
                             struct store_search_criteria *criteria)
{
    struct mid_runs runs = mid_runs_make();

    for (uint32_t i = 0; rq->mids && i < rq->found; i++)
        mid_runs_add(&runs, rq->mids[i]);
    criteria->searched = true;
    criteria->found = rq->found;
    criteria->unread = rq->unread;
    criteria->mids = mid_runs_end(&runs);
    struct err e = save(tx, rq->fid, criteria);

    mid_runs_done(&runs);
    return e;
}

static struct err log_searched(struct store_tx *tx, uint64_t fid)
{
    struct log_rec rec = {.kind = LOG_FOLDER_CHANGED, .cause = CAUSE_SEARCHED, .fid = fid};

    rec.first = tx_take(tx, 1);
    return log_put(tx, &rec, NULL);
}

static struct err found_step(struct store_tx *tx, struct store_op *op)
{
    struct store_set_search_found *rq = container_of(op, struct store_set_search_found, op);
    struct key key = key_id(KEY_CRITERIA, rq->fid);
    struct store_search_criteria criteria = {.flags = 0};
    struct arena in = ARENA_INIT;
    struct folder_rec rec;
    struct slice value;
    struct err e = load_search_folder(tx, rq->fid, &rec);

    if (!failed(e) && rec.cn != rq->cn)
        e = ERR(ERR_CONFLICT, "search criteria were set anew");
    if (!failed(e))
        e = tx_get(tx, &key, &value);
    if (!failed(e))
        e = criteria_decode(arena_slice(&in, value), &in, &criteria);
    if (!failed(e))
        e = save_found(tx, rq, &criteria);
    if (!failed(e) && rq->completed)
        e = log_searched(tx, rq->fid);
    arena_done(&in);
    return e;
}

void store_set_search_found_init(struct store_set_search_found *rq)
{
    *rq = (struct store_set_search_found){.op = {.step = found_step}};
}
