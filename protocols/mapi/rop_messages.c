/*
 * rop_messages.c - what is done to messages of a folder by their ids: status words, read flags,
 * deleting, moving and copying ([MS-OXCMSG] 2.2.3.8 to 2.2.3.11, [MS-OXCFOLD] 2.2.1.6, 2.2.1.11,
 * 2.2.1.12).
 */
#include "protocols/mapi/message_int.h"
#include "protocols/mapi/receipt.h"
#include "protocols/mapi/rights.h"

/* ---- where they are ---- */

/* Messages of one folder: in itself, and in its shadows. */
struct places {
    uint64_t fids[SHADOW_COUNT];
    struct uidset uids[SHADOW_COUNT];
    bool missing; /* some were asked for that are not there */
};

static void places_done(struct places *p)
{
    for (size_t i = 0; i < SHADOW_COUNT; i++)
        uidset_done(&p->uids[i]);
}

static void find_all(struct store_read *rd, uint64_t folder, const struct rop_ids *ids,
                     struct places *out)
{
    for (size_t i = 0; i < ids->n; i++) {
        struct message_place place;
        uint64_t mid;

        if (rop_counter(ids->items[i], &mid) || message_locate(rd, folder, mid, &place)) {
            out->missing = true;
            continue;
        }
        out->fids[place.shadow] = place.fid;
        uidset_append_unordered(&out->uids[place.shadow], place.uid, place.uid);
    }
    for (size_t i = 0; i < SHADOW_COUNT; i++)
        uidset_normalize(&out->uids[i]);
}

static uint64_t folder_of(const struct mapi_object *object)
{
    return ((const struct mapi_folder *)object)->fid;
}

static uint32_t find_places(struct rop_call *call, const struct rop_ids *ids, struct places *out)
{
    struct store_read *rd;
    uint32_t ec = rop_read(call, &rd);

    if (ec)
        return ec;
    find_all(rd, folder_of(call->object), ids, out);
    store_read_end(rd);
    return EC_SUCCESS;
}

/* DEVIATES: rights over what one has made oneself alone count for nothing here. */
static uint32_t may(struct rop_call *call, const struct mapi_object *folder, uint32_t right)
{
    return mapi_require(call, folder_of(folder), right | RIGHT_OWNER, EC_ACCESS_DENIED);
}

/* ---- MessageStatus ---- */

static uint32_t read_status(struct rop_call *call, uint64_t id, uint64_t *mid, uint32_t *status)
{
    struct message_place place;
    struct store_object *object;
    struct store_prop prop;
    struct store_read *rd;
    uint32_t ec = rop_counter(id, mid);

    if (!ec)
        ec = rop_read(call, &rd);
    if (ec)
        return ec;
    ec = message_locate(rd, folder_of(call->object), *mid, &place);
    if (!ec)
        ec = mapi_ec_of(store_object_open(rd, *mid, call->arena, &object));
    if (!ec)
        ec = mapi_ec_of(store_object_get(object, PR_MESSAGE_STATUS, &prop));
    store_read_end(rd);
    if (!ec)
        *status = (uint32_t)prop.value.number;
    return ec;
}

uint32_t rop_do_get_message_status(struct rop_call *call)
{
    const struct rop_get_message_status *rq = call->fields;
    struct rop_get_message_status_reply *reply = call->reply;
    uint64_t mid;
    uint32_t ec = may(call, call->object, RIGHT_READ_ANY);

    return ec ? ec : read_status(call, rq->message, &mid, &reply->flags);
}

struct setting {
    struct store_set_props set;
    struct store_prop_change change;
};

static struct setting *setting_of(struct rop_call *call, uint64_t mid, uint32_t tag, int64_t number)
{
    struct setting *s = arena_alloc(call->arena, sizeof *s);

    store_set_props_init(&s->set);
    s->change.prop = (struct store_prop){.tag = tag, .value.number = number};
    s->set.id = mid;
    s->set.changes = &s->change;
    s->set.n = 1;
    return s;
}

