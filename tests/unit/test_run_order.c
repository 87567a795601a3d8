/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.c: what comes first between two instructions, and what waits: traps,
 * NMI, interrupts, shadows, breakpoints (SDM vol. 3A table 6-2). Each in both
 * tiers. Handlers are at RIG_TARGET + 16 * vector and jump to themselves.
 */
#include "interp/platform.h"
#include "step_code.h"
#include "unit.h"

#define VECTOR  0x51u
#define NOWHERE 0u

#define AT(vector) (RIG_TARGET + 16ull * (vector))

static struct rig r;
static struct machine machine;
static struct lapic lapic;

/* A LAPIC in x2APIC mode, and nobody else. */
static void setup(void)
{
    struct cpu *c;

    rig_new(&r);
    c = r.c;
    machine = (struct machine){.nr_cpus = 1};
    machine.cpu[0] = c;
    lapic = (struct lapic){.expires = TIMER_OFF};
    c->lapic = &lapic;
    c->machine = &machine;
    c->s.apic_base = APIC_BASE_RESET | APIC_BASE_ENABLE | APIC_BASE_EXTD;
    lapic_regs_reset(&c->s, 0);
    lapic_set(c, LAPIC_SVR, LAPIC_SVR_ENABLE | 0xff);
    c->s.gpr[GPR_RAX] = RIG_DS0;
    for (unsigned int v = 0; v < 256; v++)
        rig_put(&r, AT(v), 2, 0xfeeb);
}

static void teardown(void)
{
    rig_free(&r);
}

static enum interp_stop go(u64 budget, bool step)
{
    r.run =
        (struct interp_run){.budget = budget, .flags = step ? INTERP_STEP : 0};
    return interp_run(r.c, &r.run);
}

/* The frame that was pushed last: RIP; at CPL 0 SS:RSP are in it, too. */
static u64 frame_rip(void)
{
    return rig_get(&r, r.c->s.gpr[GPR_RSP], 8);
}

/* ---- interrupts and what holds them off ---------------------------------- */

enum pending { IRQ = 1, NMI = 2 };

static const struct order {
    const char *name, *hex;
    u64 flags;
    unsigned int pending, insns; /* to run, or more if a handler is entered */
    unsigned int vector; /* whose handler is entered at the end, or NOWHERE */
    unsigned int behind; /* so many bytes of the code */
} orders[] = {
    {"at once", "90 90", RFLAGS_IF, IRQ, 0, VECTOR, 0},
    {"not with IF clear", "90 90", 0, IRQ, 2, NOWHERE, 2},
    {"NMI with IF clear", "90 90", 0, NMI, 1, EXC_NMI, 0},
    {"NMI before an interrupt", "90 90", RFLAGS_IF, IRQ | NMI, 1, EXC_NMI, 0},
    {"STI and one more", "fb 90 90", 0, IRQ, 3, VECTOR, 2},
    {"STI with IF set is no shadow", "fb 90 90", RFLAGS_IF, IRQ, 0, VECTOR, 0},
    {"STI twice is no longer", "fb fb 90", 0, IRQ, 3, VECTOR, 2},
    {"STI, CLI", "fb fa 90", 0, IRQ, 3, NOWHERE, 3},
    {"STI does not hold off NMI twice", "fb 90 90", 0, NMI, 1, EXC_NMI, 0},
    {"POPF has no shadow", "9d 90", 0, IRQ, 2, VECTOR, 1},
    {"TF traps behind the next", "90 90", RFLAGS_TF, 0, 2, EXC_DB, 1},
    {"interrupt before, not behind it", "90 90", RFLAGS_IF | RFLAGS_TF, IRQ, 1,
     VECTOR, 0},
    {"MOV SS takes the trap along", "8e d0 90 90", RFLAGS_TF, 0, 3, EXC_DB, 3},
};

