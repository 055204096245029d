/*
 * crc32c.h - the CRC-32C of bytes (Castagnoli; RFC 3720 12.1), for finding damage in stored data.
 *
 * Uses the processor's instruction where there is one, found out when first called.
 *
 * Threads    Any thread.
 */
#ifndef GATEPOST_BASE_CRC32C_H
#define GATEPOST_BASE_CRC32C_H

#include "base/slice.h"

/* crc32c(crc32c(0, a), b) is the sum of a and b joined. */
uint32_t crc32c(uint32_t crc, struct slice bytes);

/* The same, never with the processor's instruction: for tests. */
uint32_t crc32c_portable(uint32_t crc, struct slice bytes);

#endif