/* The response tells the flags that were before ([MS-OXCMSG] 2.2.3.8.2). */
uint32_t rop_do_set_message_status(struct rop_call *call)
{
    const struct rop_set_message_status *rq = call->fields;
    struct rop_set_message_status_reply *reply = call->reply;
    uint64_t mid;
    uint32_t ec = may(call, call->object, RIGHT_EDIT_ANY);

    if (!ec)
        ec = read_status(call, rq->message, &mid, &reply->flags);
    if (ec)
        return ec;
    uint32_t status = (reply->flags & ~rq->mask) | (rq->flags & rq->mask);

    if (status == reply->flags)
        return EC_SUCCESS;
    struct setting *s = setting_of(call, mid, PR_MESSAGE_STATUS, (int32_t)status);
    return rop_submit(call, call->logon->mailbox, &s->set.op, NULL);
}

/* ---- read flags ---- */

enum read_flag { /* [MS-OXCMSG] 2.2.3.10.1 */
                 READ_SUPPRESS_RECEIPT = 0x01,
                 READ_CLEAR = 0x04,
                 READ_RECEIPT_ONLY = 0x10,
                 READ_CLEAR_NOTIFY_READ = 0x20,
                 READ_CLEAR_NOTIFY_UNREAD = 0x40,
                 READ_CLEAR_NOTIFY = READ_CLEAR_NOTIFY_READ | READ_CLEAR_NOTIFY_UNREAD,
                 READ_ALL = 0x7F, /* with those that are reserved, and ignored */
};

static uint32_t check_read_flags(uint8_t flags)
{
    bool receipt_only = flags & READ_RECEIPT_ONLY;
    bool more = flags & (READ_SUPPRESS_RECEIPT | READ_CLEAR | READ_CLEAR_NOTIFY);

    return flags & ~READ_ALL || (receipt_only && more) ? EC_INVALID_PARAMETER : EC_SUCCESS;
}

static enum mapi_mail_task receipts_of(uint8_t flags)
{
    return flags & (READ_SUPPRESS_RECEIPT | READ_CLEAR_NOTIFY_READ) ? MAPI_MAIL_NO_RECEIPTS
                                                                    : MAPI_MAIL_RECEIPTS;
}

static uint32_t flags_to_clear(uint8_t flags)
{
    return (flags & READ_CLEAR_NOTIFY_READ ? MESSAGE_NOTIFY_READ : 0) |
           (flags & READ_CLEAR_NOTIFY_UNREAD ? MESSAGE_NOTIFY_UNREAD : 0);
}

static void begin_set_read(struct store_set_flags *set, uint64_t fid, const struct uidset *uids,
                           uint8_t flags)
{
    store_set_flags_init(set);
    set->fid = fid;
    set->how = flags & READ_CLEAR ? FLAGS_REMOVE : FLAGS_ADD;
    set->flags = FLAG_SEEN;
    uidset_copy(&set->uids, uids);
}

static void end_set_read(struct store_set_flags *set)
{
    uidset_done(&set->uids);
    uidset_done(&set->modified);
    uidset_done(&set->changed);
}

/* Messages with notifications to be given up, one after the other. */
struct clearing {
    uint64_t *mids;
    int64_t *flags; /* what each will have */
    size_t n, at;
};

static void add_clearing(struct rop_call *call, struct store_read *rd, uint64_t fid, uint32_t uid,
                         uint32_t clear, struct clearing *c)
{
    struct store_object *object;
    struct message_row row;
    struct store_prop prop;

    if (failed(store_message(rd, fid, uid, &row)) ||
        failed(store_object_open_row(rd, fid, &row, call->arena, &object)) ||
        failed(store_object_get(object, PR_MESSAGE_FLAGS, &prop)) || !(prop.value.number & clear))
        return;
    c->mids[c->n] = row.mid;
    c->flags[c->n++] = prop.value.number & ~(int64_t)clear;
}

struct reading {
    struct places places;
    size_t at;
    struct store_set_flags set;
    struct clearing clearing;
};

static uint32_t clear_next(struct rop_call *call);

static uint32_t cleared(struct rop_call *call, struct store_op *op)
{
    struct rop_set_read_flags_reply *reply = call->reply;

    if (failed(op->err))
        reply->partial = 1;
    return clear_next(call);
}

static uint32_t clear_next(struct rop_call *call)
{
    struct reading *r = call->state;
    struct clearing *c = &r->clearing;

    if (c->at == c->n) {
        places_done(&r->places);
        return EC_SUCCESS;
    }
    struct setting *s = setting_of(call, c->mids[c->at], PR_MESSAGE_FLAGS, c->flags[c->at]);

    c->at++;
    return rop_submit(call, call->logon->mailbox, &s->set.op, cleared);
}

