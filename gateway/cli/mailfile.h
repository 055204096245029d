/*
 * mailfile.h - messages in files: mbox, Maildir and single ones, read one after the other.
 *
 * Bytes are made an RFC 5322 message: a line feed without a carriage return before it becomes
 * CRLF; of an mbox the From_ line goes and one `>` of `>From ` lines (mboxrd). Everything else, a
 * lone CR and NUL too, stays.
 */
#ifndef GATEPOST_GATEWAY_CLI_MAILFILE_H
#define GATEPOST_GATEWAY_CLI_MAILFILE_H

#include "base/arena.h"
#include "store/store.h"

/* One message. All of it dies when `each` returns. */
struct mailfile_message {
    struct slice bytes;
    const char *path;   /* of its file */
    unsigned number;    /* within the file, from 1 */
    const char *folder; /* path below the one that was asked for; "" for that itself */
    uint16_t flags;
    const struct slice *keywords;
    size_t n_keywords;
    struct slice uidl;     /* that POP3 clients know it by; empty: the file does not tell */
    uint64_t internaldate; /* 0: the file does not tell */
    int16_t zone;
};

/*
 * Every message at `path`: a Maildir (with its Maildir++ and nested folders), a directory of .eml
 * and .mbox files, an mbox, or a single message. `each` returns false to stop. `trouble` is told
 * of what cannot be read, which is passed over.
 */
void mailfile_read(const char *path,
                   bool (*each)(void *ctx, const struct mailfile_message *message),
                   void (*trouble)(void *ctx, const char *text), void *ctx);

/* Bytes in all files at `path`, for a progress bar. */
uint64_t mailfile_size(const char *path);

#endif
