/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe.c: what is this KVM good for? A scratch VM of 64 KiB answers by doing:
 * how fast does CPL 0 run, does KVM see a page table that changed, and does
 * SYSCALL lead to CPL 0?
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kvm.h"
#include "mote/clock.h"
#include "mote/log.h"

#define SCRATCH_SIZE   0x10000ull
#define SCRATCH_PML4   0x1000ull
#define SCRATCH_PDPT   0x2000ull
#define SCRATCH_PD     0x3000ull
#define SCRATCH_PT     0x4000ull /* identity, for the whole scratch memory */
#define SCRATCH_PML4_B 0x5000ull /* the same tree under another root */
#define SCRATCH_PT_A   0x6000ull /* two tables for SCRATCH_VA, one ... */
#define SCRATCH_PT_B   0x7000ull /* ... or the other in the PD */
#define SCRATCH_CODE   0x8000ull
#define SCRATCH_PAGE_A 0x9000ull
#define SCRATCH_PAGE_B 0xa000ull
#define SCRATCH_LSTAR  0xb000ull
#define SCRATCH_VA     0x200000ull /* second entry of the PD */
#define SCRATCH_MMIO   0x100000ull /* mapped, but nothing is there */

#define PTE_USER 7ull /* present, writable, user */

/* Slower than this is an interpreter in the host kernel. */
#define PROBE_MIPS_MIN 20.0
#define PROBE_SLOW_NS  100000
#define PROBE_LOOP_MAX (1u << 20)
#define PROBE_TRIES    3

struct scratch {
    int vm_fd, vcpu_fd;
    size_t run_size;
    struct kvm_run *run;
    u8 *mem;
};

/* loop: dec rcx; jnz loop;  mov al, [rdi]; mov [rsi], al; jmp loop
 * A store to SCRATCH_MMIO is how the guest returns, at any CPL. */
static const u8 scratch_code[] = {0x48, 0xff, 0xc9, 0x75, 0xfb, 0x8a,
                                  0x07, 0x88, 0x06, 0xeb, 0xf5};

/* syscall; and behind LSTAR: mov [rsi], al; jmp . */
static const u8 scratch_syscall[] = {0x0f, 0x05};
static const u8 scratch_lstar[] = {0x88, 0x06, 0xeb, 0xfe};

static void scratch_entry(struct scratch *s, u64 table, u64 index, u64 gpa)
{
    le64_put(s->mem + table + index * 8, gpa | PTE_USER);
}

static void scratch_fill(struct scratch *s)
{
    scratch_entry(s, SCRATCH_PML4, 0, SCRATCH_PDPT);
    scratch_entry(s, SCRATCH_PML4_B, 0, SCRATCH_PDPT);
    scratch_entry(s, SCRATCH_PDPT, 0, SCRATCH_PD);
    scratch_entry(s, SCRATCH_PD, 0, SCRATCH_PT);
    scratch_entry(s, SCRATCH_PD, 1, SCRATCH_PT_A);
    for (u64 gpa = 0; gpa < SCRATCH_SIZE; gpa += PAGE_SIZE)
        scratch_entry(s, SCRATCH_PT, gpa / PAGE_SIZE, gpa);
    scratch_entry(s, SCRATCH_PT, SCRATCH_MMIO / PAGE_SIZE, SCRATCH_MMIO);
    scratch_entry(s, SCRATCH_PT_A, 0, SCRATCH_PAGE_A);
    scratch_entry(s, SCRATCH_PT_B, 0, SCRATCH_PAGE_B);
    s->mem[SCRATCH_PAGE_A] = 'A';
    s->mem[SCRATCH_PAGE_B] = 'B';
    memcpy(s->mem + SCRATCH_CODE, scratch_code, sizeof(scratch_code));
}

static void scratch_fini(struct scratch *s)
{
    if (s->run)
        munmap(s->run, s->run_size);
    if (s->vcpu_fd >= 0)
        close(s->vcpu_fd);
    if (s->vm_fd >= 0)
        close(s->vm_fd);
    if (s->mem)
        munmap(s->mem, SCRATCH_SIZE);
}

