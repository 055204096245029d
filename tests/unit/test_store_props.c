/* Properties of messages, folders and the mailbox: set, read, removed, carried along. */
#include "store/property.h"

#include "base/crc32c.h"
#include "store/engine/engine.h"
#include "store/mapi/ids.h"
#include "store/prepare_int.h"
#include "store/schema.h"
#include "tests/support/objects.h"

#define PT(id, type) PROP_TAG(id, type)
#define MANY(type) ((type) | PROP_MULTIPLE)

static const char *const mail = "From: a@example.org\r\nTo: b@example.org\r\nSubject: Re: hello\r\n"
                                "\r\ntext\r\n";

/* ---- helpers ---- */

static struct err try_get(struct fixture *f, uint64_t id, uint32_t tag, struct store_prop *out)
{
    return store_object_get(open_object(f, id), tag, out);
}

static void assert_absent(struct fixture *f, uint64_t id, uint32_t tag)
{
    struct store_prop prop;

    assert_code(try_get(f, id, tag, &prop), ERR_NOT_FOUND);
}

static int64_t number(struct fixture *f, uint64_t id, uint32_t tag)
{
    return get(f, id, tag).value.number;
}

static bool change(struct fixture *f, uint64_t id, struct store_prop_change *changes, size_t n)
{
    struct store_set_props rq;

    unread(f);
    store_set_props_init(&rq);
    rq.id = id;
    rq.changes = changes;
    rq.n = n;
    assert_ok(store_run(f->bed.mb, &rq.op));
    return rq.changed;
}

static enum err_code set(struct fixture *f, uint64_t id, uint32_t tag, struct prop_value value)
{
    struct store_prop_change one = {.prop = {.tag = tag, .value = value}};

    change(f, id, &one, 1);
    return one.problem;
}

static enum err_code set_number(struct fixture *f, uint64_t id, uint32_t tag, int64_t n)
{
    return set(f, id, tag, (struct prop_value){.number = n});
}

static enum err_code set_text(struct fixture *f, uint64_t id, uint32_t tag, const char *text)
{
    return set(f, id, tag, (struct prop_value){.bytes = slice_str(text)});
}

static enum err_code drop(struct fixture *f, uint64_t id, uint32_t tag)
{
    struct store_prop_change one = {.prop = {.tag = tag}, .remove = true};

    change(f, id, &one, 1);
    return one.problem;
}

static uint64_t deliver(struct fixture *f, const char *text)
{
    uint32_t uid = bed_append(&f->bed, SPECIAL_INBOX, text, 0);

    return bed_row(&f->bed, SPECIAL_INBOX, uid).mid;
}

static uint64_t deliver_prepared(struct fixture *f, struct store_prepared *prepared)
{
    const struct store_new_message message = {.prepared = prepared};
    struct store_append rq;

    store_append_init(&rq);
    rq.fid = SPECIAL_INBOX;
    rq.messages = &message;
    rq.n = 1;
    assert_ok(store_run(f->bed.mb, &rq.op));
    store_prepared_free(prepared);
    return bed_row(&f->bed, SPECIAL_INBOX, rq.first_uid).mid;
}

static uint16_t name_it(struct fixture *f, const struct store_prop_name *name)
{
    struct store_name_props rq;
    uint16_t id = 0xFFFF;

    store_name_props_init(&rq);
    rq.names = name;
    rq.n = 1;
    rq.ids = &id;
    assert_ok(store_run(f->bed.mb, &rq.op));
    return id;
}

static struct store_prop_name string_name(const uint8_t guid[16], const char *text)
{
    struct store_prop_name name = {.by_string = true, .name = slice_str(text)};

    memcpy(name.guid, guid, 16);
    return name;
}

static struct store_prop_name lid_name(const uint8_t guid[16], uint32_t lid)
{
    struct store_prop_name name = {.lid = lid};

    memcpy(name.guid, guid, 16);
    return name;
}

/* ---- values ---- */

static const struct prop_value some_texts[] = {{.bytes = {(const uint8_t *)"one", 3}},
                                               {.bytes = {NULL, 0}},
                                               {.bytes = {(const uint8_t *)"\xC3\xA4", 2}}};
static const struct prop_value some_numbers[] = {{.number = -1}, {.number = 0}, {.number = 32767}};
static const struct prop_value some_reals[] = {{.real = 0.5}, {.real = -2e10}};
static const struct prop_value some_guids[] = {
    {.bytes = {(const uint8_t *)"0123456789abcdef", 16}}};
static const struct prop_value nothing[1];

#define LIST(of)                                                                                   \
    {                                                                                              \
        .many = { of, sizeof(of) / sizeof *(of) }                                                  \
    }

static const struct value_case {
    uint16_t type;
    struct prop_value value;
} value_cases[] = {
    {PROP_NULL, {.number = 0}},
    {PROP_INT16, {.number = -32768}},
    {PROP_INT32, {.number = -2}},
    {PROP_FLOAT32, {.real = 1.5}},
    {PROP_FLOAT64, {.real = -0.1}},
    {PROP_CURRENCY, {.number = INT64_MIN}},
    {PROP_APPTIME, {.real = 44000.25}},
    {PROP_ERROR, {.number = 0x8004010F}},
    {PROP_BOOLEAN, {.number = 1}},
    {PROP_INT64, {.number = INT64_MAX}},
    {PROP_STRING,
     {.bytes = {(const uint8_t *)"Gr\xC3\xBC\xC3\x9F"
                                 "e",
                7}}},
    {PROP_TIME, {.time = UINT64_MAX}},
    {PROP_GUID, {.bytes = {(const uint8_t *)"0123456789abcdef", 16}}},
    {PROP_SERVER_ID, {.bytes = {(const uint8_t *)"\1\0\0", 3}}},
    {PROP_RESTRICTION, {.bytes = {(const uint8_t *)"\x08\x1F\0\x37\0", 5}}},
    {PROP_RULE_ACTION, {.bytes = {(const uint8_t *)"\0\0", 2}}},
    {PROP_BINARY, {.bytes = {(const uint8_t *)"a\0b", 3}}},
    {MANY(PROP_INT16), LIST(some_numbers)},
    {MANY(PROP_INT32), LIST(some_numbers)},
    {MANY(PROP_FLOAT32), LIST(some_reals)},
    {MANY(PROP_FLOAT64), LIST(some_reals)},
    {MANY(PROP_CURRENCY), LIST(some_numbers)},
    {MANY(PROP_APPTIME), LIST(some_reals)},
    {MANY(PROP_INT64), LIST(some_numbers)},
    {MANY(PROP_STRING), LIST(some_texts)},
    {MANY(PROP_TIME), LIST(some_numbers)},
    {MANY(PROP_GUID), LIST(some_guids)},
    {MANY(PROP_BINARY), LIST(some_texts)},
    {MANY(PROP_BINARY), {.many = {nothing, 0}}},
};
enum { VALUE_CASES = sizeof value_cases / sizeof *value_cases };

