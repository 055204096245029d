#include "tests/support/test.h"

#include "protocols/mapi/rop.h"

#define BYTES(literal) slice_of(literal, sizeof(literal) - 1)

static const struct value_form form = {.codepage = 1252};
static const uint32_t two_columns[] = {PR_FOLDER_ID, PR_DISPLAY_NAME};
static const struct rop_numbers columns = {2, two_columns};

/* ---- the table ---- */

static void every_operation_is_in_the_table_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < rop_n_defs; i++) {
        assert_ptr_equal(rop_find(rop_defs[i].id), &rop_defs[i]);
        for (size_t k = i + 1; k < rop_n_defs; k++) {
            assert_int_not_equal(rop_defs[i].id, rop_defs[k].id);
            assert_string_not_equal(rop_defs[i].name, rop_defs[k].name);
        }
    }
    assert_null(rop_find(0x00));
    assert_null(rop_find(0xFF));
}

/* ---- requests and responses, byte by byte from [MS-OXCROPS] 2.2 ---- */

static const struct {
    const char *what;
    struct slice bytes;
} requests[] = {
#define REQUEST(what, literal)                                                                     \
    {                                                                                              \
        what,                                                                                      \
        {                                                                                          \
            (const uint8_t *)(literal), sizeof(literal) - 1                                        \
        }                                                                                          \
    }
    REQUEST("RopRelease", "\x01\x00\x02"),
    REQUEST("RopOpenFolder", "\x02\x00\x00\x01\x01\x00\x00\x00\x00\x00\x00\x05\x00"),
    REQUEST("RopOpenMessage",
            "\x03\x00\x00\x01\xff\x0f\x01\0\0\0\0\0\0\x05\x03\x01\0\0\0\0\0\0\x07"),
    REQUEST("RopGetContentsTable", "\x05\x00\x01\x02\x40"),
    REQUEST("RopGetPropertiesSpecific", "\x07\x00\x00\x00\x00\x01\x00\x01\x00\x1f\x00\x37\x00"),
    REQUEST("RopSetProperties", "\x0a\x00\x00\x0c\x00\x01\x00\x1f\x00\x37\x00h\0i\0\0\0"),
    REQUEST("RopSaveChangesMessage", "\x0c\x00\x01\x02\x0c"),
    REQUEST("RopModifyRecipients", "\x0e\x00\x00\x01\x00\x03\x00\xfe\x0f\x02\x00"
                                   "\x00\0\0\0\x01\x15\x00\x1b\x06"
                                   "a\0\0\0"
                                   "b\0\0\0"
                                   "c\0\0\0"
                                   "\x01\x00\x00\x06\0\0\0"
                                   "\x05\0\0\0\x02\x00\x00"),
    REQUEST("RopModifyRules", "\x41\0\0\x01\x01\0\x01\x01\0\x03\0\x76\x66\x05\0\0\0"),
    REQUEST("RopUpdateDeferredActionMessages", "\x57\0\0\x01\0a\x02\0bc"),
    REQUEST("RopGetPerUserLongTermIds", "\x60\0\0ABCDEFGHIJKLMNOP"),
    REQUEST("RopGetPerUserGuid", "\x61\0\0ABCDEFGHIJKLMNOP\0\0\0\0\0\x09\0\0"),
    REQUEST("RopReadPerUserInformation",
            "\x63\0\0ABCDEFGHIJKLMNOP\0\0\0\0\0\x09\0\0\0\x01\0\0\0\0\x10"),
    REQUEST("RopWritePerUserInformation", "\x64\0\0ABCDEFGHIJKLMNOP\0\0\0\0\0\x09\0\0\x01"
                                          "\0\0\0\0\x01\0xABCDEFGHIJKLMNOP"),
    REQUEST("RopWritePerUserInformation",
            "\x64\0\0ABCDEFGHIJKLMNOP\0\0\0\0\0\x09\0\0\x01\x01\0\0\0\x01\0x"),
    REQUEST("RopFastTransferSourceCopyMessages", "\x4b\0\0\x01\x01\0\x01\0\0\0\0\0\0\x07\x01\x01"),
    REQUEST("RopFastTransferSourceCopyFolder", "\x4c\0\0\x01\x01\x01"),
    REQUEST("RopFastTransferSourceCopyTo", "\x4d\0\0\x01\0\x04\0\0\0\x01\x01\0\x1f\0\x37\0"),
    REQUEST("RopFastTransferSourceCopyProperties", "\x69\0\0\x01\0\x01\x01\x01\0\x1f\0\x37\0"),
    REQUEST("RopFastTransferSourceGetBuffer", "\x4e\0\0\0\x10"),
    REQUEST("RopFastTransferSourceGetBuffer", "\x4e\0\0\xbe\xba\xbe\xba"),
    REQUEST("RopFastTransferDestinationConfigure", "\x53\0\0\x01\x01\0"),
    REQUEST("RopFastTransferDestinationPutBuffer", "\x54\0\0\x02\0xy"),
    REQUEST("RopFastTransferDestinationPutBufferExtended", "\x9d\0\0\x02\0xy"),
    REQUEST("RopTellVersion", "\x86\0\0\x08\0\x01\0\x02\0"),
    REQUEST("RopSynchronizationConfigure",
            "\x70\0\0\x01\x01\x01\x20\0\0\0\x01\0\0\0\x01\0\x1f\0\x37\0"),
    REQUEST("RopSynchronizationImportMessageChange",
            "\x72\0\0\x01\x10\x01\0\x02\x01\xe0\x65\x01\0k"),
    REQUEST("RopSynchronizationImportHierarchyChange", "\x73\0\0\x01\0\x02\x01\xe0\x65\x01\0k\0\0"),
    REQUEST("RopSynchronizationImportDeletes", "\x74\0\0\x02\x01\0\x02\x11\0\0\x01\0\0\0\x01\0k"),
    REQUEST("RopSynchronizationUploadStateStreamBegin", "\x75\0\0\x02\x01\x96\x67\x04\0\0\0"),
    REQUEST("RopSynchronizationUploadStateStreamContinue", "\x76\0\0\x02\0\0\0xy"),
    REQUEST("RopSynchronizationUploadStateStreamEnd", "\x77\0\0"),
    REQUEST("RopSynchronizationImportMessageMove", "\x78\0\0\x01\0\0\0a\x01\0\0\0b\x01\0\0\0c"
                                                   "\x01\0\0\0d\0\0\0\0"),
    REQUEST("RopSynchronizationOpenCollector", "\x7e\0\0\x01\x01"),
    REQUEST("RopSynchronizationImportReadStateChanges", "\x80\0\0\x04\0\x01\0k\x01"),
    REQUEST("RopSynchronizationGetTransferState", "\x82\0\0\x01"),
    REQUEST("RopSetLocalReplicaMidsetDeleted", "\x93\0\0\x04\0\0\0\0\0"),
    REQUEST("RopSetColumns", "\x12\x00\x00\x00\x02\x00\x14\x00\x48\x67\x1f\x00\x01\x30"),
    REQUEST("RopSortTable", "\x13\x00\x00\x00\x01\x00\x00\x00\x00\x00\x40\x00\x06\x0e\x01"),
    REQUEST("RopRestrict", "\x14\x00\x00\x00\x05\x00\x08\x1f\x00\x37\x00"),
    REQUEST("RopRestrict", "\x14\x00\x00\x00\x00\x00"),
    REQUEST("RopQueryRows", "\x15\x00\x00\x00\x01\x32\x00"),
    REQUEST("RopSeekRow", "\x18\x00\x00\x01\xff\xff\xff\xff\x01"),
    REQUEST("RopCreateFolder", "\x1c\x00\x00\x01\x01\x01\x00\x00n\0\0\0c\0\0\0"),
    REQUEST("RopCreateFolder", "\x1c\x00\x00\x01\x01\x00\x00\x00n\0c\0"),
    REQUEST("RopDeleteMessages", "\x1e\x00\x00\x00\x01\x01\x00\x01\0\0\0\0\0\0\x09"),
    REQUEST("RopRegisterNotification", "\x29\x00\x00\x01\x7c\x00\x01"),
    REQUEST("RopRegisterNotification",
            "\x29\x00\x00\x01\x02\x04\x00\x00\x01\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\0"),
    REQUEST("RopReadStream", "\x2c\x00\x00\x00\x10"),
    REQUEST("RopReadStream", "\x2c\x00\x00\xbe\xba\x00\x00\x01\x00"),
    REQUEST("RopMoveCopyMessages", "\x33\x00\x00\x01\x01\x00\x01\0\0\0\0\0\0\x09\x00\x01"),
    REQUEST("RopMoveFolder", "\x35\x00\x00\x01\x00\x01\x01\0\0\0\0\0\0\x09n\0\0\0"),
    REQUEST("RopModifyPermissions",
            "\x40\x00\x00\x00\x01\x00\x01\x01\x00\x03\x00\x73\x66\xfb\x05\0\0"),
    REQUEST("RopIdFromLongTermId", "\x44\x00\x00"
                                   "0123456789abcdef"
                                   "\0\0\0\0\x01\x02\0\0"),
    REQUEST("RopGetPropertyIdsFromNames", "\x56\x00\x00\x02\x01\x00\x00"
                                          "0123456789abcdef"
                                          "\x02\x81\0\0"),
    REQUEST("RopQueryNamedProperties", "\x5f\x00\x00\x00\x00"),
    REQUEST("RopQueryNamedProperties", "\x5f\x00\x00\x00\x01"
                                       "0123456789abcdef"),
    REQUEST("RopLogon", "\xfe\x00\x00\x01\x0c\x04\x00\x01\x00\x00\x00\x00\x05\x00/o=x\x00"),
#undef REQUEST
};

