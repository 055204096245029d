/*
 * folder_ops.c - making, deleting and renaming folders, and subscriptions.
 */
#include "store/access_int.h"
#include "store/bag.h"
#include "store/edit.h"
#include "store/folder_int.h"
#include "store/message_int.h"

struct err folder_save(struct store_tx *tx, const struct folder_rec *rec)
{
    struct key key = key_id(KEY_FOLDER, rec->fid);
    struct record record;

    folder_rec_encode(rec, &record);
    return tx_put(tx, &key, record_slice(&record));
}

struct err folder_load_source(struct store_tx *tx, uint64_t fid, struct folder_rec *out)
{
    struct err e = folder_load(tx->read, fid, out);

    if (!failed(e) && (out->flags & FOLDER_NOSELECT))
        e = ERR(ERR_NOT_FOUND, "only a level of the hierarchy");
    return e;
}

struct err folder_load_open(struct store_tx *tx, uint64_t fid, struct folder_rec *out)
{
    struct err e = folder_load_source(tx, fid, out);

    if (!failed(e) && (out->flags & FOLDER_DELETED))
        e = ERR(ERR_NOT_FOUND, "the folder is soft-deleted");
    return e;
}

struct err folder_load_target(struct store_tx *tx, uint64_t fid, struct folder_rec *out)
{
    struct err e = folder_load_open(tx, fid, out);

    if (!failed(e) && out->shadow == SHADOW_DELETED)
        e = ERR(ERR_NOT_FOUND, "only what is deleted comes here");
    return e;
}

struct err folder_load_plain(struct store_tx *tx, uint64_t fid, struct folder_rec *out)
{
    struct err e = folder_load(tx->read, fid, out);

    return failed(e) || folder_is_plain(out) ? e : ERR(ERR_NOT_FOUND, "there is no such folder");
}

uint32_t tx_uidvalidity(struct store_tx *tx)
{
    uint32_t now = (uint32_t)filetime_to_unix(tx->now);

    tx->rec.last_uidvalidity = now > tx->rec.last_uidvalidity ? now : tx->rec.last_uidvalidity + 1;
    tx->changed = true;
    return tx->rec.last_uidvalidity;
}

/* ---- making ---- */

static struct err put_name(struct store_tx *tx, uint64_t parent, struct slice name, uint64_t fid)
{
    struct key key = key_name(parent, name);
    struct record value;

    u64_value_encode(fid, &value);
    return tx_put(tx, &key, record_slice(&value));
}

static struct err put_special(struct store_tx *tx, enum store_special special, uint64_t fid)
{
    struct key key = key_special(special);
    struct record value;

    if (special == SPECIAL_NONE)
        return OK;
    u64_value_encode(fid, &value);
    return tx_put(tx, &key, record_slice(&value));
}

void folder_start_uids(struct store_tx *tx, struct folder_rec *rec)
{
    rec->uidvalidity = tx_uidvalidity(tx);
    rec->uidnext = rec->recent_from = 1;
    rec->exists = rec->unseen = rec->deleted = 0;
    rec->size = 0;
    rec->modseq = rec->flags_modseq = rec->gone_modseq = rec->expunge_floor = rec->cn;
}

static void set_text(uint8_t *text, uint8_t *len, struct slice from)
{
    memcpy(text, from.ptr, from.len);
    *len = (uint8_t)from.len;
}

/* Are folders below it in the IPM subtree? */
static bool is_in_ipm(const struct folder_rec *parent)
{
    return (parent->flags & FOLDER_IPM) || parent->special == SPECIAL_IPM_SUBTREE;
}

static struct err log_new(struct store_tx *tx, const struct folder_new *new,
                          const struct folder_rec *made)
{
    struct log_rec rec = {
        .kind = LOG_FOLDER_NEW,
        .cause = new->copy_of ? CAUSE_COPIED : CAUSE_NONE,
        .fid = made->fid,
        .first = made->fid,
        .parent = made->parent,
        .old_fid = new->copy_of ? new->copy_of->fid : 0,
        .old_parent = new->copy_of ? new->copy_of->parent : 0,
    };

    return log_put(tx, &rec, NULL);
}

