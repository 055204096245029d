/* settings.c - a configuration checked and made ready, counted by those who use it. */
#include <unicode/ucnv.h>

#include "auth/auth_int.h"
#include "base/mem.h"

static struct err take_domains(struct auth_settings *s, const struct auth_config *config)
{
    size_t n = 0;

    while (config->domains && config->domains[n])
        n++;
    s->domains = arena_array(&s->arena, n, sizeof *s->domains);
    for (size_t i = 0; i < n; i++) {
        struct slice name;
        struct err e = auth_name(slice_str(config->domains[i]), &s->arena, &name);

        if (failed(e))
            return ERR(ERR_INVALID, "a local mail domain is not a valid name");
        s->domains[i] = name;
    }
    s->n_domains = n;
    return OK;
}

static struct err take_nt_domain(struct auth_settings *s, const struct auth_config *config)
{
    if (!config->nt_domain || !config->nt_domain[0])
        return OK;
    if (failed(auth_name(slice_str(config->nt_domain), &s->arena, &s->nt_domain)))
        return ERR(ERR_INVALID, "the NT domain is not a valid name");
    return OK;
}

static struct err take_charset(struct auth_settings *s, const struct auth_config *config)
{
    UErrorCode status = U_ZERO_ERROR;

    if (!config->legacy_charset || !config->legacy_charset[0])
        return OK;
    ucnv_close(ucnv_open(config->legacy_charset, &status));
    if (U_FAILURE(status))
        return ERR(ERR_INVALID, "the legacy character set is unknown");
    s->legacy_charset = arena_str(&s->arena, slice_str(config->legacy_charset));
    return OK;
}

/* A name has no white space, and "/" and "\" separate already. */
static struct err take_separator(struct auth_settings *s, const struct auth_config *config)
{
    struct slice separator = slice_str(config->master_separator);

    for (size_t i = 0; i < separator.len; i++)
        if (separator.ptr[i] <= ' ' || separator.ptr[i] >= 0x7F || separator.ptr[i] == '/' ||
            separator.ptr[i] == '\\' || separator.ptr[i] == '@')
            return ERR(ERR_INVALID, "the master separator is of visible ASCII without / \\ @");
    s->master_separator = arena_slice(&s->arena, separator);
    return OK;
}

static struct err take_numbers(struct auth_settings *s, const struct auth_config *config)
{
    s->iterations = config->iterations ? config->iterations : SCRAM_MIN_ITERATIONS;
    s->max_per_user = config->max_per_user ? config->max_per_user : 50;
    s->no_back_off = config->no_back_off;
    if (s->iterations < SCRAM_MIN_ITERATIONS || s->iterations > SCRAM_MAX_ITERATIONS)
        return ERR(ERR_INVALID, "clients accept 4,096 to 65,536 iterations");
    return OK;
}

struct err settings_new(const struct auth_config *config, struct auth_settings **out)
{
    struct auth_settings *s = mem_new(sizeof *s);

    atomic_init(&s->refs, 1);
    s->host_name =
        arena_str(&s->arena, slice_str(config->host_name && *config->host_name ? config->host_name
                                                                               : "localhost"));
    memcpy(s->server_secret, config->server_secret, sizeof s->server_secret);
    struct err e = take_domains(s, config);
    if (!failed(e))
        e = take_nt_domain(s, config);
    if (!failed(e))
        e = take_charset(s, config);
    if (!failed(e))
        e = take_separator(s, config);
    if (!failed(e))
        e = take_numbers(s, config);
    if (failed(e))
        settings_unref(s);
    else
        *out = s;
    return e;
}

struct auth_settings *settings_ref(struct auth_settings *settings)
{
    atomic_fetch_add(&settings->refs, 1);
    return settings;
}

void settings_unref(struct auth_settings *settings)
{
    if (!settings || atomic_fetch_sub(&settings->refs, 1) > 1)
        return;
    arena_done(&settings->arena);
    mem_wipe(settings, sizeof *settings);
    free(settings);
}

struct err auth_check(const struct auth_config *config)
{
    struct auth_settings *s;
    struct err e = settings_new(config, &s);

    if (!failed(e))
        settings_unref(s);
    return e;
}
