/* rop_logon.c - operations on logons: [MS-OXCSTOR]. */
#include <stdlib.h>

#include "base/mem.h"
#include "protocols/mapi/notify.h"
#include "protocols/mapi/rights.h"
#include "store/access.h"

/* ---- RopLogon (3.2.5.1) ---- */

enum logon_flag { LOGON_PRIVATE = 0x01, LOGON_ECHOED = 0x07 }; /* 2.2.1.1.1 */

enum logon_open_flag { OPEN_PER_MDB_REPLIDS = 0x01000000 };

enum logon_response_flag { /* 2.2.1.1.3 */
                           RESPONSE_ALWAYS = 0x01,
                           RESPONSE_OWNER = 0x02,
                           RESPONSE_SEND_AS = 0x04,
                           RESPONSE_OUT_OF_OFFICE = 0x10,
};

enum { FOLDERS_PER_TURN = 500, PR_OUT_OF_OFFICE_STATE = 0x661D000B };

struct logging_on {
    struct store_open_mailbox open;
    struct rop_call *call;
    struct mapi_person person;
    bool owner;
    struct mapi_logon *logon;
    /* of somebody else's mailbox: where he may have rights */
    struct store_folder_entry *folders;
    size_t n, next;
};

static const enum store_special logon_folders[ROP_FOLDER_IDS] = {
    SPECIAL_ROOT,         SPECIAL_DEFERRED_ACTION, SPECIAL_SPOOLER_QUEUE, SPECIAL_IPM_SUBTREE,
    SPECIAL_INBOX,        SPECIAL_OUTBOX,          SPECIAL_SENT,          SPECIAL_TRASH,
    SPECIAL_COMMON_VIEWS, SPECIAL_SCHEDULE,        SPECIAL_SEARCH,        SPECIAL_VIEWS,
    SPECIAL_SHORTCUTS,
};

static void free_logon(struct mapi_object *object)
{
    struct mapi_logon *logon = (struct mapi_logon *)object;

    context_unwatch(logon);
    notify_forget(logon);
    mailbox_close(logon->mailbox);
    free(logon->identity);
    free(logon);
}

/* Whose mailbox it is ([MS-OXCSTOR] 3.2.5.1.1). */
static uint32_t find_person(struct rop_call *call, struct slice essdn, struct mapi_person *out)
{
    struct mapi_context *context = call->context;
    struct slice name = mapi_dn_identity(essdn);

    if (name.len == 0)
        return EC_UNKNOWN_USER;
    if (slice_ieq(name, slice_str(context->identity))) {
        out->identity = slice_str(context->identity);
        out->mailbox_id = context->mailbox_id;
        return EC_SUCCESS;
    }
    struct err e = mapi_find_person(call->mapi, name, call->arena, out);
    if (failed(e))
        return e.code == ERR_NOT_FOUND ? EC_UNKNOWN_USER : EC_LOGIN_FAILURE;
    return EC_SUCCESS;
}

static bool is_out_of_office(struct store_read *rd, struct arena *in)
{
    struct store_object *mailbox;
    struct store_prop prop;

    return !failed(store_object_open(rd, STORE_OBJECT_MAILBOX, in, &mailbox)) &&
           !failed(store_object_get(mailbox, PR_OUT_OF_OFFICE_STATE, &prop)) &&
           prop.value.number != 0;
}

/* LogonTime: seconds, minutes, hours, day of the week, day, month, year ([MS-OXCROPS] 2.2.3.1.2.1).
 */
static uint64_t logon_time(uint64_t now)
{
    struct civil c = civil_from_unix(filetime_to_unix(now));

    return (uint64_t)c.second | (uint64_t)c.minute << 8 | (uint64_t)c.hour << 16 |
           (uint64_t)c.weekday << 24 | (uint64_t)c.day << 32 | (uint64_t)c.month << 40 |
           (uint64_t)c.year << 48;
}

