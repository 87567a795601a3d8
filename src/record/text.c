/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.c: what the notes of an ended monitor mean. They may be anything:
 * a guest that took the monitor over could write them.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#include "impl.h"

#define PANIC_MARK "Kernel panic - not syncing: "

const char *record_reason_name(enum record_reason reason)
{
    static const char *const names[REASONS] = {
        [REASON_NONE] = "host-error",
        [REASON_COMMAND_EXIT] = "command-exit",
        [REASON_COMMAND_SIGNAL] = "command-signal",
        [REASON_COMMAND_LOST] = "command-lost",
        [REASON_GUEST_SHUTDOWN] = "guest-shutdown",
        [REASON_GUEST_REBOOT] = "guest-reboot",
        [REASON_GUEST_PANIC] = "guest-panic",
        [REASON_TRIPLE_FAULT] = "triple-fault",
        [REASON_EXIT_PORT] = "exit-port",
        [REASON_DEADLINE_BOOT] = "deadline-boot",
        [REASON_DEADLINE_WALL] = "deadline-wall",
        [REASON_DEADLINE_CPU] = "deadline-cpu",
        [REASON_DEADLINE_IDLE] = "deadline-idle",
        [REASON_SIGNAL] = "signal",
        [REASON_ESCAPE] = "escape",
        [REASON_DISK_ERROR] = "disk-error",
        [REASON_BAD_SYSCALL] = "bad-syscall",
        [REASON_HOST_ERROR] = "host-error",
        [REASON_CONFIG_ERROR] = "config-error",
        [REASON_OOM] = "oom",
    };

    return names[reason];
}

void record_text(char *buf, size_t len, const char *text, size_t max)
{
    size_t n = 0;

    while (n < max && n < len - 1 && text[n]) {
        buf[n] = text[n] >= ' ' && text[n] <= '~' ? text[n] : '?';
        n++;
    }
    buf[n] = '\0';
}

bool record_us(const struct record_page *p, enum record_stamp which, u64 *us)
{
    u64 from = p->stamp[RECORD_EXEC], at = p->stamp[which];

    if (!from || at < from)
        return false;
    *us = (at - from) / 1000;
    return true;
}

/* ---- the console ----------------------------------------------------------
 */

/* Escape sequences and the like are dots; carriage returns are nothing. */
static void record_copy_tail(struct record *r)
{
    u64 head = r->page.tail_head;
    u64 at = head > RECORD_TAIL ? head - RECORD_TAIL : 0;
    size_t n = 0;

    for (; at < head; at++) {
        u8 c = r->page.tail[at % RECORD_TAIL];

        if (c == '\t')
            c = ' ';
        if (c != '\r')
            r->tail[n++] =
                (char)((c >= ' ' && c <= '~') || c == '\n' ? c : '.');
    }
    r->tail[n] = '\0';
    r->last = r->tail + n;
    for (unsigned int lines = 0; r->last > r->tail; r->last--)
        if (r->last[-1] == '\n' && r->last[0] && ++lines == RECORD_LINES)
            break;
}

/* The last one: a kernel that was entered again by kexec has had others. */
static void record_find_panic(struct record *r)
{
    const char *at = r->tail, *found = NULL;

    while ((at = strstr(at, PANIC_MARK))) {
        at += strlen(PANIC_MARK);
        found = at;
    }
    if (found)
        record_text(r->panic, sizeof(r->panic), found, strcspn(found, "\n"));
}

/* A panic ends as a reset, or whatever else the kernel's options say. */
static bool record_may_be_panic(enum record_reason reason)
{
    return reason == REASON_GUEST_REBOOT || reason == REASON_TRIPLE_FAULT ||
           reason == REASON_GUEST_SHUTDOWN || reason == REASON_COMMAND_LOST;
}

void record_judge(struct record *r)
{
    record_copy_tail(r);
    record_find_panic(r);
    if (r->reason == REASON_NONE && r->page.reason < REASONS)
        r->reason = (enum record_reason)r->page.reason;
    if (r->signal == 0 && r->page.signal > 0 && r->page.signal < NSIG)
        r->signal = r->page.signal;
    if (r->reason == REASON_NONE)
        r->reason = REASON_HOST_ERROR;
    if (r->panic[0] && record_may_be_panic(r->reason))
        r->reason = REASON_GUEST_PANIC;
}

