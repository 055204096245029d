/* test_mapi_logon.c - log-ons, receive folders, ids ([MS-OXCSTOR]). */
#include "store/access.h"
#include "tests/support/mapi.h"

static int setup(void **state)
{
    *state = mapi_bed_new();
    return 0;
}

static int teardown(void **state)
{
    mapi_bed_free(*state);
    return 0;
}

/* ---- RopLogon ---- */

static uint32_t log_on_to(struct mapi_bed *bed, const char *who, uint8_t flags, uint32_t open_flags,
                          const struct rop_logon_reply **reply)
{
    struct buf dn = buf_make(256);
    struct rop_logon rq = {.flags = flags, .open_flags = open_flags};

    mapi_put_dn(bed->mapi, &dn, slice_str(who));
    rq.essdn = buf_slice(&dn);
    uint32_t ec = mapi_do(bed, ROP_Logon, 0, 0, &rq, (const void **)reply);
    buf_done(&dn);
    return ec;
}

static void test_log_on_to_the_own_mailbox(void **state)
{
    struct mapi_bed *bed = *state;
    const struct rop_logon_reply *reply;
    struct mailbox_info info;
    struct store_folder folder;
    struct store_read *rd;

    assert_int_equal(log_on_to(bed, "alice", 0x01, 0x01000004, &reply), EC_SUCCESS);
    assert_ok(store_read_begin(bed->mailbox, &rd));
    assert_ok(store_mailbox_info(rd, &info));
    assert_ok(store_folder_special(rd, SPECIAL_SHORTCUTS, &folder));
    store_read_end(rd);
    assert_int_equal(reply->flags, 0x01);
    assert_int_equal(reply->response_flags, 0x07); /* always, owner, send-as: 2.2.1.1.3 */
    assert_int_equal(reply->replica_id, 1);
    assert_memory_equal(reply->replica.bytes, info.replica_guid, 16);
    assert_memory_equal(reply->mailbox.bytes, info.mailbox_guid, 16);
    assert_int_equal(reply->store_state, 0);
    assert_int_equal(reply->folder_ids.ids[12], mapi_id(folder.fid));
    for (size_t i = 0; i < ROP_FOLDER_IDS; i++)
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(reply->folder_ids.ids[i], reply->folder_ids.ids[j]);
    assert_in_range(reply->time >> 48, 2020, 9999); /* the year */
    assert_in_range(reply->time >> 40 & 0xFF, 1, 12);
    assert_int_not_equal(bed->handles[0], UINT32_MAX);
}

static void test_log_ons_that_are_refused(void **state)
{
    struct mapi_bed *bed = *state;
    static const struct {
        const char *essdn;
        uint8_t flags;
        uint32_t open_flags, ec;
    } rows[] = {
        /* 3.2.5.1.2: there are no public folders */
        {"", 0x00, 0x01000002, EC_LOGIN_FAILURE},
        /* 3.2.5.1.3: without USE_PER_MDB_REPLID_MAPPING */
        {"/o=Gatepost/ou=X/cn=Recipients/cn=alice", 0x01, 0x4, EC_INVALID_PARAMETER},
        /* 3.2.5.1.1: nobody of that name, or no name */
        {"/o=Gatepost/ou=X/cn=Recipients/cn=nobody", 0x01, 0x01000004, EC_UNKNOWN_USER},
        {"/o=Gatepost/ou=X/cn=Recipients/cn=", 0x01, 0x01000004, EC_UNKNOWN_USER},
        {"alice", 0x01, 0x01000004, EC_UNKNOWN_USER},
        {"", 0x01, 0x01000004, EC_UNKNOWN_USER},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rop_logon rq = {.flags = rows[i].flags,
                               .open_flags = rows[i].open_flags,
                               .essdn = slice_str(rows[i].essdn)};

        bed->handles[0] = 7;
        assert_int_equal(mapi_do(bed, ROP_Logon, 0, 0, &rq, NULL), rows[i].ec);
        assert_int_equal(bed->handles[0], UINT32_MAX);
    }
}

