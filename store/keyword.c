/*
 * keyword.c - keywords of messages: each combination in use is kept once, rows hold its number.
 *
 * Names are compared without regard to the case of ASCII letters, and written as they were first
 * seen in the mailbox. A set's number is never used again, so what is known of one in memory
 * stays true; the numbers of references let sets go that no row has any more.
 */
#include "base/crc32c.h"
#include "store/store_int.h"

#include <openssl/sha.h>
#include <stdlib.h>

/* ---- sets as bytes: checksum u32, references u32, names (u8 length, bytes) in order ---- */

struct err keyword_set_decode(struct slice value, uint32_t *references, struct slice *names,
                              size_t *n)
{
    size_t count = 0;

    if (value.len < 8 || get_le32(value.ptr) != crc32c(0, slice_from(value, 4)))
        return ERR(ERR_CORRUPT, "keyword set: checksum");
    uint32_t refs = get_le32(value.ptr + 4);

    for (struct slice left = slice_from(value, 8); left.len > 0; count++) {
        size_t len = left.ptr[0];

        if (len == 0 || len >= left.len || count == KEYWORDS_PER_MESSAGE)
            return ERR(ERR_CORRUPT, "keyword set: malformed");
        names[count] = slice_sub(left, 1, len);
        left = slice_from(left, 1 + len);
    }
    *references = refs;
    *n = count;
    return OK;
}

static void set_encode(uint32_t references, const struct slice *names, size_t n, struct buf *out)
{
    uint8_t head[8];
    uint8_t *p = NULL;

    put_le32(head + 4, references);
    buf_put(out, slice_of(head, 8));
    for (size_t i = 0; i < n; i++) {
        buf_putc(out, (uint8_t)names[i].len);
        buf_put(out, names[i]);
    }
    p = out->data + out->head;
    put_le32(p, crc32c(0, slice_from(buf_slice(out), 4)));
}

static void set_hash(const struct slice *names, size_t n, uint8_t hash[32])
{
    uint8_t bytes[KEYWORDS_PER_MESSAGE * (KEYWORD_MAX_BYTES + 1)], *p = bytes;

    for (size_t i = 0; i < n; i++) {
        *p++ = (uint8_t)names[i].len;
        for (size_t k = 0; k < names[i].len; k++)
            *p++ = ascii_lower(names[i].ptr[k]);
    }
    SHA256(bytes, (size_t)(p - bytes), hash);
}

/* ---- lists of names ---- */

static int name_order(struct slice a, struct slice b)
{
    for (size_t i = 0; i < a.len && i < b.len; i++) {
        uint8_t x = ascii_lower(a.ptr[i]), y = ascii_lower(b.ptr[i]);

        if (x != y)
            return x < y ? -1 : 1;
    }
    return (a.len > b.len) - (a.len < b.len);
}

struct err keyword_names_check(const struct slice *names, size_t n)
{
    if (n > KEYWORDS_PER_MESSAGE)
        return ERR(ERR_LIMIT, "too many keywords for one message");
    for (size_t i = 0; i < n; i++) {
        if (names[i].len == 0)
            return ERR(ERR_INVALID, "empty keyword");
        if (names[i].len > KEYWORD_MAX_BYTES)
            return ERR(ERR_TOO_BIG, "keyword too long");
        for (size_t k = 0; k < names[i].len; k++)
            if (names[i].ptr[k] < 0x20 || names[i].ptr[k] == 0x7F)
                return ERR(ERR_INVALID, "control character in a keyword");
    }
    return OK;
}

/* A list in order without doubles; bounded, so it lives on the stack. */
struct name_list {
    struct slice names[KEYWORDS_PER_MESSAGE];
    size_t n;
};

static size_t list_find(const struct name_list *list, struct slice name, bool *there)
{
    size_t i = 0;

    while (i < list->n && name_order(list->names[i], name) < 0)
        i++;
    *there = i < list->n && name_order(list->names[i], name) == 0;
    return i;
}

