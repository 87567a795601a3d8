/* SPDX-License-Identifier: Apache-2.0 */
/*
 * native.c: cases on the host CPU. A child has them at the addresses that
 * diff.h names, runs them one after the other and stores what it finds into
 * memory it shares with us. Faults come as signals, whose handler takes
 * everything from the signal frame and does not return to it. A filter allows
 * the child to wait and nothing else: any bytes may be a system call.
 */
#include <asm/ldt.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "diff.h"
#include "interp/seg.h"
#include "jail.h"

enum { LDT_READ_ALL = 0, LDT_WRITE = 0x11 }; /* modify_ldt(2) */

#define LOOK_SECONDS 5 /* at a child that has not answered */
#define HUNG_SECONDS 2 /* of its processor time: it will not come back */

/* Runs where the thread's own FS is gone, and outside of what a sanitizer
 * knows. */
#if defined(__clang__) && __clang_major__ < 15
#define BARE __attribute__((no_stack_protector, no_sanitize("all")))
#else
#define BARE __attribute__((no_stack_protector, no_sanitize("address")))
#endif

/* At the end of the code or where a branch went, in code of what size; 0: a
 * fault. In the order of enum exit_offset. */
enum how {
    HOW_END = 1,
    HOW_BRANCH,
    HOW_END32,
    HOW_BRANCH32,
    HOW_END16,
    HOW_BRANCH16,
    HOW_FAR16,
};

struct native_state {
    struct diff_regs r;
    u64 spare;
    u8 fx[512];
    u64 target;
    u32 far_offset;
    u16 far_selector;
    u16 spare2;
    u8 fpu, how, fsgs, bases; /* enum how; bases: set FS and GS */
    u64 host_rsp, host_fs, host_gs;
    u64 frame[5]; /* IRET: RIP, CS, RFLAGS, RSP, SS */
} __attribute__((aligned(16)));
_Static_assert(offsetof(struct native_state, r.rflags) == 128, "enter.S");
_Static_assert(offsetof(struct native_state, r.gs) == 144, "enter.S");
_Static_assert(offsetof(struct native_state, fx) == 208, "enter.S");
_Static_assert(offsetof(struct native_state, target) == 720, "enter.S");
_Static_assert(offsetof(struct native_state, far_offset) == 728, "enter.S");
_Static_assert(offsetof(struct native_state, fpu) == 736, "enter.S");
_Static_assert(offsetof(struct native_state, fsgs) == 738, "enter.S");
_Static_assert(offsetof(struct native_state, bases) == 739, "enter.S");
_Static_assert(offsetof(struct native_state, host_rsp) == 744, "enter.S");
_Static_assert(offsetof(struct native_state, host_gs) == 760, "enter.S");
_Static_assert(offsetof(struct native_state, frame) == 768, "enter.S");

extern struct native_state native; /* enter.S */
struct native_state native;
void native_enter(void);
void native_enter_far(void);
void native_enter_trap(void);
void native_end(void);
void native_branch(void);
void native_end32(void);
void native_branch32(void);
void native_end16(void);
void native_branch16(void);
void native_far16(void);
void native_leave(void) __attribute__((noreturn));

struct diff_shared *shared;
bool native_fsgs, native_off, native_no16;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
const bool native_sanitized = true;
#else
const bool native_sanitized = false;
#endif
static int shared_fd = -1;
static pid_t child;

/* ---- the child ------------------------------------------------------------
 */

BARE static void child_copy(void *to, const void *from, size_t n)
{
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n)::"memory");
}

BARE static void child_zero(void *to, size_t n)
{
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(0) : "memory");
}

/* A system call that the filter has caught: by which door? Nothing of it was
 * done; INT 80 has cut RAX before. */
BARE static u64 child_vector(const siginfo_t *info, const mcontext_t *m)
{
    if (info->si_signo != SIGSYS)
        return (u64)m->gregs[REG_TRAPNO];
    return info->si_arch == AUDIT_ARCH_I386 ? LINUX_SYSCALL : VEC_SYSCALL;
}

