/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.h: what to run, parsed and checked; one struct per JSON object.
 * Strings are owned by the config. Nothing here touches the host but to look
 * whether named files can be read.
 */
#ifndef MOTE_CONFIG_H
#define MOTE_CONFIG_H

#include "mote/base.h"
#include "mote/chr.h"
#include "mote/log.h"

enum exit_status { /* documented in README.md; Firecracker's numbers */
    STATUS_OK = 0,
    STATUS_FAILURE = 1,
    STATUS_BUG = 2,
    STATUS_BAD_CONFIG = 152,
    STATUS_BAD_ARGS = 153,
    STATUS_SIGHUP = 156,
};

enum engine_kind { ENGINE_AUTO, ENGINE_KVM, ENGINE_INTERP };

struct boot_config {
    char *kernel;
    char *initrd; /* or NULL */
    char *args;   /* NULL: the default of cmdline.c */
    char *append; /* or NULL; command line only */
};

struct machine_config {
    unsigned int vcpus; /* 1..32 */
    u64 mem_bytes;
    bool smt;
    enum engine_kind engine;
};

struct console_config {
    enum chr_mode mode;
    char *path; /* CHR_FILE */
};

struct log_config {
    char *path; /* NULL: stderr */
    enum log_level level;
    bool show_level;
    bool show_origin;
};

struct config {
    char *id;
    struct boot_config boot;
    struct machine_config machine;
    struct console_config console;
    struct log_config log;
    bool boot_timer;
};

/* The defaults: 1 vCPU, 128 MiB, engine auto, console stdio, level Info. */
int config_init(struct config *c);
void config_fini(struct config *c);

/*
 * Read a JSON file ("-": stdin, "fd:N": a descriptor) into *c. Prints every
 * error as "mote: FILE:LINE:COLUMN: key: ..."; returns 0 or -EINVAL.
 */
int config_read(struct config *c, const char *source);

/* The same from memory; name is what errors call it. */
int config_parse(struct config *c, const char *name, const char *text,
                 size_t len);

/* Rules across blocks and files that must be readable. 0 or -EINVAL. */
int config_check(const struct config *c);

/* "512M", "2G", "131072K", plain bytes are not accepted without a unit below
 * one MiB. 0, -EINVAL (not a size) or -ERANGE. */
int config_parse_size(const char *text, u64 *bytes);

/* The candidate within edit distance 2 of word, or NULL. */
const char *config_nearest(const char *word, const char *const *candidates,
                           size_t n);

#endif
