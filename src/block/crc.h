/* SPDX-License-Identifier: Apache-2.0 */
/* crc.h: CRC-32C (Castagnoli), the check sum of layer files */
#ifndef MOTE_BLOCK_CRC_H
#define MOTE_BLOCK_CRC_H

#include "mote/base.h"

/* Of len bytes. Any thread. */
u32 crc32c(const u8 *p, u64 len);

/* The same, for processors without SSE 4.2. */
u32 crc32c_plain(const u8 *p, u64 len);

#endif
