/*
 * mime.c - how long store/mime takes over mails.
 *
 *     bench_mime NEEDLE FILE...
 *
 * Prints the time per mail of what a delivery does (structure, ENVELOPE, BODYSTRUCTURE), and the
 * time of a SEARCH BODY and a SEARCH TEXT for NEEDLE over all of them; best of several rounds.
 */
#include "store/mime/mime.h"
#include "base/mem.h"

enum { ROUNDS = 20 };

struct mail {
    struct slice bytes;
    struct arena arena;
    struct mime mime;
};

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static struct slice read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = NULL;
    size_t len = 0, got = 1;

    while (file && got > 0) {
        bytes = mem_grow(bytes, len + 65536, 1);
        got = fread(bytes + len, 1, 65536, file);
        len += got;
    }
    if (file)
        fclose(file);
    return slice_of(bytes, len);
}

static void deliver(struct slice bytes, struct buf *out)
{
    struct arena arena = ARENA_INIT;
    struct mime mime;

    buf_clear(out);
    mime_parse(bytes, &arena, &mime);
    mime_put_envelope(slice_sub(bytes, 0, mime.parts[0].header.len), out);
    mime_put_bodystructure(bytes, &mime, 0, true, out);
    arena_done(&arena);
}

static double time_delivery(struct mail *mails, int n)
{
    struct buf out = buf_make(SIZE_MAX / 2);
    double best = 1e18;

    for (int round = 0; round < ROUNDS; round++) {
        double start = now_us();

        for (int i = 0; i < n; i++)
            deliver(mails[i].bytes, &out);
        double took = now_us() - start;
        best = took < best ? took : best;
    }
    buf_done(&out);
    return best;
}

static double time_search(struct mail *mails, int n, const char *needle, bool text, int *found)
{
    struct mime_search_key *key = mime_search_key_new(slice_str(needle));
    double best = 1e18;

    for (int round = 0; round < ROUNDS; round++) {
        double start = now_us();

        *found = 0;
        for (int i = 0; i < n; i++)
            *found += mime_search_message(key, mails[i].bytes, &mails[i].mime, text);
        double took = now_us() - start;
        best = took < best ? took : best;
    }
    mime_search_key_free(key);
    return best;
}

int main(int argc, char **argv)
{
    int n = argc - 2, found;
    size_t total = 0;

    if (n < 1) {
        fprintf(stderr, "usage: %s NEEDLE FILE...\n", argv[0]);
        return 2;
    }
    struct mail *mails = mem_array((size_t)n, sizeof *mails);
    for (int i = 0; i < n; i++) {
        mails[i].bytes = read_file(argv[i + 2]);
        mime_parse(mails[i].bytes, &mails[i].arena, &mails[i].mime);
        total += mails[i].bytes.len;
    }
    printf("%d mails, %zu bytes\n", n, total);
    double us = time_delivery(mails, n);
    printf("structure, envelope, bodystructure: %.2f us a mail, %.0f MB/s\n", us / n,
           (double)total / us);
    us = time_search(mails, n, argv[1], false, &found);
    printf("SEARCH BODY: %.0f us, %d found, %.0f MB/s\n", us, found, (double)total / us);
    us = time_search(mails, n, argv[1], true, &found);
    printf("SEARCH TEXT: %.0f us, %d found\n", us, found);
    for (int i = 0; i < n; i++) {
        arena_done(&mails[i].arena);
        free((void *)(uintptr_t)mails[i].bytes.ptr);
    }
    free(mails);
    return 0;
}
