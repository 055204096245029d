#include "store/edit.h"

#include <assert.h>

#include "store/folder_int.h"
#include "store/prepare_int.h"

/* Of a change to the bag that moves the change number. */
enum { TOUCH_CONTENT = EDIT_BAG | EDIT_CONTENT };

/* ---- the bag ---- */

static bool is_same(const struct store_prop *a, const struct store_prop *b)
{
    struct buf x = buf_make(STORE_BAG_MAX), y = buf_make(STORE_BAG_MAX);
    bool same = a->tag == b->tag && a->large == b->large;

    if (same && a->large)
        return a->blob == b->blob;
    same = same && !failed(prop_encode(prop_type(a->tag), &a->value, &x)) &&
           !failed(prop_encode(prop_type(b->tag), &b->value, &y)) &&
           slice_eq(buf_slice(&x), buf_slice(&y));
    buf_done(&x);
    buf_done(&y);
    return same;
}

static struct err let_go(struct edit *edit, const struct store_prop *prop)
{
    if (!prop->large)
        return OK;
    edit->n_large--;
    struct err e = engine_blob_unlink(edit->tx->w, prop->blob);

    return e.code == ERR_NOT_FOUND ? ERR(ERR_CORRUPT, "the blob of a large value is missing") : e;
}

static struct err bag_set(struct edit *edit, const struct store_prop *prop, unsigned touch)
{
    struct bag *bag = &edit->bag;
    bool there;
    size_t i = bag_find(bag, prop_id(prop->tag), &there);
    struct err e = OK;

    edit->n_large += prop->large;
    if (there && is_same(&bag->props[i], prop))
        return let_go(edit, prop); /* one reference is enough */
    if (there)
        e = let_go(edit, &bag->props[i]);
    if (!there) {
        assert(bag->n < edit->room);
        memmove(bag->props + i + 1, bag->props + i, (bag->n - i) * sizeof *bag->props);
        bag->n++;
    }
    bag->props[i] = *prop;
    edit->touched |= touch;
    return e;
}

static struct err bag_remove(struct edit *edit, uint16_t id, unsigned touch, bool *was_there)
{
    struct bag *bag = &edit->bag;
    size_t i = bag_find(bag, id, was_there);

    if (!*was_there)
        return OK;
    struct err e = let_go(edit, &bag->props[i]);

    memmove(bag->props + i, bag->props + i + 1, (bag->n - i - 1) * sizeof *bag->props);
    bag->n--;
    edit->touched |= touch;
    return e;
}

/* A number that the bag keeps beside the row; 0 is nothing. */
static struct err bag_keep(struct edit *edit, uint32_t tag, int64_t n, unsigned touch)
{
    struct store_prop prop = {.tag = tag, .value.number = n};
    bool there;

    return n != 0 ? bag_set(edit, &prop, touch) : bag_remove(edit, prop_id(tag), touch, &there);
}

/* ---- beginning ---- */

struct err edit_begin(struct edit *edit, struct store_tx *tx, struct arena *in,
                      enum store_object_kind kind, const struct bag *bag, size_t changes)
{
    *edit = (struct edit){.tx = tx, .in = in, .kind = kind};
    edit->room = bag->n + changes + 1; /* and the time of the change */
    edit->bag = *bag;
    edit->n_large = bag->n_content_blobs + (bag->content != 0);
    edit->bag.props = arena_array(in, edit->room, sizeof *edit->bag.props);
    for (size_t i = 0; i < bag->n; i++) {
        edit->bag.props[i] = bag->props[i];
        edit->n_large += bag->props[i].large;
    }
    struct err e = keywords_prop_id(tx->read, &edit->keywords_id);

    return e.code == ERR_NOT_FOUND ? OK : e;
}

struct err edit_begin_message(struct edit *edit, uint16_t flags, uint32_t keyword_set)
{
    struct key key = key_keyword_set(keyword_set);
    struct slice value;
    uint32_t references;

    edit->flags = flags;
    edit->keywords = arena_array(edit->in, KEYWORDS_PER_MESSAGE + 1, sizeof *edit->keywords);
    if (keyword_set == 0)
        return OK;
    if (failed(tx_get(edit->tx, &key, &value)))
        return ERR(ERR_CORRUPT, "a row's keyword set is missing");
    return keyword_set_decode(arena_slice(edit->in, value), &references, edit->keywords,
                              &edit->n_keywords);
}

/* ---- what belongs to the row ---- */

static void set_flag(struct edit *edit, uint16_t flag, bool on)
{
    edit->flags = (uint16_t)(on ? edit->flags | flag : edit->flags & ~flag);
}

static struct err set_message_flags(struct edit *edit, const struct prop_value *v, bool remove)
{
    if (remove)
        return ERR(ERR_DENIED, "computed");
    set_flag(edit, FLAG_SEEN, v->number & MF_READ);
    set_flag(edit, FLAG_DRAFT, v->number & MF_UNSENT);
    return bag_keep(edit, PR_MESSAGE_FLAGS, v->number & MF_KEPT, TOUCH_CONTENT);
}