static struct err list_add(struct name_list *list, struct slice name)
{
    bool there;
    size_t i = list_find(list, name, &there);

    if (there)
        return OK;
    if (list->n == KEYWORDS_PER_MESSAGE)
        return ERR(ERR_LIMIT, "too many keywords for one message");
    memmove(list->names + i + 1, list->names + i, (list->n - i) * sizeof *list->names);
    list->names[i] = name;
    list->n++;
    return OK;
}

static void list_remove(struct name_list *list, struct slice name)
{
    bool there;
    size_t i = list_find(list, name, &there);

    if (!there)
        return;
    list->n--;
    memmove(list->names + i, list->names + i + 1, (list->n - i) * sizeof *list->names);
}

/* ---- writing ---- */

static struct err note_name(struct store_tx *tx, struct slice name)
{
    struct key key = key_keyword_name(name);
    struct slice value;
    struct err e = tx_get(tx, &key, &value);

    if (e.code != ERR_NOT_FOUND)
        return e;
    if (tx->rec.keywords >= KEYWORDS_PER_MAILBOX)
        return ERR(ERR_LIMIT, "too many keywords in the mailbox");
    tx->rec.keywords++;
    tx->changed = true;
    return tx_put(tx, &key, name);
}

/* The names as they were first seen, in `in`. */
static struct err first_seen(struct store_tx *tx, struct name_list *list, struct arena *in)
{
    for (size_t i = 0; i < list->n; i++) {
        struct slice value;
        struct err e = note_name(tx, list->names[i]);

        if (failed(e))
            return e;
        struct key key = key_keyword_name(list->names[i]);

        e = tx_get(tx, &key, &value);
        if (failed(e))
            return e;
        list->names[i] = arena_slice(in, value);
    }
    return OK;
}

static struct err write_set(struct store_tx *tx, uint32_t id, uint32_t references,
                            const struct slice *names, size_t n)
{
    struct buf value = buf_make(SIZE_MAX);
    struct key key = key_keyword_set(id);

    set_encode(references, names, n, &value);
    struct err e = tx_put(tx, &key, buf_slice(&value));

    buf_done(&value);
    return e;
}

/* The number of this combination, which is made where there is none. */
static struct err intern(struct store_tx *tx, struct name_list *list, uint32_t *id)
{
    uint8_t hash[32];
    struct slice value;
    struct record number;
    struct arena arena = ARENA_INIT;

    if (list->n == 0) {
        *id = 0;
        return OK;
    }
    set_hash(list->names, list->n, hash);
    struct key key = key_keyword_hash(hash);
    struct err e = tx_get(tx, &key, &value);

    if (!failed(e))
        return u32_value_decode(value, id);
    if (e.code != ERR_NOT_FOUND)
        return e;
    if (tx->rec.next_keyword_set == UINT32_MAX)
        return ERR(ERR_LIMIT, "out of numbers for keyword sets");
    *id = ++tx->rec.next_keyword_set;
    tx->changed = true;
    u32_value_encode(*id, &number);
    e = first_seen(tx, list, &arena);
    if (!failed(e))
        e = tx_put(tx, &key, record_slice(&number));
    if (!failed(e))
        e = write_set(tx, *id, 0, list->names, list->n);
    arena_done(&arena);
    return e;
}

/* The names of a set, copied to `in`, for a put would end them. */
static struct err load_list(struct store_tx *tx, uint32_t id, struct arena *in, uint32_t *refs,
                            struct name_list *list)
{
    struct key key = key_keyword_set(id);
    struct slice value;
    struct err e = tx_get(tx, &key, &value);

    if (failed(e))
        return e.code == ERR_NOT_FOUND ? ERR(ERR_CORRUPT, "a row's keyword set is missing") : e;
    return keyword_set_decode(arena_slice(in, value), refs, list->names, &list->n);
}

