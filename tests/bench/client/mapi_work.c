/* mapi_work.c - pieces of work of a MAPI client, each verified as far as its answer goes. */
#include <stdlib.h>

#include "base/mem.h"
#include "tests/bench/client/mapi.h"
#include "tests/bench/client/scenario.h"

enum {
    INBOX = 4,            /* of a log-on's FolderIds */
    PAGE = 50,            /* rows that a window shows */
    ROWS_AT_A_TIME = 500, /* of a walk */
    READ_PIECE = 0x7000,
    PIECE = 0x3000, /* characters of a body that are written at a time */
    STREAM_CREATE = 2,
    CODEPAGE_OF_LOGON = 0x0FFF,
    /* Origins ([MS-OXCTABL] 2.2.2.1.1) */
    FROM_BEGINNING = 0,
    FROM_END = 2,
    FUZZY_SUBSTRING = 1,
    FUZZY_IGNORE_CASE = 1,
};

/* What a list of mail shows, and what clients ask for beside. */
enum {
    M_MID,
    M_UID,
    M_SUBJECT,
    M_FROM,
    M_TO,
    M_TIME,
    M_SENT,
    M_CLASS,
    M_FLAGS,
    M_SIZE,
    M_ATTACHMENTS,
    M_IMPORTANCE,
    M_FLAG,
    M_INSTANCE,
    M_COLUMNS
};

static const uint32_t tags[M_COLUMNS] = {
    PR_MID,
    PR_INTERNET_ARTICLE_NUMBER,
    PR_SUBJECT,
    PR_SENT_REPRESENTING_NAME,
    PR_DISPLAY_TO,
    PR_DELIVERY_TIME,
    PR_CLIENT_SUBMIT_TIME,
    PR_MESSAGE_CLASS,
    PR_MESSAGE_FLAGS,
    PR_MESSAGE_SIZE,
    PR_HAS_ATTACHMENTS,
    PR_IMPORTANCE,
    PR_FLAG_STATUS,
    PR_INSTANCE_KEY,
};
static const struct rop_numbers columns = {M_COLUMNS, tags};

/* What a connection has. */
struct work {
    struct mapi_session session;
    uint64_t folder;
    unsigned turn;
    uint64_t *mids;            /* of all messages of the folder, in order */
    unsigned n_mids, n_wanted; /* with WANTED in their subject */
};

#define WANTED "quarterly"

static struct work *work_of(const struct conn *c)
{
    return c->state;
}

static unsigned pick(struct work *w, unsigned n)
{
    return (unsigned)(w->turn++ * 2654435761u) % n;
}

/* ---- rows ---- */

typedef bool (*each_row)(struct work *w, const struct prop *row, void *ctx);

static uint64_t number(const struct prop *p)
{
    return prop_type(p->tag) == PROP_ERROR ? 0 : (uint64_t)p->value.number;
}

/* Has it what every message of the benchmark has? */
static bool row_is_whole(const struct prop *row)
{
    return number(&row[M_MID]) && number(&row[M_UID]) && row[M_SUBJECT].value.bytes.len &&
           row[M_FROM].value.bytes.len && row[M_TO].value.bytes.len && number(&row[M_TIME]) &&
           number(&row[M_SENT]) && slice_eq(row[M_CLASS].value.bytes, S("IPM.Note")) &&
           number(&row[M_SIZE]) > 0 && row[M_INSTANCE].value.bytes.len;
}

/* The rows of the next response; *n: how many. */
static bool take_rows(struct work *w, unsigned *n, uint8_t *origin, each_row each, void *ctx)
{
    struct mapi_session *s = &w->session;
    const struct rop_query_rows_reply *reply = mapi_reply(s, ROP_QueryRows, &columns);
    struct wire in = wire_of(reply ? reply->rows.bytes : SLICE_EMPTY, &s->arena);
    bool good = reply != NULL;

    for (size_t i = 0; good && i < reply->rows.n; i++) {
        struct prop *row;

        good = row_read(&in, &mapi_form, tags, M_COLUMNS, &row) && row_is_whole(row) &&
               (!each || each(w, row, ctx));
    }
    *n = reply ? (unsigned)reply->rows.n : 0;
    *origin = reply ? reply->origin : 0;
    return good && in.rest.len == 0;
}

