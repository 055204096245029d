/*
 * serve.c - gatepost serve: the daemon, in the foreground.
 *
 * The order of starting: configuration, sockets (while we may still be root), the user that we
 * are to be, store, authentication, workers. SIGHUP takes a new configuration over, SIGTERM and
 * SIGINT let sessions finish.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "gateway/accounts.h"
#include "gateway/audit_sink.h"
#include "gateway/audit_system.h"
#include "gateway/cli/cli.h"
#include "gateway/config.h"
#include "gateway/control.h"
#include "gateway/figures.h"
#include "gateway/identity.h"
#include "gateway/log_file.h"
#include "gateway/mapi_directory.h"
#include "gateway/penalties.h"
#include "gateway/serving.h"
#include "protocols/mapi/mapi.h"

/* A process that is killed forgives what was counted in so long. */
enum { SAVE_EVERY_S = 10 };

struct daemon {
    const struct cli *cli;
    int serving; /* see serving.h */
    struct config *config;
    struct log_file *file;
    struct log *log; /* of the file */
    struct net_server *server;
    struct store *store;
    struct accounts *accounts;
    struct gateway_source source;
    struct gateway_directory directory;
    struct transport *transport;
    struct audit_sink *sink;
    struct audit_system *system;
    struct tail *tail;
    struct logon_counters *logons;
    struct auth *auth;
    struct penalties *penalties;
    struct figures *figures;
    struct control *control;
    struct mapi *mapi;
    sigset_t signals;
};

/* ---- starting ---- */

static bool say(const struct daemon *d, const char *what, struct err e)
{
    cli_fail_err(d->cli, what, e);
    return false;
}

/* Every line of `why` is a finding of its own. */
static bool say_all(const struct daemon *d, const struct buf *why)
{
    struct slice text = buf_slice(why);

    while (text.len) {
        struct slice line = slice_cut(&text, '\n');

        cli_fail(d->cli, "%.*s", SLICE_ARG(line));
    }
    return false;
}

static bool has_listener(const struct config *config, struct buf *why)
{
    if (config->net.n_listeners == 0)
        buf_printf(why, "%s: there is no listener", config->path);
    return config->net.n_listeners > 0;
}

static bool load(struct daemon *d)
{
    struct buf why = buf_make(64 * 1024);
    struct err e = config_load(d->cli->config, &why, &d->config);

    if (!failed(e) && !has_listener(d->config, &why))
        e = ERR(ERR_INVALID, "no listener");
    bool good = failed(e) ? say_all(d, &why) : true;
    buf_done(&why);
    return good;
}

static bool open_log(struct daemon *d)
{
    const struct config *c = d->config;
    struct err e = log_file_new(c->log.file, c->log.json, c->log.level, &d->file);

    if (failed(e))
        return say(d, c->log.file ? c->log.file : "log", e);
    d->log = log_file_log(d->file);
    return true;
}

static bool bind_all(struct daemon *d)
{
    struct buf why = buf_make(64 * 1024);
    struct err e = net_server_new(&d->config->net, d->log, &why, &d->server);

    if (failed(e) && why.len == 0)
        buf_puts(&why, e.why);
    bool good = failed(e) ? say_all(d, &why) : true;
    buf_done(&why);
    return good;
}

static bool become_user(const struct daemon *d)
{
    const struct config *c = d->config;
    struct buf why = buf_make(8192);
    struct err e = identity_own_directory(c->store.dir, c->user, &why);

    if (c->log.file)
        identity_own_file(c->log.file, c->user);
    if (!failed(e))
        e = identity_become(c->user, &why);
    bool good = failed(e) ? say_all(d, &why) : true;
    buf_done(&why);
    return good;
}

static bool open_store(struct daemon *d)
{
    const struct config *c = d->config;
    struct err e = store_open(&c->store, d->log, &d->store);

    if (!failed(e))
        e = serving_begin(c->store.dir, &d->serving);
    if (failed(e))
        return say(d, c->store.dir, e);
    e = accounts_open(store_engine(d->store), &d->accounts);
    if (failed(e))
        return say(d, "accounts", e);
    e = audit_sink_new(c->audit_file, c->audit_keep_ms, store_engine(d->store), d->log, &d->sink);
    return failed(e) ? say(d, *c->audit_file ? c->audit_file : "audit", e) : true;
}

static bool open_auth(struct daemon *d)
{
    struct err e = accounts_key(d->accounts, "fake-salt", d->config->auth.server_secret);

    if (failed(e))
        return say(d, "accounts", e);
    gateway_source_init(&d->source, d->accounts);
    d->system = audit_system_new(d->config->audit_journal, d->config->audit_syslog,
                                 audit_sink_face(d->sink), d->log);
    d->tail = tail_new(audit_system_face(d->system));
    d->logons = logon_counters_new(tail_face(d->tail));
    e = auth_new(&d->config->auth, &d->source.source, logon_counters_face(d->logons), d->log,
                 &d->auth);
    if (failed(e))
        return say(d, "authentication", e);
    d->penalties = penalties_new(d->config->store.dir, d->auth, d->log);
    return true;
}