static uint32_t fill_reply(struct rop_call *call, struct mapi_logon *logon, struct store_read *rd)
{
    struct rop_logon_reply *reply = call->reply;
    struct store_folder folder;

    struct err e = store_mailbox_info(rd, &logon->info);
    for (size_t i = 0; i < ROP_FOLDER_IDS && !failed(e); i++) {
        e = store_folder_special(rd, logon_folders[i], &folder);
        if (!failed(e))
            reply->folder_ids.ids[i] = mapi_id(folder.fid);
    }
    if (failed(e))
        return mapi_ec_of(e);
    reply->flags = logon->flags & LOGON_ECHOED;
    reply->response_flags = RESPONSE_ALWAYS;
    if (logon->owner)
        reply->response_flags |= RESPONSE_OWNER | RESPONSE_SEND_AS;
    if (is_out_of_office(rd, call->arena))
        reply->response_flags |= RESPONSE_OUT_OF_OFFICE;
    memcpy(reply->mailbox.bytes, logon->info.mailbox_guid, 16);
    reply->replica_id = MAPI_REPLICA_ID;
    memcpy(reply->replica.bytes, logon->info.replica_guid, 16);
    reply->time = logon_time(call->now);
    return EC_SUCCESS;
}

static uint32_t enter_logon(struct rop_call *call, struct mapi_logon *logon)
{
    struct store_read *rd;

    uint32_t ec = mapi_ec_of(store_read_begin(logon->mailbox, &rd));
    if (!ec) {
        ec = fill_reply(call, logon, rd);
        store_read_end(rd);
    }
    if (ec) {
        free_logon(&logon->object);
        return ec;
    }
    ec = rop_open(call, &logon->object, NULL);
    if (ec)
        return ec;
    logon_add(call->context, logon);
    context_watch(logon, call->home);
    return EC_SUCCESS;
}

static bool has_rights(struct logging_on *st, struct store_read *rd)
{
    for (size_t i = 0; i < FOLDERS_PER_TURN && st->next < st->n; i++)
        if (mapi_rights(st->logon, rd, st->folders[st->next++].folder.fid, st->call->arena))
            return true;
    return false;
}

/* Somebody else logs on who has rights on some folder. */
static uint32_t look_for_rights(struct rop_call *call)
{
    struct logging_on *st = call->state;
    struct store_read *rd;
    bool has = false;

    struct err e = store_read_begin(st->logon->mailbox, &rd);
    if (!failed(e)) {
        if (!st->folders)
            e = store_folder_list(rd, true, call->arena, &st->folders, &st->n);
        has = !failed(e) && has_rights(st, rd);
        store_read_end(rd);
    }
    if (has)
        return enter_logon(call, st->logon);
    if (!failed(e) && st->next < st->n)
        return rop_later(call, look_for_rights);
    free_logon(&st->logon->object);
    return failed(e) ? mapi_ec_of(e) : EC_ACCESS_DENIED;
}

static struct mapi_logon *new_logon(const struct logging_on *st)
{
    const struct rop_call *call = st->call;
    const struct rop_logon *rq = call->fields;
    struct mapi_logon *logon = mem_new(sizeof *logon);

    *logon = (struct mapi_logon){
        .object = {.kind = MAPI_LOGON, .free = free_logon},
        .context = call->context,
        .id = call->rq->logon,
        .flags = rq->flags,
        .mailbox = st->open.mailbox,
        .owner = st->owner,
        .identity = mem_slice_str(st->person.identity),
    };
    return logon;
}

static void on_opened(struct store_open_mailbox *open)
{
    struct logging_on *st = open->owner;
    struct rop_call *call = st->call;

    if (failed(open->err)) {
        rop_resume(call, EC_LOGIN_FAILURE);
        return;
    }
    st->logon = new_logon(st);
    rop_resume(call, st->owner ? enter_logon(call, st->logon) : look_for_rights(call));
}

