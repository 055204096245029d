/* test_transport.c - mail goes to the next hop, or into mailboxes of this store. */
#include "gateway/transport.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "store/queue.h"
#include "tests/support/session_fixture.h"

/* ---- who there is ---- */

static struct err find(struct mapi_directory *self, struct slice name, struct arena *in,
                       struct mapi_person *out)
{
    (void)self;
    (void)in;
    *out = (struct mapi_person){.identity = name, .address = name, .display_name = name};
    if (slice_eq(name, S("alice@here.test")))
        out->mailbox_id = FIXTURE_ALICE;
    else if (slice_eq(name, S("bob@here.test")) || slice_eq(name, S("robert@here.test")))
        out->mailbox_id = FIXTURE_BOB;
    else
        return ERR(ERR_NOT_FOUND, "nobody");
    return OK;
}

static struct mapi_directory directory = {.find = find, .find_address = find};

/* ---- sending ---- */

struct sending {
    struct mapi_mail rq;
    bool done;
};

static void on_done(struct mapi_mail *rq)
{
    ((struct sending *)rq->owner)->done = true;
}

static struct err queue_mail_of(struct fixture *fx, struct transport *transport,
                                const struct mapi_mail *who, const struct slice *recipients,
                                size_t n)
{
    struct sending out = {
        .rq = {.task = MAPI_MAIL_SEND,
               .home = test_loop_executor(fx->loop),
               .done = on_done,
               .mailbox_id = who->mailbox_id,
               .identity = who->identity,
               .sender = S("alice@here.test"),
               .recipients = recipients,
               .n_recipients = n,
               .bytes = S("Subject: hello\r\n\r\n.a line\r\n..another\r\n")},
    };

    out.rq.owner = &out;
    transport_face(transport)->ask(transport_face(transport), &out.rq);
    while (!out.done)
        test_loop_wait(fx->loop);
    return out.rq.err;
}

static struct err queue_mail(struct fixture *fx, struct transport *transport,
                             const struct slice *recipients, size_t n)
{
    const struct mapi_mail alice = {.identity = S("alice@here.test"), .mailbox_id = FIXTURE_ALICE};

    return queue_mail_of(fx, transport, &alice, recipients, n);
}

/* Nobody tells when an attempt is over, but the queue: so many were made, or it is empty. */
static void await_attempts(struct fixture *fx, uint32_t n)
{
    for (;;) {
        struct arena arena = ARENA_INIT;
        struct queue_entry entry;
        struct err e = store_queue_next(fx->store, 0, &arena, &entry);
        bool over = e.code == ERR_NOT_FOUND || (!failed(e) && entry.attempts >= n);

        arena_done(&arena);
        if (over)
            return;
        usleep(2000);
    }
}

static struct transport *start(struct fixture *fx, const char *next_hop)
{
    const struct transport_config config = {
        .hop = {.url = next_hop, .host_name = "mail.here.test", .timeout_ms = 60000},
        .retry_ms = 3600000,
        .give_up_ms = 86400000,
    };
    struct transport *transport;

    assert_ok(transport_new(&config, fx->store, &directory, NULL, &transport));
    return transport;
}

static uint64_t waiting(struct fixture *fx)
{
    uint64_t n, oldest;

    assert_ok(store_queue_count(fx->store, &n, &oldest));
    return n;
}

/* ---- without a next hop ---- */

static void mail_for_users_of_this_store_is_in_their_inboxes(void **state)
{
    struct fixture *fx = fixture_new();
    struct transport *transport = start(fx, NULL);
    const struct slice to[] = {S("bob@here.test"), S("robert@here.test"), S("alice@here.test")};
    struct buf got = buf_make(4096);

    (void)state;
    assert_ok(queue_mail(fx, transport, to, 3));
    await_attempts(fx, UINT32_MAX);
    assert_int_equal(fixture_count(fx, FIXTURE_BOB), 1); /* though he is named twice */
    assert_int_equal(fixture_count(fx, FIXTURE_ALICE), 1);
    fixture_message(fx, FIXTURE_BOB, 1, &got);
    assert_true(slice_starts(buf_slice(&got), S("Return-Path: <alice@here.test>\r\n"
                                                "Received: by mail.here.test with MAPI id ")));
    assert_true(slice_ends(buf_slice(&got), S("Subject: hello\r\n\r\n.a line\r\n..another\r\n")));
    assert_int_equal(waiting(fx), 0);
    buf_done(&got);
    transport_free(transport);
    fixture_free(fx);
}