static void requests_read_as_the_specification_writes_them_and_go_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        struct arena arena = ARENA_INIT;
        struct wire w = wire_of(requests[i].bytes, &arena);
        struct buf out = buf_make(1024);
        struct rop_request rq;

        assert_ok(rop_request_read(&w, &form, &rq));
        assert_string_equal(rq.def->name, requests[i].what);
        assert_int_equal(w.rest.len, 0);
        rop_request_put(&out, &form, &rq);
        assert_false(out.failed);
        assert_true(slice_eq(buf_slice(&out), requests[i].bytes));
        buf_done(&out);
        arena_done(&arena);
    }
}

static void a_request_that_is_cut_short_fails_at_every_length(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
        for (size_t n = 0; n < requests[i].bytes.len; n++) {
            struct arena arena = ARENA_INIT;
            struct wire w = wire_of(slice_head(requests[i].bytes, n), &arena);
            struct rop_request rq;

            assert_code(rop_request_read(&w, &form, &rq), ERR_SYNTAX);
            arena_done(&arena);
        }
}

static void a_size_that_does_not_account_for_its_values_is_a_fault(void **state)
{
    struct arena arena = ARENA_INIT;
    struct wire w =
        wire_of(BYTES("\x0a\x00\x00\x0d\x00\x01\x00\x1f\x00\x37\x00h\0i\0\0\0x"), &arena);
    struct rop_request rq;

    (void)state;
    assert_code(rop_request_read(&w, &form, &rq), ERR_SYNTAX);
    arena_done(&arena);
}

