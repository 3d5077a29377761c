/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs one fuzz target over every file of its corpus, with any compiler.
 *
 * Directories are named as arguments; without any, it is the target's own:
 * $srcdir/tests/fuzz/corpus/NAME for the program fuzz_NAME, which is how `make
 * check` starts it. A corpus that is empty or cannot be read is a failure,
 * since nothing was tried. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_MAX (16u * 1024 * 1024)
#define PATH_MAX_BYTES 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    struct stat status;
    uint8_t *data;
    size_t size;
    FILE *file;

    file = fopen(path, "rb");
    if (file == NULL || fstat(fileno(file), &status) != 0 ||
        status.st_size > (off_t)INPUT_MAX) {
        fprintf(stderr, "%s: cannot read, or too large\n", path);
        if (file != NULL)
            fclose(file);
        return -1;
    }
    /* Exactly the size, so that a sanitizer sees a read past the end. */
    size = (size_t)status.st_size;
    data = malloc(size > 0 ? size : 1);
    if (data == NULL || fread(data, 1, size, file) != size) {
        fprintf(stderr, "%s: cannot read\n", path);
        free(data);
        fclose(file);
        return -1;
    }
    fclose(file);
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 0;
}

/* The number of files replayed, or -1. */
static long replay_directory(const char *directory)
{
    char path[PATH_MAX_BYTES];
    struct dirent *entry;
    struct stat status;
    long count = 0;
    DIR *dir;

    dir = opendir(directory);
    if (dir == NULL) {
        fprintf(stderr, "%s: %s\n", directory, strerror(errno));
        return -1;
    }
    while (count >= 0 && (entry = readdir(dir)) != NULL) {
        (void)snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        if (stat(path, &status) != 0 || !S_ISREG(status.st_mode))
            continue;
        /* Said before, so that a crash leaves the name behind. */
        printf("%s\n", path);
        fflush(stdout);
        count = replay_file(path) == 0 ? count + 1 : -1;
    }
    closedir(dir);
    return count;
}

static int replay_all(int count, char **directories)
{
    int i;

    for (i = 0; i < count; i++) {
        if (replay_directory(directories[i]) <= 0) {
            fprintf(stderr, "%s: nothing replayed\n", directories[i]);
            return EXIT_FAILURE;
        }
    }
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    const char *srcdir = getenv("srcdir");
    const char *name = strstr(argv[0], "fuzz_");
    char own[PATH_MAX_BYTES];
    char *only = own;

    if (argc > 1)
        return replay_all(argc - 1, argv + 1);
    if (name == NULL) {
        fprintf(stderr, "usage: %s DIRECTORY...\n", argv[0]);
        return EXIT_FAILURE;
    }
    (void)snprintf(own, sizeof(own), "%s/tests/fuzz/corpus/%s",
                   srcdir != NULL ? srcdir : ".", name + strlen("fuzz_"));
    return replay_all(1, &only);
}
