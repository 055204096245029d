/* test_mapi_property.c - operations on properties and their names ([MS-OXCPRPT]). */
#include "store/mapi/rtf.h"
#include "tests/support/mapi.h"

enum { LOGON, FOLDER, OTHER, MESSAGE, FILE_OF_IT, COPY, TABLE };

static void open_folder(struct mapi_bed *bed, uint64_t fid, uint8_t at)
{
    struct rop_open_folder rq = {.folder = fid};

    assert_int_equal(mapi_do(bed, ROP_OpenFolder, LOGON, at, &rq, NULL), EC_SUCCESS);
}

static int setup(void **state)
{
    struct mapi_bed *bed = *state = mapi_bed_new();

    mapi_bed_logon(bed);
    open_folder(bed, bed->inbox, FOLDER);
    return 0;
}

static int teardown(void **state)
{
    mapi_bed_free(*state);
    return 0;
}

/* ---- RopGetPropertiesSpecific ---- */

#define TAGS(...)                                                                                  \
    ((struct rop_numbers){sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t),                    \
                          (const uint32_t[]){__VA_ARGS__}})

static struct rop_get_properties asking(struct rop_numbers tags)
{
    return (struct rop_get_properties){.unicode = 1, .tags = tags};
}

/* Ask for them, and read the row as the client would. */
static struct prop *get(struct mapi_bed *bed, uint8_t at, struct rop_get_properties rq)
{
    const struct rop_get_properties_reply *reply;
    struct value_form form = {.codepage = 1252};
    struct prop *values;

    bed->columns = rq.tags;
    assert_int_equal(mapi_do(bed, ROP_GetPropertiesSpecific, at, 0, &rq, (const void **)&reply),
                     EC_SUCCESS);
    struct wire w = wire_of(reply->row, &bed->arena);
    assert_true(row_read(&w, &form, rq.tags.items, rq.tags.n, &values));
    assert_int_equal(w.rest.len, 0);
    return values;
}

static struct prop get_tag(struct mapi_bed *bed, uint8_t at, uint32_t tag)
{
    return get(bed, at, asking((struct rop_numbers){1, &tag}))[0];
}

static void assert_error(struct prop value, uint32_t ec)
{
    assert_int_equal(prop_type(value.tag), PROP_ERROR);
    assert_int_equal((uint32_t)value.value.number, ec);
}

static void set(struct mapi_bed *bed, uint8_t at, struct prop prop)
{
    const struct rop_set_properties_reply *reply;
    struct rop_set_properties rq = {.values = {1, &prop}};

    assert_int_equal(mapi_do(bed, ROP_SetProperties, at, 0, &rq, (const void **)&reply),
                     EC_SUCCESS);
    assert_int_equal(reply->problems.n, 0);
}

static struct prop text(uint32_t tag, const char *s)
{
    return (struct prop){tag, {.bytes = slice_str(s)}};
}

/* 3.2.5.1, byte by byte: values in the order in which they were asked, without their tags. */
static void test_values_come_in_the_order_that_was_asked(void **state)
{
    struct mapi_bed *bed = *state;
    const struct rop_get_properties_reply *reply;
    struct rop_get_properties rq = asking(TAGS(PR_OBJECT_TYPE, PR_DISPLAY_NAME, PR_FOLDER_TYPE));
    static const uint8_t row[] = {0,   3, 0,   0, 0, 'I', 0, 'n', 0, 'b', 0,
                                  'o', 0, 'x', 0, 0, 0,   1, 0,   0, 0};

    bed->columns = rq.tags;
    assert_int_equal(mapi_do(bed, ROP_GetPropertiesSpecific, FOLDER, 0, &rq, (const void **)&reply),
                     EC_SUCCESS);
    assert_int_equal(reply->row.len, sizeof row);
    assert_memory_equal(reply->row.ptr, row, sizeof row);
}

static void test_what_is_missing_is_told_in_its_place(void **state)
{
    struct mapi_bed *bed = *state;
    struct prop *values = get(bed, FOLDER, asking(TAGS(PR_SUBJECT, PR_OBJECT_TYPE, 0x12340003)));

    assert_error(values[0], EC_NOT_FOUND);
    assert_int_equal(values[1].value.number, 3);
    assert_error(values[2], EC_NOT_FOUND);
}

/* 3.2.5.1: of no type: the answer has its own; strings as WantUnicode says. */
static void test_a_tag_without_a_type_is_answered_with_one(void **state)
{
    struct mapi_bed *bed = *state;
    struct rop_get_properties rq = asking(TAGS(0x30010000, 0x36010000, 0x36D80000));
    struct prop *values = get(bed, FOLDER, rq);

    assert_int_equal(values[0].tag, PR_DISPLAY_NAME);
    assert_slice(values[0].value.bytes, "Inbox");
    assert_int_equal(values[1].tag, PR_FOLDER_TYPE);
    assert_int_equal(values[2].tag, PR_ADDITIONAL_REN_ENTRY_IDS);
    rq.unicode = 0;
    values = get(bed, FOLDER, rq);
    assert_int_equal(values[0].tag, 0x3001001E);
    assert_slice(values[0].value.bytes, "Inbox");
}

static void test_8_bit_strings_are_in_the_code_page(void **state)
{
    struct mapi_bed *bed = *state;
    const struct rop_get_properties_reply *reply;
    struct rop_get_properties rq = asking(TAGS(0x3004001E));

    set(bed, FOLDER, text(0x3004001E, "gr\xC3\xBC\xC3\x9F"));
    assert_slice(get_tag(bed, FOLDER, PR_COMMENT).value.bytes, "gr\xC3\xBC\xC3\x9F");
    bed->columns = rq.tags;
    assert_int_equal(mapi_do(bed, ROP_GetPropertiesSpecific, FOLDER, 0, &rq, (const void **)&reply),
                     EC_SUCCESS);
    assert_int_equal(reply->row.len, 6);
    assert_memory_equal(reply->row.ptr, "\0gr\xFC\xDF", 6);
}

