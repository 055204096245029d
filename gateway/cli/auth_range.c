#include "gateway/cli/auth_range.h"

#include <stdio.h>

#include "auth/auth.h"
#include "base/arena.h"
#include "base/clock.h"
#include "store/store.h"

static bool parse_before(struct slice s, uint64_t *out)
{
    static const struct {
        uint8_t unit;
        uint64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 7 * 86400}};
    uint64_t n;

    if (s.len < 2 || !slice_to_u64(slice_head(s, s.len - 1), &n) || n > 1000000)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (s.ptr[s.len - 1] == units[i].unit) {
            uint64_t now = clock_now().wall, ago = n * units[i].seconds * FILETIME_SECOND;

            *out = ago < now ? now - ago : 0;
            return true;
        }
    return false;
}

static bool parse_time(const char *text, uint64_t *out)
{
    return parse_before(slice_str(text), out) || clock_parse_rfc3339(slice_str(text), out);
}

/* *out stays where the option was not given. */
static bool option_time(const struct cli *cli, const char *name, uint64_t *out)
{
    const char *text = cli_option(cli, name);

    if (!text || parse_time(text, out))
        return true;
    cli_fail(cli, "%s: expected a time such as 2026-11-24, 2026-11-24T10:00:00Z or 90m, found '%s'",
             name, text);
    return false;
}

/* A name that no account can have may still have been tried: it is looked for as it is. */
static struct slice option_user(const struct cli *cli, struct arena *in)
{
    const char *name = cli_option(cli, "--user");
    struct slice user;

    return !name || failed(auth_name(slice_str(name), in, &user)) ? slice_str(name) : user;
}

static bool take_range(const struct cli *cli, struct arena *in, struct cli_auth_range *out)
{
    *out = (struct cli_auth_range){
        .until = UINT64_MAX,
        .user = option_user(cli, in),
        .protocol = slice_str(cli_option(cli, "--protocol")),
    };
    return option_time(cli, "--since", &out->since) && option_time(cli, "--until", &out->until);
}

bool cli_auth_range_has(const struct cli_auth_range *range, struct slice user,
                        struct slice protocol)
{
    return (range->user.len == 0 || slice_eq(range->user, user)) &&
           (range->protocol.len == 0 || slice_eq(range->protocol, protocol));
}

int cli_auth_records(const struct cli *cli, int (*run)(const struct cli *cli, struct audit *audit,
                                                       const struct cli_auth_range *range))
{
    struct arena arena = ARENA_INIT;
    struct cli_auth_range range;
    struct cli_world world;
    struct audit *audit;
    int status = CLI_USAGE;

    if (!take_range(cli, &arena, &range))
        goto out;
    status = CLI_FAILED;
    if (!cli_open(cli, &world))
        goto out;
    struct err e = audit_open(store_engine(world.store), &audit);
    status = failed(e) ? cli_fail_err(cli, "records", e) : run(cli, audit, &range);
    if (!failed(e))
        audit_close(audit);
    cli_close(&world);
out:
    arena_done(&arena);
    return status;
}
