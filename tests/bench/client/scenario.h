/*
 * scenario.h - what a load generator does over and over: one operation, and whether it was answered
 * rightly.
 */
#ifndef GATEPOST_BENCH_SCENARIO_H
#define GATEPOST_BENCH_SCENARIO_H

#include "tests/bench/client/client.h"

struct totals {
    uint64_t operations, items, bytes, errors;
};

struct scenario {
    const char *name;
    bool (*start)(struct conn *c);
    bool (*operate)(struct conn *c, struct totals *t);
};

/* Those of MAPI; the last has no name. */
extern const struct scenario mapi_scenarios[];

/* Log on and open opt.box; save one message there. */
bool mapi_saver_begin(struct conn *c);
bool mapi_save_one(struct conn *c);

/* A session that waits for news, and stays: its socket, or -1. */
int mapi_hold(struct conn *c);

#endif
