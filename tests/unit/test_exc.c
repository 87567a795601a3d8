/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of exc.c and idt.c: frames, error codes, double faults, gates. */
#include "interp_rig.h"

static struct rig rig;

static void setup(void)
{
    rig_new(&rig);
}

static void teardown(void)
{
    rig_free(&rig);
}

/* ---- frames of every exception ------------------------------------------ */

static const struct exc_case {
    const char *name;
    u8 vector;
    bool has_error, rf;
} classes[] = {
    {"#DE", EXC_DE, false, true}, {"#DB", EXC_DB, false, false},
    {"#BR", EXC_BR, false, true}, {"#UD", EXC_UD, false, true},
    {"#NM", EXC_NM, false, true}, {"#DF", EXC_DF, true, false},
    {"#TS", EXC_TS, true, true},  {"#NP", EXC_NP, true, true},
    {"#SS", EXC_SS, true, true},  {"#GP", EXC_GP, true, true},
    {"#PF", EXC_PF, true, true},  {"#MF", EXC_MF, false, true},
    {"#AC", EXC_AC, true, true},  {"#XM", EXC_XM, false, true},
};

START_TEST(test_exc_frame)
{
    const struct exc_case *t = &classes[_i];
    struct cpu *c = rig.c;
    u64 sp = RIG_STACK - 40 - (t->has_error ? 8 : 0);
    u64 flags = RFLAGS_ONE | RFLAGS_IF | RFLAGS_DF | RFLAGS_OF | RFLAGS_NT;

    flags_set(c, flags);
    c->exc = (struct exc){.vector = t->vector,
                          .has_error = t->has_error,
                          .error = 0x1234,
                          .cr2 = 0x5678};
    ck_assert_int_eq(exc_deliver(c), EXEC_OK);
    ck_assert_uint_eq(c->s.rip, RIG_TARGET + 16 * t->vector);
    ck_assert_uint_eq(c->s.gpr[GPR_RSP], sp);
    if (t->has_error) {
        ck_assert_uint_eq(rig_get(&rig, sp, 8), 0x1234);
        sp += 8;
    }
    ck_assert_uint_eq(rig_get(&rig, sp, 8), RIG_CODE);
    ck_assert_uint_eq(rig_get(&rig, sp + 8, 8), RIG_CS0);
    ck_assert_uint_eq(rig_get(&rig, sp + 16, 8),
                      flags | (t->rf ? RFLAGS_RF : 0));
    ck_assert_uint_eq(rig_get(&rig, sp + 24, 8), RIG_STACK);
    ck_assert_uint_eq(rig_get(&rig, sp + 32, 8), RIG_DS0);
    ck_assert_uint_eq(flags_get(c), flags & ~(RFLAGS_IF | RFLAGS_NT));
    ck_assert_uint_eq(c->s.cr2, t->vector == EXC_PF ? 0x5678 : 0);
    /* accessed bit of the handler's code segment */
    ck_assert_uint_eq(rig_get(&rig, RIG_GDT + RIG_CS0 + 5, 1), 0x9b);
}
END_TEST

/* ---- from user space, IST, trap gates ----------------------------------- */

START_TEST(test_exc_from_user)
{
    struct cpu *c = rig.c;

    rig_cpl(&rig, 3);
    c->s.gpr[GPR_RSP] = 0x7ff3;
    ck_assert_int_eq(raise_gp(c), EXEC_FAULT);
    ck_assert_int_eq(exc_deliver(c), EXEC_OK);
    ck_assert_int_eq(c->cpl, 0);
    ck_assert_ptr_eq(c->tlb, c->tlb_kernel);
    ck_assert_uint_eq(c->s.gpr[GPR_RSP], RIG_RSP0 - 48);
    ck_assert_uint_eq(rig_get(&rig, RIG_RSP0 - 8, 8), RIG_DS3 | 3);
    ck_assert_uint_eq(rig_get(&rig, RIG_RSP0 - 16, 8), 0x7ff3);
    ck_assert_uint_eq(rig_get(&rig, RIG_RSP0 - 32, 8), RIG_CS3 | 3);
    ck_assert_int_eq(c->s.seg[SEG_SS].unusable, 1);
    ck_assert_int_eq(c->s.seg[SEG_SS].sel, 0);
    ck_assert_int_eq(c->s.seg[SEG_CS].sel, RIG_CS0);
}
END_TEST

