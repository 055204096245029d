/* nspi_entry.c - what is said of somebody, and whether it is what was asked for. */
#include "protocols/mapi/nspi_entry.h"

enum {
    MAPI_MAILUSER = 6,
    DISPLAY_TYPE_EX_MAILUSER = 0x40000000, /* who can be given rights ([MS-OXOABK] 2.2.3.12) */
    ID_PERMANENT = 0x00,
    ID_EPHEMERAL = 0x87,
    PR_AB_HOME_MDB = 0x8006001F,
    PR_AB_PROXY_ADDRESSES = 0x800F101F,
    PR_DISPLAY_NAME_PRINTABLE = 0x39FF001F,
    PR_ACCOUNT = 0x3A00001F,
    PR_TRANSMITTABLE_NAME = 0x3A20001F,
    PR_SEND_RICH_INFO = 0x3A40000B,
    PR_ORIGINAL_ENTRY_ID = 0x3A120102,
};

/* GUID_NSPI, as on the wire ([MS-OXNSPI] 2.2.1.6) */
static const uint8_t provider[16] = {0xDC, 0xA7, 0x40, 0xC8, 0xC0, 0x42, 0x10, 0x1A,
                                     0xB4, 0xB9, 0x08, 0x00, 0x2B, 0x2F, 0xE1, 0x82};

/* ---- ids ---- */

static struct slice kept(struct buf *b, struct arena *in)
{
    struct slice copy = arena_slice(in, buf_slice(b));

    buf_done(b);
    return copy;
}

static void put_id_head(struct buf *out, uint8_t kind, const uint8_t guid[16], uint32_t type)
{
    wire_put_u32(out, kind);
    buf_put(out, slice_of(guid, 16));
    wire_put_u32(out, 1);
    wire_put_u32(out, type);
}

struct slice nspi_entry_id(uint32_t display_type, struct slice dn, struct arena *in)
{
    struct buf id = buf_make(4096);

    put_id_head(&id, ID_PERMANENT, provider, display_type);
    wire_put_asz(&id, dn);
    return kept(&id, in);
}

struct slice nspi_person_id(const struct mapi *mapi, struct slice identity, struct arena *in)
{
    struct buf dn = buf_make(4096);

    mapi_put_dn(mapi, &dn, identity);
    struct slice id = nspi_entry_id(DISPLAY_TYPE_MAILUSER, buf_slice(&dn), in);
    buf_done(&dn);
    return id;
}

bool nspi_entry_id_dn(struct slice id, struct slice *dn)
{
    enum { PROVIDER_AT = 4, DN_AT = 28 };

    if (id.len <= DN_AT || memcmp(id.ptr + PROVIDER_AT, provider, sizeof provider) != 0)
        return false;
    struct slice rest = slice_from(id, DN_AT);

    *dn = slice_head(rest, slice_index(rest, 0));
    return true;
}

/* EphemeralEntryID ([MS-OXNSPI] 2.2.9.2) */
static struct slice ephemeral_id(const struct mapi *mapi, uint32_t mid, struct arena *in)
{
    struct buf id = buf_make(64);

    put_id_head(&id, ID_EPHEMERAL, mapi->server_guid, DISPLAY_TYPE_MAILUSER);
    wire_put_u32(&id, mid);
    return kept(&id, in);
}

static struct slice instance_key(uint32_t mid, struct arena *in)
{
    struct buf key = buf_make(4);

    wire_put_u32(&key, mid);
    return kept(&key, in);
}

/* "EX:" and the distinguished name in capitals, with its NUL ([MS-OXCDATA] 2.8.3.2). */
static struct slice search_key(struct slice dn, struct arena *in)
{
    struct buf key = buf_make(4096);

    buf_puts(&key, "EX:");
    for (size_t i = 0; i < dn.len; i++)
        buf_putc(&key, ascii_upper(dn.ptr[i]));
    buf_putc(&key, 0);
    return kept(&key, in);
}