static int scratch_memory(struct scratch *s)
{
    struct kvm_userspace_memory_region slot = {.memory_size = SCRATCH_SIZE};
    void *p = mmap(NULL, SCRATCH_SIZE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        return -errno;
    s->mem = p;
    scratch_fill(s);
    slot.userspace_addr = (u64)(uintptr_t)p;
    if (ioctl(s->vm_fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
        return -errno;
    return 0;
}

static int scratch_vcpu(struct scratch *s, int fd)
{
    int size = ioctl(fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    void *p;

    if (size < (int)sizeof(struct kvm_run))
        return size < 0 ? -errno : -EPROTO;
    s->vcpu_fd = ioctl(s->vm_fd, KVM_CREATE_VCPU, 0ul);
    if (s->vcpu_fd < 0)
        return -errno;
    s->run_size = (size_t)size;
    p = mmap(NULL, s->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, s->vcpu_fd,
             0);
    if (p == MAP_FAILED)
        return -errno;
    s->run = p;
    return 0;
}

/* 64-bit mode at the given CPL on the page tables at cr3. */
static int scratch_mode(struct scratch *s, u64 cr3, u8 cpl)
{
    struct kvm_segment code = {
        .limit = ~0u,
        .selector = 8 | cpl,
        .type = 11,
        .present = 1,
        .dpl = cpl,
        .s = 1,
        .l = 1,
        .g = 1,
    };
    struct kvm_segment data = code;
    struct kvm_sregs sr;

    if (ioctl(s->vcpu_fd, KVM_GET_SREGS, &sr) < 0)
        return -errno;
    data.selector = 16 | cpl;
    data.type = 3;
    data.l = 0;
    data.db = 1;
    sr.cs = code;
    sr.ds = sr.es = sr.fs = sr.gs = sr.ss = data;
    sr.cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
    sr.cr3 = cr3;
    sr.cr4 = CR4_PAE;
    sr.efer = EFER_LME | EFER_LMA | EFER_SCE;
    return ioctl(s->vcpu_fd, KVM_SET_SREGS, &sr) < 0 ? -errno : 0;
}

static int scratch_init(struct scratch *s, int fd, char *why, size_t len)
{
    int r;

    *s = (struct scratch){.vcpu_fd = -1};
    s->vm_fd = kvm_create_vm(fd, why, len);
    if (s->vm_fd < 0)
        return s->vm_fd;
    r = scratch_memory(s);
    if (r == 0)
        r = scratch_vcpu(s, fd);
    if (r < 0)
        snprintf(why, len, "scratch VM: %s (%s)", strerrordesc_np(-r),
                 errno_name(-r));
    assert(r < 0 || (s->mem && s->run)); /* clang-tidy thinks of errno = 0 */
    return r;
}

/* Run the code for n turns. The byte it read at SCRATCH_VA, or an error. */
static int scratch_run(struct scratch *s, u64 n)
{
    struct kvm_regs regs = {
        .rip = SCRATCH_CODE,
        .rflags = RFLAGS_ONE,
        .rcx = n,
        .rdi = SCRATCH_VA,
        .rsi = SCRATCH_MMIO,
    };

    if (ioctl(s->vcpu_fd, KVM_SET_REGS, &regs) < 0 ||
        ioctl(s->vcpu_fd, KVM_RUN, 0) < 0)
        return -errno;
    if (s->run->exit_reason != KVM_EXIT_MMIO || !s->run->mmio.is_write)
        return -ENOTSUP;
    return s->run->mmio.data[0];
}

/* The store is complete only after one more entry, which stops at once. */
static void scratch_finish(struct scratch *s)
{
    s->run->immediate_exit = 1;
    (void)ioctl(s->vcpu_fd, KVM_RUN, 0);
    s->run->immediate_exit = 0;
}

/* ---- speed ------------------------------------------------------------ */

/* Nanoseconds of this thread for n turns, or a negative errno. Others that run
 * in between do not make a KVM slow. */
static s64 probe_time(struct scratch *s, u64 n)
{
    u64 start = clock_now_ns(CLOCK_THREAD_CPUTIME_ID), end;
    int r = scratch_run(s, n);

    end = clock_now_ns(CLOCK_THREAD_CPUTIME_ID);
    scratch_finish(s);
    return r < 0 ? r : (s64)(end - start);
}

/*
 * Two instructions a turn. The number of turns grows until a run is long
 * against an exit, so that this costs as little on a slow KVM as on a fast
 * one. What seems slow may have been disturbed, and is tried again.
 */
static int probe_speed(struct scratch *s, double *mips)
{
    s64 ns = probe_time(s, 16); /* warm */
    unsigned int tries = 0;
    u64 n = 128;
    double now;

    *mips = 0;
    while (ns >= 0 && tries < PROBE_TRIES && *mips < PROBE_MIPS_MIN) {
        ns = probe_time(s, n);
        if (ns < PROBE_SLOW_NS && n < PROBE_LOOP_MAX) {
            n *= 8;
            continue;
        }
        now = (double)(2 * n) * 1e3 / (double)(ns + 1);
        *mips = MAX(*mips, now);
        tries++;
    }
    return ns < 0 ? (int)ns : 0;
}

/* ---- shadow page tables ----------------------------------------------- */

/*
 * At CPL 3, read through a page directory entry; change the entry from here,
 * as the interpreter would, go to another root, which flushes the TLB, and
 * read again. A KVM that walks the guest's tables by hardware sees the new
 * page; one that shadows them did not notice.
 */
static bool probe_shadow(struct scratch *s)
{
    int was, is;

    if (scratch_mode(s, SCRATCH_PML4, 3) < 0)
        return true;
    was = scratch_run(s, 1);
    scratch_finish(s);
    scratch_entry(s, SCRATCH_PD, 1, SCRATCH_PT_B);
    if (scratch_mode(s, SCRATCH_PML4_B, 3) < 0)
        return true;
    is = scratch_run(s, 1);
    return was != 'A' || is != 'B';
}

/* ---- SYSCALL ---------------------------------------------------------- */

static int scratch_msrs(struct scratch *s)
{
    struct { /* struct kvm_msrs */
        u32 nmsrs, padding;
        struct kvm_msr_entry entry[2];
    } msrs = {
        .nmsrs = 2,
        .entry = {{.index = MSR_STAR, .data = 0x0013000800000000},
                  {.index = MSR_LSTAR, .data = SCRATCH_LSTAR}},
    };

    return ioctl(s->vcpu_fd, KVM_SET_MSRS, &msrs) == 2 ? 0 : -EIO;
}

/* At which CPL is the code behind LSTAR? */
static bool probe_syscall(struct scratch *s)
{
    struct kvm_sregs sr;

    memcpy(s->mem + SCRATCH_CODE, scratch_syscall, sizeof(scratch_syscall));
    memcpy(s->mem + SCRATCH_LSTAR, scratch_lstar, sizeof(scratch_lstar));
    if (scratch_mode(s, SCRATCH_PML4, 3) < 0 || scratch_msrs(s) < 0 ||
        scratch_run(s, 0) < 0 || ioctl(s->vcpu_fd, KVM_GET_SREGS, &sr) < 0)
        return false;
    return sr.cs.dpl == 3;
}

void kvm_probe_quirks(int fd, struct kvm_quirks *out)
{
    char why[KVM_WHY_MAX];
    struct scratch s;

    *out = (struct kvm_quirks){.shadow = true};
    if (scratch_init(&s, fd, why, sizeof(why)) == 0)
        out->shadow = probe_shadow(&s);
    scratch_fini(&s);
    if (scratch_init(&s, fd, why, sizeof(why)) == 0)
        out->syscall = probe_syscall(&s);
    scratch_fini(&s);
}

/* ---- the answer ------------------------------------------------------- */

static int probe_measure(struct kvm_probe *out, int fd)
{
    struct scratch s;
    int r = scratch_init(&s, fd, out->why, sizeof(out->why));

    if (r == 0) {
        r = scratch_mode(&s, SCRATCH_PML4, 0);
        if (r == 0)
            r = probe_speed(&s, &out->mips);
        if (r < 0)
            snprintf(out->why, sizeof(out->why),
                     "a test VM does not run: %s (%s)", strerrordesc_np(-r),
                     errno_name(-r));
    }
    scratch_fini(&s);
    return r;
}

void kvm_probe(const struct kvm_file *kvm, struct kvm_probe *out)
{
    *out = (struct kvm_probe){.kind = KVM_NONE};
    if (kvm->fd < 0) {
        out->err = kvm->fd;
        memcpy(out->why, kvm->why, sizeof(out->why));
        return;
    }
    out->err = probe_measure(out, kvm->fd);
    if (out->err < 0)
        return;
    out->kind = out->mips < PROBE_MIPS_MIN ? KVM_SOFTWARE : KVM_NATIVE;
    if (out->kind == KVM_NATIVE)
        snprintf(out->why, sizeof(out->why),
                 "KVM runs guest kernels at %.0f million instructions/s",
                 out->mips);
    else
        snprintf(out->why, sizeof(out->why),
                 "this host's KVM emulates guest kernels in software, %.1f "
                 "million instructions/s",
                 out->mips);
}
