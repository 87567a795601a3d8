/* SPDX-License-Identifier: Apache-2.0 */
/* elf.c: a vmlinux, or a multiboot image of 32 bits, as a stream; its segments
 * to their physical addresses */
#include <elf.h>

#include "mote/log.h"

#include "load.h"

struct elf_name {
    u16 machine;
    const char *name;
};

static const struct elf_name elf_machines[] = {
    {EM_386, "i386"},     {EM_ARM, "ARM"},       {EM_AARCH64, "AArch64"},
    {EM_RISCV, "RISC-V"}, {EM_PPC64, "PowerPC"}, {EM_S390, "S/390"},
    {EM_MIPS, "MIPS"},    {EM_IA_64, "Itanium"}, {EM_LOONGARCH, "LoongArch"},
};

static const struct {
    unsigned int offset;
    const char *magic;
    const char *text;
} elf_others[] = {
    {0x38, "ARM\x64", "an arm64 kernel Image"},
    {0x38, "RSC\x05", "a RISC-V kernel Image"},
    {4, "zimg", "an EFI zboot kernel"},
    {0, "MZ", "an EFI or Windows program without a Linux boot header"},
    {0, "\x89LZO", "LZO-compressed, which mote cannot unpack"},
    {0, "\x27\x05\x19\x56", "a U-Boot uImage"},
    {0, "0707", "a cpio archive, such as an initrd"},
    {0, "#!", "a script"},
    {0, "!<arch>", "an ar archive, such as a package"},
    {0, "{", "text, such as JSON"},
    {0x101, "ustar", "a tar archive"},
    {0x1fe, "\x55\xaa", "a boot sector without a Linux boot header"},
};

const char *elf_guess(const u8 *data, u64 len)
{
    for (size_t i = 0; i < ARRAY_SIZE(elf_others); i++) {
        size_t n = strlen(elf_others[i].magic);
        u64 off = elf_others[i].offset;

        if (off + n <= len && !memcmp(data + off, elf_others[i].magic, n))
            return elf_others[i].text;
    }
    return "something that mote does not know";
}

static int elf_bad_machine(const struct elf *elf, u16 machine)
{
    for (size_t i = 0; i < ARRAY_SIZE(elf_machines); i++)
        if (elf_machines[i].machine == machine)
            return source_bad(elf->src,
                              "is an ELF file for %s; an x86-64 "
                              "kernel is needed",
                              elf_machines[i].name);
    return source_bad(elf->src,
                      "is an ELF file for machine type %u; an "
                      "x86-64 kernel is needed",
                      machine);
}

static int elf_bad_type(const struct elf *elf, u16 type)
{
    static const char *const names[] = {
        [ET_NONE] = "no type",
        [ET_REL] = "an object file",
        [ET_DYN] = "a shared object or position-independent program",
        [ET_CORE] = "a core dump",
    };
    const char *name = type < ARRAY_SIZE(names) ? names[type] : NULL;

    return source_bad(elf->src,
                      "is %s, not an executable kernel (ELF type "
                      "%u)",
                      name ? name : "an unknown ELF file", type);
}

/* Of 32 bits only what a multiboot header introduces. */
static int elf_check_narrow(struct elf *elf, u64 len)
{
    Elf32_Ehdr eh;
    int r = multiboot_check(elf->src, elf->head, len);

    memcpy(&eh, elf->head, sizeof(eh));
    if (r < 0)
        return r;
    if (r == 0 || eh.e_machine != EM_386 || eh.e_type != ET_EXEC ||
        elf->head[EI_DATA] != ELFDATA2LSB)
        return source_bad(elf->src, "is a 32-bit ELF file; a 64-bit x86 kernel "
                                    "or a multiboot image is needed");
    elf->multiboot = true;
    return 0;
}

/* What the file is, before anything in it is believed. */
static int elf_check_ident(struct elf *elf, const Elf64_Ehdr *eh, u64 len)
{
    const u8 *id = elf->head;

    if (len < SELFMAG || memcmp(id, ELFMAG, SELFMAG) != 0)
        return source_bad(elf->src,
                          "what it unpacks to is not an ELF kernel "
                          "but %s",
                          elf_guess(id, len));
    if (len < sizeof(*eh))
        return source_bad(elf->src, "ends within the ELF header");
    if (id[EI_CLASS] == ELFCLASS32)
        return elf_check_narrow(elf, len);
    if (id[EI_DATA] == ELFDATA2MSB)
        return source_bad(elf->src, "is a big-endian ELF file; an x86-64 "
                                    "kernel is needed");
    if (id[EI_CLASS] != ELFCLASS64 || id[EI_DATA] != ELFDATA2LSB)
        return source_bad(elf->src,
                          "ELF class %u, data encoding %u: neither "
                          "is known",
                          id[EI_CLASS], id[EI_DATA]);
    if (eh->e_machine != EM_X86_64)
        return elf_bad_machine(elf, eh->e_machine);
    if (eh->e_type != ET_EXEC)
        return elf_bad_type(elf, eh->e_type);
    return 0;
}

