/* SPDX-License-Identifier: Apache-2.0 */
/*
 * string.c: string instructions. A visit does as many elements as lie in one
 * page on each side, by the host's own string instruction where that has the
 * same meaning (overlap and direction included), and returns EXEC_AGAIN if
 * there are more. All translation comes first, so a fault finds RCX, RSI and
 * RDI at the failing element. Every iteration counts in icount; the last of an
 * instruction is counted by whoever counts EXEC_OK.
 */
#include "flags.h"
#include "host.h"
#include "ops.h"
#include "watch.h"

/* What an instruction is about. */
enum {
    STR_SRC = 1,
    STR_DST = 2,
    STR_READ = 4, /* the destination is compared, not written */
    STR_ONE = 8,  /* an element a visit */
};

/* One visit. */
struct str {
    u64 n;     /* elements to do now, at least 1 */
    u64 count; /* left, this visit included; 1 without REP */
    bool rep, down;
    bool ram; /* else one element, through mem_ld() and mem_st() */
    unsigned int what, size;
    u8 *src, *dst; /* if ram: host addresses of the first elements */
    u64 src_la, dst_la;
};

static u64 str_reg(const struct cpu *c, const struct insn *in, unsigned int n)
{
    return c->s.gpr[n] & size_mask(in->asize);
}

/* A 16-bit address size leaves the upper bits alone. */
static void str_reg_add(struct cpu *c, const struct insn *in, unsigned int n,
                        u64 add)
{
    reg_set(c, n, in->asize, c->s.gpr[n] + add);
}

/* Elements from off on that do not leave the page or wrap around; 0: already
 * the first one does. */
static u64 str_fit(const struct cpu *c, const struct insn *in,
                   const struct str *s, unsigned int seg, u64 off)
{
    u64 base = in->mode == MODE_64 && seg < SEG_FS ? 0 : c->s.seg[seg].base;
    u64 at = (off + base) & (PAGE_SIZE - 1);
    u64 n = (PAGE_SIZE - at) / s->size;

    if (n && s->down)
        n = at / s->size + 1;
    if (s->down)
        return MIN(n, off / s->size + 1);
    return MIN(n, (size_mask(in->asize) - off) / s->size + 1);
}

/* Linear and host address of s->n elements. Where the whole span is not
 * within the segment, or not RAM, one element is looked at by itself. */
static enum exec str_span(struct cpu *c, struct str *s, unsigned int seg,
                          u64 off, enum access acc, u64 *la, u8 **host)
{
    unsigned int len = (unsigned int)s->n * s->size;
    u64 first = s->down ? len - s->size : 0; /* DF=1: it is the highest */
    enum exec r = seg_linear(c, seg, off - first, len, acc, la);

    if (r != EXEC_OK && s->n > 1) {
        s->n = 1;
        len = s->size;
        first = 0;
        r = seg_linear(c, seg, off, len, acc, la);
    }
    if (r != EXEC_OK)
        return r;
    *host = tlb_hit(c, *la, len, acc);
    if (!*host)
        r = mmu_host(c, *la, len, acc, host);
    if (r != EXEC_OK) {
        c->exc.cr2 += first; /* the first element that is missing */
        return r;
    }
    *la += first;
    if (*host)
        *host += first;
    return EXEC_OK;
}

/* Prepare a visit; EXEC_OK with s->n 0: RCX was 0. */
static enum exec str_begin(struct cpu *c, const struct insn *in, struct str *s,
                           unsigned int what)
{
    u64 si = str_reg(c, in, GPR_RSI), di = str_reg(c, in, GPR_RDI);
    bool one = what & STR_ONE || c->s.rflags & RFLAGS_TF || c->watch;
    enum exec r = EXEC_OK;

    *s = (struct str){
        .rep = in->prefix & (PFX_REP | PFX_REPNE),
        .down = c->s.rflags & RFLAGS_DF,
        .what = what,
        .size = in->size,
    };
    s->count = s->rep ? str_reg(c, in, GPR_RCX) : 1;
    s->n = one ? MIN(s->count, 1ull) : s->count;
    if (!s->n)
        return EXEC_OK;
    if (what & STR_SRC)
        s->n = MIN(s->n, str_fit(c, in, s, in->seg, si));
    if (what & STR_DST)
        s->n = MIN(s->n, str_fit(c, in, s, SEG_ES, di));
    s->n = MAX(s->n, 1ull);
    if (what & STR_SRC)
        r = str_span(c, s, in->seg, si, ACC_READ, &s->src_la, &s->src);
    if (r == EXEC_OK && what & STR_DST)
        r = str_span(c, s, SEG_ES, di, what & STR_READ ? ACC_READ : ACC_WRITE,
                     &s->dst_la, &s->dst);
    s->ram = !(what & STR_SRC && !s->src) && !(what & STR_DST && !s->dst);
    if (!s->ram)
        s->n = 1;
    return r;
}

/* Advance by what was done, if r says that it was; last: stop even if RCX is
 * not yet zero. */
static enum exec str_end(struct cpu *c, const struct insn *in,
                         const struct str *s, enum exec r, bool last)
{
    u64 step = s->down ? -(s->n * s->size) : s->n * s->size;

    if (r != EXEC_OK)
        return r;
    if (s->what & STR_SRC)
        str_reg_add(c, in, GPR_RSI, step);
    if (s->what & STR_DST)
        str_reg_add(c, in, GPR_RDI, step);
    if (s->rep)
        str_reg_add(c, in, GPR_RCX, -s->n);
    if (s->rep && s->n < s->count && !last) {
        c->icount += s->n;
        return EXEC_AGAIN;
    }
    c->icount += s->n - 1;
    return EXEC_OK;
}

