/*
 * engine_lmdb.h - the engine that keeps its bytes in one LMDB environment on this machine.
 *
 * It always owns every partition. One thread writes: it takes all that waits, runs each batch in
 * a child transaction, commits once, durably, and only then answers. Several processes may have
 * the same directory open at once; each sees the commits of the others, and its watches fire for
 * them. The directory has to be on a local file system.
 *
 *   DIR/data.mdb, lock.mdb   LMDB's
 *   DIR/open.lock            flock'd: shared by every process that has the store open,
 *                            exclusively by one that compacts it
 *   DIR/pins.lock            byte 0 is locked by processes that have pinned a blob, see
 *                            engine_lmdb_sweep.c
 *   DIR/watch/               a datagram socket of each process, see engine_lmdb_peers.c
 *   DIR/suspect              a process died while it had the store open, and LMDB may be why: the
 *                            next opening looks at every page, see engine_lmdb_pages.c
 *
 * Threads    engine_lmdb_open() and engine_lmdb_compact(): any, but no two at once for one
 *            directory. LMDB forbids using an engine across fork().
 */
#ifndef GATEPOST_STORE_ENGINE_ENGINE_LMDB_H
#define GATEPOST_STORE_ENGINE_ENGINE_LMDB_H

#include "base/log.h"
#include "store/engine/engine.h"

struct engine_lmdb_config {
    const char *dir;
    uint64_t map_bytes; /* address space, and so the largest size of the file; 0: 1 TiB, or as
                           much as the process may have */
    bool create;        /* make the directory and an empty store where there is none */
};

/*
 * Errors: ERR_NOT_FOUND (no store there, and not `create`), ERR_UNSUPPORTED (a format version that
 * this program does not know), ERR_CORRUPT (not an LMDB file, not ours, or damaged), ERR_DENIED,
 * ERR_CONFLICT (this process has it open already), ERR_UNAVAILABLE (it is being compacted).
 */
struct err engine_lmdb_open(const struct engine_lmdb_config *config, struct log *log,
                            struct engine **out) MUST_USE;

/*
 * Rewrite the file of a store that nobody has open, without its free pages. The old file stays
 * until the new one is complete and durable. ERR_UNAVAILABLE: some process has it open.
 */
struct err engine_lmdb_compact(const char *dir, struct log *log) MUST_USE;

/*
 * For a handler of SIGBUS, SIGSEGV and SIGABRT: leave DIR/suspect in every store that this process
 * has open. Async-signal-safe.
 */
void engine_lmdb_suspect(void);

#endif