static void test_types_that_do_not_fit(void **state)
{
    struct mapi_bed *bed = *state;
    struct prop *values =
        get(bed, FOLDER, asking(TAGS(0x30010003, 0x36010014, 0x0E12000D, 0x3001001F)));

    assert_error(values[0], EC_NOT_FOUND);
    assert_error(values[1], EC_NOT_FOUND);
    assert_error(values[2], EC_NOT_SUPPORTED); /* an object is opened, not read */
    assert_int_equal(values[3].tag, PR_DISPLAY_NAME);
}

/* [MS-OXCDATA] 2.4.2: InvalidType. No reader of ours could take such a row apart. */
static void test_a_type_that_there_is_not(void **state)
{
    struct mapi_bed *bed = *state;
    static const uint8_t row[] = {1, 0x0A, 0x02, 0x03, 0x04, 0x80};
    struct rop_get_properties rq = asking(TAGS(0x30010099));

    bed->columns = TAGS(0x30010003);
    mapi_ask(bed, ROP_GetPropertiesSpecific, FOLDER, 0, &rq);
    mapi_run(bed);
    assert_int_equal(bed->status, 0);
    assert_true(slice_find(bed->payload, slice_of(row, sizeof row)) < bed->payload.len);
    bed->columns = TAGS(PR_OBJECT_TYPE);
    assert_int_equal(get_tag(bed, FOLDER, PR_OBJECT_TYPE).value.number, 3);
}

/* 3.2.5.1: PropertySizeLimit is ignored; what has no room is told, and the rest is there. */
static void test_a_value_that_is_too_long_is_for_a_stream(void **state)
{
    struct mapi_bed *bed = *state;
    struct rop_get_properties rq = asking(TAGS(PR_OBJECT_TYPE, 0x66010102, PR_DISPLAY_NAME));
    uint8_t *bytes = mem_new(40000);
    struct prop *values;

    set(bed, FOLDER, (struct prop){0x66010102, {.bytes = slice_of(bytes, 30000)}});
    rq.limit = 100;
    values = get(bed, FOLDER, rq);
    assert_int_equal(values[1].value.bytes.len, 30000);
    bed->max_out = 10000;
    values = get(bed, FOLDER, rq);
    assert_int_equal(values[0].value.number, 3);
    assert_error(values[1], EC_NOT_ENOUGH_MEMORY);
    assert_slice(values[2].value.bytes, "Inbox");
    free(bytes);
}

/* What would have room in a response of its own is given back to be asked for again. */
static void test_values_without_room_behind_others_are_given_back(void **state)
{
    struct mapi_bed *bed = *state;
    struct rop_get_properties rq = asking(TAGS(0x66010102));
    uint8_t *bytes = mem_new(12000);

    set(bed, FOLDER, (struct prop){0x66010102, {.bytes = slice_of(bytes, 12000)}});
    bed->columns = rq.tags;
    for (int i = 0; i < 4; i++)
        mapi_ask(bed, ROP_GetPropertiesSpecific, FOLDER, 0, &rq);
    mapi_run(bed);
    assert_int_equal(bed->n, 2);
    assert_int_equal(bed->rest.ptr[0], 0xFF); /* RopBufferTooSmall, with the two others */
    assert_int_equal(bed->rest.len, 3 + 2 * (3 + 2 + 2 + 2 + 4));
    free(bytes);
}

static void test_every_type_there_and_back(void **state)
{
    struct mapi_bed *bed = *state;
    uint8_t guid[16] = {1, 2, 3};
    struct prop_value numbers[] = {{.number = 1}, {.number = -2}};
    struct prop_value texts[] = {{.bytes = S("eins")}, {.bytes = S("zw\xC3\xB6lf")}};
    struct prop_value times[] = {{.time = 5}, {.time = 6}};
    struct prop_value reals[] = {{.real = 0.5}, {.real = -2}};
    struct prop_value guids[] = {{.bytes = slice_of(guid, 16)}};
    const struct prop props[] = {
        {0x66000002, {.number = -7}},
        {0x66010003, {.number = 70000}},
        {0x66020004, {.real = 0.25}},
        {0x66030005, {.real = 1e100}},
        {0x66040006, {.number = 10000}},
        {0x66050007, {.real = 40000.5}},
        {0x6606000B, {.number = 1}},
        {0x66070014, {.number = INT64_MIN}},
        {0x6608001F, {.bytes = S("text")}},
        {0x66090040, {.time = 42}},
        {0x660A0048, {.bytes = slice_of(guid, 16)}},
        {0x660B0102, {.bytes = S("\x01\x02")}},
        {0x660C1002, {.many = {numbers, 2}}},
        {0x660D1003, {.many = {numbers, 2}}},
        {0x660E1004, {.many = {reals, 2}}},
        {0x660F1005, {.many = {reals, 2}}},
        {0x66101006, {.many = {numbers, 2}}},
        {0x66111007, {.many = {reals, 2}}},
        {0x66121014, {.many = {numbers, 2}}},
        {0x6613101F, {.many = {texts, 2}}},
        {0x66141040, {.many = {times, 2}}},
        {0x66151048, {.many = {guids, 1}}},
        {0x66161102, {.many = {texts, 2}}},
    };
    size_t n = sizeof props / sizeof *props;
    struct value_form form = {.codepage = 1252};

    for (size_t i = 0; i < n; i++) {
        struct buf want = buf_make(1000), got = buf_make(1000);
        struct prop has;

        set(bed, FOLDER, props[i]);
        has = get_tag(bed, FOLDER, props[i].tag);
        assert_int_equal(has.tag, props[i].tag);
        value_put_tagged(&want, &form, &props[i]);
        value_put_tagged(&got, &form, &has);
        assert_true(slice_eq(buf_slice(&want), buf_slice(&got)));
        buf_done(&want);
        buf_done(&got);
    }
}

/* ---- RopGetPropertiesAll, RopGetPropertiesList ---- */

