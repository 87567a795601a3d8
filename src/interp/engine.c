/* SPDX-License-Identifier: Apache-2.0 */
/* engine.c: engine "interp": the interpreter behind the contract of engine.h */
#include <stdio.h>
#include <stdlib.h>

#include "mote/log.h"
#include "platform.h"

/* A visit's upper bound; run() goes round until somebody wants it back. */
#define ENGINE_BUDGET (1ull << 40)

/* Of struct engine_stats: nothing but numbers */
#define STATS (sizeof(struct engine_stats) / sizeof(u64))

struct engine_vcpu {
    struct cpu *cpu;
    struct lapic lapic;
    struct engine_interp *engine;
};

struct engine_interp {
    struct engine engine;
    struct engine_env env;
    struct machine machine;
    struct lock settling;      /* the clock, by whoever runs first */
    _Atomic(u64) stats[STATS]; /* vCPUs add, anybody reads */
};

static struct engine_interp *engine_interp(struct engine *e)
{
    return container_of(e, struct engine_interp, engine);
}

/* ---- vCPUs ------------------------------------------------------------- */

static int engine_vcpu_new(struct engine *e, struct engine_vcpu **out,
                           unsigned int id)
{
    struct engine_interp *ei = engine_interp(e);
    const struct interp_env env = {
        .mem = ei->env.mem, .bus = ei->env.bus, .id = id, .cpus = ei->env.cpus};
    struct engine_vcpu *v = calloc(1, sizeof(*v));
    int r;

    if (v == NULL)
        return fail(-ENOMEM, "vCPU %u", id);
    r = interp_new(&v->cpu, &env);
    if (r < 0)
        goto free_vcpu;
    v->engine = ei;
    v->lapic.expires = TIMER_OFF;
    poll_init(&v->lapic.halt, ei->env.poll_ns);
    v->lapic.tsc_offset = 0 - ei->machine.clock.base;
    v->cpu->lapic = &v->lapic;
    v->cpu->machine = &ei->machine;
    lapic_load(v->cpu);
    ei->machine.cpu[id] = v->cpu;
    *out = v;
    return 0;

free_vcpu:
    free(v);
    return r;
}

static void engine_vcpu_free(struct engine_vcpu *v)
{
    if (v == NULL)
        return;
    v->engine->machine.cpu[v->cpu->id] = NULL;
    interp_free(v->cpu);
    free(v);
}

static void engine_filter(const struct engine_vcpu *v, struct filter *out)
{
    *out = (struct filter){.kind = FILTER_VCPU_INTERP};
}

static void engine_kick(struct engine_vcpu *v)
{
    interp_poke(v->cpu);
}

/* ---- run --------------------------------------------------------------- */

static void engine_count(struct engine_vcpu *v)
{
    u64 s[STATS];

    memcpy(s, &v->cpu->stats, sizeof(s));
    for (unsigned int i = 0; i < STATS; i++)
        atomic_fetch_add(&v->engine->stats[i], s[i]);
    v->cpu->stats = (struct engine_stats){0};
}

/* A gap of ours: the guest gets #UD, as from KVM at CPL 3, and lives. */
static void engine_unknown(struct engine_vcpu *v, const struct interp_run *run)
{
    struct cpu *c = v->cpu;
    char hex[sizeof(run->insn) * 3 + 1] = "";
    int at = 0;

    for (u8 i = 0; i < run->insn_len && i < sizeof(run->insn); i++)
        at +=
            snprintf(hex + at, sizeof(hex) - (size_t)at, " %02x", run->insn[i]);
    warn_guest("cpu%u: no such instruction here:%s at rip %#llx, CPL %u; "
               "answered with #UD",
               c->id, hex, (unsigned long long)c->s.rip, c->cpl);
    c->s.event.exc_valid = 1;
    c->s.event.exc_vector = EXC_UD;
    c->s.event.exc_has_error = 0;
    c->s.event.exc_soft = 0;
    interp_state_changed(c);
}

/* True: x says what happened. */
static bool engine_stopped(struct engine_vcpu *v, enum interp_stop stop,
                           const struct interp_run *run, struct vcpu_exit *x)
{
    switch (stop) {
    case INTERP_EVENT:
        x->reason = VCPU_KICKED;
        return true;
    case INTERP_SHUTDOWN:
        x->reason = VCPU_SHUTDOWN;
        snprintf(x->text, sizeof(x->text), "triple fault of cpu%u at rip %#llx",
                 v->cpu->id, (unsigned long long)v->cpu->s.rip);
        return true;
    case INTERP_UNKNOWN:
        engine_unknown(v, run);
        return false;
    case INTERP_BUDGET:
        return false;
    default: /* BOUNDARY and HALT come only with flags not given here */
        x->reason = VCPU_FAILED;
        snprintf(x->text, sizeof(x->text), "interpreter stopped: %d",
                 (int)stop);
        return true;
    }
}

static void engine_settle(struct engine_interp *ei)
{
    lock_take(&ei->settling);
    clock_settle(&ei->machine.clock);
    lock_drop(&ei->settling);
}

VCPU_ONLY static void engine_run(struct engine_vcpu *v, struct vcpu_exit *x)
{
    struct interp_run run;
    enum interp_stop stop;

    role_assert(ROLE_VCPU);
    *x = (struct vcpu_exit){0};
    engine_settle(v->engine);
    do {
        run = (struct interp_run){.budget = ENGINE_BUDGET};
        stop = interp_run(v->cpu, &run);
        engine_count(v);
    } while (!engine_stopped(v, stop, &run, x));
}

