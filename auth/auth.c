/* auth.c - the layer as a whole: made, reconfigured, freed; and what goes to its parts. */
#include "auth/auth_int.h"

#include <unistd.h>

#include "base/mem.h"

enum { CACHE_SLOTS = 8192, BACKOFF_ENTRIES = 65536, DEFAULT_WAITING = 10000 };

static unsigned thread_count(const struct auth_config *config)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (config->inline_steps)
        return 0;
    return config->threads ? config->threads : cores > 0 ? (unsigned)cores : 1;
}

/* libsasl2's state is of the process: a second layer would run on the first one's. */
static atomic_flag layer_exists = ATOMIC_FLAG_INIT;

struct err auth_new(const struct auth_config *config, struct auth_source *source,
                    struct auth_sink *sink, struct log *log, struct auth **out)
{
    struct auth_settings *settings;
    struct err e = settings_new(config, &settings);

    if (failed(e))
        return e;
    if (atomic_flag_test_and_set(&layer_exists)) {
        settings_unref(settings);
        return ERR(ERR_EXISTS, "one process has one authentication layer");
    }
    struct auth *auth = mem_new(sizeof *auth);
    auth->source = source;
    auth->sink = sink;
    auth->log = log;
    auth->now = config->now ? config->now : clock_now;
    auth->settings = settings;
    pthread_mutex_init(&auth->mutex, NULL);
    e = sasl_layer_start(auth);
    bool started = !failed(e);
    if (started) {
        auth->cache = verify_cache_new(CACHE_SLOTS);
        auth->backoff = backoff_new(BACKOFF_ENTRIES, config->server_secret);
        auth->sessions = sessions_new();
        auth->pool = pool_new(thread_count(config),
                              config->max_waiting ? config->max_waiting : DEFAULT_WAITING);
        if (!auth->pool)
            e = ERR(ERR_IO, "no thread can be started");
    }
    if (failed(e)) {
        if (started)
            sasl_layer_stop();
        auth->settings = NULL;
        settings_unref(settings);
        auth_free(auth);
        return e;
    }
    *out = auth;
    return OK;
}

void auth_free(struct auth *auth)
{
    if (!auth)
        return;
    pool_free(auth->pool);
    if (auth->settings)
        sasl_layer_stop();
    settings_unref(auth->settings);
    sessions_free(auth->sessions);
    backoff_free(auth->backoff);
    verify_cache_free(auth->cache);
    pthread_mutex_destroy(&auth->mutex);
    free(auth);
    atomic_flag_clear(&layer_exists);
}

struct err auth_reconfigure(struct auth *auth, const struct auth_config *config)
{
    struct auth_settings *settings, *old;
    struct err e = settings_new(config, &settings);

    if (failed(e))
        return e;
    pthread_mutex_lock(&auth->mutex);
    old = auth->settings;
    auth->settings = settings;
    pthread_mutex_unlock(&auth->mutex);
    settings_unref(old);
    return OK;
}

struct auth_settings *auth_settings(struct auth *auth)
{
    pthread_mutex_lock(&auth->mutex);
    struct auth_settings *settings = settings_ref(auth->settings);
    pthread_mutex_unlock(&auth->mutex);
    return settings;
}

/* ---- records without an attempt ---- */

static void write_record(struct auth *auth, const struct auth_peer *peer, struct slice name,
                         struct slice identity, enum auth_reason reason)
{
    auth_write(auth, &(struct auth_record){
                         .time = auth->now().wall,
                         .reason = reason,
                         .peer = peer,
                         .name_given = name,
                         .identity = identity,
                     });
}

void auth_write(struct auth *auth, const struct auth_record *record)
{
    struct buf line = buf_make(SIZE_MAX / 2);

    if (!auth->sink)
        return;
    auth_record_put(record, &line);
    auth->sink->record(auth->sink, record, buf_slice(&line));
    buf_done(&line);
}

void auth_record_lost(struct auth *auth, const struct auth_peer *peer, struct slice name_given)
{
    write_record(auth, peer, name_given, SLICE_EMPTY, AUTH_LOST);
}

void auth_record_event(struct auth *auth, const struct auth_peer *peer, struct slice identity,
                       enum auth_reason reason)
{
    write_record(auth, peer, SLICE_EMPTY, identity, reason);
}

/* ---- back-off ---- */

void auth_throttled(struct auth *auth, void (*each)(void *ctx, const struct auth_throttled *one),
                    void *ctx)
{
    backoff_each(auth->backoff, auth->now().mono_ms, each, ctx);
}

size_t auth_lift(struct auth *auth, const struct sockaddr_storage *address, struct slice name)
{
    struct auth_place place = address ? place_of(address) : (struct auth_place){{0}};
    struct auth_settings *settings = auth_settings(auth);
    struct arena arena = ARENA_INIT;
    struct resolved resolved;
    struct slice stable = SLICE_EMPTY;

    if (name.len) /* what is counted is the stable form, of unknown names too */
        (void)!failed(resolve_name(settings, auth->source, name, &arena, &resolved, &stable));
    size_t n = backoff_lift(auth->backoff, address ? &place : NULL, name.len ? &stable : NULL,
                            auth->now().mono_ms);
    settings_unref(settings);
    arena_done(&arena);
    return n;
}

void auth_penalties_save(struct auth *auth, struct buf *out)
{
    backoff_save(auth->backoff, auth->now(), out);
}

struct err auth_penalties_load(struct auth *auth, struct slice saved)
{
    return backoff_load(auth->backoff, auth->now(), saved);
}

uint64_t auth_penalties_changes(struct auth *auth)
{
    return backoff_changes(auth->backoff);
}

/* ---- names and sessions ---- */

struct err auth_resolve(struct auth *auth, struct slice given, struct arena *in,
                        struct auth_account *out)
{
    struct auth_settings *settings = auth_settings(auth);
    struct resolved resolved;
    struct slice stable;
    struct err e = resolve_name(settings, auth->source, given, in, &resolved, &stable);

    settings_unref(settings);
    if (!failed(e))
        e = resolved.no_target;
    if (!failed(e))
        *out = resolved.target;
    return e;
}

struct err auth_resolve_recipient(struct auth *auth, struct slice address, struct arena *in,
                                  struct auth_account *out)
{
    struct auth_settings *settings = auth_settings(auth);
    struct err e = resolve_address(settings, auth->source, address, in, out);

    settings_unref(settings);
    return e;
}

struct slice auth_address(struct auth *auth, struct slice name, struct arena *in)
{
    struct auth_settings *settings = auth_settings(auth);
    struct slice address = name;

    if (name_at_sign(name) == name.len && settings->n_domains)
        address = name_join(name, settings->domains[0], in);
    settings_unref(settings);
    return address;
}

struct err auth_session_enter(struct auth *auth, const struct auth_peer *peer,
                              struct slice identity)
{
    struct auth_settings *settings = auth_settings(auth);
    unsigned max = settings->max_per_user;

    settings_unref(settings);
    if (!sessions_enter(auth->sessions, place_of(&peer->remote), identity, max))
        return ERR(ERR_LIMIT, "this user has too many sessions from this address");
    return OK;
}

void auth_session_leave(struct auth *auth, const struct auth_peer *peer, struct slice identity)
{
    sessions_leave(auth->sessions, place_of(&peer->remote), identity);
}
