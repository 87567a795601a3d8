/* SPDX-License-Identifier: Apache-2.0 */
/* open.c: /dev/kvm, and in one line why it cannot be used. */
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cpuid.h>

#include "kvm.h"
#include "mote/log.h"

#define KVM_PATH "/dev/kvm"

/* clang-format off */
static const struct kvm_cap {
    u32 cap;
    const char *name;
} kvm_caps[] = {
    {KVM_CAP_USER_MEMORY,           "memory slots"},
    {KVM_CAP_DESTROY_MEMORY_REGION_WORKS, "deleting memory slots"},
    {KVM_CAP_IRQCHIP,               "in-kernel interrupt controllers"},
    {KVM_CAP_IRQ_ROUTING,           "interrupt routing"},
    {KVM_CAP_IRQFD,                 "irqfd"},
    {KVM_CAP_EXT_CPUID,             "CPUID configuration"},
    {KVM_CAP_SET_TSS_ADDR,          "TSS address"},
    {KVM_CAP_SET_IDENTITY_MAP_ADDR, "identity map address"},
    {KVM_CAP_MP_STATE,              "MP state"},
    {KVM_CAP_VCPU_EVENTS,           "vCPU events"},
    {KVM_CAP_DEBUGREGS,             "debug registers"},
    {KVM_CAP_XSAVE,                 "XSAVE state"},
    {KVM_CAP_XCRS,                  "XCR0"},
    {KVM_CAP_IMMEDIATE_EXIT,        "immediate exit"},
};
/* clang-format on */

/* CPUID 1.ECX.VMX, 80000001.ECX.SVM: SDM vol. 2A, APM vol. 3. */
static bool kvm_host_has_virt(void)
{
    unsigned int a, b, c, d;

    if (__get_cpuid(1, &a, &b, &c, &d) && (c & (1u << 5)))
        return true;
    return __get_cpuid(0x80000001, &a, &b, &c, &d) && (c & (1u << 2));
}

static int kvm_why_absent(int err, char *why, size_t len)
{
    if (kvm_host_has_virt())
        snprintf(why, len,
                 "no " KVM_PATH ": load the module kvm_intel or kvm_amd");
    else
        snprintf(why, len,
                 "no " KVM_PATH ", and this processor shows neither VT-x nor "
                 "AMD-V: enable them in the firmware, or nested "
                 "virtualization if this is a VM");
    return err;
}

/* Who may open it, and what to do about not being one of them. */
static int kvm_why_denied(int err, char *why, size_t len)
{
    const struct passwd *pw;
    const struct group *gr;
    const char *group;
    char gid[16];
    struct stat st;

    if (stat(KVM_PATH, &st) < 0) {
        snprintf(why, len, "permission denied on " KVM_PATH);
        return err;
    }
    pw = getpwuid(st.st_uid); /* NOLINT(concurrency-mt-unsafe): no thread yet */
    gr = getgrgid(st.st_gid); /* NOLINT(concurrency-mt-unsafe): no thread yet */
    snprintf(gid, sizeof(gid), "%u", (unsigned int)st.st_gid);
    group = gr ? gr->gr_name : gid;
    if (st.st_mode & S_IWGRP)
        snprintf(why, len,
                 "not permitted: " KVM_PATH " is %.32s:%.32s, mode %04o; "
                 "add the user to group %.32s",
                 pw ? pw->pw_name : "?", group, st.st_mode & 07777, group);
    else
        snprintf(why, len,
                 "not permitted: " KVM_PATH " is %.32s:%.32s, mode %04o; "
                 "chgrp kvm and chmod 0660 it",
                 pw ? pw->pw_name : "?", group, st.st_mode & 07777);
    return err;
}

static int kvm_why_not_open(int err, char *why, size_t len)
{
    switch (err) {
    case -ENOENT:
    case -ENXIO:
    case -ENODEV:
        return kvm_why_absent(err, why, len);
    case -EACCES:
    case -EPERM:
        return kvm_why_denied(err, why, len);
    default:
        snprintf(why, len, KVM_PATH ": %s (%s)", strerrordesc_np(-err),
                 errno_name(-err));
        return err;
    }
}

static int kvm_check(int fd, char *why, size_t len)
{
    int version = ioctl(fd, KVM_GET_API_VERSION, 0);

    if (version != KVM_API_VERSION) {
        snprintf(why, len, KVM_PATH " has API version %d, not %d", version,
                 KVM_API_VERSION);
        return -EPROTO;
    }
    for (size_t i = 0; i < ARRAY_SIZE(kvm_caps); i++) {
        if (ioctl(fd, KVM_CHECK_EXTENSION, kvm_caps[i].cap) <= 0) {
            snprintf(why, len,
                     "this kernel's KVM is too old, it lacks %s "
                     "(Linux 4.13 has all that is needed)",
                     kvm_caps[i].name);
            return -EOPNOTSUPP;
        }
    }
    return 0;
}

void kvm_open(struct kvm_file *out)
{
    size_t len = sizeof(out->why);
    int r;

    out->fd = open(KVM_PATH, O_RDWR | O_CLOEXEC);
    if (out->fd < 0) {
        out->fd = kvm_why_not_open(-errno, out->why, len);
        return;
    }
    r = kvm_check(out->fd, out->why, len);
    if (r < 0) {
        close(out->fd);
        out->fd = r;
    }
}

void kvm_close(struct kvm_file *kvm)
{
    if (kvm->fd >= 0)
        close(kvm->fd);
    kvm->fd = -EBADF;
}

int kvm_create_vm(int fd, char *why, size_t len)
{
    int vm_fd, r;

    do
        vm_fd = ioctl(fd, KVM_CREATE_VM, 0ul);
    while (vm_fd < 0 && errno == EINTR);
    if (vm_fd >= 0)
        return vm_fd;
    r = -errno;
    if (r == -EBUSY)
        snprintf(why, len,
                 "busy: another hypervisor on this host holds VT-x or AMD-V");
    else if (r == -EOPNOTSUPP || r == -EIO || r == -ENODEV)
        snprintf(why, len, "VT-x or AMD-V is disabled by the firmware (%s)",
                 errno_name(-r));
    else
        snprintf(why, len, "no new VM: %s (%s)", strerrordesc_np(-r),
                 errno_name(-r));
    return r;
}
