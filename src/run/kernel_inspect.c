/* SPDX-License-Identifier: Apache-2.0 */
/* kernel_inspect.c: what a kernel's file and those beside it say of it */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mote/loader.h"
#include "mote/log.h"

#include "kernel.h"

#define INSPECT_TEXT_MAX (16 * MIB) /* Debian's largest list has 0.7 */
#define INSPECT_PATH_MAX 4096

/* ---- text files ----------------------------------------------------------
 */

static ssize_t text_read(int fd, char *buf, size_t len)
{
    size_t done = 0;
    ssize_t n;

    do {
        n = read(fd, buf + done, len - done);
        done += n > 0 ? (size_t)n : 0;
    } while (n > 0 || (n < 0 && errno == EINTR));
    return n < 0 ? n : (ssize_t)done;
}

/* A regular file's; what is behind a NUL does not count. */
static char *text_take(int fd)
{
    struct stat st;
    ssize_t n;
    char *text;

    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
        (u64)st.st_size > INSPECT_TEXT_MAX)
        return NULL;
    text = malloc((size_t)st.st_size + 1);
    if (!text)
        return NULL;
    n = text_read(fd, text, (size_t)st.st_size);
    if (n < 0) {
        free(text);
        return NULL;
    }
    text[n] = '\0';
    return text;
}

/* To be freed; NULL: there is none. */
static char *text_open(const char *dir, const char *name)
{
    char path[INSPECT_PATH_MAX];
    char *text;
    int fd;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return NULL;
    text = text_take(fd);
    close(fd);
    return text;
}

/* ---- what is beside the kernel -------------------------------------------
 */

/* "6.1.0-56-cloud-amd64 (...) #1": its first word, which is going to be part
 * of a path, and comes from an untrusted file. */
static void inspect_release(struct kernel_info *k)
{
    size_t n = strcspn(k->version, " ");

    if (n >= sizeof(k->release) || !isdigit((u8)k->version[0]))
        return;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((u8)k->version[i]) && !strchr("._+~-", k->version[i]))
            return;
    memcpy(k->release, k->version, n);
    k->release[n] = '\0';
}

/* "/boot" of "/boot/vmlinuz", "." of "vmlinuz". */
static void inspect_dir(const struct kernel_info *k, char *out, size_t size)
{
    const char *slash = strrchr(k->path, '/');

    if (slash)
        snprintf(out, size, "%.*s", (int)MAX(slash - k->path, 1), k->path);
    else
        snprintf(out, size, ".");
}

static bool inspect_is_dir(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* A package that was unpacked has them beside boot; else they are the host's.
 */
static char *inspect_modules(const struct kernel_info *k, const char *dir)
{
    const char *const roots[] = {dir, "/boot", "/usr/boot"};
    char path[INSPECT_PATH_MAX];

    for (size_t i = 0; i < ARRAY_SIZE(roots); i++) {
        snprintf(path, sizeof(path), "%s/../lib/modules/%s", roots[i],
                 k->release);
        if (inspect_is_dir(path))
            return realpath(path, NULL);
    }
    return NULL;
}

/* depmod has made modules.dep at installation; a package that was only unpacked
 * has the order in which its build linked them. */
static void inspect_lists(struct kernel_info *k)
{
    k->builtin = text_open(k->modules, "modules.builtin");
    k->index = text_open(k->modules, "modules.dep");
    if (k->index && k->index[0])
        return;
    free(k->index);
    k->index = text_open(k->modules, "modules.order");
}

static void inspect_beside(struct kernel_info *k)
{
    char dir[INSPECT_PATH_MAX], name[sizeof(k->release) + 8];

    inspect_dir(k, dir, sizeof(dir));
    k->modules = inspect_modules(k, dir);
    if (k->modules)
        inspect_lists(k);
    snprintf(name, sizeof(name), "config-%s", k->release);
    k->config = text_open(dir, name);
    if (!k->config && k->modules)
        k->config = text_open(k->modules, "config"); /* Fedora */
}

static int inspect_file(struct kernel_info *k)
{
    struct loader_identity id;
    struct loader_file file;
    int r = loader_file_open(&file, "kernel", k->path);

    if (r < 0)
        return r;
    r = loader_identify(&file, &id);
    loader_file_close(&file);
    if (r < 0)
        return r;
    k->format = id.format;
    memcpy(k->version, id.version, sizeof(k->version));
    return 0;
}

int kernel_inspect(struct kernel_info *out, const char *path)
{
    int r;

    *out = (struct kernel_info){.path = strdup(path)};
    if (!out->path)
        return fail(-ENOMEM, "kernel %s", path);
    r = inspect_file(out);
    if (r < 0) {
        kernel_info_fini(out);
        return r;
    }
    inspect_release(out);
    if (out->release[0])
        inspect_beside(out);
    return 0;
}

void kernel_info_fini(struct kernel_info *k)
{
    free(k->path);
    free(k->modules);
    free(k->builtin);
    free(k->index);
    free(k->config);
    *k = (struct kernel_info){0};
}

/* ---- options -------------------------------------------------------------
 */

/* What is behind "CONFIG_X=" at the start of a line, or NULL. A configuration
 * is complete: what it does not name is not set. */
static const char *option_value(const char *text, const char *option)
{
    size_t n = strlen(option);

    for (const char *p = text; p; p = strchr(p, '\n')) {
        p += *p == '\n';
        if (strncmp(p, "CONFIG_", 7) == 0 && strncmp(p + 7, option, n) == 0 &&
            p[7 + n] == '=')
            return p + 7 + n + 1;
    }
    return NULL;
}

int kernel_option(const struct kernel_info *k, const char *option)
{
    const char *value;

    if (!k->config)
        return -ENOENT;
    value = option_value(k->config, option);
    if (!value)
        return 0;
    return *value == 'm' ? 2 : 1;
}

/* The option that makes a module; most have its name. */
static void option_of_module(char *out, size_t size, const char *module)
{
    static const struct {
        const char *module, *option;
    } names[] = {
        {"af_packet", "PACKET"},   {"btrfs", "BTRFS_FS"},
        {"erofs", "EROFS_FS"},     {"ext4", "EXT4_FS"},
        {"overlay", "OVERLAY_FS"}, {"virtio_rng", "HW_RANDOM_VIRTIO"},
        {"xfs", "XFS_FS"},
    };

    snprintf(out, size, "%s", module);
    for (char *p = out; *p; p++)
        *p = *p == '-' ? '_' : *p;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(out, names[i].module) == 0) {
            snprintf(out, size, "%s", names[i].option);
            return;
        }
    }
    for (char *p = out; *p; p++)
        *p = (char)toupper((u8)*p);
}

/* What the build was told, if that is known. */
static enum kernel_part part_by_option(const struct kernel_info *k,
                                       const char *module)
{
    static const enum kernel_part said[] = {PART_ABSENT, PART_BUILTIN,
                                            PART_LOST};
    char option[64];
    int r;

    option_of_module(option, sizeof(option), module);
    r = kernel_option(k, option);
    return r < 0 ? PART_UNKNOWN : said[r];
}

enum kernel_part kernel_part(const struct kernel_info *k, const char *module)
{
    enum kernel_part part;
    char *file;
    size_t len;

    if (k->builtin && kernel_list_find(k->builtin, module, &len))
        return PART_BUILTIN;
    file = kernel_module_file(k, module);
    free(file);
    if (file)
        return PART_MODULE;
    part = part_by_option(k, module);
    if (part == PART_UNKNOWN && k->builtin && k->index)
        return PART_ABSENT;
    return part;
}
