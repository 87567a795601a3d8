/* SPDX-License-Identifier: Apache-2.0 */
/* report.c: what the jail is, in one line */
#include <sched.h>
#include <stdio.h>

#include "mote/log.h"
#include "mote/record.h"

#include "jail.h"

const char *sandbox_level_name(enum sandbox_level level)
{
    static const char *const names[] = {
        [SANDBOX_LEVEL_FULL] = "full",
        [SANDBOX_LEVEL_SHAREDNET] = "full-sharednet",
        [SANDBOX_LEVEL_LITE] = "lite",
        [SANDBOX_LEVEL_BARE] = "bare",
        [SANDBOX_LEVEL_OFF] = "off",
    };

    return names[level];
}

const char *sandbox_namespace(const struct sandbox_report *report,
                              unsigned int i)
{
    static const struct {
        u32 bit;
        const char *name;
    } table[] = {
        {CLONE_NEWUSER, "user"}, {CLONE_NEWNS, "mount"},
        {CLONE_NEWPID, "pid"},   {CLONE_NEWIPC, "ipc"},
        {CLONE_NEWUTS, "uts"},   {CLONE_NEWCGROUP, "cgroup"},
        {CLONE_NEWNET, "net"},
    };

    for (size_t j = 0; j < ARRAY_SIZE(table); j++)
        if ((report->namespaces & table[j].bit) && i-- == 0)
            return table[j].name;
    return NULL;
}

void sandbox_layers(const struct sandbox_report *report, char *buf, size_t len)
{
    size_t n = 0;

    buf[0] = '\0';
    for (unsigned int i = 0; sandbox_namespace(report, i); i++)
        n += (size_t)snprintf(buf + n, len - n, "%s%s", i ? "+" : "",
                              sandbox_namespace(report, i));
    if (n)
        n += (size_t)snprintf(buf + n, len - n, " namespaces, ");
    if (report->empty_root)
        n += (size_t)snprintf(buf + n, len - n, "empty root, ");
    if (report->landlock)
        n += (size_t)snprintf(buf + n, len - n, "Landlock %d, ",
                              report->landlock);
    snprintf(buf + n, len - n, "no capabilities%s",
             report->mdwe ? ", MDWE" : "");
}

static void report_record(const struct sandbox_report *report)
{
    char name[20];

    record_level(sandbox_level_name(report->level), report->missing);
    for (unsigned int i = 0; sandbox_namespace(report, i); i++) {
        snprintf(name, sizeof(name), "%s-namespace",
                 sandbox_namespace(report, i));
        record_layer(name);
    }
    if (report->empty_root)
        record_layer("empty-root");
    if (report->landlock)
        record_layer("landlock");
    if (report->mdwe)
        record_layer("mdwe");
    record_layer("no-capabilities");
    record_layer("no-new-privs");
    record_layer("seccomp");
}

void sandbox_say(const struct sandbox_report *report)
{
    char layers[160];

    report_record(report);
    sandbox_layers(report, layers, sizeof(layers));
    if (report->level == SANDBOX_LEVEL_OFF)
        log_warn("isolation: OFF by --sandbox or sandbox.require: a guest that "
                 "takes mote over has the caller's files and network, %s",
                 layers);
    else if (report->missing[0])
        log_warn("isolation: %s, %s; missing: %s",
                 sandbox_level_name(report->level), layers, report->missing);
    else
        log_info("isolation: %s, %s", sandbox_level_name(report->level),
                 layers);
}
