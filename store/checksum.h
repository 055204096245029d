/*
 * checksum.h - a checksum for row groups and bodies, where whoever reads much pays for it.
 *
 * The CRC-32C of the CRC-32Cs (little-endian) of three lanes of 8-byte words, word i in lane
 * i mod 3: a processor works on three lanes at once, at three times the rate of one. Zeros make
 * the last word whole, so the length must be known or summed elsewhere.
 *
 * Threads    Pure functions: any thread.
 */
#ifndef GATEPOST_STORE_CHECKSUM_H
#define GATEPOST_STORE_CHECKSUM_H

#include "base/slice.h"

uint32_t checksum_lanes(struct slice bytes);

/* The same, never with the processor's instruction: for tests. */
uint32_t checksum_lanes_portable(struct slice bytes);

#endif
