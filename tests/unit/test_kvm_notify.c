/* SPDX-License-Identifier: Apache-2.0 */
/* kvm/kvm.c: a register write that becomes an event without an exit */
#include <check.h>
#include <sys/eventfd.h>

#include "kvm_vm.h"
#include "mote/log.h"

/* clang-format off */
GUEST(notify,
    "mov $0xd0000000, %edi\n"
    "movl $1, (%rdi)\n movl $1, (%rdi)\n movl $2, (%rdi)\n" /* 1, 1: 2 events */
    "movl $3, (%rdi)\n movb $1, (%rdi)\n movl $1, 4(%rdi)\n" /* none of them */
    GUEST_DONE);
/* clang-format on */

static u64 events(int fd)
{
    u64 n = 0;

    (void)!read(fd, &n, sizeof(n));
    return n;
}

/* Value, width and address must fit; everything else goes to the bus. */
START_TEST(test_notify)
{
    struct cpu_state s;
    struct vcpu_exit x;
    struct tvm *t;
    int fd[2];

    if (!tvm_have_kvm())
        return;
    t = tvm_new_with(notify, &s);
    for (u32 i = 0; i < 2; i++) {
        fd[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        ck_assert_int_eq(
            t->engine->ops->notify_connect(t->engine, TVM_MMIO, i + 1, fd[i]),
            0);
    }
    ck_assert_int_eq(tvm_run(t, &x), VCPU_KICKED);
    ck_assert_uint_eq(events(fd[0]), 2);
    ck_assert_uint_eq(events(fd[1]), 1);
    ck_assert_uint_eq(t->nr, 3);
    ck_assert_uint_eq(t->log[0].val, 3);
    ck_assert_uint_eq(t->log[1].size, 1);
    ck_assert_uint_eq(t->log[2].off, 4);
    tvm_free(t);
    close(fd[0]);
    close(fd[1]);
}
END_TEST

static char said[256];

static void note_log(const char *text, size_t len)
{
    memcpy(said, text, MIN(len, sizeof(said) - 1));
}

START_TEST(test_refused)
{
    struct cpu_state s;
    struct tvm *t;

    if (!tvm_have_kvm())
        return;
    t = tvm_new_with(notify, &s);
    log_sink_set(note_log);
    ck_assert_int_lt(t->engine->ops->notify_connect(t->engine, TVM_MMIO, 7, -1),
                     0);
    ck_assert_msg(strstr(said, "ioeventfd 7 at 0xd0000000") != NULL, "%s",
                  said);
    log_sink_set(NULL);
    tvm_free(t);
}
END_TEST

Suite *suite_kvm_notify(void);
Suite *suite_kvm_notify(void)
{
    Suite *s = suite_create("kvm_notify");
    TCase *tc = tcase_create("kvm_notify");

    tcase_add_test(tc, test_notify);
    tcase_add_test(tc, test_refused);
    suite_add_tcase(s, tc);
    return s;
}
