#include "gateway/cli/cli.h"

#include <stdarg.h>

#include "base/buf.h"
#include "base/mem.h"

static const struct cli_option no_options[] = {{NULL, false}};

/* clang-format off */
const struct cli_command cli_commands[] = {
    {"serve", cli_serve, 0, 0, no_options, "", "run the daemon in the foreground"},
    {"check", cli_check, 0, 0, no_options, "", "say what is wrong with configuration, certificates and store"},
    {"user add", cli_user_add, 1, SIZE_MAX, cli_user_add_options, "USER [KEY=VALUE…] [--password-stdin]", "add an account"},
    {"user passwd", cli_user_passwd, 1, 1, cli_user_add_options, "USER [--password-stdin]", "set an account's secret"},
    {"user set", cli_user_set, 2, SIZE_MAX, no_options, "USER KEY=VALUE…", "change an account"},
    {"user show", cli_user_show, 1, 1, no_options, "USER", "show an account"},
    {"user list", cli_user_list, 0, 0, no_options, "", "list the accounts"},
    {"user del", cli_user_del, 1, 1, no_options, "USER", "delete an account and its mailbox"},
    {"user app-password add", cli_user_app_password_add, 2, SIZE_MAX, no_options, "USER NAME [KEY=VALUE…]", "make one more secret, for one client; it is printed, and shown never again"},
    {"user app-password list", cli_user_app_password_list, 1, 1, no_options, "USER", "list a user's app passwords"},
    {"user app-password revoke", cli_user_app_password_revoke, 2, 2, no_options, "USER NAME", "end an app password"},
    {"import", cli_import, 2, SIZE_MAX, cli_import_options, "USER PATH… [--folder F]", "import mbox files, Maildirs and single messages"},
    {"export", cli_export, 2, 2, no_options, "USER DIR", "write a mailbox as Maildirs, one for each folder"},
    {"auth log", cli_auth_log, 0, 0, cli_auth_log_options, "[--since T] [--until T] [--user U] [--protocol P] [--follow]", "show who tried to log on, and how it ended"},
    {"auth report", cli_auth_report, 0, 0, cli_auth_report_options, "[--since T] [--until T] [--user U] [--protocol P]", "attempts by protocol and mechanism: how they ended, how long they took"},
    {"auth compare", cli_auth_compare, 0, 0, cli_auth_compare_options, "[--since T] [--until T] [--user U] [--protocol P]", "users whose outcome differs between protocols"},
    {"auth explain", cli_auth_explain, 1, 1, cli_auth_explain_options, "USER [--app-password NAME] [--for USER]", "what would succeed, on which listener, by which mechanism, and why not"},
    {"auth probe", cli_auth_probe, 1, 1, cli_user_add_options, "USER [--password-stdin]", "log on over every listener, by every mechanism, with one secret"},
    {"auth throttled", cli_auth_throttled, 0, 0, no_options, "", "who must wait after wrong secrets, and for how long"},
    {"auth lift", cli_auth_lift, 0, 0, cli_auth_lift_options, "--address A | --user U | --address A --user U | --all", "forget wrong secrets, so that nobody must wait for them"},
    {"queue list", cli_queue_list, 0, 0, no_options, "", "mail that waits to be handed on"},
    {"queue retry", cli_queue_retry, 0, SIZE_MAX, cli_queue_options, "ID… | --all", "try it now"},
    {"queue drop", cli_queue_drop, 0, SIZE_MAX, cli_queue_options, "ID… | --all", "do not send it: it stays in its sender's Outbox"},
    {"store stat", cli_store_stat, 0, 0, no_options, "", "figures of the store"},
    {"store verify", cli_store_verify, 0, 0, no_options, "", "check every invariant of the store, while it is in use"},
    {"store compact", cli_store_compact, 0, 0, no_options, "", "rewrite the store without its free pages; the daemon must not run"},
    {"store backup", cli_store_backup, 1, 1, no_options, "DIR", "copy the store, while it is in use"},
    {"store restore", cli_store_restore, 1, 1, no_options, "DIR", "make the store from a backup"},
    {"store show", cli_store_show, 3, 3, no_options, "USER FOLDER UID", "show a message as MAPI and as IMAP see it"},
    {"store prop", cli_store_prop, 1, 3, cli_store_prop_options, "USER [FOLDER [UID]] [--set PROPERTY=VALUE | --remove PROPERTY]", "show the properties of a mailbox, a folder or a message, or change one"},
    {"mapi", cli_mapi, 1, SIZE_MAX, cli_mapi_options, "USER [folders | list FOLDER | read FOLDER MID | send TO SUBJECT | move FOLDER MID TO | delete FOLDER MID | watch | rops HEX…] [--url URL] [--password-stdin | --password-file FILE] [--count N]", "a mailbox as a MAPI client sees it, over the wire"},
    {"version", cli_version, 0, 0, no_options, "", "print the version"},
    {NULL, NULL, 0, 0, NULL, NULL, NULL},
};
/* clang-format on */

