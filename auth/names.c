/* names.c - the canonical form of a name or an address: see auth_name() in auth.h. */
#include <unicode/uidna.h>

#include "auth/auth_int.h"
#include "auth/precis.h"

size_t name_at_sign(struct slice name)
{
    for (size_t i = name.len; i > 0; i--)
        if (name.ptr[i - 1] == '@')
            return i - 1;
    return name.len;
}

/*
 * A-labels ("xn--...") to U-labels, so that an address has one canonical form whether or not the
 * client or the peer speaks UTF-8. What is no valid A-label stays as it is.
 */
static struct slice domain_in_unicode(struct slice domain, struct arena *in)
{
    UErrorCode status = U_ZERO_ERROR;
    UIDNAInfo info = UIDNA_INFO_INITIALIZER;
    struct slice out = domain;

    if (slice_find(domain, S("xn--")) == domain.len)
        return domain;
    UIDNA *idna = uidna_openUTS46(UIDNA_NONTRANSITIONAL_TO_UNICODE | UIDNA_CHECK_BIDI, &status);
    int32_t cap = (int32_t)domain.len * 4;
    char *to = arena_alloc(in, (size_t)cap + 1);
    int32_t len = uidna_nameToUnicodeUTF8(idna, (const char *)domain.ptr, (int32_t)domain.len, to,
                                          cap, &info, &status);
    if (U_SUCCESS(status) && info.errors == 0)
        out = slice_of(to, (size_t)len);
    uidna_close(idna);
    return out;
}

static struct err domain_name(struct slice given, struct arena *in, struct slice *out)
{
    struct slice once, unicode;
    struct err e = precis_username(given, in, &once);

    if (failed(e))
        return e;
    unicode = domain_in_unicode(once, in);
    if (slice_eq(unicode, once)) {
        *out = once;
        return OK;
    }
    return precis_username(unicode, in, out);
}

static struct err address_name(struct slice local, struct slice domain, struct arena *in,
                               struct slice *out)
{
    struct slice l, d;
    struct err e = precis_username(local, in, &l);

    if (!failed(e))
        e = domain_name(domain, in, &d);
    if (failed(e))
        return e;
    if (slice_index(d, '@') < d.len) /* a fullwidth one was mapped */
        return ERR(ERR_INVALID, "the domain has an at sign in it");
    *out = name_join(l, d, in);
    return OK;
}

struct slice name_join(struct slice local, struct slice domain, struct arena *in)
{
    uint8_t *to = arena_alloc(in, local.len + 1 + domain.len);

    memcpy(to, local.ptr, local.len);
    to[local.len] = '@';
    memcpy(to + local.len + 1, domain.ptr, domain.len);
    return slice_of(to, local.len + 1 + domain.len);
}

struct err auth_name(struct slice given, struct arena *in, struct slice *out)
{
    size_t at = name_at_sign(given);
    struct slice name = SLICE_EMPTY;
    struct err e;

    if (given.len > AUTH_MAX_NAME)
        return ERR(ERR_INVALID, "the name is too long");
    e = at < given.len ? address_name(slice_head(given, at), slice_from(given, at + 1), in, &name)
                       : precis_username(given, in, &name);
    if (failed(e))
        return e;
    if (at == given.len && name_at_sign(name) < name.len)
        return auth_name(name, in, out); /* it was a fullwidth one */
    if (name.len > NAME_MAX_CANONICAL)
        return ERR(ERR_INVALID, "the name is too long in its canonical form");
    *out = name;
    return OK;
}
