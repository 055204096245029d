#include "tests/support/session_fixture.h"

#include <netinet/in.h>

#include "protocols/mapi/mapi.h"

static const struct {
    const char *name, *address;
    uint64_t mailbox_id;
} users[] = {
    {"alice", "alice@example.org", FIXTURE_ALICE},
    {"bob", "bob@example.org", FIXTURE_BOB},
    {"carol", "carol@example.org", ENGINE_SYSTEM_PARTITION},
};

static void account(struct fixture *fx, struct arena *in, const char *address, uint64_t mailbox_id,
                    struct auth_account *out)
{
    *out = (struct auth_account){
        .identity = arena_slice(in, slice_str(address)),
        .credentials = arena_slice(in, buf_slice(&fx->credentials)),
        .mailbox_id = mailbox_id,
        .protocols = fx->protocols,
        .generation = fx->generation,
        .expires = fx->expires,
    };
}

/* "user7" and "user7@example.org". */
static bool numbered_user(struct slice name, uint32_t *number)
{
    struct slice local = slice_cut(&name, '@');

    return slice_starts(local, S("user")) && slice_to_u32(slice_from(local, 4), number) &&
           (name.len == 0 || slice_eq(name, S("example.org")));
}

static struct err lookup(struct auth_source *source, struct slice name, struct arena *in,
                         struct auth_account *out)
{
    struct fixture *fx = (struct fixture *)((uint8_t *)source - offsetof(struct fixture, source));
    uint32_t number;
    char address[64];

    fx->lookups++;
    if (fx->source_down != ERR_NONE)
        return (struct err){fx->source_down, "the test says so"};
    for (size_t i = 0; i < sizeof users / sizeof *users; i++) {
        if (!slice_eq(name, slice_str(users[i].name)) &&
            !slice_eq(name, slice_str(users[i].address)))
            continue;
        account(fx, in, users[i].address, users[i].mailbox_id, out);
        return OK;
    }
    if (!numbered_user(name, &number))
        return ERR(ERR_NOT_FOUND, "no such account");
    snprintf(address, sizeof address, "user%u@example.org", (unsigned)number);
    account(fx, in, address, FIXTURE_NUMBERED + number, out);
    return OK;
}

/* All accounts have the same keys. */
static struct err version(struct auth_source *source, uint64_t *out)
{
    struct fixture *fx = (struct fixture *)((uint8_t *)source - offsetof(struct fixture, source));

    if (fx->source_down != ERR_NONE)
        return (struct err){fx->source_down, "the test says so"};
    *out = fx->generation;
    return OK;
}

static struct err near(struct auth_source *source, const uint8_t point[8], struct arena *in,
                       struct auth_account *out)
{
    (void)point;
    return lookup(source, slice_str(users[0].name), in, out);
}

static void record(struct auth_sink *sink, const struct auth_record *rec, struct slice line)
{
    struct fixture *fx = (struct fixture *)((uint8_t *)sink - offsetof(struct fixture, sink));

    (void)line;
    pthread_mutex_lock(&fx->records_lock);
    fx->records = mem_grow(fx->records, fx->n_records + 1, 1);
    fx->records[fx->n_records++] = (uint8_t)rec->reason;
    pthread_mutex_unlock(&fx->records_lock);
}

static void open_auth(struct fixture *fx)
{
    static const char *const domains[] = {"example.org", NULL};
    struct auth_config config = {
        .host_name = "mail.example.org",
        .domains = domains,
        .iterations = 4096,
        .threads = 1,
        .no_back_off = true,
        .inline_steps = fx->inline_steps,
    };

    fx->credentials = buf_make(4096);
    assert_ok(auth_credentials_make(S(FIXTURE_SECRET), 4096, &fx->credentials));
    fx->source.lookup = lookup;
    fx->source.near = near;
    fx->source.version = version;
    fx->sink.record = record;
    assert_ok(auth_new(&config, &fx->source, &fx->sink, NULL, &fx->auth));
}

static struct store_config config_in(const char *dir)
{
    /* Small enough for sanitizers, which dislike a terabyte of address space. */
    return (struct store_config){.dir = dir, .map_bytes = 1ull << 30, .create = true};
}

static struct fixture *fixture_make(const struct store_config *given, struct engine *engine,
                                    bool inline_steps)
{
    struct fixture *fx = mem_new(sizeof *fx);

    fx->inline_steps = inline_steps;
    pthread_mutex_init(&fx->records_lock, NULL);
    fx->dir = test_dir_new();
    struct store_config config = given ? *given : config_in(fx->dir);
    if (!config.dir)
        config.dir = fx->dir;
    fx->loop = test_loop_new();
    if (engine)
        assert_ok(store_open_engine(&config, engine, NULL, &fx->store));
    else
        assert_ok(store_open(&config, NULL, &fx->store));
    fx->clock.mono_ms = 1000000;
    fx->clock.wall = filetime_from_unix(1795000000);
    fx->plaintext_ok = true;
    fx->pop3_marks_read = true;
    fx->protocols = ~0u;
    fx->generation = 1;
    open_auth(fx);
    fx->mapi = mapi_new(&(struct mapi_config){.store = fx->store});
    return fx;
}

