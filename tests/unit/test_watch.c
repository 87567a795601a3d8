/* SPDX-License-Identifier: Apache-2.0 */
/* watch.c: breakpoints on data and ports, alignment checks. Programs run as in
 * a guest, in blocks where they may be; every handler is a HLT. What a program
 * of the host may do, the host's processor does, too. */
#include <cpuid.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#undef PAGE_SIZE /* of sys/user.h */

#include "interp/watch.h"
#include "interp_rig.h"
#include "mote/engine.h"
#include "unit.h"

#define D  RIG_DATA
#define S  RIG_STACK
#define BS 0x4000u /* DR6 */

/* DR7 with breakpoint 0 alone, by what and how many bytes */
#define DR7(rw, len) (1u | (rw) << 16 | (len) << 18)
enum { W1 = DR7(1, 0), W2 = DR7(1, 1), W8 = DR7(1, 2), W4 = DR7(1, 3) };
enum { A1 = DR7(3, 0), A2 = DR7(3, 1), A8 = DR7(3, 2), A4 = DR7(3, 3) };
enum { P1 = DR7(2, 0), P2 = DR7(2, 1), P4 = DR7(2, 3) };

static struct rig rig;

static void setup(void)
{
    static const u8 hlt = 0xf4;
    struct cpu_state *s;

    rig_new(&rig);
    for (unsigned int v = 0; v < 32; v++)
        mem_write(rig.mem, RIG_TARGET + 16 * v, &hlt, 1);
    s = interp_state(rig.c);
    s->cr4 |= CR4_OSFXSR | CR4_DE;
    s->dr6 = 0xffff0ff0;
    s->gpr[GPR_RBX] = s->gpr[GPR_RSI] = D;
    s->gpr[GPR_RDI] = D + 0x100;
    s->gpr[GPR_RCX] = 4;
    s->gpr[GPR_RDX] = 0x7f;
    s->dr[1] = D + 1;
    rig_put(&rig, D, 8, RIG_DS0);
}

static void teardown(void)
{
    rig_free(&rig);
}

static bool has_error(u64 vector)
{
    return 0x27d00 >> vector & 1;
}

/* Up to the handler's HLT. The vector; *rip and *rflags are in its frame. */
static u64 run(const u8 *code, size_t len, u64 *rip, u64 *rflags)
{
    struct cpu_state *s = interp_state(rig.c);
    u64 vector, frame;

    mem_write(rig.mem, RIG_CODE, code, len);
    rig.run = (struct interp_run){.budget = 200, .flags = INTERP_NO_WAIT};
    ck_assert_int_eq(interp_run(rig.c, &rig.run), INTERP_HALT);
    vector = (s->rip - 1 - RIG_TARGET) / 16;
    if (vector >= 32) { /* the program's own */
        *rip = s->rip;
        *rflags = s->rflags;
        return vector;
    }
    frame = s->gpr[GPR_RSP] + (has_error(vector) ? 8 : 0);
    *rip = rig_get(&rig, frame, 8);
    *rflags = rig_get(&rig, frame + 16, 8);
    return vector;
}

/* ---- breakpoints -------------------------------------------------------- */

#define NO 0xffu /* the program comes to its HLT */

