/* SPDX-License-Identifier: Apache-2.0 */
/* test_alu.c: results and flags of arithmetic against plain C formulas: all
 * bytes, and edge values of the wider sizes */
#include <check.h>
#include <stdlib.h>

#include "interp/flags.h"
#include "interp/ops.h"

#define CF RFLAGS_CF
#define PF RFLAGS_PF
#define AF RFLAGS_AF
#define ZF RFLAGS_ZF
#define SF RFLAGS_SF
#define OF RFLAGS_OF

/* A vCPU is too big for the stack of some compilers' taste. */
static struct cpu cpu;

static const unsigned int sizes[] = {1, 2, 4, 8};

static const u64 edges[] = {
    0,          1,          2,          7,
    8,          0xf,        0x10,       0x7f,
    0x80,       0xff,       0x7fff,     0x8000,
    0xffff,     0x7fffffff, 0x80000000, 0xffffffff,
    1ull << 62, ~0ull >> 1, 1ull << 63, ~0ull,
    0x1234,     0xdeadbeef, ~0ull - 1,  0x0123456789abcdefull,
};

/* ---- the formulas --------------------------------------------------- */

static u64 flags_szp(u64 r, unsigned int size)
{
    u64 f = RFLAGS_ONE;

    f |= r & size_mask(size) ? 0 : ZF;
    f |= r >> (size * 8 - 1) & 1 ? SF : 0;
    f |= __builtin_popcount((u8)r) & 1 ? 0 : PF;
    return f;
}

struct result {
    u64 val, flags;
};

static struct result ref_add(u64 a, u64 b, unsigned int carry,
                             unsigned int size)
{
    u128 wide = (u128)a + b + carry;
    u64 r = (u64)wide & size_mask(size);
    u64 f = flags_szp(r, size);

    f |= wide >> (size * 8) & 1 ? CF : 0;
    f |= (a ^ b ^ r) & 0x10 ? AF : 0;
    f |= (~(a ^ b) & (a ^ r)) >> (size * 8 - 1) & 1 ? OF : 0;
    return (struct result){r, f};
}

static struct result ref_sub(u64 a, u64 b, unsigned int carry,
                             unsigned int size)
{
    u64 r = (a - b - carry) & size_mask(size);
    u64 f = flags_szp(r, size);

    f |= (u128)a < (u128)b + carry ? CF : 0;
    f |= (a ^ b ^ r) & 0x10 ? AF : 0;
    f |= ((a ^ b) & (a ^ r)) >> (size * 8 - 1) & 1 ? OF : 0;
    return (struct result){r, f};
}

static struct result ref_alu(op_fn *fn, u64 a, u64 b, unsigned int carry,
                             unsigned int size)
{
    u64 m = size_mask(size);
    struct result r;

    if (fn == op_add)
        return ref_add(a, b, 0, size);
    if (fn == op_adc)
        return ref_add(a, b, carry, size);
    if (fn == op_sub || fn == op_cmp)
        return ref_sub(a, b, 0, size);
    if (fn == op_sbb)
        return ref_sub(a, b, carry, size);
    if (fn == op_neg)
        return ref_sub(0, a, 0, size);
    if (fn == op_inc || fn == op_dec) {
        r = fn == op_inc ? ref_add(a, 1, 0, size) : ref_sub(a, 1, 0, size);
        r.flags = (r.flags & ~CF) | (carry ? CF : 0);
        return r;
    }
    r.val = (fn == op_and || fn == op_test ? a & b
             : fn == op_or                 ? a | b
                                           : a ^ b) &
            m;
    r.flags = flags_szp(r.val, size);
    return r;
}

/* ---- arithmetic and logic ------------------------------------------- */

struct alu_op {
    const char *name;
    op_fn *fn;
    bool logic; /* AF is undefined */
    bool keeps; /* dst is not changed */
};

static const struct alu_op alu_ops[] = {
    {"add", op_add, false, false}, {"adc", op_adc, false, false},
    {"sub", op_sub, false, false}, {"sbb", op_sbb, false, false},
    {"cmp", op_cmp, false, true},  {"neg", op_neg, false, false},
    {"inc", op_inc, false, false}, {"dec", op_dec, false, false},
    {"and", op_and, true, false},  {"or", op_or, true, false},
    {"xor", op_xor, true, false},  {"test", op_test, true, true},
};

