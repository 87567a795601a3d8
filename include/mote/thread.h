/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thread.h: who runs what. Three roles; clang's -Wthread-safety checks them at
 * build time, role_assert() at run time. Attributes do not travel through
 * function pointers, so ops are called only by wrappers that carry them.
 */
#ifndef MOTE_THREAD_H
#define MOTE_THREAD_H

#include <pthread.h>

#include "mote/base.h"

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

typedef void thread_fn(void *arg);

struct thread {
    pthread_t id;
    char name[16]; /* shown by ps -L and by denial reports */
    enum role role;
    thread_fn *fn;
    void *arg;
    bool running;
};

/*
 * Start a thread with all signals blocked but those a fault raises (a vCPU
 * engine opens its kick signal itself). t stays the caller's and must outlive
 * the thread. Returns 0 or a negative errno, already reported. Main only.
 */
int thread_start(struct thread *t, const char *name, enum role role,
                 thread_fn *fn, void *arg);

/* Wait for the end of a thread; nothing happens if it was never started. */
void thread_join(struct thread *t);

#endif
