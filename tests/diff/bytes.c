/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bytes.c: any bytes at all: are they an instruction, and how long is it? They
 * end where a page does, with nothing behind it. An instruction that needs more
 * than is there faults at the hole; one that was executed goes on there. So as
 * many bytes are given as mote thinks it has; if it did not come to the hole
 * then, for faults or jumps of its own, it is done again with one byte less,
 * which must not suffice.
 */
#include "diff.h"
#include "interp/ops.h"

#define INSN_MAX 15u
#define HLT      0xf4

struct string {
    u8 bytes[INSN_MAX];
    u8 len;  /* that mote finds; INSN_MAX: too long, or undefined */
    bool ud; /* mote finds it undefined */
    bool vague;
    struct insn in;
};

static struct string strings[ENDS_PAGES];
static enum code_mode bytes_mode; /* of all of them */

/* ---- bytes ----------------------------------------------------------------
 */

static const u8 legacy[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65,
                            0x66, 0x67, 0xf0, 0xf2, 0xf3};

/* Half of them with some prefixes and an escape in front. */
static void bytes_make(u8 *p)
{
    unsigned int n = 0;
    u64 r = rnd();

    le64_put(p, rnd());
    le64_put(p + 7, rnd());
    if (r & 1)
        return;
    for (r >>= 1; (r & 3) == 0 && n < 5; r >>= 2)
        p[n++] = legacy[rnd() % ARRAY_SIZE(legacy)];
    if (bytes_mode == MODE_64 && rnd() & 1)
        p[n++] = 0x40 | (rnd() & 15);
    r = rnd() & 7;
    if (r < 6)
        p[n++] = 0x0f;
    if (r < 2)
        p[n++] = r ? 0x38 : 0x3a;
}

/* The kernel or another segment is none of a test's business, nor are TF and
 * AC. */
static bool bytes_leave(const struct insn *in)
{
    static op_fn *const fns[] = {op_syscall, op_sysenter,    op_int,
                                 op_iret,    op_ret_far,     op_call_far,
                                 op_jmp_far, op_vmcall,      op_pop_sreg,
                                 op_lxs,     op_mov_to_sreg, op_popf};

    for (unsigned int i = 0; i < ARRAY_SIZE(fns); i++)
        if (in->fn == fns[i])
            return true;
    return false;
}

/* A jump into this page may never end. */
static bool bytes_loop(const struct insn *in)
{
    return (in->row->src == W_J || in->row->src == W_JB) &&
           in->imm + PAGE_SIZE < 2 * PAGE_SIZE;
}

struct hidden {
    u8 map, first, last;
    bool lock; /* with LOCK only */
};

/* VEX, EVEX; 0F 01 with a register: XGETBV, MONITORX, RDPRU, CLZERO, WRPKRU;
 * SSE4A; XSAVE, CLWB, CLFLUSHOPT; RDSEED, RDPID; SHA, GFNI, INVPCID, shadow
 * stacks, ADX, MOVDIR. With LOCK: AMD's MOV CR8; its VERW does not mind. */
static const struct hidden hiddens[] = {
    {0, 0xc4, 0xc5, false}, {0, 0x62, 0x62, false}, {1, 0x01, 0x01, false},
    {1, 0x78, 0x79, false}, {1, 0x2b, 0x2b, false}, {1, 0xae, 0xae, false},
    {1, 0xc7, 0xc7, false}, {2, 0xc8, 0xcd, false}, {2, 0xcf, 0xcf, false},
    {2, 0x80, 0x82, false}, {2, 0xf5, 0xf6, false}, {2, 0xf8, 0xf9, false},
    {3, 0xcc, 0xcf, false}, {1, 0x20, 0x20, true},  {1, 0x22, 0x22, true},
    {1, 0x00, 0x00, true},
};

static bool is_prefix(u8 byte)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(legacy); i++)
        if (byte == legacy[i])
            return true;
    return bytes_mode == MODE_64 && (byte & 0xf0) == 0x40;
}

static bool bytes_hidden(const u8 *p)
{
    unsigned int n = 0, map = 0;
    bool lock = false;

    for (; n < INSN_MAX - 3 && is_prefix(p[n]); n++)
        lock = lock || p[n] == 0xf0;
    if (p[n] == 0x0f) {
        map = p[n + 1] == 0x38 ? 2 : p[n + 1] == 0x3a ? 3 : 1;
        n += map == 1 ? 1 : 2;
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(hiddens); i++)
        if (map == hiddens[i].map && p[n] >= hiddens[i].first &&
            p[n] <= hiddens[i].last && (lock || !hiddens[i].lock))
            return true;
    return false;
}

static bool string_make(struct string *s)
{
    int n;

    bytes_make(s->bytes);
    n = insn_decode(&s->in, s->bytes, INSN_MAX, bytes_mode);
    s->vague = n < 0;
    s->len = n < 0 || s->in.row == &row_ud ? INSN_MAX : (u8)n;
    if (n > 0 && (bytes_leave(&s->in) || bytes_loop(&s->in)))
        return false;
    s->ud = n > 0 && guest_is_ud(s->bytes, bytes_mode);
    if (s->ud)
        s->len = INSN_MAX;
    if (!s->ud || !bytes_hidden(s->bytes))
        return true;
    totals.hidden++; /* the host may go on, to anywhere */
    return false;
}

