#include "gateway/audit_system.h"

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "gateway/net/address.h"

enum {
    DATAGRAM_MOST = 256 * 1024,
    AUTHPRIV = 10, /* RFC 5424 6.2.1 */
    WARNING = 4,
    NOTICE = 5,
    INFORMATIONAL = 6,
};

/* One that takes datagrams. */
struct taker {
    const char *what;
    struct sockaddr_un address; /* of no family: none */
    socklen_t length;
    bool failing;
    uint64_t lost; /* since it last took one */
    void (*put)(struct buf *out, const struct auth_record *record, struct slice line);
};

struct audit_system {
    struct auth_sink face; /* first */
    struct auth_sink *next;
    struct log *log;
    pthread_mutex_t mutex;
    int fd;
    struct taker takers[2];
};

/* ---- what they get ---- */

static unsigned severity(enum auth_reason reason)
{
    if (reason == AUTH_OK || reason == AUTH_LOST)
        return INFORMATIONAL;
    return reason == AUTH_UNAVAILABLE || reason == AUTH_NO_MAILBOX ? WARNING : NOTICE;
}

static struct slice without_feed(struct slice line)
{
    return slice_ends(line, S("\n")) ? slice_head(line, line.len - 1) : line;
}

/*
 * FIELD=value, or where the value has a line feed: the name, its length as 64 bits little-endian,
 * the value (systemd's "Journal Native Protocol").
 */
static void put_field(struct buf *out, const char *name, struct slice value)
{
    buf_puts(out, name);
    if (slice_index(value, '\n') == value.len) {
        buf_putc(out, '=');
    } else {
        buf_putc(out, '\n');
        for (unsigned i = 0; i < 8; i++)
            buf_putc(out, (uint8_t)((uint64_t)value.len >> (8 * i)));
    }
    buf_put(out, value);
    buf_putc(out, '\n');
}

static void put_text(struct buf *out, const char *name, const char *value)
{
    if (value && *value)
        put_field(out, name, slice_str(value));
}

static void put_number(struct buf *out, const char *name, uint64_t n)
{
    buf_printf(out, "%s=%llu\n", name, (unsigned long long)n);
}

static void put_who(struct buf *out, const struct auth_record *record)
{
    const struct {
        const char *name;
        struct slice value;
    } fields[] = {
        {"GATEPOST_MECHANISM", record->mechanism},
        {"GATEPOST_NAME", record->name_given},
        {"GATEPOST_USER", record->identity},
        {"GATEPOST_ACTOR", record->actor},
        {"GATEPOST_CLIENT_NAME", record->peer->client_name},
    };

    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (fields[i].value.len)
            put_field(out, fields[i].name, fields[i].value);
}

void audit_put_journal(struct buf *out, const struct auth_record *record, struct slice line)
{
    const struct auth_peer *peer = record->peer;
    char address[ADDRESS_TEXT_MAX];

    address_put(&peer->remote, address);
    put_field(out, "MESSAGE", without_feed(line));
    put_number(out, "PRIORITY", severity(record->reason));
    put_number(out, "SYSLOG_FACILITY", AUTHPRIV);
    put_text(out, "SYSLOG_IDENTIFIER", "gatepost");
    put_number(out, "GATEPOST_EVENT", auth_reason_event(record->reason));
    put_text(out, "GATEPOST_RESULT", record->reason == AUTH_OK ? "ok" : "fail");
    put_text(out, "GATEPOST_STAGE", auth_stage_name(auth_reason_stage(record->reason)));
    put_text(out, "GATEPOST_REASON", auth_reason_name(record->reason));
    put_text(out, "GATEPOST_PROTOCOL", auth_protocol_name(peer->protocol));
    put_text(out, "GATEPOST_LISTENER", peer->listener);
    put_text(out, "GATEPOST_SESSION", peer->session_id);
    put_text(out, "GATEPOST_CLIENT", address);
    put_number(out, "GATEPOST_CLIENT_PORT", address_port(&peer->remote));
    put_text(out, "GATEPOST_TLS", peer->tls ? peer->tls_version : NULL);
    put_number(out, "GATEPOST_LATENCY_US", record->latency_us);
    put_who(out, record);
}

