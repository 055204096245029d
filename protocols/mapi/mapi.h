/*
 * mapi.h - the MAPI/HTTP front end ([MS-OXCMAPIHTTP]).
 *
 * Mailboxes by ROPs at /mapi/emsmdb/, the address book at /mapi/nspi/, and Autodiscover
 * ([MS-OXDSCLI]), on the same store, authentication and change log as every other protocol.
 *
 * Threads    A front end is one for all workers. Its sessions live as protocols/session.h says.
 * Ownership  mapi_free() when no session is left and no request to the store is on its way.
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_MAPI_H
#define GATEPOST_PROTOCOLS_MAPI_MAPI_H

#include "protocols/session.h"

/* ---- who there is (the gateway's) ---- */

struct mapi_person {
    struct slice identity;       /* canonical: "alice@example.org" */
    struct slice display_name;   /* at least the identity */
    struct slice address;        /* of its mail */
    const struct slice *aliases; /* further addresses */
    size_t n_aliases;
    uint64_t mailbox_id;
};

/* Reads of accounts: they do not wait, on any thread. What is found lives in the arena. */
struct mapi_directory {
    /* By identity, alias or address, as a log-on would. ERR_NOT_FOUND. */
    struct err (*find)(struct mapi_directory *self, struct slice name, struct arena *in,
                       struct mapi_person *out);
    /* All that are visible, in the order of their identities. */
    struct err (*list)(struct mapi_directory *self, struct arena *in, struct mapi_person **out,
                       size_t *n);
};

/* ---- where mail goes (the gateway's) ---- */

struct mapi_send {
    struct executor *home;
    void (*done)(struct mapi_send *rq);
    void *owner;
    struct slice sender;            /* all live until done */
    const struct slice *recipients; /* addresses */
    size_t n_recipients;
    struct store_prepared *message; /* held */
    struct slice bytes;             /* the message; empty: of `message` */
    struct err err;                 /* out: ERR_UNAVAILABLE: try again. ERR_DENIED: refused.
                                       ERR_NOT_FOUND: a recipient is nobody, and there is no next
                                       hop that might know him */
    char why[256];                  /* out: what the next hop said */
};

struct mapi_transport {
    void (*send)(struct mapi_transport *self, struct mapi_send *rq);
};

/* ---- the front end ---- */

struct mapi_config {
    struct store *store;
    struct mapi_directory *directory;
    struct mapi_transport *transport; /* NULL: nothing can be sent */
    const char *organization;         /* of distinguished names; NULL: "Gatepost" */
    const char *base_url;  /* "https://mail.example.org": of what clients are told to ask;
                              NULL: as they asked */
    uint64_t idle_ms;      /* a context that nobody asks for is dropped; 0: 900,000 */
    uint64_t wait_ms;      /* NotificationWait without news; 0: 300,000 */
    unsigned max_contexts; /* of one user; 0: 100 */
    unsigned max_objects;  /* of one context; 0: 10,000 */
    uint64_t max_memory;   /* of what one context holds unsaved; 0: 256 MiB */
};

struct mapi;

struct mapi *mapi_new(const struct mapi_config *config) MUST_USE;
/* Drop every session: when no connection is left, and the executors still run. */
void mapi_close(struct mapi *mapi);
/* When what it had asked of the executors and the store is done. */
void mapi_free(struct mapi *mapi);

/* env->mapi is not NULL. */
struct session *mapi_session_new(const struct session_env *env) MUST_USE;

#endif
