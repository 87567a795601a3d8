/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel_inspect.c, modules.c, identify.c, ikconfig.c: any file as a kernel and
 * as a module, any bytes as a kernel's memory, any text as its configuration
 * and its list of modules. Input: the texts' lengths in a byte each, the texts,
 * the file.
 */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuzz.h"
#include "mote/loader.h"
#include "run/kernel.h"

#define RAM (16 * MIB)

static char dir[] = "/dev/shm/mote-fuzz-XXXXXX"; /* in memory */
static char path[64];
static int fd;
static struct mem *ram;

static void fuzz_down(void)
{
    unlink(path);
    rmdir(dir);
}

static void fuzz_up(void)
{
    log_sink_set(fuzz_no_log);
    if (!mkdtemp(dir) || mem_new(&ram, RAM) < 0)
        abort();
    snprintf(path, sizeof(path), "%s/a.ko", dir);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || atexit(fuzz_down) != 0)
        abort();
}

static char *text(struct fuzz_input *in, size_t n)
{
    const u8 *at = fuzz_bytes(in, &n);

    return strndup((const char *)at, n);
}

/* What becomes part of a path is a name. */
static void inspect(void)
{
    struct kernel_info k;

    if (kernel_inspect(&k, path) < 0)
        return;
    assert(k.format && strlen(k.release) < sizeof(k.release));
    for (const char *p = k.release; *p; p++)
        assert(isalnum((u8)*p) || strchr("._+~-", *p));
    assert(k.release[0] == '\0' || isdigit((u8)k.release[0]));
    kernel_info_fini(&k);
}

static void modules(const struct kernel_info *k)
{
    const char *const names[] = {"a", "virtio_rng", NULL};
    char **files;
    int r = kernel_modules(k, names, &files);

    assert((r == 0) == (files != NULL));
    for (size_t i = 0; r == 0 && files[i]; i++)
        assert(strncmp(files[i], dir, sizeof(dir) - 1) == 0 && i < 128);
    kernel_modules_free(files);
    must(kernel_option(k, "VIRTIO") <= 2);
}

static void config(const u8 *data, size_t len)
{
    struct loader_result loaded = {.kernel_len = MIN(len, RAM)};
    static char out[4096];

    memset(out, 'x', sizeof(out));
    memcpy(mem_range(ram, 0, RAM), data, loaded.kernel_len);
    if (loader_config(ram, &loaded, out, sizeof(out)) == 0)
        assert(strnlen(out, sizeof(out)) < sizeof(out));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
    struct fuzz_input in = {data, len};
    struct kernel_info k = {.path = path, .modules = dir};
    u64 lens = fuzz_take(&in, 3);

    if (!ram)
        fuzz_up();
    k.config = text(&in, lens & 0xff);
    k.builtin = text(&in, lens >> 8 & 0xff);
    k.index = text(&in, lens >> 16 & 0xff);
    if (ftruncate(fd, (off_t)in.left) < 0 || pwrite(fd, in.at, in.left, 0) < 0)
        abort();
    inspect();
    modules(&k);
    config(in.at, in.left);
    free(k.config);
    free(k.builtin);
    free(k.index);
    return 0;
}
