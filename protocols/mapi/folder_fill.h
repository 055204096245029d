/*
 * folder_fill.h - what a folder holds, copied or moved into another ([MS-OXCPRPT] 3.2.5.7,
 * 3.2.5.8): by RopCopyTo and RopCopyProperties, which name it by the properties that stand for it.
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_FOLDER_FILL_H
#define GATEPOST_PROTOCOLS_MAPI_FOLDER_FILL_H

#include "protocols/mapi/mapi_int.h"

enum { FILL_FOLDERS = 1, FILL_MESSAGES = 2, FILL_ASSOCIATED = 4 };

/*
 * From call->object to call->dest, which are folders; folders with all that is below them. `then`
 * gets EC_FOLDER_CYCLE: the target is the source, or below it; EC_DUPLICATE_NAME: it has a folder
 * of the name of one of them; EC_ACCESS_DENIED; EC_NOT_SUPPORTED: it is a search folder. What was
 * done before a failure stays.
 */
uint32_t mapi_folder_fill(struct rop_call *call, unsigned what, bool move,
                          uint32_t (*then)(struct rop_call *call, uint32_t ec));

#endif
