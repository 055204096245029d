/* match.c - restrictions, evaluated. */
#include "protocols/mapi/match.h"

#include "protocols/mapi/text.h"

struct match_count {
    const struct restriction *of;
    uint32_t taken;
    struct match_count *next;
};

/* ---- types ---- */

static uint16_t single(uint16_t type)
{
    return prop_type(prop_as_unicode(type & (uint16_t)~PROP_MULTIPLE));
}

static bool is_multiple(uint16_t type)
{
    return type & PROP_MULTIPLE;
}

enum value_class { CLASS_NONE, CLASS_NUMBER, CLASS_TIME, CLASS_REAL, CLASS_TEXT, CLASS_BYTES };

/* Types of one class can be compared with each other. */
static enum value_class class_of(uint16_t type)
{
    switch (single(type)) {
    case PROP_INT16:
    case PROP_INT32:
    case PROP_INT64:
    case PROP_BOOLEAN:
    case PROP_CURRENCY:
    case PROP_ERROR:
        return CLASS_NUMBER;
    case PROP_TIME:
        return CLASS_TIME;
    case PROP_FLOAT32:
    case PROP_FLOAT64:
    case PROP_APPTIME:
        return CLASS_REAL;
    case PROP_STRING:
        return CLASS_TEXT;
    case PROP_BINARY:
    case PROP_GUID:
    case PROP_SERVER_ID:
        return CLASS_BYTES;
    default:
        return CLASS_NONE;
    }
}

/* ---- comparing ---- */

static int order_many(uint16_t type, const struct prop_value *a, const struct prop_value *b)
{
    size_t n = a->many.n < b->many.n ? a->many.n : b->many.n;

    for (size_t i = 0; i < n; i++) {
        int order = match_order(type, &a->many.items[i], &b->many.items[i]);

        if (order)
            return order;
    }
    return (a->many.n > b->many.n) - (a->many.n < b->many.n);
}

int match_order(uint16_t type, const struct prop_value *a, const struct prop_value *b)
{
    if (is_multiple(type))
        return order_many(single(type), a, b);
    switch (class_of(type)) {
    case CLASS_NUMBER:
        return (a->number > b->number) - (a->number < b->number);
    case CLASS_TIME:
        return (a->time > b->time) - (a->time < b->time);
    case CLASS_REAL:
        return (a->real > b->real) - (a->real < b->real);
    case CLASS_TEXT:
        return text_order(a->bytes, b->bytes);
    default:
        return slice_order(a->bytes, b->bytes);
    }
}

/* One of many values against a single one. */
static bool any_holds(uint8_t relop, const struct prop *many, const struct prop_value *one)
{
    for (size_t i = 0; i < many->value.many.n; i++)
        if (restriction_holds(
                relop, match_order(single(prop_type(many->tag)), &many->value.many.items[i], one)))
            return true;
    return false;
}

static bool compare(uint8_t relop, const struct prop *a, const struct prop *b)
{
    uint16_t ta = prop_type(a->tag), tb = prop_type(b->tag);

    if (class_of(ta) != class_of(tb) || class_of(ta) == CLASS_NONE)
        return false;
    if (is_multiple(ta) == is_multiple(tb))
        return restriction_holds(relop, match_order(ta, &a->value, &b->value));
    return is_multiple(ta) && any_holds(relop, a, &b->value);
}

/* ---- properties of a source ---- */

/* The bit that a client sets to have a row for each value is nothing to a comparison. */
static uint32_t plain(uint32_t tag)
{
    return tag & ~0x2000u;
}

static bool type_fits(uint32_t asked, uint32_t has)
{
    return prop_type(asked) == PROP_UNSPECIFIED ||
           class_of(prop_type(asked)) == class_of(prop_type(has));
}

static bool get(struct match_source *source, uint32_t tag, struct prop *out)
{
    return source->get(source, plain(tag), out) && type_fits(plain(tag), out->tag);
}

static bool match_property(const struct restriction *r, struct match_source *source)
{
    struct prop has;

    return get(source, r->tag, &has) ? compare(r->relop, &has, &r->value)
                                     : restriction_holds(r->relop, -1);
}