START_TEST(test_exc_ist)
{
    struct cpu *c = rig.c;

    rig_gate(&rig, EXC_DF, RIG_CS0, 0xffff800000001234, 0x8f, 1);
    c->s.rflags |= RFLAGS_IF;
    c->s.gpr[GPR_RSP] = RIG_WILD; /* not used */
    raise_err(c, EXC_DF, 0);
    ck_assert_int_eq(exc_deliver(c), EXEC_OK);
    ck_assert_uint_eq(c->s.rip, 0xffff800000001234);
    ck_assert_uint_eq(c->s.gpr[GPR_RSP], RIG_IST1 - 48);
    ck_assert_int_eq(c->s.seg[SEG_SS].sel, RIG_DS0); /* same level */
    ck_assert(c->s.rflags & RFLAGS_IF);              /* a trap gate */
}
END_TEST

/* Without IST the stack is aligned to 16 before the frame. */
START_TEST(test_exc_aligns)
{
    struct cpu *c = rig.c;

    c->s.gpr[GPR_RSP] = RIG_STACK - 5;
    raise_exc(c, EXC_UD);
    ck_assert_int_eq(exc_deliver(c), EXEC_OK);
    ck_assert_uint_eq(c->s.gpr[GPR_RSP], RIG_STACK - 16 - 40);
    ck_assert_uint_eq(rig_get(&rig, RIG_STACK - 16 - 16, 8), RIG_STACK - 5);
}
END_TEST

/* A conforming handler keeps the CPL: the user's stack, the user's rights. */
START_TEST(test_exc_conforming)
{
    struct cpu *c = rig.c;

    rig_cpl(&rig, 3);
    rig_gate(&rig, EXC_UD, RIG_CONF, RIG_TARGET, 0x8e, 0);
    raise_exc(c, EXC_UD);
    ck_assert_int_eq(exc_deliver(c), EXEC_OK);
    ck_assert_int_eq(c->cpl, 3);
    ck_assert_int_eq(c->s.seg[SEG_CS].sel, RIG_CONF | 3);
    ck_assert_uint_eq(c->s.gpr[GPR_RSP], RIG_STACK - 40);
}
END_TEST

/* ---- gates that fail ---------------------------------------------------- */

static const struct gate_case {
    const char *name;
    u16 sel;
    u64 rip;
    u8 type, ist, cpl;
    u8 want;
    u32 error;
} gates[] = {
    {"good", RIG_CS0, RIG_TARGET, 0x8e, 0, 0, 0, 0},
    {"not present", RIG_CS0, 0, 0x0e, 0, 0, EXC_NP, 0x40 * 8 + 2},
    {"16-bit gate", RIG_CS0, 0, 0x86, 0, 0, EXC_GP, 0x40 * 8 + 2},
    {"task gate", RIG_CS0, 0, 0x85, 0, 0, EXC_GP, 0x40 * 8 + 2},
    {"code as gate", RIG_CS0, 0, 0x9e, 0, 0, EXC_GP, 0x40 * 8 + 2},
    {"DPL", RIG_CS0, 0, 0x8e, 0, 3, EXC_GP, 0x40 * 8 + 2},
    {"DPL before P", RIG_CS0, 0, 0x0e, 0, 3, EXC_GP, 0x40 * 8 + 2},
    {"DPL 3", RIG_CS0, RIG_TARGET, 0xee, 0, 3, 0, 0},
    {"null CS", 0, 0, 0x8e, 0, 0, EXC_GP, 0},
    {"CS outside", RIG_END, 0, 0x8e, 0, 0, EXC_GP, RIG_END},
    {"CS in no LDT", 0xf, 0, 0x8e, 0, 0, EXC_GP, 0xc},
    {"CS is data", RIG_DS0, 0, 0x8e, 0, 0, EXC_GP, RIG_DS0},
    {"CS outer", RIG_CS3, 0, 0x8e, 0, 0, EXC_GP, RIG_CS3},
    {"CS 32 bits", RIG_CS32, 0, 0x8e, 0, 0, EXC_GP, RIG_CS32},
    {"CS L and D", RIG_CSLD, 0, 0x8e, 0, 0, EXC_GP, RIG_CSLD},
    {"CS absent", RIG_CSABS, 0, 0x8e, 0, 0, EXC_NP, RIG_CSABS},
    {"RPL is ignored", RIG_CS0 | 3, RIG_TARGET, 0x8e, 0, 0, 0, 0},
    {"wild RIP", RIG_CS0, RIG_WILD, 0x8e, 0, 0, EXC_GP, 0},
    {"wild IST", RIG_CS0, RIG_TARGET, 0x8e, 2, 0, EXC_SS, 0},
    {"IST outside", RIG_CS0, RIG_TARGET, 0x8e, 7, 0, EXC_TS, RIG_TR},
};

