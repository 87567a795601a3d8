/* SPDX-License-Identifier: Apache-2.0 */
/*
 * time.c: what a guest sees of time: TSC, kvmclock, the LAPIC timer; and the
 * two places where a vCPU looks up from its blocks, plat_poll() and
 * plat_wait(). No timer thread and no signal: all timers of a vCPU are one
 * number of ticks, compared at every poll and used as time-out of the sleep.
 */
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "platform.h"

#define POLL_HORIZON 4096 /* instructions, 20 to 40 us */

static u64 time_now(const struct cpu *c)
{
    return c->machine->clock.now();
}

/* ---- LAPIC timer: SDM vol. 3A 10.5.4. The bus runs at 1 GHz, as KVM's. -- */

enum timer_mode { TIMER_ONESHOT, TIMER_PERIODIC, TIMER_DEADLINE };

static unsigned int timer_mode(const struct cpu *c)
{
    return lapic_get(c, LAPIC_LVT_TIMER) >> 17 & 3;
}

/* TDCR bits 0, 1, 3: 2, 4, 8, 16, 32, 64, 128, 1. */
static unsigned int timer_divide(const struct cpu *c)
{
    u32 tdcr = lapic_get(c, LAPIC_TDCR);

    return 1u << ((((tdcr & 3) | (tdcr >> 1 & 4)) + 1) & 7);
}

static u64 timer_ticks(const struct cpu *c, u32 count)
{
    return clock_to_ticks(&c->machine->clock, (u64)count * timer_divide(c));
}

static void timer_set(struct cpu *c, u64 expires)
{
    c->lapic->expires = expires;
    atomic_store(&c->poll_at, 0); /* it may be due already */
}

void timer_start(struct cpu *c, u32 count)
{
    if (timer_mode(c) == TIMER_DEADLINE)
        return;
    lapic_set(c, LAPIC_TMICT, count);
    timer_set(c, count ? time_now(c) + timer_ticks(c, count) : TIMER_OFF);
}

/* Until it expires; 0: it is due. */
static u64 timer_left_ns(const struct cpu *c)
{
    u64 now = time_now(c), end = c->lapic->expires;

    return end > now ? clock_to_ns(&c->machine->clock, end - now) : 0;
}

u32 timer_current(const struct cpu *c)
{
    if (timer_mode(c) == TIMER_DEADLINE || c->lapic->expires == TIMER_OFF)
        return 0;
    return (u32)(timer_left_ns(c) / timer_divide(c));
}

/* A running count goes on from where it is, at the new rate. */
void timer_set_divide(struct cpu *c, u32 tdcr)
{
    u32 left = timer_current(c);

    lapic_set(c, LAPIC_TDCR, tdcr);
    if (left != 0)
        timer_set(c, time_now(c) + timer_ticks(c, left));
}

/* Going into or out of deadline mode disarms (10.5.4.1). */
void timer_set_lvt(struct cpu *c, u32 lvt)
{
    bool was = timer_mode(c) == TIMER_DEADLINE;

    lapic_set(c, LAPIC_LVT_TIMER, lvt);
    if (was == (timer_mode(c) == TIMER_DEADLINE))
        return;
    lapic_set(c, LAPIC_TMICT, 0);
    c->s.msr.tsc_deadline = 0;
    timer_set(c, TIMER_OFF);
}

/* In ticks from now, as a guest may set its TSC to anything; the sum stops
 * short of TIMER_OFF. */
void timer_set_deadline(struct cpu *c, u64 tsc)
{
    u64 now = time_now(c), tsc_now = now + c->lapic->tsc_offset, expires;

    if (timer_mode(c) != TIMER_DEADLINE)
        return;
    c->s.msr.tsc_deadline = tsc;
    if (tsc == 0)
        expires = TIMER_OFF;
    else if (tsc <= tsc_now)
        expires = now;
    else if (__builtin_add_overflow(now, tsc - tsc_now, &expires))
        expires = TIMER_OFF - 1;
    timer_set(c, expires);
}

/* Periods that have passed unseen make one interrupt. */
static u64 timer_next(const struct cpu *c, u64 now)
{
    u64 period = timer_ticks(c, lapic_get(c, LAPIC_TMICT));

    if (timer_mode(c) != TIMER_PERIODIC || period == 0)
        return TIMER_OFF;
    return c->lapic->expires +
           ((now - c->lapic->expires) / period + 1) * period;
}

static void timer_expire(struct cpu *c)
{
    u64 now;

    if (c->lapic->expires == TIMER_OFF)
        return;
    now = time_now(c);
    if (now < c->lapic->expires)
        return;
    c->lapic->expires = timer_next(c, now);
    c->s.msr.tsc_deadline = 0;
    lapic_lvt_fire(c, LAPIC_LVT_TIMER);
}

