#include "base/mem.h"
#include "protocols/imap/folders.h"
#include "protocols/imap/glob.h"
#include "protocols/imap/handlers.h"

enum {
    SELECT_SUBSCRIBED = 1 << 0,
    SELECT_REMOTE = 1 << 1, /* there are none: as without it */
    SELECT_RECURSIVEMATCH = 1 << 2,
    SELECT_SPECIAL_USE = 1 << 3,
    RETURN_SUBSCRIBED = 1 << 4,
    RETURN_CHILDREN = 1 << 5,    /* always returned */
    RETURN_SPECIAL_USE = 1 << 6, /* always returned */
    RETURN_STATUS = 1 << 7,
};

enum { STEPS_PER_TURN = 500000, LONGEST_PATTERN = 8192 };

/* A name that may be listed; one that does not exist, where subscriptions are asked for. */
struct row {
    struct slice path;
    const struct store_folder *folder; /* NULL: there is none */
    bool subscribed, has_children;
    bool leads; /* something below it is selected, and is not listed itself */
};

struct list_state {
    unsigned options;
    bool lsub;
    bool possible;  /* the reference may be the beginning of a name */
    unsigned items; /* of STATUS */
    struct imap_glob *globs;
    size_t n_globs;
    struct row *rows;
    size_t n, at;
};

/* ---- special uses ---- */

static const struct {
    enum store_special special;
    const char *attribute;
} uses[] = {
    {SPECIAL_ALL, "\\All"},       {SPECIAL_ARCHIVE, "\\Archive"},
    {SPECIAL_DRAFTS, "\\Drafts"}, {SPECIAL_FLAGGED, "\\Flagged"},
    {SPECIAL_JUNK, "\\Junk"},     {SPECIAL_SENT, "\\Sent"},
    {SPECIAL_TRASH, "\\Trash"},   {SPECIAL_IMPORTANT, "\\Important"},
};

const char *imap_special_use(enum store_special special)
{
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++)
        if (uses[i].special == special)
            return uses[i].attribute;
    return NULL;
}

enum store_special imap_special_of(struct slice attribute)
{
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++)
        if (slice_ieq(attribute, slice_str(uses[i].attribute + 1)))
            return uses[i].special;
    return SPECIAL_NONE;
}

/* ---- arguments ---- */

static bool arg_selection(struct imap_cmd *c, struct list_state *st)
{
    if (!imap_arg_byte(c, '('))
        return false;
    for (bool first = true; !imap_arg_byte(c, ')'); first = false) {
        if (!first && !imap_arg_space(c))
            return false;
        if (imap_arg_word(c, "SUBSCRIBED"))
            st->options |= SELECT_SUBSCRIBED;
        else if (imap_arg_word(c, "REMOTE"))
            st->options |= SELECT_REMOTE;
        else if (imap_arg_word(c, "RECURSIVEMATCH"))
            st->options |= SELECT_RECURSIVEMATCH;
        else if (imap_arg_word(c, "SPECIAL-USE"))
            st->options |= SELECT_SPECIAL_USE;
        else
            return false;
    }
    /* RFC 5258 3.1: it modifies others, and does nothing alone */
    if (st->options & SELECT_RECURSIVEMATCH &&
        !(st->options & (SELECT_SUBSCRIBED | SELECT_SPECIAL_USE))) {
        c->complaint = "RECURSIVEMATCH needs something to match";
        return false;
    }
    return imap_arg_space(c);
}

