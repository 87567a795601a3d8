/* SPDX-License-Identifier: Apache-2.0 */
/* execute.c: find a command as a shell does, and become it */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "command.h"

#define EXECUTE_PATH_MAX 4096
#define EXECUTE_SHELL    "/bin/sh"

static const char *execute_path(char **env)
{
    for (; *env; env++) {
        if (strncmp(*env, "PATH=", 5) == 0)
            return *env + 5;
    }
    return "/bin:/usr/bin";
}

/* A text without "#!" is a shell script (POSIX, exec). */
static void execute_script(char *path, char **argv, char **env)
{
    static char shell[] = EXECUTE_SHELL;
    char **shell_argv;
    size_t n = 0;

    while (argv[n])
        n++;
    shell_argv = calloc(n + 2, sizeof(*shell_argv));
    if (!shell_argv)
        return;
    shell_argv[0] = shell;
    shell_argv[1] = path;
    for (size_t i = 1; i < n; i++)
        shell_argv[i + 1] = argv[i];
    execve(shell, shell_argv, env);
    free(shell_argv);
}

static void execute_file(char *path, char **argv, char **env, bool *found)
{
    execve(path, argv, env);
    if (errno == ENOEXEC)
        execute_script(path, argv, env);
    if (errno == ENOENT && access(path, F_OK) == 0) {
        *found = true; /* what is lacking is its interpreter, or its loader */
        errno = ENOENT;
    }
}

/* As execvp(): what may not be executed counts only if nothing else is found.
 * An empty element of PATH is the working directory. */
void command_execute(char **argv, char **env, bool *found)
{
    const char *path = execute_path(env);
    bool denied = false;

    *found = false;
    if (strchr(argv[0], '/')) {
        execute_file(argv[0], argv, env, found);
        return;
    }
    errno = ENOENT;
    while (path && *argv[0] && !*found) {
        size_t len = strcspn(path, ":");
        char file[EXECUTE_PATH_MAX];
        int n = snprintf(file, sizeof(file), "%.*s%s%s", (int)len, path,
                         len > 0 ? "/" : "", argv[0]);

        path = path[len] ? path + len + 1 : NULL;
        if (n < 0 || (size_t)n >= sizeof(file))
            continue;
        execute_file(file, argv, env, found);
        if (errno == EACCES)
            denied = true;
        else if (errno != ENOENT && errno != ENOTDIR)
            return;
    }
    if (!*found)
        errno = denied ? EACCES : ENOENT;
}