static uint32_t log_on(struct rop_call *call)
{
    const struct rop_logon *rq = call->fields;
    struct mapi_logon *old = logon_find(call->context, call->rq->logon);
    struct logging_on *st = arena_alloc(call->arena, sizeof *st);

    if (old) /* [MS-OXCROPS] 3.1.4.2 */
        object_release(&old->object);
    /* There are no public folders here ([MS-OXCSTOR] 3.2.5.1.2). */
    if (!(rq->flags & LOGON_PRIVATE))
        return EC_LOGIN_FAILURE;
    if (!(rq->open_flags & OPEN_PER_MDB_REPLIDS))
        return EC_INVALID_PARAMETER; /* 3.2.5.1.3 */
    st->call = call;
    uint32_t ec = find_person(call, rq->essdn, &st->person);
    if (ec)
        return ec;
    st->owner = st->person.mailbox_id == call->context->mailbox_id;
    st->open = (struct store_open_mailbox){
        .mailbox_id = st->person.mailbox_id, .home = call->home, .done = on_opened, .owner = st};
    call->state = st;
    store_mailbox_open(call->mapi->config.store, &st->open);
    return ROP_PENDING;
}

/* ---- receive folders (3.2.5.2 to 3.2.5.4) ---- */

static uint32_t get_receive_folder(struct rop_call *call)
{
    const struct rop_get_receive_folder *rq = call->fields;
    struct rop_get_receive_folder_reply *reply = call->reply;
    struct store_receive_folder found;
    struct store_read *rd;

    if (!store_receive_class_valid(rq->class))
        return EC_INVALID_PARAMETER;
    uint32_t ec = rop_read(call, &rd);
    if (ec)
        return ec;
    struct err e = store_receive_folder(rd, rq->class, call->arena, &found);
    store_read_end(rd);
    if (failed(e))
        return mapi_ec_of(e);
    reply->folder = mapi_id(found.fid);
    reply->class = found.class;
    return EC_SUCCESS;
}

static uint32_t set_receive_folder(struct rop_call *call)
{
    const struct rop_set_receive_folder *rq = call->fields;
    struct store_set_receive_folder *op = arena_alloc(call->arena, sizeof *op);
    uint64_t fid = 0;

    if (!store_receive_class_valid(rq->class))
        return EC_INVALID_PARAMETER;
    if (rq->folder == 0 && rq->class.len == 0)
        return EC_ERROR; /* 3.2.5.3 */
    if (!call->logon->owner)
        return EC_ACCESS_DENIED;
    uint32_t ec = rq->folder ? rop_counter(rq->folder, &fid) : EC_SUCCESS;
    if (ec)
        return ec;
    store_set_receive_folder_init(op);
    op->class = rq->class;
    op->fid = fid;
    return rop_submit(call, call->logon->mailbox, &op->op, NULL);
}

/* PidTagFolderId, PidTagMessageClass as PtypString8, PidTagLastModificationTime
 * ([MS-OXCROPS] 2.2.3.4.2). */
static void put_receive_row(struct buf *out, const struct value_form *form,
                            const struct store_receive_folder *folder)
{
    static const uint32_t columns[] = {PR_FOLDER_ID, PROP_TAG(0x001A, PROP_STRING8),
                                       PR_LAST_MODIFICATION_TIME};
    const struct prop values[] = {
        {columns[0], {.number = (int64_t)mapi_id(folder->fid)}},
        {columns[1], {.bytes = folder->class}},
        {columns[2], {.time = folder->changed}},
    };

    row_put(out, form, columns, 3, values);
}

static uint32_t get_receive_folders(struct rop_call *call)
{
    struct rop_get_receive_folders_reply *reply = call->reply;
    struct store_receive_folder *folders;
    struct buf rows = buf_make(call->room);
    struct store_read *rd;
    size_t n = 0;

    uint32_t ec = rop_read(call, &rd);
    if (ec)
        return ec;
    struct err e = store_receive_folders(rd, call->arena, &folders, &n);
    store_read_end(rd);
    if (failed(e))
        return mapi_ec_of(e);
    for (size_t i = 0; i < n; i++)
        put_receive_row(&rows, &call->form, &folders[i]);
    if (rows.failed)
        ec = EC_BUFFER_TOO_SMALL;
    else
        reply->rows = (struct rop_rows){n, arena_slice(call->arena, buf_slice(&rows))};
    buf_done(&rows);
    return ec;
}

