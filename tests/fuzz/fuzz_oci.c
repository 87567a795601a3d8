/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rootfs/image.c: the JSON texts of a container image. Input: texts, a NUL
 * between two; the first is the index or manifest.json, each that is asked for
 * later the next one, whatever its digest. What is taken
 * has layers and a command within their limits; what is not is said in one
 * line.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "rootfs/command.h"
#include "rootfs/image.h"

static struct texts {
    struct store store;
    int fd;
    u64 at, size;
    const u8 *data;
} texts = {.fd = -1};

static unsigned int lines;

int __real_blob_text(const struct blob *b, const char *what, char **out,
                     size_t *len);
int __wrap_blob_text(const struct blob *b, const char *what, char **out,
                     size_t *len);

/* Nobody finds a text by its digest. */
int __wrap_blob_text(const struct blob *b, const char *what, char **out,
                     size_t *len)
{
    struct blob any = *b;

    any.check = BLOB_ANY;
    return __real_blob_text(&any, what, out, len);
}

static void count_line(const char *text, size_t len)
{
    lines++;
    assert(memchr(text, '\n', len) == text + len - 1);
}

/* After the last one nothing is there. */
static int find_next(struct store *s, const char *path, struct blob *out)
{
    u64 from = texts.at;

    if (from >= texts.size)
        return -ENOENT;
    while (texts.at < texts.size && texts.data[texts.at])
        texts.at++;
    *out =
        (struct blob){.fd = texts.fd, .offset = from, .size = texts.at - from};
    texts.at++;
    return 0;
}

static void done_none(struct store *s, struct blob *b)
{
}

static void check_list(char *const *list)
{
    size_t n = 0;

    for (; list && list[n]; n++)
        assert(strlen(list[n]) <= COMMAND_TEXT_MAX);
    assert(n <= COMMAND_LIST_MAX);
}

static void check(int from(struct image *im, struct store *s))
{
    struct image im;
    int r;

    texts.at = lines = 0;
    r = from(&im, &texts.store);
    assert((r == 0 && lines == 0) || (r < 0 && lines == 1));
    assert(r < 0 || (im.nr_layers > 0 && im.nr_layers <= IMAGE_LAYERS_MAX));
    for (unsigned int i = 0; r == 0 && i < im.nr_layers; i++)
        assert(im.layer[i].path);
    check_list(im.command.entrypoint);
    check_list(im.command.cmd);
    check_list(im.command.env);
    image_free(&im);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
    if (texts.fd < 0) {
        texts.store = (struct store){find_next, done_none};
        texts.fd = memfd_create("texts", MFD_CLOEXEC);
    }
    log_sink_set(count_line);
    texts.data = data;
    texts.size = len;
    must(pwrite(texts.fd, data, len, 0) == (ssize_t)len);
    check(image_from_oci);
    check(image_from_docker);
    return 0;
}
