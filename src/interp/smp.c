/* SPDX-License-Identifier: Apache-2.0 */
/* smp.c: interrupt messages: who is addressed, and posting to other threads */
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform.h"

#define X2APIC_BROADCAST 0xffffffffu
#define XAPIC_BROADCAST  0xffu

/*
 * The other half of the hand-shake in plat_poll() and plat_wait(): what was
 * posted is visible before attn, attn before poll_at, all before asleep is
 * read. The owner stores poll_at or asleep first and then looks.
 */
void cpu_notify(struct cpu *c, u32 attn)
{
    atomic_fetch_or(&c->attn, attn);
    atomic_store(&c->poll_at, 0);
    if (atomic_exchange(&c->asleep, CPU_AWAKE) == CPU_SLEEPS)
        syscall(SYS_futex, &c->asleep, FUTEX_WAKE_PRIVATE, 1);
}

/* SDM vol. 3A 10.6.2.1, 10.12.10 */
static bool apic_matches_physical(const struct cpu *c, u32 dest)
{
    if (lapic_is_x2(c))
        return dest == c->id || dest == X2APIC_BROADCAST;
    return dest == lapic_get(c, LAPIC_ID) >> 24 || dest == XAPIC_BROADCAST ||
           dest == X2APIC_BROADCAST;
}

/* SDM vol. 3A 10.6.2.2, 10.12.10.2 */
static bool apic_matches_logical(const struct cpu *c, u32 dest)
{
    u32 ldr = lapic_get(c, LAPIC_LDR);

    if (dest == X2APIC_BROADCAST)
        return true;
    if (lapic_is_x2(c))
        return ldr >> 16 == dest >> 16 && (ldr & dest & 0xffff);
    ldr >>= 24;
    if (lapic_get(c, LAPIC_DFR) >> 28 == 0xf)
        return ldr & dest & 0xff;
    return dest == XAPIC_BROADCAST ||
           (ldr >> 4 == (dest >> 4 & 0xf) && (ldr & dest & 0xf));
}

bool apic_matches(const struct cpu *c, const struct apic_msg *msg)
{
    u32 dest = msg->dest;

    if (!(lapic_base(c) & APIC_BASE_ENABLE))
        return false;
    if (msg->ioapic && dest == XAPIC_BROADCAST)
        dest = X2APIC_BROADCAST;
    return msg->logical ? apic_matches_logical(c, dest)
                        : apic_matches_physical(c, dest);
}

static void apic_post(struct cpu *c, const struct apic_msg *msg)
{
    struct lapic *l = c->lapic;
    u8 v = msg->vector;

    switch (msg->mode) {
    case APIC_FIXED:
    case APIC_LOWEST:
        if (!(lapic_get(c, LAPIC_SVR) & LAPIC_SVR_ENABLE) || v < 16)
            return;
        atomic_fetch_or(&l->posted[msg->level][v / 32], 1u << v % 32);
        cpu_notify(c, ATTN_IRQ);
        return;
    case APIC_NMI:
        cpu_notify(c, ATTN_NMI);
        return;
    case APIC_INIT:
        cpu_notify(c, ATTN_INIT);
        return;
    case APIC_SIPI:
        atomic_store(&l->sipi, v);
        cpu_notify(c, ATTN_SIPI);
        return;
    default: /* SMI, ExtINT: there is no SMM and no PIC */
        return;
    }
}

static bool apic_addressed(const struct cpu *c, const struct cpu *from,
                           const struct apic_msg *msg)
{
    switch (msg->shorthand) {
    case APIC_SELF:
        return c == from;
    case APIC_ALL:
        return true;
    case APIC_OTHERS:
        return c != from;
    default:
        return apic_matches(c, msg);
    }
}

/* Lowest priority: any of the addressed may be chosen; take turns. */
void apic_send(struct machine *m, const struct cpu *from,
               const struct apic_msg *msg)
{
    bool one = msg->mode == APIC_LOWEST;
    u32 first = one ? atomic_fetch_add(&m->arb, 1) : 0;

    for (unsigned int i = 0; i < m->nr_cpus; i++) {
        struct cpu *c = m->cpu[(first + i) % m->nr_cpus];

        if (c == NULL || !apic_addressed(c, from, msg))
            continue;
        if (one && !(lapic_get(c, LAPIC_SVR) & LAPIC_SVR_ENABLE))
            continue;
        apic_post(c, msg);
        if (one)
            return;
    }
}

/* ---- INIT and SIPI: SDM vol. 3A 9.4.4.2, table 10-1 --------------------- */

/* INIT leaves alone MSRs and the TSC, x87 and SSE, and where the APIC is and
 * what number it has: others look at those to send the SIPI that comes next. */
void cpu_init(struct cpu *c)
{
    struct cpu_state *s = &c->s, reset;

    fpu_leave(c);
    cpu_state_reset(&reset, c->id);
    memcpy(s, &reset, offsetof(struct cpu_state, apic_base));
    memcpy(s->dr, reset.dr, sizeof(s->dr));
    s->dr6 = reset.dr6;
    s->dr7 = reset.dr7;
    s->event = reset.event;
    lapic_reset(c);
    s->mp_state = MP_WAIT_SIPI;
    flags_set(c, s->rflags);
    interp_state_changed(c);
}

/* Only who waits for it takes it. */
void cpu_sipi(struct cpu *c)
{
    struct cpu_seg *cs = &c->s.seg[SEG_CS];
    u8 vector = (u8)atomic_load(&c->lapic->sipi);

    if (c->s.mp_state != MP_WAIT_SIPI)
        return;
    cs->sel = (u16)(vector << 8);
    cs->base = (u64)vector << 12;
    c->s.rip = 0;
    c->s.mp_state = MP_RUNNABLE;
    cpu_update_mode(c);
}
