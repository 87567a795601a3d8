/* SPDX-License-Identifier: Apache-2.0 */
/* vm.c: the machine: opened, built, started, loaded, run, and taken down */
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "mote/clock.h"
#include "mote/log.h"
#include "mote/record.h"

#include "impl.h"

/* ---- the end ----------------------------------------------------------- */

/* Ends that leave a command's last output to be written. */
static bool vm_is_guests_end(enum power_reason reason)
{
    return reason == POWER_OFF || reason == POWER_RESET ||
           reason == POWER_TRIPLE_FAULT || reason == POWER_EXIT_PORT ||
           reason == POWER_COMMAND;
}

/* The operator, or the host, does not wait for that. */
static void vm_cut_short(struct vm *vm, enum power_reason reason, u32 value)
{
    u32 none = POWER_NONE;

    if (vm_is_guests_end(reason))
        return;
    atomic_compare_exchange_strong(&vm->cut, &none, value << 8 | (u32)reason);
    loop_stop(&vm->loop);
}

static void vm_power_end(struct power *p, enum power_reason reason, u32 value)
{
    struct vm *vm = container_of(p, struct vm, power);
    u32 none = POWER_NONE;

    if (!atomic_compare_exchange_strong(&vm->reason, &none, (u32)reason)) {
        vm_cut_short(vm, reason, value);
        return;
    }
    vm->value = value;
    /* The guest must not run on: what it does now would only confuse. Main
     * stops the other vCPUs; no device may kick them. */
    vcpu_leave();
    /* The eventfd write orders value before main reads it. */
    loop_stop(&vm->loop);
}

/* ---- pauses ------------------------------------------------------------ */

/* Main does it: it alone may signal other threads. */
static void vm_count_hold(struct vm *vm, u32 change)
{
    u64 one = 1;

    atomic_fetch_add(&vm->holds, change);
    (void)!write(vm->on_hold.fd, &one, sizeof(one));
}

static void vm_power_hold(struct power *p)
{
    vm_count_hold(container_of(p, struct vm, power), 1);
}

static void vm_power_release(struct power *p)
{
    vm_count_hold(container_of(p, struct vm, power), ~0u);
}

static void vm_on_hold(struct loop_fd *lf, u32 events)
{
    struct vm *vm = container_of(lf, struct vm, on_hold);
    bool hold;
    u64 count;

    (void)!read(lf->fd, &count, sizeof(count));
    hold = atomic_load(&vm->holds) > 0;
    for (unsigned int i = 0; hold != vm->held && i < vm->nr_vcpus; i++) {
        if (hold)
            vcpu_pause(vm->vcpu[i]);
        else
            vcpu_resume(vm->vcpu[i]);
    }
    vm->held = hold;
}

static int vm_new_hold(struct vm *vm)
{
    vm->on_hold.fn = vm_on_hold;
    vm->on_hold.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (vm->on_hold.fd < 0)
        return fail(-errno, "eventfd");
    return loop_add(&vm->loop, &vm->on_hold, EPOLLIN);
}

/* ---- the operator ------------------------------------------------------ */

static void vm_on_escape(void *ctx)
{
    struct vm *vm = ctx;

    power_end(&vm->power, POWER_ESCAPE, 0);
}

static void vm_resize(struct vm *vm)
{
    vm_devices_resize(&vm->devices);
    if (vm->files.session)
        session_resize(vm->files.session);
}

/* A guest without a command has an init that may know these keys: once, and
 * within stop_ms. True: it was asked just now. */
static bool vm_ask(struct vm *vm, u32 signal)
{
    if (vm->asked || signal == SIGHUP || !vm->cfg->run.deadlines.stop_ms)
        return false;
    vm->asked = true;
    log_info("SIG%s: asking the guest to end, by Ctrl-Alt-Del",
             sigabbrev_np((int)signal));
    i8042_ctrl_alt_del(vm->i8042);
    deadline_asked(&vm->deadline, signal);
    return true;
}

