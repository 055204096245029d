#include "protocols/imap/command.h"
#include "protocols/imap/handlers.h"
#include "protocols/imap/life.h"
#include "protocols/imap/logon.h"

enum imap_step imap_cmd_capability(struct imap_session *s, struct imap_cmd *c)
{
    if (!imap_arg_end(c))
        return imap_bad_args(c);
    buf_puts(s->out, "* CAPABILITY ");
    imap_put_capabilities(s, s->out);
    buf_puts(s->out, "\r\n");
    return imap_ok(c, "Done");
}

enum imap_step imap_cmd_noop(struct imap_session *s, struct imap_cmd *c)
{
    (void)s;
    return imap_arg_end(c) ? imap_ok(c, "Done") : imap_bad_args(c);
}

enum imap_step imap_cmd_logout(struct imap_session *s, struct imap_cmd *c)
{
    if (!imap_arg_end(c))
        return imap_bad_args(c);
    buf_puts(s->out, "* BYE Logging out\r\n");
    if (!s->env->summary->end)
        s->env->summary->end = "logout";
    c->after = NEXT_CLOSE;
    return imap_ok(c, "Bye");
}

enum imap_step imap_cmd_starttls(struct imap_session *s, struct imap_cmd *c)
{
    (void)s;
    if (!imap_arg_end(c))
        return imap_bad_args(c);
    c->after = NEXT_TLS;
    return imap_ok(c, "Begin TLS now");
}

enum imap_step imap_cmd_compress(struct imap_session *s, struct imap_cmd *c)
{
    struct slice algorithm;

    if (!imap_arg_atom(c, &algorithm) || !imap_arg_end(c))
        return imap_bad_args(c);
    if (s->compressed)
        return imap_no(c, "[COMPRESSIONACTIVE]", "DEFLATE is active already");
    if (!slice_ieq(algorithm, S("DEFLATE")))
        return imap_no(c, "[CANNOT]", "Only DEFLATE is known here");
    c->after = NEXT_COMPRESS;
    return imap_ok(c, "DEFLATE from here on");
}

enum imap_step imap_cmd_namespace(struct imap_session *s, struct imap_cmd *c)
{
    if (!imap_arg_end(c))
        return imap_bad_args(c);
    buf_puts(s->out, "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
    return imap_ok(c, "Done");
}

/* ---- ID (RFC 2971) ---- */

enum { ID_FIELDS = 30, ID_FIELD_LEN = 30, ID_VALUE_LEN = 1024 };

/* What a client says of itself for records, and a proxy of the client that it speaks for. */
struct id {
    struct slice name, version;
    struct session_origin origin;
};

/* The names of Dovecot's proxies and of webmail; they send x-proxy-ttl too, of no use here. */
static struct slice *id_place(struct id *id, struct slice field)
{
    const struct {
        const char *field;
        struct slice *place;
    } places[] = {
        {"name", &id->name},
        {"version", &id->version},
        {"x-originating-ip", &id->origin.client},
        {"x-originating-port", &id->origin.client_port},
        {"x-connected-ip", &id->origin.server},
        {"x-connected-port", &id->origin.server_port},
        {"x-session-id", &id->origin.session},
    };

    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (slice_ieq(field, slice_str(places[i].field)))
            return places[i].place;
    return NULL;
}

/* "(" field value ... ")" */
static bool arg_id(struct imap_cmd *c, struct id *id)
{
    struct slice field, value, *place;
    bool nil;

    for (unsigned i = 0; !imap_arg_byte(c, ')'); i++) {
        if ((i && !imap_arg_space(c)) || !imap_arg_string(c, &field) || !imap_arg_space(c) ||
            !imap_arg_nstring(c, &value, &nil))
            return false;
        if (i >= ID_FIELDS || field.len > ID_FIELD_LEN || value.len > ID_VALUE_LEN) {
            c->complaint = "Too much to know (RFC 2971 3.3)";
            return false;
        }
        place = id_place(id, field);
        if (place)
            *place = value;
    }
    return true;
}

static void keep_client_name(struct imap_session *s, const struct id *id)
{
    struct buf both = buf_make(2 * ID_VALUE_LEN + 1);

    buf_put(&both, id->name);
    if (id->name.len && id->version.len)
        buf_putc(&both, ' ');
    buf_put(&both, id->version);
    imap_set_client_name(s, buf_slice(&both));
    buf_done(&both);
}

enum imap_step imap_cmd_id(struct imap_session *s, struct imap_cmd *c)
{
    struct session_host *host = s->env->host;
    struct id id = {.name = SLICE_EMPTY};

    if (!imap_arg_word(c, "NIL") && !(imap_arg_byte(c, '(') && arg_id(c, &id)))
        return imap_bad_args(c);
    if (!imap_arg_end(c))
        return imap_bad_args(c);
    keep_client_name(s, &id);
    /* After log-on the verdict stands, and sessions are counted by the address it was given for. */
    if (s->state == STATE_NOT_AUTHENTICATED && host->originate &&
        failed(host->originate(host, &id.origin))) {
        imap_bye(s, "Too many connections from the address that you speak for");
        return imap_no(c, "[UNAVAILABLE]", "Too many connections");
    }
    buf_puts(s->out, "* ID (\"name\" \"Gatepost\"");
    /* Strangers need not know what to attack. */
    if (s->state != STATE_NOT_AUTHENTICATED)
        buf_puts(s->out, " \"version\" \"" GATEPOST_VERSION "\"");
    buf_puts(s->out, ")\r\n");
    return imap_ok(c, "Pleased to meet you");
}

/* ---- ENABLE (RFC 5161) ---- */

enum { ENABLE_CONDSTORE = 1, ENABLE_QRESYNC = 2, ENABLE_UTF8 = 4, ENABLE_REV2 = 8 };

static const struct {
    const char *name;
    unsigned bit;
} enableable[] = {
    {"CONDSTORE", ENABLE_CONDSTORE},
    {"QRESYNC", ENABLE_QRESYNC},
    {"UTF8=ACCEPT", ENABLE_UTF8},
    {"IMAP4rev2", ENABLE_REV2},
};

enum { ENABLEABLE = sizeof enableable / sizeof *enableable };

static bool arg_enable(struct imap_cmd *c, unsigned *asked)
{
    struct slice name;

    *asked = 0;
    do {
        if (!imap_arg_atom(c, &name))
            return false;
        /* What is not known is passed over (RFC 5161 3.1). */
        for (size_t i = 0; i < ENABLEABLE; i++)
            if (slice_ieq(name, slice_str(enableable[i].name)))
                *asked |= enableable[i].bit;
    } while (imap_arg_byte(c, ' '));
    return imap_arg_end(c);
}

enum imap_step imap_cmd_enable(struct imap_session *s, struct imap_cmd *c)
{
    unsigned asked;

    if (!arg_enable(c, &asked))
        return imap_bad_args(c);
    buf_puts(s->out, "* ENABLED");
    for (size_t i = 0; i < ENABLEABLE; i++)
        if (asked & enableable[i].bit)
            buf_printf(s->out, " %s", enableable[i].name);
    buf_puts(s->out, "\r\n");
    if (asked & (ENABLE_CONDSTORE | ENABLE_QRESYNC)) /* RFC 7162 3.2.3: the one implies the other */
        imap_condstore_on(s);
    s->qresync |= (asked & ENABLE_QRESYNC) != 0;
    s->utf8 |= (asked & ENABLE_UTF8) != 0;
    s->rev2 |= (asked & ENABLE_REV2) != 0;
    return imap_ok(c, "Done");
}
