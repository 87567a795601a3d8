/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of branch.c and far.c. */
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

/* What a failed handler must not have touched. */
struct kept {
    struct cpu_state s;
    u64 next_rip;
    u8 of, cpl;
};

static struct kept keep(void)
{
    return (struct kept){
        .s = rig.c->s,
        .next_rip = rig.c->next_rip,
        .of = rig.c->of,
        .cpl = rig.c->cpl,
    };
}

static void check_kept(const struct kept *k, const char *name)
{
    const struct cpu *c = rig.c;

    ck_assert_msg(!memcmp(&k->s, &c->s, sizeof(k->s)), "%s: state", name);
    ck_assert_msg(k->next_rip == c->next_rip, "%s: rip", name);
    ck_assert_msg(k->of == c->of && k->cpl == c->cpl, "%s", name);
}

/* ---- near --------------------------------------------------------------- */

static const struct near_case {
    const char *name;
    op_fn *fn;
    u8 opcode, size, asize;
    u64 imm, rcx, rflags;
    u64 rip, rcx_after;
} nears[] = {
    /* next_rip is RIG_CODE + 2 */
    {"jmp", op_jmp, 0xeb, 8, 8, 0x10, 0, 0, RIG_CODE + 0x12, 0},
    {"jmp back", op_jmp, 0xeb, 8, 8, -2ull, 0, 0, RIG_CODE, 0},
    {"jmp 16 bits", op_jmp, 0xe9, 2, 8, 0x10, 0, 0, 0x12, 0},
    {"jz taken", op_jcc, 0x74, 8, 8, 8, 0, RFLAGS_ZF, RIG_CODE + 10, 0},
    {"jz not taken", op_jcc, 0x74, 8, 8, 8, 0, 0, RIG_CODE + 2, 0},
    {"jnz taken", op_jcc, 0x85, 8, 8, 8, 0, 0, RIG_CODE + 10, 0},
    {"loop", op_loop, 0xe2, 8, 8, 8, 2, 0, RIG_CODE + 10, 1},
    {"loop ends", op_loop, 0xe2, 8, 8, 8, 1, 0, RIG_CODE + 2, 0},
    {"loop from 0", op_loop, 0xe2, 8, 8, 8, 0, 0, RIG_CODE + 10, -1ull},
    {"loop ecx", op_loop, 0xe2, 8, 4, 8, 1ull << 32, 0, RIG_CODE + 10,
     0xffffffff},
    {"loope", op_loop, 0xe1, 8, 8, 8, 2, 0, RIG_CODE + 2, 1},
    {"loope zf", op_loop, 0xe1, 8, 8, 8, 2, RFLAGS_ZF, RIG_CODE + 10, 1},
    {"loopne zf", op_loop, 0xe0, 8, 8, 8, 2, RFLAGS_ZF, RIG_CODE + 2, 1},
    {"jrcxz", op_jcxz, 0xe3, 8, 8, 8, 1ull << 32, 0, RIG_CODE + 2, 1ull << 32},
    {"jecxz", op_jcxz, 0xe3, 8, 4, 8, 1ull << 32, 0, RIG_CODE + 10, 1ull << 32},
};

START_TEST(test_near)
{
    const struct near_case *t = &nears[_i];
    struct cpu *c = rig.c;
    struct insn in = {
        .opcode = t->opcode, .size = t->size, .asize = t->asize, .imm = t->imm};

    c->s.rflags |= t->rflags;
    c->s.gpr[GPR_RCX] = t->rcx;
    ck_assert_int_eq(t->fn(c, &in), EXEC_OK);
    ck_assert_msg(c->next_rip == t->rip, "%s: %#lx", t->name, c->next_rip);
    ck_assert_msg(c->s.gpr[GPR_RCX] == t->rcx_after, "%s", t->name);
}
END_TEST

START_TEST(test_near_call_ret)
{
    struct cpu *c = rig.c;
    struct insn call = {.size = 8, .imm = 0x100}, ret = {.size = 8, .imm = 16};

    ck_assert_int_eq(op_call(c, &call), EXEC_OK);
    ck_assert_uint_eq(c->next_rip, RIG_CODE + 0x102);
    ck_assert_uint_eq(rig_get(&rig, RIG_STACK - 8, 8), RIG_CODE + 2);
    ck_assert_int_eq(op_ret(c, &ret), EXEC_OK);
    ck_assert_uint_eq(c->next_rip, RIG_CODE + 2);
    ck_assert_uint_eq(c->s.gpr[GPR_RSP], RIG_STACK + 16);
}
END_TEST

