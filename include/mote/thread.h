/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thread.h: who runs what. Three roles; clang's -Wthread-safety checks them at
 * build time, role_assert() at run time. Attributes do not travel through
 * function pointers, so ops are called only by wrappers that carry them.
 */
#ifndef MOTE_THREAD_H
#define MOTE_THREAD_H

#include <pthread.h>
#include <semaphore.h>

#include "mote/base.h"
#include "mote/filter.h"

#if defined(__clang__)
#define TSA(x) __attribute__((x))
#else
#define TSA(x)
#endif

enum role {
    ROLE_NONE, /* a thread mote did not name, such as a unit test's */
    ROLE_MAIN, /* set-up, signals, deadlines */
    ROLE_VCPU, /* one per vCPU: its engine state */
    ROLE_DEV,  /* one per device: its queues, requests, backend, one loop */
};

struct TSA(capability("role")) role_cap {
    enum role id;
};
extern const struct role_cap on_main, on_vcpu, on_dev;

#define MAIN_ONLY TSA(requires_capability(on_main))
#define VCPU_ONLY TSA(requires_capability(on_vcpu))
#define DEV_ONLY  TSA(requires_capability(on_dev))

enum role role_get(void);
void role_set(enum role role);

/* Unit tests run as ROLE_NONE and may call anything. */
static inline void role_assert(enum role role)
{
    enum role now = role_get();

    assert(now == role || now == ROLE_NONE);
    (void)now;
}

/* A mutex that clang can reason about. */
struct TSA(capability("mutex")) lock {
    pthread_mutex_t mutex;
};

void lock_init(struct lock *lock);
void lock_fini(struct lock *lock);
void lock_take(struct lock *lock) TSA(acquire_capability(*lock));
void lock_drop(struct lock *lock) TSA(release_capability(*lock));

/* What engines interrupt a vCPU's system call with: a real-time signal, by
 * number because filters name it. */
#define THREAD_KICK 40

typedef void thread_fn(void *arg);

struct thread {
    pthread_t id;
    char name[16]; /* shown by ps -L and by denial reports */
    struct filter filter;
    thread_fn *fn;
    void *arg;
    bool running;        /* main's; set before the thread is there */
    bool parks;          /* a filtered thread cannot end: it lies down */
    int loaded;          /* the thread's answer, when ready is posted */
    sem_t ready, parked; /* the thread posts */
};

/*
 * Start a thread that runs fn(arg) under its filter; the kind of which says
 * what role it plays. All signals are blocked but those a fault raises and, on
 * a vCPU, THREAD_KICK. t stays the caller's and must outlive fn.
 * Returns when the filter is loaded: 0, or a negative errno, already reported.
 * Main only.
 */
int thread_start(struct thread *t, const char *name, const struct filter *f,
                 thread_fn *fn, void *arg);

/* The calling thread's ID; a system call only the first time, and not on a
 * filtered thread. */
pid_t thread_id(void);

/* Wait until fn has returned; nothing happens if it was never started. */
void thread_join(struct thread *t);

#endif
