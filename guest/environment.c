/* SPDX-License-Identifier: Apache-2.0 */
/* environment.c: what the orders say, completed */
#include <stdio.h>
#include <stdlib.h>

#include "environment.h"
#include "text.h"

#define ENVIRONMENT_PASSWD (64 * 1024) /* of the file, from its beginning */
#define ENVIRONMENT_HOME   4096
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
    u32 n;

    if (!home || home[0] != '/' ||
        !text_number(number, number + strlen(number), UINT32_MAX, &n) ||
        n != uid)
        return NULL;
    return home;
}

static const char *environment_home(uid_t uid)
{
    static char text[ENVIRONMENT_PASSWD];
    const char *home = NULL;
    char *rest = text, *line;

    text_read("/etc/passwd", text, sizeof(text));
    while (!home && (line = text_line(&rest)))
        home = environment_home_of(line, uid);
    if (home)
        return home;
    return uid == 0 ? "/root" : "/";
}

char **environment_complete(const struct orders *o)
{
    static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:"
                         "/usr/bin:/sbin:/bin";
    static char term[] = "TERM=xterm", home[ENVIRONMENT_HOME];
    char **env = calloc(o->nr_env + ENVIRONMENT_ADDED + 1, sizeof(*env));
    size_t n = o->nr_env;

    if (!env)
        return o->env;
    memcpy(env, o->env, n * sizeof(*env));
    if (!environment_has(o, "PATH"))
        env[n++] = path;
    if (o->tty && !environment_has(o, "TERM"))
        env[n++] = term;
    if (!environment_has(o, "HOME")) {
        snprintf(home, sizeof(home), "HOME=%s", environment_home(o->uid));
        env[n++] = home;
    }
    return env;
}
