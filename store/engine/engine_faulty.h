/*
 * engine_faulty.h - an engine for tests that ends requests in every way the seam allows.
 *
 * It stands over another engine, which does the work, and stalls, refuses, loses or mislabels what
 * it is told to: by a script (the next requests in turn), and otherwise at random, by rates and a
 * seed. The decisions are taken in the order of submission, so one seed gives one course of events
 * where the submissions come in one order.
 *
 * What remains promised: batches of a partition are committed in the order of submission; what
 * ends as done is done, what ends as refused or unavailable is not; reads are true, or fail with
 * ERR_UNAVAILABLE. A notification may get lost; the next one tells more.
 *
 * Threads    As engine.h, and the functions here on any thread. One thread of its own.
 */
#ifndef GATEPOST_STORE_ENGINE_ENGINE_FAULTY_H
#define GATEPOST_STORE_ENGINE_ENGINE_FAULTY_H

#include "store/engine/engine.h"

enum fault_kind {
    FAULT_NONE,
    FAULT_UNAVAILABLE,  /* not tried */
    FAULT_REFUSED,      /* not tried, and refused with `code` (0: ERR_NO_SPACE) */
    FAULT_UNKNOWN_DONE, /* done, and told as unknown */
    FAULT_UNKNOWN_LOST, /* not tried, and told as unknown */
    FAULT_DISOWNED,     /* not tried: the partition is lost, see engine_faulty_disown() */
};

struct fault {
    enum fault_kind kind;
    enum err_code code;
    uint32_t stall_ms; /* it and all behind it wait so long before they are tried */
    uint32_t late_ms;  /* its answer waits so long */
};

/* Rates are in thousandths of the requests; of the notifications for `watch_lost`. */
struct fault_rates {
    uint32_t unavailable, refused, unknown_done, unknown_lost, disowned;
    uint32_t stalled, late;
    uint32_t most_ms; /* of a stall and of a late answer */
    uint32_t watch_lost;
};

/* Takes `inner` over: engine_close() closes both. Without any faults to begin with. */
struct err engine_faulty_new(struct engine *inner, uint64_t seed, struct engine **out) MUST_USE;

void engine_faulty_rates(struct engine *engine, const struct fault_rates *rates);

/* What happens to the next `n` requests (opens, batches, fetches), before rates count again. */
void engine_faulty_script(struct engine *engine, const struct fault *faults, size_t n);

/*
 * The partition belongs to somebody else now: reads of it and batches fail as unavailable, and its
 * watches are called. Opening it anew, or engine_faulty_own(), gets it back.
 */
void engine_faulty_disown(struct engine *engine, uint64_t partition_id);
void engine_faulty_own(struct engine *engine, uint64_t partition_id);

#endif
