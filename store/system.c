#include "store/system.h"

#include "base/waiter.h"

static void opened(struct engine_open *rq)
{
    (void)rq;
}

struct err partition_open_now(struct engine *engine, uint64_t id, struct engine_partition **out)
{
    struct waiter waiter;
    struct engine_open rq = {.partition_id = id, .done = opened};

    waiter_init(&waiter);
    rq.home = &waiter.executor;
    engine_open_partition(engine, &rq);
    waiter_run(&waiter, 1);
    waiter_done(&waiter);
    if (rq.end != ENGINE_DONE)
        return failed(rq.err) ? rq.err : ERR(ERR_UNAVAILABLE, "a partition cannot be reached now");
    *out = rq.partition;
    return OK;
}

struct err system_open(struct engine *engine, struct engine_partition **out)
{
    return partition_open_now(engine, ENGINE_SYSTEM_PARTITION, out);
}

static void committed(struct engine_batch *batch)
{
    (void)batch;
}

struct err system_commit(struct engine *engine, struct engine_batch *batch)
{
    struct waiter waiter;

    waiter_init(&waiter);
    /* cppcheck-suppress autoVariables ; it lives until the answer is here */
    batch->home = &waiter.executor;
    batch->done = committed;
    engine_submit(engine, batch);
    waiter_run(&waiter, 1);
    waiter_done(&waiter);
    switch (batch->end) {
    case ENGINE_DONE:
        return OK;
    case ENGINE_REFUSED:
        return batch->err;
    case ENGINE_UNAVAILABLE:
        return ERR(ERR_UNAVAILABLE, "system partition is not available");
    case ENGINE_UNKNOWN:
        break;
    }
    return ERR(ERR_UNKNOWN_END, "system partition did not say whether it committed");
}
