/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pv_eoi.c: end of interrupt without a write of the APIC: Linux,
 * Documentation/virt/kvm/x86/msr.rst, MSR_KVM_PV_EOI_EN.
 *
 * Bit 0 of a word that the guest has named says that it may clear the bit
 * instead of writing EOI. It is set when an interrupt is delivered that nobody
 * has to hear the end of: not a level-triggered one, whose end the IOAPIC waits
 * for, nor while another waits for it. What the guest has done with the bit is
 * looked at wherever IRR or ISR are, and before IRR gets something: so while
 * an end may be unknown to us, nothing waits for it.
 *
 * The word is this vCPU's alone, and so is all of this.
 */
#include "platform.h"

#define PV_EOI_ENABLE   1ull
#define PV_EOI_RESERVED 2ull
#define PV_EOI_BIT      1u

/* NULL: the guest uses none. */
static u32 *pv_eoi_word(const struct cpu *c, u64 msr)
{
    u64 gpa = msr & ~PV_EOI_ENABLE;

    return msr & PV_EOI_ENABLE && gpa % sizeof(u32) == 0
               ? mem_range(c->mem, gpa, sizeof(u32))
               : NULL;
}

void pv_eoi_sync(struct cpu *c, bool wanted)
{
    u32 *word = pv_eoi_word(c, c->s.msr.kvm_pv_eoi);

    if (!word || !c->lapic->pv_eoi)
        return;
    if (!(__atomic_load_n(word, __ATOMIC_RELAXED) & PV_EOI_BIT)) {
        c->lapic->pv_eoi = false;
        lapic_retire(c);
    } else if (wanted) { /* then it has to write EOI */
        c->lapic->pv_eoi = false;
        __atomic_fetch_and(word, ~PV_EOI_BIT, __ATOMIC_RELAXED);
    }
}

void pv_eoi_offer(struct cpu *c)
{
    u64 msr = c->s.msr.kvm_pv_eoi;
    u32 *word = pv_eoi_word(c, msr);

    if (!word)
        return;
    c->lapic->pv_eoi = true;
    __atomic_fetch_or(word, PV_EOI_BIT, __ATOMIC_RELAXED);
    mem_code_written(c->mem, msr & ~PV_EOI_ENABLE, sizeof(*word));
}

bool pv_eoi_set(struct cpu *c, u64 msr)
{
    if (msr & PV_EOI_RESERVED || (msr & PV_EOI_ENABLE && !pv_eoi_word(c, msr)))
        return false;
    pv_eoi_sync(c, true);
    c->s.msr.kvm_pv_eoi = msr;
    cpu_dirty(c, CPU_MSRS);
    return true;
}
