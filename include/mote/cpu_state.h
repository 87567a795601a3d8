/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpu_state.h: the complete architectural state of one x86-64 vCPU, as a plain
 * struct. It is the only form in which state crosses engines, snapshots and
 * tests. Field names and meanings are those of the SDM / APM; bits that are
 * reserved are zero. Owned by the vCPU's thread.
 */
#ifndef MOTE_CPU_STATE_H
#define MOTE_CPU_STATE_H

#include "mote/base.h"

/* in the order of instruction encodings */
enum gpr {
    GPR_RAX,
    GPR_RCX,
    GPR_RDX,
    GPR_RBX,
    GPR_RSP,
    GPR_RBP,
    GPR_RSI,
    GPR_RDI,
    GPR_R8,
    GPR_R9,
    GPR_R10,
    GPR_R11,
    GPR_R12,
    GPR_R13,
    GPR_R14,
    GPR_R15,
    GPR_NONE, /* reads 0: "no base", "no index" of an address */
    GPR_NR
};

/* in the order of the Sreg encoding */
enum seg_id { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_NR };

/* A segment register with its hidden part. limit is in bytes, expanded. */
struct cpu_seg {
    u64 base;
    u32 limit;
    u16 sel;
    u8 type; /* descriptor bits 40..43 */
    u8 s;    /* 1: code or data, 0: system */
    u8 dpl;
    u8 present;
    u8 avl;
    u8 l;
    u8 db;
    u8 g;
    u8 unusable; /* null selector */
    u8 spare;    /* 0: no padding, so that states compare as bytes */
};

struct cpu_table { /* GDTR, IDTR */
    u64 base;
    u16 limit;
};

enum cpu_mp_state {
    MP_RUNNABLE,
    MP_HALTED,    /* HLT, until an interrupt */
    MP_WAIT_SIPI, /* an application processor after INIT */
};

/* What is on its way at an instruction boundary. */
struct cpu_event {
    u8 exc_valid; /* an exception to deliver before the next instruction */
    u8 exc_vector;
    u8 exc_has_error;
    u8 exc_soft; /* INT3, INTO, INT n: the pushed RIP is as it stands */
    u32 exc_error;
    u8 irq_valid; /* an external interrupt, accepted but not yet delivered */
    u8 irq_vector;
    u8 irq_soft;
    u8 nmi_injected;
    u8 nmi_pending;
    u8 nmi_masked; /* until IRET */
    u8 shadow_sti; /* interrupts blocked for one instruction */
    u8 shadow_mov_ss;
};

/* Parts, for partial transfers and for "has been changed". */
enum cpu_part {
    CPU_REGS = 1u << 0,   /* gpr rip rflags */
    CPU_SREGS = 1u << 1,  /* seg ldt tr gdt idt cr* efer apic_base */
    CPU_EVENTS = 1u << 2, /* event, mp_state */
    CPU_DEBUG = 1u << 3,  /* dr* */
    CPU_FPU = 1u << 4,    /* the legacy 512 bytes of xsave */
    CPU_XSAVE = 1u << 5,  /* xsave beyond 512 bytes, xcr0 */
    CPU_MSRS = 1u << 6,   /* struct cpu_msrs */
    CPU_LAPIC = 1u << 7,
    CPU_ALL = 0xff
};

struct cpu_msrs {
    u64 star, lstar, cstar, sfmask, kernel_gs_base;
    u64 sysenter_cs, sysenter_esp, sysenter_eip;
    u64 tsc_aux, pat, misc_enable;
    u64 tsc;          /* guest TSC when the state was taken */
    u64 tsc_deadline; /* 0: not armed */
    u64 kvm_system_time, kvm_wall_clock, kvm_pv_eoi;
};

#define XSAVE_SIZE 4096

struct cpu_state {
    u64 gpr[GPR_NR]; /* gpr[GPR_NONE] is always 0 */
    u64 rip;
    u64 rflags; /* bit 1 set */
    struct cpu_seg seg[SEG_NR];
    struct cpu_seg ldt, tr;
    struct cpu_table gdt, idt;
    u64 cr0, cr2, cr3, cr4, cr8, efer, apic_base;
    u64 dr[4], dr6, dr7;
    struct cpu_msrs msr;
    u32 mp_state; /* enum cpu_mp_state */
    struct cpu_event event;
    u64 xcr0;
    /* XSAVE area in standard format; its first 512 bytes are the FXSAVE image
     * and hold x87, MMX, XMM and MXCSR. */
    u8 xsave[XSAVE_SIZE] __attribute__((aligned(64)));
    /* LAPIC registers at their xAPIC offsets, 16 bytes apart. */
    u8 lapic[1024];
};

/* CR0, CR4, EFER, RFLAGS bits: SDM vol. 3A 2.3, 2.5; APM vol. 2 3.1 */
#define CR0_PE (1ull << 0)
#define CR0_MP (1ull << 1)
#define CR0_EM (1ull << 2)
#define CR0_TS (1ull << 3)
#define CR0_ET (1ull << 4)
#define CR0_NE (1ull << 5)
#define CR0_WP (1ull << 16)
#define CR0_AM (1ull << 18)
#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)
#define CR0_PG (1ull << 31)

#define CR4_VME        (1ull << 0)
#define CR4_PVI        (1ull << 1)
#define CR4_TSD        (1ull << 2)
#define CR4_DE         (1ull << 3)
#define CR4_PSE        (1ull << 4)
#define CR4_PAE        (1ull << 5)
#define CR4_MCE        (1ull << 6)
#define CR4_PGE        (1ull << 7)
#define CR4_PCE        (1ull << 8)
#define CR4_OSFXSR     (1ull << 9)
#define CR4_OSXMMEXCPT (1ull << 10)
#define CR4_UMIP       (1ull << 11)
#define CR4_LA57       (1ull << 12)
#define CR4_FSGSBASE   (1ull << 16)
#define CR4_PCIDE      (1ull << 17)
#define CR4_OSXSAVE    (1ull << 18)
#define CR4_SMEP       (1ull << 20)
#define CR4_SMAP       (1ull << 21)

#define EFER_SCE      (1ull << 0)
#define EFER_LME      (1ull << 8)
#define EFER_LMA      (1ull << 10)
#define EFER_NXE      (1ull << 11)
#define EFER_SVME     (1ull << 12)
#define EFER_FFXSR    (1ull << 14)
#define EFER_AUTOIBRS (1ull << 21)

#define RFLAGS_CF   (1ull << 0)
#define RFLAGS_ONE  (1ull << 1)
#define RFLAGS_PF   (1ull << 2)
#define RFLAGS_AF   (1ull << 4)
#define RFLAGS_ZF   (1ull << 6)
#define RFLAGS_SF   (1ull << 7)
#define RFLAGS_TF   (1ull << 8)
#define RFLAGS_IF   (1ull << 9)
#define RFLAGS_DF   (1ull << 10)
#define RFLAGS_OF   (1ull << 11)
#define RFLAGS_IOPL (3ull << 12)
#define RFLAGS_NT   (1ull << 14)
#define RFLAGS_RF   (1ull << 16)
#define RFLAGS_VM   (1ull << 17)
#define RFLAGS_AC   (1ull << 18)
#define RFLAGS_VIF  (1ull << 19)
#define RFLAGS_VIP  (1ull << 20)
#define RFLAGS_ID   (1ull << 21)

#endif
