/*
 * events.h - what happened in a mailbox, in order: its change log as those see it who tell others.
 *
 * An event is what one change did in one folder, and takes the counter values first..counter. What
 * a move did is an event of the target, which has all of it, and one of the source.
 *
 * Ownership  What an event points to lives as long as the read.
 */
#ifndef GATEPOST_STORE_EVENTS_H
#define GATEPOST_STORE_EVENTS_H

#include "store/store.h"

enum store_event_kind {
    EVENT_ARRIVED = 1,
    EVENT_CHANGED = 2, /* flags, keywords or properties */
    EVENT_GONE = 3,
    EVENT_FOLDER_NEW = 4, /* made, copied or recovered */
    EVENT_FOLDER_CHANGED = 5,
    EVENT_FOLDER_GONE = 6,
};

enum store_cause {
    CAUSE_NONE,      /* nothing more is known */
    CAUSE_DELIVERED, /* arrived: new mail */
    CAUSE_MOVED,    /* arrived, folder changed: from old_fid, old_parent. Gone: to another folder */
    CAUSE_COPIED,   /* arrived, folder new: of old_fid */
    CAUSE_REPLACED, /* arrived, gone: the same message, with another content and UID */
    CAUSE_READ,     /* changed: the read state of some of them */
    CAUSE_SEARCHED, /* folder changed: a search was completed, and nothing else */
};

struct store_event {
    enum store_event_kind kind;
    enum store_cause cause;
    uint64_t first, counter;
    uint64_t fid;        /* of messages: the folder that a shadow belongs to */
    bool associated;     /* its messages are */
    bool hidden;         /* of what is soft-deleted: no news to whom sees only the others */
    uint64_t parent;     /* of a folder */
    uint64_t old_fid;    /* where the messages, or the folder, came from */
    uint64_t old_parent; /* of a folder */
    /* As store_event_messages_open() takes them; empty where the entry is of an older version. */
    struct slice mids, old_mids;
};

struct store_events;

/*
 * What happened after the counter value `since`. *complete is false where the log does not reach
 * back so far: then something in between is missing. Close it before the read ends.
 */
struct err store_events_open(struct store_read *rd, uint64_t since, bool *complete,
                             struct store_events **out) MUST_USE;
/* ERR_NOT_FOUND: at the end. */
struct err store_events_next(struct store_events *events, struct store_event *out) MUST_USE;
void store_events_close(struct store_events *events);

/* A message that left a folder. */
struct store_gone {
    uint32_t uid;
    uint64_t mid;
};

/*
 * What left a folder after the counter value `since`, oldest first, in the arena. *complete is
 * false where there are more than `most`, or the log does not know them all any more.
 */
struct err store_gone_since(struct store_read *rd, uint64_t fid, uint64_t since, size_t most,
                            struct arena *in, struct store_gone **out, size_t *n,
                            bool *complete) MUST_USE;

/* The MIDs of an event, in order of the messages' UIDs, without more memory than this. */
struct store_mid_walk {
    struct slice rest;
    uint64_t next, left;
    bool malformed; /* and at its end therefore */
};
struct store_mid_walk store_mid_walk(struct slice mids);
/* False: at the end. */
bool store_mid_walk_next(struct store_mid_walk *walk, uint64_t *mid);

#endif
