/* SPDX-License-Identifier: Apache-2.0 */
/* frame.h: frames in buffers of several pieces, and the checksum that they
 * carry. Any thread. */
#ifndef MOTE_FRAME_H
#define MOTE_FRAME_H

#include <sys/uio.h>

#include "mote/base.h"

/* Copy len bytes to the pieces, from byte skip of them on. How many there was
 * room for. */
u32 frame_scatter(const struct iovec *iov, unsigned int nr, u32 skip,
                  const void *buf, u32 len);

/* Copy len bytes from byte skip of the pieces on; false if there are fewer. */
bool frame_gather(const struct iovec *iov, unsigned int nr, u32 skip, void *buf,
                  u32 len);

/* RFC 1071's sum, not yet inverted, in the order of bytes that the frame has;
 * goes on from sum, if what that was made of was even in length. */
u16 frame_sum(const void *buf, u32 len, u16 sum);

#endif
