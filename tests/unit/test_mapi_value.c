#include "tests/support/test.h"

#include "protocols/mapi/value.h"

#define BYTES(literal) slice_of(literal, sizeof(literal) - 1)

static const struct value_form rop_form = {.codepage = 1252};
static const struct value_form nspi_form = {.codepage = 1252, .wide_counts = true};

/* ---- values, by hand from [MS-OXCDATA] 2.11.1 ---- */

static const struct {
    uint16_t type;
    struct slice bytes;
} plain[] = {
    {PROP_NULL, {(const uint8_t *)"", 0}},
    {PROP_INT16, {(const uint8_t *)"\xfe\xff", 2}},
    {PROP_INT32, {(const uint8_t *)"\x01\x02\x03\x80", 4}},
    {PROP_FLOAT32, {(const uint8_t *)"\x00\x00\xc0\x3f", 4}},
    {PROP_FLOAT64, {(const uint8_t *)"\x00\x00\x00\x00\x00\x00\xf8\x3f", 8}},
    {PROP_CURRENCY, {(const uint8_t *)"\x10\x27\x00\x00\x00\x00\x00\x00", 8}},
    {PROP_APPTIME, {(const uint8_t *)"\x00\x00\x00\x00\x00\x00\xf0\x3f", 8}},
    {PROP_ERROR, {(const uint8_t *)"\x0f\x01\x04\x80", 4}},
    {PROP_BOOLEAN, {(const uint8_t *)"\x01", 1}},
    {PROP_INT64, {(const uint8_t *)"\x01\x00\x00\x00\x00\x00\x00\xff", 8}},
    {PROP_STRING8, {(const uint8_t *)"caf\xe9\x00", 5}},
    {PROP_STRING, {(const uint8_t *)"\x3d\xd8\x00\xde\x00\x00", 6}},
    {PROP_TIME, {(const uint8_t *)"\x00\x80\x3e\xd5\xde\xb1\x9d\x01", 8}},
    {PROP_GUID, {(const uint8_t *)"0123456789abcdef", 16}},
    {PROP_SERVER_ID, {(const uint8_t *)"\x03\x00\x01\x02\x03", 5}},
    {PROP_BINARY, {(const uint8_t *)"\x02\x00\x00\xff", 4}},
    {PROP_MULTIPLE | PROP_INT32, {(const uint8_t *)"\x02\0\0\0\x01\0\0\0\xff\xff\xff\xff", 12}},
    {PROP_MULTIPLE | PROP_STRING, {(const uint8_t *)"\x02\0\0\0a\0\0\0\0\0", 10}},
    {PROP_MULTIPLE | PROP_BINARY, {(const uint8_t *)"\x02\0\0\0\x01\0x\0\0", 9}},
    {PROP_MULTIPLE | PROP_GUID, {(const uint8_t *)"\x01\0\0\0fedcba9876543210", 20}},
    {PROP_MULTIPLE | PROP_TIME, {(const uint8_t *)"\0\0\0\0", 4}},
};

static void every_type_reads_as_the_specification_writes_it_and_goes_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        struct arena arena = ARENA_INIT;
        struct wire w = wire_of(plain[i].bytes, &arena);
        struct buf out = buf_make(64);
        struct prop_value v = value_read(&w, &rop_form, plain[i].type);

        assert_false(w.failed);
        assert_int_equal(w.rest.len, 0);
        value_put(&out, &rop_form, plain[i].type, &v);
        assert_false(out.failed);
        assert_true(slice_eq(buf_slice(&out), plain[i].bytes));
        buf_done(&out);
        arena_done(&arena);
    }
}

static void numbers_have_their_sign_and_text_is_utf8(void **state)
{
    struct arena arena = ARENA_INIT;
    struct wire w = wire_of(BYTES("\xfe\xff\x00\x00\x00\x80\x0f\x01\x04\x80"), &arena);

    (void)state;
    assert_int_equal(value_read(&w, &rop_form, PROP_INT16).number, -2);
    assert_true(value_read(&w, &rop_form, PROP_INT32).number == INT32_MIN);
    assert_true(value_read(&w, &rop_form, PROP_ERROR).number == 0x8004010F);
    w = wire_of(BYTES("caf\xe9\x00"), &arena);
    assert_slice(value_read(&w, &rop_form, PROP_STRING8).bytes, "caf\xC3\xA9");
    arena_done(&arena);
}

