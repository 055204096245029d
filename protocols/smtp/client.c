/* client.c - a mail on its way to the next hop: one state for each answer that is awaited. */
#include "protocols/smtp/smtp.h"

#include <stdlib.h>

#include "base/base64.h"
#include "base/mem.h"
#include "protocols/dots.h"
#include "protocols/line.h"

enum {
    LINE_MAX_BYTES = 4096, /* RFC 5321 4.5.3.1.5 asks for 512 */
    REPLY_MAX_LINES = 1000,
    SECRET_MAX = 4096,
};

enum extension {
    EXT_PIPELINING = 1 << 0,
    EXT_8BITMIME = 1 << 1,
    EXT_SMTPUTF8 = 1 << 2,
    EXT_DSN = 1 << 3,
    EXT_STARTTLS = 1 << 4,
    EXT_SIZE = 1 << 5,
    EXT_PLAIN = 1 << 6,
    EXT_LOGIN = 1 << 7,
};

/* What is awaited. */
enum state {
    AT_GREETING,
    AT_HELLO,    /* the answer to EHLO or LHLO */
    AT_HELO,     /* ... and to HELO, which older servers want */
    AT_STARTTLS, /* the answer to it */
    AT_TLS,      /* the driver */
    AT_AUTH,     /* the verdict, of PLAIN and behind the secret of LOGIN */
    AT_USER,     /* LOGIN asks for the name */
    AT_SECRET,   /* ... and the secret */
    AT_ENVELOPE, /* the answers to MAIL and RCPT */
    AT_DATA,
    AT_CONTENT, /* nothing: the message goes out */
    AT_VERDICT, /* one answer, or one for each recipient that was accepted */
    AT_END,
};

struct smtp_client {
    const struct smtp_settings *settings;
    struct smtp_mail *mail;
    enum state state;
    unsigned extensions;
    uint64_t max_size;
    bool tls;
    struct line_reader lines;
    struct buf out; /* commands that wait to be pulled */
    /* the answer that is being read */
    unsigned code, n_lines;
    char words[SMTP_REPLY_MAX];
    /* the envelope: command 0 is MAIL, command i the RCPT of recipient i - 1 */
    size_t sent, answered;
    bool mail_refused;
    /* the message */
    struct dot_writer dots;
    size_t content_sent;
    bool ended;
    size_t next_verdict;
};

/* ---- results ---- */

static void set_result(struct smtp_recipient *r, enum smtp_result result, const char *words)
{
    if (r->result != SMTP_PENDING)
        return;
    r->result = result;
    snprintf(r->reply, sizeof r->reply, "%s", words);
}

static void set_all(struct smtp_client *c, enum smtp_result result, const char *words)
{
    for (size_t i = 0; i < c->mail->n_recipients; i++)
        set_result(&c->mail->recipients[i], result, words);
}

/* An answer of 2yz is no reason to stop, but one that is out of place is. */
static enum smtp_result result_of(unsigned code)
{
    return code >= 500 && code < 600 ? SMTP_REFUSED : SMTP_LATER;
}

static bool is_good(unsigned code)
{
    return code >= 200 && code < 300;
}

static void end(struct smtp_client *c)
{
    if (c->state == AT_END)
        return;
    c->state = AT_END;
    buf_puts(&c->out, "QUIT\r\n");
}

/* The next hop cannot be used as it is, which is no fault of the message. */
static void put_off(struct smtp_client *c, const char *words)
{
    set_all(c, SMTP_LATER, words);
    end(c);
}

void smtp_client_break(struct smtp_client *c, const char *why)
{
    char words[SMTP_REPLY_MAX];

    snprintf(words, sizeof words, "4.4.2 %s", why);
    set_all(c, SMTP_LATER, words);
    c->state = AT_END;
}

/* ---- what a server offers ---- */

static unsigned auth_of(struct slice words)
{
    unsigned found = 0;

    while (words.len) {
        struct slice word = slice_cut(&words, ' ');

        found |= slice_ieq(word, S("PLAIN"))   ? EXT_PLAIN
                 : slice_ieq(word, S("LOGIN")) ? EXT_LOGIN
                                               : 0;
    }
    return found;
}

