#include "protocols/imap/imap_int.h"

#include "base/clock.h"

enum { LONGEST_QUOTED = 1024 };

void imap_put_long(struct imap_session *s, struct slice line)
{
    size_t fits = imap_room(s);

    if (s->out == &s->spill || line.len <= fits) {
        buf_put(s->out, line);
        return;
    }
    buf_put(s->out, slice_head(line, fits));
    s->out = &s->spill;
    s->high = 0;
    buf_put(s->out, slice_from(line, fits));
}

static bool fits_quoted(struct slice s, bool utf8)
{
    if (s.len > LONGEST_QUOTED)
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] == 0 || s.ptr[i] == '\r' || s.ptr[i] == '\n' || (s.ptr[i] >= 0x80 && !utf8))
            return false;
    return true;
}

static void put_quoted(struct buf *out, struct slice s)
{
    size_t from = 0;

    buf_putc(out, '"');
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] == '"' || s.ptr[i] == '\\') {
            buf_put(out, slice_sub(s, from, i - from));
            buf_putc(out, '\\');
            from = i;
        }
    buf_put(out, slice_from(s, from));
    buf_putc(out, '"');
}

static void put_literal(struct buf *out, struct slice s)
{
    buf_putc(out, '{');
    buf_put_u64(out, s.len);
    buf_puts(out, "}\r\n");
    buf_put(out, s);
}

void imap_put_string(struct buf *out, struct slice s)
{
    if (fits_quoted(s, false))
        put_quoted(out, s);
    else
        put_literal(out, s);
}

/* An atom that nobody can take for anything else. */
static bool is_plain(struct slice s)
{
    if (s.len == 0 || s.len > LONGEST_QUOTED || slice_ieq(s, S("NIL")))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];

        if (c <= 0x20 || c >= 0x7F || strchr("(){%*\"\\]", c))
            return false;
    }
    return true;
}

void imap_put_astring(struct buf *out, struct slice s)
{
    if (is_plain(s))
        buf_put(out, s);
    else
        imap_put_string(out, s);
}

void imap_put_mailbox(struct imap_session *s, struct buf *out, struct slice path)
{
    struct buf name = buf_make(path.len * 4 + 16);

    if (is_plain(path) && slice_index(path, '&') == path.len) {
        buf_put(out, path);
        return;
    }
    if (s->utf8 || s->rev2) {
        if (fits_quoted(path, true))
            put_quoted(out, path);
        else
            put_literal(out, path);
        return;
    }
    imap_utf8_to_utf7(path, &name);
    imap_put_string(out, buf_slice(&name));
    buf_done(&name);
}

static void two_digits(uint8_t *at, int n)
{
    at[0] = (uint8_t)('0' + n / 10 % 10);
    at[1] = (uint8_t)('0' + n % 10);
}

/* By hand: a FETCH of a large mailbox asks for one of every message. */
void imap_put_date_time(struct buf *out, uint64_t filetime, int16_t zone)
{
    static const char form[] = "\"00-Mon-0000 00:00:00 +0000\"";
    struct civil c = civil_from_unix(filetime_to_unix(filetime) + zone * 60);
    int minutes = zone < 0 ? -zone : zone;
    uint8_t *at = buf_reserve(out, sizeof form - 1);

    if (!at)
        return;
    memcpy(at, form, sizeof form - 1);
    two_digits(at + 1, c.day);
    memcpy(at + 4, clock_month_names[c.month - 1], 3);
    two_digits(at + 8, c.year / 100);
    two_digits(at + 10, c.year);
    two_digits(at + 13, c.hour);
    two_digits(at + 16, c.minute);
    two_digits(at + 19, c.second);
    at[22] = zone < 0 ? '-' : '+';
    two_digits(at + 23, minutes / 60);
    two_digits(at + 25, minutes % 60);
    buf_commit(out, sizeof form - 1);
}

void imap_put_system_flags(struct buf *out, unsigned flags, const char **separator)
{
    static const struct {
        const char *name;
        unsigned flag;
    } names[] = {
        {"\\Answered", FLAG_ANSWERED}, {"\\Flagged", FLAG_FLAGGED}, {"\\Deleted", FLAG_DELETED},
        {"\\Seen", FLAG_SEEN},         {"\\Draft", FLAG_DRAFT},
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (flags & names[i].flag) {
            buf_puts(out, *separator);
            buf_puts(out, names[i].name);
            *separator = " ";
        }
}

bool imap_is_recent(const struct imap_session *s, uint32_t uid)
{
    return s->selected && !s->rev2 && uidset_has(&s->selected->recent, uid);
}

struct err imap_put_flags(struct imap_session *s, struct store_read *rd,
                          const struct message_row *row, struct buf *out)
{
    const struct keyword_set *keywords = NULL;
    const char *separator = "";

    if (row->keyword_set) {
        struct err e = store_keywords(rd, row->keyword_set, &keywords);
        if (failed(e))
            return e;
    }
    buf_putc(out, '(');
    imap_put_system_flags(out, row->flags, &separator);
    for (uint32_t i = 0; keywords && i < keywords->n; i++) {
        buf_puts(out, separator);
        buf_put(out, keywords->names[i]);
        separator = " ";
    }
    if (imap_is_recent(s, row->uid)) {
        buf_puts(out, separator);
        buf_puts(out, "\\Recent");
    }
    buf_putc(out, ')');
    return OK;
}
