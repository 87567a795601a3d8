/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay.c: every file of tests/fuzz/corpus/x and regress/x through fuzz
 * target x, without libFuzzer. usage: replay [target ...]
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuzz.h"

#define REPLAY_MAX (1u << 20) /* bytes of one input */
#define REPLAY_S   120        /* for all of them */

/* Generated from the names of the fuzz_*.c. */
#define FUZZER(name) int fuzz_##name(const u8 *data, size_t len);
#include "fuzzers.h"
#undef FUZZER

static const struct replay {
    const char *name;
    int (*run)(const u8 *data, size_t len);
} replays[] = {
#define FUZZER(name) {#name, fuzz_##name},
#include "fuzzers.h"
};

/* Exactly as long as the input, so that a sanitizer sees what is beyond. */
static void replay_file(const struct replay *t, const char *path)
{
    static u8 buf[REPLAY_MAX];
    FILE *f = fopen(path, "rb");
    size_t len;
    u8 *data;

    if (!f)
        return;
    len = fread(buf, 1, sizeof(buf), f);
    fclose(f);
    data = malloc(len + !len);
    if (!data)
        abort();
    memcpy(data, buf, len);
    t->run(data, len);
    free(data);
}

/* The path is printed first: what crashes is the last one named. */
static unsigned int replay_dir(const struct replay *t, const char *kind)
{
    char dir[128], path[512];
    unsigned int n = 0;
    struct dirent *e;
    DIR *d;

    snprintf(dir, sizeof(dir), "tests/fuzz/%s/%s", kind, t->name);
    d = opendir(dir);
    while (d && (e = readdir(d))) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        if (isatty(STDOUT_FILENO))
            printf("\r\033[K%s", path);
        replay_file(t, path);
        n++;
    }
    if (d)
        closedir(d);
    return n;
}

static bool replay_wanted(const char *name, int argc, char **argv)
{
    bool wanted = argc < 2;

    for (int i = 1; i < argc; i++)
        wanted |= strcmp(argv[i], name) == 0;
    return wanted;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    alarm(REPLAY_S);
    for (size_t i = 0; i < ARRAY_SIZE(replays); i++) {
        const struct replay *t = &replays[i];
        unsigned int n;

        if (!replay_wanted(t->name, argc, argv))
            continue;
        n = replay_dir(t, "corpus") + replay_dir(t, "regress");
        printf("%s%s: %u inputs\n", isatty(STDOUT_FILENO) ? "\r\033[K" : "",
               t->name, n);
    }
    return 0;
}
