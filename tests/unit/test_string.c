/* SPDX-License-Identifier: Apache-2.0 */
/* test_string.c: string instructions against a model that does one element at
 * a time; faults in the middle; ports */
#include <check.h>
#include <stdlib.h>

#include "interp_rig.h"

/* Run until it has ended, at most visits times; counts the visits. */
static enum exec str_run(struct rig *r, const u8 *code, unsigned int len,
                         unsigned int visits)
{
    enum exec e = EXEC_AGAIN;

    ck_assert_int_eq(mem_write(r->mem, RIG_CODE, code, len), 0);
    r->c->s.rip = RIG_CODE;
    while (visits-- && e == EXEC_AGAIN)
        e = step_one(r->c);
    return e;
}

/* ---- the model ------------------------------------------------------ */

#define AREA     0x20000u /* all operands lie in RAM from here ... */
#define AREA_LEN 0x6000u  /* ... six pages of it */

struct model {
    u8 mem[AREA_LEN];
    u64 cx, si, di, ax, steps;
    bool cf, zf;
};

static u64 model_get(const struct model *m, u64 la, unsigned int size)
{
    u64 v = 0;

    memcpy(&v, &m->mem[la - AREA], size);
    return v;
}

static void model_compare(struct model *m, u64 a, u64 b)
{
    m->cf = a < b;
    m->zf = a == b;
}

/* One element; op is the opcode with bit 0 clear. */
static void model_step(struct model *m, u8 op, unsigned int size, u64 add)
{
    u64 mask = size_mask(size), val;

    switch (op) {
    case 0xa4:
        val = model_get(m, m->si, size);
        memcpy(&m->mem[m->di - AREA], &val, size);
        break;
    case 0xa6:
        model_compare(m, model_get(m, m->si, size), model_get(m, m->di, size));
        break;
    case 0xaa:
        memcpy(&m->mem[m->di - AREA], &m->ax, size);
        break;
    case 0xac:
        val = model_get(m, m->si, size);
        m->ax = size == 4 ? val : (m->ax & ~mask) | val;
        break;
    default:
        model_compare(m, m->ax & mask, model_get(m, m->di, size));
        break;
    }
    if (op != 0xaa && op != 0xae)
        m->si += add;
    if (op != 0xac)
        m->di += add;
}

struct str_case {
    u8 op;   /* bit 0 clear */
    u8 rep;  /* 0, F2, F3 */
    u8 size; /* 1, 2, 4, 8 */
    bool down;
    u64 cx, si, di; /* offsets in the area */
};

static void model_run(struct model *m, const struct str_case *t)
{
    u64 add = t->down ? -(u64)t->size : t->size;
    bool compares = t->op == 0xa6 || t->op == 0xae;

    if (!t->rep) {
        model_step(m, t->op, t->size, add);
        m->steps = 1;
        return;
    }
    while (m->cx) {
        model_step(m, t->op, t->size, add);
        m->cx--;
        m->steps++;
        if (compares && m->zf != (t->rep == 0xf3))
            break;
    }
}

static void str_fill(struct model *m)
{
    u32 x = 12345;

    for (unsigned int i = 0; i < AREA_LEN; i++) {
        x = x * 1664525 + 1013904223;
        m->mem[i] = (u8)(x >> 29); /* 0..7: matches are frequent */
    }
}

/* Long equal runs, so that CMPS and SCAS go on for pages. */
static void str_equal(struct model *m, const struct str_case *t)
{
    if (t->op == 0xa6 && t->rep == 0xf3)
        memset(m->mem, 3, AREA_LEN - 0x900);
    if (t->op == 0xae)
        memset(m->mem, t->rep == 0xf3 ? 0x55 : 1, AREA_LEN - 0x900);
}

static unsigned int str_code(const struct str_case *t, u8 *code)
{
    unsigned int n = 0;

    if (t->rep)
        code[n++] = t->rep;
    if (t->size == 2)
        code[n++] = 0x66;
    if (t->size == 8)
        code[n++] = 0x48;
    code[n++] = t->size == 1 ? t->op : t->op | 1;
    return n;
}