/* The fields that matter, whatever their size in the file. */
static Elf64_Ehdr elf_header(const struct elf *elf)
{
    Elf64_Ehdr eh;
    Elf32_Ehdr e32;

    memcpy(&eh, elf->head, sizeof(eh));
    if (!elf->multiboot)
        return eh;
    memcpy(&e32, elf->head, sizeof(e32));
    return (Elf64_Ehdr){.e_entry = e32.e_entry,
                        .e_phoff = e32.e_phoff,
                        .e_phentsize = e32.e_phentsize,
                        .e_phnum = e32.e_phnum};
}

static Elf64_Phdr elf_segment(const struct elf *elf, u64 at)
{
    Elf64_Phdr ph;
    Elf32_Phdr p32;

    memcpy(&p32, elf->head + at, sizeof(p32));
    if (elf->multiboot)
        return (Elf64_Phdr){.p_type = p32.p_type,
                            .p_offset = p32.p_offset,
                            .p_paddr = p32.p_paddr,
                            .p_filesz = p32.p_filesz,
                            .p_memsz = p32.p_memsz};
    memcpy(&ph, elf->head + at, sizeof(ph));
    return ph;
}

static int elf_check_table(const struct elf *elf, const Elf64_Ehdr *eh, u64 len)
{
    size_t entry = elf->multiboot ? sizeof(Elf32_Phdr) : sizeof(Elf64_Phdr);
    u64 size = (u64)eh->e_phnum * entry;

    if (eh->e_phnum == 0 || eh->e_phentsize != entry)
        return source_bad(elf->src,
                          "%u ELF program headers of %u bytes: "
                          "nothing to load",
                          eh->e_phnum, eh->e_phentsize);
    if (eh->e_phoff > len || size > len - eh->e_phoff)
        return source_bad(elf->src,
                          "the ELF program headers (%llu bytes at "
                          "%llu) are not within its first %llu bytes",
                          (unsigned long long)size,
                          (unsigned long long)eh->e_phoff,
                          (unsigned long long)len);
    return 0;
}

/* Keep the segments in the order in which the stream will bring them. */
static int elf_insert(struct elf *elf, const struct elf_segment *seg)
{
    unsigned int i = elf->nr;

    if (elf->nr == ELF_SEGMENT_MAX)
        return source_bad(elf->src, "more than %u ELF segments",
                          ELF_SEGMENT_MAX);
    for (; i > 0 && elf->seg[i - 1].offset > seg->offset; i--)
        elf->seg[i] = elf->seg[i - 1];
    elf->seg[i] = *seg;
    elf->nr++;
    return 0;
}

static int elf_check_order(const struct elf *elf)
{
    for (unsigned int i = 1; i < elf->nr; i++)
        if (elf->seg[i - 1].offset + elf->seg[i - 1].filesz >
            elf->seg[i].offset)
            return source_bad(elf->src,
                              "two ELF segments share bytes of the "
                              "file, at %llu",
                              (unsigned long long)elf->seg[i].offset);
    return 0;
}

/* May this segment go where it wants to, RAM permitting? */
static int elf_check_place(const struct elf *elf, const struct elf_segment *seg)
{
    u64 file_end, end;

    if (seg->filesz > seg->memsz ||
        __builtin_add_overflow(seg->offset, seg->filesz, &file_end) ||
        __builtin_add_overflow(seg->gpa, seg->memsz, &end))
        return source_bad(
            elf->src,
            "an ELF segment's sizes contradict each "
            "other (offset %#llx, %#llx bytes of file, %#llx of "
            "memory, address %#llx)",
            (unsigned long long)seg->offset, (unsigned long long)seg->filesz,
            (unsigned long long)seg->memsz, (unsigned long long)seg->gpa);
    if (seg->gpa < KERNEL_MIN)
        return source_bad(elf->src,
                          "an ELF segment wants physical address "
                          "%#llx; addresses below 1 MiB are taken",
                          (unsigned long long)seg->gpa);
    return 0;
}

