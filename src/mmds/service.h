/* SPDX-License-Identifier: Apache-2.0 */
/* service.h: what is served, and how it answers an HTTP request */
#ifndef MOTE_MMDS_SERVICE_H
#define MOTE_MMDS_SERVICE_H

#include "mote/mmds.h"

#include "store.h"
#include "token.h"

struct mmds { /* nothing changes after mmds_open() */
    struct mmds_store store;
    struct mmds_key key;
    u32 address; /* as in a packet */
    enum mmds_version version;
    bool text_only;
};

/* Two pieces, of which the body is the store's. */
struct mmds_answer {
    char head[640]; /* with the body, if that is ours */
    u32 head_len;
    const char *body;
    u32 body_len;
    bool close; /* no other request is taken after it */
};

/*
 * Answer the first request in a buffer. How many bytes of it are done with;
 * 0: it is not whole. full: there will be no more bytes of it. Any thread.
 */
u32 mmds_serve(const struct mmds *m, const char *in, u32 len, bool full,
               u64 now_ns, struct mmds_answer *a);

#endif
