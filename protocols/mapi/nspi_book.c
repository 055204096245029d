/* nspi_book.c - snapshots of the directory, and ids that outlive them. */
#include "protocols/mapi/nspi_book.h"

#include <stdlib.h>
#include <unicode/ucol.h>

#include "base/mem.h"

enum { IDENTITY_MOST = 1024 };

struct place {
    uint32_t mid;
    size_t at;
};

struct book {
    struct nspi_book face;
    unsigned refs; /* of the shelf's mutex */
    uint64_t made_ms;
    struct arena arena;
    struct place *by_mid;
    struct nspi_entry *by_identity; /* as the directory listed them */
    const UCollator *order;         /* the shelf's */
};

struct nspi_shelf {
    pthread_mutex_t making; /* held by whoever reads the directory */
    pthread_mutex_t mutex;
    struct book *book; /* of the mutex */
    uint32_t next_mid; /* of `making` */
    UCollator *order;  /* NULL: names are in the order of their bytes */
};

static const struct book *book_of(const struct nspi_book *face)
{
    return (const struct book *)face;
}

/* ---- orders ---- */

static int name_order(const UCollator *order, struct slice a, struct slice b)
{
    UErrorCode status = U_ZERO_ERROR;

    if (!order)
        return slice_order(a, b);
    int result = ucol_strcollUTF8(order, (const char *)a.ptr, (int32_t)a.len, (const char *)b.ptr,
                                  (int32_t)b.len, &status);
    return U_FAILURE(status) ? slice_order(a, b) : result;
}

int nspi_name_order(const struct nspi_book *book, struct slice a, struct slice b)
{
    return name_order(book_of(book)->order, a, b);
}

static int entry_order(const void *one, const void *other, void *order)
{
    const struct mapi_person *a = &((const struct nspi_entry *)one)->person;
    const struct mapi_person *b = &((const struct nspi_entry *)other)->person;
    int result = name_order(order, a->display_name, b->display_name);

    return result ? result : slice_order(a->identity, b->identity);
}

static int place_order(const void *one, const void *other)
{
    uint32_t a = ((const struct place *)one)->mid, b = ((const struct place *)other)->mid;

    return (a > b) - (a < b);
}

/* ---- making ---- */

/* Both lists are in the order of identities: one walk finds who was there before. */
static void number_entries(struct nspi_shelf *shelf, const struct book *old, struct book *new)
{
    size_t at = 0, n_old = old ? old->face.n : 0;

    for (size_t i = 0; i < new->face.n; i++) {
        struct nspi_entry *e = &new->by_identity[i];
        int order = 1;

        while (at < n_old &&
               (order = slice_order(old->by_identity[at].person.identity, e->person.identity)) < 0)
            at++;
        e->mid = at < n_old && order == 0 ? old->by_identity[at].mid : shelf->next_mid++;
    }
}

static void index_entries(struct book *b)
{
    struct nspi_entry *sorted = arena_array(&b->arena, b->face.n, sizeof *sorted);

    if (b->face.n)
        memcpy(sorted, b->by_identity, b->face.n * sizeof *sorted);
    qsort_r(sorted, b->face.n, sizeof *sorted, entry_order, (void *)b->order);
    b->face.entries = sorted;
    b->by_mid = arena_array(&b->arena, b->face.n, sizeof *b->by_mid);
    for (size_t i = 0; i < b->face.n; i++)
        b->by_mid[i] = (struct place){sorted[i].mid, i};
    qsort(b->by_mid, b->face.n, sizeof *b->by_mid, place_order);
}

static void free_book(struct book *b)
{
    arena_done(&b->arena);
    free(b);
}

static struct err make(struct mapi *mapi, const struct book *old, uint64_t now_ms,
                       struct book **out)
{
    struct mapi_directory *directory = mapi->config.directory;
    struct book *b = mem_new(sizeof *b);
    struct mapi_person *people = NULL;

    b->made_ms = now_ms;
    b->order = mapi->shelf->order;
    struct err e = directory ? directory->list(directory, &b->arena, &people, &b->face.n) : OK;
    if (failed(e)) {
        free_book(b);
        return e;
    }
    b->by_identity = arena_array(&b->arena, b->face.n, sizeof *b->by_identity);
    for (size_t i = 0; people && i < b->face.n; i++)
        b->by_identity[i].person = people[i];
    number_entries(mapi->shelf, old, b);
    index_entries(b);
    *out = b;
    return OK;
}

/* ---- the shelf ---- */