static void add_query(struct mapi_session *s, unsigned n, bool forward)
{
    const struct rop_query_rows query = {.forward = forward, .n = (uint16_t)n};

    mapi_add(s, ROP_QueryRows, AT_TABLE, AT_TABLE, &query);
}

static void add_seek(struct mapi_session *s, uint8_t origin, int n)
{
    const struct rop_seek_row seek = {.origin = origin, .n = n, .want_moved = true};

    mapi_add(s, ROP_SeekRow, AT_TABLE, AT_TABLE, &seek);
}

static bool sought(struct mapi_session *s, int n)
{
    const struct rop_seek_row_reply *reply = mapi_reply(s, ROP_SeekRow, NULL);

    return reply && reply->sought == n;
}

static void add_release(struct mapi_session *s, uint8_t at)
{
    mapi_add(s, ROP_Release, at, at, NULL);
}

/* ---- a table ---- */

static void add_table(struct mapi_session *s)
{
    static const struct rop_get_contents_table table;
    static const struct rop_set_columns set = {.columns = {M_COLUMNS, tags}};

    mapi_add(s, ROP_GetContentsTable, AT_FOLDER, AT_TABLE, &table);
    mapi_add(s, ROP_SetColumns, AT_TABLE, AT_TABLE, &set);
}

static bool table_is_open(struct mapi_session *s)
{
    const struct rop_get_contents_table_reply *reply = mapi_reply(s, ROP_GetContentsTable, NULL);

    return reply && reply->rows == opt.messages && mapi_went_well(s, ROP_SetColumns);
}

static bool position_is(struct mapi_session *s, unsigned numerator, unsigned denominator)
{
    const struct rop_query_position_reply *reply = mapi_reply(s, ROP_QueryPosition, NULL);

    return reply && reply->numerator == numerator && reply->denominator == denominator;
}

static void add_position(struct mapi_session *s)
{
    mapi_add(s, ROP_QueryPosition, AT_TABLE, AT_TABLE, NULL);
}

static unsigned page_of(unsigned rows)
{
    return rows < PAGE ? rows : PAGE;
}

/* ---- beginning ---- */

static bool begin(struct conn *c)
{
    c->state = mem_new(sizeof(struct work));
    return mapi_open(&work_of(c)->session, c);
}

static bool begin_in_folder(struct conn *c)
{
    struct work *w;

    if (!begin(c))
        return false;
    w = work_of(c);
    w->folder = w->session.folders.ids[INBOX];
    if (strcmp(opt.box, "INBOX") != 0 && !mapi_find_folder(&w->session, opt.box, &w->folder))
        return false;
    const struct rop_open_folder open = {.folder = w->folder};

    mapi_add(&w->session, ROP_OpenFolder, AT_LOGON, AT_FOLDER, &open);
    return mapi_execute(&w->session) && mapi_went_well(&w->session, ROP_OpenFolder);
}

static bool begin_with_table(struct conn *c)
{
    struct mapi_session *s;

    if (!begin_in_folder(c))
        return false;
    s = &work_of(c)->session;
    add_table(s);
    return mapi_execute(s) && table_is_open(s);
}

static bool note_mid(struct work *w, const struct prop *row, void *ctx)
{
    uint64_t *last_uid = ctx;

    if (w->n_mids == opt.messages || number(&row[M_UID]) <= *last_uid)
        return false;
    *last_uid = number(&row[M_UID]);
    w->mids[w->n_mids++] = number(&row[M_MID]);
    w->n_wanted +=
        slice_find(row[M_SUBJECT].value.bytes, S(WANTED)) < row[M_SUBJECT].value.bytes.len;
    return true;
}

/* All rows from the cursor on. */
static bool walk(struct work *w, each_row each, void *ctx, unsigned *total)
{
    unsigned n;
    uint8_t origin;

    *total = 0;
    do {
        add_query(&w->session, ROWS_AT_A_TIME, true);
        if (!mapi_execute(&w->session) || !take_rows(w, &n, &origin, each, ctx) || n == 0)
            return false;
        *total += n;
    } while (origin != FROM_END);
    return true;
}

/* And know all that is in it. */
static bool begin_knowing(struct conn *c)
{
    uint64_t last_uid = 0;
    unsigned total;

    if (!begin_with_table(c))
        return false;
    struct work *w = work_of(c);
    w->mids = mem_array(opt.messages, sizeof *w->mids);
    return walk(w, note_mid, &last_uid, &total) && total == opt.messages;
}

