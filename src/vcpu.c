/* SPDX-License-Identifier: Apache-2.0 */
/* vcpu.c: a vCPU's thread: runs the engine, asks the service for what the
 * engine refuses, reports the end of the guest. */
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "mote/log.h"
#include "service.h"

struct vcpu {
    struct vcpu_env env;
    unsigned int id;
    struct engine_vcpu *ev;
    struct thread thread;
    sem_t gate;                   /* posted by vcpu_go() and vcpu_stop() */
    const struct cpu_state *boot; /* before the gate: main's */
    _Atomic(bool) stop;           /* vcpu_stop() sets, the thread reads */
    struct service service;
};

/* ---- ends ------------------------------------------------------------- */

static void vcpu_end(struct vcpu *v, const char *what,
                     const struct vcpu_exit *x, enum power_reason reason)
{
    static const u32 parts = CPU_REGS | CPU_SREGS | CPU_EVENTS;
    struct cpu_state s;

    if (v->env.engine->ops->get_state(v->ev, &s, parts) == 0)
        vcpu_report(&v->env, v->id, what, &s, x->insn, x->insn_len);
    else
        log_error("vcpu%u: %s; its registers cannot be read", v->id, what);
    atomic_store(&v->stop, true);
    power_end(v->env.power, reason, v->id);
}

VCPU_ONLY static void vcpu_emulate(struct vcpu *v, const struct vcpu_exit *x)
{
    if (!v->service.cpu) {
        vcpu_end(v, "the engine refuses an instruction", x, POWER_ENGINE_ERROR);
        return;
    }
    switch (service_visit(&v->service, x)) {
    case SERVICE_BACK:
        return;
    case SERVICE_SHUTDOWN:
        vcpu_end(v, "triple fault", x, POWER_TRIPLE_FAULT);
        return;
    case SERVICE_FAILED:
        vcpu_end(v, "no way back from the interpreter", x, POWER_ENGINE_ERROR);
        return;
    }
}

static const char *vcpu_text(const struct vcpu_exit *x, const char *otherwise)
{
    return x->text[0] ? x->text : otherwise;
}

VCPU_ONLY static void vcpu_exit(struct vcpu *v, const struct vcpu_exit *x)
{
    switch (x->reason) {
    case VCPU_KICKED:
        return;
    case VCPU_EMULATE:
        vcpu_emulate(v, x);
        return;
    case VCPU_SHUTDOWN:
        vcpu_end(v, vcpu_text(x, "triple fault"), x, POWER_TRIPLE_FAULT);
        return;
    case VCPU_FAILED:
        vcpu_end(v, vcpu_text(x, "the engine failed"), x, POWER_ENGINE_ERROR);
        return;
    }
}

/* The engine has reported what is wrong. */
static void vcpu_boot(struct vcpu *v)
{
    const struct engine_ops *ops = v->env.engine->ops;

    if (!v->boot || ops->set_state(v->ev, v->boot, CPU_ALL) == 0)
        return;
    atomic_store(&v->stop, true);
    power_end(v->env.power, POWER_ENGINE_ERROR, v->id);
}

TSA(no_thread_safety_analysis) static void vcpu_main(void *arg)
{
    struct vcpu *v = arg;
    struct vcpu_exit x;

    while (sem_wait(&v->gate) < 0)
        ; /* interrupted */
    vcpu_boot(v);
    while (!atomic_load(&v->stop)) {
        v->env.engine->ops->run(v->ev, &x);
        vcpu_exit(v, &x);
    }
}

/* ---- life ------------------------------------------------------------- */

int vcpu_new(struct vcpu **out, const struct vcpu_env *env, unsigned int id)
{
    const struct engine_ops *ops = env->engine->ops;
    struct vcpu *v = calloc(1, sizeof(*v));
    int r;

    if (!v)
        return fail(-ENOMEM, "vcpu%u", id);
    v->env = *env;
    v->id = id;
    sem_init(&v->gate, 0, 0);
    r = ops->vcpu_new(env->engine, &v->ev, id);
    if (r < 0)
        goto free_vcpu;
    if (ops->partial)
        r = service_init(&v->service, env, v->ev, id);
    if (r < 0)
        goto free_engine_vcpu;
    *out = v;
    return 0;

free_engine_vcpu:
    ops->vcpu_free(v->ev);
free_vcpu:
    sem_destroy(&v->gate);
    free(v);
    return r;
}

int vcpu_start(struct vcpu *v)
{
    char name[sizeof(v->thread.name)];
    struct filter filter;

    v->env.engine->ops->filter(v->ev, &filter);
    snprintf(name, sizeof(name), "vcpu%u", v->id);
    return thread_start(&v->thread, name, &filter, vcpu_main, v);
}

void vcpu_go(struct vcpu *v, const struct cpu_state *boot)
{
    v->boot = boot;
    sem_post(&v->gate);
}

void vcpu_stop(struct vcpu *v)
{
    atomic_store(&v->stop, true);
    sem_post(&v->gate);
    v->env.engine->ops->kick(v->ev);
    service_poke(&v->service);
}

void vcpu_join(struct vcpu *v)
{
    thread_join(&v->thread);
}

void vcpu_stats(const struct vcpu *v, struct vcpu_stats *out)
{
    *out = v->service.stats;
    service_why(&v->service, out->why, sizeof(out->why));
}

void vcpu_free(struct vcpu *v)
{
    if (!v)
        return;
    service_fini(&v->service);
    v->env.engine->ops->vcpu_free(v->ev);
    sem_destroy(&v->gate);
    free(v);
}
