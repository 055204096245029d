/*
 * op.c - from a request to a batch of the engine, and back.
 *
 * A request that may be long works in steps of bounded size: each step is a batch of its own, and
 * the next is submitted when the one before it is durable, so that others get their turn between.
 */
#include "base/waiter.h"
#include "store/prepare_int.h"
#include "store/store_int.h"

#include <stdlib.h>

/* ---- inside a batch ---- */

uint64_t tx_take(struct store_tx *tx, uint64_t n)
{
    uint64_t first = tx->rec.counter + 1;

    tx->rec.counter += n;
    tx->changed = true;
    return first;
}

struct err tx_put(struct store_tx *tx, const struct key *key, struct slice value)
{
    return engine_put(tx->w, key_slice(key), value);
}

struct err tx_delete(struct store_tx *tx, const struct key *key)
{
    struct err e = engine_delete(tx->w, key_slice(key));

    return e.code == ERR_NOT_FOUND ? ERR(ERR_CORRUPT, "a key that must exist is missing") : e;
}

struct err tx_delete_any(struct store_tx *tx, const struct key *key)
{
    struct err e = engine_delete(tx->w, key_slice(key));

    return e.code == ERR_NOT_FOUND ? OK : e;
}

struct err tx_get(struct store_tx *tx, const struct key *key, struct slice *value)
{
    return engine_get(tx->read, key_slice(key), value);
}

struct err tx_check_quota(const struct store_tx *tx, uint64_t bytes)
{
    if (tx->rec.quota != 0 &&
        (tx->rec.size > tx->rec.quota || bytes > tx->rec.quota - tx->rec.size))
        return ERR(ERR_QUOTA, "the mailbox would be over its quota");
    return OK;
}

static struct err load_rec(struct store_tx *tx, bool creating)
{
    struct key key = key_kind(KEY_MAILBOX);
    struct slice value;
    struct err e = tx_get(tx, &key, &value);

    if (e.code == ERR_NOT_FOUND && creating)
        return OK;
    if (failed(e))
        return e.code == ERR_NOT_FOUND ? ERR(ERR_NOT_FOUND, "there is no such mailbox") : e;
    return mailbox_rec_decode(value, &tx->rec);
}

static struct err save_rec(struct store_tx *tx)
{
    struct key key = key_kind(KEY_MAILBOX);
    struct record record;

    if (tx->rec.counter > COUNTER_MAX)
        return ERR(ERR_LIMIT, "the mailbox's counter is used up");
    mailbox_rec_encode(&tx->rec, &record);
    return tx_put(tx, &key, record_slice(&record));
}

static struct err run_batch(struct engine_write *w, struct engine_batch *batch)
{
    struct store_op *op = container_of(batch, struct store_op, batch);
    struct store_tx tx = {
        .w = w, .read = engine_write_read(w), .mailbox = op->mailbox, .now = clock_now().wall};

    op->more = false;
    op->ran = true;
    tx.cursor = engine_cursor_open(tx.read);
    struct err e = load_rec(&tx, op->step == mailbox_create_step);

    if (!failed(e) && tx.rec.state != MAILBOX_LIVE)
        e = ERR(ERR_NOT_FOUND, "the mailbox is being deleted");
    if (!failed(e))
        e = op->step(&tx, op);
    if (!failed(e) && tx.changed)
        e = log_trim(&tx);
    if (!failed(e) && tx.changed)
        e = save_rec(&tx);
    op->modseq = tx.rec.counter;
    /* Whoever repeats the step by its id learns that there is another behind it. */
    batch->answer[0] = op->more;
    batch->answer_len = 1;
    engine_cursor_close(tx.cursor);
    return e;
}

/* ---- around it ---- */

/* The store's own sweeps are no requests: store_close() sees to them. */
static bool is_request(const struct store_op *op)
{
    return op->home != store_pool_executor(op->mailbox->store->pool);
}

static void finish(struct store_op *op, struct err e)
{
    struct mailbox *mb = op->mailbox;
    struct store *st = is_request(op) ? mb->store : NULL;

    free(op->blobs);
    op->blobs = NULL;
    op->err = e;
    if (op->cleanup)
        op->cleanup(op);
    op->done(op); /* *op may be gone now */
    mailbox_close(mb);
    if (st)
        store_answered(st);
}

