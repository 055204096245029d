/*
 * identity.h - whom the daemon and its tools run as.
 *
 * What root opened stays open; what comes later is the user's. So the daemon binds first, and what
 * it opens again later (log, certificates) must be the user's to open.
 */
#ifndef GATEPOST_GATEWAY_IDENTITY_H
#define GATEPOST_GATEWAY_IDENTITY_H

#include "base/buf.h"
#include "base/err.h"

/*
 * Become the user of this name for good. NULL, or we are not root: stay who we are.
 * ERR_NOT_FOUND, ERR_DENIED: `why` gets a sentence.
 */
struct err identity_become(const char *name, struct buf *why) MUST_USE;

/*
 * Before that: give a directory that it will write in to the user, made where it is not there; a
 * directory that is there keeps its owner. `why` as above.
 */
struct err identity_own_directory(const char *path, const char *name, struct buf *why) MUST_USE;

/* Likewise a file that we have opened and the user will open again. */
void identity_own_file(const char *path, const char *name);

#endif
