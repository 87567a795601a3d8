/* SPDX-License-Identifier: Apache-2.0 */
/* mmu.c: walks and their error codes, A and D, TLB flushes, odd accesses */
#include <pthread.h>

#include "interp_rig.h"

#define LA   0x8000201000ull /* PML4E 1, PDPTE 0, PDE 1, PTE 1 */
#define PDPT 0x30000u
#define PD   0x31000u
#define PT   0x32000u
#define PAGE 0x40000u
#define NX   (1ull << 63)

enum { P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100 };

#define PML4E_AT (RIG_PML4 + 8u)
#define PDPTE_AT PDPT
#define PDE_AT   (PD + 8u)
#define PTE_AT   (PT + 8u)

static void map(struct rig *r, u64 pml4e, u64 pdpte, u64 pde, u64 pte)
{
    rig_put(r, PML4E_AT, 8, pml4e ? PDPT | pml4e : 0);
    rig_put(r, PDPTE_AT, 8, pdpte ? PD | pdpte : 0);
    rig_put(r, PDE_AT, 8, pde ? PT | pde : 0);
    rig_put(r, PTE_AT, 8, pte ? PAGE | pte : 0);
    mmu_flush_all(r->c);
}

static enum exec touch(struct rig *r, u64 la, enum access acc)
{
    const u8 *host;
    u64 val = 0;

    if (acc == ACC_EXEC)
        return mmu_fetch(r->c, la, &val, &host);
    if (acc == ACC_WRITE)
        return mem_st(r->c, la, 8, 0x1234);
    return mem_ld(r->c, la, 8, &val);
}

enum { T_U = 1, T_NOWP = 2, T_SMEP = 4, T_NONXE = 8, T_SMAP = 16, T_AC = 32 };

static const struct walk_case {
    const char *name;
    u64 e[4]; /* PML4E, PDPTE, PDE, PTE */
    enum access acc;
    unsigned int how;
    int error; /* -1: none */
} walks[] = {
    {"read", {7, 7, 7, 7}, ACC_READ, 0, -1},
    {"no PML4E", {0, 7, 7, 7}, ACC_READ, 0, 0},
    {"no PDPTE", {7, 0, 7, 7}, ACC_READ, T_U, PF_U},
    {"no PDE", {7, 7, 0, 7}, ACC_WRITE, 0, PF_W},
    {"no PTE", {7, 7, 7, 0}, ACC_WRITE, T_U, PF_W | PF_U},
    {"no PTE, fetch", {7, 7, 7, 0}, ACC_EXEC, 0, PF_I},
    {"no PTE, fetch, neither NXE nor SMEP", {7, 7, 7, 0}, ACC_EXEC, T_NONXE, 0},
    {"user read", {7, 7, 7, 7}, ACC_READ, T_U, -1},
    {"user, supervisor PML4E", {3, 7, 7, 7}, ACC_READ, T_U, PF_P | PF_U},
    {"user, supervisor PDPTE", {7, 3, 7, 7}, ACC_READ, T_U, PF_P | PF_U},
    {"user, supervisor PDE", {7, 7, 3, 7}, ACC_READ, T_U, PF_P | PF_U},
    {"user, supervisor PTE", {7, 7, 7, 3}, ACC_READ, T_U, PF_P | PF_U},
    {"user write, read-only", {7, 7, 7, 5}, ACC_WRITE, T_U, PF_P | PF_W | PF_U},
    {"user write, no WP", {7, 7, 7, 5}, ACC_WRITE, T_U | T_NOWP, 7},
    {"write, read-only", {7, 7, 7, 5}, ACC_WRITE, 0, PF_P | PF_W},
    {"write, read-only PML4E", {5, 7, 7, 7}, ACC_WRITE, 0, PF_P | PF_W},
    {"write, read-only, no WP", {7, 7, 7, 5}, ACC_WRITE, T_NOWP, -1},
    {"fetch NX page", {7, 7, 7, 7 | NX}, ACC_EXEC, 0, PF_P | PF_I},
    {"fetch NX PML4E", {7 | NX, 7, 7, 7}, ACC_EXEC, T_U, PF_P | PF_U | PF_I},
    {"read NX page", {7, 7, 7, 7 | NX}, ACC_READ, 0, -1},
    {"NX is reserved", {7, 7, 7, 7 | NX}, ACC_READ, T_NONXE, PF_P | PF_RSVD},
    {"fetch user page", {7, 7, 7, 7}, ACC_EXEC, 0, -1},
    {"fetch user page, SMEP", {7, 7, 7, 7}, ACC_EXEC, T_SMEP, PF_P | PF_I},
    {"fetch kernel page, SMEP", {7, 7, 7, 3}, ACC_EXEC, T_SMEP, -1},
    {"SMEP gives I without NXE",
     {7, 7, 7, 0},
     ACC_EXEC,
     T_SMEP | T_NONXE,
     PF_I},
    {"SMAP", {7, 7, 7, 7}, ACC_READ, T_SMAP, PF_P},
    {"SMAP, AC", {7, 7, 7, 7}, ACC_READ, T_SMAP | T_AC, -1},
    {"SMAP, kernel page", {7, 7, 7, 3}, ACC_READ, T_SMAP, -1},
    {"bit 40", {7, 7, 7, 7 | 1ull << 40}, ACC_READ, 0, PF_P | PF_RSVD},
    {"bit 51, PDE", {7, 7, 7 | 1ull << 51, 7}, ACC_WRITE, 0, 11},
    {"bits 52..58 are free", {7, 7, 7, 7 | 0x7full << 52}, ACC_READ, 0, -1},
    {"PS in PML4E", {7 | PS, 7, 7, 7}, ACC_READ, 0, PF_P | PF_RSVD},
    {"table outside RAM", {7, 7, 7 | 0x8000000000, 7}, ACC_READ, 0, 9},
    {"1 GiB page, bit 13", {7, PS | 7 | 0x2000, 0, 0}, ACC_READ, 0, 9},
    {"2 MiB page, bit 13", {7, 7, PS | 7 | 0x2000, 0}, ACC_READ, T_U, 13},
};

