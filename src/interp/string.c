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

enum { STR_SRC = 1, STR_DST = 2 };

/* One visit. */
struct str {
    u64 n;     /* elements to do now, at least 1 */
    u64 count; /* left, this visit included; 1 without REP */
    bool rep, down;
    unsigned int size;
    u8 *src, *dst; /* host addresses of the first elements; NULL: one
                    * element through mem_ld() and mem_st() */
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
    reg_set(c, in, n, in->asize, c->s.gpr[n] + add);
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
static enum exec str_span(struct cpu *c, const struct insn *in, struct str *s,
                          unsigned int seg, u64 off, enum access acc, u64 *la,
                          u8 **host)
{
    unsigned int len = (unsigned int)s->n * s->size;
    u64 low = s->down ? off - (len - s->size) : off;
    enum exec r = seg_linear(c, seg, low, len, acc, la);

    *host = NULL;
    if (r != EXEC_OK && s->n > 1) {
        s->n = 1;
        len = s->size;
        low = off;
        r = seg_linear(c, seg, off, len, acc, la);
    }
    if (r != EXEC_OK)
        return r;
    if (s->n > 1) /* then all of it is in one page */
        *host = tlb_hit(c, *la, 1, acc);
    if (!*host)
        r = mmu_host(c, *la, len, acc, host);
    if (r != EXEC_OK) {
        c->exc.cr2 += off - low; /* the first element that is missing */
        return r;
    }
    if (s->down) { /* to the first element, which is the highest */
        *la += off - low;
        *host = *host ? *host + (off - low) : NULL;
    }
    return EXEC_OK;
}

/* Prepare a visit for the operands in sides; EXEC_OK with s->n 0: RCX was 0. */
static enum exec str_begin(struct cpu *c, struct insn *in, struct str *s,
                           unsigned int sides)
{
    u64 si = str_reg(c, in, GPR_RSI), di = str_reg(c, in, GPR_RDI);
    enum exec r = EXEC_OK;

    *s = (struct str){
        .rep = in->prefix & (PFX_REP | PFX_REPNE),
        .down = c->s.rflags & RFLAGS_DF,
        .size = in->size,
    };
    s->count = s->rep ? str_reg(c, in, GPR_RCX) : 1;
    s->n = s->count;
    if (c->s.rflags & RFLAGS_TF || c->watch)
        s->n = MIN(s->n, 1ull);
    if (!s->n)
        return EXEC_OK;
    if (sides & STR_SRC)
        s->n = MIN(s->n, str_fit(c, in, s, in->seg, si));
    if (sides & STR_DST)
        s->n = MIN(s->n, str_fit(c, in, s, SEG_ES, di));
    s->n = MAX(s->n, 1ull);
    if (sides & STR_SRC)
        r = str_span(c, in, s, in->seg, si, ACC_READ, &s->src_la, &s->src);
    if (r == EXEC_OK && sides & STR_DST)
        r = str_span(c, in, s, SEG_ES, di,
                     in->fn == op_cmps || in->fn == op_scas ? ACC_READ
                                                            : ACC_WRITE,
                     &s->dst_la, &s->dst);
    if ((sides & STR_SRC && !s->src) || (sides & STR_DST && !s->dst))
        s->n = 1;
    return r;
}

/* Advance by what was done; last: stop even if RCX is not yet zero. */
static enum exec str_end(struct cpu *c, struct insn *in, const struct str *s,
                         unsigned int sides, bool last)
{
    u64 step = s->n * s->size;

    if (s->down)
        step = -step;
    if (sides & STR_SRC)
        str_reg_add(c, in, GPR_RSI, step);
    if (sides & STR_DST)
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

/* DF=1 is rare. */
static void str_copy_down(const struct str *s)
{
    for (u64 n = 0; n < s->n; n++)
        host_st(s->dst - n * s->size, s->size,
                host_ld(s->src - n * s->size, s->size));
}

static void str_fill_down(const struct str *s, u64 val)
{
    for (u64 n = 0; n < s->n; n++)
        host_st(s->dst - n * s->size, s->size, val);
}

/* One element of a side that is not plain RAM. */
static enum exec str_get(struct cpu *c, const struct str *s, const u8 *host,
                         u64 la, u64 *val)
{
    if (!host)
        return mem_ld(c, la, s->size, val);
    *val = host_ld(host, s->size);
    return EXEC_OK;
}

enum exec op_movs(struct cpu *c, struct insn *in)
{
    struct str s;
    enum exec r = str_begin(c, in, &s, STR_SRC | STR_DST);
    u64 val;

    if (r != EXEC_OK || !s.n)
        return r;
    if (!s.src || !s.dst) {
        r = mem_ld(c, s.src_la, s.size, &val);
        if (r == EXEC_OK)
            r = mem_st(c, s.dst_la, s.size, val);
    } else if (s.down) {
        str_copy_down(&s);
    } else {
        host_rep_movs(s.dst, s.src, s.n, s.size);
    }
    if (r != EXEC_OK)
        return r;
    return str_end(c, in, &s, STR_SRC | STR_DST, false);
}

enum exec op_stos(struct cpu *c, struct insn *in)
{
    struct str s;
    enum exec r = str_begin(c, in, &s, STR_DST);

    if (r != EXEC_OK || !s.n)
        return r;
    if (!s.dst)
        r = mem_st(c, s.dst_la, s.size, c->s.gpr[GPR_RAX] & size_mask(s.size));
    else if (s.down)
        str_fill_down(&s, c->s.gpr[GPR_RAX]);
    else
        host_rep_stos(s.dst, s.n, c->s.gpr[GPR_RAX], s.size);
    return r == EXEC_OK ? str_end(c, in, &s, STR_DST, false) : r;
}

/* REP LODS leaves only the last element; nobody needs it fast. */
enum exec op_lods(struct cpu *c, struct insn *in)
{
    struct str s;
    enum exec r = str_begin(c, in, &s, STR_SRC);
    u64 val;

    if (r != EXEC_OK || !s.n)
        return r;
    s.n = 1;
    r = str_get(c, &s, s.src, s.src_la, &val);
    if (r != EXEC_OK)
        return r;
    reg_set(c, in, GPR_RAX, in->size, val);
    return str_end(c, in, &s, STR_SRC, false);
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

/* ESI is the first operand, the minuend. */
enum exec op_cmps(struct cpu *c, struct insn *in)
{
    struct str s;
    enum exec r = str_begin(c, in, &s, STR_SRC | STR_DST);
    u64 a, b;

    if (r != EXEC_OK || !s.n)
        return r;
    if (s.src && s.dst) {
        str_scan(in, &s, &a, &b);
    } else {
        r = str_get(c, &s, s.src, s.src_la, &a);
        if (r == EXEC_OK)
            r = str_get(c, &s, s.dst, s.dst_la, &b);
        if (r != EXEC_OK)
            return r;
    }
    flags_cmp(c, a, b, in->size);
    return str_end(c, in, &s, STR_SRC | STR_DST, str_stops(in, a, b));
}

enum exec op_scas(struct cpu *c, struct insn *in)
{
    struct str s;
    enum exec r = str_begin(c, in, &s, STR_DST);
    u64 a = c->s.gpr[GPR_RAX] & size_mask(in->size), b;

    if (r != EXEC_OK || !s.n)
        return r;
    if (s.dst)
        str_scan(in, &s, &a, &b);
    else
        r = mem_ld(c, s.dst_la, in->size, &b);
    if (r != EXEC_OK)
        return r;
    flags_cmp(c, a, b, in->size);
    return str_end(c, in, &s, STR_DST, str_stops(in, a, b));
}

/* ---- INS, OUTS ---------------------------------------------------------- */

/*
 * One element a visit: a device may look at memory or stop the machine. The
 * destination was translated for writing, so nothing is read from the device
 * that could not be stored. s->n is 0 if there is nothing to do.
 */
static enum exec str_begin_port(struct cpu *c, struct insn *in, struct str *s,
                                unsigned int side, u16 *port)
{
    enum exec r;

    *port = (u16)c->s.gpr[GPR_RDX];
    s->n = 0;
    r = io_check(c, *port, in->size);
    if (r == EXEC_OK)
        r = str_begin(c, in, s, side);
    s->n = MIN(s->n, 1ull);
    if (r == EXEC_OK && s->n)
        watch_port(c, *port, in->size);
    return r;
}

enum exec op_ins(struct cpu *c, struct insn *in)
{
    struct str s;
    u16 port;
    enum exec r = str_begin_port(c, in, &s, STR_DST, &port);

    if (r != EXEC_OK || !s.n)
        return r;
    r = mem_st(c, s.dst_la, in->size, cpu_bus_read(c, BUS_PIO, port, in->size));
    return r == EXEC_OK ? str_end(c, in, &s, STR_DST, false) : r;
}

enum exec op_outs(struct cpu *c, struct insn *in)
{
    struct str s;
    u16 port;
    enum exec r = str_begin_port(c, in, &s, STR_SRC, &port);
    u64 val;

    if (r != EXEC_OK || !s.n)
        return r;
    r = str_get(c, &s, s.src, s.src_la, &val);
    if (r != EXEC_OK)
        return r;
    cpu_bus_write(c, BUS_PIO, port, in->size, val);
    return str_end(c, in, &s, STR_SRC, false);
}
