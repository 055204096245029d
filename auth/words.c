/* words.c - the names of protocols, stages and reasons, as records and tools print them. */
#include "auth/auth.h"

const char *auth_protocol_name(enum auth_protocol protocol)
{
    switch (protocol) {
    case AUTH_POP3:
        return "pop3";
    case AUTH_IMAP:
        return "imap";
    case AUTH_MAPI:
        return "mapi";
    case AUTH_LMTP:
        return "lmtp";
    case AUTH_OPS:
        return "ops";
    }
    return "unknown";
}

const char *auth_stage_name(enum auth_stage stage)
{
    switch (stage) {
    case AUTH_STAGE_TRANSPORT:
        return "transport";
    case AUTH_STAGE_SYNTAX:
        return "syntax";
    case AUTH_STAGE_MECHANISM:
        return "mechanism";
    case AUTH_STAGE_IDENTITY:
        return "identity";
    case AUTH_STAGE_CREDENTIAL:
        return "credential";
    case AUTH_STAGE_POLICY:
        return "policy";
    case AUTH_STAGE_OK:
        return "ok";
    }
    return "unknown";
}

struct reason_row {
    const char *name;
    enum auth_stage stage;
    unsigned event;
};

static const struct reason_row reasons[AUTH_REASON_COUNT] = {
#define AUTH_REASON_AS_ROW(reason, name, stage, event) [reason] = {name, stage, event},
    AUTH_REASONS(AUTH_REASON_AS_ROW)
#undef AUTH_REASON_AS_ROW
};

const char *auth_reason_name(enum auth_reason reason)
{
    return reasons[reason].name;
}

enum auth_stage auth_reason_stage(enum auth_reason reason)
{
    return reasons[reason].stage;
}

unsigned auth_reason_event(enum auth_reason reason)
{
    return reasons[reason].event;
}
