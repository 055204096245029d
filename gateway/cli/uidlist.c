#include "gateway/cli/uidlist.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

enum { UIDLIST_VERSION = 3 };

/* A file's name without the flags behind it. */
static struct slice base_name(struct slice file)
{
    size_t flags = slice_find(file, S(":2,"));

    return slice_head(file, flags);
}

static bool take_header(struct slice line, uint32_t *uidvalidity)
{
    uint32_t version;

    if (!slice_to_u32(slice_cut(&line, ' '), &version) || version != UIDLIST_VERSION)
        return false;
    while (line.len) {
        struct slice word = slice_cut(&line, ' ');

        if (slice_starts(word, S("V")))
            return slice_to_u32(slice_from(word, 1), uidvalidity);
    }
    return false;
}

static void take_entry(struct uidlist *list, struct slice line, uint32_t uidvalidity)
{
    size_t end = slice_find(line, S(" :")); /* a UIDL may have colons, too */
    struct slice words = slice_head(line, end);
    struct slice file = base_name(slice_from(line, end + 2)), uidl = SLICE_EMPTY;
    bool said = false;
    char usual[32];
    uint32_t uid;

    if (!slice_to_u32(slice_cut(&words, ' '), &uid) || file.len == 0)
        return;
    while (words.len && !said) {
        struct slice word = slice_cut(&words, ' ');

        said = slice_starts(word, S("P"));
        if (said)
            uidl = word.len > 1 ? slice_from(word, 1) : file;
    }
    snprintf(usual, sizeof usual, "%08x%08x", uid, uidvalidity); /* %08Xu%08Xv, in its words */
    if (list->n == list->room) {
        list->room = list->room ? 2 * list->room : 64;
        list->entries = mem_grow(list->entries, list->room, sizeof *list->entries);
    }
    list->entries[list->n++] = (struct uidlist_entry){
        .file = arena_slice(&list->arena, file),
        .uidl = arena_slice(&list->arena, said ? uidl : slice_str(usual)),
    };
}

static int by_file(const void *a, const void *b)
{
    const struct uidlist_entry *one = a, *other = b;

    return slice_order(one->file, other->file);
}

void uidlist_read(const char *dir, struct uidlist *out)
{
    char path[8192], *line = NULL;
    uint32_t uidvalidity = 0;
    size_t room = 0;

    *out = (struct uidlist){.arena = ARENA_INIT};
    snprintf(path, sizeof path, "%s/dovecot-uidlist", dir);
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    while (getline(&line, &room, file) >= 0) {
        struct slice text = slice_head(slice_str(line), strcspn(line, "\r\n"));

        if (uidvalidity)
            take_entry(out, text, uidvalidity);
        else if (!take_header(text, &uidvalidity))
            break;
    }
    free(line);
    fclose(file);
    if (out->n)
        qsort(out->entries, out->n, sizeof *out->entries, by_file);
}

void uidlist_done(struct uidlist *list)
{
    free(list->entries);
    arena_done(&list->arena);
}

struct slice uidlist_find(const struct uidlist *list, const char *file)
{
    const struct uidlist_entry wanted = {.file = base_name(slice_str(file))};
    const struct uidlist_entry *found =
        list->n ? bsearch(&wanted, list->entries, list->n, sizeof wanted, by_file) : NULL;

    return found ? found->uidl : SLICE_EMPTY;
}
