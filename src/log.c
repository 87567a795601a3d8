/* SPDX-License-Identifier: Apache-2.0 */
/* log.c: one line, one write; to stderr, or to a file or FIFO and stderr */
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mote/config.h"
#include "mote/log.h"
#include "mote/record.h"
#include "mote/thread.h"

#define LOG_LINE_MAX 1024

static struct {
    int fd; /* -1: stderr */
    int stderr_fd;
    _Atomic(int) level;
    char module[64]; /* "src/virtio/", or "": all */
    bool show_level;
    bool show_origin;
    bool stamped; /* a log file gets time stamps, a person does not */
    _Atomic(u64) dropped;
    log_sink_fn *sink;
    pthread_once_t watched;
    int ready_fd; /* epoll: may stderr be written? -1: always */
} log_state = {.fd = -1,
               .stderr_fd = STDERR_FILENO,
               .level = LOG_INFO,
               .watched = PTHREAD_ONCE_INIT,
               .ready_fd = -1};

static const char *const log_level_name[] = {
    [LOG_ERROR] = "ERROR", [LOG_WARN] = "WARN",   [LOG_INFO] = "INFO",
    [LOG_DEBUG] = "DEBUG", [LOG_TRACE] = "TRACE",
};

/* epoll refuses what is always ready, such as files. */
static void log_watch_stderr(void)
{
    struct epoll_event ev = {.events = EPOLLOUT};
    int epfd = epoll_create1(EPOLL_CLOEXEC);

    if (epfd < 0 ||
        epoll_ctl(epfd, EPOLL_CTL_ADD, log_state.stderr_fd, &ev) == 0) {
        log_state.ready_fd = epfd;
        return;
    }
    close(epfd);
}

static void log_set_module(const char *module)
{
    log_state.module[0] = '\0';
    if (module && *module)
        snprintf(log_state.module, sizeof(log_state.module), "src/%s", module);
}

/* Lines without a place, such as errors, are everybody's. */
static bool log_wants(const char *file)
{
    return !file ||
           strncmp(file, log_state.module, strlen(log_state.module)) == 0;
}

int log_open(const struct log_config *cfg)
{
    log_set_module(cfg->module);
    log_state.show_level = cfg->show_level;
    log_state.show_origin = cfg->show_origin;
    log_level_set(cfg->level);
    pthread_once(&log_state.watched, log_watch_stderr);
    tzset(); /* else the first stamp does, which reads files */
    if (!cfg->path)
        return 0;
    /* O_RDWR: a FIFO opens at once also when nobody reads it yet. */
    log_state.fd = open(
        cfg->path, O_RDWR | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0600);
    if (log_state.fd < 0)
        return fail(-errno, "log %s", cfg->path);
    log_state.stamped = true;
    tzset(); /* else gmtime_r() looks for /etc/localtime, later than it can */
    return 0;
}

void log_close(void)
{
    if (log_state.fd >= 0)
        close(log_state.fd);
    log_state.fd = -1;
    log_state.stamped = false;
}

void log_share(struct log_shared *log)
{
    *log = (struct log_shared){.fd = log_state.fd,
                               .level = (u32)atomic_load(&log_state.level),
                               .show_level = log_state.show_level,
                               .show_origin = log_state.show_origin};
}

void log_join(const struct log_shared *log)
{
    log_state.fd = log->fd;
    log_state.stamped = log->fd >= 0;
    log_state.show_level = log->show_level;
    log_state.show_origin = log->show_origin;
    log_level_set((enum log_level)log->level);
    tzset(); /* as above */
}

int log_take_stderr(void)
{
    int ours = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int r = 0;

    if (ours < 0 || null < 0 || dup2(null, STDERR_FILENO) < 0)
        r = fail(-errno, "stderr");
    else
        log_state.stderr_fd = ours;
    pthread_once(&log_state.watched, log_watch_stderr); /* before a filter */
    if (null >= 0)
        close(null);
    return r;
}

void log_level_set(enum log_level level)
{
    atomic_store(&log_state.level, (int)level);
}

bool log_enabled(enum log_level level)
{
    return (int)level <= atomic_load(&log_state.level);
}

u64 log_dropped(void)
{
    return atomic_load(&log_state.dropped);
}

void log_sink_set(log_sink_fn *fn)
{
    log_state.sink = fn;
}

static bool log_stderr_ready(void)
{
    struct epoll_event ev;

    pthread_once(&log_state.watched, log_watch_stderr);
    return log_state.ready_fd < 0 ||
           (epoll_wait(log_state.ready_fd, &ev, 1, 0) == 1 &&
            ev.events & EPOLLOUT);
}

/* stderr is shared with others and may block: write only when it will not. */
static void log_write_stderr(const char *text, size_t len)
{
    if (!log_stderr_ready() || write(log_state.stderr_fd, text, len) < 0)
        atomic_fetch_add(&log_state.dropped, 1);
}

