#include "base/mem.h"

static void *or_stop(void *ptr)
{
    if (!ptr) {
        fputs("gatepost: out of memory\n", stderr);
        abort();
    }
    return ptr;
}

void *mem_new(size_t size)
{
    return or_stop(calloc(1, size ? size : 1));
}

void *mem_array(size_t n, size_t size)
{
    return or_stop(calloc(n ? n : 1, size ? size : 1));
}

void *mem_grow(void *old, size_t n, size_t size)
{
    return or_stop(reallocarray(old, n ? n : 1, size ? size : 1));
}

char *mem_str(const char *text)
{
    return or_stop(strdup(text));
}

char *mem_slice_str(struct slice s)
{
    char *copy = mem_new(s.len + 1);

    if (s.len)
        memcpy(copy, s.ptr, s.len);
    return copy;
}

void mem_wipe(void *ptr, size_t len)
{
    if (ptr && len)
        explicit_bzero(ptr, len);
}

bool mem_equal_secret(const void *a, const void *b, size_t len)
{
    const volatile uint8_t *pa = a, *pb = b;
    uint8_t differ = 0;

    for (size_t i = 0; i < len; i++)
        differ = (uint8_t)(differ | (pa[i] ^ pb[i]));
    return differ == 0;
}
