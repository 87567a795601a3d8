/* SPDX-License-Identifier: Apache-2.0 */
/* findings.c: lines of findings, and what others report while we listen */
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>

#include "mote/log.h"

#include "check.h"

#define HEARD_MAX 32768u

/* Shared with children, which are heard, too; they write one at a time. */
static struct heard {
    size_t len;
    char text[HEARD_MAX];
} * heard;

void finding_add(struct findings *f, enum finding_level level, const char *what,
                 const char *fmt, ...)
{
    struct finding *one = &f->finding[f->nr];
    va_list ap;

    f->failed = f->failed || level == FINDING_FAIL;
    if (f->nr == FINDING_MAX) {
        f->lost++;
        return;
    }
    f->nr++;
    one->level = level;
    snprintf(one->what, sizeof(one->what), "%s", what);
    va_start(ap, fmt);
    vsnprintf(one->text, sizeof(one->text), fmt, ap);
    va_end(ap);
    for (char *p = one->text; *p; p++)
        *p = (u8)*p < ' ' || *p == 0x7f ? '?' : *p;
}

static void heard_line(const char *text, size_t len)
{
    size_t n = MIN(len, HEARD_MAX - heard->len);

    memcpy(heard->text + heard->len, text, n);
    heard->len += n;
}

int findings_listen(void)
{
    void *p = mmap(NULL, sizeof(*heard), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        return fail(-ENOMEM, "check");
    heard = p;
    log_sink_set(heard_line);
    return 0;
}

/* Without the program's name in front, which is not news here. */
static const char *heard_start(const char *line, size_t *len)
{
    static const char prefix[] = "mote: ";
    size_t n = sizeof(prefix) - 1;

    if (*len < n || memcmp(line, prefix, n) != 0)
        return line;
    *len -= n;
    return line + n;
}

unsigned int findings_heard(struct findings *f, enum finding_level level,
                            const char *what)
{
    unsigned int lines = 0;
    const char *line, *next, *start;
    size_t len;

    log_sink_set(NULL);
    if (!heard)
        return 0;
    for (size_t at = 0; at < heard->len; at += (size_t)(next - line) + 1) {
        line = heard->text + at;
        next = memchr(line, '\n', heard->len - at);
        next = next ? next : heard->text + heard->len;
        len = (size_t)(next - line);
        start = heard_start(line, &len);
        finding_add(f, level, what, "%.*s", (int)len, start);
        lines++;
    }
    munmap(heard, sizeof(*heard));
    heard = NULL;
    return lines;
}
