/*
 * recent.c - which messages nobody has been told of yet (RFC 3501 2.3.2).
 *
 * The folder's record says from which UID on. A claim holds at once among all who have the mailbox
 * open, and is written behind them: no SELECT waits for the disk to know what is \Recent to it, and
 * no two sessions are told of the same message.
 */
#include "store/folder_int.h"

/* Kept while the mailbox is open: a snapshot may be older than what was written. */
struct recent_claim {
    uint64_t fid;
    uint32_t to;
    struct recent_claim *next;
};

/* Under mb->mutex; NULL: nobody claimed anything of the folder. */
static struct recent_claim *find_claim(struct mailbox *mb, uint64_t fid)
{
    struct recent_claim *claim = mb->claims;

    while (claim && claim->fid != fid)
        claim = claim->next;
    return claim;
}

static uint32_t recent_from(const struct recent_claim *claim, const struct store_folder *folder)
{
    return claim && claim->to > folder->recent_from ? claim->to : folder->recent_from;
}

uint32_t store_recent_from(struct mailbox *mb, const struct store_folder *folder)
{
    pthread_mutex_lock(&mb->mutex);
    uint32_t from = recent_from(find_claim(mb, folder->fid), folder);
    pthread_mutex_unlock(&mb->mutex);
    return from;
}

bool store_recent_take(struct mailbox *mb, const struct store_folder *folder, uint32_t *from)
{
    pthread_mutex_lock(&mb->mutex);
    struct recent_claim *claim = find_claim(mb, folder->fid);

    *from = recent_from(claim, folder);
    bool any = *from < folder->uidnext;
    if (any && !claim) {
        claim = mem_new(sizeof *claim);
        claim->fid = folder->fid;
        claim->next = mb->claims;
        mb->claims = claim;
    }
    if (any)
        claim->to = folder->uidnext;
    pthread_mutex_unlock(&mb->mutex);
    return any;
}

void recent_claims_free(struct recent_claim *claim)
{
    while (claim) {
        struct recent_claim *next = claim->next;

        free(claim);
        claim = next;
    }
}

static struct err claim_step(struct store_tx *tx, struct store_op *op)
{
    struct store_claim_recent *rq = container_of(op, struct store_claim_recent, op);
    struct folder_rec folder;
    struct err e = folder_load_open(tx, rq->fid, &folder);

    if (failed(e))
        return e;
    rq->from = folder.recent_from;
    if (rq->to > folder.uidnext)
        rq->to = folder.uidnext;
    if (rq->from >= rq->to)
        return OK;
    folder.recent_from = rq->to;
    return folder_save(tx, &folder);
}

void store_claim_recent_init(struct store_claim_recent *rq)
{
    *rq = (struct store_claim_recent){.op = {.step = claim_step}, .to = UINT32_MAX};
}