struct err folder_make(struct store_tx *tx, struct folder_rec *parent, const struct folder_new *new,
                       struct folder_rec *out)
{
    struct slice class = new->class.len ? new->class : slice_of(parent->class, parent->class_len);

    if (tx->rec.folders >= tx->mailbox->store->config.max_folders)
        return ERR(ERR_LIMIT, "too many folders");
    if (new->name.len == 0 || new->name.len > NAME_MAX_BYTES || class.len > CLASS_MAX_BYTES)
        return ERR(ERR_INVALID, "name or class of a folder");
    *out = (struct folder_rec){.fid = new->fid ? new->fid : tx_take(tx, 1),
                               .parent = parent->fid,
                               .created = tx->now,
                               .changed = tx->now,
                               .contents_changed = tx->now,
                               .special = (uint16_t) new->special};
    out->cn = out->fid;
    out->flags =
        (uint16_t)((is_in_ipm(parent) ? FOLDER_IPM : 0) | (new->noselect ? FOLDER_NOSELECT : 0) |
                   (new->search ? FOLDER_SEARCH : 0));
    set_text(out->name, &out->name_len, new->name);
    if (class.len)
        set_text(out->class, &out->class_len, class);
    folder_start_uids(tx, out);
    tx->rec.folders++;
    parent->children++;
    parent->hierarchy++;
    struct err e = folder_save(tx, parent);

    if (!failed(e)) /* [MS-OXCPERM] 3.2.5.1: as above it */
        e = folder_copy_extra(tx, KEY_PERMISSIONS, FOLDER_PERMISSIONS, parent, out);
    if (!failed(e))
        e = folder_save(tx, out);
    if (!failed(e))
        e = put_name(tx, parent->fid, new->name, out->fid);
    if (!failed(e))
        e = put_special(tx, new->special, out->fid);
    /* The folders that a mailbox begins with are no news to anybody. */
    if (!failed(e) && !new->fid)
        e = log_new(tx, new, out);
    return e;
}

/* A level that was left over becomes a folder again, a new one for clients. */
static struct err revive(struct store_tx *tx, struct folder_rec *rec, enum store_special special,
                         struct store_op *op)
{
    if (rec->flags & FOLDER_SWEEPING) {
        /* Its old messages are still there under this FID: help to get rid of them first. */
        op->more = true;
        return sweep_step(tx);
    }
    rec->flags = (uint16_t)(rec->flags & ~FOLDER_NOSELECT);
    rec->cn = tx_take(tx, 1);
    rec->changed = rec->contents_changed = tx->now;
    rec->special = (uint16_t)special;
    folder_start_uids(tx, rec);
    struct err e = folder_save(tx, rec);

    if (!failed(e))
        e = put_special(tx, special, rec->fid);
    return failed(e) ? e : log_folder_changed(tx, rec);
}

static struct err special_is_free(struct store_tx *tx, enum store_special special)
{
    struct key key = key_special(special);
    struct slice value;
    struct err e = tx_get(tx, &key, &value);

    if (special == SPECIAL_NONE || e.code == ERR_NOT_FOUND)
        return OK;
    return failed(e) ? e : ERR(ERR_CONFLICT, "another folder has this use");
}

/* Make the levels of `path` from `found` on up to `end`; *at is the folder above them. */
static struct err make_levels(struct store_tx *tx, const struct folder_path *path, size_t found,
                              size_t end, struct slice class, struct folder_rec *at)
{
    struct folder_rec made;
    struct err e = OK;

    for (size_t i = found; i < end && !failed(e); i++) {
        struct folder_new new = {.name = path->levels[i], .class = class};

        e = folder_make(tx, at, &new, &made);
        *at = made;
    }
    return e;
}

