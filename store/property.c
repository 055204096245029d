/*
 * property.c - the request that sets and removes properties of an object.
 */
#include <stdlib.h>

#include "store/edit.h"
#include "store/message_int.h"
#include "store/prepare_int.h"

/* ---- large values, before the batch ---- */

bool prop_is_long(const struct store_prop *prop)
{
    uint16_t type = prop_type(prop->tag);
    bool bytes = type == PROP_STRING || type == PROP_STRING8 || type == PROP_BINARY;

    return !prop->large && bytes && prop->value.bytes.len > STORE_PROP_INLINE;
}

static struct err prepare_one(struct store *st, const struct store_prop_change *change,
                              struct store_prepared **out)
{
    const struct store_prop *prop = &change->prop;

    if (!change->remove && prop->prepared) {
        *out = store_prepared_hold(prop->prepared);
        return OK;
    }
    /* What is wrong with a value is told when the change is made. */
    if (change->remove || !prop_is_long(prop) ||
        failed(prop_check(prop_type(prop->tag), &prop->value)))
        return OK;
    return store_prepare_bytes(st, SLICE_EMPTY, prop->value.bytes, out);
}

struct err changes_prepare(struct store *st, const struct store_prop_change *changes, size_t n,
                           struct store_prepared ***out)
{
    struct err e = OK;

    *out = mem_array(n + 1, sizeof(void *));
    for (size_t i = 0; i < n && !failed(e); i++)
        e = prepare_one(st, &changes[i], &(*out)[i]);
    return e;
}

void changes_release(struct store_prepared **prepared, size_t n)
{
    for (size_t i = 0; prepared && i < n; i++)
        store_prepared_free(prepared[i]);
    free(prepared);
}

void op_bring(struct store_op *op, struct store_prepared *const *prepared, size_t n)
{
    op->blobs = mem_grow(op->blobs, op->n_blobs + n + 1, sizeof *op->blobs);
    for (size_t i = 0; i < n; i++)
        if (prepared[i])
            op->blobs[op->n_blobs++] = prepared_blob(prepared[i]);
}

uint64_t prop_weight(const struct store_prop *prop)
{
    if (prop->prepared)
        return store_prepared_size(prop->prepared);
    if (prop->large)
        return prop->len;
    return prop_type_has_bytes(prop_type(prop->tag)) ? prop->value.bytes.len : 0;
}

uint64_t changes_weight(const struct store_prop_change *changes, size_t n)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += changes[i].remove ? 0 : prop_weight(&changes[i].prop);
    return sum;
}

static uint64_t set_props_weigh(const struct store_op *op)
{
    const struct store_set_props *rq = container_of(op, const struct store_set_props, op);

    return changes_weight(rq->changes, rq->n);
}

static void set_props_prepare(struct store_op *op)
{
    struct store_set_props *rq = container_of(op, struct store_set_props, op);

    rq->prepare_err = changes_prepare(op->mailbox->store, rq->changes, rq->n, &rq->prepared);
    op->n_blobs = 0;
    op_bring(op, rq->prepared, rq->n);
}

static void set_props_cleanup(struct store_op *op)
{
    struct store_set_props *rq = container_of(op, struct store_set_props, op);

    changes_release(rq->prepared, rq->n);
    rq->prepared = NULL;
}

/* ---- the changes ---- */

bool changes_name(const struct store_prop_change *changes, size_t n, uint32_t tag)
{
    for (size_t i = 0; i < n; i++)
        if (prop_id(changes[i].prop.tag) == prop_id(tag) && changes[i].problem == ERR_NONE)
            return true;
    return false;
}

struct err changes_apply(struct edit *edit, struct store_prop_change *changes, size_t n,
                         struct store_prepared *const *prepared)
{
    bool large = false;
    struct err e = OK;

    for (size_t i = 0; i < n && !failed(e); i++) {
        e = edit_apply(edit, &changes[i], prepared[i]);
        large |= changes[i].prop.large || prepared[i];
    }
    if (!failed(e) && large)
        e = tx_check_quota(edit->tx, 0);
    if (!failed(e) && (edit->touched & EDIT_CONTENT) &&
        !changes_name(changes, n, PR_LAST_MODIFICATION_TIME))
        e = edit_stamp(edit);
    return e;
}

static struct err apply_all(struct store_set_props *rq, struct edit *edit)
{
    return changes_apply(edit, rq->changes, rq->n, rq->prepared);
}

static bool is_too_new(const struct store_set_props *rq, uint64_t cn)
{
    return rq->conditional && cn > rq->unchanged_since;
}

