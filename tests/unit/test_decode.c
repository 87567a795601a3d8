/* SPDX-License-Identifier: Apache-2.0 */
/* test_decode.c: bytes to struct insn, in all modes */
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "interp/ops.h"

/* ---- an instruction as text: "name size operands" ------------------- */

struct text {
    char s[128];
    size_t len;
};

PRINTF(2, 3) static void text_add(struct text *t, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(t->s + t->len, sizeof(t->s) - t->len, fmt, ap);
    va_end(ap);
    ck_assert(n >= 0 && t->len + (size_t)n < sizeof(t->s));
    t->len += (size_t)n;
}

static const char *text_gpr(unsigned int n)
{
    static const char *const names[] = {
        "ax", "cx",  "dx",  "bx",  "sp",  "bp",  "si",  "di",  "r8",
        "r9", "r10", "r11", "r12", "r13", "r14", "r15", "none"};

    ck_assert_uint_lt(n, ARRAY_SIZE(names));
    return names[n];
}

static void text_mem(struct text *t, const struct insn *in)
{
    static const char segs[] = "ecsdfg";

    text_add(t, " %c[", segs[in->seg]);
    if (in->rip_relative)
        text_add(t, "rip");
    if (in->base != GPR_NONE)
        text_add(t, "%s", text_gpr(in->base));
    if (in->index != GPR_NONE)
        text_add(t, "+%s*%d", text_gpr(in->index), 1 << in->scale);
    if (in->disp)
        text_add(t, "%c%llx", in->disp < 0 ? '-' : '+',
                 (unsigned long long)llabs(in->disp));
    text_add(t, "]%d", in->msize);
    if (in->asize != 8)
        text_add(t, "@%d", in->asize);
}

static void text_operand(struct text *t, const struct insn *in,
                         unsigned int where, u8 at)
{
    switch (where) {
    case W_NONE:
    case W_X:
    case W_Y:
        return;
    case W_S:
    case W_C:
    case W_D:
        text_add(t, " %c%d",
                 where == W_S   ? 's'
                 : where == W_C ? 'c'
                                : 'd',
                 in->reg);
        return;
    case W_E:
    case W_M:
    case W_O:
        if (in->mem) {
            text_mem(t, in);
            return;
        }
        break;
    case W_G:
    case W_A:
    case W_Z:
    case W_CL:
    case W_DX:
        break;
    default:
        text_add(t, " $%llx", (unsigned long long)in->imm);
        return;
    }
    text_add(t, " %s%s", text_gpr(at >> 3), at & 7 ? "+1" : "");
}

static void text_insn(struct text *t, const struct insn *in)
{
    t->len = 0;
    text_add(t, "%s %d", in->row->name, in->size);
    if (in->prefix & PFX_LOCK)
        text_add(t, " lock");
    if (in->row->flags & R_REP && in->prefix & (PFX_REP | PFX_REPNE))
        text_add(t, in->prefix & PFX_REP ? " rep" : " repne");
    text_operand(t, in, in->row->dst, in->dst_at);
    text_operand(t, in, in->row->src, in->src_at);
    if (in->row->third)
        text_add(t, " %llx", (unsigned long long)in->imm);
    if (in->imm2)
        text_add(t, " :%llx", (unsigned long long)in->imm2);
}

static unsigned int bytes_of(const char *hex, u8 *out)
{
    unsigned int n = 0;
    char *end;

    for (; *hex && n < 16; hex = end)
        out[n++] = (u8)strtoul(hex, &end, 16);
    return n;
}

/* ---- cases ---------------------------------------------------------- */

struct decode_case {
    enum code_mode mode;
    const char *hex;
    const char *want; /* NULL: undefined */
};

#define B64 MODE_64
#define B32 MODE_32
#define B16 MODE_16

