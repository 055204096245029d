/* later.c - a request that is declared already and comes with the next commit: ERR_UNSUPPORTED. */
#include "store/store_int.h"

static struct err later(struct store_tx *tx, struct store_op *op)
{
    (void)tx, (void)op;
    return ERR(ERR_UNSUPPORTED, "not made yet");
}

void store_folder_copy_init(struct store_folder_copy *rq)
{
    *rq = (struct store_folder_copy){.op = {.step = later}};
}
