/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mmds.h: the metadata service, as Firecracker has it: an HTTP server on one
 * IPv4 address, inside the network device, that tells the guest what the
 * operator wants it to know. Frames to that address never reach the network.
 *
 * Call order: mmds_open, then mmds_wrap for each interface that serves it,
 * before net_new; when the devices are gone, mmds_free. All answers are made
 * by mmds_open(): from then on nothing but counters changes, so that the
 * threads of all interfaces read without a lock.
 */
#ifndef MOTE_MMDS_H
#define MOTE_MMDS_H

#include "mote/nic.h"

#define MMDS_ADDRESS   "169.254.169.254"
#define MMDS_SIZE      51200u /* bytes of data, if nothing else is said */
#define MMDS_SIZE_MAX  MIB
#define MMDS_DEPTH_MAX 128u

enum mmds_version {
    MMDS_V1, /* whoever asks is answered */
    MMDS_V2, /* who has a token */
};

struct mmds_options {
    const char *path;    /* a file of one JSON object; NULL: no data */
    const char *address; /* dotted quad; NULL: MMDS_ADDRESS */
    u32 size;            /* limit of the data as compact JSON; 0: MMDS_SIZE */
    enum mmds_version version;
    bool text_only; /* whatever type the guest accepts */
};

struct mmds;

/* Reads the file, makes all answers, draws the key of tokens. Main. 0 or a
 * negative errno, already reported. */
int mmds_open(struct mmds **out, const struct mmds_options *opt);
void mmds_free(struct mmds *m);

/* What it has done since the start, on all interfaces, in Firecracker's words.
 * Any thread. */
#define MMDS_COUNTERS 10u
extern const char *const mmds_counters[MMDS_COUNTERS];
void mmds_count(const struct mmds *m, u64 value[static MMDS_COUNTERS]);

/* What mmds_open() would meet: 0 and *bytes, how much data there is; or a
 * negative errno, and *text says what is wrong. Reports nothing. */
int mmds_peek(const struct mmds_options *opt, u32 *bytes, char *text,
              size_t len);

/*
 * Put the service in front of *nic, which becomes the wrapper's and is freed
 * with it; the wrapper takes its place. m is borrowed for its life. Main. 0 or
 * a negative errno, already reported; then *nic is as it was.
 */
int mmds_wrap(struct nic **nic, const struct mmds *m);

#endif
