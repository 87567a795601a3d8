/* SPDX-License-Identifier: Apache-2.0 */
/* report.c: the last thing a guest gets: its registers, the instruction it
 * died at and what it said before, in the log. */
#include <stdio.h>

#include "mote/log.h"
#include "mote/vcpu.h"

#define REPORT_TAIL 1024

typedef unsigned long long ull;

static void report_registers(const struct cpu_state *s)
{
    static const char *const name[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp",
                                       "rsi", "rdi", "r8 ", "r9 ", "r10", "r11",
                                       "r12", "r13", "r14", "r15"};

    log_error("  rip %016llx  rflags %08llx  CPL %u", (ull)s->rip,
              (ull)s->rflags, s->seg[SEG_SS].dpl);
    for (unsigned int i = 0; i < ARRAY_SIZE(name); i += 4)
        log_error("  %s %016llx  %s %016llx  %s %016llx  %s %016llx", name[i],
                  (ull)s->gpr[i], name[i + 1], (ull)s->gpr[i + 1], name[i + 2],
                  (ull)s->gpr[i + 2], name[i + 3], (ull)s->gpr[i + 3]);
}

static void report_system(const struct cpu_state *s)
{
    static const char *const name[] = {"es", "cs", "ss", "ds", "fs", "gs"};

    log_error("  cr0 %08llx  cr2 %016llx  cr3 %016llx  cr4 %08llx  efer %llx",
              (ull)s->cr0, (ull)s->cr2, (ull)s->cr3, (ull)s->cr4, (ull)s->efer);
    for (unsigned int i = 0; i < SEG_NR; i += 2)
        log_error("  %s %04x base %016llx limit %08x  %s %04x base %016llx "
                  "limit %08x",
                  name[i], s->seg[i].sel, (ull)s->seg[i].base, s->seg[i].limit,
                  name[i + 1], s->seg[i + 1].sel, (ull)s->seg[i + 1].base,
                  s->seg[i + 1].limit);
    log_error("  gdt %016llx+%x  idt %016llx+%x  tr %04x base %016llx",
              (ull)s->gdt.base, s->gdt.limit, (ull)s->idt.base, s->idt.limit,
              s->tr.sel, (ull)s->tr.base);
    if (s->event.exc_valid)
        log_error("  exception %u on its way, error %#x", s->event.exc_vector,
                  s->event.exc_error);
}

static void report_bytes(const u8 *insn, unsigned int len)
{
    char text[48] = "";

    for (unsigned int i = 0; i < len && i < 15; i++)
        snprintf(text + 3 * i, sizeof(text) - 3 * i, " %02x", insn[i]);
    log_error("  bytes at rip:%s", len ? text : " not readable");
}

/* The guest chose these bytes: nothing unprintable gets into the log. */
static void report_line(char *line)
{
    for (char *p = line; *p; p++)
        if (*p < ' ' || *p > '~')
            *p = *p == '\t' ? ' ' : '?';
    if (*line)
        log_error("  | %s", line);
}

static void report_tail(const struct vcpu_env *env)
{
    char buf[REPORT_TAIL + 1], *line = buf, *end;
    size_t n = env->tail ? env->tail(env->tail_ctx, buf, REPORT_TAIL) : 0;

    if (n == 0)
        return;
    buf[MIN(n, (size_t)REPORT_TAIL)] = '\0';
    log_error("  the console's last lines:");
    do {
        size_t len = strcspn(line, "\r\n");

        end = line[len] ? line + len + 1 : NULL;
        line[len] = '\0';
        report_line(line);
        line = end;
    } while (line);
}

void vcpu_report(const struct vcpu_env *env, unsigned int id,
                 const char *reason, const struct cpu_state *s, const u8 *insn,
                 unsigned int len)
{
    log_error("vcpu%u: %s", id, reason);
    report_registers(s);
    report_system(s);
    report_bytes(insn, len);
    report_tail(env);
}
