/* SPDX-License-Identifier: Apache-2.0 */
/* ports.c: find the console's ports by their names, wait for the host */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "ports.h"
#include "say.h"
#include "wait.h"

#define PORTS_CLASS    "/sys/class/virtio-ports"
#define PORTS_NAME_MAX 64

static const char *const ports_name[PORT_COUNT] = {
    [PORT_CONTROL] = GUEST_PORT_CONTROL,
    [PORT_IN] = GUEST_PORT_IN,
    [PORT_OUT] = GUEST_PORT_OUT,
    [PORT_ERR] = GUEST_PORT_ERR,
};

/* The name that the host gave to the device "vportNpM"; empty: none yet. */
static void ports_read_name(const char *device, char name[PORTS_NAME_MAX])
{
    char path[256 + sizeof(PORTS_CLASS) + 8];
    ssize_t n = 0;
    int fd;

    snprintf(path, sizeof(path), PORTS_CLASS "/%s/name", device);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        n = read(fd, name, PORTS_NAME_MAX - 1);
        close(fd);
    }
    name[n > 0 ? n : 0] = '\0';
    name[strcspn(name, "\n")] = '\0';
}

/* As open(); ENOENT is "not yet". */
static int ports_open_device(const char *device)
{
    char path[256 + 8];

    snprintf(path, sizeof(path), "/dev/%s", device);
    return open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
}

/* Opens those of the set that have come. 0 or a negative errno, said. */
static int ports_look(struct ports *p, unsigned int set)
{
    DIR *dir = opendir(PORTS_CLASS);
    const struct dirent *e;
    int r = 0;

    while (dir && r == 0 && (e = readdir(dir))) {
        char name[PORTS_NAME_MAX];

        ports_read_name(e->d_name, name);
        for (unsigned int i = 0; i < PORT_COUNT; i++) {
            if (!(set & 1u << i) || p->fd[i] >= 0 ||
                strcmp(name, ports_name[i]) != 0)
                continue;
            p->fd[i] = ports_open_device(e->d_name);
            if (p->fd[i] < 0 && errno != ENOENT)
                r = say_error(errno, "port", name);
        }
    }
    if (dir)
        closedir(dir);
    return r;
}

/* The first of the set that is not open, or whose host's end is not. */
static enum port ports_lacking(const struct ports *p, unsigned int set)
{
    for (enum port i = 0; i < PORT_COUNT; i++) {
        if (!(set & 1u << i))
            continue;
        if (p->fd[i] < 0 || (i != PORT_IN && ports_host_gone(p->fd[i])))
            return i;
    }
    return PORT_COUNT;
}

#define PORTS_NO_DRIVER                                                        \
    ", neither built into this kernel nor among the modules found for it"

/* Without these no port ever comes. They register at once. */
static int ports_check_drivers(void)
{
    if (access("/sys/bus/platform/drivers/virtio-mmio", F_OK) < 0)
        return say_error(ENODEV, "driver", "virtio_mmio" PORTS_NO_DRIVER);
    if (access("/sys/bus/virtio/drivers/virtio_console", F_OK) < 0)
        return say_error(ENODEV, "driver", "virtio_console" PORTS_NO_DRIVER);
    return 0;
}

int ports_open(struct ports *p, unsigned int set)
{
    u64 since = wait_now_ms();
    int r = ports_check_drivers();

    if (r < 0)
        return r;

    for (enum port i = 0; i < PORT_COUNT; i++)
        p->fd[i] = -1;
    do {
        enum port lacking;

        r = ports_look(p, set);
        lacking = ports_lacking(p, set);
        if (r < 0 || lacking == PORT_COUNT)
            return r;
        if (!wait_a_little(since, since + WAIT_HOST_MS))
            return say_error(ETIMEDOUT, "port", ports_name[lacking]);
    } while (true);
}

bool ports_host_gone(int fd)
{
    struct pollfd look = {.fd = fd};

    return poll(&look, 1, 0) > 0 && look.revents & POLLHUP;
}

void ports_tell(const struct ports *p, enum guest_to_host type, u32 a, u32 b,
                u32 c)
{
    const struct guest_message m = {.type = type, .a = a, .b = b, .c = c};
    struct pollfd room = {.fd = p->fd[PORT_CONTROL], .events = POLLOUT};

    while (write(room.fd, &m, sizeof(m)) < 0) {
        if (errno != EAGAIN || poll(&room, 1, WAIT_HOST_MS) <= 0 ||
            room.revents & POLLHUP)
            return;
    }
}
