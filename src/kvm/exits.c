/* SPDX-License-Identifier: Apache-2.0 */
/* exits.c: KVM_RUN, every reason it returns for, and how to make it return. */
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kvm.h"
#include "mote/log.h"

/* ---- kick ------------------------------------------------------------- */

/*
 * A signal alone is lost when it arrives just before KVM_RUN. So its handler
 * sets immediate_exit in the page that this thread shares with KVM, and the
 * next KVM_RUN returns at once. `kicked` is the truth, the signal only hurry.
 */
static _Thread_local struct kvm_run *volatile kvm_kick_page;

static void kvm_kick_handler(int sig)
{
    struct kvm_run *run = kvm_kick_page;

    (void)sig;
    if (run)
        __atomic_store_n(&run->immediate_exit, 1, __ATOMIC_RELAXED);
}

int kvm_kick_init(void)
{
    struct sigaction sa = {.sa_handler = kvm_kick_handler,
                           .sa_flags = SA_RESTART};

    if (sigaction(THREAD_KICK, &sa, NULL) < 0)
        return fail(-errno, "kvm: handler of signal %d", THREAD_KICK);
    return 0;
}

/* The calling thread is the vCPU's. */
static void kvm_kick_open(struct kvm_vcpu *v)
{
    kvm_kick_page = v->run;
    if (unlikely(atomic_load(&v->tid) != thread_id()))
        atomic_store(&v->tid, thread_id());
}

/* A signal may come late, when the page is no more. */
static void kvm_kick_close(void)
{
    kvm_kick_page = NULL;
}

/* A thread that has ended is no longer found, and one that took its number
 * has the signal blocked or is a vCPU that goes back at once. */
void kvm_kick_out(struct kvm_vcpu *v)
{
    pid_t tid = atomic_load(&v->tid);

    if (tid && tid != thread_id()) /* who is here is out of KVM_RUN */
        syscall(SYS_tgkill, v->kvm->pid, tid, THREAD_KICK);
}

void kvm_kick(struct engine_vcpu *ev)
{
    struct kvm_vcpu *v = kvm_vcpu_of(ev);

    atomic_store(&v->kicked, true);
    kvm_kick_out(v);
}

/* ---- reports ---------------------------------------------------------- */

/* The bytes at RIP, for whoever reads the report. */
static void kvm_fetch_insn(struct kvm_vcpu *v, struct vcpu_exit *x)
{
    struct kvm_translation tr = {0};
    struct kvm_sregs sregs;
    struct kvm_regs regs;
    u64 room;

    if (ioctl(v->fd, KVM_GET_REGS, &regs) < 0 ||
        ioctl(v->fd, KVM_GET_SREGS, &sregs) < 0)
        return;
    tr.linear_address = sregs.cs.base + regs.rip;
    if (ioctl(v->fd, KVM_TRANSLATE, &tr) < 0 || !tr.valid)
        return;
    room = PAGE_SIZE - (tr.physical_address & (PAGE_SIZE - 1));
    x->insn_len = (u8)MIN(room, (u64)sizeof(x->insn));
    if (mem_read(v->kvm->env.mem, tr.physical_address, x->insn, x->insn_len))
        x->insn_len = 0;
}

static bool kvm_end(struct kvm_vcpu *v, struct vcpu_exit *x,
                    enum vcpu_exit_reason reason)
{
    x->reason = reason;
    kvm_fetch_insn(v, x);
    return true;
}

static bool kvm_failed(struct kvm_vcpu *v, struct vcpu_exit *x,
                       const char *text)
{
    snprintf(x->text, sizeof(x->text), "%s", text);
    return kvm_end(v, x, VCPU_FAILED);
}

/* ---- what KVM_RUN returns for ----------------------------------------- */

