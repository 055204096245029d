/* policy.c - the one gate that every mechanism passes, once the secret was right. */
#include "auth/auth_int.h"

const struct auth_account *exchange_actor(const struct exchange *x)
{
    return &x->name.resolved.account;
}

const struct auth_account *exchange_target(const struct exchange *x)
{
    return x->authzid.given.len ? &x->authzid.resolved.target : &x->name.resolved.target;
}

/*
 * May he act for another? Only an administrator, and only where both sides name accounts: an
 * authorization identity that does not exist is not told from one that is not allowed.
 */
static bool may_act(const struct exchange *x)
{
    const struct auth_account *actor = exchange_actor(x);

    if (x->authzid.given.len && x->authzid.reason != AUTH_OK)
        return false;
    return actor->admin || slice_eq(actor->identity, exchange_target(x)->identity);
}

enum auth_reason policy_check(const struct exchange *x)
{
    const struct auth_account *actor = exchange_actor(x);

    if (x->name.reason != AUTH_OK)
        return x->name.reason;
    if (actor->locked)
        return AUTH_LOCKED;
    if (actor->expires && actor->expires <= x->now)
        return AUTH_EXPIRED;
    if (x->authzid.reason == AUTH_UNAVAILABLE)
        return AUTH_UNAVAILABLE;
    if (!may_act(x))
        return AUTH_NOT_AUTHORIZED;
    if (exchange_target(x)->locked)
        return AUTH_LOCKED;
    if (!(actor->protocols & x->peer->protocol) ||
        !(exchange_target(x)->protocols & x->peer->protocol))
        return AUTH_PROTOCOL_OFF;
    return AUTH_OK;
}
