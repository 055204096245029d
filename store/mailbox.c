/*
 * mailbox.c - opening stores and mailboxes, snapshots, watches, and what concerns a whole mailbox.
 */
#include <openssl/rand.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include "base/waiter.h"
#include "store/engine/engine_lmdb.h"
#include "store/folder_int.h"
#include "store/prepare_int.h"
#include "store/system.h"

/* ---- the store ---- */

enum { POOL_THREADS = 1, FIRST_BUCKETS = 64 };

static struct store_config with_defaults(const struct store_config *config, char *dir)
{
    struct store_config c = *config;

    c.dir = dir;
    if (c.max_log == 0)
        c.max_log = 100000;
    if (c.max_message == 0)
        c.max_message = 64ull * 1024 * 1024;
    if (c.max_message > UINT32_MAX) /* a row has 32 bits for the size */
        c.max_message = UINT32_MAX;
    if (c.max_folders == 0)
        c.max_folders = 100000;
    return c;
}

struct err store_open_engine(const struct store_config *config, struct engine *engine,
                             struct log *log, struct store **out)
{
    struct store *st = mem_new(sizeof *st);
    struct err e = system_open(engine, &st->system);

    if (failed(e)) {
        engine_close(engine);
        free(st);
        return e;
    }
    st->engine = engine;
    st->log = log;
    st->dir = mem_str(config->dir ? config->dir : ".");
    st->config = with_defaults(config, st->dir);
    st->pool = store_pool_new(POOL_THREADS);
    st->prepare = prepare_pool_new();
    st->n_buckets = FIRST_BUCKETS;
    st->buckets = mem_array(st->n_buckets, sizeof *st->buckets);
    pthread_mutex_init(&st->mutex, NULL);
    pthread_cond_init(&st->idle, NULL);
    *out = st;
    mailbox_delete_resume(st);
    return OK;
}

struct err store_open(const struct store_config *config, struct log *log, struct store **out)
{
    struct engine_lmdb_config lmdb = {
        .dir = config->dir, .map_bytes = config->map_bytes, .create = config->create};
    struct engine *engine;
    struct err e = engine_lmdb_open(&lmdb, log, &engine);

    return failed(e) ? e : store_open_engine(config, engine, log, out);
}

void store_suspect(void)
{
    engine_lmdb_suspect();
}

static struct err change_nothing(struct engine_write *w, struct engine_batch *batch)
{
    (void)w, (void)batch;
    return ERR(ERR_CANCELED, "it was only to wait its turn");
}

void store_quiesce(struct store *st)
{
    struct engine_batch batch = {.partition = st->system, .run = change_nothing};

    prepare_pool_wait(st->prepare);
    /* One writer takes batches in the order of submission, so this one is behind all that wait. */
    (void)!failed(system_commit(st->engine, &batch));
}

bool store_is_asked(struct store *st)
{
    return atomic_load(&st->asked) > 0;
}

void store_close(struct store *st)
{
    if (!st)
        return;
    /* Sweeps stop at their next slice; what is left is swept when the mailbox is next opened. */
    atomic_store(&st->closing, true);
    pthread_mutex_lock(&st->mutex);
    while (st->background > 0)
        pthread_cond_wait(&st->idle, &st->mutex);
    pthread_mutex_unlock(&st->mutex);
    prepare_pool_free(st->prepare);
    store_pool_free(st->pool);
    engine_partition_close(st->system);
    engine_close(st->engine);
    pthread_cond_destroy(&st->idle);
    pthread_mutex_destroy(&st->mutex);
    free(st->buckets);
    free(st->dir);
    free(st);
}

const char *store_dir(const struct store *st)
{
    return st->dir;
}

uint64_t store_max_message(const struct store *st)
{
    return st->config.max_message;
}

struct prepare_pool *store_prepare_pool(struct store *st)
{
    return st->prepare;
}

struct engine *store_engine(struct store *st)
{
    return st->engine;
}

/*
 * What is deleted leaves the file as large as it was: its free pages are room as well as those of
 * the disk. They are counted only where the disk has not enough.
 */
