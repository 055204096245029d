/* rop_permission.c - operations on the permissions of folders: [MS-OXCPERM]. */
#include "protocols/mapi/context.h"
#include "protocols/mapi/nspi_entry.h"
#include "protocols/mapi/rights.h"
#include "store/access.h"

enum { TABLE_FREE_BUSY = 0x02 };                               /* 2.2.1.1 */
enum { MODIFY_REPLACE = 0x01, MODIFY_FREE_BUSY = 0x02 };       /* 2.2.2.1 */
enum { ROW_ADD = 0x01, ROW_MODIFY = 0x02, ROW_REMOVE = 0x04 }; /* [MS-OXCROPS] 2.2.10.1.1.1 */

/* 2.2.4 to 2.2.7 */
enum member_tag {
    PR_MEMBER_ID = 0x66710014,
    PR_MEMBER_NAME = 0x6672001F,
    PR_MEMBER_RIGHTS = 0x66730003,
};

static uint64_t fid_of(const struct rop_call *call)
{
    return ((const struct mapi_folder *)call->object)->fid;
}

/* ---- the table (3.2.5.1) ---- */

static void add_row(struct rop_call *call, struct mapi_rows *rows, const struct store_permission *m,
                    uint32_t mask)
{
    bool named = m->member != STORE_MEMBER_DEFAULT && m->member != STORE_MEMBER_ANONYMOUS;
    struct prop_list *row = &rows->items[rows->n++];
    struct slice name = m->name;

    *row = (struct prop_list){.in = &rows->arena};
    if (m->member == STORE_MEMBER_ANONYMOUS)
        name = S("Anonymous");
    else if (!named)
        name = SLICE_EMPTY;
    prop_add_number(row, PR_MEMBER_ID, (int64_t)m->member);
    prop_add_bytes(row, PR_MEMBER_NAME, arena_slice(&rows->arena, name));
    prop_add_number(row, PR_MEMBER_RIGHTS, m->rights & mask);
    prop_add_bytes(row, PR_ENTRY_ID,
                   named ? nspi_person_id(call->mapi, m->user, &rows->arena) : SLICE_EMPTY);
}

static uint32_t read_members(struct rop_call *call, uint32_t rights, struct store_permission **out,
                             size_t *n)
{
    struct store_read *rd;
    uint32_t ec = rop_read(call, &rd);

    if (ec)
        return ec;
    if (mapi_rights(call->logon, rd, fid_of(call), call->arena) & rights)
        ec = mapi_ec_of(store_permissions(rd, fid_of(call), call->arena, out, n));
    else
        ec = EC_ACCESS_DENIED;
    store_read_end(rd);
    return ec;
}

static uint32_t get_permissions_table(struct rop_call *call)
{
    const struct rop_get_permissions_table *rq = call->fields;
    uint32_t mask = rq->flags & TABLE_FREE_BUSY ? RIGHTS_ALL : RIGHTS_ALL & ~RIGHTS_FREE_BUSY;
    static const uint32_t columns[] = {PR_MEMBER_ID, PR_MEMBER_NAME, PR_MEMBER_RIGHTS, PR_ENTRY_ID};
    struct mapi_rows rows = {
        .arena = ARENA_INIT, .usual = columns, .n_usual = sizeof columns / sizeof *columns};
    struct store_permission *members;
    size_t n;

    uint32_t ec = read_members(call, RIGHT_VISIBLE | RIGHT_OWNER, &members, &n);
    if (ec == EC_ACCESS_DENIED) { /* that is told when rows are read (3.2.5.1) */
        rows.denied = ec;
        return mapi_table_open_rows(call, &rows, call->object);
    }
    if (ec)
        return ec;
    rows.items = arena_array(&rows.arena, n, sizeof *rows.items);
    for (size_t i = 0; i < n; i++)
        add_row(call, &rows, &members[i], mask);
    return mapi_table_open_rows(call, &rows, call->object);
}

/* ---- changing (3.2.5.2) ---- */

struct changing {
    struct rop_call *call;
    uint8_t flags;
    const struct store_permission *members; /* as they are */
    size_t n_members;
    struct store_permission_change *changes;
    size_t n;
};

static const struct prop *find(const struct rop_props *values, uint32_t tag)
{
    for (size_t i = 0; i < values->n; i++)
        if (prop_id(values->items[i].tag) == prop_id(tag))
            return prop_type(values->items[i].tag) == prop_type(tag) ? &values->items[i] : NULL;
    return NULL;
}

/* Who is meant by an EntryID. */
static uint32_t find_user(struct rop_call *call, struct slice entry_id,
                          struct store_permission *out)
{
    struct mapi_person person;
    struct slice dn;

    if (!nspi_entry_id_dn(entry_id, &dn))
        return EC_INVALID_PARAMETER;
    struct slice identity = mapi_dn_identity(dn);
    struct err e = identity.len ? mapi_find_person(call->mapi, identity, call->arena, &person)
                                : ERR(ERR_NOT_FOUND, "no name of ours");
    if (failed(e))
        return e.code == ERR_NOT_FOUND ? EC_UNKNOWN_USER : mapi_ec_of(e);
    out->user = person.identity;
    out->name = person.display_name;
    return EC_SUCCESS;
}

static const struct store_permission *member_of(const struct changing *ch, uint64_t member)
{
    for (size_t i = 0; i < ch->n_members; i++)
        if (ch->members[i].member == member)
            return &ch->members[i];
    return NULL;
}

