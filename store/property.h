/*
 * property.h - the mailbox, its folders and messages as MAPI objects: typed properties by tag.
 *
 * A property of an object comes of one of three places, in this order:
 *  - computed: answered from the row, the folder or the mailbox (PidTagMessageFlags, PidTagMid,
 *    PidTagChangeKey ...). Most cannot be set; of some a part can, and goes where it belongs:
 * mfRead is \Seen, PidTagFlagStatus \Flagged, PidNameKeywords the keywords. So a flag is one fact,
 * and no copy of it can go stale.
 *  - explicit: in the object's bag, which holds what was set. It wins over what is derived.
 *  - derived: of a delivered message's bytes, when it is asked for ([MS-OXCMAIL], mapi/oxcmail.h).
 *    A message that was made of properties (store_save_message) has none derived.
 *
 * An object is named by one number: FIDs and MIDs are values of the same counter, and STORE_OBJECT_
 * MAILBOX is the mailbox itself. Properties are told apart by their 16-bit id: setting one replaces
 * that of the same id, whatever its type. PtypString8 is kept as PtypString (mapi/prop.h).
 *
 * Limits     STORE_BAG_MAX bytes in a bag, STORE_BAG_BLOBS large values on an object with all that
 *            hangs on it, STORE_CONTENT_MAX bytes of recipients and attachments without those
 *            values, STORE_CONTENT_DEPTH messages in one another, and as many names of properties
 *            as there are ids for them (0x8000 to 0xFFFE).
 * Ownership  What a read returns lives in the arena that was given, or dies with the read.
 */
#ifndef GATEPOST_STORE_PROPERTY_H
#define GATEPOST_STORE_PROPERTY_H

#include "store/mapi/prop.h"
#include "store/store.h"

enum {
    STORE_OBJECT_MAILBOX = 0,
    STORE_PROP_INLINE = 4096, /* text and binary values beyond this are kept as blobs */
    STORE_BAG_MAX = 512 * 1024,
    STORE_BAG_BLOBS = 1000,
    STORE_CONTENT_MAX = 16 * 1024 * 1024,
    STORE_CONTENT_DEPTH = 32,
};

/* A property of an object. */
struct store_prop {
    uint32_t tag;
    bool large; /* the value is a blob: `value` is empty, store_blob_piece() reads it */
    struct prop_value value; /* else */
    uint64_t blob, len;
    struct store_prepared *prepared; /* in requests: a large value that is new */
};

struct store_props {
    const struct store_prop *items;
    size_t n;
};

/* An attachment; its data is PR_ATTACH_DATA, or a message that is embedded. */
struct store_attachment {
    struct store_props props;
    const struct store_content *embedded; /* NULL: none */
};

/* What hangs on a message ([MS-OXCMSG] 2.2.3, 2.2.2). */
struct store_content {
    struct store_props props; /* of an embedded message; of the others they are the object's */
    const struct store_props *recipients;
    size_t n_recipients;
    const struct store_attachment *attachments;
    size_t n_attachments;
};

/* ---- names of properties ([MS-OXCPRPT] 2.2.12) ---- */

/*
 * The name of a property with an id from 0x8000 on. Names are compared exactly, but those of
 * PS_INTERNET_HEADERS, which are names of header fields, are kept in lower case ([MS-OXCMAIL]
 * 2.1.3.2). A LID of PS_MAPI below 0x8000 is its own id and is not kept.
 */
struct store_prop_name {
    uint8_t guid[16]; /* as on the wire */
    bool by_string;
    uint32_t lid;      /* where it is not by_string */
    struct slice name; /* UTF-8, at most 126 units of UTF-16 */
};

extern const uint8_t store_ps_mapi[16], store_ps_public_strings[16], store_ps_internet_headers[16],
    store_ps_common[16];

/* ERR_NOT_FOUND: it has no id. */
struct err store_named_id(struct store_read *rd, const struct store_prop_name *name,
                          uint16_t *id) MUST_USE;
struct err store_named_name(struct store_read *rd, uint16_t id, struct arena *in,
                            struct store_prop_name *out) MUST_USE;
/* All that the mailbox has, in the order of their ids: the first has id 0x8000. */
struct err store_named_all(struct store_read *rd, struct arena *in, struct store_prop_name **out,
                           size_t *n) MUST_USE;

/*
 * The ids of names, made where there are none. They are the mailbox's for ever. A name that cannot
 * have one (malformed, or no id is left) gets 0.
 */
struct store_name_props {
    struct store_op op;
    const struct store_prop_name *names; /* must live until done */
    size_t n;
    uint16_t *ids; /* out: the caller's, n of them */
    bool full;     /* out: one got none because no id is left */
};
void store_name_props_init(struct store_name_props *rq);

/* ---- reading ---- */

enum store_object_kind { OBJECT_MAILBOX = 1, OBJECT_FOLDER = 2, OBJECT_MESSAGE = 4 };

/* An object in a snapshot: what is computed, its bag, and where needed what is derived. */
struct store_object;

/* ERR_NOT_FOUND: there is no folder or message of this id. */
struct err store_object_open(struct store_read *rd, uint64_t id, struct arena *in,
                             struct store_object **out) MUST_USE;
/* A message whose row is at hand. */
struct err store_object_open_row(struct store_read *rd, uint64_t fid, const struct message_row *row,
                                 struct arena *in, struct store_object **out) MUST_USE;

