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
#include "mote/disk.h"
#include "mote/limit.h"
#include "mote/log.h"
#include "mote/mmds.h"
#include "mote/nic.h"

enum exit_status { /* documented in README.md; Firecracker's numbers */
                   STATUS_OK = 0,
                   STATUS_FAILURE = 1,
                   STATUS_BUG = 2,
                   STATUS_DEADLINE = 124, /* as timeout(1) */
                   STATUS_NO_STATUS = 125,
                   STATUS_NOT_RUN = 126,
                   STATUS_NOT_FOUND = 127,
                   STATUS_SIGNALED = 128, /* and the signal's number */
                   STATUS_SECCOMP = 148,
                   STATUS_SIGBUS = 149, /* a fault of mote's own ... */
                   STATUS_SIGSEGV = 150,
                   STATUS_SIGXFSZ = 151,
                   STATUS_BAD_CONFIG = 152,
                   STATUS_BAD_ARGS = 153,
                   STATUS_SIGXCPU = 154,
                   STATUS_SIGPIPE = 155,
                   STATUS_SIGHUP = 156,
                   STATUS_SIGILL = 157,
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
    bool interp_stats; /* what the interpreter counts is told at the end */
    u64 poll_ns; /* the longest look of a thread before it sleeps; 0: none */
};

enum console_device { CONSOLE_SERIAL, CONSOLE_VIRTIO }; /* ttyS0, hvc0 */

struct console_config {
    enum chr_mode mode;
    char *path; /* CHR_FILE */
    enum console_device device;
    bool input;                       /* of stdio, unix */
    struct limit_bucket_config limit; /* of its output */
};

#define CONFIG_DEVICE_MAX  19 /* virtio devices: GSI 5..23 */
#define CONFIG_PORT_MAX    7  /* of the console, beside hvc0 */
#define CONFIG_FORWARD_MAX 16

enum overlay_exit { OVERLAY_KEEP, OVERLAY_DISCARD };

struct overlay_config {
    bool ephemeral;         /* the layer has no name and ends with the VM */
    char *path;             /* or the file it is kept in */
    u64 quota;              /* bytes; 0: none */
    enum overlay_exit exit; /* what becomes of path */
    bool given;             /* there is an overlay */
};

#define CONFIG_MON_MAX    8
#define CONFIG_OPTION_MAX 16
#define CONFIG_CONNECT_S  10

enum rbd_clone_exit { CLONE_REMOVE, CLONE_KEEP };
enum rbd_lock { RBD_LOCK_EXCLUSIVE, RBD_LOCK_NONE, RBD_LOCK_BREAK };
enum rbd_cache { RBD_CACHE_NONE, RBD_CACHE_WRITETHROUGH, RBD_CACHE_WRITEBACK };

struct config_pair {
    char *name, *value;
};

struct rbd_config { /* an image in a Ceph cluster */
    char *pool, *ns, *image, *snapshot;
    struct rbd_clone_config {
        char *name; /* NULL: mote-<id>-<drive_id> */
        enum rbd_clone_exit exit;
        bool given; /* the snapshot's clone, for this VM */
    } clone;
    char *mon_host[CONFIG_MON_MAX + 1]; /* NULL-ended; numeric addresses */
    char *conf;
    char *user; /* NULL: admin */
    char *key_file;
    unsigned int key_fd; /* 0: not given */
    char *fsid;          /* of the only cluster wanted */
    enum rbd_lock lock;
    enum rbd_cache cache;
    unsigned int connect_timeout_s; /* 0: CONFIG_CONNECT_S */
    unsigned int timeout_s;         /* 0: wait for ever */
    unsigned int nr_options;
    struct config_pair option[CONFIG_OPTION_MAX];
    bool given;
};

enum drive_cache { CACHE_WRITEBACK, CACHE_UNSAFE };
enum drive_error { ERROR_REPORT, ERROR_STOP, ERROR_PAUSE };

struct drive_config {
    char *id;
    char *path;
    bool root;
    bool read_only;
    bool direct;    /* O_DIRECT */
    char *partuuid; /* or NULL */
    enum drive_cache cache;
    enum disk_engine engine;
    enum drive_error on_error;
    struct overlay_config overlay;
    struct rbd_config rbd;
    struct limit_config limit;
};

enum net_backend { NET_TAP, NET_FD, NET_USER };

