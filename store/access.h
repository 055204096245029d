/*
 * access.h - what a mailbox keeps for MAPI beside folders, messages and properties: where mail of
 * which class is received, who has which rights on a folder, and what a search folder looks for.
 *
 * The store keeps and tells these; it does not act on them.
 *
 * Ownership  What a read returns lives in the arena that was given.
 */
#ifndef GATEPOST_STORE_ACCESS_H
#define GATEPOST_STORE_ACCESS_H

#include "store/store.h"

/* ---- receive folders ([MS-OXCSTOR] 3.2.3) ---- */

struct store_receive_folder {
    struct slice class; /* as it was set */
    uint64_t fid;
    uint64_t changed; /* when; of those that every mailbox begins with, when the mailbox was made */
};

/*
 * The folder of the longest class that is `class` or, in whole dotted parts, its beginning; case
 * does not count. There is always one: that of the empty class, the Inbox at first.
 */
struct err store_receive_folder(struct store_read *rd, struct slice class, struct arena *in,
                                struct store_receive_folder *out) MUST_USE;
/* All of them, in order of class. */
struct err store_receive_folders(struct store_read *rd, struct arena *in,
                                 struct store_receive_folder **out, size_t *n) MUST_USE;

/* May this be a class here? 0x20 to 0x7E, at most 255 bytes, no '.' at an end nor two in a row. */
bool store_receive_class_valid(struct slice class);

/*
 * Set, or with `fid` 0 remove, the folder of a class. ERR_INVALID: no class, or the empty one with
 * `fid` 0. ERR_DENIED: the classes IPM and REPORT.IPM. ERR_NOT_FOUND: there is no such folder.
 * ERR_LIMIT: more than STORE_RECEIVE_MAX.
 */
enum { STORE_RECEIVE_MAX = 2000 };
struct store_set_receive_folder {
    struct store_op op;
    struct slice class; /* must live until done */
    uint64_t fid;
};
void store_set_receive_folder_init(struct store_set_receive_folder *rq);

/* ---- permissions of a folder ([MS-OXCPERM]) ---- */

#define STORE_MEMBER_DEFAULT 0ull
#define STORE_MEMBER_ANONYMOUS UINT64_MAX

struct store_permission {
    uint64_t member; /* one of the two above, or a number that the store gave */
    struct slice
        user; /* who: the caller's own bytes (canonical name, EntryID); of the two: empty */
    struct slice name; /* for people */
    uint32_t rights;   /* [MS-OXCPERM] 2.2.7, as the caller gave them */
};

/* The default member and the anonymous one are always there, and come first. */
struct err store_permissions(struct store_read *rd, uint64_t fid, struct arena *in,
                             struct store_permission **out, size_t *n) MUST_USE;

enum store_permission_how { PERMISSION_ADD = 1, PERMISSION_MODIFY = 2, PERMISSION_REMOVE = 4 };
struct store_permission_change {
    enum store_permission_how how;
    struct store_permission permission; /* add: user, name, rights; else by member */
};

/*
 * Change who has which rights, all or none; a folder that is made begins with those of its parent.
 * Adding a user who is there changes his rights. ERR_NOT_FOUND: the folder, or a member.
 * ERR_INVALID: a user without bytes. ERR_LIMIT: more than STORE_MEMBERS_MAX members. ERR_TOO_BIG:
 * more than 1,000 bytes of one user or name.
 */
enum { STORE_MEMBERS_MAX = 500 };
struct store_modify_permissions {
    struct store_op op;
    uint64_t fid;
    bool replace;                                  /* all others go first, and the two begin anew */
    const struct store_permission_change *changes; /* must live until done */
    size_t n;
};
void store_modify_permissions_init(struct store_modify_permissions *rq);

/* ---- search criteria ([MS-OXCFOLD] 2.2.1.4, 2.2.1.5) ---- */

struct store_search_criteria {
    struct slice restriction; /* the caller's bytes */
    const uint64_t *scope;    /* FIDs */
    size_t n_scope;
    uint32_t flags; /* the caller's, of 31 bits */
    /* What was found with them, once that was told: store_set_search_found. */
    bool searched;
    uint32_t found, unread;
    struct slice mids; /* for store_mid_walk (events.h); empty unless they were given */
};

/* ERR_NOT_FOUND: none were set. */
struct err store_search_criteria(struct store_read *rd, uint64_t fid, struct arena *in,
                                 struct store_search_criteria *out) MUST_USE;

/*
 * ERR_NOT_FOUND: there is no such folder. ERR_INVALID: it is no search folder. ERR_TOO_BIG: a
 * restriction of more than STORE_RESTRICTION_MAX bytes, or more than STORE_SCOPE_MAX folders.
 */
enum { STORE_RESTRICTION_MAX = 64 * 1024, STORE_SCOPE_MAX = 1000 };
struct store_set_search_criteria {
    struct store_op op;
    uint64_t fid;
    struct store_search_criteria criteria; /* must live until done */
};
void store_set_search_criteria_init(struct store_set_search_criteria *rq);

/*
 * Keep what was found with the criteria that were set last, for who counts what is in the folder.
 * ERR_CONFLICT: they were set anew since `cn`. ERR_NOT_FOUND: none are set.
 */
struct store_set_search_found {
    struct store_op op;
    uint64_t fid;
    uint64_t cn; /* of the folder, when the search began */
    uint32_t found, unread;
    const uint64_t *mids; /* to be kept as well, or NULL; must live until done */
    bool completed;       /* an event says that a search was completed */
};
void store_set_search_found_init(struct store_set_search_found *rq);

/* ---- other replicas ([MS-OXCSTOR] 3.2.5.8, 3.2.5.9) ---- */

/* 1 is the mailbox's own (struct mailbox_info), and in none of these. */
enum { STORE_REPLICA_FIRST = 2, STORE_REPLICAS_MAX = 1000 };

/* The number of a GUID, and the GUID of a number. ERR_NOT_FOUND: it has none. */
struct err store_replica_id(struct store_read *rd, const uint8_t guid[16], uint16_t *out) MUST_USE;
struct err store_replica_guid(struct store_read *rd, uint16_t replica, uint8_t out[16]) MUST_USE;

/* Give a GUID a number, for ever. ERR_LIMIT: there are STORE_REPLICAS_MAX. */
struct store_map_replica {
    struct store_op op;
    uint8_t guid[16];
    uint16_t replica; /* out */
};
void store_map_replica_init(struct store_map_replica *rq);

#endif