/* ---- MOVS, STOS --------------------------------------------------------- */

/* What is at the source, or val if there is none, to the destination. DF=1 is
 * rare. */
static void str_copy_down(const struct str *s, u64 val)
{
    for (u64 at = 0; at < s->n * s->size; at += s->size) {
        if (s->src)
            val = host_ld(s->src - at, s->size);
        host_st(s->dst - at, s->size, val);
    }
}

static enum exec str_copy(struct cpu *c, const struct insn *in,
                          unsigned int what)
{
    struct str s;
    enum exec r = str_begin(c, in, &s, what);
    u64 val = c->s.gpr[GPR_RAX] & size_mask(in->size);

    if (r != EXEC_OK || !s.n)
        return r;
    if (!s.ram) {
        if (what & STR_SRC)
            r = mem_ld(c, s.src_la, s.size, &val);
        if (r == EXEC_OK)
            r = mem_st(c, s.dst_la, s.size, val);
    } else if (s.down) {
        str_copy_down(&s, val);
    } else if (s.src) {
        host_rep_movs(s.dst, s.src, s.n, s.size);
    } else {
        host_rep_stos(s.dst, s.n, val, s.size);
    }
    return str_end(c, in, &s, r, false);
}

enum exec op_movs(struct cpu *c, struct insn *in)
{
    return str_copy(c, in, STR_SRC | STR_DST);
}

enum exec op_stos(struct cpu *c, struct insn *in)
{
    return str_copy(c, in, STR_DST);
}

/* REP LODS leaves only the last element; nobody needs it fast. */
enum exec op_lods(struct cpu *c, struct insn *in)
{
    struct str s;
    enum exec r = str_begin(c, in, &s, STR_SRC | STR_ONE);
    u64 val;

    if (r != EXEC_OK || !s.n)
        return r;
    r = mem_ld(c, s.src_la, s.size, &val);
    if (r == EXEC_OK)
        reg_set(c, GPR_RAX, s.size, val);
    return str_end(c, in, &s, r, false);
}

/* ---- CMPS, SCAS --------------------------------------------------------- */

/* REPE ends at a difference, REPNE at a match. */
static bool str_stops(const struct insn *in, u64 a, u64 b)
{
    return in->prefix & PFX_REPNE ? a == b : a != b;
}

/* The first a (or memory, for CMPS) and b that end the repetition, or the last
 * ones of the visit; s->n becomes what was done. */
static void str_scan(const struct insn *in, struct str *s, u64 *a, u64 *b)
{
    s64 step = s->down ? -(s64)s->size : (s64)s->size;
    u64 n = 0;

    do {
        if (s->src)
            *a = host_ld(s->src + (s64)n * step, s->size);
        *b = host_ld(s->dst + (s64)n * step, s->size);
        n++;
    } while (n < s->n && !str_stops(in, *a, *b));
    s->n = n;
}

/* ESI or RAX is the first operand, the minuend. */
static enum exec str_compare(struct cpu *c, const struct insn *in,
                             unsigned int what)
{
    struct str s;
    enum exec r = str_begin(c, in, &s, what | STR_READ);
    u64 a = c->s.gpr[GPR_RAX] & size_mask(in->size), b;

    if (r != EXEC_OK || !s.n)
        return r;
    if (s.ram) {
        str_scan(in, &s, &a, &b);
    } else {
        if (what & STR_SRC)
            r = mem_ld(c, s.src_la, s.size, &a);
        if (r == EXEC_OK)
            r = mem_ld(c, s.dst_la, s.size, &b);
        if (r != EXEC_OK)
            return r;
    }
    flags_cmp(c, a, b, s.size);
    return str_end(c, in, &s, EXEC_OK, str_stops(in, a, b));
}

enum exec op_cmps(struct cpu *c, struct insn *in)
{
    return str_compare(c, in, STR_SRC | STR_DST);
}

enum exec op_scas(struct cpu *c, struct insn *in)
{
    return str_compare(c, in, STR_DST);
}

/* ---- INS, OUTS ---------------------------------------------------------- */

/*
 * One element a visit: a device may look at memory or stop the machine. The
 * destination was translated for writing, so nothing is read from the device
 * that could not be stored. s->n is 0 if there is nothing to do.
 */
static enum exec str_begin_port(struct cpu *c, const struct insn *in,
                                struct str *s, unsigned int side, u16 port)
{
    enum exec r = io_check(c, port, in->size);

    if (r == EXEC_OK)
        r = str_begin(c, in, s, side | STR_ONE);
    if (r == EXEC_OK && s->n)
        watch_port(c, port, in->size);
    return r;
}

enum exec op_ins(struct cpu *c, struct insn *in)
{
    struct str s;
    u16 port = (u16)c->s.gpr[GPR_RDX];
    enum exec r = str_begin_port(c, in, &s, STR_DST, port);

    if (r != EXEC_OK || !s.n)
        return r;
    r = mem_st(c, s.dst_la, s.size, cpu_bus_read(c, BUS_PIO, port, s.size));
    return str_end(c, in, &s, r, false);
}

enum exec op_outs(struct cpu *c, struct insn *in)
{
    struct str s;
    u16 port = (u16)c->s.gpr[GPR_RDX];
    enum exec r = str_begin_port(c, in, &s, STR_SRC, port);
    u64 val;

    if (r != EXEC_OK || !s.n)
        return r;
    r = mem_ld(c, s.src_la, s.size, &val);
    if (r == EXEC_OK)
        cpu_bus_write(c, BUS_PIO, port, s.size, val);
    return str_end(c, in, &s, r, false);
}