static bool open_figures(struct daemon *d)
{
    const struct figures_parts parts = {
        .server = d->server,
        .store = d->store,
        .sink = d->sink,
        .logons = d->logons,
        .transport = d->transport,
        .tail = d->tail,
        .auth = d->auth,
        .directory = d->config->store.dir,
    };
    struct err e = figures_new(&parts, &d->figures);

    return failed(e) ? say(d, "figures", e) : true;
}

static bool open_mapi(struct daemon *d)
{
    struct mapi_config config = d->config->mapi;

    gateway_directory_init(&d->directory, d->accounts, d->auth);
    config.store = d->store;
    config.directory = &d->directory.directory;
    struct err e =
        transport_new(&d->config->transport, d->store, config.directory, d->log, &d->transport);
    if (failed(e))
        return say(d, "transport", e);
    config.transport = transport_face(d->transport);
    d->mapi = mapi_new(&config);
    return true;
}

static bool open_control(struct daemon *d)
{
    struct err e = control_new(d->config->store.dir, net_server_instance(d->server), d->auth,
                               d->transport, d->log, &d->control);

    return failed(e) ? say(d, "control socket", e) : true;
}

/* ---- running ---- */

static void tell_reload(struct daemon *d, const struct buf *why, bool good)
{
    if (good)
        log_event(d->log, LOG_LEVEL_INFO, "config.reloaded", log_str("path", d->cli->config));
    else
        log_event(d->log, LOG_LEVEL_ERROR, "config.refused", log_str("path", d->cli->config),
                  log_text("why", buf_slice(why)));
}

/* Each part takes the new configuration over or keeps the old; a fault anywhere keeps the old. */
static bool apply(struct daemon *d, struct config *new, struct buf *why)
{
    memcpy(new->auth.server_secret, d->config->auth.server_secret, sizeof new->auth.server_secret);
    if (strcmp(new->store.dir, d->config->store.dir) != 0) {
        buf_puts(why, "the store's directory cannot be changed while the daemon runs");
        return false;
    }
    if (!has_listener(new, why))
        return false;
    struct err e = audit_sink_try(new->audit_file);
    if (failed(e))
        buf_printf(why, "%s: %s", new->audit_file, e.why);
    if (!failed(e))
        e = auth_reconfigure(d->auth, &new->auth);
    if (!failed(e)) {
        e = net_server_reload(d->server, &new->net, why);
        if (failed(e) && failed(auth_reconfigure(d->auth, &d->config->auth)))
            buf_puts(why, "; authentication keeps what it has of the new one");
    }
    if (failed(e) && why->len == 0)
        buf_puts(why, e.why);
    return !failed(e);
}

static void reopen_files(struct daemon *d)
{
    const struct config *c = d->config;
    struct err e = log_file_reopen(d->file, c->log.file, c->log.json, c->log.level);

    if (failed(e))
        log_event(d->log, LOG_LEVEL_ERROR, "log.failed", log_str("why", e.why));
    audit_system_reopen(d->system, c->audit_journal, c->audit_syslog);
    e = audit_sink_reopen(d->sink, c->audit_file, c->audit_keep_ms);
    if (failed(e))
        log_event(d->log, LOG_LEVEL_ERROR, "audit.file.failed", log_str("why", e.why));
}

static bool is_same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool is_same_mapi(const struct mapi_config *a, const struct mapi_config *b)
{
    return is_same_text(a->organization, b->organization) &&
           is_same_text(a->base_url, b->base_url) && a->idle_ms == b->idle_ms &&
           a->wait_ms == b->wait_ms && a->max_contexts == b->max_contexts &&
           a->max_objects == b->max_objects && a->max_memory == b->max_memory;
}

static bool is_same_transport(const struct transport_config *a, const struct transport_config *b)
{
    return is_same_text(a->hop.url, b->hop.url) && a->hop.tls == b->hop.tls &&
           is_same_text(a->hop.user, b->hop.user) &&
           is_same_text(a->hop.password, b->hop.password) &&
           a->hop.timeout_ms == b->hop.timeout_ms && a->retry_ms == b->retry_ms &&
           a->give_up_ms == b->give_up_ms;
}

/* What the running daemon keeps as it was when it started. */
static void tell_kept(struct daemon *d, const struct config *new)
{
    const struct config *old = d->config;
    const struct {
        const char *key;
        bool differs;
    } kept[] = {
        {"server.workers", old->net.workers != new->net.workers},
        {"server.user", strcmp(old->user ? old->user : "", new->user ? new->user : "") != 0},
        {"store.map-size", old->store.map_bytes != new->store.map_bytes},
        {"store.reserve", old->store.reserve_bytes != new->store.reserve_bytes},
        {"store.change-log", old->store.max_log != new->store.max_log},
        {"store.recover", old->store.recover != new->store.recover},
        {"store.max-folders", old->store.max_folders != new->store.max_folders},
        {"limits.message", old->store.max_message < new->store.max_message},
        {"mapi", !is_same_mapi(&old->mapi, &new->mapi)},
        {"transport", !is_same_transport(&old->transport, &new->transport)},
        {"auth.threads", old->auth.threads != new->auth.threads},
        {"auth.max-waiting", old->auth.max_waiting != new->auth.max_waiting},
    };

    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (kept[i].differs)
            log_event(d->log, LOG_LEVEL_WARN, "config.needs.restart", log_str("key", kept[i].key));
}

