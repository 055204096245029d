/*
 * nspi.c - the requests of the address book ([MS-OXCMAPIHTTP] 2.2.5, [MS-OXNSPI] 3.1.4).
 *
 * Whatever looks at everybody does so in slices, and gives the thread back between them.
 *
 * There is one container, the Global Address List, in the order of display names. An operation
 * takes the book, finds its rows, and fills an nspi_response; the layouts of both bodies are in
 * the table at the end.
 */

#include "base/mem.h"
#include "protocols/mapi/endpoint.h"
#include "protocols/mapi/nspi_entry.h"
#include "protocols/mapi/url.h"
#include "store/mapi/codepage.h"

/* [MS-OXNSPI] 2.2.1.2: what ec.h does not have */
enum {
    EC_UNBIND_SUCCESS = 1,
    EC_INVALID_CODEPAGE = 0x8004011E,
    EC_INVALID_LOCALE = 0x8004011F,
};

/* Not a code: the operation goes on in its next turn. */
enum { LATER = 0x7FFFFFFF };

enum {
    FLAG_EPHEMERAL = 0x02, /* fEphID */
    FLAG_CREATION_TEMPLATES = 0x02,
    FLAG_UNICODE_STRINGS = 0x04,
    FLAG_UNICODE_TAGS = 0x80000000,
    SORT_DISPLAY_NAME = 0,
    SORT_PHONETIC = 3,
    HIERARCHY_VERSION = 1,
    CONTAINER_FLAGS = 0x01 | 0x08, /* has recipients, cannot be modified */
    ROWS_MAX = 0x40000,            /* bytes of rows in one response */
    SEEK_ROWS = 50,
    /* Ids of whom resolving says nothing (2.2.1.9) */
    RESOLVED_NOT = 0,
    RESOLVED_MANY = 1,
    RESOLVED = 2,
    /* A Bind sees who came a second ago; what follows sees who came a minute ago. */
    BOOK_AGE_BIND_MS = 1000,
    BOOK_AGE_MS = 60 * 1000,
    /* In one turn, so that it takes a few milliseconds at most. */
    MATCHES_A_TURN = 300,
    FITS_A_TURN = 10000,
};

struct rows {
    struct nspi_row *items;
    size_t n, cap, bytes;
};

struct mids {
    uint32_t *items;
    size_t n, cap;
};

struct nspi_call {
    struct mapi_exchange *x;
    size_t operation; /* of bodies[] */
    struct task task;
    /* what has been found so far, by an operation that has turns */
    size_t at, name, exact, part;
    const struct nspi_entry *fitting;
    struct mids mids;
    struct rows rows;
    /* the rest */
    const struct nspi_book *book;
    struct nspi_view view;
    struct nspi_request rq;
    struct nspi_response r;
    struct arena *arena;
};

/* What a client gets that does not say what it wants (3.1.4.1.8). */
static const uint32_t default_columns[] = {
    PR_AB_CONTAINER_ID,   PR_OBJECT_TYPE, PR_DISPLAY_TYPE, PR_DISPLAY_NAME,
    PR_PRIMARY_TELEPHONE, PR_DEPARTMENT,  PR_OFFICE,
};

static struct nspi_numbers columns_of(const struct nspi_call *c)
{
    if (c->rq.has_columns)
        return c->rq.columns;
    return (struct nspi_numbers){default_columns, sizeof default_columns / sizeof *default_columns};
}

/* ---- checks ---- */

static uint32_t check_codepage(uint32_t codepage)
{
    struct slice charset;

    return failed(codepage_charset(nspi_form(codepage).codepage, &charset)) ? EC_INVALID_CODEPAGE
                                                                            : EC_SUCCESS;
}

static uint32_t check_state(const struct nspi_call *c)
{
    if (!c->rq.has_state)
        return EC_INVALID_PARAMETER;
    return check_codepage(c->rq.state.codepage);
}

/* And its container is one that there is: 0, the Global Address List. */
static uint32_t check_container(const struct nspi_call *c)
{
    uint32_t ec = check_state(c);

    return ec || c->rq.state.container == 0 ? ec : (uint32_t)EC_INVALID_BOOKMARK;
}

/* ---- positions (3.1.4.5) ---- */

