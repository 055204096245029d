/*
 * The structure of the file, looked at without LMDB.
 *
 * LMDB trusts its pages: where one is damaged it reads outside of what is mapped, and the process
 * dies. So before it walks them, this reads them with pread() and says whether they can be walked:
 * that pages are inside the file and what they should be, hold their records, have their keys in
 * order, are used once, and are as many as counted; and that no page is in use and free at once.
 * What records hold is not its business; they have checksums.
 *
 * The format is that of LMDB 0.9 (MDB_DATA_VERSION 1) on this machine: host order, 64 bits.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/engine/engine_lmdb_int.h"

enum {
    PAGE_BRANCH = 0x01,
    PAGE_LEAF = 0x02,
    PAGE_OVERFLOW = 0x04,
    PAGE_META = 0x08,
    PAGE_KINDS = 0xFF & ~0x10, /* less "dirty", which says nothing in a file */
    NODE_BIG = 0x01,           /* the value is on overflow pages */
    NODE_TREE = 0x02,          /* the value is the root of a database */
    PAGE_HEAD = 16,
    NODE_HEAD = 8,
    META_MAGIC = 0x10,
    META_TREES = 0x28,
    META_LAST = 0x88,
    META_TXN = 0x90,
    TREE_LEN = 48,
    DEPTH_MOST = 32, /* LMDB's own limit of a cursor */
    KEY_MOST = 511,
    FIRST_PAGE = 2, /* behind the two of meta data */
    FINDINGS_MOST = 20,
};

#define LMDB_MAGIC 0xBEEFC0DEu
#define NO_PAGE UINT64_MAX

/* In the store's directory: look at all pages when it is opened next. */
static const char suspect_name[] = "suspect";

struct tree {
    const char *name;
    unsigned depth;
    uint64_t branches, leaves, overflow, records, root;
};

struct pages {
    int fd;
    size_t page_size;
    uint64_t in_file, last; /* pages; the highest number that is given out */
    uint8_t *used;          /* a bit for each page in the file */
    bool whole;
    void (*finding)(void *ctx, const char *text);
    void *ctx;
    unsigned findings;
    bool unreadable;
};

/* A walk over one tree. */
struct tree_walk {
    struct pages *pages;
    struct tree said, seen; /* what its root says, and what there is */
    bool numbers;           /* its keys are numbers: the free list */
    uint8_t key[KEY_MOST];  /* the last one */
    size_t key_len;
    uint8_t *buffers; /* a page for each level, one more for a value on overflow pages */
    void (*record)(struct tree_walk *w, struct slice key, struct slice value, unsigned flags);
};

static void fault(struct pages *p, const char *tree, uint64_t page, const char *what)
{
    char text[200];

    if (p->findings++ >= FINDINGS_MOST)
        return;
    snprintf(text, sizeof text, "data.mdb: page %llu of \"%s\": %s", (unsigned long long)page, tree,
             what);
    p->finding(p->ctx, text);
}

static uint16_t get_u16_host(const uint8_t *at)
{
    uint16_t n;

    memcpy(&n, at, sizeof n);
    return n;
}

static uint32_t get_u32_host(const uint8_t *at)
{
    uint32_t n;

    memcpy(&n, at, sizeof n);
    return n;
}

static uint64_t get_u64_host(const uint8_t *at)
{
    uint64_t n;

    memcpy(&n, at, sizeof n);
    return n;
}

/* ---- pages ---- */

static bool page_read(struct pages *p, uint64_t number, uint8_t *page)
{
    return pread(p->fd, page, p->page_size, (off_t)(number * p->page_size)) ==
           (ssize_t)p->page_size;
}