static bool match_compare(const struct restriction *r, struct match_source *source)
{
    struct prop a, b;
    bool has_a = get(source, r->tag, &a), has_b = get(source, r->tag2, &b);

    if (has_a && has_b)
        return compare(r->relop, &a, &b);
    return restriction_holds(r->relop, has_a - has_b);
}

static bool match_bits(const struct restriction *r, struct match_source *source)
{
    struct prop has;
    uint64_t bits = get(source, r->tag, &has) ? (uint64_t)has.value.number : 0;

    return ((bits & r->number) != 0) == (r->relop == 1);
}

/* ---- sizes: bytes of the value as the wire has it, without counts ---- */

static size_t units(struct slice text)
{
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++) /* UTF-8: lead bytes; four-byte ones make two units */
        n += (size_t)((text.ptr[i] & 0xC0) != 0x80) + (size_t)(text.ptr[i] >= 0xF0);
    return n;
}

static size_t size_of(uint16_t type, const struct prop_value *value)
{
    size_t size = 0;

    if (is_multiple(type)) {
        for (size_t i = 0; i < value->many.n; i++)
            size += size_of(single(type), &value->many.items[i]);
        return size;
    }
    switch (type) {
    case PROP_NULL:
        return 0;
    case PROP_BOOLEAN:
        return 1;
    case PROP_INT16:
        return 2;
    case PROP_INT32:
    case PROP_FLOAT32:
    case PROP_ERROR:
        return 4;
    case PROP_STRING:
        return 2 * (units(value->bytes) + 1);
    case PROP_STRING8:
    case PROP_BINARY:
    case PROP_GUID:
    case PROP_SERVER_ID:
        return value->bytes.len;
    default:
        return 8;
    }
}

static bool match_size(const struct restriction *r, struct match_source *source)
{
    struct prop has;
    size_t size = get(source, r->tag, &has) ? size_of(prop_type(has.tag), &has.value) : 0;

    return restriction_holds(r->relop, (size > r->number) - (size < r->number));
}

/* ---- content ([MS-OXCDATA] 2.12.3) ---- */

enum { FUZZY_FULL = 0, FUZZY_PART = 1, FUZZY_PREFIX = 2 };

static bool contains(uint16_t low, struct slice has, struct slice wanted)
{
    if (low == FUZZY_PART)
        return slice_find(has, wanted) < has.len || wanted.len == 0;
    return low == FUZZY_PREFIX ? slice_starts(has, wanted) : slice_eq(has, wanted);
}

static bool one_contains(const struct restriction *r, bool is_text, struct slice has)
{
    struct buf a = buf_make(SIZE_MAX), b = buf_make(SIZE_MAX);

    if (!is_text)
        return contains(r->fuzzy_low, has, r->value.value.bytes);
    text_fold(&a, has, r->fuzzy_high);
    text_fold(&b, r->value.value.bytes, r->fuzzy_high);
    bool fits = contains(r->fuzzy_low, buf_slice(&a), buf_slice(&b));

    buf_done(&a);
    buf_done(&b);
    return fits;
}

static bool match_content(const struct restriction *r, struct match_source *source)
{
    struct prop has;

    if (!get(source, r->tag, &has) ||
        class_of(prop_type(has.tag)) != class_of(prop_type(r->value.tag)))
        return false;
    bool is_text = class_of(prop_type(has.tag)) == CLASS_TEXT;

    if (!is_multiple(prop_type(has.tag)))
        return one_contains(r, is_text, has.value.bytes);
    for (size_t i = 0; i < has.value.many.n; i++)
        if (one_contains(r, is_text, has.value.many.items[i].bytes))
            return true;
    return false;
}

/* ---- what has parts ---- */

static bool match_parts(const struct restriction *r, struct match_run *run,
                        struct match_source *source)
{
    struct match_source **parts;
    size_t n;

    if (!source->parts || !source->parts(source, r->tag, &parts, &n))
        return false;
    for (size_t i = 0; i < n; i++) {
        bool fits = match(&r->children[0], run, parts[i]);

        if (failed(parts[i]->err))
            source->err = parts[i]->err;
        if (fits)
            return true;
    }
    return false;
}

