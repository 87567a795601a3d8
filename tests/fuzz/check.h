/* SPDX-License-Identifier: Apache-2.0 */
/* check.h: what the rigs of the unit tests need of Check, for programs that end
 * at the first failure */
#ifndef MOTE_FUZZ_CHECK_H
#define MOTE_FUZZ_CHECK_H

#include <stdlib.h>

#define ck_assert_int_eq(a, b) ((a) == (b) ? (void)0 : abort())
#define ck_abort_msg(...)      abort()

#endif
