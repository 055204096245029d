/*
 * rops.h - every remote operation and its fields, as data ([MS-OXCROPS] 2.2).
 *
 * From these lists come the structures that handlers see, and the reader and the writer of both
 * directions. A row of ROPS is
 *
 *   X(RopId, Name, name, head, form, section)
 *
 * where `head` is the order of the indexes behind RopId and LogonId (enum rop_head), and `form`
 * tells whether the fields of the response are there on failure too (enum rop_form). REQUEST_Name
 * and RESPONSE_Name list the fields: F(s, kind, Name, member), where `kind` is one of ROP_KINDS in
 * rop.h and `s` the structure; IF and UNLESS have one more argument in front, the member (a u8)
 * that says whether the field is there.
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_ROPS_H
#define GATEPOST_PROTOCOLS_MAPI_ROPS_H

/* clang-format off */
#define ROPS(X)                                                                                    \
    X(0x01, Release, release, HEAD_IN, FORM_NONE, "2.2.15.3")                                      \
    X(0x02, OpenFolder, open_folder, HEAD_IN_OUT, FORM_SUCCESS, "2.2.4.1")                         \
    X(0x03, OpenMessage, open_message, HEAD_IN_OUT, FORM_SUCCESS, "2.2.6.1")                       \
    X(0x04, GetHierarchyTable, get_hierarchy_table, HEAD_IN_OUT, FORM_SUCCESS, "2.2.4.13")         \
    X(0x05, GetContentsTable, get_contents_table, HEAD_IN_OUT, FORM_SUCCESS, "2.2.4.14")           \
    X(0x06, CreateMessage, create_message, HEAD_IN_OUT, FORM_SUCCESS, "2.2.6.2")                   \
    X(0x07, GetPropertiesSpecific, get_properties, HEAD_IN, FORM_SUCCESS, "2.2.8.3")               \
    X(0x08, GetPropertiesAll, get_properties_all, HEAD_IN, FORM_SUCCESS, "2.2.8.4")                \
    X(0x09, GetPropertiesList, get_properties_list, HEAD_IN, FORM_SUCCESS, "2.2.8.5")              \
    X(0x0A, SetProperties, set_properties, HEAD_IN, FORM_SUCCESS, "2.2.8.6")                       \
    X(0x0B, DeleteProperties, delete_properties, HEAD_IN, FORM_SUCCESS, "2.2.8.8")                 \
    X(0x0C, SaveChangesMessage, save_message, HEAD_RESPONSE_IN, FORM_SUCCESS, "2.2.6.3")           \
    X(0x0D, RemoveAllRecipients, remove_recipients, HEAD_IN, FORM_SUCCESS, "2.2.6.4")              \
    X(0x0E, ModifyRecipients, modify_recipients, HEAD_IN, FORM_SUCCESS, "2.2.6.5")                 \
    X(0x0F, ReadRecipients, read_recipients, HEAD_IN, FORM_SUCCESS, "2.2.6.6")                     \
    X(0x10, ReloadCachedInformation, reload_message, HEAD_IN, FORM_SUCCESS, "2.2.6.7")             \
    X(0x11, SetMessageReadFlag, set_message_read, HEAD_RESPONSE_IN, FORM_SUCCESS, "2.2.6.11")      \
    X(0x12, SetColumns, set_columns, HEAD_IN, FORM_SUCCESS, "2.2.5.1")                             \
    X(0x13, SortTable, sort_table, HEAD_IN, FORM_SUCCESS, "2.2.5.2")                               \
    X(0x14, Restrict, restrict_table, HEAD_IN, FORM_SUCCESS, "2.2.5.3")                            \
    X(0x15, QueryRows, query_rows, HEAD_IN, FORM_SUCCESS, "2.2.5.4")                               \
    X(0x16, GetStatus, get_status, HEAD_IN, FORM_SUCCESS, "2.2.5.6")                               \
    X(0x17, QueryPosition, query_position, HEAD_IN, FORM_SUCCESS, "2.2.5.7")                       \
    X(0x18, SeekRow, seek_row, HEAD_IN, FORM_SUCCESS, "2.2.5.8")                                   \
    X(0x19, SeekRowBookmark, seek_bookmark, HEAD_IN, FORM_SUCCESS, "2.2.5.9")                      \
    X(0x1A, SeekRowFractional, seek_fraction, HEAD_IN, FORM_SUCCESS, "2.2.5.10")                   \
    X(0x1B, CreateBookmark, create_bookmark, HEAD_IN, FORM_SUCCESS, "2.2.5.11")                    \
    X(0x1C, CreateFolder, create_folder, HEAD_IN_OUT, FORM_SUCCESS, "2.2.4.2")                     \
    X(0x1D, DeleteFolder, delete_folder, HEAD_IN, FORM_ALWAYS, "2.2.4.3")                          \
    X(0x1E, DeleteMessages, delete_messages, HEAD_IN, FORM_ALWAYS, "2.2.4.11")                     \
    X(0x1F, GetMessageStatus, get_message_status, HEAD_IN, FORM_SUCCESS, "2.2.6.9")                \
    X(0x20, SetMessageStatus, set_message_status, HEAD_IN, FORM_SUCCESS, "2.2.6.8")                \
    X(0x21, GetAttachmentTable, get_attachment_table, HEAD_IN_OUT, FORM_SUCCESS, "2.2.6.17")       \
    X(0x22, OpenAttachment, open_attachment, HEAD_IN_OUT, FORM_SUCCESS, "2.2.6.12")                \
    X(0x23, CreateAttachment, create_attachment, HEAD_IN_OUT, FORM_SUCCESS, "2.2.6.13")            \
    X(0x24, DeleteAttachment, delete_attachment, HEAD_IN, FORM_SUCCESS, "2.2.6.14")                \
    X(0x25, SaveChangesAttachment, save_attachment, HEAD_RESPONSE_IN, FORM_SUCCESS, "2.2.6.15")    \
    X(0x26, SetReceiveFolder, set_receive_folder, HEAD_IN, FORM_SUCCESS, "2.2.3.3")                \
    X(0x27, GetReceiveFolder, get_receive_folder, HEAD_IN, FORM_SUCCESS, "2.2.3.2")                \
    X(0x29, RegisterNotification, register_notification, HEAD_IN_OUT, FORM_SUCCESS, "2.2.14.1")    \
    X(0x2B, OpenStream, open_stream, HEAD_IN_OUT, FORM_SUCCESS, "2.2.9.1")                         \
    X(0x2C, ReadStream, read_stream, HEAD_IN, FORM_ALWAYS, "2.2.9.2")                              \
    X(0x2D, WriteStream, write_stream, HEAD_IN, FORM_ALWAYS, "2.2.9.3")                            \
    X(0x2E, SeekStream, seek_stream, HEAD_IN, FORM_SUCCESS, "2.2.9.8")                             \
    X(0x2F, SetStreamSize, set_stream_size, HEAD_IN, FORM_SUCCESS, "2.2.9.7")                      \
    X(0x30, SetSearchCriteria, set_search, HEAD_IN, FORM_SUCCESS, "2.2.4.4")                       \
    X(0x31, GetSearchCriteria, get_search, HEAD_IN, FORM_SUCCESS, "2.2.4.5")                       \
    X(0x32, SubmitMessage, submit_message, HEAD_IN, FORM_SUCCESS, "2.2.7.1")                       \
    X(0x33, MoveCopyMessages, move_messages, HEAD_SOURCE_DEST, FORM_DEST, "2.2.4.6")               \
    X(0x34, AbortSubmit, abort_submit, HEAD_IN, FORM_SUCCESS, "2.2.7.2")                           \
    X(0x35, MoveFolder, move_folder, HEAD_SOURCE_DEST, FORM_DEST, "2.2.4.7")                       \
    X(0x36, CopyFolder, copy_folder, HEAD_SOURCE_DEST, FORM_DEST, "2.2.4.8")                       \
    X(0x37, QueryColumnsAll, query_columns, HEAD_IN, FORM_SUCCESS, "2.2.5.12")                     \
    X(0x38, Abort, abort_table, HEAD_IN, FORM_SUCCESS, "2.2.5.5")                                  \
    X(0x39, CopyTo, copy_to, HEAD_SOURCE_DEST, FORM_DEST_SUCCESS, "2.2.8.12")                      \
    X(0x3A, CopyToStream, copy_to_stream, HEAD_SOURCE_DEST, FORM_DEST, "2.2.9.9")                  \
    X(0x3B, CloneStream, clone_stream, HEAD_IN_OUT, FORM_SUCCESS, "2.2.9.13")                      \
    X(0x3E, GetPermissionsTable, get_permissions_table, HEAD_IN_OUT, FORM_SUCCESS, "2.2.10.2")     \
    X(0x3F, GetRulesTable, get_rules_table, HEAD_IN_OUT, FORM_SUCCESS, "2.2.11.2")                 \
    X(0x40, ModifyPermissions, modify_permissions, HEAD_IN, FORM_SUCCESS, "2.2.10.1")              \
    X(0x41, ModifyRules, modify_rules, HEAD_IN, FORM_SUCCESS, "2.2.11.1")                          \
    X(0x42, GetOwningServers, get_owning_servers, HEAD_IN, FORM_SUCCESS, "2.2.3.6")                \
    X(0x43, LongTermIdFromId, long_id_from_id, HEAD_IN, FORM_SUCCESS, "2.2.3.8")                   \
    X(0x44, IdFromLongTermId, id_from_long_id, HEAD_IN, FORM_SUCCESS, "2.2.3.9")                   \
    X(0x45, PublicFolderIsGhosted, is_ghosted, HEAD_IN, FORM_SUCCESS, "2.2.3.7")                   \
    X(0x46, OpenEmbeddedMessage, open_embedded, HEAD_IN_OUT, FORM_SUCCESS, "2.2.6.16")             \
    X(0x47, SetSpooler, set_spooler, HEAD_IN, FORM_SUCCESS, "2.2.7.4")                             \
    X(0x48, SpoolerLockMessage, lock_message, HEAD_IN, FORM_SUCCESS, "2.2.7.5")                    \
    X(0x49, GetAddressTypes, get_address_types, HEAD_IN, FORM_SUCCESS, "2.2.7.3")                  \
    X(0x4A, TransportSend, transport_send, HEAD_IN, FORM_SUCCESS, "2.2.7.6")                       \
    X(0x4B, FastTransferSourceCopyMessages, fx_messages, HEAD_IN_OUT, FORM_SUCCESS, "2.2.12.6")    \
    X(0x4C, FastTransferSourceCopyFolder, fx_folder, HEAD_IN_OUT, FORM_SUCCESS, "2.2.12.5")        \
    X(0x4D, FastTransferSourceCopyTo, fx_copy_to, HEAD_IN_OUT, FORM_SUCCESS, "2.2.12.7")           \
    X(0x4E, FastTransferSourceGetBuffer, fx_get_buffer, HEAD_IN, FORM_ALWAYS, "2.2.12.4")          \
    X(0x4F, FindRow, find_row, HEAD_IN, FORM_SUCCESS, "2.2.5.13")                                  \
    X(0x50, Progress, progress, HEAD_IN, FORM_SUCCESS, "2.2.8.13")                                 \
    X(0x51, TransportNewMail, transport_new_mail, HEAD_IN, FORM_SUCCESS, "2.2.7.7")                \
    X(0x52, GetValidAttachments, get_valid_attachments, HEAD_IN, FORM_SUCCESS, "2.2.6.18")         \
    X(0x53, FastTransferDestinationConfigure, fx_configure, HEAD_IN_OUT, FORM_SUCCESS, "2.2.12.1") \
    X(0x54, FastTransferDestinationPutBuffer, fx_put_buffer, HEAD_IN, FORM_ALWAYS, "2.2.12.2")     \
    X(0x55, GetNamesFromPropertyIds, get_names, HEAD_IN, FORM_SUCCESS, "2.2.8.2")                  \
    X(0x56, GetPropertyIdsFromNames, get_ids, HEAD_IN, FORM_SUCCESS, "2.2.8.1")                    \
    X(0x57, UpdateDeferredActionMessages, update_deferred, HEAD_IN, FORM_SUCCESS, "2.2.11.3")      \
    X(0x58, EmptyFolder, empty_folder, HEAD_IN, FORM_ALWAYS, "2.2.4.9")                            \
    X(0x59, ExpandRow, expand_row, HEAD_IN, FORM_SUCCESS, "2.2.5.16")                              \
    X(0x5A, CollapseRow, collapse_row, HEAD_IN, FORM_SUCCESS, "2.2.5.17")                          \
    X(0x5B, LockRegionStream, lock_region, HEAD_IN, FORM_SUCCESS, "2.2.9.10")                      \
    X(0x5C, UnlockRegionStream, unlock_region, HEAD_IN, FORM_SUCCESS, "2.2.9.11")                  \
    X(0x5D, CommitStream, commit_stream, HEAD_IN, FORM_SUCCESS, "2.2.9.5")                         \
    X(0x5E, GetStreamSize, get_stream_size, HEAD_IN, FORM_SUCCESS, "2.2.9.6")                      \
    X(0x5F, QueryNamedProperties, query_names, HEAD_IN, FORM_SUCCESS, "2.2.8.10")                  \
    X(0x60, GetPerUserLongTermIds, get_user_long_ids, HEAD_IN, FORM_SUCCESS, "2.2.3.10")           \
    X(0x61, GetPerUserGuid, get_user_guid, HEAD_IN, FORM_SUCCESS, "2.2.3.11")                      \
    X(0x63, ReadPerUserInformation, read_user, HEAD_IN, FORM_SUCCESS, "2.2.3.12")                  \
    X(0x64, WritePerUserInformation, write_user, HEAD_IN, FORM_SUCCESS, "2.2.3.13")                \
    X(0x66, SetReadFlags, set_read_flags, HEAD_IN, FORM_ALWAYS, "2.2.6.10")                        \
    X(0x67, CopyProperties, copy_properties, HEAD_SOURCE_DEST, FORM_DEST_SUCCESS, "2.2.8.11")      \
    X(0x68, GetReceiveFolderTable, get_receive_folders, HEAD_IN, FORM_SUCCESS, "2.2.3.4")          \
    X(0x69, FastTransferSourceCopyProperties, fx_props, HEAD_IN_OUT, FORM_SUCCESS, "2.2.12.8")     \
    X(0x6B, GetCollapseState, get_collapse_state, HEAD_IN, FORM_SUCCESS, "2.2.5.18")               \
    X(0x6C, SetCollapseState, set_collapse_state, HEAD_IN, FORM_SUCCESS, "2.2.5.19")               \
    X(0x6D, GetTransportFolder, get_transport_folder, HEAD_IN, FORM_SUCCESS, "2.2.7.8")            \
    X(0x6F, OptionsData, options_data, HEAD_IN, FORM_SUCCESS, "2.2.7.9")                           \
    X(0x70, SynchronizationConfigure, ics_configure, HEAD_IN_OUT, FORM_SUCCESS, "2.2.13.1")        \
    X(0x72, SynchronizationImportMessageChange, ics_change, HEAD_IN_OUT, FORM_SUCCESS, "2.2.13.2") \
    X(0x73, SynchronizationImportHierarchyChange, ics_folder, HEAD_IN, FORM_SUCCESS, "2.2.13.4")   \
    X(0x74, SynchronizationImportDeletes, ics_deletes, HEAD_IN, FORM_SUCCESS, "2.2.13.5")          \
    X(0x75, SynchronizationUploadStateStreamBegin, ics_begin, HEAD_IN, FORM_SUCCESS, "2.2.13.9")   \
    X(0x76, SynchronizationUploadStateStreamContinue, ics_more, HEAD_IN, FORM_SUCCESS, "2.2.13.10")\
    X(0x77, SynchronizationUploadStateStreamEnd, ics_end, HEAD_IN, FORM_SUCCESS, "2.2.13.11")      \
    X(0x78, SynchronizationImportMessageMove, ics_move, HEAD_IN, FORM_SUCCESS, "2.2.13.6")         \
    X(0x79, SetPropertiesNoReplicate, set_local, HEAD_IN, FORM_SUCCESS, "2.2.8.7")                 \
    X(0x7A, DeletePropertiesNoReplicate, delete_local, HEAD_IN, FORM_SUCCESS, "2.2.8.9")           \
    X(0x7B, GetStoreState, get_store_state, HEAD_IN, FORM_SUCCESS, "2.2.3.5")                      \
    X(0x7E, SynchronizationOpenCollector, ics_collect, HEAD_IN_OUT, FORM_SUCCESS, "2.2.13.7")      \
    X(0x7F, GetLocalReplicaIds, get_local_ids, HEAD_IN, FORM_SUCCESS, "2.2.13.13")                 \
    X(0x80, SynchronizationImportReadStateChanges, ics_read, HEAD_IN, FORM_SUCCESS, "2.2.13.3")    \
    X(0x81, ResetTable, reset_table, HEAD_IN, FORM_SUCCESS, "2.2.5.15")                            \
    X(0x82, SynchronizationGetTransferState, ics_get_state, HEAD_IN_OUT, FORM_SUCCESS, "2.2.13.8") \
    X(0x86, TellVersion, tell_version, HEAD_IN, FORM_SUCCESS, "2.2.12.9")                          \
    X(0x89, FreeBookmark, free_bookmark, HEAD_IN, FORM_SUCCESS, "2.2.5.14")                        \
    X(0x90, WriteAndCommitStream, write_and_commit, HEAD_IN, FORM_ALWAYS, "2.2.9.12")              \
    X(0x91, HardDeleteMessages, hard_delete_messages, HEAD_IN, FORM_ALWAYS, "2.2.4.12")            \
    X(0x92, HardDeleteMessagesAndSubfolders, hard_empty_folder, HEAD_IN, FORM_ALWAYS, "2.2.4.10")  \
    X(0x93, SetLocalReplicaMidsetDeleted, set_midset_deleted, HEAD_IN, FORM_SUCCESS, "2.2.13.12")  \
    X(0x9D, FastTransferDestinationPutBufferExtended, fx_put_large, HEAD_IN, FORM_ALWAYS, "2.2.12.3")\
    X(0xA3, WriteStreamExtended, write_extended, HEAD_IN, FORM_ALWAYS, "2.2.9.4")                  \
    X(0xFE, Logon, logon, HEAD_OUT, FORM_SUCCESS, "2.2.3.1")