struct user_config { /* of NET_USER; see passt_open() */
    char *program;
    char *forward[CONFIG_FORWARD_MAX + 1]; /* NULL-ended */
    char *address, *gateway, *dns;
    bool given;
};

struct net_config {
    char *id;
    enum net_backend backend;
    char *tap;       /* NET_TAP: interface, or /dev/tapN */
    unsigned int fd; /* NET_FD; 0: not given */
    struct user_config user;
    char *mac;          /* "06:00:ac:10:00:02", or NULL: the guest picks */
    unsigned int mtu;   /* 0: not offered */
    unsigned int pairs; /* of queues; 0: one */
    struct limit_config rx, tx;
};

/* The metadata service. */
struct mmds_config {
    char *net[CONFIG_DEVICE_MAX + 1]; /* ids, NULL-ended; none: every one */
    char *address;                    /* NULL: MMDS_ADDRESS */
    enum mmds_version version;
    bool text_only;
    char *path;        /* of the data; NULL: there are none */
    unsigned int size; /* limit of the data; 0: MMDS_SIZE */
    bool given;        /* there is one */
};

struct entropy_config {
    struct limit_config limit;
    bool given; /* there is one */
};

struct port_config {
    char *name;
    enum chr_mode mode;
    char *path; /* CHR_FILE */
};

struct log_config {
    char *path; /* NULL: stderr */
    enum log_level level;
    char *module; /* NULL: all; or a directory below src */
    bool show_level;
    bool show_origin;
};

#define CONFIG_PROPERTY_MAX 32

struct metrics_config { /* what is told of a running VM */
    char *path;         /* NULL: nothing is */
    unsigned int nr_properties;
    struct config_pair property[CONFIG_PROPERTY_MAX]; /* in every line */
};

enum sandbox_require { SANDBOX_BEST, SANDBOX_FULL, SANDBOX_OFF };
enum sandbox_netns { NETNS_NEW, NETNS_NONE, NETNS_PATH };

struct sandbox_limits { /* of the cgroup; 0: none */
    u64 memory_max;     /* bytes */
    unsigned int pids_max, cpu_percent;
};

struct sandbox_rlimits { /* 0: mote's own */
    u64 nofile, fsize;
};

struct sandbox_config {
    enum sandbox_require require;
    char *netns;           /* "new" (or NULL), "none", or a path to join */
    unsigned int uid, gid; /* what to become, if started as root; 0: nobody */
    char *cgroup;          /* a directory, or NULL */
    struct sandbox_limits limits;
    struct sandbox_rlimits rlimits;
    bool log_denials; /* --seccomp=log: learn, do not deny */
};

#define CONFIG_TIME_MAX_MS (1u << 31)

struct deadline_config { /* ms of the running VM; 0: none */
    unsigned int boot_ms, wall_ms, cpu_ms, idle_ms;
    unsigned int stop_ms; /* what SIGTERM leaves the command, or the guest */
};

#define CONFIG_ARG_MAX     4096 /* of a command */
#define CONFIG_COMMAND_MEM (512 * MIB)
#define CONFIG_ENV_MAX     256

struct run_config { /* one command; config_has_command() */
    char **cmd;     /* NULL-ended; NULL: the container image's own */
    char *rootfs;   /* NULL: the root drive */
    unsigned int nr_env;
    struct config_pair env[CONFIG_ENV_MAX]; /* beside the defaults */
    char *workdir, *user; /* NULL: the image's, or the default */
    char *hostname;
    bool input; /* it reads mote's stdin */
    bool tty;
    struct deadline_config deadlines; /* of any VM */
};

struct record_config { /* what is told of the end */
    char *path;        /* "-": stdout; NULL: none is written */
};

/* Where each value came from, for errors found later; private to src/config. */
struct config_origins;

struct config {
    char *id; /* NULL: "anonymous-instance" */
    struct boot_config boot;
    struct machine_config machine;
    struct console_config console;
    struct log_config log;
    struct metrics_config metrics;
    struct sandbox_config sandbox;
    struct run_config run;
    struct record_config record;
    bool boot_timer;
    bool verbose; /* what is told of the end goes to stderr, too */