/* Sessions that were freed while they waited have answers on their way. */
static void settle(struct fixture *fx)
{
    do
        store_quiesce(fx->store);
    while (test_loop_pump(fx->loop) > 0);
}

struct fixture *fixture_new_with(const struct store_config *given, struct engine *engine)
{
    return fixture_make(given, engine, false);
}

struct fixture *fixture_new(void)
{
    return fixture_make(NULL, NULL, false);
}

struct fixture *fixture_new_inline(void)
{
    return fixture_make(NULL, NULL, true);
}

void fixture_reopen(struct fixture *fx)
{
    struct store_config config = config_in(fx->dir);

    mapi_close(fx->mapi);
    settle(fx);
    mapi_free(fx->mapi);
    store_close(fx->store);
    assert_ok(store_open(&config, NULL, &fx->store));
    fx->mapi = mapi_new(&(struct mapi_config){.store = fx->store});
}

void fixture_free(struct fixture *fx)
{
    mapi_close(fx->mapi);
    settle(fx);
    mapi_free(fx->mapi);
    auth_free(fx->auth);
    store_close(fx->store);
    test_loop_free(fx->loop);
    test_dir_free(fx->dir);
    buf_done(&fx->credentials);
    free(fx->records);
    pthread_mutex_destroy(&fx->records_lock);
    free(fx);
}

enum auth_reason fixture_last_record(const struct fixture *fx)
{
    if (fx->n_records == 0)
        fail_msg("there is no record");
    return (enum auth_reason)fx->records[fx->n_records - 1];
}

/* ---- mail ---- */

struct mailbox *fixture_mailbox(struct fixture *fx, uint64_t id)
{
    struct mailbox *mb;

    assert_ok(store_mailbox_open_now(fx->store, id, &mb));
    return mb;
}

uint64_t fixture_inbox(struct mailbox *mb)
{
    struct store_read *rd;
    struct store_folder inbox;

    assert_ok(store_read_begin(mb, &rd));
    assert_ok(store_folder_special(rd, SPECIAL_INBOX, &inbox));
    store_read_end(rd);
    return inbox.fid;
}

static uint32_t append(struct fixture *fx, uint64_t id, const struct store_new_message *messages,
                       size_t n)
{
    struct mailbox *mb = fixture_mailbox(fx, id);
    struct store_append rq;

    store_append_init(&rq);
    rq.fid = fixture_inbox(mb);
    rq.messages = messages;
    rq.n = n;
    assert_ok(store_run(mb, &rq.op));
    mailbox_close(mb);
    return rq.first_uid;
}

static struct store_prepared *prepare(struct fixture *fx, struct slice message)
{
    struct store_spool *spool = store_spool_new(fx->store);
    struct store_prepared *prepared;

    assert_ok(store_spool_put(spool, message));
    assert_ok(store_prepare(fx->store, spool, &prepared));
    return prepared;
}

uint32_t fixture_deliver(struct fixture *fx, uint64_t id, struct slice message)
{
    struct store_new_message m = {.prepared = prepare(fx, message), .internaldate = fx->clock.wall};
    uint32_t uid = append(fx, id, &m, 1);

    store_prepared_free(m.prepared);
    return uid;
}

void fixture_deliver_many(struct fixture *fx, uint64_t id, struct slice message, uint32_t n)
{
    enum { BATCH = 5000 };
    struct store_new_message m = {.prepared = prepare(fx, message), .internaldate = fx->clock.wall};
    struct store_new_message *batch = mem_array(BATCH, sizeof *batch);

    for (uint32_t i = 0; i < BATCH; i++)
        batch[i] = m;
    for (uint32_t done = 0; done < n; done += BATCH)
        append(fx, id, batch, n - done < BATCH ? n - done : BATCH);
    free(batch);
    store_prepared_free(m.prepared);
}

void fixture_expunge(struct fixture *fx, uint64_t id, uint32_t first_uid, uint32_t last_uid)
{
    struct mailbox *mb = fixture_mailbox(fx, id);
    struct store_expunge rq;

    store_expunge_init(&rq);
    rq.fid = fixture_inbox(mb);
    uidset_add(&rq.uids, first_uid, last_uid);
    assert_ok(store_run(mb, &rq.op));
    uidset_done(&rq.uids);
    uidset_done(&rq.expunged);
    mailbox_close(mb);
}

