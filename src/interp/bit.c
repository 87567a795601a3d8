/* SPDX-License-Identifier: Apache-2.0 */
/* bit.c: bit test, bit scan, population count, CRC32 */
#include "flags.h"
#include "ops.h"

/* The executor has moved a memory operand to where the bit is. */
FLAGS_HANDLER(bt)
FLAGS_HANDLER(bts)
FLAGS_HANDLER(btr)
FLAGS_HANDLER(btc)
FLAGS_HANDLER(popcnt)

/* With REP these are TZCNT and LZCNT to a processor that has them. Whole guests
 * are not told of any; a guest of KVM gets what it gets on this host. */
static bool bit_as_host(const struct cpu *c, const struct insn *in)
{
    return c->service && in->prefix & PFX_REP;
}

/* Of a zero source the register stays what it was, in ways that differ with
 * the processor: the host's instruction works on all 64 bits of it. */
enum exec op_bsf(struct cpu *c, struct insn *in)
{
    u64 *reg = &c->s.gpr[in->reg];

    *reg = bit_as_host(c, in) ? flags_tzcnt(c, *reg, in->src, in->size)
                              : flags_bsf(c, *reg, in->src, in->size);
    return EXEC_OK;
}

enum exec op_bsr(struct cpu *c, struct insn *in)
{
    u64 *reg = &c->s.gpr[in->reg];

    *reg = bit_as_host(c, in) ? flags_lzcnt(c, *reg, in->src, in->size)
                              : flags_bsr(c, *reg, in->src, in->size);
    return EXEC_OK;
}

/* The destination is 32 bits wide, or 64 with a zero upper half. */
enum exec op_crc32(struct cpu *c, struct insn *in)
{
    u64 crc = (u32)c->s.gpr[in->reg];

    switch (in->ssize) {
    case 1:
        __asm__("crc32b %b1, %k0" : "+r"(crc) : "r"(in->src));
        break;
    case 2:
        __asm__("crc32w %w1, %k0" : "+r"(crc) : "r"(in->src));
        break;
    case 4:
        __asm__("crc32l %k1, %k0" : "+r"(crc) : "r"(in->src));
        break;
    default:
        __asm__("crc32q %q1, %q0" : "+r"(crc) : "r"(in->src));
        break;
    }
    c->s.gpr[in->reg] = (u32)crc;
    return EXEC_OK;
}