/* clang-format off */
static const struct decode_case cases[] = {
    /* the forms of ADD .. CMP */
    {B64, "00 d8", "add 1 ax bx"},
    {B64, "00 fc", "add 1 ax+1 bx+1"},
    {B64, "40 00 fc", "add 1 sp di"},
    {B64, "44 00 fc", "add 1 sp r15"},
    {B64, "01 d8", "add 4 ax bx"},
    {B64, "66 01 d8", "add 2 ax bx"},
    {B64, "48 01 d8", "add 8 ax bx"},
    {B64, "66 48 01 d8", "add 8 ax bx"},
    {B64, "48 66 01 d8", "add 2 ax bx"}, /* REX not before the opcode */
    {B64, "03 03", "add 4 ax d[bx]4"},
    {B64, "04 80", "add 1 ax $ffffffffffffff80"},
    {B64, "05 00 00 00 80", "add 4 ax $ffffffff80000000"},
    {B64, "48 05 00 00 00 80", "add 8 ax $ffffffff80000000"},
    {B64, "66 05 00 80", "add 2 ax $ffffffffffff8000"},
    {B64, "83 e8 ff", "sub 4 ax $ffffffffffffffff"},
    {B64, "81 3b 78 56 34 12", "cmp 4 d[bx]4 $12345678"},
    {B64, "80 33 11", "xor 1 d[bx]1 $11"},
    {B64, "f0 83 0b 01", "or 4 lock d[bx]4 $1"},
    {B64, "f0 83 c8 01", NULL}, /* LOCK with a register */
    {B64, "f0 83 3b 01", NULL}, /* CMP does not write */
    {B64, "f0 03 03", NULL},    /* destination is the register */
    {B64, "82 03 01", NULL},
    {B32, "82 03 01", "add 1 d[bx]1@4 $1"},
    /* addresses */
    {B64, "8b 04 24", "mov 4 ax s[sp]4"},
    {B64, "8b 45 00", "mov 4 ax s[bp]4"},
    {B64, "41 8b 45 00", "mov 4 ax d[r13]4"},
    {B64, "41 8b 04 24", "mov 4 ax d[r12]4"},
    {B64, "8b 05 10 00 00 00", "mov 4 ax d[rip+10]4"},
    {B64, "41 8b 05 f0 ff ff ff", "mov 4 ax d[rip-10]4"},
    {B64, "67 8b 05 10 00 00 00", "mov 4 ax d[rip+10]4@4"},
    {B64, "8b 04 25 10 00 00 80", "mov 4 ax d[-7ffffff0]4"},
    {B64, "8b 44 cb 80", "mov 4 ax d[bx+cx*8-80]4"},
    {B64, "42 8b 04 a3", "mov 4 ax d[bx+r12*4]4"},
    {B64, "43 8b 84 ec 00 01 00 00", "mov 4 ax d[r12+r13*8+100]4"},
    {B64, "8b 04 6d 00 10 00 00", "mov 4 ax d[+bp*2+1000]4"},
    {B64, "64 48 8b 04 25 28 00 00 00", "mov 8 ax f[+28]8"},
    {B64, "65 8b 03", "mov 4 ax g[bx]4"},
    {B64, "3e 8b 45 00", "mov 4 ax s[bp]4"}, /* DS: means nothing */
    {B64, "65 2e 8b 03", "mov 4 ax g[bx]4"}, /* neither does CS: */
    {B64, "67 8b 03", "mov 4 ax d[bx]4@4"},
    {B32, "8b 03", "mov 4 ax d[bx]4@4"},
    {B32, "8b 05 10 00 00 00", "mov 4 ax d[+10]4@4"},
    {B32, "3e 8b 45 00", "mov 4 ax d[bp]4@4"},
    {B32, "67 8b 07", "mov 4 ax d[bx]4@2"},
    {B32, "67 66 8b 46 10", "mov 2 ax s[bp+10]2@2"},
    {B16, "8b 07", "mov 2 ax d[bx]2@2"},
    {B16, "8b 00", "mov 2 ax d[bx+si*1]2@2"},
    {B16, "8b 01", "mov 2 ax d[bx+di*1]2@2"},
    {B16, "8b 02", "mov 2 ax s[bp+si*1]2@2"},
    {B16, "8b 03", "mov 2 ax s[bp+di*1]2@2"},
    {B16, "8b 04", "mov 2 ax d[si]2@2"},
    {B16, "8b 05", "mov 2 ax d[di]2@2"},
    {B16, "8b 06 34 12", "mov 2 ax d[+1234]2@2"},
    {B16, "8b 86 00 80", "mov 2 ax s[bp-8000]2@2"},
    {B16, "8b 47 ff", "mov 2 ax d[bx-1]2@2"},
    {B16, "66 8b 07", "mov 4 ax d[bx]4@2"},
    {B16, "67 8b 04 24", "mov 2 ax s[sp]2@4"},
    {B16, "2e 8b 07", "mov 2 ax c[bx]2@2"},
    /* moves */
    {B64, "88 e0", "mov 1 ax ax+1"},
    {B64, "b4 12", "mov 1 ax+1 $12"},
    {B64, "40 b4 12", "mov 1 sp $12"},
    {B64, "b8 78 56 34 92", "mov 4 ax $92345678"},
    {B64, "48 b8 08 07 06 05 04 03 02 81", "mov 8 ax $8102030405060708"},
    {B64, "49 c7 c0 ff ff ff ff", "mov 8 r8 $ffffffffffffffff"},
    {B64, "a1 08 07 06 05 04 03 02 01", "mov 4 ax d[+102030405060708]4"},
    {B64, "67 a0 08 07 06 85", "mov 1 ax d[+85060708]1@4"},
    {B16, "a3 34 12", "mov 2 d[+1234]2@2 ax"},
    {B64, "8c d8", "mov_from_sreg 4 ax s3"},
    {B64, "44 8c 1b", "mov_from_sreg 4 d[bx]2 s3"},
    {B64, "8e c0", "mov_to_sreg 4 s0 ax"},
    {B64, "8e c8", NULL}, /* MOV CS */
    {B64, "8e f8", NULL},
    {B64, "8d 44 8b 01", "lea 4 ax d[bx+cx*4+1]4"},
    {B64, "8d c0", NULL},
    {B64, "90", "nop 4"},
    {B64, "f3 90", "pause 4"},
    {B64, "66 90", "nop 2"},
    {B64, "49 90", "xchg 8 ax r8"},
    {B64, "48 87 03", "xchg 8 d[bx]8 ax"},
    {B64, "91", "xchg 4 ax cx"},
    {B64, "0f b6 c4", "movzx 4 ax ax+1"},
    {B64, "48 0f b6 03", "movzx 8 ax d[bx]1"},
    {B64, "0f b7 03", "movzx 4 ax d[bx]2"},
    {B64, "66 0f be c0", "movsx 2 ax ax"},
    {B64, "48 63 03", "movsx 8 ax d[bx]4"},
    {B64, "63 c8", "movsx 4 cx ax"},
    {B32, "63 c8", "arpl 2 ax cx"},
    {B64, "0f 44 03", "cmov 4 ax d[bx]4"},
    {B64, "0f 94 c4", "setcc 1 ax+1"},
    {B64, "0f c8", "bswap 4 ax"},
    {B64, "49 0f cf", "bswap 8 r15"},
    {B64, "0f 38 f0 03", "movbe 4 ax d[bx]4"},
    {B64, "66 0f 38 f1 03", "movbe 2 d[bx]2 ax"},
    {B64, "0f 38 f0 c0", NULL},
    {B64, "0f c3 03", "movnti 4 d[bx]4 ax"},
    {B64, "66 0f c3 03", NULL},
    {B64, "98", "cbw 4"},
    {B64, "48 99", "cwd 8"},
    {B64, "65 d7", "xlat 1"},
    /* stack */
    {B64, "50", "push 8 ax"},
    {B64, "41 57", "push 8 r15"},
    {B64, "66 50", "push 2 ax"},
    {B64, "6a ff", "push 8 $ffffffffffffffff"},
    {B64, "68 00 00 00 80", "push 8 $ffffffff80000000"},
    {B64, "66 68 00 80", "push 2 $ffffffffffff8000"},
    {B64, "ff 33", "push 8 d[bx]8"},
    {B64, "8f 04 24", "pop_rm 8 s[sp]8"},
    {B64, "8f 08", NULL}, /* XOP */
    {B64, "5c", "pop 8 sp"},
    {B64, "9c", "pushf 8"},
    {B64, "c8 34 12 05", "enter 8 $1234 1234 :5"},
    {B64, "c9", "leave 8"},
    {B64, "06", NULL},
    {B32, "06", "push_sreg 4"},
    {B64, "0f a0", "push_sreg 8"},
    {B32, "60", "pusha 4"},
    {B64, "60", NULL},
    {B32, "40", "inc 4 ax"},
    {B16, "4f", "dec 2 di"},
    /* groups */
    {B64, "f6 c1 01", "test 1 cx $1"},
    {B64, "f7 cb 78 56 34 12", "test 4 bx $12345678"}, /* alias /1 */
    {B64, "48 f7 d8", "neg 8 ax"},
    {B64, "f6 e4", "mul 1 ax+1"},
    {B64, "48 f7 3b", "idiv 8 d[bx]8"},
    {B64, "c0 e0 09", "shl 1 ax $9"},
    {B64, "c1 f0 09", "shl 4 ax $9"}, /* alias /6 */
    {B64, "d1 f8", "sar 4 ax $1"},
    {B64, "48 d3 03", "rol 8 d[bx]8 cx"},
    {B64, "0f a4 c3 05", "shld 4 bx ax 5"},
    {B64, "0f ad 03", "shrd 4 d[bx]4 ax"},
    {B64, "fe c8", "dec 1 ax"},
    {B64, "fe d0", NULL},
    {B64, "ff f8", NULL},
    {B64, "0f ba 23 05", "bt 4 d[bx]4 $5"},
    {B64, "0f ba 03 05", NULL},
    {B64, "f0 0f ab 0b", "bts 4 lock d[bx]4 cx"},
    {B64, "f0 0f a3 0b", NULL},
    {B64, "f3 0f bc c8", "bsf 4 cx ax"}, /* TZCNT is hidden */
    {B64, "f3 48 0f bd c8", "bsr 8 cx ax"},
    {B64, "f3 0f b8 c8", "popcnt 4 cx ax"},
    {B64, "0f b8 c8", NULL},
    {B64, "f2 0f 38 f0 c8", "crc32 4 cx ax"},
    {B64, "66 f2 0f 38 f1 c8", "crc32 2 cx ax"},
    {B64, "f2 48 0f 38 f1 c8", "crc32 8 cx ax"},
    {B64, "6b c3 fe", "imul3 4 ax bx fffffffffffffffe"},
    {B64, "48 69 03 78 56 34 12", "imul3 8 ax d[bx]8 12345678"},
    {B64, "0f af c3", "imul2 4 ax bx"},
    {B64, "0f b1 0b", "cmpxchg 4 d[bx]4 cx"},
    {B64, "f0 0f c7 0b", "cmpxchg8b 4 lock d[bx]8"},
    {B64, "48 0f c7 0b", "cmpxchg16b 8 d[bx]16"},
    {B64, "0f c7 c8", NULL},
    {B64, "0f c7 f0", "rdrand 4 ax"},
    {B64, "0f c7 f8", NULL}, /* RDSEED is hidden */
    {B64, "0f c1 03", "xadd 4 d[bx]4 ax"},
    /* strings */
    {B64, "f3 a4", "movs 1 rep"},
    {B64, "f2 ae", "scas 1 repne"},
    {B64, "f2 f3 a6", "cmps 1 rep"}, /* the last one counts */
    {B64, "48 ab", "stos 8"},
    {B64, "48 6d", "ins 4"}, /* ports have no 8 bytes */
    {B64, "66 6f", "outs 2"},
    {B64, "f0 a4", NULL},
    /* branches */
    {B64, "eb fe", "jmp 8 $fffffffffffffffe"},
    {B64, "e9 00 00 00 80", "jmp 8 $ffffffff80000000"},
    {B32, "66 e9 00 80", "jmp 2 $ffffffffffff8000"},
    {B64, "0f 84 10 00 00 00", "jcc 8 $10"},
    {B64, "74 10", "jcc 8 $10"},
    {B64, "e8 10 00 00 00", "call 8 $10"},
    {B64, "ff d0", "call_ind 8 ax"},
    {B64, "ff 23", "jmp_ind 8 d[bx]8"},
    {B64, "c3", "ret 8"},
    {B64, "c2 f0 ff", "ret 8 $fff0"},
    {B64, "f3 c3", "ret 8"},
    {B64, "67 e3 02", "jcxz 8 $2"},
    {B64, "ff 1b", "call_far 4 d[bx]6"},
    {B64, "48 ff 2b", "jmp_far 8 d[bx]10"},
    {B64, "ff e8", NULL},
    {B64, "ea 00 00 00 00 00 00", NULL},
    {B32, "ea 78 56 34 12 08 00", "jmp_far 4 $12345678 :8"},
    {B16, "ea 34 12 08 00", "jmp_far 2 $1234 :8"},
    {B16, "66 ea 78 56 34 12 08 00", "jmp_far 4 $12345678 :8"},
    {B64, "cd 80", "int 4 $80"},
    {B64, "cc", "int3 4"},
    {B64, "48 cf", "iret 8"},
    {B64, "ce", NULL},
    /* system */
    {B64, "e4 10", "in 1 ax $10"},
    {B64, "48 ed", "in 4 ax dx"},
    {B64, "66 ef", "out 2 ax dx"},
    {B64, "0f 20 c0", "mov_from_cr 8 ax c0"},
    {B64, "44 0f 20 00", "mov_from_cr 8 ax c8"}, /* mod is ignored */
    {B64, "0f 20 c8", NULL}, /* no CR1, CR5 to CR7, CR9; no DR8 */
    {B64, "0f 22 e8", NULL},
    {B64, "0f 20 f0", NULL},
    {B64, "0f 22 f8", NULL},
    {B64, "44 0f 20 c8", NULL},
    {B64, "44 0f 21 c0", NULL},
    {B32, "66 0f 22 d8", "mov_to_cr 4 c3 ax"},
    {B64, "0f 01 13", "lgdt 4 d[bx]10"},
    {B32, "0f 01 1b", "lidt 4 d[bx]6@4"},
    {B64, "0f 01 e0", "smsw 4 ax"},
    {B64, "0f 01 f0", "lmsw 2 ax"},
    {B64, "0f 01 33", "lmsw 2 d[bx]2"},
    {B64, "0f 01 3b", "invlpg 4 d[bx]4"},
    {B64, "0f 01 f8", "swapgs 4"},
    {B32, "0f 01 f8", NULL},
    {B64, "0f 01 f9", "rdtscp 4"},
    {B64, "0f 01 c1", "vmcall 4"},
    {B64, "0f 01 d9", "vmcall 4"},
    {B64, "0f 01 d0", "xgetbv 4"},
    {B64, "0f 01 ee", NULL}, /* RDPKRU is hidden */
    {B64, "0f 00 d8", "ltr 2 ax"},
    {B64, "0f 00 f0", NULL},
    {B64, "0f 02 c3", "lar 4 ax bx"},
    {B64, "0f ae 03", "fxsave 4 d[bx]512"},
    {B64, "48 0f ae 0b", "fxrstor 8 d[bx]512"},
    {B64, "0f ae 13", "ldmxcsr 4 d[bx]4"},
    {B64, "0f ae 1b", "stmxcsr 4 d[bx]4"},
    {B64, "0f ae 3b", "nop 4 d[bx]1"}, /* CLFLUSH */
    {B64, "66 0f ae 3b", NULL},        /* CLFLUSHOPT is hidden */
    {B64, "0f ae e8", "fence 4"},
    {B64, "f3 48 0f ae d0", "fsgsbase 8 ax"},
    {B32, "f3 0f ae d0", NULL},
    {B64, "0f 05", "syscall 4"},
    {B64, "f0 0f 05", NULL},
    {B64, "f4", "hlt 4"},
    /* hints and the undefined */
    {B64, "f3 0f 1e fa", "nop 4 dx"}, /* ENDBR64 */
    {B64, "66 2e 0f 1f 84 00 00 00 00 00", "nop 2 d[ax+ax*1]2"},
    {B64, "0f 18 03", "nop 4 d[bx]4"},
    {B64, "0f 0d 0b", "nop 4 d[bx]4"},
    {B64, "0f 0b", "ud 4"},
    {B64, "0f b9", "ud 4"},
    {B64, "0f ff", "ud 4"},
    {B64, "0f 04", NULL},
    {B64, "0f 0a", NULL},
    {B64, "0f 0f c0 b4", NULL}, /* 3DNow! */
    {B64, "c4 e2 70 f2 c3", "vex 4"},
    {B64, "c5 f8 77", "vex 4"},
    {B64, "62 f1 7c 48 10 00", "vex 4"},
    {B32, "c4 03", "lxs 4 ax d[bx]6@4"},
    {B32, "c5 f8 77", NULL},
    {B32, "62 03", "bound 4 ax d[bx]8@4"},
    {B16, "0f b2 07", "lxs 2 ax d[bx]4@2"},
    {B64, "d6", NULL},
    {B64, "37", NULL},
    {B32, "d4 0a", "aam 4 $a"},
};
/* clang-format on */