/* Bad targets: nothing has moved, least of all RSP. */
START_TEST(test_near_faults)
{
    struct cpu *c = rig.c;
    struct insn in = {.size = 8, .src = RIG_WILD, .imm = RIG_WILD};
    op_fn *const fn[] = {op_jmp, op_jmp_ind, op_call, op_call_ind, op_ret};
    struct kept k;

    rig_put(&rig, RIG_STACK, 8, RIG_WILD);
    k = keep();
    for (unsigned int i = 0; i < ARRAY_SIZE(fn); i++) {
        rig_fault(c, fn[i](c, &in), EXC_GP, 0);
        check_kept(&k, "near");
    }
    c->s.gpr[GPR_RSP] = RIG_HOLE + 8;
    k = keep();
    in.imm = 0;
    rig_fault(c, op_call(c, &in), EXC_PF, 2);
    k.next_rip = c->next_rip; /* discarded by whoever sees EXEC_FAULT */
    check_kept(&k, "call");
}
END_TEST

START_TEST(test_near_bound)
{
    struct cpu *c = rig.c;
    struct insn in = {.size = 4, .la = RIG_DATA};

    rig_put(&rig, RIG_DATA, 4, (u32)-5);
    rig_put(&rig, RIG_DATA + 4, 4, 7);
    in.dst = (u32)-5;
    ck_assert_int_eq(op_bound(c, &in), EXEC_OK);
    in.dst = 7;
    ck_assert_int_eq(op_bound(c, &in), EXEC_OK);
    in.dst = 8;
    ck_assert_int_eq(op_bound(c, &in), EXEC_FAULT);
    ck_assert_int_eq(c->exc.vector, EXC_BR);
    in.dst = (u32)-6;
    ck_assert_int_eq(op_bound(c, &in), EXEC_FAULT);
}
END_TEST

/* ---- far jumps and calls ------------------------------------------------ */

static const struct far_case {
    const char *name;
    u8 cpl;
    u16 sel;
    u64 rip;
    u8 want;
    u16 error;
} fars[] = {
    {"same", 0, RIG_CS0, 0x1234, 0, 0},
    {"high", 0, RIG_CS0, 0xffff800000000000, 0, 0},
    {"to 32 bits", 0, RIG_CS32, 0x1234, 0, 0},
    {"conforming from 3", 3, RIG_CONF, 0x1234, 0, 0},
    {"null", 0, 0, 0, EXC_GP, 0},
    {"outside", 0, RIG_END, 0, EXC_GP, RIG_END},
    {"data", 0, RIG_DS0, 0, EXC_GP, RIG_DS0},
    {"TSS", 0, RIG_TR, 0, EXC_GP, RIG_TR},
    {"RPL above CPL", 0, RIG_CS0 | 1, 0, EXC_GP, RIG_CS0},
    {"outer", 0, RIG_CS3, 0, EXC_GP, RIG_CS3},
    {"inner", 3, RIG_CS0, 0, EXC_GP, RIG_CS0},
    {"absent", 0, RIG_CSABS, 0, EXC_NP, RIG_CSABS},
    {"L and D", 0, RIG_CSLD, 0, EXC_GP, RIG_CSLD},
    {"wild", 0, RIG_CS0, RIG_WILD, EXC_GP, 0},
    {"past the limit", 0, RIG_CS32, 1ull << 32, EXC_GP, 0},
};

START_TEST(test_far)
{
    const struct far_case *t = &fars[_i];
    struct cpu *c = rig.c;
    struct insn in = {.opcode = 0xea, .size = 8, .imm = t->rip, .imm2 = t->sel};
    op_fn *const fn[] = {op_jmp_far, op_call_far};

    for (unsigned int i = 0; i < 2; i++) {
        struct kept k;
        enum exec r;

        rig_state(&rig);
        rig_cpl(&rig, t->cpl);
        k = keep();
        r = fn[i](c, &in);
        if (t->want) {
            ck_assert_msg(r == EXEC_FAULT && c->exc.vector == t->want &&
                              c->exc.error == t->error,
                          "%s: %d vector %u error %#x", t->name, r,
                          c->exc.vector, c->exc.error);
            check_kept(&k, t->name);
            continue;
        }
        ck_assert_msg(r == EXEC_OK, "%s", t->name);
        ck_assert_uint_eq(c->next_rip, t->rip);
        ck_assert_uint_eq(c->s.seg[SEG_CS].sel, t->sel | t->cpl);
        ck_assert_int_eq(c->cpl, t->cpl);
        if (i == 0)
            continue;
        ck_assert_uint_eq(rig_get(&rig, RIG_STACK - 16, 8), RIG_CODE + 2);
        ck_assert_uint_eq(rig_get(&rig, RIG_STACK - 8, 8), k.s.seg[SEG_CS].sel);
    }
}
END_TEST