static void test_all_and_list_have_the_same(void **state)
{
    struct mapi_bed *bed = *state;
    const struct rop_get_properties_all_reply *all;
    const struct rop_get_properties_list_reply *list;
    struct rop_get_properties_all rq = {.unicode = 1};

    set(bed, FOLDER, text(PR_COMMENT, "of mine"));
    mapi_ask(bed, ROP_GetPropertiesAll, FOLDER, 0, &rq);
    mapi_ask(bed, ROP_GetPropertiesList, FOLDER, 0, NULL);
    mapi_run(bed);
    all = mapi_reply(bed, 0)->fields;
    list = mapi_reply(bed, 1)->fields;
    assert_int_equal(mapi_reply(bed, 0)->error, EC_SUCCESS);
    assert_int_equal(all->values.n, list->tags.n);
    bool found = false;
    for (size_t i = 0; i < all->values.n; i++) {
        assert_int_equal(all->values.items[i].tag, list->tags.items[i]);
        if (all->values.items[i].tag == PR_COMMENT) {
            assert_slice(all->values.items[i].value.bytes, "of mine");
            found = true;
        }
    }
    assert_true(found);
}

/* 3.2.5.2: the first operation of a buffer fails with all of it; another is given back. */
static void test_all_that_has_no_room_at_all(void **state)
{
    struct mapi_bed *bed = *state;
    struct rop_get_properties_all rq = {.unicode = 1};

    bed->max_out = 400;
    mapi_ask(bed, ROP_GetPropertiesAll, FOLDER, 0, &rq);
    mapi_try(bed);
    assert_int_equal(bed->status, 0x3F0);
    mapi_ask(bed, ROP_GetPropertiesSpecific, FOLDER, 0,
             &(struct rop_get_properties){.tags = TAGS(PR_OBJECT_TYPE)});
    mapi_ask(bed, ROP_GetPropertiesAll, FOLDER, 0, &rq);
    bed->columns = TAGS(PR_OBJECT_TYPE);
    mapi_run(bed);
    assert_int_equal(bed->n, 1);
    assert_int_equal(bed->rest.ptr[0], 0xFF);
}

/* ---- RopSetProperties, RopDeleteProperties ---- */

/* 3.2.5.4: what cannot be set is told by its index; the others are set. */
static void test_problems_are_told_one_by_one(void **state)
{
    struct mapi_bed *bed = *state;
    const struct rop_set_properties_reply *reply;
    struct prop values[] = {
        {PR_COMMENT, {.bytes = S("set")}},
        {PR_CONTENT_COUNT, {.number = 5}},
        {0x9999001F, {.bytes = S("without a name")}},
        {0x6601001F, {.bytes = S("set too")}},
    };
    struct rop_set_properties rq = {.values = {4, values}};

    assert_int_equal(mapi_do(bed, ROP_SetProperties, FOLDER, 0, &rq, (const void **)&reply),
                     EC_SUCCESS);
    assert_int_equal(reply->problems.n, 2);
    assert_int_equal(reply->problems.items[0].index, 1);
    assert_int_equal(reply->problems.items[0].tag, PR_CONTENT_COUNT);
    assert_int_equal(reply->problems.items[0].error, EC_COMPUTED);
    assert_int_equal(reply->problems.items[1].index, 2);
    assert_int_equal(reply->problems.items[1].error, EC_UNEXPECTED_ID);
    assert_slice(get_tag(bed, FOLDER, PR_COMMENT).value.bytes, "set");
    assert_slice(get_tag(bed, FOLDER, 0x6601001F).value.bytes, "set too");
}

/* 3.2.5.6 */
static void test_what_was_deleted_is_gone(void **state)
{
    struct mapi_bed *bed = *state;
    const struct rop_delete_properties_reply *reply;
    struct rop_delete_properties rq = {.tags = TAGS(0x6601001F, PR_CONTENT_COUNT, 0x66020003)};

    set(bed, FOLDER, text(0x6601001F, "x"));
    assert_int_equal(mapi_do(bed, ROP_DeleteProperties, FOLDER, 0, &rq, (const void **)&reply),
                     EC_SUCCESS);
    assert_int_equal(reply->problems.n, 1); /* what was not there is not there now */
    assert_int_equal(reply->problems.items[0].index, 1);
    assert_error(get_tag(bed, FOLDER, 0x6601001F), EC_NOT_FOUND);
}

static void test_without_replication_it_is_the_same(void **state)
{
    struct mapi_bed *bed = *state;
    struct prop value = text(0x6601001F, "x");
    struct rop_set_local rq = {.values = {1, &value}};
    struct rop_delete_local gone = {.tags = TAGS(0x6601001F)};

    assert_int_equal(mapi_do(bed, ROP_SetPropertiesNoReplicate, FOLDER, 0, &rq, NULL), EC_SUCCESS);
    assert_slice(get_tag(bed, FOLDER, 0x6601001F).value.bytes, "x");
    assert_int_equal(mapi_do(bed, ROP_DeletePropertiesNoReplicate, FOLDER, 0, &gone, NULL),
                     EC_SUCCESS);
    assert_error(get_tag(bed, FOLDER, 0x6601001F), EC_NOT_FOUND);
}

static uint64_t make_folder(struct mapi_bed *bed, const char *path)
{
    struct store_folder_create rq;

    store_folder_create_init(&rq);
    rq.path = slice_str(path);
    assert_ok(store_run(bed->mailbox, &rq.op));
    return mapi_id(rq.fid);
}

static void test_a_folder_is_renamed_by_its_name(void **state)
{
    struct mapi_bed *bed = *state;
    struct prop value = text(PR_DISPLAY_NAME, "There");
    struct rop_set_properties rq = {.values = {1, &value}};

    open_folder(bed, make_folder(bed, "Here"), OTHER);
    make_folder(bed, "There");
    assert_int_equal(mapi_do(bed, ROP_SetProperties, OTHER, 0, &rq, NULL), EC_DUPLICATE_NAME);
    set(bed, OTHER, text(PR_DISPLAY_NAME, "Elsewhere"));
    assert_slice(get_tag(bed, OTHER, PR_DISPLAY_NAME).value.bytes, "Elsewhere");
}

/* ---- the log-on ---- */

