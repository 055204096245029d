/*
 * command.c - what this server can do, as two tables. Dispatch, CAPA, the tests' walk through
 * every command in every state and the check of docs/protocols/pop3.md come of them.
 */
#include "protocols/answers.h"
#include "protocols/pop3/pop3_int.h"

/* ---- capabilities ---- */

struct capability {
    const char *name; /* as CAPA announces it, with its fixed parameters */
    bool (*there)(const struct pop3_session *s); /* NULL: always */
    void (*put)(struct pop3_session *s);         /* parameters that vary, or NULL */
    pop3_handler *refuse; /* what its commands get while it is not there; NULL: a plain -ERR */
};

enum { MAX_MECHANISMS = 32 };

static bool has_user(const struct pop3_session *s)
{
    return auth_plaintext_allowed(s->env->peer);
}

static bool has_sasl(const struct pop3_session *s)
{
    const char *names[MAX_MECHANISMS];

    return auth_mechanisms(s->env->auth, s->env->peer, names, MAX_MECHANISMS) > 0;
}

static bool has_stls(const struct pop3_session *s)
{
    return s->state == IN_AUTH && s->env->tls_available && !s->env->peer->tls;
}

static void put_mechanisms(struct pop3_session *s)
{
    const char *names[MAX_MECHANISMS];
    size_t n = auth_mechanisms(s->env->auth, s->env->peer, names, MAX_MECHANISMS);

    for (size_t i = 0; i < n; i++) {
        buf_putc(s->out, ' ');
        buf_puts(s->out, names[i]);
    }
}

static pop3_handler refuse_stls;

/* clang-format off */
static const struct capability capabilities[CAP_COUNT] = {
    [CAP_TOP]            = {"TOP", NULL, NULL, NULL},
    [CAP_UIDL]           = {"UIDL", NULL, NULL, NULL},
    [CAP_USER]           = {"USER", has_user, NULL, pop3_refuse_user},
    [CAP_SASL]           = {"SASL", has_sasl, put_mechanisms, NULL},
    [CAP_STLS]           = {"STLS", has_stls, NULL, refuse_stls},
    [CAP_RESP_CODES]     = {"RESP-CODES", NULL, NULL, NULL},
    [CAP_AUTH_RESP_CODE] = {"AUTH-RESP-CODE", NULL, NULL, NULL},
    [CAP_PIPELINING]     = {"PIPELINING", NULL, NULL, NULL},
    [CAP_EXPIRE]         = {"EXPIRE NEVER", NULL, NULL, NULL},
    [CAP_UTF8]           = {"UTF8 USER", NULL, NULL, NULL},
    [CAP_LANG]           = {"LANG", NULL, NULL, NULL},
    [CAP_IMPLEMENTATION] = {"IMPLEMENTATION Gatepost", NULL, NULL, NULL},
};
/* clang-format on */

bool pop3_has(const struct pop3_session *s, enum pop3_capability cap)
{
    return cap == CAP_NONE || !capabilities[cap].there || capabilities[cap].there(s);
}

static enum session_next cmd_capa(struct pop3_session *s, struct slice args)
{
    (void)args; /* RFC 2449 5 has none; those that send some mean the same */
    pop3_ok(s, "Capabilities follow");
    for (enum pop3_capability cap = CAP_NONE + 1; cap < CAP_COUNT; cap++) {
        if (!pop3_has(s, cap))
            continue;
        buf_puts(s->out, capabilities[cap].name);
        if (capabilities[cap].put)
            capabilities[cap].put(s);
        buf_puts(s->out, "\r\n");
    }
    buf_puts(s->out, ".\r\n");
    return NEXT_READ;
}

/* ---- small commands ---- */

static enum session_next cmd_noop(struct pop3_session *s, struct slice args)
{
    if (args.len > 0)
        return pop3_bad(s, "NOOP takes no argument");
    return pop3_ok(s, "Nothing done");
}

static enum session_next refuse_stls(struct pop3_session *s, struct slice args)
{
    (void)args;
    if (s->env->peer->tls)
        return pop3_bad(s, "TLS is already active");
    return pop3_err(s, "[SYS/PERM] TLS is not available here");
}

/* STLS (RFC 2595 4): what came in clear behind it is dropped, here and by the driver. */
static enum session_next cmd_stls(struct pop3_session *s, struct slice args)
{
    if (args.len > 0)
        return pop3_bad(s, "STLS takes no argument");
    pop3_ok(s, "Begin TLS");
    line_wipe_all(&s->lines);
    pop3_logon_forget(s);
    s->utf8 = false;
    s->tls_pending = true;
    return NEXT_TLS;
}

/*
 * UTF8 (RFC 6856 2). Names and secrets are taken as UTF-8 with and without it.
 * DEVIATES: a message with UTF-8 in its header comes as it is stored in either mode, for the
 * clients that never say UTF8 and read such mail all the same; octets stay those of LIST.
 */
static enum session_next cmd_utf8(struct pop3_session *s, struct slice args)
{
    if (args.len > 0)
        return pop3_bad(s, "UTF8 takes no argument");
    s->utf8 = true;
    return pop3_ok(s, "UTF-8 it is");
}