/* By a place of a table as long as the client thought that it is, for it may have changed. */
static size_t fractional(const struct nspi_stat *s, size_t n)
{
    if (s->total == 0)
        return 0;
    uint64_t at = (uint64_t)s->position * n / s->total;
    return at > n ? n : (size_t)at;
}

static uint32_t locate(const struct nspi_call *c, size_t *at)
{
    const struct nspi_stat *s = &c->rq.state;
    size_t n = c->book->n;

    switch (s->current) {
    case MID_BEGINNING_OF_TABLE:
        *at = 0;
        return EC_SUCCESS;
    case MID_END_OF_TABLE:
        *at = n;
        return EC_SUCCESS;
    case MID_CURRENT:
        *at = fractional(s, n);
        return EC_SUCCESS;
    default:
        *at = nspi_book_find(c->book, s->current);
        return *at < n ? EC_SUCCESS : EC_NOT_FOUND;
    }
}

static size_t move(size_t at, int32_t delta, size_t n)
{
    int64_t to = (int64_t)at + delta;

    return to < 0 ? 0 : (size_t)to > n ? n : (size_t)to;
}

static void put_position(struct nspi_call *c, size_t at)
{
    struct nspi_stat *s = &c->r.state;

    *s = c->rq.state;
    s->current = at < c->book->n ? c->book->entries[at].mid : (uint32_t)MID_END_OF_TABLE;
    s->delta = 0;
    s->position = (uint32_t)at;
    s->total = (uint32_t)c->book->n;
    c->r.has_state = true;
}

/* ---- rows ---- */

/* NULL: a row of somebody who is not there. False: there is no room for it. */
static bool add_row(struct nspi_call *c, struct rows *rows, const struct nspi_entry *entry)
{
    struct prop_list properties;

    if (entry)
        properties = nspi_properties(&c->view, entry, c->arena);
    struct nspi_row row = nspi_select(entry ? &properties : NULL, columns_of(c), c->arena, NULL);
    rows->bytes += nspi_row_size(&row);
    if (rows->bytes > ROWS_MAX)
        return false;
    if (rows->n == rows->cap) {
        size_t more = rows->cap ? rows->cap : 16;

        rows->items = arena_grow(c->arena, rows->items, rows->cap, more, sizeof *rows->items);
        rows->cap += more;
    }
    rows->items[rows->n++] = row;
    return true;
}

static void put_rows(struct nspi_call *c, const struct rows *rows)
{
    c->r.has_rows = true;
    c->r.columns = columns_of(c);
    c->r.rows = rows->items;
    c->r.n_rows = rows->n;
}

static const struct nspi_entry *entry_of(const struct nspi_call *c, uint32_t mid)
{
    size_t at = nspi_book_find(c->book, mid);

    return at < c->book->n ? &c->book->entries[at] : NULL;
}

/* ---- Bind, Unbind ---- */

static uint32_t run_bind(struct nspi_call *c)
{
    uint32_t ec = c->rq.has_state ? check_codepage(c->rq.state.codepage) : EC_SUCCESS;

    c->x->ends_context = ec != EC_SUCCESS;
    return ec;
}

static uint32_t run_unbind(struct nspi_call *c)
{
    c->x->ends_context = true;
    return EC_UNBIND_SUCCESS;
}

/* ---- GetSpecialTable (3.1.4.3) ---- */

static void put_hierarchy(struct nspi_call *c)
{
    uint32_t name =
        c->rq.flags & FLAG_UNICODE_STRINGS ? PR_DISPLAY_NAME : PROP_TAG(0x3001, PROP_STRING8);
    struct prop_list *list = arena_alloc(c->arena, sizeof *list);
    struct nspi_row *row = arena_alloc(c->arena, sizeof *row);

    list->in = c->arena;
    prop_add_bytes(list, PR_ENTRY_ID, nspi_entry_id(DISPLAY_TYPE_CONTAINER, S("/"), c->arena));
    prop_add_number(list, PR_CONTAINER_FLAGS, CONTAINER_FLAGS);
    prop_add_number(list, PR_DEPTH, 0);
    prop_add_number(list, PR_AB_CONTAINER_ID, 0);
    prop_add_bytes(list, name, S("Global Address List"));
    prop_add_number(list, PR_AB_IS_MASTER, false);
    *row = (struct nspi_row){list->items, list->n};
    c->r.rows = row;
    c->r.n_rows = 1;
}