static void assert_same(uint16_t type, const struct prop_value *got, const struct prop_value *want)
{
    struct buf a = buf_make(1000), b = buf_make(1000);

    assert_ok(prop_encode(type, got, &a));
    assert_ok(prop_encode(type, want, &b));
    assert_true(slice_eq(buf_slice(&a), buf_slice(&b)));
    buf_done(&a);
    buf_done(&b);
}

static void check_values(struct fixture *f, uint64_t id)
{
    for (unsigned i = 0; i < VALUE_CASES; i++) {
        struct store_prop prop = get(f, id, PT(0x6000 + i, PROP_UNSPECIFIED));

        assert_int_equal(prop.tag, PT(0x6000 + i, value_cases[i].type));
        assert_same(value_cases[i].type, &prop.value, &value_cases[i].value);
    }
}

static void every_type_comes_back_as_it_was_set_on_every_object(void **state)
{
    struct fixture *f = *state;
    uint64_t ids[] = {STORE_OBJECT_MAILBOX, SPECIAL_TRASH, deliver(f, mail)};
    struct store_prop_change changes[VALUE_CASES];

    for (size_t k = 0; k < 3; k++) {
        for (unsigned i = 0; i < VALUE_CASES; i++)
            changes[VALUE_CASES - 1 - i] =
                (struct store_prop_change){.prop = {.tag = PT(0x6000 + i, value_cases[i].type),
                                                    .value = value_cases[i].value}};
        assert_true(change(f, ids[k], changes, VALUE_CASES));
        for (unsigned i = 0; i < VALUE_CASES; i++)
            assert_int_equal(changes[i].problem, ERR_NONE);
        check_values(f, ids[k]);
    }
    unread(f);
    bed_reopen(&f->bed);
    for (size_t k = 0; k < 3; k++)
        check_values(f, ids[k]);
}

static void what_is_not_a_value_is_told_and_the_rest_is_set(void **state)
{
    struct fixture *f = *state;
    uint64_t mid = deliver(f, mail);
    struct store_prop_change changes[] = {
        {.prop = {.tag = PT(0x6001, PROP_STRING), .value.bytes = S("a\0b")}},
        {.prop = {.tag = PT(0x6002, PROP_STRING), .value.bytes = S("\xFF")}},
        {.prop = {.tag = PT(0x6003, PROP_GUID), .value.bytes = S("short")}},
        {.prop = {.tag = PT(0x6004, PROP_OBJECT), .value.bytes = S("")}},
        {.prop = {.tag = PT(0x6005, PROP_UNSPECIFIED)}},
        {.prop = {.tag = PT(0x6006, MANY(PROP_BOOLEAN))}},
        {.prop = {.tag = PT(0, PROP_INT32)}},
        {.prop = {.tag = PT(0x8000, PROP_INT32)}}, /* nobody has named it */
        {.prop = {.tag = PR_MID}},
        {.prop = {.tag = PR_MESSAGE_SIZE}},
        {.prop = {.tag = PR_INTERNET_ARTICLE_NUMBER}},
        {.prop = {.tag = PR_CHANGE_KEY, .value.bytes = S("x")}},
        {.prop = {.tag = PT(0x0E07, PROP_STRING), .value.bytes = S("x")}},
        {.prop = {.tag = PT(0x300B, PROP_STRING), .value.bytes = S("x")}},
        {.prop = {.tag = PR_FLAG_STATUS, .value.number = 7}},
        {.prop = {.tag = PT(0x6007, PROP_INT32)}, .remove = true},
        {.prop = {.tag = PR_MESSAGE_FLAGS}, .remove = true},
        {.prop = {.tag = PT(0x6008, PROP_INT32), .value.number = 8}},
    };
    static const enum err_code want[] = {
        ERR_INVALID, ERR_INVALID, ERR_INVALID, ERR_UNSUPPORTED, ERR_UNSUPPORTED, ERR_UNSUPPORTED,
        ERR_INVALID, ERR_INVALID, ERR_DENIED,  ERR_DENIED,      ERR_DENIED,      ERR_DENIED,
        ERR_INVALID, ERR_INVALID, ERR_INVALID, ERR_NOT_FOUND,   ERR_DENIED,      ERR_NONE};
    size_t n = sizeof changes / sizeof *changes;

    assert_true(change(f, mid, changes, n));
    for (size_t i = 0; i < n; i++)
        assert_string_equal(err_name(changes[i].problem), err_name(want[i]));
    assert_int_equal(number(f, mid, PT(0x6008, PROP_INT32)), 8);
    assert_absent(f, mid, PT(0x6001, PROP_UNSPECIFIED));
}

static void a_property_is_told_by_its_id_whatever_its_type(void **state)
{
    struct fixture *f = *state;
    uint64_t mid = deliver(f, mail);

    set_text(f, mid, PT(0x6001, PROP_STRING8), "narrow");
    assert_text(f, mid, PT(0x6001, PROP_STRING), "narrow");
    assert_text(f, mid, PT(0x6001, PROP_STRING8), "narrow");
    assert_int_equal(get(f, mid, PT(0x6001, PROP_UNSPECIFIED)).tag, PT(0x6001, PROP_STRING));
    set_number(f, mid, PT(0x6001, PROP_INT32), 3);
    assert_absent(f, mid, PT(0x6001, PROP_STRING));
    assert_int_equal(number(f, mid, PT(0x6001, PROP_INT32)), 3);
    assert_int_equal(drop(f, mid, PT(0x6001, PROP_BINARY)), ERR_NONE);
    assert_absent(f, mid, PT(0x6001, PROP_UNSPECIFIED));
    assert_int_equal(drop(f, mid, PT(0x6001, PROP_BINARY)), ERR_NOT_FOUND);
}

