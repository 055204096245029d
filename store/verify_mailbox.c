/*
 * verify_mailbox.c - of one mailbox: its tree of folders, keyword sets, change log, and that every
 * key belongs to something.
 */
#include <stdlib.h>

#include "store/access_int.h"
#include "store/bag.h"
#include "store/content.h"
#include "store/message_int.h"
#include "store/verify_int.h"

/* Call `each` for every key of a kind; a read error is a fault. */
static void walk_kind(struct verify *v, enum key_kind kind,
                      void (*each)(struct verify *v, struct slice key, struct slice value))
{
    struct engine_cursor *cursor = engine_cursor_open(v->rd->engine);
    struct key from = key_kind(kind);
    struct slice key, value;
    struct err e = engine_seek(cursor, key_slice(&from), &key, &value);

    for (; !failed(e) && key_is_kind(key, kind); e = engine_next(cursor, &key, &value))
        each(v, key, value);
    if (failed(e) && e.code != ERR_NOT_FOUND)
        verify_fault(v, "reading: %s", e.why);
    engine_cursor_close(cursor);
}

/* ---- folders ---- */

static uint64_t count_children(struct verify *v, uint64_t parent)
{
    struct engine_cursor *cursor = engine_cursor_open(v->rd->engine);
    struct key from = key_id(KEY_FOLDER_NAME, parent);
    struct slice key, value;
    uint64_t n = 0;
    struct err e = engine_seek(cursor, key_slice(&from), &key, &value);

    for (; !failed(e) && key.len > 9 && key_is_kind(key, KEY_FOLDER_NAME) &&
           get_be64(key.ptr + 1) == parent;
         e = engine_next(cursor, &key, &value))
        n++;
    engine_cursor_close(cursor);
    return n;
}

/* Up to the root, in no more steps than there are folders. */
static bool leads_to_root(struct verify *v, const struct folder_rec *rec)
{
    struct folder_rec at = *rec;

    for (uint32_t i = 0; i <= v->rec.folders && at.fid != SPECIAL_ROOT; i++)
        if (failed(folder_load(v->rd->engine, at.parent, &at)))
            return false;
    return at.fid == SPECIAL_ROOT;
}

/* A key that has to be there, or need not. */
static bool has_key(struct verify *v, enum key_kind kind, uint64_t fid, bool must)
{
    struct key key = key_id(kind, fid);
    struct slice value;

    return !must || !failed(engine_get(v->rd->engine, key_slice(&key), &value));
}

static void check_plain(struct verify *v, const struct folder_rec *rec)
{
    uint64_t named = 0;

    v->folders++;
    v->report->folders++;
    if (rec->fid != SPECIAL_ROOT &&
        (failed(folder_child(v->rd->engine, rec->parent, folder_rec_name(rec), &named)) ||
         named != rec->fid))
        verify_fault(v, "folder %llu: its name does not lead to it", (unsigned long long)rec->fid);
    for (unsigned i = SHADOW_ASSOCIATED; i < SHADOW_COUNT; i++) {
        struct folder_rec shadow;

        if (rec->shadows[i] && (failed(folder_load(v->rd->engine, rec->shadows[i], &shadow)) ||
                                shadow.parent != rec->fid || shadow.shadow != i))
            verify_fault(v, "folder %llu: its shadow is missing", (unsigned long long)rec->fid);
    }
}

/* A shadow, or a folder that is soft-deleted. */
static void check_hidden(struct verify *v, const struct folder_rec *rec)
{
    struct folder_rec parent = {.fid = 0};
    struct key key = key_deleted(rec->parent, rec->fid);
    bool listed = folder_is_deleted(rec);
    struct slice value;

    v->hidden++;
    v->to_recover += listed;
    if (failed(folder_load(v->rd->engine, rec->parent, &parent)) ||
        (rec->shadow != SHADOW_NONE && parent.shadows[rec->shadow] != rec->fid))
        verify_fault(v, "folder %llu: its parent does not know it", (unsigned long long)rec->fid);
    if (!failed(engine_get(v->rd->engine, key_slice(&key), &value)) != listed)
        verify_fault(v, "folder %llu: soft-deleted and not listed so, or the other way round",
                     (unsigned long long)rec->fid);
    if (rec->children || rec->shadows[SHADOW_DELETED] || rec->shadows[SHADOW_ASSOCIATED])
        verify_fault(v, "folder %llu: hidden, and has what only others have",
                     (unsigned long long)rec->fid);
    if (rec->deleted_on && (!v->rec.deleted_since || rec->deleted_on < v->rec.deleted_since))
        verify_fault(v, "folder %llu: soft-deleted before the oldest item",
                     (unsigned long long)rec->fid);
}

