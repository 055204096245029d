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
    /* Whom a recipient's address means: as LMTP's RCPT takes it, also with +detail. */
    struct err (*find_address)(struct mapi_directory *self, struct slice address, struct arena *in,
                               struct mapi_person *out);
    /* All that are visible, in the order of their identities. */
    struct err (*list)(struct mapi_directory *self, struct arena *in, struct mapi_person **out,
                       size_t *n);
};

/* ---- where mail goes (the gateway's) ---- */

/* What a client asks of the queue of outgoing mail. */
enum mapi_mail_task {
    MAPI_MAIL_SEND,   /* into the queue */
    MAPI_MAIL_ABORT,  /* out of it again */
    MAPI_MAIL_LOCK,   /* the client sends it itself: leave it alone for a while ... */
    MAPI_MAIL_UNLOCK, /* ... or not after all */
    MAPI_MAIL_FILE,   /* the client has sent it: out of the queue, and into Sent Items */
    /* And of receipts: */
    MAPI_MAIL_RECEIPTS,    /* send those that are pending for messages that were read */
    MAPI_MAIL_UNREAD,      /* ... for those that are deleted, and were never read */
    MAPI_MAIL_NO_RECEIPTS, /* they are not wanted any more */
};

struct mapi_mail {
    enum mapi_mail_task task;
    struct executor *home;
    void (*done)(struct mapi_mail *rq);
    void *owner;
    /* which message: all live until done */
    uint64_t mailbox_id, fid, mid; /* mid 0: none, it is a mail of our own */
    uint64_t to;                   /* the folder where it is filed; 0: nowhere */
    const struct uidset *uids;     /* instead of `mid`, of receipts: messages of folder `fid` */
    struct slice identity;         /* of the mailbox; with MAPI_MAIL_SEND and of receipts */
    /* with MAPI_MAIL_SEND */
    struct slice sender;            /* of the envelope; empty: "<>" */
    const struct slice *recipients; /* addresses */
    size_t n_recipients;
    struct slice bytes;
    uint64_t not_before; /* FILETIME; 0: at once */
    bool wants_report;   /* of delivery */
    /*
     * out. ERR_EXISTS: it is in the queue already. ERR_NOT_FOUND: it is not in the queue.
     * ERR_CONFLICT: it is being handed over, or locked. ERR_UNAVAILABLE: the server stops.
     */
    struct err err;
};

struct mapi_transport {
    void (*ask)(struct mapi_transport *self, struct mapi_mail *rq);
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