static void who_is_nobody_is_told_to_the_sender(void **state)
{
    struct fixture *fx = fixture_new();
    struct transport *transport = start(fx, NULL);
    const struct slice to[] = {S("bob@here.test"), S("eve@elsewhere.test")};
    struct buf got = buf_make(64 * 1024);

    (void)state;
    assert_ok(queue_mail(fx, transport, to, 2));
    await_attempts(fx, UINT32_MAX);
    assert_int_equal(fixture_count(fx, FIXTURE_BOB), 1);
    fixture_message(fx, FIXTURE_ALICE, 1, &got);
    struct slice report = buf_slice(&got);
    assert_true(slice_starts(report, S("Return-Path: <>\r\nFrom: Mail Delivery System ")));
    assert_true(slice_find(report, S("\r\nSubject: Undeliverable: hello\r\n")) < report.len);
    assert_true(slice_find(report, S("multipart/report; report-type=delivery-status;")) <
                report.len);
    assert_true(slice_find(report, S("\r\n\r\nFinal-Recipient: rfc822;eve@elsewhere.test\r\n"
                                     "Action: failed\r\nStatus: 5.1.1\r\n"
                                     "Diagnostic-Code: smtp;550 5.1.1 ")) < report.len);
    assert_int_equal(slice_find(report, S("rfc822;bob@")), report.len);
    assert_int_equal(slice_find(report, S("a line")), report.len);
    buf_done(&got);
    transport_free(transport);
    fixture_free(fx);
}

/* ---- a next hop ---- */

struct server {
    int listener;
    const char *refuses; /* an address in RCPT */
    pthread_t thread;
    struct buf said, mail;
    char url[64];
};

static bool read_line(FILE *in, char *line, size_t size)
{
    return fgets(line, (int)size, in) != NULL;
}

static void take_mail(struct server *hop, FILE *peer)
{
    char line[1024];

    fputs("354 go on\r\n", peer);
    while (read_line(peer, line, sizeof line) && strcmp(line, ".\r\n") != 0)
        buf_puts(&hop->mail, line);
    fputs("250 taken\r\n", peer);
}

static void answer(struct server *hop, FILE *peer, const char *line)
{
    if (strncmp(line, "EHLO", 4) == 0)
        fputs("250-next.test\r\n250 8BITMIME\r\n", peer);
    else if (strncmp(line, "DATA", 4) == 0)
        take_mail(hop, peer);
    else if (hop->refuses && strstr(line, hop->refuses))
        fputs("550 5.1.1 not here\r\n", peer);
    else
        fputs("250 good\r\n", peer);
}

static void *serve(void *owner)
{
    struct server *hop = owner;
    int fd = accept(hop->listener, NULL, NULL);
    char line[1024];

    if (fd < 0)
        return NULL;
    FILE *peer = fdopen(fd, "r+");
    setvbuf(peer, NULL, _IONBF, 0);
    fputs("220 next.test\r\n", peer);
    while (read_line(peer, line, sizeof line) && strncmp(line, "QUIT", 4) != 0) {
        buf_puts(&hop->said, line);
        answer(hop, peer, line);
    }
    fclose(peer);
    return NULL;
}

static struct server *server_start(const char *refuses)
{
    struct server *hop = mem_new(sizeof *hop);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof address;

