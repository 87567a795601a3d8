/* SPDX-License-Identifier: Apache-2.0 */
/* record.c: the monitor's notes on itself, in pages that outlive it */
#include <stdio.h>
#include <sys/mman.h>

#include "mote/clock.h"

#include "impl.h"

/* Shared across the fork that makes the monitor; NULL: no notes are taken.
 * Where nothing can be shared they are the monitor's own, and deadlines can
 * read them. */
static struct record_page *record_page, record_own;

void record_init(void)
{
    void *p = mmap(NULL, sizeof(*record_page), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    record_page = p == MAP_FAILED ? &record_own : p;
    record_stamp(RECORD_EXEC);
}

struct record_page *record_pages(void)
{
    return record_page;
}

void record_stamp(enum record_stamp which)
{
    u64 none = 0;

    if (record_page && !atomic_load(&record_page->stamp[which]))
        atomic_compare_exchange_strong(&record_page->stamp[which], &none,
                                       monotonic_ns());
}

u64 record_stamped(enum record_stamp which)
{
    return record_page ? atomic_load(&record_page->stamp[which]) : 0;
}

/* Two writers, of the serial port and of hvc0, may mix lines, but lose none. */
void record_console(const u8 *bytes, size_t len)
{
    struct record_page *p = record_page;
    size_t skip = len > RECORD_TAIL ? len - RECORD_TAIL : 0;
    u64 at;

    if (!p || len == 0)
        return;
    record_stamp(RECORD_FIRST_BYTE);
    at = atomic_fetch_add_explicit(&p->tail_head, len, memory_order_relaxed);
    for (size_t i = skip; i < len; i++)
        atomic_store_explicit(&p->tail[(at + i) % RECORD_TAIL], bytes[i],
                              memory_order_relaxed);
}

void record_thread(const char *name)
{
    struct record_page *p = record_page;
    u32 i = p ? atomic_fetch_add(&p->nr_threads, 1) : RECORD_THREADS;

    if (i >= RECORD_THREADS)
        return;
    snprintf(p->thread[i].name, sizeof(p->thread[i].name), "%s", name);
    atomic_store(&p->thread[i].cpu_ns, clock_now_ns(CLOCK_THREAD_CPUTIME_ID));
}

void record_error(const char *line)
{
    struct record_page *p = record_page;

    if (p && atomic_fetch_add(&p->errors, 1) == 0)
        snprintf(p->error, sizeof(p->error), "%.*s", (int)strcspn(line, "\n"),
                 line);
}

void record_engine(const char *name, const char *why)
{
    struct record_page *p = record_page;

    if (!p)
        return;
    snprintf(p->engine, sizeof(p->engine), "%s", name);
    snprintf(p->engine_why, sizeof(p->engine_why), "%s", why);
}

void record_level(const char *name, const char *missing)
{
    struct record_page *p = record_page;

    if (!p)
        return;
    snprintf(p->level, sizeof(p->level), "%s", name);
    snprintf(p->missing, sizeof(p->missing), "%s", missing);
}

void record_layer(const char *name)
{
    struct record_page *p = record_page;

    if (p && p->nr_layers < RECORD_LAYERS)
        snprintf(p->layer[p->nr_layers++], sizeof(p->layer[0]), "%s", name);
}

void record_device(const struct record_device *d)
{
    struct record_page *p = record_page;
    struct page_device *to;

    if (!p || p->nr_devices == RECORD_DEVICES)
        return;
    to = &p->device[p->nr_devices++];
    *to = (struct page_device){
        .requests = d->requests,
        .bytes_in = d->bytes_in,
        .bytes_out = d->bytes_out,
        .errors = d->errors,
        .dropped = d->dropped,
    };
    snprintf(to->kind, sizeof(to->kind), "%s", d->kind);
    snprintf(to->name, sizeof(to->name), "%s", d->name);
}

void record_counts(const struct record_counts *c)
{
    if (record_page)
        record_page->counts = *c;
}

void record_command(int status)
{
    if (!record_page)
        return;
    record_page->command = status;
    record_page->has_command = 1;
}

void record_end(enum record_reason reason, int signal)
{
    record_stamp(RECORD_END);
    if (!record_page)
        return;
    record_page->reason = (u32)reason;
    record_page->signal = signal;
}
