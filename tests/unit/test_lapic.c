/* SPDX-License-Identifier: Apache-2.0 */
/* lapic.c: priorities, EOI, trigger modes, register masks, x2APIC faults */
#include "platform_fixture.h"

/* ---- reset ------------------------------------------------------------- */

static const struct {
    u16 reg;
    u32 want; /* of vCPU 3 */
} resets[] = {
    {LAPIC_ID, 3 << 24},
    {LAPIC_VER, 0x50014},
    {LAPIC_TPR, 0},
    {LAPIC_PPR, 0},
    {LAPIC_LDR, 0},
    {LAPIC_DFR, 0xffffffff},
    {LAPIC_SVR, 0xff},
    {LAPIC_ISR + 0x70, 0},
    {LAPIC_IRR, 0},
    {LAPIC_ESR, 0},
    {LAPIC_ICR, 0},
    {LAPIC_LVT_TIMER, 0x10000},
    {LAPIC_LVT_LINT0, 0x10000},
    {LAPIC_LVT_LINT1, 0x10000},
    {LAPIC_LVT_ERROR, 0x10000},
    {LAPIC_TMICT, 0},
    {LAPIC_TMCCT, 0},
    {LAPIC_TDCR, 0},
};

START_TEST(test_reset)
{
    struct cpu *c = fix_cpu(3);

    lapic_regs_reset(&c->s, 3);
    ck_assert_uint_eq(lapic_mmio_read(c, resets[_i].reg), resets[_i].want);
}
END_TEST

/* A state that nobody gave a LAPIC page starts from RESET. */
START_TEST(test_load_empty)
{
    struct cpu *c = fix_cpu(1);

    memset(c->s.lapic, 0, sizeof(c->s.lapic));
    lapic_load(c);
    ck_assert_uint_eq(lapic_mmio_read(c, LAPIC_ID), 1 << 24);
    ck_assert_uint_eq(lapic_mmio_read(c, LAPIC_DFR), 0xffffffff);
}
END_TEST

/* ---- priorities -------------------------------------------------------- */

static void irr_set(struct cpu *c, u8 vector)
{
    unsigned int reg = LAPIC_IRR + vector / 32 * 16;

    lapic_set(c, reg, lapic_get(c, reg) | 1u << vector % 32);
}

static const struct {
    const char *name;
    u8 tpr, isr, irr; /* 0: none */
    u8 ppr;
    int pending;
} prios[] = {
    {"idle", 0, 0, 0, 0, -1},
    {"plain", 0, 0, 0x31, 0, 0x31},
    {"TPR class equal", 0x3f, 0, 0x31, 0x3f, -1},
    {"TPR class below", 0x2f, 0, 0x31, 0x2f, 0x31},
    {"low bits of TPR kept", 0x35, 0, 0, 0x35, -1},
    {"ISR wins, low bits 0", 0x35, 0x41, 0, 0x40, -1},
    {"TPR wins at equal class", 0x45, 0x41, 0, 0x45, -1},
    {"nested, higher class", 0, 0x41, 0x51, 0x40, 0x51},
    {"nested, same class", 0, 0x41, 0x4f, 0x40, -1},
    {"highest of all", 0xef, 0xe0, 0xff, 0xef, 0xff},
    {"all blocked", 0xff, 0, 0xff, 0xff, -1},
    {"word border", 0, 0x1f, 0x20, 0x10, 0x20},
};

START_TEST(test_priority)
{
    struct cpu *c = fix_cpu(0);

    if (prios[_i].isr) {
        irr_set(c, prios[_i].isr);
        lapic_accept(c, prios[_i].isr);
    }
    if (prios[_i].irr)
        irr_set(c, prios[_i].irr);
    lapic_mmio_write(c, LAPIC_TPR, prios[_i].tpr);
    ck_assert_msg(lapic_mmio_read(c, LAPIC_PPR) == prios[_i].ppr, "%s: PPR %#x",
                  prios[_i].name, lapic_mmio_read(c, LAPIC_PPR));
    ck_assert_msg(lapic_pending(c) == prios[_i].pending, "%s: %#x",
                  prios[_i].name, lapic_pending(c));
    ck_assert_int_eq(!!(atomic_load(&c->attn) & ATTN_IRQ),
                     prios[_i].pending >= 0);
}
END_TEST

