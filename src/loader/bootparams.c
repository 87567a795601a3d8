/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bootparams.c: what a kernel finds at its 64-bit entry: the zero page, its
 * command line, page tables and a GDT, and the processor on them. Offsets and
 * rules: Documentation/arch/x86/boot.rst and zero-page.rst of Linux.
 */
#include "mote/log.h"

#include "load.h"

/* boot_params */
#define BP_RSDP         0x070
#define BP_E820_ENTRIES 0x1e8
#define BP_VID_MODE     0x1fa
#define BP_LOADER       0x210
#define BP_RAMDISK      0x218
#define BP_RAMDISK_SIZE 0x21c
#define BP_CMDLINE      0x228
#define BP_SETUP_DATA   0x250
#define BP_E820         0x2d0

#define VID_MODE_NORMAL  0xffff
#define LOADER_UNDEFINED 0xff

enum e820_type { E820_RAM = 1, E820_RESERVED = 2 };

#define E820_ENTRY 20 /* address, size, type; packed */
#define E820_MAX   128

/* Page table entries: SDM vol. 3A 4.5 */
#define PTE_P  1ull
#define PTE_RW 2ull
#define PTE_PS 0x80ull

#define BOOT_MAP_GIB      4u /* identity-mapped, covers all of low RAM and MMIO */
#define LARGE_PAGE        (2 * MIB)
#define PTE_PER_TABLE     512u
#define BOOT_CS           0x10
#define BOOT_DS           0x18
#define GDT_CODE          0x00af9b000000ffffull /* 64-bit code, accessed */
#define GDT_DATA          0x00cf93000000ffffull /* flat data, accessed */
#define APIC_BASE_BSP     (1u << 8)
#define APIC_BASE_ON      (1u << 11)
#define PAT_RESET         0x0007040600070406ull
#define DR6_RESET         0xffff0ff0u
#define DR7_RESET         0x400u
#define FCW_INIT          0x37f
#define MXCSR_INIT        0x1f80u
#define MXCSR_MASK        0xffffu
#define MISC_FAST_STRINGS 1u

struct e820 {
    u8 *page;
    unsigned int nr;
};

u64 loader_low_ram(const struct mem *m)
{
    return MIN(m->size, MEM_LOW_END);
}

static void e820_add(struct e820 *e, u64 start, u64 end, enum e820_type type)
{
    u8 *entry = e->page + BP_E820 + e->nr * E820_ENTRY;

    assert(e->nr < E820_MAX && start < end);
    le64_put(entry, start);
    le64_put(entry + 8, end - start);
    le32_put(entry + 16, type);
    e->page[BP_E820_ENTRIES] = (u8)++e->nr;
}

/* Base memory up to the MP table, the tables, then the kernel's RAM. */
static void e820_write(u8 *page, const struct mem *m)
{
    struct e820 e = {.page = page};

    e820_add(&e, 0, MPTABLE_GPA, E820_RAM);
    e820_add(&e, MPTABLE_GPA, MPTABLE_GPA + MPTABLE_SIZE, E820_RESERVED);
    e820_add(&e, ACPI_GPA, ACPI_GPA + ACPI_SIZE, E820_RESERVED);
    e820_add(&e, KERNEL_MIN, loader_low_ram(m), E820_RAM);
    for (unsigned int i = 0; i < m->nr_regions; i++)
        if (m->region[i].gpa >= MEM_HIGH_BASE)
            e820_add(&e, m->region[i].gpa, m->region[i].gpa + m->region[i].size,
                     E820_RAM);
}

static int cmdline_write(struct mem *m, const struct boot_info *info)
{
    size_t len = strlen(info->cmdline);

    if (len > info->kernel->cmdline_max)
        return fail_rule(-E2BIG,
                         "kernel command line: %zu bytes, this kernel "
                         "takes %u",
                         len, info->kernel->cmdline_max);
    return mem_write(m, CMDLINE_GPA, info->cmdline, len + 1);
}

int bootparams_write(struct mem *m, const struct boot_info *info)
{
    u8 page[PAGE_SIZE] = {0};
    int r = cmdline_write(m, info);

    if (r < 0)
        return r;
    memcpy(page + SETUP_BASE, info->kernel->setup, sizeof(info->kernel->setup));
    le64_put(page + BP_RSDP, ACPI_GPA);
    le16_put(page + BP_VID_MODE, VID_MODE_NORMAL);
    page[BP_LOADER] = LOADER_UNDEFINED;
    le32_put(page + BP_RAMDISK, (u32)info->initrd_gpa);
    le32_put(page + BP_RAMDISK_SIZE, (u32)info->initrd_len);
    le32_put(page + BP_CMDLINE, CMDLINE_GPA);
    le64_put(page + BP_SETUP_DATA, 0); /* a chain the file must not start */
    e820_write(page, m);
    return mem_write(m, BOOT_PARAMS_GPA, page, sizeof(page));
}

