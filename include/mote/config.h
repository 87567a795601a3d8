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

/* Where each value came from, for errors found later; private to src/config. */
struct config_origins;

struct config {
    char *id; /* NULL: "anonymous-instance" */
    struct boot_config boot;
    struct machine_config machine;
    struct console_config console;
    struct log_config log;
    bool boot_timer;
    struct config_origins *origins;
};

/* The defaults: 1 vCPU, 128 MiB, engine auto, console stdio, level Info. 0 or
 * -ENOMEM, already reported. */
int config_init(struct config *c);
void config_fini(struct config *c);

/* *field (the address of a member of *c) was given by this option, a string
 * that outlives c. What the file says of it later is checked, but not stored.
 */
void config_set_option(struct config *c, const void *field, const char *option);

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

/* The configuration in effect as a JSON file, to stdout. 0 or -errno. */
int config_print(const struct config *c);

/*
 * Report what is wrong with a member, named as the operator named it:
 * "mote: vm.json:3:27: boot-source.kernel_image_path: ..." or
 * "mote: --kernel: ...". Returns -EINVAL.
 */
int config_fail(const struct config *c, const void *field, const char *fmt, ...)
    PRINTF(3, 4);

/* Sets of names for values, in the file and on the command line. */
struct config_word {
    const char *name; /* NULL: end */
    unsigned int value;
};

#define CONFIG_WORD_LATER (~0u) /* a name known, but not supported yet */

struct config_words {
    bool any_case;
    const struct config_word *list;
};

extern const struct config_words config_engines, config_levels, config_modes;

/* 0; -ENOTSUP: known, but not yet; -EINVAL: unknown, and *near is the nearest
 * name or NULL. */
int config_find_word(const struct config_words *words, const char *text,
                     unsigned int *value, const char **near);

/* "auto, kvm, interp" into buf. */
void config_list_words(const struct config_words *words, char *buf, size_t len);

/* "512M", "2G", "131072K"; bytes without a unit only from one MiB on, since
 * 512 is more likely a mistake. 0, -EINVAL (not a size) or -ERANGE. */
int config_parse_size(const char *text, u64 *bytes);

/* [A-Za-z0-9_-]{1,64} */
bool config_id_valid(const char *id);

/* The candidate within edit distance 2 of word, or NULL. */
const char *config_nearest(const char *word, const char *const *candidates,
                           size_t n);

#endif