/* It moves no change number ([MS-OXCMSG] 3.2.5.8). */
static struct err set_status(struct edit *edit, const struct prop_value *v, bool remove)
{
    int64_t status = remove ? 0 : v->number;

    set_flag(edit, FLAG_DELETED, status & STATUS_DELMARKED);
    return bag_keep(edit, PR_MESSAGE_STATUS, status & ~(int64_t)STATUS_DELMARKED, EDIT_BAG);
}

static struct err set_flag_status(struct edit *edit, const struct prop_value *v, bool remove)
{
    int64_t status = remove ? 0 : v->number;

    if (status < 0 || status > FLAG_STATUS_FOLLOWUP)
        return ERR(ERR_INVALID, "not a flag status");
    set_flag(edit, FLAG_FLAGGED, status == FLAG_STATUS_FOLLOWUP);
    return bag_keep(edit, PR_FLAG_STATUS, status == FLAG_STATUS_COMPLETE ? status : 0,
                    TOUCH_CONTENT);
}

static void set_keyword(struct edit *edit, struct slice name, bool on)
{
    size_t i = 0;

    while (i < edit->n_keywords && !slice_ieq(edit->keywords[i], name))
        i++;
    if ((i < edit->n_keywords) == on)
        return;
    edit->touched |= EDIT_KEYWORDS;
    if (on)
        edit->keywords[edit->n_keywords++] = name;
    else
        edit->keywords[i] = edit->keywords[--edit->n_keywords];
}

static struct err set_last_verb(struct edit *edit, const struct prop_value *v, bool remove)
{
    int64_t verb = remove ? 0 : v->number;

    if (verb == VERB_FORWARD && edit->n_keywords == KEYWORDS_PER_MESSAGE)
        return ERR(ERR_LIMIT, "too many keywords for one message");
    if (verb == VERB_REPLY || verb == VERB_REPLY_ALL)
        set_flag(edit, FLAG_ANSWERED, true);
    else if (verb == VERB_FORWARD)
        set_keyword(edit, S(KEYWORD_FORWARDED), true);
    else { /* what it tells of is neither */
        set_flag(edit, FLAG_ANSWERED, false);
        set_keyword(edit, S(KEYWORD_FORWARDED), false);
    }
    return bag_keep(edit, PR_LAST_VERB_EXECUTED, verb, TOUCH_CONTENT);
}

static struct err set_icon(struct edit *edit, const struct prop_value *v, bool remove)
{
    return bag_keep(edit, PR_ICON_INDEX, remove ? 0 : v->number, TOUCH_CONTENT);
}

/* ---- what belongs to the folder's record ---- */

static struct err set_name(struct edit *edit, const struct prop_value *v, bool remove)
{
    uint64_t cn = edit->folder->cn;

    if (remove)
        return ERR(ERR_DENIED, "a folder has a name");
    if (edit->folder->special == SPECIAL_INBOX && slice_ieq(v->bytes, S("Inbox")))
        return OK;
    struct err e = folder_set_name(edit->tx, edit->folder, v->bytes);

    edit->touched |= edit->folder->cn != cn ? EDIT_FOLDER : 0;
    return e;
}

static struct err set_class(struct edit *edit, const struct prop_value *v, bool remove)
{
    struct folder_rec *folder = edit->folder;
    struct slice class = remove ? SLICE_EMPTY : v->bytes;

    if (class.len > CLASS_MAX_BYTES)
        return ERR(ERR_INVALID, "class of a folder");
    if (slice_eq(class, slice_of(folder->class, folder->class_len)))
        return OK;
    if (class.len)
        memcpy(folder->class, class.ptr, class.len);
    folder->class_len = (uint8_t) class.len;
    edit->touched |= EDIT_FOLDER;
    return OK;
}

static const struct split {
    uint32_t tag;
    struct err (*set)(struct edit *edit, const struct prop_value *v, bool remove);
} splits[] = {
    {PR_MESSAGE_FLAGS, set_message_flags},
    {PR_MESSAGE_STATUS, set_status},
    {PR_FLAG_STATUS, set_flag_status},
    {PR_LAST_VERB_EXECUTED, set_last_verb},
    {PR_ICON_INDEX, set_icon},
    {PR_DISPLAY_NAME, set_name},
    {PR_CONTAINER_CLASS, set_class},
};

static struct err apply_split(struct edit *edit, uint32_t tag, const struct prop_value *v,
                              bool remove)
{
    for (size_t i = 0; i < sizeof splits / sizeof *splits; i++)
        if (splits[i].tag == tag)
            return splits[i].set(edit, v, remove);
    return ERR(ERR_DENIED, "computed");
}

/* ---- categories ---- */

static struct err set_categories(struct edit *edit, const struct prop_value *v, bool remove)
{
    struct slice names[KEYWORDS_PER_MESSAGE];
    size_t n = 0, want = remove ? 0 : v->many.n;

    for (size_t i = 0; i < edit->n_keywords; i++)
        if (keyword_is_mark(edit->keywords[i]))
            names[n++] = edit->keywords[i];
    if (n + want > KEYWORDS_PER_MESSAGE)
        return ERR(ERR_LIMIT, "too many keywords for one message");
    for (size_t i = 0; i < want; i++)
        if (v->many.items[i].bytes.len > 0)
            names[n++] = keyword_of_category(v->many.items[i].bytes, edit->in);
    struct err e = keyword_names_check(names, n);

