/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lapic.c: the local APIC's registers, as xAPIC page and as x2APIC MSRs, and
 * the priority logic (SDM vol. 3A chapter 10). The owner's thread only.
 */
#include "platform.h"

#define LAPIC_VERSION 0x00050014u /* integrated APIC, six LVT entries */

#define ESR_SEND_VECTOR (1u << 5)
#define ESR_REGISTER    (1u << 7)

#define ICR_STATUS    (1u << 12)
#define LVT_READ_ONLY (1u << 12 | 1u << 14) /* status, remote IRR */

/* ---- what registers there are ------------------------------------------ */

enum lapic_rights {
    R1 = 1u << 0, /* xAPIC page: it can be read */
    W1 = 1u << 1,
    N1 = 1u << 2, /* there, but reads 0 and takes nothing */
    R2 = 1u << 3, /* x2APIC MSR */
    W2 = 1u << 4,
    RO = R1 | R2,
    WO = W1 | W2,
    RW = RO | WO,
};

/* By offset / 16. SDM vol. 3A table 10-6 (which are MSRs), 10.4.7.1 (reset),
 * 10.12.1.3 (reserved bits) */
static const struct lapic_row {
    u8 rights; /* enum lapic_rights */
    u32 reset;
    u64 bits; /* of MSRs: those that a write may set; others are #GP */
} lapic_rows[PAGE_SIZE / 16] = {
    [LAPIC_ID / 16] = {.rights = RO},
    [LAPIC_VER / 16] = {RO, .reset = LAPIC_VERSION},
    [LAPIC_TPR / 16] = {RW, .bits = 0xff},
    [LAPIC_APR / 16] = {.rights = N1},
    [LAPIC_PPR / 16] = {.rights = RO},
    [LAPIC_EOI / 16] = {.rights = WO},
    [LAPIC_RRD / 16] = {.rights = N1},
    [LAPIC_LDR / 16] = {.rights = RO | W1},
    [LAPIC_DFR / 16] = {R1 | W1, .reset = 0xffffffff},
    [LAPIC_SVR / 16] = {RW, 0xff, 0x3ff},
    [LAPIC_ISR / 16 ... LAPIC_ESR / 16 - 1] = {.rights = RO},
    [LAPIC_ESR / 16] = {.rights = RW},
    /* Its status can be written, without effect, as by hardware. */
    [LAPIC_ICR / 16] = {RW, .bits = 0xffffffff000cdfff},
    [LAPIC_ICR2 / 16] = {.rights = R1 | W1},
    [LAPIC_LVT_TIMER / 16] = {RW, LVT_MASKED, 0x700ff | LVT_READ_ONLY},
    [LAPIC_LVT_THERMAL / 16] = {RW, LVT_MASKED, 0x107ff | LVT_READ_ONLY},
    [LAPIC_LVT_PC / 16] = {RW, LVT_MASKED, 0x107ff | LVT_READ_ONLY},
    [LAPIC_LVT_LINT0 / 16] = {RW, LVT_MASKED, 0x1a7ff | LVT_READ_ONLY},
    [LAPIC_LVT_LINT1 / 16] = {RW, LVT_MASKED, 0x1a7ff | LVT_READ_ONLY},
    [LAPIC_LVT_ERROR / 16] = {RW, LVT_MASKED, 0x100ff | LVT_READ_ONLY},
    [LAPIC_TMICT / 16] = {RW, .bits = 0xffffffff},
    [LAPIC_TMCCT / 16] = {.rights = RO},
    [LAPIC_TDCR / 16] = {RW, .bits = 0xb},
    [LAPIC_SELF / 16] = {W2, .bits = 0xff},
};

/* ---- bits of ISR, TMR, IRR --------------------------------------------- */

static void lapic_bit_put(struct cpu *c, unsigned int regs, u8 vector, bool on)
{
    unsigned int reg = regs + vector / 32 * 16;
    u32 bit = 1u << vector % 32, val = lapic_get(c, reg);

    lapic_set(c, reg, on ? val | bit : val & ~bit);
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
    lapic_bit_put(c, LAPIC_IRR, vector, false);
    lapic_bit_put(c, LAPIC_ISR, vector, true);
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
    lapic_bit_put(c, LAPIC_ISR, (u8)v, false);
    if (lapic_bit_test(c, LAPIC_TMR, (u8)v))
        ioapic_eoi(c->machine, (u8)v);
}

/* What the guest has ended by its word comes first. */
static void lapic_eoi(struct cpu *c)
{
    c->stats.eois++;
    pv_eoi_sync(c, true);
    lapic_retire(c);
    lapic_changed(c);
}

static void lapic_take_word(struct cpu *c, unsigned int word, bool level)
{
    _Atomic(u32) *from = &c->lapic->posted[level][word];
    unsigned int tmr = LAPIC_TMR + word * 16, irr = LAPIC_IRR + word * 16;
    u32 bits, old = lapic_get(c, tmr);

    if (atomic_load(from) == 0)
        return;
    bits = atomic_exchange(from, 0);
    lapic_set(c, tmr, level ? old | bits : old & ~bits);
    lapic_set(c, irr, lapic_get(c, irr) | bits);
}

void lapic_take(struct cpu *c)
{
    for (unsigned int i = 0; i < 8; i++) {
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
        lapic_bit_put(c, LAPIC_TMR, vector, false);
        lapic_bit_put(c, LAPIC_IRR, vector, true);
        lapic_changed(c);
    }
}

static void lapic_error(struct cpu *c, u32 bit)
{
    c->lapic->esr |= bit;
    lapic_lvt_fire(c, LAPIC_LVT_ERROR);
}

/* ---- interrupt command register ---------------------------------------- */

