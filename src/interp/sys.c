/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys.c: interrupts on and off, ports, MSRs, CPUID, time, hints. Control and
 * debug registers are in sys_cr.c, descriptor tables in sys_desc.c.
 *
 * Service mode: what changes interrupts or clocks that KVM keeps is a boundary
 * (cpu_boundary), before anything has changed.
 */
#include <sched.h>
#include <sys/random.h>

#include "ops.h"
#include "watch.h"

#define PAUSES_MAX 64

/* ---- interrupts --------------------------------------------------------- */

static bool sys_iopl_ok(const struct cpu *c)
{
    return c->cpl <= (c->s.rflags >> 12 & 3);
}

/* The run loop sees mp_state at the next boundary. */
enum exec op_hlt(struct cpu *c, struct insn *in)
{
    if (cpu_boundary(c))
        return EXEC_BOUNDARY;
    c->s.mp_state = MP_HALTED;
    cpu_dirty(c, CPU_EVENTS);
    return EXEC_OK;
}

enum exec op_cli(struct cpu *c, struct insn *in)
{
    if (!sys_iopl_ok(c))
        return raise_gp(c);
    c->s.rflags &= ~RFLAGS_IF;
    return EXEC_OK;
}

/* Interrupts wait for one more instruction if IF was clear. */
enum exec op_sti(struct cpu *c, struct insn *in)
{
    if (!sys_iopl_ok(c))
        return raise_gp(c);
    if (!(c->s.rflags & RFLAGS_IF)) {
        c->s.event.shadow_sti = 1;
        cpu_dirty(c, CPU_EVENTS);
    }
    c->s.rflags |= RFLAGS_IF;
    return EXEC_OK;
}

/* ---- ports -------------------------------------------------------------- */

#define TSS_IO_BASE 0x66

/* One bit per port; an access may straddle two bytes, so two are read, and
 * both must be within the TSS. SDM vol. 1 19.5.2. */
enum exec io_check(struct cpu *c, u16 port, unsigned int size)
{
    const struct cpu_seg *tr = &c->s.tr;
    u64 base, map;
    enum exec r;

    if (sys_iopl_ok(c))
        return EXEC_OK;
    if (tr->unusable || !(tr->type & 8) || tr->limit < TSS_IO_BASE + 1)
        return raise_gp(c);
    r = sys_ld(c, tr->base + TSS_IO_BASE, 2, &base);
    if (r != EXEC_OK)
        return r;
    base += port / 8;
    if (base + 1 > tr->limit)
        return raise_gp(c);
    r = sys_ld(c, tr->base + base, 2, &map);
    if (r != EXEC_OK)
        return r;
    return map >> port % 8 & ((1u << size) - 1) ? raise_gp(c) : EXEC_OK;
}

enum exec op_in(struct cpu *c, struct insn *in)
{
    enum exec r = io_check(c, (u16)in->src, in->size);

    if (r != EXEC_OK)
        return r;
    watch_port(c, (u16)in->src, in->size);
    in->dst = cpu_bus_read(c, BUS_PIO, (u16)in->src, in->size);
    return EXEC_OK;
}

enum exec op_out(struct cpu *c, struct insn *in)
{
    enum exec r = io_check(c, (u16)in->src, in->size);

    if (r != EXEC_OK)
        return r;
    watch_port(c, (u16)in->src, in->size);
    cpu_bus_write(c, BUS_PIO, (u16)in->src, in->size, in->dst);
    return EXEC_OK;
}

/* ---- MSRs, CPUID, time -------------------------------------------------- */

/* MSRs behind which KVM keeps more than a value. */
static bool sys_msr_is_kvm(u32 msr)
{
    return msr == 0x10 || msr == 0x1b || msr == 0x6e0 ||
           (msr >= 0x800 && msr <= 0x8ff) || msr == 0x11 || msr == 0x12 ||
           msr >> 8 == 0x4b564d;
}

static void sys_set_edx_eax(struct cpu *c, u64 val)
{
    c->s.gpr[GPR_RAX] = (u32)val;
    c->s.gpr[GPR_RDX] = val >> 32;
}

static u64 sys_edx_eax(const struct cpu *c)
{
    return c->s.gpr[GPR_RDX] << 32 | (u32)c->s.gpr[GPR_RAX];
}