START_TEST(test_order)
{
    const struct order *o = &orders[_i / 2];
    struct cpu *c = r.c;
    u64 want = o->vector ? AT(o->vector) : RIG_CODE + o->behind;

    put_code(&r, RIG_CODE, o->hex);
    c->s.rip = RIG_CODE;
    c->s.rflags |= o->flags;
    rig_put(&r, RIG_STACK, 8, RFLAGS_IF); /* for POPF */
    if (o->pending & IRQ)
        lapic_set(c, LAPIC_IRR + VECTOR / 32 * 16, 1u << VECTOR % 32);
    c->s.event.nmi_pending = !!(o->pending & NMI);
    ck_assert_int_eq(go(o->insns + (o->vector ? 4 : 0), _i & 1), INTERP_BUDGET);
    ck_assert_msg(c->s.rip == want, "%s: at %#lx", o->name, c->s.rip);
    if (o->vector)
        ck_assert_msg(frame_rip() == RIG_CODE + o->behind, "%s: from %#lx",
                      o->name, frame_rip());
}
END_TEST

/* What arrives during an instruction that traps comes after the trap. */
START_TEST(test_trap_first)
{
    struct cpu *c = r.c;

    put_code(&r, RIG_CODE, "0f 30 90"); /* WRMSR: SELF IPI */
    put_code(&r, AT(EXC_DB), "48 cf");
    c->s.rip = RIG_CODE;
    c->s.gpr[GPR_RCX] = 0x83f;
    c->s.gpr[GPR_RAX] = VECTOR;
    c->s.gpr[GPR_RDX] = 0;
    c->s.rflags |= RFLAGS_IF | RFLAGS_TF;
    go(2, _i);
    ck_assert_uint_eq(c->s.rip, AT(EXC_DB));
    ck_assert_uint_eq(frame_rip(), RIG_CODE + 2);
    go(4, _i); /* IRET, and then it is its turn */
    ck_assert_uint_eq(c->s.rip, AT(VECTOR));
    ck_assert_uint_eq(frame_rip(), RIG_CODE + 2);
}
END_TEST

/* MOV SS holds off NMI as well. */
START_TEST(test_mov_ss_nmi)
{
    struct cpu *c = r.c;

    put_code(&r, RIG_CODE, "8e d0 90 90");
    c->s.rip = RIG_CODE;
    go(1, _i);
    ck_assert_uint_eq(c->s.rip, RIG_CODE + 2);
    ck_assert(c->s.event.shadow_mov_ss);
    c->s.event.nmi_pending = 1;
    go(1, _i);
    ck_assert_uint_eq(c->s.rip, RIG_CODE + 3);
    go(4, _i);
    ck_assert_uint_eq(c->s.rip, AT(EXC_NMI));
}
END_TEST

/* Another NMI waits for IRET; interrupts do not unmask it. */
START_TEST(test_nmi_masked)
{
    struct cpu *c = r.c;

    put_code(&r, RIG_CODE, "90 90");
    put_code(&r, AT(EXC_NMI), "90 90 90 48 cf");
    c->s.rip = RIG_CODE;
    c->s.event.nmi_pending = 1;
    go(1, _i);
    ck_assert_uint_eq(c->s.rip, AT(EXC_NMI) + 1);
    c->s.event.nmi_pending = 1;
    go(2, _i);
    ck_assert_uint_eq(c->s.rip, AT(EXC_NMI) + 3);
    ck_assert(c->s.event.nmi_pending);
    go(2, _i); /* IRET, and into the handler again */
    ck_assert_uint_eq(c->s.rip, AT(EXC_NMI) + 1);
    ck_assert_uint_eq(frame_rip(), RIG_CODE);
    ck_assert(c->s.event.nmi_masked && !c->s.event.nmi_pending);
}
END_TEST

/* ---- faults of the fetch --------------------------------------------------
 */

