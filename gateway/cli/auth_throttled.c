/*
 * auth_throttled.c - gatepost auth throttled: who must wait, and for how long; gatepost auth lift:
 * he need not. Both ask the daemon, for back-off is in its memory.
 */
#include <jansson.h>

#include "base/utf.h"
#include "gateway/audit_kind.h"
#include "gateway/cli/cli.h"
#include "gateway/config.h"
#include "gateway/control.h"

const struct cli_option cli_auth_lift_options[] = {
    {"--address", true}, {"--user", true}, {"--all", false}, {NULL, false}};

static void print_one(const json_t *one)
{
    struct slice address = audit_member(one, "address"), name = audit_member(one, "name");
    long long wait = json_integer_value(json_object_get(one, "wait_ms"));
    struct buf shown = buf_make(64 * 1024);
    char left[32] = "-";

    utf8_put_visible(&shown, name.len ? name : S("(any)"));
    if (wait > 0)
        snprintf(left, sizeof left, "%llds", (wait + 999) / 1000);
    printf("%-26.*s %-30.*s %8lld %6s\n", SLICE_ARG(address.len ? address : S("(any)")),
           SLICE_ARG(buf_slice(&shown)),
           (long long)json_integer_value(json_object_get(one, "failures")), left);
    buf_done(&shown);
}

/* The daemon's answer, to be let go of; NULL: there is none, and that was said. Takes `question`.
 */
static json_t *ask(const struct cli *cli, json_t *question)
{
    struct config *config;
    json_t *answer = NULL;

    if (cli_config(cli, &config)) {
        struct err e = control_ask(config->store.dir, question, &answer);
        const char *error = json_string_value(json_object_get(answer, "error"));

        if (failed(e))
            cli_fail_err(cli, config->store.dir, e);
        if (error)
            cli_fail(cli, "%s", error);
        if (error) {
            json_decref(answer);
            answer = NULL;
        }
        config_free(config);
    }
    json_decref(question);
    return answer;
}

int cli_auth_throttled(struct cli *cli)
{
    json_t *answer = ask(cli, json_pack("{ss}", "do", "throttled"));
    const json_t *list = json_object_get(answer, "throttled");

    if (!answer)
        return CLI_FAILED;
    if (cli->json) {
        cli_print_json(list);
    } else {
        printf("%-26s %-30s %8s %6s\n", "address", "user", "failures", "waits");
        for (size_t i = 0; i < json_array_size(list); i++)
            print_one(json_array_get(list, i));
    }
    json_decref(answer);
    return CLI_OK;
}

int cli_auth_lift(struct cli *cli)
{
    const char *address = cli_option(cli, "--address"), *user = cli_option(cli, "--user");
    json_t *question;

    /* Everything is lifted by who says so, not by who forgot to say what. */
    if (!cli_option(cli, "--all") == !(address || user))
        return cli_usage(cli);
    question = json_pack("{ss}", "do", "lift");
    if (address)
        json_object_set_new(question, "address", cli_json_text(slice_str(address)));
    if (user)
        json_object_set_new(question, "name", cli_json_text(slice_str(user)));
    json_t *answer = ask(cli, question);
    if (!answer)
        return CLI_FAILED;
    if (cli->json)
        cli_print_json(answer);
    else
        printf("%lld lifted\n", (long long)json_integer_value(json_object_get(answer, "lifted")));
    json_decref(answer);
    return CLI_OK;
}
