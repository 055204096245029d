#include "gateway/cli/mailfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "gateway/cli/uidlist.h"

struct reader {
    bool (*each)(void *ctx, const struct mailfile_message *message);
    void (*trouble)(void *ctx, const char *text);
    void *ctx;
    const char *path; /* of the file that is being read */
    unsigned number;  /* of messages in it so far */
    bool stopped;
};

enum { MESSAGE_MAX = 1 << 30, DEPTH_MAX = 64 };

/* ---- files as slices ---- */

struct file {
    struct slice bytes;
    void *map;
    struct stat st;
};

static void tell_trouble(struct reader *r, const char *path, const char *what)
{
    struct buf text = buf_make(16384);

    buf_printf(&text, "%s: %s", path, what);
    buf_putc(&text, 0);
    r->trouble(r->ctx, (const char *)text.data);
    buf_done(&text);
}

static bool file_open(struct reader *r, const char *path, struct file *f)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    *f = (struct file){.bytes = SLICE_EMPTY};
    if (fd < 0 || fstat(fd, &f->st) != 0 || !S_ISREG(f->st.st_mode)) {
        tell_trouble(r, path, fd < 0 ? strerror(errno) : "is no file");
        if (fd >= 0)
            close(fd);
        return false;
    }
    if (f->st.st_size > 0)
        f->map = mmap(NULL, (size_t)f->st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (f->map == MAP_FAILED) {
        tell_trouble(r, path, strerror(errno));
        return false;
    }
    f->bytes = slice_of(f->map, f->map ? (size_t)f->st.st_size : 0);
    r->path = path;
    r->number = 0;
    return true;
}

static void file_close(struct reader *r, struct file *f)
{
    if (f->map)
        munmap(f->map, (size_t)f->st.st_size);
    r->path = NULL;
}

/* ---- bytes as a message ---- */

/* Is this line `>From `, with one `>` or more? */
static bool is_quoted_from(struct slice line)
{
    size_t n = 0;

    while (n < line.len && line.ptr[n] == '>')
        n++;
    return n > 0 && slice_starts(slice_from(line, n), S("From "));
}

/* Lines with CRLF; a last line without an end keeps none. */
static void put_message(struct buf *out, struct slice in, bool unquote)
{
    while (in.len) {
        size_t end = slice_index(in, '\n');
        struct slice line = slice_head(in, end);

        if (unquote && is_quoted_from(line))
            line = slice_from(line, 1);
        buf_put(out, line);
        if (end < in.len)
            buf_puts(out, line.len && line.ptr[line.len - 1] == '\r' ? "\n" : "\r\n");
        in = slice_from(in, end + 1);
    }
}

static void tell(struct reader *r, struct slice raw, bool unquote, struct mailfile_message *m)
{
    struct buf bytes = buf_make(2 * (size_t)MESSAGE_MAX);

    put_message(&bytes, raw, unquote);
    m->bytes = buf_slice(&bytes);
    m->path = r->path;
    m->number = ++r->number;
    if (bytes.failed)
        tell_trouble(r, r->path, "has a message that is too big");
    else if (!r->each(r->ctx, m))
        r->stopped = true;
    buf_done(&bytes);
}

/* What older programs keep in the header: Status: RO, X-Status: AFDT. */
static uint16_t status_flags(struct slice header)
{
    static const struct {
        uint8_t letter;
        uint16_t flag;
    } letters[] = {{'R', FLAG_SEEN},
                   {'A', FLAG_ANSWERED},
                   {'F', FLAG_FLAGGED},
                   {'D', FLAG_DELETED},
                   {'T', FLAG_DRAFT}};
    const struct slice fields[] = {S("Status"), S("X-Status")};
    uint16_t flags = 0;

    for (size_t i = 0; i < 2; i++) {
        struct mime_field field;

        if (!mime_get_field(header, fields[i], &field))
            continue;
        for (size_t j = 0; j < sizeof letters / sizeof *letters; j++)
            if (slice_index(field.value, letters[j].letter) < field.value.len)
                flags |= letters[j].flag;
    }
    return flags;
}

/* ---- mbox ---- */

