/* rop_search.c - what a search folder looks for: [MS-OXCFOLD] 2.2.1.4, 2.2.1.5. */
#include "protocols/mapi/rights.h"
#include "protocols/mapi/rop_table_int.h"
#include "store/access.h"

enum search_status { /* 2.2.1.5.2 */
                     STATUS_RECURSIVE = 0x00000004,
                     STATUS_COMPLETE = 0x00001000,
                     STATUS_STATIC = 0x00010000,
                     STATUS_NOT_INDEXED = 0x08000000, /* TWIR_TOTALLY */
};

static uint64_t fid_of(const struct rop_call *call)
{
    return ((const struct mapi_folder *)call->object)->fid;
}

/* Those that were set last; all empty: there are none. */
static uint32_t read_criteria(struct rop_call *call, struct store_read *rd,
                              struct store_search_criteria *out)
{
    struct store_folder folder;

    struct err e = store_folder_get(rd, fid_of(call), &folder);
    if (failed(e))
        return mapi_ec_of(e);
    if (!folder.search)
        return EC_NOT_SEARCH_FOLDER;
    if (!(mapi_rights(call->logon, rd, folder.fid, call->arena) & RIGHTS_SEEING))
        return EC_ACCESS_DENIED;
    e = store_search_criteria(rd, folder.fid, call->arena, out);
    return e.code == ERR_NOT_FOUND ? EC_SUCCESS : mapi_ec_of(e);
}

/* ---- setting (3.2.5.4) ---- */

static uint32_t check_flags(uint32_t flags)
{
    const uint32_t both[] = {SEARCH_STOP | SEARCH_RESTART, SEARCH_RECURSIVE | SEARCH_SHALLOW,
                             SEARCH_INDEXED | SEARCH_NOT_INDEXED};

    if (flags & ~(uint32_t)SEARCH_ALL)
        return EC_INVALID_PARAMETER;
    for (size_t i = 0; i < sizeof both / sizeof *both; i++)
        if ((flags & both[i]) == both[i])
            return EC_INVALID_PARAMETER;
    return EC_SUCCESS;
}

static uint32_t take_restriction(const struct rop_restriction *sent,
                                 struct store_search_criteria *criteria)
{
    uint32_t ec = table_restriction_ec(sent);

    if (ec)
        return ec;
    if (sent->bytes.len > 0)
        criteria->restriction = sent->bytes;
    return criteria->restriction.len > 0 ? EC_SUCCESS : EC_NOT_INITIALIZED;
}

/* Folders that there are, and not the search folder itself. */
static uint32_t take_scope(struct rop_call *call, struct store_read *rd, const struct rop_ids *sent,
                           struct store_search_criteria *criteria)
{
    uint64_t *scope = arena_array(call->arena, sent->n + 1, sizeof *scope);
    struct store_folder folder;

    for (size_t i = 0; i < sent->n; i++) {
        uint32_t ec = rop_counter(sent->items[i], &scope[i]);

        if (!ec)
            ec = mapi_ec_of(store_folder_get(rd, scope[i], &folder));
        if (!ec && folder.shadow != SHADOW_NONE)
            ec = EC_NOT_FOUND;
        if (!ec && scope[i] == fid_of(call))
            ec = EC_SEARCH_SCOPE;
        if (ec)
            return ec;
    }
    if (sent->n > 0) {
        criteria->scope = scope;
        criteria->n_scope = sent->n;
    }
    return criteria->n_scope > 0 ? EC_SUCCESS : EC_NOT_INITIALIZED;
}

static uint32_t gather(struct rop_call *call, struct store_read *rd,
                       struct store_search_criteria *criteria)
{
    const struct rop_set_search *rq = call->fields;

    uint32_t ec = read_criteria(call, rd, criteria);
    if (!ec)
        ec = take_restriction(&rq->restriction, criteria);
    if (!ec)
        ec = take_scope(call, rd, &rq->folders, criteria);
    criteria->flags = rq->flags;
    return ec;
}

/*
 * The folder is filled, or filled anew, before the operation is answered: a table finds what there
 * is, and whoever wants to know is told that the search is complete. One that is static or stopped
 * keeps what was found by then.
 */
struct filling {
    struct mapi_table *table;
    struct store_set_search_found found;
};

static void end_filling(struct filling *f)
{
    f->table->object.free(&f->table->object);
    f->table = NULL;
}

/* Criteria that somebody else has set meanwhile are filled by him. */
static uint32_t on_filled(struct rop_call *call, struct store_op *op)
{
    (void)call;
    return op->err.code == ERR_CONFLICT || op->err.code == ERR_NOT_FOUND ? EC_SUCCESS
                                                                         : mapi_ec_of(op->err);
}

