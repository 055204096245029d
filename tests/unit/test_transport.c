/* test_transport.c - mail goes to the next hop, or into mailboxes of this store. */
#include "gateway/transport.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

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

static struct mapi_directory directory = {.find = find};

/* ---- sending ---- */

struct sending {
    struct mapi_send rq;
    bool done;
};

static void on_done(struct mapi_send *rq)
{
    ((struct sending *)rq->owner)->done = true;
}

static struct err send_mail(struct fixture *fx, struct transport *transport,
                            const struct slice *recipients, size_t n, struct sending *out)
{
    *out = (struct sending){
        .rq = {.home = test_loop_executor(fx->loop),
               .done = on_done,
               .owner = out,
               .sender = S("alice@here.test"),
               .recipients = recipients,
               .n_recipients = n,
               .bytes = S("Subject: hello\r\n\r\n.a line\r\n..another\r\n")},
    };
    transport_face(transport)->send(transport_face(transport), &out->rq);
    while (!out->done)
        test_loop_wait(fx->loop);
    return out->rq.err;
}

static struct transport *start(struct fixture *fx, const char *next_hop)
{
    const struct transport_config config = {.next_hop = next_hop, .host_name = "mail.here.test"};
    struct transport *transport;

    assert_ok(transport_new(&config, fx->store, &directory, NULL, &transport));
    return transport;
}

/* ---- without a next hop ---- */

static void mail_for_users_of_this_store_is_in_their_inboxes(void **state)
{
    struct fixture *fx = fixture_new();
    struct transport *transport = start(fx, NULL);
    const struct slice to[] = {S("bob@here.test"), S("robert@here.test"), S("alice@here.test")};
    struct buf got = buf_make(4096);
    struct sending sending;

    (void)state;
    assert_ok(send_mail(fx, transport, to, 3, &sending));
    assert_int_equal(fixture_count(fx, FIXTURE_BOB), 1); /* though he is named twice */
    assert_int_equal(fixture_count(fx, FIXTURE_ALICE), 1);
    fixture_message(fx, FIXTURE_BOB, 1, &got);
    assert_true(slice_starts(buf_slice(&got), S("Return-Path: <alice@here.test>\r\n"
                                                "Received: by mail.here.test with MAPI;\r\n\t")));
    assert_true(slice_ends(buf_slice(&got), S("Subject: hello\r\n\r\n.a line\r\n..another\r\n")));
    buf_done(&got);
    transport_free(transport);
    fixture_free(fx);
}

static void mail_for_anybody_else_is_refused_whole(void **state)
{
    struct fixture *fx = fixture_new();
    struct transport *transport = start(fx, NULL);
    const struct slice to[] = {S("bob@here.test"), S("eve@elsewhere.test")};
    struct sending sending;

    (void)state;
    assert_code(send_mail(fx, transport, to, 2, &sending), ERR_NOT_FOUND);
    assert_non_null(strstr(sending.rq.why, "eve@elsewhere.test"));
    assert_int_equal(fixture_count(fx, FIXTURE_BOB), 0);
    transport_free(transport);
    fixture_free(fx);
}

/* ---- a next hop ---- */