static uint32_t run_get_special_table(struct nspi_call *c)
{
    uint32_t ec = check_state(c);

    if (ec)
        return ec;
    if (!(c->rq.flags & FLAG_UNICODE_STRINGS) && c->rq.state.codepage == CODEPAGE_UNICODE)
        return EC_INVALID_CODEPAGE;
    c->r.has_rows = true;
    if (c->rq.flags & FLAG_CREATION_TEMPLATES)
        return EC_SUCCESS; /* of which there are none */
    c->r.has_version = true;
    c->r.version = HIERARCHY_VERSION;
    if (!c->rq.has_version || c->rq.version != HIERARCHY_VERSION)
        put_hierarchy(c);
    return EC_SUCCESS;
}

/* ---- UpdateStat (3.1.4.4) ---- */

static uint32_t run_update_stat(struct nspi_call *c)
{
    uint32_t ec = check_container(c);
    size_t at;

    if (!ec)
        ec = locate(c, &at);
    if (ec)
        return ec;
    size_t to = move(at, c->rq.state.delta, c->book->n);
    put_position(c, to);
    c->r.has_delta = c->rq.delta_requested;
    c->r.delta = (int32_t)((int64_t)to - (int64_t)at);
    return EC_SUCCESS;
}

/* ---- QueryColumns (3.1.4.5), GetPropList (3.1.4.6), GetProps (3.1.4.7) ---- */

static struct prop_list properties_of(struct nspi_call *c, const struct nspi_entry *entry)
{
    return nspi_properties(&c->view, entry, c->arena);
}

static struct nspi_numbers tags_of(struct nspi_call *c, const struct prop_list *list, bool narrow)
{
    uint32_t *tags = arena_array(c->arena, list->n, sizeof *tags);

    for (size_t i = 0; i < list->n; i++) {
        uint16_t type = prop_type(list->items[i].tag);

        if (narrow && (type & ~PROP_MULTIPLE) == PROP_STRING)
            type = (uint16_t)((type & PROP_MULTIPLE) | PROP_STRING8);
        tags[i] = PROP_TAG(prop_id(list->items[i].tag), type);
    }
    return (struct nspi_numbers){tags, list->n};
}

static uint32_t run_query_columns(struct nspi_call *c)
{
    static const struct nspi_entry nobody;
    struct prop_list all = properties_of(c, &nobody);

    c->r.tags = tags_of(c, &all, !(c->rq.number[0] & FLAG_UNICODE_TAGS));
    c->r.has_tags = true;
    return EC_SUCCESS;
}

static uint32_t run_get_prop_list(struct nspi_call *c)
{
    const struct nspi_entry *entry = entry_of(c, c->rq.number[0]);
    uint32_t ec = check_codepage(c->rq.number[1]);

    if (ec)
        return ec;
    if (!entry)
        return EC_INVALID_OBJECT;
    struct prop_list all = properties_of(c, entry);
    c->r.tags = tags_of(c, &all, false);
    c->r.has_tags = true;
    return EC_SUCCESS;
}

static uint32_t run_get_props(struct nspi_call *c)
{
    struct nspi_row *row = arena_alloc(c->arena, sizeof *row);
    uint32_t ec = check_container(c);
    bool missing = false;
    size_t at;

    if (!ec)
        ec = locate(c, &at);
    if (ec)
        return ec;
    if (at == c->book->n)
        return EC_NOT_FOUND;
    struct prop_list all = properties_of(c, &c->book->entries[at]);
    if (c->rq.has_columns)
        *row = nspi_select(&all, c->rq.columns, c->arena, &missing);
    else
        *row = (struct nspi_row){all.items, all.n};
    c->r.rows = row;
    c->r.n_rows = 1;
    c->r.has_rows = true;
    return missing ? EC_WARN_ERRORS : EC_SUCCESS;
}

/* ---- QueryRows (3.1.4.8) ---- */

static void query_explicit(struct nspi_call *c)
{
    struct rows rows = {0};

    for (size_t i = 0; i < c->rq.mids.n; i++)
        if (!add_row(c, &rows, entry_of(c, c->rq.mids.items[i])))
            break;
    put_rows(c, &rows);
    c->r.state = c->rq.state;
    c->r.has_state = true;
}