START_TEST(test_walk)
{
    const struct walk_case *t = &walks[_i];
    struct rig r;
    struct cpu *c;
    enum exec x;

    rig_new(&r);
    c = r.c;
    map(&r, t->e[0], t->e[1], t->e[2], t->e[3]);
    if (t->how & T_NOWP)
        c->s.cr0 &= ~CR0_WP;
    if (t->how & T_SMEP)
        c->s.cr4 |= CR4_SMEP;
    if (t->how & T_SMAP)
        c->s.cr4 |= CR4_SMAP;
    if (t->how & T_AC)
        c->s.rflags |= RFLAGS_AC;
    if (t->how & T_NONXE)
        c->s.efer &= ~EFER_NXE;
    rig_cpl(&r, t->how & T_U ? 3 : 0);
    x = touch(&r, LA + 8, t->acc);
    ck_assert_msg((x == EXEC_OK) == (t->error < 0), "%s: %d", t->name, x);
    if (t->error >= 0) {
        ck_assert_msg(c->exc.vector == EXC_PF, "%s", t->name);
        ck_assert_msg(c->exc.error == (u32)t->error, "%s: error %x", t->name,
                      c->exc.error);
        ck_assert_uint_eq(c->exc.cr2, LA + 8);
    }
    /* and again, now that the TLB may know the page */
    ck_assert_msg(touch(&r, LA + 8, t->acc) == x, "%s: again", t->name);
    rig_free(&r);
}
END_TEST

START_TEST(test_non_canonical)
{
    struct rig r;

    rig_new(&r);
    rig_fault(r.c, touch(&r, RIG_WILD, ACC_EXEC), EXC_GP, 0);
    rig_fault(r.c, touch(&r, RIG_WILD - 4, ACC_READ), EXC_PF, 0);
    rig_free(&r);
}
END_TEST

/* A by any access, D by a write; the first write after a read sets D too. */
START_TEST(test_accessed_dirty)
{
    struct rig r;

    rig_new(&r);
    map(&r, 7, 7, 7, 7);
    ck_assert_int_eq(touch(&r, LA, ACC_READ), EXEC_OK);
    ck_assert_uint_eq(rig_get(&r, PML4E_AT, 8), PDPT | 7 | A);
    ck_assert_uint_eq(rig_get(&r, PDPTE_AT, 8), PD | 7 | A);
    ck_assert_uint_eq(rig_get(&r, PDE_AT, 8), PT | 7 | A);
    ck_assert_uint_eq(rig_get(&r, PTE_AT, 8), PAGE | 7 | A);
    ck_assert_ptr_null(tlb_hit(r.c, LA, 8, ACC_WRITE));
    ck_assert_int_eq(touch(&r, LA, ACC_WRITE), EXEC_OK);
    ck_assert_uint_eq(rig_get(&r, PDE_AT, 8), PT | 7 | A);
    ck_assert_uint_eq(rig_get(&r, PTE_AT, 8), PAGE | 7 | A | D);
    ck_assert_ptr_nonnull(tlb_hit(r.c, LA, 8, ACC_WRITE));
    rig_free(&r);
}
END_TEST

