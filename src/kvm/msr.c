/* SPDX-License-Identifier: Apache-2.0 */
/* msr.c: model-specific registers between struct cpu_msrs and KVM. */
#include <asm/kvm_para.h>
#include <sys/ioctl.h>

#include "kvm.h"
#include "mote/log.h"

#define MISC_ENABLE_FAST_STRING (1ull << 0)

#define KVM_MSR_LIST_MAX 1024

/* In the order they are written: the deadline counts in the new TSC, and the
 * clock page is filled from it. */
/* clang-format off */
static const struct {
    u32 index;
    u32 offset;
} kvm_msr_table[] = {
    {MSR_STAR,              offsetof(struct cpu_msrs, star)},
    {MSR_LSTAR,             offsetof(struct cpu_msrs, lstar)},
    {MSR_CSTAR,             offsetof(struct cpu_msrs, cstar)},
    {MSR_SFMASK,            offsetof(struct cpu_msrs, sfmask)},
    {MSR_KERNEL_GS_BASE,    offsetof(struct cpu_msrs, kernel_gs_base)},
    {MSR_SYSENTER_CS,       offsetof(struct cpu_msrs, sysenter_cs)},
    {MSR_SYSENTER_ESP,      offsetof(struct cpu_msrs, sysenter_esp)},
    {MSR_SYSENTER_EIP,      offsetof(struct cpu_msrs, sysenter_eip)},
    {MSR_TSC_AUX,           offsetof(struct cpu_msrs, tsc_aux)},
    {MSR_PAT,               offsetof(struct cpu_msrs, pat)},
    {MSR_MISC_ENABLE,       offsetof(struct cpu_msrs, misc_enable)},
    {MSR_TSC,               offsetof(struct cpu_msrs, tsc)},
    {MSR_TSC_DEADLINE,      offsetof(struct cpu_msrs, tsc_deadline)},
    {MSR_KVM_WALL_CLOCK_NEW, offsetof(struct cpu_msrs, kvm_wall_clock)},
    {MSR_KVM_SYSTEM_TIME_NEW, offsetof(struct cpu_msrs, kvm_system_time)},
    {MSR_KVM_PV_EOI_EN,     offsetof(struct cpu_msrs, kvm_pv_eoi)},
};
/* clang-format on */

_Static_assert(ARRAY_SIZE(kvm_msr_table) <= KVM_MSR_MAX, "KVM_MSR_MAX");

struct kvm_msr_buf { /* struct kvm_msrs */
    u32 nmsrs, padding;
    struct kvm_msr_entry entry[KVM_MSR_MAX];
};

struct kvm_msr_names { /* struct kvm_msr_list */
    u32 nmsrs;
    u32 indices[KVM_MSR_LIST_MAX];
};

static u64 *kvm_msr_field(struct cpu_msrs *m, u32 offset)
{
    return (u64 *)(void *)((char *)m + offset);
}

static u64 kvm_msr_value(const struct cpu_msrs *m, u32 offset)
{
    return le64_get((const char *)m + offset);
}

static bool kvm_msr_listed(const struct kvm_msr_names *list, u32 index)
{
    for (u32 i = 0; i < list->nmsrs; i++)
        if (list->indices[i] == index)
            return true;
    return false;
}

int kvm_msrs_init(struct kvm *k)
{
    struct kvm_msr_names list = {.nmsrs = KVM_MSR_LIST_MAX};

    if (ioctl(k->fd, KVM_GET_MSR_INDEX_LIST, &list) < 0)
        return fail(-errno, "kvm: list of MSRs");
    k->msrs.nr = 0;
    for (size_t i = 0; i < ARRAY_SIZE(kvm_msr_table); i++) {
        if (!kvm_msr_listed(&list, kvm_msr_table[i].index))
            continue;
        k->msrs.msr[k->msrs.nr].index = kvm_msr_table[i].index;
        k->msrs.msr[k->msrs.nr++].offset = kvm_msr_table[i].offset;
    }
    return 0;
}

/* What firmware leaves behind. Without fast strings, kernels on Intel give up
 * REP MOVS for copies. */
int kvm_msrs_boot(struct kvm_vcpu *v)
{
    struct cpu_msrs m = {0};
    int r = kvm_msrs_get(v, &m);

    if (r < 0)
        return r;
    m.misc_enable |= MISC_ENABLE_FAST_STRING;
    return kvm_msrs_set(v, &m);
}

int kvm_msrs_get(struct kvm_vcpu *v, struct cpu_msrs *out)
{
    const struct kvm_msr_set *set = &v->kvm->msrs;
    struct kvm_msr_buf buf = {.nmsrs = set->nr};
    int n;

    for (unsigned int i = 0; i < set->nr; i++)
        buf.entry[i].index = set->msr[i].index;
    n = ioctl(v->fd, KVM_GET_MSRS, &buf);
    if (n != (int)set->nr)
        return fail(n < 0 ? -errno : -EIO, "kvm: vCPU %u: read of MSR %#x",
                    v->id, n < 0 ? 0 : buf.entry[n].index);
    *out = (struct cpu_msrs){0};
    for (unsigned int i = 0; i < set->nr; i++)
        *kvm_msr_field(out, set->msr[i].offset) = buf.entry[i].data;
    v->msrs = *out;
    v->msrs_known = true;
    return 0;
}

int kvm_msrs_set(struct kvm_vcpu *v, const struct cpu_msrs *in)
{
    const struct kvm_msr_set *set = &v->kvm->msrs;
    struct kvm_msr_buf buf = {.nmsrs = 0};
    int n;

    for (unsigned int i = 0; i < set->nr; i++) {
        u64 now = kvm_msr_value(in, set->msr[i].offset);

        if (v->msrs_known && now == kvm_msr_value(&v->msrs, set->msr[i].offset))
            continue;
        buf.entry[buf.nmsrs++] = (struct kvm_msr_entry){
            .index = set->msr[i].index,
            .data = now,
        };
    }
    n = buf.nmsrs ? ioctl(v->fd, KVM_SET_MSRS, &buf) : 0;
    v->msrs_known = false; /* the TSC runs on from here */
    if (n != (int)buf.nmsrs)
        return fail(n < 0 ? -errno : -EIO, "kvm: vCPU %u: write of MSR %#x",
                    v->id, n < 0 ? 0 : buf.entry[n].index);
    return 0;
}
