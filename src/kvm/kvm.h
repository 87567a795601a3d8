/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kvm.h: the KVM engine's private view of a VM and its vCPUs. kvm.c builds
 * them, exits.c runs them, state.c moves cpu_state in and out, probe.c finds
 * out what /dev/kvm is good for.
 */
#ifndef MOTE_KVM_KVM_H
#define MOTE_KVM_KVM_H

#include <linux/kvm.h>
#include <sys/types.h>

#include "mote/engine.h"

#define KVM_GSI_NR    24 /* pins of the in-kernel IOAPIC */
#define KVM_CPUID_MAX 256
#define KVM_WHY_MAX   160

#define KVM_SYNC_ALL                                                           \
    (KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS)

/* The ioctls' structures end in flexible arrays, which have no place inside
 * others: ours have the same layout and a size. */
struct kvm_cpuid_table { /* struct kvm_cpuid2 */
    u32 nent, padding;
    struct kvm_cpuid_entry2 entry[KVM_CPUID_MAX];
};

/* The MSRs of struct cpu_msrs that this host's KVM knows. */
#define KVM_MSR_MAX 16
struct kvm_msr_set {
    unsigned int nr;
    struct {
        u32 index;
        u32 offset; /* in struct cpu_msrs */
    } msr[KVM_MSR_MAX];
};

/*
 * Where shadow page tables must be dropped now and then, all vCPUs pass this
 * gate on their way into KVM_RUN; whoever closes it has them all outside.
 */
struct kvm_gate {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool closed;         /* under mutex */
    unsigned int inside; /* under mutex: vCPUs in KVM_RUN */
};

/* What some software KVM does unlike a processor; probe.c finds out. */
struct kvm_quirks {
    bool shadow;  /* keeps shadows of the guest's page tables */
    bool syscall; /* SYSCALL goes to LSTAR but stays at CPL 3 */
};

struct kvm {
    struct engine engine; /* first: the engine is the VM */
    struct engine_env env;
    int fd; /* /dev/kvm, borrowed */
    int vm_fd;
    pid_t pid;      /* ours; getpid() would be a system call */
    u32 run_size;   /* of a vCPU's shared page(s) */
    u32 xsave_size; /* of KVM_GET_XSAVE2, at least 4096 */
    bool has_xsave2;
    u32 sync; /* KVM_SYNC_* bits the host offers, or 0 */
    struct kvm_quirks quirks;
    struct kvm_msr_set msrs;
    struct kvm_cpuid_table cpuid; /* what GET_SUPPORTED_CPUID said, masked */
    struct kvm_gate gate;
    int irqfd[KVM_GSI_NR]; /* -1: not connected */
    struct kvm_vcpu *vcpu[ENGINE_VCPU_MAX];
};

struct kvm_vcpu {
    struct kvm *kvm;
    unsigned int id;
    int fd;
    struct kvm_run *run;
    _Atomic(bool) kicked; /* kick() sets, run() clears */
    _Atomic(pid_t) tid;   /* thread that runs it, 0 before the first run() */
    /* Its thread counts, stats() reads. */
    _Atomic(u64) exits, pio_in, pio_out, mmio_read, mmio_write;
    bool unfinished; /* an I/O exit was served; KVM takes the result at
                        the next entry */
    u32 synced;      /* groups of run->s.regs that hold KVM's state */
    u32 mp_state;    /* KVM's, if mp_known */
    bool mp_known;
    bool xsave_known; /* *xsave is what KVM has */
    bool msrs_known;  /* msrs is what KVM has */
    struct cpu_msrs msrs;
    struct kvm_xsave *xsave; /* kvm->xsave_size bytes */
};

static inline struct kvm *kvm_of(struct engine *e)
{
    return container_of(e, struct kvm, engine);
}

/* struct engine_vcpu is only ever a name for callers. */
static inline struct kvm_vcpu *kvm_vcpu_of(struct engine_vcpu *v)
{
    return (struct kvm_vcpu *)v;
}

/* ---- open.c ----------------------------------------------------------- */

/* An empty VM of that /dev/kvm. A descriptor, or a negative errno with one line
 * of what was found and what to do in why. */
int kvm_create_vm(int fd, char *why, size_t len);

/* ---- cpuid.c ---------------------------------------------------------- */

/* Read what the host can virtualise and keep what mote means to expose. */
int kvm_cpuid_init(struct kvm *k);

/* Mask c in place; tsc_deadline: the in-kernel LAPIC has that timer mode. */
void kvm_cpuid_mask(struct kvm_cpuid_table *c, bool tsc_deadline);

/* Fill in what differs from vCPU to vCPU: APIC id and topology of a machine
 * with cpus single-thread cores in one package. */
void kvm_cpuid_topology(struct kvm_cpuid_table *c, unsigned int id,
                        unsigned int cpus);

int kvm_cpuid_set(struct kvm_vcpu *v);

/* ---- msr.c ------------------------------------------------------------ */

#define MSR_TSC            0x10
#define MSR_SYSENTER_CS    0x174
#define MSR_SYSENTER_ESP   0x175
#define MSR_SYSENTER_EIP   0x176
#define MSR_MISC_ENABLE    0x1a0
#define MSR_PAT            0x277
#define MSR_TSC_DEADLINE   0x6e0
#define MSR_STAR           0xc0000081
#define MSR_LSTAR          0xc0000082
#define MSR_CSTAR          0xc0000083
#define MSR_SFMASK         0xc0000084
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_TSC_AUX        0xc0000103

/* Which MSRs of struct cpu_msrs does this KVM have? */
int kvm_msrs_init(struct kvm *k);
int kvm_msrs_boot(struct kvm_vcpu *v);
int kvm_msrs_get(struct kvm_vcpu *v, struct cpu_msrs *out);

/* Writes only what differs from what KVM has, so that the TSC of a running
 * vCPU is not put back by a visit. */
int kvm_msrs_set(struct kvm_vcpu *v, const struct cpu_msrs *in);

/* ---- state.c ---------------------------------------------------------- */

int kvm_get_state(struct engine_vcpu *ev, struct cpu_state *s, u32 parts);
int kvm_set_state(struct engine_vcpu *ev, const struct cpu_state *s, u32 parts);

/* KVM_RUN is about to run guest code: nothing known about the state holds. */
void kvm_state_forget(struct kvm_vcpu *v);

/* ---- exits.c ---------------------------------------------------------- */

/* Install the handler of the kick signal, once per process. */
int kvm_kick_init(void);
void kvm_kick(struct engine_vcpu *ev);
/* Out of KVM_RUN for a moment; run() does not return. Any thread. */
void kvm_kick_out(struct kvm_vcpu *v);
VCPU_ONLY void kvm_run(struct engine_vcpu *ev, struct vcpu_exit *x);

/* ---- syscall.c -------------------------------------------------------- */

/* After an emulation failure: was this the page fault of a SYSCALL that stayed
 * at CPL 3? Then the state is now that of a proper SYSCALL. */
bool kvm_syscall_repair(struct kvm_vcpu *v);

/* ---- kvm.c ------------------------------------------------------------ */

/* Delete and re-create the RAM slots, with all vCPUs outside KVM_RUN. */
int kvm_page_tables_written(struct engine *e);

void kvm_gate_enter(struct kvm *k);
void kvm_gate_leave(struct kvm *k);

/* ---- probe.c ---------------------------------------------------------- */

/* Two scratch VMs, about a millisecond each. */
void kvm_probe_quirks(int fd, struct kvm_quirks *out);

#endif
