/*
 * rop_later.c - operations that are read and answered, and not there: synchronization and fast
 * transfer ([MS-OXCFXICS]), and rules ([MS-OXORULE]), of which there are none.
 *
 * A request that could not be read would take those behind it in its buffer with it.
 */
#include "protocols/mapi/mapi_int.h"

uint32_t mapi_not_served(struct rop_call *call)
{
    (void)call;
    return EC_NOT_IMPLEMENTED;
}

/* Rules are neither kept nor run: a client is told, and keeps those that it can run itself. */
uint32_t mapi_refused(struct rop_call *call)
{
    (void)call;
    return EC_NOT_SUPPORTED;
}

/* An empty table ([MS-OXORULE] 3.2.5.3). */
static uint32_t get_rules_table(struct rop_call *call)
{
    enum { RULES_UNICODE = 0x40 };
    /* PidTagRuleId, Sequence, State, UserFlags, Condition, Actions, Provider, Name, Level and
     * ProviderData ([MS-OXORULE] 2.2.1.3.1) */
    static const uint32_t columns[] = {0x66740014, 0x66760003, 0x66770003, 0x66780003, 0x667900FD,
                                       0x668000FE, 0x6681001F, 0x6682001F, 0x66830003, 0x66840102};
    const struct rop_get_rules_table *rq = call->fields;
    struct mapi_rows rows = {.arena = ARENA_INIT,
                             .searchable = true,
                             .usual = columns,
                             .n_usual = sizeof columns / sizeof *columns};

    if (rq->flags & ~RULES_UNICODE)
        return EC_NOT_SUPPORTED;
    return mapi_table_open_rows(call, &rows, call->object);
}

#define LATER(rop)                                                                                 \
    {                                                                                              \
        ROP_##rop, MAPI_ANY, 0, EC_NOT_SUPPORTED, 0, mapi_not_served                               \
    }

/* clang-format off */
const struct rop_handler mapi_later_handlers[] = {
    {ROP_GetRulesTable, MAPI_FOLDER, 0, EC_NOT_SUPPORTED, 0, get_rules_table},
    {ROP_ModifyRules,   MAPI_FOLDER, 0, EC_NOT_SUPPORTED, 0, mapi_refused},
    {ROP_UpdateDeferredActionMessages, MAPI_LOGON, 0, EC_NOT_SUPPORTED, 0, mapi_refused},
    LATER(FastTransferSourceCopyMessages),
    LATER(FastTransferSourceCopyFolder),
    LATER(FastTransferSourceCopyTo),
    LATER(FastTransferSourceCopyProperties),
    LATER(FastTransferSourceGetBuffer),
    LATER(FastTransferDestinationConfigure),
    LATER(FastTransferDestinationPutBuffer),
    LATER(FastTransferDestinationPutBufferExtended),
    LATER(TellVersion),
    LATER(SynchronizationConfigure),
    LATER(SynchronizationImportMessageChange),
    LATER(SynchronizationImportReadStateChanges),
    LATER(SynchronizationImportHierarchyChange),
    LATER(SynchronizationImportDeletes),
    LATER(SynchronizationImportMessageMove),
    LATER(SynchronizationOpenCollector),
    LATER(SynchronizationGetTransferState),
    LATER(SynchronizationUploadStateStreamBegin),
    LATER(SynchronizationUploadStateStreamContinue),
    LATER(SynchronizationUploadStateStreamEnd),
    {.run = NULL},
};
/* clang-format on */
