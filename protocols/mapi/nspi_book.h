/*
 * nspi_book.h - the address book: a snapshot of who there is, and what is said of each.
 *
 * One book serves every request until it is too old; the next keeps the Minimal Entry IDs of
 * whoever was in it, so an id means the same person as long as the server runs.
 *
 * Threads    Any. A book does not change.
 * Ownership  Counted: what nspi_book_open() gives is to be closed.
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_NSPI_BOOK_H
#define GATEPOST_PROTOCOLS_MAPI_NSPI_BOOK_H

#include "protocols/mapi/context.h"

/* [MS-OXNSPI] 2.2.1.4 */
enum { MID_BEGINNING_OF_TABLE = 0, MID_CURRENT = 1, MID_END_OF_TABLE = 2, MID_FIRST = 0x10 };

struct nspi_entry {
    struct mapi_person person;
    uint32_t mid;
};

struct nspi_shelf; /* where the book of a front end is kept */

struct nspi_book {
    const struct nspi_entry *entries; /* in the order of their display names */
    size_t n;
};

struct nspi_shelf *nspi_shelf_new(void) MUST_USE;
void nspi_shelf_free(struct nspi_shelf *shelf);

/*
 * The book, read anew where it is older than `max_age_ms`. What the directory cannot give now is
 * the book that was there before, or an error where there was none.
 */
struct err nspi_book_open(struct mapi *mapi, uint64_t max_age_ms, uint64_t now_ms,
                          const struct nspi_book **out) MUST_USE;
void nspi_book_close(struct mapi *mapi, const struct nspi_book *book);

/* Its place; book->n: nobody has this id. */
size_t nspi_book_find(const struct nspi_book *book, uint32_t mid);

/* The id of who has this identity, in any case; 0: nobody. */
uint32_t nspi_book_mid(const struct nspi_book *book, struct slice identity);

/* Order of display names: <0, 0, >0 as of memcmp. */
int nspi_name_order(const struct nspi_book *book, struct slice a, struct slice b);

/* The first place whose display name is not before `name`; book->n: there is none. */
size_t nspi_book_seek(const struct nspi_book *book, struct slice name);

#endif