static uint32_t run_query_rows(struct nspi_call *c)
{
    struct rows rows = {0};
    uint32_t ec = check_state(c);
    size_t at;

    if (!ec && c->rq.mids.n) {
        query_explicit(c);
        return EC_SUCCESS;
    }
    if (!ec)
        ec = check_container(c);
    if (!ec && c->rq.number[0] == 0)
        ec = EC_INVALID_PARAMETER;
    if (!ec)
        ec = locate(c, &at);
    if (ec)
        return ec;
    at = move(at, c->rq.state.delta, c->book->n);
    while (at < c->book->n && rows.n < c->rq.number[0] && add_row(c, &rows, &c->book->entries[at]))
        at++;
    put_rows(c, &rows);
    put_position(c, at);
    return EC_SUCCESS;
}

/* ---- SeekEntries (3.1.4.9) ---- */

static size_t seek_explicit(const struct nspi_call *c, struct slice name)
{
    size_t i = 0;

    for (; i < c->rq.mids.n; i++) {
        const struct nspi_entry *entry = entry_of(c, c->rq.mids.items[i]);

        if (entry && nspi_name_order(c->book, entry->person.display_name, name) >= 0)
            break;
    }
    return i;
}

/* From where it was found to the end of an explicit table; of a container a screenful. */
static void put_found(struct nspi_call *c, size_t from)
{
    struct rows rows = {0};
    bool explicit = c->rq.mids.n > 0;
    size_t end = explicit ? c->rq.mids.n : c->book->n;

    if (!explicit && end - from > SEEK_ROWS)
        end = from + SEEK_ROWS;
    for (size_t i = from; i < end; i++)
        if (!add_row(c, &rows, explicit ? entry_of(c, c->rq.mids.items[i]) : &c->book->entries[i]))
            break;
    put_rows(c, &rows);
}

static uint32_t check_seek(const struct nspi_call *c)
{
    uint32_t ec = check_container(c);
    uint16_t type = prop_type(c->rq.target.tag);

    if (ec)
        return ec;
    if (!c->rq.has_target)
        return EC_INVALID_PARAMETER;
    if (c->rq.state.sort_type != SORT_DISPLAY_NAME ||
        prop_id(c->rq.target.tag) != prop_id(PR_DISPLAY_NAME) ||
        (type != PROP_STRING && type != PROP_STRING8))
        return EC_ERROR;
    return EC_SUCCESS;
}

static uint32_t run_seek_entries(struct nspi_call *c)
{
    struct slice name = c->rq.target.value.bytes;
    uint32_t ec = check_seek(c);

    if (ec)
        return ec;
    bool explicit = c->rq.mids.n > 0;
    size_t from = explicit ? seek_explicit(c, name) : nspi_book_seek(c->book, name);
    if (from == (explicit ? c->rq.mids.n : c->book->n))
        return EC_NOT_FOUND;
    put_position(c, explicit ? nspi_book_find(c->book, c->rq.mids.items[from]) : from);
    if (c->rq.has_columns)
        put_found(c, from);
    return EC_SUCCESS;
}

/* ---- GetMatches (3.1.4.10) ---- */

static void add_mid(struct nspi_call *c, struct mids *mids, uint32_t mid)
{
    if (mids->n == mids->cap) {
        size_t more = mids->cap ? mids->cap : 16;

        mids->items = arena_grow(c->arena, mids->items, mids->cap, more, sizeof *mids->items);
        mids->cap += more;
    }
    mids->items[mids->n++] = mid;
}

static void put_mids(struct nspi_call *c, const struct mids *mids)
{
    c->r.mids = (struct nspi_numbers){mids->items, mids->n};
    c->r.has_mids = true;
}

static bool is_match(struct nspi_call *c, const struct nspi_entry *entry)
{
    struct arena arena = ARENA_INIT;
    struct prop_list of = nspi_properties(&c->view, entry, &arena);
    bool match = nspi_matches(entry, &of, &c->rq.filter);

    arena_done(&arena);
    return match;
}

static void put_match_rows(struct nspi_call *c, const struct mids *mids)
{
    struct rows rows = {0};

    for (size_t i = 0; i < mids->n; i++)
        if (!add_row(c, &rows, entry_of(c, mids->items[i])))
            break;
    put_rows(c, &rows);
}