START_TEST(test_exc_gate)
{
    const struct gate_case *t = &gates[_i];
    struct cpu *c = rig.c;
    struct cpu_state before;
    enum exec r;

    rig_cpl(&rig, t->cpl);
    rig_gate(&rig, 0x40, t->sel, t->rip, t->type, t->ist);
    rig_put(&rig, RIG_TSS + 0x2c, 8, RIG_WILD);
    c->s.tr.limit = 0x50;
    before = c->s;
    r = exc_software(c, 0x40, true);
    if (t->want) {
        ck_assert_msg(r == EXEC_FAULT, "%s: %d", t->name, r);
        ck_assert_msg(c->exc.vector == t->want && c->exc.error == t->error,
                      "%s: vector %u error %#x", t->name, c->exc.vector,
                      c->exc.error);
        ck_assert_msg(!memcmp(&before, &c->s, sizeof(before)), "%s", t->name);
    } else {
        ck_assert_msg(r == EXEC_OK, "%s", t->name);
        ck_assert_uint_eq(c->next_rip, t->rip);
        ck_assert_int_eq(c->cpl, 0);
        ck_assert_uint_eq(rig_get(&rig, c->s.gpr[GPR_RSP], 8), RIG_CODE + 2);
    }
}
END_TEST

/* A fault while an exception is delivered: the error code says "external". */
START_TEST(test_exc_ext)
{
    struct cpu *c = rig.c;

    rig_gate(&rig, EXC_UD, RIG_CS0, 0, 0x0e, 0);
    raise_exc(c, EXC_UD);
    ck_assert_int_eq(exc_deliver(c), EXEC_OK);
    ck_assert_uint_eq(c->s.rip, RIG_TARGET + 16 * EXC_NP);
    ck_assert_uint_eq(rig_get(&rig, c->s.gpr[GPR_RSP], 8), EXC_UD * 8 + 3);
    ck_assert_uint_eq(rig_get(&rig, c->s.gpr[GPR_RSP] + 8, 8), RIG_CODE);
}
END_TEST

/* INT n has no EXT, and DPL does not matter for ICEBP. */
START_TEST(test_exc_software)
{
    struct cpu *c = rig.c;

    rig_cpl(&rig, 3);
    rig_fault(c, exc_software(c, EXC_BP, true), EXC_GP, EXC_BP * 8 + 2);
    ck_assert_int_eq(exc_software(c, EXC_DB, false), EXEC_OK);
    ck_assert_uint_eq(c->next_rip, RIG_TARGET + 16);
    ck_assert_uint_eq(c->s.rip, RIG_CODE);
}
END_TEST

/* ---- double faults ------------------------------------------------------ */

/* How the first exception's delivery goes wrong. */
enum trouble { NOT_PRESENT, PAGE_FAULT };