BARE static void child_signal(int sig, siginfo_t *info, void *ctx)
{
    static const u8 order[16] = {
        REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
        REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    const mcontext_t *m = &((ucontext_t *)ctx)->uc_mcontext;

    for (unsigned int i = 0; i < 16; i++)
        native.r.gpr[i] = (u64)m->gregs[order[i]];
    native.r.rip = (u64)m->gregs[REG_RIP];
    native.r.rflags = (u64)m->gregs[REG_EFL];
    native.r.vector = child_vector(info, m);
    if (info->si_signo != SIGSYS)
        native.r.error = (u64)m->gregs[REG_ERR];
    native.r.sel[SEG_CS] = (u16)m->gregs[REG_CSGSFS];
    native.r.sel[SEG_SS] = (u16)((u64)m->gregs[REG_CSGSFS] >> 48);
    native.r.cr2 = native.r.vector == EXC_PF ? (u64)m->gregs[REG_CR2] : 0;
    if (native.fpu)
        child_copy(native.fx, m->fpregs, sizeof(native.fx));
    native_leave();
}

BARE static void child_enter_trap(const struct diff_case *c)
{
    native.r.rflags &= ~RFLAGS_TF;
    native.frame[0] = case_rip(c);
    native.frame[1] = c->in.sel[SEG_CS];
    native.frame[2] = c->in.rflags;
    native.frame[3] = c->in.gpr[GPR_RSP];
    native.frame[4] = c->in.sel[SEG_SS];
    native_enter_trap();
}

/* Where the code ended: the segment. */
BARE static u16 child_end_cs(const struct diff_case *c)
{
    if (native.how == HOW_FAR16)
        return LDT_SEL(LDT_EXIT);
    if (native.how >= HOW_END16)
        return c->in.sel[SEG_CS];
    return native.how >= HOW_END32 ? USER_CS32 : USER_CS64;
}

/* Where the code came to, and the selectors that are still there. */
BARE static void child_result(const struct diff_case *c)
{
    u16 *sel = native.r.sel;

    if (native.how) {
        sel[SEG_CS] = child_end_cs(c);
        __asm__("mov %%ss, %0" : "=m"(sel[SEG_SS]));
        native.r.rip =
            case_end(c, native.how == HOW_END || native.how == HOW_END32 ||
                            native.how == HOW_END16);
    }
    __asm__("mov %%es, %0\nmov %%ds, %1\nmov %%fs, %2\nmov %%gs, %3"
            : "=m"(sel[SEG_ES]), "=m"(sel[SEG_DS]), "=m"(sel[SEG_FS]),
              "=m"(sel[SEG_GS]));
}

BARE static void child_case(const struct diff_case *c, struct diff_out *out)
{
    const u16 *sel = c->in.sel;

    for (unsigned int i = 0; i < PLANTS; i++)
        child_copy(shared->window + c->plant[i].off, c->plant[i].bytes,
                   c->plant[i].len);
    child_copy(&native.r, &c->in, sizeof(native.r));
    native.fpu = c->fpu;
    if (c->fpu)
        child_copy(native.fx, c->fx, sizeof(native.fx));
    native.r.vector = NONE;
    native.r.error = native.r.cr2 = 0;
    native.how = 0;
    native.target = c->at;
    native.far_offset = (u32)case_rip(c);
    native.far_selector = sel[SEG_CS];
    native.bases = native.fsgs && c->mode == MODE_64;
    /* 64-bit code, as this here is, does not mind what they are. */
    __asm__ volatile("mov %0, %%ds\nmov %1, %%es\nmov %2, %%ss\n"
                     "mov %3, %%fs\nmov %4, %%gs" ::"m"(sel[SEG_DS]),
                     "m"(sel[SEG_ES]), "m"(sel[SEG_SS]), "m"(sel[SEG_FS]),
                     "m"(sel[SEG_GS]));
    if (c->in.rflags & RFLAGS_TF)
        child_enter_trap(c);
    else if (c->mode == MODE_64)
        native_enter();
    else
        native_enter_far();
    child_result(c);
    for (unsigned int i = 0; i < PLANTS; i++)
        child_zero(shared->window + c->blank[i].off, c->blank[i].len);
    child_copy(&out->r, &native.r, sizeof(native.r));
    if (c->fpu)
        child_copy(out->fx, native.fx, sizeof(native.fx));
}

BARE static void child_futex(_Atomic(u32) *word, int op, u32 val)
{
    register long none __asm__("r10") = 0; /* no time-out */
    long r = SYS_futex;

    __asm__ volatile("syscall"
                     : "+a"(r)
                     : "D"(word), "S"((long)op), "d"((long)val), "r"(none)
                     : "rcx", "r11", "memory");
}

BARE static void child_loop(void)
{
    u32 seen = 0;

    jail_enter(&shared->go, &shared->done);
    for (;;) {
        while (atomic_load(&shared->go) == seen)
            child_futex(&shared->go, FUTEX_WAIT, seen);
        seen = atomic_load(&shared->go);
        for (u32 i = 0; i < shared->nr; i++) {
            atomic_store_explicit(&shared->next, i, memory_order_relaxed);
            child_case(&shared->c[i], &shared->out[i]);
        }
        atomic_store(&shared->done, seen);
        child_futex(&shared->done, FUTEX_WAKE, 1);
    }
}

static void child_catch(void)
{
    static const int sigs[] = {SIGSEGV, SIGBUS,  SIGILL,
                               SIGFPE,  SIGTRAP, SIGSYS};
    static u8 stack[65536];
    stack_t ss = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction sa = {.sa_sigaction = child_signal,
                           .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};

    if (sigaltstack(&ss, NULL) < 0)
        _exit(3);
    for (unsigned int i = 0; i < ARRAY_SIZE(sigs); i++)
        if (sigaction(sigs[i], &sa, NULL) < 0)
            _exit(3);
}

/* All of it present: a page that is not, though mapped, would fault in another
 * way at its first access. */
static void child_map(u64 at, const void *what, size_t size, int prot)
{
    off_t off = (const u8 *)what - (const u8 *)shared;

    if (mmap((void *)at, size, prot,
             MAP_SHARED | MAP_FIXED_NOREPLACE | MAP_POPULATE, shared_fd,
             off) != (void *)at)
        _exit(5);
    mlock((void *)at, size); /* as far as we may */
}

static void child_maps(u64 base)
{
    child_map(base + EXIT, shared->exits, PAGE_SIZE, PROT_READ | PROT_EXEC);
    child_map(base + CODE, shared->code, CODE_SIZE, PROT_READ | PROT_EXEC);
    child_map(base + DATA, shared->window, DATA_RW, PROT_READ | PROT_WRITE);
    child_map(base + DATA + DATA_RW, shared->window + DATA_RW,
              DATA_SIZE - DATA_RW, PROT_READ);
}

static void child_ends(u64 at)
{
    for (unsigned int i = 0; i < ENDS_PAGES; i++)
        child_map(at + i * ENDS_STEP, shared->ends + i * PAGE_SIZE, PAGE_SIZE,
                  PROT_READ | PROT_EXEC);
}

static int child_ldt_set(unsigned int i)
{
    const struct diff_seg *s = &ldt[i];
    struct user_desc d = {
        .entry_number = i,
        .base_addr = s->base,
        .limit = s->limit,
        .seg_32bit = s->db,
        .contents = s->type >> 2,
        .read_exec_only = !(s->type & TYPE_WRITE),
        .seg_not_present = s->absent,
    };

    return syscall(SYS_modify_ldt, LDT_WRITE, &d, sizeof(d)) ? errno : 0;
}

/* Linux has made of it what the guests have. */
static void child_ldt_check(void)
{
    u64 found[LDT_NR] = {0};

    syscall(SYS_modify_ldt, LDT_READ_ALL, found, sizeof(found));
    for (unsigned int i = 0; i < LDT_NR; i++)
        if (found[i] != segs_descriptor(i))
            _exit(6);
}

static void child_ldt(void)
{
    int r = 0;

    for (unsigned int i = 0; i < LDT_NR && !r; i++)
        r = child_ldt_set(i);
    shared->ldt = r;
    if (!r)
        child_ldt_check();
}

static void child_main(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGINT, SIG_IGN); /* it is ended by us */
    signal(SIGTERM, SIG_IGN);
    native.fsgs = native_fsgs;
    if (native_fsgs) {
        __asm__("rdfsbase %0" : "=r"(native.host_fs));
        __asm__("rdgsbase %0" : "=r"(native.host_gs));
    }
    child_maps(LOW);
    child_maps(HIGH);
    child_ends(HIGH + ENDS);
    child_ends(ENDS_LOW);
    child_ldt();
    child_catch();
    child_loop();
}

