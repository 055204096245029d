/*
 * backoff.c - who guesses must wait; who knows his secret need not.
 *
 * Wrong secrets are counted for the client's address, for the name, and for the pair of them; the
 * counts halve every ten minutes.
 *
 *   address   after ten it waits: 2 s, 4 s, ... up to five minutes, whatever name it tries
 *   pair      after five wrong secrets for one name the same, for that name from that address
 *   name      more than twenty, from anywhere: it is under attack, and a pair waits after its
 *             first wrong secret, not its fifth
 *
 * So a name that is sprayed from a thousand addresses still lets its owner in: an address without
 * a wrong secret of its own never waits because of a name. An address from which the name logged
 * on rightly before does not wait for what others at that address do (an office behind NAT). The
 * same wrong secret sent again, by a phone that was not told of the new one, counts once.
 *
 * Memory is bounded: the entry that was unused longest goes. Secrets are kept as keyed hashes only,
 * and so are names until somebody must wait for them. What is counted can be written down and taken
 * over by the next process, so the key is the server's own; hashes of secrets are never written,
 * for a wrong secret is often nearly the right one.
 */
#include "auth/auth_int.h"
#include "base/crc32c.h"
#include "base/mem.h"

enum {
    ADDRESS_FREE = 10,
    PAIR_FREE = 5,
    PAIR_FREE_UNDER_ATTACK = 1,
    NAME_ATTACKED = 20,
    HALF_LIFE_MS = 10 * 60 * 1000,
    MAX_WAIT_MS = 5 * 60 * 1000,
    ONE = 1000, /* of a count, which has three decimals */
    RECENT = 8,
    KEY = 16,
};

static const uint64_t good_for_ms = 30ull * 24 * 3600 * 1000;

enum counted { OF_ADDRESS, OF_NAME, OF_PAIR };

struct entry {
    uint8_t key[KEY];
    enum counted of;
    struct auth_place place;     /* but of a name */
    uint8_t name_key[KEY];       /* but of an address */
    char *name;                  /* as it is shown; NULL until it is of interest */
    struct entry *chain;         /* in its bucket */
    struct entry *newer, *older; /* by use */
    uint64_t count, counted_ms;
    uint64_t until_ms; /* refused before */
    uint64_t good_ms;  /* of a known-good pair: when last */
    uint64_t recent[RECENT];
    unsigned next_recent;
};

struct table {
    struct entry **buckets;
    size_t n_buckets, n, max;
    struct entry *newest, *oldest;
};

struct backoff {
    pthread_mutex_t mutex;
    uint8_t key[32];
    struct table failures; /* addresses, names, pairs */
    struct table good;     /* pairs, apart: a storm of failures does not push them out */
    uint64_t changes;
};

/* ---- a bounded table that forgets what was unused longest ---- */

static void table_init(struct table *t, size_t max)
{
    /* One failure uses three entries at once; none of them may push out another. */
    *t = (struct table){.n_buckets = 64, .max = max < 4 ? 4 : max};
    while (t->n_buckets < max)
        t->n_buckets *= 2;
    t->buckets = mem_array(t->n_buckets, sizeof *t->buckets);
}

static void entry_free(struct entry *e)
{
    free(e->name);
    free(e);
}

static void table_done(struct table *t)
{
    while (t->oldest) {
        struct entry *e = t->oldest;

        t->oldest = e->newer;
        entry_free(e);
    }
    free(t->buckets);
}

/* Keys are keyed hashes: nobody can choose them to share a bucket. */
static struct entry **bucket(struct table *t, const uint8_t key[KEY])
{
    uint64_t index;

    memcpy(&index, key, sizeof index);
    return &t->buckets[index & (t->n_buckets - 1)];
}

static void unlink_use(struct table *t, struct entry *e)
{
    *(e->newer ? &e->newer->older : &t->newest) = e->older;
    *(e->older ? &e->older->newer : &t->oldest) = e->newer;
}

static void link_newest(struct table *t, struct entry *e)
{
    e->newer = NULL;
    e->older = t->newest;
    *(t->newest ? &t->newest->newer : &t->oldest) = e;
    t->newest = e;
}

static struct entry *table_find(struct table *t, const uint8_t key[KEY])
{
    struct entry *e = *bucket(t, key);

