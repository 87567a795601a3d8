/* SPDX-License-Identifier: Apache-2.0 */
/* end.h: the end of the machine */
#ifndef MOTE_GUEST_END_H
#define MOTE_GUEST_END_H

#include "ports.h"

/* While /sys is there. */
void end_prepare(void);

/* Ends all other processes and leaves the disks clean. */
void end_processes(void);

/* Waits for the host to end the machine, or to close the control port; then
 * does it itself. */
_Noreturn void end_machine(const struct ports *p);

#endif
