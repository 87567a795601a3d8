/* SPDX-License-Identifier: Apache-2.0 */
/* kvm.c: a VM of KVM: memory slots, in-kernel irqchip, irqfds, its vCPUs. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kvm.h"
#include "mote/log.h"

/* Three pages for a TSS and one page for an identity map, which KVM wants on
 * Intel processors without unrestricted guest mode; between the IOAPIC and
 * the LAPIC nobody else claims anything. */
#define KVM_TSS_GPA      0xfffbd000ull
#define KVM_IDENTITY_GPA 0xfffbc000ull

/* ---- memory ----------------------------------------------------------- */

static int kvm_slot_set(struct kvm *k, unsigned int slot, bool present)
{
    const struct mem_region *r = &k->env.mem->region[slot];
    struct kvm_userspace_memory_region m = {
        .slot = slot,
        .guest_phys_addr = r->gpa,
        .memory_size = present ? r->size : 0,
        .userspace_addr = (u64)(uintptr_t)r->host_base,
    };

    if (ioctl(k->vm_fd, KVM_SET_USER_MEMORY_REGION, &m) < 0)
        return fail(-errno, "kvm: memory slot %u at %#llx", slot,
                    (unsigned long long)r->gpa);
    return 0;
}

static int kvm_slots_set(struct kvm *k, bool present)
{
    int r = 0;

    for (unsigned int i = 0; i < k->env.mem->nr_regions && r == 0; i++)
        r = kvm_slot_set(k, i, present);
    return r;
}

void kvm_gate_enter(struct kvm *k)
{
    if (!k->quirks.shadow)
        return;
    pthread_mutex_lock(&k->gate.mutex);
    while (k->gate.closed)
        pthread_cond_wait(&k->gate.cond, &k->gate.mutex);
    k->gate.inside++;
    pthread_mutex_unlock(&k->gate.mutex);
}

void kvm_gate_leave(struct kvm *k)
{
    if (!k->quirks.shadow)
        return;
    pthread_mutex_lock(&k->gate.mutex);
    k->gate.inside--;
    if (k->gate.closed && k->gate.inside == 0)
        pthread_cond_broadcast(&k->gate.cond);
    pthread_mutex_unlock(&k->gate.mutex);
}

/* Wait until it is our turn and nobody is in KVM_RUN any more. */
static void kvm_gate_close(struct kvm *k)
{
    pthread_mutex_lock(&k->gate.mutex);
    while (k->gate.closed)
        pthread_cond_wait(&k->gate.cond, &k->gate.mutex);
    k->gate.closed = true;
    for (unsigned int i = 0; k->gate.inside && i < k->env.cpus; i++)
        if (k->vcpu[i])
            kvm_kick_out(k->vcpu[i]);
    while (k->gate.inside)
        pthread_cond_wait(&k->gate.cond, &k->gate.mutex);
    pthread_mutex_unlock(&k->gate.mutex);
}

static void kvm_gate_open(struct kvm *k)
{
    pthread_mutex_lock(&k->gate.mutex);
    k->gate.closed = false;
    pthread_cond_broadcast(&k->gate.cond);
    pthread_mutex_unlock(&k->gate.mutex);
}

/*
 * A KVM without nested paging learns of changed page tables by trapping the
 * guest's own stores. Ours go past it, and no flush makes it look again; only
 * a deleted memory slot takes all its shadow pages along.
 */
int kvm_page_tables_written(struct engine *e)
{
    struct kvm *k = kvm_of(e);
    int r;

    if (!k->quirks.shadow)
        return 0;
    kvm_gate_close(k);
    r = kvm_slots_set(k, false);
    if (r == 0)
        r = kvm_slots_set(k, true);
    kvm_gate_open(k);
    return r < 0 ? r : 1;
}

/* ---- interrupts ------------------------------------------------------- */

/* Pins of the IOAPIC only: the PIC that comes with the irqchip stays
 * unconnected, as on a machine without one. */
static int kvm_route(struct kvm *k)
{
    struct { /* struct kvm_irq_routing */
        u32 nr, flags;
        struct kvm_irq_routing_entry entry[KVM_GSI_NR];
    } route = {.nr = KVM_GSI_NR};

    for (u32 i = 0; i < KVM_GSI_NR; i++)
        route.entry[i] = (struct kvm_irq_routing_entry){
            .gsi = i,
            .type = KVM_IRQ_ROUTING_IRQCHIP,
            .u.irqchip = {.irqchip = KVM_IRQCHIP_IOAPIC, .pin = i},
        };
    if (ioctl(k->vm_fd, KVM_SET_GSI_ROUTING, &route) < 0)
        return fail(-errno, "kvm: interrupt routing");
    return 0;
}

