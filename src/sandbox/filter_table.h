/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter_table.h: what tools/genfilter makes of policy.def: for each kind of
 * thread a BPF program with places to fill in when it is loaded.
 */
#ifndef MOTE_FILTER_TABLE_H
#define MOTE_FILTER_TABLE_H

#include <linux/filter.h>

#include "mote/filter.h"

/* What goes into a place: fd[n] of struct filter, or ... */
#define FILTER_FILL_TGID FILTER_FD_MAX

struct filter_fill {
    u16 at; /* instruction */
    u8 what;
};

struct filter_table {
    const char *name; /* of the kind; NULL: there is no such list */
    unsigned int limit;
    const char *const *calls; /* allowed ones, each once; NULL-ended */
    const struct sock_filter *code;
    u16 nr_code;
    const struct filter_fill *fill;
    u16 nr_fill;
};

extern const struct filter_table filter_table[FILTER_KINDS];

/* By number, of x86-64; NULL where there is none. */
extern const char *const filter_call_name[];
extern const unsigned int filter_nr_call_names;

#endif
