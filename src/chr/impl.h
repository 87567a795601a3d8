/* SPDX-License-Identifier: Apache-2.0 */
/* impl.h: what chr.c and unix.c share */
#ifndef MOTE_CHR_IMPL_H
#define MOTE_CHR_IMPL_H

#include <sys/stat.h>
#include <sys/un.h>

#include "mote/chr.h"
#include "mote/undo.h"

/* How a descriptor is kept from blocking without touching its flags. */
enum chr_way {
    CHR_DIRECT, /* our own O_NONBLOCK description, or a regular file */
    CHR_POLLED, /* is it ready? then little */
};

struct chr_end {
    int fd; /* -1: none */
    enum chr_way way;
    bool own;
    bool polls;   /* epoll takes it */
    int ready_fd; /* CHR_POLLED: an epoll set, or -1: always ready */
};

/* A listening socket, and what tells it from a later one at the same path. */
struct chr_socket {
    int listen_fd; /* -1: none */
    int spare_fd;  /* keeps a number free for the first client */
    int client_fd; /* -1: none */
    bool failed;   /* an accept error was reported */
    struct sockaddr_un addr;
    dev_t dev;
    ino_t ino;
};

struct chr {
    enum chr_mode mode;
    const char *name; /* in messages */
    bool stamps;      /* CHR_STREAMS: output is the command's */
    struct chr_end in;
    struct chr_end out;
    bool in_ended;
    bool escape; /* the last byte read was Ctrl-A */
    bool failed; /* an output error was reported */
    bool unread; /* CHR_STREAMS: nobody takes output any more ... */
    int error;   /* ... because of this */
    bool done;   /* CHR_STREAMS: hung up */
    bool deaf;   /* no input, whoever talks */
    size_t lost; /* swallowed of the last write */
    struct limit limit;
    chr_escape_fn *escape_fn;
    void *escape_ctx;
    struct chr_socket sock;
    struct undo undo; /* the terminal's mode, or the socket's name */
};

int chr_unix_open(struct chr *chr, const char *path);
void chr_unix_close(struct chr *chr);

#endif