static struct err err_of_end(const struct engine_batch *batch)
{
    switch (batch->end) {
    case ENGINE_DONE:
        return OK;
    case ENGINE_REFUSED:
        return failed(batch->err) ? batch->err : ERR(ERR_IO, "refused without a reason");
    case ENGINE_UNAVAILABLE:
        return ERR(ERR_UNAVAILABLE, "the mailbox cannot be reached now");
    case ENGINE_UNKNOWN:
        break;
    }
    return ERR(ERR_UNKNOWN_END, "the change may or may not have been made");
}

static void submit_batch(struct store_op *op);

static void batch_done(struct engine_batch *batch)
{
    struct store_op *op = container_of(batch, struct store_op, batch);
    struct err e = err_of_end(batch);

    if (!failed(e)) {
        if (batch->repeated)
            op->more = batch->answer_len > 0 && batch->answer[0];
        op->batches++;
        op->repeated |= !op->ran;
        if (op->settle)
            op->settle(op);
        if (op->more) {
            submit_batch(op);
            return;
        }
    }
    finish(op, e);
}

static bool has_id(const struct store_op *op)
{
    static const uint8_t none[ENGINE_ID_LEN];

    return memcmp(op->id, none, sizeof none) != 0;
}

static void submit_batch(struct store_op *op)
{
    op->batch = (struct engine_batch){.partition = op->mailbox->partition,
                                      .blobs = op->blobs,
                                      .n_blobs = op->n_blobs,
                                      .run = run_batch,
                                      .home = op->home,
                                      .done = batch_done};
    op->ran = false;
    if (has_id(op) && !op->sliced) {
        /* Each step has an id of its own, which a repeated request arrives at again. */
        memcpy(op->batch.id, op->id, sizeof op->id);
        put_le32(op->batch.id, get_le32(op->batch.id) ^ op->batches);
    }
    engine_submit(op->mailbox->store->engine, &op->batch);
}

static void on_refused(struct task *task)
{
    struct store_op *op = container_of(task, struct store_op, batch.task);

    finish(op, op->err);
}

static void refuse_later(struct store_op *op, struct err e)
{
    op->err = e;
    op->batch.task = (struct task){.run = on_refused};
    executor_post(op->home, &op->batch.task);
}

static void prepare_there(struct store_job *job, bool stopping)
{
    struct store_op *op = container_of(job, struct store_op, job);

    if (stopping) {
        refuse_later(op, ERR(ERR_CANCELED, "the store was closed"));
        return;
    }
    op->prepare(op);
    submit_batch(op);
}

/* False: it is little, or there is no other thread to do it on. */
static bool is_prepared_elsewhere(struct store_op *op)
{
    if (!op->weigh || op->weigh(op) <= STORE_PREPARE_INLINE)
        return false;
    op->job.run = prepare_there;
    return prepare_pool_post(store_prepare_pool(op->mailbox->store), &op->job);
}

void store_submit(struct mailbox *mb, struct store_op *op)
{
    op->mailbox = mailbox_hold(mb);
    if (is_request(op))
        store_asked(mb->store);
    op->err = OK;
    op->batches = 0;
    op->more = op->repeated = false;
    if (op->needs_space && store_low_space(mb->store)) {
        refuse_later(op, ERR(ERR_NO_SPACE, "less is left on the disk than the reserve"));
        return;
    }
    if (is_prepared_elsewhere(op))
        return;
    if (op->prepare)
        op->prepare(op);
    submit_batch(op);
}

struct run_now {
    struct waiter waiter;
    bool finished;
};

static void run_now_done(struct store_op *op)
{
    struct run_now *run = op->owner;

    run->finished = true;
}

struct err store_run(struct mailbox *mb, struct store_op *op)
{
    struct run_now run = {.finished = false};
    void *owner = op->owner;

    waiter_init(&run.waiter);
    /* cppcheck-suppress autoVariables ; it lives until the answer is here */
    op->home = &run.waiter.executor;
    op->done = run_now_done;
    op->owner = &run;
    store_submit(mb, op);
    while (!run.finished)
        waiter_run(&run.waiter, 1);
    waiter_done(&run.waiter);
    op->owner = owner;
    return op->err;
}
