/* rights.c - the rights of who logged on. */
#include "protocols/mapi/rights.h"

#include "protocols/mapi/context.h"
#include "store/access.h"

uint32_t mapi_rights(const struct mapi_logon *logon, struct store_read *rd, uint64_t fid,
                     struct arena *in)
{
    struct store_permission *members;
    struct slice who = slice_str(logon->context->identity);
    uint32_t rights = 0;
    size_t n;

    if (logon->owner)
        return RIGHTS_ALL;
    if (failed(store_permissions(rd, fid, in, &members, &n)))
        return 0;
    for (size_t i = 0; i < n; i++) {
        if (members[i].member == STORE_MEMBER_DEFAULT)
            rights = members[i].rights;
        else if (members[i].member != STORE_MEMBER_ANONYMOUS && slice_ieq(members[i].user, who))
            return members[i].rights;
    }
    return rights;
}

bool mapi_tells_rights(uint32_t tag)
{
    return prop_id(tag) == PR_ACCESS >> 16 || prop_id(tag) == PR_RIGHTS >> 16;
}

/* [MS-OXCPRPT] 2.2.1.1, from [MS-OXCPERM] 2.2.7 */
static int64_t access_of(uint32_t rights, bool of_folder)
{
    static const struct {
        uint32_t bit, of_folder, of_message;
    } bits[] = {
        {0x01, RIGHT_OWNER, RIGHT_OWNER | RIGHT_EDIT_ANY},                  /* modify */
        {0x02, RIGHT_OWNER | RIGHT_READ_ANY, RIGHT_OWNER | RIGHT_READ_ANY}, /* read */
        {0x04, RIGHT_OWNER, RIGHT_OWNER | RIGHT_DELETE_ANY},                /* delete */
        {0x08, RIGHT_OWNER | RIGHT_CREATE_SUBFOLDER, 0},                    /* folders in it */
        {0x10, RIGHT_OWNER | RIGHT_CREATE, 0},                              /* messages */
        {0x20, RIGHT_OWNER, 0},                                             /* associated ones */
    };
    uint32_t access = 0;

    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
        if (rights & (of_folder ? bits[i].of_folder : bits[i].of_message))
            access |= bits[i].bit;
    return access;
}

int64_t mapi_rights_told(uint32_t tag, uint32_t rights, bool of_folder)
{
    return prop_id(tag) == PR_ACCESS >> 16 ? access_of(rights, of_folder)
                                           : rights & ~(uint32_t)RIGHTS_FREE_BUSY;
}

uint32_t mapi_require(struct rop_call *call, uint64_t fid, uint32_t rights, uint32_t ec)
{
    struct store_read *rd;

    if (call->logon->owner)
        return EC_SUCCESS;
    uint32_t read_ec = rop_read(call, &rd);
    if (read_ec)
        return read_ec;
    uint32_t has = mapi_rights(call->logon, rd, fid, call->arena);
    store_read_end(rd);
    return has & rights ? EC_SUCCESS : ec;
}