/* systemd waits for a READY=1 that is later than this (sd_notify(3)). */
static void notify_reloading(void)
{
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
               (unsigned long long)clock_now().mono_ms * 1000);
}

static void reload(struct daemon *d)
{
    struct buf why = buf_make(64 * 1024);
    struct config *new = NULL;

    notify_reloading();
    bool good = !failed(config_load(d->cli->config, &why, &new)) && apply(d, new, &why);
    if (good) {
        tell_kept(d, new);
        config_free(d->config);
        d->config = new;
    } else {
        config_free(new);
    }
    reopen_files(d);
    tell_reload(d, &why, good);
    buf_done(&why);
    sd_notify(0, "READY=1");
}

/* A second signal: who has not finished by now is cut off. */
static void *await_another(void *arg)
{
    struct daemon *d = arg;
    int which = 0;

    while (sigwait(&d->signals, &which) == 0 && which == SIGHUP)
        ;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &(int){0});
    log_event(d->log, LOG_LEVEL_WARN, "server.hurry", log_number("signal", which));
    net_server_hurry(d->server);
    return NULL;
}

static void drain(struct daemon *d)
{
    pthread_t another;
    bool listens = pthread_create(&another, NULL, await_another, d) == 0;

    net_server_drain(d->server, d->config->drain_ms);
    if (!listens)
        return;
    pthread_cancel(another);
    pthread_join(another, NULL);
}

/* Meanwhile what is counted of attackers is written down. */
static int await_signal(struct daemon *d)
{
    const struct timespec pause = {.tv_sec = SAVE_EVERY_S};
    int which;

    while ((which = sigtimedwait(&d->signals, NULL, &pause)) < 0)
        if (errno == EAGAIN)
            penalties_save(d->penalties);
    return which;
}

static void run(struct daemon *d)
{
    int which;

    const struct net_services services = {
        .store = d->store,
        .auth = d->auth,
        .ops = figures_source(d->figures),
        .mapi = d->mapi,
    };

    net_server_start(d->server, &services);
    log_event(d->log, LOG_LEVEL_INFO, "server.start", log_str("version", GATEPOST_VERSION),
              log_str("instance", net_server_instance(d->server)), log_number("pid", getpid()),
              log_number("listeners", (int64_t)d->config->net.n_listeners));
    sd_notify(0, "READY=1");
    while ((which = await_signal(d)) == SIGHUP)
        reload(d);
    sd_notify(0, "STOPPING=1");
    log_event(d->log, LOG_LEVEL_INFO, "server.drain", log_number("signal", which));
    drain(d);
}

/*
 * Sessions that were cut off while they waited have answers under way, which close mailboxes. A
 * change of many messages comes in steps, each asked for when the one before it is answered.
 */
static void await_answers(struct daemon *d)
{
    net_server_settle(d->server);
    while (store_is_asked(d->store)) {
        store_quiesce(d->store);
        net_server_settle(d->server);
    }
}

/* Answers that are still under way go to workers, so these stop last. */
static void stop(struct daemon *d)
{
    control_free(d->control);
    figures_free(d->figures);
    mapi_close(d->mapi);
    transport_stop(d->transport);
    if (d->server && d->store)
        await_answers(d);
    penalties_free(d->penalties);
    auth_free(d->auth); /* whoever sends or is executed still asks it for accounts */
    if (d->server)
        net_server_settle(d->server);
    mapi_free(d->mapi);
    transport_free(d->transport);
    logon_counters_free(d->logons);
    tail_free(d->tail);
    audit_system_free(d->system);
    audit_sink_free(d->sink);
    accounts_close(d->accounts);
    if (d->store)
        store_close(d->store);
    if (d->server)
        net_server_settle(d->server);
    net_server_free(d->server);
    if (d->serving >= 0)
        close(d->serving);
    if (d->config)
        mem_wipe(d->config->auth.server_secret, sizeof d->config->auth.server_secret);
    config_free(d->config);
}

/* Signals are waited for by this thread alone, so every other one is born with them blocked. */
static void block_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int cli_serve(struct cli *cli)
{
    struct daemon d = {.cli = cli, .serving = -1};
    struct rlimit no_core = {0, 0};

    block_signals(&d.signals);
    setrlimit(RLIMIT_CORE, &no_core); /* a core would hold secrets */
    net_raise_file_limit();
    bool good = load(&d) && open_log(&d) && bind_all(&d) && become_user(&d) && open_store(&d) &&
                open_auth(&d) && open_mapi(&d) && open_figures(&d) && open_control(&d);
    if (good)
        run(&d);
    stop(&d);
    if (good)
        log_event(d.log, LOG_LEVEL_INFO, "server.stop", log_number("pid", getpid()));
    log_file_free(d.file);
    return good ? CLI_OK : CLI_FAILED;
}
