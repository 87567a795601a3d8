/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.h: what the parts of the loader share. A kernel flows one way: source
 * (a file, read in order) -> unpack -> sink (the ELF loader), which hands out
 * guest RAM for the bytes it wants. So there is never a second copy of the
 * unpacked kernel, and the file may change under us without harm.
 */
#ifndef MOTE_LOADER_LOAD_H
#define MOTE_LOADER_LOAD_H

#include "mote/loader.h"

/* Where things are in low memory; nothing here is ever covered by a kernel,
 * which starts at KERNEL_MIN or above. */
#define BOOT_PARAMS_GPA 0x7000ull
#define BOOT_GDT_GPA    0x8000ull
#define BOOT_STACK_GPA  0x9000ull /* grows down towards the GDT */
#define BOOT_PML4_GPA   0x9000ull /* then PDPT and four page directories */
#define CMDLINE_GPA     0x20000ull
#define MPTABLE_GPA     0x9fc00ull /* last KiB of base memory: MP 1.4, 4 */
#define MPTABLE_SIZE    0x400ull
#define ACPI_GPA        0xe0000ull /* where the RSDP is searched: ACPI 5.2.5.1 */
#define ACPI_SIZE       0x20000ull
#define KERNEL_MIN      0x100000ull

/* The highest address of an initrd: of all kernels since 2.6.26. */
#define INITRD_MAX 0x7fffffffull

#define LAPIC_GPA  0xfee00000u
#define IOAPIC_GPA 0xfec00000u

/* A regular file or block device, read forwards between pos and end. */
struct source {
    int fd;
    const char *what; /* "kernel", "initrd": how messages begin */
    const char *path; /* the caller's */
    u64 pos, end;
};

/* From the start of the file, whose fd is borrowed. */
void source_init(struct source *src, const struct loader_file *file);

/* Up to len bytes into buf: all of them unless end comes first. Returns their
 * number; -EIO and the like are reported, a file that shrank as well. */
s64 source_read(struct source *src, void *buf, u64 len);

/* "kernel vmlinuz: <message>"; returns -ENOEXEC, the file's own fault. */
int source_bad(const struct source *src, const char *fmt, ...) PRINTF(2, 3);

/*
 * Takes a stream of bytes in order. room() says where the next ones go: *buf,
 * at most *len (never 0) of them; *buf NULL: nobody wants these. filled() says
 * that n of them are there. Both: 0 or a negative errno, already reported.
 */
struct sink {
    int (*room)(struct sink *sink, u8 **buf, u64 *len);
    int (*filled)(struct sink *sink, u64 n);

    /*
     * And in large pieces, or all three are NULL. preview(): the SINK_PREVIEW
     * bytes that the stream begins with, and which come again; 0 or negative,
     * reported. window(): len bytes of memory in one piece for what is next,
     * NULL: there are none. settle(): n of these bytes are there; each goes to
     * its own place if that is another, and the rest of the window is zero.
     */
    int (*preview)(struct sink *sink, const u8 *head);
    u8 *(*window)(struct sink *sink, u64 len);
    void (*settle)(struct sink *sink, u64 n);
};

#define SINK_PREVIEW 8192u

/* Compressions, and what else a file can turn out to be. */
enum pack {
    PACK_NONE, /* an ELF file */
    PACK_GZIP,
    PACK_XZ,
    PACK_LZMA,
    PACK_BZIP2,
    PACK_ZSTD,
    PACK_LZ4_LEGACY,
    PACK_LZ4,
    PACK_NR
};

#define UNPACK_MAGIC_MAX 8

/* The compression that data begins with, or -ENOENT. Reports nothing. */
int unpack_detect(const u8 *data, u64 len);
const char *unpack_name(enum pack pack);

/*
 * Everything that src holds, unpacked, into the sink; at most limit bytes come
 * out. What follows the compressed stream may only be its unpacked length in
 * four bytes (the "size word" of Linux's build). 0 or negative, reported.
 */
int unpack(struct source *src, enum pack pack, struct sink *sink, u64 limit);

/* The setup header of the Linux/x86 boot protocol, at its place in a file. */
#define SETUP_BASE 0x1f1u
#define SETUP_MAX  0x281u /* 0x202 + the largest value of the jump's offset */

/* A kernel as the rest of the loader sees it. */
struct kernel {
    const char *format;
    bool multiboot;
    char version[128];
    u64 entry;
    u64 start, end;  /* of its memory, with what it needs beyond the file */
    u64 initrd_max;  /* last address an initrd may use */
    u32 cmdline_max; /* length without the NUL */
    u8 setup[SETUP_MAX - SETUP_BASE]; /* for boot_params, from 0x1f1 on */
    u64 unpack_ns;
};

