/* later.c - requests that are declared already and come with the next commits: ERR_UNSUPPORTED. */
#include "store/access.h"
#include "store/store_int.h"

static struct err later(struct store_tx *tx, struct store_op *op)
{
    (void)tx, (void)op;
    return ERR(ERR_UNSUPPORTED, "not made yet");
}

#define LATER(name)                                                                                \
    void name##_init(struct name *rq)                                                              \
    {                                                                                              \
        *rq = (struct name){.op = {.step = later}};                                                \
    }

LATER(store_folder_copy)
LATER(store_set_receive_folder)
LATER(store_modify_permissions)
LATER(store_set_search_criteria)

struct err store_receive_folder(struct store_read *rd, struct slice class, struct arena *in,
                                struct store_receive_folder *out)
{
    (void)rd, (void)in;
    *out = (struct store_receive_folder){.class = class, .fid = SPECIAL_INBOX};
    return OK;
}

struct err store_receive_folders(struct store_read *rd, struct arena *in,
                                 struct store_receive_folder **out, size_t *n)
{
    (void)rd, (void)in, (void)out, (void)n;
    return ERR(ERR_UNSUPPORTED, "not made yet");
}

bool store_receive_class_valid(struct slice class)
{
    return class.len < 256;
}

struct err store_permissions(struct store_read *rd, uint64_t fid, struct arena *in,
                             struct store_permission **out, size_t *n)
{
    (void)rd, (void)fid, (void)in, (void)out, (void)n;
    return ERR(ERR_UNSUPPORTED, "not made yet");
}

struct err store_search_criteria(struct store_read *rd, uint64_t fid, struct arena *in,
                                 struct store_search_criteria *out)
{
    (void)rd, (void)fid, (void)in, (void)out;
    return ERR(ERR_UNSUPPORTED, "not made yet");
}
