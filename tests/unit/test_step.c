/* SPDX-License-Identifier: Apache-2.0 */
/* test_step.c: instructions from memory through step_one(): operands, faults
 * that leave no trace, locks, MMIO, strings, other modes */
#include <check.h>
#include <pthread.h>

#include "interp_rig.h"
#include "step_code.h"

#define CF RFLAGS_CF
#define ZF RFLAGS_ZF

/* ---- one instruction, 64-bit mode ----------------------------------- */

/* RSI and RDI are RIG_DATA, [RSI] is mem. */
struct step_case {
    const char *name, *hex;
    u64 ax, cx, dx, bx, mem;
    u64 want_ax, want_cx, want_dx, want_bx, want_mem;
};

#define BIG 0x8877665544332211ull
#define ALL (~0ull)

/* clang-format off */
static const struct step_case step_cases[] = {
    {"add r32 clears the upper half", "01 d8", BIG, 0, 0, 1, 0,
     0x44332212, 0, 0, 1, 0},
    {"add r16 keeps the rest", "66 01 d8", BIG, 0, 0, 0xffff, 0,
     0x8877665544332210ull, 0, 0, 0xffff, 0},
    {"add ah, bl", "00 dc", BIG, 0, 0, 1, 0,
     0x8877665544332311ull, 0, 0, 1, 0},
    {"add [m8], al", "00 06", 0x7f, 0, 0, 0, BIG,
     0x7f, 0, 0, 0, 0x8877665544332290ull},
    {"add rax, [m]", "48 03 06", 1, 0, 0, 0, BIG, BIG + 1, 0, 0, 0, BIG},
    {"lock add [m32], eax", "f0 01 06", 1, 0, 0, 0, BIG, 1, 0, 0, 0, BIG + 1},
    {"lock xadd", "f0 48 0f c1 06", 5, 0, 0, 0, BIG, BIG, 0, 0, 0, BIG + 5},
    {"xadd rax, rax", "48 0f c1 c0", 5, 0, 0, 0, 0, 10, 0, 0, 0, 0},
    {"xchg [m], al", "86 06", 0xaa, 0, 0, 0, BIG,
     0x11, 0, 0, 0, 0x88776655443322aaull},
    {"xchg eax, ebx", "93", BIG, 0, 0, ALL, 0, 0xffffffff, 0, 0, 0x44332211, 0},
    {"nop is not xchg eax, eax", "90", BIG, 0, 0, 0, 0, BIG, 0, 0, 0, 0},
    {"lock cmpxchg equal", "f0 48 0f b1 0e", BIG, 7, 0, 0, BIG,
     BIG, 7, 0, 0, 7},
    {"lock cmpxchg different", "f0 48 0f b1 0e", 1, 7, 0, 0, BIG,
     BIG, 7, 0, 0, BIG},
    {"cmpxchg8b equal", "0f c7 0e", 0x44332211, 2, 0x88776655, 1, BIG,
     0x44332211, 2, 0x88776655, 1, 0x200000001ull},
    {"cmpxchg8b different", "f0 0f c7 0e", ALL, 2, ALL, 1, BIG,
     0x44332211, 2, 0x88776655, 1, BIG},
    {"cmpxchg16b equal", "f0 48 0f c7 0e", BIG, 2, 0, 1, BIG,
     BIG, 2, 0, 1, 1},
    {"cmpxchg16b different", "48 0f c7 0e", 3, 2, 4, 1, BIG,
     BIG, 2, 0, 1, BIG},
    {"not [m]", "f7 16", 0, 0, 0, 0, BIG, 0, 0, 0, 0, BIG ^ 0xffffffff},
    {"lock dec [m]", "f0 48 ff 0e", 0, 0, 0, 0, 1, 0, 0, 0, 0, 0},
    {"movzx ecx, ah", "0f b6 cc", BIG, ALL, 0, 0, 0, BIG, 0x22, 0, 0, 0},
    {"movsx rcx, [m8]", "48 0f be 0e", 0, 0, 0, 0, 0x80,
     0, (u64)-128, 0, 0, 0x80},
    {"movsxd", "48 63 c8", 0x80000000, 0, 0, 0, 0,
     0x80000000, 0xffffffff80000000ull, 0, 0, 0},
    {"mov [m16], imm", "66 c7 06 cd ab", 0, 0, 0, 0, BIG,
     0, 0, 0, 0, 0x887766554433abcdull},
    {"movabs", "48 b8 11 22 33 44 55 66 77 88", 0, 0, 0, 0, 0,
     BIG, 0, 0, 0, 0},
    {"mov al, [moffs]", "a0 00 b0 00 00 00 00 00 00", ALL, 0, 0, 0, BIG,
     0xffffffffffffff11ull, 0, 0, 0, BIG},
    {"mov [m], ah", "88 26", BIG, 0, 0, 0, 0, BIG, 0, 0, 0, 0x22},
    {"lea 32 of 64", "8d 44 8b 10", 0, 0x80000000, 0, 0x20, 0,
     0x30, 0x80000000, 0, 0x20, 0},
    {"lea wild is fine", "48 8d 04 0b", 0, RIG_WILD, 0, 1, 0,
     RIG_WILD + 1, RIG_WILD, 0, 1, 0},
    {"lea with 67", "67 48 8d 04 0b", 0, 0xffffffff, 0, 2, 0,
     1, 0xffffffff, 0, 2, 0},
    {"lea rip", "48 8d 05 01 00 00 00", 0, 0, 0, 0, 0,
     RIG_CODE + 8, 0, 0, 0, 0},
    {"cmovz false clears the upper half", "0f 44 c3", BIG, 0, 0, 1, 0,
     0x44332211, 0, 0, 1, 0},
    {"cmovnz [m]", "48 0f 45 06", 0, 0, 0, 0, BIG, BIG, 0, 0, 0, BIG},
    {"setnz [m]", "0f 95 06", 0, 0, 0, 0, BIG,
     0, 0, 0, 0, 0x8877665544332201ull},
    {"bswap", "48 0f c8", BIG, 0, 0, 0, 0, 0x1122334455667788ull, 0, 0, 0, 0},
    {"bswap 32", "0f c8", BIG, 0, 0, 0, 0, 0x11223344, 0, 0, 0, 0},
    {"movbe load", "66 0f 38 f0 06", ALL, 0, 0, 0, BIG,
     0xffffffffffff1122ull, 0, 0, 0, BIG},
    {"movbe store", "0f 38 f1 06", BIG, 0, 0, 0, 0, BIG, 0, 0, 0, 0x11223344},
    {"cbw", "66 98", 0xff80, 0, 0, 0, 0, 0xff80, 0, 0, 0, 0},
    {"cwde", "98", BIG | 0x8000, 0, 0, 0, 0, 0xffffa211, 0, 0, 0, 0},
    {"cdqe", "48 98", 0x80000000, 0, 0, 0, 0,
     0xffffffff80000000ull, 0, 0, 0, 0},
    {"cdq", "99", 0x80000000, 0, 1, 0, 0, 0x80000000, 0, 0xffffffff, 0, 0},
    {"cqo", "48 99", 1, 0, ALL, 0, 0, 1, 0, 0, 0, 0},
    {"xlat", "d7", 2, 0, 0, RIG_DATA, BIG, 0x33, 0, 0, RIG_DATA, BIG},
    {"lahf", "9f", 0, 0, 0, 0, 0, 0x200, 0, 0, 0, 0},
    {"imul 3", "6b c1 fe", 0, 3, 0, 0, 0, 0xfffffffa, 3, 0, 0, 0},
    {"imul [m], imm", "48 69 06 00 01 00 00", 0, 0, 0, 0, 3,
     0x300, 0, 0, 0, 3},
    {"mul [m]", "48 f7 26", ALL, 0, 0, 0, 2, ALL - 1, 0, 1, 0, 2},
    {"div [m8]", "f6 36", 0x102, 0, 0, 0, 0x11, 0x30f, 0, 0, 0, 0x11},
    {"shl [m], cl", "48 d3 26", 0, 65, 0, 0, BIG, 0, 65, 0, 0, BIG << 1},
    {"shl r32 by 0 clears the upper half", "d3 e0", BIG, 32, 0, 0, 0,
     0x44332211, 32, 0, 0, 0},
    {"shld [m], eax, 8", "0f a4 06 08", BIG, 0, 0, 0, 0x12345678,
     BIG, 0, 0, 0, 0x34567844},
    {"bts far", "48 0f ab 0e", 0, 64 * 4 + 3, 0, 0, BIG,
     0, 64 * 4 + 3, 0, 0, BIG},
    {"btc negative", "0f bb 4e 08", 0, 0xffffffc0, 0, 0, 0,
     0, 0xffffffc0, 0, 0, 1},
    {"btr imm is masked", "48 0f ba 36 40", 0, 0, 0, 0, ALL,
     0, 0, 0, 0, ALL - 1},
    {"bsf", "48 0f bc 06", 0, 0, 0, 0, 0x100, 8, 0, 0, 0, 0x100},
    {"bsf of zero", "48 0f bc 06", BIG, 0, 0, 0, 0, BIG, 0, 0, 0, 0},
    {"tzcnt is bsf", "f3 48 0f bd 06", 0, 0, 0, 0, 0x100,
     8, 0, 0, 0, 0x100},
    {"popcnt", "f3 48 0f b8 06", 0, 0, 0, 0, BIG, 26, 0, 0, 0, BIG},
    {"crc32 of one byte", "f2 0f 38 f0 c1", 0xffffffff, 0, 0, 0, 0,
     0xad82acae, 0, 0, 0, 0},
    {"push and pop [m]", "48 8f 06", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x1122},
};
/* clang-format on */

