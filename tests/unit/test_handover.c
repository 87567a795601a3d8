/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service.c: a vCPU is taken from KVM at random moments, runs on in the
 * interpreter for a random while, and goes back, 1,000 times; what the program
 * has computed by then must be what it computes in the interpreter alone.
 */
#include <check.h>
#include <pthread.h>
#include <time.h>

#include "kvm_vm.h"
#include "service.h"

#define TURNS 1000

/* What both sides use of guest memory. */
#define HAND_STOP   0x31000 /* not 0: end with this round */
#define HAND_LIMIT  0x31008 /* end with this round */
#define HAND_ROUNDS 0x31010
#define HAND_HASH   0x31018

/* A hash over integers, flags, memory, strings and the stack in every round,
 * over SSE and x87 in each 64th; and a byte to the port in each 256th. */
/* clang-format off */
GUEST(hash,
    "xor %r12d, %r12d\n mov $1, %ebx\n fninit\n"
    "1: inc %r12\n"
    "mov %r12, %rax\n movabs $0x9e3779b97f4a7c15, %rsi\n imul %rsi, %rax\n"
    "xor %rax, %rbx\n rol $13, %rbx\n adc %r12, %rbx\n"
    "mov %ebx, %edi\n and $0x3ff8, %edi\n add $0x40000, %edi\n"
    "lock add %rbx, (%rdi)\n xor (%rdi), %rbx\n"
    "sbb %al, %bh\n setc %al\n movzbl %al, %eax\n add %rax, %rbx\n"
    "call 3f\n"
    "test $0x3f, %r12b\n jne 2f\n"
    "movq %rbx, %xmm1\n paddq %xmm1, %xmm0\n movdqu %xmm0, 0x48000\n"
    "add 0x48000, %rbx\n"
    "fildll 0x48000\n fsqrt\n fistpll 0x48008\n xor 0x48008, %rbx\n"
    "test %r12b, %r12b\n jne 2f\n"
    "mov $0x500, %edx\n mov %ebx, %eax\n out %al, %dx\n"
    "2: cmp %r12, 0x31008\n je 4f\n cmpb $0, 0x31000\n je 1b\n"
    "4: mov %r12, 0x31010\n mov %rbx, 0x31018\n"
    GUEST_DONE
    "3: push %rbx\n push %r12\n mov %rsp, %rsi\n mov $0x49000, %edi\n"
    "mov $16, %ecx\n rep movsb\n mov %rbx, %rax\n mov $3, %ecx\n rep stosq\n"
    "pop %rcx\n pop %rax\n add 0x49010, %rbx\n ret\n");
/* clang-format on */

struct hand {
    struct tvm *t;
    struct power power;
    struct cpu *cpu; /* NULL: KVM runs it */
    _Atomic(bool) ended;
    _Atomic(unsigned int) turns;
};

static void hand_end(struct power *p, enum power_reason reason, u32 value)
{
    struct hand *h = container_of(p, struct hand, power);

    atomic_store(&h->ended, true);
    if (h->cpu)
        interp_poke(h->cpu);
    else
        h->t->engine->ops->kick(h->t->vcpu[0]);
}

static void hand_init(struct hand *h, u64 limit)
{
    *h = (struct hand){.t = tvm_new(1), .power.end = hand_end};
    h->t->power = &h->power;
    tvm_code(h->t, hash);
    mem_write(h->t->mem, HAND_LIMIT, &limit, sizeof(limit));
}

static u32 hand_random(u32 *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static void *hand_kicker(void *arg)
{
    struct hand *h = arg;
    u32 seed = 1;

    for (unsigned int i = 0; i < TURNS; i++) {
        struct timespec ts = {.tv_nsec = 20000 + hand_random(&seed) % 100000};

        nanosleep(&ts, NULL);
        h->t->engine->ops->kick(h->t->vcpu[0]);
        while (atomic_load(&h->turns) <= i)
            sched_yield();
    }
    return NULL;
}

/* The next visit may be as long as the back-off ever allows. */
static void hand_visit(struct service *s, const struct vcpu_exit *x, u32 *seed)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    s->backoff.back_ns = (u64)now.tv_sec * 1000000000ull + (u64)now.tv_nsec;
    s->backoff.cost_ns = 1ull << 40;
    s->backoff.near = hand_random(seed) % 12;
    s->backoff.hold = 0;
    ck_assert_int_eq(service_visit(s, x), SERVICE_BACK);
}

