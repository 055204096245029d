#include "gateway/serving.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

static int open_lock(const char *dir, int flags)
{
    char path[4096];
    int len = snprintf(path, sizeof path, "%s/serving", dir);

    return len < 0 || (size_t)len >= sizeof path ? -1 : open(path, flags | O_CLOEXEC, 0600);
}

struct err serving_begin(const char *dir, int *fd)
{
    int lock = open_lock(dir, O_RDWR | O_CREAT);

    if (lock < 0)
        return ERR(ERR_IO, "the file that says who serves the store cannot be opened");
    if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
        close(lock);
        return ERR(ERR_EXISTS, "another daemon serves this store");
    }
    *fd = lock;
    return OK;
}

bool serving_is(const char *dir)
{
    int lock = open_lock(dir, O_RDONLY);

    if (lock < 0)
        return false;
    bool held = flock(lock, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(lock);
    return held;
}
