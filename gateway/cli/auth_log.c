/* auth_log.c - gatepost auth log: who tried to log on, and how it ended. */
#include <jansson.h>
#include <unistd.h>

#include "auth/auth.h"
#include "base/clock.h"
#include "gateway/cli/cli.h"
#include "store/audit.h"
#include "store/store.h"

const struct cli_option cli_auth_log_options[] = {
    {"--since", true},    {"--until", true},   {"--user", true},
    {"--protocol", true}, {"--follow", false}, {NULL, false},
};

enum { FOLLOW_EVERY_US = 250000 };

struct filter {
    const struct cli *cli;
    const char *protocol; /* NULL: all */
    uint64_t newest;      /* time of the last record seen */
    unsigned at_newest;   /* how many records of just that time were seen */
    unsigned skip;        /* ... of which so many are passed over */
};

/* ---- times: "2026-11-24", "2026-11-24T10:00:00Z", "90m" (before now) ---- */

static bool parse_before(struct slice s, uint64_t *out)
{
    static const struct {
        uint8_t unit;
        uint64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 7 * 86400}};
    uint64_t n;

    if (s.len < 2 || !slice_to_u64(slice_head(s, s.len - 1), &n) || n > 1000000000)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (s.ptr[s.len - 1] == units[i].unit) {
            *out = clock_now().wall - n * units[i].seconds * FILETIME_SECOND;
            return true;
        }
    return false;
}

static bool parse_time(const char *text, uint64_t *out)
{
    struct civil c = {0};
    int64_t seconds;
    int used = 0;

    if (parse_before(slice_str(text), out))
        return true;
    if (sscanf(text, "%4d-%2d-%2d%n", &c.year, &c.month, &c.day, &used) != 3)
        return false;
    if (text[used] == 'T' || text[used] == ' ') {
        int more = 0;

        if (sscanf(text + used + 1, "%2d:%2d:%2d%n", &c.hour, &c.minute, &c.second, &more) != 3)
            return false;
        used += 1 + more;
    }
    if (text[used] == 'Z')
        used++;
    if (text[used] != '\0' || !civil_to_unix(&c, &seconds))
        return false;
    *out = filetime_from_unix(seconds);
    return true;
}

static bool option_time(const struct cli *cli, const char *name, uint64_t *out)
{
    const char *text = cli_option(cli, name);

    if (!text || parse_time(text, out))
        return true;
    cli_fail(cli, "%s: expected a time such as 2026-11-24, 2026-11-24T10:00:00Z or 90m, found '%s'",
             name, text);
    return false;
}

/* ---- records ---- */

static const char *text_of(const json_t *record, const char *name)
{
    const char *text = json_string_value(json_object_get(record, name));

    return text ? text : "";
}

static void print_record(const json_t *record)
{
    const char *user = text_of(record, "identity");

    printf("%-24s %-5s %-20s %-22s %-10s %-16s %s\n", text_of(record, "time"),
           text_of(record, "protocol"), text_of(record, "mechanism"),
           *user ? user : text_of(record, "name"), text_of(record, "stage"),
           text_of(record, "reason"), text_of(record, "client"));
}

/* Records with one time are told apart by their order: --follow must not print one twice. */
static bool is_new(struct filter *f, uint64_t time)
{
    if (time != f->newest) {
        f->newest = time;
        f->at_newest = 0;
        f->skip = 0;
    }
    return ++f->at_newest > f->skip;
}

static bool each_record(void *ctx, uint64_t time, struct slice line)
{
    struct filter *f = ctx;
    json_t *record;

    if (!is_new(f, time))
        return true;
    record = json_loadb((const char *)line.ptr, line.len, 0, NULL);
    if (record && (!f->protocol || strcmp(f->protocol, text_of(record, "protocol")) == 0)) {
        if (f->cli->json)
            fwrite(line.ptr, 1, line.len, stdout);
        else
            print_record(record);
    }
    json_decref(record);
    return !ferror(stdout);
}

static int show(const struct cli *cli, struct audit *audit, struct slice user, uint64_t since,
                uint64_t until)
{
    struct filter f = {.cli = cli, .protocol = cli_option(cli, "--protocol")};
    bool follow = cli_option(cli, "--follow") != NULL;

    for (;;) {
        struct err e = audit_query(audit, since, until, user, each_record, &f);

        if (failed(e))
            return cli_fail_err(cli, "records", e);
        if (!follow || fflush(stdout) != 0 || ferror(stdout))
            return CLI_OK;
        since = f.newest ? f.newest : since;
        f.skip = f.at_newest;
        f.at_newest = 0;
        usleep(FOLLOW_EVERY_US);
    }
}

int cli_auth_log(struct cli *cli)
{
    struct arena arena = ARENA_INIT;
    const char *name = cli_option(cli, "--user");
    struct slice user = SLICE_EMPTY;
    uint64_t since = 0, until = UINT64_MAX;
    struct cli_world world;
    struct audit *audit;

    if (!option_time(cli, "--since", &since) || !option_time(cli, "--until", &until))
        return CLI_USAGE;
    if (name && failed(auth_name(slice_str(name), &arena, &user)))
        user = slice_str(name); /* a name that no account can have may still have been tried */
    if (!cli_open(cli, &world)) {
        arena_done(&arena);
        return CLI_FAILED;
    }
    struct err e = audit_open(store_engine(world.store), &audit);
    int status = failed(e) ? cli_fail_err(cli, "records", e) : show(cli, audit, user, since, until);
    if (!failed(e))
        audit_close(audit);
    cli_close(&world);
    arena_done(&arena);
    return status;
}
