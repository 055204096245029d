/* rop_folder.c - operations on folders: [MS-OXCFOLD]. */
#include <stdlib.h>

#include "base/mem.h"
#include "protocols/mapi/rights.h"

enum folder_type { FOLDER_GENERIC = 1, FOLDER_SEARCH = 2 }; /* 2.2.1.2.1 */

enum { OPEN_SOFT_DELETED = 0x04 }; /* 2.2.1.1.1 */

enum delete_flag { /* 2.2.1.3.1 */
                   DELETE_MESSAGES = 0x01,
                   DELETE_FOLDERS = 0x04,
                   DELETE_HARD = 0x10,
                   DELETE_ALL = DELETE_MESSAGES | DELETE_FOLDERS | DELETE_HARD,
};

static uint32_t ec_of(struct err e)
{
    switch (e.code) {
    case ERR_CONFLICT: /* into itself */
        return EC_FOLDER_CYCLE;
    case ERR_TOO_BIG: /* a name */
        return EC_INVALID_PARAMETER;
    default:
        return mapi_ec_of(e);
    }
}

static uint64_t fid_of(const struct mapi_object *object)
{
    return ((const struct mapi_folder *)object)->fid;
}

/* ---- opening ---- */

static void free_folder(struct mapi_object *object)
{
    free(object);
}

static uint32_t open_object(struct rop_call *call, uint64_t fid, bool deleted)
{
    struct mapi_folder *folder = mem_new(sizeof *folder);

    *folder = (struct mapi_folder){
        .object = {.kind = MAPI_FOLDER, .free = free_folder}, .fid = fid, .deleted = deleted};
    return rop_open(call, &folder->object, NULL);
}

/* Shadows are the store's own. */
static struct err get_folder(struct store_read *rd, uint64_t fid, bool deleted_too,
                             struct store_folder *out)
{
    struct store_folder found = {.fid = 0};
    struct err e = store_folder_get(rd, fid, &found);

    if (e.code == ERR_NOT_FOUND && deleted_too)
        e = store_folder_get_deleted(rd, fid, &found);
    if (!failed(e) && found.shadow != SHADOW_NONE)
        return ERR(ERR_NOT_FOUND, "it is no folder of its own");
    if (!failed(e))
        *out = found;
    return e;
}

/* Somebody else may pass through the two at the top, to those below that he may see. */
static bool is_seen(const struct mapi_logon *logon, struct store_read *rd,
                    const struct store_folder *folder, struct arena *in)
{
    return folder->special == SPECIAL_ROOT || folder->special == SPECIAL_IPM_SUBTREE ||
           mapi_rights(logon, rd, folder->fid, in) & RIGHTS_SEEING;
}

/* 3.2.5.1 */
static uint32_t open_folder(struct rop_call *call)
{
    const struct rop_open_folder *rq = call->fields;
    struct store_folder folder = {.fid = 0};
    struct store_read *rd;
    uint64_t fid;

    uint32_t ec = rop_counter(rq->folder, &fid);
    if (!ec)
        ec = rop_read(call, &rd);
    if (ec)
        return ec;
    ec = mapi_ec_of(get_folder(rd, fid, rq->mode & OPEN_SOFT_DELETED, &folder));
    if (!ec && !is_seen(call->logon, rd, &folder, call->arena))
        ec = EC_ACCESS_DENIED;
    store_read_end(rd);
    return ec ? ec : open_object(call, fid, folder.soft_deleted);
}

/* ---- making (3.2.5.2) ---- */

static uint32_t on_created(struct rop_call *call, struct store_op *op)
{
    const struct store_folder_create *rq = (const struct store_folder_create *)op;
    struct rop_create_folder_reply *reply = call->reply;

    if (failed(op->err))
        return ec_of(op->err);
    /* IsExistingFolder is of public folders: in a private mailbox it is never set (2.2.1.2.2). */
    reply->folder = mapi_id(rq->fid);
    return open_object(call, rq->fid, false);
}