static void take_extension(struct smtp_client *c, struct slice line)
{
    static const struct {
        const char *name;
        unsigned bit;
    } known[] = {
        {"PIPELINING", EXT_PIPELINING}, {"8BITMIME", EXT_8BITMIME},
        {"SMTPUTF8", EXT_SMTPUTF8},     {"DSN", EXT_DSN},
        {"STARTTLS", EXT_STARTTLS},     {"SIZE", EXT_SIZE},
    };
    struct slice name = slice_cut(&line, ' ');

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (slice_ieq(name, slice_str(known[i].name)))
            c->extensions |= known[i].bit;
    if (slice_ieq(name, S("SIZE")) && !slice_to_u64(line, &c->max_size))
        c->max_size = 0; /* no limit is told (RFC 1870 3) */
    if (slice_ieq(name, S("AUTH")))
        c->extensions |= auth_of(line);
}

/* ---- the envelope ---- */

static bool is_beyond_ascii(const struct smtp_mail *mail)
{
    bool ascii = slice_is_ascii(mail->sender);

    for (size_t i = 0; i < mail->n_recipients; i++)
        ascii = ascii && slice_is_ascii(mail->recipients[i].address);
    return !ascii;
}

static void put_mail(struct smtp_client *c)
{
    struct smtp_mail *m = c->mail;

    buf_puts(&c->out, "MAIL FROM:<");
    buf_put(&c->out, m->sender);
    buf_putc(&c->out, '>');
    if (c->extensions & EXT_SIZE)
        buf_printf(&c->out, " SIZE=%zu", m->bytes.len);
    if ((c->extensions & EXT_8BITMIME) && !slice_is_ascii(m->bytes))
        buf_puts(&c->out, " BODY=8BITMIME");
    if ((c->extensions & EXT_SMTPUTF8) && is_beyond_ascii(m))
        buf_puts(&c->out, " SMTPUTF8");
    if ((c->extensions & EXT_DSN) && m->envelope_id.len)
        buf_printf(&c->out, " RET=HDRS ENVID=%.*s", SLICE_ARG(m->envelope_id));
    buf_puts(&c->out, "\r\n");
}

/* xtext (RFC 3461 4). */
static void put_xtext(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] >= 0x7F || text.ptr[i] == '+' || text.ptr[i] == '=')
            buf_printf(out, "+%02X", text.ptr[i]);
        else
            buf_putc(out, text.ptr[i]);
}

static void put_rcpt(struct smtp_client *c, const struct smtp_recipient *r)
{
    buf_puts(&c->out, "RCPT TO:<");
    buf_put(&c->out, r->address);
    buf_putc(&c->out, '>');
    if ((c->extensions & EXT_DSN) && c->mail->wants_report) {
        buf_puts(&c->out, " NOTIFY=SUCCESS,FAILURE,DELAY");
        if (slice_is_ascii(r->address)) {
            buf_puts(&c->out, " ORCPT=rfc822;");
            put_xtext(&c->out, r->address);
        }
        c->mail->reports = true;
    }
    buf_puts(&c->out, "\r\n");
}

/* As many commands as may be under way at once. Those that have their result are not asked for. */
static void put_envelope(struct smtp_client *c)
{
    size_t most = c->extensions & EXT_PIPELINING ? SIZE_MAX : c->answered + 1;

    for (; c->sent <= c->mail->n_recipients && c->sent < most; c->sent++) {
        if (c->sent == 0) {
            put_mail(c);
            continue;
        }
        struct smtp_recipient *r = &c->mail->recipients[c->sent - 1];
        if (r->result == SMTP_PENDING) {
            put_rcpt(c, r);
            r->asked = true;
        } else if (most != SIZE_MAX) {
            most++;
        }
    }
}

/* Past those that were not asked for, to the next answer that will come. */
static void skip_unasked(struct smtp_client *c)
{
    while (c->answered > 0 && c->answered < c->sent && !c->mail->recipients[c->answered - 1].asked)
        c->answered++;
}

