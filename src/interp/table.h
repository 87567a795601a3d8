/* SPDX-License-Identifier: Apache-2.0 */
/* table.h: short words for the rows of table.c and table_0f.c */
#ifndef MOTE_INTERP_TABLE_H
#define MOTE_INTERP_TABLE_H

#include "ops.h"

/* clang-format off */
#define OP(op) .fn = op_##op, .name = #op
#define AS(op, mnemonic) .fn = op_##op, .name = #mnemonic
#define M    R_MODRM
#define B    R_BYTE
#define RD   R_D_READ
#define WR   R_D_WRITE
#define RW   (R_D_READ | R_D_WRITE)
#define L    R_LOCK
#define END  R_END
#define ADDR R_ADDR
#define D64  R_D64
#define CPL0 R_CPL0
#define NO64 R_NO64
#define STR  R_REP

/* An even opcode on bytes, and the odd one after it on the operand size */
#define PAIR(base, op, flags, ...)                                            \
    [base + 0] = {OP(op), (flags) | B, __VA_ARGS__},                          \
    [base + 1] = {OP(op), flags, __VA_ARGS__}

#define EIGHT(base, ...)                                                      \
    [base + 0] = __VA_ARGS__, [base + 1] = __VA_ARGS__,                       \
    [base + 2] = __VA_ARGS__, [base + 3] = __VA_ARGS__,                       \
    [base + 4] = __VA_ARGS__, [base + 5] = __VA_ARGS__,                       \
    [base + 6] = __VA_ARGS__, [base + 7] = __VA_ARGS__
#define SIXTEEN(base, ...) EIGHT(base, __VA_ARGS__), EIGHT(base + 8, __VA_ARGS__)
/* clang-format on */

#endif
