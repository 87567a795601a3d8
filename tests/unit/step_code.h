/* SPDX-License-Identifier: Apache-2.0 */
/* step_code.h: instructions as hex text, run by step_one() */
#ifndef TESTS_STEP_CODE_H
#define TESTS_STEP_CODE_H

#include <stdlib.h>

#include "interp_rig.h"

static inline void put_code(struct rig *r, u64 at, const char *hex)
{
    char *end;

    for (; *hex; hex = end)
        rig_put(r, at++, 1, strtoul(hex, &end, 16));
    r->c->s.rip = at;
}

/* Place hex at RIP's start and run n instructions; the last one's result. */
static inline enum exec run_at(struct rig *r, u64 at, const char *hex,
                               unsigned int n)
{
    enum exec e = EXEC_OK;

    put_code(r, at, hex);
    r->c->s.rip = at;
    while (n-- && e == EXEC_OK)
        e = step_one(r->c);
    return e;
}

static inline enum exec run(struct rig *r, const char *hex, unsigned int n)
{
    return run_at(r, RIG_CODE, hex, n);
}

#endif
