/* SPDX-License-Identifier: Apache-2.0 */
/* kernel_find.c: a kernel where none was named */
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mote/log.h"

#include "kernel.h"
#include "places.h"

#define FIND_BOOT "/boot/vmlinuz-*"

/* Kept by "make install" of Linux beside the one it replaces. */
static bool find_is_old(const char *path)
{
    size_t n = strlen(path);

    return n > 4 && strcmp(path + n - 4, ".old") == 0;
}

static bool find_is_file(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && !find_is_old(path);
}

/* Versions are in the file's name; each may be in a directory of its own. */
static bool find_is_newer(const char *path, const char *than)
{
    const char *a = strrchr(path, '/'), *b = than ? strrchr(than, '/') : NULL;

    return !than || strverscmp(a ? a : path, b ? b : than) > 0;
}

char *kernel_newest(const char *pattern, unsigned int *denied)
{
    const char *best = NULL;
    char *found = NULL;
    glob_t all;

    /* NOLINTNEXTLINE(concurrency-mt-unsafe): no thread yet */
    if (glob(pattern, GLOB_NOSORT, NULL, &all) != 0)
        return NULL;
    for (size_t i = 0; i < all.gl_pathc; i++) {
        const char *path = all.gl_pathv[i];

        if (!find_is_file(path))
            continue;
        if (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) < 0)
            ++*denied;
        else if (find_is_newer(path, best))
            best = path;
    }
    if (best)
        found = strdup(best);
    globfree(&all);
    return found;
}

/* A value of the environment that says something. */
static const char *find_env(const char *name)
{
    const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe) */

    return value && *value ? value : NULL;
}

/* text, which a pattern takes for itself only. */
static void find_quote(char *out, size_t size, const char *text)
{
    size_t n = strlen(out);

    for (; *text && n + 2 < size; text++) {
        if (strchr("\\*?[", *text))
            out[n++] = '\\';
        out[n++] = *text;
    }
    out[n] = '\0';
}

/* Packages of kernels, unpacked: tools/guest is one that makes them. */
static char *find_cached(unsigned int *denied)
{
    char quoted[2048] = "", pattern[2300];
    char *dir = places_cache("packages");

    if (!dir)
        return NULL;
    find_quote(quoted, sizeof(quoted), dir);
    free(dir);
    snprintf(pattern, sizeof(pattern), "%s/*/boot/vmlinuz-*", quoted);
    return kernel_newest(pattern, denied);
}

int kernel_find(char **path)
{
    const char *named = find_env("MOTE_KERNEL");
    unsigned int denied = 0;

    *path = named ? strdup(named) : find_cached(&denied);
    if (!named && !*path)
        *path = kernel_newest(FIND_BOOT, &denied);
    if (*path)
        return 0;
    if (named)
        return fail(-ENOMEM, "kernel %s", named);
    if (denied)
        return fail_rule(-EACCES,
                         "no kernel: uid %u may not read " FIND_BOOT
                         "; let root make one readable (chmod a+r), or give "
                         "--kernel FILE",
                         geteuid());
    return fail_rule(
        -ENOENT, "no kernel: none is in the cache, and there is no " FIND_BOOT
                 "; give --kernel FILE or $MOTE_KERNEL, or install a "
                 "distribution's (Debian: linux-image-cloud-amd64)");
}
