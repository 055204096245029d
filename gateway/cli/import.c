/*
 * import.c - gatepost import USER PATH… [--folder F]
 *
 * Can be repeated and resumed: a message whose bytes the folder has already is passed over, as
 * often as it has them. Two copies in the source become two in the folder, once.
 */
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/mailfile.h"
#include "store/account.h"

const struct cli_option cli_import_options[] = {{"--folder", true}, {NULL, false}};

enum { GROUP_MESSAGES = 64, GROUP_BYTES = 4 * 1024 * 1024, SNAPSHOT_ROWS = 4096 };

/* How often a folder has a message: by the first bytes of its hash, which are as good as random. */
struct seen_entry {
    uint8_t hash[16];
    bool used;
    uint32_t count; /* occurrences that no message of the source has been matched with */
};

struct seen {
    struct seen_entry *slots;
    size_t used, size; /* a power of two */
};

struct target {
    struct target *next;
    char *path;
    uint64_t fid;
    struct seen seen;
};

struct import {
    const struct cli *cli;
    struct store *store;
    struct mailbox *mailbox;
    const char *folder; /* --folder */
    struct target *targets;
    /* what waits to be appended, all to one folder */
    struct target *group_target;
    struct store_new_message group[GROUP_MESSAGES];
    struct arena group_arena;
    size_t n_group, group_bytes;
    /* figures */
    uint64_t done, passed, failed, read_bytes, all_bytes;
    bool show_progress;
    bool broken;
};

/* ---- what a folder has ---- */

static struct seen_entry *slot_of(const struct seen *seen, const uint8_t *hash)
{
    size_t at;

    memcpy(&at, hash, sizeof at);
    for (at &= seen->size - 1; seen->slots[at].used; at = (at + 1) & (seen->size - 1))
        if (memcmp(seen->slots[at].hash, hash, sizeof seen->slots[at].hash) == 0)
            break;
    return &seen->slots[at];
}

static void seen_grow(struct seen *seen)
{
    struct seen old = *seen;

    seen->size = old.size ? old.size * 2 : 1024;
    seen->slots = mem_array(seen->size, sizeof *seen->slots);
    for (size_t i = 0; i < old.size; i++)
        if (old.slots[i].used)
            *slot_of(seen, old.slots[i].hash) = old.slots[i];
    free(old.slots);
}

static void seen_add(struct seen *seen, const uint8_t *hash)
{
    if (seen->used * 2 >= seen->size)
        seen_grow(seen);
    struct seen_entry *slot = slot_of(seen, hash);
    if (!slot->used) {
        memcpy(slot->hash, hash, sizeof slot->hash);
        slot->used = true;
        seen->used++;
    }
    slot->count++;
}

/* Take one occurrence; false where there is none left. */
static bool seen_take(struct seen *seen, const uint8_t *hash)
{
    struct seen_entry *slot = seen->size ? slot_of(seen, hash) : NULL;

    if (!slot || slot->count == 0)
        return false;
    slot->count--;
    return true;
}

static struct err note_row(struct store_read *rd, struct seen *seen, const struct message_row *row)
{
    uint8_t hash[ENGINE_HASH_LEN];
    struct err e = store_message_hash(rd, row, hash);

    if (!failed(e))
        seen_add(seen, hash);
    return e;
}

/* The rows from *from on, of one snapshot; ERR_NOT_FOUND when that was all. */
static struct err note_some(struct import *im, struct target *t, uint32_t *from)
{
    struct store_read *rd;
    const struct message_row *row;
    struct err e = store_read_begin(im->mailbox, &rd);

    if (failed(e))
        return e;
    struct store_rows *rows = store_rows_open(rd, t->fid, *from);
    for (unsigned n = 0; n < SNAPSHOT_ROWS && !failed(e); n++) {
        e = store_rows_next(rows, &row);
        if (!failed(e)) {
            *from = row->uid + 1;
            e = note_row(rd, &t->seen, row);
        }
    }
    store_rows_close(rows);
    store_read_end(rd);
    return e;
}

/* The daemon may be writing, so no snapshot is held long. */
static struct err note_folder(struct import *im, struct target *t)
{
    uint32_t from = 1;
    struct err e = OK;

    while (!failed(e))
        e = note_some(im, t, &from);
    return e.code == ERR_NOT_FOUND ? OK : e;
}

