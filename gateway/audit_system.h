/*
 * audit_system.h - records of log-ons for the journal and for syslog, beside the audit file.
 *
 * The journal gets each record in fields (GATEPOST_REASON=wrong-secret; systemd's native protocol),
 * syslog as a line of RFC 3164 in facility authpriv; the message is the JSON line in both. Whoever
 * takes them does not hold up a log-on: what its socket has no room for is lost there, counted, and
 * told in the log once.
 *
 * Stands before another sink, which gets every record first.
 *
 * Threads    Any.
 */
#ifndef GATEPOST_GATEWAY_AUDIT_SYSTEM_H
#define GATEPOST_GATEWAY_AUDIT_SYSTEM_H

#include "auth/auth.h"

struct audit_system;

/* Paths of sockets; "" or NULL: none. Nothing needs to listen there yet. */
struct audit_system *audit_system_new(const char *journal, const char *syslog,
                                      struct auth_sink *next, struct log *log) MUST_USE;
void audit_system_free(struct audit_system *system); /* NULL is fine */
struct auth_sink *audit_system_face(struct audit_system *system);

/* A new configuration. */
void audit_system_reopen(struct audit_system *system, const char *journal, const char *syslog);

/* One datagram for each; exposed for tests. */
void audit_put_journal(struct buf *out, const struct auth_record *record, struct slice line);
void audit_put_syslog(struct buf *out, const struct auth_record *record, struct slice line);

#endif