START_TEST(test_nesting)
{
    struct cpu *c = fix_cpu(0);

    irr_set(c, 0x41);
    lapic_accept(c, 0x41);
    irr_set(c, 0x91);
    lapic_accept(c, 0x91);
    irr_set(c, 0x50);
    ck_assert_int_eq(lapic_pending(c), -1);
    lapic_mmio_write(c, LAPIC_EOI, 0); /* of 91 */
    ck_assert_uint_eq(lapic_mmio_read(c, LAPIC_PPR), 0x40);
    ck_assert_int_eq(lapic_pending(c), 0x50);
    lapic_mmio_write(c, LAPIC_EOI, 0); /* of 41 */
    lapic_mmio_write(c, LAPIC_EOI, 0); /* of nothing */
    ck_assert_uint_eq(lapic_mmio_read(c, LAPIC_PPR), 0);
    ck_assert_uint_eq(lapic_mmio_read(c, LAPIC_ISR + 0x40), 0);
}
END_TEST

/* An EOI that lets something through ends the block at once. */
START_TEST(test_eoi_attn)
{
    struct cpu *c = fix_cpu(0);

    irr_set(c, 0x61);
    lapic_accept(c, 0x61);
    irr_set(c, 0x60);
    lapic_update(c);
    ck_assert_uint_eq(atomic_load(&c->attn), 0);
    atomic_store(&c->poll_at, 77);
    lapic_mmio_write(c, LAPIC_EOI, 0);
    ck_assert_uint_eq(atomic_load(&c->attn), ATTN_IRQ);
    ck_assert_uint_eq(atomic_load(&c->poll_at), 0);
}
END_TEST

START_TEST(test_cr8)
{
    struct cpu *c = fix_cpu(0);

    lapic_tpr_set(c, 0xa);
    ck_assert_uint_eq(lapic_mmio_read(c, LAPIC_TPR), 0xa0);
    lapic_mmio_write(c, LAPIC_TPR, 0x5c);
    ck_assert_uint_eq(lapic_tpr_get(c), 5);
    lapic_save(c);
    ck_assert_uint_eq(c->s.cr8, 5);
}
END_TEST

/* The last accepted trigger mode of a vector stands in TMR. */
START_TEST(test_tmr)
{
    struct cpu *c = fix_cpu(0);
    struct apic_msg msg = {.vector = 0x45, .level = true};

    apic_send(&fix_machine, NULL, &msg);
    ck_assert_int_eq(fix_pending(0), 0x45);
    ck_assert_uint_eq(lapic_mmio_read(c, LAPIC_TMR + 0x20), 1 << 5);
    lapic_accept(c, 0x45);
    lapic_mmio_write(c, LAPIC_EOI, 0);
    msg.level = false;
    apic_send(&fix_machine, NULL, &msg);
    ck_assert_int_eq(fix_pending(0), 0x45);
    ck_assert_uint_eq(lapic_mmio_read(c, LAPIC_TMR + 0x20), 0);
}
END_TEST

/* ---- registers --------------------------------------------------------- */

