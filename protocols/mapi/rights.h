/*
 * rights.h - what who logged on may do with a folder ([MS-OXCPERM] 2.2.7).
 *
 * The owner of a mailbox may do everything. Somebody else has the rights that the folder's
 * permissions give him, or those of its default member.
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_RIGHTS_H
#define GATEPOST_PROTOCOLS_MAPI_RIGHTS_H

#include "protocols/mapi/mapi_int.h"

enum mapi_right {
    RIGHT_READ_ANY = 0x0001,
    RIGHT_CREATE = 0x0002,
    RIGHT_EDIT_OWNED = 0x0008,
    RIGHT_DELETE_OWNED = 0x0010,
    RIGHT_EDIT_ANY = 0x0020,
    RIGHT_DELETE_ANY = 0x0040,
    RIGHT_CREATE_SUBFOLDER = 0x0080,
    RIGHT_OWNER = 0x0100,
    RIGHT_CONTACT = 0x0200,
    RIGHT_VISIBLE = 0x0400,
    RIGHT_FREE_BUSY_SIMPLE = 0x0800,
    RIGHT_FREE_BUSY_DETAILED = 0x1000,
    RIGHTS_FREE_BUSY = RIGHT_FREE_BUSY_SIMPLE | RIGHT_FREE_BUSY_DETAILED,
    RIGHTS_ALL = 0x1FFB,
    /* Who has one of these sees that the folder is there. */
    RIGHTS_SEEING = RIGHT_READ_ANY | RIGHT_OWNER | RIGHT_VISIBLE,
};

/* Of a failure to read there are none. */
uint32_t mapi_rights(const struct mapi_logon *logon, struct store_read *rd, uint64_t fid,
                     struct arena *in);

/* PidTagAccess, PidTagRights: what the store tells of them is the owner's. */
bool mapi_tells_rights(uint32_t tag);
/* What one of them is for who has these rights in a folder, or on the messages in it. */
int64_t mapi_rights_told(uint32_t tag, uint32_t rights, bool of_folder);

/* EC_SUCCESS: who logged on has one of `rights`; else `ec`. With a snapshot of its own. */
uint32_t mapi_require(struct rop_call *call, uint64_t fid, uint32_t rights, uint32_t ec);

#endif