static void str_check(struct rig *r, const struct str_case *t,
                      const struct model *m)
{
    const struct cpu_state *s = &r->c->s;
    static u8 got[AREA_LEN];
    bool flags = t->op == 0xa6 || t->op == 0xae;

    ck_assert_int_eq(mem_read(r->mem, AREA, got, AREA_LEN), 0);
    if (s->gpr[GPR_RCX] != m->cx || s->gpr[GPR_RSI] != m->si ||
        s->gpr[GPR_RDI] != m->di || s->gpr[GPR_RAX] != m->ax)
        ck_abort_msg("rcx %#lx rsi %#lx rdi %#lx rax %#lx, not %#lx %#lx %#lx "
                     "%#lx",
                     s->gpr[GPR_RCX], s->gpr[GPR_RSI], s->gpr[GPR_RDI],
                     s->gpr[GPR_RAX], m->cx, m->si, m->di, m->ax);
    ck_assert_mem_eq(got, m->mem, AREA_LEN);
    ck_assert_uint_eq(r->c->icount, m->steps ? m->steps : 1);
    if (flags && m->steps) {
        ck_assert_int_eq(!(s->rflags & RFLAGS_ZF), !m->zf);
        ck_assert_int_eq(!(s->rflags & RFLAGS_CF), !m->cf);
    }
}

static void str_one(struct rig *r, const struct str_case *t)
{
    static struct model m;
    struct cpu_state *s = &r->c->s;
    u8 code[4];

    m = (struct model){.cx = t->cx, .ax = 0x5555555555555555ull};
    m.si = AREA + t->si;
    m.di = AREA + t->di;
    str_fill(&m);
    str_equal(&m, t);
    ck_assert_int_eq(mem_write(r->mem, AREA, m.mem, AREA_LEN), 0);
    s->gpr[GPR_RCX] = m.cx;
    s->gpr[GPR_RSI] = m.si;
    s->gpr[GPR_RDI] = m.di;
    s->gpr[GPR_RAX] = m.ax;
    s->rflags = RFLAGS_ONE | (t->down ? RFLAGS_DF : 0);
    r->c->icount = 0;
    model_run(&m, t);
    ck_assert_int_eq(str_run(r, code, str_code(t, code), 5000), EXEC_OK);
    str_check(r, t, &m);
}

/* Every operation, size, direction and prefix, at places that are aligned,
 * unaligned, across pages and overlapping. */
START_TEST(test_string)
{
    static const u8 ops[] = {0xa4, 0xa6, 0xaa, 0xac, 0xae};
    static const u8 reps[] = {0, 0xf2, 0xf3};
    static const u64 counts[] = {0, 1, 2, 7, 300, 700};
    static const struct {
        u64 si, di;
    } places[] = {
        {0x1800, 0x3000}, {0x1801, 0x3003}, {0x1ffd, 0x2ff9}, {0x2000, 0x2001},
        {0x2001, 0x2000}, {0x2010, 0x2008}, {0x2008, 0x2010}, {0x27ff, 0x27ff},
    };
    struct rig r;

    rig_new(&r);
    for (unsigned int i = 0; i < 3 * 4 * 2 * 6 * ARRAY_SIZE(places); i++) {
        unsigned int n = i / (3 * 4 * 2);
        struct str_case t = {
            .op = ops[_i],
            .rep = reps[i % 3],
            .size = (u8)(1 << (i / 3 & 3)),
            .down = i / 12 & 1,
            .cx = counts[n % 6],
            .si = places[n / 6].si,
            .di = places[n / 6].di,
        };

        str_one(&r, &t);
    }
    rig_free(&r);
}
END_TEST

/* ---- faults, visits, address sizes ---------------------------------- */

/* 0x200000 is AREA, the page after it is not mapped, what is before it is
 * itself. */