/* bzImage ------------------------------------------------------------------ */

struct bzimage {
    u64 payload, payload_len; /* file offset and bytes */
    u64 pref_address;
    u32 init_size;
    u64 version_offset; /* of the version string in the file, 0: none */
};

/* Does head, the first len bytes of a file, begin a bzImage? */
bool bzimage_detect(const u8 *head, u64 len);

/* Check the setup header in head (at least SETUP_MAX bytes, or the whole
 * file) of src; fill *bz and k's setup header and limits. */
int bzimage_parse(const struct source *src, const u8 *head, u64 len,
                  struct bzimage *bz, struct kernel *k);

/* The setup header that a bare ELF kernel has not got. */
void bzimage_default(struct kernel *k);

/*
 * Leave src at the payload of a bzImage, or at the start of anything else; fill
 * k's format, version, setup header and limits. Returns the enum pack of what
 * is there, or negative, reported.
 */
int loader_begin(struct source *src, struct bzimage *bz, struct kernel *k);

/* ELF ---------------------------------------------------------------------- */

#define ELF_HEAD        SINK_PREVIEW /* ELF, program, multiboot headers */
#define ELF_SEGMENT_MAX 32u

struct elf_segment {
    u64 offset, filesz;
    u64 gpa, memsz;
};

/* Loads the segments of an ELF stream into RAM as their bytes come by. */
struct elf {
    struct sink sink;
    const struct source *src; /* for messages */
    struct mem *mem;
    u32 init_size;
    u64 window_end;         /* what is there is not the kernel's */
    u64 pos;                /* of the next byte in the stream */
    u64 window, window_len; /* guest address of the one handed out last */
    bool parsed;
    bool multiboot; /* and so of 32 bits */
    u64 entry, start, end;
    unsigned int nr, cur; /* cur: the first segment not yet complete */
    struct elf_segment seg[ELF_SEGMENT_MAX]; /* by offset, no overlap */
    u8 head[ELF_HEAD];
};

/* init_size: memory the kernel takes from its start on, if that is more than
 * its segments are. Sets no limit to windows. */
void elf_init(struct elf *elf, const struct source *src, struct mem *mem,
              u32 init_size);

/* After the last byte: is everything there? 0 or negative, reported. */
int elf_finish(struct elf *elf);

/* What data is, for "is not a kernel" messages. Static text. */
const char *elf_guess(const u8 *data, u64 len);

/* "use --memory 48M or more" for something that ends at this address. */
int loader_no_room(const char *what, const char *path, u64 end, u64 ram);

/* The rest ----------------------------------------------------------------- */

/* RAM from address 0 without a hole. */
u64 loader_low_ram(const struct mem *m);

/* Into RAM below k->initrd_max and above the kernel, as high as it fits; from
 * the file, or from where it is already (at, not 0). */
int initrd_load(struct mem *m, const struct loader_file *file, u64 at,
                const struct kernel *k, u64 *gpa, u64 *len);

struct boot_info {
    const struct kernel *kernel;
    const char *cmdline;
    u64 initrd_gpa, initrd_len;
};

/* bsp.c: the first processor in protected mode without paging, at its entry;
 * code segments are of 64 bits (wide) or 32. And the GDT that it is on. */
void bsp_init(struct cpu_state *s, u64 entry, bool wide);
int bsp_write_gdt(struct mem *m, bool wide);

/* boot_params, command line, page tables and GDT; the BSP at its entry. */
int bootparams_write(struct mem *m, const struct boot_info *info);
int bootparams_cpu(struct mem *m, u64 entry, struct cpu_state *bsp);

/* Multiboot 1 (0.6.96) ------------------------------------------------------
 */

/*
 * Does an ELF file that begins with head have a multiboot header? 1: yes, 0:
 * no, -ENOEXEC: one that asks for what is not there; reported.
 */
int multiboot_check(const struct source *src, const u8 *head, u64 len);

/* The information structure with command line, module and memory map; the BSP
 * at its entry. words: the operator's, or NULL. */
int multiboot_write(struct mem *m, const struct loader_spec *spec,
                    const struct boot_info *info);
int multiboot_cpu(struct mem *m, u64 entry, struct cpu_state *bsp);

/* Sum of bytes, modulo 256: both table formats want it to be 0. */
u8 loader_sum(const void *data, size_t len);

int mptable_write(struct mem *m, unsigned int cpus);

/* Build all tables as they will be at ACPI_GPA. Returns their length. */
size_t acpi_build(u8 *buf, size_t cap, const struct loader_spec *spec);
int acpi_write(struct mem *m, const struct loader_spec *spec);

#endif
