/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_native.c: the same bytes on the host CPU and in the interpreter, from
 * the same registers, flags, x87, XMM and memory; everything must come out the
 * same, faults included. The instructions are in native_insns.s.
 *
 * Both see a code page and a window of two data pages with nothing around, at
 * the same linear addresses, at CPL 3. Natively the instruction is followed by
 * a jump to native_exit, which stores what it finds; signals go there too.
 *
 * Long runs: NATIVE_CASES=5000 NATIVE_SEED=7 CK_FORK=no.
 */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "native_state.h"

#define CASES  24u  /* operand sets for each instruction; or NATIVE_CASES */
#define BUDGET 100u /* of the block tier: enough that it runs a block */

asm(".include \"tests/unit/native_insns.s\"");

struct insn_entry { /* offsets from the field itself */
    s32 code, name;
    u32 len;
};
extern const struct insn_entry __start_native_table[], __stop_native_table[];

/* ---- the host CPU ------------------------------------------------------ */

struct state native; /* read and written by native_enter */
u64 native_host_rsp, native_code;
u8 native_taken;
void native_enter(void);
void native_exit(void);
void native_exit_taken(void);

#define FOR_GPR(op)                                                            \
    op("0", "rax") op("8", "rcx") op("16", "rdx") op("24", "rbx")              \
        op("40", "rbp") op("48", "rsi") op("56", "rdi") op("64", "r8")         \
            op("72", "r9") op("80", "r10") op("88", "r11") op("96", "r12")     \
                op("104", "r13") op("112", "r14") op("120", "r15")             \
                    op("32", "rsp")
#define LOAD_GPR(off, reg)  "mov native+" off "(%rip), %" reg "\n"
#define STORE_GPR(off, reg) "mov %" reg ", native+" off "(%rip)\n"

/* clang-format off */
asm(".text\n"
    ".globl native_enter, native_exit, native_exit_taken\n"
    "native_enter:\n"
    "push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
    "mov %rsp, native_host_rsp(%rip)\n"
    "fxrstor64 native+144(%rip)\n"
    "pushq native+136(%rip)\n"
    "popfq\n"
    FOR_GPR(LOAD_GPR)
    "jmp *native_code(%rip)\n"
    "native_exit_taken:\n"
    "movb $1, native_taken(%rip)\n"
    "native_exit:\n"
    FOR_GPR(STORE_GPR)
    "mov native_host_rsp(%rip), %rsp\n"
    "pushfq\n"
    "popq native+136(%rip)\n"
    "fxsave64 native+144(%rip)\n"
    "fninit\n"
    "ldmxcsr native_mxcsr(%rip)\n"
    "cld\n"
    "pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n"
    "ret\n"
    ".pushsection .rodata\n native_mxcsr: .long 0x1f80\n .popsection\n");
/* clang-format on */
_Static_assert(offsetof(struct state, rflags) == 136, "see native_enter");
_Static_assert(offsetof(struct state, fx) == 144, "see native_enter");

static void native_signal(int sig, siginfo_t *info, void *ctx)
{
    greg_t *r = ((ucontext_t *)ctx)->uc_mcontext.gregs;

    native.vector = (u64)r[REG_TRAPNO];
    native.error = (u64)r[REG_ERR];
    native.cr2 = native.vector == EXC_PF ? (u64)r[REG_CR2] : 0;
    native.rip = (u64)r[REG_RIP];
    r[REG_RIP] = (greg_t)native_exit;
}

static void native_catch(void)
{
    static const int sigs[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
    static u8 stack[65536];
    stack_t ss = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction sa = {.sa_sigaction = native_signal,
                           .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};

    ck_assert_int_eq(sigaltstack(&ss, NULL), 0);
    for (unsigned int i = 0; i < ARRAY_SIZE(sigs); i++)
        ck_assert_int_eq(sigaction(sigs[i], &sa, NULL), 0);
}

static bool native_map(u64 at, u64 len, int prot)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    u8 *guard = mmap((void *)(at - PAGE_SIZE), len + 2 * PAGE_SIZE, PROT_NONE,
                     flags, -1, 0);

    return guard == (u8 *)(at - PAGE_SIZE) &&
           mprotect((void *)at, len, prot) == 0;
}