static void alu_one(const struct alu_op *op, u64 a, u64 b, unsigned int carry,
                    unsigned int size)
{
    u64 mask = op->logic ? ~AF : ~0ull;
    struct insn in = {.dst = a, .src = b, .size = (u8)size};
    struct result want = ref_alu(op->fn, a, b, carry, size);

    /* DF and IF must survive; the rest must not matter. */
    cpu.s.rflags = RFLAGS_ONE | RFLAGS_DF | RFLAGS_IF | (carry ? CF : 0);
    cpu.of = carry;
    if (op->keeps)
        want.val = a;
    want.flags |= RFLAGS_DF | RFLAGS_IF;
    if (op->fn(&cpu, &in) != EXEC_OK || in.dst != want.val ||
        (flags_get(&cpu) & mask) != (want.flags & mask))
        ck_abort_msg("%s%u %#lx %#lx carry %u: %#lx %#lx, not %#lx %#lx",
                     op->name, size * 8, a, b, carry, in.dst, flags_get(&cpu),
                     want.val, want.flags);
}

START_TEST(test_alu_bytes)
{
    for (unsigned int i = 0; i < 1u << 17; i++)
        alu_one(&alu_ops[_i], i & 0xff, i >> 8 & 0xff, i >> 16, 1);
}
END_TEST

START_TEST(test_alu_edges)
{
    for (unsigned int s = 0; s < ARRAY_SIZE(sizes); s++)
        for (unsigned int a = 0; a < ARRAY_SIZE(edges); a++)
            for (unsigned int b = 0; b < ARRAY_SIZE(edges); b++)
                for (unsigned int carry = 0; carry < 2; carry++)
                    alu_one(&alu_ops[_i], edges[a] & size_mask(sizes[s]),
                            edges[b] & size_mask(sizes[s]), carry, sizes[s]);
}
END_TEST

/* ---- shifts --------------------------------------------------------- */

struct shift_op {
    const char *name;
    op_fn *fn;
};

static const struct shift_op shift_ops[] = {
    {"rol", op_rol}, {"ror", op_ror}, {"rcl", op_rcl}, {"rcr", op_rcr},
    {"shl", op_shl}, {"shr", op_shr}, {"sar", op_sar},
};

/* One bit at a time, as the manual writes it. */
static u64 ref_shift(op_fn *fn, u64 a, unsigned int n, unsigned int size,
                     bool *cf)
{
    unsigned int top = size * 8 - 1;

    while (n--) {
        bool high = a >> top & 1, low = a & 1, in = false;

        if (fn == op_rol || fn == op_rcl || fn == op_shl) {
            in = fn == op_rol ? high : fn == op_rcl ? *cf : false;
            a = (a << 1 | in) & size_mask(size);
            *cf = high;
        } else {
            in = fn == op_ror   ? low
                 : fn == op_rcr ? *cf
                 : fn == op_sar ? high
                                : false;
            a = a >> 1 | (u64)in << top;
            *cf = low;
        }
    }
    return a;
}

static void shift_one(const struct shift_op *op, u64 a, unsigned int count,
                      unsigned int size, bool carry)
{
    unsigned int n = count & (size == 8 ? 63 : 31);
    bool cf = carry, rotate = op->fn == op_rol || op->fn == op_ror ||
                              op->fn == op_rcl || op->fn == op_rcr;
    struct insn in = {.dst = a, .src = count, .size = (u8)size};
    u64 want = ref_shift(op->fn, a, n, size, &cf);
    u64 before = RFLAGS_ONE | ZF | AF | (carry ? CF : 0), f;
    bool ok;

    flags_set(&cpu, before | OF);
    op->fn(&cpu, &in);
    f = flags_get(&cpu);
    ok = in.dst == want;
    if (n == 0)
        ok = ok && f == (before | OF);
    else if (rotate)
        ok = ok && (f & (ZF | SF | PF | AF)) == (before & (ZF | SF | PF | AF));
    else
        ok = ok &&
             (f & (ZF | SF | PF)) == (flags_szp(want, size) & (ZF | SF | PF));
    if (n && n < size * 8) /* beyond, CF of SHL and SHR is undefined */
        ok = ok && !(f & CF) == !cf;
    if (!ok)
        ck_abort_msg("%s%u %#lx by %u carry %d: %#lx %#lx, not %#lx cf %d",
                     op->name, size * 8, a, count, carry, in.dst, f, want, cf);
}

