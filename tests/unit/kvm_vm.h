/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kvm_vm.h: a small VM on the real /dev/kvm for unit tests. 16 MiB of RAM,
 * mapped one to one for CPL 0 and 3 by 2 MiB pages up to 4 GiB; a device at
 * port TVM_PORT and address TVM_MMIO records what the guest does to it, and a
 * byte to its last address makes run() return.
 */
#ifndef MOTE_TEST_KVM_VM_H
#define MOTE_TEST_KVM_VM_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mote/engine.h"
#include "mote/interp.h"
#include "mote/poll.h"
#include "mote/power.h"

#define TVM_PORT  0x500
#define TVM_DONE  0x50f
#define TVM_MMIO  0xd0000000ull
#define TVM_LEN   16
#define TVM_CODE  0x10000ull
#define TVM_STACK 0x20000ull
#define TVM_PML4  0x1000ull
#define TVM_PDPT  0x2000ull
#define TVM_PD    0x3000ull /* four pages */
#define TVM_LOG   4096

/* Guest code, written as assembly: guest_NAME to guest_NAME_end. */
#define GUEST(name, code)                                                      \
    __asm__(".pushsection .rodata\nguest_" #name ":\n" code "\nguest_" #name   \
            "_end:\n.code64\n.popsection");                                    \
    extern const u8 guest_##name[], guest_##name##_end[]

#define GUEST_DONE "mov $0x50f, %edx\n out %al, %dx\n jmp .\n"

struct tvm_access {
    u8 space, write, size;
    u16 off;
    u64 val;
};

struct tvm {
    struct mem *mem;
    struct bus bus;
    struct kvm_file kvm;
    struct engine *engine;
    struct engine_vcpu *vcpu[ENGINE_VCPU_MAX];
    unsigned int cpus;   /* how many of them exist */
    struct power *power; /* told at TVM_DONE, instead of a kick */
    struct tvm_dev {
        struct tvm *vm;
        u8 space;
    } dev[2];
    _Atomic(unsigned int) nr;
    struct tvm_access log[TVM_LOG];
};

/* False, and "skip" said, when this host cannot do it and need not. */
static inline bool tvm_have_kvm(void)
{
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

    if (fd >= 0) {
        close(fd);
        return true;
    }
    unit_skip("kvm", "/dev/kvm cannot be opened");
    return false;
}

static inline void tvm_note(const struct tvm_dev *d, bool write, u64 off,
                            unsigned int size, u64 val)
{
    unsigned int n = atomic_load(&d->vm->nr);

    if (n == TVM_LOG)
        return;
    d->vm->log[n] =
        (struct tvm_access){d->space, write, (u8)size, (u16)off, val};
    atomic_store(&d->vm->nr, n + 1);
}

/* Reads give 0x80 + offset in every byte. */
static inline u64 tvm_read(void *dev, u64 off, unsigned int size)
{
    u64 val = 0;

    for (unsigned int i = 0; i < size; i++)
        val |= (0x80 + off + i) << i * 8;
    tvm_note(dev, false, off, size, val);
    return val;
}

static inline void tvm_write(void *dev, u64 off, unsigned int size, u64 val)
{
    struct tvm_dev *d = dev;

    if (off == TVM_LEN - 1 && d->vm->power)
        power_end(d->vm->power, POWER_EXIT_PORT, (u32)val);
    else if (off == TVM_LEN - 1)
        d->vm->engine->ops->kick(d->vm->vcpu[0]);
    if (off != TVM_LEN - 1 || d->space == BUS_MMIO)
        tvm_note(dev, true, off, size, val);
}

static const struct bus_ops tvm_ops = {.read = tvm_read, .write = tvm_write};

static inline void tvm_tables(struct mem *m)
{
    u64 e = TVM_PDPT | 7;

    mem_write(m, TVM_PML4, &e, 8);
    for (u64 i = 0; i < 4; i++) {
        e = (TVM_PD + i * PAGE_SIZE) | 7;
        mem_write(m, TVM_PDPT + i * 8, &e, 8);
    }
    for (u64 i = 0; i < 2048; i++) {
        e = i * 2 * MIB | 0x87;
        mem_write(m, TVM_PD + i * 8, &e, 8);
    }
}

