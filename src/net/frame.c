/* SPDX-License-Identifier: Apache-2.0 */
/* frame.c: bytes of a frame in and out of pieces, and their sum */
#include "mote/frame.h"

u32 frame_scatter(const struct iovec *iov, unsigned int nr, u32 skip,
                  const void *buf, u32 len)
{
    const u8 *from = buf;
    u32 done = 0;

    for (unsigned int i = 0; i < nr && done < len; i++) {
        size_t off = MIN((size_t)skip, iov[i].iov_len);
        size_t n = MIN(iov[i].iov_len - off, (size_t)(len - done));

        memcpy((u8 *)iov[i].iov_base + off, from + done, n);
        skip -= (u32)off;
        done += (u32)n;
    }
    return done;
}

bool frame_gather(const struct iovec *iov, unsigned int nr, u32 skip, void *buf,
                  u32 len)
{
    u8 *to = buf;
    u32 done = 0;

    for (unsigned int i = 0; i < nr && done < len; i++) {
        size_t off = MIN((size_t)skip, iov[i].iov_len);
        size_t n = MIN(iov[i].iov_len - off, (size_t)(len - done));

        memcpy(to + done, (const u8 *)iov[i].iov_base + off, n);
        skip -= (u32)off;
        done += (u32)n;
    }
    return done == len;
}

/* Over native words: the order of bytes does not matter to the sum. */
u16 frame_sum(const void *buf, u32 len, u16 start)
{
    const u8 *p = buf;
    u64 sum = start;

    for (; len >= 4; p += 4, len -= 4)
        sum += le32_get(p);
    if (len >= 2) {
        sum += le16_get(p);
        p += 2;
        len -= 2;
    }
    if (len > 0)
        sum += *p;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (u16)sum;
}