static void the_fields_of_a_request_are_where_the_handler_looks(void **state)
{
    struct arena arena = ARENA_INIT;
    struct rop_request rq;

    (void)state;
    struct wire w = wire_of(BYTES("\x02\x07\x03\x04\x01\x00\x00\x00\x00\x00\x00\x05\x04"), &arena);
    assert_ok(rop_request_read(&w, &form, &rq));
    const struct rop_open_folder *open = rq.fields;
    assert_int_equal(rq.def->id, ROP_OpenFolder);
    assert_int_equal(rq.logon, 7);
    assert_int_equal(rq.in, 3);
    assert_int_equal(rq.out, 4);
    assert_int_equal(rq.answer, 4);
    assert_true(open->folder == 0x0500000000000001);
    assert_int_equal(open->mode, 4);

    w = wire_of(BYTES("\x0c\x00\x01\x02\x0c"), &arena);
    assert_ok(rop_request_read(&w, &form, &rq));
    assert_int_equal(rq.answer, 1);
    assert_int_equal(rq.in, 2);

    w = wire_of(BYTES("\xfe\x05\x06\x01\x0c\x04\x00\x01\x00\x00\x00\x00\x05\x00/o=x\x00"), &arena);
    assert_ok(rop_request_read(&w, &form, &rq));
    const struct rop_logon *logon = rq.fields;
    assert_int_equal(rq.out, 6);
    assert_int_equal(rq.answer, 6);
    assert_int_equal(logon->open_flags, 0x0100040C);
    assert_slice(logon->essdn, "/o=x");

    w = wire_of(BYTES("\x2c\x00\x00\xbe\xba\x00\x00\x01\x00"), &arena);
    assert_ok(rop_request_read(&w, &form, &rq));
    assert_int_equal(((const struct rop_read_stream *)rq.fields)->n, 0x10000);
    arena_done(&arena);
}

