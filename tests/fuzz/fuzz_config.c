/*
 * fuzz_config.c - a configuration file of any bytes is taken, or refused with a reason that is
 * text.
 */
#include "gateway/config.h"
#include "tests/fuzz/input_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf why = buf_make(1 << 20);
    struct config *config;

    /* The file would read others, whose bytes are not the fuzzer's. */
    if (slice_find(slice_of(data, size), S("include")) < size)
        return 0;
    if (failed(config_load(input_file("gatepost.conf", data, size), &why, &config))) {
        if (why.len == 0)
            abort();
    } else {
        config_free(config);
    }
    buf_done(&why);
    return 0;
}
