/*
 * smtp.h - the client's side of SMTP (RFC 5321) and LMTP (RFC 2033): one message to one next hop.
 *
 * With PIPELINING (RFC 2920), SIZE (RFC 1870), 8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531), DSN (RFC
 * 3461), STARTTLS (RFC 3207) and AUTH PLAIN and LOGIN (RFC 4954), as far as the server offers them.
 *
 * Each recipient ends with a result of its own: what its RCPT was answered with; if it was accepted
 * there, the answer to the message, which LMTP gives for each and SMTP for all. What concerns the
 * connection (a greeting, TLS, AUTH) is never a refusal: it is for later.
 *
 * Like every engine here it does no I/O: smtp_client_feed() it what came, smtp_client_pull() what
 * is to be sent, and tell it when there is TLS or nothing will come any more.
 *
 * Threads    A client belongs to one thread.
 * Ownership  The mail and the settings stay in place while the client lives.
 */
#ifndef GATEPOST_PROTOCOLS_SMTP_SMTP_H
#define GATEPOST_PROTOCOLS_SMTP_SMTP_H

#include "base/buf.h"

enum { SMTP_REPLY_MAX = 256 };

enum smtp_result {
    SMTP_PENDING, /* no answer yet */
    SMTP_TAKEN,   /* the next hop has it */
    SMTP_LATER,   /* not now (RFC 5321 4.2.1: 4yz), or nobody knows */
    SMTP_REFUSED, /* 5yz: it will not be otherwise tomorrow */
};

struct smtp_recipient {
    struct slice address;
    enum smtp_result result; /* out */
    char reply[SMTP_REPLY_MAX];
    bool asked, accepted; /* the client's: RCPT was sent, and answered with 2yz */
};

struct smtp_mail {
    struct slice sender; /* empty: "<>" */
    struct slice bytes;  /* with CRLF at the ends of lines */
    struct smtp_recipient *recipients;
    size_t n_recipients;
    bool wants_report;        /* of delivery, too */
    struct slice envelope_id; /* printable, without blanks; empty: none */
    bool reports;             /* out: the next hop was asked to report, and will */
};

struct smtp_settings {
    const char *host_name; /* for EHLO and LHLO */
    bool lmtp;
    bool starttls;               /* nothing is sent without */
    bool tls;                    /* it is on from the beginning */
    const char *user, *password; /* NULL: no authentication */
};

enum smtp_next {
    SMTP_NEXT_READ, /* an answer is awaited */
    SMTP_NEXT_PULL, /* there is more to send */
    SMTP_NEXT_TLS,  /* send what was put out, start TLS, smtp_client_tls_started() */
    SMTP_NEXT_END,  /* send what was put out, then close: every recipient has its result */
};

struct smtp_client;

struct smtp_client *smtp_client_new(const struct smtp_settings *settings,
                                    struct smtp_mail *mail) MUST_USE;
void smtp_client_free(struct smtp_client *client);

/* All of `in` is taken. */
void smtp_client_feed(struct smtp_client *client, struct slice in);

/* Append what is to be sent, about `room` bytes of the message at a time. */
enum smtp_next smtp_client_pull(struct smtp_client *client, struct buf *out, size_t room);

void smtp_client_tls_started(struct smtp_client *client);

/*
 * Is all of the message sent, and its answer awaited? Who breaks off now does not know whether the
 * next hop has it, and will send it twice.
 */
bool smtp_client_is_sent(const struct smtp_client *client);

/* It goes no further: whoever has no result yet gets SMTP_LATER with these words. */
void smtp_client_break(struct smtp_client *client, const char *why);

#endif
