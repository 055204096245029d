/*
 * criteria.c - what a search folder looks for ([MS-OXCFOLD] 2.2.1.4), kept as it was given.
 *
 * Value of KEY_CRITERIA: checksum u32 (CRC-32C of what follows), flags u32, number of FIDs u32,
 * FIDs u64, restriction.
 */
#include <stdlib.h>

#include "base/crc32c.h"
#include "store/access_int.h"

enum { HEAD = 12 };

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
    *out = (struct store_search_criteria){.restriction = slice_from(value, HEAD + 8 * (size_t)n),
                                          .scope = scope,
                                          .n_scope = n,
                                          .flags = get_le32(value.ptr + 4)};
    return OK;
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

struct err criteria_copy(struct store_tx *tx, const struct folder_rec *from, struct folder_rec *to)
{
    struct arena arena = ARENA_INIT;
    struct key key = key_id(KEY_CRITERIA, from->fid), copy = key_id(KEY_CRITERIA, to->fid);
    struct slice value;

    if (!(from->flags & FOLDER_CRITERIA))
        return OK;
    struct err e = tx_get(tx, &key, &value);

    if (!failed(e))
        e = tx_put(tx, &copy, arena_slice(&arena, value));
    to->flags |= FOLDER_CRITERIA;
    arena_done(&arena);
    return e.code == ERR_NOT_FOUND ? ERR(ERR_CORRUPT, "what a folder has is missing") : e;
}

static struct err save(struct store_tx *tx, uint64_t fid, const struct store_search_criteria *c)
{
    struct key key = key_id(KEY_CRITERIA, fid);
    size_t len = HEAD + 8 * c->n_scope + c->restriction.len;
    uint8_t *bytes = mem_array(len, 1);

    put_le32(bytes + 4, c->flags);
    put_le32(bytes + 8, (uint32_t)c->n_scope);
    for (size_t i = 0; i < c->n_scope; i++)
        put_le64(bytes + HEAD + 8 * i, c->scope[i]);
    if (c->restriction.len)
        memcpy(bytes + HEAD + 8 * c->n_scope, c->restriction.ptr, c->restriction.len);
    put_le32(bytes, crc32c(0, slice_of(bytes + 4, len - 4)));
    struct err e = tx_put(tx, &key, slice_of(bytes, len));

    free(bytes);
    return e;
}

static struct err set_step(struct store_tx *tx, struct store_op *op)
{
    struct store_set_search_criteria *rq = container_of(op, struct store_set_search_criteria, op);
    struct folder_rec rec;
    struct err e = folder_load_plain(tx, rq->fid, &rec);

    if (failed(e))
        return e;
    if (!(rec.flags & FOLDER_SEARCH))
        return ERR(ERR_INVALID, "not a search folder");
    if (rq->criteria.restriction.len > STORE_RESTRICTION_MAX ||
        rq->criteria.n_scope > STORE_SCOPE_MAX)
        return ERR(ERR_TOO_BIG, "search criteria");
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