static void what_is_set_wins_over_what_is_derived_until_it_is_removed(void **state)
{
    struct fixture *f = *state;
    uint64_t mid = deliver(f, mail);

    assert_text(f, mid, PR_SUBJECT, "Re: hello");
    assert_text(f, mid, PR_BODY, "text\r\n");
    set_text(f, mid, PR_SUBJECT, "other");
    assert_text(f, mid, PR_SUBJECT, "other");
    assert_text(f, mid, PR_NORMALIZED_SUBJECT, "hello");
    drop(f, mid, PR_SUBJECT);
    assert_text(f, mid, PR_SUBJECT, "Re: hello");
}

/* As a program did before there were columns: META_WITHOUT_COLUMNS. */
static void forget_columns(struct store_prepared *prepared)
{
    struct buf meta = buf_make(SIZE_MAX);
    struct message_meta old;

    assert_ok(message_meta_decode(buf_slice(&prepared->meta), &old));
    assert_true(old.columns.len > 0);
    old.columns = SLICE_EMPTY;
    message_meta_encode(&old, &meta);
    meta.data[meta.head] = 1;
    buf_done(&prepared->meta);
    prepared->meta = meta;
}

static void mail_of_before_there_were_columns_shows_the_same(void **state)
{
    struct fixture *f = *state;
    struct store_prepared *prepared = bed_prepare(&f->bed, mail);

    forget_columns(prepared);
    uint64_t mid = deliver_prepared(f, prepared);
    assert_text(f, mid, PR_SUBJECT, "Re: hello");
    assert_text(f, mid, PR_NORMALIZED_SUBJECT, "hello");
    assert_text(f, mid, PR_BODY, "text\r\n");
    assert_text(f, mid, PR_MESSAGE_CLASS, "IPM.Note");
}

static bool lists(struct fixture *f, uint64_t id, uint32_t tag)
{
    struct store_prop *list;
    size_t n, found = 0;

    assert_ok(store_object_list(open_object(f, id), &list, &n));
    for (size_t i = 0; i < n; i++)
        found += prop_id(list[i].tag) == prop_id(tag) && prop_type(list[i].tag) == prop_type(tag);
    assert_true(found <= 1);
    return found == 1;
}

static void a_list_has_each_property_once_and_each_can_be_got(void **state)
{
    struct fixture *f = *state;
    uint64_t ids[] = {STORE_OBJECT_MAILBOX, SPECIAL_ROOT, SPECIAL_INBOX, deliver(f, mail)};

    set_text(f, ids[3], PR_SUBJECT, "mine");
    set_number(f, ids[3], PR_MESSAGE_FLAGS, 0x101);
    set_text(f, ids[2], PR_COMMENT, "a comment");
    for (size_t k = 0; k < 4; k++) {
        struct store_object *object = open_object(f, ids[k]);
        struct store_prop *list, one;
        size_t n;

        assert_ok(store_object_list(object, &list, &n));
        for (size_t i = 0; i < n; i++) {
            assert_ok(store_object_get(object, list[i].tag, &one));
            assert_int_equal(one.tag, list[i].tag);
            assert_same(prop_type(one.tag), &one.value, &list[i].value);
        }
    }
    assert_true(lists(f, ids[3], PR_SUBJECT));
    assert_true(lists(f, ids[3], PR_MESSAGE_FLAGS));
    assert_true(lists(f, ids[3], PR_BODY));
    assert_true(lists(f, ids[2], PR_COMMENT));
    assert_false(lists(f, ids[3], PR_CONTENT_COUNT));
}

/* ---- one fact, two sides ---- */

static struct message_row row_of(struct fixture *f, uint64_t mid)
{
    const struct message_row *row = store_object_row(open_object(f, mid));

    return *row;
}

static void print_keywords(struct fixture *f, const struct message_row *row, struct buf *out)
{
    const struct keyword_set *keywords;

    assert_ok(store_keywords(f->rd, row->keyword_set, &keywords));
    for (uint32_t i = 0; i < keywords->n; i++)
        buf_printf(out, "%s%.*s", i ? " " : "", SLICE_ARG(keywords->names[i]));
}

static void assert_imap(struct fixture *f, uint64_t mid, uint16_t flags, const char *keywords)
{
    struct message_row row = row_of(f, mid);
    struct buf text = buf_make(1000);

    assert_int_equal(row.flags & FLAG_ALL_IMAP, flags);
    print_keywords(f, &row, &text);
    assert_slice(buf_slice(&text), keywords);
    buf_done(&text);
}

static void what_mapi_sets_is_what_imap_sees(void **state)
{
    static const struct {
        uint32_t tag;
        int64_t value;
        uint16_t flags; /* from nothing */
        const char *keywords;
        int64_t back;
    } cases[] = {
        {PR_MESSAGE_FLAGS, 0x1, FLAG_SEEN, "", 0x2403},
        {PR_MESSAGE_FLAGS, 0x8, FLAG_DRAFT, "", 0x8},
        {PR_MESSAGE_FLAGS, 0x389, FLAG_SEEN | FLAG_DRAFT, "", 0x789},
        {PR_FLAG_STATUS, 2, FLAG_FLAGGED, "", 2},
        {PR_FLAG_STATUS, 1, 0, "", 1},
        {PR_LAST_VERB_EXECUTED, 102, FLAG_ANSWERED, "", 102},
        {PR_LAST_VERB_EXECUTED, 103, FLAG_ANSWERED, "", 103},
        {PR_LAST_VERB_EXECUTED, 104, 0, "$Forwarded", 104},
        {PR_LAST_VERB_EXECUTED, 108, 0, "", 108},
        {PR_MESSAGE_STATUS, 0x1008, FLAG_DELETED, "", 0x1008},
        {PR_MESSAGE_STATUS, 0x2000, 0, "", 0x2000},
        {PR_ICON_INDEX, 0x100, 0, "", 0x100},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t mid = deliver(f, mail);

        assert_int_equal(set_number(f, mid, cases[i].tag, cases[i].value), ERR_NONE);
        assert_imap(f, mid, cases[i].flags, cases[i].keywords);
        assert_int_equal(number(f, mid, cases[i].tag), cases[i].back);
    }
}

