/* SPDX-License-Identifier: Apache-2.0 */
/* kvm/probe.c, open.c: a verdict, quickly, with one line of why */
#include <check.h>
#include <time.h>

#include "kvm/kvm.h"
#include "kvm_vm.h"

static u64 now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (u64)ts.tv_sec * 1000000 + (u64)ts.tv_nsec / 1000;
}

/* Why it is not open is why it is good for nothing. */
START_TEST(test_not_open)
{
    struct kvm_file kvm = {.fd = -EACCES, .why = "not permitted"};
    struct kvm_probe p;

    kvm_probe(&kvm, &p);
    ck_assert_int_eq(p.kind, KVM_NONE);
    ck_assert_int_eq(p.err, -EACCES);
    ck_assert_str_eq(p.why, "not permitted");
    kvm_close(&kvm);
}
END_TEST

START_TEST(test_probe)
{
    u64 best = ~0ull;
    struct kvm_file kvm;
    struct kvm_probe p;

    if (!tvm_have_kvm())
        return;
    for (unsigned int i = 0; i < 3; i++) {
        u64 start = now_us();

        kvm_open(&kvm);
        kvm_probe(&kvm, &p);
        kvm_close(&kvm);
        best = MIN(best, now_us() - start);
    }
    ck_assert_int_ne(p.kind, KVM_NONE);
    ck_assert_int_eq(p.err, 0);
    ck_assert_msg(p.mips > 0.01 && p.mips < 100000, "%f", p.mips);
    ck_assert_int_eq(p.kind == KVM_SOFTWARE, p.mips < 20);
    ck_assert_ptr_null(strchr(p.why, '\n'));
    ck_assert_uint_gt(strlen(p.why), 20);
    ck_assert_uint_lt(best, 50000);
}
END_TEST

/* The same answer each time, or the engine would behave by chance. */
START_TEST(test_quirks)
{
    struct kvm_quirks first, again;
    struct kvm_file kvm;

    if (!tvm_have_kvm())
        return;
    kvm_open(&kvm);
    ck_assert_msg(kvm.fd >= 0, "%s", kvm.why);
    kvm_probe_quirks(kvm.fd, &first);
    for (unsigned int i = 0; i < 4; i++) {
        kvm_probe_quirks(kvm.fd, &again);
        ck_assert_int_eq(again.shadow, first.shadow);
        ck_assert_int_eq(again.syscall, first.syscall);
    }
    kvm_close(&kvm);
}
END_TEST

Suite *suite_kvm_probe(void);
Suite *suite_kvm_probe(void)
{
    Suite *s = suite_create("kvm_probe");
    TCase *tc = tcase_create("kvm_probe");

    tcase_add_test(tc, test_not_open);
    tcase_add_test(tc, test_probe);
    tcase_add_test(tc, test_quirks);
    suite_add_tcase(s, tc);
    return s;
}
