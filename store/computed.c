/*
 * computed.c - the properties that are answered from the row, the folder or the mailbox: a table.
 */
#include "store/access.h"
#include "store/mapi/ids.h"
#include "store/object_int.h"

enum { ALL = OBJECT_MAILBOX | OBJECT_FOLDER | OBJECT_MESSAGE, BYTES_MAX = 4096 };

static struct err none(void)
{
    return ERR(ERR_NOT_FOUND, "the object has no such property");
}

static struct err number(struct prop_value *out, uint64_t n)
{
    *out = (struct prop_value){.number = (int64_t)n};
    return OK;
}

static struct err bytes(const struct store_object *o, struct buf *made, struct prop_value *out)
{
    *out = (struct prop_value){.bytes = arena_slice(o->in, buf_slice(made))};
    buf_done(made);
    return OK;
}

/* What the bag has of that id, where it is a number. */
static bool kept(const struct store_object *o, uint32_t tag, int64_t *n)
{
    bool there;
    size_t i = bag_find(&o->bag, prop_id(tag), &there);

    if (there && o->bag.props[i].tag == tag)
        *n = o->bag.props[i].value.number;
    return there && o->bag.props[i].tag == tag;
}

/* ---- identity ---- */

static struct err get_id(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    (void)tag;
    return number(out, mapi_id(o->id));
}

static uint64_t parent_of(struct store_object *o)
{
    if (o->kind == OBJECT_FOLDER)
        return o->folder.parent;
    const struct message_place *place = object_place(o);

    return place->shadow != SHADOW_NONE ? place->parent : o->fid;
}

static struct err get_parent_id(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    (void)tag;
    return number(out, mapi_id(parent_of(o)));
}

static uint64_t cn_of(const struct store_object *o)
{
    return o->kind == OBJECT_MESSAGE ? o->row.cn : o->folder.cn;
}

static struct err get_cn(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    (void)tag;
    return number(out, mapi_id(cn_of(o)));
}

static struct err gid(struct store_object *o, uint64_t counter, struct prop_value *out)
{
    struct buf made = buf_make(BYTES_MAX);

    mapi_put_gid(&made, o->rec->replica_guid, counter);
    return bytes(o, &made, out);
}

static struct err get_source_key(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    (void)tag;
    return gid(o, o->id, out);
}

static struct err get_parent_source_key(struct store_object *o, uint32_t tag,
                                        struct prop_value *out)
{
    (void)tag;
    return gid(o, parent_of(o), out);
}

static struct err get_change_key(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    (void)tag;
    return gid(o, cn_of(o), out);
}

/* One change of one replica: ours ([MS-OXCFXICS] 2.2.2.3). */
static struct err get_predecessors(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    struct buf made = buf_make(BYTES_MAX);

    (void)tag;
    buf_putc(&made, MAPI_GID_BYTES);
    mapi_put_gid(&made, o->rec->replica_guid, cn_of(o));
    return bytes(o, &made, out);
}

static struct err folder_entry(struct store_object *o, uint64_t fid, struct prop_value *out)
{
    struct buf made = buf_make(BYTES_MAX);

    mapi_put_folder_entry_id(&made, o->rec->mailbox_guid, o->rec->replica_guid, fid);
    return bytes(o, &made, out);
}

static struct err get_entry_id(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    struct buf made = buf_make(BYTES_MAX);

    (void)tag;
    if (o->kind == OBJECT_FOLDER)
        return folder_entry(o, o->id, out);
    mapi_put_message_entry_id(&made, o->rec->mailbox_guid, o->rec->replica_guid, parent_of(o),
                              o->id);
    return bytes(o, &made, out);
}

static struct err get_parent_entry_id(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    (void)tag;
    return folder_entry(o, parent_of(o), out);
}

static struct err get_instance_key(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    struct buf made = buf_make(BYTES_MAX);

    (void)tag;
    mapi_put_gid(&made, o->rec->replica_guid, o->id);
    return bytes(o, &made, out);
}

static struct err get_mailbox_guid(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    (void)tag;
    *out = (struct prop_value){.bytes = slice_of(o->rec->mailbox_guid, 16)};
    return OK;
}

static struct err get_mapping_signature(struct store_object *o, uint32_t tag,
                                        struct prop_value *out)
{
    (void)tag;
    *out = (struct prop_value){.bytes = slice_of(o->rec->replica_guid, 16)};
    return OK;
}