static const struct {
    const char *name;
    u8 code[16]; /* a HLT follows */
    u8 len;
    u32 dr7;
    u64 dr0;
    u8 stop; /* RIP in the frame of #DB, from the first byte of code */
    u16 dr6; /* expected */
    u8 rcx;  /* likewise */
} breaks[] = {
    {"write", {0x89, 0x03}, 2, W4, D, 2, 1, 4},
    {"read", {0x8b, 0x03}, 2, A4, D, 2, 1, 4},
    {"read, for writes", {0x8b, 0x03}, 2, W4, D, NO, 0, 4},
    {"write, for both", {0x89, 0x03}, 2, A4, D, 2, 1, 4},
    {"enabled globally", {0x89, 0x03}, 2, W4 + 1, D, 2, 1, 4},
    {"not enabled", {0x89, 0x03}, 2, W4 - 1, D, NO, 0, 4},
    {"the last byte", {0x89, 0x03}, 2, W1, D + 3, 2, 1, 4},
    {"behind it", {0x89, 0x03}, 2, W1, D + 4, NO, 0, 4},
    {"before it", {0x89, 0x03}, 2, W1, D - 1, NO, 0, 4},
    {"low bits, 8", {0x88, 0x03}, 2, W8, D + 7, 2, 1, 4},
    {"low bits, 4", {0x88, 0x03}, 2, W4, D + 3, 2, 1, 4},
    {"low bits, 2", {0x88, 0x03}, 2, W2, D + 1, 2, 1, 4},
    {"low bits, 1", {0x88, 0x03}, 2, W1, D + 1, NO, 0, 4},
    {"eight bytes", {0x88, 0x43, 7}, 3, W8, D, 3, 1, 4},
    {"two of them", {0x89, 0x03}, 2, W4 | 0x100004, D, 2, 3, 4},
    {"one of two", {0x88, 0x43, 2}, 3, W4 | 0x100004, D, 3, 1, 4},
    {"1st of two pages", {0x89, 0x83, 0xfe, 0x0f}, 6, W1, D + 0xfff, 6, 1, 4},
    {"2nd of two pages", {0x89, 0x83, 0xfe, 0x0f}, 6, W1, D + 0x1001, 6, 1, 4},
    {"PUSH", {0x50}, 1, W8, S - 8, 1, 1, 4},
    {"PUSH of memory", {0xff, 0x33}, 2, A8, D, 2, 1, 4},
    {"CALL", {0xe8, 0, 0, 0, 0}, 5, W8, S - 8, 5, 1, 4},
    {"POP", {0x58}, 1, A1, S + 7, 1, 1, 4},
    {"POP, for writes", {0x58}, 1, W8, S, NO, 0, 4},
    {"ADD", {0x01, 0x03}, 2, W4, D, 2, 1, 4},
    {"CMP", {0x39, 0x03}, 2, A4, D, 2, 1, 4},
    {"CMP, for writes", {0x39, 0x03}, 2, W4, D, NO, 0, 4},
    {"LOCK ADD", {0xf0, 0x01, 0x03}, 3, W4, D, 3, 1, 4},
    {"LOCK, two pages",
     {0xf0, 0x01, 0x83, 0xfe, 0x0f},
     7,
     W1,
     D + 0x1001,
     7,
     1,
     4},
    {"XCHG", {0x87, 0x03}, 2, W1, D, 2, 1, 4},
    {"CMPXCHG, other", {0xf0, 0x0f, 0xb1, 0x0b}, 4, W1, D, 4, 1, 4},
    {"CMPXCHG16B", {0x48, 0x0f, 0xc7, 0x0b}, 4, W1, D + 15, 4, 1, 4},
    {"MOVAPS", {0x0f, 0x29, 0x03}, 3, W1, D + 15, 3, 1, 4},
    {"MOVUPS, load", {0x0f, 0x10, 0x03}, 3, A1, D + 15, 3, 1, 4},
    {"MOVUPS, for writes", {0x0f, 0x10, 0x03}, 3, W1, D + 15, NO, 0, 4},
    {"FSTP m80", {0xdb, 0x3b}, 2, W1, D + 9, 2, 1, 4},
    {"FNSAVE", {0xdd, 0x33}, 2, W1, D + 107, 2, 1, 4},
    {"FXSAVE", {0x0f, 0xae, 0x03}, 3, W1, D + 0x100, 3, 1, 4},
    {"FXRSTOR", {0x0f, 0xae, 0x0b}, 3, A1, D + 0x100, 3, 1, 4},
    {"FXSAVE, unused", {0x0f, 0xae, 0x03}, 3, W1, D + 0x1a0, NO, 0, 4},
    {"ENTER", {0xc8, 0x10, 0, 0}, 4, W8, S - 8, 4, 1, 4},
    {"ENTER, its end", {0xc8, 0x10, 0, 0}, 4, W8, S - 24, NO, 0, 4},
    {"MASKMOVDQU, none",
     {0x66, 0x0f, 0xef, 0xc0, 0x66, 0x0f, 0xf7, 0xc0},
     8,
     W1,
     D + 0x100,
     NO,
     0,
     4},
    {"SGDT", {0x0f, 0x01, 0x03}, 3, W1, D + 9, 3, 1, 4},
    {"GDT", {0x8e, 0xd9}, 2, A1, RIG_GDT, NO, 0, RIG_DS0},
    {"REP STOS", {0xf3, 0xaa}, 2, W1, D + 0x102, 0, 1, 1},
    {"REP STOS, last", {0xf3, 0xaa}, 2, W1, D + 0x103, 2, 1, 0},
    {"REP STOS, none", {0xf3, 0xaa}, 2, W1, D + 0x104, NO, 0, 0},
    {"REP MOVS, source", {0xf3, 0xa4}, 2, A1, D + 1, 0, 1, 2},
    {"REPE CMPS", {0xf3, 0xa7}, 2, A4, D + 0x100, 2, 1, 3},
    {"REPNE SCAS", {0xf2, 0xae}, 2, A1, D + 0x100, 2, 1, 3},
    {"REPNE SCAS down", {0xfd, 0xf2, 0xae}, 3, A1, D + 0x100, 3, 1, 3},
    {"OUT", {0xe6, 0x80}, 2, P1, 0x80, 2, 1, 4},
    {"OUT elsewhere", {0xe6, 0x81}, 2, P1, 0x80, NO, 0, 4},
    {"OUT, low bits", {0xe6, 0x81}, 2, P2, 0x80, 2, 1, 4},
    {"OUT, for memory", {0xe6, 0x80}, 2, W1, 0x80, NO, 0, 4},
    {"IN of two", {0x66, 0xed}, 2, P1, 0x80, 2, 1, 4},
    {"store, for ports", {0x89, 0x03}, 2, P4, D, NO, 0, 4},
    {"INS", {0x6c}, 1, P1, 0x7f, 1, 1, 4},
    {"INS, memory", {0x6c}, 1, W1, D + 0x100, 1, 1, 4},
    {"REP OUTS", {0xf3, 0x6e}, 2, P1, 0x7f, 0, 1, 3},
    {"MOV SS holds it", {0x8e, 0x13, 0x90, 0x90}, 4, A2, D, 3, 1, 4},
    {"and the next", {0x8e, 0x13, 0x88, 0x03}, 4, A2 | 0x100004, D, 4, 1, 4},
    {"LEA", {0x48, 0x8d, 0x03}, 3, A8, D, NO, 0, 4},
    {"fetch", {0x90}, 1, A1, RIG_CODE, NO, 0, 4},
};