/* "From sender date": a colon between digits tells it from a sentence that begins with From. */
static bool is_separator(struct slice line)
{
    if (!slice_starts(line, S("From ")))
        return false;
    for (size_t i = 6; i + 1 < line.len; i++)
        if (line.ptr[i] == ':' && ascii_is_digit(line.ptr[i - 1]) &&
            ascii_is_digit(line.ptr[i + 1]))
            return true;
    return false;
}

/* The date behind the sender; the epoch is what some archives write instead of one. */
static uint64_t separator_date(struct slice line)
{
    struct slice rest = slice_from(line, 5);
    int64_t seconds;
    int zone;

    slice_cut(&rest, ' ');
    return mime_date(rest, &seconds, &zone) && seconds > 86400 ? filetime_from_unix(seconds) : 0;
}

static struct slice cut_line(struct slice *in)
{
    size_t end = slice_index(*in, '\n');
    struct slice line = slice_head(*in, end);

    *in = slice_from(*in, end + 1);
    if (line.len && line.ptr[line.len - 1] == '\r')
        line.len--;
    return line;
}

/* How long the message at the front is: to before the empty line in front of a separator. */
static size_t mbox_message_length(struct slice in, size_t *next)
{
    size_t at = 0, empty = SIZE_MAX; /* where the empty line just read began */

    while (at < in.len) {
        struct slice rest = slice_from(in, at), line = cut_line(&rest);

        if (empty != SIZE_MAX && is_separator(line)) {
            *next = at;
            return empty;
        }
        empty = line.len == 0 ? at : SIZE_MAX;
        at = in.len - rest.len;
    }
    *next = in.len;
    return empty != SIZE_MAX ? empty : in.len; /* the empty line behind the last one is mbox's */
}

/* Qpopper and those who took over its files keep it in the header. */
static struct slice header_uidl(struct slice header)
{
    struct mime_field field;

    return mime_get_field(header, S("X-UIDL"), &field) ? slice_trim(field.value) : SLICE_EMPTY;
}

static void read_mbox(struct reader *r, struct slice in)
{
    while (in.len && !r->stopped) {
        struct slice separator = cut_line(&in);
        size_t next, len = mbox_message_length(in, &next);
        struct mailfile_message m = {
            .folder = "",
            .flags = status_flags(slice_head(in, len)),
            .uidl = header_uidl(slice_head(in, len)),
            .internaldate = separator_date(separator),
        };

        tell(r, slice_head(in, len), true, &m);
        in = slice_from(in, next);
    }
}

static void read_single(struct reader *r, struct slice in)
{
    struct mailfile_message m = {.folder = ""};

    if (slice_starts(in, S(">From ")) || slice_starts(in, S("From ")))
        cut_line(&in);
    m.flags = status_flags(in);
    tell(r, in, false, &m);
}

static bool ends_in(const char *name, const char *ending)
{
    return slice_ends(slice_str(name), slice_str(ending));
}

static void read_file(struct reader *r, const char *path)
{
    struct file f;

    if (!file_open(r, path, &f))
        return;
    struct slice rest = f.bytes, first = cut_line(&rest);
    if (is_separator(first) && !ends_in(path, ".eml"))
        read_mbox(r, f.bytes);
    else
        read_single(r, f.bytes);
    file_close(r, &f);
}

/* ---- Maildir ---- */

struct keywords {
    struct arena arena;
    struct slice names[26];
};

/* "0 name" lines: the names of the letters a to z in this folder's file names. */
static void read_keywords(const char *dir, struct keywords *k)
{
    char path[8192], line[1024];

    snprintf(path, sizeof path, "%s/dovecot-keywords", dir);
    FILE *file = fopen(path, "r");
    if (!file)
        return;
    while (fgets(line, sizeof line, file)) {
        struct slice rest = slice_head(slice_str(line), strcspn(line, "\r\n"));
        struct slice number = slice_cut(&rest, ' ');
        uint32_t n;

        if (slice_to_u32(number, &n) && n < 26 && rest.len)
            k->names[n] = arena_slice(&k->arena, rest);
    }
    fclose(file);
}

