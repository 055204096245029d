#include "store/mime/mime_int.h"

#include <assert.h>

/* ---- fields ---- */

/* The length of "name" in front of "name:", or 0. Anything but controls and spaces may be in it. */
static size_t field_name_length(struct slice line, size_t *colon)
{
    size_t n = 0;

    while (n < line.len && line.ptr[n] > ' ' && line.ptr[n] != ':' && line.ptr[n] != 0x7F)
        n++;
    size_t at = n;
    while (at < line.len && is_blank(line.ptr[at]))
        at++;
    if (at >= line.len || line.ptr[at] != ':')
        return 0;
    *colon = at;
    return n;
}

/* The length of a line of `first` bytes and of those that continue it. */
static size_t folded_length(struct slice s, size_t first)
{
    size_t len = first;

    while (len < s.len && is_blank(s.ptr[len]))
        len += line_length(slice_from(s, len));
    return len;
}

static bool is_empty_line(const uint8_t *line, size_t len)
{
    return (len == 1 && line[0] == '\n') || (len == 2 && line[0] == '\r' && line[1] == '\n');
}

/* The field that begins with the line of `first` bytes, if one does. */
static bool read_field(struct slice s, size_t first, struct mime_field *out)
{
    size_t colon = 0;
    size_t name = field_name_length(slice_head(s, first), &colon);

    if (name == 0)
        return false;
    out->all = slice_head(s, folded_length(s, first));
    out->name = slice_head(out->all, name);
    out->value = line_chomp(slice_from(out->all, colon + 1));
    return true;
}

bool mime_next_field(struct slice *header, struct mime_field *out)
{
    while (header->len) {
        size_t first = line_length(*header);

        if (is_empty_line(header->ptr, first))
            return false;
        bool found = read_field(*header, first, out);
        *header = slice_from(*header, found ? out->all.len : first);
        if (found)
            return true;
    }
    return false;
}

/* Most lines are passed over by their first letter. */
bool mime_next_named(struct slice *header, struct slice name, struct mime_field *out)
{
    while (header->len && name.len) {
        struct slice at = *header;
        size_t first = line_length(at);
        struct mime_field field;

        if (is_empty_line(at.ptr, first))
            return false;
        *header = slice_from(at, first);
        if (ascii_lower(at.ptr[0]) == ascii_lower(name.ptr[0]) && first > name.len &&
            read_field(at, first, &field) && slice_ieq(field.name, name)) {
            *out = field;
            return true;
        }
    }
    return false;
}

bool mime_get_field(struct slice header, struct slice name, struct mime_field *out)
{
    return mime_next_named(&header, name, out);
}

/* Bytes of the line end at `at` if a blank follows it, else 0. */
static size_t fold_at(struct slice s, size_t at)
{
    size_t end = at;

    if (end < s.len && s.ptr[end] == '\r')
        end++;
    if (end >= s.len || s.ptr[end] != '\n')
        return 0;
    end++;
    return end < s.len && is_blank(s.ptr[end]) ? end - at : 0;
}

struct slice mime_unfold(struct slice value, struct arena *in)
{
    if (slice_index(value, '\n') == value.len)
        return value;
    uint8_t *to = arena_alloc(in, value.len);
    size_t len = 0;
    for (size_t i = 0; i < value.len;) {
        size_t fold = fold_at(value, i);

        i += fold;
        if (!fold)
            to[len++] = value.ptr[i++];
    }
    return slice_of(to, len);
}

/* ---- words ---- */

struct slice mime_trim(struct slice s)
{
    while (s.len && is_space(s.ptr[0]))
        s = slice_from(s, 1);
    while (s.len && is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

bool mime_is_ascii(struct slice s)
{
    size_t i = 0;

    for (; i + 32 <= s.len; i += 32) {
        uint64_t w[4];

        memcpy(w, s.ptr + i, sizeof w);
        if ((w[0] | w[1] | w[2] | w[3]) & 0x8080808080808080u)
            return false;
    }
    for (; i < s.len; i++)
        if (s.ptr[i] & 0x80)
            return false;
    return true;
}

static void words_copy(struct words *w, struct slice piece)
{
    assert(w->copy || (w->cap == 0 && w->len == 0));
    if (piece.len > w->cap - w->len) {
        size_t cap = w->cap ? w->cap : 64;

        while (cap < w->len + piece.len)
            cap *= 2;
        uint8_t *bigger = arena_alloc(w->in, cap);
        if (w->len)
            memcpy(bigger, w->copy, w->len);
        w->copy = bigger;
        w->cap = cap;
    }
    if (piece.len)
        memcpy(w->copy + w->len, piece.ptr, piece.len);
    w->len += piece.len;
}

void words_add(struct words *w, struct slice piece)
{
    w->any = true;
    if (piece.len == 0)
        return;
    if (w->copy) {
        words_copy(w, piece);
    } else if (w->direct.len == 0) {
        w->direct = piece;
    } else if (w->direct.ptr + w->direct.len == piece.ptr) {
        w->direct.len += piece.len;
    } else {
        words_copy(w, w->direct);
        words_copy(w, piece);
    }
}

void words_add_byte(struct words *w, uint8_t byte)
{
    struct slice d = w->direct;

    w->any = true;
    if (!w->copy && d.len)
        words_copy(w, d);
    words_copy(w, slice_of(&byte, 1));
}

struct slice words_slice(const struct words *w)
{
    return w->copy ? slice_of(w->copy, w->len) : w->direct;
}

void mime_take_comment(struct slice *s, struct words *text)
{
    size_t depth = 1, i = 1, from = 1;

    for (; i < s->len; i++) {
        uint8_t c = s->ptr[i];

        if (c == '(') {
            depth++;
        } else if (c == ')') {
            if (--depth == 0)
                break;
        } else if (c == '\\' && i + 1 < s->len) {
            if (text)
                words_add(text, slice_sub(*s, from, i - from));
            from = ++i;
        }
    }
    if (text)
        words_add(text, slice_sub(*s, from, i - from));
    *s = slice_from(*s, i + 1);
}

void mime_skip_cfws(struct slice *s)
{
    while (s->len) {
        if (is_space(s->ptr[0]))
            *s = slice_from(*s, 1);
        else if (s->ptr[0] == '(')
            mime_take_comment(s, NULL);
        else
            return;
    }
}

void mime_take_quoted(struct slice *s, struct words *text)
{
    size_t i = 1, from = 1;

    for (; i < s->len && s->ptr[i] != '"'; i++) {
        uint8_t c = s->ptr[i];

        if (c == '\\' && i + 1 < s->len) {
            words_add(text, slice_sub(*s, from, i - from));
            from = ++i;
        } else if (c == '\r' || c == '\n') {
            words_add(text, slice_sub(*s, from, i - from));
            from = i + 1;
        }
    }
    words_add(text, slice_sub(*s, from, i - from));
    *s = slice_from(*s, i + 1);
}