/* Of the content: the same for every copy. */
static struct err get_search_key(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    struct engine_blob_info info;
    struct err e = engine_blob_stat(o->rd->engine, o->row.blob, &info);

    (void)tag;
    if (!failed(e))
        *out = (struct prop_value){.bytes = arena_slice(o->in, slice_of(info.hash, 16))};
    return e;
}

static struct err get_object_type(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    (void)tag; /* [MS-OXCPRPT] 2.2.1.7 */
    return number(out, o->kind == OBJECT_MAILBOX ? 1 : o->kind == OBJECT_FOLDER ? 3 : 5);
}

/* The mailbox is its owner's ([MS-OXCPRPT] 2.2.1.1). */
static struct err get_access(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    (void)tag;
    return number(out, o->kind == OBJECT_FOLDER ? 0x3F : 0x7);
}

static struct err get_access_level(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    (void)o, (void)tag;
    return number(out, 1); /* MAPI_MODIFY ([MS-OXCPRPT] 2.2.1.2) */
}

static struct err get_instance_number(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    (void)o, (void)tag;
    return number(out, 0); /* in tables without categories ([MS-OXCTABL] 2.2.1.2) */
}

/* ---- sizes, counts and times ---- */

/* [MS-OXCFOLD] 2.2.2.2.1.8; of a message, when it came into the shadow. */
static struct err get_deleted_on(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    const struct message_place *place = o->kind == OBJECT_MESSAGE ? object_place(o) : NULL;

    (void)tag;
    if (place ? !place->deleted : !folder_is_deleted(&o->folder))
        return none();
    if (!place)
        out->time = o->folder.deleted_on;
    else
        out->time = place->shadow == SHADOW_DELETED ? o->row.savedate : place->deleted_on;
    return OK;
}

static struct err get_size(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    uint64_t size = o->kind == OBJECT_MESSAGE  ? o->row.size
                    : o->kind == OBJECT_FOLDER ? o->folder.size
                                               : o->rec->size;

    if (prop_type(tag) == PROP_INT32 && size > INT32_MAX)
        size = INT32_MAX;
    return number(out, size);
}

static struct err get_created(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    (void)tag;
    out->time = o->kind == OBJECT_MESSAGE  ? o->row.savedate
                : o->kind == OBJECT_FOLDER ? o->folder.created
                                           : o->rec->created;
    return OK;
}

static struct err get_changed(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    bool there;
    size_t i = bag_find(&o->bag, prop_id(PR_LAST_MODIFICATION_TIME), &there);

    if (tag == PR_LOCAL_COMMIT_TIME && there)
        *out = o->bag.props[i].value;
    else
        out->time = o->kind == OBJECT_MESSAGE ? o->row.savedate : o->folder.changed;
    return OK;
}

static uint32_t count_associated(const struct store_object *o)
{
    struct folder_rec shadow;
    uint64_t fid = o->folder.shadows[SHADOW_ASSOCIATED];

    return fid && !failed(folder_load(o->rd->engine, fid, &shadow)) ? shadow.exists : 0;
}

/* What is in a folder, or was found last for it. */
static struct err get_count(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    const struct folder_rec *f = &o->folder;
    struct store_search_criteria criteria = {.found = 0};

    if (f->flags & FOLDER_CRITERIA) {
        struct err e = store_search_criteria(o->rd, f->fid, o->in, &criteria);

        if (failed(e))
            return e;
    }
    return number(out, tag == PR_CONTENT_COUNT ? f->exists + criteria.found
                                               : f->unseen + criteria.unread);
}

static struct err get_folder_number(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    const struct folder_rec *f = &o->folder;

    switch (tag) {
    case PR_SUBFOLDERS:
        return number(out, f->children > 0);
    case PR_FOLDER_TYPE: /* root, generic or search ([MS-OXCFOLD] 2.2.2.2.2.1) */
        return number(out, f->special == SPECIAL_ROOT ? 0 : f->flags & FOLDER_SEARCH ? 2 : 1);
    case PR_RIGHTS: /* the owner's: all of them ([MS-OXCPERM] 2.2.7) */
        return number(out, 0x5FB);
    case PR_ARTICLE_NUMBER_NEXT:
        return number(out, f->uidnext);
    case PR_DELETED_COUNT_TOTAL:
        return number(out, f->removed);
    case PR_HIERARCHY_CHANGE:
        return number(out, f->hierarchy);
    case PR_LOCAL_COMMIT_TIME_MAX:
        return number(out, f->contents_changed);
    default: /* PR_ASSOCIATED_COUNT */
        return number(out, count_associated(o));
    }
}