static void what_imap_sets_is_what_mapi_sees(void **state)
{
    struct fixture *f = *state;
    uint64_t mid = deliver(f, mail);

    assert_int_equal(number(f, mid, PR_MESSAGE_FLAGS), 0x2002);
    assert_absent(f, mid, PR_FLAG_STATUS);
    assert_absent(f, mid, PR_LAST_VERB_EXECUTED);
    bed_set_flags(&f->bed, SPECIAL_INBOX, "1", FLAGS_ADD,
                  FLAG_SEEN | FLAG_FLAGGED | FLAG_ANSWERED | FLAG_DELETED, NULL);
    assert_int_equal(number(f, mid, PR_MESSAGE_FLAGS), 0x2401);
    assert_int_equal(number(f, mid, PR_READ), 1);
    assert_int_equal(number(f, mid, PR_FLAG_STATUS), 2);
    assert_int_equal(number(f, mid, PR_LAST_VERB_EXECUTED), 102);
    assert_int_equal(number(f, mid, PR_ICON_INDEX), 0x105);
    assert_int_equal(number(f, mid, PR_MESSAGE_STATUS), 0x8);
    bed_set_flags(&f->bed, SPECIAL_INBOX, "1", FLAGS_REPLACE, 0, "$Forwarded");
    assert_int_equal(number(f, mid, PR_LAST_VERB_EXECUTED), 104);
    assert_int_equal(number(f, mid, PR_ICON_INDEX), 0x106);
}

/* A value that was set says no more than the flag that goes with it. */
static void a_flag_that_imap_takes_away_is_gone_for_mapi(void **state)
{
    struct fixture *f = *state;
    uint64_t mid = deliver(f, mail);

    set_number(f, mid, PR_LAST_VERB_EXECUTED, 103);
    set_number(f, mid, PR_ICON_INDEX, 0x105);
    set_number(f, mid, PR_FLAG_STATUS, 2);
    bed_set_flags(&f->bed, SPECIAL_INBOX, "1", FLAGS_REPLACE, 0, NULL);
    assert_absent(f, mid, PR_LAST_VERB_EXECUTED);
    assert_absent(f, mid, PR_ICON_INDEX);
    assert_absent(f, mid, PR_FLAG_STATUS);
    set_number(f, mid, PR_FLAG_STATUS, 1);
    bed_set_flags(&f->bed, SPECIAL_INBOX, "1", FLAGS_ADD, FLAG_FLAGGED, NULL);
    assert_int_equal(number(f, mid, PR_FLAG_STATUS), 2);
    drop(f, mid, PR_FLAG_STATUS);
    assert_imap(f, mid, 0, "");
}

static void categories_are_keywords(void **state)
{
    static const struct prop_value categories[] = {
        {.bytes = {(const uint8_t *)"Work", 4}},
        {.bytes = {(const uint8_t *)"Red Category", 12}},
        {.bytes = {(const uint8_t *)"Gr\xC3\xBCn (1)", 9}},
        {.bytes = {(const uint8_t *)"$x=41", 5}},
    };
    struct fixture *f = *state;
    uint64_t mid = deliver(f, mail);
    struct store_prop_name name = string_name(store_ps_public_strings, "Keywords");
    uint16_t id = name_it(f, &name);
    uint32_t tag = PT(id, MANY(PROP_STRING));

    assert_absent(f, mid, tag);
    bed_set_flags(&f->bed, SPECIAL_INBOX, "1", FLAGS_ADD, 0, "$MDNSent");
    assert_absent(f, mid, tag);
    assert_int_equal(set(f, mid, tag, (struct prop_value){.many = {categories, 4}}), ERR_NONE);
    assert_imap(f, mid, 0, "$MDNSent =24x=3D41 Gr=C3=BCn=20=281=29 Red=20Category Work");
    struct store_prop prop = get(f, mid, tag);
    assert_int_equal(prop.value.many.n, 4);
    assert_slice(prop.value.many.items[0].bytes, "$x=41");
    assert_slice(prop.value.many.items[1].bytes, "Gr\xC3\xBCn (1)");
    assert_slice(prop.value.many.items[2].bytes, "Red Category");
    assert_true(lists(f, mid, tag));
    bed_set_flags(&f->bed, SPECIAL_INBOX, "1", FLAGS_REMOVE, 0, "Work");
    assert_int_equal(get(f, mid, tag).value.many.n, 3);
    assert_int_equal(set_text(f, mid, PT(id, PROP_STRING), "x"), ERR_INVALID);
    assert_int_equal(drop(f, mid, tag), ERR_NONE);
    assert_imap(f, mid, 0, "$MDNSent");
}

static void each_change_moves_the_number_that_is_its_own(void **state)
{
    static const struct {
        uint32_t tag;
        int64_t value;
        bool cn, read_cn;
    } cases[] = {
        {PR_MESSAGE_FLAGS, 0x1, false, true},   {PR_MESSAGE_FLAGS, 0x9, true, false},
        {PR_MESSAGE_STATUS, 0x8, false, false}, {PR_MESSAGE_STATUS, 0x1000, false, false},
        {PR_FLAG_STATUS, 2, true, false},       {PR_IMPORTANCE, 2, true, false},
    };
    struct fixture *f = *state;
    uint64_t mid = deliver(f, mail);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct message_row before = row_of(f, mid);
        uint64_t folder_before = bed_folder(&f->bed, SPECIAL_INBOX).modseq;

        set_number(f, mid, cases[i].tag, cases[i].value);
        struct message_row after = row_of(f, mid);

        assert_true(after.modseq > before.modseq);
        assert_int_equal(after.cn == after.modseq, cases[i].cn);
        assert_int_equal(after.read_cn == after.modseq, cases[i].read_cn);
        assert_int_equal(bed_folder(&f->bed, SPECIAL_INBOX).modseq, after.modseq);
        assert_true(after.modseq > folder_before);
        /* The same again is no change. */
        set_number(f, mid, cases[i].tag, cases[i].value);
        assert_int_equal(row_of(f, mid).modseq, after.modseq);
    }
    struct uidset changed = UIDSET_EMPTY;
    assert_ok(store_changed_since(f->rd, SPECIAL_INBOX, mid, &changed));
    assert_uids(&changed, "1");
    uidset_done(&changed);
}

static void a_change_is_refused_where_somebody_was_faster(void **state)
{
    struct fixture *f = *state;
    uint64_t mid = deliver(f, mail);
    struct store_prop_change one = {.prop = {.tag = PR_IMPORTANCE, .value.number = 2}};
    struct store_set_props rq;

    for (int i = 0; i < 2; i++) {
        uint64_t id = i ? (uint64_t)SPECIAL_DRAFTS : mid;

        for (int again = 0; again < 2; again++) {
            store_set_props_init(&rq);
            rq.id = id;
            rq.changes = &one;
            rq.n = 1;
            rq.conditional = true;
            rq.unchanged_since = i ? SPECIAL_DRAFTS : mid;
            assert_code(store_run(f->bed.mb, &rq.op), again ? ERR_CONFLICT : ERR_NONE);
        }
    }
    store_set_props_init(&rq);
    rq.id = 999999;
    rq.changes = &one;
    rq.n = 1;
    assert_code(store_run(f->bed.mb, &rq.op), ERR_NOT_FOUND);
}