/* What the rows of the new table are; without a filter those of a list, which nobody has. */
static uint32_t find_matches(struct nspi_call *c)
{
    size_t end = c->at + MATCHES_A_TURN;

    for (; c->rq.has_filter && c->at < c->book->n && c->at < end; c->at++) {
        if (!is_match(c, &c->book->entries[c->at]))
            continue;
        if (c->mids.n == c->rq.number[0])
            return EC_TABLE_TOO_BIG;
        add_mid(c, &c->mids, c->book->entries[c->at].mid);
    }
    return c->rq.has_filter && c->at < c->book->n ? LATER : EC_SUCCESS;
}

static uint32_t check_matches(const struct nspi_call *c)
{
    uint32_t ec = c->rq.has_filter ? check_container(c) : check_state(c);

    if (ec)
        return ec;
    if (c->rq.has_mids) /* reserved, and refused */
        return EC_TOO_COMPLEX;
    if (c->rq.has_filter && failed(nspi_check_filter(&c->rq.filter)))
        return EC_TOO_COMPLEX;
    return c->rq.state.sort_type == SORT_DISPLAY_NAME || c->rq.state.sort_type == SORT_PHONETIC
               ? EC_SUCCESS
               : EC_ERROR;
}

static uint32_t run_get_matches(struct nspi_call *c)
{
    uint32_t ec = check_matches(c);

    if (!ec)
        ec = find_matches(c);
    if (ec)
        return ec;
    c->r.state = c->rq.state;
    c->r.has_state = true;
    put_mids(c, &c->mids);
    if (c->rq.has_columns)
        put_match_rows(c, &c->mids);
    return EC_SUCCESS;
}

/* ---- ResortRestriction (3.1.4.11), CompareMIds (3.1.4.12) ---- */

struct place {
    uint32_t mid;
    size_t at;
};

static int place_order(const void *one, const void *other)
{
    size_t a = ((const struct place *)one)->at, b = ((const struct place *)other)->at;

    return (a > b) - (a < b);
}

static uint32_t run_resort(struct nspi_call *c)
{
    struct place *places = arena_array(c->arena, c->rq.mids.n, sizeof *places);
    struct mids mids = {0};
    uint32_t ec = check_state(c);
    size_t n = 0;

    if (!ec && c->rq.state.sort_type != SORT_DISPLAY_NAME && c->rq.state.sort_type != SORT_PHONETIC)
        ec = EC_ERROR;
    if (ec)
        return ec;
    for (size_t i = 0; i < c->rq.mids.n; i++) { /* who is not there any more is left out */
        size_t at = nspi_book_find(c->book, c->rq.mids.items[i]);

        if (at < c->book->n)
            places[n++] = (struct place){c->rq.mids.items[i], at};
    }
    qsort(places, n, sizeof *places, place_order);
    c->r.state = c->rq.state;
    c->r.state.total = (uint32_t)n;
    c->r.state.position = 0;
    bool kept = false;
    for (size_t i = 0; i < n; i++) {
        add_mid(c, &mids, places[i].mid);
        if (places[i].mid == c->rq.state.current) {
            c->r.state.position = (uint32_t)i;
            kept = true;
        }
    }
    if (!kept)
        c->r.state.current = MID_BEGINNING_OF_TABLE;
    c->r.has_state = true;
    put_mids(c, &mids);
    return EC_SUCCESS;
}

static uint32_t run_compare_mids(struct nspi_call *c)
{
    uint32_t ec = check_container(c);

    if (ec)
        return ec;
    size_t a = nspi_book_find(c->book, c->rq.number[0]);
    size_t b = nspi_book_find(c->book, c->rq.number[1]);
    if (a == c->book->n || b == c->book->n)
        return EC_ERROR;
    c->r.number = (uint32_t)((a > b) - (a < b));
    return EC_SUCCESS;
}

/* ---- DNToMId (3.1.4.13), ResolveNames (3.1.4.17) ---- */

static uint32_t run_dn_to_mid(struct nspi_call *c)
{
    struct mids mids = {0};

    for (size_t i = 0; i < c->rq.n_names; i++)
        add_mid(c, &mids, nspi_book_mid(c->book, mapi_dn_identity(c->rq.names[i])));
    put_mids(c, &mids);
    return EC_SUCCESS;
}

static void look_at(struct nspi_call *c, const struct nspi_entry *entry)
{
    enum nspi_fit fit = nspi_fits(entry, c->rq.names[c->name]);

    /* One whom the name fits exactly goes before those that it fits in part. */
    if (fit == FIT_EXACT || (fit == FIT_PART && !c->exact))
        c->fitting = entry;
    c->exact += fit == FIT_EXACT;
    c->part += fit == FIT_PART;
}