struct nspi_shelf *nspi_shelf_new(void)
{
    struct nspi_shelf *shelf = mem_new(sizeof *shelf);
    UErrorCode status = U_ZERO_ERROR;

    pthread_mutex_init(&shelf->making, NULL);
    pthread_mutex_init(&shelf->mutex, NULL);
    shelf->next_mid = MID_FIRST;
    shelf->order = ucol_open("", &status); /* the root order: that of no language in particular */
    if (U_FAILURE(status))
        shelf->order = NULL;
    return shelf;
}

static void let_go(struct nspi_shelf *shelf, struct book *b)
{
    pthread_mutex_lock(&shelf->mutex);
    bool last = b && --b->refs == 0;
    pthread_mutex_unlock(&shelf->mutex);
    if (last)
        free_book(b);
}

void nspi_shelf_free(struct nspi_shelf *shelf)
{
    let_go(shelf, shelf->book);
    ucol_close(shelf->order);
    pthread_mutex_destroy(&shelf->making);
    pthread_mutex_destroy(&shelf->mutex);
    free(shelf);
}

/* The one that is there, held; NULL: there is none. */
static struct book *take(struct nspi_shelf *shelf)
{
    pthread_mutex_lock(&shelf->mutex);
    struct book *b = shelf->book;
    if (b)
        b->refs++;
    pthread_mutex_unlock(&shelf->mutex);
    return b;
}

static bool is_fresh(const struct book *b, uint64_t max_age_ms, uint64_t now_ms)
{
    /* It may have been made after `now`, by whoever was first. */
    return b && now_ms <= b->made_ms + max_age_ms;
}

/* Put a new one in the place of `old`, which stays held by its user. */
static void replace(struct nspi_shelf *shelf, struct book *new)
{
    new->refs = 2; /* the shelf's and the caller's */
    pthread_mutex_lock(&shelf->mutex);
    struct book *old = shelf->book;
    shelf->book = new;
    pthread_mutex_unlock(&shelf->mutex);
    let_go(shelf, old);
}

/* With `making` held. */
static struct err renew(struct mapi *mapi, uint64_t max_age_ms, uint64_t now_ms, struct book **out)
{
    struct nspi_shelf *shelf = mapi->shelf;
    struct book *old = take(shelf), *new;

    *out = old;
    if (is_fresh(old, max_age_ms, now_ms)) /* another thread was first */
        return OK;
    struct err e = make(mapi, old, now_ms, &new);
    if (failed(e))
        return old ? OK : e;
    replace(shelf, new);
    let_go(shelf, old);
    *out = new;
    return OK;
}

struct err nspi_book_open(struct mapi *mapi, uint64_t max_age_ms, uint64_t now_ms,
                          const struct nspi_book **out)
{
    struct nspi_shelf *shelf = mapi->shelf;
    struct book *b = take(shelf);
    struct err e = OK;

    if (!is_fresh(b, max_age_ms, now_ms)) {
        let_go(shelf, b);
        pthread_mutex_lock(&shelf->making);
        e = renew(mapi, max_age_ms, now_ms, &b);
        pthread_mutex_unlock(&shelf->making);
    }
    if (!failed(e))
        *out = &b->face;
    return e;
}

void nspi_book_close(struct mapi *mapi, const struct nspi_book *book)
{
    let_go(mapi->shelf, (struct book *)book);
}

/* ---- finding ---- */

size_t nspi_book_find(const struct nspi_book *book, uint32_t mid)
{
    const struct place key = {mid, 0};
    const struct place *found =
        bsearch(&key, book_of(book)->by_mid, book->n, sizeof key, place_order);

    return found ? found->at : book->n;
}

static int identity_order(const void *one, const void *other)
{
    return slice_order(((const struct nspi_entry *)one)->person.identity,
                       ((const struct nspi_entry *)other)->person.identity);
}

/* Canonical names are in lower case. */
uint32_t nspi_book_mid(const struct nspi_book *book, struct slice identity)
{
    struct buf lower = buf_make(IDENTITY_MOST);

    for (size_t i = 0; i < identity.len; i++)
        buf_putc(&lower, ascii_lower(identity.ptr[i]));
    const struct nspi_entry key = {.person.identity = buf_slice(&lower)}, *found = NULL;
    if (!lower.failed && book->n)
        found = bsearch(&key, book_of(book)->by_identity, book->n, sizeof key, identity_order);
    buf_done(&lower);
    return found ? found->mid : 0;
}

size_t nspi_book_seek(const struct nspi_book *book, struct slice name)
{
    size_t low = 0, high = book->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (nspi_name_order(book, book->entries[middle].person.display_name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
