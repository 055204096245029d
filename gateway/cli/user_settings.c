#include "gateway/cli/user_settings.h"

#include "auth/auth.h"
#include "base/clock.h"

struct setting {
    const char *key; /* with its operator */
    bool (*set)(struct slice value, struct account *account, struct arena *in);
    const char *expected;
    bool of_app_passwords; /* too */
};

static bool parse_switch(struct slice value, const char *yes, const char *no, bool *out)
{
    *out = slice_eq(value, slice_str(yes));
    return *out || slice_eq(value, slice_str(no));
}

static bool set_protocol(struct slice value, struct account *a, unsigned protocol)
{
    bool on;

    if (!parse_switch(value, "on", "off", &on))
        return false;
    a->protocols = on ? a->protocols | protocol : a->protocols & ~protocol;
    return true;
}

static bool set_pop3(struct slice value, struct account *a, struct arena *in)
{
    (void)in;
    return set_protocol(value, a, ACCOUNT_POP3);
}

static bool set_imap(struct slice value, struct account *a, struct arena *in)
{
    (void)in;
    return set_protocol(value, a, ACCOUNT_IMAP);
}

static bool set_mapi(struct slice value, struct account *a, struct arena *in)
{
    (void)in;
    return set_protocol(value, a, ACCOUNT_MAPI);
}

static bool set_locked(struct slice value, struct account *a, struct arena *in)
{
    (void)in;
    return parse_switch(value, "yes", "no", &a->locked);
}

static bool set_admin(struct slice value, struct account *a, struct arena *in)
{
    (void)in;
    return parse_switch(value, "yes", "no", &a->admin);
}

/* "2027-01-31" is the end of that day, so that the day itself still counts. */
static bool set_expires(struct slice value, struct account *a, struct arena *in)
{
    enum { DATE_LEN = 10 };
    uint64_t day = 0;

    (void)in;
    if (!slice_eq(value, S("never")) &&
        (value.len != DATE_LEN || !clock_parse_rfc3339(value, &day)))
        return false;
    a->expires = day ? day + (24 * 3600 - 1) * FILETIME_SECOND : 0;
    return true;
}

static bool set_display_name(struct slice value, struct account *a, struct arena *in)
{
    a->display_name = arena_slice(in, value);
    return slice_is_utf8(value) && value.len <= 1000;
}

static bool set_nt_domain(struct slice value, struct account *a, struct arena *in)
{
    a->nt_domain = arena_slice(in, value);
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] <= ' ' || value.ptr[i] == '\\' || value.ptr[i] == '/')
            return false;
    return slice_is_utf8(value) && value.len <= 255;
}

static size_t alias_at(const struct account *a, struct slice name)
{
    size_t i = 0;

    while (i < a->n_aliases && !slice_eq(a->aliases[i], name))
        i++;
    return i;
}

static bool add_alias(struct slice value, struct account *a, struct arena *in)
{
    struct slice name;

    if (failed(auth_name(value, in, &name)))
        return false;
    if (alias_at(a, name) < a->n_aliases)
        return true;
    a->aliases = arena_grow(in, a->aliases, a->n_aliases, 1, sizeof *a->aliases);
    a->aliases[a->n_aliases++] = name;
    return true;
}

static bool remove_alias(struct slice value, struct account *a, struct arena *in)
{
    struct slice name;

    if (failed(auth_name(value, in, &name)))
        return false;
    size_t at = alias_at(a, name);
    if (at == a->n_aliases)
        return false;
    a->aliases[at] = a->aliases[--a->n_aliases];
    return true;
}

static bool set_master(struct slice value, struct account *a, struct arena *in)
{
    (void)in;
    return parse_switch(value, "yes", "no", &a->master);
}

static size_t delegate_at(const struct account *a, struct slice name)
{
    size_t i = 0;

    while (i < a->n_delegates && !slice_eq(a->delegates[i].name, name))
        i++;
    return i;
}

