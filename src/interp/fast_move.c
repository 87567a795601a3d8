/* SPDX-License-Identifier: Apache-2.0 */
/* fast_move.c: widening moves, LEA, one-operand arithmetic, shifts, CMOV */
#include "fast_move.h"
#include "ops.h"

/* ---- CBW, CWD, CLI, STI ------------------------------------------------- */

static const struct op *cbw4(struct cpu *c, const struct op *o)
{
    c->s.gpr[GPR_RAX] = (u32)(s32)(s16)c->s.gpr[GPR_RAX];
    return next(c, o + 1);
}

static const struct op *cbw8(struct cpu *c, const struct op *o)
{
    c->s.gpr[GPR_RAX] = (u64)(s64)(s32)c->s.gpr[GPR_RAX];
    return next(c, o + 1);
}

static const struct op *cwd4(struct cpu *c, const struct op *o)
{
    c->s.gpr[GPR_RDX] = (u32)((s32)c->s.gpr[GPR_RAX] >> 31);
    return next(c, o + 1);
}

static const struct op *cwd8(struct cpu *c, const struct op *o)
{
    c->s.gpr[GPR_RDX] = (u64)((s64)c->s.gpr[GPR_RAX] >> 63);
    return next(c, o + 1);
}

/* The step tier knows what to do where it is not allowed. */
static const struct op *cli(struct cpu *c, const struct op *o)
{
    if (unlikely(c->cpl > (c->s.rflags >> 12 & 3)))
        return fast_redo(c, o);
    c->s.rflags &= ~RFLAGS_IF;
    return next(c, o + 1);
}

/*
 * STI holds interrupts off for one more instruction. Nobody looks for them
 * between two ops of a block, so with none waiting the next op just follows. To
 * the run loop with one that waits, or one instruction later a CLI would hide
 * it again; in service mode, where KVM may want to go on; and from the end of a
 * block (see fast_sti_last()), as the run loop looks there.
 */
static const struct op *sti_leave(struct cpu *c, const struct op *o)
{
    if (unlikely(c->cpl))
        return fast_redo(c, o);
    c->s.event.shadow_sti |= !(c->s.rflags & RFLAGS_IF);
    c->s.rflags |= RFLAGS_IF;
    cpu_dirty(c, CPU_EVENTS);
    return fast_poll_next(c, o);
}

static const struct op *sti(struct cpu *c, const struct op *o)
{
    u32 attn = atomic_load_explicit(&c->attn, memory_order_relaxed);

    if (unlikely(c->cpl || c->service || attn & ATTN_IRQ))
        return sti_leave(c, o);
    c->sti_set = !(c->s.rflags & RFLAGS_IF);
    c->s.rflags |= RFLAGS_IF;
    return next(c, o + 1);
}

void fast_keep_shadow(struct cpu *c, const struct op *o)
{
    if (o->idx > 0 && o[-1].fn == sti)
        c->s.event.shadow_sti |= c->sti_set;
}

void fast_sti_last(struct op *o)
{
    if (o->fn == sti)
        o->fn = sti_leave;
}

/* ---- instances ---------------------------------------------------------- */

/* clang-format off */
FAST_MOVE(FAST_DEFINE)

/* Of registers, or with memory as source or destination. */
#define LOAD_ROW(reg, mem)  {[FORM_RR] = reg, [FORM_RM] = FAST_EA_ROW(mem)}
#define STORE_ROW(reg, mem) {[FORM_RR] = reg, [FORM_MR] = FAST_EA_ROW(mem)}
#define LEA_SIZE(size)                                                         \
    {[FORM_RM] = fast_lea##size##_base, fast_lea##size##_index}

static const struct fast_row move_rows[] = {
    {op_lea, {[2] = LEA_SIZE(4), LEA_SIZE(8)}},
    {op_imul3, {[2] = {fast_imul3_4}, {fast_imul3_8}}},
    {op_bswap, {[2] = {fast_bswap_4}, {fast_bswap_8}}},
    {op_cbw, {[2] = {cbw4}, {cbw8}}},
    {op_cwd, {[2] = {cwd4}, {cwd8}}},
    {op_cli, {[1] = {cli}, {cli}, {cli}}},
    {op_sti, {[1] = {sti}, {sti}, {sti}}},
    {0}};

/* By bytes of the source, 1, 2, 4, and for signed ones of the destination. */
#define WIDEN(name) LOAD_ROW(fast_##name##_reg, fast_##name)
static op_handler *const widen_zero[][FORM_NR] = {WIDEN(movzx1), WIDEN(movzx2)};
static op_handler *const widen_sign[2][3][FORM_NR] = {
    {WIDEN(movsx14), WIDEN(movsx24)},
    {WIDEN(movsx18), WIDEN(movsx28), WIDEN(movsx48)}};

#define SET_ROW(none, cc) STORE_ROW(fast_set_##cc, fast_setm_##cc),
#define CMOV_ROW(none, cc)                                                     \
    {LOAD_ROW(fast_cmov4_##cc, fast_cmovm4_##cc),                              \
     LOAD_ROW(fast_cmov8_##cc, fast_cmovm8_##cc)},
static op_handler *const set_handlers[16][FORM_NR] = {FAST_BY_CC(SET_ROW, )};
static op_handler *const cmov_handlers[16][2][FORM_NR] = {
    FAST_BY_CC(CMOV_ROW, )};
/* clang-format on */

/* ---- choice ------------------------------------------------------------- */

static op_handler *move_handler(const struct insn *in, unsigned int form)
{
    unsigned int cc = in->opcode & 15, bytes = in->ssize / 2;
    bool wide = in->size == 8;

    if (in->fn == op_setcc)
        return set_handlers[cc][form];
    if (in->size < 4)
        return NULL;
    if (in->fn == op_cmov)
        return cmov_handlers[cc][wide][form];
    if (in->fn == op_movzx)
        return widen_zero[bytes][form];
    return in->fn == op_movsx ? widen_sign[wide][bytes][form] : NULL;
}

bool fast_move_select(struct op *o, const struct insn *in, unsigned int form)
{
    o->fn = move_handler(in, form);
    return o->fn || fast_row_select(o, in, form, move_rows);
}
