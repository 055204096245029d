/*
 * Checking a live store: every index against the others, every chunk and every blob's hash.
 *
 * Walks remember where they were and take a new snapshot for every slice, for an old snapshot makes
 * the file grow. So what one slice found may be gone in the next; a fault is told only where one
 * snapshot shows it.
 */
#include <openssl/evp.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "store/engine/engine_lmdb_int.h"

enum { SLICE_ROWS = 2000, SLICE_BYTES = 4 << 20, TEXT_MAX = 200 };

struct verify {
    struct lmdb_engine *eng;
    void (*finding)(void *ctx, const char *text);
    void *ctx;
    uint64_t findings;
};

static void report(struct verify *v, const char *format, ...) PRINTF_LIKE(2, 3);

static void report(struct verify *v, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    v->findings++;
    v->finding(v->ctx, text);
}

#define ULL(n) ((unsigned long long)(n))

/* ---- walking a database in slices ---- */

/* Looks at one record; returns a code of LMDB's to give up. */
typedef int visit_fn(struct verify *v, MDB_txn *txn, struct slice key, struct slice value);

struct walk {
    enum lmdb_db db;
    uint8_t key[512]; /* the last one seen */
    size_t key_len;
    bool begun;
};

static int walk_first(struct walk *wk, MDB_cursor *mc, MDB_val *k, MDB_val *value)
{
    if (!wk->begun)
        return mdb_cursor_get(mc, k, value, MDB_FIRST);
    *k = val_of(wk->key, wk->key_len);
    int rc = mdb_cursor_get(mc, k, value, MDB_SET_RANGE);
    if (rc == 0 && slice_eq(slice_of_val(*k), slice_of(wk->key, wk->key_len)))
        rc = mdb_cursor_get(mc, k, value, MDB_NEXT);
    return rc;
}

static int walk_slice(struct verify *v, struct walk *wk, MDB_txn *txn, visit_fn *visit)
{
    uint64_t bytes = 0;
    MDB_cursor *mc;
    MDB_val k, value;

    int rc = mdb_cursor_open(txn, v->eng->dbi[wk->db], &mc);
    if (rc)
        return rc;
    rc = walk_first(wk, mc, &k, &value);
    for (int rows = 0; rc == 0; rows++) {
        rc = visit(v, txn, slice_of_val(k), slice_of_val(value));
        bytes += value.mv_size;
        wk->begun = true;
        wk->key_len = k.mv_size;
        memcpy(wk->key, k.mv_data, k.mv_size);
        if (rc || rows >= SLICE_ROWS || bytes >= SLICE_BYTES)
            break;
        rc = mdb_cursor_get(mc, &k, &value, MDB_NEXT);
    }
    mdb_cursor_close(mc);
    return rc;
}

static struct err walk(struct verify *v, enum lmdb_db db, visit_fn *visit)
{
    struct walk wk = {.db = db};
    struct lmdb_read *rd;
    int rc = 0;

    while (rc == 0) {
        struct err e = lmdb_snapshot(v->eng, 0, &rd);
        if (failed(e))
            return e;
        rc = walk_slice(v, &wk, rd->txn, visit);
        lmdb_read_end(&rd->base);
    }
    return rc == MDB_NOTFOUND ? OK : lmdb_err(rc);
}

static bool has(struct verify *v, MDB_txn *txn, enum lmdb_db db, struct slice key)
{
    MDB_val value;

    return lmdb_get(v->eng, txn, db, key, &value) == 0;
}

/* ---- one record of each kind ---- */

static int visit_info(struct verify *v, MDB_txn *txn, struct slice key, struct slice value)
{
    struct engine_blob_info info;
    uint64_t id;

    struct err e = lmdb_info_decode(key, value, &info);
    if (failed(e)) {
        report(v, "blob %llu: %s", ULL(key.len == 8 ? get_u64(key.ptr) : 0), e.why);
        return 0;
    }
    int rc = lmdb_hash_get(v->eng, txn, info.hash, &id);
    if (rc || id != info.id)
        report(v, "blob %llu: the index by hash does not name it", ULL(info.id));
    bool dead = has(v, txn, DB_DEAD, key);
    if (info.references == 0 && !dead)
        report(v, "blob %llu: has no references and is not on the dead list", ULL(info.id));
    if (info.references > 0 && dead)
        report(v, "blob %llu: has references and is on the dead list", ULL(info.id));
    return 0;
}

static int visit_hash(struct verify *v, MDB_txn *txn, struct slice key, struct slice value)
{
    struct engine_blob_info info;

    if (key.len != ENGINE_HASH_LEN || value.len != 8) {
        report(v, "index by hash: a record has the wrong length");
        return 0;
    }
    uint64_t id = get_u64(value.ptr);
    int rc = lmdb_info_get(v->eng, txn, id, &info);
    if (rc == MDB_NOTFOUND)
        report(v, "blob %llu: in the index by hash only", ULL(id));
    else if (rc == 0 && memcmp(info.hash, key.ptr, ENGINE_HASH_LEN) != 0)
        report(v, "blob %llu: the index by hash has it under another hash", ULL(id));
    return 0;
}