static void test_a_logon_id_in_use_is_released(void **state)
{
    struct mapi_bed *bed = *state;

    mapi_bed_logon(bed);
    uint32_t first = bed->handles[0];
    mapi_bed_logon(bed);
    assert_int_not_equal(bed->handles[0], first);
    bed->handles[1] = first;
    assert_int_equal(mapi_do(bed, ROP_GetStoreState, 1, 0, &(struct rop_get_store_state){}, NULL),
                     EC_INVALID_OBJECT);
}

/* ---- somebody else's mailbox ---- */

static struct err find_bob(struct mapi_directory *self, struct slice name, struct arena *in,
                           struct mapi_person *out)
{
    (void)self;
    (void)in;
    if (slice_eq(name, S("broken")))
        return ERR(ERR_IO, "the accounts cannot be read");
    if (!slice_eq(name, S("bob")))
        return ERR(ERR_NOT_FOUND, "nobody");
    *out = (struct mapi_person){.identity = S("bob"), .mailbox_id = FIXTURE_BOB};
    return OK;
}

static struct mapi_directory directory = {.find = find_bob};

static void permit(struct mapi_bed *bed, const char *user, uint32_t rights)
{
    struct mailbox *mb = fixture_mailbox(bed->fx, FIXTURE_BOB);
    struct store_permission_change change = {
        .how = PERMISSION_ADD,
        .permission = {.user = slice_str(user), .name = slice_str(user), .rights = rights},
    };
    struct store_modify_permissions op;

    store_modify_permissions_init(&op);
    op.fid = fixture_inbox(mb);
    op.changes = &change;
    op.n = 1;
    assert_ok(store_run(mb, &op.op));
    mailbox_close(mb);
}

static void test_log_on_to_another_mailbox(void **state)
{
    struct mapi_bed *bed = *state;
    const struct rop_logon_reply *reply;

    bed->mapi->config.directory = &directory;
    assert_int_equal(log_on_to(bed, "broken", 0x01, 0x01000000, NULL), EC_LOGIN_FAILURE);
    assert_int_equal(log_on_to(bed, "bob", 0x01, 0x01000000, NULL), EC_ACCESS_DENIED);
    permit(bed, "carol", 0x401);
    assert_int_equal(log_on_to(bed, "bob", 0x01, 0x01000000, NULL), EC_ACCESS_DENIED);
    permit(bed, "alice", 0x401);
    assert_int_equal(log_on_to(bed, "bob", 0x01, 0x01000000, &reply), EC_SUCCESS);
    assert_int_equal(reply->response_flags, 0x01);
    /* It is bob's to say where his mail goes. */
    struct rop_set_receive_folder set = {.folder = reply->folder_ids.ids[6], .class = S("X")};
    assert_int_equal(mapi_do(bed, ROP_SetReceiveFolder, 0, 0, &set, NULL), EC_ACCESS_DENIED);
}

/* ---- receive folders ---- */

static void test_receive_folders(void **state)
{
    struct mapi_bed *bed = *state;
    const struct rop_get_receive_folder_reply *reply;
    static const struct {
        const char *class, *explicit;
        int folder; /* of the log-on's */
    } rows[] = {
        {"", "", 4},
        {"IPM", "IPM", 4},
        {"IPM.Note.Odd", "IPM", 4},
        {"ipm.note", "IPM", 4},
        {"REPORT.IPM.X", "REPORT.IPM", 4},
        {"IPC.X", "IPC", 0},
        {"IPMX", "", 4},
    };

    mapi_bed_logon(bed);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rop_get_receive_folder rq = {slice_str(rows[i].class)};

        assert_int_equal(mapi_do(bed, ROP_GetReceiveFolder, 0, 0, &rq, (const void **)&reply),
                         EC_SUCCESS);
        assert_int_equal(reply->folder, bed->folders[rows[i].folder]);
        assert_true(slice_ieq(reply->class, slice_str(rows[i].explicit)));
    }
}