static bool arg_return(struct imap_cmd *c, struct list_state *st)
{
    if (!imap_arg_word(c, "RETURN") || !imap_arg_space(c) || !imap_arg_byte(c, '('))
        return false;
    for (bool first = true; !imap_arg_byte(c, ')'); first = false) {
        if (!first && !imap_arg_space(c))
            return false;
        if (imap_arg_word(c, "SUBSCRIBED")) {
            st->options |= RETURN_SUBSCRIBED;
        } else if (imap_arg_word(c, "CHILDREN")) {
            st->options |= RETURN_CHILDREN;
        } else if (imap_arg_word(c, "SPECIAL-USE")) {
            st->options |= RETURN_SPECIAL_USE;
        } else if (imap_arg_word(c, "STATUS")) {
            st->options |= RETURN_STATUS;
            if (!imap_arg_space(c) || !imap_arg_status_items(c, &st->items))
                return false;
        } else {
            return false;
        }
    }
    return true;
}

/*
 * A pattern that no name can have is silently ignored (RFC 9051 6.3.9). False: it was no such, but
 * a mistake of syntax.
 */
static bool passed_over(struct imap_cmd *c)
{
    if (!c->refusal)
        return false;
    c->refusal = c->complaint = NULL;
    return true;
}

static bool add_pattern(struct imap_session *s, struct imap_cmd *c, struct list_state *st,
                        struct slice reference)
{
    struct buf both = buf_make(2 * LONGEST_PATTERN);
    struct slice pattern;

    if (!imap_arg_list_mailbox(s, c, &pattern))
        return passed_over(c);
    if (!st->possible || pattern.len > LONGEST_PATTERN || reference.len > LONGEST_PATTERN)
        return true;
    buf_put(&both, reference);
    buf_put(&both, pattern);
    if ((st->n_globs & (st->n_globs - 1)) == 0)
        st->globs = arena_grow(&c->arena, st->globs, st->n_globs, st->n_globs ? st->n_globs : 1,
                               sizeof *st->globs);
    st->globs[st->n_globs++] = imap_glob_make(buf_slice(&both), &c->arena);
    buf_done(&both);
    return true;
}

static bool arg_patterns(struct imap_session *s, struct imap_cmd *c, struct list_state *st,
                         struct slice reference)
{
    if (!imap_arg_byte(c, '('))
        return add_pattern(s, c, st, reference);
    do {
        if (!add_pattern(s, c, st, reference))
            return false;
    } while (imap_arg_byte(c, ' '));
    return imap_arg_byte(c, ')');
}

/* LIST "" "": what is the delimiter? */
static bool asks_for_delimiter(const struct imap_cmd *c, bool lsub)
{
    return !lsub && (slice_eq(c->rest, S("\"\"")) || slice_eq(c->rest, S("{0}\r\n")) ||
                     slice_eq(c->rest, S("{0+}\r\n")));
}

static bool arg_list(struct imap_session *s, struct imap_cmd *c, struct list_state *st,
                     bool *delimiter)
{
    struct slice reference = SLICE_EMPTY;

    if (!st->lsub && imap_arg_peek(c, '(') && !arg_selection(c, st))
        return false;
    st->possible = imap_arg_mailbox(s, c, &reference);
    if ((!st->possible && !passed_over(c)) || !imap_arg_space(c))
        return false;
    *delimiter = !st->options && asks_for_delimiter(c, st->lsub);
    if (!(st->lsub ? add_pattern(s, c, st, reference) : arg_patterns(s, c, st, reference)))
        return false;
    if (!st->lsub && c->rest.len && (!imap_arg_space(c) || !arg_return(c, st)))
        return false;
    return imap_arg_end(c);
}

/* ---- rows ---- */

/* RFC 5258 3: what is to be returned of names adds none to those that are selected. */
static bool selects_subscriptions(const struct list_state *st)
{
    return st->lsub || st->options & SELECT_SUBSCRIBED;
}