uint32_t fixture_count(struct fixture *fx, uint64_t id)
{
    struct mailbox *mb = fixture_mailbox(fx, id);
    struct store_read *rd;
    struct store_folder inbox;

    assert_ok(store_read_begin(mb, &rd));
    assert_ok(store_folder_special(rd, SPECIAL_INBOX, &inbox));
    store_read_end(rd);
    mailbox_close(mb);
    return inbox.exists;
}

void fixture_message(struct fixture *fx, uint64_t id, uint32_t seq, struct buf *out)
{
    struct mailbox *mb = fixture_mailbox(fx, id);
    uint64_t fid = fixture_inbox(mb);
    struct arena arena = ARENA_INIT;
    struct store_read *rd;
    struct store_view *view;
    struct message_row row;
    struct slice bytes;

    assert_ok(store_read_begin(mb, &rd));
    assert_ok(store_view_open(rd, fid, &view));
    assert_ok(store_message(rd, fid, store_view_uid(view, seq), &row));
    assert_ok(store_message_bytes(rd, &row, 0, row.size, &arena, &bytes));
    buf_put(out, bytes);
    store_view_close(view);
    store_read_end(rd);
    arena_done(&arena);
    mailbox_close(mb);
}

/* ---- sessions ---- */

static void on_wake(struct session_host *host)
{
    ((struct fixture_session *)host)->woken = true;
}

static bool no_binding(void *ctx, struct slice type, struct buf *out)
{
    (void)ctx, (void)type, (void)out;
    return false;
}

static void address(struct sockaddr_storage *to, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};

    in.sin_addr.s_addr = htonl(0xC0000207); /* 192.0.2.7 (RFC 5737) */
    memcpy(to, &in, sizeof in);
}

static void make_peer(struct fixture_session *fs, enum auth_protocol protocol)
{
    fs->peer = (struct auth_peer){
        .protocol = protocol,
        .listener = "test",
        .session_id = "s1",
        .plaintext_ok = fs->fx->plaintext_ok,
        .exempt = true,
        .binding = no_binding,
    };
    address(&fs->peer.remote, 40000);
    address(&fs->peer.local, 110);
}

static void start_tls(struct fixture_session *fs)
{
    fs->peer.tls = true;
    fs->peer.tls_version = "TLSv1.3";
    fs->peer.tls_cipher = "TLS_AES_256_GCM_SHA384";
    fs->peer.tls_bits = 256;
    fs->env.tls_available = false;
    fs->tls_starts++;
    buf_clear(&fs->in);
    fs->session->ops->tls_started(fs->session);
}

static struct fixture_session *make_session(struct fixture *fx, session_maker make,
                                            enum auth_protocol protocol)
{
    struct fixture_session *fs = mem_new(sizeof *fs);

    fs->fx = fx;
    fs->host.wake = on_wake;
    make_peer(fs, protocol);
    fs->env = (struct session_env){
        .host = &fs->host,
        .home = test_loop_executor(fx->loop),
        .clock = &fx->clock,
        .store = fx->store,
        .auth = fx->auth,
        .mapi = fx->mapi,
        .peer = &fs->peer,
        .limits = &fx->limits,
        .host_name = "mail.example.org",
        .tls_available = true,
        .pop3_marks_read = fx->pop3_marks_read,
        .no_logon = fx->no_logon,
        .summary = &fs->summary,
    };
    fs->in = fs->out = buf_make(SIZE_MAX / 2);
    fs->room = 65536;
    fs->max_feed = SIZE_MAX;
    fs->session = make(&fs->env);
    fs->tick_at = fs->session->ops->tick(fs->session);
    return fs;
}

struct fixture_session *fixture_connect(struct fixture *fx, session_maker make,
                                        enum auth_protocol protocol)
{
    struct fixture_session *fs = make_session(fx, make, protocol);

    fixture_run(fs);
    return fs;
}

struct fixture_session *fixture_connect_tls(struct fixture *fx, session_maker make,
                                            enum auth_protocol protocol)
{
    struct fixture_session *fs = make_session(fx, make, protocol);

    start_tls(fs);
    fixture_run(fs);
    return fs;
}

void fixture_session_free(struct fixture_session *fs)
{
    if (!fs)
        return;
    fs->session->ops->free(fs->session);
    test_loop_pump(fs->fx->loop);
    free(fs->summary.user);
    buf_done(&fs->in);
    buf_done(&fs->out);
    free(fs);
}

/* Give the session what it will take; true if it took something. */
static bool feed(struct fixture_session *fs)
{
    bool took = false;

    while (fs->in.len > 0) {
        struct slice some = slice_head(buf_slice(&fs->in), fs->max_feed);
        size_t used = fs->session->ops->feed(fs->session, some);

        assert_true(used <= some.len);
        if (used == 0)
            break;
        buf_consume(&fs->in, used);
        took = true;
    }
    return took;
}