/* ---- logon objects ---- */

#define REQUEST_Logon(F, IF, UNLESS, s)                                                            \
    F(s, u8, LogonFlags, flags)                                                                    \
    F(s, u32, OpenFlags, open_flags)                                                               \
    F(s, u32, StoreState, store_state)                                                             \
    F(s, text16, Essdn, essdn)
#define RESPONSE_Logon(F, IF, UNLESS, s)                                                           \
    F(s, u8, LogonFlags, flags)                                                                    \
    F(s, folder_ids, FolderIds, folder_ids)                                                        \
    F(s, u8, ResponseFlags, response_flags)                                                        \
    F(s, guid, MailboxGuid, mailbox)                                                               \
    F(s, u16, ReplId, replica_id)                                                                  \
    F(s, guid, ReplGuid, replica)                                                                  \
    F(s, u64, LogonTime, time)                                                                     \
    F(s, u64, GwartTime, gwart_time)                                                               \
    F(s, u32, StoreState, store_state)

#define REQUEST_Release(F, IF, UNLESS, s)
#define RESPONSE_Release(F, IF, UNLESS, s)

#define REQUEST_GetReceiveFolder(F, IF, UNLESS, s)                                                 \
    F(s, asz, MessageClass, class)
#define RESPONSE_GetReceiveFolder(F, IF, UNLESS, s)                                                \
    F(s, u64, FolderId, folder)                                                                    \
    F(s, asz, ExplicitMessageClass, class)