/* "<86>Nov 24 03:40:31 gatepost[17]: ": RFC 3164 as /dev/log has it, without the host's name. */
void audit_put_syslog(struct buf *out, const struct auth_record *record, struct slice line)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t now = (time_t)filetime_to_unix(record->time);
    struct tm local;

    localtime_r(&now, &local);
    buf_printf(out, "<%u>%.3s %2d %02d:%02d:%02d gatepost[%d]: ",
               AUTHPRIV * 8 + severity(record->reason), months + (size_t)3 * (size_t)local.tm_mon,
               local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec, (int)getpid());
    buf_put(out, without_feed(line));
}

/* ---- sending ---- */

static bool send_to(const struct audit_system *s, const struct taker *t, struct slice bytes)
{
    ssize_t n;

    do
        n = sendto(s->fd, bytes.ptr, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL,
                   (const struct sockaddr *)&t->address, t->length);
    while (n < 0 && errno == EINTR);
    return n >= 0;
}

static void offer(struct audit_system *s, struct taker *t, const struct auth_record *record,
                  struct slice line)
{
    struct buf bytes = buf_make(DATAGRAM_MOST);
    uint64_t lost;

    pthread_mutex_lock(&s->mutex);
    bool wanted = t->address.sun_family != AF_UNSPEC;
    if (wanted)
        t->put(&bytes, record, line);
    bool good = !wanted || (!bytes.failed && send_to(s, t, buf_slice(&bytes)));
    int error = errno;
    bool changed = good == t->failing;
    t->failing = !good;
    lost = good ? t->lost : 0;
    t->lost = good ? 0 : t->lost + 1;
    pthread_mutex_unlock(&s->mutex);
    if (changed && !good)
        log_event(s->log, LOG_LEVEL_WARN, "audit.system.failed", log_str("to", t->what),
                  log_str("why", strerror(error)));
    else if (changed)
        log_event(s->log, LOG_LEVEL_WARN, "audit.system.recovered", log_str("to", t->what),
                  log_number("lost", (int64_t)lost));
    buf_done(&bytes);
}

static void record(struct auth_sink *face, const struct auth_record *rec, struct slice line)
{
    struct audit_system *s = (struct audit_system *)face;

    s->next->record(s->next, rec, line);
    for (size_t i = 0; i < sizeof s->takers / sizeof *s->takers; i++)
        offer(s, &s->takers[i], rec, line);
}

/* ---- life ---- */

/* A path that is too long for a socket is refused when the configuration is read. */
static void set_path(struct taker *t, const char *path)
{
    struct slice text = slice_str(path);

    t->address = (struct sockaddr_un){.sun_family = AF_UNSPEC};
    if (text.len == 0 || text.len >= sizeof t->address.sun_path)
        return;
    t->address.sun_family = AF_UNIX;
    memcpy(t->address.sun_path, text.ptr, text.len);
    t->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + text.len + 1);
}

void audit_system_reopen(struct audit_system *system, const char *journal, const char *syslog)
{
    pthread_mutex_lock(&system->mutex);
    set_path(&system->takers[0], journal);
    set_path(&system->takers[1], syslog);
    pthread_mutex_unlock(&system->mutex);
}

struct audit_system *audit_system_new(const char *journal, const char *syslog,
                                      struct auth_sink *next, struct log *log)
{
    struct audit_system *s = mem_new(sizeof *s);

    s->face.record = record;
    s->next = next;
    s->log = log;
    pthread_mutex_init(&s->mutex, NULL);
    s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    s->takers[0] = (struct taker){.what = "journal", .put = audit_put_journal};
    s->takers[1] = (struct taker){.what = "syslog", .put = audit_put_syslog};
    audit_system_reopen(s, journal, syslog);
    return s;
}

void audit_system_free(struct audit_system *system)
{
    if (!system)
        return;
    if (system->fd >= 0)
        close(system->fd);
    pthread_mutex_destroy(&system->mutex);
    free(system);
}

struct auth_sink *audit_system_face(struct audit_system *system)
{
    return &system->face;
}
