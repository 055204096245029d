#include "protocols/answers.h"

/* Everything that is a matter of name and secret: one text, whatever it was. */
#define LOGIN_FAILURE                                                                              \
    {                                                                                              \
        "[AUTH] LOGIN FAILURE", ANSWER_NO, "[AUTHENTICATIONFAILED]", "LOGIN FAILURE", 401          \
    }

/* clang-format off */
static const struct answer_verdict verdicts[AUTH_REASON_COUNT] = {
    [AUTH_OK] = {"Logged on", ANSWER_OK, NULL, "Logged on", 200},
    [AUTH_WRONG_SECRET] = LOGIN_FAILURE,
    [AUTH_UNKNOWN_USER] = LOGIN_FAILURE,
    [AUTH_AMBIGUOUS_NAME] = LOGIN_FAILURE,
    [AUTH_BAD_NAME] = LOGIN_FAILURE,
    [AUTH_LOCKED] = LOGIN_FAILURE,
    /* The actor's own secret was right, so he may know (RFC 5530 3, AUTHORIZATIONFAILED). */
    [AUTH_NOT_AUTHORIZED] = {"[AUTH] Not allowed to act for that user",
        ANSWER_NO, "[AUTHORIZATIONFAILED]", "Not allowed to act for that user", 403},
    [AUTH_EXPIRED] = {"[AUTH] The password has expired",
        ANSWER_NO, "[EXPIRED]", "The password has expired", 401},
    [AUTH_PROTOCOL_OFF] = {"[AUTH] POP3 is switched off for this user",
        ANSWER_NO, "[AUTHORIZATIONFAILED]", "IMAP is switched off for this user", 403},
    [AUTH_NEEDS_TLS] = {"[SYS/PERM] STLS first: passwords are taken under TLS only",
        ANSWER_NO, "[PRIVACYREQUIRED]", "STARTTLS first: passwords are taken under TLS only", 403},
    [AUTH_BACK_OFF] = {"[SYS/TEMP] Too many failed attempts, try again later",
        ANSWER_NO, "[UNAVAILABLE]", "Too many failed attempts, try again later", 503},
    [AUTH_UNAVAILABLE] = {"[SYS/TEMP] The password cannot be checked now, try again later",
        ANSWER_NO, "[UNAVAILABLE]", "The password cannot be checked now, try again later", 503},
    [AUTH_BUSY] = {"[SYS/TEMP] The server is busy, try again later",
        ANSWER_NO, "[UNAVAILABLE]", "The server is busy, try again later", 503},
    [AUTH_BAD_MECHANISM] = {"No such authentication mechanism here",
        ANSWER_NO, "[CANNOT]", "No such authentication mechanism here", 401},
    [AUTH_BAD_EXCHANGE] = {"The authentication exchange was malformed",
        ANSWER_BAD, NULL, "The authentication exchange was malformed", 401},
    /* Not the client's password but something between him and us: no [AUTH]. */
    [AUTH_BAD_BINDING] = {"[SYS/PERM] Channel binding does not match this connection",
        ANSWER_NO, "[PRIVACYREQUIRED]", "Channel binding does not match this connection", 403},
    [AUTH_CANCELLED] = {"Authentication cancelled",
        ANSWER_BAD, NULL, "Authentication cancelled", 401}, /* RFC 9051 6.2.2 */
    [AUTH_LOST] = {"[SYS/TEMP] Connection lost",
        ANSWER_NO, "[UNAVAILABLE]", "Connection lost", 503},
    [AUTH_TOO_MANY] = {"[IN-USE] This user has too many sessions from this address",
        ANSWER_NO, "[LIMIT]", "This user has too many sessions from this address", 503},
    [AUTH_NO_MAILBOX] = {"[SYS/TEMP] The mailbox cannot be opened now, try again later",
        ANSWER_NO, "[UNAVAILABLE]", "The mailbox cannot be opened now, try again later", 503},
};