START_TEST(test_shift)
{
    for (unsigned int s = 0; s < ARRAY_SIZE(sizes); s++)
        for (unsigned int a = 0; a < ARRAY_SIZE(edges); a++)
            for (unsigned int n = 0; n < 2 * 256; n++)
                shift_one(&shift_ops[_i], edges[a] & size_mask(sizes[s]),
                          n & 0xff, sizes[s], n >> 8);
}
END_TEST

START_TEST(test_shift_double)
{
    for (unsigned int i = 0; i < 64 * ARRAY_SIZE(edges); i++) {
        u64 a = edges[i / 64], b = ~a * 0x9e3779b97f4a7c15ull;
        unsigned int n = i % 64;
        struct insn in = {.dst = a, .src = b, .size = 8, .imm = n};

        op_shld(&cpu, &in);
        ck_assert_uint_eq(in.dst, n ? a << n | b >> (64 - n) : a);
        in.dst = a;
        op_shrd(&cpu, &in);
        ck_assert_uint_eq(in.dst, n ? a >> n | b << (64 - n) : a);
        in =
            (struct insn){.dst = (u32)a, .src = (u32)b, .size = 4, .opcode = 1};
        cpu.s.gpr[GPR_RCX] = n; /* odd opcode: by CL */
        op_shrd(&cpu, &in);
        n &= 31;
        ck_assert_uint_eq(in.dst,
                          n ? (u32)((u32)a >> n | (u32)b << (32 - n)) : (u32)a);
    }
}
END_TEST

/* ---- multiplication and division ------------------------------------ */

static void mul_set(u64 lo, u64 hi, unsigned int size)
{
    cpu.s.gpr[GPR_RAX] = 0x5555555555555555ull;
    cpu.s.gpr[GPR_RDX] = 0xaaaaaaaaaaaaaaaaull;
    reg_set(&cpu, GPR_RAX, size == 1 ? 2 : size,
            size == 1 ? (hi & 0xff) << 8 | (lo & 0xff) : lo);
    if (size > 1)
        reg_set(&cpu, GPR_RDX, size, hi);
}

static u128 mul_get(unsigned int size)
{
    u64 m = size_mask(size);

    if (size == 1)
        return cpu.s.gpr[GPR_RAX] & 0xffff;
    return (u128)(cpu.s.gpr[GPR_RDX] & m) << (size * 8) |
           (cpu.s.gpr[GPR_RAX] & m);
}

static u128 wide_mask(unsigned int size)
{
    return size == 8 ? ~(u128)0 : ((u128)1 << (size * 16)) - 1;
}

static void mul_one(u64 a, u64 b, unsigned int size)
{
    struct insn in = {.src = b, .size = (u8)size};
    s64 sa = (s64)sign_extend(a, size), sb = (s64)sign_extend(b, size);
    u128 want = (u128)((s128)sa * sb) & wide_mask(size);
    bool carry = (s128)sa * sb != (s64)sign_extend((u64)want, size);

    mul_set(a, 0x77, size);
    ck_assert_int_eq(op_mul(&cpu, &in), EXEC_OK);
    ck_assert(mul_get(size) == (u128)a * b);
    ck_assert_int_eq(cpu.of, (u128)a * b >> (size * 8) != 0);
    ck_assert_int_eq(cpu.of, cpu.s.rflags & CF);
    mul_set(a, 0x77, size);
    ck_assert_int_eq(op_imul1(&cpu, &in), EXEC_OK);
    ck_assert(mul_get(size) == want);
    ck_assert_int_eq(cpu.of, carry);
    if (size == 1) {
        ck_assert_uint_eq(cpu.s.gpr[GPR_RDX], 0xaaaaaaaaaaaaaaaaull);
        return;
    }
    in.dst = a;
    ck_assert_int_eq(op_imul2(&cpu, &in), EXEC_OK);
    ck_assert_uint_eq(in.dst, (u64)want & size_mask(size));
    ck_assert_int_eq(cpu.s.rflags & CF, carry);
    in.imm = a;
    op_imul3(&cpu, &in);
    ck_assert_uint_eq(in.dst, (u64)want & size_mask(size));
}

