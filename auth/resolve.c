/*
 * resolve.c - the account that a name as typed means.
 *
 * Exchange 5.5's forms are all understood (Q324025, Q199274): alias, user@domain, DOMAIN\account,
 * DOMAIN/account, and with \alias or /alias behind it. What has separators in it may also be a
 * name as it stands; where the two readings mean different accounts the name is ambiguous, and
 * refused. Every reading is looked up, found or not, so that time does not tell who exists.
 */
#include "auth/auth_int.h"

struct resolver {
    const struct auth_settings *settings;
    struct auth_source *source;
    struct arena *arena;
};

static bool local_domain(const struct auth_settings *s, struct slice domain)
{
    for (size_t i = 0; i < s->n_domains; i++)
        if (slice_eq(s->domains[i], domain))
            return true;
    return false;
}

static struct err look_up(struct resolver *r, struct slice name, struct auth_account *out)
{
    if (name.len == 0 || name.len > NAME_MAX_CANONICAL)
        return ERR(ERR_NOT_FOUND, "no account can have this name");
    struct err e = r->source->lookup(r->source, name, r->arena, out);
    if (failed(e) && e.code != ERR_NOT_FOUND && e.code != ERR_CONFLICT)
        return ERR(ERR_UNAVAILABLE, "the accounts cannot be read now");
    return e;
}

/*
 * The other name that a canonical name stands for: without its domain where that is local, with
 * the default domain where it has none. Empty: there is no other.
 */
static struct slice other_form(struct resolver *r, struct slice name)
{
    const struct auth_settings *s = r->settings;
    size_t at = name_at_sign(name);

    if (at == name.len)
        return s->n_domains ? name_join(name, s->domains[0], r->arena) : SLICE_EMPTY;
    return local_domain(s, slice_from(name, at + 1)) ? slice_head(name, at) : SLICE_EMPTY;
}

/* A canonical name or address. An account of exactly this name goes before one of the other form.
 */
static struct err plain_form(struct resolver *r, struct slice name, struct auth_account *out)
{
    struct auth_account other;
    struct err e = look_up(r, name, out);
    struct err e_other = look_up(r, other_form(r, name), &other);

    if (e.code != ERR_NOT_FOUND)
        return e;
    if (!failed(e_other))
        *out = other;
    return e_other;
}

/* What all spellings of a name have in common: the bare local part where the domain is ours. */
static struct slice stable_form(struct resolver *r, struct slice name)
{
    size_t at = name_at_sign(name);

    if (at < name.len && local_domain(r->settings, slice_from(name, at + 1)))
        return slice_head(name, at);
    return name;
}

/* ---- DOMAIN\account ---- */

struct nt_parts {
    struct slice domain, account, alias; /* alias may be empty */
};

static size_t next_separator(struct slice s)
{
    size_t i = 0;

    while (i < s.len && s.ptr[i] != '\\' && s.ptr[i] != '/')
        i++;
    return i;
}

/* Cut a part off; clients that quote twice send two backslashes for one (Q191558). */
static struct slice cut_part(struct slice *rest, bool *more)
{
    size_t at = next_separator(*rest);
    struct slice part = slice_head(*rest, at);
    bool twice = at + 1 < rest->len && rest->ptr[at] == '\\' && rest->ptr[at + 1] == '\\';

    *more = at < rest->len;
    *rest = slice_from(*rest, at + (twice ? 2 : 1));
    return part;
}

/* Two or three parts that are names, canonical. */
static bool split_nt(struct slice given, struct arena *in, struct nt_parts *out)
{
    struct slice rest = given;
    struct nt_parts parts = {.alias = SLICE_EMPTY};
    bool more;

    parts.domain = cut_part(&rest, &more);
    if (!more)
        return false;
    parts.account = cut_part(&rest, &more);
    if (more) {
        parts.alias = cut_part(&rest, &more);
        if (more || failed(auth_name(parts.alias, in, &parts.alias)))
            return false;
    }
    if (failed(auth_name(parts.domain, in, &parts.domain)) ||
        failed(auth_name(parts.account, in, &parts.account)))
        return false;
    *out = parts;
    return true;
}

/* An account is in the NT domain that it names, or in the configured one. */
static bool in_nt_domain(struct resolver *r, const struct auth_account *account,
                         struct slice domain)
{
    struct slice own = r->settings->nt_domain;

    if (account->nt_domain.len && failed(auth_name(account->nt_domain, r->arena, &own)))
        return false;
    return own.len && slice_eq(own, domain);
}

/* Take `found` too: two different accounts are a conflict. */
static struct err also(struct err so_far, struct auth_account *out, struct err e,
                       const struct auth_account *found)
{
    if (e.code == ERR_NOT_FOUND)
        return so_far;
    if (failed(so_far) && so_far.code != ERR_NOT_FOUND)
        return so_far;
    if (failed(e))
        return e;
    if (!failed(so_far) && !slice_eq(out->identity, found->identity))
        return ERR(ERR_CONFLICT, "the name means more than one account");
    *out = *found;
    return OK;
}

/* The account of this name in this NT domain; a local mail domain will do for one. */
static struct err nt_account(struct resolver *r, const struct nt_parts *parts,
                             struct auth_account *out)
{
    const struct auth_settings *s = r->settings;
    bool bare = name_at_sign(parts->account) == parts->account.len;
    struct err so_far = ERR(ERR_NOT_FOUND, "there is no such account in that domain");

