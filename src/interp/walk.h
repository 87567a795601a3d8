/* SPDX-License-Identifier: Apache-2.0 */
/* walk.h: what a walk of the page tables finds; private to walk.c and mmu.c */
#ifndef MOTE_INTERP_WALK_H
#define MOTE_INTERP_WALK_H

#include "cpu.h"

#define PAGE_MASK (~(PAGE_SIZE - 1))

/* A table entry on the way down; NULL host: nothing is there to read. */
struct pte {
    _Atomic(u64) *host;
    u64 gpa, val;
};

struct walk {
    struct pte e[4]; /* PML4E first */
    unsigned int nr; /* entries read */
    u64 gpa;         /* of the byte asked for */
    u64 rw, us, nx;  /* accumulated rights */
    bool global, large, dirty;
};

/*
 * Walk for an access to la with the rights of CPL 3 (user) or 0; without
 * paging, la itself. EXEC_FAULT: #PF or, not canonical, #GP. EXEC_AGAIN:
 * somebody keeps rewriting the tables. EXEC_UNKNOWN: tables not offered here.
 */
enum exec mmu_walk(struct cpu *c, u64 la, enum access acc, bool user,
                   struct walk *w);

/* May a user or supervisor access do this to the page? SDM vol. 3A 4.6.1. */
bool walk_allows(const struct cpu *c, const struct walk *w, enum access acc,
                 bool user);

#endif
