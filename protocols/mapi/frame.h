/*
 * frame.h - the header that every ROP buffer and auxiliary buffer wears: RPC_HEADER_EXT
 * ([MS-OXCRPC] 2.2.2.1), with its compression and its mask.
 *
 * Threads    Pure functions: any thread.
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_FRAME_H
#define GATEPOST_PROTOCOLS_MAPI_FRAME_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum {
    FRAME_HEADER = 8,
    FRAME_PAYLOAD_MAX = 0x8000, /* uncompressed ([MS-OXCRPC] 3.1.4.2.1) */
};

/*
 * The payload of a buffer that is one header and what follows, unmasked and decompressed. It is
 * a part of `in` where nothing had to be done, else it lives in the arena.
 * ERR_SYNTAX: malformed, not the last of its buffer, or bytes behind it.
 */
struct err frame_read(struct slice in, struct arena *arena, struct slice *payload) MUST_USE;

/* `payload` behind a header that says that it is the last; at most 65,535 bytes. */
void frame_put(struct buf *out, struct slice payload);

#endif
