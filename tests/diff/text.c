/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.c: a case as a line of text, as the corpus has it and as failures are
 * reported:
 *
 *   64 at=310000010000 code=4801c3 flags=246 rax=1 fs=0 fx0=37f w1000=0102
 *
 * 64, 32 or 16: the mode. at: where the code is. Registers that are not named
 * are 0. es, cs, ss, ds, fsel, gsel: selectors, if not the mode's usual. fxN,
 * wN: bytes N and following of the FXSAVE image or of the window; what is not
 * named is 0. undef: flags that are not compared. All in hexadecimal.
 */
#include <ctype.h>
#include <stdlib.h>

#include "diff.h"
#include "interp/sse.h"

static const char *const names[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp",
                                      "rsi", "rdi", "r8",  "r9",  "r10", "r11",
                                      "r12", "r13", "r14", "r15"};

static const char *const modes[] = {"16", "32", "64"};
static const char *const sels[SEG_NR] = {"es", "cs",   "ss",
                                         "ds", "fsel", "gsel"};

/* ---- out ------------------------------------------------------------------
 */

static void print_bytes(FILE *f, const char *name, const u8 *p,
                        unsigned int len)
{
    fprintf(f, " %s=", name);
    for (unsigned int i = 0; i < len; i++)
        fprintf(f, "%02x", p[i]);
}

static bool is_zero(const u8 *p, unsigned int len)
{
    for (unsigned int i = 0; i < len; i++)
        if (p[i])
            return false;
    return true;
}

/* Runs of eights that are not zero. */
static void print_sparse(FILE *f, const char *name, const u8 *p,
                         unsigned int len)
{
    char at[16];

    for (unsigned int i = 0, n; i < len; i += n) {
        n = 8;
        if (is_zero(p + i, 8))
            continue;
        while (i + n < len && !is_zero(p + i + n, 8))
            n += 8;
        snprintf(at, sizeof(at), "%s%x", name, i);
        print_bytes(f, at, p + i, n);
    }
}

static void print_selectors(FILE *f, const struct diff_case *c)
{
    struct diff_case usual = {.mode = c->mode};

    segs_default(&usual);
    for (unsigned int i = 0; i < SEG_NR; i++)
        if (c->in.sel[i] != usual.in.sel[i])
            fprintf(f, " %s=%x", sels[i], c->in.sel[i]);
}

void solo_print(FILE *f, const struct solo *s)
{
    const struct diff_case *c = &s->c;
    static struct solo flat;

    flat = *s;
    case_plant(c, flat.window);
    fprintf(f, "%s at=%lx", modes[c->mode], c->at);
    print_bytes(f, "code", c->code, c->len);
    fprintf(f, " flags=%lx", c->in.rflags);
    print_selectors(f, c);
    if (c->undef_flags)
        fprintf(f, " undef=%x", c->undef_flags);
    for (unsigned int i = 0; i < 16; i++)
        if (c->in.gpr[i])
            fprintf(f, " %s=%lx", names[i], c->in.gpr[i]);
    if (c->in.fs)
        fprintf(f, " fs=%lx", c->in.fs);
    if (c->in.gs)
        fprintf(f, " gs=%lx", c->in.gs);
    if (c->fpu)
        print_sparse(f, "fx", c->fx, FX_USED);
    print_sparse(f, "w", flat.window, DATA_SIZE);
    fputc('\n', f);
}

/* ---- in -------------------------------------------------------------------
 */

/* The bytes that were there, or -1. */
static int parse_bytes(const char *text, u8 *to, unsigned int most)
{
    unsigned int n = 0, val;
    char two[3] = {0};

    for (; isxdigit((unsigned char)text[0]) && n < most; text += 2, n++) {
        if (!isxdigit((unsigned char)text[1]))
            return -1;
        memcpy(two, text, 2);
        val = (unsigned int)strtoul(two, NULL, 16);
        to[n] = (u8)val;
    }
    return *text ? -1 : (int)n;
}

static bool parse_at(const char *off, const char *val, u8 *to,
                     unsigned int size)
{
    char *end;
    unsigned long at = strtoul(off, &end, 16);

    return !*end && at < size &&
           parse_bytes(val, to + at, size - (unsigned int)at) >= 0;
}

static u64 *parse_word(struct diff_case *c, const char *name)
{
    for (unsigned int i = 0; i < 16; i++)
        if (strcmp(name, names[i]) == 0)
            return &c->in.gpr[i];
    if (strcmp(name, "fs") == 0)
        return &c->in.fs;
    if (strcmp(name, "gs") == 0)
        return &c->in.gs;
    if (strcmp(name, "flags") == 0)
        return &c->in.rflags;
    return strcmp(name, "at") == 0 ? &c->at : NULL;
}

static u16 *parse_selector(struct diff_case *c, const char *name)
{
    for (unsigned int i = 0; i < SEG_NR; i++)
        if (strcmp(name, sels[i]) == 0)
            return &c->in.sel[i];
    return NULL;
}

static bool parse_mode(struct diff_case *c, const char *name)
{
    while (c->mode < ARRAY_SIZE(modes) && strcmp(name, modes[c->mode]) != 0)
        c->mode++;
    if (c->mode == ARRAY_SIZE(modes))
        return false;
    segs_default(c);
    return true;
}

static bool parse_setting(struct solo *s, const char *name, const char *val)
{
    struct diff_case *c = &s->c;
    u64 *word = parse_word(c, name);
    u16 *sel = parse_selector(c, name);
    int n;

    if (word) {
        *word = strtoull(val, NULL, 16);
        return true;
    }
    if (sel) {
        *sel = (u16)strtoul(val, NULL, 16);
        return true;
    }
    if (strcmp(name, "undef") == 0) {
        c->undef_flags = (u32)strtoul(val, NULL, 16);
        return true;
    }
    if (strcmp(name, "code") == 0) {
        n = parse_bytes(val, c->code, CODE_MAX);
        c->len = (u8)MAX(n, 0);
        return n > 0;
    }
    if (strncmp(name, "fx", 2) == 0) {
        c->fpu = true;
        return parse_at(name + 2, val, c->fx, FX_USED);
    }
    return *name == 'w' && parse_at(name + 1, val, s->window, DATA_SIZE);
}

static bool case_fits(const struct diff_case *c)
{
    u64 off = c->at - case_base(c) - CODE;

    return c->len > 0 && off < CODE_SIZE &&
           c->at + c->len + 5 <= case_slot(c) + TAKEN;
}

bool solo_parse(struct solo *s, const char *line)
{
    static char copy[65536];
    char *rest = copy, *word, *val;

    if (strlen(line) >= sizeof(copy))
        return false;
    memcpy(copy, line, strlen(line) + 1);
    memset(s, 0, sizeof(*s));
    word = strsep(&rest, " \n");
    if (!parse_mode(&s->c, word))
        return false;
    while ((word = strsep(&rest, " \n"))) {
        if (!*word)
            continue;
        val = strchr(word, '=');
        if (!val)
            return false;
        *val++ = 0;
        if (!parse_setting(s, word, val))
            return false;
    }
    case_finish(&s->c);
    return case_fits(&s->c);
}
