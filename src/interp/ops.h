/* SPDX-License-Identifier: Apache-2.0 */
/* ops.h: every instruction handler, by file. The opcode table names them. */
#ifndef MOTE_INTERP_OPS_H
#define MOTE_INTERP_OPS_H

#include "insn.h"

/* alu.c, with `opcode` not needed: dst op= src and flags */
op_fn op_add, op_or, op_adc, op_sbb, op_and, op_sub, op_xor, op_cmp, op_test;
op_fn op_inc, op_dec, op_neg, op_not, op_xadd, op_cmpxchg, op_cmpxchg8b;
op_fn op_aaa, op_aas, op_daa, op_das, op_aam, op_aad;

/* move.c */
op_fn op_mov, op_movzx, op_movsx, op_lea, op_xchg, op_cmov, op_setcc, op_bswap;
op_fn op_movbe, op_cbw, op_cwd, op_xlat, op_lahf, op_sahf, op_nop, op_movnti;
op_fn op_push, op_pop, op_pusha, op_popa, op_pushf, op_popf, op_enter, op_leave;
op_fn op_push_sreg, op_pop_sreg, op_mov_from_sreg, op_mov_to_sreg, op_lxs;
op_fn op_clc, op_stc, op_cmc, op_cld, op_std;

/* shift.c */
op_fn op_rol, op_ror, op_rcl, op_rcr, op_shl, op_shr, op_sar, op_shld, op_shrd;

/* muldiv.c */
op_fn op_mul, op_imul1, op_imul2, op_imul3, op_div, op_idiv;

/* bit.c */
op_fn op_bt, op_bts, op_btr, op_btc, op_bsf, op_bsr, op_popcnt, op_crc32;

/* string.c */
op_fn op_movs, op_stos, op_lods, op_cmps, op_scas, op_ins, op_outs;

/* branch.c: near control flow; in->imm is the relative displacement */
op_fn op_jcc, op_jmp, op_jmp_ind, op_call, op_call_ind, op_ret, op_loop;
op_fn op_jcxz, op_into, op_bound;

/* far.c */
op_fn op_jmp_far, op_call_far, op_ret_far, op_iret, op_int, op_int3, op_int1;
op_fn op_syscall, op_sysret, op_sysenter, op_sysexit;

/* sys.c */
op_fn op_hlt, op_cli, op_sti, op_in, op_out, op_mov_from_cr, op_mov_to_cr;
op_fn op_mov_from_dr, op_mov_to_dr, op_lmsw, op_smsw, op_clts, op_invlpg;
op_fn op_lgdt, op_lidt, op_sgdt, op_sidt, op_lldt, op_ltr, op_sldt, op_str;
op_fn op_lar, op_lsl, op_verr, op_verw, op_arpl, op_rdmsr, op_wrmsr, op_rdtsc;
op_fn op_rdtscp, op_rdpmc, op_cpuid, op_wbinvd, op_swapgs, op_fsgsbase;
op_fn op_rdrand, op_pause, op_fence, op_vmcall, op_xgetbv, op_xsetbv, op_ud;
op_fn op_monitor; /* MONITOR, MWAIT: hidden, #UD */

/* fpu.c: x87, and the state instructions of 0F AE (memory forms) */
op_fn op_x87, op_fwait, op_fxsave, op_fxrstor, op_ldmxcsr, op_stmxcsr;
op_fn op_xsave, op_xrstor, op_xsaveopt, op_xsavec;

/* sse.c has its own rows behind sse_row() */

#endif
