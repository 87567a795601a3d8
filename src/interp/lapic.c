/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lapic.c: the local APIC's registers, as xAPIC page and as x2APIC MSRs, and
 * the priority logic (SDM vol. 3A chapter 10). The owner's thread only.
 */
#include "platform.h"

#define LAPIC_VERSION 0x00050014u /* integrated APIC, six LVT entries */

#define ESR_SEND_VECTOR (1u << 5)
#define ESR_REGISTER    (1u << 7)

#define ICR_STATUS (1u << 12)

/* ---- bits of ISR, TMR, IRR --------------------------------------------- */

static void lapic_bit_set(struct cpu *c, unsigned int regs, u8 vector)
{
    unsigned int reg = regs + vector / 32 * 16;

    lapic_set(c, reg, lapic_get(c, reg) | 1u << vector % 32);
}

static void lapic_bit_clear(struct cpu *c, unsigned int regs, u8 vector)
{
    unsigned int reg = regs + vector / 32 * 16;

    lapic_set(c, reg, lapic_get(c, reg) & ~(1u << vector % 32));
}

static bool lapic_bit_test(const struct cpu *c, unsigned int regs, u8 vector)
{
    return lapic_get(c, regs + vector / 32 * 16) >> vector % 32 & 1;
}

static int lapic_highest(const struct cpu *c, unsigned int regs)
{
    for (int i = 7; i >= 0; i--) {
        u32 v = lapic_get(c, regs + (unsigned int)i * 16);

        if (v != 0)
            return i * 32 + 31 - __builtin_clz(v);
    }
    return -1;
}

/* ---- priorities -------------------------------------------------------- */

/* SDM vol. 3A 10.8.3.1: the low four bits come from TPR only if it wins. */
static u8 lapic_ppr(const struct cpu *c)
{
    u8 tpr = (u8)lapic_get(c, LAPIC_TPR);
    int isr = lapic_highest(c, LAPIC_ISR);

    if (isr < 0 || tpr >> 4 >= isr >> 4)
        return tpr;
    return (u8)(isr & 0xf0);
}

int lapic_pending(struct cpu *c)
{
    int v = lapic_highest(c, LAPIC_IRR);

    if (v < 0 || !(c->s.apic_base & APIC_BASE_ENABLE) ||
        v >> 4 <= lapic_ppr(c) >> 4)
        return -1;
    return v;
}

/* A post that comes between is not lost with the bit: its sender stores
 * poll_at = 0 after setting it, and plat_poll() takes in whatever is there. */
void lapic_update(struct cpu *c)
{
    pv_eoi_sync(c, lapic_highest(c, LAPIC_IRR) >= 0);
    if (lapic_pending(c) >= 0)
        atomic_fetch_or(&c->attn, ATTN_IRQ);
    else if (atomic_load(&c->attn) & ATTN_IRQ)
        atomic_fetch_and(&c->attn, ~(u32)ATTN_IRQ);
}

/* The guest has changed what is deliverable. */
static void lapic_changed(struct cpu *c)
{
    lapic_update(c);
    if (atomic_load(&c->attn) & ATTN_IRQ)
        atomic_store(&c->poll_at, 0);
}

void lapic_accept(struct cpu *c, u8 vector)
{
    lapic_bit_clear(c, LAPIC_IRR, vector);
    lapic_bit_set(c, LAPIC_ISR, vector);
    lapic_update(c);
    if (!lapic_bit_test(c, LAPIC_TMR, vector) &&
        lapic_highest(c, LAPIC_IRR) < 0)
        pv_eoi_offer(c);
}

void lapic_retire(struct cpu *c)
{
    int v = lapic_highest(c, LAPIC_ISR);

    if (v < 0)
        return;
    lapic_bit_clear(c, LAPIC_ISR, (u8)v);
    if (lapic_bit_test(c, LAPIC_TMR, (u8)v))
        ioapic_eoi(c->machine, (u8)v);
}

/* What the guest has ended by its word comes first. */
static void lapic_eoi(struct cpu *c)
{
    c->stats->eois++;
    pv_eoi_sync(c, true);
    lapic_retire(c);
    lapic_changed(c);
}

static void lapic_take_word(struct cpu *c, unsigned int word, bool level)
{
    _Atomic(u64) *from = level ? &c->lapic->level[word] : &c->lapic->edge[word];
    u64 bits;

    if (atomic_load(from) == 0)
        return;
    bits = atomic_exchange(from, 0);
    for (unsigned int i = 0; i < 2; i++, bits >>= 32) {
        unsigned int reg = (word * 2 + i) * 16;
        u32 now = (u32)bits, tmr = lapic_get(c, LAPIC_TMR + reg);

        lapic_set(c, LAPIC_TMR + reg, level ? tmr | now : tmr & ~now);
        lapic_set(c, LAPIC_IRR + reg, lapic_get(c, LAPIC_IRR + reg) | now);
    }
}