static struct err work_out(struct store_tx *tx, const struct keyword_change *change, uint32_t from,
                           uint32_t *to)
{
    struct arena arena = ARENA_INIT;
    struct name_list list = {.n = 0};
    uint32_t refs;
    struct err e = OK;

    if (from != 0 && change->how != FLAGS_REPLACE)
        e = load_list(tx, from, &arena, &refs, &list);
    for (size_t i = 0; i < change->n && !failed(e); i++) {
        if (change->how == FLAGS_REMOVE)
            list_remove(&list, change->names[i]);
        else
            e = list_add(&list, change->names[i]);
    }
    if (!failed(e))
        e = intern(tx, &list, to);
    arena_done(&arena);
    return e;
}

static struct err find_known(struct store_tx *tx, struct keyword_change *change, uint32_t from,
                             size_t *at)
{
    uint32_t to = from;

    for (size_t i = change->n_known; i-- > 0;) {
        if (change->known[i].from == from) {
            *at = i;
            return OK;
        }
    }
    /* Adding and removing nothing leaves every set as it is. */
    if (change->n > 0 || change->how == FLAGS_REPLACE) {
        struct err e = work_out(tx, change, from, &to);

        if (failed(e))
            return e;
    }
    if (change->n_known == change->cap_known) {
        change->cap_known = change->cap_known ? change->cap_known * 2 : 8;
        change->known = mem_grow(change->known, change->cap_known, sizeof *change->known);
    }
    *at = change->n_known++;
    change->known[*at].from = from;
    change->known[*at].to = to;
    return OK;
}

struct err keyword_change_find(struct store_tx *tx, struct keyword_change *change, uint32_t from,
                               uint32_t *to)
{
    size_t i = 0;
    struct err e = find_known(tx, change, from, &i);

    if (!failed(e))
        *to = change->known[i].to;
    return e;
}

static struct err drop_set(struct store_tx *tx, uint32_t id, const struct name_list *list)
{
    uint8_t hash[32];

    set_hash(list->names, list->n, hash);
    struct key by_hash = key_keyword_hash(hash), key = key_keyword_set(id);
    struct err e = tx_delete(tx, &by_hash);

    return failed(e) ? e : tx_delete(tx, &key);
}

/* `by` rows more (or fewer) have the set; one that no row has any more goes. */
static struct err refer(struct store_tx *tx, uint32_t id, int64_t by)
{
    struct arena arena = ARENA_INIT;
    struct name_list list;
    uint32_t refs;
    struct err e = load_list(tx, id, &arena, &refs, &list);

    if (!failed(e) && (int64_t)refs + by < 0)
        e = ERR(ERR_CORRUPT, "a keyword set has fewer references than rows");
    else if (!failed(e) && (int64_t)refs + by == 0)
        e = drop_set(tx, id, &list);
    else if (!failed(e) && by != 0)
        e = write_set(tx, id, (uint32_t)((int64_t)refs + by), list.names, list.n);
    arena_done(&arena);
    return e;
}

void keyword_counts_add(struct keyword_counts *counts, uint32_t id, int64_t by)
{
    if (id == 0)
        return;
    for (size_t i = counts->n; i-- > 0;) {
        if (counts->all[i].id == id) {
            counts->all[i].by += by;
            return;
        }
    }
    if (counts->n == counts->cap) {
        counts->cap = counts->cap ? counts->cap * 2 : 8;
        counts->all = mem_grow(counts->all, counts->cap, sizeof *counts->all);
    }
    counts->all[counts->n].id = id;
    counts->all[counts->n++].by = by;
}

struct err keyword_counts_write(struct store_tx *tx, const struct keyword_counts *counts)
{
    struct err e = OK;

    for (size_t i = 0; i < counts->n && !failed(e); i++)
        e = refer(tx, counts->all[i].id, counts->all[i].by);
    return e;
}

void keyword_counts_done(struct keyword_counts *counts)
{
    free(counts->all);
    *counts = (struct keyword_counts){NULL, 0, 0};
}

