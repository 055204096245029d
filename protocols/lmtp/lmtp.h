/*
 * lmtp.h - LMTP: how mail comes in (RFC 2033), with PIPELINING, ENHANCEDSTATUSCODES (RFC 2034,
 * 3463), 8BITMIME (RFC 6152), CHUNKING and BINARYMIME (RFC 3030), SMTPUTF8 (RFC 6531), SIZE
 * (RFC 1870) and STARTTLS (RFC 3207).
 *
 * After the message there is one reply per recipient, in the order of RCPT, and a 250 is said when
 * the message is durable in that recipient's Inbox. All recipients share one stored copy; two
 * addresses that mean one mailbox get the message once. docs/protocols/lmtp.md lists commands,
 * replies and what is added to a message.
 *
 * Threads    As protocols/session.h says.
 */
#ifndef GATEPOST_PROTOCOLS_LMTP_LMTP_H
#define GATEPOST_PROTOCOLS_LMTP_LMTP_H

#include "protocols/session.h"

struct session *lmtp_session_new(const struct session_env *env) MUST_USE;

#endif
