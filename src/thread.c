/* SPDX-License-Identifier: Apache-2.0 */
/* thread.c: named threads with a role, and the lock */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "mote/log.h"
#include "mote/thread.h"

const struct role_cap on_main = {ROLE_MAIN};
const struct role_cap on_vcpu = {ROLE_VCPU};
const struct role_cap on_dev = {ROLE_DEV};

static _Thread_local enum role thread_role;

enum role role_get(void)
{
    return thread_role;
}

void role_set(enum role role)
{
    thread_role = role;
}

void lock_init(struct lock *lock)
{
    pthread_mutex_init(&lock->mutex, NULL);
}

void lock_fini(struct lock *lock)
{
    pthread_mutex_destroy(&lock->mutex);
}

TSA(no_thread_safety_analysis) void lock_take(struct lock *lock)
{
    int r = pthread_mutex_lock(&lock->mutex);

    assert(r == 0);
    (void)r;
}

TSA(no_thread_safety_analysis) void lock_drop(struct lock *lock)
{
    int r = pthread_mutex_unlock(&lock->mutex);

    assert(r == 0);
    (void)r;
}

static void *thread_main(void *arg)
{
    struct thread *t = arg;

    pthread_setname_np(pthread_self(), t->name);
    role_set(t->role);
    t->fn(t->arg);
    return NULL;
}

/* Signals that a fault raises must stay open, or the kernel kills silently. */
static void thread_signals(sigset_t *set)
{
    sigfillset(set);
    sigdelset(set, SIGSEGV);
    sigdelset(set, SIGBUS);
    sigdelset(set, SIGFPE);
    sigdelset(set, SIGILL);
    sigdelset(set, SIGTRAP);
    sigdelset(set, SIGABRT);
    sigdelset(set, SIGSYS);
}

int thread_start(struct thread *t, const char *name, enum role role,
                 thread_fn *fn, void *arg)
{
    sigset_t blocked, old;
    int r;

    t->role = role;
    t->fn = fn;
    t->arg = arg;
    snprintf(t->name, sizeof(t->name), "%s", name);
    thread_signals(&blocked);
    pthread_sigmask(SIG_SETMASK, &blocked, &old);
    r = pthread_create(&t->id, NULL, thread_main, t);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (r != 0)
        return fail(-r, "thread %s", name);
    t->running = true;
    return 0;
}

void thread_join(struct thread *t)
{
    if (!t->running)
        return;
    pthread_join(t->id, NULL);
    t->running = false;
}