#define RACES 1000000
#define MINE  (1ull << 9) /* of the entry: free for software */

static _Atomic(bool) race_over;

/* Another processor's system software, changing a bit of its own. The result
 * is not NULL if a change of it was lost. */
static void *race_software(void *arg)
{
    _Atomic(u64) *pte = arg;
    u64 lost = 0;

    for (u64 i = 0; i < RACES; i++)
        lost |= (atomic_fetch_xor(pte, MINE) ^ (i & 1 ? MINE : 0)) & MINE;
    atomic_store(&race_over, true);
    return lost ? arg : NULL;
}

/* A and D are set without losing what others do to the entry meanwhile. */
START_TEST(test_accessed_dirty_race)
{
    void *at, *lost = NULL;
    _Atomic(u64) *pte;
    pthread_t other;
    struct rig r;

    rig_new(&r);
    map(&r, 7, 7, 7, 7);
    pte = at = mem_range(r.mem, PTE_AT, 8);
    ck_assert_int_eq(pthread_create(&other, NULL, race_software, at), 0);
    do {
        atomic_fetch_and(pte, ~(u64)(A | D));
        mmu_flush_page(r.c, LA);
        while (touch(&r, LA, ACC_WRITE) == EXEC_AGAIN)
            ; /* the entry changed while it was walked */
    } while (!atomic_load(&race_over));
    pthread_join(other, &lost);
    ck_assert_ptr_null(lost);
    ck_assert_uint_eq(*pte & ~MINE, PAGE | 7 | A | D);
    rig_free(&r);
}
END_TEST

/* A fault leaves A and D of the leaf alone. */
START_TEST(test_fault_marks_nothing)
{
    struct rig r;

    rig_new(&r);
    map(&r, 7, 7, 7, 5);
    ck_assert_int_eq(touch(&r, LA, ACC_WRITE), EXEC_FAULT);
    ck_assert_uint_eq(rig_get(&r, PTE_AT, 8), PAGE | 5);
    rig_free(&r);
}
END_TEST

START_TEST(test_large_pages)
{
    struct rig r;
    u64 val;

    rig_new(&r);
    rig_put(&r, 0x240008, 8, 0x2222);
    rig_put(&r, 0x240008 + 0x200000, 8, 0x1111);
    map(&r, 7, 7, 0, 0);
    rig_put(&r, PDE_AT, 8, 0x200000 | 7 | PS);
    ck_assert_int_eq(mem_ld(r.c, LA - 0x1000 + 0x40008, 8, &val), EXEC_OK);
    ck_assert_uint_eq(val, 0x2222);
    ck_assert_int_eq(mem_st(r.c, LA - 0x1000 + 0x40008, 8, 1), EXEC_OK);
    ck_assert_uint_eq(rig_get(&r, PDE_AT, 8), 0x200000 | 7 | PS | A | D);
    rig_put(&r, PDPTE_AT, 8, 7 | PS);
    mmu_flush_all(r.c);
    ck_assert_int_eq(mem_ld(r.c, 0x8000440008, 8, &val), EXEC_OK);
    ck_assert_uint_eq(val, 0x1111);
    rig_free(&r);
}
END_TEST

/* ---- flushes ------------------------------------------------------------ */

enum flush { FLUSH_NONE, FLUSH_CR3, FLUSH_PAGE, FLUSH_OTHER, FLUSH_ALL };

static const struct flush_case {
    const char *name;
    u64 pte;
    enum flush flush;
    bool stays;
} flushes[] = {
    {"no flush", 7, FLUSH_NONE, true},
    {"CR3", 7, FLUSH_CR3, false},
    {"CR3, global", 7 | G, FLUSH_CR3, true},
    {"INVLPG", 7, FLUSH_PAGE, false},
    {"INVLPG, global", 7 | G, FLUSH_PAGE, false},
    {"INVLPG elsewhere", 7, FLUSH_OTHER, true},
    {"all, global", 7 | G, FLUSH_ALL, false},
};

