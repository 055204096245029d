/*
 * prop.h - MAPI properties: tags, typed values, and lists of them.
 *
 * A property tag is a 16-bit id and a 16-bit type ([MS-OXCDATA] 2.9). Inside Gatepost a string is
 * UTF-8 whatever its wire form; PtypString8 and PtypString are one kind of value.
 *
 * Threads    Values are plain memory: any thread.
 * Ownership  What a value points to lives in the arena of whoever made it.
 * Units      Times are FILETIME.
 */
#ifndef GATEPOST_STORE_MAPI_PROP_H
#define GATEPOST_STORE_MAPI_PROP_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* [MS-OXCDATA] 2.11.1 */
enum prop_type {
    PROP_UNSPECIFIED = 0x0000,
    PROP_NULL = 0x0001,
    PROP_INT16 = 0x0002,
    PROP_INT32 = 0x0003,
    PROP_FLOAT32 = 0x0004,
    PROP_FLOAT64 = 0x0005,
    PROP_CURRENCY = 0x0006,
    PROP_APPTIME = 0x0007, /* days since 1899-12-30, as a float64 */
    PROP_ERROR = 0x000A,
    PROP_BOOLEAN = 0x000B,
    PROP_OBJECT = 0x000D,
    PROP_INT64 = 0x0014,
    PROP_STRING8 = 0x001E,
    PROP_STRING = 0x001F,
    PROP_TIME = 0x0040,
    PROP_GUID = 0x0048,
    PROP_SERVER_ID = 0x00FB,
    PROP_RESTRICTION = 0x00FD, /* this and the next: bytes as they came, for nobody but clients */
    PROP_RULE_ACTION = 0x00FE,
    PROP_BINARY = 0x0102,
    PROP_MULTIPLE = 0x1000, /* or'ed to one of the above */
};

struct prop_value {
    union {
        int64_t number; /* integers, currency, error codes; booleans as 0 or 1 */
        uint64_t time;
        double real;
        struct slice bytes; /* strings, binary and its like, GUIDs (16 bytes, as on the wire) */
        struct {
            const struct prop_value *items;
            size_t n;
        } many;
    };
};

struct prop {
    uint32_t tag;
    struct prop_value value;
};

#define PROP_TAG(id, type) ((uint32_t)(id) << 16 | (uint32_t)(type))

static inline uint16_t prop_id(uint32_t tag)
{
    return (uint16_t)(tag >> 16);
}

static inline uint16_t prop_type(uint32_t tag)
{
    return (uint16_t)tag;
}

/* Text in 8 bits is kept as Unicode: PtypString for PtypString8, and the same of many. */
static inline uint32_t prop_as_unicode(uint32_t tag)
{
    bool narrow = (prop_type(tag) & ~PROP_MULTIPLE) == PROP_STRING8;

    return narrow ? tag + (PROP_STRING - PROP_STRING8) : tag;
}

/* The properties that Gatepost knows by name ([MS-OXPROPS]).
 *
 *    symbol                       tag         name (without "PidTag") */
