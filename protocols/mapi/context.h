/*
 * context.h - session contexts ([MS-OXCMAPIHTTP] 3.1.1, 3.2.1): what outlives a request.
 *
 * A Connect or a Bind makes one; the cookie that names it is 128 random bits. It belongs to the
 * identity that made it: with any other it is not there.
 *
 * Threads    Every function may be called on any thread. `busy` gives one Execute at a time the
 *            objects of a context; the mutex is for what a NotificationWait and a watch share.
 * Ownership  Counted. What context_find() gives is to be let go of.
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_CONTEXT_H
#define GATEPOST_PROTOCOLS_MAPI_CONTEXT_H

#include <pthread.h>

#include "protocols/mapi/mapi_int.h"

enum mapi_door { MAPI_EMSMDB, MAPI_NSPI };

enum { MAPI_COOKIE_BYTES = 16, MAPI_TICKETS = 16 };

struct mapi_objects { /* by handle: open addressing, a power of two */
    struct mapi_object **slots;
    size_t cap, n;
    uint32_t next; /* the handle of the next one; those below were given */
};

struct mapi_context {
    struct mapi *mapi;
    enum mapi_door door;
    uint8_t cookie[MAPI_COOKIE_BYTES];
    char *identity;
    uint64_t mailbox_id;
    unsigned refs;                           /* of the front end's mutex */
    struct mapi_context *by_cookie;          /* likewise: its chain */
    struct mapi_context *by_user, **by_link; /* likewise: those of the same user, or near */
    struct mapi_context *more, *less;        /* likewise: the list by use */
    uint64_t used_at;                        /* likewise */
    unsigned pending;                        /* likewise: requests under way; it does not idle */
    bool dropped;                            /* likewise */
    /* of the one Execute */
    bool busy;                                   /* of the front end's mutex */
    uint64_t tickets[MAPI_TICKETS], last_ticket; /* likewise: see context_issue() */
    int codepage;
    uint32_t lcid;
    struct mapi_objects objects;
    struct mapi_logon *logons; /* by their LogonIds; most sessions have one */
    uint64_t held;             /* bytes of what is unsaved: context_charge() */
    uint64_t executes; /* how many were begun: what is kept for one is not taken for another's */
    /* shared */
    pthread_mutex_t mutex;
    struct mapi_wait *wait;       /* the NotificationWait, if any */
    struct notify_source *notify; /* what is to be told (notify.h) */
};

/* How a NotificationWait is told: `wake` is called under the context's mutex, on any thread. */
struct mapi_wait {
    void (*wake)(struct mapi_wait *wait);
};

struct mapi_context_want {
    enum mapi_door door;
    struct slice identity;
    uint64_t mailbox_id;
    uint64_t now_ms;
};

/* ERR_LIMIT: the user has as many as one may have. It is held, and pending. */
struct err context_new(struct mapi *mapi, const struct mapi_context_want *want,
                       struct mapi_context **out) MUST_USE;

/* ERR_NOT_FOUND: none of that cookie, door and identity. It is held, and pending. */
struct err context_find(struct mapi *mapi, const struct mapi_context_want *want,
                        const uint8_t cookie[MAPI_COOKIE_BYTES],
                        struct mapi_context **out) MUST_USE;

/* One request less under way in it. */
void context_let_go(struct mapi_context *context, uint64_t now_ms);

/* Nobody finds it any more. */
void context_drop(struct mapi_context *context);

/*
 * Sequence: every response carries a ticket in its cookie, and an Execute uses one up. A request
 * that is sent twice, or out of turn, comes with one that is used up. More than one is good at a
 * time, for the response to a NotificationWait overtakes those of the Executes beside it.
 */
uint64_t context_issue(struct mapi_context *context);

/* Take the objects. ERR_CONFLICT: another Execute has them, or the ticket is none that is good. */
struct err context_begin(struct mapi_context *context, uint64_t ticket) MUST_USE;
void context_end(struct mapi_context *context);

/* Contexts that were idle for too long are dropped. */
void context_sweep(struct mapi *mapi, uint64_t now_ms);

/* What is unsaved grows or shrinks; EC_NOT_ENOUGH_MEMORY: it may not grow so far. */
uint32_t context_charge(struct mapi_context *context, uint64_t bytes);
void context_discharge(struct mapi_context *context, uint64_t bytes);

/* ---- objects (object.c) ---- */

enum handle_state { HANDLE_OPEN, HANDLE_NEVER, HANDLE_RELEASED };

enum handle_state object_find(struct mapi_context *context, uint32_t handle,
                              struct mapi_object **out);
/* EC_NOT_ENOUGH_MEMORY. The object is not freed then. */
uint32_t object_add(struct mapi_context *context, struct mapi_object *object,
                    struct mapi_logon *logon, struct mapi_object *parent);
/* The log-on of that LogonId, or NULL. */
struct mapi_logon *logon_find(const struct mapi_context *context, uint8_t id);
/* There is none of its LogonId. object_release() takes it out again. */
void logon_add(struct mapi_context *context, struct mapi_logon *logon);
/* With all that hang on it. */
void object_release(struct mapi_object *object);
void objects_release_all(struct mapi_context *context);

/* ---- watches (watch.c) ---- */

/* Tell the context of every change in a mailbox, from `home`; until it goes. */
void context_watch(struct mapi_logon *logon, struct executor *home);
void context_unwatch(struct mapi_logon *logon);

/* ---- the front end itself (mapi.c) ---- */

enum { MAPI_BUCKETS = 4096 };

struct mapi {
    struct mapi_config config;
    pthread_mutex_t mutex;
    struct mapi_context *buckets[MAPI_BUCKETS], *users[MAPI_BUCKETS];
    struct mapi_context *oldest, *newest; /* by their last use */
    const struct rop_handler *handlers[256];
    uint8_t server_guid[16];
    struct nspi_shelf *shelf; /* nspi_book.h */
};

/* As directory->find(); where there is no directory nobody is found. */
struct err mapi_find_person(const struct mapi *mapi, struct slice name, struct arena *in,
                            struct mapi_person *out) MUST_USE;

/* "/o=Gatepost/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn=alice@…" */
void mapi_put_dn(const struct mapi *mapi, struct buf *out, struct slice identity);
/* The identity in a name that mapi_put_dn() made, of any organization; empty: it is none. */
struct slice mapi_dn_identity(struct slice dn);

#endif