/* Port access; string instructions bring several at once. */
VCPU_ONLY static bool kvm_exit_io(struct kvm_vcpu *v, struct vcpu_exit *x)
{
    const __typeof__(v->run->io) io = v->run->io;
    const struct bus *bus = v->kvm->env.bus;
    u64 end;

    end = io.data_offset + (u64)io.size * io.count;
    if (io.size > 4 || end > v->kvm->run_size)
        return kvm_failed(v, x, "KVM_EXIT_IO outside the vCPU's page");
    counter_add(io.direction == KVM_EXIT_IO_OUT ? &v->pio_out : &v->pio_in, 1);
    for (u32 i = 0; i < io.count; i++) {
        u8 *p = (u8 *)v->run + io.data_offset + (u64)i * io.size;
        u64 val = 0;

        if (io.direction == KVM_EXIT_IO_OUT) {
            memcpy(&val, p, io.size);
            bus_write(bus, BUS_PIO, io.port, io.size, val);
        } else {
            val = bus_read(bus, BUS_PIO, io.port, io.size);
            memcpy(p, &val, io.size);
        }
    }
    v->unfinished = true;
    return false;
}

/* Memory without RAM behind it. An access that was cut at a page end can have
 * any length; those go byte by byte. */
VCPU_ONLY static bool kvm_exit_mmio(struct kvm_vcpu *v, struct vcpu_exit *x)
{
    const struct bus *bus = v->kvm->env.bus;
    u64 gpa = v->run->mmio.phys_addr;
    u32 len = v->run->mmio.len, step;
    u8 *data = v->run->mmio.data;

    if (len > sizeof(v->run->mmio.data))
        return kvm_failed(v, x, "KVM_EXIT_MMIO of more than 8 bytes");
    counter_add(v->run->mmio.is_write ? &v->mmio_write : &v->mmio_read, 1);
    step = (len & (len - 1)) ? 1 : len;
    for (u32 i = 0; i < len; i += step) {
        u64 val = 0;

        if (v->run->mmio.is_write) {
            memcpy(&val, data + i, step);
            bus_write(bus, BUS_MMIO, gpa + i, step, val);
        } else {
            val = bus_read(bus, BUS_MMIO, gpa + i, step);
            memcpy(data + i, &val, step);
        }
    }
    v->unfinished = true;
    return false;
}

/* insn_size is what KVM had fetched, not the length of the instruction. */
static bool kvm_exit_emulate(struct kvm_vcpu *v, struct vcpu_exit *x)
{
    const __typeof__(v->run->emulation_failure) f = v->run->emulation_failure;

    v->run->kvm_valid_regs = v->kvm->sync; /* there will be more of these */
    v->mp_state = KVM_MP_STATE_RUNNABLE;
    v->mp_known = true;
    if (v->kvm->quirks.syscall && kvm_syscall_repair(v))
        return false;
    x->reason = VCPU_EMULATE;
    if (f.ndata >= 1 &&
        (f.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES)) {
        x->insn_len = MIN(f.insn_size, (u8)sizeof(x->insn));
        memcpy(x->insn, f.insn_bytes, x->insn_len);
    }
    return true;
}

static bool kvm_exit_internal(struct kvm_vcpu *v, struct vcpu_exit *x)
{
    static const char *const name[] = {
        [KVM_INTERNAL_ERROR_SIMUL_EX] = "simultaneous exceptions",
        [KVM_INTERNAL_ERROR_DELIVERY_EV] = "exit while delivering an event",
        [KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON] = "unexpected exit reason",
    };
    u32 sub = v->run->internal.suberror;
    u32 n = MIN(v->run->internal.ndata, 2u);

    if (sub == KVM_INTERNAL_ERROR_EMULATION)
        return kvm_exit_emulate(v, x);
    snprintf(x->text, sizeof(x->text), "KVM internal error %u: %s %#llx %#llx",
             sub, sub < ARRAY_SIZE(name) && name[sub] ? name[sub] : "unknown",
             n > 0 ? (unsigned long long)v->run->internal.data[0] : 0,
             n > 1 ? (unsigned long long)v->run->internal.data[1] : 0);
    return kvm_end(v, x, VCPU_FAILED);
}