static void do_flush(struct cpu *c, enum flush f)
{
    if (f == FLUSH_CR3)
        mmu_flush_nonglobal(c);
    else if (f == FLUSH_PAGE)
        mmu_flush_page(c, LA + 77);
    else if (f == FLUSH_OTHER)
        mmu_flush_page(c, LA + 0x1000);
    else if (f == FLUSH_ALL)
        mmu_flush_all(c);
}

/* The page is moved behind the TLB's back: does it see that? Also when a page
 * 512 pages away has driven its entry out, to where it can be recalled from. */
START_TEST(test_flush)
{
    const struct flush_case *t = &flushes[_i / 4];
    u8 cpl = _i & 1 ? 3 : 0;
    struct rig r;
    u64 val;

    rig_new(&r);
    rig_cpl(&r, cpl);
    rig_put(&r, PAGE, 8, 1);
    rig_put(&r, PAGE + 0x1000, 8, 2);
    map(&r, 7, 7, 7, t->pte);
    rig_put(&r, PDE_AT + 8, 8, PT | 7);
    ck_assert_int_eq(mem_ld(r.c, LA, 8, &val), EXEC_OK);
    if (_i & 2)
        ck_assert_int_eq(mem_ld(r.c, LA + 0x200000, 8, &val), EXEC_OK);
    rig_put(&r, PTE_AT, 8, (PAGE + 0x1000) | t->pte);
    do_flush(r.c, t->flush);
    ck_assert_int_eq(mem_ld(r.c, LA, 8, &val), EXEC_OK);
    if (val == 2 && t->stays) /* it may always forget */
        ck_assert_msg(_i & 2, "%s: CPL %u", t->name, cpl);
    else
        ck_assert_msg(val == (t->stays ? 1 : 2), "%s: CPL %u", t->name, cpl);
    rig_free(&r);
}
END_TEST

/* Any address of a large page flushes all of it. */
START_TEST(test_flush_large)
{
    struct rig r;
    u64 val;

    rig_new(&r);
    map(&r, 7, 7, 0, 0);
    rig_put(&r, PDE_AT, 8, 0x200000 | 7 | PS | G);
    rig_put(&r, 0x205000, 8, 1);
    rig_put(&r, 0x405000, 8, 2);
    ck_assert_int_eq(mem_ld(r.c, 0x8000205000, 8, &val), EXEC_OK);
    ck_assert_uint_eq(val, 1);
    rig_put(&r, PDE_AT, 8, 0x400000 | 7 | PS | G);
    mmu_flush_page(r.c, 0x8000300000);
    ck_assert_int_eq(mem_ld(r.c, 0x8000205000, 8, &val), EXEC_OK);
    ck_assert_uint_eq(val, 2);
    rig_free(&r);
}
END_TEST

/* Two pages that want the same entry do not walk at every access. */
START_TEST(test_rivals)
{
    struct rig r;
    u64 val;

    rig_new(&r);
    map(&r, 7, 7, 7, 7);
    rig_put(&r, PDE_AT + 8, 8, PT | 7);
    for (unsigned int i = 0; i < 10; i++) {
        ck_assert_int_eq(mem_ld(r.c, LA, 8, &val), EXEC_OK);
        ck_assert_int_eq(mem_ld(r.c, LA + 0x200000, 8, &val), EXEC_OK);
    }
    ck_assert_uint_eq(r.c->stats.tlb_miss, 2);
    rig_free(&r);
}
END_TEST

/* The halves are apart: what CPL 0 may touch, CPL 3 still may not. */
START_TEST(test_halves)
{
    struct rig r;
    u64 val;

    rig_new(&r);
    map(&r, 7, 7, 7, 3);
    ck_assert_int_eq(touch(&r, LA, ACC_READ), EXEC_OK);
    rig_cpl(&r, 3);
    rig_fault(r.c, touch(&r, LA, ACC_READ), EXC_PF, PF_P | PF_U);
    ck_assert_int_eq(sys_ld(r.c, LA, 8, &val), EXEC_OK);
    rig_fault(r.c, touch(&r, LA, ACC_READ), EXC_PF, PF_P | PF_U);
    rig_free(&r);
}
END_TEST

/* ---- accesses ----------------------------------------------------------- */