/* Who it is is looked up when all words have been read. */
static bool add_delegate(struct slice value, struct account *a, struct arena *in)
{
    a->delegates = arena_grow(in, a->delegates, a->n_delegates, 1, sizeof *a->delegates);
    a->delegates[a->n_delegates++] = (struct account_delegate){arena_slice(in, value), 0};
    return value.len > 0;
}

static bool remove_delegate(struct slice value, struct account *a, struct arena *in)
{
    struct slice name;

    if (failed(auth_name(value, in, &name)))
        return false;
    size_t at = delegate_at(a, name);
    if (at == a->n_delegates)
        return false;
    a->delegates[at] = a->delegates[--a->n_delegates];
    return true;
}

static bool set_quota(struct slice value, struct account *a, struct arena *in)
{
    static const char units[] = "KMGT";
    uint64_t n, factor = 1;

    (void)in;
    if (slice_eq(value, S("none"))) {
        a->quota = 0;
        return true;
    }
    const char *unit = value.len ? strchr(units, value.ptr[value.len - 1]) : NULL;
    if (unit && *unit) {
        factor = 1ull << (10 * (unit - units + 1));
        value.len--;
    }
    return slice_to_u64(value, &n) && n > 0 && !__builtin_mul_overflow(n, factor, &a->quota);
}

static const struct setting settings[] = {
    {"pop3=", set_pop3, "on or off", true},
    {"imap=", set_imap, "on or off", true},
    {"mapi=", set_mapi, "on or off", true},
    {"expires=", set_expires, "a date such as 2027-01-31, or never", true},
    {"locked=", set_locked, "yes or no", false},
    {"admin=", set_admin, "yes or no", false},
    {"master=", set_master, "yes or no", false},
    {"display-name=", set_display_name, "text in UTF-8", false},
    {"nt-domain=", set_nt_domain, "the name of an NT domain", false},
    {"alias+=", add_alias, "a name", false},
    {"alias-=", remove_alias, "an alias that the account has", false},
    {"delegate+=", add_delegate, "a user", false},
    {"delegate-=", remove_delegate, "a delegate that the account has", false},
    {"quota=", set_quota, "a size such as 2G, or none", false},
};

static int apply_one(const struct cli *cli, const char *word, enum user_settings_of of,
                     struct account *a, struct arena *in)
{
    struct slice text = slice_str(word);

    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        struct slice key = slice_str(settings[i].key);

        if (!slice_starts(text, key) ||
            (of == USER_SETTINGS_APP_PASSWORD && !settings[i].of_app_passwords))
            continue;
        if (settings[i].set(slice_from(text, key.len), a, in))
            return CLI_OK;
        cli_fail(cli, "%s expected %s", settings[i].key, settings[i].expected);
        return CLI_USAGE;
    }
    cli_fail(cli, "there is no setting '%s'", word);
    return CLI_USAGE;
}

/* Names as typed become accounts; who is one already stays once. */
static bool find_delegates(const struct cli *cli, const struct cli_world *world, struct account *a,
                           struct arena *in)
{
    size_t all = a->n_delegates;

    a->n_delegates = 0;
    for (size_t i = 0; i < all; i++) {
        struct account_delegate one = a->delegates[i];
        struct account found;

        if (!one.mailbox_id) {
            if (!cli_find_account(cli, world, (const char *)one.name.ptr, in, &found))
                return false;
            one = (struct account_delegate){found.name, found.mailbox_id};
        }
        size_t at = delegate_at(a, one.name);
        a->delegates[at] = one;
        a->n_delegates += at == a->n_delegates;
    }
    return true;
}

int user_settings_apply(const struct cli *cli, const struct cli_world *world, size_t from,
                        enum user_settings_of of, struct account *a, struct arena *in)
{
    for (size_t i = from; i < cli->n_operands; i++) {
        int status = apply_one(cli, cli->operands[i], of, a, in);

        if (status != CLI_OK)
            return status;
    }
    return find_delegates(cli, world, a, in) ? CLI_OK : CLI_FAILED;
}
