/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics.h: what a running VM counts, one line of JSON at a time, under
 * Firecracker's names: {"utc_timestamp_ms":1,"block":{"read_count":2}}. Numbers
 * are what has come since the last line that was written; what a line that was
 * lost has counted is in the next one.
 *
 * Nothing here waits or allocates after metrics_open(): a FIFO that is full, or
 * a disk, loses lines, and the loss is counted.
 */
#ifndef MOTE_METRICS_H
#define MOTE_METRICS_H

#include "mote/base.h"

struct metrics_config; /* config.h */

/* The file or FIFO, made if it is not there; none named: every function here
 * does nothing. 0 or a negative errno, already reported. Main, while paths can
 * be opened. */
int metrics_open(const struct metrics_config *cfg);
void metrics_close(void);
bool metrics_wanted(void);

/*
 * One line: begin, then groups with their counters, always the same ones in
 * the same order, then end, which writes it. A group of one device has its id:
 * "block_root". Counters only grow. The monitor's main.
 */
void metrics_begin(void);
void metrics_group(const char *name, const char *id); /* id: or NULL */
void metrics_count(const char *name, u64 value);
void metrics_end(void);

/* Lines that were not written. */
u64 metrics_missed(void);

/* A line with this counter at 1 only: the monitor has ended, and could not
 * write its last one. The supervisor's. */
void metrics_lost(const char *group, const char *name);
/* The same for a signal, if Firecracker counts it. */
void metrics_lost_signal(int signal);

#endif
