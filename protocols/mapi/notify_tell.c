/*
 * notify_tell.c - what happened, as notifications.
 *
 * An event of the store becomes items: one for each message (two for new mail), then one for its
 * folder; an item goes to each scope that it concerns. Any of them may be the last for which there
 * is room, and where it goes on is in the place.
 */
#include "protocols/mapi/notify.h"
#include "protocols/mapi/rights.h"
#include "store/access.h"
#include "store/events.h"

enum { WORK = 100000 }; /* items and scopes looked at in one go: a millisecond or so */

#define FOLDER_ITEM (1ull << 62) /* behind those of the messages */

/* ---- scopes ---- */

static bool is_in_folder(const struct notify_scope *s, const struct rop_notification *n)
{
    return n->fid == s->fid || n->old_fid == s->fid || n->parent == s->fid ||
           n->old_parent == s->fid;
}

static bool concerns(const struct notify_scope *s, const struct rop_notification *n,
                     uint64_t counter)
{
    if (counter <= s->since)
        return false;
    if (s->whole)
        return true;
    if (s->mid == 0)
        return is_in_folder(s, n);
    return (n->flags & NOTIFY_MESSAGE) && ((n->fid == s->fid && n->mid == s->mid) ||
                                           (n->old_fid == s->fid && n->old_mid == s->mid));
}

static bool put(struct notify_telling *t, const struct notify_scope *s, struct rop_notification *n)
{
    size_t before = t->out->len;

    n->handle = s->handle;
    n->logon = t->source->logon->id;
    rop_notification_put(t->out, n);
    if (!t->out->failed && t->out->len <= t->end)
        return true;
    t->out->failed = false;
    buf_truncate(t->out, before);
    return false;
}

/* False: no more now. `types` 0: whatever a scope has asked for. */
static bool tell_item(struct notify_telling *t, struct rop_notification *n, uint16_t types,
                      uint64_t counter)
{
    struct notify_place *place = &t->place;

    for (const struct notify_scope *s = t->source->scopes; s; s = s->next) {
        bool wanted =
            s->handle > place->handle && (!types || (s->types & types)) && concerns(s, n, counter);

        t->work++;
        t->more = wanted && (!t->out || !put(t, s, n));
        if (t->more)
            return false;
        if (s->handle > place->handle)
            place->handle = s->handle;
    }
    place->item++;
    place->handle = 0;
    t->more = t->work > WORK;
    return !t->more;
}

/* Somebody else than the owner is told of what he may see. */
static bool may_see(struct notify_telling *t, uint64_t fid, uint32_t rights)
{
    const struct mapi_logon *logon = t->source->logon;

    return logon->owner || (mapi_rights(logon, t->rd, fid, t->in) & rights);
}

/* ---- messages ---- */

static uint16_t kind_of(const struct store_event *event)
{
    if (event->kind == EVENT_CHANGED)
        return NOTIFY_MODIFIED;
    if (event->kind == EVENT_GONE)
        return event->cause == CAUSE_NONE ? NOTIFY_DELETED : 0; /* else the target tells */
    switch (event->cause) {
    case CAUSE_MOVED:
        return NOTIFY_MOVED;
    case CAUSE_COPIED:
        return NOTIFY_COPIED;
    case CAUSE_REPLACED:
        return NOTIFY_MODIFIED;
    default:
        return NOTIFY_CREATED;
    }
}

static bool tell_message(struct notify_telling *t, const struct store_event *event, uint16_t kind,
                         uint64_t mid, uint64_t old_mid)
{
    struct rop_notification n = {
        .flags = NOTIFY_MESSAGE | kind,
        .fid = mapi_id(event->fid),
        .mid = mapi_id(mid),
        .old_fid = event->old_fid ? mapi_id(event->old_fid) : 0,
        .old_mid = old_mid ? mapi_id(old_mid) : 0,
    };

    return tell_item(t, &n, kind, event->counter);
}

/* Is it where mail of its class is received? One that is gone already is no news. */
static bool describe_mail(struct notify_telling *t, const struct store_event *event, uint64_t mid,
                          struct rop_notification *n)
{
    struct store_receive_folder folder;
    struct store_object *object;
    struct store_prop class, flags;

    if (failed(store_object_open(t->rd, mid, t->in, &object)) ||
        failed(store_object_get(object, PR_MESSAGE_CLASS, &class)) ||
        failed(store_object_get(object, PR_MESSAGE_FLAGS, &flags)) ||
        failed(store_receive_folder(t->rd, class.value.bytes, t->in, &folder)))
        return false;
    n->class = class.value.bytes;
    n->message_flags = (uint32_t)flags.value.number;
    return folder.fid == event->fid;
}

static bool tell_new_mail(struct notify_telling *t, const struct store_event *event, uint64_t mid)
{
    struct rop_notification n = {
        .flags = NOTIFY_MESSAGE | NOTIFY_NEW_MAIL,
        .fid = mapi_id(event->fid),
        .mid = mapi_id(mid),
    };

    if ((t->source->types & NOTIFY_NEW_MAIL) && describe_mail(t, event, mid, &n))
        return tell_item(t, &n, NOTIFY_NEW_MAIL, event->counter);
    t->place.item++;
    t->place.handle = 0;
    return true;
}