/* Say that `n` pages from `first` on are in use; false where they cannot be. */
static bool take(struct pages *p, const char *tree, uint64_t first, uint64_t n)
{
    if (first < FIRST_PAGE || first > p->last || n > p->last - first + 1) {
        fault(p, tree, first, "its number was never given out");
        return false;
    }
    if (first >= p->in_file || n > p->in_file - first) {
        fault(p, tree, first, "it is beyond the end of the file");
        return false;
    }
    for (uint64_t i = first; i < first + n; i++) {
        if (p->used[i / 8] & 1u << i % 8) {
            fault(p, tree, i, "it is in use already");
            return false;
        }
        p->used[i / 8] |= (uint8_t)(1u << i % 8);
    }
    return true;
}

static size_t n_nodes(const uint8_t *page)
{
    return (get_u16_host(page + 12) - (size_t)PAGE_HEAD) / 2;
}

static const char *head_fault(const struct pages *p, const uint8_t *page, uint64_t number,
                              unsigned kind)
{
    size_t lower = get_u16_host(page + 12), upper = get_u16_host(page + 14);

    if (get_u64_host(page) != number)
        return "it has another page's number";
    if ((get_u16_host(page + 10) & PAGE_KINDS) != kind)
        return "it is of the wrong kind";
    if (lower <= PAGE_HEAD || lower % 2 || lower > upper || upper > p->page_size)
        return "its directory is damaged";
    return NULL;
}

/* The node is inside its page, with its key and what is behind it. */
static const char *node_fault(const struct pages *p, const uint8_t *page, size_t i, bool leaf)
{
    size_t at = get_u16_host(page + PAGE_HEAD + 2 * i), end = at + NODE_HEAD;

    if (at < get_u16_host(page + 14) || at % 2 || end > p->page_size)
        return "a record is outside of it";
    size_t key_len = get_u16_host(page + at + 6);
    end += key_len;
    if (key_len > KEY_MOST || (key_len == 0 && (leaf || i > 0)))
        return "a key has a wrong length";
    if (leaf)
        end += get_u16_host(page + at + 4) & NODE_BIG ? 8 : get_u32_host(page + at);
    return end > p->page_size ? "a record is longer than the page" : NULL;
}

static const char *page_fault(const struct pages *p, const uint8_t *page, uint64_t number,
                              unsigned kind)
{
    const char *why = head_fault(p, page, number, kind);

    for (size_t i = 0; !why && i < n_nodes(page); i++)
        why = node_fault(p, page, i, kind == PAGE_LEAF);
    return why;
}

/* ---- records ---- */

static bool in_order(const struct tree_walk *w, struct slice key)
{
    if (w->key_len == 0)
        return true;
    if (w->numbers)
        return key.len == 8 && get_u64_host(w->key) < get_u64_host(key.ptr);
    return slice_order(slice_of(w->key, w->key_len), key) < 0;
}

/* The first of the pages behind a node, or false. Their number may be more than is needed. */
static bool take_overflow(struct tree_walk *w, uint64_t first, size_t len, uint8_t *head)
{
    struct pages *p = w->pages;
    uint64_t needed = (PAGE_HEAD - 1 + (uint64_t)len) / p->page_size + 1;

    if (first >= p->in_file || !page_read(p, first, head)) {
        fault(p, w->said.name, first, "it is beyond the end of the file");
        return false;
    }
    uint64_t n = get_u32_host(head + 12);
    if (get_u64_host(head) != first || (get_u16_host(head + 10) & PAGE_KINDS) != PAGE_OVERFLOW ||
        n < needed) {
        fault(p, w->said.name, first, "it does not hold the value that it should");
        return false;
    }
    w->seen.overflow += n;
    return take(p, w->said.name, first, n);
}