START_TEST(test_step)
{
    const struct step_case *t = &step_cases[_i];
    struct rig r;
    u64 *gpr;

    rig_new(&r);
    gpr = r.c->s.gpr;
    gpr[GPR_RAX] = t->ax;
    gpr[GPR_RCX] = t->cx;
    gpr[GPR_RDX] = t->dx;
    gpr[GPR_RBX] = t->bx;
    gpr[GPR_RSI] = gpr[GPR_RDI] = RIG_DATA;
    rig_put(&r, RIG_DATA, 8, t->mem);
    rig_put(&r, RIG_STACK, 8, 0x1122);
    ck_assert_int_eq(run(&r, t->hex, 1), EXEC_OK);
    if (gpr[GPR_RAX] != t->want_ax || gpr[GPR_RCX] != t->want_cx ||
        gpr[GPR_RDX] != t->want_dx || gpr[GPR_RBX] != t->want_bx ||
        rig_get(&r, RIG_DATA, 8) != t->want_mem)
        ck_abort_msg("%s: %#lx %#lx %#lx %#lx, memory %#lx", t->name,
                     gpr[GPR_RAX], gpr[GPR_RCX], gpr[GPR_RDX], gpr[GPR_RBX],
                     rig_get(&r, RIG_DATA, 8));
    ck_assert_uint_eq(gpr[GPR_NONE], 0);
    ck_assert_uint_eq(r.c->icount, 1);
    rig_free(&r);
}
END_TEST

