/* SPDX-License-Identifier: Apache-2.0 */
/* service.h: what is served, and how it answers an HTTP request */
#ifndef MOTE_MMDS_SERVICE_H
#define MOTE_MMDS_SERVICE_H

#include "mote/mmds.h"

#include "store.h"
#include "token.h"

enum mmds_counter { /* as in mmds_counters */
                    MMDS_TAKEN,
                    MMDS_DROPPED,
                    MMDS_RECEIVED,
                    MMDS_NO_TOKEN,
                    MMDS_BAD_TOKEN,
                    MMDS_SENT,
                    MMDS_SENT_FRAMES,
                    MMDS_SENT_BYTES,
                    MMDS_CREATED,
                    MMDS_DESTROYED,
};

struct mmds { /* nothing changes after mmds_open(), but for the counters */
    _Atomic(u64) *counter; /* each interface's thread adds; NULL: not counted */
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

static inline void mmds_add(const struct mmds *m, enum mmds_counter i, u64 n)
{
    if (m->counter)
        atomic_fetch_add_explicit(&m->counter[i], n, memory_order_relaxed);
}

/*
 * Answer the first request in a buffer. How many bytes of it are done with;
 * 0: it is not whole. full: there will be no more bytes of it. Any thread.
 */
u32 mmds_serve(const struct mmds *m, const char *in, u32 len, bool full,
               u64 now_ns, struct mmds_answer *a);

#endif