static void leaf_node(struct tree_walk *w, const uint8_t *node, uint64_t page)
{
    unsigned flags = get_u16_host(node + 4);
    struct slice key = slice_of(node + NODE_HEAD, get_u16_host(node + 6));
    const uint8_t *data = key.ptr + key.len;
    struct slice value = slice_of(data, get_u32_host(node));
    uint8_t *head = w->buffers + DEPTH_MOST * w->pages->page_size;

    if (!in_order(w, key)) {
        fault(w->pages, w->said.name, page, "its keys are out of order");
        return;
    }
    memcpy(w->key, key.ptr, key.len);
    w->key_len = key.len;
    w->seen.records++;
    if (flags & ~(unsigned)(NODE_BIG | NODE_TREE))
        fault(w->pages, w->said.name, page, "a record is of an unknown kind");
    else if (!(flags & NODE_BIG))
        w->record(w, key, value, flags);
    else if (take_overflow(w, get_u64_host(data), value.len, head))
        w->record(w, key, SLICE_EMPTY, flags);
}

static uint64_t child_of(const uint8_t *node)
{
    return get_u32_host(node) | (uint64_t)get_u16_host(node + 4) << 32;
}

/* Depth first, so that keys come in their order. `level` counts from 1. */
static void walk_page(struct tree_walk *w, uint64_t number, unsigned level)
{
    struct pages *p = w->pages;
    bool leaf = level == w->said.depth;
    uint8_t *page = w->buffers + (level - 1) * p->page_size;

    if (!take(p, w->said.name, number, 1))
        return;
    if (!page_read(p, number, page)) {
        p->unreadable = true;
        return;
    }
    const char *why = page_fault(p, page, number, leaf ? PAGE_LEAF : PAGE_BRANCH);
    if (why) {
        fault(p, w->said.name, number, why);
        return;
    }
    *(leaf ? &w->seen.leaves : &w->seen.branches) += 1;
    for (size_t i = 0; i < n_nodes(page) && p->findings < FINDINGS_MOST; i++) {
        const uint8_t *node = page + get_u16_host(page + PAGE_HEAD + 2 * i);

        if (leaf)
            leaf_node(w, node, number);
        else if (p->whole)
            walk_page(w, child_of(node), level + 1);
    }
}

/* ---- trees ---- */

static struct tree tree_read(const char *name, const uint8_t *at)
{
    return (struct tree){
        .name = name,
        .depth = get_u16_host(at + 6),
        .branches = get_u64_host(at + 8),
        .leaves = get_u64_host(at + 16),
        .overflow = get_u64_host(at + 24),
        .records = get_u64_host(at + 32),
        .root = get_u64_host(at + 40),
    };
}

static void compare_counts(struct tree_walk *w)
{
    const struct tree *a = &w->said, *b = &w->seen;

    if (a->branches != b->branches || a->leaves != b->leaves || a->overflow != b->overflow)
        fault(w->pages, a->name, a->root, "the tree has more or fewer pages than it should");
    if (a->records != b->records)
        fault(w->pages, a->name, a->root, "the tree has more or fewer records than it should");
}

static void walk_tree(struct pages *p, struct tree_walk *w)
{
    unsigned before = p->findings;

    w->pages = p;
    if (w->said.depth > DEPTH_MOST || (w->said.depth == 0) != (w->said.root == NO_PAGE)) {
        fault(p, w->said.name, w->said.root, "the tree's root is damaged");
        return;
    }
    w->buffers = mem_array(DEPTH_MOST + 1, p->page_size);
    if (w->said.depth)
        walk_page(w, w->said.root, 1);
    if (p->whole && p->findings == before && !p->unreadable)
        compare_counts(w);
    free(w->buffers);
}

static void plain_record(struct tree_walk *w, struct slice key, struct slice value, unsigned flags)
{
    (void)key, (void)value;
    if (flags & NODE_TREE)
        fault(w->pages, w->said.name, w->said.root, "a record is of an unknown kind");
}

/* A record of the main tree is another tree. */
static void tree_record(struct tree_walk *w, struct slice key, struct slice value, unsigned flags)
{
    struct tree_walk below = {.record = plain_record};
    char name[32];

    if (flags != NODE_TREE || value.len != TREE_LEN || key.len >= sizeof name) {
        fault(w->pages, w->said.name, w->said.root, "a record is not a database");
        return;
    }
    memcpy(name, key.ptr, key.len);
    name[key.len] = 0;
    below.said = tree_read(name, value.ptr);
    walk_tree(w->pages, &below);
}