/* The far bit of "bts far" above, and at an odd distance. */
START_TEST(test_bit_far)
{
    struct rig r;

    rig_new(&r);
    r.c->s.gpr[GPR_RSI] = RIG_DATA;
    r.c->s.gpr[GPR_RCX] = 8 * 100 + 3;
    ck_assert_int_eq(run(&r, "48 0f ab 0e", 1), EXEC_OK);
    ck_assert_uint_eq(rig_get(&r, RIG_DATA + 100, 1), 8);
    r.c->s.gpr[GPR_RCX] = (u64)-5; /* bit 59 of the quadword before */
    ck_assert_int_eq(run(&r, "f0 48 0f ab 0e", 1), EXEC_OK);
    ck_assert_uint_eq(rig_get(&r, RIG_DATA - 8, 8), 1ull << 59);
    rig_free(&r);
}
END_TEST

/* ---- faults leave no trace ------------------------------------------ */

/* RSI is not mapped, RDI is RIG_DATA, RBX and RBP are not canonical. An LEA
 * before the instruction is not what is tested. */
struct fault_case {
    const char *name, *hex;
    u8 vector;
    u32 error;
};

/* clang-format off */
static const struct fault_case fault_cases[] = {
    {"load", "8b 06", EXC_PF, 0},
    {"store", "89 06", EXC_PF, PF_W},
    {"rmw says write", "01 06", EXC_PF, PF_W},
    {"lock rmw", "f0 01 06", EXC_PF, PF_W},
    {"cmp", "39 06", EXC_PF, 0},
    {"cmpxchg", "0f b1 06", EXC_PF, PF_W},
    {"cmpxchg16b", "48 0f c7 0e", EXC_PF, PF_W},
    {"xchg", "87 06", EXC_PF, PF_W},
    {"bt", "0f a3 06", EXC_PF, 0},
    {"bts", "0f ab 06", EXC_PF, PF_W},
    {"shl", "d1 26", EXC_PF, PF_W},
    {"neg", "f7 1e", EXC_PF, PF_W},
    {"imul", "0f af 06", EXC_PF, 0},
    {"cmov, false or not", "0f 44 06", EXC_PF, 0},
    {"push [m]", "ff 36", EXC_PF, 0},
    {"pop [m]", "8f 06", EXC_PF, PF_W},
    {"movs", "48 a5", EXC_PF, 0},
    {"rep stos", "48 8d 3e f3 ab", EXC_PF, PF_W},
    {"xlat", "48 8d 1e d7", EXC_PF, 0},
    {"lgdt", "0f 01 16", EXC_PF, 0},
    {"wild", "8b 03", EXC_GP, 0},
    {"wild stack", "8b 45 00", EXC_SS, 0},
    {"wild stack, ds", "3e 01 45 00", EXC_SS, 0},
    {"wild through fs", "64 8b 45 00", EXC_GP, 0},
    {"cmpxchg16b unaligned", "48 0f c7 4f 08", EXC_GP, 0},
    {"div by zero", "41 f7 f1", EXC_DE, 0},
    {"idiv by zero", "49 f7 f9", EXC_DE, 0},
    {"lock mov", "f0 89 07", EXC_UD, 0},
    {"ud2", "0f 0b", EXC_UD, 0},
    {"vex", "c5 f8 77", EXC_UD, 0},
    {"sixteen bytes", "66 66 66 66 66 66 66 66 66 66 66 66 66 66 66 90",
     EXC_GP, 0},
};
/* clang-format on */