/* Two pages that are neighbours only in linear space. */
static void map_two(struct rig *r, u64 second)
{
    map(r, 7, 7, 7, 7);
    rig_put(r, PTE_AT + 8, 8, second);
}

START_TEST(test_crossing)
{
    struct rig r;
    u64 val;

    rig_new(&r);
    map_two(&r, 0x50000 | 7);
    for (unsigned int size = 2; size <= 8; size *= 2)
        for (unsigned int head = 1; head < size; head++) {
            u64 want = 0x1122334455667788ull & size_mask(size);
            u64 la = LA + 0x1000 - head;

            ck_assert_int_eq(mem_st(r.c, la, size, want), EXEC_OK);
            ck_assert_int_eq(mem_ld(r.c, la, size, &val), EXEC_OK);
            ck_assert_uint_eq(val, want);
            ck_assert_uint_eq(rig_get(&r, PAGE + 0x1000 - head, head),
                              want & ((1ull << head * 8) - 1));
            ck_assert_uint_eq(rig_get(&r, 0x50000, size - head),
                              want >> head * 8);
        }
    rig_free(&r);
}
END_TEST

/* The second page faults: CR2 is its start, and nothing was written. */
START_TEST(test_crossing_fault)
{
    struct rig r;

    rig_new(&r);
    map_two(&r, 0x50000 | 5);
    rig_put(&r, PAGE + 0xff8, 8, 0);
    rig_fault(r.c, mem_st(r.c, LA + 0xffe, 8, ~0ull), EXC_PF, PF_P | PF_W);
    ck_assert_uint_eq(r.c->exc.cr2, LA + 0x1000);
    ck_assert_uint_eq(rig_get(&r, PAGE + 0xff8, 8), 0);
    rig_free(&r);
}
END_TEST

START_TEST(test_buffers)
{
    struct rig r;
    u8 in[4096], out[4096] = {0};

    rig_new(&r);
    map_two(&r, 0x50000 | 7);
    for (unsigned int i = 0; i < sizeof(in); i++)
        in[i] = (u8)(i * 7);
    ck_assert_int_eq(mem_st_buf(r.c, LA + 0x123, in, sizeof(in)), EXEC_OK);
    ck_assert_int_eq(mem_ld_buf(r.c, LA + 0x123, out, sizeof(out)), EXEC_OK);
    ck_assert_mem_eq(in, out, sizeof(in));
    rig_put(&r, PTE_AT + 8, 8, 0);
    mmu_flush_all(r.c);
    ck_assert_int_eq(mem_st_buf(r.c, LA + 0x200, out, sizeof(out)), EXEC_FAULT);
    ck_assert_uint_eq(rig_get(&r, PAGE + 0x200, 1), in[0x200 - 0x123]);
    rig_free(&r);
}
END_TEST

START_TEST(test_host)
{
    struct rig r;
    u8 *host;

    rig_new(&r);
    map_two(&r, 0x50000 | 7);
    ck_assert_int_eq(mmu_host(r.c, LA + 3, 8, ACC_WRITE, &host), EXEC_OK);
    ck_assert_ptr_eq(host, mem_range(r.mem, PAGE + 3, 8));
    ck_assert_int_eq(mmu_host(r.c, LA + 0xffc, 8, ACC_READ, &host), EXEC_OK);
    ck_assert_ptr_null(host);
    rig_put(&r, PTE_AT, 8, 0xd0000000 | 7);
    mmu_flush_all(r.c);
    ck_assert_int_eq(mmu_host(r.c, LA, 8, ACC_READ, &host), EXEC_OK);
    ck_assert_ptr_null(host);
    rig_free(&r);
}
END_TEST

/* ---- MMIO --------------------------------------------------------------- */

static u64 mmio_off, mmio_val;
static unsigned int mmio_size, mmio_calls;

static u64 mmio_read(void *dev, u64 off, unsigned int size)
{
    mmio_off = off;
    mmio_size = size;
    mmio_calls++;
    return 0x8877665544332211ull & size_mask(size);
}

static void mmio_write(void *dev, u64 off, unsigned int size, u64 val)
{
    mmio_off = off;
    mmio_size = size;
    mmio_val = val;
    mmio_calls++;
}

static const struct bus_ops mmio_ops = {.read = mmio_read, .write = mmio_write};

