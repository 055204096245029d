/* rop_message.c - opening, making and saving messages: [MS-OXCMSG] 2.2.3.1 to 2.2.3.3, 2.2.3.7. */
#include <openssl/rand.h>

#include "protocols/mapi/context.h"
#include "protocols/mapi/message_int.h"
#include "protocols/mapi/nspi_entry.h"
#include "protocols/mapi/props.h"
#include "protocols/mapi/rights.h"
#include "store/mapi/codepage.h"

enum {
    OPEN_READ_WRITE = 0x01, /* OpenModeFlags ([MS-OXCMSG] 2.2.3.1.1); else it is read-only */
    OPEN_BEST = 0x03,
    OPEN_MODES = 0x03,
    OPEN_SOFT_DELETED = 0x04,
    CODEPAGE_OF_LOGON = 0x0FFF,
    SAVE_READ_ONLY = 0x01, /* SaveFlags (2.2.3.3.1) */
    SAVE_FORCE = 0x04,
    MAX_SUBJECT = 255 * 3, /* bytes: [MS-OXCMSG] 2.2.1.10 has at most 255 characters */
    SEARCH_KEY_BYTES = 16,
};

/* ---- what is told when a message is opened ---- */

static struct slice subject_of(struct rop_call *call, struct store_read *rd, struct mapi_message *m,
                               uint32_t tag)
{
    struct store_prop prop;

    if (mapi_message_get(call, rd, &m->object, tag, &prop) || prop.large)
        return SLICE_EMPTY;
    struct slice all = prop.value.bytes;
    size_t n = all.len;

    if (n > MAX_SUBJECT)
        for (n = MAX_SUBJECT; n > 0 && (all.ptr[n] & 0xC0) == 0x80;)
            n--;
    return arena_slice(call->arena, slice_head(all, n));
}

static bool has_named(struct rop_call *call, struct store_read *rd, struct mapi_message *m)
{
    struct store_prop *props;
    size_t n;

    if (mapi_message_list(call, rd, &m->object, &props, &n))
        return false;
    for (size_t i = 0; i < n; i++)
        if (prop_id(props[i].tag) >= 0x8000)
            return true;
    return false;
}

/* What its fields take on the wire before the rows, or a little more. */
static size_t told_size(const struct rop_open_message_reply *told)
{
    enum { FIXED = 1 + 2 * 3 + 2 + 2 + 1 };

    return FIXED + 2 * (told->prefix.len + told->subject.len) + 4 * told->columns.n;
}

static uint32_t tell(struct rop_call *call, struct store_read *rd, struct mapi_message *m,
                     struct rop_open_message_reply *out, size_t room)
{
    struct recipient_view *views;
    size_t n;
    uint32_t ec = message_recipients(call, rd, m, &views, &n);

    if (ec)
        return ec;
    recipients_columns(m, views, n);
    out->has_named = has_named(call, rd, m);
    out->prefix = subject_of(call, rd, m, PR_SUBJECT_PREFIX);
    out->subject = subject_of(call, rd, m, PR_NORMALIZED_SUBJECT);
    out->recipients = n > UINT16_MAX ? UINT16_MAX : (uint16_t)n;
    out->columns.n = m->n_columns;
    out->columns.items = m->columns;
    size_t used = told_size(out);
    ec = recipients_put(call, m, views, n, false, room > used ? room - used : 0, &out->rows);
    /* None fits: the client reads them by ReadRecipients. */
    return ec == EC_BUFFER_TOO_SMALL ? EC_SUCCESS : ec;
}

uint32_t message_tell(struct rop_call *call, struct mapi_message *m,
                      struct rop_open_message_reply *out, size_t room)
{
    struct store_read *rd;
    uint32_t ec = rop_read(call, &rd);

    if (ec)
        return ec;
    ec = tell(call, rd, m, out, room);
    store_read_end(rd);
    return ec;
}

/* ---- OpenMessage ---- */

