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
