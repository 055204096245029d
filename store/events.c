/* events.c - the change log, read forwards for those who tell others. */
#include "store/events.h"

#include <stdlib.h>

#include "store/store_int.h"

struct store_events {
    struct store_read *rd;
    struct engine_cursor *cursor;
    uint64_t at; /* entries beyond this counter value are still to come */
    bool begun;
};

struct err store_events_open(struct store_read *rd, uint64_t since, bool *complete,
                             struct store_events **out)
{
    const struct mailbox_rec *rec;
    struct err e = read_mailbox_rec(rd, &rec);

    if (failed(e))
        return e;
    *complete = since >= rec->log_floor;
    *out = mem_new(sizeof **out);
    **out = (struct store_events){.rd = rd, .cursor = engine_cursor_open(rd->engine), .at = since};
    return OK;
}

void store_events_close(struct store_events *events)
{
    if (!events)
        return;
    engine_cursor_close(events->cursor);
    free(events);
}

/* A shadow is shown as its owner. One that is gone was swept with all that was in it. */
static struct err find_owner(struct store_read *rd, struct store_event *event)
{
    struct folder_rec rec;
    struct err e = folder_load(rd->engine, event->fid, &rec);

    if (failed(e))
        return e.code == ERR_NOT_FOUND ? OK : e;
    event->hidden = folder_is_deleted(&rec);
    event->associated = rec.shadow == SHADOW_ASSOCIATED;
    if (rec.shadow != SHADOW_NONE)
        event->fid = rec.parent;
    return OK;
}

static struct err find_parent(struct store_read *rd, struct store_event *event)
{
    struct folder_rec rec;
    struct err e = folder_load(rd->engine, event->fid, &rec);

    if (event->parent == 0 && !failed(e))
        event->parent = rec.parent;
    if (event->kind != EVENT_FOLDER_GONE && !failed(e))
        event->hidden = folder_is_deleted(&rec);
    return e.code == ERR_NOT_FOUND ? OK : e;
}

static struct err make_event(struct store_read *rd, uint64_t counter, const struct log_rec *rec,
                             struct store_event *out)
{
    *out = (struct store_event){
        .kind = (enum store_event_kind)rec->kind,
        .cause = rec->cause,
        .first = rec->first,
        .counter = counter,
        .fid = rec->fid,
        .parent = rec->parent,
        .old_fid = rec->old_fid,
        .old_parent = rec->old_parent,
        .mids = rec->mids,
        .old_mids = rec->old_mids,
    };
    return rec->kind <= LOG_EXPUNGED ? find_owner(rd, out) : find_parent(rd, out);
}

/* The next entry of the log. ERR_NOT_FOUND: at the end. */
static struct err next_record(struct store_events *events, uint64_t *counter, struct log_rec *rec)
{
    struct key from = key_id(KEY_LOG, events->at + 1);
    struct slice key, value;
    struct err e = events->begun ? engine_next(events->cursor, &key, &value)
                                 : engine_seek(events->cursor, key_slice(&from), &key, &value);

    events->begun = true;
    if (failed(e))
        return e;
    if (!key_is_id(key, KEY_LOG, counter))
        return ERR(ERR_NOT_FOUND, "the end of the change log");
    return log_rec_decode(value, rec);
}

struct err store_events_next(struct store_events *events, struct store_event *out)
{
    struct log_rec rec;
    uint64_t counter;
    struct err e = next_record(events, &counter, &rec);

    return failed(e) ? e : make_event(events->rd, counter, &rec, out);
}

/* ---- what left a folder ---- */

struct leaving {
    struct store_gone *items;
    size_t n, most;
};

/* UIDs and MIDs of an expunge are in the same order. False: they are too many, or do not pair. */
static bool pair(struct leaving *list, const struct uidset *uids, struct slice mids)
{
    struct store_mid_walk walk = store_mid_walk(mids);
    uint64_t mid;
    uint32_t uid;

    for (uint32_t from = 0; uidset_next(uids, from, &uid); from = uid + 1) {
        if (list->n == list->most || !store_mid_walk_next(&walk, &mid))
            return false;
        list->items[list->n++] = (struct store_gone){uid, mid};
        if (uid == UINT32_MAX)
            break;
    }
    return true;
}

static struct err take_expunged(struct store_events *events, uint64_t counter,
                                const struct log_rec *rec, struct leaving *list, bool *complete)
{
    struct key key = key_tombstone(rec->fid, counter);
    struct uidset uids = UIDSET_EMPTY;
    struct slice value;
    struct err e = engine_get(events->rd->engine, key_slice(&key), &value);

    if (e.code == ERR_NOT_FOUND) {
        *complete = false;
        return OK;
    }
    if (!failed(e))
        e = tombstone_decode(value, &uids);
    if (!failed(e)) {
        uidset_normalize(&uids);
        *complete = *complete && pair(list, &uids, rec->mids);
    }
    uidset_done(&uids);
    return e;
}

struct err store_gone_since(struct store_read *rd, uint64_t fid, uint64_t since, size_t most,
                            struct arena *in, struct store_gone **out, size_t *n, bool *complete)
{
    struct leaving list = {arena_array(in, most + 1, sizeof *list.items), 0, most};
    struct store_events *events;
    struct log_rec rec;
    uint64_t counter;
    struct err e = store_events_open(rd, since, complete, &events);

    if (failed(e))
        return e;
    while (*complete && !failed(e = next_record(events, &counter, &rec)))
        if (rec.kind == LOG_EXPUNGED && rec.fid == fid) {
            e = take_expunged(events, counter, &rec, &list, complete);
            if (failed(e))
                break;
        }
    store_events_close(events);
    if (failed(e) && e.code != ERR_NOT_FOUND)
        return e;
    *out = list.items;
    *n = list.n;
    return OK;
}
