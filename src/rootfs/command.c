/* SPDX-License-Identifier: Apache-2.0 */
/* command.c: what an image says of its command, text by text */
#include <stdlib.h>

#include "command.h"

static char ***command_list(struct rootfs_command *c, enum wire_text what)
{
    switch (what) {
    case WIRE_ENTRYPOINT:
        return &c->entrypoint;
    case WIRE_CMD:
        return &c->cmd;
    case WIRE_ENV:
        return &c->env;
    default:
        return NULL;
    }
}

static int command_append(char ***list, char *text)
{
    size_t n = 0;
    char **more;

    while (*list && (*list)[n])
        n++;
    if (n >= COMMAND_LIST_MAX)
        return -E2BIG;
    more = reallocarray(*list, n + 2, sizeof(char *));
    if (!more)
        return -ENOMEM;
    more[n] = text;
    more[n + 1] = NULL;
    *list = more;
    return 0;
}

static int command_put(struct rootfs_command *c, enum wire_text what,
                       char *text)
{
    char ***list = command_list(c, what);
    char **one = what == WIRE_WORKDIR ? &c->workdir : &c->user;

    if (list)
        return command_append(list, text);
    if ((what != WIRE_WORKDIR && what != WIRE_USER) || *one)
        return -EINVAL;
    *one = text;
    return 0;
}

int command_add(struct rootfs_command *c, enum wire_text what, const char *text,
                size_t len)
{
    char *copy;
    int r;

    if (len > COMMAND_TEXT_MAX)
        return -E2BIG;
    if (memchr(text, '\0', len))
        return -EINVAL;
    copy = strndup(text, len);
    if (!copy)
        return -ENOMEM;
    r = command_put(c, what, copy);
    if (r < 0)
        free(copy);
    return r;
}

static void command_free_list(char **list)
{
    for (char **s = list; s && *s; s++)
        free(*s);
    free(list);
}

void command_free(struct rootfs_command *c)
{
    command_free_list(c->entrypoint);
    command_free_list(c->cmd);
    command_free_list(c->env);
    free(c->workdir);
    free(c->user);
    *c = (struct rootfs_command){.user = NULL};
}