/* What can be known without asking. The recipients that are left are in front. */
static bool is_worth_asking(struct smtp_client *c)
{
    if (c->max_size && c->mail->bytes.len > c->max_size) {
        set_all(c, SMTP_REFUSED, "552 5.3.4 larger than the next hop takes");
        return false;
    }
    if (is_beyond_ascii(c->mail) && !(c->extensions & EXT_SMTPUTF8)) {
        bool sender = !slice_is_ascii(c->mail->sender);
        const char *words = "553 5.6.7 the next hop takes no address beyond ASCII";

        for (size_t i = 0; i < c->mail->n_recipients; i++)
            if (sender || !slice_is_ascii(c->mail->recipients[i].address))
                set_result(&c->mail->recipients[i], SMTP_REFUSED, words);
    }
    for (size_t i = 0; i < c->mail->n_recipients; i++)
        if (c->mail->recipients[i].result == SMTP_PENDING)
            return true;
    return false;
}

static void begin_envelope(struct smtp_client *c)
{
    if (!is_worth_asking(c)) {
        end(c);
        return;
    }
    c->state = AT_ENVELOPE;
    put_envelope(c);
}

static void end_envelope(struct smtp_client *c)
{
    bool any = false;

    for (size_t i = 0; i < c->mail->n_recipients; i++)
        any = any ||
              (c->mail->recipients[i].accepted && c->mail->recipients[i].result == SMTP_PENDING);
    if (!any) {
        end(c);
        return;
    }
    c->state = AT_DATA;
    buf_puts(&c->out, "DATA\r\n");
}

static void take_envelope(struct smtp_client *c)
{
    size_t at = c->answered++;

    skip_unasked(c);
    if (at == 0 && !is_good(c->code)) {
        c->mail_refused = true;
        set_all(c, result_of(c->code), c->words);
    } else if (at > 0 && !c->mail_refused) {
        struct smtp_recipient *r = &c->mail->recipients[at - 1];

        r->accepted = is_good(c->code);
        if (!r->accepted)
            set_result(r, result_of(c->code), c->words);
    }
    /* Refused before the rest was sent: there is no use in sending it. */
    if (c->answered == c->sent && (c->mail_refused || c->sent > c->mail->n_recipients))
        end_envelope(c);
    else
        put_envelope(c);
    skip_unasked(c);
    if (c->state == AT_ENVELOPE && c->answered == c->sent && c->sent > c->mail->n_recipients)
        end_envelope(c);
}

/* ---- logging on ---- */

static void put_secret(struct smtp_client *c, const char *before, struct slice secret)
{
    buf_puts(&c->out, before);
    base64_encode(secret, &c->out);
    buf_puts(&c->out, "\r\n");
}

static void begin_auth(struct smtp_client *c)
{
    const struct smtp_settings *s = c->settings;

    if (c->extensions & EXT_PLAIN) {
        struct buf both = buf_make(SECRET_MAX);

        buf_putc(&both, 0);
        buf_puts(&both, s->user);
        buf_putc(&both, 0);
        buf_puts(&both, s->password ? s->password : "");
        put_secret(c, "AUTH PLAIN ", buf_slice(&both));
        buf_wipe(&both);
        c->state = AT_AUTH;
    } else if (c->extensions & EXT_LOGIN) {
        buf_puts(&c->out, "AUTH LOGIN\r\n");
        c->state = AT_USER;
    } else {
        put_off(c, "4.7.0 the next hop offers neither AUTH PLAIN nor LOGIN");
    }
}

static void take_auth(struct smtp_client *c)
{
    const char *password = c->settings->password;

    if (c->state == AT_AUTH && is_good(c->code)) {
        begin_envelope(c);
    } else if (c->state == AT_USER && c->code == 334) {
        put_secret(c, "", slice_str(c->settings->user));
        c->state = AT_SECRET;
    } else if (c->state == AT_SECRET && c->code == 334) {
        put_secret(c, "", slice_str(password ? password : ""));
        c->state = AT_AUTH;
    } else {
        put_off(c, c->words);
    }
}

/* ---- beginning ---- */

static void put_hello(struct smtp_client *c, const char *verb, enum state state)
{
    buf_printf(&c->out, "%s %s\r\n", verb, c->settings->host_name);
    c->extensions = 0;
    c->max_size = 0;
    c->state = state;
}