static void a_value_that_is_cut_short_fails_at_every_length(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        for (size_t n = 0; n < plain[i].bytes.len; n++) {
            struct arena arena = ARENA_INIT;
            struct wire w = wire_of(slice_head(plain[i].bytes, n), &arena);

            (void)value_read(&w, &rop_form, plain[i].type);
            assert_true(w.failed);
            arena_done(&arena);
        }
}

static void counts_beyond_the_bytes_and_types_without_a_form_fail(void **state)
{
    static const struct {
        uint16_t type;
        struct slice bytes;
    } bad[] = {
        {PROP_MULTIPLE | PROP_INT16, {(const uint8_t *)"\xff\xff\xff\xff\0\0", 6}},
        {PROP_MULTIPLE | PROP_STRING8, {(const uint8_t *)"\x03\0\0\0\0\0", 6}},
        {PROP_MULTIPLE | PROP_BOOLEAN, {(const uint8_t *)"\x01\0\0\0\x01", 5}},
        {PROP_BINARY, {(const uint8_t *)"\xff\xff\0", 3}},
        {PROP_UNSPECIFIED, {(const uint8_t *)"\0\0\0\0", 4}},
        {0x0099, {(const uint8_t *)"\0\0\0\0", 4}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct arena arena = ARENA_INIT;
        struct wire w = wire_of(bad[i].bytes, &arena);

        (void)value_read(&w, &rop_form, bad[i].type);
        assert_true(w.failed);
        arena_done(&arena);
    }
}

static void the_address_book_counts_binary_values_in_32_bits(void **state)
{
    struct arena arena = ARENA_INIT;
    struct wire w = wire_of(BYTES("\x01\0\0\0z"), &arena);
    struct buf out = buf_make(UINT16_MAX + 100);
    static uint8_t big[UINT16_MAX + 1];
    struct prop_value v = {.bytes = slice_of(big, sizeof big)};

    (void)state;
    assert_slice(value_read(&w, &nspi_form, PROP_BINARY).bytes, "z");
    value_put(&out, &nspi_form, PROP_BINARY, &v);
    assert_false(out.failed);
    buf_clear(&out);
    value_put(&out, &rop_form, PROP_BINARY, &v);
    assert_true(out.failed);
    buf_done(&out);
    arena_done(&arena);
}

/* ---- rows ---- */

static void a_row_is_flagged_only_where_a_column_has_no_value(void **state)
{
    static const uint32_t columns[] = {PROP_TAG(0x3001, PROP_STRING), PROP_TAG(0x3602, PROP_INT32),
                                       PROP_TAG(0x3004, PROP_UNSPECIFIED)};
    struct prop values[] = {
        {PROP_TAG(0x3001, PROP_STRING), {.bytes = S("a")}},
        {PROP_TAG(0x3602, PROP_INT32), {.number = 7}},
        {PROP_TAG(0x3004, PROP_BOOLEAN), {.number = 1}},
    };
    struct arena arena = ARENA_INIT;
    struct buf out = buf_make(256);
    struct prop *row;

    (void)state;
    row_put(&out, &rop_form, columns, 3, values);
    assert_true(slice_eq(buf_slice(&out), BYTES("\0a\0\0\0\x07\0\0\0\x0b\0\x01")));
    values[1] = (struct prop){PROP_TAG(0x3602, PROP_ERROR), {.number = 0x8004010F}};
    buf_clear(&out);
    row_put(&out, &rop_form, columns, 3, values);
    assert_true(slice_eq(buf_slice(&out), BYTES("\1\0a\0\0\0\x0a\x0f\x01\x04\x80\x0b\0\0\x01")));
    struct wire w = wire_of(buf_slice(&out), &arena);
    assert_true(row_read(&w, &rop_form, columns, 3, &row));
    assert_int_equal(w.rest.len, 0);
    assert_slice(row[0].value.bytes, "a");
    assert_int_equal(prop_type(row[1].tag), PROP_ERROR);
    assert_true(row[1].value.number == 0x8004010F);
    assert_int_equal(row[2].tag, PROP_TAG(0x3004, PROP_BOOLEAN));
    w = wire_of(BYTES("\1\0a\0\0\0\1\x0b\0\1"), &arena); /* two that are absent */
    assert_true(row_read(&w, &rop_form, columns, 3, &row));
    assert_int_equal(prop_type(row[1].tag), PROP_ERROR);
    w = wire_of(BYTES("\2"), &arena);
    assert_false(row_read(&w, &rop_form, columns, 3, &row));
    buf_done(&out);
    arena_done(&arena);
}

/* ---- restrictions ---- */

/* One of each kind, by hand from [MS-OXCDATA] 2.12. */
static const struct slice restrictions[] = {
    {(const uint8_t *)"\x00\0\0", 3},
    {(const uint8_t *)"\x01\x02\0\x08\x1f\0\x37\0\x08\x1f\0\x1a\0", 13},
    {(const uint8_t *)"\x02\x08\x1f\0\x37\0", 6},
    {(const uint8_t *)"\x03\x01\0\x01\0\x1f\0\x37\0\x1f\0\x37\0a\0\0\0", 17},
    {(const uint8_t *)"\x04\x04\x03\0\x17\0\x03\0\x17\0\x02\0\0\0", 14},
    {(const uint8_t *)"\x05\x05\x40\0\x39\0\x40\0\x06\x0e", 10},
    {(const uint8_t *)"\x06\x01\x03\0\x07\x0e\x01\0\0\0", 10},
    {(const uint8_t *)"\x07\x02\x02\x01\x01\x37\0\x10\0\0", 10},
    {(const uint8_t *)"\x08\x1f\0\x37\0", 5},
    {(const uint8_t *)"\x09\x0d\0\x12\x0e\x08\x1f\0\x01\x30", 10},
    {(const uint8_t *)"\x0a\x01\x0b\0\x01\x66\x01\x01\x00\0\0", 11},
    {(const uint8_t *)"\x0a\0\0", 3},
    {(const uint8_t *)"\x0b\x05\0\0\0\x00\0\0", 8},
};

static void every_kind_of_restriction_reads_and_goes_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof restrictions / sizeof *restrictions; i++) {
        struct arena arena = ARENA_INIT;
        struct wire w = wire_of(restrictions[i], &arena);
        struct buf out = buf_make(256);
        struct restriction r;

        assert_ok(restriction_read(&w, &rop_form, &r));
        assert_int_equal(r.kind, restrictions[i].ptr[0]);
        assert_int_equal(w.rest.len, 0);
        restriction_put(&out, &rop_form, &r);
        assert_true(slice_eq(buf_slice(&out), restrictions[i]));
        buf_done(&out);
        for (size_t n = 0; n < restrictions[i].len; n++) {
            w = wire_of(slice_head(restrictions[i], n), &arena);
            assert_true(failed(restriction_read(&w, &rop_form, &r)));
        }
        arena_done(&arena);
    }
}