static const struct {
    u16 reg;
    u32 write, want;
} masks[] = {
    {LAPIC_ID, 0xffffffff, 0},
    {LAPIC_VER, 0, 0x50014},
    {LAPIC_TPR, 0xffffffff, 0xff},
    {LAPIC_PPR, 0xff, 0},
    {LAPIC_LDR, 0x12345678, 0x12000000},
    {LAPIC_DFR, 0, 0x0fffffff},
    {LAPIC_SVR, 0xffffffff, 0x3ff},
    {LAPIC_ISR, 0xffffffff, 0},
    {LAPIC_TMR + 0x70, 0xffffffff, 0},
    {LAPIC_IRR, 0xffffffff, 0},
    {LAPIC_ICR2, 0xffffffff, 0xff000000},
    {LAPIC_ICR, 0x00001633, 0x00000633}, /* SIPI to nobody; status is 0 */
    {LAPIC_LVT_TIMER, 0xffffffff, 0x700ff},
    {LAPIC_LVT_THERMAL, 0xffffffff, 0x107ff},
    {LAPIC_LVT_PC, 0xffffffff, 0x107ff},
    {LAPIC_LVT_LINT0, 0xffffffff, 0x1a7ff},
    {LAPIC_LVT_LINT1, 0xffffffff, 0x1a7ff},
    {LAPIC_LVT_ERROR, 0xffffffff, 0x100ff},
    {LAPIC_TDCR, 0xffffffff, 0xb},
    {LAPIC_TMCCT, 0xffffffff, 0},
    {LAPIC_APR, 0xff, 0},
    {LAPIC_EOI, 0, 0},
    {LAPIC_TPR + 4, 0xff, 0}, /* between registers */
};

START_TEST(test_mask)
{
    struct cpu *c = fix_cpu(0);

    if (masks[_i].reg == LAPIC_ICR)
        lapic_mmio_write(c, LAPIC_ICR2, 0x77000000);
    lapic_mmio_write(c, masks[_i].reg, masks[_i].write);
    ck_assert_msg(lapic_mmio_read(c, masks[_i].reg) == masks[_i].want,
                  "%#x: %#x", masks[_i].reg, lapic_mmio_read(c, masks[_i].reg));
    lapic_mmio_write(c, LAPIC_ESR, 0);
    ck_assert_uint_eq(lapic_mmio_read(c, LAPIC_ESR), 0);
}
END_TEST

START_TEST(test_software_disable)
{
    struct cpu *c = fix_cpu(0);
    struct apic_msg msg = {.vector = 0x45};

    lapic_mmio_write(c, LAPIC_LVT_LINT0, 0x400);
    lapic_mmio_write(c, LAPIC_SVR, 0xff);
    ck_assert_uint_eq(lapic_mmio_read(c, LAPIC_LVT_LINT0), 0x10400);
    lapic_mmio_write(c, LAPIC_LVT_LINT0, 0x400);
    ck_assert_uint_eq(lapic_mmio_read(c, LAPIC_LVT_LINT0), 0x10400);
    apic_send(&fix_machine, NULL, &msg);
    ck_assert_int_eq(fix_pending(0), -1);
    lapic_mmio_write(c, LAPIC_SVR, 0x1ff);
    lapic_mmio_write(c, LAPIC_LVT_LINT0, 0x400);
    ck_assert_uint_eq(lapic_mmio_read(c, LAPIC_LVT_LINT0), 0x400);
}
END_TEST

static const u16 illegal[] = {0x000, 0x010, 0x040, 0x2f0, 0x290, 0x3f0, 0x3d0};

START_TEST(test_illegal_register)
{
    struct cpu *c = fix_cpu(0);

    lapic_mmio_write(c, LAPIC_LVT_ERROR, 0x55);
    ck_assert_uint_eq(lapic_mmio_read(c, illegal[_i]), 0);
    ck_assert_uint_eq(lapic_mmio_read(c, LAPIC_ESR), 0); /* not latched yet */
    lapic_mmio_write(c, LAPIC_ESR, 0);
    ck_assert_uint_eq(lapic_mmio_read(c, LAPIC_ESR), 0x80);
    ck_assert_int_eq(lapic_pending(c), 0x55);
    lapic_mmio_write(c, illegal[_i], 1);
    lapic_mmio_write(c, LAPIC_ESR, 0);
    ck_assert_uint_eq(lapic_mmio_read(c, LAPIC_ESR), 0x80);
    lapic_mmio_write(c, LAPIC_ESR, 0);
    ck_assert_uint_eq(lapic_mmio_read(c, LAPIC_ESR), 0);
}
END_TEST

