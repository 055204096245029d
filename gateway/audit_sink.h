/*
 * audit_sink.h - where records of log-ons go: a file before the answer, the store soon after.
 *
 * The file has one JSON line for each record, written by one write() on the thread that sealed the
 * verdict; it survives the death of the process. A thread of the sink's own appends the records to
 * the store in groups; at start it takes over what the file has and the store has not.
 *
 * A log-on is answered also where its record cannot be written (a full disk): how many records the
 * file lacks is counted, and told in the log when it can be written again.
 *
 * Threads    The sink's record() may be called on any thread.
 */
#ifndef GATEPOST_GATEWAY_AUDIT_SINK_H
#define GATEPOST_GATEWAY_AUDIT_SINK_H

#include "auth/auth.h"
#include "store/audit.h"

struct audit_sink;

/*
 * `path` NULL or "": no file, the store alone. `keep_ms`: how long the store keeps records; 0: for
 * ever. ERR_IO: the file cannot be opened.
 */
struct err audit_sink_new(const char *path, uint64_t keep_ms, struct engine *engine,
                          struct log *log, struct audit_sink **out) MUST_USE;
struct auth_sink *audit_sink_face(struct audit_sink *sink);

/* Could the file of that path be opened? ERR_IO. */
struct err audit_sink_try(const char *path) MUST_USE;

/*
 * Open the file anew, after rotation or with a new configuration. On failure the old one goes on.
 */
struct err audit_sink_reopen(struct audit_sink *sink, const char *path, uint64_t keep_ms) MUST_USE;

struct audit_sink_stats {
    uint64_t records;
    uint64_t file_lost;  /* the file did not take them, or not whole */
    uint64_t store_lost; /* the store's copy has not got them, and will not before a restart */
    uint64_t waiting;    /* on their way into the store */
};

/* Since it was opened. */
void audit_sink_stats(struct audit_sink *sink, struct audit_sink_stats *out);

/* Brings what waits into the store first. */
void audit_sink_free(struct audit_sink *sink);

#endif
