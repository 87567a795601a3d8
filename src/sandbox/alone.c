/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alone.c: a process that locks itself in, and stays in its network namespace:
 * an RBD worker, which needs it, or a reader of archives, whose filter has no
 * sockets. The layers are the monitor's; without a second process there is no
 * PID namespace, for which the filter makes up: none of its calls takes a
 * process's number but its own.
 */
#include "jail.h"

int sandbox_alone_begin(const struct sandbox_config *c,
                        struct sandbox_report *report)
{
    bool on = c->require != SANDBOX_OFF;
    int r = on ? limits_set(c) : 0;

    *report = (struct sandbox_report){.level = SANDBOX_LEVEL_OFF};
    if (r == 0)
        r = namespaces_drop_user(c, -1);
    if (r == 0 && on)
        namespaces_unshare_alone(report);
    return r;
}

int sandbox_alone_seal(const struct sandbox_config *c, bool connects,
                       struct sandbox_report *report)
{
    bool on = c->require != SANDBOX_OFF;
    int r;

    if (on)
        root_empty(report);
    r = jail_never_optional(report);
    if (r < 0)
        return r;
    if (on)
        landlock_deny(report, connects);
    return jail_judge(c, report);
}