static struct err create_at(struct store_tx *tx, struct store_folder_create *rq,
                            const struct folder_path *path)
{
    struct folder_rec at, made;
    size_t found;
    struct err e = special_is_free(tx, rq->special);

    if (!failed(e))
        e = folder_walk(tx->read, path, &at, &found);
    if (failed(e))
        return e;
    if (found == path->n) {
        if (!(at.flags & FOLDER_NOSELECT))
            return ERR(ERR_EXISTS, "there is a folder of this name");
        e = revive(tx, &at, rq->special, &rq->op);
        made = at;
    } else {
        e = make_levels(tx, path, found, path->n - 1, SLICE_EMPTY, &at);
        struct folder_new new = {
            .name = path->levels[path->n - 1], .class = rq->class, .special = rq->special};

        if (!failed(e))
            e = folder_make(tx, &at, &new, &made);
    }
    if (!failed(e)) {
        rq->fid = made.fid;
        rq->uidvalidity = made.uidvalidity;
    }
    return e;
}

static struct err create_by_path(struct store_tx *tx, struct store_folder_create *rq,
                                 struct arena *in)
{
    struct folder_path path;
    struct err e = store_folder_name_check(rq->path);

    if (!failed(e))
        e = folder_path_parse(rq->path, in, &path);
    return failed(e) ? e : create_at(tx, rq, &path);
}

static struct err open_existing(struct store_tx *tx, struct store_folder_create *rq, uint64_t fid,
                                struct folder_rec *out)
{
    struct err e = folder_load(tx->read, fid, out);

    if (!failed(e) && (out->flags & FOLDER_NOSELECT))
        return revive(tx, out, rq->special, &rq->op);
    rq->existed = true;
    if (!failed(e) && !rq->open_existing)
        e = ERR(ERR_EXISTS, "there is a folder of this name");
    return e;
}

static struct err create_below(struct store_tx *tx, struct store_folder_create *rq,
                               struct arena *in)
{
    struct folder_new new = {.class = rq->class, .special = rq->special, .search = rq->search};
    struct folder_rec parent, made;
    uint64_t fid;
    struct err e = folder_name_take(rq->path, in, &new.name);

    rq->existed = false;
    if (!failed(e))
        e = special_is_free(tx, rq->special);
    if (!failed(e))
        e = folder_load_plain(tx, rq->parent, &parent);
    if (failed(e))
        return e;
    e = folder_sibling(tx->read, rq->parent, new.name, &fid);
    if (!failed(e))
        e = open_existing(tx, rq, fid, &made);
    else if (e.code == ERR_NOT_FOUND)
        e = folder_make(tx, &parent, &new, &made);
    if (failed(e))
        return e;
    rq->fid = made.fid;
    rq->uidvalidity = made.uidvalidity;
    return OK;
}

static struct err put_comment(struct store_tx *tx, const struct store_folder_create *rq)
{
    struct store_prop comment = {.tag = PR_COMMENT, .value.bytes = rq->comment};
    struct bag bag = {.props = &comment, .n = 1};

    if (prop_is_long(&comment) || failed(prop_check(PROP_STRING, &comment.value)))
        return ERR(ERR_INVALID, "comment of a folder");
    return bag_save(tx, rq->fid, &bag);
}

static struct err create_step(struct store_tx *tx, struct store_op *op)
{
    struct store_folder_create *rq = container_of(op, struct store_folder_create, op);
    struct arena arena = ARENA_INIT;
    struct err e = OK;

    if ((unsigned)rq->special >= SPECIAL_COUNT)
        e = ERR(ERR_INVALID, "no such special use");
    if (!failed(e))
        e = rq->parent ? create_below(tx, rq, &arena) : create_by_path(tx, rq, &arena);
    if (!failed(e) && !op->more && !rq->existed && rq->comment.len > 0)
        e = put_comment(tx, rq);
    arena_done(&arena);
    return e;
}

void store_folder_create_init(struct store_folder_create *rq)
{
    *rq = (struct store_folder_create){.op = {.step = create_step}};
}

/* ---- deleting ---- */

struct err folder_drop_special(struct store_tx *tx, struct folder_rec *rec)
{
    struct key key = key_special((enum store_special)rec->special);

    if (rec->special == SPECIAL_NONE)
        return OK;
    rec->special = SPECIAL_NONE;
    return tx_delete(tx, &key);
}

static struct err one_child_less(struct store_tx *tx, uint64_t fid)
{
    struct folder_rec parent;
    struct err e = folder_load(tx->read, fid, &parent);