/* Breakpoint 0 at an address, with these bits of DR7. */
static void arm(u64 dr7, u64 at)
{
    struct cpu_state *s = interp_state(rig.c);

    s->dr7 = 0x400 | dr7;
    s->dr[0] = at;
}

START_TEST(test_watch_break)
{
    struct cpu_state *s = interp_state(rig.c);
    u8 code[17] = {0}, n = breaks[_i].len;
    u64 rip, rflags, vector;

    memcpy(code, breaks[_i].code, n);
    code[n] = 0xf4;
    s->gpr[GPR_RCX] = breaks[_i].name[0] == 'G' ? RIG_DS0 : 4;
    arm(breaks[_i].dr7, breaks[_i].dr0);
    vector = run(code, n + 1u, &rip, &rflags);
    if (breaks[_i].stop == NO) {
        ck_assert_msg(rip == RIG_CODE + n + 1u, "%s: %#lx", breaks[_i].name,
                      rip);
    } else {
        ck_assert_msg(vector == EXC_DB && rip == RIG_CODE + breaks[_i].stop,
                      "%s: %lu at %#lx", breaks[_i].name, vector, rip);
        ck_assert(!(rflags & RFLAGS_RF));
    }
    ck_assert_msg(s->dr6 == (0xffff0ff0 | breaks[_i].dr6), "%s: %#lx",
                  breaks[_i].name, s->dr6);
    ck_assert_uint_eq(s->gpr[GPR_RCX] & 0xff, breaks[_i].rcx);
}
END_TEST

/* ---- the same on the host -------------------------------------------------
 */

#define AT 0x20000000ull /* there, in the child */

static bool host_is_amd(void)
{
    u32 a, b = 0, c, d;

    return __get_cpuid(0, &a, &b, &c, &d) && b == 0x68747541; /* "Auth" */
}

/* Linux lets programs have neither ports nor GDT, nor breakpoints across their
 * own length. */
static bool host_may(unsigned int i)
{
    u32 n = breaks[i].dr7 >> 18 & 3, mask = n == 2 ? 7 : n;

    return breaks[i].dr0 >= D && !(breaks[i].dr0 & mask) &&
           (breaks[i].dr7 >> 16 & 3) != 2 && breaks[i].code[0] != 0x6c &&
           strcmp(breaks[i].name, "SGDT") != 0;
}

static void *host_debug(unsigned int n)
{
    return (void *)(offsetof(struct user, u_debugreg) + 8 * n);
}

static bool host_poke(pid_t child, unsigned int n, u64 val)
{
    return ptrace(PTRACE_POKEUSER, child, host_debug(n), val) == 0;
}