/* ---- properties ---- */

static struct slice dn_of(const struct mapi *mapi, struct slice identity, struct arena *in)
{
    struct buf dn = buf_make(4096);

    mapi_put_dn(mapi, &dn, identity);
    return kept(&dn, in);
}

static struct slice home_mdb(const struct nspi_view *view, struct arena *in)
{
    struct buf dn = buf_make(4096);

    buf_printf(&dn,
               "/o=%s/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Configuration/"
               "cn=Servers/cn=%.*s/cn=Microsoft Private MDB",
               view->mapi->config.organization, SLICE_ARG(view->host));
    return kept(&dn, in);
}

static struct slice prefixed(const char *prefix, struct slice address, struct arena *in)
{
    struct buf text = buf_make(4096);

    buf_puts(&text, prefix);
    buf_put(&text, address);
    return kept(&text, in);
}

/* The main address is told by capitals ([MS-OXOABK] 2.2.3.23). */
static struct prop_value proxy_addresses(const struct mapi_person *p, struct arena *in)
{
    struct prop_value *items = arena_array(in, p->n_aliases + 1, sizeof *items);

    items[0].bytes = prefixed("SMTP:", p->address, in);
    for (size_t i = 0; i < p->n_aliases; i++)
        items[i + 1].bytes = prefixed("smtp:", p->aliases[i], in);
    return (struct prop_value){.many = {items, p->n_aliases + 1}};
}

static void add_names(struct prop_list *list, const struct mapi_person *p, struct slice dn)
{
    prop_add_bytes(list, PR_DISPLAY_NAME, p->display_name);
    prop_add_bytes(list, PR_ADDRESS_TYPE, S("EX"));
    prop_add_bytes(list, PR_EMAIL_ADDRESS, dn);
    prop_add_bytes(list, PR_SMTP_ADDRESS, p->address);
    prop_add_bytes(list, PR_ACCOUNT, slice_head(p->identity, slice_index(p->identity, '@')));
    prop_add_bytes(list, PR_TRANSMITTABLE_NAME, p->display_name);
    prop_add_bytes(list, PR_DISPLAY_NAME_PRINTABLE, p->display_name);
    prop_add(list, PR_AB_PROXY_ADDRESSES, proxy_addresses(p, list->in));
}

static void add_ids(struct prop_list *list, const struct nspi_view *view,
                    const struct nspi_entry *entry, struct slice dn)
{
    struct slice permanent = nspi_entry_id(DISPLAY_TYPE_MAILUSER, dn, list->in);

    prop_add_bytes(list, PR_ENTRY_ID,
                   view->ephemeral ? ephemeral_id(view->mapi, entry->mid, list->in) : permanent);
    prop_add_bytes(list, PR_ORIGINAL_ENTRY_ID, permanent);
    prop_add_bytes(list, PR_RECORD_KEY, permanent);
    prop_add_bytes(list, PR_INSTANCE_KEY, instance_key(entry->mid, list->in));
    prop_add_bytes(list, PR_SEARCH_KEY, search_key(dn, list->in));
    prop_add_bytes(list, PR_MAPPING_SIGNATURE, slice_of(provider, sizeof provider));
}

struct prop_list nspi_properties(const struct nspi_view *view, const struct nspi_entry *entry,
                                 struct arena *in)
{
    struct prop_list list = {.in = in};
    struct slice dn = dn_of(view->mapi, entry->person.identity, in);

    prop_add_number(&list, PR_OBJECT_TYPE, MAPI_MAILUSER);
    prop_add_number(&list, PR_DISPLAY_TYPE, DISPLAY_TYPE_MAILUSER);
    prop_add_number(&list, PR_DISPLAY_TYPE_EX, DISPLAY_TYPE_EX_MAILUSER);
    prop_add_number(&list, PR_AB_CONTAINER_ID, 0);
    prop_add_number(&list, PR_SEND_RICH_INFO, true);
    add_names(&list, &entry->person, dn);
    add_ids(&list, view, entry, dn);
    prop_add_bytes(&list, PR_AB_HOME_MDB, home_mdb(view, in));
    return list;
}

