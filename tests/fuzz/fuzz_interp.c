/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interp: any program on two machines alike, one in steps, one in blocks: the
 * same registers, flags, memory and accesses to devices. Input: CPL, control
 * bits and breakpoints, flags, size of the second one's visits, seed of the
 * registers, code.
 *
 * The low WINDOW bytes are mapped to themselves; behind them are a page of a
 * device, the page of the code once more, and once more read-only. Handlers of
 * faults go on at the next byte. The page tables are not mapped: how long a
 * changed entry is not looked at is for each tier to choose.
 */
#include "check.h"
#include "fuzz.h"
#include "interp_rig.h"

#define WINDOW   0x22000u
#define RIG_PD   0x6000u
#define RIG_PT   0x7000u
#define DEVICE   0xd0000000ull
#define BUDGET   64u
#define CODE_MAX 512u

static struct rig one, two;
static u8 image[WINDOW];
static struct cpu_state fresh;
static u64 seen[2]; /* a hash of what the devices have seen */

static u64 device_read(void *ctx, u64 off, unsigned int size)
{
    u64 *hash = ctx;

    *hash = (*hash ^ off ^ size) * 0x9e3779b97f4a7c15u;
    return *hash >> 13 & size_mask(size);
}

static void device_write(void *ctx, u64 off, unsigned int size, u64 val)
{
    u64 *hash = ctx;

    *hash = (*hash ^ off ^ size << 16 ^ val) * 0xd6e8feb86659fd93u;
}

static const struct bus_ops device_ops = {device_read, device_write};

static bool is_table(u64 gpa)
{
    return gpa == RIG_PML4 || gpa == RIG_PDPT || gpa == RIG_PD || gpa == RIG_PT;
}

/* Accessed and dirty already. */
static void map_pages(struct rig *r)
{
    u64 at = RIG_PT;

    rig_put(r, RIG_PML4, 8, RIG_PDPT | 0x27);
    rig_put(r, RIG_PDPT, 8, RIG_PD | 0x27);
    rig_put(r, RIG_PD, 8, RIG_PT | 0x27);
    for (u64 gpa = 0; gpa < WINDOW; gpa += PAGE_SIZE, at += 8)
        rig_put(r, at, 8, is_table(gpa) ? 0 : gpa | 0x67);
    rig_put(r, at, 8, DEVICE | 0x67);
    rig_put(r, at + 8, 8, RIG_CODE | 0x67);
    rig_put(r, at + 16, 8, RIG_CODE | 0x65);
}

static void fuzz_up(struct rig *r, u64 *hash)
{
    static const u8 skip[] = {0x48, 0x83, 0xc4, 0x08, /* add $8, %rsp */
                              0x48, 0x83, 0x04, 0x24,
                              0x01,        /* addq $1, (%rsp) */
                              0x48, 0xcf}; /* iretq */

    rig_new(r);
    for (unsigned int v = 0; v < 32; v++) {
        size_t n = 0x27d00 >> v & 1 ? 0 : 4; /* has an error code */

        mem_write(r->mem, RIG_TARGET + 16 * v, skip + n, sizeof(skip) - n);
    }
    map_pages(r);
    bus_add(&r->bus, BUS_PIO, 0, 0x10000, "ports", &device_ops, hash);
    bus_add(&r->bus, BUS_MMIO, DEVICE, PAGE_SIZE, "page", &device_ops, hash);
    mem_read(r->mem, 0, image, WINDOW);
    fresh = r->c->s;
}

/* What a program may find set, from the first bytes of the input. */
static void load_controls(struct rig *r, struct fuzz_input in)
{
    static const u64 cr0[8] = {0, CR0_WP, CR0_TS, CR0_EM, CR0_AM, CR0_MP};
    static const u64 cr4[8] = {CR4_OSXSAVE, CR4_UMIP, CR4_SMAP, CR4_TSD,
                               CR4_PCIDE,   CR4_SMEP, CR4_DE,   CR4_PGE};
    struct cpu_state *s = &r->c->s;
    u8 a = (u8)fuzz_take(&in, 1), b = (u8)fuzz_take(&in, 1);
    u64 seed;

    s->cr0 ^= cr0[a & 7];
    s->cr4 ^= b & 0x80 ? cr4[b & 7] : 0;
    s->cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    s->rflags = RFLAGS_ONE | (fuzz_take(&in, 4) & 0x247dd5);
    seed = fuzz_take(&in, 4);
    for (unsigned int i = 0; i < 16; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        s->gpr[i] = seed >> 60 < 10 ? seed >> 20 & 0x3ffff : seed >> 29;
    }
    s->gpr[GPR_RSP] = 0xf000;
    for (unsigned int i = 0; i < 4 && a & 0x40; i++) /* breakpoints */
        s->dr[i] = s->gpr[GPR_RBX + i];
    s->dr7 = 0x400 | (a & 0x40 ? seed >> 16 & 0xffff0055 : 0);
    rig_cpl(r, a & 0x80 ? 3 : 0);
}

