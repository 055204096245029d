/*
 * mapi_int.h - what the parts of the MAPI front end share: contexts, logons, objects, operations.
 *
 * The way of an Execute: endpoint.c takes an HTTP request apart and finds its session context,
 * execute.c reads the ROP buffer whole, then runs one operation after the other. Each is a function
 * of the table of its group (rop_*.c); what it answers with goes through rop.h. Objects that
 * operations open live in the context and are named by handles.
 *
 * Threads    A context outlives connections, and its requests come on any worker. One Execute runs
 *            in it at a time, on the worker of the connection that brought it: from its beginning
 *            to its end the logons and objects are that worker's alone. What other threads may
 *            touch meanwhile is behind the context's mutex (context.c, notify.c).
 * Turns      Nothing here holds a snapshot (store_read) when it gives the thread back. An operation
 *            that has much to do gives it back every so often: rop_later().
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_INT_H
#define GATEPOST_PROTOCOLS_MAPI_INT_H

#include "protocols/mapi/ec.h"
#include "protocols/mapi/mapi.h"
#include "protocols/mapi/rop.h"
#include "store/mapi/ids.h"
#include "store/property.h"

struct mapi_context; /* context.h */
struct mapi_logon;
struct rop_call;

/* ---- objects ---- */

enum mapi_kind {
    MAPI_LOGON = 1 << 0,
    MAPI_FOLDER = 1 << 1,
    MAPI_MESSAGE = 1 << 2, /* embedded ones too */
    MAPI_ATTACHMENT = 1 << 3,
    MAPI_TABLE = 1 << 4,
    MAPI_STREAM = 1 << 5,
    MAPI_SUBSCRIPTION = 1 << 6,
    MAPI_ANY = 0xFFFF,
    MAPI_WITH_PROPERTIES = MAPI_LOGON | MAPI_FOLDER | MAPI_MESSAGE | MAPI_ATTACHMENT,
};

/*
 * The head of every object. It is released with its parent: that of most is their logon; an
 * attachment or a stream has the object that it is a part of ([MS-OXCROPS] 3.1.5.3).
 */
struct mapi_object {
    enum mapi_kind kind;
    uint32_t handle;
    struct mapi_logon *logon;
    struct mapi_object *parent, *children, *next, **link; /* object.c's */
    /* Its client lets go of it: the last chance for what it did not tell yet. It lives until that
       is done. May be NULL. */
    uint32_t (*released)(struct rop_call *call, struct mapi_object *object);
    void (*free)(struct mapi_object *object); /* the object's memory too; its children
                                                 are gone */
};

struct mapi_logon {
    struct mapi_object object;
    struct mapi_context *context;
    struct mapi_logon *next; /* of the context, by id */
    uint8_t id;              /* LogonId: the client's choice */
    uint8_t flags;
    struct mailbox *mailbox;
    struct mapi_watch *watch; /* watch.c */
    bool owner;               /* it is the mailbox of who logged on */
    char *identity;           /* of the mailbox */
    struct mailbox_info info; /* replica and mailbox GUIDs; its counters are those of the log-on */
};

struct mapi_folder {
    struct mapi_object object;
    uint64_t fid;
    bool deleted; /* opened as a soft-deleted one */
};

/* ---- operations ---- */

/*
 * One operation of an Execute. `fields` is its struct rop_NAME, `reply` its zeroed struct
 * rop_NAME_reply: what it points to lives in `arena` (of the whole Execute).
 */
struct rop_call {
    const struct rop_request *rq;
    const void *fields;
    void *reply;
    struct mapi_context *context;
    struct mapi_logon *logon;   /* of its LogonId; NULL in RopLogon */
    struct mapi_object *object; /* behind InputHandleIndex (SourceHandleIndex) */
    struct mapi_object *dest;   /* behind DestHandleIndex */
    size_t room;                /* bytes that the fields of its response may take */
    struct arena *arena;
    struct executor *home;  /* of this Execute: where answers of the store are to be posted */
    struct mapi *mapi;      /* context.h */
    uint64_t now;           /* when the Execute began */
    struct value_form form; /* the code page of the context */
    void *state;            /* the operation's own */
    uint32_t status;        /* set it, and the whole Execute fails with this StatusCode */
    bool stop;              /* set it, and nothing behind this one is run ([MS-OXCTABL] 3.2.5.9) */
    bool first;             /* of its buffer */
    bool may_give_back;     /* see ROP_GIVE_BACK */
    /* execute.c's */
    uint32_t (*go_on)(struct rop_call *call);
    uint32_t (*then)(struct rop_call *call, struct store_op *op);
    struct store_op *op;
    struct task task;
};

/*
 * Not an error code: the operation is not done yet. It goes on in rop_resume() or in what it gave
 * to rop_submit() and rop_later().
 */
enum { ROP_PENDING = 0x7FFFFFFF };