#define REQUEST_SetReceiveFolder(F, IF, UNLESS, s)                                                 \
    F(s, u64, FolderId, folder)                                                                    \
    F(s, asz, MessageClass, class)
#define RESPONSE_SetReceiveFolder(F, IF, UNLESS, s)

#define REQUEST_GetReceiveFolderTable(F, IF, UNLESS, s)
#define RESPONSE_GetReceiveFolderTable(F, IF, UNLESS, s)                                           \
    F(s, rows32, Rows, rows)

#define REQUEST_LongTermIdFromId(F, IF, UNLESS, s)                                                 \
    F(s, u64, ObjectId, id)
#define RESPONSE_LongTermIdFromId(F, IF, UNLESS, s)                                                \
    F(s, long_id, LongTermId, long_id)

#define REQUEST_IdFromLongTermId(F, IF, UNLESS, s)                                                 \
    F(s, long_id, LongTermId, long_id)
#define RESPONSE_IdFromLongTermId(F, IF, UNLESS, s)                                                \
    F(s, u64, ObjectId, id)

#define REQUEST_GetStoreState(F, IF, UNLESS, s)
#define RESPONSE_GetStoreState(F, IF, UNLESS, s)                                                   \
    F(s, u32, StoreState, state)

#define REQUEST_GetOwningServers(F, IF, UNLESS, s)                                                 \
    F(s, u64, FolderId, folder)
#define RESPONSE_GetOwningServers(F, IF, UNLESS, s)                                                \
    F(s, u16, OwningServersCount, n)                                                               \
    F(s, u16, CheapServersCount, cheap)                                                            \
    F(s, asz_all, OwningServers, servers)

#define REQUEST_PublicFolderIsGhosted(F, IF, UNLESS, s)                                            \
    F(s, u64, FolderId, folder)
#define RESPONSE_PublicFolderIsGhosted(F, IF, UNLESS, s)                                           \
    F(s, u8, IsGhosted, ghosted)

#define REQUEST_GetLocalReplicaIds(F, IF, UNLESS, s)                                               \
    F(s, u32, IdCount, n)
#define RESPONSE_GetLocalReplicaIds(F, IF, UNLESS, s)                                              \
    F(s, guid, ReplGuid, replica)                                                                  \
    F(s, counter, GlobalCount, first)

#define REQUEST_GetPerUserLongTermIds(F, IF, UNLESS, s)                                            \
    F(s, guid, DatabaseGuid, database)
#define RESPONSE_GetPerUserLongTermIds(F, IF, UNLESS, s)                                           \
    F(s, long_ids, LongTermIds, ids)

#define REQUEST_GetPerUserGuid(F, IF, UNLESS, s)                                                   \
    F(s, long_id, LongTermId, folder)
#define RESPONSE_GetPerUserGuid(F, IF, UNLESS, s)                                                  \
    F(s, guid, DatabaseGuid, database)

#define REQUEST_ReadPerUserInformation(F, IF, UNLESS, s)                                           \
    F(s, long_id, FolderId, folder)                                                                \
    F(s, u8, Reserved, reserved)                                                                   \
    F(s, u32, DataOffset, offset)                                                                  \
    F(s, u16, MaxDataSize, most)