START_TEST(test_fault)
{
    const struct fault_case *t = &fault_cases[_i];
    bool two = t->hex[0] == '4' && t->hex[3] == '8' && t->hex[4] == 'd';
    struct cpu_state before;
    struct rig r;
    u64 *gpr, flags;

    rig_new(&r);
    gpr = r.c->s.gpr;
    for (unsigned int i = 0; i < 16; i++)
        gpr[i] = BIG * (i + 1);
    gpr[GPR_RSP] = RIG_STACK;
    gpr[GPR_RSI] = RIG_HOLE;
    gpr[GPR_RDI] = RIG_DATA;
    gpr[GPR_RCX] = 3;
    gpr[GPR_RBX] = gpr[GPR_RBP] = RIG_WILD;
    gpr[GPR_R9] = 0;
    flags_set(r.c, 0xad7 & ~RFLAGS_IF);
    put_code(&r, RIG_CODE, t->hex);
    r.c->s.rip = RIG_CODE;
    if (two) /* LEA first */
        ck_assert_int_eq(step_one(r.c), EXEC_OK);
    before = r.c->s;
    flags = flags_get(r.c);
    rig_fault(r.c, step_one(r.c), t->vector, t->error);
    ck_assert_mem_eq(before.gpr, r.c->s.gpr, sizeof(before.gpr));
    ck_assert_uint_eq(r.c->s.rip, before.rip);
    ck_assert_uint_eq(flags_get(r.c), flags);
    ck_assert_uint_eq(r.c->icount, two);
    rig_free(&r);
}
END_TEST

/* A page that may be read, and has been: a read-modify-write faults all the
 * same, before anything changed. */
