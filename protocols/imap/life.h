/*
 * life.h - the life of a command, from its first byte to its tagged line (session.c, life.c).
 */
#ifndef GATEPOST_PROTOCOLS_IMAP_LIFE_H
#define GATEPOST_PROTOCOLS_IMAP_LIFE_H

#include "protocols/imap/imap_int.h"

/* A new s->cmd that may collect up to `max_bytes`. */
void imap_cmd_begin(struct imap_session *s, size_t max_bytes);

/* The session has no command any more; it is freed, now or after the last awaited answer. */
void imap_cmd_end(struct imap_session *s);

/* Put the tagged line. */
void imap_put_tagged(struct imap_session *s, const struct imap_cmd *c);

/* Close as soon as may be, saying "* BYE why"; `why` is a literal, with a code where it needs one.
 */
void imap_bye(struct imap_session *s, const char *why);

#endif