static const struct df_case {
    const char *name;
    u8 first;
    enum trouble trouble;
    u8 want;
} pairs[] = {
    {"benign, #NP", EXC_UD, NOT_PRESENT, EXC_NP},
    {"benign, #PF", EXC_UD, PAGE_FAULT, EXC_PF},
    {"#DB, #NP", EXC_DB, NOT_PRESENT, EXC_NP},
    {"#DE, #NP", EXC_DE, NOT_PRESENT, EXC_DF},
    {"#TS, #NP", EXC_TS, NOT_PRESENT, EXC_DF},
    {"#SS, #NP", EXC_SS, NOT_PRESENT, EXC_DF},
    {"#GP, #NP", EXC_GP, NOT_PRESENT, EXC_DF},
    {"#GP, #PF", EXC_GP, PAGE_FAULT, EXC_PF},
    {"#PF, #NP", EXC_PF, NOT_PRESENT, EXC_DF},
    {"#PF, #PF", EXC_PF, PAGE_FAULT, EXC_DF},
    {"#AC, #NP", EXC_AC, NOT_PRESENT, EXC_NP},
};

START_TEST(test_exc_pair)
{
    const struct df_case *t = &pairs[_i];
    struct cpu *c = rig.c;
    bool err = t->first == EXC_TS || t->first >= EXC_SS;

    if (t->trouble == NOT_PRESENT)
        rig_gate(&rig, t->first, RIG_CS0, 0, 0x0e, 0);
    else /* a stack in the hole */
        rig_gate(&rig, t->first, RIG_CS0, 0, 0x8e, 2);
    rig_put(&rig, RIG_TSS + 0x2c, 8, RIG_HOLE + 0x100);
    c->exc = (struct exc){.vector = t->first, .has_error = err, .error = 4};
    ck_assert_int_eq(exc_deliver(c), EXEC_OK);
    ck_assert_msg(c->s.rip == RIG_TARGET + 16u * t->want, "%s: %#lx", t->name,
                  c->s.rip);
    ck_assert_uint_eq(rig_get(&rig, c->s.gpr[GPR_RSP] + 8, 8), RIG_CODE);
    if (t->want == EXC_DF)
        ck_assert_uint_eq(rig_get(&rig, c->s.gpr[GPR_RSP], 8), 0);
    if (t->trouble == PAGE_FAULT)
        ck_assert_uint_eq(c->s.cr2, RIG_HOLE + 0xf8);
}
END_TEST

START_TEST(test_exc_triple)
{
    struct cpu *c = rig.c;

    c->s.idt.limit = 0;
    raise_exc(c, EXC_UD);
    ck_assert_int_eq(exc_deliver(c), EXEC_SHUTDOWN);
}
END_TEST

/* ---- interrupts --------------------------------------------------------- */

START_TEST(test_exc_interrupt)
{
    struct cpu *c = rig.c;

    c->s.rflags |= RFLAGS_IF | RFLAGS_TF;
    c->s.event.shadow_sti = 1;
    c->s.mp_state = MP_HALTED;
    ck_assert_int_eq(exc_interrupt(c, 0x31), EXEC_OK);
    ck_assert_uint_eq(c->s.rip, RIG_TARGET + 0x310);
    ck_assert_uint_eq(rig_get(&rig, c->s.gpr[GPR_RSP], 8), RIG_CODE);
    ck_assert_uint_eq(rig_get(&rig, c->s.gpr[GPR_RSP] + 16, 8),
                      RFLAGS_ONE | RFLAGS_IF | RFLAGS_TF);
    ck_assert_uint_eq(c->s.rflags, RFLAGS_ONE);
    ck_assert_int_eq(c->s.event.shadow_sti, 0);
    ck_assert_int_eq(c->s.mp_state, MP_RUNNABLE);
    ck_assert_int_eq(c->s.event.nmi_masked, 0);
}
END_TEST

START_TEST(test_exc_interrupt_faults)
{
    struct cpu *c = rig.c;

    rig_gate(&rig, 0x31, RIG_DS0, 0, 0x8e, 0);
    ck_assert_int_eq(exc_interrupt(c, 0x31), EXEC_OK);
    ck_assert_uint_eq(c->s.rip, RIG_TARGET + 16 * EXC_GP);
    ck_assert_uint_eq(rig_get(&rig, c->s.gpr[GPR_RSP], 8), RIG_DS0 | 1);
}
END_TEST

