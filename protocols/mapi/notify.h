/*
 * notify.h - what a context is to be told ([MS-OXCNOTIF]).
 *
 * Nothing is queued: what happened is read from the change log of the mailbox, beyond the counter
 * value up to which the context was told. So a client that asks for nothing costs nothing, and
 * where the log does not reach back any more it is told which folders have changed.
 *
 * Threads    All of it is under the context's mutex, which these functions take: a NotificationWait
 *            looks while an Execute runs. Tables are the Execute's; of those a NotificationWait
 *            sees what was noted of them when it was told last.
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_NOTIFY_H
#define GATEPOST_PROTOCOLS_MAPI_NOTIFY_H

#include "protocols/mapi/context.h"
#include "protocols/mapi/notification.h"
#include "protocols/mapi/table.h"

/* What a subscription is told of. IDs as on the wire. */
struct notify_scope {
    struct notify_scope *next; /* by handle */
    uint32_t handle;
    uint16_t types; /* enum notify_flag */
    bool whole;     /* the whole mailbox; else a folder, or one message in it: */
    uint64_t fid, mid;
    uint64_t since; /* not of what happened up to this counter value */
};

/* All up to `counter` was told; of the next event the items before `item`, and of that one the
 * scopes up to `handle`. */
struct notify_place {
    uint64_t counter, item;
    uint32_t handle;
    bool missed; /* items are folders: see notify_tell.c */
};

/* A log-on, with what hangs on it. */
struct notify_source {
    struct notify_source *next;
    struct mapi_logon *logon;
    struct notify_scope *scopes, **end;
    uint16_t types; /* that some scope has */
    struct mapi_table_interest *tables;
    size_t n_tables, cap_tables;
    struct notify_place told;
    uint64_t looked; /* no scope and no table is concerned by what came up to here, or: */
    bool pending;    /* there is something to tell */
};

/* Register what is to be told. Takes the scope over. */
void notify_add(struct mapi_logon *logon, struct notify_scope *scope);
void notify_remove(struct mapi_logon *logon, struct notify_scope *scope);
/* The log-on goes. */
void notify_forget(struct mapi_logon *logon);

/* ---- from events to notifications (notify_tell.c), under the mutex ---- */

struct notify_telling {
    struct notify_source *source;
    struct store_read *rd;
    uint64_t now; /* the counter of the mailbox */
    struct notify_place place;
    struct arena *in;
    struct buf *out; /* NULL: is there anything at all? */
    size_t end;      /* so long `out` may be */
    unsigned work;
    bool more; /* out: something is left to tell, or was not looked at */
};

/* Tell the scopes what they have not been told, from t->place on, which moves. */
void notify_tell(struct notify_telling *t);

#endif