START_TEST(test_decode)
{
    const struct decode_case *t = &cases[_i];
    struct insn in;
    struct text text;
    u8 bytes[16] = {0};
    unsigned int n = bytes_of(t->hex, bytes);
    int len = insn_decode(&in, bytes, n, t->mode);

    ck_assert_int_gt(len, 0);
    if (!t->want) {
        ck_assert_msg(in.row == &row_ud, "%s: is %s", t->hex, in.row->name);
        return;
    }
    text_insn(&text, &in);
    ck_assert_msg(!strcmp(text.s, t->want), "%s: is %s, not %s", t->hex, text.s,
                  t->want);
    ck_assert_ptr_nonnull(in.exec);
    ck_assert_ptr_eq(in.fn, in.row->fn);
    if (in.fn == op_vex)
        return;
    ck_assert_msg(in.len == n && len == (int)n, "%s: length %d", t->hex, len);
    for (unsigned int cut = 0; cut < n; cut++)
        ck_assert_msg(insn_decode(&in, bytes, cut, t->mode) == 0,
                      "%s: complete after %u bytes", t->hex, cut);
}
END_TEST

/* Exactly 15 bytes are fine, one more is too long, however many there are. */
START_TEST(test_decode_long)
{
    u8 bytes[32];
    struct insn in;

    memset(bytes, 0x66, sizeof(bytes));
    bytes[14] = 0x90;
    ck_assert_int_eq(insn_decode(&in, bytes, 15, MODE_64), 15);
    ck_assert_int_eq(insn_decode(&in, bytes, 32, MODE_64), 15);
    ck_assert_int_eq(insn_decode(&in, bytes, 14, MODE_64), 0);
    bytes[14] = 0x66;
    bytes[15] = 0x90;
    ck_assert_int_eq(insn_decode(&in, bytes, 15, MODE_64), -1);
    ck_assert_int_eq(insn_decode(&in, bytes, 32, MODE_64), -1);
    bytes[10] = 0x81; /* the immediate is over the limit */
    bytes[11] = 0xc0;
    ck_assert_int_eq(insn_decode(&in, bytes, 15, MODE_64), 14);
    bytes[8] = 0x48;
    bytes[9] = 0x48;
    ck_assert_int_eq(insn_decode(&in, bytes, 15, MODE_64), -1);
}
END_TEST