/* [MS-OXCSTOR] 2.2.2.1 */
static void test_a_log_on_tells_of_the_mailbox(void **state)
{
    struct mapi_bed *bed = *state;
    struct prop *v = get(bed, LOGON,
                         asking(TAGS(0x661C001F, 0x66A10003, 0x66C30003, 0x666D0003, 0x340D0003,
                                     0x0FFB0102, 0x66190102, 0x661B0102, 0x0E080014, 0x3001001F,
                                     0x0FFE0003, 0x66380102, 0x0FF90102)));

    assert_true(v[0].value.bytes.len > 0);
    assert_int_equal(v[2].value.number, 1252);
    assert_int_equal(v[3].value.number, 64 * 1024);
    assert_true(v[4].value.number != 0);
    assert_int_equal(v[5].value.bytes.ptr[4], 0x38);
    assert_int_equal(v[6].value.bytes.ptr[4], 0xDC);
    assert_true(slice_eq(v[6].value.bytes, v[7].value.bytes)); /* it is her own */
    assert_int_equal(v[8].value.number, 0);
    assert_true(slice_starts(v[9].value.bytes, S("Mailbox - ")));
    assert_int_equal(v[10].value.number, 1);
    assert_int_equal(v[11].value.bytes.len, 18);
    assert_int_equal(v[11].value.bytes.ptr[0], 1);
    assert_int_equal(v[12].value.bytes.len, 16);
}

static void test_what_a_client_sets_of_a_log_on(void **state)
{
    struct mapi_bed *bed = *state;
    const struct rop_set_properties_reply *reply;
    struct prop values[] = {
        {0x661C001F, {.bytes = S("not alice")}},
        {PR_COMMENT, {.bytes = S("mine")}},
        {PR_DISPLAY_NAME, {.bytes = S("Post")}},
    };
    struct rop_set_properties rq = {.values = {3, values}};

    assert_int_equal(mapi_do(bed, ROP_SetProperties, LOGON, 0, &rq, (const void **)&reply),
                     EC_SUCCESS);
    assert_int_equal(reply->problems.n, 1);
    assert_int_equal(reply->problems.items[0].index, 0);
    assert_int_equal(reply->problems.items[0].error, EC_COMPUTED);
    assert_slice(get_tag(bed, LOGON, PR_COMMENT).value.bytes, "mine");
    assert_slice(get_tag(bed, LOGON, PR_DISPLAY_NAME).value.bytes, "Post");
}

/* ---- names ---- */

static const uint8_t my_guid[16] = {0xAA, 0xBB, 0xCC};

static struct property_name by_string(const char *s)
{
    struct property_name name = {.kind = NAME_BY_STRING, .name = slice_str(s)};

    memcpy(name.guid, my_guid, 16);
    return name;
}

static struct property_name by_id(const uint8_t *guid, uint32_t id)
{
    struct property_name name = {.kind = NAME_BY_ID, .id = id};

    memcpy(name.guid, guid, 16);
    return name;
}

static uint32_t ids_of(struct mapi_bed *bed, uint8_t flags, const struct property_name *names,
                       size_t n, uint16_t *ids)
{
    const struct rop_get_ids_reply *reply;
    struct rop_get_ids rq = {.flags = flags, .names = {n, names}};
    uint32_t ec = mapi_do(bed, ROP_GetPropertyIdsFromNames, FOLDER, 0, &rq, (const void **)&reply);

    assert_int_equal(reply->ids.n, n);
    memcpy(ids, reply->ids.items, n * sizeof *ids);
    return ec;
}

/* 3.2.5.10 */
static void test_names_get_ids_where_that_is_wished(void **state)
{
    struct mapi_bed *bed = *state;
    uint16_t ids[5], again[5];
    struct property_name names[5] = {
        by_string("colour"), by_id(my_guid, 0x8505), by_id(store_ps_mapi, 0x0037),
        {.kind = NAME_NONE}, by_string("size"),
    };

    assert_int_equal(ids_of(bed, 0, names, 5, ids), EC_WARN_ERRORS);
    assert_int_equal(ids[0], 0);
    assert_int_equal(ids[2], 0x0037);                                /* its own */
    assert_int_equal(ids_of(bed, 2, names, 5, ids), EC_WARN_ERRORS); /* one cannot have one */
    assert_true(ids[0] > 0x8000 && ids[1] > 0x8000 && ids[4] > 0x8000);
    assert_true(ids[0] != ids[1] && ids[1] != ids[4]);
    assert_int_equal(ids[3], 0);
    assert_int_equal(ids_of(bed, 0, names, 3, again), EC_SUCCESS);
    assert_memory_equal(ids, again, 3 * sizeof *ids);
}

/* 3.2.5.10: without names a log-on tells all ids; another object has none to tell. */
static void test_all_ids_of_a_log_on(void **state)
{
    struct mapi_bed *bed = *state;
    const struct rop_get_ids_reply *reply;
    struct rop_get_ids rq = {.flags = 0};
    struct property_name name = by_string("colour");
    uint16_t id;

    assert_int_equal(ids_of(bed, 2, &name, 1, &id), EC_SUCCESS);
    assert_int_equal(
        mapi_do(bed, ROP_GetPropertyIdsFromNames, LOGON, 0, &rq, (const void **)&reply),
        EC_SUCCESS);
    assert_int_equal(reply->ids.n, 1);
    assert_int_equal(reply->ids.items[0], id);
    assert_int_equal(
        mapi_do(bed, ROP_GetPropertyIdsFromNames, FOLDER, 0, &rq, (const void **)&reply),
        EC_SUCCESS);
    assert_int_equal(reply->ids.n, 0);
}

