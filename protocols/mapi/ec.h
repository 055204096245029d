/*
 * ec.h - error codes of MAPI ([MS-OXCDATA] 2.4, and where one is given, the section named there).
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_EC_H
#define GATEPOST_PROTOCOLS_MAPI_EC_H

#include "base/err.h"

/*    symbol                  name                            code */
#define MAPI_ECS(X)                                                                                \
    X(EC_SUCCESS, "success", 0x00000000)                                                           \
    X(EC_WARN_ERRORS, "ecWarnWithErrors", 0x00040380)                                              \
    X(EC_PARTIAL_COMPLETION, "ecPartialCompletion", 0x00040680)                                    \
    X(EC_UNKNOWN_USER, "ecUnknownUser", 0x000003EB)                                                \
    X(EC_UNKNOWN_CODEPAGE, "ecUnknownCodePage", 0x000003EF)                                        \
    X(EC_SERVER_OOM, "ecServerOOM", 0x000003F0)                                                    \
    X(EC_LOGIN_PERM, "ecLoginPerm", 0x000003F2)                                                    \
    X(EC_SEARCH_FOLDER, "ecSearchFolder", 0x00000460)                                              \
    X(EC_NOT_SEARCH_FOLDER, "ecNotSearchFolder", 0x00000461)                                       \
    X(EC_PARAMETER_OVERFLOW, "ecParameterOverflow", 0x00000450)                                    \
    X(EC_WRONG_SERVER, "ecWrongServer", 0x00000478)                                                \
    X(EC_BUFFER_TOO_SMALL, "ecBufferTooSmall", 0x0000047D)                                         \
    X(EC_SERVER_BUSY, "ecServerBusy", 0x00000480)                                                  \
    X(EC_SEARCH_SCOPE, "ecSearchFolderScopeViolation", 0x00000490)                                 \
    X(EC_RPC_FORMAT, "ecRpcFormat", 0x000004B6)                                                    \
    X(EC_NULL_OBJECT, "ecNullObject", 0x000004B9)                                                  \
    X(EC_QUOTA_EXCEEDED, "ecQuotaExceeded", 0x000004D9)                                            \
    X(EC_MAX_ATTACHMENTS, "ecMaxAttachmentExceeded", 0x000004DB)                                   \
    X(EC_SEND_AS_DENIED, "ecSendAsDenied", 0x000004DC)                                             \
    X(EC_NOT_EXPANDED, "ecNotExpanded", 0x000004F7)                                                \
    X(EC_NOT_COLLAPSED, "ecNotCollapsed", 0x000004F8)                                              \
    X(EC_NO_CREATE_SUBFOLDER, "ecNoCreateSubfolderRight", 0x00000502)                              \
    X(EC_DEST_NULL_OBJECT, "ecDstNullObject", 0x00000503)                                          \
    X(EC_MESSAGE_CYCLE, "ecMsgCycle", 0x00000504)                                                  \
    X(EC_TOO_MANY_RECIPIENTS, "ecTooManyRecips", 0x00000505)                                       \
    X(EC_SERVER_TOO_BUSY, "RPC_S_SERVER_TOO_BUSY", 0x000006BB)                                     \
    X(EC_BAD_STUB_DATA, "RPC_X_BAD_STUB_DATA", 0x000006F7)                                         \
    X(EC_REJECTED, "ecRejected", 0x000007EE)                                                       \
    X(EC_MAILBOX_DISABLED, "ecMailboxDisabled", 0x0000096C)                                        \
    X(EC_ERROR, "ecError", 0x80004005)                                                             \
    X(EC_NOT_SUPPORTED, "ecNotSupported", 0x80040102)                                              \
    X(EC_INVALID_ENTRY_ID, "ecInvalidEntryId", 0x80040107)                                         \
    X(EC_INVALID_OBJECT, "ecInvalidObject", 0x80040108)                                            \
    X(EC_OBJECT_MODIFIED, "ecObjectModified", 0x80040109)                                          \
    X(EC_OBJECT_DELETED, "ecObjectDeleted", 0x8004010A)                                            \
    X(EC_NOT_FOUND, "ecNotFound", 0x8004010F)                                                      \
    X(EC_LOGIN_FAILURE, "ecLoginFailure", 0x80040111)                                              \
    X(EC_UNABLE_TO_ABORT, "ecUnableToAbort", 0x80040114)                                           \
    X(EC_RPC_FAILED, "ecRpcFailed", 0x80040115)                                                    \
    X(EC_TOO_COMPLEX, "ecTooComplex", 0x80040117)                                                  \
    X(EC_COMPUTED, "ecComputed", 0x8004011A)                                                       \
    X(EC_BAD_VALUE, "ecPropBadValue", 0x80040301)                                                  \
    X(EC_INVALID_TYPE, "ecInvalidType", 0x80040302)                                                \
    X(EC_TYPE_NO_SUPPORT, "ecTypeNotSupported", 0x80040303)                                        \
    X(EC_UNEXPECTED_TYPE, "ecPropType", 0x80040304)                                                \
    X(EC_TOO_BIG, "ecTooBig", 0x80040305)                                                          \
    X(EC_UNEXPECTED_ID, "ecUnexpectedId", 0x80040307)                                              \
    X(EC_STREAM_ACCESS_DENIED, "STG_E_ACCESSDENIED", 0x80030005)                                   \
    X(EC_STREAM_SEEK, "StreamSeekError", 0x80030019)                                               \
    X(EC_STREAM_INVALID_PARAM, "StreamInvalidParam", 0x80030057)                                   \
    X(EC_STREAM_SIZE, "StreamSizeError", 0x80030070)                                               \
    X(EC_TABLE_EMPTY, "ecTableEmpty", 0x80040402)                                                  \
    X(EC_TABLE_TOO_BIG, "ecTableTooBig", 0x80040403)                                               \
    X(EC_INVALID_BOOKMARK, "ecInvalidBookmark", 0x80040405)                                        \
    X(EC_AMBIGUOUS, "ecAmbiguousRecip", 0x80040700)                                                \
    X(EC_NOT_IN_QUEUE, "ecNotInQueue", 0x80040601)                                                 \
    X(EC_DUPLICATE_NAME, "ecDuplicateName", 0x80040604)                                            \
    X(EC_NOT_INITIALIZED, "ecNotInitialized", 0x80040605)                                          \
    X(EC_NO_RECIPIENTS, "ecNoRecipients", 0x80040607)                                              \
    X(EC_SUBMITTED, "ecSubmitted", 0x80040608)                                                     \
    X(EC_FOLDER_CYCLE, "MAPI_E_FOLDER_CYCLE", 0x8004060B)                                          \
    X(EC_NOT_IMPLEMENTED, "ecNotImplemented", 0x80040FFF)                                          \
    X(EC_ACCESS_DENIED, "ecAccessDenied", 0x80070005)                                              \
    X(EC_NOT_ENOUGH_MEMORY, "ecMAPIOOM", 0x8007000E)                                               \
    X(EC_INVALID_PARAMETER, "ecInvalidParam", 0x80070057)                                          \
    X(EC_DISK_FULL, "ecInsufficientResources", 0x8004060C)

enum mapi_ec {
#define EC_AS_ENUM(symbol, name, code) symbol = code,
    MAPI_ECS(EC_AS_ENUM)
#undef EC_AS_ENUM
};

/* What a failure of the store is to a client; EC_SUCCESS of OK. */
uint32_t mapi_ec_of(struct err e);

/* "ecNotFound", for people; NULL where it has no name. */
const char *mapi_ec_name(uint32_t ec);

#endif