/* ---- the free list ---- */

/* Each record is a list of pages, highest first, behind its length. */
static void free_pages(struct tree_walk *w, struct slice list)
{
    struct pages *p = w->pages;
    uint64_t n = list.len < 8 ? 0 : get_u64_host(list.ptr), above = p->last + 1;

    if (n == 0 || n > list.len / 8 - 1) {
        fault(p, w->said.name, w->said.root, "a list of free pages has a wrong length");
        return;
    }
    for (uint64_t i = 1; i <= n && p->findings < FINDINGS_MOST; i++) {
        uint64_t number = get_u64_host(list.ptr + 8 * i);

        if (number >= above || number < FIRST_PAGE)
            fault(p, w->said.name, number, "a list of free pages is damaged");
        else if (number < p->in_file) /* a page that was never written may be beyond the end */
            take(p, w->said.name, number, 1);
        above = number;
    }
}

static void free_record(struct tree_walk *w, struct slice key, struct slice value, unsigned flags)
{
    struct pages *p = w->pages;

    if (key.len != 8) {
        fault(p, w->said.name, w->said.root, "a key has a wrong length");
        return;
    }
    if (!(flags & NODE_BIG)) {
        free_pages(w, value);
        return;
    }
    uint64_t first = get_u64_host(key.ptr + 8); /* stands behind the key */
    size_t len = get_u32_host(key.ptr - NODE_HEAD);
    uint8_t *list = mem_array(len, 1); /* inside the file: its pages were taken */
    if (pread(p->fd, list, len, (off_t)(first * p->page_size + PAGE_HEAD)) == (ssize_t)len)
        free_pages(w, slice_of(list, len));
    else
        p->unreadable = true;
    free(list);
}

/* ---- all of it ---- */

/*
 * The meta page of the transaction `txn`, in a buffer for both. Commits write them in turn, so
 * their transactions follow each other: else one is damaged, and what LMDB takes for the newest may
 * be the one before, without what was committed last. A commit of another process writes its page
 * over the older one, and counts only when that is synced: until then the other page is one ahead.
 * False: so it is, or they were just overwritten.
 */
static const uint8_t *meta_read(int fd, size_t page_size, uint64_t txn, uint8_t *pages)
{
    const uint8_t *first = pages, *second = pages + page_size;

    if (pread(fd, pages, 2 * page_size, 0) != (ssize_t)(2 * page_size))
        return NULL;
    const uint8_t *newest = txn % 2 ? second : first, *other = txn % 2 ? first : second;
    uint64_t beside = get_u64_host(other + META_TXN);
    bool good = get_u16_host(newest + 10) & PAGE_META &&
                get_u32_host(newest + META_MAGIC) == LMDB_MAGIC &&
                get_u64_host(newest + META_TXN) == txn &&
                (beside == (txn ? txn - 1 : 0) || beside == txn + 1);
    return good ? newest : NULL;
}

static void check_trees(struct pages *p, const uint8_t *meta)
{
    struct tree_walk main_tree = {.record = tree_record};
    struct tree_walk free_list = {.record = free_record, .numbers = true};

    main_tree.said = tree_read("main", meta + META_TREES + TREE_LEN);
    free_list.said = tree_read("free", meta + META_TREES);
    walk_tree(p, &main_tree);
    walk_tree(p, &free_list);
}

static struct err check_file(struct pages *p, uint64_t txn)
{
    uint8_t *both = mem_array(2, p->page_size);
    const uint8_t *meta = meta_read(p->fd, p->page_size, txn, both);
    struct stat st;
    struct err e = OK;