struct cli_option_value {
    const char *name, *value;
};

/* ---- failing ---- */

json_t *cli_json_text(struct slice s)
{
    json_t *text = json_stringn(s.len ? (const char *)s.ptr : "", s.len);

    if (!text) {
        struct buf out = buf_make(2 * s.len);

        for (size_t i = 0; i < s.len; i++) {
            if (s.ptr[i] >= 0x80)
                buf_putc(&out, (uint8_t)(0xC0 | s.ptr[i] >> 6));
            buf_putc(&out, s.ptr[i] < 0x80 ? s.ptr[i] : (uint8_t)(0x80 | (s.ptr[i] & 0x3F)));
        }
        text = json_stringn((const char *)out.data, out.len);
        buf_done(&out);
    }
    return text;
}

void cli_print_json(const json_t *value)
{
    json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
    putchar('\n');
}

void cli_put_json(json_t *value)
{
    cli_print_json(value);
    json_decref(value);
}

int cli_fail(const struct cli *cli, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "gatepost: %s: ", cli->command->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return CLI_FAILED;
}

int cli_fail_err(const struct cli *cli, const char *what, struct err e)
{
    return cli_fail(cli, "%s: %s (%s)", what, err_sentence(e.code), e.why);
}

int cli_usage(const struct cli *cli)
{
    fprintf(stderr, "usage: gatepost %s %s\n", cli->command->name, cli->command->usage);
    return CLI_USAGE;
}

static int help(FILE *to)
{
    fputs("usage: gatepost COMMAND [OPERAND…] [-c FILE] [--json]\n\n", to);
    for (const struct cli_command *c = cli_commands; c->name; c++)
        fprintf(to, "  %-24s %s\n", c->name, c->summary);
    fprintf(to, "\nWithout -c the configuration is %s.\n", CLI_DEFAULT_CONFIG);
    return to == stdout ? CLI_OK : CLI_USAGE;
}

/* ---- finding the command ---- */

/* How many words a command's name has, if the operands begin with them; 0: they do not. */
static size_t words_of(const char *name, char **operands, size_t n)
{
    struct slice rest = slice_str(name);
    size_t words = 0;

    while (rest.len)
        if (words == n || !slice_eq(slice_cut(&rest, ' '), slice_str(operands[words++])))
            return 0;
    return words;
}

/* The command whose name is at the front of the operands; how many of them it took. */
static const struct cli_command *find_command(char **operands, size_t n, size_t *words)
{
    for (const struct cli_command *c = cli_commands; c->name; c++)
        if ((*words = words_of(c->name, operands, n)) > 0)
            return c;
    return NULL;
}

static bool is_group(const char *word)
{
    size_t len = strlen(word);

    for (const struct cli_command *c = cli_commands; c->name; c++)
        if (strncmp(c->name, word, len) == 0 && c->name[len] == ' ')
            return true;
    return false;
}

/* Does any command know this option? What takes a value must be known before the command is. */
static const struct cli_option *any_option(const char *name)
{
    for (const struct cli_command *c = cli_commands; c->name; c++)
        for (const struct cli_option *o = c->options; o->name; o++)
            if (strcmp(o->name, name) == 0)
                return o;
    return NULL;
}