static struct err too_new(void)
{
    return ERR(ERR_CONFLICT, "the object changed since the client saw it");
}

static struct err set_of_mailbox(struct store_tx *tx, struct store_set_props *rq, struct arena *in)
{
    struct edit edit;
    struct bag bag;
    struct err e = bag_load(tx->read, STORE_OBJECT_MAILBOX, in, &bag);

    if (!failed(e))
        e = edit_begin(&edit, tx, in, OBJECT_MAILBOX, &bag, rq->n);
    if (failed(e))
        return e;
    e = apply_all(rq, &edit);
    if (failed(e) || !edit.touched)
        return e;
    rq->changed = true;
    tx_take(tx, 1);
    return bag_save(tx, STORE_OBJECT_MAILBOX, &edit.bag);
}

static struct err set_of_folder(struct store_tx *tx, struct store_set_props *rq,
                                struct folder_rec *folder, struct arena *in)
{
    struct edit edit;
    struct bag bag;
    struct err e = bag_load(tx->read, folder->fid, in, &bag);

    if (!failed(e) && is_too_new(rq, folder->cn))
        e = too_new();
    if (!failed(e))
        e = edit_begin(&edit, tx, in, OBJECT_FOLDER, &bag, rq->n);
    if (failed(e))
        return e;
    edit.folder = folder;
    e = apply_all(rq, &edit);
    if (failed(e) || !edit.touched)
        return e;
    rq->changed = true;
    folder->cn = tx_take(tx, 1);
    folder->changed = tx->now;
    e = bag_save(tx, folder->fid, &edit.bag);
    if (!failed(e))
        e = folder_save(tx, folder);
    return failed(e) ? e : log_folder_changed(tx, folder);
}

/* ---- a message ---- */

struct err find_message(struct store_tx *tx, uint64_t mid, struct place *out)
{
    struct key key = key_id(KEY_MID, mid);
    struct slice value;
    uint64_t fid;
    uint32_t uid, at = 0;
    struct err e = tx_get(tx, &key, &value);

    if (!failed(e))
        e = mid_value_decode(value, &fid, &uid);
    if (!failed(e))
        e = folder_load_open(tx, fid, &out->folder);
    if (!failed(e))
        e = group_load(tx, fid, uid, &out->group);
    if (failed(e))
        return e.code == ERR_NOT_FOUND ? ERR(ERR_NOT_FOUND, "there is no such object") : e;
    while (at < out->group.n && row_uid(group_row(&out->group, at)) < uid)
        at++;
    if (at == out->group.n || row_uid(group_row(&out->group, at)) != uid)
        return ERR(ERR_CORRUPT, "a MID does not lead to its row");
    out->at = at;
    row_decode(group_row(&out->group, at), &out->row);
    return OK;
}

struct err edit_keyword_set(struct store_tx *tx, const struct edit *edit, uint32_t from,
                            uint32_t *to)
{
    struct keyword_change change = {
        .how = FLAGS_REPLACE, .names = edit->keywords, .n = edit->n_keywords};
    struct err e = OK;

    *to = from;
    if (edit->touched & EDIT_KEYWORDS)
        e = keyword_change_find(tx, &change, from, to);
    keyword_change_done(&change);
    return e;
}

static struct err note_unseen(struct store_tx *tx, struct folder_rec *folder, uint32_t uid,
                              bool unseen)
{
    folder->unseen += unseen ? 1u : -1u;
    return unseen ? runs_add(tx, KEY_RUN_UNSEEN, folder->fid, uid, uid)
                  : runs_remove(tx, KEY_RUN_UNSEEN, folder->fid, uid, uid);
}

static struct err log_row(struct store_tx *tx, const struct place *p, bool read)
{
    struct uidset uid = UIDSET_EMPTY;
    struct mid_runs mids = mid_runs_make();

    uidset_add(&uid, p->row.uid, p->row.uid);
    mid_runs_add(&mids, p->row.mid);
    struct log_rec rec = {
        .kind = LOG_CHANGED,
        .cause = read ? CAUSE_READ : CAUSE_NONE,
        .fid = p->folder.fid,
        .first = p->row.modseq,
        .mids = mid_runs_end(&mids),
    };
    struct err e = log_put(tx, &rec, &uid);

    mid_runs_done(&mids);
    uidset_done(&uid);
    return e;
}

/* What goes with a change of the row: counters, runs, keyword sets, the log. */
static struct err note_row(struct store_tx *tx, struct place *p, const struct message_row *before)
{
    struct keyword_counts counts = {NULL, 0, 0};
    uint16_t changed = p->row.flags ^ before->flags;
    struct err e = OK;