/* All have been looked at for the name that it is at. False: there is no room for the row. */
static bool end_name(struct nspi_call *c)
{
    size_t n = c->exact ? c->exact : c->part;

    add_mid(c, &c->mids, n == 0 ? RESOLVED_NOT : n == 1 ? RESOLVED : RESOLVED_MANY);
    if (n == 1 && !add_row(c, &c->rows, c->fitting))
        return false;
    c->name++;
    c->at = c->exact = c->part = 0;
    return true;
}

static uint32_t run_resolve_names(struct nspi_call *c)
{
    uint32_t ec = check_container(c);
    size_t looks = 0;

    if (ec)
        return ec;
    while (c->name < c->rq.n_names) {
        for (; c->at < c->book->n && looks < FITS_A_TURN; looks++)
            look_at(c, &c->book->entries[c->at++]);
        if (c->at < c->book->n || ++looks >= FITS_A_TURN)
            return LATER;
        if (!end_name(c))
            return EC_TABLE_TOO_BIG;
    }
    put_mids(c, &c->mids);
    put_rows(c, &c->rows);
    return EC_SUCCESS;
}

/* ---- what cannot be changed, and templates, of which there are none ---- */

static uint32_t run_get_template_info(struct nspi_call *c)
{
    uint32_t codepage = c->rq.number[0];

    /* [MS-OXNSPI] 3.1.4.1.18 */
    if (codepage == CODEPAGE_UNICODE || check_codepage(codepage))
        return EC_INVALID_CODEPAGE;
    return EC_INVALID_LOCALE;
}

/* [MS-OXNSPI] 3.1.4.1.14 */
static uint32_t run_mod_props(struct nspi_call *c)
{
    return c->rq.has_columns ? EC_ACCESS_DENIED : EC_INVALID_PARAMETER;
}

/* [MS-OXNSPI] 3.1.4.1.15: a link that there may be, of somebody that there is. */
static uint32_t run_mod_link(struct nspi_call *c)
{
    uint32_t id = prop_id(c->rq.number[0]);

    if (id != prop_id(PR_AB_MEMBER) && id != prop_id(PR_AB_PUBLIC_DELEGATES))
        return EC_NOT_FOUND;
    return entry_of(c, c->rq.number[1]) ? EC_ACCESS_DENIED : EC_INVALID_PARAMETER;
}

/* ---- GetMailboxUrl, GetAddressBookUrl ([MS-OXCMAPIHTTP] 2.2.5.18, 2.2.5.19) ---- */

static void put_url(struct nspi_call *c, const char *path)
{
    struct slice identity = slice_str(c->x->context->identity);
    struct mapi_person person;
    struct buf url = buf_make(4096);

    if (failed(mapi_find_person(c->x->mapi, identity, c->arena, &person)))
        person = (struct mapi_person){.address = identity, .mailbox_id = c->x->context->mailbox_id};
    mapi_put_url(&url, c->x->http, c->x->mapi, path, &person);
    c->r.url = arena_slice(c->arena, buf_slice(&url));
    buf_done(&url);
}

static uint32_t run_mailbox_url(struct nspi_call *c)
{
    put_url(c, "/mapi/emsmdb/");
    return EC_SUCCESS;
}

static uint32_t run_address_book_url(struct nspi_call *c)
{
    put_url(c, "/mapi/nspi/");
    return EC_SUCCESS;
}

/* ---- the table ---- */

/* clang-format off
 *
 *    name                 needs          request       response   function */
