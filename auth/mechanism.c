/*
 * mechanism.c - the mechanisms there are, and who is offered which.
 *
 * What is advertised and what is accepted come from this one table; libsasl2's own list is only
 * checked, at start-up, to have them all.
 */
#include "auth/auth_int.h"

/* clang-format off */
const struct mechanism mechanisms[] = {
    /* name                  at libsasl2      messages         plaintext binds */
    { "EXTERNAL",           "EXTERNAL",      MECHANISM_EXTERNAL, false,  false },
    { "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", MECHANISM_SCRAM, false,    true  },
    { "SCRAM-SHA-1-PLUS",   "SCRAM-SHA-1",   MECHANISM_SCRAM, false,    true  },
    { "SCRAM-SHA-256",      "SCRAM-SHA-256", MECHANISM_SCRAM, false,    false },
    { "SCRAM-SHA-1",        "SCRAM-SHA-1",   MECHANISM_SCRAM, false,    false },
    { "PLAIN",              "PLAIN",         MECHANISM_PLAIN, true,     false },
    { "LOGIN",              "LOGIN",         MECHANISM_LOGIN, true,     false },
};
/* clang-format on */

const size_t n_mechanisms = sizeof mechanisms / sizeof *mechanisms;

const struct mechanism *mechanism_find(struct slice name)
{
    for (size_t i = 0; i < n_mechanisms; i++)
        if (slice_ieq(name, slice_str(mechanisms[i].name)))
            return &mechanisms[i];
    return NULL;
}

/* In order of preference: RFC 9266 for TLS 1.3, RFC 5929 before it. */
static const char *const binding_types[] = {"tls-exporter", "tls-server-end-point", "tls-unique"};

static unsigned bit_of(const struct mechanism *mechanism)
{
    return 1u << (mechanism - mechanisms);
}

unsigned auth_mechanism_bit(struct slice name)
{
    const struct mechanism *mechanism = mechanism_find(name);

    return mechanism ? bit_of(mechanism) : 0;
}

/* Does the listener offer it? */
static bool is_offered(const struct mechanism *mechanism, const struct auth_peer *peer)
{
    return !peer->mechanisms || peer->mechanisms & bit_of(mechanism);
}

/* Does the transport allow it? */
static bool transport_allows(const struct mechanism *mechanism, const struct auth_peer *peer)
{
    return !mechanism->plaintext || peer->tls || peer->plaintext_ok;
}

static bool any_binds(const struct auth_peer *peer)
{
    bool any = false;

    for (size_t i = 0; i < n_mechanisms; i++)
        any |= mechanisms[i].binds && is_offered(&mechanisms[i], peer);
    return any;
}

bool mechanism_binding_offered(const struct auth_peer *peer)
{
    bool any = false;

    if (!any_binds(peer))
        return false;
    for (size_t i = 0; peer->tls && peer->binding && !any && i < 3; i++) {
        struct buf data = buf_make(1024);

        any = peer->binding(peer->binding_ctx, slice_str(binding_types[i]), &data);
        buf_wipe(&data);
    }
    return any;
}

bool auth_plaintext_allowed(const struct auth_peer *peer)
{
    const struct mechanism *plain = mechanism_find(S("PLAIN"));

    return is_offered(plain, peer) && transport_allows(plain, peer);
}

enum auth_reason mechanism_admits(const struct mechanism *m, bool binding_offered,
                                  const struct auth_peer *peer)
{
    if (!m || !is_offered(m, peer) || (m->binds && !binding_offered) ||
        (m->kind == MECHANISM_EXTERNAL && !(peer->tls && peer->certificate_name.len)))
        return AUTH_BAD_MECHANISM;
    return transport_allows(m, peer) ? AUTH_OK : AUTH_NEEDS_TLS;
}

size_t auth_mechanisms(struct auth *auth, const struct auth_peer *peer, const char *names[],
                       size_t max)
{
    bool binding = mechanism_binding_offered(peer);
    size_t n = 0;

    (void)auth;
    for (size_t i = 0; i < n_mechanisms && n < max; i++)
        if (mechanism_admits(&mechanisms[i], binding, peer) == AUTH_OK)
            names[n++] = mechanisms[i].name;
    return n;
}