enum exec op_rdmsr(struct cpu *c, struct insn *in)
{
    u32 msr = (u32)c->s.gpr[GPR_RCX];
    enum exec r;
    u64 val;

    if (cpu_boundary(c) && sys_msr_is_kvm(msr))
        return EXEC_BOUNDARY;
    r = msr_read(c, msr, &val);
    if (r == EXEC_OK)
        sys_set_edx_eax(c, val);
    return r;
}

enum exec op_wrmsr(struct cpu *c, struct insn *in)
{
    u32 msr = (u32)c->s.gpr[GPR_RCX];

    if (cpu_boundary(c) && sys_msr_is_kvm(msr))
        return EXEC_BOUNDARY;
    return msr_write(c, msr, sys_edx_eax(c));
}

/* The service has no clock: KVM's, as it was when the state was taken, and
 * that only for an instruction that KVM refused. */
enum exec op_rdtsc(struct cpu *c, struct insn *in)
{
    if (c->s.cr4 & CR4_TSD && c->cpl != 0)
        return raise_gp(c);
    if (cpu_boundary(c))
        return EXEC_BOUNDARY;
    if (c->service && !cpu_need(c, CPU_MSRS))
        return EXEC_UNKNOWN;
    sys_set_edx_eax(c, c->service ? c->s.msr.tsc : time_tsc(c));
    return EXEC_OK;
}

enum exec op_rdtscp(struct cpu *c, struct insn *in)
{
    enum exec r = op_rdtsc(c, in);

    if (r == EXEC_OK)
        c->s.gpr[GPR_RCX] = (u32)c->s.msr.tsc_aux;
    return r;
}

/* No counters are offered. */
enum exec op_rdpmc(struct cpu *c, struct insn *in)
{
    return raise_gp(c);
}

enum exec op_cpuid(struct cpu *c, struct insn *in)
{
    u32 out[4];

    if (cpu_boundary(c))
        return EXEC_BOUNDARY;
    cpuid_query(c, (u32)c->s.gpr[GPR_RAX], (u32)c->s.gpr[GPR_RCX], out);
    c->s.gpr[GPR_RAX] = out[0];
    c->s.gpr[GPR_RBX] = out[1];
    c->s.gpr[GPR_RCX] = out[2];
    c->s.gpr[GPR_RDX] = out[3];
    return EXEC_OK;
}

enum exec op_rdrand(struct cpu *c, struct insn *in)
{
    u64 val = 0;

    if (getrandom(&val, in->size, GRND_NONBLOCK) != (ssize_t)in->size)
        return EXEC_UNKNOWN; /* a host without entropy: not in our time */
    in->dst = val;
    flags_set(c, (flags_get(c) & ~FLAGS_ARITH) | RFLAGS_CF);
    return EXEC_OK;
}

/* ---- hints and fences --------------------------------------------------- */

/* Guest memory is cached by the host's own caches: nothing to write back. */
enum exec op_wbinvd(struct cpu *c, struct insn *in)
{
    return EXEC_OK;
}

/* A spinning vCPU lets others run. */
enum exec op_pause(struct cpu *c, struct insn *in)
{
    if (++c->pauses < PAUSES_MAX)
        return EXEC_OK;
    c->pauses = 0;
    if (cpu_boundary(c))
        return EXEC_BOUNDARY;
    if (!c->service) /* there it is KVM that runs the spinning */
        sched_yield();
    return EXEC_OK;
}

/* Host accesses are the guest's, in program order: only what the host could
 * reorder needs a host fence. */
enum exec op_fence(struct cpu *c, struct insn *in)
{
    if ((in->reg & 7) == 6)
        __asm__ volatile("mfence" ::: "memory");
    return EXEC_OK;
}

/* ---- hypercalls, what is not there -------------------------------------- */

enum exec op_vmcall(struct cpu *c, struct insn *in)
{
    if (c->service)
        return EXEC_BOUNDARY;
    return plat_hypercall(c);
}

/* A guest of KVM may have been promised more than we can do: there it is a gap
 * of ours, which KVM fills, or what neither engine knows and gets #UD for. */
enum exec op_ud(struct cpu *c, struct insn *in)
{
    return c->service ? EXEC_UNKNOWN : raise_exc(c, EXC_UD);
}