/* 3.2.5.10: who wants an id where none is left is told so. */
static void test_no_id_is_left(void **state)
{
    struct mapi_bed *bed = *state;
    enum { MOST = 0x7FFF };
    struct store_prop_name *stored = mem_array(MOST, sizeof *stored);
    uint16_t *ids = mem_array(MOST, sizeof *ids);
    struct store_name_props all;
    struct property_name names[2] = {by_id(my_guid, 7), by_string("one more")};
    struct rop_get_ids rq = {.flags = 2, .names = {2, names}};

    for (uint32_t i = 0; i < MOST; i++) {
        stored[i].lid = i;
        memcpy(stored[i].guid, my_guid, 16);
    }
    store_name_props_init(&all);
    all.names = stored;
    all.ids = ids;
    all.n = MOST;
    assert_ok(store_run(bed->mailbox, &all.op));
    assert_int_equal(mapi_do(bed, ROP_GetPropertyIdsFromNames, FOLDER, 0, &rq, NULL), 0x8007000E);
    rq.flags = 0;
    assert_int_equal(mapi_do(bed, ROP_GetPropertyIdsFromNames, FOLDER, 0, &rq, NULL),
                     EC_WARN_ERRORS);
    rq.flags = 2;
    rq.names.n = 1; /* one that has an id has it still */
    assert_int_equal(mapi_do(bed, ROP_GetPropertyIdsFromNames, FOLDER, 0, &rq, NULL), EC_SUCCESS);
    free(stored);
    free(ids);
}

static void test_ids_are_told_by_name(void **state)
{
    struct mapi_bed *bed = *state;
    const struct rop_get_names_reply *reply;
    struct property_name name = by_string("colour");
    uint16_t id;

    assert_int_equal(ids_of(bed, 2, &name, 1, &id), EC_SUCCESS);
    struct rop_get_names rq = {.ids = {3, (uint16_t[]){id, 0x0037, 0xFFF0}}};
    assert_int_equal(
        mapi_do(bed, ROP_GetNamesFromPropertyIds, FOLDER, 0, &rq, (const void **)&reply),
        EC_SUCCESS);
    assert_int_equal(reply->names.n, 3);
    assert_slice(reply->names.items[0].name, "colour");
    assert_memory_equal(reply->names.items[0].guid, my_guid, 16);
    assert_int_equal(reply->names.items[1].kind, NAME_BY_ID); /* 3.2.5.9 */
    assert_int_equal(reply->names.items[1].id, 0x0037);
    assert_memory_equal(reply->names.items[1].guid, store_ps_mapi, 16);
    assert_int_equal(reply->names.items[2].kind, NAME_NONE);
}

static size_t query(struct mapi_bed *bed, uint8_t at, uint8_t flags, const uint8_t *guid)
{
    const struct rop_query_names_reply *reply;
    struct rop_query_names rq = {.flags = flags, .has_guid = guid != NULL};

    if (guid)
        memcpy(rq.guid.bytes, guid, 16);
    assert_int_equal(mapi_do(bed, ROP_QueryNamedProperties, at, 0, &rq, (const void **)&reply),
                     EC_SUCCESS);
    return reply->named.n;
}

/* 2.2.9: of a log-on all that are registered, of a folder those that it has. */
static void test_names_are_queried(void **state)
{
    struct mapi_bed *bed = *state;
    static const uint8_t other[16] = {9};
    struct property_name names[2] = {by_string("colour"), by_id(my_guid, 0x8505)};
    uint16_t ids[2];

    assert_int_equal(ids_of(bed, 2, names, 2, ids), EC_SUCCESS);
    assert_int_equal(query(bed, LOGON, 0, my_guid), 2);
    assert_int_equal(query(bed, LOGON, 1, my_guid), 1); /* NoStrings */
    assert_int_equal(query(bed, LOGON, 2, my_guid), 1); /* NoIds */
    assert_int_equal(query(bed, LOGON, 3, my_guid), 0);
    assert_int_equal(query(bed, LOGON, 0, other), 0);
    assert_int_equal(query(bed, FOLDER, 0, NULL), 0);
    set(bed, FOLDER, text(PROP_TAG(ids[0], PROP_STRING), "red"));
    assert_int_equal(query(bed, FOLDER, 0, NULL), 1);
}

/* ---- RopCopyProperties, RopCopyTo ---- */

static uint32_t copy(struct mapi_bed *bed, uint8_t flags, struct rop_numbers tags,
                     const struct rop_copy_properties_reply **reply)
{
    struct rop_copy_properties rq = {.flags = flags, .tags = tags};

    return mapi_do(bed, ROP_CopyProperties, FOLDER, OTHER, &rq, (const void **)reply);
}

/* 3.2.5.7 */
static void test_properties_are_copied(void **state)
{
    struct mapi_bed *bed = *state;
    const struct rop_copy_properties_reply *reply;

    open_folder(bed, bed->folders[5], OTHER);
    set(bed, FOLDER, text(0x6601001F, "one"));
    set(bed, FOLDER, text(0x6602001F, "two"));
    set(bed, OTHER, text(0x6602001F, "kept"));
    assert_int_equal(
        copy(bed, 2, TAGS(0x6601001F, 0x6602001F, 0x6603001F, PR_CONTENT_COUNT), &reply),
        EC_SUCCESS);
    assert_int_equal(reply->problems.n, 1); /* the counter is there, and so not overwritten */
    assert_int_equal(reply->problems.items[0].index, 2);
    assert_int_equal(reply->problems.items[0].error, EC_NOT_FOUND);
    assert_int_equal(copy(bed, 0, TAGS(PR_CONTENT_COUNT), &reply), EC_SUCCESS);
    assert_int_equal(reply->problems.n, 1);
    assert_int_equal(reply->problems.items[0].error, EC_COMPUTED);
    assert_slice(get_tag(bed, OTHER, 0x6601001F).value.bytes, "one");
    assert_slice(get_tag(bed, OTHER, 0x6602001F).value.bytes, "kept"); /* NoOverwrite */
}

static void test_copies_that_are_refused(void **state)
{
    struct mapi_bed *bed = *state;

    open_folder(bed, bed->folders[5], OTHER);
    assert_int_equal(copy(bed, 4, TAGS(PR_COMMENT), NULL), EC_INVALID_PARAMETER);
    assert_int_equal(copy(bed, 3, TAGS(PR_COMMENT), NULL), EC_INVALID_PARAMETER); /* both */
    assert_int_equal(copy(bed, 1, TAGS(PR_COMMENT), NULL), 0x80040102); /* Move, of a folder */
    bed->handles[OTHER] = bed->handles[LOGON];
    assert_int_equal(copy(bed, 0, TAGS(PR_COMMENT), NULL), EC_NOT_SUPPORTED);
    bed->handles[OTHER] = 0x7777;
    assert_int_equal(copy(bed, 0, TAGS(PR_COMMENT), NULL), EC_DEST_NULL_OBJECT);
    assert_int_equal(mapi_reply(bed, 0)->dest, OTHER);
}