    while (e && memcmp(e->key, key, KEY) != 0)
        e = e->chain;
    return e;
}

static void drop(struct table *t, struct entry *e)
{
    struct entry **at = bucket(t, e->key);

    while (*at != e)
        at = &(*at)->chain;
    *at = e->chain;
    unlink_use(t, e);
    entry_free(e);
    t->n--;
}

/* The entry of a key, made where there is none; now the newest. */
static struct entry *table_use(struct table *t, const uint8_t key[KEY])
{
    struct entry *e = table_find(t, key);

    if (e) {
        unlink_use(t, e);
    } else {
        if (t->n >= t->max)
            drop(t, t->oldest);
        e = mem_new(sizeof *e);
        memcpy(e->key, key, KEY);
        e->chain = *bucket(t, key);
        *bucket(t, key) = e;
        t->n++;
    }
    link_newest(t, e);
    return e;
}

/* ---- counts ---- */

/* Halve once per half-life; within one, in a straight line. */
static void decay(struct entry *e, uint64_t now_ms)
{
    uint64_t age = now_ms > e->counted_ms ? now_ms - e->counted_ms : 0;
    uint64_t halves = age / HALF_LIFE_MS, rest = age % HALF_LIFE_MS;

    e->count = halves > 40 ? 0 : e->count >> halves;
    e->count -= e->count * rest / (2 * (uint64_t)HALF_LIFE_MS);
    e->counted_ms = now_ms;
}

static void count_one(struct entry *e, uint64_t now_ms)
{
    decay(e, now_ms);
    e->count += ONE;
}

/* From `allowed` wrong secrets on, the wait doubles with each. */
static void set_wait(struct entry *e, uint64_t allowed, uint64_t now_ms)
{
    uint64_t over = e->count / ONE;

    if (over < allowed)
        return;
    over -= allowed;
    uint64_t wait = over >= 8 ? MAX_WAIT_MS : (uint64_t)2000 << over;
    e->until_ms = now_ms + (wait < MAX_WAIT_MS ? wait : MAX_WAIT_MS);
}

/* True where this secret was among the last ones; remembers it. */
static bool seen_before(struct entry *e, uint64_t secret)
{
    for (size_t i = 0; i < RECENT; i++)
        if (secret && e->recent[i] == secret)
            return true;
    e->recent[e->next_recent++ % RECENT] = secret;
    return false;
}

/* ---- keys ---- */

struct keys {
    uint8_t address[32], name[32], pair[32];
};

static struct keys keys_of(const struct backoff *b, struct auth_place place, struct slice name)
{
    struct slice where = slice_of(place.bytes, sizeof place.bytes);
    struct keys k;

    auth_hmac(b->key, (const struct slice[]){S("address"), where}, 2, k.address);
    auth_hmac(b->key, (const struct slice[]){S("name"), name}, 2, k.name);
    auth_hmac(b->key, (const struct slice[]){S("pair"), where, name}, 3, k.pair);
    return k;
}

static uint64_t secret_hash(const struct backoff *b, struct slice name, struct slice secret)
{
    uint8_t hash[32];
    uint64_t out;

    if (secret.len == 0)
        return 0;
    auth_hmac(b->key, (const struct slice[]){S("secret"), name, secret}, 3, hash);
    memcpy(&out, hash, sizeof out);
    return out ? out : 1;
}

/* ---- entries of the three kinds ---- */

static struct entry *use_address(struct backoff *b, const struct keys *k, struct auth_place place)
{
    struct entry *e = table_use(&b->failures, k->address);

    e->of = OF_ADDRESS;
    e->place = place;
    return e;
}

static struct entry *use_name(struct backoff *b, const struct keys *k)
{
    struct entry *e = table_use(&b->failures, k->name);

    e->of = OF_NAME;
    memcpy(e->name_key, k->name, KEY);
    return e;
}

static struct entry *use_pair(struct backoff *b, const struct keys *k, struct auth_place place)
{
    struct entry *e = table_use(&b->failures, k->pair);

    e->of = OF_PAIR;
    e->place = place;
    memcpy(e->name_key, k->name, KEY);
    return e;
}

