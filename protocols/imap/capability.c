#include "protocols/imap/command.h"

/* clang-format off */
const struct imap_capability imap_capabilities[] = {
    {"IMAP4rev2", 0, "RFC 9051"},
    {"IMAP4rev1", 0, "RFC 3501"},
    {"STARTTLS", WHEN_OUT | WHEN_TLS, "RFC 9051 6.2.1"},
    {"LOGINDISABLED", WHEN_OUT | WHEN_NO_PLAIN, "RFC 9051 6.2.3"},
    {"SASL-IR", WHEN_OUT, "RFC 4959"},
    {"LITERAL-", WHEN_OUT, "RFC 7888 5"},
    {"LITERAL+", WHEN_IN, "RFC 7888 4"},
    {"ID", 0, "RFC 2971"},
    {"ENABLE", 0, "RFC 5161"},
    {"IDLE", 0, "RFC 2177"}, /* imaplib and others look for it before log-on, and never again */
    {"NAMESPACE", WHEN_IN, "RFC 2342"},
    {"CHILDREN", WHEN_IN, "RFC 3348"},
    {"LIST-EXTENDED", WHEN_IN, "RFC 5258"},
    {"LIST-STATUS", WHEN_IN, "RFC 5819"},
    {"SPECIAL-USE", WHEN_IN, "RFC 6154 2"},
    {"CREATE-SPECIAL-USE", WHEN_IN, "RFC 6154 3"},
    {"UNSELECT", WHEN_IN, "RFC 3691"},
    {"UIDPLUS", WHEN_IN, "RFC 4315"},
    {"MOVE", WHEN_IN, "RFC 6851"},
    {"MULTIAPPEND", WHEN_IN, "RFC 3502"},
    {"BINARY", WHEN_IN, "RFC 3516"},
    {"ESEARCH", WHEN_IN, "RFC 4731"},
    {"SEARCHRES", WHEN_IN, "RFC 5182"},
    {"WITHIN", WHEN_IN, "RFC 5032"},
    {"SAVEDATE", WHEN_IN, "RFC 8514"},
    {"CONDSTORE", WHEN_IN, "RFC 7162 3.1"},
    {"QRESYNC", WHEN_IN, "RFC 7162 3.2"},
    {"UTF8=ACCEPT", WHEN_IN, "RFC 6855 3"},
    {"OBJECTID", WHEN_IN, "RFC 8474"},
    {"STATUS=SIZE", WHEN_IN, "RFC 8438"},
    {"APPENDLIMIT", WHEN_IN | WHEN_LIMIT, "RFC 7889"},
    {"COMPRESS=DEFLATE", WHEN_IN | WHEN_COMPRESS, "RFC 4978"},
};
/* clang-format on */

const size_t imap_capabilities_n = sizeof imap_capabilities / sizeof *imap_capabilities;

static bool holds(const struct imap_session *s, unsigned when)
{
    bool out = s->state == STATE_NOT_AUTHENTICATED;

    return !((when & WHEN_OUT && !out) || (when & WHEN_IN && out) ||
             (when & WHEN_TLS && (!s->env->tls_available || s->env->peer->tls)) ||
             (when & WHEN_COMPRESS && !s->env->compress_ok && !s->compressed) ||
             (when & WHEN_NO_PLAIN && auth_plaintext_allowed(s->env->peer)));
}

bool imap_has(const struct imap_session *s, const char *capability)
{
    if (!capability)
        return true;
    for (size_t i = 0; i < imap_capabilities_n; i++)
        if (strcmp(imap_capabilities[i].name, capability) == 0)
            return holds(s, imap_capabilities[i].when);
    return false;
}

void imap_put_capabilities(const struct imap_session *s, struct buf *out)
{
    const char *mechanisms[32];
    const char *separator = "";

    for (size_t i = 0; i < imap_capabilities_n; i++) {
        const struct imap_capability *cap = &imap_capabilities[i];

        if (!holds(s, cap->when) || cap->when & WHEN_SILENT)
            continue;
        if (cap->when & WHEN_COMPRESS && s->compressed)
            continue; /* RFC 4978 3 */
        buf_puts(out, separator);
        buf_puts(out, cap->name);
        if (cap->when & WHEN_LIMIT)
            buf_printf(out, "=%llu", (unsigned long long)imap_max_message(s));
        separator = " ";
    }
    if (s->state != STATE_NOT_AUTHENTICATED)
        return;
    size_t n = auth_mechanisms(s->env->auth, s->env->peer, mechanisms, 32);
    for (size_t i = 0; i < n; i++)
        buf_printf(out, " AUTH=%s", mechanisms[i]);
}