static uint32_t clear_notifications(struct rop_call *call, struct reading *r, uint8_t flags)
{
    struct store_read *rd;
    uint64_t most = 0;
    uint32_t ec = rop_read(call, &rd), uid = 0;

    if (ec) {
        places_done(&r->places);
        return ec;
    }
    for (size_t i = 0; i < SHADOW_COUNT; i++)
        most += uidset_count(&r->places.uids[i]);
    r->clearing.mids = arena_array(call->arena, most, sizeof(uint64_t));
    r->clearing.flags = arena_array(call->arena, most, sizeof(int64_t));
    for (size_t i = 0; i < SHADOW_COUNT; i++)
        for (uid = 0; uidset_next(&r->places.uids[i], uid, &uid); uid++)
            add_clearing(call, rd, r->places.fids[i], uid, flags_to_clear(flags), &r->clearing);
    store_read_end(rd);
    return clear_next(call);
}

static uint32_t read_next(struct rop_call *call);

static uint32_t read_done(struct rop_call *call, struct store_op *op)
{
    struct reading *r = call->state;

    const struct rop_set_read_flags *rq = call->fields;

    if (failed(op->err)) {
        end_set_read(&r->set);
        places_done(&r->places);
        ((struct rop_set_read_flags_reply *)call->reply)->partial = 1;
        return mapi_ec_of(op->err);
    }
    if (rq->flags & READ_CLEAR)
        uidset_clear(&r->set.changed); /* that they are unread is nothing to tell */
    uint32_t ec =
        mapi_receipts(call, receipts_of(rq->flags), r->set.fid, &r->set.changed, read_next);
    end_set_read(&r->set);
    return ec;
}

static uint32_t read_next(struct rop_call *call)
{
    const struct rop_set_read_flags *rq = call->fields;
    struct reading *r = call->state;

    for (; r->at < SHADOW_COUNT; r->at++) {
        struct uidset *uids = &r->places.uids[r->at];

        if (uids->n == 0)
            continue;
        begin_set_read(&r->set, r->places.fids[r->at++], uids, rq->flags);
        return rop_submit(call, call->logon->mailbox, &r->set.op, read_done);
    }
    places_done(&r->places);
    return EC_SUCCESS;
}

/* Of messages that stay as they are: those of one place after the other, then what else there is.
 */
static uint32_t receipts_next(struct rop_call *call)
{
    const struct rop_set_read_flags *rq = call->fields;
    struct reading *r = call->state;

    if (r->at < SHADOW_COUNT) {
        size_t at = r->at++;

        return mapi_receipts(call, receipts_of(rq->flags), r->places.fids[at], &r->places.uids[at],
                             receipts_next);
    }
    if (rq->flags & READ_CLEAR_NOTIFY)
        return clear_notifications(call, r, rq->flags);
    places_done(&r->places);
    return EC_SUCCESS;
}

/* No ids: the messages of the folder, all of them. */
static uint32_t find_all_of_folder(struct rop_call *call, struct places *out)
{
    struct store_folder folder;
    struct store_read *rd;
    struct store_view *view;
    uint32_t ec = rop_read(call, &rd);

    if (ec)
        return ec;
    ec = mapi_ec_of(store_folder_get(rd, folder_of(call->object), &folder));
    if (!ec)
        ec = mapi_ec_of(store_view_open(rd, folder.fid, &view));
    if (!ec) {
        out->fids[SHADOW_NONE] = folder.fid;
        uidset_copy(&out->uids[SHADOW_NONE], store_view_uids(view));
        store_view_close(view);
    }
    store_read_end(rd);
    return ec;
}

uint32_t rop_do_set_read_flags(struct rop_call *call)
{
    const struct rop_set_read_flags *rq = call->fields;
    struct rop_set_read_flags_reply *reply = call->reply;
    struct reading *r = arena_alloc(call->arena, sizeof *r);
    uint32_t ec = check_read_flags(rq->flags);

    if (!ec)
        ec = may(call, call->object, RIGHT_EDIT_ANY);
    if (!ec)
        ec = rq->messages.n ? find_places(call, &rq->messages, &r->places)
                            : find_all_of_folder(call, &r->places);
    if (ec) {
        reply->partial = 1;
        return ec;
    }
    call->state = r;
    reply->partial = r->places.missing;
    if (rq->flags & (READ_RECEIPT_ONLY | READ_CLEAR_NOTIFY_READ))
        return receipts_next(call);
    return rq->flags & READ_CLEAR_NOTIFY ? clear_notifications(call, r, rq->flags)
                                         : read_next(call);
}