#define RESPONSE_ReadPerUserInformation(F, IF, UNLESS, s)                                          \
    F(s, u8, HasFinished, finished)                                                                \
    F(s, bin16, Data, data)

#define REQUEST_WritePerUserInformation(F, IF, UNLESS, s)                                          \
    F(s, long_id, FolderId, folder)                                                                \
    F(s, u8, HasFinished, finished)                                                                \
    F(s, user_data, Data, data)
#define RESPONSE_WritePerUserInformation(F, IF, UNLESS, s)

#define REQUEST_SetLocalReplicaMidsetDeleted(F, IF, UNLESS, s)                                     \
    F(s, bin16, LongTermIdRanges, ranges)
#define RESPONSE_SetLocalReplicaMidsetDeleted(F, IF, UNLESS, s)

/* ---- folders ---- */

#define REQUEST_OpenFolder(F, IF, UNLESS, s)                                                       \
    F(s, u64, FolderId, folder)                                                                    \
    F(s, u8, OpenModeFlags, mode)
#define RESPONSE_OpenFolder(F, IF, UNLESS, s)                                                      \
    F(s, u8, HasRules, has_rules)                                                                  \
    F(s, u8, IsGhosted, ghosted)

#define REQUEST_CreateFolder(F, IF, UNLESS, s)                                                     \
    F(s, u8, FolderType, type)                                                                     \
    F(s, wide, UseUnicodeStrings, unicode)                                                         \
    F(s, u8, OpenExisting, open_existing)                                                          \
    F(s, u8, Reserved, reserved)                                                                   \
    F(s, text, DisplayName, name)                                                                  \
    F(s, text, Comment, comment)
#define RESPONSE_CreateFolder(F, IF, UNLESS, s)                                                    \
    F(s, u64, FolderId, folder)                                                                    \
    F(s, u8, IsExistingFolder, existing)                                                           \
    IF(s, existing, u8, HasRules, has_rules)                                                       \
    IF(s, existing, u8, IsGhosted, ghosted)

#define REQUEST_DeleteFolder(F, IF, UNLESS, s)                                                     \
    F(s, u8, DeleteFolderFlags, flags)                                                             \
    F(s, u64, FolderId, folder)
#define RESPONSE_DeleteFolder(F, IF, UNLESS, s)                                                    \
    F(s, u8, PartialCompletion, partial)

#define REQUEST_MoveFolder(F, IF, UNLESS, s)                                                       \
    F(s, u8, WantAsynchronous, async)                                                              \
    F(s, wide, UseUnicode, unicode)                                                                \
    F(s, u64, FolderId, folder)                                                                    \
    F(s, text, NewFolderName, name)
#define RESPONSE_MoveFolder(F, IF, UNLESS, s)                                                      \
    F(s, u8, PartialCompletion, partial)

#define REQUEST_CopyFolder(F, IF, UNLESS, s)                                                       \
    F(s, u8, WantAsynchronous, async)                                                              \
    F(s, u8, WantRecursive, recursive)                                                             \
    F(s, wide, UseUnicode, unicode)                                                                \
    F(s, u64, FolderId, folder)                                                                    \
    F(s, text, NewFolderName, name)
#define RESPONSE_CopyFolder(F, IF, UNLESS, s)                                                      \
    F(s, u8, PartialCompletion, partial)

#define REQUEST_EmptyFolder(F, IF, UNLESS, s)                                                      \
    F(s, u8, WantAsynchronous, async)                                                              \
    F(s, u8, WantDeleteAssociated, associated)
#define RESPONSE_EmptyFolder(F, IF, UNLESS, s)                                                     \
    F(s, u8, PartialCompletion, partial)

#define REQUEST_HardDeleteMessagesAndSubfolders(F, IF, UNLESS, s)                                  \
    F(s, u8, WantAsynchronous, async)                                                              \
    F(s, u8, WantDeleteAssociated, associated)
#define RESPONSE_HardDeleteMessagesAndSubfolders(F, IF, UNLESS, s)                                 \
    F(s, u8, PartialCompletion, partial)

#define REQUEST_DeleteMessages(F, IF, UNLESS, s)                                                   \
    F(s, u8, WantAsynchronous, async)                                                              \
    F(s, u8, NotifyNonRead, notify)                                                                \
    F(s, ids, MessageIds, messages)
#define RESPONSE_DeleteMessages(F, IF, UNLESS, s)                                                  \
    F(s, u8, PartialCompletion, partial)

#define REQUEST_HardDeleteMessages(F, IF, UNLESS, s)                                               \
    F(s, u8, WantAsynchronous, async)                                                              \
    F(s, u8, NotifyNonRead, notify)                                                                \
    F(s, ids, MessageIds, messages)
#define RESPONSE_HardDeleteMessages(F, IF, UNLESS, s)                                              \
    F(s, u8, PartialCompletion, partial)

#define REQUEST_MoveCopyMessages(F, IF, UNLESS, s)                                                 \
    F(s, ids, MessageIds, messages)                                                                \
    F(s, u8, WantAsynchronous, async)                                                              \
    F(s, u8, WantCopy, copy)
#define RESPONSE_MoveCopyMessages(F, IF, UNLESS, s)                                                \
    F(s, u8, PartialCompletion, partial)

#define REQUEST_GetHierarchyTable(F, IF, UNLESS, s)                                                \
    F(s, u8, TableFlags, flags)
#define RESPONSE_GetHierarchyTable(F, IF, UNLESS, s)                                               \
    F(s, u32, RowCount, rows)

#define REQUEST_GetContentsTable(F, IF, UNLESS, s)                                                 \
    F(s, u8, TableFlags, flags)
#define RESPONSE_GetContentsTable(F, IF, UNLESS, s)                                                \
    F(s, u32, RowCount, rows)

#define REQUEST_SetSearchCriteria(F, IF, UNLESS, s)                                                \
    F(s, restriction, RestrictionData, restriction)                                                \
    F(s, ids, FolderIds, folders)                                                                  \
    F(s, u32, SearchFlags, flags)
#define RESPONSE_SetSearchCriteria(F, IF, UNLESS, s)

#define REQUEST_GetSearchCriteria(F, IF, UNLESS, s)                                                \
    F(s, wide, UseUnicode, unicode)                                                                \
    F(s, u8, IncludeRestriction, want_restriction)                                                 \
    F(s, u8, IncludeFolders, want_folders)
#define RESPONSE_GetSearchCriteria(F, IF, UNLESS, s)                                               \
    F(s, restriction, RestrictionData, restriction)                                                \
    F(s, u8, LogonId, logon)                                                                       \
    F(s, ids, FolderIds, folders)                                                                  \
    F(s, u32, SearchFlags, flags)

/* ---- tables ---- */

#define REQUEST_SetColumns(F, IF, UNLESS, s)                                                       \
    F(s, u8, SetColumnsFlags, flags)                                                               \
    F(s, tags, PropertyTags, columns)
#define RESPONSE_SetColumns(F, IF, UNLESS, s)                                                      \
    F(s, u8, TableStatus, status)

#define REQUEST_SortTable(F, IF, UNLESS, s)                                                        \
    F(s, u8, SortTableFlags, flags)                                                                \
    F(s, orders, SortOrders, orders)
#define RESPONSE_SortTable(F, IF, UNLESS, s)                                                       \
    F(s, u8, TableStatus, status)

#define REQUEST_Restrict(F, IF, UNLESS, s)                                                         \
    F(s, u8, RestrictFlags, flags)                                                                 \
    F(s, restriction, RestrictionData, restriction)