/* jmp *[rip]; the address */
static void native_jump(u8 *at, void (*to)(void))
{
    static const u8 jmp[6] = {0xff, 0x25};

    memcpy(at, jmp, sizeof(jmp));
    memcpy(at + sizeof(jmp), &to, sizeof(to));
}

static void native_run(const u8 *bytes, unsigned int len)
{
    u8 *code = (u8 *)CODE;

    memcpy(code, bytes, len);
    native_jump(code + len, native_exit);
    native_jump(code + TAKEN, native_exit_taken);
    memcpy((void *)DATA, native.mem, WINDOW);
    native_code = CODE;
    native_taken = 0;
    native.vector = NONE;
    native_enter();
    if (native.vector == NONE)
        native.rip = native_taken ? CODE + TAKEN : CODE + len;
    memcpy(native.mem, (void *)DATA, WINDOW);
}

/* ---- the interpreter --------------------------------------------------- */

#define GPA_TABLES 0x1000ull
#define GPA_CODE   0x100000ull
#define GPA_DATA   0x200000ull
#define PTE_FLAGS  0x67ull /* present, writable, user, accessed, dirty */

struct guest {
    struct mem *mem;
    struct bus bus;
    struct cpu *cpu;
    struct interp_run run;
    u64 next_table;
};

/* Run bytes from the state in. */
typedef void guest_fn(struct guest *g, const u8 *bytes, unsigned int len,
                      const struct state *in, struct state *out);

static u64 *guest_table(struct guest *g, u64 gpa)
{
    return mem_range(g->mem, gpa, PAGE_SIZE);
}

static void guest_map(struct guest *g, u64 va, u64 gpa)
{
    u64 *entry = guest_table(g, GPA_TABLES) + (va >> 39 & 511);

    for (unsigned int shift = 30; shift >= 12; shift -= 9) {
        if (!*entry) {
            *entry = g->next_table | PTE_FLAGS;
            g->next_table += PAGE_SIZE;
        }
        entry = guest_table(g, *entry & ~0xfffull) + (va >> shift & 511);
    }
    *entry = gpa | PTE_FLAGS;
}

static void guest_new(struct guest *g)
{
    const struct interp_env env = {.mem = NULL, .cpus = 1};
    struct interp_env e = env;
    struct cpu_seg flat = {.limit = ~0u,
                           .sel = 0x2b,
                           .type = 3,
                           .s = 1,
                           .dpl = 3,
                           .present = 1,
                           .db = 1,
                           .g = 1};
    struct cpu_state *s;

    *g = (struct guest){.next_table = GPA_TABLES + PAGE_SIZE};
    ck_assert_int_eq(mem_new(&g->mem, 16 * MIB), 0);
    bus_init(&g->bus);
    e.mem = g->mem;
    e.bus = &g->bus;
    ck_assert_int_eq(interp_new(&g->cpu, &e), 0);
    guest_map(g, CODE, GPA_CODE);
    for (u64 off = 0; off < WINDOW; off += PAGE_SIZE)
        guest_map(g, DATA + off, GPA_DATA + off);
    s = interp_state(g->cpu);
    s->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
    s->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    s->efer = EFER_LME | EFER_LMA | EFER_SCE | EFER_NXE;
    s->cr3 = GPA_TABLES;
    for (unsigned int i = 0; i < SEG_NR; i++)
        s->seg[i] = flat;
    s->seg[SEG_CS].type = 11;
    s->seg[SEG_CS].sel = 0x33;
    s->seg[SEG_CS].l = 1;
    s->seg[SEG_CS].db = 0;
    interp_state_changed(g->cpu);
    g->cpu->run = &g->run;
}

static void guest_free(struct guest *g)
{
    interp_free(g->cpu);
    mem_free(g->mem);
}

static void guest_load(struct guest *g, const struct state *in, const u8 *bytes,
                       unsigned int len)
{
    static const u8 loop[2] = {0xeb, 0xfe};
    struct cpu_state *s = interp_state(g->cpu);

    memcpy(s->gpr, in->gpr, sizeof(in->gpr));
    s->rip = CODE;
    s->rflags = in->rflags;
    memcpy(s->xsave, in->fx, sizeof(in->fx));
    ck_assert_int_eq(mem_write(g->mem, GPA_CODE, bytes, len), 0);
    mem_write(g->mem, GPA_CODE + len, loop, sizeof(loop));
    mem_write(g->mem, GPA_CODE + TAKEN, loop, sizeof(loop));
    mem_code_written(g->mem, GPA_CODE, PAGE_SIZE);
    ck_assert_int_eq(mem_write(g->mem, GPA_DATA, in->mem, WINDOW), 0);
}