static void greet(struct smtp_client *c)
{
    put_hello(c, c->settings->lmtp ? "LHLO" : "EHLO", AT_HELLO);
}

static void take_hello(struct smtp_client *c)
{
    const struct smtp_settings *s = c->settings;

    if (c->state == AT_HELLO && c->code >= 500 && !s->lmtp && !s->starttls && !s->user) {
        put_hello(c, "HELO", AT_HELO); /* RFC 5321 4.1.1.1 */
    } else if (!is_good(c->code)) {
        put_off(c, c->words);
    } else if (s->starttls && !c->tls) {
        /* Nothing is sent in clear because somebody took the offer out. */
        if (c->extensions & EXT_STARTTLS) {
            buf_puts(&c->out, "STARTTLS\r\n");
            c->state = AT_STARTTLS;
        } else {
            put_off(c, "4.7.0 the next hop does not offer STARTTLS");
        }
    } else if (s->user) {
        begin_auth(c);
    } else {
        begin_envelope(c);
    }
}

static void take_starttls(struct smtp_client *c)
{
    if (!is_good(c->code)) {
        put_off(c, c->words);
        return;
    }
    c->state = AT_TLS;
}

void smtp_client_tls_started(struct smtp_client *c)
{
    c->tls = true;
    line_wipe_all(&c->lines); /* what came in clear is nobody's word (RFC 3207 4.2) */
    greet(c);
}

/* ---- the message ---- */

static void take_data(struct smtp_client *c)
{
    if (c->code == 354) {
        c->state = AT_CONTENT;
        return;
    }
    set_all(c, result_of(c->code), c->words);
    end(c);
}

static bool awaits_verdict(const struct smtp_recipient *r)
{
    return r->accepted && r->result == SMTP_PENDING;
}

/* RFC 2033 4.2: one answer for each RCPT that was accepted, in their order. */
static void take_verdict(struct smtp_client *c)
{
    enum smtp_result result = is_good(c->code) ? SMTP_TAKEN : result_of(c->code);
    struct smtp_mail *m = c->mail;
    size_t *at = &c->next_verdict;

    if (!c->settings->lmtp) {
        set_all(c, result, c->words);
        end(c);
        return;
    }
    while (*at < m->n_recipients && !awaits_verdict(&m->recipients[*at]))
        ++*at;
    if (*at < m->n_recipients)
        set_result(&m->recipients[(*at)++], result, c->words);
    while (*at < m->n_recipients && !awaits_verdict(&m->recipients[*at]))
        ++*at;
    if (*at == m->n_recipients)
        end(c);
}

/* ---- answers ---- */

static void take_reply(struct smtp_client *c)
{
    if (c->code == 421 && c->state != AT_END) { /* it closes the connection (RFC 5321 3.8) */
        put_off(c, c->words);
        return;
    }
    switch (c->state) {
    case AT_GREETING:
        if (c->code == 220)
            greet(c);
        else
            put_off(c, c->words);
        break;
    case AT_HELLO:
    case AT_HELO:
        take_hello(c);
        break;
    case AT_STARTTLS:
        take_starttls(c);
        break;
    case AT_AUTH:
    case AT_USER:
    case AT_SECRET:
        take_auth(c);
        break;
    case AT_ENVELOPE:
        take_envelope(c);
        break;
    case AT_DATA:
        take_data(c);
        break;
    case AT_VERDICT:
        take_verdict(c);
        break;
    case AT_CONTENT: /* it has seen enough before all of it was there */
        set_all(c, result_of(c->code), c->words);
        c->state = AT_END;
        break;
    case AT_TLS:
    case AT_END:
        break;
    }
}

/* Words of the peer go into logs and reports: one line of what can be shown. */
static void add_words(struct smtp_client *c, struct slice text)
{
    size_t n = strlen(c->words);

    if (n > 0 && text.len > 0 && n + 1 < sizeof c->words)
        c->words[n++] = ' ';
    for (size_t i = 0; i < text.len && n + 1 < sizeof c->words; i++)
        c->words[n++] = text.ptr[i] < ' ' || text.ptr[i] >= 0x7F ? '?' : (char)text.ptr[i];
    c->words[n] = 0;
}