#define RESPONSE_Restrict(F, IF, UNLESS, s)                                                        \
    F(s, u8, TableStatus, status)

#define REQUEST_QueryRows(F, IF, UNLESS, s)                                                        \
    F(s, u8, QueryRowsFlags, flags)                                                                \
    F(s, u8, ForwardRead, forward)                                                                 \
    F(s, u16, RowCount, n)
#define RESPONSE_QueryRows(F, IF, UNLESS, s)                                                       \
    F(s, u8, Origin, origin)                                                                       \
    F(s, rows16, Rows, rows)

#define REQUEST_GetStatus(F, IF, UNLESS, s)
#define RESPONSE_GetStatus(F, IF, UNLESS, s)                                                       \
    F(s, u8, TableStatus, status)

#define REQUEST_Abort(F, IF, UNLESS, s)
#define RESPONSE_Abort(F, IF, UNLESS, s)                                                           \
    F(s, u8, TableStatus, status)

#define REQUEST_QueryPosition(F, IF, UNLESS, s)
#define RESPONSE_QueryPosition(F, IF, UNLESS, s)                                                   \
    F(s, u32, Numerator, numerator)                                                                \
    F(s, u32, Denominator, denominator)

#define REQUEST_SeekRow(F, IF, UNLESS, s)                                                          \
    F(s, u8, Origin, origin)                                                                       \
    F(s, i32, RowCount, n)                                                                         \
    F(s, u8, WantRowMovedCount, want_moved)
#define RESPONSE_SeekRow(F, IF, UNLESS, s)                                                         \
    F(s, u8, HasSoughtLess, sought_less)                                                           \
    F(s, i32, RowsSought, sought)

#define REQUEST_SeekRowBookmark(F, IF, UNLESS, s)                                                  \
    F(s, bin16, Bookmark, bookmark)                                                                \
    F(s, i32, RowCount, n)                                                                         \
    F(s, u8, WantRowMovedCount, want_moved)
#define RESPONSE_SeekRowBookmark(F, IF, UNLESS, s)                                                 \
    F(s, u8, RowNoLongerVisible, gone)                                                             \
    F(s, u8, HasSoughtLess, sought_less)                                                           \
    F(s, i32, RowsSought, sought)

#define REQUEST_SeekRowFractional(F, IF, UNLESS, s)                                                \
    F(s, u32, Numerator, numerator)                                                                \
    F(s, u32, Denominator, denominator)
#define RESPONSE_SeekRowFractional(F, IF, UNLESS, s)

#define REQUEST_CreateBookmark(F, IF, UNLESS, s)
#define RESPONSE_CreateBookmark(F, IF, UNLESS, s)                                                  \
    F(s, bin16, Bookmark, bookmark)

#define REQUEST_FreeBookmark(F, IF, UNLESS, s)                                                     \
    F(s, bin16, Bookmark, bookmark)
#define RESPONSE_FreeBookmark(F, IF, UNLESS, s)

#define REQUEST_QueryColumnsAll(F, IF, UNLESS, s)
#define RESPONSE_QueryColumnsAll(F, IF, UNLESS, s)                                                 \
    F(s, tags, PropertyTags, columns)

#define REQUEST_FindRow(F, IF, UNLESS, s)                                                          \
    F(s, u8, FindRowFlags, flags)                                                                  \
    F(s, restriction, RestrictionData, restriction)                                                \
    F(s, u8, Origin, origin)                                                                       \
    F(s, bin16, Bookmark, bookmark)
#define RESPONSE_FindRow(F, IF, UNLESS, s)                                                         \
    F(s, u8, RowNoLongerVisible, gone)                                                             \
    F(s, u8, HasRowData, has_row)                                                                  \
    IF(s, has_row, row, RowData, row)

#define REQUEST_ResetTable(F, IF, UNLESS, s)
#define RESPONSE_ResetTable(F, IF, UNLESS, s)

#define REQUEST_ExpandRow(F, IF, UNLESS, s)                                                        \
    F(s, u16, MaxRowCount, most)                                                                   \
    F(s, u64, CategoryId, category)
#define RESPONSE_ExpandRow(F, IF, UNLESS, s)                                                       \
    F(s, u32, ExpandedRowCount, expanded)                                                          \
    F(s, rows16, Rows, rows)

#define REQUEST_CollapseRow(F, IF, UNLESS, s)                                                      \
    F(s, u64, CategoryId, category)
#define RESPONSE_CollapseRow(F, IF, UNLESS, s)                                                     \
    F(s, u32, CollapsedRowCount, collapsed)

#define REQUEST_GetCollapseState(F, IF, UNLESS, s)                                                 \
    F(s, u64, RowId, row)                                                                          \
    F(s, u32, RowInstanceNumber, instance)
#define RESPONSE_GetCollapseState(F, IF, UNLESS, s)                                                \
    F(s, bin16, CollapseState, state)

#define REQUEST_SetCollapseState(F, IF, UNLESS, s)                                                 \
    F(s, bin16, CollapseState, state)
#define RESPONSE_SetCollapseState(F, IF, UNLESS, s)                                                \
    F(s, bin16, Bookmark, bookmark)

/* ---- messages ---- */

#define REQUEST_OpenMessage(F, IF, UNLESS, s)                                                      \
    F(s, u16, CodePageId, codepage)                                                                \
    F(s, u64, FolderId, folder)                                                                    \
    F(s, u8, OpenModeFlags, mode)                                                                  \
    F(s, u64, MessageId, message)
#define RESPONSE_OpenMessage(F, IF, UNLESS, s)                                                     \
    F(s, u8, HasNamedProperties, has_named)                                                        \
    F(s, typed, SubjectPrefix, prefix)                                                             \
    F(s, typed, NormalizedSubject, subject)                                                        \
    F(s, u16, RecipientCount, recipients)                                                          \
    F(s, tags, RecipientColumns, columns)                                                          \
    F(s, open_rows, RecipientRows, rows)

#define REQUEST_ReloadCachedInformation(F, IF, UNLESS, s)                                          \
    F(s, u16, Reserved, reserved)
#define RESPONSE_ReloadCachedInformation(F, IF, UNLESS, s)                                         \
    F(s, u8, HasNamedProperties, has_named)                                                        \
    F(s, typed, SubjectPrefix, prefix)                                                             \
    F(s, typed, NormalizedSubject, subject)                                                        \
    F(s, u16, RecipientCount, recipients)                                                          \
    F(s, tags, RecipientColumns, columns)                                                          \
    F(s, open_rows, RecipientRows, rows)

#define REQUEST_CreateMessage(F, IF, UNLESS, s)                                                    \
    F(s, u16, CodePageId, codepage)                                                                \
    F(s, u64, FolderId, folder)                                                                    \
    F(s, u8, AssociatedFlag, associated)
#define RESPONSE_CreateMessage(F, IF, UNLESS, s)                                                   \
    F(s, u8, HasMessageId, has_message)                                                            \
    IF(s, has_message, u64, MessageId, message)

#define REQUEST_SaveChangesMessage(F, IF, UNLESS, s)                                               \
    F(s, u8, SaveFlags, flags)
#define RESPONSE_SaveChangesMessage(F, IF, UNLESS, s)                                              \
    F(s, u8, InputHandleIndex, input)                                                              \
    F(s, u64, MessageId, message)

#define REQUEST_RemoveAllRecipients(F, IF, UNLESS, s)                                              \
    F(s, u32, Reserved, reserved)
#define RESPONSE_RemoveAllRecipients(F, IF, UNLESS, s)

#define REQUEST_ModifyRecipients(F, IF, UNLESS, s)                                                 \
    F(s, recipients, RecipientRows, recipients)
#define RESPONSE_ModifyRecipients(F, IF, UNLESS, s)