/* ---- ids ---- */

enum { REPLICA_MASK = 0xFFFF };

static uint64_t id_in(uint16_t replica, uint64_t counter)
{
    return (mapi_id(counter) & ~(uint64_t)REPLICA_MASK) | replica;
}

/* Whether there is such an object is not asked (3.2.5.8). */
static uint32_t long_id_from_id(struct rop_call *call)
{
    const struct rop_long_id_from_id *rq = call->fields;
    struct rop_long_id_from_id_reply *reply = call->reply;
    uint16_t replica = (uint16_t)(rq->id & REPLICA_MASK);
    struct store_read *rd;
    uint32_t ec = rop_counter(id_in(MAPI_REPLICA_ID, 0) | (rq->id & ~(uint64_t)REPLICA_MASK),
                              &reply->long_id.counter);

    if (!ec && replica == MAPI_REPLICA_ID) {
        memcpy(reply->long_id.replica.bytes, call->logon->info.replica_guid, 16);
        return EC_SUCCESS;
    }
    if (!ec)
        ec = rop_read(call, &rd);
    if (ec)
        return ec;
    ec = mapi_ec_of(store_replica_guid(rd, replica, reply->long_id.replica.bytes));
    store_read_end(rd);
    return ec;
}

static uint32_t give_id(struct rop_call *call, uint16_t replica)
{
    const struct rop_id_from_long_id *rq = call->fields;
    struct rop_id_from_long_id_reply *reply = call->reply;

    reply->id = id_in(replica, rq->long_id.counter);
    return EC_SUCCESS;
}

static uint32_t on_mapped(struct rop_call *call, struct store_op *op)
{
    if (failed(op->err))
        return op->err.code == ERR_LIMIT ? EC_PARAMETER_OVERFLOW : mapi_ec_of(op->err);
    return give_id(call, ((const struct store_map_replica *)op)->replica);
}

/* A replica that was not seen before gets a number, which is its own for ever. */
static uint32_t map_replica(struct rop_call *call)
{
    const struct rop_id_from_long_id *rq = call->fields;
    struct store_map_replica *op = arena_alloc(call->arena, sizeof *op);
    uint16_t replica;
    struct store_read *rd;
    uint32_t ec = rop_read(call, &rd);

    if (ec)
        return ec;
    struct err e = store_replica_id(rd, rq->long_id.replica.bytes, &replica);

    store_read_end(rd);
    if (!failed(e))
        return give_id(call, replica);
    if (e.code != ERR_NOT_FOUND)
        return mapi_ec_of(e);
    store_map_replica_init(op);
    memcpy(op->guid, rq->long_id.replica.bytes, sizeof op->guid);
    return rop_submit(call, call->logon->mailbox, &op->op, on_mapped);
}

/* 3.2.5.9. A counter of zero is answered with success, as the section has it. */
static uint32_t id_from_long_id(struct rop_call *call)
{
    static const uint8_t none[16];
    const struct rop_id_from_long_id *rq = call->fields;

    if (memcmp(rq->long_id.replica.bytes, none, 16) == 0)
        return EC_INVALID_PARAMETER;
    if (memcmp(rq->long_id.replica.bytes, call->logon->info.replica_guid, 16) == 0)
        return give_id(call, MAPI_REPLICA_ID);
    return map_replica(call);
}

static uint32_t on_reserved(struct rop_call *call, struct store_op *op)
{
    const struct store_reserve_ids *rq = (const struct store_reserve_ids *)op;
    struct rop_get_local_ids_reply *reply = call->reply;

    if (failed(op->err))
        return op->err.code == ERR_LIMIT ? EC_INVALID_PARAMETER : mapi_ec_of(op->err);
    memcpy(reply->replica.bytes, call->logon->info.replica_guid, 16);
    reply->first = rq->first;
    return EC_SUCCESS;
}