static void hand_run_both(struct hand *h, struct service *s)
{
    struct vcpu_exit x;
    u32 seed = 7;
    u8 stop = 1;

    while (!atomic_load(&h->ended)) {
        enum vcpu_exit_reason why = tvm_run(h->t, &x);

        ck_assert_msg(why == VCPU_KICKED || why == VCPU_EMULATE, "exit %d: %s",
                      (int)why, x.text);
        if (atomic_load(&h->ended))
            break;
        hand_visit(s, &x, &seed);
        if (why == VCPU_KICKED && atomic_fetch_add(&h->turns, 1) == TURNS - 1)
            mem_write(h->t->mem, HAND_STOP, &stop, sizeof(stop));
    }
}

static void hand_run_interp(struct hand *h)
{
    const struct interp_env env = {
        .mem = h->t->mem, .bus = &h->t->bus, .cpus = 1};
    struct interp_run run = {.budget = ~0ull >> 1};

    ck_assert_int_eq(interp_new(&h->cpu, &env), 0);
    tvm_state(interp_state(h->cpu), 0);
    interp_state_changed(h->cpu);
    ck_assert_int_eq(interp_run(h->cpu, &run), INTERP_EVENT);
    ck_assert(atomic_load(&h->ended));
    interp_free(h->cpu);
}

static u64 hand_word(const struct hand *h, u64 gpa)
{
    u64 val;

    ck_assert_int_eq(mem_read(h->t->mem, gpa, &val, sizeof(val)), 0);
    return val;
}

static void hand_same(const struct hand *a, const struct hand *b)
{
    ck_assert_uint_gt(hand_word(a, HAND_ROUNDS), 0);
    ck_assert_uint_eq(hand_word(a, HAND_ROUNDS), hand_word(b, HAND_ROUNDS));
    ck_assert_uint_eq(hand_word(a, HAND_HASH), hand_word(b, HAND_HASH));
    ck_assert_mem_eq(mem_range(a->t->mem, 0x40000, 0xa000),
                     mem_range(b->t->mem, 0x40000, 0xa000), 0xa000);
    ck_assert_uint_eq(a->t->nr, b->t->nr);
    for (unsigned int i = 0; i < a->t->nr; i++)
        ck_assert_uint_eq(a->t->log[i].val, b->t->log[i].val);
}

START_TEST(test_turns)
{
    static struct cpu_state state;
    static struct hand both, alone;
    static struct service s;
    struct vcpu_env env;
    pthread_t kicker;

    if (!tvm_have_kvm())
        return;
    hand_init(&both, ~0ull);
    env = (struct vcpu_env){
        .engine = both.t->engine,
        .env = {.mem = both.t->mem, .bus = &both.t->bus, .cpus = 1}};
    ck_assert_int_eq(service_init(&s, &env, both.t->vcpu[0], 0), 0);
    tvm_state(&state, 0);
    tvm_set(both.t, &state);
    ck_assert_int_eq(pthread_create(&kicker, NULL, hand_kicker, &both), 0);
    hand_run_both(&both, &s);
    pthread_join(kicker, NULL);
    ck_assert_uint_eq(atomic_load(&both.turns), TURNS);
    ck_assert_uint_ge(s.stats.visits, TURNS);
    ck_assert_uint_gt(s.stats.emulated, 10 * TURNS);
    service_fini(&s);

    hand_init(&alone, hand_word(&both, HAND_ROUNDS));
    hand_run_interp(&alone);
    hand_same(&both, &alone);
    tvm_free(both.t);
    tvm_free(alone.t);
}
END_TEST

Suite *suite_handover(void);
Suite *suite_handover(void)
{
    Suite *s = suite_create("handover");
    TCase *tc = tcase_create("handover");

    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, test_turns);
    suite_add_tcase(s, tc);
    return s;
}
