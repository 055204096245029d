#include "gateway/cli/auth_follow.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdlib.h>

enum { TIDY_EVERY = 4096 };

static int order(struct audit_place a, struct audit_place b)
{
    int by_time = (a.time > b.time) - (a.time < b.time);

    return by_time ? by_time : (a.number > b.number) - (a.number < b.number);
}

/* Where the round that sees `newest` would have the next one begin. */
static uint64_t back_from(uint64_t newest)
{
    const uint64_t late = FOLLOW_LATE_S * FILETIME_SECOND;

    return newest > late ? newest - late : 0;
}

/* Forget places before that time: the next round does not come there. */
static void forget(struct follow *f, uint64_t before)
{
    size_t old = 0;

    while (old < f->n_now && f->now[old].time < before)
        old++;
    f->n_now -= old;
    memmove(f->now, f->now + old, f->n_now * sizeof *f->now);
}

bool follow_is_new(struct follow *f, struct audit_place place)
{
    if (f->n_now % TIDY_EVERY == TIDY_EVERY - 1)
        forget(f, back_from(place.time));
    f->now = mem_grow(f->now, f->n_now + 1, sizeof *f->now);
    f->now[f->n_now++] = place;
    while (f->at < f->n_seen && order(f->seen[f->at], place) < 0)
        f->at++;
    return f->at == f->n_seen || order(f->seen[f->at], place) != 0;
}

uint64_t follow_turn(struct follow *f, uint64_t since)
{
    uint64_t next = f->n_now ? back_from(f->now[f->n_now - 1].time) : since;

    next = next > since ? next : since;
    if (f->n_now)
        forget(f, next);
    free(f->seen);
    f->seen = f->now;
    f->n_seen = f->n_now;
    f->now = NULL;
    f->n_now = f->at = 0;
    return next;
}

void follow_done(struct follow *f)
{
    free(f->seen);
    free(f->now);
}