static void load(struct rig *r, struct fuzz_input in)
{
    size_t n = CODE_MAX;
    const u8 *code;

    memcpy(mem_range(r->mem, 0, WINDOW), image, WINDOW);
    r->c->s = fresh;
    load_controls(r, in);
    fuzz_take(&in, 8);
    fuzz_take(&in, 3);
    code = fuzz_bytes(&in, &n);
    mem_write(r->mem, RIG_CODE + 0xf00, code, n); /* over a page's end */
    r->c->s.rip = RIG_CODE + 0xf00;
    atomic_store(&r->c->attn, 0);
    block_cache_flush(r->c);
    interp_state_changed(r->c);
}

/* visit: instructions of one call; 0: all. */
static enum interp_stop run(struct rig *r, u64 visit, u32 flags, u64 *done)
{
    enum interp_stop stop;

    *done = 0;
    fuzz_seed = 1;
    do {
        u64 left = BUDGET - *done;

        r->run = (struct interp_run){.budget = visit ? MIN(visit, left) : left,
                                     .flags = flags | INTERP_NO_WAIT};
        stop = interp_run(r->c, &r->run);
        /* The last one may be a REP: one page of iterations, counted each. */
        assert(r->run.done <= r->run.budget + PAGE_SIZE);
        *done += r->run.done;
    } while (stop == INTERP_BUDGET && *done < BUDGET);
    return stop;
}

static void check_state(const struct cpu_state *a, const struct cpu_state *b)
{
    assert(memcmp(a->gpr, b->gpr, sizeof(a->gpr)) == 0);
    assert(a->rip == b->rip && a->rflags == b->rflags);
    assert(memcmp(a->seg, b->seg, sizeof(a->seg)) == 0);
    assert(memcmp(&a->ldt, &b->ldt, sizeof(a->ldt)) == 0);
    assert(memcmp(&a->tr, &b->tr, sizeof(a->tr)) == 0);
    assert(a->gdt.base == b->gdt.base && a->gdt.limit == b->gdt.limit);
    assert(a->idt.base == b->idt.base && a->idt.limit == b->idt.limit);
    assert(a->cr0 == b->cr0 && a->cr2 == b->cr2 && a->cr3 == b->cr3);
    assert(a->cr4 == b->cr4 && a->cr8 == b->cr8 && a->efer == b->efer);
    assert(memcmp(a->dr, b->dr, sizeof(a->dr)) == 0);
    assert(a->dr6 == b->dr6 && a->dr7 == b->dr7 && a->xcr0 == b->xcr0);
    assert(memcmp(&a->msr, &b->msr, sizeof(a->msr)) == 0);
    assert(memcmp(&a->event, &b->event, sizeof(a->event)) == 0);
    assert(a->mp_state == b->mp_state && a->apic_base == b->apic_base);
    assert(memcmp(a->xsave, b->xsave, sizeof(a->xsave)) == 0);
    assert(memcmp(a->lapic, b->lapic, sizeof(a->lapic)) == 0);
}

/* Has the program left its page tables? It may have written anywhere. */
static bool is_wild(const struct cpu_state *s)
{
    return s->cr3 != RIG_PML4 || !(s->cr0 & CR0_PG);
}

static void check_memory(void)
{
    assert(memcmp(mem_range(one.mem, 0, WINDOW), mem_range(two.mem, 0, WINDOW),
                  WINDOW) == 0);
}

static void forget(struct rig *r)
{
    mem_fill(r->mem, WINDOW, 0, MEM_SIZE_MIN - WINDOW);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
    struct fuzz_input in = {data, len};
    u8 visit = len > 10 ? data[10] : 0;
    enum interp_stop stop[2];
    u64 done[2];

    if (!one.c) {
        log_sink_set(fuzz_no_log);
        fuzz_up(&one, &seen[0]);
        fuzz_up(&two, &seen[1]);
    }
    seen[0] = seen[1] = 0;
    load(&one, in);
    load(&two, in);
    stop[0] = run(&one, 0, INTERP_STEP, &done[0]);
    stop[1] = run(&two, visit, 0, &done[1]);
    if (is_wild(&one.c->s) || is_wild(&two.c->s)) {
        forget(&one);
        forget(&two);
        return 0;
    }
    assert(stop[0] == stop[1] && done[0] == done[1]);
    /* Blocks know without it that nobody looks for interrupts behind STI. */
    if (stop[0] == INTERP_SHUTDOWN || stop[0] == INTERP_UNKNOWN)
        one.c->s.event.shadow_sti = two.c->s.event.shadow_sti;
    assert(seen[0] == seen[1]);
    check_state(&one.c->s, &two.c->s);
    check_memory();
    return 0;
}