/* Entries come each before its children: the last one of the level above is the parent. */
static void rows_of_folders(struct imap_cmd *c, struct list_state *st,
                            const struct store_folder_entry *entries, size_t n)
{
    uint32_t deepest = 0;

    for (size_t i = 0; i < n; i++)
        deepest = entries[i].depth > deepest ? entries[i].depth : deepest;
    struct row **above = arena_array(&c->arena, (size_t)deepest + 2, sizeof *above);
    st->rows = arena_array(&c->arena, n, sizeof *st->rows);
    for (size_t i = 0; i < n; i++) {
        const struct store_folder_entry *entry = &entries[i];

        if (!entry->folder.visible) {
            above[entry->depth + 1] = NULL;
            continue;
        }
        if (above[entry->depth])
            above[entry->depth]->has_children = true;
        above[entry->depth + 1] = &st->rows[st->n];
        st->rows[st->n++] = (struct row){
            .path = entry->path,
            .folder = &entry->folder,
            .subscribed = entry->folder.subscribed,
        };
    }
}

static int by_path(const void *a, const void *b)
{
    const struct row *ra = a, *rb = b;
    int order = slice_order(ra->path, rb->path);

    /* What exists comes first, then what is subscribed: see unique(). */
    if (order == 0)
        order = (ra->folder == NULL) - (rb->folder == NULL);
    return order ? order : rb->subscribed - ra->subscribed;
}

static void unique(struct list_state *st)
{
    size_t kept = 0;

    qsort(st->rows, st->n, sizeof *st->rows, by_path);
    for (size_t i = 0; i < st->n; i++) {
        if (kept && slice_eq(st->rows[kept - 1].path, st->rows[i].path))
            st->rows[kept - 1].subscribed |= st->rows[i].subscribed;
        else
            st->rows[kept++] = st->rows[i];
    }
    st->n = kept;
}

static size_t levels(struct slice path)
{
    size_t n = 1;

    for (size_t i = 0; i < path.len; i++)
        n += path.ptr[i] == '/';
    return n;
}

static struct slice parent_of(struct slice path)
{
    while (path.len && path.ptr[path.len - 1] != '/')
        path.len--;
    return slice_head(path, path.len ? path.len - 1 : 0);
}

static struct row *row_at(struct list_state *st, struct slice path)
{
    size_t low = 0, high = st->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = slice_order(st->rows[mid].path, path);

        if (order == 0)
            return &st->rows[mid];
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

/* Names that are subscribed to, and those above them, whether they exist or not. */
static struct err rows_of_subscriptions(struct imap_cmd *c, struct list_state *st,
                                        struct store_read *rd)
{
    struct slice *names;
    size_t n, more = 0;

    struct err e = store_subscriptions(rd, &c->arena, &names, &n);
    if (failed(e))
        return e;
    for (size_t i = 0; i < n; i++)
        more += levels(names[i]);
    st->rows = arena_grow(&c->arena, st->rows, st->n, more, sizeof *st->rows);
    for (size_t i = 0; i < n; i++) {
        st->rows[st->n++] = (struct row){.path = names[i], .subscribed = true};
        for (struct slice up = parent_of(names[i]); up.len; up = parent_of(up))
            st->rows[st->n++] = (struct row){.path = up};
    }
    unique(st);
    return OK;
}

/* ---- matching ---- */

static bool is_selected(const struct list_state *st, const struct row *row)
{
    if (selects_subscriptions(st) && !row->subscribed)
        return false;
    if (st->options & SELECT_SPECIAL_USE &&
        !(row->folder && imap_special_use(row->folder->special)))
        return false;
    return row->folder || row->subscribed;
}

static bool matches(const struct list_state *st, struct slice path, size_t *steps)
{
    for (size_t i = 0; i < st->n_globs; i++)
        if (imap_glob_match(&st->globs[i], path, steps))
            return true;
    return false;
}

/*
 * RECURSIVEMATCH (RFC 5258 3.1), and LSUB's "%" (RFC 3501 6.3.9): names above selected ones that
 * the patterns do not reach.
 */
static void mark_leading(struct list_state *st, size_t *steps)
{
    if (!st->lsub && !(st->options & SELECT_RECURSIVEMATCH))
        return;
    for (size_t i = 0; i < st->n; i++) {
        const struct row *row = &st->rows[i];

        if (!is_selected(st, row) || matches(st, row->path, steps))
            continue;
        for (struct slice up = parent_of(row->path); up.len; up = parent_of(up)) {
            struct row *above = row_at(st, up);

            if (above)
                above->leads = true;
        }
    }
}

static struct err make_rows(struct imap_session *s, struct imap_cmd *c, struct list_state *st)
{
    struct store_folder_entry *entries;
    struct store_read *rd;
    size_t n, steps = 0;

