/*
 * system.h - the engine's system partition: what accounts and audit records share.
 *
 * Keys of the system partition begin with one of these bytes:
 *
 *   'A' name                          account, as JSON
 *   'L' alias                         name of the account
 *   'R' hash of name u64              name of the account: see accounts_near()
 *   'K' purpose                       32 random bytes
 *   'T' time u64, number u32          audit record (audit.c)
 *   'U' user 0x00 time u64, number    (empty) the same record by user
 *   'S' hour u32, user 0x00 kind      how many records: count u64, time of the last u64
 *   'H' hour u32, kind                how long they took: 128 times u32 (audit_counts.c)
 *   'O' user 0x00 door                last log-on: time u64, record (audit_last.c)
 *   'N'                               next mailbox id, u64 (store.h)
 *   'Q' 'W' 'M'                       mail that waits to be handed on (queue.c)
 */
#ifndef GATEPOST_STORE_SYSTEM_H
#define GATEPOST_STORE_SYSTEM_H

#include "base/err.h"
#include "store/engine/engine.h"

/* Open a partition and wait for it: not on a worker. */
struct err partition_open_now(struct engine *engine, uint64_t id,
                              struct engine_partition **out) MUST_USE;

/* The system partition, likewise. */
struct err system_open(struct engine *engine, struct engine_partition **out) MUST_USE;

/* Submit the batch (partition, run and inputs filled in) and wait for its end. */
struct err system_commit(struct engine *engine, struct engine_batch *batch) MUST_USE;

#endif