static int kvm_irqchip_new(struct kvm *k)
{
    u64 identity = KVM_IDENTITY_GPA;

    if (ioctl(k->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0)
        return fail(-errno, "kvm: identity map address");
    if (ioctl(k->vm_fd, KVM_SET_TSS_ADDR, KVM_TSS_GPA) < 0)
        return fail(-errno, "kvm: TSS address");
    if (ioctl(k->vm_fd, KVM_CREATE_IRQCHIP) < 0)
        return fail(-errno, "kvm: interrupt controllers");
    return kvm_route(k);
}

/* An edge: KVM raises and lowers the pin for each write. The counter cannot
 * overflow, since the kernel empties it; a full one is an edge under way. */
static void kvm_irq_raise(struct irq *irq)
{
    u64 one = 1;
    ssize_t n = write(irq->fd, &one, sizeof(one));

    (void)n;
}

static void kvm_irq_lower(struct irq *irq)
{
    (void)irq;
}

static const struct irq_ops kvm_irq_ops = {
    .raise = kvm_irq_raise,
    .lower = kvm_irq_lower,
};

static int kvm_irq_connect(struct engine *e, struct irq *irq, u32 gsi)
{
    struct kvm *k = kvm_of(e);
    struct kvm_irqfd irqfd = {.gsi = gsi};
    int fd;

    assert(gsi < KVM_GSI_NR && k->irqfd[gsi] < 0);
    fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return fail(-errno, "kvm: eventfd of interrupt %u", gsi);
    irqfd.fd = (u32)fd;
    if (ioctl(k->vm_fd, KVM_IRQFD, &irqfd) < 0) {
        int r = fail(-errno, "kvm: irqfd of interrupt %u", gsi);

        close(fd);
        return r;
    }
    k->irqfd[gsi] = fd;
    *irq = (struct irq){.ops = &kvm_irq_ops, .ctx = k, .gsi = gsi, .fd = fd};
    return 0;
}

/* Where KVM has no ioeventfd the write exits to the bus, as any other. */
static int kvm_notify_connect(struct engine *e, u64 gpa, u32 value, int fd)
{
    struct kvm *k = kvm_of(e);
    struct kvm_ioeventfd io = {.addr = gpa,
                               .len = 4,
                               .datamatch = value,
                               .fd = fd,
                               .flags = KVM_IOEVENTFD_FLAG_DATAMATCH};

    if (ioctl(k->vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_IOEVENTFD) <= 0)
        return 0;
    if (ioctl(k->vm_fd, KVM_IOEVENTFD, &io) < 0)
        return fail(-errno, "kvm: ioeventfd %u at 0x%llx", value,
                    (unsigned long long)gpa);
    return 0;
}

/* ---- vCPUs ------------------------------------------------------------ */

static void kvm_vcpu_free(struct engine_vcpu *ev)
{
    struct kvm_vcpu *v = kvm_vcpu_of(ev);

    if (!v)
        return;
    v->kvm->vcpu[v->id] = NULL;
    free(v->xsave);
    munmap(v->run, v->kvm->run_size);
    close(v->fd);
    free(v);
}

static int kvm_vcpu_open(struct kvm_vcpu *v)
{
    int r;

    v->fd = ioctl(v->kvm->vm_fd, KVM_CREATE_VCPU, (unsigned long)v->id);
    if (v->fd < 0)
        return fail(-errno, "kvm: vCPU %u", v->id);
    v->run = mmap(NULL, v->kvm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
                  v->fd, 0);
    if (v->run == MAP_FAILED) {
        r = fail(-errno, "kvm: vCPU %u: shared page", v->id);
        close(v->fd);
        return r;
    }
    return 0;
}

static int kvm_vcpu_new(struct engine *e, struct engine_vcpu **out,
                        unsigned int id)
{
    struct kvm *k = kvm_of(e);
    struct kvm_vcpu *v = calloc(1, sizeof(*v));
    int r;

    assert(id < k->env.cpus && !k->vcpu[id]);
    if (!v)
        return fail(-ENOMEM, "kvm: vCPU %u", id);
    v->kvm = k;
    v->id = id;
    v->xsave = calloc(1, k->xsave_size);
    if (!v->xsave) {
        r = fail(-ENOMEM, "kvm: vCPU %u", id);
        goto free_vcpu;
    }
    r = kvm_vcpu_open(v);
    if (r < 0)
        goto free_xsave;
    k->vcpu[id] = v;
    *out = (struct engine_vcpu *)v;
    r = kvm_cpuid_set(v);
    if (r == 0)
        r = kvm_msrs_boot(v);
    if (r < 0)
        kvm_vcpu_free(*out);
    return r;

free_xsave:
    free(v->xsave);
free_vcpu:
    free(v);
    return r;
}

/* kvm_page_tables_written() moves memory slots and kicks. */
static void kvm_filter(const struct engine_vcpu *ev, struct filter *out)
{
    const struct kvm_vcpu *v = (const struct kvm_vcpu *)ev;
    bool shadow = v->kvm->quirks.shadow;

    *out = (struct filter){
        .kind = shadow ? FILTER_VCPU_SHADOW : FILTER_VCPU_KVM,
        .nr_fds = shadow ? 2 : 1,
        .fd = {v->fd, v->kvm->vm_fd},
    };
}

/* ---- the VM ----------------------------------------------------------- */

static void kvm_stats(struct engine *e, struct engine_stats *out)
{
    struct kvm *k = kvm_of(e);

    *out = (struct engine_stats){0};
    for (unsigned int i = 0; i < k->env.cpus; i++) {
        const struct kvm_vcpu *v = k->vcpu[i];

        if (!v)
            continue;
        out->exits += atomic_load(&v->exits);
        out->pio_in += atomic_load(&v->pio_in);
        out->pio_out += atomic_load(&v->pio_out);
        out->mmio_read += atomic_load(&v->mmio_read);
        out->mmio_write += atomic_load(&v->mmio_write);
    }
}

static void kvm_free(struct engine *e)
{
    struct kvm *k = kvm_of(e);

    for (unsigned int i = 0; i < KVM_GSI_NR; i++)
        if (k->irqfd[i] >= 0)
            close(k->irqfd[i]);
    pthread_cond_destroy(&k->gate.cond);
    pthread_mutex_destroy(&k->gate.mutex);
    close(k->vm_fd);
    free(k);
}

static const struct engine_ops kvm_ops = {
    .name = "kvm",
    .partial = true,
    .vcpu_new = kvm_vcpu_new,
    .vcpu_free = kvm_vcpu_free,
    .filter = kvm_filter,
    .run = kvm_run,
    .kick = kvm_kick,
    .get_state = kvm_get_state,
    .set_state = kvm_set_state,
    .irq_connect = kvm_irq_connect,
    .notify_connect = kvm_notify_connect,
    .page_tables_written = kvm_page_tables_written,
    .stats = kvm_stats,
    .free = kvm_free,
};

static int kvm_enable(struct kvm *k, u32 cap, u64 arg, const char *what)
{
    struct kvm_enable_cap enable = {.cap = cap, .args = {arg}};

    if (ioctl(k->vm_fd, KVM_CHECK_EXTENSION, cap) <= 0)
        return 0;
    if (ioctl(k->vm_fd, KVM_ENABLE_CAP, &enable) < 0)
        return fail(-errno, "kvm: %s", what);
    return 0;
}

/* Sizes and optional features. Without the exit on emulation failure, KVM
 * answers what it cannot run at CPL 3 with #UD by itself (Linux < 5.19). */
static int kvm_features(struct kvm *k)
{
    int n = ioctl(k->fd, KVM_GET_VCPU_MMAP_SIZE, 0), r;

    if (n < (int)sizeof(struct kvm_run))
        return fail(n < 0 ? -errno : -EPROTO, "kvm: size of a vCPU's page");
    k->run_size = (u32)n;
    n = ioctl(k->vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_XSAVE2);
    k->has_xsave2 = n > 0;
    k->xsave_size = (u32)MAX(n, (int)sizeof(struct kvm_xsave));
    n = ioctl(k->vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_SYNC_REGS);
    k->sync = n > 0 ? (u32)n & KVM_SYNC_ALL : 0;
    r = kvm_enable(k, KVM_CAP_EXIT_ON_EMULATION_FAILURE, 1,
                   "exit on emulation failure");
    if (r < 0)
        return r;
    r = kvm_cpuid_init(k);
    return r < 0 ? r : kvm_msrs_init(k);
}

static int kvm_check_cpus(const struct kvm *k)
{
    int max = ioctl(k->vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);

    assert(k->env.cpus >= 1 && k->env.cpus <= ENGINE_VCPU_MAX);
    if (max > 0 && k->env.cpus > (unsigned int)max)
        return fail_rule(-EINVAL, "kvm: %u vCPUs, this host allows %d",
                         k->env.cpus, max);
    return 0;
}

static int kvm_build(struct kvm *k)
{
    int r = kvm_check_cpus(k);

    if (r == 0)
        r = kvm_features(k);
    if (r == 0)
        r = kvm_irqchip_new(k);
    if (r == 0)
        r = kvm_slots_set(k, true);
    if (r == 0)
        r = kvm_kick_init();
    return r;
}

int engine_kvm_new(struct engine **out, const struct engine_env *env)
{
    struct kvm *k = calloc(1, sizeof(*k));
    char why[KVM_WHY_MAX];
    int r;

    if (!k)
        return fail(-ENOMEM, "kvm");
    k->engine.ops = &kvm_ops;
    k->env = *env;
    k->pid = getpid();
    pthread_mutex_init(&k->gate.mutex, NULL);
    pthread_cond_init(&k->gate.cond, NULL);
    for (unsigned int i = 0; i < KVM_GSI_NR; i++)
        k->irqfd[i] = -1;
    k->fd = env->kvm->fd;
    kvm_probe_quirks(k->fd, &k->quirks);
    k->vm_fd = kvm_create_vm(k->fd, why, sizeof(why));
    if (k->vm_fd < 0) {
        r = fail_rule(k->vm_fd, "kvm: %s", why);
        goto free_kvm;
    }
    r = kvm_build(k);
    if (r < 0)
        goto close_vm;
    *out = &k->engine;
    return 0;

close_vm:
    close(k->vm_fd);
free_kvm:
    pthread_cond_destroy(&k->gate.cond);
    pthread_mutex_destroy(&k->gate.mutex);
    free(k);
    return r;
}
