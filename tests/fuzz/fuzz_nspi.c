/*
 * fuzz_nspi.c - bodies of the address book's requests, of every layout.
 *
 * None takes more memory than some multiple of its bytes. The first byte says which it is.
 */
#include <stdlib.h>

#include "protocols/mapi/nspi_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY_FACTOR = 400, MEMORY_FIXED = 1 << 20 };

static const char *const layouts[] = {"fs",   "fsrx", "fa",    "fsmiFNrc", "fsc",   "fsv", "fibri",
                                      "frxe", "fscl", "fsMrc", "fscw",     "fstmc", "fsd", "fu"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = ARENA_INIT;
    struct nspi_request rq;

    if (size == 0)
        return 0;
    const char *layout = layouts[data[0] % (sizeof layouts / sizeof *layouts)];
    struct err e = nspi_request_read(slice_of(data + 1, size - 1), layout, &arena, &rq);
    if (!failed(e) && rq.n_names > size)
        abort();
    if (arena.total > MEMORY_FIXED + MEMORY_FACTOR * size)
        abort();
    arena_done(&arena);
    return 0;
}
