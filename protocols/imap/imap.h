/*
 * imap.h - IMAP4rev1 (RFC 3501) and IMAP4rev2 (RFC 9051) as a session over bytes.
 */
#ifndef GATEPOST_PROTOCOLS_IMAP_IMAP_H
#define GATEPOST_PROTOCOLS_IMAP_IMAP_H

#include "protocols/session.h"

/* See session.h for how it is driven. `env` outlives the session. */
struct session *imap_session_new(const struct session_env *env) MUST_USE;

#endif
