/*
 * props.h - the properties of Logon, Folder, Message and Attachment objects, by one face.
 *
 * Behind it are the store (store_object_*) for log-ons and folders, message.h for messages and
 * attachments, what is told of a log-on alone ([MS-OXCSTOR] 2.2.2.1), and bodies that are made of
 * one another: a message has PidTagBody, PidTagHtml and PidTagRtfCompressed where it has any.
 *
 * Ownership  What is read lives in the call's arena, or in the object until it is changed next.
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_PROPS_H
#define GATEPOST_PROTOCOLS_MAPI_PROPS_H

#include "protocols/mapi/mapi_int.h"

/* An object in a snapshot. */
struct props {
    struct rop_call *call;
    struct mapi_object *object;
    struct store_read *rd;
    struct store_object *stored; /* of a log-on or a folder */
};

/* EC_NOT_FOUND: the folder is gone. On success props_end() it before the operation returns. */
uint32_t props_begin(struct rop_call *call, struct mapi_object *object, struct props *out);
void props_end(struct props *props);

/*
 * One property. PROP_UNSPECIFIED asks for any type; String8 and String are the same here, and the
 * answer's type is PROP_STRING. EC_NOT_FOUND: it has none of that id, or of another type.
 */
uint32_t props_get(struct props *props, uint32_t tag, struct store_prop *out);
/* All that it has, without those that would have to be made. */
uint32_t props_list(struct props *props, struct store_prop **out, size_t *n);
/* A large value as one in memory. EC_NOT_ENOUGH_MEMORY: it has more than `max` bytes. */
uint32_t props_load(struct props *props, struct store_prop *prop, uint64_t max);

/*
 * Change an object: of a log-on or a folder it is stored now, of a message or an attachment when
 * that is saved ([MS-OXCPRPT] 3.2.5.4). `then` gets the code of it all, and finds what could not be
 * done in the changes; it returns the operation's code. Returns that, or ROP_PENDING.
 */
struct props_change {
    struct mapi_object *object;
    struct store_prop_change *changes; /* live until `then` */
    size_t n;
    uint32_t (*then)(struct rop_call *call, struct props_change *change, uint32_t ec);
    /* props.c's */
    struct store_set_props set;
    struct store_prop_change *stored; /* those for the store */
    size_t *places;                   /* and where each stands in `changes` */
};
uint32_t props_change(struct rop_call *call, struct props_change *change);

/* How its PtypString8 is written: a message has a code page of its own. */
struct value_form props_form(const struct rop_call *call, const struct mapi_object *object);

/* What a problem is to a client ([MS-OXCDATA] 2.4.2); EC_SUCCESS: there is none. */
uint32_t props_problem(const struct store_prop_change *change);

/* May its properties be changed? EC_ACCESS_DENIED. */
uint32_t props_may_change(struct rop_call *call, struct mapi_object *object);

/* ---- operations that rop_property.c does not have itself ---- */

/* rop_named.c */
uint32_t mapi_ids_of_names(struct rop_call *call);
uint32_t mapi_names_of_ids(struct rop_call *call);
uint32_t mapi_query_named(struct rop_call *call);

/* ---- what is written to streams (rop_stream.c) ---- */

/*
 * What was written to the streams of a message or an attachment and not committed becomes its
 * own: it is seen by the same handle at once, and saved with the rest (3.2.5.13).
 */
uint32_t streams_flush(struct rop_call *call, struct mapi_object *of);
/* Of a folder it is seen by the same handle, and stored when it is committed or released. */
bool streams_get(const struct mapi_object *of, uint32_t tag, struct store_prop *out);

/* rop_copy.c: between objects of one kind */
enum { MAPI_COPIED = MAPI_FOLDER | MAPI_MESSAGE | MAPI_ATTACHMENT };
uint32_t mapi_copy_properties(struct rop_call *call);
uint32_t mapi_copy_to(struct rop_call *call);

#endif
