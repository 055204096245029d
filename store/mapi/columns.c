#include "store/mapi/columns.h"

#include "base/varint.h"
#include "store/mapi/oxcmail_int.h"

enum {
    VERSION = 1,
    TOO_LONG = 0x80,
    VALUE_MOST = 1024, /* longer ones are rare, and cost every reader of the others */
};

_Static_assert((int)COLUMN_COUNT <= 64, "a column is a bit");

/* How a property is made of its column. */
enum making {
    AS_IT_IS,
    PREFIX, /* of a subject, */
    REST,   /* and what is behind it */
    NUMBER,
    LESS_ONE,
    TIME,
    MINUS_ONE,
    SMTP, /* the type of every address */
    SEARCH_KEY,
    ENTRY_ID, /* of the name that is in the column before it */
    BYTES,    /* not kept here */
};

struct rule {
    uint32_t tag;
    enum making making;
    enum column column;
};

/* clang-format off */
static const struct rule rules[] = {
    {PR_MESSAGE_CLASS,                  AS_IT_IS,   COLUMN_CLASS},
    {PR_SUBJECT,                        AS_IT_IS,   COLUMN_SUBJECT},
    {PR_SUBJECT_PREFIX,                 PREFIX,     COLUMN_SUBJECT},
    {PR_NORMALIZED_SUBJECT,             REST,       COLUMN_SUBJECT},
    {PR_CONVERSATION_TOPIC,             AS_IT_IS,   COLUMN_TOPIC},
    {PR_CONVERSATION_INDEX,             AS_IT_IS,   COLUMN_THREAD},
    {PR_SENT_REPRESENTING_NAME,         AS_IT_IS,   COLUMN_FROM_NAME},
    {PR_SENT_REPRESENTING_ADDRESS_TYPE, SMTP,       COLUMN_FROM_EMAIL},
    {PR_SENT_REPRESENTING_EMAIL,        AS_IT_IS,   COLUMN_FROM_EMAIL},
    {PR_SENT_REPRESENTING_SMTP,         AS_IT_IS,   COLUMN_FROM_EMAIL},
    {PR_SENT_REPRESENTING_SEARCH_KEY,   SEARCH_KEY, COLUMN_FROM_EMAIL},
    {PR_SENT_REPRESENTING_ENTRY_ID,     ENTRY_ID,   COLUMN_FROM_EMAIL},
    {PR_SENDER_NAME,                    AS_IT_IS,   COLUMN_SENDER_NAME},
    {PR_SENDER_ADDRESS_TYPE,            SMTP,       COLUMN_SENDER_EMAIL},
    {PR_SENDER_EMAIL,                   AS_IT_IS,   COLUMN_SENDER_EMAIL},
    {PR_SENDER_SMTP_ADDRESS,            AS_IT_IS,   COLUMN_SENDER_EMAIL},
    {PR_SENDER_SEARCH_KEY,              SEARCH_KEY, COLUMN_SENDER_EMAIL},
    {PR_SENDER_ENTRY_ID,                ENTRY_ID,   COLUMN_SENDER_EMAIL},
    {PR_DISPLAY_TO,                     AS_IT_IS,   COLUMN_TO},
    {PR_DISPLAY_CC,                     AS_IT_IS,   COLUMN_CC},
    {PR_DISPLAY_BCC,                    AS_IT_IS,   COLUMN_BCC},
    {PR_CLIENT_SUBMIT_TIME,             TIME,       COLUMN_SUBMITTED},
    {PR_IMPORTANCE,                     NUMBER,     COLUMN_IMPORTANCE},
    {PR_PRIORITY,                       LESS_ONE,   COLUMN_IMPORTANCE},
    {PR_SENSITIVITY,                    NUMBER,     COLUMN_SENSITIVITY},
    {PR_READ_RECEIPT_REQUESTED,         NUMBER,     COLUMN_READ_RECEIPT},
    {PR_DELIVERY_REPORT_REQUESTED,      NUMBER,     COLUMN_DELIVERY_REPORT},
    {PR_AUTO_RESPONSE_SUPPRESS,         MINUS_ONE,  COLUMN_AUTOMATIC},
    {PR_INTERNET_MESSAGE_ID,            AS_IT_IS,   COLUMN_MESSAGE_ID},
    {PR_IN_REPLY_TO_ID,                 AS_IT_IS,   COLUMN_IN_REPLY_TO},
    {PR_NATIVE_BODY,                    NUMBER,     COLUMN_NATIVE_BODY},
    {PR_INTERNET_CODEPAGE,              NUMBER,     COLUMN_CODEPAGE},
    {PR_INTERNET_REFERENCES,            BYTES,      COLUMN_NONE},
    {PR_REPLY_RECIPIENT_ENTRIES,        BYTES,      COLUMN_NONE},
    {PR_REPLY_RECIPIENT_NAMES,          BYTES,      COLUMN_NONE},
    {PR_LIST_HELP,                      BYTES,      COLUMN_NONE},
    {PR_LIST_SUBSCRIBE,                 BYTES,      COLUMN_NONE},
    {PR_LIST_UNSUBSCRIBE,               BYTES,      COLUMN_NONE},
    {PR_TRANSPORT_HEADERS,              BYTES,      COLUMN_NONE},
    {PR_BODY,                           BYTES,      COLUMN_NONE},
    {PR_HTML,                           BYTES,      COLUMN_NONE},
};