/* Without vCPUs. */
static inline struct tvm *tvm_new_board(unsigned int cpus)
{
    struct tvm *t = calloc(1, sizeof(*t));

    ck_assert_ptr_nonnull(t);
    ck_assert_int_eq(mem_new(&t->mem, 16 * MIB), 0);
    bus_init(&t->bus);
    for (u8 i = 0; i < 2; i++)
        t->dev[i] = (struct tvm_dev){t, i};
    bus_add(&t->bus, BUS_PIO, TVM_PORT, TVM_LEN, "pio", &tvm_ops,
            &t->dev[BUS_PIO]);
    bus_add(&t->bus, BUS_MMIO, TVM_MMIO, TVM_LEN, "mmio", &tvm_ops,
            &t->dev[BUS_MMIO]);
    kvm_open(&t->kvm);
    ck_assert_msg(t->kvm.fd >= 0, "%s", t->kvm.why);
    ck_assert_int_eq(
        engine_kvm_new(&t->engine, &(struct engine_env){t->mem, &t->bus, cpus,
                                                        &t->kvm, POLL_MAX_NS}),
        0);
    tvm_tables(t->mem);
    return t;
}

static inline struct tvm *tvm_new(unsigned int cpus)
{
    struct tvm *t = tvm_new_board(cpus);

    for (; t->cpus < cpus; t->cpus++)
        ck_assert_int_eq(
            t->engine->ops->vcpu_new(t->engine, &t->vcpu[t->cpus], t->cpus), 0);
    return t;
}

static inline void tvm_free(struct tvm *t)
{
    for (unsigned int i = 0; i < t->cpus; i++)
        t->engine->ops->vcpu_free(t->vcpu[i]);
    t->engine->ops->free(t->engine);
    kvm_close(&t->kvm);
    mem_free(t->mem);
    free(t);
}

/* 64-bit mode at TVM_CODE; everything else as at reset. */
static inline void tvm_state(struct cpu_state *s, u8 cpl)
{
    struct cpu_seg code = {
        .limit = ~0u,
        .sel = 8 | cpl,
        .type = 11,
        .s = 1,
        .dpl = cpl,
        .present = 1,
        .l = 1,
        .g = 1,
    };
    struct cpu_seg data = code;

    cpu_state_reset(s, 0);
    data.sel = 16 | cpl;
    data.type = 3;
    data.l = 0;
    data.db = 1;
    for (unsigned int i = 0; i < SEG_NR; i++)
        s->seg[i] = i == SEG_CS ? code : data;
    s->cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
    s->cr3 = TVM_PML4;
    s->cr4 = CR4_PAE | CR4_OSFXSR;
    s->efer = EFER_LME | EFER_LMA;
    s->rip = TVM_CODE;
    s->rflags = RFLAGS_ONE;
    s->gpr[GPR_RSP] = TVM_STACK;
    s->idt = (struct cpu_table){0, 0};
}

static inline void tvm_load(struct tvm *t, u64 gpa, const u8 *code,
                            const u8 *end)
{
    ck_assert_int_eq(mem_write(t->mem, gpa, code, (u64)(end - code)), 0);
}
#define tvm_code(t, name)                                                      \
    tvm_load(t, TVM_CODE, guest_##name, guest_##name##_end)

static inline void tvm_set(struct tvm *t, const struct cpu_state *s)
{
    ck_assert_int_eq(t->engine->ops->set_state(t->vcpu[0], s, CPU_ALL), 0);
}

static inline enum vcpu_exit_reason tvm_run(struct tvm *t, struct vcpu_exit *x)
{
    t->engine->ops->run(t->vcpu[0], x);
    return x->reason;
}

/* A VM of one vCPU with code in place and its state in *s. */
#define tvm_new_with(name, s)                                                  \
    ({                                                                         \
        struct tvm *with_t = tvm_new(1);                                       \
        tvm_code(with_t, name);                                                \
        tvm_state((s), 0);                                                     \
        tvm_set(with_t, (s));                                                  \
        with_t;                                                                \
    })

#endif