/* [MS-OXCFXICS] 3.2.5.9.4.7 */
static uint32_t get_local_ids(struct rop_call *call)
{
    const struct rop_get_local_ids *rq = call->fields;
    struct store_reserve_ids *op = arena_alloc(call->arena, sizeof *op);

    if (rq->n == 0)
        return EC_INVALID_PARAMETER;
    store_reserve_ids_init(op);
    op->n = rq->n;
    return rop_submit(call, call->logon->mailbox, &op->op, on_reserved);
}

/* ---- what only stores of public folders have ---- */

/* 3.2.5.5 */
static uint32_t get_store_state(struct rop_call *call)
{
    (void)call;
    return EC_NOT_IMPLEMENTED;
}

static uint32_t get_owning_servers(struct rop_call *call)
{
    (void)call;
    return EC_NOT_SUPPORTED; /* 3.2.5.6: of a private mailbox */
}

/* No folder of a private mailbox is a ghost (3.2.5.7). */
static uint32_t is_ghosted(struct rop_call *call)
{
    (void)call;
    return EC_SUCCESS;
}

/* ---- what a client knows of public folders (3.2.5.10 to 3.2.5.13): nothing is kept ---- */

/* The list may be empty. */
static uint32_t get_user_long_ids(struct rop_call *call)
{
    (void)call;
    return EC_SUCCESS;
}

static uint32_t get_user_guid(struct rop_call *call)
{
    (void)call;
    return EC_NOT_FOUND;
}

static uint32_t read_user(struct rop_call *call)
{
    struct rop_read_user_reply *reply = call->reply;

    reply->finished = true;
    return EC_SUCCESS;
}

/*
 * DEVIATES: [MS-OXCSTOR] 3.2.5.13 has it kept. It is of folders in a public store, and there is
 * none that a client could have opened.
 */
static uint32_t write_user(struct rop_call *call)
{
    (void)call;
    return EC_NOT_SUPPORTED;
}

/* ---- ids that a client gives up ([MS-OXCFXICS] 3.2.5.9.4.8) ---- */

/* Of those that were reserved none is used by anybody else: there is nothing to be done. */
static uint32_t set_midset_deleted(struct rop_call *call)
{
    const struct rop_set_midset_deleted *rq = call->fields;
    struct wire w = wire_of(rq->ranges, call->arena);
    uint32_t n = wire_u32(&w);

    return !w.failed && w.rest.len == 48ull * n ? EC_SUCCESS : EC_RPC_FORMAT;
}

#define ON_LOGON MAPI_LOGON, 0, EC_NOT_SUPPORTED

/* clang-format off */
const struct rop_handler mapi_logon_handlers[] = {
    {ROP_Logon,                 MAPI_ANY, 0, EC_NOT_SUPPORTED, 0, log_on},
    {ROP_GetReceiveFolder,      ON_LOGON, 8 + 256,                get_receive_folder},
    {ROP_SetReceiveFolder,      ON_LOGON, 0,                      set_receive_folder},
    {ROP_GetReceiveFolderTable, ON_LOGON, 0,                      get_receive_folders},
    {ROP_LongTermIdFromId,      ON_LOGON, 0,                      long_id_from_id},
    {ROP_IdFromLongTermId,      ON_LOGON, 0,                      id_from_long_id},
    {ROP_GetStoreState,         ON_LOGON, 0,                      get_store_state},
    {ROP_GetOwningServers,      ON_LOGON, 0,                      get_owning_servers},
    {ROP_PublicFolderIsGhosted, ON_LOGON, 0,                      is_ghosted},
    {ROP_GetLocalReplicaIds,    ON_LOGON, 0,                      get_local_ids},
    {ROP_GetPerUserLongTermIds, ON_LOGON, 0,                      get_user_long_ids},
    {ROP_GetPerUserGuid,        ON_LOGON, 0,                      get_user_guid},
    {ROP_ReadPerUserInformation,  ON_LOGON, 0,                    read_user},
    {ROP_WritePerUserInformation, ON_LOGON, 0,                    write_user},
    {ROP_SetLocalReplicaMidsetDeleted, MAPI_LOGON | MAPI_FOLDER, 0, EC_NOT_SUPPORTED, 0,
                                                                  set_midset_deleted},
    {.run = NULL},
};
/* clang-format on */