    hop->refuses = refuses;
    hop->said = hop->mail = buf_make(64 * 1024);
    hop->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(hop->listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(hop->listener, 1), 0);
    assert_int_equal(getsockname(hop->listener, (struct sockaddr *)&address, &len), 0);
    snprintf(hop->url, sizeof hop->url, "smtp://127.0.0.1:%d", ntohs(address.sin_port));
    pthread_create(&hop->thread, NULL, serve, hop);
    return hop;
}

static void server_free(struct server *hop)
{
    close(hop->listener);
    buf_done(&hop->said);
    buf_done(&hop->mail);
    free(hop);
}

static void mail_goes_to_the_next_hop(void **state)
{
    struct fixture *fx = fixture_new();
    struct server *hop = server_start(NULL);
    struct transport *transport = start(fx, hop->url);
    const struct slice to[] = {S("bob@here.test"), S("eve@elsewhere.test")};

    (void)state;
    assert_ok(queue_mail(fx, transport, to, 2));
    await_attempts(fx, UINT32_MAX);
    pthread_join(hop->thread, NULL);
    struct slice said = buf_slice(&hop->said);
    assert_true(slice_starts(said, S("EHLO mail.here.test\r\n")));
    assert_true(slice_find(said, S("MAIL FROM:<alice@here.test>")) < said.len);
    assert_true(slice_find(said, S("RCPT TO:<bob@here.test>\r\n")) < said.len);
    assert_true(slice_find(said, S("RCPT TO:<eve@elsewhere.test>\r\n")) < said.len);
    /* RFC 5321 4.5.2: a dot at the beginning of a line is doubled. */
    assert_slice(buf_slice(&hop->mail), "Subject: hello\r\n\r\n..a line\r\n...another\r\n");
    server_free(hop);
    transport_free(transport);
    fixture_free(fx);
}

static void a_recipient_that_is_refused_keeps_it_from_no_other(void **state)
{
    struct fixture *fx = fixture_new();
    struct server *hop = server_start("eve@");
    struct transport *transport = start(fx, hop->url);
    const struct slice to[] = {S("bob@here.test"), S("eve@elsewhere.test")};

    (void)state;
    assert_ok(queue_mail(fx, transport, to, 2));
    await_attempts(fx, UINT32_MAX);
    pthread_join(hop->thread, NULL);
    assert_true(hop->mail.len > 0);
    assert_int_equal(fixture_count(fx, FIXTURE_ALICE), 1); /* the report */
    server_free(hop);
    transport_free(transport);
    fixture_free(fx);
}

static void a_next_hop_that_is_not_there_is_for_later(void **state)
{
    struct fixture *fx = fixture_new();
    struct server *hop = server_start(NULL);
    const struct slice to[] = {S("bob@here.test")};

    (void)state;
    shutdown(hop->listener, SHUT_RDWR);
    pthread_join(hop->thread, NULL);
    close(hop->listener);
    struct transport *transport = start(fx, hop->url);
    assert_ok(queue_mail(fx, transport, to, 1));
    await_attempts(fx, 1);
    assert_int_equal(waiting(fx), 1);
    assert_int_equal(fixture_count(fx, FIXTURE_ALICE), 0);
    hop->listener = -1;
    server_free(hop);
    transport_free(transport);
    fixture_free(fx);
}

/*
 * Killed behind the commit of its results, and before its report: that is told first, and once, and
 * who waits is tried then.
 */
