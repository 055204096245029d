/*
 * mapi.h - drive ROPs from a test: a context of alice's over a real store, without HTTP.
 *
 *     struct mapi_bed *bed = mapi_bed_new();
 *     mapi_bed_logon(bed);                                  // handle table: [0] is the logon
 *     mapi_ask(bed, ROP_OpenFolder, 0, 1, &(struct rop_open_folder){.folder = bed->inbox});
 *     mapi_run(bed);                                        // one Execute with all that was asked
 *     assert_int_equal(mapi_reply(bed, 0)->error, EC_SUCCESS);
 *     const struct rop_open_folder_reply *r = mapi_reply(bed, 0)->fields;
 *
 * Requests are put and responses read by the codec's tables, which have tests of their own against
 * bytes made by hand.
 */
#ifndef GATEPOST_TESTS_SUPPORT_MAPI_H
#define GATEPOST_TESTS_SUPPORT_MAPI_H

#include "protocols/mapi/execute.h"
#include "tests/support/session_fixture.h"

enum { BED_HANDLES = 32, BED_REPLIES = 256 };

struct mapi_bed {
    struct fixture *fx;
    struct mapi *mapi;
    struct mapi_context *context;
    struct mailbox *mailbox;          /* alice's */
    uint32_t handles[BED_HANDLES];    /* the table, sent and taken over with every run */
    uint64_t folders[ROP_FOLDER_IDS]; /* of the log-on, as on the wire */
    uint64_t inbox;                   /* the same of the Inbox */
    uint8_t logon;                    /* the LogonId of what is asked; 0 at first */
    uint32_t max_out;                 /* 0x8008 at first */
    struct rop_numbers columns;       /* of the rows in what is read */
    struct buf ask;                   /* ROPs that were asked */
    struct log *log;                  /* where Executes tell of them; NULL at first */
    /* of the last run */
    uint32_t status, ec;
    struct arena arena;
    struct rop_response replies[BED_REPLIES];
    size_t n;
    struct slice rest; /* what stood behind them: RopNotify, RopPending, RopBufferTooSmall */
    struct slice payload;
};

struct mapi_bed *mapi_bed_new(void);
/* The same with a store of this configuration. */
struct mapi_bed *mapi_bed_new_with(const struct store_config *config);
void mapi_bed_free(struct mapi_bed *bed);

/* RopLogon to the own mailbox into handles[0]; fills folders and inbox. */
void mapi_bed_logon(struct mapi_bed *bed);

/* Add a ROP: `in` and `out` are indexes of the table (of heads with one index `in` is it). */
void mapi_ask(struct mapi_bed *bed, uint8_t rop, uint8_t in, uint8_t out, const void *fields);
/* The same as bytes. */
void mapi_ask_bytes(struct mapi_bed *bed, struct slice rop);

/* One Execute; reads its responses. Fails the test where StatusCode or ErrorCode is not 0. */
void mapi_run(struct mapi_bed *bed);
/* The same, whatever comes of it: see status and ec. */
void mapi_try(struct mapi_bed *bed);
/* One Execute of what was asked; of its answer only the handles are read. */
void mapi_send_all(struct mapi_bed *bed);
/* An Execute with this RopBuffer; nothing of its answer is read but status, ec and payload. */
void mapi_try_bytes(struct mapi_bed *bed, struct slice rop_buffer);

const struct rop_response *mapi_reply(const struct mapi_bed *bed, size_t i);

/* mapi_ask() alone, mapi_run(): the error, and its reply's fields in *reply (NULL: not wanted). */
uint32_t mapi_do(struct mapi_bed *bed, uint8_t rop, uint8_t in, uint8_t out, const void *fields,
                 const void **reply);

/* Put mail into alice's Inbox; its MID as on the wire. */
uint64_t mapi_bed_deliver(struct mapi_bed *bed, const char *message);

#endif