static bool kvm_exit_unknown(struct kvm_vcpu *v, struct vcpu_exit *x)
{
    u32 reason = v->run->exit_reason;

    switch (reason) {
    case KVM_EXIT_FAIL_ENTRY:
        snprintf(x->text, sizeof(x->text),
                 "KVM cannot enter the guest: hardware reason %#llx",
                 (unsigned long long)
                     v->run->fail_entry.hardware_entry_failure_reason);
        break;
    case KVM_EXIT_SYSTEM_EVENT:
        snprintf(x->text, sizeof(x->text), "KVM system event %u",
                 v->run->system_event.type);
        break;
    case KVM_EXIT_UNKNOWN:
        snprintf(x->text, sizeof(x->text), "KVM: unknown hardware exit %#llx",
                 (unsigned long long)v->run->hw.hardware_exit_reason);
        break;
    case KVM_EXIT_HLT:
        snprintf(x->text, sizeof(x->text),
                 "KVM_EXIT_HLT although KVM has the local APIC");
        break;
    default:
        snprintf(x->text, sizeof(x->text), "KVM: unknown exit %u", reason);
    }
    return kvm_end(v, x, VCPU_FAILED);
}

/* True: *x is for the caller of run(). */
VCPU_ONLY static bool kvm_exit(struct kvm_vcpu *v, struct vcpu_exit *x)
{
    switch (v->run->exit_reason) {
    case KVM_EXIT_IO:
        return kvm_exit_io(v, x);
    case KVM_EXIT_MMIO:
        return kvm_exit_mmio(v, x);
    case KVM_EXIT_INTR:
    case KVM_EXIT_IRQ_WINDOW_OPEN:
    case KVM_EXIT_SET_TPR:
        return false;
    case KVM_EXIT_SHUTDOWN:
        snprintf(x->text, sizeof(x->text), "triple fault");
        return kvm_end(v, x, VCPU_SHUTDOWN);
    case KVM_EXIT_INTERNAL_ERROR:
        return kvm_exit_internal(v, x);
    default:
        return kvm_exit_unknown(v, x);
    }
}

/* EAGAIN: an application processor has just been woken by INIT or SIPI. */
static bool kvm_error(struct kvm_vcpu *v, struct vcpu_exit *x, int err)
{
    if (err == EINTR || err == EAGAIN)
        return false;
    snprintf(x->text, sizeof(x->text), "KVM_RUN: %s (%s)", strerrordesc_np(err),
             errno_name(err));
    return kvm_end(v, x, VCPU_FAILED);
}

VCPU_ONLY static bool kvm_enter(struct kvm_vcpu *v, struct vcpu_exit *x)
{
    int r, err;

    kvm_gate_enter(v->kvm);
    kvm_state_forget(v);
    v->unfinished = false;
    r = ioctl(v->fd, KVM_RUN, 0);
    err = errno;
    kvm_gate_leave(v->kvm);
    v->synced = (u32)v->run->kvm_valid_regs;
    counter_add(&v->exits, 1);
    return r < 0 ? kvm_error(v, x, err) : kvm_exit(v, x);
}

/*
 * immediate_exit is cleared before `kicked` is read: a kick after that is
 * either seen or has its signal set immediate_exit again. While KVM still has
 * to take the result of an access, a kick goes through one more entry that
 * runs no guest code, so that no access is torn in two.
 */
VCPU_ONLY static void kvm_run_until(struct kvm_vcpu *v, struct vcpu_exit *x)
{
    bool kicked, done;

    do {
        __atomic_store_n(&v->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
        kicked = atomic_exchange(&v->kicked, false);
        if (kicked && !v->unfinished)
            return;
        if (kicked)
            __atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_RELAXED);
        done = kvm_enter(v, x);
        if (kicked)
            atomic_store(&v->kicked, true);
    } while (!done);
}

VCPU_ONLY void kvm_run(struct engine_vcpu *ev, struct vcpu_exit *x)
{
    struct kvm_vcpu *v = kvm_vcpu_of(ev);

    role_assert(ROLE_VCPU);
    *x = (struct vcpu_exit){.reason = VCPU_KICKED};
    kvm_kick_open(v);
    kvm_run_until(v, x);
    kvm_kick_close();
}