/* ---- what to do -----------------------------------------------------------
 */

static const char *record_panic_hint(const char *panic)
{
    if (strstr(panic, "Unable to mount root fs"))
        return "the kernel found no root file system: give --disk IMAGE,root "
               "or --initrd FILE, and a kernel with the driver for it "
               "(virtio_blk built in, or an initrd that loads it)";
    if (strstr(panic, "No working init") || strstr(panic, "/sbin/init"))
        return "the root file system has no program to start: name one with "
               "init= (disk) or rdinit= (initrd) in the boot arguments";
    if (strstr(panic, "Attempted to kill init"))
        return "the guest's first process ended; the console says why";
    if (strstr(panic, "out of memory") || strstr(panic, "Out of memory"))
        return "the guest has too little memory: --memory";
    return "the console's last lines say what led to it";
}

const char *record_hint(const struct record *r)
{
    switch (r->reason) {
    case REASON_GUEST_PANIC:
        return record_panic_hint(r->panic);
    case REASON_TRIPLE_FAULT:
        return "the guest's kernel crashed, or was told to reset so "
               "(reboot=t); --level Debug shows its registers";
    case REASON_DEADLINE_BOOT:
        return "the guest's init was not reached in time: see console_tail, "
               "or raise run.deadlines.boot_ms";
    case REASON_DEADLINE_WALL:
        return "raise --timeout or run.deadlines.wall_ms, if it needs longer";
    case REASON_DEADLINE_CPU:
        return "raise run.deadlines.cpu_ms, if it needs more";
    case REASON_DISK_ERROR:
        return "on_error \"pause\" would have held the VM until the host can "
               "do it";
    case REASON_BAD_SYSCALL:
        return "a bug in mote, or a guest that took a thread over: please "
               "report it";
    case REASON_OOM:
        return "raise sandbox.limits.memory_mib, or give the guest less "
               "memory: its own and some 10 MiB count";
    case REASON_COMMAND_LOST:
        return "the guest ended without a status; see console_tail";
    default:
        return NULL;
    }
}

/* ---- one line -------------------------------------------------------------
 */

/* Appends, as far as there is room; returns the new length. */
PRINTF(4, 5)
static size_t summary_add(char *buf, size_t len, size_t n, const char *fmt, ...)
{
    va_list ap;
    int r;

    va_start(ap, fmt);
    r = vsnprintf(buf + n, len - n, fmt, ap);
    va_end(ap);
    return MIN(n + (size_t)MAX(r, 0), len - 1);
}

static size_t summary_add_times(const struct record *r, char *buf, size_t len,
                                size_t n)
{
    static const struct {
        enum record_stamp stamp;
        const char *name;
    } shown[] = {
        {RECORD_FIRST_INSN, "guest"}, {RECORD_INIT, "init"},
        {RECORD_COMMAND, "command"},  {RECORD_FIRST_OUTPUT, "output"},
        {RECORD_END, "end"},
    };
    const char *sep = "; ";
    u64 us;

    for (size_t i = 0; i < ARRAY_SIZE(shown); i++) {
        if (!record_us(&r->page, shown[i].stamp, &us))
            continue;
        n = summary_add(buf, len, n, "%s%s at %.1f ms", sep, shown[i].name,
                        (double)us / 1e3);
        sep = ", ";
    }
    return n;
}

void record_summary(const struct record *r, char *buf, size_t len)
{
    size_t n = summary_add(buf, len, 0, "%s, status %d",
                           record_reason_name(r->reason), r->facts->status);

    if (r->reason == REASON_SIGNAL && r->signal)
        n = summary_add(buf, len, n, ", SIG%s", sigabbrev_np(r->signal));
    if (r->panic[0])
        n = summary_add(buf, len, n, ", panic \"%s\"", r->panic);
    n = summary_add_times(r, buf, len, n);
    if (r->page.counts.insns)
        n = summary_add(buf, len, n, "; %.1f M instructions interpreted",
                        (double)r->page.counts.insns / 1e6);
    if (r->cpu_us)
        summary_add(buf, len, n, "; CPU %.2f s, %llu MiB",
                    (double)r->cpu_us / 1e6,
                    (unsigned long long)r->max_rss_kib / 1024);
}
