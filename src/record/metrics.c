/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.c: lines of counters for a file or a FIFO, which may take them or
 * not */
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mote/clock.h"
#include "mote/config.h"
#include "mote/log.h"
#include "mote/metrics.h"

#define METRICS_LINE       (32 * KIB) /* nineteen devices of the longest names */
#define METRICS_PROPERTIES (4 * KIB)
#define METRICS_MAX        512 /* counters in a line */

static struct {
    int fd;                              /* -1: nobody wants any */
    char properties[METRICS_PROPERTIES]; /* ",\"properties\":{...}", or "" */

    char line[METRICS_LINE];
    size_t len, done;          /* done < len: a FIFO has taken a part only */
    bool building, group, any; /* a line; in it a group; in that a counter */
    u64 missed;

    unsigned int nr; /* counters in the line so far */
    u64 now[METRICS_MAX], told[METRICS_MAX];
} metrics = {.fd = -1};

/* ---- where to -------------------------------------------------------------
 */

/* The operator's own words, with JSON's escapes, once and for all. */
static int metrics_render(const struct metrics_config *cfg)
{
    json_t *object = json_object();
    char *text;
    int n;

    for (unsigned int i = 0; i < cfg->nr_properties; i++)
        json_object_set_new(object, cfg->property[i].name,
                            json_string(cfg->property[i].value));
    text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    if (!text)
        return fail(-ENOMEM, "metrics.properties");
    n = snprintf(metrics.properties, sizeof(metrics.properties),
                 ",\"properties\":%s", text);
    free(text);
    if (n >= (int)sizeof(metrics.properties))
        return fail_rule(-E2BIG,
                         "metrics.properties: %d bytes; at most %zu go into "
                         "every line",
                         n, sizeof(metrics.properties) - 1);
    return 0;
}

int metrics_open(const struct metrics_config *cfg)
{
    int r = 0;

    metrics.properties[0] = '\0';
    if (!cfg->path)
        return 0;
    if (cfg->nr_properties)
        r = metrics_render(cfg);
    if (r < 0)
        return r;
    /* O_RDWR: a FIFO opens at once also when nobody reads it yet. */
    metrics.fd = open(
        cfg->path,
        O_RDWR | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
    return metrics.fd < 0 ? fail(-errno, "metrics %s", cfg->path) : 0;
}

void metrics_close(void)
{
    if (metrics.fd >= 0)
        close(metrics.fd);
    metrics.fd = -1;
    metrics.len = metrics.done = 0;
    metrics.missed = 0;
    memset(metrics.told, 0, sizeof(metrics.told));
}

bool metrics_wanted(void)
{
    return metrics.fd >= 0;
}

u64 metrics_missed(void)
{
    return metrics.missed;
}

/* ---- a line ---------------------------------------------------------------
 */

PRINTF(1, 2)
static void metrics_add(const char *fmt, ...)
{
    size_t room = sizeof(metrics.line) - metrics.len;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(metrics.line + metrics.len, room, fmt, ap);
    va_end(ap);
    assert(n >= 0 && (size_t)n < room); /* names and numbers of ours */
    metrics.len += (size_t)n;
}

/* What is left of it; a FIFO takes what there is room for. */
static void metrics_write(void)
{
    ssize_t n = write(metrics.fd, metrics.line + metrics.done,
                      metrics.len - metrics.done);

    if (n > 0)
        metrics.done += (size_t)n;
}

/* Half a line is worse than none: its end comes before the next one. */
static bool metrics_ready(void)
{
    if (metrics.done < metrics.len)
        metrics_write();
    return metrics.done == metrics.len;
}

void metrics_begin(void)
{
    u64 ms = clock_now_ns(CLOCK_REALTIME) / 1000000u;

    metrics.building = metrics.fd >= 0 && metrics_ready();
    metrics.group = false;
    metrics.nr = 0;
    if (!metrics.building)
        return;
    metrics.len = metrics.done = 0;
    metrics_add("{\"utc_timestamp_ms\":%llu%s", (unsigned long long)ms,
                metrics.properties);
}

static void metrics_end_group(void)
{
    if (metrics.group)
        metrics_add("}");
    metrics.group = false;
}

void metrics_group(const char *name, const char *id)
{
    if (!metrics.building)
        return;
    metrics_end_group();
    metrics_add(",\"%s%s%s\":{", name, id ? "_" : "", id ? id : "");
    metrics.group = true;
    metrics.any = false;
}

void metrics_count(const char *name, u64 value)
{
    unsigned int i = metrics.nr;

    if (!metrics.building)
        return;
    assert(i < METRICS_MAX);
    metrics.now[i] = value;
    metrics_add("%s\"%s\":%llu", metrics.any ? "," : "", name,
                (unsigned long long)(value - metrics.told[i]));
    metrics.any = true;
    metrics.nr++;
}

/* A line that has begun to go out will be told to its end. */
void metrics_end(void)
{
    if (metrics.fd < 0)
        return;
    if (!metrics.building) {
        metrics.missed++;
        return;
    }
    metrics.building = false;
    metrics_end_group();
    metrics_add("}\n");
    metrics_write();
    if (metrics.done > 0) {
        memcpy(metrics.told, metrics.now, sizeof(metrics.told));
        return;
    }
    metrics.missed++;
    metrics.len = 0;
}

/* ---- last words -----------------------------------------------------------
 */

void metrics_lost(const char *group, const char *name)
{
    metrics.told[0] = 0; /* by this process, nothing yet */
    metrics_begin();
    metrics_group(group, NULL);
    metrics_count(name, 1);
    metrics_end();
}

void metrics_lost_signal(int signal)
{
    static const struct {
        int signal;
        const char *name;
    } known[] = {
        {SIGBUS, "sigbus"},   {SIGSEGV, "sigsegv"}, {SIGXFSZ, "sigxfsz"},
        {SIGXCPU, "sigxcpu"}, {SIGPIPE, "sigpipe"}, {SIGHUP, "sighup"},
        {SIGILL, "sigill"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (known[i].signal == signal)
            metrics_lost("signals", known[i].name);
}
