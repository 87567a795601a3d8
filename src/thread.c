/* SPDX-License-Identifier: Apache-2.0 */
/* thread.c: named, filtered threads with a role, and the lock */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mote/log.h"
#include "mote/record.h"
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

static _Thread_local pid_t thread_tid;

pid_t thread_id(void)
{
    if (!thread_tid)
        thread_tid = (pid_t)syscall(SYS_gettid);
    return thread_tid;
}

static enum role thread_role_of(enum filter_kind kind)
{
    switch (kind) {
    case FILTER_MAIN:
        return ROLE_MAIN;
    case FILTER_VCPU_KVM:
    case FILTER_VCPU_SHADOW:
    case FILTER_VCPU_INTERP:
        return ROLE_VCPU;
    case FILTER_BLK:
    case FILTER_RBD:
    case FILTER_NET:
    case FILTER_CONSOLE:
    case FILTER_RNG:
        return ROLE_DEV;
    default:
        return ROLE_NONE;
    }
}

/* The end of a thread takes system calls (madvise, rt_sigprocmask, exit) that
 * no list has; waiting for the end of the process takes none. */
static void thread_park(struct thread *t)
{
    static sem_t never;

    sem_post(&t->parked); /* t may be gone from here on */
    while (true)
        sem_wait(&never);
}

static void *thread_main(void *arg)
{
    struct thread *t = arg;
    bool parks = t->parks;

    pthread_setname_np(pthread_self(), t->name);
    role_set(thread_role_of(t->filter.kind));
    t->loaded = filter_load(&t->filter, t->name);
    if (t->loaded < 0) {
        sem_post(&t->ready);
        return NULL;
    }
    sem_post(&t->ready);
    t->fn(t->arg);
    record_thread(t->name);
    if (parks)
        thread_park(t);
    return NULL;
}

/* Signals that a fault raises must stay open, or the kernel kills silently. */
static void thread_signals(sigset_t *set, enum role role)
{
    sigfillset(set);
    sigdelset(set, SIGSEGV);
    sigdelset(set, SIGBUS);
    sigdelset(set, SIGFPE);
    sigdelset(set, SIGILL);
    sigdelset(set, SIGTRAP);
    sigdelset(set, SIGABRT);
    sigdelset(set, SIGSYS);
    if (role == ROLE_VCPU)
        sigdelset(set, THREAD_KICK);
}

static int thread_create(struct thread *t)
{
    sigset_t blocked, old;
    int r;

    thread_signals(&blocked, thread_role_of(t->filter.kind));
    pthread_sigmask(SIG_SETMASK, &blocked, &old);
    r = pthread_create(&t->id, NULL, thread_main, t);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return r == 0 ? 0 : fail(-r, "thread %s", t->name);
}

int thread_start(struct thread *t, const char *name, const struct filter *f,
                 thread_fn *fn, void *arg)
{
    int r;

    *t = (struct thread){.filter = *f,
                         .fn = fn,
                         .arg = arg,
                         .running = true,
                         .parks = filter_on()};
    snprintf(t->name, sizeof(t->name), "%s", name);
    sem_init(&t->ready, 0, 0);
    sem_init(&t->parked, 0, 0);
    r = thread_create(t);
    while (r == 0 && sem_wait(&t->ready) < 0)
        ; /* EINTR */
    if (r == 0 && t->loaded < 0) {
        r = t->loaded;
        pthread_join(t->id, NULL);
    }
    if (r < 0)
        t->running = false;
    return r;
}

void thread_join(struct thread *t)
{
    if (!t->running)
        return;
    if (!t->parks)
        pthread_join(t->id, NULL);
    else
        while (sem_wait(&t->parked) < 0)
            ; /* EINTR */
    t->running = false;
}
