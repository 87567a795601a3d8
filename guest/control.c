/* SPDX-License-Identifier: Apache-2.0 */
/* control.c: messages out of a stream of bytes */
#include <unistd.h>

#include "control.h"

int control_read(struct control *c, int fd, struct guest_message *m)
{
    ssize_t n = read(fd, c->part + c->len, sizeof(c->part) - c->len);

    if (n < 0)
        return errno == EAGAIN ? 0 : -ENODATA;
    if (n == 0)
        return -ENODATA;
    c->len += (size_t)n;
    if (c->len < sizeof(c->part))
        return 0;
    memcpy(m, c->part, sizeof(*m));
    c->len = 0;
    return 1;
}
