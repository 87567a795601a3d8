/* SPDX-License-Identifier: Apache-2.0 */
/* vcpu.c: a vCPU holds still and goes on, on both engines */
#include <check.h>
#include <time.h>

#include "kvm_vm.h"
#include "mote/vcpu.h"

#define COUNTER 0x30000ull

/* clang-format off */
GUEST(count, "mov $0x30000, %edi\n 1: incq (%rdi)\n jmp 1b\n");
GUEST(halt, "mov $0x30000, %edi\n 1: incq (%rdi)\n hlt\n jmp 1b\n");
/* clang-format on */

struct rig {
    struct mem *mem;
    struct bus bus;
    struct kvm_file kvm;
    struct vcpu_env env;
    struct vcpu *v;
};

static void rig_end(struct power *p, enum power_reason reason, u32 value)
{
    ck_abort_msg("the guest ended: %d", (int)reason);
}

static struct power power = {.end = rig_end};

/* 0: the interpreter, 1: KVM. False: not here. */
static bool rig_up(struct rig *r, int engine, const u8 *code, const u8 *end)
{
    static struct cpu_state s;
    struct engine *e;
    int err;

    if (engine == 1 && !tvm_have_kvm())
        return false;
    *r = (struct rig){0};
    ck_assert_int_eq(mem_new(&r->mem, 16 * MIB), 0);
    bus_init(&r->bus);
    tvm_tables(r->mem);
    mem_write(r->mem, TVM_CODE, code, (u64)(end - code));
    tvm_state(&s, 0);
    r->env.env = (struct engine_env){r->mem, &r->bus, 1, &r->kvm, POLL_MAX_NS};
    kvm_open(&r->kvm);
    err = engine ? engine_kvm_new(&e, &r->env.env)
                 : engine_interp_new(&e, &r->env.env);
    ck_assert_int_eq(err, 0);
    r->env.engine = e;
    r->env.power = &power;
    ck_assert_int_eq(vcpu_new(&r->v, &r->env, 0), 0);
    ck_assert_int_eq(vcpu_start(r->v), 0);
    vcpu_go(r->v, &s);
    return true;
}

static void rig_down(struct rig *r)
{
    vcpu_stop(r->v);
    vcpu_join(r->v);
    vcpu_free(r->v);
    r->env.engine->ops->free(r->env.engine);
    kvm_close(&r->kvm);
    mem_free(r->mem);
}

static u64 rig_counter(struct rig *r)
{
    return atomic_load((_Atomic(u64) *)mem_range(r->mem, COUNTER, 8));
}

/* Has the guest counted on within a second? */
static bool rig_runs(struct rig *r, u64 from)
{
    for (int i = 0; i < 1000 && rig_counter(r) == from; i++)
        usleep(1000);
    return rig_counter(r) != from;
}

START_TEST(test_pause)
{
    struct rig r;
    u64 n;

    if (!rig_up(&r, _i, guest_count, guest_count_end))
        return;
    ck_assert(rig_runs(&r, 0));
    for (int i = 0; i < 20; i++) {
        vcpu_pause(r.v);
        vcpu_wait_paused(r.v);
        n = rig_counter(&r);
        usleep(2000);
        ck_assert_uint_eq(rig_counter(&r), n);
        vcpu_resume(r.v);
        ck_assert(rig_runs(&r, n));
    }
    rig_down(&r);
}
END_TEST

/* Before it ran at all, and while it sleeps in HLT. */
START_TEST(test_pause_asleep)
{
    struct rig r;

    if (!rig_up(&r, _i, guest_halt, guest_halt_end))
        return;
    vcpu_pause(r.v);
    vcpu_wait_paused(r.v);
    vcpu_resume(r.v);
    ck_assert(rig_runs(&r, 0));
    vcpu_pause(r.v);
    vcpu_wait_paused(r.v);
    vcpu_resume(r.v);
    usleep(2000);
    ck_assert_uint_eq(rig_counter(&r), 1);
    rig_down(&r);
}
END_TEST

/* A paused vCPU ends as soon as one that runs; asked in either order. */
START_TEST(test_stop_paused)
{
    struct timespec from, to;
    struct rig r;

    if (!rig_up(&r, _i, guest_count, guest_count_end))
        return;
    vcpu_pause(r.v);
    vcpu_wait_paused(r.v);
    clock_gettime(CLOCK_MONOTONIC, &from);
    vcpu_stop(r.v);
    vcpu_join(r.v);
    clock_gettime(CLOCK_MONOTONIC, &to);
    ck_assert_int_le(to.tv_sec - from.tv_sec, 1);
    vcpu_pause(r.v);
    vcpu_wait_paused(r.v);
    rig_down(&r);
}
END_TEST

Suite *suite_vcpu_pause(void);
Suite *suite_vcpu_pause(void)
{
    Suite *s = suite_create("vcpu_pause");
    TCase *tc = tcase_create("pause");

    tcase_add_loop_test(tc, test_pause, 0, 2);
    tcase_add_loop_test(tc, test_pause_asleep, 0, 2);
    tcase_add_loop_test(tc, test_stop_paused, 0, 2);
    suite_add_tcase(s, tc);
    return s;
}
