/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire.h: what the process that reads an archive tells the one that asked for
 * it, as records on a stream socket. The reader believes nothing: every length
 * has a bound, and receive.c checks what the records say.
 */
#ifndef MOTE_ROOTFS_WIRE_H
#define MOTE_ROOTFS_WIRE_H

#include "mote/base.h"

enum wire_type {
    WIRE_NODE = 1, /* struct wire_node, name, target of a symbolic link */
    WIRE_TEXT,     /* u32 enum wire_text, and the text */
    WIRE_PROGRESS, /* struct wire_progress */
    WIRE_OPEN,     /* SHA-256 of a blob, in hexadecimal: answered by its
                    * descriptor, or by a message without one */
    WIRE_REFUSAL,  /* s32 errno, and a line why: the last record */
    WIRE_END,      /* that was all */
};

/* In front of each record; len bytes follow. */
struct wire_head {
    u32 type, len;
};
#define WIRE_LEN_MAX (64u << 10)

#define WIRE_NO_HARD (~0u)

/* One name of the tree: a directory comes before what is in it, children are
 * sorted by their bytes. */
struct wire_node {
    u64 mtime, size, offset;
    u32 mode, uid, gid, major, minor;
    u32 depth; /* of the root, which is first and has no name: 0 */
    u32 hard;  /* number of the first name of this file, or WIRE_NO_HARD */
    u16 name_len, link_len;
};

struct wire_progress {
    u64 done, total; /* bytes of the archive */
};

/* Of struct rootfs_command; lists in their order. */
enum wire_text {
    WIRE_ENTRYPOINT,
    WIRE_CMD,
    WIRE_ENV,
    WIRE_WORKDIR,
    WIRE_USER,
};

#define WIRE_DIGEST_LEN 64u /* characters */

struct wire_out {
    int fd;
    size_t used;
    u8 buf[WIRE_LEN_MAX + sizeof(struct wire_head)];
};

/* Append a record of up to three parts; NULL ends them. Records that are
 * longer than WIRE_LEN_MAX are not sent: -EMSGSIZE. 0 or a negative errno. */
struct wire_part {
    const void *data;
    size_t len;
};
#define WIRE_PARTS 3
int wire_put(struct wire_out *w, enum wire_type type,
             const struct wire_part part[WIRE_PARTS]);
int wire_flush(struct wire_out *w);

struct wire_in {
    int fd;
    size_t from, have;
    u8 buf[2 * (WIRE_LEN_MAX + sizeof(struct wire_head))];
};

struct wire_record {
    u32 type, len;
    const u8 *data; /* until the next one */
};

/* The next record. 1; 0: the stream has ended between two; -EPIPE: within one;
 * -EPROTO: it is none; or another negative errno. Nothing is reported. */
int wire_next(struct wire_in *w, struct wire_record *out);

#endif