#define PROP_TAGS(X)                                                                               \
    X(PR_EXPIRY_TIME, 0x00150040, "ExpiryTime")                                                    \
    X(PR_IMPORTANCE, 0x00170003, "Importance")                                                     \
    X(PR_MESSAGE_CLASS, 0x001A001F, "MessageClass")                                                \
    X(PR_DELIVERY_REPORT_REQUESTED, 0x0023000B, "OriginatorDeliveryReportRequested")               \
    X(PR_PRIORITY, 0x00260003, "Priority")                                                         \
    X(PR_READ_RECEIPT_REQUESTED, 0x0029000B, "ReadReceiptRequested")                               \
    X(PR_REPLY_TIME, 0x00300040, "ReplyTime")                                                      \
    X(PR_SENSITIVITY, 0x00360003, "Sensitivity")                                                   \
    X(PR_SUBJECT, 0x0037001F, "Subject")                                                           \
    X(PR_CLIENT_SUBMIT_TIME, 0x00390040, "ClientSubmitTime")                                       \
    X(PR_SENT_REPRESENTING_SEARCH_KEY, 0x003B0102, "SentRepresentingSearchKey")                    \
    X(PR_SUBJECT_PREFIX, 0x003D001F, "SubjectPrefix")                                              \
    X(PR_SENT_REPRESENTING_ENTRY_ID, 0x00410102, "SentRepresentingEntryId")                        \
    X(PR_SENT_REPRESENTING_NAME, 0x0042001F, "SentRepresentingName")                               \
    X(PR_REPLY_RECIPIENT_ENTRIES, 0x004F0102, "ReplyRecipientEntries")                             \
    X(PR_REPLY_RECIPIENT_NAMES, 0x0050001F, "ReplyRecipientNames")                                 \
    X(PR_SENT_REPRESENTING_ADDRESS_TYPE, 0x0064001F, "SentRepresentingAddressType")                \
    X(PR_SENT_REPRESENTING_EMAIL, 0x0065001F, "SentRepresentingEmailAddress")                      \
    X(PR_CONVERSATION_TOPIC, 0x0070001F, "ConversationTopic")                                      \
    X(PR_CONVERSATION_INDEX, 0x00710102, "ConversationIndex")                                      \
    X(PR_TRANSPORT_HEADERS, 0x007D001F, "TransportMessageHeaders")                                 \
    X(PR_NON_RECEIPT_REQUESTED, 0x0C06000B, "NonReceiptNotificationRequested")                     \
    X(PR_RECIPIENT_TYPE, 0x0C150003, "RecipientType")                                              \
    X(PR_SENDER_ENTRY_ID, 0x0C190102, "SenderEntryId")                                             \
    X(PR_SENDER_NAME, 0x0C1A001F, "SenderName")                                                    \
    X(PR_SENDER_SEARCH_KEY, 0x0C1D0102, "SenderSearchKey")                                         \
    X(PR_SENDER_ADDRESS_TYPE, 0x0C1E001F, "SenderAddressType")                                     \
    X(PR_SENDER_EMAIL, 0x0C1F001F, "SenderEmailAddress")                                           \
    X(PR_DISPLAY_BCC, 0x0E02001F, "DisplayBcc")                                                    \
    X(PR_DISPLAY_CC, 0x0E03001F, "DisplayCc")                                                      \
    X(PR_DISPLAY_TO, 0x0E04001F, "DisplayTo")                                                      \
    X(PR_DELIVERY_TIME, 0x0E060040, "MessageDeliveryTime")                                         \
    X(PR_MESSAGE_FLAGS, 0x0E070003, "MessageFlags")                                                \
    X(PR_MESSAGE_SIZE, 0x0E080003, "MessageSize")                                                  \
    X(PR_MESSAGE_SIZE_EXTENDED, 0x0E080014, "MessageSizeExtended")                                 \
    X(PR_PARENT_ENTRY_ID, 0x0E090102, "ParentEntryId")                                             \
    X(PR_RESPONSIBILITY, 0x0E0F000B, "Responsibility")                                             \
    X(PR_MESSAGE_STATUS, 0x0E170003, "MessageStatus")                                              \
    X(PR_HAS_ATTACHMENTS, 0x0E1B000B, "HasAttachments")                                            \
    X(PR_NORMALIZED_SUBJECT, 0x0E1D001F, "NormalizedSubject")                                      \
    X(PR_ATTACH_SIZE, 0x0E200003, "AttachSize")                                                    \
    X(PR_ATTACH_NUMBER, 0x0E210003, "AttachNumber")                                                \
    X(PR_INTERNET_ARTICLE_NUMBER, 0x0E230003, "InternetArticleNumber")                             \
    X(PR_TODO_ITEM_FLAGS, 0x0E2B0003, "ToDoItemFlags")                                             \
    X(PR_READ, 0x0E69000B, "Read")                                                                 \
    X(PR_ACCESS, 0x0FF40003, "Access")                                                             \
    X(PR_INSTANCE_KEY, 0x0FF60102, "InstanceKey")                                                  \
    X(PR_ACCESS_LEVEL, 0x0FF70003, "AccessLevel")                                                  \
    X(PR_MAPPING_SIGNATURE, 0x0FF80102, "MappingSignature")                                        \
    X(PR_RECORD_KEY, 0x0FF90102, "RecordKey")                                                      \
    X(PR_STORE_RECORD_KEY, 0x0FFA0102, "StoreRecordKey")                                           \
    X(PR_OBJECT_TYPE, 0x0FFE0003, "ObjectType")                                                    \
    X(PR_ENTRY_ID, 0x0FFF0102, "EntryId")                                                          \
    X(PR_BODY, 0x1000001F, "Body")                                                                 \
    X(PR_RTF_COMPRESSED, 0x10090102, "RtfCompressed")                                              \
    X(PR_HTML, 0x10130102, "Html")                                                                 \
    X(PR_NATIVE_BODY, 0x10160003, "NativeBody")                                                    \
    X(PR_INTERNET_MESSAGE_ID, 0x1035001F, "InternetMessageId")                                     \
    X(PR_INTERNET_REFERENCES, 0x1039001F, "InternetReferences")                                    \
    X(PR_IN_REPLY_TO_ID, 0x1042001F, "InReplyToId")                                                \
    X(PR_LIST_HELP, 0x1043001F, "ListHelp")                                                        \
    X(PR_LIST_SUBSCRIBE, 0x1044001F, "ListSubscribe")                                              \
    X(PR_LIST_UNSUBSCRIBE, 0x1045001F, "ListUnsubscribe")                                          \
    X(PR_ICON_INDEX, 0x10800003, "IconIndex")                                                      \
    X(PR_LAST_VERB_EXECUTED, 0x10810003, "LastVerbExecuted")                                       \
    X(PR_LAST_VERB_TIME, 0x10820040, "LastVerbExecutionTime")                                      \
    X(PR_FLAG_STATUS, 0x10900003, "FlagStatus")                                                    \
    X(PR_FLAG_COMPLETE_TIME, 0x10910040, "FlagCompleteTime")                                       \
    X(PR_FOLLOWUP_ICON, 0x10950003, "FollowupIcon")                                                \
    X(PR_ATTRIBUTE_HIDDEN, 0x10F4000B, "AttributeHidden")                                          \
    X(PR_ROWID, 0x30000003, "Rowid")                                                               \
    X(PR_CONVERSATION_ID, 0x30130102, "ConversationId")                                            \
    X(PR_CONVERSATION_INDEX_TRACKING, 0x3016000B, "ConversationIndexTracking")                     \
    X(PR_DISPLAY_NAME, 0x3001001F, "DisplayName")                                                  \
    X(PR_ADDRESS_TYPE, 0x3002001F, "AddressType")                                                  \
    X(PR_EMAIL_ADDRESS, 0x3003001F, "EmailAddress")                                                \
    X(PR_COMMENT, 0x3004001F, "Comment")                                                           \
    X(PR_CREATION_TIME, 0x30070040, "CreationTime")                                                \
    X(PR_LAST_MODIFICATION_TIME, 0x30080040, "LastModificationTime")                               \
    X(PR_SEARCH_KEY, 0x300B0102, "SearchKey")                                                      \
    X(PR_IPM_SUBTREE_ENTRY_ID, 0x35E00102, "IpmSubtreeEntryId")                                    \
    X(PR_IPM_OUTBOX_ENTRY_ID, 0x35E20102, "IpmOutboxEntryId")                                      \
    X(PR_IPM_WASTEBASKET_ENTRY_ID, 0x35E30102, "IpmWastebasketEntryId")                            \
    X(PR_IPM_SENTMAIL_ENTRY_ID, 0x35E40102, "IpmSentMailEntryId")                                  \
    X(PR_VIEWS_ENTRY_ID, 0x35E50102, "ViewsEntryId")                                               \
    X(PR_COMMON_VIEWS_ENTRY_ID, 0x35E60102, "CommonViewsEntryId")                                  \
    X(PR_FINDER_ENTRY_ID, 0x35E70102, "FinderEntryId")                                             \
    X(PR_FOLDER_TYPE, 0x36010003, "FolderType")                                                    \
    X(PR_CONTENT_COUNT, 0x36020003, "ContentCount")                                                \
    X(PR_CONTENT_UNREAD_COUNT, 0x36030003, "ContentUnreadCount")                                   \
    X(PR_SUBFOLDERS, 0x360A000B, "Subfolders")                                                     \
    X(PR_CONTAINER_CLASS, 0x3613001F, "ContainerClass")                                            \
    X(PR_ASSOCIATED_COUNT, 0x36170003, "AssociatedContentCount")                                   \
    X(PR_IPM_APPOINTMENT_ENTRY_ID, 0x36D00102, "IpmAppointmentEntryId")                            \
    X(PR_IPM_CONTACT_ENTRY_ID, 0x36D10102, "IpmContactEntryId")                                    \
    X(PR_IPM_JOURNAL_ENTRY_ID, 0x36D20102, "IpmJournalEntryId")                                    \
    X(PR_IPM_NOTE_ENTRY_ID, 0x36D30102, "IpmNoteEntryId")                                          \
    X(PR_IPM_TASK_ENTRY_ID, 0x36D40102, "IpmTaskEntryId")                                          \
    X(PR_IPM_DRAFTS_ENTRY_ID, 0x36D70102, "IpmDraftsEntryId")                                      \
    X(PR_ADDITIONAL_REN_ENTRY_IDS, 0x36D81102, "AdditionalRenEntryIds")                            \
    X(PR_ATTACH_DATA, 0x37010102, "AttachDataBinary")                                              \
    X(PR_ATTACH_EXTENSION, 0x3703001F, "AttachExtension")                                          \
    X(PR_ATTACH_FILENAME, 0x3704001F, "AttachFilename")                                            \
    X(PR_ATTACH_METHOD, 0x37050003, "AttachMethod")                                                \
    X(PR_ATTACH_LONG_FILENAME, 0x3707001F, "AttachLongFilename")                                   \
    X(PR_RENDERING_POSITION, 0x370B0003, "RenderingPosition")                                      \
    X(PR_ATTACH_MIME_TAG, 0x370E001F, "AttachMimeTag")                                             \
    X(PR_ATTACH_CONTENT_ID, 0x3712001F, "AttachContentId")                                         \
    X(PR_ATTACH_CONTENT_LOCATION, 0x3713001F, "AttachContentLocation")                             \
    X(PR_ATTACH_FLAGS, 0x37140003, "AttachFlags")                                                  \
    X(PR_DISPLAY_TYPE, 0x39000003, "DisplayType")                                                  \
    X(PR_SMTP_ADDRESS, 0x39FE001F, "SmtpAddress")                                                  \
    X(PR_INTERNET_CODEPAGE, 0x3FDE0003, "InternetCodepage")                                        \
    X(PR_AUTO_RESPONSE_SUPPRESS, 0x3FDF0003, "AutoResponseSuppress")                               \
    X(PR_SENDER_SMTP_ADDRESS, 0x5D01001F, "SenderSmtpAddress")                                     \
    X(PR_SENT_REPRESENTING_SMTP, 0x5D02001F, "SentRepresentingSmtpAddress")                        \
    X(PR_SOURCE_KEY, 0x65E00102, "SourceKey")                                                      \
    X(PR_PARENT_SOURCE_KEY, 0x65E10102, "ParentSourceKey")                                         \
    X(PR_CHANGE_KEY, 0x65E20102, "ChangeKey")                                                      \
    X(PR_PREDECESSOR_CHANGE_LIST, 0x65E30102, "PredecessorChangeList")                             \
    X(PR_RIGHTS, 0x66390003, "Rights")                                                             \
    X(PR_HIERARCHY_CHANGE, 0x663E0003, "HierarchyChangeNumber")                                    \
    X(PR_DELETED_ON, 0x668F0040, "DeletedOn")                                                      \
    X(PR_LOCAL_COMMIT_TIME, 0x67090040, "LocalCommitTime")                                         \
    X(PR_LOCAL_COMMIT_TIME_MAX, 0x670A0040, "LocalCommitTimeMax")                                  \
    X(PR_DELETED_COUNT_TOTAL, 0x670B0003, "DeletedCountTotal")                                     \
    X(PR_FOLDER_ID, 0x67480014, "FolderId")                                                        \
    X(PR_PARENT_FOLDER_ID, 0x67490014, "ParentFolderId")                                           \
    X(PR_MID, 0x674A0014, "Mid")                                                                   \
    X(PR_INST_ID, 0x674D0014, "InstID")                                                            \
    X(PR_INSTANCE_NUM, 0x674E0003, "InstanceNum")                                                  \
    X(PR_ARTICLE_NUMBER_NEXT, 0x67510003, "InternetArticleNumberNext")                             \
    X(PR_CHANGE_NUMBER, 0x67A40014, "ChangeNumber")                                                \
    X(PR_ASSOCIATED, 0x67AA000B, "Associated")                                                     \
    X(PR_ATTACHMENT_HIDDEN, 0x7FFE000B, "AttachmentHidden")

