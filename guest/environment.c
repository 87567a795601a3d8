/* SPDX-License-Identifier: Apache-2.0 */
/* environment.c: what the orders say, completed */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "environment.h"

#define ENVIRONMENT_PASSWD (64 * 1024) /* of the file, from its beginning */
#define ENVIRONMENT_ADDED  3

static bool environment_has(const struct orders *o, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < o->nr_env; i++) {
        if (strncmp(o->env[i], name, len) == 0 && o->env[i][len] == '=')
            return true;
    }
    return false;
}

/* Field n of a line of /etc/passwd, cut out; NULL: there are fewer. */
static char *environment_field(char *line, unsigned int n)
{
    for (; n > 0; n--) {
        line = strchr(line, ':');
        if (!line)
            return NULL;
        line++;
    }
    line[strcspn(line, ":")] = '\0';
    return line;
}

/* name:password:UID:GID:comment:HOME:shell */
static const char *environment_home_of(char *line, uid_t uid)
{
    char *home = environment_field(line, 5);
    char *number = home ? environment_field(line, 2) : NULL;
    char *end;

    if (!home || home[0] != '/' || strtoul(number, &end, 10) != uid ||
        end == number || *end)
        return NULL;
    return home;
}

static const char *environment_home(uid_t uid)
{
    static char text[ENVIRONMENT_PASSWD];
    int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    const char *home = NULL;
    char *line = text;
    ssize_t n = -1;

    if (fd >= 0) {
        n = read(fd, text, sizeof(text) - 1);
        close(fd);
    }
    text[n > 0 ? n : 0] = '\0';
    while (*line && !home) {
        char *next = line + strcspn(line, "\n");

        if (*next)
            *next++ = '\0';
        home = environment_home_of(line, uid);
        line = next;
    }
    if (home)
        return home;
    return uid == 0 ? "/root" : "/";
}

char **environment_complete(const struct orders *o)
{
    static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:"
                         "/usr/bin:/sbin:/bin";
    static char term[] = "TERM=xterm";
    char **env = calloc(o->nr_env + ENVIRONMENT_ADDED + 1, sizeof(*env));
    size_t n = o->nr_env;

    if (!env)
        return o->env;
    memcpy(env, o->env, n * sizeof(*env));
    if (!environment_has(o, "PATH"))
        env[n++] = path;
    if (o->tty && !environment_has(o, "TERM"))
        env[n++] = term;
    if (!environment_has(o, "HOME") &&
        asprintf(&env[n], "HOME=%s", environment_home(o->uid)) < 0)
        env[n] = NULL;
    return env;
}