START_TEST(test_fault_read_only)
{
    static const char *const forms[] = {"01 06", "f0 01 06", "ff 0e", "d1 26",
                                        "0f b1 06"};
    struct rig r;

    rig_new(&r);
    rig_put(&r, RIG_PDPT + 8, 8, 0xc000 | 7);
    rig_put(&r, 0xc000, 8, 0x85); /* 2 MiB at the hole, read-only */
    mmu_flush_all(r.c);
    r.c->s.gpr[GPR_RSI] = RIG_HOLE + RIG_DATA;
    rig_put(&r, RIG_DATA, 4, 0x12345678);
    ck_assert_int_eq(run(&r, "8b 06", 1), EXEC_OK);
    for (unsigned int i = 0; i < ARRAY_SIZE(forms); i++) {
        flags_set(r.c, RFLAGS_ONE | CF | ZF);
        rig_fault(r.c, run(&r, forms[i], 1), EXC_PF, PF_P | PF_W);
        ck_assert_uint_eq(flags_get(r.c), RFLAGS_ONE | CF | ZF);
        ck_assert_uint_eq(rig_get(&r, RIG_DATA, 4), 0x12345678);
        ck_assert_uint_eq(r.c->s.gpr[GPR_RAX], 0x12345678);
    }
    rig_free(&r);
}
END_TEST

/* ---- page crossings and MMIO ---------------------------------------- */

START_TEST(test_cross)
{
    struct rig r;
    u64 at = RIG_DATA + 0xffd;

    rig_new(&r);
    r.c->s.gpr[GPR_RSI] = at;
    r.c->s.gpr[GPR_RAX] = 1;
    rig_put(&r, at, 8, BIG | 0xffff);
    ck_assert_int_eq(run(&r, "48 01 06", 1), EXEC_OK);
    ck_assert_uint_eq(rig_get(&r, at, 8), (BIG | 0xffff) + 1);
    ck_assert_int_eq(run(&r, "f0 48 01 06", 1), EXEC_OK);
    ck_assert_uint_eq(rig_get(&r, at, 8), (BIG | 0xffff) + 2);
    ck_assert_int_eq(run(&r, "48 87 06", 1), EXEC_OK);
    ck_assert_uint_eq(rig_get(&r, at, 8), 1);
    ck_assert_uint_eq(r.c->s.gpr[GPR_RAX], (BIG | 0xffff) + 2);
    /* code across a page */
    ck_assert_int_eq(run_at(&r, 0x12ffe, "48 b8 11 22 33 44 55 66 77 88", 1),
                     EXEC_OK);
    ck_assert_uint_eq(r.c->s.gpr[GPR_RAX], BIG);
    ck_assert_uint_eq(r.c->s.rip, 0x13008);
    rig_free(&r);
}
END_TEST

struct probe {
    unsigned int reads, writes;
    u64 last, value;
    unsigned int size;
};

static u64 probe_read(void *dev, u64 off, unsigned int size)
{
    struct probe *p = dev;

    p->reads++;
    p->size = size;
    return p->value++;
}

static void probe_write(void *dev, u64 off, unsigned int size, u64 val)
{
    struct probe *p = dev;

    p->writes++;
    p->size = size;
    p->last = val;
}

static const struct bus_ops probe_ops = {.read = probe_read,
                                         .write = probe_write};

#define PROBE_MMIO 0x30000000u
#define PROBE_PORT 0x500

static void probe_add(struct rig *r, struct probe *p)
{
    *p = (struct probe){.value = 0x40};
    ck_assert_int_eq(
        bus_add(&r->bus, BUS_MMIO, PROBE_MMIO, 0x1000, "probe", &probe_ops, p),
        0);
    ck_assert_int_eq(
        bus_add(&r->bus, BUS_PIO, PROBE_PORT, 8, "probe", &probe_ops, p), 0);
}

/* One read and one write of the operand's size, LOCK or not. */
START_TEST(test_mmio)
{
    static const char *const forms[] = {"01 06", "f0 01 06", "87 06", "ff 06"};
    struct probe p;
    struct rig r;

    rig_new(&r);
    probe_add(&r, &p);
    for (unsigned int i = 0; i < ARRAY_SIZE(forms); i++) {
        p = (struct probe){.value = 0x40};
        r.c->s.gpr[GPR_RSI] = PROBE_MMIO;
        r.c->s.gpr[GPR_RAX] = 0x1000;
        ck_assert_int_eq(run(&r, forms[i], 1), EXEC_OK);
        ck_assert_uint_eq(p.reads, 1);
        ck_assert_uint_eq(p.writes, 1);
        ck_assert_uint_eq(p.size, 4);
        ck_assert_uint_eq(p.last, i < 2 ? 0x1040 : i == 2 ? 0x1000 : 0x41);
    }
    rig_free(&r);
}
END_TEST

