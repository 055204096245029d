/*
 * fuzz_bag.c - the stored properties of an object, as a damaged file might hold them.
 *
 * What is decoded is in order, can be encoded again, and comes back the same.
 */
#include "base/crc32c.h"
#include "store/bag.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool good)
{
    if (!good)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf bytes = buf_make(size + 4), again = buf_make(2 * size + 64),
               third = buf_make(SIZE_MAX);
    struct arena arena = ARENA_INIT;
    struct bag bag, back;
    uint8_t sum[4];

    /* With its right checksum: else hardly anything would be decoded. */
    put_le32(sum, crc32c(0, slice_of(data, size)));
    buf_put(&bytes, slice_of(sum, 4));
    buf_put(&bytes, slice_of(data, size));
    if (!failed(bag_decode(buf_slice(&bytes), &arena, &bag))) {
        for (size_t i = 1; i < bag.n; i++)
            require(prop_id(bag.props[i - 1].tag) < prop_id(bag.props[i].tag));
        bag_encode(&bag, &again);
        require(!again.failed);
        require(!failed(bag_decode(buf_slice(&again), &arena, &back)));
        require(back.n == bag.n);
        bag_encode(&back, &third);
        require(slice_eq(buf_slice(&third), buf_slice(&again)));
    }
    buf_done(&bytes);
    buf_done(&again);
    buf_done(&third);
    arena_done(&arena);
    return 0;
}
