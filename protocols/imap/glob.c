#include "protocols/imap/glob.h"

static bool is_wild(uint8_t c)
{
    return c == '*' || c == '%';
}

struct imap_glob imap_glob_make(struct slice pattern, struct arena *in)
{
    uint8_t *items = arena_alloc(in, pattern.len + 1);
    struct imap_glob glob = {.items = items};

    for (size_t i = 0; i < pattern.len; i++) {
        uint8_t c = pattern.ptr[i];

        if (is_wild(c) && glob.n && is_wild(items[glob.n - 1])) {
            if (c == '*')
                items[glob.n - 1] = '*';
            continue;
        }
        glob.wild |= is_wild(c);
        items[glob.n++] = c;
    }
    glob.row = arena_alloc(in, glob.n + 1);
    return glob;
}

/* How many bytes at the front compare without case. */
static size_t inbox_len(struct slice path)
{
    bool inbox =
        slice_istarts(path, S("INBOX")) && (path.len == 5 || (path.len > 5 && path.ptr[5] == '/'));

    return inbox ? 5 : 0;
}

/*
 * row[j] says whether the first j items match what was read of the path. Each byte makes the next
 * row of it in place; `diagonal` is the old row[j - 1].
 */
static bool next_row(const struct imap_glob *glob, uint8_t byte, bool fold)
{
    uint8_t *row = glob->row;
    uint8_t diagonal = row[0], any = 0;

    row[0] = 0;
    for (size_t j = 1; j <= glob->n; j++) {
        uint8_t item = glob->items[j - 1], old = row[j];

        if (is_wild(item))
            row[j] = row[j - 1] || (old && (item == '*' || byte != '/'));
        else
            row[j] = diagonal && (item == byte || (fold && ascii_lower(item) == ascii_lower(byte)));
        any |= row[j];
        diagonal = old;
    }
    return any;
}

bool imap_glob_match(const struct imap_glob *glob, struct slice path, size_t *steps)
{
    size_t fold = inbox_len(path);

    glob->row[0] = 1;
    for (size_t j = 1; j <= glob->n; j++)
        glob->row[j] = glob->row[j - 1] && is_wild(glob->items[j - 1]);
    *steps += glob->n;
    for (size_t i = 0; i < path.len; i++) {
        *steps += glob->n;
        if (!next_row(glob, path.ptr[i], i < fold))
            return false;
    }
    return glob->row[glob->n];
}