    if (failed(e) || parent.children == 0)
        return failed(e) ? e : ERR(ERR_CORRUPT, "count of a folder's children");
    parent.children--;
    parent.hierarchy++;
    return folder_save(tx, &parent);
}

struct err folder_drop_extras(struct store_tx *tx, uint64_t fid)
{
    struct key permissions = key_id(KEY_PERMISSIONS, fid), criteria = key_id(KEY_CRITERIA, fid);
    size_t blobs = 0;
    struct err e = bag_drop(tx, fid, &blobs);

    if (!failed(e))
        e = tx_delete_any(tx, &permissions);
    return failed(e) ? e : tx_delete_any(tx, &criteria);
}

struct err folder_copy_extra(struct store_tx *tx, enum key_kind kind, uint16_t flag,
                             const struct folder_rec *from, struct folder_rec *to)
{
    struct arena arena = ARENA_INIT;
    struct key key = key_id(kind, from->fid), copy = key_id(kind, to->fid);
    struct slice value;

    if (!(from->flags & flag))
        return OK;
    struct err e = tx_get(tx, &key, &value);

    if (!failed(e))
        e = tx_put(tx, &copy, arena_slice(&arena, value));
    to->flags |= flag;
    arena_done(&arena);
    return e.code == ERR_NOT_FOUND ? ERR(ERR_CORRUPT, "what a folder has is missing") : e;
}

struct err folder_clear(struct store_tx *tx, struct folder_rec *rec)
{
    struct err e = folder_drop_special(tx, rec);

    if (!failed(e) && !(rec->flags & FOLDER_NOSELECT))
        e = sweep_doom(tx, rec);
    return failed(e) ? e : shadows_drop(tx, rec);
}

static struct err become_level(struct store_tx *tx, struct folder_rec *rec)
{
    rec->flags = (uint16_t)((rec->flags & ~(FOLDER_PERMISSIONS | FOLDER_CRITERIA)) |
                            FOLDER_NOSELECT | FOLDER_SWEEPING);
    rec->cn = tx_take(tx, 1);
    rec->modseq = rec->cn;
    rec->exists = rec->unseen = rec->deleted = 0;
    rec->size = 0;
    struct err e = folder_drop_extras(tx, rec->fid);

    if (!failed(e))
        e = folder_save(tx, rec);
    return failed(e) ? e : log_folder_changed(tx, rec);
}

struct err log_folder_gone(struct store_tx *tx, const struct folder_rec *folder, uint64_t counter)
{
    struct log_rec rec = {
        .kind = LOG_FOLDER_GONE, .fid = folder->fid, .first = counter, .parent = folder->parent};

    return log_put(tx, &rec, NULL);
}

struct err folder_vanish(struct store_tx *tx, const struct folder_rec *rec)
{
    struct key name = key_name(rec->parent, folder_rec_name(rec));
    struct key key = key_id(KEY_FOLDER, rec->fid);
    struct err e = tx_delete(tx, &name);

    if (!failed(e))
        e = tx_delete(tx, &key);
    if (!failed(e))
        e = folder_drop_extras(tx, rec->fid);
    if (!failed(e))
        e = one_child_less(tx, rec->parent);
    tx->rec.folders--;
    uint64_t counter = tx_take(tx, 1);

    return failed(e) ? e : log_folder_gone(tx, rec, counter);
}

static struct err delete_step(struct store_tx *tx, struct store_op *op)
{
    struct store_folder_delete *rq = container_of(op, struct store_folder_delete, op);
    struct folder_rec rec;
    struct err e = folder_load_plain(tx, rq->fid, &rec);

    if (!failed(e))
        e = folder_deny_special(&rec);
    if (failed(e))
        return e;
    if ((rec.flags & FOLDER_NOSELECT) && rec.children > 0)
        return ERR(ERR_DENIED, "only a level above other folders");
    e = folder_remove_deleted_below(tx, rq->fid, &op->more);
    if (failed(e) || op->more)
        return e;
    e = folder_clear(tx, &rec);
    if (failed(e))
        return e;
    return rec.children > 0 ? become_level(tx, &rec) : folder_vanish(tx, &rec);
}