/* 3.2.5.8: everything but what was excluded, and but what makes an object itself. */
static void test_an_object_is_copied_to_another(void **state)
{
    struct mapi_bed *bed = *state;
    const struct rop_copy_to_reply *reply;
    struct rop_copy_to rq = {.excluded = TAGS(PR_DISPLAY_NAME, 0x6602001F)};

    open_folder(bed, bed->folders[5], OTHER);
    set(bed, FOLDER, text(0x6601001F, "one"));
    set(bed, FOLDER, text(0x6602001F, "two"));
    assert_int_equal(mapi_do(bed, ROP_CopyTo, FOLDER, OTHER, &rq, (const void **)&reply),
                     EC_SUCCESS);
    assert_int_equal(reply->problems.n, 0);
    assert_slice(get_tag(bed, OTHER, 0x6601001F).value.bytes, "one");
    assert_error(get_tag(bed, OTHER, 0x6602001F), EC_NOT_FOUND);
    assert_slice(get_tag(bed, OTHER, PR_DISPLAY_NAME).value.bytes, "Outbox");
}

/* ---- folders with what they hold ---- */

static uint64_t create_folder(struct mapi_bed *bed, uint8_t in, uint8_t at, const char *name)
{
    const struct rop_create_folder_reply *reply;
    struct rop_create_folder rq = {.type = 1, .unicode = 1, .name = slice_str(name)};

    assert_int_equal(mapi_do(bed, ROP_CreateFolder, in, at, &rq, (const void **)&reply),
                     EC_SUCCESS);
    return reply->folder;
}

static uint32_t count_of(struct mapi_bed *bed, uint8_t at, bool associated)
{
    const struct rop_get_contents_table_reply *reply;
    struct rop_get_contents_table rq = {.flags = associated ? 0x02 : 0};

    assert_int_equal(mapi_do(bed, ROP_GetContentsTable, at, TABLE, &rq, (const void **)&reply),
                     EC_SUCCESS);
    return reply->rows;
}

static uint32_t depth_of(struct mapi_bed *bed, uint8_t at)
{
    const struct rop_get_hierarchy_table_reply *reply;
    struct rop_get_hierarchy_table rq = {.flags = 0x04};

    assert_int_equal(mapi_do(bed, ROP_GetHierarchyTable, at, TABLE, &rq, (const void **)&reply),
                     EC_SUCCESS);
    return reply->rows;
}

static void put_message(struct mapi_bed *bed, uint64_t folder, bool associated)
{
    struct rop_create_message rq = {.codepage = 0x0FFF, .folder = folder, .associated = associated};
    struct rop_save_message save = {.flags = 2};

    assert_int_equal(mapi_do(bed, ROP_CreateMessage, LOGON, MESSAGE, &rq, NULL), EC_SUCCESS);
    assert_int_equal(mapi_do(bed, ROP_SaveChangesMessage, MESSAGE, MESSAGE, &save, NULL),
                     EC_SUCCESS);
}

/* A folder at FOLDER with two messages, one associated, and Below in it, with Deeper; another at
 * OTHER. */
static void make_folders(struct mapi_bed *bed)
{
    open_folder(bed, bed->folders[3], FOLDER);
    open_folder(bed, bed->folders[3], OTHER);
    create_folder(bed, OTHER, OTHER, "Target");
    uint64_t fid = create_folder(bed, FOLDER, FOLDER, "Source");
    create_folder(bed, FOLDER, TABLE, "Below");
    create_folder(bed, TABLE, MESSAGE, "Deeper");
    put_message(bed, fid, false);
    put_message(bed, fid, false);
    put_message(bed, fid, true);
}

static uint32_t copy_to(struct mapi_bed *bed, uint8_t flags, struct rop_numbers excluded)
{
    struct rop_copy_to rq = {.subobjects = 1, .flags = flags, .excluded = excluded};

    return mapi_do(bed, ROP_CopyTo, FOLDER, OTHER, &rq, NULL);
}

/* 3.2.5.8: with WantSubObjects what it holds, but for what was excluded. */
static void test_a_folder_is_copied_with_what_it_holds(void **state)
{
    struct mapi_bed *bed = *state;

    make_folders(bed);
    set(bed, FOLDER, text(0x6601001F, "one"));
    assert_int_equal(copy_to(bed, 0, TAGS(PR_DISPLAY_NAME, 0x360E000D, 0x360F000D, 0x3610000D)),
                     EC_SUCCESS);
    assert_int_equal(count_of(bed, OTHER, false) + count_of(bed, OTHER, true), 0);
    assert_int_equal(depth_of(bed, OTHER), 0);
    assert_int_equal(copy_to(bed, 0, TAGS(PR_DISPLAY_NAME, 0x360E000D)), EC_SUCCESS);
    assert_int_equal(count_of(bed, OTHER, false), 2);
    assert_int_equal(count_of(bed, OTHER, true), 1);
    assert_int_equal(depth_of(bed, OTHER), 0);
    assert_int_equal(copy_to(bed, 0, TAGS(PR_DISPLAY_NAME, 0x360F000D, 0x3610000D)), EC_SUCCESS);
    assert_int_equal(count_of(bed, OTHER, false), 2);
    assert_int_equal(depth_of(bed, OTHER), 2);
    assert_int_equal(count_of(bed, FOLDER, false), 2);
    assert_int_equal(depth_of(bed, FOLDER), 2);
    assert_slice(get_tag(bed, OTHER, 0x6601001F).value.bytes, "one");
}

