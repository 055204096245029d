/*
 * nspi_entry.h - the properties of who is in the address book ([MS-OXOABK] 2.2.3), and how they
 * are searched.
 *
 * Threads    Pure functions: any thread.
 * Ownership  Values live in the arena that was given, or in the book.
 */
#ifndef GATEPOST_PROTOCOLS_MAPI_NSPI_ENTRY_H
#define GATEPOST_PROTOCOLS_MAPI_NSPI_ENTRY_H

#include "protocols/mapi/nspi_book.h"
#include "protocols/mapi/nspi_wire.h"

enum nspi_tag {
    PR_ANR = 0x360C001F,
    PR_CONTAINER_FLAGS = 0x36000003,
    PR_DEPTH = 0x30050003,
    PR_DISPLAY_TYPE_EX = 0x39050003,
    PR_AB_CONTAINER_ID = 0xFFFD0003,
    PR_AB_MEMBER = 0x8009000D,
    PR_AB_PUBLIC_DELEGATES = 0x8015000D,
    PR_AB_IS_MASTER = 0xFFFB000B,
    PR_PRIMARY_TELEPHONE = 0x3A1A001F,
    PR_DEPARTMENT = 0x3A18001F,
    PR_OFFICE = 0x3A19001F,
};

enum {
    DISPLAY_TYPE_MAILUSER = 0x00,
    DISPLAY_TYPE_CONTAINER = 0x100,
};

struct nspi_view { /* of whom it is told, and how */
    const struct mapi *mapi;
    struct slice host; /* of this server, for its distinguished name */
    bool ephemeral;    /* EntryIDs are to be of this session (fEphID) */
};

/* Everything that is known of somebody. */
struct prop_list nspi_properties(const struct nspi_view *view, const struct nspi_entry *entry,
                                 struct arena *in);

/*
 * The values of these columns; what is not there is PtypErrorCode ecNotFound. NULL entry: nobody,
 * who has none. *missing (or NULL): some are not there.
 */
struct nspi_row nspi_select(const struct prop_list *of, struct nspi_numbers columns,
                            struct arena *in, bool *missing);

/* A PermanentEntryID ([MS-OXNSPI] 2.2.9.3, [MS-OXCDATA] 2.2.5.2). */
struct slice nspi_entry_id(uint32_t display_type, struct slice dn, struct arena *in);
/* That of somebody with an account. */
struct slice nspi_person_id(const struct mapi *mapi, struct slice identity, struct arena *in);
/* The distinguished name in one; false: it is an id of another kind. */
bool nspi_entry_id_dn(struct slice id, struct slice *dn);

/* Ambiguous name resolution: how well a name as typed fits somebody. */
enum nspi_fit { FIT_NOT, FIT_PART, FIT_EXACT };
enum nspi_fit nspi_fits(const struct nspi_entry *entry, struct slice typed);

/* ERR_UNSUPPORTED: a filter of a kind that the address book does not know. */
struct err nspi_check_filter(const struct restriction *filter) MUST_USE;
bool nspi_matches(const struct nspi_entry *entry, const struct prop_list *of,
                  const struct restriction *filter);

#endif