static bool is_below_reserve(struct store *st)
{
    struct engine_stats stats;
    struct statvfs fs;

    if (statvfs(st->dir, &fs) != 0)
        return false;
    uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (room >= st->config.reserve_bytes)
        return false;
    return failed(engine_stats(st->engine, &stats)) ||
           room + stats.free_bytes < st->config.reserve_bytes;
}

bool store_low_space(struct store *st)
{
    uint64_t now = clock_now().mono_ms;

    if (st->config.reserve_bytes == 0)
        return false;
    if (now - atomic_load(&st->space_checked_ms) > 1000 ||
        atomic_load(&st->space_checked_ms) == 0) {
        atomic_store(&st->space_checked_ms, now);
        atomic_store(&st->low_space, is_below_reserve(st));
    }
    return atomic_load(&st->low_space);
}

void store_background_begin(struct store *st)
{
    pthread_mutex_lock(&st->mutex);
    st->background++;
    pthread_mutex_unlock(&st->mutex);
}

void store_background_end(struct store *st)
{
    pthread_mutex_lock(&st->mutex);
    if (--st->background == 0)
        pthread_cond_signal(&st->idle);
    pthread_mutex_unlock(&st->mutex);
}

/* ---- the table of open mailboxes, under the store's mutex ---- */

static struct mailbox **bucket_of(struct store *st, uint64_t id)
{
    return &st->buckets[(id * 0x9E3779B97F4A7C15ull >> 32) & (st->n_buckets - 1)];
}

static void grow_table(struct store *st)
{
    struct mailbox **old = st->buckets;
    size_t n = st->n_buckets;

    st->n_buckets *= 2;
    st->buckets = mem_array(st->n_buckets, sizeof *st->buckets);
    for (size_t i = 0; i < n; i++) {
        struct mailbox *next;

        for (struct mailbox *mb = old[i]; mb; mb = next) {
            struct mailbox **bucket = bucket_of(st, mb->id);

            next = mb->next;
            mb->next = *bucket;
            *bucket = mb;
        }
    }
    free(old);
}

static struct mailbox *find_held(struct store *st, uint64_t id)
{
    struct mailbox *mb = *bucket_of(st, id);

    while (mb && mb->id != id)
        mb = mb->next;
    if (mb)
        mb->holds++;
    return mb;
}

/* Take an open partition into the table, or use what another opened meanwhile. */
static struct mailbox *add_mailbox(struct store *st, uint64_t id,
                                   struct engine_partition *partition)
{
    pthread_mutex_lock(&st->mutex);
    struct mailbox *mb = find_held(st, id);

    if (!mb) {
        mb = mem_new(sizeof *mb);
        mb->store = st;
        mb->partition = partition;
        mb->id = id;
        mb->holds = 1;
        pthread_mutex_init(&mb->mutex, NULL);
        partition = NULL;
        if (++st->n_mailboxes > st->n_buckets)
            grow_table(st);
        struct mailbox **bucket = bucket_of(st, id);

        mb->next = *bucket;
        *bucket = mb;
    }
    pthread_mutex_unlock(&st->mutex);
    if (partition)
        engine_partition_close(partition);
    return mb;
}

struct mailbox *mailbox_hold(struct mailbox *mb)
{
    pthread_mutex_lock(&mb->store->mutex);
    mb->holds++;
    pthread_mutex_unlock(&mb->store->mutex);
    return mb;
}

void mailbox_close(struct mailbox *mb)
{
    if (!mb)
        return;
    struct store *st = mb->store;

    pthread_mutex_lock(&st->mutex);
    bool last = --mb->holds == 0;

    if (last) {
        struct mailbox **at = bucket_of(st, mb->id);

        while (*at != mb)
            at = &(*at)->next;
        *at = mb->next;
        st->n_mailboxes--;
    }
    pthread_mutex_unlock(&st->mutex);
    if (!last)
        return;
    engine_partition_close(mb->partition);
    view_cache_free(mb->views);
    keyword_cache_free(mb->keywords);
    recent_claims_free(mb->claims);
    pthread_mutex_destroy(&mb->mutex);
    free(mb);
}

/* ---- making one ---- */

struct first_folder {
    enum store_special special, parent;
    struct slice name, class;
};