/* ---- log-on, first rows ---- */

static bool nothing_yet(struct conn *c)
{
    c->state = mem_new(sizeof(struct work));
    return true;
}

static bool first_rows(struct work *w, struct totals *t)
{
    struct mapi_session *s = &w->session;
    const struct rop_open_folder open = {.folder = w->folder};
    unsigned n;
    uint8_t origin;

    mapi_add(s, ROP_OpenFolder, AT_LOGON, AT_FOLDER, &open);
    add_table(s);
    add_query(s, PAGE, true);
    bool good = mapi_execute(s) && mapi_went_well(s, ROP_OpenFolder) && table_is_open(s) &&
                take_rows(w, &n, &origin, NULL, NULL) && n == page_of(opt.messages);
    t->items += PAGE;
    return good;
}

static bool do_logon(struct conn *c, struct totals *t)
{
    struct work *w = work_of(c);
    bool good = mapi_open(&w->session, c);

    w->folder = w->session.folders.ids[INBOX];
    good = good && first_rows(w, t);
    return mapi_close(&w->session) && good;
}

static bool do_first(struct conn *c, struct totals *t)
{
    struct mapi_session *s = &work_of(c)->session;

    add_release(s, AT_TABLE);
    add_release(s, AT_FOLDER);
    return first_rows(work_of(c), t);
}

/* ---- all rows ---- */

static bool is_behind(struct work *w, const struct prop *row, void *ctx)
{
    uint64_t *last_uid = ctx, uid = number(&row[M_UID]);
    bool behind = uid > *last_uid;

    (void)w;
    *last_uid = uid;
    return behind;
}

static bool do_query_all(struct conn *c, struct totals *t)
{
    struct work *w = work_of(c);
    uint64_t last_uid = 0;
    unsigned total;

    add_seek(&w->session, FROM_BEGINNING, 0);
    if (!mapi_execute(&w->session) || !sought(&w->session, 0) ||
        !walk(w, is_behind, &last_uid, &total))
        return false;
    t->items += total;
    return total == opt.messages;
}

/* ---- sorting ---- */

static void add_sort(struct mapi_session *s, uint32_t tag, uint8_t how)
{
    const struct sort_order order = {tag, how};
    const struct rop_sort_table sort = {.orders = {.n = 1, .items = &order}};

    mapi_add(s, ROP_SortTable, AT_TABLE, AT_TABLE, &sort);
}

static bool times_fall(struct work *w, const struct prop *row, void *ctx)
{
    uint64_t *last = ctx;
    bool good = number(&row[M_TIME]) <= *last;

    (void)w;
    *last = number(&row[M_TIME]);
    return good;
}

struct text {
    char bytes[256];
};

/* Subjects of the benchmark are lower case letters and blanks: their order is that of bytes. */
static bool subjects_rise(struct work *w, const struct prop *row, void *ctx)
{
    struct text *last = ctx, now;
    struct slice subject = row[M_SUBJECT].value.bytes;

    (void)w;
    snprintf(now.bytes, sizeof now.bytes, "%.*s", (int)subject.len, (const char *)subject.ptr);
    bool good = strcmp(last->bytes, now.bytes) <= 0;
    *last = now;
    return good;
}

/* A new table in this order: its first page, its last one, and how many rows there are. */
static bool sort_table(struct work *w, uint32_t tag, uint8_t how, each_row each, void *ctx)
{
    struct mapi_session *s = &w->session;
    unsigned page = page_of(opt.messages), n;
    uint8_t origin;

    add_release(s, AT_TABLE);
    add_table(s);
    add_sort(s, tag, how);
    add_query(s, page, true);
    if (!mapi_execute(s) || !table_is_open(s) || !mapi_went_well(s, ROP_SortTable) ||
        !take_rows(w, &n, &origin, each, ctx) || n != page)
        return false;
    add_seek(s, FROM_END, -(int)page);
    add_position(s);
    add_query(s, page, true);
    return mapi_execute(s) && sought(s, -(int)page) &&
           position_is(s, opt.messages - page, opt.messages) &&
           take_rows(w, &n, &origin, each, ctx) && n == page && origin == FROM_END;
}