/* ---- names of folders ---- */

static struct err get_folder_name(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    const struct store_folder folder = {.special = (enum store_special)o->folder.special,
                                        .name = folder_rec_name(&o->folder)};

    (void)tag;
    out->bytes = store_folder_display_name(&folder, o->in);
    return OK;
}

static struct err get_folder_class(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    (void)tag;
    if (o->folder.class_len == 0)
        return none();
    out->bytes = slice_of(o->folder.class, o->folder.class_len);
    return OK;
}

/* A folder is shown, unless somebody said otherwise. */
static struct err get_hidden(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    (void)o, (void)tag;
    return number(out, 0);
}

static struct err get_nothing(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    (void)o, (void)tag;
    *out = (struct prop_value){.bytes = SLICE_EMPTY};
    return OK;
}

/* ---- where special folders are told ([MS-OXOSFLD] 2.2.3, [MS-OXCSTOR] 2.2.2.1) ---- */

static const struct {
    uint32_t tag;
    enum store_special special;
} entries[] = {
    {PR_IPM_APPOINTMENT_ENTRY_ID, SPECIAL_CALENDAR},
    {PR_IPM_CONTACT_ENTRY_ID, SPECIAL_CONTACTS},
    {PR_IPM_JOURNAL_ENTRY_ID, SPECIAL_JOURNAL},
    {PR_IPM_NOTE_ENTRY_ID, SPECIAL_NOTES},
    {PR_IPM_TASK_ENTRY_ID, SPECIAL_TASKS},
    {PR_IPM_DRAFTS_ENTRY_ID, SPECIAL_DRAFTS},
    {PR_IPM_SUBTREE_ENTRY_ID, SPECIAL_IPM_SUBTREE},
    {PR_IPM_OUTBOX_ENTRY_ID, SPECIAL_OUTBOX},
    {PR_IPM_WASTEBASKET_ENTRY_ID, SPECIAL_TRASH},
    {PR_IPM_SENTMAIL_ENTRY_ID, SPECIAL_SENT},
    {PR_VIEWS_ENTRY_ID, SPECIAL_VIEWS},
    {PR_COMMON_VIEWS_ENTRY_ID, SPECIAL_COMMON_VIEWS},
    {PR_FINDER_ENTRY_ID, SPECIAL_SEARCH},
};

static bool tells_special(const struct store_object *o)
{
    return o->kind == OBJECT_MAILBOX || o->folder.special == SPECIAL_INBOX ||
           o->folder.special == SPECIAL_ROOT;
}

/* FIDs of the special folders of every mailbox are the numbers of their uses (mailbox.c). */
static struct err get_special_entry(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    for (size_t i = 0; i < sizeof entries / sizeof *entries && tells_special(o); i++)
        if (entries[i].tag == tag)
            return folder_entry(o, entries[i].special, out);
    return none();
}

/* Conflicts, sync issues, local and server failures, which we have not; and junk ([MS-OXOSFLD]
 * 2.2.4). */
static struct err get_additional(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    enum { JUNK = 4, COUNT = 5 };

    (void)tag;
    if (!tells_special(o))
        return none();
    struct prop_value *items = arena_array(o->in, COUNT, sizeof *items);
    struct err e = folder_entry(o, SPECIAL_JUNK, &items[JUNK]);

    out->many.items = items;
    out->many.n = COUNT;
    return e;
}

/* ---- the state of a message: one fact seen from two sides ---- */

static bool has_keyword(const struct store_object *o, struct slice want)
{
    const struct keyword_set *set;

    if (o->row.keyword_set == 0 || failed(store_keywords(o->rd, o->row.keyword_set, &set)))
        return false;
    for (uint32_t i = 0; i < set->n; i++)
        if (slice_ieq(set->names[i], want))
            return true;
    return false;
}

static bool is_associated(struct store_object *o)
{
    return object_place(o)->shadow == SHADOW_ASSOCIATED;
}

