/* SPDX-License-Identifier: Apache-2.0 */
/* vcpu.c, service.c, report.c: threads, both engines on one state, the ends */
#include <check.h>
#include <cpuid.h>
#include <semaphore.h>
#include <time.h>

#include "kvm_vm.h"
#include "mote/log.h"
#include "mote/vcpu.h"

#define POPCNT_ROUNDS 200000

/* clang-format off */
GUEST(spin, "jmp .\n");
GUEST(halt, "1: hlt\n jmp 1b\n");
GUEST(triple, "ud2\n");
/* POPCNT_ROUNDS POPCNTs, which some KVM refuses one by one, with stores between;
 * now and then, if R8 says so, something that only KVM can do. */
GUEST(popcnt,
    "mov $200000, %ecx\n mov $0x30000, %edi\n xor %eax, %eax\n"
    "1: popcnt %rcx, %rbx\n add %rbx, %rax\n mov %rax, (%rdi)\n"
    "test $0x1fff, %ecx\n jnz 2f\n test %r8d, %r8d\n jz 2f\n"
    "rdseed %rdx\n 2: loop 1b\n"
    "mov $0x500, %edx\n out %eax, %dx\n" GUEST_DONE);
/* VEX: in the interpreter's service it is unknown, so #UD; RIP is reported. */
GUEST(unknown, "1: vpaddd %ymm0, %ymm1, %ymm2\n jmp .\n");
GUEST(undefined,
    "mov (%rsp), %rax\n mov $0x500, %edx\n out %eax, %dx\n" GUEST_DONE);
/* clang-format on */

struct rig {
    struct tvm *t;
    struct power power;
    sem_t ended;
    _Atomic(int) reason;
    struct vcpu_env env;
    struct vcpu *v;
};

static char rig_log[8192];

static void rig_sink(const char *text, size_t len)
{
    size_t used = strlen(rig_log);

    len = MIN(len, sizeof(rig_log) - 1 - used);
    memcpy(rig_log + used, text, len);
    rig_log[used + len] = '\0';
}

static void rig_end(struct power *p, enum power_reason reason, u32 value)
{
    struct rig *rig = container_of(p, struct rig, power);

    atomic_store(&rig->reason, (int)reason);
    sem_post(&rig->ended);
}

static size_t rig_tail(void *ctx, char *buf, size_t len)
{
    static const char text[] = "one\r\ntwo\033[1m\nthree";

    memcpy(buf, text, sizeof(text) - 1);
    return sizeof(text) - 1;
}

static void rig_init(struct rig *rig, const u8 *code, const u8 *end,
                     struct cpu_state *s)
{
    *rig = (struct rig){.power.end = rig_end};
    sem_init(&rig->ended, 0, 0);
    rig_log[0] = '\0';
    log_sink_set(rig_sink);
    rig->t = tvm_new_board(1);
    rig->t->power = &rig->power;
    tvm_load(rig->t, TVM_CODE, code, end);
    tvm_state(s, 0);
    rig->env = (struct vcpu_env){
        .engine = rig->t->engine,
        .env = {.mem = rig->t->mem, .bus = &rig->t->bus, .cpus = 1},
        .power = &rig->power,
        .tail = rig_tail,
    };
}
#define rig_new(rig, name, s)                                                  \
    rig_init((rig), guest_##name, guest_##name##_end, (s))

static void rig_start(struct rig *rig, const struct cpu_state *s)
{
    ck_assert_int_eq(vcpu_new(&rig->v, &rig->env, 0), 0);
    ck_assert_int_eq(vcpu_start(rig->v), 0);
    vcpu_go(rig->v, s);
}

static u64 rig_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (u64)ts.tv_sec * 1000 + (u64)ts.tv_nsec / 1000000;
}

/* Milliseconds that stopping took. */
static u64 rig_stop(struct rig *rig, struct vcpu_stats *stats)
{
    u64 start = rig_ms();

    vcpu_stop(rig->v);
    vcpu_join(rig->v);
    start = rig_ms() - start;
    vcpu_stats(rig->v, stats);
    vcpu_free(rig->v);
    tvm_free(rig->t);
    sem_destroy(&rig->ended);
    log_sink_set(NULL);
    return start;
}

/* Stopped at the gate: it never ran. */
START_TEST(test_gate)
{
    static struct cpu_state s;
    struct vcpu_stats stats;
    struct rig rig;

    if (!tvm_have_kvm())
        return;
    rig_new(&rig, triple, &s);
    ck_assert_int_eq(vcpu_new(&rig.v, &rig.env, 0), 0);
    ck_assert_int_eq(vcpu_start(rig.v), 0);
    usleep(20000);
    ck_assert_uint_lt(rig_stop(&rig, &stats), 500);
    ck_assert_int_eq(rig.reason, POWER_NONE);
}
END_TEST