static void lapic_icr_send(struct cpu *c, u32 icr)
{
    u32 dest = lapic_get(c, LAPIC_ICR2);
    struct apic_msg msg = {
        .dest = lapic_is_x2(c) ? dest : dest >> 24,
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

/* ---- reading and writing them ------------------------------------------ */

static void lapic_lvt_write(struct cpu *c, unsigned int reg, u32 val)
{
    val &= (u32)lapic_rows[reg / 16].bits & ~LVT_READ_ONLY;
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
    for (unsigned int reg = LAPIC_LVT_TIMER; reg <= LAPIC_LVT_ERROR; reg += 16)
        lapic_set(c, reg, lapic_get(c, reg) | LVT_MASKED);
}

/* A register that can be written in this mode. */
static void lapic_write(struct cpu *c, unsigned int reg, u32 val)
{
    switch (reg) {
    case LAPIC_TPR:
        lapic_set(c, reg, val & 0xff);
        lapic_changed(c);
        break;
    case LAPIC_EOI:
        lapic_eoi(c);
        break;
    case LAPIC_DFR:
        lapic_set(c, reg, val | 0x0fffffff);
        break;
    case LAPIC_SVR:
        lapic_svr_write(c, val);
        break;
    case LAPIC_ESR: /* shows what has happened since the write before */
        lapic_set(c, reg, c->lapic->esr);
        c->lapic->esr = 0;
        break;
    case LAPIC_ICR:
        lapic_set(c, reg, val & ~ICR_STATUS);
        lapic_icr_send(c, val);
        break;
    case LAPIC_LVT_TIMER ... LAPIC_LVT_ERROR:
        lapic_lvt_write(c, reg, val);
        break;
    case LAPIC_TMICT:
        timer_start(c, val);
        break;
    case LAPIC_TDCR:
        timer_set_divide(c, val & 0xb);
        break;
    case LAPIC_SELF:
        lapic_icr_send(c, val | APIC_SELF << 18);
        break;
    default: /* LDR, ICR2 */
        lapic_set(c, reg, val & 0xff000000);
        break;
    }
}

/* A register that can be read in this mode. */
static u32 lapic_read(const struct cpu *c, unsigned int reg)
{
    switch (reg) {
    case LAPIC_PPR:
        return lapic_ppr(c);
    case LAPIC_TMCCT:
        return timer_current(c);
    default:
        return lapic_get(c, reg);
    }
}

/* ---- xAPIC page -------------------------------------------------------- */

bool lapic_is_mmio(const struct cpu *c, u64 gpa)
{
    const u64 on = APIC_BASE_ENABLE | APIC_BASE_EXTD;

    return (gpa & ~0xfffull) == (c->s.apic_base & APIC_BASE_ADDR) &&
           (c->s.apic_base & on) == APIC_BASE_ENABLE;
}

/* Is there such a register? They are aligned to 16 bytes, what is between them
 * is reserved. */
static u8 lapic_mmio_rights(struct cpu *c, unsigned int off)
{
    u8 rights = lapic_rows[off / 16].rights & (R1 | W1 | N1);

    if (off & 0xf)
        return 0;
    if (rights == 0)
        lapic_error(c, ESR_REGISTER);
    return rights;
}

u32 lapic_mmio_read(struct cpu *c, unsigned int off)
{
    pv_eoi_sync(c, false);
    return lapic_mmio_rights(c, off) & R1 ? lapic_read(c, off) : 0;
}

/* Writes of read-only registers have no effect. */
void lapic_mmio_write(struct cpu *c, unsigned int off, u32 val)
{
    if (lapic_mmio_rights(c, off) & W1)
        lapic_write(c, off, val);
}

/* ---- x2APIC MSRs: SDM vol. 3A table 10-6 ------------------------------- */

bool lapic_msr_read(struct cpu *c, u32 msr, u64 *val)
{
    unsigned int reg = (msr - 0x800) * 16;

    pv_eoi_sync(c, false);
    if (!lapic_is_x2(c) || !(lapic_rows[reg / 16].rights & R2))
        return false;
    *val = lapic_read(c, reg);
    if (reg == LAPIC_ICR)
        *val |= (u64)lapic_get(c, LAPIC_ICR2) << 32;
    return true;
}

bool lapic_msr_write(struct cpu *c, u32 msr, u64 val)
{
    unsigned int reg = (msr - 0x800) * 16;
    const struct lapic_row *row = &lapic_rows[reg / 16];

    if (!lapic_is_x2(c) || !(row->rights & W2) || val & ~row->bits)
        return false;
    if (reg == LAPIC_ICR)
        lapic_set(c, LAPIC_ICR2, (u32)(val >> 32));
    lapic_write(c, reg, (u32)val);
    return true;
}

u8 lapic_tpr_get(const struct cpu *c)
{
    return (u8)(lapic_get(c, LAPIC_TPR) >> 4 & 0xf);
}

void lapic_tpr_set(struct cpu *c, u8 cr8)
{
    lapic_write(c, LAPIC_TPR, (u32)cr8 << 4);
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

/* The others read these when they send: no register is for a moment what it was
 * not before and will not be. */
void lapic_regs_reset(struct cpu_state *s, unsigned int id)
{
    for (unsigned int reg = 0; reg < sizeof(s->lapic); reg += 16)
        if (reg != LAPIC_ID && reg != LAPIC_LDR)
            lapic_reg_put(s, reg, lapic_rows[reg / 16].reset);
    lapic_regs_number(s, id);
}

void lapic_reset(struct cpu *c)
{
    lapic_regs_reset(&c->s, c->id);
    for (unsigned int i = 0; i < 8; i++) {
        atomic_store(&c->lapic->posted[0][i], 0);
        atomic_store(&c->lapic->posted[1][i], 0);
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