static void unknown_kinds_and_operators_are_unsupported(void **state)
{
    static const struct slice bad[] = {
        {(const uint8_t *)"\x0c\0\0\0\0", 5},
        {(const uint8_t *)"\x04\x07\x03\0\x17\0\x03\0\x17\0\x02\0\0\0", 14},
        {(const uint8_t *)"\x06\x02\x03\0\x07\x0e\x01\0\0\0", 10},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct arena arena = ARENA_INIT;
        struct wire w = wire_of(bad[i], &arena);
        struct restriction r;

        assert_code(restriction_read(&w, &rop_form, &r), ERR_UNSUPPORTED);
        arena_done(&arena);
    }
}

static void nesting_is_bounded_and_so_is_what_it_costs(void **state)
{
    static const uint8_t exists[] = {RESTRICTION_EXIST, 0x1f, 0x00, 0x37, 0x00};
    static uint8_t deep[30000];
    struct restriction r;

    (void)state;
    for (unsigned depth = 1; depth <= RESTRICTION_MAX_DEPTH + 1; depth++) {
        struct arena arena = ARENA_INIT;

        memset(deep, RESTRICTION_NOT, depth - 1);
        memcpy(deep + depth - 1, exists, sizeof exists);
        struct wire w = wire_of(slice_of(deep, depth + 4), &arena);
        assert_code(restriction_read(&w, &rop_form, &r),
                    depth > RESTRICTION_MAX_DEPTH ? ERR_LIMIT : ERR_NONE);
        arena_done(&arena);
    }
    /* Each level promises as many members as there are bytes left. */
    struct arena arena = ARENA_INIT;
    for (size_t at = 0; at + 3 <= sizeof deep; at += 3) {
        deep[at] = RESTRICTION_AND;
        deep[at + 1] = (uint8_t)(sizeof deep - at - 3);
        deep[at + 2] = (uint8_t)((sizeof deep - at - 3) >> 8);
    }
    struct wire w = wire_of(slice_of(deep, sizeof deep), &arena);
    assert_true(failed(restriction_read(&w, &rop_form, &r)));
    assert_true(arena.total < sizeof deep);
    arena_done(&arena);
}