START_TEST(test_exc_nmi)
{
    struct cpu *c = rig.c;
    struct insn in = {.size = 8};

    ck_assert_int_eq(exc_interrupt(c, EXC_NMI), EXEC_OK);
    ck_assert_int_eq(c->s.event.nmi_masked, 1);
    ck_assert_int_eq(op_iret(c, &in), EXEC_OK);
    ck_assert_int_eq(c->s.event.nmi_masked, 0);
    ck_assert_uint_eq(c->next_rip, RIG_CODE);
}
END_TEST

START_TEST(test_exc_inject)
{
    struct cpu *c = rig.c;
    struct cpu_event *e = &c->s.event;

    ck_assert_int_eq(exc_inject(c), EXEC_OK);
    ck_assert_uint_eq(c->s.rip, RIG_CODE);
    *e = (struct cpu_event){.exc_valid = 1,
                            .exc_vector = EXC_GP,
                            .exc_has_error = 1,
                            .exc_error = 0x20};
    ck_assert_int_eq(exc_inject(c), EXEC_OK);
    ck_assert_uint_eq(c->s.rip, RIG_TARGET + 16 * EXC_GP);
    ck_assert_uint_eq(rig_get(&rig, c->s.gpr[GPR_RSP], 8), 0x20);
    ck_assert_int_eq(e->exc_valid, 0);
    *e = (struct cpu_event){.irq_valid = 1, .irq_vector = 0x77};
    ck_assert_int_eq(exc_inject(c), EXEC_OK);
    ck_assert_uint_eq(c->s.rip, RIG_TARGET + 0x770);
    *e = (struct cpu_event){.nmi_injected = 1};
    ck_assert_int_eq(exc_inject(c), EXEC_OK);
    ck_assert_uint_eq(c->s.rip, RIG_TARGET + 0x20);
    ck_assert_int_eq(e->nmi_masked, 1);
    ck_assert(rig.run.dirty & CPU_EVENTS);
}
END_TEST

/* INT3 that KVM had begun: no RF, no EXT. */
START_TEST(test_exc_inject_soft)
{
    struct cpu *c = rig.c;

    rig_gate(&rig, EXC_BP, RIG_DS0, 0, 0x8e, 0);
    c->s.event =
        (struct cpu_event){.exc_valid = 1, .exc_vector = EXC_BP, .exc_soft = 1};
    ck_assert_int_eq(exc_inject(c), EXEC_OK);
    ck_assert_uint_eq(c->s.rip, RIG_TARGET + 16 * EXC_GP);
    ck_assert_uint_eq(rig_get(&rig, c->s.gpr[GPR_RSP], 8), RIG_DS0);
}
END_TEST

/* ---- legacy modes ------------------------------------------------------- */

START_TEST(test_exc_protected)
{
    struct cpu *c = rig.c;
    u32 gate_lo = RIG_CS32 << 16 | 0x2345;

    rig_protected(&rig);
    rig_put(&rig, RIG_IDT + EXC_GP * 8, 4, gate_lo);
    rig_put(&rig, RIG_IDT + EXC_GP * 8 + 4, 4, 0x00018e00);
    raise_err(c, EXC_GP, 0x18);
    ck_assert_int_eq(exc_deliver(c), EXEC_OK);
    ck_assert_uint_eq(c->s.rip, 0x12345);
    ck_assert_uint_eq(c->s.gpr[GPR_RSP], RIG_STACK - 16);
    ck_assert_uint_eq(rig_get(&rig, RIG_STACK - 16, 4), 0x18);
    ck_assert_uint_eq(rig_get(&rig, RIG_STACK - 12, 4), RIG_CODE);
    ck_assert_uint_eq(rig_get(&rig, RIG_STACK - 8, 4), RIG_CS32);
}
END_TEST

