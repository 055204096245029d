/*
 * cmd_search.c - SEARCH and UID SEARCH, answered by SEARCH or by ESEARCH (RFC 4731, RFC 9051).
 */
#include "protocols/imap/handlers.h"
#include "protocols/imap/search.h"

enum search_return {
    RETURN_MIN = 1 << 0,
    RETURN_MAX = 1 << 1,
    RETURN_ALL = 1 << 2,
    RETURN_COUNT = 1 << 3,
    RETURN_SAVE = 1 << 4,
};

/* clang-format off */
static const struct {
    const char *word;
    unsigned option;
} return_options[] = {
    { "MIN",   RETURN_MIN   },
    { "MAX",   RETURN_MAX   },
    { "ALL",   RETURN_ALL   },
    { "COUNT", RETURN_COUNT },
    { "SAVE",  RETURN_SAVE  },
};
/* clang-format on */

struct cmd_search {
    struct search search;
    bool extended; /* ESEARCH */
    unsigned want;
    struct uidset numbers; /* the hits, as the answer calls them */
    struct buf head, tail; /* of the answer, around its list of numbers */
    size_t run;            /* where the answer stands */
    uint64_t next;
    bool saving, told_head;
};

static void search_cleanup(struct imap_cmd *c)
{
    struct cmd_search *cs = c->state;

    search_done(&cs->search);
    uidset_done(&cs->numbers);
    buf_done(&cs->head);
    buf_done(&cs->tail);
}

/* ---- the answer ---- */

/* The hits as sequence numbers. */
static void number_hits(const struct store_view *view, const struct uidset *hits,
                        struct uidset *numbers)
{
    for (size_t i = 0; i < hits->n; i++) {
        uint32_t first = store_view_seq(view, hits->runs[i].first);

        uidset_add(numbers, first, first + (hits->runs[i].last - hits->runs[i].first));
    }
}

/* RFC 7162 3.1.5, 3.1.10: the greatest of what is told. */
static uint64_t told_modseq(const struct cmd_search *cs)
{
    const struct search *search = &cs->search;
    uint64_t modseq = 0;

    if (!cs->extended || cs->want & (RETURN_ALL | RETURN_COUNT))
        return search->modseq_all;
    if (cs->want & RETURN_MIN)
        modseq = search->modseq_min;
    if (cs->want & RETURN_MAX && search->modseq_max > modseq)
        modseq = search->modseq_max;
    return modseq;
}

static void make_plain(struct cmd_search *cs)
{
    buf_puts(&cs->head, "* SEARCH");
    if (cs->search.modseq && cs->numbers.n)
        buf_printf(&cs->tail, " (MODSEQ %llu)", (unsigned long long)told_modseq(cs));
    buf_puts(&cs->tail, "\r\n");
}

static void make_extended(struct imap_cmd *c, struct cmd_search *cs)
{
    const struct uidset *numbers = &cs->numbers;

    buf_puts(&cs->head, "* ESEARCH (TAG ");
    imap_put_string(&cs->head, c->tag);
    buf_puts(&cs->head, c->def->flags & CMD_UID ? ") UID" : ")");
    if (numbers->n && cs->want & RETURN_MIN)
        buf_printf(&cs->head, " MIN %u", numbers->runs[0].first);
    if (numbers->n && cs->want & RETURN_MAX)
        buf_printf(&cs->head, " MAX %u", numbers->runs[numbers->n - 1].last);
    if (cs->want & RETURN_COUNT)
        buf_printf(&cs->head, " COUNT %llu", (unsigned long long)uidset_count(numbers));
    if (numbers->n && cs->search.modseq && cs->want & ~(unsigned)RETURN_SAVE)
        buf_printf(&cs->tail, " MODSEQ %llu", (unsigned long long)told_modseq(cs));
    buf_puts(&cs->tail, "\r\n");
}

/* " 2 3 5", as far as there is room. True: that was all. */
static bool put_each(struct imap_session *s, struct cmd_search *cs)
{
    for (; cs->run < cs->numbers.n; cs->run++) {
        const struct uid_run *run = &cs->numbers.runs[cs->run];

        if (cs->next < run->first)
            cs->next = run->first;
        for (; cs->next <= run->last; cs->next++) {
            if (imap_room(s) == 0)
                return false;
            buf_putc(s->out, ' ');
            buf_put_u64(s->out, cs->next);
        }
    }
    return true;
}

/* " ALL 2:3,5", as far as there is room. */
static bool put_runs(struct imap_session *s, struct cmd_search *cs)
{
    for (; cs->run < cs->numbers.n; cs->run++) {
        const struct uid_run *run = &cs->numbers.runs[cs->run];

        if (imap_room(s) == 0)
            return false;
        buf_puts(s->out, cs->run ? "," : " ALL ");
        buf_put_u64(s->out, run->first);
        if (run->last == run->first)
            continue;
        buf_putc(s->out, ':');
        buf_put_u64(s->out, run->last);
    }
    return true;
}

