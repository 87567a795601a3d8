/* SPDX-License-Identifier: Apache-2.0 */
/* crc.c: CRC-32C by the processor's own instruction, or a nibble at a time */
#include <nmmintrin.h>

#include "crc.h"

u32 crc32c_plain(const u8 *p, u64 len)
{
    static const u32 table[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
        0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
    u32 crc = ~0u;

    for (u64 i = 0; i < len; i++) {
        crc ^= p[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

__attribute__((target("sse4.2"))) static u32 crc32c_sse(const u8 *p, u64 len)
{
    u64 crc = ~0u;

    for (; len >= 8; p += 8, len -= 8)
        crc = _mm_crc32_u64(crc, le64_get(p));
    for (; len > 0; p++, len--)
        crc = _mm_crc32_u8((u32)crc, *p);
    return ~(u32)crc;
}

u32 crc32c(const u8 *p, u64 len)
{
    return __builtin_cpu_supports("sse4.2") ? crc32c_sse(p, len)
                                            : crc32c_plain(p, len);
}