/* ---- our end --------------------------------------------------------------
 */

static void native_fork(void)
{
    atomic_store(&shared->go, 0);
    atomic_store(&shared->done, 0);
    fflush(NULL);
    child = fork();
    if (child == 0)
        child_main();
}

/* jmp *[rip + 2]: aligned, as AC may be set */
static void exit_jump(u8 *at, void (*to)(void))
{
    static const u8 jmp[8] = {0xff, 0x25, 2};

    memcpy(at, jmp, sizeof(jmp));
    memcpy(at + sizeof(jmp), &to, sizeof(to));
}

#define FAR_JUMP 128 /* from there, in the page of exits */

/* ljmp to 64-bit code at LOW */
static void exit_far(u8 *exits, u32 off, void (*to)(void))
{
    u8 *at = exits + off;

    if (off >= END16)
        *at++ = 0x66;
    *at = 0xea;
    le32_put(at + 1, (u32)LOW + EXIT + off + FAR_JUMP);
    le16_put(at + 5, USER_CS64);
    exit_jump(exits + off + FAR_JUMP, to);
}

static void native_exits(u8 *at)
{
    exit_jump(at + END, native_end);
    exit_jump(at + BRANCH, native_branch);
    exit_far(at, END32, native_end32);
    exit_far(at, BRANCH32, native_branch32);
    exit_far(at, END16, native_end16);
    exit_far(at, BRANCH16, native_branch16);
    exit_far(at, FAR16, native_far16);
}