/* What each column is kept of. */
static const uint32_t kept_of[COLUMN_COUNT] = {
    [COLUMN_CLASS] = PR_MESSAGE_CLASS,
    [COLUMN_SUBJECT] = PR_SUBJECT,
    [COLUMN_TOPIC] = PR_CONVERSATION_TOPIC,
    [COLUMN_THREAD] = PR_CONVERSATION_INDEX,
    [COLUMN_FROM_NAME] = PR_SENT_REPRESENTING_NAME,
    [COLUMN_FROM_EMAIL] = PR_SENT_REPRESENTING_EMAIL,
    [COLUMN_SENDER_NAME] = PR_SENDER_NAME,
    [COLUMN_SENDER_EMAIL] = PR_SENDER_EMAIL,
    [COLUMN_TO] = PR_DISPLAY_TO,
    [COLUMN_CC] = PR_DISPLAY_CC,
    [COLUMN_BCC] = PR_DISPLAY_BCC,
    [COLUMN_SUBMITTED] = PR_CLIENT_SUBMIT_TIME,
    [COLUMN_IMPORTANCE] = PR_IMPORTANCE,
    [COLUMN_SENSITIVITY] = PR_SENSITIVITY,
    [COLUMN_READ_RECEIPT] = PR_READ_RECEIPT_REQUESTED,
    [COLUMN_DELIVERY_REPORT] = PR_DELIVERY_REPORT_REQUESTED,
    [COLUMN_AUTOMATIC] = PR_AUTO_RESPONSE_SUPPRESS,
    [COLUMN_MESSAGE_ID] = PR_INTERNET_MESSAGE_ID,
    [COLUMN_IN_REPLY_TO] = PR_IN_REPLY_TO_ID,
    [COLUMN_NATIVE_BODY] = PR_NATIVE_BODY,
    [COLUMN_CODEPAGE] = PR_INTERNET_CODEPAGE,
};
/* clang-format on */

/* What stands for a column that is not written down, for it would be the same; COLUMN_NONE. */
static enum column stands_for(enum column column)
{
    switch (column) {
    case COLUMN_TOPIC:
        return COLUMN_SUBJECT; /* without its prefix */
    case COLUMN_SENDER_NAME:
        return COLUMN_FROM_NAME;
    case COLUMN_SENDER_EMAIL:
        return COLUMN_FROM_EMAIL;
    default:
        return COLUMN_NONE;
    }
}

static struct slice without_prefix(struct slice subject)
{
    return slice_from(subject, oxcmail_subject_prefix(subject));
}

/* ---- writing ---- */

static bool is_implied(const struct prop_list *derived, enum column column, struct slice value)
{
    enum column other = stands_for(column);
    const struct prop *p =
        other == COLUMN_NONE ? NULL : prop_find(derived, prop_id(kept_of[other]));

    if (!p)
        return false;
    return slice_eq(value,
                    column == COLUMN_TOPIC ? without_prefix(p->value.bytes) : p->value.bytes);
}

static void put_value(struct buf *out, enum column column, struct slice value)
{
    buf_putc(out, (uint8_t)(value.len > VALUE_MOST ? column | TOO_LONG : column));
    varint_put_slice(out, value.len > VALUE_MOST ? SLICE_EMPTY : value);
}

static void put_number(struct buf *out, enum column column, uint64_t n)
{
    struct buf bytes = buf_make(16);

    varint_put(&bytes, n);
    put_value(out, column, buf_slice(&bytes));
    buf_done(&bytes);
}

