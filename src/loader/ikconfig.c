/* SPDX-License-Identifier: Apache-2.0 */
/* ikconfig.c: the configuration in a kernel, between marks: Linux's
 * kernel/configs.c */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mote/log.h"

#include "load.h"

#define IKCONFIG_MARK  8u
#define IKCONFIG_START "IKCFG_ST"
#define IKCONFIG_END   "IKCFG_ED"

/* The first mark that gzip data follow: the marks' names are elsewhere, too. */
static const u8 *ikconfig_find(const u8 *p, u64 len, u64 *found)
{
    static const u8 start[] = IKCONFIG_START "\x1f\x8b";
    const u8 *mark = memmem(p, len, start, sizeof(start) - 1);
    const u8 *end;

    if (!mark)
        return NULL;
    mark += IKCONFIG_MARK;
    end = memmem(mark, len - (u64)(mark - p), IKCONFIG_END, IKCONFIG_MARK);
    if (!end)
        return NULL;
    *found = (u64)(end - mark);
    return mark;
}

/* By way of a file, which is what the decoders read. */
static int ikconfig_unpack(const u8 *packed, u64 len, u64 max, u8 **text,
                           u64 *text_len)
{
    struct loader_file file = {
        .what = "configuration", .path = "of the kernel", .size = len};
    int r;

    file.fd = memfd_create("config", MFD_CLOEXEC);
    if (file.fd < 0 || write(file.fd, packed, len) != (ssize_t)len)
        r = fail(file.fd < 0 ? -errno : -EIO, "the kernel's configuration");
    else
        r = loader_unpack(&file, max, text, text_len);
    loader_file_close(&file);
    return r;
}

int loader_config(const struct mem *m, const struct loader_result *loaded,
                  char *text, size_t size)
{
    const u8 *kernel = mem_range(m, loaded->kernel_gpa, loaded->kernel_len);
    const u8 *packed;
    u8 *data = NULL;
    u64 len;
    int r;

    packed = kernel ? ikconfig_find(kernel, loaded->kernel_len, &len) : NULL;
    if (!packed)
        return -ENOENT;
    r = ikconfig_unpack(packed, len, size, &data, &len);
    if (r < 0 || !data)
        return r < 0 ? r : -ENOENT;
    memcpy(text, data, MIN(len, size - 1));
    text[MIN(len, size - 1)] = '\0';
    free(data);
    return 0;
}