/* No more than so many fit ([MS-OXCDATA] 2.12.12). */
static bool match_counted(const struct restriction *r, struct match_run *run,
                          struct match_source *source)
{
    struct match_count *count = run->counts;

    while (count && count->of != r)
        count = count->next;
    if (!count) {
        count = arena_alloc(run->in, sizeof *count);
        *count = (struct match_count){r, 0, run->counts};
        run->counts = count;
    }
    if (count->taken >= r->number || !match(&r->children[0], run, source))
        return false;
    count->taken++;
    return true;
}

static bool match_list(const struct restriction *r, struct match_run *run,
                       struct match_source *source)
{
    bool is_and = r->kind == RESTRICTION_AND;

    for (size_t i = 0; i < r->n; i++)
        if (match(&r->children[i], run, source) != is_and)
            return !is_and;
    return is_and;
}

bool match(const struct restriction *r, struct match_run *run, struct match_source *source)
{
    struct prop has;

    if (!r)
        return true;
    switch (r->kind) {
    case RESTRICTION_AND:
    case RESTRICTION_OR:
        return match_list(r, run, source);
    case RESTRICTION_NOT:
        return !match(&r->children[0], run, source);
    case RESTRICTION_CONTENT:
        return match_content(r, source);
    case RESTRICTION_PROPERTY:
        return match_property(r, source);
    case RESTRICTION_COMPARE:
        return match_compare(r, source);
    case RESTRICTION_BITMASK:
        return match_bits(r, source);
    case RESTRICTION_SIZE:
        return match_size(r, source);
    case RESTRICTION_EXIST:
        return get(source, r->tag, &has);
    case RESTRICTION_SUBOBJECT:
        return match_parts(r, run, source);
    case RESTRICTION_COMMENT: /* says nothing; the restriction in it may be missing */
        return r->n == 0 || match(&r->children[0], run, source);
    case RESTRICTION_COUNT:
        return match_counted(r, run, source);
    }
    return false;
}

/* ---- what may be asked ---- */

static struct err too_complex(void)
{
    return ERR(ERR_UNSUPPORTED, "a restriction that cannot be evaluated");
}

static bool can_content(const struct restriction *r)
{
    enum value_class of = class_of(prop_type(r->tag) & 0xDFFF);

    return (of == CLASS_TEXT || of == CLASS_BYTES) && of == class_of(prop_type(r->value.tag)) &&
           !is_multiple(prop_type(r->value.tag)) && r->fuzzy_low <= FUZZY_PREFIX;
}

static bool can_property(const struct restriction *r)
{
    uint16_t type = prop_type(r->tag) & 0xDFFF, of = prop_type(r->value.tag);

    return r->relop <= RELOP_NE && class_of(of) != CLASS_NONE &&
           (type == PROP_UNSPECIFIED || class_of(type) == class_of(of)) &&
           (is_multiple(type) || type == PROP_UNSPECIFIED || !is_multiple(of));
}

static bool can(const struct restriction *r)
{
    switch (r->kind) {
    case RESTRICTION_CONTENT:
        return can_content(r);
    case RESTRICTION_PROPERTY:
        return can_property(r);
    case RESTRICTION_COMPARE:
    case RESTRICTION_SIZE:
        return r->relop <= RELOP_NE;
    case RESTRICTION_BITMASK:
        return single(prop_type(r->tag)) == PROP_INT32 && !is_multiple(prop_type(r->tag));
    case RESTRICTION_SUBOBJECT:
        return r->tag == PR_MESSAGE_RECIPIENTS || r->tag == PR_MESSAGE_ATTACHMENTS;
    default:
        return true;
    }
}

struct err match_check(const struct restriction *r)
{
    if (!r)
        return OK;
    struct err e = can(r) ? OK : too_complex();

    for (size_t i = 0; i < r->n && !failed(e); i++)
        e = match_check(&r->children[i]);
    return e;
}

bool match_has_count(const struct restriction *r)
{
    if (!r)
        return false;
    bool has = r->kind == RESTRICTION_COUNT;

    for (size_t i = 0; i < r->n && !has; i++)
        has = match_has_count(&r->children[i]);
    return has;
}
