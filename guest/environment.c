/* SPDX-License-Identifier: Apache-2.0 */
/* environment.c: what the orders say, completed */
#include <stdio.h>
#include <stdlib.h>

#include "environment.h"

#define ENVIRONMENT_ADDED 3

static bool environment_has(const struct orders *o, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < o->nr_env; i++) {
        if (strncmp(o->env[i], name, len) == 0 && o->env[i][len] == '=')
            return true;
    }
    return false;
}

static const char *environment_home(const struct user *u)
{
    if (u->home[0])
        return u->home;
    return u->uid == 0 ? "/root" : "/";
}

char **environment_complete(const struct orders *o)
{
    static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:"
                         "/usr/bin:/sbin:/bin";
    static char term[] = "TERM=xterm", home[USER_HOME + 8];
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
        snprintf(home, sizeof(home), "HOME=%s", environment_home(&o->who));
        env[n++] = home;
    }
    return env;
}