/* ---- columns ---- */

/* Text is had in both its types; what is asked for in no type comes in its own. */
static bool has_type(uint16_t own, uint16_t wanted)
{
    return wanted == PROP_UNSPECIFIED || own == prop_type(prop_as_unicode(wanted));
}

static struct prop select_one(const struct prop_list *of, uint32_t column)
{
    const struct prop *p = of ? prop_find(of, prop_id(column)) : NULL;

    if (!p || !has_type(prop_type(p->tag), prop_type(column)))
        return (struct prop){PROP_TAG(prop_id(column), PROP_ERROR), {.number = EC_NOT_FOUND}};
    if (prop_type(column) == PROP_UNSPECIFIED)
        return *p;
    return (struct prop){column, p->value};
}

struct nspi_row nspi_select(const struct prop_list *of, struct nspi_numbers columns,
                            struct arena *in, bool *missing)
{
    struct prop *values = arena_array(in, columns.n, sizeof *values);

    for (size_t i = 0; i < columns.n; i++) {
        values[i] = select_one(of, columns.items[i]);
        if (missing)
            *missing |= prop_type(values[i].tag) == PROP_ERROR;
    }
    return (struct nspi_row){values, columns.n};
}

/* ---- names as typed ([MS-OXNSPI] 3.1.4.7) ---- */

static bool is_address(const struct mapi_person *p, struct slice typed)
{
    if (slice_ieq(typed, p->address) || slice_ieq(typed, p->identity))
        return true;
    for (size_t i = 0; i < p->n_aliases; i++)
        if (slice_ieq(typed, p->aliases[i]))
            return true;
    return false;
}

static struct slice local_part(struct slice address)
{
    return slice_head(address, slice_index(address, '@'));
}

/* Does a word of the display name begin so? */
static bool begins_word(struct slice name, struct slice typed)
{
    for (size_t i = 0; i < name.len; i++)
        if ((i == 0 || name.ptr[i - 1] == ' ') && slice_istarts(slice_from(name, i), typed))
            return true;
    return false;
}

static bool begins_alias(const struct mapi_person *p, struct slice typed)
{
    for (size_t i = 0; i < p->n_aliases; i++)
        if (slice_istarts(p->aliases[i], typed))
            return true;
    return false;
}

/* "=name" wants the account or the address itself, "smtp:a@b" the address. */
enum nspi_fit nspi_fits(const struct nspi_entry *entry, struct slice typed)
{
    const struct mapi_person *p = &entry->person;
    bool only_exact = slice_starts(typed, S("=")) || slice_istarts(typed, S("smtp:"));

    typed = slice_trim(typed);
    if (slice_starts(typed, S("=")))
        typed = slice_from(typed, 1);
    if (slice_istarts(typed, S("smtp:")))
        typed = slice_from(typed, 5);
    if (typed.len == 0)
        return FIT_NOT;
    struct slice named = mapi_dn_identity(typed);
    if (is_address(p, named.len ? named : typed) || slice_ieq(typed, local_part(p->identity)) ||
        slice_ieq(typed, p->display_name))
        return FIT_EXACT;
    if (only_exact || named.len)
        return FIT_NOT;
    return begins_word(p->display_name, typed) || slice_istarts(p->address, typed) ||
                   slice_istarts(p->identity, typed) || begins_alias(p, typed)
               ? FIT_PART
               : FIT_NOT;
}

/* ---- filters ---- */

static bool is_text(uint32_t tag)
{
    return prop_type(tag) == PROP_STRING || prop_type(tag) == PROP_STRING8;
}

static bool is_number(uint32_t tag)
{
    return prop_type(tag) == PROP_INT32 || prop_type(tag) == PROP_BOOLEAN;
}