    struct err e = store_read_begin(s->mailbox, &rd);
    if (failed(e))
        return e;
    e = store_folder_list(rd, false, &c->arena, &entries, &n);
    if (!failed(e)) {
        rows_of_folders(c, st, entries, n);
        if (selects_subscriptions(st))
            e = rows_of_subscriptions(c, st, rd);
    }
    store_read_end(rd);
    if (!failed(e))
        mark_leading(st, &steps);
    return e;
}

/* ---- the answer ---- */

static void put_attribute(struct buf *out, const char *attribute, const char **separator)
{
    buf_puts(out, *separator);
    buf_puts(out, attribute);
    *separator = " ";
}

static void put_attributes(struct buf *out, const struct row *row, bool subscribed)
{
    const char *use = row->folder ? imap_special_use(row->folder->special) : NULL;
    const char *separator = "";

    buf_putc(out, '(');
    if (!row->folder)
        put_attribute(out, "\\NonExistent", &separator);
    else if (row->folder->noselect)
        put_attribute(out, "\\Noselect", &separator);
    if (row->folder)
        put_attribute(out, row->has_children ? "\\HasChildren" : "\\HasNoChildren", &separator);
    if (subscribed && row->subscribed)
        put_attribute(out, "\\Subscribed", &separator);
    if (use)
        put_attribute(out, use, &separator);
    buf_putc(out, ')');
}

static void put_child_info(struct buf *out, unsigned options)
{
    const char *separator = "";

    buf_puts(out, " (\"CHILDINFO\" (");
    if (options & SELECT_SUBSCRIBED)
        put_attribute(out, "\"SUBSCRIBED\"", &separator);
    if (options & SELECT_SPECIAL_USE)
        put_attribute(out, "\"SPECIAL-USE\"", &separator);
    buf_puts(out, "))");
}

static void put_name(struct imap_session *s, const struct row *row, unsigned options)
{
    buf_puts(s->out, "* LIST ");
    put_attributes(s->out, row, options & (SELECT_SUBSCRIBED | RETURN_SUBSCRIBED));
    buf_puts(s->out, " \"/\" ");
    imap_put_mailbox(s, s->out, row->path);
}

static void put_list_row(struct imap_session *s, const struct row *row, unsigned options)
{
    put_name(s, row, options);
    if (row->leads)
        put_child_info(s->out, options);
    buf_puts(s->out, "\r\n");
}

struct err imap_put_list(struct imap_session *s, struct store_read *rd,
                         const struct store_folder *folder, struct slice given, bool always)
{
    struct buf path = buf_make(65536);
    struct row row = {.folder = folder, .has_children = folder->has_children};

    struct err e = store_folder_path(rd, folder->fid, &path);
    row.path = buf_slice(&path);
    bool renamed = !failed(e) && !slice_eq(row.path, given);
    if (!failed(e) && (always || renamed)) {
        put_name(s, &row, 0);
        if (renamed) {
            buf_puts(s->out, " (\"OLDNAME\" (");
            imap_put_mailbox(s, s->out, given);
            buf_puts(s->out, "))");
        }
        buf_puts(s->out, "\r\n");
    }
    buf_done(&path);
    return e;
}

static void put_lsub_row(struct imap_session *s, const struct row *row)
{
    bool noselect = !row->subscribed || (row->folder && row->folder->noselect);

    buf_puts(s->out, noselect ? "* LSUB (\\Noselect) \"/\" " : "* LSUB () \"/\" ");
    imap_put_mailbox(s, s->out, row->path);
    buf_puts(s->out, "\r\n");
}

/* RFC 5819 2: what STATUS would say, where it would say something. */
static struct err put_row_status(struct imap_session *s, const struct row *row, unsigned items)
{
    struct store_read *rd;

