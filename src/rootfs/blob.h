/* SPDX-License-Identifier: Apache-2.0 */
/* blob.h: a piece of a file: a whole archive, a layer, a JSON text of an image.
 * Of the process that reads archives. */
#ifndef MOTE_ROOTFS_BLOB_H
#define MOTE_ROOTFS_BLOB_H

#include <sha2.h>

#include "mote/base.h"

enum blob_check {
    BLOB_ANY,    /* nobody has said what is in it */
    BLOB_SHA256, /* sha256 is that of its bytes */
    BLOB_DIFF,   /* ... but only if they are not compressed */
};

struct blob {
    int fd;
    u64 offset, size;
    enum blob_check check;
    char sha256[SHA256_DIGEST_STRING_LENGTH]; /* in hexadecimal */
};

#define BLOB_TEXT_MAX (4 * MIB)

/* Does text name a digest, "sha256:" and 64 lower-case digits? Those go to
 * hex. */
bool blob_parse_digest(const char *text, char hex[SHA256_DIGEST_STRING_LENGTH]);

/* All of it, with a NUL behind; to be freed. what: for errors, "manifest". 0 or
 * a negative errno, already reported; also if it is not what its digest says.
 */
int blob_text(const struct blob *b, const char *what, char **out, size_t *len);

/* From its start to its end: count bytes at most; 0: behind the last; or a
 * negative errno. */
struct blob_reader {
    const struct blob *blob;
    u64 at;
    SHA2_CTX sha;
};
void blob_begin(struct blob_reader *r, const struct blob *b);
ssize_t blob_read(struct blob_reader *r, void *buf, size_t count);

/* Behind the last: -EBADMSG, already reported, if the digest is another. */
int blob_end(struct blob_reader *r, const char *what);

#endif