static int visit_meta(struct verify *v, MDB_txn *txn, struct slice key, struct slice value)
{
    if (key.len != 8 || value.len < PIECE_HEADER) {
        report(v, "meta: a record has the wrong length");
        return 0;
    }
    if (!has(v, txn, DB_INFO, key))
        report(v, "blob %llu: has meta but no record", ULL(get_u64(key.ptr)));
    struct err e = lmdb_meta_open(key, value, &value);
    if (failed(e))
        report(v, "blob %llu: its meta: %s", ULL(get_u64(key.ptr)), e.why);
    return 0;
}

static int visit_chunk(struct verify *v, MDB_txn *txn, struct slice key, struct slice value)
{
    struct engine_blob_info info;

    if (key.len != CHUNK_KEY_LEN || value.len < PIECE_HEADER) {
        report(v, "chunks: a record has the wrong length");
        return 0;
    }
    uint64_t id = get_u64(key.ptr), offset = (uint64_t)get_u32(key.ptr + 8) * CHUNK_BYTES;
    struct err e = lmdb_chunk_open(key, value, 0, UINT64_MAX, &value);
    if (failed(e))
        report(v, "blob %llu at %llu: %s", ULL(id), ULL(offset), e.why);
    int rc = lmdb_info_get(v->eng, txn, id, &info);
    if (rc == MDB_NOTFOUND && !has(v, txn, DB_DEAD, slice_head(key, 8)))
        report(v, "blob %llu: the piece at %llu belongs to nothing", ULL(id), ULL(offset));
    if (rc == 0 && offset >= info.len)
        report(v, "blob %llu: the piece at %llu is beyond its end", ULL(id), ULL(offset));
    return 0;
}

static int visit_dead(struct verify *v, MDB_txn *txn, struct slice key, struct slice value)
{
    (void)txn;
    if (key.len != 8 || value.len != 8)
        report(v, "dead list: a record has the wrong length");
    return 0;
}

static int visit_part(struct verify *v, MDB_txn *txn, struct slice key, struct slice value)
{
    (void)txn;
    if (key.len != 8 || value.len != 16)
        report(v, "partitions: a record has the wrong length");
    else if (get_u64(value.ptr) == 0)
        report(v, "partition %llu: has version 0", ULL(get_u64(key.ptr)));
    return 0;
}

static int visit_data(struct verify *v, MDB_txn *txn, struct slice key, struct slice value)
{
    (void)value;
    if (key.len < PREFIX_LEN)
        report(v, "data: a key is too short");
    else if (!has(v, txn, DB_PARTS, slice_head(key, PREFIX_LEN)))
        report(v, "partition %llu: has keys but no version", ULL(get_u64(key.ptr)));
    return 0;
}

static int visit_id(struct verify *v, MDB_txn *txn, struct slice key, struct slice value)
{
    uint8_t number[16];
    MDB_val logged;

    if (key.len != 8 + ENGINE_ID_LEN || value.len < 16) {
        report(v, "remembered ids: a record has the wrong length");
        return 0;
    }
    memcpy(number, key.ptr, 8);
    memcpy(number + 8, value.ptr, 8);
    if (lmdb_get(v->eng, txn, DB_IDLOG, slice_of(number, sizeof number), &logged) ||
        !slice_eq(slice_of_val(logged), slice_from(key, 8)))
        report(v, "partition %llu: a remembered id is not in the log of ids",
               ULL(get_u64(key.ptr)));
    return 0;
}

static int visit_idlog(struct verify *v, MDB_txn *txn, struct slice key, struct slice value)
{
    uint8_t id_key[8 + ENGINE_ID_LEN];

    if (key.len != 16 || value.len != ENGINE_ID_LEN) {
        report(v, "log of ids: a record has the wrong length");
        return 0;
    }
    memcpy(id_key, key.ptr, 8);
    memcpy(id_key + 8, value.ptr, ENGINE_ID_LEN);
    if (!has(v, txn, DB_IDS, slice_of(id_key, sizeof id_key)))
        report(v, "partition %llu: the log of ids has one that is not remembered",
               ULL(get_u64(key.ptr)));
    return 0;
}

/* ---- the counters: one snapshot, 20 ns a blob ---- */