/* Pointers in memory. AMD: 32 bits of offset, also with REX.W. */
START_TEST(test_far_memory)
{
    static const u8 sizes[] = {2, 4, 8};
    struct insn in = {.opcode = 0xff, .la = RIG_DATA};
    struct cpu *c = rig.c;

    for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
        rig_state(&rig);
        in.size = sizes[i];
        rig_put(&rig, RIG_DATA, 4, 0x12345678);
        rig_put(&rig, RIG_DATA + (in.size == 2 ? 2 : 4), 2, RIG_CONF);
        ck_assert_int_eq(op_jmp_far(c, &in), EXEC_OK);
        ck_assert_uint_eq(c->next_rip, in.size == 2 ? 0x5678 : 0x12345678);
        ck_assert_uint_eq(c->s.seg[SEG_CS].sel, RIG_CONF);
    }
}
END_TEST

/* ---- returns ------------------------------------------------------------ */

static const struct ret_case {
    const char *name;
    u8 cpl;
    u16 cs, ss;
    u64 rip, rsp;
    u8 want;
    u16 error;
    bool iret_only; /* the frame has SS:RSP at the same level */
} rets[] = {
    {"same level", 0, RIG_CS0, RIG_DS0, 0x1234, 0x7000, 0, 0, false},
    {"to user", 0, RIG_CS3 | 3, RIG_DS3 | 3, 0x1234, 0x7000, 0, 0, false},
    {"to 32-bit user", 0, RIG_CS32U | 3, RIG_DS3 | 3, 0x1234, 0x7000, 0, 0,
     false},
    {"user to user", 3, RIG_CS3 | 3, RIG_DS3 | 3, 0x1234, 0x7000, 0, 0, false},
    {"conforming, outer", 0, RIG_CONF | 3, RIG_DS3 | 3, 0x1234, 0x7000, 0, 0,
     false},
    {"null SS", 0, RIG_CS0, 0, 0x1234, 0x7000, 0, 0, true},
    {"null SS to 1", 0, RIG_CS1 | 1, 1, 0x1234, 0x7000, 0, 0, false},
    {"null SS to 3", 0, RIG_CS3 | 3, 3, 0x1234, 0x7000, EXC_GP, 0, false},
    {"null SS to 32 bits", 0, RIG_CS32, 0, 0x1234, 0x7000, EXC_GP, 0, true},
    {"null CS", 0, 0, RIG_DS0, 0, 0, EXC_GP, 0, false},
    {"CS outside", 0, RIG_END, RIG_DS0, 0, 0, EXC_GP, RIG_END, false},
    {"CS data", 0, RIG_DS0, RIG_DS0, 0, 0, EXC_GP, RIG_DS0, false},
    {"inner", 3, RIG_CS0, RIG_DS0, 0, 0, EXC_GP, RIG_CS0, false},
    {"DPL is not RPL", 0, RIG_CS0 | 3, RIG_DS3 | 3, 0, 0, EXC_GP, RIG_CS0,
     false},
    {"CS absent", 0, RIG_CSABS, RIG_DS0, 0, 0, EXC_NP, RIG_CSABS, false},
    {"SS RPL", 0, RIG_CS3 | 3, RIG_DS3, 0, 0, EXC_GP, RIG_DS3, false},
    {"SS DPL", 0, RIG_CS3 | 3, RIG_DS0 | 3, 0, 0, EXC_GP, RIG_DS0, false},
    {"SS read only", 0, RIG_CS0, RIG_RO, 0, 0, EXC_GP, RIG_RO, true},
    {"SS absent", 0, RIG_CS0, RIG_ABSENT, 0, 0, EXC_SS, RIG_ABSENT, true},
    {"wild RIP", 0, RIG_CS3 | 3, RIG_DS3 | 3, RIG_WILD, 0, EXC_GP, 0, false},
};

