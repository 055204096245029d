/*
 * store.h - drive the mailbox store from a test: synchronous calls that expect success.
 *
 * A bed owns a directory, a store over it and one open mailbox.
 */
#ifndef GATEPOST_TESTS_SUPPORT_STORE_H
#define GATEPOST_TESTS_SUPPORT_STORE_H

#include "store/store.h"
#include "tests/support/test.h"

struct bed {
    char *dir;
    struct store_config config;
    struct store *store;
    struct mailbox *mb;
    uint64_t mailbox_id;
};

void bed_init(struct bed *bed);
/* With limits of the caller's: dir and create are filled in. */
void bed_init_with(struct bed *bed, const struct store_config *config);
/* Verifies the store, closes it and removes it. */
void bed_done(struct bed *bed);
/* Close and open again. */
void bed_reopen(struct bed *bed);
/* store_verify() finds nothing, and counts so many messages. */
void bed_verify(struct bed *bed);

/* Prepare these bytes. */
struct store_prepared *bed_prepare(struct bed *bed, const char *text);

/* Append one message; its UID, or 0 with the error in *e (NULL: must succeed). */
uint32_t bed_append(struct bed *bed, uint64_t fid, const char *text, uint16_t flags);
/* Append `n` small messages in one request. The first UID. */
uint32_t bed_append_many(struct bed *bed, uint64_t fid, uint32_t n, uint16_t flags);

/* "1:3,7" as a set. */
struct uidset uids(const char *text);
/* The set prints as this. */
void assert_uids(const struct uidset *set, const char *want);

struct err bed_set_flags(struct bed *bed, uint64_t fid, const char *set, enum store_flags_how how,
                         uint16_t flags, const char *keyword);
/* Expunge; the UIDs that went are compared. */
void bed_expunge(struct bed *bed, uint64_t fid, const char *set, const char *want);
void bed_move(struct bed *bed, uint64_t from, uint64_t to, const char *set, const char *want);
void bed_copy(struct bed *bed, uint64_t from, uint64_t to, const char *set, const char *want);

struct err bed_try_create(struct bed *bed, const char *path, enum store_special special,
                          uint64_t *fid);
uint64_t bed_create(struct bed *bed, const char *path);
struct err bed_rename(struct bed *bed, uint64_t fid, const char *path);
struct err bed_delete(struct bed *bed, uint64_t fid);
struct err bed_subscribe(struct bed *bed, const char *path, bool on);

/* The folder of that path; 0 where there is none. */
uint64_t bed_find(struct bed *bed, const char *path);
/* A copy of the folder without its texts. */
struct store_folder bed_folder(struct bed *bed, uint64_t fid);
struct message_row bed_row(struct bed *bed, uint64_t fid, uint32_t uid);
struct store_view *bed_view(struct bed *bed, uint64_t fid);
/* The UIDs of the folder print as this. */
void assert_folder_uids(struct bed *bed, uint64_t fid, const char *want);
void assert_unseen(struct bed *bed, uint64_t fid, const char *want);

#endif
