/*
 * cli.h - the command line: one table of commands, one way to take options and to fail.
 *
 *     gatepost COMMAND [OPERAND…] [-c FILE] [--json] [--OPTION [VALUE]]…
 *
 * Options may stand before or after operands. A command exits with CLI_OK, CLI_FAILED after one
 * clear line on standard error, or CLI_USAGE after a line that says how it is used.
 *
 * Every command works while the daemon runs: it opens the same store from its own process.
 */
#ifndef GATEPOST_GATEWAY_CLI_CLI_H
#define GATEPOST_GATEWAY_CLI_CLI_H

#include <jansson.h>

#include "base/err.h"
#include "base/slice.h"
#include "gateway/accounts.h"

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

#define CLI_DEFAULT_CONFIG "/etc/gatepost/gatepost.conf"

struct cli_command;

/* One invocation. */
struct cli {
    const struct cli_command *command;
    const char *config; /* -c */
    bool json;          /* --json */
    char **operands;    /* what is neither an option nor its value, NULL-terminated */
    size_t n_operands;
    struct cli_option_value *options; /* as declared by the command */
};

/* An option that a command knows besides -c and --json. */
struct cli_option {
    const char *name; /* "--folder"; NULL ends the list */
    bool has_value;
};

struct cli_command {
    const char *name; /* "auth log": up to three words, groups and their member */
    int (*run)(struct cli *cli);
    size_t least, most; /* operands; most SIZE_MAX: any number */
    const struct cli_option *options;
    const char *usage;   /* behind the name */
    const char *summary; /* a line */
};

/* The table, in cli.c; ends with a NULL name. */
extern const struct cli_command cli_commands[];

int cli_main(int argc, char **argv);

/* The value of an option ("" for one without a value), or NULL where it was not given. */
const char *cli_option(const struct cli *cli, const char *name);

/* A value as one line on standard output, for programs. The second lets go of it. */
void cli_print_json(const json_t *value);
void cli_put_json(json_t *value);

/* "gatepost: user add: there is one already" on standard error; returns CLI_FAILED. */
int cli_fail(const struct cli *cli, const char *format, ...) PRINTF_LIKE(2, 3);
int cli_fail_err(const struct cli *cli, const char *what, struct err e);

/* Says how the command is used; returns CLI_USAGE. */
int cli_usage(const struct cli *cli);

/* Text for --json. What is not UTF-8 is taken for latin-1, so that JSON can hold it. */
json_t *cli_json_text(struct slice s) MUST_USE;

/* ---- the commands ---- */

int cli_serve(struct cli *cli);
int cli_check(struct cli *cli);
int cli_user_add(struct cli *cli);
int cli_user_passwd(struct cli *cli);
int cli_user_set(struct cli *cli);
int cli_user_show(struct cli *cli);
int cli_user_list(struct cli *cli);
int cli_user_del(struct cli *cli);
int cli_user_app_password_add(struct cli *cli);
int cli_user_app_password_list(struct cli *cli);
int cli_user_app_password_revoke(struct cli *cli);
int cli_import(struct cli *cli);
int cli_export(struct cli *cli);
int cli_auth_log(struct cli *cli);
int cli_auth_report(struct cli *cli);
int cli_auth_compare(struct cli *cli);
int cli_auth_explain(struct cli *cli);
int cli_auth_probe(struct cli *cli);
int cli_auth_throttled(struct cli *cli);
int cli_auth_lift(struct cli *cli);
int cli_queue_list(struct cli *cli);
int cli_queue_retry(struct cli *cli);
int cli_queue_drop(struct cli *cli);
int cli_store_stat(struct cli *cli);
int cli_store_verify(struct cli *cli);
int cli_store_compact(struct cli *cli);
int cli_store_backup(struct cli *cli);
int cli_store_restore(struct cli *cli);
int cli_store_show(struct cli *cli);
int cli_store_prop(struct cli *cli);
int cli_mapi(struct cli *cli);
int cli_version(struct cli *cli);

extern const struct cli_option cli_user_add_options[];
extern const struct cli_option cli_import_options[];
extern const struct cli_option cli_mapi_options[];
extern const struct cli_option cli_auth_log_options[];
extern const struct cli_option cli_auth_lift_options[];
extern const struct cli_option cli_queue_options[];
extern const struct cli_option cli_auth_explain_options[];
extern const struct cli_option cli_store_prop_options[];
extern const struct cli_option cli_auth_report_options[];
extern const struct cli_option cli_auth_compare_options[];

/* ---- what most of them need ---- */

struct store;
struct mailbox;
struct config;

/* The configuration, the store and its accounts, opened. */
struct cli_world {
    struct config *config;
    struct store *store;
    struct accounts *accounts;
};

/*
 * The configuration alone, for who needs not more, as the user whom it names; config_free() it. On
 * failure says so and returns false.
 */
bool cli_config(const struct cli *cli, struct config **out);

/* Opens what the configuration names; on failure says so and returns false. */
bool cli_open(const struct cli *cli, struct cli_world *world);
void cli_close(struct cli_world *world);

/* A command that needs them: opens them, calls `run`, closes them; the arena is wiped. */
int cli_with_world(struct cli *cli,
                   int (*run)(struct cli *cli, struct cli_world *world, struct arena *in));

/*
 * The authentication layer over the world's accounts, for names and explanations: it records
 * nothing. On failure says so and returns false. One at a time.
 */
struct cli_auth {
    struct gateway_source source;
    struct auth *auth; /* auth_free() it before cli_close() */
};
bool cli_open_auth(const struct cli *cli, const struct cli_world *world, struct cli_auth *out);

/* A command that needs both: opens them, calls `run`, closes them; returns what `run` returned. */
int cli_with_auth(const struct cli *cli, int (*run)(const struct cli *cli, struct cli_world *world,
                                                    struct auth *auth, struct arena *in));

/* A command on the mailbox of the user that the first operand names: likewise. */
int cli_with_mailbox(const struct cli *cli,
                     int (*run)(const struct cli *cli, struct mailbox *mb, struct arena *in));

/* The account that this operand names, in any form; on failure says so and returns false. */
bool cli_find_account(const struct cli *cli, const struct cli_world *world, const char *name,
                      struct arena *in, struct account *out);
/* The same, as the authentication layer sees it. */
bool cli_resolve(const struct cli *cli, struct auth *auth, const char *name, struct arena *in,
                 struct auth_account *out);

#endif