static void check_return(const struct ret_case *t, enum exec r, bool iret,
                         const struct kept *k)
{
    struct cpu *c = rig.c;
    bool outer = (t->cs & 3) != t->cpl;

    if (t->want) {
        ck_assert_msg(r == EXEC_FAULT && c->exc.vector == t->want &&
                          c->exc.error == t->error,
                      "%s: %d vector %u error %#x", t->name, r, c->exc.vector,
                      c->exc.error);
        check_kept(k, t->name);
        return;
    }
    ck_assert_msg(r == EXEC_OK, "%s: %u %#x", t->name, c->exc.vector,
                  c->exc.error);
    ck_assert_uint_eq(c->next_rip, t->rip);
    ck_assert_uint_eq(c->s.seg[SEG_CS].sel, t->cs);
    ck_assert_int_eq(c->cpl, t->cs & 3);
    if (iret || outer) {
        ck_assert_uint_eq(c->s.seg[SEG_SS].sel, t->ss);
        ck_assert_uint_eq(c->s.gpr[GPR_RSP], t->rsp);
    } else {
        ck_assert_uint_eq(c->s.gpr[GPR_RSP], RIG_STACK + 16);
    }
    /* kernel data segments are gone at an outer level */
    ck_assert_int_eq(c->s.seg[SEG_DS].unusable, outer);
}

START_TEST(test_far_iret)
{
    const struct ret_case *t = &rets[_i];
    struct cpu *c = rig.c;
    struct insn in = {.size = 8};
    u64 item[] = {t->rip, t->cs, RFLAGS_ONE | RFLAGS_CF, t->rsp, t->ss};
    struct kept k;

    rig_cpl(&rig, t->cpl);
    for (unsigned int i = 0; i < 5; i++)
        rig_put(&rig, RIG_STACK + 8 * i, 8, item[i]);
    k = keep();
    check_return(t, op_iret(c, &in), true, &k);
    ck_assert_int_eq(c->s.rflags & 1, !t->want);
}
END_TEST

START_TEST(test_far_retf)
{
    const struct ret_case *t = &rets[_i];
    struct cpu *c = rig.c;
    struct insn in = {.size = 8};
    u64 item[] = {t->rip, t->cs, t->rsp, t->ss};
    struct kept k;

    if (t->iret_only)
        return;
    rig_cpl(&rig, t->cpl);
    for (unsigned int i = 0; i < 4; i++)
        rig_put(&rig, RIG_STACK + 8 * i, 8, item[i]);
    k = keep();
    check_return(t, op_ret_far(c, &in), false, &k);
}
END_TEST

/* A null selector comes to an outer level as 0. */
START_TEST(test_far_null_data)
{
    struct cpu *c = rig.c;
    struct insn in = {.size = 8};
    u64 item[] = {0x1234, RIG_CS3 | 3, RFLAGS_ONE, 0x7000, RIG_DS3 | 3};

    for (unsigned int i = 0; i < 5; i++)
        rig_put(&rig, RIG_STACK + 8 * i, 8, item[i]);
    c->s.seg[SEG_FS].sel = 3;
    c->s.seg[SEG_FS].base = 0x5555;
    ck_assert_int_eq(op_iret(c, &in), EXEC_OK);
    ck_assert_uint_eq(c->s.seg[SEG_FS].sel, 0);
    ck_assert_uint_eq(c->s.seg[SEG_FS].base, 0x5555);
}
END_TEST

/* RETF n drops n bytes on both stacks. */
START_TEST(test_far_retf_drops)
{
    struct cpu *c = rig.c;
    struct insn in = {.size = 8, .imm = 0x20};
    u64 sp = RIG_STACK;

    rig_put(&rig, sp, 8, 0x1234);
    rig_put(&rig, sp + 8, 8, RIG_CS3 | 3);
    rig_put(&rig, sp + 16 + 0x20, 8, 0x7000);
    rig_put(&rig, sp + 24 + 0x20, 8, RIG_DS3 | 3);
    ck_assert_int_eq(op_ret_far(c, &in), EXEC_OK);
    ck_assert_uint_eq(c->s.gpr[GPR_RSP], 0x7020);
}
END_TEST

/* Of an outer stack's pointer 16 bits leave the others as they were, and 32
 * clear them, whatever was popped. */
#define HIGH (1ull << 39) /* the second PML4E has the same pages */