static int elf_add(struct elf *elf, const Elf64_Phdr *ph)
{
    struct elf_segment seg = {.offset = ph->p_offset,
                              .filesz = ph->p_filesz,
                              .gpa = ph->p_paddr,
                              .memsz = ph->p_memsz};
    int r;

    if (ph->p_type != PT_LOAD || ph->p_memsz == 0)
        return 0;
    r = elf_check_place(elf, &seg);
    if (r < 0)
        return r;
    elf->start = MIN(elf->start, seg.gpa);
    elf->end = MAX(elf->end, seg.gpa + seg.memsz);
    /* RAM is zero: a segment without bytes in the file is there already. */
    return seg.filesz ? elf_insert(elf, &seg) : 0;
}

/* All of it, and what it needs beyond the file, must be in low RAM. */
static int elf_check_room(struct elf *elf)
{
    if (elf->start < elf->end)
        elf->end = MAX(elf->end, elf->start + elf->init_size);
    if (elf->end > loader_low_ram(elf->mem))
        return loader_no_room(elf->src->what, elf->src->path, elf->end,
                              elf->mem->size);
    return 0;
}

static int elf_check_entry(const struct elf *elf)
{
    for (unsigned int i = 0; i < elf->nr; i++)
        if (elf->entry >= elf->seg[i].gpa &&
            elf->entry - elf->seg[i].gpa < elf->seg[i].filesz)
            return 0;
    return source_bad(elf->src,
                      "its entry point %#llx is in no ELF segment "
                      "(physical addresses count)",
                      (unsigned long long)elf->entry);
}

/* len bytes of elf->head are there: 0, or what is wrong with them. */
static int elf_parse(struct elf *elf, u64 len)
{
    Elf64_Ehdr eh;
    Elf64_Phdr ph;
    int r;

    memcpy(&eh, elf->head, sizeof(eh));
    r = elf_check_ident(elf, &eh, len);
    if (r < 0)
        return r;
    eh = elf_header(elf);
    r = elf_check_table(elf, &eh, len);
    for (unsigned int i = 0; r == 0 && i < eh.e_phnum; i++) {
        ph = elf_segment(elf, eh.e_phoff + i * eh.e_phentsize);
        r = elf_add(elf, &ph);
    }
    elf->entry = eh.e_entry;
    if (r == 0)
        r = elf_check_room(elf);
    if (r == 0)
        r = elf_check_order(elf);
    return r < 0 ? r : elf_check_entry(elf);
}

/* The first segment that is not complete yet; NULL after the last. */
static const struct elf_segment *elf_current(struct elf *elf)
{
    for (; elf->cur < elf->nr; elf->cur++) {
        const struct elf_segment *seg = &elf->seg[elf->cur];

        if (elf->pos < seg->offset + seg->filesz)
            return seg;
    }
    return NULL;
}

static int elf_room(struct sink *sink, u8 **buf, u64 *len)
{
    struct elf *elf = container_of(sink, struct elf, sink);
    const struct elf_segment *seg;

    *buf = NULL;
    *len = UINT64_MAX - elf->pos;
    if (!elf->parsed) {
        *buf = elf->head + elf->pos;
        *len = ELF_HEAD - elf->pos;
        return 0;
    }
    seg = elf_current(elf);
    if (!seg)
        return 0;
    if (elf->pos < seg->offset) {
        *len = seg->offset - elf->pos;
        return 0;
    }
    *len = seg->offset + seg->filesz - elf->pos;
    *buf = mem_range(elf->mem, seg->gpa + elf->pos - seg->offset, *len);
    return 0;
}

static void elf_advance(struct elf *elf, u64 n)
{
    const struct elf_segment *seg = elf_current(elf);

    if (seg && elf->pos >= seg->offset)
        mem_code_written(elf->mem, seg->gpa + elf->pos - seg->offset, n);
    elf->pos += n;
}

/* The headers are complete, or all there is. Some of these bytes may belong
 * to a segment as well. */
static int elf_begin(struct elf *elf)
{
    u64 len, have = elf->pos;
    u8 *buf;
    int r = elf_parse(elf, have);

    if (r < 0)
        return r;
    elf->parsed = true;
    elf->pos = 0;
    while (elf->pos < have) {
        elf_room(&elf->sink, &buf, &len);
        len = MIN(len, have - elf->pos);
        if (buf)
            memcpy(buf, elf->head + elf->pos, len);
        elf_advance(elf, len);
    }
    return 0;
}

static int elf_filled(struct sink *sink, u64 n)
{
    struct elf *elf = container_of(sink, struct elf, sink);

    if (elf->parsed) {
        elf_advance(elf, n);
        return 0;
    }
    elf->pos += n;
    return elf->pos < ELF_HEAD ? 0 : elf_begin(elf);
}