static struct err unsupported(void)
{
    return ERR(ERR_UNSUPPORTED, "the address book does not know this kind of filter");
}

struct err nspi_check_filter(const struct restriction *r)
{
    switch (r->kind) {
    case RESTRICTION_AND:
    case RESTRICTION_OR:
    case RESTRICTION_NOT:
        break;
    case RESTRICTION_CONTENT:
        return is_text(r->value.tag) ? OK : unsupported();
    case RESTRICTION_PROPERTY:
        return r->relop <= RELOP_NE ? OK : unsupported();
    case RESTRICTION_EXIST:
        return OK;
    default:
        return unsupported();
    }
    for (size_t i = 0; i < r->n; i++) {
        struct err e = nspi_check_filter(&r->children[i]);

        if (failed(e))
            return e;
    }
    return OK;
}

/* Names are compared without regard to case, whatever was asked for ([MS-OXNSPI] 3.1.4.3). */
static int text_order(struct slice a, struct slice b)
{
    for (size_t i = 0; i < a.len && i < b.len; i++) {
        int order = ascii_lower(a.ptr[i]) - ascii_lower(b.ptr[i]);

        if (order)
            return order;
    }
    return (a.len > b.len) - (a.len < b.len);
}

static bool compare(const struct prop *p, const struct restriction *r)
{
    const struct prop_value *a = &p->value, *b = &r->value.value;

    if (is_text(p->tag) && is_text(r->value.tag))
        return restriction_holds(r->relop, text_order(a->bytes, b->bytes));
    if (is_number(p->tag) && is_number(r->value.tag))
        return restriction_holds(r->relop, (a->number > b->number) - (a->number < b->number));
    if (prop_type(p->tag) == PROP_BINARY && prop_type(r->value.tag) == PROP_BINARY)
        return restriction_holds(r->relop, slice_order(a->bytes, b->bytes));
    return false;
}

enum { FUZZY_FULL = 0, FUZZY_PART = 1 };

static bool contains(struct slice text, const struct restriction *r)
{
    struct slice part = r->value.value.bytes;

    if (r->fuzzy_low == FUZZY_FULL)
        return slice_ieq(text, part);
    if (r->fuzzy_low != FUZZY_PART)
        return slice_istarts(text, part);
    for (size_t i = 0; i + part.len <= text.len; i++)
        if (slice_istarts(slice_from(text, i), part))
            return true;
    return false;
}

static bool contains_any(const struct prop *p, const struct restriction *r)
{
    if (!(prop_type(p->tag) & PROP_MULTIPLE))
        return is_text(p->tag) && contains(p->value.bytes, r);
    for (size_t i = 0; i < p->value.many.n; i++)
        if (contains(p->value.many.items[i].bytes, r))
            return true;
    return false;
}

bool nspi_matches(const struct nspi_entry *entry, const struct prop_list *of,
                  const struct restriction *r)
{
    const struct prop *p = prop_find(of, prop_id(r->tag));

    switch (r->kind) {
    case RESTRICTION_AND:
        for (size_t i = 0; i < r->n; i++)
            if (!nspi_matches(entry, of, &r->children[i]))
                return false;
        return true;
    case RESTRICTION_OR:
        for (size_t i = 0; i < r->n; i++)
            if (nspi_matches(entry, of, &r->children[i]))
                return true;
        return false;
    case RESTRICTION_NOT:
        return !nspi_matches(entry, of, &r->children[0]);
    case RESTRICTION_CONTENT:
        return p && contains_any(p, r);
    case RESTRICTION_PROPERTY:
        if (prop_id(r->tag) == prop_id(PR_ANR))
            return is_text(r->value.tag) && nspi_fits(entry, r->value.value.bytes) != FIT_NOT;
        return p && compare(p, r);
    default: /* EXIST: nspi_check_filter() let no other pass */
        return p != NULL;
    }
}
