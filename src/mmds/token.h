/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token.h: session tokens without sessions. A token is the moment of its end
 * and a code for it that only who has the key can make. So there is no table of
 * them that a guest could fill, no randomness is needed while it runs, and a
 * token holds on every interface.
 */
#ifndef MOTE_MMDS_TOKEN_H
#define MOTE_MMDS_TOKEN_H

#include "mote/base.h"

#define MMDS_TOKEN_LEN  48 /* hex digits: 8 bytes of time, 16 of code */
#define MMDS_TTL_MAX_S  21600u
#define MMDS_KEY_BYTES  32
#define MMDS_DIGEST_LEN 32

struct mmds_key {
    u8 byte[MMDS_KEY_BYTES];
};

/* From the kernel. 0 or a negative errno. Main, before the filters. */
int mmds_key_draw(struct mmds_key *key);

/* HMAC-SHA-256 of data, which is of this kind and cannot be taken for another.
 */
void mmds_key_sign(const struct mmds_key *key, char kind, const void *data,
                   size_t len, u8 digest[static MMDS_DIGEST_LEN]);

/* end_ns: of CLOCK_MONOTONIC. NUL-ended. */
void mmds_token_make(const struct mmds_key *key, u64 end_ns,
                     char token[static MMDS_TOKEN_LEN + 1]);
bool mmds_token_valid(const struct mmds_key *key, u64 now_ns, const char *token,
                      size_t len);

#endif
