/* explain.c - what would happen, without its happening: the stages of an attempt in their order. */
#include "auth/auth_int.h"
#include "base/mem.h"

static bool has_keys(const struct auth_question *question, const struct mechanism *m)
{
    struct slice credentials = question->app_password ? question->app_password->credentials
                                                      : question->account->credentials;
    if (m->kind == MECHANISM_EXTERNAL)
        return !question->app_password; /* it takes no secret */
    struct scram_keys keys;
    bool sha1 = slice_eq(slice_str(m->base), S("SCRAM-SHA-1"));
    bool found = scram_keys_find(credentials, sha1 ? SCRAM_SHA_1 : SCRAM_SHA_256, &keys);

    /* PLAIN and LOGIN are checked against either. */
    if (m->kind != MECHANISM_SCRAM)
        found = found || scram_keys_find(credentials, SCRAM_SHA_1, &keys);
    mem_wipe(&keys, sizeof keys);
    return found;
}

enum auth_reason auth_explain(struct auth *auth, const struct auth_peer *peer,
                              const char *mechanism, const struct auth_question *question)
{
    const struct mechanism *m = mechanism_find(slice_str(mechanism));
    enum auth_reason reason = mechanism_admits(m, mechanism_binding_offered(peer), peer);

    if (reason == AUTH_OK && !has_keys(question, m))
        reason = AUTH_WRONG_SECRET;
    return reason == AUTH_OK ? policy_of(question, peer, auth->now().wall) : reason;
}
