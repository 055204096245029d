/*
 * command.c - what this server can do, as two tables. Dispatch, LHLO, HELP, the tests' walk
 * through every command in every state and the check of docs/protocols/lmtp.md come of them.
 */
#include "protocols/lmtp/lmtp_int.h"

/* ---- extensions ---- */

struct extension {
    const char *name;
    bool (*there)(const struct lmtp_session *s); /* NULL: always */
    void (*put)(struct lmtp_session *s);         /* its parameter, or NULL */
};

static bool has_starttls(const struct lmtp_session *s)
{
    return s->env->tls_available && !s->env->peer->tls;
}

static void put_size(struct lmtp_session *s)
{
    buf_putc(s->out, ' ');
    buf_put_u64(s->out, lmtp_max_message(s));
}

/* clang-format off */
static const struct extension extensions[EXT_COUNT] = {
    [EXT_PIPELINING]          = {"PIPELINING", NULL, NULL},
    [EXT_ENHANCEDSTATUSCODES] = {"ENHANCEDSTATUSCODES", NULL, NULL},
    [EXT_8BITMIME]            = {"8BITMIME", NULL, NULL},
    [EXT_BINARYMIME]          = {"BINARYMIME", NULL, NULL},
    [EXT_CHUNKING]            = {"CHUNKING", NULL, NULL},
    [EXT_SMTPUTF8]            = {"SMTPUTF8", NULL, NULL},
    [EXT_SIZE]                = {"SIZE", NULL, put_size},
    [EXT_STARTTLS]            = {"STARTTLS", has_starttls, NULL},
};
/* clang-format on */

bool lmtp_has(const struct lmtp_session *s, enum lmtp_extension ext)
{
    return ext == EXT_NONE || !extensions[ext].there || extensions[ext].there(s);
}

/* A name that may stand in a Received field as it is. */
static bool name_is_plain(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] <= ' ' || name.ptr[i] == 0x7F || strchr("()<>;\\\"", name.ptr[i]))
            return false;
    return name.len > 0 && name.len <= 255 && slice_is_utf8(name);
}

static enum session_next cmd_lhlo(struct lmtp_session *s, struct slice args)
{
    if (!name_is_plain(args))
        return lmtp_bad(s, "501 5.5.4 LHLO takes your name");
    buf_clear(&s->lhlo);
    buf_put(&s->lhlo, args);
    lmtp_enter(s, AT_READY);
    buf_printf(s->out, "250-%s\r\n", s->env->host_name);
    enum lmtp_extension last = EXT_NONE;
    for (enum lmtp_extension ext = EXT_NONE + 1; ext < EXT_COUNT; ext++)
        if (lmtp_has(s, ext))
            last = ext;
    for (enum lmtp_extension ext = EXT_NONE + 1; ext <= last; ext++) {
        if (!lmtp_has(s, ext))
            continue;
        buf_puts(s->out, ext == last ? "250 " : "250-");
        buf_puts(s->out, extensions[ext].name);
        if (extensions[ext].put)
            extensions[ext].put(s);
        buf_puts(s->out, "\r\n");
    }
    return NEXT_READ;
}

/* ---- small commands ---- */

/* RFC 2033 4.1: an SMTP client that got here must notice. */
static enum session_next cmd_smtp_hello(struct lmtp_session *s, struct slice args)
{
    (void)args;
    return lmtp_bad(s, "500 5.5.1 This is LMTP: say LHLO");
}

static enum session_next cmd_rset(struct lmtp_session *s, struct slice args)
{
    if (args.len > 0)
        return lmtp_bad(s, "501 5.5.4 RSET takes no argument");
    if (s->state != AT_START)
        lmtp_enter(s, AT_READY);
    return lmtp_reply(s, "250 2.0.0 Forgotten");
}

static enum session_next cmd_noop(struct lmtp_session *s, struct slice args)
{
    (void)args; /* RFC 5321 4.1.1.9: whatever it is */
    return lmtp_reply(s, "250 2.0.0 Nothing done");
}

static enum session_next cmd_vrfy(struct lmtp_session *s, struct slice args)
{
    (void)args;
    return lmtp_reply(s, "252 2.5.0 Try RCPT");
}

static enum session_next cmd_help(struct lmtp_session *s, struct slice args)
{
    (void)args;
    buf_puts(s->out, "214 2.0.0");
    for (size_t i = 0; i < lmtp_n_commands; i++) {
        if (!lmtp_has(s, lmtp_commands[i].need) || lmtp_commands[i].handler == cmd_smtp_hello)
            continue;
        buf_putc(s->out, ' ');
        buf_puts(s->out, lmtp_commands[i].name);
    }
    buf_puts(s->out, "\r\n");
    return NEXT_READ;
}