static void each_deleted(struct verify *v, struct slice key, struct slice value)
{
    (void)key, (void)value;
    v->deleted_keys++; /* that each record has its own was checked */
}

static void each_folder(struct verify *v, struct slice key, struct slice value)
{
    struct folder_rec rec;
    uint64_t fid = 0;

    if (!key_is_id(key, KEY_FOLDER, &fid)) {
        verify_fault(v, "a malformed key of a folder");
        return;
    }
    struct err e = folder_rec_decode(value, fid, &rec);

    if (failed(e)) {
        verify_fault(v, "folder %llu: %s", (unsigned long long)fid, e.why);
        return;
    }
    if (folder_is_plain(&rec))
        check_plain(v, &rec);
    else
        check_hidden(v, &rec);
    if (!has_key(v, KEY_PERMISSIONS, fid, rec.flags & FOLDER_PERMISSIONS) ||
        !has_key(v, KEY_CRITERIA, fid, rec.flags & FOLDER_CRITERIA))
        verify_fault(v, "folder %llu: its permissions or search criteria are missing",
                     (unsigned long long)fid);
    if (count_children(v, fid) != rec.children)
        verify_fault(v, "folder %llu: number of children", (unsigned long long)fid);
    if (!leads_to_root(v, &rec))
        verify_fault(v, "folder %llu: not below the root", (unsigned long long)fid);
    verify_folder(v, &rec);
}

static void each_name(struct verify *v, struct slice key, struct slice value)
{
    struct folder_rec rec;
    uint64_t fid = 0;

    if (key.len < 10 || failed(u64_value_decode(value, &fid)) ||
        failed(folder_load(v->rd->engine, fid, &rec)) || rec.parent != get_be64(key.ptr + 1) ||
        !slice_eq(folder_rec_name(&rec), slice_from(key, 9)))
        verify_fault(v, "a name leads to folder %llu, which has not got it",
                     (unsigned long long)fid);
}

static void each_special(struct verify *v, struct slice key, struct slice value)
{
    struct folder_rec rec;
    uint64_t fid = 0;

    if (key.len != 2 || failed(u64_value_decode(value, &fid)) ||
        failed(folder_load(v->rd->engine, fid, &rec)) || rec.special != key.ptr[1])
        verify_fault(v, "a special use leads to folder %llu, which has not got it",
                     (unsigned long long)fid);
}

static void check_first_folders(struct verify *v)
{
    for (unsigned i = SPECIAL_ROOT; i < SPECIAL_ALL; i++) {
        struct key key = key_special((enum store_special)i);
        struct slice value;

        if (failed(engine_get(v->rd->engine, key_slice(&key), &value)))
            verify_fault(v, "special folder %u is missing", i);
    }
}

/* ---- doomed FIDs ---- */

static void each_doomed(struct verify *v, struct slice key, struct slice value)
{
    uint64_t fid;

    (void)value;
    if (!key_is_id(key, KEY_DOOMED, &fid)) {
        verify_fault(v, "a malformed key of a doomed folder");
        return;
    }
    v->doomed++;
    verify_doomed(v, fid);
}

/* ---- keys that must belong to a folder or a doomed FID ---- */

static bool fid_is_known(struct verify *v, uint64_t fid)
{
    struct key folder = key_id(KEY_FOLDER, fid), doomed = key_id(KEY_DOOMED, fid);
    struct slice value;

    return !failed(engine_get(v->rd->engine, key_slice(&folder), &value)) ||
           !failed(engine_get(v->rd->engine, key_slice(&doomed), &value));
}

static void each_owned(struct verify *v, struct slice key, struct slice value)
{
    (void)value;
    if (key.len < 13 || !fid_is_known(v, get_be64(key.ptr + 1)))
        verify_fault(v, "a key '%c' of a folder that does not exist", key.ptr[0]);
}

static void each_mid(struct verify *v, struct slice key, struct slice value)
{
    (void)key, (void)value;
    v->mids++; /* that each row has its own was checked: as many of one as of the other */
}

static void each_tombstone(struct verify *v, struct slice key, struct slice value)
{
    struct uidset set = UIDSET_EMPTY;

    each_owned(v, key, value);
    if (key.len != 17 || get_be64(key.ptr + 9) > v->rec.counter ||
        failed(tombstone_decode(value, &set)) || set.n == 0)
        verify_fault(v, "a malformed tombstone");
    uidset_done(&set);
}

/* ---- keywords ---- */