/* ---- on the host ----------------------------------------------------------
 */

static u64 ends_hole(unsigned int page)
{
    u64 first = bytes_mode == MODE_64 ? HIGH + ENDS : ENDS_LOW;

    return first + page * ENDS_STEP + PAGE_SIZE;
}

/* Pointers into the window. As offsets of 16-bit code they are beyond the limit
 * of its segment, so that no jump by them comes back. */
void bytes_registers(struct diff_case *c)
{
    u64 data = c->mode == MODE_64   ? HIGH + DATA
               : c->mode == MODE_32 ? LOW + DATA
                                    : DATA16;

    for (unsigned int i = 0; i < 16; i++)
        c->in.gpr[i] = data + 0x1000 + (rnd() & 0x1ff0);
    c->in.gpr[GPR_RCX] = 5;
    c->in.gpr[GPR_RDX] = 3;
    c->in.rflags = RFLAGS_IF | RFLAGS_ONE | (rnd() & FLAGS_ARITH);
}

/* The first n bytes, at the end of a page. */
static void ends_place(unsigned int page, const struct string *s,
                       unsigned int n)
{
    struct diff_case *c = &shared->c[page];
    u8 *end = shared->ends + (page + 1) * PAGE_SIZE;

    memset(end - INSN_MAX, HLT, INSN_MAX);
    memcpy(end - n, s->bytes, n);
    *c = (struct diff_case){
        .at = ends_hole(page) - n, .fpu = true, .mode = (u8)bytes_mode};
    segs_default(c);
    if (bytes_mode == MODE_16)
        c->in.sel[SEG_CS] = LDT_SEL(LDT_ENDS + page);
    bytes_registers(c);
    rnd_fpu(c->fx);
}

enum verdict { AGREE, AGAIN, LENGTH, UNDEFINED };

static enum verdict string_judge(const struct string *s, unsigned int page)
{
    const struct diff_regs *r = &shared->out[page].r;
    u64 start = case_rip(&shared->c[page]), hole = ends_hole(page);
    bool here = r->rip == start;

    if (s->vague) /* more than 15 bytes */
        return here && r->vector == EXC_GP ? AGREE : LENGTH;
    /* How long an undefined one would be, and that it is too long for #UD, is
     * not defined either. */
    if (s->ud && here && (r->vector == EXC_UD || r->vector == EXC_GP))
        return AGREE;
    if (s->ud)
        return UNDEFINED;
    if (here && r->vector == EXC_UD)
        return UNDEFINED;
    if (r->vector == EXC_PF && r->cr2 == hole && r->error & PF_I)
        return here ? LENGTH : AGREE;
    return s->len > 1 ? AGAIN : AGREE;
}

/* Without its last byte. */
static bool string_needs_all(unsigned int page)
{
    const struct diff_regs *r = &shared->out[page].r;

    return r->rip == case_rip(&shared->c[page]) && r->vector == EXC_PF &&
           r->cr2 == ends_hole(page);
}

static void string_tell(const struct string *s, unsigned int page,
                        const char *what)
{
    const struct diff_regs *r = &shared->out[page].r;

    totals.failed++;
    fprintf(stderr, "diff: %u-bit bytes", 16u << bytes_mode);
    for (unsigned int i = 0; i < INSN_MAX; i++)
        fprintf(stderr, " %02x", s->bytes[i]);
    fprintf(stderr, ": %s: mote %s %u, host vector %lu error %lx at +%ld\n",
            what, s->ud ? "undefined" : s->in.row->name, s->len, r->vector,
            r->error, (long)(r->rip - case_rip(&shared->c[page])));
}

/* Those that must be done again, to the front. */
static unsigned int bytes_first(unsigned int nr)
{
    unsigned int again = 0;

    for (unsigned int i = 0; i < nr; i++) {
        enum verdict v = string_judge(&strings[i], i);

        if (v == LENGTH || v == UNDEFINED)
            string_tell(&strings[i], i, v == LENGTH ? "longer" : "#UD differs");
        if (v == AGAIN)
            strings[again++] = strings[i];
    }
    return again;
}

static bool bytes_on_host(unsigned int nr, unsigned int less)
{
    memcpy(shared->window, guest_window(TIER_STEP), DATA_SIZE);
    for (unsigned int i = 0; i < nr; i++)
        ends_place(i, &strings[i], strings[i].len - less);
    guest_ends();
    if (native_run(nr))
        return true;
    string_tell(&strings[atomic_load(&shared->next)],
                atomic_load(&shared->next), "the end of the child");
    return false;
}

void bytes_run(u64 seed, u64 nr)
{
    unsigned int again;

    rnd_seed = seed ^ 0x6279746573;
    rnd_seed = rnd() + nr;
    bytes_mode = batch_pick_mode();
    for (unsigned int i = 0; i < ENDS_PAGES; i++)
        while (!string_make(&strings[i]))
            ;
    totals.bytes += ENDS_PAGES;
    if (!bytes_on_host(ENDS_PAGES, 0))
        return;
    again = bytes_first(ENDS_PAGES);
    if (!again || !bytes_on_host(again, 1))
        return;
    for (unsigned int i = 0; i < again; i++)
        if (!string_needs_all(i))
            string_tell(&strings[i], i, "shorter");
}