static const struct outer_case {
    const char *name;
    u16 cs;
    u8 flags; /* of the descriptor of SS: G, B */
    u64 drop, rsp, want;
} outers[] = {
    {"64 bits", RIG_CS3, 0xc, 0, 0x123456789abcdef0, 0x123456789abcdef0},
    {"64 bits, B clear", RIG_CS3, 8, 0, 0x123456789abcdef0, 0x123456789abcdef0},
    {"32 bits", RIG_CS32U, 0xc, 0, 0x123456789abcdef0, 0x9abcdef0},
    {"32 bits, wraps", RIG_CS32U, 0xc, 0x20, 0xfffffff0, 0x10},
    {"16 bits", RIG_CS32U, 8, 0, 0x123456789abcdef0, HIGH + 0xdef0},
    {"16 bits, wraps", RIG_CS32U, 8, 0x20, 0xfff0, HIGH + 0x10},
};

static void check_outer(const struct outer_case *t, op_fn *fn, const u64 *item,
                        unsigned int nr, u64 drop)
{
    struct cpu *c = rig.c;
    struct insn in = {.size = 8, .imm = drop};

    rig_cpl(&rig, 0);
    c->s.gpr[GPR_RSP] = HIGH + RIG_STACK;
    for (unsigned int i = 0; i < nr; i++)
        rig_put(&rig, RIG_STACK + 8 * i + (i < 2 ? 0 : drop), 8, item[i]);
    ck_assert_int_eq(fn(c, &in), EXEC_OK);
    ck_assert_msg(c->s.gpr[GPR_RSP] == t->want, "%s: %#lx", t->name,
                  c->s.gpr[GPR_RSP]);
}

START_TEST(test_far_outer_stack)
{
    const struct outer_case *t = &outers[_i];
    u64 ret[] = {0x1234, t->cs | 3, t->rsp, RIG_DS3 | 3};
    u64 iret[] = {0x1234, t->cs | 3, RFLAGS_ONE, t->rsp + t->drop, RIG_DS3 | 3};

    rig_put(&rig, RIG_PML4 + 8, 8, RIG_PDPT | 7);
    rig_desc(&rig, RIG_DS3, 0, 0xfffff, 0xf2, t->flags);
    check_outer(t, op_ret_far, ret, ARRAY_SIZE(ret), t->drop);
    check_outer(t, op_iret, iret, ARRAY_SIZE(iret), 0);
}
END_TEST

/* ---- IRET and flags ----------------------------------------------------- */

static const struct iret_flags_case {
    const char *name;
    u8 cpl;
    u64 now, popped, want;
} iret_flags[] = {
    {"kernel", 0, RFLAGS_ONE, 0x3f7fd7 & ~RFLAGS_NT,
     0x3f7fd7 & ~RFLAGS_NT & ~RFLAGS_VM},
    {"clears", 0, 0x3c3fd7, RFLAGS_ONE, RFLAGS_ONE},
    {"user: no IF, no IOPL", 3, RFLAGS_ONE | RFLAGS_IF,
     RFLAGS_ONE | RFLAGS_IOPL, RFLAGS_ONE | RFLAGS_IF},
    {"user with IOPL 3", 3, RFLAGS_ONE | RFLAGS_IF | RFLAGS_IOPL, RFLAGS_ONE,
     RFLAGS_ONE | RFLAGS_IOPL},
    {"reserved bits", 0, RFLAGS_ONE, 0xffffffffffc08028, RFLAGS_ONE},
};

START_TEST(test_far_iret_flags)
{
    const struct iret_flags_case *t = &iret_flags[_i];
    struct cpu *c = rig.c;
    struct insn in = {.size = 8};
    u16 rpl = t->cpl;
    u64 item[] = {0x1234, (t->cpl ? RIG_CS3 : RIG_CS0) | rpl, t->popped, 0x7000,
                  (t->cpl ? RIG_DS3 : RIG_DS0) | rpl};

    rig_cpl(&rig, t->cpl);
    for (unsigned int i = 0; i < 5; i++)
        rig_put(&rig, RIG_STACK + 8 * i, 8, item[i]);
    flags_set(c, t->now);
    ck_assert_int_eq(op_iret(c, &in), EXEC_OK);
    ck_assert_msg(flags_get(c) == t->want, "%s: %#lx", t->name, flags_get(c));
    ck_assert(!(c->s.rflags & RFLAGS_OF));
}
END_TEST

START_TEST(test_far_iret_nt)
{
    struct cpu *c = rig.c;
    struct insn in = {.size = 8};

    c->s.rflags |= RFLAGS_NT;
    rig_fault(c, op_iret(c, &in), EXC_GP, 0);
    rig_protected(&rig);
    ck_assert_int_eq(op_iret(c, &in), EXEC_UNKNOWN);
}
END_TEST