/* ---- state ------------------------------------------------------------- */

/* Where each part is: struct cpu_state has them one after the other. */
static const struct engine_part {
    u32 part, from, to; /* enum cpu_part; offsets */
} engine_parts[] = {
#define AT(field) offsetof(struct cpu_state, field)
    {CPU_REGS, AT(gpr), AT(seg)},
    {CPU_SREGS, AT(seg), AT(dr)},
    {CPU_DEBUG, AT(dr), AT(msr)},
    {CPU_MSRS, AT(msr), AT(mp_state)},
    {CPU_EVENTS, AT(mp_state), AT(xcr0)},
    {CPU_XSAVE, AT(xcr0), AT(xsave)},
    {CPU_FPU, AT(xsave), AT(xsave) + 512},
    {CPU_XSAVE, AT(xsave) + 512, AT(lapic)},
    {CPU_LAPIC, AT(lapic), sizeof(struct cpu_state)},
#undef AT
};

static void engine_copy(struct cpu_state *to, const struct cpu_state *s,
                        u32 parts)
{
    for (size_t i = 0; i < ARRAY_SIZE(engine_parts); i++) {
        const struct engine_part *p = &engine_parts[i];

        if (parts & p->part)
            memcpy((u8 *)to + p->from, (const u8 *)s + p->from,
                   p->to - p->from);
    }
}

static int engine_get_state(struct engine_vcpu *v, struct cpu_state *s,
                            u32 parts)
{
    struct cpu_state *from = interp_state(v->cpu);

    lapic_save(v->cpu);
    from->msr.tsc = time_tsc(v->cpu);
    engine_copy(s, from, parts);
    return 0;
}

/* TSC before LAPIC: its deadline counts in the one and arms the other. A TSC of
 * 0, as at reset, stays what all vCPUs have: the machine's age. */
static int engine_set_state(struct engine_vcpu *v, const struct cpu_state *s,
                            u32 parts)
{
    struct cpu *c = v->cpu;

    engine_settle(v->engine);
    alone_enter(c);
    lapic_save(c);
    engine_copy(interp_state(c), s, parts);
    if ((parts & (CPU_SREGS | CPU_LAPIC)) == CPU_SREGS)
        lapic_tpr_set(c, (u8)s->cr8);
    if (parts & CPU_MSRS && s->msr.tsc != 0)
        time_tsc_set(c, s->msr.tsc);
    if (parts & CPU_LAPIC)
        lapic_load(c);
    interp_state_changed(c);
    alone_leave(c);
    return 0;
}

/* ---- the machine ------------------------------------------------------- */

static int engine_irq_connect(struct engine *e, struct irq *irq, u32 gsi)
{
    if (gsi >= IOAPIC_PINS)
        return fail_rule(-EINVAL, "interrupt line %u: the IOAPIC has %u", gsi,
                         IOAPIC_PINS);
    *irq = (struct irq){.ops = &ioapic_irq_ops,
                        .ctx = &engine_interp(e)->machine,
                        .gsi = gsi,
                        .fd = -1};
    return 0;
}

static void engine_stats(struct engine *e, struct engine_stats *out)
{
    u64 s[STATS] = {0};

    for (unsigned int i = 0; i < STATS; i++)
        s[i] = atomic_load(&engine_interp(e)->stats[i]);
    memcpy(out, s, sizeof(s));
}

static void engine_free(struct engine *e)
{
    if (e == NULL)
        return;
    engine_interp(e)->env.mem->written = NULL;
    lock_fini(&engine_interp(e)->settling);
    free(engine_interp(e));
}

/* Every vCPU decodes for itself, so each looks whether it has such code. */
static void engine_code_written(void *ctx, u64 gpa, u64 len)
{
    struct machine *m = ctx;

    for (unsigned int i = 0; i < m->nr_cpus; i++) {
        if (m->cpu[i] != NULL)
            code_written(m->cpu[i], gpa, len);
    }
}

static const struct engine_ops engine_interp_ops = {
    .name = "interp",
    .vcpu_new = engine_vcpu_new,
    .vcpu_free = engine_vcpu_free,
    .filter = engine_filter,
    .run = engine_run,
    .kick = engine_kick,
    .get_state = engine_get_state,
    .set_state = engine_set_state,
    .irq_connect = engine_irq_connect,
    .stats = engine_stats,
    .free = engine_free,
};

int engine_interp_new(struct engine **out, const struct engine_env *env)
{
    struct engine_interp *ei = calloc(1, sizeof(*ei));
    int r;

    if (ei == NULL)
        return fail(-ENOMEM, "interpreter");
    ei->engine.ops = &engine_interp_ops;
    ei->env = *env;
    ei->machine.nr_cpus = env->cpus;
    lock_init(&ei->settling);
    clock_init(&ei->machine.clock);
    ioapic_init(&ei->machine.ioapic);
    r = bus_add(env->bus, BUS_MMIO, IOAPIC_BASE, IOAPIC_LEN, "ioapic",
                &ioapic_bus_ops, &ei->machine);
    if (r < 0)
        goto free_engine;
    env->mem->written = engine_code_written;
    env->mem->written_ctx = &ei->machine;
    *out = &ei->engine;
    return 0;

free_engine:
    lock_fini(&ei->settling);
    free(ei);
    return r;
}
