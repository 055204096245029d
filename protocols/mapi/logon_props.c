/* logon_props.c - what is told of a mailbox as a whole, and of who logged on: a table. */
#include "protocols/mapi/logon_props.h"

#include "protocols/mapi/context.h"
#include "protocols/mapi/nspi_entry.h"

enum {
    PR_DELETE_AFTER_SUBMIT = 0x0E01000B,
    PR_STORE_ENTRY_ID = 0x0FFB0102,
    PR_STORE_SUPPORT_MASK = 0x340D0003,
    PR_STORE_STATE = 0x340E0003,
    PR_STORE_PROVIDER = 0x34140102,
    PR_STORAGE_QUOTA_LIMIT = 0x3FF50003,
    PR_USER_ENTRY_ID = 0x66190102,
    PR_MAILBOX_OWNER_ENTRY_ID = 0x661B0102,
    PR_MAILBOX_OWNER_NAME = 0x661C001F,
    PR_OUT_OF_OFFICE_STATE = 0x661D000B,
    PR_REPLID_GUID_MAP = 0x66380102,
    PR_PROHIBIT_RECEIVE_QUOTA = 0x666A0003,
    PR_MAX_SUBMIT_SIZE = 0x666D0003,
    PR_PROHIBIT_SEND_QUOTA = 0x666E0003,
    PR_LOCALE_ID = 0x66A10003,
    PR_CODE_PAGE_ID = 0x66C30003,
    PR_SORT_LOCALE_ID = 0x67050003,
};

enum {
    BYTES_MAX = 4096,
    /*
     * What a client may count on (PidTagStoreSupportMask): entry ids are unique, folders can be
     * searched, read-write, notifications, attachments and their OLE, multi-valued properties,
     * categories are sorted, rich and HTML bodies, a spooler, Unicode.
     */
    SUPPORT_MASK = 0x00000001 | 0x00000002 | 0x00000004 | 0x00000008 | 0x00000010 | 0x00000020 |
                   0x00000100 | 0x00000200 | 0x00000800 | 0x00001000 | 0x00010000 | 0x00040000,
};

static const uint8_t muidStoreWrap[16] = {0x38, 0xA1, 0xBB, 0x10, 0x05, 0xE5, 0x10, 0x1A,
                                          0xA1, 0xBB, 0x08, 0x00, 0x2B, 0x2A, 0x56, 0xC2};
static const uint8_t private_store[16] = {0x1B, 0x55, 0xFA, 0x20, 0xAA, 0x66, 0x11, 0xCD,
                                          0x9B, 0xC8, 0x00, 0xAA, 0x00, 0x2F, 0xC4, 0x5A};

static uint32_t number(struct prop_value *out, int64_t n)
{
    out->number = n;
    return EC_SUCCESS;
}

static uint32_t bytes(struct props *p, struct buf *made, struct prop_value *out)
{
    out->bytes = arena_slice(p->call->arena, buf_slice(made));
    buf_done(made);
    return EC_SUCCESS;
}

static struct slice owner_of(const struct props *p)
{
    return slice_str(p->object->logon->identity);
}

static uint32_t get_no(struct props *p, uint32_t tag, struct prop_value *out)
{
    (void)p, (void)tag;
    return number(out, 0);
}

/* [MS-OXCDATA] 2.2.4.3 */
static uint32_t get_store_entry(struct props *p, uint32_t tag, struct prop_value *out)
{
    struct buf id = buf_make(BYTES_MAX);
    static const char dll[14] = "emsmdb.dll";

    (void)tag;
    wire_put_u32(&id, 0);
    buf_put(&id, slice_of(muidStoreWrap, 16));
    wire_put_u8(&id, 0); /* Version */
    wire_put_u8(&id, 0); /* Flag */
    buf_put(&id, slice_of(dll, sizeof dll));
    wire_put_u32(&id, 0);
    buf_put(&id, slice_of(private_store, 16));
    wire_put_u32(&id, 0x0C); /* a mailbox */
    wire_put_asz(&id, slice_str(p->call->mapi->config.organization));
    mapi_put_dn(p->call->mapi, &id, owner_of(p));
    wire_put_u8(&id, 0);
    return bytes(p, &id, out);
}

static uint32_t get_provider(struct props *p, uint32_t tag, struct prop_value *out)
{
    (void)p, (void)tag;
    out->bytes = slice_of(private_store, 16);
    return EC_SUCCESS;
}

static uint32_t get_support(struct props *p, uint32_t tag, struct prop_value *out)
{
    (void)p, (void)tag;
    return number(out, SUPPORT_MASK);
}

/* [MS-OXCDATA] 2.2.5.2: who logged on, or whose mailbox it is. */
static uint32_t get_person_entry(struct props *p, uint32_t tag, struct prop_value *out)
{
    struct slice who =
        tag == PR_USER_ENTRY_ID ? slice_str(p->call->context->identity) : owner_of(p);

    out->bytes = nspi_person_id(p->call->mapi, who, p->call->arena);
    return EC_SUCCESS;
}