/*
 * [MS-OXCSTOR] 2.2.1.1.3 and [MS-OXOSFLD] 2.2.3, under the names that IMAP clients know. Their FIDs
 * are the numbers of their uses.
 */
static const struct first_folder first_folders[] = {
    {SPECIAL_DEFERRED_ACTION, SPECIAL_ROOT, S("Deferred Action"), S("")},
    {SPECIAL_SPOOLER_QUEUE, SPECIAL_ROOT, S("Spooler Queue"), S("")},
    {SPECIAL_IPM_SUBTREE, SPECIAL_ROOT, S("Top of Information Store"), S("IPF.Note")},
    {SPECIAL_INBOX, SPECIAL_IPM_SUBTREE, S("INBOX"), S("IPF.Note")},
    {SPECIAL_OUTBOX, SPECIAL_IPM_SUBTREE, S("Outbox"), S("IPF.Note")},
    {SPECIAL_SENT, SPECIAL_IPM_SUBTREE, S("Sent Items"), S("IPF.Note")},
    {SPECIAL_TRASH, SPECIAL_IPM_SUBTREE, S("Deleted Items"), S("IPF.Note")},
    {SPECIAL_COMMON_VIEWS, SPECIAL_ROOT, S("Common Views"), S("")},
    {SPECIAL_SCHEDULE, SPECIAL_ROOT, S("Schedule"), S("")},
    {SPECIAL_SEARCH, SPECIAL_ROOT, S("Finder"), S("")},
    {SPECIAL_VIEWS, SPECIAL_ROOT, S("Views"), S("")},
    {SPECIAL_SHORTCUTS, SPECIAL_ROOT, S("Shortcuts"), S("")},
    {SPECIAL_DRAFTS, SPECIAL_IPM_SUBTREE, S("Drafts"), S("IPF.Note")},
    {SPECIAL_JUNK, SPECIAL_IPM_SUBTREE, S("Junk Email"), S("IPF.Note")},
    {SPECIAL_ARCHIVE, SPECIAL_IPM_SUBTREE, S("Archive"), S("IPF.Note")},
    {SPECIAL_CALENDAR, SPECIAL_IPM_SUBTREE, S("Calendar"), S("IPF.Appointment")},
    {SPECIAL_CONTACTS, SPECIAL_IPM_SUBTREE, S("Contacts"), S("IPF.Contact")},
    {SPECIAL_TASKS, SPECIAL_IPM_SUBTREE, S("Tasks"), S("IPF.Task")},
    {SPECIAL_NOTES, SPECIAL_IPM_SUBTREE, S("Notes"), S("IPF.StickyNote")},
    {SPECIAL_JOURNAL, SPECIAL_IPM_SUBTREE, S("Journal"), S("IPF.Journal")},
};

static struct err make_root(struct store_tx *tx)
{
    struct key special = key_special(SPECIAL_ROOT);
    struct record value;
    struct folder_rec root = {.fid = SPECIAL_ROOT,
                              .parent = SPECIAL_ROOT,
                              .special = SPECIAL_ROOT,
                              .created = tx->now,
                              .changed = tx->now,
                              .contents_changed = tx->now,
                              .modseq = 1,
                              .cn = SPECIAL_ROOT,
                              .flags_modseq = 1,
                              .gone_modseq = 1,
                              .expunge_floor = 1,
                              .uidnext = 1,
                              .recent_from = 1,
                              .uidvalidity = tx_uidvalidity(tx)};
    struct err e = folder_save(tx, &root);

    u64_value_encode(SPECIAL_ROOT, &value);
    tx->rec.folders++;
    return failed(e) ? e : tx_put(tx, &special, record_slice(&value));
}

static struct err make_folders(struct store_tx *tx)
{
    struct folder_rec parent, made;
    struct err e = make_root(tx);

    for (size_t i = 0; i < sizeof first_folders / sizeof *first_folders && !failed(e); i++) {
        const struct first_folder *f = &first_folders[i];
        struct folder_new new = {
            .fid = f->special, .name = f->name, .class = f->class, .special = f->special};

        e = folder_load(tx->read, f->parent, &parent);
        if (!failed(e))
            e = folder_make(tx, &parent, &new, &made);
    }
    return e;
}

