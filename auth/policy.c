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

const struct auth_app_password *exchange_app_password(const struct exchange *x)
{
    return secret_app_password(exchange_actor(x), x->verified.secret);
}

static bool is_delegate(const struct auth_account *actor, const struct auth_account *target)
{
    for (size_t i = 0; i < target->n_delegates; i++)
        if (slice_eq(target->delegates[i].identity, actor->identity) &&
            target->delegates[i].mailbox_id == actor->mailbox_id)
            return true;
    return false;
}

/* May he open this mailbox, if its owner may? */
static bool may_act(const struct auth_question *q)
{
    const struct auth_account *actor = q->account, *target = q->target;

    if (slice_eq(actor->identity, target->identity))
        return true;
    if (q->app_password)
        return false;
    return actor->admin || (actor->master && !target->admin) || is_delegate(actor, target);
}

/* When the secret ends. */
static uint64_t expires(const struct auth_question *q)
{
    return q->app_password ? q->app_password->expires : q->account->expires;
}

uint64_t exchange_expires(const struct exchange *x)
{
    return expires(&(struct auth_question){exchange_actor(x), exchange_app_password(x), NULL});
}

/* Both must have the protocol, and the secret must be for it. */
static bool may_use(const struct auth_question *q, const struct auth_peer *peer)
{
    unsigned protocols = q->account->protocols & q->target->protocols;

    if (q->app_password)
        protocols &= q->app_password->protocols;
    return (protocols & peer->protocol) != 0;
}

/* Of the one who logs on. */
static enum auth_reason state_of(const struct auth_question *q, uint64_t now)
{
    uint64_t end = expires(q);

    if (q->account->locked)
        return AUTH_LOCKED;
    return end && end <= now ? AUTH_EXPIRED : AUTH_OK;
}

enum auth_reason policy_of(const struct auth_question *question, const struct auth_peer *peer,
                           uint64_t now)
{
    struct auth_question q = *question;

    if (!q.target)
        q.target = q.account;
    enum auth_reason reason = state_of(&q, now);
    if (reason != AUTH_OK)
        return reason;
    if (!may_act(&q))
        return AUTH_NOT_AUTHORIZED;
    if (q.target->locked)
        return AUTH_LOCKED;
    return may_use(&q, peer) ? AUTH_OK : AUTH_PROTOCOL_OFF;
}

/* "user*master" and an authorization identity must not mean different mailboxes. */
static bool means_two(const struct exchange *x)
{
    return x->authzid.given.len && x->name.resolved.acts &&
           !slice_eq(x->name.resolved.target.identity, x->authzid.resolved.target.identity);
}

/* An administrator who mistyped may know it; others do not learn which mailboxes exist. */
static bool may_know(const struct exchange *x)
{
    const struct auth_account *actor = exchange_actor(x);

    return (actor->admin || actor->master) && !exchange_app_password(x) && !x->authzid.given.len;
}

/* A mailbox that does not exist is not told from one that is not allowed. */
static enum auth_reason target_state(const struct exchange *x)
{
    const struct claim *c = x->authzid.given.len ? &x->authzid : &x->name;
    enum auth_reason reason =
        c->reason == AUTH_OK ? reason_of_name(c->resolved.no_target) : c->reason;

    if (reason != AUTH_OK && reason != AUTH_UNAVAILABLE && !may_know(x))
        return AUTH_NOT_AUTHORIZED;
    return reason == AUTH_OK && means_two(x) ? AUTH_NOT_AUTHORIZED : reason;
}

enum auth_reason policy_check(const struct exchange *x)
{
    struct auth_question q = {exchange_actor(x), exchange_app_password(x), exchange_target(x)};

    if (x->name.reason != AUTH_OK)
        return x->name.reason;
    enum auth_reason state = state_of(&q, x->now), target = target_state(x);
    if (state != AUTH_OK)
        return state;
    return target == AUTH_OK ? policy_of(&q, x->peer, x->now) : target;
}