/* PML4, PDPT, and a page directory of 2 MiB pages for each GiB. */
static int paging_write(struct mem *m)
{
    u64 pdpt = BOOT_PML4_GPA + PAGE_SIZE, pd = pdpt + PAGE_SIZE;
    u64 table[PTE_PER_TABLE] = {pdpt | PTE_P | PTE_RW};
    int r = mem_write(m, BOOT_PML4_GPA, table, sizeof(table));

    for (unsigned int i = 0; i < BOOT_MAP_GIB; i++)
        table[i] = (pd + i * PAGE_SIZE) | PTE_P | PTE_RW;
    if (r == 0)
        r = mem_write(m, pdpt, table, sizeof(table));
    for (unsigned int gib = 0; r == 0 && gib < BOOT_MAP_GIB; gib++) {
        for (unsigned int i = 0; i < PTE_PER_TABLE; i++)
            table[i] = (gib * GIB + i * LARGE_PAGE) | PTE_P | PTE_RW | PTE_PS;
        r = mem_write(m, pd + gib * PAGE_SIZE, table, sizeof(table));
    }
    return r;
}

static void cpu_set_segments(struct cpu_state *s)
{
    struct cpu_seg data = {.limit = UINT32_MAX,
                           .sel = BOOT_DS,
                           .type = 3,
                           .s = 1,
                           .present = 1,
                           .db = 1,
                           .g = 1};

    for (int i = 0; i < SEG_NR; i++)
        s->seg[i] = data;
    s->seg[SEG_CS] = (struct cpu_seg){.limit = UINT32_MAX,
                                      .sel = BOOT_CS,
                                      .type = 11,
                                      .s = 1,
                                      .present = 1,
                                      .l = 1,
                                      .g = 1};
    /* VMX enters 64-bit mode only with a busy TSS: SDM vol. 3C 26.3.1.2 */
    s->tr = (struct cpu_seg){.limit = 0x67, .type = 11, .present = 1};
    s->ldt = (struct cpu_seg){.type = 2, .unusable = 1};
}

/* An empty x87 stack and the default controls, as after FNINIT. */
static void cpu_set_fpu(struct cpu_state *s)
{
    le16_put(s->xsave, FCW_INIT);
    le32_put(s->xsave + 24, MXCSR_INIT);
    le32_put(s->xsave + 28, MXCSR_MASK);
    le64_put(s->xsave + 512, 3); /* XSTATE_BV: x87 and SSE are valid */
    s->xcr0 = 1;
}

/* Reset state of the local APIC, id 0: SDM vol. 3A 11.4.7.1 */
static void cpu_set_lapic(struct cpu_state *s)
{
    static const u16 lvt[] = {0x2f0, 0x320, 0x330, 0x340, 0x350, 0x360, 0x370};

    le32_put(s->lapic + 0x30, 0x50014);    /* version: 6 LVT entries */
    le32_put(s->lapic + 0xe0, UINT32_MAX); /* DFR: flat */
    le32_put(s->lapic + 0xf0, 0xff);       /* SVR: off */
    for (size_t i = 0; i < ARRAY_SIZE(lvt); i++)
        le32_put(s->lapic + lvt[i], 1u << 16); /* masked */
}

int bootparams_cpu(struct mem *m, u64 entry, struct cpu_state *s)
{
    static const u64 gdt[] = {0, 0, GDT_CODE, GDT_DATA};
    int r = paging_write(m);

    if (r == 0)
        r = mem_write(m, BOOT_GDT_GPA, gdt, sizeof(gdt));
    if (r < 0)
        return fail(r, "start-up page tables do not fit the guest's memory");
    *s = (struct cpu_state){
        .rip = entry,
        .rflags = RFLAGS_ONE,
        .gdt = {BOOT_GDT_GPA, sizeof(gdt) - 1},
        .cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_PG,
        .cr3 = BOOT_PML4_GPA,
        .cr4 = CR4_PAE,
        .efer = EFER_LME | EFER_LMA,
        .apic_base = LAPIC_GPA | APIC_BASE_BSP | APIC_BASE_ON,
        .dr6 = DR6_RESET,
        .dr7 = DR7_RESET,
        .msr = {.pat = PAT_RESET, .misc_enable = MISC_FAST_STRINGS},
        .mp_state = MP_RUNNABLE,
    };
    s->gpr[GPR_RSI] = BOOT_PARAMS_GPA;
    s->gpr[GPR_RSP] = BOOT_STACK_GPA - 16;
    cpu_set_segments(s);
    cpu_set_fpu(s);
    cpu_set_lapic(s);
    return 0;
}
