/*
 * check.c - gatepost check: what would fail, or soon will, if the daemon were started now.
 */
#include <errno.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "gateway/cli/cli.h"
#include "gateway/config.h"
#include "gateway/identity.h"
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

/* ---- as the user that the daemon will be ---- */

static bool is_user(const char *name)
{
    const struct passwd *user = getpwnam(name);

    return user && user->pw_uid == geteuid();
}

static bool become_user(struct check *check, const struct config *config)
{
    struct buf why = buf_make(8192);
    struct err e = identity_become(config->user, &why);

    if (failed(e)) {
        buf_putc(&why, 0);
        finding(check, (const char *)why.data);
    } else if (config->user && geteuid() != 0 && !is_user(config->user)) {
        found(check, config->user, "only root can become another user");
    }
    buf_done(&why);
    return !failed(e);
}

/* The directory that a path is in; for the caller to free. */
static char *parent_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return mem_str(".");
    return slash == path ? mem_str("/") : mem_slice_str(slice_of(path, (size_t)(slash - path)));
}

/* May we make or write this file? */
static void check_file(struct check *check, const char *path)
{
    struct stat st;
    char *dir = parent_of(path);

    if (stat(path, &st) != 0) {
        if (errno != ENOENT || access(dir, W_OK | X_OK) != 0)
            found(check, path, strerror(errno));
    } else if (S_ISDIR(st.st_mode)) {
        found(check, path, "is a directory: expected a file");
    } else if (access(path, W_OK) != 0) {
        found(check, path, strerror(errno));
    }
    free(dir);
}

/* At SIGHUP the daemon reads the keys anew, and is root no more. */
static void check_keys(struct check *check, const struct config *config)
{
    for (size_t i = 0; config->user && i < config->net.n_listeners; i++) {
        const struct net_tls_config *tls = config->net.listeners[i].tls;

        for (size_t j = 0; tls && j < tls->n_certs; j++)
            if (tls->certs[j].key && access(tls->certs[j].key, R_OK) != 0 && errno == EACCES)
                found(check, tls->certs[j].key,
                      "the daemon's user may not read it: it could not be reloaded");
    }
}

static void check_directory(struct check *check, const char *dir, const struct stat *st)
{
    if (access(dir, R_OK | W_OK | X_OK) != 0)
        found(check, dir, strerror(errno));
    if (st->st_mode & 077)
        found(check, dir, "others than its owner can read it: chmod 700");
}

static const char no_room[] = "less is free than the reserve: no mail would be taken";

/* The daemon makes it, where it may. */
static void check_new_store(struct check *check, const struct store_config *config)
{
    char *parent = parent_of(config->dir);
    struct statvfs fs;

    check_file(check, config->dir);
    if (statvfs(parent, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < config->reserve_bytes)
        found(check, config->dir, no_room);
    free(parent);
}

static void check_store(struct check *check, const struct config *config)
{
    struct store_config probe = config->store;
    struct store *store;
    struct stat st;

    if (stat(probe.dir, &st) != 0) {
        check_new_store(check, &probe);
        return;
    }
    if (!S_ISDIR(st.st_mode)) {
        found(check, probe.dir, "is no directory");
        return;
    }
    check_directory(check, probe.dir, &st);
    probe.create = false;
    struct err e = store_open(&probe, NULL, &store);
    if (e.code == ERR_NOT_FOUND)
        return;
    if (failed(e)) {
        found(check, probe.dir, e.why);
        return;
    }
    if (store_low_space(store))
        found(check, probe.dir, no_room);
    store_close(store);
}

static void check_files(struct check *check, const struct config *config)
{
    check_keys(check, config);
    check_store(check, config);
    if (*config->audit_file)
        check_file(check, config->audit_file);
    if (config->log.file)
        check_file(check, config->log.file);
}

/* ---- all of it ---- */

/* What a listener without TLS means for those who want to log on there. */
static void check_logon(struct check *check, const struct config *config,
                        const struct net_listener_config *l)
{
    if (l->tls_mode != NET_TLS_NONE || l->plaintext_ok || l->path)
        return;
    if (l->protocol->id == AUTH_OPS && config->net.n_no_logon == 0)
        found(check, l->name, "has no TLS and allows no plaintext: nobody can look there");
    else if (l->protocol->id != AUTH_OPS && l->protocol->id != AUTH_LMTP)
        found(check, l->name,
              "has no TLS and allows no plaintext: nobody can log on there "
              "but by SCRAM");
}

static void check_policy(struct check *check, const struct config *config)
{
    if (config->net.n_listeners == 0)
        found(check, config->path, "there is no listener");
    for (size_t i = 0; i < config->net.n_listeners; i++)
        check_logon(check, config, &config->net.listeners[i]);
    uint64_t files = net_raise_file_limit();
    if (config->net.max_connections >= files) {
        check->findings++;
        cli_fail(check->cli, "limits: %u connections, but the system allows %llu open files",
                 config->net.max_connections, (unsigned long long)files);
    }
}

int cli_check(struct cli *cli)
{
    struct check check = {.cli = cli};
    struct config *config = check_config(&check);

    if (config) {
        check_policy(&check, config);
        check_certificates(&check, config);
        /* The addresses of a daemon that runs are its own; it tells at a reload what it cannot
         * bind. */
        if (!serving_is(config->store.dir))
            net_probe(&config->net, finding, &check);
        if (become_user(&check, config))
            check_files(&check, config);
        config_free(config);
    }
    if (check.findings == 0)
        puts(cli->json ? "{\"findings\":0}" : "nothing is wrong");
    return check.findings ? CLI_FAILED : CLI_OK;
}