static void keep_name(struct entry *e, struct slice name)
{
    if (!e->name)
        e->name = mem_slice_str(slice_head(name, NAME_MAX_CANONICAL));
}

/* ---- what the header promises ---- */

struct backoff *backoff_new(size_t max_entries, const uint8_t server_secret[32])
{
    struct backoff *b = mem_new(sizeof *b);

    pthread_mutex_init(&b->mutex, NULL);
    auth_hmac(server_secret, (const struct slice[]){S("back-off")}, 1, b->key);
    table_init(&b->failures, max_entries);
    table_init(&b->good, max_entries);
    return b;
}

void backoff_free(struct backoff *backoff)
{
    if (!backoff)
        return;
    table_done(&backoff->failures);
    table_done(&backoff->good);
    pthread_mutex_destroy(&backoff->mutex);
    mem_wipe(backoff, sizeof *backoff);
    free(backoff);
}

static bool waits(struct table *t, const uint8_t key[KEY], uint64_t now_ms)
{
    const struct entry *e = table_find(t, key);

    return e && e->until_ms > now_ms;
}

bool backoff_refuses(struct backoff *backoff, struct auth_place place, struct slice name,
                     uint64_t now_ms)
{
    struct keys k = keys_of(backoff, place, name);

    pthread_mutex_lock(&backoff->mutex);
    const struct entry *good = table_find(&backoff->good, k.pair);
    bool known_good = good && now_ms - good->good_ms < good_for_ms;
    bool refused = waits(&backoff->failures, k.pair, now_ms) ||
                   (!known_good && waits(&backoff->failures, k.address, now_ms));
    pthread_mutex_unlock(&backoff->mutex);
    return refused;
}

void backoff_failed(struct backoff *backoff, struct auth_place place, struct slice name,
                    struct slice secret, uint64_t now_ms)
{
    struct keys k = keys_of(backoff, place, name);
    uint64_t hash = secret_hash(backoff, name, secret);

    pthread_mutex_lock(&backoff->mutex);
    backoff->changes++;
    struct entry *pair = use_pair(backoff, &k, place);
    if (!seen_before(pair, hash)) {
        struct entry *all = use_name(backoff, &k);
        struct entry *address = use_address(backoff, &k, place);

        if (!seen_before(all, hash))
            count_one(all, now_ms);
        bool attacked = all->count / ONE > NAME_ATTACKED;
        count_one(pair, now_ms);
        set_wait(pair, attacked ? PAIR_FREE_UNDER_ATTACK : PAIR_FREE, now_ms);
        if (pair->until_ms > now_ms)
            keep_name(pair, name);
        if (attacked)
            keep_name(all, name);
        count_one(address, now_ms);
        set_wait(address, ADDRESS_FREE, now_ms);
    }
    pthread_mutex_unlock(&backoff->mutex);
}

void backoff_succeeded(struct backoff *backoff, struct auth_place place, struct slice name,
                       uint64_t now_ms)
{
    struct keys k = keys_of(backoff, place, name);

    pthread_mutex_lock(&backoff->mutex);
    backoff->changes++;
    table_use(&backoff->good, k.pair)->good_ms = now_ms;
    struct entry *pair = table_find(&backoff->failures, k.pair);
    if (pair)
        pair->count = pair->until_ms = 0;
    pthread_mutex_unlock(&backoff->mutex);
}

/* ---- seen and lifted ---- */

static bool is_attacked(const struct entry *e, uint64_t now_ms)
{
    struct entry now = *e;

    decay(&now, now_ms);
    return e->of == OF_NAME && now.count / ONE > NAME_ATTACKED;
}

static void tell(const struct entry *e, uint64_t now_ms,
                 void (*each)(void *ctx, const struct auth_throttled *one), void *ctx)
{
    char address[64] = "";
    struct entry now = *e;

    decay(&now, now_ms);
    if (e->of != OF_NAME)
        place_put(e->place, address);
    each(ctx, &(struct auth_throttled){
                  .address = slice_str(address),
                  .name = slice_str(e->name),
                  .failures = (now.count + ONE / 2) / ONE,
                  .wait_ms = e->until_ms > now_ms ? e->until_ms - now_ms : 0,
              });
}