uint32_t message_codepage(struct rop_call *call, uint16_t id, int *out)
{
    struct slice charset;

    *out = id == CODEPAGE_OF_LOGON ? call->form.codepage : id;
    if (id == CODEPAGE_OF_LOGON || !failed(codepage_charset(id, &charset)))
        return EC_SUCCESS;
    return EC_UNKNOWN_CODEPAGE;
}

uint32_t message_locate(struct store_read *rd, uint64_t folder, uint64_t mid,
                        struct message_place *out)
{
    struct store_folder f;
    struct err e = store_message_by_mid(rd, mid, &out->fid, &out->uid);

    if (!failed(e))
        e = store_folder_get(rd, out->fid, &f);
    if (failed(e))
        return mapi_ec_of(e);
    out->shadow = f.shadow;
    uint64_t its = f.shadow == SHADOW_NONE ? f.fid : f.parent;
    return its == folder ? EC_SUCCESS : EC_NOT_FOUND;
}

/* A search folder shows messages of others. */
static uint32_t locate_open(struct store_read *rd, uint64_t folder, uint64_t mid,
                            struct message_place *out)
{
    struct store_folder f;
    uint32_t ec = mapi_ec_of(store_folder_get(rd, folder, &f));

    if (ec)
        return ec;
    ec = message_locate(rd, folder, mid, out);
    bool elsewhere = ec == EC_NOT_FOUND && f.search;
    if (!elsewhere || failed(store_message_by_mid(rd, mid, &out->fid, &out->uid)))
        return ec;
    return EC_SUCCESS;
}

/* What who logged on may do with it; "best" takes what there is ([MS-OXCMSG] 2.2.3.1.1). */
static uint32_t check_rights(struct rop_call *call, struct store_read *rd, struct mapi_message *m,
                             uint8_t mode)
{
    uint32_t rights = mapi_rights(call->logon, rd, m->fid, call->arena);
    bool edits = rights & (RIGHT_EDIT_ANY | RIGHT_OWNER);

    if (!(rights & (RIGHT_READ_ANY | RIGHT_OWNER)))
        return EC_ACCESS_DENIED;
    if (mode == OPEN_READ_WRITE && !edits)
        return EC_ACCESS_DENIED;
    m->writable = m->writable && edits;
    return EC_SUCCESS;
}

static uint32_t load(struct rop_call *call, struct store_read *rd, struct mapi_message *m)
{
    const struct rop_open_message *rq = call->fields;
    struct message_place place = {.fid = 0};
    struct store_object *object;
    struct store_folder its;
    uint32_t ec = locate_open(rd, m->fid, m->mid, &place);

    if (!ec)
        ec = mapi_ec_of(store_folder_get(rd, place.fid, &its));
    if (!ec && its.shadow == SHADOW_DELETED && !(rq->mode & OPEN_SOFT_DELETED))
        ec = EC_NOT_FOUND;
    if (!ec)
        ec = message_object(call, rd, m, &object);
    if (ec)
        return ec;
    m->fid = its.shadow == SHADOW_NONE ? its.fid : its.parent;
    m->associated = its.shadow == SHADOW_ASSOCIATED;
    m->cn = store_object_row(object)->cn;
    ec = check_rights(call, rd, m, rq->mode & OPEN_MODES);
    return ec ? ec : tell(call, rd, m, call->reply, call->room);
}

static uint32_t check_open(struct rop_call *call, const struct rop_open_message *rq,
                           struct mapi_message *m)
{
    uint8_t mode = rq->mode & OPEN_MODES; /* other bits are ignored */
    uint32_t ec = message_codepage(call, rq->codepage, &m->codepage);

    if (!ec)
        ec = rop_counter(rq->folder, &m->fid);
    if (!ec)
        ec = rop_counter(rq->message, &m->mid);
    m->writable = mode == OPEN_READ_WRITE || mode == OPEN_BEST;
    return ec;
}

static uint32_t open_message(struct rop_call *call)
{
    const struct rop_open_message *rq = call->fields;
    struct mapi_message *m = message_new(call);
    struct store_read *rd;
    uint32_t ec = check_open(call, rq, m);

    if (!ec)
        ec = rop_read(call, &rd);
    if (!ec) {
        ec = load(call, rd, m);
        store_read_end(rd);
    }
    if (!ec)
        return rop_open(call, &m->object, NULL);
    m->object.free(&m->object);
    return ec == EC_OBJECT_DELETED ? EC_NOT_FOUND : ec;
}