    for (size_t i = 0; i <= (bare ? s->n_domains : 0); i++) {
        struct slice name =
            i == 0 ? parts->account : name_join(parts->account, s->domains[i - 1], r->arena);
        struct auth_account found;
        struct err e = look_up(r, name, &found);
        bool fits = failed(e) || in_nt_domain(r, &found, parts->domain);

        if (fits)
            so_far = also(so_far, out, e, &found);
    }
    if (bare && local_domain(s, parts->domain)) {
        struct auth_account found;
        struct err e = plain_form(r, name_join(parts->account, parts->domain, r->arena), &found);

        so_far = also(so_far, out, e, &found);
    }
    return so_far;
}

static void take_target(struct resolved *out, struct err e, const struct auth_account *target)
{
    out->no_target = e;
    if (!failed(e))
        out->target = *target;
    out->acts = failed(e) || !slice_eq(out->account.identity, target->identity);
}

static struct err nt_form(struct resolver *r, const struct nt_parts *parts, struct resolved *out)
{
    struct err e = nt_account(r, parts, &out->account);

    out->target = out->account;
    if (failed(e) || parts->alias.len == 0)
        return e;
    struct auth_account target;
    take_target(out, plain_form(r, parts->alias, &target), &target);
    return OK;
}

/* ---- names of one account, and of two ---- */

/* Two readings of one name: where both are accounts they must be the same one. */
static struct err either(struct err e, struct resolved *out, struct err e_other,
                         const struct resolved *other)
{
    bool other_means_nobody = !failed(e_other) && failed(other->no_target);

    if (e_other.code == ERR_NOT_FOUND || (!failed(e) && other_means_nobody))
        return e;
    if (e.code == ERR_NOT_FOUND) {
        *out = *other;
        return e_other;
    }
    if (failed(e) || failed(e_other))
        return failed(e) ? e : e_other;
    if (out->acts || other->acts || !slice_eq(out->account.identity, other->account.identity))
        return ERR(ERR_CONFLICT, "the name means more than one account");
    return OK;
}

/* A name without a master's. */
static struct err one_name(struct resolver *r, struct slice given, struct resolved *out,
                           struct slice *stable)
{
    struct slice name = SLICE_EMPTY;
    struct nt_parts parts = {.alias = SLICE_EMPTY};
    struct resolved nt = {.acts = false};
    struct err e_nt = ERR(ERR_NOT_FOUND, "");
    struct err e = auth_name(given, r->arena, &name);
    bool is_name = !failed(e), is_nt = split_nt(given, r->arena, &parts);

    *out = nt;
    *stable = is_nt ? stable_form(r, parts.account) : is_name ? stable_form(r, name) : given;
    if (is_name)
        e = plain_form(r, name, &out->account);
    if (is_nt)
        e_nt = nt_form(r, &parts, &nt);
    out->target = out->account;
    if (is_nt && !is_name) {
        *out = nt;
        return e_nt;
    }
    return is_nt ? either(e, out, e_nt, &nt) : e;
}

/* Where the last separator of "user*master" begins; given.len where it is none. */
static size_t separator_at(const struct auth_settings *s, struct slice given)
{
    struct slice separator = s->master_separator;

    for (size_t at = given.len; separator.len && at-- > 1;)
        if (slice_starts(slice_from(given, at), separator) && at + separator.len < given.len)
            return at;
    return given.len;
}

/* The master's name has the secret, the other one the mailbox. */
static struct err master_form(struct resolver *r, struct slice given, size_t at,
                              struct resolved *out, struct slice *stable)
{
    struct slice master = slice_from(given, at + r->settings->master_separator.len), no_stable;
    struct resolved target;
    struct err e_target = one_name(r, slice_head(given, at), &target, &no_stable);
    struct err e = one_name(r, master, out, stable);

    if (failed(e) || failed(out->no_target))
        return failed(e) ? e : out->no_target;
    if (!failed(e_target))
        e_target = target.no_target;
    take_target(out, e_target, &target.target);
    return OK;
}

struct err resolve_name(const struct auth_settings *settings, struct auth_source *source,
                        struct slice given, struct arena *in, struct resolved *out,
                        struct slice *stable)
{
    struct resolver r = {settings, source, in};
    struct resolved whole, mastered = {.acts = false};
    size_t at = separator_at(settings, given);
    struct err e = one_name(&r, given, &whole, stable);

    if (at < given.len) {
        struct slice whole_stable = *stable;
        bool named = !failed(e);
        struct err e_master = master_form(&r, given, at, &mastered, stable);

        if (e.code == ERR_INVALID) /* can be no name as a whole */
            e = ERR(ERR_NOT_FOUND, "");
        e = either(e, &whole, e_master, &mastered);
        if (named)
            *stable = whole_stable;
    }
    if (!failed(e))
        *out = whole;
    return e;
}

struct err resolve_address(const struct auth_settings *settings, struct auth_source *source,
                           struct slice address, struct arena *in, struct auth_account *out)
{
    struct resolver r = {settings, source, in};
    struct slice name;
    struct err e = auth_name(address, in, &name);

    if (failed(e))
        return e;
    e = plain_form(&r, name, out);
    size_t at = name_at_sign(name), plus = slice_index(slice_head(name, at), '+');
    if (e.code != ERR_NOT_FOUND || plus == at || plus == 0)
        return e;
    struct slice base = slice_head(name, plus);
    return plain_form(&r, at == name.len ? base : name_join(base, slice_from(name, at + 1), in),
                      out);
}
