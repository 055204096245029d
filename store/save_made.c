/*
 * save_made.c - properties of a message that the store makes of others when it is saved
 * ([MS-OXCMSG] 3.2.5.3, 3.2.5.5): who it goes to, and the two parts of its subject.
 *
 * They are made beside what the caller gave, and set after it. A caller that saves a message anew
 * may give back what was made the last time: it is made anew of the recipients and the subject.
 */
#include <stdlib.h>

#include "store/edit.h"
#include "store/mapi/oxcmail.h"
#include "store/save_made.h"

enum { RECIPIENT_TYPES = 0xF }; /* of PidTagRecipientType; the rest are marks of sending again */

static const struct {
    uint32_t tag;
    int64_t type;
} displays[] = {{PR_DISPLAY_TO, 1}, {PR_DISPLAY_CC, 2}, {PR_DISPLAY_BCC, 3}};

static const struct store_prop *find(const struct store_prop_change *changes, size_t n,
                                     uint32_t tag)
{
    const struct store_prop *found = NULL;

    for (size_t i = 0; i < n; i++)
        if (prop_id(changes[i].prop.tag) == prop_id(tag))
            found = changes[i].remove ? NULL : &changes[i].prop;
    return found;
}

/* A short text; false where there is none. */
static bool text_of(const struct store_prop_change *changes, size_t n, uint32_t tag,
                    struct slice *out)
{
    const struct store_prop *prop = find(changes, n, tag);
    uint16_t type = prop ? prop_type(prop->tag) : PROP_UNSPECIFIED;

    if (!prop || prop->large || prop->prepared || (type != PROP_STRING && type != PROP_STRING8) ||
        failed(prop_check(type, &prop->value)))
        return false;
    *out = prop->value.bytes;
    return true;
}

static void put(struct save_made *made, uint32_t tag, struct slice text)
{
    made->changes[made->n++] =
        (struct store_prop_change){.prop = {.tag = tag, .value.bytes = text}};
}

/* ---- who it goes to ---- */

static struct slice name_of(const struct store_props *recipient)
{
    static const uint32_t names[] = {PR_DISPLAY_NAME, PR_SMTP_ADDRESS, PR_EMAIL_ADDRESS};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t p = 0; p < recipient->n; p++)
            if (recipient->items[p].tag == names[i] && !recipient->items[p].large &&
                recipient->items[p].value.bytes.len > 0)
                return recipient->items[p].value.bytes;
    return SLICE_EMPTY;
}

static int64_t type_of(const struct store_props *recipient)
{
    for (size_t p = 0; p < recipient->n; p++)
        if (recipient->items[p].tag == PR_RECIPIENT_TYPE)
            return recipient->items[p].value.number & RECIPIENT_TYPES;
    return 0;
}

static struct slice names_of(const struct store_content *content, int64_t type, struct arena *in)
{
    struct buf names = buf_make(STORE_CONTENT_MAX);

    for (size_t i = 0; i < content->n_recipients; i++) {
        struct slice name = name_of(&content->recipients[i]);

        if (type_of(&content->recipients[i]) != type || name.len == 0)
            continue;
        buf_puts(&names, names.len ? "; " : "");
        buf_put(&names, name);
    }
    struct slice text = arena_slice(in, buf_slice(&names));
    buf_done(&names);
    return text;
}

/* Of a message without recipients what the caller set stays. */
static void make_displays(struct save_made *made, const struct store_save_message *rq)
{
    static const struct store_content nobody;
    const struct store_content *content = rq->content ? rq->content : &nobody;

    for (size_t i = 0; i < sizeof displays / sizeof *displays; i++)
        if (content->n_recipients > 0 || !find(rq->changes, rq->n, displays[i].tag))
            put(made, displays[i].tag, names_of(content, displays[i].type, &made->in));
}

/* ---- its subject ---- */

static struct slice join(struct slice prefix, struct slice rest, struct arena *in)
{
    struct buf text = buf_make(prefix.len + rest.len + 1);

    buf_put(&text, prefix);
    buf_put(&text, rest);
    struct slice joined = arena_slice(in, buf_slice(&text));
    buf_done(&text);
    return joined;
}

/* The parts that were given are believed where they make the subject up ([MS-OXCMSG] 2.2.1.46). */
static void make_subject(struct save_made *made, const struct store_save_message *rq)
{
    struct slice subject, prefix = SLICE_EMPTY, rest = SLICE_EMPTY;
    bool has_prefix = text_of(rq->changes, rq->n, PR_SUBJECT_PREFIX, &prefix);
    bool has_rest = text_of(rq->changes, rq->n, PR_NORMALIZED_SUBJECT, &rest);

    if (!text_of(rq->changes, rq->n, PR_SUBJECT, &subject)) {
        if (has_rest && !find(rq->changes, rq->n, PR_SUBJECT))
            put(made, PR_SUBJECT, join(prefix, rest, &made->in));
        return;
    }
    if (has_rest && slice_eq(join(prefix, rest, &made->in), subject)) {
        if (!has_prefix)
            put(made, PR_SUBJECT_PREFIX, SLICE_EMPTY);
        return;
    }
    size_t len = oxcmail_subject_prefix(subject);

    put(made, PR_SUBJECT_PREFIX, slice_head(subject, len));
    put(made, PR_NORMALIZED_SUBJECT, slice_from(subject, len));
}

/* ---- for the request ---- */

struct save_made *save_made_new(struct store *st, const struct store_save_message *rq,
                                struct err *e)
{
    struct save_made *made = mem_new(sizeof *made);

    make_displays(made, rq);
    make_subject(made, rq);
    *e = changes_prepare(st, made->changes, made->n, &made->prepared);
    return made;
}

void save_made_free(struct save_made *made)
{
    if (!made)
        return;
    changes_release(made->prepared, made->n);
    arena_done(&made->in);
    free(made);
}

struct err save_made_apply(struct edit *edit, struct save_made *made)
{
    struct err e = OK;

    for (size_t i = 0; i < made->n && !failed(e); i++)
        e = edit_apply(edit, &made->changes[i], made->prepared[i]);
    return e;
}
