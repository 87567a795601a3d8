/* SPDX-License-Identifier: Apache-2.0 */
/* pv_eoi.c: what the guest's word says, when, and what becomes of it; by way
 * of the LAPIC */
#include "interp/ops.h"
#include "platform_fixture.h"
#include "unit.h"

#define WORD 0x6004u
#define MSR  0x4b564d04u

Suite *suite_pv_eoi(void);

static u32 word_get(void)
{
    u32 word;

    ck_assert_int_eq(mem_read(fix_mem, WORD, &word, sizeof(word)), 0);
    return word;
}

/* What Linux does: test and clear. False: EOI has to be written. */
static bool word_end(void)
{
    u32 word = word_get(), clear = word & ~1u;

    ck_assert_int_eq(mem_write(fix_mem, WORD, &clear, sizeof(clear)), 0);
    return word & 1;
}

static struct cpu *eoi_cpu(void)
{
    struct cpu *c = fix_cpu(0);

    ck_assert_int_eq(msr_write(c, MSR, WORD | 1), EXEC_OK);
    return c;
}

static void post(u8 vector, bool level)
{
    apic_send(&fix_machine, NULL,
              &(struct apic_msg){.vector = vector, .level = level});
    plat_poll(fix_cpu(0));
}

/* As run.c does: what is deliverable now, or -1. */
static int deliver(struct cpu *c)
{
    int vector = lapic_pending(c);

    if (vector >= 0)
        lapic_accept(c, (u8)vector);
    return vector;
}

static bool in_service(const struct cpu *c, u8 vector)
{
    return lapic_get(c, LAPIC_ISR + vector / 32 * 16) >> vector % 32 & 1;
}

/* ---- the register ------------------------------------------------------- */

static const struct {
    u64 msr;
    bool taken;
} values[] = {
    {0, true},
    {WORD | 1, true},
    {WORD, true},
    {WORD | 3, false},
    {WORD | 2, false},
    {16 * MIB - 4 + 1, true},
    {16 * MIB + 1, false},
    {~3ull | 1, false},
};

START_TEST(test_register)
{
    struct cpu *c = fix_cpu(0);
    u64 val, want = values[_i].taken ? values[_i].msr : 0;

    ck_assert_int_eq(msr_write(c, MSR, values[_i].msr),
                     values[_i].taken ? EXEC_OK : EXEC_FAULT);
    ck_assert_int_eq(msr_read(c, MSR, &val), EXEC_OK);
    ck_assert_uint_eq(val, want);
}
END_TEST

/* ---- one interrupt ------------------------------------------------------ */

/* The guest's end is found at the next poll, and only bit 0 is ever changed. */
START_TEST(test_word)
{
    struct cpu *c = eoi_cpu();
    u32 other = 0xfffffffe;

    ck_assert_int_eq(mem_write(c->mem, WORD, &other, sizeof(other)), 0);
    post(0x51, false);
    ck_assert_int_eq(deliver(c), 0x51);
    ck_assert_uint_eq(word_get(), 0xffffffff);
    ck_assert(in_service(c, 0x51));
    ck_assert(word_end());
    plat_poll(c);
    ck_assert(!in_service(c, 0x51));
    ck_assert_uint_eq(word_get(), 0xfffffffe);
}
END_TEST

/* Polls without anything waiting leave it as it is. */
START_TEST(test_polls)
{
    struct cpu *c = eoi_cpu();

    post(0x51, false);
    deliver(c);
    plat_poll(c);
    plat_poll(c);
    ck_assert(in_service(c, 0x51));
    ck_assert_uint_eq(word_get(), 1);
}
END_TEST

START_TEST(test_off)
{
    struct cpu *c = fix_cpu(0);

    ck_assert_int_eq(msr_write(c, MSR, WORD), EXEC_OK);
    post(0x51, false);
    deliver(c);
    ck_assert_uint_eq(word_get(), 0);
    plat_poll(c);
    ck_assert(in_service(c, 0x51));
}
END_TEST

/* The IOAPIC waits for the end of this one. */
START_TEST(test_level)
{
    struct cpu *c = eoi_cpu();

    post(0x51, true);
    ck_assert_int_eq(deliver(c), 0x51);
    ck_assert_uint_eq(word_get(), 0);
    plat_poll(c);
    ck_assert(in_service(c, 0x51));
}
END_TEST

/* A guest may write EOI all the same: then the bit means nothing any more. */
START_TEST(test_written)
{
    struct cpu *c = eoi_cpu();

    post(0x51, false);
    deliver(c);
    lapic_mmio_write(c, LAPIC_EOI, 0);
    ck_assert(!in_service(c, 0x51));
    ck_assert_uint_eq(word_get(), 0);
}
END_TEST

/* Registers that tell of it know. */
START_TEST(test_registers)
{
    struct cpu *c = eoi_cpu();

    post(0x51, false);
    deliver(c);
    ck_assert_uint_eq(lapic_mmio_read(c, LAPIC_PPR), 0x50);
    word_end();
    ck_assert_uint_eq(lapic_mmio_read(c, LAPIC_PPR), 0);
}
END_TEST

/* ---- several ------------------------------------------------------------ */

