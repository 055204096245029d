/*
 * save.c - messages that are made of properties: a new one, or all of one that is there.
 *
 * A message that is replaced keeps its MID and what hangs on that, and gets a new UID: for IMAP one
 * message goes and another comes. The new row is put first, then the old one taken out, in one
 * batch.
 */
#include <stdlib.h>

#include "store/content.h"
#include "store/edit.h"
#include "store/mapi/oxcmail_export.h"
#include "store/prepare_int.h"
#include "store/save_made.h"

/* ---- the RFC 822 form ---- */

struct export_from {
    struct store_read *rd;
    struct arena *in;
};

static struct err load_value(void *ctx, const struct store_prop *prop, struct slice *out)
{
    const struct export_from *from = ctx;
    struct store_prop loaded = *prop;

    if (prop->prepared) {
        *out = prop->prepared->bytes;
        return OK;
    }
    struct err e = store_prop_load(from->rd, &loaded, SIZE_MAX, from->in);
    if (!failed(e))
        *out = loaded.value.bytes;
    return e;
}

static bool find_name(void *ctx, uint16_t id, struct store_prop_name *out)
{
    const struct export_from *from = ctx;

    return !failed(store_named_name(from->rd, id, from->in, out));
}

static struct store_props props_of(const struct store_save_message *rq, struct arena *in)
{
    struct store_prop *props = arena_array(in, rq->n, sizeof *props);
    size_t n = 0;

    for (size_t i = 0; i < rq->n; i++)
        if (!rq->changes[i].remove)
            props[n++] = rq->changes[i].prop;
    return (struct store_props){props, n};
}

static struct err make_bytes(struct mailbox *mb, const struct store_save_message *rq,
                             struct store_prepared **out)
{
    struct arena arena = ARENA_INIT;
    struct export_from from = {.in = &arena};
    struct oxcmail_export how = {
        .load = load_value, .name = find_name, .ctx = &from, .now = clock_now().wall};
    struct store_content message = {.n_recipients = 0};
    struct buf bytes = buf_make(mb->store->config.max_message);
    struct err e = store_read_begin(mb, &from.rd);

    if (rq->content)
        message = *rq->content;
    message.props = props_of(rq, &arena);
    if (!failed(e)) {
        e = oxcmail_export(&how, &message, &bytes);
        store_read_end(from.rd);
    }
    if (!failed(e))
        e = store_prepare_bytes(mb->store, SLICE_EMPTY, buf_slice(&bytes), out);
    buf_done(&bytes);
    arena_done(&arena);
    return e;
}

/* ---- large values and the bytes, before the batch ---- */

static uint64_t content_weight(const struct store_content *content, unsigned depth)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < content->n_attachments && depth < STORE_CONTENT_DEPTH; i++) {
        const struct store_attachment *a = &content->attachments[i];

        for (size_t k = 0; k < a->props.n; k++)
            sum += prop_weight(&a->props.items[k]);
        for (size_t k = 0; a->embedded && k < a->embedded->props.n; k++)
            sum += prop_weight(&a->embedded->props.items[k]);
        if (a->embedded)
            sum += content_weight(a->embedded, depth + 1);
    }
    return sum;
}

static uint64_t save_weigh(const struct store_op *op)
{
    const struct store_save_message *rq = container_of(op, const struct store_save_message, op);

    return changes_weight(rq->changes, rq->n) + (rq->content ? content_weight(rq->content, 1) : 0);
}

static void save_prepare(struct store_op *op)
{
    struct store_save_message *rq = container_of(op, struct store_save_message, op);
    struct store *st = op->mailbox->store;

    op->n_blobs = 0;
    rq->encoded = NULL;
    rq->prepare_err = changes_prepare(st, rq->changes, rq->n, &rq->change_prepared);
    if (!failed(rq->prepare_err) && rq->content)
        rq->prepare_err = content_encode(st, rq->content, &rq->encoded);
    struct err e = OK;
    rq->made = save_made_new(st, rq, &e);
    if (!failed(rq->prepare_err))
        rq->prepare_err = e;
    rq->bytes = rq->prepared ? store_prepared_hold(rq->prepared) : NULL;
    if (!failed(rq->prepare_err) && !rq->bytes)
        rq->prepare_err = make_bytes(op->mailbox, rq, &rq->bytes);
    op_bring(op, &rq->bytes, 1);
    op_bring(op, rq->change_prepared, rq->n);
    op_bring(op, rq->made->prepared, rq->made->n);
    if (rq->encoded) {
        op_bring(op, &rq->encoded->bytes, 1);
        op_bring(op, rq->encoded->prepared, rq->encoded->n);
    }
}

static void save_cleanup(struct store_op *op)
{
    struct store_save_message *rq = container_of(op, struct store_save_message, op);

    changes_release(rq->change_prepared, rq->n);
    rq->change_prepared = NULL;
    save_made_free(rq->made);
    rq->made = NULL;
    save_content_free(rq->encoded);
    store_prepared_free(rq->bytes);
    rq->encoded = NULL;
    rq->bytes = NULL;
}

