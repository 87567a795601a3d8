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

/* These survive the exec. */
static void spec_pass(int fd)
{
    if (fd >= 0)
        fcntl(fd, F_SETFD, 0);
}

static void spec_pass_all(const struct rbd_spec *s)
{
    spec_pass(s->cluster.key_fd);
    spec_pass(s->cluster.conf_fd);
    for (u32 i = 0; i < s->nr_images; i++) {
        spec_pass(s->image[i].ring_fd);
        spec_pass(s->image[i].submit_fd);
        spec_pass(s->image[i].done_fd);
    }
}

/* No bare fork: librados must not find the heap of another program, and no
 * CEPH_ARGS in its environment. */
_Noreturn static void spec_exec(const struct rbd_spec *s, int spec_fd,
                                const char *verb, int stop_fd)
{
    char name[] = "mote", word[16], fd[2][16], *envp[] = {NULL};
    char *argv[] = {name, word, fd[0], fd[1], NULL};

    snprintf(word, sizeof(word), "%s", verb);
    snprintf(fd[0], sizeof(fd[0]), "%d", spec_fd);
    snprintf(fd[1], sizeof(fd[1]), "%d", stop_fd);
    spec_pass(spec_fd);
    spec_pass(stop_fd);
    spec_pass_all(s);
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