/* ---- locks ---------------------------------------------------------- */

#define LOCK_ROUNDS 50000u

struct lock_rival {
    _Atomic(u64) *p;
    _Atomic(bool) stop; /* the test sets it */
    u64 added;
};

static void *lock_rival(void *arg)
{
    struct lock_rival *rival = arg;

    for (; !atomic_load(&rival->stop); rival->added++)
        atomic_fetch_add(rival->p, 1);
    return NULL;
}

/* One round is n instructions, which count in RBX what they added. */
struct lock_case {
    const char *hex;
    unsigned int n;
};

static const struct lock_case lock_cases[] = {
    {"f0 48 83 06 01 48 ff c3", 2},                /* add; inc rbx */
    {"b8 01 00 00 00 f0 48 0f c1 06 48 ff c3", 3}, /* xadd */
    {"f9 f0 48 83 16 00 48 ff c3", 3},             /* stc; adc */
    /* mov; lea; cmpxchg; setz dl; add rbx, rdx */
    {"48 8b 06 48 8d 48 01 f0 48 0f b1 0e 0f 94 c2 48 01 d3", 5},
};

/* Against another thread on the same quadword nothing is lost. */
START_TEST(test_lock)
{
    const struct lock_case *t = &lock_cases[_i];
    struct lock_rival rival = {0};
    pthread_t thread;
    struct rig r;

    rig_new(&r);
    rival.p = mem_range(r.mem, RIG_DATA, 8);
    r.c->s.gpr[GPR_RSI] = RIG_DATA;
    r.c->s.gpr[GPR_RDX] = 0;
    put_code(&r, RIG_CODE, t->hex);
    ck_assert_int_eq(pthread_create(&thread, NULL, lock_rival, &rival), 0);
    for (unsigned int i = 0; i < LOCK_ROUNDS; i++) {
        r.c->s.rip = RIG_CODE;
        for (unsigned int n = 0; n < t->n; n++)
            if (step_one(r.c) != EXEC_OK)
                ck_abort();
    }
    atomic_store(&rival.stop, true);
    pthread_join(thread, NULL);
    ck_assert_uint_gt(r.c->s.gpr[GPR_RBX], 0);
    ck_assert_uint_eq(rig_get(&r, RIG_DATA, 8),
                      rival.added + r.c->s.gpr[GPR_RBX]);
    rig_free(&r);
}
END_TEST

/* ---- legacy modes --------------------------------------------------- */

START_TEST(test_real)
{
    struct rig r;
    u64 *gpr;

    rig_new(&r);
    rig_real(&r);
    gpr = r.c->s.gpr;
    r.c->s.seg[SEG_DS] = r.c->s.seg[SEG_CS];
    r.c->s.seg[SEG_DS].base = 0x10000;
    gpr[GPR_RBX] = 0xffff0000 | 0x100;
    gpr[GPR_RSI] = 0xffff;
    rig_put(&r, 0x100ff, 2, 0xbeef); /* BX + SI wraps at 64 KiB */
    ck_assert_int_eq(run_at(&r, 0x100, "8b 00", 1), EXEC_OK);
    ck_assert_uint_eq(gpr[GPR_RAX] & 0xffff, 0xbeef);
    /* the limit: a word at FFFF */
    gpr[GPR_RBX] = 0;
    rig_fault(r.c, run_at(&r, 0x100, "8b 00", 1), EXC_GP, 0);
    /* 32-bit operands and addresses by prefix */
    gpr[GPR_RBX] = 0x200;
    rig_put(&r, 0x10200, 4, 0x12345678);
    ck_assert_int_eq(run_at(&r, 0x100, "67 66 8b 03", 1), EXEC_OK);
    ck_assert_uint_eq(gpr[GPR_RAX], 0x12345678);
    gpr[GPR_RSP] = 0xffff0000;
    ck_assert_int_eq(run_at(&r, 0x100, "06", 1), EXEC_OK); /* SP wraps */
    ck_assert_uint_eq(gpr[GPR_RSP], 0xfffffffe);
    /* LLDT and kin do not exist here */
    rig_fault(r.c, run_at(&r, 0x100, "0f 00 d0", 1), EXC_UD, 0);
    rig_free(&r);
}
END_TEST

