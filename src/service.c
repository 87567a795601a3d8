/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service.c: a visit of the interpreter. KVM's state in, as many instructions
 * as pay, state out. A vCPU that comes straight back gets longer visits, up to
 * a bound; one that KVM runs well leaves after one instruction.
 */
#include <stdio.h>

#include "mote/clock.h"
#include "mote/log.h"
#include "service.h"

#define SERVICE_SECOND   1000000000ull
#define SERVICE_PENALTY  1023u
#define SERVICE_PATIENCE 8u

/* With every visit; the rest when an instruction asks for it. */
#define SERVICE_PARTS (CPU_REGS | CPU_SREGS | CPU_EVENTS | CPU_DEBUG)

#define EXC_UD 6

/* ---- back-off --------------------------------------------------------- */

/*
 * Progress is measured in time, not in exits: "straight back" is less than
 * eight times the cost of a visit. Then the next is twice as long. Where only
 * the refused instruction is cheap, short visits are not worth trying: after a
 * few of one instruction come thousands.
 */
u64 service_budget(struct service_backoff *b, u64 now_ns)
{
    bool near = b->cost_ns && now_ns - b->back_ns < 8 * b->cost_ns;

    b->hold -= b->hold > 0;
    b->near = near && !b->hold ? b->near + 1 : 0;
    if (b->shadow)
        b->len = b->near < SERVICE_PATIENCE
                     ? 1
                     : 1ull << MIN(b->near + 4, SERVICE_BITS_SHADOW);
    else
        b->len = 1ull << MIN(b->near, SERVICE_BITS);
    return b->len;
}

/*
 * What KVM would have run meanwhile is not known. A visit that could not use
 * its budget and took longer than a microsecond for each instruction was a
 * mistake: stay at one for a while, and for twice as long the next time.
 */
void service_spent(struct service_backoff *b, u64 start_ns, u64 end_ns,
                   u64 done)
{
    u64 cost = end_ns - start_ns;

    b->cost_ns = b->cost_ns ? (7 * b->cost_ns + cost) / 8 : cost;
    b->back_ns = end_ns;
    if (b->len <= 16)
        return;
    if (done < b->len && cost > done * 1000) {
        b->penalty = MIN(2 * b->penalty + 1, SERVICE_PENALTY);
        b->hold = b->penalty;
    } else {
        b->penalty /= 2;
    }
}

/* ---- which instructions ----------------------------------------------- */

#define SERVICE_OTHERS "others"

static void service_note(struct service *s, const struct vcpu_exit *x)
{
    const char *name = interp_mnemonic(x->insn, x->insn_len);
    struct service_opcode *o = s->opcode;

    if (!name)
        name = SERVICE_OTHERS;
    while (o < &s->opcode[SERVICE_OPCODES - 1] && o->name &&
           strcmp(o->name, name) != 0)
        o++;
    o->name = o == &s->opcode[SERVICE_OPCODES - 1] ? SERVICE_OTHERS : name;
    o->count++;
}

/* The most frequent of those with fewer than below; NULL: no more. */
static const struct service_opcode *service_next(const struct service *s,
                                                 u64 seen)
{
    const struct service_opcode *best = NULL;

    for (unsigned int i = 0; i < SERVICE_OPCODES; i++) {
        const struct service_opcode *o = &s->opcode[i];

        if (o->count && !(seen >> i & 1) && (!best || o->count > best->count))
            best = o;
    }
    return best;
}

void service_why(const struct service *s, char *buf, size_t len)
{
    const struct service_opcode *o;
    size_t used = 0;
    u64 seen = 0;

    _Static_assert(SERVICE_OPCODES <= 64, "seen is a bitmap");
    buf[0] = '\0';
    while ((o = service_next(s, seen)) != NULL) {
        char item[56];
        int n = snprintf(item, sizeof(item), "%s%s %llu", used ? ", " : "",
                         o->name, (unsigned long long)o->count);

        seen |= 1ull << (o - s->opcode);
        if (used + (size_t)n >= len)
            return;
        memcpy(buf + used, item, (size_t)n + 1);
        used += (size_t)n;
    }
}

/* ---- a visit ---------------------------------------------------------- */

static int service_fetch(void *ctx, u32 parts)
{
    struct service *s = ctx;

    return s->engine->ops->get_state(s->vcpu, interp_state(s->cpu), parts);
}

