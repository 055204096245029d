#include "gateway/audit_kind.h"

#include <stdio.h>

struct audit_kind audit_kind_of(const char *protocol, enum auth_reason reason,
                                struct slice mechanism)
{
    struct audit_kind kind;

    if (reason == AUTH_BAD_MECHANISM)
        mechanism = S("other");
    else if (mechanism.len == 0)
        mechanism = S("none");
    snprintf(kind.text, sizeof kind.text, "%s %s %.*s", protocol, auth_reason_name(reason),
             SLICE_ARG(mechanism));
    return kind;
}

bool audit_reason_of(struct slice name, enum auth_reason *out)
{
    for (int reason = 0; reason < AUTH_REASON_COUNT; reason++)
        if (slice_eq(name, slice_str(auth_reason_name((enum auth_reason)reason)))) {
            *out = (enum auth_reason)reason;
            return true;
        }
    return false;
}

bool audit_kind_split(struct slice kind, struct slice *protocol, enum auth_reason *reason,
                      struct slice *mechanism)
{
    *protocol = slice_cut(&kind, ' ');
    bool known = audit_reason_of(slice_cut(&kind, ' '), reason);
    *mechanism = kind;
    return known && protocol->len && mechanism->len;
}

struct slice audit_member(const json_t *record, const char *name)
{
    const json_t *text = json_object_get(record, name);

    return slice_of(json_string_value(text), json_string_length(text));
}

bool audit_record_kind(const json_t *record, struct audit_kind *out)
{
    const char *protocol = json_string_value(json_object_get(record, "protocol"));
    enum auth_reason reason;

    if (!protocol || !audit_reason_of(audit_member(record, "reason"), &reason))
        return false;
    *out = audit_kind_of(protocol, reason, audit_member(record, "mechanism"));
    return true;
}

uint32_t audit_record_latency(const json_t *record)
{
    json_int_t us = json_integer_value(json_object_get(record, "latency_us"));

    return us < 0 ? 0 : us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

bool audit_is_verdict(enum auth_reason reason)
{
    return reason != AUTH_LOST && reason != AUTH_TOO_MANY && reason != AUTH_NO_MAILBOX;
}
