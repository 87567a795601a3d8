/* SPDX-License-Identifier: Apache-2.0 */
/* host.c: the processor, memory, and the jail */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mote/engine.h"
#include "mote/sandbox.h"

#include "check.h"

/* ---- engine --------------------------------------------------------------
 */

static void host_probe(struct kvm_probe *probe)
{
    struct kvm_file file;

    kvm_open(&file);
    kvm_probe(&file, probe);
    kvm_close(&file);
}

static void host_kvm(struct checking *k, struct kvm_probe *probe)
{
    bool asked = k->c->machine.engine == ENGINE_KVM;

    host_probe(probe);
    if (probe->kind == KVM_NATIVE)
        finding_add(k->f, FINDING_OK, "kvm", "%s", probe->why);
    else if (probe->kind == KVM_SOFTWARE || !asked)
        finding_add(k->f, FINDING_WARN, "kvm", "%s", probe->why);
}

void host_engine(struct checking *k)
{
    const struct machine_config *m = &k->c->machine;
    struct kvm_probe probe = {.kind = KVM_NONE};
    struct engine_choice choice;
    const char *name;
    int r;

    if (m->engine != ENGINE_INTERP)
        host_kvm(k, &probe);
    r = engine_choose(&choice, m->engine, &probe);
    name = choice.kind == ENGINE_KVM ? "kvm" : "interp";
    k->engine = choice.kind;
    if (r < 0)
        finding_add(k->f, FINDING_FAIL, "engine", "%s: %s", name, choice.why);
    else
        finding_add(k->f, FINDING_OK, "engine", "%s, %u vCPU%s%s", name,
                    m->vcpus, m->vcpus > 1 ? "s" : "",
                    m->engine == ENGINE_AUTO ? ", chosen by auto" : "");
}

/* ---- memory --------------------------------------------------------------
 */

/* "MemAvailable:  123 kB" of /proc/meminfo; 0: not known. */
static u64 host_available(void)
{
    char line[128];
    u64 kib = 0;
    FILE *file = fopen("/proc/meminfo", "re");

    if (!file)
        return 0;
    while (kib == 0 && fgets(line, sizeof(line), file))
        if (strncmp(line, "MemAvailable:", 13) == 0)
            kib = strtoull(line + 13, NULL, 10);
    fclose(file);
    return kib * KIB;
}

void host_memory(struct checking *k)
{
    u64 wants = k->c->machine.mem_bytes,
        limit = k->c->sandbox.limits.memory_max;
    u64 has = host_available();
    unsigned long long mib = wants / MIB;

    if (limit && limit <= wants)
        finding_add(k->f, FINDING_WARN, "memory",
                    "sandbox.limits allow %llu MiB, not more than the guest's "
                    "%llu: mote itself needs some 20 MiB, too",
                    (unsigned long long)(limit / MIB), mib);
    if (has && has < wants)
        finding_add(k->f, FINDING_WARN, "memory",
                    "%llu MiB, and the host has %llu MiB left: a guest that "
                    "uses it all may be killed",
                    mib, (unsigned long long)(has / MIB));
    else
        finding_add(k->f, FINDING_OK, "memory", "%llu MiB", mib);
}

/* ---- jail ----------------------------------------------------------------
 */

static void jail_say(struct checking *k, const struct sandbox_report *report)
{
    bool full = k->c->sandbox.require == SANDBOX_FULL;
    char layers[160];

    sandbox_layers(report, layers, sizeof(layers));
    if (report->level == SANDBOX_LEVEL_OFF)
        finding_add(k->f, FINDING_WARN, "sandbox",
                    "off, as asked for: a guest that takes mote over has the "
                    "caller's files and network");
    else if (!report->missing[0])
        finding_add(k->f, FINDING_OK, "sandbox", "%s: %s",
                    sandbox_level_name(report->level), layers);
    else
        finding_add(k->f, full ? FINDING_FAIL : FINDING_WARN, "sandbox",
                    "%s: %s; \"full\" misses: %s",
                    sandbox_level_name(report->level), layers, report->missing);
}

static void jail_cgroup(struct checking *k)
{
    const struct sandbox_config *s = &k->c->sandbox;

    if (!s->cgroup || findings_listen() < 0)
        return;
    sandbox_peek_cgroup(s);
    if (findings_heard(k->f, FINDING_FAIL, "cgroup") == 0)
        finding_add(k->f, FINDING_OK, "cgroup", "%s", s->cgroup);
}

void host_jail(struct checking *k)
{
    struct sandbox_report report;
    int r;

    if (findings_listen() < 0)
        return;
    r = sandbox_preview(&k->c->sandbox, &report);
    findings_heard(k->f, FINDING_FAIL, "sandbox");
    if (r == 0)
        jail_say(k, &report);
    jail_cgroup(k);
}
