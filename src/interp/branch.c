/* SPDX-License-Identifier: Apache-2.0 */
/* branch.c: near jumps, calls, returns, loops. Targets are checked before
 * anything changes: SDM vol. 2A, JMP, CALL, RET. */
#include "ops.h"
#include "seg.h"

static enum exec branch_to(struct cpu *c, const struct insn *in, u64 target)
{
    enum exec r;

    target &= size_mask(in->size);
    r = seg_check_rip(c, &c->s.seg[SEG_CS], target);
    if (r == EXEC_OK)
        c->next_rip = target;
    return r;
}

static enum exec branch_rel(struct cpu *c, const struct insn *in, bool taken)
{
    return taken ? branch_to(c, in, c->next_rip + in->imm) : EXEC_OK;
}

enum exec op_jcc(struct cpu *c, struct insn *in)
{
    return branch_rel(c, in, flags_cond(c, in->opcode & 15));
}

enum exec op_jmp(struct cpu *c, struct insn *in)
{
    return branch_rel(c, in, true);
}

enum exec op_jmp_ind(struct cpu *c, struct insn *in)
{
    return branch_to(c, in, in->src);
}

/* Nothing is pushed if the target is bad, but faults of the stack come first.
 */
static enum exec branch_call(struct cpu *c, const struct insn *in, u64 target)
{
    u64 back = c->next_rip;
    enum exec r = branch_to(c, in, target);
    struct exc bad = c->exc;

    if (r == EXEC_OK)
        return stack_push(c, in->size, back);
    if (stack_room(c, c->s.gpr[GPR_RSP] - in->size, in->size) == EXEC_OK)
        c->exc = bad;
    return r;
}

enum exec op_call(struct cpu *c, struct insn *in)
{
    return branch_call(c, in, c->next_rip + in->imm);
}

enum exec op_call_ind(struct cpu *c, struct insn *in)
{
    return branch_call(c, in, in->src);
}

enum exec op_ret(struct cpu *c, struct insn *in)
{
    u64 sp = c->s.gpr[GPR_RSP], target;
    enum exec r = stack_pop(c, in->size, &target);

    if (r != EXEC_OK)
        return r;
    r = branch_to(c, in, target);
    if (r != EXEC_OK)
        c->s.gpr[GPR_RSP] = sp;
    else
        stack_set(c, c->s.gpr[GPR_RSP] + (in->imm & 0xffff));
    return r;
}

/* LOOPNE wants ZF clear, LOOPE set, LOOP either. The counter is as wide as
 * addresses. */
enum exec op_loop(struct cpu *c, struct insn *in)
{
    u64 count = (c->s.gpr[GPR_RCX] - 1) & size_mask(in->asize);
    bool zf = c->s.rflags & RFLAGS_ZF, want = in->opcode == 0xe1;
    enum exec r =
        branch_rel(c, in, count != 0 && (in->opcode == 0xe2 || zf == want));

    if (r == EXEC_OK)
        reg_set(c, GPR_RCX, in->asize, count);
    return r;
}

enum exec op_jcxz(struct cpu *c, struct insn *in)
{
    u64 count = c->s.gpr[GPR_RCX] & size_mask(in->asize);

    return branch_rel(c, in, count == 0);
}

enum exec op_into(struct cpu *c, struct insn *in)
{
    return c->of ? exc_software(c, EXC_OF, true) : EXEC_OK;
}

enum exec op_bound(struct cpu *c, struct insn *in)
{
    s64 index = (s64)sign_extend(in->dst, in->size);
    u64 low, high;
    enum exec r = mem_ld(c, in->la, in->size, &low);

    if (r == EXEC_OK)
        r = mem_ld(c, in->la + in->size, in->size, &high);
    if (r != EXEC_OK)
        return r;
    if (index < (s64)sign_extend(low, in->size) ||
        index > (s64)sign_extend(high, in->size))
        return raise_exc(c, EXC_BR);
    return EXEC_OK;
}
