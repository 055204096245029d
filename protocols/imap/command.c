#include "protocols/imap/command.h"

#include "protocols/imap/handlers.h"

/* clang-format off */
const struct imap_command imap_commands[] = {
    /* name, states, capability, handler, flags, usage, section, literals */
    {"CAPABILITY", STATE_ANY, NULL, imap_cmd_capability, 0,
        "", "RFC 9051 6.1.1", NULL},
    {"NOOP", STATE_ANY, NULL, imap_cmd_noop, 0,
        "", "RFC 9051 6.1.2", NULL},
    {"LOGOUT", STATE_ANY, NULL, imap_cmd_logout, CMD_NO_SYNC,
        "", "RFC 9051 6.1.3", NULL},
    {"ID", STATE_ANY, "ID", imap_cmd_id, 0,
        "NIL or (field value ...)", "RFC 2971 3.1", NULL},

    {"STARTTLS", STATE_NOT_AUTHENTICATED, "STARTTLS", imap_cmd_starttls, CMD_NO_SYNC,
        "", "RFC 9051 6.2.1", NULL},
    {"AUTHENTICATE", STATE_NOT_AUTHENTICATED, NULL, imap_cmd_authenticate, CMD_NO_SYNC,
        "mechanism [initial-response]", "RFC 9051 6.2.2, RFC 4959", NULL},
    {"LOGIN", STATE_NOT_AUTHENTICATED, NULL, imap_cmd_login, CMD_NO_SYNC,
        "user password", "RFC 9051 6.2.3", NULL},

    {"ENABLE", STATE_LOGGED_ON, "ENABLE", imap_cmd_enable, CMD_NO_SYNC,
        "capability ...", "RFC 9051 6.3.1", NULL},
    {"SELECT", STATE_LOGGED_ON, NULL, imap_cmd_select, CMD_NO_SYNC,
        "mailbox [(parameters)]", "RFC 9051 6.3.2, RFC 7162 3.1.8, 3.2.5", NULL},
    {"EXAMINE", STATE_LOGGED_ON, NULL, imap_cmd_examine, CMD_NO_SYNC,
        "mailbox [(parameters)]", "RFC 9051 6.3.3", NULL},
    {"CREATE", STATE_LOGGED_ON, NULL, imap_cmd_create, 0,
        "mailbox [(USE (attributes))]", "RFC 9051 6.3.4, RFC 6154 3, RFC 8474 4.1", NULL},
    {"DELETE", STATE_LOGGED_ON, NULL, imap_cmd_delete, 0,
        "mailbox", "RFC 9051 6.3.5", NULL},
    {"RENAME", STATE_LOGGED_ON, NULL, imap_cmd_rename, 0,
        "mailbox new-name", "RFC 9051 6.3.6", NULL},
    {"SUBSCRIBE", STATE_LOGGED_ON, NULL, imap_cmd_subscribe, 0,
        "mailbox", "RFC 9051 6.3.7", NULL},
    {"UNSUBSCRIBE", STATE_LOGGED_ON, NULL, imap_cmd_unsubscribe, 0,
        "mailbox", "RFC 9051 6.3.8", NULL},
    {"LIST", STATE_LOGGED_ON, NULL, imap_cmd_list, 0,
        "[(selection)] reference pattern or (patterns) [RETURN (options)]",
        "RFC 9051 6.3.9, RFC 5258, RFC 5819, RFC 6154", NULL},
    {"LSUB", STATE_LOGGED_ON, NULL, imap_cmd_lsub, 0,
        "reference pattern", "RFC 3501 6.3.9", NULL},
    {"NAMESPACE", STATE_LOGGED_ON, "NAMESPACE", imap_cmd_namespace, 0,
        "", "RFC 9051 6.3.10, RFC 2342", NULL},
    {"STATUS", STATE_LOGGED_ON, NULL, imap_cmd_status, 0,
        "mailbox (items)", "RFC 9051 6.3.11, RFC 8438, RFC 8474, RFC 7889", NULL},
    {"IDLE", STATE_LOGGED_ON, "IDLE", imap_cmd_idle, 0,
        "", "RFC 9051 6.3.13, RFC 2177", NULL},
    {"COMPRESS", STATE_LOGGED_ON, "COMPRESS=DEFLATE", imap_cmd_compress, CMD_NO_SYNC,
        "DEFLATE", "RFC 4978 3", NULL},

    {"CLOSE", STATE_SELECTED, NULL, imap_cmd_close, CMD_NO_SYNC,
        "", "RFC 9051 6.4.1", NULL},
    {"UNSELECT", STATE_SELECTED, "UNSELECT", imap_cmd_unselect, CMD_NO_SYNC,
        "", "RFC 9051 6.4.2, RFC 3691", NULL},
    {"CHECK", STATE_SELECTED, NULL, imap_cmd_check, 0,
        "", "RFC 3501 6.4.1", NULL},

    {"APPEND", STATE_LOGGED_ON, NULL, imap_cmd_append, 0,
        "mailbox [(flags)] [date-time] literal ...",
        "RFC 9051 6.3.12, RFC 3502, RFC 3516 4.4, RFC 6855 4", &imap_append_literals},
    {"FETCH", STATE_SELECTED, NULL, imap_cmd_fetch, CMD_NO_EXPUNGE,
        "set items [(modifiers)]", "RFC 9051 6.4.5, RFC 3516, RFC 7162 3.1.4", NULL},
    {"UID FETCH", STATE_SELECTED, NULL, imap_cmd_fetch, CMD_UID,
        "set items [(modifiers)]", "RFC 9051 6.4.9, RFC 7162 3.2.6", NULL},
    {"PARTIAL", STATE_SELECTED, NULL, imap_cmd_partial, CMD_NO_EXPUNGE,
        "number item first-octet octets", "RFC 1730 6.4.5", NULL},
    {"STORE", STATE_SELECTED, NULL, imap_cmd_store, CMD_NO_EXPUNGE | CMD_WRITES,
        "set [(modifiers)] [+-]FLAGS[.SILENT] flags", "RFC 9051 6.4.6, RFC 7162 3.1.3", NULL},
    {"UID STORE", STATE_SELECTED, NULL, imap_cmd_store, CMD_UID | CMD_WRITES,
        "set [(modifiers)] [+-]FLAGS[.SILENT] flags", "RFC 9051 6.4.9, RFC 7162 3.1.3", NULL},
    {"SEARCH", STATE_SELECTED, NULL, imap_cmd_search, CMD_NO_EXPUNGE,
        "[RETURN (options)] [CHARSET name] keys", "RFC 9051 6.4.4, RFC 4731, RFC 5182", NULL},
    {"UID SEARCH", STATE_SELECTED, NULL, imap_cmd_search, CMD_UID,
        "[RETURN (options)] [CHARSET name] keys", "RFC 9051 6.4.9, RFC 4731, RFC 5182", NULL},
    {"COPY", STATE_SELECTED, NULL, imap_cmd_copy, 0,
        "set mailbox", "RFC 9051 6.4.7", NULL},
    {"UID COPY", STATE_SELECTED, NULL, imap_cmd_copy, CMD_UID,
        "set mailbox", "RFC 9051 6.4.9", NULL},
    {"MOVE", STATE_SELECTED, "MOVE", imap_cmd_move, CMD_WRITES,
        "set mailbox", "RFC 9051 6.4.8, RFC 6851", NULL},
    {"UID MOVE", STATE_SELECTED, "MOVE", imap_cmd_move, CMD_UID | CMD_WRITES,
        "set mailbox", "RFC 9051 6.4.9, RFC 6851", NULL},
    {"EXPUNGE", STATE_SELECTED, NULL, imap_cmd_expunge, CMD_WRITES,
        "", "RFC 9051 6.4.3", NULL},
    {"UID EXPUNGE", STATE_SELECTED, "UIDPLUS", imap_cmd_expunge, CMD_UID | CMD_WRITES,
        "set", "RFC 9051 6.4.9, RFC 4315 2.1", NULL},
};
/* clang-format on */

