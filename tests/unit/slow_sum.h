/* SPDX-License-Identifier: Apache-2.0 */
/* slow_sum.h: RFC 1071's sum, to hold that of the sources against */
#ifndef MOTE_SLOW_SUM_H
#define MOTE_SLOW_SUM_H

#include "mote/base.h"

/* Byte by byte, going on from sum. */
static inline u32 slow_sum(const u8 *b, u32 len, u32 sum)
{
    for (u32 i = 0; i < len; i++)
        sum += i & 1 ? b[i] : (u32)b[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

#endif
