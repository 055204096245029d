/* SEARCH: criteria and return options; the answers are whole whatever was asked. */
#include "tests/fuzz/imap_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool uid = size && data[0] & 1;

    fuzz_imap_say(uid ? "UID SEARCH " : "SEARCH ", data + (size > 0), size - (size > 0));
    return 0;
}