/* ---- sort orders and names ---- */

static void sort_orders_and_names_read_and_go_back(void **state)
{
    static const struct slice names[] = {
        {(const uint8_t *)"\0GGGGGGGGGGGGGGGG\x02\x81\0\0", 21},
        {(const uint8_t *)"\1GGGGGGGGGGGGGGGG\x06k\0w\0\0\0", 24},
        {(const uint8_t *)"\xffGGGGGGGGGGGGGGGG", 17},
    };
    struct arena arena = ARENA_INIT;
    struct buf out = buf_make(256);

    (void)state;
    struct wire w = wire_of(BYTES("\x40\0\x06\x0e\x01"), &arena);
    struct sort_order order = sort_order_read(&w);
    assert_int_equal(order.tag, PR_DELIVERY_TIME);
    assert_int_equal(order.order, SORT_DESCENDING);
    sort_order_put(&out, &order);
    assert_true(slice_eq(buf_slice(&out), BYTES("\x40\0\x06\x0e\x01")));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        w = wire_of(names[i], &arena);
        struct property_name name = property_name_read(&w);
        assert_false(w.failed);
        buf_clear(&out);
        property_name_put(&out, &name);
        assert_true(slice_eq(buf_slice(&out), names[i]));
    }
    w = wire_of(BYTES("\1GGGGGGGGGGGGGGGG\x05k\0w\0\0"), &arena);
    (void)property_name_read(&w);
    assert_true(w.failed);
    w = wire_of(BYTES("\2GGGGGGGGGGGGGGGG\0\0\0\0"), &arena);
    (void)property_name_read(&w);
    assert_true(w.failed);
    buf_done(&out);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_reads_as_the_specification_writes_it_and_goes_back),
        cmocka_unit_test(numbers_have_their_sign_and_text_is_utf8),
        cmocka_unit_test(a_value_that_is_cut_short_fails_at_every_length),
        cmocka_unit_test(counts_beyond_the_bytes_and_types_without_a_form_fail),
        cmocka_unit_test(the_address_book_counts_binary_values_in_32_bits),
        cmocka_unit_test(a_row_is_flagged_only_where_a_column_has_no_value),
        cmocka_unit_test(every_kind_of_restriction_reads_and_goes_back),
        cmocka_unit_test(unknown_kinds_and_operators_are_unsupported),
        cmocka_unit_test(nesting_is_bounded_and_so_is_what_it_costs),
        cmocka_unit_test(sort_orders_and_names_read_and_go_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