    if (fstat(p->fd, &st)) {
        e = lmdb_err(errno);
    } else if (!meta) {
        e = ERR(ERR_CONFLICT, "");
    } else {
        p->in_file = (uint64_t)st.st_size / p->page_size;
        p->last = get_u64_host(meta + META_LAST);
        p->whole |= p->in_file <= p->last;
        p->used = mem_array(p->in_file / 8 + 1, 1);
        check_trees(p, meta);
        free(p->used);
    }
    free(both);
    return e;
}

/*
 * A snapshot that is not in the pool: it is long, and needs no map, so nobody has to wait for it
 * who wants to map more.
 */
static struct err snapshot(struct lmdb_engine *eng, MDB_txn **txn)
{
    int rc = mdb_txn_begin(eng->env, NULL, MDB_RDONLY, txn);
    struct err e = OK;

    if (rc == MDB_READERS_FULL) /* of processes that were killed */
        mdb_reader_check(eng->env, NULL);
    else if (rc == MDB_MAP_RESIZED)
        e = lmdb_remap(eng);
    else
        return lmdb_err(rc);
    return failed(e) ? e : lmdb_err(mdb_txn_begin(eng->env, NULL, MDB_RDONLY, txn));
}

static struct err pages_check(struct lmdb_engine *eng, bool whole,
                              void (*finding)(void *ctx, const char *text), void *ctx)
{
    struct pages p = {.whole = whole, .finding = finding, .ctx = ctx};
    struct err e = ERR(ERR_CONFLICT, "");
    MDB_txn *txn = NULL;
    MDB_stat st;

    int rc = mdb_env_stat(eng->env, &st);
    if (rc == 0)
        rc = mdb_env_get_fd(eng->env, &p.fd);
    if (rc)
        return lmdb_err(rc);
    p.page_size = st.ms_psize;
    /* Two commits of somebody else overwrite the meta page; the pages stay while we read. */
    for (int attempt = 0; attempt < 100 && e.code == ERR_CONFLICT; attempt++) {
        e = snapshot(eng, &txn);
        if (failed(e))
            return e;
        e = check_file(&p, mdb_txn_id(txn));
        mdb_txn_abort(txn);
    }
    if (e.code == ERR_CONFLICT)
        fault(&p, "meta", 0, "its transaction and that of page 1 do not follow each other");
    else if (failed(e))
        return e;
    if (p.unreadable)
        return ERR(ERR_IO, "the store's file could not be read");
    return p.findings ? ERR(ERR_CORRUPT, "the pages of the store's file are damaged") : OK;
}

struct err lmdb_sound(struct engine *engine, void (*finding)(void *ctx, const char *text),
                      void *ctx)
{
    return pages_check((struct lmdb_engine *)engine, true, finding, ctx);
}

/* ---- at opening ---- */

static void log_finding(void *ctx, const char *text)
{
    struct lmdb_engine *eng = ctx;

    log_event(eng->log, LOG_LEVEL_ERROR, "store.damaged", log_str("dir", eng->dir),
              log_str("error", text));
}

/*
 * All pages of a large store take seconds, so they are looked at only where there is a suspicion:
 * the file is shorter than it should be, or a process broke off in it.
 */
struct err lmdb_pages_open(struct lmdb_engine *eng)
{
    bool suspect = faccessat(eng->dir_fd, suspect_name, F_OK, 0) == 0;

    struct err e = pages_check(eng, suspect, log_finding, eng);
    if (!failed(e) && suspect && unlinkat(eng->dir_fd, suspect_name, 0))
        return lmdb_err(errno);
    return e;
}

/* Nothing is locked or allocated: the process is about to end. */
void engine_lmdb_suspect(void)
{
    for (struct lmdb_engine *eng = lmdb_open_engines; eng; eng = eng->next_open) {
        int fd = openat(eng->dir_fd, suspect_name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        if (fd >= 0)
            close(fd);
    }
}