static const struct answer_err errors[ERR_COUNT] = {
    [ERR_NONE] = {"Done",
        ANSWER_OK, NULL, "Done",
        "250 2.0.0 Delivered"},
    [ERR_NOT_FOUND] = {"No such message",
        ANSWER_NO, "[NONEXISTENT]", "There is no such thing",
        "550 5.1.1 No such user here"},
    [ERR_EXISTS] = {"There is one already",
        ANSWER_NO, "[ALREADYEXISTS]", "There is one already",
        "451 4.3.0 Try again later"},
    /* Of a recipient: his name means more than one account. */
    [ERR_CONFLICT] = {"[SYS/TEMP] Somebody else changed it first",
        ANSWER_NO, "[INUSE]", "Somebody else changed it first",
        "550 5.1.4 This address is ambiguous here"},
    [ERR_INVALID] = {"The request makes no sense",
        ANSWER_NO, "[CANNOT]", "That name or value cannot be used",
        "553 5.1.3 This cannot be an address here"},
    [ERR_SYNTAX] = {"Syntax error",
        ANSWER_BAD, "[CLIENTBUG]", "Syntax error",
        "501 5.5.4 Syntax error"},
    [ERR_TOO_BIG] = {"[SYS/PERM] Too big",
        ANSWER_NO, "[TOOBIG]", "Too big",
        "552 5.3.4 The message is too big for this server"},
    [ERR_LIMIT] = {"[SYS/PERM] A limit was met",
        ANSWER_NO, "[LIMIT]", "A limit was met",
        "452 4.5.3 A limit was met"},
    [ERR_QUOTA] = {"[SYS/PERM] The mailbox is over its quota",
        ANSWER_NO, "[OVERQUOTA]", "The mailbox is over its quota",
        "552 5.2.2 The mailbox is full"},
    [ERR_NO_SPACE] = {"[SYS/TEMP] The server has no space left",
        ANSWER_NO, "[UNAVAILABLE]", "The server has no space left",
        "452 4.3.1 The server has no space left"},
    [ERR_DENIED] = {"[SYS/PERM] Not permitted",
        ANSWER_NO, "[NOPERM]", "Not permitted",
        "550 5.7.1 Not permitted"},
    [ERR_UNSUPPORTED] = {"[SYS/PERM] Not supported",
        ANSWER_NO, "[CANNOT]", "Not supported",
        "554 5.3.3 Not supported"},
    [ERR_UNAVAILABLE] = {"[SYS/TEMP] The mailbox cannot be reached now, try again later",
        ANSWER_NO, "[UNAVAILABLE]", "The mailbox cannot be reached now, try again later",
        "451 4.3.0 The mailbox cannot be reached now"},
    [ERR_UNKNOWN_END] = {"[SYS/TEMP] It is not known whether this was done, look again",
        ANSWER_NO, "[UNAVAILABLE]", "It is not known whether this was done, look again",
        "451 4.3.0 It is not known whether this was stored"},
    [ERR_TIMEOUT] = {"[SYS/TEMP] It took too long, try again later",
        ANSWER_NO, "[UNAVAILABLE]", "It took too long, try again later",
        "451 4.3.0 It took too long"},
    [ERR_CANCELED] = {"[SYS/TEMP] It was given up, try again later",
        ANSWER_NO, "[UNAVAILABLE]", "It was given up, try again later",
        "451 4.3.0 It was given up"},
    [ERR_CORRUPT] = {"[SYS/PERM] Stored data is damaged, tell the administrator",
        ANSWER_NO, "[CORRUPTION]", "Stored data is damaged, tell the administrator",
        "451 4.3.0 The mailbox is damaged"},
    [ERR_IO] = {"[SYS/TEMP] The server's disk reports errors, try again later",
        ANSWER_NO, "[UNAVAILABLE]", "The server's disk reports errors, try again later",
        "451 4.3.0 The server's disk reports errors"},
};
/* clang-format on */

const struct answer_verdict *answer_verdict(enum auth_reason reason)
{
    return &verdicts[reason];
}

const struct answer_err *answer_err(enum err_code code)
{
    return &errors[code];
}