static uint32_t get_owner_name(struct props *p, uint32_t tag, struct prop_value *out)
{
    struct mapi_person person;

    (void)tag;
    out->bytes = owner_of(p);
    if (!failed(mapi_find_person(p->call->mapi, owner_of(p), p->call->arena, &person)))
        out->bytes = person.display_name;
    return EC_SUCCESS;
}

static uint32_t get_display_name(struct props *p, uint32_t tag, struct prop_value *out)
{
    struct buf name = buf_make(BYTES_MAX);
    uint32_t ec = get_owner_name(p, tag, out);

    buf_puts(&name, "Mailbox - ");
    buf_put(&name, out->bytes);
    return ec ? ec : bytes(p, &name, out);
}

/* In KB, like every quota. Without a quota there is no such property ([MS-OXCSTOR] 2.2.2.1.1). */
static uint32_t get_quota(struct props *p, uint32_t tag, struct prop_value *out)
{
    struct mailbox_info info;

    (void)tag;
    if (failed(store_mailbox_info(p->rd, &info)) || info.quota == 0)
        return EC_NOT_FOUND;
    uint64_t kb = info.quota / 1024;
    return number(out, kb < INT32_MAX ? (int64_t)kb : INT32_MAX);
}

static uint32_t get_max_submit(struct props *p, uint32_t tag, struct prop_value *out)
{
    uint64_t kb = store_max_message(p->call->mapi->config.store) / 1024;

    (void)tag;
    return number(out, kb < INT32_MAX ? (int64_t)kb : INT32_MAX);
}

static uint32_t get_locale(struct props *p, uint32_t tag, struct prop_value *out)
{
    const struct mapi_context *c = p->call->context;

    return number(out, tag == PR_CODE_PAGE_ID ? c->codepage : (int64_t)c->lcid);
}

/* One pair of a replica id and its GUID ([MS-OXCSTOR] 2.2.2.1.1.14). */
static uint32_t get_replicas(struct props *p, uint32_t tag, struct prop_value *out)
{
    struct buf map = buf_make(BYTES_MAX);

    (void)tag;
    wire_put_u16(&map, MAPI_REPLICA_ID);
    buf_put(&map, slice_of(p->object->logon->info.replica_guid, 16));
    return bytes(p, &map, out);
}

/* ---- the table ---- */

static const struct logon_prop {
    uint32_t tag;
    bool settable; /* what a client sets is kept by the store, and wins */
    uint32_t (*get)(struct props *p, uint32_t tag, struct prop_value *out);
} table[] = {
    /* clang-format off */
    {PR_DELETE_AFTER_SUBMIT,    true,  get_no},
    {PR_ENTRY_ID,               false, get_store_entry},
    {PR_STORE_ENTRY_ID,         false, get_store_entry},
    {PR_DISPLAY_NAME,           true,  get_display_name},
    {PR_STORE_SUPPORT_MASK,     false, get_support},
    {PR_STORE_STATE,            false, get_no},
    {PR_STORE_PROVIDER,         false, get_provider},
    {PR_STORAGE_QUOTA_LIMIT,    false, get_quota},
    {PR_USER_ENTRY_ID,          false, get_person_entry},
    {PR_MAILBOX_OWNER_ENTRY_ID, false, get_person_entry},
    {PR_MAILBOX_OWNER_NAME,     false, get_owner_name},
    {PR_OUT_OF_OFFICE_STATE,    false, get_no}, /* nothing replies by itself */
    {PR_REPLID_GUID_MAP,        false, get_replicas},
    {PR_PROHIBIT_RECEIVE_QUOTA, false, get_quota},
    {PR_MAX_SUBMIT_SIZE,        false, get_max_submit},
    {PR_PROHIBIT_SEND_QUOTA,    false, get_quota},
    {PR_LOCALE_ID,              false, get_locale},
    {PR_CODE_PAGE_ID,           false, get_locale},
    {PR_SORT_LOCALE_ID,         false, get_locale},
    /* clang-format on */
};

_Static_assert(sizeof table / sizeof *table <= LOGON_PROPS_MAX, "more than their number says");

uint32_t logon_prop_tag(size_t i)
{
    return i < sizeof table / sizeof *table ? table[i].tag : 0;
}

static const struct logon_prop *find(uint32_t tag)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (prop_id(table[i].tag) == prop_id(tag))
            return &table[i];
    return NULL;
}

uint32_t logon_prop_get(struct props *props, uint32_t tag, struct store_prop *out)
{
    const struct logon_prop *p = find(tag);

    if (!p || (prop_type(tag) != PROP_UNSPECIFIED && tag != p->tag))
        return EC_NOT_FOUND;
    struct store_prop made = {.tag = p->tag};
    uint32_t ec = p->get(props, p->tag, &made.value);

    if (!ec)
        *out = made;
    return ec;
}

bool logon_prop_is_fixed(uint32_t tag)
{
    const struct logon_prop *p = find(tag);

    return p && !p->settable;
}