static void str_map(struct rig *r)
{
    rig_new(r);
    rig_put(r, RIG_PDPT, 8, 0xc000 | 7);
    rig_put(r, 0xc000, 8, 0x87);
    rig_put(r, 0xc008, 8, 0xd000 | 7);
    rig_put(r, 0xd000, 8, AREA | 7);
    mmu_flush_all(r->c);
}

/* Pages that follow each other are not neighbours in memory. */
START_TEST(test_string_pages)
{
    static const u8 code[] = {0xf3, 0x48, 0xa5};
    struct rig r;
    u64 *gpr;

    str_map(&r);
    gpr = r.c->s.gpr;
    rig_put(&r, 0x1ffff8, 8, 0x1111);
    rig_put(&r, AREA, 8, 0x2222);
    rig_put(&r, AREA + 8, 8, 0x3333);
    for (unsigned int down = 0; down < 2; down++) {
        r.c->s.rflags = RFLAGS_ONE | (down ? RFLAGS_DF : 0);
        gpr[GPR_RCX] = 3;
        gpr[GPR_RSI] = down ? 0x200008 : 0x1ffff8;
        gpr[GPR_RDI] = RIG_DATA + (down ? 16 : 0);
        rig_put(&r, RIG_DATA, 8, 0);
        rig_put(&r, RIG_DATA + 16, 8, 0);
        ck_assert_int_eq(str_run(&r, code, 3, 5), EXEC_OK);
        ck_assert_uint_eq(rig_get(&r, RIG_DATA, 8), 0x1111);
        ck_assert_uint_eq(rig_get(&r, RIG_DATA + 8, 8), 0x2222);
        ck_assert_uint_eq(rig_get(&r, RIG_DATA + 16, 8), 0x3333);
    }
    rig_free(&r);
}
END_TEST

START_TEST(test_string_fault)
{
    static const u8 code[] = {0xf3, 0x48, 0xa5};
    struct rig r;
    u64 *gpr;

    str_map(&r);
    gpr = r.c->s.gpr;
    rig_put(&r, 0x20ff0, 8, 0x1111);
    rig_put(&r, 0x20ff8, 8, 0x2222);
    gpr[GPR_RCX] = 5;
    gpr[GPR_RSI] = 0x200ff0;
    gpr[GPR_RDI] = RIG_DATA;
    ck_assert_int_eq(str_run(&r, code, 3, 1), EXEC_AGAIN);
    ck_assert_uint_eq(r.c->s.rip, RIG_CODE);
    ck_assert_uint_eq(r.c->icount, 2);
    rig_fault(r.c, step_one(r.c), EXC_PF, 0);
    ck_assert_uint_eq(r.c->exc.cr2, 0x201000);
    ck_assert_uint_eq(gpr[GPR_RCX], 3);
    ck_assert_uint_eq(gpr[GPR_RSI], 0x201000);
    ck_assert_uint_eq(gpr[GPR_RDI], RIG_DATA + 16);
    ck_assert_uint_eq(rig_get(&r, RIG_DATA + 8, 8), 0x2222);
    /* an element across the edge writes nothing, and the fault is beyond */
    gpr[GPR_RCX] = 1;
    gpr[GPR_RSI] = RIG_DATA;
    gpr[GPR_RDI] = 0x200ffc;
    rig_fault(r.c, step_one(r.c), EXC_PF, PF_W);
    ck_assert_uint_eq(r.c->exc.cr2, 0x201000);
    ck_assert_uint_eq(rig_get(&r, 0x20ffc, 4), 0);
    ck_assert_uint_eq(gpr[GPR_RCX], 1);
    rig_free(&r);
}
END_TEST

