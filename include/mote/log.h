/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h: what mote tells its operator. Every function may be called from any
 * thread; a line is written with one write(2) and never blocks: where the sink
 * is full the line is dropped and counted.
 *
 * Three kinds of trouble, three answers: fail() for the operator and the host,
 * warn_guest() for the guest, assert() for ourselves.
 */
#ifndef MOTE_LOG_H
#define MOTE_LOG_H

#include "mote/base.h"

enum log_level {
    LOG_OFF,
    LOG_ERROR,
    LOG_WARN,
    LOG_INFO,
    LOG_DEBUG,
    LOG_TRACE,
};

struct log_config; /* config.h */

/*
 * Where lines go: stderr until log_open() names a file or a FIFO (opened
 * non-blocking, appended to). Errors go to stderr as well, always.
 * Returns 0 or a negative errno, already reported. Main thread, before start.
 */
int log_open(const struct log_config *cfg);
void log_close(void);

/*
 * How this process logs, for another one that mote starts: log_share() here,
 * log_join() there instead of log_open(), with the descriptor under the same
 * number. Main.
 */
struct log_shared {
    int fd; /* of the log file; -1: stderr */
    u32 level;
    bool show_level, show_origin;
};
void log_share(struct log_shared *log);
void log_join(const struct log_shared *log);

/*
 * From now on lines go to what is stderr now, and stderr is /dev/null: for a
 * process with a library that writes there what it likes. 0 or a negative
 * errno, already reported. Main, before the first line.
 */
int log_take_stderr(void);

void log_level_set(enum log_level level);
bool log_enabled(enum log_level level);

/* Lines lost because the sink was full. */
u64 log_dropped(void);

/*
 * Report an operator or host error once, where the detail is known:
 * "mote: <message>: No such file or directory (ENOENT)". Returns err, so that
 * "return fail(-errno, ...)" is the whole error path. err is negative.
 */
int fail(int err, const char *fmt, ...) PRINTF(2, 3);

/* The same without the errno text, for rules of ours. Returns err. */
int fail_rule(int err, const char *fmt, ...) PRINTF(2, 3);

void log_line(enum log_level level, const char *file, int line, const char *fmt,
              ...) PRINTF(4, 5);

#define log_error(...) log_line(LOG_ERROR, __FILE__, __LINE__, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __FILE__, __LINE__, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __FILE__, __LINE__, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __FILE__, __LINE__, __VA_ARGS__)

/*
 * The guest did something wrong. One token bucket for all callers: at most ten
 * lines a second, then "N more suppressed", so a guest cannot fill a disk.
 */
void warn_guest(const char *fmt, ...) PRINTF(1, 2);

/* "ENOENT" for 2; "E?" for numbers without a name. */
const char *errno_name(int err);

/* Unit tests read what fail() and log_line() print. NULL: back to stderr. */
typedef void log_sink_fn(const char *text, size_t len);
void log_sink_set(log_sink_fn *fn);

#endif
