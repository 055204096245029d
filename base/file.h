/*
 * file.h - whole writes to a descriptor that blocks.
 *
 * Threads    Any.
 */
#ifndef GATEPOST_BASE_FILE_H
#define GATEPOST_BASE_FILE_H

#include "base/slice.h"

/* Write all of it, whatever signals come. 0, or an errno; then a part may be written. */
int file_write(int fd, struct slice bytes) MUST_USE;

#endif