/* ---- folders ---- */

static struct err find_folder(struct import *im, struct slice path, uint64_t *fid)
{
    struct store_read *rd;
    struct store_folder folder;
    struct err e = store_read_begin(im->mailbox, &rd);

    if (failed(e))
        return e;
    e = store_folder_find(rd, path, &folder);
    if (!failed(e))
        *fid = folder.fid;
    store_read_end(rd);
    return e;
}

static struct err make_folder(struct import *im, struct slice path, uint64_t *fid)
{
    struct store_folder_create rq;
    struct err e = find_folder(im, path, fid);

    if (e.code != ERR_NOT_FOUND)
        return e;
    store_folder_create_init(&rq);
    rq.path = path;
    e = store_run(im->mailbox, &rq.op);
    if (!failed(e))
        *fid = rq.fid;
    return e.code == ERR_EXISTS ? find_folder(im, path, fid) : e;
}

/* Where a message goes that lies in `below` of what is imported; folders of an INBOX beside it. */
static char *path_of(const struct import *im, const char *below)
{
    bool beside = strcmp(im->folder, "INBOX") == 0 && below[0];
    struct buf path = buf_make(16384);

    buf_puts(&path, beside ? "" : im->folder);
    buf_puts(&path, below[0] && !beside ? "/" : "");
    buf_puts(&path, below);
    char *text = mem_slice_str(buf_slice(&path));
    buf_done(&path);
    return text;
}

static struct target *target_of(struct import *im, const char *below)
{
    char *path = path_of(im, below);
    struct target *t = im->targets;

    while (t && strcmp(t->path, path) != 0)
        t = t->next;
    if (t) {
        free(path);
        return t;
    }
    t = mem_new(sizeof *t);
    t->path = path;
    t->next = im->targets;
    im->targets = t;
    struct err e = make_folder(im, slice_str(path), &t->fid);
    if (!failed(e))
        e = note_folder(im, t);
    if (failed(e)) {
        cli_fail_err(im->cli, path, e);
        im->broken = true;
    }
    return t;
}

/* ---- messages ---- */

static void show_progress(const struct import *im, bool end)
{
    static const char bar[] = "########################################";
    unsigned percent = im->all_bytes ? (unsigned)(im->read_bytes * 100 / im->all_bytes) : 100;

    if (!im->show_progress)
        return;
    if (percent > 100 || end)
        percent = 100;
    fprintf(stderr, "\r[%-40.*s] %3u %%  %llu imported, %llu already there",
            (int)(percent * 40 / 100), bar, percent, (unsigned long long)im->done,
            (unsigned long long)im->passed);
    if (end)
        fputc('\n', stderr);
}

static void clear_group(struct import *im)
{
    for (size_t i = 0; i < im->n_group; i++)
        store_prepared_free(im->group[i].prepared);
    arena_done(&im->group_arena);
    im->n_group = im->group_bytes = 0;
}

static void append_group(struct import *im)
{
    if (im->n_group && !im->broken) {
        struct store_append rq;

        store_append_init(&rq);
        rq.fid = im->group_target->fid;
        rq.messages = im->group;
        rq.n = im->n_group;
        struct err e = store_run(im->mailbox, &rq.op);
        if (failed(e)) {
            cli_fail_err(im->cli, im->group_target->path, e);
            im->broken = true;
        } else {
            im->done += im->n_group;
        }
    }
    clear_group(im);
}

/* What the file does not tell: the Date field, else now. */
static void date_of(const struct mailfile_message *m, uint64_t *date, int16_t *zone)
{
    struct mime_field field;
    int64_t seconds;
    int minutes;

    *date = m->internaldate;
    *zone = m->zone;
    if (*date)
        return;
    *date = clock_now().wall;
    if (mime_get_field(m->bytes, S("Date"), &field) && mime_date(field.value, &seconds, &minutes)) {
        *date = filetime_from_unix(seconds);
        *zone = (int16_t)minutes;
    }
}

static struct slice *copy_keywords(struct arena *in, const struct mailfile_message *m)
{
    struct slice *copy = arena_array(in, m->n_keywords, sizeof *copy);

    for (size_t i = 0; i < m->n_keywords; i++)
        copy[i] = arena_slice(in, m->keywords[i]);
    return copy;
}