void lapic_take(struct cpu *c)
{
    for (unsigned int i = 0; i < 4; i++) {
        lapic_take_word(c, i, false);
        lapic_take_word(c, i, true);
    }
}

/* ---- local interrupts and errors --------------------------------------- */

void lapic_lvt_fire(struct cpu *c, unsigned int lvt)
{
    u32 val = lapic_get(c, lvt);
    u8 vector = (u8)val;

    if (val & LVT_MASKED)
        return;
    if (lvt != LAPIC_LVT_TIMER && (val >> 8 & 7) == APIC_NMI) {
        cpu_notify(c, ATTN_NMI);
    } else if (vector >= 16) {
        lapic_bit_clear(c, LAPIC_TMR, vector);
        lapic_bit_set(c, LAPIC_IRR, vector);
        lapic_changed(c);
    }
}

static void lapic_error(struct cpu *c, u32 bit)
{
    c->lapic->esr |= bit;
    lapic_lvt_fire(c, LAPIC_LVT_ERROR);
}

/* ---- interrupt command register ---------------------------------------- */

static void lapic_icr_send(struct cpu *c, u32 icr, u32 dest)
{
    struct apic_msg msg = {
        .dest = dest,
        .vector = (u8)icr,
        .mode = icr >> 8 & 7,
        .logical = icr >> 11 & 1,
        .shorthand = icr >> 18 & 3,
    };

    if (msg.mode == APIC_INIT && (icr >> 14 & 3) == 2)
        return; /* INIT level de-assert: nothing since the Pentium 4 */
    if (msg.mode <= APIC_LOWEST && msg.vector < 16)
        lapic_error(c, ESR_SEND_VECTOR);
    else
        apic_send(c->machine, c, &msg);
}

/* ---- register writes --------------------------------------------------- */

static const struct lvt {
    u16 reg;
    u32 bits; /* that can be written */
} lapic_lvts[] = {
    {LAPIC_LVT_TIMER, 0x700ff}, {LAPIC_LVT_THERMAL, 0x107ff},
    {LAPIC_LVT_PC, 0x107ff},    {LAPIC_LVT_LINT0, 0x1a7ff},
    {LAPIC_LVT_LINT1, 0x1a7ff}, {LAPIC_LVT_ERROR, 0x100ff},
};

static void lapic_lvt_write(struct cpu *c, unsigned int reg, u32 val)
{
    val &= lapic_lvts[(reg - LAPIC_LVT_TIMER) / 16].bits;
    if (!(lapic_get(c, LAPIC_SVR) & LAPIC_SVR_ENABLE))
        val |= LVT_MASKED;
    if (reg == LAPIC_LVT_TIMER)
        timer_set_lvt(c, val);
    else
        lapic_set(c, reg, val);
}

/* SDM vol. 3A 10.4.7.2: software-disabling masks every LVT entry. What is in
 * IRR and ISR stays and is served. */
static void lapic_svr_write(struct cpu *c, u32 val)
{
    lapic_set(c, LAPIC_SVR, val & 0x3ff);
    if (val & LAPIC_SVR_ENABLE)
        return;
    for (unsigned int i = 0; i < ARRAY_SIZE(lapic_lvts); i++)
        lapic_set(c, lapic_lvts[i].reg,
                  lapic_get(c, lapic_lvts[i].reg) | LVT_MASKED);
}

/* A write of ESR shows what has happened since the one before. */
static void lapic_esr_write(struct cpu *c)
{
    lapic_set(c, LAPIC_ESR, c->lapic->esr);
    c->lapic->esr = 0;
}

static void lapic_tpr_write(struct cpu *c, u8 tpr)
{
    lapic_set(c, LAPIC_TPR, tpr);
    lapic_changed(c);
}

/* Registers alike in both modes. False: there is none to write here. */
static bool lapic_write(struct cpu *c, unsigned int reg, u32 val)
{
    switch (reg) {
    case LAPIC_TPR:
        lapic_tpr_write(c, (u8)val);
        return true;
    case LAPIC_EOI:
        lapic_eoi(c);
        return true;
    case LAPIC_SVR:
        lapic_svr_write(c, val);
        return true;
    case LAPIC_ESR:
        lapic_esr_write(c);
        return true;
    case LAPIC_LVT_TIMER:
    case LAPIC_LVT_THERMAL:
    case LAPIC_LVT_PC:
    case LAPIC_LVT_LINT0:
    case LAPIC_LVT_LINT1:
    case LAPIC_LVT_ERROR:
        lapic_lvt_write(c, reg, val);
        return true;
    case LAPIC_TMICT:
        timer_start(c, val);
        return true;
    case LAPIC_TDCR:
        timer_set_divide(c, val & 0xb);
        return true;
    default:
        return false;
    }
}