/* ---- in large pieces ------------------------------------------------------
 */

static int elf_preview(struct sink *sink, const u8 *head)
{
    struct elf *elf = container_of(sink, struct elf, sink);
    int r;

    memcpy(elf->head, head, ELF_HEAD);
    r = elf_parse(elf, ELF_HEAD);
    elf->parsed = r == 0;
    return r;
}

/* How far a segment moves on its way from the file to memory. */
static s64 elf_shift(const struct elf_segment *seg)
{
    return (s64)(seg->gpa - seg->offset);
}

/*
 * May the next len bytes be at gpa, where the first segment among them wants to
 * be? Then there must be nothing yet, and the others must all want to go down,
 * or stay: so they can be moved one after the other.
 */
static bool elf_window_fits(const struct elf *elf, u64 gpa, u64 len)
{
    const struct elf_segment *seg = elf->seg;

    if (gpa + len > elf->window_end)
        return false;
    for (unsigned int i = 0; i < elf->cur; i++)
        if (seg[i].gpa < gpa + len && gpa < seg[i].gpa + seg[i].filesz)
            return false;
    for (unsigned int i = elf->cur + 1;
         i < elf->nr && seg[i].offset < elf->pos + len; i++)
        if (elf_shift(&seg[i]) > elf_shift(&seg[i - 1]))
            return false;
    return true;
}

/* Kernels keep the order of the file in memory, and mostly the distances, too:
 * as a rule the bytes need not be moved. */
static u8 *elf_window(struct sink *sink, u64 len)
{
    struct elf *elf = container_of(sink, struct elf, sink);
    const struct elf_segment *seg = elf->parsed ? elf_current(elf) : NULL;

    if (!seg || seg->offset >= elf->pos + len ||
        seg->gpa + elf->pos < seg->offset + KERNEL_MIN)
        return NULL;
    elf->window = seg->gpa + elf->pos - seg->offset;
    elf->window_len = len;
    if (!elf_window_fits(elf, elf->window, len))
        return NULL;
    return mem_range(elf->mem, elf->window, len);
}

/* What the window has of seg, up to byte end of the stream, to its place.
 * Returns where that ends. */
static u64 elf_settle_segment(struct elf *elf, const struct elf_segment *seg,
                              u64 end, u64 done)
{
    u64 from = MAX(elf->pos, seg->offset);
    u64 len = MIN(end, seg->offset + seg->filesz) - from;
    u64 at = elf->window + from - elf->pos;
    u64 gpa = seg->gpa + from - seg->offset;

    if (gpa != at)
        memmove(mem_range(elf->mem, gpa, len), mem_range(elf->mem, at, len),
                len);
    mem_code_written(elf->mem, gpa, len);
    if (gpa > done)
        mem_fill(elf->mem, done, 0, gpa - done);
    return gpa + len;
}

/* Below done, the window is as it shall be. No segment has moved up, so what is
 * cleared or written to is never what the next ones come from. */
static void elf_settle(struct sink *sink, u64 n)
{
    struct elf *elf = container_of(sink, struct elf, sink);
    const struct elf_segment *seg = elf->seg;
    u64 done = elf->window, end = elf->pos + n, to;

    for (unsigned int i = elf->cur; i < elf->nr && seg[i].offset < end; i++) {
        to = elf_settle_segment(elf, &seg[i], end, done);
        done = MAX(done, to);
    }
    if (done < elf->window + elf->window_len)
        mem_fill(elf->mem, done, 0, elf->window + elf->window_len - done);
    elf->pos = end;
}

void elf_init(struct elf *elf, const struct source *src, struct mem *mem,
              u32 init_size)
{
    *elf = (struct elf){
        .sink = {.room = elf_room,
                 .filled = elf_filled,
                 .preview = elf_preview,
                 .window = elf_window,
                 .settle = elf_settle},
        .src = src,
        .mem = mem,
        .init_size = init_size,
        .window_end = UINT64_MAX,
        .start = UINT64_MAX,
    };
}

int elf_finish(struct elf *elf)
{
    const struct elf_segment *last;
    int r = elf->parsed ? 0 : elf_begin(elf);

    if (r < 0)
        return r;
    last = &elf->seg[elf->nr - 1];
    if (elf->pos < last->offset + last->filesz)
        return source_bad(elf->src,
                          "is truncated: its ELF segments need %llu "
                          "bytes, %llu are there",
                          (unsigned long long)last->offset + last->filesz,
                          (unsigned long long)elf->pos);
    return 0;
}