static void delete_settle(struct store_op *op)
{
    sweep_start(op->mailbox);
}

void store_folder_delete_init(struct store_folder_delete *rq)
{
    *rq = (struct store_folder_delete){.op = {.step = delete_step, .settle = delete_settle}};
}

/* ---- renaming ---- */

struct err folder_is_below(struct store_tx *tx, const struct folder_rec *rec, uint64_t fid,
                           bool *below)
{
    struct folder_rec at = *rec;
    struct err e = OK;

    while (!failed(e) && at.fid != fid && at.fid != SPECIAL_ROOT)
        e = folder_load(tx->read, at.parent, &at);
    *below = at.fid == fid;
    return e;
}

struct err folder_take_out(struct store_tx *tx, const struct folder_rec *rec)
{
    struct key name = key_name(rec->parent, folder_rec_name(rec));
    struct err e = tx_delete(tx, &name);

    return failed(e) ? e : one_child_less(tx, rec->parent);
}

static struct err log_place(struct store_tx *tx, const struct folder_rec *folder, uint64_t from)
{
    bool moved = from != 0 && from != folder->parent;
    struct log_rec rec = {
        .kind = from == 0 ? LOG_FOLDER_NEW : LOG_FOLDER_CHANGED,
        .cause = moved ? CAUSE_MOVED : CAUSE_NONE,
        .fid = folder->fid,
        .first = folder->cn,
        .parent = folder->parent,
        .old_fid = moved ? folder->fid : 0,
        .old_parent = moved ? from : 0,
    };

    return log_put(tx, &rec, NULL);
}

struct err folder_put_under(struct store_tx *tx, struct folder_rec *rec, uint64_t parent,
                            struct slice name)
{
    uint64_t from = rec->parent;
    struct folder_rec above;
    struct err e = folder_load(tx->read, parent, &above);

    if (failed(e))
        return e;
    above.children++;
    above.hierarchy++;
    rec->parent = parent;
    rec->cn = tx_take(tx, 1);
    rec->changed = tx->now;
    rec->flags = (uint16_t)((rec->flags & ~FOLDER_IPM) | (is_in_ipm(&above) ? FOLDER_IPM : 0));
    set_text(rec->name, &rec->name_len, name);
    e = folder_save(tx, &above);
    if (!failed(e))
        e = folder_save(tx, rec);
    if (!failed(e))
        e = put_name(tx, parent, name, rec->fid);
    return failed(e) ? e : log_place(tx, rec, from);
}

/* Give the folder another name, and perhaps another parent. */
static struct err put_elsewhere(struct store_tx *tx, uint64_t fid, uint64_t parent,
                                struct slice name)
{
    struct folder_rec rec;
    struct err e = folder_load(tx->read, fid, &rec);

    if (!failed(e))
        e = folder_take_out(tx, &rec);
    return failed(e) ? e : folder_put_under(tx, &rec, parent, name);
}

static struct err rename_to(struct store_tx *tx, const struct folder_rec *rec,
                            const struct folder_path *path)
{
    struct slice name = path->levels[path->n - 1];
    struct folder_rec at;
    size_t found;
    bool below;
    struct err e = folder_walk(tx->read, path, &at, &found);

    if (failed(e))
        return e;
    if (found == path->n)
        return ERR(ERR_EXISTS, "there is a folder of this name");
    e = folder_is_below(tx, &at, rec->fid, &below);
    if (!failed(e) && below)
        e = ERR(ERR_DENIED, "a folder cannot be moved into itself");
    if (!failed(e))
        e = make_levels(tx, path, found, path->n - 1, SLICE_EMPTY, &at);
    if (failed(e))
        return e;
    if (rec->special != SPECIAL_INBOX)
        return put_elsewhere(tx, rec->fid, at.fid, name);

    struct folder_new new = {.name = name, .class = S("IPF.Note")};
    struct folder_rec made;

    return folder_make(tx, &at, &new, &made);
}

struct err folder_set_name(struct store_tx *tx, struct folder_rec *rec, struct slice name)
{
    struct arena arena = ARENA_INIT;
    struct slice taken;
    uint64_t other = rec->fid;
    struct err e = folder_name_take(name, &arena, &taken);