/* False: there is no register to read here. */
static bool lapic_read(const struct cpu *c, unsigned int reg, u32 *val)
{
    switch (reg) {
    case LAPIC_PPR:
        *val = lapic_ppr(c);
        return true;
    case LAPIC_TMCCT:
        *val = timer_current(c);
        return true;
    case LAPIC_ID:
    case LAPIC_VER:
    case LAPIC_TPR:
    case LAPIC_LDR:
    case LAPIC_SVR:
    case LAPIC_ISR ... LAPIC_ESR:
    case LAPIC_ICR:
    case LAPIC_LVT_TIMER ... LAPIC_TMICT:
    case LAPIC_TDCR:
        *val = lapic_get(c, reg);
        return true;
    default:
        return false;
    }
}

/* ---- xAPIC page -------------------------------------------------------- */

bool lapic_is_mmio(const struct cpu *c, u64 gpa)
{
    const u64 on = APIC_BASE_ENABLE | APIC_BASE_EXTD;

    return c->lapic != NULL &&
           (gpa & ~0xfffull) == (c->s.apic_base & APIC_BASE_ADDR) &&
           (c->s.apic_base & on) == APIC_BASE_ENABLE;
}

u32 lapic_mmio_read(struct cpu *c, unsigned int off)
{
    u32 val = 0;

    pv_eoi_sync(c, false);
    if (off & 0xf)
        return 0; /* registers are aligned to 16 bytes, the rest reserved */
    switch (off) {
    case LAPIC_APR:
    case LAPIC_EOI:
    case LAPIC_RRD:
        return 0;
    case LAPIC_DFR:
    case LAPIC_ICR2:
        return lapic_get(c, off);
    default:
        if (!lapic_read(c, off, &val))
            lapic_error(c, ESR_REGISTER);
        return val;
    }
}

void lapic_mmio_write(struct cpu *c, unsigned int off, u32 val)
{
    if (off & 0xf)
        return;
    switch (off) {
    case LAPIC_APR:
    case LAPIC_RRD:
        break;
    case LAPIC_LDR:
        lapic_set(c, off, val & 0xff000000);
        break;
    case LAPIC_DFR:
        lapic_set(c, off, val | 0x0fffffff);
        break;
    case LAPIC_ICR2:
        lapic_set(c, off, val & 0xff000000);
        break;
    case LAPIC_ICR:
        lapic_set(c, off, val & ~ICR_STATUS);
        lapic_icr_send(c, val, lapic_get(c, LAPIC_ICR2) >> 24);
        break;
    default: /* writes of read-only registers have no effect */
        if (!lapic_write(c, off, val) && !lapic_read(c, off, &val))
            lapic_error(c, ESR_REGISTER);
        break;
    }
}

/* ---- x2APIC MSRs: SDM vol. 3A table 10-6 ------------------------------- */

bool lapic_msr_read(struct cpu *c, u32 msr, u64 *val)
{
    unsigned int reg = (msr - 0x800) * 16;
    u32 low;

    pv_eoi_sync(c, false);
    if (!lapic_is_x2(c) || !lapic_read(c, reg, &low))
        return false;
    *val = low;
    if (reg == LAPIC_ICR)
        *val |= (u64)lapic_get(c, LAPIC_ICR2) << 32;
    return true;
}

/* Bits that may be set in a write; others are #GP (10.12.1.3). */
static u64 lapic_msr_mask(unsigned int reg)
{
    switch (reg) {
    case LAPIC_EOI:
    case LAPIC_ESR:
        return 0;
    case LAPIC_TPR:
    case LAPIC_SELF:
        return 0xff;
    case LAPIC_SVR:
        return 0x3ff;
    case LAPIC_TDCR:
        return 0xb;
    case LAPIC_ICR:
        return 0xffffffff000cdfffull; /* bit 12 is ignored, as by hardware */
    case LAPIC_LVT_TIMER ... LAPIC_LVT_ERROR:
        return lapic_lvts[(reg - LAPIC_LVT_TIMER) / 16].bits | 0x5000;
    default:
        return 0xffffffff;
    }
}

