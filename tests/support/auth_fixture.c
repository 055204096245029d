#include "tests/support/auth_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/base64.h"
#include "base/mem.h"

/* ---- accounts ---- */

static struct err lookup(struct auth_source *source, struct slice name, struct arena *in,
                         struct auth_account *out)
{
    struct fixture *f = container_of(source, struct fixture, source);

    if (slice_starts(name, S("down")))
        return ERR(ERR_IO, "the disk is on fire");
    if (slice_eq(name, S("both")))
        return ERR(ERR_CONFLICT, "two of them");
    for (size_t i = 0; i < sizeof f->aliases / sizeof *f->aliases; i++)
        if (f->aliases[i].alias && slice_eq(name, slice_str(f->aliases[i].alias)))
            name = slice_str(f->aliases[i].account);
    for (size_t i = 0; i < f->n_accounts; i++) {
        if (!slice_eq(name, f->accounts[i].identity))
            continue;
        *out = f->accounts[i];
        out->identity = arena_slice(in, out->identity);
        out->nt_domain = arena_slice(in, out->nt_domain);
        out->credentials = arena_slice(in, out->credentials);
        return OK;
    }
    return ERR(ERR_NOT_FOUND, "no such account");
}

/* The accounts share the circle evenly. */
static struct err near(struct auth_source *source, const uint8_t point[8], struct arena *in,
                       struct auth_account *out)
{
    struct fixture *f = container_of(source, struct fixture, source);
    uint32_t at;

    memcpy(&at, point, sizeof at);
    if (f->n_accounts == 0)
        return ERR(ERR_NOT_FOUND, "no accounts");
    return lookup(source, f->accounts[at % f->n_accounts].identity, in, out);
}

struct err fixture_set_credentials(struct auth_source *source, const struct auth_account *account,
                                   struct slice credentials)
{
    struct fixture *f = container_of(source, struct fixture, source);
    char *identity = mem_slice_str(account->identity);
    struct auth_account *now = fixture_account(f, identity);

    free(identity);
    if (now->generation != account->generation)
        return ERR(ERR_CONFLICT, "changed meanwhile");
    now->credentials = arena_slice(&f->arena, credentials);
    now->generation++;
    return OK;
}

static struct auth_account *add(struct fixture *f, const char *identity, const char *secret)
{
    static struct buf cached; /* keys of "gatepost" are made once */
    struct buf made = buf_make(4096);
    bool usual = secret && strcmp(secret, "gatepost") == 0;

    f->accounts = arena_grow(&f->arena, f->accounts, f->n_accounts, 1, sizeof *f->accounts);
    struct auth_account *account = &f->accounts[f->n_accounts++];
    *account = (struct auth_account){.identity = slice_str(identity),
                                     .mailbox_id = f->n_accounts,
                                     .protocols = AUTH_POP3 | AUTH_IMAP | AUTH_MAPI,
                                     .generation = 1};
    if (usual && !cached.len) {
        cached = buf_make(4096);
        assert_ok(auth_credentials_make(S("gatepost"), 0, &cached));
    }
    if (secret && !usual)
        assert_ok(auth_credentials_make(slice_str(secret), 0, &made));
    account->credentials = arena_slice(&f->arena, buf_slice(usual ? &cached : &made));
    buf_done(&made);
    return account;
}

static void add_accounts(struct fixture *f)
{
    add(f, "alice", "gatepost");
    add(f, "bob", " two  blanks ");
    add(f, "zo\xc3\xab",
        "Gr\xc3\xbc\xc3\x9f"
        "e");
    add(f, "carol@example.net", "gatepost");
    add(f, "dora", "gatepost")->locked = true;
    add(f, "ed", "gatepost")->expires = 1;
    add(f, "fay", "gatepost")->protocols = AUTH_POP3;
    add(f, "root", "gatepost")->admin = true;
    add(f, "nora", NULL);
    add(f, "twin@example.org", "gatepost")->nt_domain = S("EAST");
    add(f, "twin@example.net", "gatepost")->nt_domain = S("west");
    f->aliases[0].alias = "sales";
    f->aliases[0].account = "carol@example.net";
    f->aliases[1].alias = "example/alice"; /* reads like a form of another's name */
    f->aliases[1].account = "bob";
    f->aliases[2].alias = "b\xc3\xbc@b\xc3\xbc"
                          "cher.example";
    f->aliases[2].account = "bob";
}