static void test_classes_that_are_none(void **state)
{
    struct mapi_bed *bed = *state;
    static const char *const bad[] = {"IPM.", ".IPM", "IPM..Note", "IPM\tNote", "IPM\x80"};

    mapi_bed_logon(bed);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct rop_get_receive_folder get = {slice_str(bad[i])};
        struct rop_set_receive_folder set = {bed->folders[6], slice_str(bad[i])};

        assert_int_equal(mapi_do(bed, ROP_GetReceiveFolder, 0, 0, &get, NULL),
                         EC_INVALID_PARAMETER);
        assert_int_equal(mapi_do(bed, ROP_SetReceiveFolder, 0, 0, &set, NULL),
                         EC_INVALID_PARAMETER);
    }
}

static void test_set_a_receive_folder(void **state)
{
    struct mapi_bed *bed = *state;
    const struct rop_get_receive_folder_reply *reply;
    struct rop_get_receive_folder get = {S("IPM.Fax.X")};

    mapi_bed_logon(bed);
    const struct {
        struct rop_set_receive_folder rq;
        uint32_t ec;
    } rows[] = {
        {{0, S("")}, EC_ERROR}, /* 3.2.5.3 */
        {{bed->folders[6], S("IPM")}, EC_ACCESS_DENIED},
        {{bed->folders[6], S("report.ipm")}, EC_ACCESS_DENIED},
        {{mapi_id(0xFFFFFF), S("IPM.Fax")}, EC_NOT_FOUND},
        {{bed->folders[6], S("IPM.Fax")}, EC_SUCCESS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(mapi_do(bed, ROP_SetReceiveFolder, 0, 0, &rows[i].rq, NULL), rows[i].ec);
    assert_int_equal(mapi_do(bed, ROP_GetReceiveFolder, 0, 0, &get, (const void **)&reply),
                     EC_SUCCESS);
    assert_int_equal(reply->folder, bed->folders[6]);
    assert_slice(reply->class, "IPM.Fax");
    /* FolderId 0 takes it away. */
    struct rop_set_receive_folder off = {0, S("IPM.Fax")};
    assert_int_equal(mapi_do(bed, ROP_SetReceiveFolder, 0, 0, &off, NULL), EC_SUCCESS);
    assert_int_equal(mapi_do(bed, ROP_GetReceiveFolder, 0, 0, &get, (const void **)&reply),
                     EC_SUCCESS);
    assert_int_equal(reply->folder, bed->inbox);
}

static void test_the_table_of_receive_folders(void **state)
{
    struct mapi_bed *bed = *state;
    static const uint32_t columns[] = {0x67480014, 0x001A001E, 0x30080040};
    const struct rop_get_receive_folders_reply *reply;

    mapi_bed_logon(bed);
    bed->columns = (struct rop_numbers){3, columns};
    assert_int_equal(mapi_do(bed, ROP_GetReceiveFolderTable, 0, 0,
                             &(struct rop_get_receive_folders){}, (const void **)&reply),
                     EC_SUCCESS);
    assert_int_equal(reply->rows.n, 4);
    /* The first is that of the empty class: a standard row, FolderId, "", the time. */
    assert_int_equal(reply->rows.bytes.ptr[0], 0);
    assert_memory_equal(reply->rows.bytes.ptr + 1, &bed->inbox, 8);
    assert_int_equal(reply->rows.bytes.ptr[9], 0);
}

/* ---- ids ---- */

static void test_long_ids(void **state)
{
    struct mapi_bed *bed = *state;
    const struct rop_long_id_from_id_reply *longer;
    const struct rop_id_from_long_id_reply *shorter;

    mapi_bed_logon(bed);
    struct rop_long_id_from_id rq = {mapi_id(0x123456789A)};
    assert_int_equal(mapi_do(bed, ROP_LongTermIdFromId, 0, 0, &rq, (const void **)&longer),
                     EC_SUCCESS);
    assert_int_equal(longer->long_id.counter, 0x123456789A);
    struct rop_id_from_long_id back = {longer->long_id};
    assert_int_equal(mapi_do(bed, ROP_IdFromLongTermId, 0, 0, &back, (const void **)&shorter),
                     EC_SUCCESS);
    assert_int_equal(shorter->id, rq.id);
    /* 3.2.5.8: another replica id, and the one that never is */
    rq.id = 0x1102;
    assert_int_equal(mapi_do(bed, ROP_LongTermIdFromId, 0, 0, &rq, NULL), EC_NOT_FOUND);
    rq.id = 0x1100000000000000;
    assert_int_equal(mapi_do(bed, ROP_LongTermIdFromId, 0, 0, &rq, NULL), EC_NOT_FOUND);
    /* 3.2.5.9: a GUID of zeros, one that is not ours */
    back.long_id.replica = (struct rop_guid){{0}};
    assert_int_equal(mapi_do(bed, ROP_IdFromLongTermId, 0, 0, &back, NULL), EC_INVALID_PARAMETER);
    /* one that is not ours gets a number of its own, and the same again */
    back.long_id.replica.bytes[3] = 1;
    back.long_id.counter = 0x0A0B;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(mapi_do(bed, ROP_IdFromLongTermId, 0, 0, &back, (const void **)&shorter),
                         EC_SUCCESS);
        assert_int_equal(shorter->id, (mapi_id(0x0A0B) & ~0xFFFFull) | 2);
    }
    rq.id = shorter->id;
    assert_int_equal(mapi_do(bed, ROP_LongTermIdFromId, 0, 0, &rq, (const void **)&longer),
                     EC_SUCCESS);
    assert_memory_equal(longer->long_id.replica.bytes, back.long_id.replica.bytes, 16);
    assert_int_equal(longer->long_id.counter, 0x0A0B);
    back.long_id.replica.bytes[3] = 2;
    assert_int_equal(mapi_do(bed, ROP_IdFromLongTermId, 0, 0, &back, (const void **)&shorter),
                     EC_SUCCESS);
    assert_int_equal(shorter->id & 0xFFFF, 3);
}

/* 3.2.5.9: there is an end to them */
static void test_replicas_are_not_without_number(void **state)
{
    struct mapi_bed *bed = *state;
    struct rop_id_from_long_id rq = {.long_id = {.counter = 1}};

    mapi_bed_logon(bed);
    for (uint32_t i = 0; i < STORE_REPLICAS_MAX; i++) {
        memcpy(rq.long_id.replica.bytes, "another replica", 15);
        memcpy(rq.long_id.replica.bytes + 4, &i, sizeof i);
        mapi_ask(bed, ROP_IdFromLongTermId, 0, 0, &rq);
        if (i % 200 == 199)
            mapi_run(bed);
    }
    rq.long_id.replica.bytes[0] = 'A';
    assert_int_equal(mapi_do(bed, ROP_IdFromLongTermId, 0, 0, &rq, NULL), EC_PARAMETER_OVERFLOW);
}

static void test_ids_are_reserved(void **state)
{
    struct mapi_bed *bed = *state;
    const struct rop_get_local_ids_reply *reply;
    struct rop_get_local_ids rq = {1000};

    mapi_bed_logon(bed);
    assert_int_equal(mapi_do(bed, ROP_GetLocalReplicaIds, 0, 0, &rq, (const void **)&reply),
                     EC_SUCCESS);
    uint64_t first = reply->first;
    assert_int_equal(mapi_do(bed, ROP_GetLocalReplicaIds, 0, 0, &rq, (const void **)&reply),
                     EC_SUCCESS);
    assert_true(reply->first >= first + 1000);
    rq.n = 0;
    assert_int_equal(mapi_do(bed, ROP_GetLocalReplicaIds, 0, 0, &rq, NULL), EC_INVALID_PARAMETER);
    rq.n = UINT32_MAX;
    assert_int_equal(mapi_do(bed, ROP_GetLocalReplicaIds, 0, 0, &rq, NULL), EC_INVALID_PARAMETER);
}

static void test_what_only_public_folders_have(void **state)
{
    struct mapi_bed *bed = *state;
    const struct rop_is_ghosted_reply *reply;

    mapi_bed_logon(bed);
    struct rop_get_owning_servers servers = {bed->inbox};
    struct rop_is_ghosted ghosted = {bed->inbox};
    assert_int_equal(mapi_do(bed, ROP_GetStoreState, 0, 0, &(struct rop_get_store_state){}, NULL),
                     EC_NOT_IMPLEMENTED); /* 3.2.5.5 */
    assert_int_equal(mapi_do(bed, ROP_GetOwningServers, 0, 0, &servers, NULL), EC_NOT_SUPPORTED);
    assert_int_equal(mapi_do(bed, ROP_PublicFolderIsGhosted, 0, 0, &ghosted, (const void **)&reply),
                     EC_SUCCESS);
    assert_int_equal(reply->ghosted, 0);
}

static void test_what_is_kept_of_public_folders(void **state)
{
    struct mapi_bed *bed = *state;
    const struct rop_get_user_long_ids_reply *ids;
    const struct rop_read_user_reply *data;

    mapi_bed_logon(bed);
    struct rop_get_user_long_ids list = {{{1}}};
    struct rop_get_user_guid guid = {{{{1}}, 1}};
    struct rop_read_user read = {{{{1}}, 1}, 0, 0, 100};
    struct rop_write_user write = {{{{1}}, 1}, 1, {0, S("x"), {{1}}}};
    assert_int_equal(mapi_do(bed, ROP_GetPerUserLongTermIds, 0, 0, &list, (const void **)&ids),
                     EC_SUCCESS); /* 3.2.5.10: the list may be empty */
    assert_int_equal(ids->ids.n, 0);
    assert_int_equal(mapi_do(bed, ROP_GetPerUserGuid, 0, 0, &guid, NULL), EC_NOT_FOUND);
    assert_int_equal(mapi_do(bed, ROP_ReadPerUserInformation, 0, 0, &read, (const void **)&data),
                     EC_SUCCESS);
    assert_int_equal(data->finished, 1);
    assert_int_equal(data->data.len, 0);
    assert_int_equal(mapi_do(bed, ROP_WritePerUserInformation, 0, 0, &write, NULL),
                     EC_NOT_SUPPORTED);
}

static void test_ids_are_given_up(void **state)
{
    struct mapi_bed *bed = *state;
    static const uint8_t range[4 + 48] = {1};

    mapi_bed_logon(bed);
    struct rop_set_midset_deleted rq = {slice_of(range, sizeof range)};
    assert_int_equal(mapi_do(bed, ROP_SetLocalReplicaMidsetDeleted, 0, 0, &rq, NULL), EC_SUCCESS);
    rq.ranges.len--;
    assert_int_equal(mapi_do(bed, ROP_SetLocalReplicaMidsetDeleted, 0, 0, &rq, NULL),
                     EC_RPC_FORMAT);
}

/* What is behind one that is not there is run. */
static void test_what_is_not_there_is_told(void **state)
{
    struct mapi_bed *bed = *state;

    mapi_bed_logon(bed);
    mapi_ask(bed, ROP_SynchronizationOpenCollector, 0, 1, &(struct rop_ics_collect){1});
    mapi_ask(bed, ROP_FastTransferSourceGetBuffer, 0, 0, &(struct rop_fx_get_buffer){4096});
    mapi_ask(bed, ROP_ModifyRules, 0, 0, &(struct rop_modify_rules){0});
    mapi_ask(bed, ROP_GetStoreState, 0, 0, &(struct rop_get_store_state){});
    mapi_run(bed);
    assert_int_equal(bed->n, 4);
    assert_int_equal(mapi_reply(bed, 0)->error, EC_NOT_IMPLEMENTED);
    assert_int_equal(mapi_reply(bed, 1)->error, EC_NOT_IMPLEMENTED);
    assert_int_equal(mapi_reply(bed, 2)->error, EC_NOT_SUPPORTED); /* not on a log-on */
    assert_int_equal(bed->handles[1], UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_log_on_to_the_own_mailbox, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_ons_that_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_logon_id_in_use_is_released, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log_on_to_another_mailbox, setup, teardown),
        cmocka_unit_test_setup_teardown(test_receive_folders, setup, teardown),
        cmocka_unit_test_setup_teardown(test_classes_that_are_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_set_a_receive_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_table_of_receive_folders, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_ids, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replicas_are_not_without_number, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ids_are_reserved, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_only_public_folders_have, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_kept_of_public_folders, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ids_are_given_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_not_there_is_told, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
