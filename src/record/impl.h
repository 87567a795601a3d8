/* SPDX-License-Identifier: Apache-2.0 */
/* impl.h: the pages between monitor and supervisor, for the parts of record.c
 */
#ifndef MOTE_RECORD_IMPL_H
#define MOTE_RECORD_IMPL_H

#include "mote/record.h"

#define RECORD_TAIL    (16 * KIB) /* of the console: a panic with its trace */
#define RECORD_LINES   40         /* of these, in the record */
#define RECORD_DEVICES 20         /* 19 virtio devices and the serial port */
#define RECORD_THREADS 56
#define RECORD_LAYERS  16

struct page_device {
    char kind[12], name[68];
    u64 requests, bytes_in, bytes_out, errors, dropped;
};

struct page_thread {
    char name[16];
    _Atomic(u64) cpu_ns; /* written last */
};

/*
 * Written by the monitor, one member by one thread where nothing else is said;
 * read by the supervisor when the monitor has ended. All zero: not known.
 */
struct record_page {
    _Atomic(u64) stamp[RECORD_STAMPS]; /* any thread; ns */
    _Atomic(u64) tail_head;            /* any thread; bytes ever written */
    _Atomic(u8) tail[RECORD_TAIL];
    _Atomic(u32) nr_threads; /* any thread */
    struct page_thread thread[RECORD_THREADS];
    _Atomic(u32) errors; /* any thread; only the first has error[] */
    char error[400];

    u32 reason; /* enum record_reason */
    s32 signal;
    u32 has_command; /* 1: command is its status */
    s32 command;
    char engine[8], engine_why[160];
    struct record_counts counts;
    char level[20], missing[256];
    u32 nr_layers;
    char layer[RECORD_LAYERS][20];
    u32 nr_devices;
    struct page_device device[RECORD_DEVICES];
};

/* What is to be told: a copy, made when nobody writes any more, with the
 * supervisor's own knowledge. */
struct record {
    struct record_page page;
    const struct record_facts *facts;
    enum record_reason reason;
    int signal;
    u64 cpu_us, max_rss_kib;
    char tail[RECORD_TAIL + 1]; /* printable ASCII and newlines */
    const char *last;           /* in tail: the last RECORD_LINES lines */
    char panic[200];            /* or "" */
};

/* Those of this VM, or NULL. */
struct record_page *record_pages(void);

/* A string of the page's into buf: cut, printable ASCII. */
void record_text(char *buf, size_t len, const char *text, size_t max);

/* Microseconds of a stamp since RECORD_EXEC; false: not reached. */
bool record_us(const struct record_page *p, enum record_stamp which, u64 *us);

/* ---- record_text.c: from the page to what is told -------------------------
 */

/* Fill in reason, tail and panic. */
void record_judge(struct record *r);
const char *record_reason_name(enum record_reason reason);

/* What to do about it, or NULL. */
const char *record_hint(const struct record *r);

/* The summary in one line, without newline. */
void record_summary(const struct record *r, char *buf, size_t len);

/* ---- record_json.c --------------------------------------------------------
 */

/* One line with its newline; the caller frees it. NULL: no memory. */
char *record_json(const struct record *r);

#endif