/* ---- large values ---- */

static struct slice long_text(struct fixture *f, size_t len, char c)
{
    char *text = arena_alloc(&f->arena, len + 1);

    memset(text, c, len);
    return slice_of(text, len);
}

static void long_values_are_blobs_which_copies_share(void **state)
{
    struct fixture *f = *state;
    uint64_t mid = deliver(f, mail), blobs = count_blobs(f);
    struct slice text = long_text(f, 100000, 'x');

    assert_int_equal(set(f, mid, PR_COMMENT, (struct prop_value){.bytes = text}), ERR_NONE);
    assert_int_equal(count_blobs(f), blobs + 1);
    struct store_prop prop = get(f, mid, PR_COMMENT);

    assert_true(prop.large);
    assert_int_equal(prop.len, text.len);
    assert_code(store_prop_load(f->rd, &prop, 99999, &f->arena), ERR_TOO_BIG);
    assert_ok(store_prop_load(f->rd, &prop, 100000, &f->arena));
    assert_true(slice_eq(prop.value.bytes, text));
    bed_copy(&f->bed, SPECIAL_INBOX, SPECIAL_TRASH, "1", "1");
    assert_int_equal(count_blobs(f), blobs + 1);
    bed_verify(&f->bed);
    bed_expunge(&f->bed, SPECIAL_INBOX, "1", "1");
    uint64_t copy = bed_row(&f->bed, SPECIAL_TRASH, 1).mid;
    assert_int_equal(get(f, copy, PR_COMMENT).len, text.len);
    bed_verify(&f->bed);
    unread(f);
    set_text(f, copy, PR_COMMENT, "short");
    assert_int_equal(count_blobs(f), blobs);
}

static void a_large_value_can_be_prepared_before(void **state)
{
    struct fixture *f = *state;
    struct store_prepared *prepared = bed_prepare(&f->bed, mail);
    uint64_t mid = deliver(f, mail), blobs = count_blobs(f);
    struct store_prop_change one = {
        .prop = {.tag = PT(0x6001, PROP_BINARY), .large = true, .prepared = prepared}};

    /* The same bytes as the message's: stored once, and both can be read. */
    assert_true(change(f, mid, &one, 1));
    assert_int_equal(one.problem, ERR_NONE);
    assert_int_equal(count_blobs(f), blobs);
    struct store_prop prop = get(f, mid, one.prop.tag);
    assert_ok(store_prop_load(f->rd, &prop, 1000, &f->arena));
    assert_slice(prop.value.bytes, mail);
    unread(f);
    /* Given again it is no change, and costs no reference. */
    assert_false(change(f, mid, &one, 1));
    bed_verify(&f->bed);
    store_prepared_free(prepared);
}

static void there_is_a_bound_to_large_values_and_to_the_bag(void **state)
{
    struct fixture *f = *state;
    uint64_t mid = deliver(f, mail);
    struct store_prop_change *changes = mem_array(STORE_BAG_BLOBS + 1, sizeof *changes);
    struct store_prepared *prepared = bed_prepare(&f->bed, "x");
    struct slice text = long_text(f, STORE_PROP_INLINE, 'y');
    struct store_set_props rq;

    for (uint32_t i = 0; i <= STORE_BAG_BLOBS; i++)
        changes[i] = (struct store_prop_change){
            .prop = {.tag = PT(0x6000 + i, PROP_BINARY), .large = true, .prepared = prepared}};
    change(f, mid, changes, STORE_BAG_BLOBS + 1);
    assert_int_equal(changes[STORE_BAG_BLOBS - 1].problem, ERR_NONE);
    assert_int_equal(changes[STORE_BAG_BLOBS].problem, ERR_LIMIT);
    for (uint32_t i = 0; i < STORE_BAG_BLOBS; i++)
        changes[i] = (struct store_prop_change){
            .prop = {.tag = PT(0x6000 + i, PROP_BINARY), .value.bytes = text}};
    store_set_props_init(&rq);
    rq.id = mid;
    rq.changes = changes;
    rq.n = STORE_BAG_BLOBS;
    assert_code(store_run(f->bed.mb, &rq.op), ERR_TOO_BIG);
    assert_true(get(f, mid, PT(0x6000, PROP_BINARY)).large);
    store_prepared_free(prepared);
    free(changes);
}

/* ---- carried along ---- */

static void properties_go_where_the_message_goes(void **state)
{
    struct fixture *f = *state;
    uint64_t mid = deliver(f, mail);

    set_text(f, mid, PR_SUBJECT, "mine");
    bed_copy(&f->bed, SPECIAL_INBOX, SPECIAL_INBOX, "1", "1");
    bed_move(&f->bed, SPECIAL_INBOX, SPECIAL_TRASH, "1", "1");
    uint64_t copy = bed_row(&f->bed, SPECIAL_INBOX, 2).mid;
    uint64_t moved = bed_row(&f->bed, SPECIAL_TRASH, 1).mid;
    assert_text(f, copy, PR_SUBJECT, "mine");
    assert_text(f, moved, PR_SUBJECT, "mine");
    unread(f);
    set_text(f, copy, PR_SUBJECT, "of the copy");
    assert_text(f, moved, PR_SUBJECT, "mine");
    unread(f);
    bed_expunge(&f->bed, SPECIAL_TRASH, "1", "1");
    assert_text(f, copy, PR_SUBJECT, "of the copy");
}