static void put_column(struct buf *out, const struct prop_list *derived, enum column column)
{
    const struct prop *p = prop_find(derived, prop_id(kept_of[column]));

    if (!p)
        return;
    if (prop_type(p->tag) == PROP_TIME)
        put_number(out, column, p->value.time);
    else if (!prop_type_has_bytes(prop_type(p->tag)))
        put_number(out, column, (uint64_t)p->value.number);
    else if (!is_implied(derived, column, p->value.bytes))
        put_value(out, column, p->value.bytes);
}

void columns_encode(const struct prop_list *derived, struct buf *out)
{
    buf_putc(out, VERSION);
    for (enum column i = 0; i < COLUMN_COUNT; i++)
        put_column(out, derived, i);
}

/* ---- reading ---- */

bool columns_decode(struct slice bytes, struct mail_columns *out)
{
    struct mail_columns c = {.there = 0};

    if (bytes.len == 0 || bytes.ptr[0] != VERSION)
        return false;
    bytes = slice_from(bytes, 1);
    while (bytes.len > 0) {
        uint8_t column = bytes.ptr[0] & (uint8_t)~TOO_LONG;
        uint64_t *set = bytes.ptr[0] & TOO_LONG ? &c.too_long : &c.there;

        bytes = slice_from(bytes, 1);
        if (column >= COLUMN_COUNT || !varint_take_slice(&bytes, &c.at[column]))
            return false;
        *set |= 1ull << column;
    }
    *out = c;
    return true;
}

static const struct rule *find_rule(uint16_t id)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (prop_id(rules[i].tag) == id)
            return &rules[i];
    return NULL;
}

bool columns_are_derived(uint16_t id)
{
    return find_rule(id) != NULL;
}

static bool has(uint64_t set, enum column column)
{
    return column < COLUMN_COUNT && set >> column & 1;
}

/* The value of a column, or of what stands for it. */
static enum column_answer find_value(const struct mail_columns *c, enum column column,
                                     struct slice *out)
{
    if (has(c->too_long, column))
        return COLUMN_ELSEWHERE;
    if (!has(c->there, column)) {
        enum column other = stands_for(column);

        if (!has(c->there, other))
            return has(c->too_long, other) ? COLUMN_ELSEWHERE : COLUMN_IS_NOT;
        *out = column == COLUMN_TOPIC ? without_prefix(c->at[other]) : c->at[other];
        return COLUMN_IS;
    }
    *out = c->at[column];
    return COLUMN_IS;
}

static uint64_t number_in(struct slice bytes)
{
    uint64_t n;

    return varint_take(&bytes, &n) ? n : 0;
}

/* The column before that of an address has its name. */
static enum column_answer give_entry_id(const struct mail_columns *c, const struct rule *rule,
                                        struct slice email, struct arena *in, struct prop *out)
{
    struct slice name;
    enum column_answer answer = find_value(c, rule->column - 1, &name);

    if (answer == COLUMN_IS)
        out->value.bytes = oxcmail_one_off(in, name, email);
    return answer;
}

static enum column_answer make(const struct mail_columns *c, const struct rule *rule,
                               struct slice value, struct arena *in, struct prop *out)
{
    switch (rule->making) {
    case AS_IT_IS:
        out->value.bytes = value;
        break;
    case PREFIX:
        out->value.bytes = slice_head(value, oxcmail_subject_prefix(value));
        break;
    case REST:
        out->value.bytes = without_prefix(value);
        break;
    case NUMBER:
        out->value.number = (int64_t)number_in(value);
        break;
    case LESS_ONE:
        out->value.number = (int64_t)number_in(value) - 1;
        break;
    case TIME:
        out->value.time = number_in(value);
        break;
    case MINUS_ONE:
        out->value.number = -1;
        break;
    case SMTP:
        out->value.bytes = S("SMTP");
        break;
    case SEARCH_KEY:
        out->value.bytes = oxcmail_search_key(in, value);
        break;
    case ENTRY_ID:
        return give_entry_id(c, rule, value, in, out);
    case BYTES:
        return COLUMN_ELSEWHERE;
    }
    return COLUMN_IS;
}

enum column_answer columns_get(const struct mail_columns *c, uint16_t id, struct arena *in,
                               struct prop *out)
{
    const struct rule *rule = find_rule(id);
    struct slice value = SLICE_EMPTY;

    if (!rule)
        return COLUMN_IS_NOT;
    if (rule->making == BYTES)
        return COLUMN_ELSEWHERE;
    enum column_answer answer = find_value(c, rule->column, &value);
    struct prop made = {.tag = rule->tag};

    if (answer == COLUMN_IS)
        answer = make(c, rule, value, in, &made);
    if (answer == COLUMN_IS)
        *out = made;
    return answer;
}
