/* SPDX-License-Identifier: Apache-2.0 */
/* saved.c: the end of a file of the cache */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "saved.h"

#define SAVED_BLOCK 4096u      /* the file is whole blocks, for it is a disk */
#define SAVED_TEXT  (16 * MIB) /* of the command; far more than there can be */

/* The last bytes of the file. Host byte order: it stays on this host. */
struct saved_end {
    char magic[16];
    u64 size, bytes, text_len;
    u32 kind, reserved;
};

static const char saved_magic[16] = "mote rootfs 1\n";

/* ---- the command: a letter for what it is, the text, a NUL --------------- */

struct saved_text {
    char *bytes; /* NULL: counts */
    size_t len;
};

static void saved_put(struct saved_text *t, enum wire_text what,
                      const char *text)
{
    size_t len = strlen(text) + 1;

    if (t->bytes) {
        t->bytes[t->len] = (char)('a' + (int)what);
        memcpy(t->bytes + t->len + 1, text, len);
    }
    t->len += 1 + len;
}

static void saved_put_list(struct saved_text *t, enum wire_text what,
                           char *const *list)
{
    for (; list && *list; list++)
        saved_put(t, what, *list);
}

static void saved_put_command(struct saved_text *t,
                              const struct rootfs_command *c)
{
    saved_put_list(t, WIRE_ENTRYPOINT, c->entrypoint);
    saved_put_list(t, WIRE_CMD, c->cmd);
    saved_put_list(t, WIRE_ENV, c->env);
    if (c->workdir)
        saved_put(t, WIRE_WORKDIR, c->workdir);
    if (c->user)
        saved_put(t, WIRE_USER, c->user);
}

/* A NUL of ours stands behind the text. */
static int saved_take_command(struct rootfs_command *c, const char *text,
                              size_t len)
{
    const char *value;
    size_t n;
    int r = 0;

    for (size_t at = 0; r == 0 && at < len; at += n + 2) {
        value = text + at + 1;
        n = text[at] ? strlen(value) : 0;
        r = command_add(c, (enum wire_text)(text[at] - 'a'), value, n);
    }
    if (r < 0)
        command_free(c);
    return r;
}

/* ---- the end ------------------------------------------------------------ */

static int saved_pwrite(int fd, const void *bytes, size_t len, u64 at)
{
    ssize_t n = pwrite(fd, bytes, len, (off_t)at);

    return n < 0 ? -errno : (size_t)n < len ? -ENOSPC : 0;
}

int saved_write(int fd, const struct saved *s)
{
    struct saved_end end = {
        .size = s->size, .bytes = s->bytes, .kind = (u32)s->kind};
    struct saved_text text = {0};
    u64 total;
    int r;

    saved_put_command(&text, &s->command);
    end.text_len = text.len;
    memcpy(end.magic, saved_magic, sizeof(end.magic));
    if (!align_up(s->size + text.len + sizeof(end), SAVED_BLOCK, &total))
        return -EFBIG;
    text = (struct saved_text){.bytes = malloc(text.len + 1)};
    if (!text.bytes)
        return -ENOMEM;
    saved_put_command(&text, &s->command);
    r = saved_pwrite(fd, text.bytes, text.len, s->size);
    if (r == 0)
        r = saved_pwrite(fd, &end, sizeof(end), total - sizeof(end));
    free(text.bytes);
    return r;
}

static int saved_read_command(int fd, const struct saved_end *end,
                              struct rootfs_command *c)
{
    char *text = malloc(end->text_len + 1);
    int r = -ENOENT;

    if (!text)
        return -ENOMEM;
    text[end->text_len] = '\0';
    if (pread(fd, text, end->text_len, (off_t)end->size) ==
        (ssize_t)end->text_len)
        r = saved_take_command(c, text, end->text_len);
    free(text);
    return r < 0 ? -ENOENT : 0;
}

int saved_read(int fd, struct saved *s)
{
    struct saved_end end;
    struct stat st;
    u64 file;

    *s = (struct saved){0};
    if (fstat(fd, &st) < 0 || st.st_size < (off_t)sizeof(end))
        return -ENOENT;
    file = (u64)st.st_size;
    if (pread(fd, &end, sizeof(end), (off_t)(file - sizeof(end))) !=
            (ssize_t)sizeof(end) ||
        memcmp(end.magic, saved_magic, sizeof(end.magic)) != 0 ||
        end.kind > ROOTFS_IMAGE || end.text_len > SAVED_TEXT ||
        end.size > file - sizeof(end) ||
        end.text_len > file - sizeof(end) - end.size)
        return -ENOENT;
    s->kind = (enum rootfs_kind)end.kind;
    s->size = end.size;
    s->bytes = end.bytes;
    return saved_read_command(fd, &end, &s->command);
}