static uint32_t keep_found(struct rop_call *call, struct filling *f, uint64_t cn)
{
    const struct rop_set_search *rq = call->fields;
    const uint64_t *mids;
    bool freezes = rq->flags & (SEARCH_STATIC | SEARCH_STOP);

    store_set_search_found_init(&f->found);
    f->found.fid = fid_of(call);
    f->found.cn = cn;
    f->found.found = (uint32_t)table_search_found(f->table, call->arena, &mids, &f->found.unread);
    f->found.mids = freezes ? mids : NULL;
    f->found.completed = !(rq->flags & SEARCH_STOP);
    end_filling(f);
    return rop_submit(call, call->logon->mailbox, &f->found.op, on_filled);
}

static uint32_t fill(struct rop_call *call)
{
    struct filling *f = call->state;
    struct store_folder folder = {.cn = 0};
    struct store_read *rd = NULL;
    bool more = false;
    uint32_t ec = rop_read(call, &rd);

    if (!ec)
        ec = mapi_ec_of(store_folder_get(rd, f->table->fid, &folder));
    if (!ec)
        ec = table_refresh(f->table, rd, &more);
    store_read_end(rd);
    if (!ec && more)
        return rop_later(call, fill);
    if (!ec)
        return keep_found(call, f, folder.cn);
    end_filling(f);
    return ec;
}

static uint32_t on_set(struct rop_call *call, struct store_op *op)
{
    struct filling *f = arena_alloc(call->arena, sizeof *f);

    if (op->err.code == ERR_INVALID)
        return EC_NOT_SEARCH_FOLDER;
    if (failed(op->err))
        return op->err.code == ERR_TOO_BIG ? EC_TOO_COMPLEX : mapi_ec_of(op->err);
    f->table = table_new(call, TABLE_CONTENTS);
    f->table->fid = fid_of(call);
    call->state = f;
    return fill(call);
}

static uint32_t set_search(struct rop_call *call)
{
    const struct rop_set_search *rq = call->fields;
    struct store_set_search_criteria *op = arena_alloc(call->arena, sizeof *op);
    struct store_read *rd;

    store_set_search_criteria_init(op);
    op->fid = fid_of(call);
    uint32_t ec = rop_read(call, &rd);
    if (ec)
        return ec;
    ec = gather(call, rd, &op->criteria);
    store_read_end(rd);
    if (!ec)
        ec = check_flags(rq->flags);
    if (!ec && !call->logon->owner)
        ec = mapi_require(call, op->fid, RIGHT_OWNER, EC_ACCESS_DENIED);
    return ec ? ec : rop_submit(call, call->logon->mailbox, &op->op, on_set);
}

/* ---- telling (3.2.5.5) ---- */

/* It was filled before that was answered, so that it is complete at once. */
static uint32_t status_of(uint32_t flags)
{
    return (flags & SEARCH_RECURSIVE ? STATUS_RECURSIVE : 0) |
           (flags & SEARCH_STATIC ? STATUS_STATIC : 0) | STATUS_COMPLETE | STATUS_NOT_INDEXED;
}

static void tell_scope(struct rop_call *call, const struct store_search_criteria *criteria)
{
    struct rop_get_search_reply *reply = call->reply;
    uint64_t *ids = arena_array(call->arena, criteria->n_scope + 1, sizeof *ids);

    for (size_t i = 0; i < criteria->n_scope; i++)
        ids[i] = mapi_id(criteria->scope[i]);
    reply->folders = (struct rop_ids){criteria->n_scope, ids};
}

static uint32_t get_search(struct rop_call *call)
{
    const struct rop_get_search *rq = call->fields;
    struct rop_get_search_reply *reply = call->reply;
    struct store_search_criteria criteria = {.scope = NULL};
    struct store_read *rd;

    uint32_t ec = rop_read(call, &rd);
    if (ec)
        return ec;
    ec = read_criteria(call, rd, &criteria);
    store_read_end(rd);
    if (ec)
        return ec;
    if (criteria.n_scope == 0)
        return EC_NOT_INITIALIZED;
    reply->logon = call->rq->logon;
    reply->flags = status_of(criteria.flags);
    if (rq->want_restriction)
        reply->restriction.bytes = criteria.restriction;
    if (rq->want_folders)
        tell_scope(call, &criteria);
    return EC_SUCCESS;
}

/* clang-format off */
const struct rop_handler mapi_search_handlers[] = {
    {ROP_SetSearchCriteria, MAPI_FOLDER, 0, EC_NOT_SUPPORTED, 0, set_search},
    {ROP_GetSearchCriteria, MAPI_FOLDER, 0, EC_NOT_SUPPORTED, 0, get_search},
    {.run = NULL},
};
/* clang-format on */
