/* SPDX-License-Identifier: Apache-2.0 */
/* bootparams.c: the zero page, the memory map, and the first vCPU's state */
#include "loader_test.h"

struct e820_entry {
    u64 base, len;
    u32 type;
};

static const struct e820_case {
    const char *name;
    u64 ram;
    unsigned int nr;
    struct e820_entry want[5];
} cases[] = {
    {"16 MiB",
     16 * MIB,
     4,
     {{0, 0x9fc00, 1},
      {0x9fc00, 0x400, 2},
      {0xe0000, 0x20000, 2},
      {0x100000, 15 * MIB, 1}}},
    {"all of low RAM",
     3 * GIB,
     4,
     {{0, 0x9fc00, 1},
      {0x9fc00, 0x400, 2},
      {0xe0000, 0x20000, 2},
      {0x100000, 3 * GIB - MIB, 1}}},
    {"and some more",
     4 * GIB,
     5,
     {{0, 0x9fc00, 1},
      {0x9fc00, 0x400, 2},
      {0xe0000, 0x20000, 2},
      {0x100000, 3 * GIB - MIB, 1},
      {4 * GIB, GIB, 1}}},
};

static void write_params(struct mem *m, const char *cmdline)
{
    struct kernel k;
    struct boot_info info = {.kernel = &k, .cmdline = cmdline};

    bzimage_default(&k);
    ck_assert_int_eq(bootparams_write(m, &info), 0);
}

START_TEST(test_e820)
{
    const struct e820_case *t = &cases[_i];
    struct mem *m;
    u8 *bp;

    ck_assert_int_eq(mem_new(&m, t->ram), 0);
    write_params(m, "");
    bp = mem_range(m, BOOT_PARAMS_GPA, PAGE_SIZE);
    ck_assert_uint_eq(bp[0x1e8], t->nr);
    for (unsigned int i = 0; i < t->nr; i++) {
        const u8 *e = bp + 0x2d0 + i * 20;

        ck_assert_uint_eq(le64_get(e), t->want[i].base);
        ck_assert_uint_eq(le64_get(e + 8), t->want[i].len);
        ck_assert_uint_eq(le32_get(e + 16), t->want[i].type);
    }
    mem_free(m);
}
END_TEST

/* What a bare vmlinux gets: a header as its own bzImage would have had. */
START_TEST(test_header)
{
    struct mem *m;
    u8 *bp;

    ck_assert_int_eq(mem_new(&m, TEST_RAM), 0);
    write_params(m, "quiet root=/dev/vda");
    bp = mem_range(m, BOOT_PARAMS_GPA, PAGE_SIZE);
    ck_assert_uint_eq(le16_get(bp + 0x1fe), 0xaa55);
    ck_assert_mem_eq(bp + 0x202, "HdrS", 4);
    ck_assert_uint_eq(le16_get(bp + 0x206), 0x20f);
    ck_assert_uint_eq(bp[0x210], 0xff);  /* type_of_loader */
    ck_assert_uint_eq(bp[0x211] & 1, 1); /* LOADED_HIGH */
    ck_assert_uint_eq(bp[0x1ef], 0);     /* sentinel */
    ck_assert_uint_eq(le16_get(bp + 0x1fa), 0xffff);
    ck_assert_uint_eq(le64_get(bp + 0x70), 0xe0000); /* acpi_rsdp_addr */
    ck_assert_uint_eq(le32_get(bp + 0x228), 0x20000);
    ck_assert_str_eq(mem_range(m, 0x20000, 64), "quiet root=/dev/vda");
    mem_free(m);
}
END_TEST

/* Walk the start-up page tables as the processor does: SDM vol. 3A 4.5.4 */
static u64 walk(const struct mem *m, u64 cr3, u64 va)
{
    u64 entry = cr3;

    for (int shift = 39; shift >= 21; shift -= 9) {
        ck_assert_int_eq(mem_read(m,
                                  (entry & ~0xfffull) + (va >> shift & 511) * 8,
                                  &entry, 8),
                         0);
        if ((entry & 3) != 3)
            return ~0ull;
        if (entry & 0x80)
            break;
    }
    ck_assert_uint_ne(entry & 0x80, 0);
    return (entry & 0xfffffffe00000) + (va & 0x1fffff);
}