static void test_copies_of_folders_that_cannot_be(void **state)
{
    struct mapi_bed *bed = *state;

    make_folders(bed);
    create_folder(bed, OTHER, TABLE, "below");
    /* a name that is taken: CollidingNames */
    assert_int_equal(copy_to(bed, 0, TAGS(PR_DISPLAY_NAME)), 0x80040604);
    assert_int_equal(count_of(bed, OTHER, false), 0);
    /* below itself, and itself: FolderCycle */
    create_folder(bed, FOLDER, OTHER, "Inner");
    assert_int_equal(copy_to(bed, 0, TAGS(PR_DISPLAY_NAME)), 0x8004060B);
    bed->handles[OTHER] = bed->handles[FOLDER];
    assert_int_equal(copy_to(bed, 0, TAGS(PR_DISPLAY_NAME)), 0x8004060B);
}

static void test_what_a_folder_holds_is_moved(void **state)
{
    struct mapi_bed *bed = *state;

    make_folders(bed);
    assert_int_equal(copy_to(bed, 1, TAGS(PR_DISPLAY_NAME)), EC_SUCCESS);
    assert_int_equal(count_of(bed, OTHER, false), 2);
    assert_int_equal(count_of(bed, OTHER, true), 1);
    assert_int_equal(depth_of(bed, OTHER), 2);
    assert_int_equal(count_of(bed, FOLDER, false) + count_of(bed, FOLDER, true), 0);
    assert_int_equal(depth_of(bed, FOLDER), 0);
}

/* 2.2.10.1: RopCopyProperties names what a folder holds by these. */
static void test_what_a_folder_holds_is_named(void **state)
{
    struct mapi_bed *bed = *state;
    const struct rop_copy_properties_reply *reply;

    make_folders(bed);
    assert_int_equal(copy(bed, 0, TAGS(0x360F000D), &reply), EC_SUCCESS);
    assert_int_equal(reply->problems.n, 0);
    assert_int_equal(count_of(bed, OTHER, false), 2);
    assert_int_equal(count_of(bed, OTHER, true), 0);
    assert_int_equal(depth_of(bed, OTHER), 0);
}

/* ---- messages ---- */

static void create_message(struct mapi_bed *bed, uint8_t at)
{
    struct rop_create_message rq = {.codepage = 0x0FFF, .folder = bed->inbox};

    assert_int_equal(mapi_do(bed, ROP_CreateMessage, FOLDER, at, &rq, NULL), EC_SUCCESS);
}

/* A message has a body in every form, whichever it was written in. */
static void test_bodies_are_made_of_one_another(void **state)
{
    struct mapi_bed *bed = *state;
    struct buf rtf = buf_make(10000), html = buf_make(10000);
    struct prop *v;

    create_message(bed, MESSAGE);
    assert_error(get_tag(bed, MESSAGE, PR_HTML), EC_NOT_FOUND);
    set(bed, MESSAGE, text(PR_BODY, "a <b>\r\n"));
    v = get(bed, MESSAGE, asking(TAGS(PR_HTML, 0x1013001F, PR_RTF_COMPRESSED, PR_NATIVE_BODY)));
    assert_true(slice_find(v[0].value.bytes, S("a &lt;b&gt;<br>")) < v[0].value.bytes.len);
    assert_true(slice_eq(v[0].value.bytes, v[1].value.bytes));
    assert_ok(rtf_decompress(v[2].value.bytes, &rtf));
    assert_true(slice_find(buf_slice(&rtf), S("a <b>\\par")) < rtf.len);
    assert_int_equal(v[3].value.number, 1);
    set(bed, MESSAGE,
        (struct prop){PR_HTML,
                      {.bytes = S("<p>Gr\xC3\xBC\xC3\x9F"
                                  "e</p>")}});
    set(bed, MESSAGE, (struct prop){PR_INTERNET_CODEPAGE, {.number = 65001}});
    struct rop_delete_properties gone = {.tags = TAGS(PR_BODY)};
    assert_int_equal(mapi_do(bed, ROP_DeleteProperties, MESSAGE, 0, &gone, NULL), EC_SUCCESS);
    v = get(bed, MESSAGE, asking(TAGS(PR_BODY, PR_RTF_COMPRESSED, PR_NATIVE_BODY, 0x10000000)));
    assert_slice(v[0].value.bytes, "Gr\xC3\xBC\xC3\x9F"
                                   "e\r\n");
    buf_clear(&rtf);
    assert_ok(rtf_decompress(v[1].value.bytes, &rtf));
    assert_ok(rtf_to_html(buf_slice(&rtf), &html));
    assert_slice(buf_slice(&html), "<p>Gr\xC3\xBC\xC3\x9F"
                                   "e</p>");
    assert_int_equal(v[2].value.number, 3);
    assert_int_equal(v[3].tag, PR_BODY);
    buf_done(&rtf);
    buf_done(&html);
}

/* What IMAP gives out of a message that is RTF alone. */
static void test_rich_text_is_read_by_others(void **state)
{
    struct mapi_bed *bed = *state;
    struct buf wrapped = buf_make(1000), bytes = buf_make(100000);

    create_message(bed, MESSAGE);
    rtf_wrap(S("{\\rtf1\\ansi rich\\par}"), &wrapped);
    set(bed, MESSAGE, (struct prop){PR_RTF_COMPRESSED, {.bytes = buf_slice(&wrapped)}});
    struct rop_save_message rq = {.flags = 2};
    mapi_ask(bed, ROP_SaveChangesMessage, MESSAGE, FOLDER, &rq);
    mapi_run(bed);
    assert_int_equal(mapi_reply(bed, 0)->error, EC_SUCCESS);
    fixture_message(bed->fx, FIXTURE_ALICE, 1, &bytes);
    assert_true(slice_find(buf_slice(&bytes), S("\r\n\r\nrich\r\n")) < bytes.len);
    assert_slice(get_tag(bed, MESSAGE, PR_BODY).value.bytes, "rich\r\n");
    buf_done(&wrapped);
    buf_done(&bytes);
}

#define MAIL                                                                                       \
    "From: bob@example.org\r\nTo: alice@example.org\r\nCc: carol@example.org\r\nSubject: a "       \
    "file\r\n"                                                                                     \
    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"                       \
    "--x\r\nContent-Type: text/html\r\n\r\n<b>text</b>\r\n"                                        \
    "--x\r\nContent-Type: application/octet-stream; name=a.bin\r\n\r\nABCD\r\n--x--\r\n"