START_TEST(test_send_illegal_vector)
{
    struct cpu *c = fix_cpu(0);

    lapic_mmio_write(c, LAPIC_ICR, 0x4000f); /* self, vector 15 */
    ck_assert_int_eq(fix_pending(0), -1);
    lapic_mmio_write(c, LAPIC_ESR, 0);
    ck_assert_uint_eq(lapic_mmio_read(c, LAPIC_ESR), 0x20);
}
END_TEST

static const struct {
    u32 lvt;
    int pending;
    u32 attn;
} fires[] = {
    {0x0fe, 0xfe, ATTN_IRQ}, {0x100fe, -1, 0}, {0x400, -1, ATTN_NMI},
    {0x10400, -1, 0},        {0x00f, -1, 0}, /* vectors below 16 do not exist */
};

START_TEST(test_lvt_fire)
{
    struct cpu *c = fix_cpu(0);

    lapic_mmio_write(c, LAPIC_LVT_LINT1, fires[_i].lvt);
    lapic_lvt_fire(c, LAPIC_LVT_LINT1);
    ck_assert_int_eq(lapic_pending(c), fires[_i].pending);
    ck_assert_uint_eq(atomic_load(&c->attn), fires[_i].attn);
}
END_TEST

/* ---- modes ------------------------------------------------------------- */

#define BASE APIC_BASE_RESET

static const struct {
    const char *name;
    u64 from, to;
    bool ok;
} modes[] = {
    {"same", BASE | 0x900, BASE | 0x900, true},
    {"xAPIC off", BASE | 0x900, BASE | 0x100, true},
    {"off to xAPIC", BASE, BASE | 0x800, true},
    {"xAPIC to x2APIC", BASE | 0x800, BASE | 0xc00, true},
    {"x2APIC off", BASE | 0xc00, BASE, true},
    {"x2APIC to xAPIC", BASE | 0xc00, BASE | 0x800, false},
    {"off to x2APIC", BASE, BASE | 0xc00, false},
    {"EXTD without EN", BASE | 0x800, BASE | 0x400, false},
    {"bit 9", BASE | 0x800, BASE | 0xa00, false},
    {"bit 40", BASE | 0x800, BASE | 0x800 | 1ull << 40, false},
    {"moved", BASE | 0x800, 0x12345800, true},
};

START_TEST(test_mode)
{
    struct cpu *c = fix_cpu(2);
    bool ok;

    c->s.apic_base = modes[_i].from;
    ok = lapic_base_write(c, modes[_i].to);
    ck_assert_msg(ok == modes[_i].ok, "%s", modes[_i].name);
    ck_assert_uint_eq(c->s.apic_base, ok ? modes[_i].to : modes[_i].from);
}
END_TEST

START_TEST(test_mode_id)
{
    struct cpu *c = fix_cpu(2);
    u64 val;

    ck_assert(lapic_is_mmio(c, 0xfee00300));
    ck_assert(!lapic_is_mmio(c, 0xfee01000));
    ck_assert(lapic_base_write(c, c->s.apic_base | APIC_BASE_EXTD));
    ck_assert(!lapic_is_mmio(c, 0xfee00300));
    ck_assert(lapic_msr_read(c, 0x802, &val));
    ck_assert_uint_eq(val, 2);
    ck_assert(lapic_msr_read(c, 0x80d, &val));
    ck_assert_uint_eq(val, 4);
}
END_TEST

/* ---- x2APIC MSRs ------------------------------------------------------- */

