/* SPDX-License-Identifier: Apache-2.0 */
/* shift.c: shifts and rotates; the host masks counts as the guest would */
#include "flags.h"
#include "ops.h"

FLAGS_HANDLER(rol)
FLAGS_HANDLER(ror)
FLAGS_HANDLER(rcl)
FLAGS_HANDLER(rcr)
FLAGS_HANDLER(shl)
FLAGS_HANDLER(shr)
FLAGS_HANDLER(sar)

/* By CL where bit 0 of the opcode is set, else by the immediate. */
#define SHIFT_ASM(insn, m)                                                     \
    __asm__(FLAGS_LOAD insn " %%cl, %" m "[b], %" m "[a]\n\tlahf"              \
            : [a] "+r"(in->dst), "=a"(ax), "=@cco"(of)                         \
            : [b] "r"(in->src), "c"(count), FLAGS_LOADED)

#define SHIFT_DOUBLE(name)                                                     \
    enum exec op_##name(struct cpu *c, struct insn *in)                        \
    {                                                                          \
        u64 count = in->opcode & 1 ? c->s.gpr[GPR_RCX] : in->imm, ax;          \
        bool of;                                                               \
                                                                               \
        HOST_BY_WIDE_SIZE(in->size, SHIFT_ASM, #name)                          \
        flags_keep(c, ax, of);                                                 \
        return EXEC_OK;                                                        \
    }

SHIFT_DOUBLE(shld)
SHIFT_DOUBLE(shrd)
