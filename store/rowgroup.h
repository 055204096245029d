/*
 * rowgroup.h - up to 63 message rows of 64 bytes in one value, which fills one page.
 *
 * Value: checksum u32, count u16, flags u16 (all rows' flags, or-ed), greatest modseq u64, rows.
 * The checksum is checksum_lanes() of all from the modseq on, xor-ed with the word between.
 * A group is kept under (FID, a UID <= its first one): a key stays when its first row goes.
 */
#ifndef GATEPOST_STORE_ROWGROUP_H
#define GATEPOST_STORE_ROWGROUP_H

#include "store/store_int.h"

enum { ROW_BYTES = 64, GROUP_ROWS = 63, GROUP_HEAD = 16 };
enum { GROUP_MAX_BYTES = GROUP_HEAD + GROUP_ROWS * ROW_BYTES };

/* A group as it lies in the map. */
struct group_view {
    const uint8_t *rows;
    uint32_t n;
    uint16_t any_flags;
    uint64_t modseq;
};

/*
 * Bytes of a row: uid 0, flags 4, zone 6, internaldate 8, size 16, keyword set 20, savedate 24
 * (Unix seconds); six bytes each: mid 28, modseq 34, cn 40, read_cn 46, blob 52, sent 58.
 */
static inline uint64_t row_get_48(const uint8_t *p)
{
    return get_le64(p) & 0xFFFFFFFFFFFFull;
}

/* Here, so that walks have it inline. */
static inline void row_decode(const uint8_t *p, struct message_row *out)
{
    out->uid = get_le32(p);
    out->flags = get_le16(p + 4);
    out->zone = (int16_t)get_le16(p + 6);
    out->internaldate = get_le64(p + 8);
    out->size = get_le32(p + 16);
    out->keyword_set = get_le32(p + 20);
    out->savedate = filetime_from_unix((int64_t)get_le32(p + 24));
    out->mid = row_get_48(p + 28);
    out->modseq = row_get_48(p + 34);
    out->cn = row_get_48(p + 40);
    out->read_cn = row_get_48(p + 46);
    out->blob = row_get_48(p + 52);
    /* The last six bytes are read with the two before them, so as to stay inside the row. */
    out->sent = (int64_t)get_le64(p + 56) >> 16;
}

void row_encode(const struct message_row *row, uint8_t *bytes);

static inline uint32_t row_uid(const uint8_t *bytes)
{
    return get_le32(bytes);
}

/* ERR_CORRUPT. `checked` false: only the form is looked at, for who needs only the header. */
struct err group_open(struct slice value, bool checked, struct group_view *out) MUST_USE;

/* The index of the first row with a UID >= uid; n where there is none. */
uint32_t group_find(const struct group_view *group, uint32_t uid);

/*
 * Put the cursor on the group that holds the first UID >= uid of the folder.
 * ERR_NOT_FOUND: there is none.
 */
struct err group_seek(struct engine_cursor *cursor, uint64_t fid, uint32_t uid, struct slice *key,
                      struct slice *value) MUST_USE;

/* A copy to be changed. */
struct group {
    uint64_t fid;
    uint32_t key_uid;
    uint32_t n;
    bool stored; /* it has a key on disk already */
    uint8_t bytes[GROUP_MAX_BYTES];
};

static inline uint8_t *group_row(struct group *group, uint32_t i)
{
    return group->bytes + GROUP_HEAD + (size_t)i * ROW_BYTES;
}

/* The group that holds the first UID >= uid. ERR_NOT_FOUND. */
struct err group_load(struct store_tx *tx, uint64_t fid, uint32_t uid, struct group *out) MUST_USE;
/* The last group of the folder; an empty, new one where there is none. */
struct err group_load_last(struct store_tx *tx, uint64_t fid, struct group *out) MUST_USE;
/* Write it; one without rows is deleted. */
struct err group_save(struct store_tx *tx, struct group *group) MUST_USE;
/* Put a row behind the last one; a full group is saved and a new one begun. */
struct err group_append(struct store_tx *tx, struct group *group,
                        const struct message_row *row) MUST_USE;
/* After rows were taken out: join it with its neighbour where both are small, and save. */
struct err group_save_shrunk(struct store_tx *tx, struct group *group) MUST_USE;

#endif
