/* SPDX-License-Identifier: Apache-2.0 */
/* main.c: find the devices, run the suites, print a line per test */
#include "hostile.h"

#define MAGIC     0x74726976u
#define SLOTS_MAX 12u

static struct dev devs[SLOTS_MAX];
static unsigned int nr_devs;

static void print(const char *text)
{
    for (; *text; text++)
        __asm__ volatile("outb %0, %1" ::"a"(*text), "Nd"((u16)0x3f8));
}

/* The nth of its kind; NULL if there are fewer. */
static struct dev *find(u32 id, unsigned int nth)
{
    for (unsigned int i = 0; i < nr_devs; i++) {
        if (devs[i].id == id && nth-- == 0)
            return &devs[i];
    }
    return NULL;
}

static enum verdict run(struct dev *d, const struct test *t)
{
    if (!dev_reset(d) || (!t->cold && !dev_up_without(d, 0)))
        return WRONG;
    return t->fn(d, t->arg);
}

static const char *judge(const struct test *t, enum verdict v)
{
    static const char *const name[] = {"PASS", "REJECT", "NEEDS_RESET",
                                       "SILENT", "WRONG"};

    if (t->either && (v == PASS || v == NEEDS_RESET))
        return "PASS or NEEDS_RESET";
    return name[v];
}

/* The witness is a device that no test has to do with; it is never reset. */
static void run_suite(const struct suite *s, struct dev *witness)
{
    struct dev *d = find(s->id, s->nth);

    for (size_t i = 0; d && i < s->nr; i++) {
        const struct test *t = &s->test[i];
        const char *verdict = judge(t, run(d, t));

        print(s->name);
        print(" ");
        print(t->name);
        print(": ");
        print(verdict);
        if (!dev_reset(d))
            print(", its reset does not end");
        else if (!dev_up_without(d, 0) || !works(d))
            print(", dead after its reset");
        if (!works(witness))
            print(", another device is dead");
        print("\n");
    }
}

int main(void)
{
    static const struct suite *const suites[] = {
        &transport_suite, &rings_suite, &blk_suite,     &async_suite,
        &readonly_suite,  &net_suite,   &console_suite, &rng_suite,
    };
    struct dev *witness;

    while (nr_devs < SLOTS_MAX) {
        dev_init(&devs[nr_devs], nr_devs);
        if (reg_read(&devs[nr_devs], R_MAGIC) != MAGIC)
            break;
        nr_devs++;
    }
    witness = find(ID_BLK, 1);
    if (!witness || !dev_up_without(witness, 0) || !works(witness)) {
        print("no second drive, or it does not work\n");
        return 1;
    }
    for (size_t i = 0; i < ARRAY_SIZE(suites); i++)
        run_suite(suites[i], witness);
    print("end\n");
    return 0;
}
