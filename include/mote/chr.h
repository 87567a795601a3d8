/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chr.h: the host side of a console: bytes in and out of a terminal, a pipe, a
 * file or nowhere. Reads and writes never block, yet the descriptors mote was
 * started with, which others share, never become O_NONBLOCK. For a terminal on
 * stdin raw mode is set by chr_open() and restored by chr_close(), at exit and
 * by the handlers of fatal signals, whichever comes first. The process must
 * ignore SIGPIPE.
 */
#ifndef MOTE_CHR_H
#define MOTE_CHR_H

#include "mote/base.h"

enum chr_mode {
    CHR_STDIO,
    CHR_FILE, /* output only, appended to; created with mode 0600 */
    CHR_OFF
};

struct chr;

/* Called on Ctrl-A x, on the thread that called chr_read(). */
typedef void chr_escape_fn(void *ctx);

/* path only for CHR_FILE. 0 or a negative errno, already reported. */
int chr_open(struct chr **out, enum chr_mode mode, const char *path);
void chr_close(struct chr *chr);
void chr_on_escape(struct chr *chr, chr_escape_fn *fn, void *ctx);

/* Descriptor to poll for input; -1 when there will be none (file, off, end of
 * input reached). */
int chr_in_fd(const struct chr *chr);

/* epoll refuses regular files and /dev/null, where reads are never empty
 * before the end: false means just read. */
bool chr_in_polls(const struct chr *chr);

/* Descriptor to poll for EPOLLOUT after a short write; -1: never short. */
int chr_out_fd(const struct chr *chr);

/*
 * Up to len bytes of input, len >= 2, with the Ctrl-A sequences taken out
 * (Ctrl-A x ends, Ctrl-A Ctrl-A is one Ctrl-A; others pass as they are).
 * 0: nothing now; -ENODATA: end of input, and chr_in_fd() is -1 from then on.
 */
int chr_read(struct chr *chr, u8 *buf, size_t len);

/* Bytes taken, 0..len. Host errors are reported once and then swallow output,
 * so that a closed terminal never ends a VM. */
size_t chr_write(struct chr *chr, const u8 *buf, size_t len);

#endif