static uint32_t reload_message(struct rop_call *call)
{
    struct rop_open_message_reply told = {.has_named = 0};
    struct rop_reload_message_reply *reply = call->reply;
    uint32_t ec = message_tell(call, message_of(call->object), &told, call->room);

    reply->has_named = told.has_named;
    reply->prefix = told.prefix;
    reply->subject = told.subject;
    reply->recipients = told.recipients;
    reply->columns = told.columns;
    reply->rows = told.rows;
    return ec;
}

/* ---- CreateMessage ---- */

static uint32_t set_who(struct rop_call *call, uint32_t name_tag, uint32_t id_tag,
                        struct held_props *to)
{
    struct slice identity = slice_str(call->context->identity), name = identity;
    struct mapi_person person;

    if (!failed(mapi_find_person(call->mapi, identity, call->arena, &person)))
        name = person.display_name;
    uint32_t ec = held_set_bytes(to, name_tag, name);
    return ec ? ec : held_set_bytes(to, id_tag, nspi_person_id(call->mapi, identity, call->arena));
}

uint32_t message_set_modifier(struct rop_call *call, struct held_props *to)
{
    return set_who(call, TAG_LAST_MODIFIER_NAME, TAG_LAST_MODIFIER_ENTRY_ID, to);
}

uint32_t message_initialise(struct rop_call *call, struct mapi_message *m)
{
    uint8_t key[SEARCH_KEY_BYTES];

    if (RAND_bytes(key, sizeof key) != 1)
        return EC_ERROR;
    const struct store_prop initial[] = {
        {.tag = PR_IMPORTANCE, .value.number = 1},
        {.tag = PR_MESSAGE_CLASS, .value.bytes = S("IPM.Note")},
        {.tag = PR_SENSITIVITY, .value.number = 0},
        {.tag = PR_DISPLAY_BCC, .value.bytes = SLICE_EMPTY},
        {.tag = PR_DISPLAY_CC, .value.bytes = SLICE_EMPTY},
        {.tag = PR_DISPLAY_TO, .value.bytes = SLICE_EMPTY},
        {.tag = TAG_TRUST_SENDER, .value.number = 1},
        {.tag = PR_CREATION_TIME, .value.time = call->now},
        {.tag = PR_LAST_MODIFICATION_TIME, .value.time = call->now},
        {.tag = PR_SEARCH_KEY, .value.bytes = slice_of(key, sizeof key)},
        {.tag = PR_LOCAL_COMMIT_TIME, .value.time = call->now},
        {.tag = TAG_MESSAGE_LOCALE, .value.number = call->context->lcid},
        {.tag = TAG_LOCALE, .value.number = call->context->lcid},
        {.tag = TAG_MESSAGE_CODEPAGE, .value.number = m->codepage},
    };
    uint32_t ec =
        held_take(&m->body.props, &(struct store_props){initial, sizeof initial / sizeof *initial});

    if (!ec)
        ec = set_who(call, TAG_CREATOR_NAME, TAG_CREATOR_ENTRY_ID, &m->body.props);
    return ec ? ec : message_set_modifier(call, &m->body.props);
}

static uint32_t check_folder(struct rop_call *call, uint64_t fid)
{
    struct store_folder folder;
    struct store_read *rd;
    uint32_t ec = rop_read(call, &rd);

    if (ec)
        return ec;
    ec = mapi_ec_of(store_folder_get(rd, fid, &folder));
    store_read_end(rd);
    if (!ec && folder.shadow != SHADOW_NONE)
        ec = EC_NOT_FOUND;
    return !ec && folder.search ? EC_SEARCH_FOLDER : ec;
}

