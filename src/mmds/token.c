/* SPDX-License-Identifier: Apache-2.0 */
/* token.c: a time and its HMAC (RFC 2104) with SHA-256, as hexadecimal */
#include <sha2.h>
#include <sys/random.h>

#include "mote/log.h"

#include "token.h"

#define TOKEN_CODE                                                             \
    ((MMDS_TOKEN_LEN - 16) / 2) /* bytes of it: half a digest                  \
                                 */

static_assert(MMDS_DIGEST_LEN == SHA256_DIGEST_LENGTH, "SHA-256");

int mmds_key_draw(struct mmds_key *key)
{
    if (getrandom(key->byte, sizeof(key->byte), 0) == sizeof(key->byte))
        return 0;
    return fail(-errno, "metadata: random bytes for tokens");
}

static void key_pad(SHA2_CTX *ctx, const struct mmds_key *key, u8 pad)
{
    u8 block[SHA256_BLOCK_LENGTH];

    for (size_t i = 0; i < sizeof(block); i++)
        block[i] = (i < sizeof(key->byte) ? key->byte[i] : 0) ^ pad;
    SHA256Init(ctx);
    SHA256Update(ctx, block, sizeof(block));
}

void mmds_key_sign(const struct mmds_key *key, char kind, const void *data,
                   size_t len, u8 digest[static MMDS_DIGEST_LEN])
{
    SHA2_CTX ctx;

    key_pad(&ctx, key, 0x36);
    SHA256Update(&ctx, (const u8 *)&kind, 1);
    SHA256Update(&ctx, data, len);
    SHA256Final(digest, &ctx);
    key_pad(&ctx, key, 0x5c);
    SHA256Update(&ctx, digest, MMDS_DIGEST_LEN);
    SHA256Final(digest, &ctx);
}

void mmds_token_make(const struct mmds_key *key, u64 end_ns,
                     char token[static MMDS_TOKEN_LEN + 1])
{
    u8 digest[MMDS_DIGEST_LEN], end[8];

    le64_put(end, end_ns);
    mmds_key_sign(key, 'T', end, sizeof(end), digest);
    token = hex_put(token, end, sizeof(end));
    token = hex_put(token, digest, TOKEN_CODE);
    *token = '\0';
}

/* The value of a hex digit as made above; 16: none. */
static unsigned int token_digit(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned int)(c - '0');
    return c >= 'a' && c <= 'f' ? (unsigned int)(c - 'a') + 10 : 16;
}

/* Made again and compared whole: how long that takes says nothing of where the
 * two differ. */
bool mmds_token_valid(const struct mmds_key *key, u64 now_ns, const char *token,
                      size_t len)
{
    char want[MMDS_TOKEN_LEN + 1];
    unsigned int differ = 0;
    u64 end = 0;

    if (len != MMDS_TOKEN_LEN)
        return false;
    for (unsigned int i = 0; i < 16; i++) /* little-endian bytes */
        end |= (u64)(token_digit(token[i]) & 15) << (4 * (i ^ 1));
    mmds_token_make(key, end, want);
    for (unsigned int i = 0; i < MMDS_TOKEN_LEN; i++)
        differ |= (u8)(token[i] ^ want[i]);
    return differ == 0 && now_ns < end;
}
