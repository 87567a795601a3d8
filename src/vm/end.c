/* SPDX-License-Identifier: Apache-2.0 */
/* end.c: what is said of a machine that has ended */
#include <stdio.h>

#include "mote/log.h"
#include "mote/record.h"

#include "impl.h"

#define VM_TAIL 2048 /* bytes of the console */

/* Of a VM with a command. */
static int vm_command_status(const struct vm *vm)
{
    switch ((enum power_reason)vm->reason) {
    case POWER_SIGNAL:
        return STATUS_SIGNALED + (int)vm->value;
    case POWER_ESCAPE:
        return STATUS_SIGNALED + SIGINT;
    default:
        return session_status(vm->files.session);
    }
}

static int vm_guest_status(const struct vm *vm)
{
    switch ((enum power_reason)vm->reason) {
    case POWER_EXIT_PORT:
        return (int)((vm->value << 1 | 1) & 0xff);
    case POWER_SIGNAL:
        return vm->value == SIGHUP ? STATUS_SIGHUP : STATUS_OK;
    default:
        return STATUS_OK;
    }
}

int vm_status(const struct vm *vm)
{
    switch ((enum power_reason)vm->reason) {
    case POWER_DEADLINE:
        return STATUS_DEADLINE;
    case POWER_ENGINE_ERROR:
    case POWER_DISK_ERROR:
    case POWER_NONE:
        return STATUS_FAILURE;
    default:
        return vm->files.session ? vm_command_status(vm) : vm_guest_status(vm);
    }
}

void vm_say_reason(const struct vm *vm)
{
    static const char *const text[] = {
        [POWER_NONE] = "the event loop ended by itself",
        [POWER_OFF] = "the guest powered off",
        [POWER_RESET] = "the guest asked for a reset",
        [POWER_TRIPLE_FAULT] = "the guest ended in a triple fault",
        [POWER_EXIT_PORT] = "the guest wrote the exit port",
        [POWER_SIGNAL] = "stopped by signal",
        [POWER_ESCAPE] = "stopped by Ctrl-A x",
        [POWER_ENGINE_ERROR] = "the engine cannot go on",
        [POWER_DISK_ERROR] = "a disk failed",
        [POWER_COMMAND] = "the command has ended",
        [POWER_DEADLINE] = "deadline reached: ",
    };
    static const char *const deadlines[] = {
        [DEADLINE_BOOT] = "boot_ms",
        [DEADLINE_WALL] = "wall_ms (--timeout)",
        [DEADLINE_CPU] = "cpu_ms",
        [DEADLINE_IDLE] = "idle_ms",
    };
    char detail[48] = "";

    if (vm->reason == POWER_SIGNAL)
        snprintf(detail, sizeof(detail), " SIG%s",
                 sigabbrev_np((int)vm->value));
    else if (vm->reason == POWER_EXIT_PORT)
        snprintf(detail, sizeof(detail), ": %u", vm->value);
    else if (vm->reason == POWER_DEADLINE)
        snprintf(detail, sizeof(detail), "%s", deadlines[vm->value]);
    /* Who waits for a command is told why there is no more of it. */
    log_line(vm->reason == POWER_DEADLINE ? LOG_WARN : LOG_INFO, __FILE__,
             __LINE__, "exit: %s%s; status %d", text[vm->reason], detail,
             vm_status(vm));
}

static_assert((int)REASON_DEADLINE_IDLE - (int)REASON_DEADLINE_BOOT ==
                  (int)DEADLINE_IDLE,
              "one reason for each deadline, in their order");

static enum record_reason vm_record_reason(const struct vm *vm)
{
    static const enum record_reason reasons[] = {
        [POWER_NONE] = REASON_HOST_ERROR,
        [POWER_OFF] = REASON_GUEST_SHUTDOWN,
        [POWER_RESET] = REASON_GUEST_REBOOT,
        [POWER_TRIPLE_FAULT] = REASON_TRIPLE_FAULT,
        [POWER_EXIT_PORT] = REASON_EXIT_PORT,
        [POWER_SIGNAL] = REASON_SIGNAL,
        [POWER_ESCAPE] = REASON_ESCAPE,
        [POWER_ENGINE_ERROR] = REASON_HOST_ERROR,
        [POWER_DISK_ERROR] = REASON_DISK_ERROR,
    };
    bool host = vm->reason == POWER_SIGNAL || vm->reason == POWER_ESCAPE ||
                vm->reason == POWER_ENGINE_ERROR ||
                vm->reason == POWER_DISK_ERROR;

    if (vm->reason == POWER_DEADLINE)
        return REASON_DEADLINE_BOOT + vm->value;
    if (vm->files.session && !host && session_ended(vm->files.session))
        return session_reason(vm->files.session);
    return reasons[vm->reason];
}

bool vm_is_kvm(const struct vm *vm)
{
    return strcmp(vm->engine->ops->name, "kvm") == 0;
}