struct auth_account *fixture_account(struct fixture *f, const char *identity)
{
    for (size_t i = 0; i < f->n_accounts; i++)
        if (slice_eq(f->accounts[i].identity, slice_str(identity)))
            return &f->accounts[i];
    fail_msg("no account %s", identity);
    return NULL;
}

/* ---- records and log ---- */

static void keep(struct auth_sink *sink, const struct auth_record *record, struct slice line)
{
    struct fixture *f = container_of(sink, struct fixture, sink);

    pthread_mutex_lock(&f->mutex);
    f->records = mem_grow(f->records, f->n_records + 1, sizeof *f->records);
    f->records[f->n_records++] = (struct kept_record){
        .reason = record->reason,
        .line = mem_slice_str(line),
        .name = mem_slice_str(record->name_given),
        .identity = mem_slice_str(record->identity),
        .actor = mem_slice_str(record->actor),
        .mechanism = mem_slice_str(record->mechanism),
        .app_password = mem_slice_str(record->app_password),
        .legacy = record->legacy_charset,
    };
    pthread_mutex_unlock(&f->mutex);
}

static void keep_log(struct log *log, enum log_level level, const char *event,
                     const struct log_field *fields, size_t n)
{
    struct fixture *f = container_of(log, struct fixture, log);

    (void)level, (void)event;
    pthread_mutex_lock(&f->mutex);
    for (size_t i = 0; i < n; i++)
        if (fields[i].kind == LOG_FIELD_TEXT &&
            f->log_len + fields[i].text.len + 2 < sizeof f->log_text) {
            if (fields[i].text.len)
                memcpy(f->log_text + f->log_len, fields[i].text.ptr, fields[i].text.len);
            f->log_len += fields[i].text.len;
            f->log_text[f->log_len++] = '\n';
        }
    pthread_mutex_unlock(&f->mutex);
}

const struct kept_record *fixture_last(struct fixture *f)
{
    assert_true(f->n_records > 0);
    return &f->records[f->n_records - 1];
}

void fixture_forget_records(struct fixture *f)
{
    for (size_t i = 0; i < f->n_records; i++) {
        free(f->records[i].line);
        free(f->records[i].name);
        free(f->records[i].identity);
        free(f->records[i].actor);
        free(f->records[i].mechanism);
        free(f->records[i].app_password);
    }
    f->n_records = 0;
}

/* ---- life ---- */

struct fixture *auth_fixture_new(void)
{
    static const char *const domains[] = {"example.org", "Example.NET", NULL};
    struct fixture *f = mem_new(sizeof *f);
    struct sockaddr_in *remote = (struct sockaddr_in *)&f->peer.remote;

    pthread_mutex_init(&f->mutex, NULL);
    f->source.lookup = lookup;
    f->source.near = near;
    f->sink.record = keep;
    f->log = (struct log){LOG_LEVEL_DEBUG, keep_log};
    f->loop = test_loop_new();
    f->config = (struct auth_config){.host_name = "mail.example.org",
                                     .domains = domains,
                                     .nt_domain = "EXAMPLE",
                                     .server_secret = "a secret of the store",
                                     .no_back_off = true,
                                     .threads = 2};
    f->peer = (struct auth_peer){
        .protocol = AUTH_IMAP, .listener = "imap", .session_id = "s1", .plaintext_ok = true};
    remote->sin_family = AF_INET;
    remote->sin_port = htons(4711);
    inet_pton(AF_INET, "192.0.2.7", &remote->sin_addr);
    add_accounts(f);
    return f;
}