static enum session_next cmd_quit(struct lmtp_session *s, struct slice args)
{
    if (args.len > 0)
        return lmtp_bad(s, "501 5.5.4 QUIT takes no argument");
    lmtp_reply(s, "221 2.0.0 Goodbye");
    return lmtp_close(s, "logout");
}

/* STARTTLS (RFC 3207 4): what came in clear behind it is dropped, here and by the driver. */
static enum session_next cmd_starttls(struct lmtp_session *s, struct slice args)
{
    if (args.len > 0)
        return lmtp_bad(s, "501 5.5.4 STARTTLS takes no argument");
    lmtp_reply(s, "220 2.0.0 Begin TLS");
    lmtp_enter(s, AT_START);
    line_wipe_all(&s->lines);
    buf_clear(&s->lhlo);
    s->tls_pending = true;
    return NEXT_TLS;
}

/* ---- dispatch ---- */

#define ANYWHERE (AT_START | AT_READY | AT_MAIL | AT_RCPT | AT_CHUNKS)

/* clang-format off */
const struct lmtp_command lmtp_commands[] = {
    /* name        allowed in          needs         handler         usage    specified in        */
    { "LHLO",     ANYWHERE,            EXT_NONE,     cmd_lhlo,       "name", "RFC 2033 4.1"       },
    { "MAIL",     AT_READY,            EXT_NONE,     lmtp_cmd_mail,
      "FROM:<address> [SIZE=n] [BODY=7BIT|8BITMIME|BINARYMIME] [SMTPUTF8]", "RFC 5321 4.1.1.2" },
    { "RCPT",     AT_MAIL | AT_RCPT,   EXT_NONE,     lmtp_cmd_rcpt,  "TO:<address>", "RFC 5321 4.1.1.3" },
    { "DATA",     AT_RCPT,             EXT_NONE,     lmtp_cmd_data,  "",     "RFC 5321 4.1.1.4"   },
    { "BDAT",     ANYWHERE,            EXT_CHUNKING, lmtp_cmd_bdat,  "size [LAST]", "RFC 3030 2"  },
    { "RSET",     ANYWHERE,            EXT_NONE,     cmd_rset,       "",     "RFC 5321 4.1.1.5"   },
    { "VRFY",     ANYWHERE,            EXT_NONE,     cmd_vrfy,       "name", "RFC 5321 4.1.1.6"   },
    { "HELP",     ANYWHERE,            EXT_NONE,     cmd_help,       "",     "RFC 5321 4.1.1.8"   },
    { "NOOP",     ANYWHERE,            EXT_NONE,     cmd_noop,       "",     "RFC 5321 4.1.1.9"   },
    { "STARTTLS", AT_START | AT_READY, EXT_STARTTLS, cmd_starttls,   "",     "RFC 3207 4"         },
    { "QUIT",     ANYWHERE,            EXT_NONE,     cmd_quit,       "",     "RFC 5321 4.1.1.10"  },
    { "HELO",     ANYWHERE,            EXT_NONE,     cmd_smtp_hello, "name", "RFC 2033 4.1"       },
    { "EHLO",     ANYWHERE,            EXT_NONE,     cmd_smtp_hello, "name", "RFC 2033 4.1"       },
};
/* clang-format on */

const size_t lmtp_n_commands = sizeof lmtp_commands / sizeof *lmtp_commands;

static const struct lmtp_command *find(struct slice name)
{
    for (size_t i = 0; i < lmtp_n_commands; i++)
        if (slice_ieq(name, slice_str(lmtp_commands[i].name)))
            return &lmtp_commands[i];
    return NULL;
}

static const char *out_of_sequence(const struct lmtp_session *s, const struct lmtp_command *command)
{
    if (s->state == AT_START)
        return "503 5.5.1 LHLO first";
    if (command->handler == lmtp_cmd_data && s->state == AT_MAIL)
        return "503 5.5.1 No recipient was accepted"; /* RFC 2033 4.2 */
    return "503 5.5.1 Not now";
}

enum session_next lmtp_run(struct lmtp_session *s, struct slice line)
{
    struct slice args = line;
    const struct lmtp_command *command = find(slice_cut(&args, ' '));

    s->env->summary->commands++;
    if (!command)
        return lmtp_bad(s, "500 5.5.1 No such command");
    if (!lmtp_has(s, command->need))
        return lmtp_bad(s, "502 5.5.1 Not available here");
    if (!(command->states & s->state))
        return lmtp_bad(s, out_of_sequence(s, command));
    return command->handler(s, slice_trim(args));
}