    /* Those of options come first here, and last in the guest. */
    unsigned int nr_drives, option_drives;
    struct drive_config drive[CONFIG_DEVICE_MAX];
    unsigned int nr_nets, option_nets;
    struct net_config net[CONFIG_DEVICE_MAX];
    struct mmds_config mmds;
    struct entropy_config entropy;
    unsigned int nr_ports;
    struct port_config port[CONFIG_PORT_MAX];

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

/* Was it given by an option or by the file? */
bool config_given(const struct config *c, const void *field);

/* Is the VM there for one command? */
bool config_has_command(const struct config *c);

/*
 * The defaults of a VM with a command, where nothing else was given: 512 MiB,
 * level Warning, no console. To be called between reading and checking.
 */
void config_complete(struct config *c);

/* Rules across blocks and files that must be readable. 0 or -EINVAL. */
int config_check(const struct config *c);

/* Also of a configuration that is wrong: is there a path for the exit record,
 * that nothing else has? */
bool config_may_record(const struct config *c);

/* Devices as the guest counts them, i < nr_drives or nr_nets: the root drive
 * is the first, then the file's in their order, then those of options. */
const struct drive_config *config_drive(const struct config *c, unsigned int i);
const struct net_config *config_net(const struct config *c, unsigned int i);

/* Is it so for the guest? A snapshot is, unless there is an overlay or a clone.
 */
bool config_drive_read_only(const struct drive_config *d);

/* Does the metadata service answer on this interface? */
bool config_net_has_mmds(const struct config *c, const struct net_config *n);

/* Borrows c's strings. */
struct mmds_options config_mmds(const struct config *c);

/* Is there a virtio-console, for hvc0 or for ports? */
bool config_has_virtio_console(const struct config *c);

/* The configuration in effect as a JSON file; the caller frees it. NULL: no
 * memory, or a text that is not UTF-8; already reported. Main. */
char *config_text(const struct config *c);

/* The same, to stdout. 0 or a negative errno, already reported. */
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
extern const struct config_words config_caches, config_io_engines;
extern const struct config_words config_console_devices, config_on_errors;
extern const struct config_words config_requires;
extern const struct config_words config_rbd_locks, config_rbd_caches;

/* 0; -ENOTSUP: known, but not yet; -EINVAL: unknown, and *near is the nearest
 * name or NULL. */
int config_find_word(const struct config_words *words, const char *text,
                     unsigned int *value, const char **near);

/* "auto, kvm, interp" into buf. */
void config_list_words(const struct config_words *words, char *buf, size_t len);

/* "30s", "500ms", "5m", "2h", "1.5s"; seconds without a unit. 0, -EINVAL (not
 * a time) or -ERANGE. */
int config_parse_time(const char *text, unsigned int *ms);

/* "512M", "2G", "131072K"; bytes without a unit only from one MiB on, since
 * 512 is more likely a mistake. 0, -EINVAL (not a size) or -ERANGE. */
int config_parse_size(const char *text, u64 *bytes);

/*
 * Texts with a form of their own: NULL if it has that, else what is wrong, to
 * be put behind the text: "is not 1 to 64 letters, digits, - and _".
 */
typedef const char *config_form_fn(const char *text);
config_form_fn config_form_id;      /* [A-Za-z0-9_-]{1,64} */
config_form_fn config_form_port;    /* [A-Za-z0-9_.-]{1,64} */
config_form_fn config_form_mac;     /* six hex pairs, one station's */
config_form_fn config_form_forward; /* tcp:HOST:GUEST, udp:HOST:GUEST */
config_form_fn config_form_address; /* IPv4 or IPv6 */
config_form_fn config_form_link_local;
config_form_fn config_form_partuuid;
config_form_fn config_form_user; /* USER or USER:GROUP, names or numbers */
config_form_fn config_form_hostname;
config_form_fn config_form_env;      /* a name without = */
config_form_fn config_form_absolute; /* a path from the root */
config_form_fn config_form_netns;    /* "new", "none", or a path with a slash */
config_form_fn config_form_image;    /* a pool, an image, a snapshot */
config_form_fn config_form_mon;      /* numeric: the worker has no DNS */
config_form_fn config_form_uuid;

/* For text that has the form. */
void config_parse_mac(const char *text, u8 mac[static 6]);

/* The candidate within edit distance 2 of word, or NULL. */
const char *config_nearest(const char *word, const char *const *candidates,
                           size_t n);

#endif
