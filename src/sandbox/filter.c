/* SPDX-License-Identifier: Apache-2.0 */
/* filter.c: loads the filters of policy.def, names what they have denied */
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "mote/config.h"
#include "mote/filter.h"
#include "mote/log.h"
#include "mote/thread.h"

#include "filter_table.h"

#define FILTER_CODE_MAX 512

static struct {
    enum filter_mode mode;
    int report_fd; /* -1: no supervisor, the handler says it itself */
} filter_state = {.report_fd = -1};

/* Of the calling thread, for the handler. */
static _Thread_local enum filter_kind filter_kind;
static _Thread_local const char *filter_thread;

/* ---- names --------------------------------------------------------------- */

const char *filter_kind_name(enum filter_kind kind)
{
    const char *name = kind < FILTER_KINDS ? filter_table[kind].name : NULL;

    return name ? name : "unfiltered";
}

const char *filter_syscall(enum filter_kind kind, unsigned int i)
{
    const char *const *call = filter_table[kind].calls;

    for (; call && *call && i > 0; i--)
        call++;
    return call ? *call : NULL;
}

const char *filter_syscall_name(s64 number)
{
    return number >= 0 && number < filter_nr_call_names
               ? filter_call_name[number]
               : NULL;
}

/* ---- a denial, said; also in the signal handler, so without stdio -------- */

struct filter_text {
    char *buf;
    size_t len, room;
};

static void filter_put(struct filter_text *t, const char *s)
{
    for (; *s && t->len < t->room; s++)
        t->buf[t->len++] = *s;
    t->buf[t->len] = '\0';
}

static void filter_put_number(struct filter_text *t, u64 n, unsigned int base)
{
    char digits[24];
    char *p = digits + sizeof(digits) - 1;

    *p = '\0';
    do {
        *--p = "0123456789abcdef"[n % base];
        n /= base;
    } while (n);
    if (base == 16)
        filter_put(t, "0x");
    filter_put(t, p);
}

static void filter_put_call(struct filter_text *t, s64 number)
{
    const char *name = filter_syscall_name(number);

    if (name) {
        filter_put(t, name);
        return;
    }
    filter_put(t, "system call ");
    filter_put_number(t, (u64)number, 10);
}

void filter_describe(const struct filter_report *r, char *buf, size_t len)
{
    struct filter_text t = {.buf = buf, .room = len - 1};

    filter_put(&t, "thread \"");
    filter_put(&t, r->name);
    filter_put(&t, "\" (");
    filter_put(&t, filter_kind_name(r->kind));
    filter_put(&t, ") called ");
    filter_put_call(&t, r->syscall);
    for (size_t i = 0; i < ARRAY_SIZE(r->arg); i++) {
        filter_put(&t, i == 0 ? "(" : ", ");
        filter_put_number(&t, r->arg[i], 16);
    }
    filter_put(&t, ") at ");
    filter_put_number(&t, r->rip, 16);
}

static void filter_say(const struct filter_report *r)
{
    char line[400], what[300];
    struct filter_text t = {.buf = line, .room = sizeof(line) - 1};

    filter_describe(r, what, sizeof(what));
    filter_put(&t, "mote: seccomp: ");
    filter_put(&t, what);
    filter_put(&t, "; this is a bug or an attack\n");
    (void)!write(STDERR_FILENO, line, t.len);
}

/* ---- SIGSYS ---------------------------------------------------------------
 */

static void filter_on_sigsys(int sig, siginfo_t *si, void *context)
{
    const greg_t *reg = ((ucontext_t *)context)->uc_mcontext.gregs;
    struct filter_report r = {
        .kind = filter_kind,
        .arch = si->si_arch,
        .syscall = si->si_syscall,
        .arg = {(u64)reg[REG_RDI], (u64)reg[REG_RSI], (u64)reg[REG_RDX],
                (u64)reg[REG_R10], (u64)reg[REG_R8], (u64)reg[REG_R9]},
        .rip = (u64)(uintptr_t)si->si_call_addr,
    };

    for (size_t i = 0;
         filter_thread && filter_thread[i] && i < sizeof(r.name) - 1; i++)
        r.name[i] = filter_thread[i];
    if (filter_state.report_fd >= 0)
        (void)!write(filter_state.report_fd, &r, sizeof(r));
    else
        filter_say(&r);
    syscall(SYS_exit_group, STATUS_SECCOMP);
}