void timer_load(struct cpu *c)
{
    u32 left = lapic_get(c, LAPIC_TMCCT);

    if (timer_mode(c) == TIMER_DEADLINE)
        timer_set_deadline(c, c->s.msr.tsc_deadline);
    else
        timer_set(c, left ? time_now(c) + timer_ticks(c, left) : TIMER_OFF);
}

/* ---- kvmclock: Linux, Documentation/virt/kvm/x86/msr.rst ---------------- */

struct pvclock { /* pvclock_vcpu_time_info; aligned to 4 only */
    u32 version; /* odd while it changes */
    u32 pad;
    u64 tsc_timestamp;
    u64 system_time;
    u32 mul; /* ns = ((tsc - tsc_timestamp) << shift) * mul >> 32 */
    s8 shift;
    u8 flags;
    u8 pad2[2];
} __attribute__((packed, aligned(4)));

#define PVCLOCK_TSC_STABLE 1u
#define KVMCLOCK_ENABLE    1ull

struct wallclock { /* pvclock_wall_clock */
    u32 version;
    u32 sec;
    u32 nsec;
};

/* mul in [2^31, 2^32): as precise as the format allows. */
static void kvmclock_scale(struct pvclock *p, u64 hz)
{
    u64 tps = hz;

    for (p->shift = 0; tps > 2 * NSEC_PER_SEC; p->shift--)
        tps >>= 1;
    for (; p->shift >= 0 && tps <= NSEC_PER_SEC; p->shift++)
        tps <<= 1;
    p->mul = (u32)(((u128)NSEC_PER_SEC << (32 - p->shift)) / hz);
}

/*
 * All vCPUs count from the same tick with the same factor, which is what the
 * STABLE flag promises: readings of any two of them agree. A guest whose TSC
 * was 0 later than that gets its TSC 0 as the reference.
 */
static void kvmclock_reference(struct pvclock *p, const struct cpu *c)
{
    const struct clock *clk = &c->machine->clock;
    u64 tsc = clk->base + c->lapic->tsc_offset;

    p->tsc_timestamp = (s64)tsc < 0 ? 0 : tsc;
    p->system_time = (s64)tsc < 0 ? clock_to_ns(clk, 0 - tsc) : 0;
}

/* Readers of other vCPUs, through the vDSO, take an odd version as "again". */
static void kvmclock_publish(struct pvclock *to, const struct pvclock *p,
                             u32 version)
{
    const size_t head = offsetof(struct pvclock, tsc_timestamp);

    __atomic_exchange_n(&to->version, version * 2 - 1, __ATOMIC_SEQ_CST);
    memcpy((u8 *)to + head, (const u8 *)p + head, sizeof(*p) - head);
    __atomic_store_n(&to->version, version * 2, __ATOMIC_RELEASE);
}

void time_kvmclock_set(struct cpu *c, u64 msr_value)
{
    u64 gpa = msr_value & ~KVMCLOCK_ENABLE;
    struct pvclock p = {.flags = PVCLOCK_TSC_STABLE};
    void *to = mem_range(c->mem, gpa, sizeof(p));

    c->s.msr.kvm_system_time = msr_value;
    if (!(msr_value & KVMCLOCK_ENABLE) || !to || gpa & 3)
        return;
    kvmclock_scale(&p, c->machine->clock.hz);
    kvmclock_reference(&p, c);
    kvmclock_publish(to, &p, ++c->lapic->pv_version);
    mem_code_written(c->mem, gpa, sizeof(p));
}

/* The wall clock when kvmclock was 0. */
void time_wallclock_set(struct cpu *c, u64 msr_value)
{
    const struct clock *clk = &c->machine->clock;
    u64 boot = clk->wall_ns() - clock_to_ns(clk, time_now(c) - clk->base);
    struct wallclock w = {.version = 2,
                          .sec = (u32)(boot / NSEC_PER_SEC),
                          .nsec = (u32)(boot % NSEC_PER_SEC)};

    c->s.msr.kvm_wall_clock = msr_value;
    if (mem_write(c->mem, msr_value, &w, sizeof(w)) == 0)
        mem_code_written(c->mem, msr_value, sizeof(w));
}

/* ---- TSC --------------------------------------------------------------- */

u64 time_tsc(struct cpu *c)
{
    return c->lapic ? time_now(c) + c->lapic->tsc_offset : c->s.msr.tsc;
}