/* Another one waits for the end: it has to be written, and lets it in. */
START_TEST(test_waiting)
{
    struct cpu *c = eoi_cpu();

    post(0x51, false);
    deliver(c);
    post(0x52, false);
    ck_assert_uint_eq(word_get(), 0);
    ck_assert_int_eq(deliver(c), -1);
    ck_assert(!word_end());
    lapic_mmio_write(c, LAPIC_EOI, 0);
    ck_assert_uint_ne(atomic_load(&c->attn) & ATTN_IRQ, 0);
    ck_assert_int_eq(deliver(c), 0x52);
    ck_assert_uint_eq(word_get(), 1);
}
END_TEST

/* It comes when the first has been ended by the word, unknown to us. */
START_TEST(test_ended_before)
{
    struct cpu *c = eoi_cpu();

    post(0x51, false);
    deliver(c);
    word_end();
    post(0x52, false);
    ck_assert_uint_ne(atomic_load(&c->attn) & ATTN_IRQ, 0);
    ck_assert_int_eq(deliver(c), 0x52);
    ck_assert(!in_service(c, 0x51));
    ck_assert_uint_eq(word_get(), 1);
}
END_TEST

/* Two at once: the first delivered has the second behind it. */
START_TEST(test_two)
{
    struct cpu *c = eoi_cpu();

    apic_send(&fix_machine, NULL, &(struct apic_msg){.vector = 0x41});
    post(0x51, false);
    ck_assert_int_eq(deliver(c), 0x51);
    ck_assert_uint_eq(word_get(), 0);
    lapic_mmio_write(c, LAPIC_EOI, 0);
    ck_assert_int_eq(deliver(c), 0x41);
    ck_assert_uint_eq(word_get(), 1);
}
END_TEST

/* One of higher priority within another: the word ends the inner, a write the
 * outer, each once. */
START_TEST(test_nested)
{
    struct cpu *c = eoi_cpu();

    post(0x41, false);
    deliver(c);
    post(0x91, false);
    ck_assert_int_eq(deliver(c), 0x91);
    ck_assert(word_end());  /* of 91 */
    ck_assert(!word_end()); /* of 41: not this way */
    lapic_mmio_write(c, LAPIC_EOI, 0);
    ck_assert(!in_service(c, 0x91));
    ck_assert(!in_service(c, 0x41));
}
END_TEST

/* The inner one is ended by the word; the outer is still there. */
START_TEST(test_nested_inner)
{
    struct cpu *c = eoi_cpu();

    post(0x41, false);
    deliver(c);
    post(0x91, false);
    deliver(c);
    word_end();
    plat_poll(c);
    ck_assert(!in_service(c, 0x91));
    ck_assert(in_service(c, 0x41));
    post(0x42, false);
    ck_assert_int_eq(deliver(c), -1);
    lapic_mmio_write(c, LAPIC_EOI, 0);
    ck_assert_int_eq(deliver(c), 0x42);
}
END_TEST

/* ---- the state ---------------------------------------------------------- */

/* What is given away needs no word to be complete. */
START_TEST(test_save)
{
    struct cpu *c = eoi_cpu();

    post(0x51, false);
    deliver(c);
    if (_i)
        word_end();
    lapic_save(c);
    ck_assert_int_eq(in_service(c, 0x51), !_i);
    ck_assert_uint_eq(word_get(), 0);
    lapic_load(c);
    plat_poll(c);
    ck_assert_int_eq(in_service(c, 0x51), !_i);
}
END_TEST

START_TEST(test_init)
{
    struct cpu *c = eoi_cpu();
    u64 val;

    post(0x51, false);
    deliver(c);
    lapic_reset(c);
    word_end();
    plat_poll(c);
    ck_assert_int_eq(msr_read(c, MSR, &val), EXEC_OK);
    ck_assert_uint_eq(val, 0);
    post(0x51, false);
    deliver(c);
    ck_assert_uint_eq(word_get(), 0);
}
END_TEST

/* Moved in the middle of an interrupt: the old word is done with. */
START_TEST(test_moved)
{
    struct cpu *c = eoi_cpu();

    post(0x51, false);
    deliver(c);
    ck_assert_int_eq(msr_write(c, MSR, 0x7001), EXEC_OK);
    ck_assert_uint_eq(word_get(), 0);
    plat_poll(c);
    ck_assert(in_service(c, 0x51));
    lapic_mmio_write(c, LAPIC_EOI, 0);
    ck_assert(!in_service(c, 0x51));
}
END_TEST

Suite *suite_pv_eoi(void)
{
    Suite *s = suite_create("pv_eoi");
    TCase *tc = fix_tcase(s);

    tcase_add_loop_test(tc, test_register, 0, ARRAY_SIZE(values));
    tcase_add_test(tc, test_word);
    tcase_add_test(tc, test_polls);
    tcase_add_test(tc, test_off);
    tcase_add_test(tc, test_level);
    tcase_add_test(tc, test_written);
    tcase_add_test(tc, test_registers);
    tcase_add_test(tc, test_waiting);
    tcase_add_test(tc, test_ended_before);
    tcase_add_test(tc, test_two);
    tcase_add_test(tc, test_nested);
    tcase_add_test(tc, test_nested_inner);
    tcase_add_loop_test(tc, test_save, 0, 2);
    tcase_add_test(tc, test_init);
    tcase_add_test(tc, test_moved);
    return s;
}