START_TEST(test_mmio)
{
    unsigned int size = 1u << _i;
    struct rig r;
    u64 val;

    rig_new(&r);
    bus_add(&r.bus, BUS_MMIO, 0xd0000000, 0x1000, "test", &mmio_ops, NULL);
    map(&r, 7, 7, 7, 7);
    rig_put(&r, PTE_AT, 8, 0xd0000000 | 7);
    for (unsigned int again = 0; again < 2; again++) {
        mmio_calls = 0;
        ck_assert_int_eq(mem_ld(r.c, LA + 0x40, size, &val), EXEC_OK);
        ck_assert_uint_eq(val, 0x8877665544332211ull & size_mask(size));
        ck_assert_uint_eq(mmio_off, 0x40);
        ck_assert_uint_eq(mmio_size, size);
        ck_assert_int_eq(mem_st(r.c, LA + 0x48, size, 0x5a), EXEC_OK);
        ck_assert_uint_eq(mmio_off, 0x48);
        ck_assert_uint_eq(mmio_val, 0x5a);
        ck_assert_uint_eq(mmio_calls, 2);
        ck_assert_ptr_null(tlb_hit(r.c, LA + 0x40, size, ACC_READ));
    }
    rig_free(&r);
}
END_TEST

/* In service mode the APICs are KVM's: nothing may have been touched. */
START_TEST(test_service_apic)
{
    static const u64 gpa[] = {0xfee00000, 0xfec00000};
    struct rig r;

    rig_new(&r);
    r.c->service = true;
    map(&r, 7, 7, 7, 7);
    rig_put(&r, PTE_AT, 8, gpa[_i] | 7);
    ck_assert_int_eq(touch(&r, LA, ACC_READ), EXEC_BOUNDARY);
    ck_assert_int_eq(touch(&r, LA, ACC_WRITE), EXEC_BOUNDARY);
    rig_free(&r);
}
END_TEST

/* A store is noticed also when a load has filled the TLB before. */
START_TEST(test_wrote_k)
{
    struct rig r;

    rig_new(&r);
    r.c->service = true;
    map(&r, 7, 7, 7, 7 | A | D);
    rig_cpl(&r, 3);
    ck_assert_int_eq(touch(&r, LA, ACC_WRITE), EXEC_OK);
    rig_cpl(&r, 0);
    ck_assert_int_eq(touch(&r, LA, ACC_READ), EXEC_OK);
    ck_assert(!r.run.wrote_k);
    ck_assert_int_eq(touch(&r, LA, ACC_WRITE), EXEC_OK);
    ck_assert(r.run.wrote_k);
    rig_free(&r);
}
END_TEST

START_TEST(test_unpaged)
{
    struct rig r;
    u64 val;

    rig_new(&r);
    rig_protected(&r);
    ck_assert_int_eq(mem_st(r.c, 0x40010, 4, 0xabcd), EXEC_OK);
    ck_assert_uint_eq(rig_get(&r, 0x40010, 4), 0xabcd);
    ck_assert_int_eq(mem_ld(r.c, 0x40010, 4, &val), EXEC_OK);
    ck_assert_uint_eq(val, 0xabcd);
    rig_free(&r);
}
END_TEST

Suite *suite_mmu(void);

Suite *suite_mmu(void)
{
    Suite *s = suite_create("mmu");
    TCase *tc = tcase_create("mmu");

    tcase_add_loop_test(tc, test_walk, 0, ARRAY_SIZE(walks));
    tcase_add_test(tc, test_non_canonical);
    tcase_add_test(tc, test_accessed_dirty);
    tcase_add_test(tc, test_accessed_dirty_race);
    tcase_add_test(tc, test_fault_marks_nothing);
    tcase_add_test(tc, test_large_pages);
    tcase_add_loop_test(tc, test_flush, 0, 4 * ARRAY_SIZE(flushes));
    tcase_add_test(tc, test_flush_large);
    tcase_add_test(tc, test_rivals);
    tcase_add_test(tc, test_halves);
    tcase_add_test(tc, test_crossing);
    tcase_add_test(tc, test_crossing_fault);
    tcase_add_test(tc, test_buffers);
    tcase_add_test(tc, test_host);
    tcase_add_loop_test(tc, test_mmio, 0, 4);
    tcase_add_loop_test(tc, test_service_apic, 0, 2);
    tcase_add_test(tc, test_wrote_k);
    tcase_add_test(tc, test_unpaged);
    suite_add_tcase(s, tc);
    return s;
}