void keyword_change_done(struct keyword_change *change)
{
    free(change->known);
    change->known = NULL;
    change->n_known = change->cap_known = 0;
}

/* ---- reading ---- */

struct cached_set {
    struct cached_set *next;
    uint32_t id;
    struct keyword_set set;
    struct arena arena;
};

enum { CACHE_BUCKETS = 256 };

struct keyword_cache {
    struct cached_set *buckets[CACHE_BUCKETS];
};

void keyword_cache_free(struct keyword_cache *cache)
{
    for (size_t i = 0; cache && i < CACHE_BUCKETS; i++) {
        struct cached_set *next;

        for (struct cached_set *c = cache->buckets[i]; c; c = next) {
            next = c->next;
            arena_done(&c->arena);
            free(c);
        }
    }
    free(cache);
}

static struct cached_set *cache_find(struct keyword_cache *cache, uint32_t id)
{
    struct cached_set *c = cache ? cache->buckets[id % CACHE_BUCKETS] : NULL;

    while (c && c->id != id)
        c = c->next;
    return c;
}

static struct err load_cached(struct store_read *rd, uint32_t id, struct cached_set **out)
{
    struct slice names[KEYWORDS_PER_MESSAGE], value, *copies;
    struct key key = key_keyword_set(id);
    uint32_t refs;
    size_t n;
    struct err e = engine_get(rd->engine, key_slice(&key), &value);

    if (e.code == ERR_NOT_FOUND)
        return ERR(ERR_CORRUPT, "a row's keyword set is missing");
    if (!failed(e))
        e = keyword_set_decode(value, &refs, names, &n);
    if (failed(e))
        return e;
    struct cached_set *c = mem_new(sizeof *c);

    copies = arena_array(&c->arena, n ? n : 1, sizeof *copies);
    for (size_t i = 0; i < n; i++)
        copies[i] = arena_slice(&c->arena, names[i]);
    c->id = id;
    c->set = (struct keyword_set){(uint32_t)n, copies};
    *out = c;
    return OK;
}

struct err store_keywords(struct store_read *rd, uint32_t keyword_set,
                          const struct keyword_set **out)
{
    static const struct keyword_set none = {0, NULL};
    struct mailbox *mb = rd->mailbox;
    struct cached_set *c;
    struct err e = OK;

    if (keyword_set == 0) {
        *out = &none;
        return OK;
    }
    pthread_mutex_lock(&mb->mutex);
    if (!mb->keywords)
        mb->keywords = mem_new(sizeof *mb->keywords);
    c = cache_find(mb->keywords, keyword_set);
    if (!c) {
        e = load_cached(rd, keyword_set, &c);
        if (!failed(e)) {
            c->next = mb->keywords->buckets[keyword_set % CACHE_BUCKETS];
            mb->keywords->buckets[keyword_set % CACHE_BUCKETS] = c;
        }
    }
    pthread_mutex_unlock(&mb->mutex);
    if (!failed(e))
        *out = &c->set;
    return e;
}

struct err store_all_keywords(struct store_read *rd, struct arena *in, struct slice **out,
                              size_t *n)
{
    struct engine_cursor *cursor = engine_cursor_open(rd->engine);
    struct key from = key_kind(KEY_KEYWORD_NAME);
    struct slice key, value, *names = NULL;
    size_t count = 0, room = 0;
    struct err e = engine_seek(cursor, key_slice(&from), &key, &value);

    while (!failed(e) && key_is_kind(key, KEY_KEYWORD_NAME)) {
        if (count == room) {
            room = room ? room * 2 : 16;
            names = arena_grow(in, names, count, room - count, sizeof *names);
        }
        names[count++] = arena_slice(in, value);
        e = engine_next(cursor, &key, &value);
    }
    engine_cursor_close(cursor);
    if (failed(e) && e.code != ERR_NOT_FOUND)
        return e;
    *out = names;
    *n = count;
    return OK;
}