/* A breakpoint on code comes before that there is no code. */
START_TEST(test_breakpoint_first)
{
    struct cpu *c = r.c;

    put_code(&r, RIG_CODE, "ff e3"); /* jmp *%rbx */
    c->s.rip = RIG_CODE;
    c->s.gpr[GPR_RBX] = RIG_HOLE;
    c->s.dr[0] = RIG_HOLE;
    c->s.dr7 = 0x402;
    go(2, _i);
    ck_assert_uint_eq(c->s.rip, AT(EXC_DB));
    ck_assert_uint_eq(frame_rip(), RIG_HOLE);
    ck_assert_uint_eq(c->s.dr6 & 0xf, 1);
}
END_TEST

/* SYSRET: AMD's processors are at CPL 3 when they find that RIP is none. */
START_TEST(test_sysret_wild)
{
    struct cpu *c = r.c;

    put_code(&r, RIG_CODE, "48 0f 07");
    c->s.rip = RIG_CODE;
    c->s.msr.star = (u64)(RIG_CS0 | 3) << 48;
    c->s.gpr[GPR_RCX] = RIG_WILD;
    c->s.gpr[GPR_R11] = RFLAGS_ONE;
    go(1, _i);
    ck_assert_int_eq(c->cpl, 3);
    go(1, _i);
    ck_assert_uint_eq(c->s.rip, AT(EXC_GP));
    ck_assert_int_eq(c->cpl, 0);
    ck_assert_uint_eq(c->s.gpr[GPR_RSP], RIG_RSP0 - 48);
    ck_assert_uint_eq(frame_rip(), 0); /* the error code */
    ck_assert_uint_eq(rig_get(&r, RIG_RSP0 - 40, 8), RIG_WILD);
    ck_assert_uint_eq(rig_get(&r, RIG_RSP0 - 32, 8) & 3, 3);
}
END_TEST

/* The handler of #PF is not there, that of #DF neither. */
START_TEST(test_triple)
{
    struct cpu *c = r.c;

    put_code(&r, RIG_CODE, "8b 03");
    c->s.rip = RIG_CODE;
    c->s.gpr[GPR_RBX] = RIG_HOLE;
    rig_gate(&r, EXC_PF, RIG_CS0, AT(EXC_PF), 0x0e, 0);
    rig_gate(&r, EXC_DF, RIG_CS0, AT(EXC_DF), 0x0e, 0);
    ck_assert_int_eq(go(2, _i), INTERP_SHUTDOWN);
    ck_assert_uint_eq(c->s.rip, RIG_CODE);
    ck_assert_uint_eq(c->s.cr2, RIG_HOLE);
}
END_TEST

/* Without #PF's, #DF's is told where it was; its error code is 0. */
START_TEST(test_double)
{
    struct cpu *c = r.c;

    put_code(&r, RIG_CODE, "8b 03");
    c->s.rip = RIG_CODE;
    c->s.gpr[GPR_RBX] = RIG_HOLE;
    rig_gate(&r, EXC_PF, RIG_CS0, AT(EXC_PF), 0x0e, 0);
    go(1, _i);
    ck_assert_uint_eq(c->s.rip, AT(EXC_DF));
    ck_assert_uint_eq(frame_rip(), 0);
    ck_assert_uint_eq(rig_get(&r, c->s.gpr[GPR_RSP] + 8, 8), RIG_CODE);
}
END_TEST

Suite *suite_run_order(void);

Suite *suite_run_order(void)
{
    Suite *s = suite_create("run_order");
    TCase *tc = tcase_create("both tiers");

    suite_add_tcase(s, tc);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, test_order, 0, 2 * ARRAY_SIZE(orders));
    tcase_add_loop_test(tc, test_trap_first, 0, 2);
    tcase_add_loop_test(tc, test_mov_ss_nmi, 0, 2);
    tcase_add_loop_test(tc, test_nmi_masked, 0, 2);
    tcase_add_loop_test(tc, test_breakpoint_first, 0, 2);
    tcase_add_loop_test(tc, test_sysret_wild, 0, 2);
    tcase_add_loop_test(tc, test_triple, 0, 2);
    tcase_add_loop_test(tc, test_double, 0, 2);
    return s;
}