static bool do_sort_time(struct conn *c, struct totals *t)
{
    uint64_t last = UINT64_MAX;

    t->items += opt.messages;
    return sort_table(work_of(c), PR_DELIVERY_TIME, SORT_DESCENDING, times_fall, &last);
}

static bool do_sort_subject(struct conn *c, struct totals *t)
{
    struct text last = {""};

    t->items += opt.messages;
    return sort_table(work_of(c), PR_SUBJECT, SORT_ASCENDING, subjects_rise, &last);
}

/* ---- restricting ---- */

static bool has_wanted(struct work *w, const struct prop *row, void *ctx)
{
    struct slice subject = row[M_SUBJECT].value.bytes;

    (void)w, (void)ctx;
    return slice_find(subject, S(WANTED)) < subject.len;
}

static bool is_large(struct work *w, const struct prop *row, void *ctx)
{
    (void)w, (void)ctx;
    return number(&row[M_SIZE]) > 1000;
}

/* A new table with this restriction, and its first page. */
static bool restrict_table(struct work *w, const struct restriction *r, unsigned rows,
                           each_row each)
{
    struct mapi_session *s = &w->session;
    const struct rop_restrict_table restrict_to = {.restriction = {.root = r}};
    unsigned n;
    uint8_t origin;

    add_release(s, AT_TABLE);
    add_table(s);
    mapi_add(s, ROP_Restrict, AT_TABLE, AT_TABLE, &restrict_to);
    add_position(s);
    add_query(s, PAGE, true);
    return mapi_execute(s) && table_is_open(s) && mapi_went_well(s, ROP_Restrict) &&
           position_is(s, 0, rows) && take_rows(w, &n, &origin, each, NULL) && n == page_of(rows);
}

static bool do_restrict_subject(struct conn *c, struct totals *t)
{
    const struct restriction r = {
        .kind = RESTRICTION_CONTENT,
        .fuzzy_low = FUZZY_SUBSTRING,
        .fuzzy_high = FUZZY_IGNORE_CASE,
        .tag = PR_SUBJECT,
        .value = {PR_SUBJECT, {.bytes = S(WANTED)}},
    };

    t->items += opt.messages;
    return restrict_table(work_of(c), &r, work_of(c)->n_wanted, has_wanted);
}

/* True of every message of the benchmark. */
static bool do_restrict_size(struct conn *c, struct totals *t)
{
    const struct restriction r = {
        .kind = RESTRICTION_PROPERTY,
        .relop = RELOP_GT,
        .tag = PR_MESSAGE_SIZE,
        .value = {PR_MESSAGE_SIZE, {.number = 1000}},
    };

    t->items += opt.messages;
    return restrict_table(work_of(c), &r, opt.messages, is_large);
}

/* ---- seeking ---- */

static bool is_that(struct work *w, const struct prop *row, void *ctx)
{
    return number(&row[M_MID]) == w->mids[*(unsigned *)ctx];
}

static bool one_row(struct work *w, unsigned at)
{
    unsigned n;
    uint8_t origin;

    return take_rows(w, &n, &origin, is_that, &at) && n == 1;
}

static bool do_seek(struct conn *c, struct totals *t)
{
    struct work *w = work_of(c);
    unsigned at = pick(w, opt.messages);

    t->items++;
    add_seek(&w->session, FROM_BEGINNING, (int)at);
    add_query(&w->session, 1, true);
    return mapi_execute(&w->session) && sought(&w->session, (int)at) && one_row(w, at);
}

static bool do_seek_fraction(struct conn *c, struct totals *t)
{
    struct work *w = work_of(c);
    struct mapi_session *s = &w->session;
    unsigned at = pick(w, opt.messages);
    const struct rop_seek_fraction seek = {.numerator = at, .denominator = opt.messages};

    t->items++;
    mapi_add(s, ROP_SeekRowFractional, AT_TABLE, AT_TABLE, &seek);
    add_position(s);
    add_query(s, 1, true);
    return mapi_execute(s) && mapi_went_well(s, ROP_SeekRowFractional) &&
           position_is(s, at, opt.messages) && one_row(w, at);
}

