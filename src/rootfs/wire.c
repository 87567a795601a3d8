/* SPDX-License-Identifier: Apache-2.0 */
/* wire.c: records into a stream, and out of it */
#include <unistd.h>

#include "wire.h"

int wire_flush(struct wire_out *w)
{
    size_t done = 0;

    while (done < w->used) {
        ssize_t n = write(w->fd, w->buf + done, w->used - done);

        if (n < 0 && errno != EINTR)
            return -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    w->used = 0;
    return 0;
}

static void wire_append(struct wire_out *w, const void *data, size_t len)
{
    if (len > 0)
        memcpy(w->buf + w->used, data, len);
    w->used += len;
}

int wire_put(struct wire_out *w, enum wire_type type,
             const struct wire_part part[WIRE_PARTS])
{
    struct wire_head head = {.type = type};
    size_t len = 0;
    int r = 0;

    for (unsigned int i = 0; i < WIRE_PARTS; i++)
        len += part[i].len;
    if (len > WIRE_LEN_MAX)
        return -EMSGSIZE;
    if (sizeof(head) + len > sizeof(w->buf) - w->used)
        r = wire_flush(w);
    if (r < 0)
        return r;
    head.len = (u32)len;
    wire_append(w, &head, sizeof(head));
    for (unsigned int i = 0; i < WIRE_PARTS; i++)
        wire_append(w, part[i].data, part[i].len);
    return 0;
}

/* At least len bytes in the buffer: 1; 0: the stream has ended, before the
 * first of them; or a negative errno. */
static int wire_fill(struct wire_in *w, size_t len)
{
    if (w->have - w->from >= len)
        return 1;
    memmove(w->buf, w->buf + w->from, w->have - w->from);
    w->have -= w->from;
    w->from = 0;
    while (w->have < len) {
        ssize_t n = read(w->fd, w->buf + w->have, sizeof(w->buf) - w->have);

        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            return w->have == 0 ? 0 : -EPIPE;
        w->have += n > 0 ? (size_t)n : 0;
    }
    return 1;
}

int wire_next(struct wire_in *w, struct wire_record *out)
{
    struct wire_head head;
    int r = wire_fill(w, sizeof(head));

    if (r <= 0)
        return r;
    memcpy(&head, w->buf + w->from, sizeof(head));
    if (head.len > WIRE_LEN_MAX)
        return -EPROTO;
    r = wire_fill(w, sizeof(head) + head.len);
    if (r <= 0)
        return r;
    *out = (struct wire_record){.type = head.type,
                                .len = head.len,
                                .data = w->buf + w->from + sizeof(head)};
    w->from += sizeof(head) + head.len;
    return 1;
}