START_TEST(test_mul)
{
    unsigned int size = sizes[_i];

    for (unsigned int a = 0; a < ARRAY_SIZE(edges); a++)
        for (unsigned int b = 0; b < ARRAY_SIZE(edges); b++)
            mul_one(edges[a] & size_mask(size), edges[b] & size_mask(size),
                    size);
}
END_TEST

/* A division that faults must leave everything; one that does not must give
 * q * d + r = n with |r| < |d|, r of n's sign. */
static void div_one(u64 lo, u64 hi, u64 d, unsigned int size)
{
    struct insn in = {.src = d, .size = (u8)size};
    u128 n = (u128)hi << (size * 8) | lo, got;
    bool fits = d && n / d <= size_mask(size);
    enum exec r;

    mul_set(lo, hi, size);
    r = op_div(&cpu, &in);
    got = mul_get(size);
    if (!fits) {
        ck_assert_int_eq(r, EXEC_FAULT);
        ck_assert_int_eq(cpu.exc.vector, EXC_DE);
        ck_assert(got == n);
        return;
    }
    ck_assert_int_eq(r, EXEC_OK);
    ck_assert(got == (n % d << (size * 8) | n / d));
}

static void idiv_one(u64 lo, u64 hi, u64 d, unsigned int size)
{
    struct insn in = {.src = d, .size = (u8)size};
    unsigned int bits = size * 8;
    s128 n = (s128)((u128)(s64)sign_extend(hi, size) << bits | lo), q = 0;
    s64 sd = (s64)sign_extend(d, size);
    s128 max = ((s128)1 << (bits - 1)) - 1;
    bool lowest = size == 8 && hi == 1ull << 63 && !lo;
    bool fits = sd && !(sd == -1 && lowest);
    enum exec r;

    if (fits) {
        q = n / sd;
        fits = q <= max && q >= -max - 1;
    }
    mul_set(lo, hi, size);
    r = op_idiv(&cpu, &in);
    ck_assert_int_eq(r, fits ? EXEC_OK : EXEC_FAULT);
    if (!fits) {
        ck_assert(mul_get(size) == ((u128)hi << bits | lo));
        return;
    }
    ck_assert(mul_get(size) == ((((u128)(n % sd) & size_mask(size)) << bits) |
                                ((u128)q & size_mask(size))));
}

START_TEST(test_div)
{
    unsigned int size = sizes[_i];
    u64 m = size_mask(size);

    for (unsigned int h = 0; h < ARRAY_SIZE(edges); h++)
        for (unsigned int l = 0; l < ARRAY_SIZE(edges); l++)
            for (unsigned int d = 0; d < ARRAY_SIZE(edges); d++) {
                div_one(edges[l] & m, edges[h] & m, edges[d] & m, size);
                idiv_one(edges[l] & m, edges[h] & m, edges[d] & m, size);
            }
}
END_TEST

/* The exact limits of IDIV, where the quotient is the lowest number, or one
 * more than fits. */
START_TEST(test_idiv_limit)
{
    static const s64 divisors[] = {1, -1, 2, -2, 7, -7, 100, -128};

    for (unsigned int i = 0; i < ARRAY_SIZE(divisors); i++)
        for (int q = -130; q <= 130; q++)
            for (int rest = -3; rest <= 3; rest++) {
                int n = q * (int)divisors[i] + rest;

                idiv_one((u8)n, (u8)(n >> 8), (u8)divisors[i], 1);
            }
}
END_TEST

/* ---- decimal -------------------------------------------------------- */

struct bcd_case {
    op_fn *fn;
    u8 opcode;
    u16 ax;
    u8 flags; /* CF, AF */
    u8 imm;
    u16 want_ax;
    u8 want; /* CF, AF */
};

/* Worked by hand from the manual's pseudo code, but for CF and AF of AAD, which
 * are those of its addition. */
