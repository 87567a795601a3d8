/* SPDX-License-Identifier: Apache-2.0 */
/* jail.h: what any bytes may do as a system call: nothing; and what else needs
 * headers that have names in common with the interpreter's */
#ifndef TESTS_DIFF_JAIL_H
#define TESTS_DIFF_JAIL_H

#include <stdbool.h>

/* Or end the process. Left is a futex at one of these two words; any other
 * call becomes SIGSYS. */
void jail_enter(const void *word, const void *word2);

bool host_has_fsgs(void); /* RDFSBASE and kin for programs */

#endif