bool lapic_msr_write(struct cpu *c, u32 msr, u64 val)
{
    unsigned int reg = (msr - 0x800) * 16;

    if (!lapic_is_x2(c) || val & ~lapic_msr_mask(reg))
        return false;
    switch (reg) {
    case LAPIC_ICR:
        lapic_set(c, LAPIC_ICR, (u32)val & ~ICR_STATUS);
        lapic_set(c, LAPIC_ICR2, (u32)(val >> 32));
        lapic_icr_send(c, (u32)val, (u32)(val >> 32));
        return true;
    case LAPIC_SELF:
        lapic_icr_send(c, (u32)val | APIC_SELF << 18, 0);
        return true;
    default:
        return lapic_write(c, reg, (u32)val);
    }
}

u8 lapic_tpr_get(const struct cpu *c)
{
    return (u8)(lapic_get(c, LAPIC_TPR) >> 4 & 0xf);
}

void lapic_tpr_set(struct cpu *c, u8 cr8)
{
    lapic_tpr_write(c, (u8)(cr8 << 4));
}

/* ---- reset, mode, state ------------------------------------------------ */

static void lapic_reg_put(struct cpu_state *s, unsigned int reg, u32 val)
{
    __atomic_store_n((u32 *)(void *)(s->lapic + reg), val, __ATOMIC_RELAXED);
}

/* SDM vol. 3A 10.12.5.1: in x2APIC mode ID and LDR follow from the number. */
static void lapic_regs_number(struct cpu_state *s, unsigned int id)
{
    bool x2 = s->apic_base & APIC_BASE_EXTD;

    lapic_reg_put(s, LAPIC_ID, x2 ? id : id << 24);
    lapic_reg_put(s, LAPIC_LDR, x2 ? id >> 4 << 16 | 1u << (id & 15) : 0);
}

/* SDM vol. 3A 10.4.7.1 */
static u32 lapic_reset_value(unsigned int reg)
{
    switch (reg) {
    case LAPIC_VER:
        return LAPIC_VERSION;
    case LAPIC_DFR:
        return 0xffffffff;
    case LAPIC_SVR:
        return 0xff;
    case LAPIC_LVT_TIMER ... LAPIC_LVT_ERROR:
        return LVT_MASKED;
    default:
        return 0;
    }
}

/* The others read these when they send: no register is for a moment what it was
 * not before and will not be. */
void lapic_regs_reset(struct cpu_state *s, unsigned int id)
{
    for (unsigned int reg = 0; reg < sizeof(s->lapic); reg += 16)
        if (reg != LAPIC_ID && reg != LAPIC_LDR)
            lapic_reg_put(s, reg, lapic_reset_value(reg));
    lapic_regs_number(s, id);
}

void lapic_reset(struct cpu *c)
{
    lapic_regs_reset(&c->s, c->id);
    for (unsigned int i = 0; i < 4; i++) {
        atomic_store(&c->lapic->edge[i], 0);
        atomic_store(&c->lapic->level[i], 0);
    }
    c->lapic->esr = 0;
    c->lapic->pv_eoi = false;
    c->s.msr.kvm_pv_eoi = 0;
    c->s.msr.tsc_deadline = 0;
    c->lapic->expires = TIMER_OFF;
}

/* SDM vol. 3A 10.12.5: which changes of EN and EXTD are possible. */
static bool lapic_base_allowed(u64 old, u64 val)
{
    if (val &
        ~(APIC_BASE_ADDR | APIC_BASE_ENABLE | APIC_BASE_EXTD | APIC_BASE_BSP))
        return false;
    if (!(val & APIC_BASE_ENABLE))
        return !(val & APIC_BASE_EXTD);
    if (old & APIC_BASE_EXTD)
        return val & APIC_BASE_EXTD;
    return old & APIC_BASE_ENABLE || !(val & APIC_BASE_EXTD);
}

bool lapic_base_write(struct cpu *c, u64 val)
{
    u64 old = c->s.apic_base;

    if (!lapic_base_allowed(old, val))
        return false;
    __atomic_store_n(&c->s.apic_base, val, __ATOMIC_RELAXED);
    if (!(val & APIC_BASE_ENABLE))
        lapic_reset(c);
    else if ((old ^ val) & APIC_BASE_EXTD)
        lapic_regs_number(&c->s, c->id);
    if (old != val)
        mmu_flush_all(c); /* the page may have covered RAM, or does now */
    lapic_changed(c);
    return true;
}

void lapic_save(struct cpu *c)
{
    lapic_take(c);
    lapic_update(c);
    pv_eoi_sync(c, true);
    lapic_set(c, LAPIC_PPR, lapic_ppr(c));
    lapic_set(c, LAPIC_TMCCT, timer_current(c));
    c->s.cr8 = lapic_tpr_get(c);
}

/* A page without a version was never a LAPIC's: start from RESET. */
void lapic_load(struct cpu *c)
{
    if (lapic_get(c, LAPIC_VER) == 0)
        lapic_regs_reset(&c->s, c->id);
    timer_load(c);
    lapic_changed(c);
}