#define REQUEST_ReadRecipients(F, IF, UNLESS, s)                                                   \
    F(s, u32, RowId, row)                                                                          \
    F(s, u16, Reserved, reserved)
#define RESPONSE_ReadRecipients(F, IF, UNLESS, s)                                                  \
    F(s, read_rows, RecipientRows, rows)

#define REQUEST_SetMessageReadFlag(F, IF, UNLESS, s)                                               \
    F(s, u8, ReadFlags, flags)
#define RESPONSE_SetMessageReadFlag(F, IF, UNLESS, s)                                              \
    F(s, u8, ReadStatusChanged, changed)

#define REQUEST_SetReadFlags(F, IF, UNLESS, s)                                                     \
    F(s, u8, WantAsynchronous, async)                                                              \
    F(s, u8, ReadFlags, flags)                                                                     \
    F(s, ids, MessageIds, messages)
#define RESPONSE_SetReadFlags(F, IF, UNLESS, s)                                                    \
    F(s, u8, PartialCompletion, partial)

#define REQUEST_SetMessageStatus(F, IF, UNLESS, s)                                                 \
    F(s, u64, MessageId, message)                                                                  \
    F(s, u32, MessageStatusFlags, flags)                                                           \
    F(s, u32, MessageStatusMask, mask)
#define RESPONSE_SetMessageStatus(F, IF, UNLESS, s)                                                \
    F(s, u32, MessageStatusFlags, flags)

#define REQUEST_GetMessageStatus(F, IF, UNLESS, s)                                                 \
    F(s, u64, MessageId, message)
#define RESPONSE_GetMessageStatus(F, IF, UNLESS, s)                                                \
    F(s, u32, MessageStatusFlags, flags)

#define REQUEST_GetAttachmentTable(F, IF, UNLESS, s)                                               \
    F(s, u8, TableFlags, flags)
#define RESPONSE_GetAttachmentTable(F, IF, UNLESS, s)

#define REQUEST_OpenAttachment(F, IF, UNLESS, s)                                                   \
    F(s, u8, OpenAttachmentFlags, mode)                                                            \
    F(s, u32, AttachmentID, number)
#define RESPONSE_OpenAttachment(F, IF, UNLESS, s)

#define REQUEST_CreateAttachment(F, IF, UNLESS, s)
#define RESPONSE_CreateAttachment(F, IF, UNLESS, s)                                                \
    F(s, u32, AttachmentID, number)

#define REQUEST_DeleteAttachment(F, IF, UNLESS, s)                                                 \
    F(s, u32, AttachmentID, number)
#define RESPONSE_DeleteAttachment(F, IF, UNLESS, s)

#define REQUEST_SaveChangesAttachment(F, IF, UNLESS, s)                                            \
    F(s, u8, SaveFlags, flags)
#define RESPONSE_SaveChangesAttachment(F, IF, UNLESS, s)

#define REQUEST_OpenEmbeddedMessage(F, IF, UNLESS, s)                                              \
    F(s, u16, CodePageId, codepage)                                                                \
    F(s, u8, OpenModeFlags, mode)
#define RESPONSE_OpenEmbeddedMessage(F, IF, UNLESS, s)                                             \
    F(s, u8, Reserved, reserved)                                                                   \
    F(s, u64, MessageId, message)                                                                  \
    F(s, u8, HasNamedProperties, has_named)                                                        \
    F(s, typed, SubjectPrefix, prefix)                                                             \
    F(s, typed, NormalizedSubject, subject)                                                        \
    F(s, u16, RecipientCount, recipients)                                                          \
    F(s, tags, RecipientColumns, columns)                                                          \
    F(s, open_rows, RecipientRows, rows)

#define REQUEST_GetValidAttachments(F, IF, UNLESS, s)
#define RESPONSE_GetValidAttachments(F, IF, UNLESS, s)                                             \
    F(s, numbers, AttachmentIDs, numbers)

/* ---- properties ---- */

#define REQUEST_GetPropertiesSpecific(F, IF, UNLESS, s)                                            \
    F(s, u16, PropertySizeLimit, limit)                                                            \
    F(s, u16, WantUnicode, unicode)                                                                \
    F(s, tags, PropertyTags, tags)
#define RESPONSE_GetPropertiesSpecific(F, IF, UNLESS, s)                                           \
    F(s, row, RowData, row)

#define REQUEST_GetPropertiesAll(F, IF, UNLESS, s)                                                 \
    F(s, u16, PropertySizeLimit, limit)                                                            \
    F(s, u16, WantUnicode, unicode)
#define RESPONSE_GetPropertiesAll(F, IF, UNLESS, s)                                                \
    F(s, props, PropertyValues, values)

#define REQUEST_GetPropertiesList(F, IF, UNLESS, s)
#define RESPONSE_GetPropertiesList(F, IF, UNLESS, s)                                               \
    F(s, tags, PropertyTags, tags)

#define REQUEST_SetProperties(F, IF, UNLESS, s)                                                    \
    F(s, sized_props, PropertyValues, values)
#define RESPONSE_SetProperties(F, IF, UNLESS, s)                                                   \
    F(s, problems, PropertyProblems, problems)

#define REQUEST_SetPropertiesNoReplicate(F, IF, UNLESS, s)                                         \
    F(s, sized_props, PropertyValues, values)
#define RESPONSE_SetPropertiesNoReplicate(F, IF, UNLESS, s)                                        \
    F(s, problems, PropertyProblems, problems)

#define REQUEST_DeleteProperties(F, IF, UNLESS, s)                                                 \
    F(s, tags, PropertyTags, tags)
#define RESPONSE_DeleteProperties(F, IF, UNLESS, s)                                                \
    F(s, problems, PropertyProblems, problems)

#define REQUEST_DeletePropertiesNoReplicate(F, IF, UNLESS, s)                                      \
    F(s, tags, PropertyTags, tags)
#define RESPONSE_DeletePropertiesNoReplicate(F, IF, UNLESS, s)                                     \
    F(s, problems, PropertyProblems, problems)

#define REQUEST_GetPropertyIdsFromNames(F, IF, UNLESS, s)                                          \
    F(s, u8, Flags, flags)                                                                         \
    F(s, names, PropertyNames, names)
#define RESPONSE_GetPropertyIdsFromNames(F, IF, UNLESS, s)                                         \
    F(s, property_ids, PropertyIds, ids)

#define REQUEST_GetNamesFromPropertyIds(F, IF, UNLESS, s)                                          \
    F(s, property_ids, PropertyIds, ids)
#define RESPONSE_GetNamesFromPropertyIds(F, IF, UNLESS, s)                                         \
    F(s, names, PropertyNames, names)

#define REQUEST_QueryNamedProperties(F, IF, UNLESS, s)                                             \
    F(s, u8, QueryFlags, flags)                                                                    \
    F(s, u8, HasGuid, has_guid)                                                                    \
    IF(s, has_guid, guid, PropertyGuid, guid)
#define RESPONSE_QueryNamedProperties(F, IF, UNLESS, s)                                            \
    F(s, named, Named, named)

#define REQUEST_CopyProperties(F, IF, UNLESS, s)                                                   \
    F(s, u8, WantAsynchronous, async)                                                              \
    F(s, u8, CopyFlags, flags)                                                                     \
    F(s, tags, PropertyTags, tags)
#define RESPONSE_CopyProperties(F, IF, UNLESS, s)                                                  \
    F(s, problems, PropertyProblems, problems)

#define REQUEST_CopyTo(F, IF, UNLESS, s)                                                           \
    F(s, u8, WantAsynchronous, async)                                                              \
    F(s, u8, WantSubObjects, subobjects)                                                           \
    F(s, u8, CopyFlags, flags)                                                                     \
    F(s, tags, ExcludedTags, excluded)
