/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter.h: seccomp filters, one for each kind of thread. The allow-lists are
 * in src/sandbox/policy*.def; tools/genfilter makes BPF arrays of them when
 * mote is built, so that at run time they are only loaded. No build and no
 * option is without them.
 *
 * Call order: filter_init() on main before the first thread; thread_start()
 * then loads each thread's filter before its function runs; main loads its own
 * when nothing is left to open.
 */
#ifndef MOTE_FILTER_H
#define MOTE_FILTER_H

#include "mote/base.h"

enum filter_kind {
    FILTER_NONE, /* unit tests */
    FILTER_MAIN, /* after lock-down */
    FILTER_VCPU_KVM,
    FILTER_VCPU_SHADOW, /* a KVM without nested paging needs more */
    FILTER_VCPU_INTERP,
    FILTER_BLK,
    FILTER_RBD, /* a disk that a worker process serves, by a ring */
    FILTER_NET,
    FILTER_CONSOLE, /* serial and virtio */
    FILTER_RNG,
    FILTER_ARCHIVE,    /* a process that reads an archive */
    FILTER_RBD_WORKER, /* a whole process: filter_load_process() */
    FILTER_RBD_WORKER_WIDE,
    FILTER_SUPERVISOR,
    FILTER_KINDS
};

#define FILTER_FD_MAX 8

/* What a thread may do: its kind's list, with the descriptors that the list's
 * ioctl rules mean; a rule whose descriptor is not given allows nothing. */
struct filter {
    enum filter_kind kind;
    unsigned int nr_fds;
    int fd[FILTER_FD_MAX]; /* vCPU: its own, the VM's; net: taps; main: stdin;
                            * archive: spool, socket */
};

/* What a denied system call does. */
enum filter_mode {
    FILTER_OFF,     /* before filter_init(): threads are not filtered */
    FILTER_ENFORCE, /* it ends the VM, named */
    FILTER_LOG,     /* the kernel's audit log names it, and it is done */
};

/* Written to report_fd by the SIGSYS handler in one piece, for the
 * supervisor. */
struct filter_report {
    u32 kind;      /* enum filter_kind of the thread */
    u32 arch;      /* AUDIT_ARCH_* */
    s64 syscall;   /* its number */
    u64 arg[6];    /* as the registers had them */
    u64 rip;       /* behind the system call */
    char name[16]; /* of the thread */
};

/*
 * Install the handler of SIGSYS, which writes a struct filter_report to
 * report_fd and ends the process with STATUS_SECCOMP. Main, once. 0 or a
 * negative errno, already reported.
 */
int filter_init(enum filter_mode mode, int report_fd);

/* Have threads a filter? Not before filter_init(). Any thread. */
bool filter_on(void);

/*
 * Load the calling thread's filter, for good. name: of the thread, for reports;
 * it must stay. 0 (also when filters are off) or a negative errno, already
 * reported.
 */
int filter_load(const struct filter *f, const char *name);

/*
 * Load a list for all threads of the calling process, and those they make. What
 * it does not allow kills the process at once, and unnamed (FILTER_LOG: is
 * logged by the kernel). no_new_privs must be set. Needs no filter_init(). 0 or
 * a negative errno, already reported.
 */
int filter_load_process(enum filter_kind kind, enum filter_mode mode);

/* "blk", "vcpu-kvm" ...: as policy.def names it. */
const char *filter_kind_name(enum filter_kind kind);

/* Number i of the distinct system calls that the kind may use; NULL behind the
 * last one. */
const char *filter_syscall(enum filter_kind kind, unsigned int i);

/* "ptrace" for 101, of mote's own ABI; NULL if there is no such call. */
const char *filter_syscall_name(s64 number);

/* The line about a report, without newline: 'thread "blk0" (blk) called
 * ptrace(0x10, ...) at 0x...'. */
void filter_describe(const struct filter_report *r, char *buf, size_t len);

#endif