struct maildir_flags {
    uint16_t flags;
    struct slice keywords[27];
    size_t n_keywords;
};

static void add_letter(char letter, const struct keywords *k, struct maildir_flags *out)
{
    static const char letters[] = "SRFTD";
    static const uint16_t flags[] = {FLAG_SEEN, FLAG_ANSWERED, FLAG_FLAGGED, FLAG_DELETED,
                                     FLAG_DRAFT};
    const char *known = strchr(letters, letter);
    struct slice keyword = SLICE_EMPTY;

    if (known)
        out->flags |= flags[known - letters];
    else if (letter == 'P')
        keyword = S("$Forwarded");
    else if (letter >= 'a' && letter <= 'z')
        keyword = k->names[letter - 'a'];
    if (keyword.len && out->n_keywords < sizeof out->keywords / sizeof *out->keywords)
        out->keywords[out->n_keywords++] = keyword;
}

/* A Maildir, and what its files' names do not tell. */
struct maildir {
    const char *dir, *folder;
    struct keywords keywords;
    struct uidlist uidls;
};

static void read_maildir_file(struct reader *r, const struct maildir *maildir, const char *path,
                              bool in_new)
{
    const char *name = strrchr(path, '/') + 1; /* directories may have such names too */
    const char *info = strstr(name, ":2,");
    struct maildir_flags flags = {0};
    struct file f;

    if (!file_open(r, path, &f))
        return;
    for (const char *c = info && !in_new ? info + 3 : ""; *c; c++)
        add_letter(*c, &maildir->keywords, &flags);
    struct mailfile_message m = {
        .folder = maildir->folder,
        .flags = flags.flags,
        .keywords = flags.keywords,
        .n_keywords = flags.n_keywords,
        .uidl = uidlist_find(&maildir->uidls, name),
        .internaldate = filetime_from_unix(f.st.st_mtime),
    };
    tell(r, f.bytes, false, &m);
    file_close(r, &f);
}

/* The names in a directory, in order, so that a repeated import meets them in the same order. */
static struct dirent **entries_of(const char *dir, int *n)
{
    struct dirent **list = NULL;

    *n = scandir(dir, &list, NULL, alphasort);
    return list;
}

/* The same; a directory that cannot be read has none, and is told. */
static struct dirent **read_entries(struct reader *r, const char *dir, int *n)
{
    struct dirent **list = entries_of(dir, n);

    if (*n < 0)
        tell_trouble(r, dir, strerror(errno));
    return list;
}

static void free_entries(struct dirent **list, int n)
{
    for (int i = 0; i < n; i++)
        free(list[i]);
    free(list);
}

static void read_maildir_part(struct reader *r, const struct maildir *maildir, const char *part)
{
    char path[8192];
    int n;

    snprintf(path, sizeof path, "%s/%s", maildir->dir, part);
    struct dirent **list = read_entries(r, path, &n);
    for (int i = 0; i < n && !r->stopped; i++) {
        char file[8192 + 512];

        if (list[i]->d_name[0] == '.')
            continue;
        snprintf(file, sizeof file, "%s/%s", path, list[i]->d_name);
        read_maildir_file(r, maildir, file, strcmp(part, "new") == 0);
    }
    free_entries(list, n);
}