#define RESPONSE_CopyTo(F, IF, UNLESS, s)                                                          \
    F(s, problems, PropertyProblems, problems)

#define REQUEST_Progress(F, IF, UNLESS, s)                                                         \
    F(s, u8, WantCancel, cancel)
#define RESPONSE_Progress(F, IF, UNLESS, s)                                                        \
    F(s, u8, LogonId, logon)                                                                       \
    F(s, u32, CompletedTaskCount, done)                                                            \
    F(s, u32, TotalTaskCount, total)

/* ---- streams ---- */

#define REQUEST_OpenStream(F, IF, UNLESS, s)                                                       \
    F(s, u32, PropertyTag, tag)                                                                    \
    F(s, u8, OpenModeFlags, mode)
#define RESPONSE_OpenStream(F, IF, UNLESS, s)                                                      \
    F(s, u32, StreamSize, size)

#define REQUEST_ReadStream(F, IF, UNLESS, s)                                                       \
    F(s, read_size, ByteCount, n)
#define RESPONSE_ReadStream(F, IF, UNLESS, s)                                                      \
    F(s, bin16, Data, data)

#define REQUEST_WriteStream(F, IF, UNLESS, s)                                                      \
    F(s, bin16, Data, data)
#define RESPONSE_WriteStream(F, IF, UNLESS, s)                                                     \
    F(s, u16, WrittenSize, written)

#define REQUEST_WriteStreamExtended(F, IF, UNLESS, s)                                              \
    F(s, bin16, Data, data)
#define RESPONSE_WriteStreamExtended(F, IF, UNLESS, s)                                             \
    F(s, u32, WrittenSize, written)

#define REQUEST_WriteAndCommitStream(F, IF, UNLESS, s)                                             \
    F(s, bin16, Data, data)
#define RESPONSE_WriteAndCommitStream(F, IF, UNLESS, s)                                            \
    F(s, u16, WrittenSize, written)

#define REQUEST_CommitStream(F, IF, UNLESS, s)
#define RESPONSE_CommitStream(F, IF, UNLESS, s)

#define REQUEST_GetStreamSize(F, IF, UNLESS, s)
#define RESPONSE_GetStreamSize(F, IF, UNLESS, s)                                                   \
    F(s, u32, StreamSize, size)

#define REQUEST_SetStreamSize(F, IF, UNLESS, s)                                                    \
    F(s, u64, StreamSize, size)
#define RESPONSE_SetStreamSize(F, IF, UNLESS, s)

#define REQUEST_SeekStream(F, IF, UNLESS, s)                                                       \
    F(s, u8, Origin, origin)                                                                       \
    F(s, u64, Offset, offset)
#define RESPONSE_SeekStream(F, IF, UNLESS, s)                                                      \
    F(s, u64, NewPosition, position)

#define REQUEST_CopyToStream(F, IF, UNLESS, s)                                                     \
    F(s, u64, ByteCount, n)
#define RESPONSE_CopyToStream(F, IF, UNLESS, s)                                                    \
    F(s, u64, ReadByteCount, read)                                                                 \
    F(s, u64, WrittenByteCount, written)

#define REQUEST_CloneStream(F, IF, UNLESS, s)
#define RESPONSE_CloneStream(F, IF, UNLESS, s)

#define REQUEST_LockRegionStream(F, IF, UNLESS, s)                                                 \
    F(s, u64, RegionOffset, offset)                                                                \
    F(s, u64, RegionSize, size)                                                                    \
    F(s, u32, LockFlags, flags)
#define RESPONSE_LockRegionStream(F, IF, UNLESS, s)

#define REQUEST_UnlockRegionStream(F, IF, UNLESS, s)                                               \
    F(s, u64, RegionOffset, offset)                                                                \
    F(s, u64, RegionSize, size)                                                                    \
    F(s, u32, LockFlags, flags)
#define RESPONSE_UnlockRegionStream(F, IF, UNLESS, s)

/* ---- transport ---- */

#define REQUEST_SubmitMessage(F, IF, UNLESS, s)                                                    \
    F(s, u8, SubmitFlags, flags)
#define RESPONSE_SubmitMessage(F, IF, UNLESS, s)

#define REQUEST_AbortSubmit(F, IF, UNLESS, s)                                                      \
    F(s, u64, FolderId, folder)                                                                    \
    F(s, u64, MessageId, message)
#define RESPONSE_AbortSubmit(F, IF, UNLESS, s)

#define REQUEST_GetAddressTypes(F, IF, UNLESS, s)
#define RESPONSE_GetAddressTypes(F, IF, UNLESS, s)                                                 \
    F(s, address_types, AddressTypes, types)

#define REQUEST_SetSpooler(F, IF, UNLESS, s)
#define RESPONSE_SetSpooler(F, IF, UNLESS, s)

#define REQUEST_SpoolerLockMessage(F, IF, UNLESS, s)                                               \
    F(s, u64, MessageId, message)                                                                  \
    F(s, u8, LockState, state)
#define RESPONSE_SpoolerLockMessage(F, IF, UNLESS, s)

#define REQUEST_TransportSend(F, IF, UNLESS, s)
#define RESPONSE_TransportSend(F, IF, UNLESS, s)                                                   \
    F(s, u8, NoPropertiesReturned, none)                                                           \
    UNLESS(s, none, props, PropertyValues, values)

#define REQUEST_TransportNewMail(F, IF, UNLESS, s)                                                 \
    F(s, u64, MessageId, message)                                                                  \
    F(s, u64, FolderId, folder)                                                                    \
    F(s, asz, MessageClass, class)                                                                 \
    F(s, u32, MessageFlags, flags)
#define RESPONSE_TransportNewMail(F, IF, UNLESS, s)

#define REQUEST_GetTransportFolder(F, IF, UNLESS, s)
#define RESPONSE_GetTransportFolder(F, IF, UNLESS, s)                                              \
    F(s, u64, FolderId, folder)

#define REQUEST_OptionsData(F, IF, UNLESS, s)                                                      \
    F(s, asz, AddressType, type)                                                                   \
    F(s, u8, WantWin32, win32)
#define RESPONSE_OptionsData(F, IF, UNLESS, s)                                                     \
    F(s, u8, Reserved, reserved)                                                                   \
    F(s, bin16, OptionsInfo, options)                                                              \
    F(s, help, HelpFile, help)

/* ---- permissions, rules, notifications ---- */

#define REQUEST_GetPermissionsTable(F, IF, UNLESS, s)                                              \
    F(s, u8, TableFlags, flags)
#define RESPONSE_GetPermissionsTable(F, IF, UNLESS, s)

#define REQUEST_ModifyPermissions(F, IF, UNLESS, s)                                                \
    F(s, u8, ModifyFlags, flags)                                                                   \
    F(s, permissions, PermissionsData, permissions)
#define RESPONSE_ModifyPermissions(F, IF, UNLESS, s)

#define REQUEST_GetRulesTable(F, IF, UNLESS, s)                                                    \
    F(s, u8, TableFlags, flags)
#define RESPONSE_GetRulesTable(F, IF, UNLESS, s)

#define REQUEST_RegisterNotification(F, IF, UNLESS, s)                                             \
    F(s, events, NotificationTypes, events)                                                        \
    F(s, u8, WantWholeStore, whole)                                                                \
    UNLESS(s, whole, u64, FolderId, folder)                                                        \
    UNLESS(s, whole, u64, MessageId, message)
#define RESPONSE_RegisterNotification(F, IF, UNLESS, s)

#define REQUEST_ModifyRules(F, IF, UNLESS, s)                                                      \
    F(s, u8, ModifyRulesFlags, flags)                                                              \
    F(s, permissions, RulesData, rules)