static bool host_arm(pid_t child, unsigned int i)
{
    return host_poke(child, 0, AT + breaks[i].dr0) &&
           host_poke(child, 1, AT + D + 1) &&
           host_poke(child, 7, breaks[i].dr7);
}

/* From its SIGSTOP to the SIGTRAP of a breakpoint or of INT3. */
static void host_go(pid_t child, struct user_regs_struct *r)
{
    ck_assert_int_eq(ptrace(PTRACE_GETREGS, child, 0, r), 0);
    r->rip = AT + RIG_CODE;
    r->rbx = r->rsi = AT + D;
    r->rdi = AT + D + 0x100;
    r->rax = 0;
    r->rcx = 4;
    r->rdx = 0x7f;
    r->rsp = AT + S;
    ck_assert_int_eq(ptrace(PTRACE_SETREGS, child, 0, r), 0);
    ck_assert_int_eq(ptrace(PTRACE_CONT, child, 0, 0), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert_int_eq(ptrace(PTRACE_GETREGS, child, 0, r), 0);
}

static void host_child(unsigned int i)
{
    u8 *m = mmap((void *)AT, RIG_TARGET, PROT_READ | PROT_WRITE | PROT_EXEC,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    u16 ds;

    if (m != (void *)AT || ptrace(PTRACE_TRACEME) < 0)
        _exit(1);
    __asm__("mov %%ss, %0" : "=r"(ds));
    memcpy(m + D, &ds, sizeof(ds));
    memcpy(m + RIG_CODE, breaks[i].code, breaks[i].len);
    m[RIG_CODE + breaks[i].len] = 0xcc;
    raise(SIGSTOP);
    _exit(1);
}

static void host_compare(unsigned int i, pid_t child)
{
    struct user_regs_struct r;
    u64 dr6;

    host_go(child, &r);
    dr6 = (u64)ptrace(PTRACE_PEEKUSER, child, host_debug(6), 0);
    ck_assert_msg((dr6 & 15) == breaks[i].dr6, "%s: DR6 %#lx", breaks[i].name,
                  dr6);
    if (dr6 & 15)
        ck_assert_uint_eq(r.rip - AT - RIG_CODE, breaks[i].stop);
    ck_assert_uint_eq(r.rcx, breaks[i].rcx);
}

/* False: not on this host. */
static bool host_run(unsigned int i)
{
    pid_t child = fork();
    int status = 0;
    bool armed;

    if (child == 0)
        host_child(i);
    waitpid(child, &status, 0);
    armed = WIFSTOPPED(status) && host_arm(child, i);
    if (armed)
        host_compare(i, child);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return armed;
}

START_TEST(test_watch_host)
{
    bool can = host_is_amd();

    for (unsigned int i = 0; i < ARRAY_SIZE(breaks) && can; i++)
        can = !host_may(i) || host_run(i);
    if (!can)
        unit_skip("debug", "no debug registers of an AMD processor");
}
END_TEST

/* ---- implicit accesses ----------------------------------------------------
 */

/* Descriptor tables and the TSS are read as data. */
START_TEST(test_watch_implicit)
{
    static const u64 at[] = {RIG_GDT + RIG_DS0 + 7, RIG_IDT + 16 * 3,
                             S - 40 /* the frame */};
    static const u8 code[] = {0x8e, 0xd9, 0xcc}; /* mov %ecx, %ds; int3 */
    struct cpu_state *s = interp_state(rig.c);
    u64 rip, rflags;

    s->gpr[GPR_RCX] = RIG_DS0;
    arm(A1, at[_i]);
    ck_assert_uint_eq(run(code, sizeof(code), &rip, &rflags), EXC_DB);
    ck_assert_uint_eq(rip, _i == 0 ? RIG_CODE + 2 : RIG_TARGET + 16 * EXC_BP);
    ck_assert_uint_eq(s->dr6, 0xffff0ff1);
}
END_TEST

/* The frame of a fault: #DB finds its handler before the first instruction. */
START_TEST(test_watch_delivery)
{
    static const u8 code[] = {0x0f, 0x0b};
    u64 rip, rflags;

    arm(W8, S - 40);
    ck_assert_uint_eq(run(code, sizeof(code), &rip, &rflags), EXC_DB);
    ck_assert_uint_eq(rip, RIG_TARGET + 16 * EXC_UD);
}
END_TEST

/* A stack that is watched is one #DB after another: the budget ends it. */
START_TEST(test_watch_no_end)
{
    static const u8 code[] = {0x0f, 0x0b};
    struct cpu_state *s = interp_state(rig.c);

    rig_gate(&rig, EXC_DB, RIG_CS0, RIG_TARGET + 16, 0x8e, 1); /* IST 1 */
    mem_write(rig.mem, RIG_CODE, code, sizeof(code));
    arm(W8 | 4 | 1 << 20, S - 8);
    s->dr[1] = RIG_IST1 - 8;
    rig.run = (struct interp_run){.budget = 200, .flags = INTERP_NO_WAIT};
    ck_assert_int_eq(interp_run(rig.c, &rig.run), INTERP_BUDGET);
    ck_assert_uint_eq(s->rip, RIG_TARGET + 16);
}
END_TEST

/* The read of PUSH has met it, but PUSH has not happened. */
START_TEST(test_watch_fault)
{
    static const u8 code[] = {0xff, 0x33};
    struct cpu_state *s = interp_state(rig.c);
    u64 rip, rflags;

    rig_gate(&rig, EXC_PF, RIG_CS0, RIG_TARGET + 16 * EXC_PF, 0x8e, 1);
    s->gpr[GPR_RSP] = RIG_HOLE + 0x100;
    arm(A8, D);
    s->rflags |= RFLAGS_TF;
    ck_assert_uint_eq(run(code, sizeof(code), &rip, &rflags), EXC_PF);
    ck_assert_uint_eq(s->dr6, 0xffff0ff0);
}
END_TEST

START_TEST(test_watch_tf)
{
    static const u8 code[] = {0x89, 0x03};
    struct cpu_state *s = interp_state(rig.c);
    u64 rip, rflags;

    arm(W4, D);
    s->rflags |= RFLAGS_TF;
    ck_assert_uint_eq(run(code, sizeof(code), &rip, &rflags), EXC_DB);
    ck_assert_uint_eq(rip, RIG_CODE + 2);
    ck_assert_uint_eq(s->dr6, 0xffff0ff1 | BS);
}
END_TEST

START_TEST(test_watch_port_wants_de)
{
    static const u8 code[] = {0xe6, 0x80, 0xf4};
    struct cpu_state *s = interp_state(rig.c);
    u64 rip, rflags;

    s->cr4 &= ~CR4_DE;
    arm(P1, 0x80);
    run(code, sizeof(code), &rip, &rflags);
    ck_assert_uint_eq(rip, RIG_CODE + 3);
}
END_TEST

/* Blocks before MOV DR7; the next instruction is watched. And back again. */
START_TEST(test_watch_armed_in_block)
{
    static const u8 arm[] = {0x89, 0x03, 0x0f, 0x23, 0xf8, /* mov %rax, %dr7 */
                             0x89, 0x03};
    static const u8 disarm[] = {0x0f, 0x23, 0xf8, 0x89, 0x03, 0x89, 0x03, 0xf4};
    struct cpu *c = rig.c;
    u64 rip, rflags;

    c->s.gpr[GPR_RAX] = W4;
    c->s.dr[0] = D;
    ck_assert_uint_eq(run(arm, sizeof(arm), &rip, &rflags), EXC_DB);
    ck_assert_uint_eq(rip, RIG_CODE + 7);
    ck_assert_uint_eq(c->stats.blocks, 1);
    ck_assert_ptr_eq(c->tlb, watch_tlb);

    c->s.gpr[GPR_RAX] = 0;
    c->s.rip = RIG_CODE;
    c->s.mp_state = MP_RUNNABLE;
    run(disarm, sizeof(disarm), &rip, &rflags);
    ck_assert_uint_eq(rip, RIG_CODE + sizeof(disarm));
    ck_assert_uint_eq(c->stats.blocks, 2);
    ck_assert_ptr_eq(c->tlb, c->tlb_kernel);
}
END_TEST

/* ---- alignment ---------------------------------------------------------- */

static const struct {
    const char *name;
    u8 code[8];
    u8 len;
    bool ac;
} aligns[] = {
    {"byte", {0x8a, 0x43, 1}, 3, false},
    {"word", {0x66, 0x8b, 0x43, 1}, 4, true},
    {"word, even", {0x66, 0x8b, 0x43, 2}, 4, false},
    {"dword", {0x8b, 0x43, 2}, 3, true},
    {"dword, fits", {0x8b, 0x43, 4}, 3, false},
    {"qword", {0x48, 0x89, 0x43, 4}, 4, true},
    {"read and write", {0x01, 0x43, 1}, 3, true},
    {"LOCK", {0xf0, 0x01, 0x43, 2}, 4, true},
    {"MOVUPS", {0x0f, 0x10, 0x43, 8}, 4, true},
    {"m80", {0xdb, 0x6b, 4}, 3, true},
    {"m80, fits", {0xdb, 0x6b, 8}, 3, false},
    {"FNSTENV", {0xd9, 0x73, 2}, 3, true},
    {"FNSTENV, fits", {0xd9, 0x73, 4}, 3, false},
    {"FNSTENV, words", {0x66, 0xd9, 0x73, 2}, 4, false},
    {"FXSAVE", {0x0f, 0xae, 0x43, 2}, 4, true},
    {"before #PF", {0x8b, 0x83, 2, 0, 0, 0x7f}, 6, true},
    {"MOVS", {0x48, 0xff, 0xc7, 0xa5}, 4, true},
    {"PUSH", {0x48, 0xff, 0xc4, 0x50}, 4, true},
};

static u64 align_run(unsigned int i, u8 cpl, u64 cr0, u64 ac)
{
    struct cpu_state *s = interp_state(rig.c);
    u64 rip, rflags, vector;
    u8 code[9] = {0};

    memcpy(code, aligns[i].code, aligns[i].len);
    code[aligns[i].len] = cpl ? 0xf4 /* #GP */ : 0xcc;
    s->cr0 |= cr0;
    s->rflags |= ac;
    rig_cpl(&rig, cpl);
    vector = run(code, aligns[i].len + 1u, &rip, &rflags);
    if (vector == EXC_AC) {
        ck_assert_uint_eq(rig_get(&rig, s->gpr[GPR_RSP], 8), 0);
        ck_assert(rflags & RFLAGS_RF);
        ck_assert_uint_eq(rip, RIG_CODE + (code[1] == 0xff ? 3 : 0));
    }
    return vector;
}

/* The TSS has RSP0 at a multiple of 4, so every delivery from CPL 3 shows that
 * the processor's own reads are not checked. */
START_TEST(test_watch_align)
{
    u64 vector = align_run((unsigned int)_i, 3, CR0_AM, RFLAGS_AC);

    ck_assert_msg(vector == (aligns[_i].ac ? EXC_AC : EXC_GP), "%s: %lu",
                  aligns[_i].name, vector);
}
END_TEST

START_TEST(test_watch_align_off)
{
    enum { DWORD = 3 };

    if (_i == 0)
        ck_assert_uint_eq(align_run(DWORD, 0, CR0_AM, RFLAGS_AC), EXC_BP);
    else if (_i == 1)
        ck_assert_uint_eq(align_run(DWORD, 3, 0, RFLAGS_AC), EXC_GP);
    else
        ck_assert_uint_eq(align_run(DWORD, 3, CR0_AM, 0), EXC_GP);
}
END_TEST

/* POPF sets AC in the middle of what would be one block. */
START_TEST(test_watch_align_by_popf)
{
    static const u8 code[] = {0x68, 0x02, 0x00, 0x04, 0x00, /* push $AC | 2 */
                              0x9d, 0x8b, 0x43, 0x01};
    u64 rip, rflags;

    rig.c->s.cr0 |= CR0_AM;
    rig_cpl(&rig, 3);
    ck_assert_uint_eq(run(code, sizeof(code), &rip, &rflags), EXC_AC);
    ck_assert_uint_eq(rip, RIG_CODE + 6);
    ck_assert_ptr_eq(rig.c->tlb, rig.c->tlb_kernel); /* of the handler */
}
END_TEST

Suite *suite_watch(void);
Suite *suite_watch(void)
{
    Suite *s = suite_create("watch");
    TCase *tc = tcase_create("watch");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, test_watch_break, 0, ARRAY_SIZE(breaks));
    tcase_add_test(tc, test_watch_host);
    tcase_add_loop_test(tc, test_watch_implicit, 0, 3);
    tcase_add_test(tc, test_watch_delivery);
    tcase_add_test(tc, test_watch_no_end);
    tcase_add_test(tc, test_watch_fault);
    tcase_add_test(tc, test_watch_tf);
    tcase_add_test(tc, test_watch_port_wants_de);
    tcase_add_test(tc, test_watch_armed_in_block);
    tcase_add_loop_test(tc, test_watch_align, 0, ARRAY_SIZE(aligns));
    tcase_add_loop_test(tc, test_watch_align_off, 0, 3);
    tcase_add_test(tc, test_watch_align_by_popf);
    suite_add_tcase(s, tc);
    return s;
}
