#include "base/file.h"

#include <errno.h>
#include <unistd.h>

int file_write(int fd, struct slice bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        bytes = slice_from(bytes, (size_t)n);
    }
    return 0;
}
