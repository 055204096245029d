/*
 * recover.c - soft-deleted items that are too old go, in slices behind everybody's back.
 *
 * The mailbox's record says that no such item is older than some time. Whoever opens the mailbox
 * once that is longer ago than items are kept has a pass made over all of them (sweep.c), which
 * finds out how old the oldest is that stays.
 */
#include "store/folder_int.h"
#include "store/message_int.h"

enum { ITEMS_PER_BATCH = 200 };

bool recover_is_due(const struct mailbox_rec *rec, uint64_t keep, uint64_t now)
{
    return rec->deleted_since != 0 && now >= keep && rec->deleted_since <= now - keep;
}

static void note_age(struct recover_pass *pass, uint64_t time)
{
    if (time < pass->oldest)
        pass->oldest = time;
}

/* The first messages of a shadow go where they are too old. *more: there may be others. */
static struct err purge_messages(struct store_tx *tx, struct recover_pass *pass,
                                 struct folder_rec *rec, bool *more)
{
    struct uidset old = UIDSET_EMPTY;
    struct message_row row = {.savedate = 0};
    struct group group;
    uint64_t at = 1;
    bool newer = false;
    struct err e = OK;

    while (!newer && uidset_count(&old) < SLICE_EXPUNGE) {
        e = group_load(tx, rec->fid, (uint32_t)at, &group);
        if (failed(e))
            break;
        for (uint32_t i = 0; i < group.n && !newer; i++) {
            row_decode(group_row(&group, i), &row);
            newer = row.savedate > pass->until;
            if (!newer)
                uidset_add(&old, row.uid, row.uid);
        }
        at = (uint64_t)row.uid + 1;
    }
    *more = !failed(e) && !newer;
    if (newer)
        note_age(pass, row.savedate);
    if (!failed(e) || e.code == ERR_NOT_FOUND)
        e = old.n ? remove_all(tx, rec, &old, REMOVE_EXPUNGED) : OK;
    uidset_done(&old);
    return e;
}

/* *more: the item is still there and has to be looked at again. */
static struct err look_at(struct store_tx *tx, struct recover_pass *pass, uint64_t fid, bool *more)
{
    struct folder_rec rec;
    struct err e = folder_load(tx->read, fid, &rec);

    *more = false;
    if (failed(e))
        return e.code == ERR_NOT_FOUND ? ERR(ERR_CORRUPT, "a soft-deleted folder is missing") : e;
    if (rec.shadow == SHADOW_DELETED)
        return purge_messages(tx, pass, &rec, more);
    if (rec.deleted_on > pass->until) {
        note_age(pass, rec.deleted_on);
        return OK;
    }
    return folder_remove_some(tx, &rec, true, more);
}

static void begin(struct store_tx *tx, struct recover_pass *pass)
{
    uint64_t keep = tx->mailbox->store->config.recover;

    *pass = (struct recover_pass){.on = recover_is_due(&tx->rec, keep, tx->now),
                                  .oldest = tx->now,
                                  .until = tx->now >= keep ? tx->now - keep : 0};
}

struct err recover_step(struct store_tx *tx, bool first, struct recover_pass *pass)
{
    if (first)
        begin(tx, pass);
    for (int i = 0; i < ITEMS_PER_BATCH && pass->on; i++) {
        struct key from = key_deleted(pass->parent, pass->fid);
        struct slice key, value;
        bool more = false;
        struct err e = engine_seek(tx->cursor, key_slice(&from), &key, &value);

        if (e.code == ERR_NOT_FOUND ||
            (!failed(e) && !key_is_deleted(key, &pass->parent, &pass->fid))) {
            pass->on = false;
            tx->rec.deleted_since = pass->oldest;
            tx->changed = true;
            return OK;
        }
        if (!failed(e))
            e = look_at(tx, pass, pass->fid, &more);
        if (failed(e) || more)
            return e;
        pass->fid++;
    }
    return OK;
}
