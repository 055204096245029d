/* prepare.c - what is derived of a message's bytes, once, before it goes to the writer. */
#include <openssl/evp.h>
#include <pthread.h>

#include "base/mem.h"
#include "store/mapi/columns.h"
#include "store/mapi/oxcmail.h"
#include "store/prepare_int.h"
#include "store/store_int.h"

enum {
    META_VERSION = 2,
    META_WITHOUT_COLUMNS = 1,
    META_HEAD = 1 + 4 * 5, /* version, header_len, lengths of the four parts */
    META_MAX = ENGINE_VALUE_MAX,
    COLUMNS_HEADER = 64 * 1024, /* of a longer one there are none */
};

/* ---- the derived data as bytes ---- */

static void put_u32(struct buf *out, size_t n)
{
    uint8_t bytes[4] = {(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), (uint8_t)(n >> 24)};

    buf_put(out, slice_of(bytes, sizeof bytes));
}

static uint32_t get_u32(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

void message_meta_encode(const struct message_meta *meta, struct buf *out)
{
    buf_putc(out, META_VERSION);
    put_u32(out, meta->header_len);
    put_u32(out, meta->envelope.len);
    put_u32(out, meta->bodystructure.len);
    put_u32(out, meta->body.len);
    put_u32(out, meta->parts.len);
    buf_put(out, meta->envelope);
    buf_put(out, meta->bodystructure);
    buf_put(out, meta->body);
    buf_put(out, meta->parts);
    buf_put(out, meta->columns); /* to the end */
}

/* Cut `len` bytes off the front; false where there are fewer. */
static bool take(struct slice *in, uint32_t len, struct slice *out)
{
    if (len > in->len)
        return false;
    *out = slice_head(*in, len);
    *in = slice_from(*in, len);
    return true;
}

struct err message_meta_decode(struct slice bytes, struct message_meta *out)
{
    if (bytes.len < META_HEAD || bytes.ptr[0] < META_WITHOUT_COLUMNS || bytes.ptr[0] > META_VERSION)
        return ERR(ERR_CORRUPT, "a message's derived data is damaged");
    const uint8_t *head = bytes.ptr + 1;
    struct slice rest = slice_from(bytes, META_HEAD);
    struct message_meta meta = {.header_len = get_u32(head)};
    if (!take(&rest, get_u32(head + 4), &meta.envelope) ||
        !take(&rest, get_u32(head + 8), &meta.bodystructure) ||
        !take(&rest, get_u32(head + 12), &meta.body) ||
        !take(&rest, get_u32(head + 16), &meta.parts) ||
        (bytes.ptr[0] == META_WITHOUT_COLUMNS && rest.len != 0))
        return ERR(ERR_CORRUPT, "a message's derived data is damaged");
    meta.columns = rest;
    *out = meta;
    return OK;
}

/* ---- deriving it ---- */

static void put_columns(struct slice message, const struct mime *mime, struct arena *in,
                        struct buf *out)
{
    struct prop_list derived = {.in = in};
    struct oxcmail mail;

    oxcmail_open(message, mime, in, &mail);
    oxcmail_properties(&mail, &derived);
    columns_encode(&derived, out);
}

/* RFC 3501 6.4.4: SENTON disregards time and zone, so the date is kept as it was written. */
static int64_t sent_of(struct slice header)
{
    struct mime_field date;
    int64_t seconds;
    int zone;

    if (!mime_get_field(header, S("Date"), &date) || !mime_date(date.value, &seconds, &zone))
        return 0;
    return seconds + (int64_t)zone * 60;
}

/* A part that people would call an attachment: not text, or said to be one. */
static bool is_attachment(struct slice message, const struct mime_part *part, struct arena *scratch)
{
    struct slice header = slice_sub(message, (size_t)part->header.start, (size_t)part->header.len);
    struct mime_field field;
    struct mime_token_params disposition;
    struct mime_type type;

    if (part->kind == MIME_MULTIPART)
        return false;
    if (mime_get_field(header, S("Content-Disposition"), &field)) {
        mime_parse_params(field.value, scratch, &disposition);
        if (slice_ieq(disposition.token, S("attachment")))
            return true;
    }
    mime_content_type(header, false, scratch, &type);
    return part->kind == MIME_MESSAGE || !slice_eq(type.type, S("text"));
}

static bool has_attachments(struct slice message, const struct mime *mime, struct arena *scratch)
{
    for (uint32_t i = 0; i < mime->n_parts; i++)
        if (is_attachment(message, &mime->parts[i], scratch))
            return true;
    return false;
}

static struct slice header_of(const struct store_prepared *p, const struct mime *mime)
{
    return slice_head(p->bytes, (size_t)mime->parts[0].header.len);
}

/* What IMAP says of the message. False: it is more than the engine keeps beside a blob. */
static bool describe(struct store_prepared *p, const struct mime_bounds *bounds, struct arena *in,
                     struct mime *out)
{
    struct mime mime;
    struct buf envelope = buf_make(META_MAX), structure = buf_make(META_MAX),
               body = buf_make(META_MAX), parts = buf_make(META_MAX), columns = buf_make(META_MAX);

    mime_parse_within(p->bytes, bounds, in, &mime);
    mime_put_envelope(slice_head(header_of(p, &mime), bounds->header), &envelope);
    mime_put_bodystructure(p->bytes, &mime, 0, true, &structure);
    mime_put_bodystructure(p->bytes, &mime, 0, false, &body);
    mime_encode(&mime, &parts);
    if (mime.parts[0].header.len <= COLUMNS_HEADER) /* what is looked at many times over */
        put_columns(p->bytes, &mime, in, &columns);
    struct message_meta meta = {
        .envelope = buf_slice(&envelope),
        .bodystructure = buf_slice(&structure),
        .body = buf_slice(&body),
        .parts = buf_slice(&parts),
        .columns = buf_slice(&columns),
        .header_len = (uint32_t)mime.parts[0].header.len,
    };
    buf_done(&p->meta);
    p->meta = buf_make(META_MAX);
    message_meta_encode(&meta, &p->meta);
    bool whole =
        !envelope.failed && !structure.failed && !body.failed && !parts.failed && !p->meta.failed;
    buf_done(&envelope);
    buf_done(&structure);
    buf_done(&body);
    buf_done(&parts);
    buf_done(&columns);
    *out = mime;
    return whole;
}

/*
 * No message is refused for what it looks like. One that would take more to describe than there is
 * room for is described less closely: the last bounds fit whatever it is.
 */
static struct err derive(struct store_prepared *p)
{
    static const struct mime_bounds bounds[] = {
        {MIME_MAX_PARTS, MIME_MAX_HEADER}, {1000, 64 * 1024}, {100, 16 * 1024}, {1, 4 * 1024}};
    struct arena arena = ARENA_INIT;
    struct mime mime;
    bool whole = false;

    for (size_t i = 0; i < sizeof bounds / sizeof *bounds && !whole; i++) {
        arena_done(&arena);
        whole = describe(p, &bounds[i], &arena, &mime);
    }
    p->sent = sent_of(header_of(p, &mime));
    p->attachments = has_attachments(p->bytes, &mime, &arena);
    arena_done(&arena);
    return whole ? OK : ERR(ERR_TOO_BIG, "a message's structure is too large");
}

struct err store_prepare(struct store *st, struct store_spool *spool, struct store_prepared **out)
{
    struct store_prepared *p = mem_new(sizeof *p);
    struct err e;

    (void)st;
    p->references = 1;
    p->spool = spool;
    e = store_spool_bytes(spool, &p->bytes);
    if (!failed(e) && p->bytes.len > UINT32_MAX)
        e = ERR(ERR_TOO_BIG, "a message has at most 4 GiB");
    if (!failed(e) && EVP_Digest(p->bytes.ptr ? p->bytes.ptr : (const uint8_t *)"", p->bytes.len,
                                 p->hash, NULL, EVP_sha256(), NULL) != 1)
        e = ERR(ERR_IO, "the hash of a message could not be made");
    if (!failed(e))
        e = derive(p);
    if (failed(e)) {
        store_prepared_free(p);
        return e;
    }
    *out = p;
    return OK;
}

struct err store_prepare_bytes(struct store *st, struct slice head, struct slice bytes,
                               struct store_prepared **out)
{
    struct store_spool *spool = store_spool_new(st);
    struct err e = store_spool_put(spool, head);

    if (!failed(e))
        e = store_spool_put(spool, bytes);
    if (failed(e)) {
        store_spool_free(spool);
        return e;
    }
    return store_prepare(st, spool, out);
}

struct store_prepared *store_prepared_hold(struct store_prepared *p)
{
    __atomic_add_fetch(&p->references, 1, __ATOMIC_RELAXED);
    return p;
}

void store_prepared_free(struct store_prepared *p)
{
    if (!p || __atomic_sub_fetch(&p->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    store_spool_free(p->spool);
    buf_done(&p->meta);
    free(p);
}

uint64_t store_prepared_size(const struct store_prepared *p)
{
    return p->bytes.len;
}

const uint8_t *store_prepared_hash(const struct store_prepared *p)
{
    return p->hash;
}

/* ---- off the caller's thread ---- */

struct prepare_pool {
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    pthread_cond_t idle; /* nothing waits and nothing is being worked at */
    pthread_t thread;
    bool started, stopping, working;
    struct store_job *first, **end;
};

struct prepare_pool *prepare_pool_new(void)
{
    struct prepare_pool *pool = mem_new(sizeof *pool);

    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->filled, NULL);
    pthread_cond_init(&pool->idle, NULL);
    pool->end = &pool->first;
    return pool;
}

static void tell_done(struct task *task)
{
    struct store_prepare_op *op = container_of(task, struct store_prepare_op, task);
    struct store *st = op->store;

    op->done(op); /* *op may be gone now */
    store_answered(st);
}

static void answer(struct store_prepare_op *op)
{
    op->task.run = tell_done;
    executor_post(op->home, &op->task);
}

static void refuse(struct store_prepare_op *op, struct err e)
{
    store_spool_free(op->spool);
    op->spool = NULL;
    op->err = e;
    answer(op);
}

/* The next one, or NULL when the pool stops. */
static struct store_job *next_job(struct prepare_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    while (!pool->first && !pool->stopping)
        pthread_cond_wait(&pool->filled, &pool->mutex);
    struct store_job *job = pool->stopping ? NULL : pool->first;
    if (job) {
        pool->first = job->next;
        if (!pool->first)
            pool->end = &pool->first;
        pool->working = true;
    }
    pthread_mutex_unlock(&pool->mutex);
    return job;
}

/* The answer to the last one has been posted. */
static void rest(struct prepare_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    pool->working = false;
    if (!pool->first)
        pthread_cond_broadcast(&pool->idle);
    pthread_mutex_unlock(&pool->mutex);
}

void prepare_pool_wait(struct prepare_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    while (pool->first || pool->working)
        pthread_cond_wait(&pool->idle, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
}

static void *work(void *arg)
{
    struct prepare_pool *pool = arg;

    for (struct store_job *job; (job = next_job(pool));) {
        job->run(job, false); /* *job may be gone now */
        rest(pool);
    }
    return NULL;
}

bool prepare_pool_post(struct prepare_pool *pool, struct store_job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&pool->mutex);
    if (!pool->started)
        pool->started = pthread_create(&pool->thread, NULL, work, pool) == 0;
    bool accepted = pool->started && !pool->stopping;
    if (accepted) {
        *pool->end = job;
        pool->end = &job->next;
        pthread_cond_signal(&pool->filled);
    }
    pthread_mutex_unlock(&pool->mutex);
    return accepted;
}

static void prepare_there(struct store_job *job, bool stopping)
{
    struct store_prepare_op *op = container_of(job, struct store_prepare_op, job);
    struct store_spool *spool = op->spool;

    if (stopping) {
        refuse(op, ERR(ERR_CANCELED, "the store was closed"));
        return;
    }
    op->spool = NULL;
    op->err = store_prepare(op->store, spool, &op->prepared);
    answer(op);
}

void store_prepare_async(struct store *st, struct store_prepare_op *op)
{
    store_asked(st);
    op->store = st;
    op->prepared = NULL;
    op->err = OK;
    op->job.run = prepare_there;
    if (!prepare_pool_post(store_prepare_pool(st), &op->job))
        refuse(op, ERR(ERR_UNAVAILABLE, "no thread to prepare a message on"));
}

void prepare_pool_free(struct prepare_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->mutex);
    pool->stopping = true;
    pthread_cond_signal(&pool->filled);
    pthread_mutex_unlock(&pool->mutex);
    if (pool->started)
        pthread_join(pool->thread, NULL);
    for (struct store_job *job = pool->first, *next; job; job = next) {
        next = job->next;
        job->run(job, true);
    }
    pthread_cond_destroy(&pool->filled);
    pthread_cond_destroy(&pool->idle);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}
