/*
 * test_mapi_kinds.c - each operation on an object of every other kind: the code that its
 * specification names for that, byte by byte.
 */
#include "tests/support/mapi.h"

enum { LOGON, FOLDER, MESSAGE, ATTACHMENT, TABLE, STREAM, OPENED, N_KINDS = STREAM + 1 };

enum {
    ON_LOGON = 1 << LOGON,
    ON_FOLDER = 1 << FOLDER,
    ON_MESSAGE = 1 << MESSAGE,
    ON_ATTACHMENT = 1 << ATTACHMENT,
    ON_STREAM = 1 << STREAM,
    ON_ANY_WITH_PROPERTIES = ON_LOGON | ON_FOLDER | ON_MESSAGE | ON_ATTACHMENT,
};

#define NULL_OBJECT 0x000004B9u
#define NOT_SUPPORTED 0x80040102u

static const struct row {
    uint8_t rop;
    unsigned on; /* the kinds that it is for */
    uint32_t wrong;
    const char *section;
} rows[] = {
    {ROP_OpenMessage, ON_LOGON | ON_FOLDER, NULL_OBJECT, "[MS-OXCMSG] 3.2.5.1"},
    {ROP_RemoveAllRecipients, ON_MESSAGE, NULL_OBJECT, "[MS-OXCMSG] 3.2.5.4"},
    {ROP_ModifyRecipients, ON_MESSAGE, NULL_OBJECT, "[MS-OXCMSG] 3.2.5.5"},
    {ROP_ReadRecipients, ON_MESSAGE, NULL_OBJECT, "[MS-OXCMSG] 3.2.5.6"},
    {ROP_ReloadCachedInformation, ON_MESSAGE, NULL_OBJECT, "[MS-OXCMSG] 3.2.5.7"},
    {ROP_SetMessageStatus, ON_FOLDER, NULL_OBJECT, "[MS-OXCMSG] 3.2.5.8"},
    {ROP_GetMessageStatus, ON_FOLDER, NULL_OBJECT, "[MS-OXCMSG] 3.2.5.9"},
    {ROP_SetReadFlags, ON_FOLDER, NULL_OBJECT, "[MS-OXCMSG] 3.2.5.10"},
    {ROP_OpenAttachment, ON_MESSAGE, NULL_OBJECT, "[MS-OXCMSG] 3.2.5.12"},
    {ROP_CreateAttachment, ON_MESSAGE, NULL_OBJECT, "[MS-OXCMSG] 3.2.5.13"},
    {ROP_SaveChangesAttachment, ON_ATTACHMENT, NOT_SUPPORTED, "[MS-OXCMSG] 3.2.5.14"},
    {ROP_DeleteAttachment, ON_MESSAGE, NULL_OBJECT, "[MS-OXCMSG] 3.2.5.15"},
    {ROP_OpenEmbeddedMessage, ON_ATTACHMENT, NULL_OBJECT, "[MS-OXCMSG] 3.2.5.16"},
    {ROP_GetAttachmentTable, ON_MESSAGE, NULL_OBJECT, "[MS-OXCMSG] 3.2.5.17"},
    {ROP_OpenStream, ON_FOLDER | ON_MESSAGE | ON_ATTACHMENT, NOT_SUPPORTED,
     "[MS-OXCPRPT] 3.2.5.11"},
    {ROP_GetPropertiesSpecific, ON_ANY_WITH_PROPERTIES, NOT_SUPPORTED, "[MS-OXCPRPT] 2.2.2"},
    {ROP_GetPropertiesAll, ON_ANY_WITH_PROPERTIES, NOT_SUPPORTED, "[MS-OXCPRPT] 2.2.3"},
    {ROP_GetPropertiesList, ON_ANY_WITH_PROPERTIES, NOT_SUPPORTED, "[MS-OXCPRPT] 2.2.4"},
    {ROP_SetProperties, ON_ANY_WITH_PROPERTIES, NOT_SUPPORTED, "[MS-OXCPRPT] 2.2.5"},
    {ROP_DeleteProperties, ON_ANY_WITH_PROPERTIES, NOT_SUPPORTED, "[MS-OXCPRPT] 2.2.7"},
    {ROP_QueryNamedProperties, ON_ANY_WITH_PROPERTIES, NOT_SUPPORTED, "[MS-OXCPRPT] 2.2.9"},
    {ROP_GetPropertyIdsFromNames, ON_ANY_WITH_PROPERTIES, NOT_SUPPORTED, "[MS-OXCPRPT] 2.2.12"},
    {ROP_GetNamesFromPropertyIds, ON_ANY_WITH_PROPERTIES, NOT_SUPPORTED, "[MS-OXCPRPT] 2.2.13"},
    {ROP_ReadStream, ON_STREAM, NOT_SUPPORTED, "[MS-OXCPRPT] 2.2.15"},
    {ROP_WriteStream, ON_STREAM, NOT_SUPPORTED, "[MS-OXCPRPT] 2.2.16"},
    {ROP_CommitStream, ON_STREAM, NOT_SUPPORTED, "[MS-OXCPRPT] 2.2.18"},
    {ROP_GetStreamSize, ON_STREAM, NOT_SUPPORTED, "[MS-OXCPRPT] 2.2.19"},
    {ROP_SetStreamSize, ON_STREAM, NOT_SUPPORTED, "[MS-OXCPRPT] 2.2.20"},
    {ROP_SeekStream, ON_STREAM, NOT_SUPPORTED, "[MS-OXCPRPT] 2.2.21"},
    {ROP_CloneStream, ON_STREAM, NOT_SUPPORTED, "[MS-OXCPRPT] 2.2.27"},
    {ROP_CreateFolder, ON_FOLDER, NOT_SUPPORTED, "[MS-OXCFOLD] 3.2.5.2"},
    {ROP_DeleteFolder, ON_FOLDER, NOT_SUPPORTED, "[MS-OXCFOLD] 3.2.5.3"},
    {ROP_EmptyFolder, ON_FOLDER, NOT_SUPPORTED, "[MS-OXCFOLD] 3.2.5.9"},
    {ROP_DeleteMessages, ON_FOLDER, NOT_SUPPORTED, "[MS-OXCFOLD] 3.2.5.11"},
    {ROP_HardDeleteMessages, ON_FOLDER, NOT_SUPPORTED, "[MS-OXCFOLD] 3.2.5.12"},
};

