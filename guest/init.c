/* SPDX-License-Identifier: Apache-2.0 */
/* init.c: PID 1 of a guest that runs one command: its steps, in order */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mote/guest.h"

#include "command.h"
#include "end.h"
#include "modules.h"
#include "mounts.h"
#include "net.h"
#include "orders.h"
#include "ports.h"
#include "root.h"
#include "say.h"
#include "serve.h"
#include "text.h"
#include "user.h"

/* The host hears which step failed; on the console it says why. */
static _Noreturn void init_lost(const struct ports *p, enum guest_step step,
                                int err, u32 detail)
{
    ports_tell(p, GUEST_SETUP_LOST, step, (u32)abs(err), detail);
    end_machine(p);
}

/* The first descriptors are not for pipes and ports, even if the kernel found
 * no console. */
static void init_fill_descriptors(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

static void init_block_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

/* 0 or a negative errno, said. */
static int init_read_orders(struct orders *o)
{
    static char text[ORDERS_MAX]; /* only what is read takes memory */
    int fd = open(GUEST_ORDERS, O_RDONLY | O_CLOEXEC);
    const char *bad = NULL;
    size_t len = 0;
    ssize_t n = -1;
    int r;

    if (fd < 0)
        return say_error(errno, "file", GUEST_ORDERS);
    while (len < ORDERS_MAX && (n = read(fd, text + len, ORDERS_MAX - len)) > 0)
        len += (size_t)n;
    close(fd);
    r = n == 0 ? orders_parse(o, text, len, &bad) : -EINVAL;
    if (r < 0)
        say("%s: %s", GUEST_ORDERS, bad ? bad : "not whole, or no command");
    return r;
}

static unsigned int init_needed_ports(const struct orders *o)
{
    unsigned int set = 1u << PORT_CONTROL | 1u << PORT_OUT;

    if (!o->tty)
        set |= 1u << PORT_ERR;
    if (o->input)
        set |= 1u << PORT_IN;
    return set;
}

/* Until the command's root is there as it expects it. */
static void init_set_up(struct orders *o, struct ports *p)
{
    u32 module = 0;
    int orders = init_read_orders(o);
    int modules = modules_load(&module);
    int ports =
        ports_open(p, orders < 0 ? 1u << PORT_CONTROL : init_needed_ports(o));

    if (orders < 0)
        init_lost(p, GUEST_STEP_ORDERS, orders, 0);
    if (modules < 0)
        init_lost(p, GUEST_STEP_MODULES, modules, module);
    if (ports < 0)
        init_lost(p, GUEST_STEP_PORTS, ports, 0);
    ports_tell(p, GUEST_READY, 0, 0, 0);
}

static void init_find_user(struct orders *o, const struct ports *p)
{
    static char passwd[USER_FILES], group[USER_FILES];
    enum guest_step lost;

    text_read("/etc/passwd", passwd, sizeof(passwd));
    text_read("/etc/group", group, sizeof(group));
    lost = user_find(&o->who, o->user, passwd, group);
    if (lost)
        init_lost(p, lost, ENOENT, 0);
}

static void init_make_home(struct orders *o, const struct ports *p)
{
    int r = root_enter(o);

    if (r < 0)
        init_lost(p, GUEST_STEP_ROOT, r, 0);
    init_find_user(o, p);
    r = mounts_rest();
    if (r < 0)
        init_lost(p, GUEST_STEP_MOUNTS, r, 0);
    net_loopback();
    r = o->dhcp ? net_dhcp() : 0;
    if (r < 0)
        init_lost(p, GUEST_STEP_NET, r, 0);
    if (o->hostname)
        sethostname(o->hostname, strlen(o->hostname));
}

static u32 init_ms(struct timeval t)
{
    return (u32)(t.tv_sec * 1000 + t.tv_usec / 1000);
}

static void init_tell_end(const struct ports *p, const struct command *c)
{
    u32 user = init_ms(c->usage.ru_utime), system = init_ms(c->usage.ru_stime);

    if (WIFSIGNALED(c->status))
        ports_tell(p, GUEST_SIGNALED, (u32)WTERMSIG(c->status), user, system);
    else
        ports_tell(p, GUEST_EXITED, (u32)WEXITSTATUS(c->status), user, system);
}

static void init_run(const struct orders *o, struct ports *p)
{
    struct guest_message why;
    struct command c;

    if (!command_start(&c, o, &why)) {
        ports_tell(p, why.type, why.a, why.b, why.c);
        return;
    }
    ports_tell(p, GUEST_STARTED, 0, 0, 0);
    if (!serve(p, &c))
        say("the host has closed its end");
    end_processes();
    init_tell_end(p, &c);
}

int main(void)
{
    static struct orders orders;
    static struct ports ports;
    int r = mounts_first();

    init_fill_descriptors();
    init_block_signals();
    end_prepare();
    for (enum port i = 0; i < PORT_COUNT; i++)
        ports.fd[i] = -1;
    if (r < 0)
        end_machine(&ports);
    init_set_up(&orders, &ports);
    init_make_home(&orders, &ports);
    init_run(&orders, &ports);
    end_machine(&ports);
}
