/* SPDX-License-Identifier: Apache-2.0 */
/* jail.h: what any bytes may do as a system call: nothing; and what else needs
 * headers that have names in common with the interpreter's */
#ifndef TESTS_DIFF_JAIL_H
#define TESTS_DIFF_JAIL_H

#include <stdbool.h>

void jail_enter(void);    /* or end the process */
bool host_has_fsgs(void); /* RDFSBASE and kin for programs */

#endif