static void log_emit(enum log_level level, const char *text, size_t len)
{
    if (log_state.sink) {
        log_state.sink(text, len);
        return;
    }
    if (log_state.fd >= 0 && write(log_state.fd, text, len) != (ssize_t)len)
        atomic_fetch_add(&log_state.dropped, 1);
    if (log_state.fd < 0 || level == LOG_ERROR)
        log_write_stderr(text, len);
}

/* "mote: " for a person; Firecracker's stamp for a file. */
static size_t log_prefix(char *buf, size_t size, enum log_level level,
                         const char *file, int line)
{
    struct timespec ts;
    struct tm tm;
    size_t n;

    if (log_state.stamped) {
        clock_gettime(CLOCK_REALTIME, &ts);
        gmtime_r(&ts.tv_sec, &tm);
        n = strftime(buf, size, "%Y-%m-%dT%H:%M:%S", &tm);
        n += (size_t)snprintf(buf + n, size - n, ".%09ld ", ts.tv_nsec);
    } else {
        n = (size_t)snprintf(buf, size, "mote: ");
    }
    if (log_state.show_level)
        n +=
            (size_t)snprintf(buf + n, size - n, "[%s] ", log_level_name[level]);
    if (log_state.show_origin && file)
        n += (size_t)snprintf(buf + n, size - n, "%s:%d: ", file, line);
    return n;
}

/* Names in files and archives may be anything: a message stays one line, and
 * gives no orders to a terminal. */
static void log_tame(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (((u8)text[i] < ' ' && text[i] != '\t') || text[i] == 0x7f)
            text[i] = '?';
}

PRINTF(5, 0)
static void log_vline(enum log_level level, const char *file, int line,
                      const char *tail, const char *fmt, va_list ap)
{
    bool enabled = log_enabled(level) && log_wants(file);
    char buf[LOG_LINE_MAX];
    size_t n, text;
    int r;

    if (!enabled && level != LOG_ERROR)
        return;
    text = n = log_prefix(buf, sizeof(buf) - 1, level, file, line);
    r = vsnprintf(buf + n, sizeof(buf) - 1 - n, fmt, ap);
    n = MIN(n + (size_t)MAX(r, 0), sizeof(buf) - 2);
    r = snprintf(buf + n, sizeof(buf) - 1 - n, "%s", tail);
    n = MIN(n + (size_t)MAX(r, 0), sizeof(buf) - 2);
    log_tame(buf + text, n - text);
    buf[n++] = '\n';
    buf[n] = '\0';
    if (level == LOG_ERROR)
        record_error(buf + text);
    if (enabled)
        log_emit(level, buf, n);
}

void log_line(enum log_level level, const char *file, int line, const char *fmt,
              ...)
{
    va_list ap;

    va_start(ap, fmt);
    log_vline(level, file, line, "", fmt, ap);
    va_end(ap);
}

const char *errno_name(int err)
{
    const char *name = strerrorname_np(err < 0 ? -err : err);

    return name ? name : "E?";
}

int fail(int err, const char *fmt, ...)
{
    char tail[128];
    va_list ap;

    snprintf(tail, sizeof(tail), ": %s (%s)", strerrordesc_np(-err),
             errno_name(err));
    va_start(ap, fmt);
    log_vline(LOG_ERROR, NULL, 0, tail, fmt, ap);
    va_end(ap);
    return err;
}

int fail_rule(int err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    log_vline(LOG_ERROR, NULL, 0, "", fmt, ap);
    va_end(ap);
    return err;
}

/* ---- warn_guest: one bucket of ten lines a second ---------------------- */

#define WARN_BURST 10

static struct {
    pthread_mutex_t mutex;
    time_t second;
    unsigned int lines;
    u64 suppressed;
} warn_state = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* May a line be written now? *missed: how many were not, to be told first. */
static bool warn_take_token(u64 *missed)
{
    struct timespec ts;
    bool ok;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
    pthread_mutex_lock(&warn_state.mutex);
    *missed = 0;
    if (ts.tv_sec != warn_state.second) {
        warn_state.second = ts.tv_sec;
        warn_state.lines = 0;
        *missed = warn_state.suppressed;
        warn_state.suppressed = 0;
    }
    ok = warn_state.lines < WARN_BURST;
    if (ok)
        warn_state.lines++;
    else
        warn_state.suppressed++;
    pthread_mutex_unlock(&warn_state.mutex);
    return ok;
}

void warn_guest(const char *fmt, ...)
{
    va_list ap;
    u64 missed;

    if (!warn_take_token(&missed))
        return;
    if (missed)
        log_warn("%llu more guest warnings suppressed",
                 (unsigned long long)missed);
    va_start(ap, fmt);
    log_vline(LOG_WARN, NULL, 0, "", fmt, ap);
    va_end(ap);
}