const size_t imap_commands_n = sizeof imap_commands / sizeof *imap_commands;

/* A tag longer than this is not repeated: no client has one. */
enum { LONGEST_TAG = 128 };

static const struct imap_command *find(struct slice name, bool uid)
{
    for (size_t i = 0; i < imap_commands_n; i++) {
        const char *has = imap_commands[i].name;

        if (uid != !strncmp(has, "UID ", 4))
            continue;
        if (slice_ieq(name, slice_str(uid ? has + 4 : has)))
            return &imap_commands[i];
    }
    return NULL;
}

/* The bytes up to the next space. */
static struct slice take_word(struct slice line, size_t *at)
{
    struct slice rest = slice_from(line, *at);
    struct slice word = slice_head(rest, slice_index(rest, ' '));

    *at += word.len;
    return word;
}

static bool skip_space(struct slice line, size_t *at)
{
    if (*at >= line.len || line.ptr[*at] != ' ')
        return false;
    ++*at;
    return true;
}

/*
 * A tag that may be said back. Before log-on only what real clients use: a browser that was made
 * to speak to us must not find its own bytes in the answer.
 */
static bool is_tag(const struct imap_session *s, struct slice tag)
{
    if (tag.len == 0 || tag.len > LONGEST_TAG)
        return false;
    for (size_t i = 0; i < tag.len; i++) {
        uint8_t c = tag.ptr[i];

        if (ascii_is_alpha(c) || ascii_is_digit(c) || c == '.' || c == '-' || c == '_')
            continue;
        if (s->state == STATE_NOT_AUTHENTICATED || c <= 0x20 || c >= 0x7F ||
            strchr("(){%*\"\\+", c))
            return false;
    }
    return true;
}