static void each_keyword_set(struct verify *v, struct slice key, struct slice value)
{
    struct slice names[KEYWORDS_PER_MESSAGE];
    uint32_t id = 0, references;
    size_t n;

    if (!key_is_keyword_set(key, &id) ||
        failed(keyword_set_decode(value, &references, names, &n)) || n == 0 ||
        id > v->rec.next_keyword_set) {
        verify_fault(v, "keyword set %u is malformed", id);
        return;
    }
    v->keyword_sets_stored++;
    if (references == 0 || references != refs_get(&v->keyword_sets, id))
        verify_fault(v, "keyword set %u: %u references, and %llu rows", id, references,
                     (unsigned long long)refs_get(&v->keyword_sets, id));
    for (size_t i = 0; i < n; i++) {
        struct key name = key_keyword_name(names[i]);
        struct slice seen;

        if (failed(engine_get(v->rd->engine, key_slice(&name), &seen)))
            verify_fault(v, "keyword set %u: a name that the mailbox does not know", id);
    }
}

static void each_keyword_hash(struct verify *v, struct slice key, struct slice value)
{
    uint32_t id = 0;
    struct slice set;

    v->keyword_hashes++;
    if (key.len != 33 || failed(u32_value_decode(value, &id)))
        verify_fault(v, "an entry of the index of keyword sets is malformed");
    struct key by_id = key_keyword_set(id);

    if (failed(engine_get(v->rd->engine, key_slice(&by_id), &set)))
        verify_fault(v, "keyword set %u is in the index and nowhere else", id);
}

static void each_keyword_name(struct verify *v, struct slice key, struct slice value)
{
    struct key want = key_keyword_name(value);

    v->keyword_names++;
    if (!slice_eq(key_slice(&want), key))
        verify_fault(v, "a keyword under another one's name");
}

/* ---- the change log ---- */

/* How many UIDs the entry has: in itself, or in its tombstone. */
static bool count_uids(struct verify *v, uint64_t counter, const struct log_rec *rec, uint64_t *n)
{
    struct key tombstone = key_tombstone(rec->fid, counter);
    struct uidset set = UIDSET_EMPTY;
    struct slice found;
    bool known = true;

    if (rec->kind != LOG_EXPUNGED)
        known = !failed(uids_decode(rec->uids, &set));
    else
        known = !failed(engine_get(v->rd->engine, key_slice(&tombstone), &found)) &&
                !failed(tombstone_decode(found, &set));
    *n = uidset_count(&set);
    uidset_done(&set);
    return known;
}

/* A MID for each UID, and where the messages came from other ones for each of these. */
static void check_mids(struct verify *v, uint64_t counter, const struct log_rec *rec)
{
    uint64_t n_uids, n = 0, n_old = 0;

    if (!mids_are_sound(rec->mids, v->rec.counter, &n) ||
        !mids_are_sound(rec->old_mids, v->rec.counter, &n_old))
        verify_fault(v, "change log entry %llu: its MIDs are malformed",
                     (unsigned long long)counter);
    else if (n && count_uids(v, counter, rec, &n_uids) && n_uids != n)
        verify_fault(v, "change log entry %llu: %llu messages have %llu MIDs",
                     (unsigned long long)counter, (unsigned long long)n_uids,
                     (unsigned long long)n);
    else if (n_old != (rec->old_fid && rec->kind == LOG_ARRIVED ? n : 0))
        verify_fault(v, "change log entry %llu: %llu messages came from %llu",
                     (unsigned long long)counter, (unsigned long long)n, (unsigned long long)n_old);
}

static void each_log(struct verify *v, struct slice key, struct slice value)
{
    struct uidset set = UIDSET_EMPTY;
    struct log_rec rec;
    uint64_t counter = 0;

    v->log_entries++;
    bool known = key_is_id(key, KEY_LOG, &counter) && !failed(log_rec_decode(value, &rec));
    if (!known || failed(uids_decode(rec.uids, &set))) {
        verify_fault(v, "change log entry %llu is malformed", (unsigned long long)counter);
    } else if (counter > v->rec.counter || counter <= v->rec.log_floor || rec.first > counter) {
        verify_fault(v, "change log entry %llu is out of order", (unsigned long long)counter);
    } else if (rec.kind == LOG_EXPUNGED && fid_is_known(v, rec.fid)) {
        struct key tombstone = key_tombstone(rec.fid, counter);
        struct key doomed = key_id(KEY_DOOMED, rec.fid);
        struct folder_rec folder;
        struct slice found;

        /* A folder that was swept has lost its tombstones, and one that is swept loses them. */
        if (failed(engine_get(v->rd->engine, key_slice(&tombstone), &found)) &&
            failed(engine_get(v->rd->engine, key_slice(&doomed), &found)) &&
            !failed(folder_load(v->rd->engine, rec.fid, &folder)) &&
            !(folder.flags & FOLDER_NOSELECT) && counter > folder.expunge_floor)
            verify_fault(v, "change log entry %llu: its tombstone is missing",
                         (unsigned long long)counter);
    }
    if (known)
        check_mids(v, counter, &rec);
    uidset_done(&set);
}