static void properties_go_with_their_folder_and_mailbox(void **state)
{
    struct fixture *f = *state;
    uint64_t fid = bed_create(&f->bed, "gone"), level = bed_create(&f->bed, "level");
    uint64_t blobs = count_blobs(f);
    struct slice text = long_text(f, 5000, 'z');

    bed_create(&f->bed, "level/below");
    for (int i = 0; i < 2; i++) {
        uint64_t id = i ? level : fid;

        set(f, id, PR_COMMENT, (struct prop_value){.bytes = text});
        bed_append_many(&f->bed, id, 3, 0);
        uint64_t mid = bed_row(&f->bed, id, 2).mid;
        set(f, mid, PR_COMMENT, (struct prop_value){.bytes = text});
        unread(f);
        assert_ok(bed_delete(&f->bed, id));
    }
    bed_reopen(&f->bed); /* whatever was swept by then: closing waits for it, or opening goes on */
    assert_text(f, level, PR_COMMENT, "");
    unread(f);
    bed_verify(&f->bed);

    struct mailbox *other;
    assert_ok(store_mailbox_open_now(f->bed.store, 2000, &other));
    struct store_prop_change one = {
        .prop = {.tag = PR_COMMENT, .value.bytes = long_text(f, 6000, 'q')}};
    struct store_set_props rq;
    store_set_props_init(&rq);
    rq.changes = &one;
    rq.n = 1;
    assert_ok(store_run(other, &rq.op));
    mailbox_close(other);
    assert_ok(store_mailbox_delete(f->bed.store, 2000));
    store_quiesce(f->bed.store);
    assert_true(count_blobs(f) <= blobs + 2);
}

static void a_backup_has_the_properties_too(void **state)
{
    struct fixture *f = *state;
    uint64_t mid = deliver(f, mail);
    struct buf backup = buf_make(5000), restored = buf_make(5000);
    struct bed there = f->bed;
    struct store_prop_name name = string_name(store_ps_public_strings, "Mine");
    uint16_t id = name_it(f, &name);

    set_text(f, mid, PT(id, PROP_STRING), "named");
    set(f, mid, PR_COMMENT, (struct prop_value){.bytes = long_text(f, 9000, 'b')});
    buf_printf(&backup, "%s/backup%c", f->bed.dir, 0);
    buf_printf(&restored, "%s/restored%c", f->bed.dir, 0);
    assert_ok(engine_backup(store_engine(f->bed.store), (char *)backup.data, false));
    assert_ok(store_restore((char *)backup.data, (char *)restored.data, NULL));
    there.config.dir = (char *)restored.data;
    assert_ok(store_open(&there.config, NULL, &there.store));
    assert_ok(store_mailbox_open_now(there.store, there.mailbox_id, &there.mb));
    bed_verify(&there);
    struct bed here = f->bed;
    f->bed = there;
    assert_text(f, mid, PT(id, PROP_STRING), "named");
    assert_int_equal(get(f, mid, PR_COMMENT).len, 9000);
    unread(f);
    f->bed = here;
    mailbox_close(there.mb);
    store_close(there.store);
    buf_done(&backup);
    buf_done(&restored);
}

/* ---- names ---- */

static void a_name_has_one_id_for_ever(void **state)
{
    struct fixture *f = *state;
    struct store_prop_name names[] = {
        string_name(store_ps_public_strings, "Name"),
        string_name(store_ps_public_strings, "name"), /* another one */
        string_name(store_ps_internet_headers, "X-Mailer"),
        lid_name(store_ps_common, 0x8503),
        lid_name(store_ps_common, 0x0385), /* the same bytes the other way round */
    };
    uint16_t ids[5];
    struct store_name_props rq;

    store_name_props_init(&rq);
    rq.names = names;
    rq.n = 5;
    rq.ids = ids;
    assert_ok(store_run(f->bed.mb, &rq.op));
    for (uint16_t i = 0; i < 5; i++)
        assert_int_equal(ids[i], 0x8000 + i);
    struct store_prop_name lower = string_name(store_ps_internet_headers, "x-mailer");
    assert_int_equal(name_it(f, &lower), 0x8002);
    bed_reopen(&f->bed);
    for (uint16_t i = 0; i < 5; i++)
        assert_int_equal(name_it(f, &names[i]), 0x8000 + i);

    struct store_prop_name *all, back;
    size_t n;
    uint16_t id;
    assert_ok(store_read_begin(f->bed.mb, &f->rd));
    assert_ok(store_named_all(f->rd, &f->arena, &all, &n));
    assert_int_equal(n, 5);
    assert_slice(all[0].name, "Name");
    assert_slice(all[2].name, "x-mailer");
    assert_int_equal(all[3].lid, 0x8503);
    assert_memory_equal(all[3].guid, store_ps_common, 16);
    assert_code(store_named_name(f->rd, 0x8005, &f->arena, &back), ERR_NOT_FOUND);
    assert_ok(store_named_name(f->rd, 0x0037, &f->arena, &back));
    assert_memory_equal(back.guid, store_ps_mapi, 16);
    assert_int_equal(back.lid, 0x37);
    assert_ok(store_named_id(f->rd, &back, &id));
    assert_int_equal(id, 0x37);
    back = string_name(store_ps_common, "nobody's");
    assert_code(store_named_id(f->rd, &back, &id), ERR_NOT_FOUND);
}

static void what_cannot_be_a_name_has_no_id(void **state)
{
    struct fixture *f = *state;
    struct slice most = long_text(f, 126, 'n'), more = long_text(f, 127, 'n');
    struct store_prop_name bad[] = {
        string_name(store_ps_common, ""), string_name(store_ps_common, "\xFF"),
        string_name(store_ps_mapi, "x"),  lid_name(store_ps_mapi, 0x8000),
        lid_name(store_ps_mapi, 0),       string_name(store_ps_common, (const char *)more.ptr),
    };
    struct store_prop_name good = string_name(store_ps_common, (const char *)most.ptr);
    struct store_prop_name mapi = lid_name(store_ps_mapi, 0x7FFF);

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(name_it(f, &bad[i]), 0);
    assert_int_equal(name_it(f, &mapi), 0x7FFF);
    assert_int_equal(name_it(f, &good), 0x8000);
}

static void names_run_out_at_the_last_id(void **state)
{
    struct fixture *f = *state;
    enum { MOST = 0x7FFF };
    struct store_prop_name *names = mem_array(MOST + 2, sizeof *names);
    uint16_t *ids = mem_array(MOST + 2, sizeof *ids);
    struct store_name_props rq;

    for (uint32_t i = 0; i < MOST + 2; i++)
        names[i] = lid_name(store_ps_common, i);
    store_name_props_init(&rq);
    rq.names = names;
    rq.n = MOST + 2;
    rq.ids = ids;
    assert_ok(store_run(f->bed.mb, &rq.op));
    assert_int_equal(ids[MOST - 1], 0xFFFE);
    assert_int_equal(ids[MOST], 0);
    assert_int_equal(ids[MOST + 1], 0);
    assert_int_equal(name_it(f, &names[5]), 0x8005);
    free(names);
    free(ids);
}

