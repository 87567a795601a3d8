/* SPDX-License-Identifier: Apache-2.0 */
/* tap_peek.c: an interface is looked at; to attach to it would be news to the
 * host's network */
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mote/nic.h"
#include "mote/sandbox.h"

#define PEEK_TUN  "/dev/net/tun"
#define PEEK_NONE (-1) /* an owner that is not set */

struct peek {
    const char *name;
    int index; /* -1: no such interface */
    bool running;
    bool known; /* /sys shows it: owner, group and flags are its */
    long owner, group, flags;
    char *text;
    size_t len;
};

static bool peek_may_admin(void)
{
    u64 caps[SANDBOX_CAP_SETS];

    sandbox_caps(caps);
    return caps[0] & (1ull << CAP_NET_ADMIN);
}

/* Asked of a socket: it is in our network namespace. */
static void peek_ask(struct peek *p)
{
    struct ifreq ifr = {0};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    p->index = -1;
    if (fd < 0)
        return;
    snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", p->name);
    if (ioctl(fd, SIOCGIFINDEX, &ifr) == 0)
        p->index = ifr.ifr_ifindex;
    if (p->index >= 0 && ioctl(fd, SIOCGIFFLAGS, &ifr) == 0)
        p->running =
            (ifr.ifr_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING);
    close(fd);
}

/* A number of /sys/class/net/NAME, or none. */
static bool peek_sys(const struct peek *p, const char *file, long *value)
{
    char path[80], text[32];
    ssize_t n;
    int fd;

    snprintf(path, sizeof(path), "/sys/class/net/%.20s/%s", p->name, file);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    *value = strtol(text, NULL, 0);
    return true;
}

/* A mounted /sys may show another network namespace: another number. */
static void peek_read(struct peek *p)
{
    long index;

    p->owner = p->group = PEEK_NONE;
    p->known = peek_sys(p, "ifindex", &index) && index == p->index &&
               peek_sys(p, "tun_flags", &p->flags);
    if (!p->known)
        return;
    peek_sys(p, "owner", &p->owner);
    peek_sys(p, "group", &p->group);
}

static bool peek_in_group(gid_t gid)
{
    gid_t list[256];
    int n = getgroups(ARRAY_SIZE(list), list);

    for (int i = 0; i < n; i++)
        if (list[i] == gid)
            return true;
    return gid == getegid();
}

/* The kernel's rule, tun_not_capable(): whoever is named must be us. */
static bool peek_may_attach(const struct peek *p)
{
    if (p->owner != PEEK_NONE && (uid_t)p->owner != geteuid())
        return false;
    return p->group == PEEK_NONE || peek_in_group((gid_t)p->group);
}

static int peek_say(const struct peek *p, int r, const char *text)
{
    snprintf(p->text, p->len, "%s", text);
    return r;
}

static int peek_absent(const struct peek *p)
{
    if (peek_may_admin())
        return peek_say(p, 0, "will be made at the start, and is down then");
    snprintf(p->text, p->len,
             "no such interface, and no right to make one; as root: ip tuntap "
             "add dev %s mode tap user $USER",
             p->name);
    return -ENODEV;
}

static int peek_foreign(const struct peek *p)
{
    snprintf(p->text, p->len,
             "belongs to uid %ld, gid %ld, not to uid %u; make it anew, as "
             "root: ip tuntap add dev %s mode tap user $USER",
             p->owner, p->group, geteuid(), p->name);
    return -EPERM;
}

static int peek_present(const struct peek *p, unsigned int pairs)
{
    bool multi = p->flags & IFF_MULTI_QUEUE;

    if (p->known && !(p->flags & IFF_TAP))
        return peek_say(p, -EINVAL, "not a tap interface");
    if (p->known && !peek_may_attach(p) && !peek_may_admin())
        return peek_foreign(p);
    if (p->known && pairs > 1 && !multi)
        return peek_say(p, -EINVAL,
                        "not a tap of several queues; ip tuntap add ... "
                        "multi_queue makes one");
    if (p->running && !multi)
        return peek_say(p, -EBUSY, "another process has it");
    return peek_say(p, 0,
                    p->known ? "there, and ours to use"
                             : "there; whose it is cannot be told");
}

static int peek_name(struct peek *p, unsigned int pairs)
{
    if (faccessat(AT_FDCWD, PEEK_TUN, R_OK | W_OK, AT_EACCESS) < 0) {
        snprintf(p->text, p->len, PEEK_TUN ": %s (%s)%s",
                 strerrordesc_np(errno), strerrorname_np(errno),
                 errno == ENOENT ? "; modprobe tun, as root" : "");
        return -errno;
    }
    peek_ask(p);
    if (p->index < 0)
        return peek_absent(p);
    peek_read(p);
    return peek_present(p, pairs);
}

/* A descriptor that was inherited knows what it is attached to. */
static int peek_fd(const struct peek *p, int fd)
{
    struct ifreq ifr = {0};

    if (ioctl(fd, TUNGETIFF, &ifr) < 0)
        return peek_say(p, -EINVAL, "the descriptor is not an attached tap");
    snprintf(p->text, p->len, "attached to %s", ifr.ifr_name);
    return 0;
}

int tap_peek(const struct tap_options *opt, char *text, size_t len)
{
    struct peek p = {.name = opt->name, .text = text, .len = len};

    if (!opt->name)
        return peek_fd(&p, opt->fd);
    if (opt->name[0] != '/')
        return peek_name(&p, opt->pairs);
    if (faccessat(AT_FDCWD, opt->name, R_OK | W_OK, AT_EACCESS) == 0)
        return peek_say(&p, 0, "there");
    return peek_say(&p, -errno, strerrordesc_np(errno));
}
