/*
 * fuzz_mailfile.c - files that are imported: whatever they hold, messages come out with CRLF line
 * ends, and no byte of a message is lost. The first byte says what the file is called.
 */
#include "gateway/cli/mailfile.h"
#include "tests/fuzz/input_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    size_t messages, bytes;
};

static bool each(void *ctx, const struct mailfile_message *message)
{
    struct seen *seen = ctx;

    seen->messages++;
    seen->bytes += message->bytes.len;
    for (size_t i = 0; i < message->bytes.len; i++)
        if (message->bytes.ptr[i] == '\n' && (i == 0 || message->bytes.ptr[i - 1] != '\r'))
            abort();
    return seen->messages < 1000;
}

static void trouble(void *ctx, const char *text)
{
    (void)ctx, (void)text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"a.eml", "a.mbox", "a"};
    struct seen seen = {0, 0};

    if (size == 0)
        return 0;
    const char *path = input_file(names[data[0] % 3], data + 1, size - 1);
    mailfile_read(path, each, trouble, &seen);
    /* Of a single message a first line that an mbox left there goes, and nothing else. */
    struct slice in = slice_of(data + 1, size - 1);
    bool from = slice_starts(in, S("From ")) || slice_starts(in, S(">From "));
    if (data[0] % 3 == 0 && !from && (seen.messages != 1 || seen.bytes < in.len))
        abort();
    return 0;
}