/*
 * Not an error code either: its answer needs more room than is left here, and it has done nothing.
 * It and all behind it are given back to the client, which sends them again ([MS-OXCROPS] 3.2.4.3).
 * Only where call->may_give_back, and not after it was pending.
 */
enum { ROP_GIVE_BACK = 0x7FFFFFFE };

/* The answer does not fit: no response can hold it, or this one cannot and another may. */
static inline uint32_t rop_no_room(const struct rop_call *call)
{
    return call->may_give_back ? ROP_GIVE_BACK : EC_BUFFER_TOO_SMALL;
}

/* An operation that was pending is done; on its home. */
void rop_resume(struct rop_call *call, uint32_t ec);

/*
 * Give a request to the store. `then` is called with it when it is done, and returns the code of
 * the operation, or ROP_PENDING again; NULL: the code is that of op->err. Returns ROP_PENDING. `op`
 * lives in call->arena or longer.
 */
uint32_t rop_submit(struct rop_call *call, struct mailbox *mailbox, struct store_op *op,
                    uint32_t (*then)(struct rop_call *call, struct store_op *op));

/* Let others have the thread, then go on. Returns ROP_PENDING. */
uint32_t rop_later(struct rop_call *call, uint32_t (*go_on)(struct rop_call *call));

/*
 * Give an object a handle and put it into the table of handles at OutputHandleIndex. `object` has
 * its kind and free; parent NULL: the logon. EC_NOT_ENOUGH_MEMORY: the context has as many as it
 * may, and the object was freed.
 */
uint32_t rop_open(struct rop_call *call, struct mapi_object *object, struct mapi_object *parent);

/*
 * A snapshot of the logon's mailbox; to be ended before the operation returns.
 */
uint32_t rop_read(struct rop_call *call, struct store_read **rd);

/* The counter behind a FID or MID of the wire. EC_NOT_FOUND: it is of another replica. */
uint32_t rop_counter(uint64_t wire_id, uint64_t *counter);

struct rop_handler {
    uint8_t rop;       /* enum rop_id */
    uint16_t on, dest; /* enum mapi_kind: what it works on; dest 0: there is none */
    uint32_t wrong;    /* the code where it is another kind */
    uint16_t room;     /* the operation is begun only where so many bytes are left for the
                          fields of its response; 0: for its fields of a fixed size. */
    uint32_t (*run)(struct rop_call *call);
};

/* The groups: arrays that end with a handler without `run`. Each is of one rop_*.c or more. */
extern const struct rop_handler mapi_logon_handlers[];      /* rop_logon.c */
extern const struct rop_handler mapi_folder_handlers[];     /* rop_folder.c */
extern const struct rop_handler mapi_table_handlers[];      /* rop_table.c */
extern const struct rop_handler mapi_message_handlers[];    /* rop_message.c */
extern const struct rop_handler mapi_property_handlers[];   /* rop_property.c */
extern const struct rop_handler mapi_recipient_handlers[];  /* rop_recipient.c */
extern const struct rop_handler mapi_attachment_handlers[]; /* rop_attachment.c */
extern const struct rop_handler mapi_stream_handlers[];     /* rop_stream.c */
extern const struct rop_handler mapi_notify_handlers[];     /* rop_notify.c */
extern const struct rop_handler mapi_transport_handlers[];  /* rop_transport.c */
extern const struct rop_handler mapi_permission_handlers[]; /* rop_permission.c */
extern const struct rop_handler mapi_search_handlers[];     /* rop_search.c */
extern const struct rop_handler mapi_later_handlers[];      /* rop_later.c */

/* What operations do that are not there: ecNotImplemented, ecNotSupported (rop_later.c). */
uint32_t mapi_not_served(struct rop_call *call);
uint32_t mapi_refused(struct rop_call *call);

/* ---- tables of what is at hand ---- */

/*
 * Open a table over rows that its maker has all in memory, for tables that are small by nature:
 * attachments, permissions, rules. Takes `rows` over, whose props and their values live in its
 * arena. The columns that there are (QueryColumnsAll) are its usual ones and all that a row has.
 */
struct mapi_rows {
    struct arena arena;
    struct prop_list *items;
    size_t n;
    bool searchable; /* RopFindRow and RopRestrict work on it: a table of rules, and no other */
    uint32_t denied; /* what RopQueryRows answers, or EC_SUCCESS */
    const uint32_t *usual; /* columns that rows have, whether there is one or not */
    size_t n_usual;
};
uint32_t mapi_table_open_rows(struct rop_call *call, struct mapi_rows *rows,
                              struct mapi_object *parent);

/* ---- notifications (notify.c) ---- */

/*
 * Put RopNotify for what happened in the context's subscriptions and tables since it was told last,
 * as many as there is room for; true: there are more. During an Execute.
 */
bool mapi_notify_put(struct mapi_context *context, struct buf *out, size_t room,
                     struct arena *arena);

/*
 * Is there something to tell? For NotificationWait, while no Execute runs or beside one: under the
 * context's mutex.
 */
bool mapi_notify_is_pending(struct mapi_context *context);

#endif
