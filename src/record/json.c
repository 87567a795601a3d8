/* SPDX-License-Identifier: Apache-2.0 */
/* json.c: the exit record as JSON; docs/exit-status.md names its keys */
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "impl.h"

/* Text of the page's; null when it is empty. */
static json_t *json_text(const char *text, size_t max)
{
    char buf[512];

    record_text(buf, sizeof(buf), text, max);
    return buf[0] ? json_string(buf) : json_null();
}

static json_t *json_maybe(const char *text)
{
    return text ? json_string(text) : json_null();
}

static json_t *json_u64(u64 n)
{
    return json_integer((json_int_t)MIN(n, (u64)INT64_MAX));
}

/* Those that were reached; the rest is null. */
static json_t *json_timeline(const struct record *r)
{
    static const char *const names[RECORD_STAMPS] = {
        [RECORD_CONFIG] = "config",
        [RECORD_OPENED] = "opened",
        [RECORD_LOADED] = "loaded",
        [RECORD_FIRST_INSN] = "first_instruction",
        [RECORD_FIRST_BYTE] = "first_console_byte",
        [RECORD_INIT] = "init",
        [RECORD_COMMAND] = "command",
        [RECORD_FIRST_OUTPUT] = "first_output",
        [RECORD_END] = "end",
    };
    json_t *object = json_object();
    u64 us;

    for (unsigned int i = RECORD_CONFIG; i < RECORD_STAMPS; i++)
        json_object_set_new(object, names[i],
                            record_us(&r->page, (enum record_stamp)i, &us)
                                ? json_u64(us)
                                : json_null());
    return object;
}

static json_t *json_threads(const struct record_page *p)
{
    json_t *object = json_object();
    unsigned int nr = MIN(p->nr_threads, (u32)RECORD_THREADS);
    char name[sizeof(p->thread[0].name) + 1];

    for (unsigned int i = 0; i < nr; i++) {
        record_text(name, sizeof(name), p->thread[i].name,
                    sizeof(p->thread[i].name));
        if (p->thread[i].cpu_ns)
            json_object_set_new(object, name,
                                json_u64(p->thread[i].cpu_ns / 1000));
    }
    return object;
}

static json_t *json_usage(const struct record *r)
{
    json_t *object = json_object();

    json_object_set_new(object, "host_cpu_us", json_u64(r->cpu_us));
    json_object_set_new(object, "max_rss_kib", json_u64(r->max_rss_kib));
    json_object_set_new(object, "thread_cpu_us", json_threads(&r->page));
    return object;
}

static json_t *json_device(const struct page_device *d)
{
    json_t *object = json_object();

    json_object_set_new(object, "kind", json_text(d->kind, sizeof(d->kind)));
    json_object_set_new(object, "name", json_text(d->name, sizeof(d->name)));
    json_object_set_new(object, "requests", json_u64(d->requests));
    json_object_set_new(object, "bytes_in", json_u64(d->bytes_in));
    json_object_set_new(object, "bytes_out", json_u64(d->bytes_out));
    json_object_set_new(object, "errors", json_u64(d->errors));
    json_object_set_new(object, "dropped", json_u64(d->dropped));
    return object;
}

static json_t *json_devices(const struct record_page *p)
{
    json_t *array = json_array();

    for (unsigned int i = 0; i < MIN(p->nr_devices, (u32)RECORD_DEVICES); i++)
        json_array_append_new(array, json_device(&p->device[i]));
    return array;
}

static json_t *json_isolation(const struct record_page *p)
{
    json_t *object = json_object(), *layers = json_array();

    for (unsigned int i = 0; i < MIN(p->nr_layers, (u32)RECORD_LAYERS); i++)
        json_array_append_new(layers,
                              json_text(p->layer[i], sizeof(p->layer[i])));
    json_object_set_new(object, "level", json_text(p->level, sizeof(p->level)));
    json_object_set_new(object, "layers", layers);
    json_object_set_new(object, "missing",
                        json_text(p->missing, sizeof(p->missing)));
    return object;
}

static json_t *json_lines(const char *text)
{
    json_t *array = json_array();

    while (*text) {
        size_t len = strcspn(text, "\n");

        json_array_append_new(array, json_stringn(text, len));
        text += len + (text[len] == '\n');
    }
    return array;
}

static json_t *json_signal(int sig)
{
    const char *name = sig ? sigabbrev_np(sig) : NULL;

    return name ? json_sprintf("SIG%s", name) : json_null();
}

static void json_add_end(json_t *root, const struct record *r)
{
    const struct record_page *p = &r->page;

    json_object_set_new(root, "reason",
                        json_string(record_reason_name(r->reason)));
    json_object_set_new(root, "exit_status", json_integer(r->facts->status));
    json_object_set_new(root, "command_status",
                        p->has_command ? json_integer(p->command)
                                       : json_null());
    json_object_set_new(root, "signal", json_signal(r->signal));
    json_object_set_new(root, "error", json_text(p->error, sizeof(p->error)));
    json_object_set_new(root, "panic", json_text(r->panic, sizeof(r->panic)));
    json_object_set_new(root, "hint", json_maybe(record_hint(r)));
}

static json_t *json_interp_stats(const struct record_counts *c)
{
    if (!c->interp_stats)
        return json_null();
    return json_pack("{sI sI sI sI sI sI}", "block_misses",
                     (json_int_t)c->blocks, "tlb_misses",
                     (json_int_t)c->tlb_misses, "smc_hits", (json_int_t)c->smc,
                     "interrupts", (json_int_t)c->irqs, "eoi_writes",
                     (json_int_t)c->eois, "exclusive", (json_int_t)c->alone);
}

static void json_add_engine(json_t *root, const struct record_page *p)
{
    json_object_set_new(root, "engine",
                        json_text(p->engine, sizeof(p->engine)));
    json_object_set_new(root, "engine_reason",
                        json_text(p->engine_why, sizeof(p->engine_why)));
    json_object_set_new(root, "instructions", json_u64(p->counts.insns));
    json_object_set_new(root, "emulated", json_u64(p->counts.emulated));
    json_object_set_new(root, "kvm_exits", json_u64(p->counts.kvm_exits));
    json_object_set_new(root, "interp_stats", json_interp_stats(&p->counts));
}

char *record_json(const struct record *r)
{
    json_t *root = json_object();
    char *json, *text = NULL;

    json_object_set_new(root, "version", json_string(MOTE_VERSION));
    json_object_set_new(root, "id", json_string(r->facts->id));
    json_add_end(root, r);
    json_add_engine(root, &r->page);
    json_object_set_new(root, "boot_us", json_timeline(r));
    json_object_set_new(root, "usage", json_usage(r));
    json_object_set_new(root, "devices", json_devices(&r->page));
    json_object_set_new(root, "isolation", json_isolation(&r->page));
    json_object_set_new(root, "console_tail", json_lines(r->last));
    json = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    if (json && asprintf(&text, "%s\n", json) < 0)
        text = NULL;
    free(json);
    return text;
}
