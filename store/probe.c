/* probe.c - is this store alive? Asked by operators, answered by taking the whole way to the disk.
 */
#include "store/store_int.h"
#include "store/system.h"

static struct err run_nothing(struct engine_write *w, struct engine_batch *batch)
{
    (void)w, (void)batch;
    return OK;
}

struct err store_probe(struct store *st, uint64_t deadline_ms)
{
    struct engine_batch batch = {
        .partition = st->system,
        .run = run_nothing,
        .deadline_ms = deadline_ms,
    };
    struct err e = system_commit(st->engine, &batch);

    if (!failed(e) && store_low_space(st))
        return ERR(ERR_NO_SPACE, "less is left on the disk than the reserve");
    return e;
}