static bool read_code(struct slice line, unsigned *code)
{
    if (line.len < 3 || line.ptr[0] < '1' || line.ptr[0] > '5' || !ascii_is_digit(line.ptr[1]) ||
        !ascii_is_digit(line.ptr[2]))
        return false;
    *code = (unsigned)(line.ptr[0] - '0') * 100 + (unsigned)(line.ptr[1] - '0') * 10 +
            (unsigned)(line.ptr[2] - '0');
    return line.len == 3 || line.ptr[3] == ' ' || line.ptr[3] == '-';
}

static void take_line(struct smtp_client *c, struct slice line)
{
    unsigned code;

    if (!read_code(line, &code) || (c->n_lines > 0 && code != c->code) ||
        c->n_lines++ >= REPLY_MAX_LINES) {
        smtp_client_break(c, "what the next hop says is not SMTP");
        return;
    }
    c->code = code;
    /* The first line of EHLO's answer is the server's name. */
    if (c->state == AT_HELLO && c->n_lines > 1)
        take_extension(c, slice_from(line, 4));
    add_words(c, c->n_lines == 1 ? slice_head(line, 3) : SLICE_EMPTY);
    add_words(c, slice_trim(slice_from(line, 4)));
    if (line.len > 3 && line.ptr[3] == '-')
        return;
    c->n_lines = 0;
    take_reply(c);
    c->words[0] = 0;
}

static void take_lines(struct smtp_client *c)
{
    struct slice line;
    enum line_found found;

    while (c->state != AT_TLS && c->state != AT_END &&
           (found = line_next(&c->lines, &line)) != LINE_NONE) {
        if (found == LINE_TOO_LONG)
            smtp_client_break(c, "an answer of the next hop is too long");
        else
            take_line(c, line);
    }
}

bool smtp_client_is_sent(const struct smtp_client *c)
{
    return c->state == AT_VERDICT;
}

void smtp_client_feed(struct smtp_client *c, struct slice in)
{
    while (in.len > 0 && c->state != AT_END && c->state != AT_TLS) {
        in = slice_from(in, line_feed(&c->lines, in));
        take_lines(c);
    }
}

/* ---- what goes out ---- */

static void put_content(struct smtp_client *c, struct buf *out, size_t room)
{
    struct slice rest = slice_from(c->mail->bytes, c->content_sent);

    c->content_sent += dot_put(&c->dots, rest, out, room);
    if (c->content_sent < c->mail->bytes.len)
        return;
    dot_end(&c->dots, out);
    c->state = AT_VERDICT;
}

enum smtp_next smtp_client_pull(struct smtp_client *c, struct buf *out, size_t room)
{
    buf_put(out, buf_slice(&c->out));
    buf_wipe(&c->out);
    if (c->state == AT_CONTENT)
        put_content(c, out, room);
    return c->state == AT_END       ? SMTP_NEXT_END
           : c->state == AT_TLS     ? SMTP_NEXT_TLS
           : c->state == AT_CONTENT ? SMTP_NEXT_PULL
                                    : SMTP_NEXT_READ;
}

/* ---- life ---- */

struct smtp_client *smtp_client_new(const struct smtp_settings *settings, struct smtp_mail *mail)
{
    struct smtp_client *c = mem_new(sizeof *c);

    *c = (struct smtp_client){
        .settings = settings,
        .mail = mail,
        .tls = settings->tls,
        .out = buf_make(SIZE_MAX),
    };
    line_init(&c->lines, LINE_MAX_BYTES);
    mail->reports = false;
    for (size_t i = 0; i < mail->n_recipients; i++) {
        mail->recipients[i].result = SMTP_PENDING;
        mail->recipients[i].asked = mail->recipients[i].accepted = false;
        mail->recipients[i].reply[0] = 0;
    }
    return c;
}

void smtp_client_free(struct smtp_client *c)
{
    if (!c)
        return;
    line_done(&c->lines);
    buf_wipe(&c->out);
    free(c);
}