static struct err get_message_flags(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    const struct message_row *row = &o->row;
    int64_t flags = 0;

    flags = kept(o, tag, &flags) ? flags & MF_KEPT : 0;
    flags |= row->flags & FLAG_SEEN ? MF_READ | MF_EVER_READ : 0;
    flags |= row->flags & FLAG_DRAFT ? MF_UNSENT : o->bag.own ? 0 : MF_INTERNET;
    flags |= row->flags & FLAG_ATTACHMENTS ? MF_HAS_ATTACHMENTS : 0;
    flags |= row->cn == row->mid ? MF_UNMODIFIED : 0;
    flags |= is_associated(o) ? MF_ASSOCIATED : 0;
    return number(out, (uint64_t)flags);
}

static struct err get_status(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    int64_t status = 0;

    kept(o, tag, &status);
    return number(out, (uint64_t)status | (o->row.flags & FLAG_DELETED ? STATUS_DELMARKED : 0));
}

static struct err get_flag_status(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    int64_t status = 0;

    if (o->row.flags & FLAG_FLAGGED)
        return number(out, FLAG_STATUS_FOLLOWUP);
    return kept(o, tag, &status) ? number(out, (uint64_t)status) : none();
}

/* What was set counts as long as the flag that goes with it is still there. */
static struct err get_last_verb(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    bool answered = o->row.flags & FLAG_ANSWERED;
    bool forwarded = has_keyword(o, S(KEYWORD_FORWARDED));
    int64_t verb = 0;

    if (kept(o, tag, &verb)) {
        bool reply = verb == VERB_REPLY || verb == VERB_REPLY_ALL;

        if (reply ? answered : verb == VERB_FORWARD ? forwarded : !answered && !forwarded)
            return number(out, (uint64_t)verb);
    }
    if (answered || forwarded)
        return number(out, answered ? VERB_REPLY : VERB_FORWARD);
    return none();
}

static struct err get_icon(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    bool answered = o->row.flags & FLAG_ANSWERED;
    bool forwarded = has_keyword(o, S(KEYWORD_FORWARDED));
    int64_t icon = 0;

    if (kept(o, tag, &icon) && (icon == ICON_REPLIED     ? answered
                                : icon == ICON_FORWARDED ? forwarded
                                                         : true))
        return number(out, (uint64_t)icon);
    if (answered || forwarded)
        return number(out, answered ? ICON_REPLIED : ICON_FORWARDED);
    return none();
}

static struct err get_row_number(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    switch (tag) {
    case PR_INTERNET_ARTICLE_NUMBER:
        return number(out, o->row.uid);
    case PR_READ:
        return number(out, (o->row.flags & FLAG_SEEN) != 0);
    case PR_HAS_ATTACHMENTS:
        return number(out, (o->row.flags & FLAG_ATTACHMENTS) != 0);
    case PR_DELIVERY_TIME:
        return number(out, o->row.internaldate);
    default: /* PR_ASSOCIATED */
        return number(out, is_associated(o));
    }
}

/* ---- the table ---- */