int native_start(void)
{
    native_fsgs = host_has_fsgs();
    shared_fd = memfd_create("diff", MFD_CLOEXEC);
    if (shared_fd < 0 || ftruncate(shared_fd, sizeof(*shared)) < 0)
        return -1;
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED,
                  shared_fd, 0);
    if (shared == MAP_FAILED)
        return -1;
    native_exits(shared->exits);
    native_off = native_sanitized;
    if (native_off)
        return 0;
    native_fork();
    native_off = !native_run(0);
    if (native_off)
        native_stop();
    native_no16 = !native_off && shared->ldt;
    return 0;
}

void native_stop(void)
{
    if (child <= 0)
        return;
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    child = 0;
}

/* The child has died, or will not come back. */
static bool native_lost(void)
{
    int status = 0;

    if (waitpid(child, &status, WNOHANG) == 0) {
        fprintf(stderr, "diff: the child hangs\n");
        native_stop();
    } else {
        fprintf(stderr, "diff: the child died, status %#x\n", status);
    }
    native_fork();
    return false;
}

/* Processor time that the child has had; other work may keep it from any. */
static double native_seconds(void)
{
    struct timespec t = {0};
    clockid_t clock;

    if (clock_getcpuclockid(child, &clock) == 0)
        clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* It has died, or runs without end. */
static bool native_gone(double since)
{
    siginfo_t info = {0};

    return waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
           info.si_pid == child || native_seconds() - since > HUNG_SECONDS;
}

bool native_run(unsigned int nr)
{
    double start = native_seconds();
    const struct timespec most = {.tv_sec = LOOK_SECONDS};
    u32 turn = atomic_load(&shared->go) + 1;

    if (native_off)
        return true;
    shared->nr = nr;
    atomic_store(&shared->go, turn);
    syscall(SYS_futex, &shared->go, FUTEX_WAKE, 1, NULL, NULL, 0);
    while (atomic_load(&shared->done) != turn) {
        long r = syscall(SYS_futex, &shared->done, FUTEX_WAIT, turn - 1, &most,
                         NULL, 0);

        if (r < 0 && errno == ETIMEDOUT && native_gone(start))
            return native_lost();
    }
    return true;
}