/* A row that is known by a property: in the middle, for that is what one costs on average. */
static bool do_find(struct conn *c, struct totals *t)
{
    struct work *w = work_of(c);
    struct mapi_session *s = &w->session;
    unsigned at = opt.messages / 2;
    const struct restriction r = {
        .kind = RESTRICTION_PROPERTY,
        .relop = RELOP_EQ,
        .tag = PR_MID,
        .value = {PR_MID, {.number = (int64_t)w->mids[at]}},
    };
    const struct rop_find_row find = {.origin = FROM_BEGINNING, .restriction = {.root = &r}};

    t->items++;
    mapi_add(s, ROP_FindRow, AT_TABLE, AT_TABLE, &find);
    add_query(s, 1, true);
    if (!mapi_execute(s))
        return false;
    const struct rop_find_row_reply *reply = mapi_reply(s, ROP_FindRow, &columns);

    return reply && reply->has_row && one_row(w, at);
}

/* ---- one message ---- */

static bool read_stream(struct work *w, uint32_t size)
{
    static const struct rop_read_stream read = {.n = READ_PIECE};
    struct mapi_session *s = &w->session;
    uint32_t have = 0, piece = 0;

    do {
        mapi_add(s, ROP_ReadStream, AT_STREAM, AT_STREAM, &read);
        const struct rop_read_stream_reply *reply =
            mapi_execute(s) ? mapi_reply(s, ROP_ReadStream, NULL) : NULL;
        if (!reply)
            return false;
        piece = (uint32_t)reply->data.len;
        have += piece;
    } while (piece == READ_PIECE);
    return have == size;
}

/* Open it and its body in one Execute, then read that to its end. */
static bool do_read(struct conn *c, struct totals *t)
{
    struct work *w = work_of(c);
    struct mapi_session *s = &w->session;
    const struct rop_open_message open = {
        .codepage = CODEPAGE_OF_LOGON,
        .folder = w->folder,
        .message = w->mids[pick(w, opt.messages)],
    };
    const struct rop_open_stream stream = {.tag = PR_BODY};

    t->items++;
    add_release(s, AT_STREAM);
    add_release(s, AT_MESSAGE);
    mapi_add(s, ROP_OpenMessage, AT_LOGON, AT_MESSAGE, &open);
    mapi_add(s, ROP_OpenStream, AT_MESSAGE, AT_STREAM, &stream);
    if (!mapi_execute(s))
        return false;
    const struct rop_open_message_reply *opened = mapi_reply(s, ROP_OpenMessage, NULL);
    const struct rop_open_stream_reply *reply =
        opened && opened->subject.len ? mapi_reply(s, ROP_OpenStream, NULL) : NULL;

    return reply && reply->size > 0 && read_stream(w, reply->size);
}

/* ---- saving ---- */

/* A new message with its subject, and a body that is being written. */
static void add_new_message(struct work *w, struct conn *c)
{
    struct mapi_session *s = &w->session;
    const struct rop_create_message create = {.codepage = CODEPAGE_OF_LOGON, .folder = w->folder};
    const struct rop_open_stream stream = {.tag = PR_BODY, .mode = STREAM_CREATE};
    char subject[64];

    snprintf(subject, sizeof subject, "message %u of connection %u", ++w->turn, c->number);
    const struct prop values[] = {
        {PR_MESSAGE_CLASS, {.bytes = S("IPM.Note")}},
        {PR_SUBJECT, {.bytes = slice_str(subject)}},
    };
    const struct rop_set_properties set = {.values = {2, values}};

    mapi_add(s, ROP_CreateMessage, AT_LOGON, AT_MESSAGE, &create);
    mapi_add(s, ROP_SetProperties, AT_MESSAGE, AT_MESSAGE, &set);
    mapi_add(s, ROP_OpenStream, AT_MESSAGE, AT_STREAM, &stream);
}

static bool message_is_begun(struct mapi_session *s)
{
    if (!mapi_went_well(s, ROP_CreateMessage))
        return false;
    const struct rop_set_properties_reply *set = mapi_reply(s, ROP_SetProperties, NULL);

    return set && set->problems.n == 0 && mapi_went_well(s, ROP_OpenStream);
}

/* At most PIECE bytes of the body, as UTF-16LE. */
static void add_piece(struct mapi_session *s, struct slice text)
{
    struct buf wide = buf_make((size_t)2 * PIECE);

    for (size_t i = 0; i < text.len; i++)
        wire_put_u16(&wide, text.ptr[i]);
    const struct rop_write_stream write = {.data = buf_slice(&wide)};

    mapi_add(s, ROP_WriteStream, AT_STREAM, AT_STREAM, &write);
    buf_done(&wide);
}

