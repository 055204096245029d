#include "gateway/accounts.h"

/* Whoever may use any of them may have mail delivered. */
static unsigned protocols_of(unsigned account)
{
    return (account & ACCOUNT_POP3 ? AUTH_POP3 : 0u) | (account & ACCOUNT_IMAP ? AUTH_IMAP : 0u) |
           (account & ACCOUNT_MAPI ? AUTH_MAPI : 0u) | AUTH_LMTP;
}

static struct accounts *accounts_of(struct auth_source *source)
{
    return ((struct gateway_source *)source)->accounts;
}

static const struct auth_delegate *delegates_of(const struct account *account, struct arena *in)
{
    struct auth_delegate *list = arena_array(in, account->n_delegates, sizeof *list);

    for (size_t i = 0; i < account->n_delegates; i++)
        list[i] =
            (struct auth_delegate){account->delegates[i].name, account->delegates[i].mailbox_id};
    return list;
}

static const struct auth_app_password *app_passwords_of(const struct account *account,
                                                        struct arena *in)
{
    struct auth_app_password *list = arena_array(in, account->n_app_passwords, sizeof *list);

    for (size_t i = 0; i < account->n_app_passwords; i++) {
        const struct account_app_password *one = &account->app_passwords[i];

        list[i] = (struct auth_app_password){
            .name = one->name,
            .credentials = one->credentials,
            .protocols = protocols_of(one->protocols),
            .expires = one->expires,
        };
    }
    return list;
}

void gateway_account(const struct account *account, struct arena *in, struct auth_account *out)
{
    *out = (struct auth_account){
        .identity = account->name,
        .display_name = account->display_name,
        .nt_domain = account->nt_domain,
        .credentials = account->credentials,
        .mailbox_id = account->mailbox_id,
        .protocols = protocols_of(account->protocols) | (account->admin ? AUTH_OPS : 0u),
        .locked = account->locked,
        .admin = account->admin,
        .master = account->master,
        .expires = account->expires,
        .generation = account->generation,
        .delegates = delegates_of(account, in),
        .n_delegates = account->n_delegates,
        .app_passwords = app_passwords_of(account, in),
        .n_app_passwords = account->n_app_passwords,
    };
}

static struct err lookup(struct auth_source *source, struct slice name, struct arena *in,
                         struct auth_account *out)
{
    struct account account;
    struct err e = accounts_lookup(accounts_of(source), name, in, &account);

    if (!failed(e))
        gateway_account(&account, in, out);
    return e;
}

static struct err near(struct auth_source *source, const uint8_t point[8], struct arena *in,
                       struct auth_account *out)
{
    struct account account;
    struct err e = accounts_near(accounts_of(source), point, in, &account);

    if (!failed(e))
        gateway_account(&account, in, out);
    return e;
}

static struct err set_credentials(struct auth_source *source, const struct auth_account *of,
                                  struct slice credentials)
{
    struct arena arena = ARENA_INIT;
    struct account account;
    struct err e = accounts_lookup(accounts_of(source), of->identity, &arena, &account);

    if (!failed(e) && account.generation != of->generation)
        e = ERR(ERR_CONFLICT, "the account was changed meanwhile");
    if (!failed(e)) {
        account.credentials = credentials;
        e = accounts_update(accounts_of(source), &account);
    }
    arena_wipe(&arena);
    return e;
}

static struct err version(struct auth_source *source, uint64_t *out)
{
    return accounts_version(accounts_of(source), out);
}

void gateway_source_init(struct gateway_source *source, struct accounts *accounts)
{
    *source = (struct gateway_source){
        .source = {.lookup = lookup,
                   .near = near,
                   .set_credentials = set_credentials,
                   .version = version},
        .accounts = accounts,
    };
}