static bool knows_option(const struct cli_command *command, const char *name)
{
    for (const struct cli_option *o = command->options; o->name; o++)
        if (strcmp(o->name, name) == 0)
            return true;
    return false;
}

/* ---- taking the words apart ---- */

static int complain(const char *format, const char *word)
{
    fputs("gatepost: ", stderr);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    fprintf(stderr, format, word);
#pragma GCC diagnostic pop
    fputc('\n', stderr);
    return CLI_USAGE;
}

/* One word that begins with '-'; *at moves on where it took its value. */
static int take_option(struct cli *cli, char **argv, int argc, int *at, size_t *n_options)
{
    const char *word = argv[*at];
    const struct cli_option *option;
    bool config = strcmp(word, "-c") == 0;

    if (strcmp(word, "--json") == 0) {
        cli->json = true;
        return CLI_OK;
    }
    option = config ? NULL : any_option(word);
    if (!config && !option)
        return complain("there is no option %s", word);
    const char *value = "";
    if (config || option->has_value) {
        if (*at + 1 >= argc)
            return complain("%s needs a value", word);
        value = argv[++*at];
    }
    if (config)
        cli->config = value;
    else
        cli->options[(*n_options)++] = (struct cli_option_value){option->name, value};
    return CLI_OK;
}

static int take_words(struct cli *cli, int argc, char **argv)
{
    size_t n_options = 0;
    bool only_operands = false;

    for (int i = 1; i < argc; i++) {
        if (!only_operands && strcmp(argv[i], "--") == 0) {
            only_operands = true;
        } else if (!only_operands && argv[i][0] == '-' && argv[i][1] != '\0') {
            int status = take_option(cli, argv, argc, &i, &n_options);

            if (status != CLI_OK)
                return status;
        } else {
            cli->operands[cli->n_operands++] = argv[i];
        }
    }
    return CLI_OK;
}

const char *cli_option(const struct cli *cli, const char *name)
{
    const char *value = NULL;

    for (const struct cli_option_value *o = cli->options; o->name; o++)
        if (strcmp(o->name, name) == 0)
            value = o->value; /* the last one given wins */
    return value;
}

static int dispatch(struct cli *cli)
{
    size_t words;

    if (cli->n_operands == 0)
        return help(stderr);
    cli->command = find_command(cli->operands, cli->n_operands, &words);
    if (!cli->command && is_group(cli->operands[0]))
        return complain("%s needs one of its subcommands; see gatepost --help", cli->operands[0]);
    if (!cli->command)
        return complain("there is no command '%s'; see gatepost --help", cli->operands[0]);
    cli->operands += words;
    cli->n_operands -= words;
    for (const struct cli_option_value *o = cli->options; o->name; o++)
        if (!knows_option(cli->command, o->name))
            return complain("this command has no option %s", o->name);
    if (cli->n_operands < cli->command->least || cli->n_operands > cli->command->most)
        return cli_usage(cli);
    return cli->command->run(cli);
}

int cli_main(int argc, char **argv)
{
    struct cli cli = {.config = CLI_DEFAULT_CONFIG};
    char **operands = mem_array((size_t)argc + 1, sizeof *operands);
    struct cli_option_value *options = mem_array((size_t)argc + 1, sizeof *options);

    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            free(operands);
            free(options);
            return help(stdout);
        }
    cli.operands = operands;
    cli.options = options;
    int status = take_words(&cli, argc, argv);
    if (status == CLI_OK)
        status = dispatch(&cli);
    /* What was printed must have been written: a full disk behind a pipe is a failure. */
    if (fflush(stdout) != 0 && status == CLI_OK)
        status = complain("%s", "standard output cannot be written") - CLI_USAGE + CLI_FAILED;
    free(operands);
    free(options);
    return status;
}

int cli_version(struct cli *cli)
{
    if (cli->json)
        printf("{\"version\":\"%s\"}\n", GATEPOST_VERSION);
    else
        puts("gatepost " GATEPOST_VERSION);
    return CLI_OK;
}
