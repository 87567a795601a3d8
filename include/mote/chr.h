/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chr.h: the host side of a console: bytes in and out of a terminal, a pipe, a
 * file, a client of a Unix socket or nowhere. Reads and writes never block, yet
 * the descriptors mote was started with, which others share, never become
 * O_NONBLOCK. For a terminal on stdin raw mode is set by chr_open() and
 * restored by chr_close() or undo_all(), at exit and by the handlers of fatal
 * signals, whichever comes first. The process must ignore SIGPIPE.
 *
 * Every descriptor is opened by chr_open(), but for the connections of
 * CHR_UNIX: chr_accept() calls accept4() on the device's thread. One client is
 * served at a time; others wait in the socket's queue until it has left.
 */
#ifndef MOTE_CHR_H
#define MOTE_CHR_H

#include "mote/base.h"
#include "mote/limit.h"

enum chr_mode {
    CHR_STDIO,
    CHR_FILE, /* output only, appended to; created with mode 0600 */
    CHR_UNIX, /* listens on a socket that is made with mode 0600 */
    CHR_OFF,
    CHR_STREAMS, /* of chr_open_streams() */
};

struct chr;

/* Called on Ctrl-A x, on the thread that called chr_read(). */
typedef void chr_escape_fn(void *ctx);

/*
 * path only for CHR_FILE and CHR_UNIX; a socket's must not exist, and
 * chr_close() or undo_all() removes it. 0 or a negative errno, already
 * reported.
 */
int chr_open(struct chr **out, enum chr_mode mode, const char *path);
void chr_close(struct chr *chr);

/*
 * One end of a pipeline: in is read and out is written, -1: not at all, under
 * this name in messages (static text). Such a chr is over when its input has
 * ended and nobody takes its output; a reader who goes away is no error, others
 * are reported, and kept for chr_error().
 *
 * own: both are non-blocking and become the chr's. Else they are descriptors
 * that mote was started with, and stay what they are.
 */
struct chr_streams {
    const char *name;
    int in, out;
    bool own;
    bool output; /* of a command: the record has its first byte's time */
};
int chr_open_streams(struct chr **out, const struct chr_streams *streams);

/* Raw mode for its input, a terminal. 0 or a negative errno, already
 * reported. */
int chr_set_raw(struct chr *chr);

/* CHR_STREAMS: is it over? Others never are. */
bool chr_over(const struct chr *chr);

/* Why output was lost: 0, or a negative errno, but for -EPIPE. Any thread, when
 * the chr's has ended. */
int chr_error(const struct chr *chr);

/* After chr_open(): there is no input. A terminal keeps its mode, and its keys
 * their signals; what a client of CHR_UNIX sends is never read. */
void chr_no_input(struct chr *chr);

/* After chr_open(): output beyond this many bytes is dropped. */
void chr_limit(struct chr *chr, const struct limit_bucket_config *limit);

/* Look for the Ctrl-A sequences from now on. Not for CHR_UNIX. */
void chr_on_escape(struct chr *chr, chr_escape_fn *fn, void *ctx);

/* Descriptor to poll for input; -1 when there will be none (file, off, end of
 * input reached) or nobody is connected. */
int chr_in_fd(const struct chr *chr);

/* epoll refuses regular files and /dev/null, where reads are never empty
 * before the end: false means just read. */
bool chr_in_polls(const struct chr *chr);

/* Descriptor to poll for EPOLLOUT after a short write; -1: never short, or no
 * client that would take anything. CHR_UNIX: the same as chr_in_fd(). */
int chr_out_fd(const struct chr *chr);

/*
 * Up to len bytes of input, len >= 2. After chr_on_escape() the Ctrl-A
 * sequences are taken out (Ctrl-A x ends, Ctrl-A Ctrl-A is one Ctrl-A; others
 * pass as they are). 0: nothing now; -ENODATA: end of input, and chr_in_fd() is
 * -1 from then on (CHR_UNIX: until the next client).
 */
int chr_read(struct chr *chr, u8 *buf, size_t len);

/*
 * Bytes taken, 0..len. Host errors are reported once and then swallow output,
 * so that a closed terminal never ends a VM. CHR_UNIX: 0 without a client, and
 * when the client takes no more.
 */
size_t chr_write(struct chr *chr, const u8 *buf, size_t len);

/* How many of the bytes that chr_write() took last were swallowed, by an error
 * or the limit? */
size_t chr_lost(const struct chr *chr);

/* Columns and rows of the terminal that stdin is. 0 or -ENOTTY. Any thread. */
int chr_window(const struct chr *chr, u16 *cols, u16 *rows);

/* ---- CHR_UNIX -------------------------------------------------------------
 */

/* Descriptor to poll for clients; -1 in all other modes. */
int chr_listen_fd(const struct chr *chr);

/* Is a client connected, whether or not it still talks? CHR_STREAMS: until
 * chr_hang_up(). Others: true. */
bool chr_connected(const struct chr *chr);

/*
 * Take the next client; none must be connected. 1: it is there, 0: none waits,
 * negative errno: not now (no descriptor or memory), reported once.
 */
int chr_accept(struct chr *chr);

/* Close the client's connection, which no loop may watch any more. CHR_STREAMS:
 * both sides know that it is over. */
void chr_hang_up(struct chr *chr);

#endif
