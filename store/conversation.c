/* conversation.c - which conversation a message is in ([MS-OXOMSG] 2.2.1.2). */
#include <openssl/evp.h>
#include <unicode/uchar.h>
#include <unicode/ustring.h>

#include "store/object_int.h"

enum { TOPIC_MAX = 255, GUID_AT = 6, GUID_BYTES = 16, INDEX_MIN = GUID_AT + GUID_BYTES };

/* The GUID in PidTagConversationIndex, where that is what tells. */
static bool of_index(struct store_object *o, struct prop_value *out)
{
    struct store_prop tracked, index;

    if (failed(store_object_get(o, PR_CONVERSATION_INDEX_TRACKING, &tracked)) ||
        !tracked.value.number || failed(store_object_get(o, PR_CONVERSATION_INDEX, &index)) ||
        index.large || index.value.bytes.len < INDEX_MIN || index.value.bytes.ptr[0] != 1)
        return false;
    out->bytes = slice_sub(index.value.bytes, GUID_AT, GUID_BYTES);
    return true;
}

static struct slice digest(struct arena *in, const void *bytes, size_t len)
{
    uint8_t md[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    if (EVP_Digest(bytes, len, md, &n, EVP_md5(), NULL) != 1 || n != GUID_BYTES)
        return SLICE_EMPTY;
    return arena_slice(in, slice_of(md, n));
}

/* MD5 of its first characters in UTF-16, each in upper case whatever the locale. */
static struct slice of_topic(struct arena *in, struct slice topic)
{
    UChar *text = arena_array(in, topic.len + 1, sizeof *text);
    UErrorCode status = U_ZERO_ERROR;
    int32_t n = 0;

    u_strFromUTF8WithSub(text, (int32_t)topic.len + 1, &n, (const char *)topic.ptr,
                         (int32_t)topic.len, 0xFFFD, NULL, &status);
    if (U_FAILURE(status))
        return SLICE_EMPTY;
    n = n < TOPIC_MAX ? n : TOPIC_MAX;
    for (int32_t i = 0; i < n; i++)
        text[i] = (UChar)u_toupper(text[i]);
    return digest(in, text, sizeof *text * (size_t)n);
}

struct err conversation_id(struct store_object *o, uint32_t tag, struct prop_value *out)
{
    struct store_prop topic;

    (void)tag;
    if (of_index(o, out))
        return OK;
    struct err e = store_object_get(o, PR_CONVERSATION_TOPIC, &topic);

    if (failed(e))
        return e;
    if (topic.large || topic.value.bytes.len == 0)
        return ERR(ERR_NOT_FOUND, "a message without a topic is in no conversation");
    out->bytes = of_topic(o->in, topic.value.bytes);
    return out->bytes.len ? OK : ERR(ERR_NOT_FOUND, "a topic that has no digest");
}
