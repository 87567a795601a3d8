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

    struct lock lock; /* held for a few instructions; guards: */
    pthread_cond_t cond;
    _Atomic(bool) paused; /* main sets, the thread obeys */
    bool still;           /* it does; or it has ended */

    struct service service;
};

static _Thread_local struct vcpu *vcpu_self;

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

/* ---- pauses ------------------------------------------------------------ */

static void vcpu_say_still(struct vcpu *v, bool still)
{
    v->still = still;
    pthread_cond_broadcast(&v->cond);
}

VCPU_ONLY static void vcpu_hold_still(struct vcpu *v)
{
    lock_take(&v->lock);
    vcpu_say_still(v, true);
    while (atomic_load(&v->paused) && !atomic_load(&v->stop))
        pthread_cond_wait(&v->cond, &v->lock.mutex);
    vcpu_say_still(v, false);
    lock_drop(&v->lock);
}

static void vcpu_kick(struct vcpu *v)
{
    v->env.engine->ops->kick(v->ev);
    service_poke(&v->service);
}

static void vcpu_set_paused(struct vcpu *v, bool paused)
{
    lock_take(&v->lock);
    atomic_store(&v->paused, paused);
    pthread_cond_broadcast(&v->cond);
    lock_drop(&v->lock);
}

void vcpu_pause(struct vcpu *v)
{
    vcpu_set_paused(v, true);
    vcpu_kick(v);
}

void vcpu_resume(struct vcpu *v)
{
    vcpu_set_paused(v, false);
}

void vcpu_wait_paused(struct vcpu *v)
{
    lock_take(&v->lock);
    while (!v->still)
        pthread_cond_wait(&v->cond, &v->lock.mutex);
    lock_drop(&v->lock);
}

/* ---- the thread -------------------------------------------------------- */

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

    vcpu_self = v;
    while (sem_wait(&v->gate) < 0)
        ; /* interrupted */
    vcpu_boot(v);
    while (!atomic_load(&v->stop)) {
        if (atomic_load(&v->paused)) {
            vcpu_hold_still(v);
            continue;
        }
        v->env.engine->ops->run(v->ev, &x);
        vcpu_exit(v, &x);
    }
    lock_take(&v->lock);
    vcpu_say_still(v, true);
    lock_drop(&v->lock);
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
    lock_init(&v->lock);
    pthread_cond_init(&v->cond, NULL);
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
    pthread_cond_destroy(&v->cond);
    lock_fini(&v->lock);
    free(v);
    return r;
}

enum filter_kind vcpu_filter(const struct vcpu *v)
{
    struct filter filter;

    v->env.engine->ops->filter(v->ev, &filter);
    return filter.kind;
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
    lock_take(&v->lock);
    atomic_store(&v->stop, true);
    pthread_cond_broadcast(&v->cond);
    lock_drop(&v->lock);
    sem_post(&v->gate);
    vcpu_kick(v);
}

void vcpu_leave(void)
{
    if (vcpu_self)
        vcpu_stop(vcpu_self);
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
    pthread_cond_destroy(&v->cond);
    lock_fini(&v->lock);
    free(v);
}