static void guest_store(struct guest *g, struct state *out)
{
    struct cpu_state *s = interp_state(g->cpu);

    *out = (struct state){.vector = NONE};
    memcpy(out->gpr, s->gpr, sizeof(out->gpr));
    out->rip = s->rip;
    out->rflags = flags_get(g->cpu);
    memcpy(out->fx, s->xsave, sizeof(out->fx));
    mem_read(g->mem, GPA_DATA, out->mem, WINDOW);
}

/* The step tier, until control leaves the bytes. */
static void guest_step(struct guest *g, const u8 *bytes, unsigned int len,
                       const struct state *in, struct state *out)
{
    struct cpu *c = g->cpu;
    enum exec e;

    guest_load(g, in, bytes, len);
    flags_set(c, in->rflags);
    do
        e = step_one(c);
    while (e == EXEC_AGAIN ||
           (e == EXEC_OK && c->s.rip > CODE && c->s.rip < CODE + len));
    fpu_leave(c);
    guest_store(g, out);
    if (e == EXEC_FAULT) {
        out->vector = c->exc.vector;
        out->error = c->exc.error;
        out->cr2 = c->exc.vector == EXC_PF ? c->exc.cr2 : 0;
    } else if (e != EXEC_OK) {
        out->vector = 1000 + e;
    }
}

/* The block tier: the bytes, then a jump to itself until the budget ends. Not
 * for what faults: there is no IDT. */
static void guest_block(struct guest *g, const u8 *bytes, unsigned int len,
                        const struct state *in, struct state *out)
{
    struct interp_run run = {.budget = BUDGET};
    enum interp_stop stop;

    guest_load(g, in, bytes, len);
    stop = interp_run(g->cpu, &run);
    guest_store(g, out);
    if (stop != INTERP_BUDGET)
        out->vector = 1000 + stop;
    g->cpu->run = &g->run;
}

/* ---- comparison -------------------------------------------------------- */

static const u8 *entry_code(const struct insn_entry *e)
{
    return (const u8 *)&e->code + e->code;
}

static const char *entry_name(const struct insn_entry *e)
{
    return (const char *)&e->name + e->name;
}

/* FOP, FIP, FDP are not kept, the mask of MXCSR differs, and so may what is
 * reserved. */
static void state_normalize(struct state *s)
{
    memset(s->fx + 5, 0, FX_MXCSR - 5);
    memset(s->fx + FX_MXCSR_MASK, 0, 4);
    memset(s->fx + FX_USED, 0, FX_SIZE - FX_USED);
    for (unsigned int i = 0; i < 8; i++)
        memset(s->fx + FX_ST + 16 * i + 10, 0, 6);
    s->rflags &= FLAGS_SEEN;
}

/* Page faults: what the host's kernel has mapped beyond user space is its own
 * affair, and which byte of a page it was is up to the microcode where an
 * instruction stores many parts (x87 environments). */
static void state_blur_pf(struct state *s, const struct insn_entry *e)
{
    if (s->vector != EXC_PF)
        return;
    if (s->cr2 >= 0x7ffffffff000)
        s->error &= ~1ull;
    if (strstr(entry_name(e), "fnstenv") || strstr(entry_name(e), "fnsave"))
        s->cr2 &= ~(PAGE_SIZE - 1);
}

static bool state_equal(const struct state *a, const struct state *b)
{
    return memcmp(a->gpr, b->gpr, sizeof(a->gpr)) == 0 && a->rip == b->rip &&
           a->rflags == b->rflags && a->vector == b->vector &&
           a->error == b->error && a->cr2 == b->cr2 &&
           memcmp(a->fx, b->fx, sizeof(a->fx)) == 0 &&
           memcmp(a->mem, b->mem, WINDOW) == 0;
}

static void diff_bytes(const char *what, const u8 *in, const u8 *a, const u8 *b,
                       unsigned int len)
{
    for (unsigned int i = 0; i < len; i += 8)
        if (memcmp(a + i, b + i, 8) != 0)
            fprintf(stderr, "  %s+%u: before %016lx host %016lx mote %016lx\n",
                    what, i, le64_get(in + i), le64_get(a + i),
                    le64_get(b + i));
}