#define NSPI_OPERATIONS(X)                                                                         \
    X("Bind", NEEDS_NEW, "fs", "g", run_bind)                                                      \
    X("Unbind", NEEDS_CONTEXT, "f", "", run_unbind)                                                \
    X("CompareMIds", NEEDS_CONTEXT, "fsrx", "n", run_compare_mids)                                 \
    X("DNToMId", NEEDS_CONTEXT, "fa", "m", run_dn_to_mid)                                          \
    X("GetMatches", NEEDS_CONTEXT, "fsmiFNrc", "smC", run_get_matches)                             \
    X("GetPropList", NEEDS_CONTEXT, "frx", "t", run_get_prop_list)                                 \
    X("GetProps", NEEDS_CONTEXT, "fsc", "pl", run_get_props)                                       \
    X("GetSpecialTable", NEEDS_CONTEXT, "fsv", "pvL", run_get_special_table)                       \
    X("GetTemplateInfo", NEEDS_CONTEXT, "fibri", "pl", run_get_template_info)                      \
    X("ModLinkAtt", NEEDS_CONTEXT, "frxe", "", run_mod_link)                                       \
    X("ModProps", NEEDS_CONTEXT, "fscl", "", run_mod_props)                                        \
    X("QueryRows", NEEDS_CONTEXT, "fsMrc", "sC", run_query_rows)                                   \
    X("QueryColumns", NEEDS_CONTEXT, "ir", "t", run_query_columns)                                 \
    X("ResolveNames", NEEDS_CONTEXT, "fscw", "pmC", run_resolve_names)                             \
    X("ResortRestriction", NEEDS_CONTEXT, "fsm", "sm", run_resort)                                 \
    X("SeekEntries", NEEDS_CONTEXT, "fstmc", "sC", run_seek_entries)                               \
    X("UpdateStat", NEEDS_CONTEXT, "fsd", "sd", run_update_stat)                                   \
    X("GetMailboxUrl", NEEDS_CONTEXT, "fu", "u", run_mailbox_url)                                  \
    X("GetAddressBookUrl", NEEDS_CONTEXT, "fu", "u", run_address_book_url)
/* clang-format on */

static const struct {
    const char *request, *response;
    uint32_t (*run)(struct nspi_call *c);
} bodies[] = {
#define BODY(name, needs, request, response, function) {request, response, function},
    NSPI_OPERATIONS(BODY)
#undef BODY
};

static void answer(struct nspi_call *c, uint32_t ec)
{
    struct mapi_exchange *x = c->x;

    nspi_response_put(&x->reply, bodies[c->operation].response, ec, &c->r);
    nspi_book_close(x->mapi, c->book);
    endpoint_answer(x, x->reply.failed ? RESPONSE_UNKNOWN_FAILURE : RESPONSE_OK);
}

static void take_turn(struct task *task)
{
    struct nspi_call *c = container_of(task, struct nspi_call, task);
    uint32_t ec = bodies[c->operation].run(c);

    if (ec == LATER)
        executor_post(c->x->home, &c->task);
    else
        answer(c, ec);
}

static struct nspi_call *make_call(struct mapi_exchange *x)
{
    struct nspi_call *c = arena_alloc(&x->arena, sizeof *c);

    c->x = x;
    c->operation = (size_t)(x->operation - mapi_nspi_operations);
    c->task.run = take_turn;
    c->arena = &x->arena;
    c->view.mapi = x->mapi;
    c->view.host = arena_slice(&x->arena, mapi_host(x->http, x->mapi)); /* it may go before x */
    c->r.guid = x->mapi->server_guid;
    return c;
}

static void refuse(struct mapi_exchange *x, enum mapi_response_code code)
{
    x->ends_context = x->operation->needs == NEEDS_NEW;
    endpoint_answer(x, code);
}

static void run(struct mapi_exchange *x, struct slice body)
{
    uint64_t age = x->operation->needs == NEEDS_NEW ? BOOK_AGE_BIND_MS : BOOK_AGE_MS;
    struct nspi_call *c = make_call(x);
    struct err e = nspi_request_read(body, bodies[c->operation].request, &x->arena, &c->rq);

    if (e.code == ERR_SYNTAX) {
        refuse(x, RESPONSE_INVALID_BODY);
        return;
    }
    if (failed(nspi_book_open(x->mapi, age, x->began_ms, &c->book))) {
        refuse(x, RESPONSE_UNKNOWN_FAILURE);
        return;
    }
    c->r.codepage = c->rq.state.codepage;
    c->view.ephemeral = c->rq.flags & FLAG_EPHEMERAL;
    if (failed(e)) /* a filter */
        answer(c, EC_TOO_COMPLEX);
    else
        take_turn(&c->task);
}

static void run_ping(struct mapi_exchange *x, struct slice body)
{
    (void)body;
    endpoint_answer(x, RESPONSE_OK);
}

const struct mapi_operation mapi_nspi_operations[] = {
#define OPERATION(name, needs, request, response, function) {name, needs, run, NULL},
    NSPI_OPERATIONS(OPERATION)
#undef OPERATION
        {"PING", NEEDS_NOTHING, run_ping, NULL},
    {.name = NULL},
};
