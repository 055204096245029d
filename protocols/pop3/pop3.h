/*
 * pop3.h - POP3: RFC 1939, with CAPA and response codes (RFC 2449, 3206), STLS (RFC 2595), SASL
 * (RFC 5034), UTF8 and LANG (RFC 6856).
 *
 * A session has no lock on its mailbox: it works on the Inbox as it was at log-on, beside other
 * sessions of every protocol. Its message numbers do not change; a message that somebody else
 * removed meanwhile is treated as one that was deleted here. DELE takes effect at QUIT alone, and
 * QUIT is answered when the removal is durable. docs/protocols/pop3.md lists commands and answers.
 *
 * Threads    As protocols/session.h says.
 */
#ifndef GATEPOST_PROTOCOLS_POP3_POP3_H
#define GATEPOST_PROTOCOLS_POP3_POP3_H

#include "protocols/session.h"

struct session *pop3_session_new(const struct session_env *env) MUST_USE;

#endif
