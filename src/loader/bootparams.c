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

#define BOOT_MAP_GIB  4u /* identity-mapped, covers all of low RAM and MMIO */
#define LARGE_PAGE    (2 * MIB)
#define PTE_PER_TABLE 512u

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

int bootparams_cpu(struct mem *m, u64 entry, struct cpu_state *s)
{
    int r = paging_write(m);

    if (r == 0)
        r = bsp_write_gdt(m, true);
    if (r < 0)
        return fail(r, "start-up page tables do not fit the guest's memory");
    bsp_init(s, entry, true);
    s->cr0 |= CR0_PG;
    s->cr3 = BOOT_PML4_GPA;
    s->cr4 = CR4_PAE;
    s->efer = EFER_LME | EFER_LMA;
    s->gpr[GPR_RSI] = BOOT_PARAMS_GPA;
    s->gpr[GPR_RSP] = BOOT_STACK_GPA - 16;
    return 0;
}