/* clang-format off */
static const struct computed table[] = {
    /* tag                          of                              when set          from */
    {PR_MID,                        OBJECT_MESSAGE,                 COMPUTED_FIXED,   get_id},
    {PR_FOLDER_ID,                  OBJECT_MESSAGE,                 COMPUTED_FIXED,   get_parent_id},
    {PR_FOLDER_ID,                  OBJECT_FOLDER,                  COMPUTED_FIXED,   get_id},
    {PR_PARENT_FOLDER_ID,           OBJECT_MESSAGE | OBJECT_FOLDER, COMPUTED_FIXED,   get_parent_id},
    {PR_CHANGE_NUMBER,              OBJECT_MESSAGE | OBJECT_FOLDER, COMPUTED_FIXED,   get_cn},
    {PR_INTERNET_ARTICLE_NUMBER,    OBJECT_MESSAGE,                 COMPUTED_FIXED,   get_row_number},
    {PR_MESSAGE_FLAGS,              OBJECT_MESSAGE,                 COMPUTED_SPLIT,   get_message_flags},
    {PR_MESSAGE_STATUS,             OBJECT_MESSAGE,                 COMPUTED_SPLIT,   get_status},
    {PR_FLAG_STATUS,                OBJECT_MESSAGE,                 COMPUTED_SPLIT,   get_flag_status},
    {PR_LAST_VERB_EXECUTED,         OBJECT_MESSAGE,                 COMPUTED_SPLIT,   get_last_verb},
    {PR_ICON_INDEX,                 OBJECT_MESSAGE,                 COMPUTED_SPLIT,   get_icon},
    {PR_READ,                       OBJECT_MESSAGE,                 COMPUTED_FIXED,   get_row_number},
    {PR_HAS_ATTACHMENTS,            OBJECT_MESSAGE,                 COMPUTED_FIXED,   get_row_number},
    {PR_ASSOCIATED,                 OBJECT_MESSAGE,                 COMPUTED_FIXED,   get_row_number},
    {PR_MESSAGE_SIZE,               ALL,                            COMPUTED_FIXED,   get_size},
    {PR_MESSAGE_SIZE_EXTENDED,      ALL,                            COMPUTED_FIXED,   get_size},
    {PR_DELIVERY_TIME,              OBJECT_MESSAGE,                 COMPUTED_DEFAULT, get_row_number},
    {PR_CREATION_TIME,              ALL,                            COMPUTED_DEFAULT, get_created},
    {PR_LAST_MODIFICATION_TIME,     OBJECT_MESSAGE | OBJECT_FOLDER, COMPUTED_DEFAULT, get_changed},
    {PR_LOCAL_COMMIT_TIME,          OBJECT_MESSAGE | OBJECT_FOLDER, COMPUTED_FIXED,   get_changed},
    {PR_SEARCH_KEY,                 OBJECT_MESSAGE,                 COMPUTED_DEFAULT, get_search_key},
    {PR_CONVERSATION_ID,            OBJECT_MESSAGE,                 COMPUTED_FIXED,   conversation_id},
    {PR_ENTRY_ID,                   OBJECT_MESSAGE | OBJECT_FOLDER, COMPUTED_FIXED,   get_entry_id},
    {PR_RECORD_KEY,                 OBJECT_MESSAGE | OBJECT_FOLDER, COMPUTED_FIXED,   get_entry_id},
    {PR_RECORD_KEY,                 OBJECT_MAILBOX,                 COMPUTED_FIXED,   get_mailbox_guid},
    {PR_PARENT_ENTRY_ID,            OBJECT_MESSAGE | OBJECT_FOLDER, COMPUTED_FIXED,   get_parent_entry_id},
    {PR_INSTANCE_KEY,               OBJECT_MESSAGE | OBJECT_FOLDER, COMPUTED_FIXED,   get_instance_key},
    {PR_SOURCE_KEY,                 OBJECT_MESSAGE | OBJECT_FOLDER, COMPUTED_FIXED,   get_source_key},
    {PR_PARENT_SOURCE_KEY,          OBJECT_MESSAGE | OBJECT_FOLDER, COMPUTED_FIXED,   get_parent_source_key},
    {PR_CHANGE_KEY,                 OBJECT_MESSAGE | OBJECT_FOLDER, COMPUTED_FIXED,   get_change_key},
    {PR_PREDECESSOR_CHANGE_LIST,    OBJECT_MESSAGE | OBJECT_FOLDER, COMPUTED_FIXED,   get_predecessors},
    {PR_STORE_RECORD_KEY,           ALL,                            COMPUTED_FIXED,   get_mailbox_guid},
    {PR_MAPPING_SIGNATURE,          ALL,                            COMPUTED_FIXED,   get_mapping_signature},
    {PR_OBJECT_TYPE,                ALL,                            COMPUTED_FIXED,   get_object_type},
    {PR_ACCESS,                     OBJECT_MESSAGE | OBJECT_FOLDER, COMPUTED_FIXED,   get_access},
    {PR_ACCESS_LEVEL,               OBJECT_MESSAGE,                 COMPUTED_FIXED,   get_access_level},
    {PR_INST_ID,                    OBJECT_MESSAGE | OBJECT_FOLDER, COMPUTED_FIXED,   get_id},
    {PR_INSTANCE_NUM,               OBJECT_MESSAGE | OBJECT_FOLDER, COMPUTED_FIXED,   get_instance_number},
    {PR_DELETED_ON,                 OBJECT_MESSAGE | OBJECT_FOLDER, COMPUTED_FIXED,   get_deleted_on},
    {PR_DISPLAY_NAME,               OBJECT_FOLDER,                  COMPUTED_SPLIT,   get_folder_name},
    {PR_CONTAINER_CLASS,            OBJECT_FOLDER,                  COMPUTED_SPLIT,   get_folder_class},
    {PR_COMMENT,                    OBJECT_FOLDER,                  COMPUTED_DEFAULT, get_nothing},
    {PR_CONTENT_COUNT,              OBJECT_FOLDER,                  COMPUTED_FIXED,   get_count},
    {PR_CONTENT_UNREAD_COUNT,       OBJECT_FOLDER,                  COMPUTED_FIXED,   get_count},
    {PR_ASSOCIATED_COUNT,           OBJECT_FOLDER,                  COMPUTED_FIXED,   get_folder_number},
    {PR_SUBFOLDERS,                 OBJECT_FOLDER,                  COMPUTED_FIXED,   get_folder_number},
    {PR_FOLDER_TYPE,                OBJECT_FOLDER,                  COMPUTED_FIXED,   get_folder_number},
    {PR_RIGHTS,                     OBJECT_FOLDER,                  COMPUTED_FIXED,   get_folder_number},
    {PR_ARTICLE_NUMBER_NEXT,        OBJECT_FOLDER,                  COMPUTED_FIXED,   get_folder_number},
    {PR_DELETED_COUNT_TOTAL,        OBJECT_FOLDER,                  COMPUTED_FIXED,   get_folder_number},
    {PR_LOCAL_COMMIT_TIME_MAX,      OBJECT_FOLDER,                  COMPUTED_FIXED,   get_folder_number},
    {PR_HIERARCHY_CHANGE,           OBJECT_FOLDER,                  COMPUTED_FIXED,   get_folder_number},
    {PR_ATTRIBUTE_HIDDEN,           OBJECT_FOLDER,                  COMPUTED_DEFAULT, get_hidden},
    {PR_IPM_APPOINTMENT_ENTRY_ID,   OBJECT_FOLDER,                  COMPUTED_DEFAULT, get_special_entry},
    {PR_IPM_CONTACT_ENTRY_ID,       OBJECT_FOLDER,                  COMPUTED_DEFAULT, get_special_entry},
    {PR_IPM_JOURNAL_ENTRY_ID,       OBJECT_FOLDER,                  COMPUTED_DEFAULT, get_special_entry},
    {PR_IPM_NOTE_ENTRY_ID,          OBJECT_FOLDER,                  COMPUTED_DEFAULT, get_special_entry},
    {PR_IPM_TASK_ENTRY_ID,          OBJECT_FOLDER,                  COMPUTED_DEFAULT, get_special_entry},
    {PR_IPM_DRAFTS_ENTRY_ID,        OBJECT_FOLDER,                  COMPUTED_DEFAULT, get_special_entry},
    {PR_ADDITIONAL_REN_ENTRY_IDS,   OBJECT_FOLDER,                  COMPUTED_DEFAULT, get_additional},
    {PR_IPM_SUBTREE_ENTRY_ID,       OBJECT_MAILBOX,                 COMPUTED_FIXED,   get_special_entry},
    {PR_IPM_OUTBOX_ENTRY_ID,        OBJECT_MAILBOX,                 COMPUTED_DEFAULT, get_special_entry},
    {PR_IPM_WASTEBASKET_ENTRY_ID,   OBJECT_MAILBOX,                 COMPUTED_DEFAULT, get_special_entry},
    {PR_IPM_SENTMAIL_ENTRY_ID,      OBJECT_MAILBOX,                 COMPUTED_DEFAULT, get_special_entry},
    {PR_VIEWS_ENTRY_ID,             OBJECT_MAILBOX,                 COMPUTED_DEFAULT, get_special_entry},
    {PR_COMMON_VIEWS_ENTRY_ID,      OBJECT_MAILBOX,                 COMPUTED_DEFAULT, get_special_entry},
    {PR_FINDER_ENTRY_ID,            OBJECT_MAILBOX,                 COMPUTED_DEFAULT, get_special_entry},
};
/* clang-format on */

const struct computed *computed_find(enum store_object_kind kind, uint32_t tag)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if ((table[i].kinds & kind) && prop_id(table[i].tag) == prop_id(tag) &&
            (prop_type(tag) == PROP_UNSPECIFIED || table[i].tag == tag))
            return &table[i];
    return NULL;
}

const struct computed *computed_next(enum store_object_kind kind, const struct computed *before)
{
    const struct computed *at = before ? before + 1 : table;

    while (at < table + sizeof table / sizeof *table && !(at->kinds & kind))
        at++;
    return at < table + sizeof table / sizeof *table ? at : NULL;
}