/* LANG [tag] (RFC 6856 3): English is what there is; "*" asks for the default. */
static enum session_next cmd_lang(struct pop3_session *s, struct slice args)
{
    if (args.len == 0) {
        pop3_ok(s, "Languages follow");
        buf_puts(s->out, "en English\r\ni-default Default\r\n.\r\n");
        return NEXT_READ;
    }
    if (slice_ieq(args, S("*")) || slice_ieq(args, S("i-default")))
        return pop3_ok(s, "i-default This is the default language");
    if (slice_ieq(args, S("en")) || slice_istarts(args, S("en-")))
        return pop3_ok(s, "en This is English");
    return pop3_err(s, "That language is not spoken here");
}

/* ---- dispatch ---- */

#define ANYWHERE (IN_AUTH | IN_TRANS)

/* clang-format off */
const struct pop3_command pop3_commands[] = {
    /* name    allowed in  needs     handler         usage          specified in */
    { "CAPA",  ANYWHERE,   CAP_NONE, cmd_capa,       "",            "RFC 2449 5"    },
    { "STLS",  IN_AUTH,    CAP_STLS, cmd_stls,       "",            "RFC 2595 4"    },
    { "USER",  IN_AUTH,    CAP_USER, pop3_cmd_user,  "name",        "RFC 1939 7"    },
    { "PASS",  IN_AUTH,    CAP_NONE, pop3_cmd_pass,  "secret",      "RFC 1939 7"    },
    { "AUTH",  IN_AUTH,    CAP_NONE, pop3_cmd_auth,  "[mechanism [initial-response]]", "RFC 5034 4" },
    { "UTF8",  IN_AUTH,    CAP_UTF8, cmd_utf8,       "",            "RFC 6856 2"    },
    { "LANG",  ANYWHERE,   CAP_LANG, cmd_lang,       "[tag]",       "RFC 6856 3"    },
    { "STAT",  IN_TRANS,   CAP_NONE, pop3_cmd_stat,  "",            "RFC 1939 5"    },
    { "LIST",  IN_TRANS,   CAP_NONE, pop3_cmd_list,  "[msg]",       "RFC 1939 5"    },
    { "UIDL",  IN_TRANS,   CAP_UIDL, pop3_cmd_uidl,  "[msg]",       "RFC 1939 7"    },
    { "RETR",  IN_TRANS,   CAP_NONE, pop3_cmd_retr,  "msg",         "RFC 1939 5"    },
    { "TOP",   IN_TRANS,   CAP_TOP,  pop3_cmd_top,   "msg lines",   "RFC 1939 7"    },
    { "DELE",  IN_TRANS,   CAP_NONE, pop3_cmd_dele,  "msg",         "RFC 1939 5"    },
    { "RSET",  IN_TRANS,   CAP_NONE, pop3_cmd_rset,  "",            "RFC 1939 5"    },
    { "NOOP",  IN_TRANS,   CAP_NONE, cmd_noop,       "",            "RFC 1939 5"    },
    { "QUIT",  ANYWHERE,   CAP_NONE, pop3_cmd_quit,  "",            "RFC 1939 4, 6" },
};
/* clang-format on */

const size_t pop3_n_commands = sizeof pop3_commands / sizeof *pop3_commands;

static const struct pop3_command *find(struct slice name)
{
    for (size_t i = 0; i < pop3_n_commands; i++)
        if (slice_ieq(name, slice_str(pop3_commands[i].name)))
            return &pop3_commands[i];
    return NULL;
}

/* Blanks belong to names and secrets; around anything else they are noise. */
static bool takes_the_rest_as_it_is(const struct pop3_command *command)
{
    return command->handler == pop3_cmd_user || command->handler == pop3_cmd_pass;
}

enum session_next pop3_run(struct pop3_session *s, struct slice line)
{
    struct slice args = line;
    const struct pop3_command *command = find(slice_cut(&args, ' '));

    s->env->summary->commands++;
    if (!command)
        return pop3_bad(s, "No such command");
    if (!(command->states & s->state))
        return pop3_bad(s, s->state == IN_AUTH ? "Log on first" : "Not after log-on");
    if (takes_the_rest_as_it_is(command)) {
        /* One blank at least: "PASS " has an empty secret, "PASS" has none at all. */
        if (line.len == strlen(command->name))
            return pop3_bad(s, "An argument is missing");
    } else {
        args = slice_trim(args);
    }
    if (!pop3_has(s, command->need)) {
        pop3_handler *refuse = capabilities[command->need].refuse;

        return refuse ? refuse(s, args) : pop3_bad(s, "Not available here");
    }
    return command->handler(s, args);
}

bool pop3_arg_number(struct slice *args, uint64_t *out)
{
    struct slice rest = slice_trim(*args);
    struct slice digits = slice_cut(&rest, ' ');

    if (!slice_to_u64(digits, out))
        return false;
    *args = slice_trim(rest);
    return true;
}
