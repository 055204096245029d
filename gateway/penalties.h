/*
 * penalties.h - who must wait is written down now and then, so that a restart forgives nobody: the
 * file "penalties" in the store's directory, for the daemon's own user.
 *
 * Threads    One: the daemon's main thread.
 */
#ifndef GATEPOST_GATEWAY_PENALTIES_H
#define GATEPOST_GATEWAY_PENALTIES_H

#include "auth/auth.h"

struct penalties;

/* Takes over what the last daemon wrote; a file that is damaged is told in the log, and begun anew.
 * Everything outlives it. */
struct penalties *penalties_new(const char *dir, struct auth *auth, struct log *log) MUST_USE;

/* Write down what has changed; what is as it was costs nothing. */
void penalties_save(struct penalties *penalties);

/* Saves. Before auth_free(); NULL is fine. */
void penalties_free(struct penalties *penalties);

#endif
