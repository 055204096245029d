/*
 * audit.c - what records of log-ons cost: adding them, and counting those of a day.
 *
 *     bench_audit DIR [records [users]]
 *
 * Makes a store in DIR (which must not exist yet) with `records` (10,000,000) of one day, of
 * `users` (100,000) on two protocols, and leaves it there for `gatepost auth compare --since 2d`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "gateway/audit_kind.h"
#include "gateway/tally.h"
#include "store/store.h"

enum { GROUP = 1000 };

static void must(struct err e)
{
    if (failed(e)) {
        fprintf(stderr, "%s: %s\n", err_name(e.code), e.why);
        exit(1);
    }
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void append(struct audit *audit, uint64_t first, uint64_t n, uint64_t all, unsigned users,
                   uint64_t start)
{
    static char names[GROUP][32], line[400];
    static struct audit_kind kinds[GROUP];
    struct audit_entry entries[GROUP];

    memset(line, 'x', sizeof line);
    for (uint64_t i = 0; i < n; i++) {
        unsigned user = (unsigned)((first + i) * 2654435761u % users);
        bool pop3 = (first + i) % 2;
        enum auth_reason reason = (first + i) % 10 == 0 ? AUTH_WRONG_SECRET : AUTH_OK;

        snprintf(names[i], sizeof names[i], "user%u@example.org", user);
        kinds[i] = audit_kind_of(pop3 ? "pop3" : "imap", reason, S("PLAIN"));
        entries[i] = (struct audit_entry){
            .time = start + (first + i) * (24 * 3600 * FILETIME_SECOND / all),
            .user = slice_str(names[i]),
            .kind = audit_kind_slice(&kinds[i]),
            .latency_us = 1000 + user % 5000,
            .line = slice_of(line, sizeof line),
        };
    }
    must(audit_append(audit, entries, n));
}

static void take(void *ctx, const struct audit_count *count)
{
    tally_add(ctx, count);
}

static void count(struct audit *audit, const char *what, uint64_t since)
{
    struct tally tally = {.rows = NULL};
    double began = seconds();
    size_t n;

    must(audit_counts(audit, since, UINT64_MAX, take, &tally));
    tally_rows(&tally, &n);
    printf("%-44s %10.3f s, %zu users and kinds\n", what, seconds() - began, n);
    tally_done(&tally);
}

int main(int argc, char **argv)
{
    uint64_t records = argc > 2 ? strtoull(argv[2], NULL, 10) : 10000000;
    unsigned users = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 100000;
    struct store_config config = {.dir = argc > 1 ? argv[1] : NULL, .create = true};
    uint64_t start = clock_now().wall - 24 * 3600 * FILETIME_SECOND;
    struct audit *audit;
    struct store *st;

    if (!config.dir || users == 0)
        return fprintf(stderr, "usage: bench_audit DIR [records [users]]\n"), 2;
    must(store_open(&config, NULL, &st));
    must(audit_open(store_engine(st), &audit));
    double began = seconds();
    for (uint64_t i = 0; i < records; i += GROUP)
        append(audit, i, records - i < GROUP ? records - i : GROUP, records, users, start);
    printf("%-44s %10.3f us\n", "adding a record, 1,000 at a time",
           (seconds() - began) / (double)records * 1e6);
    count(audit, "counting all of the day", 0);
    count(audit, "counting the last 12.5 hours",
          clock_now().wall - 12 * 3600 * FILETIME_SECOND - 1800 * FILETIME_SECOND);
    audit_close(audit);
    store_close(st);
    return 0;
}