static bool is_directory(const char *dir, const char *name)
{
    char path[8192];
    struct stat st;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The byte that "%2E" stands for, as export writes it; -1 where this is no such thing. */
static int escaped_byte(const char *at)
{
    static const char digits[] = "0123456789ABCDEF";
    const char *high = at[0] == '%' && at[1] ? strchr(digits, at[1]) : NULL;
    const char *low = high && at[2] ? strchr(digits, at[2]) : NULL;

    return low ? (int)((high - digits) * 16 + (low - digits)) : -1;
}

/* One level of a folder's path; ".Sent.2026" of Maildir++ is Sent/2026. */
static void put_level(struct buf *out, const char *name)
{
    bool dots = name[0] == '.';

    if (out->len)
        buf_putc(out, '/');
    for (const char *c = name + dots; *c; c++) {
        int byte = dots ? -1 : escaped_byte(c);

        if (byte > 0) {
            buf_putc(out, (uint8_t)byte);
            c += 2;
        } else {
            buf_putc(out, dots && *c == '.' ? '/' : (uint8_t)*c);
        }
    }
}

static void read_directory(struct reader *r, const char *dir, const char *folder, int depth);

static void read_subfolder(struct reader *r, const char *dir, const char *name, const char *folder,
                           int depth)
{
    struct buf path = buf_make(8000), sub = buf_make(8000);

    buf_printf(&path, "%s/%s", dir, name);
    buf_putc(&path, 0);
    buf_puts(&sub, folder);
    put_level(&sub, name);
    buf_putc(&sub, 0);
    if (path.failed || sub.failed || depth == DEPTH_MAX)
        tell_trouble(r, dir, "is nested too deeply");
    else
        read_directory(r, (const char *)path.data, (const char *)sub.data, depth + 1);
    buf_done(&path);
    buf_done(&sub);
}

static bool is_maildir_part(const char *name)
{
    return strcmp(name, "cur") == 0 || strcmp(name, "new") == 0 || strcmp(name, "tmp") == 0;
}

static void read_entry(struct reader *r, const char *dir, const char *name, bool maildir,
                       const char *folder, int depth)
{
    char path[8192];

    if (is_directory(dir, name)) {
        if (!(maildir && is_maildir_part(name)))
            read_subfolder(r, dir, name, folder, depth);
    } else if (!maildir && (ends_in(name, ".eml") || ends_in(name, ".mbox"))) {
        snprintf(path, sizeof path, "%s/%s", dir, name);
        read_file(r, path);
    }
}

static void read_maildir(struct reader *r, const char *dir, const char *folder)
{
    struct maildir maildir = {.dir = dir, .folder = folder, .keywords = {.arena = ARENA_INIT}};

    read_keywords(dir, &maildir.keywords);
    uidlist_read(dir, &maildir.uidls);
    read_maildir_part(r, &maildir, "cur");
    read_maildir_part(r, &maildir, "new");
    uidlist_done(&maildir.uidls);
    arena_done(&maildir.keywords.arena);
}

static void read_directory(struct reader *r, const char *dir, const char *folder, int depth)
{
    bool maildir = is_directory(dir, "cur") && is_directory(dir, "new");
    int n;

    if (maildir)
        read_maildir(r, dir, folder);
    struct dirent **list = read_entries(r, dir, &n);
    for (int i = 0; i < n && !r->stopped; i++)
        if (strcmp(list[i]->d_name, ".") != 0 && strcmp(list[i]->d_name, "..") != 0)
            read_entry(r, dir, list[i]->d_name, maildir, folder, depth);
    free_entries(list, n);
}

/* ---- the face ---- */

void mailfile_read(const char *path,
                   bool (*each)(void *ctx, const struct mailfile_message *message),
                   void (*trouble)(void *ctx, const char *text), void *ctx)
{
    struct reader r = {.each = each, .trouble = trouble, .ctx = ctx};
    struct stat st;

    if (stat(path, &st) != 0)
        tell_trouble(&r, path, strerror(errno));
    else if (S_ISDIR(st.st_mode))
        read_directory(&r, path, "", 0);
    else
        read_file(&r, path);
}

static uint64_t size_below(const char *path, int depth)
{
    struct stat st;
    uint64_t sum = 0;
    int n;

    if (stat(path, &st) != 0 || depth > DEPTH_MAX)
        return 0;
    if (!S_ISDIR(st.st_mode))
        return (uint64_t)st.st_size;
    struct dirent **list = entries_of(path, &n);
    for (int i = 0; i < n; i++) {
        char below[8192];

        if (strcmp(list[i]->d_name, ".") == 0 || strcmp(list[i]->d_name, "..") == 0)
            continue;
        snprintf(below, sizeof below, "%s/%s", path, list[i]->d_name);
        sum += size_below(below, depth + 1);
    }
    free_entries(list, n);
    return sum;
}

uint64_t mailfile_size(const char *path)
{
    return size_below(path, 0);
}