int filter_init(enum filter_mode mode, int report_fd)
{
    struct sigaction sa = {.sa_sigaction = filter_on_sigsys,
                           .sa_flags = SA_SIGINFO};

    sigfillset(&sa.sa_mask);
    if (sigaction(SIGSYS, &sa, NULL) < 0)
        return fail(-errno, "seccomp: handler of SIGSYS");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return fail(-errno, "seccomp: no_new_privs");
    /* A second arena would come by mmap(PROT_NONE) and mprotect(), which no
     * list has. */
    mallopt(M_ARENA_MAX, 1); /* NOLINT(concurrency-mt-unsafe): no thread yet */
    filter_state.report_fd = report_fd;
    filter_state.mode = mode;
    return 0;
}

bool filter_on(void)
{
    return filter_state.mode != FILTER_OFF;
}

/* ---- loading ------------------------------------------------------------- */

/* What is not known when mote is built. No descriptor is -1: such an ioctl
 * passes the filter, and fails. */
static void filter_fill(const struct filter *f, const struct filter_table *t,
                        struct sock_filter *code)
{
    for (unsigned int i = 0; i < t->nr_fill; i++) {
        unsigned int what = t->fill[i].what;
        u32 *k = &code[t->fill[i].at].k;

        if (what == FILTER_FILL_TGID)
            *k = (u32)getpid();
        else
            *k = what < f->nr_fds ? (u32)f->fd[what] : (u32)-1;
    }
}

/* Lists are made to trap; a foreign ABI stays deadly. */
static void filter_deny_by(u32 action, const struct filter_table *t,
                           struct sock_filter *code)
{
    for (unsigned int i = 0; i < t->nr_code; i++)
        if (BPF_CLASS(code[i].code) == BPF_RET && code[i].k == SECCOMP_RET_TRAP)
            code[i].k = action;
}

int filter_load(const struct filter *f, const char *name)
{
    const struct filter_table *t = &filter_table[f->kind];
    struct sock_filter code[FILTER_CODE_MAX];
    struct sock_fprog prog = {.len = t->nr_code, .filter = code};

    if (!filter_on() || f->kind == FILTER_NONE)
        return 0;
    assert(t->name && t->nr_code <= FILTER_CODE_MAX);
    thread_id(); /* known, from here on, without a system call */
    filter_kind = f->kind;
    filter_thread = name;
    memcpy(code, t->code, t->nr_code * sizeof(*code));
    filter_fill(f, t, code);
    if (filter_state.mode == FILTER_LOG)
        filter_deny_by(SECCOMP_RET_LOG, t, code);
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
        return fail(-errno,
                    "thread %s: seccomp filter; mote needs a Linux with "
                    "CONFIG_SECCOMP_FILTER",
                    name);
    return 0;
}

int filter_load_process(enum filter_kind kind, enum filter_mode mode)
{
    const struct filter f = {.kind = kind};
    const struct filter_table *t = &filter_table[kind];
    struct sock_filter code[FILTER_CODE_MAX];
    struct sock_fprog prog = {.len = t->nr_code, .filter = code};
    long r;

    assert(t->name && t->nr_code <= FILTER_CODE_MAX);
    memcpy(code, t->code, t->nr_code * sizeof(*code));
    filter_fill(&f, t, code);
    filter_deny_by(mode == FILTER_LOG ? SECCOMP_RET_LOG
                                      : SECCOMP_RET_KILL_PROCESS,
                   t, code);
    r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC,
                &prog);
    if (r > 0)
        return fail_rule(-ESRCH, "%s: thread %ld does not take the filter",
                         t->name, r);
    return r < 0 ? fail(-errno,
                        "%s: seccomp filter; mote needs a Linux with "
                        "CONFIG_SECCOMP_FILTER",
                        t->name)
                 : 0;
}