void backoff_each(struct backoff *backoff, uint64_t now_ms,
                  void (*each)(void *ctx, const struct auth_throttled *one), void *ctx)
{
    pthread_mutex_lock(&backoff->mutex);
    for (const struct entry *e = backoff->failures.newest; e; e = e->older)
        if (e->until_ms > now_ms || is_attacked(e, now_ms))
            tell(e, now_ms, each, ctx);
    pthread_mutex_unlock(&backoff->mutex);
}

size_t backoff_lift(struct backoff *backoff, const struct auth_place *place,
                    const struct slice *name, uint64_t now_ms)
{
    uint8_t name_key[32] = {0};
    size_t n = 0;

    if (name)
        auth_hmac(backoff->key, (const struct slice[]){S("name"), *name}, 2, name_key);
    pthread_mutex_lock(&backoff->mutex);
    backoff->changes++;
    for (struct entry *e = backoff->failures.newest, *older; e; e = older) {
        older = e->older;
        if (place && (e->of == OF_NAME || memcmp(&e->place, place, sizeof *place) != 0))
            continue;
        if (name && (e->of == OF_ADDRESS || memcmp(e->name_key, name_key, KEY) != 0))
            continue;
        n += e->until_ms > now_ms || is_attacked(e, now_ms);
        drop(&backoff->failures, e);
    }
    pthread_mutex_unlock(&backoff->mutex);
    return n;
}

/* ---- written down, and taken over ----
 *
 * A head and one row for each entry, the oldest first; numbers are big-endian. Times are ages: the
 * clock of another process is another.
 *
 *   head     "GPBO", form u8, when it was written (FILETIME) u64, rows u32
 *   failure  kind u8, key[16], place, name key[16], count u64, wait left u64, name u16 + bytes
 *   good     'g', key[16], age u64
 *   end      CRC-32C of all that u32
 */

enum { SAVED_FORM = 1, SAVED_HEAD = 4 + 1 + 8 + 4, SAVED_CRC = 4, WORTH_KEEPING = ONE / 4 };

static const char kinds[] = {[OF_ADDRESS] = 'a', [OF_NAME] = 'n', [OF_PAIR] = 'p'};

static void put_number(struct buf *out, uint64_t n, unsigned bytes)
{
    while (bytes-- > 0)
        buf_putc(out, (uint8_t)(n >> (8 * bytes)));
}

static bool put_failure(struct buf *out, const struct entry *e, uint64_t now_ms)
{
    struct entry now = *e;
    struct slice name = slice_str(e->name);
    uint64_t wait = e->until_ms > now_ms ? e->until_ms - now_ms : 0;

    decay(&now, now_ms);
    if (now.count < WORTH_KEEPING && wait == 0)
        return false;
    buf_putc(out, (uint8_t)kinds[e->of]);
    buf_put(out, slice_of(e->key, KEY));
    buf_put(out, slice_of(e->place.bytes, sizeof e->place.bytes));
    buf_put(out, slice_of(e->name_key, KEY));
    put_number(out, now.count, 8);
    put_number(out, wait, 8);
    put_number(out, name.len, 2);
    buf_put(out, name);
    return true;
}

static bool put_good(struct buf *out, const struct entry *e, uint64_t now_ms)
{
    uint64_t age = now_ms - e->good_ms;

    if (age >= good_for_ms)
        return false;
    buf_putc(out, 'g');
    buf_put(out, slice_of(e->key, KEY));
    put_number(out, age, 8);
    return true;
}

static uint32_t put_table(struct buf *out, const struct table *t, uint64_t now_ms,
                          bool (*put)(struct buf *out, const struct entry *e, uint64_t now_ms))
{
    uint32_t n = 0;

    for (const struct entry *e = t->oldest; e; e = e->newer)
        n += put(out, e, now_ms);
    return n;
}

void backoff_save(struct backoff *backoff, struct clock now, struct buf *out)
{
    struct buf rows = buf_make(out->max);
    uint32_t n;

    pthread_mutex_lock(&backoff->mutex);
    n = put_table(&rows, &backoff->failures, now.mono_ms, put_failure);
    n += put_table(&rows, &backoff->good, now.mono_ms, put_good);
    pthread_mutex_unlock(&backoff->mutex);
    buf_puts(out, "GPBO");
    buf_putc(out, SAVED_FORM);
    put_number(out, now.wall, 8);
    put_number(out, n, 4);
    buf_put(out, buf_slice(&rows));
    put_number(out, crc32c(0, buf_slice(out)), 4);
    if (rows.failed)
        out->failed = true;
    buf_done(&rows);
}