/* ---- the read flag of a message that is open ---- */

/* Of one that is not stored it is a property like others. */
static uint32_t set_read_in_memory(struct rop_call *call, struct mapi_message *m, uint8_t flags)
{
    struct rop_set_message_read_reply *reply = call->reply;
    const struct held_prop *held = held_find(&m->body.props, prop_id(PR_MESSAGE_FLAGS));
    int64_t before = MESSAGE_READ | MESSAGE_UNSENT;
    int64_t after;

    if (held && held->value)
        before = held_get(held).value.number;
    after = flags & READ_CLEAR_NOTIFY ? before & ~(int64_t)flags_to_clear(flags)
            : flags & READ_CLEAR      ? before & ~(int64_t)MESSAGE_READ
                                      : before | MESSAGE_READ;
    if (after == before)
        return EC_SUCCESS;
    if (!m->writable)
        return EC_ACCESS_DENIED;
    reply->changed = ((before ^ after) & MESSAGE_READ) != 0;
    return held_set_number(&m->body.props, PR_MESSAGE_FLAGS, after);
}

/* What it has now that this was set is what the next save begins with. */
static uint32_t take_change_number(struct rop_call *call)
{
    struct mapi_message *m = message_of(call->object);
    struct message_row row;
    struct store_read *rd;
    uint64_t fid;
    uint32_t uid;

    if (rop_read(call, &rd))
        return EC_SUCCESS;
    if (!failed(store_message_by_mid(rd, m->mid, &fid, &uid)) &&
        !failed(store_message(rd, fid, uid, &row)))
        m->cn = row.cn;
    store_read_end(rd);
    return EC_SUCCESS;
}

static uint32_t notify_set(struct rop_call *call, struct store_op *op)
{
    return failed(op->err) ? mapi_ec_of(op->err) : take_change_number(call);
}

static uint32_t read_set(struct rop_call *call, struct store_op *op)
{
    const struct rop_set_message_read *rq = call->fields;
    struct rop_set_message_read_reply *reply = call->reply;
    struct store_set_flags *set = call->state;
    uint32_t ec = mapi_ec_of(op->err);

    reply->changed = uidset_count(&set->changed) > 0;
    if (!ec && reply->changed && !(rq->flags & READ_CLEAR))
        ec = mapi_receipts(call, receipts_of(rq->flags), set->fid, &set->changed,
                           take_change_number);
    end_set_read(set);
    return ec;
}

static uint32_t clear_notification(struct rop_call *call, struct mapi_message *m, uint8_t flags)
{
    struct store_object *object;
    struct store_prop prop;
    struct store_read *rd;
    uint32_t ec = rop_read(call, &rd);

    if (ec)
        return ec;
    ec = message_object(call, rd, m, &object);
    if (!ec)
        ec = mapi_ec_of(store_object_get(object, PR_MESSAGE_FLAGS, &prop));
    store_read_end(rd);
    if (ec || !(prop.value.number & flags_to_clear(flags)))
        return ec;
    struct setting *s = setting_of(call, m->mid, PR_MESSAGE_FLAGS,
                                   prop.value.number & ~(int64_t)flags_to_clear(flags));
    return rop_submit(call, call->logon->mailbox, &s->set.op, notify_set);
}

/* Behind the receipts: its own notifications. */
static uint32_t after_receipt(struct rop_call *call)
{
    const struct rop_set_message_read *rq = call->fields;
    uint32_t ec = take_change_number(call);

    if (ec || !(rq->flags & READ_CLEAR_NOTIFY))
        return ec;
    return clear_notification(call, message_of(call->object), rq->flags);
}

/* Where the message is now: its folder, and its UID alone in `uids`. */
static uint32_t find_stored(struct rop_call *call, const struct mapi_message *m, uint64_t *fid,
                            struct uidset *uids)
{
    struct store_read *rd;
    uint32_t ec = rop_read(call, &rd), uid = 0;

    if (ec)
        return ec;
    struct err e = store_message_by_mid(rd, m->mid, fid, &uid);
    store_read_end(rd);
    if (failed(e))
        return e.code == ERR_NOT_FOUND ? EC_OBJECT_DELETED : mapi_ec_of(e);
    uidset_add(uids, uid, uid);
    return EC_SUCCESS;
}