static void a_broken_restriction_fails_its_own_operation_alone(void **state)
{
    struct arena arena = ARENA_INIT;
    struct wire w = wire_of(BYTES("\x14\x00\x00\x00\x02\x00\x0c\x00\x01\x00\x02"), &arena);
    struct rop_request rq;

    (void)state;
    assert_ok(rop_request_read(&w, &form, &rq));
    const struct rop_restrict_table *rt = rq.fields;
    assert_null(rt->restriction.root);
    assert_code(rt->restriction.error, ERR_UNSUPPORTED);
    assert_ok(rop_request_read(&w, &form, &rq));
    assert_int_equal(rq.def->id, ROP_Release);
    arena_done(&arena);
}

static const struct {
    const char *what;
    struct slice bytes;
} responses[] = {
#define RESPONSE(what, literal)                                                                    \
    {                                                                                              \
        what,                                                                                      \
        {                                                                                          \
            (const uint8_t *)(literal), sizeof(literal) - 1                                        \
        }                                                                                          \
    }
    RESPONSE("RopOpenFolder", "\x02\x01\0\0\0\0\x00\x00"),
    RESPONSE("RopOpenFolder", "\x02\x01\x0f\x01\x04\x80"),
    RESPONSE("RopOpenMessage", "\x03\x01\0\0\0\0\x00\x01\x04h\0\0\0\x01\x00\x00\x00\x01"
                               "\x01\x00\x00\x00\x00\x07\x00\x03\x00\x00\x00\x00\x00\x00"),
    RESPONSE("RopGetHierarchyTable", "\x04\x01\0\0\0\0\x05\0\0\0"),
    RESPONSE("RopCreateMessage", "\x06\x01\0\0\0\0\x00"),
    RESPONSE("RopCreateMessage", "\x06\x01\0\0\0\0\x01\x01\0\0\0\0\0\0\x09"),
    RESPONSE("RopGetPropertiesSpecific", "\x07\x00\0\0\0\0\x00\x01\0\0\0\0\0\0\x05n\0\0\0"),
    RESPONSE("RopSetProperties",
             "\x0a\x00\0\0\0\0\x01\x00\x00\x00\x03\x00\x07\x0e\x1a\x01\x04\x80"),
    RESPONSE("RopQueryRows", "\x15\x00\0\0\0\0\x02\x02\x00"
                             "\x00\x01\0\0\0\0\0\0\x05n\0\0\0"
                             "\x01\x00\x01\0\0\0\0\0\0\x06\x0a\x0f\x01\x04\x80"),
    RESPONSE("RopCreateFolder", "\x1c\x01\0\0\0\0\x01\0\0\0\0\0\0\x05\x00"),
    RESPONSE("RopCreateFolder", "\x1c\x01\0\0\0\0\x01\0\0\0\0\0\0\x05\x01\x00\x00"),
    RESPONSE("RopDeleteFolder", "\x1d\x00\x05\x00\x07\x80\x01"),
    RESPONSE("RopReadStream", "\x2c\x00\x0f\x01\x04\x80\x00\x00"),
    RESPONSE("RopReadStream", "\x2c\x00\0\0\0\0\x02\x00hi"),
    RESPONSE("RopMoveCopyMessages", "\x33\x00\x03\x05\0\0\x01\0\0\0\x01"),
    RESPONSE("RopCopyTo", "\x39\x00\x03\x05\0\0\x01\0\0\0"),
    RESPONSE("RopGetAddressTypes", "\x49\x00\0\0\0\0\x02\x00\x08\x00"
                                   "EX\0SMTP\0"),
    RESPONSE("RopFindRow", "\x4f\x00\0\0\0\0\x00\x00"),
    RESPONSE("RopFindRow", "\x4f\x00\0\0\0\0\x00\x01\x00\x01\0\0\0\0\0\0\x05n\0\0\0"),
    RESPONSE("RopGetPropertyIdsFromNames", "\x56\x00\0\0\0\0\x01\x00\x01\x80"),
    RESPONSE("RopGetLocalReplicaIds", "\x7f\x00\0\0\0\0"
                                      "0123456789abcdef"
                                      "\0\0\0\0\x01\x02"),
#undef RESPONSE
};