/* Nothing is stored, and it has no MessageId, before it is saved (3.2.5.2). */
static uint32_t create_message(struct rop_call *call)
{
    const struct rop_create_message *rq = call->fields;
    struct mapi_message *m = message_new(call);
    uint32_t ec = message_codepage(call, rq->codepage, &m->codepage);

    if (!ec)
        ec = rop_counter(rq->folder, &m->fid);
    if (!ec)
        ec = check_folder(call, m->fid);
    if (!ec)
        ec = mapi_require(call, m->fid, RIGHT_CREATE | RIGHT_OWNER, EC_ACCESS_DENIED);
    m->writable = true;
    m->associated = rq->associated;
    m->body.own_recipients = m->body.own_parts = true;
    if (!ec)
        ec = message_initialise(call, m);
    if (!ec)
        return rop_open(call, &m->object, NULL);
    m->object.free(&m->object);
    return ec;
}

/* ---- SaveChangesMessage ---- */

static uint32_t saved(struct rop_call *call, uint32_t ec)
{
    const struct rop_save_message *rq = call->fields;
    struct rop_save_message_reply *reply = call->reply;
    struct mapi_message *m = message_of(call->object);

    if (ec)
        return ec;
    if (rq->flags & SAVE_READ_ONLY)
        m->writable = false;
    reply->input = call->rq->in;
    reply->message = m->mid ? mapi_id(m->mid) : 0;
    return EC_SUCCESS;
}

/* It becomes that of its attachment, which has to be saved too (3.1.4.3). */
static uint32_t save_embedded(struct rop_call *call, struct mapi_message *m)
{
    if (!m->inside->writable)
        return EC_ACCESS_DENIED;
    struct store_prop changed = {.tag = PR_LAST_MODIFICATION_TIME, .value.time = call->now};
    struct mapi_body *copy;
    uint32_t ec = streams_flush(call, &m->object);

    if (!ec)
        ec = held_set(&m->body.props, &changed);
    if (!ec)
        ec = body_copy(&m->body, &copy);
    if (ec)
        return ec;
    body_free(m->inside->embedded);
    m->inside->embedded = copy;
    return saved(call, EC_SUCCESS);
}

static uint32_t save_message(struct rop_call *call)
{
    const struct rop_save_message *rq = call->fields;
    struct mapi_message *m = message_of(call->object);

    if (!m->writable)
        return EC_ERROR; /* 3.2.5.3 */
    if (m->inside)
        return save_embedded(call, m);
    return message_save(call, m, rq->flags & SAVE_FORCE, saved);
}

enum { OPENED_IN = MAPI_LOGON | MAPI_FOLDER };

const struct rop_handler mapi_message_handlers[] = {
    {ROP_OpenMessage, OPENED_IN, 0, EC_NULL_OBJECT, MESSAGE_ROOM, open_message},
    {ROP_CreateMessage, OPENED_IN, 0, EC_NULL_OBJECT, 0, create_message},
    {ROP_SaveChangesMessage, MAPI_MESSAGE, 0, EC_NULL_OBJECT, 0, save_message},
    {ROP_ReloadCachedInformation, MAPI_MESSAGE, 0, EC_NULL_OBJECT, MESSAGE_ROOM, reload_message},
    {ROP_SetMessageReadFlag, MAPI_MESSAGE, 0, EC_NULL_OBJECT, 0, rop_do_set_message_read},
    {ROP_SetReadFlags, MAPI_FOLDER, 0, EC_NULL_OBJECT, 0, rop_do_set_read_flags},
    {ROP_SetMessageStatus, MAPI_FOLDER, 0, EC_NULL_OBJECT, 0, rop_do_set_message_status},
    {ROP_GetMessageStatus, MAPI_FOLDER, 0, EC_NULL_OBJECT, 0, rop_do_get_message_status},
    {ROP_DeleteMessages, MAPI_FOLDER, 0, EC_NOT_SUPPORTED, 0, rop_do_delete_messages},
    {ROP_HardDeleteMessages, MAPI_FOLDER, 0, EC_NOT_SUPPORTED, 0, rop_do_hard_delete_messages},
    {ROP_MoveCopyMessages, MAPI_FOLDER, MAPI_FOLDER, EC_NOT_SUPPORTED, 0, rop_do_move_messages},
    {.run = NULL},
};
