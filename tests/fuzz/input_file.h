/*
 * input_file.h - the fuzzer's input as a file, for what reads files.
 */
#ifndef GATEPOST_TESTS_FUZZ_INPUT_FILE_H
#define GATEPOST_TESTS_FUZZ_INPUT_FILE_H

#include <fcntl.h>
#include <unistd.h>

#include "tests/support/test.h"

/* Under a directory of this process, which is left behind; the path is good until the next call. */
static inline const char *input_file(const char *name, const uint8_t *data, size_t size)
{
    static char *dir;
    static char path[1000];

    if (!dir)
        dir = test_dir_new();
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    close(fd);
    return path;
}

#endif
