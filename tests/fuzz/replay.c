/* replay.c - run a fuzz target over the files of its kept corpus, in an ordinary build. */
#include <dirent.h>
#include <stdint.h>

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = NULL;
    size_t len = 0, got;

    if (!file)
        return;
    do {
        bytes = mem_grow(bytes, len + 65536, 1);
        got = fread(bytes + len, 1, 65536, file);
        len += got;
    } while (got > 0);
    fclose(file);
    LLVMFuzzerTestOneInput(bytes, len);
    free(bytes);
}

int main(int argc, char **argv)
{
    unsigned files = 0;
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;

    if (!dir) {
        fprintf(stderr, "usage: %s CORPUS-DIRECTORY\n", argv[0]);
        return 2;
    }
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[4096];

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        replay_file(path);
        files++;
    }
    closedir(dir);
    printf("%u inputs replayed\n", files);
    return files ? 0 : 1;
}
