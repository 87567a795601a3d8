/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loader.h: kernel, initrd and tables into guest RAM, and the state the first
 * vCPU starts with. Files are untrusted: whatever they contain, nothing is
 * read or written out of bounds, and the error says what was found.
 */
#ifndef MOTE_LOADER_H
#define MOTE_LOADER_H

#include "mote/cpu_state.h"
#include "mote/mem.h"

#define LOADER_CMDLINE_MAX 2048 /* with the final NUL */
#define LOADER_DEVICE_MAX  19   /* GSI 5..23 */

/* A virtio-mmio device to announce, in ACPI and on the command line. */
struct loader_device {
    u64 base; /* 4 KiB of registers */
    u32 gsi;
};

/* An open file to load from. */
struct loader_file {
    const char *what; /* "kernel", "initrd": how messages begin */
    const char *path; /* the caller's; for messages only */
    int fd;
    u64 size;
};

/* Regular files that are not empty, and nothing of them is read yet. 0 or a
 * negative errno, already reported (absent, directory, FIFO ...); fd is then
 * -1. */
int loader_file_open(struct loader_file *out, const char *what,
                     const char *path);
void loader_file_close(struct loader_file *file);

/* What a kernel file says of itself. */
struct loader_identity {
    const char *format; /* "bzImage, zstd", "vmlinux", ... static text */
    char version[128];  /* "6.1.0-amd64 (...) #1 SMP ...", printable; or "" */
};

/* Looks at the file's header, and in a vmlinux for its banner; unpacks
 * nothing. 0 or a negative errno, already reported: not a kernel for us. Main.
 */
int loader_identify(const struct loader_file *kernel,
                    struct loader_identity *out);

/*
 * A whole file, unpacked if it is compressed in one of the kernel's ways, into
 * memory that the caller frees: not more than max bytes. 0 or a negative
 * errno, already reported; what is neither compressed nor ELF is an error.
 * Main.
 */
int loader_unpack(const struct loader_file *file, u64 max, u8 **data, u64 *len);

struct loader_spec {
    const struct loader_file *kernel;
    const struct loader_file *initrd; /* or NULL */
    u64 initrd_gpa;      /* 0, or loader_initrd_gpa(): it is there already */
    const char *cmdline; /* complete; loader_cmdline() makes it */
    const char *words;   /* of it, the operator's own, or NULL: all
                          * that a multiboot image is given */
    unsigned int cpus;
    unsigned int nr_devices;
    struct loader_device device[LOADER_DEVICE_MAX];
};

struct loader_result {
    struct cpu_state bsp; /* 64-bit boot protocol entry */
    const char *format;   /* "bzImage, zstd", "vmlinux", ... static text */
    char version[128];    /* bzImage's version string, or "" */
    u64 kernel_gpa, kernel_len;
    u64 initrd_gpa, initrd_len;
    u64 unpack_ns; /* spent decompressing */
};

/* Where an initrd of len bytes is going to be, unless the kernel insists on a
 * lower place; 0: RAM is too small. */
u64 loader_initrd_gpa(const struct mem *m, u64 len);

/* Everything above, into m; opens nothing. 0 or a negative errno, already
 * reported. Main. */
int loader_load(struct mem *m, const struct loader_spec *spec,
                struct loader_result *out);

/* The configuration that is embedded in a kernel in m (IKCONFIG), as text of
 * less than size bytes. 0; -ENOENT: there is none; or another negative errno,
 * already reported. Main. */
int loader_config(const struct mem *m, const struct loader_result *loaded,
                  char *text, size_t size);

/*
 * Put a command line together: args (NULL: mote's default) plus, before a
 * " -- ", pci=off, root, one virtio_mmio.device= per device, append. out has
 * LOADER_CMDLINE_MAX bytes. -E2BIG with each part's share when too long,
 * -EINVAL for bytes that are not printable ASCII; already reported.
 */
struct cmdline_spec {
    const char *args;   /* the user's boot_args, or NULL */
    const char *append; /* or NULL */
    bool command;       /* mote's own init, and default args for it */
    bool serial;        /* default args: console=ttyS0 */
    bool hvc;           /* default args: console=hvc0 instead */
    const char *root;   /* "root=/dev/vda rw", or NULL */
    unsigned int nr_devices;
    const struct loader_device *device;
};
int loader_cmdline(char *out, const struct cmdline_spec *spec);

#endif