enum prop_known_tag {
#define PROP_AS_ENUM(symbol, tag, name) symbol = tag,
    PROP_TAGS(PROP_AS_ENUM)
#undef PROP_AS_ENUM
};

/* "PidTagSubject", or NULL where the tag is not one of the above. */
const char *prop_name(uint32_t tag);

/* The tag of "PidTagSubject", in any case. False: not one of the above. */
bool prop_tag_of_name(struct slice name, uint32_t *tag);

/* "PtypString", ... */
const char *prop_type_name(uint16_t type);

/* A list that grows in an arena. */
struct prop_list {
    struct arena *in;
    struct prop *items;
    size_t n, cap;
};

void prop_add(struct prop_list *list, uint32_t tag, struct prop_value value);
void prop_add_number(struct prop_list *list, uint32_t tag, int64_t number);
void prop_add_time(struct prop_list *list, uint32_t tag, uint64_t time);
/* Strings and binary; the bytes are not copied. */
void prop_add_bytes(struct prop_list *list, uint32_t tag, struct slice bytes);

/* The property of that id, whatever its type; NULL: it is not in the list. */
const struct prop *prop_find(const struct prop_list *list, uint16_t id);

/*
 * Can a property of this type be stored? PtypObject cannot (it is what hangs on an attachment), nor
 * PtypUnspecified.
 */
