/* SPDX-License-Identifier: Apache-2.0 */
/* loader_test.h: what the loader's suites share: images made on the spot,
 * files that hold them, and the text of the errors they cause. */
#ifndef MOTE_LOADER_TEST_H
#define MOTE_LOADER_TEST_H

#include <check.h>
#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loader/load.h"
#include "mote/log.h"

#define TEST_RAM (32 * MIB)

static char lt_log[4096];
static char lt_dir[] = "/tmp/mote-unit-XXXXXX";

static inline void lt_sink(const char *text, size_t len)
{
    size_t have = strlen(lt_log);

    len = MIN(len, sizeof(lt_log) - 1 - have);
    memcpy(lt_log + have, text, len);
    lt_log[have + len] = '\0';
}

static inline void lt_setup(void)
{
    strcpy(lt_dir + strlen(lt_dir) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(lt_dir));
    lt_log[0] = '\0';
    log_sink_set(lt_sink);
}

static inline void lt_teardown(void)
{
    DIR *dir = opendir(lt_dir);
    struct dirent *e;

    log_sink_set(NULL);
    ck_assert_ptr_nonnull(dir);
    while ((e = readdir(dir)))
        if (e->d_name[0] != '.')
            unlinkat(dirfd(dir), e->d_name, 0);
    closedir(dir);
    ck_assert_int_eq(rmdir(lt_dir), 0);
}

/* Path of a file in the test's directory; valid until the next call. */
static inline const char *lt_path(const char *name)
{
    static char path[64];

    snprintf(path, sizeof(path), "%s/%s", lt_dir, name);
    return path;
}

static inline const char *lt_file(const char *name, const void *data,
                                  size_t len)
{
    const char *path = lt_path(name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, data, len), (ssize_t)len);
    close(fd);
    return path;
}

/* One error line was printed, and it has this in it. */
static inline void lt_said(const char *name, const char *want)
{
    const char *nl = strchr(lt_log, '\n');

    ck_assert_msg(strstr(lt_log, want) != NULL, "%s: \"%s\" is not in: %s",
                  name, want, lt_log);
    ck_assert_msg(nl && nl[1] == '\0', "%s: not one line: %s", name, lt_log);
}

/* Bytes that do not compress to nothing and tell where they are from. */
static inline u8 lt_byte(u64 at)
{
    return (u8)((at * 0x9e3779b97f4a7c15ull) >> 56) & 0x3f;
}

/* A kernel of two segments with a gap between them and a bss. */
struct lt_elf {
    Elf64_Ehdr eh;
    Elf64_Phdr ph[3];
};

#define LT_TEXT_OFFSET 0x200ull
#define LT_TEXT_SIZE   0x4123ull
#define LT_TEXT_GPA    0x200000ull
#define LT_DATA_OFFSET 0x8000ull
#define LT_DATA_SIZE   0x2001ull
#define LT_DATA_GPA    0x300010ull
#define LT_BSS         0x5000ull
#define LT_ELF_SIZE    0xb000ull /* with some bytes no segment wants */

static inline struct lt_elf lt_elf_headers(void)
{
    return (struct lt_elf){
        .eh = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1},
               .e_type = ET_EXEC,
               .e_machine = EM_X86_64,
               .e_version = 1,
               .e_entry = LT_TEXT_GPA + 0x40,
               .e_phoff = sizeof(Elf64_Ehdr),
               .e_ehsize = sizeof(Elf64_Ehdr),
               .e_phentsize = sizeof(Elf64_Phdr),
               .e_phnum = 3},
        /* Not in the order of the file, as with kernels' per-CPU data. */
        .ph = {{.p_type = PT_LOAD,
                .p_offset = LT_DATA_OFFSET,
                .p_paddr = LT_DATA_GPA,
                .p_filesz = LT_DATA_SIZE,
                .p_memsz = LT_DATA_SIZE + LT_BSS},
               {.p_type = PT_NOTE, .p_offset = 0, .p_filesz = ~0ull},
               {.p_type = PT_LOAD,
                .p_offset = LT_TEXT_OFFSET,
                .p_paddr = LT_TEXT_GPA,
                .p_filesz = LT_TEXT_SIZE,
                .p_memsz = LT_TEXT_SIZE}},
    };
}