static bool piece_is_written(struct mapi_session *s, struct slice text)
{
    const struct rop_write_stream_reply *reply = mapi_reply(s, ROP_WriteStream, NULL);

    return reply && reply->written == 2 * text.len;
}

static void add_save(struct mapi_session *s)
{
    static const struct rop_save_message save;

    mapi_add(s, ROP_CommitStream, AT_STREAM, AT_STREAM, NULL);
    add_release(s, AT_STREAM);
    mapi_add(s, ROP_SaveChangesMessage, AT_MESSAGE, AT_MESSAGE, &save);
    add_release(s, AT_MESSAGE);
}

static bool is_saved(struct mapi_session *s)
{
    if (!mapi_went_well(s, ROP_CommitStream))
        return false;
    const struct rop_save_message_reply *reply = mapi_reply(s, ROP_SaveChangesMessage, NULL);

    return reply && reply->message != 0;
}

/* As many operations in one Execute as fit: all of them where the body is small. */
static bool save(struct work *w, struct conn *c, struct slice text)
{
    struct mapi_session *s = &w->session;
    struct slice piece = slice_head(text, PIECE);

    add_new_message(w, c);
    for (bool first = true;; first = false) {
        bool last = piece.len == text.len;

        add_piece(s, piece);
        if (last)
            add_save(s);
        if (!mapi_execute(s) || (first && !message_is_begun(s)) || !piece_is_written(s, piece))
            return false;
        if (last)
            return is_saved(s);
        text = slice_from(text, piece.len);
        piece = slice_head(text, PIECE);
    }
}

static bool do_save(struct conn *c, struct totals *t)
{
    struct buf text = buf_make(opt.size + 256);

    while (text.len < opt.size)
        buf_puts(&text,
                 "The quick brown fox jumps over the lazy dog, and the dog does not mind.\n");
    bool good = save(work_of(c), c, buf_slice(&text));
    buf_done(&text);
    t->items++;
    return good;
}

bool mapi_saver_begin(struct conn *c)
{
    return begin_in_folder(c);
}

bool mapi_save_one(struct conn *c)
{
    struct totals unused = {0};

    return do_save(c, &unused);
}

/* ---- the smallest useful Execute ---- */

static bool do_execute(struct conn *c, struct totals *t)
{
    static const uint32_t count[] = {PR_CONTENT_COUNT};
    static const struct rop_get_properties get = {.tags = {1, count}};
    struct mapi_session *s = &work_of(c)->session;
    struct prop *values;

    (void)t;
    mapi_add(s, ROP_GetPropertiesSpecific, AT_FOLDER, AT_FOLDER, &get);
    const struct rop_get_properties_reply *reply =
        mapi_execute(s) ? mapi_reply(s, ROP_GetPropertiesSpecific, &get.tags) : NULL;
    if (!reply)
        return false;
    struct wire in = wire_of(reply->row, &s->arena);

    return row_read(&in, &mapi_form, count, 1, &values) && number(values) == opt.messages;
}

/* ---- waiting ---- */

int mapi_hold(struct conn *c)
{
    struct mapi_session s;

    if (!mapi_open(&s, c) || !mapi_watch(&s) || !mapi_wait_begin(&s))
        return -1;
    mapi_done(&s);
    return c->fd;
}

/* clang-format off */
const struct scenario mapi_scenarios[] = {
    {"mapi-logon",          nothing_yet,      do_logon},
    {"mapi-first",          begin_with_table, do_first},
    {"mapi-query-all",      begin_with_table, do_query_all},
    {"mapi-sort-time",      begin_with_table, do_sort_time},
    {"mapi-sort-subject",   begin_with_table, do_sort_subject},
    {"mapi-restrict",       begin_knowing,    do_restrict_subject},
    {"mapi-restrict-size",  begin_with_table, do_restrict_size},
    {"mapi-seek",           begin_knowing,    do_seek},
    {"mapi-seek-fraction",  begin_knowing,    do_seek_fraction},
    {"mapi-find",           begin_knowing,    do_find},
    {"mapi-read",           begin_knowing,    do_read},
    {"mapi-save",           begin_in_folder,  do_save},
    {"mapi-execute",        begin_in_folder,  do_execute},
    {NULL, NULL, NULL},
};
/* clang-format on */