static uint64_t take_number(struct slice *from, unsigned bytes)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < bytes && i < from->len; i++)
        n = n << 8 | from->ptr[i];
    *from = slice_from(*from, bytes);
    return n;
}

/* False: there are not so many. */
static bool take_bytes(struct slice *from, size_t n, struct slice *out)
{
    if (from->len < n)
        return false;
    *out = slice_head(*from, n);
    *from = slice_from(*from, n);
    return true;
}

/* So much time went by since it was written. */
struct taking {
    struct backoff *backoff;
    uint64_t now_ms, gone_ms;
};

static bool take_failure(const struct taking *t, enum counted of, struct slice *from)
{
    struct slice key, place, name_key, name;

    if (!take_bytes(from, KEY, &key) ||
        !take_bytes(from, sizeof((struct auth_place *)NULL)->bytes, &place) ||
        !take_bytes(from, KEY, &name_key) || from->len < 8 + 8 + 2)
        return false;
    struct entry read = {.count = take_number(from, 8)};
    uint64_t wait = take_number(from, 8);
    if (!take_bytes(from, (size_t)take_number(from, 2), &name))
        return false;
    decay(&read, t->gone_ms);
    struct entry *e = table_use(&t->backoff->failures, key.ptr);
    e->of = of;
    memcpy(e->place.bytes, place.ptr, place.len);
    memcpy(e->name_key, name_key.ptr, KEY);
    e->count = read.count;
    e->counted_ms = t->now_ms;
    e->until_ms = wait > t->gone_ms ? t->now_ms + (wait - t->gone_ms) : 0;
    if (name.len)
        keep_name(e, name);
    return true;
}

static bool take_good(const struct taking *t, struct slice *from)
{
    struct slice key;

    if (!take_bytes(from, KEY, &key) || from->len < 8)
        return false;
    uint64_t age = take_number(from, 8) + t->gone_ms;
    if (age < good_for_ms) /* it may be older than the clock: ages are taken modulo 2^64 */
        table_use(&t->backoff->good, key.ptr)->good_ms = t->now_ms - age;
    return true;
}

static bool take_row(const struct taking *t, struct slice *from)
{
    char kind = (char)take_number(from, 1);

    if (kind == 'g')
        return take_good(t, from);
    for (size_t of = 0; of < sizeof kinds; of++)
        if (kinds[of] == kind)
            return take_failure(t, (enum counted)of, from);
    return false;
}

struct err backoff_load(struct backoff *backoff, struct clock now, struct slice saved)
{
    struct slice rest = slice_from(saved, 4);
    bool good = saved.len >= SAVED_HEAD + SAVED_CRC && slice_starts(saved, S("GPBO"));

    if (good) {
        struct slice end = slice_from(saved, saved.len - SAVED_CRC);

        good = crc32c(0, slice_head(saved, saved.len - SAVED_CRC)) == take_number(&end, 4) &&
               take_number(&rest, 1) == SAVED_FORM;
    }
    if (!good)
        return ERR(ERR_INVALID, "the penalties that were written down are damaged");
    uint64_t written = take_number(&rest, 8), n = take_number(&rest, 4);
    struct taking t = {backoff, now.mono_ms,
                       now.wall > written ? (now.wall - written) / (FILETIME_SECOND / 1000) : 0};
    rest = slice_head(rest, rest.len - SAVED_CRC);
    pthread_mutex_lock(&backoff->mutex);
    while (good && n-- > 0)
        good = take_row(&t, &rest);
    pthread_mutex_unlock(&backoff->mutex);
    return good ? OK : ERR(ERR_INVALID, "the penalties that were written down are not whole");
}

uint64_t backoff_changes(struct backoff *backoff)
{
    pthread_mutex_lock(&backoff->mutex);
    uint64_t changes = backoff->changes;
    pthread_mutex_unlock(&backoff->mutex);
    return changes;
}
