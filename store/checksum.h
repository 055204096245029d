/*
 * checksum.h - a checksum for row groups, where every walk over a folder pays for it.
 *
 * The CRC-32C of the CRC-32Cs (little-endian) of three lanes of 8-byte words, word i in lane
 * i mod 3: a processor works on three lanes at once, at three times the rate of one.
 *
 * Threads    Pure functions: any thread.
 */
#ifndef GATEPOST_STORE_CHECKSUM_H
#define GATEPOST_STORE_CHECKSUM_H

#include "base/slice.h"

/* The length is a multiple of 8. */
uint32_t checksum_lanes(struct slice words);

/* The same, never with the processor's instruction: for tests. */
uint32_t checksum_lanes_portable(struct slice words);

#endif
