/*
 * ids.h - the identifiers of MAPI objects ([MS-OXCDATA] 2.2, [MS-OXCFXICS] 2.2.2).
 *
 * The store has one pair of a replica id and a replica GUID, and names objects by 48-bit counters.
 *
 * Threads    Pure functions: any thread.
 */
#ifndef GATEPOST_STORE_MAPI_IDS_H
#define GATEPOST_STORE_MAPI_IDS_H

#include "base/buf.h"

enum { MAPI_REPLICA_ID = 1, MAPI_GID_BYTES = 22 };

/*
 * FolderId, MessageId and ChangeNumber ([MS-OXCDATA] 2.2.1.1) as the number that stands on the wire
 * in little-endian order: the replica's id, then the counter, its greatest byte first.
 */
static inline uint64_t mapi_id(uint64_t counter)
{
    return __builtin_bswap64(counter & 0xFFFFFFFFFFFFull) | MAPI_REPLICA_ID;
}

/* False: it is of another replica. */
static inline bool mapi_id_counter(uint64_t id, uint64_t *counter)
{
    if ((id & 0xFFFF) != MAPI_REPLICA_ID)
        return false;
    *counter = __builtin_bswap64(id & ~0xFFFFull);
    return true;
}

/* GID: the replica's GUID and the counter ([MS-OXCDATA] 2.2.1.3). */
void mapi_put_gid(struct buf *out, const uint8_t replica[16], uint64_t counter);

/* [MS-OXCDATA] 2.2.4.1, 2.2.4.2, of a private store. */
void mapi_put_folder_entry_id(struct buf *out, const uint8_t mailbox[16], const uint8_t replica[16],
                              uint64_t fid);
void mapi_put_message_entry_id(struct buf *out, const uint8_t mailbox[16],
                               const uint8_t replica[16], uint64_t fid, uint64_t mid);

#endif