    if (changed & FLAG_DELETED)
        p->folder.deleted += p->row.flags & FLAG_DELETED ? 1u : -1u;
    if (changed & FLAG_SEEN)
        e = note_unseen(tx, &p->folder, p->row.uid, !(p->row.flags & FLAG_SEEN));
    keyword_counts_add(&counts, before->keyword_set, -1);
    keyword_counts_add(&counts, p->row.keyword_set, 1);
    if (!failed(e))
        e = keyword_counts_write(tx, &counts);
    if (!failed(e))
        e = log_row(tx, p, changed & FLAG_SEEN);
    p->folder.modseq = p->folder.flags_modseq = p->row.modseq;
    p->folder.contents_changed = tx->now;
    keyword_counts_done(&counts);
    return failed(e) ? e : folder_save(tx, &p->folder);
}

static struct err write_message(struct store_tx *tx, struct place *p, const struct edit *edit,
                                bool *changed)
{
    struct message_row before = p->row, *row = &p->row;
    struct err e = edit_keyword_set(tx, edit, before.keyword_set, &row->keyword_set);
    uint16_t bag_flag = bag_is_empty(&edit->bag) ? 0 : FLAG_BAG;

    if (failed(e))
        return e;
    row->flags = (uint16_t)((edit->flags & ~FLAG_BAG) | bag_flag);
    *changed = row->flags != before.flags || row->keyword_set != before.keyword_set ||
               (edit->touched & EDIT_BAG);
    if (!*changed)
        return OK;
    row->modseq = tx_take(tx, 1);
    if ((row->flags ^ before.flags) & FLAG_SEEN)
        row->read_cn = row->modseq;
    /* \Deleted, and status words like it, are not told by change numbers (see flags.c). */
    if (((row->flags ^ before.flags) & FLAG_ALL_IMAP & ~(FLAG_SEEN | FLAG_DELETED)) ||
        row->keyword_set != before.keyword_set || (edit->touched & EDIT_CONTENT))
        row->cn = row->modseq;
    row_encode(row, group_row(&p->group, p->at));
    e = group_save(tx, &p->group);
    if (!failed(e) && (edit->touched & EDIT_BAG))
        e = bag_save(tx, row->mid, &edit->bag);
    return failed(e) ? e : note_row(tx, p, &before);
}

static struct err set_of_message(struct store_tx *tx, struct store_set_props *rq, struct arena *in)
{
    struct place *p = arena_alloc(in, sizeof *p);
    struct bag bag = {.n = 0};
    struct edit edit;
    struct err e = find_message(tx, rq->id, p);

    if (!failed(e) && is_too_new(rq, p->row.cn))
        e = too_new();
    if (!failed(e) && (p->row.flags & FLAG_BAG))
        e = bag_load(tx->read, rq->id, in, &bag);
    if (!failed(e))
        e = edit_begin(&edit, tx, in, OBJECT_MESSAGE, &bag, rq->n);
    if (!failed(e))
        e = edit_begin_message(&edit, p->row.flags, p->row.keyword_set);
    if (!failed(e))
        e = apply_all(rq, &edit);
    return failed(e) ? e : write_message(tx, p, &edit, &rq->changed);
}

static struct err set_props_step(struct store_tx *tx, struct store_op *op)
{
    struct store_set_props *rq = container_of(op, struct store_set_props, op);
    struct arena arena = ARENA_INIT;
    struct folder_rec folder;
    struct err e = rq->prepare_err;

    rq->changed = false;
    if (failed(e))
        return e;
    if (rq->id == STORE_OBJECT_MAILBOX) {
        e = set_of_mailbox(tx, rq, &arena);
    } else {
        e = folder_load(tx->read, rq->id, &folder);
        if (!failed(e) && !folder_is_plain(&folder))
            e = ERR(ERR_NOT_FOUND, "there is no such folder");
        else if (!failed(e))
            e = set_of_folder(tx, rq, &folder, &arena);
        else if (e.code == ERR_NOT_FOUND)
            e = set_of_message(tx, rq, &arena);
    }
    arena_done(&arena);
    return e;
}

void store_set_props_init(struct store_set_props *rq)
{
    *rq = (struct store_set_props){.op = {.step = set_props_step,
                                          .prepare = set_props_prepare,
                                          .weigh = set_props_weigh,
                                          .cleanup = set_props_cleanup,
                                          .needs_space = true}};
}
