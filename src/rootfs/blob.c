/* SPDX-License-Identifier: Apache-2.0 */
/* blob.c: pieces of files, and whether they are what they are said to be */
#include <stdlib.h>
#include <unistd.h>

#include "mote/log.h"

#include "blob.h"

bool blob_parse_digest(const char *text, char hex[SHA256_DIGEST_STRING_LENGTH])
{
    static const char kind[] = "sha256:";
    const size_t len = SHA256_DIGEST_STRING_LENGTH - 1;

    if (strncmp(text, kind, strlen(kind)) != 0)
        return false;
    text += strlen(kind);
    if (strlen(text) != len || strspn(text, "0123456789abcdef") != len)
        return false;
    memcpy(hex, text, len + 1);
    return true;
}

void blob_begin(struct blob_reader *r, const struct blob *b)
{
    *r = (struct blob_reader){.blob = b};
    SHA256Init(&r->sha);
}

ssize_t blob_read(struct blob_reader *r, void *buf, size_t count)
{
    const struct blob *b = r->blob;
    ssize_t n;

    do
        n = pread(b->fd, buf, MIN((u64)count, b->size - r->at),
                  (off_t)(b->offset + r->at));
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    if (b->check != BLOB_ANY)
        SHA256Update(&r->sha, buf, (size_t)n);
    r->at += (u64)n;
    return n;
}

int blob_end(struct blob_reader *r, const char *what)
{
    char sha256[SHA256_DIGEST_STRING_LENGTH];

    if (r->blob->check == BLOB_ANY)
        return 0;
    SHA256End(&r->sha, sha256);
    if (strcmp(sha256, r->blob->sha256) == 0)
        return 0;
    return fail_rule(-EBADMSG,
                     "%s: SHA-256 is %s, but should be %s: it is damaged or "
                     "was changed; fetch the image again",
                     what, sha256, r->blob->sha256);
}

static int blob_fill(const struct blob *b, const char *what, char *text)
{
    struct blob_reader r;
    ssize_t n;

    blob_begin(&r, b);
    while (r.at < b->size) {
        n = blob_read(&r, text + r.at, b->size - r.at);
        if (n < 0)
            return fail((int)n, "%s", what);
        if (n == 0)
            return fail_rule(-ENODATA, "%s: it is cut off", what);
    }
    text[b->size] = '\0';
    return blob_end(&r, what);
}

int blob_text(const struct blob *b, const char *what, char **out, size_t *len)
{
    char *text;
    int r;

    if (b->size > BLOB_TEXT_MAX)
        return fail_rule(-EFBIG, "%s: larger than 4 MiB", what);
    text = malloc(b->size + 1);
    if (!text)
        return fail(-ENOMEM, "%s", what);
    r = blob_fill(b, what, text);
    if (r < 0) {
        free(text);
        return r;
    }
    *out = text;
    *len = b->size;
    return 0;
}
