/*
 * fuzz_damage.c - a store whose file was changed here and there is refused, or its verification
 * names the fault, or it reads as it was.
 *
 * Each four bytes are a change: the page u8, the place in it u16, what is xor-ed u8.
 */
#include "tests/support/damage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CHANGE = 4, CHANGES_MOST = 8, PAGE = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct damage *d;

    if (size < CHANGE || size > CHANGE * CHANGES_MOST)
        return 0;
    if (!d) {
        d = mem_new(sizeof *d);
        damage_init(d);
    }
    uint8_t *file = mem_array(d->len, 1);
    memcpy(file, d->file, d->len);
    for (; size >= CHANGE; data += CHANGE, size -= CHANGE) {
        size_t page = data[0] % (d->len / PAGE), at = (data[1] | (size_t)data[2] << 8) % PAGE;

        file[page * PAGE + at] ^= data[3];
    }
    enum damage_end end = damage_try(d, file, d->len, true);
    free(file);
    if (end == DAMAGE_READ || end == DAMAGE_UNSEEN)
        abort();
    return 0;
}