/* A page a visit, and one element a visit under TF. */
START_TEST(test_string_visits)
{
    static const u8 code[] = {0xf3, 0xaa};
    struct rig r;
    u64 *gpr;

    rig_new(&r);
    gpr = r.c->s.gpr;
    gpr[GPR_RCX] = 0x2800;
    gpr[GPR_RDI] = AREA;
    ck_assert_int_eq(str_run(&r, code, 2, 1), EXEC_AGAIN);
    ck_assert_uint_eq(gpr[GPR_RCX], 0x1800);
    ck_assert_uint_eq(r.c->icount, 0x1000);
    ck_assert_int_eq(str_run(&r, code, 2, 2), EXEC_OK);
    ck_assert_uint_eq(gpr[GPR_RDI], AREA + 0x2800);
    ck_assert_uint_eq(r.c->icount, 0x2800);
    gpr[GPR_RCX] = 3;
    r.c->s.rflags |= RFLAGS_TF;
    ck_assert_int_eq(str_run(&r, code, 2, 1), EXEC_AGAIN);
    ck_assert_uint_eq(gpr[GPR_RCX], 2);
    ck_assert_int_eq(str_run(&r, code, 2, 2), EXEC_OK);
    ck_assert_uint_eq(gpr[GPR_RCX], 0);
    rig_free(&r);
}
END_TEST

/* 67: ECX, ESI, EDI count and wrap at 4 GiB, and are zero-extended. */
START_TEST(test_string_asize)
{
    static const u8 code[] = {0x67, 0xf3, 0xa4};
    struct rig r;
    u64 *gpr;

    rig_new(&r);
    gpr = r.c->s.gpr;
    rig_put(&r, AREA, 8, 0x1122334455667788ull);
    gpr[GPR_RCX] = 0x700000004ull;
    gpr[GPR_RSI] = 0x900000000ull + AREA;
    gpr[GPR_RDI] = AREA + 0x100;
    ck_assert_int_eq(str_run(&r, code, 3, 1), EXEC_OK);
    ck_assert_uint_eq(rig_get(&r, AREA + 0x100, 8), 0x55667788);
    ck_assert_uint_eq(gpr[GPR_RCX], 0);
    ck_assert_uint_eq(gpr[GPR_RSI], AREA + 4);
    ck_assert_uint_eq(gpr[GPR_RDI], AREA + 0x104);
    rig_free(&r);
}
END_TEST

/* 16-bit addresses wrap within the segment: FFFE, FFFF, 0000, 0001. */
START_TEST(test_string_real)
{
    static const u8 code[] = {0xf3, 0xa4};
    struct rig r;
    u64 *gpr;

    rig_new(&r);
    rig_real(&r);
    r.c->s.seg[SEG_DS].base = AREA;
    r.c->s.seg[SEG_ES].base = 0x40000;
    rig_put(&r, AREA + 0xfffe, 2, 0x2211);
    rig_put(&r, AREA, 2, 0x4433);
    gpr = r.c->s.gpr;
    gpr[GPR_RCX] = 0xabcd0004;
    gpr[GPR_RSI] = 0xabcdfffe;
    gpr[GPR_RDI] = 0xabcd0010;
    r.c->s.seg[SEG_CS].base = RIG_CODE;
    ck_assert_int_eq(mem_write(r.mem, RIG_CODE, code, 2), 0);
    r.c->s.rip = 0;
    for (unsigned int i = 0; i < 4 && r.c->s.rip == 0; i++)
        ck_assert_int_ne(step_one(r.c), EXEC_FAULT);
    ck_assert_uint_eq(rig_get(&r, 0x40010, 8), 0x44332211);
    ck_assert_uint_eq(gpr[GPR_RCX], 0xabcd0000);
    ck_assert_uint_eq(gpr[GPR_RSI], 0xabcd0002);
    ck_assert_uint_eq(gpr[GPR_RDI], 0xabcd0014);
    rig_free(&r);
}
END_TEST

/* ---- ports and MMIO ------------------------------------------------- */

struct fifo {
    u64 next, sum;
    unsigned int size, reads, writes;
};

static u64 fifo_read(void *dev, u64 off, unsigned int size)
{
    struct fifo *f = dev;

    f->size = size;
    f->reads++;
    return f->next++;
}

static void fifo_write(void *dev, u64 off, unsigned int size, u64 val)
{
    struct fifo *f = dev;

    f->size = size;
    f->writes++;
    f->sum = f->sum * 16 + val;
}