/* LT_ELF_SIZE bytes, to be freed. */
static inline u8 *lt_elf_image(const struct lt_elf *headers)
{
    u8 *p = malloc(LT_ELF_SIZE);

    ck_assert_ptr_nonnull(p);
    for (u64 i = 0; i < LT_ELF_SIZE; i++)
        p[i] = lt_byte(i);
    memcpy(p, headers, sizeof(*headers));
    return p;
}

/* Is the kernel of lt_elf_headers() in RAM, and nothing else around it? */
static inline void lt_elf_loaded(const struct mem *m)
{
    const u8 *text = mem_range(m, LT_TEXT_GPA - 1, LT_TEXT_SIZE + 2);
    const u8 *data = mem_range(m, LT_DATA_GPA - 1, LT_DATA_SIZE + LT_BSS + 1);

    ck_assert_uint_eq(text[0], 0);
    ck_assert_uint_eq(text[LT_TEXT_SIZE + 1], 0);
    ck_assert_uint_eq(data[0], 0);
    for (u64 i = 0; i < LT_TEXT_SIZE; i++)
        ck_assert_uint_eq(text[i + 1], lt_byte(LT_TEXT_OFFSET + i));
    for (u64 i = 0; i < LT_DATA_SIZE; i++)
        ck_assert_uint_eq(data[i + 1], lt_byte(LT_DATA_OFFSET + i));
    for (u64 i = LT_DATA_SIZE; i < LT_DATA_SIZE + LT_BSS; i++)
        ck_assert_uint_eq(data[i + 1], 0);
}

#define LT_SETUP_SECTS 7u
#define LT_PAYLOAD     ((LT_SETUP_SECTS + 1) * 512 + 0x100u)
#define LT_VERSION     "6.9.9-test (someone@somewhere) #1"

/* The head of a bzImage of protocol 2.15 up to its payload. */
static inline void lt_bzimage_head(u8 head[static LT_PAYLOAD], u32 payload_len)
{
    memset(head, 0, LT_PAYLOAD);
    head[0] = 'M';
    head[1] = 'Z';
    head[0x1f1] = LT_SETUP_SECTS;
    le16_put(head + 0x1fe, 0xaa55);
    head[0x200] = 0xeb;
    head[0x201] = 0x6a;
    memcpy(head + 0x202, "HdrS", 4);
    le16_put(head + 0x206, 0x20f);
    le16_put(head + 0x20e, 0x300);
    head[0x211] = 1;
    le32_put(head + 0x22c, 0x7fffffff);
    le32_put(head + 0x230, 0x200000);
    head[0x234] = 1;
    le16_put(head + 0x236, 0x7f);
    le32_put(head + 0x238, 2047);
    le32_put(head + 0x248, 0x100);
    le32_put(head + 0x24c, payload_len);
    le64_put(head + 0x250, 0xdeadbeef);
    le64_put(head + 0x258, LT_TEXT_GPA);
    le32_put(head + 0x260, 0x800000);
    strcpy((char *)head + 0x500, LT_VERSION);
}

/* Load path as a kernel, with nothing else. */
static inline int lt_load(struct mem *m, const char *path,
                          struct loader_result *out)
{
    struct loader_file kernel;
    struct loader_spec spec = {
        .kernel = &kernel, .cmdline = "quiet", .cpus = 1};
    int r = loader_file_open(&kernel, "kernel", path);

    if (r == 0)
        r = loader_load(m, &spec, out);
    loader_file_close(&kernel);
    return r;
}

#endif