/* From within the guest's code, from HLT, and before it ran at all. */
START_TEST(test_stop)
{
    static struct cpu_state s;
    struct vcpu_stats stats;
    struct rig rig;

    if (!tvm_have_kvm())
        return;
    if (_i == 1)
        rig_new(&rig, halt, &s);
    else
        rig_new(&rig, spin, &s);
    rig_start(&rig, &s);
    if (_i != 2)
        usleep(20000);
    ck_assert_uint_lt(rig_stop(&rig, &stats), 500);
    ck_assert_int_eq(rig.reason, POWER_NONE);
}
END_TEST

START_TEST(test_triple)
{
    static struct cpu_state s;
    struct vcpu_stats stats;
    struct rig rig;

    if (!tvm_have_kvm())
        return;
    rig_new(&rig, triple, &s);
    rig_start(&rig, &s);
    sem_wait(&rig.ended);
    ck_assert_int_eq(rig.reason, POWER_TRIPLE_FAULT);
    rig_stop(&rig, &stats);
    ck_assert_ptr_nonnull(strstr(rig_log, "vcpu0: triple fault"));
    ck_assert_ptr_nonnull(strstr(rig_log, "rip 0000000000010000"));
    ck_assert_ptr_nonnull(strstr(rig_log, "bytes at rip: 0f 0b"));
    ck_assert_ptr_nonnull(strstr(rig_log, "| two?[1m"));
    ck_assert_ptr_nonnull(strstr(rig_log, "| three"));
}
END_TEST

/* CPUID 7.EBX.RDSEED: SDM vol. 2A */
static bool has_rdseed(void)
{
    unsigned int a, b, c, d;

    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 18 & 1);
}

/* Visits grow longer, pass the RAM they wrote back to KVM, and lose nothing. */
START_TEST(test_backoff)
{
    static struct cpu_state s;
    struct vcpu_stats stats;
    u64 want = 0, stored;
    struct rig rig;

    if (!tvm_have_kvm())
        return;
    for (u64 i = 1; i <= POPCNT_ROUNDS; i++)
        want += (u64)__builtin_popcountll(i);
    rig_new(&rig, popcnt, &s);
    s.gpr[GPR_R8] = has_rdseed();
    rig_start(&rig, &s);
    sem_wait(&rig.ended);
    ck_assert_int_eq(rig.reason, POWER_EXIT_PORT);
    ck_assert_uint_eq(rig.t->nr, 1);
    ck_assert_uint_eq(rig.t->log[0].val, want);
    mem_read(rig.t->mem, 0x30000, &stored, 8);
    ck_assert_uint_eq(stored, want);
    rig_stop(&rig, &stats);
    ck_assert_uint_eq(stats.unknown, 0);
    if (stats.visits == 0)
        return; /* this KVM runs it all */
    ck_assert_uint_gt(stats.emulated, 10 * stats.visits);
    ck_assert_ptr_nonnull(strstr(stats.why, "popcnt"));
}
END_TEST

/* What neither engine can run is #UD, at the right RIP. */
START_TEST(test_unknown)
{
    static struct cpu_state s;
    u64 gate[2] = {0, 0};
    u64 gdt[3] = {0, 0x00af9b000000ffff, 0x00cf93000000ffff};
    struct vcpu_stats stats;
    struct rig rig;

    if (!tvm_have_kvm())
        return;
    gate[0] = (0x11000 & 0xffff) | 8ull << 16 | 0x8e00ull << 32 |
              (0x11000ull >> 16) << 48;
    rig_new(&rig, unknown, &s);
    tvm_load(rig.t, 0x11000, guest_undefined, guest_undefined_end);
    mem_write(rig.t->mem, 0x4000 + 6 * 16, gate, 16);
    mem_write(rig.t->mem, 0x5000, gdt, sizeof(gdt));
    s.idt = (struct cpu_table){0x4000, 0xfff};
    s.gdt = (struct cpu_table){0x5000, sizeof(gdt) - 1};
    rig_start(&rig, &s);
    sem_wait(&rig.ended);
    ck_assert_int_eq(rig.reason, POWER_EXIT_PORT);
    ck_assert_uint_eq(rig.t->log[0].val, TVM_CODE);
    rig_stop(&rig, &stats);
    if (stats.unknown) {
        ck_assert_uint_eq(stats.unknown, 1);
        ck_assert_ptr_nonnull(strstr(rig_log, "at 0x10000 (CPL 0): c5"));
    }
}
END_TEST

Suite *suite_vcpu(void);
Suite *suite_vcpu(void)
{
    Suite *s = suite_create("vcpu");
    TCase *tc = tcase_create("vcpu");

    tcase_add_test(tc, test_gate);
    tcase_add_loop_test(tc, test_stop, 0, 3);
    tcase_add_test(tc, test_triple);
    tcase_add_test(tc, test_backoff);
    tcase_add_test(tc, test_unknown);
    suite_add_tcase(s, tc);
    return s;
}