START_TEST(test_paging)
{
    struct cpu_state s;
    struct mem *m;

    ck_assert_int_eq(mem_new(&m, TEST_RAM), 0);
    ck_assert_int_eq(bootparams_cpu(m, 0x1000000, &s), 0);
    for (u64 va = 0; va < 4 * GIB; va += 2 * MIB - 8)
        ck_assert_uint_eq(walk(m, s.cr3, va), va);
    ck_assert_uint_eq(walk(m, s.cr3, 4 * GIB), ~0ull);
    ck_assert_uint_eq(walk(m, s.cr3, 1ull << 39), ~0ull);
    /* and they leave the command line alone */
    ck_assert_uint_eq(*(u8 *)mem_range(m, 0xf000, 1), 0);
    mem_free(m);
}
END_TEST

/* A segment register's hidden part is what its descriptor says. */
static void check_segment(const struct mem *m, const struct cpu_state *s,
                          enum seg_id id)
{
    const struct cpu_seg *g = &s->seg[id];
    u64 d;

    ck_assert_uint_lt(g->sel + 7u, s->gdt.limit + 1u);
    ck_assert_int_eq(mem_read(m, s->gdt.base + g->sel, &d, 8), 0);
    ck_assert_uint_eq(d & 0xffff, 0xffff);
    ck_assert_uint_eq(d >> 40 & 15, g->type);
    ck_assert_uint_eq(d >> 44 & 1, g->s);
    ck_assert_uint_eq(d >> 45 & 3, g->dpl);
    ck_assert_uint_eq(d >> 47 & 1, g->present);
    ck_assert_uint_eq(d >> 53 & 1, g->l);
    ck_assert_uint_eq(d >> 54 & 1, g->db);
    ck_assert_uint_eq(d >> 55 & 1, g->g);
    ck_assert_uint_eq(d >> 16 & 0xffffff, 0);
    ck_assert_uint_eq(g->limit, 0xffffffff);
}

START_TEST(test_cpu)
{
    struct cpu_state s;
    struct mem *m;

    ck_assert_int_eq(mem_new(&m, TEST_RAM), 0);
    ck_assert_int_eq(bootparams_cpu(m, 0x1234567, &s), 0);
    ck_assert_uint_eq(s.rip, 0x1234567);
    ck_assert_uint_eq(s.rflags, 2);
    ck_assert_uint_eq(s.gpr[GPR_RSI], 0x7000);
    ck_assert_uint_eq(s.gpr[GPR_NONE], 0);
    ck_assert_uint_eq(s.efer, EFER_LME | EFER_LMA);
    ck_assert_uint_eq(s.cr0 & (CR0_PE | CR0_PG), CR0_PE | CR0_PG);
    ck_assert_uint_eq(s.cr4, CR4_PAE);
    ck_assert_uint_eq(s.apic_base, 0xfee00900);
    ck_assert_uint_eq(s.seg[SEG_CS].sel, 0x10);
    ck_assert_uint_eq(s.seg[SEG_SS].sel, 0x18);
    for (int i = 0; i < SEG_NR; i++)
        check_segment(m, &s, i);
    ck_assert_uint_eq(s.tr.type, 11);
    ck_assert_uint_eq(s.tr.present, 1);
    ck_assert_uint_eq(le16_get(s.xsave), 0x37f);
    ck_assert_uint_eq(le32_get(s.xsave + 24), 0x1f80);
    ck_assert_uint_eq(s.msr.pat, 0x0007040600070406);
    ck_assert_uint_eq(s.mp_state, MP_RUNNABLE);
    mem_free(m);
}
END_TEST

Suite *suite_bootparams(void);
Suite *suite_bootparams(void)
{
    Suite *s = suite_create("bootparams");
    TCase *tc = tcase_create("bootparams");

    tcase_add_checked_fixture(tc, lt_setup, lt_teardown);
    tcase_add_loop_test(tc, test_e820, 0, ARRAY_SIZE(cases));
    tcase_add_test(tc, test_header);
    tcase_add_test(tc, test_paging);
    tcase_add_test(tc, test_cpu);
    suite_add_tcase(s, tc);
    return s;
}