START_TEST(test_protected)
{
    struct rig r;
    u64 *gpr;

    rig_new(&r);
    rig_protected(&r);
    gpr = r.c->s.gpr;
    for (unsigned int i = 0; i < 8; i++)
        gpr[i] = i == GPR_RSP ? RIG_STACK : 0x100 + i;
    ck_assert_int_eq(run(&r, "60", 1), EXEC_OK);
    ck_assert_uint_eq(gpr[GPR_RSP], RIG_STACK - 32);
    ck_assert_uint_eq(rig_get(&r, RIG_STACK - 4, 4), 0x100);
    ck_assert_uint_eq(rig_get(&r, RIG_STACK - 20, 4), RIG_STACK);
    for (unsigned int i = 0; i < 8; i++)
        gpr[i] = i == GPR_RSP ? gpr[i] : 0;
    ck_assert_int_eq(run(&r, "61", 1), EXEC_OK);
    for (unsigned int i = 0; i < 8; i++)
        ck_assert_uint_eq(gpr[i], i == GPR_RSP ? RIG_STACK : 0x100 + i);
    ck_assert_int_eq(run(&r, "40 4b", 2), EXEC_OK); /* INC, not REX */
    ck_assert_uint_eq(gpr[GPR_RAX], 0x101);
    ck_assert_uint_eq(gpr[GPR_RBX], 0x102);
    rig_put(&r, RIG_DATA, 8, 0x1000001234ull); /* far pointer 10:1234 */
    gpr[GPR_RBX] = RIG_DATA;
    ck_assert_int_eq(run(&r, "c4 33", 1), EXEC_OK);
    ck_assert_uint_eq(gpr[GPR_RSI], 0x1234);
    ck_assert_uint_eq(r.c->s.seg[SEG_ES].sel, 0x10);
    rig_free(&r);
}
END_TEST

/* ---- privilege ------------------------------------------------------ */

START_TEST(test_privilege)
{
    static const char *const forms[] = {
        "f4",       "0f 20 c0", "0f 22 d8", "0f 21 c0", "0f 23 c0", "0f 01 17",
        "0f 01 1f", "0f 01 f0", "0f 06",    "0f 01 3f", "0f 00 d0", "0f 00 d8",
        "0f 30",    "0f 32",    "0f 09",    "0f 08",    "0f 01 f8", "e4 10",
        "ee",       "fa",       "fb",       "6c",       "f3 6f",
    };
    struct rig r;

    rig_new(&r);
    rig_cpl(&r, 3);
    rig_put(&r, RIG_TSS + 0x66, 2, 0xffff); /* no I/O bitmap */
    r.c->s.gpr[GPR_RCX] = 1;
    r.c->s.gpr[GPR_RDI] = r.c->s.gpr[GPR_RSI] = RIG_DATA;
    for (unsigned int i = 0; i < ARRAY_SIZE(forms); i++) {
        enum exec e = run(&r, forms[i], 1);

        ck_assert_msg(e == EXEC_FAULT && r.c->exc.vector == EXC_GP, "%s",
                      forms[i]);
        ck_assert_uint_eq(r.c->s.rip, RIG_CODE);
    }
    rig_free(&r);
}
END_TEST

Suite *suite_step(void);

Suite *suite_step(void)
{
    Suite *s = suite_create("step");
    TCase *tc = tcase_create("step");

    tcase_add_loop_test(tc, test_step, 0, ARRAY_SIZE(step_cases));
    tcase_add_test(tc, test_bit_far);
    tcase_add_loop_test(tc, test_fault, 0, ARRAY_SIZE(fault_cases));
    tcase_add_test(tc, test_fault_read_only);
    tcase_add_test(tc, test_cross);
    tcase_add_test(tc, test_mmio);
    tcase_add_loop_test(tc, test_lock, 0, ARRAY_SIZE(lock_cases));
    tcase_add_test(tc, test_real);
    tcase_add_test(tc, test_protected);
    tcase_add_test(tc, test_privilege);
    suite_add_tcase(s, tc);
    return s;
}