    if (failed(e))
        return e;
    for (size_t i = 0; i < n; i++)
        edit->keywords[i] = names[i];
    edit->n_keywords = n;
    edit->touched |= EDIT_KEYWORDS;
    return OK;
}

/* ---- one change ---- */

static struct err check_tag(const struct edit *edit, uint32_t tag)
{
    uint16_t id = prop_id(tag);
    const struct computed *c = computed_find(edit->kind, PROP_TAG(id, PROP_UNSPECIFIED));

    if (id == 0 || !named_is_known(&edit->tx->rec, id))
        return ERR(ERR_INVALID, "no property has this id");
    if (c && c->how == COMPUTED_FIXED)
        return ERR(ERR_DENIED, "computed");
    return OK;
}

static struct err check_value(const struct edit *edit, const struct store_prop *prop)
{
    uint16_t type = prop_type(prop->tag);
    const struct computed *c =
        computed_find(edit->kind, PROP_TAG(prop_id(prop->tag), PROP_UNSPECIFIED));

    if (c && c->tag != prop->tag)
        return ERR(ERR_INVALID, "not the type of this property");
    if (!prop->large)
        return prop_check(type, &prop->value);
    if (type != PROP_STRING && type != PROP_BINARY)
        return ERR(ERR_UNSUPPORTED, "large values are text or binary");
    return edit->n_large < STORE_BAG_BLOBS ? OK : ERR(ERR_LIMIT, "too many large values");
}

static uint32_t stored_tag(uint32_t tag)
{
    bool narrow = (prop_type(tag) & ~PROP_MULTIPLE) == PROP_STRING8;

    return narrow ? tag + (PROP_STRING - PROP_STRING8) : tag;
}

static struct err remove_prop(struct edit *edit, uint32_t tag)
{
    bool there;
    struct err e = bag_remove(edit, prop_id(tag), TOUCH_CONTENT, &there);

    if (!failed(e) && !there)
        e = ERR(ERR_NOT_FOUND, "the object has no such property of its own");
    return e;
}

static struct err link_large(struct edit *edit, struct store_prop *prop,
                             const struct store_prepared *prepared)
{
    struct engine_blob_info blob;

    if (!prepared)
        return engine_blob_link_id(edit->tx->w, prop->blob);
    struct err e = engine_blob_link(edit->tx->w, prepared->hash, &blob);
    if (failed(e))
        return e;
    prop->blob = blob.id;
    prop->len = prepared->bytes.len;
    return OK;
}

/* What can be wrong with one change and leave the others alone. */
static bool is_problem(struct err e)
{
    return e.code == ERR_DENIED || e.code == ERR_INVALID || e.code == ERR_UNSUPPORTED ||
           e.code == ERR_NOT_FOUND || e.code == ERR_LIMIT || e.code == ERR_TOO_BIG;
}

static struct err set_prop(struct edit *edit, struct store_prop prop,
                           const struct store_prepared *prepared)
{
    struct err e = prop.large ? link_large(edit, &prop, prepared) : OK;

    prop.prepared = NULL;
    return failed(e) ? e : bag_set(edit, &prop, TOUCH_CONTENT);
}

static struct err apply(struct edit *edit, const struct store_prop_change *change,
                        const struct store_prepared *prepared)
{
    struct store_prop prop = change->prop;

    prop.tag = stored_tag(prop.tag);
    prop.large = !change->remove && (prepared || prop.large);
    uint16_t id = prop_id(prop.tag);
    const struct computed *c = computed_find(edit->kind, PROP_TAG(id, PROP_UNSPECIFIED));
    bool categories = edit->kind == OBJECT_MESSAGE && id == edit->keywords_id && id != 0;
    struct err e = check_tag(edit, prop.tag);

    if (!failed(e) && !change->remove)
        e = check_value(edit, &prop);
    if (!failed(e) && categories && !change->remove &&
        prop_type(prop.tag) != (PROP_STRING | PROP_MULTIPLE))
        e = ERR(ERR_INVALID, "not the type of this property");
    if (failed(e))
        return e;
    if (categories)
        return set_categories(edit, &prop.value, change->remove);
    if (c && c->how == COMPUTED_SPLIT)
        return apply_split(edit, c->tag, &prop.value, change->remove);
    return change->remove ? remove_prop(edit, prop.tag) : set_prop(edit, prop, prepared);
}

struct err edit_apply(struct edit *edit, struct store_prop_change *change,
                      const struct store_prepared *prepared)
{
    struct err e = apply(edit, change, prepared);

    change->problem = is_problem(e) ? e.code : ERR_NONE;
    return is_problem(e) ? OK : e;
}

struct err edit_stamp(struct edit *edit)
{
    struct store_prop now = {.tag = PR_LAST_MODIFICATION_TIME, .value.time = edit->tx->now};

    return !bag_is_empty(&edit->bag) ? bag_set(edit, &now, TOUCH_CONTENT) : OK;
}