static uint32_t settle_receipt(struct rop_call *call, struct mapi_message *m,
                               enum mapi_mail_task task)
{
    struct uidset uids = UIDSET_EMPTY;
    uint64_t fid = 0;
    uint32_t ec = find_stored(call, m, &fid, &uids);

    if (ec)
        return ec;
    ec = mapi_receipts(call, task, fid, &uids, after_receipt);
    uidset_done(&uids);
    return ec;
}

static uint32_t set_stored_read(struct rop_call *call, struct mapi_message *m, uint8_t flags)
{
    struct store_set_flags *set = arena_alloc(call->arena, sizeof *set);
    struct uidset uids = UIDSET_EMPTY;
    uint64_t fid = 0;
    uint32_t ec = find_stored(call, m, &fid, &uids);

    if (ec)
        return ec;
    begin_set_read(set, fid, &uids, flags);
    uidset_done(&uids);
    call->state = set;
    return rop_submit(call, call->logon->mailbox, &set->op, read_set);
}

uint32_t rop_do_set_message_read(struct rop_call *call)
{
    const struct rop_set_message_read *rq = call->fields;
    struct mapi_message *m = message_of(call->object);
    uint32_t ec = check_read_flags(rq->flags);

    if (ec)
        return ec;
    if (!message_is_stored(m))
        return rq->flags & READ_RECEIPT_ONLY ? EC_SUCCESS : set_read_in_memory(call, m, rq->flags);
    ec = mapi_require(call, m->fid, RIGHT_EDIT_ANY | RIGHT_OWNER, EC_ACCESS_DENIED);
    if (ec)
        return ec;
    if (rq->flags & (READ_RECEIPT_ONLY | READ_CLEAR_NOTIFY_READ))
        return settle_receipt(call, m, receipts_of(rq->flags));
    return rq->flags & READ_CLEAR_NOTIFY ? clear_notification(call, m, rq->flags)
                                         : set_stored_read(call, m, rq->flags);
}

/* ---- deleting ---- */

struct deleting {
    struct store_delete_messages rq;
    uint64_t *mids, *deleted_mids; /* of the folder; of what was soft-deleted there before */
    size_t n, n_deleted;
    uint64_t deleted_fid;
    struct uidset uids; /* of `mids`, without associated messages */
    bool hard;
};

/* Their reply has one field: PartialCompletion. */
static void set_partial(struct rop_call *call)
{
    ((struct rop_delete_messages_reply *)call->reply)->partial = 1;
}

static uint32_t deleted(struct rop_call *call, struct store_op *op);

static uint32_t submit_delete(struct rop_call *call, struct deleting *d, uint64_t fid,
                              const uint64_t *mids, size_t n, bool hard)
{
    store_delete_messages_init(&d->rq);
    d->rq.fid = fid;
    d->rq.mids = mids;
    d->rq.n = n;
    d->rq.hard = hard;
    return rop_submit(call, call->logon->mailbox, &d->rq.op, deleted);
}

/* What was soft-deleted before is deleted for good. */
static uint32_t delete_deleted(struct rop_call *call, struct deleting *d)
{
    size_t n = d->n_deleted;

    d->n_deleted = 0;
    return submit_delete(call, d, d->deleted_fid, d->deleted_mids, n, true);
}

static uint32_t deleted(struct rop_call *call, struct store_op *op)
{
    struct deleting *d = call->state;

    if (failed(op->err) || d->rq.gone > 0)
        set_partial(call);
    if (failed(op->err))
        return mapi_ec_of(op->err);
    return d->n_deleted ? delete_deleted(call, d) : EC_SUCCESS;
}

static void sort_mids(struct rop_call *call, struct store_read *rd, const struct rop_ids *ids,
                      bool hard, struct deleting *d)
{
    d->mids = arena_array(call->arena, ids->n, sizeof *d->mids);
    d->deleted_mids = arena_array(call->arena, ids->n, sizeof *d->deleted_mids);
    for (size_t i = 0; i < ids->n; i++) {
        struct message_place place;
        uint64_t mid;

        if (rop_counter(ids->items[i], &mid) ||
            message_locate(rd, folder_of(call->object), mid, &place)) {
            set_partial(call);
        } else if (place.shadow != SHADOW_DELETED) {
            d->mids[d->n++] = mid;
            if (place.shadow == SHADOW_NONE)
                uidset_append_unordered(&d->uids, place.uid, place.uid);
        } else if (hard) {
            d->deleted_fid = place.fid;
            d->deleted_mids[d->n_deleted++] = mid;
        }
    }
    uidset_normalize(&d->uids);
}