struct hop {
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

static void take_mail(struct hop *hop, FILE *peer)
{
    char line[1024];

    fputs("354 go on\r\n", peer);
    while (read_line(peer, line, sizeof line) && strcmp(line, ".\r\n") != 0)
        buf_puts(&hop->mail, line);
    fputs("250 taken\r\n", peer);
}

static void answer(struct hop *hop, FILE *peer, const char *line)
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
    struct hop *hop = owner;
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

static struct hop *hop_start(const char *refuses)
{
    struct hop *hop = mem_new(sizeof *hop);
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

static void hop_free(struct hop *hop)
{
    close(hop->listener);
    buf_done(&hop->said);
    buf_done(&hop->mail);
    free(hop);
}

static void mail_goes_to_the_next_hop(void **state)
{
    struct fixture *fx = fixture_new();
    struct hop *hop = hop_start(NULL);
    struct transport *transport = start(fx, hop->url);
    const struct slice to[] = {S("bob@here.test"), S("eve@elsewhere.test")};
    struct sending sending;

    (void)state;
    assert_ok(send_mail(fx, transport, to, 2, &sending));
    pthread_join(hop->thread, NULL);
    struct slice said = buf_slice(&hop->said);
    assert_true(slice_starts(said, S("EHLO mail.here.test\r\n")));
    assert_true(slice_find(said, S("MAIL FROM:<alice@here.test>")) < said.len);
    assert_true(slice_find(said, S("RCPT TO:<bob@here.test>\r\n")) < said.len);
    assert_true(slice_find(said, S("RCPT TO:<eve@elsewhere.test>\r\n")) < said.len);
    /* RFC 5321 4.5.2: a dot at the beginning of a line is doubled. */
    assert_slice(buf_slice(&hop->mail), "Subject: hello\r\n\r\n..a line\r\n...another\r\n");
    hop_free(hop);
    transport_free(transport);
    fixture_free(fx);
}

static void a_recipient_that_is_refused_stops_it_for_all(void **state)
{
    struct fixture *fx = fixture_new();
    struct hop *hop = hop_start("eve@");
    struct transport *transport = start(fx, hop->url);
    const struct slice to[] = {S("bob@here.test"), S("eve@elsewhere.test")};
    struct sending sending;

    (void)state;
    assert_code(send_mail(fx, transport, to, 2, &sending), ERR_DENIED);
    pthread_join(hop->thread, NULL);
    assert_int_equal(hop->mail.len, 0);
    hop_free(hop);
    transport_free(transport);
    fixture_free(fx);
}

static void a_next_hop_that_is_not_there_is_for_later(void **state)
{
    struct fixture *fx = fixture_new();
    struct hop *hop = hop_start(NULL);
    struct transport *transport = start(fx, hop->url);
    const struct slice to[] = {S("bob@here.test")};
    struct sending sending;

    (void)state;
    shutdown(hop->listener, SHUT_RDWR);
    pthread_join(hop->thread, NULL);
    close(hop->listener);
    assert_code(send_mail(fx, transport, to, 1, &sending), ERR_UNAVAILABLE);
    hop->listener = -1;
    hop_free(hop);
    transport_free(transport);
    fixture_free(fx);
}

static void nothing_is_sent_when_it_stops(void **state)
{
    struct fixture *fx = fixture_new();
    struct transport *transport = start(fx, NULL);
    const struct slice to[] = {S("bob@here.test")};
    struct sending sending;

    (void)state;
    transport_stop(transport);
    assert_code(send_mail(fx, transport, to, 1, &sending), ERR_UNAVAILABLE);
    assert_int_equal(fixture_count(fx, FIXTURE_BOB), 0);
    transport_free(transport);
    fixture_free(fx);
}

/* ---- what can be one ---- */

static void next_hops_are_checked(void **state)
{
    static const char *const good[] = {"smtp://127.0.0.1:25", "smtps://mail.example.com",
                                       "smtp://[::1]:587"};
    static const char *const bad[] = {"127.0.0.1:25",        "http://x",      "smtp://",
                                      "smtp://:25",          "smtp://x:0",    "smtp://x:65536",
                                      "smtp://user@x",       "smtp://x/path", "smtp://x:",
                                      "lmtp:/run/lmtp.sock", "smtp://x y:25", ""};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_null(transport_check(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_non_null(transport_check(bad[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mail_for_users_of_this_store_is_in_their_inboxes),
        cmocka_unit_test(mail_for_anybody_else_is_refused_whole),
        cmocka_unit_test(mail_goes_to_the_next_hop),
        cmocka_unit_test(a_recipient_that_is_refused_stops_it_for_all),
        cmocka_unit_test(a_next_hop_that_is_not_there_is_for_later),
        cmocka_unit_test(nothing_is_sent_when_it_stops),
        cmocka_unit_test(next_hops_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
