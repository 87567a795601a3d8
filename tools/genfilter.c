/* SPDX-License-Identifier: Apache-2.0 */
/*
 * genfilter.c: src/sandbox/policy.def and policy_worker.def -> BPF, at build
 * time, so that mote needs neither libseccomp nor a parser at run time.
 * usage: genfilter table|list [sanitizer]
 * table: the C source of filter_table.h; list: the rules as text, with numbers,
 * for people and tests. sanitizer: add the list of that name to every kind.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mote/thread.h"

#define ARGS_MAX  3
#define RULES_MAX 64
#define CODE_MAX  1024
#define NAMES_MAX 1024

/* Values that are known when the filter is loaded: fd[n], then the TGID. */
#define FILL      0x7f5e0000u
#define FILL_TGID (FILL + FILTER_FD_MAX)
#define FILL_ANY  (FILL + FILTER_FD_MAX + 1) /* one rule for each of fd[] */

/* Of glibc's threads, which keep it for themselves. */
#define SIGSETXID 33

/* ---- the vocabulary of policy.def --------------------------------------- */

/* int arguments: the upper half of the register says nothing. */
#define ARG(n, value)                                                          \
    {                                                                          \
        n, SCMP_CMP_MASKED_EQ, 0xffffffff, (unsigned int)(value)               \
    }
#define BITS(n, mask, value)                                                   \
    {                                                                          \
        n, SCMP_CMP_MASKED_EQ, mask, value                                     \
    }
#define FD(n)     ARG(0, FILL + (n))
#define FD_ANY    ARG(0, FILL_ANY)
#define STDIN     ARG(0, STDIN_FILENO)
#define TGID      ARG(0, FILL_TGID)
#define CMD(c)    ARG(1, c)
#define OP(c)     ARG(1, c)
#define MODE(m)   ARG(1, m)
#define SIGNAL(s) ARG(2, s)

struct rule {
    const char *kind; /* begins a list */
    const char *id;   /* of enum filter_kind */
    unsigned int limit;
    const char *base; /* a list whose rules it has, too */
    const char *call; /* or a rule of it */
    const char *args; /* as written */
    const char *why;
    int answer; /* an errno instead of the call; 0: allowed */
    const char *answer_name;
    struct scmp_arg_cmp arg[ARGS_MAX + 1];
};

#define KIND(k, n, l)    {.kind = n, .id = #k, .limit = l},
#define MORE(k, n, l, b) {.kind = n, .id = #k, .limit = l, .base = b},
#define ALLOW(c, w, ...)                                                       \
    {.call = #c, .args = #__VA_ARGS__, .why = w, .arg = {__VA_ARGS__}},
#define ANSWER(c, e, w, ...)                                                   \
    {.call = #c,                                                               \
     .args = #__VA_ARGS__,                                                     \
     .why = w,                                                                 \
     .answer = e,                                                              \
     .answer_name = #e,                                                        \
     .arg = {__VA_ARGS__}},

#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
static const struct rule policy[] = {
#include "policy.def"

#include "policy_worker.def"
    {.kind = NULL},
};

/* ---- helpers ------------------------------------------------------------ */

static void gen_die(const char *what, const char *of)
{
    fprintf(stderr, "genfilter: %s: %s\n", of, what);
    exit(1);
}

static const struct rule *gen_next(const struct rule *r)
{
    do
        r++;
    while (r->call);
    return r;
}

static const struct rule *gen_find(const char *kind)
{
    for (const struct rule *r = policy; r->kind; r = gen_next(r))
        if (strcmp(r->kind, kind) == 0)
            return r;
    gen_die("no such list", kind);
    return NULL;
}

static unsigned int gen_nr_args(const struct rule *r)
{
    unsigned int n = 0;

    while (r->arg[n].op)
        n++;
    return n;
}

static int gen_number(const char *call)
{
    int nr = seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86_64, call);

    if (nr < 0)
        gen_die("no such system call", call);
    return nr;
}

/* Lists that make up a kind's filter: its base's, its own, the sanitizer's. */
struct parts {
    const struct rule *list[3];
    const struct rule *extra; /* the last of them, or NULL */
    unsigned int nr;
};