struct err mailbox_create_step(struct store_tx *tx, struct store_op *op)
{
    (void)op;
    if (tx->rec.version != 0)
        return OK;
    tx->rec.version = SCHEMA_VERSION;
    tx->rec.created = tx->now;
    tx->rec.counter = SPECIAL_JOURNAL; /* the FIDs of the first folders */
    tx->changed = true;
    if (RAND_bytes(tx->rec.replica_guid, 16) != 1 || RAND_bytes(tx->rec.mailbox_guid, 16) != 1)
        return ERR(ERR_UNAVAILABLE, "no random bytes");
    return make_folders(tx);
}

/* ---- opening ---- */

static struct err look_at(struct mailbox *mb, bool *exists, bool *to_sweep)
{
    const struct mailbox_rec *rec;
    struct store_read *rd;
    struct err e = store_read_begin(mb, &rd);

    if (failed(e))
        return e;
    e = read_mailbox_rec(rd, &rec);
    *exists = !failed(e);
    *to_sweep = !failed(e) && (rec->doomed > 0 ||
                               recover_is_due(rec, mb->store->config.recover, clock_now().wall));
    if (!failed(e) && rec->state != MAILBOX_LIVE)
        e = ERR(ERR_DENIED, "the mailbox is being deleted");
    store_read_end(rd);
    return e.code == ERR_NOT_FOUND ? OK : e;
}

static void opened(struct store_open_mailbox *rq, struct err e)
{
    struct store *st = rq->store;

    rq->err = e;
    if (failed(e)) {
        mailbox_close(rq->mailbox);
        rq->mailbox = NULL;
    }
    rq->done(rq); /* *rq may be gone now */
    store_answered(st);
}

static void created(struct store_op *op)
{
    struct store_open_mailbox *rq = container_of(op, struct store_open_mailbox, create);

    opened(rq, op->err);
}

static void have_mailbox(struct store_open_mailbox *rq)
{
    bool exists = false, to_sweep = false;
    struct err e = look_at(rq->mailbox, &exists, &to_sweep);

    if (failed(e) || exists) {
        if (to_sweep && !failed(e))
            sweep_start(rq->mailbox);
        opened(rq, e);
        return;
    }
    rq->create = (struct store_op){
        .home = rq->home, .done = created, .step = mailbox_create_step, .needs_space = true};
    store_submit(rq->mailbox, &rq->create);
}

/* It is open already, or can never be. */
static void found_open(struct task *task)
{
    struct store_open_mailbox *rq = container_of(task, struct store_open_mailbox, open.task);

    if (rq->mailbox)
        have_mailbox(rq);
    else
        opened(rq, ERR(ERR_INVALID, "no mailbox has this id"));
}

static void partition_opened(struct engine_open *open)
{
    struct store_open_mailbox *rq = container_of(open, struct store_open_mailbox, open);

    rq->mailbox = NULL;
    if (open->end != ENGINE_DONE) {
        opened(rq, failed(open->err) ? open->err
                                     : ERR(ERR_UNAVAILABLE, "the mailbox cannot be reached now"));
        return;
    }
    rq->mailbox = add_mailbox(rq->store, rq->mailbox_id, open->partition);
    have_mailbox(rq);
}

void store_mailbox_open(struct store *st, struct store_open_mailbox *rq)
{
    store_asked(st);
    rq->store = st;
    rq->err = OK;
    pthread_mutex_lock(&st->mutex);
    rq->mailbox = find_held(st, rq->mailbox_id);
    pthread_mutex_unlock(&st->mutex);
    if (rq->mailbox || rq->mailbox_id <= ENGINE_SYSTEM_PARTITION) {
        rq->open.task = (struct task){.run = found_open};
        executor_post(rq->home, &rq->open.task);
        return;
    }
    rq->open = (struct engine_open){
        .partition_id = rq->mailbox_id, .home = rq->home, .done = partition_opened};
    engine_open_partition(st->engine, &rq->open);
}

static void opened_now(struct store_open_mailbox *rq)
{
    *(bool *)rq->owner = true;
}

