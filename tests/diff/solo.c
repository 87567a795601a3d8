/* SPDX-License-Identifier: Apache-2.0 */
/* solo.c: one case from a window of its own: run, told, made smaller */
#include "diff.h"
#include "interp/sse.h"

#define NOP 0x90

static void solo_set(const struct solo *s, enum tier t)
{
    memcpy(guest_window(t), s->window, DATA_SIZE);
}

static void tell_bytes(const char *what, const u8 *in, const u8 *a, const u8 *b,
                       unsigned int len)
{
    for (unsigned int i = 0; i < len; i += 8)
        if (memcmp(a + i, b + i, 8) != 0)
            fprintf(stderr, "  %s+%#x: before %016lx host %016lx mote %016lx\n",
                    what, i, le64_get(in + i), le64_get(a + i),
                    le64_get(b + i));
}

static void tell_regs(const char *who, const struct diff_regs *r)
{
    fprintf(stderr, "  %s rip %lx flags %lx vector %lu error %lx cr2 %lx\n",
            who, r->rip, r->rflags, r->vector, r->error, r->cr2);
}

static void solo_tell(const struct solo *s, const char *tier,
                      const struct diff_out *host, const struct diff_out *mote,
                      const u8 *window)
{
    const u8 *in = (const u8 *)s->c.in.gpr;
    struct insn insn;
    bool known =
        insn_decode(&insn, s->c.code, sizeof(s->c.code), s->c.mode) > 0;

    fprintf(stderr, "diff: %s in the %s tier:\n",
            known ? insn.row->name : "bytes", tier);
    tell_regs("host", &host->r);
    tell_regs("mote", &mote->r);
    tell_bytes("gpr", in, (const u8 *)host->r.gpr, (const u8 *)mote->r.gpr,
               16 * 8);
    if (s->c.fpu)
        tell_bytes("fx", s->c.fx, host->fx, mote->fx, FX_USED);
    tell_bytes("window", s->window, shared->window, window, DATA_SIZE);
}

static bool solo_same(const struct solo *s, enum tier t, struct diff_out *host,
                      struct diff_out *mote)
{
    solo_set(s, t);
    guest_run(t, &s->c, mote);
    return compare_out(&s->c, host, mote) &&
           memcmp(shared->window, guest_window(t), DATA_SIZE) == 0;
}

static void solo_load(const struct solo *s)
{
    shared->c[0] = s->c;
    memset(shared->code, 0xf4, CODE_SIZE);
    case_place(&s->c, shared->code);
    memcpy(shared->window, s->window, DATA_SIZE);
    guest_code(shared->code);
}

/* The block tier twice: decoded anew, and from its cache. */
const char *solo_fails(struct solo *s, bool tell)
{
    static const char *const names[] = {"step", "block", "block"};
    static struct diff_out mote;

    solo_load(s);
    if (!native_run(1))
        return "host";
    if (native_off) {
        solo_set(s, TIER_STEP);
        guest_run(TIER_STEP, &s->c, &shared->out[0]);
        memcpy(shared->window, guest_window(TIER_STEP), DATA_SIZE);
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
        enum tier t = i == 0 ? TIER_STEP : TIER_BLOCK;

        if (solo_same(s, t, &shared->out[0], &mote))
            continue;
        if (tell)
            solo_tell(s, names[i], &shared->out[0], &mote, guest_window(t));
        return names[i];
    }
    return NULL;
}

/* ---- shrinking ------------------------------------------------------------
 */

/* Keep the change that was made to s since it was *was, if it still fails. */
static bool shrink_keep(struct solo *s, const struct solo *was)
{
    if (solo_fails(s, false))
        return true;
    *s = *was;
    return false;
}

/* What is planted becomes part of the window. */
static void shrink_plants(struct solo *s)
{
    case_plant(&s->c, s->window);
    for (unsigned int i = 0; i < PLANTS; i++)
        s->c.plant[i].len = 0;
}

static void shrink_code(struct solo *s, struct solo *was)
{
    unsigned int at = 0;
    struct insn in;

    while (at < s->c.len) {
        int n = insn_decode(&in, s->c.code + at, s->c.len - at, s->c.mode);

        if (n <= 0)
            break;
        *was = *s;
        memset(s->c.code + at, NOP, (size_t)n);
        shrink_keep(s, was);
        at += (unsigned int)n;
    }
}

static void shrink_word(struct solo *s, struct solo *was, u64 *word, u64 to)
{
    if (*word == to)
        return;
    *was = *s;
    *word = to;
    shrink_keep(s, was);
}

static void shrink_regs(struct solo *s, struct solo *was)
{
    for (unsigned int i = 0; i < 16; i++)
        shrink_word(s, was, &s->c.in.gpr[i], 0);
    shrink_word(s, was, &s->c.in.fs, 0);
    shrink_word(s, was, &s->c.in.gs, 0);
    shrink_word(s, was, &s->c.in.rflags, RFLAGS_IF | RFLAGS_ONE);
}

static void shrink_bytes(struct solo *s, struct solo *was, u8 *p,
                         unsigned int len, unsigned int step)
{
    for (unsigned int i = 0; i + step <= len; i += step) {
        bool zero = true;

        for (unsigned int j = 0; j < step; j++)
            zero = zero && !p[i + j];
        if (zero)
            continue;
        *was = *s;
        memset(p + i, 0, step);
        shrink_keep(s, was);
    }
}

void solo_shrink(struct solo *s)
{
    static struct solo was;

    shrink_plants(s);
    shrink_code(s, &was);
    for (unsigned int step = PAGE_SIZE; step >= 8; step /= 4)
        shrink_bytes(s, &was, s->window, DATA_SIZE, step);
    shrink_regs(s, &was);
    if (s->c.fpu)
        shrink_bytes(s, &was, s->c.fx + FX_ST, FX_USED - FX_ST, 8);
}
