/*
 * lz77.h - the compression of extended buffers: DIRECT2 ([MS-OXCRPC] 3.1.4.1.1.2), which is the
 * plain LZ77 of [MS-XCA] 2.3 and 2.4.
 *
 * Threads    Pure functions: any thread.
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_LZ77_H
#define GATEPOST_PROTOCOLS_MAPI_LZ77_H

#include "base/slice.h"

/* Fill `size` bytes at `out`. False: the input is malformed, or does not give just that many. */
bool lz77_decompress(struct slice in, uint8_t *out, size_t size) MUST_USE;

#endif