void fixture_start(struct fixture *f)
{
    assert_ok(auth_new(&f->config, &f->source, &f->sink, &f->log, &f->auth));
}

void auth_fixture_free(struct fixture *f)
{
    auth_free(f->auth);
    test_loop_pump(f->loop);
    test_loop_free(f->loop);
    fixture_forget_records(f);
    free(f->records);
    arena_done(&f->arena);
    pthread_mutex_destroy(&f->mutex);
    free(f);
}

int fixture_setup(void **state)
{
    struct fixture *f = auth_fixture_new();

    fixture_start(f);
    *state = f;
    return 0;
}

int fixture_teardown(void **state)
{
    auth_fixture_free(*state);
    return 0;
}

static bool binding(void *ctx, struct slice type, struct buf *out)
{
    (void)ctx;
    if (!slice_eq(type, S("tls-exporter")) && !slice_eq(type, S("tls-server-end-point")))
        return false;
    buf_puts(out, "made-up data of ");
    buf_put(out, type);
    return true;
}

void fixture_use_tls(struct fixture *f)
{
    f->peer.tls = true;
    f->peer.tls_version = "TLSv1.3";
    f->peer.tls_cipher = "TLS_AES_128_GCM_SHA256";
    f->peer.tls_bits = 128;
    f->peer.binding = binding;
}

/* ---- attempts ---- */

static void answered(struct auth_attempt *attempt, void *owner)
{
    (void)attempt, (void)owner;
}

static enum auth_state wait_for(struct fixture *f, struct auth_attempt *a)
{
    while (auth_attempt_state(a) == AUTH_WORKING)
        test_loop_wait(f->loop);
    return auth_attempt_state(a);
}

struct auth_attempt *fixture_begin(struct fixture *f)
{
    return auth_attempt_new(f->auth, &f->peer, test_loop_executor(f->loop), answered, NULL);
}

enum auth_state fixture_send_initial(struct fixture *f, struct auth_attempt *a,
                                     const char *mechanism, const struct slice *initial)
{
    auth_attempt_start(a, slice_str(mechanism), initial);
    return wait_for(f, a);
}

enum auth_state fixture_send(struct fixture *f, struct auth_attempt *a, struct slice line)
{
    auth_attempt_step(a, line);
    return wait_for(f, a);
}

enum auth_reason fixture_end(struct auth_attempt *a)
{
    enum auth_reason reason = auth_attempt_verdict(a)->reason;

    auth_attempt_free(a);
    return reason;
}

enum auth_reason fixture_password(struct fixture *f, struct slice name, struct slice secret)
{
    struct auth_attempt *a = fixture_begin(f);

    auth_attempt_password(a, "USER", name, secret);
    wait_for(f, a);
    return fixture_end(a);
}

enum auth_reason fixture_exchange(struct fixture *f, const char *mechanism, const char *initial,
                                  const char *const lines[])
{
    struct auth_attempt *a = fixture_begin(f);
    struct slice first = slice_str(initial);
    enum auth_state state = fixture_send_initial(f, a, mechanism, initial ? &first : NULL);

    for (; state == AUTH_CHALLENGE && lines && *lines; lines++)
        state = fixture_send(f, a, slice_str(*lines));
    if (state == AUTH_CHALLENGE) {
        auth_attempt_free(a);
        return AUTH_LOST;
    }
    return fixture_end(a);
}

const char *b64(struct slice bytes)
{
    static char text[8][16384];
    static unsigned next;
    struct buf out = buf_make(16383);
    char *to = text[next++ % 8];

    base64_encode(bytes, &out);
    assert_false(out.failed);
    snprintf(to, 16384, "%.*s", SLICE_ARG(buf_slice(&out)));
    buf_done(&out);
    return to;
}