/* A command is asked to end, and may take its time; everything else ends. */
static void vm_end_by_signal(struct vm *vm, u32 signal)
{
    struct session *s = vm->files.session;

    if (s ? !session_signal(s, (int)signal) : !vm_ask(vm, signal))
        power_end(&vm->power, POWER_SIGNAL, signal);
    else if (s && (signal == SIGTERM || signal == SIGHUP))
        deadline_asked(&vm->deadline, signal);
}

static void vm_on_signal(struct loop_fd *lf, u32 events)
{
    struct vm *vm = container_of(lf, struct vm, signals);
    struct signalfd_siginfo si;

    if (read(lf->fd, &si, sizeof(si)) != sizeof(si))
        return;
    if (si.ssi_signo == SIGWINCH)
        vm_resize(vm);
    else if (si.ssi_signo == SIGUSR1)
        vm_devices_look(&vm->devices);
    else if (si.ssi_signo == DEADLINE_SIGNAL)
        deadline_cpu(&vm->deadline);
    else
        vm_end_by_signal(vm, si.ssi_signo);
}

/* ---- opening ----------------------------------------------------------- */

/* Set-up is not interrupted by them, and what they do is vm_run()'s. */
static void vm_block_signals(struct vm *vm)
{
    sigemptyset(&vm->ends);
    sigaddset(&vm->ends, SIGTERM);
    sigaddset(&vm->ends, SIGINT);
    sigaddset(&vm->ends, SIGHUP);
    sigaddset(&vm->ends, SIGQUIT);
    sigaddset(&vm->ends, SIGWINCH);
    sigaddset(&vm->ends, SIGUSR1);
    sigaddset(&vm->ends, DEADLINE_SIGNAL);
    pthread_sigmask(SIG_BLOCK, &vm->ends, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int vm_open(struct vm **out, const struct config *cfg, struct command *cmd)
{
    struct vm *vm = calloc(1, sizeof(*vm));

    *out = vm;
    if (!vm)
        return fail(-ENOMEM, "virtual machine");
    vm->cfg = cfg;
    vm->power = (struct power){.end = vm_power_end,
                               .hold = vm_power_hold,
                               .release = vm_power_release};
    vm->signals.fd = vm->on_hold.fd = -1;
    vm->deadline.timer.fd = vm->metrics.timer.fd = -1;
    vm->start_ns = monotonic_ns();
    vm_block_signals(vm);
    return vm_files_open(&vm->files, cfg, cmd);
}

void vm_let_go(struct vm *vm)
{
    loader_file_close(&vm->files.kernel);
    loader_file_close(&vm->files.initrd);
}

/* ---- building ---------------------------------------------------------- */

static int vm_new_loop(struct vm *vm)
{
    int r = loop_init(&vm->loop);

    if (r < 0)
        return r;
    vm->loop_ready = true;
    vm->signals.fn = vm_on_signal;
    vm->signals.fd = signalfd(-1, &vm->ends, SFD_CLOEXEC | SFD_NONBLOCK);
    if (vm->signals.fd < 0)
        return fail(-errno, "signalfd");
    r = loop_add(&vm->loop, &vm->signals, EPOLLIN);
    return r < 0 ? r : vm_new_hold(vm);
}

const char *vm_engine(const struct vm *vm)
{
    return vm->engine->ops->name;
}

static int vm_new_engine(struct vm *vm)
{
    const struct machine_config *mc = &vm->cfg->machine;
    struct engine_env env = {
        .mem = vm->mem,
        .bus = &vm->bus,
        .cpus = mc->vcpus,
        .kvm = &vm->files.kvm,
        .poll_ns = mc->poll_ns,
    };
    int r = engine_new(&vm->engine, mc->engine, &env);

    if (r == 0 && strcmp(vm_engine(vm), "interp") == 0)
        kvm_close(&vm->files.kvm); /* not to be there for a guest to find */
    return r;
}

static int vm_new_serial(struct vm *vm)
{
    const struct console_config *cc = &vm->cfg->console;
    struct chr *chr = vm->files.serial;
    int r;

    r = vm->engine->ops->irq_connect(vm->engine, &vm->serial_irq, SERIAL_GSI);
    if (r < 0)
        return r;
    if (cc->device == CONSOLE_SERIAL && cc->mode == CHR_STDIO &&
        !vm->files.session)
        chr_on_escape(chr, vm_on_escape, vm);
    return serial_new(&vm->serial, &vm->bus, &vm->serial_irq, chr);
}

static int vm_new_devices(struct vm *vm)
{
    int r;

    vm->boot_timer = (struct boot_timer){
        .start_ns = vm->start_ns,
        .start_cpu_ns = clock_now_ns(CLOCK_PROCESS_CPUTIME_ID),
        .log = vm->cfg->boot_timer,
    };
    r = vm->engine->ops->irq_connect(vm->engine, &vm->i8042_irq, I8042_GSI);
    if (r == 0)
        r = i8042_new(&vm->i8042, &vm->bus, &vm->power, &vm->i8042_irq);
    if (r == 0)
        r = cmos_new(&vm->bus);
    if (r == 0)
        r = exit_port_new(&vm->bus, &vm->power);
    if (r == 0)
        r = acpi_power_new(&vm->bus, &vm->power);
    if (r == 0)
        r = boot_timer_new(&vm->bus, &vm->boot_timer);
    return r;
}

static int vm_new_virtio(struct vm *vm)
{
    struct vm_devices_env env = {
        .cfg = vm->cfg,
        .mem = vm->mem,
        .bus = &vm->bus,
        .engine = vm->engine,
        .power = &vm->power,
        .files = &vm->files,
        .escape = vm_on_escape,
        .escape_ctx = vm,
    };

    return vm_devices_new(&vm->devices, &env);
}

static int vm_new_session(struct vm *vm)
{
    struct session_env env = {
        .loop = &vm->loop,
        .power = &vm->power,
        .console = vm->devices.console,
    };

    return vm->files.session ? session_start(vm->files.session, &env) : 0;
}

static size_t vm_tail(void *ctx, char *buf, size_t len)
{
    struct vm *vm = ctx;

    return serial_tail(vm->serial, buf, len);
}

static int vm_new_vcpus(struct vm *vm)
{
    struct vcpu_env env = {
        .engine = vm->engine,
        .env = {.mem = vm->mem,
                .bus = &vm->bus,
                .cpus = vm->cfg->machine.vcpus},
        .power = &vm->power,
        .tail = vm_tail,
        .tail_ctx = vm,
    };

    for (unsigned int i = 0; i < vm->cfg->machine.vcpus; i++) {
        int r = vcpu_new(&vm->vcpu[i], &env, i);

        if (r < 0)
            return r;
        vm->nr_vcpus++;
    }
    return 0;
}

/* A VM that is held has no say in it: it counts as busy. */
static u64 vm_activity(void *ctx)
{
    struct vm *vm = ctx;
    struct serial_stats ss;

    serial_stats(vm->serial, &ss);
    return ss.tx_bytes + vm_devices_activity(&vm->devices) +
           (vm->held ? ++vm->held_looks : 0);
}

static int vm_new_deadline(struct vm *vm)
{
    struct deadline_env env = {
        .cfg = &vm->cfg->run.deadlines,
        .loop = &vm->loop,
        .power = &vm->power,
        .activity = vm_activity,
        .ctx = vm,
        .command = vm->files.session,
    };

    return deadline_init(&vm->deadline, &env);
}

#ifdef __SANITIZE_THREAD__
/* TSan's; it is in no header. */
void AnnotateBenignRaceSized(const char *file, int line, void *p, size_t size,
                             const char *why);

/* What a guest's processors and devices race for in its memory is the guest's
 * business; under KVM TSan does not even see who orders it. Not so in unit
 * tests, where threads of ours are the guest: there it has rings to look at. */
static void vm_ignore_races(const struct mem *mem)
{
    for (unsigned int i = 0; i < mem->nr_regions; i++) {
        const struct mem_region *r = &mem->region[i];

        AnnotateBenignRaceSized(__FILE__, __LINE__,
                                mem_range(mem, r->gpa, r->size), r->size,
                                "guest memory");
    }
}
#else
static void vm_ignore_races(const struct mem *mem)
{
}
#endif

/* An initramfs of mote's own need not be copied: it is where it belongs before
 * it is asked for. */
static int vm_new_mem(struct vm *vm)
{
    const struct loader_file *f = &vm->files.initrd;
    int r = mem_new(&vm->mem, vm->cfg->machine.mem_bytes);

    if (r == 0)
        vm_ignore_races(vm->mem);
    if (r < 0 || !vm->files.initrd_is_ours)
        return r;
    vm->initrd_gpa = loader_initrd_gpa(vm->mem, f->size);
    return vm->initrd_gpa ? mem_adopt(vm->mem, vm->initrd_gpa, f->fd, f->size)
                          : 0; /* vm_load() tells */
}

int vm_build(struct vm *vm)
{
    int r = vm_new_loop(vm);

    bus_init(&vm->bus);
    if (r == 0)
        r = vm_new_mem(vm);
    if (r == 0)
        r = vm_new_engine(vm);
    if (r == 0)
        r = vm_new_serial(vm);
    if (r == 0)
        r = vm_new_devices(vm);
    if (r == 0)
        r = vm_new_virtio(vm);
    if (r == 0)
        r = vm_new_session(vm);
    if (r == 0)
        r = vm_new_vcpus(vm);
    if (r == 0)
        r = vm_new_deadline(vm);
    if (r == 0)
        r = vm_metrics_init(&vm->metrics, &vm->loop, VM_METRICS_MS,
                            vm_metrics_tell, vm);
    return r;
}

static void vm_thread_add(struct vm_thread *t, enum filter_kind kind,
                          const char *name)
{
    t->kind = kind;
    snprintf(t->name, sizeof(t->name), "%s", name);
}

unsigned int vm_threads(const struct vm *vm,
                        struct vm_thread thread[VM_THREAD_MAX])
{
    const char *name;
    char vcpu[16];
    unsigned int nr = 0;

    vm_thread_add(&thread[nr++], FILTER_MAIN, "main");
    vm_thread_add(&thread[nr++], FILTER_CONSOLE, "serial");
    for (unsigned int i = 0; i < vm->devices.nr; i++) {
        enum filter_kind kind = virtio_filter(vm->devices.device[i].dev, &name);

        vm_thread_add(&thread[nr++], kind, name);
    }
    for (unsigned int i = 0; i < vm->nr_vcpus; i++) {
        snprintf(vcpu, sizeof(vcpu), "vcpu%u", i);
        vm_thread_add(&thread[nr++], vcpu_filter(vm->vcpu[i]), vcpu);
    }
    return nr;
}

const struct loader_file *vm_kernel(const struct vm *vm)
{
    return &vm->files.kernel;
}

const struct loader_file *vm_initrd(const struct vm *vm)
{
    return vm->files.initrd.fd >= 0 ? &vm->files.initrd : NULL;
}

int vm_start(struct vm *vm)
{
    int r = serial_start(vm->serial);

    if (r == 0)
        r = vm_devices_start(&vm->devices);
    for (unsigned int i = 0; r == 0 && i < vm->nr_vcpus; i++)
        r = vcpu_start(vm->vcpu[i]);
    return r;
}

/* ---- loading ----------------------------------------------------------- */

int vm_load(struct vm *vm)
{
    struct loader_result *res = &vm->loaded;
    struct vm_plan plan;
    int r = vm_plan(&plan, vm->cfg);

    if (r < 0)
        return r;
    plan.spec.kernel = &vm->files.kernel;
    plan.spec.initrd = vm_initrd(vm);
    plan.spec.initrd_gpa = vm->initrd_gpa;
    r = loader_load(vm->mem, &plan.spec, res);
    loader_file_close(&vm->files.kernel);
    if (r < 0)
        return r;
    log_info("kernel %s: %s%s%s, %.1f ms to unpack", vm->cfg->boot.kernel,
             res->format, res->version[0] ? ", " : "", res->version,
             (double)res->unpack_ns / 1e6);
    log_info("command line: %s", plan.cmdline);
    record_stamp(RECORD_LOADED);
    return 0;
}

/* ---- running ----------------------------------------------------------- */

static void vm_stop(struct vm *vm)
{
    if (vm->stopped)
        return;
    vm->stopped = true;
    for (unsigned int i = 0; i < vm->nr_vcpus; i++)
        vcpu_stop(vm->vcpu[i]);
    vm_devices_release(&vm->devices);
    for (unsigned int i = 0; i < vm->nr_vcpus; i++)
        vcpu_join(vm->vcpu[i]);
    vm_devices_stop(&vm->devices);
    if (vm->serial)
        serial_stop(vm->serial); /* the guest's last words before ours */
}

/* What the guest has said before it ended comes out. */
static void vm_finish_session(struct vm *vm)
{
    struct session *s = vm->files.session;
    u32 cut;

    if (!s || !vm_is_guests_end(vm->reason))
        return;
    session_drain(s);
    while (!session_drained(s) && !atomic_load(&vm->cut))
        loop_turn(&vm->loop, -1);
    cut = atomic_load(&vm->cut);
    if (!cut)
        return;
    vm->reason = cut & 0xff;
    vm->value = cut >> 8;
}

int vm_run(struct vm *vm)
{
    u64 ns = monotonic_ns();

    record_stamp(RECORD_FIRST_INSN);
    for (unsigned int i = 0; i < vm->nr_vcpus; i++)
        vcpu_go(vm->vcpu[i], i == 0 ? &vm->loaded.bsp : NULL);
    /* Nobody else has it: this gives its memory back, which takes a while. */
    loader_file_close(&vm->files.initrd);
    deadline_start(&vm->deadline);
    vm_metrics_start(&vm->metrics);
    loop_run(&vm->loop);
    vm_finish_session(vm);
    record_stamp(RECORD_END);
    ns = monotonic_ns() - ns;
    vm_stop(vm);
    vm_record(vm);
    vm_metrics_tell(vm);
    if (vm->files.session)
        vm_say_command(vm);
    vm_say_reason(vm);
    vm_say_summary(vm, ns);
    return vm_status(vm);
}

static void vm_free_machine(struct vm *vm)
{
    while (vm->nr_vcpus > 0)
        vcpu_free(vm->vcpu[--vm->nr_vcpus]);
    serial_free(vm->serial);
    i8042_free(vm->i8042);
    if (vm->engine)
        vm->engine->ops->free(vm->engine);
}

/* A request that ends after all goes on in guest memory, interrupts and loops:
 * then the process is what frees them. */
void vm_free(struct vm *vm)
{
    bool gone;

    if (!vm)
        return;
    vm_stop(vm);
    gone = vm_devices_free(&vm->devices);
    if (gone)
        vm_free_machine(vm);
    vm_files_close(&vm->files);
    if (!gone)
        return;
    mem_free(vm->mem);
    deadline_fini(&vm->deadline);
    vm_metrics_fini(&vm->metrics);
    if (vm->signals.fd >= 0)
        close(vm->signals.fd);
    if (vm->on_hold.fd >= 0)
        close(vm->on_hold.fd);
    if (vm->loop_ready)
        loop_fini(&vm->loop);
    free(vm);
}