    if (!failed(e) && !slice_eq(taken, folder_rec_name(rec))) {
        e = folder_deny_special(rec);
        if (!failed(e))
            e = folder_sibling(tx->read, rec->parent, taken, &other);
        if (!failed(e) && other != rec->fid)
            e = ERR(ERR_EXISTS, "there is a folder of this name");
        else if (!failed(e) || e.code == ERR_NOT_FOUND)
            e = put_elsewhere(tx, rec->fid, rec->parent, taken);
        if (!failed(e))
            e = folder_load(tx->read, rec->fid, rec);
    }
    arena_done(&arena);
    return e;
}

/* The Inbox's messages follow in slices, once the folder of the new name is there. */
static struct err move_inbox(struct store_tx *tx, const struct folder_path *path, bool *more)
{
    struct folder_rec at;
    size_t found;
    struct err e = folder_walk(tx->read, path, &at, &found);

    if (!failed(e) && found < path->n)
        e = ERR(ERR_NOT_FOUND, "the folder was deleted while messages moved to it");
    return failed(e) ? e : message_move_some(tx, SPECIAL_INBOX, at.fid, more);
}

static struct err rename_checked(struct store_tx *tx, struct store_folder_rename *rq,
                                 const struct folder_path *path)
{
    struct folder_rec rec;

    if (rq->op.batches > 0)
        return move_inbox(tx, path, &rq->op.more);
    struct err e = folder_load_plain(tx, rq->fid, &rec);
    if (failed(e))
        return e;
    if (rec.special != SPECIAL_NONE && rec.special < SPECIAL_ALL && rec.special != SPECIAL_INBOX)
        return ERR(ERR_DENIED, "a special folder of every mailbox");
    return rename_to(tx, &rec, path);
}

static struct err rename_step(struct store_tx *tx, struct store_op *op)
{
    struct store_folder_rename *rq = container_of(op, struct store_folder_rename, op);
    struct arena arena = ARENA_INIT;
    struct folder_path path;
    struct err e = store_folder_name_check(rq->path);

    if (!failed(e))
        e = folder_path_parse(rq->path, &arena, &path);
    if (!failed(e))
        e = rename_checked(tx, rq, &path);
    arena_done(&arena);
    return e;
}

static void rename_settle(struct store_op *op)
{
    struct store_folder_rename *rq = container_of(op, struct store_folder_rename, op);

    if (op->batches == 1 && rq->fid == SPECIAL_INBOX)
        op->more = true;
}

void store_folder_rename_init(struct store_folder_rename *rq)
{
    *rq = (struct store_folder_rename){.op = {.step = rename_step, .settle = rename_settle}};
}

/* ---- subscriptions ---- */

static struct err subscribe_path(struct store_tx *tx, bool on, struct slice path)
{
    struct key key = key_subscription(path);
    struct slice value;
    struct err e = tx_get(tx, &key, &value);

    if (failed(e) && e.code != ERR_NOT_FOUND)
        return e;
    if (!failed(e) == on)
        return on ? OK : ERR(ERR_NOT_FOUND, "was not subscribed to");
    if (on && tx->rec.subscriptions >= tx->mailbox->store->config.max_folders)
        return ERR(ERR_LIMIT, "too many subscriptions");
    tx->rec.subscriptions += on ? 1 : -1u;
    tx->changed = true;
    return on ? tx_put(tx, &key, path) : tx_delete(tx, &key);
}

static struct err subscribe_step(struct store_tx *tx, struct store_op *op)
{
    struct store_subscribe *rq = container_of(op, struct store_subscribe, op);
    struct arena arena = ARENA_INIT;
    struct folder_path path;
    struct err e = folder_path_parse(rq->path, &arena, &path);

    if (!failed(e))
        e = subscribe_path(tx, rq->on, folder_path_join(&path, &arena));
    arena_done(&arena);
    return e;
}

void store_subscribe_init(struct store_subscribe *rq)
{
    *rq = (struct store_subscribe){.op = {.step = subscribe_step}};
}