/* 3.2.5.8: a forwarded message is made of another so. */
static void test_a_message_is_copied_with_what_hangs_on_it(void **state)
{
    struct mapi_bed *bed = *state;
    const struct rop_copy_to_reply *reply;
    struct rop_open_message open = {.codepage = 0x0FFF, .folder = bed->inbox};
    struct rop_copy_to rq = {.subobjects = 1, .excluded = TAGS(PR_SUBJECT, PR_NORMALIZED_SUBJECT)};
    struct rop_open_attachment file = {.number = 0};

    open.message = mapi_bed_deliver(bed, MAIL);
    assert_int_equal(mapi_do(bed, ROP_OpenMessage, LOGON, MESSAGE, &open, NULL), EC_SUCCESS);
    assert_slice(get_tag(bed, MESSAGE, PR_BODY).value.bytes, "text\r\n"); /* of HTML alone */
    create_message(bed, COPY);
    assert_int_equal(mapi_do(bed, ROP_CopyTo, MESSAGE, COPY, &rq, (const void **)&reply),
                     EC_SUCCESS);
    assert_int_equal(mapi_do(bed, ROP_OpenAttachment, COPY, FILE_OF_IT, &file, NULL), EC_SUCCESS);
    assert_slice(get_tag(bed, FILE_OF_IT, PR_ATTACH_LONG_FILENAME).value.bytes, "a.bin");
    const struct rop_reload_message_reply *told;
    struct rop_reload_message tell = {.reserved = 0};
    assert_int_equal(
        mapi_do(bed, ROP_ReloadCachedInformation, COPY, 0, &tell, (const void **)&told),
        EC_SUCCESS);
    assert_int_equal(told->recipients, 2);
    assert_slice(get_tag(bed, COPY, PR_SUBJECT).value.bytes, ""); /* it was excluded */
}

/* 2.2.1: what every object has, but for what does not apply to it. */
static void test_what_every_object_has(void **state)
{
    struct mapi_bed *bed = *state;
    enum { ON_LOGON = 1, ON_FOLDER = 2, ON_MESSAGE = 4, ON_FILE = 8 };
    static const uint8_t at[] = {LOGON, FOLDER, MESSAGE, FILE_OF_IT};
    static const struct {
        uint32_t tag;
        unsigned has, has_not;
    } rows[] = {
        {0x0FF40003, ON_FOLDER | ON_MESSAGE | ON_FILE, 0},            /* PidTagAccess */
        {0x0FF70003, ON_MESSAGE | ON_FILE, ON_LOGON | ON_FOLDER},     /* PidTagAccessLevel */
        {0x65E20102, ON_FOLDER | ON_MESSAGE, 0},                      /* PidTagChangeKey */
        {0x30070040, ON_LOGON | ON_FOLDER | ON_MESSAGE | ON_FILE, 0}, /* PidTagCreationTime */
        {0x3FFA001F, ON_MESSAGE, ON_LOGON | ON_FOLDER},               /* PidTagLastModifierName */
        {0x30080040, ON_FOLDER | ON_MESSAGE | ON_FILE, 0},            /* ...ModificationTime */
        {0x0FFE0003, ON_MESSAGE | ON_FILE, 0},                        /* PidTagObjectType */
        {0x0FF90102, ON_MESSAGE | ON_FILE, 0},                        /* PidTagRecordKey */
        {0x300B0102, ON_MESSAGE, ON_LOGON | ON_FOLDER},               /* PidTagSearchKey */
    };
    struct rop_save_message save = {.flags = 2};

    create_message(bed, MESSAGE);
    assert_int_equal(mapi_do(bed, ROP_SaveChangesMessage, MESSAGE, MESSAGE, &save, NULL),
                     EC_SUCCESS);
    assert_int_equal(mapi_do(bed, ROP_CreateAttachment, MESSAGE, FILE_OF_IT, NULL, NULL),
                     EC_SUCCESS);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t k = 0; k < sizeof at; k++) {
            bool has = prop_type(get_tag(bed, at[k], rows[i].tag).tag) != PROP_ERROR;

            if ((rows[i].has & 1u << k && !has) || (rows[i].has_not & 1u << k && has))
                fail_msg("kind %zu, 0x%08X: %s", k, rows[i].tag, has ? "is there" : "is missing");
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_every_object_has),
        TEST(test_values_come_in_the_order_that_was_asked),
        TEST(test_what_is_missing_is_told_in_its_place),
        TEST(test_a_tag_without_a_type_is_answered_with_one),
        TEST(test_8_bit_strings_are_in_the_code_page),
        TEST(test_types_that_do_not_fit),
        TEST(test_a_type_that_there_is_not),
        TEST(test_a_value_that_is_too_long_is_for_a_stream),
        TEST(test_values_without_room_behind_others_are_given_back),
        TEST(test_every_type_there_and_back),
        TEST(test_all_and_list_have_the_same),
        TEST(test_all_that_has_no_room_at_all),
        TEST(test_problems_are_told_one_by_one),
        TEST(test_what_was_deleted_is_gone),
        TEST(test_without_replication_it_is_the_same),
        TEST(test_a_folder_is_renamed_by_its_name),
        TEST(test_a_log_on_tells_of_the_mailbox),
        TEST(test_what_a_client_sets_of_a_log_on),
        TEST(test_names_get_ids_where_that_is_wished),
        TEST(test_all_ids_of_a_log_on),
        TEST(test_no_id_is_left),
        TEST(test_ids_are_told_by_name),
        TEST(test_names_are_queried),
        TEST(test_properties_are_copied),
        TEST(test_copies_that_are_refused),
        TEST(test_an_object_is_copied_to_another),
        TEST(test_a_folder_is_copied_with_what_it_holds),
        TEST(test_copies_of_folders_that_cannot_be),
        TEST(test_what_a_folder_holds_is_moved),
        TEST(test_what_a_folder_holds_is_named),
        TEST(test_bodies_are_made_of_one_another),
        TEST(test_rich_text_is_read_by_others),
        TEST(test_a_message_is_copied_with_what_hangs_on_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