START_TEST(test_exc_protected_outer)
{
    struct cpu *c = rig.c;

    rig_protected(&rig);
    rig_cpl(&rig, 3);
    c->s.seg[SEG_CS].l = 0;
    c->s.seg[SEG_CS].db = 1;
    cpu_update_mode(c);
    rig_put(&rig, RIG_IDT + EXC_UD * 8, 4, RIG_CS32 << 16 | 0x2345);
    rig_put(&rig, RIG_IDT + EXC_UD * 8 + 4, 4, 0x00018e00);
    rig_put(&rig, RIG_TSS + 4, 4, RIG_RSP0);
    rig_put(&rig, RIG_TSS + 8, 4, RIG_DS0);
    raise_exc(c, EXC_UD);
    ck_assert_int_eq(exc_deliver(c), EXEC_OK);
    ck_assert_int_eq(c->cpl, 0);
    ck_assert_int_eq(c->s.seg[SEG_SS].sel, RIG_DS0);
    ck_assert_uint_eq(c->s.gpr[GPR_RSP], RIG_RSP0 - 20);
    ck_assert_uint_eq(rig_get(&rig, RIG_RSP0 - 4, 4), RIG_DS3 | 3);
    ck_assert_uint_eq(rig_get(&rig, RIG_RSP0 - 8, 4), RIG_STACK);
}
END_TEST

START_TEST(test_exc_real)
{
    struct cpu *c = rig.c;

    rig_real(&rig);
    c->s.rflags |= RFLAGS_IF;
    rig_put(&rig, 0x21 * 4, 4, 0x12340056);
    ck_assert_int_eq(exc_interrupt(c, 0x21), EXEC_OK);
    ck_assert_uint_eq(c->s.rip, 0x56);
    ck_assert_uint_eq(c->s.seg[SEG_CS].base, 0x12340);
    ck_assert_uint_eq(c->s.gpr[GPR_RSP], RIG_STACK - 6);
    ck_assert_uint_eq(rig_get(&rig, RIG_STACK - 6, 2), 0x100);
    ck_assert_uint_eq(rig_get(&rig, RIG_STACK - 2, 2), 0x202);
    ck_assert(!(c->s.rflags & RFLAGS_IF));
}
END_TEST

/* ---- one instruction at a time ------------------------------------------ */

static const struct step_case {
    const char *name;
    u64 before, after, dr7, dr0;
    u8 sti, mov_ss;
    bool no_trap;
    u64 dr6; /* expected; 0: nothing raised */
    u8 sti_after, mov_ss_after;
} steps[] = {
    {"nothing", 0, 0, 0, 0, 0, 0, false, 0, 0, 0},
    {"TF", RFLAGS_TF, RFLAGS_TF, 0, 0, 0, 0, false, 0x4000, 0, 0},
    {"TF just set", 0, RFLAGS_TF, 0, 0, 0, 0, false, 0, 0, 0},
    {"TF just cleared", RFLAGS_TF, 0, 0, 0, 0, 0, false, 0x4000, 0, 0},
    {"TF, INT n", RFLAGS_TF, 0, 0, 0, 0, 0, true, 0, 0, 0},
    {"STI now", 0, RFLAGS_IF, 0, 0, 1, 0, false, 0, 1, 0},
    {"STI before", RFLAGS_IF, RFLAGS_IF, 0, 0, 1, 0, false, 0, 0, 0},
    {"MOV SS before", 0, 0, 0, 0, 0, 1, false, 0, 0, 0},
    {"MOV SS now, TF", RFLAGS_TF, RFLAGS_TF, 0, 0, 0, 1, false, 0, 0, 2},
    {"MOV SS, TF, 2nd", RFLAGS_TF, RFLAGS_TF, 0, 0, 0, 2, false, 0x4000, 0, 0},
    {"breakpoint", 0, 0, 1, RIG_CODE, 0, 0, false, 1, 0, 0},
    {"elsewhere", 0, 0, 1, RIG_CODE + 1, 0, 0, false, 0, 0, 0},
    {"disabled", 0, 0, 0, RIG_CODE, 0, 0, false, 0, 0, 0},
    {"on data", 0, 0, 0x10001, RIG_CODE, 0, 0, false, 0, 0, 0},
    {"RF by IRET", 0, RFLAGS_RF, 1, RIG_CODE, 0, 0, false, 0, 0, 0},
    {"RF used up", RFLAGS_RF, RFLAGS_RF, 1, RIG_CODE, 0, 0, false, 1, 0, 0},
};

