/* SPDX-License-Identifier: Apache-2.0 */
/* untar.c: what libarchive finds in an archive, into layers and a spool */
#include <unistd.h>

#include "mote/log.h"

#include "untar.h"

#define UNTAR_BUF      (128 * KIB)
#define UNTAR_PROGRESS (8 * MIB)

/* One archive that is being read. */
struct untar_run {
    struct untar *u;
    struct blob_reader in;
    struct archive *a;
    int err; /* of reading */
    u8 buf[UNTAR_BUF];
};

/* ---- from the blob ------------------------------------------------------ */

static ssize_t untar_fill(struct untar_run *run)
{
    struct untar *u = run->u;
    ssize_t n = blob_read(&run->in, run->buf, sizeof(run->buf));

    if (n < 0) {
        run->err = (int)n;
        return n;
    }
    if ((u->read + (u64)n) / UNTAR_PROGRESS != u->read / UNTAR_PROGRESS)
        u->progress(u->read + (u64)n);
    u->read += (u64)n;
    return n;
}

static la_ssize_t untar_on_read(struct archive *a, void *arg, const void **out)
{
    struct untar_run *run = arg;
    ssize_t n = untar_fill(run);

    *out = run->buf;
    return n < 0 ? ARCHIVE_FATAL : n;
}

/* ---- errors ------------------------------------------------------------- */

static int untar_fail(struct untar_run *run)
{
    const char *why = run->u->lib->archive_error_string(run->a);

    if (run->err < 0)
        return fail(run->err, "read");
    if (why && strcmp(why, "Unrecognized archive format") == 0)
        return fail_rule(-EINVAL,
                         "not a tar archive, plain or compressed by gzip, xz, "
                         "zstd, bzip2 or lz4");
    return fail_rule(-EINVAL, "it is damaged: %s",
                     why ? why : "libarchive does not say how");
}

static int untar_check_unpacked(struct untar_run *run)
{
    s64 now = run->u->lib->archive_filter_bytes(run->a, 0);

    if (now >= 0 && (u64)now + run->u->unpacked <= UNTAR_UNPACKED_MAX)
        return 0;
    return fail_rule(-EFBIG, "more than %llu GiB come out of it",
                     (unsigned long long)(UNTAR_UNPACKED_MAX / GIB));
}

/* ---- members ------------------------------------------------------------ */

static bool untar_is_zero(const u8 *buf, size_t len)
{
    return len > 0 && buf[0] == 0 && memcmp(buf, buf + 1, len - 1) == 0;
}

/* Zeros are a hole in the spool. */
static int untar_write(int fd, const u8 *buf, size_t len, u64 offset)
{
    if (untar_is_zero(buf, len))
        return 0;
    while (len > 0) {
        ssize_t n = pwrite(fd, buf, len, (off_t)offset);

        if (n < 0 && errno != EINTR)
            return fail(-errno, "write to a temporary file; TMPDIR may name a "
                                "directory with more room");
        if (n > 0) {
            buf += n;
            len -= (size_t)n;
            offset += (u64)n;
        }
    }
    return 0;
}

/* One piece of a member's content. 1: there was one; 0: it has ended. */
static int untar_block(struct untar_run *run, const char *path, u64 size,
                       bool wanted)
{
    struct untar *u = run->u;
    const void *buf;
    la_int64_t offset;
    size_t len;
    int r = u->lib->archive_read_data_block(run->a, &buf, &len, &offset);

    if (r == ARCHIVE_EOF)
        return 0;
    if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
        return untar_fail(run);
    r = untar_check_unpacked(run);
    if (r < 0)
        return r;
    if (!wanted)
        return 1;
    if (offset < 0 || (u64)offset > size || len > size - (u64)offset)
        return fail_rule(-EINVAL, "entry %.200s: longer than its header says",
                         path);
    r = untar_write(u->spool, buf, len, u->end + (u64)offset);
    return r < 0 ? r : 1;
}

static int untar_content(struct untar_run *run, const char *path, u64 size,
                         bool wanted)
{
    int r;

    do
        r = untar_block(run, path, size, wanted);
    while (r > 0);
    if (r == 0 && wanted)
        run->u->end += size;
    return r;
}