static const struct {
    u32 msr;
    u64 val;
    bool read, write;
} msrs[] = {
    {0x802, 0, true, false},       {0x803, 0, true, false},
    {0x808, 0xff, true, true},     {0x808, 0x100, true, false},
    {0x809, 0, false, false},      {0x80a, 0, true, false},
    {0x80b, 0, false, true},       {0x80b, 1, false, false},
    {0x80c, 0, false, false},      {0x80d, 0, true, false},
    {0x80e, 0, false, false},      {0x80f, 0x1ff, true, true},
    {0x80f, 0x1000, true, false},  {0x810, 0, true, false},
    {0x827, 0, true, false},       {0x828, 0, true, true},
    {0x828, 1, true, false},       {0x82f, 0, false, false},
    {0x830, 0x440fd, true, true},  {0x830, 1 << 20, true, false},
    {0x831, 0, false, false},      {0x832, 0x200ec, true, true},
    {0x832, 1 << 19, true, false}, {0x837, 0xfe, true, true},
    {0x838, 1, true, true},        {0x838, 1ull << 32, true, false},
    {0x839, 0, true, false},       {0x83a, 0, false, false},
    {0x83e, 0xb, true, true},      {0x83e, 4, true, false},
    {0x83f, 0xf0, false, true},    {0x83f, 0x100, false, false},
    {0x800, 0, false, false},
};

START_TEST(test_x2_fault)
{
    struct cpu *c = fix_cpu(0);
    u64 val;

    ck_assert(!lapic_msr_read(c, msrs[_i].msr, &val));
    ck_assert(!lapic_msr_write(c, msrs[_i].msr, msrs[_i].val));
    fix_x2apic(c);
    ck_assert_msg(lapic_msr_read(c, msrs[_i].msr, &val) == msrs[_i].read,
                  "read %#x", msrs[_i].msr);
    ck_assert_msg(lapic_msr_write(c, msrs[_i].msr, msrs[_i].val) ==
                      msrs[_i].write,
                  "write %#x", msrs[_i].msr);
}
END_TEST

START_TEST(test_x2_icr)
{
    struct cpu *c = fix_cpu(0);
    u64 val;

    fix_x2apic(c);
    fix_x2apic(fix_cpu(3));
    ck_assert(lapic_msr_write(c, 0x830, 3ull << 32 | 0x71));
    ck_assert(lapic_msr_read(c, 0x830, &val));
    ck_assert_uint_eq(val, 3ull << 32 | 0x71);
    ck_assert_int_eq(fix_pending(3), 0x71);
    ck_assert_int_eq(fix_pending(0), -1);
    ck_assert(lapic_msr_write(c, 0x83f, 0x82));
    ck_assert_int_eq(fix_pending(0), 0x82);
}
END_TEST

Suite *suite_lapic(void);
Suite *suite_lapic(void)
{
    Suite *s = suite_create("lapic");
    TCase *tc = fix_tcase(s);

    tcase_add_loop_test(tc, test_reset, 0, ARRAY_SIZE(resets));
    tcase_add_test(tc, test_load_empty);
    tcase_add_loop_test(tc, test_priority, 0, ARRAY_SIZE(prios));
    tcase_add_test(tc, test_nesting);
    tcase_add_test(tc, test_eoi_attn);
    tcase_add_test(tc, test_cr8);
    tcase_add_test(tc, test_tmr);
    tcase_add_loop_test(tc, test_mask, 0, ARRAY_SIZE(masks));
    tcase_add_test(tc, test_software_disable);
    tcase_add_loop_test(tc, test_illegal_register, 0, ARRAY_SIZE(illegal));
    tcase_add_test(tc, test_send_illegal_vector);
    tcase_add_loop_test(tc, test_lvt_fire, 0, ARRAY_SIZE(fires));
    tcase_add_loop_test(tc, test_mode, 0, ARRAY_SIZE(modes));
    tcase_add_test(tc, test_mode_id);
    tcase_add_loop_test(tc, test_x2_fault, 0, ARRAY_SIZE(msrs));
    tcase_add_test(tc, test_x2_icr);
    return s;
}