static void open_all(struct mapi_bed *bed)
{
    mapi_bed_logon(bed);
    mapi_ask(bed, ROP_OpenFolder, LOGON, FOLDER, &(struct rop_open_folder){.folder = bed->inbox});
    mapi_ask(bed, ROP_CreateMessage, FOLDER, MESSAGE,
             &(struct rop_create_message){.codepage = 0x0FFF, .folder = bed->inbox});
    mapi_ask(bed, ROP_CreateAttachment, MESSAGE, ATTACHMENT, NULL);
    mapi_ask(bed, ROP_GetContentsTable, FOLDER, TABLE, &(struct rop_get_contents_table){0});
    mapi_ask(bed, ROP_OpenStream, MESSAGE, STREAM,
             &(struct rop_open_stream){.tag = 0x66010102, .mode = 2});
    mapi_run(bed);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(mapi_reply(bed, i)->error, EC_SUCCESS);
}

/* RopId, HandleIndex, ReturnValue of the first response. */
static uint32_t first_code(const struct mapi_bed *bed)
{
    struct wire w = wire_of(bed->payload, NULL);

    wire_u16(&w);
    wire_u16(&w);
    return wire_u32(&w);
}

static void test_objects_of_the_wrong_kind(void **state)
{
    struct mapi_bed *bed = *state;
    static const uint8_t no_fields[512];

    open_all(bed);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (unsigned kind = 0; kind < N_KINDS; kind++) {
            if (rows[i].on & 1u << kind)
                continue;
            mapi_ask(bed, rows[i].rop, (uint8_t)kind, OPENED, no_fields);
            mapi_send_all(bed);
            assert_int_equal(bed->status, 0);
            assert_int_equal(bed->ec, 0);
            if (first_code(bed) != rows[i].wrong)
                fail_msg("%s on kind %u: 0x%08X (%s)", rop_find(rows[i].rop)->name, kind,
                         first_code(bed), rows[i].section);
        }
    }
}

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_objects_of_the_wrong_kind, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
