/* SPDX-License-Identifier: Apache-2.0 */
/* ops.h: every instruction handler, by file. The opcode table names them. */
#ifndef MOTE_INTERP_OPS_H
#define MOTE_INTERP_OPS_H

#include "insn.h"

/* alu.c: dst op= src and flags; decimal: of AL and AX */
op_fn op_add, op_or, op_adc, op_sbb, op_and, op_sub, op_xor, op_cmp, op_test;
op_fn op_inc, op_dec, op_neg, op_not, op_xadd, op_cmpxchg, op_cmpxchg8b;
op_fn op_cmpxchg_reg;
op_fn op_aaa, op_daa, op_aam, op_aad;

/* move.c. op_vex: C4, C5 and 62 in 64-bit mode */
op_fn op_mov, op_movzx, op_movsx, op_lea, op_xchg, op_cmov, op_setcc, op_bswap;
op_fn op_movbe, op_cbw, op_cwd, op_xlat, op_lahf, op_sahf, op_nop;
op_fn op_push, op_pop, op_pop_rm, op_pusha, op_popa, op_pushf, op_popf,
    op_enter, op_leave;
op_fn op_push_sreg, op_pop_sreg, op_mov_from_sreg, op_mov_to_sreg, op_lxs;
op_fn op_salc, op_clc, op_stc, op_cmc, op_cld, op_std, op_vex;

/* shift.c */
op_fn op_rol, op_ror, op_rcl, op_rcr, op_shl, op_shr, op_sar, op_shld, op_shrd;

/* muldiv.c */
op_fn op_mul, op_imul1, op_imul2, op_imul3, op_div, op_idiv;

/* bit.c */
op_fn op_bt, op_bts, op_btr, op_btc, op_bsf, op_bsr, op_popcnt, op_crc32;

/* string.c */
op_fn op_movs, op_stos, op_lods, op_cmps, op_scas, op_ins, op_outs;

/*
 * branch.c: near control flow. Relative: in->imm is the displacement, and the
 * target is (next_rip + imm) & size_mask(in->size), if seg_check_rip(). Operand
 * size is 8 in 64-bit mode, and 2 with 66 (as AMD has it).
 *   jcc      condition: in->opcode & 15
 *   jmp_ind call_ind   FF /4 /2: in->src is the target, zero-extended
 *   ret      in->imm: bytes to drop (0 for C3)
 *   loop     E0 LOOPNE, E1 LOOPE, E2 LOOP by in->opcode; counter of in->asize
 *   jcxz     counter of in->asize
 *   bound    in->dst: index; bounds at in->la (checked for both) of in->size
 */
op_fn op_jcc, op_jmp, op_jmp_ind, op_call, op_call_ind, op_ret, op_loop;
op_fn op_jcxz, op_into, op_bound;

/*
 * far.c. in->size is the operand size.
 *   jmp_far call_far   in->opcode EA, 9A: imm2:imm (selector, offset).
 *            FF /5 /3: offset of in->size bytes at in->la and the selector
 *            behind it; la is checked for all of it, the handler loads
 *   ret_far  in->imm: bytes to drop (0 for CB)
 *   int      in->imm: vector
 *   sysret sysexit     in->size 8: to 64-bit mode; CPL 0 by row
 */
op_fn op_jmp_far, op_call_far, op_ret_far, op_iret, op_int, op_int3, op_int1;
op_fn op_syscall, op_sysret, op_sysenter, op_sysexit;

/*
 * sys.c. CPL 0 and "not in real mode" are checked by the executor where rows
 * say so (R_CPL0, R_PROT): hlt, mov cr/dr, lmsw, clts, invlpg, lgdt, lidt,
 * lldt, ltr, rdmsr (not here: CPL 0 by row), wrmsr, wbinvd, swapgs, xsetbv.
 *   in       in->src: port (also from DX); result to in->dst; in->size 1, 2, 4
 *   out      in->src: port; in->dst: value; in->size 1, 2, 4
 *   mov_from_cr/dr     in->reg: number; result to in->dst; in->size 4 or 8
 *   mov_to_cr/dr       in->reg: number; in->src: value; in->size 4 or 8
 *   lmsw     in->src: word.  smsw store_system (SLDT, STR: in->reg 0, 1):
 *            result to in->dst, all of it; the executor stores a word to
 * memory, in->size to a register lldt ltr verify (VERR, VERW: in->reg 4, 5)
 * in->src: selector lar_lsl  by in->opcode. in->src: selector; result by
 * reg_set(c, in->reg, in->size), ZF set, or ZF clear and the register left
 * alone arpl     in->dst, in->src: words; stores to W_E if it changes
 *   load_table (LGDT, LIDT: in->reg 2, 3)      table at in->la, checked for 6
 * or (64-bit mode) 10 bytes store_table (SGDT, SIDT: in->reg 0, 1) likewise;
 * the handler stores (R_ADDR) invlpg   in->la, neither canonical nor limit
 * checked fsgsbase in->reg & 7: 0 RDFSBASE, 1 RDGSBASE to in->dst; 2 WRFSBASE,
 *            3 WRGSBASE from in->src (zero-extended from in->size)
 *   rdrand   result to in->dst, CF set and the others clear
 *   fence    in->reg & 7: 5 LFENCE, 6 MFENCE, 7 SFENCE
 *   vmcall   VMCALL and VMMCALL
 *   clac_stac    by in->modrm; service mode under a host with SMAP; else #UD
 *   ud       UD0, UD1, UD2 and all that is undefined
 * Everything else has no operands but architectural registers.
 */
op_fn op_hlt, op_cli, op_sti, op_in, op_out, op_mov_from_cr, op_mov_to_cr;
op_fn op_mov_from_dr, op_mov_to_dr, op_lmsw, op_smsw, op_clts, op_invlpg;
op_fn op_load_table, op_store_table, op_lldt, op_ltr, op_store_system;
op_fn op_lar_lsl, op_verify, op_arpl, op_rdmsr, op_wrmsr, op_rdtsc;
op_fn op_rdtscp, op_rdpmc, op_cpuid, op_wbinvd, op_swapgs, op_fsgsbase;
op_fn op_rdrand, op_pause, op_fence, op_vmcall, op_xgetbv, op_xsetbv, op_ud;
op_fn op_clac_stac;

/*
 * fpu.c: x87, by in->opcode D8..DF and in->modrm. xsave.c: the state
 * instructions of 0F AE and 0F C7 (memory forms); in->size 8: the 64-bit forms
 * of all of them. They address, load and store for themselves (R_FPU).
 */
op_fn op_x87, op_fwait, op_fxsave, op_fxrstor, op_ldmxcsr, op_stmxcsr;
op_fn op_xsave, op_xrstor;

/*
 * sse.c has its own rows behind sse_row(): R_FPU | R_MODRM, third W_IUB for an
 * immediate byte in in->imm. Loads, stores and alignment are the handler's, of
 * in->msize bytes. in->reg, in->rm are the full register numbers, in->opcode
 * and in->prefix name the opcode.
 */

#endif