static const struct bus_ops fifo_ops = {.read = fifo_read, .write = fifo_write};

START_TEST(test_string_ports)
{
    static const u8 ins[] = {0xf3, 0x66, 0x6d}, outs[] = {0xf3, 0x6e};
    struct fifo f = {.next = 0x101};
    struct rig r;
    u64 *gpr;

    rig_new(&r);
    gpr = r.c->s.gpr;
    bus_add(&r.bus, BUS_PIO, 0x300, 8, "fifo", &fifo_ops, &f);
    gpr[GPR_RDX] = 0xffff0300;
    gpr[GPR_RCX] = 3;
    gpr[GPR_RDI] = RIG_DATA;
    ck_assert_int_eq(str_run(&r, ins, 3, 5), EXEC_OK);
    ck_assert_uint_eq(rig_get(&r, RIG_DATA, 8), 0x010301020101ull);
    ck_assert_uint_eq(f.size, 2);
    ck_assert_uint_eq(r.c->icount, 3);
    gpr[GPR_RCX] = 2;
    gpr[GPR_RSI] = RIG_DATA;
    ck_assert_int_eq(str_run(&r, outs, 2, 5), EXEC_OK);
    ck_assert_uint_eq(f.sum, 0x11);
    ck_assert_uint_eq(f.size, 1);
    /* nothing is read from the device if it could not be stored */
    f.reads = 0;
    gpr[GPR_RCX] = 1;
    gpr[GPR_RDI] = RIG_HOLE;
    rig_fault(r.c, str_run(&r, ins, 3, 5), EXC_PF, PF_W);
    ck_assert_uint_eq(f.reads, 0);
    rig_free(&r);
}
END_TEST

/* MMIO on either side: element by element, of the instruction's size. */
START_TEST(test_string_mmio)
{
    static const u8 movs[] = {0xf3, 0xa5}, scas[] = {0xf2, 0xaf};
    struct fifo f = {.next = 1};
    struct rig r;
    u64 *gpr;

    rig_new(&r);
    gpr = r.c->s.gpr;
    bus_add(&r.bus, BUS_MMIO, 0x30000000, 0x1000, "fifo", &fifo_ops, &f);
    gpr[GPR_RCX] = 2;
    gpr[GPR_RSI] = 0x30000000;
    gpr[GPR_RDI] = RIG_DATA;
    ck_assert_int_eq(str_run(&r, movs, 2, 5), EXEC_OK);
    ck_assert_uint_eq(rig_get(&r, RIG_DATA, 8), 0x200000001ull);
    ck_assert_uint_eq(f.size, 4);
    gpr[GPR_RCX] = 2;
    gpr[GPR_RSI] = RIG_DATA;
    gpr[GPR_RDI] = 0x30000000;
    ck_assert_int_eq(str_run(&r, movs, 2, 5), EXEC_OK);
    ck_assert_uint_eq(f.sum, 0x12);
    ck_assert_uint_eq(f.writes, 2);
    gpr[GPR_RCX] = 100;
    gpr[GPR_RAX] = 7;
    gpr[GPR_RDI] = 0x30000000;
    ck_assert_int_eq(str_run(&r, scas, 2, 50), EXEC_OK);
    ck_assert_uint_eq(gpr[GPR_RCX], 95);
    rig_free(&r);
}
END_TEST

Suite *suite_string(void);

Suite *suite_string(void)
{
    Suite *s = suite_create("string");
    TCase *tc = tcase_create("string");

    tcase_add_loop_test(tc, test_string, 0, 5);
    tcase_add_test(tc, test_string_pages);
    tcase_add_test(tc, test_string_fault);
    tcase_add_test(tc, test_string_visits);
    tcase_add_test(tc, test_string_asize);
    tcase_add_test(tc, test_string_real);
    tcase_add_test(tc, test_string_ports);
    tcase_add_test(tc, test_string_mmio);
    suite_add_tcase(s, tc);
    return s;
}
