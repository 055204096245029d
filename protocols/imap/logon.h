/*
 * logon.h - LOGIN and AUTHENTICATE (logon.c).
 *
 * The attempt's verdict is sealed and recorded by auth before the client is answered. What comes
 * after it, the count of sessions and the opening of the mailbox, has its own events and answers.
 */
#ifndef GATEPOST_PROTOCOLS_IMAP_LOGON_H
#define GATEPOST_PROTOCOLS_IMAP_LOGON_H

#include "protocols/imap/imap_int.h"

struct imap_logon *imap_logon_begin(struct imap_session *s) MUST_USE;

/* The session ends, or is logged on: s->logon is NULL after it. Nothing is called back. */
void imap_logon_end(struct imap_session *s);

/* What the client calls itself (ID); empty: forget it. */
void imap_set_client_name(struct imap_session *s, struct slice name);

#endif