START_TEST(test_exc_after_insn)
{
    const struct step_case *t = &steps[_i];
    struct cpu *c = rig.c;
    enum exec r;

    c->s.rflags |= t->after;
    c->s.dr7 = t->dr7;
    c->s.dr[0] = t->dr0;
    c->s.event.shadow_sti = t->sti;
    c->s.event.shadow_mov_ss = t->mov_ss;
    c->no_trap = t->no_trap;
    r = exc_after_insn(c, t->before | RFLAGS_ONE, EXEC_OK);
    ck_assert_msg(r == (t->dr6 ? EXEC_FAULT : EXEC_OK), "%s", t->name);
    if (t->dr6) {
        ck_assert_int_eq(c->exc.vector, EXC_DB);
        ck_assert_msg(c->exc.dr6 == t->dr6, "%s", t->name);
    }
    ck_assert_int_eq(c->s.event.shadow_sti, t->sti_after);
    ck_assert_int_eq(c->s.event.shadow_mov_ss, t->mov_ss_after);
    ck_assert_int_eq(c->no_trap, false);
    if (t->before & RFLAGS_RF)
        ck_assert(!(c->s.rflags & RFLAGS_RF));
}
END_TEST

START_TEST(test_exc_must_step)
{
    struct cpu *c = rig.c;

    ck_assert(!cpu_must_step(c));
    c->s.rflags |= RFLAGS_TF;
    ck_assert(cpu_must_step(c));
    c->s.rflags = RFLAGS_ONE;
    c->s.event.shadow_mov_ss = 1;
    ck_assert(cpu_must_step(c));
    c->s.event.shadow_mov_ss = 0;
    c->s.dr7 = 0x400;
    ck_assert(!cpu_must_step(c));
    c->s.dr7 = 0x402;
    ck_assert(cpu_must_step(c));
}
END_TEST

START_TEST(test_exc_debug_registers)
{
    struct cpu *c = rig.c;

    c->s.dr6 = 0xffff0ff0;
    c->s.dr7 = 0x2400;
    c->exc = (struct exc){.vector = EXC_DB, .dr6 = 0x4001};
    ck_assert_int_eq(exc_deliver(c), EXEC_OK);
    ck_assert_uint_eq(c->s.dr6, 0xffff4ff1);
    ck_assert_uint_eq(c->s.dr7, 0x400);
}
END_TEST

Suite *suite_exc(void);
Suite *suite_exc(void)
{
    Suite *s = suite_create("exc");
    TCase *tc = tcase_create("exc");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, test_exc_frame, 0, ARRAY_SIZE(classes));
    tcase_add_test(tc, test_exc_from_user);
    tcase_add_test(tc, test_exc_ist);
    tcase_add_test(tc, test_exc_aligns);
    tcase_add_test(tc, test_exc_conforming);
    tcase_add_loop_test(tc, test_exc_gate, 0, ARRAY_SIZE(gates));
    tcase_add_test(tc, test_exc_ext);
    tcase_add_test(tc, test_exc_software);
    tcase_add_loop_test(tc, test_exc_pair, 0, ARRAY_SIZE(pairs));
    tcase_add_test(tc, test_exc_triple);
    tcase_add_test(tc, test_exc_interrupt);
    tcase_add_test(tc, test_exc_interrupt_faults);
    tcase_add_test(tc, test_exc_nmi);
    tcase_add_test(tc, test_exc_inject);
    tcase_add_test(tc, test_exc_inject_soft);
    tcase_add_test(tc, test_exc_protected);
    tcase_add_test(tc, test_exc_protected_outer);
    tcase_add_test(tc, test_exc_real);
    tcase_add_loop_test(tc, test_exc_after_insn, 0, ARRAY_SIZE(steps));
    tcase_add_test(tc, test_exc_must_step);
    tcase_add_test(tc, test_exc_debug_registers);
    suite_add_tcase(s, tc);
    return s;
}
