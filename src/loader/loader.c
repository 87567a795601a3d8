/* SPDX-License-Identifier: Apache-2.0 */
/* loader.c: the order in which a kernel and its tables come into RAM */

#include "mote/clock.h"
#include "mote/log.h"

#include "load.h"

/* The beginning of a file, enough to tell what it is. */
struct head {
    u8 bytes[SETUP_MAX];
    u64 len;
};

/* clang-format off */
static const char *const loader_formats[PACK_NR][2] = {
    [PACK_NONE] = {"vmlinux", "bzImage, uncompressed"},
    [PACK_GZIP] = {"vmlinux, gzip", "bzImage, gzip"},
    [PACK_XZ] = {"vmlinux, xz", "bzImage, xz"},
    [PACK_LZMA] = {"vmlinux, lzma", "bzImage, lzma"},
    [PACK_BZIP2] = {"vmlinux, bzip2", "bzImage, bzip2"},
    [PACK_ZSTD] = {"vmlinux, zstd", "bzImage, zstd"},
    [PACK_LZ4_LEGACY] = {"vmlinux, lz4", "bzImage, lz4"},
    [PACK_LZ4] = {"vmlinux, lz4", "bzImage, lz4"},
};
/* clang-format on */

int loader_no_room(const char *what, const char *path, u64 end, u64 ram)
{
    u64 mib;

    if (end > MEM_LOW_END)
        return fail_rule(-EFBIG,
                         "%s %s: would end at address %#llx; the "
                         "guest's memory below 4 GiB ends at %#llx",
                         what, path, (unsigned long long)end, MEM_LOW_END);
    mib = (end + MIB - 1) / MIB;
    return fail_rule(-ENOMEM,
                     "%s %s: does not fit the guest's %llu MiB of "
                     "memory; use --memory %lluM or more",
                     what, path, (unsigned long long)(ram / MIB),
                     (unsigned long long)mib);
}

static int head_read(struct source *src, u64 at, void *buf, u64 len, u64 *got)
{
    s64 n;

    src->pos = at;
    n = source_read(src, buf, len);
    *got = n < 0 ? 0 : (u64)n;
    return n < 0 ? (int)n : 0;
}

/* "6.1.0-amd64 (...) #1 SMP ...": for the log only, so never an error. */
static int loader_version(struct source *src, u64 at, char *out, size_t size)
{
    u64 len;
    int r;

    out[0] = '\0';
    if (at == 0 || at >= src->end)
        return 0;
    r = head_read(src, at, out, size - 1, &len);
    out[len] = '\0';
    for (char *p = out; *p; p++)
        if (*p < 0x20 || *p > 0x7e)
            *p = '.';
    return r;
}

static int loader_header(struct source *src, struct bzimage *bz,
                         struct kernel *k)
{
    struct head head;
    int r = head_read(src, 0, head.bytes, sizeof(head.bytes), &head.len);

    *bz = (struct bzimage){0};
    if (r < 0)
        return r;
    if (bzimage_detect(head.bytes, head.len)) {
        r = bzimage_parse(src, head.bytes, head.len, bz, k);
        if (r == 0)
            r = loader_version(src, bz->version_offset, k->version,
                               sizeof(k->version));
        src->end = r < 0 ? src->end : bz->payload + bz->payload_len;
    } else {
        bzimage_default(k);
    }
    src->pos = bz->payload;
    return r;
}

/* Which compression is it at src? */
static int loader_detect(struct source *src, bool bzimage)
{
    struct head head;
    u64 at = src->pos;
    int r = head_read(src, at, head.bytes, sizeof(head.bytes), &head.len);
    int pack;

    if (r < 0)
        return r;
    src->pos = at;
    pack = unpack_detect(head.bytes, head.len);
    if (pack >= 0)
        return pack;
    return source_bad(src, "%s %s",
                      bzimage ? "the kernel in this bzImage is"
                              : "is not a kernel but",
                      elf_guess(head.bytes, head.len));
}

int loader_begin(struct source *src, struct bzimage *bz, struct kernel *k)
{
    int r = loader_header(src, bz, k);

    if (r == 0)
        r = loader_detect(src, bz->payload != 0);
    if (r >= 0)
        k->format = loader_formats[r][bz->payload != 0];
    return r;
}

static int loader_kernel(struct mem *m, struct source *src, u64 end,
                         struct kernel *k)
{
    u64 start = monotonic_ns();
    struct bzimage bz;
    struct elf elf;
    int pack = loader_begin(src, &bz, k);
    int r;

    if (pack < 0)
        return pack;
    elf_init(&elf, src, m, bz.init_size);
    if (end)
        elf.window_end = end;
    r = unpack(src, (enum pack)pack, &elf.sink, m->size);
    if (r == 0)
        r = elf_finish(&elf);
    k->unpack_ns = monotonic_ns() - start;
    k->multiboot = elf.multiboot;
    if (k->multiboot)
        k->format = "multiboot";
    k->entry = elf.entry;
    k->start = elf.start;
    k->end = elf.end;
    return r;
}

static int loader_tables(struct mem *m, const struct loader_spec *spec,
                         const struct boot_info *info)
{
    int r = info->kernel->multiboot ? multiboot_write(m, spec, info)
                                    : bootparams_write(m, info);

    if (r == 0)
        r = mptable_write(m, spec->cpus);
    return r < 0 ? r : acpi_write(m, spec);
}

int loader_load(struct mem *m, const struct loader_spec *spec,
                struct loader_result *out)
{
    struct kernel k = {0};
    struct boot_info info = {.kernel = &k, .cmdline = spec->cmdline};
    struct source src;
    int r;

    source_init(&src, spec->kernel);
    r = loader_kernel(m, &src, spec->initrd_gpa, &k);
    if (r == 0 && spec->initrd)
        r = initrd_load(m, spec->initrd, spec->initrd_gpa, &k, &info.initrd_gpa,
                        &info.initrd_len);
    if (r == 0)
        r = loader_tables(m, spec, &info);
    if (r < 0)
        return r;
    out->format = k.format;
    memcpy(out->version, k.version, sizeof(out->version));
    out->kernel_gpa = k.start;
    out->kernel_len = k.end - k.start;
    out->initrd_gpa = info.initrd_gpa;
    out->initrd_len = info.initrd_len;
    out->unpack_ns = k.unpack_ns;
    return k.multiboot ? multiboot_cpu(m, k.entry, &out->bsp)
                       : bootparams_cpu(m, k.entry, &out->bsp);
}
