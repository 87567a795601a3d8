/* SPDX-License-Identifier: Apache-2.0 */
/* progress.c: says on stderr how far a long job is */
#include <stdio.h>
#include <unistd.h>

#include "mote/clock.h"

#include "progress.h"

#define PROGRESS_FIRST_MS    1000
#define PROGRESS_TERMINAL_MS 200
#define PROGRESS_FILE_MS     10000

static void progress_say(struct progress *p)
{
    fprintf(stderr, "%smote: %s %s: %llu of %llu MiB%s",
            p->terminal ? "\r" : "", p->doing, p->what,
            (unsigned long long)(p->done / MIB),
            (unsigned long long)(p->total / MIB), p->terminal ? "" : "\n");
    fflush(stderr);
    p->said = true;
}

void progress_begin(struct progress *p, const char *doing, const char *what,
                    u64 total)
{
    *p = (struct progress){
        .doing = doing,
        .what = what,
        .total = total,
        .next = monotonic_ms() + PROGRESS_FIRST_MS,
        .terminal = isatty(STDERR_FILENO) == 1,
    };
}

void progress_add(struct progress *p, u64 bytes)
{
    u64 now = monotonic_ms();

    p->done += bytes;
    if (now < p->next)
        return;
    p->next = now + (p->terminal ? PROGRESS_TERMINAL_MS : PROGRESS_FILE_MS);
    progress_say(p);
}

void progress_end(struct progress *p)
{
    if (!p->said || !p->terminal)
        return;
    progress_say(p);
    fputc('\n', stderr);
}