void time_tsc_set(struct cpu *c, u64 tsc)
{
    c->s.msr.tsc = tsc;
    if (c->lapic == NULL)
        return;
    c->lapic->tsc_offset = tsc - time_now(c);
    timer_set_deadline(c, c->s.msr.tsc_deadline);
    time_kvmclock_set(c, c->s.msr.kvm_system_time);
}

/* ---- polling and sleeping ---------------------------------------------- */

/* poll_at first, then the look: cpu_notify() does it the other way round, so
 * what it posts is either seen here or has set poll_at to 0 again. */
void plat_poll(struct cpu *c)
{
    atomic_store(&c->poll_at, c->icount + POLL_HORIZON);
    if (c->lapic == NULL)
        return;
    timer_expire(c);
    lapic_take(c);
    lapic_update(c);
    if (c->s.mp_state == MP_HALTED && atomic_exchange(&c->lapic->kicked, 0))
        c->s.mp_state = MP_RUNNABLE;
}

/* Is there no reason to be awake? Interrupts wake only with IF set. */
static bool plat_may_sleep(struct cpu *c)
{
    if (c->s.mp_state == MP_RUNNABLE || atomic_load(&c->attn) & ~(u32)ATTN_IRQ)
        return false;
    return c->s.mp_state == MP_WAIT_SIPI || !(c->s.rflags & RFLAGS_IF) ||
           lapic_pending(c) < 0;
}

/* Look out for whoever wakes us, or the timer, as long as that has paid of
 * late. False: in vain, and from here on a wake-up takes a system call. */
static bool plat_look_out(struct cpu *c, u64 start)
{
    u64 look = clock_to_ticks(&c->machine->clock, c->lapic->halt.ns);
    u64 now = start, end = MIN(start + look, c->lapic->expires);
    u32 looks = CPU_LOOKS;

    for (; now < end; now = time_now(c)) {
        if (atomic_load(&c->asleep) == CPU_AWAKE)
            return true;
        __builtin_ia32_pause();
    }
    return now >= c->lapic->expires ||
           !atomic_compare_exchange_strong(&c->asleep, &looks, CPU_SLEEPS);
}

/* Sleep until the timer, or for ever. One nanosecond too long, never short. */
static void plat_sleep(struct cpu *c)
{
    bool for_ever = c->lapic->expires == TIMER_OFF;
    u64 ns = timer_left_ns(c) + 1;
    struct timespec ts = {.tv_sec = (time_t)(ns / NSEC_PER_SEC),
                          .tv_nsec = (long)(ns % NSEC_PER_SEC)};

    /* Not asleep any more: somebody was here in between. A signal's end of the
     * wait is one look too many. */
    syscall(SYS_futex, &c->asleep, FUTEX_WAIT_PRIVATE, CPU_SLEEPS,
            for_ever ? NULL : &ts);
}

static void plat_halt(struct cpu *c)
{
    u64 start = time_now(c);

    if (!plat_look_out(c, start))
        plat_sleep(c);
    poll_waited(&c->lapic->halt,
                clock_to_ns(&c->machine->clock, time_now(c) - start));
}

/* asleep is set before the last look; see cpu_notify(). */
void plat_wait(struct cpu *c)
{
    alone_leave(c);
    atomic_store(&c->asleep, CPU_LOOKS);
    plat_poll(c);
    if (c->lapic != NULL && plat_may_sleep(c))
        plat_halt(c);
    atomic_store(&c->asleep, CPU_AWAKE);
    alone_enter(c);
    plat_poll(c);
}

/* ---- hypercalls: Linux, Documentation/virt/kvm/x86/hypercalls.rst ------- */

#define KVM_HC_KICK_CPU 5
#define KVM_ENOSYS      1000

static s64 plat_kick(struct cpu *c, u64 id)
{
    struct cpu *to = id < c->machine->nr_cpus ? c->machine->cpu[id] : NULL;

    if (to != NULL) {
        atomic_store(&to->lapic->kicked, 1);
        cpu_notify(to, 0);
    }
    return 0;
}

enum exec plat_hypercall(struct cpu *c)
{
    bool wide = c->mode == MODE_64;
    u64 mask = wide ? ~0ull : 0xffffffff, nr = c->s.gpr[GPR_RAX] & mask;
    s64 ret = -KVM_ENOSYS;

    if (c->cpl != 0)
        ret = -EPERM;
    else if (nr == KVM_HC_KICK_CPU && c->machine != NULL)
        ret = plat_kick(c, c->s.gpr[GPR_RCX] & mask);
    c->s.gpr[GPR_RAX] = (u64)ret & mask;
    return EXEC_OK;
}
