/* SPDX-License-Identifier: Apache-2.0 */
/* owner.c: "host/boot id/pid" */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "owner.h"

#define OWNER_TEXT 64

static void owner_read(const char *path, char buf[static OWNER_TEXT])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, buf, OWNER_TEXT - 1) : 0;

    buf[n > 0 ? n : 0] = '\0';
    buf[strcspn(buf, "\n")] = '\0';
    if (fd >= 0)
        close(fd);
}

static void owner_boot(char buf[static OWNER_TEXT])
{
    owner_read("/proc/sys/kernel/random/boot_id", buf);
}

static void owner_host(char buf[static OWNER_TEXT])
{
    if (gethostname(buf, OWNER_TEXT) < 0)
        buf[0] = '\0';
    buf[OWNER_TEXT - 1] = '\0';
}

void owner_self(char *buf, size_t len)
{
    char host[OWNER_TEXT], boot[OWNER_TEXT];

    owner_host(host);
    owner_boot(boot);
    snprintf(buf, len, "%s/%s/%d", host, boot, (int)getpid());
}

/* "PID (mote-rbd) S ...": one that is dead, but not yet waited for, is Z. */
static bool owner_keeper_runs(const char *pid)
{
    char path[OWNER_TEXT], stat[OWNER_TEXT];
    const char *comm, *end;

    snprintf(path, sizeof(path), "/proc/%ld/stat", strtol(pid, NULL, 10));
    owner_read(path, stat);
    comm = strchr(stat, '(');
    end = strrchr(stat, ')');
    return comm && end &&
           strncmp(comm + 1, OWNER_COMM ")", strlen(OWNER_COMM) + 1) == 0 &&
           strncmp(end, ") Z", 3) != 0;
}

bool owner_is_gone(const char *owner, const char *other_host)
{
    char host[OWNER_TEXT], boot[OWNER_TEXT];
    const char *slash = strchr(owner, '/'), *pid = strrchr(owner, '/');
    size_t host_len = slash ? (size_t)(slash - owner) : 0;
    size_t boot_len;

    if (!slash || pid == slash)
        return false;
    boot_len = (size_t)(pid - slash) - 1;
    owner_host(host);
    owner_boot(boot);
    if (strlen(host) != host_len || strncmp(host, owner, host_len) != 0)
        return other_host && strlen(other_host) == host_len &&
               strncmp(other_host, owner, host_len) == 0;
    if (strlen(boot) != boot_len || strncmp(boot, slash + 1, boot_len) != 0)
        return true;
    return !owner_keeper_runs(pid + 1);
}
