/*
 * table.h - what notifications ask of tables ([MS-OXCNOTIF] 3.1.4.3). What tables are otherwise is
 * between rop_table.c and table_*.c; mapi_table_open_rows() is in mapi_int.h.
 *
 * Threads    During an Execute: tables are objects of their context.
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_TABLE_H
#define GATEPOST_PROTOCOLS_MAPI_TABLE_H

#include "protocols/mapi/mapi_int.h"

/*
 * Put RopNotify for what changed in the rows that a client knows of a table, up to `end` bytes of
 * `out`. True: there is more, and no room. Nothing of one that was opened without notifications, or
 * from which nothing was read yet, or since it was reset. `rd` is of the logon's mailbox.
 */
bool mapi_table_tell(struct mapi_object *table, struct store_read *rd, struct buf *out, size_t end);

/* What a table shows: for who looks while an Execute has it. */
struct mapi_table_interest {
    bool anything; /* whatever happens in the mailbox may concern it; else messages of a folder: */
    uint64_t fid;
    bool associated, deleted;
};

/* False: there will be no news of it, as it is now. */
bool mapi_table_interest(const struct mapi_object *table, struct mapi_table_interest *out);

#endif
