/*
 * crash_load.h - numbered batches whose traces tell how far an engine got before it died.
 *
 * Batch i stores a blob made from i under the key i, and deletes key and blob i - CRASH_KEPT. So
 * after version v the store holds exactly the last CRASH_KEPT of them.
 */
#ifndef GATEPOST_TESTS_SUPPORT_CRASH_LOAD_H
#define GATEPOST_TESTS_SUPPORT_CRASH_LOAD_H

#include "tests/support/engine.h"

enum { CRASH_PARTITION = 5, CRASH_KEPT = 40 };

struct crash_load {
    struct job job; /* first */
    uint64_t i;
    uint8_t *bytes; /* the caller's to free when the job is done */
    struct engine_new_blob blob;
};

/* Submit batch i; to be awaited with job_wait(). */
void crash_submit(struct bench *b, struct engine_partition *p, struct crash_load *load, uint64_t i);

/* The store is sound and holds what some number of batches leaves, `least` to `most`. */
void crash_check(struct bench *b, uint64_t least, uint64_t most);

#endif
