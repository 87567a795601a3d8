/* SPDX-License-Identifier: Apache-2.0 */
/* mptable.c: walked as an operating system walks it (MP spec. 1.4, 4) */
#include "loader_test.h"

struct found {
    unsigned int cpus, bsps, buses, ioapics, locals;
    u32 irqs; /* bit n: source n goes to pin n, edge and high */
};

static u8 walk_entry(const u8 *e, u8 ioapic, struct found *f)
{
    switch (e[0]) {
    case 0:
        ck_assert_uint_eq(e[1], f->cpus);
        ck_assert_uint_eq(e[3] & 1, 1);
        f->bsps += e[3] >> 1 & 1;
        f->cpus++;
        return 20;
    case 1:
        ck_assert_mem_eq(e + 2, "ISA   ", 6);
        f->buses++;
        return 8;
    case 2:
        ck_assert_uint_eq(e[1], ioapic);
        ck_assert_uint_eq(le32_get(e + 4), 0xfec00000);
        f->ioapics++;
        return 8;
    case 3:
        ck_assert_uint_eq(e[1], 0);
        ck_assert_uint_eq(le16_get(e + 2), 5);
        ck_assert_uint_eq(e[4], 0);
        ck_assert_uint_eq(e[5], e[7]);
        ck_assert_uint_eq(e[6], ioapic);
        f->irqs |= 1u << e[5];
        return 8;
    default:
        ck_assert_uint_eq(e[0], 4);
        f->locals++;
        return 8;
    }
}

static const unsigned int cpus[] = {1, 2, 32};

START_TEST(test_walk)
{
    struct found f = {0};
    struct mem *m;
    u8 *fp, *h, *e;

    ck_assert_int_eq(mem_new(&m, TEST_RAM), 0);
    ck_assert_int_eq(mptable_write(m, cpus[_i]), 0);
    fp = mem_range(m, 639 * 1024, 16);
    ck_assert_mem_eq(fp, "_MP_", 4);
    ck_assert_uint_eq(loader_sum(fp, 16), 0);
    ck_assert_uint_eq(fp[11], 0); /* a table, no default configuration */
    h = mem_range(m, le32_get(fp + 4), 44);
    ck_assert_mem_eq(h, "PCMP", 4);
    ck_assert_uint_le((u64)(h - fp) + le16_get(h + 4), 1024);
    ck_assert_uint_eq(loader_sum(h, le16_get(h + 4)), 0);
    ck_assert_uint_eq(le32_get(h + 36), 0xfee00000);
    e = h + 44;
    for (unsigned int i = 0; i < le16_get(h + 34); i++)
        e += walk_entry(e, (u8)cpus[_i], &f);
    ck_assert_ptr_eq(e, h + le16_get(h + 4));
    ck_assert_uint_eq(f.cpus, cpus[_i]);
    ck_assert_uint_eq(f.bsps, 1);
    ck_assert_uint_eq(f.buses, 1);
    ck_assert_uint_eq(f.ioapics, 1);
    ck_assert_uint_eq(f.locals, 2);
    ck_assert_uint_eq(f.irqs, 0xffffff);
    mem_free(m);
}
END_TEST

Suite *suite_mptable(void);
Suite *suite_mptable(void)
{
    Suite *s = suite_create("mptable");
    TCase *tc = tcase_create("mptable");

    tcase_add_loop_test(tc, test_walk, 0, ARRAY_SIZE(cpus));
    suite_add_tcase(s, tc);
    return s;
}
