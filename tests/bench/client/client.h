/*
 * client.h - as much of an IMAP and POP3 client as the benchmark needs: connections to loopback,
 * plain and TLS, whose every answer is read to its last byte.
 *
 * Threads    A conn belongs to one thread at a time; `opt` is set before the first is opened.
 */
#ifndef GATEPOST_BENCH_CLIENT_H
#define GATEPOST_BENCH_CLIENT_H

#include <openssl/ssl.h>

#include "base/buf.h"

struct options {
    const char *scenario, *host, *user, *pass, *box;
    unsigned port, other, users, conns, messages, rcpts;
    size_t size;
    double seconds;
    bool tls;
    pid_t pid;
};

extern struct options opt;

/* The command line of every program here; `scenarios` is told by a wrong one. Exits. */
void options_parse(int argc, char **argv, const char *scenarios);

struct conn {
    int fd;
    SSL *ssl;
    uint8_t in[256 * 1024];
    size_t start, end;
    unsigned number; /* which connection this is: it decides the user */
    unsigned tag;
    bool broken;
    uint64_t bytes; /* received */
    void *state;    /* the scenario's */
};

/* Say what failed, with errno, and exit. */
void fatal(const char *what);

bool conn_open(struct conn *c);
void conn_close(struct conn *c);
void conn_send(struct conn *c, struct slice bytes);
/* The next line without its CRLF; good until the next call. */
struct slice conn_line(struct conn *c);
void conn_skip(struct conn *c, uint64_t n);
/* The next `n` bytes, appended. */
void conn_read(struct conn *c, uint64_t n, struct buf *out);

/* What was said before the tagged answer, which was OK or not. */
struct answer {
    bool ok;
    uint64_t fetches, literals, literal_bytes, exists;
};

struct answer imap_answer(struct conn *c, const char *tag);
struct answer imap_do(struct conn *c, const char *format, ...) PRINTF_LIKE(2, 3);
bool imap_login(struct conn *c);
/* Log on and select opt.box. */
bool imap_start(struct conn *c);
/* An IMAP APPEND of opt.size bytes to `box`; *sent_at is when its last byte had been sent. */
bool imap_append(struct conn *c, const char *box, double *sent_at);

bool pop3_ok(struct conn *c);
bool pop3_login(struct conn *c);
bool pop3_quit(struct conn *c);

const char *user_of(const struct conn *c, char name[64]);
/* Four header fields and lines of text; no two alike. */
void put_message(struct buf *out, const struct conn *c, size_t size);

double monotonic_now(void);

/* The CPU time that a process and all that descend from it have used. */
double cpu_seconds_of_tree(pid_t root);

#endif
