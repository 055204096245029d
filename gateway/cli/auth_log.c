/* auth_log.c - gatepost auth log: who tried to log on, and how it ended. */
#include <jansson.h>
#include <unistd.h>

#include "auth/auth.h"
#include "base/utf.h"
#include "gateway/audit_kind.h"
#include "gateway/cli/auth_follow.h"
#include "gateway/cli/auth_range.h"
#include "gateway/cli/cli.h"
#include "store/store.h"

const struct cli_option cli_auth_log_options[] = {
    {"--since", true},    {"--until", true},   {"--user", true},
    {"--protocol", true}, {"--follow", false}, {NULL, false},
};

enum { FOLLOW_EVERY_US = 250000 };

struct filter {
    const struct cli *cli;
    const struct cli_auth_range *range;
    struct follow *follow; /* NULL: one round is all */
};

/* ---- records ---- */

static void print_record(const json_t *record)
{
    struct slice user = audit_member(record, "identity");
    struct buf shown = buf_make(64 * 1024), mechanism = buf_make(64 * 1024);

    /* Anybody may call himself anything: what he said must not move the cursor of who looks. */
    utf8_put_visible(&shown, user.len ? user : audit_member(record, "name"));
    utf8_put_visible(&mechanism, audit_member(record, "mechanism"));
    printf("%-24.*s %-5.*s %-20.*s %-22.*s %-10.*s %-16.*s %.*s\n",
           SLICE_ARG(audit_member(record, "time")), SLICE_ARG(audit_member(record, "protocol")),
           SLICE_ARG(buf_slice(&mechanism)), SLICE_ARG(buf_slice(&shown)),
           SLICE_ARG(audit_member(record, "stage")), SLICE_ARG(audit_member(record, "reason")),
           SLICE_ARG(audit_member(record, "client")));
    buf_done(&shown);
    buf_done(&mechanism);
}

static bool each_record(void *ctx, struct audit_place at, struct slice line)
{
    struct filter *f = ctx;
    json_t *record;

    if (f->follow && !follow_is_new(f->follow, at))
        return true;
    record = json_loadb((const char *)line.ptr, line.len, 0, NULL);
    if (record && cli_auth_range_has(f->range, f->range->user, audit_member(record, "protocol"))) {
        if (f->cli->json)
            fwrite(line.ptr, 1, line.len, stdout);
        else
            print_record(record);
    }
    json_decref(record);
    return !ferror(stdout);
}

static int show(const struct cli *cli, struct audit *audit, const struct cli_auth_range *range)
{
    struct follow follow = {0};
    struct filter f = {
        .cli = cli, .range = range, .follow = cli_option(cli, "--follow") ? &follow : NULL};
    uint64_t since = range->since;
    struct err e;

    for (;;) {
        e = audit_query(audit, since, range->until, range->user, each_record, &f);
        if (failed(e) || !f.follow || fflush(stdout) != 0 || ferror(stdout))
            break;
        since = follow_turn(&follow, since);
        usleep(FOLLOW_EVERY_US);
    }
    follow_done(&follow);
    return failed(e) ? cli_fail_err(cli, "records", e) : CLI_OK;
}

int cli_auth_log(struct cli *cli)
{
    return cli_auth_records(cli, show);
}
