/* SPDX-License-Identifier: Apache-2.0 */
/* unit.h: Check, without its old fail() macro, which is also mote's. The
 * Makefile puts it before every unit test. */
#ifndef MOTE_UNIT_H
#define MOTE_UNIT_H

#include <check.h>
#undef fail

#endif