static const struct bcd_case bcd[] = {
    {op_daa, 0x27, 0x00ae, 0, 0, 0x0014, CF | AF},
    {op_daa, 0x27, 0x0014, 0, 0, 0x0014, 0},
    {op_daa, 0x27, 0x009a, 0, 0, 0x0000, CF | AF},
    {op_daa, 0x27, 0x0012, CF | AF, 0, 0x0078, CF | AF},
    {op_daa, 0x2f, 0x00ee, CF | AF, 0, 0x0088, CF | AF},
    {op_daa, 0x2f, 0x0047, 0, 0, 0x0047, 0},
    {op_daa, 0x2f, 0x0005, AF, 0, 0x00ff, CF | AF},
    {op_aaa, 0x37, 0x000b, 0, 0, 0x0101, CF | AF},
    {op_aaa, 0x37, 0x0009, 0, 0, 0x0009, 0},
    {op_aaa, 0x37, 0x00f3, AF, 0, 0x0109, CF | AF},
    {op_aaa, 0x3f, 0x020b, 0, 0, 0x0105, CF | AF},
    {op_aaa, 0x3f, 0x0004, AF, 0, 0xfe0e, CF | AF},
    {op_aam, 0xd4, 0x0035, 0, 10, 0x0503, 0},
    {op_aad, 0xd5, 0x0503, 0, 10, 0x0035, 0},
    {op_aad, 0xd5, 0xffff, 0, 16, 0x00ef, CF},
};

START_TEST(test_bcd)
{
    const struct bcd_case *t = &bcd[_i];
    struct insn in = {
        .opcode = t->opcode,
        .size = 1,
        .imm = t->imm,
        .src = t->imm,
    };

    flags_set(&cpu, RFLAGS_ONE | t->flags);
    cpu.s.gpr[GPR_RAX] = 0x1234567800000000ull | t->ax;
    ck_assert_int_eq(t->fn(&cpu, &in), EXEC_OK);
    ck_assert_uint_eq(cpu.s.gpr[GPR_RAX], 0x1234567800000000ull | t->want_ax);
    ck_assert_uint_eq(cpu.s.rflags & (CF | AF), t->want);
    if (t->fn == op_aaa) /* undefined */
        return;
    ck_assert_uint_eq(cpu.s.rflags & (ZF | SF | PF),
                      flags_szp((u8)t->want_ax, 1) & (ZF | SF | PF));
}
END_TEST

START_TEST(test_aam_zero)
{
    struct insn in = {.size = 1};

    cpu.s.gpr[GPR_RAX] = 0x1234;
    ck_assert_int_eq(op_aam(&cpu, &in), EXEC_FAULT);
    ck_assert_int_eq(cpu.exc.vector, EXC_DE);
    ck_assert_uint_eq(cpu.s.gpr[GPR_RAX], 0x1234);
}
END_TEST

/* ---- conditions ----------------------------------------------------- */

START_TEST(test_cond)
{
    for (unsigned int f = 0; f < 32; f++) {
        bool of = f & 1, cf = f & 2, zf = f & 4, sf = f & 8, pf = f & 16;
        bool want[8] = {of, cf, zf, cf || zf, sf, pf, sf != of, zf || sf != of};

        flags_set(&cpu, (of ? OF : 0) | (cf ? CF : 0) | (zf ? ZF : 0) |
                            (sf ? SF : 0) | (pf ? PF : 0));
        for (unsigned int cc = 0; cc < 16; cc++)
            ck_assert_int_eq(flags_cond(&cpu, cc), want[cc >> 1] != (cc & 1));
    }
}
END_TEST

Suite *suite_alu(void);

Suite *suite_alu(void)
{
    Suite *s = suite_create("alu");
    TCase *tc = tcase_create("alu");

    tcase_add_loop_test(tc, test_alu_bytes, 0, ARRAY_SIZE(alu_ops));
    tcase_add_loop_test(tc, test_alu_edges, 0, ARRAY_SIZE(alu_ops));
    tcase_add_loop_test(tc, test_shift, 0, ARRAY_SIZE(shift_ops));
    tcase_add_test(tc, test_shift_double);
    tcase_add_loop_test(tc, test_mul, 0, ARRAY_SIZE(sizes));
    tcase_add_loop_test(tc, test_div, 0, ARRAY_SIZE(sizes));
    tcase_add_test(tc, test_idiv_limit);
    tcase_add_loop_test(tc, test_bcd, 0, ARRAY_SIZE(bcd));
    tcase_add_test(tc, test_aam_zero);
    tcase_add_test(tc, test_cond);
    suite_add_tcase(s, tc);
    return s;
}