enum store_object_kind store_object_kind(const struct store_object *object);
/* Of a message; NULL of others. */
const struct message_row *store_object_row(const struct store_object *object);

/*
 * One property. A tag of type PROP_UNSPECIFIED asks for any type, String8 and String are the same.
 * ERR_NOT_FOUND: the object has none of this id, or it is of another type.
 */
struct err store_object_get(struct store_object *object, uint32_t tag,
                            struct store_prop *out) MUST_USE;
/* All of them, computed ones first. Reads the message where it was delivered. */
struct err store_object_list(struct store_object *object, struct store_prop **out,
                             size_t *n) MUST_USE;
/* Those in the bag alone, in the order of their ids. */
const struct store_prop *store_object_explicit(const struct store_object *object, size_t *n);

/*
 * Recipients and attachments of a message: as they were saved, or derived. Of a delivered message
 * this decodes every attachment.
 */
struct err store_object_content(struct store_object *object, struct store_content *out) MUST_USE;
/* Were the bytes of the message needed, till now: did it take time by its length? */
bool store_object_was_read(const struct store_object *object);
/* Is the message made of properties? */
bool store_object_is_own(const struct store_object *object);

/* Of a large value: as engine_blob_piece(). */
struct err store_blob_piece(struct store_read *rd, uint64_t blob, uint64_t offset, uint64_t most,
                            struct slice *piece) MUST_USE;
/* All of it as a value. ERR_TOO_BIG: it has more than `max` bytes. */
struct err store_prop_load(struct store_read *rd, struct store_prop *prop, uint64_t max,
                           struct arena *in) MUST_USE;

/* ---- changing ---- */

struct store_prop_change {
    struct store_prop prop; /* of a removal only the tag's id counts */
    bool remove;
    /*
     * out: why it was not done; the others are. ERR_DENIED: computed (ecComputed). ERR_INVALID: not
     * a value of that type, not the type of that id, or an id without a name. ERR_UNSUPPORTED: a
     * type that is not stored. ERR_NOT_FOUND: a removal of what is not there. ERR_LIMIT: too many
     * large values or categories; ERR_TOO_BIG: a category that is too long.
     */
    enum err_code problem;
};

/*
 * Set and remove properties of one object, in one batch. A large value that the caller has not
 * prepared is prepared here; many bytes of them off the caller's thread.
 * A change of the read state moves the read state's number alone, \Deleted only the modseq,
 * everything else the change number. What is as it was already is no change.
 * ERR_NOT_FOUND: there is no such object. ERR_CONFLICT: its change number is beyond
 * unchanged_since. ERR_EXISTS: a folder of that PidTagDisplayName is beside it. ERR_TOO_BIG: the
 * bag would be. ERR_QUOTA: large values, and the mailbox is over its quota.
 */
struct store_set_props {
    struct store_op op;
    uint64_t id;
    struct store_prop_change *changes; /* must live until done */
    size_t n;
    bool conditional;
    uint64_t unchanged_since;
    bool changed; /* out */
    /* the store's: */
    struct store_prepared **prepared; /* of each change, or NULL */
    struct err prepare_err;
};
void store_set_props_init(struct store_set_props *rq);

/*
 * Save a message that is made of properties: a new one, or all of one that is there, which keeps
 * its MID and gets a new UID (and UIDL), for its bytes are others (RFC 9051 2.3.1.1). In one batch.
 * PidTagDisplayTo, Cc and Bcc are made of the recipients, if there are any or none of them is
 * named; PidTagSubjectPrefix and PidTagNormalizedSubject of the subject, unless those that are
 * named make it up; and a subject of those two.
 *
 * `changes` are all its properties. Flags and categories among them go to the row; of one that is
 * replaced they stay as they are where no change names them. `prepared` is its RFC 822 form, which
 * IMAP and POP3 give out from now on; NULL: it is made of the properties (mapi/oxcmail_export.h),
 * off the caller's thread where they are large. Large values: as in store_set_props; a large one
 * without `prepared` names a blob that some object has, of the same mailbox. ERR_NOT_FOUND: the
 * folder, or the message that is replaced, is gone. ERR_CONFLICT: its change number is beyond
 * unchanged_since. ERR_TOO_BIG, ERR_LIMIT: see the limits. ERR_INVALID: a value of a recipient or
 * an attachment that is not of its type. ERR_QUOTA, ERR_NO_SPACE. What oxcmail_export() says.
 */
struct store_save_message {
    struct store_op op;
    uint64_t fid;    /* of a new one */
    uint64_t mid;    /* of the one that is replaced; 0: a new one */
    bool associated; /* a new one becomes an associated message of the folder */
    uint64_t
        new_mid; /* of a new one: a number from store_reserve_ids, or 0. ERR_EXISTS: it is used */
    bool conditional;
    uint64_t unchanged_since;
    struct store_prepared *prepared; /* held by the caller until done; or NULL */
    uint64_t internaldate;           /* 0: now, or what it was */
    int16_t zone;
    struct store_prop_change *changes; /* must live until done */
    size_t n;
    const struct store_content *content; /* must live until done; NULL: nothing hangs on it */
    uint64_t saved_mid, cn;              /* out */
    uint32_t uid, uidvalidity;           /* out */
    /* the store's: */
    struct store_prepared **change_prepared; /* of each change, or NULL */
    struct save_content *encoded;
    struct save_made *made;
    struct store_prepared *bytes; /* `prepared`, or what was made */
    struct err prepare_err;
};
void store_save_message_init(struct store_save_message *rq);

#endif
