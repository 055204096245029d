/*
 * import.c - gatepost import USER PATH… [--folder F]
 *
 * Can be repeated and resumed: a message whose bytes the folder has already is passed over, as
 * often as it has them. Two copies in the source become two in the folder, once.
 *
 * What is wrong with one message or one folder costs that one, and is told; what is wrong with the
 * store (no space, the quota) ends the import at that message, and what was not read is told too.
 */
#include <openssl/sha.h>
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
    bool is_inbox;     /* the one folder where UIDLs mean something */
    struct seen uidls; /* that came by import */
    bool unusable;     /* there can be no such folder */
};

/* A message in its file. */
struct spot {
    size_t operand;
    char *path; /* own memory; NULL: none */
    unsigned number;
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
    struct spot group_spots[GROUP_MESSAGES];
    /* figures */
    uint64_t done, passed, failed, read_bytes, all_bytes;
    bool show_progress;
    size_t operand;      /* that is being read */
    struct spot stopped; /* the first message that was not imported, and the end of it all */
};

/* ---- what a folder has ---- */

struct hash {
    uint8_t bytes[32];
};

static struct hash uidl_hash(struct slice uidl)
{
    struct hash hash;

    SHA256(uidl.ptr, uidl.len, hash.bytes);
    return hash;
}

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

