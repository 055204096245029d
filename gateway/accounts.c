#include "gateway/accounts.h"

/* Whoever may use any of them may have mail delivered. */
static unsigned protocols_of(unsigned account)
{
    return (account & ACCOUNT_POP3 ? AUTH_POP3 : 0u) | (account & ACCOUNT_IMAP ? AUTH_IMAP : 0u) |
           (account & ACCOUNT_MAPI ? AUTH_MAPI : 0u) | AUTH_LMTP;
}

static struct err lookup(struct auth_source *base, struct slice name, struct arena *in,
                         struct auth_account *out)
{
    struct gateway_source *source = (struct gateway_source *)base;
    struct account account;
    struct err e = accounts_lookup(source->accounts, name, in, &account);

    if (failed(e))
        return e;
    *out = (struct auth_account){
        .identity = account.name,
        .display_name = account.display_name,
        .nt_domain = account.nt_domain,
        .credentials = account.credentials,
        .mailbox_id = account.mailbox_id,
        .protocols = protocols_of(account.protocols) | (account.admin ? AUTH_OPS : 0u),
        .locked = account.locked,
        .admin = account.admin,
        .expires = account.expires,
        .generation = account.generation,
    };
    return OK;
}

void gateway_source_init(struct gateway_source *source, struct accounts *accounts)
{
    *source = (struct gateway_source){.source = {.lookup = lookup}, .accounts = accounts};
}
