/* mapi_directory.c - people from accounts. */
#include "gateway/mapi_directory.h"

static struct gateway_directory *self_of(struct mapi_directory *directory)
{
    return (struct gateway_directory *)directory;
}

static bool is_address(struct slice name)
{
    return slice_index(name, '@') < name.len;
}

/* The name itself where it is one, else the first alias that is, else in the default domain. */
static struct slice address_of(struct gateway_directory *d, const struct account *a,
                               struct arena *in)
{
    if (is_address(a->name))
        return a->name;
    for (size_t i = 0; i < a->n_aliases; i++)
        if (is_address(a->aliases[i]))
            return a->aliases[i];
    return auth_address(d->auth, a->name, in);
}

/* Every alias is an address: those without a domain are in the default one. */
static void add_aliases(struct gateway_directory *d, const struct account *a, struct arena *in,
                        struct mapi_person *out)
{
    struct slice *aliases = arena_array(in, a->n_aliases, sizeof *aliases);

    out->aliases = aliases;
    for (size_t i = 0; i < a->n_aliases; i++) {
        struct slice address = auth_address(d->auth, a->aliases[i], in);

        if (!slice_eq(address, out->address))
            aliases[out->n_aliases++] = address;
    }
}

static void convert(struct gateway_directory *d, const struct account *a, struct arena *in,
                    struct mapi_person *out)
{
    *out = (struct mapi_person){
        .identity = a->name,
        .display_name = a->display_name.len ? a->display_name : a->name,
        .address = address_of(d, a, in),
        .mailbox_id = a->mailbox_id,
    };
    add_aliases(d, a, in, out);
}

static struct err person_of(struct gateway_directory *d, struct slice identity, struct arena *in,
                            struct mapi_person *out)
{
    struct account account;
    struct err e = accounts_lookup(d->accounts, identity, in, &account);

    if (!failed(e))
        convert(d, &account, in, out);
    return e;
}

static struct err find(struct mapi_directory *directory, struct slice name, struct arena *in,
                       struct mapi_person *out)
{
    struct gateway_directory *d = self_of(directory);
    struct auth_account found;
    struct err e = auth_resolve(d->auth, name, in, &found);

    if (failed(e))
        return e.code == ERR_UNAVAILABLE ? e : ERR(ERR_NOT_FOUND, "nobody has this name");
    return person_of(d, found.identity, in, out);
}

static struct err find_address(struct mapi_directory *directory, struct slice address,
                               struct arena *in, struct mapi_person *out)
{
    struct gateway_directory *d = self_of(directory);
    struct auth_account found;
    struct err e = auth_resolve_recipient(d->auth, address, in, &found);

    return failed(e) ? e : person_of(d, found.identity, in, out);
}

struct people {
    struct mapi_person *items;
    size_t n, cap;
};

static struct mapi_person *add(struct people *people, struct arena *in)
{
    if (people->n == people->cap) {
        size_t more = people->cap ? people->cap : 64;

        people->items = arena_grow(in, people->items, people->cap, more, sizeof *people->items);
        people->cap += more;
    }
    return &people->items[people->n++];
}

static struct err list(struct mapi_directory *directory, struct arena *in, struct mapi_person **out,
                       size_t *n)
{
    struct gateway_directory *d = self_of(directory);
    struct people people = {0};
    struct account account = {0};
    struct err e;

    while (!failed(e = accounts_next(d->accounts, account.name, in, &account)))
        if (!account.locked)
            convert(d, &account, in, add(&people, in));
    if (e.code != ERR_NOT_FOUND)
        return e;
    *out = people.items;
    *n = people.n;
    return OK;
}

void gateway_directory_init(struct gateway_directory *directory, struct accounts *accounts,
                            struct auth *auth)
{
    *directory = (struct gateway_directory){{find, find_address, list}, accounts, auth};
}
