/*
 * answers.h - how a verdict and an error of the store are told in each protocol.
 *
 * One table per kind, one row per reason or code, one column per protocol: so the same fact is
 * told alike behind every door, and a store in trouble is never told as a wrong password or as an
 * empty mailbox. A client learns no more than it may know: reasons that would tell an unknown
 * user from a wrong secret share one text.
 *
 *   POP3   response codes of RFC 2449 8 ([IN-USE]) and RFC 3206 ([AUTH], [SYS/TEMP], [SYS/PERM])
 *   IMAP   response codes of RFC 5530, RFC 7889 ([TOOBIG]) and RFC 9051 7.1
 *   LMTP   replies of RFC 5321 4.2 with the enhanced codes of RFC 3463
 *   HTTP   statuses of RFC 9110 15; the texts are the engine's (protocols/http/reply.c)
 *
 * Threads    Constant data: any thread.
 * Ownership  All strings are static.
 */
#ifndef GATEPOST_PROTOCOLS_ANSWERS_H
#define GATEPOST_PROTOCOLS_ANSWERS_H

#include "auth/auth.h"
#include "base/err.h"

enum answer_status { ANSWER_OK, ANSWER_NO, ANSWER_BAD };

/* What a client is told of a verdict. Texts are for people, codes for programs. */
struct answer_verdict {
    const char *pop3; /* behind "+OK " or "-ERR ", with its response code */
    enum answer_status imap_status;
    const char *imap_code; /* "[AUTHENTICATIONFAILED]", or NULL */
    const char *imap;      /* the text */
    unsigned http;         /* the status; 401 asks for a log-on */
};

/*
 * The answer to a verdict, or to an event after a good one (AUTH_TOO_MANY, AUTH_NO_MAILBOX).
 * AUTH_LOST has one too, for completeness; nobody is there to read it.
 */
const struct answer_verdict *answer_verdict(enum auth_reason reason);

/* What a client is told of a failed operation. There is a row for ERR_NONE too: success. */
struct answer_err {
    const char *pop3; /* behind "-ERR ", with its response code */
    enum answer_status imap_status;
    const char *imap_code; /* or NULL */
    const char *imap;      /* the text */
    const char *lmtp;      /* the whole reply of one recipient, without CRLF */
};

const struct answer_err *answer_err(enum err_code code);

#endif
