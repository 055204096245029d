/*
 * shadow.c - the hidden folders of associated and of soft-deleted messages, and whose messages
 * count for what.
 */
#include "store/message_int.h"

struct err tx_count(struct store_tx *tx, const struct folder_rec *folder, int64_t n, int64_t size)
{
    bool deleted = folder_is_deleted(folder);
    uint64_t *messages = deleted ? &tx->rec.deleted_messages : &tx->rec.messages;
    uint64_t *bytes = deleted ? &tx->rec.deleted_size : &tx->rec.size;

    if ((n < 0 && *messages < (uint64_t)-n) || (size < 0 && *bytes < (uint64_t)-size))
        return ERR(ERR_CORRUPT, "a folder has more messages than its mailbox");
    *messages += (uint64_t)n;
    *bytes += (uint64_t)size;
    tx->changed = true;
    return OK;
}

void tx_note_deleted(struct store_tx *tx)
{
    if (tx->rec.deleted_since == 0 || tx->rec.deleted_since > tx->now)
        tx->rec.deleted_since = tx->now;
    tx->changed = true;
}

/* ---- making ---- */

static struct err put_deleted(struct store_tx *tx, uint64_t parent, uint64_t fid)
{
    struct key key = key_deleted(parent, fid);

    return tx_put(tx, &key, SLICE_EMPTY);
}

static struct err make(struct store_tx *tx, struct folder_rec *owner, enum store_shadow shadow,
                       struct folder_rec *out)
{
    *out = (struct folder_rec){.fid = tx_take(tx, 1),
                               .parent = owner->fid,
                               .shadow = (uint8_t)shadow,
                               .created = tx->now,
                               .changed = tx->now,
                               .contents_changed = tx->now};
    out->cn = out->fid;
    folder_start_uids(tx, out);
    owner->shadows[shadow] = out->fid;
    tx->rec.hidden++;
    struct err e = folder_save(tx, owner);

    if (!failed(e))
        e = folder_save(tx, out);
    if (!failed(e) && shadow == SHADOW_DELETED)
        e = put_deleted(tx, owner->fid, out->fid);
    return e;
}

struct err shadow_load(struct store_tx *tx, struct folder_rec *owner, enum store_shadow shadow,
                       struct folder_rec *out)
{
    if (!folder_is_plain(owner))
        return ERR(ERR_NOT_FOUND, "not a folder that has shadows");
    if (owner->shadows[shadow] == 0)
        return make(tx, owner, shadow, out);
    struct err e = folder_load(tx->read, owner->shadows[shadow], out);

    return e.code == ERR_NOT_FOUND ? ERR(ERR_CORRUPT, "a folder's shadow is missing") : e;
}

struct err folder_load_place(struct store_tx *tx, uint64_t fid, bool associated,
                             struct folder_rec *out)
{
    struct folder_rec owner;
    struct err e = folder_load_target(tx, fid, associated ? &owner : out);

    return failed(e) || !associated ? e : shadow_load(tx, &owner, SHADOW_ASSOCIATED, out);
}

/* ---- dropping ---- */

struct err shadow_drop(struct store_tx *tx, struct folder_rec *owner, enum store_shadow shadow)
{
    struct key key = key_id(KEY_FOLDER, owner->shadows[shadow]);
    struct key deleted = key_deleted(owner->fid, owner->shadows[shadow]);
    struct folder_rec rec;

    if (owner->shadows[shadow] == 0)
        return OK;
    struct err e = folder_load(tx->read, owner->shadows[shadow], &rec);

    if (!failed(e))
        e = sweep_doom(tx, &rec);
    if (!failed(e))
        e = tx_delete(tx, &key);
    if (!failed(e) && shadow == SHADOW_DELETED)
        e = tx_delete(tx, &deleted);
    owner->shadows[shadow] = 0;
    tx->rec.hidden--;
    return e;
}

struct err shadows_drop(struct store_tx *tx, struct folder_rec *owner)
{
    struct err e = shadow_drop(tx, owner, SHADOW_ASSOCIATED);

    return failed(e) ? e : shadow_drop(tx, owner, SHADOW_DELETED);
}

/* ---- reading ---- */

struct err store_folder_shadow(struct store_read *rd, uint64_t fid, enum store_shadow shadow,
                               struct store_folder *out)
{
    struct folder_rec owner;
    struct err e = folder_load(rd->engine, fid, &owner);

    if (!failed(e) && ((unsigned)shadow >= SHADOW_COUNT || owner.shadows[shadow] == 0))
        e = ERR(ERR_NOT_FOUND, "the folder has no such messages");
    return failed(e) ? e : store_folder_get(rd, owner.shadows[shadow], out);
}
