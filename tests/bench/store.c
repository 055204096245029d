/*
 * store.c - what the mailbox store costs, without protocols: CPU and wall time per unit of work.
 *
 *     bench_store DIR [messages]
 *
 * Makes a store in DIR (which must not exist yet) with one mailbox of `messages` (1,000,000).
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/store.h"

static void must(struct err e)
{
    if (failed(e)) {
        fprintf(stderr, "%s: %s\n", err_name(e.code), e.why);
        exit(1);
    }
}

struct times {
    double cpu, wall;
};

static double seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct times now(void)
{
    return (struct times){seconds(CLOCK_PROCESS_CPUTIME_ID), seconds(CLOCK_MONOTONIC)};
}

static void tell(const char *what, struct times since, double n)
{
    struct times t = now();

    printf("%-44s %10.3f us CPU %10.3f us wall\n", what, (t.cpu - since.cpu) / n * 1e6,
           (t.wall - since.wall) / n * 1e6);
}

static struct store_prepared *prepare(struct store *st, unsigned number, size_t body)
{
    struct store_spool *spool = store_spool_new(st);
    struct store_prepared *prepared;
    char head[200];
    uint8_t *bytes = mem_array(body, 1);

    int len = snprintf(head, sizeof head,
                       "From: a@example.org\r\nTo: b@example.org\r\nSubject: number %u\r\n"
                       "Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n\r\n",
                       number);

    memset(bytes, 'x', body);
    must(store_spool_put(spool, slice_of(head, (size_t)len)));
    must(store_spool_put(spool, slice_of(bytes, body)));
    must(store_prepare(st, spool, &prepared));
    free(bytes);
    return prepared;
}

static void append(struct mailbox *mb, const struct store_new_message *m, size_t n)
{
    struct store_append rq;

    store_append_init(&rq);
    rq.fid = SPECIAL_INBOX;
    rq.messages = m;
    rq.n = n;
    must(store_run(mb, &rq.op));
}

static void bench_append(struct store *st, struct mailbox *mb)
{
    enum { N = 2000, BODY = 4000 };
    struct store_prepared *prepared[N];
    struct times t = now();

    for (unsigned i = 0; i < N; i++)
        prepared[i] = prepare(st, i, BODY);
    tell("prepare 4 KB", t, N);
    t = now();
    for (unsigned i = 0; i < N; i++)
        append(mb, &(struct store_new_message){.prepared = prepared[i]}, 1);
    tell("append 4 KB, one by one, durable", t, N);
    t = now();
    for (unsigned i = 0; i < N; i++)
        append(mb, &(struct store_new_message){.prepared = prepared[i]}, 1);
    tell("append the same bytes again", t, N);
    for (unsigned i = 0; i < N; i++)
        store_prepared_free(prepared[i]);
}

static void fill(struct store *st, struct mailbox *mb, uint32_t n)
{
    enum { AT_ONCE = 2000 };
    struct store_new_message *m = mem_array(AT_ONCE, sizeof *m);
    struct store_prepared *prepared = prepare(st, 1000000, 2000);
    struct times t = now();

    for (uint32_t i = 0; i < AT_ONCE; i++)
        m[i] = (struct store_new_message){.prepared = prepared, .internaldate = clock_now().wall};
    for (uint32_t done = 0; done < n; done += AT_ONCE)
        append(mb, m, AT_ONCE);
    tell("append 2,000 at a time", t, n);
    store_prepared_free(prepared);
    free(m);
}

static void bench_select(struct mailbox *mb)
{
    enum { N = 200000 };
    struct store_folder folder;
    struct store_read *rd;
    struct store_view *view;
    struct times t = now();

    for (int i = 0; i < N; i++) {
        must(store_read_begin(mb, &rd));
        must(store_folder_find(rd, S("INBOX"), &folder));
        store_read_end(rd);
    }
    tell("STATUS (read, find)", t, N);
    t = now();
    for (int i = 0; i < N; i++) {
        must(store_read_begin(mb, &rd));
        must(store_folder_get(rd, SPECIAL_INBOX, &folder));
        must(store_view_open(rd, SPECIAL_INBOX, &view));
        store_view_close(view);
        store_read_end(rd);
    }
    tell("folder and view, cached", t, N);
}

static void bench_rows(struct mailbox *mb, uint32_t n)
{
    enum { GETS = 200000 };
    const struct message_row *row;
    struct message_row one;
    struct store_read *rd;
    uint64_t sum = 0, state = 1;

    must(store_read_begin(mb, &rd));
    for (int round = 0; round < 2; round++) {
        struct times t = now();
        struct store_rows *rows = store_rows_open(rd, SPECIAL_INBOX, 0);
        uint64_t seen = 0;

        for (; !failed(store_rows_next(rows, &row)); seen++)
            sum += row->size;
        store_rows_close(rows);
        tell(round ? "walk, per row" : "walk, per row, first time", t, (double)seen);
    }
    struct times t = now();
    for (int i = 0; i < GETS; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        must(store_message(rd, SPECIAL_INBOX, 1 + (uint32_t)(state >> 33) % n, &one));
        sum += one.size;
    }
    tell("one row at random", t, GETS);
    struct message_meta meta;

    t = now();
    for (int i = 0; i < GETS; i++) {
        must(store_message_meta(rd, &one, &meta));
        sum += meta.envelope.len;
    }
    tell("its ENVELOPE", t, GETS);
    store_read_end(rd);
    if (sum == 0)
        printf("nothing\n");
}

static void bench_flags(struct mailbox *mb, uint32_t n)
{
    struct store_set_flags rq;

    for (int i = 0; i < 3; i++) {
        struct slice name = S("Red");
        struct times t = now();

        store_set_flags_init(&rq);
        rq.fid = SPECIAL_INBOX;
        uidset_add(&rq.uids, 1, UINT32_MAX);
        rq.how = FLAGS_ADD;
        rq.flags = i == 0 ? FLAG_SEEN : i == 1 ? FLAG_FLAGGED : 0;
        rq.keywords = &name;
        rq.n_keywords = i == 2;
        must(store_run(mb, &rq.op));
        tell(i == 0   ? "STORE 1:* \\Seen, per message"
             : i == 1 ? "STORE 1:* \\Flagged, per message"
                      : "STORE 1:* keyword, per message",
             t, n);
        uidset_done(&rq.uids);
        uidset_done(&rq.changed);
    }
    enum { ONES = 2000 };
    struct times t = now();

    for (uint32_t i = 0; i < ONES; i++) {
        store_set_flags_init(&rq);
        rq.fid = SPECIAL_INBOX;
        uidset_add(&rq.uids, 1 + i * 37 % n, 1 + i * 37 % n);
        rq.how = FLAGS_ADD;
        rq.flags = FLAG_ANSWERED;
        must(store_run(mb, &rq.op));
        uidset_done(&rq.uids);
        uidset_done(&rq.changed);
    }
    tell("STORE of one flag, durable", t, ONES);
}

static void bench_changes(struct mailbox *mb)
{
    struct store_read *rd;
    struct store_folder folder;
    struct uidset set = UIDSET_EMPTY;
    bool complete;

    must(store_read_begin(mb, &rd));
    must(store_folder_get(rd, SPECIAL_INBOX, &folder));
    struct times t = now();
    must(store_changed_since(rd, SPECIAL_INBOX, folder.modseq - 100, &set));
    must(store_expunged_since(rd, SPECIAL_INBOX, folder.modseq - 100, &set, &complete));
    tell("what changed, 100 changes ago", t, 1);
    t = now();
    must(store_changed_since(rd, SPECIAL_INBOX, 1, &set));
    tell("what changed since the beginning", t, 1);
    store_read_end(rd);
    uidset_done(&set);
}

static void bench_expunge(struct mailbox *mb, uint32_t n)
{
    struct store_expunge rq;
    struct times t = now();
    uint32_t half = n / 2;

    store_expunge_init(&rq);
    rq.fid = SPECIAL_INBOX;
    uidset_add(&rq.uids, 1, half);
    must(store_run(mb, &rq.op));
    tell("expunge the older half, per message", t, half);
    uidset_done(&rq.uids);
    uidset_done(&rq.expunged);
}

static void bench_verify(struct store *st)
{
    struct store_verify_report report;
    struct times t = now();

    must(store_verify(st, NULL, NULL, &report));
    tell("verify, per message", t, (double)report.messages);
    printf("faults: %llu\n", (unsigned long long)report.faults);
}

int main(int argc, char **argv)
{
    uint32_t n = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1000000;
    struct store_config config = {.dir = argc > 1 ? argv[1] : NULL, .create = true};
    struct store *st;
    struct mailbox *mb;

    if (!config.dir) {
        fprintf(stderr, "usage: bench_store DIR [messages]\n");
        return 2;
    }
    must(store_open(&config, NULL, &st));
    must(store_mailbox_open_now(st, 1000, &mb));
    bench_append(st, mb);
    fill(st, mb, n);
    bench_select(mb);
    bench_rows(mb, n);
    bench_flags(mb, n);
    bench_changes(mb);
    bench_expunge(mb, n);
    bench_verify(st);
    mailbox_close(mb);
    store_close(st);
    return 0;
}
