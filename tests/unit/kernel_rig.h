/* SPDX-License-Identifier: Apache-2.0 */
/* kernel_rig.h: trees of kernels and modules, made on the spot */
#ifndef MOTE_KERNEL_RIG_H
#define MOTE_KERNEL_RIG_H

#include <ftw.h>

#include "loader_test.h"
#include "run/kernel.h"

#define KR_RELEASE "6.9.9-test"

static inline int kr_remove(const char *path, const struct stat *st, int type,
                            struct FTW *ftw)
{
    return remove(path);
}

static inline void kr_teardown(void)
{
    log_sink_set(NULL);
    ck_assert_int_eq(nftw(lt_dir, kr_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* Of name in the test's directory, with the directories above it; valid until
 * the next call. */
static inline const char *kr_path(const char *name)
{
    static char path[512];

    snprintf(path, sizeof(path), "%s/%s", lt_dir, name);
    for (char *p = path + strlen(lt_dir) + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        mkdir(path, 0755);
        *p = '/';
    }
    return path;
}

static inline void kr_write(const char *name, const void *data, size_t len)
{
    int fd = open(kr_path(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, data, len), (ssize_t)len);
    close(fd);
}

static inline void kr_text(const char *name, const char *text)
{
    kr_write(name, text, strlen(text));
}

/* Nothing of it runs, but its header is right; version NULL: it has none. */
static inline void kr_kernel(const char *name, const char *version)
{
    static u8 image[LT_PAYLOAD + 64];

    lt_bzimage_head(image, 64);
    memcpy(image + LT_PAYLOAD, "\x1f\x8b", 2);
    if (version)
        snprintf((char *)image + 0x500, 0x100, "%s", version);
    else
        le16_put(image + 0x20e, 0);
    kr_write(name, image, sizeof(image));
}

/* A module is an ELF file whose section .modinfo has this in it: text with ;
 * for each NUL. */
struct kr_module {
    Elf64_Ehdr eh;
    Elf64_Shdr sh[3];
    char names[24];
    char info[512];
};

static inline struct kr_module kr_make_module(const char *info)
{
    struct kr_module m = {
        .eh = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1},
               .e_type = ET_REL,
               .e_machine = EM_X86_64,
               .e_shoff = offsetof(struct kr_module, sh),
               .e_shentsize = sizeof(Elf64_Shdr),
               .e_shnum = 3,
               .e_shstrndx = 1},
        .sh = {{.sh_type = SHT_NULL},
               {.sh_type = SHT_STRTAB,
                .sh_name = 10,
                .sh_offset = offsetof(struct kr_module, names),
                .sh_size = 20},
               {.sh_type = SHT_PROGBITS,
                .sh_name = 1,
                .sh_offset = offsetof(struct kr_module, info),
                .sh_size = strlen(info)}},
        .names = "\0.modinfo\0.shstrtab",
    };

    ck_assert_uint_lt(strlen(info), sizeof(m.info));
    for (size_t i = 0; info[i]; i++)
        m.info[i] = info[i] == ';' ? '\0' : info[i];
    return m;
}

static inline void kr_module(const char *name, const char *info)
{
    struct kr_module m = kr_make_module(info);

    kr_write(name, &m, sizeof(m));
}

#endif