#define RESPONSE_ModifyRules(F, IF, UNLESS, s)

#define REQUEST_UpdateDeferredActionMessages(F, IF, UNLESS, s)                                     \
    F(s, bin16, ServerEntryId, server)                                                             \
    F(s, bin16, ClientEntryId, client)
#define RESPONSE_UpdateDeferredActionMessages(F, IF, UNLESS, s)

/* ---- fast transfer, synchronization ---- */

#define REQUEST_FastTransferSourceCopyMessages(F, IF, UNLESS, s)                                   \
    F(s, ids, MessageIds, messages)                                                                \
    F(s, u8, CopyFlags, flags)                                                                     \
    F(s, u8, SendOptions, options)
#define RESPONSE_FastTransferSourceCopyMessages(F, IF, UNLESS, s)

#define REQUEST_FastTransferSourceCopyFolder(F, IF, UNLESS, s)                                     \
    F(s, u8, CopyFlags, flags)                                                                     \
    F(s, u8, SendOptions, options)
#define RESPONSE_FastTransferSourceCopyFolder(F, IF, UNLESS, s)

#define REQUEST_FastTransferSourceCopyTo(F, IF, UNLESS, s)                                         \
    F(s, u8, Level, level)                                                                         \
    F(s, u32, CopyFlags, flags)                                                                    \
    F(s, u8, SendOptions, options)                                                                 \
    F(s, tags, PropertyTags, excluded)
#define RESPONSE_FastTransferSourceCopyTo(F, IF, UNLESS, s)

#define REQUEST_FastTransferSourceCopyProperties(F, IF, UNLESS, s)                                 \
    F(s, u8, Level, level)                                                                         \
    F(s, u8, CopyFlags, flags)                                                                     \
    F(s, u8, SendOptions, options)                                                                 \
    F(s, tags, PropertyTags, tags)
#define RESPONSE_FastTransferSourceCopyProperties(F, IF, UNLESS, s)

#define REQUEST_FastTransferSourceGetBuffer(F, IF, UNLESS, s)                                      \
    F(s, buffer_size, BufferSize, most)
#define RESPONSE_FastTransferSourceGetBuffer(F, IF, UNLESS, s)                                     \
    F(s, u16, TransferStatus, status)                                                              \
    F(s, u16, InProgressCount, done)                                                               \
    F(s, u16, TotalStepCount, total)                                                               \
    F(s, u8, Reserved, reserved)                                                                   \
    F(s, bin16, TransferBuffer, data)

#define REQUEST_FastTransferDestinationConfigure(F, IF, UNLESS, s)                                 \
    F(s, u8, SourceOperation, operation)                                                           \
    F(s, u8, CopyFlags, flags)
#define RESPONSE_FastTransferDestinationConfigure(F, IF, UNLESS, s)

#define REQUEST_FastTransferDestinationPutBuffer(F, IF, UNLESS, s)                                 \
    F(s, bin16, TransferData, data)
#define RESPONSE_FastTransferDestinationPutBuffer(F, IF, UNLESS, s)                                \
    F(s, u16, TransferStatus, status)                                                              \
    F(s, u16, InProgressCount, done)                                                               \
    F(s, u16, TotalStepCount, total)                                                               \
    F(s, u8, Reserved, reserved)                                                                   \
    F(s, u16, BufferUsedSize, used)

#define REQUEST_FastTransferDestinationPutBufferExtended(F, IF, UNLESS, s)                         \
    F(s, bin16, TransferData, data)
#define RESPONSE_FastTransferDestinationPutBufferExtended(F, IF, UNLESS, s)                        \
    F(s, u16, TransferStatus, status)                                                              \
    F(s, u32, InProgressCount, done)                                                               \
    F(s, u32, TotalStepCount, total)                                                               \
    F(s, u8, Reserved, reserved)                                                                   \
    F(s, u16, BufferUsedSize, used)

#define REQUEST_TellVersion(F, IF, UNLESS, s)                                                      \
    F(s, u16, Version1, first)                                                                     \
    F(s, u16, Version2, second)                                                                    \
    F(s, u16, Version3, third)
#define RESPONSE_TellVersion(F, IF, UNLESS, s)

#define REQUEST_SynchronizationConfigure(F, IF, UNLESS, s)                                         \
    F(s, u8, SynchronizationType, type)                                                            \
    F(s, u8, SendOptions, options)                                                                 \
    F(s, u16, SynchronizationFlags, flags)                                                         \
    F(s, restriction, RestrictionData, restriction)                                                \
    F(s, u32, SynchronizationExtraFlags, extra)                                                    \
    F(s, tags, PropertyTags, tags)
#define RESPONSE_SynchronizationConfigure(F, IF, UNLESS, s)

#define REQUEST_SynchronizationImportMessageChange(F, IF, UNLESS, s)                               \
    F(s, u8, ImportFlag, flags)                                                                    \
    F(s, props, PropertyValues, values)
#define RESPONSE_SynchronizationImportMessageChange(F, IF, UNLESS, s)                              \
    F(s, u64, MessageId, message)

#define REQUEST_SynchronizationImportReadStateChanges(F, IF, UNLESS, s)                            \
    F(s, bin16, MessageReadStates, states)
#define RESPONSE_SynchronizationImportReadStateChanges(F, IF, UNLESS, s)

#define REQUEST_SynchronizationImportHierarchyChange(F, IF, UNLESS, s)                             \
    F(s, props, HierarchyValues, hierarchy)                                                        \
    F(s, props, PropertyValues, values)
#define RESPONSE_SynchronizationImportHierarchyChange(F, IF, UNLESS, s)                            \
    F(s, u64, FolderId, folder)

#define REQUEST_SynchronizationImportDeletes(F, IF, UNLESS, s)                                     \
    F(s, u8, ImportDeleteFlags, flags)                                                             \
    F(s, props, PropertyValues, values)
#define RESPONSE_SynchronizationImportDeletes(F, IF, UNLESS, s)

#define REQUEST_SynchronizationImportMessageMove(F, IF, UNLESS, s)                                 \
    F(s, bin32, SourceFolderId, source_folder)                                                     \
    F(s, bin32, SourceMessageId, source_message)                                                   \
    F(s, bin32, PredecessorChangeList, changes)                                                    \
    F(s, bin32, DestinationMessageId, message)                                                     \
    F(s, bin32, ChangeNumber, change)
#define RESPONSE_SynchronizationImportMessageMove(F, IF, UNLESS, s)                                \
    F(s, u64, MessageId, message)

#define REQUEST_SynchronizationOpenCollector(F, IF, UNLESS, s)                                     \
    F(s, u8, IsContentsCollector, contents)
#define RESPONSE_SynchronizationOpenCollector(F, IF, UNLESS, s)

#define REQUEST_SynchronizationGetTransferState(F, IF, UNLESS, s)
#define RESPONSE_SynchronizationGetTransferState(F, IF, UNLESS, s)

#define REQUEST_SynchronizationUploadStateStreamBegin(F, IF, UNLESS, s)                            \
    F(s, u32, StateProperty, property)                                                             \
    F(s, u32, TransferBufferSize, size)
#define RESPONSE_SynchronizationUploadStateStreamBegin(F, IF, UNLESS, s)

#define REQUEST_SynchronizationUploadStateStreamContinue(F, IF, UNLESS, s)                         \
    F(s, bin32, StreamData, data)
#define RESPONSE_SynchronizationUploadStateStreamContinue(F, IF, UNLESS, s)

#define REQUEST_SynchronizationUploadStateStreamEnd(F, IF, UNLESS, s)
#define RESPONSE_SynchronizationUploadStateStreamEnd(F, IF, UNLESS, s)

/* clang-format on */

#endif
