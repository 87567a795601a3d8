/* SPDX-License-Identifier: Apache-2.0 */
/* bsp.c: the first processor, as either boot protocol wants it: flat segments,
 * interrupts off, everything else as after reset */
#include "load.h"

#define BSP_GDT_NR        4
#define BOOT_CS           0x10
#define BOOT_DS           0x18
#define GDT_CODE          0x00af9b000000ffffull /* 64-bit code, accessed */
#define GDT_CODE32        0x00cf9b000000ffffull /* flat 32-bit code, accessed */
#define GDT_DATA          0x00cf93000000ffffull /* flat data, accessed */
#define APIC_BASE_BSP     (1u << 8)
#define APIC_BASE_ON      (1u << 11)
#define PAT_RESET         0x0007040600070406ull
#define DR6_RESET         0xffff0ff0u
#define DR7_RESET         0x400u
#define FCW_INIT          0x37f
#define MXCSR_INIT        0x1f80u
#define MXCSR_MASK        0xffffu
#define MISC_FAST_STRINGS 1u

static void bsp_set_segments(struct cpu_state *s, bool wide)
{
    struct cpu_seg data = {.limit = UINT32_MAX,
                           .sel = BOOT_DS,
                           .type = 3,
                           .s = 1,
                           .present = 1,
                           .db = 1,
                           .g = 1};

    for (int i = 0; i < SEG_NR; i++)
        s->seg[i] = data;
    s->seg[SEG_CS] = (struct cpu_seg){.limit = UINT32_MAX,
                                      .sel = BOOT_CS,
                                      .type = 11,
                                      .s = 1,
                                      .present = 1,
                                      .l = wide,
                                      .db = !wide,
                                      .g = 1};
    /* VMX enters 64-bit mode only with a busy TSS: SDM vol. 3C 26.3.1.2 */
    s->tr = (struct cpu_seg){.limit = 0x67, .type = 11, .present = 1};
    s->ldt = (struct cpu_seg){.type = 2, .unusable = 1};
}

/* An empty x87 stack and the default controls, as after FNINIT. */
static void bsp_set_fpu(struct cpu_state *s)
{
    le16_put(s->xsave, FCW_INIT);
    le32_put(s->xsave + 24, MXCSR_INIT);
    le32_put(s->xsave + 28, MXCSR_MASK);
    le64_put(s->xsave + 512, 3); /* XSTATE_BV: x87 and SSE are valid */
    s->xcr0 = 1;
}

/* Reset state of the local APIC, id 0: SDM vol. 3A 11.4.7.1 */
static void bsp_set_lapic(struct cpu_state *s)
{
    static const u16 lvt[] = {0x2f0, 0x320, 0x330, 0x340, 0x350, 0x360, 0x370};

    le32_put(s->lapic + 0x30, 0x50014);    /* version: 6 LVT entries */
    le32_put(s->lapic + 0xe0, UINT32_MAX); /* DFR: flat */
    le32_put(s->lapic + 0xf0, 0xff);       /* SVR: off */
    for (size_t i = 0; i < ARRAY_SIZE(lvt); i++)
        le32_put(s->lapic + lvt[i], 1u << 16); /* masked */
}

int bsp_write_gdt(struct mem *m, bool wide)
{
    u64 gdt[BSP_GDT_NR] = {0, 0, wide ? GDT_CODE : GDT_CODE32, GDT_DATA};

    return mem_write(m, BOOT_GDT_GPA, gdt, sizeof(gdt));
}

void bsp_init(struct cpu_state *s, u64 entry, bool wide)
{
    *s = (struct cpu_state){
        .rip = entry,
        .rflags = RFLAGS_ONE,
        .gdt = {BOOT_GDT_GPA, BSP_GDT_NR * sizeof(u64) - 1},
        .cr0 = CR0_PE | CR0_ET | CR0_NE,
        .apic_base = LAPIC_GPA | APIC_BASE_BSP | APIC_BASE_ON,
        .dr6 = DR6_RESET,
        .dr7 = DR7_RESET,
        .msr = {.pat = PAT_RESET, .misc_enable = MISC_FAST_STRINGS},
        .mp_state = MP_RUNNABLE,
    };
    bsp_set_segments(s, wide);
    bsp_set_fpu(s);
    bsp_set_lapic(s);
}