/* The first word of a request that was meant for a web server. */
static bool is_http(struct slice word)
{
    static const char *const methods[] = {"GET",     "POST",    "PUT",   "HEAD",  "DELETE",
                                          "OPTIONS", "CONNECT", "PATCH", "TRACE", "PRI"};

    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (slice_eq(word, slice_str(methods[i])))
            return true;
    return false;
}

static bool unknown(struct imap_session *s, struct imap_cmd *c, struct slice tag)
{
    if (s->state == STATE_NOT_AUTHENTICATED && is_http(tag)) {
        c->tag = SLICE_EMPTY;
        s->bad = UINT16_MAX; /* whatever the limit is */
    }
    imap_bad(c, "Unknown command");
    return false;
}

bool imap_resolve(struct imap_session *s, struct imap_cmd *c, struct slice line, size_t *args)
{
    size_t at = 0;
    struct slice tag = take_word(line, &at);

    if (!is_tag(s, tag)) {
        imap_bad(c, "A command starts with a tag");
        return false;
    }
    c->tag = arena_slice(&c->arena, tag);
    if (!skip_space(line, &at)) {
        imap_bad(c, "A command is missing");
        return false;
    }
    struct slice name = take_word(line, &at);
    bool uid = slice_ieq(name, S("UID")) && skip_space(line, &at);
    if (uid)
        name = take_word(line, &at);
    const struct imap_command *def = find(name, uid);
    if (!def || !imap_has(s, def->capability))
        return unknown(s, c, tag);
    if (!(def->states & s->state)) {
        imap_bad(c, s->state == STATE_NOT_AUTHENTICATED ? "Log on first"
                    : def->states == STATE_SELECTED     ? "Select a mailbox first"
                                                        : "You are logged on already");
        return false;
    }
    if (def->flags & CMD_WRITES && s->selected && s->selected->read_only) {
        imap_no(c, "[READ-ONLY]", "The mailbox is selected to be looked at only");
        return false;
    }
    skip_space(line, &at);
    c->def = def;
    *args = at;
    return true;
}