bool prop_type_is_stored(uint16_t type);

/* Are single values of it, or each of many, text or bytes? */
bool prop_type_has_bytes(uint16_t type);

/*
 * Is this a value of its type? GUIDs have 16 bytes, text is UTF-8 without NUL. ERR_UNSUPPORTED: a
 * type that cannot be stored; ERR_INVALID: something else.
 */
struct err prop_check(uint16_t type, const struct prop_value *value) MUST_USE;

/* The same value, with all that it points to in the arena. */
struct prop_value prop_copy(uint16_t type, const struct prop_value *value,
                            struct arena *in) MUST_USE;

/*
 * The value as bytes that can be stored, and back. Little-endian, counts as varints (varint.h);
 * not a wire form of any protocol. ERR_UNSUPPORTED: a type that cannot be stored; ERR_CORRUPT: not
 * such bytes. prop_take() takes the value off the front of *bytes.
 */
struct err prop_encode(uint16_t type, const struct prop_value *value, struct buf *out) MUST_USE;
struct err prop_take(uint16_t type, struct slice *bytes, struct arena *in,
                     struct prop_value *out) MUST_USE;
struct err prop_decode(uint16_t type, struct slice bytes, struct arena *in,
                       struct prop_value *out) MUST_USE;

/* For people: text as it is (escaped, cut at `width`), binary in hex, times in RFC 3339. */
void prop_print(uint16_t type, const struct prop_value *value, size_t width, struct buf *out);

#endif
