/*
 * rop.h - remote operations as structures: read from requests, written as responses, and the other
 * way round for a client ([MS-OXCROPS] 2.2.1).
 *
 * Each operation of rops.h has a structure for its request, struct rop_NAME, and one for its
 * response, struct rop_NAME_reply, whose members are those of the list there.
 *
 * Threads    Plain memory: any thread.
 * Ownership  What is read lives in the arena of the wire, or points into its bytes.
 * Errors     A request that cannot be read has no end that could be found: nothing behind it in its
 *            buffer can be read either (ecRpcFormat).
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_ROP_H
#define GATEPOST_PROTOCOLS_MAPI_ROP_H

#include "protocols/mapi/recipient.h"
#include "protocols/mapi/rops.h"
#include "protocols/mapi/value.h"

/* ---- what fields are made of ---- */

enum { ROP_FOLDER_IDS = 13, ROP_READ_MORE = 0xBABE };

#define ROP_READ_MOST 0x80000000u /* MaximumByteCount */

struct rop_guid {
    uint8_t bytes[16];
};

/* LongTermID ([MS-OXCDATA] 2.2.1.3.1); the counter's bytes are big-endian on the wire. */
struct rop_long_id {
    struct rop_guid replica;
    uint64_t counter;
};

struct rop_folder_ids {
    uint64_t ids[ROP_FOLDER_IDS];
};

struct rop_long_ids {
    size_t n;
    const struct rop_long_id *items;
};

/* What a client keeps of a public folder: the GUID comes with its first piece. */
struct rop_user_data {
    uint32_t offset;
    struct slice bytes;
    struct rop_guid replica;
};

struct rop_numbers {
    size_t n;
    const uint32_t *items;
};

struct rop_ids {
    size_t n;
    const uint64_t *items;
};

struct rop_property_ids {
    size_t n;
    const uint16_t *items;
};

struct rop_props {
    size_t n;
    const struct prop *items;
};

struct rop_problem {
    uint16_t index;
    uint32_t tag, error;
};

struct rop_problems {
    size_t n;
    const struct rop_problem *items;
};

struct rop_names {
    size_t n;
    const struct property_name *items;
};

/* As many ids as names. */
struct rop_named {
    size_t n;
    const uint16_t *ids;
    const struct property_name *names;
};

struct rop_orders {
    size_t n;
    uint16_t categories, expanded;
    const struct sort_order *items;
};

/* `root` is NULL where there is none; `error` tells why one that is there could not be read. */
struct rop_restriction {
    const struct restriction *root;
    struct slice bytes; /* as it was sent: what is kept of a search folder */
    struct err error;
};

/* Rows in their wire form: a table makes them while there is room. */
struct rop_rows {
    size_t n;
    struct slice bytes;
};

struct rop_recipients {
    struct rop_numbers columns;
    size_t n;
    const struct recipient *items;
};

struct rop_permission {
    uint8_t flags; /* 1 add, 2 modify, 4 remove */
    struct rop_props values;
};

struct rop_permissions {
    size_t n;
    const struct rop_permission *items;
};

struct rop_texts {
    size_t n;
    const struct slice *items;
};

/* OptionsData: a file of help, and its name where there is one. */
struct rop_help {
    struct slice file, name;
};

/*     kind           type in a structure         on the wire */
#define ROP_KINDS(X)                                                                               \
    X(u8, uint8_t, "1 byte")                                                                       \
    X(u16, uint16_t, "2 bytes")                                                                    \
    X(u32, uint32_t, "4 bytes")                                                                    \
    X(i32, int32_t, "4 bytes, signed")                                                             \
    X(u64, uint64_t, "8 bytes")                                                                    \
    X(counter, uint64_t, "6 bytes, big-endian")                                                    \
    X(guid, struct rop_guid, "16 bytes")                                                           \
    X(long_id, struct rop_long_id, "24 bytes: GUID, counter, 2 of padding")                        \
    X(folder_ids, struct rop_folder_ids, "13 folder ids of 8 bytes")                               \
    X(wide, uint8_t, "1 byte: are the texts behind it UTF-16LE")                                   \
    X(text, struct slice, "text with its NUL, 8-bit or UTF-16LE")                                  \
    X(asz, struct slice, "8-bit text with its NUL")                                                \
    X(text16, struct slice, "2 bytes of length, 8-bit text with its NUL")                          \
    X(typed, struct slice, "TypedString")                                                          \
    X(bin16, struct slice, "2 bytes of length, bytes")                                             \
    X(bin32, struct slice, "4 bytes of length, bytes")                                             \
    X(long_ids, struct rop_long_ids, "2 bytes of count, LongTermIDs")                              \
    X(user_data, struct rop_user_data, "4 bytes of offset, then as bin16; a GUID if it is 0")      \
    X(asz_all, struct slice, "8-bit texts")                                                        \
    X(tags, struct rop_numbers, "2 bytes of count, property tags")                                 \
    X(numbers, struct rop_numbers, "2 bytes of count, 4 bytes each")                               \
    X(ids, struct rop_ids, "2 bytes of count, 8 bytes each")                                       \
    X(property_ids, struct rop_property_ids, "2 bytes of count, 2 bytes each")                     \
    X(props, struct rop_props, "2 bytes of count, TaggedPropertyValues")                           \
    X(sized_props, struct rop_props, "2 bytes of size, then as props")                             \
    X(problems, struct rop_problems, "2 bytes of count, PropertyProblems")                         \
    X(names, struct rop_names, "2 bytes of count, PropertyNames")                                  \
    X(named, struct rop_named, "2 bytes of count, property ids, PropertyNames")                    \
    X(orders, struct rop_orders, "three counts of 2 bytes, SortOrders")                            \
    X(restriction, struct rop_restriction, "2 bytes of size, restriction")                         \
    X(row, struct slice, "PropertyRow")                                                            \
    X(rows16, struct rop_rows, "2 bytes of count, PropertyRows")                                   \
    X(rows32, struct rop_rows, "4 bytes of count, PropertyRows")                                   \
    X(recipients, struct rop_recipients, "columns, then rows to modify")                           \
    X(open_rows, struct rop_rows, "1 byte of count, OpenRecipientRows")                            \
    X(read_rows, struct rop_rows, "1 byte of count, ReadRecipientRows")                            \
    X(permissions, struct rop_permissions, "2 bytes of count, PermissionData")                     \
    X(address_types, struct rop_texts, "2 bytes of count, 2 of size, 8-bit texts")                 \
    X(help, struct rop_help, "2 bytes of size, file, and its name where it has one")               \
    X(read_size, uint32_t, "2 bytes; where they are 0xBABE 4 more, which then count")              \
    X(buffer_size, uint16_t, "2 bytes; where they are 0xBABE 2 more, which then count")            \
    X(events, uint16_t, "2 bytes, and one of reserve where they have 0x0400")