/* ---- properties ---- */

static bool has_owner(struct verify *v, uint64_t id)
{
    struct key folder = key_id(KEY_FOLDER, id), mid = key_id(KEY_MID, id);
    struct slice value;

    return id == STORE_OBJECT_MAILBOX ||
           !failed(engine_get(v->rd->engine, key_slice(&folder), &value)) ||
           !failed(engine_get(v->rd->engine, key_slice(&mid), &value));
}

static void check_prop(struct verify *v, uint64_t id, const struct store_prop *prop)
{
    struct engine_blob_info blob;

    if (!named_is_known(&v->rec, prop_id(prop->tag)))
        verify_fault(v, "object %llu: a property without a name", (unsigned long long)id);
    if (prop->large &&
        (failed(engine_blob_stat(v->rd->engine, prop->blob, &blob)) || blob.len != prop->len))
        verify_fault(v, "object %llu: a large value is missing, or not of its length",
                     (unsigned long long)id);
    if (!prop->large && failed(prop_check(prop_type(prop->tag), &prop->value)))
        verify_fault(v, "object %llu: a value is not of its type", (unsigned long long)id);
}

/* Can it be read? That its blobs are there is told by their references. */
static void check_content(struct verify *v, uint64_t id, const struct bag *bag, struct arena *in)
{
    struct store_prop bytes = {.large = true, .blob = bag->content, .len = bag->content_len};
    struct store_content content;

    if (bag->content && (failed(store_prop_load(v->rd, &bytes, STORE_CONTENT_MAX, in)) ||
                         failed(content_decode(bytes.value.bytes, bag->content_blobs,
                                               bag->n_content_blobs, in, &content))))
        verify_fault(v, "object %llu: its recipients and attachments cannot be read",
                     (unsigned long long)id);
}

static void each_bag(struct verify *v, struct slice key, struct slice value)
{
    struct arena arena = ARENA_INIT;
    struct bag bag;
    uint64_t id = 0;

    if (!key_is_id(key, KEY_BAG, &id) || failed(bag_decode(value, &arena, &bag)) ||
        bag_is_empty(&bag)) {
        verify_fault(v, "object %llu: malformed properties", (unsigned long long)id);
    } else {
        if (!has_owner(v, id))
            verify_fault(v, "object %llu has properties and is not there", (unsigned long long)id);
        for (size_t i = 0; i < bag.n; i++)
            check_prop(v, id, &bag.props[i]);
        check_content(v, id, &bag, &arena);
    }
    arena_done(&arena);
}

static void each_named(struct verify *v, struct slice key, struct slice value)
{
    struct store_prop_name name;
    uint16_t id = 0;

    if (key.len != 3 ||
        get_be32((uint8_t[]){0, 0, key.ptr[1], key.ptr[2]}) != NAMED_FIRST + v->named ||
        failed(named_decode(value, &name)) || failed(named_find(v->rd->engine, &name, &id)) ||
        id != NAMED_FIRST + v->named)
        verify_fault(v, "named property %llu: malformed, or its name does not lead to it",
                     (unsigned long long)v->named);
    v->named++;
}

static void each_named_id(struct verify *v, struct slice key, struct slice value)
{
    (void)key, (void)value;
    v->named_ids++; /* that each id has its own was checked: as many of one as of the other */
}

/* ---- what MAPI keeps of folders ---- */

static void each_receive(struct verify *v, struct slice key, struct slice value)
{
    struct store_receive_folder row;

    v->receive++;
    if (failed(receive_decode(value, &row)) || !slice_ieq(row.class, slice_from(key, 1)))
        verify_fault(v, "a malformed receive folder");
}

static void each_permissions(struct verify *v, struct slice key, struct slice value)
{
    struct arena arena = ARENA_INIT;
    struct store_permission *all;
    struct folder_rec rec;
    uint64_t fid = 0;
    size_t n;

    if (!key_is_id(key, KEY_PERMISSIONS, &fid) || failed(folder_load(v->rd->engine, fid, &rec)) ||
        !(rec.flags & FOLDER_PERMISSIONS) || failed(permissions_decode(value, &arena, &all, &n)))
        verify_fault(v, "folder %llu: its permissions are malformed, or it is not there",
                     (unsigned long long)fid);
    arena_done(&arena);
}

