/*
 * check.c - gatepost check: what would fail, or soon will, if the daemon were started now.
 */
#include <errno.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "gateway/cli/cli.h"
#include "gateway/config.h"
#include "gateway/serving.h"

struct check {
    const struct cli *cli;
    unsigned findings;
};

static void finding(void *ctx, const char *text)
{
    struct check *check = ctx;

    check->findings++;
    cli_fail(check->cli, "%s", text);
}

static void found(struct check *check, const char *what, const char *why)
{
    check->findings++;
    cli_fail(check->cli, "%s: %s", what, why);
}

static struct config *check_config(struct check *check)
{
    struct buf why = buf_make(64 * 1024);
    struct config *config = NULL;

    if (failed(config_load(check->cli->config, &why, &config))) {
        struct slice text = buf_slice(&why);

        while (text.len) {
            struct slice line = slice_cut(&text, '\n');

            check->findings++;
            cli_fail(check->cli, "%.*s", SLICE_ARG(line));
        }
    }
    buf_done(&why);
    return config;
}

static void check_certificates(struct check *check, const struct config *config)
{
    const struct net_tls_config *last = NULL;

    for (size_t i = 0; i < config->net.n_listeners; i++) {
        const struct net_listener_config *l = &config->net.listeners[i];
        struct buf why = buf_make(64 * 1024);
        struct net_tls *tls;

        if (!l->tls || l->tls == last)
            continue;
        last = l->tls;
        if (failed(net_tls_new(l->tls, l->protocol->alpn, NULL, &why, &tls))) {
            buf_putc(&why, 0);
            found(check, l->name, (const char *)why.data);
        } else {
            net_tls_free(tls);
            net_tls_examine(l->tls, filetime_to_unix(clock_now().wall), finding, check);
        }
        buf_done(&why);
    }
}

/* The user that the daemon will be must be able to write where it keeps things. */
static void check_store(struct check *check, const struct config *config)
{
    struct store_config probe = config->store;
    struct store *store;
    struct stat st;

    if (stat(probe.dir, &st) != 0) {
        if (errno != ENOENT)
            found(check, probe.dir, strerror(errno));
        return; /* the daemon makes it */
    }
    if (!S_ISDIR(st.st_mode)) {
        found(check, probe.dir, "is no directory");
        return;
    }
    if (access(probe.dir, R_OK | W_OK | X_OK) != 0)
        found(check, probe.dir, strerror(errno));
    if (st.st_mode & 077)
        found(check, probe.dir, "others than its owner can read it: chmod 700");
    probe.create = false;
    struct err e = store_open(&probe, NULL, &store);
    if (!failed(e))
        store_close(store);
    else if (e.code != ERR_NOT_FOUND)
        found(check, probe.dir, e.why);
}

static void check_user(struct check *check, const struct config *config)
{
    if (config->user && !getpwnam(config->user))
        found(check, config->user, "there is no such user");
    if (config->user && geteuid() != 0)
        found(check, config->user, "only root can become another user");
}

static void check_audit_file(struct check *check, const struct config *config)
{
    const char *path = config->audit_file;

    if (*path && access(path, F_OK) == 0 && access(path, R_OK | W_OK) != 0)
        found(check, path, strerror(errno));
}

static void check_policy(struct check *check, const struct config *config)
{
    if (config->net.n_listeners == 0)
        found(check, config->path, "there is no listener");
    for (size_t i = 0; i < config->net.n_listeners; i++) {
        const struct net_listener_config *l = &config->net.listeners[i];

        if (l->protocol->id != AUTH_LMTP && l->tls_mode == NET_TLS_NONE && !l->plaintext_ok &&
            !l->path)
            found(check, l->name,
                  "has no TLS and allows no plaintext: nobody can log on there "
                  "but by SCRAM");
    }
}

int cli_check(struct cli *cli)
{
    struct check check = {.cli = cli};
    struct config *config = check_config(&check);

    if (config) {
        check_policy(&check, config);
        check_user(&check, config);
        check_certificates(&check, config);
        check_store(&check, config);
        check_audit_file(&check, config);
        /* The addresses of a daemon that runs are its own; it tells at a reload what it cannot
         * bind. */
        if (!serving_is(config->store.dir))
            net_probe(&config->net, finding, &check);
        config_free(config);
    }
    if (check.findings == 0)
        puts(cli->json ? "{\"findings\":0}" : "nothing is wrong");
    return check.findings ? CLI_FAILED : CLI_OK;
}
