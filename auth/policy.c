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

/* May the account log on at all? */
static enum auth_reason account_state(const struct auth_account *account, uint64_t now)
{
    if (account->locked)
        return AUTH_LOCKED;
    return account->expires && account->expires <= now ? AUTH_EXPIRED : AUTH_OK;
}

static bool may_use(const struct auth_account *account, const struct auth_peer *peer)
{
    return (account->protocols & peer->protocol) != 0;
}

enum auth_reason policy_of(const struct auth_account *account, const struct auth_peer *peer,
                           uint64_t now)
{
    enum auth_reason reason = account_state(account, now);

    return reason == AUTH_OK && !may_use(account, peer) ? AUTH_PROTOCOL_OFF : reason;
}

enum auth_reason policy_check(const struct exchange *x)
{
    const struct auth_account *actor = exchange_actor(x);
    enum auth_reason state;

    if (x->name.reason != AUTH_OK)
        return x->name.reason;
    state = account_state(actor, x->now);
    if (state != AUTH_OK)
        return state;
    if (x->authzid.reason == AUTH_UNAVAILABLE)
        return AUTH_UNAVAILABLE;
    if (!may_act(x))
        return AUTH_NOT_AUTHORIZED;
    if (exchange_target(x)->locked)
        return AUTH_LOCKED;
    return may_use(actor, x->peer) && may_use(exchange_target(x), x->peer) ? AUTH_OK
                                                                           : AUTH_PROTOCOL_OFF;
}