static struct parts gen_parts(const struct rule *list, const struct rule *extra)
{
    struct parts p = {.extra = extra};

    if (list->base)
        p.list[p.nr++] = gen_find(list->base);
    p.list[p.nr++] = list;
    if (extra)
        p.list[p.nr++] = extra;
    return p;
}

/* ---- BPF ---------------------------------------------------------------- */

static void gen_add(scmp_filter_ctx ctx, const struct rule *r)
{
    struct scmp_arg_cmp arg[ARGS_MAX];
    unsigned int n = gen_nr_args(r);
    bool any = n > 0 && r->arg[0].datum_b == FILL_ANY;
    uint32_t action =
        r->answer ? SCMP_ACT_ERRNO((uint32_t)r->answer) : SCMP_ACT_ALLOW;

    memcpy(arg, r->arg, sizeof(arg));
    for (unsigned int i = 0; i < (any ? FILTER_FD_MAX : 1); i++) {
        if (any)
            arg[0].datum_b = FILL + i;
        if (seccomp_rule_add_array(ctx, action, gen_number(r->call), n, arg) <
            0)
            gen_die("rule refused", r->call);
    }
}

/* What a sanitizer needs is done, not answered. */
static bool gen_is_overruled(const struct rule *r, const struct rule *extra)
{
    const struct rule *e = extra ? extra + 1 : NULL;

    while (r->answer && e && e->call && strcmp(e->call, r->call) != 0)
        e++;
    return r->answer && e && e->call;
}

/* The first in the list is the first looked for. */
static void gen_list(scmp_filter_ctx ctx, const struct rule *list,
                     const struct rule *extra, unsigned int *rank)
{
    for (const struct rule *r = list + 1; r->call; r++) {
        if (gen_is_overruled(r, extra))
            continue;
        gen_add(ctx, r);
        if (*rank > 0)
            seccomp_syscall_priority(ctx, gen_number(r->call),
                                     (uint8_t)(*rank)--);
    }
}

static unsigned int gen_export(scmp_filter_ctx ctx, struct sock_filter *code)
{
    FILE *f = tmpfile();
    size_t n;

    if (!f || seccomp_export_bpf(ctx, fileno(f)) < 0)
        gen_die("no BPF", "libseccomp");
    rewind(f);
    n = fread(code, sizeof(*code), CODE_MAX, f);
    if (n == 0 || n == CODE_MAX)
        gen_die("too long", "BPF");
    fclose(f);
    return (unsigned int)n;
}

/* What no rule allows is trapped and named; a foreign ABI, of which numbers
 * say nothing, is deadly at once. */
static unsigned int gen_compile(const struct parts *p, struct sock_filter *code)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_TRAP);
    unsigned int rank = 255, n;

    if (!ctx || seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH,
                                 SCMP_ACT_KILL_PROCESS) < 0)
        gen_die("no filter", "libseccomp");
    for (unsigned int i = 0; i < p->nr; i++)
        gen_list(ctx, p->list[i], p->extra, &rank);
    n = gen_export(ctx, code);
    seccomp_release(ctx);
    return n;
}

/* ---- output: the table -------------------------------------------------- */

static void gen_calls(const struct rule *list, const struct parts *p)
{
    bool seen[NAMES_MAX] = {false};
    unsigned int n = 0;

    printf("static const char *const calls_%s[] = {\n", list->id);
    for (unsigned int i = 0; i < p->nr; i++) {
        for (const struct rule *r = p->list[i] + 1; r->call; r++) {
            int nr = gen_number(r->call);

            if (seen[nr] || r->answer)
                continue;
            seen[nr] = true;
            n += p->list[i] != p->extra;
            printf("    \"%s\",\n", r->call);
        }
    }
    printf("    NULL,\n};\n\n");
    if (n > list->limit)
        gen_die("more system calls than its limit", list->kind);
}