static void what_was_left_undone_is_done_before_the_next_attempt(void **state)
{
    struct fixture *fx = fixture_new();
    struct queue_recipient to[] = {
        {.address = S("eve@elsewhere.test"), .state = QUEUE_FAILED, .reply = S("550 5.1.1 no")},
        {.address = S("bob@here.test")},
    };
    struct queue_entry entry = {.owner = S("alice@here.test"),
                                .sender = S("alice@here.test"),
                                .mailbox_id = FIXTURE_ALICE,
                                .created = 1,
                                .since = clock_now().wall,
                                .due = 1,
                                .attempts = 1,
                                .recipients = to,
                                .n_recipients = 2};
    struct store_spool *spool = store_spool_new(fx->store);
    struct store_prepared *prepared;
    struct buf got = buf_make(64 * 1024);

    (void)state;
    assert_ok(store_spool_put(spool, S("Subject: hello\r\n\r\nx\r\n")));
    assert_ok(store_prepare(fx->store, spool, &prepared));
    assert_ok(store_queue_add(fx->store, &entry, prepared));
    store_prepared_free(prepared);
    struct transport *transport = start(fx, NULL);
    await_attempts(fx, UINT32_MAX);
    assert_int_equal(fixture_count(fx, FIXTURE_BOB), 1);
    assert_int_equal(fixture_count(fx, FIXTURE_ALICE), 1);
    fixture_message(fx, FIXTURE_ALICE, 1, &got);
    struct slice report = buf_slice(&got);
    assert_true(slice_find(report, S("Status: 5.1.1\r\nDiagnostic-Code: smtp;550 5.1.1 no\r\n")) <
                report.len);
    buf_done(&got);
    transport_free(transport);
    fixture_free(fx);
}

/* His mailbox is not made anew for a copy, nor for a report. */
static void who_is_gone_has_his_mail_sent_all_the_same(void **state)
{
    struct fixture *fx = fixture_new();
    struct transport *transport = start(fx, NULL);
    const struct slice to[] = {S("bob@here.test"), S("eve@elsewhere.test")};
    const struct mapi_mail gone = {.identity = S("gone@here.test"), .mailbox_id = 4711};
    uint64_t partition = 4710;

    (void)state;
    assert_ok(queue_mail_of(fx, transport, &gone, to, 2));
    await_attempts(fx, UINT32_MAX);
    assert_int_equal(fixture_count(fx, FIXTURE_BOB), 1);
    struct err e = engine_partition_next(store_engine(fx->store), partition, &partition);
    assert_true(failed(e) || partition != 4711);
    transport_free(transport);
    fixture_free(fx);
}

static void nothing_is_taken_when_it_stops(void **state)
{
    struct fixture *fx = fixture_new();
    struct transport *transport = start(fx, NULL);
    const struct slice to[] = {S("bob@here.test")};

    (void)state;
    transport_stop(transport);
    assert_code(queue_mail(fx, transport, to, 1), ERR_UNAVAILABLE);
    assert_int_equal(waiting(fx), 0);
    transport_free(transport);
    fixture_free(fx);
}

/* ---- what can be one ---- */

static void next_hops_are_checked(void **state)
{
    static const char *const good[] = {"smtp://127.0.0.1:25", "smtps://mail.example.com",
                                       "smtp://[::1]:587", "lmtp://127.0.0.1:24",
                                       "lmtp:///run/gatepost/lmtp"};
    static const char *const bad[] = {"127.0.0.1:25",        "http://x",      "smtp://",
                                      "smtp://:25",          "smtp://x:0",    "smtp://x:65536",
                                      "smtp://user@x",       "smtp://x/path", "smtp://x:",
                                      "lmtp:/run/lmtp.sock", "smtp://x y:25", "",
                                      "smtp:///run/x",       "lmtps://x"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_null(hop_check(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_non_null(hop_check(bad[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mail_for_users_of_this_store_is_in_their_inboxes),
        cmocka_unit_test(who_is_nobody_is_told_to_the_sender),
        cmocka_unit_test(mail_goes_to_the_next_hop),
        cmocka_unit_test(a_recipient_that_is_refused_keeps_it_from_no_other),
        cmocka_unit_test(a_next_hop_that_is_not_there_is_for_later),
        cmocka_unit_test(what_was_left_undone_is_done_before_the_next_attempt),
        cmocka_unit_test(who_is_gone_has_his_mail_sent_all_the_same),
        cmocka_unit_test(nothing_is_taken_when_it_stops),
        cmocka_unit_test(next_hops_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