static void each_criteria(struct verify *v, struct slice key, struct slice value)
{
    struct arena arena = ARENA_INIT;
    struct store_search_criteria criteria;
    struct folder_rec rec;
    uint64_t fid = 0;

    if (!key_is_id(key, KEY_CRITERIA, &fid) || failed(folder_load(v->rd->engine, fid, &rec)) ||
        !(rec.flags & FOLDER_SEARCH) || !(rec.flags & FOLDER_CRITERIA) ||
        failed(criteria_decode(value, &arena, &criteria)))
        verify_fault(v, "folder %llu: its search criteria are malformed, or it is no search folder",
                     (unsigned long long)fid);
    arena_done(&arena);
}

static void each_replicas(struct verify *v, struct slice key, struct slice value)
{
    struct slice guids;

    if (key.len != 1 || failed(replicas_decode(value, &guids)))
        verify_fault(v, "the GUIDs of other replicas are malformed");
}

/* ---- all of it ---- */

static void check_total(struct verify *v, const char *name, uint64_t has, uint64_t want)
{
    if (has != want)
        verify_fault(v, "%s is %llu, and should be %llu", name, (unsigned long long)has,
                     (unsigned long long)want);
}

static void check_totals(struct verify *v)
{
    check_total(v, "its number of folders", v->rec.folders, v->folders);
    check_total(v, "its number of receive folders", v->rec.receive, v->receive);
    check_total(v, "its number of hidden folders", v->rec.hidden, v->hidden);
    check_total(v, "its list of soft-deleted folders", v->deleted_keys, v->to_recover);
    check_total(v, "its number of soft-deleted messages", v->rec.deleted_messages,
                v->deleted_messages);
    check_total(v, "its size of soft-deleted messages", v->rec.deleted_size, v->deleted_size);
    check_total(v, "its number of messages", v->rec.messages, v->messages);
    check_total(v, "its size", v->rec.size, v->size);
    check_total(v, "its number of doomed folders", v->rec.doomed, v->doomed);
    check_total(v, "its number of MIDs", v->mids, v->rows);
    check_total(v, "its number of keywords", v->rec.keywords, v->keyword_names);
    check_total(v, "its index of keyword sets", v->keyword_hashes, v->keyword_sets_stored);
    check_total(v, "its keyword sets", v->keyword_sets_stored, v->keyword_sets.n);
    check_total(v, "its change log", v->rec.log_entries, v->log_entries);
    check_total(v, "its number of named properties", v->rec.named, v->named);
    check_total(v, "its index of named properties", v->named_ids, v->named);
    check_total(v, "its number of subscriptions", v->rec.subscriptions, v->subscriptions);
}

static void each_subscription(struct verify *v, struct slice key, struct slice value)
{
    struct key want = key_subscription(value);

    v->subscriptions++;
    if (!slice_eq(key_slice(&want), key))
        verify_fault(v, "a subscription under another one's name");
}

void verify_mailbox(struct verify *v)
{
    v->report->mailboxes++;
    check_first_folders(v);
    walk_kind(v, KEY_FOLDER, each_folder);
    walk_kind(v, KEY_DOOMED, each_doomed);
    walk_kind(v, KEY_FOLDER_NAME, each_name);
    walk_kind(v, KEY_DELETED, each_deleted);
    walk_kind(v, KEY_RECEIVE, each_receive);
    walk_kind(v, KEY_PERMISSIONS, each_permissions);
    walk_kind(v, KEY_CRITERIA, each_criteria);
    walk_kind(v, KEY_REPLICAS, each_replicas);
    walk_kind(v, KEY_SPECIAL, each_special);
    walk_kind(v, KEY_ROWS, each_owned);
    walk_kind(v, KEY_RUN_ALL, each_owned);
    walk_kind(v, KEY_RUN_UNSEEN, each_owned);
    walk_kind(v, KEY_TOMBSTONE, each_tombstone);
    walk_kind(v, KEY_MID, each_mid);
    walk_kind(v, KEY_KEYWORD_SET, each_keyword_set);
    walk_kind(v, KEY_KEYWORD_SET_HASH, each_keyword_hash);
    walk_kind(v, KEY_KEYWORD_NAME, each_keyword_name);
    walk_kind(v, KEY_BAG, each_bag);
    walk_kind(v, KEY_NAMED, each_named);
    walk_kind(v, KEY_NAMED_ID, each_named_id);
    walk_kind(v, KEY_LOG, each_log);
    walk_kind(v, KEY_SUBSCRIPTION, each_subscription);
    check_totals(v);
}
