/* verify_int.h - what the files of verification share. */
#ifndef GATEPOST_STORE_VERIFY_INT_H
#define GATEPOST_STORE_VERIFY_INT_H

#include "store/store_int.h"

/* How often each number was referred to: open addressing, n == 0 is free. */
struct ref {
    uint64_t id, n;
};

struct refs {
    struct ref *all;
    size_t n, room;
};

void refs_add(struct refs *refs, uint64_t id, uint64_t n);
uint64_t refs_get(const struct refs *refs, uint64_t id);
void refs_done(struct refs *refs);

struct verify {
    struct store *store;
    void (*finding)(void *ctx, const char *text);
    void *ctx;
    struct store_verify_report *report;
    struct refs blobs; /* of all mailboxes */
    /* of the mailbox that is looked at */
    uint64_t mailbox_id; /* 0: none */
    struct store_read *rd;
    struct mailbox_rec rec;
    struct refs keyword_sets;
    uint64_t folders, messages, size, rows, doomed, mids;
    uint64_t keyword_sets_stored, keyword_hashes, keyword_names, log_entries, subscriptions;
    uint64_t named, named_ids;
    uint64_t hidden, deleted_messages, deleted_size;
    uint64_t receive;
    uint64_t to_recover, deleted_keys; /* records that must have a key 'y', and such keys */
};

/* What was counted of a folder's rows. */
struct verify_folder {
    uint64_t fid;
    uint64_t exists, deleted, size, modseq;
    uint32_t last_uid;
    struct uidset all, unseen;
};

void verify_fault(struct verify *v, const char *format, ...) PRINTF_LIKE(2, 3);
void verify_rows(struct verify *v, struct verify_folder *f);
void verify_folder(struct verify *v, const struct folder_rec *rec);
/* The rows of a FID that is being swept: they refer to things, and count for nothing. */
void verify_doomed(struct verify *v, uint64_t fid);

/* All of one mailbox, in one snapshot. */
void verify_mailbox(struct verify *v);

#endif
