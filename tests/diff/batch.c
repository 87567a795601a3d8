/* SPDX-License-Identifier: Apache-2.0 */
/* batch.c: pieces of code, several sets of operands for each, all on one
 * window; and which of the cases it was if anything differs */
#include "diff.h"

#define PIECES (SLOTS - 2)
#define HLT    0xf4

struct diff_totals totals;
int batch_mode = ANY_MODE;

static u8 window[DATA_SIZE]; /* at the batch's beginning */

/* splitmix64 decorrelates neighbouring seeds. */
static void batch_seed(enum corpus_kind kind, u64 seed, u64 nr)
{
    rnd_seed = seed;
    rnd_seed = rnd() + nr * KINDS + kind;
    rnd_seed = rnd();
}

static void batch_code(struct diff_case *code, unsigned int slot,
                       enum corpus_kind kind)
{
    bool done;

    do
        done = kind == SINGLE ? gen_insn(code, slot) : gen_sequence(code, slot);
    while (!done);
    case_place(code, shared->code);
}

enum code_mode batch_pick_mode(void)
{
    u64 r = rnd() & 7;

    if (batch_mode != ANY_MODE)
        return (enum code_mode)batch_mode;
    if (r == 0 && !native_no16)
        return MODE_16;
    return r == 1 ? MODE_32 : MODE_64;
}

static unsigned int batch_make(enum corpus_kind kind)
{
    unsigned int nr = 0, each = BATCH / PIECES;
    struct diff_case code;

    memset(shared->code, HLT, CODE_SIZE); /* nothing of another mode */
    rnd_window(window);
    gen_batch(batch_pick_mode());
    for (unsigned int slot = 0; slot < SLOTS; slot++) {
        if (slot == SLOT_CROSS + 1)
            continue;
        batch_code(&code, slot, kind);
        for (unsigned int i = 0; i < each && nr < BATCH; i++, nr++) {
            struct diff_case *c = &shared->c[nr];

            *c = code;
            c->fresh = i == 0;
            gen_state(c);
        }
    }
    return nr;
}

static void batch_reset(void)
{
    memcpy(shared->window, window, DATA_SIZE);
    memcpy(guest_window(TIER_STEP), window, DATA_SIZE);
    memcpy(guest_window(TIER_BLOCK), window, DATA_SIZE);
    guest_code(shared->code);
}

static bool batch_windows_equal(void)
{
    const u8 *step = guest_window(TIER_STEP), *block = guest_window(TIER_BLOCK);

    return memcmp(step, block, DATA_SIZE) == 0 &&
           (native_off || memcmp(step, shared->window, DATA_SIZE) == 0);
}

/* In both tiers, against what the host found. */
static bool batch_case(unsigned int i)
{
    const struct diff_case *c = &shared->c[i];
    struct diff_out *host = &shared->out[i];
    static struct diff_out mote;
    enum tier first = TIER_STEP;

    if (native_off)
        guest_run(first++, c, host);
    for (enum tier t = first; t < TIER_NR; t++) {
        guest_run(t, c, &mote);
        if (!compare_out(c, host, &mote))
            return false;
    }
    totals.faults += host->r.vector != NONE;
    return true;
}

static bool batch_holds(unsigned int nr)
{
    if (!native_run(nr))
        return false;
    for (unsigned int i = 0; i < nr; i++)
        if (!batch_case(i))
            return false;
    return batch_windows_equal();
}

static bool batch_strays(const struct solo *s)
{
    bool strays = guest_strays(&s->c);

    memcpy(guest_window(TIER_STEP), s->window, DATA_SIZE);
    return strays;
}

/* Case by case, each from where the one before left the window: the first that
 * differs goes to s. Those that stray are left out. */
static bool batch_find(unsigned int nr, struct solo *s, u64 *strayed)
{
    static struct diff_case all[BATCH];

    memcpy(all, shared->c, sizeof(all));
    batch_reset();
    for (unsigned int i = 0; i < nr; i++) {
        memcpy(s->window, guest_window(TIER_BLOCK), DATA_SIZE);
        s->c = shared->c[0] = all[i];
        if (batch_strays(s))
            ++*strayed;
        else if (!native_run(1) || !batch_case(0) || !batch_windows_equal())
            return true;
    }
    return false;
}

static void batch_failed(unsigned int nr)
{
    static struct solo s;
    u64 strayed = 0;

    if (!batch_find(nr, &s, &strayed)) {
        fprintf(stderr, "diff: not case by case; %lu strayed\n", strayed);
        totals.strayed += strayed;
        totals.failed += strayed == 0;
        return;
    }
    totals.failed++;
    if (!solo_fails(&s, false)) {
        fprintf(stderr, "diff: not again from its window\n");
        solo_print(stderr, &s);
        return;
    }
    solo_shrink(&s);
    solo_fails(&s, true);
    solo_print(stderr, &s);
}

void batch_run(enum corpus_kind kind, u64 seed, u64 nr)
{
    unsigned int cases;

    batch_seed(kind, seed, nr);
    cases = batch_make(kind);
    if (rnd_one_in(4)) {
        guest_forget(TIER_STEP);
        guest_forget(TIER_BLOCK);
    }
    batch_reset();
    totals.cases += cases;
    if (batch_holds(cases))
        return;
    fprintf(stderr, "diff: %s batch %lu of seed %lu differs\n",
            kind == SINGLE ? "single" : "sequence", nr, seed);
    batch_failed(cases);
}