/* What could be told was told; that a message could not be looked at is no success. */
static enum imap_step end_search(struct imap_session *s, struct imap_cmd *c)
{
    struct cmd_search *cs = c->state;

    if (failed(cs->search.trouble)) {
        if (cs->want & RETURN_SAVE)
            uidset_clear(&s->selected->saved); /* RFC 5182 2.1 */
        return imap_no_err(s, c, cs->search.trouble);
    }
    return imap_ok(c, "SEARCH completed");
}

static enum imap_step put_hits(struct imap_session *s, struct imap_cmd *c)
{
    struct cmd_search *cs = c->state;

    if (!cs->told_head) {
        buf_put(s->out, buf_slice(&cs->head));
        cs->told_head = true;
    }
    bool complete = !cs->extended           ? put_each(s, cs)
                    : cs->want & RETURN_ALL ? put_runs(s, cs)
                                            : true;
    c->mid_line = !complete;
    if (!complete)
        return STEP_MORE;
    buf_put(s->out, buf_slice(&cs->tail));
    return end_search(s, c);
}

/* ---- $ ---- */

/*
 * RFC 5182 2.1, 2.4: $ becomes the result; of MIN and MAX alone, only these.
 */
static void save_hits(struct imap_session *s, const struct cmd_search *cs)
{
    struct uidset *saved = &s->selected->saved;
    const struct uidset *hits = &cs->search.hits;

    uidset_clear(saved);
    if (cs->want & (RETURN_ALL | RETURN_COUNT) || !(cs->want & (RETURN_MIN | RETURN_MAX))) {
        uidset_copy(saved, hits);
        return;
    }
    if (hits->n && cs->want & RETURN_MIN)
        uidset_add(saved, hits->runs[0].first, hits->runs[0].first);
    if (hits->n && cs->want & RETURN_MAX)
        uidset_add(saved, hits->runs[hits->n - 1].last, hits->runs[hits->n - 1].last);
}

static enum imap_step search_failed(struct imap_session *s, struct imap_cmd *c, struct err e)
{
    struct cmd_search *cs = c->state;

    if (cs->want & RETURN_SAVE)
        uidset_clear(&s->selected->saved); /* RFC 5182 2.1 */
    return imap_no_err(s, c, e);
}

/* ---- the command ---- */

static enum imap_step search_more(struct imap_session *s, struct imap_cmd *c)
{
    struct cmd_search *cs = c->state;
    bool complete = false;
    struct err e = search_run(s, &cs->search, &complete);

    if (failed(e))
        return search_failed(s, c, e);
    if (!complete)
        return STEP_MORE;
    if (cs->want & RETURN_SAVE)
        save_hits(s, cs);
    if (cs->want == RETURN_SAVE) /* RFC 5182 2.1: then nothing is told */
        return end_search(s, c);
    if (c->def->flags & CMD_UID)
        uidset_copy(&cs->numbers, &cs->search.hits);
    else
        number_hits(s->selected->view, &cs->search.hits, &cs->numbers);
    if (cs->extended)
        make_extended(c, cs);
    else
        make_plain(cs);
    c->resume = put_hits;
    return put_hits(s, c);
}

static bool parse_option(struct imap_cmd *c, unsigned *want)
{
    for (size_t i = 0; i < sizeof return_options / sizeof return_options[0]; i++) {
        if (!imap_arg_word(c, return_options[i].word))
            continue;
        *want |= return_options[i].option;
        return true;
    }
    c->complaint = "Unknown option of RETURN";
    return false;
}

/* "RETURN (MIN COUNT) " */
static bool parse_return(struct imap_session *s, struct imap_cmd *c, struct cmd_search *cs)
{
    cs->extended = s->rev2; /* RFC 9051 6.4.4: SEARCH is never answered by SEARCH */
    if (!imap_arg_word(c, "RETURN")) {
        cs->want = RETURN_ALL;
        return true;
    }
    cs->extended = true;
    if (!imap_arg_space(c) || !imap_arg_byte(c, '('))
        return false;
    if (!imap_arg_byte(c, ')')) {
        do {
            if (!parse_option(c, &cs->want))
                return false;
        } while (imap_arg_byte(c, ' '));
        if (!imap_arg_byte(c, ')'))
            return false;
    }
    if (cs->want == 0)
        cs->want = RETURN_ALL; /* RFC 4731 3.1 */
    return imap_arg_space(c);
}

enum imap_step imap_cmd_search(struct imap_session *s, struct imap_cmd *c)
{
    struct cmd_search *cs = arena_alloc(&c->arena, sizeof *cs);

    cs->head = cs->tail = buf_make(SIZE_MAX);
    c->state = cs;
    c->cleanup = search_cleanup;
    if (!parse_return(s, c, cs) || !search_parse(s, c, &cs->search)) {
        if (c->refusal && cs->want & RETURN_SAVE)
            uidset_clear(&s->selected->saved);
        return imap_bad_args(c);
    }
    cs->search.first_only = cs->want == RETURN_MIN || cs->want == (RETURN_MIN | RETURN_SAVE);
    c->resume = search_more;
    return search_more(s, c);
}
