/* SPDX-License-Identifier: Apache-2.0 */
/*
 * same_state.h: what two vCPUs of interp_rig.h must agree in. Apart from the
 * rig, which the fuzz targets share: they have assertions of their own.
 */
#ifndef TESTS_SAME_STATE_H
#define TESTS_SAME_STATE_H

#include <check.h>

#include "interp_rig.h"

/* a and b, after the same part of the program name, up to at. */
static inline void rig_same_state(const char *name, u64 at, struct rig *a,
                                  struct rig *b)
{
    const struct cpu_state *s = &a->c->s, *t = &b->c->s;

    ck_assert_msg(memcmp(s->gpr, t->gpr, sizeof(s->gpr)) == 0,
                  "%s: at %lu: registers, RAX %lx %lx", name, at, s->gpr[0],
                  t->gpr[0]);
    ck_assert_msg(s->rip == t->rip, "%s: at %lu: rip %lx %lx", name, at, s->rip,
                  t->rip);
    ck_assert_msg(s->rflags == t->rflags, "%s: at %lu: rflags %lx %lx", name,
                  at, s->rflags, t->rflags);
    ck_assert_uint_eq(s->cr2, t->cr2);
}

#endif
