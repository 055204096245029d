/* spool.c - a message on its way in, in memory while it is small, in an unlinked file beyond. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/prepare_int.h"

struct store_spool {
    const char *dir;
    uint64_t max, size;
    struct buf memory; /* all of it, while fd < 0 */
    int fd;
    void *map; /* of the file, for reading; NULL: none */
    size_t map_len;
};

struct store_spool *store_spool_new(struct store *st)
{
    struct store_spool *spool = mem_new(sizeof *spool);

    spool->dir = store_dir(st);
    spool->max = store_max_message(st);
    spool->memory = buf_make(STORE_PREPARE_INLINE);
    spool->fd = -1;
    return spool;
}

static void unmap(struct store_spool *spool)
{
    if (spool->map)
        munmap(spool->map, spool->map_len);
    spool->map = NULL;
}

void store_spool_free(struct store_spool *spool)
{
    if (!spool)
        return;
    unmap(spool);
    if (spool->fd >= 0)
        close(spool->fd);
    buf_done(&spool->memory);
    free(spool);
}

/* A file without a name, readable by nobody else. */
static int open_unnamed(const char *dir)
{
    char path[4096];
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
        return fd;
    /* A file system without O_TMPFILE. */
    int len = snprintf(path, sizeof path, "%s/spool-XXXXXX", dir);
    if (len < 0 || (size_t)len >= sizeof path)
        return -1;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

static struct err write_all(struct store_spool *spool, struct slice bytes)
{
    uint64_t at = spool->size;

    while (bytes.len) {
        ssize_t n = pwrite(spool->fd, bytes.ptr, bytes.len, (off_t)at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 || errno == ENOSPC || errno == EDQUOT || errno == EFBIG
                       ? ERR(ERR_NO_SPACE, "no space for a message on its way in")
                       : ERR(ERR_IO, "a message on its way in could not be written");
        at += (uint64_t)n;
        bytes = slice_from(bytes, (size_t)n);
    }
    return OK;
}

/* What was kept in memory moves to a file. */
static struct err spill(struct store_spool *spool)
{
    uint64_t size = spool->size;
    int fd = open_unnamed(spool->dir);

    if (fd < 0)
        return errno == ENOSPC || errno == EDQUOT
                   ? ERR(ERR_NO_SPACE, "no space for a message on its way in")
                   : ERR(ERR_IO, "no file for a message on its way in");
    spool->fd = fd;
    spool->size = 0;
    struct err e = write_all(spool, buf_slice(&spool->memory));
    spool->size = size;
    if (failed(e)) {
        close(fd);
        spool->fd = -1;
        return e;
    }
    buf_done(&spool->memory);
    return OK;
}

struct err store_spool_put(struct store_spool *spool, struct slice bytes)
{
    if (bytes.len > spool->max - spool->size)
        return ERR(ERR_TOO_BIG, "the message is larger than is allowed");
    if (spool->fd < 0 && bytes.len > buf_room(&spool->memory)) {
        struct err e = spill(spool);

        if (failed(e))
            return e;
    }
    if (spool->fd < 0) {
        buf_put(&spool->memory, bytes);
    } else {
        struct err e = write_all(spool, bytes);

        if (failed(e))
            return e;
        unmap(spool);
    }
    spool->size += bytes.len;
    return OK;
}

uint64_t store_spool_size(const struct store_spool *spool)
{
    return spool->size;
}

struct err store_spool_bytes(struct store_spool *spool, struct slice *out)
{
    if (spool->fd < 0) {
        *out = buf_slice(&spool->memory);
        return OK;
    }
    if (!spool->map) {
        /* Read only, and nobody else has the file: its pages cannot go away under the parser. */
        void *map = mmap(NULL, (size_t)spool->size, PROT_READ, MAP_PRIVATE, spool->fd, 0);

        if (map == MAP_FAILED)
            return ERR(ERR_IO, "a message on its way in could not be mapped");
        spool->map = map;
        spool->map_len = (size_t)spool->size;
    }
    *out = slice_of(spool->map, spool->map_len);
    return OK;
}