    struct err e = store_read_begin(s->mailbox, &rd);
    if (failed(e))
        return e;
    e = imap_put_status(s, rd, row->path, row->folder, items);
    store_read_end(rd);
    return e;
}

static struct err put_row(struct imap_session *s, const struct list_state *st,
                          const struct row *row)
{
    bool chosen = is_selected(st, row);

    if (!chosen && !row->leads)
        return OK;
    if (st->lsub) {
        put_lsub_row(s, row);
        return OK;
    }
    put_list_row(s, row, st->options);
    if (st->options & RETURN_STATUS && chosen && row->folder && !row->folder->noselect)
        return put_row_status(s, row, st->items);
    return OK;
}

static enum imap_step go_on(struct imap_session *s, struct imap_cmd *c)
{
    struct list_state *st = c->state;
    size_t steps = 0;

    for (; st->at < st->n; st->at++) {
        if (imap_room(s) == 0 || steps > STEPS_PER_TURN)
            return STEP_MORE;
        const struct row *row = &st->rows[st->at];
        if (!matches(st, row->path, &steps))
            continue;
        struct err e = put_row(s, st, row);
        if (failed(e))
            return imap_no_err(s, c, e);
    }
    return imap_ok(c, "Done");
}

/* One name without wildcards: a look-up, not a walk. */
static struct err list_one(struct imap_session *s, struct imap_cmd *c, struct list_state *st)
{
    struct store_folder *folder = arena_alloc(&c->arena, sizeof *folder);
    struct slice path = slice_of(st->globs[0].items, st->globs[0].n);
    struct buf real = buf_make(65536);
    struct store_read *rd;

    struct err e = store_read_begin(s->mailbox, &rd);
    if (failed(e))
        return e;
    e = store_folder_find(rd, path, folder);
    if (!failed(e))
        e = store_folder_path(rd, folder->fid, &real);
    if (!failed(e) && folder->visible) {
        st->rows = arena_alloc(&c->arena, sizeof *st->rows);
        st->rows[0] = (struct row){
            .path = arena_slice(&c->arena, buf_slice(&real)),
            .folder = folder,
            .subscribed = folder->subscribed,
            .has_children = folder->has_children,
        };
        st->n = 1;
    }
    store_read_end(rd);
    buf_done(&real);
    return e.code == ERR_NOT_FOUND || e.code == ERR_INVALID ? OK : e;
}

static bool names_one(const struct list_state *st)
{
    return st->n_globs == 1 && !st->globs[0].wild && !st->lsub &&
           !(st->options & (SELECT_SUBSCRIBED | SELECT_RECURSIVEMATCH));
}

static enum imap_step list(struct imap_session *s, struct imap_cmd *c, bool lsub)
{
    struct list_state *st = arena_alloc(&c->arena, sizeof *st);
    bool delimiter = false;

    st->lsub = lsub;
    c->state = st;
    if (!arg_list(s, c, st, &delimiter))
        return imap_bad_args(c);
    if (delimiter) {
        buf_puts(s->out, "* LIST (\\Noselect) \"/\" \"\"\r\n");
        return imap_ok(c, "Done");
    }
    struct err e = names_one(st) ? list_one(s, c, st) : make_rows(s, c, st);
    if (failed(e))
        return imap_no_err(s, c, e);
    c->resume = go_on;
    return go_on(s, c);
}

enum imap_step imap_cmd_list(struct imap_session *s, struct imap_cmd *c)
{
    return list(s, c, false);
}

enum imap_step imap_cmd_lsub(struct imap_session *s, struct imap_cmd *c)
{
    return list(s, c, true);
}