static int count_blobs(struct verify *v, MDB_txn *txn)
{
    struct lmdb_state state, sum = {0};
    struct engine_blob_info info;
    MDB_cursor *mc;
    MDB_val k, value;

    int rc = lmdb_state_get(v->eng, txn, &state);
    if (rc)
        return rc;
    rc = mdb_cursor_open(txn, v->eng->dbi[DB_INFO], &mc);
    if (rc)
        return rc;
    while ((rc = mdb_cursor_get(mc, &k, &value, MDB_NEXT)) == 0)
        if (!failed(lmdb_info_decode(slice_of_val(k), slice_of_val(value), &info))) {
            sum.blobs++;
            sum.blob_bytes += info.len;
            sum.next_blob = info.id + 1;
        }
    mdb_cursor_close(mc);
    if (sum.blobs != state.blobs || sum.blob_bytes != state.blob_bytes)
        report(v, "counters: %llu blobs of %llu bytes are stored, %llu of %llu were counted",
               ULL(sum.blobs), ULL(sum.blob_bytes), ULL(state.blobs), ULL(state.blob_bytes));
    if (sum.next_blob > state.next_blob)
        report(v, "counters: the next blob's id has been given already");
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static struct err verify_counters(struct verify *v)
{
    struct lmdb_read *rd;

    struct err e = lmdb_snapshot(v->eng, 0, &rd);
    if (failed(e))
        return e;
    int rc = count_blobs(v, rd->txn);
    lmdb_read_end(&rd->base);
    return lmdb_err(rc);
}

/* ---- the bytes of each blob against its hash ---- */

/* Hash up to SLICE_BYTES from *offset on. ERR_NOT_FOUND: the blob was swept meanwhile. */
static struct err hash_slice(struct verify *v, uint64_t id, uint64_t *offset, EVP_MD_CTX *md)
{
    struct engine_blob_info info;
    struct lmdb_read *rd;
    struct slice bytes;

    struct err e = lmdb_snapshot(v->eng, 0, &rd);
    if (failed(e))
        return e;
    e = lmdb_blob_stat(&rd->base, id, &info);
    for (uint64_t n = 0; !failed(e) && n < SLICE_BYTES && *offset < info.len; n += bytes.len) {
        e = lmdb_blob_piece(&rd->base, id, *offset, UINT64_MAX, &bytes);
        if (failed(e))
            break;
        EVP_DigestUpdate(md, bytes.ptr, bytes.len);
        *offset += bytes.len;
    }
    lmdb_read_end(&rd->base);
    return e;
}

static struct err verify_hash(struct verify *v, const struct engine_blob_info *info, EVP_MD_CTX *md)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    uint64_t offset = 0;
    unsigned len;

    if (EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
        return ERR(ERR_UNAVAILABLE, "no SHA-256");
    do {
        struct err e = hash_slice(v, info->id, &offset, md);

        if (e.code == ERR_CORRUPT || e.code == ERR_UNSUPPORTED) {
            report(v, "blob %llu at %llu: %s", ULL(info->id), ULL(offset), e.why);
            return OK;
        }
        if (failed(e))
            return e.code == ERR_NOT_FOUND ? OK : e;
    } while (offset < info->len);
    EVP_DigestFinal_ex(md, hash, &len);
    if (memcmp(hash, info->hash, ENGINE_HASH_LEN) != 0)
        report(v, "blob %llu: its bytes do not match its hash", ULL(info->id));
    return OK;
}

/* The next blob after *id whose record is sound; the others were told by visit_info(). */
static struct err next_blob(struct verify *v, uint64_t after, struct engine_blob_info *info)
{
    struct lmdb_read *rd;

    struct err e = lmdb_snapshot(v->eng, 0, &rd);
    if (failed(e))
        return e;
    uint8_t key[8];
    MDB_cursor *mc;
    MDB_val k, value;
    put_u64(key, after + 1);
    k = val_of(key, sizeof key);
    int rc = mdb_cursor_open(rd->txn, v->eng->dbi[DB_INFO], &mc);
    if (rc == 0) {
        rc = mdb_cursor_get(mc, &k, &value, MDB_SET_RANGE);
        while (rc == 0 && failed(lmdb_info_decode(slice_of_val(k), slice_of_val(value), info)))
            rc = mdb_cursor_get(mc, &k, &value, MDB_NEXT);
        mdb_cursor_close(mc);
    }
    lmdb_read_end(&rd->base);
    return lmdb_err(rc);
}

static struct err verify_hashes(struct verify *v)
{
    struct engine_blob_info info = {0};
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    struct err e = md ? OK : ERR(ERR_UNAVAILABLE, "no SHA-256");

    while (!failed(e)) {
        e = next_blob(v, info.id, &info);
        if (!failed(e))
            e = verify_hash(v, &info, md);
    }
    EVP_MD_CTX_free(md);
    return e.code == ERR_NOT_FOUND ? OK : e;
}

/* ---- all of it ---- */

struct err lmdb_verify(struct engine *engine, void (*finding)(void *ctx, const char *text),
                       void *ctx)
{
    static const struct {
        enum lmdb_db db;
        visit_fn *visit;
    } walks[] = {
        {DB_PARTS, visit_part},  {DB_DATA, visit_data},   {DB_IDS, visit_id},
        {DB_IDLOG, visit_idlog}, {DB_INFO, visit_info},   {DB_HASH, visit_hash},
        {DB_BMETA, visit_meta},  {DB_CHUNK, visit_chunk}, {DB_DEAD, visit_dead},
    };
    struct verify v = {(struct lmdb_engine *)engine, finding, ctx, 0};
    struct err e = OK;

    for (size_t i = 0; !failed(e) && i < sizeof walks / sizeof *walks; i++)
        e = walk(&v, walks[i].db, walks[i].visit);
    if (!failed(e))
        e = verify_counters(&v);
    if (!failed(e))
        e = verify_hashes(&v);
    if (failed(e))
        return e;
    return v.findings ? ERR(ERR_CORRUPT, "the store has faults, see the findings") : OK;
}
