/* SPDX-License-Identifier: Apache-2.0 */
/* fast_pair.c: the handlers of fast_pair.def, and where they are put in. */
#include "fast_pair.h"

#include "fast_alu.h"
#include "fast_move.h"

/* clang-format off */
/* PUSH only by itself: a run of them has more ops than one. */
#define FIRST(name, form, ...)                                                 \
    __attribute__((unused)) FAST const struct op *name##_then(                 \
        struct cpu *c, const struct op *o, op_handler *then)                   \
    {                                                                          \
        return form(c, o, __VA_ARGS__, then);                                  \
    }
FAST_ALU(FIRST)
FAST_MOVE(FIRST)
FIRST(push_1, push_run, 1)
FAST_ALU(FAST_LAST_NEXT)
FAST_MOVE(FAST_LAST_NEXT)
FAST_STACK(FAST_LAST_NEXT)
FAST_ALU_JCC(FAST_LAST)

/* X(a, b) for each b of a row, up to 12. EACH_PICK says by which EACH_n: n
 * seconds push the names behind them to the right, EACH_n to the 13th place. */
#define EACH_1(X, a, b)       X(a, b)
#define EACH_2(X, a, b, ...)  X(a, b) EACH_1(X, a, __VA_ARGS__)
#define EACH_3(X, a, b, ...)  X(a, b) EACH_2(X, a, __VA_ARGS__)
#define EACH_4(X, a, b, ...)  X(a, b) EACH_3(X, a, __VA_ARGS__)
#define EACH_5(X, a, b, ...)  X(a, b) EACH_4(X, a, __VA_ARGS__)
#define EACH_6(X, a, b, ...)  X(a, b) EACH_5(X, a, __VA_ARGS__)
#define EACH_7(X, a, b, ...)  X(a, b) EACH_6(X, a, __VA_ARGS__)
#define EACH_8(X, a, b, ...)  X(a, b) EACH_7(X, a, __VA_ARGS__)
#define EACH_9(X, a, b, ...)  X(a, b) EACH_8(X, a, __VA_ARGS__)
#define EACH_10(X, a, b, ...) X(a, b) EACH_9(X, a, __VA_ARGS__)
#define EACH_11(X, a, b, ...) X(a, b) EACH_10(X, a, __VA_ARGS__)
#define EACH_12(X, a, b, ...) X(a, b) EACH_11(X, a, __VA_ARGS__)
#define EACH_PICK(b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, each,     \
                  ...)                                                         \
    each
#define EACH(X, a, ...)                                                        \
    EACH_PICK(__VA_ARGS__, EACH_12, EACH_11, EACH_10, EACH_9, EACH_8, EACH_7,  \
              EACH_6, EACH_5, EACH_4, EACH_3, EACH_2, EACH_1, )                \
    (X, a, __VA_ARGS__)

#define PAIR_DEFINE(a, b) FAST_STATIC(a##__##b, a##_then, b##_last)
#define PAIRS(...) EACH(PAIR_DEFINE, __VA_ARGS__)
#include "fast_pair.def"
#undef PAIRS

static const struct pair_slot pair_list[] = {
#define PAIR_SLOT(a, b) {fast_##a, fast_##b, a##__##b},
#define PAIRS(...)      EACH(PAIR_SLOT, __VA_ARGS__)
#include "fast_pair.def"
#undef PAIRS
};
/* clang-format on */
_Static_assert(ARRAY_SIZE(pair_list) <= PAIR_SLOTS / 2, "short searches");

/* Where the pair is, or would be. */
static unsigned int pair_find(const struct pair_table *t, op_handler *first,
                              op_handler *second)
{
    u64 h = (u64)(uintptr_t)first * 0x9e3779b97f4a7c15ull ^
            (u64)(uintptr_t)second * 0xc2b2ae3d27d4eb4full;
    unsigned int i = h >> 32 & (PAIR_SLOTS - 1);

    while (t->slot[i].first &&
           (t->slot[i].first != first || t->slot[i].second != second))
        i = (i + 1) & (PAIR_SLOTS - 1);
    return i;
}

void pair_table_fill(struct pair_table *t)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(pair_list); i++) {
        const struct pair_slot *p = &pair_list[i];

        t->slot[pair_find(t, p->first, p->second)] = *p;
    }
}

/* In order: when an op has become a pair, the one before it was looked up. */
void pair_ops(const struct pair_table *t, struct op *op, unsigned int nr)
{
    for (unsigned int i = 0; i + 1 < nr; i++) {
        op_handler *both = t->slot[pair_find(t, op[i].fn, op[i + 1].fn)].both;

        if (both)
            op[i].fn = both;
    }
}
