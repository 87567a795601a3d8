/* SPDX-License-Identifier: Apache-2.0 */
/* paths.c: what mote writes: consoles, ports, the log, metrics */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

static void path_denied(struct checking *k, const char *what, const char *path)
{
    finding_add(k->f, FINDING_FAIL, what,
                "%s: %s (%s); uid %u may not write it", path,
                strerrordesc_np(errno), strerrorname_np(errno), geteuid());
}

/* A file or FIFO that is there, or can be made. */
static void path_file(struct checking *k, const char *what, const char *path)
{
    char why[4200];
    struct stat st;

    if (stat(path, &st) < 0) {
        if (errno == ENOENT && check_can_make(path, why, sizeof(why)))
            finding_add(k->f, FINDING_OK, what, "%s: to be made", path);
        else if (errno == ENOENT)
            finding_add(k->f, FINDING_FAIL, what, "%s: %s", path, why);
        else
            path_denied(k, what, path);
    } else if (S_ISDIR(st.st_mode) || S_ISSOCK(st.st_mode)) {
        finding_add(k->f, FINDING_FAIL, what, "%s: is a %s, not a file", path,
                    S_ISDIR(st.st_mode) ? "directory" : "socket");
    } else if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) < 0) {
        path_denied(k, what, path);
    } else {
        finding_add(k->f, FINDING_OK, what, "%s: there, appended to", path);
    }
}

/* A socket is made anew, and never in place of another. */
static void path_socket(struct checking *k, const char *what, const char *path)
{
    char why[4200];
    struct stat st;

    if (lstat(path, &st) == 0)
        finding_add(k->f, FINDING_FAIL, what,
                    "%s: exists; remove it if no other uses it", path);
    else if (!check_can_make(path, why, sizeof(why)))
        finding_add(k->f, FINDING_FAIL, what, "%s: %s", path, why);
    else
        finding_add(k->f, FINDING_OK, what, "%s: to be made", path);
}

static void path_chr(struct checking *k, const char *what, enum chr_mode mode,
                     const char *path)
{
    if (mode == CHR_FILE && path)
        path_file(k, what, path);
    else if (mode == CHR_UNIX && path)
        path_socket(k, what, path);
}

void host_paths(struct checking *k)
{
    const struct config *c = k->c;
    char what[80];

    path_chr(k, "console", c->console.mode, c->console.path);
    for (unsigned int i = 0; i < c->nr_ports; i++) {
        snprintf(what, sizeof(what), "port %s", c->port[i].name);
        path_chr(k, what, c->port[i].mode, c->port[i].path);
    }
    if (c->log.path)
        path_file(k, "log", c->log.path);
    if (c->metrics.path)
        path_file(k, "metrics", c->metrics.path);
}