static void responses_read_as_the_specification_writes_them_and_go_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof responses / sizeof *responses; i++) {
        struct arena arena = ARENA_INIT;
        struct wire w = wire_of(responses[i].bytes, &arena);
        struct buf out = buf_make(1024);
        struct rop_response response;

        assert_ok(rop_response_read(&w, &form, &columns, &response));
        assert_string_equal(response.def->name, responses[i].what);
        assert_int_equal(w.rest.len, 0);
        rop_response_put(&out, &form, &response);
        assert_false(out.failed);
        assert_true(slice_eq(buf_slice(&out), responses[i].bytes));
        for (size_t n = 0; n < responses[i].bytes.len; n++) {
            w = wire_of(slice_head(responses[i].bytes, n), &arena);
            assert_code(rop_response_read(&w, &form, &columns, &response), ERR_SYNTAX);
        }
        buf_done(&out);
        arena_done(&arena);
    }
}

/* [MS-OXCROPS] 2.2.6.9.2: the RopId of the response is that of RopSetMessageStatus. */
static void the_status_is_answered_under_the_name_of_the_other_operation(void **state)
{
    struct rop_get_message_status_reply reply = {.flags = 8};
    struct rop_response response = {.def = rop_find(ROP_GetMessageStatus), .fields = &reply};
    struct buf out = buf_make(64);

    (void)state;
    rop_response_put(&out, &form, &response);
    assert_true(slice_eq(buf_slice(&out), BYTES("\x20\x00\0\0\0\0\x08\0\0\0")));
    buf_done(&out);
}

static void a_failure_has_its_code_and_the_fields_that_are_always_there(void **state)
{
    struct buf out = buf_make(64);

    (void)state;
    for (size_t i = 0; i < rop_n_defs; i++) {
        const struct rop_def *def = &rop_defs[i];
        struct rop_response response = {.def = def, .handle = 3, .error = 0x80004005};
        bool always = def->form == FORM_ALWAYS || def->form == FORM_DEST;

        buf_clear(&out);
        rop_response_put(&out, &form, &response);
        if (def->form == FORM_NONE)
            assert_int_equal(out.len, 0);
        else if (always)
            assert_true(out.len > 6);
        else
            assert_int_equal(out.len, 6);
    }
    buf_done(&out);
}

/* ---- recipients ---- */

static void recipients_of_every_type_read_and_go_back(void **state)
{
    static const struct slice rows[] = {
        {(const uint8_t *)"\x01\x00\x00\x00/cn=a\0\x00\x00\x00", 13},
        {(const uint8_t *)"\x06\x00\x02\x00ID\x01\x00K\x00\x00\x00", 12},
        {(const uint8_t *)"\x08\x80SMTP\0a@b\0\x00\x00\x00", 14},
        {(const uint8_t *)"\x1b\x04"
                          "a\0d\0s\0\x01\x00\x00\x05\0\0\0\0\0\0\x01",
         19},
    };
    static const uint32_t one[] = {PR_FOLDER_ID};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena arena = ARENA_INIT;
        struct wire w = wire_of(rows[i], &arena);
        struct buf out = buf_make(256);
        struct recipient r = {0};

        assert_true(recipient_row_read(&w, &form, one, 1, &r));
        assert_int_equal(w.rest.len, 0);
        recipient_row_put(&out, &form, one, &r);
        assert_true(slice_eq(buf_slice(&out), rows[i]));
        buf_done(&out);
        arena_done(&arena);
    }
}

static void more_values_than_columns_are_a_fault(void **state)
{
    struct arena arena = ARENA_INIT;
    struct wire w = wire_of(BYTES("\x00\x00\x02\x00\x00\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), &arena);
    static const uint32_t one[] = {PR_FOLDER_ID};
    struct recipient r = {0};

    (void)state;
    assert_false(recipient_row_read(&w, &form, one, 1, &r));
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operation_is_in_the_table_once),
        cmocka_unit_test(requests_read_as_the_specification_writes_them_and_go_back),
        cmocka_unit_test(a_request_that_is_cut_short_fails_at_every_length),
        cmocka_unit_test(a_size_that_does_not_account_for_its_values_is_a_fault),
        cmocka_unit_test(the_fields_of_a_request_are_where_the_handler_looks),
        cmocka_unit_test(a_broken_restriction_fails_its_own_operation_alone),
        cmocka_unit_test(responses_read_as_the_specification_writes_them_and_go_back),
        cmocka_unit_test(the_status_is_answered_under_the_name_of_the_other_operation),
        cmocka_unit_test(a_failure_has_its_code_and_the_fields_that_are_always_there),
        cmocka_unit_test(recipients_of_every_type_read_and_go_back),
        cmocka_unit_test(more_values_than_columns_are_a_fault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
