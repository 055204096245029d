/*
 * logon_counters.h - how many log-ons ended how: counted as their records go by.
 *
 * Stands before another sink. Every thread counts in a part of its own; parts are added up when
 * somebody asks. A mechanism that does not exist is counted as "other", whatever it was called.
 *
 * Threads    record() and the reading may be called on any thread, without locks.
 */
#ifndef GATEPOST_GATEWAY_LOGON_COUNTERS_H
#define GATEPOST_GATEWAY_LOGON_COUNTERS_H

#include "auth/auth.h"
#include "base/arena.h"
#include "protocols/ops/ops.h"

struct logon_counters;

/* `next` gets every record after it was counted. */
struct logon_counters *logon_counters_new(struct auth_sink *next) MUST_USE;
void logon_counters_free(struct logon_counters *counters);
struct auth_sink *logon_counters_face(struct logon_counters *counters);

/* Rows of log-ons and latencies, in the arena. */
void logon_counters_read(struct logon_counters *counters, struct arena *in,
                         struct ops_figures *out);

#endif