enum rop_kind {
#define ROP_KIND_AS_ENUM(kind, type, wire) ROP_KIND_##kind,
    ROP_KINDS(ROP_KIND_AS_ENUM)
#undef ROP_KIND_AS_ENUM
        ROP_KIND_COUNT
};

#define ROP_KIND_AS_TYPE(kind, type, wire) typedef type rop_kind_##kind;
ROP_KINDS(ROP_KIND_AS_TYPE)
#undef ROP_KIND_AS_TYPE

/* ---- the structures ---- */

#define ROP_MEMBER(s, kind, Name, member) rop_kind_##kind member;
#define ROP_MEMBER_IF(s, condition, kind, Name, member) rop_kind_##kind member;
#define ROP_STRUCTS(id, Name, name, head, form, section)                                           \
    struct rop_##name {                                                                            \
        REQUEST_##Name(ROP_MEMBER, ROP_MEMBER_IF, ROP_MEMBER_IF, )                                 \
    };                                                                                             \
    struct rop_##name##_reply {                                                                    \
        RESPONSE_##Name(ROP_MEMBER, ROP_MEMBER_IF, ROP_MEMBER_IF, )                                \
    };
ROPS(ROP_STRUCTS)
#undef ROP_STRUCTS

enum rop_id {
#define ROP_AS_ENUM(id, Name, name, head, form, section) ROP_##Name = id,
    ROPS(ROP_AS_ENUM)
#undef ROP_AS_ENUM
};

/* ---- the table ---- */

/* The indexes behind RopId and LogonId, in this order. */
enum rop_head {
    HEAD_IN,          /* InputHandleIndex */
    HEAD_IN_OUT,      /* InputHandleIndex; OutputHandleIndex */
    HEAD_OUT,         /* OutputHandleIndex */
    HEAD_RESPONSE_IN, /* ResponseHandleIndex; InputHandleIndex */
    HEAD_SOURCE_DEST, /* SourceHandleIndex; DestHandleIndex */
};

/* When a response has its fields ([MS-OXCROPS] 2.2, the forms of each). */
enum rop_form {
    FORM_NONE,         /* there is no response */
    FORM_SUCCESS,      /* on success */
    FORM_ALWAYS,       /* always */
    FORM_DEST,         /* always; DestHandleIndex before them where that handle was the fault */
    FORM_DEST_SUCCESS, /* on success; DestHandleIndex alone where that handle was the fault */
};

struct rop_field {
    const char *name; /* the specification's */
    enum rop_kind kind;
    size_t offset;
    enum { FIELD_ALWAYS, FIELD_IF, FIELD_UNLESS } presence;
    size_t condition; /* the offset of the u8 that decides */
};

struct rop_def {
    uint8_t id;
    const char *name; /* "RopOpenFolder" */
    enum rop_head head;
    enum rop_form form;
    const char *section; /* of [MS-OXCROPS] */
    const struct rop_field *request, *response;
    size_t n_request, n_response;
    size_t request_size, response_size; /* of the structures */
};

extern const struct rop_def rop_defs[];
extern const size_t rop_n_defs;

/* NULL: there is no such operation. */
const struct rop_def *rop_find(uint8_t id);

/* ---- requests ---- */

/* Indexes into the table of handles; those that an operation has not are 0xFF. */
struct rop_request {
    const struct rop_def *def;
    uint8_t logon;
    uint8_t in;         /* InputHandleIndex, SourceHandleIndex */
    uint8_t out;        /* OutputHandleIndex, DestHandleIndex */
    uint8_t answer;     /* the HandleIndex of the response */
    const void *fields; /* struct rop_NAME */
};

/* ERR_SYNTAX: no such operation, or cut short; see above. */
struct err rop_request_read(struct wire *w, const struct value_form *form,
                            struct rop_request *out) MUST_USE;
void rop_request_put(struct buf *out, const struct value_form *form,
                     const struct rop_request *request);

/* ---- responses ---- */

enum { ROP_EC_DEST_NULL_OBJECT = 0x00000503 };

struct rop_response {
    const struct rop_def *def;
    uint8_t handle;     /* HandleIndex */
    uint32_t error;     /* ReturnValue; 0: success */
    uint32_t dest;      /* DestHandleIndex, with ROP_EC_DEST_NULL_OBJECT */
    const void *fields; /* struct rop_NAME_reply; NULL: all zero */
};

/* Columns are those of the rows that are in the response, if any. */
void rop_response_put(struct buf *out, const struct value_form *form,
                      const struct rop_response *response);
struct err rop_response_read(struct wire *w, const struct value_form *form,
                             const struct rop_numbers *columns, struct rop_response *out) MUST_USE;

#endif
