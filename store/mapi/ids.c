#include "store/mapi/ids.h"

/* The type word of an EntryID. */
enum { TYPE_PRIVATE_FOLDER = 1, TYPE_PRIVATE_MESSAGE = 7 };

static void put_zeros(struct buf *out, size_t n)
{
    while (n-- > 0)
        buf_putc(out, 0);
}

void mapi_put_gid(struct buf *out, const uint8_t replica[16], uint64_t counter)
{
    buf_put(out, slice_of(replica, 16));
    for (int shift = 40; shift >= 0; shift -= 8)
        buf_putc(out, (uint8_t)(counter >> shift));
}

static void put_head(struct buf *out, const uint8_t mailbox[16], uint8_t type)
{
    put_zeros(out, 4); /* Flags */
    buf_put(out, slice_of(mailbox, 16));
    buf_putc(out, type);
    buf_putc(out, 0);
}

void mapi_put_folder_entry_id(struct buf *out, const uint8_t mailbox[16], const uint8_t replica[16],
                              uint64_t fid)
{
    put_head(out, mailbox, TYPE_PRIVATE_FOLDER);
    mapi_put_gid(out, replica, fid);
    put_zeros(out, 2);
}

void mapi_put_message_entry_id(struct buf *out, const uint8_t mailbox[16],
                               const uint8_t replica[16], uint64_t fid, uint64_t mid)
{
    put_head(out, mailbox, TYPE_PRIVATE_MESSAGE);
    mapi_put_gid(out, replica, fid);
    put_zeros(out, 2);
    mapi_put_gid(out, replica, mid);
    put_zeros(out, 2);
}