static bool seen_has(const struct seen *seen, const uint8_t *hash)
{
    return seen->size && slot_of(seen, hash)->used;
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

static struct err note_uidl(struct store_read *rd, struct target *t, const struct message_row *row)
{
    struct buf uidl = buf_make(128);
    struct err e = store_uidl(rd, t->fid, row, &uidl);

    if (!failed(e))
        seen_add(&t->uidls, uidl_hash(buf_slice(&uidl)).bytes);
    buf_done(&uidl);
    return e;
}

static struct err note_row(struct store_read *rd, struct target *t, const struct message_row *row)
{
    uint8_t hash[ENGINE_HASH_LEN];
    struct err e = store_message_hash(rd, row, hash);

    if (!failed(e))
        seen_add(&t->seen, hash);
    return !failed(e) && t->is_inbox ? note_uidl(rd, t, row) : e;
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
            e = note_row(rd, t, row);
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

/* ---- trouble ---- */

static void spot_set(struct spot *spot, size_t operand, const char *path, unsigned number)
{
    free(spot->path);
    *spot = (struct spot){operand, mem_slice_str(slice_str(path)), number};
}

static bool is_over(const struct import *im)
{
    return im->stopped.path != NULL;
}

/* Something of the source cannot be imported; the import goes on. */
static void trouble(void *ctx, const char *text)
{
    struct import *im = ctx;

    im->failed++;
    fprintf(stderr, "%sgatepost: import: %s\n", im->show_progress ? "\n" : "", text);
}

static void trouble_with(struct import *im, const struct mailfile_message *m, struct err e)
{
    struct buf text = buf_make(16384);

    buf_printf(&text, "%s, message %u: %s: %s", m->path, m->number, err_sentence(e.code), e.why);
    buf_putc(&text, 0);
    trouble(im, (const char *)text.data);
    buf_done(&text);
}

/* Is it the store's trouble, which every other message would meet, too? */
static bool ends_import(struct err e)
{
    return e.code != ERR_TOO_BIG && e.code != ERR_INVALID && e.code != ERR_DENIED;
}

static void stop(struct import *im, const struct spot *at, struct err e)
{
    fprintf(stderr, "%sgatepost: import: stopped at %s, message %u: %s: %s\n",
            im->show_progress ? "\n" : "", at->path, at->number, err_sentence(e.code), e.why);
    spot_set(&im->stopped, at->operand, at->path, at->number);
}

static void stop_here(struct import *im, const struct mailfile_message *m, struct err e)
{
    struct spot here = {.path = NULL};

    spot_set(&here, im->operand, m->path, m->number);
    stop(im, &here, e);
    free(here.path);
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

static struct target *target_find(struct import *im, const char *path)
{
    struct target *t = im->targets;

    while (t && strcmp(t->path, path) != 0)
        t = t->next;
    return t;
}

static struct target *target_new(struct import *im, const char *path)
{
    struct target *t = mem_new(sizeof *t);

    t->path = mem_slice_str(slice_str(path));
    t->is_inbox = slice_ieq(slice_str(path), S("INBOX"));
    t->next = im->targets;
    im->targets = t;
    return t;
}

/* Where the message goes; NULL: nowhere, and that was told. */
static struct target *target_of(struct import *im, const struct mailfile_message *m)
{
    char *path = path_of(im, m->folder);
    struct target *t = target_find(im, path);

    if (!t) {
        t = target_new(im, path);
        struct err e = make_folder(im, slice_str(path), &t->fid);
        if (!failed(e))
            e = note_folder(im, t);
        if (failed(e) && ends_import(e))
            stop_here(im, m, e);
        t->unusable = failed(e);
    }
    free(path);
    if (t->unusable && !is_over(im))
        trouble_with(im, m, ERR(ERR_INVALID, "there can be no such folder"));
    return t->unusable ? NULL : t;
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

/* All of the group or nothing: where it does not fit, its messages are tried one by one. */
static void append_some(struct import *im, size_t from, size_t n)
{
    struct store_append rq;

    store_append_init(&rq);
    rq.fid = im->group_target->fid;
    rq.messages = im->group + from;
    rq.n = n;
    rq.delivered = true;
    struct err e = store_run(im->mailbox, &rq.op);
    if (!failed(e))
        im->done += n;
    else if (n == 1)
        stop(im, &im->group_spots[from], e);
    else
        for (size_t i = 0; i < n && !is_over(im); i++)
            append_some(im, from + i, 1);
}

static void append_group(struct import *im)
{
    if (im->n_group && !is_over(im))
        append_some(im, 0, im->n_group);
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

/*
 * The UIDL that clients know the message by, if no other message has it: who meets two messages of
 * one UIDL fetches one of them only.
 */
static struct slice take_uidl(struct import *im, struct target *target, struct slice uidl)
{
    struct hash hash = uidl_hash(uidl);

    if (!target->is_inbox || !store_uidl_valid(uidl) || seen_has(&target->uidls, hash.bytes))
        return SLICE_EMPTY;
    seen_add(&target->uidls, hash.bytes);
    return arena_slice(&im->group_arena, uidl);
}

static void add_to_group(struct import *im, struct target *target, const struct mailfile_message *m,
                         struct store_prepared *prepared)
{
    if (im->n_group && (im->group_target != target || im->n_group == GROUP_MESSAGES ||
                        im->group_bytes + m->bytes.len > GROUP_BYTES))
        append_group(im);
    spot_set(&im->group_spots[im->n_group], im->operand, m->path, m->number);
    struct store_new_message *new = &im->group[im->n_group++];
    *new = (struct store_new_message){
        .prepared = prepared,
        .uidl = take_uidl(im, target, m->uidl),
        .flags = m->flags,
        .keywords = copy_keywords(&im->group_arena, m),
        .n_keywords = m->n_keywords,
    };
    date_of(m, &new->internaldate, &new->zone);
    im->group_target = target;
    im->group_bytes += m->bytes.len;
}

/* Returns whether to go on. What waits in the group comes before this message. */
static bool cannot_prepare(struct import *im, const struct mailfile_message *m, struct err e)
{
    if (!ends_import(e)) {
        trouble_with(im, m, e);
        return true;
    }
    append_group(im);
    if (!is_over(im))
        stop_here(im, m, e);
    return false;
}

static bool import_one(void *ctx, const struct mailfile_message *m)
{
    struct import *im = ctx;
    struct target *target = target_of(im, m);
    struct store_prepared *prepared;

    im->read_bytes += m->bytes.len;
    if (!target)
        return !is_over(im);
    struct err e = store_prepare_bytes(im->store, SLICE_EMPTY, m->bytes, &prepared);
    if (failed(e))
        return cannot_prepare(im, m, e);
    if (seen_take(&target->seen, store_prepared_hash(prepared))) {
        im->passed++;
        store_prepared_free(prepared);
    } else {
        add_to_group(im, target, m, prepared);
    }
    show_progress(im, false);
    return !is_over(im);
}

/* ---- the end ---- */

/* The first operand of which nothing was imported. */
static size_t first_left(const struct import *im)
{
    return is_over(im) ? im->stopped.operand + 1 : im->cli->n_operands;
}

static void report_json(const struct import *im)
{
    const struct cli *cli = im->cli;
    json_t *left = json_array();

    for (size_t i = first_left(im); i < cli->n_operands; i++)
        json_array_append_new(left, cli_json_text(slice_str(cli->operands[i])));
    json_t *report =
        json_pack("{sI sI sI so}", "imported", (json_int_t)im->done, "already_there",
                  (json_int_t)im->passed, "failed", (json_int_t)im->failed, "not_imported", left);
    if (is_over(im)) {
        json_object_set_new(report, "stopped_at", cli_json_text(slice_str(im->stopped.path)));
        json_object_set_new(report, "stopped_at_message", json_integer(im->stopped.number));
    }
    cli_put_json(report);
}

/* What an administrator needs to know to go on. */
static void report_stop(const struct import *im)
{
    const struct cli *cli = im->cli;

    for (size_t i = first_left(im); i < cli->n_operands; i++)
        fprintf(stderr, "gatepost: import: not imported: %s\n", cli->operands[i]);
    fprintf(stderr,
            "gatepost: import: nothing from %s, message %u, on was imported; when that is "
            "mended give the same command again, and it goes on there\n",
            im->stopped.path, im->stopped.number);
}

static int import_all(struct import *im)
{
    const struct cli *cli = im->cli;

    for (size_t i = 1; i < cli->n_operands; i++)
        im->all_bytes += mailfile_size(cli->operands[i]);
    for (im->operand = 1; im->operand < cli->n_operands && !is_over(im); im->operand++)
        mailfile_read(cli->operands[im->operand], import_one, trouble, im);
    append_group(im);
    show_progress(im, true);
    if (cli->json)
        report_json(im);
    else if (!im->show_progress)
        printf("%llu imported, %llu already there, %llu failed\n", (unsigned long long)im->done,
               (unsigned long long)im->passed, (unsigned long long)im->failed);
    if (is_over(im))
        report_stop(im);
    return is_over(im) || im->failed ? CLI_FAILED : CLI_OK;
}

static void free_targets(struct import *im)
{
    for (struct target *t = im->targets, *next; t; t = next) {
        next = t->next;
        free(t->seen.slots);
        free(t->uidls.slots);
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
    for (size_t i = 0; i < GROUP_MESSAGES; i++)
        free(im->group_spots[i].path);
    free(im->stopped.path);
    free(im);
    arena_wipe(&arena);
    return status;
}