/* What every decoded instruction promises, for whatever bytes. (Not by
 * ck_assert(): that is slow.) */
static bool decode_sane(const struct insn *in, int len)
{
    bool power =
        in->size == 1 || in->size == 2 || in->size == 4 || in->size == 8;

    return len == in->len && len <= 15 && in->exec && in->fn && power &&
           in->base <= GPR_NONE && in->index <= GPR_NONE && in->seg < SEG_NR &&
           in->dst_at <= GPR_NONE * 8 && in->src_at <= GPR_NONE * 8 &&
           in->reg < 16 && in->rm < 16 && in->msize <= 576 &&
           !(in->row->flags & R_NO64 && in->mode == MODE_64) &&
           (!(in->prefix & PFX_LOCK) || in->row == &row_ud || in->mem);
}

START_TEST(test_decode_random)
{
    static const u8 prefixes[] = {0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x48, 0x41};
    u64 x = 0x9e3779b97f4a7c15ull;
    u8 bytes[24];
    struct insn in;

    for (unsigned int n = 0; n < 300000; n++) {
        int len;

        for (unsigned int i = 0; i < sizeof(bytes); i++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            bytes[i] = (u8)(x >> 24);
        }
        for (unsigned int i = 0; i < (n & 3); i++)
            bytes[i] = prefixes[bytes[i] % sizeof(prefixes)];
        if (n & 4)
            bytes[n & 3] = 0x0f;
        len = insn_decode(&in, bytes, 15, (enum code_mode)(n % 3));
        if (len != -1 && !decode_sane(&in, len))
            ck_abort_msg("%02x %02x %02x %02x %02x: %s, length %d", bytes[0],
                         bytes[1], bytes[2], bytes[3], bytes[4], in.row->name,
                         len);
    }
}
END_TEST

Suite *suite_decode(void);

Suite *suite_decode(void)
{
    Suite *s = suite_create("decode");
    TCase *tc = tcase_create("decode");

    tcase_add_loop_test(tc, test_decode, 0, ARRAY_SIZE(cases));
    tcase_add_test(tc, test_decode_long);
    tcase_add_test(tc, test_decode_random);
    suite_add_tcase(s, tc);
    return s;
}
