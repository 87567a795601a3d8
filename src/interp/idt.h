/* SPDX-License-Identifier: Apache-2.0 */
/* idt.h: the way of one event through the interrupt table, for exc.c. */
#ifndef MOTE_INTERP_IDT_H
#define MOTE_INTERP_IDT_H

#include "cpu.h"

struct idt_event {
    u8 vector;
    bool check_dpl; /* INT n, INT3, INTO: the gate's DPL counts */
    bool has_error;
    u32 error;
    u64 rip;    /* in: pushed; out: the handler's */
    u64 rflags; /* pushed */
};

/*
 * Find the gate, switch stacks, write the frame, enter the handler's segment
 * and flags; RIP is left to the caller. On EXEC_FAULT nothing has changed but
 * bytes below the stack pointer; error codes lack the EXT bit.
 */
enum exec idt_enter(struct cpu *c, struct idt_event *ev);

#endif