static void pull(struct fixture_session *fs)
{
    size_t before = fs->out.len;

    fs->woken = false;
    fs->pulls++;
    fs->next = fs->session->ops->pull(fs->session, &fs->out, fs->room);
    assert_true(fs->out.len - before <= fs->room + 4096);
    if (fs->next == NEXT_TLS)
        start_tls(fs);
    if (fs->next == NEXT_CLOSE)
        fs->over = true;
}

/* False: nothing that is posted will wake it. */
static bool wait(struct fixture_session *fs)
{
    while (!fs->woken) {
        if (!fs->fx->inline_steps)
            test_loop_wait(fs->fx->loop);
        else if (test_loop_pump(fs->fx->loop) == 0)
            return false;
    }
    return true;
}

void fixture_run(struct fixture_session *fs)
{
    for (;;) {
        if (fs->over)
            return;
        pull(fs);
        if (fs->over || fs->next == NEXT_PULL || fs->next == NEXT_TLS || fs->woken)
            continue;
        if (fs->next == NEXT_WAIT) {
            if (!wait(fs))
                return;
            continue;
        }
        if (!feed(fs)) {
            assert_int_equal(fs->in.len, 0);
            fs->tick_at = fs->session->ops->tick(fs->session);
            if (!fs->woken)
                return;
        }
    }
}

struct slice fixture_say_bytes(struct fixture_session *fs, struct slice bytes)
{
    buf_clear(&fs->out);
    buf_put(&fs->in, bytes);
    feed(fs);
    fixture_run(fs);
    return buf_slice(&fs->out);
}

struct slice fixture_say(struct fixture_session *fs, const char *text)
{
    return fixture_say_bytes(fs, slice_str(text));
}

void fixture_poke(struct fixture_session *fs, struct slice bytes)
{
    buf_put(&fs->in, bytes);
    feed(fs);
    if (!fs->over)
        pull(fs);
}

struct slice fixture_pass(struct fixture_session *fs, uint64_t ms)
{
    buf_clear(&fs->out);
    fs->fx->clock.mono_ms += ms;
    fs->fx->clock.wall += ms * (FILETIME_SECOND / 1000);
    if (fs->fx->clock.mono_ms >= fs->tick_at)
        fs->session->ops->tick(fs->session);
    fixture_run(fs);
    return buf_slice(&fs->out);
}

/* ---- in pieces ---- */

static void say_in_two(struct fixture_session *fs, const char *script, size_t cut, struct buf *got)
{
    buf_put(got, fixture_say_bytes(fs, slice_of(script, cut)));
    if (!fs->over)
        buf_put(got, fixture_say_bytes(fs, slice_str(script + cut)));
}

void fixture_say_in_pieces(struct fixture *fx,
                           struct fixture_session *(*connect)(struct fixture *fx),
                           const char *script, const char *end,
                           void (*each)(struct fixture *fx, uint32_t i))
{
    static const struct {
        size_t feed, room;
    } ways[] = {{SIZE_MAX, 65536}, {1, 65536}, {SIZE_MAX, 1}, {1, 1}, {2, 3}, {7, 100}, {64, 5}};
    struct buf want = buf_make(65536);

    for (uint32_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct fixture_session *fs = connect(fx);

        fs->max_feed = ways[i].feed;
        fs->room = ways[i].room;
        struct slice got = fixture_say(fs, script);
        assert_true(fs->over);
        if (i == 0)
            buf_put(&want, got);
        assert_true(slice_eq(got, buf_slice(&want)));
        if (each)
            each(fx, i);
        fixture_session_free(fs);
    }
    assert_true(slice_ends(buf_slice(&want), slice_str(end)));
    for (size_t cut = 0; cut <= strlen(script); cut++) {
        struct fixture_session *fs = connect(fx);
        struct buf got = buf_make(65536);

        say_in_two(fs, script, cut, &got);
        assert_true(slice_eq(buf_slice(&got), buf_slice(&want)));
        buf_done(&got);
        fixture_session_free(fs);
    }
    buf_done(&want);
}

void fixture_say_and_go(struct fixture *fx, struct fixture_session *(*connect)(struct fixture *fx),
                        struct slice front, bool waiting)
{
    size_t said = waiting && front.len ? front.len - 1 : 0;
    struct fixture_session *fs = connect(fx);

    fs->room = 20;
    if (said)
        fixture_say_bytes(fs, slice_head(front, said));
    if (!fs->over)
        fixture_poke(fs, slice_from(front, said));
    if (!fs->over)
        fs->session->ops->closed(fs->session);
    fixture_session_free(fs);
}