static void vm_record_devices(const struct vm *vm)
{
    const struct vm_devices *d = &vm->devices;
    struct serial_stats ss;
    struct virtio_stats vs;

    serial_stats(vm->serial, &ss);
    record_device(&(struct record_device){.kind = "serial",
                                          .name = "ttyS0",
                                          .bytes_out = ss.tx_bytes,
                                          .dropped = ss.dropped});
    for (unsigned int i = 0; i < d->nr; i++) {
        virtio_stats(d->device[i].dev, &vs);
        record_device(&(struct record_device){.kind = d->device[i].kind,
                                              .name = d->device[i].name,
                                              .requests = vs.requests,
                                              .bytes_in = vs.bytes_in,
                                              .bytes_out = vs.bytes_out,
                                              .errors = vs.errors,
                                              .dropped = vs.dropped});
    }
}

/* KVM counts nothing of the kind. */
static bool vm_tells_stats(const struct vm *vm)
{
    return vm->cfg->machine.interp_stats && !vm_is_kvm(vm);
}

void vm_record(const struct vm *vm)
{
    struct engine_stats es = {0};
    struct record_counts counts;
    struct vcpu_stats vs;

    vm->engine->ops->stats(vm->engine, &es);
    counts = (struct record_counts){.insns = es.insns,
                                    .kvm_exits = es.exits,
                                    .interp_stats = vm_tells_stats(vm),
                                    .blocks = es.blocks,
                                    .tlb_misses = es.tlb_miss,
                                    .smc = es.smc,
                                    .irqs = es.irqs,
                                    .eois = es.eois,
                                    .alone = es.alone};
    for (unsigned int i = 0; i < vm->nr_vcpus; i++) {
        vcpu_stats(vm->vcpu[i], &vs);
        counts.emulated += vs.emulated;
    }
    record_counts(&counts);
    vm_record_devices(vm);
    record_thread("main");
    if (vm->files.session && session_ended(vm->files.session))
        record_command(session_status(vm->files.session));
    record_end(vm_record_reason(vm),
               vm->reason == POWER_SIGNAL ? (int)vm->value : 0);
}

/* A status of 125 to 127 wants a line of its own. */
void vm_say_command(const struct vm *vm)
{
    char tail[VM_TAIL] = "";

    if (vm_status(vm) < STATUS_NO_STATUS || vm_status(vm) > STATUS_NOT_FOUND)
        return;
    tail[serial_tail(vm->serial, tail, sizeof(tail) - 1)] = '\0';
    session_say(vm->files.session, tail);
}

static void vm_say_kvm(const struct vm *vm, const struct engine_stats *es)
{
    struct vcpu_stats sum = {0}, vs;

    for (unsigned int i = 0; i < vm->nr_vcpus; i++) {
        vcpu_stats(vm->vcpu[i], &vs);
        sum.visits += vs.visits;
        sum.emulated += vs.emulated;
        sum.unknown += vs.unknown;
        if (vs.why[0] && !sum.why[0])
            memcpy(sum.why, vs.why, sizeof(sum.why));
    }
    log_info("exit: %llu KVM exits; the interpreter ran %llu instructions for "
             "KVM in %llu visits%s%s",
             (unsigned long long)es->exits, (unsigned long long)sum.emulated,
             (unsigned long long)sum.visits, sum.why[0] ? ", for " : "",
             sum.why);
    if (sum.unknown)
        log_warn("exit: %llu instructions no engine could run became #UD",
                 (unsigned long long)sum.unknown);
}

static void vm_say_interp(const struct engine_stats *es)
{
    log_info("exit: interpreter: %llu block misses, %llu TLB misses, %llu SMC "
             "hits, %llu interrupts, %llu EOI writes, %llu times exclusive",
             (unsigned long long)es->blocks, (unsigned long long)es->tlb_miss,
             (unsigned long long)es->smc, (unsigned long long)es->irqs,
             (unsigned long long)es->eois, (unsigned long long)es->alone);
}

void vm_say_summary(const struct vm *vm, u64 ns)
{
    struct engine_stats es = {0};
    struct serial_stats ss;
    double sec = (double)ns / 1e9;

    vm->engine->ops->stats(vm->engine, &es);
    serial_stats(vm->serial, &ss);
    if (vm_is_kvm(vm))
        vm_say_kvm(vm, &es);
    else
        log_info("exit: %.1f million instructions, %.0f million/s",
                 (double)es.insns / 1e6, (double)es.insns / 1e6 / sec);
    if (vm_tells_stats(vm))
        vm_say_interp(&es);
    log_info("exit: engine %s, %u vCPU%s, %.2f s; console %llu bytes, %llu "
             "dropped; log %llu lines dropped",
             vm->engine->ops->name, vm->nr_vcpus, vm->nr_vcpus > 1 ? "s" : "",
             sec, (unsigned long long)ss.tx_bytes,
             (unsigned long long)ss.dropped, (unsigned long long)log_dropped());
    vm_devices_say(&vm->devices);
}