static bool tell_messages(struct notify_telling *t, const struct store_event *event)
{
    struct store_mid_walk mids = store_mid_walk(event->mids);
    struct store_mid_walk old = store_mid_walk(event->old_mids);
    uint16_t kind = kind_of(event);
    bool mail = event->cause == CAUSE_DELIVERED;
    uint64_t item = 0, mid, old_mid = 0;

    if (!(t->source->types & (kind | (mail ? NOTIFY_NEW_MAIL : 0))))
        return true;
    while (store_mid_walk_next(&mids, &mid)) {
        store_mid_walk_next(&old, &old_mid);
        if (item++ >= t->place.item && !tell_message(t, event, kind, mid, old_mid))
            return false;
        if (mail && item++ >= t->place.item && !tell_new_mail(t, event, mid))
            return false;
    }
    return true;
}

/* ---- folders ---- */

/* [MS-OXCNOTIF] 2.2.1.4.1.2: how many messages, and unread ones, where that is what changed. */
static uint16_t counts_of(const struct store_event *event)
{
    if (event->associated || event->cause == CAUSE_REPLACED)
        return 0;
    if (event->kind == EVENT_CHANGED)
        return event->cause == CAUSE_READ ? NOTIFY_HAS_UNREAD : 0;
    return NOTIFY_HAS_TOTAL | NOTIFY_HAS_UNREAD;
}

/* The counts are those of now. */
static bool tell_counts(struct notify_telling *t, const struct store_event *event)
{
    struct rop_notification n = {.flags = NOTIFY_MODIFIED, .fid = mapi_id(event->fid)};
    uint16_t counts = counts_of(event);
    struct store_folder folder;

    if (event->mids.len && !counts)
        return true;
    if (!(t->source->types & NOTIFY_MODIFIED) ||
        failed(store_folder_get(t->rd, event->fid, &folder)))
        return true;
    n.flags |= counts;
    n.total = folder.exists;
    n.unread = folder.unseen;
    return tell_item(t, &n, NOTIFY_MODIFIED, event->counter);
}

static bool tell_in_folder(struct notify_telling *t, const struct store_event *event)
{
    if (event->hidden || !may_see(t, event->fid, RIGHT_READ_ANY | RIGHT_OWNER))
        return true;
    if (t->place.item < FOLDER_ITEM) {
        if (!tell_messages(t, event))
            return false;
        t->place.item = FOLDER_ITEM;
        t->place.handle = 0;
    }
    return t->place.item > FOLDER_ITEM || tell_counts(t, event);
}

static uint16_t kind_of_folder(const struct store_event *event)
{
    if (event->kind == EVENT_FOLDER_GONE)
        return NOTIFY_DELETED;
    if (event->kind == EVENT_FOLDER_NEW)
        return event->cause == CAUSE_COPIED ? NOTIFY_COPIED : NOTIFY_CREATED;
    if (event->cause == CAUSE_SEARCHED)
        return NOTIFY_SEARCH_COMPLETE;
    return event->cause == CAUSE_MOVED ? NOTIFY_MOVED : NOTIFY_MODIFIED;
}

static bool tell_folder(struct notify_telling *t, const struct store_event *event)
{
    uint16_t kind = kind_of_folder(event);
    struct rop_notification n = {.flags = kind, .fid = mapi_id(event->fid)};

    /* The rights on one that is gone went with it. */
    if (event->hidden ||
        !may_see(t, event->kind == EVENT_FOLDER_GONE ? event->parent : event->fid, RIGHTS_SEEING))
        return true;
    if (kind != NOTIFY_MODIFIED && kind != NOTIFY_SEARCH_COMPLETE)
        n.parent = mapi_id(event->parent ? event->parent : SPECIAL_ROOT);
    if (kind & (NOTIFY_MOVED | NOTIFY_COPIED)) {
        n.old_fid = mapi_id(event->old_fid);
        n.old_parent = mapi_id(event->old_parent);
    }
    return t->place.item > 0 || tell_item(t, &n, kind, event->counter);
}

/* ---- what the log has lost ---- */

/* Every folder in which something has changed is modified, to whoever has asked for anything. */
static void tell_missed(struct notify_telling *t)
{
    struct store_folder_entry *all;
    size_t n_all;

    if (!t->place.missed)
        t->place = (struct notify_place){.counter = t->place.counter, .missed = true};
    if (failed(store_folder_list(t->rd, true, t->in, &all, &n_all)))
        return;
    for (size_t i = t->place.item; i < n_all; i = t->place.item) {
        const struct store_folder *folder = &all[i].folder;
        uint64_t changed = folder->modseq > folder->cn ? folder->modseq : folder->cn;
        struct rop_notification n = {
            .flags = NOTIFY_MODIFIED | NOTIFY_HAS_TOTAL | NOTIFY_HAS_UNREAD,
            .fid = mapi_id(folder->fid),
            .total = folder->exists,
            .unread = folder->unseen,
        };

        if (changed <= t->place.counter || !may_see(t, folder->fid, RIGHTS_SEEING))
            t->place.item++;
        else if (!tell_item(t, &n, 0, changed))
            return;
    }
    t->place = (struct notify_place){.counter = t->now};
}

/* ---- all ---- */

static void tell_events(struct notify_telling *t, struct store_events *events)
{
    struct store_event event;

    while (!failed(store_events_next(events, &event))) {
        bool in_folder = event.kind <= EVENT_GONE;

        if (!(in_folder ? tell_in_folder(t, &event) : tell_folder(t, &event)))
            return;
        t->place = (struct notify_place){.counter = event.counter};
        t->more = ++t->work > WORK;
        if (t->more)
            return;
    }
    t->place = (struct notify_place){.counter = t->now};
}

void notify_tell(struct notify_telling *t)
{
    struct store_events *events;
    bool complete;

    t->more = false;
    if (failed(store_events_open(t->rd, t->place.counter, &complete, &events)))
        return;
    if (complete)
        tell_events(t, events);
    else
        tell_missed(t);
    store_events_close(events);
}