/* May something be put into it? Search folders hold nothing of their own. */
static uint32_t check_target(struct rop_call *call, uint64_t fid)
{
    struct store_folder folder = {.fid = 0};
    struct store_read *rd;

    uint32_t ec = rop_read(call, &rd);
    if (ec)
        return ec;
    ec = mapi_ec_of(store_folder_get(rd, fid, &folder));
    if (!ec && folder.search)
        ec = EC_NOT_SUPPORTED;
    if (!ec &&
        !(mapi_rights(call->logon, rd, fid, call->arena) & (RIGHT_CREATE_SUBFOLDER | RIGHT_OWNER)))
        ec = EC_ACCESS_DENIED;
    store_read_end(rd);
    return ec;
}

static uint32_t create_folder(struct rop_call *call)
{
    const struct rop_create_folder *rq = call->fields;
    struct store_folder_create *op = arena_alloc(call->arena, sizeof *op);

    if ((rq->type != FOLDER_GENERIC && rq->type != FOLDER_SEARCH) || rq->name.len == 0)
        return EC_INVALID_PARAMETER;
    uint32_t ec = check_target(call, fid_of(call->object));
    if (ec)
        return ec;
    store_folder_create_init(op);
    op->parent = fid_of(call->object);
    op->path = rq->name;
    op->comment = rq->comment;
    op->search = rq->type == FOLDER_SEARCH;
    op->open_existing = rq->open_existing;
    return rop_submit(call, call->logon->mailbox, &op->op, on_created);
}

/* ---- of a folder below the one that was named ---- */

/* EC_NOT_FOUND: it is not right below it. Soft-deleted ones are. */
static uint32_t find_below(struct rop_call *call, uint64_t wire_id, uint32_t rights, uint64_t *fid)
{
    struct store_folder folder = {.fid = 0};
    struct store_read *rd;

    uint32_t ec = rop_counter(wire_id, fid);
    if (!ec)
        ec = rop_read(call, &rd);
    if (ec)
        return ec;
    ec = mapi_ec_of(get_folder(rd, *fid, true, &folder));
    if (!ec && folder.parent != fid_of(call->object))
        ec = EC_NOT_FOUND;
    if (!ec && !(mapi_rights(call->logon, rd, *fid, call->arena) & rights))
        ec = EC_ACCESS_DENIED;
    store_read_end(rd);
    return ec;
}

static uint32_t on_removed(struct rop_call *call, struct store_op *op)
{
    struct rop_delete_folder_reply *reply = call->reply;

    reply->partial = ((const struct store_folder_remove *)op)->partial;
    return ec_of(op->err);
}

/* 3.2.5.3 */
static uint32_t delete_folder(struct rop_call *call)
{
    const struct rop_delete_folder *rq = call->fields;
    struct store_folder_remove *op = arena_alloc(call->arena, sizeof *op);
    uint64_t fid;

    if (rq->flags & ~DELETE_ALL)
        return EC_INVALID_PARAMETER;
    uint32_t ec = find_below(call, rq->folder, RIGHT_OWNER, &fid);
    if (ec)
        return ec;
    store_folder_remove_init(op);
    op->fid = fid;
    op->messages = rq->flags & DELETE_MESSAGES;
    op->folders = rq->flags & DELETE_FOLDERS;
    op->hard = rq->flags & DELETE_HARD;
    return rop_submit(call, call->logon->mailbox, &op->op, on_removed);
}

static uint32_t on_moved(struct rop_call *call, struct store_op *op)
{
    (void)call;
    return ec_of(op->err);
}

/* 3.2.5.7 */
static uint32_t move_folder(struct rop_call *call)
{
    const struct rop_move_folder *rq = call->fields;
    struct store_folder_move *op = arena_alloc(call->arena, sizeof *op);
    uint64_t fid;

    uint32_t ec = find_below(call, rq->folder, RIGHT_OWNER, &fid);
    if (!ec)
        ec = check_target(call, fid_of(call->dest));
    if (ec)
        return ec;
    store_folder_move_init(op);
    op->fid = fid;
    op->parent = fid_of(call->dest);
    op->name = rq->name;
    return rop_submit(call, call->logon->mailbox, &op->op, on_moved);
}