static void gen_code(const struct rule *list, const struct sock_filter *code,
                     unsigned int n)
{
    printf("static const struct sock_filter code_%s[] = {\n", list->id);
    for (unsigned int i = 0; i < n; i++)
        printf("    {0x%02x, %u, %u, 0x%08x},\n", code[i].code, code[i].jt,
               code[i].jf, code[i].k);
    printf("};\n\n");
    printf("static const struct filter_fill fill_%s[] = {\n", list->id);
    for (unsigned int i = 0; i < n; i++)
        if (BPF_CLASS(code[i].code) == BPF_JMP && code[i].k >= FILL &&
            code[i].k <= FILL_TGID)
            printf("    {%u, %u},\n", i, code[i].k - FILL);
    printf("    {0, 0xff},\n};\n\n");
}

static void gen_names(void)
{
    int last = 0;

    printf("const char *const filter_call_name[] = {\n");
    for (int nr = 0; nr < NAMES_MAX; nr++) {
        char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, nr);

        if (name) {
            printf("    [%d] = \"%s\",\n", nr, name);
            last = nr;
        }
        free(name);
    }
    printf("};\n\nconst unsigned int filter_nr_call_names = %d;\n", last + 1);
}

static void gen_table(const struct rule *extra)
{
    static struct sock_filter code[CODE_MAX];
    struct parts p;

    printf("/* Made by tools/genfilter from policy.def. */\n"
           "#include \"sandbox/filter_table.h\"\n\n");
    for (const struct rule *r = policy; r->kind; r = gen_next(r)) {
        if (r->limit == 0)
            continue;
        p = gen_parts(r, extra);
        gen_calls(r, &p);
        gen_code(r, code, gen_compile(&p, code));
    }
    printf("const struct filter_table filter_table[FILTER_KINDS] = {\n");
    for (const struct rule *r = policy; r->kind; r = gen_next(r))
        if (r->limit)
            printf("    [FILTER_%s] = {\"%s\", %u, calls_%s,\n"
                   "        code_%s, sizeof(code_%s) / sizeof(code_%s[0]),\n"
                   "        fill_%s, sizeof(fill_%s) / sizeof(fill_%s[0]) - "
                   "1},\n",
                   r->id, r->kind, r->limit, r->id, r->id, r->id, r->id, r->id,
                   r->id, r->id);
    printf("};\n\n");
    gen_names();
}

/* ---- output: the list --------------------------------------------------- */

static void gen_value(uint64_t v)
{
    if (v == FILL_TGID)
        printf("tgid");
    else if (v == FILL_ANY)
        printf("fd*");
    else if (v >= FILL && v < FILL_TGID)
        printf("fd%u", (unsigned int)(v - FILL));
    else
        printf("%#llx", (unsigned long long)v);
}

/* "blk futex 1=0x81 # OP(FUTEX_WAKE_PRIVATE): ...", or "rbd-worker openat
 * -> ENOENT # ..." */
static void gen_rule(const char *kind, const struct rule *r)
{
    printf("%s %s", kind, r->call);
    for (unsigned int i = 0; i < gen_nr_args(r); i++) {
        const struct scmp_arg_cmp *a = &r->arg[i];

        printf(" %u", a->arg);
        if (a->datum_a != 0xffffffff)
            printf("&%#llx", (unsigned long long)a->datum_a);
        printf("=");
        gen_value(a->datum_b);
    }
    if (r->answer)
        printf(" -> %s", r->answer_name);
    printf(" # %s%s%s\n", r->args, r->args[0] ? ": " : "", r->why);
}

static void gen_text(const struct rule *extra)
{
    static struct sock_filter code[CODE_MAX];

    for (const struct rule *r = policy; r->kind; r = gen_next(r)) {
        if (r->limit == 0 && r != extra)
            continue;
        if (r->limit) {
            struct parts p = gen_parts(r, extra);

            printf("%s: at most %u system calls, %u instructions\n", r->kind,
                   r->limit, gen_compile(&p, code));
        }
        for (const struct rule *a = r + 1; a->call; a++)
            gen_rule(r->kind, a);
    }
}

int main(int argc, char **argv)
{
    const struct rule *extra = argc > 2 ? gen_find(argv[2]) : NULL;

    if (argc < 2)
        gen_die("usage: genfilter table|list [sanitizer]", "arguments");
    if (strcmp(argv[1], "table") == 0)
        gen_table(extra);
    else
        gen_text(extra);
    return fflush(stdout) == EOF ? 1 : 0;
}
