/* SPDX-License-Identifier: Apache-2.0 */
/* decode.c: any bytes in any mode. Input: the mode, then the bytes. */
#include <stdlib.h>

#include "fuzz.h"
#include "interp/insn.h"

#define INSN_MAX 15u

static u8 *exact[INSN_MAX + 1]; /* buffers of each length */

static int decode(struct insn *in, const u8 *bytes, unsigned int len,
                  enum code_mode mode)
{
    if (!exact[len])
        exact[len] = malloc(len + !len);
    memcpy(exact[len], bytes, len);
    return insn_decode(in, exact[len], len, mode);
}

static void check_fields(const struct insn *in, int n, enum code_mode mode)
{
    assert(in->len == n && in->mode == mode && in->row && in->exec);
    assert(in->size == 1 || in->size == 2 || in->size == 4 || in->size == 8);
    assert(in->asize == 2 || in->asize == 4 || in->asize == 8);
    assert(in->seg < SEG_NR && in->map < 4 && in->scale < 4);
    assert(in->reg < 16 && in->rm < 16);
    if (in->mem)
        assert(in->base <= GPR_NONE && in->index <= GPR_NONE);
    assert(in->dst_at < sizeof(((struct cpu_state *)0)->gpr));
    assert(in->src_at < sizeof(((struct cpu_state *)0)->gpr));
}

static bool same(const struct insn *a, const struct insn *b)
{
    return a->exec == b->exec && a->fn == b->fn && a->row == b->row &&
           a->len == b->len && a->map == b->map && a->size == b->size &&
           a->asize == b->asize && a->prefix == b->prefix &&
           a->opcode == b->opcode && a->modrm == b->modrm && a->mod == b->mod &&
           a->mem == b->mem && a->reg == b->reg && a->rm == b->rm &&
           a->base == b->base && a->index == b->index && a->scale == b->scale &&
           a->seg == b->seg && a->disp == b->disp && a->imm == b->imm &&
           a->imm2 == b->imm2 && a->msize == b->msize &&
           a->rip_relative == b->rip_relative && a->ssize == b->ssize &&
           a->dst_at == b->dst_at && a->src_at == b->src_at;
}

/* What is behind an instruction changes nothing; without its last byte it is
 * not whole. */
int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
    enum code_mode mode = len ? data[0] % 3 : MODE_16;
    unsigned int have = (unsigned int)MIN(len, (size_t)INSN_MAX + 1);
    struct insn all, some;
    int n, m;

    if (have == 0)
        return 0;
    have--;
    n = decode(&all, data + 1, have, mode);
    assert(n >= -1 && n <= (int)have);
    assert(n != -1 || have == INSN_MAX);
    if (n > 0)
        check_fields(&all, n, mode);
    for (unsigned int cut = 0; cut < have; cut++) {
        m = decode(&some, data + 1, cut, mode);
        assert(m == (n > 0 && cut >= (unsigned int)n ? n : 0));
        assert(m == 0 || same(&all, &some));
    }
    return 0;
}
