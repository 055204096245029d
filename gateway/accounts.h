/*
 * accounts.h - the store's accounts as the authentication layer wants them.
 *
 * The one place that knows both store/account.h and auth/auth.h.
 */
#ifndef GATEPOST_GATEWAY_ACCOUNTS_H
#define GATEPOST_GATEWAY_ACCOUNTS_H

#include "auth/auth.h"
#include "store/account.h"

struct gateway_source {
    struct auth_source source;
    struct accounts *accounts;
};

/* Its slices are the account's; its lists live in the arena. */
void gateway_account(const struct account *account, struct arena *in, struct auth_account *out);

/* `accounts` outlives it. */
void gateway_source_init(struct gateway_source *source, struct accounts *accounts);

#endif
