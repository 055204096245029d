/*
 * replica.c - numbers for the GUIDs of other replicas ([MS-OXCSTOR] 3.2.5.9), the same for ever.
 *
 * Value of KEY_REPLICAS: checksum u32 (CRC-32C of what follows), GUIDs. The first is that of
 * STORE_REPLICA_FIRST, the next of the number behind it.
 */
#include "base/crc32c.h"
#include "store/access_int.h"

enum { HEAD = 4, GUID = 16 };

struct err replicas_decode(struct slice value, struct slice *guids)
{
    if (value.len < HEAD || get_le32(value.ptr) != crc32c(0, slice_from(value, HEAD)) ||
        (value.len - HEAD) % GUID != 0)
        return ERR(ERR_CORRUPT, "replicas: checksum or length");
    *guids = slice_from(value, HEAD);
    return OK;
}

static bool find_guid(struct slice guids, const uint8_t *guid, uint16_t *replica)
{
    for (size_t i = 0; i < guids.len / GUID; i++) {
        if (memcmp(guids.ptr + GUID * i, guid, GUID) == 0) {
            *replica = (uint16_t)(STORE_REPLICA_FIRST + i);
            return true;
        }
    }
    return false;
}

static struct err read_guids(struct store_read *rd, struct slice *guids)
{
    struct key key = key_kind(KEY_REPLICAS);
    struct slice value;
    struct err e = engine_get(rd->engine, key_slice(&key), &value);

    return failed(e) ? e : replicas_decode(value, guids);
}

struct err store_replica_id(struct store_read *rd, const uint8_t guid[16], uint16_t *out)
{
    struct slice guids;
    struct err e = read_guids(rd, &guids);

    if (!failed(e) && !find_guid(guids, guid, out))
        e = ERR(ERR_NOT_FOUND, "the replica has no number yet");
    return e;
}

struct err store_replica_guid(struct store_read *rd, uint16_t replica, uint8_t out[16])
{
    struct slice guids;
    struct err e = read_guids(rd, &guids);

    if (failed(e))
        return e;
    if (replica < STORE_REPLICA_FIRST ||
        (size_t)(replica - STORE_REPLICA_FIRST) >= guids.len / GUID)
        return ERR(ERR_NOT_FOUND, "a number of no replica");
    memcpy(out, guids.ptr + (size_t)GUID * (size_t)(replica - STORE_REPLICA_FIRST), GUID);
    return OK;
}

/* ---- a new one ---- */

static struct err save(struct store_tx *tx, struct slice guids, const uint8_t *guid)
{
    struct key key = key_kind(KEY_REPLICAS);
    struct buf value = buf_make(SIZE_MAX);
    uint8_t sum[HEAD] = {0};

    buf_put(&value, slice_of(sum, HEAD));
    buf_put(&value, guids);
    buf_put(&value, slice_of(guid, GUID));
    put_le32(value.data + value.head, crc32c(0, slice_from(buf_slice(&value), HEAD)));
    tx->changed = true;
    struct err e = tx_put(tx, &key, buf_slice(&value));

    buf_done(&value);
    return e;
}

static struct err map_step(struct store_tx *tx, struct store_op *op)
{
    struct store_map_replica *rq = container_of(op, struct store_map_replica, op);
    struct key key = key_kind(KEY_REPLICAS);
    struct slice value, guids = SLICE_EMPTY;
    struct err e = tx_get(tx, &key, &value);

    if (!failed(e))
        e = replicas_decode(value, &guids);
    if (failed(e) && e.code != ERR_NOT_FOUND)
        return e;
    if (find_guid(guids, rq->guid, &rq->replica))
        return OK;
    if (guids.len / GUID >= STORE_REPLICAS_MAX)
        return ERR(ERR_LIMIT, "replicas of a mailbox");
    rq->replica = (uint16_t)(STORE_REPLICA_FIRST + guids.len / GUID);
    return save(tx, guids, rq->guid);
}

void store_map_replica_init(struct store_map_replica *rq)
{
    *rq = (struct store_map_replica){.op = {.step = map_step}};
}