static const struct store_permission *member_named(const struct changing *ch, struct slice user)
{
    for (size_t i = 0; i < ch->n_members; i++)
        if (ch->members[i].user.len && slice_ieq(ch->members[i].user, user))
            return &ch->members[i];
    return NULL;
}

/* Without IncludeFreeBusy those two rights stay what they are (2.2.2.1). */
static uint32_t rights_of(const struct changing *ch, const struct prop *rights,
                          const struct store_permission *old)
{
    uint32_t wanted = (uint32_t)rights->value.number & RIGHTS_ALL;

    if (ch->flags & MODIFY_FREE_BUSY)
        return wanted;
    return (wanted & ~(uint32_t)RIGHTS_FREE_BUSY) | (old ? old->rights & RIGHTS_FREE_BUSY : 0);
}

static void push(struct changing *ch, enum store_permission_how how,
                 const struct store_permission *permission)
{
    ch->changes[ch->n++] = (struct store_permission_change){how, *permission};
}

/* A row that is added without an EntryID is one of the two that are always there. */
static uint32_t add_member(struct changing *ch, const struct rop_props *values)
{
    const struct prop *id = find(values, PR_ENTRY_ID), *rights = find(values, PR_MEMBER_RIGHTS);
    const struct prop *member = find(values, PR_MEMBER_ID);
    struct store_permission permission = {0};

    if (!rights)
        return EC_INVALID_PARAMETER;
    if (!id || id->value.bytes.len == 0) {
        const struct store_permission *old =
            member ? member_of(ch, (uint64_t)member->value.number) : NULL;

        if (!old || old->user.len)
            return EC_INVALID_PARAMETER;
        permission.member = old->member;
        permission.rights = rights_of(ch, rights, old);
        push(ch, PERMISSION_MODIFY, &permission);
        return EC_SUCCESS;
    }
    uint32_t ec = find_user(ch->call, id->value.bytes, &permission);
    if (ec)
        return ec;
    permission.rights = rights_of(ch, rights, member_named(ch, permission.user));
    push(ch, PERMISSION_ADD, &permission);
    return EC_SUCCESS;
}

static uint32_t change_member(struct changing *ch, const struct rop_permission *row)
{
    const struct prop *member = find(&row->values, PR_MEMBER_ID);
    const struct prop *rights = find(&row->values, PR_MEMBER_RIGHTS);
    bool removes = row->flags == ROW_REMOVE;

    if (!member || (!removes && !rights) || ch->flags & MODIFY_REPLACE)
        return EC_INVALID_PARAMETER;
    const struct store_permission *old = member_of(ch, (uint64_t)member->value.number);
    if (!old)
        return EC_NOT_FOUND;
    struct store_permission permission = {.member = old->member};
    if (!removes)
        permission.rights = rights_of(ch, rights, old);
    push(ch, removes ? PERMISSION_REMOVE : PERMISSION_MODIFY, &permission);
    return EC_SUCCESS;
}

static uint32_t read_changes(struct changing *ch, const struct rop_permissions *rows)
{
    const struct store_permission *usual = member_of(ch, STORE_MEMBER_DEFAULT);
    uint32_t ec = EC_SUCCESS;

    ch->changes = arena_array(ch->call->arena, rows->n + 1, sizeof *ch->changes);
    if (ch->flags & MODIFY_REPLACE && usual) /* all but the default user are replaced (2.2.2.1) */
        push(ch, PERMISSION_MODIFY, usual);
    for (size_t i = 0; i < rows->n && !ec; i++) {
        switch (rows->items[i].flags) {
        case ROW_ADD:
            ec = add_member(ch, &rows->items[i].values);
            break;
        case ROW_MODIFY:
        case ROW_REMOVE:
            ec = change_member(ch, &rows->items[i]);
            break;
        default:
            ec = EC_INVALID_PARAMETER;
        }
    }
    return ec;
}

static uint32_t modify_permissions(struct rop_call *call)
{
    const struct rop_modify_permissions *rq = call->fields;
    struct store_modify_permissions *op = arena_alloc(call->arena, sizeof *op);
    struct changing ch = {.call = call, .flags = rq->flags};
    struct store_permission *members;

    if (rq->flags & ~(MODIFY_REPLACE | MODIFY_FREE_BUSY))
        return EC_INVALID_PARAMETER;
    uint32_t ec = read_members(call, RIGHT_OWNER, &members, &ch.n_members);
    if (ec)
        return ec;
    ch.members = members;
    ec = read_changes(&ch, &rq->permissions);
    if (ec)
        return ec;
    store_modify_permissions_init(op);
    op->fid = fid_of(call);
    op->replace = rq->flags & MODIFY_REPLACE;
    op->changes = ch.changes;
    op->n = ch.n;
    return rop_submit(call, call->logon->mailbox, &op->op, NULL);
}

/* clang-format off */
const struct rop_handler mapi_permission_handlers[] = {
    {ROP_GetPermissionsTable, MAPI_FOLDER, 0, EC_NOT_SUPPORTED, 0, get_permissions_table},
    {ROP_ModifyPermissions,   MAPI_FOLDER, 0, EC_NOT_SUPPORTED, 0, modify_permissions},
    {.run = NULL},
};
/* clang-format on */