/* Legacy frames have no SS:ESP at the same level. */
START_TEST(test_far_iret_legacy)
{
    struct cpu *c = rig.c;
    struct insn in = {.size = 4};

    rig_protected(&rig);
    rig_put(&rig, RIG_STACK, 4, 0x1234);
    rig_put(&rig, RIG_STACK + 4, 4, RIG_CS32);
    rig_put(&rig, RIG_STACK + 8, 4, 0x203);
    ck_assert_int_eq(op_iret(c, &in), EXEC_OK);
    ck_assert_uint_eq(c->next_rip, 0x1234);
    ck_assert_uint_eq(c->s.rflags, 0x203);
    ck_assert_uint_eq(c->s.gpr[GPR_RSP], RIG_STACK + 12);
    rig_put(&rig, RIG_STACK + 12 + 8, 4, RFLAGS_VM);
    ck_assert_int_eq(op_iret(c, &in), EXEC_UNKNOWN);
}
END_TEST

START_TEST(test_far_iret_real)
{
    struct cpu *c = rig.c;
    struct insn in = {.size = 2};

    rig_real(&rig);
    rig_put(&rig, RIG_STACK, 2, 0x1234);
    rig_put(&rig, RIG_STACK + 2, 2, 0x5000);
    rig_put(&rig, RIG_STACK + 4, 2, 0x0a03);
    ck_assert_int_eq(op_iret(c, &in), EXEC_OK);
    ck_assert_uint_eq(c->next_rip, 0x1234);
    ck_assert_uint_eq(c->s.seg[SEG_CS].base, 0x50000);
    ck_assert_uint_eq(flags_get(c), 0x0a03);
    ck_assert_uint_eq(c->s.gpr[GPR_RSP], RIG_STACK + 6);
}
END_TEST

/* INT n and back, from user space. */
START_TEST(test_far_int)
{
    struct cpu *c = rig.c;
    struct insn in = {.size = 8, .imm = 0x80};
    struct kept k;

    rig_gate(&rig, 0x80, RIG_CS0, RIG_TARGET, 0xee, 0);
    rig_cpl(&rig, 3);
    c->s.rflags |= RFLAGS_IF | RFLAGS_TF;
    k = keep();
    ck_assert_int_eq(op_int(c, &in), EXEC_OK);
    ck_assert_uint_eq(c->next_rip, RIG_TARGET);
    ck_assert_int_eq(c->cpl, 0);
    ck_assert(c->no_trap);
    c->no_trap = false;
    ck_assert_int_eq(op_iret(c, &in), EXEC_OK);
    ck_assert_uint_eq(c->next_rip, k.next_rip);
    ck_assert_uint_eq(c->s.rflags, k.s.rflags);
    ck_assert_uint_eq(c->s.gpr[GPR_RSP], RIG_STACK);
    ck_assert_int_eq(c->cpl, 3);
    in.imm = 0x81;
    rig_fault(c, op_int(c, &in), EXC_GP, 0x81 * 8 + 2);
}
END_TEST

Suite *suite_far(void);
Suite *suite_far(void)
{
    Suite *s = suite_create("far");
    TCase *tc = tcase_create("far");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, test_near, 0, ARRAY_SIZE(nears));
    tcase_add_test(tc, test_near_call_ret);
    tcase_add_test(tc, test_near_faults);
    tcase_add_test(tc, test_near_bound);
    tcase_add_loop_test(tc, test_far, 0, ARRAY_SIZE(fars));
    tcase_add_test(tc, test_far_memory);
    tcase_add_loop_test(tc, test_far_iret, 0, ARRAY_SIZE(rets));
    tcase_add_loop_test(tc, test_far_retf, 0, ARRAY_SIZE(rets));
    tcase_add_test(tc, test_far_null_data);
    tcase_add_test(tc, test_far_retf_drops);
    tcase_add_loop_test(tc, test_far_outer_stack, 0, ARRAY_SIZE(outers));
    tcase_add_loop_test(tc, test_far_iret_flags, 0, ARRAY_SIZE(iret_flags));
    tcase_add_test(tc, test_far_iret_nt);
    tcase_add_test(tc, test_far_iret_legacy);
    tcase_add_test(tc, test_far_iret_real);
    tcase_add_test(tc, test_far_int);
    suite_add_tcase(s, tc);
    return s;
}
