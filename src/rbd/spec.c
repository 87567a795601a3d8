/* SPDX-License-Identifier: Apache-2.0 */
/* spec.c: this binary again, in another role */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mote/config.h"
#include "mote/log.h"

#include "spec.h"

struct rbd_spec *spec_map(int fd)
{
    struct rbd_spec *s =
        mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (s == MAP_FAILED) {
        fail(-errno, "rbd: descriptor %d holds no orders", fd);
        return NULL;
    }
    return s;
}

/* ---- descriptors --------------------------------------------------------- */

#define SPEC_FDS (6 + 3 * RBD_IMAGE_MAX)

/* All that a worker is given; -1 is none. */
static unsigned int spec_fds(const struct rbd_spec *s, int spec_fd, int stop_fd,
                             int fd[static SPEC_FDS])
{
    unsigned int n = 0;

    fd[n++] = spec_fd;
    fd[n++] = stop_fd;
    fd[n++] = s->log.fd;
    fd[n++] = s->jail.cgroup_fd;
    fd[n++] = s->cluster.key_fd;
    fd[n++] = s->cluster.conf_fd;
    for (u32 i = 0; i < s->nr_images; i++) {
        fd[n++] = s->image[i].ring_fd;
        fd[n++] = s->image[i].submit_fd;
        fd[n++] = s->image[i].done_fd;
    }
    return n;
}

/* The lowest of them from from on, or ~0. */
static unsigned int spec_next_fd(const int *fd, unsigned int n,
                                 unsigned int from)
{
    unsigned int next = ~0u;

    for (unsigned int i = 0; i < n; i++)
        if (fd[i] >= 0 && (unsigned int)fd[i] >= from)
            next = MIN(next, (unsigned int)fd[i]);
    return next;
}

static int spec_null_stdio(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), r = 0;

    if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
        dup2(null, STDOUT_FILENO) < 0)
        r = fail(-errno, "rbd: /dev/null");
    if (null >= 0)
        close(null);
    return r;
}

int spec_close_others(const struct rbd_spec *s, int spec_fd, int stop_fd)
{
    unsigned int from = STDERR_FILENO + 1, next, n;
    int fd[SPEC_FDS];

    assert(s->nr_images <= RBD_IMAGE_MAX);
    n = spec_fds(s, spec_fd, stop_fd, fd);
    do {
        next = spec_next_fd(fd, n, from);
        if (next > from && close_range(from, next - 1, 0) < 0)
            return fail(-errno, "rbd: close_range");
        from = next + 1;
    } while (next != ~0u);
    return spec_null_stdio();
}

/* ---- the start ----------------------------------------------------------- */

/* No bare fork: librados must not find the heap of another program, and no
 * CEPH_ARGS in its environment. */
_Noreturn static void spec_exec(const struct rbd_spec *s, int spec_fd,
                                const char *verb, int stop_fd)
{
    char name[] = "mote", word[16], fd[2][16], *envp[] = {NULL};
    char *argv[] = {name, word, fd[0], fd[1], NULL};
    int pass[SPEC_FDS];

    snprintf(word, sizeof(word), "%s", verb);
    snprintf(fd[0], sizeof(fd[0]), "%d", spec_fd);
    snprintf(fd[1], sizeof(fd[1]), "%d", stop_fd);
    for (unsigned int n = spec_fds(s, spec_fd, stop_fd, pass), i = 0; i < n;
         i++)
        if (pass[i] >= 0)
            fcntl(pass[i], F_SETFD, 0);
    execve("/proc/self/exe", argv, envp);
    fail(-errno, "rbd: cannot start mote %s", verb);
    _exit(STATUS_FAILURE);
}

pid_t spec_start(const struct rbd_spec *s, int spec_fd, const char *verb,
                 int stop_fd)
{
    pid_t pid = fork();

    if (pid == 0)
        spec_exec(s, spec_fd, verb, stop_fd);
    return pid < 0 ? fail(-errno, "rbd: fork") : pid;
}