VCPU_ONLY static enum interp_stop service_run(struct service *s,
                                              struct interp_run *run)
{
    *run = (struct interp_run){
        .budget = run->budget,
        .flags = INTERP_NO_WAIT,
        .fetch = service_fetch,
        .ctx = s,
    };
    return interp_run(s->cpu, run);
}

/* Neither engine can: the guest gets what a processor without that
 * instruction gives. The interpreter delivers it, since a KVM that refuses
 * instructions may refuse this too. */
VCPU_ONLY static enum interp_stop service_undefined(struct service *s,
                                                    struct interp_run *run)
{
    struct cpu_state *st = interp_state(s->cpu);
    enum interp_stop stop;
    char bytes[48] = "";

    for (unsigned int i = 0; i < run->insn_len; i++)
        snprintf(bytes + 3 * i, sizeof(bytes) - 3 * i, " %02x", run->insn[i]);
    warn_guest("vcpu%u: no engine can run the instruction at %#llx (CPL %u):%s",
               s->id, (unsigned long long)st->rip, st->seg[SEG_SS].dpl, bytes);
    s->stats.unknown++;
    st->event.exc_valid = 1;
    st->event.exc_vector = EXC_UD;
    st->event.exc_has_error = 0;
    st->event.exc_soft = 0;
    interp_state_changed(s->cpu);
    run->budget = 1;
    stop = service_run(s, run);
    run->dirty |= CPU_REGS | CPU_SREGS | CPU_EVENTS;
    return stop;
}

/* More than half of a second in here is a guest that the interpreter alone
 * would run faster. */
static void service_account(struct service *s, u64 start, u64 end)
{
    if (start - s->window_ns > SERVICE_SECOND) {
        s->window_ns = start;
        s->busy_ns = 0;
    }
    s->busy_ns += end - start;
    if (s->warned || s->busy_ns < SERVICE_SECOND / 2)
        return;
    s->warned = true;
    log_warn("vcpu%u: more than half of the last second went into %llu "
             "instructions that this host's KVM cannot run; --engine interp "
             "will be faster",
             s->id, (unsigned long long)s->stats.visits);
}

static int service_take(struct service *s)
{
    int r =
        s->engine->ops->get_state(s->vcpu, interp_state(s->cpu), SERVICE_PARTS);

    if (r == 0)
        interp_state_changed(s->cpu);
    return r;
}

/* KVM's shadow page tables only have to go when there was more than the one
 * instruction that KVM refused: that one writes no page tables. */
static int service_give(struct service *s, const struct interp_run *run)
{
    const struct engine_ops *ops = s->engine->ops;
    int r = 0;

    if (run->dirty)
        r = ops->set_state(s->vcpu, interp_state(s->cpu), run->dirty);
    if (r < 0 || !run->wrote_k || run->done < 2 || !ops->page_tables_written)
        return r;
    r = ops->page_tables_written(s->engine);
    if (r > 0)
        s->backoff.shadow = true;
    return MIN(r, 0);
}

VCPU_ONLY enum service_end service_visit(struct service *s,
                                         const struct vcpu_exit *x)
{
    u64 start = monotonic_ns(), end;
    struct interp_run run = {
        .budget = service_budget(&s->backoff, start),
    };
    enum interp_stop stop;

    service_note(s, x);
    if (service_take(s) < 0)
        return SERVICE_FAILED;
    stop = service_run(s, &run);
    /* The first instruction is the one that KVM has refused already. */
    if (run.done == 0 && (stop == INTERP_UNKNOWN || stop == INTERP_BOUNDARY))
        stop = service_undefined(s, &run);
    if (service_give(s, &run) < 0)
        return SERVICE_FAILED;
    end = monotonic_ns();
    service_spent(&s->backoff, start, end, run.done);
    s->stats.visits++;
    s->stats.emulated += run.done;
    service_account(s, start, end);
    return stop == INTERP_SHUTDOWN ? SERVICE_SHUTDOWN : SERVICE_BACK;
}

void service_poke(struct service *s)
{
    if (s->cpu)
        interp_poke(s->cpu);
}

int service_init(struct service *s, const struct vcpu_env *env,
                 struct engine_vcpu *vcpu, unsigned int id)
{
    struct interp_env ie = {
        .mem = env->env.mem,
        .bus = env->env.bus,
        .id = id,
        .cpus = env->env.cpus,
        .service = true,
    };

    *s = (struct service){.engine = env->engine, .vcpu = vcpu, .id = id};
    return interp_new(&s->cpu, &ie);
}

void service_fini(struct service *s)
{
    if (s->cpu)
        interp_free(s->cpu);
    s->cpu = NULL;
}