/* ---- in the batch ---- */

struct saving {
    struct store_tx *tx;
    struct store_save_message *rq;
    struct arena *in;
    struct place *old; /* what is replaced; NULL: nothing */
    struct bag old_bag;
    struct bag base; /* what the message begins with */
    struct edit edit;
    struct message_row row;
};

/* The row's side of what was there, and when it was made. */
static void keep_state(struct saving *s)
{
    static const uint32_t kept[] = {PR_MESSAGE_FLAGS, PR_CREATION_TIME,      PR_MESSAGE_STATUS,
                                    PR_ICON_INDEX,    PR_LAST_VERB_EXECUTED, PR_FLAG_STATUS};
    enum { KEPT = sizeof kept / sizeof *kept };

    s->base.props = arena_array(s->in, KEPT, sizeof *s->base.props);
    for (size_t i = 0; i < KEPT; i++) {
        bool there;
        size_t at = bag_find(&s->old_bag, prop_id(kept[i]), &there), to;

        if (!there && kept[i] != PR_CREATION_TIME)
            continue;
        struct store_prop prop = {.tag = PR_CREATION_TIME, .value.time = s->old->row.savedate};

        to = bag_find(&s->base, prop_id(kept[i]), &(bool){false});
        memmove(s->base.props + to + 1, s->base.props + to,
                (s->base.n++ - to) * sizeof *s->base.props);
        s->base.props[to] = there ? s->old_bag.props[at] : prop;
    }
}

static struct err load_old(struct saving *s)
{
    const struct store_save_message *rq = s->rq;

    if (rq->mid == 0)
        return OK;
    s->old = arena_alloc(s->in, sizeof *s->old);
    struct err e = find_message(s->tx, rq->mid, s->old);

    if (!failed(e) && rq->conditional && s->old->row.cn > rq->unchanged_since)
        e = ERR(ERR_CONFLICT, "the message changed since the client saw it");
    if (!failed(e) && (s->old->row.flags & FLAG_BAG))
        e = bag_load(s->tx->read, rq->mid, s->in, &s->old_bag);
    if (!failed(e))
        keep_state(s);
    return e;
}

static struct err link_content(struct saving *s)
{
    const struct save_content *encoded = s->rq->encoded;
    struct engine_blob_info blob;
    struct err e = OK;

    s->base.own = true;
    if (!encoded)
        return OK;
    uint64_t *blobs = arena_array(s->in, encoded->n, sizeof *blobs);

    for (size_t i = 0; i < encoded->n && !failed(e); i++) {
        blobs[i] = encoded->blobs[i];
        if (encoded->prepared[i]) {
            e = engine_blob_link(s->tx->w, encoded->prepared[i]->hash, &blob);
            blobs[i] = blob.id;
        } else {
            e = engine_blob_link_id(s->tx->w, blobs[i]);
        }
    }
    if (!failed(e))
        e = engine_blob_link(s->tx->w, encoded->bytes->hash, &blob);
    if (failed(e))
        return e;
    s->base.content = blob.id;
    s->base.content_len = encoded->bytes->bytes.len;
    s->base.content_blobs = blobs;
    s->base.n_content_blobs = encoded->n;
    return OK;
}

static struct err edit_props(struct saving *s)
{
    const struct message_row *old = s->old ? &s->old->row : &(struct message_row){.uid = 0};
    struct err e =
        edit_begin(&s->edit, s->tx, s->in, OBJECT_MESSAGE, &s->base, s->rq->n + SAVE_MADE_MAX);

    if (!failed(e))
        e = edit_begin_message(&s->edit, old->flags & FLAG_ALL_IMAP, old->keyword_set);
    s->edit.touched |= EDIT_CONTENT;
    if (!failed(e))
        e = changes_apply(&s->edit, s->rq->changes, s->rq->n, s->rq->change_prepared);
    return failed(e) ? e : save_made_apply(&s->edit, s->rq->made);
}

static struct err make_row(struct saving *s)
{
    const struct store_save_message *rq = s->rq;
    const struct message_row *old = s->old ? &s->old->row : &(struct message_row){.uid = 0};
    struct engine_blob_info blob;
    struct message_row *row = &s->row;
    struct err e = engine_blob_link(s->tx->w, rq->bytes->hash, &blob);
    bool attachments = rq->content && rq->content->n_attachments > 0;