static uint32_t on_copied(struct rop_call *call, struct store_op *op)
{
    struct rop_copy_folder_reply *reply = call->reply;

    reply->partial = ((const struct store_folder_copy *)op)->partial;
    return ec_of(op->err);
}

/* 3.2.5.8 */
static uint32_t copy_folder(struct rop_call *call)
{
    const struct rop_copy_folder *rq = call->fields;
    struct store_folder_copy *op = arena_alloc(call->arena, sizeof *op);
    uint64_t fid;

    uint32_t ec = find_below(call, rq->folder, RIGHT_READ_ANY | RIGHT_OWNER, &fid);
    if (!ec)
        ec = check_target(call, fid_of(call->dest));
    if (ec)
        return ec;
    store_folder_copy_init(op);
    op->fid = fid;
    op->parent = fid_of(call->dest);
    op->name = rq->name;
    op->recursive = rq->recursive;
    return rop_submit(call, call->logon->mailbox, &op->op, on_copied);
}

/* ---- emptying (3.2.5.9, 3.2.5.10) ---- */

static uint32_t on_emptied(struct rop_call *call, struct store_op *op)
{
    /* Both replies are the same. */
    struct rop_empty_folder_reply *reply = call->reply;

    reply->partial = ((const struct store_folder_empty *)op)->partial;
    return ec_of(op->err);
}

static uint32_t empty(struct rop_call *call, bool associated, bool hard)
{
    struct store_folder_empty *op = arena_alloc(call->arena, sizeof *op);
    struct store_folder folder = {.fid = 0};
    struct store_read *rd;

    uint32_t ec = rop_read(call, &rd);
    if (ec)
        return ec;
    ec = mapi_ec_of(store_folder_get(rd, fid_of(call->object), &folder));
    if (!ec && folder.search)
        ec = EC_NOT_SUPPORTED;
    if (!ec && !(mapi_rights(call->logon, rd, folder.fid, call->arena) & RIGHT_OWNER))
        ec = EC_ACCESS_DENIED;
    store_read_end(rd);
    if (ec)
        return ec;
    store_folder_empty_init(op);
    op->fid = fid_of(call->object);
    op->associated = associated;
    op->hard = hard;
    return rop_submit(call, call->logon->mailbox, &op->op, on_emptied);
}

static uint32_t empty_folder(struct rop_call *call)
{
    const struct rop_empty_folder *rq = call->fields;

    return empty(call, rq->associated, false);
}

static uint32_t hard_empty_folder(struct rop_call *call)
{
    const struct rop_hard_empty_folder *rq = call->fields;

    return empty(call, rq->associated, true);
}

#define ON_FOLDER MAPI_FOLDER, 0, EC_NOT_SUPPORTED, 0
#define ON_FOLDERS MAPI_FOLDER, MAPI_FOLDER, EC_NOT_SUPPORTED, 0

/* clang-format off */
const struct rop_handler mapi_folder_handlers[] = {
    {ROP_OpenFolder,   MAPI_FOLDER | MAPI_LOGON, 0, EC_NOT_SUPPORTED, 0, open_folder},
    {ROP_CreateFolder,                    ON_FOLDER,  create_folder},
    {ROP_DeleteFolder,                    ON_FOLDER,  delete_folder},
    {ROP_MoveFolder,                      ON_FOLDERS, move_folder},
    {ROP_CopyFolder,                      ON_FOLDERS, copy_folder},
    {ROP_EmptyFolder,                     ON_FOLDER,  empty_folder},
    {ROP_HardDeleteMessagesAndSubfolders, ON_FOLDER,  hard_empty_folder},
    {.run = NULL},
};
/* clang-format on */
