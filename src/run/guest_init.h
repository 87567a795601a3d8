/* SPDX-License-Identifier: Apache-2.0 */
/* guest_init.h: the guest's init, a static program that mote carries */
#ifndef MOTE_RUN_GUEST_INIT_H
#define MOTE_RUN_GUEST_INIT_H

#include "mote/base.h"

extern const u8 guest_init[], guest_init_end[];

static inline size_t guest_init_size(void)
{
    return (size_t)(guest_init_end - guest_init);
}

#endif