    *row = (struct message_row){
        .mid = s->old ? rq->mid : rq->new_mid, .zone = rq->zone, .blob = blob.id};
    row->flags =
        (uint16_t)((s->edit.flags & FLAG_ALL_IMAP) | FLAG_BAG |
                   (attachments ? FLAG_ATTACHMENTS : 0) | (s->old ? FLAG_IMPORTED_UIDL : 0));
    row->size = (uint32_t)rq->bytes->bytes.len;
    row->savedate = s->tx->now;
    row->internaldate = rq->internaldate ? rq->internaldate
                        : s->old         ? old->internaldate
                                         : s->tx->now;
    row->sent = rq->bytes->sent != 0 ? rq->bytes->sent
                                     : filetime_to_unix(row->internaldate) + (int64_t)rq->zone * 60;
    return failed(e) ? e : edit_keyword_set(s->tx, &s->edit, old->keyword_set, &row->keyword_set);
}

/* Its bytes are others, so POP3 must see another message: the number of the change is unique. */
static struct err put_uidl(struct saving *s)
{
    struct key key = key_id(KEY_UIDL, s->row.mid);
    struct buf uidl = buf_make(UIDL_MAX_BYTES);

    buf_printf(&uidl, "%012llx.%016llx", (unsigned long long)s->row.cn,
               (unsigned long long)get_be64(s->tx->rec.mailbox_guid));
    struct err e = tx_put(s->tx, &key, buf_slice(&uidl));

    buf_done(&uidl);
    return e;
}

static struct err put_row(struct saving *s, struct folder_rec *folder)
{
    struct appender a;
    struct err e = appender_begin(s->tx, &a, folder, 1);

    a.cause = s->old ? CAUSE_REPLACED : CAUSE_NONE;
    if (!failed(e))
        e = appender_add(s->tx, &a, &s->row);
    if (!failed(e))
        e = appender_end(s->tx, &a);
    appender_done(&a);
    if (!failed(e) && s->old)
        e = put_uidl(s);
    return failed(e) ? e : bag_save(s->tx, s->row.mid, &s->edit.bag);
}

static struct err take_old_out(struct saving *s, struct folder_rec *folder)
{
    struct uidset uids = UIDSET_EMPTY;
    size_t n;
    struct err e = bag_unlink(s->tx, &s->old_bag, &n);

    uidset_add(&uids, s->old->row.uid, s->old->row.uid);
    if (!failed(e))
        e = remove_all(s->tx, folder, &uids, REMOVE_REPLACED);
    uidset_done(&uids);
    return e;
}

/* Is there room for what it has more than the one that it replaces? */
static struct err check_quota(const struct saving *s)
{
    uint64_t size = s->rq->bytes->bytes.len, old = s->old ? s->old->row.size : 0;

    return tx_check_quota(s->tx, size > old ? size - old : 0);
}

/* May a new message have the number that the caller has reserved? */
static struct err check_new_mid(const struct saving *s)
{
    uint64_t id = s->rq->new_mid;
    struct key mid = key_id(KEY_MID, id), folder = key_id(KEY_FOLDER, id);
    struct slice value;

    if (s->old || id == 0)
        return OK;
    if (id > s->tx->rec.counter)
        return ERR(ERR_INVALID, "a MID that was not reserved");
    struct err e = tx_get(s->tx, &mid, &value);
    if (e.code == ERR_NOT_FOUND)
        e = tx_get(s->tx, &folder, &value);
    return e.code == ERR_NOT_FOUND ? OK : failed(e) ? e : ERR(ERR_EXISTS, "the MID is used");
}

static struct err save(struct saving *s)
{
    struct store_save_message *rq = s->rq;
    struct folder_rec *folder = arena_alloc(s->in, sizeof *folder);
    struct err e = load_old(s);

    if (!failed(e) && s->old)
        *folder = s->old->folder;
    else if (!failed(e))
        e = folder_load_place(s->tx, s->rq->fid, s->rq->associated, folder);
    if (!failed(e))
        e = check_new_mid(s);
    if (!failed(e))
        e = check_quota(s);
    if (!failed(e))
        e = link_content(s);
    if (!failed(e))
        e = edit_props(s);
    if (!failed(e))
        e = make_row(s);
    if (!failed(e))
        e = put_row(s, folder);
    if (!failed(e) && s->old)
        e = take_old_out(s, folder);
    if (failed(e))
        return e;
    rq->saved_mid = s->row.mid;
    rq->uid = s->row.uid;
    rq->uidvalidity = folder->uidvalidity;
    rq->cn = s->row.cn;
    return OK;
}

static struct err save_step(struct store_tx *tx, struct store_op *op)
{
    struct store_save_message *rq = container_of(op, struct store_save_message, op);
    struct arena arena = ARENA_INIT;
    struct saving *s = arena_alloc(&arena, sizeof *s);
    struct err e = rq->prepare_err;

    s->tx = tx;
    s->rq = rq;
    s->in = &arena;
    if (!failed(e))
        e = save(s);
    arena_done(&arena);
    return e;
}

void store_save_message_init(struct store_save_message *rq)
{
    *rq = (struct store_save_message){.op = {.step = save_step,
                                             .prepare = save_prepare,
                                             .weigh = save_weigh,
                                             .cleanup = save_cleanup,
                                             .needs_space = true}};
}
