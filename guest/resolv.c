/* SPDX-License-Identifier: Apache-2.0 */
/* resolv.c: tell the C library of the command who knows names */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "resolv.h"

#define RESOLV_FILE "/etc/resolv.conf"

/* Of systemd's, it is a link into /run, which nobody has filled. */
static void resolv_make_parents(void)
{
    char target[256];
    ssize_t n = readlink(RESOLV_FILE, target, sizeof(target) - 1);
    char *path = target;

    mkdir("/etc", 0755);
    if (n <= 0)
        return;
    target[n] = '\0';
    while (strncmp(path, "../", 3) == 0)
        path += 2;
    if (strncmp(path, "/run/", 5) != 0)
        return;
    for (char *p = path + 4; p; p = strchr(p + 1, '/')) {
        *p = '\0';
        mkdir(path, 0755);
        *p = '/';
    }
}

void resolv_write(const struct dhcp_lease *lease)
{
    struct stat st;
    int fd;

    if (lease->dns[0] == 0 || (stat(RESOLV_FILE, &st) == 0 && st.st_size > 0))
        return;
    resolv_make_parents();
    fd = open(RESOLV_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return;
    if (lease->domain[0])
        dprintf(fd, "search %s\n", lease->domain);
    for (size_t i = 0; i < DHCP_DNS_MAX && lease->dns[i]; i++)
        dprintf(fd, "nameserver %s\n",
                inet_ntoa((struct in_addr){.s_addr = lease->dns[i]}));
    close(fd);
}