static void diff_print(const struct insn_entry *e, const char *tier,
                       const struct state *in, const struct state *a,
                       const struct state *b)
{
    fprintf(stderr, "native: %s [", entry_name(e));
    for (unsigned int i = 0; i < e->len; i++)
        fprintf(stderr, "%s%02x", i ? " " : "", entry_code(e)[i]);
    fprintf(stderr, "] %s tier:\n", tier);
    fprintf(stderr, "  host rip %lx flags %lx vector %lu error %lx cr2 %lx\n",
            a->rip, a->rflags, a->vector, a->error, a->cr2);
    fprintf(stderr, "  mote rip %lx flags %lx vector %lu error %lx cr2 %lx\n",
            b->rip, b->rflags, b->vector, b->error, b->cr2);
    diff_bytes("gpr", (const u8 *)in->gpr, (const u8 *)a->gpr,
               (const u8 *)b->gpr, sizeof(a->gpr));
    diff_bytes("fx", in->fx, a->fx, b->fx, sizeof(a->fx));
    diff_bytes("mem", in->mem, a->mem, b->mem, WINDOW);
    fprintf(stderr, "  before: flags %lx rsi %lx rdi %lx rcx %lx r9 %lx\n",
            in->rflags, in->gpr[GPR_RSI], in->gpr[GPR_RDI], in->gpr[GPR_RCX],
            in->gpr[GPR_R9]);
}

/* One case on the host and on a tier of the interpreter; false: they differ. */
static bool compare_tier(struct guest *g, const struct insn_entry *e,
                         const struct state *in, guest_fn *run,
                         const char *tier)
{
    static struct state guest;

    run(g, entry_code(e), e->len, in, &guest);
    state_normalize(&guest);
    state_blur_pf(&guest, e);
    if (state_equal(&native, &guest))
        return true;
    diff_print(e, tier, in, &native, &guest);
    return false;
}

/* Cases of one instruction, up to the first that differs. */
static bool compare_insn(struct guest *g, const struct insn_entry *e, u64 cases)
{
    static struct state in;

    for (u64 n = 0; n < cases; n++) {
        rnd_state(&in, entry_code(e));
        native = in;
        native_catch();
        native_run(entry_code(e), e->len);
        sigfpe_install();
        state_normalize(&native);
        state_blur_pf(&native, e);
        if (!compare_tier(g, e, &in, guest_step, "step"))
            return false;
        if (native.vector == NONE &&
            !compare_tier(g, e, &in, guest_block, "block"))
            return false;
    }
    return true;
}

static u64 env_number(const char *name, u64 otherwise)
{
    const char *val = getenv(name);

    return val ? strtoull(val, NULL, 0) : otherwise;
}

START_TEST(test_native)
{
    const u64 cases = env_number("NATIVE_CASES", CASES);
    const u64 first = env_number("NATIVE_SEED", 0) << 32;
    const struct insn_entry *e;
    struct guest g;
    unsigned int bad = 0, insns = 0;

#ifdef __SANITIZE_THREAD__
    /* TSan keeps the low addresses that the code under test needs. */
    printf("skip - native: not under the thread sanitizer\n");
    return;
#endif

    if (!native_map(CODE, PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC) ||
        !native_map(DATA, WINDOW, PROT_READ | PROT_WRITE)) {
        printf("skip - native: no executable memory at %#llx\n", CODE);
        return;
    }
    guest_new(&g);
    for (e = __start_native_table; e < __stop_native_table; e++, insns++) {
        seed = first + insns;
        bad += !compare_insn(&g, e, cases);
    }
    guest_free(&g);
    printf("native: %u instructions, %lu cases each, %u differ\n", insns, cases,
           bad);
    fflush(stdout);
    ck_assert_uint_ge(insns, 200);
    ck_assert_uint_eq(bad, 0);
}
END_TEST

Suite *suite_native(void);
Suite *suite_native(void)
{
    Suite *s = suite_create("native");
    TCase *tc = tcase_create("native");

    if (!getenv("NATIVE_CASES"))
        tcase_set_timeout(tc, 20);
    tcase_add_test(tc, test_native);
    suite_add_tcase(s, tc);
    return s;
}
