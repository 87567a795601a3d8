/* SPDX-License-Identifier: Apache-2.0 */
/* crc.c: sums that RFC 3720 gives, and both ways give the same */
#include "block/crc.h"

static const struct known_sum {
    u8 first, step; /* 32 bytes, each greater than the one before by step */
    u32 sum;
} known_sums[] = {
    {0x00, 0, 0x8a9136aa},
    {0xff, 0, 0x62a8ab43},
    {0x00, 1, 0x46dd794e},
    {0x1f, 0xff, 0x113fdb5c},
};

/* RFC 3720, B.4. */
START_TEST(test_known)
{
    const struct known_sum *k = &known_sums[_i];
    u8 bytes[32];

    for (unsigned int i = 0; i < sizeof(bytes); i++)
        bytes[i] = (u8)(k->first + i * k->step);
    ck_assert_uint_eq(crc32c(bytes, sizeof(bytes)), k->sum);
    ck_assert_uint_eq(crc32c_plain(bytes, sizeof(bytes)), k->sum);
}
END_TEST

START_TEST(test_lengths)
{
    u8 bytes[40];

    for (unsigned int i = 0; i < sizeof(bytes); i++)
        bytes[i] = (u8)(i * 37 + 11);
    for (unsigned int at = 0; at < 8; at++)
        for (unsigned int len = 0; at + len <= sizeof(bytes); len++)
            ck_assert_uint_eq(crc32c(bytes + at, len),
                              crc32c_plain(bytes + at, len));
}
END_TEST

Suite *suite_crc(void);
Suite *suite_crc(void)
{
    Suite *s = suite_create("crc");
    TCase *tc = tcase_create("crc");

    tcase_add_loop_test(tc, test_known, 0, ARRAY_SIZE(known_sums));
    tcase_add_test(tc, test_lengths);
    suite_add_tcase(s, tc);
    return s;
}