static int untar_check_size(struct untar *u, const char *path, s64 size)
{
    if (size >= 0 && (u64)size <= UNTAR_BYTES_MAX - u->end)
        return 0;
    return fail_rule(-EFBIG,
                     "entry %.200s: with it there are more than %llu GiB", path,
                     (unsigned long long)(UNTAR_BYTES_MAX / GIB));
}

static int untar_member(struct untar_run *run, struct archive_entry *e)
{
    struct untar *u = run->u;
    const struct archive_lib *lib = u->lib;
    struct layer_member m = {
        .path = lib->archive_entry_pathname(e),
        .mode = lib->archive_entry_mode(e),
        .uid = lib->archive_entry_uid(e),
        .gid = lib->archive_entry_gid(e),
        .mtime = lib->archive_entry_mtime(e),
        .major = lib->archive_entry_rdevmajor(e),
        .minor = lib->archive_entry_rdevminor(e),
        .link = lib->archive_entry_symlink(e),
        .hard = lib->archive_entry_hardlink(e),
        .offset = u->end,
    };
    s64 size = lib->archive_entry_size(e);
    int r;

    if (!m.path)
        return fail_rule(-EILSEQ, "an entry has a name that is not UTF-8");
    m.size = (u64)size;
    r = layers_add(u->tree, &m);
    if (r > 0 && untar_check_size(u, m.path, size) < 0)
        return -EFBIG;
    return r < 0 ? r : untar_content(run, m.path, m.size, r > 0);
}

static int untar_members(struct untar_run *run)
{
    struct archive_entry *e;
    int r = 0, found;

    while (r == 0) {
        found = run->u->lib->archive_read_next_header(run->a, &e);
        if (found == ARCHIVE_EOF)
            return 0;
        if (found != ARCHIVE_OK && found != ARCHIVE_WARN)
            return untar_fail(run);
        r = untar_member(run, e);
        if (r == 0)
            r = untar_check_unpacked(run);
    }
    return r;
}

/* ---- an archive --------------------------------------------------------- */

static int untar_open(struct untar_run *run)
{
    const struct archive_lib *lib = run->u->lib;
    struct archive *a = run->a;

    /* ARCHIVE_WARN would mean that an outside program is to do it. */
    if (lib->archive_read_support_format_tar(a) != ARCHIVE_OK ||
        lib->archive_read_support_filter_gzip(a) != ARCHIVE_OK ||
        lib->archive_read_support_filter_xz(a) != ARCHIVE_OK ||
        lib->archive_read_support_filter_zstd(a) != ARCHIVE_OK ||
        lib->archive_read_support_filter_bzip2(a) != ARCHIVE_OK ||
        lib->archive_read_support_filter_lz4(a) != ARCHIVE_OK)
        return fail_rule(-ENOSYS, "this libarchive cannot unpack all that "
                                  "mote needs; install Debian's");
    if (lib->archive_read_open(a, run, NULL, untar_on_read, NULL) != ARCHIVE_OK)
        return untar_fail(run);
    return 0;
}

/* What is behind the archive's end is in the digest too. */
static int untar_rest(struct untar_run *run)
{
    ssize_t n;

    if (run->in.blob->check == BLOB_ANY)
        return 0;
    if (run->in.blob->check == BLOB_DIFF &&
        run->u->lib->archive_filter_code(run->a, 0) != ARCHIVE_FILTER_NONE)
        return 0;
    do
        n = untar_fill(run);
    while (n > 0);
    return n < 0 ? fail((int)n, "read") : blob_end(&run->in, "content");
}

int untar(struct untar *u, const struct blob *b)
{
    static struct untar_run run; /* too large for a stack */
    int r;

    run = (struct untar_run){.u = u};
    blob_begin(&run.in, b);
    run.a = u->lib->archive_read_new();
    if (!run.a)
        return fail(-ENOMEM, "libarchive");
    r = untar_open(&run);
    if (r == 0)
        r = untar_members(&run);
    if (r == 0)
        r = untar_rest(&run);
    u->unpacked += (u64)u->lib->archive_filter_bytes(run.a, 0);
    u->lib->archive_read_free(run.a);
    return r;
}