/* ---- folders and the mailbox ---- */

static void a_folder_tells_its_figures(void **state)
{
    struct fixture *f = *state;
    uint64_t fid = bed_create(&f->bed, "Some/Below"), parent = bed_find(&f->bed, "Some");

    bed_append_many(&f->bed, fid, 3, 0);
    bed_set_flags(&f->bed, fid, "1", FLAGS_ADD, FLAG_SEEN, NULL);
    bed_expunge(&f->bed, fid, "2", "2");
    assert_int_equal(number(f, fid, PR_CONTENT_COUNT), 2);
    assert_int_equal(number(f, fid, PR_CONTENT_UNREAD_COUNT), 1);
    assert_int_equal(number(f, fid, PR_DELETED_COUNT_TOTAL), 1);
    assert_int_equal(number(f, fid, PR_ARTICLE_NUMBER_NEXT), 4);
    assert_int_equal(number(f, fid, PR_SUBFOLDERS), 0);
    assert_int_equal(number(f, parent, PR_SUBFOLDERS), 1);
    assert_int_equal(number(f, fid, PR_FOLDER_ID), mapi_id(fid));
    assert_int_equal(number(f, fid, PR_PARENT_FOLDER_ID), mapi_id(parent));
    assert_int_equal(number(f, fid, PR_MESSAGE_SIZE), bed_folder(&f->bed, fid).size);
    assert_int_equal(number(f, fid, PR_MESSAGE_SIZE_EXTENDED), bed_folder(&f->bed, fid).size);
    assert_text(f, fid, PR_DISPLAY_NAME, "Below");
    assert_text(f, fid, PR_CONTAINER_CLASS, "IPF.Note");
    assert_text(f, SPECIAL_INBOX, PR_DISPLAY_NAME, "Inbox");
    assert_true(get(f, fid, PR_LOCAL_COMMIT_TIME_MAX).value.time >=
                get(f, fid, PR_CREATION_TIME).value.time);
    assert_int_equal(number(f, SPECIAL_ROOT, PR_FOLDER_TYPE), 0);
    assert_int_equal(number(f, fid, PR_FOLDER_TYPE), 1);
}

static void a_folder_is_renamed_and_classed_by_its_properties(void **state)
{
    struct fixture *f = *state;
    uint64_t fid = bed_create(&f->bed, "one");
    uint64_t cn = bed_folder(&f->bed, fid).cn;
    struct store_prop_change twice = {.prop = {.tag = PR_DISPLAY_NAME, .value.bytes = S("three")}};
    struct store_set_props rq;

    bed_create(&f->bed, "three");
    assert_int_equal(set_text(f, fid, PR_DISPLAY_NAME, "two"), ERR_NONE);
    assert_int_equal(bed_find(&f->bed, "two"), fid);
    assert_int_equal(bed_find(&f->bed, "one"), 0);
    assert_true(bed_folder(&f->bed, fid).cn > cn);
    assert_int_equal(set_text(f, fid, PR_DISPLAY_NAME, "a/b"), ERR_NONE);
    assert_text(f, fid, PR_DISPLAY_NAME, "a/b");
    assert_int_equal(bed_find(&f->bed, "a\xE2\x88\x95"
                                       "b"),
                     fid);
    assert_int_equal(set_text(f, fid, PR_DISPLAY_NAME, "A/B"), ERR_NONE);
    assert_int_equal(set_text(f, fid, PR_DISPLAY_NAME, ""), ERR_INVALID);
    assert_int_equal(set_text(f, SPECIAL_TRASH, PR_DISPLAY_NAME, "Bin"), ERR_DENIED);
    assert_int_equal(set_text(f, SPECIAL_INBOX, PR_DISPLAY_NAME, "Inbox"), ERR_NONE);
    store_set_props_init(&rq);
    rq.id = fid;
    rq.changes = &twice;
    rq.n = 1;
    assert_code(store_run(f->bed.mb, &rq.op), ERR_EXISTS);
    assert_int_equal(set_text(f, fid, PR_CONTAINER_CLASS, "IPF.Appointment"), ERR_NONE);
    assert_text(f, fid, PR_CONTAINER_CLASS, "IPF.Appointment");
    assert_false(bed_folder(&f->bed, fid).visible);
    assert_int_equal(set_number(f, fid, PR_CONTENT_COUNT, 5), ERR_DENIED);
    assert_int_equal(set_text(f, fid, PR_COMMENT, "mine"), ERR_NONE);
    assert_text(f, fid, PR_COMMENT, "mine");
}

static uint64_t counter_at(struct slice bytes, size_t at)
{
    uint64_t n = 0;

    for (size_t i = at; i < at + 6; i++)
        n = n << 8 | bytes.ptr[i];
    return n;
}

/* [MS-OXCDATA] 2.2.4.1: flags 4, mailbox 16, type 2, replica 16, counter 6, two zeros. */
static void assert_folder_entry(struct slice entry, uint64_t fid)
{
    assert_int_equal(entry.len, 46);
    assert_int_equal(entry.ptr[20], 1);
    assert_int_equal(counter_at(entry, 38), fid);
}

static void special_folders_are_told_by_entry_ids(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 2; i++) {
        uint64_t id = i ? SPECIAL_ROOT : SPECIAL_INBOX;
        struct store_prop more = get(f, id, PR_ADDITIONAL_REN_ENTRY_IDS);

        assert_int_equal(more.value.many.n, 5);
        assert_folder_entry(more.value.many.items[4].bytes, SPECIAL_JUNK);
        assert_folder_entry(get(f, id, PR_IPM_DRAFTS_ENTRY_ID).value.bytes, SPECIAL_DRAFTS);
        assert_folder_entry(get(f, id, PR_IPM_TASK_ENTRY_ID).value.bytes, SPECIAL_TASKS);
    }
    assert_absent(f, SPECIAL_TRASH, PR_IPM_DRAFTS_ENTRY_ID);
    assert_folder_entry(get(f, STORE_OBJECT_MAILBOX, PR_IPM_SUBTREE_ENTRY_ID).value.bytes,
                        SPECIAL_IPM_SUBTREE);
    assert_int_equal(number(f, STORE_OBJECT_MAILBOX, PR_OBJECT_TYPE), 1);
}

