/*
 * mids.c - lists of MIDs as bytes: runs of them, as pairs of varints. The first is how far the run
 * begins from the end of the one before it, forwards (even) or backwards (odd); the second is its
 * length less one.
 */
#include "base/varint.h"
#include "store/store_int.h"

static void end_run(struct mid_runs *runs)
{
    int64_t step = (int64_t)(runs->first - runs->end);

    if (runs->n == 0)
        return;
    varint_put(&runs->bytes, (uint64_t)step << 1 ^ (step < 0 ? UINT64_MAX : 0));
    varint_put(&runs->bytes, runs->n - 1);
    runs->end = runs->first + runs->n;
    runs->n = 0;
}

struct mid_runs mid_runs_make(void)
{
    return (struct mid_runs){.bytes = buf_make(SIZE_MAX)};
}

void mid_runs_add(struct mid_runs *runs, uint64_t mid)
{
    if (runs->n == 0 || mid != runs->first + runs->n) {
        end_run(runs);
        runs->first = mid;
    }
    runs->n++;
}

struct slice mid_runs_end(struct mid_runs *runs)
{
    end_run(runs);
    return buf_slice(&runs->bytes);
}

void mid_runs_done(struct mid_runs *runs)
{
    buf_done(&runs->bytes);
}

struct store_mid_walk store_mid_walk(struct slice mids)
{
    return (struct store_mid_walk){.rest = mids};
}

bool store_mid_walk_next(struct store_mid_walk *walk, uint64_t *mid)
{
    uint64_t step, more;

    if (walk->left == 0) {
        if (walk->rest.len == 0 || walk->malformed)
            return false;
        walk->malformed = !varint_take(&walk->rest, &step) || !varint_take(&walk->rest, &more) ||
                          more > COUNTER_MAX;
        if (walk->malformed)
            return false;
        walk->next += step >> 1 ^ -(step & 1);
        walk->left = more + 1;
    }
    walk->left--;
    *mid = walk->next++;
    return true;
}

bool mids_are_sound(struct slice mids, uint64_t counter, uint64_t *n)
{
    struct store_mid_walk walk = store_mid_walk(mids);
    uint64_t mid;

    for (*n = 0; store_mid_walk_next(&walk, &mid); ++*n)
        if (mid == 0 || mid > counter)
            return false;
    return !walk.malformed;
}