struct err store_mailbox_open_now(struct store *st, uint64_t id, struct mailbox **out)
{
    struct waiter waiter;
    bool finished = false;
    struct store_open_mailbox rq = {.mailbox_id = id, .done = opened_now, .owner = &finished};

    waiter_init(&waiter);
    rq.home = &waiter.executor;
    store_mailbox_open(st, &rq);
    while (!finished)
        waiter_run(&waiter, 1);
    waiter_done(&waiter);
    if (!failed(rq.err))
        *out = rq.mailbox;
    return rq.err;
}

/* ---- snapshots ---- */

struct err store_read_begin(struct mailbox *mb, struct store_read **out)
{
    struct engine_read *engine;
    struct err e = engine_read_begin(mb->partition, &engine);

    if (failed(e))
        return e;
    struct store_read *rd = malloc(sizeof *rd);

    if (!rd)
        abort();
    rd->mailbox = mb;
    rd->engine = engine;
    rd->have_rec = false;
    rd->place = (struct message_place){.fid = 0};
    *out = rd;
    return OK;
}

void store_read_end(struct store_read *rd)
{
    if (!rd)
        return;
    engine_read_end(rd->engine);
    free(rd);
}

uint64_t store_read_version(struct store_read *rd)
{
    return engine_read_version(rd->engine);
}

struct err read_mailbox_rec(struct store_read *rd, const struct mailbox_rec **out)
{
    if (!rd->have_rec) {
        struct key key = key_kind(KEY_MAILBOX);
        struct slice value;
        struct err e = engine_get(rd->engine, key_slice(&key), &value);

        if (!failed(e))
            e = mailbox_rec_decode(value, &rd->rec);
        if (failed(e))
            return e;
        rd->have_rec = true;
    }
    *out = &rd->rec;
    return OK;
}

struct err store_mailbox_info(struct store_read *rd, struct mailbox_info *out)
{
    const struct mailbox_rec *rec;
    struct err e = read_mailbox_rec(rd, &rec);

    if (failed(e))
        return e;
    *out = (struct mailbox_info){.counter = rec->counter,
                                 .size = rec->size,
                                 .messages = rec->messages,
                                 .deleted_size = rec->deleted_size,
                                 .deleted_messages = rec->deleted_messages,
                                 .quota = rec->quota,
                                 .created = rec->created};
    memcpy(out->replica_guid, rec->replica_guid, 16);
    memcpy(out->mailbox_guid, rec->mailbox_guid, 16);
    return OK;
}

/* ---- small requests ---- */

static struct err quota_step(struct store_tx *tx, struct store_op *op)
{
    struct store_set_quota *rq = container_of(op, struct store_set_quota, op);

    tx->changed = tx->rec.quota != rq->quota;
    tx->rec.quota = rq->quota;
    return OK;
}

void store_set_quota_init(struct store_set_quota *rq)
{
    *rq = (struct store_set_quota){.op = {.step = quota_step}};
}

static struct err reserve_step(struct store_tx *tx, struct store_op *op)
{
    struct store_reserve_ids *rq = container_of(op, struct store_reserve_ids, op);

    if (rq->n > STORE_RESERVE_MAX)
        return ERR(ERR_LIMIT, "too many ids at once");
    rq->first = tx_take(tx, rq->n);
    return OK;
}

void store_reserve_ids_init(struct store_reserve_ids *rq)
{
    *rq = (struct store_reserve_ids){.op = {.step = reserve_step}};
}

/* ---- watches ---- */

static void watch_changed(struct engine_watch *engine)
{
    struct store_watch *watch = container_of(engine, struct store_watch, engine);

    watch->changed(watch);
}

static void watch_stopped(struct engine_watch *engine)
{
    struct store_watch *watch = container_of(engine, struct store_watch, engine);

    watch->stopped(watch);
}

void store_watch_start(struct mailbox *mb, struct store_watch *watch, struct executor *home)
{
    watch->engine = (struct engine_watch){.home = home, .changed = watch_changed};
    engine_watch_start(mb->partition, &watch->engine);
}

void store_watch_stop(struct store_watch *watch, void (*stopped)(struct store_watch *watch))
{
    watch->stopped = stopped;
    engine_watch_stop(&watch->engine, watch_stopped);
}