static uint32_t delete_now(struct rop_call *call)
{
    struct deleting *d = call->state;

    uidset_done(&d->uids);
    if (d->n)
        return submit_delete(call, d, folder_of(call->object), d->mids, d->n, d->hard);
    return d->n_deleted ? delete_deleted(call, d) : EC_SUCCESS;
}

/* Those who asked are told first of what was never read, for then it is gone. */
static uint32_t delete_messages(struct rop_call *call, const struct rop_ids *ids, bool hard,
                                bool notify)
{
    struct deleting *d = arena_alloc(call->arena, sizeof *d);
    struct store_read *rd;
    uint32_t ec = may(call, call->object, RIGHT_DELETE_ANY);

    if (!ec)
        ec = rop_read(call, &rd);
    if (ec) {
        set_partial(call);
        return ec;
    }
    d->hard = hard;
    sort_mids(call, rd, ids, hard, d);
    store_read_end(rd);
    call->state = d;
    if (!notify)
        return delete_now(call);
    return mapi_receipts(call, MAPI_MAIL_UNREAD, folder_of(call->object), &d->uids, delete_now);
}

uint32_t rop_do_delete_messages(struct rop_call *call)
{
    const struct rop_delete_messages *rq = call->fields;

    return delete_messages(call, &rq->messages, false, rq->notify);
}

uint32_t rop_do_hard_delete_messages(struct rop_call *call)
{
    const struct rop_hard_delete_messages *rq = call->fields;

    return delete_messages(call, &rq->messages, true, rq->notify);
}

/* ---- moving and copying ---- */

struct moving {
    struct places places;
    struct store_copy copy;
    size_t at;
};

static uint32_t move_next(struct rop_call *call);

static uint32_t moved(struct rop_call *call, struct store_op *op)
{
    struct moving *m = call->state;
    bool some_gone = uidset_count(&m->copy.source) < uidset_count(&m->copy.uids);

    uidset_done(&m->copy.source);
    uidset_done(&m->copy.uids);
    if (failed(op->err) || some_gone)
        set_partial(call);
    if (!failed(op->err))
        return move_next(call);
    places_done(&m->places);
    return mapi_ec_of(op->err);
}

/* An associated message stays one; what was soft-deleted is recovered ([MS-OXCFOLD] 3.1.4.6). */
static uint32_t move_next(struct rop_call *call)
{
    const struct rop_move_messages *rq = call->fields;
    struct moving *m = call->state;

    for (; m->at < SHADOW_COUNT; m->at++) {
        struct uidset *uids = &m->places.uids[m->at];

        if (uids->n == 0)
            continue;
        store_copy_init(&m->copy);
        m->copy.from = m->places.fids[m->at];
        m->copy.to = folder_of(call->dest);
        m->copy.associated = m->at == SHADOW_ASSOCIATED;
        m->copy.move = !rq->copy;
        uidset_copy(&m->copy.uids, uids);
        m->at++;
        return rop_submit(call, call->logon->mailbox, &m->copy.op, moved);
    }
    places_done(&m->places);
    return EC_SUCCESS;
}

static uint32_t check_target(struct rop_call *call)
{
    struct store_folder folder;
    struct store_read *rd;
    uint32_t ec = rop_read(call, &rd);

    if (ec)
        return ec;
    ec = mapi_ec_of(store_folder_get(rd, folder_of(call->dest), &folder));
    store_read_end(rd);
    return !ec && folder.search ? EC_SEARCH_FOLDER : ec;
}

uint32_t rop_do_move_messages(struct rop_call *call)
{
    const struct rop_move_messages *rq = call->fields;
    struct moving *m = arena_alloc(call->arena, sizeof *m);
    uint32_t ec = check_target(call);

    if (!ec)
        ec = may(call, call->dest, RIGHT_CREATE);
    if (!ec)
        ec = may(call, call->object, RIGHT_READ_ANY);
    if (!ec && !rq->copy)
        ec = may(call, call->object, RIGHT_DELETE_ANY);
    if (!ec)
        ec = find_places(call, &rq->messages, &m->places);
    if (ec) {
        set_partial(call);
        return ec;
    }
    if (m->places.missing)
        set_partial(call);
    call->state = m;
    return move_next(call);
}