/* Of a message made by hand from [MS-OXCDATA] 2.2.4.2 and [MS-OXCFXICS] 2.2.2.3. */
static void a_message_tells_its_keys(void **state)
{
    struct fixture *f = *state;
    uint64_t mid = deliver(f, mail);
    struct slice entry = get(f, mid, PR_ENTRY_ID).value.bytes;
    struct slice source = get(f, mid, PR_SOURCE_KEY).value.bytes;
    struct slice past = get(f, mid, PR_PREDECESSOR_CHANGE_LIST).value.bytes;
    struct slice change_key = get(f, mid, PR_CHANGE_KEY).value.bytes;
    uint64_t counter;

    assert_int_equal(entry.len, 70);
    assert_int_equal(entry.ptr[20], 7);
    assert_int_equal(counter_at(entry, 38), SPECIAL_INBOX);
    assert_int_equal(counter_at(entry, 62), mid);
    assert_int_equal(source.len, 22);
    assert_int_equal(counter_at(source, 16), mid);
    assert_int_equal(past.len, 23);
    assert_int_equal(past.ptr[0], 22);
    assert_true(slice_eq(slice_from(past, 1), change_key));
    assert_true(mapi_id_counter((uint64_t)number(f, mid, PR_MID), &counter));
    assert_int_equal(counter, mid);
    assert_int_equal(mapi_id(0x010203040506), 0x0605040302010001);
    assert_false(mapi_id_counter(0x0605040302010002, &counter));
}

/* ---- mailboxes of the versions before ---- */

enum { SHADOWS_OF_MAILBOX = 4 + 3 * 8 + 4, SHADOWS_OF_FOLDER = 3 * 8 + 1 + 4 };

/* As the program of that version wrote it. */
static struct err decode_mailbox_of(uint32_t version, unsigned less, struct mailbox_rec *back)
{
    struct mailbox_rec rec = {.version = SCHEMA_VERSION,
                              .counter = 77,
                              .subscriptions = 3,
                              .named = 4,
                              .deleted_size = 5};
    struct record record;

    mailbox_rec_encode(&rec, &record);
    record.len = (uint16_t)(record.len - less);
    put_le32(record.bytes + 4, version);
    put_le32(record.bytes, crc32c(0, slice_from(record_slice(&record), 4)));
    return mailbox_rec_decode(record_slice(&record), back);
}

static void a_mailbox_of_the_version_before_is_read_as_one_without_names(void **state)
{
    struct mailbox_rec back;
    struct record record;

    (void)state;
    assert_ok(decode_mailbox_of(SCHEMA_WITHOUT_BAGS, SHADOWS_OF_MAILBOX + 4, &back));
    assert_int_equal(back.version, SCHEMA_VERSION);
    assert_int_equal(back.counter, 77);
    assert_int_equal(back.subscriptions, 3);
    assert_int_equal(back.named, 0);

    struct folder_rec folder = {.fid = 9, .created = 5, .name_len = 1, .name = "x", .removed = 4},
                      old;
    folder_rec_encode(&folder, &record);
    record.len = (uint16_t)(record.len - 20 - SHADOWS_OF_FOLDER);
    put_le32(record.bytes, crc32c(0, slice_from(record_slice(&record), 4)));
    assert_ok(folder_rec_decode(record_slice(&record), 9, &old));
    assert_int_equal(old.changed, 5);
    assert_int_equal(old.removed, 0);
    assert_slice(folder_rec_name(&old), "x");
}

static void a_mailbox_of_the_second_version_has_no_shadows(void **state)
{
    struct folder_rec folder = {.fid = 9, .removed = 4, .shadow = 1, .shadows = {0, 7, 8}}, old;
    struct mailbox_rec back;
    struct record record;

    (void)state;
    assert_ok(decode_mailbox_of(SCHEMA_WITHOUT_SHADOWS, SHADOWS_OF_MAILBOX, &back));
    assert_int_equal(back.named, 4);
    assert_int_equal(back.deleted_size, 0);
    assert_code(decode_mailbox_of(SCHEMA_VERSION + 1, 0, &back), ERR_UNSUPPORTED);
    folder_rec_encode(&folder, &record);
    record.len = (uint16_t)(record.len - SHADOWS_OF_FOLDER);
    put_le32(record.bytes, crc32c(0, slice_from(record_slice(&record), 4)));
    assert_ok(folder_rec_decode(record_slice(&record), 9, &old));
    assert_int_equal(old.removed, 4);
    assert_int_equal(old.shadow, SHADOW_NONE);
    assert_int_equal(old.shadows[SHADOW_DELETED], 0);
}

int main(void)
{
#define IN_A_BED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        IN_A_BED(every_type_comes_back_as_it_was_set_on_every_object),
        IN_A_BED(what_is_not_a_value_is_told_and_the_rest_is_set),
        IN_A_BED(a_property_is_told_by_its_id_whatever_its_type),
        IN_A_BED(what_is_set_wins_over_what_is_derived_until_it_is_removed),
        IN_A_BED(mail_of_before_there_were_columns_shows_the_same),
        IN_A_BED(a_list_has_each_property_once_and_each_can_be_got),
        IN_A_BED(what_mapi_sets_is_what_imap_sees),
        IN_A_BED(what_imap_sets_is_what_mapi_sees),
        IN_A_BED(a_flag_that_imap_takes_away_is_gone_for_mapi),
        IN_A_BED(categories_are_keywords),
        IN_A_BED(each_change_moves_the_number_that_is_its_own),
        IN_A_BED(a_change_is_refused_where_somebody_was_faster),
        IN_A_BED(long_values_are_blobs_which_copies_share),
        IN_A_BED(a_large_value_can_be_prepared_before),
        IN_A_BED(there_is_a_bound_to_large_values_and_to_the_bag),
        IN_A_BED(properties_go_where_the_message_goes),
        IN_A_BED(properties_go_with_their_folder_and_mailbox),
        IN_A_BED(a_backup_has_the_properties_too),
        IN_A_BED(a_name_has_one_id_for_ever),
        IN_A_BED(what_cannot_be_a_name_has_no_id),
        IN_A_BED(names_run_out_at_the_last_id),
        IN_A_BED(a_folder_tells_its_figures),
        IN_A_BED(a_folder_is_renamed_and_classed_by_its_properties),
        IN_A_BED(special_folders_are_told_by_entry_ids),
        IN_A_BED(a_message_tells_its_keys),
        cmocka_unit_test(a_mailbox_of_the_version_before_is_read_as_one_without_names),
        cmocka_unit_test(a_mailbox_of_the_second_version_has_no_shadows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