static struct err prepare(struct import *im, struct slice bytes, struct store_prepared **out)
{
    struct store_spool *spool = store_spool_new(im->store);
    struct err e = store_spool_put(spool, bytes);

    if (failed(e)) {
        store_spool_free(spool);
        return e;
    }
    return store_prepare(im->store, spool, out);
}

static void trouble(void *ctx, const char *text)
{
    struct import *im = ctx;

    im->failed++;
    fprintf(stderr, "%sgatepost: import: %s\n", im->show_progress ? "\n" : "", text);
}

static void add_to_group(struct import *im, struct target *target, const struct mailfile_message *m,
                         struct store_prepared *prepared)
{
    if (im->n_group && (im->group_target != target || im->n_group == GROUP_MESSAGES ||
                        im->group_bytes + m->bytes.len > GROUP_BYTES))
        append_group(im);
    struct store_new_message *new = &im->group[im->n_group++];
    *new = (struct store_new_message){
        .prepared = prepared,
        .flags = m->flags,
        .keywords = copy_keywords(&im->group_arena, m),
        .n_keywords = m->n_keywords,
    };
    date_of(m, &new->internaldate, &new->zone);
    im->group_target = target;
    im->group_bytes += m->bytes.len;
}

static bool import_one(void *ctx, const struct mailfile_message *m)
{
    struct import *im = ctx;
    struct target *target = target_of(im, m->folder);
    struct store_prepared *prepared;

    im->read_bytes += m->bytes.len;
    if (im->broken)
        return false;
    struct err e = prepare(im, m->bytes, &prepared);
    if (failed(e)) {
        trouble(im, err_sentence(e.code));
        return e.code == ERR_TOO_BIG;
    }
    if (seen_take(&target->seen, store_prepared_hash(prepared))) {
        im->passed++;
        store_prepared_free(prepared);
    } else {
        add_to_group(im, target, m, prepared);
    }
    show_progress(im, false);
    return !im->broken;
}

static int import_all(struct import *im)
{
    const struct cli *cli = im->cli;

    for (size_t i = 1; i < cli->n_operands; i++)
        im->all_bytes += mailfile_size(cli->operands[i]);
    for (size_t i = 1; i < cli->n_operands && !im->broken; i++)
        mailfile_read(cli->operands[i], import_one, trouble, im);
    append_group(im);
    show_progress(im, true);
    if (cli->json)
        printf("{\"imported\":%llu,\"already_there\":%llu,\"failed\":%llu}\n",
               (unsigned long long)im->done, (unsigned long long)im->passed,
               (unsigned long long)im->failed);
    else if (!im->show_progress)
        printf("%llu imported, %llu already there, %llu failed\n", (unsigned long long)im->done,
               (unsigned long long)im->passed, (unsigned long long)im->failed);
    return im->broken || im->failed ? CLI_FAILED : CLI_OK;
}

static void free_targets(struct import *im)
{
    for (struct target *t = im->targets, *next; t; t = next) {
        next = t->next;
        free(t->seen.slots);
        free(t->path);
        free(t);
    }
}

static int import_into(struct import *im, const struct cli_world *world, struct arena *arena)
{
    const struct cli *cli = im->cli;
    struct account account;

    if (!cli_find_account(cli, world, cli->operands[0], arena, &account))
        return CLI_FAILED;
    im->store = world->store;
    struct err e = store_mailbox_open_now(world->store, account.mailbox_id, &im->mailbox);
    if (failed(e))
        return cli_fail_err(cli, cli->operands[0], e);
    int status = import_all(im);
    mailbox_close(im->mailbox);
    return status;
}

int cli_import(struct cli *cli)
{
    struct arena arena = ARENA_INIT;
    struct cli_world world;
    struct import *im = mem_new(sizeof *im);
    const char *folder = cli_option(cli, "--folder");
    int status = CLI_FAILED;

    im->cli = cli;
    im->folder = folder ? folder : "INBOX";
    im->show_progress = !cli->json && isatty(STDERR_FILENO);
    if (cli_open(cli, &world)) {
        status = import_into(im, &world, &arena);
        cli_close(&world);
    }
    free_targets(im);
    free(im);
    arena_wipe(&arena);
    return status;
}
